//! What the wire carries, from the hub's words to the agent's and back.

use hadron_agent::job as a;
use hadron_domain::target::RoleKind;
use hadron_management::app::effects::{FailureKind, Inspection, Outcome};
use hadron_management::app::work as h;
use hadron_management::store::deployments::{Change, StackEvent};
use hadron_management::store::targets::Resource;

pub(super) const fn token(token: a::Token) -> h::Token {
    h::Token {
        job: token.job,
        fence: token.fence,
    }
}

const fn role(kind: RoleKind) -> a::RoleKind {
    match kind {
        RoleKind::Provisioning => a::RoleKind::Provisioning,
        RoleKind::Pipeline => a::RoleKind::Pipeline,
        RoleKind::Component => a::RoleKind::Component,
    }
}

/// A job; `None` for what is not simulated.
pub(super) fn job(offer: h::Offer) -> Option<a::Job> {
    let work = match offer.work {
        h::OfferedWork::Apply {
            stack,
            template: (template_digest, template_bytes),
            tags,
            capabilities,
            resource_types,
        } => a::Work::ApplyStack(a::ApplyStack {
            stack_name: stack.name,
            stack_arn: stack.arn,
            template_digest,
            template_bytes,
            role_kind: role(stack.role_kind),
            role: stack.role,
            tags,
            capabilities,
            resource_types,
            never_succeeded: stack.never_succeeded,
        }),
        h::OfferedWork::Destroy { stack, retain } => a::Work::DestroyStack(a::DestroyStack {
            stack_name: stack.name,
            stack_arn: stack.arn,
            role_kind: role(stack.role_kind),
            role: stack.role,
            retain_resources: retain,
        }),
        h::OfferedWork::Revoke { stack } => a::Work::RevokeStack(a::RevokeStack {
            stack_name: stack.name,
            stack_arn: stack.arn,
            never_succeeded: stack.never_succeeded,
            role_kind: role(stack.role_kind),
            role: stack.role,
        }),
        h::OfferedWork::SetPullPolicy { repository, readers } => a::Work::SetPullPolicy(a::SetPullPolicy {
            repository: repository.parse().ok()?,
            readers: readers.into_iter().collect(),
        }),
        h::OfferedWork::Inspect { name, arn } => a::Work::InspectStack(a::InspectStack {
            stack_name: name,
            stack_arn: arn,
        }),
        h::OfferedWork::PutEvents { .. } | h::OfferedWork::FetchBundle { .. } => return None,
    };
    Some(a::Job {
        token: a::Token {
            job: offer.token.job,
            fence: offer.token.fence,
        },
        attempt: offer.attempt,
        deployment: offer.deployment,
        label: offer.label,
        account: offer.account,
        region: offer.region,
        work,
    })
}

pub(super) fn act(act: a::Act) -> h::Act {
    match act {
        a::Act::Delete { stack } => h::Act::Delete { stack },
        a::Act::Execute {
            stack,
            change_set_arn,
            digest,
            changes,
        } => h::Act::Execute {
            stack,
            change_set_arn,
            digest,
            changes: changes
                .into_iter()
                .map(|change| Change {
                    action: change.action,
                    logical_id: change.logical_id,
                    physical_id: change.physical_id,
                    resource_type: change.resource_type,
                    replacement: change.replacement,
                })
                .collect(),
        },
    }
}

pub(super) fn events(events: Vec<a::StackEvent>) -> Vec<StackEvent> {
    let event = |event: a::StackEvent| StackEvent {
        event_id: event.event_id,
        at: event.at,
        logical_id: event.logical_id,
        physical_id: event.physical_id,
        resource_type: event.resource_type,
        status: event.status,
        reason: event.reason,
    };
    events.into_iter().map(event).collect()
}

fn resources(resources: Vec<a::StackResource>) -> Vec<Resource> {
    let resource = |resource: a::StackResource| Resource {
        logical_id: resource.logical_id,
        physical_id: resource.physical_id,
        resource_type: resource.resource_type,
        status: resource.status,
    };
    resources.into_iter().map(resource).collect()
}

const fn failure(kind: a::FailureKind) -> FailureKind {
    match kind {
        a::FailureKind::StackFailed => FailureKind::StackFailed,
        a::FailureKind::DeleteFailed => FailureKind::DeleteFailed,
        a::FailureKind::RollbackFailed => FailureKind::RollbackFailed,
        a::FailureKind::LocalPolicy => FailureKind::LocalPolicy,
        a::FailureKind::StackVanished => FailureKind::StackVanished,
        a::FailureKind::ForeignOperation => FailureKind::ForeignOperation,
        a::FailureKind::AccessDenied => FailureKind::AccessDenied,
        a::FailureKind::InvalidTemplate => FailureKind::InvalidTemplate,
        a::FailureKind::Deadline => FailureKind::Deadline,
        a::FailureKind::RepositoryMissing => FailureKind::RepositoryMissing,
        a::FailureKind::PolicyTooLong => FailureKind::PolicyTooLong,
        a::FailureKind::PolicyConflict => FailureKind::PolicyConflict,
        a::FailureKind::ObjectMissing => FailureKind::ObjectMissing,
        a::FailureKind::ObjectTooLarge => FailureKind::ObjectTooLarge,
        a::FailureKind::Other => FailureKind::Other,
    }
}

pub(super) fn outcome(outcome: a::Outcome) -> Outcome {
    match outcome {
        a::Outcome::Applied {
            stack,
            outputs,
            resources: made,
            no_changes,
        } => Outcome::Applied {
            stack,
            outputs: outputs.into_iter().collect(),
            resources: resources(made),
            no_changes,
        },
        a::Outcome::Gone { .. } => Outcome::Gone,
        a::Outcome::Revoked { .. } => Outcome::Revoked,
        a::Outcome::PullPolicySet { changed, warnings } => Outcome::PullPolicySet { changed, warnings },
        a::Outcome::EventsPut { refused } => Outcome::EventsPut { refused },
        a::Outcome::BundleFetched { digest, bytes } => Outcome::BundleFetched { digest, bytes },
        a::Outcome::Inspected(found) => {
            let (stack, status) = found.stack.unzip();
            Outcome::Inspected(Inspection {
                stack,
                status,
                deployments: found
                    .operations
                    .into_iter()
                    .filter_map(|one| one.deployment)
                    .collect(),
                removed: found.removed,
            })
        }
        a::Outcome::Failed(failed) => Outcome::Failed {
            kind: failure(failed.kind),
            message: failed.message,
            stack: failed.stack,
            stack_status: failed.stack_status,
            resources: resources(failed.resources),
        },
    }
}
