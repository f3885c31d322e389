//! Copies of signed checkpoints where nobody can take them away: the agent of the management account puts them into a bucket
//! with Object Lock, since the hub has no credentials for it.
//!
//! Each copy is an object of its own that nobody ever writes again: its key names the hub, the generation and the row of the
//! last checkpoint in it. So a job that was done twice leaves one object, and a hub in hostile hands can add copies, but
//! neither change nor remove one.

use std::time::Duration;

use hadron_domain::audit::Signed;
use hadron_domain::job::Job;
use hadron_proto::vocab::{AccountId, BucketName};

use super::effects::Outcome;
use super::{App, AppError, Unit, events};
use crate::store::checkpoint_copies::{self, CopyRow};
use crate::store::jobs::{JobRow, JobWork, LockMode, LockedLines};
use crate::store::{audit, connections, jobs, to_json};

/// The copy in S3.
const S3: &str = "s3";
/// How many checkpoints one object holds at most, some 400 bytes each.
const MOST: u32 = 500;

/// A bucket with Object Lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedBucket {
    /// Its name.
    pub bucket: BucketName,
    /// The account that it belongs to.
    pub owner: AccountId,
    /// What keys begin with; ends with a slash unless it is empty.
    pub prefix: String,
    /// How long nobody can remove what is put there.
    pub keep: Duration,
    /// Whether really nobody.
    pub mode: LockMode,
}

impl LockedBucket {
    /// The object for these checkpoints of a hub; `None` for none.
    fn object(&self, hub: &str, signed: &[Signed]) -> Result<Option<LockedLines>, AppError> {
        let Some(last) = signed.last().map(|last| &last.checkpoint) else {
            return Ok(None);
        };
        let mut lines = String::new();
        for one in signed {
            lines.push_str(&to_json(one)?);
            lines.push('\n');
        }
        let Self { bucket, prefix, .. } = self;
        let (generation, sequence) = (last.generation, last.sequence);
        Ok(Some(LockedLines {
            bucket: bucket.to_string(),
            owner: self.owner,
            key: format!("{prefix}{hub}/{generation:06}/{sequence:016}.jsonl"),
            lines,
            last: (generation, sequence),
            retain_until: last.at.plus(self.keep),
            mode: self.mode,
        }))
    }
}

impl App {
    /// Makes a job of the checkpoints that are not in the bucket yet, unless one is under way.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn offer_checkpoints(&self) -> Result<(), AppError> {
        let Some(to) = self.settings().audit_copy.clone() else {
            return Ok(());
        };
        let waits = self.read("checkpoint copies", |tx| {
            Box::pin(async move { Ok(checkpoint_copies::waits(tx, S3).await?) })
        });
        if !waits.await? {
            return Ok(());
        }
        self.write("offer checkpoints", move |unit| {
            Box::pin(async move { unit.offer_checkpoints(&to).await })
        })
        .await
    }
}

impl Unit<'_> {
    async fn offer_checkpoints(&mut self, to: &LockedBucket) -> Result<(), AppError> {
        let mut copy = checkpoint_copies::copy(self.tx, S3, self.now).await?;
        if let Some(job) = copy.job {
            // A job that has ended has said so here; one that is gone will not.
            if jobs::exists(self.tx, job).await? {
                return Ok(());
            }
            copy.job = None;
        }
        if copy.due_at > self.now {
            return Ok(());
        }
        let signed = audit::checkpoints(self.tx, copy.last, MOST).await?;
        let settings = self.settings().clone();
        let Some(object) = to.object(&settings.hub_id, &signed)? else {
            return Ok(());
        };
        let Some(connection) = connections::management(self.tx).await? else {
            return Ok(());
        };
        let job = JobRow {
            job: Job::new(self.fresh_id(), self.now),
            account: settings.account,
            region: settings.region,
            connection: connection.connection.id,
            deployment: None,
            label: format!("checkpoints of the audit log for {}", object.bucket),
            work: JobWork::PutCheckpoints(object),
            created_at: self.now,
        };
        copy.job = Some(job.job.id);
        jobs::insert(self.tx, &job).await?;
        Ok(checkpoint_copies::put(self.tx, &copy).await?)
    }

    /// The agent has put checkpoints into the bucket, or could not.
    pub(super) async fn checkpoints_put(&mut self, job: &JobRow, outcome: Outcome) -> Result<(), AppError> {
        let JobWork::PutCheckpoints(object) = &job.work else {
            return Err(AppError::internal("a job that puts no checkpoints"));
        };
        let mut copy = checkpoint_copies::copy(self.tx, S3, self.now).await?;
        if copy.job != Some(job.job.id) {
            return Ok(());
        }
        copy.job = None;
        match outcome {
            Outcome::CheckpointsPut { .. } => {
                copy.last = copy.last.max(object.last);
                copy.attempts = 0;
                copy.due_at = self.now;
            }
            Outcome::Failed { message, .. } => self.in_vain(&mut copy, object, &message),
            _ => {
                let why = "the agent reported the outcome of another sort of job";
                self.in_vain(&mut copy, object, why);
            }
        }
        Ok(checkpoint_copies::put(self.tx, &copy).await?)
    }

    fn in_vain(&self, copy: &mut CopyRow, object: &LockedLines, why: &str) {
        copy.due_at = self.now.plus(events::pause(copy.attempts));
        copy.attempts = copy.attempts.saturating_add(1);
        tracing::warn!(
            bucket = object.bucket,
            attempts = copy.attempts,
            "Checkpoints of the audit log are not in the bucket, which is tried again: {why}"
        );
    }
}
