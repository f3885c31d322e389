//! What the account's owner lets this agent do, and where its hub is.
//!
//! Read once, at start, from a TOML file, `HADRON_AGENT_*` variables and flags (later ones win), and checked as a whole
//! before the first socket is opened. Past [`load`] there is no text left that could be wrong.

mod keys;

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use hadron_proto::tls::Trust;
use hadron_proto::vocab::{
    AccountId, BucketName, ConnectionId, ContentRules, Digest, Region, RoleArn, StackPrefix,
};
use hadron_templates::{Capability, PublisherKey};

pub use hadron_proto::config::{Fault, Key, Kind, Origin, Override, Source};
pub use keys::KEYS;

use crate::limits::{Limits, RoleLists};

/// The exit code for a configuration that is wrong (`EX_USAGE` of sysexits).
pub const EXIT: u8 = 64;

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The hub.
    pub hub: HubConfig,
    /// The account, when the owner wrote it down.
    pub account: Option<AccountId>,
    /// The Region.
    pub region: Region,
    /// The connection, when the owner wrote it down.
    pub connection: Option<ConnectionId>,
    /// Key, certificate and journal.
    pub state_dir: PathBuf,
    /// Jobs at once.
    pub capacity: NonZeroUsize,
    /// May jobs write the registry-wide policy?
    pub write_registry_policy: bool,
    /// How long a drain may take.
    pub drain_timeout: Duration,
    /// Roles that may be passed.
    pub roles: RoleLists,
    /// What the hub may ask for.
    pub limits: Limits,
    /// How long a job may take.
    pub job_deadline: Duration,
    /// How often CloudFormation is asked.
    pub polling: Polling,
    /// An emulator.
    pub endpoint_url: Option<String>,
    /// Development.
    pub dev: bool,
}

/// Where the hub is and how it is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubConfig {
    /// The enrolment listener.
    pub enrol: HubUrl,
    /// The job listener.
    pub jobs: HubUrl,
    /// How its CA is recognised. System roots are never asked.
    pub ca: Trust,
}

/// How often CloudFormation is asked how a stack is doing: fast first, slower later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polling {
    /// The first wait.
    pub first: Duration,
    /// The longest.
    pub slowest: Duration,
}

/// `https://host:port`, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubUrl {
    host: String,
    port: u16,
}

impl HubUrl {
    /// The host, an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, an IPv6 address in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for HubUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: &str| format!("'{text}' {why}; give https://host:port");
        let uri: http::Uri = text
            .parse()
            .map_err(|error| wrong(&format!("is no URL ({error})")))?;
        if uri.scheme_str() != Some("https") {
            return Err(wrong("does not begin with https://"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("names a user"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("has a path"));
        }
        let port = authority.port_u16().ok_or_else(|| wrong("has no port"))?;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        if host.is_empty() {
            return Err(wrong("has no host"));
        }
        Ok(Self { host, port })
    }
}

impl fmt::Display for HubUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
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
    let config = build(&mut source);
    match config {
        Some(config) if source.faults.is_empty() => Ok(config),
        _ => {
            // In the order of the file; what is missing comes last.
            source.faults.sort_by_key(|fault| match &fault.origin {
                Some(Origin::File(_, line)) => (0, *line),
                Some(Origin::Variable(_) | Origin::Flag(_)) => (1, 0),
                None => (2, 0),
            });
            Err(Invalid(source.faults))
        }
    }
}

/// Checks what was given. `None` or a fault in `source`: it is wrong.
fn build(source: &mut Source) -> Option<Config> {
    // Each key is looked at before any `?`, so that all faults are found in one go.
    let (enrol, jobs, ca) = (
        source.required("hub.enrol"),
        source.required("hub.jobs"),
        trust(source),
    );
    let region: Option<Region> = source.required("region");
    let account: Option<AccountId> = source.parsed("account");
    let connection = source.parsed("connection");
    let state_dir: Option<PathBuf> = source.required("state_dir");
    let capacity = counted(source, "capacity", 4, 1, 256);
    let max_template_bytes = counted(source, "limits.max_template_bytes", 1_048_576, 1, 1_048_576);
    let stack_prefix = source
        .parsed::<StackPrefix>("limits.stack_prefix")
        .unwrap_or_else(StackPrefix::proton);
    let contents = ContentRules {
        denied_resource_types: source.list("limits.denied_resource_types").unwrap_or_default(),
        denied_transforms: source.list("limits.denied_transforms").unwrap_or_default(),
        nested_stack_buckets: source.list("limits.nested_stack_buckets"),
        dynamic_references: source.list("limits.dynamic_references"),
    };
    let capabilities = capabilities(source);
    let publishers: Vec<PublisherKey> = source.list("limits.publishers").unwrap_or_default();
    let signed_only = !source.has("limits.signed_only") || source.switch("limits.signed_only");
    if publishers.is_empty() && source.has("limits.signed_only") {
        source.fault(
            "limits.signed_only",
            "there is no limits.publishers whose signatures could count",
        );
    }
    let bundle_buckets = source.list::<BucketName>("limits.bundle_buckets");
    let roles = RoleLists {
        provisioning: roles(source, "roles.provisioning", account),
        pipeline: roles(source, "roles.pipeline", account),
        component: roles(source, "roles.component", account),
    };
    let regions: Option<Vec<Region>> = source.list("limits.regions");
    if let (Some(own), Some(listed)) = (&region, &regions)
        && !listed.contains(own)
    {
        source.fault(
            "limits.regions",
            format!("does not list the agent's own Region {own}: every job would be refused"),
        );
    }
    let polling = Polling {
        first: within(
            source,
            "polling.first",
            Duration::from_millis(250),
            Duration::from_millis(10),
            Duration::from_secs(60),
        ),
        slowest: within(
            source,
            "polling.slowest",
            Duration::from_secs(5),
            Duration::from_millis(10),
            Duration::from_secs(600),
        ),
    };
    if polling.first > polling.slowest {
        source.fault("polling.first", "is longer than polling.slowest");
    }
    let hour = Duration::from_secs(3600);
    let job_deadline = within(
        source,
        "limits.job_deadline",
        2 * hour,
        Duration::from_secs(1),
        168 * hour,
    );
    let drain_timeout = within(
        source,
        "drain_timeout",
        Duration::from_secs(25),
        Duration::from_secs(1),
        Duration::from_secs(600),
    );
    let dev = source.switch("dev");
    let endpoint_url = endpoint(source, dev);

    let region = region?;
    Some(Config {
        hub: HubConfig {
            enrol: enrol?,
            jobs: jobs?,
            ca: ca?,
        },
        account,
        connection,
        state_dir: state_dir?,
        capacity: NonZeroUsize::new(usize::try_from(capacity).ok()?)?,
        write_registry_policy: source.switch("write_registry_policy"),
        drain_timeout,
        roles,
        limits: Limits {
            stack_prefix,
            regions: regions.unwrap_or_else(|| vec![region.clone()]),
            contents,
            capabilities,
            publishers,
            signed_only,
            max_template_bytes,
            bundle_buckets,
        },
        job_deadline,
        polling,
        endpoint_url,
        dev,
        region,
    })
}

fn capabilities(source: &mut Source) -> Vec<String> {
    let all: Vec<Capability> = vec![Capability::Iam, Capability::NamedIam, Capability::AutoExpand];
    let given: Vec<Capability> = source.list("limits.capabilities").unwrap_or(all);
    given.into_iter().map(|one| one.as_str().to_owned()).collect()
}

fn trust(source: &mut Source) -> Option<Trust> {
    let pin: Option<Digest> = source.parsed("hub.ca_pin");
    let file = source.text("hub.ca_file");
    match (source.has("hub.ca_pin"), file) {
        (true, Some(_)) => {
            source.fault(
                "hub.ca_file",
                "hub.ca_pin is given as well; give only one of them",
            );
            None
        }
        (true, None) => pin.map(Trust::Pin),
        (false, Some(file)) => {
            let read = std::fs::read_to_string(&file).map_err(|error| format!("cannot read {file}: {error}"));
            let trust =
                read.and_then(|pem| Trust::from_pem(&pem).map_err(|error| format!("{file}: {error}")));
            trust.map_err(|message| source.fault("hub.ca_file", message)).ok()
        }
        (false, None) => {
            if !source.has("hub.ca_file") {
                source.fault(
                    "hub.ca_pin",
                    "missing; give the pin that the hub prints at start (or hub.ca_file): without it any server could pose as the hub",
                );
            }
            None
        }
    }
}

fn roles(source: &mut Source, key: &str, account: Option<AccountId>) -> Vec<RoleArn> {
    let roles: Vec<RoleArn> = source.list(key).unwrap_or_default();
    for role in &roles {
        if let Some(own) = account.filter(|own| *own != role.account()) {
            source.fault(
                key,
                format!("{role} belongs to account {}, not to {own}", role.account()),
            );
        }
    }
    roles
}

fn counted(source: &mut Source, key: &str, default: u64, least: u64, most: u64) -> u64 {
    let count = source.count(key).unwrap_or(default);
    if !(least..=most).contains(&count) {
        source.fault(key, format!("{count} is out of range; give {least} to {most}"));
    }
    count
}

fn within(source: &mut Source, key: &str, default: Duration, least: Duration, most: Duration) -> Duration {
    let span = source.span(key).unwrap_or(default);
    if !(least..=most).contains(&span) {
        source.fault(
            key,
            format!("{span:?} is out of range; give {least:?} to {most:?}"),
        );
    }
    span
}

fn endpoint(source: &mut Source, dev: bool) -> Option<String> {
    let url = source.text("endpoint_url")?;
    if !dev {
        source.fault(
            "endpoint_url",
            "is for emulators only: take it out, or add --dev (dev = true)",
        );
    }
    let fine = url.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    });
    if !fine {
        source.fault(
            "endpoint_url",
            format!("'{url}' is no URL such as http://127.0.0.1:4566"),
        );
    }
    Some(url)
}

#[cfg(test)]
mod tests;
