//! A PostgreSQL server of a world's own: a real one, with fsync, that can be restarted, killed and replaced by a standby.

mod standby;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use hadron_management::store::db::server::{Server, Setup, Stop, USER};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::wait;

/// How long sessions may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// The database that hubs use.
const DATABASE: &str = "hadron";

/// A running server.
#[derive(Clone, Debug)]
pub struct Postgres(Arc<Server>);

impl Postgres {
    /// Makes a server with an empty database; its log goes into `folder`.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not come up.
    pub async fn start(folder: &Path) -> Result<Self> {
        let server = Self::as_told(folder.join("postgres.log"), None).await?;
        let client = server.client_of("postgres").await?;
        client
            .batch_execute(&format!("CREATE DATABASE {DATABASE}"))
            .await
            .context("a database")?;
        Ok(server)
    }

    /// With a log at this place, and as the standby of a server on this port.
    async fn as_told(log: PathBuf, follows: Option<u16>) -> Result<Self> {
        let setup = Setup {
            log: Some(log),
            settings: ["fsync=on", "max_connections=200", "shared_buffers=32MB"]
                .map(str::to_owned)
                .to_vec(),
            follows,
            ..Setup::default()
        };
        let started = tokio::task::spawn_blocking(move || Server::start(&setup)).await;
        Ok(Self(Arc::new(started.context("starting PostgreSQL")??)))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.0.port()))
    }

    /// What a hub connects with, directly or through a proxy at `address`.
    #[must_use]
    pub fn url(address: SocketAddr) -> String {
        url(address, DATABASE)
    }

    /// A connection of the harness's own.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn client(&self) -> Result<Client> {
        self.client_of(DATABASE).await
    }

    async fn client_of(&self, database: &str) -> Result<Client> {
        let (client, connection) = tokio_postgres::connect(&url(self.address(), database), NoTls)
            .await
            .context("connecting to PostgreSQL")?;
        // It ends with the client.
        tokio::spawn(connection);
        Ok(client)
    }

    /// Rows of a query, every value as text; several statements give the rows of all.
    ///
    /// # Errors
    /// When it fails.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let client = self.client().await?;
        let messages = client
            .simple_query(sql)
            .await
            .with_context(|| format!("asking PostgreSQL: {sql}"))?;
        Ok(messages
            .into_iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
                }
                _ => None,
            })
            .collect())
    }

    /// Ends sessions of others by chance, as an administrator or a fail-over would: one in `one_of`. How many there were.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn terminate(&self, one_of: u32) -> Result<usize> {
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = '{DATABASE}' AND pid <> pg_backend_pid() AND random() * {one_of} < 1"
        );
        Ok(self.rows(&sql).await?.len())
    }

    /// Restarts it in good order, without waiting for sessions to end.
    ///
    /// # Errors
    /// When it does not come up again.
    pub async fn restart(&self) -> Result<()> {
        self.again(Stop::Order).await
    }

    /// Kills it, as by a power cut, and starts it again.
    ///
    /// # Errors
    /// When it does not come up again.
    pub async fn crash(&self) -> Result<()> {
        self.again(Stop::Kill).await
    }

    async fn again(&self, stop: Stop) -> Result<()> {
        self.told(move |server| server.restart(stop)).await
    }

    /// Kills it, for good or until something was done to its disk.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn halt(&self) -> Result<()> {
        self.told(Server::halt).await
    }

    /// Starts it again if it does not run, and waits until it answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn revive(&self) -> Result<()> {
        self.told(Server::revive).await
    }

    async fn told(&self, what: impl FnOnce(&Server) -> Result<()> + Send + 'static) -> Result<()> {
        let server = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || what(&server)).await;
        done.context("telling the keeper of PostgreSQL")?
    }

    /// The folder that holds everything that is to survive.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.0.folder().join("data")
    }

    /// Waits until nobody but the harness is connected.
    ///
    /// # Errors
    /// When somebody stays.
    pub async fn alone(&self) -> Result<()> {
        let sql = format!(
            "SELECT pid FROM pg_stat_activity WHERE datname = '{DATABASE}' AND pid <> pg_backend_pid()"
        );
        wait::until("PostgreSQL to be alone", PATIENCE, || async {
            Ok(self.rows(&sql).await?.is_empty().then_some(()))
        })
        .await
    }
}

fn url(address: SocketAddr, database: &str) -> String {
    format!(
        "host={} port={} user={USER} dbname={database}",
        address.ip(),
        address.port()
    )
}
