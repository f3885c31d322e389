//! How far copies of checkpoints have come that an agent keeps outside of the hub's reach.

use hadron_proto::vocab::{JobId, Timestamp};

use super::StoreError;
use super::db::{Tx, params};

/// A copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyRow {
    /// Its name.
    pub name: String,
    /// The generation and the row of the last checkpoint that is there.
    pub last: (u64, i64),
    /// How often it was tried in vain since it last was not.
    pub attempts: u32,
    /// Nobody tries before.
    pub due_at: Timestamp,
    /// The job that is at it.
    pub job: Option<JobId>,
}

/// One copy. It begins with the first checkpoint that there is.
pub async fn copy(tx: &mut Tx, name: &'static str, now: Timestamp) -> Result<CopyRow, StoreError> {
    tx.execute(
        "INSERT INTO checkpoint_copy (name, generation, sequence, attempts, due_at, job)
         VALUES ($1, 0, 0, 0, $2, NULL) ON CONFLICT (name) DO NOTHING",
        &params![name, now],
    )
    .await?;
    let row = tx
        .query_one(
            "SELECT name, generation, sequence, attempts, due_at, job FROM checkpoint_copy WHERE name = $1 /*for-update*/",
            &params![name],
        )
        .await?;
    Ok(CopyRow {
        name: row.get("name")?,
        last: (row.get("generation")?, row.get("sequence")?),
        attempts: row.get("attempts")?,
        due_at: row.get("due_at")?,
        job: row.text_as_opt("job")?,
    })
}

/// Whether there is a checkpoint behind a copy's last one.
pub async fn waits(tx: &mut Tx, name: &'static str) -> Result<bool, StoreError> {
    let row = tx
        .query_opt(
            "SELECT c.generation AS generation, c.sequence AS sequence
             FROM audit_checkpoint c LEFT JOIN checkpoint_copy s ON s.name = $1
             WHERE s.name IS NULL OR c.generation > s.generation
                 OR (c.generation = s.generation AND c.sequence > s.sequence)
             ORDER BY c.sequence DESC LIMIT 1",
            &params![name],
        )
        .await?;
    Ok(row.is_some())
}

/// Writes a copy back. Whoever does so holds its row since [`copy`].
pub async fn put(tx: &mut Tx, row: &CopyRow) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE checkpoint_copy SET generation = $2, sequence = $3, attempts = $4, due_at = $5, job = $6 WHERE name = $1",
        &params![
            &row.name,
            row.last.0,
            row.last.1,
            row.attempts,
            row.due_at,
            row.job
        ],
    )
    .await?;
    Ok(())
}
