//! Services: what they are to those who ask, and what whoever changes them has to look at.
//!
//! * `create`, `change`, `delete`: what people ask for; `fresh`: new instances, whoever adds them.
//! * `advance`: what starts the parts of a service, one after another.

mod advance;
mod change;
mod create;
mod delete;
mod fresh;

use std::collections::BTreeMap;

use hadron_domain::authority::{Action, Caller, Place};
use hadron_domain::service::{Doing, Part, Parts, Stage};
use hadron_domain::target::Target;
use hadron_domain::template::CompatibleTemplate;
use hadron_proto::vocab::{EnvironmentName, ServiceName, TemplateName, TemplateVersion};
use hadron_templates::ServiceSpec;

pub(super) use change::Change;
pub use create::NewService;
pub(super) use delete::destroy;

use super::masking::{Secretive as _, shown};
use super::{App, AppError, ErrorKind, Unit};
use crate::store::services::ServiceRow;
use crate::store::targets::TargetRow;
use crate::store::{services, targets};

/// What is kept to tell a repeated creation from another one.
pub(super) const CREATION: &str = "service";

/// A service with its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceView {
    /// The service.
    pub service: ServiceRow,
    /// Its instances.
    pub instances: Vec<TargetRow>,
    /// Its pipeline.
    pub pipeline: Option<TargetRow>,
}

impl ServiceView {
    /// The service with its pipeline, if it has one now.
    #[must_use]
    pub fn with_pipeline(self) -> (ServiceRow, Option<TargetRow>) {
        (self.service, present(self.pipeline))
    }
}

fn not_found(name: &ServiceName) -> AppError {
    AppError::not_found("service", name)
}

/// The service is in the middle of something.
pub(super) fn occupied(service: &ServiceRow) -> AppError {
    AppError::new(
        ErrorKind::Conflict,
        "SERVICE_BUSY",
        format!(
            "service '{}' is in the middle of something ({})",
            service.name,
            service.status.word()
        ),
    )
    .help(format!(
        "wait until it has ended: hadron service get {}",
        service.name
    ))
}

/// What became of the parts of a service.
#[must_use]
pub fn parts(rows: &[TargetRow]) -> Parts {
    let mut instances = BTreeMap::new();
    let mut pipeline = None;
    for row in rows {
        match &row.target {
            Target::Instance(_, name) => {
                instances.insert(name.clone(), row.part);
            }
            Target::Pipeline(_) => pipeline = Some(row.part),
            Target::Environment(_) | Target::Component(_) => {}
        }
    }
    Parts { instances, pipeline }
}

/// Checks that a bundle's instances may live in an environment, and gives the environment.
pub(super) fn compatible(
    environment: &TargetRow,
    with: &[CompatibleTemplate],
    template: &TemplateName,
    version: TemplateVersion,
) -> Result<(), AppError> {
    let made_from = environment.made_from()?;
    let fits = with
        .iter()
        .any(|each| each.template == *made_from && each.major == environment.version.major);
    if fits {
        return Ok(());
    }
    let list: Vec<String> = with.iter().map(ToString::to_string).collect();
    Err(AppError::invalid(
        "INCOMPATIBLE_ENVIRONMENT",
        format!(
            "{template}:{version} runs in environments of {}, but {} is one of {made_from}:{}",
            list.join(", "),
            environment.target,
            environment.version.major
        ),
    )
    .help("choose another environment or another template version"))
}

/// An environment that instances can live in.
fn live(name: &EnvironmentName, row: Option<TargetRow>) -> Result<TargetRow, AppError> {
    let row = row.ok_or_else(|| AppError::not_found("environment", name))?;
    if !row.ever_succeeded {
        return Err(AppError::new(
            ErrorKind::Precondition,
            "ENVIRONMENT_NOT_DEPLOYED",
            format!(
                "environment '{name}' has not been deployed successfully yet ({})",
                row.status
            ),
        )
        .help(format!("see it: hadron environment get {name}")));
    }
    if row.status.starts_with("DELETE") {
        return Err(AppError::new(
            ErrorKind::Conflict,
            "ENVIRONMENT_GOING",
            format!("environment '{name}' is being deleted ({})", row.status),
        ));
    }
    Ok(row)
}

/// The service's spec with the inputs that its parts are really deployed with: those may have been updated one by one.
///
/// # Errors
/// When a stored spec cannot be read.
pub(super) fn deployed_spec(view: &ServiceView) -> Result<ServiceSpec, AppError> {
    let mut spec = ServiceSpec::parse("stored spec", &view.service.spec)?;
    for row in &view.instances {
        let Target::Instance(_, name) = &row.target else {
            continue;
        };
        let own = ServiceSpec::parse("stored spec", &row.spec)?;
        if let Some(own) = own.instance(name)
            && let Some(entry) = spec.instances.iter_mut().find(|entry| entry.name == *name)
        {
            entry.inputs.clone_from(&own.inputs);
        }
    }
    if let Some(row) = &view.pipeline {
        let own = ServiceSpec::parse("stored spec", &row.spec)?;
        if own.pipeline.is_some() {
            spec.pipeline = own.pipeline;
        }
    }
    Ok(spec)
}

impl App {
    pub(super) async fn environment_row(&self, name: &EnvironmentName) -> Result<TargetRow, AppError> {
        let target = Target::Environment(name.clone());
        let row = self
            .read("environment", move |tx| {
                Box::pin(async move { Ok(targets::get(tx, &target).await?) })
            })
            .await?;
        live(name, row)
    }

    /// One service with its parts.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn get_service(&self, caller: &Caller, name: &ServiceName) -> Result<ServiceView, AppError> {
        let sight = self.may(caller, Action::ReadService).await?;
        if !sight.covers(&Place::service(name.clone())) {
            return Err(not_found(name));
        }
        let view = self.service(name).await?.ok_or_else(|| not_found(name))?;
        Ok(view.shown_to(caller))
    }

    pub(super) async fn service(&self, name: &ServiceName) -> Result<Option<ServiceView>, AppError> {
        let name = name.clone();
        self.read("service", move |tx| {
            Box::pin(async move {
                let Some(service) = services::get(tx, &name).await? else {
                    return Ok(None);
                };
                Ok(Some(view(service, targets::of_service(tx, &name).await?)))
            })
        })
        .await
    }

    /// Services by name, after `after`.
    ///
    /// # Errors
    /// When the caller may not read services.
    pub async fn list_services(
        &self,
        caller: &Caller,
        after: String,
        limit: u32,
    ) -> Result<Vec<ServiceView>, AppError> {
        let sight = self.may(caller, Action::ReadService).await?;
        let views = self.read("services", move |tx| {
            Box::pin(async move {
                let page = services::list(tx, &sight, &after, limit).await?;
                let (Some(first), Some(last)) = (page.first(), page.last()) else {
                    return Ok(Vec::new());
                };
                // A page is everything between its ends, so its parts are, too.
                let mut parts: BTreeMap<ServiceName, Vec<TargetRow>> = BTreeMap::new();
                for row in targets::of_services(tx, &first.name, &last.name).await? {
                    if let Target::Instance(service, _) | Target::Pipeline(service) = &row.target {
                        parts.entry(service.clone()).or_default().push(row);
                    }
                }
                let views = page.into_iter().map(|service| {
                    let rows = parts.remove(&service.name).unwrap_or_default();
                    view(service, rows)
                });
                Ok(views.collect())
            })
        });
        Ok(shown(views.await?, caller))
    }

    /// One service with its pipeline and without its instances.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn get_service_and_pipeline(
        &self,
        caller: &Caller,
        name: &ServiceName,
    ) -> Result<(ServiceRow, Option<TargetRow>), AppError> {
        let sight = self.may(caller, Action::ReadService).await?;
        if !sight.covers(&Place::service(name.clone())) {
            return Err(not_found(name));
        }
        let wanted = name.clone();
        self.read("service", move |tx| {
            Box::pin(async move {
                let Some(service) = services::get(tx, &wanted).await? else {
                    return Ok(None);
                };
                let pipeline = targets::get(tx, &Target::Pipeline(wanted)).await?;
                let pipeline = pipeline.map(|row| pipeline_view(&service, row));
                Ok(Some((service, pipeline)))
            })
        })
        .await?
        .map(|(service, pipeline)| {
            let pipeline = present(pipeline).map(|pipeline| pipeline.shown_to(caller));
            (service.shown_to(caller), pipeline)
        })
        .ok_or_else(|| not_found(name))
    }

    /// Services by name without their parts, after `after`.
    ///
    /// # Errors
    /// When the caller may not read services.
    pub async fn list_service_rows(
        &self,
        caller: &Caller,
        after: String,
        limit: u32,
    ) -> Result<Vec<ServiceRow>, AppError> {
        let sight = self.may(caller, Action::ReadService).await?;
        let rows = self.read("services", move |tx| {
            Box::pin(async move { Ok(services::list(tx, &sight, &after, limit).await?) })
        });
        Ok(shown(rows.await?, caller))
    }
}

fn view(service: ServiceRow, rows: Vec<TargetRow>) -> ServiceView {
    let (pipelines, instances): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .partition(|row| matches!(row.target, Target::Pipeline(_)));
    let pipeline = pipelines
        .into_iter()
        .next()
        .map(|row| pipeline_view(&service, row));
    ServiceView {
        service,
        instances,
        pipeline,
    }
}

/// A pipeline as people see it. While instances are added and removed it waits to be deployed anew, which Proton calls in
/// progress; a client that waits for it must not take the success of last week for the one it waits for. When the added
/// instances are removed again it stays as it was.
pub(super) fn pipeline_view(service: &ServiceRow, mut row: TargetRow) -> TargetRow {
    let waits = matches!(
        service.doing,
        Doing::Updating {
            stage: Stage::Adding | Stage::Removing | Stage::Pipeline,
            ..
        }
    );
    if waits && !matches!(row.part, Part::Busy | Part::Gone) {
        "IN_PROGRESS".clone_into(&mut row.status);
        row.message.clear();
        row.ways_out.clear();
    }
    row
}

/// A pipeline that was removed is remembered for its service only.
fn present(pipeline: Option<TargetRow>) -> Option<TargetRow> {
    pipeline.filter(|row| row.part != Part::Gone)
}

impl Unit<'_> {
    /// The environment as it is now, if instances can still live in it. It stays until the transaction ends.
    pub(super) async fn live_environment(&mut self, seen: &TargetRow) -> Result<TargetRow, AppError> {
        let name = seen
            .environment
            .clone()
            .ok_or_else(|| AppError::internal("an environment without a name"))?;
        let row = targets::shared(self.tx, &seen.target)
            .await?
            .filter(|row| row.id == seen.id);
        live(&name, row)
    }
}
