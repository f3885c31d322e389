//! Every message of `hadron.v1`, in both directions. A test compares the list with the descriptors.

use hadron_proto::wire::*;
use prost::Message;

/// A message by its name.
pub(super) type Reading = (&'static str, fn(&[u8]) -> Option<Vec<u8>>);

/// Reads bytes as a message, and writes it again.
fn again<M: Message + Default>(bytes: &[u8]) -> Option<Vec<u8>> {
    M::decode(bytes).ok().map(|message| message.encode_to_vec())
}

macro_rules! messages {
    ($($name:ident,)*) => {
        /// All messages.
        pub(super) const MESSAGES: &[Reading] = &[$((stringify!($name), again::<$name>)),*];
    };
}

messages! {
    StackEvent, Output, StackResource, ResourceChange, Tag, StsProof, BeginEnrolmentRequest, BeginEnrolmentResponse,
    FinishEnrolmentRequest, FinishEnrolmentResponse, JobToken, AgentMessage, Hello, Demand, Heartbeat, AwsCalls, Started,
    Handover, HubMessage, Welcome, HeartbeatReply, Lost, GoAway, Offer, ApplyStack, DestroyStack, RevokeStack,
    SetPullPolicy, PutEvents, EventEntry, FetchBundle, InspectStack, FetchContentRequest, ContentChunk,
    PutContentRequest, PutContentResponse, AuthoriseRequest, ExecuteChangeSet, DeleteStackByArn, AuthoriseResponse,
    PostEventsRequest, PostEventsResponse, ReportRequest, StackApplied, StackGone, Revoked, PullPolicySet, EventsPut,
    RefusedEvent, PutCheckpoints, CheckpointsPut, BundleFetched, StackInspected, StackOperation, JobFailed, ReportResponse, BeginLoginRequest,
    BeginLoginResponse, FinishLoginRequest, FinishLoginResponse, IssueAccessKeyRequest, IssueAccessKeyResponse,
    WhoAmIRequest, WhoAmIResponse, Connection, RequestConnectionRequest, GetConnectionRequest, ListConnectionsRequest,
    ListConnectionsResponse, WatchConnectionsRequest, ConnectionChange, AcceptConnectionRequest,
    RejectConnectionRequest, UpdateConnectionRequest, DeleteConnectionRequest, Template, TemplateVersion, S3Object,
    CreateTemplateRequest, UpdateTemplateRequest, GetTemplateRequest, ListTemplatesRequest, ListTemplatesResponse,
    DeleteTemplateRequest, CreateTemplateVersionRequest, UpdateTemplateVersionRequest, CompatibleEnvironmentTemplates,
    ComponentSources, GetTemplateVersionRequest, ListTemplateVersionsRequest, ListTemplateVersionsResponse,
    PublishTemplateVersionRequest, DeleteTemplateVersionRequest, WatchTemplatesRequest, TemplateChange,
    DeploymentState, Environment, CreateEnvironmentRequest, CancelEnvironmentDeploymentRequest, GetEnvironmentRequest,
    ListEnvironmentsRequest, ListEnvironmentsResponse, UpdateEnvironmentRequest, DeleteEnvironmentRequest,
    WatchEnvironmentsRequest, EnvironmentChange, AccountSettings, RepositoryBranch, GetSettingsRequest,
    UpdateSettingsRequest, Service, ServiceInstance, Pipeline, CreateServiceRequest, GetServiceRequest,
    ListServicesRequest, ListServicesResponse, UpdateServiceRequest, DeleteServiceRequest, WatchServicesRequest,
    ServiceChange, CreateInstanceRequest, GetInstanceRequest, ListInstancesRequest, ListInstancesResponse,
    UpdateInstanceRequest, DeleteInstanceRequest, WatchInstancesRequest, InstanceChange, CreatePipelineRequest,
    GetPipelineRequest, ListPipelinesRequest, ListPipelinesResponse, UpdatePipelineRequest, DeletePipelineRequest,
    WatchPipelinesRequest, PipelineChange, Component, CreateComponentRequest, GetComponentRequest,
    ListComponentsRequest, ListComponentsResponse, UpdateComponentRequest, DeleteComponentRequest,
    WatchComponentsRequest, ComponentChange, Deployment, TargetState, DeploymentEvent, DeploymentUpdate,
    GetDeploymentRequest, ListDeploymentsRequest, ListDeploymentsResponse, CancelDeploymentRequest,
    DeleteDeploymentRequest, DeleteDeploymentResponse, ListDeploymentEventsRequest, ListDeploymentEventsResponse,
    WatchDeploymentRequest, GetRenderedTemplateRequest, GetRenderedTemplateResponse, Grant, ListGrantsRequest,
    ListGrantsResponse, WatchGrantsRequest, GrantChange, Agent, ListAgentsRequest, ListAgentsResponse,
    WatchAgentsRequest, AgentChange, Repository, LinkRepositoryRequest, GetRepositoryRequest, ListRepositoriesRequest,
    ListRepositoriesResponse, UnlinkRepositoryRequest, UnlinkRepositoryResponse, Follower, FollowingTemplate, Sync,
    StartSyncRequest, GetSyncRequest, ChangeSyncRequest, StopSyncRequest, StopSyncResponse, SyncBlocker,
    ListSyncBlockersRequest, ListSyncBlockersResponse, ResolveSyncBlockerRequest, ListTagsRequest, ListTagsResponse,
    AddTagsRequest, AddTagsResponse, RemoveTagsRequest, RemoveTagsResponse, GetSummaryRequest, Summary, Recovery,
    SummaryCount, Binding, GrantAccessRequest, GrantAccessResponse, RevokeAccessRequest, RevokeAccessResponse,
    ListAccessRequest, ListAccessResponse, ExplainAccessRequest, ExplainAccessResponse, ExplainedRight,
    Roots, CreateConsoleLinkRequest, CreateConsoleLinkResponse, ListIssuersRequest, ListIssuersResponse, Issuer,
    BeginOidcLoginRequest, BeginOidcLoginResponse, FinishOidcLoginRequest, BeginDeviceLoginRequest,
    BeginDeviceLoginResponse, FinishDeviceLoginRequest, ExchangeTokenRequest, LogoutRequest, LogoutResponse,
    ApproveTemplateVersionRequest,
}
