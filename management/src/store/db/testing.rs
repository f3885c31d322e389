//! Databases for tests: a SQLite file, or a database in a PostgreSQL cluster that this test process starts for itself.
//!
//! The cluster is real (fsync on), lives in a temporary directory, and goes away with the test process, however that
//! ends. Nothing is skipped: without PostgreSQL on the machine, tests that need it fail and say how to install it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use hadron_proto::vocab::Timestamp;
use tempfile::TempDir;

pub use proxy::{Proxy, Swallow};

use super::{Db, PostgresOptions, SqliteOptions};
use crate::clock::Clock;
use crate::store::migrate;

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
            opened.expect("an existing database opens once more")
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
    let restarted = tokio::task::spawn_blocking(move || Cluster::shared().restart(crash)).await;
    restarted.expect("the server restarts");
}

/// The address of a PostgreSQL server that loses what it acknowledged when its machine fails.
///
/// # Panics
/// When it cannot be started.
pub async fn forgetful_postgres_url() -> String {
    static FORGETFUL: OnceLock<Cluster> = OnceLock::new();
    let start = || {
        FORGETFUL
            .get_or_init(|| Cluster::any("-c fsync=off"))
            .url("postgres")
    };
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
        db,
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
    let cluster = tokio::task::spawn_blocking(Cluster::shared)
        .await
        .expect("the cluster starts");
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let (client, connection) = tokio_postgres::connect(&cluster.url("postgres"), tokio_postgres::NoTls)
        .await
        .expect("the cluster takes connections");
    let driver = tokio::spawn(connection);
    client
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await
        .expect("a database can be made");
    driver.abort();
    cluster.url(&name)
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
    let cluster = tokio::task::spawn_blocking(Cluster::shared)
        .await
        .expect("the cluster runs");
    let database = place
        .rsplit('=')
        .next()
        .expect("an address ends with the database");
    let address = format!(
        "host=localhost hostaddr=127.0.0.1 port={} user=careful password=secret dbname={database}",
        cluster.port
    );
    (address, cluster.socket_dir.join("server.crt"))
}

async fn open_postgres(place: &str, clock: Clock) -> Db {
    let options = PostgresOptions {
        connections: 8,
        ..PostgresOptions::default()
    };
    Db::open_postgres(place, clock, options)
        .await
        .expect("PostgreSQL opens")
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

/// A running PostgreSQL.
struct Cluster {
    port: u16,
    socket_dir: PathBuf,
    /// Its standard input is open as long as this process lives; see [`KEEPER`].
    _keeper: Child,
    talk: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

/// Starts the server and waits until its input ends, which it does when the test process ends for whatever reason.
const KEEPER: &str = r#"
bin=$1 dir=$2 port=$3 more=$4
"$bin/initdb" -D "$dir/data" -U hadron --auth=trust --no-locale -E UTF8 --no-sync >"$dir/initdb.log" 2>&1 ||
    { cat "$dir/initdb.log" >&2; rm -rf "$dir"; exit 1; }
{
    echo 'hostssl all careful 127.0.0.1/32 scram-sha-256'
    echo 'hostnossl all careful 127.0.0.1/32 reject'
    cat "$dir/data/pg_hba.conf"
} >"$dir/hba"
cat "$dir/hba" >"$dir/data/pg_hba.conf"
"$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 60 start -o "-p $port -k $dir -c listen_addresses=127.0.0.1 \
    -c fsync=on -c max_connections=400 -c shared_buffers=32MB -c password_encryption=scram-sha-256 \
    -c ssl=on -c ssl_cert_file=$dir/server.crt -c ssl_key_file=$dir/server.key $more" >/dev/null 2>&1 ||
    { echo failed; cat "$dir/server.log" >&2; rm -rf "$dir"; exit 1; }
echo ready
while read -r mode; do
    "$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -m "$mode" -w -t 60 restart >/dev/null 2>&1 && echo restarted || echo failed
done
"$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1
rm -rf "$dir"
"#;

impl Cluster {
    /// The one cluster of this process; started when first needed.
    fn shared() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(|| Self::any(""))
    }

    /// A new one, with these options besides.
    fn any(more: &str) -> Self {
        let bin = binaries().unwrap_or_else(|| panic!("{MISSING}"));
        // Another process may take the port between the look and the start.
        let started = (0..5).find_map(|_| Self::start(&bin, more));
        started.unwrap_or_else(|| panic!("PostgreSQL in {} does not start, see above", bin.display()))
    }

    fn restart(&self, crash: bool) {
        let (input, output) = &mut *self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let mode = if crash { "immediate" } else { "fast" };
        writeln!(input, "{mode}").expect("the keeper listens");
        let mut line = String::new();
        output.read_line(&mut line).expect("the keeper answers");
        assert_eq!(line.trim(), "restarted");
    }

    fn start(bin: &Path, more: &str) -> Option<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let dir = TempDir::with_prefix("hadron-pg-")
            .expect("a temporary directory can be made")
            .keep();
        let mut command = Command::new("sh");
        command
            .args(["-c", KEEPER, "sh"])
            .arg(bin)
            .arg(&dir)
            .arg(port.to_string())
            .arg(more);
        command
            .current_dir(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        // Out of reach of Ctrl-C, which would stop the keeper before it has cleaned up.
        command.process_group(0);
        certify(&dir);
        if let Some((uid, gid)) = other_user() {
            for path in [dir.clone(), dir.join("server.crt"), dir.join("server.key")] {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).expect("root may give files away");
            }
            command.uid(uid).gid(gid);
        }
        drop(listener);
        let mut keeper = command.spawn().expect("sh can be run");
        let mut line = String::new();
        let input = keeper.stdin.take().expect("the input is piped");
        let output = keeper.stdout.take().expect("the output is piped");
        let mut output = BufReader::new(output);
        output
            .read_line(&mut line)
            .expect("the keeper's output can be read");
        (line.trim() == "ready").then_some(Self {
            port,
            socket_dir: dir,
            _keeper: keeper,
            talk: Mutex::new((input, output)),
        })
    }

    fn url(&self, database: &str) -> String {
        format!(
            "host={} port={} user=hadron dbname={database}",
            self.socket_dir.display(),
            self.port
        )
    }
}

/// A certificate for `localhost`, signed by itself, so that TLS can be tested.
fn certify(dir: &Path) {
    let made =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate can be made");
    std::fs::write(dir.join("server.crt"), made.cert.pem()).expect("the certificate can be written");
    let key = dir.join("server.key");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("the key can be written");
    // PostgreSQL refuses a key that others may read.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&key, mode).expect("the mode of a file of our own can be set");
}

const MISSING: &str = "no PostgreSQL server found in PATH or /usr/lib/postgresql/*/bin; install it: \
                       apt-get install --no-install-recommends postgresql";

/// Where the newest PostgreSQL is.
fn binaries() -> Option<PathBuf> {
    let version = |bin: &PathBuf| {
        let name = bin.parent()?.file_name()?.to_str()?;
        name.parse::<u32>().ok()
    };
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let newest = installed
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .max_by_key(version);
    newest.or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|bin| bin.join("initdb").exists() && bin.join("pg_ctl").exists())
    })
}

/// PostgreSQL does not run as root: whom to be instead, when this is root.
fn other_user() -> Option<(u32, u32)> {
    let root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    root.then(|| {
        let users = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
        let ids = |name: &str| {
            let mut fields = users
                .lines()
                .find(|line| line.split(':').next() == Some(name))?
                .split(':')
                .skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        ids("postgres")
            .or_else(|| ids("nobody"))
            .expect("a machine has a user postgres or nobody")
    })
}
