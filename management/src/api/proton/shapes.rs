// Generated from model/proton-2020-07-20.json by `cargo xtask gen`; changes by hand are lost.

//! What requests and answers are made of. Requests have been checked before they are read into these.

#![allow(dead_code, reason = "the contract has more in it than every build uses")]

use std::fmt;

use serde::{Deserialize, Serialize};

use super::scalar::{Sensitive, Time};

/// `AcceptEnvironmentAccountConnectionInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AcceptEnvironmentAccountConnectionInput {
    pub(super) id: String,
}

/// `AcceptEnvironmentAccountConnectionOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AcceptEnvironmentAccountConnectionOutput {
    pub(super) environment_account_connection: EnvironmentAccountConnection,
}

/// `AccountSettings`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pipeline_codebuild_role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pipeline_provisioning_repository: Option<RepositoryBranch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pipeline_service_role_arn: Option<String>,
}

/// `BlockerStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum BlockerStatus {
    #[serde(rename = "ACTIVE")]
    Active,
    #[serde(rename = "RESOLVED")]
    Resolved,
}

impl BlockerStatus {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::Active, Self::Resolved];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Resolved => "RESOLVED",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `BlockerType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum BlockerType {
    #[serde(rename = "AUTOMATED")]
    Automated,
}

impl BlockerType {
    /// All of them.
    pub(super) const ALL: [Self; 1] = [Self::Automated];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Automated => "AUTOMATED",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `CancelComponentDeploymentInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelComponentDeploymentInput {
    pub(super) component_name: String,
}

/// `CancelComponentDeploymentOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelComponentDeploymentOutput {
    pub(super) component: Component,
}

/// `CancelEnvironmentDeploymentInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelEnvironmentDeploymentInput {
    pub(super) environment_name: String,
}

/// `CancelEnvironmentDeploymentOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelEnvironmentDeploymentOutput {
    pub(super) environment: Environment,
}

/// `CancelServiceInstanceDeploymentInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelServiceInstanceDeploymentInput {
    pub(super) service_instance_name: String,
    pub(super) service_name: String,
}

/// `CancelServiceInstanceDeploymentOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelServiceInstanceDeploymentOutput {
    pub(super) service_instance: ServiceInstance,
}

/// `CancelServicePipelineDeploymentInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelServicePipelineDeploymentInput {
    pub(super) service_name: String,
}

/// `CancelServicePipelineDeploymentOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelServicePipelineDeploymentOutput {
    pub(super) pipeline: ServicePipeline,
}

/// `CompatibleEnvironmentTemplate`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompatibleEnvironmentTemplate {
    pub(super) major_version: String,
    pub(super) template_name: String,
}

/// `CompatibleEnvironmentTemplateInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompatibleEnvironmentTemplateInput {
    pub(super) major_version: String,
    pub(super) template_name: String,
}

/// `Component`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Component {
    pub(super) arn: String,
    pub(super) created_at: Time,
    pub(super) deployment_status: DeploymentStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deployment_status_message: Option<Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Sensitive>,
    pub(super) environment_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_attempted_deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_client_request_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_deployment_attempted_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_deployment_succeeded_at: Option<Time>,
    pub(super) last_modified_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_succeeded_deployment_id: Option<String>,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_instance_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_spec: Option<Sensitive>,
}

/// `ComponentDeploymentUpdateType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum ComponentDeploymentUpdateType {
    #[serde(rename = "NONE")]
    None,
    #[serde(rename = "CURRENT_VERSION")]
    CurrentVersion,
}

impl ComponentDeploymentUpdateType {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::None, Self::CurrentVersion];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::CurrentVersion => "CURRENT_VERSION",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `ComponentState`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ComponentState {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_instance_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_spec: Option<Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) template_file: Option<Sensitive>,
}

/// `ComponentSummary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ComponentSummary {
    pub(super) arn: String,
    pub(super) created_at: Time,
    pub(super) deployment_status: DeploymentStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deployment_status_message: Option<Sensitive>,
    pub(super) environment_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_attempted_deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_deployment_attempted_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_deployment_succeeded_at: Option<Time>,
    pub(super) last_modified_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_succeeded_deployment_id: Option<String>,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_instance_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_name: Option<String>,
}

/// `CountsSummary`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CountsSummary {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) components: Option<ResourceCountsSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) environment_templates: Option<ResourceCountsSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) environments: Option<ResourceCountsSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pipelines: Option<ResourceCountsSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_instances: Option<ResourceCountsSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_templates: Option<ResourceCountsSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) services: Option<ResourceCountsSummary>,
}

/// `CreateComponentInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateComponentInput {
    pub(super) client_token: Option<String>,
    pub(super) description: Option<Sensitive>,
    pub(super) environment_name: Option<String>,
    pub(super) manifest: Sensitive,
    pub(super) name: String,
    pub(super) service_instance_name: Option<String>,
    pub(super) service_name: Option<String>,
    pub(super) service_spec: Option<Sensitive>,
    pub(super) tags: Option<Vec<Tag>>,
    pub(super) template_file: Sensitive,
}

/// `CreateComponentOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateComponentOutput {
    pub(super) component: Component,
}

/// `CreateEnvironmentAccountConnectionInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateEnvironmentAccountConnectionInput {
    pub(super) client_token: Option<String>,
    pub(super) codebuild_role_arn: Option<String>,
    pub(super) component_role_arn: Option<String>,
    pub(super) environment_name: String,
    pub(super) management_account_id: String,
    pub(super) role_arn: Option<String>,
    pub(super) tags: Option<Vec<Tag>>,
}

/// `CreateEnvironmentAccountConnectionOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateEnvironmentAccountConnectionOutput {
    pub(super) environment_account_connection: EnvironmentAccountConnection,
}

/// `CreateEnvironmentInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateEnvironmentInput {
    pub(super) codebuild_role_arn: Option<String>,
    pub(super) component_role_arn: Option<String>,
    pub(super) description: Option<Sensitive>,
    pub(super) environment_account_connection_id: Option<String>,
    pub(super) name: String,
    pub(super) proton_service_role_arn: Option<String>,
    pub(super) provisioning_repository: Option<RepositoryBranchInput>,
    pub(super) spec: Sensitive,
    pub(super) tags: Option<Vec<Tag>>,
    pub(super) template_major_version: String,
    pub(super) template_minor_version: Option<String>,
    pub(super) template_name: String,
}

/// `CreateEnvironmentOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateEnvironmentOutput {
    pub(super) environment: Environment,
}

/// `CreateEnvironmentTemplateInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateEnvironmentTemplateInput {
    pub(super) description: Option<Sensitive>,
    pub(super) display_name: Option<Sensitive>,
    pub(super) encryption_key: Option<String>,
    pub(super) name: String,
    pub(super) provisioning: Option<Provisioning>,
    pub(super) tags: Option<Vec<Tag>>,
}

/// `CreateEnvironmentTemplateOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateEnvironmentTemplateOutput {
    pub(super) environment_template: EnvironmentTemplate,
}

/// `CreateEnvironmentTemplateVersionInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateEnvironmentTemplateVersionInput {
    pub(super) client_token: Option<String>,
    pub(super) description: Option<Sensitive>,
    pub(super) major_version: Option<String>,
    pub(super) source: TemplateVersionSourceInput,
    pub(super) tags: Option<Vec<Tag>>,
    pub(super) template_name: String,
}

/// `CreateEnvironmentTemplateVersionOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateEnvironmentTemplateVersionOutput {
    pub(super) environment_template_version: EnvironmentTemplateVersion,
}

/// `CreateRepositoryInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateRepositoryInput {
    pub(super) connection_arn: String,
    pub(super) encryption_key: Option<String>,
    pub(super) name: String,
    pub(super) provider: RepositoryProvider,
    pub(super) tags: Option<Vec<Tag>>,
}

/// `CreateRepositoryOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateRepositoryOutput {
    pub(super) repository: Repository,
}

/// `CreateServiceInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateServiceInput {
    pub(super) branch_name: Option<String>,
    pub(super) description: Option<Sensitive>,
    pub(super) name: String,
    pub(super) repository_connection_arn: Option<String>,
    pub(super) repository_id: Option<String>,
    pub(super) spec: Sensitive,
    pub(super) tags: Option<Vec<Tag>>,
    pub(super) template_major_version: String,
    pub(super) template_minor_version: Option<String>,
    pub(super) template_name: String,
}

/// `CreateServiceInstanceInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateServiceInstanceInput {
    pub(super) client_token: Option<String>,
    pub(super) name: String,
    pub(super) service_name: String,
    pub(super) spec: Sensitive,
    pub(super) tags: Option<Vec<Tag>>,
    pub(super) template_major_version: Option<String>,
    pub(super) template_minor_version: Option<String>,
}

/// `CreateServiceInstanceOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateServiceInstanceOutput {
    pub(super) service_instance: ServiceInstance,
}

/// `CreateServiceOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateServiceOutput {
    pub(super) service: Service,
}

/// `CreateServiceSyncConfigInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateServiceSyncConfigInput {
    pub(super) branch: String,
    pub(super) file_path: String,
    pub(super) repository_name: String,
    pub(super) repository_provider: RepositoryProvider,
    pub(super) service_name: String,
}

/// `CreateServiceSyncConfigOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateServiceSyncConfigOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_sync_config: Option<ServiceSyncConfig>,
}

/// `CreateServiceTemplateInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateServiceTemplateInput {
    pub(super) description: Option<Sensitive>,
    pub(super) display_name: Option<Sensitive>,
    pub(super) encryption_key: Option<String>,
    pub(super) name: String,
    pub(super) pipeline_provisioning: Option<Provisioning>,
    pub(super) tags: Option<Vec<Tag>>,
}

/// `CreateServiceTemplateOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateServiceTemplateOutput {
    pub(super) service_template: ServiceTemplate,
}

/// `CreateServiceTemplateVersionInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateServiceTemplateVersionInput {
    pub(super) client_token: Option<String>,
    pub(super) compatible_environment_templates: Vec<CompatibleEnvironmentTemplateInput>,
    pub(super) description: Option<Sensitive>,
    pub(super) major_version: Option<String>,
    pub(super) source: TemplateVersionSourceInput,
    pub(super) supported_component_sources: Option<Vec<ServiceTemplateSupportedComponentSourceType>>,
    pub(super) tags: Option<Vec<Tag>>,
    pub(super) template_name: String,
}

/// `CreateServiceTemplateVersionOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateServiceTemplateVersionOutput {
    pub(super) service_template_version: ServiceTemplateVersion,
}

/// `CreateTemplateSyncConfigInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateTemplateSyncConfigInput {
    pub(super) branch: String,
    pub(super) repository_name: String,
    pub(super) repository_provider: RepositoryProvider,
    pub(super) subdirectory: Option<String>,
    pub(super) template_name: String,
    pub(super) template_type: TemplateType,
}

/// `CreateTemplateSyncConfigOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateTemplateSyncConfigOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) template_sync_config: Option<TemplateSyncConfig>,
}

/// `DeleteComponentInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteComponentInput {
    pub(super) name: String,
}

/// `DeleteComponentOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteComponentOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) component: Option<Component>,
}

/// `DeleteDeploymentInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteDeploymentInput {
    pub(super) id: String,
}

/// `DeleteDeploymentOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteDeploymentOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deployment: Option<Deployment>,
}

/// `DeleteEnvironmentAccountConnectionInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteEnvironmentAccountConnectionInput {
    pub(super) id: String,
}

/// `DeleteEnvironmentAccountConnectionOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteEnvironmentAccountConnectionOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) environment_account_connection: Option<EnvironmentAccountConnection>,
}

/// `DeleteEnvironmentInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteEnvironmentInput {
    pub(super) name: String,
}

/// `DeleteEnvironmentOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteEnvironmentOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) environment: Option<Environment>,
}

/// `DeleteEnvironmentTemplateInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteEnvironmentTemplateInput {
    pub(super) name: String,
}

/// `DeleteEnvironmentTemplateOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteEnvironmentTemplateOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) environment_template: Option<EnvironmentTemplate>,
}

/// `DeleteEnvironmentTemplateVersionInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteEnvironmentTemplateVersionInput {
    pub(super) major_version: String,
    pub(super) minor_version: String,
    pub(super) template_name: String,
}

/// `DeleteEnvironmentTemplateVersionOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteEnvironmentTemplateVersionOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) environment_template_version: Option<EnvironmentTemplateVersion>,
}

/// `DeleteRepositoryInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteRepositoryInput {
    pub(super) name: String,
    pub(super) provider: RepositoryProvider,
}

/// `DeleteRepositoryOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteRepositoryOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) repository: Option<Repository>,
}

/// `DeleteServiceInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteServiceInput {
    pub(super) name: String,
}

/// `DeleteServiceOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteServiceOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<Service>,
}

/// `DeleteServiceSyncConfigInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteServiceSyncConfigInput {
    pub(super) service_name: String,
}

/// `DeleteServiceSyncConfigOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteServiceSyncConfigOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_sync_config: Option<ServiceSyncConfig>,
}

/// `DeleteServiceTemplateInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteServiceTemplateInput {
    pub(super) name: String,
}

/// `DeleteServiceTemplateOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteServiceTemplateOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_template: Option<ServiceTemplate>,
}

/// `DeleteServiceTemplateVersionInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteServiceTemplateVersionInput {
    pub(super) major_version: String,
    pub(super) minor_version: String,
    pub(super) template_name: String,
}

/// `DeleteServiceTemplateVersionOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteServiceTemplateVersionOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_template_version: Option<ServiceTemplateVersion>,
}

/// `DeleteTemplateSyncConfigInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteTemplateSyncConfigInput {
    pub(super) template_name: String,
    pub(super) template_type: TemplateType,
}

/// `DeleteTemplateSyncConfigOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteTemplateSyncConfigOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) template_sync_config: Option<TemplateSyncConfig>,
}

/// `Deployment`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deployment {
    pub(super) arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) completed_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) component_name: Option<String>,
    pub(super) created_at: Time,
    pub(super) deployment_status: DeploymentStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deployment_status_message: Option<Sensitive>,
    pub(super) environment_name: String,
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) initial_state: Option<DeploymentState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_attempted_deployment_id: Option<String>,
    pub(super) last_modified_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_succeeded_deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_instance_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_name: Option<String>,
    pub(super) target_arn: String,
    pub(super) target_resource_created_at: Time,
    pub(super) target_resource_type: DeploymentTargetResourceType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target_state: Option<DeploymentState>,
}

/// `DeploymentState`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum DeploymentState {
    Component(ComponentState),
    Environment(EnvironmentState),
    ServiceInstance(ServiceInstanceState),
    ServicePipeline(ServicePipelineState),
}

/// `DeploymentStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum DeploymentStatus {
    #[serde(rename = "IN_PROGRESS")]
    InProgress,
    #[serde(rename = "FAILED")]
    Failed,
    #[serde(rename = "SUCCEEDED")]
    Succeeded,
    #[serde(rename = "DELETE_IN_PROGRESS")]
    DeleteInProgress,
    #[serde(rename = "DELETE_FAILED")]
    DeleteFailed,
    #[serde(rename = "DELETE_COMPLETE")]
    DeleteComplete,
    #[serde(rename = "CANCELLING")]
    Cancelling,
    #[serde(rename = "CANCELLED")]
    Cancelled,
}

impl DeploymentStatus {
    /// All of them.
    pub(super) const ALL: [Self; 8] = [
        Self::InProgress,
        Self::Failed,
        Self::Succeeded,
        Self::DeleteInProgress,
        Self::DeleteFailed,
        Self::DeleteComplete,
        Self::Cancelling,
        Self::Cancelled,
    ];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Failed => "FAILED",
            Self::Succeeded => "SUCCEEDED",
            Self::DeleteInProgress => "DELETE_IN_PROGRESS",
            Self::DeleteFailed => "DELETE_FAILED",
            Self::DeleteComplete => "DELETE_COMPLETE",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `DeploymentSummary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeploymentSummary {
    pub(super) arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) completed_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) component_name: Option<String>,
    pub(super) created_at: Time,
    pub(super) deployment_status: DeploymentStatus,
    pub(super) environment_name: String,
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_attempted_deployment_id: Option<String>,
    pub(super) last_modified_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_succeeded_deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_instance_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_name: Option<String>,
    pub(super) target_arn: String,
    pub(super) target_resource_created_at: Time,
    pub(super) target_resource_type: DeploymentTargetResourceType,
}

/// `DeploymentTargetResourceType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum DeploymentTargetResourceType {
    #[serde(rename = "ENVIRONMENT")]
    Environment,
    #[serde(rename = "SERVICE_PIPELINE")]
    ServicePipeline,
    #[serde(rename = "SERVICE_INSTANCE")]
    ServiceInstance,
    #[serde(rename = "COMPONENT")]
    Component,
}

impl DeploymentTargetResourceType {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [
        Self::Environment,
        Self::ServicePipeline,
        Self::ServiceInstance,
        Self::Component,
    ];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "ENVIRONMENT",
            Self::ServicePipeline => "SERVICE_PIPELINE",
            Self::ServiceInstance => "SERVICE_INSTANCE",
            Self::Component => "COMPONENT",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `DeploymentUpdateType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum DeploymentUpdateType {
    #[serde(rename = "NONE")]
    None,
    #[serde(rename = "CURRENT_VERSION")]
    CurrentVersion,
    #[serde(rename = "MINOR_VERSION")]
    MinorVersion,
    #[serde(rename = "MAJOR_VERSION")]
    MajorVersion,
}

impl DeploymentUpdateType {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [
        Self::None,
        Self::CurrentVersion,
        Self::MinorVersion,
        Self::MajorVersion,
    ];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::CurrentVersion => "CURRENT_VERSION",
            Self::MinorVersion => "MINOR_VERSION",
            Self::MajorVersion => "MAJOR_VERSION",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `Environment`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Environment {
    pub(super) arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) codebuild_role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) component_role_arn: Option<String>,
    pub(super) created_at: Time,
    pub(super) deployment_status: DeploymentStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deployment_status_message: Option<Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) environment_account_connection_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) environment_account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_attempted_deployment_id: Option<String>,
    pub(super) last_deployment_attempted_at: Time,
    pub(super) last_deployment_succeeded_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_succeeded_deployment_id: Option<String>,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) proton_service_role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provisioning: Option<Provisioning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provisioning_repository: Option<RepositoryBranch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spec: Option<Sensitive>,
    pub(super) template_major_version: String,
    pub(super) template_minor_version: String,
    pub(super) template_name: String,
}

/// `EnvironmentAccountConnection`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvironmentAccountConnection {
    pub(super) arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) codebuild_role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) component_role_arn: Option<String>,
    pub(super) environment_account_id: String,
    pub(super) environment_name: String,
    pub(super) id: String,
    pub(super) last_modified_at: Time,
    pub(super) management_account_id: String,
    pub(super) requested_at: Time,
    pub(super) role_arn: String,
    pub(super) status: EnvironmentAccountConnectionStatus,
}

/// `EnvironmentAccountConnectionRequesterAccountType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum EnvironmentAccountConnectionRequesterAccountType {
    #[serde(rename = "MANAGEMENT_ACCOUNT")]
    ManagementAccount,
    #[serde(rename = "ENVIRONMENT_ACCOUNT")]
    EnvironmentAccount,
}

impl EnvironmentAccountConnectionRequesterAccountType {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::ManagementAccount, Self::EnvironmentAccount];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ManagementAccount => "MANAGEMENT_ACCOUNT",
            Self::EnvironmentAccount => "ENVIRONMENT_ACCOUNT",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `EnvironmentAccountConnectionStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum EnvironmentAccountConnectionStatus {
    #[serde(rename = "PENDING")]
    Pending,
    #[serde(rename = "CONNECTED")]
    Connected,
    #[serde(rename = "REJECTED")]
    Rejected,
}

impl EnvironmentAccountConnectionStatus {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Pending, Self::Connected, Self::Rejected];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Connected => "CONNECTED",
            Self::Rejected => "REJECTED",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `EnvironmentAccountConnectionSummary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvironmentAccountConnectionSummary {
    pub(super) arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) component_role_arn: Option<String>,
    pub(super) environment_account_id: String,
    pub(super) environment_name: String,
    pub(super) id: String,
    pub(super) last_modified_at: Time,
    pub(super) management_account_id: String,
    pub(super) requested_at: Time,
    pub(super) role_arn: String,
    pub(super) status: EnvironmentAccountConnectionStatus,
}

/// `EnvironmentState`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvironmentState {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spec: Option<Sensitive>,
    pub(super) template_major_version: String,
    pub(super) template_minor_version: String,
    pub(super) template_name: String,
}

/// `EnvironmentSummary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvironmentSummary {
    pub(super) arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) component_role_arn: Option<String>,
    pub(super) created_at: Time,
    pub(super) deployment_status: DeploymentStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deployment_status_message: Option<Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) environment_account_connection_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) environment_account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_attempted_deployment_id: Option<String>,
    pub(super) last_deployment_attempted_at: Time,
    pub(super) last_deployment_succeeded_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_succeeded_deployment_id: Option<String>,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) proton_service_role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provisioning: Option<Provisioning>,
    pub(super) template_major_version: String,
    pub(super) template_minor_version: String,
    pub(super) template_name: String,
}

/// `EnvironmentTemplate`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvironmentTemplate {
    pub(super) arn: String,
    pub(super) created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display_name: Option<Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encryption_key: Option<String>,
    pub(super) last_modified_at: Time,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provisioning: Option<Provisioning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recommended_version: Option<String>,
}

/// `EnvironmentTemplateFilter`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvironmentTemplateFilter {
    pub(super) major_version: String,
    pub(super) template_name: String,
}

/// `EnvironmentTemplateSummary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvironmentTemplateSummary {
    pub(super) arn: String,
    pub(super) created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display_name: Option<Sensitive>,
    pub(super) last_modified_at: Time,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provisioning: Option<Provisioning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recommended_version: Option<String>,
}

/// `EnvironmentTemplateVersion`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvironmentTemplateVersion {
    pub(super) arn: String,
    pub(super) created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Sensitive>,
    pub(super) last_modified_at: Time,
    pub(super) major_version: String,
    pub(super) minor_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recommended_minor_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schema: Option<Sensitive>,
    pub(super) status: TemplateVersionStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_message: Option<Sensitive>,
    pub(super) template_name: String,
}

/// `EnvironmentTemplateVersionSummary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvironmentTemplateVersionSummary {
    pub(super) arn: String,
    pub(super) created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Sensitive>,
    pub(super) last_modified_at: Time,
    pub(super) major_version: String,
    pub(super) minor_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recommended_minor_version: Option<String>,
    pub(super) status: TemplateVersionStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_message: Option<Sensitive>,
    pub(super) template_name: String,
}

/// `GetAccountSettingsInput`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetAccountSettingsInput {}

/// `GetAccountSettingsOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetAccountSettingsOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) account_settings: Option<AccountSettings>,
}

/// `GetComponentInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetComponentInput {
    pub(super) name: String,
}

/// `GetComponentOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetComponentOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) component: Option<Component>,
}

/// `GetDeploymentInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetDeploymentInput {
    pub(super) component_name: Option<String>,
    pub(super) environment_name: Option<String>,
    pub(super) id: String,
    pub(super) service_instance_name: Option<String>,
    pub(super) service_name: Option<String>,
}

/// `GetDeploymentOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetDeploymentOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deployment: Option<Deployment>,
}

/// `GetEnvironmentAccountConnectionInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetEnvironmentAccountConnectionInput {
    pub(super) id: String,
}

/// `GetEnvironmentAccountConnectionOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetEnvironmentAccountConnectionOutput {
    pub(super) environment_account_connection: EnvironmentAccountConnection,
}

/// `GetEnvironmentInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetEnvironmentInput {
    pub(super) name: String,
}

/// `GetEnvironmentOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetEnvironmentOutput {
    pub(super) environment: Environment,
}

/// `GetEnvironmentTemplateInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetEnvironmentTemplateInput {
    pub(super) name: String,
}

/// `GetEnvironmentTemplateOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetEnvironmentTemplateOutput {
    pub(super) environment_template: EnvironmentTemplate,
}

/// `GetEnvironmentTemplateVersionInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetEnvironmentTemplateVersionInput {
    pub(super) major_version: String,
    pub(super) minor_version: String,
    pub(super) template_name: String,
}

/// `GetEnvironmentTemplateVersionOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetEnvironmentTemplateVersionOutput {
    pub(super) environment_template_version: EnvironmentTemplateVersion,
}

/// `GetRepositoryInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetRepositoryInput {
    pub(super) name: String,
    pub(super) provider: RepositoryProvider,
}

/// `GetRepositoryOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetRepositoryOutput {
    pub(super) repository: Repository,
}

/// `GetRepositorySyncStatusInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetRepositorySyncStatusInput {
    pub(super) branch: String,
    pub(super) repository_name: String,
    pub(super) repository_provider: RepositoryProvider,
    pub(super) sync_type: SyncType,
}

/// `GetRepositorySyncStatusOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetRepositorySyncStatusOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latest_sync: Option<RepositorySyncAttempt>,
}

/// `GetResourcesSummaryInput`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetResourcesSummaryInput {}

/// `GetResourcesSummaryOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetResourcesSummaryOutput {
    pub(super) counts: CountsSummary,
}

/// `GetServiceInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetServiceInput {
    pub(super) name: String,
}

/// `GetServiceInstanceInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetServiceInstanceInput {
    pub(super) name: String,
    pub(super) service_name: String,
}

/// `GetServiceInstanceOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetServiceInstanceOutput {
    pub(super) service_instance: ServiceInstance,
}

/// `GetServiceInstanceSyncStatusInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetServiceInstanceSyncStatusInput {
    pub(super) service_instance_name: String,
    pub(super) service_name: String,
}

/// `GetServiceInstanceSyncStatusOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetServiceInstanceSyncStatusOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) desired_state: Option<Revision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latest_successful_sync: Option<ResourceSyncAttempt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latest_sync: Option<ResourceSyncAttempt>,
}

/// `GetServiceOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetServiceOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<Service>,
}

/// `GetServiceSyncBlockerSummaryInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetServiceSyncBlockerSummaryInput {
    pub(super) service_instance_name: Option<String>,
    pub(super) service_name: String,
}

/// `GetServiceSyncBlockerSummaryOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetServiceSyncBlockerSummaryOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_sync_blocker_summary: Option<ServiceSyncBlockerSummary>,
}

/// `GetServiceSyncConfigInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetServiceSyncConfigInput {
    pub(super) service_name: String,
}

/// `GetServiceSyncConfigOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetServiceSyncConfigOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_sync_config: Option<ServiceSyncConfig>,
}

/// `GetServiceTemplateInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetServiceTemplateInput {
    pub(super) name: String,
}

/// `GetServiceTemplateOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetServiceTemplateOutput {
    pub(super) service_template: ServiceTemplate,
}

/// `GetServiceTemplateVersionInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetServiceTemplateVersionInput {
    pub(super) major_version: String,
    pub(super) minor_version: String,
    pub(super) template_name: String,
}

/// `GetServiceTemplateVersionOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetServiceTemplateVersionOutput {
    pub(super) service_template_version: ServiceTemplateVersion,
}

/// `GetTemplateSyncConfigInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetTemplateSyncConfigInput {
    pub(super) template_name: String,
    pub(super) template_type: TemplateType,
}

/// `GetTemplateSyncConfigOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetTemplateSyncConfigOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) template_sync_config: Option<TemplateSyncConfig>,
}

/// `GetTemplateSyncStatusInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetTemplateSyncStatusInput {
    pub(super) template_name: String,
    pub(super) template_type: TemplateType,
    pub(super) template_version: String,
}

/// `GetTemplateSyncStatusOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetTemplateSyncStatusOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) desired_state: Option<Revision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latest_successful_sync: Option<ResourceSyncAttempt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latest_sync: Option<ResourceSyncAttempt>,
}

/// `ListComponentOutputsInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListComponentOutputsInput {
    pub(super) component_name: String,
    pub(super) deployment_id: Option<String>,
    pub(super) next_token: Option<String>,
}

/// `ListComponentOutputsOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListComponentOutputsOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) outputs: Vec<Output>,
}

/// `ListComponentProvisionedResourcesInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListComponentProvisionedResourcesInput {
    pub(super) component_name: String,
    pub(super) next_token: Option<String>,
}

/// `ListComponentProvisionedResourcesOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListComponentProvisionedResourcesOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) provisioned_resources: Vec<ProvisionedResource>,
}

/// `ListComponentsInput`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListComponentsInput {
    pub(super) environment_name: Option<String>,
    pub(super) max_results: Option<i32>,
    pub(super) next_token: Option<String>,
    pub(super) service_instance_name: Option<String>,
    pub(super) service_name: Option<String>,
}

/// `ListComponentsOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListComponentsOutput {
    pub(super) components: Vec<ComponentSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
}

/// `ListDeploymentsInput`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListDeploymentsInput {
    pub(super) component_name: Option<String>,
    pub(super) environment_name: Option<String>,
    pub(super) max_results: Option<i32>,
    pub(super) next_token: Option<String>,
    pub(super) service_instance_name: Option<String>,
    pub(super) service_name: Option<String>,
}

/// `ListDeploymentsOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListDeploymentsOutput {
    pub(super) deployments: Vec<DeploymentSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
}

/// `ListEnvironmentAccountConnectionsInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListEnvironmentAccountConnectionsInput {
    pub(super) environment_name: Option<String>,
    pub(super) max_results: Option<i32>,
    pub(super) next_token: Option<String>,
    pub(super) requested_by: EnvironmentAccountConnectionRequesterAccountType,
    pub(super) statuses: Option<Vec<EnvironmentAccountConnectionStatus>>,
}

/// `ListEnvironmentAccountConnectionsOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListEnvironmentAccountConnectionsOutput {
    pub(super) environment_account_connections: Vec<EnvironmentAccountConnectionSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
}

/// `ListEnvironmentOutputsInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListEnvironmentOutputsInput {
    pub(super) deployment_id: Option<String>,
    pub(super) environment_name: String,
    pub(super) next_token: Option<String>,
}

/// `ListEnvironmentOutputsOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListEnvironmentOutputsOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) outputs: Vec<Output>,
}

/// `ListEnvironmentProvisionedResourcesInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListEnvironmentProvisionedResourcesInput {
    pub(super) environment_name: String,
    pub(super) next_token: Option<String>,
}

/// `ListEnvironmentProvisionedResourcesOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListEnvironmentProvisionedResourcesOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) provisioned_resources: Vec<ProvisionedResource>,
}

/// `ListEnvironmentTemplateVersionsInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListEnvironmentTemplateVersionsInput {
    pub(super) major_version: Option<String>,
    pub(super) max_results: Option<i32>,
    pub(super) next_token: Option<String>,
    pub(super) template_name: String,
}

/// `ListEnvironmentTemplateVersionsOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListEnvironmentTemplateVersionsOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) template_versions: Vec<EnvironmentTemplateVersionSummary>,
}

/// `ListEnvironmentTemplatesInput`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListEnvironmentTemplatesInput {
    pub(super) max_results: Option<i32>,
    pub(super) next_token: Option<String>,
}

/// `ListEnvironmentTemplatesOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListEnvironmentTemplatesOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) templates: Vec<EnvironmentTemplateSummary>,
}

/// `ListEnvironmentsInput`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListEnvironmentsInput {
    pub(super) environment_templates: Option<Vec<EnvironmentTemplateFilter>>,
    pub(super) max_results: Option<i32>,
    pub(super) next_token: Option<String>,
}

/// `ListEnvironmentsOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListEnvironmentsOutput {
    pub(super) environments: Vec<EnvironmentSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
}

/// `ListRepositoriesInput`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListRepositoriesInput {
    pub(super) max_results: Option<i32>,
    pub(super) next_token: Option<String>,
}

/// `ListRepositoriesOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListRepositoriesOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) repositories: Vec<RepositorySummary>,
}

/// `ListRepositorySyncDefinitionsInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListRepositorySyncDefinitionsInput {
    pub(super) next_token: Option<String>,
    pub(super) repository_name: String,
    pub(super) repository_provider: RepositoryProvider,
    pub(super) sync_type: SyncType,
}

/// `ListRepositorySyncDefinitionsOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListRepositorySyncDefinitionsOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) sync_definitions: Vec<RepositorySyncDefinition>,
}

/// `ListServiceInstanceOutputsInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServiceInstanceOutputsInput {
    pub(super) deployment_id: Option<String>,
    pub(super) next_token: Option<String>,
    pub(super) service_instance_name: String,
    pub(super) service_name: String,
}

/// `ListServiceInstanceOutputsOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServiceInstanceOutputsOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) outputs: Vec<Output>,
}

/// `ListServiceInstanceProvisionedResourcesInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServiceInstanceProvisionedResourcesInput {
    pub(super) next_token: Option<String>,
    pub(super) service_instance_name: String,
    pub(super) service_name: String,
}

/// `ListServiceInstanceProvisionedResourcesOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServiceInstanceProvisionedResourcesOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) provisioned_resources: Vec<ProvisionedResource>,
}

/// `ListServiceInstancesFilter`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServiceInstancesFilter {
    pub(super) key: Option<ListServiceInstancesFilterBy>,
    pub(super) value: Option<String>,
}

/// `ListServiceInstancesFilterBy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum ListServiceInstancesFilterBy {
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "deploymentStatus")]
    DeploymentStatus,
    #[serde(rename = "templateName")]
    TemplateName,
    #[serde(rename = "serviceName")]
    ServiceName,
    #[serde(rename = "deployedTemplateVersionStatus")]
    DeployedTemplateVersionStatus,
    #[serde(rename = "environmentName")]
    EnvironmentName,
    #[serde(rename = "lastDeploymentAttemptedAtBefore")]
    LastDeploymentAttemptedAtBefore,
    #[serde(rename = "lastDeploymentAttemptedAtAfter")]
    LastDeploymentAttemptedAtAfter,
    #[serde(rename = "createdAtBefore")]
    CreatedAtBefore,
    #[serde(rename = "createdAtAfter")]
    CreatedAtAfter,
}

impl ListServiceInstancesFilterBy {
    /// All of them.
    pub(super) const ALL: [Self; 10] = [
        Self::Name,
        Self::DeploymentStatus,
        Self::TemplateName,
        Self::ServiceName,
        Self::DeployedTemplateVersionStatus,
        Self::EnvironmentName,
        Self::LastDeploymentAttemptedAtBefore,
        Self::LastDeploymentAttemptedAtAfter,
        Self::CreatedAtBefore,
        Self::CreatedAtAfter,
    ];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::DeploymentStatus => "deploymentStatus",
            Self::TemplateName => "templateName",
            Self::ServiceName => "serviceName",
            Self::DeployedTemplateVersionStatus => "deployedTemplateVersionStatus",
            Self::EnvironmentName => "environmentName",
            Self::LastDeploymentAttemptedAtBefore => "lastDeploymentAttemptedAtBefore",
            Self::LastDeploymentAttemptedAtAfter => "lastDeploymentAttemptedAtAfter",
            Self::CreatedAtBefore => "createdAtBefore",
            Self::CreatedAtAfter => "createdAtAfter",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `ListServiceInstancesInput`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServiceInstancesInput {
    pub(super) filters: Option<Vec<ListServiceInstancesFilter>>,
    pub(super) max_results: Option<i32>,
    pub(super) next_token: Option<String>,
    pub(super) service_name: Option<String>,
    pub(super) sort_by: Option<ListServiceInstancesSortBy>,
    pub(super) sort_order: Option<SortOrder>,
}

/// `ListServiceInstancesOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServiceInstancesOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) service_instances: Vec<ServiceInstanceSummary>,
}

/// `ListServiceInstancesSortBy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum ListServiceInstancesSortBy {
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "deploymentStatus")]
    DeploymentStatus,
    #[serde(rename = "templateName")]
    TemplateName,
    #[serde(rename = "serviceName")]
    ServiceName,
    #[serde(rename = "environmentName")]
    EnvironmentName,
    #[serde(rename = "lastDeploymentAttemptedAt")]
    LastDeploymentAttemptedAt,
    #[serde(rename = "createdAt")]
    CreatedAt,
}

impl ListServiceInstancesSortBy {
    /// All of them.
    pub(super) const ALL: [Self; 7] = [
        Self::Name,
        Self::DeploymentStatus,
        Self::TemplateName,
        Self::ServiceName,
        Self::EnvironmentName,
        Self::LastDeploymentAttemptedAt,
        Self::CreatedAt,
    ];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::DeploymentStatus => "deploymentStatus",
            Self::TemplateName => "templateName",
            Self::ServiceName => "serviceName",
            Self::EnvironmentName => "environmentName",
            Self::LastDeploymentAttemptedAt => "lastDeploymentAttemptedAt",
            Self::CreatedAt => "createdAt",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `ListServicePipelineOutputsInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServicePipelineOutputsInput {
    pub(super) deployment_id: Option<String>,
    pub(super) next_token: Option<String>,
    pub(super) service_name: String,
}

/// `ListServicePipelineOutputsOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServicePipelineOutputsOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) outputs: Vec<Output>,
}

/// `ListServicePipelineProvisionedResourcesInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServicePipelineProvisionedResourcesInput {
    pub(super) next_token: Option<String>,
    pub(super) service_name: String,
}

/// `ListServicePipelineProvisionedResourcesOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServicePipelineProvisionedResourcesOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) provisioned_resources: Vec<ProvisionedResource>,
}

/// `ListServiceTemplateVersionsInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServiceTemplateVersionsInput {
    pub(super) major_version: Option<String>,
    pub(super) max_results: Option<i32>,
    pub(super) next_token: Option<String>,
    pub(super) template_name: String,
}

/// `ListServiceTemplateVersionsOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServiceTemplateVersionsOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) template_versions: Vec<ServiceTemplateVersionSummary>,
}

/// `ListServiceTemplatesInput`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServiceTemplatesInput {
    pub(super) max_results: Option<i32>,
    pub(super) next_token: Option<String>,
}

/// `ListServiceTemplatesOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServiceTemplatesOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) templates: Vec<ServiceTemplateSummary>,
}

/// `ListServicesInput`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServicesInput {
    pub(super) max_results: Option<i32>,
    pub(super) next_token: Option<String>,
}

/// `ListServicesOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServicesOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) services: Vec<ServiceSummary>,
}

/// `ListTagsForResourceInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTagsForResourceInput {
    pub(super) max_results: Option<i32>,
    pub(super) next_token: Option<String>,
    pub(super) resource_arn: String,
}

/// `ListTagsForResourceOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTagsForResourceOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    pub(super) tags: Vec<Tag>,
}

/// `NotifyResourceDeploymentStatusChangeInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NotifyResourceDeploymentStatusChangeInput {
    pub(super) deployment_id: Option<String>,
    pub(super) outputs: Option<Vec<Output>>,
    pub(super) resource_arn: String,
    pub(super) status: Option<ResourceDeploymentStatus>,
    pub(super) status_message: Option<Sensitive>,
}

/// `NotifyResourceDeploymentStatusChangeOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NotifyResourceDeploymentStatusChangeOutput {}

/// `Output`.
#[derive(Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value_string: Option<String>,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output(not shown)")
    }
}

/// `ProvisionedResource`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProvisionedResource {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provisioning_engine: Option<ProvisionedResourceEngine>,
}

/// `ProvisionedResourceEngine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum ProvisionedResourceEngine {
    #[serde(rename = "CLOUDFORMATION")]
    Cloudformation,
    #[serde(rename = "TERRAFORM")]
    Terraform,
}

impl ProvisionedResourceEngine {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::Cloudformation, Self::Terraform];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Cloudformation => "CLOUDFORMATION",
            Self::Terraform => "TERRAFORM",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `Provisioning`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum Provisioning {
    #[serde(rename = "CUSTOMER_MANAGED")]
    CustomerManaged,
}

impl Provisioning {
    /// All of them.
    pub(super) const ALL: [Self; 1] = [Self::CustomerManaged];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::CustomerManaged => "CUSTOMER_MANAGED",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `RejectEnvironmentAccountConnectionInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RejectEnvironmentAccountConnectionInput {
    pub(super) id: String,
}

/// `RejectEnvironmentAccountConnectionOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RejectEnvironmentAccountConnectionOutput {
    pub(super) environment_account_connection: EnvironmentAccountConnection,
}

/// `Repository`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Repository {
    pub(super) arn: String,
    pub(super) connection_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encryption_key: Option<String>,
    pub(super) name: String,
    pub(super) provider: RepositoryProvider,
}

/// `RepositoryBranch`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositoryBranch {
    pub(super) arn: String,
    pub(super) branch: String,
    pub(super) name: String,
    pub(super) provider: RepositoryProvider,
}

/// `RepositoryBranchInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositoryBranchInput {
    pub(super) branch: String,
    pub(super) name: String,
    pub(super) provider: RepositoryProvider,
}

/// `RepositoryProvider`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum RepositoryProvider {
    #[serde(rename = "GITHUB")]
    Github,
    #[serde(rename = "GITHUB_ENTERPRISE")]
    GithubEnterprise,
    #[serde(rename = "BITBUCKET")]
    Bitbucket,
}

impl RepositoryProvider {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Github, Self::GithubEnterprise, Self::Bitbucket];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Github => "GITHUB",
            Self::GithubEnterprise => "GITHUB_ENTERPRISE",
            Self::Bitbucket => "BITBUCKET",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `RepositorySummary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositorySummary {
    pub(super) arn: String,
    pub(super) connection_arn: String,
    pub(super) name: String,
    pub(super) provider: RepositoryProvider,
}

/// `RepositorySyncAttempt`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositorySyncAttempt {
    pub(super) events: Vec<RepositorySyncEvent>,
    pub(super) started_at: Time,
    pub(super) status: RepositorySyncStatus,
}

/// `RepositorySyncDefinition`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositorySyncDefinition {
    pub(super) branch: String,
    pub(super) directory: String,
    pub(super) parent: String,
    pub(super) target: String,
}

/// `RepositorySyncEvent`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositorySyncEvent {
    pub(super) event: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) external_id: Option<String>,
    pub(super) time: Time,
    pub(super) r#type: String,
}

/// `RepositorySyncStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum RepositorySyncStatus {
    #[serde(rename = "INITIATED")]
    Initiated,
    #[serde(rename = "IN_PROGRESS")]
    InProgress,
    #[serde(rename = "SUCCEEDED")]
    Succeeded,
    #[serde(rename = "FAILED")]
    Failed,
    #[serde(rename = "QUEUED")]
    Queued,
}

impl RepositorySyncStatus {
    /// All of them.
    pub(super) const ALL: [Self; 5] = [
        Self::Initiated,
        Self::InProgress,
        Self::Succeeded,
        Self::Failed,
        Self::Queued,
    ];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Initiated => "INITIATED",
            Self::InProgress => "IN_PROGRESS",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Queued => "QUEUED",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `ResourceCountsSummary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceCountsSummary {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) behind_major: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) behind_minor: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<i32>,
    pub(super) total: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) up_to_date: Option<i32>,
}

/// `ResourceDeploymentStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum ResourceDeploymentStatus {
    #[serde(rename = "IN_PROGRESS")]
    InProgress,
    #[serde(rename = "FAILED")]
    Failed,
    #[serde(rename = "SUCCEEDED")]
    Succeeded,
}

impl ResourceDeploymentStatus {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::InProgress, Self::Failed, Self::Succeeded];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Failed => "FAILED",
            Self::Succeeded => "SUCCEEDED",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `ResourceSyncAttempt`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceSyncAttempt {
    pub(super) events: Vec<ResourceSyncEvent>,
    pub(super) initial_revision: Revision,
    pub(super) started_at: Time,
    pub(super) status: ResourceSyncStatus,
    pub(super) target: String,
    pub(super) target_revision: Revision,
}

/// `ResourceSyncEvent`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceSyncEvent {
    pub(super) event: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) external_id: Option<String>,
    pub(super) time: Time,
    pub(super) r#type: String,
}

/// `ResourceSyncStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum ResourceSyncStatus {
    #[serde(rename = "INITIATED")]
    Initiated,
    #[serde(rename = "IN_PROGRESS")]
    InProgress,
    #[serde(rename = "SUCCEEDED")]
    Succeeded,
    #[serde(rename = "FAILED")]
    Failed,
}

impl ResourceSyncStatus {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Initiated, Self::InProgress, Self::Succeeded, Self::Failed];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Initiated => "INITIATED",
            Self::InProgress => "IN_PROGRESS",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `Revision`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Revision {
    pub(super) branch: String,
    pub(super) directory: String,
    pub(super) repository_name: String,
    pub(super) repository_provider: RepositoryProvider,
    pub(super) sha: String,
}

/// `S3ObjectSource`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct S3ObjectSource {
    pub(super) bucket: String,
    pub(super) key: String,
}

/// `Service`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Service {
    pub(super) arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) branch_name: Option<String>,
    pub(super) created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Sensitive>,
    pub(super) last_modified_at: Time,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pipeline: Option<ServicePipeline>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) repository_connection_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) repository_id: Option<String>,
    pub(super) spec: Sensitive,
    pub(super) status: ServiceStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_message: Option<Sensitive>,
    pub(super) template_name: String,
}

/// `ServiceInstance`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceInstance {
    pub(super) arn: String,
    pub(super) created_at: Time,
    pub(super) deployment_status: DeploymentStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deployment_status_message: Option<Sensitive>,
    pub(super) environment_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_attempted_deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_client_request_token: Option<String>,
    pub(super) last_deployment_attempted_at: Time,
    pub(super) last_deployment_succeeded_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_succeeded_deployment_id: Option<String>,
    pub(super) name: String,
    pub(super) service_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spec: Option<Sensitive>,
    pub(super) template_major_version: String,
    pub(super) template_minor_version: String,
    pub(super) template_name: String,
}

/// `ServiceInstanceState`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceInstanceState {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_successful_component_deployment_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_successful_environment_deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_successful_service_pipeline_deployment_id: Option<String>,
    pub(super) spec: Sensitive,
    pub(super) template_major_version: String,
    pub(super) template_minor_version: String,
    pub(super) template_name: String,
}

/// `ServiceInstanceSummary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceInstanceSummary {
    pub(super) arn: String,
    pub(super) created_at: Time,
    pub(super) deployment_status: DeploymentStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deployment_status_message: Option<Sensitive>,
    pub(super) environment_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_attempted_deployment_id: Option<String>,
    pub(super) last_deployment_attempted_at: Time,
    pub(super) last_deployment_succeeded_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_succeeded_deployment_id: Option<String>,
    pub(super) name: String,
    pub(super) service_name: String,
    pub(super) template_major_version: String,
    pub(super) template_minor_version: String,
    pub(super) template_name: String,
}

/// `ServicePipeline`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServicePipeline {
    pub(super) arn: String,
    pub(super) created_at: Time,
    pub(super) deployment_status: DeploymentStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deployment_status_message: Option<Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_attempted_deployment_id: Option<String>,
    pub(super) last_deployment_attempted_at: Time,
    pub(super) last_deployment_succeeded_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_succeeded_deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spec: Option<Sensitive>,
    pub(super) template_major_version: String,
    pub(super) template_minor_version: String,
    pub(super) template_name: String,
}

/// `ServicePipelineState`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServicePipelineState {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spec: Option<Sensitive>,
    pub(super) template_major_version: String,
    pub(super) template_minor_version: String,
    pub(super) template_name: String,
}

/// `ServiceStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum ServiceStatus {
    #[serde(rename = "CREATE_IN_PROGRESS")]
    CreateInProgress,
    #[serde(rename = "CREATE_FAILED_CLEANUP_IN_PROGRESS")]
    CreateFailedCleanupInProgress,
    #[serde(rename = "CREATE_FAILED_CLEANUP_COMPLETE")]
    CreateFailedCleanupComplete,
    #[serde(rename = "CREATE_FAILED_CLEANUP_FAILED")]
    CreateFailedCleanupFailed,
    #[serde(rename = "CREATE_FAILED")]
    CreateFailed,
    #[serde(rename = "ACTIVE")]
    Active,
    #[serde(rename = "DELETE_IN_PROGRESS")]
    DeleteInProgress,
    #[serde(rename = "DELETE_FAILED")]
    DeleteFailed,
    #[serde(rename = "UPDATE_IN_PROGRESS")]
    UpdateInProgress,
    #[serde(rename = "UPDATE_FAILED_CLEANUP_IN_PROGRESS")]
    UpdateFailedCleanupInProgress,
    #[serde(rename = "UPDATE_FAILED_CLEANUP_COMPLETE")]
    UpdateFailedCleanupComplete,
    #[serde(rename = "UPDATE_FAILED_CLEANUP_FAILED")]
    UpdateFailedCleanupFailed,
    #[serde(rename = "UPDATE_FAILED")]
    UpdateFailed,
    #[serde(rename = "UPDATE_COMPLETE_CLEANUP_FAILED")]
    UpdateCompleteCleanupFailed,
}

impl ServiceStatus {
    /// All of them.
    pub(super) const ALL: [Self; 14] = [
        Self::CreateInProgress,
        Self::CreateFailedCleanupInProgress,
        Self::CreateFailedCleanupComplete,
        Self::CreateFailedCleanupFailed,
        Self::CreateFailed,
        Self::Active,
        Self::DeleteInProgress,
        Self::DeleteFailed,
        Self::UpdateInProgress,
        Self::UpdateFailedCleanupInProgress,
        Self::UpdateFailedCleanupComplete,
        Self::UpdateFailedCleanupFailed,
        Self::UpdateFailed,
        Self::UpdateCompleteCleanupFailed,
    ];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::CreateInProgress => "CREATE_IN_PROGRESS",
            Self::CreateFailedCleanupInProgress => "CREATE_FAILED_CLEANUP_IN_PROGRESS",
            Self::CreateFailedCleanupComplete => "CREATE_FAILED_CLEANUP_COMPLETE",
            Self::CreateFailedCleanupFailed => "CREATE_FAILED_CLEANUP_FAILED",
            Self::CreateFailed => "CREATE_FAILED",
            Self::Active => "ACTIVE",
            Self::DeleteInProgress => "DELETE_IN_PROGRESS",
            Self::DeleteFailed => "DELETE_FAILED",
            Self::UpdateInProgress => "UPDATE_IN_PROGRESS",
            Self::UpdateFailedCleanupInProgress => "UPDATE_FAILED_CLEANUP_IN_PROGRESS",
            Self::UpdateFailedCleanupComplete => "UPDATE_FAILED_CLEANUP_COMPLETE",
            Self::UpdateFailedCleanupFailed => "UPDATE_FAILED_CLEANUP_FAILED",
            Self::UpdateFailed => "UPDATE_FAILED",
            Self::UpdateCompleteCleanupFailed => "UPDATE_COMPLETE_CLEANUP_FAILED",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `ServiceSummary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceSummary {
    pub(super) arn: String,
    pub(super) created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Sensitive>,
    pub(super) last_modified_at: Time,
    pub(super) name: String,
    pub(super) status: ServiceStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_message: Option<Sensitive>,
    pub(super) template_name: String,
}

/// `ServiceSyncBlockerSummary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceSyncBlockerSummary {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latest_blockers: Option<Vec<SyncBlocker>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_instance_name: Option<String>,
    pub(super) service_name: String,
}

/// `ServiceSyncConfig`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceSyncConfig {
    pub(super) branch: String,
    pub(super) file_path: String,
    pub(super) repository_name: String,
    pub(super) repository_provider: RepositoryProvider,
    pub(super) service_name: String,
}

/// `ServiceTemplate`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceTemplate {
    pub(super) arn: String,
    pub(super) created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display_name: Option<Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encryption_key: Option<String>,
    pub(super) last_modified_at: Time,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pipeline_provisioning: Option<Provisioning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recommended_version: Option<String>,
}

/// `ServiceTemplateSummary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceTemplateSummary {
    pub(super) arn: String,
    pub(super) created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display_name: Option<Sensitive>,
    pub(super) last_modified_at: Time,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pipeline_provisioning: Option<Provisioning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recommended_version: Option<String>,
}

/// `ServiceTemplateSupportedComponentSourceType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum ServiceTemplateSupportedComponentSourceType {
    #[serde(rename = "DIRECTLY_DEFINED")]
    DirectlyDefined,
}

impl ServiceTemplateSupportedComponentSourceType {
    /// All of them.
    pub(super) const ALL: [Self; 1] = [Self::DirectlyDefined];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::DirectlyDefined => "DIRECTLY_DEFINED",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `ServiceTemplateVersion`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceTemplateVersion {
    pub(super) arn: String,
    pub(super) compatible_environment_templates: Vec<CompatibleEnvironmentTemplate>,
    pub(super) created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Sensitive>,
    pub(super) last_modified_at: Time,
    pub(super) major_version: String,
    pub(super) minor_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recommended_minor_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schema: Option<Sensitive>,
    pub(super) status: TemplateVersionStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_message: Option<Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) supported_component_sources: Option<Vec<ServiceTemplateSupportedComponentSourceType>>,
    pub(super) template_name: String,
}

/// `ServiceTemplateVersionSummary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceTemplateVersionSummary {
    pub(super) arn: String,
    pub(super) created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Sensitive>,
    pub(super) last_modified_at: Time,
    pub(super) major_version: String,
    pub(super) minor_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recommended_minor_version: Option<String>,
    pub(super) status: TemplateVersionStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_message: Option<Sensitive>,
    pub(super) template_name: String,
}

/// `SortOrder`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum SortOrder {
    #[serde(rename = "ASCENDING")]
    Ascending,
    #[serde(rename = "DESCENDING")]
    Descending,
}

impl SortOrder {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::Ascending, Self::Descending];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ascending => "ASCENDING",
            Self::Descending => "DESCENDING",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `SyncBlocker`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SyncBlocker {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contexts: Option<Vec<SyncBlockerContext>>,
    pub(super) created_at: Time,
    pub(super) created_reason: String,
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resolved_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resolved_reason: Option<String>,
    pub(super) status: BlockerStatus,
    pub(super) r#type: BlockerType,
}

/// `SyncBlockerContext`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SyncBlockerContext {
    pub(super) key: String,
    pub(super) value: String,
}

/// `SyncType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum SyncType {
    #[serde(rename = "TEMPLATE_SYNC")]
    TemplateSync,
    #[serde(rename = "SERVICE_SYNC")]
    ServiceSync,
}

impl SyncType {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::TemplateSync, Self::ServiceSync];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::TemplateSync => "TEMPLATE_SYNC",
            Self::ServiceSync => "SERVICE_SYNC",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `Tag`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tag {
    pub(super) key: String,
    pub(super) value: String,
}

/// `TagResourceInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagResourceInput {
    pub(super) resource_arn: String,
    pub(super) tags: Vec<Tag>,
}

/// `TagResourceOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagResourceOutput {}

/// `TemplateSyncConfig`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TemplateSyncConfig {
    pub(super) branch: String,
    pub(super) repository_name: String,
    pub(super) repository_provider: RepositoryProvider,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subdirectory: Option<String>,
    pub(super) template_name: String,
    pub(super) template_type: TemplateType,
}

/// `TemplateType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum TemplateType {
    #[serde(rename = "ENVIRONMENT")]
    Environment,
    #[serde(rename = "SERVICE")]
    Service,
}

impl TemplateType {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::Environment, Self::Service];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "ENVIRONMENT",
            Self::Service => "SERVICE",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `TemplateVersionSourceInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum TemplateVersionSourceInput {
    S3(S3ObjectSource),
}

/// `TemplateVersionStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) enum TemplateVersionStatus {
    #[serde(rename = "REGISTRATION_IN_PROGRESS")]
    RegistrationInProgress,
    #[serde(rename = "REGISTRATION_FAILED")]
    RegistrationFailed,
    #[serde(rename = "DRAFT")]
    Draft,
    #[serde(rename = "PUBLISHED")]
    Published,
}

impl TemplateVersionStatus {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [
        Self::RegistrationInProgress,
        Self::RegistrationFailed,
        Self::Draft,
        Self::Published,
    ];

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::RegistrationInProgress => "REGISTRATION_IN_PROGRESS",
            Self::RegistrationFailed => "REGISTRATION_FAILED",
            Self::Draft => "DRAFT",
            Self::Published => "PUBLISHED",
        }
    }

    /// The one that is written so.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// `UntagResourceInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UntagResourceInput {
    pub(super) resource_arn: String,
    pub(super) tag_keys: Vec<String>,
}

/// `UntagResourceOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UntagResourceOutput {}

/// `UpdateAccountSettingsInput`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateAccountSettingsInput {
    pub(super) delete_pipeline_provisioning_repository: Option<bool>,
    pub(super) pipeline_codebuild_role_arn: Option<String>,
    pub(super) pipeline_provisioning_repository: Option<RepositoryBranchInput>,
    pub(super) pipeline_service_role_arn: Option<String>,
}

/// `UpdateAccountSettingsOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateAccountSettingsOutput {
    pub(super) account_settings: AccountSettings,
}

/// `UpdateComponentInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateComponentInput {
    pub(super) client_token: Option<String>,
    pub(super) deployment_type: ComponentDeploymentUpdateType,
    pub(super) description: Option<Sensitive>,
    pub(super) name: String,
    pub(super) service_instance_name: Option<String>,
    pub(super) service_name: Option<String>,
    pub(super) service_spec: Option<Sensitive>,
    pub(super) template_file: Option<Sensitive>,
}

/// `UpdateComponentOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateComponentOutput {
    pub(super) component: Component,
}

/// `UpdateEnvironmentAccountConnectionInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateEnvironmentAccountConnectionInput {
    pub(super) codebuild_role_arn: Option<String>,
    pub(super) component_role_arn: Option<String>,
    pub(super) id: String,
    pub(super) role_arn: Option<String>,
}

/// `UpdateEnvironmentAccountConnectionOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateEnvironmentAccountConnectionOutput {
    pub(super) environment_account_connection: EnvironmentAccountConnection,
}

/// `UpdateEnvironmentInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateEnvironmentInput {
    pub(super) codebuild_role_arn: Option<String>,
    pub(super) component_role_arn: Option<String>,
    pub(super) deployment_type: DeploymentUpdateType,
    pub(super) description: Option<Sensitive>,
    pub(super) environment_account_connection_id: Option<String>,
    pub(super) name: String,
    pub(super) proton_service_role_arn: Option<String>,
    pub(super) provisioning_repository: Option<RepositoryBranchInput>,
    pub(super) spec: Option<Sensitive>,
    pub(super) template_major_version: Option<String>,
    pub(super) template_minor_version: Option<String>,
}

/// `UpdateEnvironmentOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateEnvironmentOutput {
    pub(super) environment: Environment,
}

/// `UpdateEnvironmentTemplateInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateEnvironmentTemplateInput {
    pub(super) description: Option<Sensitive>,
    pub(super) display_name: Option<Sensitive>,
    pub(super) name: String,
}

/// `UpdateEnvironmentTemplateOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateEnvironmentTemplateOutput {
    pub(super) environment_template: EnvironmentTemplate,
}

/// `UpdateEnvironmentTemplateVersionInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateEnvironmentTemplateVersionInput {
    pub(super) description: Option<Sensitive>,
    pub(super) major_version: String,
    pub(super) minor_version: String,
    pub(super) status: Option<TemplateVersionStatus>,
    pub(super) template_name: String,
}

/// `UpdateEnvironmentTemplateVersionOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateEnvironmentTemplateVersionOutput {
    pub(super) environment_template_version: EnvironmentTemplateVersion,
}

/// `UpdateServiceInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServiceInput {
    pub(super) description: Option<Sensitive>,
    pub(super) name: String,
    pub(super) spec: Option<Sensitive>,
}

/// `UpdateServiceInstanceInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServiceInstanceInput {
    pub(super) client_token: Option<String>,
    pub(super) deployment_type: DeploymentUpdateType,
    pub(super) name: String,
    pub(super) service_name: String,
    pub(super) spec: Option<Sensitive>,
    pub(super) template_major_version: Option<String>,
    pub(super) template_minor_version: Option<String>,
}

/// `UpdateServiceInstanceOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServiceInstanceOutput {
    pub(super) service_instance: ServiceInstance,
}

/// `UpdateServiceOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServiceOutput {
    pub(super) service: Service,
}

/// `UpdateServicePipelineInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServicePipelineInput {
    pub(super) deployment_type: DeploymentUpdateType,
    pub(super) service_name: String,
    pub(super) spec: Sensitive,
    pub(super) template_major_version: Option<String>,
    pub(super) template_minor_version: Option<String>,
}

/// `UpdateServicePipelineOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServicePipelineOutput {
    pub(super) pipeline: ServicePipeline,
}

/// `UpdateServiceSyncBlockerInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServiceSyncBlockerInput {
    pub(super) id: String,
    pub(super) resolved_reason: String,
}

/// `UpdateServiceSyncBlockerOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServiceSyncBlockerOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_instance_name: Option<String>,
    pub(super) service_name: String,
    pub(super) service_sync_blocker: SyncBlocker,
}

/// `UpdateServiceSyncConfigInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServiceSyncConfigInput {
    pub(super) branch: String,
    pub(super) file_path: String,
    pub(super) repository_name: String,
    pub(super) repository_provider: RepositoryProvider,
    pub(super) service_name: String,
}

/// `UpdateServiceSyncConfigOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServiceSyncConfigOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_sync_config: Option<ServiceSyncConfig>,
}

/// `UpdateServiceTemplateInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServiceTemplateInput {
    pub(super) description: Option<Sensitive>,
    pub(super) display_name: Option<Sensitive>,
    pub(super) name: String,
}

/// `UpdateServiceTemplateOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServiceTemplateOutput {
    pub(super) service_template: ServiceTemplate,
}

/// `UpdateServiceTemplateVersionInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServiceTemplateVersionInput {
    pub(super) compatible_environment_templates: Option<Vec<CompatibleEnvironmentTemplateInput>>,
    pub(super) description: Option<Sensitive>,
    pub(super) major_version: String,
    pub(super) minor_version: String,
    pub(super) status: Option<TemplateVersionStatus>,
    pub(super) supported_component_sources: Option<Vec<ServiceTemplateSupportedComponentSourceType>>,
    pub(super) template_name: String,
}

/// `UpdateServiceTemplateVersionOutput`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServiceTemplateVersionOutput {
    pub(super) service_template_version: ServiceTemplateVersion,
}

/// `UpdateTemplateSyncConfigInput`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateTemplateSyncConfigInput {
    pub(super) branch: String,
    pub(super) repository_name: String,
    pub(super) repository_provider: RepositoryProvider,
    pub(super) subdirectory: Option<String>,
    pub(super) template_name: String,
    pub(super) template_type: TemplateType,
}

/// `UpdateTemplateSyncConfigOutput`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateTemplateSyncConfigOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) template_sync_config: Option<TemplateSyncConfig>,
}
