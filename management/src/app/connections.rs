//! Requesting, accepting, rejecting and withdrawing environment account connections.

use hadron_domain::authority::{Action, Caller, Place, Sight};
use hadron_domain::connection::{
    Approval, Connection, ConnectionEffect, ConnectionInput, ConnectionRefusal, Roles,
};
use hadron_domain::step::Machine;
use hadron_proto::vocab::{AccountId, ConnectionId, EnvironmentName, Region, RoleArn, Timestamp};

use super::{App, AppError, ErrorKind, Notice, Quota, Request, Unit};
use crate::store::connections::{self, ConnectionKind, ConnectionRow, Filter};
use crate::store::{agents, targets};

/// A connection with what is observed about its agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionView {
    /// The connection.
    pub connection: Connection,
    /// An agent that can serve it is connected now.
    pub agent_online: bool,
    /// When an agent of its account was last heard.
    pub agent_last_seen: Option<Timestamp>,
    /// SHA-256 of the public key of that agent.
    pub agent_key: Option<String>,
}

/// What a new connection shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConnection {
    /// The environment that it is for.
    pub environment: EnvironmentName,
    /// The management account that the requester means.
    pub management: Option<AccountId>,
    /// The Region; the hub's when none is given.
    pub region: Option<Region>,
    /// What CloudFormation provisions with.
    pub role: Option<RoleArn>,
    /// What CloudFormation provisions components with.
    pub component_role: Option<RoleArn>,
    /// What CodeBuild jobs run as.
    pub codebuild_role: Option<RoleArn>,
    /// The IAM role name that the agent runs as; the hub's default when none is given.
    pub agent_role_name: Option<String>,
}

/// Roles of a connection that shall change; those that are not named stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolesUpdate {
    /// What CloudFormation provisions with.
    pub role: Option<RoleArn>,
    /// What CloudFormation provisions components with.
    pub component_role: Option<RoleArn>,
    /// What CodeBuild jobs run as.
    pub codebuild_role: Option<RoleArn>,
}

/// From which side somebody looks at connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Those that others asked the caller's account for.
    Management,
    /// Those that the caller's account asked for.
    Environment,
}

/// How creations of connections are remembered: a request from the same account for the same environment and Region.
const CREATION: &str = "connection";

fn creation(account: AccountId, environment: &EnvironmentName, region: &Region) -> String {
    format!("{account}/{region}/{environment}")
}

/// Roles that an environment account names are its own.
fn own_roles<'a>(
    roles: impl IntoIterator<Item = &'a Option<RoleArn>>,
    account: AccountId,
) -> Result<(), AppError> {
    for role in roles.into_iter().flatten() {
        if role.account() != account {
            return Err(AppError::invalid(
                "ROLE_OF_OTHER_ACCOUNT",
                format!(
                    "role {role} belongs to account {}, but the request comes from {account}",
                    role.account()
                ),
            )
            .help("name roles of the environment account"));
        }
    }
    Ok(())
}

impl From<ConnectionRefusal> for AppError {
    fn from(refusal: ConnectionRefusal) -> Self {
        let help = match &refusal {
            ConnectionRefusal::AlreadyRejected => {
                "request a new one from the environment account: hadron connection request".to_owned()
            }
            ConnectionRefusal::InUse(environment) => {
                format!("delete the environment first: hadron environment delete {environment}")
            }
            ConnectionRefusal::Gone => "see the live ones: hadron connection list".to_owned(),
        };
        Self::new(ErrorKind::Conflict, "CONNECTION_STATE", refusal.to_string()).help(help)
    }
}

impl App {
    /// Requests a connection from the environment account. The account is the one that the caller proved.
    ///
    /// # Errors
    /// When the caller has no proven account, names roles of another account or another management account, or the account
    /// already has a live connection for the environment.
    pub async fn request_connection(
        &self,
        request: Request,
        new: NewConnection,
    ) -> Result<ConnectionView, AppError> {
        self.may(&request.caller, Action::RequestConnection).await?;
        let Some(account) = request.caller.account else {
            let denied = request.caller.denied(Action::RequestConnection, None);
            let mut error = self.denied(&request.caller, denied).await;
            error.reason = "ACCOUNT_NOT_PROVEN";
            error.message =
                "a connection is requested by the environment account itself, and this token proves no AWS \
                             account"
                    .to_owned();
            return Err(error.help(
                "use AWS credentials of the environment account: unset HADRON_TOKEN and set AWS_PROFILE",
            ));
        };
        let settings = self.settings().clone();
        if let Some(management) = new.management
            && management != settings.account
        {
            return Err(AppError::invalid(
                "OTHER_HUB",
                format!(
                    "this hub belongs to management account {}, not {management}",
                    settings.account
                ),
            )
            .help("check --hub, or the management account id"));
        }
        own_roles([&new.role, &new.component_role, &new.codebuild_role], account)?;
        let region = new.region.clone().unwrap_or_else(|| settings.region.clone());
        let key = creation(account, &new.environment, &region);
        if let Some(id) = self.seen(&request).await? {
            return self.get_connection(&request.caller, id.parse()?).await;
        }
        if self.repeated(&request, CREATION, &key).await? {
            let (environment, region) = (new.environment.clone(), region.clone());
            let live = self
                .read("live connection", move |tx| {
                    Box::pin(async move { Ok(connections::live(tx, account, &environment, &region).await?) })
                })
                .await?;
            if let Some(row) = live {
                return self.view(row.connection).await;
            }
        }
        let id = self
            .write("request connection", move |unit| {
                Box::pin(async move {
                    let used = connections::count_of(unit.tx, account).await?;
                    unit.settings().quotas.room(Quota::ConnectionsPerAccount, used)?;
                    let id: ConnectionId = unit.fresh_id();
                    let environment = new.environment.clone();
                    let connection = Connection {
                        id,
                        environment: new.environment,
                        account,
                        region,
                        roles: Roles {
                            provisioning: new.role,
                            component: new.component_role,
                            codebuild: new.codebuild_role,
                            agent_role_name: new.agent_role_name.unwrap_or_else(|| settings.agent_role_name.clone()),
                        },
                        requested: unit.signed(&request.caller),
                        roles_changed: None,
                        approval: Approval::Pending,
                        epoch: 1,
                    };
                    let row = ConnectionRow { connection, kind: ConnectionKind::Environment, pinned_role_id: None };
                    connections::insert(unit.tx, &row).await.map_err(|error| match error.unique() {
                        Some(_) => AppError::new(
                            ErrorKind::AlreadyExists,
                            "CONNECTION_EXISTS",
                            format!("account {account} already has a live connection for environment '{environment}'"),
                        )
                        .help("see it: hadron connection list; withdraw it: hadron connection delete ID"),
                        None => error.into(),
                    })?;
                    unit.created(&request, CREATION, &key).await?;
                    unit.answered(&request, &id.to_string()).await?;
                    tracing::info!(account = %account, connection.id = %id, "connection requested");
                    hadron_proto::fault::point("C01");
                    Ok((id, request.caller))
                })
            })
            .await?;
        hadron_proto::fault::point("C02");
        self.get_connection(&id.1, id.0).await
    }

    /// One connection.
    ///
    /// # Errors
    /// When it does not exist or is not the caller's to see; both look the same to those who may see only their own.
    pub async fn get_connection(
        &self,
        caller: &Caller,
        id: ConnectionId,
    ) -> Result<ConnectionView, AppError> {
        let sight = self.may(caller, Action::ReadConnection).await?;
        let row = self
            .read("connection", move |tx| {
                Box::pin(async move { Ok(connections::get(tx, id).await?) })
            })
            .await?
            .filter(|row| row.kind == ConnectionKind::Environment)
            .ok_or_else(|| AppError::not_found("connection", id))?;
        if !sight.covers(&Place::account(row.connection.account)) {
            return Err(AppError::not_found("connection", id));
        }
        self.view(row.connection).await
    }

    /// One connection that was not deleted.
    ///
    /// # Errors
    /// As for [`App::get_connection`], and when it was deleted.
    pub async fn live_connection(
        &self,
        caller: &Caller,
        id: ConnectionId,
    ) -> Result<ConnectionView, AppError> {
        let view = self.get_connection(caller, id).await?;
        if matches!(view.connection.approval, Approval::Deleted(_)) {
            return Err(AppError::not_found("connection", id));
        }
        Ok(view)
    }

    async fn view(&self, connection: Connection) -> Result<ConnectionView, AppError> {
        let (account, region) = (connection.account, connection.region.clone());
        let agent = self
            .read("connection's agent", move |tx| {
                Box::pin(async move { Ok(agents::latest(tx, account, &region).await?) })
            })
            .await?;
        Ok(ConnectionView {
            connection,
            agent_online: agent.as_ref().is_some_and(|agent| agent.session.is_some()),
            agent_last_seen: agent.as_ref().map(|agent| agent.last_seen),
            agent_key: agent.map(|agent| agent.key_fingerprint),
        })
    }

    /// Connections by id, after `after`.
    ///
    /// # Errors
    /// When the caller may not read connections.
    pub async fn list_connections(
        &self,
        caller: &Caller,
        filter: Filter,
        after: String,
        limit: u32,
    ) -> Result<Vec<ConnectionView>, AppError> {
        let sight = self.may(caller, Action::ReadConnection).await?;
        let rows = self
            .read("connections", move |tx| {
                Box::pin(async move { Ok(connections::list(tx, &filter, &sight, &after, limit).await?) })
            })
            .await?;
        let mut views = Vec::with_capacity(rows.len());
        for row in rows {
            views.push(self.view(row.connection).await?);
        }
        Ok(views)
    }

    /// Connections of one side, by id, after `after`: those that the management account was asked for, or those that the
    /// caller's own account asked for.
    ///
    /// # Errors
    /// When the caller may not read connections.
    pub async fn list_connections_of(
        &self,
        caller: &Caller,
        side: Side,
        mut filter: Filter,
        after: String,
        limit: u32,
    ) -> Result<Vec<ConnectionView>, AppError> {
        let everything = self.may(caller, Action::ReadConnection).await? == Sight::Everything;
        let own = caller.account;
        match side {
            // Who sees everything stands for the management account, whichever account they come from.
            Side::Management if everything || own == Some(self.settings().account) => {}
            Side::Management => return Ok(Vec::new()),
            Side::Environment => match own {
                Some(own) => filter.account = Some(own),
                None => return Ok(Vec::new()),
            },
        }
        self.list_connections(caller, filter, after, limit).await
    }

    /// Accepts a connection; `confirmed` is the account id that the administrator typed, where they were asked. Accepting one
    /// that is connected already, with the account confirmed, is the way to trust an agent's role that was deleted and made
    /// anew: the next enrolment pins its new id.
    ///
    /// # Errors
    /// When the account id is not the connection's, the connection was rejected or deleted, or another one already serves
    /// the environment.
    pub async fn accept_connection(
        &self,
        request: Request,
        id: ConnectionId,
        confirmed: Option<AccountId>,
    ) -> Result<ConnectionView, AppError> {
        self.may(&request.caller, Action::AcceptConnection).await?;
        if self.seen(&request).await?.is_none() {
            let request = request.clone();
            self.write_once(request.key(), "accept connection", move |unit| {
                Box::pin(async move {
                    let mut row = load(unit, id).await?;
                    if let Some(confirmed) = confirmed
                        && row.connection.account != confirmed
                    {
                        return Err(AppError::invalid(
                            "OTHER_ACCOUNT",
                            format!(
                                "the request comes from account {}, not from {confirmed}",
                                row.connection.account
                            ),
                        )
                        .help("accept it only if you know that account; confirm with its id"));
                    }
                    // A repetition by a program, which confirms nothing, changes nothing.
                    if confirmed.is_some()
                        && matches!(row.connection.approval, Approval::Connected(_))
                        && row.pinned_role_id.take().is_some()
                    {
                        // Whoever holds a certificate under the old role's name may no longer act.
                        row.connection.epoch += 1;
                        connections::put(unit.tx, &row).await?;
                        let why =
                            "the connection was accepted again for a role that was made anew".to_owned();
                        unit.notify(Notice::Close { connection: id, why });
                        unit.take_back_jobs(id).await?;
                    }
                    let environment = row.connection.environment.clone();
                    let input = ConnectionInput::Accept(unit.signed(&request.caller));
                    decide(unit, &mut row, input, "accepted")
                        .await
                        .map_err(|error| match error.reason {
                            "CONFLICT" => AppError::new(
                                ErrorKind::Conflict,
                                "ENVIRONMENT_TAKEN",
                                format!("another connection already serves environment '{environment}'"),
                            )
                            .help("see it: hadron connection list; environment names are unique in a hub"),
                            _ => error,
                        })?;
                    Ok(unit.answered(&request, &id.to_string()).await?)
                })
            })
            .await?;
            hadron_proto::fault::point("C03");
        }
        self.get_connection(&request.caller, id).await
    }

    /// Rejects a connection, for good.
    ///
    /// # Errors
    /// When an environment is deployed through it.
    pub async fn reject_connection(
        &self,
        request: Request,
        id: ConnectionId,
    ) -> Result<ConnectionView, AppError> {
        self.may(&request.caller, Action::RejectConnection).await?;
        if self.seen(&request).await?.is_none() {
            let request = request.clone();
            self.write_once(request.key(), "reject connection", move |unit| {
                Box::pin(async move {
                    let mut row = load(unit, id).await?;
                    let in_use = targets::using_connection(unit.tx, id).await?.is_some();
                    let input = ConnectionInput::Reject {
                        by: unit.signed(&request.caller),
                        in_use,
                    };
                    decide(unit, &mut row, input, "rejected").await?;
                    Ok(unit.answered(&request, &id.to_string()).await?)
                })
            })
            .await?;
        }
        self.get_connection(&request.caller, id).await
    }

    /// Whether the caller may do this to a connection of their own account. Those who may see it are told the rule; to
    /// others it does not exist.
    async fn may_own(
        &self,
        caller: &Caller,
        action: Action,
        id: ConnectionId,
        rule: &'static str,
    ) -> Result<AccountId, AppError> {
        self.may(caller, action).await?;
        let account = self
            .read("connection", move |tx| {
                Box::pin(async move { Ok(connections::get(tx, id).await?) })
            })
            .await?
            .filter(|row| row.kind == ConnectionKind::Environment)
            .ok_or_else(|| AppError::not_found("connection", id))?
            .connection
            .account;
        let place = Place::account(account);
        let Err(denied) = caller.may_at(action, &place) else {
            return Ok(account);
        };
        if caller.may_at(Action::ReadConnection, &place).is_ok() {
            Err(self.denied(caller, denied).await.help(rule))
        } else {
            Err(AppError::not_found("connection", id))
        }
    }

    /// Names other roles for a connection, from the environment account; those that are not named stay, and so does its
    /// status. Agents prove themselves anew, and work that an agent holds is taken back and offered with the new roles.
    ///
    /// # Errors
    /// When the connection is not the caller's account's, was rejected or deleted, or a role is of another account.
    pub async fn update_connection(
        &self,
        request: Request,
        id: ConnectionId,
        update: RolesUpdate,
    ) -> Result<ConnectionView, AppError> {
        let rule = "the roles of a connection are changed from the environment account";
        let account = self
            .may_own(&request.caller, Action::UpdateConnection, id, rule)
            .await?;
        own_roles(
            [&update.role, &update.component_role, &update.codebuild_role],
            account,
        )?;
        if self.seen(&request).await?.is_none() {
            let request = request.clone();
            self.write_once(request.key(), "update connection", move |unit| {
                Box::pin(async move {
                    let mut row = load(unit, id).await?;
                    let mut roles = row.connection.roles.clone();
                    roles.provisioning = update.role.or(roles.provisioning);
                    roles.component = update.component_role.or(roles.component);
                    roles.codebuild = update.codebuild_role.or(roles.codebuild);
                    let input = ConnectionInput::ChangeRoles(unit.signed(&request.caller), roles);
                    decide(unit, &mut row, input, "given other roles").await?;
                    Ok(unit.answered(&request, &id.to_string()).await?)
                })
            })
            .await?;
        }
        self.get_connection(&request.caller, id).await
    }

    /// Withdraws a connection from the environment account, also while an environment uses it.
    ///
    /// # Errors
    /// When the connection is not the caller's account's.
    pub async fn delete_connection(
        &self,
        request: Request,
        id: ConnectionId,
    ) -> Result<ConnectionView, AppError> {
        self.may_own(
            &request.caller,
            Action::DeleteConnection,
            id,
            "a connection is deleted from the environment account; the management account can reject it instead: \
             hadron connection reject ID",
        )
        .await?;
        if self.seen(&request).await?.is_none() {
            let request = request.clone();
            self.write_once(request.key(), "delete connection", move |unit| {
                Box::pin(async move {
                    let mut row = load(unit, id).await?;
                    let input = ConnectionInput::Delete(unit.signed(&request.caller));
                    decide(unit, &mut row, input, "deleted by the environment account").await?;
                    Ok(unit.answered(&request, &id.to_string()).await?)
                })
            })
            .await?;
        }
        self.get_connection(&request.caller, id).await
    }
}

async fn load(unit: &mut Unit<'_>, id: ConnectionId) -> Result<ConnectionRow, AppError> {
    connections::get(unit.tx, id)
        .await?
        .filter(|row| row.kind == ConnectionKind::Environment)
        .ok_or_else(|| AppError::not_found("connection", id))
}

async fn decide(
    unit: &mut Unit<'_>,
    row: &mut ConnectionRow,
    input: ConnectionInput,
    word: &'static str,
) -> Result<(), AppError> {
    let step = row.connection.step(input)?;
    let id = row.connection.id;
    row.connection = step.next;
    connections::put(unit.tx, row).await?;
    for effect in step.effects {
        match effect {
            // Agents ask again on their own while they wait.
            ConnectionEffect::AllowSessions => {}
            ConnectionEffect::CloseSessions => {
                unit.notify(Notice::Close {
                    connection: id,
                    why: format!("the connection was {word}"),
                });
            }
            ConnectionEffect::HoldJobs => {
                unit.take_back_jobs(id).await?;
                if !matches!(row.connection.approval, Approval::Connected(_)) {
                    let why = format!(
                        "the environment account connection was {word}, so that no agent can end this"
                    );
                    unit.give_up_deployments(id, &why).await?;
                }
            }
        }
    }
    if matches!(
        row.connection.approval,
        Approval::Rejected(_) | Approval::Deleted(_)
    ) {
        let Connection {
            account,
            environment,
            region,
            ..
        } = &row.connection;
        unit.uncreated(CREATION, &creation(*account, environment, region))
            .await?;
    }
    unit.tx.after_commit(crate::store::Topic::Changes);
    tracing::info!(account = %row.connection.account, connection.id = %id, "connection {word}");
    Ok(())
}
