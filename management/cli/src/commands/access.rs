//! `hadron access`: who plays which part where, and why somebody may do something or not.

use clap::{Args, Subcommand};
use hadron_proto::vocab::Timestamp;
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use super::{Context, at};
use crate::args::{Limit, Write};
use crate::error::Result;
use crate::output::{Card, Show, age, map, say, time};

/// What can be done with access.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Let somebody play a part
    ///
    /// To deploy, a developer needs two things: the service, and the environment that it goes into. Both may come from one
    /// grant for the whole hub or from two narrower ones. It counts from their next request on.
    #[command(after_help = "Examples:
  hadron access grant arn:aws:iam::111111111111:role/payments-* --role developer --scope service:payments
  hadron access grant arn:aws:iam::111111111111:role/payments-* --role developer --scope environment:staging
  hadron access grant token:ci --role developer --scope service:payments
  hadron access grant arn:aws:iam::111111111111:role/audit --role auditor
  hadron access grant 'oidc-group:corp:Payments Team' --role developer --scope service:payments
  hadron access grant 'oidc:github:repo:acme/payments:environment:prd' --role developer --scope environment:prd

In an ARN, * stands for anything. What an issuer of OpenID Connect knows is oidc:ISSUER:NAME, and oidc-group:ISSUER:GROUP; there
a * stands for anything but ':', and at the end for anything. Next: hadron access why CreateService --principal ARN --service NAME")]
    Grant(Grant),
    /// Take a part away that was granted
    #[command(after_help = "Examples:
  hadron access revoke token:ci --role developer --scope service:payments

What the hub's configuration gives ([access]) is changed there.")]
    Revoke(Grant),
    /// List what was granted
    #[command(after_help = "Examples:
  hadron access list
  hadron access list -o json")]
    List(List),
    /// Explain whether somebody may do something
    ///
    /// About yourself you may always ask; about others administrators and auditors may.
    #[command(after_help = "Examples:
  hadron access why UpdateServiceInstance --service payments --environment staging
  hadron access why AcceptConnection --principal arn:aws:iam::111111111111:role/payments-ann

OPERATION is a call of the hub's API or of AWS Proton's.")]
    Why(Why),
}

/// Flags of `grant` and `revoke`.
#[derive(Debug, Args)]
pub(crate) struct Grant {
    /// An IAM ARN in which * stands for anything, oidc:ISSUER:NAME, oidc-group:ISSUER:GROUP, token:NAME or key:NAME
    principal: String,
    /// The part
    #[arg(long, value_parser = ["administrator", "developer", "owner", "auditor"])]
    role: String,
    /// Where: hub, account:ID, environment:NAME or service:NAME
    #[arg(long, default_value = "hub")]
    scope: String,
    #[command(flatten)]
    write: Write,
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    limit: Limit,
}

/// Flags of `why`.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The call that somebody wants to make
    operation: String,
    /// Whom it is about [default: you]
    #[arg(long, default_value = "", hide_default_value = true)]
    principal: String,
    /// The account of what it is done to
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    account: String,
    /// The environment that it is done to or in
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    environment: String,
    /// The service that it is done to
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    service: String,
}

pub(super) async fn run(verb: Verb, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    match verb {
        Verb::Grant(args) => {
            let request = wire::GrantAccessRequest {
                request_id: cx.request_id(&args.write),
                principal: args.principal,
                role: args.role,
                scope: args.scope,
            };
            let made = hub
                .call("cannot grant access", request, async |q| {
                    hub.access().grant_access(q).await
                })
                .await?;
            if !made.new {
                say("It was granted before.");
            }
            cx.brief(&made.binding.unwrap_or_default())
        }
        Verb::Revoke(args) => {
            let (principal, role, scope) = (args.principal, args.role, args.scope);
            let request = wire::RevokeAccessRequest {
                request_id: cx.request_id(&args.write),
                principal: principal.clone(),
                role: role.clone(),
                scope: scope.clone(),
            };
            hub.call("cannot revoke access", request, async |q| {
                hub.access().revoke_access(q).await
            })
            .await?;
            say(format!("{principal} is no {role} of {scope} any more."));
            Ok(())
        }
        Verb::List(args) => {
            let all = hub
                .pages(
                    "cannot list access",
                    args.limit.limit,
                    |page_size, page_token| wire::ListAccessRequest {
                        page_size,
                        page_token,
                    },
                    async |q| hub.access().list_access(q).await,
                    |page: wire::ListAccessResponse| (page.bindings, page.next_page_token),
                )
                .await?;
            cx.list(
                &all,
                "Nothing was granted beside what the hub's configuration says. Grant something: hadron access grant --help",
            )
        }
        Verb::Why(args) => {
            let request = wire::ExplainAccessRequest {
                principal: args.principal,
                operation: args.operation,
                account_id: args.account,
                environment: args.environment,
                service: args.service,
            };
            let told = hub
                .call("cannot explain access", request, async |q| {
                    hub.access().explain_access(q).await
                })
                .await?;
            cx.print(&told)
        }
    }
}

impl Show for wire::Binding {
    const KIND: &'static str = "Binding";
    const HEAD: &'static [&'static str] = &["PRINCIPAL", "ROLE", "SCOPE", "AGE"];
    const WIDE: &'static [&'static str] = &["GRANTED BY"];

    fn name(&self) -> String {
        self.principal.clone()
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.principal.clone(),
            self.role.clone(),
            self.scope.clone(),
            age(now, at(self.created_at.as_ref())),
            self.created_by.clone(),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        map(json!({
            "principal": self.principal,
            "role": self.role,
            "scope": self.scope,
            "createdBy": self.created_by,
            "createdAt": time(at(self.created_at.as_ref())),
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Access of {}", self.principal));
        card.fact("role", &self.role);
        card.fact("scope", &self.scope);
        card.fact("granted by", &self.created_by);
        card.time("granted", at(self.created_at.as_ref()));
    }
}

impl Show for wire::ExplainAccessResponse {
    const KIND: &'static str = "AccessExplanation";
    const HEAD: &'static [&'static str] = &["PRINCIPAL", "ALLOWED", "NEEDED"];
    const WIDE: &'static [&'static str] = &[];

    fn name(&self) -> String {
        self.principal.clone()
    }

    fn row(&self, _: Timestamp) -> Vec<String> {
        vec![
            self.principal.clone(),
            if self.allowed { "yes" } else { "no" }.to_owned(),
            self.needed.clone(),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        let right = |right: &wire::ExplainedRight| json!({ "role": right.role, "scope": right.scope, "origin": right.origin, "effect": right.effect });
        map(json!({
            "principal": self.principal,
            "allowed": self.allowed,
            "needed": self.needed,
            "rights": self.rights.iter().map(right).collect::<Vec<_>>(),
        }))
    }

    fn card(&self, card: &mut Card) {
        let verdict = if self.allowed { "may" } else { "may not" };
        card.title(format!("{} {verdict}", self.principal));
        card.fact("needed", &self.needed);
        if self.rights.is_empty() {
            card.fact("rights", "none at this hub");
        }
        for right in &self.rights {
            let name = format!("{} of {}", right.role, right.scope);
            card.fact("right", format!("{name}: {} ({})", right.effect, right.origin));
        }
    }
}
