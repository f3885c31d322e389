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

/// A fact, locked until the transaction ends.
pub async fn get(tx: &mut Tx, key: &str) -> Result<Option<String>, StoreError> {
    let row = tx
        .query_opt(
            "SELECT value FROM meta WHERE key = $1 /*for-update*/",
            &params![key],
        )
        .await?;
    row.map(|row| row.get("value")).transpose()
}

/// A fact, as it was a moment ago. Not locked.
pub async fn seen(tx: &mut Tx, key: &str) -> Result<Option<String>, StoreError> {
    let row = tx
        .query_opt("SELECT value FROM meta WHERE key = $1", &params![key])
        .await?;
    row.map(|row| row.get("value")).transpose()
}

/// Writes a fact down, whatever was there before.
pub async fn put(tx: &mut Tx, key: &str, value: &str) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        &params![key, value],
    )
    .await?;
    Ok(())
}
