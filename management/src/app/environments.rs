//! Environments: what may be said about them, and looking at them and deleting them. [`create`] and [`update`] change them,
//! [`provisioning`] says who makes them true and with which roles.

mod create;
mod provisioning;
mod update;

use std::collections::BTreeSet;

use hadron_domain::authority::{Action, Caller};
use hadron_domain::connection::{Approval, Connection};
use hadron_domain::deployment::Intent;
use hadron_domain::target::{Provisioning, Target};
use hadron_domain::template::CompatibleTemplate;
use hadron_proto::vocab::{ConnectionId, EnvironmentName, RoleArn};
use indexmap::IndexMap;

pub use create::NewEnvironment;
pub use provisioning::Path;
pub(super) use provisioning::service_role;
pub(super) use update::updated_version;
pub use update::{EnvironmentUpdate, UpdateMode};

use super::effects::Planned;
use super::masking::{Secretive as _, shown};
use super::{App, AppError, ErrorKind, Request, Unit};
use crate::store::connections::{self, ConnectionKind, ConnectionRow};
use crate::store::targets::{Filter, TargetRow};
use crate::store::{Tx, targets};

/// How creations of environments are remembered.
pub(super) const CREATION: &str = "environment";

/// How many templates a list of environments can be narrowed to. Each is a question of its own to the database.
const MOST_TEMPLATES: usize = 100;

/// An environment with the connection that it is reached through; `None` in the management account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentView {
    /// The environment.
    pub row: TargetRow,
    /// Its connection, deleted ones included.
    pub connection: Option<Connection>,
}

impl EnvironmentView {
    /// What CloudFormation provisions components with.
    #[must_use]
    pub fn component_role(&self) -> Option<&RoleArn> {
        match &self.connection {
            Some(connection) => connection.roles.component.as_ref(),
            None => self.row.roles.component.as_ref(),
        }
    }

    /// What CodeBuild jobs run as.
    #[must_use]
    pub fn codebuild_role(&self) -> Option<&RoleArn> {
        match &self.connection {
            Some(connection) => connection.roles.codebuild.as_ref(),
            None => self.row.roles.codebuild.as_ref(),
        }
    }
}

fn not_found(name: &EnvironmentName) -> AppError {
    AppError::not_found("environment", name)
}

/// The connection, if it can carry this environment.
async fn usable(
    unit: &mut Unit<'_>,
    id: ConnectionId,
    name: &EnvironmentName,
) -> Result<ConnectionRow, AppError> {
    let row = connections::shared_now(unit.tx, id)
        .await?
        .filter(|row| row.kind == ConnectionKind::Environment)
        .ok_or_else(|| AppError::not_found("connection", id))?;
    match &row.connection.approval {
        Approval::Connected(_) => {}
        Approval::Pending => {
            return Err(AppError::new(
                ErrorKind::Precondition,
                "CONNECTION_PENDING",
                format!("connection {id} has not been accepted yet"),
            )
            .help(format!("accept it: hadron connection accept {id}")));
        }
        Approval::Rejected(_) | Approval::Deleted(_) => {
            return Err(AppError::new(
                ErrorKind::Precondition,
                "NOT_CONNECTED",
                format!("connection {id} is {}", row.connection.approval.word()),
            )
            .help("request a new one from the environment account: hadron connection request"));
        }
    }
    if row.connection.environment != *name {
        return Err(AppError::invalid(
            "OTHER_ENVIRONMENT",
            format!(
                "connection {id} was requested for environment '{}', not for '{name}'",
                row.connection.environment
            ),
        )
        .help(format!(
            "create the environment under the name '{}'",
            row.connection.environment
        )));
    }
    Ok(row)
}

impl App {
    /// One environment.
    ///
    /// # Errors
    /// When it does not exist or is not the caller's to see.
    pub async fn get_environment(
        &self,
        caller: &Caller,
        name: &EnvironmentName,
    ) -> Result<TargetRow, AppError> {
        let sight = self.may(caller, Action::ReadEnvironment).await?;
        let target = Target::Environment(name.clone());
        self.read("environment", move |tx| {
            Box::pin(async move { Ok(targets::get(tx, &target).await?) })
        })
        .await?
        .filter(|row| sight.covers(&row.place()))
        .map(|row| row.shown_to(caller))
        .ok_or_else(|| not_found(name))
    }

    /// One environment with its connection.
    ///
    /// # Errors
    /// When it does not exist or is not the caller's to see.
    pub async fn view_environment(
        &self,
        caller: &Caller,
        name: &EnvironmentName,
    ) -> Result<EnvironmentView, AppError> {
        let row = self.get_environment(caller, name).await?;
        self.with_connection(row).await
    }

    /// An environment with its connection.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn with_connection(&self, row: TargetRow) -> Result<EnvironmentView, AppError> {
        self.read("connection of an environment", move |tx| {
            Box::pin(async move { view(tx, row).await })
        })
        .await
    }

    /// Environments by name, after `after`, with their connections; only those that the caller may see. `templates`: only those made from one of these, whichever minor version they run.
    ///
    /// # Errors
    /// When the caller may not read environments, or more templates are named than are looked for in one go.
    pub async fn list_environments(
        &self,
        caller: &Caller,
        templates: Vec<CompatibleTemplate>,
        after: String,
        limit: u32,
    ) -> Result<Vec<EnvironmentView>, AppError> {
        let sight = self.may(caller, Action::ReadEnvironment).await?;
        let templates: BTreeSet<CompatibleTemplate> = templates.into_iter().collect();
        if templates.len() > MOST_TEMPLATES {
            return Err(AppError::invalid(
                "TOO_MANY_TEMPLATES",
                format!(
                    "{} templates are named; at most {MOST_TEMPLATES} are looked for in one go",
                    templates.len()
                ),
            )
            .help("ask several times, or without a filter"));
        }
        let views = self.read("environments", move |tx| {
            Box::pin(async move {
                let mut rows = Vec::new();
                if templates.is_empty() {
                    rows = targets::environments(tx, &sight, &after, limit).await?;
                } else {
                    // Each question goes by the index on templates and gives at most a page: the first page of them all is the
                    // page.
                    for each in &templates {
                        let of = targets::environments_of(tx, each, &sight, &after, limit).await?;
                        rows.extend(of);
                    }
                    rows.sort_by_key(|row| row.target.name());
                    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                }
                let mut views = Vec::with_capacity(rows.len());
                for row in rows {
                    views.push(view(tx, row).await?);
                }
                Ok(views)
            })
        });
        Ok(shown(views.await?, caller))
    }

    /// Cancels the deployment of an environment that is in progress. What CloudFormation has begun it may also finish; then
    /// that is what is reported.
    ///
    /// # Errors
    /// When nothing is in progress, or it is a deletion.
    pub async fn cancel_environment(
        &self,
        request: Request,
        name: &EnvironmentName,
    ) -> Result<TargetRow, AppError> {
        let before = self.get_environment(&request.caller, name).await?;
        self.may_at(&request.caller, Action::CancelDeployment, &before.place())
            .await?;
        if self.seen(&request).await?.is_none() {
            self.cancel_active(request.clone(), &before).await?;
        }
        self.get_environment(&request.caller, name).await
    }

    /// Targets of one kind that the caller may see.
    ///
    /// # Errors
    /// When the caller may not read them.
    pub async fn list_targets(
        &self,
        caller: &Caller,
        filter: Filter,
        after: (String, String),
        limit: u32,
    ) -> Result<Vec<TargetRow>, AppError> {
        let action = if filter.kind == "environment" {
            Action::ReadEnvironment
        } else {
            Action::ReadService
        };
        let sight = self.may(caller, action).await?;
        let rows = self.read("targets", move |tx| {
            Box::pin(
                async move { Ok(targets::list(tx, &filter, &sight, (&after.0, &after.1), limit).await?) },
            )
        });
        Ok(shown(rows.await?, caller))
    }

    /// Deletes an environment that nothing lives in.
    ///
    /// # Errors
    /// When instances live in it, or a deployment is in progress.
    pub async fn delete_environment(
        &self,
        request: Request,
        name: EnvironmentName,
        retain: Vec<String>,
    ) -> Result<TargetRow, AppError> {
        self.may(&request.caller, Action::WriteEnvironment).await?;
        if self.seen(&request).await?.is_some() {
            return self.get_environment(&request.caller, &name).await;
        }
        let before = self.get_environment(&request.caller, &name).await?;
        self.may_at(&request.caller, Action::WriteEnvironment, &before.place())
            .await?;
        self.write_once(request.key(), "delete environment", move |unit| {
            Box::pin(async move {
                let target = Target::Environment(name.clone());
                let mut target = targets::get(unit.tx, &target)
                    .await?
                    .ok_or_else(|| not_found(&name))?;
                if let Some(user) = targets::in_environment(unit.tx, &name).await? {
                    return Err(AppError::new(
                        ErrorKind::Conflict,
                        "ENVIRONMENT_IN_USE",
                        format!("{} still lives in environment '{name}'", user.target),
                    )
                    .help(format!(
                        "delete it first: hadron {} delete {}",
                        user.target.kind(),
                        user.target.name()
                    )));
                }
                let planned = Planned {
                    intent: Intent::Destroy,
                    version: target.version,
                    spec: target.spec.clone(),
                    rendered: None,
                    retain,
                    requested_by: request.caller.principal.to_string(),
                    grants: BTreeSet::new(),
                };
                match target.provisioning {
                    Provisioning::Stack => {
                        unit.begin(&mut target, planned).await?;
                    }
                    Provisioning::CustomerManaged => {
                        unit.declare(&mut target, planned, IndexMap::new()).await?;
                    }
                }
                unit.answered(&request, name.as_str()).await?;
                Ok(target)
            })
        })
        .await
    }
}

async fn view(tx: &mut Tx, row: TargetRow) -> Result<EnvironmentView, AppError> {
    let connection = connections::get(tx, row.connection)
        .await?
        .filter(|found| found.kind == ConnectionKind::Environment)
        .map(|found| found.connection);
    Ok(EnvironmentView { row, connection })
}
