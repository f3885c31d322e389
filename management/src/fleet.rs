//! Many enrolled agents at once, for tests and measurements of whole fleets: connections that were accepted, agents, and
//! certificates of the hub's own CA, without a proof for each. Only with the feature `testing`: no hub can do this.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use hadron_domain::connection::{Approval, Connection, Roles};
use hadron_domain::job::Job;
use hadron_domain::principal::{Principal, Signed};
use hadron_proto::spiffe::AgentName;
use hadron_proto::vocab::{AccountId, AgentId, ConnectionId, Digest, JobId, Region};
use rcgen::{CertificateParams, KeyPair};

use crate::clock::Clock;
use crate::identity::ca::{Ca, LeafLife, Serial};
use crate::identity::csr::AgentKey;
use crate::identity::{DevMode, random};
use crate::store::agents::{self, AgentRow};
use crate::store::connections::{self, ConnectionKind, ConnectionRow};
use crate::store::db::SqliteOptions;
use crate::store::jobs::{self, JobRow, JobWork};
use crate::store::{Db, StoreError};

/// How long the certificates of a fleet live.
const LIFE: Duration = Duration::from_secs(24 * 3600);
/// How many members are written in one transaction.
const AT_ONCE: usize = 500;

/// One agent of a fleet, with what it needs to connect.
#[derive(Clone, Debug)]
pub struct Member {
    /// The agent.
    pub agent: AgentId,
    /// Its account, `9` and its number.
    pub account: AccountId,
    /// Its connection, for the environment `fleet-` and its number.
    pub connection: ConnectionId,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// The key of that, PKCS#8 DER.
    pub key: Vec<u8>,
}

/// The Region of every fleet.
///
/// # Panics
/// Never.
#[must_use]
pub fn region() -> Region {
    "us-east-1".parse().expect("a Region")
}

/// Enlists agents with these numbers at the development hub whose data directory this is, running or not. The hub must
/// have been started once.
///
/// # Errors
/// When its database or CA cannot be opened, or such a number is enlisted already.
pub async fn enlist_at(data_dir: &Path, numbers: Range<u32>) -> anyhow::Result<Vec<Member>> {
    let clock = Clock::system();
    // Nothing listens here; the hub itself has refused to be a development hub anywhere but on loopback.
    let dev = DevMode::on_loopback(&[([127, 0, 0, 1], 0).into()])?;
    let ca = Ca::load_or_create(data_dir, Some(dev), clock.now()).context("the hub's CA")?;
    let path = data_dir.join("hub.db");
    let db = Db::open_sqlite(&path, clock.clone(), SqliteOptions::default()).await?;
    let members = enlist(&db, &ca, &clock, numbers).await?;
    db.close().await;
    Ok(members)
}

/// Enlists agents with these numbers.
///
/// # Errors
/// When the database refuses, or such a number is enlisted already.
pub async fn enlist(db: &Db, ca: &Ca, clock: &Clock, numbers: Range<u32>) -> anyhow::Result<Vec<Member>> {
    let mut members = Vec::with_capacity(numbers.len());
    let numbers: Vec<u32> = numbers.collect();
    for part in numbers.chunks(AT_ONCE) {
        let mut rows = Vec::with_capacity(part.len());
        for number in part {
            let (member, connection, agent) = make(ca, clock, *number)?;
            members.push(member);
            rows.push((connection, agent));
        }
        db.write("enlist a fleet", move |tx| {
            Box::pin(async move {
                for (connection, agent) in &rows {
                    connections::insert(tx, connection).await?;
                    agents::insert(tx, agent).await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    }
    Ok(members)
}

/// Queues a job for each of these agents at the hub whose data directory this is, running or not. One that runs finds
/// them with its next pulse.
///
/// # Errors
/// When its database cannot be opened, or refuses.
pub async fn queue_at(data_dir: &Path, members: &[Member]) -> anyhow::Result<Vec<JobId>> {
    let clock = Clock::system();
    let path = data_dir.join("hub.db");
    let db = Db::open_sqlite(&path, clock.clone(), SqliteOptions::default()).await?;
    let made = queue(&db, &clock, members).await?;
    db.close().await;
    Ok(made)
}

/// Queues a job without a deployment for each of these agents.
///
/// # Errors
/// When the database refuses.
pub async fn queue(db: &Db, clock: &Clock, members: &[Member]) -> anyhow::Result<Vec<JobId>> {
    let mut made = Vec::with_capacity(members.len());
    for part in members.chunks(AT_ONCE) {
        let mut rows = Vec::with_capacity(part.len());
        for member in part {
            let id = clock.fresh_id();
            made.push(id);
            let work = JobWork::SetPullPolicy {
                repository: "web".parse()?,
                readers: [member.account].into(),
            };
            rows.push((id, member.account, member.connection, work));
        }
        db.write("queue for a fleet", move |tx| {
            Box::pin(async move {
                let now = tx.now().await?;
                for (id, account, connection, work) in rows {
                    let row = JobRow {
                        job: Job::new(id, now),
                        account,
                        region: region(),
                        connection,
                        deployment: None,
                        label: "pull policy of web".to_owned(),
                        work,
                        created_at: now,
                    };
                    jobs::insert(tx, &row).await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    }
    Ok(made)
}

fn make(ca: &Ca, clock: &Clock, number: u32) -> anyhow::Result<(Member, ConnectionRow, AgentRow)> {
    let now = clock.now();
    let account: AccountId = format!("9{number:011}").parse()?;
    let (agent, connection): (AgentId, ConnectionId) = (clock.fresh_id(), clock.fresh_id());
    let key = KeyPair::generate()?;
    let request = CertificateParams::default().serialize_request(&key)?;
    let agent_key = AgentKey::from_csr(request.der())?;
    let name = AgentName {
        hub: ca.hub_id().clone(),
        account,
        connection,
        agent,
    };
    let serial = Serial::from_random(random()?);
    let life = LeafLife::new(LIFE).context("a day is a life of certificates")?;
    let leaf = ca.agent_leaf(&name, &agent_key, serial, now, life)?;
    let by = Signed {
        who: Principal::new("token:fleet"),
        at: now,
    };
    let row = ConnectionRow {
        connection: Connection {
            id: connection,
            environment: format!("fleet-{number}").parse()?,
            account,
            region: region(),
            roles: Roles {
                provisioning: None,
                component: None,
                codebuild: None,
                agent_role_name: "hadron-agent".to_owned(),
            },
            requested: by.clone(),
            roles_changed: None,
            approval: Approval::Connected(by),
            epoch: 1,
        },
        kind: ConnectionKind::Environment,
        pinned_role_id: Some(format!("AROAFLEET{number:011}")),
    };
    let agent_row = AgentRow {
        id: agent,
        connection,
        account,
        region: region(),
        principal: format!("arn:aws:sts::{account}:assumed-role/hadron-agent/i-{number}"),
        key_fingerprint: Digest::from_bytes(*agent_key.sha256()).to_string(),
        serial: leaf.serial.hex(),
        not_after: leaf.not_after,
        epoch: 1,
        version: String::new(),
        session: None,
        enrolled_at: now,
        last_seen: now,
    };
    let member = Member {
        agent,
        account,
        connection,
        certificate: leaf.der.to_vec(),
        key: key.serialize_der(),
    };
    Ok((member, row, agent_row))
}
