//! AWS as the agent uses it: narrow traits in the agent's own words, and the SDK behind them.
//!
//! No type of the SDK leaves this module. What is above it is generic over [`Account`], so the same code runs against
//! AWS and against the account in memory (`fake`). The traits say one call each; retrying, pacing and deciding what an
//! error means for a stack belong to `work`.

mod calls;
mod ecr;
mod error;
mod events;
mod iam;
mod leave;
mod pace;
mod s3;
mod stacks;
mod status;
mod sts;

use std::future::Future;

use hadron_proto::vocab::{AccountId, Region, RepositoryName, RoleArn, StackArn};

use crate::job::{EventEntry, PutCheckpoints, ResourceChange, StackEvent, StackResource};

pub use calls::{Calls, take as take_calls};
pub use ecr::Ecr;
pub use error::{AwsError, Kind};
pub use events::EventBridge;
pub use iam::Iam;
pub use leave::Leave;
pub use pace::{Backoff, Pace};
pub use s3::S3;
pub use stacks::CloudFormation;
pub use status::StackStatus;
pub use sts::Sts;

/// What a call of AWS comes back with.
pub type Answer<T> = Result<T, AwsError>;

/// A stack as `DescribeStacks` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The stack; never used again for another one.
    pub arn: StackArn,
    /// What it is or does.
    pub status: StackStatus,
    /// CloudFormation's reason for the status; empty when it gave none.
    pub reason: String,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Its outputs: logical name and value.
    pub outputs: Vec<(String, String)>,
}

impl Stack {
    /// The value of a tag.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

/// How far a change set is. Words of later versions of AWS arrive as `Other` and are waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeSetStatus {
    /// Being made.
    Creating,
    /// Made.
    Created,
    /// Being deleted.
    Deleting,
    /// Deleted.
    Deleted,
    /// Could not be deleted.
    DeleteFailed,
    /// Could not be made; the reason says why, "no changes" included.
    Failed,
    /// A word that this version does not know.
    Other(String),
}

/// Whether a change set can be or was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Execution {
    /// Not (yet) possible.
    Unavailable,
    /// Possible: whoever holds the ARN may execute it.
    Available,
    /// It is being executed.
    InProgress,
    /// It was executed.
    Complete,
    /// It was executed and failed.
    Failed,
    /// The stack changed since; no longer possible.
    Obsolete,
    /// A word that this version does not know.
    Other(String),
}

impl Execution {
    /// It was executed, with whatever end: no longer something that can be taken back.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        matches!(self, Self::InProgress | Self::Complete | Self::Failed)
    }
}

/// One line of `ListChangeSets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSetLine {
    /// The change set.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// How far it is.
    pub status: ChangeSetStatus,
    /// Whether it can be or was executed.
    pub execution: Execution,
}

/// A change set with all its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSet {
    /// The change set.
    pub arn: String,
    /// The stack that it would change or make.
    pub stack: StackArn,
    /// How far it is.
    pub status: ChangeSetStatus,
    /// CloudFormation's reason for the status; empty when it gave none.
    pub reason: String,
    /// Whether it can be or was executed.
    pub execution: Execution,
    /// Tags that the stack would have.
    pub tags: Vec<(String, String)>,
    /// What it would do.
    pub changes: Vec<ResourceChange>,
}

/// Whether a change set makes a stack or changes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeSetType {
    /// Makes the stack (which is in `REVIEW_IN_PROGRESS` until the execution).
    Create,
    /// Changes the stack.
    Update,
}

/// Where CloudFormation finds a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateSource {
    /// In the request; at most 51,200 bytes.
    Body(String),
    /// At a URL of S3.
    Url(String),
}

/// What `CreateChangeSet` is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChangeSet {
    /// The stack: its name for a create, its ARN for an update.
    pub stack: String,
    /// The change set's name.
    pub name: String,
    /// Makes repeating the request harmless.
    pub token: String,
    /// Make or change.
    pub kind: ChangeSetType,
    /// The template.
    pub template: TemplateSource,
    /// The role that CloudFormation acts with.
    pub role: RoleArn,
    /// The stack's tags.
    pub tags: Vec<(String, String)>,
    /// `CAPABILITY_*` words.
    pub capabilities: Vec<String>,
}

/// What `CreateChangeSet` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedChangeSet {
    /// The change set.
    pub arn: String,
    /// The stack, new or known.
    pub stack: StackArn,
}

/// What `DeleteStack` is asked for. By ARN: a late request can never hit a successor of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackDeletion {
    /// The stack.
    pub stack: StackArn,
    /// Stands on all events of the deletion.
    pub token: String,
    /// The role that CloudFormation acts with; `None` leaves it the stack's own.
    pub role: Option<RoleArn>,
    /// Logical ids to leave behind.
    pub retain: Vec<String>,
}

/// A stack event and the token of the operation that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenedEvent {
    /// The event.
    pub event: StackEvent,
    /// The `ClientRequestToken` of the operation; empty when the caller gave none.
    pub token: String,
}

/// One page of events, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    /// The events, newest first.
    pub events: Vec<TokenedEvent>,
    /// Asks for the page of older events.
    pub older: Option<String>,
}

/// `CloudFormation`. A stack is named by ARN wherever one is known; `&str` takes either.
pub trait Stacks: Send + Sync {
    /// `DescribeStacks` for one stack; [`Kind::NotFound`] when there is none.
    fn describe(&self, stack: &str) -> impl Future<Output = Answer<Stack>> + Send;
    /// `ListChangeSets`, all pages.
    fn change_sets(&self, stack: &str) -> impl Future<Output = Answer<Vec<ChangeSetLine>>> + Send;
    /// `DescribeChangeSet`, all pages. `change_set` is an ARN, or a name with the stack's name or ARN beside it.
    fn change_set(&self, stack: &str, change_set: &str) -> impl Future<Output = Answer<ChangeSet>> + Send;
    /// `CreateChangeSet`.
    fn create_change_set(&self, new: &NewChangeSet) -> impl Future<Output = Answer<CreatedChangeSet>> + Send;
    /// `DeleteChangeSet`. Deleting one that is gone succeeds or says [`Kind::NotFound`].
    fn delete_change_set(&self, stack: &str, change_set: &str) -> impl Future<Output = Answer<()>> + Send;
    /// `ExecuteChangeSet` by ARN.
    fn execute_change_set(
        &self,
        change_set_arn: &str,
        token: &str,
    ) -> impl Future<Output = Answer<()>> + Send;
    /// `DeleteStack` by ARN.
    fn delete_stack(&self, deletion: &StackDeletion) -> impl Future<Output = Answer<()>> + Send;
    /// `CancelUpdateStack`.
    fn cancel_update(&self, stack: &StackArn, token: &str) -> impl Future<Output = Answer<()>> + Send;
    /// `ContinueUpdateRollback`. Never skips a resource: that is a person's decision.
    fn continue_rollback(
        &self,
        stack: &StackArn,
        token: &str,
        role: &RoleArn,
    ) -> impl Future<Output = Answer<()>> + Send;
    /// `RollbackStack`, for stacks that failed with rollback disabled.
    fn roll_back(
        &self,
        stack: &StackArn,
        token: &str,
        role: &RoleArn,
    ) -> impl Future<Output = Answer<()>> + Send;
    /// `DescribeStackEvents`, one page; `None` asks for the newest.
    fn events(&self, stack: &StackArn, page: Option<&str>) -> impl Future<Output = Answer<EventPage>> + Send;
    /// `ListStackResources`, all pages.
    fn resources(&self, stack: &StackArn) -> impl Future<Output = Answer<Vec<StackResource>>> + Send;
}

/// ECR's policies: who may use the images of the agent's own registry.
pub trait PullPolicies: Send + Sync {
    /// The repository's policy; `Ok(None)` when it has none, [`Kind::NotFound`] when there is no such repository.
    fn policy(&self, repository: &RepositoryName) -> impl Future<Output = Answer<Option<String>>> + Send;
    /// Replaces the whole policy. Never with `force`.
    fn set_policy(&self, repository: &RepositoryName, text: &str) -> impl Future<Output = Answer<()>> + Send;
    /// Deletes the policy; one that is gone already is a success.
    fn delete_policy(&self, repository: &RepositoryName) -> impl Future<Output = Answer<()>> + Send;
    /// The registry's policy.
    fn registry_policy(&self) -> impl Future<Output = Answer<Option<String>>> + Send;
    /// Replaces the registry's whole policy.
    fn set_registry_policy(&self, text: &str) -> impl Future<Output = Answer<()>> + Send;
    /// Deletes the registry's policy; one that is gone already is a success.
    fn delete_registry_policy(&self) -> impl Future<Output = Answer<()>> + Send;
}

/// `EventBridge`: where changes of status are told to.
pub trait EventBus: Send + Sync {
    /// `PutEvents`, of at most 10. Those that were not taken, by their place, and why; [`Kind::NotFound`] when there is no
    /// such bus.
    fn put_events(
        &self,
        bus: &str,
        entries: &[EventEntry],
    ) -> impl Future<Output = Answer<Vec<(usize, String)>>> + Send;
}

/// The bucket of the agent's own account through which templates go that are too long for a request.
pub trait TemplateBucket: Send + Sync {
    /// Whether the bucket is there and belongs to `owner`; [`Kind::Denied`] when it is somebody else's.
    fn has_bucket(&self, bucket: &str, owner: AccountId) -> impl Future<Output = Answer<bool>> + Send;
    /// Makes the bucket, private and with versions; one that is there already and ours is a success.
    fn create_bucket(
        &self,
        bucket: &str,
        owner: AccountId,
        region: &Region,
    ) -> impl Future<Output = Answer<()>> + Send;
    /// Stores a template and returns the URL by which CloudFormation finds exactly this text.
    fn put_template(
        &self,
        bucket: &str,
        owner: AccountId,
        region: &Region,
        key: &str,
        text: &str,
    ) -> impl Future<Output = Answer<String>> + Send;
}

/// An object of S3, as far as it is wanted.
#[derive(Clone, PartialEq, Eq)]
pub enum Object {
    /// All of it.
    Whole(bytes::Bytes),
    /// It is larger than what was asked for may be; how large, where S3 said so.
    TooLarge(Option<u64>),
}

impl std::fmt::Debug for Object {
    /// What is in somebody's bucket has no place in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(content) => write!(f, "Whole({} bytes)", content.len()),
            Self::TooLarge(size) => f.debug_tuple("TooLarge").field(size).finish(),
        }
    }
}

/// Buckets in which people keep template bundles. Whose they are is for IAM to say: a bundle may well be in a bucket of
/// another account that lets this one read.
pub trait Bundles: Send + Sync {
    /// `GetObject`, but no more than `most` bytes are ever kept. [`Kind::NotFound`] when there is no such object or bucket,
    /// as far as the credentials let one know.
    fn object(&self, bucket: &str, key: &str, most: u64) -> impl Future<Output = Answer<Object>> + Send;
}

/// Buckets with Object Lock.
pub trait LockedObjects: Send + Sync {
    /// `PutObject` with a retention. [`Kind::AlreadyExists`] when there is an object of this key, which is left alone.
    fn put_locked(&self, object: &PutCheckpoints) -> impl Future<Output = Answer<()>> + Send;
}

/// A role of IAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The role.
    pub arn: RoleArn,
    /// Such as `/` or `/hadron/`.
    pub path: String,
    /// Who may assume it, as JSON text.
    pub trust: String,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
    /// Its description; empty when it has none.
    pub description: String,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// What `CreateRole` is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRole {
    /// The role's name, without a path.
    pub name: String,
    /// Such as `/`.
    pub path: String,
    /// Who may assume it, as JSON text.
    pub trust: String,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
    /// For people.
    pub description: String,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// IAM's roles, for the commands that make and check the agent's and the provisioning roles. Roles are named by name:
/// names are unique in an account, whatever the path.
pub trait Roles: Send + Sync {
    /// `GetRole`; [`Kind::NotFound`] when there is none.
    fn role(&self, name: &str) -> impl Future<Output = Answer<Role>> + Send;
    /// `CreateRole`; [`Kind::AlreadyExists`] when there is one.
    fn create_role(&self, new: &NewRole) -> impl Future<Output = Answer<Role>> + Send;
    /// `UpdateAssumeRolePolicy`.
    fn set_trust(&self, name: &str, trust: &str) -> impl Future<Output = Answer<()>> + Send;
    /// `PutRolePermissionsBoundary`.
    fn set_boundary(&self, name: &str, policy_arn: &str) -> impl Future<Output = Answer<()>> + Send;
    /// `TagRole`.
    fn tag_role(&self, name: &str, tags: &[(String, String)]) -> impl Future<Output = Answer<()>> + Send;
    /// Names of the inline policies.
    fn inline_policies(&self, name: &str) -> impl Future<Output = Answer<Vec<String>>> + Send;
    /// One inline policy, as JSON text.
    fn inline_policy(&self, name: &str, policy: &str) -> impl Future<Output = Answer<String>> + Send;
    /// `PutRolePolicy`: adds or replaces an inline policy.
    fn put_inline_policy(
        &self,
        name: &str,
        policy: &str,
        text: &str,
    ) -> impl Future<Output = Answer<()>> + Send;
    /// `DeleteRolePolicy`; one that is gone already is a success.
    fn delete_inline_policy(&self, name: &str, policy: &str) -> impl Future<Output = Answer<()>> + Send;
    /// ARNs of the attached policies.
    fn attached_policies(&self, name: &str) -> impl Future<Output = Answer<Vec<String>>> + Send;
    /// `AttachRolePolicy`.
    fn attach_policy(&self, name: &str, policy_arn: &str) -> impl Future<Output = Answer<()>> + Send;
    /// `DetachRolePolicy`; one that is not attached is a success.
    fn detach_policy(&self, name: &str, policy_arn: &str) -> impl Future<Output = Answer<()>> + Send;
    /// `DeleteRole`, which must have no policies left; one that is gone already is a success.
    fn delete_role(&self, name: &str) -> impl Future<Output = Answer<()>> + Send;
    /// `CreatePolicy`; returns the ARN. [`Kind::AlreadyExists`] when there is one.
    fn create_policy(&self, name: &str, text: &str) -> impl Future<Output = Answer<String>> + Send;
    /// The text of a managed policy's default version; [`Kind::NotFound`] when there is none.
    fn managed_policy(&self, policy_arn: &str) -> impl Future<Output = Answer<String>> + Send;
}

/// Whose credentials these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: AccountId,
    /// The user or assumed role.
    pub arn: String,
    /// AWS's unique id of it.
    pub user_id: String,
}

/// STS.
pub trait CallerIdentity: Send + Sync {
    /// `GetCallerIdentity`.
    fn identity(&self) -> impl Future<Output = Answer<Identity>> + Send;
}

/// All of an account that jobs need.
pub trait Account: Send + Sync {
    /// Its `CloudFormation`.
    type Stacks: Stacks;
    /// Its ECR.
    type PullPolicies: PullPolicies;
    /// Its S3.
    type Bucket: TemplateBucket;
    /// Its `EventBridge`.
    type Events: EventBus;
    /// Its S3, as a place of bundles.
    type Bundles: Bundles;
    /// S3, as a place that nothing is taken from.
    type LockedObjects: LockedObjects;
    /// Its `CloudFormation`.
    fn stacks(&self) -> &Self::Stacks;
    /// Its ECR.
    fn policies(&self) -> &Self::PullPolicies;
    /// Its S3.
    fn bucket(&self) -> &Self::Bucket;
    /// Its `EventBridge`.
    fn events(&self) -> &Self::Events;
    /// Its S3, as a place of bundles.
    fn bundles(&self) -> &Self::Bundles;
    /// S3, as a place that nothing is taken from.
    fn locked_objects(&self) -> &Self::LockedObjects;
}

/// The account that the SDK's configuration has credentials of, in the configuration's Region.
#[derive(Clone, Debug)]
pub struct AwsAccount {
    stacks: CloudFormation,
    policies: Ecr,
    bucket: S3,
    events: EventBridge,
}

impl AwsAccount {
    /// From the SDK's configuration. Requests are not repeated by the SDK beyond one more try of a broken connection:
    /// the retries that count are `work`'s. Either way [`Leave`] is looked at before each transmission.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        let config = config
            .to_builder()
            .retry_config(aws_config::retry::RetryConfig::standard().with_max_attempts(2))
            .build();
        Self {
            stacks: CloudFormation::new(&config),
            policies: Ecr::new(&config),
            bucket: S3::new(&config),
            events: EventBridge::new(&config),
        }
    }
}

impl Account for AwsAccount {
    type Stacks = CloudFormation;
    type PullPolicies = Ecr;
    type Bucket = S3;
    type Events = EventBridge;
    type Bundles = S3;
    type LockedObjects = S3;
    fn stacks(&self) -> &CloudFormation {
        &self.stacks
    }
    fn policies(&self) -> &Ecr {
        &self.policies
    }
    fn bucket(&self) -> &S3 {
        &self.bucket
    }
    fn events(&self) -> &EventBridge {
        &self.events
    }

    fn bundles(&self) -> &S3 {
        &self.bucket
    }

    fn locked_objects(&self) -> &S3 {
        &self.bucket
    }
}
