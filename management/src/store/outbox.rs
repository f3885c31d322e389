//! The outbox: what has to be done because of a change, written in the change's own transaction and done at least once.

use std::time::Duration;

use hadron_proto::vocab::Timestamp;

use super::StoreError;
use super::db::{Row, Sequence, Topic, Tx, params};

macro_rules! outbox_columns {
    () => {
        "topic, key, version, due_at, attempts, last_error"
    };
}

/// What has to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// What sort of thing.
    pub topic: String,
    /// About what.
    pub key: String,
    /// The asking that was seen; asked again meanwhile, it has to be done again.
    pub version: u64,
    /// How often it was tried in vain.
    pub attempts: u32,
}

fn from_row(row: &Row) -> Result<OutboxRow, StoreError> {
    Ok(OutboxRow {
        topic: row.get("topic")?,
        key: row.get("key")?,
        version: row.get("version")?,
        attempts: row.get("attempts")?,
    })
}

/// Asks for something. Asking twice before it is done is asking once; asking while it is being done is asking again.
pub async fn ask(tx: &mut Tx, topic: &'static str, key: &str, due: Timestamp) -> Result<(), StoreError> {
    // A version is never used twice: a hub that is done with an older asking must not take a newer one for it.
    let version = tx.next(Sequence::CHANGE).await?;
    tx.execute(
        "INSERT INTO outbox (topic, key, version, due_at, attempts, last_error) VALUES ($1, $2, $3, $4, 0, '')
         ON CONFLICT (topic, key) DO UPDATE
             SET version = excluded.version, due_at = excluded.due_at, attempts = 0",
        &params![topic, key, version, due],
    )
    .await?;
    tx.after_commit(Topic::Outbox);
    Ok(())
}

/// What is due, oldest first.
pub async fn due(tx: &mut Tx, now: Timestamp, limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            outbox_columns!(),
            " FROM outbox WHERE due_at <= $1 ORDER BY due_at LIMIT $2"
        ),
        &params![now, limit],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// When the next is due.
pub async fn next_due(tx: &mut Tx) -> Result<Option<Timestamp>, StoreError> {
    let row = tx.query_opt("SELECT MIN(due_at) AS at FROM outbox", &[]).await?;
    row.map_or(Ok(None), |row| row.get("at"))
}

/// It was done, unless it was asked for again meanwhile.
pub async fn done(tx: &mut Tx, row: &OutboxRow) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM outbox WHERE topic = $1 AND key = $2 AND version = $3",
        &params![&row.topic, &row.key, row.version],
    )
    .await?;
    Ok(())
}

/// It could not be done; try again later.
pub async fn later(tx: &mut Tx, row: &OutboxRow, now: Timestamp, error: &str) -> Result<(), StoreError> {
    let wait = Duration::from_millis(200 << row.attempts.min(8));
    tx.execute(
        "UPDATE outbox SET due_at = $4, attempts = attempts + 1, last_error = $5
         WHERE topic = $1 AND key = $2 AND version = $3",
        &params![&row.topic, &row.key, row.version, now.plus(wait), error],
    )
    .await?;
    Ok(())
}
