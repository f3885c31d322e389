//! Changing environments: Proton's update modes.

use hadron_domain::authority::{Action, Sight};
use hadron_domain::template::{TemplateKind, Wanted};
use hadron_proto::vocab::{ConnectionId, EnvironmentName, TemplateName, TemplateVersion};

use super::provisioning;
use super::{not_found, usable};
use crate::app::effects::busy;
use crate::app::{App, AppError, Request, Unit};
use crate::store::connections::{self, ConnectionKind};
use crate::store::settings::RepositoryBranch;
use crate::store::targets::{EnvironmentRoles, Filter, TargetRow};
use crate::store::templates::VersionRow;
use crate::store::{deployments, targets};

/// Proton's update modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateMode {
    /// Metadata only.
    None,
    /// The version that is deployed, perhaps with another spec.
    Current,
    /// Another minor version of the same major version.
    Minor,
    /// A higher major version.
    Major,
}

/// What shall change about an environment.
#[derive(Clone, Debug)]
pub struct EnvironmentUpdate {
    /// Its name.
    pub name: EnvironmentName,
    /// How.
    pub mode: UpdateMode,
    /// Another spec.
    pub spec: Option<String>,
    /// Another version.
    pub version: Option<Wanted>,
    /// Another description.
    pub description: Option<String>,
    /// Another connection of the same account for the same environment.
    pub connection: Option<ConnectionId>,
    /// Other roles; those that are not named stay.
    pub roles: EnvironmentRoles,
    /// A repository for pull requests, which no environment can have yet.
    pub repository: Option<RepositoryBranch>,
}

/// The version that an update means.
pub(in crate::app) async fn updated_version(
    app: &App,
    kind: TemplateKind,
    template: &TemplateName,
    current: TemplateVersion,
    mode: UpdateMode,
    wanted: Option<Wanted>,
) -> Result<VersionRow, AppError> {
    let wrong =
        |message: String, help: &str| AppError::invalid("VERSION_MODE", message).help(help.to_owned());
    let given_major = match wanted {
        Some(Wanted::Major(major)) => Some(major),
        Some(Wanted::Exactly(version)) => Some(version.major),
        Some(Wanted::Recommended | Wanted::Minor(_)) | None => None,
    };
    let wanted = match (mode, wanted) {
        (UpdateMode::None | UpdateMode::Current, None | Some(Wanted::Recommended)) => {
            Wanted::Exactly(current)
        }
        (UpdateMode::None | UpdateMode::Current, Some(_)) => {
            return Err(wrong(
                "a template version was named, but the update is to keep the current one".to_owned(),
                "use --minor or --major to change the version, or leave it out",
            ));
        }
        (UpdateMode::Minor, wanted) => {
            if given_major.is_some_and(|major| major != current.major) {
                return Err(wrong(
                    format!("a minor update stays in major version {}", current.major),
                    "use --major to change to another major version",
                ));
            }
            match wanted {
                Some(Wanted::Exactly(version)) => Wanted::Exactly(version),
                Some(Wanted::Minor(minor)) => Wanted::Exactly(TemplateVersion {
                    major: current.major,
                    minor,
                }),
                Some(Wanted::Recommended | Wanted::Major(_)) | None => Wanted::Major(current.major),
            }
        }
        (UpdateMode::Major, Some(Wanted::Minor(minor))) => {
            return Err(wrong(
                format!("minor version {minor} was named without its major version"),
                "name both, or neither for the recommended version",
            ));
        }
        (UpdateMode::Major, wanted) => {
            if given_major.is_some_and(|major| major <= current.major) {
                return Err(wrong(
                    format!("a major update goes to a major version above {}", current.major),
                    "use --minor for another version of the same major version",
                ));
            }
            wanted.unwrap_or(Wanted::Recommended)
        }
    };
    let row = app.resolve(kind, template, wanted).await?;
    if mode == UpdateMode::Major && row.version.major <= current.major {
        return Err(wrong(
            format!(
                "the recommended version {} is no higher major version than {current}",
                row.version
            ),
            "name the version, or publish one of a higher major version first",
        ));
    }
    Ok(row)
}

impl App {
    /// Changes an environment. What is not deployed (description, roles, connection) counts from now on, whatever becomes of
    /// the deployment.
    ///
    /// # Errors
    /// Every fault of the spec at once; or when the version cannot be used or a deployment is in progress.
    pub async fn update_environment(
        &self,
        request: Request,
        update: EnvironmentUpdate,
    ) -> Result<TargetRow, AppError> {
        self.may(&request.caller, Action::WriteEnvironment).await?;
        if self.seen(&request).await?.is_some() {
            return self.get_environment(&request.caller, &update.name).await;
        }
        let before = self.get_environment(&request.caller, &update.name).await?;
        self.may_at(&request.caller, Action::WriteEnvironment, &before.place())
            .await?;
        if update.repository.is_some() {
            return Err(provisioning::no_repository(before.provisioning));
        }
        if update.mode == UpdateMode::None {
            if update.spec.is_some() || update.version.is_some() {
                return Err(AppError::invalid(
                    "NOTHING_IS_DEPLOYED",
                    "a spec or a version was given, but the update is to deploy nothing",
                )
                .help("leave out the deployment type to deploy with the current version"));
            }
            return self.describe_environment(request, before, update).await;
        }
        let version = updated_version(
            self,
            TemplateKind::Environment,
            before.made_from()?,
            before.version,
            update.mode,
            update.version,
        )
        .await?
        .version;
        let bundle = self
            .bundle(TemplateKind::Environment, before.made_from()?, version)
            .await?;
        if provisioning::provisioning(&bundle) != before.provisioning {
            return Err(AppError::invalid(
                "PROVISIONING_CHANGED",
                format!(
                    "version {version} of template '{}' is provisioned in another way than environment '{}'",
                    before.made_from()?,
                    update.name
                ),
            )
            .help("who provisions an environment is decided when it is created: create another one from that version"));
        }
        provisioning::available(&bundle)?;
        let spec = update.spec.clone().unwrap_or_else(|| before.spec.clone());
        let (account, region) = (before.account, before.region.clone());
        let made = self
            .make_environment(&bundle, update.name.clone(), account, region, spec)
            .await?;
        self.write_once(request.key(), "update environment", move |unit| {
            Box::pin(async move {
                let mut target = unit.change_environment(&before, &update).await?;
                target.warnings = made.warnings().to_vec();
                unit.apply_environment(&mut target, version, made, &request)
                    .await?;
                unit.answered(&request, update.name.as_str()).await?;
                Ok(target)
            })
        })
        .await
    }

    async fn describe_environment(
        &self,
        request: Request,
        before: TargetRow,
        update: EnvironmentUpdate,
    ) -> Result<TargetRow, AppError> {
        self.write_once(request.key(), "describe environment", move |unit| {
            Box::pin(async move {
                let mut target = unit.change_environment(&before, &update).await?;
                targets::put(unit.tx, &mut target).await?;
                unit.answered(&request, update.name.as_str()).await?;
                Ok(target)
            })
        })
        .await
    }
}

impl Unit<'_> {
    /// The environment with everything of an update that is not deployed; not written back yet.
    async fn change_environment(
        &mut self,
        before: &TargetRow,
        update: &EnvironmentUpdate,
    ) -> Result<TargetRow, AppError> {
        let mut target = targets::by_id(self.tx, before.id)
            .await?
            .ok_or_else(|| not_found(&update.name))?;
        if let Some(active) = deployments::active_of(self.tx, target.id).await? {
            return Err(busy(&target.target, &active));
        }
        if let Some(description) = &update.description {
            target.description.clone_from(description);
        }
        let connected = connections::shared_now(self.tx, target.connection)
            .await?
            .is_some_and(|row| row.kind == ConnectionKind::Environment);
        if connected {
            provisioning::connected_has_no_roles(&update.roles)?;
        } else {
            let management = self.settings().account;
            provisioning::own_roles(&update.roles, management)?;
            let EnvironmentRoles {
                service,
                component,
                codebuild,
            } = update.roles.clone();
            let roles = &mut target.roles;
            roles.service = service.or_else(|| roles.service.take());
            roles.component = component.or_else(|| roles.component.take());
            roles.codebuild = codebuild.or_else(|| roles.codebuild.take());
        }
        if let Some(id) = update.connection {
            if !connected {
                return Err(AppError::invalid(
                    "NOT_THROUGH_A_CONNECTION",
                    format!(
                        "environment '{}' lives in the management account and is not reached through a connection",
                        update.name
                    ),
                )
                .help("leave the connection out; an environment stays in its account"));
            }
            let connection = usable(self, id, &update.name).await?.connection;
            if connection.account != target.account || connection.region != target.region {
                return Err(AppError::invalid(
                    "OTHER_ACCOUNT",
                    format!("connection {id} is of another account or Region than the environment"),
                )
                .help("an environment stays in its account; create another one for the other account"));
            }
            target.connection = id;
            self.move_to_connection(&update.name, id).await?;
        }
        Ok(target)
    }

    /// What lives in an environment follows it to another connection of the same account.
    async fn move_to_connection(
        &mut self,
        name: &EnvironmentName,
        connection: ConnectionId,
    ) -> Result<(), AppError> {
        for kind in ["instance", "component"] {
            let filter = Filter {
                kind,
                environment: Some(name.clone()),
                ..Filter::default()
            };
            for mut row in targets::list(self.tx, &filter, &Sight::Everything, ("", ""), u32::MAX).await? {
                if deployments::active_of(self.tx, row.id).await?.is_none() {
                    row.connection = connection;
                    targets::put(self.tx, &mut row).await?;
                }
            }
        }
        Ok(())
    }
}
