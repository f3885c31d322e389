//! Adding, updating and removing single service instances; their lists are in [`list`].

pub mod list;

use hadron_domain::authority::{Action, Caller, Place};
use hadron_domain::deployment::Intent;
use hadron_domain::service::Doing;
use hadron_domain::target::Target;
use hadron_domain::template::{TemplateKind, Wanted};
use hadron_proto::vocab::{EnvironmentName, InstanceName, ServiceName};
use hadron_templates::{InstanceSpec, ServiceSpec, SpecMap};

use super::effects::{Planned, topic};
use super::environments::{UpdateMode, updated_version};
use super::masking::Secretive as _;
use super::services::{Change, compatible, deployed_spec, occupied};
use super::{App, AppError, ErrorKind, Request, grants, outputs};
use crate::store::targets::TargetRow;
use crate::store::{outbox, services, targets};

/// What shall change about an instance or a pipeline.
#[derive(Clone, Debug)]
pub struct PartUpdate {
    /// How.
    pub mode: UpdateMode,
    /// A whole service spec, of which only the part's own entry counts.
    pub spec: Option<String>,
    /// Another version.
    pub version: Option<Wanted>,
}

impl PartUpdate {
    /// Whether nothing is asked for that would have to be deployed.
    ///
    /// # Errors
    /// When a spec or a version is given.
    pub(super) fn deploys_nothing(&self) -> Result<(), AppError> {
        if self.spec.is_none() && self.version.is_none() {
            return Ok(());
        }
        Err(AppError::invalid(
            "NOTHING_IS_DEPLOYED",
            "a spec or a version was given, but the update is to deploy nothing",
        )
        .help("leave out the deployment type to deploy with the current version"))
    }
}

fn not_found(service: &ServiceName, name: &InstanceName) -> AppError {
    AppError::not_found("service instance", format!("{service}/{name}"))
}

/// Whether the service is about to delete the instance.
fn going(doing: &Doing, name: &InstanceName) -> bool {
    match doing {
        Doing::Deleting => true,
        Doing::Updating { removing, .. } => removing.contains(name),
        Doing::Nothing | Doing::Creating => false,
    }
}

impl App {
    /// One instance.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn get_instance(
        &self,
        caller: &Caller,
        service: &ServiceName,
        name: &InstanceName,
    ) -> Result<TargetRow, AppError> {
        let sight = self.may(caller, Action::ReadService).await?;
        let target = Target::Instance(service.clone(), name.clone());
        self.read("instance", move |tx| {
            Box::pin(async move { Ok(targets::get(tx, &target).await?) })
        })
        .await?
        .filter(|row| sight.covers(&row.place()))
        .map(|row| row.shown_to(caller))
        .ok_or_else(|| not_found(service, name))
    }

    /// Adds an instance to a service. The spec is a whole service spec that names the instance, of which nothing else
    /// counts; without one the instance gets the defaults of its template, in `environment`. Without a version it begins
    /// with the recommended minor of the major version that the service was created with.
    ///
    /// # Errors
    /// Every fault of the spec at once; or when the service is in the middle of something.
    pub async fn create_instance(
        &self,
        request: Request,
        service: ServiceName,
        name: InstanceName,
        environment: Option<EnvironmentName>,
        spec: Option<String>,
        version: Option<Wanted>,
    ) -> Result<TargetRow, AppError> {
        self.may_at(
            &request.caller,
            Action::WriteService,
            &Place::service(service.clone()),
        )
        .await?;
        let caller = request.caller.clone();
        if self.seen(&request).await?.is_some() {
            return self.get_instance(&caller, &service, &name).await;
        }
        let before = self.get_service(&caller, &service).await?;
        let mut stored = deployed_spec(&before)?;
        if before
            .instances
            .iter()
            .any(|row| row.target == Target::Instance(service.clone(), name.clone()))
        {
            return Err(AppError::new(
                ErrorKind::AlreadyExists,
                "INSTANCE_EXISTS",
                format!("service instance '{service}/{name}' already exists"),
            )
            .help(format!("change it: hadron instance update {service}/{name}")));
        }
        let own = match (spec, environment) {
            (Some(text), environment) => {
                let mut spec = self.service_spec(&text).await?;
                spec.resolve_current(Some(&stored))?;
                let own = spec.instance(&name).cloned().ok_or_else(|| {
                    AppError::invalid(
                        "INSTANCE_NOT_IN_SPEC",
                        format!("the spec names no instance '{name}'"),
                    )
                    .help(format!("add an entry with `name: \"{name}\"` under `instances`"))
                })?;
                if environment.is_some_and(|wanted| wanted != own.environment) {
                    return Err(AppError::invalid(
                        "OTHER_ENVIRONMENT",
                        format!(
                            "the spec puts instance '{name}' into environment '{}'",
                            own.environment
                        ),
                    ));
                }
                own
            }
            (None, Some(environment)) => InstanceSpec {
                name: name.clone(),
                environment,
                inputs: SpecMap::default(),
            },
            (None, None) => {
                return Err(AppError::invalid("ENVIRONMENT_MISSING", "neither a spec nor an environment was given")
                    .help("give --spec FILE, or --environment NAME for an instance with the defaults of its template"));
            }
        };
        stored.instances.push(own);
        let change = Change {
            spec: stored,
            description: None,
            retain: None,
            version,
            client_token: request.id.clone().unwrap_or_default(),
        };
        self.change_instances(request, before, change).await?;
        self.get_instance(&caller, &service, &name).await
    }

    /// Deploys an instance anew.
    ///
    /// # Errors
    /// Every fault of the spec at once; or when a deployment is in progress.
    pub async fn update_instance(
        &self,
        request: Request,
        service: ServiceName,
        name: InstanceName,
        update: PartUpdate,
    ) -> Result<TargetRow, AppError> {
        self.may_at(
            &request.caller,
            Action::WriteService,
            &Place::service(service.clone()),
        )
        .await?;
        if self.seen(&request).await?.is_some() {
            return self.get_instance(&request.caller, &service, &name).await;
        }
        let before = self.get_instance(&request.caller, &service, &name).await?;
        self.may_at(&request.caller, Action::WriteService, &before.place())
            .await?;
        let owner = self.get_service(&request.caller, &service).await?.service;
        if going(&owner.doing, &name) {
            return Err(occupied(&owner));
        }
        if update.mode == UpdateMode::None {
            update.deploys_nothing()?;
            return self.remember_token(request, before).await;
        }
        let version = updated_version(
            self,
            TemplateKind::Service,
            before.made_from()?,
            before.version,
            update.mode,
            update.version,
        )
        .await?;
        let stored = ServiceSpec::parse("stored spec", &before.spec)?;
        let spec = match update.spec {
            Some(text) => {
                let mut spec = self.service_spec(&text).await?;
                spec.resolve_current(Some(&stored))?;
                let own = spec.instance(&name).ok_or_else(|| {
                    AppError::invalid(
                        "INSTANCE_NOT_IN_SPEC",
                        format!("the spec names no instance '{name}'"),
                    )
                    .help(format!("add an entry with `name: \"{name}\"` under `instances`"))
                })?;
                if Some(&own.environment) != before.environment.as_ref() {
                    return Err(AppError::invalid(
                        "ENVIRONMENT_CHANGED",
                        format!(
                            "instance '{name}' cannot move to environment '{}'",
                            own.environment
                        ),
                    )
                    .help("add an instance in the other environment and remove this one"));
                }
                spec.to_text()
            }
            None => before.spec.clone(),
        };
        let environment = before
            .environment
            .clone()
            .ok_or_else(|| AppError::internal("an instance without an environment"))?;
        let environment = self.environment_row(&environment).await?;
        // Proton's rule: a list that was shortened later does not shut out who is there already, but another major version
        // has to be made for the environment.
        if update.mode == UpdateMode::Major {
            compatible(
                &environment,
                &version.compatible,
                before.made_from()?,
                version.version,
            )?;
        }
        let drafted = TargetRow {
            version: version.version,
            ..before.clone()
        };
        let draft = self.draft_instance(&owner, &drafted, &name, &spec).await?;
        self.write_once(request.key(), "update instance", move |unit| {
            Box::pin(async move {
                let owner = services::get(unit.tx, &service)
                    .await?
                    .ok_or_else(|| AppError::not_found("service", &service))?;
                if going(&owner.doing, &name) {
                    return Err(occupied(&owner));
                }
                unit.component_at_rest(&service, &name).await?;
                // The environment may have moved to another connection of its account meanwhile.
                let environment = unit.live_environment(&environment).await?;
                let mut row = targets::by_id(unit.tx, before.id)
                    .await?
                    .ok_or_else(|| not_found(&service, &name))?;
                row.connection = environment.connection;
                row.warnings.clone_from(&draft.warnings);
                row.warnings
                    .extend(grants::out_of_reach(unit.settings(), &row, &spec));
                if let Some(token) = &request.id {
                    row.client_token.clone_from(token);
                }
                let rendered = unit.store_draft(&draft).await?;
                let grants = grants::lacking(unit, &row, &spec).await?;
                let planned = Planned {
                    intent: Intent::Apply,
                    version: version.version,
                    spec,
                    rendered: Some(rendered),
                    retain: Vec::new(),
                    requested_by: request.caller.principal.to_string(),
                    grants: grants.clone(),
                };
                unit.begin(&mut row, planned).await?;
                grants::try_again(unit, &grants).await?;
                outbox::ask(unit.tx, topic::GRANTS, topic::ALL, unit.now).await?;
                let why = format!("instance '{name}' was updated by hand");
                unit.block_sync(&service, Some(&name), why, &request.caller)
                    .await?;
                unit.answered(&request, &format!("{service}/{name}")).await?;
                Ok(row)
            })
        })
        .await
    }

    /// An update that deploys nothing: an instance has nothing else that could change, but it was asked.
    async fn remember_token(&self, request: Request, before: TargetRow) -> Result<TargetRow, AppError> {
        self.write_once(request.key(), "update instance", move |unit| {
            Box::pin(async move {
                let mut row = targets::by_id(unit.tx, before.id)
                    .await?
                    .ok_or_else(|| outputs::not_found(&before.target))?;
                if let Some(token) = &request.id {
                    row.client_token.clone_from(token);
                    targets::put(unit.tx, &mut row).await?;
                }
                unit.answered(&request, &row.target.name()).await?;
                Ok(row)
            })
        })
        .await
    }

    /// Removes an instance from its service and deletes its stack.
    ///
    /// # Errors
    /// When it is the last one, or the service is in the middle of something.
    pub async fn delete_instance(
        &self,
        request: Request,
        service: ServiceName,
        name: InstanceName,
        retain: Vec<String>,
    ) -> Result<TargetRow, AppError> {
        self.may_at(
            &request.caller,
            Action::WriteService,
            &Place::service(service.clone()),
        )
        .await?;
        if self.seen(&request).await?.is_some() {
            return self.get_instance(&request.caller, &service, &name).await;
        }
        let row = self.get_instance(&request.caller, &service, &name).await?;
        let before = self.get_service(&request.caller, &service).await?;
        let mut spec = deployed_spec(&before)?;
        spec.instances.retain(|each| each.name != name);
        if spec.instances.is_empty() {
            return Err(AppError::new(
                ErrorKind::Conflict,
                "LAST_INSTANCE",
                format!(
                    "'{name}' is the last instance of service '{service}', and a service has at least one"
                ),
            )
            .help(format!("delete the service: hadron service delete {service}")));
        }
        let caller = request.caller.clone();
        let change = Change {
            spec,
            description: None,
            retain: Some((name.clone(), retain)),
            version: None,
            client_token: String::new(),
        };
        self.change_instances(request, before, change).await?;
        Ok(self.get_instance(&caller, &service, &name).await.unwrap_or(row))
    }
}
