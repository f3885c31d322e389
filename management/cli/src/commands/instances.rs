//! `hadron instance`: one service in one environment.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use futures::future::FutureExt as _;
use hadron_proto::vocab::{EnvironmentName, InstanceName, ServiceName, Timestamp};
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use super::{
    Context, Update, at, did_you_mean, follow, print_outputs, print_resources, read_spec, state_card,
    state_json, state_sections, state_word, warn,
};
use crate::args::{Change, Confirm, Follow, Listing, Retain, Wait, Write};
use crate::error::{Exit, Failure, Result};
use crate::output::{Card, Show, age, map, text, time};

/// What can be done with service instances.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Add an instance to a service
    #[command(after_help = "Examples:
  hadron instance create web/prd --spec web.yaml --wait               the whole service spec
  hadron instance create web/prd --spec prd-inputs.yaml --environment prd

Next: hadron instance outputs SERVICE/INSTANCE")]
    Create(Create),
    /// Change an instance's spec or template version
    #[command(after_help = "Examples:
  hadron instance update web/prd --spec web.yaml --wait     only this instance's entry counts
  hadron instance update web/prd --minor --wait
  hadron instance update web prd --redeploy")]
    Update(UpdateArgs),
    /// Delete an instance and its stack
    #[command(after_help = "Examples:
  hadron instance delete web/dev --wait
  hadron instance delete web/dev --yes --retain Bucket      leave behind what cannot be deleted")]
    Delete(Delete),
    /// List instances
    #[command(after_help = "Examples:
  hadron instance list
  hadron instance list --service web
  hadron instance list --environment prd -o name")]
    List(List),
    /// Show an instance
    #[command(after_help = "Examples:
  hadron instance get web/prd
  hadron instance get web/prd --watch
  hadron instance get web prd -o json

Next: hadron deployment list --service SERVICE --instance INSTANCE")]
    Get(Get),
    /// Show outputs, or the bare value of one
    #[command(after_help = "Examples:
  hadron instance outputs web/prd
  URL=$(hadron instance outputs web/prd --key Url)")]
    Outputs(Outputs),
    /// Show the resources of the stack
    #[command(after_help = "Examples:
  hadron instance resources web/prd -o wide")]
    Resources(One),
}

/// An instance, as one word or as two.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// SERVICE/INSTANCE
    #[arg(value_name = "SERVICE/INSTANCE")]
    name: String,
    /// The instance, when the service stands alone
    #[arg(value_name = "INSTANCE")]
    instance: Option<String>,
}

/// Flags of `get`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    follow: Follow,
}

impl One {
    fn split(&self) -> Result<(String, String)> {
        let wrong = |why: String| {
            Failure::usage(format!("'{}' does not name an instance", self.name))
                .why(why)
                .next("hadron instance get SERVICE/INSTANCE")
        };
        let (service, instance) = match (&self.instance, self.name.split_once('/')) {
            (None, Some(both)) => both,
            (Some(instance), None) => (self.name.as_str(), instance.as_str()),
            (None, None) => {
                return Err(wrong(
                    "the instance is missing: write SERVICE/INSTANCE".to_owned(),
                ));
            }
            (Some(_), Some(_)) => {
                return Err(wrong(
                    "write SERVICE/INSTANCE or SERVICE INSTANCE, not both".to_owned(),
                ));
            }
        };
        let service: ServiceName = service.parse().map_err(|error| wrong(format!("{error}")))?;
        let instance: InstanceName = instance.parse().map_err(|error| wrong(format!("{error}")))?;
        Ok((service.into(), instance.into()))
    }
}

/// Flags of `create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    one: One,
    /// The whole service spec, or this instance's inputs ('-' reads stdin)
    #[arg(short = 'f', long, value_name = "FILE")]
    spec: PathBuf,
    /// Environment to run in; needed when the spec holds only inputs
    #[arg(short, long, value_name = "NAME")]
    environment: Option<EnvironmentName>,
    /// MAJOR or MAJOR.MINOR [default: the recommended minor of the service's major]
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
    #[command(flatten)]
    one: One,
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
    /// Only of this service
    #[arg(short, long, value_name = "NAME")]
    service: Option<ServiceName>,
    /// Only in this environment
    #[arg(short, long, value_name = "NAME")]
    environment: Option<EnvironmentName>,
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
        Verb::List(List {
            service,
            environment,
            listing,
        }) => {
            let hub = cx.hub()?;
            let words = (
                service.map(String::from).unwrap_or_default(),
                environment.map(String::from).unwrap_or_default(),
            );
            let request = wire::WatchInstancesRequest {
                service_name: words.0.clone(),
                ..wire::WatchInstancesRequest::default()
            };
            let watch = async move || hub.instances().watch_instances(request.clone()).await;
            Box::pin(cx.listed(
                &listing,
                "There are no service instances. Services bring them: hadron service create --help",
                async |limit| list(cx, words.0.clone(), words.1.clone(), limit).await,
                |tell| follow::changes(hub, "cannot watch service instances", watch, tell).boxed_local(),
            ))
            .await
        }
        Verb::Get(Get { one, follow }) => {
            let get = async || named(cx, &one).await;
            Box::pin(cx.shown(&follow, get, |thing| thing.deployment.as_ref())).await
        }
        Verb::Outputs(Outputs { one, key }) => {
            let instance = named(cx, &one).await?;
            print_outputs(
                cx,
                &[(
                    format!("instance/{}", instance.name()),
                    instance.deployment.as_ref(),
                )],
                key.as_deref(),
            )
        }
        Verb::Resources(one) => {
            let instance = named(cx, &one).await?;
            print_resources(
                cx,
                &[(
                    format!("instance/{}", instance.name()),
                    instance.deployment.as_ref(),
                )],
            )
        }
    }
}

/// A service spec as it is; an instance's inputs as the only instance of one, in this environment.
fn whole_spec(text: String, instance: &str, environment: &str) -> String {
    let names_its_kind = |line: &str| {
        let line = line.trim_start_matches(['{', ' ', '"', '\'']);
        line.strip_prefix("proton")
            .is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
    };
    if environment.is_empty() || text.lines().any(names_its_kind) {
        return text;
    }
    let inputs: String = text
        .lines()
        .filter(|line| !line.starts_with("---"))
        .map(|line| format!("      {line}\n"))
        .collect();
    format!(
        "proton: ServiceSpec\ninstances:\n  - name: \"{instance}\"\n    environment: \"{environment}\"\n    spec:\n{inputs}"
    )
}

async fn create(args: Create, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let (service, instance) = args.one.split()?;
    let environment = args.environment.map(String::from).unwrap_or_default();
    let request = wire::CreateInstanceRequest {
        request_id: cx.request_id(&args.write),
        service_name: service.clone(),
        name: instance.clone(),
        spec: whole_spec(read_spec(&args.spec)?, &instance, &environment),
        environment_name: environment,
        template_version: args.template_version.unwrap_or_default(),
    };
    let what = format!("cannot create instance '{service}/{instance}'");
    let made = hub
        .call(&what, request, async |q| hub.instances().create_instance(q).await)
        .await?;
    warn(&made.warnings);
    written(cx, made, &args.wait).await
}

async fn update(args: UpdateArgs, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let (service, instance) = args.one.split()?;
    let update = Update::of(&args.change, false, async || {
        Ok(get(cx, &service, &instance).await?.template_version)
    })
    .await?;
    let request = wire::UpdateInstanceRequest {
        request_id: cx.request_id(&args.write),
        service_name: service.clone(),
        name: instance.clone(),
        deployment_type: update.kind.into(),
        spec: update.spec,
        template_version: update.template_version,
    };
    let what = format!("cannot update instance '{service}/{instance}'");
    let made = hub
        .call(&what, request, async |q| hub.instances().update_instance(q).await)
        .await;
    let made = explain(cx, &service, &instance, made).await?;
    warn(&made.warnings);
    written(cx, made, &args.wait).await
}

async fn delete(args: Delete, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let (service, instance) = args.one.split()?;
    let name = format!("{service}/{instance}");
    cx.confirm(
        &args.confirm,
        &format!("instance '{name}' and its stack"),
        &name,
        &format!("hadron instance delete {name}"),
    )?;
    let request = wire::DeleteInstanceRequest {
        request_id: cx.request_id(&args.write),
        service_name: service.clone(),
        name: instance.clone(),
        retain_resources: args.retain.retain,
    };
    let what = format!("cannot delete instance '{name}'");
    let gone = hub
        .call(&what, request, async |q| hub.instances().delete_instance(q).await)
        .await;
    let gone = explain(cx, &service, &instance, gone).await?;
    let state = gone.deployment.clone();
    cx.after_write(gone, state.as_ref(), &args.wait, async || Ok(None))
        .await
}

async fn written(cx: &Context, made: wire::ServiceInstance, wait: &Wait) -> Result<()> {
    let (service, name, state) = (
        made.service_name.clone(),
        made.name.clone(),
        made.deployment.clone(),
    );
    cx.after_write(made, state.as_ref(), wait, async || {
        get(cx, &service, &name).await.map(Some)
    })
    .await
}

pub(super) async fn named(cx: &Context, one: &One) -> Result<wire::ServiceInstance> {
    let (service, instance) = one.split()?;
    get(cx, &service, &instance).await
}

async fn get(cx: &Context, service: &str, instance: &str) -> Result<wire::ServiceInstance> {
    let hub = cx.hub()?;
    let request = wire::GetInstanceRequest {
        service_name: service.to_owned(),
        name: instance.to_owned(),
    };
    let what = format!("cannot get instance '{service}/{instance}'");
    let answer = hub
        .call(&what, request, async |q| hub.instances().get_instance(q).await)
        .await;
    explain(cx, service, instance, answer).await
}

async fn explain<T>(cx: &Context, service: &str, instance: &str, answer: Result<T>) -> Result<T> {
    let failure = match answer {
        Err(failure) if failure.exit == Exit::NotFound => failure,
        other => return other,
    };
    let known = list(cx, String::new(), String::new(), Some(500))
        .await
        .unwrap_or_default();
    let known: Vec<String> = known
        .into_iter()
        .map(|one| format!("{}/{}", one.service_name, one.name))
        .collect();
    Err(did_you_mean(
        failure,
        "instance",
        &format!("{service}/{instance}"),
        &known,
    ))
}

async fn list(
    cx: &Context,
    service: String,
    environment: String,
    limit: Option<usize>,
) -> Result<Vec<wire::ServiceInstance>> {
    let hub = cx.hub()?;
    hub.pages(
        "cannot list service instances",
        limit,
        |page_size, page_token| wire::ListInstancesRequest {
            page_size,
            page_token,
            service_name: service.clone(),
            environment_name: environment.clone(),
        },
        async |q| hub.instances().list_instances(q).await,
        |page: wire::ListInstancesResponse| (page.instances, page.next_page_token),
    )
    .await
}

impl Show for wire::ServiceInstance {
    const KIND: &'static str = "ServiceInstance";
    const HEAD: &'static [&'static str] =
        &["INSTANCE", "ENVIRONMENT", "TEMPLATE", "VERSION", "STATUS", "AGE"];
    const WIDE: &'static [&'static str] = &["ACCOUNT", "REGION", "STACK", "LAST DEPLOYMENT"];

    fn name(&self) -> String {
        format!("{}/{}", self.service_name, self.name)
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let state = self.deployment.clone().unwrap_or_default();
        vec![
            format!("{}/{}", self.service_name, self.name),
            self.environment_name.clone(),
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
            "name": self.name,
            "environmentName": self.environment_name,
            "templateName": self.template_name,
            "templateVersion": text(&self.template_version),
            "spec": text(&self.spec),
            "createdAt": time(at(self.created_at.as_ref())),
            "deployment": state_json(self.deployment.as_ref()),
            "warnings": self.warnings,
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Service instance {}/{}", self.service_name, self.name));
        card.fact("environment", &self.environment_name);
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

#[cfg(test)]
mod tests {
    use super::{One, whole_spec};

    #[test]
    fn inputs_become_a_spec_with_one_instance() {
        let whole = "proton: ServiceSpec\ninstances: []\n";
        assert_eq!(whole_spec(whole.to_owned(), "prd", "live"), whole);
        let json = "{\n  \"proton\": \"ServiceSpec\"\n}";
        assert_eq!(whole_spec(json.to_owned(), "prd", "live"), json);
        assert_eq!(whole_spec("port: 80\n".to_owned(), "prd", ""), "port: 80\n");
        assert_eq!(
            whole_spec("---\nport: 80\nprotons: 2\n".to_owned(), "prd", "live"),
            "proton: ServiceSpec\ninstances:\n  - name: \"prd\"\n    environment: \"live\"\n    spec:\n      \
             port: 80\n      protons: 2\n"
        );
    }

    #[test]
    fn an_instance_is_one_word_or_two() {
        let split = |name: &str, instance: Option<&str>| {
            One {
                name: name.to_owned(),
                instance: instance.map(str::to_owned),
            }
            .split()
        };
        assert_eq!(
            split("web/prd", None).unwrap(),
            ("web".to_owned(), "prd".to_owned())
        );
        assert_eq!(
            split("web", Some("prd")).unwrap(),
            ("web".to_owned(), "prd".to_owned())
        );
        for (name, instance) in [
            ("web", None),
            ("web/prd", Some("prd")),
            ("web/", None),
            ("/prd", None),
            ("a/b/c", None),
        ] {
            assert_eq!(split(name, instance).unwrap_err().exit as u8, 2, "{name}");
        }
    }
}
