//! Creating, updating and deleting environments.

use hadron_domain::authority::{Action, Caller, Reach};
use hadron_domain::connection::Approval;
use hadron_domain::deployment::Intent;
use hadron_domain::target::Target;
use hadron_domain::template::{TemplateKind, Wanted};
use hadron_proto::vocab::{ConnectionId, EnvironmentName, TemplateName, TemplateVersion};
use hadron_templates::BundleKind;

use super::effects::Planned;
use super::{App, AppError, ErrorKind, Request, Unit, inputs};
use crate::store::connections::{self, ConnectionKind, ConnectionRow};
use crate::store::targets::{Filter, Fresh, TargetRow};
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

/// What a new environment shall be.
#[derive(Clone, Debug)]
pub struct NewEnvironment {
    /// Its name.
    pub name: EnvironmentName,
    /// Its template.
    pub template: TemplateName,
    /// Which version of it.
    pub version: Wanted,
    /// Through which connection; `None` for the management account itself.
    pub connection: Option<ConnectionId>,
    /// Its spec.
    pub spec: String,
    /// For people.
    pub description: String,
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
    let row = connections::get(unit.tx, id)
        .await?
        .filter(|row| row.kind == ConnectionKind::Environment)
        .ok_or_else(|| AppError::not_found("connection", id))?;
    match &row.connection.approval {
        Approval::Connected(_) => {}
        Approval::Pending => {
            return Err(AppError::new(
                ErrorKind::Precondition,
                "NOT_CONNECTED",
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

/// The version that an update means.
pub(super) async fn updated_version(
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
        Some(Wanted::Recommended) | None => None,
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
                _ => Wanted::Major(current.major),
            }
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
    /// Creates an environment and begins its first deployment.
    ///
    /// # Errors
    /// Every fault of the spec at once; or when the template version, the connection or the name cannot be used.
    pub async fn create_environment(
        &self,
        request: Request,
        new: NewEnvironment,
    ) -> Result<TargetRow, AppError> {
        self.may(&request.caller, Action::WriteEnvironment).await?;
        if self.seen(&request).await?.is_some() {
            return self.get_environment(&request.caller, &new.name).await;
        }
        let version = self
            .resolve(TemplateKind::Environment, &new.template, new.version)
            .await?
            .version;
        let bundle = self
            .bundle(TemplateKind::Environment, &new.template, version)
            .await?;
        if bundle.kind == BundleKind::EnvironmentCustomerManaged {
            return Err(AppError::invalid(
                "CUSTOMER_MANAGED",
                format!("template '{}' describes an environment that somebody else provisions", new.template),
            )
            .help("customer managed environments are not available yet; use a template with an infrastructure folder"));
        }
        let (name, wanted) = (new.name.clone(), new.connection);
        let connection = self
            .write("connection of an environment", move |unit| {
                Box::pin(async move {
                    match wanted {
                        Some(id) => usable(unit, id, &name).await,
                        None => connections::management(unit.tx).await?.ok_or_else(|| {
                            AppError::internal("the management account's own connection is not there")
                        }),
                    }
                })
            })
            .await?
            .connection;
        let (account, region) = (connection.account, connection.region.clone());
        let (draft, spec) = inputs::environment(bundle, new.name.clone(), account, region, new.spec).await?;
        self.write("create environment", move |unit| {
            Box::pin(async move {
                let connection = match new.connection {
                    Some(id) => usable(unit, id, &new.name).await?.connection,
                    None => connection,
                };
                let fresh = Fresh {
                    id: unit.fresh_id(),
                    target: Target::Environment(new.name.clone()),
                    environment: Some(new.name.clone()),
                    account: connection.account,
                    region: connection.region,
                    connection: connection.id,
                    template: Some(new.template),
                    version,
                    spec: spec.clone(),
                    warnings: draft.warnings.clone(),
                };
                let mut target = TargetRow {
                    description: new.description,
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
                let rendered = unit.store_draft(&draft).await?;
                let planned = Planned {
                    intent: Intent::Apply,
                    version,
                    spec,
                    rendered: Some(rendered),
                    retain: Vec::new(),
                    requested_by: request.caller.principal.to_string(),
                    grants: std::collections::BTreeSet::new(),
                };
                unit.begin(&mut target, planned).await?;
                unit.answered(&request, new.name.as_str()).await?;
                Ok(target)
            })
        })
        .await
    }

    /// One environment.
    ///
    /// # Errors
    /// When it does not exist or is not the caller's to see.
    pub async fn get_environment(
        &self,
        caller: &Caller,
        name: &EnvironmentName,
    ) -> Result<TargetRow, AppError> {
        let reach = self.may(caller, Action::ReadEnvironment).await?;
        let target = Target::Environment(name.clone());
        self.read("environment", move |tx| {
            Box::pin(async move { Ok(targets::get(tx, &target).await?) })
        })
        .await?
        .filter(|row| reach == Reach::Everything || caller.account == Some(row.account))
        .ok_or_else(|| not_found(name))
    }

    /// Targets of one kind, those of the caller's own account only where their right reaches no further.
    ///
    /// # Errors
    /// When the caller may not read them.
    pub async fn list_targets(
        &self,
        caller: &Caller,
        mut filter: Filter,
        after: (String, String),
        limit: u32,
    ) -> Result<Vec<TargetRow>, AppError> {
        let action = if filter.kind == "environment" {
            Action::ReadEnvironment
        } else {
            Action::ReadService
        };
        if self.may(caller, action).await? == Reach::OwnAccount {
            let Some(own) = caller.account else {
                return Ok(Vec::new());
            };
            if filter.account.is_some_and(|asked| asked != own) {
                return Ok(Vec::new());
            }
            filter.account = Some(own);
        }
        self.read("targets", move |tx| {
            Box::pin(async move { Ok(targets::list(tx, &filter, (&after.0, &after.1), limit).await?) })
        })
        .await
    }

    /// Changes an environment.
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
        if update.mode == UpdateMode::None {
            if update.spec.is_some() || update.version.is_some() {
                return Err(AppError::invalid(
                    "NOTHING_IS_DEPLOYED",
                    "a spec or a version was given, but the update is to deploy nothing",
                )
                .help("leave out the deployment type to deploy with the current version"));
            }
            return self.describe_environment(request, update).await;
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
        let spec = update.spec.clone().unwrap_or_else(|| before.spec.clone());
        let (draft, spec) = inputs::environment(
            bundle,
            update.name.clone(),
            before.account,
            before.region.clone(),
            spec,
        )
        .await?;
        self.write("update environment", move |unit| {
            Box::pin(async move {
                let mut target = targets::by_id(unit.tx, before.id)
                    .await?
                    .ok_or_else(|| not_found(&update.name))?;
                if let Some(description) = update.description {
                    target.description = description;
                }
                if let Some(id) = update.connection {
                    let connection = usable(unit, id, &update.name).await?.connection;
                    if connection.account != target.account || connection.region != target.region {
                        return Err(AppError::invalid(
                            "OTHER_ACCOUNT",
                            format!(
                                "connection {id} is of another account or Region than the environment's stack"
                            ),
                        )
                        .help(
                            "an environment stays in its account; create another one for the other account",
                        ));
                    }
                    target.connection = id;
                    unit.move_to_connection(&update.name, id).await?;
                }
                target.warnings.clone_from(&draft.warnings);
                let rendered = unit.store_draft(&draft).await?;
                let planned = Planned {
                    intent: Intent::Apply,
                    version,
                    spec,
                    rendered: Some(rendered),
                    retain: Vec::new(),
                    requested_by: request.caller.principal.to_string(),
                    grants: std::collections::BTreeSet::new(),
                };
                unit.begin(&mut target, planned).await?;
                unit.answered(&request, update.name.as_str()).await?;
                Ok(target)
            })
        })
        .await
    }

    async fn describe_environment(
        &self,
        request: Request,
        update: EnvironmentUpdate,
    ) -> Result<TargetRow, AppError> {
        self.write("describe environment", move |unit| {
            Box::pin(async move {
                let target = Target::Environment(update.name.clone());
                let mut target = targets::get(unit.tx, &target)
                    .await?
                    .ok_or_else(|| not_found(&update.name))?;
                if let Some(description) = update.description {
                    target.description = description;
                }
                if let Some(id) = update.connection {
                    let connection = usable(unit, id, &update.name).await?.connection;
                    if connection.account != target.account || connection.region != target.region {
                        return Err(AppError::invalid(
                            "OTHER_ACCOUNT",
                            format!(
                                "connection {id} is of another account or Region than the environment's stack"
                            ),
                        ));
                    }
                    target.connection = id;
                    unit.move_to_connection(&update.name, id).await?;
                }
                targets::put(unit.tx, &mut target).await?;
                unit.answered(&request, update.name.as_str()).await?;
                Ok(target)
            })
        })
        .await
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
        self.write("delete environment", move |unit| {
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
                    grants: std::collections::BTreeSet::new(),
                };
                unit.begin(&mut target, planned).await?;
                unit.answered(&request, name.as_str()).await?;
                Ok(target)
            })
        })
        .await
    }
}

impl Unit<'_> {
    /// The instances of an environment follow it to another connection of the same account.
    async fn move_to_connection(
        &mut self,
        name: &EnvironmentName,
        connection: ConnectionId,
    ) -> Result<(), AppError> {
        let filter = Filter {
            kind: "instance",
            environment: Some(name.clone()),
            ..Filter::default()
        };
        for mut instance in targets::list(self.tx, &filter, ("", ""), u32::MAX).await? {
            if deployments::active_of(self.tx, instance.id).await?.is_none() {
                instance.connection = connection;
                targets::put(self.tx, &mut instance).await?;
            }
        }
        Ok(())
    }
}
