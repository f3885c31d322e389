//! ECR behind [`PullPolicies`]. The registry is always the agent's own, so no registry id is sent.

use aws_config::SdkConfig;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::operation::delete_registry_policy::DeleteRegistryPolicyError;
use aws_sdk_ecr::operation::delete_repository_policy::DeleteRepositoryPolicyError;
use aws_sdk_ecr::operation::get_registry_policy::GetRegistryPolicyError;
use aws_sdk_ecr::operation::get_repository_policy::GetRepositoryPolicyError;
use hadron_proto::vocab::RepositoryName;

use super::calls::Counting;
use super::leave::LastLook;
use super::{Answer, AwsError, PullPolicies};

/// ECR of one account and Region.
#[derive(Clone, Debug)]
pub struct Ecr {
    client: Client,
}

impl Ecr {
    /// From the SDK's configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_ecr::config::Builder::from(config)
            .interceptor(LastLook)
            .interceptor(Counting)
            .build();
        Self {
            client: Client::from_conf(config),
        }
    }
}

/// An empty text is no policy: emulators say `""` where AWS says nothing.
fn some_text(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

impl PullPolicies for Ecr {
    async fn policy(&self, repository: &RepositoryName) -> Answer<Option<String>> {
        let request = self
            .client
            .get_repository_policy()
            .repository_name(repository.as_str());
        match request.send().await {
            Ok(answer) => Ok(some_text(answer.policy_text())),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetRepositoryPolicyError::is_repository_policy_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(AwsError::of(error)),
        }
    }

    async fn set_policy(&self, repository: &RepositoryName, text: &str) -> Answer<()> {
        let request = self
            .client
            .set_repository_policy()
            .repository_name(repository.as_str())
            .policy_text(text)
            .force(false);
        request.send().await.map(drop).map_err(AwsError::of)
    }

    async fn delete_policy(&self, repository: &RepositoryName) -> Answer<()> {
        match self
            .client
            .delete_repository_policy()
            .repository_name(repository.as_str())
            .send()
            .await
        {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DeleteRepositoryPolicyError::is_repository_policy_not_found_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(AwsError::of(error)),
        }
    }

    async fn registry_policy(&self) -> Answer<Option<String>> {
        match self.client.get_registry_policy().send().await {
            Ok(answer) => Ok(some_text(answer.policy_text())),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetRegistryPolicyError::is_registry_policy_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(AwsError::of(error)),
        }
    }

    async fn set_registry_policy(&self, text: &str) -> Answer<()> {
        self.client
            .put_registry_policy()
            .policy_text(text)
            .send()
            .await
            .map(drop)
            .map_err(AwsError::of)
    }

    async fn delete_registry_policy(&self) -> Answer<()> {
        match self.client.delete_registry_policy().send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DeleteRegistryPolicyError::is_registry_policy_not_found_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(AwsError::of(error)),
        }
    }
}
