//! Names that a shell offers: `hadron service get <TAB>` asks the hub, and remembers the answer for half a minute.
//!
//! Completion runs while somebody types. So it never asks anything of them, says nothing on stderr, and gives up soon;
//! a shell without names to offer is better than one that hangs.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, Command, CommandFactory as _, FromArgMatches as _};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use hadron_proto::vocab::Timestamp;
use hadron_proto::wire;
use serde::{Deserialize, Serialize};
use tonic::{Request, Status};

use super::Context;
use crate::args::Cli;
use crate::client::{Hub, PAGE};
use crate::login;
use crate::output::{Format, Out};
use crate::settings::{Home, Settings, TokenFrom, aws_identity};

/// How long the hub may take, login included.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long an answer is offered again without asking.
const KEPT: Duration = Duration::from_secs(30);

/// What has names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Components,
    Connections,
    Deployments,
    Environments,
    Instances,
    Repositories,
    Services,
    Templates,
}

/// The command line with what completes each of its names.
pub(crate) fn with_names(root: Command) -> Command {
    root.mut_subcommands(|noun| {
        let of = noun.get_name().to_owned();
        noun.mut_subcommands(|verb| {
            let does = verb.get_name().to_owned();
            verb.mut_args(|arg| match names(&of, &does, &arg) {
                Some(names) => arg.add(ArgValueCandidates::new(move || offered(names))),
                None => arg,
            })
        })
    })
}

/// What an argument names, when it names something that is there already.
fn names(noun: &str, verb: &str, arg: &Arg) -> Option<Names> {
    // What `open` opens is named as its noun names it.
    let noun = if noun == "open" { verb } else { noun };
    let new = ["create", "link", "request"].contains(&verb);
    match (arg.get_id().as_str(), noun) {
        ("environment", _) => Some(Names::Environments),
        ("service", _) => Some(Names::Services),
        ("template", _) => Some(Names::Templates),
        ("component", _) => Some(Names::Components),
        (_, _) if new || !arg.is_positional() => None,
        ("name", "environment") => Some(Names::Environments),
        ("name", "service") => Some(Names::Services),
        ("name", "instance") => Some(Names::Instances),
        ("name", "template") => Some(Names::Templates),
        ("name", "component") => Some(Names::Components),
        ("name", "repository") => Some(Names::Repositories),
        ("id", "connection") => Some(Names::Connections),
        ("id", "deployment") => Some(Names::Deployments),
        _ => None,
    }
}

/// A name and what helps to tell it from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Name {
    name: String,
    help: String,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    at: Timestamp,
    names: Vec<Name>,
}

fn offered(names: Names) -> Vec<CompletionCandidate> {
    let found = look(names).unwrap_or_default();
    let candidate = |name: Name| {
        CompletionCandidate::new(name.name).help((!name.help.is_empty()).then(|| name.help.into()))
    };
    found.into_iter().map(candidate).collect()
}

/// What is there; nothing when it cannot be found out soon.
fn look(names: Names) -> Option<Vec<Name>> {
    // What stands on the line before the name is not known here: variables and the profile say which hub.
    let matches = Cli::command().try_get_matches_from(["hadron", "whoami"]).ok()?;
    let cli = Cli::from_arg_matches(&matches).ok()?;
    let settings = Settings::read(&cli.global, &matches, &Home::from_env()).ok()?;
    let now = crate::clock::now();
    let file = file(&settings, names);
    if let Some(kept) = file.as_deref().and_then(login::read::<Kept>)
        && now >= kept.at
        && now.since(kept.at) < KEPT
    {
        return Some(kept.names);
    }
    hadron_proto::tls::install_provider();
    let cx = Context::new(settings, Out::stdout(Format::Name, false, now), false);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let asked = runtime.block_on(async {
        let hub = cx.hub().ok()?;
        tokio::time::timeout(
            PATIENCE,
            Box::pin(async {
                hub.sign_in().await.ok()?;
                ask(hub, names).await.ok()
            }),
        )
        .await
        .ok()?
    });
    runtime.shutdown_background();
    let found = asked?;
    if let Some(file) = file {
        let kept = Kept {
            at: now,
            names: found.clone(),
        };
        // Not kept is asked again.
        let _ = login::write(&file, &kept);
    }
    Some(found)
}

/// Each hub and each caller has answers of its own: what one may see is not offered to another.
fn file(settings: &Settings, names: Names) -> Option<PathBuf> {
    let hub = settings.hub_uri().ok()?.to_string();
    let identity = match settings.token.as_ref().map(|token| &token.value) {
        Some(TokenFrom::Text(_)) => return None,
        Some(TokenFrom::File(path)) => format!("token\n{}", path.display()),
        None => aws_identity(
            settings
                .aws_profile
                .as_ref()
                .map(|profile| profile.value.as_str()),
        ),
    };
    let name = login::named(&hub, &format!("{identity}\n{names:?}"));
    Some(settings.cache.as_ref()?.join("names").join(name))
}

/// Nothing is offered any more that was kept: somebody else may be logged in next.
pub(super) fn forget(settings: &Settings) {
    if let Some(cache) = &settings.cache {
        // What cannot be removed is not offered for longer than half a minute anyway.
        let _ = std::fs::remove_dir_all(cache.join("names"));
    }
}

/// The first page of them: who has more types a letter more, and the shell filters what is there.
async fn ask(hub: &Hub, names: Names) -> Result<Vec<Name>, Status> {
    let page_size = PAGE;
    let page_token = String::new();
    let name = |name: String, help: String| Name { name, help };
    Ok(match names {
        Names::Components => {
            let request = wire::ListComponentsRequest {
                page_size,
                ..wire::ListComponentsRequest::default()
            };
            let answer = hub.components().list_components(Request::new(request)).await?;
            let all = answer.into_inner().components.into_iter();
            all.map(|one| name(one.name, one.environment_name)).collect()
        }
        Names::Connections => {
            let request = wire::ListConnectionsRequest {
                page_size,
                ..wire::ListConnectionsRequest::default()
            };
            let answer = hub.connections().list_connections(Request::new(request)).await?;
            let all = answer.into_inner().connections.into_iter();
            all.map(|one| {
                let help = format!(
                    "{} {} {}",
                    one.environment_name, one.environment_account_id, one.status
                );
                name(one.id, help)
            })
            .collect()
        }
        Names::Deployments => {
            let request = wire::ListDeploymentsRequest {
                page_size: 20,
                ..wire::ListDeploymentsRequest::default()
            };
            let answer = hub.deployments().list_deployments(Request::new(request)).await?;
            let all = answer.into_inner().deployments.into_iter();
            all.map(|one| {
                name(
                    one.id,
                    format!("{} {} {}", one.target_kind, one.target, one.status),
                )
            })
            .collect()
        }
        Names::Environments => {
            let request = wire::ListEnvironmentsRequest {
                page_size,
                page_token,
                template_name: String::new(),
            };
            let answer = hub
                .environments()
                .list_environments(Request::new(request))
                .await?;
            let all = answer.into_inner().environments.into_iter();
            all.map(|one| name(one.name, one.template_name)).collect()
        }
        Names::Instances => {
            let request = wire::ListInstancesRequest {
                page_size,
                ..wire::ListInstancesRequest::default()
            };
            let answer = hub.instances().list_instances(Request::new(request)).await?;
            let all = answer.into_inner().instances.into_iter();
            all.map(|one| name(format!("{}/{}", one.service_name, one.name), one.environment_name))
                .collect()
        }
        Names::Repositories => {
            let request = wire::ListRepositoriesRequest {
                page_size,
                page_token,
            };
            let answer = hub
                .repositories()
                .list_repositories(Request::new(request))
                .await?;
            let all = answer.into_inner().repositories.into_iter();
            all.map(|one| name(one.name, one.provider)).collect()
        }
        Names::Services => {
            let request = wire::ListServicesRequest {
                page_size,
                page_token,
            };
            let answer = hub.services().list_services(Request::new(request)).await?;
            let all = answer.into_inner().services.into_iter();
            all.map(|one| name(one.name, one.template_name)).collect()
        }
        Names::Templates => {
            let request = wire::ListTemplatesRequest {
                page_size,
                page_token,
                kind: wire::TemplateKind::Unspecified.into(),
            };
            let answer = hub.templates().list_templates(Request::new(request)).await?;
            let all = answer.into_inner().templates.into_iter();
            all.map(|one| name(one.name, one.display_name)).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `hadron NOUN VERB` completes, by argument.
    fn completed(noun: &str, verb: &str) -> Vec<(String, Names)> {
        let root = Cli::command();
        let noun_of = root.find_subcommand(noun).expect("the noun");
        let verb_of = noun_of.find_subcommand(verb).expect("the verb");
        let found = |arg: &Arg| Some((arg.get_id().to_string(), names(noun, verb, arg)?));
        verb_of.get_arguments().filter_map(found).collect()
    }

    #[test]
    fn what_is_there_is_offered_and_new_names_are_not() {
        let is = |noun, verb, arg: &str, names| {
            assert!(
                completed(noun, verb).contains(&(arg.to_owned(), names)),
                "{noun} {verb}: {:?}",
                completed(noun, verb)
            );
        };
        is("environment", "get", "name", Names::Environments);
        is("environment", "delete", "name", Names::Environments);
        is("environment", "create", "template", Names::Templates);
        is("service", "update", "name", Names::Services);
        is("connection", "accept", "id", Names::Connections);
        is("deployment", "watch", "id", Names::Deployments);
        is("instance", "list", "environment", Names::Environments);
        is("pipeline", "get", "service", Names::Services);
        is("open", "environment", "name", Names::Environments);
        is("open", "instance", "name", Names::Instances);
        is("open", "deployment", "id", Names::Deployments);
        is("service", "watch", "name", Names::Services);
        for (noun, verb) in [
            ("environment", "create"),
            ("service", "create"),
            ("template", "create"),
        ] {
            let all = completed(noun, verb);
            assert!(
                !all.iter().any(|(arg, _)| arg == "name"),
                "{noun} {verb}: {all:?}"
            );
        }
    }

    #[test]
    fn every_noun_with_a_get_completes_what_it_gets() {
        let root = Cli::command();
        let mut missing = Vec::new();
        for noun in root.get_subcommands() {
            let first = noun
                .find_subcommand("get")
                .and_then(|get| get.get_positionals().next());
            let gets = first.is_some_and(|arg| names(noun.get_name(), "get", arg).is_none());
            // Syncs are named by their template or service, by flags.
            if gets && noun.get_name() != "sync" {
                missing.push(noun.get_name().to_owned());
            }
        }
        assert!(
            missing.is_empty(),
            "nothing completes what these get: {missing:?}"
        );
    }

    #[test]
    fn without_a_hub_nothing_is_offered_and_nothing_fails() {
        let mut command = with_names(Cli::command());
        command.build();
        command.debug_assert();
    }
}
