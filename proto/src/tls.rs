//! How a client connects to a hub: TLS 1.3, and a server certificate that chains to the hub's own CA and names the hub.
//! The roots of the operating system are never asked.
//!
//! A client knows the CA by its certificate or only by the SHA-256 of its public key (a *pin*, short enough for an
//! install command). With a pin, the hub shows its CA in the handshake; the pin decides whether that CA is trusted.
//!
//! [`HubConnector::hub_id`] tells which hub answered. Whoever signs a proof for a hub must sign the id found there, and
//! not one from a message: else a hostile hub could pass on another hub's challenge (a relay).

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, HandshakeKind, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tower_service::Service;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

use crate::spiffe::HubId;
use crate::vocab::Digest;

/// Of gRPC.
pub const ALPN_H2: &[u8] = b"h2";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to a hub cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The given text holds no certificate.
    #[error("no CA certificate found in the PEM text")]
    NoCertificate,
    /// The given text is not PEM.
    #[error("cannot read the PEM text")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// The certificate is not one.
    #[error("cannot read the certificate: {0}")]
    Certificate(&'static str),
    /// rustls refuses.
    #[error("cannot set up TLS")]
    Rustls(#[from] rustls::Error),
    /// Not an address of a hub.
    #[error("'{given}' is not the address of a hub: it must be https://<host>:<port>")]
    Address {
        /// What was given.
        given: String,
    },
}

/// The only crypto provider of the project.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())))
}

/// Makes aws-lc-rs the process's provider. Libraries that do not take a provider (reqwest, the AWS SDK) panic at first
/// use without; call it first in every `main`. Calling it again does nothing.
pub fn install_provider() {
    if CryptoProvider::get_default().is_none() {
        // A race is lost to somebody who did the same.
        let _ = aws_lc_rs::default_provider().install_default();
    }
}

/// How a client knows the hub's CA.
#[derive(Clone, PartialEq, Eq)]
pub enum Trust {
    /// By the SHA-256 of its DER `SubjectPublicKeyInfo`.
    Pin(Digest),
    /// By its certificate, or those of a CA and its successor.
    Roots(Vec<CertificateDer<'static>>),
}

impl Trust {
    /// Reads one or more PEM certificates.
    ///
    /// # Errors
    /// When there is none or one cannot be read.
    pub fn from_pem(pem: &str) -> Result<Self, TlsError> {
        let roots: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(TlsError::Pem)?;
        if roots.is_empty() {
            Err(TlsError::NoCertificate)
        } else {
            Ok(Self::Roots(roots))
        }
    }

    /// Stands for what it trusts, so that it can be noticed that somebody has configured something else.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        match self {
            Self::Pin(pin) => format!("pin {pin}"),
            Self::Roots(roots) => {
                let digests: Vec<u8> = roots
                    .iter()
                    .flat_map(|root| *Digest::of(root).as_bytes())
                    .collect();
                format!("roots {}", Digest::of(&digests))
            }
        }
    }

    fn anchors(&self, shown: &[CertificateDer<'_>]) -> Result<RootCertStore, rustls::Error> {
        let mut store = RootCertStore::empty();
        match self {
            Self::Roots(roots) => {
                for root in roots {
                    store.add(root.clone())?;
                }
            }
            Self::Pin(pin) => {
                for certificate in shown {
                    if spki_digest(certificate).ok().as_ref() == Some(pin) {
                        store.add(certificate.clone().into_owned())?;
                    }
                }
                if store.is_empty() {
                    return Err(refusal(Refusal::Pin { pin: *pin }));
                }
            }
        }
        Ok(store)
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pin(pin) => write!(f, "Pin({pin})"),
            Self::Roots(roots) => write!(f, "Roots({})", roots.len()),
        }
    }
}

/// A client certificate with its key.
pub struct ClientIdentity {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// The SHA-256 of a certificate's DER `SubjectPublicKeyInfo`: what a pin names.
///
/// # Errors
/// When the bytes are no certificate.
pub fn spki_digest(certificate: &CertificateDer<'_>) -> Result<Digest, TlsError> {
    let parsed = parse(certificate)?;
    Ok(Digest::of(parsed.tbs_certificate.subject_pki.raw))
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, TlsError> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) => Err(TlsError::Certificate("bytes follow its end")),
        Err(_) => Err(TlsError::Certificate("it is not DER")),
    }
}

/// The one URI among a certificate's alternative names.
///
/// # Errors
/// When there is none, more than one, more than one such extension, or the bytes are no certificate. A second name is
/// refused instead of skipped: two readers could otherwise pick different ones.
pub fn only_uri(certificate: &CertificateDer<'_>) -> Result<String, TlsError> {
    let parsed = parse(certificate)?;
    let mut uri = None;
    let mut extensions = 0;
    for extension in parsed.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => {
                extensions += 1;
                for name in &names.general_names {
                    match name {
                        GeneralName::URI(_) if uri.is_some() => {
                            return Err(TlsError::Certificate("it has more than one URI"));
                        }
                        GeneralName::URI(text) => uri = Some((*text).to_owned()),
                        GeneralName::Invalid(..) => {
                            return Err(TlsError::Certificate("it has a name that cannot be read"));
                        }
                        _ => {}
                    }
                }
            }
            ParsedExtension::ParseError { .. } => {
                return Err(TlsError::Certificate("it has an extension that cannot be read"));
            }
            _ => {}
        }
    }
    if extensions > 1 {
        return Err(TlsError::Certificate("it has its alternative names twice"));
    }
    uri.ok_or(TlsError::Certificate("it has no URI"))
}

/// rustls shows foreign errors by their debug form, and people read it: it is the same text.
#[derive(thiserror::Error)]
enum Refusal {
    #[error(
        "the server showed no CA with the pinned hash {pin}: check the address, and the pin against `hadron-hub admin pin`; the \
         hub may have another root since"
    )]
    Pin { pin: Digest },
    #[error("the server's certificate is not of a hub: {reason}")]
    NotAHub { reason: String },
    #[error("the server is hub {found}, expected {expected}")]
    OtherHub { found: HubId, expected: HubId },
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn refusal(refusal: Refusal) -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refusal))))
}

/// Whether a call failed because whoever answered showed no certificate of the hub that is trusted.
#[must_use]
pub fn refused_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let ours = matches!(
            error.downcast_ref(),
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
        );
        if ours || error.is::<Refusal>() {
            return true;
        }
        // An I/O error names as its source what the error within it has as source, and not that error.
        let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match within {
            Some(within) => Some(within),
            None => error.source(),
        };
    }
    false
}

fn hub_of(certificate: &CertificateDer<'_>) -> Result<HubId, Refusal> {
    let uri = only_uri(certificate).map_err(|error| Refusal::NotAHub {
        reason: error.to_string(),
    })?;
    HubId::from_uri(&uri).map_err(|error| Refusal::NotAHub {
        reason: error.to_string(),
    })
}

#[derive(Debug)]
struct HubVerifier {
    trust: Trust,
    hub: Option<HubId>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for HubVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let anchors = Arc::new(self.trust.anchors(intermediates)?);
        let inner = WebPkiServerVerifier::builder_with_provider(anchors, provider())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        // Chain, time, key usage and host name: all of webpki's checks stay on.
        inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let found = hub_of(end_entity).map_err(refusal)?;
        match &self.hub {
            Some(expected) if *expected != found => Err(refusal(Refusal::OtherHub {
                found,
                expected: expected.clone(),
            })),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Servers whose sessions an agent keeps: those of one hub, which have one name.
const KEPT_SESSIONS: usize = 4;

/// The TLS settings of a client of a hub: TLS 1.3 only, the hub's CA and, where it is known, the hub's id checked.
///
/// A client with a certificate may come back by resuming the session that it had, for as long as these very settings are
/// used: a new certificate or another trust makes new ones, which remember nothing. The chain is not checked again then,
/// but who does not hold the keys of a session in which it was checked cannot answer. Others are checked every time.
///
/// # Errors
/// When the client certificate and its key cannot be used.
pub fn pinned_client_config(
    trust: Trust,
    hub: Option<HubId>,
    client: Option<ClientIdentity>,
    alpn: &[&[u8]],
) -> Result<ClientConfig, TlsError> {
    let algorithms = provider().signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(HubVerifier {
            trust,
            hub,
            algorithms,
        }));
    let (mut config, resumption) = match client {
        Some(ClientIdentity { chain, key }) => (
            builder.with_client_auth_cert(chain, key)?,
            Resumption::in_memory_sessions(KEPT_SESSIONS),
        ),
        None => (builder.with_no_client_auth(), Resumption::disabled()),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config.resumption = resumption;
    Ok(config)
}

/// Opens connections to one hub, for tonic.
#[derive(Clone)]
pub struct HubConnector {
    config: Arc<ClientConfig>,
    seen: Arc<OnceLock<HubId>>,
    resumed: Arc<AtomicU64>,
}

impl HubConnector {
    /// A connector with settings of [`pinned_client_config`].
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        Self {
            config: Arc::new(config),
            seen: Arc::new(OnceLock::new()),
            resumed: Arc::default(),
        }
    }

    /// How many connections of this connector and its clones have resumed an earlier session.
    #[must_use]
    pub fn resumed(&self) -> u64 {
        self.resumed.load(Ordering::Relaxed)
    }

    /// The hub that answered, known from its certificate, once a connection stands. All clones share it, and a later
    /// connection to another hub is refused.
    #[must_use]
    pub fn hub_id(&self) -> Option<HubId> {
        self.seen.get().cloned()
    }

    /// A channel to `https://<host>:<port>` that connects now.
    ///
    /// # Errors
    /// When the address is of another form or the connection fails.
    pub async fn connect(&self, address: &str) -> Result<Channel, ConnectError> {
        let endpoint = endpoint(address)?.connect_timeout(CONNECT_TIMEOUT);
        Ok(endpoint.connect_with_connector(self.clone()).await?)
    }

    async fn open(self, uri: Uri) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text.to_owned());
        let host = uri
            .host()
            .ok_or_else(|| invalid("the hub's address has no host"))?;
        // IPv6 addresses stand in brackets in URIs, but nowhere else.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(443);
        let name =
            ServerName::try_from(host.clone()).map_err(|_| invalid("the hub's address has no valid host"))?;
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        // Without it each small message waits for the acknowledgement of the one before, about 40 ms.
        stream.set_nodelay(true)?;
        let stream = tokio_rustls::TlsConnector::from(Arc::clone(&self.config))
            .connect(name, stream)
            .await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let found = certificate.ok_or_else(|| io::Error::other("the hub showed no certificate"))?;
        let found = hub_of(found).map_err(io::Error::other)?;
        let first = self.seen.get_or_init(|| found.clone());
        if *first != found {
            return Err(io::Error::other(Refusal::OtherHub {
                found,
                expected: first.clone(),
            }));
        }
        if stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed) {
            self.resumed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(TokioIo::new(stream))
    }
}

impl fmt::Debug for HubConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubConnector")
            .field("hub", &self.seen.get())
            .finish_non_exhaustive()
    }
}

impl Service<Uri> for HubConnector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().open(uri))
    }
}

/// The hub cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address or the TLS settings cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No connection, or one that is not to be trusted; the reason is in the source.
    #[error("cannot connect to the hub")]
    Transport(#[from] tonic::transport::Error),
}

/// A tonic endpoint for `https://<host>:<port>`, to be used with a [`HubConnector`].
///
/// # Errors
/// When the address is of another form.
pub fn endpoint(address: &str) -> Result<Endpoint, TlsError> {
    let invalid = || TlsError::Address {
        given: address.chars().take(200).collect(),
    };
    let origin: Uri = address.parse().map_err(|_| invalid())?;
    let authority = origin.authority().ok_or_else(invalid)?;
    if origin.scheme_str() != Some("https") || !matches!(origin.path(), "" | "/") || origin.query().is_some()
    {
        return Err(invalid());
    }
    // tonic refuses `https` with a connector that brings its own TLS; the scheme that the server sees is the origin's.
    let target = Uri::builder()
        .scheme("http")
        .authority(match authority.port() {
            Some(_) => authority.as_str().to_owned(),
            None => format!("{authority}:443"),
        })
        .path_and_query("/")
        .build()
        .map_err(|_| invalid())?;
    Ok(Endpoint::from(target).origin(origin).tcp_nodelay(true))
}
