//! Rows of enrolled agents and of the sessions that they hold.

use hadron_domain::authority::Sight;
use hadron_proto::vocab::{AccountId, AgentId, ConnectionId, Region, SessionId, Timestamp};

use super::db::{Row, Sequence, Topic, Tx, params};
use super::sight::{self, seen};
use super::{StoreError, UNREAD, many};

macro_rules! agent_columns {
    () => {
        "id, connection_id, account, region, principal, key_fingerprint, serial, not_after, epoch, version, session_id, enrolled_at, last_seen"
    };
}

/// An enrolled agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRow {
    /// Its id.
    pub id: AgentId,
    /// The connection that it enrolled through.
    pub connection: ConnectionId,
    /// Its account.
    pub account: AccountId,
    /// Its Region.
    pub region: Region,
    /// The IAM principal that it proved.
    pub principal: String,
    /// SHA-256 of its public key.
    pub key_fingerprint: String,
    /// The serial number of its certificate.
    pub serial: String,
    /// When its certificate expires.
    pub not_after: Timestamp,
    /// The connection's epoch when it enrolled.
    pub epoch: u64,
    /// Its version, from its last Hello.
    pub version: String,
    /// The session that it holds now.
    pub session: Option<SessionId>,
    /// When it enrolled.
    pub enrolled_at: Timestamp,
    /// When it was last heard.
    pub last_seen: Timestamp,
}

pub(super) fn from_row(row: &Row) -> Result<AgentRow, StoreError> {
    Ok(AgentRow {
        id: row.text_as("id")?,
        connection: row.text_as("connection_id")?,
        account: row.text_as("account")?,
        region: row.text_as("region")?,
        principal: row.get("principal")?,
        key_fingerprint: row.get("key_fingerprint")?,
        serial: row.get("serial")?,
        not_after: row.get("not_after")?,
        epoch: row.get("epoch")?,
        version: row.get("version")?,
        session: row.text_as_opt("session_id")?,
        enrolled_at: row.get("enrolled_at")?,
        last_seen: row.get("last_seen")?,
    })
}

/// Inserts a freshly enrolled agent.
pub async fn insert(tx: &mut Tx, agent: &AgentRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO agent (id, connection_id, account, region, principal, key_fingerprint, serial, not_after, epoch,
                            version, session_id, enrolled_at, last_seen, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, $11, $12, $13)",
        &params![
            agent.id,
            agent.connection,
            agent.account,
            &agent.region,
            &agent.principal,
            &agent.key_fingerprint,
            &agent.serial,
            agent.not_after,
            agent.epoch,
            &agent.version,
            agent.enrolled_at,
            agent.last_seen,
            UNREAD
        ],
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// An agent has a new certificate. Its session goes on.
pub async fn renew(tx: &mut Tx, agent: &AgentRow) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE agent SET principal = $2, key_fingerprint = $3, serial = $4, not_after = $5, changed = $6 WHERE id = $1",
        &params![agent.id, &agent.principal, &agent.key_fingerprint, &agent.serial, agent.not_after, UNREAD],
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

pub(super) const GET: &str = concat!("SELECT ", agent_columns!(), " FROM agent WHERE id = $1");

/// One agent.
pub async fn get(tx: &mut Tx, id: AgentId) -> Result<Option<AgentRow>, StoreError> {
    let row = tx.query_opt(GET, &params![id]).await?;
    row.as_ref().map(from_row).transpose()
}

/// Gives the agent a session; a session that it had before is no longer its own.
pub async fn open_session(
    tx: &mut Tx,
    id: AgentId,
    session: SessionId,
    version: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE agent SET session_id = $2, version = $3, last_seen = $4, changed = $5 WHERE id = $1",
        &params![id, session, version, now, UNREAD],
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// The session has ended, unless the agent has a newer one.
pub async fn close_session(tx: &mut Tx, session: SessionId, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE agent SET session_id = NULL, last_seen = $2, changed = $3 WHERE session_id = $1",
        &params![session, now, UNREAD],
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// These agents were heard in these sessions. No change for watchers. In the order of agents, so that two hubs that do the
/// same never wait for each other.
pub async fn touch(
    tx: &mut Tx,
    mut heard: Vec<(AgentId, SessionId)>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    heard.sort_unstable();
    let rows: Vec<_> = heard
        .into_iter()
        .map(|(agent, session)| params![agent, session, now])
        .collect();
    tx.execute_each(
        "UPDATE agent SET last_seen = $3 WHERE id = $1 AND session_id = $2",
        &rows,
    )
    .await
}

/// Where an agent stands towards its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The agent.
    pub agent: AgentId,
    /// Its connection.
    pub connection: ConnectionId,
    /// Its account.
    pub account: AccountId,
    /// Its Region.
    pub region: Region,
    /// The session that it holds now.
    pub session: Option<SessionId>,
    /// Its connection is connected, of the same account, and in the epoch in which the agent enrolled.
    pub trusted: bool,
}

macro_rules! standing {
    () => {
        "SELECT a.id AS id, a.connection_id AS connection_id, a.account AS account, a.region AS region,
                a.session_id AS session_id,
                CASE WHEN c.status = 'CONNECTED' AND c.epoch = a.epoch AND c.account = a.account THEN 1 ELSE 0 END AS trusted
         FROM agent a JOIN connection c ON c.id = a.connection_id "
    };
}

fn standing(row: &Row) -> Result<Standing, StoreError> {
    Ok(Standing {
        agent: row.text_as("id")?,
        connection: row.text_as("connection_id")?,
        account: row.text_as("account")?,
        region: row.text_as("region")?,
        session: row.text_as_opt("session_id")?,
        trusted: row.get("trusted")?,
    })
}

const STANDING_OF: [&str; 2] = [
    concat!(standing!(), "WHERE a.id IN (SELECT value FROM json_each($1))"),
    concat!(standing!(), "WHERE a.id = ANY (string_to_array($1, ','))"),
];
// Greater than nothing rather than not null: SQLite reads the whole table for the latter.
const STANDING_LIVE: &str = concat!(standing!(), "WHERE a.session_id > ''");

/// Where these agents stand, in no order; those that do not exist are left out.
pub async fn standing_of(tx: &mut Tx, agents: &[AgentId]) -> Result<Vec<Standing>, StoreError> {
    let found = if tx.is_sqlite() {
        tx.query(STANDING_OF[0], &params![many::json(agents)]).await?
    } else {
        tx.query(STANDING_OF[1], &params![many::list(agents)]).await?
    };
    found.iter().map(standing).collect()
}

/// Where all agents stand that have a session, at whichever hub.
pub async fn standing_live(tx: &mut Tx) -> Result<Vec<Standing>, StoreError> {
    let found = tx.query(STANDING_LIVE, &[]).await?;
    found.iter().map(standing).collect()
}

/// The number of the latest decision by which trust in agents may have ended.
pub async fn latest_decision(tx: &mut Tx) -> Result<u64, StoreError> {
    let sql = "SELECT value FROM sequence WHERE name = $1";
    let row = tx.query_opt(sql, &params![Sequence::TRUST.0]).await?;
    row.map_or(Ok(0), |row| row.get("value"))
}

/// Whether there are sessions that nobody has heard of since `before`.
pub async fn any_silent(tx: &mut Tx, before: Timestamp) -> Result<bool, StoreError> {
    let sql = "SELECT id FROM agent WHERE session_id IS NOT NULL AND last_seen < $1 LIMIT 1";
    Ok(tx.query_opt(sql, &params![before]).await?.is_some())
}

/// Sessions that nobody has heard of since `before`: their hub died with them.
pub async fn close_silent(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    tx.after_commit(Topic::Changes);
    tx.execute(
        "UPDATE agent SET session_id = NULL, changed = $2 WHERE session_id IS NOT NULL AND last_seen < $1",
        &params![before, UNREAD],
    )
    .await
}

/// Removes agents that are not connected and whose certificates expired before `before`.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM agent WHERE session_id IS NULL AND not_after < $1",
        &params![before],
    )
    .await
}

/// Agents by id, after `after`, of one account or of all.
pub async fn list(
    tx: &mut Tx,
    account: Option<AccountId>,
    sight: &Sight,
    after: &str,
    limit: u32,
) -> Result<Vec<AgentRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            agent_columns!(),
            " FROM agent WHERE id > $1 AND ($2 = '' OR account = $2) AND ",
            seen!("$4", "account" in "account"),
            " ORDER BY id LIMIT $3"
        ),
        &params![
            after,
            account.map(|account| account.to_string()).unwrap_or_default(),
            limit,
            sight::words(sight)
        ],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// The agent of an account and Region that was heard last.
pub async fn latest(
    tx: &mut Tx,
    account: AccountId,
    region: &Region,
) -> Result<Option<AgentRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                agent_columns!(),
                " FROM agent WHERE account = $1 AND region = $2
             ORDER BY CASE WHEN session_id IS NULL THEN 1 ELSE 0 END, last_seen DESC LIMIT 1"
            ),
            &params![account, region],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::db::testing::{self, TestDb};

    /// What is asked every second must not read tables from end to end.
    #[tokio::test]
    async fn questions_about_live_sessions_follow_an_index() {
        let TestDb { db, .. } = &testing::sqlite().await;
        for sql in [STANDING_OF[0], STANDING_LIVE] {
            let plan = testing::plan(db, sql).await;
            let scans: Vec<&str> = plan
                .lines()
                .filter(|step| step.starts_with("SCAN") && !step.contains("json_each"))
                .collect();
            assert!(scans.is_empty(), "{sql}\n{plan}");
        }
    }
}
