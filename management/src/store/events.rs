//! Rows of changes of status, written in the transaction of the change by whoever writes the row that changed: nobody
//! else can, and nobody can forget it. And how far those have come who are told about them.

use hadron_domain::arn::Resource;
use hadron_domain::event::status_change;
use hadron_proto::vocab::{AccountId, EventId, JobId, Region, Timestamp};

use super::db::{HUB, Late, Row, Topic, Tx, params};
use super::sealing::Sealed;
use super::{StoreError, json, to_json};

macro_rules! event_columns {
    () => {
        "sequence, id, at, resource, account, region, detail_type, detail"
    };
}

/// A change of status.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// Its place among all changes.
    pub sequence: u64,
    /// Its id.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// What changed.
    pub resource: Resource,
    /// Account and Region of the resource, where they are not the hub's.
    pub place: Option<(AccountId, Region)>,
    /// Which sort of change.
    pub detail_type: String,
    /// What it was and is.
    pub detail: serde_json::Value,
}

fn from_row(row: &Row) -> Result<EventRow, StoreError> {
    let account: Option<AccountId> = row.text_as_opt("account")?;
    let region: Option<Region> = row.text_as_opt("region")?;
    Ok(EventRow {
        sequence: row.get("sequence")?,
        id: row.text_as("id")?,
        at: row.get("at")?,
        resource: row.text_as("resource")?,
        place: account.zip(region),
        detail_type: row.get("detail_type")?,
        detail: json(row, "detail")?,
    })
}

/// Something has this status now; nothing is written when it had it before. `before` is `None` for what is new.
pub(super) async fn told(
    tx: &mut Tx,
    resource: &Resource,
    place: Option<(AccountId, &Region)>,
    before: Option<&str>,
    after: &str,
) -> Result<(), StoreError> {
    let Some(change) = status_change(resource, before, after) else {
        return Ok(());
    };
    let at = tx.now().await?;
    let id: EventId = tx.fresh_id();
    tx.late(
        Late::Event,
        None,
        "INSERT INTO event (sequence, id, at, resource, account, region, detail_type, detail)
         VALUES ((SELECT value FROM sequence WHERE name = 'change') - $1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            id,
            at,
            resource.to_string(),
            place.map(|(account, _)| account.to_string()),
            place.map(|(_, region)| region.to_string()),
            change.detail_type,
            to_json(&change.detail)?
        ]
        .to_vec(),
    );
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Events after `after`, oldest first.
pub async fn after(tx: &mut Tx, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            event_columns!(),
            " FROM event WHERE sequence > $1 ORDER BY sequence LIMIT $2"
        ),
        &params![after, limit],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// One event; `None` when it was forgotten.
pub async fn get(tx: &mut Tx, sequence: u64) -> Result<Option<EventRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!("SELECT ", event_columns!(), " FROM event WHERE sequence = $1"),
            &params![sequence],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The latest event.
pub async fn latest(tx: &mut Tx) -> Result<u64, StoreError> {
    let row = tx
        .query_opt("SELECT sequence FROM event ORDER BY sequence DESC LIMIT 1", &[])
        .await?;
    row.map_or(Ok(0), |row| row.get("sequence"))
}

/// The event that has as many after it as may be kept; `None` when there are not so many.
pub async fn last_of(tx: &mut Tx, kept: u32) -> Result<Option<u64>, StoreError> {
    let row = tx
        .query_opt(
            "SELECT sequence FROM event ORDER BY sequence DESC LIMIT 1 OFFSET $1",
            &params![kept],
        )
        .await?;
    row.map(|row| row.get("sequence")).transpose()
}

/// The latest event of before `before`.
pub async fn last_before(tx: &mut Tx, before: Timestamp) -> Result<Option<u64>, StoreError> {
    let row = tx
        .query_opt(
            "SELECT sequence FROM event WHERE at < $1 ORDER BY sequence DESC LIMIT 1",
            &params![before],
        )
        .await?;
    row.map(|row| row.get("sequence")).transpose()
}

/// Forgets events up to and with this one; answers how many.
pub async fn forget(tx: &mut Tx, upto: u64) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM event WHERE sequence <= $1", &params![upto])
        .await
}

/// How many events up to and with `upto` somebody has not been told who was told up to `told`.
pub async fn untold(tx: &mut Tx, told: u64, upto: u64) -> Result<u64, StoreError> {
    let row = tx
        .query_one(
            "SELECT COUNT(*) AS found FROM event WHERE sequence > $1 AND sequence <= $2",
            &params![told, upto],
        )
        .await?;
    row.get("found")
}

/// Somebody who is told about events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkRow {
    /// Its name.
    pub name: String,
    /// Every event up to this one was told, but for those in `again`.
    pub told: u64,
    /// Events that were refused and are offered once more.
    pub again: Vec<u64>,
    /// How often it was tried in vain since it last was not.
    pub attempts: u32,
    /// Nobody tries before.
    pub due_at: Timestamp,
    /// The job that is telling.
    pub job: Option<JobId>,
    /// Why it was tried in vain.
    pub last_error: String,
}

/// One sink. It is told about events from the first time on that it is asked for here.
pub async fn sink(tx: &mut Tx, name: &'static str, now: Timestamp) -> Result<SinkRow, StoreError> {
    let latest = latest(tx).await?;
    tx.execute(
        "INSERT INTO event_sink (name, told, again, attempts, due_at, job, last_error)
         VALUES ($1, $2, '[]', 0, $3, NULL, '') ON CONFLICT (name) DO NOTHING",
        &params![name, latest, now],
    )
    .await?;
    let row = tx
        .query_one(
            "SELECT name, told, again, attempts, due_at, job, last_error FROM event_sink WHERE name = $1 /*for-update*/",
            &params![name],
        )
        .await?;
    Ok(SinkRow {
        name: row.get("name")?,
        told: row.get("told")?,
        again: json(&row, "again")?,
        attempts: row.get("attempts")?,
        due_at: row.get("due_at")?,
        job: row.text_as_opt("job")?,
        last_error: Sealed {
            table: "event_sink",
            key: name,
            row: &row,
        }
        .text("last_error")?,
    })
}

/// Whether there is something to tell a sink; false before it was ever asked for.
pub async fn waits(tx: &mut Tx, name: &'static str) -> Result<bool, StoreError> {
    let row = tx
        .query_opt(
            "SELECT s.again AS again, (SELECT MAX(sequence) FROM event) AS latest, s.told AS told
             FROM event_sink s WHERE s.name = $1",
            &params![name],
        )
        .await?;
    let Some(row) = row else { return Ok(true) };
    let latest: Option<u64> = row.get("latest")?;
    let told: u64 = row.get("told")?;
    Ok(row.str("again")? != "[]" || latest.is_some_and(|latest| latest > told))
}

/// Writes a sink back. Whoever does so holds its row since [`sink`].
pub async fn put_sink(tx: &mut Tx, row: &SinkRow) -> Result<(), StoreError> {
    let [last_error] = tx
        .seal(HUB, "event_sink", &row.name, [("last_error", &row.last_error)])
        .await?;
    tx.execute(
        "UPDATE event_sink SET told = $2, again = $3, attempts = $4, due_at = $5, job = $6, last_error = $7 WHERE name = $1",
        &params![
            &row.name,
            row.told,
            to_json(&row.again)?,
            row.attempts,
            row.due_at,
            row.job,
            last_error
        ],
    )
    .await?;
    Ok(())
}
