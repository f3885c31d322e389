//! Rows of logins at issuers of OpenID Connect that are under way. Each can be finished once.

use hadron_proto::vocab::{Digest, Timestamp};

use super::StoreError;
use super::db::{Row, Tx, params};

/// A login as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRow {
    /// SHA-256 of its state.
    pub id: Digest,
    /// What the issuer is called here.
    pub issuer: String,
    /// Where the browser comes back to.
    pub redirect_uri: String,
    /// SHA-256 of what whoever began it holds.
    pub challenge: String,
    /// What the issuer's token has to hold.
    pub nonce: String,
    /// The address that asked.
    pub source: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it is over.
    pub expires_at: Timestamp,
}

fn from_row(row: &Row) -> Result<LoginRow, StoreError> {
    Ok(LoginRow {
        id: row.text_as("id")?,
        issuer: row.get("issuer")?,
        redirect_uri: row.get("redirect_uri")?,
        challenge: row.get("challenge")?,
        nonce: row.get("nonce")?,
        source: row.get("source")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    })
}

/// How many are under way.
pub async fn count(tx: &mut Tx) -> Result<u64, StoreError> {
    tx.query_one("SELECT count(*) AS logins FROM oidc_login", &[])
        .await?
        .get("logins")
}

/// Adds one.
pub async fn insert(tx: &mut Tx, row: &LoginRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO oidc_login (id, issuer, redirect_uri, challenge, nonce, source, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &params![
            row.id,
            &row.issuer,
            &row.redirect_uri,
            &row.challenge,
            &row.nonce,
            &row.source,
            row.created_at,
            row.expires_at
        ],
    )
    .await?;
    Ok(())
}

/// Removes one and gives it; of two callers one gets it.
pub async fn take(tx: &mut Tx, id: Digest) -> Result<Option<LoginRow>, StoreError> {
    let row = tx
        .query_opt(
            "DELETE FROM oidc_login WHERE id = $1
             RETURNING id, issuer, redirect_uri, challenge, nonce, source, created_at, expires_at",
            &params![id],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Removes those that nobody finished in time.
pub async fn forget(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM oidc_login WHERE expires_at <= $1", &params![now])
        .await
}
