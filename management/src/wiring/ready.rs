//! Where a started hub listens, for people, scripts and tests: `ready.json` in the data directory.

use std::fs;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::listeners::Sockets;
use crate::config::Config;
use crate::identity::ca::{CA_CERTIFICATE_FILE, Ca};
use crate::reconcile::Replica;

const NAME: &str = "ready.json";

/// What clients have to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The API listener, as URL.
    pub api: String,
    /// The enrolment listener, as URL.
    pub enrol: String,
    /// The job listener, as URL.
    pub jobs: String,
    /// The admin listener, as URL.
    pub admin: String,
    /// The CA's certificate, absolute.
    pub ca_file: PathBuf,
    /// The SHA-256 of its public key.
    pub ca_pin: String,
    /// The hub's id.
    pub hub_id: String,
}

impl Ready {
    pub(super) fn new(config: &Config, ca: &Ca, sockets: &Sockets) -> anyhow::Result<Self> {
        let name = config.listen.names.first().map_or("localhost", String::as_str);
        let url = |scheme: &str, listener: &TcpListener| {
            let address: SocketAddr = listener.local_addr().context("a listener has no address")?;
            anyhow::Ok(if address.ip().is_unspecified() {
                format!("{scheme}://{name}:{}", address.port())
            } else {
                format!("{scheme}://{address}")
            })
        };
        let dir = fs::canonicalize(&config.data_dir).context("the data directory is gone")?;
        Ok(Self {
            api: url("https", &sockets.grpc.api)?,
            enrol: url("https", &sockets.grpc.enrol)?,
            jobs: url("https", &sockets.grpc.jobs)?,
            admin: url("http", &sockets.admin)?,
            ca_file: dir.join(CA_CERTIFICATE_FILE),
            ca_pin: ca.pin().to_string(),
            hub_id: ca.hub_id().to_string(),
        })
    }

    /// What other hubs on the same database, and whoever looks after them, are told about this one.
    pub(super) fn replica(&self) -> Replica {
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let addresses = [
            ("api", &self.api),
            ("enrol", &self.enrol),
            ("jobs", &self.jobs),
            ("admin", &self.admin),
        ];
        Replica {
            name: name.trim().to_owned(),
            addresses: addresses
                .map(|(listener, url)| (listener.to_owned(), url.clone()))
                .into(),
        }
    }

    /// Tells that the hub is up.
    pub(super) fn announce(&self, config: &Config) {
        let Config { management, .. } = config;
        tracing::info!(
            account = %management.account, region = %management.region, hub.id = self.hub_id, ca.pin = self.ca_pin,
            store = %config.store, listen.api = self.api, listen.enrol = self.enrol, listen.jobs = self.jobs,
            listen.admin = self.admin, version = env!("CARGO_PKG_VERSION"), "The hub is up"
        );
        if config.access.administrators.is_empty() {
            tracing::warn!(
                "access.administrators is empty: only tokens of `hadron-hub admin token create` can administer this hub"
            );
        }
        // Its log lines say the same to machines, which expect nothing else in between.
        if config.dev.is_some() && std::io::stderr().is_terminal() {
            eprintln!(
                "\n  Hadron hub for development, {}\n    api    {}\n    enrol  {}\n    jobs   {}\n    admin  {}\n    CA     {}\n    \
                 pin    {}\n  It believes an emulator as if it were AWS. Never let other machines reach it.\n",
                self.hub_id,
                self.api,
                self.enrol,
                self.jobs,
                self.admin,
                self.ca_file.display(),
                self.ca_pin
            );
        }
    }
}

/// The file. It is there only while the hub is up.
#[derive(Clone)]
pub(super) struct File(PathBuf);

impl File {
    /// Removes what an earlier process left.
    pub(super) fn clear(data_dir: &Path) -> anyhow::Result<Self> {
        let path = data_dir.join(NAME);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            Ok(()) | Err(_) => Ok(Self(path)),
        }
    }

    /// Writes the whole file or nothing: whoever waits for it never reads half of it.
    pub(super) fn write(&self, ready: &Ready) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(ready)?;
        let temporary = self.0.with_extension(format!("new-{}", std::process::id()));
        let written = fs::write(&temporary, text + "\n").and_then(|()| fs::rename(&temporary, &self.0));
        written.with_context(|| format!("cannot write {}", self.0.display()))
    }

    /// Tells the pin of the root that signs now, unless the hub is ending.
    pub(super) fn renew(&self, ready: &Ready, ca: &Ca) {
        let ready = Ready {
            ca_pin: ca.pin().to_string(),
            ..ready.clone()
        };
        if self.0.exists()
            && let Err(error) = self.write(&ready)
        {
            tracing::warn!(
                error = format!("{error:#}"),
                "The pin of the CA's present root could not be told"
            );
        }
    }

    pub(super) fn remove(&self) {
        // The next start removes it too.
        let _ = fs::remove_file(&self.0);
    }
}
