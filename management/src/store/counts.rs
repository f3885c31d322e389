//! Numbers for people who watch the hub from outside.

use super::StoreError;
use super::db::{Tx, params};

/// What there is right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Jobs that wait for an agent.
    pub jobs_ready: u64,
    /// Deployments that have not ended.
    pub deployments_active: u64,
    /// Hub processes that work on this database.
    pub replicas: u64,
}

/// Counts.
pub async fn all(tx: &mut Tx) -> Result<Counts, StoreError> {
    let row = tx
        .query_one(
            "SELECT (SELECT COUNT(*) FROM job WHERE status = $1) AS jobs,
                    (SELECT COUNT(*) FROM deployment WHERE active = 1) AS deployments,
                    (SELECT COUNT(*) FROM replica) AS replicas",
            &params!["READY"],
        )
        .await?;
    Ok(Counts {
        jobs_ready: row.get("jobs")?,
        deployments_active: row.get("deployments")?,
        replicas: row.get("replicas")?,
    })
}
