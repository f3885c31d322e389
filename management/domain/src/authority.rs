//! Who may do what: one table for every interface. What is not in it is refused.
//!
//! A caller has [`Right`]s: parts that they play, each in a [`Scope`]. The [`table`](reach) says what a part may do at all,
//! [`demand`] what a scope has to cover for it, and [`Caller::may_at`] puts both together over what the stored row says of a
//! thing ([`Place`]). Deploying takes two things: the service, and the environment that it goes into.

use std::collections::BTreeSet;
use std::fmt;

use hadron_proto::vocab::{AccountId, EnvironmentName, ServiceName};
use serde::{Deserialize, Serialize};

use crate::principal::Principal;
use crate::target::Target;

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

/// Where a part is played.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everywhere at this hub.
    Hub,
    /// What is provisioned in an account, and its connections.
    Account(AccountId),
    /// An environment, and what is deployed into it.
    Environment(EnvironmentName),
    /// A service with its instances and its pipeline.
    Service(ServiceName),
}

/// The text names no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no scope: use hub, account:<12 digits>, environment:<name> or service:<name>")]
pub struct InvalidScope(String);

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub => f.write_str("hub"),
            Self::Account(account) => write!(f, "account:{account}"),
            Self::Environment(name) => write!(f, "environment:{name}"),
            Self::Service(name) => write!(f, "service:{name}"),
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scope = match text.split_once(':') {
            None if text == "hub" => Some(Self::Hub),
            Some(("account", account)) => account.parse().ok().map(Self::Account),
            Some(("environment", name)) => name.parse().ok().map(Self::Environment),
            Some(("service", name)) => name.parse().ok().map(Self::Service),
            _ => None,
        };
        scope.ok_or_else(|| InvalidScope(text.chars().take(200).collect()))
    }
}

/// A part that somebody plays, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Right {
    /// Which part.
    pub role: Role,
    /// Where.
    pub scope: Scope,
}

/// The two do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRight {
    /// An owner owns one account.
    #[error("an owner owns an account: use the scope account:<12 digits>")]
    Owner,
    /// A developer deploys services into environments.
    #[error(
        "a developer works on services and in environments: use hub, service:<name> or environment:<name>"
    )]
    Developer,
    /// An administrator of a service would be its developer.
    #[error("an administrator of one service is its developer: use the role developer")]
    Administrator,
}

impl Right {
    /// A part everywhere at the hub.
    #[must_use]
    pub const fn everywhere(role: Role) -> Self {
        Self {
            role,
            scope: Scope::Hub,
        }
    }

    /// The right to play a part there.
    ///
    /// # Errors
    /// When the part cannot be played there.
    pub fn new(role: Role, scope: Scope) -> Result<Self, InvalidRight> {
        match (role, &scope) {
            (Role::Owner, Scope::Hub | Scope::Environment(_) | Scope::Service(_)) => Err(InvalidRight::Owner),
            (Role::Developer, Scope::Account(_)) => Err(InvalidRight::Developer),
            (Role::Administrator, Scope::Service(_)) => Err(InvalidRight::Administrator),
            _ => Ok(Self { role, scope }),
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            Scope::Hub => f.write_str(self.role.word()),
            _ => write!(f, "{} of {}", self.role.word(), self.scope),
        }
    }
}

/// Where a thing is, as its stored row says. What does not exist yet is where it would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The account that it is provisioned in, or whose it is.
    pub account: Option<AccountId>,
    /// The environment that it is, or is deployed into.
    pub environment: Option<EnvironmentName>,
    /// The service that it is, or belongs to.
    pub service: Option<ServiceName>,
}

impl Place {
    /// A thing of an account.
    #[must_use]
    pub fn account(account: AccountId) -> Self {
        Self {
            account: Some(account),
            ..Self::default()
        }
    }

    /// An environment by its name.
    #[must_use]
    pub fn environment(name: EnvironmentName) -> Self {
        Self {
            environment: Some(name),
            ..Self::default()
        }
    }

    /// A service by its name.
    #[must_use]
    pub fn service(name: ServiceName) -> Self {
        Self {
            service: Some(name),
            ..Self::default()
        }
    }

    /// Something that is deployed, with the environment that its row names.
    #[must_use]
    pub fn target(target: &Target, environment: Option<&EnvironmentName>, account: AccountId) -> Self {
        let (own, service) = match target {
            Target::Environment(name) => (Some(name), None),
            Target::Instance(service, _) => (environment, Some(service)),
            // A pipeline is deployed beside all environments.
            Target::Pipeline(service) => (None, Some(service)),
            Target::Component(_) => (environment, None),
        };
        Self {
            account: Some(account),
            environment: own.cloned(),
            service: service.cloned(),
        }
    }
}

/// Somebody who asks for something, with what is known about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// The AWS account that STS proved; `None` for keys that the hub minted.
    pub account: Option<AccountId>,
    /// The parts they play, in order, none twice.
    pub rights: Vec<Right>,
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
    WriteAccess,
    ReadAccess,
    ReadPlaintext,
    ReadAudit,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 33] = [
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
        Self::WriteAccess,
        Self::ReadAccess,
        Self::ReadPlaintext,
        Self::ReadAudit,
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
            Self::WriteAccess => "grant and revoke access",
            Self::ReadAccess => "read who was granted access",
            Self::ReadPlaintext => "read values of specs, outputs and messages",
            Self::ReadAudit => "read the audit log",
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
        (A::WriteAccess, Administrator) => Everything,
        (A::WriteAccess, Developer | Owner | Auditor) => None,
        (A::ReadAccess | A::ReadAudit, Administrator | Auditor) => Everything,
        (A::ReadAccess | A::ReadAudit, Developer | Owner) => None,
        // An auditor sees what there is, and not with what secrets.
        (A::ReadPlaintext, Administrator | Developer) => Everything,
        (A::ReadPlaintext, Owner) => OwnAccount,
        (A::ReadPlaintext, Auditor) => None,
        (A::ReadGrant | A::ReadAgent, Administrator | Auditor) => Everything,
        (A::ReadGrant | A::ReadAgent, Owner) => OwnAccount,
        (A::ReadGrant, Developer) => Everything,
        (A::ReadAgent, Developer) => None,
    }
}

/// What a scope has to cover, so that a right that [reaches](reach) everything counts within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// The whole hub.
    Hub,
    /// Nothing: whoever plays the part anywhere may.
    Nothing,
    /// The account, the environment or the service of the thing.
    Any,
    /// The environment or the account.
    Environment,
    /// The service.
    Service,
    /// The service, and the environment where there is one, by one right or by two.
    Both,
}

/// What has to be covered for an action.
#[must_use]
pub const fn demand(action: Action) -> Demand {
    use Action as A;
    match action {
        A::RequestConnection
        | A::AcceptConnection
        | A::RejectConnection
        | A::WriteTemplate
        | A::WriteRepository
        | A::WriteTemplateSync
        | A::WriteSettings
        | A::ReadSummary
        | A::WriteAccess
        | A::ReadAccess
        | A::ReadAudit => Demand::Hub,
        // Whoever deploys anything has to see from what.
        A::ReadTemplate | A::ReadRepository | A::ReadTemplateSync | A::ReadSettings => Demand::Nothing,
        A::ReadConnection
        | A::DeleteConnection
        | A::UpdateConnection
        | A::ReadEnvironment
        | A::ReadService
        | A::ReadComponent
        | A::ReadServiceSync
        | A::ReadDeployment
        | A::ReadGrant
        | A::ReadAgent
        | A::CancelDeployment
        | A::DeleteDeployment
        | A::NotifyDeployment
        | A::ReadPlaintext => Demand::Any,
        A::WriteEnvironment | A::WriteComponent => Demand::Environment,
        A::WriteServiceSync => Demand::Service,
        A::WriteService => Demand::Both,
    }
}

/// The things that a caller may see or change by a right that does not reach everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All of them.
    Everything,
    /// Those in one of these scopes, none of which is the hub. None at all where there is no scope.
    Within(BTreeSet<Scope>),
}

impl Sight {
    /// Whether a thing is among them.
    #[must_use]
    pub fn covers(&self, place: &Place) -> bool {
        match self {
            Self::Everything => true,
            Self::Within(scopes) => scopes.iter().any(|scope| covers(scope, place, Demand::Any)),
        }
    }
}

/// Whether a thing lies in a scope, in the respect that is demanded.
fn covers(scope: &Scope, place: &Place, demand: Demand) -> bool {
    let any = matches!(demand, Demand::Any);
    match scope {
        Scope::Hub => true,
        _ if matches!(demand, Demand::Nothing) => true,
        Scope::Account(account) => {
            (any || matches!(demand, Demand::Environment)) && place.account == Some(*account)
        }
        Scope::Environment(name) => {
            (any || matches!(demand, Demand::Environment)) && place.environment.as_ref() == Some(name)
        }
        Scope::Service(name) => {
            (any || matches!(demand, Demand::Service)) && place.service.as_ref() == Some(name)
        }
    }
}

/// The caller may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Who asked.
    pub principal: Principal,
    /// The parts they play.
    pub rights: Vec<Right>,
    /// For what.
    pub action: Action,
    /// To what, where a right of the caller reaches some things and not this one.
    pub place: Option<Place>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.service, &self.environment, self.account) {
            (Some(service), Some(environment), _) => {
                write!(f, "service '{service}' in environment '{environment}'")
            }
            (Some(service), None, _) => write!(f, "service '{service}'"),
            (None, Some(environment), _) => write!(f, "environment '{environment}'"),
            (None, None, Some(account)) => write!(f, "account {account}"),
            (None, None, None) => f.write_str("the hub"),
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.principal)?;
        for (at, right) in self.rights.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{right}")?;
        }
        let nothing = if self.rights.is_empty() { "no role" } else { "" };
        write!(f, "{nothing}) may not {}", self.action.words())?;
        match &self.place {
            Some(place) => write!(f, " for {place}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Denied {}

impl Caller {
    /// Somebody who plays one part everywhere.
    #[must_use]
    pub fn new(principal: Principal, account: Option<AccountId>, role: Role) -> Self {
        Self {
            principal,
            account,
            rights: vec![Right::everywhere(role)],
        }
    }

    /// The most powerful part that the caller plays anywhere; `None` for somebody without any.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.rights.iter().map(|right| right.role).min()
    }

    /// What the caller may do this to.
    ///
    /// # Errors
    /// When there is nothing that they could.
    pub fn may(&self, action: Action) -> Result<Sight, Denied> {
        let (mut scopes, mut some) = (BTreeSet::new(), false);
        for right in &self.rights {
            match (reach(right.role, action), &right.scope) {
                (Reach::None, _) => {}
                (Reach::Everything, Scope::Hub) => return Ok(Sight::Everything),
                (Reach::Everything, _) if demand(action) == Demand::Nothing => return Ok(Sight::Everything),
                (Reach::Everything, _) if demand(action) == Demand::Hub => {}
                (Reach::Everything, scope) => {
                    some = true;
                    scopes.insert(scope.clone());
                }
                // An account asks for itself: for that, being its owner by a binding is not enough.
                (Reach::OwnAccount, Scope::Account(account))
                    if right.role == Role::Owner && demand(action) != Demand::Hub =>
                {
                    some = true;
                    scopes.insert(Scope::Account(*account));
                }
                (Reach::OwnAccount, Scope::Account(account)) if self.account == Some(*account) => {
                    some = true;
                    scopes.insert(Scope::Account(*account));
                }
                (Reach::OwnAccount, Scope::Hub) => {
                    some = true;
                    scopes.extend(self.account.map(Scope::Account));
                }
                (Reach::OwnAccount, _) => {}
            }
        }
        if some {
            Ok(Sight::Within(scopes))
        } else {
            Err(self.denied(action, None))
        }
    }

    /// Whether the caller may do it to something there, as the stored row says.
    ///
    /// # Errors
    /// When they may not.
    pub fn may_at(&self, action: Action, place: &Place) -> Result<(), Denied> {
        let sight = self.may(action)?;
        let Sight::Within(scopes) = sight else {
            return Ok(());
        };
        let all = |demand| scopes.iter().any(|scope| covers(scope, place, demand));
        let allowed = match demand(action) {
            Demand::Both => all(Demand::Service) && (place.environment.is_none() || all(Demand::Environment)),
            // What only the whole hub covers is left here to accounts about themselves.
            Demand::Hub | Demand::Nothing | Demand::Any => all(Demand::Any),
            demand => all(demand),
        };
        if allowed {
            Ok(())
        } else {
            Err(self.denied(action, Some(place.clone())))
        }
    }

    /// Whether the caller may read what people typed and stacks answered there: values of specs, inputs and outputs, rendered
    /// templates, messages. Whoever may not is shown what there is with its values masked.
    #[must_use]
    pub fn may_read_plaintext(&self, place: &Place) -> bool {
        self.may_at(Action::ReadPlaintext, place).is_ok()
    }

    /// Whether there is anything whose values the caller may read: for what belongs to everybody.
    #[must_use]
    pub fn may_read_some_plaintext(&self) -> bool {
        self.may(Action::ReadPlaintext).is_ok()
    }

    /// That the caller may not.
    #[must_use]
    pub fn denied(&self, action: Action, place: Option<Place>) -> Denied {
        Denied {
            principal: self.principal.clone(),
            rights: self.rights.clone(),
            action,
            place,
        }
    }
}
