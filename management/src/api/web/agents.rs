//! Agents: the processes that deploy in each account.

use askama::Template;

use super::show::{Badge, Html, Shown, When};
use super::target::PAGE;
use super::visit::Visit;
use crate::app::AppError;

struct Row {
    id: String,
    account: String,
    region: String,
    management: bool,
    online: bool,
    principal: String,
    version: String,
    key: String,
    jobs: u32,
    last_seen: When,
    certificate: When,
    connection: String,
}

#[derive(Template)]
#[template(path = "agents.html")]
struct List<'a> {
    v: &'a Visit,
    rows: Vec<(Badge, Row)>,
}

/// The page.
pub(super) async fn show(v: &Visit) -> Result<Shown, AppError> {
    let after = v.query.get("after").to_owned();
    let views = v.app.list_agents(&v.caller, None, after, PAGE).await?;
    let rows = views.into_iter().map(|view| {
        let online = view.agent.session.is_some();
        let row = Row {
            id: view.agent.id.to_string(),
            account: view.agent.account.to_string(),
            region: view.agent.region.to_string(),
            management: view.management,
            online,
            principal: view.agent.principal,
            version: view.agent.version,
            key: view.agent.key_fingerprint,
            jobs: view.jobs,
            last_seen: When(view.agent.last_seen),
            certificate: When(view.agent.not_after),
            connection: view.agent.connection.to_string(),
        };
        (Badge::of(if online { "ONLINE" } else { "OFFLINE" }), row)
    });
    let list = List {
        v,
        rows: rows.collect(),
    };
    let mut shown = Shown::titled(v.t.nav_agents);
    shown.lead = v.t.agents_lead.to_owned();
    shown.live = Some(Html::of(&list)?);
    Ok(shown)
}
