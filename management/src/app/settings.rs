//! Settings of the account: what pipelines are provisioned with.
//!
//! What people decide here wins over the hub's configuration. As long as nobody has decided, the configured pipeline role
//! counts and is shown; when it was taken away here, there is none, whatever the configuration says.

use hadron_domain::authority::{Action, Caller};
use hadron_proto::vocab::RoleArn;

use super::{App, AppError, ErrorKind, Request, Settings};
use crate::store::settings::{self, RepositoryBranch, Setting};
use crate::store::{StoreError, Tx, repositories};

/// The settings as they count now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountSettings {
    /// What CloudFormation provisions pipelines with.
    pub pipeline_role: Option<RoleArn>,
    /// What CodeBuild jobs of pipelines run as.
    pub pipeline_codebuild_role: Option<RoleArn>,
    /// Where pull requests for pipelines go.
    pub pipeline_repository: Option<RepositoryBranch>,
}

/// What becomes of one setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Decision<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is this from now on.
    Set(T),
    /// It is taken away.
    Remove,
}

/// What shall change about the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsUpdate {
    /// What CloudFormation provisions pipelines with.
    pub pipeline_role: Decision<RoleArn>,
    /// What CodeBuild jobs of pipelines run as.
    pub pipeline_codebuild_role: Decision<RoleArn>,
    /// Another repository for pull requests of pipelines.
    pub pipeline_repository: Option<RepositoryBranch>,
    /// Takes the repository away; not together with another one.
    pub remove_pipeline_repository: bool,
}

/// The role that pipelines are provisioned with now.
pub(super) async fn pipeline_role(tx: &mut Tx, configured: &Settings) -> Result<Option<RoleArn>, StoreError> {
    let decided = settings::get(tx, Setting::PipelineRole).await?;
    Ok(decided.unwrap_or_else(|| configured.pipeline_role.clone()))
}

async fn now(tx: &mut Tx, configured: &Settings) -> Result<AccountSettings, StoreError> {
    Ok(AccountSettings {
        pipeline_role: pipeline_role(tx, configured).await?,
        pipeline_codebuild_role: settings::get(tx, Setting::PipelineCodebuildRole).await?.flatten(),
        pipeline_repository: settings::get(tx, Setting::PipelineRepository).await?.flatten(),
    })
}

impl App {
    /// The settings of the account.
    ///
    /// # Errors
    /// When the caller may not read them.
    pub async fn get_settings(&self, caller: &Caller) -> Result<AccountSettings, AppError> {
        self.may(caller, Action::ReadSettings).await?;
        self.account_settings().await
    }

    async fn account_settings(&self) -> Result<AccountSettings, AppError> {
        let configured = self.settings().clone();
        self.read("settings", move |tx| {
            Box::pin(async move { Ok(now(tx, &configured).await?) })
        })
        .await
    }

    /// Changes settings of the account; what is not named stays.
    ///
    /// # Errors
    /// When a role is not of the management account, or the repository is not linked.
    pub async fn update_settings(
        &self,
        request: Request,
        update: SettingsUpdate,
    ) -> Result<AccountSettings, AppError> {
        self.may(&request.caller, Action::WriteSettings).await?;
        if self.seen(&request).await?.is_some() {
            return self.account_settings().await;
        }
        let management = self.settings().account;
        for decision in [&update.pipeline_role, &update.pipeline_codebuild_role] {
            if let Decision::Set(role) = decision
                && role.account() != management
            {
                return Err(AppError::invalid(
                    "ROLE_OF_OTHER_ACCOUNT",
                    format!(
                        "role {role} belongs to account {}, but pipelines live in the management account {management}",
                        role.account()
                    ),
                )
                .help("name a role of the management account"));
            }
        }
        if update.pipeline_repository.is_some() && update.remove_pipeline_repository {
            return Err(AppError::invalid(
                "SET_AND_REMOVED",
                "a pipeline repository was named and is to be removed at the same time",
            )
            .help("give one of pipelineProvisioningRepository and deletePipelineProvisioningRepository"));
        }
        let configured = self.settings().clone();
        self.write_once(request.key(), "update settings", move |unit| {
            Box::pin(async move {
                let by = request.caller.principal.to_string();
                for (setting, decision) in [
                    (Setting::PipelineRole, &update.pipeline_role),
                    (Setting::PipelineCodebuildRole, &update.pipeline_codebuild_role),
                ] {
                    let value = match decision {
                        Decision::Keep => continue,
                        Decision::Set(role) => Some(role),
                        Decision::Remove => None,
                    };
                    settings::put(unit.tx, setting, value, &by, unit.now).await?;
                }
                if let Some(repository) = &update.pipeline_repository {
                    let RepositoryBranch { provider, name, .. } = repository;
                    if repositories::get(unit.tx, *provider, name).await?.is_none() {
                        return Err(AppError::new(
                            ErrorKind::Precondition,
                            "REPOSITORY_NOT_LINKED",
                            format!("repository {name} ({}) is not linked", provider.word()),
                        )
                        .help("link it first: hadron repository link, or CreateRepository"));
                    }
                }
                if update.pipeline_repository.is_some() || update.remove_pipeline_repository {
                    let value = update.pipeline_repository.as_ref();
                    settings::put(unit.tx, Setting::PipelineRepository, value, &by, unit.now).await?;
                }
                unit.answered(&request, "account settings").await?;
                Ok(now(unit.tx, &configured).await?)
            })
        })
        .await
    }

    /// Pipelines need a role of the management account before a service with one can be created.
    pub(super) async fn need_pipeline_role(&self) -> Result<(), AppError> {
        if self.account_settings().await?.pipeline_role.is_some() {
            return Ok(());
        }
        // Proton's own words: scripts look for them.
        Err(AppError::new(
            ErrorKind::Precondition,
            "PIPELINE_ROLE_MISSING",
            "Operation cannot be run until pipeline roles have been configured",
        )
        .help("name one: hadron settings set --pipeline-role ARN, or UpdateAccountSettings"))
    }
}
