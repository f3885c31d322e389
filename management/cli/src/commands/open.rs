//! `hadron open`: the page of the console that shows a thing, signed in as whoever calls is to the hub.

use clap::{Args, Subcommand};
use hadron_proto::vocab::{ComponentName, EnvironmentName, ServiceName};

use super::{Context, components, connections, console, deployments, environments, instances, pipelines};
use super::{services, templates};
use crate::error::{Failure, Result};

/// Flags of `open`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hadron open                                  the overview
  hadron open environment prd
  hadron open instance web/prd
  hadron open template vpc --template-version 1.2
  hadron open deployment dpl_0198a5f06a5c7c4e9d550d6b7f0e4c11
  hadron open connection                       all of them
  hadron open environment prd --print

Opens the page in your browser with a link that signs you in as whoever you are to the hub here (hadron whoami). The link is
good once and for a minute, and leads to that page only. See also: hadron console --help")]
pub(crate) struct Open {
    /// What to open
    #[command(subcommand)]
    what: Option<What>,
    /// Print the link instead of opening it
    #[arg(long, global = true)]
    print: bool,
}

/// What has a page.
#[derive(Debug, Subcommand)]
enum What {
    /// An environment, or all of them
    #[command(visible_alias = "env", aliases = ["environments", "envs"], after_help = "Examples:
  hadron open environment prd
  hadron open environment")]
    Environment {
        /// Its name
        name: Option<EnvironmentName>,
    },
    /// A service, or all of them
    #[command(
        visible_alias = "svc",
        alias = "services",
        after_help = "Examples:
  hadron open service web"
    )]
    Service {
        /// Its name
        name: Option<ServiceName>,
    },
    /// A service instance
    #[command(
        visible_alias = "inst",
        alias = "instances",
        after_help = "Examples:
  hadron open instance web/prd"
    )]
    Instance {
        #[command(flatten)]
        one: instances::One,
    },
    /// The pipeline of a service
    #[command(
        alias = "pipelines",
        after_help = "Examples:
  hadron open pipeline web"
    )]
    Pipeline {
        /// Name of the service
        service: ServiceName,
    },
    /// A component, or all of them
    #[command(
        visible_alias = "comp",
        alias = "components",
        after_help = "Examples:
  hadron open component bucket"
    )]
    Component {
        /// Its name
        name: Option<ComponentName>,
    },
    /// A template or one of its versions, or the whole catalogue
    #[command(visible_alias = "tpl", aliases = ["templates", "catalog"], after_help = "Examples:
  hadron open template vpc
  hadron open template vpc --template-version 1.2
  hadron open template")]
    Template(Template),
    /// An environment account connection, or all of them
    #[command(
        visible_alias = "conn",
        alias = "connections",
        after_help = "Examples:
  hadron open connection conn_0198a5f06a5c7c4e9d550d6b7f0e4c11"
    )]
    Connection {
        /// Its id
        id: Option<String>,
    },
    /// A deployment, live, or all of them
    #[command(
        visible_alias = "dep",
        alias = "deployments",
        after_help = "Examples:
  hadron open deployment dpl_0198a5f06a5c7c4e9d550d6b7f0e4c11"
    )]
    Deployment {
        /// Its id
        id: Option<String>,
    },
    /// Plots: how often it is deployed, how long it takes, what fails, who is behind
    #[command(
        visible_alias = "plots",
        after_help = "Examples:
  hadron open insights"
    )]
    Insights,
    /// Who may pull what
    #[command(
        alias = "grants",
        after_help = "Examples:
  hadron open grant"
    )]
    Grant,
    /// Agents
    #[command(
        alias = "agents",
        after_help = "Examples:
  hadron open agent"
    )]
    Agent,
    /// The audit log
    #[command(after_help = "Examples:
  hadron open audit")]
    Audit,
    /// Access, keys, settings of the account
    #[command(after_help = "Examples:
  hadron open settings")]
    Settings,
}

/// Which template.
#[derive(Debug, Args)]
struct Template {
    /// Its name
    name: Option<hadron_proto::vocab::TemplateName>,
    /// Needed when an environment and a service template have this name
    #[arg(short, long, value_enum, value_name = "KIND", requires = "name")]
    kind: Option<templates::Kind>,
    /// One of its versions, MAJOR.MINOR
    #[arg(long, value_name = "VERSION", requires = "name")]
    template_version: Option<hadron_proto::vocab::TemplateVersion>,
}

pub(super) async fn run(args: Open, cx: &Context) -> Result<()> {
    let page = match args.what {
        None => "/".to_owned(),
        Some(what) => Box::pin(page(what, cx)).await?,
    };
    console::open(cx, &page, args.print).await
}

/// The address of a page. That the thing is there is found out here, where a slip in its name can be told.
async fn page(what: What, cx: &Context) -> Result<String> {
    Ok(match what {
        What::Environment { name: None } => "/environments".to_owned(),
        What::Environment { name: Some(name) } => {
            let found = environments::get(cx, name.as_str()).await;
            format!("/environments/{}", to_page(found, "environment")?.name)
        }
        What::Service { name: None } => "/services".to_owned(),
        What::Service { name: Some(name) } => {
            let found = services::get(cx, name.as_str()).await;
            format!("/services/{}", to_page(found, "service")?.name)
        }
        What::Instance { one } => {
            let one = to_page(instances::named(cx, &one).await, "instance")?;
            format!("/services/{}/instances/{}", one.service_name, one.name)
        }
        What::Pipeline { service } => {
            let found = pipelines::get(cx, service.as_str()).await;
            format!("/services/{}/pipeline", to_page(found, "pipeline")?.service_name)
        }
        What::Component { name: None } => "/components".to_owned(),
        What::Component { name: Some(name) } => {
            let found = components::get(cx, name.as_str()).await;
            format!("/components/{}", to_page(found, "component")?.name)
        }
        What::Template(args) => template(args, cx).await?,
        What::Connection { id: None } => "/connections".to_owned(),
        What::Connection { id: Some(id) } => {
            let found = connections::get(cx, &id).await;
            format!("/connections/{}", to_page(found, "connection")?.id)
        }
        What::Deployment { id: None } => "/deployments".to_owned(),
        What::Deployment { id: Some(id) } => {
            let found = deployments::get(cx, &id).await;
            format!("/deployments/{}", to_page(found, "deployment")?.id)
        }
        What::Insights => "/insights".to_owned(),
        What::Grant => "/grants".to_owned(),
        What::Agent => "/agents".to_owned(),
        What::Audit => "/audit".to_owned(),
        What::Settings => "/settings".to_owned(),
    })
}

async fn template(args: Template, cx: &Context) -> Result<String> {
    let Some(name) = args.name else {
        return Ok("/catalog".to_owned());
    };
    let one = templates::One {
        name,
        kind: args.kind,
    };
    let (kind, found) = to_page(templates::found(cx, &one).await, "template")?;
    let page = format!("/catalog/{}/{}", kind.word(), found.name);
    match args.template_version {
        None => Ok(page),
        Some(version) => {
            let version = version.to_string();
            let found = templates::get_version(cx, kind, &found.name, &version).await;
            Ok(format!("{page}/{}", to_page(found, "template")?.version))
        }
    }
}

/// What was meant is opened, not printed.
fn to_page<T>(found: Result<T>, noun: &str) -> Result<T> {
    let get = format!("hadron {noun} get ");
    found.map_err(|failure| {
        let next = failure.next.iter().map(|next| match next.strip_prefix(&get) {
            Some(name) => format!("hadron open {noun} {name}"),
            None => next.clone(),
        });
        Failure {
            next: next.collect(),
            ..failure
        }
    })
}
