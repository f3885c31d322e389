//! What the hub is told about itself.
//!
//! Read once, at start, from a TOML file, `HADRON_HUB_*` variables and flags (later ones win), and checked as a whole
//! before the first socket is opened. Past [`load`] there is no text left that could be wrong.

mod audit;
mod keys;
mod oidc;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hadron_proto::vocab::{AccountId, ContentRules, Region, RoleArn, StackPrefix};
use hadron_templates::Capability;

pub use audit::Audit;
pub use hadron_proto::config::{Fault, Key, Kind, Origin, Override, Source};
pub use keys::KEYS;
pub use oidc::Issuer;

use crate::app::access::{Access, Listed};
use crate::app::events::{Bus, Sinks};
use crate::app::templates::{Approve, Rules};
use crate::app::{Quota, Quotas, Settings};
use crate::identity::ca::LeafLife;
use crate::identity::oidc::Alias;
use crate::identity::sts::StsEndpoint;
use crate::identity::{DevMode, HubId};
use crate::render;
use crate::webhook::Webhook;

/// The exit code for a configuration that is wrong (`EX_USAGE` of sysexits).
pub const EXIT: u8 = 64;

const MIB: u64 = 1024 * 1024;

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// CA, SQLite database, `ready.json`.
    pub data_dir: PathBuf,
    /// The management account.
    pub management: Management,
    /// Where to listen.
    pub listen: Listen,
    /// Where the state is.
    pub store: StoreConfig,
    /// How transactions are committed.
    pub commits: Commits,
    /// How AWS is asked who somebody is.
    pub sts: StsEndpoint,
    /// Who plays which role.
    pub access: Access,
    /// Who else says who people and workloads are.
    pub issuers: Vec<Issuer>,
    /// What templates may contain, and how capabilities are approved.
    pub templates: Rules,
    /// Leases.
    pub jobs: Jobs,
    /// How long certificates of agents live.
    pub certificate_life: LeafLife,
    /// How many connections of agents this hub takes at the same time.
    pub agent_connections: usize,
    /// How many of them from one address.
    pub agent_connections_per_address: usize,
    /// How often repository policies are looked at.
    pub grant_check: Duration,
    /// How much is done at once, and how it ends.
    pub limits: Limits,
    /// How templates are rendered.
    pub render: render::Options,
    /// How many of each thing there may be.
    pub quotas: Quotas,
    /// Who is told about changes of status.
    pub events: Events,
    /// How the audit log is kept checkable.
    pub audit: Audit,
    /// What stack names begin with.
    pub stack_prefix: StackPrefix,
    /// Proof that this is a development hub, if it is one.
    pub dev: Option<DevMode>,
}

/// The management account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Management {
    /// Its id.
    pub account: AccountId,
    /// The hub's Region.
    pub region: Region,
    /// The role that agents run as.
    pub agent_role_name: String,
    /// What environments and instances are provisioned with.
    pub provisioning_role: Option<RoleArn>,
    /// What pipelines are provisioned with.
    pub pipeline_role: Option<RoleArn>,
}

/// How much is done at once, and how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls of people and scripts that are worked on at once.
    pub api_calls: usize,
    /// Calls that wait for their turn.
    pub api_queue: usize,
    /// Streams that watch something.
    pub api_streams: usize,
    /// How long calls are still accepted after the hub was asked to stop.
    pub linger: Duration,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Agents without a certificate.
    pub enrol: SocketAddr,
    /// Agents with one.
    pub jobs: SocketAddr,
    /// People and scripts.
    pub api: SocketAddr,
    /// Health and metrics.
    pub admin: SocketAddr,
    /// Names for the certificate.
    pub names: Vec<String>,
}

/// Where the state is.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreConfig {
    /// In a file.
    Sqlite(PathBuf),
    /// In a PostgreSQL database. The address may hold a password.
    Postgres {
        /// Its address.
        url: String,
        /// The CA of the server.
        ca: Option<PathBuf>,
    },
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Display for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite {}", path.display()),
            Self::Postgres { .. } => f.write_str("postgres ..."),
        }
    }
}

/// How transactions are committed. Whatever it says, an acknowledged transaction is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commits {
    /// Most transactions of one COMMIT of SQLite.
    pub batch: usize,
    /// After this time a COMMIT of SQLite takes no further transaction.
    pub time: Duration,
    /// How many transactions may wait for SQLite.
    pub queue: usize,
    /// Most connections to PostgreSQL for transactions.
    pub connections: usize,
}

/// Who is told about changes of status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Whom the hub calls.
    pub webhook: Option<WebhookConfig>,
    /// Onto which bus the agent of the management account puts them.
    pub put_events: Option<Bus>,
}

/// Whom the hub calls.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// Its address, which may hold a token.
    pub url: String,
    /// The file with the secret that signs what it is told.
    pub secret_file: PathBuf,
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConfig")
            .field("secret_file", &self.secret_file)
            .finish_non_exhaustive()
    }
}

/// Leases and heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// How long a lease holds.
    pub lease: Duration,
    /// How often it is renewed.
    pub heartbeat: Duration,
}

impl Config {
    /// What the use cases have to know.
    #[must_use]
    pub fn settings(&self, hub: &HubId) -> Settings {
        Settings {
            hub_id: hub.to_string(),
            account: self.management.account,
            region: self.management.region.clone(),
            stack_prefix: self.stack_prefix.clone(),
            agent_role_name: self.management.agent_role_name.clone(),
            provisioning_role: self.management.provisioning_role.clone(),
            pipeline_role: self.management.pipeline_role.clone(),
            lease: self.jobs.lease,
            heartbeat: self.jobs.heartbeat,
            grant_check: self.grant_check,
            events: Sinks {
                webhook: self.events.webhook.is_some(),
                put_events: self.events.put_events.clone(),
            },
            audit_copy: self.audit.copy.clone(),
            quotas: self.quotas,
            access: self.access.clone(),
            templates: self.templates.clone(),
        }
    }
}

/// What it all means, without secrets.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = |role: &Option<RoleArn>| {
            role.as_ref()
                .map_or_else(|| "none".to_owned(), ToString::to_string)
        };
        let list = |list: &[Listed]| {
            let texts: Vec<String> = list.iter().map(ToString::to_string).collect();
            if texts.is_empty() {
                "none".to_owned()
            } else {
                texts.join(", ")
            }
        };
        let Self {
            management,
            listen,
            access,
            jobs,
            ..
        } = self;
        writeln!(f, "data directory      {}", self.data_dir.display())?;
        writeln!(f, "store               {}", self.store)?;
        writeln!(
            f,
            "management account  {} in {}",
            management.account, management.region
        )?;
        writeln!(f, "agent role          {}", management.agent_role_name)?;
        writeln!(f, "provisioning role   {}", role(&management.provisioning_role))?;
        writeln!(f, "pipeline role       {}", role(&management.pipeline_role))?;
        writeln!(
            f,
            "listen              api {}, enrol {}, jobs {}",
            listen.api, listen.enrol, listen.jobs
        )?;
        writeln!(f, "admin               {}", listen.admin)?;
        writeln!(f, "names               {}", listen.names.join(", "))?;
        writeln!(f, "administrators      {}", list(&access.administrators))?;
        writeln!(f, "developers          {}", list(&access.developers))?;
        writeln!(f, "auditors            {}", list(&access.auditors))?;
        for issuer in &self.issuers {
            writeln!(f, "issuer              {issuer}")?;
        }
        writeln!(
            f,
            "leases              {} s, renewed every {} s",
            jobs.lease.as_secs(),
            jobs.heartbeat.as_secs()
        )?;
        writeln!(
            f,
            "agent certificates  {} s",
            self.certificate_life.duration().as_secs()
        )?;
        writeln!(
            f,
            "calls at once       {}, {} more wait, {} streams; accepted for {} s after SIGTERM",
            self.limits.api_calls,
            self.limits.api_queue,
            self.limits.api_streams,
            self.limits.linger.as_secs()
        )?;
        writeln!(
            f,
            "agent connections   {}, {} from one address",
            self.agent_connections, self.agent_connections_per_address
        )?;
        writeln!(
            f,
            "rendering           {} workers, {} more wait; {} MiB, {} ms of computing and {} s for each{}",
            self.render.workers,
            self.render.queue,
            self.render.memory / MIB,
            self.render.computing.as_millis(),
            self.render.time.as_secs(),
            if self.render.confined {
                "; confined or not at all"
            } else {
                ""
            }
        )?;
        writeln!(f, "stack prefix        {}", self.stack_prefix)?;
        let told = match (&self.events.webhook, &self.events.put_events) {
            (None, None) => "nobody".to_owned(),
            (Some(_), None) => "a webhook".to_owned(),
            (None, Some(bus)) => format!("event bus {} as {}", bus.name, bus.source),
            (Some(_), Some(bus)) => format!("a webhook and event bus {} as {}", bus.name, bus.source),
        };
        writeln!(f, "told of events      {told}")?;
        let Audit {
            due,
            file,
            print,
            copy,
        } = &self.audit;
        let copied = copy
            .as_ref()
            .map(|to| format!("s3://{}/{}", to.bucket, to.prefix));
        let file = file.as_ref().map(|file| file.display().to_string());
        let printed = print.then(|| "standard output".to_owned());
        let places: Vec<String> = file.into_iter().chain(printed).chain(copied).collect();
        writeln!(
            f,
            "audit checkpoints   every {} s or {} rows, to {}",
            due.every.as_secs(),
            due.rows,
            if places.is_empty() {
                "nowhere outside the database".to_owned()
            } else {
                places.join(" and ")
            }
        )?;
        let quotas: Vec<String> = Quota::ALL
            .iter()
            .map(|quota| format!("{} {}", self.quotas.limit(*quota), quota.what()))
            .collect();
        writeln!(f, "quotas              {}", quotas.join(", "))?;
        writeln!(
            f,
            "development         {}",
            if self.dev.is_some() { "yes" } else { "no" }
        )
    }
}

/// The configuration is wrong; every fault is listed.
#[derive(Debug, thiserror::Error)]
pub struct Invalid(pub Vec<Fault>);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration is wrong")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

/// Reads and checks everything.
///
/// # Errors
/// When the file cannot be read, or anything in it or in the overrides is wrong.
pub fn load(file: Option<&Path>, overrides: Vec<Override>) -> Result<Config, Invalid> {
    let mut source = read(file, overrides)?;
    match build(&mut source) {
        Some(config) if source.faults.is_empty() => Ok(config),
        _ => Err(Invalid(source.faults)),
    }
}

fn read(file: Option<&Path>, overrides: Vec<Override>) -> Result<Source, Invalid> {
    let mut source = Source::new(KEYS);
    if let Some(path) = file {
        match std::fs::read_to_string(path) {
            Ok(text) => source.read(path, &text),
            Err(error) => {
                let message = format!("cannot read the file {}: {error}", path.display());
                return Err(Invalid(vec![Fault {
                    origin: None,
                    key: String::new(),
                    message,
                }]));
            }
        }
    }
    source.overlay(overrides);
    Ok(source)
}

/// Checks what was given. `None` or a fault in `source`: it is wrong.
fn build(source: &mut Source) -> Option<Config> {
    // Each key is looked at before any `?`, so that all faults are found in one go.
    let wants_dev = source.switch("dev");
    let data_dir = match source.text("data_dir") {
        Some(dir) if !dir.is_empty() => Some(PathBuf::from(dir)),
        None if wants_dev => Some(PathBuf::from(".hadron-dev")),
        _ => source.required("data_dir"),
    };
    let management = management(source, wants_dev);
    let listen = listen(source, wants_dev);
    let dev = if wants_dev {
        listen.as_ref().and_then(|listen| dev(source, listen))
    } else {
        None
    };
    let sts = sts(source, wants_dev, dev);
    let store = store(source, data_dir.as_deref());
    let commits = commits(source, store.as_ref());
    let issuers = oidc::issuers(source, wants_dev);
    let access = management
        .as_ref()
        .and_then(|management| access(source, management, &issuers, wants_dev));
    let jobs = jobs(source, wants_dev);
    let certificate_life = certificate_life(source, dev, wants_dev);
    let agent_connections = connections(source, "agents.connections", 20_000);
    let agent_connections_per_address = connections(source, "agents.connections_per_address", 12_000);
    let grant_check = Duration::from_secs(counted(source, "grants.check_seconds", 900, 1, 86_400));
    let limits = limits(source, wants_dev);
    let render = rendering(source);
    let quotas = quotas(source);
    let events = events(source, wants_dev);
    let audit = audit::read(source, wants_dev, data_dir.as_deref(), management.as_ref());
    let templates = templates(source);
    let stack_prefix = source.parsed("stacks.prefix").unwrap_or_else(StackPrefix::proton);
    Some(Config {
        data_dir: data_dir?,
        management: management?,
        listen: listen?,
        store: store?,
        commits,
        sts: sts?,
        access: access?,
        issuers,
        templates,
        jobs,
        certificate_life: certificate_life?,
        agent_connections,
        agent_connections_per_address,
        grant_check,
        limits,
        render,
        quotas,
        events,
        audit,
        stack_prefix,
        dev,
    })
}

fn management(source: &mut Source, dev: bool) -> Option<Management> {
    let account: Option<AccountId> = or_dev(source, "management.account", dev, "111111111111");
    let region: Option<Region> = or_dev(source, "management.region", dev, "us-east-1");
    let name = source.text("management.agent_role_name");
    if name.as_deref().is_some_and(|name| !is_role_name(name)) {
        source.fault(
            "management.agent_role_name",
            "is no role name: 1 to 64 of letters, digits and +=,.@_-, without a path",
        );
    }
    let arn = own_role(source, "management.agent_role_arn", account);
    if let (Some(arn), Some(name)) = (&arn, &name)
        && arn.name() != name
    {
        let message = format!(
            "names role {}, but management.agent_role_name is {name}; give one of them",
            arn.name()
        );
        source.fault("management.agent_role_arn", message);
    }
    let provisioning_role = own_role(source, "management.provisioning_role", account);
    let pipeline_role = own_role(source, "management.pipeline_role", account);
    let agent_role_name = arn
        .map(|arn| arn.name().to_owned())
        .or(name)
        .unwrap_or_else(|| "hadron-agent".to_owned());
    Some(Management {
        account: account?,
        region: region?,
        agent_role_name,
        provisioning_role,
        pipeline_role,
    })
}

fn is_role_name(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
    (1..=64).contains(&name.len()) && name.bytes().all(word)
}

fn or_dev<T: std::str::FromStr<Err: fmt::Display>>(
    source: &mut Source,
    key: &str,
    dev: bool,
    text: &str,
) -> Option<T> {
    if dev && !source.has(key) {
        text.parse().ok()
    } else {
        source.required(key)
    }
}

fn own_role(source: &mut Source, key: &str, account: Option<AccountId>) -> Option<RoleArn> {
    let role: RoleArn = source.parsed(key)?;
    if let Some(own) = account.filter(|own| *own != role.account()) {
        source.fault(
            key,
            format!(
                "{role} belongs to account {}, not to the management account {own}",
                role.account()
            ),
        );
    }
    Some(role)
}

fn listen(source: &mut Source, dev: bool) -> Option<Listen> {
    let mut at = |key, port| {
        let given = if source.has(key) {
            source.parsed(key)
        } else {
            Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        };
        if !dev && given.is_some_and(|address: SocketAddr| address.port() == 0) {
            source.fault(key, "port 0 is for --dev: agents have to know the port");
        }
        given
    };
    let (enrol, jobs) = (at("listen.enrol", 8444), at("listen.jobs", 8445));
    let (api, admin) = (at("listen.api", 8443), at("listen.admin", 9464));
    let (enrol, jobs, api, admin) = (enrol?, jobs?, api?, admin?);
    let names: Option<Vec<Name>> = source.list("listen.names");
    let names = match names {
        Some(names) if !names.is_empty() => names.into_iter().map(|name| name.0).collect(),
        _ => {
            let shown = [enrol, jobs, api];
            if shown.iter().any(|address| address.ip().is_unspecified()) {
                let message = "missing; a hub that listens on all addresses must be told the names that clients know it by";
                source.fault("listen.names", message);
            }
            let mut names = vec!["localhost".to_owned()];
            let mut ips: Vec<IpAddr> = shown.iter().map(SocketAddr::ip).collect();
            ips.sort();
            ips.dedup();
            names.extend(ips.iter().map(ToString::to_string));
            names
        }
    };
    Some(Listen {
        enrol,
        jobs,
        api,
        admin,
        names,
    })
}

/// A DNS name or an IP address.
struct Name(String);

impl std::str::FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(word);
        let dns = text.len() <= 253 && text.strip_prefix("*.").unwrap_or(text).split('.').all(label);
        if dns || text.parse::<IpAddr>().is_ok() {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "'{text}' is neither a DNS name nor an IP address; leave scheme and port out"
            ))
        }
    }
}

fn dev(source: &mut Source, listen: &Listen) -> Option<DevMode> {
    let all = [listen.enrol, listen.jobs, listen.api, listen.admin];
    match DevMode::on_loopback(&all) {
        Ok(dev) => Some(dev),
        Err(error) => {
            source.fault("dev", error.to_string());
            None
        }
    }
}

fn sts(source: &mut Source, wants_dev: bool, dev: Option<DevMode>) -> Option<StsEndpoint> {
    let Some(url) = source.text("sts.endpoint") else {
        return (!source.has("sts.endpoint")).then_some(StsEndpoint::Aws);
    };
    if !wants_dev {
        source.fault(
            "sts.endpoint",
            "is for emulators: whoever answers there decides who everybody is. Take it out, or add --dev",
        );
        return None;
    }
    match StsEndpoint::emulator(dev?, &url) {
        Ok(endpoint) => Some(endpoint),
        Err(error) => {
            source.fault("sts.endpoint", error.to_string());
            None
        }
    }
}

fn store(source: &mut Source, data_dir: Option<&Path>) -> Option<StoreConfig> {
    let ca = source.text("store.postgres_ca").map(PathBuf::from);
    match (source.text("store.sqlite"), source.text("store.postgres")) {
        (Some(_), Some(_)) => {
            source.fault(
                "store.postgres",
                "store.sqlite is given as well; give only one of them",
            );
            None
        }
        (None, Some(url)) => {
            if !(url.starts_with("postgres://") || url.starts_with("postgresql://") || url.contains("host="))
            {
                source.fault(
                    "store.postgres",
                    "is no address such as postgres://user@host/database",
                );
            }
            Some(StoreConfig::Postgres { url, ca })
        }
        (file, None) => {
            if ca.is_some() {
                source.fault("store.postgres_ca", "is of no use without store.postgres");
            }
            match file {
                Some(file) => Some(StoreConfig::Sqlite(PathBuf::from(file))),
                None => data_dir.map(|dir| StoreConfig::Sqlite(dir.join("hub.db"))),
            }
        }
    }
}

fn commits(source: &mut Source, store: Option<&StoreConfig>) -> Commits {
    let of_sqlite = [
        "store.commit_batch",
        "store.commit_milliseconds",
        "store.commit_queue",
    ];
    let unused: &[&str] = match store {
        Some(StoreConfig::Postgres { .. }) => &of_sqlite,
        Some(StoreConfig::Sqlite(_)) => &["store.postgres_connections"],
        None => &[],
    };
    for key in unused.iter().filter(|key| source.has(key)).collect::<Vec<_>>() {
        source.fault(key, "is of no use with the database that is configured");
    }
    let mut many = |key, default, least, most| {
        usize::try_from(counted(source, key, default, least, most)).unwrap_or(usize::MAX)
    };
    Commits {
        batch: many("store.commit_batch", 256, 1, 4_096),
        queue: many("store.commit_queue", 1_024, 1, 65_536),
        connections: many("store.postgres_connections", 16, 4, 500),
        time: Duration::from_millis(counted(source, "store.commit_milliseconds", 2, 0, 1_000)),
    }
}

fn access(source: &mut Source, management: &Management, issuers: &[Issuer], dev: bool) -> Option<Access> {
    let issuers: Vec<Alias> = issuers.iter().map(|one| one.issuer.alias.clone()).collect();
    let mut people = |key| {
        let list: Vec<Listed> = source.list(key).unwrap_or_default();
        for one in &list {
            match one {
                Listed::Arn(pattern) if pattern.account() != management.account.as_str() => {
                    let message = format!(
                        "{pattern} is not of the management account {}: people of other accounts own their account and nothing else",
                        management.account
                    );
                    source.fault(key, message);
                }
                Listed::Known(known) if !issuers.contains(known.issuer()) => {
                    let message = format!(
                        "{known} is of an issuer that there is no table for: [oidc.{}]",
                        known.issuer()
                    );
                    source.fault(key, message);
                }
                Listed::Arn(_) | Listed::Known(_) => {}
            }
        }
        list
    };
    let mut administrators = people("access.administrators");
    let (developers, auditors) = (people("access.developers"), people("access.auditors"));
    let partition = management.region.partition();
    if dev && !source.has("access.administrators") {
        let everybody = format!("arn:{}:iam::{}:*", partition.as_str(), management.account);
        administrators.push(everybody.parse().ok()?);
    }
    Some(Access {
        account: management.account,
        partition,
        administrators,
        developers,
        auditors,
        issuers,
    })
}

fn jobs(source: &mut Source, dev: bool) -> Jobs {
    // Tests on emulators should not have to wait for leases to run out.
    let least = if dev { 1 } else { 10 };
    let lease = counted(source, "jobs.lease_seconds", 30, least, 600);
    let heartbeat = counted(
        source,
        "jobs.heartbeat_seconds",
        10.min(lease.div_ceil(3)),
        1,
        300,
    );
    if heartbeat * 2 > lease && lease > 1 {
        let message = format!(
            "must be at most half of jobs.lease_seconds ({lease}): one lost heartbeat must not cost a job"
        );
        source.fault("jobs.heartbeat_seconds", message);
    }
    Jobs {
        lease: Duration::from_secs(lease),
        heartbeat: Duration::from_secs(heartbeat),
    }
}

fn connections(source: &mut Source, key: &'static str, default: u64) -> usize {
    usize::try_from(counted(source, key, default, 1, 1_000_000)).unwrap_or(usize::MAX)
}

fn events(source: &mut Source, dev: bool) -> Events {
    let url = source.text("events.webhook_url").filter(|url| !url.is_empty());
    let secret_file = source.text("events.webhook_secret_file").map(PathBuf::from);
    if let Some(error) = url.as_ref().and_then(|url| Webhook::check(url, dev).err()) {
        source.fault("events.webhook_url", error.to_string());
    }
    let webhook = match (url, secret_file) {
        (Some(url), Some(secret_file)) => Some(WebhookConfig { url, secret_file }),
        (Some(_), None) => {
            source.fault(
                "events.webhook_secret_file",
                "missing; events are signed, so that the webhook can tell the hub from others. Make a secret: openssl rand -hex 32",
            );
            None
        }
        (None, Some(_)) => {
            source.fault(
                "events.webhook_secret_file",
                "is of no use without events.webhook_url",
            );
            None
        }
        (None, None) => None,
    };
    let bus = source
        .text("events.event_bus")
        .unwrap_or_else(|| "default".to_owned());
    let from = source
        .text("events.source")
        .unwrap_or_else(|| "hadron".to_owned());
    let wanted = source.switch("events.put_events");
    for (key, text, most) in [("events.event_bus", &bus, 1600), ("events.source", &from, 256)] {
        if source.has(key) && !wanted {
            source.fault(key, "is of no use without events.put_events");
        } else if text.is_empty() || text.len() > most || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            source.fault(
                key,
                format!("give 1 to {most} visible ASCII characters without spaces"),
            );
        }
    }
    if from.starts_with("aws.") {
        source.fault(
            "events.source",
            "EventBridge takes no events of others whose source begins with 'aws.'; use another one and match it in your rules",
        );
    }
    Events {
        webhook,
        put_events: wanted.then_some(Bus {
            name: bus,
            source: from,
        }),
    }
}

fn templates(source: &mut Source) -> Rules {
    let key = "templates.approve_capabilities";
    let approve = match source.text(key).as_deref() {
        None | Some("on-publish") => Approve::OnPublish,
        Some("explicit") => Approve::Explicit,
        Some(other) => {
            source.fault(key, format!("'{other}' is neither on-publish nor explicit"));
            Approve::default()
        }
    };
    let components: Option<Vec<Capability>> = source.list("templates.component_capabilities");
    let words = |given: Vec<Capability>| given.into_iter().map(|one| one.as_str().to_owned()).collect();
    Rules {
        approve,
        contents: ContentRules {
            denied_resource_types: source.list("templates.denied_resource_types").unwrap_or_default(),
            denied_transforms: source.list("templates.denied_transforms").unwrap_or_default(),
            nested_stack_buckets: source.list("templates.nested_stack_buckets"),
            dynamic_references: source.list("templates.dynamic_references"),
        },
        component_capabilities: components.map_or_else(|| Rules::default().component_capabilities, words),
    }
}

fn certificate_life(source: &mut Source, dev: Option<DevMode>, wants_dev: bool) -> Option<LeafLife> {
    let key = "agents.certificate_seconds";
    if !source.has(key) {
        return Some(LeafLife::default());
    }
    let life = Duration::from_secs(source.count(key)?);
    match dev {
        Some(dev) if life >= Duration::from_secs(10) => Some(LeafLife::short(dev, life)),
        _ => {
            let found = LeafLife::new(life);
            if found.is_none() {
                source.fault(
                    key,
                    if wants_dev {
                        "give 10 to 86400"
                    } else {
                        "give 600 to 86400"
                    },
                );
            }
            found
        }
    }
}

fn limits(source: &mut Source, dev: bool) -> Limits {
    let mut number = |key: &str, default: u64, least: u64| {
        usize::try_from(counted(source, key, default, least, 100_000)).unwrap_or(usize::MAX)
    };
    let (api_calls, api_queue) = (
        number("limits.api_calls", 128, 1),
        number("limits.api_queue", 256, 0),
    );
    let api_streams = number("limits.api_streams", 1_024, 1);
    // Nobody balances the load of a hub for development, and whoever stops it waits for it.
    let linger = counted(source, "limits.linger_seconds", if dev { 0 } else { 5 }, 0, 300);
    Limits {
        api_calls,
        api_queue,
        api_streams,
        linger: Duration::from_secs(linger),
    }
}

fn rendering(source: &mut Source) -> render::Options {
    let default = render::Options::default();
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    render::Options {
        workers: count(counted(
            source,
            "render.workers",
            default.workers as u64,
            1,
            1_024,
        )),
        queue: count(counted(source, "render.queue", default.queue as u64, 0, 100_000)),
        // What a whole bundle of the largest size takes to be read, and what no machine has.
        memory: counted(source, "render.memory_mib", default.memory / MIB, 64, 65_536) * MIB,
        computing: Duration::from_millis(counted(source, "render.compute_milliseconds", 1_000, 100, 60_000)),
        time: Duration::from_secs(counted(source, "render.seconds", default.time.as_secs(), 1, 600)),
        confined: source.switch("render.require_confinement"),
    }
}

fn quotas(source: &mut Source) -> Quotas {
    let default = Quotas::default();
    let mut number = |quota: Quota| {
        // Far beyond what a hub can hold, and far from where sums would overflow.
        let count = counted(source, quota.key(), default.limit(quota).into(), 1, 1_000_000);
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    Quotas {
        templates: number(Quota::Templates),
        versions_per_template: number(Quota::VersionsPerTemplate),
        environments: number(Quota::Environments),
        services: number(Quota::Services),
        instances_per_service: number(Quota::InstancesPerService),
        components: number(Quota::Components),
        connections_per_account: number(Quota::ConnectionsPerAccount),
    }
}

fn counted(source: &mut Source, key: &str, default: u64, least: u64, most: u64) -> u64 {
    let count = source.count(key).unwrap_or(default);
    if !(least..=most).contains(&count) {
        source.fault(key, format!("{count} is out of range; give {least} to {most}"));
    }
    count
}

#[cfg(test)]
mod tests;
