//! Making a change set, and what its end means.

use hadron_proto::vocab::{Digest, RoleArn, StackArn};

use super::attempt::{Attempt, Halt, failed};
use super::names::{bucket, object_key};
use super::{Step, StepLog};
use crate::aws::{
    Account, AwsError, ChangeSet, ChangeSetLine, ChangeSetStatus, ChangeSetType, Kind, NewChangeSet,
    Stacks as _, TemplateBucket as _, TemplateSource,
};
use crate::job::{ApplyStack, FailureKind, Hub, ResourceChange};

/// The longest template that fits into a request.
const BODY_BYTES: usize = 51_200;

/// Whether somebody could still execute it, or it is on its way to that.
pub(super) fn is_live(line: &ChangeSetLine) -> bool {
    line.status != ChangeSetStatus::Deleted && !line.execution.is_spent()
}

/// How making a change set ended.
#[derive(Debug)]
pub(super) enum Planned {
    /// It can be executed.
    Ready(Box<ChangeSet>),
    /// The stack has this content already.
    NoChanges,
    /// The stack or the change set is not what it was a moment ago: look again.
    Again,
}

/// The template, where `CloudFormation` can read it.
pub(super) async fn template<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &ApplyStack,
) -> Result<TemplateSource, Halt> {
    let text = at.hub.template(at.job.token).await?;
    if Digest::of(text.as_bytes()) != work.template_digest || text.len() as u64 != work.template_bytes {
        let message = format!("the template that the hub sent is not {}", work.template_digest);
        return Err(Halt::failed(FailureKind::Other, message));
    }
    if text.len() <= BODY_BYTES {
        return Ok(TemplateSource::Body(text));
    }
    let (account, region) = (at.job.account, &at.job.region);
    let (bucket, key) = (bucket(account, region), object_key(work.template_digest));
    let refused = |error| failed("cannot use the bucket for templates", &error, FailureKind::Other);
    let s3 = at.account.bucket();
    if !at
        .ask(|| s3.has_bucket(&bucket, account))
        .await?
        .map_err(refused)?
    {
        let step = Step::CreateBucket {
            bucket: bucket.clone(),
        };
        at.act(&step, || s3.create_bucket(&bucket, account, region))
            .await?
            .map_err(refused)?;
    }
    let step = Step::PutTemplate {
        bucket: bucket.clone(),
        key: key.clone(),
    };
    let url = at
        .act(&step, || s3.put_template(&bucket, account, region, &key, &text))
        .await?;
    Ok(TemplateSource::Url(url.map_err(refused)?))
}

/// Makes the change set and waits until it says what it would do.
pub(super) async fn make<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &ApplyStack,
    role: &RoleArn,
    template: &TemplateSource,
    known: Option<&StackArn>,
    round: u32,
) -> Result<Planned, Halt> {
    let name = at.names.change_set(round);
    let new = NewChangeSet {
        stack: known.map_or_else(|| work.stack_name.clone(), ToString::to_string),
        name: name.clone(),
        token: name.clone(),
        kind: if known.is_some() {
            ChangeSetType::Update
        } else {
            ChangeSetType::Create
        },
        template: template.clone(),
        role: role.clone(),
        // Nothing of this deployment: CloudFormation hands a stack's tags on to its resources, so a tag that differs from
        // deployment to deployment would be a change of every one of them.
        tags: work.tags.clone(),
        capabilities: work.capabilities.clone(),
    };
    let step = Step::CreateChangeSet {
        stack: new.stack.clone(),
        name: name.clone(),
    };
    // Before the call: its answer may be lost.
    at.prepared(&new.stack, &name);
    hadron_proto::fault::point("C22");
    let create = || {
        hadron_proto::fault::point("C23");
        at.stacks().create_change_set(&new)
    };
    let id = match at.act(&step, create).await? {
        Ok(made) => {
            hadron_proto::fault::point("C24");
            at.met(&made.stack, "");
            made.arn
        }
        // The answer to an earlier try was lost. The name says deployment and attempt, so it is this very one.
        Err(error) if error.kind == Kind::AlreadyExists => name,
        Err(error) if matches!(error.kind, Kind::InvalidState | Kind::NotFound) => return Ok(Planned::Again),
        Err(error) if new.kind == ChangeSetType::Create && says_taken(&error) => return Ok(Planned::Again),
        Err(error) => {
            at.spent();
            return Err(failed(
                "CloudFormation refuses the change set",
                &error,
                FailureKind::InvalidTemplate,
            ));
        }
    };
    let mut wait = at.settings.poll.first;
    loop {
        let found = match at.ask(|| at.stacks().change_set(&new.stack, &id)).await? {
            Ok(found) => found,
            // Another attempt took it away.
            Err(error) if error.kind == Kind::NotFound => return Ok(Planned::Again),
            Err(error) => return Err(failed("cannot read the change set", &error, FailureKind::Other)),
        };
        at.prepared(&new.stack, &found.arn);
        match found.status {
            ChangeSetStatus::Created if found.execution.is_spent() => return Ok(Planned::Again),
            ChangeSetStatus::Created => return Ok(Planned::Ready(Box::new(found))),
            ChangeSetStatus::Failed => {
                remove(at, &new.stack, &found.arn).await?;
                if says_no_changes(&found.reason) {
                    return Ok(Planned::NoChanges);
                }
                let kind = if says_denied(&found.reason) {
                    FailureKind::AccessDenied
                } else {
                    FailureKind::InvalidTemplate
                };
                let message = format!("CloudFormation cannot make the change set: {}", found.reason);
                return Err(Halt::failed(kind, message).about(&found.stack, None));
            }
            ChangeSetStatus::Deleting | ChangeSetStatus::Deleted | ChangeSetStatus::DeleteFailed => {
                return Ok(Planned::Again);
            }
            ChangeSetStatus::Creating | ChangeSetStatus::Other(_) => {}
        }
        at.wait(wait).await?;
        wait = at.settings.poll.after(wait);
    }
}

/// Deletes a change set that is not to be executed, and makes sure.
pub(super) async fn remove<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    stack: &str,
    change_set: &str,
) -> Result<(), Halt> {
    let step = Step::DeleteChangeSet {
        change_set: change_set.to_owned(),
    };
    let mut wait = at.settings.poll.first;
    loop {
        match at
            .act(&step, || at.stacks().delete_change_set(stack, change_set))
            .await?
        {
            Ok(()) => {}
            Err(error) if matches!(error.kind, Kind::NotFound | Kind::InvalidState) => {}
            Err(error) => return Err(failed("cannot delete the change set", &error, FailureKind::Other)),
        }
        match at.ask(|| at.stacks().change_set(stack, change_set)).await? {
            Ok(found) if found.status == ChangeSetStatus::Deleted || found.execution.is_spent() => break,
            Ok(_) => {}
            Err(error) if error.kind == Kind::NotFound => break,
            Err(error) => return Err(failed("cannot read the change set", &error, FailureKind::Other)),
        }
        at.wait(wait).await?;
        wait = at.settings.poll.after(wait);
    }
    at.spent();
    Ok(())
}

/// There is a stack of that name after all.
fn says_taken(error: &AwsError) -> bool {
    error.kind == Kind::Validation
        && error.message.starts_with("Stack")
        && error.message.contains("already exists")
}

/// `CloudFormation` has no code for this, only sentences.
fn says_no_changes(reason: &str) -> bool {
    [
        "didn't contain changes",
        "did not contain changes",
        "No updates are to be performed",
        "no changes",
    ]
    .iter()
    .any(|sentence| reason.contains(sentence))
}

fn says_denied(reason: &str) -> bool {
    [
        "AccessDenied",
        "Access Denied",
        "not authorized",
        "UnauthorizedOperation",
    ]
    .iter()
    .any(|sentence| reason.contains(sentence))
}

/// Digest of what a change set would do, whatever order AWS lists it in. This is what an approval names.
pub(super) fn digest(changes: &[ResourceChange]) -> Digest {
    let mut lines: Vec<String> = changes
        .iter()
        .map(|change| {
            serde_json::json!([
                change.logical_id,
                change.action,
                change.resource_type,
                change.physical_id,
                change.replacement
            ])
            .to_string()
        })
        .collect();
    lines.sort_unstable();
    Digest::of(lines.join("\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(logical_id: &str, action: &str) -> ResourceChange {
        ResourceChange {
            action: action.to_owned(),
            logical_id: logical_id.to_owned(),
            physical_id: String::new(),
            resource_type: "AWS::SNS::Topic".to_owned(),
            replacement: String::new(),
        }
    }

    #[test]
    fn the_digest_is_of_the_changes_and_not_of_their_order() {
        let (a, b) = (change("A", "Add"), change("B", "Remove"));
        assert_eq!(digest(&[a.clone(), b.clone()]), digest(&[b.clone(), a.clone()]));
        assert_ne!(digest(&[a.clone(), b]), digest(std::slice::from_ref(&a)));
        assert_ne!(digest(&[a]), digest(&[change("A", "Remove")]));
    }

    #[test]
    fn sentences_for_a_name_that_is_taken() {
        let refused = |text: &str| says_taken(&AwsError::coded("ValidationError", text));
        assert!(refused("Stack [hadron-env-prod] already exists"));
        assert!(!refused("Template error: output Stack already exists"));
        assert!(!refused("Stack name is too long"));
    }

    #[test]
    fn sentences_for_no_changes() {
        assert!(says_no_changes(
            "The submitted information didn't contain changes. Submit different information."
        ));
        assert!(says_no_changes("No updates are to be performed."));
        assert!(!says_no_changes(
            "Template error: instance of Fn::GetAtt references undefined resource"
        ));
    }
}
