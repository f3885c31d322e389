//! Looking at a stack: take away what could still change it, then look.
//!
//! The order matters. An unexecuted change set in the hands of a stalled agent can become an execution at any moment
//! until it is deleted; a look before that could be out of date at once.

use std::time::Duration;

use hadron_proto::fault::{Bug, bug};
use hadron_proto::vocab::StackArn;
use tokio::time::Instant;

use super::StepLog;
use super::attempt::{Attempt, Halt, failed};
use super::decide::{Evidence, Intent, Standing, standing};
use super::events::Events;
use super::names::{TARGET_TAG, Verb, is_ours};
use super::{Step, change_set};
use crate::aws::{Account, Kind, Stack, StackStatus, Stacks as _};
use crate::job::{FailureKind, Hub};

/// Looks at what does not fit together before it is taken as it is, however long each of them takes.
const LOOKS: u32 = 5;

/// Which stack, and what for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) name: &'a str,
    pub(super) arn: Option<&'a StackArn>,
    /// When the stack of that ARN is gone, one of the same name may be its replacement.
    pub(super) replaceable: bool,
    /// The value of the target tag that our stacks have; `None` when the job does not tell.
    pub(super) tag: Option<&'a str>,
    /// Nothing of ours can have taken the name yet, so one look is enough to count it as free: whoever makes a stack of
    /// that name is told when it was not.
    pub(super) fresh: bool,
    pub(super) intent: Intent,
}

/// A stack, and whose doing its state is.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) stack: Option<Stack>,
    pub(super) standing: Standing,
}

impl Seen {
    pub(super) fn status(&self) -> Option<&StackStatus> {
        self.stack.as_ref().map(|stack| &stack.status)
    }
}

/// How long to look at a stack.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    /// While something goes on, and as long afterwards as AWS may need to show it.
    Settle,
    /// No longer than this, whatever goes on.
    AtMost(Duration),
}

/// Watches one stack through an attempt.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    pub(super) target: Target<'a>,
    pub(super) events: Option<Events>,
    foreign_change_sets: bool,
    /// A change set of this deployment is listed that was executed.
    spent_change_set: bool,
    /// The first look at the name is still to come.
    first: bool,
}

impl<'a> Watch<'a> {
    pub(super) const fn new(target: Target<'a>) -> Self {
        Self {
            target,
            events: None,
            foreign_change_sets: false,
            spent_change_set: false,
            first: true,
        }
    }

    /// Deletes what could still change the stack, then looks - again, while AWS describes a state that is older than
    /// what the events already tell.
    pub(super) async fn observe<A: Account, H: Hub, J: StepLog>(
        &mut self,
        at: &Attempt<'_, A, H, J>,
    ) -> Result<Seen, Halt> {
        let began = Instant::now();
        let mut wait = at.settings.poll.first;
        let mut looks = 0;
        loop {
            let seen = self.observe_once(at).await?;
            looks += 1;
            // One look may take long by itself; that is no patience.
            let patient = looks < LOOKS || began.elapsed() <= at.settings.settle;
            if !patient || !(self.is_stale(at, &seen) || self.disagrees(at, &seen)) {
                hadron_proto::fault::point("C21");
                return Ok(seen);
            }
            at.wait(wait).await?;
            wait = at.settings.poll.after(wait);
        }
    }

    /// AWS describes a resting stack while the newest event, of our own doing, tells of something else. Reads of AWS
    /// are not in step; taking an old state for the end of what was just begun would be a false report.
    fn is_stale<A: Account, H: Hub, J: StepLog>(&self, at: &Attempt<'_, A, H, J>, seen: &Seen) -> bool {
        let (Some(stack), Some(events)) = (&seen.stack, &self.events) else {
            return false;
        };
        let own = events.own_status(&at.names);
        *events.stack() == stack.arn
            && stack.status != StackStatus::DeleteComplete
            && !stack.status.is_moving()
            && own.is_some_and(|own| own != stack.status.as_str())
    }

    /// What AWS shows of a resting stack does not fit together, so some of it is old: the state is not that of the newest
    /// event, or a change set of this deployment was executed and no event tells of it.
    fn disagrees<A: Account, H: Hub, J: StepLog>(&self, at: &Attempt<'_, A, H, J>, seen: &Seen) -> bool {
        let (Some(stack), Some(events)) = (&seen.stack, &self.events) else {
            return false;
        };
        *events.stack() == stack.arn
            && stack.status != StackStatus::DeleteComplete
            && !stack.status.is_moving()
            && (events.status().is_some_and(|told| told != stack.status.as_str())
                || (self.spent_change_set && !events.executed(&at.names)))
    }

    async fn observe_once<A: Account, H: Hub, J: StepLog>(
        &mut self,
        at: &Attempt<'_, A, H, J>,
    ) -> Result<Seen, Halt> {
        let Target {
            name,
            arn,
            replaceable,
            fresh,
            ..
        } = self.target;
        if let Some(arn) = arn {
            let stack = self.look(at, arn.as_str()).await?;
            let gone = stack
                .as_ref()
                .is_none_or(|stack| stack.status == StackStatus::DeleteComplete);
            if !gone || !replaceable {
                return self.seen(at, stack).await;
            }
        }
        let trusted = fresh && std::mem::take(&mut self.first);
        let mut stack = self.look(at, name).await?;
        if stack.is_none() && !trusted {
            // A name that was taken a moment ago may still look free.
            at.wait(at.settings.missing_gap).await?;
            stack = self.look(at, name).await?;
        }
        self.seen(at, stack).await
    }

    /// Deletes what could still change a stack, then describes it.
    pub(super) async fn look<A: Account, H: Hub, J: StepLog>(
        &mut self,
        at: &Attempt<'_, A, H, J>,
        stack: &str,
    ) -> Result<Option<Stack>, Halt> {
        hadron_proto::fault::point("C20");
        self.purge(at, stack).await?;
        match at.ask(|| at.stacks().describe(stack)).await? {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(failed("cannot describe the stack", &error, FailureKind::Other)),
        }
    }

    /// Deletes change sets of ours until none is left that could be executed.
    async fn purge<A: Account, H: Hub, J: StepLog>(
        &mut self,
        at: &Attempt<'_, A, H, J>,
        stack: &str,
    ) -> Result<(), Halt> {
        let began = Instant::now();
        let mut wait = Duration::ZERO;
        loop {
            let lines = match at.ask(|| at.stacks().change_sets(stack)).await? {
                Ok(lines) => lines,
                Err(error) if error.kind == Kind::NotFound => Vec::new(),
                Err(error) => {
                    return Err(failed(
                        "cannot list the stack's change sets",
                        &error,
                        FailureKind::Other,
                    ));
                }
            };
            self.foreign_change_sets = lines.iter().any(|line| !is_ours(&line.name));
            self.spent_change_set = lines
                .iter()
                .any(|line| at.names.is_change_set(&line.name) && line.execution.is_spent());
            // Whatever the job is for, and whichever deployment made them. A cancellation too: leave for an older, failed
            // deployment's change set may still be out, and no newer deployment runs besides a cancellation.
            let left: Vec<_> = lines
                .iter()
                .filter(|line| is_ours(&line.name) && change_set::is_live(line))
                .filter(|_| !bug(Bug::NoRevokeOnTakeover))
                .collect();
            let Some(line) = left.first() else { return Ok(()) };
            if began.elapsed() > at.settings.settle.saturating_mul(10) {
                let message = format!("change set {} cannot be deleted", line.name);
                return Err(Halt::failed(FailureKind::Other, message));
            }
            for line in left {
                let step = Step::DeleteChangeSet {
                    change_set: line.arn.clone(),
                };
                match at
                    .act(&step, || {
                        hadron_proto::fault::point("C57");
                        at.stacks().delete_change_set(stack, &line.arn)
                    })
                    .await?
                {
                    Ok(()) => {}
                    // Being made or just executed: the next look tells.
                    Err(error) if matches!(error.kind, Kind::NotFound | Kind::InvalidState) => {}
                    Err(error) => {
                        return Err(failed("cannot delete a change set", &error, FailureKind::Other));
                    }
                }
            }
            at.wait(wait).await?;
            wait = at.settings.poll.after(wait);
        }
    }

    /// Adds to a described stack what its events tell.
    pub(super) async fn seen<A: Account, H: Hub, J: StepLog>(
        &mut self,
        at: &Attempt<'_, A, H, J>,
        stack: Option<Stack>,
    ) -> Result<Seen, Halt> {
        let Some(stack) = stack else {
            return Ok(Seen {
                stack: None,
                standing: Standing::Ours,
            });
        };
        if stack.status != StackStatus::DeleteComplete {
            if self
                .events
                .as_ref()
                .is_none_or(|events| *events.stack() != stack.arn)
            {
                self.events = Some(Events::new(stack.arn.clone()));
            }
            if let Some(events) = &mut self.events {
                match events.pull(at).await? {
                    Ok(()) => {}
                    // It may have gone meanwhile; the next look tells.
                    Err(error) if error.kind == Kind::NotFound => {}
                    Err(error) => {
                        return Err(
                            failed("cannot read the stack's events", &error, FailureKind::Other)
                                .about(&stack.arn, Some(stack.status.as_str())),
                        );
                    }
                }
            }
        }
        let standing = self.standing(at, &stack);
        if standing != Standing::Foreign && stack.status != StackStatus::DeleteComplete {
            at.met(&stack.arn, stack.status.as_str());
        }
        Ok(Seen {
            stack: Some(stack),
            standing,
        })
    }

    fn standing<A: Account, H: Hub, J: StepLog>(&self, at: &Attempt<'_, A, H, J>, stack: &Stack) -> Standing {
        let Target { arn, tag, intent, .. } = self.target;
        let same_target = match (intent, stack.tag(TARGET_TAG)) {
            (_, None) => false,
            // These jobs have no tags; the name alone says which target it must be.
            (Intent::Destroy | Intent::Revoke, Some(_)) => true,
            (Intent::Create | Intent::Update, found) => found == tag,
        };
        let events = self.events.as_ref().filter(|events| *events.stack() == stack.arn);
        let (newest, executed) = match intent {
            Intent::Destroy => {
                let token = at.names.token(Verb::Delete, 0);
                let begun = events.is_some_and(|events| events.has(&token));
                (begun, begun)
            }
            Intent::Create | Intent::Update | Intent::Revoke => (
                events.is_some_and(|events| events.executed_last(&at.names)),
                self.spent_change_set || events.is_some_and(|events| events.executed(&at.names)),
            ),
        };
        let evidence = Evidence {
            newest,
            executed,
            hadron_operates: events.is_some_and(Events::hadron_operates),
            known: arn == Some(&stack.arn) || same_target,
            foreign_change_sets: self.foreign_change_sets,
        };
        standing(intent, &stack.status, evidence)
    }

    /// Looks at the stack until `done`; `None` when `patience` was over before.
    pub(super) async fn until<A: Account, H: Hub, J: StepLog>(
        &mut self,
        at: &Attempt<'_, A, H, J>,
        stack: &StackArn,
        patience: Patience,
        done: impl Fn(&Seen, Option<&Events>) -> bool + Send + Sync,
    ) -> Result<Option<Seen>, Halt> {
        let began = Instant::now();
        let mut wait = at.settings.poll.first;
        loop {
            at.wait(wait).await?;
            hadron_proto::fault::point("C32");
            wait = at.settings.poll.after(wait);
            let found = match at.ask(|| at.stacks().describe(stack.as_str())).await? {
                Ok(found) => Some(found),
                Err(error) if error.kind == Kind::NotFound => None,
                // Something runs whose end must be told: keep looking for as long as there is time.
                Err(error) if error.kind.is_passing() || error.kind == Kind::Denied => {
                    tracing::warn!(%error, "Cannot look at the stack");
                    continue;
                }
                Err(error) => return Err(failed("cannot describe the stack", &error, FailureKind::Other)),
            };
            let seen = match self.seen(at, found).await {
                Ok(seen) => seen,
                Err(Halt::Failed(failure)) if failure.kind != FailureKind::Deadline => {
                    tracing::warn!(failure.kind = ?failure.kind, "Cannot read the stack's events");
                    continue;
                }
                Err(halt) => return Err(halt),
            };
            if !self.is_stale(at, &seen) && done(&seen, self.events.as_ref()) {
                return Ok(Some(seen));
            }
            let over = match patience {
                Patience::Settle => {
                    let moving = seen.status().is_some_and(StackStatus::is_moving);
                    !moving && began.elapsed() > at.settings.settle
                }
                Patience::AtMost(most) => began.elapsed() > most,
            };
            if over {
                return Ok(None);
            }
        }
    }
}
