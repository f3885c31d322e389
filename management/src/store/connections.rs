//! Rows of connections.

use hadron_domain::arn::Resource;
use hadron_domain::authority::Sight;
use hadron_domain::connection::{Approval, Connection};
use hadron_proto::vocab::{AccountId, ConnectionId, EnvironmentName, Region};

use super::db::{Row, Topic, Tx, params};
use super::sight::{self, seen};
use super::{StoreError, UNREAD, events, json, tags, to_json};

macro_rules! connection_columns {
    () => {
        "id, kind, environment, account, region, status, epoch, state, pinned_role_id"
    };
}

/// Whether a connection is one that an environment account asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionKind {
    /// Requested from an environment account.
    Environment,
    /// The hub's own, for the agent of the management account.
    Management,
}

impl ConnectionKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Management => "management",
        }
    }
}

/// A connection as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionRow {
    /// The rules' view of it.
    pub connection: Connection,
    /// Whose it is.
    pub kind: ConnectionKind,
    /// The unique id (`AROA...`) of the agent's role, pinned at the first enrolment after acceptance.
    pub pinned_role_id: Option<String>,
}

pub(super) fn from_row(row: &Row) -> Result<ConnectionRow, StoreError> {
    let kind: String = row.get("kind")?;
    Ok(ConnectionRow {
        connection: json(row, "state")?,
        kind: if kind == "management" {
            ConnectionKind::Management
        } else {
            ConnectionKind::Environment
        },
        pinned_role_id: row.get("pinned_role_id")?,
    })
}

/// Inserts a connection.
///
/// # Errors
/// [`StoreError::Conflict`] when a live one of the same account, environment and Region exists.
pub async fn insert(tx: &mut Tx, row: &ConnectionRow) -> Result<(), StoreError> {
    let c = &row.connection;
    let environment = match row.kind {
        ConnectionKind::Environment => c.environment.as_str(),
        ConnectionKind::Management => "",
    };
    tx.execute(
        "INSERT INTO connection (id, kind, environment, account, region, status, epoch, state, pinned_role_id, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &params![
            c.id,
            row.kind.word(),
            environment,
            c.account,
            &c.region,
            c.approval.word(),
            c.epoch,
            to_json(c)?,
            row.pinned_role_id.clone(),
            UNREAD
        ],
    )
    .await?;
    told(tx, row, None).await?;
    if row.kind == ConnectionKind::Environment {
        tx.made(Resource::Connection(c.id), None);
    }
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// The hub's own connection is nothing that others are told about.
async fn told(tx: &mut Tx, row: &ConnectionRow, before: Option<&str>) -> Result<(), StoreError> {
    let c = &row.connection;
    if row.kind == ConnectionKind::Management {
        return Ok(());
    }
    let name = Resource::Connection(c.id);
    // A deleted connection is gone for everybody but the audit.
    if matches!(c.approval, Approval::Deleted(_)) {
        tags::forget(tx, &name).await?;
    }
    events::told(tx, &name, Some((c.account, &c.region)), before, c.approval.word()).await
}

/// Writes a connection back where its epoch is still the one read or follows from it in this transaction.
pub async fn put(tx: &mut Tx, row: &ConnectionRow) -> Result<(), StoreError> {
    let stored = tx
        .query_opt(
            "SELECT status, epoch FROM connection WHERE id = $1",
            &params![row.connection.id],
        )
        .await?;
    let before = stored
        .as_ref()
        .map(|before| before.get::<String>("status"))
        .transpose()?;
    let c = &row.connection;
    if let Some(stored) = stored
        && (stored.get::<u64>("epoch")? != c.epoch || before.as_deref() != Some(c.approval.word()))
    {
        tx.trust_ended();
        // Sessions of this lane look again, at whichever hub they are.
        tx.after_commit(Topic::Jobs {
            account: c.account,
            region: c.region.clone(),
        });
    }
    tx.execute(
        "UPDATE connection SET status = $2, epoch = $3, state = $4, pinned_role_id = $5, changed = $6 WHERE id = $1",
        &params![c.id, c.approval.word(), c.epoch, to_json(c)?, row.pinned_role_id.clone(), UNREAD],
    )
    .await?;
    told(tx, row, before.as_deref()).await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// One connection, deleted ones included, as it was a moment ago. Not locked.
pub async fn seen(tx: &mut Tx, id: ConnectionId) -> Result<Option<ConnectionRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!("SELECT ", connection_columns!(), " FROM connection WHERE id = $1"),
            &params![id],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// One connection, deleted ones included, that stays as it is until the transaction ends. Those who ask like this do not keep
/// each other waiting; whoever decides about the connection waits for them, and they for them.
pub async fn shared(tx: &mut Tx, id: ConnectionId) -> Result<Option<ConnectionRow>, StoreError> {
    let row = tx.query_opt(SHARED, &params![id]).await?;
    row.as_ref().map(from_row).transpose()
}

pub(super) const SHARED: &str = concat!(
    "SELECT ",
    connection_columns!(),
    " FROM connection WHERE id = $1 /*for-share*/"
);

/// Like [`shared`], for whoever holds rows already that a decision about the connection may wait for: it does not wait, but
/// refuses to go on while somebody decides.
pub async fn shared_now(tx: &mut Tx, id: ConnectionId) -> Result<Option<ConnectionRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                connection_columns!(),
                " FROM connection WHERE id = $1 /*for-share-nowait*/"
            ),
            &params![id],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// One connection, deleted ones included, to decide about it: nobody else reads it for good until the transaction ends.
pub async fn get(tx: &mut Tx, id: ConnectionId) -> Result<Option<ConnectionRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                connection_columns!(),
                " FROM connection WHERE id = $1 /*for-update*/"
            ),
            &params![id],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The management account's own connection.
pub async fn management(tx: &mut Tx) -> Result<Option<ConnectionRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                connection_columns!(),
                " FROM connection WHERE kind = 'management' AND status = 'CONNECTED' ORDER BY id LIMIT 1"
            ),
            &[],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

const OF_ACCOUNT: &str = concat!(
    "SELECT ",
    connection_columns!(),
    " FROM connection WHERE account = $1 AND region = $2 AND status <> 'DELETED' ORDER BY id /*for-share*/"
);

/// Connections of an account and Region that were not deleted, rejected ones included, oldest first. They stay as they are
/// until the transaction ends.
pub async fn of_account(
    tx: &mut Tx,
    account: AccountId,
    region: &Region,
) -> Result<Vec<ConnectionRow>, StoreError> {
    let found = tx.query(OF_ACCOUNT, &params![account, region]).await?;
    found.iter().map(from_row).collect()
}

/// Connections of an account and Region that are neither rejected nor deleted, oldest first. They stay as they are until the
/// transaction ends.
pub(super) const OPEN_OF: &str = concat!(
    "SELECT ",
    connection_columns!(),
    " FROM connection WHERE account = $1 AND region = $2 AND status IN ('PENDING', 'CONNECTED') ORDER BY id /*for-share*/"
);

/// The connection of an account for an environment that is neither rejected nor deleted.
pub async fn live(
    tx: &mut Tx,
    account: AccountId,
    environment: &EnvironmentName,
    region: &Region,
) -> Result<Option<ConnectionRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                connection_columns!(),
                " FROM connection WHERE account = $1 AND environment = $2 AND region = $3
                 AND status IN ('PENDING', 'CONNECTED')"
            ),
            &params![account, environment, region],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// How many connections an account has asked for that are neither rejected nor deleted.
pub async fn count_of(tx: &mut Tx, account: AccountId) -> Result<u64, StoreError> {
    let row = tx
        .query_opt(
            "SELECT COUNT(*) AS many FROM connection
             WHERE account = $1 AND kind = 'environment' AND status IN ('PENDING', 'CONNECTED')",
            &params![account],
        )
        .await?;
    row.map_or(Ok(0), |row| row.get("many"))
}

/// What connections to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this account only.
    pub account: Option<AccountId>,
    /// In one of these statuses only; empty: in any.
    pub statuses: Vec<String>,
    /// For this environment only.
    pub environment: Option<EnvironmentName>,
}

/// Requested connections that were not deleted, by id, after `after`.
pub async fn list(
    tx: &mut Tx,
    filter: &Filter,
    sight: &Sight,
    after: &str,
    limit: u32,
) -> Result<Vec<ConnectionRow>, StoreError> {
    // There are three statuses to ask for; fewer are asked for more than once.
    let mut statuses = filter.statuses.clone();
    statuses.sort();
    statuses.dedup();
    let asked = |place: usize| {
        let status = statuses.get(place).or_else(|| statuses.first());
        status.cloned().unwrap_or_default()
    };
    tx.query(
        concat!(
            "SELECT ",
            connection_columns!(),
            " FROM connection
         WHERE kind = 'environment' AND status <> 'DELETED' AND id > $1
           AND ($2 = '' OR account = $2) AND ($3 = '' OR status IN ($3, $4, $5)) AND ($6 = '' OR environment = $6)
           AND ",
            seen!("$8", "account" in "account"),
            " ORDER BY id LIMIT $7"
        ),
        &params![
            after,
            filter
                .account
                .map(|account| account.to_string())
                .unwrap_or_default(),
            asked(0),
            asked(1),
            asked(2),
            filter
                .environment
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            limit,
            sight::words(sight)
        ],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::db::testing::{self, TestDb};

    #[tokio::test]
    async fn open_connections_of_an_account_are_found_without_the_closed_ones() {
        let TestDb { db, .. } = &testing::sqlite().await;
        let plan = testing::plan(db, OPEN_OF).await;
        assert!(plan.contains("connection_live (account=?)"), "{plan}");
    }

    #[tokio::test]
    async fn what_an_account_has_asked_for_is_found_without_a_look_at_others() {
        let TestDb { db, .. } = &testing::sqlite().await;
        let plan = testing::plan(db, OF_ACCOUNT).await;
        assert_eq!(
            plan,
            "SEARCH connection USING INDEX connection_account (account=? AND region=?)"
        );
    }
}
