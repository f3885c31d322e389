//! Rows of open challenges. Whoever is to prove an identity gets one; it can be answered once.

use hadron_proto::fault::{Bug, bug};
use hadron_proto::vocab::{ConnectionId, Timestamp};

use super::StoreError;
use super::db::{Row, Tx, params};

/// A challenge as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeRow {
    /// Its name.
    pub id: String,
    /// What it was given for, in words of the one who gave it.
    pub purpose: String,
    /// What it counts against, a connection that somebody claims; kept in the column `connection_id`.
    pub counted_as: Option<ConnectionId>,
    /// SHA-256 of the key that it was given for; none for logins.
    pub spki: Option<Vec<u8>>,
    /// What has to be signed.
    pub nonce: Vec<u8>,
    /// The address that asked.
    pub source: String,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

fn from_row(row: &Row) -> Result<ChallengeRow, StoreError> {
    Ok(ChallengeRow {
        id: row.get("id")?,
        purpose: row.get("purpose")?,
        counted_as: row.text_as_opt("connection_id")?,
        spki: row.get("spki")?,
        nonce: row.get("nonce")?,
        source: row.get("source")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    })
}

/// Adds a challenge.
pub async fn insert(tx: &mut Tx, row: &ChallengeRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO challenge (id, purpose, connection_id, spki, nonce, source, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &params![
            &row.id,
            &row.purpose,
            row.counted_as,
            row.spki.clone(),
            row.nonce.clone(),
            &row.source,
            row.created_at,
            row.expires_at
        ],
    )
    .await?;
    Ok(())
}

/// How many challenges of a claim are open: from one address, and from all.
pub async fn open(
    tx: &mut Tx,
    claim: ConnectionId,
    source: &str,
    now: Timestamp,
) -> Result<(u32, u32), StoreError> {
    let row = tx
        .query_one(
            "SELECT COUNT(*) AS every, CAST(COALESCE(SUM(CASE WHEN source = $2 THEN 1 ELSE 0 END), 0) AS BIGINT) AS own
             FROM challenge WHERE connection_id = $1 AND expires_at > $3",
            &params![claim, source, now],
        )
        .await?;
    Ok((row.get("own")?, row.get("every")?))
}

/// Removes a challenge and gives it; of two callers one gets it.
pub async fn take(tx: &mut Tx, id: &str) -> Result<Option<ChallengeRow>, StoreError> {
    let sql = if bug(Bug::NonceReusable) {
        "SELECT id, purpose, connection_id, spki, nonce, source, created_at, expires_at
         FROM challenge WHERE id = $1"
    } else {
        "DELETE FROM challenge WHERE id = $1
         RETURNING id, purpose, connection_id, spki, nonce, source, created_at, expires_at"
    };
    let row = tx.query_opt(sql, &params![id]).await?;
    row.as_ref().map(from_row).transpose()
}

/// Removes challenges that nobody answered in time.
pub async fn forget(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM challenge WHERE expires_at <= $1", &params![now])
        .await
}
