//! How an agent gets its certificate: a challenge, a proof, a certificate.
//!
//! Asking for a challenge tells an anonymous caller nothing about any connection, not even by the limits, which count what
//! is claimed and not what there is. Everything about a connection is told
//! only to a caller who has just proven to be of its account, and nothing of the identity is taken from a message.
//!
//! The order of [`Enrolment::finish`] matters:
//! 1. the scalars and the request for the certificate are of their forms;
//! 2. the challenge is taken from the store, once and for all: whatever goes wrong now or went wrong before, the same
//!    challenge cannot be tried again, and two callers cannot both have it;
//! 3. the key is the one that the challenge was given for;
//! 4. STS names the signer;
//! 5. account, partition, kind of identity, role and the role's unique id are those of the connection;
//! 6. the connection is accepted, and is as it was when the challenge was given (its epoch);
//! 7. one transaction checks all of that again and records the certificate; only then the certificate is handed out.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hadron_proto::proof::{Binding, InvalidProof, KeyForm, ProofScalars, Stale};
use hadron_proto::spiffe::{AgentName, HubId};
use hadron_proto::vocab::{AccountId, AgentId, ConnectionId, Digest, Region, Timestamp};
use hadron_proto::wire;
use rustls_pki_types::CertificateDer;
use tonic::Code;

use super::ca::{Ca, CaError, LeafLife, Serial};
use super::csr::{AgentKey, InvalidCsr};
use super::rate::{SourceRate, TooMany};
use super::sts::{Caller, CallerIdentity, Sts, StsError};
use super::{DevMode, NoRandomness, random};
use crate::clock::Clock;

/// How long a challenge may be answered.
pub const CHALLENGE_LIFE: Duration = Duration::from_secs(60);
/// Open challenges of one claim from one address. More means that an agent does not finish what it begins.
pub const OPEN_PER_SOURCE: u32 = 5;
/// Open challenges of one claim from all addresses. Well above the former: with one limit for all, anyone who
/// knows a connection's account could keep its agent from renewing by holding five challenges open.
pub const OPEN_PER_CLAIM: u32 = 60;
/// Challenges per address and minute, open or not.
pub const PER_SOURCE_AND_MINUTE: u32 = 60;

/// The name of a challenge: 32 hexadecimal digits of 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChallengeId(u128);

impl ChallengeId {
    /// From random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// Reads the text form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fine = text.len() == 32
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        fine.then(|| u128::from_str_radix(text, 16).ok())
            .flatten()
            .map(Self)
    }
}
impl std::fmt::Display for ChallengeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
impl std::fmt::Debug for ChallengeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// What an agent says that it serves. Only a wish until proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// This connection.
    Connection(ConnectionId),
    /// Whichever connection this account has in this Region.
    Place(AccountId, Region),
}

impl Claim {
    /// What challenges of this claim are counted under: the same whether there is such a connection or not, so that the
    /// limits tell nobody which connections there are. Not the id of a connection where an account and a Region were
    /// claimed, though it has that form, which is the one that the store keeps.
    #[must_use]
    pub fn counted_as(&self) -> ConnectionId {
        match self {
            Self::Connection(id) => *id,
            Self::Place(account, region) => {
                let digest = Digest::of(format!("{account}/{region}").as_bytes());
                let mut random = [0; 10];
                random.copy_from_slice(&digest.as_bytes()[..10]);
                ConnectionId::from_parts(0, random)
            }
        }
    }
}

/// What a challenge was given for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// An agent's enrolment.
    Enrol {
        /// What the agent says that it serves.
        claim: Claim,
        /// SHA-256 of the `SubjectPublicKeyInfo` of the agent's key.
        spki_sha256: [u8; 32],
        /// The connection's epoch when the challenge was given, where the connection was there.
        epoch: Option<u64>,
        /// The agent that this process was before, if it says so.
        agent: Option<AgentId>,
    },
    /// A person's or script's login.
    Login,
}

/// A challenge as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Its name.
    pub id: ChallengeId,
    /// What must be signed.
    pub nonce: [u8; 32],
    /// What it was given for.
    pub purpose: Purpose,
    /// What it counts against ([`Claim::counted_as`]), nothing for logins; the store keeps it in a column of its own to
    /// count by.
    pub counted_as: Option<ConnectionId>,
    /// The address that asked.
    pub source: IpAddr,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The store failed. The cause goes to the log, never to the caller.
#[derive(Debug, thiserror::Error)]
#[error("the store failed")]
pub struct StoreFailed(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// How many challenges may be open; counted by the store in the transaction that adds one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenLimits {
    /// Of one claim, from one address.
    pub per_source: u32,
    /// Of one claim, from all addresses.
    pub per_claim: u32,
}

/// The clock by which deadlines are set and judged: the one of whatever keeps them, which all hubs share. A hub whose own
/// clock is wrong decides like the others.
pub trait Clocked: Send + Sync {
    /// The present time. `own` is the hub's clock, for stores without one.
    fn now(&self, own: &Clock) -> impl Future<Output = Result<Timestamp, StoreFailed>> + Send {
        let now = own.now();
        async move { Ok(now) }
    }
}

/// The open challenges.
pub trait Challenges: Clocked {
    /// Adds a challenge and answers `true`; or answers `false` and adds nothing, when `challenge.counted_as` already
    /// has as many unexpired challenges as a limit allows. Also the place to drop expired ones.
    fn insert(
        &self,
        challenge: &Challenge,
        limits: OpenLimits,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreFailed>> + Send;

    /// Deletes the challenge and returns it (`DELETE ... WHERE id = $1 RETURNING ...`, committed before the answer); of
    /// two callers one gets it. An expired one is deleted, too, and not returned.
    fn take(
        &self,
        id: ChallengeId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Challenge>, StoreFailed>> + Send;
}

/// What people decided about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nobody decided yet.
    Pending,
    /// Accepted.
    Connected,
    /// Refused.
    Rejected,
}

/// A connection, as enrolment needs it. A deleted one is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRow {
    /// Its id.
    pub id: ConnectionId,
    /// What people decided.
    pub standing: Standing,
    /// Grows whenever certificates given before must stop to count.
    pub epoch: u64,
    /// The environment account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// The name (without path) of the role that its agents run as.
    pub agent_role_name: String,
    /// The unique id of that role, known from the first enrolment on.
    pub pinned_role_id: Option<String>,
}

/// A certificate about to be handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The connection.
    pub connection: ConnectionId,
    /// Its epoch, which must still be the same.
    pub epoch: u64,
    /// The agent; new, or known by an earlier certificate.
    pub agent: AgentId,
    /// The role's unique id: must be the pinned one; pin it where there is none.
    pub role_id: String,
    /// The identity that STS named, for the audit record.
    pub caller_arn: String,
    /// The certificate's serial number.
    pub serial: Serial,
    /// SHA-256 of its `SubjectPublicKeyInfo`, for people to compare.
    pub spki_sha256: [u8; 32],
    /// Its last moment.
    pub not_after: Timestamp,
    /// The address that asked.
    pub source: IpAddr,
    /// The present time.
    pub at: Timestamp,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Committed; the certificate may be handed out.
    Committed,
    /// The connection is gone, not accepted any more, or has another epoch.
    Changed,
    /// Another role id was pinned meanwhile.
    OtherRole,
    /// The agent id belongs to another connection.
    OtherAgent,
}

/// The connections and the certificates given for them.
pub trait Connections: Send + Sync {
    /// The connection with this id.
    fn connection(
        &self,
        id: ConnectionId,
    ) -> impl Future<Output = Result<Option<ConnectionRow>, StoreFailed>> + Send;

    /// The connection of this account and Region: an accepted one before a pending, a pending before a rejected.
    fn connection_at(
        &self,
        account: AccountId,
        region: &Region,
    ) -> impl Future<Output = Result<Option<ConnectionRow>, StoreFailed>> + Send;

    /// In one transaction: checks that the connection is accepted and has this epoch and this role id (pinning it where
    /// there is none), adds agent and certificate, and writes the audit record.
    fn record(&self, enrolled: &Enrolled) -> impl Future<Output = Result<Recorded, StoreFailed>> + Send;
}

/// Why there is no certificate. The text is for the operator of the agent.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// A field of the request is not of its form.
    #[error("{0}")]
    Malformed(String),
    /// Too many challenges.
    #[error("too many enrolments at once; try again in {} s", .0.as_secs().max(1))]
    TooMany(Duration),
    /// The challenge is unknown, used or expired.
    #[error("the challenge is unknown, used or older than 60 s; begin again")]
    NoChallenge,
    /// The request is for another key than the challenge.
    #[error("the certificate request is for another key than the challenge; begin again")]
    OtherKey,
    /// The proof is too old or too new.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// STS did not name an identity.
    #[error(transparent)]
    Sts(#[from] StsError),
    /// The account has no connection here, or not the one that was named.
    #[error(
        "account {account} has no such connection at this hub: request one (`hadron connection request`), have it accepted, and check connection id and Region in the agent's configuration"
    )]
    NoConnection {
        /// The account that was proven.
        account: AccountId,
    },
    /// Not the role that the connection names.
    #[error("{found} may not enrol: {rule}")]
    WrongIdentity {
        /// Who signed.
        found: String,
        /// What would have been right.
        rule: String,
    },
    /// A role of the same name, made anew.
    #[error(
        "role {role} was made anew since the connection was accepted (its id was {pinned}, now is {found}): an administrator must accept the connection again (`hadron connection accept`; for the management account's own agent: `hadron-hub admin trust-agent-role`)"
    )]
    RoleReplaced {
        /// The role's name.
        role: String,
        /// The id that the connection knows.
        pinned: String,
        /// The id of the signer's role.
        found: String,
    },
    /// Nobody accepted the connection yet.
    #[error("connection {0} is waiting to be accepted: an administrator runs `hadron connection accept {0}`")]
    Pending(ConnectionId),
    /// The connection was refused.
    #[error("connection {0} was rejected; request a new one")]
    Rejected(ConnectionId),
    /// The connection changed while the agent enrolled.
    #[error("connection {0} changed during the enrolment; begin again")]
    Changed(ConnectionId),
    /// Something of the hub's own failed.
    #[error("the hub could not enrol the agent; its log says why")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl EnrolmentError {
    /// The gRPC status code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Malformed(_) | Self::OtherKey | Self::Stale(_) => Code::InvalidArgument,
            Self::TooMany(_) => Code::ResourceExhausted,
            Self::NoChallenge | Self::Changed(_) => Code::Aborted,
            Self::Sts(StsError::Unavailable { .. }) => Code::Unavailable,
            Self::Sts(StsError::Refused { .. })
            | Self::NoConnection { .. }
            | Self::WrongIdentity { .. }
            | Self::RoleReplaced { .. }
            | Self::Rejected(_) => Code::PermissionDenied,
            Self::Pending(_) => Code::FailedPrecondition,
            Self::Internal(_) => Code::Internal,
        }
    }

    /// Whether people should be alarmed: somebody of the right account is not who they should be.
    #[must_use]
    pub const fn is_alarm(&self) -> bool {
        matches!(self, Self::RoleReplaced { .. })
    }
}

impl From<InvalidProof> for EnrolmentError {
    fn from(fault: InvalidProof) -> Self {
        Self::Malformed(fault.to_string())
    }
}
impl From<InvalidCsr> for EnrolmentError {
    fn from(fault: InvalidCsr) -> Self {
        Self::Malformed(fault.to_string())
    }
}
impl From<TooMany> for EnrolmentError {
    fn from(fault: TooMany) -> Self {
        Self::TooMany(fault.retry_after)
    }
}
impl From<StoreFailed> for EnrolmentError {
    fn from(failed: StoreFailed) -> Self {
        Self::Internal(failed.into())
    }
}
impl From<CaError> for EnrolmentError {
    fn from(failed: CaError) -> Self {
        Self::Internal(failed.into())
    }
}
impl From<NoRandomness> for EnrolmentError {
    fn from(failed: NoRandomness) -> Self {
        Self::Internal(failed.into())
    }
}
impl From<EnrolmentError> for tonic::Status {
    fn from(error: EnrolmentError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// A challenge for the caller.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Its name.
    pub challenge_id: ChallengeId,
    /// What must be signed.
    pub nonce: [u8; 32],
    /// The hub that it must be signed for.
    pub hub_id: HubId,
    /// For how long.
    pub valid_for: Duration,
}

/// A certificate for the caller.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Leaf first, without the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// What the agent shall trust.
    pub roots: Vec<CertificateDer<'static>>,
    /// Who the agent now is.
    pub name: AgentName,
    /// For how long.
    pub valid_for: Duration,
    /// The serial number, for the log.
    pub serial: Serial,
}

/// What may be relaxed, and on what grounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    root_agents: bool,
}

impl Rules {
    /// On an emulator that signs nobody up, every caller is the root of its account: lets such callers enrol, with the
    /// account id in place of the role's id.
    #[must_use]
    pub const fn root_agents(_: DevMode) -> Self {
        Self { root_agents: true }
    }
}

/// The service behind `EnrolmentService`.
pub struct Enrolment<S> {
    store: S,
    ca: Arc<Ca>,
    sts: Sts,
    clock: Clock,
    life: LeafLife,
    rules: Rules,
    rate: SourceRate,
}

impl<S> std::fmt::Debug for Enrolment<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolment")
            .field("ca", &self.ca)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl<S: Challenges + Connections> Enrolment<S> {
    /// Puts the parts together.
    #[must_use]
    pub fn new(store: S, ca: Arc<Ca>, sts: Sts, clock: Clock, life: LeafLife, rules: Rules) -> Self {
        Self {
            store,
            ca,
            sts,
            clock,
            life,
            rules,
            rate: SourceRate::new(PER_SOURCE_AND_MINUTE),
        }
    }

    /// Gives a challenge. `agent` is who this process was before, from the metadata
    /// [`hadron_proto::spiffe::AGENT_ID_METADATA`].
    ///
    /// # Errors
    /// When a field is malformed, or the caller asks too often.
    pub async fn begin(
        &self,
        request: &wire::BeginEnrolmentRequest,
        agent: Option<&str>,
        source: IpAddr,
    ) -> Result<Begun, EnrolmentError> {
        self.rate.admit(source, self.clock.now())?;
        let now = self.store.now(&self.clock).await?;
        let malformed = |error: &dyn std::fmt::Display| EnrolmentError::Malformed(error.to_string());
        let claim = if request.connection_id.is_empty() {
            let account = request.account_id.parse().map_err(|error| malformed(&error))?;
            Claim::Place(
                account,
                request.region.parse().map_err(|error| malformed(&error))?,
            )
        } else {
            Claim::Connection(request.connection_id.parse().map_err(|error| malformed(&error))?)
        };
        let agent = agent
            .map(|text| text.parse().map_err(|error| malformed(&error)))
            .transpose()?;
        let spki_sha256 = request.spki_sha256.as_slice().try_into();
        let spki_sha256 = spki_sha256.map_err(|_| malformed(&"spki_sha256: must be 32 bytes"))?;
        let found = self.find(&claim).await?;
        let challenge = Challenge {
            id: ChallengeId::from_random(random()?),
            nonce: random()?,
            counted_as: Some(claim.counted_as()),
            purpose: Purpose::Enrol {
                claim,
                spki_sha256,
                epoch: found.map(|connection| connection.epoch),
                agent,
            },
            source,
            expires_at: now.plus(CHALLENGE_LIFE),
        };
        let limits = OpenLimits {
            per_source: OPEN_PER_SOURCE,
            per_claim: OPEN_PER_CLAIM,
        };
        if !self.store.insert(&challenge, limits, now).await? {
            return Err(EnrolmentError::TooMany(CHALLENGE_LIFE));
        }
        Ok(Begun {
            challenge_id: challenge.id,
            nonce: challenge.nonce,
            hub_id: self.ca.hub_id().clone(),
            valid_for: CHALLENGE_LIFE,
        })
    }

    async fn find(&self, claim: &Claim) -> Result<Option<ConnectionRow>, StoreFailed> {
        match claim {
            Claim::Connection(id) => self.store.connection(*id).await,
            Claim::Place(account, region) => self.store.connection_at(*account, region).await,
        }
    }

    /// Checks the proof and gives the certificate.
    ///
    /// # Errors
    /// See [`EnrolmentError`]; the challenge is used up in every case.
    pub async fn finish(
        &self,
        request: &wire::FinishEnrolmentRequest,
        source: IpAddr,
    ) -> Result<Issued, EnrolmentError> {
        let now = self.store.now(&self.clock).await?;
        let form = if self.sts.is_emulated() {
            KeyForm::Any
        } else {
            KeyForm::Temporary
        };
        let checked = ProofScalars::from_wire(request.proof.as_ref(), form)
            .map_err(EnrolmentError::from)
            .and_then(|proof| Ok((AgentKey::from_csr(&request.csr_der)?, proof)))
            .and_then(|(key, proof)| proof.check_date(now).map(|()| (key, proof)).map_err(Into::into));

        let id = request
            .proof
            .as_ref()
            .and_then(|proof| ChallengeId::parse(&proof.challenge_id));
        let taken = match id {
            Some(id) => self.store.take(id, now).await?,
            None => None,
        };
        let (key, proof) = checked?;
        let challenge = taken.ok_or(EnrolmentError::NoChallenge)?;
        // A challenge of a login is none here.
        let Purpose::Enrol {
            claim,
            spki_sha256,
            epoch,
            agent,
        } = challenge.purpose
        else {
            return Err(EnrolmentError::NoChallenge);
        };
        if *key.sha256() != spki_sha256 {
            return Err(EnrolmentError::OtherKey);
        }

        let hub_id = self.ca.hub_id().clone();
        let binding = Binding::Enrol {
            nonce: challenge.nonce,
            hub_id: hub_id.clone(),
            spki_sha256,
        };
        hadron_proto::fault::point("C05");
        let caller = self.sts.who_signed(&proof, &binding).await?;
        hadron_proto::fault::point("C06");

        let connection = self.find(&claim).await?;
        let connection = connection
            .filter(|connection| {
                connection.account == caller.account && connection.region.partition() == caller.partition()
            })
            .ok_or(EnrolmentError::NoConnection {
                account: caller.account,
            })?;
        let role_id = self.check_role(&caller, &connection)?;
        match connection.standing {
            Standing::Connected => {}
            Standing::Pending => return Err(EnrolmentError::Pending(connection.id)),
            Standing::Rejected => return Err(EnrolmentError::Rejected(connection.id)),
        }
        if epoch.is_some_and(|epoch| epoch != connection.epoch) {
            return Err(EnrolmentError::Changed(connection.id));
        }

        let agent = agent.unwrap_or_else(|| self.clock.fresh_id());
        let name = AgentName {
            hub: hub_id,
            account: connection.account,
            connection: connection.id,
            agent,
        };
        // STS took its time: the certificate begins now. Nobody has it before it is recorded.
        let now = self.store.now(&self.clock).await?;
        let leaf = self
            .ca
            .agent_leaf(&name, &key, Serial::from_random(random()?), now, self.life)?;
        let enrolled = Enrolled {
            connection: connection.id,
            epoch: connection.epoch,
            agent,
            role_id: role_id.clone(),
            caller_arn: caller.arn.clone(),
            serial: leaf.serial,
            spki_sha256,
            not_after: leaf.not_after,
            source,
            at: now,
        };
        let recorded = self.store.record(&enrolled).await?;
        hadron_proto::fault::point("C07");
        match recorded {
            Recorded::Committed => Ok(Issued {
                chain: vec![leaf.der],
                roots: self.ca.roots(),
                name,
                valid_for: leaf.not_after.since(now),
                serial: leaf.serial,
            }),
            Recorded::Changed => Err(EnrolmentError::Changed(connection.id)),
            Recorded::OtherRole => Err(EnrolmentError::RoleReplaced {
                role: connection.agent_role_name,
                pinned: "pinned by another agent".to_owned(),
                found: role_id,
            }),
            Recorded::OtherAgent => Err(EnrolmentError::WrongIdentity {
                found: agent.to_string(),
                rule: "this agent id belongs to another connection; empty the agent's state directory"
                    .to_owned(),
            }),
        }
    }

    /// The unique id of the signer's role, if it is the connection's role.
    fn check_role(
        &self,
        caller: &CallerIdentity,
        connection: &ConnectionRow,
    ) -> Result<String, EnrolmentError> {
        let expected = &connection.agent_role_name;
        let wrong = || EnrolmentError::WrongIdentity {
            found: caller.arn.clone(),
            rule: format!(
                "the agent of connection {} must run as role {expected}",
                connection.id
            ),
        };
        let role_id = match caller.caller() {
            Caller::AssumedRole { role, .. } if role == expected => {
                caller.role_id().ok_or_else(wrong)?.to_owned()
            }
            Caller::Root if self.rules.root_agents => caller.account.to_string(),
            Caller::AssumedRole { .. } | Caller::User { .. } | Caller::Root | Caller::Federated => {
                return Err(wrong());
            }
        };
        match &connection.pinned_role_id {
            Some(pinned) if *pinned != role_id => Err(EnrolmentError::RoleReplaced {
                role: expected.clone(),
                pinned: pinned.clone(),
                found: role_id,
            }),
            _ => Ok(role_id),
        }
    }
}

#[cfg(test)]
#[path = "enrolment_tests.rs"]
mod tests;
