//! Environments: what there is, and making, changing and deleting them by forms from the schema of their template.

use askama::Template;
use hadron_domain::authority::Action;
use hadron_domain::template::{TemplateKind, Wanted};
use hadron_proto::vocab::{ConnectionId, EnvironmentName};
use hadron_templates::{EnvironmentSpec, InputSchema, InputType, SpecMap};

use super::choice::{choose, mode, template_of, versions};
use super::deed::{Deed, Outcome, again, named};
use super::deletion::{Delete, retainable, retained, typed};
use super::form::{self, Errors};
use super::show::{Html, Link, Shown, wrong};
use super::target::{self, Line, Lines, PAGE, begun};
use super::visit::{Fields, Visit};
use crate::app::AppError;
use crate::app::environments::{EnvironmentUpdate, NewEnvironment, Path, UpdateMode};
use crate::app::templates::VersionView;
use crate::store::connections::Filter as ConnectionFilter;
use crate::store::targets::{EnvironmentRoles, Filter, TargetRow};
use crate::store::templates::TemplateRow;

/// What fields of inputs begin with.
const PREFIX: &str = "in";

/// All of them.
pub(super) async fn list(v: &Visit) -> Result<Shown, AppError> {
    let filter = Filter {
        kind: "environment",
        ..Filter::default()
    };
    let after = (String::new(), v.query.get("after").to_owned());
    let rows = v.app.list_targets(&v.caller, filter, after, PAGE).await?;
    let next = rows.last().filter(|_| rows.len() >= PAGE as usize);
    let lines = Lines {
        v,
        caption: v.t.nav_environments,
        kinds: false,
        environments: false,
        templates: true,
        lines: rows.iter().map(Line::of).collect(),
        next: next
            .map(|row| format!("/environments?after={}", row.target.name()))
            .unwrap_or_default(),
    };
    let mut shown = Shown::titled(v.t.nav_environments);
    shown.lead = v.t.environments_lead.to_owned();
    shown.live = Some(Html::of(&lines)?);
    if v.may(Action::WriteEnvironment) {
        shown
            .actions
            .push(Link::to("/environments/new", v.t.environment_create));
    }
    Ok(shown)
}

/// One of them.
pub(super) async fn one(v: &Visit, name: &EnvironmentName) -> Result<Shown, AppError> {
    let row = v.app.get_environment(&v.caller, name).await?;
    let mut shown = Shown::titled(name.to_string());
    shown.lead = v.t.environment.to_owned();
    if v.may_at(Action::WriteEnvironment, &row.place()) {
        shown
            .actions
            .push(Link::to(format!("/environments/{name}/edit"), v.t.change));
        shown
            .actions
            .push(Link::to(format!("/environments/{name}/delete"), v.t.delete));
    }
    shown.live = Some(target::view(v, &row).await?);
    if v.may(Action::ReadService) {
        let filter = Filter {
            kind: "instance",
            environment: Some(name.clone()),
            ..Filter::default()
        };
        let none = (String::new(), String::new());
        let instances = v.app.list_targets(&v.caller, filter, none, PAGE).await?;
        let lines = Lines {
            v,
            caption: v.t.instances,
            kinds: false,
            environments: false,
            templates: true,
            lines: instances.iter().map(Line::of).collect(),
            next: String::new(),
        };
        if let Some(live) = &mut shown.live {
            live.0.push_str(&Html::of(&lines)?.0);
        }
    }
    Ok(shown)
}

#[derive(Template)]
#[template(path = "environment_form.html")]
struct EnvironmentForm<'a> {
    v: &'a Visit,
    new: bool,
    action: String,
    template: String,
    version: String,
    described: String,
    name: &'a str,
    description: &'a str,
    connections: Vec<(String, String, bool)>,
    fields: Html,
    yaml: &'a str,
    versions: Vec<(String, bool)>,
}

/// What the fields are, for a version.
async fn schema(v: &Visit, version: &VersionView) -> Result<Option<InputSchema>, AppError> {
    form::inputs(v, version, InputType::Environment).await
}

/// The form for a new one; without a template, the choice of one.
pub(super) async fn new(v: &Visit) -> Result<Shown, AppError> {
    v.app.may(&v.caller, Action::WriteEnvironment).await?;
    if v.query.some("template").is_none() {
        return choose(v, TemplateKind::Environment, "/environments/new").await;
    }
    new_form(v, &v.query, &Errors::default()).await
}

async fn new_form(v: &Visit, fields: &Fields, errors: &Errors) -> Result<Shown, AppError> {
    let (template, version) = template_of(v, TemplateKind::Environment, fields).await?;
    let name = template.name;
    let schema = schema(v, &version).await?;
    let filter = ConnectionFilter {
        statuses: vec!["CONNECTED".to_owned()],
        ..ConnectionFilter::default()
    };
    let mut choices = Vec::new();
    if v.may(Action::ReadConnection) {
        let views = v
            .app
            .list_connections(&v.caller, filter, String::new(), PAGE)
            .await?;
        choices.extend(views.iter().map(|view| {
            let c = &view.connection;
            let label = format!("{} \u{2013} {} {}", c.environment, c.account, c.region);
            (
                c.id.to_string(),
                label,
                fields.get("connection") == c.id.to_string(),
            )
        }));
    }
    let form = EnvironmentForm {
        v,
        new: true,
        action: "/environments/new".to_owned(),
        template: name.to_string(),
        version: version.row.version.to_string(),
        described: schema
            .as_ref()
            .and_then(|schema| schema.description.clone())
            .unwrap_or_default(),
        name: fields.get("name"),
        description: fields.get("description"),
        connections: choices,
        fields: match &schema {
            Some(schema) => form::fields(v, schema, fields, PREFIX, errors)?,
            None => Html::default(),
        },
        yaml: fields.get("spec"),
        versions: Vec::new(),
    };
    let mut shown = Shown::titled(v.t.environment_create);
    shown.lead = form::version_label(&name, version.row.version);
    shown.fixed = Html::of(&form)?;
    Ok(shown)
}

/// The text of a spec from the fields of a form.
fn text_of(schema: Option<&InputSchema>, fields: &Fields, before: SpecMap) -> String {
    let inputs = match schema {
        Some(schema) => form::spec(schema, fields, PREFIX, before),
        None => before,
    };
    EnvironmentSpec { inputs }.to_text()
}

/// What a form says its spec is: what was written as YAML, or what its fields make.
fn spec_of(schema: Option<&InputSchema>, fields: &Fields, before: SpecMap) -> String {
    if fields.get("do") == "yaml" {
        fields.get("spec").replace("\r\n", "\n")
    } else {
        text_of(schema, fields, before)
    }
}

/// Fields that show what a spec says, where it can be read.
fn from_text(schema: Option<&InputSchema>, fields: &Fields, text: &str) -> Fields {
    let (Some(schema), Ok(spec)) = (schema, EnvironmentSpec::parse("spec", text)) else {
        return fields.clone();
    };
    let mut next = fields.clone();
    next.0.retain(|(name, _)| !name.starts_with("in."));
    next.0.extend(form::filled(schema, &spec.inputs, PREFIX).0);
    next
}

/// The same form with another text of the spec.
fn with_text(fields: &Fields, text: &str) -> Fields {
    let mut next = fields.clone();
    next.0.retain(|(name, _)| name != "spec");
    next.0.push(("spec".to_owned(), text.to_owned()));
    next
}

/// Makes one.
pub(super) async fn create(deed: &Deed) -> Result<Outcome, AppError> {
    let (v, fields) = (&deed.visit, &deed.form);
    let (_, version) = template_of(v, TemplateKind::Environment, fields).await?;
    let schema = schema(v, &version).await?;
    let spec = spec_of(schema.as_ref(), fields, SpecMap::default());
    let shown = if fields.get("do") == "yaml" {
        from_text(schema.as_ref(), fields, &spec)
    } else {
        with_text(fields, &spec)
    };
    if !["create", "yaml"].contains(&fields.get("do")) {
        return Ok(Outcome::Again(new_form(v, &shown, &Errors::default()).await?));
    }
    let created = async {
        let new = NewEnvironment {
            name: deed.word("name")?,
            template: deed.word("template")?,
            version: Wanted::Exactly(version.row.version),
            path: Path::of(
                None,
                deed.word_opt::<ConnectionId>("connection")?,
                None,
                Path::Configured,
            )?,
            component_role: None,
            codebuild_role: None,
            spec,
            description: deed.description()?,
        };
        v.app
            .create_environment(deed.request("CreateEnvironment"), new)
            .await
    };
    match Box::pin(created).await {
        Ok(row) => Ok(Outcome::Done(begun(&row))),
        Err(error) => {
            let errors = Errors::of(&error, PREFIX);
            let page = new_form(v, &shown, &errors).await?;
            Ok(again(error, page))
        }
    }
}

/// The form that changes one.
pub(super) async fn edit(v: &Visit, name: &EnvironmentName) -> Result<Shown, AppError> {
    let row = v.app.get_environment(&v.caller, name).await?;
    v.app
        .may_at(&v.caller, Action::WriteEnvironment, &row.place())
        .await?;
    edit_form(v, &row, None, &Errors::default()).await
}

/// The version that a change is to, as its form says.
async fn wanted(v: &Visit, row: &TargetRow, fields: &Fields) -> Result<(TemplateRow, VersionView), AppError> {
    let kind = TemplateKind::Environment;
    let name = row
        .template
        .clone()
        .ok_or_else(|| AppError::not_found("template", ""))?;
    let template = v.app.get_template(&v.caller, kind, &name).await?;
    let version = match fields.some("version") {
        Some(text) => text.parse().map_err(|error| wrong("version", error))?,
        None => row.version,
    };
    let view = v.app.get_version(&v.caller, kind, &name, version).await?;
    Ok((template, view))
}

async fn edit_form(
    v: &Visit,
    row: &TargetRow,
    given: Option<&Fields>,
    errors: &Errors,
) -> Result<Shown, AppError> {
    let (template, version) = wanted(v, row, given.unwrap_or(&v.query)).await?;
    let schema = schema(v, &version).await?;
    let stored = || {
        let mut fields = from_text(schema.as_ref(), &Fields::default(), &row.spec);
        fields.0.push(("description".to_owned(), row.description.clone()));
        fields.0.push(("spec".to_owned(), row.spec.clone()));
        fields
    };
    let fields = given.cloned().unwrap_or_else(stored);
    let form = EnvironmentForm {
        v,
        new: false,
        action: format!("/environments/{}/edit", row.target.name()),
        template: template.name.to_string(),
        version: version.row.version.to_string(),
        described: schema
            .as_ref()
            .and_then(|schema| schema.description.clone())
            .unwrap_or_default(),
        name: "",
        description: fields.get("description"),
        connections: Vec::new(),
        fields: match &schema {
            Some(schema) => form::fields(v, schema, &fields, PREFIX, errors)?,
            None => Html::default(),
        },
        yaml: fields.get("spec"),
        versions: versions(&template, row.version, version.row.version),
    };
    let mut shown = Shown::titled(format!("{} \u{2013} {}", row.target.name(), v.t.change));
    shown.lead = form::version_label(&template.name, version.row.version);
    shown.fixed = Html::of(&form)?;
    Ok(shown)
}

/// Nothing is to change but what is named.
const fn unchanged(name: EnvironmentName, mode: UpdateMode) -> EnvironmentUpdate {
    EnvironmentUpdate {
        name,
        mode,
        spec: None,
        version: None,
        description: None,
        connection: None,
        roles: EnvironmentRoles {
            service: None,
            component: None,
            codebuild: None,
        },
        repository: None,
    }
}

/// Changes one.
pub(super) async fn update(deed: &Deed, name: &str) -> Result<Outcome, AppError> {
    let (v, fields) = (&deed.visit, &deed.form);
    let name: EnvironmentName = named("environment", name)?;
    let row = v.app.get_environment(&v.caller, &name).await?;
    let (_, version) = wanted(v, &row, fields).await?;
    let schema = schema(v, &version).await?;
    let before = EnvironmentSpec::parse("spec", &row.spec)
        .map(|spec| spec.inputs)
        .unwrap_or_default();
    let spec = spec_of(schema.as_ref(), fields, before);
    let shown = if fields.get("do") == "yaml" {
        from_text(schema.as_ref(), fields, &spec)
    } else {
        with_text(fields, &spec)
    };
    if !["update", "yaml"].contains(&fields.get("do")) {
        return Ok(Outcome::Again(
            edit_form(v, &row, Some(&shown), &Errors::default()).await?,
        ));
    }
    let updated = async {
        let mode = mode(row.version, version.row.version);
        let update = EnvironmentUpdate {
            spec: Some(spec),
            version: (!matches!(mode, UpdateMode::Current)).then_some(Wanted::Exactly(version.row.version)),
            description: Some(deed.description()?),
            ..unchanged(name, mode)
        };
        v.app
            .update_environment(deed.request("UpdateEnvironment"), update)
            .await
    };
    match Box::pin(updated).await {
        Ok(row) => Ok(Outcome::Done(begun(&row))),
        Err(error) => {
            let errors = Errors::of(&error, PREFIX);
            let page = edit_form(v, &row, Some(&shown), &errors).await?;
            Ok(again(error, page))
        }
    }
}

/// The same once more.
pub(super) async fn redeploy(deed: &Deed, name: &str) -> Result<Outcome, AppError> {
    let name: EnvironmentName = named("environment", name)?;
    let update = unchanged(name, UpdateMode::Current);
    let row = deed
        .visit
        .app
        .update_environment(deed.request("UpdateEnvironment"), update)
        .await?;
    Ok(Outcome::Done(begun(&row)))
}

/// Asks before one is deleted.
pub(super) async fn delete(v: &Visit, name: &EnvironmentName) -> Result<Shown, AppError> {
    delete_form(v, name, &v.query).await
}

async fn delete_form(v: &Visit, name: &EnvironmentName, fields: &Fields) -> Result<Shown, AppError> {
    let row = v.app.get_environment(&v.caller, name).await?;
    v.app
        .may_at(&v.caller, Action::WriteEnvironment, &row.place())
        .await?;
    let form = Delete {
        v,
        action: format!("/environments/{name}/delete"),
        name: name.to_string(),
        typed: fields.get("name"),
        retain: retainable(&row, fields),
    };
    let mut shown = Shown::titled(format!("{name} \u{2013} {}", v.t.delete));
    shown.lead = v.t.environment_delete_lead.to_owned();
    shown.fixed = Html::of(&form)?;
    Ok(shown)
}

/// Deletes one.
pub(super) async fn remove(deed: &Deed, name: &str) -> Result<Outcome, AppError> {
    let (v, name) = (&deed.visit, named::<EnvironmentName>("environment", name)?);
    let removed = async {
        typed(deed, name.as_str())?;
        let request = deed.request("DeleteEnvironment");
        v.app
            .delete_environment(request, name.clone(), retained(deed))
            .await
    };
    match removed.await {
        Ok(row) => Ok(Outcome::Done(match row.attempted {
            Some((id, _)) => format!("/deployments/{id}?done=begun"),
            None => "/environments?done=deleted".to_owned(),
        })),
        Err(error) => {
            let page = delete_form(v, &name, &deed.form).await?;
            Ok(again(error, page))
        }
    }
}
