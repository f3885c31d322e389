//! W11: the web console. How soon open pages hear of what was committed, and what a page of many rows costs the hub.
//!
//! The hub is the real one, with environments that were made by its own use cases and wait for their agents. Pages are
//! open as a browser has them: a stream of server-sent events each, over TLS of their own. The benchmark commits events
//! of deployments through its door and is told when each was committed; both processes read the same clock.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use futures::FutureExt as _;
use hadron_domain::authority::{Caller, Role};
use hadron_domain::principal::Principal;
use hadron_domain::template::{TemplateKind, Wanted};
use hadron_management::app::environments::{NewEnvironment, Path};
use hadron_management::app::templates::{BundleSource, NewTemplate, NewVersion};
use hadron_management::app::{App, AppError, Request};
use hadron_management::clock::Clock;
use hadron_management::store::deployments::{self, Source};
use hadron_management::store::requests::{self, TokenRow};
use hadron_proto::tls::{Trust, pinned_client_config};
use hadron_proto::vocab::{AccountId, ConnectionId, DeploymentId, Digest};
use hadron_templates::{Bundle, Limits};
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::control::{Asked, Client, Made};
use crate::hub::{Process, Start, Up};
use crate::machine::{self, Meter};
use crate::report::{PROJECT, Row};
use crate::run::Bench;
use crate::seed::{self, Store};

const TEMPLATE: &str = "minimal-env";
/// The files of a template as it is delivered with Hadron.
const FILES: [(&str, &[u8]); 3] = [
    (
        "schema/schema.yaml",
        include_bytes!("../../../deploy/examples/minimal-env/v1/schema/schema.yaml"),
    ),
    (
        "infrastructure/manifest.yaml",
        include_bytes!("../../../deploy/examples/minimal-env/v1/infrastructure/manifest.yaml"),
    ),
    (
        "infrastructure/cloudformation.yaml",
        include_bytes!("../../../deploy/examples/minimal-env/v1/infrastructure/cloudformation.yaml"),
    ),
];
/// What a job for the door begins with that is an event.
const EVENT: &str = "event ";
/// How long a page may take to hear of something.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pages that are asked for one after another, for what one costs.
const ASKED: u64 = 200;

/// How people see the hub that was prepared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    /// The port of the API, where the console is as well.
    pub(crate) port: u16,
    /// The cookie of an administrator.
    cookie: String,
    /// A deployment of each environment.
    deployments: Vec<DeploymentId>,
}

fn told(error: AppError) -> anyhow::Error {
    anyhow!("{}", error.story())
}

fn request(caller: &Caller, operation: &'static str) -> Request {
    Request {
        caller: caller.clone(),
        id: None,
        operation,
        hash: Digest::of(operation.as_bytes()),
        repeatable: false,
        tags: Vec::new(),
    }
}

/// Makes an environment on each connection, and signs an administrator in to the console.
pub(crate) async fn prepare(app: &App, lanes: &[(AccountId, ConnectionId)], port: u16) -> Result<Prepared> {
    let caller = Caller::new(Principal::new("token:bench"), None, Role::Administrator);
    publish(app, &caller).await?;
    let mut deployments = Vec::with_capacity(lanes.len());
    for (number, (_, connection)) in lanes.iter().enumerate() {
        let name = format!("bench-{number}");
        let new = NewEnvironment {
            name: name.parse().map_err(|error| anyhow!("a name: {error}"))?,
            template: TEMPLATE.parse().map_err(|error| anyhow!("a name: {error}"))?,
            version: Wanted::Recommended,
            path: Path::Connection(*connection),
            component_role: None,
            codebuild_role: None,
            spec: "proton: EnvironmentSpec\nspec:\n  retention_days: 7\n".to_owned(),
            description: "An environment of the benchmark".to_owned(),
        };
        let made = app.create_environment(request(&caller, "CreateEnvironment"), new);
        let (deployment, _) = made.await.map_err(told)?.attempted.context("a deployment")?;
        deployments.push(deployment);
    }
    let token = Digest::of(b"bench");
    let now = app.db().now().await?;
    let row = TokenRow {
        digest: token,
        name: "bench".to_owned(),
        principal: "token:bench".to_owned(),
        account: None,
        role: Some(Role::Administrator),
        created_at: now,
        expires_at: None,
        disabled: false,
        groups: Vec::new(),
    };
    let added = app.write("token", move |unit| {
        async move { Ok(requests::insert_token(unit.tx, &row).await?) }.boxed()
    });
    added.await.map_err(told)?;
    let (session, _) = app.sign_in_as(token).await.map_err(told)?;
    Ok(Prepared {
        port,
        cookie: format!("__Host-hadron-session={}", session.reveal()),
        deployments,
    })
}

async fn publish(app: &App, caller: &Caller) -> Result<()> {
    let kind = TemplateKind::Environment;
    let name = || TEMPLATE.parse().map_err(|error| anyhow!("a name: {error}"));
    let template = NewTemplate::named(kind, name()?);
    let made = app.create_template(request(caller, "CreateTemplate"), template);
    made.await.map_err(told)?;
    let files = FILES.map(|(path, text)| (path, text.to_vec()));
    let bundle = Bundle::from_files(files, &Limits::default()).map_err(|faults| anyhow!("{faults}"))?;
    let version = NewVersion {
        kind,
        name: name()?,
        major: None,
        source: BundleSource::Archive(bundle.to_archive()),
        description: String::new(),
        compatible: Vec::new(),
        components: false,
    };
    let made = app.create_version(request(caller, "CreateTemplateVersion"), version);
    let version = made.await.map_err(told)?.row.version;
    let published = app.publish_version(request(caller, "PublishTemplateVersion"), kind, name()?, version);
    published.await.map_err(told)?;
    Ok(())
}

/// The deployment that a job for the door is an event of.
pub(crate) fn event_of(text: &str) -> Option<DeploymentId> {
    text.strip_prefix(EVENT)?.parse().ok()
}

/// Commits an event; tells when it was committed, in microseconds.
pub(crate) async fn commit(app: &App, id: DeploymentId) -> Result<Made> {
    let written = app.write("bench event", move |unit| {
        async move {
            let found = deployments::get(unit.tx, id).await?;
            let mut row = found.ok_or_else(|| AppError::not_found("deployment", id))?;
            deployments::tell(unit.tx, &mut row, unit.now, Source::Hub, "of the benchmark").await?;
            Ok(deployments::put(unit.tx, &mut row).await?)
        }
        .boxed()
    });
    written.await.map_err(told)?;
    let mut made = [0; 16];
    made[..8].copy_from_slice(&app.clock().now().as_micros().to_be_bytes());
    Ok(made)
}

/// A browser with an administrator signed in.
#[derive(Clone)]
struct Browser {
    connector: TlsConnector,
    address: SocketAddr,
    cookie: String,
}

type Connection = TlsStream<TcpStream>;

impl Browser {
    fn new(up: &Up, prepared: &Prepared) -> Result<Self> {
        let trust = Trust::from_pem(&std::fs::read_to_string(&up.ca_file)?)?;
        let config = pinned_client_config(trust, None, None, &[b"http/1.1"])?;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            address: SocketAddr::from(([127, 0, 0, 1], prepared.port)),
            cookie: prepared.cookie.clone(),
        })
    }

    async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::from(self.address.ip());
        Ok(self.connector.connect(name, stream).await?)
    }

    async fn ask(&self, connection: &mut Connection, path: &str) -> Result<()> {
        let text = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nAccept: text/html\r\n\r\n",
            self.address, self.cookie
        );
        Ok(connection.write_all(text.as_bytes()).await?)
    }

    /// One page; gives how many bytes it has.
    async fn page(&self, connection: &mut Connection, path: &str) -> Result<usize> {
        self.ask(connection, path).await?;
        let mut text = Vec::new();
        let (head, length) = loop {
            if connection.read_buf(&mut text).await? == 0 {
                bail!("the hub has closed the connection");
            }
            let Some(end) = text.windows(4).position(|part| part == b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8_lossy(&text[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.context("a page without a length")?.trim().parse()?;
            break (head, end + 4 + length);
        };
        if !head.starts_with("http/1.1 200") {
            bail!("{path}: {head}");
        }
        while text.len() < length {
            if connection.read_buf(&mut text).await? == 0 {
                bail!("the hub has closed the connection");
            }
        }
        Ok(length)
    }

    /// Follows a deployment: tells of each of its events when it has come, and of its page once.
    async fn follow(self, id: DeploymentId, heard: mpsc::UnboundedSender<Heard>) -> Result<()> {
        let clock = Clock::system();
        let mut connection = self.connect().await?;
        let first = format!("/live/deployments/{id}?have=&seq=0");
        self.ask(&mut connection, &first).await?;
        let mut text = Vec::new();
        loop {
            if connection.read_buf(&mut text).await? == 0 {
                bail!("the hub has closed a stream");
            }
            let now = clock.now().as_micros();
            // Events end with an empty line.
            while let Some(end) = text.windows(2).position(|part| part == b"\n\n") {
                let event: Vec<u8> = text.drain(..end + 2).collect();
                let event = String::from_utf8_lossy(&event);
                if event.contains("event: page\n") {
                    heard.send(Heard::Page)?;
                } else if event.contains("event: event\n") {
                    heard.send(Heard::Event(now))?;
                }
            }
        }
    }
}

/// What a page has heard.
enum Heard {
    Page,
    /// When, in microseconds.
    Event(i64),
}

async fn next(heard: &mut mpsc::UnboundedReceiver<Heard>) -> Result<Heard> {
    let next = tokio::time::timeout(PATIENCE, heard.recv()).await;
    next.context("an open page hears nothing")?
        .context("no page is open any more")
}

/// What is measured.
struct Opened<'a> {
    door: &'a Client,
    browser: Browser,
    prepared: &'a Prepared,
    hub: u32,
}

impl Opened<'_> {
    /// So many open pages, all of one deployment or each of one of its own; so many events, one after another.
    async fn listen(&self, pages: usize, events: usize, together: bool, row: &mut Row) -> Result<()> {
        let (sender, mut heard) = mpsc::unbounded_channel();
        let mut open = JoinSet::new();
        let of = |number: usize| -> Result<DeploymentId> {
            let number = if together { 0 } else { number };
            self.prepared
                .deployments
                .get(number)
                .copied()
                .context("fewer deployments than pages")
        };
        for number in 0..pages {
            open.spawn(self.browser.clone().follow(of(number)?, sender.clone()));
        }
        let mut there = 0;
        while there < pages {
            there += usize::from(matches!(next(&mut heard).await?, Heard::Page));
        }
        // What each page says about itself after it was opened.
        tokio::time::sleep(Duration::from_secs(1)).await;
        while heard.try_recv().is_ok() {}
        let meter = Meter::start(&[self.hub]);
        let mut times = Vec::new();
        for number in 0..events {
            let text = format!("{EVENT}{}", of((number * 7) % pages)?);
            let made = self.door.submit(&[Asked { agent: 0, text }]).await?;
            let at = made.first().map_or([0; 8], |made| {
                let mut at = [0; 8];
                at.copy_from_slice(&made[..8]);
                at
            });
            let at = i64::from_be_bytes(at);
            let mut waiting = if together { pages } else { 1 };
            while waiting > 0 {
                if let Heard::Event(now) = next(&mut heard).await? {
                    times.push((now - at).max(0) as f64 / 1_000.0);
                    waiting -= 1;
                }
            }
            // Not in step with anything that the hub does at intervals.
            tokio::time::sleep(Duration::from_millis(50 + (number as u64 * 37) % 200)).await;
        }
        let used = meter.stop();
        open.abort_all();
        times.sort_by(f64::total_cmp);
        let quantile = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize];
        row.set("p50_ms", quantile(0.5));
        row.set("p99_ms", quantile(0.99));
        row.set("events", times.len() as f64);
        let cpu = used.server_ticks as f64 * machine::tick().as_secs_f64();
        row.set("cpu_percent", cpu / used.wall.as_secs_f64() * 100.0);
        Ok(())
    }

    /// A page of all rows, again and again.
    async fn rows(&self, row: &mut Row) -> Result<()> {
        let mut connection = self.browser.connect().await?;
        for _ in 0..20 {
            self.browser.page(&mut connection, "/environments").await?;
        }
        let meter = Meter::start(&[self.hub]);
        let mut bytes = 0;
        for _ in 0..ASKED {
            bytes = self.browser.page(&mut connection, "/environments").await?;
        }
        let used = meter.stop();
        let cpu = used.server_ticks as f64 * machine::tick().as_secs_f64() * 1_000.0;
        row.set("page_ms", cpu / ASKED as f64);
        row.set("page_kib", bytes as f64 / 1_024.0);
        Ok(())
    }
}

impl Bench {
    /// W11.
    pub(crate) async fn console(&mut self) -> Result<()> {
        let (pages, events, rows) = self.scale.console;
        let seeded = self.seeded(rows).await?;
        let dir = self.fresh_dir()?.join("hub");
        seed::copy(&seeded.dir, &dir)?;
        let before = self.before().await?;
        let hub = Process::start(&Start {
            dir: &dir,
            store: &Store::Sqlite,
            agents: rows,
            null: false,
            ports: None,
            lease: 30,
            heartbeat: 10,
            console: true,
        })?;
        let prepared = hub.up.console.clone().context("the hub has no console")?;
        let door = Client::connect(&hub.up.door).await?;
        let opened = Opened {
            door: &door,
            browser: Browser::new(&hub.up, &prepared)?,
            prepared: &prepared,
            hub: hub.pid(),
        };
        let all = pages as usize;
        for (case, together, events) in [
            ("each of a deployment of its own", false, events),
            ("all of one deployment", true, events.div_ceil(10)),
        ] {
            let case = format!("{pages} open pages, {case}");
            let mut row = Row::new("W11", case, f64::from(pages), PROJECT, 0);
            opened.listen(all, events as usize, together, &mut row).await?;
            before.mark(&mut row, None);
            self.push(row);
        }
        let mut row = Row::new(
            "W11",
            format!("a page of {rows} rows"),
            f64::from(rows),
            PROJECT,
            0,
        );
        opened.rows(&mut row).await?;
        before.mark(&mut row, None);
        self.push(row);
        hub.stop()
    }
}
