//! `hadron repository`: links to source repositories that templates and services follow.

use clap::{Args, Subcommand, ValueEnum};
use hadron_proto::vocab::Timestamp;
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use super::{Context, at, pairs};
use crate::args::{Confirm, Limit, Write};
use crate::error::Result;
use crate::output::{Card, Show, age, map, say, time};

/// What can be done with source repositories.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Link a repository: say which connection reaches it
    #[command(after_help = "Examples:
  hadron repository link acme/templates --connection arn:aws:codeconnections:us-east-1:111111111111:connection/UUID
  hadron repository link acme/web --provider bitbucket --connection ARN --tag team=shop

The connection is one of AWS CodeConnections. Next: hadron sync start --help")]
    Link(Link),
    /// List linked repositories
    #[command(after_help = "Examples:
  hadron repository list
  hadron repository list -o json")]
    List(List),
    /// Show a linked repository
    #[command(after_help = "Examples:
  hadron repository get acme/templates")]
    Get(One),
    /// Remove a link; the repository itself is not touched
    ///
    /// Refused while a template or a service follows it.
    #[command(after_help = "Examples:
  hadron repository unlink acme/templates
  hadron repository unlink acme/web --provider bitbucket --yes")]
    Unlink(Unlink),
}

/// Who hosts a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Provider {
    /// github.com
    #[default]
    Github,
    /// A GitHub Enterprise server
    GithubEnterprise,
    /// bitbucket.org
    Bitbucket,
}

impl Provider {
    /// As the hub writes it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Github => "GITHUB",
            Self::GithubEnterprise => "GITHUB_ENTERPRISE",
            Self::Bitbucket => "BITBUCKET",
        }
    }
}

/// Flags of `link`.
#[derive(Debug, Args)]
pub(crate) struct Link {
    #[command(flatten)]
    one: One,
    /// The connection of AWS CodeConnections that reaches it
    #[arg(short, long, value_name = "ARN")]
    connection: String,
    /// A tag (repeatable)
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<String>,
    #[command(flatten)]
    write: Write,
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    limit: Limit,
}

/// A repository by its name.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Name of the repository
    #[arg(value_name = "OWNER/NAME")]
    name: String,
    /// Who hosts it
    #[arg(long, value_enum, default_value_t)]
    provider: Provider,
}

/// Flags of `unlink`.
#[derive(Debug, Args)]
pub(crate) struct Unlink {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    write: Write,
}

pub(super) async fn run(verb: Verb, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    match verb {
        Verb::Link(args) => {
            let name = args.one.name;
            let what = format!("cannot link repository '{name}'");
            let tags = pairs(&args.tags)?.into_iter();
            let request = wire::LinkRepositoryRequest {
                request_id: cx.request_id(&args.write),
                provider: args.one.provider.word().to_owned(),
                name,
                connection_arn: args.connection,
                tags: tags.map(|(key, value)| wire::Tag { key, value }).collect(),
            };
            let made = hub
                .call(&what, request, async |q| {
                    hub.repositories().link_repository(q).await
                })
                .await?;
            cx.brief(&made)
        }
        Verb::List(args) => {
            let all = hub
                .pages(
                    "cannot list repositories",
                    args.limit.limit,
                    |page_size, page_token| wire::ListRepositoriesRequest {
                        page_size,
                        page_token,
                    },
                    async |q| hub.repositories().list_repositories(q).await,
                    |page: wire::ListRepositoriesResponse| (page.repositories, page.next_page_token),
                )
                .await?;
            cx.list(
                &all,
                "No repositories are linked. Link one: hadron repository link --help",
            )
        }
        Verb::Get(One { name, provider }) => {
            let what = format!("cannot get repository '{name}'");
            let request = wire::GetRepositoryRequest {
                provider: provider.word().to_owned(),
                name,
            };
            let found = hub
                .call(&what, request, async |q| {
                    hub.repositories().get_repository(q).await
                })
                .await?;
            cx.print(&found)
        }
        Verb::Unlink(args) => {
            let name = args.one.name;
            let command = format!("hadron repository unlink {name}");
            cx.confirm(&args.confirm, &format!("the link to '{name}'"), &name, &command)?;
            let what = format!("cannot unlink repository '{name}'");
            let request = wire::UnlinkRepositoryRequest {
                request_id: cx.request_id(&args.write),
                provider: args.one.provider.word().to_owned(),
                name: name.clone(),
            };
            hub.call(&what, request, async |q| {
                hub.repositories().unlink_repository(q).await
            })
            .await?;
            say(format!("Repository '{name}' is not linked any more."));
            Ok(())
        }
    }
}

impl Show for wire::Repository {
    const KIND: &'static str = "Repository";
    const HEAD: &'static [&'static str] = &["NAME", "PROVIDER", "AGE"];
    const WIDE: &'static [&'static str] = &["CONNECTION"];

    fn name(&self) -> String {
        self.name.clone()
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.name.clone(),
            self.provider.clone(),
            age(now, at(self.created_at.as_ref())),
            self.connection_arn.clone(),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        map(json!({
            "name": self.name,
            "provider": self.provider,
            "connectionArn": self.connection_arn,
            "createdAt": time(at(self.created_at.as_ref())),
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Repository {}", self.name));
        card.fact("provider", &self.provider);
        card.fact("connection", &self.connection_arn);
        card.time("linked", at(self.created_at.as_ref()));
    }
}
