//! A hub in this process, on loopback, with an STS that checks signatures; and agents that talk to it over real TLS.

use std::time::Duration;

use aws_credential_types::Credentials;
use hadron_domain::authority::{Caller, Role};
use hadron_domain::job::Job;
use hadron_domain::principal::Principal;
use hadron_proto::proof::{Binding, sign};
use hadron_proto::spiffe::AGENT_ID_METADATA;
use hadron_proto::tls::{ALPN_H2, ClientIdentity, HubConnector, Trust, pinned_client_config};
use hadron_proto::vocab::{AccountId, ConnectionId, Digest, JobId, Region};
use hadron_proto::wire::agent_message::Message as Said;
use hadron_proto::wire::agent_service_client::AgentServiceClient;
use hadron_proto::wire::enrolment_service_client::EnrolmentServiceClient;
use hadron_proto::wire::hub_message::Message as Heard;
use hadron_proto::wire::{self};
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use crate::app::connections::NewConnection;
use crate::app::work::Token;
use crate::app::{App, Request as Asked};
use crate::clock::Clock;
use crate::config::{self, Override};
use crate::identity::testing::{FakeSts, agent_credentials};
use crate::render::Renderer;
use crate::store::jobs::{self, JobRow, JobWork};
use crate::wiring::{self, Running};

pub(crate) const MANAGEMENT: &str = "111111111111";
pub(crate) const OTHER: &str = "444444444444";

/// How long to wait for what should happen at once.
const SOON: Duration = Duration::from_secs(10);

pub(crate) struct World {
    hub: Option<Running>,
    pub(crate) sts: FakeSts,
    pub(crate) dir: TempDir,
}

pub(crate) fn region() -> Region {
    "us-east-1".parse().unwrap()
}

pub(crate) fn caller(role: Role, account: Option<&str>) -> Caller {
    Caller::new(
        Principal::new(format!("token:{}", role.word())),
        account.map(|account| account.parse().unwrap()),
        role,
    )
}

pub(crate) fn asked(caller: Caller, operation: &'static str) -> Asked {
    Asked {
        caller,
        id: None,
        operation,
        hash: Digest::of(b""),
        repeatable: false,
        tags: Vec::new(),
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With these keys of the configuration.
    pub(crate) async fn with(keys: &[(&str, &str)]) -> Self {
        let (sts, dir) = (FakeSts::start().await, TempDir::new().unwrap());
        let hub = Some(start(&sts, &dir, keys).await);
        Self { hub, sts, dir }
    }

    pub(crate) fn hub(&self) -> &Running {
        self.hub.as_ref().unwrap()
    }

    pub(crate) fn app(&self) -> &App {
        self.hub().app()
    }

    /// Stops the hub in good order.
    pub(crate) async fn stop(&mut self) {
        self.hub.take().unwrap().stop().await;
    }

    /// The same data, another process.
    pub(crate) async fn restart(&mut self, keys: &[(&str, &str)]) {
        self.stop().await;
        self.hub = Some(start(&self.sts, &self.dir, keys).await);
    }

    /// Starts again what was stopped.
    pub(crate) async fn start_again(&mut self, keys: &[(&str, &str)]) {
        self.hub = Some(start(&self.sts, &self.dir, keys).await);
    }

    /// The same, where it may not be able to start.
    pub(crate) async fn try_start(&self) -> anyhow::Result<Running> {
        wiring::start(self.config(&[]), Clock::system(), Renderer::here()).await
    }

    /// What it is started with.
    pub(crate) fn config(&self, keys: &[(&str, &str)]) -> config::Config {
        configuration(&self.sts, &self.dir, keys)
    }

    /// Another process with the same CA and sealing key, over the same database where `keys` name one.
    pub(crate) async fn replica(&self, keys: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        for file in ["ca.pem", "seal.key", "audit.key"] {
            // Keeps the permissions.
            std::fs::copy(self.dir.path().join("data").join(file), data.join(file)).unwrap();
        }
        let hub = Some(start(&self.sts, &dir, keys).await);
        Self {
            hub,
            sts: self.sts.clone(),
            dir,
        }
    }

    /// A request for a connection, from the account itself.
    pub(crate) async fn request(&self, account: &str, environment: &str) -> ConnectionId {
        let new = NewConnection {
            environment: environment.parse().unwrap(),
            management: None,
            region: Some(region()),
            role: None,
            component_role: None,
            codebuild_role: None,
            agent_role_name: None,
        };
        let request = asked(caller(Role::Owner, Some(account)), "RequestConnection");
        self.app()
            .request_connection(request, new)
            .await
            .unwrap()
            .connection
            .id
    }

    pub(crate) async fn accept(&self, id: ConnectionId, account: &str) {
        let request = asked(caller(Role::Administrator, None), "AcceptConnection");
        self.app()
            .accept_connection(request, id, Some(account.parse().unwrap()))
            .await
            .unwrap();
    }

    pub(crate) async fn reject(&self, id: ConnectionId) {
        let request = asked(caller(Role::Administrator, None), "RejectConnection");
        self.app().reject_connection(request, id).await.unwrap();
    }

    /// A connection that was accepted.
    pub(crate) async fn connected(&self, account: &str, environment: &str) -> ConnectionId {
        let id = self.request(account, environment).await;
        self.accept(id, account).await;
        id
    }

    /// Credentials of the agent's role in another account than the usual one.
    pub(crate) fn credentials_of(&self, account: &str) -> Credentials {
        let arn = format!("arn:aws:sts::{account}:assumed-role/hadron-agent/i-1");
        let key = format!("ASIAEXAMPLE{account}");
        self.sts.know(
            &key,
            Some("FwoGZXIvYXdzEXAMPLE+/=="),
            &arn,
            &format!("AROAEXAMPLE{account}:i-1"),
        )
    }

    fn trust(&self) -> Trust {
        Trust::from_pem(&std::fs::read_to_string(&self.hub().ready().ca_file).unwrap()).unwrap()
    }

    pub(crate) async fn channel(&self, url: &str, client: Option<ClientIdentity>) -> (HubConnector, Channel) {
        let config = pinned_client_config(self.trust(), None, client, &[ALPN_H2]).unwrap();
        let connector = HubConnector::new(config);
        let channel = connector.connect(url).await.unwrap();
        (connector, channel)
    }

    /// The whole enrolment.
    pub(crate) async fn enrol(
        &self,
        connection: Option<ConnectionId>,
        credentials: &Credentials,
        before: Option<&Enrolled>,
    ) -> Result<Enrolled, Status> {
        let (connector, channel) = self.channel(&self.hub().ready().enrol, None).await;
        let mut client = EnrolmentServiceClient::new(channel);
        let key = KeyPair::generate().unwrap();
        let spki_sha256 = *Digest::of(&key.subject_public_key_info()).as_bytes();
        let account = credentials.access_key_id().trim_start_matches("ASIAEXAMPLE");
        let mut begin = Request::new(wire::BeginEnrolmentRequest {
            connection_id: connection.map(|id| id.to_string()).unwrap_or_default(),
            account_id: account
                .parse::<AccountId>()
                .map(|id| id.to_string())
                .unwrap_or_else(|_| "333333333333".to_owned()),
            region: region().to_string(),
            spki_sha256: spki_sha256.to_vec(),
        });
        if let Some(before) = before {
            begin
                .metadata_mut()
                .insert(AGENT_ID_METADATA, before.agent.parse().unwrap());
        }
        let begun = client.begin_enrolment(begin).await?.into_inner();
        let nonce = begun.nonce.as_slice().try_into().unwrap();
        let binding = Binding::Enrol {
            nonce,
            hub_id: connector.hub_id().unwrap(),
            spki_sha256,
        };
        let proof = sign(credentials, &region(), Clock::system().now(), &binding).unwrap();
        let csr_der = CertificateParams::default()
            .serialize_request(&key)
            .unwrap()
            .der()
            .to_vec();
        let finish = wire::FinishEnrolmentRequest {
            proof: Some(proof.to_wire(begun.challenge_id)),
            csr_der,
        };
        let given = client.finish_enrolment(finish).await?.into_inner();
        Ok(Enrolled {
            chain: given
                .certificate_chain_der
                .into_iter()
                .map(CertificateDer::from)
                .collect(),
            key: key.serialize_der(),
            agent: given.agent_id,
            connection: given.connection_id,
        })
    }

    /// An agent of the usual account, through a connection of its own.
    pub(crate) async fn agent(&self) -> (ConnectionId, Enrolled) {
        let connection = self.connected("333333333333", "prd").await;
        (
            connection,
            self.enrol(Some(connection), &agent_credentials(), None)
                .await
                .unwrap(),
        )
    }

    pub(crate) async fn client(&self, agent: &Enrolled) -> AgentServiceClient<Channel> {
        AgentServiceClient::new(
            self.channel(&self.hub().ready().jobs, Some(agent.identity()))
                .await
                .1,
        )
    }

    /// An open session, after Welcome.
    pub(crate) async fn session(&self, agent: &Enrolled) -> Talk {
        let mut talk = Talk::begin(self.client(agent).await).await.unwrap();
        talk.say(Said::Hello(hello())).await;
        match talk.hear().await {
            Heard::Welcome(welcome) => talk.welcome = welcome,
            other => panic!("not a Welcome: {other:?}"),
        }
        talk
    }

    /// A job that needs no deployment.
    pub(crate) async fn seed(&self, account: &str, connection: ConnectionId) -> JobId {
        let account = account.parse().unwrap();
        let work = JobWork::SetPullPolicy {
            repository: "web".parse().unwrap(),
            readers: [].into(),
        };
        let add = self.app().write("seed", move |unit| {
            Box::pin(async move {
                let row = JobRow {
                    job: Job::new(unit.fresh_id(), unit.now),
                    account,
                    region: region(),
                    connection,
                    deployment: None,
                    label: "pull policy of web".to_owned(),
                    work,
                    created_at: unit.now,
                };
                jobs::insert(unit.tx, &row).await?;
                Ok(row.job.id)
            })
        });
        add.await.unwrap()
    }
}

async fn start(sts: &FakeSts, dir: &TempDir, keys: &[(&str, &str)]) -> Running {
    let config = configuration(sts, dir, keys);
    wiring::start(config, Clock::system(), Renderer::here())
        .await
        .unwrap()
}

fn configuration(sts: &FakeSts, dir: &TempDir, keys: &[(&str, &str)]) -> config::Config {
    let data_dir = dir.path().join("data").display().to_string();
    let mut given = vec![
        ("dev", "true"),
        ("data_dir", data_dir.as_str()),
        ("sts.endpoint", sts.url.as_str()),
    ];
    given.extend(["enrol", "jobs", "api", "admin"].map(|one| match one {
        "enrol" => ("listen.enrol", "127.0.0.1:0"),
        "jobs" => ("listen.jobs", "127.0.0.1:0"),
        "api" => ("listen.api", "127.0.0.1:0"),
        _ => ("listen.admin", "127.0.0.1:0"),
    }));
    given.extend(keys);
    config::load(None, overrides(&given)).unwrap()
}

pub(crate) fn overrides(keys: &[(&str, &str)]) -> Vec<Override> {
    let one = |(path, text): &(&str, &str)| {
        let key = config::KEYS.iter().find(|key| key.path == *path).unwrap();
        Override {
            path: key.path,
            text: (*text).to_owned(),
            origin: config::Origin::Flag(key.flag()),
        }
    };
    keys.iter().map(one).collect()
}

/// What an agent has after enrolment.
pub(crate) struct Enrolled {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
    pub(crate) agent: String,
    pub(crate) connection: String,
}

impl Enrolled {
    pub(crate) fn identity(&self) -> ClientIdentity {
        let key = PrivateKeyDer::try_from(self.key.clone()).unwrap();
        ClientIdentity {
            chain: self.chain.clone(),
            key,
        }
    }
}

pub(crate) fn hello() -> wire::Hello {
    wire::Hello {
        agent_version: "0.1.0".to_owned(),
        protocol_min: 1,
        protocol_max: 1,
        capabilities: ["apply_stack", "destroy_stack", "revoke_stack", "set_pull_policy"]
            .map(String::from)
            .to_vec(),
        held: Vec::new(),
    }
}

/// The agent's side of a session.
pub(crate) struct Talk {
    pub(crate) client: AgentServiceClient<Channel>,
    pub(crate) welcome: wire::Welcome,
    say: mpsc::Sender<wire::AgentMessage>,
    hear: Streaming<wire::HubMessage>,
}

impl Talk {
    pub(crate) async fn begin(mut client: AgentServiceClient<Channel>) -> Result<Self, Status> {
        let (say, said) = mpsc::channel(16);
        let hear = client.session(ReceiverStream::new(said)).await?.into_inner();
        Ok(Self {
            client,
            welcome: wire::Welcome::default(),
            say,
            hear,
        })
    }

    pub(crate) async fn say(&self, message: Said) {
        // Fails when the hub has closed the stream, which the test will notice.
        let _ = self
            .say
            .send(wire::AgentMessage {
                message: Some(message),
            })
            .await;
    }

    pub(crate) async fn demand(&self, jobs: u32) {
        self.say(Said::Demand(wire::Demand { jobs })).await;
    }

    pub(crate) async fn hear(&mut self) -> Heard {
        self.hear_within(SOON).await
    }

    pub(crate) async fn hear_within(&mut self, span: Duration) -> Heard {
        let message = tokio::time::timeout(span, self.hear.message())
            .await
            .expect("the hub says nothing");
        message
            .unwrap()
            .expect("the hub closed the stream")
            .message
            .unwrap()
    }

    /// What the hub says next, or how it ends the stream.
    pub(crate) async fn hear_or_end(&mut self) -> Result<Option<Heard>, Status> {
        let message = tokio::time::timeout(SOON, self.hear.message())
            .await
            .expect("the hub says nothing");
        Ok(message?.and_then(|message| message.message))
    }

    /// Whether the hub says nothing for a while.
    pub(crate) async fn is_quiet(&mut self, span: Duration) -> bool {
        tokio::time::timeout(span, self.hear.message()).await.is_err()
    }

    pub(crate) async fn offer(&mut self) -> wire::Offer {
        match self.hear().await {
            Heard::Offer(offer) => offer,
            other => panic!("not an Offer: {other:?}"),
        }
    }

    /// What the stream ends with; everything before is passed over.
    pub(crate) async fn end(&mut self) -> Result<(), Status> {
        loop {
            match tokio::time::timeout(SOON, self.hear.message())
                .await
                .expect("the stream does not end")
            {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(status) => return Err(status),
            }
        }
    }
}

pub(crate) fn token(offer: &wire::Offer) -> Option<wire::JobToken> {
    offer.token.clone()
}

pub(crate) fn fenced(job: JobId, fence: u64) -> Option<wire::JobToken> {
    let Token { job, fence } = Token { job, fence };
    Some(wire::JobToken {
        job_id: job.to_string(),
        fence,
    })
}
