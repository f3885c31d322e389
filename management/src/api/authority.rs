//! Which [`Action`] each call is, for both interfaces: what `hadron access why` answers about, and what the matrix in
//! `management/tests` compares every call with. The calls themselves are refused by the use cases, which do not read this.

use hadron_domain::authority::Action;

use super::proton::Operation;

/// What somebody needs for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it is how people prove who they are.
    Nothing,
    /// To be known.
    Identity,
    /// The right to it.
    Right(Action),
    /// To read the resource that an ARN names, whatever that is.
    ReadOf,
    /// To change the resource that an ARN names, whatever that is.
    WriteOf,
}

/// What somebody needs for an operation of the Proton API.
#[must_use]
pub const fn proton(operation: Operation) -> Needs {
    use Operation as O;
    Needs::Right(match operation {
        O::AcceptEnvironmentAccountConnection => Action::AcceptConnection,
        O::RejectEnvironmentAccountConnection => Action::RejectConnection,
        O::CreateEnvironmentAccountConnection => Action::RequestConnection,
        O::UpdateEnvironmentAccountConnection => Action::UpdateConnection,
        O::DeleteEnvironmentAccountConnection => Action::DeleteConnection,
        O::GetEnvironmentAccountConnection | O::ListEnvironmentAccountConnections => Action::ReadConnection,
        O::CancelComponentDeployment
        | O::CancelEnvironmentDeployment
        | O::CancelServiceInstanceDeployment
        | O::CancelServicePipelineDeployment => Action::CancelDeployment,
        O::CreateComponent | O::DeleteComponent | O::UpdateComponent => Action::WriteComponent,
        O::GetComponent
        | O::ListComponentOutputs
        | O::ListComponentProvisionedResources
        | O::ListComponents => Action::ReadComponent,
        O::CreateEnvironment | O::DeleteEnvironment | O::UpdateEnvironment => Action::WriteEnvironment,
        O::GetEnvironment
        | O::ListEnvironmentOutputs
        | O::ListEnvironmentProvisionedResources
        | O::ListEnvironments => Action::ReadEnvironment,
        O::CreateEnvironmentTemplate
        | O::CreateEnvironmentTemplateVersion
        | O::CreateServiceTemplate
        | O::CreateServiceTemplateVersion
        | O::DeleteEnvironmentTemplate
        | O::DeleteEnvironmentTemplateVersion
        | O::DeleteServiceTemplate
        | O::DeleteServiceTemplateVersion
        | O::UpdateEnvironmentTemplate
        | O::UpdateEnvironmentTemplateVersion
        | O::UpdateServiceTemplate
        | O::UpdateServiceTemplateVersion => Action::WriteTemplate,
        O::GetEnvironmentTemplate
        | O::GetEnvironmentTemplateVersion
        | O::GetServiceTemplate
        | O::GetServiceTemplateVersion
        | O::ListEnvironmentTemplateVersions
        | O::ListEnvironmentTemplates
        | O::ListServiceTemplateVersions
        | O::ListServiceTemplates => Action::ReadTemplate,
        O::CreateRepository | O::DeleteRepository => Action::WriteRepository,
        O::GetRepository | O::ListRepositories => Action::ReadRepository,
        O::CreateService
        | O::CreateServiceInstance
        | O::DeleteService
        | O::UpdateService
        | O::UpdateServiceInstance
        | O::UpdateServicePipeline => Action::WriteService,
        O::GetService
        | O::GetServiceInstance
        | O::ListServiceInstanceOutputs
        | O::ListServiceInstanceProvisionedResources
        | O::ListServiceInstances
        | O::ListServicePipelineOutputs
        | O::ListServicePipelineProvisionedResources
        | O::ListServices => Action::ReadService,
        O::CreateServiceSyncConfig
        | O::DeleteServiceSyncConfig
        | O::UpdateServiceSyncConfig
        | O::UpdateServiceSyncBlocker => Action::WriteServiceSync,
        O::GetServiceInstanceSyncStatus | O::GetServiceSyncBlockerSummary | O::GetServiceSyncConfig => {
            Action::ReadServiceSync
        }
        O::CreateTemplateSyncConfig | O::DeleteTemplateSyncConfig | O::UpdateTemplateSyncConfig => {
            Action::WriteTemplateSync
        }
        // Of templates or of services, as the request says; the former is what every developer may.
        O::GetRepositorySyncStatus
        | O::GetTemplateSyncConfig
        | O::GetTemplateSyncStatus
        | O::ListRepositorySyncDefinitions => Action::ReadTemplateSync,
        O::DeleteDeployment => Action::DeleteDeployment,
        O::GetDeployment | O::ListDeployments => Action::ReadDeployment,
        O::GetAccountSettings => Action::ReadSettings,
        O::UpdateAccountSettings => Action::WriteSettings,
        O::GetResourcesSummary => Action::ReadSummary,
        O::NotifyResourceDeploymentStatusChange => Action::NotifyDeployment,
        O::ListTagsForResource => return Needs::ReadOf,
        O::TagResource | O::UntagResource => return Needs::WriteOf,
    })
}

/// What somebody needs for each method of the operator API, by service and method.
pub const OPERATOR: &[(&str, &str, Needs)] = &[
    ("AuthService", "BeginLogin", Needs::Nothing),
    ("AuthService", "FinishLogin", Needs::Nothing),
    ("AuthService", "IssueAccessKey", Needs::Nothing),
    ("AuthService", "WhoAmI", Needs::Identity),
    ("AuthService", "ListIssuers", Needs::Nothing),
    ("AuthService", "BeginOidcLogin", Needs::Nothing),
    ("AuthService", "FinishOidcLogin", Needs::Nothing),
    ("AuthService", "BeginDeviceLogin", Needs::Nothing),
    ("AuthService", "FinishDeviceLogin", Needs::Nothing),
    ("AuthService", "ExchangeToken", Needs::Nothing),
    ("AuthService", "Logout", Needs::Identity),
    ("AuthService", "CreateConsoleLink", Needs::Identity),
    (
        "ConnectionService",
        "RequestConnection",
        Needs::Right(Action::RequestConnection),
    ),
    (
        "ConnectionService",
        "GetConnection",
        Needs::Right(Action::ReadConnection),
    ),
    (
        "ConnectionService",
        "ListConnections",
        Needs::Right(Action::ReadConnection),
    ),
    (
        "ConnectionService",
        "WatchConnections",
        Needs::Right(Action::ReadConnection),
    ),
    (
        "ConnectionService",
        "AcceptConnection",
        Needs::Right(Action::AcceptConnection),
    ),
    (
        "ConnectionService",
        "RejectConnection",
        Needs::Right(Action::RejectConnection),
    ),
    (
        "ConnectionService",
        "UpdateConnection",
        Needs::Right(Action::UpdateConnection),
    ),
    (
        "ConnectionService",
        "DeleteConnection",
        Needs::Right(Action::DeleteConnection),
    ),
    (
        "TemplateService",
        "CreateTemplate",
        Needs::Right(Action::WriteTemplate),
    ),
    (
        "TemplateService",
        "GetTemplate",
        Needs::Right(Action::ReadTemplate),
    ),
    (
        "TemplateService",
        "ListTemplates",
        Needs::Right(Action::ReadTemplate),
    ),
    (
        "TemplateService",
        "DeleteTemplate",
        Needs::Right(Action::WriteTemplate),
    ),
    (
        "TemplateService",
        "UpdateTemplate",
        Needs::Right(Action::WriteTemplate),
    ),
    (
        "TemplateService",
        "CreateTemplateVersion",
        Needs::Right(Action::WriteTemplate),
    ),
    (
        "TemplateService",
        "GetTemplateVersion",
        Needs::Right(Action::ReadTemplate),
    ),
    (
        "TemplateService",
        "ListTemplateVersions",
        Needs::Right(Action::ReadTemplate),
    ),
    (
        "TemplateService",
        "UpdateTemplateVersion",
        Needs::Right(Action::WriteTemplate),
    ),
    (
        "TemplateService",
        "PublishTemplateVersion",
        Needs::Right(Action::WriteTemplate),
    ),
    (
        "TemplateService",
        "ApproveTemplateVersion",
        Needs::Right(Action::WriteTemplate),
    ),
    (
        "TemplateService",
        "DeleteTemplateVersion",
        Needs::Right(Action::WriteTemplate),
    ),
    (
        "TemplateService",
        "WatchTemplates",
        Needs::Right(Action::ReadTemplate),
    ),
    (
        "EnvironmentService",
        "CreateEnvironment",
        Needs::Right(Action::WriteEnvironment),
    ),
    (
        "EnvironmentService",
        "GetEnvironment",
        Needs::Right(Action::ReadEnvironment),
    ),
    (
        "EnvironmentService",
        "ListEnvironments",
        Needs::Right(Action::ReadEnvironment),
    ),
    (
        "EnvironmentService",
        "UpdateEnvironment",
        Needs::Right(Action::WriteEnvironment),
    ),
    (
        "EnvironmentService",
        "DeleteEnvironment",
        Needs::Right(Action::WriteEnvironment),
    ),
    (
        "EnvironmentService",
        "CancelEnvironmentDeployment",
        Needs::Right(Action::CancelDeployment),
    ),
    (
        "EnvironmentService",
        "WatchEnvironments",
        Needs::Right(Action::ReadEnvironment),
    ),
    (
        "SettingsService",
        "GetSettings",
        Needs::Right(Action::ReadSettings),
    ),
    (
        "SettingsService",
        "UpdateSettings",
        Needs::Right(Action::WriteSettings),
    ),
    (
        "ServiceService",
        "CreateService",
        Needs::Right(Action::WriteService),
    ),
    ("ServiceService", "GetService", Needs::Right(Action::ReadService)),
    (
        "ServiceService",
        "ListServices",
        Needs::Right(Action::ReadService),
    ),
    (
        "ServiceService",
        "UpdateService",
        Needs::Right(Action::WriteService),
    ),
    (
        "ServiceService",
        "DeleteService",
        Needs::Right(Action::WriteService),
    ),
    (
        "ServiceService",
        "WatchServices",
        Needs::Right(Action::ReadService),
    ),
    (
        "InstanceService",
        "CreateInstance",
        Needs::Right(Action::WriteService),
    ),
    (
        "InstanceService",
        "GetInstance",
        Needs::Right(Action::ReadService),
    ),
    (
        "InstanceService",
        "ListInstances",
        Needs::Right(Action::ReadService),
    ),
    (
        "InstanceService",
        "UpdateInstance",
        Needs::Right(Action::WriteService),
    ),
    (
        "InstanceService",
        "DeleteInstance",
        Needs::Right(Action::WriteService),
    ),
    (
        "InstanceService",
        "WatchInstances",
        Needs::Right(Action::ReadService),
    ),
    (
        "PipelineService",
        "CreatePipeline",
        Needs::Right(Action::WriteService),
    ),
    (
        "PipelineService",
        "GetPipeline",
        Needs::Right(Action::ReadService),
    ),
    (
        "PipelineService",
        "ListPipelines",
        Needs::Right(Action::ReadService),
    ),
    (
        "PipelineService",
        "UpdatePipeline",
        Needs::Right(Action::WriteService),
    ),
    (
        "PipelineService",
        "DeletePipeline",
        Needs::Right(Action::WriteService),
    ),
    (
        "PipelineService",
        "WatchPipelines",
        Needs::Right(Action::ReadService),
    ),
    (
        "ComponentService",
        "CreateComponent",
        Needs::Right(Action::WriteComponent),
    ),
    (
        "ComponentService",
        "GetComponent",
        Needs::Right(Action::ReadComponent),
    ),
    (
        "ComponentService",
        "ListComponents",
        Needs::Right(Action::ReadComponent),
    ),
    (
        "ComponentService",
        "UpdateComponent",
        Needs::Right(Action::WriteComponent),
    ),
    (
        "ComponentService",
        "DeleteComponent",
        Needs::Right(Action::WriteComponent),
    ),
    (
        "ComponentService",
        "WatchComponents",
        Needs::Right(Action::ReadComponent),
    ),
    (
        "DeploymentService",
        "GetDeployment",
        Needs::Right(Action::ReadDeployment),
    ),
    (
        "DeploymentService",
        "ListDeployments",
        Needs::Right(Action::ReadDeployment),
    ),
    (
        "DeploymentService",
        "CancelDeployment",
        Needs::Right(Action::CancelDeployment),
    ),
    (
        "DeploymentService",
        "DeleteDeployment",
        Needs::Right(Action::DeleteDeployment),
    ),
    (
        "DeploymentService",
        "ListDeploymentEvents",
        Needs::Right(Action::ReadDeployment),
    ),
    (
        "DeploymentService",
        "WatchDeployment",
        Needs::Right(Action::ReadDeployment),
    ),
    (
        "DeploymentService",
        "GetRenderedTemplate",
        Needs::Right(Action::ReadDeployment),
    ),
    ("GrantService", "ListGrants", Needs::Right(Action::ReadGrant)),
    ("GrantService", "WatchGrants", Needs::Right(Action::ReadGrant)),
    ("AgentsService", "ListAgents", Needs::Right(Action::ReadAgent)),
    ("AgentsService", "WatchAgents", Needs::Right(Action::ReadAgent)),
    (
        "RepositoryService",
        "LinkRepository",
        Needs::Right(Action::WriteRepository),
    ),
    (
        "RepositoryService",
        "GetRepository",
        Needs::Right(Action::ReadRepository),
    ),
    (
        "RepositoryService",
        "ListRepositories",
        Needs::Right(Action::ReadRepository),
    ),
    (
        "RepositoryService",
        "UnlinkRepository",
        Needs::Right(Action::WriteRepository),
    ),
    ("SyncService", "StartSync", Needs::Right(Action::WriteServiceSync)),
    ("SyncService", "GetSync", Needs::Right(Action::ReadServiceSync)),
    (
        "SyncService",
        "ChangeSync",
        Needs::Right(Action::WriteServiceSync),
    ),
    ("SyncService", "StopSync", Needs::Right(Action::WriteServiceSync)),
    (
        "SyncService",
        "ListSyncBlockers",
        Needs::Right(Action::ReadServiceSync),
    ),
    (
        "SyncService",
        "ResolveSyncBlocker",
        Needs::Right(Action::WriteServiceSync),
    ),
    ("TagService", "ListTags", Needs::ReadOf),
    ("TagService", "AddTags", Needs::WriteOf),
    ("TagService", "RemoveTags", Needs::WriteOf),
    ("SummaryService", "GetSummary", Needs::Right(Action::ReadSummary)),
    ("AccessService", "GrantAccess", Needs::Right(Action::WriteAccess)),
    ("AccessService", "RevokeAccess", Needs::Right(Action::WriteAccess)),
    ("AccessService", "ListAccess", Needs::Right(Action::ReadAccess)),
    ("AccessService", "ExplainAccess", Needs::Identity),
];

/// The action that a call is, by its name in either interface; `None` for names of no call, and for calls that need no
/// right, or that of whatever an ARN names.
#[must_use]
pub fn action_of(name: &str) -> Option<Action> {
    let proton = Operation::ALL
        .into_iter()
        .find(|operation| operation.name() == name)
        .map(proton);
    let operator = || {
        let found = OPERATOR.iter().find(|(_, method, _)| *method == name);
        found.map(|(_, _, needs)| *needs)
    };
    match proton.or_else(operator) {
        Some(Needs::Right(action)) => Some(action),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hadron_proto::wire;
    use prost::Message as _;

    use super::*;

    #[test]
    fn every_method_of_the_operator_api_is_in_the_table_and_nothing_else() {
        let set = prost_types::FileDescriptorSet::decode(wire::DESCRIPTORS).unwrap();
        let people = set
            .file
            .iter()
            .filter(|file| file.name().ends_with("operator.proto"));
        let real: BTreeSet<(String, String)> = people
            .flat_map(|file| &file.service)
            .flat_map(|service| {
                let of = |method: &prost_types::MethodDescriptorProto| {
                    (service.name().to_owned(), method.name().to_owned())
                };
                service.method.iter().map(of).collect::<Vec<_>>()
            })
            .collect();
        let told: BTreeSet<(String, String)> = OPERATOR
            .iter()
            .map(|(service, method, _)| ((*service).to_owned(), (*method).to_owned()))
            .collect();
        assert_eq!(told, real);
        assert_eq!(told.len(), OPERATOR.len());
    }

    #[test]
    fn one_name_means_one_right() {
        for operation in Operation::ALL {
            let (name, needs) = (operation.name(), proton(operation));
            for (_, method, other) in OPERATOR.iter().filter(|(_, method, _)| *method == name) {
                assert_eq!(needs, *other, "{method}");
            }
        }
        assert_eq!(action_of("CreateService"), Some(Action::WriteService));
        assert_eq!(action_of("AcceptConnection"), Some(Action::AcceptConnection));
        assert_eq!(action_of("TagResource"), None);
        assert_eq!(action_of("Nothing"), None);
    }
}
