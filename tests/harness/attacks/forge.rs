//! Keys, requests for certificates, proofs of STS, and certificates that no hub would give.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_credential_types::Credentials;
use hadron_management::clock::Clock;
use hadron_proto::proof::{Binding, sign};
use hadron_proto::vocab::{Digest, Timestamp};
use hadron_proto::wire;
use hadron_proto::wire::enrolment_service_client::EnrolmentServiceClient;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tonic::Status;
use tonic::transport::Channel;

use super::client;
use crate::REGION;
use crate::hub::{Hub, Ready};

/// SHA-256 of a key's `SubjectPublicKeyInfo`.
pub(super) fn spki(key: &KeyPair) -> [u8; 32] {
    *Digest::of(&key.subject_public_key_info()).as_bytes()
}

pub(super) fn key() -> Result<KeyPair> {
    KeyPair::generate().context("a key")
}

/// A request for a certificate that asks for nothing.
pub(super) fn csr(key: &KeyPair) -> Result<Vec<u8>> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    Ok(params
        .serialize_request(key)
        .context("a request for a certificate")?
        .der()
        .to_vec())
}

/// A client of a hub's enrolment listener, from this address.
pub(super) async fn door(ready: &Ready, from: IpAddr) -> Result<EnrolmentServiceClient<Channel>> {
    let channel = client::channel(ready, &ready.enrol, from, None).await?;
    Ok(EnrolmentServiceClient::new(channel).max_encoding_message_size(64 * 1024 * 1024))
}

/// A claim of an account's connection in the Region of all tests.
pub(super) fn place(account: &str, key: &KeyPair) -> wire::BeginEnrolmentRequest {
    wire::BeginEnrolmentRequest {
        connection_id: String::new(),
        account_id: account.to_owned(),
        region: REGION.to_owned(),
        spki_sha256: spki(key).to_vec(),
    }
}

/// A claim of a connection.
pub(super) fn claim(connection: &str, key: &KeyPair) -> wire::BeginEnrolmentRequest {
    wire::BeginEnrolmentRequest {
        connection_id: connection.to_owned(),
        ..place("", key)
    }
}

pub(super) fn now() -> Timestamp {
    Clock::system().now()
}

/// A proof for a challenge, as an agent signs it. `hub` is the hub that it is signed for.
pub(super) fn proof(
    who: &Credentials,
    begun: &wire::BeginEnrolmentResponse,
    hub: &str,
    key: &KeyPair,
    at: Timestamp,
) -> Result<wire::StsProof> {
    let binding = Binding::Enrol {
        nonce: begun.nonce.as_slice().try_into().context("a nonce")?,
        hub_id: hub.parse().context("the hub's id")?,
        spki_sha256: spki(key),
    };
    let region = REGION.parse().context("the Region")?;
    Ok(sign(who, &region, at, &binding)
        .context("signing")?
        .to_wire(begun.challenge_id.clone()))
}

/// A certificate of an agent, in PEM.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) chain: String,
    pub(super) key: String,
}

/// The PEM of DER.
pub(super) fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap_or_default())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

/// Enrols as an agent does.
pub(super) async fn enrol(
    ready: &Ready,
    from: IpAddr,
    who: &Credentials,
    account: &str,
) -> Result<Result<Identity, Status>> {
    let key = key()?;
    let mut door = door(ready, from).await?;
    let begun = match door.begin_enrolment(place(account, &key)).await {
        Ok(begun) => begun.into_inner(),
        Err(status) => return Ok(Err(status)),
    };
    let finish = wire::FinishEnrolmentRequest {
        proof: Some(proof(who, &begun, &ready.hub_id, &key, now())?),
        csr_der: csr(&key)?,
    };
    Ok(door.finish_enrolment(finish).await.map(|given| {
        let given = given.into_inner();
        Identity {
            chain: given.certificate_chain_der.iter().map(|der| pem(der)).collect(),
            key: key.serialize_pem(),
        }
    }))
}

/// The hub's CA key in the wrong hands.
pub(super) struct Forger {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    pub(super) hub: String,
}

/// What a forged certificate says.
pub(super) struct Forged {
    pub(super) names: Vec<SanType>,
    pub(super) usages: Vec<ExtendedKeyUsagePurpose>,
    /// Seconds from now.
    pub(super) from: i64,
    pub(super) until: i64,
}

pub(super) fn uri(text: &str) -> Result<SanType> {
    Ok(SanType::URI(text.try_into().context("a name")?))
}

fn date(seconds: i64) -> impl Fn(&mut CertificateParams, bool) {
    move |params, end| {
        let at = now().as_millis() / 1_000 + seconds;
        let at = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(at).unwrap_or(0));
        if end {
            params.not_after = at;
        } else {
            params.not_before = at;
        }
    }
}

impl Forger {
    /// With a hub's own key.
    pub(super) fn of(hub: &Hub) -> Result<Self> {
        let pem = std::fs::read_to_string(hub.folder().join("ca.pem")).context("the hub's CA key")?;
        let key = KeyPair::from_pem(&pem).context("the hub's CA key")?;
        let root = CertificateDer::from_pem_slice(pem.as_bytes()).context("the hub's CA")?;
        let issuer = Issuer::from_ca_cert_der(&root, key).context("the hub's CA")?;
        Ok(Self {
            issuer,
            root,
            hub: hub.ready().hub_id.clone(),
        })
    }

    /// With a key of one's own, under the same name.
    pub(super) fn other(hub: &str) -> Result<Self> {
        let key = key()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, hub);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = params
            .self_signed(&key)
            .context("a CA of one's own")?
            .der()
            .clone();
        Ok(Self {
            issuer: Issuer::new(params, key),
            root,
            hub: hub.to_owned(),
        })
    }

    /// The certificate of this CA.
    pub(super) fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// An intermediate CA below this one, good until so many seconds from now.
    pub(super) fn intermediate(&self, until: i64) -> Result<(Self, String)> {
        let key = key()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "intermediate");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        date(-7_200)(&mut params, false);
        date(until)(&mut params, true);
        let certificate = params.signed_by(&key, &self.issuer).context("an intermediate")?;
        let text = pem(certificate.der());
        let below = Self {
            root: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            hub: self.hub.clone(),
        };
        Ok((below, text))
    }

    /// A certificate with its key, both in PEM.
    pub(super) fn sign(&self, what: Forged) -> Result<(String, String)> {
        let key = key()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = what.names;
        params.extended_key_usages = what.usages;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // As those that the hub gives: it looks for the key that signed them.
        params.use_authority_key_identifier_extension = true;
        date(what.from)(&mut params, false);
        date(what.until)(&mut params, true);
        let certificate = params.signed_by(&key, &self.issuer).context("a certificate")?;
        Ok((pem(certificate.der()), key.serialize_pem()))
    }
}

/// The URI of a certificate in PEM.
pub(super) fn name_in(chain: &str) -> Result<String> {
    let first = CertificateDer::from_pem_slice(chain.as_bytes()).context("a certificate")?;
    hadron_proto::tls::only_uri(&first).context("the name in a certificate")
}
