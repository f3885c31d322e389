//! Parts of services: their instances and pipelines, each by itself.

use askama::Template;
use hadron_domain::authority::Action;
use hadron_domain::target::Target;
use hadron_domain::template::{TemplateKind, Wanted};
use hadron_proto::vocab::{InstanceName, ServiceName, TemplateVersion};
use hadron_templates::{InputSchema, InputType, ServiceSpec, SpecMap};

use super::choice::{mode, versions};
use super::deed::{Deed, Outcome, again, named};
use super::form::{self, Errors};
use super::show::{Html, Link, Shown, href, wrong};
use super::target::{self, begun};
use super::visit::{Fields, Visit};
use crate::app::AppError;
use crate::app::environments::UpdateMode;
use crate::app::instances::PartUpdate;
use crate::app::templates::VersionView;
use crate::store::targets::TargetRow;
use crate::store::templates::TemplateRow;

/// What fields of a part's inputs begin with.
const PREFIX: &str = "in";

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
        let to = format!("{}/edit", href(&row.target));
        shown.actions.push(Link::to(to, v.t.change));
    }
    shown.live = Some(target::view(v, row).await?);
    Ok(shown)
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
    let filled = schema
        .as_ref()
        .map(|schema| form::filled(schema, &part.inputs(), PREFIX));
    let fields = given.cloned().or(filled).unwrap_or_default();
    let form = PartForm {
        v,
        action: format!("{}/edit", href(&part.row.target)),
        version: version.row.version.to_string(),
        versions: versions(&template, part.row.version, version.row.version),
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
