//! Services with their instances and pipelines: what there is, and making, changing and deleting them.

use askama::Template;
use hadron_domain::authority::{Action, Place};
use hadron_domain::target::Target;
use hadron_domain::template::{TemplateKind, VersionState, Wanted};
use hadron_proto::vocab::{InstanceName, ServiceName, TemplateVersion};
use hadron_templates::{InputSchema, InputType, InstanceSpec, ServiceSpec, SpecMap};

use super::deed::{Deed, Outcome, again, named};
use super::environments::{Delete, Lines, PAGE, begun, choose, mode, template_of, typed};
use super::form::{self, Errors};
use super::show::{Badge, Html, Link, Shown, When, wrong};
use super::target::{self, Line};
use super::visit::{Fields, Visit};
use crate::app::AppError;
use crate::app::environments::UpdateMode;
use crate::app::instances::PartUpdate;
use crate::app::services::{NewService, ServiceView};
use crate::app::templates::VersionView;
use crate::store::targets::{Filter, TargetRow};
use crate::store::templates::TemplateRow;

/// What fields of a pipeline's inputs begin with.
const PIPELINE: &str = "pipeline";
/// What fields of instances begin with, before their number.
const INSTANCE: &str = "i";
/// What fields of one part's inputs begin with.
const PREFIX: &str = "in";

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

/// One instance.
pub(super) async fn instance(
    v: &Visit,
    service: &ServiceName,
    name: &InstanceName,
) -> Result<Shown, AppError> {
    let row = v.app.get_instance(&v.caller, service, name).await?;
    part(v, &row, service).await
}

/// The pipeline.
pub(super) async fn pipeline(v: &Visit, service: &ServiceName) -> Result<Shown, AppError> {
    let row = v.app.get_pipeline(&v.caller, service).await?;
    part(v, &row, service).await
}

async fn part(v: &Visit, row: &TargetRow, service: &ServiceName) -> Result<Shown, AppError> {
    let mut shown = Shown::titled(row.target.name());
    shown.lead = match row.target {
        Target::Pipeline(_) => v.t.pipeline.to_owned(),
        _ => v.t.instance.to_owned(),
    };
    shown
        .actions
        .push(Link::to(format!("/services/{service}"), v.t.service));
    if v.may_at(Action::WriteService, &row.place()) {
        let to = format!("{}/edit", super::show::href(&row.target));
        shown.actions.push(Link::to(to, v.t.change));
    }
    shown.live = Some(target::view(v, row).await?);
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

#[derive(Template)]
#[template(path = "part_form.html")]
struct PartForm<'a> {
    v: &'a Visit,
    action: String,
    version: String,
    versions: Vec<(String, bool)>,
    fields: Html,
}

/// A part of a service, with the whole spec that it was deployed with.
struct Part {
    row: TargetRow,
    spec: ServiceSpec,
    instance: Option<InstanceName>,
}

impl Part {
    async fn of(v: &Visit, service: &ServiceName, instance: Option<&InstanceName>) -> Result<Self, AppError> {
        let row = match instance {
            Some(name) => v.app.get_instance(&v.caller, service, name).await?,
            None => v.app.get_pipeline(&v.caller, service).await?,
        };
        v.app
            .may_at(&v.caller, Action::WriteService, &row.place())
            .await?;
        let text = if row.spec.is_empty() {
            v.app.get_service(&v.caller, service).await?.service.spec
        } else {
            row.spec.clone()
        };
        Ok(Self {
            row,
            spec: ServiceSpec::parse("spec", &text)?,
            instance: instance.cloned(),
        })
    }

    fn inputs(&self) -> SpecMap {
        match &self.instance {
            Some(name) => self
                .spec
                .instance(name)
                .map(|instance| instance.inputs.clone())
                .unwrap_or_default(),
            None => self.spec.pipeline.clone().unwrap_or_default(),
        }
    }

    fn with(mut self, inputs: SpecMap) -> String {
        match &self.instance {
            Some(name) => {
                for instance in self
                    .spec
                    .instances
                    .iter_mut()
                    .filter(|instance| instance.name == *name)
                {
                    instance.inputs = inputs.clone();
                }
            }
            None => self.spec.pipeline = Some(inputs),
        }
        self.spec.to_text()
    }

    const fn which(&self) -> InputType {
        match self.instance {
            Some(_) => InputType::Service,
            None => InputType::Pipeline,
        }
    }

    /// The version that a change is to, as its form says, with its fields.
    async fn wanted(
        &self,
        v: &Visit,
        fields: &Fields,
    ) -> Result<(TemplateRow, VersionView, Option<InputSchema>), AppError> {
        let kind = TemplateKind::Service;
        let name = self
            .row
            .template
            .clone()
            .ok_or_else(|| AppError::not_found("template", ""))?;
        let template = v.app.get_template(&v.caller, kind, &name).await?;
        let version: TemplateVersion = match fields.some("version") {
            Some(text) => text.parse().map_err(|error| wrong("version", error))?,
            None => self.row.version,
        };
        let view = v.app.get_version(&v.caller, kind, &name, version).await?;
        let schema = form::inputs(v, &view, self.which()).await?;
        Ok((template, view, schema))
    }
}

/// The form that changes the inputs and the version of an instance or of the pipeline.
pub(super) async fn edit_part(
    v: &Visit,
    service: &ServiceName,
    instance: Option<&InstanceName>,
) -> Result<Shown, AppError> {
    let part = Part::of(v, service, instance).await?;
    part_form(v, &part, None, &Errors::default()).await
}

async fn part_form(
    v: &Visit,
    part: &Part,
    given: Option<&Fields>,
    errors: &Errors,
) -> Result<Shown, AppError> {
    let (template, version, schema) = part.wanted(v, given.unwrap_or(&v.query)).await?;
    let now = part.row.version;
    let published = template.versions.existing.iter().filter(|(version, state)| {
        **version == now || (**version > now && matches!(state, VersionState::Published))
    });
    let filled = schema
        .as_ref()
        .map(|schema| form::filled(schema, &part.inputs(), PREFIX));
    let fields = given.cloned().or(filled).unwrap_or_default();
    let form = PartForm {
        v,
        action: format!("{}/edit", super::show::href(&part.row.target)),
        version: version.row.version.to_string(),
        versions: published
            .map(|(each, _)| (each.to_string(), *each == version.row.version))
            .collect(),
        fields: match &schema {
            Some(schema) => form::fields(v, schema, &fields, PREFIX, errors)?,
            None => Html::default(),
        },
    };
    let mut shown = Shown::titled(format!("{} \u{2013} {}", part.row.target.name(), v.t.change));
    shown.lead = form::version_label(&template.name, version.row.version);
    shown.fixed = Html::of(&form)?;
    Ok(shown)
}

async fn deploy(
    deed: &Deed,
    service: &ServiceName,
    instance: Option<&InstanceName>,
    update: PartUpdate,
) -> Result<TargetRow, AppError> {
    let app = &deed.visit.app;
    match instance {
        Some(name) => {
            let request = deed.request("UpdateInstance");
            app.update_instance(request, service.clone(), name.clone(), update)
                .await
        }
        None => {
            app.update_pipeline(deed.request("UpdatePipeline"), service.clone(), update)
                .await
        }
    }
}

fn names(service: &str, instance: Option<&str>) -> Result<(ServiceName, Option<InstanceName>), AppError> {
    let instance = instance.map(|name| named("service instance", name)).transpose()?;
    Ok((named("service", service)?, instance))
}

/// Changes an instance or the pipeline.
pub(super) async fn update_part(
    deed: &Deed,
    service: &str,
    instance: Option<&str>,
) -> Result<Outcome, AppError> {
    let v = &deed.visit;
    let (service, instance) = names(service, instance)?;
    let part = Part::of(v, &service, instance.as_ref()).await?;
    if deed.form.get("do") != "update" {
        return Ok(Outcome::Again(
            part_form(v, &part, Some(&deed.form), &Errors::default()).await?,
        ));
    }
    let (_, version, schema) = part.wanted(v, &deed.form).await?;
    let to = version.row.version;
    let mode = mode(part.row.version, to);
    let inputs = match &schema {
        Some(schema) => form::spec(schema, &deed.form, PREFIX, part.inputs()),
        None => part.inputs(),
    };
    let update = PartUpdate {
        mode,
        spec: Some(
            Part {
                row: part.row.clone(),
                spec: part.spec.clone(),
                instance: part.instance.clone(),
            }
            .with(inputs),
        ),
        version: (!matches!(mode, UpdateMode::Current)).then_some(Wanted::Exactly(to)),
    };
    match Box::pin(deploy(deed, &service, instance.as_ref(), update)).await {
        Ok(row) => Ok(Outcome::Done(begun(&row))),
        Err(error) => {
            let errors = Errors::of(&error, PREFIX);
            let page = part_form(v, &part, Some(&deed.form), &errors).await?;
            Ok(again(error, page))
        }
    }
}

/// The same once more.
pub(super) async fn redeploy(
    deed: &Deed,
    service: &str,
    instance: Option<&str>,
) -> Result<Outcome, AppError> {
    let (service, instance) = names(service, instance)?;
    let update = PartUpdate {
        mode: UpdateMode::Current,
        spec: None,
        version: None,
    };
    let row = Box::pin(deploy(deed, &service, instance.as_ref(), update)).await?;
    Ok(Outcome::Done(begun(&row)))
}
