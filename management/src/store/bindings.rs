//! Who plays which part where, beside what the configuration says.

use hadron_domain::authority::{Right, Role, Scope};
use hadron_proto::vocab::{Digest, Timestamp};

use super::StoreError;
use super::access_keys::{self, AccessKeyRow};
use super::db::{Row, Tx, params};
use super::requests::{self, TokenRow};

/// What groups of an issuer's people begin with.
pub const GROUP: &str = "oidc-group:";

macro_rules! binding_columns {
    () => {
        "b.principal, b.role, b.scope, b.created_by, b.created_at"
    };
}

/// Somebody's part in a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingRow {
    /// Who: the pattern of an ARN or of somebody whom an issuer knows, a group, `token:<name>` or `key:<name>`.
    pub principal: String,
    /// Which part, and where.
    pub right: Right,
    /// Who decided it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

fn from_row(row: &Row) -> Result<BindingRow, StoreError> {
    let (role, scope): (Role, Scope) = (row.text_as("role")?, row.text_as("scope")?);
    Ok(BindingRow {
        principal: row.get("principal")?,
        right: Right { role, scope },
        created_by: row.get("created_by")?,
        created_at: row.get("created_at")?,
    })
}

fn all(rows: &[Row]) -> Result<Vec<BindingRow>, StoreError> {
    rows.iter().map(from_row).collect()
}

/// Adds a binding; gives whether it is new.
pub async fn insert(tx: &mut Tx, row: &BindingRow) -> Result<bool, StoreError> {
    let added = tx
        .execute(
            "INSERT INTO binding (principal, role, scope, pattern, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (principal, role, scope) DO NOTHING",
            &params![
                &row.principal,
                row.right.role.word(),
                row.right.scope.to_string(),
                // A group is nobody's name either, so that it has to be looked at for everybody.
                row.principal.contains('*') || row.principal.starts_with(GROUP),
                &row.created_by,
                row.created_at
            ],
        )
        .await?;
    Ok(added == 1)
}

/// Takes a binding away; gives whether there was one.
pub async fn remove(tx: &mut Tx, principal: &str, right: &Right) -> Result<bool, StoreError> {
    let removed = tx
        .execute(
            "DELETE FROM binding WHERE principal = $1 AND role = $2 AND scope = $3",
            &params![principal, right.role.word(), right.scope.to_string()],
        )
        .await?;
    Ok(removed == 1)
}

/// How many there are.
pub async fn count(tx: &mut Tx) -> Result<u64, StoreError> {
    tx.query_one("SELECT count(*) AS bindings FROM binding", &[])
        .await?
        .get("bindings")
}

/// Bindings by principal, role and scope, after `after`.
pub async fn list(tx: &mut Tx, after: (&str, &str, &str), limit: u32) -> Result<Vec<BindingRow>, StoreError> {
    let rows = tx
        .query(
            concat!(
                "SELECT ",
                binding_columns!(),
                " FROM binding b WHERE (b.principal, b.role, b.scope) > ($1, $2, $3)
                  ORDER BY b.principal, b.role, b.scope LIMIT $4"
            ),
            &params![after.0, after.1, after.2, limit],
        )
        .await?;
    all(&rows)
}

/// Bindings that may mean somebody: those that name them, and all patterns.
pub async fn of(tx: &mut Tx, principal: &str) -> Result<Vec<BindingRow>, StoreError> {
    let rows = tx
        .query(
            concat!(
                "SELECT ",
                binding_columns!(),
                " FROM binding b WHERE b.pattern = 1 OR b.principal = $1"
            ),
            &params![principal],
        )
        .await?;
    all(&rows)
}

/// What somebody was found by, and the bindings that may mean them.
fn bound<T>(
    found: &[Row],
    bindings: &[Row],
    read: fn(&Row) -> Result<T, StoreError>,
) -> Result<Option<(T, Vec<BindingRow>)>, StoreError> {
    let Some(found) = found.first() else {
        return Ok(None);
    };
    Ok(Some((read(found)?, all(bindings)?)))
}

/// A token, and the bindings that may mean its bearer, in one round trip.
pub async fn with_token(
    tx: &mut Tx,
    digest: Digest,
) -> Result<Option<(TokenRow, Vec<BindingRow>)>, StoreError> {
    let [tokens, bindings] = tx
        .query_all([
            (requests::TOKEN, &params![digest]),
            (
                concat!(
                    "SELECT ",
                    binding_columns!(),
                    " FROM binding b WHERE b.pattern = 1
                        OR b.principal = (SELECT t.principal FROM token t WHERE t.digest = $1)"
                ),
                &params![digest],
            ),
        ])
        .await?;
    bound(&tokens, &bindings, requests::token_from)
}

/// An access key, and the bindings that may mean who it stands for, in one round trip.
pub async fn with_key(tx: &mut Tx, id: &str) -> Result<Option<(AccessKeyRow, Vec<BindingRow>)>, StoreError> {
    let [keys, bindings] = tx
        .query_all([
            (access_keys::GET, &params![id]),
            (
                concat!(
                    "SELECT ",
                    binding_columns!(),
                    " FROM binding b WHERE b.pattern = 1
                        OR b.principal = (SELECT k.principal FROM access_key k WHERE k.id = $1)"
                ),
                &params![id],
            ),
        ])
        .await?;
    bound(&keys, &bindings, access_keys::from_row)
}
