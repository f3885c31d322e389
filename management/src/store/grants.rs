//! Rows of policy lanes: one per ECR repository that Hadron grants pulls from.

use std::collections::{BTreeMap, BTreeSet};

use hadron_domain::grant::{Because, PolicyLane, Repository};
use hadron_proto::vocab::{AccountId, JobId, Timestamp};

use super::db::{Row, Topic, Tx, params};
use super::{StoreError, UNREAD, json, to_json};

macro_rules! policy_lane_columns {
    () => {
        "registry, region, repository, state, reasons, job_id, checked_at, changed_at"
    };
}

/// A lane with what is known around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneRow {
    /// The rules' view of it.
    pub lane: PolicyLane,
    /// Why each wanted reader may pull.
    pub reasons: BTreeMap<AccountId, BTreeSet<Because>>,
    /// When the policy was last written or found as wanted.
    pub checked_at: Timestamp,
    /// When anything about it last changed.
    pub changed_at: Timestamp,
}

fn from_row(row: &Row) -> Result<LaneRow, StoreError> {
    let reasons: Vec<(AccountId, BTreeSet<Because>)> = json(row, "reasons")?;
    Ok(LaneRow {
        lane: json(row, "state")?,
        reasons: reasons.into_iter().collect(),
        checked_at: row.get("checked_at")?,
        changed_at: row.get("changed_at")?,
    })
}

/// Writes a lane, new or not.
pub async fn put(tx: &mut Tx, row: &LaneRow) -> Result<(), StoreError> {
    let repository = &row.lane.repository;
    let reasons: Vec<(&AccountId, &BTreeSet<Because>)> = row.reasons.iter().collect();
    tx.execute(
        "INSERT INTO policy_lane (registry, region, repository, state, reasons, job_id, checked_at, changed_at, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (registry, region, repository) DO UPDATE SET state = excluded.state, reasons = excluded.reasons,
             job_id = excluded.job_id, checked_at = excluded.checked_at, changed_at = excluded.changed_at,
             changed = excluded.changed",
        &params![
            repository.registry,
            &repository.region,
            &repository.name,
            to_json(&row.lane)?,
            to_json(&reasons)?,
            row.lane.writing.as_ref().map(|(job, _)| *job),
            row.checked_at,
            row.changed_at,
            UNREAD
        ],
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Removes a lane that nobody needs any more.
pub async fn remove(tx: &mut Tx, repository: &Repository) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM policy_lane WHERE registry = $1 AND region = $2 AND repository = $3",
        &params![repository.registry, &repository.region, &repository.name],
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// The lane of a repository as it was a moment ago. Not locked.
pub async fn seen(tx: &mut Tx, repository: &Repository) -> Result<Option<LaneRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                policy_lane_columns!(),
                " FROM policy_lane WHERE registry = $1 AND region = $2 AND repository = $3"
            ),
            &params![repository.registry, &repository.region, &repository.name],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The lane of a repository, locked until the transaction ends.
pub async fn get(tx: &mut Tx, repository: &Repository) -> Result<Option<LaneRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                policy_lane_columns!(),
                " FROM policy_lane WHERE registry = $1 AND region = $2 AND repository = $3 /*for-update*/"
            ),
            &params![repository.registry, &repository.region, &repository.name],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The lane that a job writes, locked until the transaction ends.
pub async fn by_job(tx: &mut Tx, job: JobId) -> Result<Option<LaneRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                policy_lane_columns!(),
                " FROM policy_lane WHERE job_id = $1 /*for-update*/"
            ),
            &params![job],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// All lanes, in order; locked until the transaction ends.
pub async fn all(tx: &mut Tx) -> Result<Vec<LaneRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            policy_lane_columns!(),
            " FROM policy_lane ORDER BY registry, region, repository /*for-update*/"
        ),
        &[],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}
