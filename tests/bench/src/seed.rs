//! A hub's data with any number of enrolled agents, one per account, made without anybody enrolling.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use futures::FutureExt as _;
use hadron_domain::connection::{Approval, Connection, Roles};
use hadron_domain::principal::{Principal, Signed};
use hadron_management::clock::Clock;
use hadron_management::config::{self, Config, Origin, Override};
use hadron_management::identity::ca::{Ca, LeafLife, Serial};
use hadron_management::identity::csr::AgentKey;
use hadron_management::identity::seal::Seal;
use hadron_management::identity::{AgentName, random};
use hadron_management::store::agents::{self, AgentRow};
use hadron_management::store::connections::{self, ConnectionKind, ConnectionRow};
use hadron_management::store::{Db, StoreError, migrate};
use hadron_management::wiring;
use hadron_proto::tls::ClientIdentity;
use hadron_proto::vocab::{AccountId, AgentId, ConnectionId, Digest, Region};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::time::Duration;

/// Where agents of the benchmark live.
pub(crate) const REGION: &str = "us-east-1";
const ROLE: &str = "hadron-agent";
/// Written in transactions of so many.
const CHUNK: usize = 500;

/// Where the state is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Sqlite,
    Postgres(String),
}

/// The account of an agent.
pub(crate) fn account(agent: u32) -> Result<AccountId> {
    format!("{:012}", 500_000_000_000_u64 + u64::from(agent))
        .parse()
        .map_err(|error| anyhow!("an account id: {error}"))
}

pub(crate) fn region() -> Result<Region> {
    REGION.parse().map_err(|error| anyhow!("a Region: {error}"))
}

/// The configuration of a hub for a benchmark: as people run it, but for sockets that the kernel chooses.
pub(crate) fn config(
    dir: &Path,
    store: &Store,
    ports: Option<[u16; 4]>,
    more: &[(&str, String)],
) -> Result<Config> {
    let ports = ports.unwrap_or_default();
    let on = |port: u16| format!("127.0.0.1:{port}");
    let mut keys = vec![
        ("dev", "true".to_owned()),
        ("data_dir", dir.display().to_string()),
        ("listen.enrol", on(ports[0])),
        ("listen.jobs", on(ports[1])),
        ("listen.api", on(ports[2])),
        ("listen.admin", on(ports[3])),
    ];
    if let Store::Postgres(url) = store {
        keys.push(("store.postgres", url.clone()));
    }
    keys.extend(more.iter().cloned());
    let overrides = keys.into_iter().map(|(path, text)| {
        let key = config::KEYS.iter().find(|key| key.path == path);
        let key = key.ok_or_else(|| anyhow!("there is no setting {path}"))?;
        Ok(Override {
            path: key.path,
            text,
            origin: Origin::Flag(key.flag()),
        })
    });
    let overrides = overrides.collect::<Result<Vec<_>>>()?;
    config::load(None, overrides).map_err(|invalid| anyhow!("{invalid}"))
}

/// An enrolled agent: its certificate and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Enrolled {
    leaf: Vec<u8>,
    key: Vec<u8>,
}

impl Enrolled {
    pub(crate) fn identity(&self) -> Result<ClientIdentity> {
        Ok(ClientIdentity {
            chain: vec![CertificateDer::from(self.leaf.clone())],
            key: PrivateKeyDer::try_from(self.key.clone()).map_err(|why| anyhow!("a key: {why}"))?,
        })
    }
}

/// The data directory of a hub to which agents have enrolled, to be copied for each round.
#[derive(Clone, Debug)]
pub(crate) struct Seeded {
    pub(crate) dir: PathBuf,
    pub(crate) agents: Vec<Enrolled>,
}

/// Makes one with this many agents. With PostgreSQL the rows go there and the directory gets the CA only.
pub(crate) async fn seed(dir: &Path, store: &Store, count: u32) -> Result<Seeded> {
    let file = dir.join("agents.bin");
    if file.exists() {
        let agents = read(&file)?;
        if agents.len() != count as usize {
            bail!("{} holds {} agents, not {count}", dir.display(), agents.len());
        }
        return Ok(Seeded {
            dir: dir.to_owned(),
            agents,
        });
    }
    std::os::unix::fs::DirBuilderExt::mode(fs::DirBuilder::new().recursive(true), 0o700)
        .create(dir)
        .with_context(|| format!("making {}", dir.display()))?;
    let config = config(dir, store, None, &[])?;
    let clock = Clock::system();
    let ca = Ca::load_or_create(dir, config.dev, clock.now())?;
    // All hubs that are started on copies of this are replicas of one another.
    Seal::load_or_create(dir)?;
    let db = wiring::open_db(&config, clock.clone()).await?;
    migrate::run(&db).await?;
    let mut made = Vec::new();
    let mut rows = Vec::new();
    for index in 0..count {
        let (enrolled, connection, agent) = enrol(&ca, &clock, index)?;
        made.push(enrolled);
        rows.push((connection, agent));
        if rows.len() == CHUNK || index + 1 == count {
            insert(&db, std::mem::take(&mut rows)).await?;
        }
    }
    db.close().await;
    write(&file, &made)?;
    Ok(Seeded {
        dir: dir.to_owned(),
        agents: made,
    })
}

fn enrol(ca: &Ca, clock: &Clock, index: u32) -> Result<(Enrolled, ConnectionRow, AgentRow)> {
    let now = clock.now();
    let (account, region) = (account(index)?, region()?);
    let key = KeyPair::generate()?;
    let csr = CertificateParams::default().serialize_request(&key)?;
    let public = AgentKey::from_csr(csr.der())?;
    let (connection, agent): (ConnectionId, AgentId) = (clock.fresh_id(), clock.fresh_id());
    let name = AgentName {
        hub: ca.hub_id().clone(),
        account,
        connection,
        agent,
    };
    let life = LeafLife::new(Duration::from_secs(24 * 3600)).context("a day is a life of a certificate")?;
    let leaf = ca.agent_leaf(&name, &public, Serial::from_random(random()?), now, life)?;
    let signed = Signed {
        who: Principal::new("benchmark"),
        at: now,
    };
    let row = ConnectionRow {
        connection: Connection {
            id: connection,
            environment: format!("bench-{index}")
                .parse()
                .map_err(|error| anyhow!("a name: {error}"))?,
            account,
            region: region.clone(),
            roles: Roles {
                provisioning: None,
                component: None,
                codebuild: None,
                agent_role_name: ROLE.to_owned(),
            },
            requested: signed.clone(),
            roles_changed: None,
            approval: Approval::Connected(signed),
            epoch: 1,
        },
        kind: ConnectionKind::Environment,
        pinned_role_id: None,
    };
    let agent = AgentRow {
        id: agent,
        connection,
        account,
        region,
        principal: format!("arn:aws:sts::{account}:assumed-role/{ROLE}/i-1"),
        key_fingerprint: Digest::from_bytes(*public.sha256()).to_string(),
        serial: leaf.serial.hex(),
        not_after: leaf.not_after,
        epoch: 1,
        version: "0.1.0".to_owned(),
        session: None,
        enrolled_at: now,
        last_seen: now,
    };
    let enrolled = Enrolled {
        leaf: leaf.der.to_vec(),
        key: key.serialize_der(),
    };
    Ok((enrolled, row, agent))
}

async fn insert(db: &Db, rows: Vec<(ConnectionRow, AgentRow)>) -> Result<(), StoreError> {
    db.write("seed", move |tx| {
        async move {
            for (connection, agent) in &rows {
                connections::insert(tx, connection).await?;
                agents::insert(tx, agent).await?;
            }
            Ok::<_, StoreError>(())
        }
        .boxed()
    })
    .await
}

fn write(file: &Path, agents: &[Enrolled]) -> Result<()> {
    let mut out = Vec::new();
    for part in agents.iter().flat_map(|agent| [&agent.leaf, &agent.key]) {
        out.write_all(&u32::try_from(part.len())?.to_be_bytes())?;
        out.write_all(part)?;
    }
    fs::write(file, out).with_context(|| format!("writing {}", file.display()))
}

fn read(file: &Path) -> Result<Vec<Enrolled>> {
    let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let mut rest = bytes.as_slice();
    let mut part = || -> Result<Option<Vec<u8>>> {
        if rest.is_empty() {
            return Ok(None);
        }
        let mut length = [0; 4];
        rest.read_exact(&mut length)?;
        let mut part = vec![0; u32::from_be_bytes(length) as usize];
        rest.read_exact(&mut part)?;
        Ok(Some(part))
    };
    let mut agents = Vec::new();
    while let Some(leaf) = part()? {
        let key = part()?.context("a key without end")?;
        agents.push(Enrolled { leaf, key });
    }
    Ok(agents)
}

/// A copy to be used up by one round.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    std::os::unix::fs::DirBuilderExt::mode(fs::DirBuilder::new().recursive(true), 0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            // With its permissions.
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
