//! Changing a service: its description, and which instances it has.

use std::collections::BTreeSet;

use hadron_domain::authority::{Action, Place};
use hadron_domain::service::{Doing, Part, Stage, Status};
use hadron_domain::target::Target;
use hadron_domain::template::{TemplateKind, Wanted};
use hadron_proto::vocab::{InstanceName, ServiceName, TemplateVersion};
use hadron_templates::ServiceSpec;

use super::fresh::room_for_instances;
use super::{ServiceView, deployed_spec, destroy, not_found, occupied};
use crate::app::effects::{busy, topic};
use crate::app::{App, AppError, ErrorKind, Request, components};
use crate::store::services::ServiceRow;
use crate::store::targets::TargetRow;
use crate::store::templates::VersionRow;
use crate::store::{deployments, outbox, services, targets};

/// What shall change about the instances of a service.
pub(in crate::app) struct Change {
    /// The spec from now on.
    pub(in crate::app) spec: ServiceSpec,
    /// Another description.
    pub(in crate::app) description: Option<String>,
    /// What one of the removed instances leaves behind.
    pub(in crate::app) retain: Option<(InstanceName, Vec<String>)>,
    /// The version that new instances begin with; `None`: the recommended minor of the service's major version.
    pub(in crate::app) version: Option<Wanted>,
    /// The client token that new instances are to remember.
    pub(in crate::app) client_token: String,
}

impl App {
    /// Changes a service: instances that the spec names and the service lacks are created, those that it no longer names
    /// are deleted. The inputs of the others stay as they are; `UpdateServiceInstance` changes those.
    ///
    /// # Errors
    /// Every fault of the spec at once; or when something is in progress.
    pub async fn update_service(
        &self,
        request: Request,
        name: ServiceName,
        spec: Option<String>,
        description: Option<String>,
    ) -> Result<ServiceView, AppError> {
        self.may_at(
            &request.caller,
            Action::WriteService,
            &Place::service(name.clone()),
        )
        .await?;
        let caller = request.caller.clone();
        if self.seen(&request).await?.is_some() {
            return self.get_service(&caller, &name).await;
        }
        if spec.is_none() && description.is_none() {
            return Err(AppError::invalid(
                "NOTHING_TO_UPDATE",
                format!("neither a spec nor a description was given for service '{name}'"),
            )
            .help("give what shall change: another spec, another description or both"));
        }
        match spec {
            Some(text) => {
                let before = self.get_service(&caller, &name).await?;
                if before.service.doing != Doing::Nothing {
                    return Err(occupied(&before.service));
                }
                let (stored, deployed) = (
                    ServiceSpec::parse("stored spec", &before.service.spec)?,
                    deployed_spec(&before)?,
                );
                let mut spec = self.service_spec(&text).await?;
                spec.resolve_current(Some(&deployed))?;
                unchanged(&stored, &deployed, &mut spec)?;
                let change = Change {
                    spec,
                    description,
                    retain: None,
                    version: None,
                    client_token: String::new(),
                };
                self.change_instances(request, before, change).await?;
            }
            None => {
                let name = name.clone();
                self.write_once(request.key(), "describe service", move |unit| {
                    Box::pin(async move {
                        let mut row = services::get(unit.tx, &name)
                            .await?
                            .ok_or_else(|| not_found(&name))?;
                        if let Some(description) = description {
                            row.description = description;
                        }
                        row.modified_at = unit.now;
                        services::put(unit.tx, &mut row).await?;
                        Ok(unit.answered(&request, name.as_str()).await?)
                    })
                })
                .await?;
            }
        }
        self.get_service(&caller, &name).await
    }

    /// Brings a service to the instances of a spec.
    pub(in crate::app) async fn change_instances(
        &self,
        request: Request,
        before: ServiceView,
        change: Change,
    ) -> Result<(), AppError> {
        let Change {
            spec,
            description,
            retain,
            version: wanted,
            client_token,
        } = change;
        if before.service.doing != Doing::Nothing {
            return Err(occupied(&before.service));
        }
        let there: BTreeSet<InstanceName> = before
            .instances
            .iter()
            .filter_map(|row| match &row.target {
                Target::Instance(_, name) => Some(name.clone()),
                Target::Environment(_) | Target::Pipeline(_) | Target::Component(_) => None,
            })
            .collect();
        let named: BTreeSet<InstanceName> = spec.instances.iter().map(|each| each.name.clone()).collect();
        let adding: BTreeSet<InstanceName> = named.difference(&there).cloned().collect();
        let removing: BTreeSet<InstanceName> = there.difference(&named).cloned().collect();
        let into = spec.instances.iter().filter(|each| adding.contains(&each.name));
        let out_of = before
            .instances
            .iter()
            .filter(|row| matches!(&row.target, Target::Instance(_, name) if removing.contains(name)));
        let touched = into
            .map(|each| &each.environment)
            .chain(out_of.filter_map(|row| row.environment.as_ref()));
        self.may_deploy(&request.caller, &before.service.name, touched)
            .await?;
        if !adding.is_empty() {
            // Those that could not be deleted are still there.
            let stuck = before
                .instances
                .iter()
                .filter(|row| row.part == Part::DeleteFailed)
                .filter(|row| matches!(&row.target, Target::Instance(_, name) if !named.contains(name)));
            room_for_instances(self.settings(), named.len() + stuck.count())?;
        }
        let version = match wanted {
            Some(wanted) => {
                let wanted = match wanted {
                    // A minor alone is one of the service's own major version.
                    Wanted::Minor(minor) => Wanted::Exactly(TemplateVersion {
                        minor,
                        ..before.service.version
                    }),
                    wanted => wanted,
                };
                self.resolve(TemplateKind::Service, &before.service.template, wanted)
                    .await?
            }
            None => self.resolve_minor(&before.service).await?,
        };
        let service = ServiceRow {
            version: version.version,
            ..before.service.clone()
        };
        let found = self
            .try_instances(&service, &version.compatible, &spec, Some(&adding))
            .await?;
        let (name, text) = (before.service.name.clone(), spec.to_text());
        self.write_once(request.key(), "update service", move |unit| {
            Box::pin(async move {
                let mut row = services::get(unit.tx, &name)
                    .await?
                    .ok_or_else(|| not_found(&name))?;
                if row.doing != Doing::Nothing {
                    return Err(occupied(&row));
                }
                if row.generation != before.service.generation {
                    return Err(AppError::new(
                        ErrorKind::Conflict,
                        "CONFLICT",
                        "another request was faster",
                    ));
                }
                if let Some(description) = description {
                    row.description = description;
                }
                for instance in &removing {
                    components::in_the_way(unit.tx, &name, Some(instance)).await?;
                }
                for added in &adding {
                    let why = format!("instance '{added}' was created by hand");
                    unit.block_sync(&name, Some(added), why, &request.caller).await?;
                }
                if !removing.is_empty() {
                    let gone: Vec<String> = removing.iter().map(ToString::to_string).collect();
                    let why = format!("deleted by hand: {}", gone.join(", "));
                    unit.block_sync(&name, None, why, &request.caller).await?;
                }
                row.old_spec = std::mem::replace(&mut row.spec, text.clone());
                row.modified_at = unit.now;
                if !adding.is_empty() || !removing.is_empty() {
                    row.doing = Doing::Updating {
                        adding,
                        removing: removing.clone(),
                        stage: Stage::Adding,
                    };
                    row.status = Status::UpdateInProgress;
                    row.message.clear();
                } else if before_is_good(&before) {
                    // There is nothing to do, and so it is done: what an earlier update left to tell is over.
                    row.status = Status::Active;
                    row.message.clear();
                }
                for (each, environment, warnings) in found {
                    let environment = unit.live_environment(&environment).await?;
                    let instance = TargetRow {
                        client_token: client_token.clone(),
                        ..unit.new_instance(&service, &each.name, &environment, &text, warnings)
                    };
                    targets::insert(unit.tx, &instance).await?;
                }
                // A deletion that failed before is tried again.
                for mut part in targets::of_service(unit.tx, &name).await? {
                    let concerned = match &part.target {
                        Target::Instance(_, instance) => removing.contains(instance),
                        // It is deployed anew afterwards.
                        Target::Pipeline(_) => row.doing != Doing::Nothing,
                        Target::Environment(_) | Target::Component(_) => false,
                    };
                    if !concerned {
                        continue;
                    }
                    if part.part == Part::Busy {
                        let active = deployments::active_of(unit.tx, part.id).await?;
                        return Err(
                            active.map_or_else(|| occupied(&row), |active| busy(&part.target, &active))
                        );
                    }
                    let Target::Instance(_, instance) = &part.target else {
                        continue;
                    };
                    let left = retain
                        .as_ref()
                        .filter(|(name, left)| name == instance && !left.is_empty());
                    if let Some((_, left)) = left.filter(|_| part.attempted.is_some()) {
                        let planned = destroy(&part, left.clone(), request.caller.principal.as_str());
                        unit.begin(&mut part, planned).await?;
                    } else if part.part == Part::DeleteFailed {
                        part.part = Part::Bad;
                        targets::put(unit.tx, &mut part).await?;
                    }
                }
                services::put(unit.tx, &mut row).await?;
                outbox::ask(unit.tx, topic::SERVICE, name.as_str(), unit.now).await?;
                Ok(unit.answered(&request, name.as_str()).await?)
            })
        })
        .await
    }

    /// New instances begin with the recommended minor of the service's major version, or with the service's own version.
    async fn resolve_minor(&self, service: &ServiceRow) -> Result<VersionRow, AppError> {
        let minor = self
            .resolve(
                TemplateKind::Service,
                &service.template,
                Wanted::Major(service.version.major),
            )
            .await;
        match minor {
            Ok(row) => Ok(row),
            Err(_) => {
                self.resolve(
                    TemplateKind::Service,
                    &service.template,
                    Wanted::Exactly(service.version),
                )
                .await
            }
        }
    }
}

/// An edited spec may add and remove instances; the inputs of the others and of the pipeline stay (Proton's rule). What
/// counts as unchanged is what is deployed, or what the service's last spec said; kept is what is deployed.
fn unchanged(stored: &ServiceSpec, deployed: &ServiceSpec, spec: &mut ServiceSpec) -> Result<(), AppError> {
    let edited = |what: String, command: String| {
        AppError::invalid(
            "EDITED_IN_PLACE",
            format!("the spec changes {what}, which a service update does not deploy"),
        )
        .help(format!("change it with: {command}"))
    };
    for each in &mut spec.instances {
        let Some(before) = deployed.instance(&each.name) else {
            continue;
        };
        if before.environment != each.environment {
            return Err(AppError::invalid(
                "ENVIRONMENT_CHANGED",
                format!(
                    "instance '{}' cannot move from environment '{}' to '{}'",
                    each.name, before.environment, each.environment
                ),
            )
            .help("add an instance in the other environment and remove this one"));
        }
        let said_before = stored
            .instance(&each.name)
            .is_some_and(|stored| stored.inputs == each.inputs);
        if before.inputs != each.inputs && !said_before {
            return Err(edited(
                format!("the inputs of instance '{}'", each.name),
                format!("hadron instance update SERVICE/{} --spec SPEC", each.name),
            ));
        }
        each.inputs.clone_from(&before.inputs);
    }
    if spec.pipeline.is_some() && spec.pipeline != deployed.pipeline && spec.pipeline != stored.pipeline {
        return Err(edited(
            "the pipeline's inputs".to_owned(),
            "hadron pipeline update SERVICE --spec SPEC".to_owned(),
        ));
    }
    spec.pipeline.clone_from(&deployed.pipeline);
    Ok(())
}

/// Whether every part of a service is as it should be.
fn before_is_good(view: &ServiceView) -> bool {
    let good = |row: &TargetRow| row.part == Part::Good;
    view.instances.iter().all(good) && view.pipeline.iter().all(good)
}
