//! Wire to words and back. Past this module nothing is optional by accident, and no generated type is seen.

use std::fmt;
use std::str::FromStr;

use hadron_proto::vocab::{StackArn, Timestamp};
use hadron_proto::wire;

use crate::aws::Calls;
use crate::job::{
    Act, ApplyStack, DestroyStack, EventEntry, Failure, FailureKind, FetchBundle, InspectStack, Inspection,
    Job, LockMode, Operation, Outcome, PutCheckpoints, PutEvents, ResourceChange, RevokeStack, RoleKind,
    SetPullPolicy, StackEvent, StackResource, Token, Work,
};

/// A message of the hub that this agent cannot make sense of.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// A field is missing that this agent cannot do without.
    #[error("the hub's message has no {0}")]
    Missing(&'static str),
    /// A field that does not say what it should.
    #[error("the hub's message has a wrong {field}: {why}")]
    Wrong {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A kind of work, or of role, from a later protocol.
    #[error("this agent does not know the {0} that the hub asks for; update the agent")]
    Unknown(&'static str),
}

fn parse<T: FromStr<Err: fmt::Display>>(field: &'static str, text: &str) -> Result<T, Unreadable> {
    text.parse().map_err(|error: T::Err| Unreadable::Wrong {
        field,
        why: error.to_string(),
    })
}

fn optional<T: FromStr<Err: fmt::Display>>(field: &'static str, text: &str) -> Result<Option<T>, Unreadable> {
    if text.is_empty() {
        Ok(None)
    } else {
        parse(field, text).map(Some)
    }
}

/// A token.
///
/// # Errors
/// When it is missing or its job id is none.
pub(crate) fn token(token: Option<&wire::JobToken>) -> Result<Token, Unreadable> {
    let token = token.ok_or(Unreadable::Missing("token"))?;
    Ok(Token {
        job: parse("job id", &token.job_id)?,
        fence: token.fence,
    })
}

/// A token, for the wire.
#[must_use]
pub(crate) fn wire_token(token: Token) -> wire::JobToken {
    wire::JobToken {
        job_id: token.job.to_string(),
        fence: token.fence,
    }
}

/// The kinds of work that this agent can do, as announced to the hub.
pub(crate) const CAPABILITIES: [&str; 8] = [
    "apply_stack",
    "destroy_stack",
    "revoke_stack",
    "set_pull_policy",
    "put_events",
    "fetch_bundle",
    "inspect_stack",
    "put_checkpoints",
];

/// The capability that a piece of work asks for.
#[must_use]
pub(crate) const fn capability(work: &Work) -> &'static str {
    match work {
        Work::ApplyStack(_) => CAPABILITIES[0],
        Work::DestroyStack(_) => CAPABILITIES[1],
        Work::RevokeStack(_) => CAPABILITIES[2],
        Work::SetPullPolicy(_) => CAPABILITIES[3],
        Work::PutEvents(_) => CAPABILITIES[4],
        Work::FetchBundle(_) => CAPABILITIES[5],
        Work::InspectStack(_) => CAPABILITIES[6],
        Work::PutCheckpoints(_) => CAPABILITIES[7],
    }
}

/// A length of time; zero when the message has none or a negative one.
#[must_use]
pub(crate) fn duration(duration: Option<&prost_types::Duration>) -> std::time::Duration {
    duration
        .and_then(|duration| std::time::Duration::try_from(*duration).ok())
        .unwrap_or_default()
}

/// A job.
///
/// # Errors
/// When a field of the offer cannot be understood. Its token may still be readable.
pub(crate) fn job(offer: &wire::Offer) -> Result<Job, Unreadable> {
    Ok(Job {
        token: token(offer.token.as_ref())?,
        attempt: offer.attempt,
        deployment: optional("deployment id", &offer.deployment_id)?,
        label: offer.label.clone(),
        account: parse("account", &offer.account_id)?,
        region: parse("Region", &offer.region)?,
        work: match offer.work.as_ref().ok_or(Unreadable::Unknown("kind of work"))? {
            wire::offer::Work::ApplyStack(apply) => Work::ApplyStack(apply_stack(apply)?),
            wire::offer::Work::DestroyStack(destroy) => Work::DestroyStack(DestroyStack {
                stack_name: destroy.stack_name.clone(),
                stack_arn: optional("stack ARN", &destroy.stack_arn)?,
                role_kind: role_kind(destroy.role_kind)?,
                role: optional("role ARN", &destroy.role_arn)?,
                retain_resources: destroy.retain_resources.clone(),
            }),
            wire::offer::Work::RevokeStack(revoke) => Work::RevokeStack(RevokeStack {
                stack_name: revoke.stack_name.clone(),
                stack_arn: optional("stack ARN", &revoke.stack_arn)?,
                never_succeeded: revoke.never_succeeded,
                role_kind: role_kind(revoke.role_kind)?,
                role: optional("role ARN", &revoke.role_arn)?,
            }),
            wire::offer::Work::SetPullPolicy(policy) => Work::SetPullPolicy(SetPullPolicy {
                repository: parse("repository", &policy.repository)?,
                readers: policy
                    .readers
                    .iter()
                    .map(|id| parse("reader", id))
                    .collect::<Result<_, _>>()?,
            }),
            wire::offer::Work::PutEvents(put) => Work::PutEvents(PutEvents {
                bus: put.bus.clone(),
                entries: put.entries.iter().map(event_entry).collect::<Result<_, _>>()?,
            }),
            wire::offer::Work::PutCheckpoints(put) => Work::PutCheckpoints(put_checkpoints(put)?),
            wire::offer::Work::FetchBundle(fetch) => Work::FetchBundle(fetch_bundle(fetch)?),
            wire::offer::Work::InspectStack(inspect) => Work::InspectStack(InspectStack {
                stack_name: inspect.stack_name.clone(),
                stack_arn: optional("stack ARN", &inspect.stack_arn)?,
            }),
        },
    })
}

fn event_entry(entry: &wire::EventEntry) -> Result<EventEntry, Unreadable> {
    let at = entry.at.as_ref().ok_or(Unreadable::Missing("time of an event"))?;
    Ok(EventEntry {
        source: entry.source.clone(),
        detail_type: entry.detail_type.clone(),
        detail: entry.detail.clone(),
        resources: entry.resources.clone(),
        at: Timestamp::from_micros(at.seconds.saturating_mul(1_000_000)),
    })
}

fn put_checkpoints(put: &wire::PutCheckpoints) -> Result<PutCheckpoints, Unreadable> {
    let until = put
        .retain_until
        .as_ref()
        .ok_or(Unreadable::Missing("end of retention"))?;
    Ok(PutCheckpoints {
        bucket: put.bucket.clone(),
        owner: parse("owner of the bucket", &put.owner_id)?,
        key: put.key.clone(),
        lines: put.lines.clone(),
        retain_until: Timestamp::from_micros(until.seconds.saturating_mul(1_000_000)),
        mode: match wire::LockMode::try_from(put.mode) {
            Ok(wire::LockMode::Compliance) => LockMode::Compliance,
            Ok(wire::LockMode::Governance) => LockMode::Governance,
            Ok(wire::LockMode::Unspecified) => return Err(Unreadable::Missing("mode of Object Lock")),
            Err(_) => return Err(Unreadable::Unknown("mode of Object Lock")),
        },
    })
}

fn apply_stack(apply: &wire::ApplyStack) -> Result<ApplyStack, Unreadable> {
    Ok(ApplyStack {
        stack_name: apply.stack_name.clone(),
        stack_arn: optional("stack ARN", &apply.stack_arn)?,
        template_digest: parse("template digest", &apply.template_digest)?,
        template_bytes: apply.template_bytes,
        role_kind: role_kind(apply.role_kind)?,
        role: optional("role ARN", &apply.role_arn)?,
        tags: apply
            .tags
            .iter()
            .map(|tag| (tag.key.clone(), tag.value.clone()))
            .collect(),
        capabilities: apply.capabilities.clone(),
        resource_types: apply.resource_types.clone(),
        never_succeeded: apply.never_succeeded,
        has_source: apply.has_source,
    })
}

fn fetch_bundle(fetch: &wire::FetchBundle) -> Result<FetchBundle, Unreadable> {
    if fetch.bucket.is_empty() {
        return Err(Unreadable::Missing("bucket"));
    }
    if fetch.key.is_empty() {
        return Err(Unreadable::Missing("key"));
    }
    Ok(FetchBundle {
        bucket: fetch.bucket.clone(),
        key: fetch.key.clone(),
        max_bytes: fetch.max_bytes,
    })
}

fn role_kind(kind: i32) -> Result<RoleKind, Unreadable> {
    match wire::RoleKind::try_from(kind) {
        Ok(wire::RoleKind::Provisioning) => Ok(RoleKind::Provisioning),
        Ok(wire::RoleKind::Pipeline) => Ok(RoleKind::Pipeline),
        Ok(wire::RoleKind::Component) => Ok(RoleKind::Component),
        Ok(wire::RoleKind::Unspecified) => Err(Unreadable::Missing("kind of role")),
        Err(_) => Err(Unreadable::Unknown("kind of role")),
    }
}

/// The report of a job's end.
#[must_use]
pub(crate) fn report(token: Token, outcome: Outcome) -> wire::ReportRequest {
    use wire::report_request::Outcome as Wire;
    let arn = |stack: Option<StackArn>| stack.map(String::from).unwrap_or_default();
    let outcome = match outcome {
        Outcome::Applied {
            stack,
            outputs,
            resources,
            no_changes,
        } => Wire::Applied(wire::StackApplied {
            stack_arn: stack.into(),
            outputs: outputs
                .into_iter()
                .map(|(key, value)| wire::Output { key, value })
                .collect(),
            resources: resources.into_iter().map(resource).collect(),
            no_changes,
        }),
        Outcome::Gone { stack } => Wire::Gone(wire::StackGone {
            stack_arn: arn(stack),
        }),
        Outcome::Revoked { stack } => Wire::Revoked(wire::Revoked {
            stack_arn: arn(stack),
        }),
        Outcome::PullPolicySet { changed, warnings } => {
            Wire::PullPolicy(wire::PullPolicySet { changed, warnings })
        }
        Outcome::EventsPut { refused } => Wire::EventsPut(wire::EventsPut {
            refused: refused
                .into_iter()
                .map(|(place, reason)| wire::RefusedEvent {
                    entry: u32::try_from(place).unwrap_or(u32::MAX),
                    reason,
                })
                .collect(),
        }),
        Outcome::CheckpointsPut { were_there } => Wire::CheckpointsPut(wire::CheckpointsPut { were_there }),
        Outcome::BundleFetched { digest, bytes } => Wire::BundleFetched(wire::BundleFetched {
            digest: digest.to_string(),
            bytes,
        }),
        Outcome::Inspected(inspection) => Wire::Inspected(inspected(inspection)),
        Outcome::Failed(Failure {
            kind,
            message,
            stack,
            stack_status,
            resources,
        }) => Wire::Failed(wire::JobFailed {
            kind: failure_kind(kind).into(),
            message,
            stack_arn: arn(stack),
            stack_status: stack_status.unwrap_or_default(),
            resources: resources.into_iter().map(resource).collect(),
        }),
    };
    wire::ReportRequest {
        token: Some(wire_token(token)),
        outcome: Some(outcome),
    }
}

fn inspected(inspection: Inspection) -> wire::StackInspected {
    let (stack_arn, stack_status) = inspection
        .stack
        .map_or_else(Default::default, |(stack, status)| (String::from(stack), status));
    let operation = |operation: Operation| wire::StackOperation {
        token: operation.token,
        deployment_id: operation.deployment.map(|id| id.to_string()).unwrap_or_default(),
        at: Some(timestamp(operation.at.as_micros())),
    };
    wire::StackInspected {
        stack_arn,
        stack_status,
        operations: inspection.operations.into_iter().map(operation).collect(),
        removed_change_sets: inspection.removed,
    }
}

const fn failure_kind(kind: FailureKind) -> wire::FailureKind {
    match kind {
        FailureKind::StackFailed => wire::FailureKind::StackFailed,
        FailureKind::DeleteFailed => wire::FailureKind::DeleteFailed,
        FailureKind::RollbackFailed => wire::FailureKind::RollbackFailed,
        FailureKind::LocalPolicy => wire::FailureKind::LocalPolicy,
        FailureKind::StackVanished => wire::FailureKind::StackVanished,
        FailureKind::ForeignOperation => wire::FailureKind::ForeignOperation,
        FailureKind::AccessDenied => wire::FailureKind::AccessDenied,
        FailureKind::InvalidTemplate => wire::FailureKind::InvalidTemplate,
        FailureKind::Deadline => wire::FailureKind::Deadline,
        FailureKind::RepositoryMissing => wire::FailureKind::RepositoryMissing,
        FailureKind::PolicyTooLong => wire::FailureKind::PolicyTooLong,
        FailureKind::PolicyConflict => wire::FailureKind::PolicyConflict,
        FailureKind::ObjectMissing => wire::FailureKind::ObjectMissing,
        FailureKind::ObjectTooLarge => wire::FailureKind::ObjectTooLarge,
        FailureKind::Other => wire::FailureKind::Other,
    }
}

fn resource(resource: StackResource) -> wire::StackResource {
    let StackResource {
        logical_id,
        physical_id,
        resource_type,
        status,
    } = resource;
    wire::StackResource {
        logical_id,
        physical_id,
        resource_type,
        status,
    }
}

/// The question for leave to act.
#[must_use]
pub(crate) fn authorise(token: Token, act: Act) -> wire::AuthoriseRequest {
    use wire::authorise_request::Act as Wire;
    let act = match act {
        Act::Execute {
            stack,
            change_set_arn,
            digest,
            changes,
        } => Wire::Execute(wire::ExecuteChangeSet {
            stack_arn: stack.into(),
            change_set_arn,
            changes_digest: digest.to_string(),
            changes: changes.into_iter().map(change).collect(),
        }),
        Act::Delete { stack } => Wire::Delete(wire::DeleteStackByArn {
            stack_arn: stack.into(),
        }),
    };
    wire::AuthoriseRequest {
        token: Some(wire_token(token)),
        act: Some(act),
    }
}

fn change(change: ResourceChange) -> wire::ResourceChange {
    let ResourceChange {
        action,
        logical_id,
        physical_id,
        resource_type,
        replacement,
    } = change;
    wire::ResourceChange {
        action,
        logical_id,
        physical_id,
        resource_type,
        replacement,
    }
}

/// Stack events.
#[must_use]
pub(crate) fn events(token: Token, events: Vec<StackEvent>) -> wire::PostEventsRequest {
    let event = |event: StackEvent| wire::StackEvent {
        event_id: event.event_id,
        at: Some(timestamp(event.at.as_micros())),
        logical_id: event.logical_id,
        physical_id: event.physical_id,
        resource_type: event.resource_type,
        status: event.status,
        reason: event.reason,
    };
    wire::PostEventsRequest {
        token: Some(wire_token(token)),
        events: events.into_iter().map(event).collect(),
    }
}

fn timestamp(micros: i64) -> prost_types::Timestamp {
    let nanos =
        i32::try_from(micros.rem_euclid(1_000_000) * 1000).expect("less than a second of nanoseconds fits");
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos,
    }
}

/// Requests to AWS, for the wire.
#[must_use]
pub(crate) fn aws_calls(calls: Calls) -> wire::AwsCalls {
    wire::AwsCalls {
        service: calls.service,
        operation: calls.operation,
        code: calls.code,
        count: calls.count,
        throttled: calls.throttled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> wire::Offer {
        wire::Offer {
            token: Some(wire::JobToken {
                job_id: "job_00000000000070008000000000000001".to_owned(),
                fence: 7,
            }),
            attempt: 1,
            account_id: "333333333333".to_owned(),
            region: "us-east-1".to_owned(),
            work: Some(wire::offer::Work::SetPullPolicy(wire::SetPullPolicy {
                repository: "web".to_owned(),
                readers: vec!["444444444444".to_owned()],
            })),
            ..wire::Offer::default()
        }
    }

    #[test]
    fn offers_become_jobs() {
        let job = job(&offer()).unwrap();
        assert_eq!((job.token.fence, job.deployment), (7, None));
        assert!(matches!(job.work, Work::SetPullPolicy(policy) if policy.readers.len() == 1));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let account = wire::Offer {
            account_id: "*".to_owned(),
            ..offer()
        };
        assert!(
            job(&account)
                .unwrap_err()
                .to_string()
                .contains("wrong account: '*' is not an AWS account id")
        );
        let later = wire::Offer {
            work: None,
            ..offer()
        };
        assert_eq!(job(&later).unwrap_err(), Unreadable::Unknown("kind of work"));
        let deployment = wire::Offer {
            deployment_id: "job_0".to_owned(),
            ..offer()
        };
        assert!(
            job(&deployment)
                .unwrap_err()
                .to_string()
                .contains("deployment id")
        );
        let apply = wire::ApplyStack {
            template_digest: "md5:1".to_owned(),
            role_kind: 1,
            ..Default::default()
        };
        let apply = wire::Offer {
            work: Some(wire::offer::Work::ApplyStack(apply)),
            ..offer()
        };
        assert!(job(&apply).unwrap_err().to_string().contains("template digest"));
        assert_eq!(role_kind(9).unwrap_err(), Unreadable::Unknown("kind of role"));
    }

    #[test]
    fn a_bundle_has_a_bucket_and_a_key() {
        let fetch = |bucket: &str, key: &str| {
            let fetch = wire::FetchBundle {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                max_bytes: 7,
            };
            job(&wire::Offer {
                work: Some(wire::offer::Work::FetchBundle(fetch)),
                ..offer()
            })
        };
        let job = fetch("bundles", "vpc/v1.tar.gz").unwrap();
        assert_eq!(capability(&job.work), "fetch_bundle");
        let Work::FetchBundle(work) = job.work else {
            panic!("{:?}", job.work);
        };
        assert_eq!(
            (work.to_string().as_str(), work.max_bytes),
            ("s3://bundles/vpc/v1.tar.gz", 7)
        );
        assert_eq!(fetch("", "k").unwrap_err(), Unreadable::Missing("bucket"));
        assert_eq!(fetch("b", "").unwrap_err(), Unreadable::Missing("key"));
    }

    #[test]
    fn times_before_the_epoch_keep_their_nanoseconds_positive() {
        let at = timestamp(-1);
        assert_eq!((at.seconds, at.nanos), (-1, 999_999_000));
    }
}
