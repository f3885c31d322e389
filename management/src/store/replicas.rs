//! Rows of hub processes that work on one database.

use std::collections::BTreeMap;

use hadron_proto::vocab::Timestamp;

use super::db::{Row, Tx, params};
use super::{StoreError, json, to_json};

/// A hub process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaRow {
    /// Its id; a hub that starts again has another one.
    pub id: String,
    /// The name of its machine.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it listens on, by the name of the listener.
    pub addresses: BTreeMap<String, String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last said that it is alive.
    pub last_seen: Timestamp,
}

fn from_row(row: &Row) -> Result<ReplicaRow, StoreError> {
    Ok(ReplicaRow {
        id: row.get("id")?,
        name: row.get("name")?,
        version: row.get("version")?,
        addresses: json(row, "addresses")?,
        started_at: row.get("started_at")?,
        last_seen: row.get("last_seen")?,
    })
}

/// A process is alive. It is added when it is new, or was forgotten.
pub async fn alive(tx: &mut Tx, row: &ReplicaRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO replica (id, name, version, addresses, started_at, last_seen) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen",
        &params![
            &row.id,
            &row.name,
            &row.version,
            to_json(&row.addresses)?,
            row.started_at,
            row.last_seen
        ],
    )
    .await?;
    Ok(())
}

/// A process has stopped.
pub async fn gone(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM replica WHERE id = $1", &params![id])
        .await?;
    Ok(())
}

/// Forgets processes that were not heard of since `before`.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM replica WHERE last_seen < $1", &params![before])
        .await
}

/// All that are known, the longest-running first.
pub async fn all(tx: &mut Tx) -> Result<Vec<ReplicaRow>, StoreError> {
    tx.query(
        "SELECT id, name, version, addresses, started_at, last_seen FROM replica ORDER BY started_at, id",
        &[],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}
