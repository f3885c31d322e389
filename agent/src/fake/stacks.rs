//! `CloudFormation` in memory.
//!
//! A template is JSON: `Resources` with `Type` and anything else, `Outputs` with `Value`. An operation is worked out when
//! it begins, as a queue of events; each look at the stack lets some of them happen.

mod operations;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hadron_proto::vocab::{RoleArn, StackArn, Timestamp};
use serde_json::Value;

use super::{Call, FakeAws};
use crate::aws::{
    self, Answer, AwsError, ChangeSet, ChangeSetLine, ChangeSetStatus, CreatedChangeSet, EventPage,
    Execution, NewChangeSet, Stack, StackDeletion, StackStatus, TokenedEvent,
};
use crate::job::{ResourceChange, StackEvent, StackResource};

const PAGE: usize = 100;

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is deleted with its stack.
    Delete,
    /// A change of it is taken back.
    Rollback,
}

/// A change set that was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// The stack.
    pub stack: StackArn,
    /// The change set's name.
    pub change_set: String,
    /// The token that it was executed with.
    pub token: String,
}

/// Tags and what the template said.
#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    /// The change set that brought it.
    change_set: String,
    tags: Vec<(String, String)>,
    resources: BTreeMap<String, Value>,
    outputs: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Plan {
    arn: String,
    name: String,
    status: ChangeSetStatus,
    end: ChangeSetStatus,
    reason: String,
    execution: Execution,
    content: Content,
    changes: Vec<ResourceChange>,
}

#[derive(Clone, Debug)]
enum Tick {
    Stack(StackStatus, String, String),
    Resource {
        id: String,
        status: &'static str,
        reason: String,
        token: String,
    },
    /// Content becomes what it was before the operation.
    Restore,
}

/// A stack, present or deleted.
#[derive(Clone, Debug)]
pub(super) struct Row {
    arn: StackArn,
    pub(super) status: StackStatus,
    reason: String,
    content: Content,
    before: Content,
    states: BTreeMap<String, &'static str>,
    events: Vec<TokenedEvent>,
    plans: Vec<Plan>,
    queue: VecDeque<Tick>,
    tokens: BTreeSet<String>,
    stale: Option<(Box<Stack>, u32)>,
    hidden: u32,
    /// Events that can be seen, and for how many reads still no more than these.
    quiet: (usize, u32),
}

#[derive(Clone, Debug)]
struct Failing {
    id: String,
    on: Happening,
    times: u32,
    reason: String,
}

#[derive(Debug)]
pub(super) struct Stacks {
    rows: Vec<Row>,
    failing: Vec<Failing>,
    pub(super) speed: usize,
    pub(super) lag: u32,
    pub(super) event_lag: u32,
    pub(super) executed: Vec<Executed>,
    /// Deletions that were begun: which stack, and the token.
    pub(super) deleted: Vec<(StackArn, String)>,
    /// Tokens of cancellations and continued rollbacks, and how many executions there were before.
    pub(super) taken_back: Vec<(usize, String)>,
}

impl Default for Stacks {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            failing: Vec::new(),
            speed: 2,
            lag: 0,
            event_lag: 0,
            executed: Vec::new(),
            deleted: Vec::new(),
            taken_back: Vec::new(),
        }
    }
}

fn missing(stack: &str) -> AwsError {
    AwsError::coded("ValidationError", format!("Stack with id {stack} does not exist"))
}

fn no_change_set(name: &str) -> AwsError {
    AwsError::coded("ChangeSetNotFound", format!("ChangeSet [{name}] does not exist"))
}

fn wrong_state(row: &Row, doing: &str) -> AwsError {
    AwsError::coded(
        "ValidationError",
        format!(
            "Stack:{} is in {} state and can not be {doing}.",
            row.arn, row.status
        ),
    )
}

impl Stacks {
    pub(super) fn fail(&mut self, id: &str, on: Happening, times: u32, reason: &str) {
        self.failing.push(Failing {
            id: id.to_owned(),
            on,
            times,
            reason: reason.to_owned(),
        });
    }

    fn index(&self, stack: &str) -> Option<usize> {
        if stack.starts_with("arn:") {
            return self.rows.iter().position(|row| row.arn.as_str() == stack);
        }
        self.rows
            .iter()
            .position(|row| row.arn.name() == stack && row.status != StackStatus::DeleteComplete)
    }

    pub(super) fn row(&self, stack: &str) -> Option<&Row> {
        self.index(stack).map(|index| &self.rows[index])
    }

    pub(super) fn row_mut(&mut self, stack: &str) -> Option<&mut Row> {
        self.index(stack).map(|index| &mut self.rows[index])
    }

    pub(super) fn live_change_sets(&self) -> Vec<String> {
        let rows = self
            .rows
            .iter()
            .filter(|row| row.status != StackStatus::DeleteComplete);
        rows.flat_map(|row| &row.plans)
            .filter(|plan| !plan.execution.is_spent())
            .map(|plan| plan.name.clone())
            .collect()
    }

    pub(super) fn present(&self) -> Vec<StackArn> {
        let rows = self
            .rows
            .iter()
            .filter(|row| row.status != StackStatus::DeleteComplete);
        rows.map(|row| row.arn.clone()).collect()
    }

    fn fails(&mut self, id: &str, on: Happening) -> Option<String> {
        let failing = self
            .failing
            .iter_mut()
            .find(|f| f.id == id && f.on == on && f.times > 0)?;
        failing.times -= 1;
        Some(failing.reason.clone())
    }

    fn find_plan(&mut self, stack: &str, change_set: &str) -> Option<(usize, usize)> {
        if change_set.starts_with("arn:") {
            let at = |row: &Row| row.plans.iter().position(|plan| plan.arn == change_set);
            return self
                .rows
                .iter()
                .enumerate()
                .find_map(|(index, row)| at(row).map(|plan| (index, plan)));
        }
        let row = self.index(stack)?;
        self.rows[row]
            .plans
            .iter()
            .position(|plan| plan.name == change_set)
            .map(|plan| (row, plan))
    }
}

impl Row {
    pub(super) fn tags(&self) -> &[(String, String)] {
        &self.content.tags
    }

    pub(super) fn change_set(&self) -> &str {
        &self.content.change_set
    }

    pub(super) fn content(&self) -> Vec<String> {
        self.content.resources.keys().cloned().collect()
    }

    fn view(&self) -> Stack {
        Stack {
            arn: self.arn.clone(),
            status: self.status.clone(),
            reason: self.reason.clone(),
            tags: self.content.tags.clone(),
            outputs: self.content.outputs.clone(),
        }
    }

    fn kind_of(&self, id: &str) -> String {
        let resource = self
            .content
            .resources
            .get(id)
            .or_else(|| self.before.resources.get(id));
        resource
            .and_then(|resource| resource["Type"].as_str())
            .unwrap_or("AWS::SNS::Topic")
            .to_owned()
    }

    fn happen(&mut self, tick: Tick, serial: &mut u64) {
        *serial += 1;
        let (logical_id, physical_id, resource_type, status, reason, token) = match tick {
            Tick::Restore => {
                self.content = self.before.clone();
                return;
            }
            Tick::Stack(status, reason, token) => {
                let text = status.as_str().to_owned();
                self.status = status;
                self.reason.clone_from(&reason);
                let kind = "AWS::CloudFormation::Stack".to_owned();
                (
                    self.arn.name().to_owned(),
                    self.arn.to_string(),
                    kind,
                    text,
                    reason,
                    token,
                )
            }
            Tick::Resource {
                id,
                status,
                reason,
                token,
            } => {
                let kind = self.kind_of(&id);
                if status == "DELETE_COMPLETE" {
                    self.states.remove(&id);
                    self.content.resources.remove(&id);
                } else {
                    self.states.insert(id.clone(), status);
                }
                (
                    id.clone(),
                    format!("{}-{id}", self.arn.name()),
                    kind,
                    status.to_owned(),
                    reason,
                    token,
                )
            }
        };
        let at = Timestamp::from_micros(i64::try_from(*serial).unwrap_or(0) * 1_000_000);
        let event_id = format!("{serial:08}");
        let event = StackEvent {
            event_id,
            at,
            logical_id,
            physical_id,
            resource_type,
            status,
            reason,
        };
        self.events.push(TokenedEvent { event, token });
    }
}

impl aws::Stacks for FakeAws {
    async fn describe(&self, stack: &str) -> Answer<Stack> {
        let ticket = self.line.enter(Call::Describe).await?;
        let answer = {
            let mut state = self.state();
            match state.stacks.index(stack) {
                None => Err(missing(stack)),
                Some(index) => {
                    state.pass(index);
                    let row = &mut state.stacks.rows[index];
                    if row.hidden > 0 && !stack.starts_with("arn:") {
                        row.hidden -= 1;
                        Err(missing(stack))
                    } else if let Some((old, reads)) = &mut row.stale
                        && *reads > 0
                    {
                        *reads -= 1;
                        Ok((**old).clone())
                    } else {
                        Ok(row.view())
                    }
                }
            }
        };
        ticket.leave(answer).await
    }

    async fn change_sets(&self, stack: &str) -> Answer<Vec<ChangeSetLine>> {
        let ticket = self.line.enter(Call::ChangeSets).await?;
        let line = |plan: &Plan| ChangeSetLine {
            arn: plan.arn.clone(),
            name: plan.name.clone(),
            status: plan.status.clone(),
            execution: plan.execution.clone(),
        };
        let answer = match self.state().stacks.row(stack) {
            Some(row) if row.status != StackStatus::DeleteComplete => {
                Ok(row.plans.iter().map(line).collect())
            }
            _ => Err(AwsError::coded(
                "ValidationError",
                format!("Stack [{stack}] does not exist"),
            )),
        };
        ticket.leave(answer).await
    }

    async fn change_set(&self, stack: &str, change_set: &str) -> Answer<ChangeSet> {
        let ticket = self.line.enter(Call::ChangeSet).await?;
        let answer = {
            let mut state = self.state();
            match state.stacks.find_plan(stack, change_set) {
                None => Err(no_change_set(change_set)),
                Some((row, plan)) => {
                    let row = &mut state.stacks.rows[row];
                    let arn = row.arn.clone();
                    let plan = &mut row.plans[plan];
                    let view = ChangeSet {
                        arn: plan.arn.clone(),
                        stack: arn,
                        status: plan.status.clone(),
                        reason: plan.reason.clone(),
                        execution: plan.execution.clone(),
                        tags: plan.content.tags.clone(),
                        changes: plan.changes.clone(),
                    };
                    if plan.status == ChangeSetStatus::Creating {
                        plan.status = plan.end.clone();
                        if plan.status == ChangeSetStatus::Created {
                            plan.execution = Execution::Available;
                        }
                    }
                    Ok(view)
                }
            }
        };
        ticket.leave(answer).await
    }

    async fn create_change_set(&self, new: &NewChangeSet) -> Answer<CreatedChangeSet> {
        let ticket = self.line.enter(Call::CreateChangeSet).await?;
        let answer = self.state().create_change_set(new);
        ticket.leave(answer).await
    }

    async fn delete_change_set(&self, stack: &str, change_set: &str) -> Answer<()> {
        let ticket = self.line.enter(Call::DeleteChangeSet).await?;
        let answer = {
            let mut state = self.state();
            match state.stacks.find_plan(stack, change_set) {
                None => Err(no_change_set(change_set)),
                Some((row, plan)) if state.stacks.rows[row].plans[plan].execution.is_spent() => {
                    Err(AwsError::coded("InvalidChangeSetStatus", "it was executed"))
                }
                Some((row, plan)) => {
                    state.stacks.rows[row].plans.remove(plan);
                    Ok(())
                }
            }
        };
        ticket.leave(answer).await
    }

    async fn execute_change_set(&self, change_set_arn: &str, token: &str) -> Answer<()> {
        let ticket = self.line.enter(Call::ExecuteChangeSet).await?;
        let answer = self.state().execute(change_set_arn, token);
        ticket.leave(answer).await
    }

    async fn delete_stack(&self, deletion: &StackDeletion) -> Answer<()> {
        let ticket = self.line.enter(Call::DeleteStack).await?;
        let answer = self.state().delete_stack(deletion);
        ticket.leave(answer).await
    }

    async fn cancel_update(&self, stack: &StackArn, token: &str) -> Answer<()> {
        let ticket = self.line.enter(Call::CancelUpdate).await?;
        let from = StackStatus::UpdateInProgress;
        let answer = self
            .state()
            .take_back_now(stack, token, &from, "CancelUpdateStack");
        ticket.leave(answer).await
    }

    async fn continue_rollback(&self, stack: &StackArn, token: &str, _: &RoleArn) -> Answer<()> {
        let ticket = self.line.enter(Call::ContinueRollback).await?;
        let from = StackStatus::UpdateRollbackFailed;
        let answer = self
            .state()
            .take_back_now(stack, token, &from, "ContinueUpdateRollback");
        ticket.leave(answer).await
    }

    async fn roll_back(&self, stack: &StackArn, token: &str, _: &RoleArn) -> Answer<()> {
        let ticket = self.line.enter(Call::RollBack).await?;
        let answer = self
            .state()
            .take_back_now(stack, token, &StackStatus::UpdateFailed, "RollbackStack");
        ticket.leave(answer).await
    }

    async fn events(&self, stack: &StackArn, page: Option<&str>) -> Answer<EventPage> {
        let ticket = self.line.enter(Call::Events).await?;
        let answer = match self.state().stacks.row_mut(stack.as_str()) {
            None => Err(missing(stack.as_str())),
            Some(row) => {
                let mut known = row.events.len();
                if row.quiet.1 > 0 {
                    row.quiet.1 -= 1;
                    known = row.quiet.0;
                }
                // The page's token counts events from the oldest, so that new ones do not shift it.
                let end = page
                    .and_then(|page| page.parse().ok())
                    .map_or(known, |page: usize| page.min(known));
                let start = end.saturating_sub(PAGE);
                let events = row.events[start..end].iter().rev().cloned().collect();
                Ok(EventPage {
                    events,
                    older: (start > 0).then(|| start.to_string()),
                })
            }
        };
        ticket.leave(answer).await
    }

    async fn resources(&self, stack: &StackArn) -> Answer<Vec<StackResource>> {
        let ticket = self.line.enter(Call::Resources).await?;
        let answer = match self.state().stacks.row(stack.as_str()) {
            None => Err(missing(stack.as_str())),
            Some(row) => Ok(row
                .states
                .iter()
                .map(|(id, status)| StackResource {
                    logical_id: id.clone(),
                    physical_id: format!("{}-{id}", row.arn.name()),
                    resource_type: row.kind_of(id),
                    status: (*status).to_owned(),
                })
                .collect()),
        };
        ticket.leave(answer).await
    }
}
