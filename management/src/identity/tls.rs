//! What the listeners demand, and how a connection becomes a peer with a name.
//!
//! * enrolment: no client certificate, TLS 1.3;
//! * job: a client certificate of the hub's own CA that names an agent of this hub, TLS 1.3, no early data; sessions are
//!   resumed by [`tickets`](super::tickets), and the certificate is judged anew on every connection;
//! * API: TLS 1.2 and 1.3 without client certificates, HTTP/2 and 1.1, for unmodified AWS clients.
//!
//! All of them show the same leaf ([`ServerIdentity`]), which is renewed in memory.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hadron_proto::spiffe::{AgentName, HubId};
use hadron_proto::tls::{ALPN_H2, only_uri, provider};
use hadron_proto::vocab::{AccountId, AgentId, ConnectionId, Timestamp};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, HandshakeKind, OtherError, RootCertStore,
    ServerConfig, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::accept::Seat;
pub use super::accept::{Agents, Limits, serve_tls};
use super::ca::{Ca, CaError, LONGEST_LEAF, Serial, issuer_of};
use super::random;
use super::tickets::Tickets;
use crate::clock::Clock;

/// How long the leaf of the hub's servers lives; renewed when a third of it has passed.
const SERVER_LIFE: Duration = LONGEST_LEAF;
/// The longest chain of a client, in bytes and in certificates. Honest agents send one certificate of some 600 bytes.
const MAX_CHAIN_BYTES: usize = 16 * 1024;
const MAX_CHAIN: usize = 4;

/// A listener cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetup {
    /// No certificate for it.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// rustls refuses the settings.
    #[error("cannot set up TLS")]
    Rustls(#[from] rustls::Error),
    /// No verifier of client certificates can be made of the roots.
    #[error("cannot set up the check of client certificates")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// The certificate of the hub's own servers.
pub struct ServerIdentity {
    ca: Arc<Ca>,
    names: Vec<String>,
    current: RwLock<Current>,
}

/// The certificate of now.
struct Current {
    key: Arc<CertifiedKey>,
    not_after: Timestamp,
    /// What is shown behind it.
    shown: Vec<CertificateDer<'static>>,
}

impl std::fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerIdentity")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl ServerIdentity {
    /// Makes a first certificate for these DNS names and IP addresses.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate, or the CA cannot sign.
    pub fn new(ca: Arc<Ca>, names: Vec<String>, now: Timestamp) -> Result<Arc<Self>, TlsSetup> {
        let current = RwLock::new(make(&ca, &names, now)?);
        Ok(Arc::new(Self { ca, names, current }))
    }

    /// Makes a new certificate when a third of the present one's life is over, or the CA is another. Answers whether it did.
    ///
    /// # Errors
    /// When the CA cannot sign; the present certificate stays.
    pub fn renew_if_due(&self, now: Timestamp) -> Result<bool, TlsSetup> {
        {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            if current.not_after.since(now) > SERVER_LIFE * 2 / 3 && current.shown == self.ca.shown() {
                return Ok(false);
            }
        }
        let fresh = make(&self.ca, &self.names, now)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(true)
    }

    /// Looks every hour, and when the CA changes, whether the certificate is due. Runs until dropped.
    pub async fn keep_fresh(self: Arc<Self>, clock: Clock) {
        let mut every = tokio::time::interval(Duration::from_secs(3600));
        let mut changes = self.ca.changes();
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = changes.next() => {}
            }
            match self.renew_if_due(clock.now()) {
                Ok(true) => tracing::info!("Renewed the certificate of the hub's servers"),
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(error = %error, "Cannot renew the certificate of the hub's servers")
                }
            }
        }
    }
}

fn make(ca: &Ca, names: &[String], now: Timestamp) -> Result<Current, TlsSetup> {
    let serial = Serial::from_random(random().map_err(CaError::from)?);
    // Taken first: a CA that changes in between is noticed by it.
    let shown = ca.shown();
    let (leaf, key) = ca.server_leaf(names, serial, now, SERVER_LIFE)?;
    // The roots are shown, too: a client that knows one only by its hash finds it there.
    let chain = std::iter::once(leaf.der).chain(shown.iter().cloned()).collect();
    Ok(Current {
        key: Arc::new(CertifiedKey::from_der(chain, key, &provider())?),
        not_after: leaf.not_after,
        shown,
    })
}

impl ResolvesServerCert for ServerIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(
            &self.current.read().unwrap_or_else(PoisonError::into_inner).key,
        ))
    }
}

/// The enrolment listener: anybody may connect, only with TLS 1.3.
///
/// # Errors
/// When rustls refuses the settings.
pub fn enrolment_config(identity: Arc<ServerIdentity>) -> Result<Arc<ServerConfig>, TlsSetup> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(identity);
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    forget_sessions(&mut config);
    Ok(Arc::new(config))
}

/// The job listener: agents of this hub only, with tickets to come back with.
///
/// # Errors
/// When rustls refuses the settings.
pub fn job_config(
    identity: Arc<ServerIdentity>,
    tickets: Arc<Tickets>,
) -> Result<Arc<ServerConfig>, TlsSetup> {
    let verifier = AgentVerifier::new(Arc::clone(&identity.ca))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(identity);
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    forget_sessions(&mut config);
    config.ticketer = tickets;
    // An agent has one connection, and one ticket is enough for the next.
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// The API listener.
///
/// # Errors
/// When rustls refuses the settings.
pub fn api_config(identity: Arc<ServerIdentity>) -> Result<Arc<ServerConfig>, TlsSetup> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(identity);
    config.alpn_protocols = vec![ALPN_H2.to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// No tickets, no session cache, no early data.
fn forget_sessions(config: &mut ServerConfig) {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
}

/// Who is at the other end of a job connection, from its certificate alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PeerIdentity {
    /// The account.
    pub account: AccountId,
    /// The connection.
    pub connection: ConnectionId,
    /// The agent.
    pub agent: AgentId,
    /// When the certificate ends, and with it the session.
    pub not_after: Timestamp,
    /// The certificate's serial number in hexadecimal digits.
    pub serial: String,
    /// The key identifier of the root that signed it.
    pub issuer: Option<Vec<u8>>,
}

/// A certificate that is good for rustls but names no agent of this hub.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum InvalidPeer {
    /// No one readable name.
    #[error("the certificate names no agent: {reason}")]
    Name {
        /// What is wrong.
        reason: String,
    },
    /// An agent of another hub.
    #[error("the certificate is of hub {found}")]
    OtherHub {
        /// The hub that it names.
        found: HubId,
    },
    /// Too many or too long certificates.
    #[error("the chain has more than {MAX_CHAIN} certificates or {MAX_CHAIN_BYTES} bytes")]
    Chain,
}

impl PeerIdentity {
    /// Reads the name in a certificate whose chain was already checked: exactly one URI, of this hub, in its one
    /// spelling.
    ///
    /// # Errors
    /// When there is anything else.
    pub fn read(certificate: &CertificateDer<'_>, hub: &HubId) -> Result<Self, InvalidPeer> {
        let reason = |error: &dyn std::fmt::Display| InvalidPeer::Name {
            reason: error.to_string(),
        };
        let uri = only_uri(certificate).map_err(|error| reason(&error))?;
        let name: AgentName = uri.parse().map_err(|error| reason(&error))?;
        if name.hub != *hub {
            return Err(InvalidPeer::OtherHub { found: name.hub });
        }
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|error| reason(&error))?;
        let not_after = parsed.validity().not_after.timestamp().saturating_mul(1_000_000);
        let AgentName {
            account,
            connection,
            agent,
            ..
        } = name;
        let serial = parsed.raw_serial().iter().skip_while(|byte| **byte == 0);
        let serial = serial.map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            account,
            connection,
            agent,
            not_after: Timestamp::from_micros(not_after),
            serial,
            issuer: issuer_of(certificate),
        })
    }
}

/// webpki's checks with the roots of now, then the name: a certificate without one is refused in the handshake already.
#[derive(Debug)]
struct AgentVerifier {
    ca: Arc<Ca>,
    inner: RwLock<Inner>,
    /// All roots have one name, so these do not change.
    hints: Vec<DistinguishedName>,
}

/// A verifier for these roots.
#[derive(Clone, Debug)]
struct Inner {
    roots: Vec<CertificateDer<'static>>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Inner {
    fn new(roots: Vec<CertificateDer<'static>>) -> Result<Self, TlsSetup> {
        let mut store = RootCertStore::empty();
        for root in &roots {
            store.add(root.clone())?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider()).build()?;
        Ok(Self { roots, verifier })
    }
}

impl AgentVerifier {
    fn new(ca: Arc<Ca>) -> Result<Self, TlsSetup> {
        let inner = Inner::new(ca.roots())?;
        Ok(Self {
            hints: inner.verifier.root_hint_subjects().to_vec(),
            inner: RwLock::new(inner),
            ca,
        })
    }

    /// The verifier for the roots of now.
    fn inner(&self) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
        let roots = self.ca.roots();
        {
            let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
            if inner.roots == roots {
                return Ok(Arc::clone(&inner.verifier));
            }
        }
        let fresh = Inner::new(roots).map_err(|error| rustls::Error::General(error.to_string()))?;
        let verifier = Arc::clone(&fresh.verifier);
        *self.inner.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(verifier)
    }
}

impl ClientCertVerifier for AgentVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let refuse = |fault: InvalidPeer| {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(fault))))
        };
        let bytes = end_entity.len() + intermediates.iter().map(|one| one.len()).sum::<usize>();
        if intermediates.len() >= MAX_CHAIN || bytes > MAX_CHAIN_BYTES {
            return Err(refuse(InvalidPeer::Chain));
        }
        let verified = self.inner()?.verify_client_cert(end_entity, intermediates, now)?;
        PeerIdentity::read(end_entity, self.ca.hub_id()).map_err(refuse)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.inner()?.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.inner()?.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// What handlers find in the extensions of each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The address.
    pub address: SocketAddr,
    /// Who it is; always there on the job listener, never on the others.
    pub identity: Option<PeerIdentity>,
}

/// How long the hub listens on a connection that it has ended: some round trips, in which the peer notices.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection whose handshake is done.
#[derive(Debug)]
pub struct TlsConnection {
    stream: TlsStream<TcpStream>,
    peer: Peer,
    _seat: Seat,
    /// Set once the hub has said that it will not say any more: how long it still listens.
    farewell: Option<Pin<Box<Sleep>>>,
}

impl TlsConnection {
    pub(super) const fn new(stream: TlsStream<TcpStream>, peer: Peer, seat: Seat) -> Self {
        Self {
            stream,
            peer,
            _seat: seat,
            farewell: None,
        }
    }

    /// Whether an earlier TLS session was resumed.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Who is at the other end.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether HTTP/2 was agreed on.
    #[must_use]
    pub fn is_h2(&self) -> bool {
        self.stream.get_ref().1.alpn_protocol() == Some(ALPN_H2)
    }
}

impl Connected for TlsConnection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for TlsConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Says that nothing follows, and listens until the peer has nothing to say either, or for [`FAREWELL`]. A socket that is
    /// closed with something unread in it is reset, and what was a request turned away in good order is a broken connection
    /// to the peer, which cannot know then whether it was carried out.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.farewell.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let farewell = this
            .farewell
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(FAREWELL)));
        let mut unheard = [0; 1024];
        loop {
            let mut some = ReadBuf::new(&mut unheard);
            match Pin::new(&mut this.stream).poll_read(cx, &mut some) {
                Poll::Ready(Ok(())) if !some.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return farewell.as_mut().poll(cx).map(Ok),
            }
        }
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
