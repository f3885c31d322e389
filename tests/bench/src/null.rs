//! A hub without a store: the same listener, TLS, messages and calls, and nothing behind them but queues in memory. What
//! it reaches is the limit of the transport.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use futures::future::BoxFuture;
use futures::{FutureExt as _, Stream};
use hadron_management::clock::Clock;
use hadron_management::identity::ca::Ca;
use hadron_management::identity::seal::Seal;
use hadron_management::identity::tickets::Tickets;
use hadron_management::identity::tls::{self, Agents, Limits, ServerIdentity, serve_tls};
use hadron_proto::vocab::JobId;
use hadron_proto::wire;
use hadron_proto::wire::agent_message::Message as Said;
use hadron_proto::wire::agent_service_server::{AgentService, AgentServiceServer};
use hadron_proto::wire::hub_message::Message as Saying;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::control::{Asked, Made};
use crate::hub::Door;
use crate::seed;

/// Jobs of one agent that wait.
#[derive(Debug, Default)]
struct Lane {
    jobs: Mutex<std::collections::VecDeque<(JobId, String)>>,
    bell: Notify,
}

#[derive(Clone, Debug)]
pub(crate) struct NullHub {
    lanes: Arc<Vec<Lane>>,
    fences: Arc<AtomicU64>,
    clock: Clock,
    readers: Arc<Vec<String>>,
    address: std::net::SocketAddr,
    hub: String,
}

impl NullHub {
    pub(crate) async fn start(dir: &Path, port: u16, agents: u32) -> Result<Self> {
        let clock = Clock::system();
        let config = seed::config(dir, &seed::Store::Sqlite, None, &[])?;
        let ca = Arc::new(Ca::load_or_create(dir, config.dev, clock.now())?);
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let identity = ServerIdentity::new(Arc::clone(&ca), names, clock.now())?;
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let seal = Seal::load_or_create(dir)?;
        let tickets = Arc::new(Tickets::new(&seal, &ca, clock.clone()));
        let config = tls::job_config(identity, tickets)?;
        let readers = (0..30).map(|other| Ok(seed::account(900_000 + other)?.to_string()));
        let hub = Self {
            lanes: Arc::new((0..agents).map(|_| Lane::default()).collect()),
            fences: Arc::default(),
            clock,
            readers: Arc::new(readers.collect::<Result<_>>()?),
            address,
            hub: ca.hub_id().to_string(),
        };
        let limits = Limits {
            at_once: 512,
            connections: 100_000,
            per_address: 100_000,
            ..Limits::default()
        };
        let demanded = Agents {
            hub: ca.hub_id().clone(),
            clock: hub.clock.clone(),
        };
        let incoming = serve_tls(listener, config, Some(demanded), limits);
        let service = AgentServiceServer::new(hub.clone());
        tokio::spawn(
            tonic::transport::Server::builder()
                .http2_keepalive_interval(Some(Duration::from_secs(45)))
                .http2_keepalive_timeout(Some(Duration::from_secs(45)))
                .http2_max_header_list_size(16 * 1024)
                .initial_stream_window_size(128 * 1024)
                .initial_connection_window_size(256 * 1024)
                .max_concurrent_streams(16)
                .add_service(service)
                .serve_with_incoming(incoming),
        );
        Ok(hub)
    }

    pub(crate) fn address(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn hub_id(&self) -> String {
        self.hub.clone()
    }

    fn offer(&self, lane: usize, job: JobId, label: String) -> wire::HubMessage {
        let fence = self.fences.fetch_add(1, Ordering::Relaxed) + 1;
        let account = seed::account(u32::try_from(lane).unwrap_or_default());
        wire::HubMessage {
            message: Some(Saying::Offer(wire::Offer {
                token: Some(wire::JobToken {
                    job_id: job.to_string(),
                    fence,
                }),
                attempt: 1,
                lease: None,
                deployment_id: String::new(),
                label,
                account_id: account.map(|account| account.to_string()).unwrap_or_default(),
                region: seed::REGION.to_owned(),
                work: Some(wire::offer::Work::SetPullPolicy(wire::SetPullPolicy {
                    repository: "bench".to_owned(),
                    readers: self.readers.to_vec(),
                })),
                traceparent: String::new(),
            })),
        }
    }

    async fn session(
        self,
        lane: usize,
        mut incoming: Streaming<wire::AgentMessage>,
        out: mpsc::Sender<Result<wire::HubMessage, Status>>,
    ) -> Option<()> {
        let mut credit = 0;
        let place = self.lanes.get(lane)?;
        loop {
            tokio::select! {
                said = incoming.message() => match said.ok()??.message? {
                    Said::Hello(_) => {
                        let welcome = wire::Welcome {
                            session_id: String::new(),
                            hub_id: self.hub.clone(),
                            hub_version: String::new(),
                            protocol: 1,
                            heartbeat_every: None,
                            lease: None,
                            resumed: Vec::new(),
                            roots_der: Vec::new(),
                        };
                        out.send(Ok(wire::HubMessage { message: Some(Saying::Welcome(welcome)) })).await.ok()?;
                    }
                    Said::Demand(demand) => credit += demand.jobs,
                    Said::Heartbeat(beat) => {
                        let reply = wire::HeartbeatReply { sequence: beat.sequence, renewed: beat.held };
                        out.send(Ok(wire::HubMessage { message: Some(Saying::HeartbeatReply(reply)) })).await.ok()?;
                    }
                    Said::Started(_) | Said::Handover(_) => {}
                },
                () = place.bell.notified(), if credit > 0 => {}
            }
            while credit > 0 {
                let next = place
                    .jobs
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .pop_front();
                let Some((job, label)) = next else { break };
                credit -= 1;
                out.send(Ok(self.offer(lane, job, label))).await.ok()?;
            }
        }
    }
}

impl Door for NullHub {
    fn submit(&self, jobs: Vec<Asked>) -> BoxFuture<'_, Result<Vec<Made>>> {
        async move {
            let mut made = Vec::with_capacity(jobs.len());
            for job in jobs {
                let lane = self.lanes.get(job.agent as usize).context("a job for nobody")?;
                let id: JobId = self.clock.fresh_id();
                let label = job.text.get(..17).ok_or_else(|| anyhow!("a job without a tag"))?;
                let mut waiting = lane.jobs.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.push_back((id, label.to_owned()));
                drop(waiting);
                lane.bell.notify_one();
                made.push(id.as_uuid().into_bytes());
            }
            Ok(made)
        }
        .boxed()
    }

    fn stats(&self) -> (u64, u64) {
        (0, 0)
    }
}

type Outgoing = ReceiverStream<Result<wire::HubMessage, Status>>;
type Chunks = Pin<Box<dyn Stream<Item = Result<wire::ContentChunk, Status>> + Send>>;

fn no<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented(
        "a hub without a store has nothing but the queue",
    ))
}

#[tonic::async_trait]
impl AgentService for NullHub {
    type SessionStream = Outgoing;
    type FetchContentStream = Chunks;

    async fn session(
        &self,
        request: Request<Streaming<wire::AgentMessage>>,
    ) -> Result<Response<Outgoing>, Status> {
        let identity = request
            .extensions()
            .get::<tls::Peer>()
            .and_then(|peer| peer.identity.clone());
        let identity = identity.ok_or_else(|| Status::unauthenticated("no certificate"))?;
        let number: u64 = identity.account.to_string().parse().unwrap_or_default();
        let lane = usize::try_from(number.saturating_sub(500_000_000_000)).unwrap_or(usize::MAX);
        let (out, outgoing) = mpsc::channel(256);
        tokio::spawn(self.clone().session(lane, request.into_inner(), out));
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }

    async fn report(
        &self,
        _: Request<wire::ReportRequest>,
    ) -> Result<Response<wire::ReportResponse>, Status> {
        Ok(Response::new(wire::ReportResponse {}))
    }

    async fn fetch_content(&self, _: Request<wire::FetchContentRequest>) -> Result<Response<Chunks>, Status> {
        no()
    }

    async fn put_content(
        &self,
        _: Request<Streaming<wire::PutContentRequest>>,
    ) -> Result<Response<wire::PutContentResponse>, Status> {
        no()
    }

    async fn authorise(
        &self,
        _: Request<wire::AuthoriseRequest>,
    ) -> Result<Response<wire::AuthoriseResponse>, Status> {
        no()
    }

    async fn post_events(
        &self,
        _: Request<wire::PostEventsRequest>,
    ) -> Result<Response<wire::PostEventsResponse>, Status> {
        no()
    }
}
