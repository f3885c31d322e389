use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use hadron_proto::proof::{Binding, KeyForm, ProofScalars, rebuild, sign};
use hadron_proto::spiffe::AGENT_ID_METADATA;
use hadron_proto::tls::provider;
use hadron_proto::vocab::Digest;
use hadron_proto::wire;
use hadron_proto::wire::enrolment_service_server::{EnrolmentService, EnrolmentServiceServer};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status};

use super::*;

const ACCOUNT: &str = "333333333333";
const NONCE: [u8; 32] = [6; 32];

/// A hub that knows of TLS, challenges and proofs, and of nothing else.
struct Hub {
    id: HubId,
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    pending: AtomicBool,
    /// Says that it is another hub than its certificate does.
    relays: AtomicBool,
    /// Gives a certificate for this account instead.
    mistakes: AtomicBool,
    begun: AtomicU32,
    said: Mutex<Vec<(wire::BeginEnrolmentRequest, Option<String>)>>,
    life: Duration,
}

fn params(names: Vec<SanType>, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = names;
    params.extended_key_usages = vec![usage];
    params
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

fn connection() -> ConnectionId {
    ConnectionId::from_parts(1, [1; 10])
}

impl Hub {
    fn new(life: Duration) -> Arc<Self> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "hub-1");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = params.self_signed(&key).unwrap().der().clone();
        Arc::new(Self {
            id: "hub-1".parse().unwrap(),
            issuer: Issuer::new(params, key),
            root,
            pending: AtomicBool::new(false),
            relays: AtomicBool::new(false),
            mistakes: AtomicBool::new(false),
            begun: AtomicU32::new(0),
            said: Mutex::default(),
            life,
        })
    }

    fn pin(&self) -> Digest {
        spki_digest(&self.root).unwrap()
    }

    fn server(&self, agents: bool) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let names = vec![
            SanType::DnsName("localhost".try_into().unwrap()),
            uri(&self.id.uri()),
        ];
        let leaf = params(names, ExtendedKeyUsagePurpose::ServerAuth)
            .signed_by(&key, &self.issuer)
            .unwrap();
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap();
        let builder = if agents {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(self.root.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
                .build()
                .unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = builder
            .with_single_cert(vec![leaf.der().clone(), self.root.clone()], key)
            .unwrap();
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        config
    }

    async fn serve(self: &Arc<Self>, agents: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(self.server(agents)));
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener)
            .then(move |stream| {
                let acceptor = acceptor.clone();
                async move { acceptor.accept(stream?).await }
            })
            .filter(Result::is_ok);
        let service = EnrolmentServiceServer::new(Answers(Arc::clone(self)));
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(incoming));
        format!("https://localhost:{}", address.port())
    }
}

struct Answers(Arc<Hub>);

#[tonic::async_trait]
impl EnrolmentService for Answers {
    async fn begin_enrolment(
        &self,
        request: Request<wire::BeginEnrolmentRequest>,
    ) -> Result<Response<wire::BeginEnrolmentResponse>, Status> {
        let hub = &self.0;
        hub.begun.fetch_add(1, Ordering::SeqCst);
        let agent = request
            .metadata()
            .get(AGENT_ID_METADATA)
            .map(|id| id.to_str().unwrap().to_owned());
        hub.said.lock().unwrap().push((request.into_inner(), agent));
        Ok(Response::new(wire::BeginEnrolmentResponse {
            challenge_id: "c".to_owned(),
            nonce: NONCE.to_vec(),
            hub_id: if hub.relays.load(Ordering::SeqCst) {
                "hub-2".to_owned()
            } else {
                hub.id.to_string()
            },
            valid_for: None,
        }))
    }

    async fn finish_enrolment(
        &self,
        request: Request<wire::FinishEnrolmentRequest>,
    ) -> Result<Response<wire::FinishEnrolmentResponse>, Status> {
        let hub = &self.0;
        if hub.pending.load(Ordering::SeqCst) {
            return Err(Status::failed_precondition("waiting to be accepted"));
        }
        let wire::FinishEnrolmentRequest { proof, csr_der } = request.into_inner();
        let (begun, agent) = hub.said.lock().unwrap().last().cloned().unwrap();
        // The proof must be the one that the agent's credentials give for this key, hub and challenge.
        let found = ProofScalars::from_wire(proof.as_ref(), KeyForm::Temporary).unwrap();
        let spki_sha256 = begun.spki_sha256.as_slice().try_into().unwrap();
        let binding = Binding::Enrol {
            nonce: NONCE,
            hub_id: hub.id.clone(),
            spki_sha256,
        };
        let right = sign(
            &credentials(),
            &found.region().region(),
            found.signed_at(),
            &binding,
        )
        .unwrap();
        assert_eq!(rebuild(&found, &binding), rebuild(&right, &binding));
        let mut csr = CertificateSigningRequestParams::from_der(&csr_der.into()).unwrap();
        let agent = agent.unwrap_or_else(|| AgentId::from_parts(2, [2; 10]).to_string());
        let account = if hub.mistakes.load(Ordering::SeqCst) {
            "222222222222"
        } else {
            ACCOUNT
        };
        let name = format!(
            "spiffe://hub-1/account/{account}/connection/{}/agent/{agent}",
            connection()
        );
        csr.params = params(vec![uri(&name)], ExtendedKeyUsagePurpose::ClientAuth);
        let leaf = csr.signed_by(&hub.issuer).unwrap();
        Ok(Response::new(wire::FinishEnrolmentResponse {
            certificate_chain_der: vec![leaf.der().to_vec()],
            roots_der: vec![hub.root.to_vec()],
            agent_id: agent,
            connection_id: connection().to_string(),
            valid_for: Some(hub.life.try_into().unwrap()),
        }))
    }
}

fn credentials() -> Credentials {
    Credentials::new(
        "ASIAEXAMPLEEXAMPLE33",
        "secret",
        Some("dG9rZW4=".to_owned()),
        None,
        "test",
    )
}

struct Here {
    hub: Arc<Hub>,
    settings: Settings,
    _directory: tempfile::TempDir,
}

async fn here(life: Duration) -> Here {
    let hub = Hub::new(life);
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        enrol: hub.serve(false).await,
        trust: Trust::Pin(hub.pin()),
        account: ACCOUNT.parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        connection: Some(connection()),
        state_dir: directory.path().join("state"),
        waits: Waits {
            shortest: Duration::from_millis(5),
            longest: Duration::from_millis(20),
        },
    };
    Here {
        hub,
        settings,
        _directory: directory,
    }
}

impl Here {
    async fn obtain(&self) -> Identity {
        let provider = SharedCredentialsProvider::new(credentials());
        Identity::obtain(self.settings.clone(), provider, system_clock())
            .await
            .unwrap()
    }

    /// Once, without waiting for better times.
    async fn try_once(&self) -> Result<Certificate, EnrolError> {
        let provider = SharedCredentialsProvider::new(credentials());
        let trust = &self.settings.trust;
        enrol::enrol(&self.settings, trust, &provider, &system_clock(), None).await
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_certificate_opens_the_job_listener() {
    let here = here(HOUR).await;
    let identity = here.obtain().await;
    let certificate = identity.current();
    assert_eq!(
        (certificate.hub_id().as_str(), certificate.connection_id()),
        ("hub-1", connection())
    );
    let jobs = here.hub.serve(true).await;
    let channel = connect(&certificate, &jobs).await.unwrap();
    let mut client = wire::enrolment_service_client::EnrolmentServiceClient::new(channel);
    assert!(
        client
            .begin_enrolment(wire::BeginEnrolmentRequest::default())
            .await
            .is_ok()
    );
    let text = format!("{identity:?}{certificate:?}");
    assert!(
        text.contains("spiffe://hub-1/account/333333333333") && !text.contains("key"),
        "{text}"
    );
}

#[tokio::test]
async fn a_restart_needs_no_new_enrolment() {
    use std::os::unix::fs::PermissionsExt as _;
    let here = here(HOUR).await;
    let first = here.obtain().await.current();
    let begun = || here.hub.begun.load(Ordering::SeqCst);
    assert_eq!(begun(), 1);
    let again = here.obtain().await.current();
    assert_eq!(
        (begun(), &again.chain, again.agent_id()),
        (1, &first.chain, first.agent_id())
    );
    let path = here.settings.state_dir.join("identity.json");
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(std::fs::read_dir(&here.settings.state_dir).unwrap().count(), 1);

    // A key that others could read is given up, the agent's id is not.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let fresh = here.obtain().await.current();
    assert_eq!((begun(), fresh.agent_id()), (2, first.agent_id()));
    assert_ne!(fresh.chain, first.chain);
    assert_eq!(
        here.hub.said.lock().unwrap()[1].1,
        Some(first.agent_id().to_string())
    );

    // So is whatever does not serve any more.
    let kept = std::fs::read_to_string(&path).unwrap();
    for wrong in [
        "",
        "{}",
        &kept.replace(ACCOUNT, "222222222222"),
        &kept.replace("\"key\": \"M", "\"key\": \"N"),
    ] {
        std::fs::write(&path, wrong).unwrap();
        let before = begun();
        here.obtain().await;
        assert_eq!(begun(), before + 1, "{wrong}");
    }
}

#[tokio::test]
async fn an_expired_or_foreign_certificate_is_not_used() {
    let here = here(HOUR).await;
    let certificate = here.obtain().await.current();
    let load = |settings: &Settings, now| disk::load(settings, now).certificate.is_some();
    let end = certificate.ends_at();
    assert!(load(&here.settings, end.minus(Duration::from_secs(60))));
    assert!(!load(&here.settings, end.minus(Duration::from_secs(10))));
    assert!(
        !load(&here.settings, certificate.obtained_at.minus(HOUR)),
        "the clock was set back"
    );
    let now = certificate.obtained_at;
    let others = [
        Settings {
            account: "222222222222".parse().unwrap(),
            ..here.settings.clone()
        },
        Settings {
            connection: Some(ConnectionId::from_parts(2, [2; 10])),
            ..here.settings.clone()
        },
        Settings {
            trust: Trust::Pin(Digest::of(b"other")),
            ..here.settings.clone()
        },
    ];
    for other in others {
        assert!(!load(&other, now), "{other:?}");
    }
    assert!(load(
        &Settings {
            connection: None,
            ..here.settings.clone()
        },
        now
    ));
}

#[tokio::test]
async fn it_waits_until_the_connection_is_accepted() {
    let here = here(HOUR).await;
    here.hub.pending.store(true, Ordering::SeqCst);
    assert!(here.try_once().await.unwrap_err().is_pending());
    let obtain = here.obtain();
    let accept = async {
        while here.hub.begun.load(Ordering::SeqCst) < 4 {
            tokio::task::yield_now().await;
        }
        here.hub.pending.store(false, Ordering::SeqCst);
    };
    let (identity, ()) = tokio::join!(obtain, accept);
    assert_eq!(identity.current().agent_id(), AgentId::from_parts(2, [2; 10]));
    // Every attempt had a key of its own.
    let mut keys: Vec<_> = here
        .hub
        .said
        .lock()
        .unwrap()
        .iter()
        .map(|(begun, _)| begun.spki_sha256.clone())
        .collect();
    let all = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), all);
}

#[tokio::test]
async fn renewal_brings_a_new_key_to_the_same_agent() {
    let here = here(Duration::from_millis(400)).await;
    let identity = here.obtain().await;
    let first = identity.current();
    let mut watch = identity.subscribe();
    let keeping = tokio::spawn({
        let identity = identity.clone();
        async move { identity.keep().await }
    });
    watch.changed().await.unwrap();
    let second = watch.borrow_and_update().clone();
    assert_eq!(second.agent_id(), first.agent_id());
    assert_ne!(second.chain, first.chain);
    assert!(second.obtained_at >= first.renew_at(0.0));
    keeping.abort();
    // At once, when the hub no longer takes the certificate.
    let here = self::here(HOUR).await;
    let identity = here.obtain().await;
    let mut watch = identity.subscribe();
    identity.renew_now();
    tokio::select! {
        () = identity.keep() => {}
        changed = watch.changed() => changed.unwrap(),
    }
    assert_eq!(here.hub.begun.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_hostile_or_mistaken_hub_gets_nothing() {
    let mut here = here(HOUR).await;
    // A challenge of another hub, passed on: the agent must not sign it.
    here.hub.relays.store(true, Ordering::SeqCst);
    let error = here.try_once().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the hub's answer cannot be used: its challenge is for another hub"
    );
    here.hub.relays.store(false, Ordering::SeqCst);
    here.hub.mistakes.store(true, Ordering::SeqCst);
    let error = here.try_once().await.unwrap_err();
    assert!(error.to_string().contains("names somebody else"), "{error}");
    here.hub.mistakes.store(false, Ordering::SeqCst);
    // Another CA: nothing is said to that server at all.
    let before = here.hub.begun.load(Ordering::SeqCst);
    here.settings.trust = Trust::Pin(Digest::of(b"other"));
    let error = here.try_once().await.unwrap_err();
    assert!(
        error.chain().contains("no CA with the pinned hash"),
        "{}",
        error.chain()
    );
    assert_eq!(here.hub.begun.load(Ordering::SeqCst), before);
}

#[test]
fn waits_grow_and_are_spread() {
    let waits = Waits::default();
    let seconds = |attempts, spread| waits.after(attempts, spread).as_secs();
    assert_eq!((seconds(0, 0.0), seconds(0, 0.99), seconds(1, 1.0)), (5, 5, 10));
    assert_eq!(
        (seconds(30, 0.0), seconds(30, 1.0), seconds(u32::MAX, 0.5)),
        (5, 60, 32)
    );
}

#[tokio::test]
async fn renewals_are_due_at_half_of_the_life() {
    let here = here(HOUR).await;
    let certificate = here.obtain().await.current();
    let minutes = |spread| {
        certificate
            .renew_at(spread)
            .since(certificate.obtained_at)
            .as_secs()
            / 60
    };
    assert_eq!((minutes(0.0), minutes(0.5)), (24, 30));
    assert!((35..=36).contains(&minutes(1.0)));
}

/// A root of the same hub's name, as it would be after a rotation.
fn another_root() -> CertificateDer<'static> {
    Hub::new(HOUR).root.clone()
}

#[tokio::test]
async fn what_the_hub_says_to_trust_outlives_a_restart_but_not_another_configuration() {
    let here = here(HOUR).await;
    let identity = here.obtain().await;
    let before = identity.current();
    let both = [before.roots[0].to_vec(), another_root().to_vec()];
    let mut news = identity.subscribe();
    identity.learn(&both);
    assert!(news.has_changed().unwrap());
    let now = identity.current();
    assert_eq!((now.roots.len(), &now.chain), (2, &before.chain));
    // The same again is no news, and neither is nothing, or what is no certificate.
    news.mark_unchanged();
    identity.learn(&both);
    identity.learn(&[] as &[Vec<u8>]);
    identity.learn(&[b"no certificate".to_vec()]);
    assert!(!news.has_changed().unwrap());
    assert_eq!(here.obtain().await.current().roots, now.roots);

    // Only the new root is left: the configured pin does not count any more, in this process or the next one.
    identity.learn(&both[1..]);
    let load = |settings: &Settings| disk::load(settings, before.obtained_at);
    let kept = load(&here.settings);
    assert_eq!(kept.roots, Some(Trust::Roots(vec![both[1].clone().into()])));
    assert!(kept.certificate.is_some(), "it is good until it ends");
    // Somebody who gives the agent another pin knows better.
    let told = Settings {
        trust: Trust::Pin(spki_digest(&both[1].clone().into()).unwrap()),
        ..here.settings.clone()
    };
    assert_eq!(load(&told).roots, None);
}

#[tokio::test]
async fn a_certificate_of_a_root_that_is_gone_is_renewed_at_once() {
    let here = here(HOUR).await;
    let identity = here.obtain().await;
    let begun = || here.hub.begun.load(Ordering::SeqCst);
    let before = begun();
    let renews = async {
        identity.learn(&[another_root().to_vec()]);
        // The hub of this test still has the old root, so that nobody is let in; but it is tried.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let own = here.hub.root.to_vec();
        identity.learn(&[own]);
        while begun() == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = identity.keep() => panic!("renewal ended"),
        () = renews => {}
        () = tokio::time::sleep(Duration::from_secs(30)) => panic!("it was not renewed"),
    }
}
