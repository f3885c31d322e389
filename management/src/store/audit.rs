//! The audit log: rows that are chained by the database as they are written, and signed checkpoints of the chain.
//!
//! A row is one statement for the end of its transaction ([`Tx::late`]), sent together with COMMIT: the hub waits for no
//! answer between the draw of its number and COMMIT, and so cannot know the hash that it follows. The database does: the
//! row before was committed before the number could be drawn, and `sha256` is there on both (SQLite is given it). So the
//! hub sends the canonical JSON but for the number, and the statement puts number, hash before and JSON together. What that
//! comes to is [`Record::hash`]; a test holds both databases to it.

use std::net::IpAddr;

use hadron_domain::audit::{Checkpoint, NOTHING, Pin, Record, Signed};
use hadron_proto::vocab::Timestamp;

use super::db::{Late, Row, Sequence, Tx, params};
use super::{StoreError, recovery};

/// From where a call came, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address of the client.
    pub source: Option<IpAddr>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The id that the call is answered with.
    pub request_id: Option<String>,
    /// The trace that it belongs to, as a `traceparent`; empty: none. It is not part of the audit log.
    pub trace: String,
}

macro_rules! columns {
    () => {
        "sequence, at, principal, account, action, object, outcome, detail, request_id, source, user_agent, hash"
    };
}

/// Adds a row at the end of this transaction. Its number is given then; [`Record::sequence`] is not looked at.
pub fn append(tx: &mut Tx, record: &Record) {
    let (before, after) = record.around();
    tx.late(
        Late::Audit,
        None,
        // The zeros are `NOTHING`.
        "INSERT INTO audit (sequence, at, principal, account, action, object, outcome, detail, request_id, source, user_agent, hash)
         VALUES ((SELECT value FROM sequence WHERE name = 'audit') - $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
             (SELECT encode(sha256(convert_to(
                      COALESCE(earlier.hash, '0000000000000000000000000000000000000000000000000000000000000000')
                      || ':' || CAST(octet_length(CAST($12 AS TEXT) || CAST(drawn.value - $1 AS TEXT) || CAST($13 AS TEXT)) AS TEXT)
                      || ':' || CAST($12 AS TEXT) || CAST(drawn.value - $1 AS TEXT) || CAST($13 AS TEXT), 'UTF8')), 'hex')
              FROM sequence drawn LEFT JOIN audit earlier ON earlier.sequence = drawn.value - $1 - 1
              WHERE drawn.name = 'audit'))",
        params![
            record.at,
            &record.principal,
            record.account.clone(),
            &record.action,
            &record.object,
            &record.outcome,
            &record.detail,
            record.request_id.clone(),
            record.source.clone(),
            record.user_agent.clone(),
            before,
            after
        ]
        .to_vec(),
    );
}

fn from_row(row: &Row) -> Result<(Record, Option<String>), StoreError> {
    let record = Record {
        sequence: row.get("sequence")?,
        at: row.get("at")?,
        principal: row.get("principal")?,
        account: row.get("account")?,
        action: row.get("action")?,
        object: row.get("object")?,
        outcome: row.get("outcome")?,
        detail: row.get("detail")?,
        request_id: row.get("request_id")?,
        source: row.get("source")?,
        user_agent: row.get("user_agent")?,
    };
    Ok((record, row.get("hash")?))
}

/// Rows with their hashes behind this number, at most so many, in their order.
pub async fn after(
    tx: &mut Tx,
    sequence: i64,
    limit: u32,
) -> Result<Vec<(Record, Option<String>)>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            columns!(),
            " FROM audit WHERE sequence > $1 ORDER BY sequence LIMIT $2"
        ),
        &params![sequence, limit],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// The hash of a row; `None` when there is no row, or it has none.
pub async fn hash(tx: &mut Tx, sequence: i64) -> Result<Option<String>, StoreError> {
    let row = tx
        .query_opt("SELECT hash FROM audit WHERE sequence = $1", &params![sequence])
        .await?;
    Ok(row.map(|row| row.get("hash")).transpose()?.flatten())
}

/// The last number that was given.
pub async fn drawn(tx: &mut Tx) -> Result<i64, StoreError> {
    let row = tx
        .query_opt(
            "SELECT value FROM sequence WHERE name = $1",
            &params![Sequence::AUDIT.0],
        )
        .await?;
    row.map_or(Ok(0), |row| row.get("value"))
}

/// What rows of the chain say of rows without a hash, each with the number of its row. A text that is none is left out:
/// nobody wrote it through the hub.
pub async fn pins(tx: &mut Tx) -> Result<Vec<(i64, Pin)>, StoreError> {
    let rows = tx
        .query(
            // The action is `PIN`, in the text so that the index of these rows can be used.
            "SELECT sequence, detail FROM audit
             WHERE action = 'BeginAuditChain' AND principal = 'hub' AND hash IS NOT NULL ORDER BY sequence",
            &[],
        )
        .await?;
    let mut pins = Vec::new();
    for row in rows {
        if let Ok(pin) = serde_json::from_str(row.str("detail")?) {
            pins.push((row.get("sequence")?, pin));
        }
    }
    Ok(pins)
}

/// The first and the last row without a hash behind this number.
pub async fn bare(tx: &mut Tx, behind: i64) -> Result<Option<(i64, i64)>, StoreError> {
    let row = tx
        .query_one(
            "SELECT MIN(sequence) AS first, MAX(sequence) AS last FROM audit WHERE hash IS NULL AND sequence > $1",
            &params![behind],
        )
        .await?;
    let (first, last): (Option<i64>, Option<i64>) = (row.get("first")?, row.get("last")?);
    Ok(first.zip(last))
}

/// The end of the chain as a checkpoint without a signature; `None` while there is no row with a hash at the end.
pub async fn end(tx: &mut Tx, hub: &str) -> Result<Option<Checkpoint>, StoreError> {
    let sequence = drawn(tx).await?;
    let Some(hash) = hash(tx, sequence).await?.filter(|hash| hash != NOTHING) else {
        return Ok(None);
    };
    Ok(Some(Checkpoint {
        hub: hub.to_owned(),
        generation: recovery::generation(tx).await?,
        sequence,
        hash,
        at: tx.now().await?,
    }))
}

/// Keeps a signed checkpoint. One of that row that is there already stays.
pub async fn put_checkpoint(tx: &mut Tx, signed: &Signed) -> Result<(), StoreError> {
    let Signed {
        checkpoint,
        key,
        signature,
    } = signed;
    tx.execute(
        "INSERT INTO audit_checkpoint (sequence, hub, generation, hash, at, key_id, signature)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (sequence) DO NOTHING",
        &params![
            checkpoint.sequence,
            &checkpoint.hub,
            checkpoint.generation,
            &checkpoint.hash,
            checkpoint.at,
            key,
            signature
        ],
    )
    .await?;
    Ok(())
}

fn signed_from(row: &Row) -> Result<Signed, StoreError> {
    Ok(Signed {
        checkpoint: Checkpoint {
            hub: row.get("hub")?,
            generation: row.get("generation")?,
            sequence: row.get("sequence")?,
            hash: row.get("hash")?,
            at: row.get("at")?,
        },
        key: row.get("key_id")?,
        signature: row.get("signature")?,
    })
}

/// Checkpoints behind one of this generation and row, at most so many, in their order.
pub async fn checkpoints(
    tx: &mut Tx,
    (generation, sequence): (u64, i64),
    limit: u32,
) -> Result<Vec<Signed>, StoreError> {
    tx.query(
        "SELECT sequence, hub, generation, hash, at, key_id, signature FROM audit_checkpoint
         WHERE generation > $1 OR (generation = $1 AND sequence > $2) ORDER BY generation, sequence LIMIT $3",
        &params![generation, sequence, limit],
    )
    .await?
    .iter()
    .map(signed_from)
    .collect()
}

/// The last checkpoint.
pub async fn last_checkpoint(tx: &mut Tx) -> Result<Option<Signed>, StoreError> {
    let row = tx
        .query_opt(
            "SELECT sequence, hub, generation, hash, at, key_id, signature FROM audit_checkpoint
             ORDER BY sequence DESC LIMIT 1",
            &[],
        )
        .await?;
    row.as_ref().map(signed_from).transpose()
}

/// Which rows an export is about.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Of somebody of this account.
    pub account: Option<String>,
    /// Of this name.
    pub action: Option<String>,
}

/// Rows of a filter behind this number, at most so many, in their order.
pub async fn exported(
    tx: &mut Tx,
    filter: &Filter,
    behind: i64,
    limit: u32,
) -> Result<Vec<(Record, Option<String>)>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            columns!(),
            " FROM audit WHERE sequence > $1 AND at >= $2 AND at < $3 AND (CAST($4 AS TEXT) IS NULL OR account = $4)
             AND (CAST($5 AS TEXT) IS NULL OR action = $5) ORDER BY sequence LIMIT $6"
        ),
        &params![
            behind,
            filter.since.map_or(i64::MIN, Timestamp::as_micros),
            filter.until.map_or(i64::MAX, Timestamp::as_micros),
            filter.account.clone(),
            filter.action.clone(),
            limit
        ],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Rows of a filter before this number, at most so many, the last one first.
pub async fn latest(
    tx: &mut Tx,
    filter: &Filter,
    before: i64,
    limit: u32,
) -> Result<Vec<Record>, StoreError> {
    let rows = tx
        .query(
            concat!(
                "SELECT ",
                columns!(),
                " FROM audit WHERE sequence < $1 AND at >= $2 AND at < $3 AND (CAST($4 AS TEXT) IS NULL OR account = $4)
                 AND (CAST($5 AS TEXT) IS NULL OR action = $5) ORDER BY sequence DESC LIMIT $6"
            ),
            &params![
                before,
                filter.since.map_or(i64::MIN, Timestamp::as_micros),
                filter.until.map_or(i64::MAX, Timestamp::as_micros),
                filter.account.clone(),
                filter.action.clone(),
                limit
            ],
        )
        .await?;
    rows.iter()
        .map(|row| from_row(row).map(|(record, _)| record))
        .collect()
}

#[cfg(test)]
mod tests;
