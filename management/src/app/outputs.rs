//! What a target gives to others and what it is made of: outputs and provisioned resources.
//!
//! Outputs are those of the last deployment that succeeded, in the order in which the stack gave them, or those of one
//! named deployment. A deployment names its target: that of another one is not found here. What is provisioned is one
//! stack, once it is known; what somebody else provisions has none.

use hadron_domain::authority::{Action, Caller};
use hadron_domain::service::Part;
use hadron_domain::target::Target;
use hadron_proto::vocab::DeploymentId;
use indexmap::IndexMap;

use super::masking::Secretive as _;
use super::{App, AppError, ErrorKind};
use crate::store::targets::{self, TargetRow};

/// Something that was provisioned for a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// The stack's name.
    pub name: String,
    /// The stack's ARN.
    pub identifier: String,
}

pub(super) const fn read_action(target: &Target) -> Action {
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
        let sight = self.may(caller, action).await?;
        let wanted = target.clone();
        self.read("target", move |tx| {
            Box::pin(async move { Ok(targets::get(tx, &wanted).await?) })
        })
        .await?
        // A pipeline that was removed is remembered for its service only.
        .filter(|row| row.part != Part::Gone)
        .filter(|row| sight.covers(&row.place()))
        .map(|row| row.shown_to(caller))
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
        let deployment = self.get_deployment(caller, id).await?;
        // One of an earlier incarnation of this name is none of this one.
        if deployment.target_id != row.id {
            return Err(AppError::new(
                ErrorKind::NotFound,
                "NOT_FOUND",
                format!("{id} is no deployment of {target}"),
            )
            .help(format!("it is one of {}", deployment.target)));
        }
        Ok(deployment.outputs)
    }

    /// What is provisioned for a target.
    ///
    /// # Errors
    /// When there is no such target.
    pub async fn provisioned(&self, caller: &Caller, target: &Target) -> Result<Vec<Provisioned>, AppError> {
        let row = self.get_target(caller, target).await?;
        let stack = row.stack_arn.map(|arn| Provisioned {
            name: row.stack_name,
            identifier: arn.to_string(),
        });
        Ok(stack.into_iter().collect())
    }
}
