//! Environment account connections: requested from the environment account, decided in the management account.
//!
//! The rules are Proton's (user guide, "Environment account connections"): a rejected connection can never be accepted,
//! one that serves an environment cannot be rejected, and the environment account may withdraw it at any time. The epoch
//! is ours: it grows whenever what an agent was told may no longer hold, and every statement of an agent names it.

use hadron_proto::vocab::{AccountId, ConnectionId, EnvironmentName, Region, RoleArn, Timestamp};
use serde::{Deserialize, Serialize};

use crate::principal::Signed;
use crate::step::{Machine, Step};

/// A connection between the management account and one environment account, for one environment name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// The environment that it is for; chosen by the environment account.
    pub environment: EnvironmentName,
    /// The account that asked, as STS proved it.
    pub account: AccountId,
    /// The Region that the environment will live in.
    pub region: Region,
    /// Roles of that account.
    pub roles: Roles,
    /// Who asked, and when.
    pub requested: Signed,
    /// Who changed its roles last, and when; nobody yet in most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles_changed: Option<Signed>,
    /// What was decided about it.
    pub approval: Approval,
    /// Grows on every arrow out of `Connected` and on every change of roles. What an agent says under an older epoch is void.
    pub epoch: u64,
}

/// Roles of the environment account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// What CloudFormation provisions environments and instances with.
    pub provisioning: Option<RoleArn>,
    /// What CloudFormation provisions components with.
    pub component: Option<RoleArn>,
    /// What CodeBuild jobs run as.
    pub codebuild: Option<RoleArn>,
    /// The name of the IAM role that the agent runs as.
    pub agent_role_name: String,
}

/// What people decided. Whether an agent is there is an observation and stands elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Approval {
    /// Nobody has decided yet.
    Pending,
    /// Accepted.
    Connected(Signed),
    /// Rejected, for good.
    Rejected(Signed),
    /// Withdrawn by the environment account, for good.
    Deleted(Signed),
}

impl Approval {
    /// Proton's word for it; deleted connections are gone and have none in Proton.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Connected(_) => "CONNECTED",
            Self::Rejected(_) => "REJECTED",
            Self::Deleted(_) => "DELETED",
        }
    }
}

/// What may happen to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionInput {
    /// The management account accepts.
    Accept(Signed),
    /// The management account rejects.
    Reject {
        /// Who rejects.
        by: Signed,
        /// Whether an environment is deployed through it.
        in_use: bool,
    },
    /// The environment account names other roles.
    ChangeRoles(Signed, Roles),
    /// The environment account withdraws it.
    Delete(Signed),
}

/// What follows from a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionEffect {
    /// Agents of the account may enrol.
    AllowSessions,
    /// Cut the open streams of its agents, and let their certificates count for nothing.
    CloseSessions,
    /// Take the jobs of the connection from whoever holds them; nobody else gets them while it is not connected.
    HoldJobs,
}

/// Why a decision is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionRefusal {
    /// A rejected connection stays rejected.
    #[error("the connection was rejected, and a rejected connection cannot be used again")]
    AlreadyRejected,
    /// It serves an environment.
    #[error("the connection is in use by environment '{0}'")]
    InUse(EnvironmentName),
    /// It was deleted.
    #[error("the connection was deleted by the environment account")]
    Gone,
}

impl Connection {
    /// When anything about it was changed last.
    #[must_use]
    pub fn modified_at(&self) -> Timestamp {
        let decided = match &self.approval {
            Approval::Pending => &self.requested,
            Approval::Connected(by) | Approval::Rejected(by) | Approval::Deleted(by) => by,
        };
        self.roles_changed
            .as_ref()
            .map_or(decided.at, |changed| changed.at.max(decided.at))
    }
}

impl Machine for Connection {
    type Input = ConnectionInput;
    type Effect = ConnectionEffect;
    type Refusal = ConnectionRefusal;

    fn step(&self, input: Self::Input) -> Result<Step<Self, Self::Effect>, Self::Refusal> {
        use Approval::{Connected, Deleted, Pending, Rejected};
        use ConnectionEffect::{AllowSessions, CloseSessions, HoldJobs};

        let mut next = self.clone();
        match (&self.approval, input) {
            (Deleted(_), ConnectionInput::Delete(_)) => Ok(Step::stay(next)),
            (Deleted(_), _) => Err(ConnectionRefusal::Gone),

            (Pending, ConnectionInput::Accept(by)) => {
                next.approval = Connected(by);
                Ok(Step::to(next, vec![AllowSessions]))
            }
            (Connected(_), ConnectionInput::Accept(_)) => Ok(Step::stay(next)),
            (Rejected(_), ConnectionInput::Accept(_)) => Err(ConnectionRefusal::AlreadyRejected),

            (Pending, ConnectionInput::Reject { by, .. }) => {
                next.approval = Rejected(by);
                Ok(Step::to(next, Vec::new()))
            }
            (Connected(_), ConnectionInput::Reject { in_use: true, .. }) => {
                Err(ConnectionRefusal::InUse(self.environment.clone()))
            }
            (Connected(_), ConnectionInput::Reject { by, in_use: false }) => {
                next.approval = Rejected(by);
                next.epoch += 1;
                Ok(Step::to(next, vec![CloseSessions, HoldJobs]))
            }
            (Rejected(_), ConnectionInput::Reject { .. }) => Ok(Step::stay(next)),

            (Pending | Connected(_), ConnectionInput::ChangeRoles(_, roles)) if roles == self.roles => {
                Ok(Step::stay(next))
            }
            (Pending, ConnectionInput::ChangeRoles(by, roles)) => {
                next.roles = roles;
                next.roles_changed = Some(by);
                Ok(Step::to(next, Vec::new()))
            }
            (Connected(_), ConnectionInput::ChangeRoles(by, roles)) => {
                next.roles = roles;
                next.roles_changed = Some(by);
                next.epoch += 1;
                Ok(Step::to(next, vec![CloseSessions, HoldJobs]))
            }
            (Rejected(_), ConnectionInput::ChangeRoles(..)) => Err(ConnectionRefusal::AlreadyRejected),

            (Pending | Rejected(_), ConnectionInput::Delete(by)) => {
                next.approval = Deleted(by);
                Ok(Step::to(next, Vec::new()))
            }
            (Connected(_), ConnectionInput::Delete(by)) => {
                next.approval = Deleted(by);
                next.epoch += 1;
                Ok(Step::to(next, vec![CloseSessions, HoldJobs]))
            }
        }
    }
}
