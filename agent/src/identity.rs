//! Who this agent is: a key that never leaves the machine, and a certificate that the hub gives for an hour against a
//! signed `sts:GetCallerIdentity`.
//!
//! [`Identity::obtain`] waits until there is a certificate, however long people take to accept the connection.
//! [`Identity::keep`] renews it after about half of its life, each time with a new key and a full proof, so that a
//! stolen key is worth an hour at most. Whoever holds connections watches [`Identity::subscribe`].
//!
//! The credentials never leave the process either: what the hub gets is one signature, good for one challenge, one hub
//! and one key (see [`hadron_proto::proof`]).

mod disk;
mod enrol;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use hadron_proto::spiffe::{AgentName, HubId};
use hadron_proto::tls::{
    ALPN_H2, ClientIdentity, ConnectError, HubConnector, TlsError, Trust, only_uri, pinned_client_config,
    spki_digest,
};
use hadron_proto::vocab::{AccountId, AgentId, ConnectionId, Region, Timestamp};
use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::sync::{Notify, watch};
use tonic::transport::Channel;
use tracing::{info, warn};
use x509_parser::extensions::ParsedExtension;

pub use enrol::EnrolError;

/// Tells the time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clock of this machine.
#[must_use]
pub fn system_clock() -> Now {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the agent's identity gets the time from"
    )]
    Arc::new(|| Timestamp::from_micros(jiff::Timestamp::now().as_microsecond()))
}

/// Where to enrol, and as what.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The enrolment listener, `https://<host>:<port>`.
    pub enrol: String,
    /// How the hub's CA was known when the agent was set up. What the hub has said since counts more, for as long as this stays
    /// the same.
    pub trust: Trust,
    /// The account that the agent acts in.
    pub account: AccountId,
    /// The Region that it acts in; its STS is the one that the hub asks.
    pub region: Region,
    /// The connection to serve; without one the hub picks the account's.
    pub connection: Option<ConnectionId>,
    /// The agent's directory; the identity is one file in it.
    pub state_dir: PathBuf,
    /// How long to wait between attempts.
    pub waits: Waits,
}

/// Bounds of the wait between attempts, which grows and is spread at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// The first and shortest.
    pub shortest: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            shortest: Duration::from_secs(5),
            longest: Duration::from_secs(60),
        }
    }
}

impl Waits {
    /// For development, where somebody sits and waits.
    #[must_use]
    pub const fn dev() -> Self {
        Self {
            shortest: Duration::from_millis(200),
            longest: Duration::from_secs(2),
        }
    }

    /// `spread` is in 0..1.
    fn after(self, attempts: u32, spread: f64) -> Duration {
        let most = self
            .shortest
            .saturating_mul(2u32.saturating_pow(attempts.min(16)))
            .min(self.longest);
        self.shortest + most.saturating_sub(self.shortest).mul_f64(spread)
    }
}

/// A certificate with its key, and what it was given with.
#[derive(Clone)]
pub struct Certificate {
    /// Leaf first. DER.
    pub chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivatePkcs8KeyDer<'static>>,
    /// The hub's CA, and its successor when there is one. DER.
    pub roots: Vec<CertificateDer<'static>>,
    /// Who the hub says this agent is.
    pub name: AgentName,
    /// The end of the certificate.
    pub not_after: Timestamp,
    /// When it was obtained, by this machine's clock.
    pub obtained_at: Timestamp,
    /// How long it was good for then, by the hub's.
    pub valid_for: Duration,
}

impl Certificate {
    /// The agent's id.
    #[must_use]
    pub const fn agent_id(&self) -> AgentId {
        self.name.agent
    }

    /// The connection that the agent serves.
    #[must_use]
    pub const fn connection_id(&self) -> ConnectionId {
        self.name.connection
    }

    /// The hub.
    #[must_use]
    pub const fn hub_id(&self) -> &HubId {
        &self.name.hub
    }

    /// The private key.
    #[must_use]
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.clone_key())
    }

    /// When it can no longer be used. The hub's span is counted on this machine's clock, so that a clock that is wrong
    /// does no harm.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.obtained_at.plus(self.valid_for)
    }

    /// `spread` is in 0..1: between 40 % and 60 % of the life, so that agents started together renew apart.
    fn renew_at(&self, spread: f64) -> Timestamp {
        self.obtained_at
            .plus(self.valid_for.mul_f64(0.2f64.mul_add(spread, 0.4)))
    }

    /// Whether the root that signed it is among those that it came with, or that were learned since.
    fn is_of_its_roots(&self) -> bool {
        let issuer = self.chain.first().and_then(issuer_key);
        issuer.is_some_and(|issuer| {
            self.roots
                .iter()
                .any(|root| key_of(root).as_ref() == Some(&issuer))
        })
    }

    /// Whether it is what these settings want, from a hub that is known like this.
    fn check(&self, settings: &Settings, trust: &Trust) -> Result<(), &'static str> {
        let leaf = self.chain.first().ok_or("there is no certificate")?;
        let key =
            rcgen::KeyPair::try_from(self.key.secret_pkcs8_der()).map_err(|_| "the key cannot be read")?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(leaf).map_err(|_| "the certificate is not DER")?;
        let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
        if parsed.tbs_certificate.subject_pki.raw != spki {
            return Err("the certificate is for another key");
        }
        if only_uri(leaf).ok() != Some(self.name.to_string()) {
            return Err("the certificate names somebody else");
        }
        if self.name.account != settings.account {
            return Err("the certificate is for another account");
        }
        if settings
            .connection
            .is_some_and(|connection| connection != self.name.connection)
        {
            return Err("the certificate is for another connection");
        }
        let trusted = self.roots.iter().any(|root| match trust {
            Trust::Pin(pin) => spki_digest(root).ok().as_ref() == Some(pin),
            Trust::Roots(roots) => roots.contains(root),
        });
        if trusted {
            Ok(())
        } else {
            Err("the certificate is of another CA")
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("name", &self.name.to_string())
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// The TLS settings for the job listener: this certificate, and the hub that gave it as the only server.
///
/// # Errors
/// When key and certificate cannot be used.
pub fn client_tls_config(certificate: &Certificate) -> Result<ClientConfig, TlsError> {
    let client = ClientIdentity {
        chain: certificate.chain.clone(),
        key: certificate.key(),
    };
    let trust = Trust::Roots(certificate.roots.clone());
    pinned_client_config(
        trust,
        Some(certificate.hub_id().clone()),
        Some(client),
        &[ALPN_H2],
    )
}

/// Connects to the job listener at `https://<host>:<port>` with this certificate.
///
/// # Errors
/// When the hub cannot be reached or is not the one that gave the certificate.
pub async fn connect(certificate: &Certificate, jobs: &str) -> Result<Channel, ConnectError> {
    connector(certificate)?.connect(jobs).await
}

/// What opens connections with this certificate. Kept, it resumes the TLS session of before, which spares both sides half
/// of their work.
///
/// # Errors
/// When the certificate and its key cannot be used.
pub fn connector(certificate: &Certificate) -> Result<HubConnector, TlsError> {
    Ok(HubConnector::new(client_tls_config(certificate)?))
}

/// The identity cannot be kept on disk.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} {}", path.display())]
pub struct DiskError {
    act: &'static str,
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

impl DiskError {
    /// There is no room.
    fn is_full(&self) -> bool {
        matches!(
            self.source.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        )
    }
}

/// The agent's identity, once there is one.
#[derive(Clone)]
pub struct Identity {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    credentials: SharedCredentialsProvider,
    now: Now,
    current: watch::Sender<Arc<Certificate>>,
    early: Notify,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificate", &self.current())
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// The certificate on disk, or a new one. Tries until there is one: nobody may have accepted the connection yet, and
    /// the hub may be away. Drop the future to stop.
    ///
    /// # Errors
    /// Only when the state directory cannot be used.
    pub async fn obtain(
        settings: Settings,
        credentials: SharedCredentialsProvider,
        now: Now,
    ) -> Result<Self, DiskError> {
        disk::prepare(&settings.state_dir)?;
        let earlier = disk::load(&settings, now());
        let certificate = match earlier.certificate {
            Some(certificate) => certificate,
            None => {
                let trust = earlier.roots.unwrap_or_else(|| settings.trust.clone());
                let fresh = enrol_until_done(&settings, &trust, &credentials, &now, earlier.agent).await;
                match disk::save(&settings, &fresh) {
                    // A disk that may not be written is a mistake that is to be seen at once. One that is full has room
                    // again some day, and the certificate is good without it.
                    Err(error) if error.is_full() => not_kept(&error),
                    saved => saved?,
                }
                fresh
            }
        };
        let shared = Shared {
            settings,
            credentials,
            now,
            current: watch::Sender::new(Arc::new(certificate)),
            early: Notify::new(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The certificate of now.
    #[must_use]
    pub fn current(&self) -> Arc<Certificate> {
        self.shared.current.borrow().clone()
    }

    /// Changes whenever there is a newer certificate.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<Certificate>> {
        self.shared.current.subscribe()
    }

    /// Renews at once: the hub does not accept the certificate any more, for instance since agents were revoked.
    pub fn renew_now(&self) {
        self.shared.early.notify_one();
    }

    /// Renews for ever. Drop the future to stop.
    pub async fn keep(&self) {
        let Shared {
            settings,
            credentials,
            now,
            current,
            early,
        } = &*self.shared;
        loop {
            let certificate = self.current();
            let due = certificate.renew_at(rand::random());
            tokio::select! {
                () = sleep_to(due, now) => {}
                () = early.notified() => {}
            }
            // Tried with the roots of now each time: they may change while the hub cannot be reached with those of before.
            let fresh = loop {
                let trust = Trust::Roots(self.current().roots.clone());
                let mut news = current.subscribe();
                tokio::select! {
                    fresh = enrol_until_done(settings, &trust, credentials, now, Some(certificate.agent_id())) => break fresh,
                    _ = news.changed() => {}
                }
            };
            self.keep_on_disk(&fresh);
            current.send_replace(Arc::new(fresh));
        }
    }

    /// The hub says which roots to trust from now on. A certificate of another one is renewed at once. What cannot be read, or
    /// is nothing, changes nothing.
    pub fn learn(&self, roots: &[impl AsRef<[u8]>]) {
        let roots: Vec<CertificateDer<'static>> = roots
            .iter()
            .map(|root| CertificateDer::from(root.as_ref().to_vec()))
            .collect();
        let now = self.current();
        if roots.is_empty() || roots == now.roots {
            return;
        }
        if roots.iter().any(|root| spki_digest(root).is_err()) {
            warn!("The hub named a root that is no certificate; those of before are trusted");
            return;
        }
        let learned = Certificate {
            roots,
            ..(*now).clone()
        };
        info!(roots = learned.roots.len(), "The hub's CA has other roots");
        self.keep_on_disk(&learned);
        let good = learned.is_of_its_roots();
        self.shared.current.send_replace(Arc::new(learned));
        if !good {
            self.renew_now();
        }
    }

    fn keep_on_disk(&self, certificate: &Certificate) {
        if let Err(error) = disk::save(&self.shared.settings, certificate) {
            not_kept(&error);
        }
    }
}

/// The key identifier of whoever signed a certificate, as it says.
fn issuer_key(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    parsed
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(key) => Some(key.key_identifier.as_ref()?.0.to_vec()),
            _ => None,
        })
}

/// The key identifier of a root.
fn key_of(root: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(root).ok()?;
    parsed
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(key) => Some(key.0.to_vec()),
            _ => None,
        })
}

/// The certificate is good without the disk; only a restart has to enrol anew.
fn not_kept(error: &DiskError) {
    warn!(error = %error, cause = %error.source, "Cannot keep the certificate on disk");
}

/// Waits for a point in time of a clock that may be set or stand still: looks again at least every minute.
async fn sleep_to(due: Timestamp, now: &Now) {
    loop {
        let left = due.since(now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(Duration::from_secs(60))).await;
    }
}

async fn enrol_until_done(
    settings: &Settings,
    trust: &Trust,
    credentials: &SharedCredentialsProvider,
    now: &Now,
    agent: Option<AgentId>,
) -> Certificate {
    let mut attempts = 0;
    let mut said = String::new();
    loop {
        match enrol::enrol(settings, trust, credentials, now, agent).await {
            Ok(certificate) => {
                hadron_proto::fault::point("C08");
                info!(agent.id = %certificate.agent_id(), hub.id = %certificate.hub_id(), not_after = %certificate.not_after, "Enrolled");
                return certificate;
            }
            Err(error) => {
                let text = error.chain();
                // Waiting for people can take days: each reason is said once.
                if said == text {
                    tracing::debug!(error = %text, "Still not enrolled");
                } else if error.is_pending() {
                    info!(reason = %text, "Waiting for the connection to be accepted");
                } else {
                    warn!(error = %text, "Cannot enrol; trying again");
                }
                said = text;
            }
        }
        tokio::time::sleep(settings.waits.after(attempts, rand::random())).await;
        attempts += 1;
    }
}

#[cfg(test)]
mod tests;
