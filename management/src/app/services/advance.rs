//! The look at a service that starts what comes next: what the planner orders is rendered outside the transaction and
//! begun inside it, if nothing has moved meanwhile.

use std::collections::BTreeMap;

use hadron_domain::deployment::Intent;
use hadron_domain::service::{Doing, Order, Part, Plan, Stage, Status, plan};
use hadron_domain::target::Target;
use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::{InstanceName, ServiceName, TemplateVersion};
use hadron_templates::ServiceSpec;

use super::{CREATION, ServiceView, destroy, parts};
use crate::app::effects::{Planned, topic};
use crate::app::inputs::{self, Draft, PipelinePart};
use crate::app::{App, AppError, ErrorKind, Unit, grants};
use crate::store::deployments::Source;
use crate::store::services::ServiceRow;
use crate::store::targets::TargetRow;
use crate::store::{deployments, outbox, services, targets};

impl App {
    /// Looks at a service and starts what comes next. Asked for by the outbox after every change of a part; doing it twice
    /// is doing it once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn advance_service(&self, name: &ServiceName) -> Result<(), AppError> {
        let Some(seen) = self.service(name).await? else {
            return Ok(());
        };
        let rows: Vec<TargetRow> = seen.instances.iter().chain(&seen.pipeline).cloned().collect();
        let planned = plan(&seen.service.doing, seen.service.status, &parts(&rows));
        if planned.orders.is_empty()
            && planned.doing == seen.service.doing
            && planned.status == seen.service.status
        {
            return Ok(());
        }
        let mut drafts: BTreeMap<Target, Result<Draft, String>> = BTreeMap::new();
        for order in &planned.orders {
            let target = match order {
                Order::Apply(instance) => Target::Instance(name.clone(), instance.clone()),
                Order::ApplyPipeline => Target::Pipeline(name.clone()),
                Order::Destroy(_)
                | Order::DestroyPipeline
                | Order::FailPipeline
                | Order::RevertSpec
                | Order::Remove => {
                    continue;
                }
            };
            let Some(row) = rows.iter().find(|row| row.target == target) else {
                continue;
            };
            let draft = match &target {
                Target::Instance(_, instance) => {
                    self.draft_instance(&seen.service, row, instance, &row.spec).await
                }
                _ => self.draft_pipeline(&seen, row.version, &row.spec).await,
            };
            // A fault of the template or the spec is this part's failure; a fault of the hub is tried again.
            let draft = match draft {
                Ok(draft) => Ok(draft),
                Err(error) if matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Internal) => {
                    return Err(error);
                }
                Err(error) => Err(error.message),
            };
            drafts.insert(target, draft);
        }
        let name = name.clone();
        self.write("advance service", move |unit| {
            Box::pin(async move {
                let Some(mut service) = services::get(unit.tx, &name).await? else {
                    return Ok(());
                };
                let rows = targets::of_service(unit.tx, &name).await?;
                let again = plan(&service.doing, service.status, &parts(&rows));
                if again != planned || service.generation != seen.service.generation {
                    // Something moved while templates were rendered: look again.
                    return Ok(outbox::ask(unit.tx, topic::SERVICE, name.as_str(), unit.now).await?);
                }
                hadron_proto::fault::point("C67");
                unit.follow(&mut service, rows, planned, drafts).await
            })
        })
        .await
    }

    /// Renders an instance with its own spec and version.
    pub(in crate::app) async fn draft_instance(
        &self,
        service: &ServiceRow,
        row: &TargetRow,
        name: &InstanceName,
        spec: &str,
    ) -> Result<Draft, AppError> {
        let bundle = self
            .bundle(TemplateKind::Service, row.made_from()?, row.version)
            .await?;
        let environment = row
            .environment
            .clone()
            .ok_or_else(|| AppError::internal("an instance without an environment"))?;
        let environment = self.environment_row(&environment).await?;
        self.render_instance(
            &bundle,
            inputs::environment_facts(&environment)?,
            inputs::service_facts(service),
            name.clone(),
            &ServiceSpec::parse("spec", spec)?,
            self.component_facts(&service.name, name).await?,
        )
        .await
    }

    /// Renders a pipeline with the outputs of the service's instances.
    pub(in crate::app) async fn draft_pipeline(
        &self,
        view: &ServiceView,
        version: TemplateVersion,
        spec: &str,
    ) -> Result<Draft, AppError> {
        let spec = ServiceSpec::parse("spec", spec)?;
        let service_spec = ServiceSpec::parse("spec", &view.service.spec)?;
        let mut parts = Vec::new();
        // In the order of the service's spec: templates count on it.
        for each in &service_spec.instances {
            let target = Target::Instance(view.service.name.clone(), each.name.clone());
            let Some(row) = view.instances.iter().find(|row| row.target == target) else {
                continue;
            };
            let environment = self.environment_row(&each.environment).await?;
            let own = ServiceSpec::parse("spec", &row.spec)?;
            parts.push(PipelinePart {
                name: each.name.clone(),
                bundle: self
                    .bundle(TemplateKind::Service, row.made_from()?, row.version)
                    .await?,
                given: own
                    .instance(&each.name)
                    .map(|own| own.inputs.clone())
                    .unwrap_or_default(),
                outputs: row.outputs.clone(),
                environment: inputs::environment_facts(&environment)?,
            });
        }
        let bundle = self
            .bundle(TemplateKind::Service, &view.service.template, version)
            .await?;
        let facts = inputs::service_facts(&view.service);
        self.render_pipeline(&bundle, facts, parts, spec).await
    }
}

impl Unit<'_> {
    /// Carries out a plan for a service, all of it in this transaction.
    async fn follow(
        &mut self,
        service: &mut ServiceRow,
        rows: Vec<TargetRow>,
        planned: Plan,
        mut drafts: BTreeMap<Target, Result<Draft, String>>,
    ) -> Result<(), AppError> {
        let mut look_again = false;
        let mut remove = false;
        let part = |target: &Target| rows.iter().find(|row| row.target == *target).cloned();
        for order in &planned.orders {
            match order {
                Order::Apply(_) | Order::ApplyPipeline => {
                    let target = match order {
                        Order::Apply(name) => Target::Instance(service.name.clone(), name.clone()),
                        _ => Target::Pipeline(service.name.clone()),
                    };
                    let Some(mut row) = part(&target) else { continue };
                    let draft = drafts
                        .remove(&target)
                        .unwrap_or_else(|| Err("it was not rendered".to_owned()));
                    let failed = match draft {
                        Ok(draft) => refused(self.apply_part(&mut row, &draft).await)?,
                        Err(why) => Some(AppError::invalid("FAULTS", why)),
                    };
                    if let Some(error) = failed {
                        self.part_failed(row, &error, Part::Bad, "FAILED").await?;
                        look_again = true;
                    }
                }
                Order::Destroy(_) | Order::DestroyPipeline => {
                    let target = match order {
                        Order::Destroy(name) => Target::Instance(service.name.clone(), name.clone()),
                        _ => Target::Pipeline(service.name.clone()),
                    };
                    let Some(mut row) = part(&target) else { continue };
                    if row.attempted.is_none() {
                        // Nothing was ever started for it, so there is nothing to delete.
                        look_again = true;
                        if let Target::Pipeline(_) = target {
                            row.part = Part::Gone;
                            targets::put(self.tx, &mut row).await?;
                        } else {
                            targets::remove(self.tx, row.id).await?;
                        }
                        continue;
                    }
                    let planned = destroy(&row, Vec::new(), "hub");
                    if let Some(error) = refused(self.begin(&mut row, planned).await.map(drop))? {
                        self.part_failed(row, &error, Part::DeleteFailed, "DELETE_FAILED")
                            .await?;
                        look_again = true;
                    }
                }
                Order::FailPipeline => {
                    if let Some(row) = part(&Target::Pipeline(service.name.clone())) {
                        let settings = self.settings();
                        let failed: Vec<String> = rows
                            .iter()
                            .filter(|row| matches!(row.target, Target::Instance(..)) && row.part == Part::Bad)
                            .map(|row| row.target.arn(settings.account, &settings.region))
                            .collect();
                        // Proton's words, which scripts look for.
                        let why = format!(
                            "Service Instance(s): [{}] failed to deploy - canceling pipeline deployment",
                            failed.join(", ")
                        );
                        let error = AppError::invalid("INSTANCES_FAILED", why);
                        self.part_failed(row, &error, Part::Bad, "FAILED").await?;
                    }
                }
                Order::RevertSpec => service.spec.clone_from(&service.old_spec),
                Order::Remove => remove = true,
            }
        }
        if remove {
            for row in &rows {
                targets::remove(self.tx, row.id).await?;
            }
            services::remove(self.tx, &service.name).await?;
            self.uncreated(CREATION, service.name.as_str()).await?;
            outbox::ask(self.tx, topic::GRANTS, topic::ALL, self.now).await?;
            tracing::info!(service = %service.name, "service is gone");
            return Ok(());
        }
        // While an update is undone, the parts that tell why go away.
        let undoing = matches!(
            planned.doing,
            Doing::Updating {
                stage: Stage::Undoing,
                ..
            }
        );
        if undoing || (planned.doing == Doing::Nothing && planned.status != Status::Active) {
            let now = summary(&rows);
            if !now.is_empty() && (service.message.is_empty() || !undoing) {
                service.message = now;
            }
        } else {
            service.message.clear();
        }
        if planned.status != service.status {
            let word = planned.status.word();
            tracing::info!(service = %service.name, status = word, "service {} is {word}", service.name);
        }
        service.doing = planned.doing;
        service.status = planned.status;
        service.modified_at = self.now;
        services::put(self.tx, service).await?;
        if look_again {
            outbox::ask(self.tx, topic::SERVICE, service.name.as_str(), self.now).await?;
        }
        Ok(())
    }

    async fn apply_part(&mut self, row: &mut TargetRow, draft: &Draft) -> Result<(), AppError> {
        let rendered = self.store_draft(draft).await?;
        let grants = grants::lacking(self, row, &row.spec.clone()).await?;
        row.warnings.clone_from(&draft.warnings);
        row.warnings
            .extend(grants::out_of_reach(self.settings(), row, &row.spec));
        let planned = Planned {
            intent: Intent::Apply,
            version: row.version,
            spec: row.spec.clone(),
            rendered: Some(rendered),
            retain: Vec::new(),
            requested_by: "hub".to_owned(),
            grants: grants.clone(),
        };
        self.begin(row, planned).await?;
        grants::try_again(self, &grants).await?;
        outbox::ask(self.tx, topic::GRANTS, topic::ALL, self.now).await?;
        Ok(())
    }

    async fn part_failed(
        &mut self,
        mut row: TargetRow,
        error: &AppError,
        part: Part,
        status: &'static str,
    ) -> Result<(), AppError> {
        row.part = part;
        status.clone_into(&mut row.status);
        row.message.clone_from(&error.message);
        row.ways_out = error.help.clone().into_iter().collect();
        targets::put(self.tx, &mut row).await?;
        if let Some((id, _)) = row.attempted
            && let Some(mut deployment) = deployments::get(self.tx, id).await?
        {
            deployments::tell(
                self.tx,
                &mut deployment,
                self.now,
                Source::Hub,
                error.message.clone(),
            )
            .await?;
            deployments::put(self.tx, &mut deployment).await?;
        }
        Ok(())
    }
}

/// Why a deployment of a part cannot begin. A fault of the database is no refusal: the whole look is done again.
fn refused(begun: Result<(), AppError>) -> Result<Option<AppError>, AppError> {
    match begun {
        Ok(()) => Ok(None),
        Err(error) if matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Internal) => Err(error),
        Err(error) if error.reason == "CONFLICT" => Err(error),
        Err(error) => Ok(Some(error)),
    }
}

/// Which parts failed and why, in one text.
fn summary(rows: &[TargetRow]) -> String {
    let failed: Vec<String> = rows
        .iter()
        .filter(|row| matches!(row.part, Part::Bad | Part::DeleteFailed))
        .map(|row| format!("{}: {}", row.target, row.message))
        .collect();
    failed.join("; ")
}
