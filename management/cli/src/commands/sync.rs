//! `hadron sync`: which branch of a linked repository templates and services follow.

use clap::{Args, Subcommand, ValueEnum};
use hadron_proto::vocab::{InstanceName, ServiceName, TemplateName, Timestamp};
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use super::repositories::Provider;
use super::{Context, at};
use crate::args::Write;
use crate::error::{Failure, Result};
use crate::output::{Card, Show, age, map, say, text, time};

/// What can be done with what templates and services follow.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Let a template or a service follow a branch of a linked repository
    ///
    /// The hub keeps what is to be followed; this version opens no repositories, so that nothing is synced by it.
    #[command(after_help = "Examples:
  hadron sync start --template vpc --kind environment --repository acme/templates --branch main --path infra
  hadron sync start --service web --repository acme/web --branch main --path proton-ops.yaml

First link the repository: hadron repository link --help")]
    Start(Set),
    /// Follow another repository, branch or path
    #[command(after_help = "Examples:
  hadron sync change --service web --repository acme/web --branch release --path proton-ops.yaml")]
    Change(Set),
    /// Show what a template or a service follows
    #[command(after_help = "Examples:
  hadron sync get --template vpc --kind environment
  hadron sync get --service web -o json")]
    Get(Who),
    /// Follow nothing any more; versions and instances stay
    #[command(after_help = "Examples:
  hadron sync stop --service web")]
    Stop(Stop),
    /// What keeps a service, or an instance of it, from being synced
    #[command(after_help = "Examples:
  hadron sync blockers --service web
  hadron sync blockers --service web --instance blue

Changing an instance by hand blocks that instance; deleting one blocks the whole service.
Next: hadron sync resolve ID --reason TEXT")]
    Blockers(Blockers),
    /// Take a blocker away, so that syncs go on
    #[command(after_help = "Examples:
  hadron sync resolve blk_0190a5d0111172228333444455556666 --reason 'the repository has the change now'")]
    Resolve(Resolve),
}

/// Environment or service templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Environment templates
    Environment,
    /// Service templates
    Service,
}

/// Who follows.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Who {
    /// A template; needs --kind
    #[arg(
        short,
        long,
        value_name = "NAME",
        requires = "kind",
        conflicts_with = "service"
    )]
    template: Option<TemplateName>,
    /// Which templates the name is one of
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// A service
    #[arg(short, long, value_name = "NAME", required_unless_present = "template")]
    service: Option<ServiceName>,
}

/// Flags of `start` and `change`.
#[derive(Debug, Args)]
pub(crate) struct Set {
    #[command(flatten)]
    who: Who,
    /// The linked repository
    #[arg(short, long, value_name = "OWNER/NAME")]
    repository: String,
    /// Who hosts it
    #[arg(long, value_enum, default_value_t)]
    provider: Provider,
    /// The branch
    #[arg(short, long, value_name = "NAME")]
    branch: String,
    /// For a template the directory in which its bundles are looked for; for a service the file that names its instances
    #[arg(short, long, value_name = "PATH")]
    path: Option<String>,
    #[command(flatten)]
    write: Write,
}

/// Flags of `stop`.
#[derive(Debug, Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    write: Write,
}

/// Flags of `blockers`.
#[derive(Debug, Args)]
pub(crate) struct Blockers {
    /// The service
    #[arg(short, long, value_name = "NAME")]
    service: ServiceName,
    /// Of this instance [default: of the service as a whole]
    #[arg(short, long, value_name = "NAME")]
    instance: Option<InstanceName>,
}

/// Flags of `resolve`.
#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// The blocker
    id: String,
    /// Why syncs may go on
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    write: Write,
}

impl Who {
    fn label(&self) -> String {
        match (&self.template, &self.service) {
            (Some(name), _) => format!("template '{name}'"),
            (None, Some(name)) => format!("service '{name}'"),
            (None, None) => "nobody".to_owned(),
        }
    }

    fn follower(self) -> Result<wire::Follower> {
        use wire::follower::Follower;
        let follower = match (self.template, self.kind, self.service) {
            (Some(name), Some(kind), _) => Follower::Template(wire::FollowingTemplate {
                kind: match kind {
                    Kind::Environment => wire::TemplateKind::Environment,
                    Kind::Service => wire::TemplateKind::Service,
                }
                .into(),
                name: name.into(),
            }),
            (_, _, Some(name)) => Follower::Service(name.into()),
            _ => {
                return Err(Failure::usage(
                    "neither --template with --kind nor --service was given",
                ));
            }
        };
        Ok(wire::Follower {
            follower: Some(follower),
        })
    }
}

impl Set {
    fn sync(self) -> Result<wire::Sync> {
        Ok(wire::Sync {
            follower: Some(self.who.follower()?),
            provider: self.provider.word().to_owned(),
            repository: self.repository,
            branch: self.branch,
            path: self.path.unwrap_or_default(),
            modified_at: None,
        })
    }
}

pub(super) async fn run(verb: Verb, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    match verb {
        Verb::Start(args) => {
            let what = format!("cannot let {} follow '{}'", args.who.label(), args.repository);
            let request = wire::StartSyncRequest {
                request_id: cx.request_id(&args.write),
                sync: Some(args.sync()?),
            };
            let made = hub
                .call(&what, request, async |q| hub.sync().start_sync(q).await)
                .await?;
            say("Kept. This version of the hub opens no repositories: nothing is synced yet.");
            cx.brief(&made)
        }
        Verb::Change(args) => {
            let what = format!("cannot let {} follow '{}'", args.who.label(), args.repository);
            let request = wire::ChangeSyncRequest {
                request_id: cx.request_id(&args.write),
                sync: Some(args.sync()?),
            };
            let made = hub
                .call(&what, request, async |q| hub.sync().change_sync(q).await)
                .await?;
            cx.brief(&made)
        }
        Verb::Get(who) => {
            let what = format!("cannot tell what {} follows", who.label());
            let request = wire::GetSyncRequest {
                follower: Some(who.follower()?),
            };
            let found = hub
                .call(&what, request, async |q| hub.sync().get_sync(q).await)
                .await?;
            cx.print(&found)
        }
        Verb::Stop(args) => {
            let label = args.who.label();
            let what = format!("cannot stop what {label} follows");
            let request = wire::StopSyncRequest {
                request_id: cx.request_id(&args.write),
                follower: Some(args.who.follower()?),
            };
            hub.call(&what, request, async |q| hub.sync().stop_sync(q).await)
                .await?;
            say(format!("{label} follows nothing any more."));
            Ok(())
        }
        Verb::Blockers(args) => {
            let what = format!("cannot list what blocks service '{}'", args.service);
            let request = wire::ListSyncBlockersRequest {
                service_name: args.service.into(),
                instance_name: args.instance.map(String::from).unwrap_or_default(),
            };
            let found = hub
                .call(&what, request, async |q| hub.sync().list_sync_blockers(q).await)
                .await?;
            cx.list(&found.blockers, "Nothing blocks it.")
        }
        Verb::Resolve(args) => {
            let what = format!("cannot resolve blocker '{}'", args.id);
            let request = wire::ResolveSyncBlockerRequest {
                request_id: cx.request_id(&args.write),
                id: args.id,
                reason: args.reason,
            };
            let done = hub
                .call(&what, request, async |q| hub.sync().resolve_sync_blocker(q).await)
                .await?;
            cx.brief(&done)
        }
    }
}

fn follower(sync: &wire::Sync) -> (&'static str, String) {
    use wire::follower::Follower;
    match sync.follower.as_ref().and_then(|each| each.follower.as_ref()) {
        Some(Follower::Template(template)) if template.kind == i32::from(wire::TemplateKind::Environment) => {
            ("environment template", template.name.clone())
        }
        Some(Follower::Template(template)) => ("service template", template.name.clone()),
        Some(Follower::Service(name)) => ("service", name.clone()),
        None => ("", String::new()),
    }
}

impl Show for wire::Sync {
    const KIND: &'static str = "Sync";
    const HEAD: &'static [&'static str] = &["NAME", "KIND", "REPOSITORY", "BRANCH", "PATH"];
    const WIDE: &'static [&'static str] = &["PROVIDER", "CHANGED"];

    fn name(&self) -> String {
        follower(self).1
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let (kind, name) = follower(self);
        vec![
            name,
            kind.to_owned(),
            self.repository.clone(),
            self.branch.clone(),
            self.path.clone(),
            self.provider.clone(),
            age(now, at(self.modified_at.as_ref())),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        let (kind, name) = follower(self);
        map(json!({
            "followerKind": kind,
            "followerName": name,
            "provider": self.provider,
            "repository": self.repository,
            "branch": self.branch,
            "path": text(&self.path),
            "modifiedAt": time(at(self.modified_at.as_ref())),
        }))
    }

    fn card(&self, card: &mut Card) {
        let (kind, name) = follower(self);
        card.title(format!("Sync of {kind} {name}"));
        card.fact("repository", &self.repository);
        card.fact("provider", &self.provider);
        card.fact("branch", &self.branch);
        card.fact("path", &self.path);
        card.time("changed", at(self.modified_at.as_ref()));
        card.fact(
            "last sync",
            "never: this version of the hub opens no repositories",
        );
    }
}

impl Show for wire::SyncBlocker {
    const KIND: &'static str = "SyncBlocker";
    const HEAD: &'static [&'static str] = &["ID", "STATUS", "AGE", "REASON"];
    const WIDE: &'static [&'static str] = &["SERVICE", "INSTANCE", "RESOLVED"];

    fn name(&self) -> String {
        self.id.clone()
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.id.clone(),
            self.status.clone(),
            age(now, at(self.created_at.as_ref())),
            self.reason.clone(),
            self.service_name.clone(),
            self.instance_name.clone(),
            self.resolved_reason.clone(),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        map(json!({
            "id": self.id,
            "serviceName": self.service_name,
            "instanceName": text(&self.instance_name),
            "status": self.status,
            "reason": self.reason,
            "createdAt": time(at(self.created_at.as_ref())),
            "resolvedAt": time(at(self.resolved_at.as_ref())),
            "resolvedReason": text(&self.resolved_reason),
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Sync blocker {}", self.id));
        card.status("status", &self.status);
        card.fact("service", &self.service_name);
        card.fact("instance", &self.instance_name);
        card.fact("reason", &self.reason);
        card.fact("resolved", &self.resolved_reason);
    }
}
