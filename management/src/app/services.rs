//! Creating, updating and deleting services. What starts their parts, one after another, is in `advance`.

mod advance;

use std::collections::{BTreeMap, BTreeSet};

use hadron_domain::authority::{Action, Caller};
use hadron_domain::deployment::Intent;
use hadron_domain::service::{Doing, Part, Parts, Stage, Status};
use hadron_domain::target::Target;
use hadron_domain::template::{CompatibleTemplate, TemplateKind, Wanted};
use hadron_proto::vocab::{EnvironmentName, InstanceName, ServiceName, TemplateName, TemplateVersion};
use hadron_templates::{BundleKind, InstanceSpec, ServiceSpec};

use super::effects::{Planned, topic};
use super::{App, AppError, ErrorKind, Quota, Request, Settings, Unit, components, inputs};
use crate::store::services::ServiceRow;
use crate::store::targets::{Fresh, TargetRow};
use crate::store::{deployments, outbox, services, targets};

/// What a new service shall be.
#[derive(Clone, Debug)]
pub struct NewService {
    /// Its name.
    pub name: ServiceName,
    /// Its template.
    pub template: TemplateName,
    /// Which version of it.
    pub version: Wanted,
    /// Its spec.
    pub spec: String,
    /// For people.
    pub description: String,
    /// Branch, repository and connection ARN of the source; all or none.
    pub source: (String, String, String),
}

/// What is kept to tell a repeated creation from another one.
pub(super) const CREATION: &str = "service";

/// What shall change about the instances of a service.
pub(super) struct Change {
    /// The spec from now on.
    pub(super) spec: ServiceSpec,
    /// Another description.
    pub(super) description: Option<String>,
    /// What one of the removed instances leaves behind.
    pub(super) retain: Option<(InstanceName, Vec<String>)>,
    /// The version that new instances begin with; `None`: the recommended minor of the service's major version.
    pub(super) version: Option<Wanted>,
    /// The client token that new instances are to remember.
    pub(super) client_token: String,
}

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

    /// Renders the instances of a spec to find every fault before anything is stored.
    async fn try_instances(
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
            let draft = inputs::instance(
                bundle.clone(),
                inputs::environment_facts(&environment)?,
                inputs::service_facts(service),
                each.name.clone(),
                spec.clone(),
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

    /// Creates a service: its instances first, then its pipeline.
    ///
    /// # Errors
    /// Every fault of the spec at once; or when template, environments or name cannot be used.
    pub async fn create_service(&self, request: Request, new: NewService) -> Result<ServiceView, AppError> {
        self.may(&request.caller, Action::WriteService).await?;
        if self.seen(&request).await?.is_some()
            || self.repeated(&request, CREATION, new.name.as_str()).await?
        {
            return self.get_service(&request.caller, &new.name).await;
        }
        let version = self
            .resolve(TemplateKind::Service, &new.template, new.version)
            .await?;
        let bundle = self
            .bundle(TemplateKind::Service, &new.template, version.version)
            .await?;
        let has_pipeline = bundle.kind == BundleKind::Service { pipeline: true };
        let (branch, repository, link) = new.source;
        let given = [&branch, &repository, &link]
            .iter()
            .filter(|text| !text.is_empty())
            .count();
        if has_pipeline && given < 3 {
            return Err(AppError::invalid(
                "SOURCE_MISSING",
                format!(
                    "template '{}' has a pipeline, which needs to know its source",
                    new.template
                ),
            )
            .help("give all of --branch, --repository OWNER/NAME and --repository-connection ARN"));
        }
        if !has_pipeline && given > 0 {
            return Err(AppError::invalid(
                "SOURCE_NOT_USED",
                format!(
                    "template '{}' has no pipeline, so a source repository has no meaning",
                    new.template
                ),
            )
            .help("leave out branch, repository and repository connection"));
        }
        if has_pipeline {
            self.need_pipeline_role().await?;
        }
        let mut spec = ServiceSpec::parse("spec", &new.spec)?;
        spec.resolve_current(None)?;
        let text = spec.to_text();
        let at = self.db().now().await?;
        let service = ServiceRow {
            name: new.name.clone(),
            template: new.template,
            version: version.version,
            description: new.description,
            spec: text.clone(),
            old_spec: String::new(),
            status: Status::CreateInProgress,
            message: String::new(),
            doing: Doing::Creating,
            branch,
            repository,
            link,
            created_at: at,
            modified_at: at,
            generation: 0,
        };
        let found = self
            .try_instances(&service, &version.compatible, &spec, None)
            .await?;
        if has_pipeline {
            // Rendered later, with the outputs of the instances; what the spec gives can be compared now.
            inputs::check_pipeline(&bundle, &spec)?;
        }
        room_for_instances(self.settings(), spec.instances.len())?;
        let connection = self.pipeline_connection().await?;
        let asked = request.clone();
        let name = new.name.clone();
        let made = self.write_once(request.key(), "create service", move |unit| {
            Box::pin(async move {
                let used = services::count(unit.tx).await?;
                services::insert(unit.tx, &service)
                    .await
                    .map_err(|error| match error.unique() {
                        Some(_) => AppError::new(
                            ErrorKind::AlreadyExists,
                            "SERVICE_EXISTS",
                            format!("service '{}' already exists", service.name),
                        )
                        .help(format!(
                            "see it: hadron service get {0}; change it: hadron service update {0}",
                            service.name
                        )),
                        None => error.into(),
                    })?;
                unit.settings().quotas.room(Quota::Services, used)?;
                unit.created(&request, CREATION, service.name.as_str()).await?;
                for (each, environment, warnings) in found {
                    let environment = unit.live_environment(&environment).await?;
                    let row = unit.new_instance(&service, &each.name, &environment, &text, warnings);
                    targets::insert(unit.tx, &row).await?;
                }
                if has_pipeline {
                    let row = unit.new_pipeline(&service, &connection, &text);
                    targets::insert(unit.tx, &row).await?;
                }
                outbox::ask(unit.tx, topic::SERVICE, service.name.as_str(), unit.now).await?;
                unit.answered(&request, service.name.as_str()).await?;
                tracing::info!(service = %service.name, account = %connection.account, region = %connection.region, "service {} created", service.name);
                Ok(())
            })
        })
        .await;
        match made {
            Ok(()) => {}
            // The same request may have been asked twice at once.
            Err(error)
                if error.kind == ErrorKind::AlreadyExists
                    && self.repeated(&asked, CREATION, name.as_str()).await? => {}
            Err(error) => return Err(error),
        }
        self.get_service(&asked.caller, &name).await
    }

    /// The connection that pipelines are deployed through: the management account's own.
    async fn pipeline_connection(&self) -> Result<hadron_domain::connection::Connection, AppError> {
        self.read("management connection", |tx| {
            Box::pin(async move { Ok(crate::store::connections::management(tx).await?) })
        })
        .await?
        .map(|row| row.connection)
        .ok_or_else(|| AppError::internal("the management account's own connection is not there"))
    }

    /// One service with its parts.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn get_service(&self, caller: &Caller, name: &ServiceName) -> Result<ServiceView, AppError> {
        self.may(caller, Action::ReadService).await?;
        self.service(name).await?.ok_or_else(|| not_found(name))
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
        self.may(caller, Action::ReadService).await?;
        self.read("services", move |tx| {
            Box::pin(async move {
                let page = services::list(tx, &after, limit).await?;
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
        })
        .await
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
        self.may(caller, Action::ReadService).await?;
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
        .map(|(service, pipeline)| (service, present(pipeline)))
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
        self.may(caller, Action::ReadService).await?;
        self.read("services", move |tx| {
            Box::pin(async move { Ok(services::list(tx, &after, limit).await?) })
        })
        .await
    }

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
        self.may(&request.caller, Action::WriteService).await?;
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
                let mut spec = ServiceSpec::parse("spec", &text)?;
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
    pub(super) async fn change_instances(
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
                        return Err(active.map_or_else(
                            || occupied(&row),
                            |active| super::effects::busy(&part.target, &active),
                        ));
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
    async fn resolve_minor(
        &self,
        service: &ServiceRow,
    ) -> Result<crate::store::templates::VersionRow, AppError> {
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

    /// Deletes a service: its instances, then its pipeline, then itself.
    ///
    /// # Errors
    /// When it is in the middle of something.
    pub async fn delete_service(&self, request: Request, name: ServiceName) -> Result<ServiceView, AppError> {
        self.may(&request.caller, Action::WriteService).await?;
        let before = self.get_service(&request.caller, &name).await?;
        if self.seen(&request).await?.is_some() {
            return Ok(before);
        }
        let owned = name.clone();
        self.write_once(request.key(), "delete service", move |unit| {
            Box::pin(async move {
                let mut row = services::get(unit.tx, &owned)
                    .await?
                    .ok_or_else(|| not_found(&owned))?;
                match row.doing {
                    Doing::Nothing => {}
                    Doing::Deleting => return Ok(unit.answered(&request, owned.as_str()).await?),
                    Doing::Creating | Doing::Updating { .. } => return Err(occupied(&row)),
                }
                components::in_the_way(unit.tx, &owned, None).await?;
                row.doing = Doing::Deleting;
                row.status = Status::DeleteInProgress;
                row.message.clear();
                row.modified_at = unit.now;
                services::put(unit.tx, &mut row).await?;
                for mut part in targets::of_service(unit.tx, &owned).await? {
                    if part.part == Part::DeleteFailed {
                        part.part = Part::Bad;
                        targets::put(unit.tx, &mut part).await?;
                    }
                }
                outbox::ask(unit.tx, topic::SERVICE, owned.as_str(), unit.now).await?;
                Ok(unit.answered(&request, owned.as_str()).await?)
            })
        })
        .await?;
        Ok(self.service(&name).await?.unwrap_or(before))
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

/// Whether every part of a service is as it should be.
fn before_is_good(view: &ServiceView) -> bool {
    let good = |row: &TargetRow| row.part == Part::Good;
    view.instances.iter().all(good) && view.pipeline.iter().all(good)
}

/// Whether a service may have so many instances.
fn room_for_instances(settings: &Settings, wanted: usize) -> Result<(), AppError> {
    let others = wanted.saturating_sub(1) as u64;
    settings.quotas.room(Quota::InstancesPerService, others)
}

/// The deletion of a target.
pub(super) fn destroy(row: &TargetRow, retain: Vec<String>, requested_by: &str) -> Planned {
    Planned {
        intent: Intent::Destroy,
        version: row.version,
        spec: row.spec.clone(),
        rendered: None,
        retain,
        requested_by: requested_by.to_owned(),
        grants: BTreeSet::new(),
    }
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

    fn new_instance(
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

    fn new_pipeline(
        &self,
        service: &ServiceRow,
        connection: &hadron_domain::connection::Connection,
        spec: &str,
    ) -> TargetRow {
        let fresh = Fresh {
            id: self.fresh_id(),
            target: Target::Pipeline(service.name.clone()),
            environment: None,
            account: connection.account,
            region: connection.region.clone(),
            connection: connection.id,
            template: Some(service.template.clone()),
            version: service.version,
            spec: spec.to_owned(),
            warnings: Vec::new(),
        };
        TargetRow::fresh(fresh, self.now)
    }
}
