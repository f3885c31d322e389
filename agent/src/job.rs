//! A job as the agent understands it: wire types stop in `session`, AWS SDK types stop in `aws`, and between the two
//! everything speaks these words.

use std::future::Future;

use hadron_proto::vocab::{
    AccountId, DeploymentId, Digest, JobId, Region, RepositoryName, RoleArn, StackArn, Timestamp,
};

/// Names a job and proves that the speaker holds it now. The hub refuses a fence that is not the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// The job.
    pub job: JobId,
    /// Grows with every lease of any job.
    pub fence: u64,
}

/// One unit of work, leased to this agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Which job, and under which lease.
    pub token: Token,
    /// Counts leases of this job, from 1.
    pub attempt: u32,
    /// The deployment that the job belongs to; `None` for work outside deployments.
    pub deployment: Option<DeploymentId>,
    /// What the job is about, for people.
    pub label: String,
    /// The account that the job is for. Must be the agent's own.
    pub account: AccountId,
    /// The Region that the job is for.
    pub region: Region,
    /// What to do.
    pub work: Work,
}

/// What a job asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Make a stack be what a template says.
    ApplyStack(ApplyStack),
    /// Make a stack be gone.
    DestroyStack(DestroyStack),
    /// Make sure that a cancelled deployment can never take effect any more, then tell what is true.
    RevokeStack(RevokeStack),
    /// Make an ECR repository's policy let exactly these accounts pull, besides what others granted.
    SetPullPolicy(SetPullPolicy),
    /// Put events onto a bus of `EventBridge`.
    PutEvents(PutEvents),
    /// Put checkpoints of the hub's audit log into a bucket with Object Lock.
    PutCheckpoints(PutCheckpoints),
    /// Read a template bundle from S3 and hand it over.
    FetchBundle(FetchBundle),
    /// Take away what nobody may execute any more, then tell what a stack is and who changed it.
    InspectStack(InspectStack),
}

/// The provisioning role that a stack is deployed with, by what it deploys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoleKind {
    /// Environments and service instances.
    Provisioning,
    /// Pipelines.
    Pipeline,
    /// Directly defined components.
    Component,
}

/// See [`Work::ApplyStack`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyStack {
    /// The stack's name, prefix included.
    pub stack_name: String,
    /// The stack that earlier deployments of the same target made.
    pub stack_arn: Option<StackArn>,
    /// Digest of the template text, which is fetched from the hub.
    pub template_digest: Digest,
    /// Length of the template text in bytes.
    pub template_bytes: u64,
    /// Which of the agent's roles is to be passed.
    pub role_kind: RoleKind,
    /// The role that the hub asks for; `None` leaves the choice to the agent's configuration.
    pub role: Option<RoleArn>,
    /// Stack tags, in order.
    pub tags: Vec<(String, String)>,
    /// `CAPABILITY_*` words.
    pub capabilities: Vec<String>,
    /// Every resource type in the template.
    pub resource_types: Vec<String>,
    /// No deployment of this stack ever succeeded, so a stack that is stuck may be replaced.
    pub never_succeeded: bool,
    /// The hub has what the template was rendered from, signed by publishers.
    pub has_source: bool,
}

/// See [`Work::DestroyStack`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestroyStack {
    /// The stack's name, for finding one whose ARN was never reported. Never used to delete.
    pub stack_name: String,
    /// The stack to delete.
    pub stack_arn: Option<StackArn>,
    /// Which of the agent's roles is to be passed.
    pub role_kind: RoleKind,
    /// The role that the hub asks for.
    pub role: Option<RoleArn>,
    /// Logical ids to leave behind; only for stacks in `DELETE_FAILED`.
    pub retain_resources: Vec<String>,
}

/// See [`Work::RevokeStack`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokeStack {
    /// The stack's name.
    pub stack_name: String,
    /// The stack, when its ARN is known.
    pub stack_arn: Option<StackArn>,
    /// The cancelled deployment would have made the stack.
    pub never_succeeded: bool,
    /// Which of the agent's roles is to be passed.
    pub role_kind: RoleKind,
    /// The role that the hub asks for.
    pub role: Option<RoleArn>,
}

/// See [`Work::SetPullPolicy`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetPullPolicy {
    /// The repository in the agent's own registry.
    pub repository: RepositoryName,
    /// Who shall be able to pull; empty withdraws all that Hadron granted.
    pub readers: Vec<AccountId>,
}

/// See [`Work::PutEvents`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutEvents {
    /// The name or ARN of the bus.
    pub bus: String,
    /// The events, in order.
    pub entries: Vec<EventEntry>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventEntry {
    /// Who says so.
    pub source: String,
    /// Which sort of event.
    pub detail_type: String,
    /// What happened, as JSON text.
    pub detail: String,
    /// ARNs of what it happened to.
    pub resources: Vec<String>,
    /// When.
    pub at: Timestamp,
}

/// See [`Work::PutCheckpoints`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutCheckpoints {
    /// The bucket.
    pub bucket: String,
    /// The account that it belongs to.
    pub owner: AccountId,
    /// The object's key; an object that is there already is left alone.
    pub key: String,
    /// One checkpoint a line.
    pub lines: String,
    /// Nobody can remove it before.
    pub retain_until: Timestamp,
    /// Whether really nobody.
    pub mode: LockMode,
}

/// The retention modes of S3 Object Lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// Nobody at all can shorten it.
    Compliance,
    /// Only who may `s3:BypassGovernanceRetention` can.
    Governance,
}

/// See [`Work::FetchBundle`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchBundle {
    /// The bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// Larger ones are not read.
    pub max_bytes: u64,
}

/// See [`Work::InspectStack`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectStack {
    /// The stack's name.
    pub stack_name: String,
    /// The stack, when its ARN is known.
    pub stack_arn: Option<StackArn>,
}

impl std::fmt::Display for PutCheckpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl std::fmt::Display for FetchBundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The stack is what the template says.
    Applied {
        /// The stack.
        stack: StackArn,
        /// Its outputs: logical name and value.
        outputs: Vec<(String, String)>,
        /// Its resources.
        resources: Vec<StackResource>,
        /// Nothing had to be changed.
        no_changes: bool,
    },
    /// The stack is gone.
    Gone {
        /// The stack that was deleted; `None` when there was none.
        stack: Option<StackArn>,
    },
    /// The change set is gone and was never executed.
    Revoked {
        /// The stack, when there is one.
        stack: Option<StackArn>,
    },
    /// The repository's policy is as wanted.
    PullPolicySet {
        /// False when it already was.
        changed: bool,
        /// Statements of others that keep a reader out in spite of the grant.
        warnings: Vec<String>,
    },
    /// Events were put onto the bus.
    EventsPut {
        /// Those that it did not take, by their place in the job, and why.
        refused: Vec<(usize, String)>,
    },
    /// The checkpoints are in the bucket, and locked.
    CheckpointsPut {
        /// An earlier attempt had put them there.
        were_there: bool,
    },
    /// The bundle is what was handed over.
    BundleFetched {
        /// Digest of its bytes.
        digest: Digest,
        /// How many they are.
        bytes: u64,
    },
    /// What a stack is, and who changed it.
    Inspected(Inspection),
    /// It did not work, and trying the same again would not help.
    Failed(Failure),
}

/// What a stack is, and who changed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The stack and its status; one that is gone has `DELETE_COMPLETE`. `None` when there never was one.
    pub stack: Option<(StackArn, String)>,
    /// The operations that its events tell of, newest first, each once.
    pub operations: Vec<Operation>,
    /// Names of change sets that were taken away.
    pub removed: Vec<String>,
}

/// One operation on a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The token on its events; empty when whoever began it gave none.
    pub token: String,
    /// The deployment that it belongs to, when it is one of Hadron's.
    pub deployment: Option<DeploymentId>,
    /// When its newest event happened.
    pub at: Timestamp,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What sort of failure it is.
    pub kind: FailureKind,
    /// For people: what failed, with the resource's own reason.
    pub message: String,
    /// The stack, when there is one.
    pub stack: Option<StackArn>,
    /// The stack's status, when it is known.
    pub stack_status: Option<String>,
    /// The stack's resources, when they are known.
    pub resources: Vec<StackResource>,
}

/// What sort of failure it is; decides what can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// CloudFormation said no; the stack is back at what it was before, or was never made.
    StackFailed,
    /// The stack cannot be deleted as it is.
    DeleteFailed,
    /// The stack could not be rolled back and needs a person.
    RollbackFailed,
    /// The agent's own policy forbids it.
    LocalPolicy,
    /// The stack that should be there is not.
    StackVanished,
    /// Somebody else is changing the stack.
    ForeignOperation,
    /// AWS refuses the agent's or the provisioning role's permissions.
    AccessDenied,
    /// CloudFormation refuses the template or its parameters.
    InvalidTemplate,
    /// It took longer than the deadline.
    Deadline,
    /// The ECR repository does not exist.
    RepositoryMissing,
    /// The policy would be longer than ECR allows.
    PolicyTooLong,
    /// The policy holds something that must not be overwritten.
    PolicyConflict,
    /// The S3 object, or its bucket, does not exist.
    ObjectMissing,
    /// The S3 object is larger than what was asked for may be.
    ObjectTooLarge,
    /// Anything else.
    Other,
}

/// One resource of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackResource {
    /// Its name in the template.
    pub logical_id: String,
    /// Its name in AWS; empty while it has none.
    pub physical_id: String,
    /// Such as `AWS::SNS::Topic`.
    pub resource_type: String,
    /// Such as `CREATE_COMPLETE`.
    pub status: String,
}

/// One of CloudFormation's own events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackEvent {
    /// CloudFormation's id of the event.
    pub event_id: String,
    /// When it happened.
    pub at: Timestamp,
    /// The resource's name in the template; the stack's own name for events of the stack itself.
    pub logical_id: String,
    /// The resource's name in AWS.
    pub physical_id: String,
    /// Such as `AWS::SNS::Topic`.
    pub resource_type: String,
    /// Such as `CREATE_FAILED`.
    pub status: String,
    /// CloudFormation's reason; empty when it gave none.
    pub reason: String,
}

/// One change of a change set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceChange {
    /// Add, Modify, Remove, Import or Dynamic.
    pub action: String,
    /// The resource's name in the template.
    pub logical_id: String,
    /// The resource's name in AWS; empty for additions.
    pub physical_id: String,
    /// Such as `AWS::SNS::Topic`.
    pub resource_type: String,
    /// True, False, Conditional, or empty.
    pub replacement: String,
}

/// The one irrevocable call of a job, for which the hub's leave is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Execute this change set.
    Execute {
        /// The stack.
        stack: StackArn,
        /// The change set, by ARN.
        change_set_arn: String,
        /// Digest of the canonical list of changes.
        digest: Digest,
        /// What the change set would do.
        changes: Vec<ResourceChange>,
    },
    /// Delete this stack.
    Delete {
        /// The stack, by ARN.
        stack: StackArn,
    },
}

/// The hub's answer to [`Hub::authorise`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Granted,
    /// Do not; clean up what was prepared. The text says why.
    Refused(String),
}

/// Why the hub gave no answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum HubError {
    /// The job is no longer this agent's: stop acting on it.
    #[error("the hub says that this job is no longer ours: {0}")]
    Fenced(String),
    /// The hub could not be asked before the lease ran out.
    #[error("the hub cannot be reached: {0}")]
    Unavailable(String),
    /// The hub refused this agent until the lease ran out: its connection is not connected. Nothing that AWS has said.
    #[error("the hub refuses this agent: {0}")]
    NotConnected(String),
}

/// What a job may ask of the hub while it works. Implementations retry on their own for as long as the lease holds.
pub trait Hub: Send + Sync {
    /// The rendered template of the job, checked against its digest by the caller.
    fn template(&self, token: Token) -> impl Future<Output = Result<String, HubError>> + Send;
    /// Leave to make the one irrevocable call.
    fn authorise(&self, token: Token, act: Act) -> impl Future<Output = Result<Verdict, HubError>> + Send;
    /// Hands over what the job was to fetch. Handing over again replaces it.
    fn put_content(
        &self,
        token: Token,
        content: bytes::Bytes,
    ) -> impl Future<Output = Result<(), HubError>> + Send;
    /// Passes on stack events. Never blocks the work: bounded, retried in the background, repeatable.
    fn events(&self, token: Token, events: Vec<StackEvent>) -> impl Future<Output = ()> + Send;
}

/// Why a job was left unfinished. Nothing is reported then: whoever holds the lease next finds out what is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The lease is lost.
    Fenced,
    /// The agent drains; the job is handed over.
    Draining,
    /// The hub could not be reached for something that must not be done without it.
    HubUnavailable,
    /// The hub could be reached, and refuses this agent: its connection is not connected.
    NotConnected,
}
