//! `hadron component`: stacks of a developer's own template.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use futures::future::FutureExt as _;
use hadron_proto::vocab::{ComponentName, EnvironmentName, InstanceName, ServiceName, Timestamp};
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use super::{
    Context, at, did_you_mean, follow, print_outputs, print_resources, read_file, read_spec, state_card,
    state_json, state_sections, state_word, warn,
};
use crate::args::{Confirm, Follow, Listing, Retain, Wait, Write};
use crate::error::{Exit, Failure, Result};
use crate::output::{Card, Show, age, map, text, time};

/// What can be done with components.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create a component, attached to a service instance or beside it
    #[command(after_help = "Examples:
  hadron component create bucket --template bucket.yaml --attach web/prd --wait
  hadron component create bucket --template bucket.yaml --attach web/prd --spec web.yaml
  hadron component create queue --template queue.yaml --environment prd

The instance sees what the component gives when it is updated: hadron instance update SERVICE/INSTANCE --redeploy")]
    Create(Create),
    /// Change a component's template, inputs, attachment or description
    #[command(after_help = "Examples:
  hadron component update bucket --template bucket.yaml --wait
  hadron component update bucket --spec web.yaml --wait
  hadron component update bucket --attach web/prd --wait
  hadron component update bucket --detach --wait
  hadron component update bucket --redeploy
  hadron component update bucket --description 'Uploads'   deploys nothing")]
    Update(UpdateArgs),
    /// Delete a component that is attached to nothing, and its stack
    #[command(after_help = "Examples:
  hadron component update bucket --detach --wait && hadron component delete bucket --wait
  hadron component delete bucket --yes --retain Bucket      leave behind what cannot be deleted")]
    Delete(Delete),
    /// List components
    #[command(after_help = "Examples:
  hadron component list
  hadron component list --environment prd
  hadron component list --service web --instance prd -o name")]
    List(List),
    /// Show a component
    #[command(after_help = "Examples:
  hadron component get bucket
  hadron component get bucket --watch
  hadron component get bucket -o json

Next: hadron component outputs NAME")]
    Get(Get),
    /// Show outputs, or the bare value of one
    #[command(after_help = "Examples:
  hadron component outputs bucket
  BUCKET=$(hadron component outputs bucket --key BucketName)")]
    Outputs(Outputs),
    /// Show the resources of the stack
    #[command(after_help = "Examples:
  hadron component resources bucket -o wide")]
    Resources(One),
}

/// A component.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The component
    #[arg(value_name = "NAME")]
    name: ComponentName,
}

/// Flags of `get`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    follow: Follow,
}

/// A service instance in one word.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    service: ServiceName,
    instance: InstanceName,
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let (service, instance) = text
            .split_once('/')
            .ok_or_else(|| format!("'{text}' does not name an instance: write SERVICE/INSTANCE"))?;
        Ok(Self {
            service: service.parse().map_err(|error| format!("{error}"))?,
            instance: instance.parse().map_err(|error| format!("{error}"))?,
        })
    }
}

/// Flags of `create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    one: One,
    /// The template, one CloudFormation file with Jinja in it ('-' reads stdin)
    #[arg(short, long, value_name = "FILE")]
    template: PathBuf,
    /// The manifest [default: one that names the template's file, jinja and cloudformation]
    #[arg(short, long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Service instance to attach it to
    #[arg(short, long, value_name = "SERVICE/INSTANCE")]
    attach: Option<Place>,
    /// Environment to run in; needed without --attach
    #[arg(short, long, value_name = "NAME", required_unless_present = "attach")]
    environment: Option<EnvironmentName>,
    /// Service spec that gives its inputs [default: the instance's own]
    #[arg(short = 'f', long, value_name = "FILE", requires = "attach")]
    spec: Option<PathBuf>,
    /// Text for people
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    wait: Wait,
}

/// Flags of `update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    one: One,
    /// New template ('-' reads stdin) [default: the stored one]
    #[arg(short, long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// New service spec for its inputs [default: the stored one]
    #[arg(short = 'f', long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// Attach it to this service instance; one that is attached is detached first
    #[arg(short, long, value_name = "SERVICE/INSTANCE", conflicts_with = "detach")]
    attach: Option<Place>,
    /// Detach it from its service instance
    #[arg(long)]
    detach: bool,
    /// Deploy it once more as it is
    #[arg(long)]
    redeploy: bool,
    /// New text for people
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
    #[command(flatten)]
    one: One,
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
    /// Only in this environment
    #[arg(short, long, value_name = "NAME")]
    environment: Option<EnvironmentName>,
    /// Only attached to this service
    #[arg(short, long, value_name = "NAME")]
    service: Option<ServiceName>,
    /// Only attached to this instance of the service
    #[arg(long, value_name = "NAME", requires = "service")]
    instance: Option<InstanceName>,
    #[command(flatten)]
    listing: Listing,
}

/// Flags of `outputs`.
#[derive(Debug, Args)]
pub(crate) struct Outputs {
    #[command(flatten)]
    one: One,
    /// Print only this output's value
    #[arg(short, long)]
    key: Option<String>,
}

pub(super) async fn run(verb: Verb, cx: &Context) -> Result<()> {
    match verb {
        Verb::Create(args) => create(args, cx).await,
        Verb::Update(args) => update(args, cx).await,
        Verb::Delete(args) => delete(args, cx).await,
        Verb::List(args) => {
            let filter = wire::ListComponentsRequest {
                environment_name: args.environment.map(String::from).unwrap_or_default(),
                service_name: args.service.map(String::from).unwrap_or_default(),
                instance_name: args.instance.map(String::from).unwrap_or_default(),
                ..wire::ListComponentsRequest::default()
            };
            let hub = cx.hub()?;
            let request = wire::WatchComponentsRequest::default();
            let watch = async move || hub.components().watch_components(request.clone()).await;
            Box::pin(cx.listed(
                &args.listing,
                "There are no components. Make one: hadron component create --help",
                async |limit| list(cx, &filter, limit).await,
                |tell| follow::changes(hub, "cannot watch components", watch, tell).boxed_local(),
            ))
            .await
        }
        Verb::Get(Get { one, follow }) => {
            let get = async || get(cx, one.name.as_str()).await;
            Box::pin(cx.shown(&follow, get, |thing| thing.deployment.as_ref())).await
        }
        Verb::Outputs(Outputs { one, key }) => {
            let component = get(cx, one.name.as_str()).await?;
            let target = (
                format!("component/{}", component.name),
                component.deployment.as_ref(),
            );
            print_outputs(cx, &[target], key.as_deref())
        }
        Verb::Resources(one) => {
            let component = get(cx, one.name.as_str()).await?;
            let target = (
                format!("component/{}", component.name),
                component.deployment.as_ref(),
            );
            print_resources(cx, &[target])
        }
    }
}

/// The manifest of a CloudFormation template in a file of this name.
fn manifest_for(template: &Path) -> String {
    let name = template
        .file_name()
        .and_then(|name| name.to_str())
        .filter(|name| *name != "-" && !name.contains(['"', '\\']))
        .unwrap_or("cloudformation.yaml");
    format!(
        "infrastructure:\n  templates:\n    - file: \"{name}\"\n      rendering_engine: jinja\n      \
         template_language: cloudformation\n"
    )
}

fn words(place: Option<Place>) -> (String, String) {
    place
        .map(|place| (place.service.into(), place.instance.into()))
        .unwrap_or_default()
}

async fn create(args: Create, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let name = String::from(args.one.name);
    let manifest = match &args.manifest {
        Some(file) => read_file("manifest", file)?,
        None => manifest_for(&args.template),
    };
    let (service_name, instance_name) = words(args.attach);
    let request = wire::CreateComponentRequest {
        request_id: cx.request_id(&args.write),
        name: name.clone(),
        description: args.description,
        environment_name: args.environment.map(String::from).unwrap_or_default(),
        service_name,
        instance_name,
        service_spec: args
            .spec
            .as_deref()
            .map(read_spec)
            .transpose()?
            .unwrap_or_default(),
        manifest,
        template_file: read_file("template", &args.template)?,
    };
    let what = format!("cannot create component '{name}'");
    let made = hub
        .call(&what, request, async |q| {
            hub.components().create_component(q).await
        })
        .await?;
    warn(&made.warnings);
    written(cx, made, &args.wait).await
}

async fn update(args: UpdateArgs, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let name = String::from(args.one.name);
    let deploys = args.template.is_some()
        || args.spec.is_some()
        || args.attach.is_some()
        || args.detach
        || args.redeploy;
    if !deploys && args.description.is_none() {
        return Err(Failure::usage("nothing to update was given")
            .why("give --template, --spec, --attach, --detach, --redeploy or --description"));
    }
    let attachment = if args.detach {
        Some((String::new(), String::new()))
    } else {
        args.attach.map(|place| words(Some(place)))
    };
    let (service_name, instance_name) = attachment.unzip();
    let request = wire::UpdateComponentRequest {
        request_id: cx.request_id(&args.write),
        name: name.clone(),
        deployment_type: if deploys {
            wire::DeploymentType::CurrentVersion.into()
        } else {
            wire::DeploymentType::None.into()
        },
        description: args.description,
        service_name,
        instance_name,
        service_spec: args
            .spec
            .as_deref()
            .map(read_spec)
            .transpose()?
            .unwrap_or_default(),
        template_file: args
            .template
            .as_deref()
            .map(|file| read_file("template", file))
            .transpose()?
            .unwrap_or_default(),
    };
    let what = format!("cannot update component '{name}'");
    let made = hub
        .call(&what, request, async |q| {
            hub.components().update_component(q).await
        })
        .await;
    let made = explain(cx, &name, made).await?;
    if !deploys {
        return cx.brief(&made);
    }
    warn(&made.warnings);
    written(cx, made, &args.wait).await
}

async fn delete(args: Delete, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let name = String::from(args.one.name);
    cx.confirm(
        &args.confirm,
        &format!("component '{name}' and its stack"),
        &name,
        &format!("hadron component delete {name}"),
    )?;
    let request = wire::DeleteComponentRequest {
        request_id: cx.request_id(&args.write),
        name: name.clone(),
        retain_resources: args.retain.retain,
    };
    let what = format!("cannot delete component '{name}'");
    let gone = hub
        .call(&what, request, async |q| {
            hub.components().delete_component(q).await
        })
        .await;
    let gone = explain(cx, &name, gone).await?;
    let state = gone.deployment.clone();
    cx.after_write(gone, state.as_ref(), &args.wait, async || Ok(None))
        .await
}

async fn written(cx: &Context, made: wire::Component, wait: &Wait) -> Result<()> {
    let (name, state) = (made.name.clone(), made.deployment.clone());
    cx.after_write(made, state.as_ref(), wait, async || {
        get(cx, &name).await.map(Some)
    })
    .await
}

pub(super) async fn get(cx: &Context, name: &str) -> Result<wire::Component> {
    let hub = cx.hub()?;
    let request = wire::GetComponentRequest {
        name: name.to_owned(),
    };
    let what = format!("cannot get component '{name}'");
    let answer = hub
        .call(&what, request, async |q| hub.components().get_component(q).await)
        .await;
    explain(cx, name, answer).await
}

async fn explain<T>(cx: &Context, name: &str, answer: Result<T>) -> Result<T> {
    let failure = match answer {
        Err(failure) if failure.exit == Exit::NotFound => failure,
        other => return other,
    };
    let known = list(cx, &wire::ListComponentsRequest::default(), Some(500))
        .await
        .unwrap_or_default();
    let known: Vec<String> = known.into_iter().map(|one| one.name).collect();
    Err(did_you_mean(failure, "component", name, &known))
}

async fn list(
    cx: &Context,
    filter: &wire::ListComponentsRequest,
    limit: Option<usize>,
) -> Result<Vec<wire::Component>> {
    let hub = cx.hub()?;
    hub.pages(
        "cannot list components",
        limit,
        |page_size, page_token| wire::ListComponentsRequest {
            page_size,
            page_token,
            ..filter.clone()
        },
        async |q| hub.components().list_components(q).await,
        |page: wire::ListComponentsResponse| (page.components, page.next_page_token),
    )
    .await
}

fn attachment(component: &wire::Component) -> String {
    if component.service_name.is_empty() {
        String::new()
    } else {
        format!("{}/{}", component.service_name, component.instance_name)
    }
}

impl Show for wire::Component {
    const KIND: &'static str = "Component";
    const HEAD: &'static [&'static str] = &["COMPONENT", "ENVIRONMENT", "ATTACHED TO", "STATUS", "AGE"];
    const WIDE: &'static [&'static str] = &["ACCOUNT", "REGION", "STACK", "LAST DEPLOYMENT"];

    fn name(&self) -> String {
        self.name.clone()
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let state = self.deployment.clone().unwrap_or_default();
        vec![
            self.name.clone(),
            self.environment_name.clone(),
            attachment(self),
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
            "name": self.name,
            "description": text(&self.description),
            "environmentName": self.environment_name,
            "serviceName": text(&self.service_name),
            "instanceName": text(&self.instance_name),
            "serviceSpec": text(&self.service_spec),
            "manifest": text(&self.manifest),
            "templateFile": text(&self.template_file),
            "createdAt": time(at(self.created_at.as_ref())),
            "lastModifiedAt": time(at(self.last_modified_at.as_ref())),
            "deployment": state_json(self.deployment.as_ref()),
            "warnings": self.warnings,
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Component {}", self.name));
        card.fact("description", &self.description);
        card.fact("environment", &self.environment_name);
        card.fact("attached to", attachment(self));
        state_card(card, self.deployment.as_ref());
        card.time("created", at(self.created_at.as_ref()));
        card.time("modified", at(self.last_modified_at.as_ref()));
        card.block("Spec", &self.service_spec);
        card.block("Template", &self.template_file);
        state_sections(card, self.deployment.as_ref(), &self.warnings);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Place, manifest_for};

    #[test]
    fn a_manifest_is_made_for_the_template_at_hand() {
        let named = |path: &str| manifest_for(Path::new(path)).lines().nth(2).map(str::to_owned);
        assert_eq!(
            named("infra/bucket.yaml").as_deref(),
            Some("    - file: \"bucket.yaml\"")
        );
        for path in ["-", "odd\"name.yaml"] {
            assert_eq!(
                named(path).as_deref(),
                Some("    - file: \"cloudformation.yaml\""),
                "{path}"
            );
        }
    }

    #[test]
    fn a_place_is_a_service_and_an_instance() {
        let place: Place = "web/prd".parse().unwrap();
        assert_eq!((place.service.as_str(), place.instance.as_str()), ("web", "prd"));
        for text in ["web", "web/", "/prd", "a/b/c"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
