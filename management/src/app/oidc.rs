//! Logins at issuers of OpenID Connect: keeping those that are under way, and letting in who has finished one.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hadron_domain::authority::Role;
use hadron_proto::vocab::{Digest, Timestamp};

use super::enrolment::{Records, failed};
use super::refusals::{Refusals, Refused};
use super::{App, AppError, Unit};
use crate::identity::enrolment::StoreFailed;
use crate::identity::login::{LoginError, Token, TokenIssuer};
use crate::identity::oidc::{Flow, Flows, Identity, Issuers, MOST_FLOWS, OidcError};
use crate::store::oidc::{self, LoginRow};

/// Who logs in at an issuer, whatever they log in with: the command line or the console. Clones share it.
#[derive(Clone, Debug)]
pub struct Logins(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    app: App,
    issuers: Issuers<Records>,
    tokens: TokenIssuer<Records>,
    refusals: Refusals,
}

/// Somebody who was let in.
#[derive(Debug)]
pub struct Admitted {
    /// What they show from now on.
    pub token: Token,
    /// Who they are.
    pub principal: String,
    /// The role that the hub's configuration gives them; bindings may give them others.
    pub role: Option<Role>,
    /// How long the token lasts.
    pub session: Duration,
}

/// Why somebody was not let in.
#[derive(Debug)]
pub enum NotAdmitted {
    /// No issuer vouches for them.
    Unknown(OidcError),
    /// They have no part at this hub.
    Nobody(AppError),
    /// There is no token for them.
    NoToken(LoginError),
}

impl Logins {
    /// At these issuers.
    #[must_use]
    pub fn new(app: App, issuers: Issuers<Records>) -> Self {
        let tokens = TokenIssuer::new(Records::new(app.clone()), app.clock().clone());
        Self(Arc::new(Inner {
            refusals: Refusals::new(app.clone()),
            app,
            issuers,
            tokens,
        }))
    }

    /// The issuers.
    #[must_use]
    pub fn issuers(&self) -> &Issuers<Records> {
        &self.0.issuers
    }

    /// A token for somebody whom an issuer knows, if they have any part here; whoever has not is written down.
    ///
    /// # Errors
    /// Why they are not let in.
    pub async fn admit(
        &self,
        operation: &'static str,
        issuer: &str,
        source: IpAddr,
        found: Result<Identity, OidcError>,
    ) -> Result<Admitted, NotAdmitted> {
        let Inner {
            app,
            tokens,
            refusals,
            ..
        } = &*self.0;
        let mut line = Refused {
            principal: "unknown",
            account: None,
            operation,
            object: issuer,
            why: "",
            source,
        };
        let identity = match found {
            Ok(identity) => identity,
            Err(error) => {
                let why = error.to_string();
                if error.is_refusal() {
                    refusals.record(Refused { why: &why, ..line }).await;
                }
                note(&error);
                return Err(NotAdmitted::Unknown(error));
            }
        };
        let role = match app.role_of_known(&identity.principal, &identity.groups).await {
            Ok(role) => role,
            Err(error) => {
                line.principal = &identity.principal;
                refusals
                    .record(Refused {
                        why: &error.message,
                        object: identity.alias.as_str(),
                        ..line
                    })
                    .await;
                return Err(NotAdmitted::Nobody(error));
            }
        };
        let issued = tokens.issue_to(&identity).await;
        let (token, row) = issued.map_err(NotAdmitted::NoToken)?;
        tracing::info!(
            principal = row.principal,
            role = role.map_or("none", Role::word),
            "Somebody logged in"
        );
        Ok(Admitted {
            token,
            principal: row.principal,
            role,
            session: identity.session,
        })
    }
}

/// Writes into the log why no issuer vouches for somebody.
pub fn note(error: &OidcError) {
    match error {
        OidcError::Internal(_) => tracing::error!(error = error.story(), "A login failed"),
        OidcError::Unavailable { .. } => tracing::warn!(error = error.story(), "An issuer did not answer"),
        OidcError::Pending | OidcError::SlowDown => {}
        _ => tracing::info!(error = error.story(), "A login was refused"),
    }
}

fn to_row(flow: &Flow, now: Timestamp) -> LoginRow {
    LoginRow {
        id: flow.id,
        issuer: flow.alias.to_string(),
        redirect_uri: flow.redirect_uri.clone(),
        challenge: flow.challenge.clone(),
        nonce: flow.nonce.clone(),
        source: flow.source.to_string(),
        created_at: now,
        expires_at: flow.expires_at,
    }
}

fn from_row(row: LoginRow) -> Result<Flow, AppError> {
    let damaged = || AppError::internal("a stored login cannot be read");
    Ok(Flow {
        id: row.id,
        alias: row.issuer.parse().map_err(|_| damaged())?,
        redirect_uri: row.redirect_uri,
        challenge: row.challenge,
        nonce: row.nonce,
        source: row.source.parse().map_err(|_| damaged())?,
        expires_at: row.expires_at,
    })
}

async fn insert(unit: &mut Unit<'_>, row: &LoginRow) -> Result<bool, AppError> {
    oidc::forget(unit.tx, row.created_at).await?;
    if oidc::count(unit.tx).await? >= MOST_FLOWS {
        return Ok(false);
    }
    oidc::insert(unit.tx, row).await?;
    Ok(true)
}

impl Flows for Records {
    async fn insert(&self, flow: &Flow, now: Timestamp) -> Result<bool, StoreFailed> {
        let row = to_row(flow, now);
        let work = self.app().write("begin login", move |unit| {
            Box::pin(async move { insert(unit, &row).await })
        });
        work.await.map_err(failed)
    }

    async fn take(&self, id: Digest, now: Timestamp) -> Result<Option<Flow>, StoreFailed> {
        let work = self.app().write("take login", move |unit| {
            Box::pin(async move {
                let row = oidc::take(unit.tx, id).await?;
                row.filter(|row| now < row.expires_at).map(from_row).transpose()
            })
        });
        work.await.map_err(failed)
    }
}
