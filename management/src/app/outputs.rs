//! Targets of any kind, and what they give to others: outputs.
//!
//! Outputs are those of the last deployment that succeeded, in the order in which the stack gave them, or those that one
//! named deployment ended with. A deployment of another target is not found here, nor is one of an earlier target of the
//! same name.

use hadron_domain::authority::{Action, Caller, Reach};
use hadron_domain::service::Part;
use hadron_domain::target::Target;
use hadron_proto::vocab::DeploymentId;
use indexmap::IndexMap;

use super::{App, AppError, ErrorKind};
use crate::store::deployments;
use crate::store::targets::{self, TargetRow};

const fn read_action(target: &Target) -> Action {
    match target {
        Target::Environment(_) => Action::ReadEnvironment,
        Target::Instance(..) | Target::Pipeline(_) => Action::ReadService,
        Target::Component(_) => Action::ReadComponent,
    }
}

/// There is no such target.
pub(super) fn not_found(target: &Target) -> AppError {
    match target {
        Target::Environment(name) => AppError::not_found("environment", name),
        Target::Instance(service, name) => {
            AppError::not_found("service instance", format!("{service}/{name}"))
        }
        Target::Pipeline(service) => AppError::new(
            ErrorKind::NotFound,
            "NOT_FOUND",
            format!("service '{service}' does not exist or has no pipeline"),
        )
        .help("see the services that have one: hadron pipeline list"),
        Target::Component(name) => AppError::not_found("component", name),
    }
}

impl App {
    /// One target, whatever it is.
    ///
    /// # Errors
    /// When it does not exist or is not the caller's to see.
    pub async fn get_target(&self, caller: &Caller, target: &Target) -> Result<TargetRow, AppError> {
        self.target_for(caller, read_action(target), target).await
    }

    /// One target, for something that the caller may do to it or to those of their own account.
    pub(super) async fn target_for(
        &self,
        caller: &Caller,
        action: Action,
        target: &Target,
    ) -> Result<TargetRow, AppError> {
        let reach = self.may(caller, action).await?;
        let wanted = target.clone();
        self.read("target", move |tx| {
            Box::pin(async move { Ok(targets::get(tx, &wanted).await?) })
        })
        .await?
        // A pipeline that was removed is remembered for its service only.
        .filter(|row| row.part != Part::Gone)
        .filter(|row| reach == Reach::Everything || caller.account == Some(row.account))
        .ok_or_else(|| not_found(target))
    }

    /// The outputs of a target's last successful deployment, or of `deployment`.
    ///
    /// # Errors
    /// When there is no such target, or no such deployment of it.
    pub async fn outputs(
        &self,
        caller: &Caller,
        target: &Target,
        deployment: Option<DeploymentId>,
    ) -> Result<IndexMap<String, String>, AppError> {
        let row = self.get_target(caller, target).await?;
        let Some(id) = deployment else {
            return Ok(row.outputs);
        };
        let found = self
            .read("deployment", move |tx| {
                Box::pin(async move { Ok(deployments::get(tx, id).await?) })
            })
            .await?;
        found
            .filter(|found| found.target_id == row.id)
            .map(|found| found.outputs)
            .ok_or_else(|| {
                AppError::new(
                    ErrorKind::NotFound,
                    "NOT_FOUND",
                    format!("{id} is no deployment of {target}"),
                )
                .help(format!(
                    "see which there are: hadron {} get {}",
                    target.kind(),
                    target.name()
                ))
            })
    }
}
