//! `CloudFormation` behind [`Stacks`].
//!
//! `CreateStack` and `UpdateStack` are not here on purpose: they cannot be taken back once asked for, change sets can.

use std::future::Future;

use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{
    Capability, ChangeSetStatus as SdkChangeSetStatus, ChangeSetType as SdkChangeSetType, ExecutionStatus,
    Tag,
};
use hadron_proto::trace;
use hadron_proto::vocab::{RoleArn, StackArn, Timestamp};
use tracing::Instrument as _;

use super::calls::Counting;
use super::leave::LastLook;
use super::{
    Answer, AwsError, ChangeSet, ChangeSetLine, ChangeSetStatus, ChangeSetType, CreatedChangeSet, EventPage,
    Execution, Kind, NewChangeSet, Stack, StackDeletion, StackStatus, Stacks, TemplateSource, TokenedEvent,
};
use crate::job::{ResourceChange, StackEvent, StackResource};

/// `CloudFormation` of one account and Region.
#[derive(Clone, Debug)]
pub struct CloudFormation {
    client: Client,
}

impl CloudFormation {
    /// From the SDK's configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_cloudformation::config::Builder::from(config)
            .interceptor(LastLook)
            .interceptor(Counting)
            .build();
        Self {
            client: Client::from_conf(config),
        }
    }
}

/// A request that changes something, as a step of the trace of its job. What is sent is large: it comes in a box.
async fn traced<T>(operation: &'static str, token: &str, sent: impl Future<Output = Answer<T>>) -> Answer<T> {
    let span = trace::request("CloudFormation", operation, token);
    let answer = sent.instrument(span.clone()).await;
    if let Err(error) = &answer {
        trace::refused(&span, error.code.as_deref().unwrap_or("no answer"));
    }
    answer
}

fn stack_arn(text: Option<&str>) -> Answer<StackArn> {
    text.unwrap_or_default()
        .parse()
        .map_err(|error| AwsError::odd(format!("CloudFormation's answer: {error}")))
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

fn pairs(tags: &[Tag]) -> Vec<(String, String)> {
    tags.iter()
        .map(|tag| (text(tag.key()), text(tag.value())))
        .collect()
}

fn moment(at: Option<&aws_smithy_types::DateTime>) -> Timestamp {
    // An event without a time is still an event.
    at.map_or(Timestamp::EPOCH, |at| {
        Timestamp::from_micros(
            at.secs()
                .saturating_mul(1_000_000)
                .saturating_add(i64::from(at.subsec_nanos() / 1_000)),
        )
    })
}

fn change_set_status(status: Option<&SdkChangeSetStatus>) -> ChangeSetStatus {
    match status {
        Some(SdkChangeSetStatus::CreatePending | SdkChangeSetStatus::CreateInProgress) => {
            ChangeSetStatus::Creating
        }
        Some(SdkChangeSetStatus::CreateComplete) => ChangeSetStatus::Created,
        Some(SdkChangeSetStatus::DeletePending | SdkChangeSetStatus::DeleteInProgress) => {
            ChangeSetStatus::Deleting
        }
        Some(SdkChangeSetStatus::DeleteComplete) => ChangeSetStatus::Deleted,
        Some(SdkChangeSetStatus::DeleteFailed) => ChangeSetStatus::DeleteFailed,
        Some(SdkChangeSetStatus::Failed) => ChangeSetStatus::Failed,
        Some(other) => ChangeSetStatus::Other(other.as_str().to_owned()),
        None => ChangeSetStatus::Other(String::new()),
    }
}

fn execution(status: Option<&ExecutionStatus>) -> Execution {
    match status {
        Some(ExecutionStatus::Unavailable) | None => Execution::Unavailable,
        Some(ExecutionStatus::Available) => Execution::Available,
        Some(ExecutionStatus::ExecuteInProgress) => Execution::InProgress,
        Some(ExecutionStatus::ExecuteComplete) => Execution::Complete,
        Some(ExecutionStatus::ExecuteFailed) => Execution::Failed,
        Some(ExecutionStatus::Obsolete) => Execution::Obsolete,
        Some(other) => Execution::Other(other.as_str().to_owned()),
    }
}

impl Stacks for CloudFormation {
    async fn describe(&self, stack: &str) -> Answer<Stack> {
        let answer = self
            .client
            .describe_stacks()
            .stack_name(stack)
            .send()
            .await
            .map_err(AwsError::of)?;
        let Some(found) = answer.stacks().first() else {
            return Err(AwsError {
                kind: Kind::NotFound,
                code: None,
                message: format!("CloudFormation lists no stack {stack}"),
            });
        };
        let outputs = found.outputs().iter();
        Ok(Stack {
            arn: stack_arn(found.stack_id())?,
            status: StackStatus::from(found.stack_status().map_or("", |status| status.as_str())),
            reason: text(found.stack_status_reason()),
            tags: pairs(found.tags()),
            outputs: outputs
                .map(|output| (text(output.output_key()), text(output.output_value())))
                .collect(),
        })
    }

    async fn change_sets(&self, stack: &str) -> Answer<Vec<ChangeSetLine>> {
        let mut pages = self
            .client
            .list_change_sets()
            .stack_name(stack)
            .into_paginator()
            .send();
        let mut lines = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of)?;
            lines.extend(page.summaries().iter().map(|line| ChangeSetLine {
                arn: text(line.change_set_id()),
                name: text(line.change_set_name()),
                status: change_set_status(line.status()),
                execution: execution(line.execution_status()),
            }));
        }
        Ok(lines)
    }

    async fn change_set(&self, stack: &str, change_set: &str) -> Answer<ChangeSet> {
        let mut changes = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .client
                .describe_change_set()
                .stack_name(stack)
                .change_set_name(change_set)
                .set_next_token(token)
                .send()
                .await
                .map_err(AwsError::of)?;
            changes.extend(
                page.changes()
                    .iter()
                    .filter_map(|change| change.resource_change())
                    .map(|change| ResourceChange {
                        action: text(change.action().map(|action| action.as_str())),
                        logical_id: text(change.logical_resource_id()),
                        physical_id: text(change.physical_resource_id()),
                        resource_type: text(change.resource_type()),
                        replacement: text(change.replacement().map(|replacement| replacement.as_str())),
                    }),
            );
            token = page
                .next_token()
                .filter(|token| !token.is_empty())
                .map(str::to_owned);
            if token.is_none() {
                return Ok(ChangeSet {
                    arn: text(page.change_set_id()),
                    stack: stack_arn(page.stack_id())?,
                    status: change_set_status(page.status()),
                    reason: text(page.status_reason()),
                    execution: execution(page.execution_status()),
                    tags: pairs(page.tags()),
                    changes,
                });
            }
        }
    }

    async fn create_change_set(&self, new: &NewChangeSet) -> Answer<CreatedChangeSet> {
        let kind = match new.kind {
            ChangeSetType::Create => SdkChangeSetType::Create,
            ChangeSetType::Update => SdkChangeSetType::Update,
        };
        let tags = new
            .tags
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        let request = self
            .client
            .create_change_set()
            .stack_name(&new.stack)
            .change_set_name(&new.name)
            .client_token(&new.token)
            .change_set_type(kind)
            .role_arn(new.role.as_str())
            .set_tags(Some(tags.collect()))
            .set_capabilities(Some(
                new.capabilities
                    .iter()
                    .map(|word| Capability::from(word.as_str()))
                    .collect(),
            ));
        let request = match &new.template {
            TemplateSource::Body(text) => request.template_body(text),
            TemplateSource::Url(url) => request.template_url(url),
        };
        let sent = Box::pin(request.send());
        let answer = traced("CreateChangeSet", &new.token, async {
            sent.await.map_err(AwsError::of)
        })
        .await?;
        Ok(CreatedChangeSet {
            arn: text(answer.id()),
            stack: stack_arn(answer.stack_id())?,
        })
    }

    async fn delete_change_set(&self, stack: &str, change_set: &str) -> Answer<()> {
        let request = self
            .client
            .delete_change_set()
            .stack_name(stack)
            .change_set_name(change_set);
        request.send().await.map(drop).map_err(AwsError::of)
    }

    async fn execute_change_set(&self, change_set_arn: &str, token: &str) -> Answer<()> {
        let request = self
            .client
            .execute_change_set()
            .change_set_name(change_set_arn)
            .client_request_token(token);
        let sent = Box::pin(request.send());
        traced("ExecuteChangeSet", token, async {
            sent.await.map(drop).map_err(AwsError::of)
        })
        .await
    }

    async fn delete_stack(&self, deletion: &StackDeletion) -> Answer<()> {
        let retain = (!deletion.retain.is_empty()).then(|| deletion.retain.clone());
        let request = self
            .client
            .delete_stack()
            .stack_name(deletion.stack.as_str())
            .client_request_token(&deletion.token)
            .set_role_arn(deletion.role.as_ref().map(ToString::to_string))
            .set_retain_resources(retain);
        let sent = Box::pin(request.send());
        traced("DeleteStack", &deletion.token, async {
            sent.await.map(drop).map_err(AwsError::of)
        })
        .await
    }

    async fn cancel_update(&self, stack: &StackArn, token: &str) -> Answer<()> {
        let request = self
            .client
            .cancel_update_stack()
            .stack_name(stack.as_str())
            .client_request_token(token);
        let sent = Box::pin(request.send());
        traced("CancelUpdateStack", token, async {
            sent.await.map(drop).map_err(AwsError::of)
        })
        .await
    }

    async fn continue_rollback(&self, stack: &StackArn, token: &str, role: &RoleArn) -> Answer<()> {
        let request = self
            .client
            .continue_update_rollback()
            .stack_name(stack.as_str())
            .client_request_token(token)
            .role_arn(role.as_str());
        let sent = Box::pin(request.send());
        traced("ContinueUpdateRollback", token, async {
            sent.await.map(drop).map_err(AwsError::of)
        })
        .await
    }

    async fn roll_back(&self, stack: &StackArn, token: &str, role: &RoleArn) -> Answer<()> {
        let request = self
            .client
            .rollback_stack()
            .stack_name(stack.as_str())
            .client_request_token(token)
            .role_arn(role.as_str());
        let sent = Box::pin(request.send());
        traced("RollbackStack", token, async {
            sent.await.map(drop).map_err(AwsError::of)
        })
        .await
    }

    async fn events(&self, stack: &StackArn, page: Option<&str>) -> Answer<EventPage> {
        let request = self
            .client
            .describe_stack_events()
            .stack_name(stack.as_str())
            .set_next_token(page.map(str::to_owned));
        let answer = request.send().await.map_err(AwsError::of)?;
        let events = answer.stack_events().iter().map(|event| TokenedEvent {
            event: StackEvent {
                event_id: text(event.event_id()),
                at: moment(event.timestamp()),
                logical_id: text(event.logical_resource_id()),
                physical_id: text(event.physical_resource_id()),
                resource_type: text(event.resource_type()),
                status: text(event.resource_status().map(|status| status.as_str())),
                reason: text(event.resource_status_reason()),
            },
            token: text(event.client_request_token()),
        });
        Ok(EventPage {
            events: events.collect(),
            older: answer
                .next_token()
                .filter(|token| !token.is_empty())
                .map(str::to_owned),
        })
    }

    async fn resources(&self, stack: &StackArn) -> Answer<Vec<StackResource>> {
        let mut pages = self
            .client
            .list_stack_resources()
            .stack_name(stack.as_str())
            .into_paginator()
            .send();
        let mut resources = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of)?;
            resources.extend(
                page.stack_resource_summaries()
                    .iter()
                    .map(|resource| StackResource {
                        logical_id: text(resource.logical_resource_id()),
                        physical_id: text(resource.physical_resource_id()),
                        resource_type: text(resource.resource_type()),
                        status: text(resource.resource_status().map(|status| status.as_str())),
                    }),
            );
        }
        Ok(resources)
    }
}
