//! Put checkpoints of the hub's audit log where nobody can take them away: into a bucket with Object Lock.
//!
//! The object is put only where there is none of its key yet, so that an attempt that was cut off after the call leaves
//! one object and not two versions of it.

use super::attempt::{Attempt, Halt, failed};
use super::{Step, StepLog};
use crate::aws::{Account, AwsError, Kind, LockedObjects as _};
use crate::job::{FailureKind, Hub, Outcome, PutCheckpoints};

pub(super) async fn run<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &PutCheckpoints,
) -> Result<Outcome, Halt> {
    let step = Step::PutCheckpoints {
        object: work.to_string(),
    };
    let put = at
        .act(&step, || at.account.locked_objects().put_locked(work))
        .await?;
    match put {
        Ok(()) => Ok(Outcome::CheckpointsPut { were_there: false }),
        Err(error) if error.kind == Kind::AlreadyExists => Ok(Outcome::CheckpointsPut { were_there: true }),
        Err(error) => Err(unkept(work, &error)),
    }
}

/// Why the bucket does not take them, in the words of whoever made it.
fn unkept(work: &PutCheckpoints, error: &AwsError) -> Halt {
    let bucket = &work.bucket;
    let code = error.code.as_deref().unwrap_or_default();
    let why = match (error.kind, code) {
        (_, "NoSuchBucket") => format!("there is no bucket '{bucket}'"),
        (_, "InvalidRequest" | "ObjectLockConfigurationNotFoundError") => {
            format!("bucket '{bucket}' has no Object Lock, which has to be switched on for it")
        }
        (Kind::Denied, _) => format!(
            "the agent's role may not put it there, or the bucket is not of account {}; the role needs s3:PutObject and \
             s3:PutObjectRetention on it, as `hadron-agent role --management --audit-bucket {bucket}` prints it",
            work.owner
        ),
        _ => {
            let doing = format!("cannot put {work}");
            return failed(&doing, error, FailureKind::Other);
        }
    };
    let kind = match error.kind {
        Kind::Denied => FailureKind::AccessDenied,
        _ => FailureKind::Other,
    };
    Halt::failed(kind, format!("cannot put {work}: {why} ({error})"))
}
