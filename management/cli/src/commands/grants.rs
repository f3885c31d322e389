//! `hadron grant`: which account may pull which ECR repository, and why.

use clap::{Args, Subcommand};
use futures::future::FutureExt as _;
use hadron_proto::vocab::{AccountId, RepositoryName, Timestamp};
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use super::{Context, at, follow};
use crate::args::Listing;
use crate::error::Result;
use crate::output::{Card, Show, age, map, text, time};

/// What can be done with grants. They follow from what is deployed, so that they can only be looked at.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List grants and their reasons
    #[command(after_help = "Examples:
  hadron grant list
  hadron grant list --repository web --account 333333333333 -o wide

Grants follow from what is deployed: they come with instances and go with the last one that needs them.")]
    List(List),
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only for this repository
    #[arg(long, value_name = "NAME")]
    repository: Option<RepositoryName>,
    /// Only of this account
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<AccountId>,
    #[command(flatten)]
    listing: Listing,
}

pub(super) async fn run(verb: Verb, cx: &Context) -> Result<()> {
    let Verb::List(args) = verb;
    let hub = cx.hub()?;
    let repository = args.repository.map(String::from).unwrap_or_default();
    let account_id = args
        .account
        .map(|account| account.to_string())
        .unwrap_or_default();
    let all = async |limit| {
        hub.pages(
            "cannot list grants",
            limit,
            |page_size, page_token| wire::ListGrantsRequest {
                page_size,
                page_token,
                repository: repository.clone(),
                account_id: account_id.clone(),
            },
            async |q| hub.grants().list_grants(q).await,
            |page: wire::ListGrantsResponse| (page.grants, page.next_page_token),
        )
        .await
    };
    let watch = async move || hub.grants().watch_grants(wire::WatchGrantsRequest {}).await;
    Box::pin(cx.listed(&args.listing, "There are no grants.", all, |tell| {
        follow::changes(hub, "cannot watch grants", watch, tell).boxed_local()
    }))
    .await
}

impl Show for wire::Grant {
    const KIND: &'static str = "Grant";
    const HEAD: &'static [&'static str] = &["REPOSITORY", "ACCOUNT", "STATE", "REASONS", "AGE"];
    const WIDE: &'static [&'static str] = &["REGISTRY", "REGION", "MESSAGE"];

    fn name(&self) -> String {
        format!("{}/{}", self.repository, self.account_id)
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.repository.clone(),
            self.account_id.clone(),
            self.state.clone(),
            self.reasons.join("; "),
            age(now, at(self.changed_at.as_ref())),
            self.registry_id.clone(),
            self.region.clone(),
            self.message.clone(),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        map(json!({
            "registryId": self.registry_id,
            "region": self.region,
            "repository": self.repository,
            "accountId": self.account_id,
            "state": self.state,
            "reasons": self.reasons,
            "message": text(&self.message),
            "changedAt": time(at(self.changed_at.as_ref())),
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Grant {}/{}", self.repository, self.account_id));
        card.status("state", &self.state);
        card.fact("message", &self.message);
        card.block("Reasons", &self.reasons.join("\n"));
    }
}
