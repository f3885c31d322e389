//! How the queue and the agents were, minute by minute.

use hadron_proto::vocab::Timestamp;

use super::StoreError;
use super::counts::Standing;
use super::db::{Tx, params};

/// The highest of what was sampled within a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When the while began.
    pub at: Timestamp,
    /// Jobs that an agent could have taken.
    pub jobs_ready: u64,
    /// Jobs that agents had.
    pub jobs_leased: u64,
    /// How long the first of the ready ones had waited, in microseconds.
    pub oldest_ready: u64,
    /// Deployments that had not ended.
    pub deployments: u64,
    /// Agents that were enrolled.
    pub agents: u64,
    /// The fewest of them that had a session: agents that are away are what is looked for.
    pub agents_live: u64,
}

/// Keeps how things stand. Whoever comes second for a point in time changes nothing.
pub async fn put(tx: &mut Tx, at: Timestamp, standing: &Standing) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO sample (at, jobs_ready, jobs_leased, oldest_ready, deployments, agents, agents_live)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (at) DO NOTHING",
        &params![
            at,
            standing.jobs_ready,
            standing.jobs_leased,
            u64::try_from(standing.oldest_ready.unwrap_or_default().as_micros()).unwrap_or_default(),
            standing.deployments,
            standing.agents,
            standing.agents_live
        ],
    )
    .await?;
    Ok(())
}

/// What was sampled since `from`, in steps of so many microseconds, oldest first. Steps in which nothing was sampled are left
/// out: no hub was there.
pub async fn since(tx: &mut Tx, from: Timestamp, step: i64, limit: u32) -> Result<Vec<Sample>, StoreError> {
    tx.query(
        "SELECT at / $2 * $2 AS at, MAX(jobs_ready) AS jobs_ready, MAX(jobs_leased) AS jobs_leased,
                MAX(oldest_ready) AS oldest_ready, MAX(deployments) AS deployments, MAX(agents) AS agents,
                MIN(agents_live) AS agents_live
         FROM sample WHERE at >= $1 GROUP BY at / $2 ORDER BY 1 LIMIT $3",
        &params![from, step, limit],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(Sample {
            at: row.get("at")?,
            jobs_ready: row.get("jobs_ready")?,
            jobs_leased: row.get("jobs_leased")?,
            oldest_ready: row.get("oldest_ready")?,
            deployments: row.get("deployments")?,
            agents: row.get("agents")?,
            agents_live: row.get("agents_live")?,
        })
    })
    .collect()
}

/// Forgets what was sampled before `before`.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM sample WHERE at < $1", &params![before])
        .await
}
