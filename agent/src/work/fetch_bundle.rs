//! Read a template bundle from S3 and hand it over.
//!
//! Nothing is changed in AWS, so there is nothing to find again: a second attempt reads the object as it is then and hands
//! that over instead. The bundle is not looked into: what is right or wrong with it is for the hub to say, and no step of
//! it is in the journal.

use hadron_proto::vocab::Digest;

use super::StepLog;
use super::attempt::{Attempt, Halt};
use crate::aws::{Account, AwsError, Bundles as _, Kind, Object};
use crate::job::{FailureKind, FetchBundle, Hub, Outcome};

/// The most that is ever kept in memory for a bundle, whatever the hub asks for.
const MOST: u64 = 5 * 1024 * 1024;

pub(super) async fn run<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &FetchBundle,
) -> Result<Outcome, Halt> {
    let most = work.max_bytes.min(MOST);
    let read = at
        .ask(|| at.account.bundles().object(&work.bucket, &work.key, most))
        .await?;
    let content = match read {
        Ok(Object::Whole(content)) => content,
        Ok(Object::TooLarge(size)) => {
            let size = size.map_or_else(
                || format!("more than {most} bytes"),
                |size| format!("{size} bytes; at most {most} are allowed"),
            );
            let message =
                format!("{work} has {size}: leave build results and dependencies out of the bundle");
            return Err(Halt::failed(FailureKind::ObjectTooLarge, message));
        }
        Err(error) => return Err(unread(at.job, work, &error)),
    };
    let (digest, bytes) = (Digest::of(&content), content.len() as u64);
    at.stop.check()?;
    hadron_proto::fault::point("C68");
    at.hub.put_content(at.job.token, content).await?;
    hadron_proto::fault::point("C69");
    Ok(Outcome::BundleFetched { digest, bytes })
}

/// Why the object cannot be read, in the words of whoever put it there.
fn unread(job: &crate::job::Job, work: &FetchBundle, error: &AwsError) -> Halt {
    let (bucket, key, region) = (&work.bucket, &work.key, &job.region);
    let code = error.code.as_deref().unwrap_or_default();
    let (kind, why) = match (error.kind, code) {
        (_, "NoSuchBucket") => (
            FailureKind::ObjectMissing,
            format!("there is no bucket '{bucket}'"),
        ),
        (_, "NoSuchKey") => (
            FailureKind::ObjectMissing,
            format!("there is no object '{key}' in bucket '{bucket}'"),
        ),
        (_, "PermanentRedirect" | "IllegalLocationConstraintException" | "AuthorizationHeaderMalformed") => (
            FailureKind::ObjectMissing,
            format!("bucket '{bucket}' is not in Region {region}; copy the bundle into one that is"),
        ),
        (_, "InvalidObjectState") => (
            FailureKind::ObjectMissing,
            "the object is archived; restore it, or copy it into another storage class".to_owned(),
        ),
        (Kind::NotFound, _) => (
            FailureKind::ObjectMissing,
            "there is no such object, or no such bucket".to_owned(),
        ),
        (Kind::Denied | Kind::TokenExpired, _) => (
            FailureKind::AccessDenied,
            format!(
                "the role of the agent in account {} may not read it, or it does not exist; the role needs s3:GetObject \
                 on it (and kms:Decrypt where it is encrypted with a key of one's own), as `hadron-agent role \
                 --management --bundle-bucket {bucket}` prints it, and the bucket's policy must not forbid it",
                job.account
            ),
        ),
        _ => (FailureKind::Other, "S3 gave no answer that helps".to_owned()),
    };
    Halt::failed(kind, format!("cannot read {work}: {why} ({error})"))
}
