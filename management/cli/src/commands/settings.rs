//! `hadron settings`: what pipelines are provisioned with.

use clap::{Args, Subcommand};
use hadron_proto::vocab::{RoleArn, Timestamp};
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use super::Context;
use crate::args::Write;
use crate::error::{Failure, Result};
use crate::output::{Card, Show, map, text};

/// What can be done with the settings of the account.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show what pipelines are provisioned with
    #[command(after_help = "Examples:
  hadron settings get
  hadron settings get -o json

What was set with `hadron settings set` wins over the hub's configuration.")]
    Get,
    /// Change what pipelines are provisioned with
    ///
    /// What is not named stays. An empty role takes it away; then no service with a pipeline can be created.
    #[command(after_help = "Examples:
  hadron settings set --pipeline-role arn:aws:iam::111111111111:role/proton-pipelines
  hadron settings set --pipeline-role ''
  hadron settings set --pipeline-repository acme/pipelines --provider GITHUB --branch main

Next: hadron service create NAME --template TEMPLATE --spec FILE")]
    Set(Set),
}

/// Flags of `set`.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Role of the management account that pipelines are provisioned with
    #[arg(long, value_name = "ARN", value_parser = role)]
    pipeline_role: Option<String>,
    /// Role of the management account for pipelines provisioned by CodeBuild
    #[arg(long, value_name = "ARN", value_parser = role)]
    pipeline_codebuild_role: Option<String>,
    /// Linked repository that pull requests for pipelines go to
    #[arg(long, value_name = "OWNER/NAME", requires_all = ["provider", "branch"])]
    pipeline_repository: Option<String>,
    /// Where that repository is
    #[arg(long, value_parser = ["GITHUB", "GITHUB_ENTERPRISE", "BITBUCKET"], ignore_case = true)]
    provider: Option<String>,
    /// Branch of that repository
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Take the repository away
    #[arg(long, conflicts_with = "pipeline_repository")]
    remove_pipeline_repository: bool,
    #[command(flatten)]
    write: Write,
}

/// A role's ARN, or nothing.
fn role(text: &str) -> std::result::Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let role: RoleArn = text
        .parse()
        .map_err(|error: hadron_proto::vocab::InvalidAws| error.to_string())?;
    Ok(role.to_string())
}

pub(super) async fn run(verb: Verb, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    match verb {
        Verb::Get => {
            let request = wire::GetSettingsRequest {};
            let found = hub
                .call("cannot get the settings", request, async |q| {
                    hub.settings().get_settings(q).await
                })
                .await?;
            cx.print(&found)
        }
        Verb::Set(args) => {
            let request = asked(args, cx)?;
            let made = hub
                .call("cannot change the settings", request, async |q| {
                    hub.settings().update_settings(q).await
                })
                .await?;
            cx.brief(&made)
        }
    }
}

fn asked(args: Set, cx: &Context) -> Result<wire::UpdateSettingsRequest> {
    let nothing = args.pipeline_role.is_none()
        && args.pipeline_codebuild_role.is_none()
        && args.pipeline_repository.is_none()
        && !args.remove_pipeline_repository;
    if nothing {
        return Err(Failure::usage("nothing to set was given").why(
            "give --pipeline-role, --pipeline-codebuild-role, --pipeline-repository or --remove-pipeline-repository",
        ));
    }
    let (provider, branch) = (
        args.provider.unwrap_or_default().to_uppercase(),
        args.branch.unwrap_or_default(),
    );
    Ok(wire::UpdateSettingsRequest {
        request_id: cx.request_id(&args.write),
        pipeline_role_arn: args.pipeline_role,
        pipeline_codebuild_role_arn: args.pipeline_codebuild_role,
        pipeline_repository: args.pipeline_repository.map(|name| wire::RepositoryBranch {
            provider,
            name,
            branch,
        }),
        remove_pipeline_repository: args.remove_pipeline_repository,
    })
}

fn repository(settings: &wire::AccountSettings) -> String {
    settings
        .pipeline_repository
        .as_ref()
        .map_or_else(String::new, |its| {
            format!("{} ({}), branch {}", its.name, its.provider, its.branch)
        })
}

impl Show for wire::AccountSettings {
    const KIND: &'static str = "AccountSettings";
    const HEAD: &'static [&'static str] = &["PIPELINE ROLE", "CODEBUILD ROLE", "PIPELINE REPOSITORY"];
    const WIDE: &'static [&'static str] = &[];

    fn name(&self) -> String {
        "settings".to_owned()
    }

    fn row(&self, _: Timestamp) -> Vec<String> {
        vec![
            self.pipeline_role_arn.clone(),
            self.pipeline_codebuild_role_arn.clone(),
            repository(self),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        let repository = self
            .pipeline_repository
            .as_ref()
            .map(|its| json!({ "provider": its.provider, "name": its.name, "branch": its.branch }));
        map(json!({
            "pipelineRoleArn": text(&self.pipeline_role_arn),
            "pipelineCodebuildRoleArn": text(&self.pipeline_codebuild_role_arn),
            "pipelineRepository": repository,
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title("Account settings");
        card.fact("pipeline role", &self.pipeline_role_arn);
        card.fact("codebuild role", &self.pipeline_codebuild_role_arn);
        card.fact("pipeline repository", repository(self));
    }
}
