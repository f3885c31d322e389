//! `hadron service`: instances in environments, and a pipeline.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use futures::future::FutureExt as _;
use hadron_proto::vocab::{ServiceName, TemplateName, Timestamp};
use hadron_proto::{codes, wire};
use serde_json::{Map, Value, json};

use super::follow::{self, Toward};
use super::{Context, at, did_you_mean, print_outputs, print_resources, read_spec, state_word, warn};
use crate::args::{Confirm, Listing, Wait, Write, duration};
use crate::error::{Exit, Failure, Result};
use crate::output::{Card, Show, age, map, say, text, time};

/// What can be done with services.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Deploy a new service: its instances, then its pipeline
    #[command(after_help = "Examples:
  hadron service create web --template http --spec web.yaml --wait
  hadron service create web --template http --template-version 1 --spec web.yaml \\
      --branch main --repository acme/web --repository-connection ARN

Templates with a pipeline need branch, repository and repository connection.
Next: hadron service get NAME, hadron instance outputs NAME/INSTANCE")]
    Create(Create),
    /// Add and remove instances by a new spec, or change the description
    ///
    /// Instances that the spec names and the service lacks are created, those that it no longer names are deleted.
    #[command(after_help = "Examples:
  hadron service update web --spec web.yaml --wait
  hadron service update web --description 'The shop front'

To change an instance that stays: hadron instance update SERVICE/INSTANCE --spec FILE")]
    Update(UpdateArgs),
    /// Delete a service with its instances and its pipeline
    #[command(after_help = "Examples:
  hadron service delete web --wait
  hadron service delete web --yes")]
    Delete(Delete),
    /// List services
    #[command(after_help = "Examples:
  hadron service list
  hadron service list -o json | jq -r '.items[] | select(.status != \"ACTIVE\").name'")]
    List(Listing),
    /// Show a service with its instances and its pipeline
    #[command(after_help = "Examples:
  hadron service get web
  hadron service get web -o yaml

Next: hadron instance get SERVICE/INSTANCE, hadron pipeline get SERVICE")]
    Get(One),
    /// Follow a service's deployments until it has come to rest; the exit code tells how
    ///
    /// Shows one line per deployment and resource on a terminal, the worst first, and one line per change elsewhere. Ctrl-C
    /// only ends the watching.
    #[command(after_help = "Examples:
  hadron service watch web
  hadron service watch web --timeout 30m

Exit codes: 0 it is ACTIVE or gone, 7 something failed, 8 time ran out, 130 Ctrl-C")]
    Watch(Watch),
    /// Show outputs of all instances and of the pipeline, or the bare value of one
    #[command(after_help = "Examples:
  hadron service outputs web -o wide
  hadron service outputs web Url")]
    Outputs(Outputs),
    /// Show the resources of all instances and of the pipeline
    #[command(after_help = "Examples:
  hadron service resources web -o wide")]
    Resources(One),
}

/// Flags of `create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name of the service
    name: ServiceName,
    /// Service template
    #[arg(short, long, value_name = "NAME")]
    template: TemplateName,
    /// MAJOR or MAJOR.MINOR [default: the recommended version]
    #[arg(long, value_name = "VERSION")]
    template_version: Option<String>,
    /// Spec ('-' reads stdin)
    #[arg(short = 'f', long, value_name = "FILE")]
    spec: PathBuf,
    /// Branch that the pipeline builds
    #[arg(
        long,
        value_name = "BRANCH",
        requires = "repository",
        requires = "repository_connection"
    )]
    branch: Option<String>,
    /// Repository that the pipeline builds, such as owner/name
    #[arg(long, value_name = "ID", requires = "branch")]
    repository: Option<String>,
    /// ARN of the connection to the repository
    #[arg(long, value_name = "ARN", requires = "branch")]
    repository_connection: Option<String>,
    /// For people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    wait: Wait,
}

/// Flags of `update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Name of the service
    name: ServiceName,
    /// New spec ('-' reads stdin)
    #[arg(
        short = 'f',
        long,
        value_name = "FILE",
        required_unless_present = "description"
    )]
    spec: Option<PathBuf>,
    /// New description
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    wait: Wait,
}

/// Flags of `delete`.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Name of the service
    name: ServiceName,
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    wait: Wait,
}

/// A service by its name.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Name of the service
    name: ServiceName,
}

/// Flags of `watch`.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Name of the service
    name: ServiceName,
    /// Longest time to wait, such as 90s, 30m or 2h; the deployments go on
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "24h")]
    timeout: Duration,
}

/// Flags of `outputs`.
#[derive(Debug, Args)]
pub(crate) struct Outputs {
    /// Name of the service
    name: ServiceName,
    /// Print only this output's value
    key: Option<String>,
}

pub(super) async fn run(verb: Verb, cx: &Context) -> Result<()> {
    match verb {
        Verb::Create(args) => create(args, cx).await,
        Verb::Update(args) => update(args, cx).await,
        Verb::Delete(args) => delete(args, cx).await,
        Verb::List(listing) => {
            let hub = cx.hub()?;
            let request = wire::WatchServicesRequest::default();
            let watch = async move || hub.services().watch_services(request.clone()).await;
            Box::pin(cx.listed(
                &listing,
                "There are no services. Create one: hadron service create --help",
                async |limit| list(cx, limit).await,
                |tell| follow::changes(hub, "cannot watch services", watch, tell).boxed_local(),
            ))
            .await
        }
        Verb::Get(One { name }) => cx.print(&get(cx, name.as_str()).await?),
        Verb::Watch(args) => watch(args, cx).await,
        Verb::Outputs(Outputs { name, key }) => {
            let service = get(cx, name.as_str()).await?;
            print_outputs(cx, &parts(&service), key.as_deref())
        }
        Verb::Resources(One { name }) => {
            let service = get(cx, name.as_str()).await?;
            print_resources(cx, &parts(&service))
        }
    }
}

async fn create(args: Create, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let name = args.name.to_string();
    let request = wire::CreateServiceRequest {
        request_id: cx.request_id(&args.write),
        name: name.clone(),
        template_name: args.template.into(),
        template_version: args.template_version.unwrap_or_default(),
        spec: read_spec(&args.spec)?,
        description: args.description.unwrap_or_default(),
        branch_name: args.branch.unwrap_or_default(),
        repository_id: args.repository.unwrap_or_default(),
        repository_connection_arn: args.repository_connection.unwrap_or_default(),
    };
    let what = format!("cannot create service '{name}'");
    let made = hub
        .call(&what, request, async |q| hub.services().create_service(q).await)
        .await?;
    written(cx, made, Toward::Created, &args.wait).await
}

async fn update(args: UpdateArgs, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let name = args.name.to_string();
    let spec = args
        .spec
        .as_deref()
        .map(read_spec)
        .transpose()?
        .unwrap_or_default();
    let deploys = !spec.is_empty();
    let request = wire::UpdateServiceRequest {
        request_id: cx.request_id(&args.write),
        name: name.clone(),
        spec,
        description: args.description,
    };
    let what = format!("cannot update service '{name}'");
    let made = hub
        .call(&what, request, async |q| hub.services().update_service(q).await)
        .await;
    let made = explain(cx, &name, made).await?;
    if deploys {
        written(cx, made, Toward::Updated, &args.wait).await
    } else {
        cx.brief(&made)
    }
}

async fn delete(args: Delete, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let name = args.name.to_string();
    let what = format!("service '{name}' with all its instances and its pipeline");
    cx.confirm(
        &args.confirm,
        &what,
        &name,
        &format!("hadron service delete {name}"),
    )?;
    let request = wire::DeleteServiceRequest {
        request_id: cx.request_id(&args.write),
        name: name.clone(),
    };
    let what = format!("cannot delete service '{name}'");
    let gone = hub
        .call(&what, request, async |q| hub.services().delete_service(q).await)
        .await;
    let gone = explain(cx, &name, gone).await?;
    written(cx, gone, Toward::Deleted, &args.wait).await
}

async fn written(cx: &Context, made: wire::Service, toward: Toward, wait: &Wait) -> Result<()> {
    warn(&made.warnings);
    let name = made.name.clone();
    let Some(timeout) = cx.waits(wait) else {
        cx.brief(&made)?;
        say(format!("Accepted. Follow it with: hadron service watch {name}"));
        return Ok(());
    };
    followed(cx, &name, toward, timeout).await
}

async fn followed(cx: &Context, name: &str, toward: Toward, timeout: Duration) -> Result<()> {
    let Some(ended) = Box::pin(follow::service(cx, name, toward, timeout)).await? else {
        return Ok(());
    };
    cx.brief(&ended)?;
    verdict(&ended, toward)
}

async fn watch(args: Watch, cx: &Context) -> Result<()> {
    let service = get(cx, args.name.as_str()).await?;
    let toward = match service.status.as_str() {
        "CREATE_IN_PROGRESS" => Toward::Created,
        status if status.starts_with("DELETE") => Toward::Deleted,
        _ => Toward::Updated,
    };
    followed(cx, &service.name, toward, args.timeout).await
}

/// Whether a service that goes on no more is what it was meant to become.
fn verdict(service: &wire::Service, toward: Toward) -> Result<()> {
    if service.status == "ACTIVE" && toward != Toward::Deleted {
        return Ok(());
    }
    let mut failure = Failure::new(
        Exit::DeploymentFailed,
        format!("service '{}' is {}", service.name, service.status),
    )
    .coded(match toward {
        Toward::Deleted => &codes::DELETION_FAILED,
        Toward::Created | Toward::Updated => &codes::DEPLOYMENT_FAILED,
    });
    if !service.status_message.is_empty() {
        failure = failure.why(&service.status_message);
    }
    for (target, state) in parts(service) {
        let Some(state) = state.filter(|state| state.status.contains("FAILED")) else {
            continue;
        };
        let why = if state.status_message.is_empty() {
            state.status.as_str()
        } else {
            state.status_message.as_str()
        };
        failure = failure.why(format!("{target}: {why}"));
        for way in &state.ways_out {
            failure = failure.next(way.clone());
        }
    }
    Err(failure.next(format!("hadron service get {}", service.name)))
}

fn parts(service: &wire::Service) -> Vec<(String, Option<&wire::DeploymentState>)> {
    let instances = service
        .instances
        .iter()
        .map(|one| (format!("instance/{}", one.name()), one.deployment.as_ref()));
    let pipeline = service
        .pipeline
        .iter()
        .map(|one| (format!("pipeline/{}", one.name()), one.deployment.as_ref()));
    instances.chain(pipeline).collect()
}

pub(super) async fn get(cx: &Context, name: &str) -> Result<wire::Service> {
    let hub = cx.hub()?;
    let request = wire::GetServiceRequest {
        name: name.to_owned(),
    };
    let what = format!("cannot get service '{name}'");
    explain(
        cx,
        name,
        hub.call(&what, request, async |q| hub.services().get_service(q).await)
            .await,
    )
    .await
}

async fn explain<T>(cx: &Context, name: &str, answer: Result<T>) -> Result<T> {
    let failure = match answer {
        Err(failure) if failure.exit == Exit::NotFound => failure,
        other => return other,
    };
    let known = list(cx, Some(500)).await.unwrap_or_default();
    let known: Vec<String> = known.into_iter().map(|one| one.name).collect();
    Err(did_you_mean(failure, "service", name, &known))
}

async fn list(cx: &Context, limit: Option<usize>) -> Result<Vec<wire::Service>> {
    let hub = cx.hub()?;
    hub.pages(
        "cannot list services",
        limit,
        |page_size, page_token| wire::ListServicesRequest {
            page_size,
            page_token,
        },
        async |q| hub.services().list_services(q).await,
        |page: wire::ListServicesResponse| (page.services, page.next_page_token),
    )
    .await
}

impl Show for wire::Service {
    const KIND: &'static str = "Service";
    const HEAD: &'static [&'static str] = &["NAME", "TEMPLATE", "STATUS", "INSTANCES", "PIPELINE", "AGE"];
    const WIDE: &'static [&'static str] = &["REPOSITORY", "BRANCH", "DESCRIPTION"];

    fn name(&self) -> String {
        self.name.clone()
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let well = self
            .instances
            .iter()
            .filter(|one| state_word(one.deployment.as_ref()) == "SUCCEEDED")
            .count();
        vec![
            self.name.clone(),
            self.template_name.clone(),
            self.status.clone(),
            format!("{well}/{}", self.instances.len()),
            self.pipeline
                .as_ref()
                .map(|one| state_word(one.deployment.as_ref()))
                .unwrap_or_default(),
            age(now, at(self.created_at.as_ref())),
            self.repository_id.clone(),
            self.branch_name.clone(),
            self.description.clone(),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        map(json!({
            "name": self.name,
            "description": text(&self.description),
            "templateName": self.template_name,
            "status": self.status,
            "statusMessage": text(&self.status_message),
            "spec": text(&self.spec),
            "branchName": text(&self.branch_name),
            "repositoryId": text(&self.repository_id),
            "repositoryConnectionArn": text(&self.repository_connection_arn),
            "createdAt": time(at(self.created_at.as_ref())),
            "lastModifiedAt": time(at(self.last_modified_at.as_ref())),
            "instances": self.instances.iter().map(|one| Value::Object(one.fields())).collect::<Vec<_>>(),
            "pipeline": self.pipeline.as_ref().map(|one| Value::Object(one.fields())),
            "warnings": self.warnings,
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Service {}", self.name));
        card.fact("description", &self.description);
        card.status("status", &self.status);
        card.fact("message", &self.status_message);
        card.fact("template", &self.template_name);
        card.fact("repository", &self.repository_id);
        card.fact("branch", &self.branch_name);
        card.time("created", at(self.created_at.as_ref()));
        card.time("changed", at(self.last_modified_at.as_ref()));
        let row = |name: &str, place: &str, version: &str, state: Option<&wire::DeploymentState>| {
            let message = state
                .map(|state| state.status_message.clone())
                .unwrap_or_default();
            vec![
                name.to_owned(),
                place.to_owned(),
                version.to_owned(),
                state_word(state),
                message,
            ]
        };
        let instances = self.instances.iter();
        card.section(
            "Instances",
            instances
                .map(|one| {
                    row(
                        &one.name,
                        &one.environment_name,
                        &one.template_version,
                        one.deployment.as_ref(),
                    )
                })
                .collect(),
        );
        let pipeline = self.pipeline.iter();
        card.section(
            "Pipeline",
            pipeline
                .map(|one| row("pipeline", "", &one.template_version, one.deployment.as_ref()))
                .collect(),
        );
        card.block("Spec", &self.spec);
        card.block("Warnings", &self.warnings.join("\n"));
        let ways: Vec<String> = parts(self)
            .into_iter()
            .filter_map(|(_, state)| state)
            .flat_map(|state| state.ways_out.clone())
            .collect();
        card.block("Ways out", &ways.join("\n"));
    }
}
