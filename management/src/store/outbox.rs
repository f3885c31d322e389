//! The outbox: what has to be done because of a change, written in the change's own transaction and done at least once.

use std::time::Duration;

use hadron_proto::vocab::{EventId, Timestamp};

use super::StoreError;
use super::db::{HUB, Late, Row, Topic, Tx, params};

macro_rules! outbox_columns {
    () => {
        "topic, key, version, due_at, attempts, last_error, trace"
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
    /// The trace of whoever asked last, as a `traceparent`; empty: none.
    pub trace: String,
}

fn from_row(row: &Row) -> Result<OutboxRow, StoreError> {
    Ok(OutboxRow {
        topic: row.get("topic")?,
        key: row.get("key")?,
        version: row.get("version")?,
        attempts: row.get("attempts")?,
        trace: row.get("trace")?,
    })
}

/// Asks for something. Asking twice before it is done is asking once; asking while it is being done is asking again.
pub async fn ask(tx: &mut Tx, topic: &'static str, key: &str, due: Timestamp) -> Result<(), StoreError> {
    // A version is never used twice: a hub that is done with an older asking must not take a newer one for it.
    let version: EventId = tx.fresh_id();
    let version = i64::try_from(version.as_uuid().as_u128() & u128::from(u64::MAX >> 2)).unwrap_or_default();
    let trace = tx.origin().trace.clone();
    tx.late(
        Late::Outbox,
        Some(format!("{topic}\0{key}")),
        "INSERT INTO outbox (topic, key, version, due_at, attempts, last_error, trace) VALUES ($1, $2, $3, $4, 0, '', $5)
         ON CONFLICT (topic, key) DO UPDATE
             SET version = excluded.version, due_at = excluded.due_at, attempts = 0, trace = excluded.trace",
        params![topic, key, version, due, trace].to_vec(),
    );
    tx.after_commit(Topic::Outbox);
    Ok(())
}

/// Takes what is due, oldest first, and keeps it from other hubs until `until`: one that dies with it is followed by another
/// then. What other hubs are taking at this moment is passed over.
pub async fn claim(
    tx: &mut Tx,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<OutboxRow>, StoreError> {
    let rows = tx
        .query(
            concat!(
                "SELECT ",
                outbox_columns!(),
                " FROM outbox WHERE due_at <= $1 AND held_until <= $1 ORDER BY due_at, topic, key LIMIT $2 /*skip-locked*/"
            ),
            &params![now, limit],
        )
        .await?;
    let rows: Vec<OutboxRow> = rows.iter().map(from_row).collect::<Result<_, _>>()?;
    let held: Vec<_> = rows
        .iter()
        .map(|row| params![&row.topic, &row.key, until].to_vec())
        .collect();
    tx.execute_each(
        "UPDATE outbox SET held_until = $3 WHERE topic = $1 AND key = $2",
        &held,
    )
    .await?;
    Ok(rows)
}

/// Whoever had taken rows upon itself is gone: anybody may do them now.
pub async fn release(tx: &mut Tx) -> Result<u64, StoreError> {
    tx.execute("UPDATE outbox SET held_until = 0 WHERE held_until > 0", &[])
        .await
}

/// When the next may be taken.
pub async fn next_due(tx: &mut Tx) -> Result<Option<Timestamp>, StoreError> {
    let row = tx
        .query_opt(
            "SELECT MIN(CASE WHEN held_until > due_at THEN held_until ELSE due_at END) AS at FROM outbox",
            &[],
        )
        .await?;
    row.map_or(Ok(None), |row| row.get("at"))
}

/// It was done, unless it was asked for again meanwhile: then anybody may do that now.
pub async fn done(tx: &mut Tx, row: &OutboxRow) -> Result<(), StoreError> {
    let gone = tx
        .execute(
            "DELETE FROM outbox WHERE topic = $1 AND key = $2 AND version = $3",
            &params![&row.topic, &row.key, row.version],
        )
        .await?;
    if gone == 0 {
        let again = tx
            .execute(
                "UPDATE outbox SET held_until = 0 WHERE topic = $1 AND key = $2",
                &params![&row.topic, &row.key],
            )
            .await?;
        if again > 0 {
            tx.after_commit(Topic::Outbox);
        }
    }
    Ok(())
}

/// It could not be done; try again later.
pub async fn later(tx: &mut Tx, row: &OutboxRow, now: Timestamp, error: &str) -> Result<(), StoreError> {
    let wait = Duration::from_millis(200 << row.attempts.min(8));
    let key = format!("{}|{}", row.topic, row.key);
    let [error] = tx.seal(HUB, "outbox", &key, [("last_error", error)]).await?;
    tx.execute(
        "UPDATE outbox SET due_at = CASE WHEN version = $3 THEN $4 ELSE due_at END, 
             attempts = CASE WHEN version = $3 THEN attempts + 1 ELSE attempts END,
             last_error = $5, held_until = 0
         WHERE topic = $1 AND key = $2",
        &params![&row.topic, &row.key, row.version, now.plus(wait), error],
    )
    .await?;
    Ok(())
}
