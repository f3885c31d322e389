//! Tell what a stack is and who changed it, for a hub that has lost a stretch of time.
//!
//! A hub whose database was restored knows neither which deployments ran since the backup nor which of their change sets
//! wait for an execution. The second could still happen at any moment, in the hands of an agent that stalls; so they are
//! deleted first, as at the beginning of every attempt, and only then is looked. Nothing else is changed.

use hadron_proto::vocab::StackArn;

use super::StepLog;
use super::attempt::{Attempt, Halt, failed};
use super::change_set::is_live;
use super::decide::Intent;
use super::names::{deployment_of, is_ours};
use super::observe::{Target, Watch};
use crate::aws::{Account, Kind, Stack, StackStatus, Stacks as _, TokenedEvent};
use crate::job::{FailureKind, Hub, InspectStack, Inspection, Operation, Outcome};

/// Pages of events that are read at most, 100 events each.
const PAGES: usize = 5;
/// Operations that are told at most.
const OPERATIONS: usize = 16;
/// Looks at a stack whose events do not fit its state, however long each of them takes.
const LOOKS: u32 = 5;

pub(super) async fn run<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &InspectStack,
) -> Result<Outcome, Halt> {
    let mut watch = Watch::new(Target {
        name: &work.stack_name,
        arn: work.stack_arn.as_ref(),
        replaceable: true,
        tag: None,
        fresh: false,
        intent: Intent::Revoke,
    });
    let mut removed = Vec::new();
    let mut looks = 0;
    let mut wait = at.settings.poll.first;
    loop {
        let Some(stack) = find(at, work, &mut watch, &mut removed).await? else {
            return Ok(Outcome::Inspected(Inspection {
                removed,
                ..Inspection::default()
            }));
        };
        let (operations, told) = operations(at, &stack).await?;
        looks += 1;
        // Reads of AWS are not in step: a stack at rest whose newest event tells of another state is looked at again.
        let in_step = stack.status.is_moving() || told.is_none_or(|told| told == stack.status.as_str());
        if in_step || looks >= LOOKS {
            return Ok(Outcome::Inspected(Inspection {
                stack: Some((stack.arn, stack.status.as_str().to_owned())),
                operations,
                removed,
            }));
        }
        at.wait(wait).await?;
        wait = at.settings.poll.after(wait);
    }
}

/// The stack of that ARN; where it is gone, one of the same name, which may be its replacement.
async fn find<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &InspectStack,
    watch: &mut Watch<'_>,
    removed: &mut Vec<String>,
) -> Result<Option<Stack>, Halt> {
    let mut gone = None;
    if let Some(arn) = &work.stack_arn {
        match look(at, watch, arn.as_str(), removed).await? {
            Some(stack) if stack.status != StackStatus::DeleteComplete => return Ok(Some(stack)),
            found => gone = found,
        }
    }
    // A name that was taken a moment ago may still look free.
    for again in [false, true] {
        if again {
            at.wait(at.settings.missing_gap).await?;
        }
        if let Some(stack) = look(at, watch, &work.stack_name, removed).await? {
            return Ok(Some(stack));
        }
    }
    Ok(gone)
}

async fn look<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    watch: &mut Watch<'_>,
    stack: &str,
    removed: &mut Vec<String>,
) -> Result<Option<Stack>, Halt> {
    match at.ask(|| at.stacks().change_sets(stack)).await? {
        Ok(lines) => {
            for line in lines.iter().filter(|line| is_ours(&line.name) && is_live(line)) {
                if !removed.contains(&line.name) {
                    removed.push(line.name.clone());
                }
            }
        }
        Err(error) if error.kind == Kind::NotFound => {}
        Err(error) => {
            return Err(failed(
                "cannot list the stack's change sets",
                &error,
                FailureKind::Other,
            ));
        }
    }
    watch.look(at, stack).await
}

/// The operations on the stack, newest first, and the state that its newest own event tells of.
async fn operations<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    stack: &Stack,
) -> Result<(Vec<Operation>, Option<String>), Halt> {
    let mut operations: Vec<Operation> = Vec::new();
    let mut told = None;
    let mut older: Option<String> = None;
    for _ in 0..PAGES {
        let page = match at
            .ask(|| at.stacks().events(&stack.arn, older.as_deref()))
            .await?
        {
            Ok(page) => page,
            // It went meanwhile, or AWS keeps the events of a deleted stack no longer.
            Err(error) if error.kind == Kind::NotFound => break,
            Err(error) => {
                let status = Some(stack.status.as_str());
                return Err(
                    failed("cannot read the stack's events", &error, FailureKind::Other)
                        .about(&stack.arn, status),
                );
            }
        };
        for TokenedEvent { event, token } in page.events {
            if told.is_none() && is_of(&event.physical_id, &stack.arn) {
                told = Some(event.status.clone());
            }
            if operations.len() < OPERATIONS && operations.iter().all(|known| known.token != token) {
                operations.push(Operation {
                    deployment: deployment_of(&token),
                    at: event.at,
                    token,
                });
            }
        }
        older = page.older;
        if older.is_none() || operations.len() >= OPERATIONS {
            break;
        }
    }
    Ok((operations, told))
}

fn is_of(physical_id: &str, stack: &StackArn) -> bool {
    physical_id == stack.as_str()
}
