//! The hub's certificate authority. A P-256 root signs two kinds of leaf: those of the hub's own servers, and those of agents.
//! A leaf cannot sign, and says in its extended key usage which side of a connection it may stand on.
//!
//! The first root is made at the first start and written to one file of the data directory; later ones are in the database, and
//! that file is kept as they are ([`app::ca`](crate::app::ca)). A [`Ca`] takes new roots while it is in use ([`Ca::adopt`]).
//! All roots of a hub have one common name, the hub's id, so that the two cannot come apart; and each has certified the key of
//! the one before and after it. So the chain that servers show leads to either, and whoever knows one of them by its pin goes on.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hadron_proto::spiffe::{AgentName, HubId};
use hadron_proto::tls::spki_digest;
use hadron_proto::vocab::{Digest, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::sync::watch;
use x509_parser::prelude::{FromDer as _, ParsedExtension, X509Certificate};

use super::csr::AgentKey;
use super::{DevMode, NoRandomness, random};

/// The file with the CA's key and certificate, in the data directory.
pub const CA_FILE: &str = "ca.pem";
/// The CA's certificate alone, for clients (`AWS_CA_BUNDLE`, `hadron --ca`).
pub const CA_CERTIFICATE_FILE: &str = "ca.crt";

const CA_LIFE: Duration = Duration::from_secs(3650 * 24 * 3600);
/// The longest life of a leaf: that of the hub's own servers. Agents' end within a day.
pub const LONGEST_LEAF: Duration = Duration::from_secs(7 * 24 * 3600);
/// Clocks differ: a certificate is valid from a minute before it was made.
const BACKDATE: Duration = Duration::from_secs(60);

/// The CA cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A file could not be read or written.
    #[error("cannot {act} {}", path.display())]
    File {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Other users of the machine can read the key.
    #[error("{} can be read by others (mode {mode:o}): run `chmod 600` on it, and consider the key known to them", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file's content is not what the hub wrote.
    #[error("the CA file is damaged: {0}; restore it from a backup")]
    Damaged(&'static str),
    /// A hub of one mode was started on the data of the other.
    #[error("hub id {hub} belongs to {}: use another data directory", if *dev { "a hub without --dev" } else { "a hub started with --dev" })]
    Mode {
        /// The hub of the data directory.
        hub: HubId,
        /// Whether the process runs in development mode.
        dev: bool,
    },
    /// The CA's certificate has run out.
    #[error("the CA certificate ended at {at}")]
    Expired {
        /// Its last moment.
        at: Timestamp,
    },
    /// A name cannot stand in a certificate.
    #[error("'{name}' cannot stand in a certificate: give a DNS name or an IP address")]
    Name {
        /// The name.
        name: String,
    },
    /// The library refused.
    #[error("cannot make a certificate")]
    Issue(#[from] rcgen::Error),
    /// No randomness for a key or a serial number.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// How long agents' certificates live: one hour unless configured, 10 minutes to 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafLife(Duration);

impl LeafLife {
    /// Checks the bounds.
    #[must_use]
    pub fn new(life: Duration) -> Option<Self> {
        let bounds = Duration::from_secs(600)..=Duration::from_secs(24 * 3600);
        bounds.contains(&life).then_some(Self(life))
    }

    /// The life as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Seconds instead of minutes, to see renewals in tests and demonstrations.
    #[must_use]
    pub const fn short(_: DevMode, life: Duration) -> Self {
        Self(life)
    }
}

impl Default for LeafLife {
    fn default() -> Self {
        Self(Duration::from_secs(3600))
    }
}

/// A certificate's serial number: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial([u8; 16]);

impl Serial {
    /// From random bytes. RFC 5280 wants a positive number without leading zeros; two bits pay for that.
    #[must_use]
    pub const fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[0] = (bytes[0] & 0x7f) | 0x40;
        Self(bytes)
    }

    /// The number, big-endian.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// 32 hexadecimal digits, as `openssl x509 -serial` prints it in lower case.
    #[must_use]
    pub fn hex(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }
}

impl std::fmt::Debug for Serial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.hex())
    }
}

/// A certificate just made.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// DER.
    pub der: CertificateDer<'static>,
    /// Its serial number.
    pub serial: Serial,
    /// First moment of validity, a minute ago.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
}

struct Slot {
    issuer: Issuer<'static, KeyPair>,
    not_after: Timestamp,
}

/// What the CA is at one moment.
struct Present {
    /// What signs now.
    active: Slot,
    /// Everything that is trusted, the active root first. A successor is listed here before it signs, a predecessor
    /// until its last leaf has run out.
    roots: Vec<CertificateDer<'static>>,
    /// What servers show behind their leaf.
    shown: Vec<CertificateDer<'static>>,
    /// Key identifiers of the roots: leaves name that of their issuer.
    keys: BTreeSet<Vec<u8>>,
}

/// The roots as the database has them.
#[derive(Clone)]
pub struct Roots {
    /// The root that signs. DER.
    pub active: CertificateDer<'static>,
    /// Its key, PEM.
    pub key: String,
    /// Its successor or predecessor, which is trusted as well. DER.
    pub other: Option<CertificateDer<'static>>,
    /// The active root's key, certified by that one. DER.
    pub crossed: Option<CertificateDer<'static>>,
}

/// A root that was just made, to sign one day.
pub struct Successor {
    /// DER.
    pub certificate: CertificateDer<'static>,
    /// Its key, PEM.
    pub key: String,
    /// Its pin.
    pub pin: Digest,
    /// Its key, certified by the root that signs now. DER.
    pub by_other: CertificateDer<'static>,
    /// The key of the root that signs now, certified by it. DER.
    pub of_other: CertificateDer<'static>,
    /// The beginning and end of its life.
    pub life: (Timestamp, Timestamp),
}

/// The hub's certificate authority.
pub struct Ca {
    hub: HubId,
    present: watch::Sender<Arc<Present>>,
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ca")
            .field("hub", &self.hub)
            .field("roots", &self.present().roots.len())
            .finish_non_exhaustive()
    }
}

/// rcgen takes dates of the `time` crate and exports one way to make them.
macro_rules! date {
    ($at:expr) => {
        rcgen::date_time_ymd(1970, 1, 1)
            + Duration::from_secs(u64::try_from($at.as_millis() / 1_000).unwrap_or(0))
    };
}

/// Whole seconds, as certificates have them; the store must not remember a later end than the certificate says.
fn seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros().div_euclid(1_000_000) * 1_000_000)
}

fn params(serial: Serial, not_before: Timestamp, not_after: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
    params.distinguished_name = DistinguishedName::new();
    params.not_before = date!(not_before);
    params.not_after = date!(not_after);
    params.use_authority_key_identifier_extension = true;
    params
}

fn uri(text: &str) -> Result<SanType, CaError> {
    text.try_into().map(SanType::URI).map_err(|_| CaError::Name {
        name: text.to_owned(),
    })
}

/// What a root's certificate says.
fn root_params(
    hub: &HubId,
    serial: Serial,
    not_before: Timestamp,
    not_after: Timestamp,
) -> CertificateParams {
    let mut params = params(serial, not_before, not_after);
    params.distinguished_name.push(DnType::CommonName, hub.as_str());
    // A root that another one has certified has the same name, and so does not count as one more in the chain (RFC 5280, 6.1.4).
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A root's certificate and what stands in it.
struct Read<'a> {
    parsed: X509Certificate<'a>,
}

impl<'a> Read<'a> {
    fn new(certificate: &'a CertificateDer<'_>) -> Result<Self, CaError> {
        let (_, parsed) = X509Certificate::from_der(certificate)
            .map_err(|_| CaError::Damaged("its certificate is not DER"))?;
        Ok(Self { parsed })
    }

    fn hub(&self) -> Result<HubId, CaError> {
        let name = self.parsed.subject().iter_common_name().next();
        name.and_then(|name| name.as_str().ok()?.parse().ok())
            .ok_or(CaError::Damaged("its certificate names no hub"))
    }

    fn life(&self) -> (Timestamp, Timestamp) {
        let micros = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
        let validity = self.parsed.validity();
        (
            micros(validity.not_before.timestamp()),
            micros(validity.not_after.timestamp()),
        )
    }

    fn key_identifier(&self) -> Option<Vec<u8>> {
        self.parsed
            .extensions()
            .iter()
            .find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(key) => Some(key.0.to_vec()),
                _ => None,
            })
    }
}

/// The beginning and end of a root's life.
///
/// # Errors
/// When the bytes are no certificate.
pub fn life_of(root: &CertificateDer<'_>) -> Result<(Timestamp, Timestamp), CaError> {
    Ok(Read::new(root)?.life())
}

/// The key identifier of whoever signed a leaf, as the leaf says it.
#[must_use]
pub fn issuer_of(leaf: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
    parsed
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(key) => Some(key.key_identifier.as_ref()?.0.to_vec()),
            _ => None,
        })
}

fn key_pair(pem: &str) -> Result<KeyPair, CaError> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| CaError::Damaged("it has no key"))?;
    KeyPair::try_from(&key).map_err(|_| CaError::Damaged("its key cannot be read"))
}

impl Present {
    fn new(roots: &Roots) -> Result<Self, CaError> {
        let Roots {
            active,
            key,
            other,
            crossed,
        } = roots;
        let key = key_pair(key)?;
        let read = Read::new(active)?;
        if read.parsed.tbs_certificate.subject_pki.raw != rcgen::PublicKeyData::subject_public_key_info(&key)
        {
            return Err(CaError::Damaged("key and certificate do not belong together"));
        }
        let (_, not_after) = read.life();
        let all: Vec<_> = std::iter::once(active).chain(other).cloned().collect();
        let keys = all
            .iter()
            .map(|root| Ok::<_, CaError>(Read::new(root)?.key_identifier()));
        let keys: Result<Vec<_>, CaError> = keys.collect();
        // The root itself is not shown beside its cross-certificate: a client that takes the shorter way would end at a root
        // that it does not know, and some do not try the other one. The cross-certificate has its key, and so its pin.
        let shown = match (crossed, other) {
            (Some(crossed), Some(other)) => vec![crossed.clone(), other.clone()],
            _ => vec![active.clone()],
        };
        Ok(Self {
            active: Slot {
                issuer: Issuer::from_ca_cert_der(active, key)?,
                not_after,
            },
            roots: all,
            shown,
            keys: keys?.into_iter().flatten().collect(),
        })
    }
}

/// Makes a root that is to follow the one that signs now, and lets each certify the other's key.
///
/// # Errors
/// When the active root cannot be read, or the library cannot make a key or sign.
pub fn successor(active: &CertificateDer<'_>, key: &str, now: Timestamp) -> Result<Successor, CaError> {
    let read = Read::new(active)?;
    let (hub, (_, ends)) = (read.hub()?, read.life());
    let (old_key, old_issuer_key) = (key_pair(key)?, key_pair(key)?);
    let old_issuer = Issuer::from_ca_cert_der(active, old_issuer_key)?;
    let serial = || Ok::<_, CaError>(Serial::from_random(random()?));
    let (from, until) = (seconds(now.minus(BACKDATE)), seconds(now.plus(CA_LIFE)));
    let key = KeyPair::generate()?;
    let written = key.serialize_pem();
    let params = root_params(&hub, serial()?, from, until);
    let certificate = params.self_signed(&key)?.der().clone();
    // None of them is good for longer than either root.
    let both = until.min(ends);
    let by_other = root_params(&hub, serial()?, from, both).signed_by(&key, &old_issuer)?;
    let issuer = Issuer::new(params, key);
    let of_other = root_params(&hub, serial()?, from, both).signed_by(&old_key, &issuer)?;
    Ok(Successor {
        pin: spki_digest(&certificate).map_err(|_| CaError::Damaged("a new root is unusable"))?,
        certificate,
        key: written,
        by_other: by_other.der().clone(),
        of_other: of_other.der().clone(),
        life: (from, until),
    })
}

impl Ca {
    /// Makes a CA with a new key.
    ///
    /// # Errors
    /// When the library cannot make a key or sign.
    pub fn generate(hub: HubId, serial: Serial, now: Timestamp) -> Result<Self, CaError> {
        let key = KeyPair::generate()?;
        let params = root_params(&hub, serial, now.minus(BACKDATE), seconds(now.plus(CA_LIFE)));
        let roots = Roots {
            active: params.self_signed(&key)?.der().clone(),
            key: key.serialize_pem(),
            other: None,
            crossed: None,
        };
        Self::new(hub, &roots)
    }

    fn new(hub: HubId, roots: &Roots) -> Result<Self, CaError> {
        Ok(Self {
            hub,
            present: watch::Sender::new(Arc::new(Present::new(roots)?)),
        })
    }

    fn present(&self) -> Arc<Present> {
        Arc::clone(&self.present.borrow())
    }

    /// Signs and trusts as these roots say from now on; answers whether that is another way than before. Whoever uses the CA
    /// notices by [`Ca::changes`].
    ///
    /// # Errors
    /// When they are not usable, or another hub's. All stays as it was then.
    pub fn adopt(&self, roots: &Roots) -> Result<bool, CaError> {
        for root in std::iter::once(&roots.active).chain(&roots.other) {
            if Read::new(root)?.hub()? != self.hub {
                return Err(CaError::Damaged("a root is another hub's"));
            }
        }
        let fresh = Present::new(roots)?;
        Ok(self.present.send_if_modified(|present| {
            let other = present.roots != fresh.roots || present.shown != fresh.shown;
            if other {
                *present = Arc::new(fresh);
            }
            other
        }))
    }

    /// Tells whenever other roots are trusted, or another one signs.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes(self.present.subscribe())
    }

    /// Whether a leaf whose issuer has this key identifier is still to be trusted.
    #[must_use]
    pub fn trusts(&self, issuer: Option<&[u8]>) -> bool {
        issuer.is_some_and(|issuer| self.present.borrow().keys.contains(issuer))
    }

    /// Reads what [`Ca::to_pem`] wrote.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn from_pem(pem: &str) -> Result<Self, CaError> {
        let roots = Self::roots_in(pem)?;
        Self::new(Read::new(&roots.active)?.hub()?, &roots)
    }

    /// The roots in what [`Ca::to_pem`] wrote.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn roots_in(pem: &str) -> Result<Roots, CaError> {
        let key = key_pair(pem)?.serialize_pem();
        let roots: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| CaError::Damaged("a certificate cannot be read"))?;
        let mut roots = roots.into_iter();
        Ok(Roots {
            active: roots.next().ok_or(CaError::Damaged("it has no certificate"))?,
            key,
            other: roots.next(),
            crossed: None,
        })
    }

    /// The key and the roots. A secret.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let present = self.present();
        let mut text = present.active.issuer.key().serialize_pem();
        text.push_str(&pems_of(&present.roots));
        text
    }

    /// Loads the CA from the data directory, or makes it at the first start.
    ///
    /// # Errors
    /// When the file cannot be read or written, others can read it, it is damaged, or belongs to a hub of the other mode.
    pub fn load_or_create(directory: &Path, dev: Option<DevMode>, now: Timestamp) -> Result<Self, CaError> {
        let path = directory.join(CA_FILE);
        let ca = match read_private(&path)? {
            Some(pem) => Self::from_pem(&pem)?,
            None => {
                let hub = HubId::from_random(random()?, dev.is_some());
                let fresh = Self::generate(hub, Serial::from_random(random()?), now)?;
                write_private(&path, &fresh.to_pem())?;
                // Another process may have been faster; what is on disk is the CA.
                Self::from_pem(&read_private(&path)?.ok_or(CaError::Damaged("it vanished"))?)?
            }
        };
        if ca.hub.is_dev() != dev.is_some() {
            return Err(CaError::Mode {
                hub: ca.hub,
                dev: dev.is_some(),
            });
        }
        ca.publish(directory)?;
        Ok(ca)
    }

    /// Writes the file with the key and the one for clients, as the CA is now.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn save(&self, directory: &Path) -> Result<(), CaError> {
        let (path, text) = (directory.join(CA_FILE), self.to_pem());
        if read_private(&path)?.as_deref() != Some(text.as_str()) {
            replace_private(&path, &text)?;
        }
        self.publish(directory)
    }

    fn publish(&self, directory: &Path) -> Result<(), CaError> {
        let public = directory.join(CA_CERTIFICATE_FILE);
        fs::write(&public, self.roots_pem()).map_err(|source| CaError::File {
            act: "write",
            path: public,
            source,
        })
    }

    /// The hub's id.
    #[must_use]
    pub const fn hub_id(&self) -> &HubId {
        &self.hub
    }

    /// SHA-256 of the active root's `SubjectPublicKeyInfo`: what agents and the command line are given at installation.
    ///
    /// # Panics
    /// Never: the root was parsed when it was made or loaded.
    #[must_use]
    pub fn pin(&self) -> Digest {
        spki_digest(&self.present().roots[0]).expect("the root is a certificate")
    }

    /// Everything that is trusted, the active root first. DER.
    #[must_use]
    pub fn roots(&self) -> Vec<CertificateDer<'static>> {
        self.present().roots.clone()
    }

    /// Everything that is trusted, as PEM.
    #[must_use]
    pub fn roots_pem(&self) -> String {
        pems_of(&self.present().roots)
    }

    /// What servers show behind their leaf: from the active root to the other one, where there is one.
    #[must_use]
    pub fn shown(&self) -> Vec<CertificateDer<'static>> {
        self.present().shown.clone()
    }

    /// Signs an agent's certificate. The request contributed its key and nothing else.
    ///
    /// # Errors
    /// When the CA has run out or the library refuses.
    pub fn agent_leaf(
        &self,
        name: &AgentName,
        key: &AgentKey,
        serial: Serial,
        now: Timestamp,
        life: LeafLife,
    ) -> Result<Leaf, CaError> {
        let present = self.present();
        let mut wanted = present.leaf_params(serial, now, life.0)?;
        wanted.subject_alt_names = vec![uri(&name.to_string())?];
        wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let der = wanted.signed_by(key, &present.active.issuer)?.der().clone();
        Ok(Leaf {
            der,
            serial,
            not_before: seconds(now.minus(BACKDATE)),
            not_after: present.end(now, life.0),
        })
    }

    /// Signs a certificate for the hub's own servers, with a new key.
    ///
    /// # Errors
    /// When a name is neither a DNS name nor an IP address, the CA has run out, or the library refuses.
    pub fn server_leaf(
        &self,
        names: &[String],
        serial: Serial,
        now: Timestamp,
        life: Duration,
    ) -> Result<(Leaf, PrivateKeyDer<'static>), CaError> {
        let present = self.present();
        let mut wanted = present.leaf_params(serial, now, life)?;
        for name in names {
            let invalid = |_| CaError::Name { name: name.clone() };
            // rcgen takes any ASCII for a DNS name.
            ServerName::try_from(name.as_str()).map_err(invalid)?;
            let read = CertificateParams::new([name.clone()])?;
            wanted.subject_alt_names.extend(read.subject_alt_names);
        }
        wanted.subject_alt_names.push(uri(&self.hub.uri())?);
        wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let der = wanted.signed_by(&key, &present.active.issuer)?.der().clone();
        let leaf = Leaf {
            der,
            serial,
            not_before: seconds(now.minus(BACKDATE)),
            not_after: present.end(now, life),
        };
        let key = PrivateKeyDer::try_from(key.serialize_der())
            .map_err(|_| CaError::Damaged("a new key is unusable"))?;
        Ok((leaf, key))
    }

    /// Signs what no hub would.
    #[cfg(test)]
    pub(crate) fn sign_anything(&self, params: &CertificateParams, key: &KeyPair) -> CertificateDer<'static> {
        params
            .signed_by(key, &self.present().active.issuer)
            .expect("a certificate")
            .der()
            .clone()
    }
}

impl Present {
    /// No leaf outlives its issuer.
    fn end(&self, now: Timestamp, life: Duration) -> Timestamp {
        seconds(now.plus(life)).min(self.active.not_after)
    }

    fn leaf_params(
        &self,
        serial: Serial,
        now: Timestamp,
        life: Duration,
    ) -> Result<CertificateParams, CaError> {
        if self.active.not_after <= now {
            return Err(CaError::Expired {
                at: self.active.not_after,
            });
        }
        let mut params = params(serial, now.minus(BACKDATE), self.end(now, life));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        Ok(params)
    }
}

/// Waits for the CA to change.
pub struct Changes(watch::Receiver<Arc<Present>>);

impl Changes {
    /// Waits until it is another one than when this was last asked. May be dropped and asked again without loss.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody has it any more, so it does not change either.
            std::future::pending::<()>().await;
        }
    }
}

fn pems_of(certificates: &[CertificateDer<'_>]) -> String {
    certificates
        .iter()
        .fold(String::new(), |text, certificate| text + &pem_of(certificate))
}

fn pem_of(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        pem.push('\n');
    }
    pem + "-----END CERTIFICATE-----\n"
}

pub(super) fn read_private(path: &Path) -> Result<Option<String>, CaError> {
    let file = |act| {
        move |source| CaError::File {
            act,
            path: path.to_owned(),
            source,
        }
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file("read")(error)),
        Ok(found) => {
            let mode = found.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(CaError::Exposed {
                    path: path.to_owned(),
                    mode,
                });
            }
        }
    }
    fs::read_to_string(path).map(Some).map_err(file("read"))
}

/// Writes a file of its owner's beside `path`, synced; gives where.
fn written_beside(path: &Path, text: &str) -> Result<PathBuf, CaError> {
    let file = |act, path: &Path| {
        let path = path.to_owned();
        move |source| CaError::File { act, path, source }
    };
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let _ = fs::remove_file(&temporary);
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(file("create", &temporary))?;
    out.write_all(text.as_bytes())
        .and_then(|()| out.sync_all())
        .map_err(file("write", &temporary))?;
    Ok(temporary)
}

/// Writes the whole file in the place of the one that is there, or nothing.
pub(super) fn replace_private(path: &Path, text: &str) -> Result<(), CaError> {
    let file = |act, path: &Path| {
        let path = path.to_owned();
        move |source| CaError::File { act, path, source }
    };
    let temporary = written_beside(path, text)?;
    fs::rename(&temporary, path).map_err(file("write", path))?;
    let parent = path.parent().unwrap_or_else(|| Path::new("."));
    fs::File::open(parent)
        .and_then(|directory| directory.sync_all())
        .map_err(file("write", parent))
}

/// Writes the whole file or nothing, and never over an existing one.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), CaError> {
    let file = |act, path: &Path| {
        let path = path.to_owned();
        move |source| CaError::File { act, path, source }
    };
    let temporary = written_beside(path, text)?;
    let linked = match fs::hard_link(&temporary, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(file("create", path)),
    };
    let _ = fs::remove_file(&temporary);
    linked?;
    let parent = path.parent().unwrap_or_else(|| Path::new("."));
    fs::File::open(parent)
        .and_then(|directory| directory.sync_all())
        .map_err(file("write", parent))
}

#[cfg(test)]
#[path = "ca_tests.rs"]
mod tests;
