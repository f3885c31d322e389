//! `hadron connection`: which account may serve which environment.

use std::time::Duration;

use clap::{Args, Subcommand};
use futures::future::FutureExt as _;
use hadron_proto::vocab::{AccountId, EnvironmentName, Region, RoleArn, Timestamp};
use hadron_proto::{codes, wire};
use serde_json::{Map, Value, json};

use super::{Context, at, follow};
use crate::args::{Confirm, Listing, Wait, Write};
use crate::error::{Exit, Failure, Result};
use crate::output::{self, Card, Show, age, map, say, text, time};
use crate::prompt;

/// What can be done with connections.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Ask to serve an environment from your account
    ///
    /// Run it with credentials of the environment account: the account is the one that you prove, never one that is
    /// named. The request is PENDING until an administrator of the management account accepts it.
    #[command(after_help = "Examples:
  hadron connection request --environment prd --management-account 111111111111 \\
      --role-arn arn:aws:iam::333333333333:role/proton
  hadron connection request --environment prd --management-account 111111111111 --wait

Next, in the management account: hadron connection list --status PENDING")]
    Request(Request),
    /// List connections
    #[command(after_help = "Examples:
  hadron connection list
  hadron connection list --status PENDING -o wide
  hadron connection list --status PENDING --watch     see requests as they come

Next: hadron connection get ID")]
    List(List),
    /// Show a connection
    #[command(after_help = "Examples:
  hadron connection get conn_0198a5f06a5c7c4e9d550d6b7f0e4c11

Next: hadron connection accept ID, or hadron connection reject ID")]
    Get(One),
    /// Accept a request, after a look at who asks
    ///
    /// Shows account, role and requester, and asks for the environment account's id to be typed.
    #[command(after_help = "Examples:
  hadron connection accept conn_0198a5f06a5c7c4e9d550d6b7f0e4c11
  hadron connection accept conn_0198a5f06a5c7c4e9d550d6b7f0e4c11 --account 333333333333

Next: hadron environment create NAME --connection ID --template TEMPLATE --spec FILE")]
    Accept(Accept),
    /// Reject a request; this is final
    #[command(after_help = "Examples:
  hadron connection reject conn_0198a5f06a5c7c4e9d550d6b7f0e4c11")]
    Reject(Decide),
    /// Name other roles, from the environment account
    ///
    /// Roles that are not named stay, and so does the status. Deployments that an agent has begun are offered to it again
    /// with the new roles.
    #[command(after_help = "Examples:
  hadron connection update conn_0198a5f06a5c7c4e9d550d6b7f0e4c11 \\
      --role-arn arn:aws:iam::333333333333:role/proton-2
  hadron connection update conn_0198a5f06a5c7c4e9d550d6b7f0e4c11 \\
      --component-role-arn arn:aws:iam::333333333333:role/proton-components

Next: hadron connection get ID")]
    Update(Update),
    /// Withdraw a request or cut a connection, from the environment account
    ///
    /// An environment that uses it can no longer be managed until another connection for the same account and
    /// environment name is accepted. Its stacks stay.
    #[command(after_help = "Examples:
  hadron connection delete conn_0198a5f06a5c7c4e9d550d6b7f0e4c11
  hadron connection delete conn_0198a5f06a5c7c4e9d550d6b7f0e4c11 --yes")]
    Delete(Decide),
}

/// Flags of `request`.
#[derive(Debug, Args)]
pub(crate) struct Request {
    /// Name of the environment that is to be served
    #[arg(short, long, value_name = "NAME")]
    environment: EnvironmentName,
    /// Account of the hub; asked for so that a request to a wrong hub is noticed
    #[arg(long, value_name = "ACCOUNT")]
    management_account: AccountId,
    /// Role that stacks are provisioned with; without one the agent's own list of roles decides
    #[arg(long, value_name = "ARN")]
    role_arn: Option<RoleArn>,
    /// Role for directly defined components
    #[arg(long, value_name = "ARN")]
    component_role_arn: Option<RoleArn>,
    /// Role for CodeBuild provisioning
    #[arg(long, value_name = "ARN")]
    codebuild_role_arn: Option<RoleArn>,
    /// Name of the role that the agent runs as [default: hadron-agent]
    #[arg(long, value_name = "ROLE")]
    agent_role: Option<String>,
    /// Region of the environment [default: the hub's]
    #[arg(long, value_name = "REGION")]
    region: Option<Region>,
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    wait: Wait,
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only PENDING, CONNECTED or REJECTED ones
    #[arg(long, value_parser = ["PENDING", "CONNECTED", "REJECTED"], ignore_case = true)]
    status: Option<String>,
    /// Only for this environment name
    #[arg(short, long, value_name = "NAME")]
    environment: Option<EnvironmentName>,
    #[command(flatten)]
    listing: Listing,
}

/// A connection by its id.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Id of the connection
    id: String,
}

/// Flags of `accept`.
#[derive(Debug, Args)]
pub(crate) struct Accept {
    /// Id of the connection
    id: String,
    /// The environment account's id, instead of typing it
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<AccountId>,
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    write: Write,
}

/// Flags of `update`.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Id of the connection
    id: String,
    /// Role that stacks are provisioned with
    #[arg(long, value_name = "ARN")]
    role_arn: Option<RoleArn>,
    /// Role for directly defined components
    #[arg(long, value_name = "ARN")]
    component_role_arn: Option<RoleArn>,
    /// Role for CodeBuild provisioning
    #[arg(long, value_name = "ARN")]
    codebuild_role_arn: Option<RoleArn>,
    #[command(flatten)]
    write: Write,
}

/// Flags of `reject` and `delete`.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// Id of the connection
    id: String,
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    write: Write,
}

pub(super) async fn run(verb: Verb, cx: &Context) -> Result<()> {
    match verb {
        Verb::Request(args) => request(args, cx).await,
        Verb::List(args) => list(args, cx).await,
        Verb::Get(One { id }) => cx.print(&get(cx, &id).await?),
        Verb::Accept(args) => accept(args, cx).await,
        Verb::Reject(args) => reject(args, cx).await,
        Verb::Update(args) => update(args, cx).await,
        Verb::Delete(args) => delete(args, cx).await,
    }
}

fn words<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

async fn request(args: Request, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let what = format!(
        "cannot request a connection for environment '{}'",
        args.environment
    );
    let request = wire::RequestConnectionRequest {
        request_id: cx.request_id(&args.write),
        environment_name: args.environment.to_string(),
        management_account_id: args.management_account.to_string(),
        role_arn: words(args.role_arn),
        component_role_arn: words(args.component_role_arn),
        codebuild_role_arn: words(args.codebuild_role_arn),
        agent_role_name: args.agent_role.unwrap_or_default(),
        region: words(args.region),
    };
    let connection = hub
        .call(&what, request, async |q| {
            hub.connections().request_connection(q).await
        })
        .await?;
    let Some(timeout) = cx.waits(&args.wait) else {
        cx.brief(&connection)?;
        say(format!(
            "In the management account, look and decide: hadron connection accept {}",
            connection.id
        ));
        return Ok(());
    };
    say(format!("Waiting for: hadron connection accept {}", connection.id));
    let id = connection.id.clone();
    let decided = super::follow::until(cx, decision(cx, &id), timeout).await;
    let decided = decided.map_err(|failure| match failure.exit {
        Exit::TimedOut => Failure::new(Exit::Waiting, format!("connection {id} is still not accepted"))
            .next(cx.again(&format!("connection get {id}")))
            .coded(&codes::CONNECTION_PENDING),
        Exit::Interrupted => Failure {
            what: format!("{}; connection {id} still waits to be accepted", failure.what),
            ..failure
        }
        .next(cx.again(&format!("connection get {id}")))
        .next(format!(
            "{}   # to withdraw it",
            cx.again(&format!("connection delete {id}"))
        )),
        _ => failure,
    })?;
    cx.brief(&decided)?;
    if decided.status == "CONNECTED" {
        return Ok(());
    }
    Err(
        Failure::new(Exit::Failure, format!("connection {id} was not accepted"))
            .why(format!("it is {}", decided.status))
            .coded(&codes::CONNECTION_CLOSED),
    )
}

/// Asks until somebody has decided. People take minutes: a stream would cost more than it gives.
async fn decision(cx: &Context, id: &str) -> Result<wire::Connection> {
    loop {
        let connection = get(cx, id).await?;
        if connection.status != "PENDING" {
            return Ok(connection);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn list(args: List, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let (status, environment_name) = (
        args.status.unwrap_or_default().to_uppercase(),
        words(args.environment),
    );
    let all = async |limit| {
        hub.pages(
            "cannot list connections",
            limit,
            |page_size, page_token| wire::ListConnectionsRequest {
                page_size,
                page_token,
                status: status.clone(),
                environment_name: environment_name.clone(),
            },
            async |q| hub.connections().list_connections(q).await,
            |page: wire::ListConnectionsResponse| (page.connections, page.next_page_token),
        )
        .await
    };
    let request = wire::WatchConnectionsRequest {
        environment_name: environment_name.clone(),
        ..wire::WatchConnectionsRequest::default()
    };
    let watch = async move || hub.connections().watch_connections(request.clone()).await;
    Box::pin(cx.listed(
        &args.listing,
        "There are no connections. Request one from an environment account: hadron connection request --help",
        all,
        |tell| follow::changes(hub, "cannot watch connections", watch, tell).boxed_local(),
    ))
    .await
}

pub(super) async fn get(cx: &Context, id: &str) -> Result<wire::Connection> {
    let hub = cx.hub()?;
    let request = wire::GetConnectionRequest { id: id.to_owned() };
    let connection = hub
        .call(&format!("cannot get connection '{id}'"), request, async |q| {
            hub.connections().get_connection(q).await
        })
        .await;
    connection.map_err(|failure| match failure.exit {
        Exit::NotFound => failure.next("hadron connection list"),
        _ => failure,
    })
}

async fn accept(args: Accept, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let Accept {
        id,
        account,
        confirm,
        write,
    } = args;
    let connection = get(cx, &id).await?;
    let expected = connection.environment_account_id.clone();
    // Accepting a connected one again is how a role of the agent that was made anew is trusted.
    if !matches!(connection.status.as_str(), "PENDING" | "CONNECTED") {
        return Err(
            Failure::new(Exit::Conflict, format!("connection {id} cannot be accepted"))
                .why(format!("it is {}, for good", connection.status))
                .next("from the environment account: hadron connection request"),
        );
    }
    let confirmed = match account {
        Some(account) if account.as_str() != expected => {
            return Err(Failure::new(Exit::Failure, "not confirmed, nothing was changed")
                .why(format!(
                    "connection {id} is of account {expected}, and --account says {account}"
                ))
                .next(format!("hadron connection get {id}")));
        }
        Some(account) => account.to_string(),
        None if confirm.yes => expected.clone(),
        None => {
            // To stderr: it is part of the question, not the answer of the command.
            say(cx.out.one_as_card(&connection).trim_end());
            prompt::typed(
                &format!(
                    "\nType the environment account's id ({} digits) to accept it",
                    expected.len()
                ),
                &expected,
                &format!("hadron connection accept {id} --account {expected}"),
            )?;
            expected.clone()
        }
    };
    let request = wire::AcceptConnectionRequest {
        request_id: cx.request_id(&write),
        id: id.clone(),
        confirm_account_id: confirmed,
    };
    let accepted = hub
        .call(&format!("cannot accept connection {id}"), request, async |q| {
            hub.connections().accept_connection(q).await
        })
        .await?;
    cx.brief(&accepted)?;
    let name = &accepted.environment_name;
    let exists = hub
        .call(
            "cannot get the environment",
            wire::GetEnvironmentRequest { name: name.clone() },
            async |q| hub.environments().get_environment(q).await,
        )
        .await;
    say(match exists {
        // Its old connection is gone, or this one would not have been free to be accepted.
        Ok(environment) if environment.connection_id != id => {
            format!("Next: hadron environment update {name} --connection {id} --redeploy")
        }
        Ok(_) => "The agent's role is trusted anew: the next enrolment decides which one that is.".to_owned(),
        Err(_) => format!(
            "Next: hadron environment create {name} --connection {id} --template TEMPLATE --spec FILE"
        ),
    });
    Ok(())
}

async fn reject(args: Decide, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let id = args.id;
    if !args.confirm.yes {
        let question = format!("Type '{id}' to reject it for good");
        prompt::typed(&question, &id, &format!("hadron connection reject {id} --yes"))?;
    }
    let request = wire::RejectConnectionRequest {
        request_id: cx.request_id(&args.write),
        id: id.clone(),
    };
    let rejected = hub
        .call(&format!("cannot reject connection {id}"), request, async |q| {
            hub.connections().reject_connection(q).await
        })
        .await?;
    cx.brief(&rejected)
}

async fn update(args: Update, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let id = args.id;
    if args.role_arn.is_none() && args.component_role_arn.is_none() && args.codebuild_role_arn.is_none() {
        return Err(Failure::usage("no role was given, so there is nothing to change")
            .why("give --role-arn, --component-role-arn or --codebuild-role-arn"));
    }
    let request = wire::UpdateConnectionRequest {
        request_id: cx.request_id(&args.write),
        id: id.clone(),
        role_arn: words(args.role_arn),
        component_role_arn: words(args.component_role_arn),
        codebuild_role_arn: words(args.codebuild_role_arn),
    };
    let updated = hub
        .call(&format!("cannot update connection {id}"), request, async |q| {
            hub.connections().update_connection(q).await
        })
        .await?;
    cx.brief(&updated)
}

async fn delete(args: Decide, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let id = args.id;
    cx.confirm(
        &args.confirm,
        &format!("connection {id}"),
        &id,
        &format!("hadron connection delete {id}"),
    )?;
    let request = wire::DeleteConnectionRequest {
        request_id: cx.request_id(&args.write),
        id: id.clone(),
    };
    let deleted = hub
        .call(&format!("cannot delete connection {id}"), request, async |q| {
            hub.connections().delete_connection(q).await
        })
        .await?;
    cx.brief(&deleted)?;
    say(format!("Connection {id} is deleted."));
    Ok(())
}

fn agent(connection: &wire::Connection, now: Timestamp) -> String {
    if connection.agent_online {
        return "online".to_owned();
    }
    match at(connection.agent_last_seen.as_ref()) {
        Some(seen) => format!("offline, seen {} ago", age(now, Some(seen))),
        None if connection.status == "CONNECTED" => "offline, never seen".to_owned(),
        None => String::new(),
    }
}

impl Show for wire::Connection {
    const KIND: &'static str = "Connection";
    const HEAD: &'static [&'static str] = &["ID", "ENVIRONMENT", "ACCOUNT", "STATUS", "AGENT", "AGE"];
    const WIDE: &'static [&'static str] = &["REGION", "ROLE", "AGENT ROLE", "REQUESTED BY"];

    fn name(&self) -> String {
        self.id.clone()
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.id.clone(),
            self.environment_name.clone(),
            self.environment_account_id.clone(),
            self.status.clone(),
            agent(self, now),
            age(now, at(self.requested_at.as_ref())),
            self.region.clone(),
            self.role_arn.clone(),
            self.agent_role_name.clone(),
            self.requested_by.clone(),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        map(json!({
            "id": self.id,
            "environmentName": self.environment_name,
            "environmentAccountId": self.environment_account_id,
            "managementAccountId": self.management_account_id,
            "region": text(&self.region),
            "roleArn": text(&self.role_arn),
            "componentRoleArn": text(&self.component_role_arn),
            "codebuildRoleArn": text(&self.codebuild_role_arn),
            "agentRoleName": text(&self.agent_role_name),
            "status": self.status,
            "requestedBy": text(&self.requested_by),
            "requestedAt": time(at(self.requested_at.as_ref())),
            "decidedBy": text(&self.decided_by),
            "decidedAt": time(at(self.decided_at.as_ref())),
            "agentOnline": self.agent_online,
            "agentLastSeen": time(at(self.agent_last_seen.as_ref())),
            "agentKeyFingerprint": text(&self.agent_key_fingerprint),
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Connection {}", self.id));
        card.status("status", &self.status);
        card.fact("environment", &self.environment_name);
        card.fact("environment account", &self.environment_account_id);
        card.fact("management account", &self.management_account_id);
        card.fact("region", &self.region);
        let any = "(none: the agent's own list of roles decides)";
        card.fact(
            "role",
            if self.role_arn.is_empty() {
                any
            } else {
                self.role_arn.as_str()
            },
        );
        card.fact("component role", &self.component_role_arn);
        card.fact("CodeBuild role", &self.codebuild_role_arn);
        card.fact("agent role", &self.agent_role_name);
        card.fact("requested by", &self.requested_by);
        card.time("requested", at(self.requested_at.as_ref()));
        card.fact("decided by", &self.decided_by);
        card.time("decided", at(self.decided_at.as_ref()));
        let agent = agent(self, card.now());
        card.fact("agent", output::clean(&agent));
        card.fact("agent key", &self.agent_key_fingerprint);
    }
}
