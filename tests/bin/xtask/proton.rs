//! The Proton API by force: random calls in any number, and its latency over many services.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use clap::Args;
use hadron_domain::authority::Sight;
use hadron_domain::target::Target;
use hadron_management::store::deployments::{self, Filter};
use hadron_management::store::{StoreError, services, targets};
use hadron_proto::vocab::ServiceName;
use hadron_tests::clients::Clients;
use hadron_tests::emulator::Options;
use hadron_tests::{DEV, PROD, REGION, World, clients, invariants};
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
        eprintln!("filling the store ...");
        fill(&world, self.services, self.deployments).await?;
        world.hub.restart_with(Some("warn"), || Ok(())).await?;
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

/// Copies what one real service left in the store until there are as many as wanted: the copies are rows that the hub itself
/// wrote, with other names and ids, sealed like those.
async fn fill(world: &World, count: u32, history: u32) -> Result<()> {
    let db = world.db().await?;
    let model: Result<_, StoreError> = db
        .read("the model of all services", |tx| {
            Box::pin(async move {
                let name = service_name("bench");
                let filter = Filter {
                    kind: "instance",
                    service: "bench".to_owned(),
                    ..Filter::default()
                };
                Ok((
                    services::get(tx, &name).await?,
                    targets::of_service(tx, &name).await?,
                    deployments::list(tx, &filter, &Sight::Everything, "", 1).await?,
                ))
            })
        })
        .await;
    let (service, parts, mut ended) = model.context("the model of all services")?;
    let service = service.context("no service")?;
    let ended = ended.pop().context("no deployment")?;
    ensure!(parts.len() == 2, "{} targets", parts.len());
    let (each, mut made) = (history.div_ceil(count), 0);
    for number in 0..count {
        let name = service_name(&format!("bench-{number}"));
        let mut service = service.clone();
        service.name = name.clone();
        let (mut targets, mut history_of) = (Vec::new(), Vec::new());
        for (at, part) in parts.iter().enumerate() {
            let mut part = part.clone();
            let was = part.id;
            part.id = numbered(&part.id.to_string(), number * 2 + u32::try_from(at)?).parse()?;
            part.target = match part.target {
                Target::Instance(_, instance) => Target::Instance(name.clone(), instance),
                _ => Target::Pipeline(name.clone()),
            };
            for _ in 0..each.min(history - made) {
                if was != ended.target_id {
                    break;
                }
                let mut copy = ended.clone();
                copy.deployment.id = numbered(&ended.deployment.id.to_string(), made).parse()?;
                copy.target_id = part.id;
                copy.target = part.target.clone();
                history_of.push(copy);
                made += 1;
            }
            targets.push(part);
        }
        let filled: Result<(), StoreError> = db
            .write("a service", move |tx| {
                Box::pin(async move {
                    services::insert(tx, &service).await?;
                    for target in &targets {
                        targets::insert(tx, target).await?;
                    }
                    for deployment in &history_of {
                        deployments::insert(tx, deployment).await?;
                    }
                    Ok(())
                })
            })
            .await;
        filled.context("filling the store")?;
    }
    db.close().await;
    Ok(())
}

fn service_name(text: &str) -> ServiceName {
    text.parse().expect("a name of letters, digits and dashes")
}

/// An id like another one, with this number at its end.
fn numbered(id: &str, number: u32) -> String {
    format!("{}{:08x}", &id[..id.len() - 8], 0x1000_0000 + number)
}
