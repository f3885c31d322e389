//! Connections: those that wait for a decision first.

use askama::Template;
use hadron_domain::authority::{Action, Place};
use hadron_domain::connection::Approval;
use hadron_domain::principal::Signed;
use hadron_proto::vocab::{AccountId, ConnectionId};

use super::deed::{Deed, Outcome, again, named};
use super::show::{Badge, Html, Link, Shown, When};
use super::visit::Visit;
use crate::app::AppError;
use crate::app::connections::ConnectionView;
use crate::store::connections::Filter;

/// How many connections a page lists.
const MOST: u32 = 500;

pub(super) struct Row {
    pub(super) id: String,
    pub(super) environment: String,
    pub(super) account: String,
    region: String,
    pub(super) requested_by: String,
    pub(super) requested_at: When,
    pub(super) status: Badge,
    online: bool,
    seen: Option<When>,
}

impl Row {
    pub(super) fn of(view: &ConnectionView) -> Self {
        let c = &view.connection;
        Self {
            id: c.id.to_string(),
            environment: c.environment.to_string(),
            account: c.account.to_string(),
            region: c.region.to_string(),
            requested_by: c.requested.who.to_string(),
            requested_at: When(c.requested.at),
            status: Badge::of(c.approval.word()),
            online: view.agent_online,
            seen: When::some(view.agent_last_seen),
        }
    }
}

#[derive(Template)]
#[template(path = "connections.html")]
struct List<'a> {
    v: &'a Visit,
    pending: Vec<Row>,
    others: Vec<Row>,
}

/// All of them.
pub(super) async fn list(v: &Visit) -> Result<Shown, AppError> {
    let views = v
        .app
        .list_connections(&v.caller, Filter::default(), String::new(), MOST)
        .await?;
    let (pending, others): (Vec<_>, Vec<_>) = views
        .iter()
        .partition(|view| matches!(view.connection.approval, Approval::Pending));
    let rows = |views: Vec<&ConnectionView>| views.into_iter().map(Row::of).collect();
    let list = List {
        v,
        pending: rows(pending),
        others: rows(others),
    };
    let mut shown = Shown::titled(v.t.nav_connections);
    shown.lead = v.t.connections_lead.to_owned();
    shown.live = Some(Html::of(&list)?);
    Ok(shown)
}

#[derive(Template)]
#[template(path = "connection.html")]
struct One<'a> {
    v: &'a Visit,
    row: Row,
    management: String,
    role: String,
    component_role: String,
    codebuild_role: String,
    agent_role: String,
    key: String,
    decided: Option<(String, When)>,
}

#[derive(Template)]
#[template(path = "connection_decide.html")]
struct Decide<'a> {
    v: &'a Visit,
    id: String,
    account: String,
    typed: &'a str,
    pending: bool,
    accept: bool,
    reject: bool,
}

fn decided(approval: &Approval) -> Option<&Signed> {
    match approval {
        Approval::Pending => None,
        Approval::Connected(by) | Approval::Rejected(by) | Approval::Deleted(by) => Some(by),
    }
}

/// One of them.
pub(super) async fn one(v: &Visit, id: ConnectionId) -> Result<Shown, AppError> {
    with(v, id, "").await
}

async fn with(v: &Visit, id: ConnectionId, typed: &str) -> Result<Shown, AppError> {
    let view = v.app.live_connection(&v.caller, id).await?;
    let c = &view.connection;
    let role = |role: &Option<hadron_proto::vocab::RoleArn>| {
        role.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    let place = Place {
        account: Some(c.account),
        environment: Some(c.environment.clone()),
        service: None,
    };
    let decide = Decide {
        v,
        id: id.to_string(),
        account: c.account.to_string(),
        typed,
        pending: matches!(c.approval, Approval::Pending),
        accept: matches!(c.approval, Approval::Pending) && v.may_at(Action::AcceptConnection, &place),
        reject: matches!(c.approval, Approval::Pending | Approval::Connected(_))
            && v.may_at(Action::RejectConnection, &place),
    };
    let one = One {
        v,
        row: Row::of(&view),
        management: v.app.settings().account.to_string(),
        role: role(&c.roles.provisioning),
        component_role: role(&c.roles.component),
        codebuild_role: role(&c.roles.codebuild),
        agent_role: c.roles.agent_role_name.clone(),
        key: view.agent_key.clone().unwrap_or_default(),
        decided: decided(&c.approval).map(|by| (by.who.to_string(), When(by.at))),
    };
    let mut shown = Shown::titled(format!("{} \u{2190} {}", c.environment, c.account));
    shown.live = Some(Html::of(&one)?);
    shown.fixed = Html::of(&decide)?;
    let connected = matches!(c.approval, Approval::Connected(_));
    if connected && v.may_at(Action::WriteEnvironment, &place) {
        let to = format!("/environments/new?connection={id}&name={}", c.environment);
        shown.actions.push(Link::to(to, v.t.environment_create));
    }
    Ok(shown)
}

async fn refused(deed: &Deed, id: ConnectionId, error: AppError) -> Result<Outcome, AppError> {
    match with(&deed.visit, id, deed.form.get("account")).await {
        Ok(shown) => Ok(again(error, shown)),
        Err(_) => Err(error),
    }
}

/// Accepts one, with its account typed once more.
pub(super) async fn accept(deed: &Deed, id: &str) -> Result<Outcome, AppError> {
    let id = named("connection", id)?;
    let accepted = async {
        let confirmed: AccountId = deed.word("account")?;
        let request = deed.request("AcceptConnection");
        deed.visit
            .app
            .accept_connection(request, id, Some(confirmed))
            .await
    };
    match accepted.await {
        Ok(_) => Ok(Outcome::Done(format!("/connections/{id}?done=accepted"))),
        Err(error) => refused(deed, id, error).await,
    }
}

/// Rejects one, for good.
pub(super) async fn reject(deed: &Deed, id: &str) -> Result<Outcome, AppError> {
    let id: ConnectionId = named("connection", id)?;
    let rejected = async {
        let confirmed: AccountId = deed.word("account")?;
        // Only what was looked at is rejected; there is nothing in the use case that asks for it a second time.
        let view = deed.visit.app.live_connection(&deed.visit.caller, id).await?;
        if view.connection.account != confirmed {
            return Err(super::show::wrong(
                "account",
                format!(
                    "the connection is one of account {}, not {confirmed}",
                    view.connection.account
                ),
            ));
        }
        let request = deed.request("RejectConnection");
        deed.visit.app.reject_connection(request, id).await
    };
    match rejected.await {
        Ok(_) => Ok(Outcome::Done(format!("/connections/{id}?done=rejected"))),
        Err(error) => refused(deed, id, error).await,
    }
}
