//! Creating environments.

use std::collections::BTreeSet;

use hadron_domain::authority::{Action, Place, Scope, Sight};
use hadron_domain::deployment::Intent;
use hadron_domain::target::Target;
use hadron_domain::template::{TemplateKind, Wanted};
use hadron_proto::vocab::{EnvironmentName, RoleArn, TemplateName};

use super::provisioning::{self, Path};
use super::{CREATION, usable};

use crate::app::effects::Planned;
use crate::app::inputs::Made;
use crate::app::{App, AppError, ErrorKind, Quota, Request, Unit};
use crate::store::connections::{self, ConnectionRow};
use crate::store::targets::{self, EnvironmentRoles, Fresh, TargetRow};

/// What a new environment shall be.
#[derive(Clone, Debug)]
pub struct NewEnvironment {
    /// Its name.
    pub name: EnvironmentName,
    /// Its template.
    pub template: TemplateName,
    /// Which version of it.
    pub version: Wanted,
    /// How it is provisioned.
    pub path: Path,
    /// What CloudFormation provisions components with; only without a connection.
    pub component_role: Option<RoleArn>,
    /// What CodeBuild jobs run as; only without a connection.
    pub codebuild_role: Option<RoleArn>,
    /// Its spec.
    pub spec: String,
    /// For people.
    pub description: String,
}

impl NewEnvironment {
    fn roles(&self) -> EnvironmentRoles {
        EnvironmentRoles {
            service: match &self.path {
                Path::Role(role) => Some(role.clone()),
                Path::Configured | Path::Unsaid | Path::Connection(_) | Path::Repository(_) => None,
            },
            component: self.component_role.clone(),
            codebuild: self.codebuild_role.clone(),
        }
    }
}

/// The connection that the environment will live behind: the one named, or the management account's own.
async fn connection(
    unit: &mut Unit<'_>,
    path: &Path,
    name: &EnvironmentName,
) -> Result<ConnectionRow, AppError> {
    match path.connection() {
        Some(id) => usable(unit, id, name).await,
        None => connections::management(unit.tx)
            .await?
            .ok_or_else(|| AppError::internal("the management account's own connection is not there")),
    }
}

impl App {
    /// Creates an environment and begins its first deployment. One of a customer-managed template is there at once.
    ///
    /// # Errors
    /// Every fault of the spec at once; or when the template version, the path, the roles, the connection or the name cannot
    /// be used.
    pub async fn create_environment(
        &self,
        request: Request,
        new: NewEnvironment,
    ) -> Result<TargetRow, AppError> {
        // By its name, before anything is said about a connection; who has an account has to be told its environment's first.
        let sight = self.may(&request.caller, Action::WriteEnvironment).await?;
        let of_account = |scope: &Scope| matches!(scope, Scope::Account(_));
        if !matches!(&sight, Sight::Within(scopes) if scopes.iter().any(of_account)) {
            let place = Place::environment(new.name.clone());
            self.may_at(&request.caller, Action::WriteEnvironment, &place)
                .await?;
        }
        if self.seen(&request).await?.is_some()
            || self.repeated(&request, CREATION, new.name.as_str()).await?
        {
            return self.get_environment(&request.caller, &new.name).await;
        }
        let name = new.name.clone();
        match self.create_new(request.clone(), new).await {
            // The very same request may have been faster.
            Err(error)
                if error.reason == "ENVIRONMENT_EXISTS"
                    && self.repeated(&request, CREATION, name.as_str()).await? =>
            {
                self.get_environment(&request.caller, &name).await
            }
            made => made,
        }
    }

    async fn create_new(&self, request: Request, new: NewEnvironment) -> Result<TargetRow, AppError> {
        let version = self
            .resolve(TemplateKind::Environment, &new.template, new.version)
            .await?
            .version;
        let bundle = self
            .bundle(TemplateKind::Environment, &new.template, version)
            .await?;
        let (by, roles) = (provisioning::provisioning(&bundle), new.roles());
        provisioning::check(&new.path, &roles, by, self.settings().account)?;
        provisioning::available(&bundle)?;
        let (name, path) = (new.name.clone(), new.path.clone());
        let seen = self
            .write_once(request.key(), "connection of an environment", move |unit| {
                Box::pin(async move { connection(unit, &path, &name).await })
            })
            .await?
            .connection;
        let place = Place {
            account: Some(seen.account),
            ..Place::environment(new.name.clone())
        };
        self.may_at(&request.caller, Action::WriteEnvironment, &place)
            .await?;
        let made = self
            .make_environment(&bundle, new.name.clone(), seen.account, seen.region, new.spec)
            .await?;
        self.write("create environment", move |unit| {
            Box::pin(async move {
                let connection = connection(unit, &new.path, &new.name).await?.connection;
                let used = targets::count_environments(unit.tx).await?;
                unit.settings().quotas.room(Quota::Environments, used)?;
                let fresh = Fresh {
                    id: unit.fresh_id(),
                    target: Target::Environment(new.name.clone()),
                    environment: Some(new.name.clone()),
                    account: connection.account,
                    region: connection.region,
                    connection: connection.id,
                    template: Some(new.template),
                    version,
                    spec: made.spec().to_owned(),
                    warnings: made.warnings().to_vec(),
                };
                let mut target = TargetRow {
                    description: new.description,
                    provisioning: by,
                    roles,
                    ..TargetRow::fresh(fresh, unit.now)
                };
                targets::insert(unit.tx, &target)
                    .await
                    .map_err(|error| match error.unique() {
                        Some(_) => AppError::new(
                            ErrorKind::AlreadyExists,
                            "ENVIRONMENT_EXISTS",
                            format!("environment '{}' already exists", new.name),
                        )
                        .help(format!(
                            "see it: hadron environment get {0}; change it: hadron environment update {0}",
                            new.name
                        )),
                        None => error.into(),
                    })?;
                unit.apply_environment(&mut target, version, made, &request)
                    .await?;
                unit.created(&request, CREATION, new.name.as_str()).await?;
                unit.answered(&request, new.name.as_str()).await?;
                Ok(target)
            })
        })
        .await
    }
}

impl Unit<'_> {
    /// Begins a deployment of an environment, or declares it to be as its spec says where nobody provisions it here.
    pub(super) async fn apply_environment(
        &mut self,
        target: &mut TargetRow,
        version: hadron_proto::vocab::TemplateVersion,
        made: Made,
        request: &Request,
    ) -> Result<(), AppError> {
        let mut planned = Planned {
            intent: Intent::Apply,
            version,
            spec: made.spec().to_owned(),
            rendered: None,
            retain: Vec::new(),
            requested_by: request.caller.principal.to_string(),
            grants: BTreeSet::new(),
        };
        match made {
            Made::Stack { draft, .. } => {
                planned.rendered = Some(self.store_draft(&draft).await?);
                self.begin(target, planned).await?;
            }
            Made::Declared { outputs, .. } => {
                self.declare(target, planned, outputs).await?;
            }
        }
        Ok(())
    }
}
