//! `hadron pipeline`: what builds and ships a service.

use clap::{Args, Subcommand};
use futures::future::FutureExt as _;
use hadron_proto::vocab::{ServiceName, Timestamp};
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use super::{
    Context, Update, at, follow, print_outputs, print_resources, state_card, state_json, state_sections,
    state_word, warn,
};
use crate::args::{Change, Confirm, Follow, Listing, Retain, Wait, Write};
use crate::error::{Exit, Result};
use crate::output::{Card, Show, age, map, text, time};

/// What can be done with pipelines.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Provision the pipeline of a service that has none now
    #[command(after_help = "Examples:
  hadron pipeline create web --wait

Services whose template has a pipeline get theirs with `hadron service create`; this brings one back.")]
    Create(Create),
    /// Change a pipeline's spec or template version
    #[command(after_help = "Examples:
  hadron pipeline update web --spec web.yaml --wait         only the pipeline's inputs count
  hadron pipeline update web --minor --wait")]
    Update(UpdateArgs),
    /// Remove the pipeline and leave the service's instances alone
    #[command(after_help = "Examples:
  hadron pipeline delete web --wait")]
    Delete(Delete),
    /// List pipelines
    #[command(after_help = "Examples:
  hadron pipeline list")]
    List(Listing),
    /// Show a pipeline
    #[command(after_help = "Examples:
  hadron pipeline get web
  hadron pipeline get web --watch

Next: hadron deployment list --service NAME")]
    Get(Get),
    /// Show outputs, or the bare value of one
    #[command(after_help = "Examples:
  hadron pipeline outputs web
  REPO=$(hadron pipeline outputs web RepositoryUri)")]
    Outputs(Outputs),
    /// Show the resources of the stack
    #[command(after_help = "Examples:
  hadron pipeline resources web -o wide")]
    Resources(One),
}

/// Flags of `create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name of the service
    service: ServiceName,
    /// MAJOR or MAJOR.MINOR [default: as the hub recommends]
    #[arg(long, value_name = "VERSION")]
    template_version: Option<String>,
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    wait: Wait,
}

/// Flags of `update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Name of the service
    service: ServiceName,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    wait: Wait,
}

/// Flags of `delete`.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Name of the service
    service: ServiceName,
    #[command(flatten)]
    retain: Retain,
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    wait: Wait,
}

/// A pipeline by its service.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Name of the service
    service: ServiceName,
}

/// Flags of `get`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    follow: Follow,
}

/// Flags of `outputs`.
#[derive(Debug, Args)]
pub(crate) struct Outputs {
    /// Name of the service
    service: ServiceName,
    /// Print only this output's value
    key: Option<String>,
}

pub(super) async fn run(verb: Verb, cx: &Context) -> Result<()> {
    match verb {
        Verb::Create(args) => create(args, cx).await,
        Verb::Update(args) => update(args, cx).await,
        Verb::Delete(args) => delete(args, cx).await,
        Verb::List(listing) => Box::pin(list(listing, cx)).await,
        Verb::Get(Get { one, follow }) => {
            let get = async || get(cx, one.service.as_str()).await;
            Box::pin(cx.shown(&follow, get, |thing| thing.deployment.as_ref())).await
        }
        Verb::Outputs(Outputs { service, key }) => {
            let pipeline = get(cx, service.as_str()).await?;
            print_outputs(
                cx,
                &[(format!("pipeline/{service}"), pipeline.deployment.as_ref())],
                key.as_deref(),
            )
        }
        Verb::Resources(One { service }) => {
            let pipeline = get(cx, service.as_str()).await?;
            print_resources(
                cx,
                &[(format!("pipeline/{service}"), pipeline.deployment.as_ref())],
            )
        }
    }
}

async fn create(args: Create, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let request = wire::CreatePipelineRequest {
        request_id: cx.request_id(&args.write),
        service_name: args.service.to_string(),
        template_version: args.template_version.unwrap_or_default(),
    };
    let what = format!("cannot create the pipeline of service '{}'", args.service);
    let made = hub
        .call(&what, request, async |q| hub.pipelines().create_pipeline(q).await)
        .await?;
    warn(&made.warnings);
    written(cx, made, &args.wait).await
}

async fn update(args: UpdateArgs, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let service = args.service.to_string();
    let update = Update::of(&args.change, false, async || {
        Ok(get(cx, &service).await?.template_version)
    })
    .await?;
    let request = wire::UpdatePipelineRequest {
        request_id: cx.request_id(&args.write),
        service_name: service.clone(),
        deployment_type: update.kind.into(),
        spec: update.spec,
        template_version: update.template_version,
    };
    let what = format!("cannot update the pipeline of service '{service}'");
    let made = hub
        .call(&what, request, async |q| hub.pipelines().update_pipeline(q).await)
        .await?;
    warn(&made.warnings);
    written(cx, made, &args.wait).await
}

async fn delete(args: Delete, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let service = args.service.to_string();
    let what = format!("the pipeline of service '{service}'");
    cx.confirm(
        &args.confirm,
        &what,
        &service,
        &format!("hadron pipeline delete {service}"),
    )?;
    let request = wire::DeletePipelineRequest {
        request_id: cx.request_id(&args.write),
        service_name: service.clone(),
        retain_resources: args.retain.retain,
    };
    let gone = hub
        .call(&format!("cannot delete {what}"), request, async |q| {
            hub.pipelines().delete_pipeline(q).await
        })
        .await?;
    let state = gone.deployment.clone();
    cx.after_write(gone, state.as_ref(), &args.wait, async || Ok(None))
        .await
}

async fn written(cx: &Context, made: wire::Pipeline, wait: &Wait) -> Result<()> {
    let (service, state) = (made.service_name.clone(), made.deployment.clone());
    cx.after_write(made, state.as_ref(), wait, async || {
        get(cx, &service).await.map(Some)
    })
    .await
}

pub(super) async fn get(cx: &Context, service: &str) -> Result<wire::Pipeline> {
    let hub = cx.hub()?;
    let request = wire::GetPipelineRequest {
        service_name: service.to_owned(),
    };
    let what = format!("cannot get the pipeline of service '{service}'");
    let answer = hub
        .call(&what, request, async |q| hub.pipelines().get_pipeline(q).await)
        .await;
    answer.map_err(|failure| match failure.exit {
        Exit::NotFound => failure.next(format!("hadron service get {service}")),
        _ => failure,
    })
}

async fn list(listing: Listing, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let all = async |limit| {
        hub.pages(
            "cannot list pipelines",
            limit,
            |page_size, page_token| wire::ListPipelinesRequest {
                page_size,
                page_token,
            },
            async |q| hub.pipelines().list_pipelines(q).await,
            |page: wire::ListPipelinesResponse| (page.pipelines, page.next_page_token),
        )
        .await
    };
    let request = wire::WatchPipelinesRequest::default();
    let watch = async move || hub.pipelines().watch_pipelines(request.clone()).await;
    cx.listed(&listing, "There are no pipelines.", all, |tell| {
        follow::changes(hub, "cannot watch pipelines", watch, tell).boxed_local()
    })
    .await
}

impl Show for wire::Pipeline {
    const KIND: &'static str = "Pipeline";
    const HEAD: &'static [&'static str] = &["SERVICE", "TEMPLATE", "VERSION", "STATUS", "AGE"];
    const WIDE: &'static [&'static str] = &["ACCOUNT", "REGION", "STACK", "LAST DEPLOYMENT"];

    fn name(&self) -> String {
        self.service_name.clone()
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let state = self.deployment.clone().unwrap_or_default();
        vec![
            self.service_name.clone(),
            self.template_name.clone(),
            self.template_version.clone(),
            state_word(self.deployment.as_ref()),
            age(now, at(self.created_at.as_ref())),
            state.account_id,
            state.region,
            state.stack_name,
            state.last_attempted_deployment_id,
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        map(json!({
            "serviceName": self.service_name,
            "templateName": self.template_name,
            "templateVersion": text(&self.template_version),
            "spec": text(&self.spec),
            "createdAt": time(at(self.created_at.as_ref())),
            "deployment": state_json(self.deployment.as_ref()),
            "warnings": self.warnings,
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Pipeline of service {}", self.service_name));
        card.fact(
            "template",
            format!("{} {}", self.template_name, self.template_version),
        );
        state_card(card, self.deployment.as_ref());
        card.time("created", at(self.created_at.as_ref()));
        card.block("Spec", &self.spec);
        state_sections(card, self.deployment.as_ref(), &self.warnings);
    }
}
