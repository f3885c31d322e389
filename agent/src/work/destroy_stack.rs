//! Make a stack be gone. There is no way back and nothing that could be revoked, so the hub's leave condemns the stack:
//! from then on nobody builds on it, and a deletion that arrives late can only hit what is to go anyway.

use hadron_proto::vocab::{RoleArn, StackArn};

use super::apply_stack::settle;
use super::attempt::{Attempt, Halt, failed};
use super::decide::{Action, Intent, Standing, decide};
use super::events::Events;
use super::names::Verb;
use super::observe::{Patience, Seen, Target, Watch};
use super::{Step, StepLog};
use crate::aws::{Account, Kind, Stack, StackDeletion, StackStatus, Stacks as _};
use crate::job::{Act, DestroyStack, FailureKind, Hub, Outcome, Stopped, Verdict};

/// How often a deletion is asked for that AWS accepts and does not begin.
const REQUESTS: u32 = 3;

pub(super) async fn run<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &DestroyStack,
) -> Result<Outcome, Halt> {
    let role = at.role(work.role_kind, work.role.as_ref())?;
    let mut watch = Watch::new(Target {
        name: &work.stack_name,
        arn: work.stack_arn.as_ref(),
        replaceable: false,
        tag: None,
        fresh: false,
        intent: Intent::Destroy,
    });
    let mut seen = watch.observe(at).await?;
    let mut known = work.stack_arn.clone();
    loop {
        let action = decide(Intent::Destroy, seen.status(), seen.standing, false);
        tracing::debug!(stack.status = ?seen.status(), standing = ?seen.standing, %action, "Decided");
        if seen.standing != Standing::Foreign {
            known = seen.stack.as_ref().map(|stack| stack.arn.clone()).or(known);
        }
        seen = match (action, seen.stack) {
            (Action::Gone, _) | (_, None) => {
                hadron_proto::fault::point("C53");
                return Ok(Outcome::Gone { stack: known });
            }
            (Action::Delete, Some(stack)) => {
                remove(at, &mut watch, stack, Some(&role), &work.retain_resources).await?
            }
            (Action::CancelUpdate, Some(stack)) => {
                // Only a stack that is condemned already: a stalled agent must not take back another's update.
                condemn(at, &stack.arn).await?;
                let standing = seen.standing;
                match settle(at, &mut watch, &role, action, stack, standing).await? {
                    Some(seen) => seen,
                    None => watch.observe(at).await?,
                }
            }
            (Action::Fail(FailureKind::DeleteFailed), Some(stack)) => {
                let why = watch
                    .events
                    .as_ref()
                    .map(Events::undeleted)
                    .filter(|why| !why.is_empty());
                let message = why.unwrap_or_else(|| stack.reason.clone());
                return Err(at.failure(FailureKind::DeleteFailed, message, &stack).await?);
            }
            (action, Some(stack)) => {
                let standing = seen.standing;
                match settle(at, &mut watch, &role, action, stack, standing).await? {
                    Some(seen) => seen,
                    None => watch.observe(at).await?,
                }
            }
        };
    }
}

/// Asks the hub for leave to delete the stack. The point of no return.
pub(super) async fn condemn<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    stack: &StackArn,
) -> Result<(), Halt> {
    let step = Step::AuthoriseDelete {
        stack: stack.to_string(),
    };
    hadron_proto::fault::point("C50");
    match at.authorise(&step, Act::Delete { stack: stack.clone() }).await? {
        Verdict::Granted => {
            hadron_proto::fault::point("C51");
            Ok(())
        }
        Verdict::Refused(why) => {
            tracing::info!(%why, "The hub refuses the deletion");
            Err(Halt::Stopped(Stopped::Fenced))
        }
    }
}

/// Condemns and deletes the stack, and looks until it is gone (no stack) or cannot be deleted.
pub(super) async fn remove<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    watch: &mut Watch<'_>,
    stack: Stack,
    role: Option<&RoleArn>,
    retain: &[String],
) -> Result<Seen, Halt> {
    condemn(at, &stack.arn).await?;
    delete(at, watch, stack, role, retain).await
}

/// Deletes a stack that is condemned.
pub(super) async fn delete<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    watch: &mut Watch<'_>,
    stack: Stack,
    role: Option<&RoleArn>,
    retain: &[String],
) -> Result<Seen, Halt> {
    let token = at.names.token(Verb::Delete, 0);
    let deletion = StackDeletion {
        stack: stack.arn.clone(),
        token: token.clone(),
        role: role.cloned(),
        // AWS takes the list only where a deletion failed before.
        retain: if stack.status == StackStatus::DeleteFailed {
            retain.to_vec()
        } else {
            Vec::new()
        },
    };
    let step = Step::DeleteStack {
        stack: stack.arn.to_string(),
        token: token.clone(),
    };
    tracing::info!(stack.name = stack.arn.name(), stack.status = %stack.status, "Deleting the stack");
    for _ in 0..REQUESTS {
        let delete = || {
            hadron_proto::fault::point("C54");
            at.stacks().delete_stack(&deletion)
        };
        match at.act(&step, delete).await? {
            Ok(()) => hadron_proto::fault::point("C52"),
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) if error.kind.is_passing() => {}
            // Something else runs on it: look, and ask again.
            Err(error) if matches!(error.kind, Kind::InvalidState | Kind::AlreadyExists) => {}
            Err(error) => {
                return Err(failed(
                    "CloudFormation refuses the deletion",
                    &error,
                    FailureKind::DeleteFailed,
                )
                .about(&stack.arn, Some(stack.status.as_str())));
            }
        }
        let done = |seen: &Seen, events: Option<&Events>| match seen.status() {
            None | Some(StackStatus::DeleteComplete) => true,
            Some(StackStatus::DeleteFailed) => events
                .is_some_and(|events| events.has(&token) && events.newest_is("DELETE_FAILED", &at.names)),
            Some(_) => false,
        };
        if let Some(mut seen) = watch.until(at, &stack.arn, Patience::Settle, done).await? {
            if seen.status() == Some(&StackStatus::DeleteComplete) {
                seen.stack = None;
            }
            return Ok(seen);
        }
    }
    let message = format!("AWS accepted the deletion {REQUESTS} times and did not begin it");
    Err(at.failure(FailureKind::DeleteFailed, message, &stack).await?)
}
