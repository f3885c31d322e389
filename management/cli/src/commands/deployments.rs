//! `hadron deployment`: attempts to make something true or gone.

use std::time::Duration;

use clap::{Args, Subcommand};
use futures::future::FutureExt as _;
use hadron_proto::vocab::{ComponentName, EnvironmentName, InstanceName, ServiceName, Timestamp};
use hadron_proto::{codes, wire};
use serde_json::{Map, Value, json};

use super::{Context, at, follow, listing, outputs_json};
use crate::args::{Confirm, Limit, Listing, Wait, Write, duration};
use crate::error::{Exit, Failure, Result};
use crate::output::{self, Card, Show, age, emit, map, say, text, time};

/// What can be done with deployments.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List deployments, the latest first
    #[command(after_help = "Examples:
  hadron deployment list --active
  hadron deployment list --active --watch             what runs, until Ctrl-C
  hadron deployment list --environment prd --limit 5
  hadron deployment list --service web --instance prd
  hadron deployment list --service web --pipeline
  hadron deployment list --component bucket")]
    List(List),
    /// Show a deployment: what was planned, how it went, what can be done
    #[command(after_help = "Examples:
  hadron deployment get dpl_0198a5f06a5c7c4e9d550d6b7f0e4c11

Next: hadron deployment events ID, hadron deployment template ID")]
    Get(One),
    /// Follow deployments until they have ended; the exit code tells how
    ///
    /// Shows one line per deployment and resource on a terminal, the worst first, and one line per change elsewhere. Ctrl-C
    /// only ends the watching.
    #[command(after_help = "Examples:
  hadron deployment watch dpl_0198a5f06a5c7c4e9d550d6b7f0e4c11
  hadron deployment watch --active                    all that have not ended now
  hadron deployment watch --environment prd --service web
  hadron deployment watch dpl_0198a5f06a5c7c4e9d550d6b7f0e4c11 --timeout 30m || hadron deployment get dpl_...

Exit codes: 0 all succeeded, 7 one failed or was cancelled, 8 time ran out, 130 Ctrl-C")]
    Watch(Watch),
    /// Try to stop a deployment
    ///
    /// An attempt: what CloudFormation has begun it may also finish, and then that is what is reported.
    #[command(after_help = "Examples:
  hadron deployment cancel dpl_0198a5f06a5c7c4e9d550d6b7f0e4c11 --wait")]
    Cancel(Cancel),
    /// Remove the record of a deployment that has ended; what it deployed stays
    ///
    /// What is deployed does not change. The record's events, plan and template are not kept.
    #[command(after_help = "Examples:
  hadron deployment delete dpl_0198a5f06a5c7c4e9d550d6b7f0e4c11 --yes")]
    Delete(Delete),
    /// Print what happened, event by event
    #[command(after_help = "Examples:
  hadron deployment events dpl_0198a5f06a5c7c4e9d550d6b7f0e4c11
  hadron deployment events dpl_0198a5f06a5c7c4e9d550d6b7f0e4c11 --after 120 -o json")]
    Events(Events),
    /// Print the template text that was rendered for a deployment
    #[command(after_help = "Examples:
  hadron deployment template dpl_0198a5f06a5c7c4e9d550d6b7f0e4c11 > stack.yaml
  diff <(hadron deployment template dpl_OLD) <(hadron deployment template dpl_NEW)")]
    Template(One),
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this environment and what runs in it
    #[arg(short, long, value_name = "NAME")]
    environment: Option<EnvironmentName>,
    /// Only of this service
    #[arg(short, long, value_name = "NAME")]
    service: Option<ServiceName>,
    /// Only of this instance of the service
    #[arg(short, long, value_name = "NAME", requires = "service")]
    instance: Option<InstanceName>,
    /// Only of the service's pipeline
    #[arg(short, long, requires = "service", conflicts_with = "instance")]
    pipeline: bool,
    /// Only of this component
    #[arg(short, long, value_name = "NAME", conflicts_with = "service")]
    component: Option<ComponentName>,
    /// Only those that have not ended
    #[arg(short, long)]
    active: bool,
    #[command(flatten)]
    listing: Listing,
}

/// A deployment by its id.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Id of the deployment
    id: String,
}

/// Flags of `watch`.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Ids of the deployments
    #[arg(value_name = "ID", required_unless_present_any = ["active", "environment", "service"])]
    id: Vec<String>,
    /// All that have not ended now
    #[arg(short, long, conflicts_with = "id")]
    active: bool,
    /// Those that have not ended, of this environment and what runs in it
    #[arg(short, long, value_name = "NAME", conflicts_with = "id")]
    environment: Option<EnvironmentName>,
    /// Those that have not ended, of this service
    #[arg(short, long, value_name = "NAME", conflicts_with = "id")]
    service: Option<ServiceName>,
    /// Only tell events after this number
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: u64,
    /// Longest time to wait, such as 90s, 30m or 2h; the deployments go on
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "24h")]
    timeout: Duration,
}

/// Flags of `cancel`.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// Id of the deployment
    id: String,
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    wait: Wait,
}

/// Flags of `delete`.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Id of the deployment
    id: String,
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    write: Write,
}

/// Flags of `events`.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Id of the deployment
    id: String,
    /// Only events after this number
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: u64,
    #[command(flatten)]
    limit: Limit,
}

pub(super) async fn run(verb: Verb, cx: &Context) -> Result<()> {
    match verb {
        Verb::List(args) => list(args, cx).await,
        Verb::Get(One { id }) => cx.print(&get(cx, &id).await?),
        Verb::Watch(args) => Box::pin(watch(args, cx)).await,
        Verb::Cancel(args) => cancel(args, cx).await,
        Verb::Delete(args) => delete(args, cx).await,
        Verb::Events(args) => events(args, cx).await,
        Verb::Template(One { id }) => template(&id, cx).await,
    }
}

/// How many deployments are followed at once: each is a stream, of which a hub has so many for everybody.
const AT_ONCE: usize = 50;

async fn watch(args: Watch, cx: &Context) -> Result<()> {
    let Watch {
        mut id,
        environment,
        service,
        after,
        timeout,
        ..
    } = args;
    if id.is_empty() {
        let running = list_of(
            cx,
            Some(AT_ONCE + 1),
            wire::ListDeploymentsRequest {
                environment_name: environment.map(String::from).unwrap_or_default(),
                service_name: service.map(String::from).unwrap_or_default(),
                active_only: true,
                ..wire::ListDeploymentsRequest::default()
            },
        )
        .await?;
        if running.len() > AT_ONCE {
            say(format!(
                "More than {AT_ONCE} deployments are in progress; the latest {AT_ONCE} are followed."
            ));
        }
        id = running.into_iter().take(AT_ONCE).map(|one| one.id).collect();
        if id.is_empty() {
            return cx.list::<wire::Deployment>(&[], "No deployment is in progress.");
        }
    }
    // Named twice is followed once.
    let mut ids: Vec<String> = Vec::new();
    id.into_iter().for_each(|one| {
        if !ids.contains(&one) {
            ids.push(one);
        }
    });
    if ids.len() > AT_ONCE {
        return Err(Failure::usage(format!(
            "at most {AT_ONCE} deployments are followed at once"
        )));
    }
    let ended = follow::deployments(cx, &ids, after, timeout).await?;
    match ended.as_slice() {
        [one] => {
            cx.brief(one)?;
            verdict(one)
        }
        all => {
            cx.list(all, "")?;
            verdicts(all)
        }
    }
}

/// Whether deployments that have ended did what they were for.
fn verdicts(ended: &[wire::Deployment]) -> Result<()> {
    let failures: Vec<Failure> = ended.iter().filter_map(|one| verdict(one).err()).collect();
    let Some(first) = failures.first() else {
        return Ok(());
    };
    let what = format!(
        "{} of {} deployments came to nothing",
        failures.len(),
        ended.len()
    );
    let mut all = Failure::new(Exit::DeploymentFailed, what);
    for failure in &failures {
        all = all.why(match failure.why.first() {
            Some(why) => format!("{}: {why}", failure.what),
            None => failure.what.clone(),
        });
        // The last one names the events; ways out of several would not tell which is whose.
        all = all.next(failure.next.last().cloned().unwrap_or_default());
    }
    all.code.clone_from(&first.code);
    Err(all)
}

/// Whether a deployment that has ended did what it was for.
pub(super) fn verdict(ended: &wire::Deployment) -> Result<()> {
    if ["SUCCEEDED", "DELETE_COMPLETE"].contains(&ended.status.as_str()) {
        return Ok(());
    }
    let word = ended.status.to_lowercase().replace('_', " ");
    let what = format!("deployment of {} {}: {word}", ended.target_kind, ended.target);
    let mut failure = Failure::new(Exit::DeploymentFailed, what);
    if !ended.status_message.is_empty() {
        failure = failure.why(output::clean(&ended.status_message));
    }
    for way in &ended.ways_out {
        failure = failure.next(output::clean(way));
    }
    failure = match ended.status.as_str() {
        "FAILED" => failure.coded(&codes::DEPLOYMENT_FAILED),
        "DELETE_FAILED" => failure.coded(&codes::DELETION_FAILED),
        _ => failure,
    };
    Err(failure.next(format!("hadron deployment events {}", ended.id)))
}

async fn list(args: List, cx: &Context) -> Result<()> {
    let target_kind = if args.pipeline { "pipeline" } else { "" };
    let asked = wire::ListDeploymentsRequest {
        environment_name: args.environment.map(String::from).unwrap_or_default(),
        service_name: args.service.map(String::from).unwrap_or_default(),
        instance_name: args.instance.map(String::from).unwrap_or_default(),
        component_name: args.component.map(String::from).unwrap_or_default(),
        active_only: args.active,
        target_kind: target_kind.to_owned(),
        ..wire::ListDeploymentsRequest::default()
    };
    Box::pin(cx.listed(
        &args.listing,
        "There are no such deployments.",
        async |limit| list_of(cx, limit, asked.clone()).await,
        // Each has a stream of its own, and there is none of all.
        |tell| listing::now_and_then(tell).boxed_local(),
    ))
    .await
}

/// All that are asked for, page by page.
async fn list_of(
    cx: &Context,
    limit: Option<usize>,
    asked: wire::ListDeploymentsRequest,
) -> Result<Vec<wire::Deployment>> {
    let hub = cx.hub()?;
    hub.pages(
        "cannot list deployments",
        limit,
        |page_size, page_token| wire::ListDeploymentsRequest {
            page_size,
            page_token,
            ..asked.clone()
        },
        async |q| hub.deployments().list_deployments(q).await,
        |page: wire::ListDeploymentsResponse| (page.deployments, page.next_page_token),
    )
    .await
}

pub(super) async fn get(cx: &Context, id: &str) -> Result<wire::Deployment> {
    let hub = cx.hub()?;
    let request = wire::GetDeploymentRequest { id: id.to_owned() };
    let what = format!("cannot get deployment {id}");
    not_found(
        hub.call(&what, request, async |q| {
            hub.deployments().get_deployment(q).await
        })
        .await,
    )
}

fn not_found<T>(answer: Result<T>) -> Result<T> {
    answer.map_err(|failure| match failure.exit {
        Exit::NotFound => failure.next("hadron deployment list"),
        _ => failure,
    })
}

async fn cancel(args: Cancel, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let id = args.id;
    let request = wire::CancelDeploymentRequest {
        request_id: cx.request_id(&args.write),
        id: id.clone(),
    };
    let what = format!("cannot cancel deployment {id}");
    let asked = not_found(
        hub.call(&what, request, async |q| {
            hub.deployments().cancel_deployment(q).await
        })
        .await,
    )?;
    stopping(cx, &asked, &id, &args.wait).await
}

/// Waits for what was asked to stop, where that is wanted.
pub(super) async fn stopping<T: Show>(cx: &Context, asked: &T, id: &str, wait: &Wait) -> Result<()> {
    let Some(timeout) = cx.waits(wait) else {
        cx.brief(asked)?;
        say(format!(
            "Asked to stop. Follow it with: hadron deployment watch {id}"
        ));
        return Ok(());
    };
    let ended = Box::pin(follow::deployment(cx, id, 0, timeout)).await?;
    cx.brief(&ended)?;
    // Here, having been stopped is success; having ended otherwise is told by its own exit code.
    if ended.status == "CANCELLED" {
        return Ok(());
    }
    say(format!("Too late to stop it: it is {}.", ended.status));
    verdict(&ended)
}

async fn delete(args: Delete, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let id = args.id;
    cx.confirm(
        &args.confirm,
        &format!("the record of deployment {id}"),
        &id,
        &format!("hadron deployment delete {id}"),
    )?;
    let request = wire::DeleteDeploymentRequest {
        request_id: cx.request_id(&args.write),
        id: id.clone(),
    };
    let what = format!("cannot delete deployment {id}");
    let answer = not_found(
        hub.call(&what, request, async |q| {
            hub.deployments().delete_deployment(q).await
        })
        .await,
    )?;
    match answer.deployment {
        Some(removed) => cx.brief(&removed),
        None => {
            say(format!("Deployment {id} was deleted by the same request before."));
            Ok(())
        }
    }
}

async fn events(args: Events, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let (id, mut after) = (args.id, args.after);
    let mut all: Vec<wire::DeploymentEvent> = Vec::new();
    // Events are paged by their own numbers.
    loop {
        let left = args
            .limit
            .limit
            .map_or(usize::MAX, |limit| limit.saturating_sub(all.len()));
        if left == 0 {
            break;
        }
        let size = u32::try_from(left).unwrap_or(500).min(500);
        let request = wire::ListDeploymentEventsRequest {
            id: id.clone(),
            after,
            page_size: size,
        };
        let what = format!("cannot list events of deployment {id}");
        let page = not_found(
            hub.call(&what, request, async |q| {
                hub.deployments().list_deployment_events(q).await
            })
            .await,
        )?;
        let last = page.events.iter().map(|event| event.sequence).max();
        all.extend(page.events.into_iter().take(left));
        match last {
            Some(last) if last > after => after = last,
            _ => break,
        }
    }
    cx.list(&all, "There are no events.")
}

async fn template(id: &str, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let request = wire::GetRenderedTemplateRequest {
        deployment_id: id.to_owned(),
    };
    let what = format!("cannot get the template of deployment {id}");
    let rendered = hub
        .call(&what, request, async |q| {
            hub.deployments().get_rendered_template(q).await
        })
        .await;
    let rendered = not_found(rendered)?;
    if cx.out.format.is_object() {
        return cx.print(&Rendered {
            id: id.to_owned(),
            rendered,
        });
    }
    // The bytes as CloudFormation got them.
    emit(&rendered.template)
}

struct Rendered {
    id: String,
    rendered: wire::GetRenderedTemplateResponse,
}

impl Show for Rendered {
    const KIND: &'static str = "RenderedTemplate";
    const HEAD: &'static [&'static str] = &["DEPLOYMENT"];

    fn name(&self) -> String {
        self.id.clone()
    }
    fn row(&self, _: Timestamp) -> Vec<String> {
        vec![self.id.clone()]
    }
    fn fields(&self) -> Map<String, Value> {
        map(
            json!({ "deploymentId": self.id, "digest": self.rendered.digest, "template": self.rendered.template }),
        )
    }
    fn card(&self, card: &mut Card) {
        card.block("Template", &self.rendered.template);
    }
}

/// What a target was before a deployment, or shall be after it.
fn state_fields(state: &wire::TargetState) -> Value {
    json!({
        "templateName": text(&state.template_name),
        "templateVersion": text(&state.template_version),
        "spec": text(&state.spec),
        "environmentDeploymentId": text(&state.environment_deployment_id),
        "pipelineDeploymentId": text(&state.pipeline_deployment_id),
        "componentDeploymentIds": state.component_deployment_ids,
        "serviceName": text(&state.service_name),
        "instanceName": text(&state.instance_name),
        "templateFile": text(&state.template_file),
    })
}

impl Show for wire::Deployment {
    const KIND: &'static str = "Deployment";
    const HEAD: &'static [&'static str] = &["ID", "TARGET", "INTENT", "STATUS", "VERSION", "AGE"];
    const WIDE: &'static [&'static str] = &["ACCOUNT", "REGION", "STACK", "REQUESTED BY", "MESSAGE"];

    fn name(&self) -> String {
        self.id.clone()
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.id.clone(),
            format!("{} {}", self.target_kind, self.target),
            self.intent.clone(),
            self.status.clone(),
            format!("{} {}", self.template_name, self.template_version)
                .trim()
                .to_owned(),
            age(now, at(self.created_at.as_ref())),
            self.account_id.clone(),
            self.region.clone(),
            self.stack_name.clone(),
            self.requested_by.clone(),
            self.status_message.clone(),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        let changes: Vec<Value> = self
            .changes
            .iter()
            .map(|change| {
                json!({
                    "action": change.action,
                    "logicalId": change.logical_id,
                    "physicalId": text(&change.physical_id),
                    "type": change.resource_type,
                    "replacement": text(&change.replacement),
                })
            })
            .collect();
        map(json!({
            "id": self.id,
            "targetKind": self.target_kind,
            "target": self.target,
            "intent": self.intent,
            "status": self.status,
            "statusMessage": text(&self.status_message),
            "templateName": text(&self.template_name),
            "templateVersion": text(&self.template_version),
            "environmentName": text(&self.environment_name),
            "serviceName": text(&self.service_name),
            "componentName": text(&self.component_name),
            "initialState": self.initial_state.as_ref().map(state_fields),
            "targetState": self.target_state.as_ref().map(state_fields),
            "accountId": text(&self.account_id),
            "region": text(&self.region),
            "stackName": text(&self.stack_name),
            "stackArn": text(&self.stack_arn),
            "createdAt": time(at(self.created_at.as_ref())),
            "completedAt": time(at(self.completed_at.as_ref())),
            "requestedBy": text(&self.requested_by),
            "waitingFor": text(&self.waiting_for),
            "attempt": self.attempt,
            "changes": changes,
            "outputs": outputs_json(&self.outputs),
            "waysOut": self.ways_out,
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Deployment {}", self.id));
        card.fact("target", format!("{} {}", self.target_kind, self.target));
        card.fact("intent", &self.intent);
        card.status("status", &self.status);
        card.fact("message", &self.status_message);
        card.fact("waiting for", &self.waiting_for);
        card.fact(
            "template",
            format!("{} {}", self.template_name, self.template_version),
        );
        card.fact("environment", &self.environment_name);
        card.fact("service", &self.service_name);
        card.fact("component", &self.component_name);
        if let Some(before) = &self.initial_state {
            card.fact(
                "before",
                format!("{} {}", before.template_name, before.template_version),
            );
        }
        card.fact("account", &self.account_id);
        card.fact("region", &self.region);
        card.fact("stack", &self.stack_name);
        card.fact("requested by", &self.requested_by);
        card.time("began", at(self.created_at.as_ref()));
        card.time("ended", at(self.completed_at.as_ref()));
        if self.attempt > 1 {
            card.fact("attempt", self.attempt.to_string());
        }
        let changes = self.changes.iter().map(|change| {
            let mark = match (change.action.as_str(), change.replacement.as_str()) {
                ("Add" | "Import", _) => "+",
                ("Remove", _) => "-",
                (_, "True") => "-/+",
                (_, "Conditional") => "~?",
                _ => "~",
            };
            let note = if mark == "-/+" {
                "replaced"
            } else if mark == "~?" {
                "perhaps replaced"
            } else {
                ""
            };
            vec![
                mark.to_owned(),
                change.logical_id.clone(),
                change.resource_type.clone(),
                note.to_owned(),
            ]
        });
        card.section("Changes", changes.collect());
        card.section(
            "Outputs",
            self.outputs
                .iter()
                .map(|one| vec![one.key.clone(), one.value.clone()])
                .collect(),
        );
        card.block("Ways out", &self.ways_out.join("\n"));
    }
}

impl Show for wire::DeploymentEvent {
    const KIND: &'static str = "DeploymentEvent";
    const HEAD: &'static [&'static str] = &["SEQ", "TIME", "SOURCE", "RESOURCE", "STATUS", "MESSAGE"];
    const WIDE: &'static [&'static str] = &["TYPE", "PHYSICAL ID"];

    fn name(&self) -> String {
        self.sequence.to_string()
    }

    fn row(&self, _: Timestamp) -> Vec<String> {
        let stack = self.stack_event.clone().unwrap_or_default();
        let message = if stack.reason.is_empty() {
            self.message.clone()
        } else {
            stack.reason
        };
        vec![
            self.sequence.to_string(),
            at(self.at.as_ref()).map(|at| at.to_string()).unwrap_or_default(),
            self.source.clone(),
            stack.logical_id,
            stack.status,
            message,
            stack.resource_type,
            stack.physical_id,
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        let stack = self.stack_event.as_ref().map(|stack| {
            json!({
                "eventId": stack.event_id,
                "at": time(at(stack.at.as_ref())),
                "logicalId": stack.logical_id,
                "physicalId": text(&stack.physical_id),
                "type": stack.resource_type,
                "status": stack.status,
                "reason": text(&stack.reason),
            })
        });
        map(json!({
            "sequence": self.sequence,
            "at": time(at(self.at.as_ref())),
            "source": self.source,
            "message": text(&self.message),
            "stackEvent": stack,
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Event {}", self.sequence));
        card.fact("message", &self.message);
    }
}
