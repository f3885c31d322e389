//! `AuthService`: proof of an IAM identity in, bearer token or temporary access key out.

use std::sync::Arc;

use hadron_domain::authority::Role;
use hadron_proto::wire;
use tonic::{Request, Response, Status};

use super::caller::{authenticate, token};
use super::convert;
use crate::api::agent::{source, span, story};
use crate::api::status::{status, with_info};
use crate::api::web::SIGN_IN;
use crate::app::App;
use crate::app::access_keys::AccessKeys;
use crate::app::console::LINK_LIFE;
use crate::app::enrolment::Records;
use crate::identity::login::{Login, LoginError, Principal, TOKEN_LIFE, TokenIssuer};
use crate::identity::{HubId, SourceRate};

/// The service. Clones share it.
#[derive(Clone, Debug)]
pub struct AuthApi(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    app: App,
    hub: HubId,
    login: Login<Records>,
    tokens: TokenIssuer<Records>,
    keys: AccessKeys,
    /// Answers to challenges, right or wrong: each costs a transaction, and anybody can send them.
    answers: SourceRate,
}

/// Logins that one address may try to finish in a minute; as many as it gets challenges.
const PER_SOURCE_AND_MINUTE: u32 = 60;

impl AuthApi {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        app: App,
        hub: HubId,
        login: Login<Records>,
        tokens: TokenIssuer<Records>,
        keys: AccessKeys,
    ) -> Self {
        Self(Arc::new(Inner {
            app,
            hub,
            login,
            tokens,
            keys,
            answers: SourceRate::new(PER_SOURCE_AND_MINUTE),
        }))
    }

    /// Whom a proof names.
    async fn proven<T>(
        &self,
        request: &Request<T>,
        proof: Option<&wire::StsProof>,
    ) -> Result<Principal, Status> {
        let Inner {
            app, login, answers, ..
        } = &*self.0;
        let admitted = answers.admit(source(request)?, app.clock().now());
        admitted.map_err(|fault| refused(&fault.into()))?;
        login.finish(proof).await.map_err(|error| refused(&error))
    }

    /// The role of somebody who has proven who they are; `None` where bindings alone give them one.
    async fn role(&self, principal: &Principal) -> Result<Option<Role>, Status> {
        let role = self.0.app.base_role(principal.account, &principal.arn).await;
        role.map_err(|error| {
            tracing::info!(
                principal = principal.arn,
                error = error.story(),
                "A login was refused"
            );
            status(&error)
        })
    }
}

/// A role as it is said on the wire.
fn word(role: Option<Role>) -> &'static str {
    role.map_or("none", Role::word)
}

fn refused(error: &LoginError) -> Status {
    if matches!(error, LoginError::Internal(_)) {
        tracing::error!(error = story(error), "A login failed");
    } else {
        tracing::info!(error = story(error), "A login was refused");
    }
    let (reason, help) = match error {
        LoginError::Malformed(_) => ("MALFORMED", None),
        LoginError::TooMany(_) => ("TOO_MANY_LOGINS", None),
        LoginError::NoChallenge => ("NO_CHALLENGE", Some("hadron login")),
        LoginError::Stale(_) => (
            "STALE_PROOF",
            Some("set the clock of this machine, then: hadron login"),
        ),
        LoginError::Sts(_) => ("STS", None),
        LoginError::Identity { .. } => ("IDENTITY", None),
        LoginError::Token => ("UNAUTHENTICATED", Some("hadron login")),
        LoginError::Mint(_) => ("TOKEN_NAME", None),
        LoginError::Internal(_) => ("INTERNAL", None),
    };
    with_info(error.code(), reason, &error.to_string(), help)
}

#[tonic::async_trait]
impl wire::auth_service_server::AuthService for AuthApi {
    async fn begin_login(
        &self,
        request: Request<wire::BeginLoginRequest>,
    ) -> Result<Response<wire::BeginLoginResponse>, Status> {
        let begun = self
            .0
            .login
            .begin(source(&request)?)
            .await
            .map_err(|error| refused(&error))?;
        Ok(Response::new(wire::BeginLoginResponse {
            challenge_id: begun.challenge_id.to_string(),
            nonce: begun.nonce.to_vec(),
            hub_id: begun.hub_id.to_string(),
            valid_for: Some(span(begun.valid_for)),
        }))
    }

    async fn finish_login(
        &self,
        request: Request<wire::FinishLoginRequest>,
    ) -> Result<Response<wire::FinishLoginResponse>, Status> {
        let principal = self.proven(&request, request.get_ref().proof.as_ref()).await?;
        let role = self.role(&principal).await?;
        let (token, row) = self
            .0
            .tokens
            .issue(&principal)
            .await
            .map_err(|error| refused(&error))?;
        tracing::info!(principal = row.principal, role = word(role), "Somebody logged in");
        Ok(Response::new(wire::FinishLoginResponse {
            token: token.reveal().to_owned(),
            valid_for: Some(span(TOKEN_LIFE)),
            principal: row.principal,
            account_id: principal.account.to_string(),
            role: word(role).to_owned(),
        }))
    }

    async fn issue_access_key(
        &self,
        request: Request<wire::IssueAccessKeyRequest>,
    ) -> Result<Response<wire::IssueAccessKeyResponse>, Status> {
        let principal = self.proven(&request, request.get_ref().proof.as_ref()).await?;
        let made = self.0.keys.issue(&principal).await.map_err(|error| {
            tracing::info!(
                principal = principal.arn,
                error = error.story(),
                "A temporary access key was refused"
            );
            status(&error)
        })?;
        let row = made.row;
        tracing::info!(
            principal = row.principal,
            role = word(row.role),
            access_key = row.id,
            "A temporary access key was issued"
        );
        Ok(Response::new(wire::IssueAccessKeyResponse {
            access_key_id: row.id,
            secret_access_key: made.secret,
            session_token: made.session_token.unwrap_or_default(),
            expiration: row.expires_at.map(convert::time),
            principal: row.principal,
            account_id: principal.account.to_string(),
            role: word(row.role).to_owned(),
        }))
    }

    async fn create_console_link(
        &self,
        request: Request<wire::CreateConsoleLinkRequest>,
    ) -> Result<Response<wire::CreateConsoleLinkResponse>, Status> {
        let caller = authenticate(&self.0.app, request.metadata()).await?;
        let token = token(request.metadata())?.hash();
        let link = self.0.app.console_link(&caller, token).await;
        let link = link.map_err(|error| status(&error))?;
        Ok(Response::new(wire::CreateConsoleLinkResponse {
            path: format!("{SIGN_IN}/{}", link.reveal()),
            valid_for: Some(span(LINK_LIFE)),
        }))
    }

    async fn who_am_i(
        &self,
        request: Request<wire::WhoAmIRequest>,
    ) -> Result<Response<wire::WhoAmIResponse>, Status> {
        let caller = authenticate(&self.0.app, request.metadata()).await?;
        let settings = self.0.app.settings();
        Ok(Response::new(wire::WhoAmIResponse {
            principal: caller.principal.to_string(),
            account_id: caller
                .account
                .map(|account| account.to_string())
                .unwrap_or_default(),
            role: word(caller.role()).to_owned(),
            rights: caller.rights.iter().map(ToString::to_string).collect(),
            hub_id: self.0.hub.to_string(),
            hub_version: env!("CARGO_PKG_VERSION").to_owned(),
            management_account_id: settings.account.to_string(),
            region: settings.region.to_string(),
        }))
    }
}
