//! Rows of jobs: the agents' queue.

use hadron_domain::job::{Job, JobState};
use hadron_proto::vocab::{AccountId, ConnectionId, DeploymentId, JobId, Region, SessionId, Timestamp};
use serde::{Deserialize, Serialize};

use super::db::{Row, Topic, Tx, params};
use super::sealing::Sealed;
use super::{StoreError, corrupt, many, to_json};

macro_rules! job_columns {
    () => {
        "id, account, region, connection_id, deployment_id, kind, label, payload, status, at, holder, started, fence, attempts, losses, handovers, created_at"
    };
}

/// A job as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// The rules' view of it.
    pub job: Job,
    /// The account whose agent shall do it.
    pub account: AccountId,
    /// The Region whose agent shall do it.
    pub region: Region,
    /// The connection that lets it be done.
    pub connection: ConnectionId,
    /// The deployment that it works for.
    pub deployment: Option<DeploymentId>,
    /// What it is about, for people.
    pub label: String,
    /// What to do.
    pub work: JobWork,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a job does. Stack jobs read everything else from their deployment when they are offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobWork {
    /// Create or update the deployment's stack.
    ApplyStack,
    /// Delete the deployment's stack.
    DestroyStack,
    /// Take away what the cancelled deployment could still do.
    RevokeStack,
    /// Write a repository's pull policy.
    SetPullPolicy {
        /// The repository, in the management account's registry.
        repository: hadron_proto::vocab::RepositoryName,
        /// Who shall be able to pull.
        readers: std::collections::BTreeSet<AccountId>,
    },
    /// Put events onto a bus.
    PutEvents {
        /// The name or ARN of the bus.
        bus: String,
        /// The events.
        entries: Vec<EventEntry>,
    },
    /// Put checkpoints of the audit log into a bucket with Object Lock.
    PutCheckpoints(LockedLines),
    /// Read a template bundle from S3 and hand it over.
    FetchBundle {
        /// Where it is.
        source: super::templates::S3Object,
        /// Larger ones are not read.
        max_bytes: u64,
    },
    /// Compare a target's stack with what the hub knows, after time was lost.
    InspectStack {
        /// Whose stack it is.
        target: hadron_proto::vocab::TargetId,
        /// Its name.
        name: String,
        /// Its ARN, when it is known.
        arn: Option<hadron_proto::vocab::StackArn>,
    },
}

/// An event as `PutEvents` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventEntry {
    /// Its place among all changes.
    pub sequence: u64,
    /// When it was.
    pub at: Timestamp,
    /// Who says so.
    pub source: String,
    /// Which sort of change.
    pub detail_type: String,
    /// What it was and is, as JSON text.
    pub detail: String,
    /// The ARN of what changed.
    pub resource: String,
}

/// What is put into a bucket with Object Lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedLines {
    /// The bucket.
    pub bucket: String,
    /// The account that it belongs to.
    pub owner: AccountId,
    /// The object's key.
    pub key: String,
    /// One checkpoint a line.
    pub lines: String,
    /// The generation and the row of the last of them.
    pub last: (u64, i64),
    /// Nobody can remove it before.
    pub retain_until: Timestamp,
    /// Whether really nobody.
    pub mode: LockMode,
}

/// The retention modes of S3 Object Lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockMode {
    /// Nobody at all can shorten it.
    Compliance,
    /// Only who may `s3:BypassGovernanceRetention` can.
    Governance,
}

impl JobWork {
    /// What every agent can do.
    pub const ALWAYS: [&str; 4] = ["apply_stack", "destroy_stack", "revoke_stack", "set_pull_policy"];
    /// What only agents can do that say so.
    pub const WHEN_ANNOUNCED: [&str; 4] = ["fetch_bundle", "put_events", "inspect_stack", "put_checkpoints"];

    /// The word for this sort of work, as stored and as agents announce it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ApplyStack => "apply_stack",
            Self::DestroyStack => "destroy_stack",
            Self::RevokeStack => "revoke_stack",
            Self::SetPullPolicy { .. } => "set_pull_policy",
            Self::PutEvents { .. } => "put_events",
            Self::PutCheckpoints(_) => "put_checkpoints",
            Self::FetchBundle { .. } => "fetch_bundle",
            Self::InspectStack { .. } => "inspect_stack",
        }
    }
}

/// The sorts of work that one agent can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abilities(String);

impl Abilities {
    /// From the words that an agent announces; words that this hub does not know mean nothing to it.
    #[must_use]
    pub fn of<W: AsRef<str>>(announced: &[W]) -> Self {
        let said = |word: &&str| announced.iter().any(|one| one.as_ref() == *word);
        let more = JobWork::WHEN_ANNOUNCED.into_iter().filter(said);
        let words: Vec<&str> = JobWork::ALWAYS.into_iter().chain(more).collect();
        Self(format!(",{},", words.join(",")))
    }

    /// Those of them that only look at stacks, for the time in which nothing else may be done.
    #[must_use]
    pub fn inspecting(&self) -> Self {
        let word = ",inspect_stack,";
        Self(if self.0.contains(word) { word } else { "," }.to_owned())
    }

    /// Whether this sort of work is among them.
    #[must_use]
    pub fn include(&self, work: &JobWork) -> bool {
        self.0.contains(&format!(",{},", work.kind()))
    }
}

fn columns(job: &Job) -> (&'static str, Timestamp, Option<SessionId>, bool) {
    match &job.state {
        JobState::Ready { not_before } => ("READY", *not_before, None, false),
        JobState::Leased {
            holder,
            expires,
            started,
        } => ("LEASED", *expires, Some(*holder), *started),
        JobState::Finished { at } => ("FINISHED", *at, None, false),
        JobState::Void { at } => ("VOID", *at, None, false),
    }
}

fn from_row(row: &Row) -> Result<JobRow, StoreError> {
    let at: Timestamp = row.get("at")?;
    let status: String = row.get("status")?;
    let state = match status.as_str() {
        "READY" => JobState::Ready { not_before: at },
        "LEASED" => JobState::Leased {
            holder: row.text_as("holder")?,
            expires: at,
            started: row.get("started")?,
        },
        "FINISHED" => JobState::Finished { at },
        "VOID" => JobState::Void { at },
        other => return Err(corrupt("job.status", other)),
    };
    let sealed = Sealed {
        table: "job",
        key: row.str("id")?,
        row,
    };
    Ok(JobRow {
        job: Job {
            id: row.text_as("id")?,
            state,
            fence: row.get("fence")?,
            attempts: row.get("attempts")?,
            losses: row.get("losses")?,
            handovers: row.get("handovers")?,
        },
        account: row.text_as("account")?,
        region: row.text_as("region")?,
        connection: row.text_as("connection_id")?,
        deployment: row.text_as_opt("deployment_id")?,
        label: row.get("label")?,
        work: sealed.json("payload")?,
        created_at: row.get("created_at")?,
    })
}

fn lane(row: &JobRow) -> Topic {
    Topic::Jobs {
        account: row.account,
        region: row.region.clone(),
    }
}

/// Inserts a job and wakes the sessions that can take it.
pub async fn insert(tx: &mut Tx, row: &JobRow) -> Result<(), StoreError> {
    let (status, at, holder, started) = columns(&row.job);
    let payload = to_json(&row.work)?;
    let [payload] = tx
        .seal(
            &row.account.to_string(),
            "job",
            &row.job.id.to_string(),
            [("payload", &payload)],
        )
        .await?;
    tx.execute(
        "INSERT INTO job (id, account, region, connection_id, deployment_id, kind, label, payload, status, at, holder,
                          started, fence, attempts, losses, handovers, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        &params![
            row.job.id,
            row.account,
            &row.region,
            row.connection,
            row.deployment,
            row.work.kind(),
            &row.label,
            payload,
            status,
            at,
            holder,
            started,
            row.job.fence,
            row.job.attempts,
            row.job.losses,
            row.job.handovers,
            row.created_at
        ],
    )
    .await?;
    tx.after_commit(lane(row));
    Ok(())
}

/// Writes a job back.
pub async fn put(tx: &mut Tx, row: &JobRow) -> Result<(), StoreError> {
    let job = &row.job;
    let (status, at, holder, started) = columns(job);
    tx.execute(
        "UPDATE job SET status = $2, at = $3, holder = $4, started = $5, fence = $6, attempts = $7, losses = $8,
             handovers = $9
         WHERE id = $1 AND account = $10",
        &params![job.id, status, at, holder, started, job.fence, job.attempts, job.losses, job.handovers, row.account],
    )
    .await?;
    if status == "READY" {
        tx.after_commit(lane(row));
    }
    Ok(())
}

/// One job, locked until the transaction ends.
pub async fn get(tx: &mut Tx, id: JobId) -> Result<Option<JobRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                job_columns!(),
                " FROM job WHERE id = $1 /*for-update*/"
            ),
            &params![id],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The connection of a job of this account. Nothing is locked, and nothing has to be: a job's connection never changes.
pub(super) const CONNECTION_OF: &str = "SELECT connection_id FROM job WHERE id = $1 AND account = $2";

/// One job, locked until the transaction ends, if it is one of this account and Region: what an agent names.
pub async fn get_of(
    tx: &mut Tx,
    id: JobId,
    account: AccountId,
    region: &Region,
) -> Result<Option<JobRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                job_columns!(),
                " FROM job WHERE id = $1 AND account = $2 AND region = $3 /*for-update*/"
            ),
            &params![id, account, region],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Whether there is such a job. Nothing is locked.
pub async fn exists(tx: &mut Tx, id: JobId) -> Result<bool, StoreError> {
    let row = tx
        .query_opt("SELECT id FROM job WHERE id = $1", &params![id])
        .await?;
    Ok(row.is_some())
}

/// Jobs of one lane, locked until the transaction ends: in the order of their ids, so that two hubs that take many never
/// wait for each other. Those that do not exist are left out.
pub async fn get_many(tx: &mut Tx, ids: &[JobId]) -> Result<Vec<JobRow>, StoreError> {
    let found = if tx.is_sqlite() {
        tx.query(GET_MANY[0], &params![many::json(ids)]).await?
    } else {
        tx.query(GET_MANY[1], &params![many::list(ids)]).await?
    };
    found.iter().map(from_row).collect()
}

const GET_MANY: [&str; 2] = [
    concat!(
        "SELECT ",
        job_columns!(),
        " FROM job WHERE id IN (SELECT value FROM json_each($1)) ORDER BY id /*for-update*/"
    ),
    concat!(
        "SELECT ",
        job_columns!(),
        " FROM job WHERE id = ANY (string_to_array($1, ',')) ORDER BY id /*for-update*/"
    ),
];

/// Writes many leases back, of jobs that were locked by [`get_many`].
pub async fn put_leases(tx: &mut Tx, mut rows: Vec<JobRow>) -> Result<(), StoreError> {
    rows.sort_unstable_by_key(|row| row.job.id);
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let (_, at, holder, started) = columns(&row.job);
            params![row.job.id, at, holder, started]
        })
        .collect();
    tx.execute_each(
        "UPDATE job SET at = $2, holder = $3, started = $4 WHERE id = $1 AND status = 'LEASED'",
        &rows,
    )
    .await?;
    Ok(())
}

const READY: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM job
     WHERE account = $1 AND region = $2 AND status = 'READY' AND at <= $3
       AND CAST($4 AS TEXT) LIKE '%,' || connection_id || ',%' AND CAST($5 AS TEXT) LIKE '%,' || kind || ',%'
     ORDER BY at LIMIT $6 /*skip-locked*/"
);

/// Jobs of these connections that an agent of this account, Region and abilities may take now, oldest first. Whether the
/// connections are connected is for the caller to know.
pub async fn ready(
    tx: &mut Tx,
    connections: &[ConnectionId],
    account: AccountId,
    region: &Region,
    abilities: &Abilities,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<JobRow>, StoreError> {
    let connections = format!(",{},", many::list(connections));
    tx.query(
        READY,
        &params![account, region, now, connections, &abilities.0, limit],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

const NEXT_READY: &str =
    "SELECT at FROM job WHERE account = $1 AND region = $2 AND status = 'READY' AND at > $3
     ORDER BY at LIMIT 1";

/// When the next job of this account and Region that may not be taken yet may be.
pub async fn next_ready_at(
    tx: &mut Tx,
    account: AccountId,
    region: &Region,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let row = tx.query_opt(NEXT_READY, &params![account, region, now]).await?;
    row.map(|row| row.get("at")).transpose()
}

const WAITING: &str =
    "SELECT account, region, MIN(at) AS at FROM job WHERE status = 'READY' GROUP BY account, region";

/// Lanes with jobs that wait for an agent, and since when or from when on the first of each does.
pub async fn waiting(tx: &mut Tx) -> Result<Vec<(AccountId, Region, Timestamp)>, StoreError> {
    let found = tx.query(WAITING, &[]).await?;
    found
        .iter()
        .map(|row| Ok((row.text_as("account")?, row.text_as("region")?, row.get("at")?)))
        .collect()
}

/// Leases that have run out, oldest first.
pub async fn expired(tx: &mut Tx, now: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError> {
    tx.query(
        "SELECT id FROM job WHERE status = 'LEASED' AND at <= $1 ORDER BY at, id LIMIT $2",
        &params![now, limit],
    )
    .await?
    .iter()
    .map(|row| row.text_as("id"))
    .collect()
}

/// Jobs of a connection that have not ended, all of them locked until the transaction ends.
pub async fn open_of_connection(tx: &mut Tx, connection: ConnectionId) -> Result<Vec<JobRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            job_columns!(),
            " FROM job WHERE connection_id = $1 AND status IN ('READY', 'LEASED') ORDER BY id /*for-update*/"
        ),
        &params![connection],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// How many jobs a session holds.
pub async fn held_by(tx: &mut Tx, session: SessionId) -> Result<u32, StoreError> {
    tx.query_one(
        "SELECT COUNT(*) AS n FROM job WHERE holder = $1 AND status = 'LEASED'",
        &params![session],
    )
    .await?
    .get("n")
}

/// Removes jobs that ended before `before`.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM job WHERE status IN ('FINISHED', 'VOID') AND at < $1",
        &params![before],
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::db::testing::{self, TestDb};

    /// Neither leasing nor the questions of every second may read or sort what they do not take.
    #[tokio::test]
    async fn leasing_follows_the_index_of_its_lane() {
        let TestDb { db, .. } = &testing::sqlite().await;
        for (sql, wanted) in [
            (READY, "USING INDEX job_ready (account=? AND region=? AND at<?)"),
            (
                NEXT_READY,
                "USING COVERING INDEX job_ready (account=? AND region=? AND at>?)",
            ),
            (WAITING, "SCAN job USING COVERING INDEX job_ready"),
            (GET_MANY[0], "sqlite_autoindex_job_1 (id=?)"),
        ] {
            let plan = testing::plan(db, sql).await;
            assert!(plan.contains(wanted), "{sql}\n{plan}");
            assert!(
                sql == GET_MANY[0] || !plan.contains("TEMP B-TREE"),
                "{sql}\n{plan}"
            );
        }
    }
}
