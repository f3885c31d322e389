//! Services: what there is, and making, changing and deleting them with all their parts. A part by itself is in
//! [`parts`](super::parts).

use askama::Template;
use hadron_domain::authority::{Action, Place};
use hadron_domain::template::{TemplateKind, Wanted};
use hadron_proto::vocab::ServiceName;
use hadron_templates::{InputSchema, InputType, InstanceSpec, ServiceSpec, SpecMap};

use super::choice::{choose, template_of};
use super::deed::{Deed, Outcome, again, named};
use super::deletion::{Delete, typed};
use super::form::{self, Errors};
use super::show::{Badge, Html, Link, Shown, When, wrong};
use super::target::{Line, Lines, PAGE};
use super::visit::{Fields, Visit};
use crate::app::AppError;
use crate::app::services::{NewService, ServiceView};
use crate::app::templates::VersionView;
use crate::store::targets::Filter;
use crate::store::templates::TemplateRow;

/// What fields of a pipeline's inputs begin with.
const PIPELINE: &str = "pipeline";
/// What fields of instances begin with, before their number.
const INSTANCE: &str = "i";

struct Row {
    name: String,
    status: Badge,
    message: String,
    template: String,
    instances: usize,
    pipeline: Option<Badge>,
    modified: When,
}

#[derive(Template)]
#[template(path = "services.html")]
struct List<'a> {
    v: &'a Visit,
    rows: Vec<Row>,
    next: String,
}

/// All of them.
pub(super) async fn list(v: &Visit) -> Result<Shown, AppError> {
    let after = v.query.get("after").to_owned();
    let views = v.app.list_services(&v.caller, after, PAGE).await?;
    let next = views.last().filter(|_| views.len() >= PAGE as usize);
    let list = List {
        v,
        next: next
            .map(|view| format!("/services?after={}", view.service.name))
            .unwrap_or_default(),
        rows: views
            .iter()
            .map(|view| Row {
                name: view.service.name.to_string(),
                status: Badge::of(view.service.status.word()),
                message: view.service.message.lines().next().unwrap_or_default().to_owned(),
                template: format!("{}:{}", view.service.template, view.service.version),
                instances: view.instances.len(),
                pipeline: view.pipeline.as_ref().map(|row| Badge::of(row.status.as_str())),
                modified: When(view.service.modified_at),
            })
            .collect(),
    };
    let mut shown = Shown::titled(v.t.nav_services);
    shown.lead = v.t.services_lead.to_owned();
    shown.live = Some(Html::of(&list)?);
    if v.may(Action::WriteService) {
        shown.actions.push(Link::to("/services/new", v.t.service_create));
    }
    Ok(shown)
}

#[derive(Template)]
#[template(path = "service.html")]
struct One<'a> {
    v: &'a Visit,
    service: &'a crate::store::services::ServiceRow,
    status: Badge,
    created: When,
    modified: When,
    parts: Html,
}

/// One of them.
pub(super) async fn one(v: &Visit, name: &ServiceName) -> Result<Shown, AppError> {
    let view = v.app.get_service(&v.caller, name).await?;
    let parts = Lines {
        v,
        caption: v.t.instances_and_pipeline,
        kinds: true,
        environments: true,
        templates: true,
        lines: view
            .instances
            .iter()
            .chain(&view.pipeline)
            .map(Line::of)
            .collect(),
        next: String::new(),
    };
    let one = One {
        v,
        service: &view.service,
        status: Badge::of(view.service.status.word()),
        created: When(view.service.created_at),
        modified: When(view.service.modified_at),
        parts: Html::of(&parts)?,
    };
    let mut shown = Shown::titled(name.to_string());
    shown.lead = v.t.service.to_owned();
    shown.live = Some(Html::of(&one)?);
    if v.may_at(Action::WriteService, &Place::service(name.clone())) {
        shown
            .actions
            .push(Link::to(format!("/services/{name}/edit"), v.t.change));
        shown
            .actions
            .push(Link::to(format!("/services/{name}/delete"), v.t.delete));
    }
    Ok(shown)
}

/// The fields of one instance of a new service.
struct InstanceFields {
    number: usize,
    name: String,
    environment: String,
    fields: Html,
}

#[derive(Template)]
#[template(path = "service_form.html")]
struct ServiceForm<'a> {
    v: &'a Visit,
    template: String,
    version: String,
    name: &'a str,
    description: &'a str,
    sourced: bool,
    source: (&'a str, &'a str, &'a str),
    pipeline: Option<Html>,
    instances: Vec<InstanceFields>,
    environments: Vec<String>,
    yaml: &'a str,
}

/// What the fields of a version are.
struct Schemas {
    instance: Option<InputSchema>,
    pipeline: Option<InputSchema>,
}

async fn schemas(v: &Visit, version: &VersionView) -> Result<Schemas, AppError> {
    Ok(Schemas {
        instance: form::inputs(v, version, InputType::Service).await?,
        pipeline: form::inputs(v, version, InputType::Pipeline).await?,
    })
}

/// The form for a new one; without a template, the choice of one.
pub(super) async fn new(v: &Visit) -> Result<Shown, AppError> {
    v.app.may(&v.caller, Action::WriteService).await?;
    if v.query.some("template").is_none() {
        return choose(v, TemplateKind::Service, "/services/new").await;
    }
    new_form(v, &v.query, &Errors::default()).await
}

/// The numbers of the instances that a form has; at least one.
fn numbers(fields: &Fields) -> Vec<usize> {
    let mut numbers: Vec<usize> = fields
        .0
        .iter()
        .filter_map(|(name, _)| name.strip_prefix("i.")?.split('.').next()?.parse().ok())
        .filter(|number| *number < 1_000)
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    if fields.get("do") == "instance" || numbers.is_empty() {
        numbers.push(numbers.last().map_or(0, |last| last + 1));
    }
    numbers
}

async fn environments(v: &Visit) -> Result<Vec<String>, AppError> {
    if !v.may(Action::ReadEnvironment) {
        return Ok(Vec::new());
    }
    let filter = Filter {
        kind: "environment",
        ..Filter::default()
    };
    let none = (String::new(), String::new());
    let rows = v.app.list_targets(&v.caller, filter, none, PAGE).await?;
    Ok(rows.iter().map(|row| row.target.name()).collect())
}

async fn new_form(v: &Visit, fields: &Fields, errors: &Errors) -> Result<Shown, AppError> {
    let (template, version) = template_of(v, TemplateKind::Service, fields).await?;
    let schemas = schemas(v, &version).await?;
    let mut instances = Vec::new();
    for number in numbers(fields) {
        let prefix = format!("{INSTANCE}.{number}.in");
        instances.push(InstanceFields {
            number,
            name: fields.get(&format!("{INSTANCE}.{number}.name")).to_owned(),
            environment: fields.get(&format!("{INSTANCE}.{number}.environment")).to_owned(),
            fields: match &schemas.instance {
                Some(schema) => form::fields(v, schema, fields, &prefix, errors)?,
                None => Html::default(),
            },
        });
    }
    let form = ServiceForm {
        v,
        template: template.name.to_string(),
        version: version.row.version.to_string(),
        name: fields.get("name"),
        description: fields.get("description"),
        sourced: !template.no_pipeline,
        source: (fields.get("branch"), fields.get("repository"), fields.get("link")),
        pipeline: match &schemas.pipeline {
            Some(schema) => Some(form::fields(v, schema, fields, PIPELINE, errors)?),
            None => None,
        },
        instances,
        environments: environments(v).await?,
        yaml: fields.get("spec"),
    };
    let mut shown = Shown::titled(v.t.service_create);
    shown.lead = form::version_label(&template.name, version.row.version);
    shown.fixed = Html::of(&form)?;
    Ok(shown)
}

/// The text of a spec from the fields of a form.
fn text_of(schemas: &Schemas, template: &TemplateRow, fields: &Fields) -> Result<String, AppError> {
    let word = |name: &str| fields.get(name).trim().to_owned();
    let mut instances = Vec::new();
    for number in numbers(fields) {
        let (name, environment) = (
            format!("{INSTANCE}.{number}.name"),
            format!("{INSTANCE}.{number}.environment"),
        );
        if word(&name).is_empty() && word(&environment).is_empty() && !instances.is_empty() {
            continue;
        }
        let prefix = format!("{INSTANCE}.{number}.in");
        let inputs = match &schemas.instance {
            Some(schema) => form::spec(schema, fields, &prefix, SpecMap::default()),
            None => SpecMap::default(),
        };
        instances.push(InstanceSpec {
            name: word(&name)
                .parse()
                .map_err(|error| wrong("name of an instance", error))?,
            environment: word(&environment)
                .parse()
                .map_err(|error| wrong("environment of an instance", error))?,
            inputs,
        });
    }
    let pipeline = schemas
        .pipeline
        .as_ref()
        .map(|schema| form::spec(schema, fields, PIPELINE, SpecMap::default()));
    let pipeline = pipeline.or_else(|| (!template.no_pipeline).then(SpecMap::default));
    Ok(ServiceSpec { pipeline, instances }.to_text())
}

fn with_text(fields: &Fields, text: &str) -> Fields {
    let mut next = fields.clone();
    next.0.retain(|(name, _)| name != "spec");
    next.0.push(("spec".to_owned(), text.to_owned()));
    next
}

/// Makes one.
pub(super) async fn create(deed: &Deed) -> Result<Outcome, AppError> {
    let (v, fields) = (&deed.visit, &deed.form);
    let (template, version) = template_of(v, TemplateKind::Service, fields).await?;
    let schemas = schemas(v, &version).await?;
    let spec = if fields.get("do") == "yaml" {
        Ok(fields.get("spec").replace("\r\n", "\n"))
    } else {
        text_of(&schemas, &template, fields)
    };
    let shown = match &spec {
        Ok(spec) => with_text(fields, spec),
        Err(_) => fields.clone(),
    };
    if fields.get("do") == "instance" || fields.get("do").starts_with("add:") {
        return Ok(Outcome::Again(new_form(v, fields, &Errors::default()).await?));
    }
    if fields.get("do") == "preview" && spec.is_ok() {
        return Ok(Outcome::Again(new_form(v, &shown, &Errors::default()).await?));
    }
    let created = async {
        let text = |name: &str| fields.get(name).trim().to_owned();
        let new = NewService {
            name: deed.word("name")?,
            template: template.name.clone(),
            version: Wanted::Exactly(version.row.version),
            spec: spec?,
            description: deed.description()?,
            source: (text("branch"), text("repository"), text("link")),
        };
        let name = new.name.clone();
        v.app.create_service(deed.request("CreateService"), new).await?;
        Ok::<_, AppError>(name)
    };
    match Box::pin(created).await {
        Ok(name) => Ok(Outcome::Done(format!("/services/{name}?done=begun"))),
        Err(error) => {
            let errors = Errors::of(&error, "i.0.in");
            let page = new_form(v, &shown, &errors).await?;
            Ok(again(error, page))
        }
    }
}

#[derive(Template)]
#[template(path = "service_edit.html")]
struct EditService<'a> {
    v: &'a Visit,
    name: String,
    description: &'a str,
    yaml: &'a str,
}

/// The form that changes one: which instances it has.
pub(super) async fn edit(v: &Visit, name: &ServiceName) -> Result<Shown, AppError> {
    edit_form(v, name, None).await
}

async fn edit_form(v: &Visit, name: &ServiceName, given: Option<&Fields>) -> Result<Shown, AppError> {
    let view: ServiceView = v.app.get_service(&v.caller, name).await?;
    let place = Place::service(name.clone());
    v.app.may_at(&v.caller, Action::WriteService, &place).await?;
    let form = EditService {
        v,
        name: name.to_string(),
        description: given.map_or(view.service.description.as_str(), |fields| {
            fields.get("description")
        }),
        yaml: given.map_or(view.service.spec.as_str(), |fields| fields.get("spec")),
    };
    let mut shown = Shown::titled(format!("{name} \u{2013} {}", v.t.change));
    shown.lead = v.t.service_edit_lead.to_owned();
    shown.fixed = Html::of(&form)?;
    Ok(shown)
}

/// Changes one.
pub(super) async fn update(deed: &Deed, name: &str) -> Result<Outcome, AppError> {
    let (v, name) = (&deed.visit, named::<ServiceName>("service", name)?);
    let updated = async {
        let spec = deed.form.get("spec").replace("\r\n", "\n");
        let description = deed.description()?;
        let request = deed.request("UpdateService");
        v.app
            .update_service(request, name.clone(), Some(spec), Some(description))
            .await
    };
    match Box::pin(updated).await {
        Ok(_) => Ok(Outcome::Done(format!("/services/{name}?done=begun"))),
        Err(error) => {
            let page = edit_form(v, &name, Some(&deed.form)).await?;
            Ok(again(error, page))
        }
    }
}

/// Asks before one is deleted.
pub(super) async fn delete(v: &Visit, name: &ServiceName) -> Result<Shown, AppError> {
    delete_form(v, name, &Fields::default()).await
}

async fn delete_form(v: &Visit, name: &ServiceName, fields: &Fields) -> Result<Shown, AppError> {
    v.app.get_service(&v.caller, name).await?;
    let place = Place::service(name.clone());
    v.app.may_at(&v.caller, Action::WriteService, &place).await?;
    let form = Delete {
        v,
        action: format!("/services/{name}/delete"),
        name: name.to_string(),
        typed: fields.get("name"),
        retain: Vec::new(),
    };
    let mut shown = Shown::titled(format!("{name} \u{2013} {}", v.t.delete));
    shown.lead = v.t.service_delete_lead.to_owned();
    shown.fixed = Html::of(&form)?;
    Ok(shown)
}

/// Deletes one.
pub(super) async fn remove(deed: &Deed, name: &str) -> Result<Outcome, AppError> {
    let (v, name) = (&deed.visit, named::<ServiceName>("service", name)?);
    let removed = async {
        typed(deed, name.as_str())?;
        v.app
            .delete_service(deed.request("DeleteService"), name.clone())
            .await
    };
    match Box::pin(removed).await {
        Ok(_) => Ok(Outcome::Done(format!("/services/{name}?done=begun"))),
        Err(error) => {
            let page = delete_form(v, &name, &deed.form).await?;
            Ok(again(error, page))
        }
    }
}
