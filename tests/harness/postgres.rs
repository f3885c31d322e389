//! A PostgreSQL server of a world's own: a real one, with fsync, that can be restarted, killed and replaced by a standby.

mod standby;

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::process::{Process, free_port};
use crate::wait;

/// How long the server may take to come up; after a crash it has to read its log first.
const PATIENCE: Duration = Duration::from_secs(60);

/// The database that hubs use.
const DATABASE: &str = "hadron";

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    /// Of its own, since the server does not run as root and cannot read what only root may.
    folder: TempDir,
    port: u16,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    log: PathBuf,
}

impl Postgres {
    /// Makes a server with an empty database; its log goes into `folder`.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not come up.
    pub async fn start(folder: &Path) -> Result<Self> {
        let programs = programs().context(
            "the programs of PostgreSQL are missing: install it (Debian: apt-get install postgresql)",
        )?;
        let user = other_user()?;
        let own = TempDir::with_prefix("hadron-pg-").context("a folder for PostgreSQL")?;
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(own.path(), Some(uid), Some(gid)).context("a folder of another user")?;
        }
        let mut command = Command::new(programs.join("initdb"));
        command
            .arg("-D")
            .arg(own.path().join("data"))
            .args([
                "-U",
                "hadron",
                "--auth=trust",
                "--no-locale",
                "-E",
                "UTF8",
                "--no-sync",
            ])
            .current_dir(own.path());
        as_user(&mut command, user);
        let made = command.output().context("initdb")?;
        ensure!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let log = folder.join("postgres.log");
        let port = free_port()?;
        let process = spawn(&programs, own.path(), port, user, &log)?;
        let mut server = Self {
            process,
            folder: own,
            port,
            programs,
            user,
            log,
        };
        server.answers("postgres").await?;
        let client = server.client_of("postgres").await?;
        client
            .batch_execute(&format!("CREATE DATABASE {DATABASE}"))
            .await
            .context("a database")?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What a hub connects with, directly or through a proxy at `address`.
    #[must_use]
    pub fn url(address: SocketAddr) -> String {
        format!(
            "host={} port={} user=hadron dbname={DATABASE}",
            address.ip(),
            address.port()
        )
    }

    /// A connection of the harness's own.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn client(&self) -> Result<Client> {
        self.client_of(DATABASE).await
    }

    async fn client_of(&self, database: &str) -> Result<Client> {
        let address = format!("host=127.0.0.1 port={} user=hadron dbname={database}", self.port);
        let (client, connection) = tokio_postgres::connect(&address, NoTls)
            .await
            .context("connecting to PostgreSQL")?;
        // It ends with the client.
        tokio::spawn(connection);
        Ok(client)
    }

    async fn answers(&mut self, database: &str) -> Result<()> {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            if self.client_of(database).await.is_ok() {
                return Ok(());
            }
            if self.process.alive().is_err() {
                // After a crash the old children have to be gone first.
                self.process = spawn(
                    &self.programs,
                    self.folder.path(),
                    self.port,
                    self.user,
                    &self.log,
                )?;
            }
            if tokio::time::Instant::now() > end {
                self.process.alive()?;
                bail!("PostgreSQL does not answer within {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
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
    pub async fn restart(&mut self) -> Result<()> {
        // A fast shutdown: sessions are ended, what is committed is on disk.
        self.process.signal("INT")?;
        let process = &mut self.process;
        let mut gone = false;
        for _ in 0..1_000 {
            if process.alive().is_err() {
                gone = true;
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ensure!(gone, "PostgreSQL does not end");
        self.up().await
    }

    /// Kills it, as by a power cut, and starts it again.
    ///
    /// # Errors
    /// When it does not come up again.
    pub async fn crash(&mut self) -> Result<()> {
        self.kill()?;
        self.up().await
    }

    /// Kills it, for good or until something was done to its disk.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// The folder that holds everything that is to survive.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it again if it has ended, and waits until it answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn revive(&mut self) -> Result<()> {
        self.answers(DATABASE).await
    }

    /// Starts it again after it was killed.
    ///
    /// # Errors
    /// When it does not come up again.
    pub async fn up(&mut self) -> Result<()> {
        self.process = spawn(
            &self.programs,
            self.folder.path(),
            self.port,
            self.user,
            &self.log,
        )?;
        self.answers(DATABASE).await
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

fn spawn(programs: &Path, folder: &Path, port: u16, user: Option<(u32, u32)>, log: &Path) -> Result<Process> {
    let mut command = Command::new(programs.join("postgres"));
    command
        .arg("-D")
        .arg(folder.join("data"))
        .args(["-p", &port.to_string()])
        .arg("-k")
        .arg(folder)
        .current_dir(folder);
    for setting in [
        "listen_addresses=127.0.0.1",
        "fsync=on",
        "max_connections=200",
        "shared_buffers=32MB",
    ] {
        command.args(["-c", setting]);
    }
    as_user(&mut command, user);
    Process::start("postgres", &mut command, log)
}

fn as_user(command: &mut Command, user: Option<(u32, u32)>) {
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
}

/// The newest installed server's programs.
fn programs() -> Option<PathBuf> {
    let version = |bin: &PathBuf| bin.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"));
    let in_path = crate::emulator::path();
    let in_path: Vec<PathBuf> = in_path.split(':').map(PathBuf::from).collect();
    installed
        .filter(|bin| bin.join("initdb").exists())
        .max_by_key(version)
        .or_else(|| in_path.into_iter().find(|bin| bin.join("initdb").exists()))
}

/// PostgreSQL does not run as root: whom to be instead, when this is root.
fn other_user() -> Result<Option<(u32, u32)>> {
    if std::fs::metadata("/proc/self").context("/proc")?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    let found = ids("postgres").or_else(|| ids("nobody"));
    found
        .map(Some)
        .context("this is root, and there is no user postgres or nobody to run PostgreSQL as")
}
