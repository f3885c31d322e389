//! Answered requests (idempotency), content by digest, tokens and lines for the audit log.

use hadron_domain::audit::Record;
use hadron_domain::authority::Role;
use hadron_proto::vocab::{AccountId, Digest, Timestamp};

use super::StoreError;
use super::db::{HUB, Place, Tx, params};

macro_rules! token_columns {
    () => {
        "digest, name, principal, account, role, created_at, expires_at, disabled, member_of"
    };
}

/// What is known about a request id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Never seen.
    New,
    /// The same request was answered; the text names what it made.
    Answered(String),
    /// The id was used for another request.
    Other(String),
}

/// Looks a request id up.
pub async fn seen(
    tx: &mut Tx,
    principal: &str,
    request_id: &str,
    operation: &str,
    hash: &Digest,
) -> Result<Seen, StoreError> {
    let row = tx
        .query_opt(
            "SELECT operation, request_hash, response FROM idempotency WHERE principal = $1 AND request_id = $2",
            &params![principal, request_id],
        )
        .await?;
    let Some(row) = row else { return Ok(Seen::New) };
    let (before, with, response): (String, String, String) = (
        row.get("operation")?,
        row.get("request_hash")?,
        row.get("response")?,
    );
    if before == operation && with == hash.to_string() {
        Ok(Seen::Answered(response))
    } else {
        Ok(Seen::Other(before))
    }
}

/// Remembers the answer to a request.
///
/// # Errors
/// [`StoreError::Conflict`] when the same id was used in between.
pub async fn answered(
    tx: &mut Tx,
    principal: &str,
    request_id: &str,
    operation: &str,
    hash: &Digest,
    response: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO idempotency (principal, request_id, operation, request_hash, response, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        &params![principal, request_id, operation, hash, response, now],
    )
    .await?;
    Ok(())
}

/// Remembers which request made the thing of this kind and name.
pub async fn created(tx: &mut Tx, kind: &str, name: &str, hash: &Digest) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO creation (kind, name, hash) VALUES ($1, $2, $3)
         ON CONFLICT (kind, name) DO UPDATE SET hash = excluded.hash",
        &params![kind, name, hash],
    )
    .await?;
    Ok(())
}

/// The thing of this kind and name is gone.
pub async fn uncreated(tx: &mut Tx, kind: &str, name: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM creation WHERE kind = $1 AND name = $2",
        &params![kind, name],
    )
    .await?;
    Ok(())
}

/// The digest of the request that made the thing of this kind and name.
pub async fn made_by(tx: &mut Tx, kind: &str, name: &str) -> Result<Option<Digest>, StoreError> {
    let row = tx
        .query_opt(
            "SELECT hash FROM creation WHERE kind = $1 AND name = $2",
            &params![kind, name],
        )
        .await?;
    row.map(|row| row.text_as("hash")).transpose()
}

/// Forgets answers given before `before`.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM idempotency WHERE created_at < $1", &params![before])
        .await
}

/// Stores content; storing it twice is storing it once. Gives its digest.
pub async fn put_blob(tx: &mut Tx, bytes: &[u8], now: Timestamp) -> Result<Digest, StoreError> {
    let digest = Digest::of(bytes);
    let row = digest.to_string();
    let place = Place {
        table: "blob",
        column: "bytes",
        row: &row,
    };
    let bytes = tx.seal_bytes(HUB, place, bytes).await?;
    tx.execute(
        "INSERT INTO blob (digest, bytes, created_at) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING",
        &params![digest, bytes, now],
    )
    .await?;
    Ok(digest)
}

/// Content by digest.
pub async fn blob(tx: &mut Tx, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
    let row = tx
        .query_opt("SELECT bytes FROM blob WHERE digest = $1", &params![digest])
        .await?;
    let place = Place {
        table: "blob",
        column: "bytes",
        row: &digest.to_string(),
    };
    row.map(|row| row.opened_bytes(place)).transpose()
}

/// A bearer token; only the digest of its text is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// SHA-256 of the token's text.
    pub digest: Digest,
    /// What it is called; empty for tokens that a login gave.
    pub name: String,
    /// Who it stands for.
    pub principal: String,
    /// The account that STS proved; `None` for minted ones.
    pub account: Option<AccountId>,
    /// The part that its bearer plays everywhere; `None` where bindings alone say what they may do.
    pub role: Option<Role>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops counting.
    pub expires_at: Option<Timestamp>,
    /// Switched off by an administrator, or by its bearer, who logged out.
    pub disabled: bool,
    /// The groups that its bearer is in, as the issuer said that they logged in at.
    pub groups: Vec<String>,
}

/// Stores a token.
pub async fn insert_token(tx: &mut Tx, token: &TokenRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO token (digest, name, principal, account, role, created_at, expires_at, disabled, member_of)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &params![
            token.digest,
            &token.name,
            &token.principal,
            token.account.map(|account| account.to_string()),
            token.role.map_or("", Role::word),
            token.created_at,
            token.expires_at,
            token.disabled,
            token.groups.join("\n")
        ],
    )
    .await?;
    Ok(())
}

pub(super) fn token_from(row: &super::db::Row) -> Result<TokenRow, StoreError> {
    Ok(TokenRow {
        digest: row.text_as("digest")?,
        name: row.get("name")?,
        principal: row.get("principal")?,
        account: row.text_as_opt("account")?,
        role: role(row)?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        disabled: row.get("disabled")?,
        groups: groups(row)?,
    })
}

/// Reads column `member_of`.
fn groups(row: &super::db::Row) -> Result<Vec<String>, StoreError> {
    Ok(row.str("member_of")?.lines().map(str::to_owned).collect())
}

/// The groups of somebody, as the last of their tokens that still counts has them.
pub async fn groups_of(tx: &mut Tx, principal: &str, now: Timestamp) -> Result<Vec<String>, StoreError> {
    let row = tx
        .query_opt(
            "SELECT member_of FROM token WHERE principal = $1 AND expires_at > $2 AND disabled = 0
             ORDER BY created_at DESC LIMIT 1",
            &params![principal, now],
        )
        .await?;
    row.as_ref()
        .map(groups)
        .transpose()
        .map(Option::unwrap_or_default)
}

/// Switches off a token that a login gave; says whether it counted before. Minted ones are not their bearer's to end.
pub async fn end_token(tx: &mut Tx, digest: Digest) -> Result<bool, StoreError> {
    let ended = tx
        .execute(
            "UPDATE token SET disabled = 1 WHERE digest = $1 AND name = '' AND disabled = 0",
            &params![digest],
        )
        .await?;
    Ok(ended == 1)
}

/// Reads column `role` of tokens and access keys, which is empty for who has no part but by bindings.
pub(super) fn role(row: &super::db::Row) -> Result<Option<Role>, StoreError> {
    if row.str("role")?.is_empty() {
        Ok(None)
    } else {
        row.text_as("role").map(Some)
    }
}

/// What [`token`] asks.
pub(super) const TOKEN: &str = concat!("SELECT ", token_columns!(), " FROM token WHERE digest = $1");

/// A token by the digest of its text.
pub async fn token(tx: &mut Tx, digest: Digest) -> Result<Option<TokenRow>, StoreError> {
    let row = tx.query_opt(TOKEN, &params![digest]).await?;
    row.as_ref().map(token_from).transpose()
}

/// Minted tokens, by name.
pub async fn minted_tokens(tx: &mut Tx) -> Result<Vec<TokenRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            token_columns!(),
            " FROM token WHERE name <> '' ORDER BY name, created_at"
        ),
        &[],
    )
    .await?
    .iter()
    .map(token_from)
    .collect()
}

/// Tokens that count, the latest first.
pub async fn live_tokens(tx: &mut Tx, now: Timestamp, limit: u32) -> Result<Vec<TokenRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            token_columns!(),
            " FROM token WHERE disabled = 0 AND (expires_at IS NULL OR expires_at > $1)
             ORDER BY created_at DESC, digest LIMIT $2"
        ),
        &params![now, limit],
    )
    .await?
    .iter()
    .map(token_from)
    .collect()
}

/// Switches a token off, whoever has it. Gives its name and whom it let in, if it counted.
pub async fn disable_token(tx: &mut Tx, digest: Digest) -> Result<Option<(String, String)>, StoreError> {
    let row = tx
        .query_opt(
            "UPDATE token SET disabled = 1 WHERE digest = $1 AND disabled = 0 RETURNING name, principal",
            &params![digest],
        )
        .await?;
    row.map(|row| Ok((row.get("name")?, row.get("principal")?)))
        .transpose()
}

/// Switches minted tokens of this name off. Gives how many there were.
pub async fn disable_tokens(tx: &mut Tx, name: &str) -> Result<u64, StoreError> {
    tx.execute(
        "UPDATE token SET disabled = 1 WHERE name = $1 AND name <> ''",
        &params![name],
    )
    .await
}

/// Removes tokens that expired before `before`.
pub async fn forget_tokens(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM token WHERE expires_at IS NOT NULL AND expires_at < $1",
        &params![before],
    )
    .await
}

/// One line of the audit log, in the transaction of what it tells; see [`audit::append`](super::audit::append).
#[expect(clippy::too_many_arguments, reason = "one for each column")]
pub async fn audit(
    tx: &mut Tx,
    at: Timestamp,
    principal: &str,
    account: Option<AccountId>,
    action: &str,
    object: &str,
    outcome: &str,
    detail: &str,
) -> Result<(), StoreError> {
    let origin = tx.origin().clone();
    let record = Record {
        sequence: 0,
        at: at.as_micros(),
        principal: principal.to_owned(),
        account: account.map(|account| account.to_string()),
        action: action.to_owned(),
        object: object.to_owned(),
        outcome: outcome.to_owned(),
        detail: detail.to_owned(),
        request_id: origin.request_id,
        source: origin.source.map(|source| source.to_string()),
        user_agent: origin.user_agent,
    };
    super::audit::append(tx, &record);
    Ok(())
}
