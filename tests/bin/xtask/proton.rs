//! The Proton API by force: random calls in any number, and its latency over many services.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use clap::Args;
use hadron_tests::clients::Clients;
use hadron_tests::emulator::Options;
use hadron_tests::{DEV, PROD, REGION, World, clients, invariants};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use serde_json::json;

/// Flags of `proton-fuzz`.
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// How many calls
    #[arg(long, default_value_t = 10_000)]
    calls: u32,
    /// Where chance begins [default: another one each time]
    #[arg(long)]
    seed: Option<u32>,
}

impl Fuzz {
    pub(crate) fn run(self) -> Result<()> {
        clients::install_python()?;
        runtime()?.block_on(async move {
            let mut world = World::with(Options::default(), "").await?;
            world.start_agent(DEV, "").await?;
            world.start_agent(PROD, "").await?;
            let seed = self.seed.unwrap_or_else(std::process::id);
            let told = Clients::of(&world)
                .await?
                .told("calls", json!(self.calls))
                .told("seed", json!(seed))
                .unrecorded();
            let patience = Duration::from_secs(600 + u64::from(self.calls / 5));
            println!("{}", told.python("fuzz", &["fuzz"], patience).await?);
            invariants::hold(&world, &[]).await
        })
    }
}

/// Prints the table of what suites have seen, having compared it with the committed one.
pub(crate) fn table() -> Result<()> {
    println!("{}", hadron_tests::coverage::compare()?);
    Ok(())
}

/// Flags of `proton-bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Services in the store, of one instance and a pipeline each
    #[arg(long, default_value_t = 1_000)]
    services: u32,
    /// Deployments in the store, spread over them
    #[arg(long, default_value_t = 20_000)]
    deployments: u32,
    /// Measured calls of each kind
    #[arg(long, default_value_t = 2_000)]
    calls: u32,
}

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
        runtime()?.block_on(self.measure())
    }

    async fn measure(self) -> Result<()> {
        let mut world = World::with(Options::default(), "").await?;
        world.publish_examples().await?;
        world.environment("dev", DEV).await?;
        world.service("bench", &[("one", "dev")]).await?;
        world.active("bench").await?;
        let (id, secret) = world.hub.access_key("bench", "administrator")?;
        let database = world.hub.folder().join("hub.db");
        eprintln!("filling {} ...", database.display());
        let (services, deployments) = (self.services, self.deployments);
        world
            .hub
            .restart_with(Some("warn"), || fill(&database, services, deployments))
            .await?;
        let caller = Caller::new(&world, id, secret)?;

        let mut rows = Vec::new();
        for (what, operation, body) in [
            ("GetService", "GetService", None),
            (
                "ListServices, 20 a page",
                "ListServices",
                Some(json!({ "maxResults": 20 })),
            ),
            (
                "ListServices, 100 a page",
                "ListServices",
                Some(json!({ "maxResults": 100 })),
            ),
            (
                "ListServiceInstances of a service",
                "ListServiceInstances",
                Some(json!({ "serviceName": "bench-500" })),
            ),
            (
                "ListDeployments, 20 a page",
                "ListDeployments",
                Some(json!({ "maxResults": 20 })),
            ),
        ] {
            let mut times = Vec::new();
            for at in 0..self.calls + 50 {
                let body = body
                    .clone()
                    .unwrap_or_else(|| json!({ "name": format!("bench-{}", at * 7 % self.services) }));
                let took = caller.call(operation, &body.to_string()).await?;
                // The first ones warm up connection, caches and prepared statements.
                if at >= 50 {
                    times.push(took);
                }
            }
            times.sort_unstable();
            rows.push((what, times));
        }
        println!(
            "cargo xtask proton-bench --services {} --deployments {} --calls {}",
            self.services, self.deployments, self.calls
        );
        println!("{}\n", machine());
        println!("| Call | p50 ms | p99 ms | max ms |\n|---|---|---|---|");
        for (what, times) in rows {
            let at = |part: usize| times[(times.len() - 1) * part / 1000].as_secs_f64() * 1000.0;
            println!("| {what} | {:.2} | {:.2} | {:.2} |", at(500), at(990), at(1000));
        }
        Ok(())
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("a runtime")
}

/// The machine, as far as numbers depend on it.
fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(':').nth(1))
        .map_or("an unknown processor", str::trim)
        .to_owned();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let build = if cfg!(debug_assertions) {
        "debug build"
    } else {
        "release build"
    };
    format!(
        "{model}, {cores} cores, {build}, SQLite, one client, TLS on loopback, each request signed and verified"
    )
}

/// Who calls the hub as an SDK would, over one connection that is kept.
pub(super) struct Caller {
    http: reqwest::Client,
    api: String,
    host: String,
    credentials: Credentials,
}

impl Caller {
    pub(super) fn new(world: &World, id: String, secret: String) -> Result<Self> {
        let ready = world.hub.ready();
        let ca = std::fs::read(&ready.ca_file).context("the hub's CA")?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .http1_only()
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).context("the hub's CA")?])
            .build()
            .context("an HTTP client")?;
        Ok(Self {
            http,
            api: format!("{}/", ready.api),
            host: ready.api.trim_start_matches("https://").to_owned(),
            credentials: Credentials::new(id, secret, None, None, "bench"),
        })
    }

    /// Makes a call; gives how long its answer took, to the last byte.
    #[expect(
        clippy::disallowed_methods,
        reason = "a signature has a date, and a bench no clock of its own"
    )]
    pub(super) async fn call(&self, operation: &str, body: &str) -> Result<Duration> {
        let target = format!("AwsProton20200720.{operation}");
        let headers = [
            ("host", self.host.as_str()),
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", target.as_str()),
        ];
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name("proton")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .context("signing")?
            .into();
        let signable = SignableRequest::new(
            "POST",
            &self.api,
            headers.into_iter(),
            SignableBody::Bytes(body.as_bytes()),
        )
        .context("signing")?;
        let (instructions, _) = sign(signable, &params).context("signing")?.into_parts();
        let mut request = self.http.post(&self.api).body(body.to_owned());
        for (name, value) in &headers[1..] {
            request = request.header(*name, *value);
        }
        for (name, value) in instructions.headers() {
            request = request.header(name, value);
        }
        let began = Instant::now();
        let answer = request.send().await.context("the hub")?;
        let status = answer.status();
        let text = answer.bytes().await.context("the hub's answer")?;
        let took = began.elapsed();
        ensure!(
            status.is_success(),
            "{operation} was answered {status}: {}",
            String::from_utf8_lossy(&text)
        );
        Ok(took)
    }
}

/// Copies what one real service left in the store until there are as many as wanted: whatever columns the tables have, the
/// copies are rows that the hub itself wrote, with other names and ids.
fn fill(database: &Path, services: u32, deployments: u32) -> Result<()> {
    let mut database = Connection::open(database).context("the hub's database")?;
    let service = Rows::read(&database, "service", "name = 'bench'")?;
    let targets = Rows::read(&database, "target", "service = 'bench'")?;
    let history = Rows::read(&database, "deployment", "service = 'bench' AND kind = 'instance'")?;
    ensure!(
        service.rows.len() == 1 && targets.rows.len() == 2 && !history.rows.is_empty(),
        "the model of all services is not whole: {} service, {} targets, {} deployments",
        service.rows.len(),
        targets.rows.len(),
        history.rows.len()
    );
    let changes = database.transaction().context("a transaction")?;
    let each = deployments.div_ceil(services);
    let mut made = 0;
    for number in 0..services {
        let name = format!("bench-{number}");
        let mut words = BTreeMap::from([("bench".to_owned(), name)]);
        for (at, target) in targets.ids()?.into_iter().enumerate() {
            words.insert(target.clone(), numbered(&target, number * 2 + u32::try_from(at)?));
        }
        service.copy(&changes, &words)?;
        targets.copy(&changes, &words)?;
        for _ in 0..each.min(deployments - made) {
            let mut words = words.clone();
            for id in history.ids()?.into_iter().take(1) {
                words.insert(id.clone(), numbered(&id, made));
            }
            history.first().copy(&changes, &words)?;
            made += 1;
        }
    }
    changes.commit().context("filling the store")?;
    database
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .context("a checkpoint")
}

/// An id like another one, with this number at its end.
fn numbered(id: &str, number: u32) -> String {
    format!("{}{:08x}", &id[..id.len() - 8], 0x1000_0000 + number)
}

/// Rows of a table, with all their columns.
#[derive(Clone)]
struct Rows {
    table: &'static str,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Rows {
    fn read(database: &Connection, table: &'static str, which: &str) -> Result<Self> {
        let mut statement = database
            .prepare(&format!("SELECT * FROM {table} WHERE {which}"))
            .with_context(|| table.to_owned())?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let count = columns.len();
        let rows = statement
            .query_map([], |row| (0..count).map(|at| row.get::<_, Value>(at)).collect())
            .and_then(Iterator::collect)
            .with_context(|| table.to_owned())?;
        Ok(Self { table, columns, rows })
    }

    fn first(&self) -> Self {
        Self {
            rows: self.rows.iter().take(1).cloned().collect(),
            ..self.clone()
        }
    }

    fn ids(&self) -> Result<Vec<String>> {
        let at = self
            .columns
            .iter()
            .position(|column| column == "id")
            .context("no column id")?;
        let ids = self.rows.iter().filter_map(|row| match &row[at] {
            Value::Text(id) => Some(id.clone()),
            _ => None,
        });
        Ok(ids.collect())
    }

    /// Inserts the rows with other words in place of some, wherever they stand alone.
    fn copy(&self, database: &Connection, words: &BTreeMap<String, String>) -> Result<()> {
        let places: Vec<String> = (1..=self.columns.len()).map(|at| format!("?{at}")).collect();
        let sql = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            self.table,
            self.columns.join(", "),
            places.join(", ")
        );
        let mut statement = database.prepare_cached(&sql).with_context(|| sql.clone())?;
        for row in &self.rows {
            let values = row.iter().map(|value| match value {
                Value::Text(text) => Value::Text(replaced(text, words)),
                other => other.clone(),
            });
            statement
                .execute(params_from_iter(values))
                .with_context(|| format!("a copy in table {}", self.table))?;
        }
        Ok(())
    }
}

fn replaced(text: &str, words: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (old, new) in words {
        if text == *old {
            return new.clone();
        }
        if old.len() > 20 {
            text = text.replace(old, new);
        } else {
            text = text.replace(&format!("\"{old}\""), &format!("\"{new}\""));
        }
    }
    text
}
