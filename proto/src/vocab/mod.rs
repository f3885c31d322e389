//! Words that every process must spell alike. Each is parsed once, at the door; past the door there is no bare
//! `String` that means an account, a Region, a role or a name.

mod aws;
mod contents;
mod digest;
mod ids;
mod names;
mod time;

pub use aws::{AccountId, ImageUri, InvalidAws, Partition, Region, RepositoryName, RoleArn, StackArn};
pub use contents::{
    BrokenContentRule, BucketName, ContentRules, ReferencePattern, StackContents, TypePattern,
};
pub use digest::{Digest, InvalidDigest};
pub use ids::{
    AgentId, ConnectionId, DeploymentId, EventId, Id, IdKind, InvalidId, JobId, RequestId, SessionId,
    SyncBlockerId, TargetId, kinds,
};
pub use names::{
    ComponentName, EnvironmentName, InstanceName, InvalidName, ServiceName, StackPrefix, TemplateName,
    TemplateVersion,
};
pub use time::{InvalidTimestamp, Timestamp};
