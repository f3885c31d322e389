//! `hadron environment`: shared infrastructure that services run in.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use futures::future::FutureExt as _;
use hadron_proto::vocab::{EnvironmentName, RoleArn, TemplateName, Timestamp};
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use super::{
    Context, Update, at, did_you_mean, follow, print_outputs, print_resources, read_spec, state_card,
    state_json, state_sections, state_word, warn,
};
use crate::args::{Change, Confirm, Follow, Listing, Retain, Wait, Write};
use crate::error::Result;
use crate::output::{Card, Show, age, map, text, time};

/// What can be done with environments.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Deploy a new environment
    #[command(after_help = "Examples:
  hadron environment create prd --template vpc --spec prd.yaml --connection ID --wait
  hadron environment create dev --template vpc --template-version 1 --spec - < dev.yaml
  hadron environment create dev --template vpc --spec dev.yaml \\
      --service-role-arn arn:aws:iam::111111111111:role/proton

The connection is the one that was accepted for this name; without one the environment lives in the management account.
An environment of a customer-managed template is not deployed: it is there at once, and its spec says its outputs.
Next: hadron service create NAME --template TEMPLATE --spec FILE")]
    Create(Create),
    /// Change an environment's spec, template version or description
    #[command(after_help = "Examples:
  hadron environment update prd --spec prd.yaml --wait
  hadron environment update prd --minor --wait              to the recommended minor version
  hadron environment update prd --template-version 2 --spec prd-v2.yaml
  hadron environment update prd --description 'Production'   deploys nothing
  hadron environment update dev --service-role-arn arn:aws:iam::111111111111:role/proton-2")]
    Update(UpdateArgs),
    /// Delete an environment and its stack
    ///
    /// Refused while service instances or components run in it.
    #[command(after_help = "Examples:
  hadron environment delete dev --wait
  hadron environment delete dev --yes --retain Bucket        leave behind what cannot be deleted

First see what runs in it: hadron instance list --environment NAME")]
    Delete(Delete),
    /// Cancel the deployment that is in progress
    ///
    /// What CloudFormation has begun it may also finish; then that is what is reported. A deletion cannot be cancelled this
    /// way.
    #[command(after_help = "Examples:
  hadron environment cancel prd
  hadron environment cancel prd --wait

Next: hadron environment get NAME")]
    Cancel(Cancel),
    /// List environments
    #[command(after_help = "Examples:
  hadron environment list
  hadron environment list --template vpc -o wide
  hadron environment list --watch                     go on showing what changes
  hadron environment list -o json | jq '.items[] | select(.deployment.status == \"FAILED\").name'")]
    List(List),
    /// Show an environment
    #[command(after_help = "Examples:
  hadron environment get prd
  hadron environment get prd --watch
  hadron environment get prd -o yaml

Next: hadron environment outputs NAME, hadron deployment list --environment NAME")]
    Get(Get),
    /// Show outputs, or the bare value of one
    #[command(after_help = "Examples:
  hadron environment outputs prd
  VPC=$(hadron environment outputs prd VpcId)")]
    Outputs(Outputs),
    /// Show the resources of the stack
    #[command(after_help = "Examples:
  hadron environment resources prd -o wide")]
    Resources(One),
}

/// Flags of `create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name of the environment
    name: EnvironmentName,
    /// Environment template
    #[arg(short, long, value_name = "NAME")]
    template: TemplateName,
    /// MAJOR or MAJOR.MINOR [default: the recommended version]
    #[arg(long, value_name = "VERSION")]
    template_version: Option<String>,
    /// Spec ('-' reads stdin)
    #[arg(short = 'f', long, value_name = "FILE")]
    spec: PathBuf,
    /// Accepted connection to the account that it shall live in [default: the management account]
    #[arg(short, long, value_name = "ID")]
    connection: Option<String>,
    /// For people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    roles: Roles,
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    wait: Wait,
}

/// Flags of `update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Name of the environment
    name: EnvironmentName,
    #[command(flatten)]
    change: Change,
    /// New description
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Another connection of the same account for the same environment name
    #[arg(short, long, value_name = "ID")]
    connection: Option<String>,
    #[command(flatten)]
    roles: Roles,
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    wait: Wait,
}

/// Roles of the management account, for environments that live in it.
#[derive(Debug, Default, Args)]
pub(crate) struct Roles {
    /// Role of the management account that stacks are provisioned with; for environments without a connection
    #[arg(long, value_name = "ARN")]
    service_role_arn: Option<RoleArn>,
    /// Role of the management account for directly defined components
    #[arg(long, value_name = "ARN")]
    component_role_arn: Option<RoleArn>,
    /// Role of the management account for CodeBuild provisioning
    #[arg(long, value_name = "ARN")]
    codebuild_role_arn: Option<RoleArn>,
}

impl Roles {
    const fn any(&self) -> bool {
        self.service_role_arn.is_some()
            || self.component_role_arn.is_some()
            || self.codebuild_role_arn.is_some()
    }
}

fn arn(role: Option<RoleArn>) -> String {
    role.map(String::from).unwrap_or_default()
}

/// Flags of `cancel`.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// Name of the environment
    name: EnvironmentName,
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    wait: Wait,
}

/// Flags of `delete`.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Name of the environment
    name: EnvironmentName,
    #[command(flatten)]
    retain: Retain,
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    wait: Wait,
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this template
    #[arg(short, long, value_name = "NAME")]
    template: Option<TemplateName>,
    #[command(flatten)]
    listing: Listing,
}

/// An environment by its name.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Name of the environment
    name: EnvironmentName,
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
    /// Name of the environment
    name: EnvironmentName,
    /// Print only this output's value
    key: Option<String>,
}

pub(super) async fn run(verb: Verb, cx: &Context) -> Result<()> {
    match verb {
        Verb::Create(args) => create(args, cx).await,
        Verb::Update(args) => update(args, cx).await,
        Verb::Delete(args) => delete(args, cx).await,
        Verb::Cancel(args) => cancel(args, cx).await,
        Verb::List(args) => {
            let hub = cx.hub()?;
            let template = args.template.map(String::from).unwrap_or_default();
            let request = wire::WatchEnvironmentsRequest::default();
            let watch = async move || hub.environments().watch_environments(request.clone()).await;
            Box::pin(cx.listed(
                &args.listing,
                "There are no environments. Create one: hadron environment create --help",
                async |limit| list(cx, template.clone(), limit).await,
                |tell| follow::changes(hub, "cannot watch environments", watch, tell).boxed_local(),
            ))
            .await
        }
        Verb::Get(Get { one, follow }) => {
            let get = async || get(cx, one.name.as_str()).await;
            Box::pin(cx.shown(&follow, get, |thing| thing.deployment.as_ref())).await
        }
        Verb::Outputs(Outputs { name, key }) => {
            let environment = get(cx, name.as_str()).await?;
            print_outputs(
                cx,
                &[(format!("environment/{name}"), environment.deployment.as_ref())],
                key.as_deref(),
            )
        }
        Verb::Resources(One { name }) => {
            let environment = get(cx, name.as_str()).await?;
            print_resources(
                cx,
                &[(format!("environment/{name}"), environment.deployment.as_ref())],
            )
        }
    }
}

async fn create(args: Create, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let name = args.name.to_string();
    let request = wire::CreateEnvironmentRequest {
        request_id: cx.request_id(&args.write),
        name: name.clone(),
        template_name: args.template.into(),
        template_version: args.template_version.unwrap_or_default(),
        connection_id: args.connection.unwrap_or_default(),
        spec: read_spec(&args.spec)?,
        description: args.description.unwrap_or_default(),
        service_role_arn: arn(args.roles.service_role_arn),
        component_role_arn: arn(args.roles.component_role_arn),
        codebuild_role_arn: arn(args.roles.codebuild_role_arn),
    };
    let what = format!("cannot create environment '{name}'");
    let made = hub
        .call(&what, request, async |q| {
            hub.environments().create_environment(q).await
        })
        .await?;
    warn(&made.warnings);
    written(cx, made, &args.wait).await
}

async fn update(args: UpdateArgs, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let name = args.name.to_string();
    let metadata = args.description.is_some() || args.connection.is_some() || args.roles.any();
    let update = Update::of(&args.change, metadata, async || {
        Ok(get(cx, &name).await?.template_version)
    })
    .await?;
    let request = wire::UpdateEnvironmentRequest {
        request_id: cx.request_id(&args.write),
        name: name.clone(),
        deployment_type: update.kind.into(),
        spec: update.spec,
        template_version: update.template_version,
        description: args.description,
        connection_id: args.connection.unwrap_or_default(),
        service_role_arn: arn(args.roles.service_role_arn),
        component_role_arn: arn(args.roles.component_role_arn),
        codebuild_role_arn: arn(args.roles.codebuild_role_arn),
    };
    let what = format!("cannot update environment '{name}'");
    let made = hub
        .call(&what, request, async |q| {
            hub.environments().update_environment(q).await
        })
        .await;
    let made = explain(cx, &name, made).await?;
    warn(&made.warnings);
    if update.kind == wire::DeploymentType::None {
        cx.brief(&made)
    } else {
        written(cx, made, &args.wait).await
    }
}

async fn delete(args: Delete, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let name = args.name.to_string();
    cx.confirm(
        &args.confirm,
        &format!("environment '{name}' and its stack"),
        &name,
        &format!("hadron environment delete {name}"),
    )?;
    let request = wire::DeleteEnvironmentRequest {
        request_id: cx.request_id(&args.write),
        name: name.clone(),
        retain_resources: args.retain.retain,
    };
    let what = format!("cannot delete environment '{name}'");
    let gone = hub
        .call(&what, request, async |q| {
            hub.environments().delete_environment(q).await
        })
        .await;
    let gone = explain(cx, &name, gone).await?;
    let state = gone.deployment.clone();
    cx.after_write(gone, state.as_ref(), &args.wait, async || Ok(None))
        .await
}

async fn cancel(args: Cancel, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let name = args.name.to_string();
    let request = wire::CancelEnvironmentDeploymentRequest {
        request_id: cx.request_id(&args.write),
        name: name.clone(),
    };
    let what = format!("cannot cancel the deployment of environment '{name}'");
    let made = hub
        .call(&what, request, async |q| {
            hub.environments().cancel_environment_deployment(q).await
        })
        .await;
    let made = explain(cx, &name, made).await?;
    let state = made.deployment.clone().unwrap_or_default();
    super::deployments::stopping(cx, &made, &state.last_attempted_deployment_id, &args.wait).await
}

async fn written(cx: &Context, made: wire::Environment, wait: &Wait) -> Result<()> {
    let (name, state) = (made.name.clone(), made.deployment.clone());
    cx.after_write(made, state.as_ref(), wait, async || {
        get(cx, &name).await.map(Some)
    })
    .await
}

pub(super) async fn get(cx: &Context, name: &str) -> Result<wire::Environment> {
    let hub = cx.hub()?;
    let request = wire::GetEnvironmentRequest {
        name: name.to_owned(),
    };
    let what = format!("cannot get environment '{name}'");
    explain(
        cx,
        name,
        hub.call(&what, request, async |q| {
            hub.environments().get_environment(q).await
        })
        .await,
    )
    .await
}

/// To a name that does not exist, the one that was probably meant.
async fn explain<T>(cx: &Context, name: &str, answer: Result<T>) -> Result<T> {
    let failure = match answer {
        Err(failure) if failure.exit == crate::error::Exit::NotFound => failure,
        other => return other,
    };
    let known = list(cx, String::new(), Some(500)).await.unwrap_or_default();
    let known: Vec<String> = known.into_iter().map(|one| one.name).collect();
    Err(did_you_mean(failure, "environment", name, &known))
}

async fn list(cx: &Context, template: String, limit: Option<usize>) -> Result<Vec<wire::Environment>> {
    let hub = cx.hub()?;
    hub.pages(
        "cannot list environments",
        limit,
        |page_size, page_token| wire::ListEnvironmentsRequest {
            page_size,
            page_token,
            template_name: template.clone(),
        },
        async |q| hub.environments().list_environments(q).await,
        |page: wire::ListEnvironmentsResponse| (page.environments, page.next_page_token),
    )
    .await
}

impl Show for wire::Environment {
    const KIND: &'static str = "Environment";
    const HEAD: &'static [&'static str] = &["NAME", "TEMPLATE", "VERSION", "STATUS", "ACCOUNT", "AGE"];
    const WIDE: &'static [&'static str] = &["REGION", "STACK", "LAST DEPLOYMENT", "DESCRIPTION"];

    fn name(&self) -> String {
        self.name.clone()
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let state = self.deployment.clone().unwrap_or_default();
        vec![
            self.name.clone(),
            self.template_name.clone(),
            self.template_version.clone(),
            state_word(self.deployment.as_ref()),
            state.account_id,
            age(now, at(self.created_at.as_ref())),
            state.region,
            state.stack_name,
            state.last_attempted_deployment_id,
            self.description.clone(),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        map(json!({
            "name": self.name,
            "description": text(&self.description),
            "templateName": self.template_name,
            "templateVersion": text(&self.template_version),
            "connectionId": text(&self.connection_id),
            "serviceRoleArn": text(&self.service_role_arn),
            "componentRoleArn": text(&self.component_role_arn),
            "codebuildRoleArn": text(&self.codebuild_role_arn),
            "provisioning": text(&self.provisioning),
            "spec": text(&self.spec),
            "createdAt": time(at(self.created_at.as_ref())),
            "deployment": state_json(self.deployment.as_ref()),
            "warnings": self.warnings,
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Environment {}", self.name));
        card.fact("description", &self.description);
        card.fact(
            "template",
            format!("{} {}", self.template_name, self.template_version),
        );
        card.fact("provisioning", &self.provisioning);
        card.fact("connection", &self.connection_id);
        card.fact("role", &self.service_role_arn);
        card.fact("component role", &self.component_role_arn);
        card.fact("codebuild role", &self.codebuild_role_arn);
        state_card(card, self.deployment.as_ref());
        card.time("created", at(self.created_at.as_ref()));
        card.block("Spec", &self.spec);
        state_sections(card, self.deployment.as_ref(), &self.warnings);
    }
}
