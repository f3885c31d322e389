use std::net::Ipv4Addr;

use hadron_proto::tls::{ClientIdentity, HubConnector, Trust, pinned_client_config};
use hadron_proto::vocab::Digest;
use hadron_proto::wire;
use hadron_proto::wire::enrolment_service_client::EnrolmentServiceClient;
use hadron_proto::wire::enrolment_service_server::{EnrolmentService, EnrolmentServiceServer};
use rcgen::{CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, KeyPair, SanType};
use rustls::ClientConfig;
use rustls_pki_types::{PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::super::ca::LeafLife;
use super::super::csr::AgentKey;
use super::super::seal::Seal;
use super::super::testing::account;
use super::*;

fn now() -> Timestamp {
    Clock::system().now()
}

fn serial() -> Serial {
    Serial::from_random(random().unwrap())
}

fn ca(hub: &str) -> Arc<Ca> {
    Arc::new(Ca::generate(hub.parse().unwrap(), serial(), now()).unwrap())
}

fn server_identity(ca: &Arc<Ca>) -> Arc<ServerIdentity> {
    ServerIdentity::new(
        Arc::clone(ca),
        vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        now(),
    )
    .unwrap()
}

fn agent_name(hub: &str) -> AgentName {
    AgentName {
        hub: hub.parse().unwrap(),
        account: account(),
        connection: ConnectionId::from_parts(1, [1; 10]),
        agent: AgentId::from_parts(2, [2; 10]),
    }
}

fn client(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Option<ClientIdentity> {
    Some(ClientIdentity {
        chain,
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
    })
}

/// A certificate as the hub gives it.
fn given(ca: &Ca, hub: &str, at: Timestamp) -> (Vec<CertificateDer<'static>>, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let csr = CertificateParams::default().serialize_request(&key).unwrap();
    let csr = AgentKey::from_csr(csr.der()).unwrap();
    let leaf = ca
        .agent_leaf(&agent_name(hub), &csr, serial(), at, LeafLife::default())
        .unwrap();
    (vec![leaf.der], key)
}

/// A certificate of the hub's CA that the hub would never give.
fn forged(ca: &Ca, names: Vec<SanType>, usage: &[ExtendedKeyUsagePurpose]) -> Option<ClientIdentity> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = names;
    params.extended_key_usages = usage.to_vec();
    client(vec![ca.sign_anything(&params, &key)], &key)
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

struct Listener {
    address: SocketAddr,
    incoming: ReceiverStream<io::Result<TlsConnection>>,
}

async fn listen(config: Arc<ServerConfig>, hub: Option<HubId>) -> Listener {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let agents = hub.map(|hub| Agents {
        hub,
        clock: Clock::system(),
    });
    let limits = Limits {
        timeout: Duration::from_millis(500),
        at_once: 2,
        ..Limits::default()
    };
    Listener {
        address,
        incoming: serve_tls(listener, config, agents, limits),
    }
}

/// Tickets of a hub with this CA.
fn tickets(ca: &Arc<Ca>, clock: &Clock) -> Arc<Tickets> {
    let dir = tempfile::TempDir::new().unwrap();
    let seal = Seal::load_or_create(dir.path()).unwrap();
    Arc::new(Tickets::new(&seal, ca, clock.clone()))
}

impl Listener {
    async fn job(ca: &Arc<Ca>) -> Self {
        listen(
            job_config(server_identity(ca), tickets(ca, &Clock::system())).unwrap(),
            Some(ca.hub_id().clone()),
        )
        .await
    }

    /// The peer that the listener sees, or what the client sees instead.
    async fn meet(&mut self, config: ClientConfig) -> Result<Peer, io::Error> {
        let address = self.address;
        let client = async move {
            let stream = TcpStream::connect(address).await?;
            let name = ServerName::try_from("localhost").unwrap();
            let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config))
                .connect(name, stream)
                .await?;
            // With TLS 1.3 the client is told only after its own handshake is done.
            stream.write_all(b"x").await?;
            stream.read_u8().await?;
            Err(io::Error::other("the server answered"))
        };
        tokio::select! {
            biased;
            Some(met) = self.incoming.next() => Ok(met?.peer().clone()),
            refused = client => refused,
        }
    }
}

fn trusting(ca: &Ca, client: Option<ClientIdentity>) -> ClientConfig {
    pinned_client_config(
        Trust::Pin(ca.pin()),
        Some(ca.hub_id().clone()),
        client,
        &[ALPN_H2],
    )
    .unwrap()
}

#[tokio::test]
async fn an_agent_is_known_by_its_certificate() {
    let ca = ca("hub-1");
    let mut jobs = Listener::job(&ca).await;
    let at = now();
    let (chain, key) = given(&ca, "hub-1", at);
    let peer = jobs.meet(trusting(&ca, client(chain, &key))).await.unwrap();
    let identity = peer.identity.unwrap();
    let name = agent_name("hub-1");
    assert_eq!(
        (identity.account, identity.connection, identity.agent),
        (name.account, name.connection, name.agent)
    );
    let end = at.plus(Duration::from_secs(3600));
    assert!(end.since(identity.not_after) < Duration::from_secs(1));
    assert_eq!(identity.serial.len(), 32);
    assert!(peer.address.ip().is_loopback());
}

/// Connects, and waits until the server has said something: by then its ticket has come, too. `None` when the server lets
/// go.
async fn visit(
    config: &Arc<ClientConfig>,
    address: SocketAddr,
) -> Option<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await.ok()?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
        .ok()?;
    stream.read_u8().await.ok()?;
    Some(stream)
}

/// Takes a visitor and says something.
async fn receive(incoming: &mut ReceiverStream<io::Result<TlsConnection>>) -> TlsConnection {
    let mut met = incoming.next().await.unwrap().unwrap();
    met.write_all(b"x").await.unwrap();
    met.flush().await.unwrap();
    met
}

/// A job listener that judges certificates by this clock.
async fn listen_by(ca: &Arc<Ca>, tickets: &Arc<Tickets>, clock: &Clock, limits: Limits) -> Listener {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let agents = Agents {
        hub: ca.hub_id().clone(),
        clock: clock.clone(),
    };
    let config = job_config(server_identity(ca), Arc::clone(tickets)).unwrap();
    Listener {
        address,
        incoming: serve_tls(listener, config, Some(agents), limits),
    }
}

#[tokio::test]
async fn an_agent_comes_back_as_itself_and_not_after_its_certificate_has_ended() {
    let ca = ca("hub-1");
    let at = now();
    let clock = Clock::manual(at);
    let tickets = tickets(&ca, &clock);
    let mut jobs = listen_by(&ca, &tickets, &clock, Limits::default()).await;
    // Another replica, or the same hub after a restart: the tickets are good there as well.
    let mut other = listen_by(&ca, &tickets, &clock, Limits::default()).await;
    let (chain, key) = given(&ca, "hub-1", at);
    let config = Arc::new(trusting(&ca, client(chain, &key)));
    let (visitor, first) = tokio::join!(visit(&config, jobs.address), receive(&mut jobs.incoming));
    assert!(visitor.is_some() && !first.is_resumed());
    let (visitor, second) = tokio::join!(visit(&config, other.address), receive(&mut other.incoming));
    assert!(visitor.is_some() && second.is_resumed());
    assert_eq!(second.peer().identity, first.peer().identity);
    assert!(first.peer().identity.is_some());

    // One agent's session makes nobody else of it: another certificate begins another session.
    let (chain, key) = given(&ca, "hub-1", at);
    let stranger = Arc::new(trusting(&ca, client(chain, &key)));
    let (_visitor, third) = tokio::join!(visit(&stranger, jobs.address), receive(&mut jobs.incoming));
    assert!(!third.is_resumed());

    // The certificate ends while its session could still be resumed. rustls looks at no certificate then; we do.
    clock.advance(Duration::from_secs(3_700));
    let refused = tokio::select! {
        visitor = visit(&config, jobs.address) => visitor.is_none(),
        _ = jobs.incoming.next() => false,
    };
    assert!(refused);
}

#[tokio::test]
async fn a_connection_that_the_hub_ends_is_not_reset_for_what_was_on_its_way() {
    let ca = ca("hub-1");
    let mut jobs = Listener::job(&ca).await;
    let (chain, key) = given(&ca, "hub-1", now());
    let config = Arc::new(trusting(&ca, client(chain, &key)));
    let (visitor, mut met) = tokio::join!(visit(&config, jobs.address), receive(&mut jobs.incoming));
    let mut visitor = visitor.unwrap();
    visitor.write_all(b"on its way").await.unwrap();
    visitor.flush().await.unwrap();
    met.shutdown().await.unwrap();
    drop(met);
    let mut more = Vec::new();
    assert_eq!(visitor.read_to_end(&mut more).await.unwrap(), 0);
    // TLS has ended in good order either way; below it, a reset would be found instead of the end.
    let (socket, _) = visitor.get_mut();
    assert_eq!(socket.read(&mut [0; 16]).await.unwrap(), 0);
}

#[tokio::test]
async fn one_address_gets_its_share_of_connections_and_room_again_when_one_ends() {
    let ca = ca("hub-1");
    let clock = Clock::system();
    let limits = Limits {
        connections: 8,
        per_address: 2,
        ..Limits::default()
    };
    let mut jobs = listen_by(&ca, &tickets(&ca, &clock), &clock, limits).await;
    let (chain, key) = given(&ca, "hub-1", now());
    let config = Arc::new(trusting(&ca, client(chain, &key)));
    let mut met = Vec::new();
    for _ in 0..2 {
        let (visitor, one) = tokio::join!(visit(&config, jobs.address), receive(&mut jobs.incoming));
        met.push((visitor.unwrap(), one));
    }
    assert!(
        visit(&config, jobs.address).await.is_none(),
        "a third one was let in"
    );
    drop(met.pop());
    let (visitor, _one) = tokio::join!(visit(&config, jobs.address), receive(&mut jobs.incoming));
    assert!(visitor.is_some());
}

#[tokio::test]
async fn whoever_stalls_takes_no_place_from_others() {
    let ca = ca("hub-1");
    let clock = Clock::system();
    let limits = Limits {
        timeout: Duration::from_secs(60),
        at_once: 4,
        ..Limits::default()
    };
    let mut jobs = listen_by(&ca, &tickets(&ca, &clock), &clock, limits).await;
    // All of 127.0.0.1's places, and many more that wait for one.
    let mut stalled = Vec::new();
    for _ in 0..20 {
        stalled.push(TcpStream::connect(jobs.address).await.unwrap());
    }
    let (chain, key) = given(&ca, "hub-1", now());
    let config = Arc::new(trusting(&ca, client(chain, &key)));
    let elsewhere = async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into()).unwrap();
        let stream = socket.connect(jobs.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        tokio_rustls::TlsConnector::from(Arc::clone(&config))
            .connect(name, stream)
            .await
            .unwrap()
    };
    let both = async { tokio::join!(elsewhere, receive(&mut jobs.incoming)) };
    let (_visitor, met) = tokio::time::timeout(Duration::from_secs(10), both).await.unwrap();
    assert_eq!(met.peer().address.ip(), Ipv4Addr::new(127, 0, 0, 2));
}

/// AT-29, AT-33, AT-34
#[tokio::test]
async fn nobody_else_gets_through_the_handshake() {
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    let (ca, other) = (ca("hub-1"), ca("hub-1"));
    let mut jobs = Listener::job(&ca).await;
    let good = agent_name("hub-1").to_string();
    let expired = given(&ca, "hub-1", now().minus(Duration::from_secs(2 * 3600)));
    let early = given(&ca, "hub-1", now().plus(Duration::from_secs(600)));
    let foreign = given(&other, "hub-1", now());
    let renamed = given(&ca, "hub-2", now());
    let (server, server_key) = ca
        .server_leaf(&["localhost".to_owned()], serial(), now(), SERVER_LIFE_FOR_TESTS)
        .unwrap();
    let own_key = KeyPair::generate().unwrap();
    let mut own = CertificateParams::default();
    own.subject_alt_names = vec![uri(&good)];
    let own = own.self_signed(&own_key).unwrap().der().clone();
    let (chain, key) = given(&ca, "hub-1", now());
    let long: Vec<_> = std::iter::repeat_n(chain[0].clone(), 1000).collect();
    let agent = |name: &str| vec![uri(name)];
    let ip = SanType::IpAddress("127.0.0.1".parse().unwrap());
    let cases: Vec<(&str, Option<ClientIdentity>)> = vec![
        ("no certificate", None),
        ("another CA", client(foreign.0, &foreign.1)),
        ("self-signed", client(vec![own], &own_key)),
        ("expired", client(expired.0, &expired.1)),
        ("not yet valid", client(early.0, &early.1)),
        ("another hub", client(renamed.0, &renamed.1)),
        (
            "the hub's server",
            Some(ClientIdentity {
                chain: vec![server.der],
                key: server_key,
            }),
        ),
        ("only a server", forged(&ca, agent(&good), &[ServerAuth])),
        (
            "two URIs",
            forged(&ca, vec![uri(&good), uri(&good)], &[ClientAuth]),
        ),
        (
            "two URIs, one foreign",
            forged(&ca, vec![uri(&good), uri("https://a/")], &[ClientAuth]),
        ),
        ("an IP address only", forged(&ca, vec![ip], &[ClientAuth])),
        ("no name", forged(&ca, Vec::new(), &[ClientAuth])),
        (
            "the hub's name",
            forged(&ca, agent("spiffe://hub-1/hub"), &[ClientAuth]),
        ),
        (
            "a path too much",
            forged(&ca, agent(&format!("{good}/x")), &[ClientAuth]),
        ),
        ("a thousand certificates", client(long, &key)),
    ];
    for (what, identity) in cases {
        let met = jobs.meet(trusting(&ca, identity)).await;
        assert!(met.is_err(), "{what}: {met:?}");
    }
    // The listener still serves.
    assert!(jobs.meet(trusting(&ca, client(chain, &key))).await.is_ok());
}

const SERVER_LIFE_FOR_TESTS: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn agents_speak_tls_1_3_only() {
    let ca = ca("hub-1");
    let old = || {
        let mut roots = RootCertStore::empty();
        roots.add(ca.roots()[0].clone()).unwrap();
        ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    };
    let mut jobs = Listener::job(&ca).await;
    let mut enrol = listen(enrolment_config(server_identity(&ca)).unwrap(), None).await;
    for listener in [&mut jobs, &mut enrol] {
        let error = listener.meet(old()).await.unwrap_err();
        assert!(error.to_string().contains("ProtocolVersion"), "{error}");
    }
    // AWS clients may still come with 1.2, to the API.
    let mut api = listen(api_config(server_identity(&ca)).unwrap(), None).await;
    assert_eq!(api.meet(old()).await.unwrap().identity, None);
}

#[tokio::test]
async fn a_client_finds_its_hub_by_pin_or_certificate() {
    let (hub, other) = (ca("hub-1"), ca("hub-2"));
    let mut enrol = listen(enrolment_config(server_identity(&hub)).unwrap(), None).await;
    let config = |trust, hub: Option<&Ca>| {
        pinned_client_config(trust, hub.map(|hub| hub.hub_id().clone()), None, &[ALPN_H2]).unwrap()
    };
    let roots = |ca: &Ca| Trust::from_pem(&ca.roots_pem()).unwrap();
    for (trust, id) in [
        (Trust::Pin(hub.pin()), None),
        (roots(&hub), None),
        (Trust::Pin(hub.pin()), Some(&*hub)),
    ] {
        assert!(enrol.meet(config(trust, id)).await.is_ok());
    }
    for (trust, id, why) in [
        (Trust::Pin(other.pin()), None, "no CA with the pinned hash"),
        (Trust::Pin(Digest::of(b"")), None, "no CA with the pinned hash"),
        (roots(&other), None, "UnknownIssuer"),
        (Trust::Pin(hub.pin()), Some(&*other), "expected hub-2"),
    ] {
        let error = enrol.meet(config(trust, id)).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    // The leaf's own hash is no pin, and the host name is checked.
    let far = ServerIdentity::new(Arc::clone(&hub), vec!["hub.example.com".to_owned()], now()).unwrap();
    let mut far = listen(enrolment_config(far).unwrap(), None).await;
    let error = far.meet(config(Trust::Pin(hub.pin()), None)).await.unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
}

#[tokio::test]
async fn a_certificate_of_an_agent_is_no_server() {
    // An agent that can be reached under the hub's name must not pass for the hub.
    let ca = ca("hub-1");
    let (mut chain, key) = given(&ca, "hub-1", now());
    chain.push(ca.roots()[0].clone());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    let mut rogue = listen(Arc::new(config), None).await;
    assert!(rogue.meet(trusting(&ca, None)).await.is_err());
    assert!(Trust::from_pem("nothing").is_err());
}

#[tokio::test]
async fn a_stalled_handshake_holds_nobody_up_for_long() {
    let ca = ca("hub-1");
    let mut enrol = listen(enrolment_config(server_identity(&ca)).unwrap(), None).await;
    let mut stalled = Vec::new();
    for _ in 0..8 {
        stalled.push(TcpStream::connect(enrol.address).await.unwrap());
    }
    let met = tokio::time::timeout(Duration::from_secs(10), enrol.meet(trusting(&ca, None))).await;
    assert!(met.unwrap().is_ok());
    // Garbage ends at once.
    stalled[0].write_all(b"GET / HTTP/1.1\r\n\r\n").await.ok();
    assert!(enrol.meet(trusting(&ca, None)).await.is_ok());
}

#[test]
fn the_servers_certificate_is_renewed_after_a_third_of_its_life() {
    let ca = ca("hub-1");
    let at = now();
    let identity = ServerIdentity::new(ca, vec!["localhost".to_owned()], at).unwrap();
    let first = identity.current.read().unwrap().key.cert[0].clone();
    assert!(!identity.renew_if_due(at.plus(SERVER_LIFE / 4)).unwrap());
    assert!(identity.renew_if_due(at.plus(SERVER_LIFE / 2)).unwrap());
    assert_ne!(identity.current.read().unwrap().key.cert[0], first);
}

/// Answers with who asked.
struct Echo;

#[tonic::async_trait]
impl EnrolmentService for Echo {
    async fn begin_enrolment(
        &self,
        request: Request<wire::BeginEnrolmentRequest>,
    ) -> Result<Response<wire::BeginEnrolmentResponse>, Status> {
        let peer = request
            .extensions()
            .get::<Peer>()
            .ok_or_else(|| Status::internal("no peer"))?;
        let agent = peer.identity.as_ref().map(|identity| identity.agent.to_string());
        let challenge_id = agent.unwrap_or_else(|| "nobody".to_owned());
        Ok(Response::new(wire::BeginEnrolmentResponse {
            challenge_id,
            ..Default::default()
        }))
    }

    async fn finish_enrolment(
        &self,
        _: Request<wire::FinishEnrolmentRequest>,
    ) -> Result<Response<wire::FinishEnrolmentResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[tokio::test]
async fn handlers_find_the_peer_in_the_request() {
    let ca = ca("hub-1");
    let (chain, key) = given(&ca, "hub-1", now());
    for (identity, expected) in [
        (client(chain, &key), agent_name("hub-1").agent.to_string()),
        (None, "nobody".to_owned()),
    ] {
        let listener = if identity.is_some() {
            Listener::job(&ca).await
        } else {
            listen(enrolment_config(server_identity(&ca)).unwrap(), None).await
        };
        let server = tonic::transport::Server::builder().add_service(EnrolmentServiceServer::new(Echo));
        let serving = tokio::spawn(server.serve_with_incoming(listener.incoming));
        let connector = HubConnector::new(trusting(&ca, identity));
        let channel = connector
            .connect(&format!("https://{}", listener.address))
            .await
            .unwrap();
        let mut client = EnrolmentServiceClient::new(channel);
        let answer = client
            .begin_enrolment(wire::BeginEnrolmentRequest::default())
            .await
            .unwrap();
        assert_eq!(answer.into_inner().challenge_id, expected);
        assert_eq!(connector.hub_id().as_ref(), Some(ca.hub_id()));
        serving.abort();
    }
}

#[tokio::test]
async fn addresses_of_hubs_are_https_and_nothing_more() {
    for wrong in [
        "http://a:1",
        "https://",
        "https://a:1/path",
        "https://a:1?x",
        "a:1",
        "",
        "https://a b:1",
    ] {
        assert!(hadron_proto::tls::endpoint(wrong).is_err(), "{wrong}");
    }
    assert!(hadron_proto::tls::endpoint("https://[::1]:7443").is_ok());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..512)) {
        let hub: HubId = "hub-1".parse().unwrap();
        proptest::prop_assert!(PeerIdentity::read(&CertificateDer::from(bytes), &hub).is_err());
    }

    /// A changed byte may leave the name alone or spoil it, but never make another account of it that passes the check
    /// of the signature.
    #[test]
    fn a_changed_name_never_passes(at in 0usize..700, with in 1u8..) {
        let ca = ca("hub-1");
        let (chain, _) = given(&ca, "hub-1", now());
        let mut bytes = chain[0].to_vec();
        let at = at % bytes.len();
        bytes[at] ^= with;
        let changed = CertificateDer::from(bytes);
        let verifier = AgentVerifier::new(ca).unwrap();
        let passed = verifier.verify_client_cert(&changed, &[], UnixTime::now()).is_ok();
        proptest::prop_assert!(!passed);
    }
}

#[tokio::test]
async fn either_root_leads_to_the_hub_until_the_old_one_is_retired() {
    let ca = ca("hub-1");
    let identity = server_identity(&ca);
    let mut enrol = listen(enrolment_config(Arc::clone(&identity)).unwrap(), None).await;
    let mut api = listen(api_config(Arc::clone(&identity)).unwrap(), None).await;
    let mut jobs = listen(
        job_config(Arc::clone(&identity), tickets(&ca, &Clock::system())).unwrap(),
        Some(ca.hub_id().clone()),
    )
    .await;
    let (old_pin, old_pem) = (ca.pin(), ca.roots_pem());
    let (chain, key) = given(&ca, "hub-1", now());
    let own = Ca::roots_in(&ca.to_pem()).unwrap();
    let made = super::super::ca::successor(&own.active, &own.key, now()).unwrap();
    let new_pem = Ca::roots_in(&format!("{}{}", made.key, {
        // The next root alone, as somebody would keep it in a file.
        let alone = super::super::ca::Roots {
            active: made.certificate.clone(),
            key: made.key.clone(),
            other: None,
            crossed: None,
        };
        let other = Ca::from_pem(&ca.to_pem()).unwrap();
        other.adopt(&alone).unwrap();
        other.roots_pem()
    }))
    .unwrap();
    let trusts = [
        ("old pin", Trust::Pin(old_pin), true),
        ("old certificate", Trust::from_pem(&old_pem).unwrap(), true),
        ("new pin", Trust::Pin(made.pin), false),
        (
            "new certificate",
            Trust::Roots(vec![new_pem.active.clone()]),
            false,
        ),
    ];
    let prepared = super::super::ca::Roots {
        other: Some(made.certificate.clone()),
        crossed: Some(made.of_other.clone()),
        ..own.clone()
    };
    let active = super::super::ca::Roots {
        active: made.certificate.clone(),
        key: made.key.clone(),
        other: Some(own.active.clone()),
        crossed: Some(made.by_other.clone()),
    };
    let alone = super::super::ca::Roots {
        other: None,
        crossed: None,
        ..active.clone()
    };
    for (stage, roots, old_counts, new_counts) in [
        ("before", own.clone(), true, false),
        ("prepared", prepared, true, true),
        ("active", active, true, true),
        ("retired", alone, false, true),
    ] {
        ca.adopt(&roots).unwrap();
        identity.renew_if_due(now()).unwrap();
        assert!(!identity.renew_if_due(now()).unwrap(), "{stage}");
        for (what, trust, is_old) in &trusts {
            let counts = if *is_old { old_counts } else { new_counts };
            for listener in [&mut enrol, &mut api] {
                let config = pinned_client_config(trust.clone(), None, None, &[ALPN_H2]).unwrap();
                let met = listener.meet(config).await;
                assert_eq!(met.is_ok(), counts, "{stage}, {what}: {met:?}");
            }
        }
        // An agent with a certificate of the old root, and one of the root that signs now.
        let everything = Trust::Roots(vec![own.active.clone(), made.certificate.clone()]);
        let come = |chain: &[CertificateDer<'static>], key: &KeyPair| {
            pinned_client_config(everything.clone(), None, client(chain.to_vec(), key), &[ALPN_H2]).unwrap()
        };
        let met = jobs.meet(come(&chain, &key)).await;
        assert_eq!(met.is_ok(), old_counts, "{stage}: {met:?}");
        let issuer = met
            .ok()
            .and_then(|peer| peer.identity)
            .and_then(|peer| peer.issuer);
        assert_eq!(ca.trusts(issuer.as_deref()), old_counts, "{stage}");
        let (chain, key) = given(&ca, "hub-1", now());
        let met = jobs.meet(come(&chain, &key)).await;
        assert!(met.is_ok(), "{stage}: {met:?}");
    }
    assert!(!ca.trusts(None));
}
