// Generated from model/proton-2020-07-20.json by `cargo xtask gen`; changes by hand are lost.

//! The operations of the API: what they are called, what they may answer with, and who answers them.

use serde_json::Value;

use super::error::{Code, Fault};
use super::validate::Structure;
use super::{Call, Proton, answered, model, read};

/// What a list does when there is more than one answer can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pagination {
    /// It is no list.
    None,
    /// There is one page, always; tokens are refused.
    Single,
    /// Pages of up to `maxResults`, with tokens.
    Pages,
}

/// An operation of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each name says what it is")]
pub enum Operation {
    AcceptEnvironmentAccountConnection,
    CancelComponentDeployment,
    CancelEnvironmentDeployment,
    CancelServiceInstanceDeployment,
    CancelServicePipelineDeployment,
    CreateComponent,
    CreateEnvironment,
    CreateEnvironmentAccountConnection,
    CreateEnvironmentTemplate,
    CreateEnvironmentTemplateVersion,
    CreateRepository,
    CreateService,
    CreateServiceInstance,
    CreateServiceSyncConfig,
    CreateServiceTemplate,
    CreateServiceTemplateVersion,
    CreateTemplateSyncConfig,
    DeleteComponent,
    DeleteDeployment,
    DeleteEnvironment,
    DeleteEnvironmentAccountConnection,
    DeleteEnvironmentTemplate,
    DeleteEnvironmentTemplateVersion,
    DeleteRepository,
    DeleteService,
    DeleteServiceSyncConfig,
    DeleteServiceTemplate,
    DeleteServiceTemplateVersion,
    DeleteTemplateSyncConfig,
    GetAccountSettings,
    GetComponent,
    GetDeployment,
    GetEnvironment,
    GetEnvironmentAccountConnection,
    GetEnvironmentTemplate,
    GetEnvironmentTemplateVersion,
    GetRepository,
    GetRepositorySyncStatus,
    GetResourcesSummary,
    GetService,
    GetServiceInstance,
    GetServiceInstanceSyncStatus,
    GetServiceSyncBlockerSummary,
    GetServiceSyncConfig,
    GetServiceTemplate,
    GetServiceTemplateVersion,
    GetTemplateSyncConfig,
    GetTemplateSyncStatus,
    ListComponentOutputs,
    ListComponentProvisionedResources,
    ListComponents,
    ListDeployments,
    ListEnvironmentAccountConnections,
    ListEnvironmentOutputs,
    ListEnvironmentProvisionedResources,
    ListEnvironmentTemplateVersions,
    ListEnvironmentTemplates,
    ListEnvironments,
    ListRepositories,
    ListRepositorySyncDefinitions,
    ListServiceInstanceOutputs,
    ListServiceInstanceProvisionedResources,
    ListServiceInstances,
    ListServicePipelineOutputs,
    ListServicePipelineProvisionedResources,
    ListServiceTemplateVersions,
    ListServiceTemplates,
    ListServices,
    ListTagsForResource,
    NotifyResourceDeploymentStatusChange,
    RejectEnvironmentAccountConnection,
    TagResource,
    UntagResource,
    UpdateAccountSettings,
    UpdateComponent,
    UpdateEnvironment,
    UpdateEnvironmentAccountConnection,
    UpdateEnvironmentTemplate,
    UpdateEnvironmentTemplateVersion,
    UpdateService,
    UpdateServiceInstance,
    UpdateServicePipeline,
    UpdateServiceSyncBlocker,
    UpdateServiceSyncConfig,
    UpdateServiceTemplate,
    UpdateServiceTemplateVersion,
    UpdateTemplateSyncConfig,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 87] = [
        Self::AcceptEnvironmentAccountConnection,
        Self::CancelComponentDeployment,
        Self::CancelEnvironmentDeployment,
        Self::CancelServiceInstanceDeployment,
        Self::CancelServicePipelineDeployment,
        Self::CreateComponent,
        Self::CreateEnvironment,
        Self::CreateEnvironmentAccountConnection,
        Self::CreateEnvironmentTemplate,
        Self::CreateEnvironmentTemplateVersion,
        Self::CreateRepository,
        Self::CreateService,
        Self::CreateServiceInstance,
        Self::CreateServiceSyncConfig,
        Self::CreateServiceTemplate,
        Self::CreateServiceTemplateVersion,
        Self::CreateTemplateSyncConfig,
        Self::DeleteComponent,
        Self::DeleteDeployment,
        Self::DeleteEnvironment,
        Self::DeleteEnvironmentAccountConnection,
        Self::DeleteEnvironmentTemplate,
        Self::DeleteEnvironmentTemplateVersion,
        Self::DeleteRepository,
        Self::DeleteService,
        Self::DeleteServiceSyncConfig,
        Self::DeleteServiceTemplate,
        Self::DeleteServiceTemplateVersion,
        Self::DeleteTemplateSyncConfig,
        Self::GetAccountSettings,
        Self::GetComponent,
        Self::GetDeployment,
        Self::GetEnvironment,
        Self::GetEnvironmentAccountConnection,
        Self::GetEnvironmentTemplate,
        Self::GetEnvironmentTemplateVersion,
        Self::GetRepository,
        Self::GetRepositorySyncStatus,
        Self::GetResourcesSummary,
        Self::GetService,
        Self::GetServiceInstance,
        Self::GetServiceInstanceSyncStatus,
        Self::GetServiceSyncBlockerSummary,
        Self::GetServiceSyncConfig,
        Self::GetServiceTemplate,
        Self::GetServiceTemplateVersion,
        Self::GetTemplateSyncConfig,
        Self::GetTemplateSyncStatus,
        Self::ListComponentOutputs,
        Self::ListComponentProvisionedResources,
        Self::ListComponents,
        Self::ListDeployments,
        Self::ListEnvironmentAccountConnections,
        Self::ListEnvironmentOutputs,
        Self::ListEnvironmentProvisionedResources,
        Self::ListEnvironmentTemplateVersions,
        Self::ListEnvironmentTemplates,
        Self::ListEnvironments,
        Self::ListRepositories,
        Self::ListRepositorySyncDefinitions,
        Self::ListServiceInstanceOutputs,
        Self::ListServiceInstanceProvisionedResources,
        Self::ListServiceInstances,
        Self::ListServicePipelineOutputs,
        Self::ListServicePipelineProvisionedResources,
        Self::ListServiceTemplateVersions,
        Self::ListServiceTemplates,
        Self::ListServices,
        Self::ListTagsForResource,
        Self::NotifyResourceDeploymentStatusChange,
        Self::RejectEnvironmentAccountConnection,
        Self::TagResource,
        Self::UntagResource,
        Self::UpdateAccountSettings,
        Self::UpdateComponent,
        Self::UpdateEnvironment,
        Self::UpdateEnvironmentAccountConnection,
        Self::UpdateEnvironmentTemplate,
        Self::UpdateEnvironmentTemplateVersion,
        Self::UpdateService,
        Self::UpdateServiceInstance,
        Self::UpdateServicePipeline,
        Self::UpdateServiceSyncBlocker,
        Self::UpdateServiceSyncConfig,
        Self::UpdateServiceTemplate,
        Self::UpdateServiceTemplateVersion,
        Self::UpdateTemplateSyncConfig,
    ];

    /// The operation of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AcceptEnvironmentAccountConnection => "AcceptEnvironmentAccountConnection",
            Self::CancelComponentDeployment => "CancelComponentDeployment",
            Self::CancelEnvironmentDeployment => "CancelEnvironmentDeployment",
            Self::CancelServiceInstanceDeployment => "CancelServiceInstanceDeployment",
            Self::CancelServicePipelineDeployment => "CancelServicePipelineDeployment",
            Self::CreateComponent => "CreateComponent",
            Self::CreateEnvironment => "CreateEnvironment",
            Self::CreateEnvironmentAccountConnection => "CreateEnvironmentAccountConnection",
            Self::CreateEnvironmentTemplate => "CreateEnvironmentTemplate",
            Self::CreateEnvironmentTemplateVersion => "CreateEnvironmentTemplateVersion",
            Self::CreateRepository => "CreateRepository",
            Self::CreateService => "CreateService",
            Self::CreateServiceInstance => "CreateServiceInstance",
            Self::CreateServiceSyncConfig => "CreateServiceSyncConfig",
            Self::CreateServiceTemplate => "CreateServiceTemplate",
            Self::CreateServiceTemplateVersion => "CreateServiceTemplateVersion",
            Self::CreateTemplateSyncConfig => "CreateTemplateSyncConfig",
            Self::DeleteComponent => "DeleteComponent",
            Self::DeleteDeployment => "DeleteDeployment",
            Self::DeleteEnvironment => "DeleteEnvironment",
            Self::DeleteEnvironmentAccountConnection => "DeleteEnvironmentAccountConnection",
            Self::DeleteEnvironmentTemplate => "DeleteEnvironmentTemplate",
            Self::DeleteEnvironmentTemplateVersion => "DeleteEnvironmentTemplateVersion",
            Self::DeleteRepository => "DeleteRepository",
            Self::DeleteService => "DeleteService",
            Self::DeleteServiceSyncConfig => "DeleteServiceSyncConfig",
            Self::DeleteServiceTemplate => "DeleteServiceTemplate",
            Self::DeleteServiceTemplateVersion => "DeleteServiceTemplateVersion",
            Self::DeleteTemplateSyncConfig => "DeleteTemplateSyncConfig",
            Self::GetAccountSettings => "GetAccountSettings",
            Self::GetComponent => "GetComponent",
            Self::GetDeployment => "GetDeployment",
            Self::GetEnvironment => "GetEnvironment",
            Self::GetEnvironmentAccountConnection => "GetEnvironmentAccountConnection",
            Self::GetEnvironmentTemplate => "GetEnvironmentTemplate",
            Self::GetEnvironmentTemplateVersion => "GetEnvironmentTemplateVersion",
            Self::GetRepository => "GetRepository",
            Self::GetRepositorySyncStatus => "GetRepositorySyncStatus",
            Self::GetResourcesSummary => "GetResourcesSummary",
            Self::GetService => "GetService",
            Self::GetServiceInstance => "GetServiceInstance",
            Self::GetServiceInstanceSyncStatus => "GetServiceInstanceSyncStatus",
            Self::GetServiceSyncBlockerSummary => "GetServiceSyncBlockerSummary",
            Self::GetServiceSyncConfig => "GetServiceSyncConfig",
            Self::GetServiceTemplate => "GetServiceTemplate",
            Self::GetServiceTemplateVersion => "GetServiceTemplateVersion",
            Self::GetTemplateSyncConfig => "GetTemplateSyncConfig",
            Self::GetTemplateSyncStatus => "GetTemplateSyncStatus",
            Self::ListComponentOutputs => "ListComponentOutputs",
            Self::ListComponentProvisionedResources => "ListComponentProvisionedResources",
            Self::ListComponents => "ListComponents",
            Self::ListDeployments => "ListDeployments",
            Self::ListEnvironmentAccountConnections => "ListEnvironmentAccountConnections",
            Self::ListEnvironmentOutputs => "ListEnvironmentOutputs",
            Self::ListEnvironmentProvisionedResources => "ListEnvironmentProvisionedResources",
            Self::ListEnvironmentTemplateVersions => "ListEnvironmentTemplateVersions",
            Self::ListEnvironmentTemplates => "ListEnvironmentTemplates",
            Self::ListEnvironments => "ListEnvironments",
            Self::ListRepositories => "ListRepositories",
            Self::ListRepositorySyncDefinitions => "ListRepositorySyncDefinitions",
            Self::ListServiceInstanceOutputs => "ListServiceInstanceOutputs",
            Self::ListServiceInstanceProvisionedResources => "ListServiceInstanceProvisionedResources",
            Self::ListServiceInstances => "ListServiceInstances",
            Self::ListServicePipelineOutputs => "ListServicePipelineOutputs",
            Self::ListServicePipelineProvisionedResources => "ListServicePipelineProvisionedResources",
            Self::ListServiceTemplateVersions => "ListServiceTemplateVersions",
            Self::ListServiceTemplates => "ListServiceTemplates",
            Self::ListServices => "ListServices",
            Self::ListTagsForResource => "ListTagsForResource",
            Self::NotifyResourceDeploymentStatusChange => "NotifyResourceDeploymentStatusChange",
            Self::RejectEnvironmentAccountConnection => "RejectEnvironmentAccountConnection",
            Self::TagResource => "TagResource",
            Self::UntagResource => "UntagResource",
            Self::UpdateAccountSettings => "UpdateAccountSettings",
            Self::UpdateComponent => "UpdateComponent",
            Self::UpdateEnvironment => "UpdateEnvironment",
            Self::UpdateEnvironmentAccountConnection => "UpdateEnvironmentAccountConnection",
            Self::UpdateEnvironmentTemplate => "UpdateEnvironmentTemplate",
            Self::UpdateEnvironmentTemplateVersion => "UpdateEnvironmentTemplateVersion",
            Self::UpdateService => "UpdateService",
            Self::UpdateServiceInstance => "UpdateServiceInstance",
            Self::UpdateServicePipeline => "UpdateServicePipeline",
            Self::UpdateServiceSyncBlocker => "UpdateServiceSyncBlocker",
            Self::UpdateServiceSyncConfig => "UpdateServiceSyncConfig",
            Self::UpdateServiceTemplate => "UpdateServiceTemplate",
            Self::UpdateServiceTemplateVersion => "UpdateServiceTemplateVersion",
            Self::UpdateTemplateSyncConfig => "UpdateTemplateSyncConfig",
        }
    }

    /// Whether it changes something: all but `Get*` and `List*`.
    #[must_use]
    pub const fn mutating(self) -> bool {
        !matches!(
            self,
            Self::GetAccountSettings
                | Self::GetComponent
                | Self::GetDeployment
                | Self::GetEnvironment
                | Self::GetEnvironmentAccountConnection
                | Self::GetEnvironmentTemplate
                | Self::GetEnvironmentTemplateVersion
                | Self::GetRepository
                | Self::GetRepositorySyncStatus
                | Self::GetResourcesSummary
                | Self::GetService
                | Self::GetServiceInstance
                | Self::GetServiceInstanceSyncStatus
                | Self::GetServiceSyncBlockerSummary
                | Self::GetServiceSyncConfig
                | Self::GetServiceTemplate
                | Self::GetServiceTemplateVersion
                | Self::GetTemplateSyncConfig
                | Self::GetTemplateSyncStatus
                | Self::ListComponentOutputs
                | Self::ListComponentProvisionedResources
                | Self::ListComponents
                | Self::ListDeployments
                | Self::ListEnvironmentAccountConnections
                | Self::ListEnvironmentOutputs
                | Self::ListEnvironmentProvisionedResources
                | Self::ListEnvironmentTemplateVersions
                | Self::ListEnvironmentTemplates
                | Self::ListEnvironments
                | Self::ListRepositories
                | Self::ListRepositorySyncDefinitions
                | Self::ListServiceInstanceOutputs
                | Self::ListServiceInstanceProvisionedResources
                | Self::ListServiceInstances
                | Self::ListServicePipelineOutputs
                | Self::ListServicePipelineProvisionedResources
                | Self::ListServiceTemplateVersions
                | Self::ListServiceTemplates
                | Self::ListServices
                | Self::ListTagsForResource
        )
    }

    /// Whether the model promises that a repetition changes nothing.
    #[must_use]
    pub const fn idempotent(self) -> bool {
        matches!(
            self,
            Self::AcceptEnvironmentAccountConnection
                | Self::CreateComponent
                | Self::CreateEnvironment
                | Self::CreateEnvironmentAccountConnection
                | Self::CreateEnvironmentTemplate
                | Self::CreateEnvironmentTemplateVersion
                | Self::CreateRepository
                | Self::CreateService
                | Self::CreateServiceInstance
                | Self::CreateServiceSyncConfig
                | Self::CreateServiceTemplate
                | Self::CreateServiceTemplateVersion
                | Self::CreateTemplateSyncConfig
                | Self::DeleteComponent
                | Self::DeleteDeployment
                | Self::DeleteEnvironment
                | Self::DeleteEnvironmentAccountConnection
                | Self::DeleteEnvironmentTemplate
                | Self::DeleteEnvironmentTemplateVersion
                | Self::DeleteRepository
                | Self::DeleteService
                | Self::DeleteServiceSyncConfig
                | Self::DeleteServiceTemplate
                | Self::DeleteServiceTemplateVersion
                | Self::DeleteTemplateSyncConfig
                | Self::RejectEnvironmentAccountConnection
                | Self::TagResource
                | Self::UntagResource
                | Self::UpdateEnvironmentAccountConnection
        )
    }

    /// How it gives out lists.
    #[must_use]
    pub const fn pagination(self) -> Pagination {
        match self {
            Self::ListEnvironmentOutputs
            | Self::ListEnvironmentProvisionedResources
            | Self::ListRepositorySyncDefinitions
            | Self::ListServiceInstanceOutputs
            | Self::ListServiceInstanceProvisionedResources
            | Self::ListServicePipelineOutputs
            | Self::ListServicePipelineProvisionedResources
            | Self::ListComponentOutputs
            | Self::ListComponentProvisionedResources => Pagination::Single,
            Self::ListEnvironmentAccountConnections
            | Self::ListEnvironmentTemplateVersions
            | Self::ListEnvironmentTemplates
            | Self::ListEnvironments
            | Self::ListServiceInstances
            | Self::ListServiceTemplateVersions
            | Self::ListServiceTemplates
            | Self::ListServices
            | Self::ListTagsForResource
            | Self::ListRepositories
            | Self::ListComponents
            | Self::ListDeployments => Pagination::Pages,
            _ => Pagination::None,
        }
    }

    /// The errors that the model declares for it.
    pub(super) const fn errors(self) -> &'static [Code] {
        match self {
            Self::CreateComponent
            | Self::CreateEnvironment
            | Self::CreateEnvironmentTemplateVersion
            | Self::CreateService
            | Self::CreateServiceTemplateVersion
            | Self::NotifyResourceDeploymentStatusChange
            | Self::UpdateComponent
            | Self::UpdateService => &[
                Code::AccessDenied,
                Code::Conflict,
                Code::InternalServer,
                Code::ResourceNotFound,
                Code::ServiceQuotaExceeded,
                Code::Throttling,
                Code::Validation,
            ],
            Self::AcceptEnvironmentAccountConnection
            | Self::CancelComponentDeployment
            | Self::CancelEnvironmentDeployment
            | Self::CancelServiceInstanceDeployment
            | Self::CancelServicePipelineDeployment
            | Self::CreateServiceInstance
            | Self::DeleteComponent
            | Self::DeleteEnvironment
            | Self::DeleteEnvironmentAccountConnection
            | Self::DeleteEnvironmentTemplate
            | Self::DeleteEnvironmentTemplateVersion
            | Self::DeleteRepository
            | Self::DeleteService
            | Self::DeleteServiceSyncConfig
            | Self::DeleteServiceTemplate
            | Self::DeleteServiceTemplateVersion
            | Self::DeleteTemplateSyncConfig
            | Self::RejectEnvironmentAccountConnection
            | Self::TagResource
            | Self::UntagResource
            | Self::UpdateEnvironment
            | Self::UpdateEnvironmentAccountConnection
            | Self::UpdateEnvironmentTemplate
            | Self::UpdateEnvironmentTemplateVersion
            | Self::UpdateServiceInstance
            | Self::UpdateServicePipeline
            | Self::UpdateServiceSyncBlocker
            | Self::UpdateServiceSyncConfig
            | Self::UpdateServiceTemplate
            | Self::UpdateServiceTemplateVersion
            | Self::UpdateTemplateSyncConfig => &[
                Code::AccessDenied,
                Code::Conflict,
                Code::InternalServer,
                Code::ResourceNotFound,
                Code::Throttling,
                Code::Validation,
            ],
            Self::CreateEnvironmentAccountConnection
            | Self::CreateEnvironmentTemplate
            | Self::CreateRepository
            | Self::CreateServiceSyncConfig
            | Self::CreateServiceTemplate
            | Self::CreateTemplateSyncConfig => &[
                Code::AccessDenied,
                Code::Conflict,
                Code::InternalServer,
                Code::ServiceQuotaExceeded,
                Code::Throttling,
                Code::Validation,
            ],
            Self::UpdateAccountSettings => &[
                Code::AccessDenied,
                Code::Conflict,
                Code::InternalServer,
                Code::Throttling,
                Code::Validation,
            ],
            Self::DeleteDeployment
            | Self::GetAccountSettings
            | Self::GetComponent
            | Self::GetDeployment
            | Self::GetEnvironment
            | Self::GetEnvironmentAccountConnection
            | Self::GetEnvironmentTemplate
            | Self::GetEnvironmentTemplateVersion
            | Self::GetRepository
            | Self::GetRepositorySyncStatus
            | Self::GetService
            | Self::GetServiceInstance
            | Self::GetServiceInstanceSyncStatus
            | Self::GetServiceSyncBlockerSummary
            | Self::GetServiceSyncConfig
            | Self::GetServiceTemplate
            | Self::GetServiceTemplateVersion
            | Self::GetTemplateSyncConfig
            | Self::GetTemplateSyncStatus
            | Self::ListComponentOutputs
            | Self::ListComponentProvisionedResources
            | Self::ListDeployments
            | Self::ListEnvironmentOutputs
            | Self::ListEnvironmentProvisionedResources
            | Self::ListEnvironmentTemplateVersions
            | Self::ListEnvironments
            | Self::ListRepositories
            | Self::ListServiceInstanceOutputs
            | Self::ListServiceInstanceProvisionedResources
            | Self::ListServiceInstances
            | Self::ListServicePipelineOutputs
            | Self::ListServicePipelineProvisionedResources
            | Self::ListServiceTemplateVersions
            | Self::ListTagsForResource => &[
                Code::AccessDenied,
                Code::InternalServer,
                Code::ResourceNotFound,
                Code::Throttling,
                Code::Validation,
            ],
            Self::GetResourcesSummary
            | Self::ListComponents
            | Self::ListEnvironmentAccountConnections
            | Self::ListEnvironmentTemplates
            | Self::ListRepositorySyncDefinitions
            | Self::ListServiceTemplates
            | Self::ListServices => &[
                Code::AccessDenied,
                Code::InternalServer,
                Code::Throttling,
                Code::Validation,
            ],
        }
    }

    /// What its input has to be like.
    pub(super) const fn input(self) -> &'static Structure {
        match self {
            Self::AcceptEnvironmentAccountConnection => &model::ACCEPT_ENVIRONMENT_ACCOUNT_CONNECTION_INPUT,
            Self::CancelComponentDeployment => &model::CANCEL_COMPONENT_DEPLOYMENT_INPUT,
            Self::CancelEnvironmentDeployment => &model::CANCEL_ENVIRONMENT_DEPLOYMENT_INPUT,
            Self::CancelServiceInstanceDeployment => &model::CANCEL_SERVICE_INSTANCE_DEPLOYMENT_INPUT,
            Self::CancelServicePipelineDeployment => &model::CANCEL_SERVICE_PIPELINE_DEPLOYMENT_INPUT,
            Self::CreateComponent => &model::CREATE_COMPONENT_INPUT,
            Self::CreateEnvironment => &model::CREATE_ENVIRONMENT_INPUT,
            Self::CreateEnvironmentAccountConnection => &model::CREATE_ENVIRONMENT_ACCOUNT_CONNECTION_INPUT,
            Self::CreateEnvironmentTemplate => &model::CREATE_ENVIRONMENT_TEMPLATE_INPUT,
            Self::CreateEnvironmentTemplateVersion => &model::CREATE_ENVIRONMENT_TEMPLATE_VERSION_INPUT,
            Self::CreateRepository => &model::CREATE_REPOSITORY_INPUT,
            Self::CreateService => &model::CREATE_SERVICE_INPUT,
            Self::CreateServiceInstance => &model::CREATE_SERVICE_INSTANCE_INPUT,
            Self::CreateServiceSyncConfig => &model::CREATE_SERVICE_SYNC_CONFIG_INPUT,
            Self::CreateServiceTemplate => &model::CREATE_SERVICE_TEMPLATE_INPUT,
            Self::CreateServiceTemplateVersion => &model::CREATE_SERVICE_TEMPLATE_VERSION_INPUT,
            Self::CreateTemplateSyncConfig => &model::CREATE_TEMPLATE_SYNC_CONFIG_INPUT,
            Self::DeleteComponent => &model::DELETE_COMPONENT_INPUT,
            Self::DeleteDeployment => &model::DELETE_DEPLOYMENT_INPUT,
            Self::DeleteEnvironment => &model::DELETE_ENVIRONMENT_INPUT,
            Self::DeleteEnvironmentAccountConnection => &model::DELETE_ENVIRONMENT_ACCOUNT_CONNECTION_INPUT,
            Self::DeleteEnvironmentTemplate => &model::DELETE_ENVIRONMENT_TEMPLATE_INPUT,
            Self::DeleteEnvironmentTemplateVersion => &model::DELETE_ENVIRONMENT_TEMPLATE_VERSION_INPUT,
            Self::DeleteRepository => &model::DELETE_REPOSITORY_INPUT,
            Self::DeleteService => &model::DELETE_SERVICE_INPUT,
            Self::DeleteServiceSyncConfig => &model::DELETE_SERVICE_SYNC_CONFIG_INPUT,
            Self::DeleteServiceTemplate => &model::DELETE_SERVICE_TEMPLATE_INPUT,
            Self::DeleteServiceTemplateVersion => &model::DELETE_SERVICE_TEMPLATE_VERSION_INPUT,
            Self::DeleteTemplateSyncConfig => &model::DELETE_TEMPLATE_SYNC_CONFIG_INPUT,
            Self::GetAccountSettings => &model::GET_ACCOUNT_SETTINGS_INPUT,
            Self::GetComponent => &model::GET_COMPONENT_INPUT,
            Self::GetDeployment => &model::GET_DEPLOYMENT_INPUT,
            Self::GetEnvironment => &model::GET_ENVIRONMENT_INPUT,
            Self::GetEnvironmentAccountConnection => &model::GET_ENVIRONMENT_ACCOUNT_CONNECTION_INPUT,
            Self::GetEnvironmentTemplate => &model::GET_ENVIRONMENT_TEMPLATE_INPUT,
            Self::GetEnvironmentTemplateVersion => &model::GET_ENVIRONMENT_TEMPLATE_VERSION_INPUT,
            Self::GetRepository => &model::GET_REPOSITORY_INPUT,
            Self::GetRepositorySyncStatus => &model::GET_REPOSITORY_SYNC_STATUS_INPUT,
            Self::GetResourcesSummary => &model::GET_RESOURCES_SUMMARY_INPUT,
            Self::GetService => &model::GET_SERVICE_INPUT,
            Self::GetServiceInstance => &model::GET_SERVICE_INSTANCE_INPUT,
            Self::GetServiceInstanceSyncStatus => &model::GET_SERVICE_INSTANCE_SYNC_STATUS_INPUT,
            Self::GetServiceSyncBlockerSummary => &model::GET_SERVICE_SYNC_BLOCKER_SUMMARY_INPUT,
            Self::GetServiceSyncConfig => &model::GET_SERVICE_SYNC_CONFIG_INPUT,
            Self::GetServiceTemplate => &model::GET_SERVICE_TEMPLATE_INPUT,
            Self::GetServiceTemplateVersion => &model::GET_SERVICE_TEMPLATE_VERSION_INPUT,
            Self::GetTemplateSyncConfig => &model::GET_TEMPLATE_SYNC_CONFIG_INPUT,
            Self::GetTemplateSyncStatus => &model::GET_TEMPLATE_SYNC_STATUS_INPUT,
            Self::ListComponentOutputs => &model::LIST_COMPONENT_OUTPUTS_INPUT,
            Self::ListComponentProvisionedResources => &model::LIST_COMPONENT_PROVISIONED_RESOURCES_INPUT,
            Self::ListComponents => &model::LIST_COMPONENTS_INPUT,
            Self::ListDeployments => &model::LIST_DEPLOYMENTS_INPUT,
            Self::ListEnvironmentAccountConnections => &model::LIST_ENVIRONMENT_ACCOUNT_CONNECTIONS_INPUT,
            Self::ListEnvironmentOutputs => &model::LIST_ENVIRONMENT_OUTPUTS_INPUT,
            Self::ListEnvironmentProvisionedResources => &model::LIST_ENVIRONMENT_PROVISIONED_RESOURCES_INPUT,
            Self::ListEnvironmentTemplateVersions => &model::LIST_ENVIRONMENT_TEMPLATE_VERSIONS_INPUT,
            Self::ListEnvironmentTemplates => &model::LIST_ENVIRONMENT_TEMPLATES_INPUT,
            Self::ListEnvironments => &model::LIST_ENVIRONMENTS_INPUT,
            Self::ListRepositories => &model::LIST_REPOSITORIES_INPUT,
            Self::ListRepositorySyncDefinitions => &model::LIST_REPOSITORY_SYNC_DEFINITIONS_INPUT,
            Self::ListServiceInstanceOutputs => &model::LIST_SERVICE_INSTANCE_OUTPUTS_INPUT,
            Self::ListServiceInstanceProvisionedResources => {
                &model::LIST_SERVICE_INSTANCE_PROVISIONED_RESOURCES_INPUT
            }
            Self::ListServiceInstances => &model::LIST_SERVICE_INSTANCES_INPUT,
            Self::ListServicePipelineOutputs => &model::LIST_SERVICE_PIPELINE_OUTPUTS_INPUT,
            Self::ListServicePipelineProvisionedResources => {
                &model::LIST_SERVICE_PIPELINE_PROVISIONED_RESOURCES_INPUT
            }
            Self::ListServiceTemplateVersions => &model::LIST_SERVICE_TEMPLATE_VERSIONS_INPUT,
            Self::ListServiceTemplates => &model::LIST_SERVICE_TEMPLATES_INPUT,
            Self::ListServices => &model::LIST_SERVICES_INPUT,
            Self::ListTagsForResource => &model::LIST_TAGS_FOR_RESOURCE_INPUT,
            Self::NotifyResourceDeploymentStatusChange => {
                &model::NOTIFY_RESOURCE_DEPLOYMENT_STATUS_CHANGE_INPUT
            }
            Self::RejectEnvironmentAccountConnection => &model::REJECT_ENVIRONMENT_ACCOUNT_CONNECTION_INPUT,
            Self::TagResource => &model::TAG_RESOURCE_INPUT,
            Self::UntagResource => &model::UNTAG_RESOURCE_INPUT,
            Self::UpdateAccountSettings => &model::UPDATE_ACCOUNT_SETTINGS_INPUT,
            Self::UpdateComponent => &model::UPDATE_COMPONENT_INPUT,
            Self::UpdateEnvironment => &model::UPDATE_ENVIRONMENT_INPUT,
            Self::UpdateEnvironmentAccountConnection => &model::UPDATE_ENVIRONMENT_ACCOUNT_CONNECTION_INPUT,
            Self::UpdateEnvironmentTemplate => &model::UPDATE_ENVIRONMENT_TEMPLATE_INPUT,
            Self::UpdateEnvironmentTemplateVersion => &model::UPDATE_ENVIRONMENT_TEMPLATE_VERSION_INPUT,
            Self::UpdateService => &model::UPDATE_SERVICE_INPUT,
            Self::UpdateServiceInstance => &model::UPDATE_SERVICE_INSTANCE_INPUT,
            Self::UpdateServicePipeline => &model::UPDATE_SERVICE_PIPELINE_INPUT,
            Self::UpdateServiceSyncBlocker => &model::UPDATE_SERVICE_SYNC_BLOCKER_INPUT,
            Self::UpdateServiceSyncConfig => &model::UPDATE_SERVICE_SYNC_CONFIG_INPUT,
            Self::UpdateServiceTemplate => &model::UPDATE_SERVICE_TEMPLATE_INPUT,
            Self::UpdateServiceTemplateVersion => &model::UPDATE_SERVICE_TEMPLATE_VERSION_INPUT,
            Self::UpdateTemplateSyncConfig => &model::UPDATE_TEMPLATE_SYNC_CONFIG_INPUT,
        }
    }

    /// Whether a checked request is one that its structure can hold.
    #[cfg(test)]
    pub(super) fn reads(self, input: Value) -> Result<(), Fault> {
        use super::shapes;
        match self {
            Self::AcceptEnvironmentAccountConnection => {
                read::<shapes::AcceptEnvironmentAccountConnectionInput>(input).map(drop)
            }
            Self::CancelComponentDeployment => {
                read::<shapes::CancelComponentDeploymentInput>(input).map(drop)
            }
            Self::CancelEnvironmentDeployment => {
                read::<shapes::CancelEnvironmentDeploymentInput>(input).map(drop)
            }
            Self::CancelServiceInstanceDeployment => {
                read::<shapes::CancelServiceInstanceDeploymentInput>(input).map(drop)
            }
            Self::CancelServicePipelineDeployment => {
                read::<shapes::CancelServicePipelineDeploymentInput>(input).map(drop)
            }
            Self::CreateComponent => read::<shapes::CreateComponentInput>(input).map(drop),
            Self::CreateEnvironment => read::<shapes::CreateEnvironmentInput>(input).map(drop),
            Self::CreateEnvironmentAccountConnection => {
                read::<shapes::CreateEnvironmentAccountConnectionInput>(input).map(drop)
            }
            Self::CreateEnvironmentTemplate => {
                read::<shapes::CreateEnvironmentTemplateInput>(input).map(drop)
            }
            Self::CreateEnvironmentTemplateVersion => {
                read::<shapes::CreateEnvironmentTemplateVersionInput>(input).map(drop)
            }
            Self::CreateRepository => read::<shapes::CreateRepositoryInput>(input).map(drop),
            Self::CreateService => read::<shapes::CreateServiceInput>(input).map(drop),
            Self::CreateServiceInstance => read::<shapes::CreateServiceInstanceInput>(input).map(drop),
            Self::CreateServiceSyncConfig => read::<shapes::CreateServiceSyncConfigInput>(input).map(drop),
            Self::CreateServiceTemplate => read::<shapes::CreateServiceTemplateInput>(input).map(drop),
            Self::CreateServiceTemplateVersion => {
                read::<shapes::CreateServiceTemplateVersionInput>(input).map(drop)
            }
            Self::CreateTemplateSyncConfig => read::<shapes::CreateTemplateSyncConfigInput>(input).map(drop),
            Self::DeleteComponent => read::<shapes::DeleteComponentInput>(input).map(drop),
            Self::DeleteDeployment => read::<shapes::DeleteDeploymentInput>(input).map(drop),
            Self::DeleteEnvironment => read::<shapes::DeleteEnvironmentInput>(input).map(drop),
            Self::DeleteEnvironmentAccountConnection => {
                read::<shapes::DeleteEnvironmentAccountConnectionInput>(input).map(drop)
            }
            Self::DeleteEnvironmentTemplate => {
                read::<shapes::DeleteEnvironmentTemplateInput>(input).map(drop)
            }
            Self::DeleteEnvironmentTemplateVersion => {
                read::<shapes::DeleteEnvironmentTemplateVersionInput>(input).map(drop)
            }
            Self::DeleteRepository => read::<shapes::DeleteRepositoryInput>(input).map(drop),
            Self::DeleteService => read::<shapes::DeleteServiceInput>(input).map(drop),
            Self::DeleteServiceSyncConfig => read::<shapes::DeleteServiceSyncConfigInput>(input).map(drop),
            Self::DeleteServiceTemplate => read::<shapes::DeleteServiceTemplateInput>(input).map(drop),
            Self::DeleteServiceTemplateVersion => {
                read::<shapes::DeleteServiceTemplateVersionInput>(input).map(drop)
            }
            Self::DeleteTemplateSyncConfig => read::<shapes::DeleteTemplateSyncConfigInput>(input).map(drop),
            Self::GetAccountSettings => read::<shapes::GetAccountSettingsInput>(input).map(drop),
            Self::GetComponent => read::<shapes::GetComponentInput>(input).map(drop),
            Self::GetDeployment => read::<shapes::GetDeploymentInput>(input).map(drop),
            Self::GetEnvironment => read::<shapes::GetEnvironmentInput>(input).map(drop),
            Self::GetEnvironmentAccountConnection => {
                read::<shapes::GetEnvironmentAccountConnectionInput>(input).map(drop)
            }
            Self::GetEnvironmentTemplate => read::<shapes::GetEnvironmentTemplateInput>(input).map(drop),
            Self::GetEnvironmentTemplateVersion => {
                read::<shapes::GetEnvironmentTemplateVersionInput>(input).map(drop)
            }
            Self::GetRepository => read::<shapes::GetRepositoryInput>(input).map(drop),
            Self::GetRepositorySyncStatus => read::<shapes::GetRepositorySyncStatusInput>(input).map(drop),
            Self::GetResourcesSummary => read::<shapes::GetResourcesSummaryInput>(input).map(drop),
            Self::GetService => read::<shapes::GetServiceInput>(input).map(drop),
            Self::GetServiceInstance => read::<shapes::GetServiceInstanceInput>(input).map(drop),
            Self::GetServiceInstanceSyncStatus => {
                read::<shapes::GetServiceInstanceSyncStatusInput>(input).map(drop)
            }
            Self::GetServiceSyncBlockerSummary => {
                read::<shapes::GetServiceSyncBlockerSummaryInput>(input).map(drop)
            }
            Self::GetServiceSyncConfig => read::<shapes::GetServiceSyncConfigInput>(input).map(drop),
            Self::GetServiceTemplate => read::<shapes::GetServiceTemplateInput>(input).map(drop),
            Self::GetServiceTemplateVersion => {
                read::<shapes::GetServiceTemplateVersionInput>(input).map(drop)
            }
            Self::GetTemplateSyncConfig => read::<shapes::GetTemplateSyncConfigInput>(input).map(drop),
            Self::GetTemplateSyncStatus => read::<shapes::GetTemplateSyncStatusInput>(input).map(drop),
            Self::ListComponentOutputs => read::<shapes::ListComponentOutputsInput>(input).map(drop),
            Self::ListComponentProvisionedResources => {
                read::<shapes::ListComponentProvisionedResourcesInput>(input).map(drop)
            }
            Self::ListComponents => read::<shapes::ListComponentsInput>(input).map(drop),
            Self::ListDeployments => read::<shapes::ListDeploymentsInput>(input).map(drop),
            Self::ListEnvironmentAccountConnections => {
                read::<shapes::ListEnvironmentAccountConnectionsInput>(input).map(drop)
            }
            Self::ListEnvironmentOutputs => read::<shapes::ListEnvironmentOutputsInput>(input).map(drop),
            Self::ListEnvironmentProvisionedResources => {
                read::<shapes::ListEnvironmentProvisionedResourcesInput>(input).map(drop)
            }
            Self::ListEnvironmentTemplateVersions => {
                read::<shapes::ListEnvironmentTemplateVersionsInput>(input).map(drop)
            }
            Self::ListEnvironmentTemplates => read::<shapes::ListEnvironmentTemplatesInput>(input).map(drop),
            Self::ListEnvironments => read::<shapes::ListEnvironmentsInput>(input).map(drop),
            Self::ListRepositories => read::<shapes::ListRepositoriesInput>(input).map(drop),
            Self::ListRepositorySyncDefinitions => {
                read::<shapes::ListRepositorySyncDefinitionsInput>(input).map(drop)
            }
            Self::ListServiceInstanceOutputs => {
                read::<shapes::ListServiceInstanceOutputsInput>(input).map(drop)
            }
            Self::ListServiceInstanceProvisionedResources => {
                read::<shapes::ListServiceInstanceProvisionedResourcesInput>(input).map(drop)
            }
            Self::ListServiceInstances => read::<shapes::ListServiceInstancesInput>(input).map(drop),
            Self::ListServicePipelineOutputs => {
                read::<shapes::ListServicePipelineOutputsInput>(input).map(drop)
            }
            Self::ListServicePipelineProvisionedResources => {
                read::<shapes::ListServicePipelineProvisionedResourcesInput>(input).map(drop)
            }
            Self::ListServiceTemplateVersions => {
                read::<shapes::ListServiceTemplateVersionsInput>(input).map(drop)
            }
            Self::ListServiceTemplates => read::<shapes::ListServiceTemplatesInput>(input).map(drop),
            Self::ListServices => read::<shapes::ListServicesInput>(input).map(drop),
            Self::ListTagsForResource => read::<shapes::ListTagsForResourceInput>(input).map(drop),
            Self::NotifyResourceDeploymentStatusChange => {
                read::<shapes::NotifyResourceDeploymentStatusChangeInput>(input).map(drop)
            }
            Self::RejectEnvironmentAccountConnection => {
                read::<shapes::RejectEnvironmentAccountConnectionInput>(input).map(drop)
            }
            Self::TagResource => read::<shapes::TagResourceInput>(input).map(drop),
            Self::UntagResource => read::<shapes::UntagResourceInput>(input).map(drop),
            Self::UpdateAccountSettings => read::<shapes::UpdateAccountSettingsInput>(input).map(drop),
            Self::UpdateComponent => read::<shapes::UpdateComponentInput>(input).map(drop),
            Self::UpdateEnvironment => read::<shapes::UpdateEnvironmentInput>(input).map(drop),
            Self::UpdateEnvironmentAccountConnection => {
                read::<shapes::UpdateEnvironmentAccountConnectionInput>(input).map(drop)
            }
            Self::UpdateEnvironmentTemplate => {
                read::<shapes::UpdateEnvironmentTemplateInput>(input).map(drop)
            }
            Self::UpdateEnvironmentTemplateVersion => {
                read::<shapes::UpdateEnvironmentTemplateVersionInput>(input).map(drop)
            }
            Self::UpdateService => read::<shapes::UpdateServiceInput>(input).map(drop),
            Self::UpdateServiceInstance => read::<shapes::UpdateServiceInstanceInput>(input).map(drop),
            Self::UpdateServicePipeline => read::<shapes::UpdateServicePipelineInput>(input).map(drop),
            Self::UpdateServiceSyncBlocker => read::<shapes::UpdateServiceSyncBlockerInput>(input).map(drop),
            Self::UpdateServiceSyncConfig => read::<shapes::UpdateServiceSyncConfigInput>(input).map(drop),
            Self::UpdateServiceTemplate => read::<shapes::UpdateServiceTemplateInput>(input).map(drop),
            Self::UpdateServiceTemplateVersion => {
                read::<shapes::UpdateServiceTemplateVersionInput>(input).map(drop)
            }
            Self::UpdateTemplateSyncConfig => read::<shapes::UpdateTemplateSyncConfigInput>(input).map(drop),
        }
    }
}

impl Proton {
    /// Reads the input, has the operation answered, and writes the answer. Each answer is made on the heap: together
    /// they would make one huge future.
    pub(super) async fn dispatch(&self, call: &Call, input: Value) -> Result<Vec<u8>, Fault> {
        match call.operation {
            Operation::AcceptEnvironmentAccountConnection => {
                answered(&Box::pin(self.accept_environment_account_connection(call, read(input)?)).await?)
            }
            Operation::CancelComponentDeployment => {
                answered(&Box::pin(self.cancel_component_deployment(call, read(input)?)).await?)
            }
            Operation::CancelEnvironmentDeployment => {
                answered(&Box::pin(self.cancel_environment_deployment(call, read(input)?)).await?)
            }
            Operation::CancelServiceInstanceDeployment => {
                answered(&Box::pin(self.cancel_service_instance_deployment(call, read(input)?)).await?)
            }
            Operation::CancelServicePipelineDeployment => {
                answered(&Box::pin(self.cancel_service_pipeline_deployment(call, read(input)?)).await?)
            }
            Operation::CreateComponent => {
                answered(&Box::pin(self.create_component(call, read(input)?)).await?)
            }
            Operation::CreateEnvironment => {
                answered(&Box::pin(self.create_environment(call, read(input)?)).await?)
            }
            Operation::CreateEnvironmentAccountConnection => {
                answered(&Box::pin(self.create_environment_account_connection(call, read(input)?)).await?)
            }
            Operation::CreateEnvironmentTemplate => {
                answered(&Box::pin(self.create_environment_template(call, read(input)?)).await?)
            }
            Operation::CreateEnvironmentTemplateVersion => {
                answered(&Box::pin(self.create_environment_template_version(call, read(input)?)).await?)
            }
            Operation::CreateRepository => {
                answered(&Box::pin(self.create_repository(call, read(input)?)).await?)
            }
            Operation::CreateService => answered(&Box::pin(self.create_service(call, read(input)?)).await?),
            Operation::CreateServiceInstance => {
                answered(&Box::pin(self.create_service_instance(call, read(input)?)).await?)
            }
            Operation::CreateServiceSyncConfig => {
                answered(&Box::pin(self.create_service_sync_config(call, read(input)?)).await?)
            }
            Operation::CreateServiceTemplate => {
                answered(&Box::pin(self.create_service_template(call, read(input)?)).await?)
            }
            Operation::CreateServiceTemplateVersion => {
                answered(&Box::pin(self.create_service_template_version(call, read(input)?)).await?)
            }
            Operation::CreateTemplateSyncConfig => {
                answered(&Box::pin(self.create_template_sync_config(call, read(input)?)).await?)
            }
            Operation::DeleteComponent => {
                answered(&Box::pin(self.delete_component(call, read(input)?)).await?)
            }
            Operation::DeleteDeployment => {
                answered(&Box::pin(self.delete_deployment(call, read(input)?)).await?)
            }
            Operation::DeleteEnvironment => {
                answered(&Box::pin(self.delete_environment(call, read(input)?)).await?)
            }
            Operation::DeleteEnvironmentAccountConnection => {
                answered(&Box::pin(self.delete_environment_account_connection(call, read(input)?)).await?)
            }
            Operation::DeleteEnvironmentTemplate => {
                answered(&Box::pin(self.delete_environment_template(call, read(input)?)).await?)
            }
            Operation::DeleteEnvironmentTemplateVersion => {
                answered(&Box::pin(self.delete_environment_template_version(call, read(input)?)).await?)
            }
            Operation::DeleteRepository => {
                answered(&Box::pin(self.delete_repository(call, read(input)?)).await?)
            }
            Operation::DeleteService => answered(&Box::pin(self.delete_service(call, read(input)?)).await?),
            Operation::DeleteServiceSyncConfig => {
                answered(&Box::pin(self.delete_service_sync_config(call, read(input)?)).await?)
            }
            Operation::DeleteServiceTemplate => {
                answered(&Box::pin(self.delete_service_template(call, read(input)?)).await?)
            }
            Operation::DeleteServiceTemplateVersion => {
                answered(&Box::pin(self.delete_service_template_version(call, read(input)?)).await?)
            }
            Operation::DeleteTemplateSyncConfig => {
                answered(&Box::pin(self.delete_template_sync_config(call, read(input)?)).await?)
            }
            Operation::GetAccountSettings => {
                answered(&Box::pin(self.get_account_settings(call, read(input)?)).await?)
            }
            Operation::GetComponent => answered(&Box::pin(self.get_component(call, read(input)?)).await?),
            Operation::GetDeployment => answered(&Box::pin(self.get_deployment(call, read(input)?)).await?),
            Operation::GetEnvironment => answered(&Box::pin(self.get_environment(call, read(input)?)).await?),
            Operation::GetEnvironmentAccountConnection => {
                answered(&Box::pin(self.get_environment_account_connection(call, read(input)?)).await?)
            }
            Operation::GetEnvironmentTemplate => {
                answered(&Box::pin(self.get_environment_template(call, read(input)?)).await?)
            }
            Operation::GetEnvironmentTemplateVersion => {
                answered(&Box::pin(self.get_environment_template_version(call, read(input)?)).await?)
            }
            Operation::GetRepository => answered(&Box::pin(self.get_repository(call, read(input)?)).await?),
            Operation::GetRepositorySyncStatus => {
                answered(&Box::pin(self.get_repository_sync_status(call, read(input)?)).await?)
            }
            Operation::GetResourcesSummary => {
                answered(&Box::pin(self.get_resources_summary(call, read(input)?)).await?)
            }
            Operation::GetService => answered(&Box::pin(self.get_service(call, read(input)?)).await?),
            Operation::GetServiceInstance => {
                answered(&Box::pin(self.get_service_instance(call, read(input)?)).await?)
            }
            Operation::GetServiceInstanceSyncStatus => {
                answered(&Box::pin(self.get_service_instance_sync_status(call, read(input)?)).await?)
            }
            Operation::GetServiceSyncBlockerSummary => {
                answered(&Box::pin(self.get_service_sync_blocker_summary(call, read(input)?)).await?)
            }
            Operation::GetServiceSyncConfig => {
                answered(&Box::pin(self.get_service_sync_config(call, read(input)?)).await?)
            }
            Operation::GetServiceTemplate => {
                answered(&Box::pin(self.get_service_template(call, read(input)?)).await?)
            }
            Operation::GetServiceTemplateVersion => {
                answered(&Box::pin(self.get_service_template_version(call, read(input)?)).await?)
            }
            Operation::GetTemplateSyncConfig => {
                answered(&Box::pin(self.get_template_sync_config(call, read(input)?)).await?)
            }
            Operation::GetTemplateSyncStatus => {
                answered(&Box::pin(self.get_template_sync_status(call, read(input)?)).await?)
            }
            Operation::ListComponentOutputs => {
                answered(&Box::pin(self.list_component_outputs(call, read(input)?)).await?)
            }
            Operation::ListComponentProvisionedResources => {
                answered(&Box::pin(self.list_component_provisioned_resources(call, read(input)?)).await?)
            }
            Operation::ListComponents => answered(&Box::pin(self.list_components(call, read(input)?)).await?),
            Operation::ListDeployments => {
                answered(&Box::pin(self.list_deployments(call, read(input)?)).await?)
            }
            Operation::ListEnvironmentAccountConnections => {
                answered(&Box::pin(self.list_environment_account_connections(call, read(input)?)).await?)
            }
            Operation::ListEnvironmentOutputs => {
                answered(&Box::pin(self.list_environment_outputs(call, read(input)?)).await?)
            }
            Operation::ListEnvironmentProvisionedResources => {
                answered(&Box::pin(self.list_environment_provisioned_resources(call, read(input)?)).await?)
            }
            Operation::ListEnvironmentTemplateVersions => {
                answered(&Box::pin(self.list_environment_template_versions(call, read(input)?)).await?)
            }
            Operation::ListEnvironmentTemplates => {
                answered(&Box::pin(self.list_environment_templates(call, read(input)?)).await?)
            }
            Operation::ListEnvironments => {
                answered(&Box::pin(self.list_environments(call, read(input)?)).await?)
            }
            Operation::ListRepositories => {
                answered(&Box::pin(self.list_repositories(call, read(input)?)).await?)
            }
            Operation::ListRepositorySyncDefinitions => {
                answered(&Box::pin(self.list_repository_sync_definitions(call, read(input)?)).await?)
            }
            Operation::ListServiceInstanceOutputs => {
                answered(&Box::pin(self.list_service_instance_outputs(call, read(input)?)).await?)
            }
            Operation::ListServiceInstanceProvisionedResources => answered(
                &Box::pin(self.list_service_instance_provisioned_resources(call, read(input)?)).await?,
            ),
            Operation::ListServiceInstances => {
                answered(&Box::pin(self.list_service_instances(call, read(input)?)).await?)
            }
            Operation::ListServicePipelineOutputs => {
                answered(&Box::pin(self.list_service_pipeline_outputs(call, read(input)?)).await?)
            }
            Operation::ListServicePipelineProvisionedResources => answered(
                &Box::pin(self.list_service_pipeline_provisioned_resources(call, read(input)?)).await?,
            ),
            Operation::ListServiceTemplateVersions => {
                answered(&Box::pin(self.list_service_template_versions(call, read(input)?)).await?)
            }
            Operation::ListServiceTemplates => {
                answered(&Box::pin(self.list_service_templates(call, read(input)?)).await?)
            }
            Operation::ListServices => answered(&Box::pin(self.list_services(call, read(input)?)).await?),
            Operation::ListTagsForResource => {
                answered(&Box::pin(self.list_tags_for_resource(call, read(input)?)).await?)
            }
            Operation::NotifyResourceDeploymentStatusChange => {
                answered(&Box::pin(self.notify_resource_deployment_status_change(call, read(input)?)).await?)
            }
            Operation::RejectEnvironmentAccountConnection => {
                answered(&Box::pin(self.reject_environment_account_connection(call, read(input)?)).await?)
            }
            Operation::TagResource => answered(&Box::pin(self.tag_resource(call, read(input)?)).await?),
            Operation::UntagResource => answered(&Box::pin(self.untag_resource(call, read(input)?)).await?),
            Operation::UpdateAccountSettings => {
                answered(&Box::pin(self.update_account_settings(call, read(input)?)).await?)
            }
            Operation::UpdateComponent => {
                answered(&Box::pin(self.update_component(call, read(input)?)).await?)
            }
            Operation::UpdateEnvironment => {
                answered(&Box::pin(self.update_environment(call, read(input)?)).await?)
            }
            Operation::UpdateEnvironmentAccountConnection => {
                answered(&Box::pin(self.update_environment_account_connection(call, read(input)?)).await?)
            }
            Operation::UpdateEnvironmentTemplate => {
                answered(&Box::pin(self.update_environment_template(call, read(input)?)).await?)
            }
            Operation::UpdateEnvironmentTemplateVersion => {
                answered(&Box::pin(self.update_environment_template_version(call, read(input)?)).await?)
            }
            Operation::UpdateService => answered(&Box::pin(self.update_service(call, read(input)?)).await?),
            Operation::UpdateServiceInstance => {
                answered(&Box::pin(self.update_service_instance(call, read(input)?)).await?)
            }
            Operation::UpdateServicePipeline => {
                answered(&Box::pin(self.update_service_pipeline(call, read(input)?)).await?)
            }
            Operation::UpdateServiceSyncBlocker => {
                answered(&Box::pin(self.update_service_sync_blocker(call, read(input)?)).await?)
            }
            Operation::UpdateServiceSyncConfig => {
                answered(&Box::pin(self.update_service_sync_config(call, read(input)?)).await?)
            }
            Operation::UpdateServiceTemplate => {
                answered(&Box::pin(self.update_service_template(call, read(input)?)).await?)
            }
            Operation::UpdateServiceTemplateVersion => {
                answered(&Box::pin(self.update_service_template_version(call, read(input)?)).await?)
            }
            Operation::UpdateTemplateSyncConfig => {
                answered(&Box::pin(self.update_template_sync_config(call, read(input)?)).await?)
            }
        }
    }
}
