//! The catalog: templates, their versions, what each asks for and who runs it.

use askama::Template;
use hadron_domain::authority::Action;
use hadron_domain::template::{TemplateKind, VersionState};
use hadron_proto::vocab::{TemplateName, TemplateVersion};
use hadron_templates::{InputType, Property};

use super::deed::{Deed, Outcome, again, named};
use super::form;
use super::show::{Badge, Html, Link, Shown, When};
use super::target::{Line, Lines, PAGE};
use super::view::kind as kind_of;
use super::visit::Visit;
use crate::app::AppError;
use crate::store::targets::Filter;

struct Row {
    kind: &'static str,
    name: String,
    described: String,
    recommended: String,
    versions: usize,
    modified: When,
}

#[derive(Template)]
#[template(path = "catalog.html")]
struct List<'a> {
    v: &'a Visit,
    rows: Vec<Row>,
}

/// All templates.
pub(super) async fn list(v: &Visit) -> Result<Shown, AppError> {
    let none = (String::new(), String::new());
    let rows = v.app.list_templates(&v.caller, None, none, PAGE).await?;
    let list = List {
        v,
        rows: rows
            .iter()
            .map(|row| Row {
                kind: row.kind.word(),
                name: row.name.to_string(),
                described: if row.display_name.is_empty() {
                    row.description.clone()
                } else {
                    row.display_name.clone()
                },
                recommended: row
                    .versions
                    .recommended()
                    .map(|version| version.to_string())
                    .unwrap_or_default(),
                versions: row.versions.existing.len(),
                modified: When(row.modified_at),
            })
            .collect(),
    };
    let mut shown = Shown::titled(v.t.nav_catalog);
    shown.lead = v.t.catalog_lead.to_owned();
    if v.may(Action::WriteTemplate) {
        shown.actions.push(Link::to("/catalog/new", v.t.template_create));
    }
    shown.live = Some(Html::of(&list)?);
    Ok(shown)
}

struct VersionRow {
    version: String,
    state: Badge,
    recommended: bool,
    description: String,
    created: When,
}

#[derive(Template)]
#[template(path = "template.html")]
struct One<'a> {
    v: &'a Visit,
    kind: &'static str,
    row: &'a crate::store::templates::TemplateRow,
    versions: Vec<VersionRow>,
    created: When,
    modified: When,
}

/// The word for where a version stands.
fn word(state: &VersionState) -> Badge {
    Badge::of(state.word())
}

/// Where something is made from a template.
fn make(
    v: &Visit,
    kind: TemplateKind,
    name: &TemplateName,
    version: Option<TemplateVersion>,
) -> Option<Link> {
    let (noun, action, label) = match kind {
        TemplateKind::Environment => ("environments", Action::WriteEnvironment, v.t.environment_create),
        TemplateKind::Service => ("services", Action::WriteService, v.t.service_create),
    };
    let version = version
        .map(|version| format!("&version={version}"))
        .unwrap_or_default();
    v.may(action)
        .then(|| Link::to(format!("/{noun}/new?template={name}{version}"), label))
}

/// One template.
pub(super) async fn template(v: &Visit, kind: TemplateKind, name: &TemplateName) -> Result<Shown, AppError> {
    let row = v.app.get_template(&v.caller, kind, name).await?;
    let views = v
        .app
        .list_versions(&v.caller, kind, name.clone(), None, None, PAGE)
        .await?;
    let one = One {
        v,
        kind: kind.word(),
        versions: views
            .iter()
            .rev()
            .map(|view| VersionRow {
                version: view.row.version.to_string(),
                state: word(&view.state),
                recommended: row.versions.recommended() == Some(view.row.version),
                description: view.row.description.clone(),
                created: When(view.row.created_at),
            })
            .collect(),
        created: When(row.created_at),
        modified: When(row.modified_at),
        row: &row,
    };
    let mut shown = Shown::titled(name.to_string());
    shown.lead = match kind {
        TemplateKind::Environment => v.t.environment_template.to_owned(),
        TemplateKind::Service => v.t.service_template.to_owned(),
    };
    shown.live = Some(Html::of(&one)?);
    if row.versions.recommended().is_some() {
        shown.actions.extend(make(v, kind, name, None));
    }
    if v.may(Action::WriteTemplate) {
        let to = format!("/catalog/{}/{name}/new", kind.word());
        shown.actions.push(Link::to(to, v.t.version_register));
    }
    Ok(shown)
}

/// An input of a template, as a line of a table.
struct Input {
    name: String,
    kind: &'static str,
    required: bool,
    default: String,
    allowed: String,
    description: String,
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn inputs(
    prefix: &str,
    properties: &indexmap::IndexMap<String, Property>,
    required: &[String],
) -> Vec<Input> {
    let mut all = Vec::new();
    for (name, property) in properties {
        let full = format!("{prefix}{name}");
        all.push(Input {
            name: full.clone(),
            kind: property.kind.as_str(),
            required: required.contains(name) && property.default.is_none(),
            default: property.default.as_ref().map(plain).unwrap_or_default(),
            allowed: property.choices.iter().map(plain).collect::<Vec<_>>().join(", "),
            description: property.description.clone().unwrap_or_default(),
        });
        all.extend(inputs(
            &format!("{full}."),
            &property.properties,
            &property.required,
        ));
        if let Some(item) = &property.items {
            all.extend(inputs(&format!("{full}[]."), &item.properties, &item.required));
        }
    }
    all
}

#[derive(Template)]
#[template(path = "version.html")]
struct Version<'a> {
    v: &'a Visit,
    row: &'a crate::store::templates::VersionRow,
    state: Badge,
    message: String,
    compatible: String,
    created: When,
    groups: Vec<(&'static str, Vec<Input>)>,
    digest: String,
    source: String,
    users: Html,
}

#[derive(Template)]
#[template(path = "publish.html")]
struct Publish<'a> {
    v: &'a Visit,
    action: String,
}

/// One version of a template.
pub(super) async fn version(
    v: &Visit,
    kind: TemplateKind,
    name: &TemplateName,
    version: TemplateVersion,
) -> Result<Shown, AppError> {
    let view = v.app.get_version(&v.caller, kind, name, version).await?;
    let t = v.t;
    let mut groups = Vec::new();
    for (which, label) in [
        (InputType::Environment, t.inputs),
        (InputType::Service, t.inputs_instance),
        (InputType::Pipeline, t.inputs_pipeline),
    ] {
        if let Some(schema) = form::inputs(v, &view, which).await? {
            groups.push((label, inputs("", &schema.properties, &schema.required)));
        }
    }
    let page = Version {
        v,
        state: word(&view.state),
        message: view.message(),
        compatible: view
            .row
            .compatible
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
        created: When(view.row.created_at),
        groups,
        digest: view
            .row
            .content
            .as_ref()
            .map(|content| content.digest.to_string())
            .unwrap_or_default(),
        source: view
            .row
            .source
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        users: users(v, kind, name, version).await?,
        row: &view.row,
    };
    let mut shown = Shown::titled(form::version_label(name, version));
    shown.lead = match kind {
        TemplateKind::Environment => t.environment_template.to_owned(),
        TemplateKind::Service => t.service_template.to_owned(),
    };
    shown.live = Some(Html::of(&page)?);
    if view.state.deployable() {
        let at = format!("/catalog/{}/{name}/{version}", kind.word());
        shown.actions.push(Link::to(format!("{at}/readme"), t.readme));
        shown
            .actions
            .push(Link::to(format!("{at}/changes"), t.differences));
    }
    if matches!(view.state, VersionState::Published) {
        shown.actions.extend(make(v, kind, name, Some(version)));
    }
    if matches!(view.state, VersionState::Draft) && v.may(Action::WriteTemplate) {
        let action = format!("/catalog/{}/{name}/{version}/publish", kind.word());
        shown.fixed = Html::of(&Publish { v, action })?;
    }
    Ok(shown)
}

/// What runs a version.
async fn users(
    v: &Visit,
    kind: TemplateKind,
    name: &TemplateName,
    version: TemplateVersion,
) -> Result<Html, AppError> {
    let (kinds, action): (&[&'static str], _) = match kind {
        TemplateKind::Environment => (&["environment"], Action::ReadEnvironment),
        TemplateKind::Service => (&["instance", "pipeline"], Action::ReadService),
    };
    let mut lines = Vec::new();
    if v.may(action) {
        for kind in kinds {
            let filter = Filter {
                kind,
                template: Some(name.clone()),
                ..Filter::default()
            };
            let none = (String::new(), String::new());
            let rows = v.app.list_targets(&v.caller, filter, none, PAGE).await?;
            lines.extend(rows.iter().filter(|row| row.version == version).map(Line::of));
        }
    }
    Html::of(&Lines {
        v,
        caption: v.t.who_runs_it,
        kinds: true,
        environments: false,
        templates: false,
        lines,
        next: String::new(),
    })
}

/// Publishes a draft.
pub(super) async fn publish(deed: &Deed, kind: &str, name: &str, text: &str) -> Result<Outcome, AppError> {
    let kind = kind_of(kind).ok_or_else(|| AppError::not_found("template", kind))?;
    let (name, number): (TemplateName, TemplateVersion) =
        (named("template", name)?, named("template", text)?);
    let request = deed.request("PublishTemplateVersion");
    match deed
        .visit
        .app
        .publish_version(request, kind, name.clone(), number)
        .await
    {
        Ok(_) => Ok(Outcome::Done(format!(
            "/catalog/{}/{name}/{number}?done=published",
            kind.word()
        ))),
        Err(error) => {
            let shown = version(&deed.visit, kind, &name, number).await?;
            Ok(again(error, shown))
        }
    }
}
