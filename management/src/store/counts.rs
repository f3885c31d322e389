//! Numbers for people who watch the hub from outside.

use std::time::Duration;

use hadron_proto::vocab::Timestamp;

use super::StoreError;
use super::db::{Sequence, Tx, params};

/// How queue, deployments and agents stand right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Jobs that wait for an agent and may be taken.
    pub jobs_ready: u64,
    /// Jobs that may be taken later only: they failed a moment ago.
    pub jobs_resting: u64,
    /// Jobs that agents have.
    pub jobs_leased: u64,
    /// How long the first of those that may be taken has been waiting for it.
    pub oldest_ready: Option<Duration>,
    /// Deployments that have not ended.
    pub deployments: u64,
    /// Agents that are enrolled.
    pub agents: u64,
    /// Agents that have a session, at whichever hub.
    pub agents_live: u64,
    /// How long ago the agent was heard that has a session and was not heard for longest. It is noted every ten seconds or so.
    pub longest_silence: Option<Duration>,
    /// When the first certificate of an agent with a session expires.
    pub first_expiry: Option<Timestamp>,
}

/// How things stand.
pub async fn standing(tx: &mut Tx) -> Result<Standing, StoreError> {
    let now = tx.now().await?;
    // The words are part of the text, so that the partial indexes on them are used.
    let row = tx
        .query_one(
            "SELECT (SELECT COUNT(*) FROM job WHERE status = 'READY' AND at <= $1) AS ready,
                    (SELECT COUNT(*) FROM job WHERE status = 'READY' AND at > $1) AS resting,
                    (SELECT COUNT(*) FROM job WHERE status = 'LEASED') AS leased,
                    (SELECT MIN(at) FROM job WHERE status = 'READY' AND at <= $1) AS oldest,
                    (SELECT COUNT(*) FROM deployment WHERE active = 1) AS deployments,
                    (SELECT COUNT(*) FROM agent) AS agents,
                    (SELECT COUNT(*) FROM agent WHERE session_id IS NOT NULL) AS live,
                    (SELECT MIN(last_seen) FROM agent WHERE session_id IS NOT NULL) AS heard,
                    (SELECT MIN(not_after) FROM agent WHERE session_id IS NOT NULL) AS expires",
            &params![now],
        )
        .await?;
    let oldest: Option<Timestamp> = row.get("oldest")?;
    let heard: Option<Timestamp> = row.get("heard")?;
    Ok(Standing {
        jobs_ready: row.get("ready")?,
        jobs_resting: row.get("resting")?,
        jobs_leased: row.get("leased")?,
        oldest_ready: oldest.map(|oldest| now.since(oldest)),
        deployments: row.get("deployments")?,
        agents: row.get("agents")?,
        agents_live: row.get("live")?,
        longest_silence: heard.map(|heard| now.since(heard)),
        first_expiry: row.get("expires")?,
    })
}

/// What the hubs have on their hands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chores {
    /// Hub processes that work on this database.
    pub replicas: u64,
    /// Rows of the outbox that are due.
    pub outbox_due: u64,
    /// How long the first of them has been due.
    pub outbox_oldest: Option<Duration>,
    /// Lines of the audit log behind the last signed checkpoint.
    pub audit_unsigned: u64,
    /// How old that checkpoint is.
    pub checkpoint_age: Option<Duration>,
}

/// What there is to do.
pub async fn chores(tx: &mut Tx) -> Result<Chores, StoreError> {
    let now = tx.now().await?;
    let row = tx
        .query_one(
            "SELECT (SELECT COUNT(*) FROM replica) AS replicas,
                    (SELECT COUNT(*) FROM outbox WHERE due_at <= $1) AS due,
                    (SELECT MIN(due_at) FROM outbox WHERE due_at <= $1) AS oldest,
                    COALESCE((SELECT value FROM sequence WHERE name = $2), 0) AS drawn,
                    COALESCE((SELECT MAX(sequence) FROM audit_checkpoint), 0) AS signed,
                    (SELECT at FROM audit_checkpoint ORDER BY sequence DESC LIMIT 1) AS signed_at",
            &params![now, Sequence::AUDIT.0],
        )
        .await?;
    let (oldest, signed_at): (Option<Timestamp>, Option<Timestamp>) =
        (row.get("oldest")?, row.get("signed_at")?);
    let (drawn, signed): (u64, u64) = (row.get("drawn")?, row.get("signed")?);
    Ok(Chores {
        replicas: row.get("replicas")?,
        outbox_due: row.get("due")?,
        outbox_oldest: oldest.map(|oldest| now.since(oldest)),
        audit_unsigned: drawn.saturating_sub(signed),
        checkpoint_age: signed_at.map(|at| now.since(at)),
    })
}
