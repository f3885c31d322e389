//! The events of one stack: passed on to the hub as they appear, and read for evidence of who did what.

use std::collections::{BTreeSet, HashSet};

use hadron_proto::vocab::StackArn;

use super::StepLog;
use super::attempt::{Attempt, Halt};
use super::names::{PREFIX, Verb};
use crate::aws::{Account, Answer, Stacks as _, TokenedEvent};
use crate::job::{Hub, StackEvent, Work};

/// Pages that a later attempt looks back for traces of an earlier one, 100 events each.
const PAGES_BACK: usize = 5;
/// Pages that one look reads at most, so that a flood of events cannot keep the work from going on.
const PAGES_AHEAD: usize = 50;
/// Events that are sent to the hub at once.
const CHUNK: usize = 100;

/// What the events of a stack tell.
#[derive(Debug)]
pub(super) struct Events {
    stack: StackArn,
    seen: HashSet<String>,
    begun: bool,
    /// Tokens of this deployment that stand on events.
    tokens: BTreeSet<String>,
    /// Status and token of the newest event of the stack itself.
    newest: Option<(String, String)>,
    /// The token of the newest event of all. A flood of resources' events may leave none of the stack itself in sight.
    newest_token: Option<String>,
    /// The first failure of this deployment's doing.
    first_failure: Option<String>,
    /// Resources that could not be deleted, in this deployment's doing.
    undeleted: Vec<(String, String)>,
}

impl Events {
    pub(super) fn new(stack: StackArn) -> Self {
        Self {
            stack,
            seen: HashSet::new(),
            begun: false,
            tokens: BTreeSet::new(),
            newest: None,
            newest_token: None,
            first_failure: None,
            undeleted: Vec::new(),
        }
    }

    pub(super) const fn stack(&self) -> &StackArn {
        &self.stack
    }

    /// Reads what is new and passes it on: at the first look only what carries this deployment's token (an earlier
    /// attempt began it), afterwards everything.
    pub(super) async fn pull<A: Account, H: Hub, J: StepLog>(
        &mut self,
        at: &Attempt<'_, A, H, J>,
    ) -> Result<Answer<()>, Halt> {
        let first = !self.begun;
        let mut fresh: Vec<TokenedEvent> = Vec::new();
        let mut older: Option<String> = None;
        for page in 1..=PAGES_AHEAD {
            let answer = match at
                .ask(|| at.stacks().events(&self.stack, older.as_deref()))
                .await?
            {
                Ok(answer) => answer,
                Err(error) => return Ok(Err(error)),
            };
            let known = answer
                .events
                .iter()
                .any(|found| self.seen.contains(&found.event.event_id));
            let runs_on = answer
                .events
                .last()
                .is_some_and(|found| at.names.verb(&found.token).is_some());
            fresh.extend(
                answer
                    .events
                    .into_iter()
                    .filter(|found| !self.seen.contains(&found.event.event_id)),
            );
            older = answer.older;
            // A cancellation is a job of its own: even its first attempt comes after one of the deployment.
            let comes_later = at.job.attempt > 1 || matches!(at.job.work, Work::RevokeStack(_));
            let look_back = comes_later && page < PAGES_BACK;
            if known || older.is_none() || (first && !runs_on && !look_back) {
                break;
            }
        }
        self.begun = true;
        fresh.reverse();
        let mut news: Vec<StackEvent> = Vec::new();
        for TokenedEvent { event, token } in fresh {
            if !self.seen.insert(event.event_id.clone()) {
                continue;
            }
            let verb = at.names.verb(&token);
            self.take(&event, &token, verb);
            if verb.is_some() || !first {
                news.push(event);
            }
        }
        for chunk in news.chunks(CHUNK) {
            at.hub.events(at.job.token, chunk.to_vec()).await;
        }
        Ok(Ok(()))
    }

    fn take(&mut self, event: &StackEvent, token: &str, verb: Option<Verb>) {
        self.newest_token = Some(token.to_owned());
        let of_stack = event.physical_id == self.stack.as_str();
        if of_stack {
            self.newest = Some((event.status.clone(), token.to_owned()));
        }
        if verb.is_none() {
            return;
        }
        self.tokens.insert(token.to_owned());
        if of_stack || !event.status.ends_with("_FAILED") {
            return;
        }
        if event.status == "DELETE_FAILED" {
            self.undeleted.retain(|(id, _)| *id != event.logical_id);
            self.undeleted.push((event.logical_id.clone(), told(event)));
        }
        // What was cancelled because something else failed is a consequence.
        if self.first_failure.is_none() && !event.reason.contains(" cancelled") {
            self.first_failure = Some(told(event));
        }
    }

    /// The token of the newest operation on the stack.
    fn operation(&self) -> Option<&str> {
        let of_stack = self.newest.as_ref().map(|(_, token)| token);
        of_stack.or(self.newest_token.as_ref()).map(String::as_str)
    }

    /// The newest operation on the stack is this deployment's execution, or takes that back.
    pub(super) fn executed_last(&self, names: &super::names::Names) -> bool {
        self.operation()
            .and_then(|token| names.verb(token))
            .is_some_and(Verb::is_execution)
    }

    /// This deployment's content was put in motion, whatever came after that.
    pub(super) fn executed(&self, names: &super::names::Names) -> bool {
        self.tokens
            .iter()
            .any(|token| names.verb(token).is_some_and(Verb::is_execution))
    }

    /// This token stands on an event.
    pub(super) fn has(&self, token: &str) -> bool {
        self.tokens.contains(token)
    }

    /// The newest event of the stack itself has this status and a token of this deployment.
    pub(super) fn newest_is(&self, status: &str, names: &super::names::Names) -> bool {
        self.newest
            .as_ref()
            .is_some_and(|(found, token)| found == status && names.verb(token).is_some())
    }

    /// The stack's state by its newest event, if that event is of this deployment's doing.
    pub(super) fn own_status(&self, names: &super::names::Names) -> Option<&str> {
        self.newest
            .as_ref()
            .filter(|(_, token)| names.verb(token).is_some())
            .map(|(status, _)| status.as_str())
    }

    /// The stack's state by its newest event, whoever's doing it is.
    pub(super) fn status(&self) -> Option<&str> {
        self.newest.as_ref().map(|(status, _)| status.as_str())
    }

    /// The newest operation was begun by Hadron, for whatever deployment.
    pub(super) fn hadron_operates(&self) -> bool {
        self.operation().is_some_and(|token| token.starts_with(PREFIX))
    }

    /// What failed first, for people.
    pub(super) fn first_failure(&self) -> Option<&str> {
        self.first_failure.as_deref()
    }

    /// What could not be deleted, for people.
    pub(super) fn undeleted(&self) -> String {
        self.undeleted
            .iter()
            .map(|(_, text)| text.as_str())
            .collect::<Vec<_>>()
            .join("; ")
    }
}

fn told(event: &StackEvent) -> String {
    let reason = if event.reason.is_empty() {
        "CloudFormation gave no reason"
    } else {
        &event.reason
    };
    format!("{} ({}): {reason}", event.logical_id, event.resource_type)
}
