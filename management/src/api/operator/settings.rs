//! `SettingsService`: converts, asks the use cases, converts back.

use hadron_proto::wire;
use tonic::{Request, Response, Status};

use super::convert::{self, word};
use super::{Operator, answer};
use crate::app::settings::{AccountSettings, Decision, SettingsUpdate};
use crate::store::settings::RepositoryBranch;

fn decision<T>(field: &str, text: Option<&str>) -> Result<Decision<T>, Status>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    match text {
        None => Ok(Decision::Keep),
        Some("") => Ok(Decision::Remove),
        Some(text) => word(field, text).map(Decision::Set),
    }
}

fn settings(settings: AccountSettings) -> wire::AccountSettings {
    wire::AccountSettings {
        pipeline_role_arn: settings.pipeline_role.map(String::from).unwrap_or_default(),
        pipeline_codebuild_role_arn: settings
            .pipeline_codebuild_role
            .map(String::from)
            .unwrap_or_default(),
        pipeline_repository: settings
            .pipeline_repository
            .map(|repository| wire::RepositoryBranch {
                provider: repository.provider.word().to_owned(),
                name: repository.name.to_string(),
                branch: repository.branch,
            }),
    }
}

#[tonic::async_trait]
impl wire::settings_service_server::SettingsService for Operator {
    async fn get_settings(
        &self,
        request: Request<wire::GetSettingsRequest>,
    ) -> Result<Response<wire::AccountSettings>, Status> {
        let (caller, _) = self.open(request).await?;
        let found = answer(self.app.get_settings(&caller).await)?;
        Ok(Response::new(settings(found)))
    }

    async fn update_settings(
        &self,
        request: Request<wire::UpdateSettingsRequest>,
    ) -> Result<Response<wire::AccountSettings>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "UpdateSettings", &message.request_id, &message)?;
        let update = SettingsUpdate {
            pipeline_role: decision("pipeline_role_arn", message.pipeline_role_arn.as_deref())?,
            pipeline_codebuild_role: decision(
                "pipeline_codebuild_role_arn",
                message.pipeline_codebuild_role_arn.as_deref(),
            )?,
            pipeline_repository: match message.pipeline_repository {
                Some(repository) => Some(RepositoryBranch {
                    provider: word("pipeline_repository.provider", &repository.provider)?,
                    name: word("pipeline_repository.name", &repository.name)?,
                    branch: repository.branch,
                }),
                None => None,
            },
            remove_pipeline_repository: message.remove_pipeline_repository,
        };
        let made = answer(self.app.update_settings(change, update).await)?;
        Ok(Response::new(settings(made)))
    }
}
