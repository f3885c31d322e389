//! The login of people and scripts. They prove their IAM identity as agents do (see [`super::enrolment`]), for the
//! purpose "login" and with no key, and get a bearer token for an hour. Which rights the identity has is not decided
//! here.
//!
//! Of a token only the SHA-256 is stored. It has 256 random bits, so that neither salt nor a slow hash is needed, and
//! finding it by its hash tells nothing by the time it takes.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hadron_proto::proof::{Binding, InvalidProof, KeyForm, ProofScalars, Stale};
use hadron_proto::vocab::{AccountId, Digest, Timestamp};
use hadron_proto::wire;
use tonic::Code;

use super::ca::Ca;
use super::enrolment::{
    Begun, CHALLENGE_LIFE, Challenge, ChallengeId, Challenges, Clocked, OpenLimits, Purpose, StoreFailed,
};
use super::oidc::Identity;
use super::rate::{SourceRate, TooMany};
use super::sts::{Caller, Sts, StsError};
use super::{DevMode, NoRandomness, random};
use crate::clock::Clock;

/// How long a token of a login is good.
pub const TOKEN_LIFE: Duration = Duration::from_secs(3600);
/// What every token begins with, so that scanners for leaked secrets can find it.
pub const TOKEN_PREFIX: &str = "hadron_";
/// The longest name of a minted token.
pub const MAX_NAME: usize = 64;
const PER_SOURCE_AND_MINUTE: u32 = 60;

/// Whom a login proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The account.
    pub account: AccountId,
    /// The ARN of user or role, without the session. A role's path is not in it.
    pub arn: String,
}

/// Why there is no token. The text is for the person who logs in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// A field of the proof is not of its form.
    #[error(transparent)]
    Malformed(#[from] InvalidProof),
    /// Too many challenges.
    #[error("too many logins at once; try again in {} s", .0.as_secs().max(1))]
    TooMany(Duration),
    /// The challenge is unknown, used or expired.
    #[error("the challenge is unknown, used or older than 60 s; log in again")]
    NoChallenge,
    /// The proof is too old or too new.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// STS did not name an identity.
    #[error(transparent)]
    Sts(#[from] StsError),
    /// An identity that nobody shall work as.
    #[error("{found} may not log in: use an IAM user or a role")]
    Identity {
        /// Who signed.
        found: String,
    },
    /// No such token, or it is not good any more.
    #[error("the token is unknown, expired or revoked; log in again")]
    Token,
    /// A name or a life that a minted token cannot have.
    #[error("{0}")]
    Mint(&'static str),
    /// Something of the hub's own failed.
    #[error("the hub could not complete the login; its log says why")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl LoginError {
    /// The gRPC status code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Malformed(_) | Self::Stale(_) | Self::Mint(_) => Code::InvalidArgument,
            Self::TooMany(_) => Code::ResourceExhausted,
            Self::NoChallenge => Code::Aborted,
            Self::Sts(StsError::Unavailable { .. }) => Code::Unavailable,
            Self::Sts(StsError::Refused { .. }) | Self::Identity { .. } => Code::PermissionDenied,
            Self::Token => Code::Unauthenticated,
            Self::Internal(_) => Code::Internal,
        }
    }
}

impl From<StoreFailed> for LoginError {
    fn from(failed: StoreFailed) -> Self {
        Self::Internal(failed.into())
    }
}
impl From<NoRandomness> for LoginError {
    fn from(failed: NoRandomness) -> Self {
        Self::Internal(failed.into())
    }
}
impl From<TooMany> for LoginError {
    fn from(fault: TooMany) -> Self {
        Self::TooMany(fault.retry_after)
    }
}
impl From<LoginError> for tonic::Status {
    fn from(error: LoginError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// Whether the root of an account may log in: only on an emulator, where every caller is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    root: bool,
}

impl Rules {
    /// Lets account roots log in.
    #[must_use]
    pub const fn root(_: DevMode) -> Self {
        Self { root: true }
    }
}

/// The service behind `AuthService`: proof in, principal out.
pub struct Login<S> {
    store: S,
    ca: Arc<Ca>,
    sts: Sts,
    clock: Clock,
    rules: Rules,
    rate: SourceRate,
}

impl<S> std::fmt::Debug for Login<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("ca", &self.ca)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl<S: Challenges> Login<S> {
    /// Puts the parts together.
    #[must_use]
    pub fn new(store: S, ca: Arc<Ca>, sts: Sts, clock: Clock, rules: Rules) -> Self {
        Self {
            store,
            ca,
            sts,
            clock,
            rules,
            rate: SourceRate::new(PER_SOURCE_AND_MINUTE),
        }
    }

    /// Gives a challenge.
    ///
    /// # Errors
    /// When the caller asks too often or the store fails.
    pub async fn begin(&self, source: IpAddr) -> Result<Begun, LoginError> {
        self.rate.admit(source, self.clock.now())?;
        let now = self.store.now(&self.clock).await?;
        let challenge = Challenge {
            id: ChallengeId::from_random(random()?),
            nonce: random()?,
            purpose: Purpose::Login,
            counted_as: None,
            source,
            expires_at: now.plus(CHALLENGE_LIFE),
        };
        let limits = OpenLimits {
            per_source: u32::MAX,
            per_claim: u32::MAX,
        };
        if !self.store.insert(&challenge, limits, now).await? {
            return Err(LoginError::TooMany(CHALLENGE_LIFE));
        }
        Ok(Begun {
            challenge_id: challenge.id,
            nonce: challenge.nonce,
            hub_id: self.ca.hub_id().clone(),
            valid_for: CHALLENGE_LIFE,
        })
    }

    /// Checks the proof. As with agents, the challenge is used up whatever comes of it, before STS is asked.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn finish(&self, proof: Option<&wire::StsProof>) -> Result<Principal, LoginError> {
        let now = self.store.now(&self.clock).await?;
        let form = if self.sts.is_emulated() {
            KeyForm::Any
        } else {
            KeyForm::AlsoLongLived
        };
        let checked = ProofScalars::from_wire(proof, form)
            .map_err(LoginError::from)
            .and_then(|proof| proof.check_date(now).map(|()| proof).map_err(Into::into));
        let id = proof.and_then(|proof| ChallengeId::parse(&proof.challenge_id));
        let taken = match id {
            Some(id) => self.store.take(id, now).await?,
            None => None,
        };
        let proof = checked?;
        let challenge = taken
            .filter(|taken| taken.purpose == Purpose::Login)
            .ok_or(LoginError::NoChallenge)?;
        let binding = Binding::Login {
            nonce: challenge.nonce,
            hub_id: self.ca.hub_id().clone(),
        };
        let caller = self.sts.who_signed(&proof, &binding).await?;
        match caller.caller() {
            Caller::AssumedRole { .. } | Caller::User { .. } => {}
            Caller::Root if self.rules.root => {}
            Caller::Root | Caller::Federated => return Err(LoginError::Identity { found: caller.arn }),
        }
        Ok(Principal {
            account: caller.account,
            arn: caller.principal_arn(),
        })
    }
}

/// A bearer token. Shown once; printing it for a log shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    fn from_random(random: &[u8; 32]) -> Self {
        Self(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random)))
    }

    /// Reads a token as a caller sends it, in its one form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(TOKEN_PREFIX)?;
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (encoded.len() == 43 && encoded.bytes().all(word)).then(|| Self(text.to_owned()))
    }

    /// The text, for the one who asked for it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(...)")
    }
}

/// A token as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// SHA-256 of the token's text; the key.
    pub hash: Digest,
    /// An IAM ARN, `token:<name>`, or `oidc:<issuer>:<name>`.
    pub principal: String,
    /// The groups that an issuer says they are in.
    pub groups: Vec<String>,
    /// The account that a login proved; none for minted tokens, and for who logged in at an issuer.
    pub account: Option<AccountId>,
    /// The part that the bearer of a minted token plays; what a login's principal plays, the store finds out.
    pub role: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; minted ones may have no end.
    pub expires_at: Option<Timestamp>,
}

/// The tokens.
pub trait Tokens: Clocked {
    /// Adds a token, with its audit record. Also the place to drop expired ones.
    fn add(&self, token: &TokenRow) -> impl Future<Output = Result<(), StoreFailed>> + Send;

    /// The token with this hash, expired or not; one that was switched off is not there.
    fn find(&self, hash: Digest) -> impl Future<Output = Result<Option<TokenRow>, StoreFailed>> + Send;
}

/// Gives and checks bearer tokens.
#[derive(Debug)]
pub struct TokenIssuer<S> {
    store: S,
    clock: Clock,
}

impl<S: Tokens> TokenIssuer<S> {
    /// Puts the parts together.
    #[must_use]
    pub const fn new(store: S, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// A token for somebody who logged in, good for [`TOKEN_LIFE`].
    ///
    /// # Errors
    /// When the store fails.
    pub async fn issue(&self, principal: &Principal) -> Result<(Token, TokenRow), LoginError> {
        let now = self.store.now(&self.clock).await?;
        let token = Token::from_random(&random()?);
        let row = TokenRow {
            hash: token.hash(),
            principal: principal.arn.clone(),
            groups: Vec::new(),
            account: Some(principal.account),
            role: None,
            created_at: now,
            expires_at: Some(now.plus(TOKEN_LIFE)),
        };
        self.store.add(&row).await?;
        Ok((token, row))
    }

    /// A token for somebody whom an issuer knows.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn issue_to(&self, identity: &Identity) -> Result<(Token, TokenRow), LoginError> {
        let now = self.store.now(&self.clock).await?;
        let token = Token::from_random(&random()?);
        let row = TokenRow {
            hash: token.hash(),
            principal: identity.principal.clone(),
            groups: identity.groups.clone(),
            account: None,
            role: None,
            created_at: now,
            expires_at: Some(now.plus(identity.session)),
        };
        self.store.add(&row).await?;
        Ok((token, row))
    }

    /// A token with a name and a role of its own, for `hadron-hub admin token create`.
    ///
    /// # Errors
    /// When the name is not 1 to 64 of letters, digits, '-', '_' and '.', or the store fails.
    pub async fn mint(
        &self,
        name: &str,
        role: &str,
        life: Option<Duration>,
    ) -> Result<(Token, TokenRow), LoginError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(word) {
            return Err(LoginError::Mint(
                "a token's name is 1 to 64 of letters, digits, '-', '_' and '.'",
            ));
        }
        let now = self.store.now(&self.clock).await?;
        let token = Token::from_random(&random()?);
        let row = TokenRow {
            hash: token.hash(),
            principal: format!("token:{name}"),
            groups: Vec::new(),
            account: None,
            role: Some(role.to_owned()),
            created_at: now,
            expires_at: life.map(|life| now.plus(life)),
        };
        self.store.add(&row).await?;
        Ok((token, row))
    }

    /// Who holds this token.
    ///
    /// # Errors
    /// When it is of another form, unknown or expired: all the same to the caller.
    pub async fn verify(&self, text: &str) -> Result<TokenRow, LoginError> {
        let token = Token::parse(text).ok_or(LoginError::Token)?;
        let row = self.store.find(token.hash()).await?.ok_or(LoginError::Token)?;
        let now = self.store.now(&self.clock).await?;
        let over = row.expires_at.is_some_and(|end| end <= now);
        if over { Err(LoginError::Token) } else { Ok(row) }
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
