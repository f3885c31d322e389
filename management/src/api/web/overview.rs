//! The first page: what is wrong, what waits for whoever looks, what is under way.

use askama::Template;
use hadron_domain::authority::Action;
use hadron_domain::connection::Approval;

use super::connections;
use super::deployments;
use super::show::{Html, Shown};
use super::target::Line;
use super::target::Lines;
use super::visit::Visit;
use crate::app::AppError;
use crate::app::connections::ConnectionView;
use crate::store::connections::Filter as ConnectionFilter;
use crate::store::deployments::Filter as DeploymentFilter;
use crate::store::targets::Filter;

/// How many of each the page has at most.
const MOST: u32 = 100;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    v: &'a Visit,
    counts: Vec<(&'static str, &'static str, u64, u64)>,
    failed: Option<Html>,
    pending: Vec<connections::Row>,
    decides: bool,
    active: Option<Html>,
}

async fn failed(v: &Visit) -> Result<Option<Html>, AppError> {
    let mut lines = Vec::new();
    let mut asked = false;
    let kinds = [
        ("environment", Action::ReadEnvironment),
        ("instance", Action::ReadService),
        ("pipeline", Action::ReadService),
    ];
    for (kind, action) in kinds {
        if !v.may(action) {
            continue;
        }
        asked = true;
        let filter = Filter {
            kind,
            failed_only: true,
            ..Filter::default()
        };
        let none = (String::new(), String::new());
        let rows = v.app.list_targets(&v.caller, filter, none, MOST).await?;
        lines.extend(rows.iter().map(Line::of));
    }
    if !asked {
        return Ok(None);
    }
    Html::of(&Lines {
        v,
        caption: v.t.overview_failed,
        kinds: true,
        environments: false,
        templates: true,
        lines,
        next: String::new(),
    })
    .map(Some)
}

/// The page.
pub(super) async fn show(v: &Visit) -> Result<Shown, AppError> {
    let t = v.t;
    let mut counts = Vec::new();
    if v.may(Action::ReadSummary) {
        let all = v.app.summary(&v.caller).await?;
        counts = vec![
            (
                t.nav_environments,
                "/environments",
                all.environments.total,
                all.environments.failed,
            ),
            (
                t.nav_services,
                "/services",
                all.services.total,
                all.services.failed,
            ),
            (
                t.instances,
                "/services",
                all.instances.total,
                all.instances.failed,
            ),
            (
                t.pipelines,
                "/services",
                all.pipelines.total,
                all.pipelines.failed,
            ),
            (
                t.nav_components,
                "/components",
                all.components.total,
                all.components.failed,
            ),
        ];
    }
    let mut pending = Vec::new();
    if v.may(Action::ReadConnection) {
        let filter = ConnectionFilter {
            statuses: vec!["PENDING".to_owned()],
            ..ConnectionFilter::default()
        };
        let views = v
            .app
            .list_connections(&v.caller, filter, String::new(), MOST)
            .await?;
        let waits = |view: &&ConnectionView| matches!(view.connection.approval, Approval::Pending);
        pending = views.iter().filter(waits).map(connections::Row::of).collect();
    }
    let active = if v.may(Action::ReadDeployment) {
        let filter = DeploymentFilter {
            active_only: true,
            ..DeploymentFilter::default()
        };
        let rows = v
            .app
            .list_deployments(&v.caller, filter, String::new(), MOST)
            .await?;
        Some(Html::of(&deployments::Rows {
            v,
            caption: t.overview_active,
            rows: rows.iter().map(deployments::Row::of).collect(),
            next: String::new(),
        })?)
    } else {
        None
    };
    let overview = Overview {
        v,
        counts,
        failed: failed(v).await?,
        pending,
        decides: v.may(Action::AcceptConnection),
        active,
    };
    let mut shown = Shown::titled(t.nav_overview);
    shown.live = Some(Html::of(&overview)?);
    Ok(shown)
}
