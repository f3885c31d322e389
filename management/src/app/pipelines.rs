//! Pipelines of services. Proton makes and deletes them with their services; here one can also be removed and made again.

use std::collections::BTreeSet;

use hadron_domain::authority::{Action, Caller, Place};
use hadron_domain::deployment::Intent;
use hadron_domain::service::{Doing, Part};
use hadron_domain::target::Target;
use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::ServiceName;
use hadron_templates::ServiceSpec;

use super::effects::Planned;
use super::environments::{UpdateMode, updated_version};
use super::instances::PartUpdate;
use super::services::{destroy, occupied};
use super::{App, AppError, ErrorKind, Request, Unit};
use crate::store::targets::TargetRow;
use crate::store::{services, targets};

fn not_found(service: &ServiceName) -> AppError {
    AppError::new(
        ErrorKind::NotFound,
        "NOT_FOUND",
        format!("service '{service}' has no pipeline"),
    )
    .help("its template has no pipeline_infrastructure; see the services that have one: hadron pipeline list")
}

/// The service is not in the middle of something, and stays so until the transaction ends.
async fn idle(unit: &mut Unit<'_>, name: &ServiceName) -> Result<(), AppError> {
    let service = services::get(unit.tx, name)
        .await?
        .ok_or_else(|| AppError::not_found("service", name))?;
    if service.doing == Doing::Nothing {
        Ok(())
    } else {
        Err(occupied(&service))
    }
}

impl App {
    /// The pipeline of a service.
    ///
    /// # Errors
    /// When the service has none.
    pub async fn get_pipeline(&self, caller: &Caller, service: &ServiceName) -> Result<TargetRow, AppError> {
        self.get_service(caller, service)
            .await?
            .pipeline
            .ok_or_else(|| not_found(service))
    }

    /// Deploys a pipeline: a new one where there is none now, anew otherwise.
    ///
    /// # Errors
    /// Every fault of the spec at once; or when something is in progress.
    pub async fn update_pipeline(
        &self,
        request: Request,
        service: ServiceName,
        mut update: PartUpdate,
    ) -> Result<TargetRow, AppError> {
        self.may_at(
            &request.caller,
            Action::WriteService,
            &Place::service(service.clone()),
        )
        .await?;
        let view = self.get_service(&request.caller, &service).await?;
        let before = view.pipeline.clone().ok_or_else(|| not_found(&service))?;
        if self.seen(&request).await?.is_some() {
            return Ok(before);
        }
        if view.service.doing != Doing::Nothing {
            return Err(occupied(&view.service));
        }
        if update.mode == UpdateMode::None {
            // A pipeline has nothing that changes without a deployment. Proton's callers have to give a spec all the same:
            // the one that is deployed asks for nothing.
            let stored = ServiceSpec::parse("stored spec", &before.spec)?;
            if let Some(text) = &update.spec
                && self.service_spec(text).await?.pipeline == stored.pipeline
            {
                update.spec = None;
            }
            update.deploys_nothing()?;
            return Ok(before);
        }
        let version = updated_version(
            self,
            TemplateKind::Service,
            before.made_from()?,
            before.version,
            update.mode,
            update.version,
        )
        .await?
        .version;
        let spec = match update.spec {
            Some(text) => {
                let mut spec = self.service_spec(&text).await?;
                spec.resolve_current(Some(&ServiceSpec::parse("stored spec", &before.spec)?))?;
                spec.to_text()
            }
            None => before.spec.clone(),
        };
        let draft = self.draft_pipeline(&view, version, &spec).await?;
        self.write_once(request.key(), "update pipeline", move |unit| {
            Box::pin(async move {
                idle(unit, &service).await?;
                let mut row = targets::by_id(unit.tx, before.id)
                    .await?
                    .ok_or_else(|| not_found(&service))?;
                row.warnings.clone_from(&draft.warnings);
                let rendered = unit.store_draft(&draft).await?;
                let planned = Planned {
                    intent: Intent::Apply,
                    version,
                    spec,
                    rendered: Some(rendered),
                    retain: Vec::new(),
                    requested_by: request.caller.principal.to_string(),
                    grants: BTreeSet::new(),
                };
                unit.begin(&mut row, planned).await?;
                unit.answered(&request, service.as_str()).await?;
                Ok(row)
            })
        })
        .await
    }

    /// Makes the pipeline of a service that has none now.
    ///
    /// # Errors
    /// When there is one.
    pub async fn create_pipeline(
        &self,
        request: Request,
        service: ServiceName,
        update: PartUpdate,
    ) -> Result<TargetRow, AppError> {
        self.may_at(
            &request.caller,
            Action::WriteService,
            &Place::service(service.clone()),
        )
        .await?;
        let before = self.get_pipeline(&request.caller, &service).await?;
        if self.seen(&request).await?.is_none()
            && !matches!(before.part, Part::Gone | Part::Untouched | Part::Bad)
        {
            return Err(AppError::new(
                ErrorKind::AlreadyExists,
                "PIPELINE_EXISTS",
                format!("service '{service}' already has a pipeline ({})", before.status),
            )
            .help(format!("deploy it anew: hadron pipeline update {service}")));
        }
        self.update_pipeline(request, service, update).await
    }

    /// Removes the pipeline of a service; its instances stay.
    ///
    /// # Errors
    /// When there is none, or something is in progress.
    pub async fn delete_pipeline(
        &self,
        request: Request,
        service: ServiceName,
        retain: Vec<String>,
    ) -> Result<TargetRow, AppError> {
        self.may_at(
            &request.caller,
            Action::WriteService,
            &Place::service(service.clone()),
        )
        .await?;
        let view = self.get_service(&request.caller, &service).await?;
        let before = view.pipeline.clone().ok_or_else(|| not_found(&service))?;
        if self.seen(&request).await?.is_some() {
            return Ok(before);
        }
        if view.service.doing != Doing::Nothing {
            return Err(occupied(&view.service));
        }
        if before.part == Part::Gone {
            return Err(not_found(&service));
        }
        self.write_once(request.key(), "delete pipeline", move |unit| {
            Box::pin(async move {
                idle(unit, &service).await?;
                let target = Target::Pipeline(service.clone());
                let mut row = targets::get(unit.tx, &target)
                    .await?
                    .ok_or_else(|| not_found(&service))?;
                if row.attempted.is_none() {
                    // Nothing was ever started for it, so there is nothing to delete.
                    row.part = Part::Gone;
                    "DELETE_COMPLETE".clone_into(&mut row.status);
                    row.message.clear();
                    row.ways_out.clear();
                    targets::put(unit.tx, &mut row).await?;
                } else {
                    let planned = destroy(&row, retain, request.caller.principal.as_str());
                    unit.begin(&mut row, planned).await?;
                }
                unit.answered(&request, service.as_str()).await?;
                Ok(row)
            })
        })
        .await
    }
}
