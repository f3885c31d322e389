//! Looking at deployments, and cancelling them.

use hadron_domain::authority::{Action, Caller, Reach};
use hadron_domain::deployment::{DeploymentInput, Intent, Phase};
use hadron_domain::step::Machine;
use hadron_proto::vocab::{DeploymentId, Digest};

use super::{App, AppError, ErrorKind, Request};
use crate::store::deployments::{self, DeploymentRow, EventRow, Filter, Source};
use crate::store::targets::TargetRow;
use crate::store::{jobs, requests};

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
        let reach = self.may(caller, Action::ReadDeployment).await?;
        let row = self
            .read("deployment", move |tx| {
                Box::pin(async move { Ok(deployments::get(tx, id).await?) })
            })
            .await?
            .ok_or_else(|| AppError::not_found("deployment", id))?;
        if reach == Reach::OwnAccount && caller.account != Some(row.account) {
            return Err(AppError::not_found("deployment", id));
        }
        Ok(row)
    }

    /// Deployments, newest first, before `before`.
    ///
    /// # Errors
    /// When the caller may not read deployments.
    pub async fn list_deployments(
        &self,
        caller: &Caller,
        mut filter: Filter,
        before: String,
        limit: u32,
    ) -> Result<Vec<DeploymentRow>, AppError> {
        if self.may(caller, Action::ReadDeployment).await? == Reach::OwnAccount {
            // An empty filter means all of them.
            let Some(own) = caller.account.map(|account| account.to_string()) else {
                return Ok(Vec::new());
            };
            if !filter.account.is_empty() && filter.account != own {
                return Ok(Vec::new());
            }
            filter.account = own;
        }
        self.read("deployments", move |tx| {
            Box::pin(async move { Ok(deployments::list(tx, &filter, &before, limit).await?) })
        })
        .await
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
        self.get_deployment(caller, id).await?;
        self.read("deployment events", move |tx| {
            Box::pin(async move { Ok(deployments::events(tx, id, after, limit).await?) })
        })
        .await
    }

    /// The template that was rendered for a deployment.
    ///
    /// # Errors
    /// When the deployment is not the caller's to see, or deletes and so has none.
    pub async fn rendered_template(
        &self,
        caller: &Caller,
        id: DeploymentId,
    ) -> Result<(String, Digest), AppError> {
        let row = self.get_deployment(caller, id).await?;
        let none = || {
            AppError::new(
                ErrorKind::NotFound,
                "NO_TEMPLATE",
                "a deletion has no rendered template",
            )
        };
        let (digest, _) = row.rendered.ok_or_else(none)?;
        let bytes = self
            .read("rendered template", move |tx| {
                Box::pin(async move { Ok(requests::blob(tx, digest).await?) })
            })
            .await?
            .ok_or_else(|| AppError::internal(format!("content {digest} is not stored")))?;
        let text = String::from_utf8(bytes).map_err(AppError::internal)?;
        Ok((text, digest))
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
        self.may_for(&caller, Action::CancelDeployment, before.account)
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
        self.write("cancel deployment", move |unit| {
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
                Ok(row)
            })
        })
        .await
    }
}
