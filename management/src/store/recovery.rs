//! What has to be known, and ended, when the database was restored to an earlier state.

use hadron_proto::vocab::{AccountId, ConnectionId, DeploymentId, Region, TargetId, Timestamp};
use serde::{Deserialize, Serialize};

use super::db::{Row, Sequence, Tx, Value, params};
use super::targets::{TargetRow, from_row, target_columns};
use super::{StoreError, meta};

/// How often the database was restored; absent before the first time.
const GENERATION: &str = "restore_generation";
/// [`Progress`] of the last recovery.
const PROGRESS: &str = "recovery";
/// [`LostTime`]; followed by `/ACCOUNT/REGION` where only an agent of that place says so.
const LOST: &str = "lost_time";

/// Numbers that only grow. A database that shows lower ones than somebody has seen was restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HighWater {
    /// How often the database was restored, as far as it knows.
    pub generation: u64,
    /// The last fence that was drawn, without the generation.
    pub fence: u64,
    /// The last change.
    pub change: u64,
    /// The last line of the audit log.
    pub audit: u64,
}

impl HighWater {
    /// Whether a database with these numbers is older than one with those that were seen.
    #[must_use]
    pub const fn is_behind(&self, seen: &Self) -> bool {
        if self.generation != seen.generation {
            return self.generation < seen.generation;
        }
        self.fence < seen.fence || self.change < seen.change || self.audit < seen.audit
    }
}

/// How far the last recovery has got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// When it was announced.
    pub at: Timestamp,
    /// The last fence that was drawn before, without the generation: as long as none follows, nothing was given out since.
    pub fence: u64,
    /// How many stacks are to be compared.
    pub stacks: u64,
    /// How many of them were changed by deployments that the hub does not know.
    pub differing: u64,
    /// When the last of them had been compared.
    pub finished_at: Option<Timestamp>,
}

/// A sign that the database is older than what the hub has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostTime {
    /// When it was noticed.
    pub at: Timestamp,
    /// What was noticed, for people.
    pub why: String,
}

/// What decides about giving jobs to the agents of one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How often the database was restored.
    pub generation: u64,
    /// Stacks are still being compared, here or elsewhere.
    pub comparing: bool,
    /// Time was lost that nobody announced.
    pub lost: bool,
}

fn parse<T: serde::de::DeserializeOwned>(key: &str, value: &str) -> Result<T, StoreError> {
    serde_json::from_str(value).map_err(|error| StoreError::corrupt(format!("meta.{key}"), error))
}

fn place(account: AccountId, region: &Region) -> String {
    format!("{LOST}/{account}/{region}")
}

/// What [`Standing`] is read from; takes [`standing_of`].
pub(super) const STANDING: &str = "SELECT key, value FROM meta WHERE key IN ($1, $2, $3, $4)";

/// The parameters of [`STANDING`] for the agents of a place.
pub(super) fn standing_of(account: AccountId, region: &Region) -> [Value; 4] {
    params![GENERATION, PROGRESS, LOST, place(account, region)]
}

/// What decides about giving jobs to the agents of the place that was asked for.
pub(super) fn read_standing(rows: &[Row]) -> Result<Standing, StoreError> {
    let mut standing = Standing::default();
    for row in rows {
        let (key, value) = (row.str("key")?, row.str("value")?);
        match key {
            GENERATION => standing.generation = parse(GENERATION, value)?,
            PROGRESS => {
                standing.comparing = parse::<Progress>(PROGRESS, value)?.finished_at.is_none();
            }
            _ => standing.lost = true,
        }
    }
    Ok(standing)
}

/// How often the database was restored.
pub async fn generation(tx: &mut Tx) -> Result<u64, StoreError> {
    match meta::seen(tx, GENERATION).await? {
        None => Ok(0),
        Some(value) => parse(GENERATION, &value),
    }
}

/// The database was restored once more.
pub async fn put_generation(tx: &mut Tx, generation: u64) -> Result<(), StoreError> {
    meta::put(tx, GENERATION, &generation.to_string()).await
}

/// The numbers that only grow, as they are now.
pub async fn high_water(tx: &mut Tx) -> Result<HighWater, StoreError> {
    let mut high = HighWater {
        generation: generation(tx).await?,
        ..HighWater::default()
    };
    let rows = tx.query("SELECT name, value FROM sequence", &[]).await?;
    for row in rows {
        let value: u64 = row.get("value")?;
        match row.str("name")? {
            name if name == Sequence::FENCE.0 => high.fence = value,
            name if name == Sequence::CHANGE.0 => high.change = value,
            name if name == Sequence::AUDIT.0 => high.audit = value,
            _ => {}
        }
    }
    Ok(high)
}

/// How far the last recovery has got; `None` before the first. Not locked.
pub async fn seen(tx: &mut Tx) -> Result<Option<Progress>, StoreError> {
    let value = meta::seen(tx, PROGRESS).await?;
    value.map(|value| parse(PROGRESS, &value)).transpose()
}

/// The same, locked until the transaction ends. The last lock but for those that every transaction takes at its end.
pub async fn progress(tx: &mut Tx) -> Result<Option<Progress>, StoreError> {
    let value = meta::get(tx, PROGRESS).await?;
    value.map(|value| parse(PROGRESS, &value)).transpose()
}

/// Writes down how far it has got.
pub async fn put_progress(tx: &mut Tx, progress: &Progress) -> Result<(), StoreError> {
    meta::put(tx, PROGRESS, &super::to_json(progress)?).await
}

/// Writes a sign of lost time down, unless there is one already; true when there was none. `at` names the place when only
/// an agent says so.
pub async fn put_lost(
    tx: &mut Tx,
    at: Option<(AccountId, &Region)>,
    lost: &LostTime,
) -> Result<bool, StoreError> {
    let key = at.map_or_else(|| LOST.to_owned(), |(account, region)| place(account, region));
    let text = super::to_json(lost)?;
    Ok(meta::settle(tx, &key, &text).await? == text)
}

/// Signs of lost time, that of the whole hub first.
pub async fn lost(tx: &mut Tx) -> Result<Vec<LostTime>, StoreError> {
    tx.query(
        "SELECT value FROM meta WHERE key = $1 OR key LIKE $2 ORDER BY key",
        &params![LOST, format!("{LOST}/%")],
    )
    .await?
    .iter()
    .map(|row| parse(LOST, row.str("value")?))
    .collect()
}

/// Time was lost, and that is known now.
pub async fn forget_lost(tx: &mut Tx) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM meta WHERE key = $1 OR key LIKE $2",
        &params![LOST, format!("{LOST}/%")],
    )
    .await
}

/// Connections that somebody may still use, by id.
pub async fn connections(tx: &mut Tx) -> Result<Vec<ConnectionId>, StoreError> {
    tx.query(
        "SELECT id FROM connection WHERE status <> 'DELETED' ORDER BY id",
        &[],
    )
    .await?
    .iter()
    .map(|row| row.text_as("id"))
    .collect()
}

/// No job is anybody's any more, and from here on no fence counts but those that are drawn after this one. Gives how many
/// leases there were. Whoever asks holds all connections, so that nobody leases meanwhile.
pub async fn void_leases(tx: &mut Tx, fence: u64, now: Timestamp) -> Result<u64, StoreError> {
    let leases = tx
        .query_one("SELECT COUNT(*) AS found FROM job WHERE status = 'LEASED'", &[])
        .await?
        .get("found")?;
    tx.execute(
        "UPDATE job SET fence = $1, at = CASE WHEN status = 'LEASED' THEN $2 ELSE at END, status = 'READY', holder = NULL,
             started = 0
         WHERE status IN ('READY', 'LEASED')",
        &params![fence, now],
    )
    .await?;
    Ok(leases)
}

/// Comparisons that have not been made are not made any more.
pub async fn void_inspections(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(
        "UPDATE job SET status = 'VOID', at = $1, holder = NULL
         WHERE status IN ('READY', 'LEASED') AND kind = 'inspect_stack'",
        &params![now],
    )
    .await
}

/// Every session has ended.
pub async fn close_sessions(tx: &mut Tx) -> Result<u64, StoreError> {
    tx.execute(
        "UPDATE agent SET session_id = NULL WHERE session_id IS NOT NULL",
        &[],
    )
    .await
}

/// Whether the hub has this deployment of this target. Nothing is locked: deployments stay what they are about.
pub async fn knows(tx: &mut Tx, target: TargetId, deployment: DeploymentId) -> Result<bool, StoreError> {
    let row = tx
        .query_opt(
            "SELECT id FROM deployment WHERE id = $1 AND target_id = $2",
            &params![deployment, target],
        )
        .await?;
    Ok(row.is_some())
}

/// Whatever was given to somebody for a while has ended: tokens and keys of logins. Gives how many of each.
pub async fn end_logins(tx: &mut Tx) -> Result<(u64, u64), StoreError> {
    let tokens = tx
        .execute(
            "UPDATE token SET disabled = 1 WHERE name = '' AND disabled = 0",
            &[],
        )
        .await?;
    let keys = tx
        .execute(
            "UPDATE access_key SET disabled = 1 WHERE name = '' AND disabled = 0",
            &[],
        )
        .await?;
    Ok((tokens, keys))
}

/// Targets that have, or had, a stack which an agent provisions, by id.
pub async fn stacks(tx: &mut Tx) -> Result<Vec<TargetRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            target_columns!(),
            " FROM target WHERE stack_name <> '' AND provisioning = 'stack' ORDER BY id"
        ),
        &[],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Whether a stack of this place is still to be compared, by an agent that can be there.
pub async fn comparing(tx: &mut Tx, account: AccountId, region: &Region) -> Result<bool, StoreError> {
    let row = tx
        .query_opt(
            "SELECT id FROM job
             WHERE account = $1 AND region = $2 AND status IN ('READY', 'LEASED') AND kind = 'inspect_stack'
               AND connection_id IN (SELECT id FROM connection WHERE status = 'CONNECTED') LIMIT 1",
            &params![account, region],
        )
        .await?;
    Ok(row.is_some())
}

/// Stacks of one place that are still to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// How many.
    pub stacks: u64,
}

fn waiting_from(row: &Row) -> Result<Waiting, StoreError> {
    Ok(Waiting {
        account: row.text_as("account")?,
        region: row.text_as("region")?,
        stacks: row.get("found")?,
    })
}

/// Where stacks are still to be compared, by agents that can be there.
pub async fn waiting(tx: &mut Tx) -> Result<Vec<Waiting>, StoreError> {
    tx.query(
        "SELECT account, region, COUNT(*) AS found FROM job
         WHERE status IN ('READY', 'LEASED') AND kind = 'inspect_stack'
           AND connection_id IN (SELECT id FROM connection WHERE status = 'CONNECTED')
         GROUP BY account, region ORDER BY account, region",
        &[],
    )
    .await?
    .iter()
    .map(waiting_from)
    .collect()
}

/// Comparisons of an account that have not been made.
pub async fn open_inspections(
    tx: &mut Tx,
    account: AccountId,
) -> Result<Vec<hadron_proto::vocab::JobId>, StoreError> {
    tx.query(
        "SELECT id FROM job WHERE status IN ('READY', 'LEASED') AND kind = 'inspect_stack' AND account = $1 ORDER BY id",
        &params![account],
    )
    .await?
    .iter()
    .map(|row| row.text_as("id"))
    .collect()
}
