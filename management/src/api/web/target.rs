//! What environments, instances, pipelines and components have in common: a stack, how it stands, and what can be done about
//! it.

use askama::Template;
use hadron_domain::authority::Action;
use hadron_domain::target::Target;
use hadron_domain::template::TemplateKind;

use super::show::{Badge, Html, Link, When, href};
use super::visit::Visit;
use crate::app::AppError;
use crate::store::targets::TargetRow;

/// How many a page lists.
pub(super) const PAGE: u32 = 500;

/// A way out of a failure: in words, and as a button or a link where the console has one.
pub(super) struct Way {
    pub(super) text: String,
    /// Where a button sends to, and what is on it.
    pub(super) button: Option<Link>,
    /// Where a link leads, and what is on it.
    pub(super) link: Option<Link>,
}

/// The right that changing something needs.
pub(super) const fn write_action(target: &Target) -> Action {
    match target {
        Target::Environment(_) => Action::WriteEnvironment,
        Target::Instance(..) | Target::Pipeline(_) => Action::WriteService,
        Target::Component(_) => Action::WriteComponent,
    }
}

/// Where its spec, or a component's template, is changed.
fn edit(target: &Target) -> Option<String> {
    match target {
        Target::Environment(name) => Some(format!("/environments/{name}/edit")),
        Target::Instance(..) | Target::Pipeline(_) | Target::Component(_) => {
            Some(format!("{}/edit", href(target)))
        }
    }
}

/// Where it is deleted. Instances and pipelines go with their service's spec.
fn delete(target: &Target) -> Option<String> {
    match target {
        Target::Environment(name) => Some(format!("/environments/{name}/delete")),
        Target::Component(name) => Some(format!("/components/{name}")),
        Target::Instance(..) | Target::Pipeline(_) => None,
    }
}

/// The commands that lead out of a failure, with what the console has for them.
pub(super) fn ways(v: &Visit, target: &Target, texts: &[String], may: bool) -> Vec<Way> {
    let of = |text: &String| {
        let mut way = Way {
            text: text.clone(),
            button: None,
            link: None,
        };
        if !may {
            return way;
        }
        let redeploys = !matches!(target, Target::Component(_)) && text.contains(" --redeploy");
        if redeploys {
            way.button = Some(Link::to(format!("{}/redeploy", href(target)), v.t.way_redeploy));
        } else if text.contains(" --spec ") || text.contains(" --template ") {
            way.link = edit(target).map(|to| Link::to(to, v.t.way_edit));
        } else if text.contains(" delete ") {
            let retained = text.split(" --retain ").skip(1);
            let query: Vec<String> = retained.map(|id| format!("retain={}", id.trim())).collect();
            way.link = delete(target).map(|to| {
                let to = if query.is_empty() {
                    to
                } else {
                    format!("{to}?{}", query.join("&"))
                };
                Link::to(to, v.t.way_delete)
            });
        }
        way
    };
    texts.iter().map(of).collect()
}

/// How far something is behind what its template recommends.
pub(super) async fn newer(v: &Visit, row: &TargetRow) -> Result<String, AppError> {
    let kind = match row.target {
        Target::Environment(_) => TemplateKind::Environment,
        Target::Instance(..) | Target::Pipeline(_) => TemplateKind::Service,
        Target::Component(_) => return Ok(String::new()),
    };
    let Some(name) = row.template.as_ref().filter(|_| v.may(Action::ReadTemplate)) else {
        return Ok(String::new());
    };
    let template = v.app.get_template(&v.caller, kind, name).await?;
    let recommended = template.versions.recommended();
    Ok(recommended
        .filter(|recommended| *recommended > row.version)
        .map(|recommended| recommended.to_string())
        .unwrap_or_default())
}

#[derive(Template)]
#[template(path = "target.html")]
struct TargetView<'a> {
    v: &'a Visit,
    row: &'a TargetRow,
    status: Badge,
    template: String,
    template_href: String,
    newer: String,
    environment: String,
    attempted: Option<(String, When)>,
    succeeded: Option<(String, When)>,
    stack_arn: String,
    ways: Vec<Way>,
    resources: Vec<(String, String, String, Badge)>,
    outputs: Vec<(String, String)>,
    created: When,
    history: String,
}

/// What is known about it.
pub(super) async fn view(v: &Visit, row: &TargetRow) -> Result<Html, AppError> {
    let kind = match row.target {
        Target::Environment(_) => "environment",
        _ => "service",
    };
    let template = row.template.as_ref();
    let history = match &row.target {
        Target::Environment(name) => format!("kind=environment&environment={name}"),
        Target::Instance(service, name) => format!("service={service}&instance={name}"),
        Target::Pipeline(service) => format!("kind=pipeline&service={service}"),
        Target::Component(name) => format!("component={name}"),
    };
    let may = v.may_at(write_action(&row.target), &row.place());
    let of = |resource: &crate::store::targets::Resource| {
        (
            resource.logical_id.clone(),
            resource.resource_type.clone(),
            resource.physical_id.clone(),
            Badge::of(resource.status.as_str()),
        )
    };
    Html::of(&TargetView {
        v,
        row,
        status: Badge::of(row.status.as_str()),
        template: template
            .map(|name| format!("{name}:{}", row.version))
            .unwrap_or_default(),
        template_href: template
            .map(|name| format!("/catalog/{kind}/{name}/{}", row.version))
            .unwrap_or_default(),
        newer: newer(v, row).await?,
        environment: match row.target {
            Target::Environment(_) => String::new(),
            _ => row
                .environment
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        },
        attempted: row.attempted.map(|(id, at)| (id.to_string(), When(at))),
        succeeded: row.succeeded.map(|(id, at)| (id.to_string(), When(at))),
        stack_arn: row
            .stack_arn
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        ways: ways(v, &row.target, &row.ways_out, may),
        resources: row.resources.iter().map(of).collect(),
        outputs: row
            .outputs
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        created: When(row.created_at),
        history,
    })
}

/// One line of a list of them.
pub(super) struct Line {
    pub(super) href: String,
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) status: Badge,
    pub(super) message: String,
    pub(super) template: String,
    pub(super) environment: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) attempted: Option<When>,
}

impl Line {
    pub(super) fn of(row: &TargetRow) -> Self {
        let template = row.template.as_ref();
        Self {
            href: href(&row.target),
            name: row.target.name(),
            kind: row.target.kind(),
            status: Badge::of(row.status.as_str()),
            message: row.message.lines().next().unwrap_or_default().to_owned(),
            template: template
                .map(|name| format!("{name}:{}", row.version))
                .unwrap_or_default(),
            environment: row
                .environment
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            account: row.account.to_string(),
            region: row.region.to_string(),
            attempted: row.attempted.map(|(_, at)| When(at)),
        }
    }
}

/// A list of them.
#[derive(Template)]
#[template(path = "targets.html")]
pub(super) struct Lines<'a> {
    pub(super) v: &'a Visit,
    pub(super) caption: &'a str,
    pub(super) kinds: bool,
    pub(super) environments: bool,
    pub(super) templates: bool,
    pub(super) lines: Vec<Line>,
    pub(super) next: String,
}

/// Where one sees what was begun.
pub(super) fn begun(row: &TargetRow) -> String {
    match row.attempted {
        Some((id, _)) => format!("/deployments/{id}?done=begun"),
        None => format!("{}?done=saved", href(&row.target)),
    }
}
