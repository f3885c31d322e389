//! Rows of one-time links into the console and of the sessions that they open.

use hadron_proto::vocab::{Digest, Timestamp};

use super::bindings::{self, BindingRow};
use super::db::{Row, Tx, params};
use super::requests::TokenRow;
use super::{StoreError, corrupt};

macro_rules! session_columns {
    () => {
        "digest, kind, token, created_at, idle_at, ends_at"
    };
}

/// What a row lets somebody do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// Open a session, once.
    Link,
    /// Use the console.
    Session,
}

impl SessionKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Session => "session",
        }
    }
}

/// A link or a session; only the digest of its text is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// SHA-256 of its text.
    pub digest: Digest,
    /// Which of the two.
    pub kind: SessionKind,
    /// SHA-256 of the bearer token that it stands for.
    pub token: Digest,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends unless it is used.
    pub idle_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
}

fn from_row(row: &Row) -> Result<SessionRow, StoreError> {
    Ok(SessionRow {
        digest: row.text_as("digest")?,
        kind: match row.str("kind")? {
            "link" => SessionKind::Link,
            "session" => SessionKind::Session,
            other => return Err(corrupt("console_session.kind", other)),
        },
        token: row.text_as("token")?,
        created_at: row.get("created_at")?,
        idle_at: row.get("idle_at")?,
        ends_at: row.get("ends_at")?,
    })
}

/// Adds a link or a session.
pub async fn insert(tx: &mut Tx, row: &SessionRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO console_session (digest, kind, token, created_at, idle_at, ends_at) VALUES ($1, $2, $3, $4, $5, $6)",
        &params![
            row.digest,
            row.kind.word(),
            row.token,
            row.created_at,
            row.idle_at,
            row.ends_at
        ],
    )
    .await?;
    Ok(())
}

/// Removes a link or a session and gives it; of two callers one gets it.
pub async fn take(tx: &mut Tx, kind: SessionKind, digest: Digest) -> Result<Option<SessionRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "DELETE FROM console_session WHERE digest = $1 AND kind = $2 RETURNING ",
                session_columns!()
            ),
            &params![digest, kind.word()],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// A link or a session with the token that it stands for, and the bindings that may mean that token's bearer.
pub async fn with_token(
    tx: &mut Tx,
    kind: SessionKind,
    digest: Digest,
) -> Result<Option<(SessionRow, TokenRow, Vec<BindingRow>)>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                session_columns!(),
                " FROM console_session WHERE digest = $1 AND kind = $2"
            ),
            &params![digest, kind.word()],
        )
        .await?;
    let Some(session) = row.as_ref().map(from_row).transpose()? else {
        return Ok(None);
    };
    let found = bindings::with_token(tx, session.token).await?;
    Ok(found.map(|(token, bindings)| (session, token, bindings)))
}

/// A session was used: it goes on until then.
pub async fn used(tx: &mut Tx, digest: Digest, idle_at: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE console_session SET idle_at = $2 WHERE digest = $1 AND idle_at < $2",
        &params![digest, idle_at],
    )
    .await?;
    Ok(())
}

/// Removes what has ended.
pub async fn forget(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM console_session WHERE ends_at <= $1 OR idle_at <= $1",
        &params![now],
    )
    .await
}
