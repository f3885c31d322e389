//! Access keys of the Proton API, and signatures that were used lately.

use hadron_domain::authority::Role;
use hadron_proto::vocab::{AccountId, Digest, Timestamp};

use super::StoreError;
use super::db::{Row, Tx, params};
use super::requests;

macro_rules! key_columns {
    () => {
        "id, name, principal, account, role, secret, key_version, session, created_at, expires_at, last_used_at, disabled"
    };
}

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKeyRow {
    /// Its id, which clients send.
    pub id: String,
    /// What it is called; empty for temporary keys.
    pub name: String,
    /// Who it stands for.
    pub principal: String,
    /// The account that STS proved; `None` for minted keys.
    pub account: Option<AccountId>,
    /// The part that its bearer plays everywhere; `None` where bindings alone say what they may do.
    pub role: Option<Role>,
    /// The secret, sealed.
    pub secret: Vec<u8>,
    /// The version of the key that it is sealed with.
    pub key_version: u32,
    /// The digest of the session token; `None` for minted keys, which have none.
    pub session: Option<Digest>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops counting.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to the minute or so.
    pub last_used_at: Option<Timestamp>,
    /// Switched off by an administrator.
    pub disabled: bool,
}

pub(super) fn from_row(row: &Row) -> Result<AccessKeyRow, StoreError> {
    let session = row.str("session")?;
    Ok(AccessKeyRow {
        id: row.get("id")?,
        name: row.get("name")?,
        principal: row.get("principal")?,
        account: row.text_as_opt("account")?,
        role: requests::role(row)?,
        secret: row.get("secret")?,
        key_version: row.get("key_version")?,
        session: if session.is_empty() {
            None
        } else {
            Some(row.text_as("session")?)
        },
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        last_used_at: row.get("last_used_at")?,
        disabled: row.get("disabled")?,
    })
}

/// How many keys each version of the sealing key has sealed.
pub async fn versions(tx: &mut Tx) -> Result<Vec<(u32, u64)>, StoreError> {
    tx.query(
        "SELECT key_version, COUNT(*) AS number FROM access_key GROUP BY key_version ORDER BY key_version",
        &[],
    )
    .await?
    .iter()
    .map(|row| Ok((row.get("key_version")?, row.get("number")?)))
    .collect()
}

/// Keys that are sealed with another version than this one, some of them.
pub async fn sealed_otherwise(
    tx: &mut Tx,
    version: u32,
    limit: u32,
) -> Result<Vec<AccessKeyRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            key_columns!(),
            " FROM access_key WHERE key_version <> $1 ORDER BY id LIMIT $2"
        ),
        &params![version, limit],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Writes a secret that was sealed anew, unless somebody has done so meanwhile.
pub async fn reseal(
    tx: &mut Tx,
    id: &str,
    before: u32,
    secret: Vec<u8>,
    version: u32,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE access_key SET secret = $3, key_version = $4 WHERE id = $1 AND key_version = $2",
        &params![id, before, secret, version],
    )
    .await?;
    Ok(())
}

/// Stores a key.
pub async fn insert(tx: &mut Tx, key: &AccessKeyRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO access_key (id, name, principal, account, role, secret, key_version, session, created_at, expires_at,
                                 last_used_at, disabled)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        &params![
            &key.id,
            &key.name,
            &key.principal,
            key.account.map(|account| account.to_string()),
            key.role.map_or("", Role::word),
            key.secret.clone(),
            key.key_version,
            key.session.map(|session| session.to_string()).unwrap_or_default(),
            key.created_at,
            key.expires_at,
            key.last_used_at,
            key.disabled
        ],
    )
    .await?;
    Ok(())
}

/// What [`get`] asks.
pub(super) const GET: &str = concat!("SELECT ", key_columns!(), " FROM access_key WHERE id = $1");

/// A key by its id, whether it counts or not.
pub async fn get(tx: &mut Tx, id: &str) -> Result<Option<AccessKeyRow>, StoreError> {
    let row = tx.query_opt(GET, &params![id]).await?;
    row.as_ref().map(from_row).transpose()
}

/// Minted keys, by name.
pub async fn minted(tx: &mut Tx) -> Result<Vec<AccessKeyRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            key_columns!(),
            " FROM access_key WHERE name <> '' ORDER BY name, created_at, id"
        ),
        &[],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Keys that count, the latest first.
pub async fn live(tx: &mut Tx, now: Timestamp, limit: u32) -> Result<Vec<AccessKeyRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            key_columns!(),
            " FROM access_key WHERE disabled = 0 AND (expires_at IS NULL OR expires_at > $1)
             ORDER BY created_at DESC, id LIMIT $2"
        ),
        &params![now, limit],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Switches a key off. Gives whom it let in, if it counted.
pub async fn end(tx: &mut Tx, id: &str) -> Result<Option<String>, StoreError> {
    let row = tx
        .query_opt(
            "UPDATE access_key SET disabled = 1 WHERE id = $1 AND disabled = 0 RETURNING principal",
            &params![id],
        )
        .await?;
    row.map(|row| row.get("principal")).transpose()
}

/// Switches off the minted keys of this name, and the key with this id of whatever sort. Gives the ids of those that
/// counted before.
pub async fn disable(tx: &mut Tx, name_or_id: &str) -> Result<Vec<String>, StoreError> {
    tx.query(
        "UPDATE access_key SET disabled = 1 WHERE disabled = 0 AND (id = $1 OR (name = $1 AND name <> '')) RETURNING id",
        &params![name_or_id],
    )
    .await?
    .iter()
    .map(|row| row.get("id"))
    .collect()
}

/// The key was used. Does nothing when that was said since `before`.
pub async fn touch(tx: &mut Tx, id: &str, now: Timestamp, before: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE access_key SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)",
        &params![id, now, before],
    )
    .await?;
    Ok(())
}

/// Removes temporary keys that expired before `before`. Minted ones stay: somebody will want to know what became of them.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM access_key WHERE name = '' AND expires_at IS NOT NULL AND expires_at < $1",
        &params![before],
    )
    .await
}

/// Remembers a signature until `until`; gives until when it was remembered already, if it was.
pub async fn use_up(
    tx: &mut Tx,
    signature: Digest,
    until: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let added = tx
        .execute(
            "INSERT INTO replay (signature, expires_at) VALUES ($1, $2) ON CONFLICT (signature) DO NOTHING",
            &params![signature, until],
        )
        .await?;
    if added == 1 {
        return Ok(None);
    }
    let before = tx
        .query_one(
            "SELECT expires_at FROM replay WHERE signature = $1",
            &params![signature],
        )
        .await?;
    before.get("expires_at").map(Some)
}

/// Removes signatures that nobody has to remember any more.
pub async fn forget_signatures(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM replay WHERE expires_at < $1", &params![now])
        .await
}
