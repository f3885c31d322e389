//! Components: stacks that developers add to a service instance, or beside it, from one template file of their own.
//!
//! What may become of an attachment is decided in `hadron_domain::component`. What an attached component gives, its
//! instance sees with its next deployment and not before; so that neither changes under the other, a component and its
//! instance are never deployed at the same time. Whoever attaches, detaches or deploys an attached component holds the row
//! of the service, and so does whoever deploys or removes its instances.

use std::collections::HashMap;

use hadron_domain::authority::{Action, Caller};
use hadron_domain::component::{Attachment, Change, Refusal, Shape};
use hadron_domain::connection::Connection;
use hadron_domain::deployment::Intent;
use hadron_domain::service::Doing;
use hadron_domain::target::Target;
use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::{
    ComponentName, EnvironmentName, InstanceName, RoleArn, ServiceName, TemplateVersion,
};
use hadron_templates::{ComponentFacts, ServiceSpec};

use super::effects::{Planned, busy};
use super::inputs::{self, AttachedTo, Draft};
use super::masking::{Secretive as _, shown};
use super::services::occupied;
use super::{App, AppError, ErrorKind, Quota, Request, Unit};
use crate::store::components::{self, ComponentRow, Filter};
use crate::store::deployments::DeploymentRow;
use crate::store::services::ServiceRow;
use crate::store::targets::{EnvironmentRoles, Fresh, TargetRow};
use crate::store::{Tx, connections, deployments, services, targets, templates};

/// The kind under which creations of components are remembered.
const KIND: &str = "component";

/// Components have no template and so no version of one.
const NO_VERSION: TemplateVersion = TemplateVersion { major: 0, minor: 0 };

/// A component: its stack, and what only components have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentView {
    /// Its stack.
    pub target: TargetRow,
    /// The rest.
    pub component: ComponentRow,
}

/// What a new component shall be.
#[derive(Clone, Debug)]
pub struct NewComponent {
    /// Its name.
    pub name: ComponentName,
    /// For people.
    pub description: String,
    /// The environment; attached components live in that of their instance.
    pub environment: Option<EnvironmentName>,
    /// What it is attached to.
    pub attached: Option<Attachment>,
    /// The service spec that gives its inputs; without one the instance's own counts.
    pub service_spec: Option<String>,
    /// Its manifest.
    pub manifest: String,
    /// Its template.
    pub template_file: String,
}

/// What shall change about a component.
#[derive(Clone, Debug)]
pub struct ComponentUpdate {
    /// Its name.
    pub name: ComponentName,
    /// Whether it is deployed (`CURRENT_VERSION`); otherwise only the description can change (`NONE`).
    pub deploy: bool,
    /// Another description.
    pub description: Option<String>,
    /// What becomes of its attachment.
    pub change: Change,
    /// Another service spec.
    pub service_spec: Option<String>,
    /// Another template.
    pub template_file: Option<String>,
}

fn not_found(name: &ComponentName) -> AppError {
    AppError::not_found("component", name)
}

/// What a refusal means to whoever asked about this component.
fn refused(name: &ComponentName, refusal: &Refusal) -> AppError {
    let detach = format!("detach it: hadron component update {name} --detach --wait");
    let (kind, reason, help) = match refusal {
        Refusal::HalfAName => (
            ErrorKind::Invalid,
            "HALF_AN_ATTACHMENT",
            "to detach a component, give both names empty".to_owned(),
        ),
        Refusal::SpecWithoutInstance => (
            ErrorKind::Invalid,
            "SPEC_WITHOUT_INSTANCE",
            "leave out the spec, or attach the component: --attach SERVICE/INSTANCE".to_owned(),
        ),
        Refusal::Elsewhere { .. } => (ErrorKind::Conflict, "ATTACHED_ELSEWHERE", detach),
        Refusal::Attached(_) => (ErrorKind::Conflict, "COMPONENT_ATTACHED", detach),
    };
    AppError::new(kind, reason, format!("component '{name}': {refusal}")).help(help)
}

/// The role that components of an environment are provisioned with: its own, or that of its connection.
pub(super) fn role(own: &EnvironmentRoles, connection: &Connection) -> Option<RoleArn> {
    own.component
        .clone()
        .or_else(|| connection.roles.component.clone())
}

/// The service is about to remove the instance, or may be.
fn leaving(doing: &Doing, name: &InstanceName) -> bool {
    match doing {
        Doing::Deleting => true,
        // Where an added instance fails, all that were added go.
        Doing::Updating { adding, removing, .. } => removing.contains(name) || adding.contains(name),
        Doing::Nothing | Doing::Creating => false,
    }
}

/// A component as it is now.
pub(super) async fn view(tx: &mut Tx, name: &ComponentName) -> Result<Option<ComponentView>, AppError> {
    let target = targets::get(tx, &Target::Component(name.clone())).await?;
    let component = components::get(tx, name).await?;
    Ok(target
        .zip(component)
        .map(|(target, component)| ComponentView { target, component }))
}

/// The component that keeps an instance, or any of a service, from being removed.
pub(super) async fn in_the_way(
    tx: &mut Tx,
    service: &ServiceName,
    instance: Option<&InstanceName>,
) -> Result<(), AppError> {
    match components::attached_to(tx, service, instance).await? {
        None => Ok(()),
        Some(ComponentRow { name, shape, .. }) => {
            let place = shape.attached.map(|place| place.to_string()).unwrap_or_default();
            Err(AppError::new(
                ErrorKind::Conflict,
                "COMPONENT_ATTACHED",
                format!("component '{name}' is attached to service instance '{place}', which therefore cannot be removed"),
            )
            .help(format!(
                "detach it first: hadron component update {name} --detach --wait"
            )))
        }
    }
}

/// A service and one of its instances, seen before a component is rendered with them.
#[derive(Clone)]
struct Place {
    service: ServiceRow,
    instance: TargetRow,
}

/// What was rendered, and with what.
struct Drafted {
    draft: Draft,
    shape: Shape,
    place: Option<Place>,
    environment: TargetRow,
}

impl App {
    /// One component.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn get_component(
        &self,
        caller: &Caller,
        name: &ComponentName,
    ) -> Result<ComponentView, AppError> {
        let sight = self.may(caller, Action::ReadComponent).await?;
        self.component(name)
            .await?
            .filter(|view| sight.covers(&view.target.place()))
            .map(|view| view.shown_to(caller))
            .ok_or_else(|| not_found(name))
    }

    async fn component(&self, name: &ComponentName) -> Result<Option<ComponentView>, AppError> {
        let name = name.clone();
        self.read("component", move |tx| {
            Box::pin(async move { view(tx, &name).await })
        })
        .await
    }

    /// Components by name, after `after`.
    ///
    /// # Errors
    /// When the caller may not read components, or names an instance without its service.
    pub async fn list_components(
        &self,
        caller: &Caller,
        filter: Filter,
        after: String,
        limit: u32,
    ) -> Result<Vec<ComponentView>, AppError> {
        let sight = self.may(caller, Action::ReadComponent).await?;
        if filter.instance.is_some() && filter.service.is_none() {
            return Err(AppError::invalid(
                "SERVICE_MISSING",
                "an instance was named without the service that it belongs to",
            )
            .help("name the service as well"));
        }
        let views = self.read("components", move |tx| {
            Box::pin(async move {
                let page = components::list(tx, &filter, &sight, &after, limit).await?;
                let (Some(first), Some(last)) = (page.first(), page.last()) else {
                    return Ok(Vec::new());
                };
                // What the filter leaves out is between the ends of a page as well, and is dropped here.
                let between = targets::components_between(tx, &first.name, &last.name).await?;
                let mut found: HashMap<Target, TargetRow> = HashMap::new();
                found.extend(between.into_iter().map(|row| (row.target.clone(), row)));
                let views = page.into_iter().filter_map(|component| {
                    let target = found.remove(&Target::Component(component.name.clone()))?;
                    Some(ComponentView { target, component })
                });
                Ok(views.collect())
            })
        });
        Ok(shown(views.await?, caller))
    }

    /// Creates a component and begins its first deployment.
    ///
    /// # Errors
    /// Every fault of the template or the spec at once; or when instance, environment or name cannot be used.
    pub async fn create_component(
        &self,
        request: Request,
        new: NewComponent,
    ) -> Result<ComponentView, AppError> {
        self.may(&request.caller, Action::WriteComponent).await?;
        if self.seen(&request).await?.is_some() || self.repeated(&request, KIND, new.name.as_str()).await? {
            return self.get_component(&request.caller, &new.name).await;
        }
        let name = new.name.clone();
        let empty = Shape::default();
        let asked = new.attached.map_or(Change::Keep, Change::Attach);
        let shape = empty
            .change(asked, new.service_spec, Some(new.template_file))
            .map_err(|refusal| refused(&name, &refusal))?;
        let drafted = self
            .draft_component(&name, &empty, shape, &new.manifest, new.environment)
            .await?;
        self.may_at(
            &request.caller,
            Action::WriteComponent,
            &drafted.environment.place(),
        )
        .await?;
        self.write_once(request.key(), "create component", move |unit| {
            Box::pin(async move {
                let Drafted {
                    draft,
                    shape,
                    place,
                    environment,
                } = drafted;
                unit.hold_ground(&empty, place.as_ref(), &environment).await?;
                let environment = unit.ground(place.as_ref(), &environment, &name).await?;
                let row = ComponentRow {
                    name: name.clone(),
                    shape,
                    manifest: new.manifest,
                    modified_at: unit.now,
                    generation: 0,
                };
                components::insert(unit.tx, &row)
                    .await
                    .map_err(|error| match error.unique() {
                        Some("component_attached") => taken(row.shape.attached.as_ref()),
                        Some(_) => AppError::new(
                            ErrorKind::AlreadyExists,
                            "COMPONENT_EXISTS",
                            format!("component '{name}' already exists"),
                        )
                        .help(format!(
                            "see it: hadron component get {name}; change it: hadron component update {name}"
                        )),
                        None => error.into(),
                    })?;
                let others = components::count(unit.tx).await?.saturating_sub(1);
                unit.settings().quotas.room(Quota::Components, others)?;
                let fresh = Fresh {
                    id: unit.fresh_id(),
                    target: Target::Component(name.clone()),
                    environment: environment.environment,
                    account: environment.account,
                    region: environment.region,
                    connection: environment.connection,
                    template: None,
                    version: NO_VERSION,
                    spec: row.shape.service_spec.clone(),
                    warnings: draft.warnings.clone(),
                };
                let mut target = TargetRow {
                    description: new.description,
                    client_token: request.id.clone().unwrap_or_default(),
                    ..TargetRow::fresh(fresh, unit.now)
                };
                targets::insert(unit.tx, &target).await?;
                unit.apply_component(&mut target, &row, &draft, &request).await?;
                unit.created(&request, KIND, name.as_str()).await?;
                unit.answered(&request, name.as_str()).await?;
                Ok(ComponentView {
                    target,
                    component: row,
                })
            })
        })
        .await
    }

    /// Changes a component.
    ///
    /// # Errors
    /// Every fault of the template or the spec at once; or when something is in progress, or the attachment cannot change so.
    pub async fn update_component(
        &self,
        request: Request,
        update: ComponentUpdate,
    ) -> Result<ComponentView, AppError> {
        self.may(&request.caller, Action::WriteComponent).await?;
        if self.seen(&request).await?.is_some() {
            return self.get_component(&request.caller, &update.name).await;
        }
        let name = update.name.clone();
        let before = self.get_component(&request.caller, &name).await?;
        self.may_at(&request.caller, Action::WriteComponent, &before.target.place())
            .await?;
        if !update.deploy {
            let deploys = update.change != Change::Keep
                || update.service_spec.is_some()
                || update.template_file.is_some();
            if deploys {
                return Err(AppError::invalid(
                    "NOTHING_IS_DEPLOYED",
                    "an attachment, a spec or a template was given, but the update is to deploy nothing",
                )
                .help("deploy with the current version (CURRENT_VERSION), or give the description alone"));
            }
            return self.describe_component(request, name, update.description).await;
        }
        let shape = before
            .component
            .shape
            .change(update.change, update.service_spec, update.template_file)
            .map_err(|refusal| refused(&name, &refusal))?;
        let drafted = self
            .draft_component(
                &name,
                &before.component.shape,
                shape,
                &before.component.manifest,
                before.target.environment.clone(),
            )
            .await?;
        self.write_once(request.key(), "update component", move |unit| {
            Box::pin(async move {
                let Drafted {
                    draft,
                    shape,
                    place,
                    environment,
                } = drafted;
                unit.hold_ground(&before.component.shape, place.as_ref(), &environment)
                    .await?;
                let left = before
                    .component
                    .shape
                    .attached
                    .clone()
                    .filter(|_| place.is_none());
                if let Some(left) = left {
                    unit.place(&left).await?;
                }
                let environment = unit.ground(place.as_ref(), &environment, &name).await?;
                let ComponentView {
                    mut target,
                    component: mut row,
                } = view(unit.tx, &name).await?.ok_or_else(|| not_found(&name))?;
                if row.generation != before.component.generation {
                    return Err(AppError::new(
                        ErrorKind::Conflict,
                        "CONFLICT",
                        "another request was faster",
                    ));
                }
                if let Some(active) = deployments::active_of(unit.tx, target.id).await? {
                    return Err(busy(&target.target, &active));
                }
                row.shape = shape;
                row.modified_at = unit.now;
                components::put(unit.tx, &mut row)
                    .await
                    .map_err(|error| match error.unique() {
                        Some(_) => taken(row.shape.attached.as_ref()),
                        None => error.into(),
                    })?;
                // The environment may have moved to another connection of its account meanwhile.
                target.connection = environment.connection;
                target.warnings.clone_from(&draft.warnings);
                if let Some(description) = update.description {
                    target.description = description;
                }
                if let Some(id) = &request.id {
                    target.client_token.clone_from(id);
                }
                unit.apply_component(&mut target, &row, &draft, &request).await?;
                unit.answered(&request, name.as_str()).await?;
                Ok(ComponentView {
                    target,
                    component: row,
                })
            })
        })
        .await
    }

    async fn describe_component(
        &self,
        request: Request,
        name: ComponentName,
        description: Option<String>,
    ) -> Result<ComponentView, AppError> {
        self.write_once(request.key(), "describe component", move |unit| {
            Box::pin(async move {
                let ComponentView {
                    mut target,
                    component: mut row,
                } = view(unit.tx, &name).await?.ok_or_else(|| not_found(&name))?;
                if let Some(description) = description {
                    target.description = description;
                }
                if let Some(id) = &request.id {
                    target.client_token.clone_from(id);
                }
                row.modified_at = unit.now;
                targets::put(unit.tx, &mut target).await?;
                components::put(unit.tx, &mut row).await?;
                unit.answered(&request, name.as_str()).await?;
                Ok(ComponentView {
                    target,
                    component: row,
                })
            })
        })
        .await
    }

    /// Deletes a component that is not attached.
    ///
    /// # Errors
    /// When it is attached, or a deployment is in progress.
    pub async fn delete_component(
        &self,
        request: Request,
        name: ComponentName,
        retain: Vec<String>,
    ) -> Result<ComponentView, AppError> {
        self.may(&request.caller, Action::WriteComponent).await?;
        let before = self.get_component(&request.caller, &name).await?;
        self.may_at(&request.caller, Action::WriteComponent, &before.target.place())
            .await?;
        if self.seen(&request).await?.is_some() {
            return Ok(before);
        }
        self.write_once(request.key(), "delete component", move |unit| {
            Box::pin(async move {
                let ComponentView {
                    mut target,
                    component: mut row,
                } = view(unit.tx, &name).await?.ok_or_else(|| not_found(&name))?;
                row.shape
                    .may_be_deleted()
                    .map_err(|refusal| refused(&name, &refusal))?;
                let planned = super::services::destroy(&target, retain, request.caller.principal.as_str());
                unit.begin(&mut target, planned).await?;
                row.modified_at = unit.now;
                components::put(unit.tx, &mut row).await?;
                unit.answered(&request, name.as_str()).await?;
                Ok(ComponentView {
                    target,
                    component: row,
                })
            })
        })
        .await
    }

    /// What templates see of the component that is attached to an instance.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn component_facts(
        &self,
        service: &ServiceName,
        instance: &InstanceName,
    ) -> Result<Option<ComponentFacts>, AppError> {
        let (service, instance) = (service.clone(), instance.clone());
        self.read("attached component", move |tx| {
            Box::pin(async move {
                let Some(row) = components::attached_to(tx, &service, Some(&instance)).await? else {
                    return Ok(None);
                };
                let target = targets::get(tx, &Target::Component(row.name.clone())).await?;
                Ok(target.map(|target| ComponentFacts {
                    name: row.name,
                    outputs: target.outputs,
                }))
            })
        })
        .await
    }

    /// Renders a component with the surroundings that it has in this shape. The spec of the shape that comes back has no
    /// references in it any more.
    async fn draft_component(
        &self,
        name: &ComponentName,
        before: &Shape,
        mut shape: Shape,
        manifest: &str,
        environment: Option<EnvironmentName>,
    ) -> Result<Drafted, AppError> {
        let place = match &shape.attached {
            Some(attached) => Some(self.find_place(attached).await?),
            None => None,
        };
        let environment = match (environment, &place) {
            (given, Some(place)) => {
                let own = place
                    .instance
                    .environment
                    .clone()
                    .ok_or_else(|| AppError::internal("an instance without an environment"))?;
                if given.as_ref().is_some_and(|given| *given != own) {
                    return Err(AppError::invalid(
                        "OTHER_ENVIRONMENT",
                        format!("{} runs in environment '{own}', and so does what is attached to it", place.instance.target),
                    )
                    .help("name that environment or none, or attach the component to an instance that runs in the other one"));
                }
                own
            }
            (Some(given), None) => given,
            (None, None) => {
                return Err(AppError::invalid(
                    "ENVIRONMENT_MISSING",
                    "a component lives in an environment: neither that nor a service instance was named",
                )
                .help("give --environment NAME, or --attach SERVICE/INSTANCE"));
            }
        };
        let environment = self.environment_row(&environment).await?;
        let mut attached = None;
        if let Some(place) = &place {
            if shape.attached != before.attached {
                self.takes_components(place).await?;
            }
            let (spec, own) = self.spec_for(place, before, &shape).await?;
            if !shape.service_spec.is_empty() {
                shape.service_spec = spec.to_text();
            }
            attached = Some(AttachedTo {
                bundle: self
                    .bundle(
                        TemplateKind::Service,
                        place.instance.made_from()?,
                        place.instance.version,
                    )
                    .await?,
                service: inputs::service_facts(&place.service),
                instance: own.name,
                given: own.inputs,
            });
        }
        let files = (manifest.to_owned(), shape.template_file.clone());
        let facts = inputs::environment_facts(&environment)?;
        let draft = self
            .render_component(name.clone(), files, facts, attached)
            .await?;
        Ok(Drafted {
            draft,
            shape,
            place,
            environment,
        })
    }

    /// The whole spec that gives an attached component its inputs, and the entry of its instance in it.
    async fn spec_for(
        &self,
        place: &Place,
        before: &Shape,
        shape: &Shape,
    ) -> Result<(ServiceSpec, hadron_templates::InstanceSpec), AppError> {
        let own = ServiceSpec::parse("stored spec", &place.instance.spec)?;
        let spec = if shape.service_spec.is_empty() {
            own
        } else {
            let mut spec = self.service_spec(&shape.service_spec).await?;
            let stored = if before.attached == shape.attached && !before.service_spec.is_empty() {
                ServiceSpec::parse("stored spec", &before.service_spec)?
            } else {
                own
            };
            spec.resolve_current(Some(&stored))?;
            spec
        };
        let Target::Instance(service, name) = &place.instance.target else {
            return Err(AppError::internal("an instance that is none"));
        };
        let entry = spec
            .instance(name)
            .cloned()
            .ok_or_else(|| inputs::missing_instance(service, name))?;
        if Some(&entry.environment) != place.instance.environment.as_ref() {
            return Err(AppError::invalid(
                "OTHER_ENVIRONMENT",
                format!(
                    "the spec puts instance '{name}' into environment '{}', but it runs in '{}'",
                    entry.environment,
                    place
                        .instance
                        .environment
                        .as_ref()
                        .map_or("", EnvironmentName::as_str)
                ),
            )
            .help("give the spec that the instance was deployed with"));
        }
        Ok((spec, entry))
    }

    async fn find_place(&self, attached: &Attachment) -> Result<Place, AppError> {
        let service = self
            .service(&attached.service)
            .await?
            .ok_or_else(|| AppError::not_found("service", &attached.service))?;
        let target = Target::Instance(attached.service.clone(), attached.instance.clone());
        let instance = service
            .instances
            .into_iter()
            .find(|row| row.target == target)
            .ok_or_else(|| AppError::not_found("service instance", attached))?;
        Ok(Place {
            service: service.service,
            instance,
        })
    }

    /// Whether the template version that an instance runs lets components be attached.
    async fn takes_components(&self, place: &Place) -> Result<(), AppError> {
        let (template, version) = (place.instance.made_from()?.clone(), place.instance.version);
        let named = template.clone();
        let row = self
            .read("template version", move |tx| {
                Box::pin(async move {
                    Ok(templates::get_version(tx, TemplateKind::Service, &named, version).await?)
                })
            })
            .await?;
        if row.is_some_and(|row| row.components) {
            return Ok(());
        }
        Err(AppError::invalid(
            "COMPONENTS_NOT_SUPPORTED",
            format!(
                "{} runs {template}:{version}, a version that does not support directly defined components",
                place.instance.target
            ),
        )
        .help(format!(
            "have an administrator add DIRECTLY_DEFINED to the supported component sources of a version of '{template}', and \
             update the instance to that version; or create the component detached: --environment NAME"
        )))
    }
}

/// The instance has its component already.
fn taken(attached: Option<&Attachment>) -> AppError {
    let (service, place) = attached
        .map(|place| (place.service.to_string(), place.to_string()))
        .unwrap_or_default();
    AppError::new(
        ErrorKind::Conflict,
        "INSTANCE_HAS_COMPONENT",
        format!(
            "another component is already attached to service instance '{place}', and an instance takes one"
        ),
    )
    .help(format!(
        "see which: hadron component list --service {service}; detach it first, or put both into one template"
    ))
}

impl Unit<'_> {
    /// The instance of an attachment, which is at rest and stays so until the transaction ends.
    async fn place(&mut self, attached: &Attachment) -> Result<TargetRow, AppError> {
        let service = services::get(self.tx, &attached.service)
            .await?
            .ok_or_else(|| AppError::not_found("service", &attached.service))?;
        if leaving(&service.doing, &attached.instance) {
            return Err(occupied(&service));
        }
        let target = Target::Instance(attached.service.clone(), attached.instance.clone());
        let instance = targets::get(self.tx, &target)
            .await?
            .ok_or_else(|| AppError::not_found("service instance", attached))?;
        match deployments::active_of(self.tx, instance.id).await? {
            Some(active) => Err(busy(&target, &active)),
            None if instance.attempted.is_none() => Err(occupied(&service)),
            None => Ok(instance),
        }
    }

    /// Locks what a component lives in and on, in the order of everybody else: services, environments, instances. Whatever
    /// else is locked for a component comes after them.
    async fn hold_ground(
        &mut self,
        before: &Shape,
        place: Option<&Place>,
        environment: &TargetRow,
    ) -> Result<(), AppError> {
        let mut held = std::collections::BTreeSet::new();
        held.extend(before.attached.as_ref().map(|attached| attached.service.clone()));
        held.extend(place.map(|place| place.service.name.clone()));
        for service in &held {
            services::get(self.tx, service).await?;
        }
        self.live_environment(environment).await?;
        Ok(())
    }

    /// What a component was rendered with is still so, and it can be deployed there. Gives the environment as it is now.
    async fn ground(
        &mut self,
        place: Option<&Place>,
        environment: &TargetRow,
        name: &ComponentName,
    ) -> Result<TargetRow, AppError> {
        if let Some(Place { instance: seen, .. }) = place
            && let Target::Instance(service, instance) = &seen.target
        {
            let attached = Attachment {
                service: service.clone(),
                instance: instance.clone(),
            };
            let now = self.place(&attached).await?;
            if (now.id, now.version, &now.spec) != (seen.id, seen.version, &seen.spec) {
                return Err(AppError::new(
                    ErrorKind::Conflict,
                    "CONFLICT",
                    format!("{} was changed at this moment", seen.target),
                )
                .help("ask again"));
            }
            let other = components::attached_to(self.tx, service, Some(instance)).await?;
            if other.is_some_and(|other| other.name != *name) {
                return Err(taken(Some(&attached)));
            }
        }
        let environment = self.live_environment(environment).await?;
        let connection = connections::shared_now(self.tx, environment.connection)
            .await?
            .ok_or_else(|| AppError::internal("an environment without a connection"))?
            .connection;
        if role(&environment.roles, &connection).is_some() {
            return Ok(environment);
        }
        let of = environment
            .environment
            .as_ref()
            .map_or("", EnvironmentName::as_str);
        let help = if connection.account == self.settings().account {
            format!("name one: hadron environment update {of} --component-role-arn ARN")
        } else {
            format!(
                "have the owner of account {} name one: hadron connection update {} --component-role-arn ARN",
                connection.account, connection.id
            )
        };
        Err(AppError::invalid(
            "NO_COMPONENT_ROLE",
            format!("environment '{of}' has no role that components could be provisioned with"),
        )
        .help(help))
    }

    /// Begins the deployment of a component to the shape that its row has.
    async fn apply_component(
        &mut self,
        target: &mut TargetRow,
        row: &ComponentRow,
        draft: &Draft,
        request: &Request,
    ) -> Result<DeploymentRow, AppError> {
        let rendered = self.store_draft(draft).await?;
        let planned = Planned {
            intent: Intent::Apply,
            version: NO_VERSION,
            spec: row.shape.service_spec.clone(),
            rendered: Some(rendered),
            retain: Vec::new(),
            requested_by: request.caller.principal.to_string(),
            grants: std::collections::BTreeSet::new(),
        };
        self.begin(target, planned).await
    }

    /// An instance is to be deployed: the component attached to it must be at rest. The caller holds the service's row.
    ///
    /// # Errors
    /// When the component has a deployment in progress.
    pub(super) async fn component_at_rest(
        &mut self,
        service: &ServiceName,
        instance: &InstanceName,
    ) -> Result<(), AppError> {
        let Some(row) = components::attached_to(self.tx, service, Some(instance)).await? else {
            return Ok(());
        };
        let target = Target::Component(row.name);
        // Whoever deploys the component holds the service's row as well.
        let Some(component) = targets::seen_by_name(self.tx, &target).await? else {
            return Ok(());
        };
        match deployments::active_of(self.tx, component.id).await? {
            Some(active) => Err(busy(&target, &active)),
            None => Ok(()),
        }
    }

    /// A deployment of a component has ended, and its target was written: so is the rest.
    pub(super) async fn component_ended(
        &mut self,
        name: &ComponentName,
        deployment: &DeploymentRow,
        reached: bool,
        gone: bool,
    ) -> Result<(), AppError> {
        if gone {
            components::remove(self.tx, name).await?;
            self.uncreated(KIND, name.as_str()).await?;
            return Ok(());
        }
        let Some(mut row) = components::get(self.tx, name).await? else {
            return Ok(());
        };
        if deployment.deployment.intent == Intent::Apply && !reached {
            let before = deployment
                .initial
                .as_ref()
                .and_then(|state| state.component.as_ref());
            let before = before.map(|state| state.shape()).transpose()?;
            row.shape = row.shape.not_reached(before);
        }
        row.modified_at = self.now;
        Ok(components::put(self.tx, &mut row).await?)
    }
}
