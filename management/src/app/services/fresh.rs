//! New instances of a service: whether there is room, what is wrong with them, and their rows.

use std::collections::BTreeSet;

use hadron_domain::target::Target;
use hadron_domain::template::{CompatibleTemplate, TemplateKind};
use hadron_proto::vocab::InstanceName;
use hadron_templates::{InstanceSpec, ServiceSpec};

use super::compatible;
use crate::app::{App, AppError, Quota, Settings, Unit, inputs};
use crate::store::services::ServiceRow;
use crate::store::targets::{Fresh, TargetRow};

impl App {
    /// Renders the instances of a spec to find every fault before anything is stored.
    pub(super) async fn try_instances(
        &self,
        service: &ServiceRow,
        with: &[CompatibleTemplate],
        spec: &ServiceSpec,
        only: Option<&BTreeSet<InstanceName>>,
    ) -> Result<Vec<(InstanceSpec, TargetRow, Vec<String>)>, AppError> {
        let bundle = self
            .bundle(TemplateKind::Service, &service.template, service.version)
            .await?;
        let mut found = Vec::new();
        let mut faults: Vec<String> = Vec::new();
        for each in &spec.instances {
            if only.is_some_and(|only| !only.contains(&each.name)) {
                continue;
            }
            let environment = self.environment_row(&each.environment).await?;
            compatible(&environment, with, &service.template, service.version)?;
            let draft = self
                .render_instance(
                    &bundle,
                    inputs::environment_facts(&environment)?,
                    inputs::service_facts(service),
                    each.name.clone(),
                    spec,
                    // These are new: nothing is attached to them.
                    None,
                )
                .await;
            match draft {
                Ok(draft) => found.push((each.clone(), environment, draft.warnings)),
                Err(error) if error.reason == "FAULTS" => faults.push(error.message),
                Err(error) => return Err(error),
            }
        }
        if !faults.is_empty() {
            return Err(AppError::invalid("FAULTS", faults.join("\n")));
        }
        Ok(found)
    }
}

/// Whether a service may have so many instances.
pub(super) fn room_for_instances(settings: &Settings, wanted: usize) -> Result<(), AppError> {
    let others = wanted.saturating_sub(1) as u64;
    settings.quotas.room(Quota::InstancesPerService, others)
}

impl Unit<'_> {
    pub(super) fn new_instance(
        &self,
        service: &ServiceRow,
        name: &InstanceName,
        environment: &TargetRow,
        spec: &str,
        warnings: Vec<String>,
    ) -> TargetRow {
        let fresh = Fresh {
            id: self.fresh_id(),
            target: Target::Instance(service.name.clone(), name.clone()),
            environment: environment.environment.clone(),
            account: environment.account,
            region: environment.region.clone(),
            connection: environment.connection,
            template: Some(service.template.clone()),
            version: service.version,
            spec: spec.to_owned(),
            warnings,
        };
        TargetRow::fresh(fresh, self.now)
    }
}
