//! Who may do what: one table for every interface. What is not in it is refused.

use std::fmt;

use hadron_proto::vocab::AccountId;
use serde::{Deserialize, Serialize};

use crate::principal::Principal;

/// The part that somebody plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Authors templates, accepts connections, governs.
    Administrator,
    /// Deploys services.
    Developer,
    /// Owns an environment account: requests and withdraws its connections.
    Owner,
    /// Reads.
    Auditor,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Administrator, Self::Developer, Self::Owner, Self::Auditor];

    /// As written in configuration and said to people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Developer => "developer",
            Self::Owner => "owner",
            Self::Auditor => "auditor",
        }
    }
}

/// The word names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no role: use administrator, developer, owner or auditor")]
pub struct InvalidRole(String);

impl std::str::FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.word() == text)
            .ok_or_else(|| InvalidRole(text.to_owned()))
    }
}

/// Somebody who asks for something, with what is known about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// The AWS account that STS proved; `None` for keys that the hub minted.
    pub account: Option<AccountId>,
    /// The part they play.
    pub role: Role,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each name says what it is")]
pub enum Action {
    RequestConnection,
    ReadConnection,
    AcceptConnection,
    RejectConnection,
    DeleteConnection,
    WriteTemplate,
    ReadTemplate,
    WriteEnvironment,
    ReadEnvironment,
    WriteService,
    ReadService,
    CancelDeployment,
    ReadDeployment,
    ReadGrant,
    ReadAgent,
    UpdateConnection,
    WriteComponent,
    ReadComponent,
    WriteRepository,
    ReadRepository,
    WriteTemplateSync,
    ReadTemplateSync,
    WriteServiceSync,
    ReadServiceSync,
    WriteSettings,
    ReadSettings,
    DeleteDeployment,
    NotifyDeployment,
    ReadSummary,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 29] = [
        Self::RequestConnection,
        Self::ReadConnection,
        Self::AcceptConnection,
        Self::RejectConnection,
        Self::DeleteConnection,
        Self::WriteTemplate,
        Self::ReadTemplate,
        Self::WriteEnvironment,
        Self::ReadEnvironment,
        Self::WriteService,
        Self::ReadService,
        Self::CancelDeployment,
        Self::ReadDeployment,
        Self::ReadGrant,
        Self::ReadAgent,
        Self::UpdateConnection,
        Self::WriteComponent,
        Self::ReadComponent,
        Self::WriteRepository,
        Self::ReadRepository,
        Self::WriteTemplateSync,
        Self::ReadTemplateSync,
        Self::WriteServiceSync,
        Self::ReadServiceSync,
        Self::WriteSettings,
        Self::ReadSettings,
        Self::DeleteDeployment,
        Self::NotifyDeployment,
        Self::ReadSummary,
    ];

    /// In words, as the end of "... may not".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::RequestConnection => "request a connection",
            Self::ReadConnection => "read connections",
            Self::AcceptConnection => "accept connections",
            Self::RejectConnection => "reject connections",
            Self::DeleteConnection => "delete a connection",
            Self::WriteTemplate => "change templates",
            Self::ReadTemplate => "read templates",
            Self::WriteEnvironment => "change environments",
            Self::ReadEnvironment => "read environments",
            Self::WriteService => "change services",
            Self::ReadService => "read services",
            Self::CancelDeployment => "cancel deployments",
            Self::ReadDeployment => "read deployments",
            Self::ReadGrant => "read grants",
            Self::ReadAgent => "read agents",
            Self::UpdateConnection => "change the roles of a connection",
            Self::WriteComponent => "change components",
            Self::ReadComponent => "read components",
            Self::WriteRepository => "link source repositories",
            Self::ReadRepository => "read linked source repositories",
            Self::WriteTemplateSync => "change what templates follow",
            Self::ReadTemplateSync => "read what templates follow",
            Self::WriteServiceSync => "change what services follow",
            Self::ReadServiceSync => "read what services follow",
            Self::WriteSettings => "change account settings",
            Self::ReadSettings => "read account settings",
            Self::DeleteDeployment => "delete records of deployments",
            Self::NotifyDeployment => "report the status of a deployment",
            Self::ReadSummary => "read the summary",
        }
    }
}

/// How far a right reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Not at all.
    None,
    /// What belongs to the caller's own account, by the stored row.
    OwnAccount,
    /// Everything.
    Everything,
}

/// The table.
#[must_use]
pub const fn reach(role: Role, action: Action) -> Reach {
    use Action as A;
    use Reach::{Everything, None, OwnAccount};
    use Role::{Administrator, Auditor, Developer, Owner};

    match (action, role) {
        // Only an account itself can ask to be connected, whatever else its people may do.
        (A::RequestConnection, Administrator | Owner) => OwnAccount,
        (A::RequestConnection, Developer | Auditor) => None,
        (A::ReadConnection, Administrator | Auditor) => Everything,
        (A::ReadConnection, Owner | Developer) => OwnAccount,
        (A::AcceptConnection | A::RejectConnection, Administrator) => Everything,
        (A::AcceptConnection | A::RejectConnection, Developer | Owner | Auditor) => None,
        // Proton: the management account cannot delete a connection, only the environment account can.
        (A::DeleteConnection | A::UpdateConnection, Administrator | Owner) => OwnAccount,
        (A::DeleteConnection | A::UpdateConnection, Developer | Auditor) => None,
        (
            A::WriteTemplate
            | A::WriteEnvironment
            | A::WriteRepository
            | A::WriteTemplateSync
            | A::WriteSettings,
            Administrator,
        ) => Everything,
        (
            A::WriteTemplate
            | A::WriteEnvironment
            | A::WriteRepository
            | A::WriteTemplateSync
            | A::WriteSettings,
            Developer | Owner | Auditor,
        ) => None,
        (
            A::WriteService | A::WriteComponent | A::WriteServiceSync | A::DeleteDeployment,
            Administrator | Developer,
        ) => Everything,
        (
            A::WriteService | A::WriteComponent | A::WriteServiceSync | A::DeleteDeployment,
            Owner | Auditor,
        ) => None,
        // Proton let an environment account report on what is provisioned in it.
        (A::NotifyDeployment, Administrator | Developer) => Everything,
        (A::NotifyDeployment, Owner) => OwnAccount,
        (A::NotifyDeployment, Auditor) => None,
        (A::CancelDeployment, Administrator | Developer) => Everything,
        (A::CancelDeployment, Owner) => OwnAccount,
        (A::CancelDeployment, Auditor) => None,
        (
            A::ReadTemplate
            | A::ReadComponent
            | A::ReadRepository
            | A::ReadTemplateSync
            | A::ReadServiceSync
            | A::ReadSettings
            | A::ReadSummary,
            Administrator | Developer | Auditor,
        ) => Everything,
        (
            A::ReadTemplate
            | A::ReadComponent
            | A::ReadRepository
            | A::ReadTemplateSync
            | A::ReadServiceSync
            | A::ReadSettings
            | A::ReadSummary,
            Owner,
        ) => None,
        (A::ReadEnvironment | A::ReadDeployment, Administrator | Developer | Auditor) => Everything,
        (A::ReadEnvironment | A::ReadDeployment, Owner) => OwnAccount,
        (A::ReadService, Administrator | Developer | Auditor) => Everything,
        (A::ReadService, Owner) => None,
        (A::ReadGrant | A::ReadAgent, Administrator | Auditor) => Everything,
        (A::ReadGrant | A::ReadAgent, Owner) => OwnAccount,
        (A::ReadGrant, Developer) => Everything,
        (A::ReadAgent, Developer) => None,
    }
}

/// The caller may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Who asked.
    pub principal: Principal,
    /// In which part.
    pub role: Role,
    /// For what.
    pub action: Action,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}) may not {}",
            self.principal,
            self.role.word(),
            self.action.words()
        )
    }
}

impl std::error::Error for Denied {}

impl Caller {
    /// How far the caller's right to an action reaches.
    ///
    /// # Errors
    /// When the caller has no such right at all.
    pub fn may(&self, action: Action) -> Result<Reach, Denied> {
        match reach(self.role, action) {
            Reach::None => Err(self.denied(action)),
            reach => Ok(reach),
        }
    }

    /// Whether the caller may do it to something that belongs to `account`, as the stored row says.
    ///
    /// # Errors
    /// When they may not.
    pub fn may_for(&self, action: Action, account: AccountId) -> Result<(), Denied> {
        match reach(self.role, action) {
            Reach::Everything => Ok(()),
            Reach::OwnAccount if self.account == Some(account) => Ok(()),
            Reach::OwnAccount | Reach::None => Err(self.denied(action)),
        }
    }

    fn denied(&self, action: Action) -> Denied {
        Denied {
            principal: self.principal.clone(),
            role: self.role,
            action,
        }
    }
}
