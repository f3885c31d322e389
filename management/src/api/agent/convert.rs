//! Wire to words and back. Agents are not trusted: every text is bounded here, and past this module nothing is optional
//! by accident. What is wrong is told by the name of the field.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hadron_domain::target::RoleKind;
use hadron_proto::vocab::{Digest, StackArn, Timestamp};
use hadron_proto::wire;
use indexmap::IndexMap;

use crate::app::effects::{FailureKind, Inspection, Outcome};
use crate::app::work::{Act, Content, Offer, OfferedStack, OfferedWork, Token, Verdict};
use crate::store::deployments::{Change, StackEvent};
use crate::store::jobs::{EventEntry, LockMode, LockedLines};
use crate::store::targets::Resource;

/// Most outputs of one stack: CloudFormation's own limit.
pub(crate) const MAX_OUTPUTS: usize = 200;
/// Longest name of an output, in characters.
pub(crate) const MAX_OUTPUT_KEY: usize = 1_024;
/// Longest value of an output, in characters.
pub(crate) const MAX_OUTPUT_VALUE: usize = 4_096;
/// Most resources of one stack; CloudFormation allows 500.
pub(crate) const MAX_RESOURCES: usize = 1_000;
/// Most changes of one change set.
pub(crate) const MAX_CHANGES: usize = 1_000;
/// Most events of one call.
pub(crate) const MAX_EVENTS: usize = 500;
/// Most jobs that one agent can name at once.
pub(crate) const MAX_HELD: usize = 1_024;
/// Most warnings of one report.
pub(crate) const MAX_WARNINGS: usize = 100;
/// Most operations of one stack that are told.
const MAX_OPERATIONS: usize = 100;
/// Longest id, type, status or ARN, in characters.
const MAX_WORD: usize = 2_048;
/// Longest text for people, in characters; longer ones are cut, since nothing depends on them.
const MAX_TEXT: usize = 8_192;

/// A message that an agent of this protocol does not send.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// A field that must be there.
    #[error("{0}: missing")]
    Missing(&'static str),
    /// A field of another form.
    #[error("{field}: {why}")]
    Form {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// More elements than allowed.
    #[error("{field}: {found} elements; at most {most} are allowed")]
    TooMany {
        /// Which.
        field: &'static str,
        /// How many there are.
        found: usize,
        /// How many may be.
        most: usize,
    },
    /// Longer than allowed.
    #[error("{field}: more than {most} characters")]
    TooLong {
        /// Which.
        field: &'static str,
        /// How many may be.
        most: usize,
    },
}

fn parse<T: FromStr<Err: fmt::Display>>(field: &'static str, text: &str) -> Result<T, Invalid> {
    if text.is_empty() {
        return Err(Invalid::Missing(field));
    }
    text.parse().map_err(|error: T::Err| Invalid::Form {
        field,
        why: error.to_string(),
    })
}

fn count(field: &'static str, found: usize, most: usize) -> Result<(), Invalid> {
    if found > most {
        Err(Invalid::TooMany { field, found, most })
    } else {
        Ok(())
    }
}

/// A text that may be stored: bounded, and without NUL, which PostgreSQL cannot hold.
fn word(field: &'static str, text: String, most: usize) -> Result<String, Invalid> {
    if text.contains('\0') {
        return Err(Invalid::Form {
            field,
            why: "has a NUL character".to_owned(),
        });
    }
    if text.len() > most && text.chars().count() > most {
        return Err(Invalid::TooLong { field, most });
    }
    Ok(text)
}

/// A text for people.
fn text(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(MAX_TEXT).collect()
}

/// Which job, and under which fence.
///
/// # Errors
/// When there is none or its id cannot be read.
pub(crate) fn token(token: Option<&wire::JobToken>) -> Result<Token, Invalid> {
    let token = token.ok_or(Invalid::Missing("token"))?;
    Ok(Token {
        job: parse("token.job_id", &token.job_id)?,
        fence: token.fence,
    })
}

/// The jobs that an agent says it holds.
///
/// # Errors
/// When there are too many or one cannot be read.
pub(crate) fn held(tokens: &[wire::JobToken]) -> Result<Vec<Token>, Invalid> {
    count("held", tokens.len(), MAX_HELD)?;
    tokens.iter().map(|one| token(Some(one))).collect()
}

/// The same, for the wire.
#[must_use]
pub(crate) fn wire_token(token: Token) -> wire::JobToken {
    wire::JobToken {
        job_id: token.job.to_string(),
        fence: token.fence,
    }
}

/// A length of time, for the wire.
#[must_use]
pub(crate) fn span(span: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or(0),
    }
}

/// A job just leased.
#[must_use]
pub(crate) fn offer(offer: Offer, lease: Duration) -> wire::Offer {
    let deployment = offer.deployment.map(|id| id.to_string()).unwrap_or_default();
    let job = offer.token.job.to_string();
    wire::Offer {
        traceparent: hadron_proto::trace::offered(&offer.trace, &job, &deployment, offer.attempt),
        token: Some(wire_token(offer.token)),
        attempt: offer.attempt,
        lease: Some(span(lease)),
        deployment_id: deployment,
        label: offer.label,
        account_id: offer.account.to_string(),
        region: offer.region.to_string(),
        work: Some(work(offer.work)),
    }
}

fn work(work: OfferedWork) -> wire::offer::Work {
    use wire::offer::Work;
    match work {
        OfferedWork::Apply {
            stack,
            template: (digest, bytes),
            tags,
            capabilities,
            resource_types,
            has_source,
        } => Work::ApplyStack(wire::ApplyStack {
            role_kind: role_kind(&stack).into(),
            stack_arn: arn(stack.arn),
            template_digest: digest.to_string(),
            template_bytes: bytes,
            role_arn: stack.role.map(String::from).unwrap_or_default(),
            tags: tags
                .into_iter()
                .map(|(key, value)| wire::Tag { key, value })
                .collect(),
            capabilities,
            resource_types,
            never_succeeded: stack.never_succeeded,
            stack_name: stack.name,
            has_source,
        }),
        OfferedWork::Destroy { stack, retain } => Work::DestroyStack(wire::DestroyStack {
            role_kind: role_kind(&stack).into(),
            stack_arn: arn(stack.arn),
            role_arn: stack.role.map(String::from).unwrap_or_default(),
            retain_resources: retain,
            stack_name: stack.name,
        }),
        OfferedWork::Revoke { stack } => Work::RevokeStack(wire::RevokeStack {
            role_kind: role_kind(&stack).into(),
            stack_arn: arn(stack.arn),
            never_succeeded: stack.never_succeeded,
            role_arn: stack.role.map(String::from).unwrap_or_default(),
            stack_name: stack.name,
        }),
        OfferedWork::SetPullPolicy { repository, readers } => Work::SetPullPolicy(wire::SetPullPolicy {
            repository,
            readers: readers.iter().map(ToString::to_string).collect(),
        }),
        OfferedWork::PutEvents { bus, entries } => Work::PutEvents(wire::PutEvents {
            bus,
            entries: entries.into_iter().map(event_entry).collect(),
        }),
        OfferedWork::Inspect { name, arn: stack } => Work::InspectStack(wire::InspectStack {
            stack_name: name,
            stack_arn: arn(stack),
        }),
        OfferedWork::PutCheckpoints(lines) => Work::PutCheckpoints(put_checkpoints(lines)),
        OfferedWork::FetchBundle { source, max_bytes } => Work::FetchBundle(wire::FetchBundle {
            bucket: source.bucket,
            key: source.key,
            max_bytes,
        }),
    }
}

fn put_checkpoints(put: LockedLines) -> wire::PutCheckpoints {
    let mode = match put.mode {
        LockMode::Compliance => wire::LockMode::Compliance,
        LockMode::Governance => wire::LockMode::Governance,
    };
    wire::PutCheckpoints {
        bucket: put.bucket,
        owner_id: put.owner.to_string(),
        key: put.key,
        lines: put.lines,
        retain_until: Some(whole_seconds(put.retain_until)),
        mode: mode.into(),
    }
}

fn event_entry(entry: EventEntry) -> wire::EventEntry {
    wire::EventEntry {
        source: entry.source,
        detail_type: entry.detail_type,
        detail: entry.detail,
        resources: vec![entry.resource],
        at: Some(whole_seconds(entry.at)),
    }
}

const fn whole_seconds(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.as_micros().div_euclid(1_000_000),
        nanos: 0,
    }
}

const fn role_kind(stack: &OfferedStack) -> wire::RoleKind {
    match stack.role_kind {
        RoleKind::Provisioning => wire::RoleKind::Provisioning,
        RoleKind::Pipeline => wire::RoleKind::Pipeline,
        RoleKind::Component => wire::RoleKind::Component,
    }
}

fn arn(stack: Option<StackArn>) -> String {
    stack.map(String::from).unwrap_or_default()
}

/// What an agent wants to fetch.
///
/// # Errors
/// When it is nothing that there is.
pub(crate) fn content(kind: i32) -> Result<Content, Invalid> {
    use wire::fetch_content_request::Kind;
    match Kind::try_from(kind) {
        Ok(Kind::Template) => Ok(Content::Template),
        Ok(Kind::Bundle) => Ok(Content::Bundle),
        Ok(Kind::Source) => Ok(Content::Source),
        Ok(Kind::Unspecified) => Err(Invalid::Missing("kind")),
        Err(_) => Err(Invalid::Form {
            field: "kind",
            why: "this hub has no such content".to_owned(),
        }),
    }
}

/// The act that an agent asks leave for.
///
/// # Errors
/// When it is none, or names its stack or its changes in another form.
pub(crate) fn act(act: Option<wire::authorise_request::Act>) -> Result<Act, Invalid> {
    use wire::authorise_request::Act as Wire;
    match act.ok_or(Invalid::Missing("act"))? {
        Wire::Execute(execute) => {
            count("execute.changes", execute.changes.len(), MAX_CHANGES)?;
            let change_set_arn = word("execute.change_set_arn", execute.change_set_arn, MAX_WORD)?;
            if change_set_arn.is_empty() {
                return Err(Invalid::Missing("execute.change_set_arn"));
            }
            Ok(Act::Execute {
                stack: parse("execute.stack_arn", &execute.stack_arn)?,
                change_set_arn,
                digest: parse::<Digest>("execute.changes_digest", &execute.changes_digest)?,
                changes: execute
                    .changes
                    .into_iter()
                    .map(change)
                    .collect::<Result<_, _>>()?,
            })
        }
        Wire::Delete(delete) => Ok(Act::Delete {
            stack: parse("delete.stack_arn", &delete.stack_arn)?,
        }),
    }
}

fn change(change: wire::ResourceChange) -> Result<Change, Invalid> {
    Ok(Change {
        action: word("changes.action", change.action, MAX_WORD)?,
        logical_id: word("changes.logical_id", change.logical_id, MAX_WORD)?,
        physical_id: word("changes.physical_id", change.physical_id, MAX_WORD)?,
        resource_type: word("changes.resource_type", change.resource_type, MAX_WORD)?,
        replacement: word("changes.replacement", change.replacement, MAX_WORD)?,
    })
}

/// The hub's answer to it.
#[must_use]
pub(crate) fn verdict(verdict: Verdict) -> wire::AuthoriseResponse {
    match verdict {
        Verdict::Granted => wire::AuthoriseResponse {
            granted: true,
            refusal: String::new(),
        },
        Verdict::Refused(refusal) => wire::AuthoriseResponse {
            granted: false,
            refusal,
        },
    }
}

/// Stack events.
///
/// # Errors
/// When there are too many or one cannot be stored.
pub(crate) fn events(events: Vec<wire::StackEvent>) -> Result<Vec<StackEvent>, Invalid> {
    count("events", events.len(), MAX_EVENTS)?;
    events.into_iter().map(event).collect()
}

fn event(event: wire::StackEvent) -> Result<StackEvent, Invalid> {
    if event.event_id.is_empty() {
        return Err(Invalid::Missing("events.event_id"));
    }
    let at = event.at.ok_or(Invalid::Missing("events.at"))?;
    let micros = at
        .seconds
        .checked_mul(1_000_000)
        .and_then(|whole| whole.checked_add(i64::from(at.nanos) / 1_000));
    let at = micros.ok_or_else(|| Invalid::Form {
        field: "events.at",
        why: "out of range".to_owned(),
    })?;
    Ok(StackEvent {
        event_id: word("events.event_id", event.event_id, MAX_WORD)?,
        at: Timestamp::from_micros(at),
        logical_id: word("events.logical_id", event.logical_id, MAX_WORD)?,
        physical_id: word("events.physical_id", event.physical_id, MAX_WORD)?,
        resource_type: word("events.resource_type", event.resource_type, MAX_WORD)?,
        status: word("events.status", event.status, MAX_WORD)?,
        reason: text(&event.reason),
    })
}

/// How a job ended.
///
/// # Errors
/// When it is not said, or names something in another form.
pub(crate) fn outcome(outcome: Option<wire::report_request::Outcome>) -> Result<Outcome, Invalid> {
    use wire::report_request::Outcome as Wire;
    match outcome.ok_or(Invalid::Missing("outcome"))? {
        Wire::Applied(applied) => Ok(Outcome::Applied {
            stack: parse("applied.stack_arn", &applied.stack_arn)?,
            outputs: outputs(applied.outputs)?,
            resources: resources("applied.resources", applied.resources)?,
            no_changes: applied.no_changes,
        }),
        Wire::Gone(_) => Ok(Outcome::Gone),
        Wire::Revoked(_) => Ok(Outcome::Revoked),
        Wire::PullPolicy(policy) => {
            count("pull_policy.warnings", policy.warnings.len(), MAX_WARNINGS)?;
            let warnings = policy.warnings.iter().map(|warning| text(warning)).collect();
            Ok(Outcome::PullPolicySet {
                changed: policy.changed,
                warnings,
            })
        }
        Wire::EventsPut(put) => {
            count("events_put.refused", put.refused.len(), MAX_WARNINGS)?;
            let refused = put.refused.iter();
            Ok(Outcome::EventsPut {
                refused: refused
                    .map(|each| (each.entry as usize, text(&each.reason)))
                    .collect(),
            })
        }
        Wire::CheckpointsPut(put) => Ok(Outcome::CheckpointsPut {
            were_there: put.were_there,
        }),
        Wire::BundleFetched(fetched) => Ok(Outcome::BundleFetched {
            digest: parse("bundle_fetched.digest", &fetched.digest)?,
            bytes: fetched.bytes,
        }),
        Wire::Inspected(inspected) => inspection(inspected).map(Outcome::Inspected),
        Wire::Failed(failed) => Ok(Outcome::Failed {
            kind: failure(failed.kind),
            message: text(&failed.message),
            stack: match failed.stack_arn.as_str() {
                "" => None,
                arn => Some(parse("failed.stack_arn", arn)?),
            },
            stack_status: match word("failed.stack_status", failed.stack_status, MAX_WORD)? {
                status if status.is_empty() => None,
                status => Some(status),
            },
            resources: resources("failed.resources", failed.resources)?,
        }),
    }
}

fn inspection(inspected: wire::StackInspected) -> Result<Inspection, Invalid> {
    count("inspected.operations", inspected.operations.len(), MAX_OPERATIONS)?;
    let operations = inspected.operations.iter();
    let ids = operations.filter(|operation| !operation.deployment_id.is_empty());
    Ok(Inspection {
        stack: match inspected.stack_arn.as_str() {
            "" => None,
            arn => Some(parse("inspected.stack_arn", arn)?),
        },
        status: match word("inspected.stack_status", inspected.stack_status, MAX_WORD)? {
            status if status.is_empty() => None,
            status => Some(status),
        },
        deployments: ids
            .map(|operation| parse("inspected.operations.deployment_id", &operation.deployment_id))
            .collect::<Result<_, _>>()?,
        // Only told to people.
        removed: inspected
            .removed_change_sets
            .iter()
            .take(MAX_WARNINGS)
            .map(|name| text(name))
            .collect(),
    })
}

fn outputs(outputs: Vec<wire::Output>) -> Result<IndexMap<String, String>, Invalid> {
    count("applied.outputs", outputs.len(), MAX_OUTPUTS)?;
    let mut found = IndexMap::new();
    for output in outputs {
        let key = word("applied.outputs.key", output.key, MAX_OUTPUT_KEY)?;
        if key.is_empty() {
            return Err(Invalid::Missing("applied.outputs.key"));
        }
        let value = word("applied.outputs.value", output.value, MAX_OUTPUT_VALUE)?;
        if found.insert(key, value).is_some() {
            return Err(Invalid::Form {
                field: "applied.outputs.key",
                why: "the same name twice".to_owned(),
            });
        }
    }
    Ok(found)
}

fn resources(field: &'static str, resources: Vec<wire::StackResource>) -> Result<Vec<Resource>, Invalid> {
    count(field, resources.len(), MAX_RESOURCES)?;
    let resource = |resource: wire::StackResource| {
        Ok(Resource {
            logical_id: word(field, resource.logical_id, MAX_WORD)?,
            physical_id: word(field, resource.physical_id, MAX_WORD)?,
            resource_type: word(field, resource.resource_type, MAX_WORD)?,
            status: word(field, resource.status, MAX_WORD)?,
        })
    };
    resources.into_iter().map(resource).collect()
}

/// A kind from a later protocol is as good as "anything else": the message says what happened.
fn failure(kind: i32) -> FailureKind {
    use wire::FailureKind as Wire;
    match Wire::try_from(kind).unwrap_or(Wire::Unspecified) {
        Wire::StackFailed => FailureKind::StackFailed,
        Wire::DeleteFailed => FailureKind::DeleteFailed,
        Wire::RollbackFailed => FailureKind::RollbackFailed,
        Wire::LocalPolicy => FailureKind::LocalPolicy,
        Wire::StackVanished => FailureKind::StackVanished,
        Wire::ForeignOperation => FailureKind::ForeignOperation,
        Wire::AccessDenied => FailureKind::AccessDenied,
        Wire::InvalidTemplate => FailureKind::InvalidTemplate,
        Wire::Deadline => FailureKind::Deadline,
        Wire::RepositoryMissing => FailureKind::RepositoryMissing,
        Wire::PolicyTooLong => FailureKind::PolicyTooLong,
        Wire::PolicyConflict => FailureKind::PolicyConflict,
        Wire::ObjectMissing => FailureKind::ObjectMissing,
        Wire::ObjectTooLarge => FailureKind::ObjectTooLarge,
        Wire::Other | Wire::Unspecified => FailureKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = "arn:aws:cloudformation:us-east-1:333333333333:stack/AWSProton-prd/0c9a-11";

    fn applied(outputs: Vec<(&str, String)>) -> Option<wire::report_request::Outcome> {
        let outputs = outputs
            .into_iter()
            .map(|(key, value)| wire::Output {
                key: key.to_owned(),
                value,
            })
            .collect();
        Some(wire::report_request::Outcome::Applied(wire::StackApplied {
            stack_arn: STACK.to_owned(),
            outputs,
            ..Default::default()
        }))
    }

    #[test]
    fn outputs_are_bounded_and_the_field_is_named() {
        assert!(outcome(applied(vec![("Url", "x".repeat(MAX_OUTPUT_VALUE))])).is_ok());
        let long = outcome(applied(vec![("Url", "ü".repeat(MAX_OUTPUT_VALUE + 1))])).unwrap_err();
        assert_eq!(
            long,
            Invalid::TooLong {
                field: "applied.outputs.value",
                most: MAX_OUTPUT_VALUE
            }
        );
        let many = outcome(applied(vec![("Url", String::new()); MAX_OUTPUTS + 1])).unwrap_err();
        assert!(
            many.to_string().contains("applied.outputs: 201 elements"),
            "{many}"
        );
        let nul = outcome(applied(vec![("Url", "a\0b".to_owned())])).unwrap_err();
        assert!(nul.to_string().contains("NUL"), "{nul}");
        let twice = outcome(applied(vec![("Url", String::new()), ("Url", String::new())])).unwrap_err();
        assert!(twice.to_string().contains("twice"), "{twice}");
    }

    #[test]
    fn texts_for_people_are_cut_and_kinds_of_later_protocols_are_other() {
        let failed = wire::JobFailed {
            kind: 99,
            message: "é".repeat(MAX_TEXT + 5),
            ..Default::default()
        };
        let Outcome::Failed {
            kind, message, stack, ..
        } = outcome(Some(wire::report_request::Outcome::Failed(failed))).unwrap()
        else {
            panic!("not a failure");
        };
        assert_eq!(
            (kind, message.chars().count(), stack),
            (FailureKind::Other, MAX_TEXT, None)
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(token(None).unwrap_err(), Invalid::Missing("token"));
        assert_eq!(outcome(None).unwrap_err(), Invalid::Missing("outcome"));
        assert_eq!(act(None).unwrap_err(), Invalid::Missing("act"));
        let wrong = token(Some(&wire::JobToken {
            job_id: "dpl_1".to_owned(),
            fence: 1,
        }))
        .unwrap_err();
        assert!(wrong.to_string().starts_with("token.job_id: "), "{wrong}");
        let at = wire::StackEvent {
            event_id: "e".to_owned(),
            ..Default::default()
        };
        assert_eq!(events(vec![at]).unwrap_err(), Invalid::Missing("events.at"));
        assert!(events(vec![wire::StackEvent::default(); MAX_EVENTS + 1]).is_err());
    }
}
