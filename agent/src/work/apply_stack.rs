//! Make a stack be what a template says: look, make a change set, show it, execute it, look until it has ended.

use hadron_proto::fault::{Bug, bug};
use hadron_proto::vocab::{RoleArn, StackArn};

use super::attempt::{Attempt, Halt, failed};
use super::change_set::{self, Planned};
use super::decide::{Action, Intent, Standing, decide};
use super::destroy_stack;
use super::events::Events;
use super::names::{Names, TARGET_TAG, Verb};
use super::observe::{Patience, Seen, Target, Watch};
use super::{Step, StepLog};
use crate::aws::{
    Account, ChangeSet, ChangeSetStatus, ChangeSetType, Execution, Kind, Stack, StackStatus, Stacks as _,
    TemplateSource,
};
use crate::job::{Act, ApplyStack, FailureKind, Hub, Outcome, Stopped, Verdict};

/// How often to go on with a rollback before a person is needed.
const CONTINUATIONS: u32 = 2;

pub(super) async fn run<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &ApplyStack,
) -> Result<Outcome, Halt> {
    let role = at.role(work.role_kind, work.role.as_ref())?;
    let intent = if work.stack_arn.is_some() {
        Intent::Update
    } else {
        Intent::Create
    };
    let tag = work
        .tags
        .iter()
        .find(|(key, _)| key == TARGET_TAG)
        .map(|(_, value)| value.as_str());
    let mut watch = Watch::new(Target {
        name: &work.stack_name,
        arn: work.stack_arn.as_ref(),
        replaceable: work.never_succeeded,
        tag,
        fresh: work.stack_arn.is_none() && work.never_succeeded && at.job.attempt == 1,
        intent,
    });
    let mut template: Option<TemplateSource> = None;
    let mut plans = 0;
    let mut seen = watch.observe(at).await?;
    loop {
        let action = decide(intent, seen.status(), seen.standing, work.never_succeeded);
        tracing::debug!(stack.status = ?seen.status(), standing = ?seen.standing, %action, "Decided");
        seen = match (action, seen.stack) {
            (Action::Applied, Some(stack)) => return at.applied(stack, false).await,
            (Action::Create, _) => {
                plans += 1;
                let kind = ChangeSetType::Create;
                match deploy(at, work, &role, &mut watch, &mut template, kind, None, plans).await? {
                    Deployed::Seen(seen) => seen,
                    Deployed::NoChanges => watch.observe(at).await?,
                }
            }
            (Action::Update, Some(stack)) => {
                plans += 1;
                let kind = ChangeSetType::Update;
                match deploy(
                    at,
                    work,
                    &role,
                    &mut watch,
                    &mut template,
                    kind,
                    Some(&stack.arn),
                    plans,
                )
                .await?
                {
                    Deployed::Seen(seen) => seen,
                    Deployed::NoChanges => return at.applied(stack, true).await,
                }
            }
            (Action::Replace, Some(stack)) => {
                tracing::info!(stack.name = %work.stack_name, stack.status = %stack.status, "Replacing the stack");
                let gone = destroy_stack::remove(at, &mut watch, stack, Some(&role), &[]).await?;
                if let Some(left) = gone.stack {
                    return Err(not_deleted(at, &watch, &left).await?);
                }
                watch.observe(at).await?
            }
            (action, Some(stack)) => {
                let standing = seen.standing;
                match settle(at, &mut watch, &role, action, stack, standing).await? {
                    Some(seen) => seen,
                    None => watch.observe(at).await?,
                }
            }
            (Action::Fail(kind), None) => {
                let message = format!("stack {} does not exist any more", work.stack_name);
                let halt = Halt::failed(kind, message);
                return Err(match &work.stack_arn {
                    Some(arn) => halt.about(arn, None),
                    None => halt,
                });
            }
            (action, None) => {
                return Err(Halt::failed(
                    FailureKind::Other,
                    format!("{action} without a stack"),
                ));
            }
        };
    }
}

/// What a replaced stack that cannot be deleted comes to.
async fn not_deleted<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    watch: &Watch<'_>,
    stack: &Stack,
) -> Result<Halt, Halt> {
    let why = watch.events.as_ref().map(Events::undeleted).unwrap_or_default();
    at.failure(
        FailureKind::DeleteFailed,
        format!("the stack cannot be replaced: {why}"),
        stack,
    )
    .await
}

/// Carries out what brings a stack out of a state that it is stuck in or passes through. Used by all three intents.
/// `None`: look again from the beginning.
pub(super) async fn settle<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    watch: &mut Watch<'_>,
    role: &RoleArn,
    action: Action,
    stack: Stack,
    standing: Standing,
) -> Result<Option<Seen>, Halt> {
    let arn = stack.arn.clone();
    // Whoever reads the report takes its stack for ours: a foreign one is named in the text only.
    let foreign = standing == Standing::Foreign;
    match action {
        Action::WaitOwn => {
            watch
                .until(at, &arn, Patience::Settle, |seen, _| !is_moving(seen))
                .await
        }
        Action::WaitForeign => {
            let patience = Patience::AtMost(at.settings.foreign_wait);
            // The events may show later than the state whose doing it is.
            let done = |seen: &Seen, _: Option<&Events>| !is_moving(seen) || seen.standing != standing;
            if watch.until(at, &arn, patience, done).await?.is_none() {
                let message = format!("stack {arn} is still {} by somebody else's doing", stack.status);
                if foreign {
                    return Err(Halt::failed(FailureKind::ForeignOperation, message));
                }
                return Err(at.failure(FailureKind::ForeignOperation, message, &stack).await?);
            }
            // Meanwhile others may have left change sets.
            Ok(None)
        }
        Action::ContinueRollback => {
            let verb = if standing == Standing::Mine {
                Verb::Resume
            } else {
                Verb::Recover
            };
            let fresh = |token: &String| watch.events.as_ref().is_none_or(|events| !events.has(token));
            let token = (1..=CONTINUATIONS).map(|n| at.names.token(verb, n)).find(fresh);
            let Some(token) = token else {
                let why = watch
                    .events
                    .as_ref()
                    .and_then(Events::first_failure)
                    .unwrap_or(&stack.reason);
                let message = format!("the stack cannot be rolled back and needs a person: {why}");
                return Err(at.failure(FailureKind::RollbackFailed, message, &stack).await?);
            };
            let step = Step::ContinueRollback {
                stack: arn.to_string(),
                token: token.clone(),
            };
            let answer = at
                .act_once(&step, || at.stacks().continue_rollback(&arn, &token, role))
                .await?;
            if !begun(answer, "cannot continue the rollback", &stack)? {
                return Ok(None);
            }
            let done = |seen: &Seen, events: Option<&Events>| {
                !is_moving(seen)
                    && (seen.status() != Some(&StackStatus::UpdateRollbackFailed)
                        || events.is_some_and(|events| {
                            events.has(&token) && events.newest_is("UPDATE_ROLLBACK_FAILED", &at.names)
                        }))
            };
            watch.until(at, &arn, Patience::Settle, done).await
        }
        Action::RollBack => {
            let verb = if standing == Standing::Mine {
                Verb::Resume
            } else {
                Verb::Recover
            };
            let token = at.names.token(verb, 0);
            let step = Step::RollBack {
                stack: arn.to_string(),
                token: token.clone(),
            };
            let answer = at
                .act_once(&step, || at.stacks().roll_back(&arn, &token, role))
                .await?;
            if !begun(answer, "cannot roll the stack back", &stack)? {
                return Ok(None);
            }
            let done = |seen: &Seen, _: Option<&Events>| {
                !is_moving(seen) && seen.status() != Some(&StackStatus::UpdateFailed)
            };
            watch.until(at, &arn, Patience::Settle, done).await
        }
        Action::CancelUpdate => {
            let token = at.names.token(Verb::Cancel, 0);
            let step = Step::CancelUpdate {
                stack: arn.to_string(),
                token: token.clone(),
            };
            let answer = at
                .act_once(&step, || {
                    hadron_proto::fault::point("C59");
                    at.stacks().cancel_update(&arn, &token)
                })
                .await?;
            if !begun(answer, "cannot cancel the update", &stack)? {
                return Ok(None);
            }
            watch
                .until(at, &arn, Patience::Settle, |seen, _| !is_moving(seen))
                .await
        }
        Action::Fail(kind) if foreign => {
            let message = format!(
                "stack {arn} ({}) has the name of this deployment's stack, and nothing on it says that it is ours",
                stack.status
            );
            Err(Halt::failed(kind, message))
        }
        Action::Fail(kind) => {
            let why = watch.events.as_ref().and_then(Events::first_failure);
            let message = match (kind, why) {
                (FailureKind::StackFailed, Some(why)) => why.to_owned(),
                (FailureKind::StackFailed, None) if !stack.reason.is_empty() => stack.reason.clone(),
                (FailureKind::ForeignOperation, _) if standing == Standing::Overtaken => {
                    format!(
                        "somebody else changed the stack after this deployment was executed; it is {}",
                        stack.status
                    )
                }
                (FailureKind::ForeignOperation, _) => {
                    format!(
                        "the stack exists ({}) though no deployment has reported it",
                        stack.status
                    )
                }
                (FailureKind::RollbackFailed, _) => {
                    format!(
                        "the stack is in {} and needs a person: {}",
                        stack.status, stack.reason
                    )
                }
                (FailureKind::DeleteFailed, _) => {
                    format!(
                        "the stack is in {} and can only be deleted: {}",
                        stack.status, stack.reason
                    )
                }
                _ => format!("the stack is in {}", stack.status),
            };
            Err(at.failure(kind, message, &stack).await?)
        }
        other => Err(at
            .failure(
                FailureKind::Other,
                format!("{other} does not fit the stack"),
                &stack,
            )
            .await?),
    }
}

/// Whether what was asked for runs, as far as the answer tells. A request that the stack's state no longer allows was
/// overtaken by what it asks for; after an answer that tells nothing somebody else's operation may run.
fn begun(answer: crate::aws::Answer<()>, doing: &str, stack: &Stack) -> Result<bool, Halt> {
    match answer {
        Ok(()) => Ok(true),
        Err(error) if error.kind.is_passing() => Ok(false),
        Err(error)
            if matches!(
                error.kind,
                Kind::InvalidState | Kind::AlreadyExists | Kind::NotFound
            ) =>
        {
            Ok(true)
        }
        Err(error) => {
            Err(failed(doing, &error, FailureKind::Other).about(&stack.arn, Some(stack.status.as_str())))
        }
    }
}

fn is_moving(seen: &Seen) -> bool {
    seen.status().is_some_and(StackStatus::is_moving)
}

enum Deployed {
    /// Look at this: the execution has ended, or has to be planned again.
    Seen(Seen),
    /// The stack has this content already.
    NoChanges,
}

#[expect(
    clippy::too_many_arguments,
    reason = "one caller per kind; a struct would only rename them"
)]
async fn deploy<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &ApplyStack,
    role: &RoleArn,
    watch: &mut Watch<'_>,
    template: &mut Option<TemplateSource>,
    kind: ChangeSetType,
    known: Option<&StackArn>,
    round: u32,
) -> Result<Deployed, Halt> {
    if round > at.settings.plans {
        let message = format!(
            "{} change sets were taken away before they could be executed",
            round - 1
        );
        return Err(Halt::failed(FailureKind::ForeignOperation, message));
    }
    let source = match template {
        Some(source) => source,
        None => template.insert(change_set::template(at, work).await?),
    };
    let known = known.filter(|_| kind == ChangeSetType::Update);
    let plan = match change_set::make(at, work, role, source, known, round).await? {
        Planned::Ready(plan) => plan,
        Planned::NoChanges => return Ok(Deployed::NoChanges),
        Planned::Again => return again(at, watch).await,
    };
    let step = Step::AuthoriseExecute {
        change_set: plan.arn.clone(),
    };
    let act = Act::Execute {
        stack: plan.stack.clone(),
        change_set_arn: plan.arn.clone(),
        digest: change_set::digest(&plan.changes),
        changes: plan.changes.clone(),
    };
    hadron_proto::fault::point("C25");
    let verdict = if bug(Bug::UpdateByName) {
        Verdict::Granted
    } else {
        at.authorise(&step, act).await?
    };
    if let Verdict::Refused(why) = verdict {
        tracing::info!(%why, "The hub refuses the execution");
        change_set::remove(at, plan.stack.as_str(), &plan.arn).await?;
        return Err(Halt::Stopped(Stopped::Fenced));
    }
    hadron_proto::fault::point("C26");
    if execute(at, watch, &plan).await? {
        follow(at, watch, &plan.stack).await
    } else {
        again(at, watch).await
    }
}

async fn again<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    watch: &mut Watch<'_>,
) -> Result<Deployed, Halt> {
    tracing::info!("The stack changed meanwhile; looking again");
    at.wait(at.settings.poll.first).await?;
    Ok(Deployed::Seen(watch.observe(at).await?))
}

/// Executes the change set, or finds that it was. False: it was not and never will be.
async fn execute<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    watch: &mut Watch<'_>,
    plan: &ChangeSet,
) -> Result<bool, Halt> {
    let token = at.names.token(Verb::Exec, 0);
    let step = Step::ExecuteChangeSet {
        change_set: plan.arn.clone(),
        token: token.clone(),
    };
    tracing::info!(
        stack.name = plan.stack.name(),
        changes = plan.changes.len(),
        "Executing the change set"
    );
    let execute = || {
        hadron_proto::fault::point("C27");
        at.stacks().execute_change_set(&plan.arn, &token)
    };
    let error = match at.act(&step, execute).await? {
        Ok(()) => {
            hadron_proto::fault::point("C28");
            at.spent();
            return Ok(true);
        }
        Err(error) if matches!(error.kind, Kind::Denied | Kind::Validation) => {
            change_set::remove(at, plan.stack.as_str(), &plan.arn).await?;
            let halt = failed("CloudFormation refuses the execution", &error, FailureKind::Other);
            return Err(halt.about(&plan.stack, None));
        }
        Err(error) => error,
    };
    tracing::info!(%error, "Looking whether the change set was executed");
    // An answer was lost, or another attempt came first: the stack tells. Two looks, since AWS may show it late.
    for look in 0..2 {
        if look > 0 {
            at.wait(at.settings.missing_gap).await?;
        }
        let found = match at.ask(|| at.stacks().describe(plan.stack.as_str())).await? {
            Ok(found) => Some(found),
            Err(error) if error.kind == Kind::NotFound => None,
            Err(error) => return Err(failed("cannot describe the stack", &error, FailureKind::Other)),
        };
        let seen = watch.seen(at, found).await?;
        if matches!(seen.standing, Standing::Mine | Standing::Overtaken) {
            at.spent();
            return Ok(true);
        }
        match at
            .ask(|| at.stacks().change_set(plan.stack.as_str(), &plan.arn))
            .await?
        {
            Ok(found) if found.execution.is_spent() => {
                at.spent();
                return Ok(true);
            }
            Ok(found)
                if found.status == ChangeSetStatus::Created
                    && found.execution == Execution::Available
                    && error.kind == Kind::InvalidState =>
            {
                // Somebody else's operation runs on the stack.
                return Ok(false);
            }
            Ok(_) => {}
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => return Err(failed("cannot read the change set", &error, FailureKind::Other)),
        }
    }
    Ok(false)
}

/// Looks until the execution has ended. Old states that AWS still shows are not taken for its end.
async fn follow<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    watch: &mut Watch<'_>,
    stack: &StackArn,
) -> Result<Deployed, Halt> {
    let ended = watch
        .until(at, stack, Patience::Settle, |seen, events| {
            has_ended(seen, events, &at.names)
        })
        .await?;
    match ended {
        Some(seen) => Ok(Deployed::Seen(seen)),
        None => again(at, watch).await,
    }
}

fn has_ended(seen: &Seen, events: Option<&Events>, names: &Names) -> bool {
    let Some(stack) = &seen.stack else { return true };
    if stack.status.is_moving() || stack.status == StackStatus::ReviewInProgress {
        return false;
    }
    events.is_some_and(|events| events.newest_is(stack.status.as_str(), names))
}
