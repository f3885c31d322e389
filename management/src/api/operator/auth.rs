//! `AuthService`: proof of an identity in, bearer token or temporary access key out. Who proves it is STS, or an issuer of
//! OpenID Connect.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

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
use crate::app::oidc::{Logins, NotAdmitted, note};
use crate::identity::login::{Login, LoginError, Principal, TOKEN_LIFE, TokenIssuer};
use crate::identity::oidc::{self, Identity, OidcError};
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
    logins: Logins,
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
        logins: Logins,
    ) -> Self {
        Self(Arc::new(Inner {
            logins,
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

impl AuthApi {
    /// The answer to somebody whom an issuer knows, or does not.
    async fn admit(
        &self,
        operation: &'static str,
        issuer: &str,
        source: IpAddr,
        found: Result<Identity, OidcError>,
    ) -> Result<Response<wire::FinishLoginResponse>, Status> {
        let admitted = self.0.logins.admit(operation, issuer, source, found).await;
        let admitted = admitted.map_err(|why| match why {
            NotAdmitted::Unknown(error) => unknown(&error),
            NotAdmitted::Nobody(error) => status(&error),
            NotAdmitted::NoToken(error) => refused(&error),
        })?;
        Ok(Response::new(wire::FinishLoginResponse {
            token: admitted.token.reveal().to_owned(),
            valid_for: Some(span(admitted.session)),
            principal: admitted.principal,
            account_id: String::new(),
            role: word(admitted.role).to_owned(),
        }))
    }

    /// The same before anybody was asked: why not.
    fn not_begun(error: &OidcError) -> Status {
        note(error);
        unknown(error)
    }
}

/// What is said to somebody whom no issuer vouches for.
fn unknown(error: &OidcError) -> Status {
    let help = match error {
        OidcError::NoFlow | OidcError::Verifier | OidcError::MixUp => Some("hadron login --oidc"),
        OidcError::Ambiguous { .. } => Some("hadron login --oidc NAME --oidc-token-file FILE"),
        OidcError::Unknown(_) => Some(
            "with AWS credentials: hadron login\nadministrators add issuers by [oidc.NAME] in the hub's configuration, see deploy/README.md",
        ),
        OidcError::NoFlowOfKind(_) => {
            Some("hadron login --oidc\nor hadron login --device, or with AWS credentials: hadron login")
        }
        OidcError::Condition { .. } | OidcError::Name { .. } => {
            Some("see [oidc.NAME] in the hub's configuration: conditions, name_claim")
        }
        _ => None,
    };
    with_info(error.code(), error.reason(), &error.to_string(), help)
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

    async fn list_issuers(
        &self,
        _: Request<wire::ListIssuersRequest>,
    ) -> Result<Response<wire::ListIssuersResponse>, Status> {
        let issuers = self.0.logins.issuers().offers().map(|offer| wire::Issuer {
            name: offer.alias.to_string(),
            issuer: offer.issuer,
            audience: offer.audience.unwrap_or_default(),
        });
        Ok(Response::new(wire::ListIssuersResponse {
            issuers: issuers.collect(),
        }))
    }

    async fn begin_oidc_login(
        &self,
        request: Request<wire::BeginOidcLoginRequest>,
    ) -> Result<Response<wire::BeginOidcLoginResponse>, Status> {
        let source = source(&request)?;
        let message = request.into_inner();
        if !oidc::is_loopback(&message.redirect_uri) {
            let shown = message
                .redirect_uri
                .chars()
                .filter(char::is_ascii_graphic)
                .take(200)
                .collect();
            return Err(Self::not_begun(&OidcError::Redirect(shown)));
        }
        let begun = self
            .0
            .logins
            .issuers()
            .begin(&message.issuer_name, &message.redirect_uri, source)
            .await;
        let begun = begun.map_err(|error| Self::not_begun(&error))?;
        Ok(Response::new(wire::BeginOidcLoginResponse {
            authorization_url: begun.url,
            state: begun.state,
            code_verifier: begun.verifier,
            valid_for: Some(span(oidc::FLOW_LIFE)),
        }))
    }

    async fn finish_oidc_login(
        &self,
        request: Request<wire::FinishOidcLoginRequest>,
    ) -> Result<Response<wire::FinishLoginResponse>, Status> {
        let source = source(&request)?;
        let message = request.into_inner();
        let answer = oidc::Answer {
            state: &message.state,
            code: &message.code,
            verifier: &message.code_verifier,
            issuer: Some(&message.issuer),
        };
        let found = self.0.logins.issuers().finish(answer, source).await;
        self.admit("FinishOidcLogin", "", source, found).await
    }

    async fn begin_device_login(
        &self,
        request: Request<wire::BeginDeviceLoginRequest>,
    ) -> Result<Response<wire::BeginDeviceLoginResponse>, Status> {
        let source = source(&request)?;
        let (issuer, device) = self
            .0
            .logins
            .issuers()
            .begin_device(&request.get_ref().issuer_name, source)
            .await
            .map_err(|error| Self::not_begun(&error))?;
        let seconds = |seconds: u64| Some(span(Duration::from_secs(seconds.min(3_600))));
        Ok(Response::new(wire::BeginDeviceLoginResponse {
            interval: seconds(device.interval.unwrap_or(5)),
            valid_for: seconds(device.expires_in),
            device_code: device.device_code,
            user_code: device.user_code,
            verification_uri: device.verification_uri,
            verification_uri_complete: device.verification_uri_complete.unwrap_or_default(),
            issuer_name: issuer.to_string(),
        }))
    }

    async fn finish_device_login(
        &self,
        request: Request<wire::FinishDeviceLoginRequest>,
    ) -> Result<Response<wire::FinishLoginResponse>, Status> {
        let source = source(&request)?;
        let message = request.into_inner();
        let found = self
            .0
            .logins
            .issuers()
            .finish_device(&message.issuer_name, &message.device_code, source)
            .await;
        self.admit("FinishDeviceLogin", &message.issuer_name, source, found)
            .await
    }

    async fn exchange_token(
        &self,
        request: Request<wire::ExchangeTokenRequest>,
    ) -> Result<Response<wire::FinishLoginResponse>, Status> {
        let source = source(&request)?;
        let message = request.into_inner();
        let found = self
            .0
            .logins
            .issuers()
            .exchange(&message.issuer_name, &message.token, source)
            .await;
        self.admit("ExchangeToken", &message.issuer_name, source, found)
            .await
    }

    async fn logout(
        &self,
        request: Request<wire::LogoutRequest>,
    ) -> Result<Response<wire::LogoutResponse>, Status> {
        let caller = authenticate(&self.0.app, request.metadata()).await?;
        let token = token(request.metadata())?;
        self.0
            .app
            .log_out(&caller, token.reveal())
            .await
            .map_err(|error| status(&error))?;
        Ok(Response::new(wire::LogoutResponse {}))
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
