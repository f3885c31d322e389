//! One enrolment: challenge, proof, certificate.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use hadron_proto::proof::{Binding, CannotSign, sign};
use hadron_proto::spiffe::{AGENT_ID_METADATA, AgentName};
use hadron_proto::tls::{ALPN_H2, ConnectError, HubConnector, Trust, pinned_client_config};
use hadron_proto::vocab::{AgentId, Digest, Timestamp};
use hadron_proto::wire;
use hadron_proto::wire::enrolment_service_client::EnrolmentServiceClient;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PublicKeyData as _};
use rustls_pki_types::CertificateDer;
use tonic::{Code, Request, Status};

use super::{Certificate, Now, Settings};

/// For the whole exchange; the challenge in it lives 60 s.
const TIMEOUT: Duration = Duration::from_secs(45);

/// There is no certificate yet.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// No credentials to prove anything with.
    #[error("cannot get AWS credentials")]
    Credentials(#[source] CredentialsError),
    /// No key.
    #[error("cannot make a key")]
    Key(#[source] rcgen::Error),
    /// No connection to the hub.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The hub says no, or not yet.
    #[error("the hub says: {}", .0.message())]
    Refused(#[source] Box<Status>),
    /// The proof cannot be signed.
    #[error(transparent)]
    Sign(#[from] CannotSign),
    /// The hub's answer makes no sense, or is not the hub's.
    #[error("the hub's answer cannot be used: {0}")]
    Answer(&'static str),
    /// It took too long.
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    TimedOut,
}

impl EnrolError {
    /// Whether people have to accept the connection first.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Refused(status) if status.code() == Code::FailedPrecondition)
    }

    /// With all its causes.
    pub(super) fn chain(&self) -> String {
        let mut text = self.to_string();
        // A status repeats its message, which stands in the text already.
        let mut cause = if matches!(self, Self::Refused(_)) {
            None
        } else {
            self.source()
        };
        while let Some(error) = cause {
            let more = error.to_string();
            // I/O errors repeat what they wrap.
            if !text.ends_with(&more) {
                text = format!("{text}: {more}");
            }
            cause = error.source();
        }
        text
    }
}

impl From<Status> for EnrolError {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

pub(super) async fn enrol(
    settings: &Settings,
    trust: &Trust,
    credentials: &SharedCredentialsProvider,
    now: &Now,
    agent: Option<AgentId>,
) -> Result<Certificate, EnrolError> {
    let exchange = exchange(settings, trust, credentials, now, agent);
    tokio::time::timeout(TIMEOUT, exchange)
        .await
        .map_err(|_| EnrolError::TimedOut)?
}

async fn exchange(
    settings: &Settings,
    trust: &Trust,
    credentials: &SharedCredentialsProvider,
    now: &Now,
    agent: Option<AgentId>,
) -> Result<Certificate, EnrolError> {
    // First what can take long: the challenge must be answered within a minute.
    let credentials = credentials
        .provide_credentials()
        .await
        .map_err(EnrolError::Credentials)?;
    let key = KeyPair::generate().map_err(EnrolError::Key)?;
    let spki_sha256 = *Digest::of(&key.subject_public_key_info()).as_bytes();
    let csr_der = request_for(&key).map_err(EnrolError::Key)?;

    let config = pinned_client_config(trust.clone(), None, None, &[ALPN_H2]).map_err(ConnectError::from)?;
    let connector = HubConnector::new(config);
    let channel = connector.connect(&settings.enrol).await?;
    let hub = connector
        .hub_id()
        .ok_or(EnrolError::Answer("the server did not name itself"))?;
    let mut client = EnrolmentServiceClient::new(channel);

    let mut begin = Request::new(wire::BeginEnrolmentRequest {
        connection_id: settings.connection.map(|id| id.to_string()).unwrap_or_default(),
        account_id: settings.account.to_string(),
        region: settings.region.to_string(),
        spki_sha256: spki_sha256.to_vec(),
    });
    if let Some(Ok(id)) = agent.map(|agent| agent.to_string().parse()) {
        begin.metadata_mut().insert(AGENT_ID_METADATA, id);
    }
    let begun = client.begin_enrolment(begin).await?.into_inner();
    // The id is signed. Signing another than the server's own would let a hostile hub enrol here with its own key
    // somewhere else.
    if begun.hub_id != hub.as_str() {
        return Err(EnrolError::Answer("its challenge is for another hub"));
    }
    let nonce = begun
        .nonce
        .as_slice()
        .try_into()
        .map_err(|_| EnrolError::Answer("its nonce is not 32 bytes"))?;
    let binding = Binding::Enrol {
        nonce,
        hub_id: hub.clone(),
        spki_sha256,
    };
    let proof = sign(&credentials, &settings.region, now(), &binding)?;

    let finish = wire::FinishEnrolmentRequest {
        proof: Some(proof.to_wire(begun.challenge_id)),
        csr_der,
    };
    let given = client.finish_enrolment(finish).await?.into_inner();
    let id = |_| EnrolError::Answer("an id in it cannot be read");
    let name = AgentName {
        hub,
        account: settings.account,
        connection: given.connection_id.parse().map_err(id)?,
        agent: given.agent_id.parse().map_err(id)?,
    };
    let chain: Vec<_> = given
        .certificate_chain_der
        .into_iter()
        .map(CertificateDer::from)
        .collect();
    let not_after = end_of(&chain).ok_or(EnrolError::Answer("its certificate cannot be read"))?;
    let valid_for = given.valid_for.and_then(|span| Duration::try_from(span).ok());
    let certificate = Certificate {
        chain,
        key: Arc::new(key.serialize_der().into()),
        roots: given.roots_der.into_iter().map(CertificateDer::from).collect(),
        name,
        not_after,
        obtained_at: now(),
        valid_for: valid_for.ok_or(EnrolError::Answer(
            "it does not say how long the certificate is good",
        ))?,
    };
    certificate.check(settings, trust).map_err(EnrolError::Answer)?;
    Ok(certificate)
}

/// A request that asks for nothing: the hub decides what stands in the certificate.
fn request_for(key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(key)?.der().to_vec())
}

pub(super) fn end_of(chain: &[CertificateDer<'_>]) -> Option<Timestamp> {
    let (_, parsed) = x509_parser::parse_x509_certificate(chain.first()?).ok()?;
    Some(Timestamp::from_micros(
        parsed.validity().not_after.timestamp().checked_mul(1_000_000)?,
    ))
}
