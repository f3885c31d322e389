//! Settings of the management account.

use super::arn::Resource;
use super::shapes::{
    AccountSettings, GetAccountSettingsInput, GetAccountSettingsOutput, RepositoryBranch,
    UpdateAccountSettingsInput, UpdateAccountSettingsOutput,
};
use super::{Call, Fault, Proton, convert, repositories};
use crate::app::settings::{self, Decision, SettingsUpdate};

/// Absence keeps, an empty text removes.
fn decision<T>(member: &str, text: Option<&str>) -> Result<Decision<T>, Fault>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    match text {
        None => Ok(Decision::Keep),
        Some("") => Ok(Decision::Remove),
        Some(text) => convert::word(member, text).map(Decision::Set),
    }
}

impl Proton {
    pub(super) async fn get_account_settings(
        &self,
        call: &Call,
        _input: GetAccountSettingsInput,
    ) -> Result<GetAccountSettingsOutput, Fault> {
        let found = self.app.get_settings(&call.caller).await?;
        Ok(GetAccountSettingsOutput {
            account_settings: Some(self.account_settings(found)),
        })
    }

    pub(super) async fn update_account_settings(
        &self,
        call: &Call,
        input: UpdateAccountSettingsInput,
    ) -> Result<UpdateAccountSettingsOutput, Fault> {
        let update = SettingsUpdate {
            pipeline_role: decision(
                "pipelineServiceRoleArn",
                input.pipeline_service_role_arn.as_deref(),
            )?,
            pipeline_codebuild_role: decision(
                "pipelineCodebuildRoleArn",
                input.pipeline_codebuild_role_arn.as_deref(),
            )?,
            pipeline_repository: convert::branch(
                "pipelineProvisioningRepository",
                input.pipeline_provisioning_repository,
            )?,
            remove_pipeline_repository: input.delete_pipeline_provisioning_repository == Some(true),
        };
        let made = self.app.update_settings(call.request(None), update).await?;
        Ok(UpdateAccountSettingsOutput {
            account_settings: self.account_settings(made),
        })
    }

    fn account_settings(&self, settings: settings::AccountSettings) -> AccountSettings {
        let repository = settings.pipeline_repository.map(|given| RepositoryBranch {
            arn: self.arn(Resource::Repository(given.provider, given.name.clone())),
            branch: given.branch,
            name: given.name.into(),
            provider: repositories::shown(given.provider),
        });
        AccountSettings {
            pipeline_codebuild_role_arn: settings.pipeline_codebuild_role.map(String::from),
            pipeline_provisioning_repository: repository,
            pipeline_service_role_arn: settings.pipeline_role.map(String::from),
        }
    }
}
