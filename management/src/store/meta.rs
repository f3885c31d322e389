//! Facts about this installation, one row each.

use super::StoreError;
use super::db::{Tx, params};

/// The hub's id, as its certificates say it.
pub const HUB_ID: &str = "hub_id";

/// The fingerprint of a version of the sealing key, unless there is one already; gives the one that is there now.
pub async fn settle_seal(tx: &mut Tx, version: u32, fingerprint: &str) -> Result<String, StoreError> {
    settle(tx, &format!("seal.{version}"), fingerprint).await
}

/// Writes a fact down unless there is one already; gives the one that is there now.
pub async fn settle(tx: &mut Tx, key: &str, value: &str) -> Result<String, StoreError> {
    tx.execute(
        "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING",
        &params![key, value],
    )
    .await?;
    tx.query_one("SELECT value FROM meta WHERE key = $1", &params![key])
        .await?
        .get("value")
}
