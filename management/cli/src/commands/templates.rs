//! `hadron template`: environment and service templates, and their versions.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use futures::future::FutureExt as _;
use hadron_proto::vocab::{TemplateName, TemplateVersion};
use hadron_proto::wire;
use hadron_templates::{BundleKind, Capability, Expect};

use super::{Context, did_you_mean, follow, warn};
use crate::args::{Confirm, Limit, Listing, Wait, Write};
use crate::error::{Exit, Failure, Result};
use crate::output::{Format, say};

mod offline;
mod show;
mod signing;

/// What can be done with templates.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Register a bundle as a new draft version, and the template with it when it is new
    ///
    /// A bundle is a directory, a .tar.gz or a .zip in the form of AWS Proton. It is checked here before it is sent. One that
    /// is named s3://BUCKET/KEY is fetched by the agent of the management account and checked by the hub.
    #[expect(clippy::doc_markdown, reason = "help is no Markdown")]
    #[command(after_help = "Examples:
  hadron template create vpc --kind environment ./vpc
  hadron template create vpc --kind environment s3://bundles/vpc/v1.tar.gz --wait
  hadron template create http --kind service ./http --compatible-with vpc:1 --publish
  hadron template create http ./http --major 1 --compatible-with vpc:1     a new minor version of major 1

Next: hadron template publish NAME VERSION")]
    Create(Create),
    /// Change what a template, or one of its versions, says about itself
    #[command(after_help = "Examples:
  hadron template update vpc --display-name 'Network' --description 'One VPC for each environment'
  hadron template update http --version 1.2 --compatible-with vpc:1 --compatible-with vpc:2
  hadron template update http --version 1.2 --supports-components true --publish

A bundle never changes: register a changed one as a new version.")]
    Update(Update),
    /// Publish a draft, so that it is recommended and can be deployed by everybody
    #[command(after_help = "Examples:
  hadron template publish vpc 1.0
  hadron template publish vpc 1.0 --approve-capabilities     where the hub wants approvals by themselves

Next: hadron environment create NAME --template TEMPLATE --spec FILE")]
    Publish(Publish),
    /// Let the stacks of a version have capabilities that they need, such as to make IAM roles
    ///
    /// CloudFormation makes IAM resources, IAM resources with names of their own, and what transforms write, only for whoever
    /// says so. Hadron says so for a version when an administrator has approved it; by default publishing a version does. What a
    /// version needs is shown by `hadron template get NAME --version VERSION`.
    #[command(after_help = "Examples:
  hadron template approve vpc 1.0 --capability CAPABILITY_IAM
  hadron template approve vpc 1.0 --capability CAPABILITY_IAM --capability CAPABILITY_NAMED_IAM
  hadron template approve vpc 1.0 --capability CAPABILITY_NAMED_IAM --withdraw

A deployment that needs what is not approved is refused before anything happens.")]
    Approve(Approve),
    /// List templates
    #[command(after_help = "Examples:
  hadron template list
  hadron template list --kind service -o name

Next: hadron template get NAME, hadron template versions NAME")]
    List(List),
    /// Show a template, or one of its versions with its inputs
    #[command(after_help = "Examples:
  hadron template get vpc
  hadron template get vpc --version 1.0

Next: hadron template versions NAME")]
    Get(Get),
    /// List the versions of a template
    #[command(after_help = "Examples:
  hadron template versions vpc
  hadron template versions vpc -o json | jq -r '.items[] | select(.status == \"PUBLISHED\").version'")]
    Versions(Versions),
    /// Delete a version, or a template that has none left
    #[command(after_help = "Examples:
  hadron template delete vpc --version 1.0
  hadron template delete vpc --yes

Refused while something deployed uses the version.")]
    Delete(Delete),
    /// Check a bundle and print everything that is wrong with it; asks no hub
    #[command(after_help = "Examples:
  hadron template lint ./vpc
  hadron template lint ./http --kind service -o json

Exit codes: 0 no errors (perhaps warnings), 1 errors
Next: hadron template render PATH --spec FILE")]
    Lint(offline::Lint),
    /// Print what CloudFormation would get for a spec; asks no hub
    #[command(after_help = "Examples:
  hadron template render ./vpc --spec prd.yaml
  hadron template render ./http --spec web.yaml --instance prd --environment-outputs VpcId=vpc-1
  hadron template render ./http --spec web.yaml --instance prd --environment-outputs outputs.json
  hadron template render ./http --spec web.yaml --pipeline --instance-output prd.Url=http://example.com

Next: hadron template create NAME --kind KIND PATH")]
    Render(offline::Render),
    /// Make a key to sign bundles with; asks no hub
    #[command(after_help = "Examples:
  hadron template keygen publisher.key

Prints the public half. Owners of accounts put it into limits.publishers of their agents, which then deploy nothing but what
was rendered from bundles that this key has signed.
Next: hadron template sign PATH --key FILE --template NAME --major N")]
    Keygen(signing::Keygen),
    /// Sign a bundle as a version of one template; asks no hub
    ///
    /// The signature is written into the bundle, as hadron-signature.json, and goes with it through S3 and other clients.
    #[command(after_help = "Examples:
  hadron template sign ./vpc --key publisher.key --template vpc --major 1
  hadron template sign vpc.tar.gz --key publisher.key --template vpc --major 1 --out vpc-signed.tar.gz

A bundle that is changed afterwards has to be signed again.
Next: hadron template create NAME --kind KIND PATH")]
    Sign(signing::Sign),
}

/// What a template is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// An environment template
    #[value(alias = "env")]
    Environment,
    /// A service template
    #[value(alias = "svc")]
    Service,
}

impl Kind {
    const fn wire(self) -> wire::TemplateKind {
        match self {
            Self::Environment => wire::TemplateKind::Environment,
            Self::Service => wire::TemplateKind::Service,
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Service => "service",
        }
    }

    const fn of(kind: wire::TemplateKind) -> Option<Self> {
        match kind {
            wire::TemplateKind::Environment => Some(Self::Environment),
            wire::TemplateKind::Service => Some(Self::Service),
            wire::TemplateKind::Unspecified => None,
        }
    }

    const fn expect(self) -> Expect {
        match self {
            Self::Environment => Expect::Environment,
            Self::Service => Expect::Service,
        }
    }
}

/// Flags of `create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name of the template
    name: TemplateName,
    /// Directory, .tar.gz or .zip, or s3://BUCKET/KEY
    #[expect(clippy::doc_markdown, reason = "help is no Markdown")]
    #[arg(value_name = "BUNDLE")]
    bundle: Place,
    /// What it is for [default: what the template is already, or what the bundle looks like]
    #[arg(short, long, value_enum, value_name = "KIND")]
    kind: Option<Kind>,
    /// A new minor version of this major [default: a new major version]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    major: Option<u32>,
    /// Service templates: environment template that it runs in, NAME:MAJOR (repeatable)
    #[arg(short, long, value_name = "NAME:MAJOR")]
    compatible_with: Vec<String>,
    /// Publish the version when it is registered
    #[arg(short, long)]
    publish: bool,
    /// Service templates: services of it have no pipeline
    #[arg(long)]
    no_pipeline: bool,
    /// Environment templates: somebody else provisions the environments; bundles hold only a schema
    #[arg(long)]
    customer_managed: bool,
    /// Service templates: directly defined components may be attached to instances of the version
    #[arg(long)]
    supports_components: bool,
    /// Name for people
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Description of the version, and of the template when it is new
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// ARN of a KMS key, kept and shown with a new template
    #[arg(long, value_name = "ARN")]
    encryption_key: Option<String>,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    write: Write,
}

/// Where a bundle is.
#[derive(Clone, Debug)]
enum Place {
    Here(PathBuf),
    S3(wire::S3Object),
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let Some(rest) = text.strip_prefix("s3://") else {
            return Ok(Self::Here(text.into()));
        };
        match rest.split_once('/') {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => Ok(Self::S3(wire::S3Object {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            })),
            _ => Err("name the object as s3://BUCKET/KEY".to_owned()),
        }
    }
}

/// Flags of `update`.
#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    one: One,
    /// Change this version, MAJOR.MINOR [default: the template itself]
    #[arg(long, value_name = "VERSION")]
    version: Option<TemplateVersion>,
    /// Name of the template for people
    #[arg(long, value_name = "TEXT", conflicts_with = "version")]
    display_name: Option<String>,
    /// Description; an empty one takes it away
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Service template versions: environment template that it runs in, NAME:MAJOR (repeatable; replaces the ones before)
    #[arg(short, long, value_name = "NAME:MAJOR", requires = "version")]
    compatible_with: Vec<String>,
    /// Service template versions: whether components may be attached from now on
    #[arg(long, value_name = "BOOL", requires = "version")]
    supports_components: Option<bool>,
    /// Publish the version as well
    #[arg(short, long, requires = "version")]
    publish: bool,
    #[command(flatten)]
    write: Write,
}

/// Flags of `publish`.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    #[command(flatten)]
    one: One,
    /// MAJOR.MINOR
    version: TemplateVersion,
    /// Approve the capabilities that it needs, all of them
    #[arg(long)]
    approve_capabilities: bool,
    #[command(flatten)]
    write: Write,
}

/// Flags of `approve`.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    #[command(flatten)]
    one: One,
    /// MAJOR.MINOR
    version: TemplateVersion,
    /// `CAPABILITY_IAM`, `CAPABILITY_NAMED_IAM` or `CAPABILITY_AUTO_EXPAND` (repeatable); each is approved by itself
    #[arg(long, value_name = "CAPABILITY", required = true)]
    capability: Vec<Capability>,
    /// Take the approval back; what runs stays as it is
    #[arg(long)]
    withdraw: bool,
    #[command(flatten)]
    write: Write,
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this kind
    #[arg(short, long, value_enum, value_name = "KIND")]
    kind: Option<Kind>,
    #[command(flatten)]
    listing: Listing,
}

/// A template by its name.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Name of the template
    pub(super) name: TemplateName,
    /// Needed when an environment and a service template have this name
    #[arg(short, long, value_enum, value_name = "KIND")]
    pub(super) kind: Option<Kind>,
}

/// Flags of `get`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(flatten)]
    one: One,
    /// Show this version, MAJOR.MINOR
    #[arg(long, value_name = "VERSION")]
    version: Option<TemplateVersion>,
}

/// Flags of `versions`.
#[derive(Debug, Args)]
pub(crate) struct Versions {
    #[command(flatten)]
    one: One,
    /// Only of this major version
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    major: Option<u32>,
    #[command(flatten)]
    limit: Limit,
}

/// Flags of `delete`.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    one: One,
    /// Delete this version only, MAJOR.MINOR
    #[arg(long, value_name = "VERSION")]
    version: Option<TemplateVersion>,
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    write: Write,
}

pub(super) async fn run(verb: Verb, cx: &Context) -> Result<()> {
    match verb {
        Verb::Create(args) => Box::pin(create(args, cx)).await,
        Verb::Update(args) => update(args, cx).await,
        Verb::Publish(args) => publish(args, cx).await,
        Verb::Approve(args) => approve(args, cx).await,
        Verb::List(args) => {
            let hub = cx.hub()?;
            let request = wire::WatchTemplatesRequest::default();
            let watch = async move || hub.templates().watch_templates(request).await;
            Box::pin(cx.listed(
                &args.listing,
                "There are no templates. Register one: hadron template create --help",
                async |limit| list(cx, args.kind, limit).await,
                |tell| follow::changes(hub, "cannot watch templates", watch, tell).boxed_local(),
            ))
            .await
        }
        Verb::Get(args) => get(args, cx).await,
        Verb::Versions(args) => versions(args, cx).await,
        Verb::Delete(args) => delete(args, cx).await,
        Verb::Lint(args) => offline::lint(&args, cx),
        Verb::Render(args) => offline::render(&args, cx),
        Verb::Keygen(args) => signing::keygen(&args),
        Verb::Sign(args) => signing::sign(&args, cx),
    }
}

async fn create(args: Create, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let name = args.name.to_string();
    let known = named(cx, &name, args.kind).await?;
    let said = args.kind.or_else(|| known.as_ref().and_then(kind_of));
    let (archive, source, looks_like) = match args.bundle {
        Place::Here(path) => {
            let (bundle, looks_like) = offline::check(&path, said)?;
            (bundle.to_archive(), None, Some(looks_like))
        }
        Place::S3(object) => (Vec::new(), Some(object), None),
    };
    let seen = looks_like.map(|looks_like| match looks_like {
        BundleKind::Environment | BundleKind::EnvironmentCustomerManaged => Kind::Environment,
        BundleKind::Service { .. } => Kind::Service,
    });
    let Some(kind) = said.or(seen) else {
        return Err(Failure::usage(format!(
            "template '{name}' is new, and what it is for is not said"
        ))
        .why("a bundle in S3 is not looked at here; add --kind environment or --kind service"));
    };
    if kind == Kind::Service && args.compatible_with.is_empty() {
        return Err(Failure::usage("a service template needs to know where it runs")
            .why("give --compatible-with NAME:MAJOR at least once")
            .next("hadron template list --kind environment"));
    }
    if kind == Kind::Environment && (!args.compatible_with.is_empty() || args.no_pipeline) {
        return Err(Failure::usage(
            "--compatible-with and --no-pipeline are for service templates",
        ));
    }
    if kind == Kind::Environment && args.supports_components {
        return Err(Failure::usage("--supports-components is for service templates"));
    }
    if kind == Kind::Service && args.customer_managed {
        return Err(Failure::usage(
            "--customer-managed is for environment templates; services without a pipeline: --no-pipeline",
        ));
    }
    let request_id = cx.request_id(&args.write);
    if known.is_none() {
        let request = wire::CreateTemplateRequest {
            // One id per write: the hub refuses an id that comes with another request.
            request_id: format!("{request_id}-template"),
            kind: kind.wire().into(),
            name: name.clone(),
            display_name: args.display_name.unwrap_or_default(),
            description: args.description.clone().unwrap_or_default(),
            no_pipeline: args.no_pipeline
                || matches!(looks_like, Some(BundleKind::Service { pipeline: false })),
            customer_managed: args.customer_managed
                || matches!(looks_like, Some(BundleKind::EnvironmentCustomerManaged)),
            encryption_key: args.encryption_key.unwrap_or_default(),
        };
        let what = format!("cannot create {} template '{name}'", kind.word());
        hub.call(&what, request, async |q| hub.templates().create_template(q).await)
            .await?;
        say(format!("Created {} template {name}.", kind.word()));
    }
    let request = wire::CreateTemplateVersionRequest {
        request_id: request_id.clone(),
        kind: kind.wire().into(),
        template_name: name.clone(),
        major_version: args.major.unwrap_or(0),
        bundle: archive,
        source,
        description: args.description.unwrap_or_default(),
        compatible_environment_templates: args.compatible_with,
        supported_component_sources: component_sources(args.supports_components),
    };
    let what = format!("cannot register the bundle as a version of '{name}'");
    let version = hub
        .call(&what, request, async |q| {
            hub.templates().create_template_version(q).await
        })
        .await;
    let version = match version {
        Ok(version) => version,
        // A request id of the caller's own is for trying again, which goes on from there.
        Err(failure) if known.is_none() && args.write.request_id.is_none() => {
            return Err(without_template(cx, kind, &name, failure).await);
        }
        Err(failure) => return Err(failure),
    };
    // A bundle that was sent along is checked by now. One in S3 takes as long as it takes.
    let longest = cx.waits(&args.wait);
    if version.source.is_some() && longest.is_none() && !args.publish {
        cx.brief(&version)?;
        say(format!(
            "Next: hadron template get {name} --version {}",
            version.version
        ));
        return Ok(());
    }
    let version = registered(cx, kind, version, longest.unwrap_or(args.wait.timeout)).await?;
    warn(&version.warnings);
    if !args.publish {
        cx.brief(&version)?;
        say(format!(
            "Next: hadron template publish {name} {}",
            version.version
        ));
        return Ok(());
    }
    let id = format!("{request_id}-publish");
    let published = publish_version(cx, kind, &name, &version.version, false, id).await?;
    warn_of_unapproved(&published);
    cx.brief(&published)
}

/// The hub refused the first version of a template that was made for it: the template goes again. Where nobody knows what
/// became of the version it stays; the hub deletes no template that has one.
async fn without_template(cx: &Context, kind: Kind, name: &str, failure: Failure) -> Failure {
    if matches!(failure.exit, Exit::Unreachable | Exit::TimedOut) {
        return failure;
    }
    let request = wire::DeleteTemplateRequest {
        request_id: crate::clock::request_id(),
        kind: kind.wire().into(),
        name: name.to_owned(),
    };
    let Ok(hub) = cx.hub() else { return failure };
    let what = format!("cannot remove template '{name}', which has no version");
    match hub
        .call(&what, request, async |q| hub.templates().delete_template(q).await)
        .await
    {
        Ok(_) => say(format!("Removed {} template {name} again.", kind.word())),
        Err(left) => say(format!("{left}")),
    }
    failure
}

/// Waits until the hub has looked at the bundle.
async fn registered(
    cx: &Context,
    kind: Kind,
    mut version: wire::TemplateVersion,
    longest: Duration,
) -> Result<wire::TemplateVersion> {
    let (name, number) = (version.template_name.clone(), version.version.clone());
    let fetched = version.source.is_some();
    let look = async {
        while version.status == "REGISTRATION_IN_PROGRESS" {
            tokio::time::sleep(Duration::from_millis(500)).await;
            version = get_version(cx, kind, &name, &number).await?;
        }
        if version.status != "REGISTRATION_FAILED" {
            return Ok(version);
        }
        let what = format!("the hub cannot use the bundle as {name} {number}");
        Err(Failure::new(Exit::Failure, what)
            .why(version.status_message)
            .next(format!("hadron template delete {name} --version {number}")))
    };
    let next = cx.again(&format!("template get {name} --version {number}"));
    let looked = super::follow::until(cx, look, longest).await;
    looked.map_err(|failure| match failure.exit {
        Exit::TimedOut => {
            let why = if fetched {
                "perhaps no agent of the management account is connected that could fetch it: hadron agent list"
            } else {
                "the hub has much to do"
            };
            Failure::new(Exit::TimedOut, "the bundle is not registered yet")
                .why(why)
                .next(next.clone())
        }
        Exit::Interrupted => Failure {
            what: format!("{}; the hub goes on looking at the bundle", failure.what),
            ..failure
        }
        .next(next.clone()),
        _ => failure,
    })
}

fn component_sources(supported: bool) -> Vec<String> {
    if supported {
        vec!["DIRECTLY_DEFINED".to_owned()]
    } else {
        Vec::new()
    }
}

async fn update(args: Update, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let (kind, template) = found(cx, &args.one).await?;
    let (name, request_id) = (template.name, cx.request_id(&args.write));
    let Some(version) = args.version else {
        if args.display_name.is_none() && args.description.is_none() {
            return Err(Failure::usage("nothing is to be changed")
                .why("give --display-name or --description, or --version to change a version"));
        }
        let request = wire::UpdateTemplateRequest {
            request_id,
            kind: kind.wire().into(),
            name: name.clone(),
            display_name: args.display_name,
            description: args.description,
        };
        let what = format!("cannot update {} template '{name}'", kind.word());
        let template = hub
            .call(&what, request, async |q| hub.templates().update_template(q).await)
            .await?;
        return cx.brief(&template);
    };
    let compatible = (!args.compatible_with.is_empty()).then_some(wire::CompatibleEnvironmentTemplates {
        names: args.compatible_with,
    });
    if args.description.is_none()
        && compatible.is_none()
        && args.supports_components.is_none()
        && !args.publish
    {
        return Err(Failure::usage("nothing is to be changed")
            .why("give --description, --compatible-with, --supports-components or --publish"));
    }
    let request = wire::UpdateTemplateVersionRequest {
        request_id,
        kind: kind.wire().into(),
        template_name: name.clone(),
        version: version.to_string(),
        description: args.description,
        status: if args.publish { "PUBLISHED" } else { "" }.to_owned(),
        compatible_environment_templates: compatible,
        supported_component_sources: args.supports_components.map(|supported| wire::ComponentSources {
            sources: component_sources(supported),
        }),
    };
    let what = format!("cannot update {name} {version}");
    let version = hub
        .call(&what, request, async |q| {
            hub.templates().update_template_version(q).await
        })
        .await?;
    cx.brief(&version)
}

async fn publish(args: Publish, cx: &Context) -> Result<()> {
    let (kind, template) = found(cx, &args.one).await?;
    let id = cx.request_id(&args.write);
    let (version, approve) = (args.version.to_string(), args.approve_capabilities);
    let published = publish_version(cx, kind, &template.name, &version, approve, id).await?;
    warn_of_unapproved(&published);
    cx.brief(&published)
}

/// Says what deployments of a version are going to be refused for.
fn warn_of_unapproved(version: &wire::TemplateVersion) {
    let approved = &version.approved_capabilities;
    let missing: Vec<&str> = version
        .needed_capabilities
        .iter()
        .filter(|needed| !approved.contains(needed))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        let flags: Vec<String> = missing.iter().map(|one| format!("--capability {one}")).collect();
        warn(&[format!(
            "its stacks can need {}, which is not approved: deployments that do are refused. hadron template approve {} {} {}",
            missing.join(", "),
            version.template_name,
            version.version,
            flags.join(" ")
        )]);
    }
}

async fn approve(args: Approve, cx: &Context) -> Result<()> {
    let (kind, template) = found(cx, &args.one).await?;
    let hub = cx.hub()?;
    let (name, version) = (template.name, args.version.to_string());
    let what = format!("cannot approve capabilities of {name} {version}");
    let request = wire::ApproveTemplateVersionRequest {
        request_id: cx.request_id(&args.write),
        kind: kind.wire().into(),
        template_name: name,
        version,
        capabilities: args
            .capability
            .iter()
            .map(|one| one.as_str().to_owned())
            .collect(),
        withdraw: args.withdraw,
    };
    let version = hub
        .call(&what, request, async |q| {
            hub.templates().approve_template_version(q).await
        })
        .await?;
    warn_of_unapproved(&version);
    cx.brief(&version)
}

async fn publish_version(
    cx: &Context,
    kind: Kind,
    name: &str,
    version: &str,
    approve: bool,
    request_id: String,
) -> Result<wire::TemplateVersion> {
    let hub = cx.hub()?;
    let request = wire::PublishTemplateVersionRequest {
        request_id,
        kind: kind.wire().into(),
        template_name: name.to_owned(),
        version: version.to_owned(),
        approve_capabilities: approve,
    };
    let what = format!("cannot publish {name} {version}");
    hub.call(&what, request, async |q| {
        hub.templates().publish_template_version(q).await
    })
    .await
}

async fn get(args: Get, cx: &Context) -> Result<()> {
    let (kind, template) = found(cx, &args.one).await?;
    match args.version {
        Some(version) => cx.print(&get_version(cx, kind, &template.name, &version.to_string()).await?),
        None => cx.print(&template),
    }
}

pub(super) async fn get_version(
    cx: &Context,
    kind: Kind,
    name: &str,
    version: &str,
) -> Result<wire::TemplateVersion> {
    let hub = cx.hub()?;
    let request = wire::GetTemplateVersionRequest {
        kind: kind.wire().into(),
        template_name: name.to_owned(),
        version: version.to_owned(),
    };
    let what = format!("cannot get {name} {version}");
    let answer = hub
        .call(&what, request, async |q| {
            hub.templates().get_template_version(q).await
        })
        .await;
    answer.map_err(|failure| match failure.exit {
        Exit::NotFound => failure.next(format!("hadron template versions {name}")),
        _ => failure,
    })
}

async fn versions(args: Versions, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let (kind, template) = found(cx, &args.one).await?;
    let all = hub
        .pages(
            &format!("cannot list versions of '{}'", template.name),
            args.limit.limit,
            |page_size, page_token| wire::ListTemplateVersionsRequest {
                page_size,
                page_token,
                kind: kind.wire().into(),
                template_name: template.name.clone(),
                major_version: args.major.unwrap_or(0),
            },
            async |q| hub.templates().list_template_versions(q).await,
            |page: wire::ListTemplateVersionsResponse| (page.versions, page.next_page_token),
        )
        .await?;
    cx.list(
        &all,
        &format!(
            "{} has no versions. Register one: hadron template create {} BUNDLE",
            template.name, template.name
        ),
    )
}

async fn delete(args: Delete, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let (kind, template) = found(cx, &args.one).await?;
    let (name, word) = (template.name, kind.word());
    let request_id = cx.request_id(&args.write);
    match args.version.map(|version| version.to_string()) {
        Some(version) => {
            let (thing, command) = (
                format!("{name} {version}"),
                format!("hadron template delete {name} --version {version}"),
            );
            cx.confirm(
                &args.confirm,
                &format!("version {version} of {word} template {name}"),
                &thing,
                &command,
            )?;
            let request = wire::DeleteTemplateVersionRequest {
                request_id,
                kind: kind.wire().into(),
                template_name: name.clone(),
                version,
            };
            let what = format!("cannot delete {thing}");
            cx.brief(
                &hub.call(&what, request, async |q| {
                    hub.templates().delete_template_version(q).await
                })
                .await?,
            )?;
            say(format!("Deleted {thing}."));
        }
        None => {
            cx.confirm(
                &args.confirm,
                &format!("{word} template {name}"),
                &name,
                &format!("hadron template delete {name}"),
            )?;
            let request = wire::DeleteTemplateRequest {
                request_id,
                kind: kind.wire().into(),
                name: name.clone(),
            };
            let what = format!("cannot delete {word} template '{name}'");
            cx.brief(
                &hub.call(&what, request, async |q| hub.templates().delete_template(q).await)
                    .await?,
            )?;
            say(format!("Deleted {word} template {name}."));
        }
    }
    Ok(())
}

fn kind_of(template: &wire::Template) -> Option<Kind> {
    Kind::of(template.kind())
}

/// The template of this name, if there is one; that there are two is the caller's to decide.
async fn named(cx: &Context, name: &str, kind: Option<Kind>) -> Result<Option<wire::Template>> {
    let all = list(cx, kind, None).await?;
    one_of(name, &all)
}

fn one_of(name: &str, all: &[wire::Template]) -> Result<Option<wire::Template>> {
    let mut same = all.iter().filter(|template| template.name == name);
    match (same.next(), same.next()) {
        (Some(_), Some(_)) => Err(Failure::usage(format!(
            "an environment and a service template are named '{name}'"
        ))
        .why("add --kind environment or --kind service")),
        (one, _) => Ok(one.cloned()),
    }
}

/// The template of this name, or a failure that says which ones there are.
pub(super) async fn found(cx: &Context, one: &One) -> Result<(Kind, wire::Template)> {
    let all = list(cx, one.kind, None).await?;
    let name = one.name.as_str();
    let Some(template) = one_of(name, &all)? else {
        let word = one
            .kind
            .map(|kind| format!("{} ", kind.word()))
            .unwrap_or_default();
        let failure = Failure::new(Exit::NotFound, format!("no {word}template is named '{name}'"));
        let known: Vec<String> = all.into_iter().map(|template| template.name).collect();
        return Err(did_you_mean(failure, "template", name, &known));
    };
    let kind = kind_of(&template).or(one.kind);
    let kind = kind.ok_or_else(|| {
        Failure::new(
            Exit::Failure,
            format!("the hub does not say what template '{name}' is for"),
        )
    })?;
    Ok((kind, template))
}

async fn list(cx: &Context, kind: Option<Kind>, limit: Option<usize>) -> Result<Vec<wire::Template>> {
    let hub = cx.hub()?;
    let kind = kind.map_or(wire::TemplateKind::Unspecified, Kind::wire);
    hub.pages(
        "cannot list templates",
        limit,
        |page_size, page_token| wire::ListTemplatesRequest {
            page_size,
            page_token,
            kind: kind.into(),
        },
        async |q| hub.templates().list_templates(q).await,
        |page: wire::ListTemplatesResponse| (page.templates, page.next_page_token),
    )
    .await
}

/// Whether a form of output is for scripts.
fn scripted(format: Format) -> bool {
    format.is_object()
}
