//! Databases for tests: a SQLite file, or a database in a PostgreSQL cluster that this test process starts for itself.
//!
//! The cluster is real (fsync on), lives in a temporary directory, and goes away with the test process, however that
//! ends. Nothing is skipped: without PostgreSQL on the machine, tests that need it fail and say how to install it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use hadron_proto::vocab::Timestamp;
use tempfile::TempDir;

pub use proxy::{Proxy, Swallow};

use super::server::{self, Server, Stop};
use super::{Db, Kek, KeyError, PostgresOptions, SqliteOptions, Wrapped};
use crate::clock::Clock;
use crate::store::migrate;

mod commit;
mod proxy;

/// A fresh, migrated database of its own. Keep it as long as the test runs.
pub struct TestDb {
    /// The database.
    pub db: Db,
    /// Its clock: manual on SQLite; PostgreSQL goes by the server's.
    pub clock: Clock,
    /// Where it is: a path, or an address for [`Db::open_postgres`].
    pub place: String,
    _dir: Option<TempDir>,
}

impl TestDb {
    /// Opens the same database once more, as another process would.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn open_again(&self) -> Db {
        if self.place.starts_with("host=") {
            open_postgres(&self.place, self.clock.clone()).await
        } else {
            let path = Path::new(&self.place);
            let opened = Db::open_sqlite(path, self.clock.clone(), SqliteOptions::default()).await;
            unlocked(opened.expect("an existing database opens once more"))
        }
    }

    /// Opens the same PostgreSQL database through a proxy that can lose what is said.
    ///
    /// # Panics
    /// When this is no PostgreSQL database, or it cannot be opened.
    pub async fn open_behind_proxy(&self) -> (Db, Proxy) {
        let proxy = Proxy::start(&self.place).await;
        (open_postgres(proxy.place(), self.clock.clone()).await, proxy)
    }

    /// Ends about half of the connections to this PostgreSQL database, in the midst of whatever they are doing.
    ///
    /// # Panics
    /// When the server takes no connection.
    pub async fn terminate_some(&self) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5";
        self.ask(sql).await;
    }

    /// How many deadlocks there were in this PostgreSQL database. Connections tell theirs at the latest when they are closed.
    ///
    /// # Panics
    /// When the server takes no connection.
    pub async fn deadlocks(&self) -> i64 {
        let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        self.ask(sql).await.first().map_or(0, |row| row.get(0))
    }

    async fn ask(&self, sql: &str) -> Vec<tokio_postgres::Row> {
        let (client, connection) = tokio_postgres::connect(&self.place, tokio_postgres::NoTls)
            .await
            .expect("the cluster takes connections");
        let driver = tokio::spawn(connection);
        let rows = client
            .query(sql, &[])
            .await
            .expect("the question can be answered");
        driver.abort();
        rows
    }
}

/// Transactions of this process that locked rows in another order than the documentation of [`db`](super) says. Those with the
/// label "rows" are the tests' own and not among them.
#[must_use]
pub fn wrong_orders() -> Vec<String> {
    let mut seen = super::order::violations();
    seen.retain(|violation| !violation.starts_with("'rows'"));
    seen
}

/// Restarts the PostgreSQL cluster of this test process: in good order, or as after a crash.
///
/// # Panics
/// When it does not come back.
pub async fn restart_postgres(crash: bool) {
    let stop = if crash { Stop::Abrupt } else { Stop::Order };
    let restarted = tokio::task::spawn_blocking(move || shared().restart(stop)).await;
    restarted
        .expect("the server restarts")
        .expect("the server comes back");
}

/// The address of a PostgreSQL server that loses what it acknowledged when its machine fails.
///
/// # Panics
/// When it cannot be started.
pub async fn forgetful_postgres_url() -> String {
    static FORGETFUL: OnceLock<Server> = OnceLock::new();
    let start = || url(FORGETFUL.get_or_init(|| started("fsync=off")), "postgres");
    tokio::task::spawn_blocking(start)
        .await
        .expect("the cluster starts")
}

/// A SQLite database with this program's schema.
///
/// # Panics
/// When it cannot be made.
pub async fn sqlite() -> TestDb {
    let made = sqlite_empty().await;
    migrate::run(&made.db)
        .await
        .expect("the schema of SQLite can be made");
    made
}

/// A PostgreSQL database with this program's schema.
///
/// # Panics
/// When it cannot be made; says how to install PostgreSQL when it is missing.
pub async fn postgres() -> TestDb {
    let made = postgres_empty().await;
    migrate::run(&made.db)
        .await
        .expect("the schema of PostgreSQL can be made");
    made
}

/// How SQLite goes about a query: its plan, one step a line.
///
/// # Panics
/// When it is no query.
#[cfg(test)]
pub(crate) async fn plan(db: &Db, sql: &'static str) -> String {
    let number = |piece: &str| -> usize {
        let digits: String = piece.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    };
    let parameters = sql.split('$').skip(1).map(number).max().unwrap_or(0);
    // Statements live as long as the program, as those do that it runs.
    let explained: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
    let steps = db.read("plan", move |tx| {
        Box::pin(async move {
            let rows = tx.query(explained, &vec![super::Value::Null; parameters]).await?;
            rows.iter()
                .map(|row| row.get("detail"))
                .collect::<Result<Vec<String>, crate::store::StoreError>>()
        })
    });
    steps.await.expect("SQLite tells its plan").join("\n")
}

/// A SQLite database without a schema.
///
/// # Panics
/// When it cannot be made.
pub async fn sqlite_empty() -> TestDb {
    let dir = TempDir::new().expect("a temporary directory can be made");
    let path = dir.path().join("hub.db");
    let clock = Clock::manual(start());
    let db = Db::open_sqlite(&path, clock.clone(), SqliteOptions::default())
        .await
        .expect("SQLite opens");
    TestDb {
        db: unlocked(db),
        clock,
        place: path.to_str().expect("a path in UTF-8").to_owned(),
        _dir: Some(dir),
    }
}

/// A PostgreSQL database without a schema.
///
/// # Panics
/// When it cannot be made; says how to install PostgreSQL when it is missing.
pub async fn postgres_empty() -> TestDb {
    let clock = Clock::manual(start());
    let place = postgres_url().await;
    TestDb {
        db: open_postgres(&place, clock.clone()).await,
        clock,
        place,
        _dir: None,
    }
}

/// The address of a fresh PostgreSQL database, for tests that start a hub of their own.
///
/// # Panics
/// When it cannot be made; says how to install PostgreSQL when it is missing.
pub async fn postgres_url() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let cluster = tokio::task::spawn_blocking(shared)
        .await
        .expect("the cluster starts");
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let (client, connection) = tokio_postgres::connect(&url(cluster, "postgres"), tokio_postgres::NoTls)
        .await
        .expect("the cluster takes connections");
    let driver = tokio::spawn(connection);
    client
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await
        .expect("a database can be made");
    driver.abort();
    url(cluster, &name)
}

/// Where PostgreSQL answers with TLS for the user `careful` (password `secret`): address, and its certificate's file.
///
/// # Panics
/// When it cannot be made.
pub async fn postgres_tls() -> (String, PathBuf) {
    let place = postgres_url().await;
    let (client, connection) = tokio_postgres::connect(&place, tokio_postgres::NoTls)
        .await
        .expect("the cluster takes connections");
    let driver = tokio::spawn(connection);
    client
        .batch_execute("CREATE ROLE careful LOGIN PASSWORD 'secret'")
        .await
        .expect("a role can be made");
    driver.abort();
    let cluster = tokio::task::spawn_blocking(shared)
        .await
        .expect("the cluster runs");
    let database = place
        .rsplit('=')
        .next()
        .expect("an address ends with the database");
    let address = format!(
        "host=localhost hostaddr=127.0.0.1 port={} user=careful password=secret dbname={database}",
        cluster.port()
    );
    (address, cluster.folder().join("server.crt"))
}

async fn open_postgres(place: &str, clock: Clock) -> Db {
    let options = PostgresOptions {
        connections: 8,
        ..PostgresOptions::default()
    };
    let opened = Db::open_postgres(place, clock, options).await;
    unlocked(opened.expect("PostgreSQL opens"))
}

/// A database that seals, as every hub's does.
#[must_use]
pub fn unlocked(db: Db) -> Db {
    db.unlock(Arc::new(Unwrapped));
    db
}

/// Data keys of tests lie in the database as they are.
struct Unwrapped;

impl Kek for Unwrapped {
    fn wrap(&self, _id: &str, _scope: &str, key: &[u8; 32]) -> Result<Wrapped, KeyError> {
        Ok(Wrapped {
            bytes: key.to_vec(),
            version: 1,
        })
    }

    fn meet(&self, _version: u32) {}

    fn unwrap(&self, _id: &str, _scope: &str, wrapped: &Wrapped) -> Result<[u8; 32], KeyError> {
        Ok(wrapped.bytes.as_slice().try_into()?)
    }
}

fn start() -> Timestamp {
    "2026-11-20T09:30:00Z".parse().expect("a point in time")
}

/// Runs one async test body on both databases: `on_both! { async fn name(test: TestDb) { ... } }` makes the tests
/// `name::sqlite` and `name::postgres`.
#[macro_export]
macro_rules! store_on_both {
    ($($(#[$doc:meta])* async fn $name:ident($test:ident: TestDb) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn body($test: $crate::store::db::testing::TestDb) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                body($crate::store::db::testing::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                body($crate::store::db::testing::postgres().await).await;
            }
        }
    )*};
}
pub use crate::store_on_both as on_both;

/// The one cluster of this process; started when first needed.
fn shared() -> &'static Server {
    static CLUSTER: OnceLock<Server> = OnceLock::new();
    CLUSTER.get_or_init(|| started("fsync=on"))
}

/// A new one, with this setting besides. It answers with TLS as well, and demands it of one user.
fn started(more: &str) -> Server {
    let made =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate can be made");
    let settings = [
        "max_connections=400",
        "shared_buffers=32MB",
        "password_encryption=scram-sha-256",
        "ssl=on",
        "ssl_cert_file=$dir/server.crt",
        "ssl_key_file=$dir/server.key",
        more,
    ];
    let rules = "hostssl all careful 127.0.0.1/32 scram-sha-256\nhostnossl all careful 127.0.0.1/32 reject\n";
    let setup = server::Setup {
        settings: settings.map(str::to_owned).to_vec(),
        rules: rules.to_owned(),
        files: vec![
            ("server.crt", made.cert.pem()),
            ("server.key", made.signing_key.serialize_pem()),
        ],
        ..server::Setup::default()
    };
    Server::start(&setup).expect("PostgreSQL starts")
}

/// The address of a database, over the cluster's own socket.
fn url(cluster: &Server, database: &str) -> String {
    format!(
        "host={} port={} user={} dbname={database}",
        cluster.folder().display(),
        cluster.port(),
        server::USER
    )
}
