//! Looking at deployments, cancelling them, and removing the records of those that have ended.
//!
//! # Names
//! A list of deployments can be narrowed in two ways. The operator API's filters ([`Filter`]) say what a deployment has to
//! do with: those of an environment are its own and those of everything that lives in it. Proton's names ([`Named`]) name
//! what was deployed: an environment alone is that environment and nothing in it, a service alone is its instances and its
//! pipeline, a service with an instance is that instance, a component is that component. An environment named together
//! with one of these keeps what is in that environment.

use hadron_domain::authority::{Action, Caller};
use hadron_domain::deployment::{DeploymentInput, Intent, Phase};
use hadron_domain::step::Machine;
use hadron_domain::target::Target;
use hadron_proto::vocab::{
    ComponentName, DeploymentId, EnvironmentName, InstanceName, ServiceName, Timestamp,
};
use hadron_templates::ServiceSpec;

use super::masking::{Secretive as _, mask_event, shown};
use super::{App, AppError, ErrorKind, Request};
use crate::store::deployments::{self, DeploymentRow, EventRow, Filter, Source};
use crate::store::jobs;
use crate::store::targets::TargetRow;

/// The names by which Proton's callers say whose deployments they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The environment.
    pub environment: Option<EnvironmentName>,
    /// The service.
    pub service: Option<ServiceName>,
    /// The instance of that service.
    pub instance: Option<InstanceName>,
    /// The component.
    pub component: Option<ComponentName>,
}

impl Named {
    /// What to look for.
    ///
    /// # Errors
    /// When the names do not go together.
    pub fn filter(&self) -> Result<Filter, AppError> {
        if self.instance.is_some() && self.service.is_none() {
            return Err(AppError::invalid(
                "SERVICE_MISSING",
                "a service instance was named without its service",
            )
            .help("name the service, too"));
        }
        if self.component.is_some() && self.service.is_some() {
            return Err(AppError::invalid(
                "TWO_TARGETS",
                "a component and a service were named, but a deployment is of one of them",
            )
            .help("name either the component or the service"));
        }
        let alone = self.service.is_none() && self.component.is_none();
        fn text(name: Option<&impl ToString>) -> String {
            name.map(ToString::to_string).unwrap_or_default()
        }
        Ok(Filter {
            kind: if alone && self.environment.is_some() {
                "environment"
            } else {
                ""
            },
            environment: text(self.environment.as_ref()),
            service: text(self.service.as_ref()),
            instance: text(self.instance.as_ref()),
            component: text(self.component.as_ref()),
            account: String::new(),
            active_only: false,
        })
    }

    /// Whether a deployment is one of those that are meant.
    fn fits(&self, row: &DeploymentRow) -> bool {
        let (service, instance, component) = match &row.target {
            Target::Environment(_) => (None, None, None),
            Target::Instance(service, instance) => (Some(service), Some(instance), None),
            Target::Pipeline(service) => (Some(service), None, None),
            Target::Component(component) => (None, None, Some(component)),
        };
        fn same<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none() || wanted == found
        }
        same(self.environment.as_ref(), environment_of(row).as_ref())
            && same(self.service.as_ref(), service)
            && same(self.instance.as_ref(), instance)
            && same(self.component.as_ref(), component)
    }
}

/// When the record of a deployment last changed, as far as people see it.
#[must_use]
pub fn modified_at(row: &DeploymentRow) -> Timestamp {
    match (&row.deployment.phase, row.ended_at) {
        (_, Some(ended)) => ended,
        (Phase::Cancelling { asked, .. }, None) => asked.at,
        (Phase::Waiting { .. } | Phase::Running { .. } | Phase::Ended { .. }, None) => row.created_at,
    }
}

/// The environment that a deployment has to do with. A pipeline lives in none and ships to those of its service's
/// instances: it is given the first of them, since Proton's records always name one.
#[must_use]
pub fn environment_of(row: &DeploymentRow) -> Option<EnvironmentName> {
    row.environment.clone().or_else(|| {
        let spec = ServiceSpec::parse("stored spec", &row.spec).ok()?;
        spec.instances.first().map(|first| first.environment.clone())
    })
}

/// Why a deployment has not begun, when it waits.
#[must_use]
pub fn waiting_for(row: &DeploymentRow) -> Option<String> {
    match &row.deployment.phase {
        Phase::Waiting { grants } => {
            let names: Vec<String> = grants
                .iter()
                .map(|repository| repository.name.to_string())
                .collect();
            Some(format!(
                "the agent of the management account, which is to let account {} pull from {}",
                row.account,
                names.join(", ")
            ))
        }
        Phase::Running { taken: false, .. } => Some(format!(
            "an agent of account {} in {} to take the job",
            row.account, row.region
        )),
        Phase::Running { .. } | Phase::Cancelling { .. } | Phase::Ended { .. } => None,
    }
}

impl App {
    /// One deployment.
    ///
    /// # Errors
    /// When it does not exist or is not the caller's to see; both look the same to those who may see only their own.
    pub async fn get_deployment(&self, caller: &Caller, id: DeploymentId) -> Result<DeploymentRow, AppError> {
        let sight = self.may(caller, Action::ReadDeployment).await?;
        let row = self
            .read("deployment", move |tx| {
                Box::pin(async move { Ok(deployments::get(tx, id).await?) })
            })
            .await?
            .filter(|row| sight.covers(&row.place()));
        row.map(|row| row.shown_to(caller))
            .ok_or_else(|| AppError::not_found("deployment", id))
    }

    /// A number that is another one whenever anything about a deployment has changed, its events included; `None` when there
    /// is no such deployment. It costs next to nothing, and says nothing about what has changed: whoever follows a
    /// deployment asks for this first, and for [`Self::get_deployment`] when it is another one.
    ///
    /// # Errors
    /// When the caller may read no deployments.
    pub async fn deployment_generation(
        &self,
        caller: &Caller,
        id: DeploymentId,
    ) -> Result<Option<u64>, AppError> {
        self.may(caller, Action::ReadDeployment).await?;
        self.read("generation of a deployment", move |tx| {
            Box::pin(async move { Ok(deployments::generation(tx, id).await?) })
        })
        .await
    }

    /// One deployment, if it is one of those that the names mean.
    ///
    /// # Errors
    /// When it is not, or [`Self::get_deployment`] does not give it.
    pub async fn get_named_deployment(
        &self,
        caller: &Caller,
        id: DeploymentId,
        named: &Named,
    ) -> Result<DeploymentRow, AppError> {
        named.filter()?;
        let row = self.get_deployment(caller, id).await?;
        if named.fits(&row) {
            Ok(row)
        } else {
            Err(AppError::new(
                ErrorKind::NotFound,
                "NOT_FOUND",
                format!("{id} is no deployment of what was named"),
            )
            .help(format!("it is one of {}", row.target)))
        }
    }

    /// Deployments, newest first, before `before`.
    ///
    /// # Errors
    /// When the caller may not read deployments.
    pub async fn list_deployments(
        &self,
        caller: &Caller,
        filter: Filter,
        before: String,
        limit: u32,
    ) -> Result<Vec<DeploymentRow>, AppError> {
        let sight = self.may(caller, Action::ReadDeployment).await?;
        let rows = self.read("deployments", move |tx| {
            Box::pin(async move { Ok(deployments::list(tx, &filter, &sight, &before, limit).await?) })
        });
        Ok(shown(rows.await?, caller))
    }

    /// What happened during a deployment after `after`.
    ///
    /// # Errors
    /// When the deployment is not the caller's to see.
    pub async fn deployment_events(
        &self,
        caller: &Caller,
        id: DeploymentId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EventRow>, AppError> {
        let row = self.get_deployment(caller, id).await?;
        let events = self.read("deployment events", move |tx| {
            Box::pin(async move { Ok(deployments::events(tx, id, after, limit).await?) })
        });
        let mut events = events.await?;
        if !caller.may_read_plaintext(&row.place()) {
            events.iter_mut().for_each(mask_event);
        }
        Ok(events)
    }

    /// Cancels a deployment. What CloudFormation has begun it may also finish; then that is what is reported.
    ///
    /// # Errors
    /// When it has ended, or its deletion cannot be taken back any more.
    pub async fn cancel_deployment(
        &self,
        request: Request,
        id: DeploymentId,
    ) -> Result<DeploymentRow, AppError> {
        let caller = request.caller.clone();
        let before = self.get_deployment(&caller, id).await?;
        self.may_at(&caller, Action::CancelDeployment, &before.place())
            .await?;
        if self.seen(&request).await?.is_some() {
            return self.get_deployment(&caller, id).await;
        }
        self.cancel(request, before).await
    }

    /// Cancels whatever deployment of a target is in progress, whoever it was that may do so.
    ///
    /// # Errors
    /// When nothing is in progress, or the target is being deleted.
    pub(super) async fn cancel_active(
        &self,
        request: Request,
        target: &TargetRow,
    ) -> Result<DeploymentRow, AppError> {
        let id = target.id;
        let active = self
            .read("active deployment", move |tx| {
                Box::pin(async move { Ok(deployments::active_of(tx, id).await?) })
            })
            .await?;
        let refused = |message: String| {
            Err(
                AppError::new(ErrorKind::Conflict, "NOTHING_TO_CANCEL", message).help(format!(
                    "see how it stands: hadron {} get {}",
                    target.target.kind(),
                    target.target.name()
                )),
            )
        };
        match active {
            None => refused(format!(
                "no deployment of {} is in progress ({})",
                target.target, target.status
            )),
            Some(row) if row.deployment.intent == Intent::Destroy => refused(format!(
                "{} is being deleted, and a deletion cannot be cancelled this way",
                target.target
            )),
            Some(row) => self.cancel(request, row).await,
        }
    }

    async fn cancel(&self, request: Request, before: DeploymentRow) -> Result<DeploymentRow, AppError> {
        let id = before.deployment.id;
        self.write_once(request.key(), "cancel deployment", move |unit| {
            Box::pin(async move {
                // The job first, as everywhere else: two transactions that lock both in different order wait for each other.
                if let Phase::Running { job, .. } | Phase::Cancelling { job, .. } = &before.deployment.phase {
                    jobs::get(unit.tx, *job).await?;
                }
                let mut row = deployments::get(unit.tx, id)
                    .await?
                    .ok_or_else(|| AppError::not_found("deployment", id))?;
                let input = DeploymentInput::Cancel {
                    by: unit.signed(&request.caller),
                    revoke: unit.fresh_id(),
                };
                let step = row.deployment.step(input).map_err(|refusal| {
                    AppError::new(
                        ErrorKind::Conflict,
                        "NOT_CANCELLABLE",
                        format!("{id} cannot be cancelled: {refusal}"),
                    )
                    .help(format!("see how it stands: hadron deployment get {id}"))
                })?;
                row.deployment = step.next;
                let text = format!("cancellation requested by {}", request.caller.principal);
                deployments::tell(unit.tx, &mut row, unit.now, Source::Hub, text).await?;
                unit.carry_out(&mut row, step.effects, None).await?;
                deployments::put(unit.tx, &mut row).await?;
                unit.answered(&request, &id.to_string()).await?;
                hadron_proto::fault::point("C39");
                Ok(row)
            })
        })
        .await
    }

    /// Cancels the deployment of a target that is under way.
    ///
    /// # Errors
    /// When there is none, when it deletes, or when the target does not exist.
    pub async fn cancel_target(&self, request: Request, target: &Target) -> Result<TargetRow, AppError> {
        let caller = request.caller.clone();
        let action = Action::CancelDeployment;
        let before = self.target_for(&caller, action, target).await?;
        if self.seen(&request).await?.is_some() {
            return Ok(before);
        }
        self.cancel_active(request, &before).await?;
        // Gone is what a cancelled creation of something else may leave; then what was is all there is to tell.
        Ok(self.target_for(&caller, action, target).await.unwrap_or(before))
    }

    /// Removes the record of a deployment that has ended, with what happened during it. What it deployed stays. Gives what
    /// was removed; nothing when this very request has removed it before.
    ///
    /// # Errors
    /// When it has not ended, or does not exist.
    pub async fn delete_deployment(
        &self,
        request: Request,
        id: DeploymentId,
    ) -> Result<Option<DeploymentRow>, AppError> {
        self.may(&request.caller, Action::DeleteDeployment).await?;
        if self.seen(&request).await?.is_some() {
            return Ok(None);
        }
        let before = self.get_deployment(&request.caller, id).await?;
        self.may_at(&request.caller, Action::DeleteDeployment, &before.place())
            .await?;
        self.write_once(request.key(), "delete deployment", move |unit| {
            Box::pin(async move {
                let row = deployments::get(unit.tx, id)
                    .await?
                    .ok_or_else(|| AppError::not_found("deployment", id))?;
                if row.deployment.is_active() {
                    return Err(AppError::new(
                        ErrorKind::Conflict,
                        "DEPLOYMENT_IN_PROGRESS",
                        format!("{id} has not ended ({})", row.deployment.word()),
                    )
                    .help(format!(
                        "wait for it: hadron deployment watch {id}; or cancel it: hadron deployment cancel {id}"
                    )));
                }
                deployments::remove(unit.tx, id).await?;
                unit.answered(&request, &id.to_string()).await?;
                Ok(Some(row))
            })
        })
        .await
    }
}
