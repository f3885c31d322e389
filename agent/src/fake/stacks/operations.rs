//! What changes stacks: change sets, executions, deletions, and what others did before (`arrange`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hadron_proto::vocab::StackArn;
use serde_json::Value;

use super::{Content, Executed, Happening, Plan, Row, Tick, missing, no_change_set, wrong_state};
use crate::aws::{
    Answer, AwsError, ChangeSetStatus, ChangeSetType, CreatedChangeSet, Execution, NewChangeSet,
    StackDeletion, StackStatus, TemplateSource,
};
use crate::fake::State;
use crate::job::ResourceChange;

impl State {
    pub(super) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn new_row(&mut self, name: &str, status: StackStatus) -> usize {
        let serial = self.serial();
        let (region, account) = (&self.region, self.account);
        let arn = format!("arn:aws:cloudformation:{region}:{account}:stack/{name}/{serial:08}");
        let row = Row {
            arn: arn.parse().expect("a stack ARN"),
            status,
            reason: String::new(),
            content: Content::default(),
            before: Content::default(),
            states: BTreeMap::new(),
            events: Vec::new(),
            plans: Vec::new(),
            queue: VecDeque::new(),
            tokens: BTreeSet::new(),
            stale: None,
            hidden: self.stacks.lag,
            quiet: (0, 0),
        };
        self.stacks.rows.push(row);
        self.stacks.rows.len() - 1
    }

    pub(in crate::fake) fn arrange(
        &mut self,
        name: &str,
        status: StackStatus,
        tags: &[(&str, &str)],
        resources: &[&str],
    ) -> StackArn {
        let index = self.new_row(name, status.clone());
        let row = &mut self.stacks.rows[index];
        row.hidden = 0;
        row.content.tags = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        for id in resources {
            let value = serde_json::json!({ "Type": "AWS::SNS::Topic" });
            row.content.resources.insert((*id).to_owned(), value);
            row.states.insert((*id).to_owned(), "CREATE_COMPLETE");
        }
        row.before = row.content.clone();
        let arn = row.arn.clone();
        self.arrange_event(&arn, status.as_str(), "");
        arn
    }

    pub(in crate::fake) fn arrange_event(&mut self, stack: &StackArn, status: &str, token: &str) {
        let mut serial = self.serial;
        let row = self.stacks.row_mut(stack.as_str()).expect("the stack exists");
        row.happen(
            Tick::Stack(StackStatus::from(status), String::new(), token.to_owned()),
            &mut serial,
        );
        self.serial = serial;
    }

    pub(in crate::fake) fn arrange_change_set(&mut self, stack: &StackArn, name: &str) -> String {
        let serial = self.serial();
        let arn = format!(
            "{}/changeSet/{name}/{serial}",
            stack.as_str().replace(":stack/", ":changeSet-of/")
        );
        let row = self.stacks.row_mut(stack.as_str()).expect("the stack exists");
        let mut content = row.content.clone();
        name.clone_into(&mut content.change_set);
        content.resources.insert(
            "Smuggled".to_owned(),
            serde_json::json!({ "Type": "AWS::SNS::Topic" }),
        );
        row.plans.push(Plan {
            arn: arn.clone(),
            name: name.to_owned(),
            status: ChangeSetStatus::Created,
            end: ChangeSetStatus::Created,
            reason: String::new(),
            execution: Execution::Available,
            content,
            changes: Vec::new(),
        });
        arn
    }

    /// Lets time pass for a stack.
    pub(super) fn pass(&mut self, index: usize) {
        let mut serial = self.serial;
        for _ in 0..self.stacks.speed {
            let Some(tick) = self.stacks.rows[index].queue.pop_front() else {
                break;
            };
            self.stacks.rows[index].happen(tick, &mut serial);
        }
        self.serial = serial;
    }

    /// Begins an operation: the first event happens at once, the rest by and by.
    fn begin(&mut self, index: usize, ticks: Vec<Tick>) {
        let (lag, quiet) = (self.stacks.lag, self.stacks.event_lag);
        let row = &mut self.stacks.rows[index];
        if lag > 0 {
            row.stale = Some((Box::new(row.view()), lag));
        }
        row.quiet = (row.events.len(), quiet);
        row.queue = ticks.into();
        let mut serial = self.serial;
        if let Some(tick) = self.stacks.rows[index].queue.pop_front() {
            self.stacks.rows[index].happen(tick, &mut serial);
        }
        self.serial = serial;
    }

    fn parse(&self, template: &TemplateSource) -> Answer<Content> {
        let invalid = || AwsError::coded("ValidationError", "Template format error: unsupported structure.");
        let text = match template {
            TemplateSource::Body(text) if text.len() > 51_200 => {
                return Err(AwsError::coded(
                    "ValidationError",
                    "templateBody is longer than 51200",
                ));
            }
            TemplateSource::Body(text) => text,
            TemplateSource::Url(url) => self.objects.get(url).ok_or_else(|| {
                AwsError::coded("ValidationError", "S3 error: The specified key does not exist.")
            })?,
        };
        let value: Value = serde_json::from_str(text).map_err(|_| invalid())?;
        let resources = value["Resources"].as_object().ok_or_else(invalid)?;
        let outputs = value["Outputs"].as_object().into_iter().flatten();
        Ok(Content {
            change_set: String::new(),
            tags: Vec::new(),
            resources: resources
                .iter()
                .map(|(id, resource)| (id.clone(), resource.clone()))
                .collect(),
            outputs: outputs
                .map(|(name, output)| (name.clone(), output["Value"].as_str().unwrap_or("").to_owned()))
                .collect(),
        })
    }

    pub(super) fn create_change_set(&mut self, new: &NewChangeSet) -> Answer<CreatedChangeSet> {
        let Content {
            resources, outputs, ..
        } = self.parse(&new.template)?;
        let needs = resources.values().any(|r| {
            r["Type"]
                .as_str()
                .is_some_and(|kind| kind.starts_with("AWS::IAM::"))
        });
        if needs && new.capabilities.is_empty() {
            return Err(AwsError::coded(
                "InsufficientCapabilitiesException",
                "Requires capabilities : [CAPABILITY_IAM]",
            ));
        }
        let index = match (new.kind, self.stacks.index(&new.stack)) {
            (ChangeSetType::Create, None) => {
                let index = self.new_row(&new.stack, StackStatus::ReviewInProgress);
                self.begin(
                    index,
                    vec![Tick::Stack(
                        StackStatus::ReviewInProgress,
                        "User Initiated".to_owned(),
                        String::new(),
                    )],
                );
                index
            }
            (ChangeSetType::Create, Some(index)) => {
                let row = &self.stacks.rows[index];
                if row.status != StackStatus::ReviewInProgress {
                    let text = format!(
                        "Stack [{}] already exists and cannot be created again with the changeSet [{}].",
                        row.arn.name(),
                        new.name
                    );
                    return Err(AwsError::coded("ValidationError", text));
                }
                index
            }
            (ChangeSetType::Update, None) => return Err(missing(&new.stack)),
            (ChangeSetType::Update, Some(index)) => {
                let row = &self.stacks.rows[index];
                let updatable = row.status.is_complete()
                    || matches!(
                        row.status,
                        StackStatus::UpdateRollbackComplete
                            | StackStatus::ImportRollbackComplete
                            | StackStatus::UpdateFailed
                    );
                if !updatable {
                    return Err(wrong_state(row, "updated"));
                }
                index
            }
        };
        let serial = self.serial();
        let (region, account) = (&self.region, self.account);
        let arn = format!(
            "arn:aws:cloudformation:{region}:{account}:changeSet/{}/{serial:08}",
            new.name
        );
        let row = &mut self.stacks.rows[index];
        if row.plans.iter().any(|plan| plan.name == new.name) {
            return Err(AwsError::coded(
                "AlreadyExistsException",
                format!("ChangeSet {} already exists", new.name),
            ));
        }
        // Resources inherit the stack's tags: other tags are a change of every one.
        let retagged = new.kind == ChangeSetType::Update && row.content.tags != new.tags;
        let changes = changes(&row.content.resources, &resources, retagged);
        let nothing =
            new.kind == ChangeSetType::Update && changes.is_empty() && row.content.outputs == outputs;
        let (end, reason) = if nothing {
            (
                ChangeSetStatus::Failed,
                "The submitted information didn't contain changes. Submit different information to create a change set.",
            )
        } else {
            (ChangeSetStatus::Created, "")
        };
        let content = Content {
            change_set: new.name.clone(),
            tags: new.tags.clone(),
            resources,
            outputs,
        };
        row.plans.push(Plan {
            arn: arn.clone(),
            name: new.name.clone(),
            status: ChangeSetStatus::Creating,
            end,
            reason: reason.to_owned(),
            execution: Execution::Unavailable,
            content,
            changes,
        });
        Ok(CreatedChangeSet {
            arn,
            stack: row.arn.clone(),
        })
    }

    pub(super) fn execute(&mut self, change_set: &str, token: &str) -> Answer<()> {
        let (index, at) = self
            .stacks
            .find_plan("", change_set)
            .ok_or_else(|| no_change_set(change_set))?;
        let row = &self.stacks.rows[index];
        let plan = row.plans[at].clone();
        if row.tokens.contains(token) {
            return Err(AwsError::coded(
                "TokenAlreadyExistsException",
                format!("Token {token} was used"),
            ));
        }
        if plan.execution != Execution::Available {
            let text = format!(
                "ChangeSet [{change_set}] cannot be executed in its current status of [{:?}]",
                plan.execution
            );
            return Err(AwsError::coded("InvalidChangeSetStatus", text));
        }
        if row.status.is_moving() {
            return Err(wrong_state(row, "updated"));
        }
        let creates = row.status == StackStatus::ReviewInProgress;
        let ticks = self.work_out(index, &plan, creates, token);
        self.begin(index, ticks);
        let row = &mut self.stacks.rows[index];
        row.tokens.insert(token.to_owned());
        row.before = std::mem::replace(&mut row.content, plan.content);
        let mut executed = row.plans.swap_remove(at);
        executed.execution = Execution::Complete;
        row.plans = vec![executed];
        let (stack, token) = (row.arn.clone(), token.to_owned());
        self.stacks.executed.push(Executed {
            stack,
            change_set: plan.name,
            token,
        });
        Ok(())
    }

    fn work_out(&mut self, index: usize, plan: &Plan, creates: bool, token: &str) -> Vec<Tick> {
        let stack = |status, reason: &str| Tick::Stack(status, reason.to_owned(), token.to_owned());
        let resource = |id: &str, status, reason: &str| Tick::Resource {
            id: id.to_owned(),
            status,
            reason: reason.to_owned(),
            token: token.to_owned(),
        };
        let first = if creates {
            StackStatus::CreateInProgress
        } else {
            StackStatus::UpdateInProgress
        };
        let mut ticks = vec![stack(first, "User Initiated")];
        let mut failed: Vec<String> = Vec::new();
        for (n, change) in plan.changes.iter().enumerate() {
            let id = change.logical_id.as_str();
            let (on, going, done, bad) = match change.action.as_str() {
                "Add" => (
                    Happening::Create,
                    "CREATE_IN_PROGRESS",
                    "CREATE_COMPLETE",
                    "CREATE_FAILED",
                ),
                "Remove" => continue,
                _ => (
                    Happening::Update,
                    "UPDATE_IN_PROGRESS",
                    "UPDATE_COMPLETE",
                    "UPDATE_FAILED",
                ),
            };
            ticks.push(resource(id, going, ""));
            let Some(reason) = self.stacks.fails(id, on) else {
                ticks.push(resource(id, done, ""));
                continue;
            };
            // Neighbours that run at the same time are cancelled, and AWS may say so first.
            if let Some(next) = plan.changes.get(n + 1) {
                ticks.push(resource(&next.logical_id, bad, "Resource creation cancelled"));
                failed.push(next.logical_id.clone());
            }
            ticks.push(resource(id, bad, &reason));
            failed.push(id.to_owned());
            break;
        }
        let outcome = format!("The following resource(s) failed: [{}].", failed.join(", "));
        if failed.is_empty() && creates {
            ticks.push(stack(StackStatus::CreateComplete, ""));
        } else if failed.is_empty() {
            ticks.push(stack(StackStatus::UpdateCompleteCleanupInProgress, ""));
            for change in plan.changes.iter().filter(|change| change.action == "Remove") {
                ticks.push(resource(&change.logical_id, "DELETE_COMPLETE", ""));
            }
            ticks.push(stack(StackStatus::UpdateComplete, ""));
        } else if creates {
            ticks.push(stack(StackStatus::RollbackInProgress, &outcome));
            for id in &failed {
                ticks.push(resource(id, "DELETE_COMPLETE", ""));
            }
            ticks.push(stack(StackStatus::RollbackComplete, ""));
        } else {
            ticks.extend(self.take_back(index, token, &outcome));
        }
        ticks
    }

    fn take_back(&mut self, index: usize, token: &str, reason: &str) -> Vec<Tick> {
        let stack = |status, reason: &str| Tick::Stack(status, reason.to_owned(), token.to_owned());
        let mut ticks = vec![stack(StackStatus::UpdateRollbackInProgress, reason)];
        let ids: Vec<String> = self
            .stacks
            .failing
            .iter()
            .map(|failing| failing.id.clone())
            .collect();
        let stuck = ids.iter().find_map(|id| {
            self.stacks
                .fails(id, Happening::Rollback)
                .map(|why| (id.clone(), why))
        });
        if let Some((id, why)) = stuck {
            let token = token.to_owned();
            ticks.push(Tick::Resource {
                id: id.clone(),
                status: "UPDATE_FAILED",
                reason: why,
                token,
            });
            let text = format!("The following resource(s) failed to update: [{id}].");
            ticks.push(stack(StackStatus::UpdateRollbackFailed, &text));
            return ticks;
        }
        let _ = index;
        ticks.push(Tick::Restore);
        ticks.push(stack(StackStatus::UpdateRollbackCompleteCleanupInProgress, ""));
        ticks.push(stack(StackStatus::UpdateRollbackComplete, ""));
        ticks
    }

    pub(super) fn delete_stack(&mut self, deletion: &StackDeletion) -> Answer<()> {
        let Some(index) = self.stacks.index(deletion.stack.as_str()) else {
            return Ok(());
        };
        let row = &self.stacks.rows[index];
        if matches!(
            row.status,
            StackStatus::DeleteComplete | StackStatus::DeleteInProgress
        ) {
            return Ok(());
        }
        if row.status.is_moving() && row.status != StackStatus::CreateInProgress {
            return Err(wrong_state(row, "deleted"));
        }
        if !deletion.retain.is_empty() && row.status != StackStatus::DeleteFailed {
            return Err(AwsError::coded(
                "ValidationError",
                "RetainResources is only for stacks in DELETE_FAILED",
            ));
        }
        let ids: Vec<String> = row.content.resources.keys().cloned().collect();
        let token = deletion.token.clone();
        let begun = (row.arn.clone(), token.clone());
        self.stacks.deleted.push(begun);
        let stack = |status, reason: String| Tick::Stack(status, reason, token.clone());
        let mut ticks = vec![stack(StackStatus::DeleteInProgress, "User Initiated".to_owned())];
        let mut failed = Vec::new();
        for id in ids.into_iter().filter(|id| !deletion.retain.contains(id)) {
            let (status, reason) = match self.stacks.fails(&id, Happening::Delete) {
                Some(reason) => {
                    failed.push(id.clone());
                    ("DELETE_FAILED", reason)
                }
                None => ("DELETE_COMPLETE", String::new()),
            };
            ticks.push(Tick::Resource {
                id,
                status,
                reason,
                token: token.clone(),
            });
        }
        if failed.is_empty() {
            ticks.push(stack(StackStatus::DeleteComplete, String::new()));
        } else {
            let text = format!(
                "The following resource(s) failed to delete: [{}].",
                failed.join(", ")
            );
            ticks.push(stack(StackStatus::DeleteFailed, text));
        }
        self.stacks.rows[index].plans.clear();
        self.begin(index, ticks);
        Ok(())
    }

    pub(super) fn take_back_now(
        &mut self,
        stack: &StackArn,
        token: &str,
        from: &StackStatus,
        call: &str,
    ) -> Answer<()> {
        let index = self
            .stacks
            .index(stack.as_str())
            .ok_or_else(|| missing(stack.as_str()))?;
        if self.stacks.rows[index].status != *from {
            let text = format!("{call} cannot be called from current stack status");
            return Err(AwsError::coded("ValidationError", text));
        }
        let ticks = self.take_back(index, token, "User Initiated");
        self.begin(index, ticks);
        self.stacks
            .taken_back
            .push((self.stacks.executed.len(), token.to_owned()));
        Ok(())
    }
}

fn changes(
    now: &BTreeMap<String, Value>,
    wanted: &BTreeMap<String, Value>,
    retagged: bool,
) -> Vec<ResourceChange> {
    let change = |action: &str, id: &String, resource: &Value| ResourceChange {
        action: action.to_owned(),
        logical_id: id.clone(),
        physical_id: String::new(),
        resource_type: resource["Type"].as_str().unwrap_or_default().to_owned(),
        replacement: String::new(),
    };
    let added = wanted.iter().filter_map(|(id, resource)| match now.get(id) {
        None => Some(change("Add", id, resource)),
        Some(old) if retagged || old != resource => Some(change("Modify", id, resource)),
        Some(_) => None,
    });
    let removed = now.iter().filter(|(id, _)| !wanted.contains_key(*id));
    added
        .chain(removed.map(|(id, resource)| change("Remove", id, resource)))
        .collect()
}
