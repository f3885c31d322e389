//! `hadron agent`: the processes that deploy in each account.

use clap::{Args, Subcommand};
use futures::future::FutureExt as _;
use hadron_proto::vocab::{AccountId, Timestamp};
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use super::{Context, at, follow};
use crate::args::Listing;
use crate::error::Result;
use crate::output::{Card, Show, age, map, text, time};

/// What can be done with agents.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List agents that have enrolled
    #[command(after_help = "Examples:
  hadron agent list
  hadron agent list --account 333333333333 -o wide

An account whose agent is missing has no accepted connection, or its agent cannot reach the hub: hadron connection list")]
    List(List),
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this account
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<AccountId>,
    #[command(flatten)]
    listing: Listing,
}

pub(super) async fn run(verb: Verb, cx: &Context) -> Result<()> {
    let Verb::List(args) = verb;
    let hub = cx.hub()?;
    let watch = async move || hub.agents().watch_agents(wire::WatchAgentsRequest {}).await;
    Box::pin(cx.listed(
        &args.listing,
        "No agent has enrolled yet.",
        async |limit| all(cx, args.account, limit).await,
        |tell| follow::changes(hub, "cannot watch agents", watch, tell).boxed_local(),
    ))
    .await
}

/// Agents that have enrolled, of one account or of all.
pub(super) async fn all(
    cx: &Context,
    account: Option<AccountId>,
    limit: Option<usize>,
) -> Result<Vec<wire::Agent>> {
    let hub = cx.hub()?;
    let account_id = account.map(|account| account.to_string()).unwrap_or_default();
    hub.pages(
        "cannot list agents",
        limit,
        |page_size, page_token| wire::ListAgentsRequest {
            page_size,
            page_token,
            account_id: account_id.clone(),
        },
        async |q| hub.agents().list_agents(q).await,
        |page: wire::ListAgentsResponse| (page.agents, page.next_page_token),
    )
    .await
}

impl Show for wire::Agent {
    const KIND: &'static str = "Agent";
    const HEAD: &'static [&'static str] = &[
        "ID",
        "ACCOUNT",
        "REGION",
        "ONLINE",
        "LAST SEEN",
        "VERSION",
        "JOBS",
    ];
    const WIDE: &'static [&'static str] = &["MANAGEMENT", "CONNECTION", "PRINCIPAL", "CERTIFICATE ENDS"];

    fn name(&self) -> String {
        self.id.clone()
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let word = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        vec![
            self.id.clone(),
            self.account_id.clone(),
            self.region.clone(),
            word(self.online),
            age(now, at(self.last_seen.as_ref())),
            self.version.clone(),
            self.jobs_held.to_string(),
            word(self.management),
            self.connection_id.clone(),
            self.principal.clone(),
            at(self.certificate_expires_at.as_ref())
                .map(|at| at.to_string())
                .unwrap_or_default(),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        map(json!({
            "id": self.id,
            "accountId": self.account_id,
            "region": self.region,
            "connectionId": text(&self.connection_id),
            "principal": text(&self.principal),
            "version": text(&self.version),
            "online": self.online,
            "lastSeen": time(at(self.last_seen.as_ref())),
            "certificateExpiresAt": time(at(self.certificate_expires_at.as_ref())),
            "keyFingerprint": text(&self.key_fingerprint),
            "jobsHeld": self.jobs_held,
            "management": self.management,
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Agent {}", self.id));
        card.fact("account", &self.account_id);
    }
}
