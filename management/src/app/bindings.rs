//! Who plays which part where: granting, revoking, and explaining what somebody may do.
//!
//! Bindings stand in the database and count from the next request on, at every hub. What the configuration says counts
//! besides, so that nobody can lock out the administrators of the hub's machine.

use std::fmt;

use hadron_domain::authority::{Action, Caller, Demand, Place, Reach, Right, Role, demand, reach};
use hadron_domain::principal::Principal;
use hadron_domain::target::Target;
use hadron_proto::vocab::{AccountId, EnvironmentName, ServiceName};

use super::access::{self, PrincipalPattern, Whom};
use super::{App, AppError, ErrorKind, Request};
use crate::identity::oidc::{Alias, PRINCIPAL};
use crate::store::bindings::{self, BindingRow};
use crate::store::{access_keys, requests, targets};

/// Bindings that a hub may have: every request reads those that may mean its caller.
const MOST: u64 = 1_000;

/// What is asked about somebody's rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who; `None`: the caller.
    pub principal: Option<String>,
    /// What they want to do.
    pub action: Action,
    /// To something of this account.
    pub account: Option<AccountId>,
    /// To this environment, or something in it.
    pub environment: Option<EnvironmentName>,
    /// To this service, or a part of it.
    pub service: Option<ServiceName>,
}

/// Whether somebody may, and what every one of their rights has to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Who.
    pub principal: String,
    /// Whether they may.
    pub allowed: bool,
    /// What has to be covered for the action.
    pub demand: &'static str,
    /// Their rights, with where each comes from and what it does for the action.
    pub rights: Vec<(Right, Origin, &'static str)>,
}

/// Where a right comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The hub's configuration, the account that somebody comes from, or the role that a token was minted with.
    Given,
    /// A binding to this pattern.
    Binding(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => f.write_str("given: configuration, own account or minted"),
            Self::Binding(pattern) => write!(f, "granted to {pattern}"),
        }
    }
}

impl App {
    /// The part that an IAM identity plays everywhere; `None` where only bindings give it one.
    ///
    /// # Errors
    /// When it plays no part at all.
    pub async fn base_role(&self, account: AccountId, arn: &str) -> Result<Option<Role>, AppError> {
        if let Some(role) = self.settings().access.role(account, arn) {
            return Ok(Some(role));
        }
        if self.bindings_of(arn, &[]).await?.is_empty() {
            let message = format!("{arn} has no role at this hub");
            return Err(AppError::new(ErrorKind::Denied, "NO_ROLE", message).help(format!(
                "an administrator grants one: hadron access grant {arn} --role developer --scope service:NAME; or adds the \
                 ARN to [access] in the hub's configuration"
            )));
        }
        Ok(None)
    }

    /// The part that somebody whom an issuer knows plays everywhere; `None` where only bindings give them one.
    ///
    /// # Errors
    /// When they play no part at all.
    pub async fn role_of_known(&self, principal: &str, groups: &[String]) -> Result<Option<Role>, AppError> {
        if let Some(role) = self.settings().access.role_of_known(principal, groups) {
            return Ok(Some(role));
        }
        if self.bindings_of(principal, groups).await?.is_empty() {
            let of = if groups.is_empty() {
                String::new()
            } else {
                format!(", nor has any of their groups ({})", groups.join(", "))
            };
            let message = format!("{principal} has no role at this hub{of}");
            return Err(AppError::new(ErrorKind::Denied, "NO_ROLE", message).help(format!(
                "an administrator grants one: hadron access grant '{principal}' --role developer --scope service:NAME; or \
                 adds a pattern of it to [access] in the hub's configuration"
            )));
        }
        Ok(None)
    }

    async fn bindings_of(&self, principal: &str, groups: &[String]) -> Result<Vec<BindingRow>, AppError> {
        let name = principal.to_owned();
        let mut found = self
            .read("bindings", move |tx| {
                Box::pin(async move { Ok(bindings::of(tx, &name).await?) })
            })
            .await?;
        found.retain(|binding| access::means(binding, principal, groups));
        Ok(found)
    }

    /// Lets somebody play a part in a scope. Gives the binding, and whether it is new.
    ///
    /// # Errors
    /// When there are as many as there may be.
    pub async fn grant_access(
        &self,
        request: Request,
        principal: PrincipalPattern,
        right: Right,
    ) -> Result<(BindingRow, bool), AppError> {
        self.may_at(&request.caller, Action::WriteAccess, &Place::default())
            .await?;
        let partition = self.settings().access.partition;
        if let PrincipalPattern::Arn(pattern) = &principal
            && pattern.partition() != partition.as_str()
        {
            return Err(AppError::invalid(
                "OTHER_PARTITION",
                format!(
                    "{pattern} is of another partition than this hub ({})",
                    partition.as_str()
                ),
            )
            .help("identities of other partitions cannot log in here"));
        }
        if let PrincipalPattern::Known(known) = &principal
            && !self.settings().access.issuers.contains(known.issuer())
        {
            let issuers: Vec<&str> = self.settings().access.issuers.iter().map(Alias::as_str).collect();
            let issuers = if issuers.is_empty() {
                "none".to_owned()
            } else {
                issuers.join(", ")
            };
            let message = format!("this hub has no issuer '{}': it has {issuers}", known.issuer());
            return Err(AppError::invalid("NO_ISSUER", message).help(format!(
                "name it in the hub's configuration first: [oidc.{}]",
                known.issuer()
            )));
        }
        let again = self.seen(&request).await?.is_some();
        self.write_once(request.key(), "grant access", move |unit| {
            Box::pin(async move {
                let row = BindingRow {
                    principal: principal.to_string(),
                    right,
                    created_by: request.caller.principal.to_string(),
                    created_at: unit.now,
                };
                if again {
                    return Ok((row, false));
                }
                let many = bindings::count(unit.tx).await?;
                if many >= MOST {
                    return Err(AppError::new(
                        ErrorKind::Precondition,
                        "TOO_MANY_BINDINGS",
                        format!("there are {many} bindings, and every request reads those that may mean its caller"),
                    )
                    .help("bind patterns of ARNs, such as arn:aws:iam::111111111111:role/team-*, and revoke what they cover"));
                }
                let new = bindings::insert(unit.tx, &row).await?;
                let what = format!("{} to {}", row.right, row.principal);
                unit.answered(&request, &what).await?;
                Ok((row, new))
            })
        })
        .await
    }

    /// Takes a part in a scope away from somebody.
    ///
    /// # Errors
    /// When they were never granted it.
    pub async fn revoke_access(
        &self,
        request: Request,
        principal: String,
        right: Right,
    ) -> Result<(), AppError> {
        self.may_at(&request.caller, Action::WriteAccess, &Place::default())
            .await?;
        if self.seen(&request).await?.is_some() {
            return Ok(());
        }
        self.write_once(request.key(), "revoke access", move |unit| {
            Box::pin(async move {
                if !bindings::remove(unit.tx, &principal, &right).await? {
                    return Err(AppError::new(
                        ErrorKind::NotFound,
                        "NOT_FOUND",
                        format!("{principal} was not granted to be {right}"),
                    )
                    .help(
                        "see what is granted: hadron access list; what the configuration gives is changed in its [access]",
                    ));
                }
                let what = format!("{right} from {principal}");
                Ok(unit.answered(&request, &what).await?)
            })
        })
        .await
    }

    /// Bindings by principal, role and scope, after `after`.
    ///
    /// # Errors
    /// When the caller may not read them.
    pub async fn list_access(
        &self,
        caller: &Caller,
        after: (String, String, String),
        limit: u32,
    ) -> Result<Vec<BindingRow>, AppError> {
        self.may(caller, Action::ReadAccess).await?;
        self.read("bindings", move |tx| {
            Box::pin(async move { Ok(bindings::list(tx, (&after.0, &after.1, &after.2), limit).await?) })
        })
        .await
    }

    /// Whether somebody may do something, and why.
    ///
    /// # Errors
    /// When it is asked about somebody else, and the caller may not read who may what.
    pub async fn explain_access(&self, caller: &Caller, question: Question) -> Result<Explanation, AppError> {
        let who = match question.principal {
            Some(name) if name != caller.principal.as_str() => {
                self.may(caller, Action::ReadAccess).await?;
                self.somebody(&name).await?
            }
            _ => caller.clone(),
        };
        let place = Place {
            account: question.account,
            environment: question.environment,
            service: question.service,
        };
        let place = self.completed(place).await?;
        let groups = self.groups_of(who.principal.as_str()).await?;
        let bound = self.bindings_of(who.principal.as_str(), &groups).await?;
        let rights = who.rights.iter().map(|right| {
            let origin = bound.iter().find(|binding| binding.right == *right);
            let origin = origin.map_or(Origin::Given, |binding| {
                Origin::Binding(binding.principal.clone())
            });
            let alone = Caller {
                rights: vec![right.clone()],
                ..who.clone()
            };
            (right.clone(), origin, said(&alone, question.action, &place))
        });
        Ok(Explanation {
            principal: who.principal.to_string(),
            allowed: who.may_at(question.action, &place).is_ok(),
            demand: demanded(question.action),
            rights: rights.collect(),
        })
    }

    /// Somebody by what they are called, with the rights that they would have.
    async fn somebody(&self, name: &str) -> Result<Caller, AppError> {
        let arn = name.starts_with("arn:").then(|| name.split(':').nth(4)).flatten();
        let account = arn.and_then(|account| account.parse().ok());
        let groups = self.groups_of(name).await?;
        let access = &self.settings().access;
        let base = account
            .and_then(|account| access.role(account, name))
            .or_else(|| access.role_of_known(name, &groups));
        let base = match base {
            Some(role) => Some(role),
            None => self.minted_role(name).await?,
        };
        let bound = self.bindings_of(name, &groups).await?;
        let whom = Whom {
            principal: name,
            account,
            base,
            groups: &groups,
        };
        Ok(Caller {
            principal: Principal::new(name),
            account,
            rights: access::rights(whom, &bound),
        })
    }

    /// The groups of somebody, as their issuer named them when they logged in last.
    async fn groups_of(&self, principal: &str) -> Result<Vec<String>, AppError> {
        if !principal.starts_with(PRINCIPAL) {
            return Ok(Vec::new());
        }
        let name = principal.to_owned();
        let now = self.db().now().await?;
        self.read("groups", move |tx| {
            Box::pin(async move { Ok(requests::groups_of(tx, &name, now).await?) })
        })
        .await
    }

    /// The role that a token or an access key was minted with.
    async fn minted_role(&self, principal: &str) -> Result<Option<Role>, AppError> {
        let name = principal.to_owned();
        self.read("minted role", move |tx| {
            Box::pin(async move {
                let tokens = requests::minted_tokens(tx).await?.into_iter();
                let keys = access_keys::minted(tx).await?.into_iter();
                let mut all = tokens
                    .map(|token| (token.principal, token.disabled, token.role))
                    .chain(keys.map(|key| (key.principal, key.disabled, key.role)));
                let found = all.find(|(principal, disabled, _)| *principal == name && !disabled);
                Ok(found.and_then(|(_, _, role)| role))
            })
        })
        .await
    }

    /// A place with the account of its environment, where that exists.
    async fn completed(&self, place: Place) -> Result<Place, AppError> {
        let (None, Some(name)) = (place.account, &place.environment) else {
            return Ok(place);
        };
        let target = Target::Environment(name.clone());
        let row = self
            .read("environment of a place", move |tx| {
                Box::pin(async move { Ok(targets::get(tx, &target).await?) })
            })
            .await?;
        Ok(Place {
            account: row.map(|row| row.account),
            ..place
        })
    }

    /// Whether the caller may deploy a service into environments, or out of them; a refusal is audited.
    ///
    /// # Errors
    /// When they may not.
    pub(super) async fn may_deploy(
        &self,
        caller: &Caller,
        service: &ServiceName,
        environments: impl Iterator<Item = &EnvironmentName>,
    ) -> Result<(), AppError> {
        for name in environments {
            let place = Place {
                service: Some(service.clone()),
                ..Place::environment(name.clone())
            };
            if caller.may_at(Action::WriteService, &place).is_ok() {
                continue;
            }
            let place = self.completed(place).await?;
            self.may_at(caller, Action::WriteService, &place).await?;
        }
        Ok(())
    }
}

/// What one right does for an action.
fn said(alone: &Caller, action: Action, place: &Place) -> &'static str {
    let role = alone.role();
    let some = |wanted| role.is_some_and(|role| reach(role, action) == wanted);
    if alone.may_at(action, place).is_ok() {
        "allows it"
    } else if some(Reach::None) {
        "its role may not do this at all"
    } else if some(Reach::OwnAccount) {
        "reaches the caller's own account only"
    } else if demand(action) == Demand::Both {
        let ground = Place {
            service: None,
            ..place.clone()
        };
        let of_service = Place {
            service: place.service.clone(),
            ..Place::default()
        };
        let covers = |place: &Place| alone.may(action).is_ok_and(|sight| sight.covers(place));
        if covers(&of_service) {
            "covers the service; the environment needs a right as well"
        } else if covers(&ground) {
            "covers the environment; the service needs a right as well"
        } else {
            "covers neither the service nor the environment"
        }
    } else {
        "its scope does not cover this"
    }
}

/// In words, what has to be covered.
const fn demanded(action: Action) -> &'static str {
    match demand(action) {
        Demand::Hub => "a role for the whole hub",
        Demand::Nothing => "a role anywhere",
        Demand::Any => "a role that covers its account, environment or service",
        Demand::Environment => "a role that covers its environment or account",
        Demand::Service => "a role that covers its service",
        Demand::Both => "roles that cover its service and, for what is deployed, its environment",
    }
}
