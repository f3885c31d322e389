//! Make sure that a cancelled deployment can never take effect any more, then tell what is true.
//!
//! "Cancelled" is a promise, so it is given only when the change sets are gone - older deployments' too, which could
//! otherwise run on a stack that is deleted for being empty - and nothing on the stack shows this deployment. Whatever was executed before is reported as what it became, or taken back where AWS can do that.

use super::apply_stack::settle;
use super::attempt::{Attempt, Halt};
use super::decide::{Action, Intent, decide};
use super::destroy_stack::delete;
use super::observe::{Target, Watch};
use super::{Step, StepLog};
use crate::aws::{Account, Stack};
use crate::job::{Act, FailureKind, Hub, Outcome, RevokeStack, Verdict};

pub(super) async fn run<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &RevokeStack,
) -> Result<Outcome, Halt> {
    let role = at.role(work.role_kind, work.role.as_ref())?;
    let mut watch = Watch::new(Target {
        name: &work.stack_name,
        arn: work.stack_arn.as_ref(),
        replaceable: work.never_succeeded,
        tag: None,
        fresh: false,
        intent: Intent::Revoke,
    });
    let mut seen = watch.observe(at).await?;
    let mut sure = false;
    loop {
        let action = decide(Intent::Revoke, seen.status(), seen.standing, work.never_succeeded);
        tracing::debug!(stack.status = ?seen.status(), standing = ?seen.standing, %action, "Decided");
        seen = match (action, seen.stack) {
            (Action::Revoked, stack) if sure || stack.is_none() => {
                hadron_proto::fault::point("C56");
                return Ok(Outcome::Revoked {
                    stack: stack.map(|stack| stack.arn),
                });
            }
            // An execution a moment before the change set was deleted may show only now.
            (Action::Revoked | Action::Delete, Some(_)) if !sure => {
                sure = true;
                hadron_proto::fault::point("C55");
                at.wait(at.settings.missing_gap).await?;
                watch.observe(at).await?
            }
            (Action::Applied, Some(stack)) => return at.applied(stack, false).await,
            (Action::Delete, Some(stack)) => {
                // Nothing but a name without content, which the next deployment of this target would reuse: without
                // leave it stays, and the promise holds all the same.
                let step = Step::AuthoriseDelete {
                    stack: stack.arn.to_string(),
                };
                let act = Act::Delete {
                    stack: stack.arn.clone(),
                };
                if let Verdict::Refused(why) = at.authorise(&step, act).await? {
                    tracing::info!(%why, "The hub refuses the deletion of an empty stack");
                    return Ok(Outcome::Revoked {
                        stack: Some(stack.arn),
                    });
                }
                let left = delete(at, &mut watch, stack, None, &[]).await?;
                return Ok(Outcome::Revoked {
                    stack: left.stack.map(|stack| stack.arn),
                });
            }
            (Action::Fail(FailureKind::StackFailed), Some(stack)) => {
                return Err(taken_back(at, &watch, &stack).await?);
            }
            (action, Some(stack)) => {
                let standing = seen.standing;
                match settle(at, &mut watch, &role, action, stack, standing).await? {
                    Some(seen) => seen,
                    None => watch.observe(at).await?,
                }
            }
            (_, None) => return Ok(Outcome::Revoked { stack: None }),
        };
    }
}

async fn taken_back<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    watch: &Watch<'_>,
    stack: &Stack,
) -> Result<Halt, Halt> {
    let why = watch
        .events
        .as_ref()
        .and_then(super::events::Events::first_failure);
    let message = format!(
        "cancelled while it was being applied; the stack is now {}{}",
        stack.status,
        why.map(|why| format!(": {why}")).unwrap_or_default()
    );
    at.failure(FailureKind::StackFailed, message, stack).await
}
