//! A hub that speaks the real protocol over a real socket and says what a test tells it to say.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::Stream as FuturesStream;
use hadron_proto::vocab::{Digest, JobId};
use hadron_proto::wire;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use wire::agent_service_server::AgentService;

use super::{Heard, Say, TEMPLATE, Token, wire_token};

pub(super) type Line = mpsc::UnboundedSender<Result<wire::HubMessage, Status>>;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Seen {
    Hello(Vec<u64>),
    Demand(u32),
    Started(u64),
    Handover(u64, String),
    Report(u64),
    Authorise(u64),
    Events(usize),
    Content(u64, usize, usize),
}

#[derive(Default)]
pub(super) struct State {
    pub(super) seen: Vec<Seen>,
    pub(super) line: Option<Line>,
    /// What the next contents are answered with instead.
    pub(super) contents: Vec<Status>,
    /// Fences that the next Welcome resumes; `None` resumes all.
    pub(super) resume: Option<Vec<u64>>,
    /// Heartbeats are not answered.
    pub(super) deaf: bool,
    /// Answers to reports, before they are simply accepted.
    pub(super) reports: Vec<Status>,
    pub(super) authorise: Vec<Result<bool, Status>>,
    pub(super) template: String,
    pub(super) reported: HashMap<u64, usize>,
}

#[derive(Clone)]
pub(super) struct Hub {
    pub(super) state: Arc<Mutex<State>>,
    pub(super) changed: Arc<Notify>,
    pub(super) lease: Duration,
}

impl Hub {
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    pub(super) fn saw(&self, seen: Seen) {
        self.with(|state| state.seen.push(seen));
        self.changed.notify_waiters();
    }

    pub(super) fn say(&self, heard: Heard) {
        let message = wire::HubMessage { message: Some(heard) };
        self.with(|state| drop(state.line.as_ref().unwrap().send(Ok(message))));
    }

    pub(super) fn break_stream(&self) {
        self.with(|state| {
            drop(
                state
                    .line
                    .take()
                    .unwrap()
                    .send(Err(Status::unavailable("broken by the test"))),
            )
        });
    }

    pub(super) fn offer(&self, fence: u64) {
        self.say(Heard::Offer(self.offer_of(fence)));
    }

    pub(super) fn offer_of(&self, fence: u64) -> wire::Offer {
        wire::Offer {
            token: Some(wire_token(token_of(fence))),
            attempt: 1,
            lease: self.lease.try_into().ok(),
            account_id: "333333333333".to_owned(),
            region: "us-east-1".to_owned(),
            work: Some(wire::offer::Work::ApplyStack(wire::ApplyStack {
                stack_name: "AWSProton-prd".to_owned(),
                template_digest: Digest::of(TEMPLATE.as_bytes()).to_string(),
                template_bytes: TEMPLATE.len() as u64,
                role_kind: wire::RoleKind::Provisioning.into(),
                ..wire::ApplyStack::default()
            })),
            ..wire::Offer::default()
        }
    }

    /// Waits until a test is satisfied with what the hub saw; then returns all of it.
    pub(super) async fn until(&self, satisfied: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                let seen = self.with(|state| state.seen.clone());
                if satisfied(&seen) {
                    return seen;
                }
                changed.await;
            }
        };
        let seen = timeout(Duration::from_secs(20), wait).await;
        seen.unwrap_or_else(|_| panic!("the hub saw only {:?}", self.with(|state| state.seen.clone())))
    }

    pub(super) async fn sees(&self, wanted: Seen) {
        self.until(|seen| seen.contains(&wanted)).await;
    }
}

pub(super) fn job_id(fence: u64) -> JobId {
    // Fences 10 and 11 are two leases of job 1.
    JobId::from_parts(fence / 10, [1; 10])
}

pub(super) fn token_of(fence: u64) -> Token {
    Token {
        job: job_id(fence),
        fence,
    }
}

pub(super) fn fence(token: Option<&wire::JobToken>) -> u64 {
    token.unwrap().fence
}

type Boxed<T> = Pin<Box<dyn FuturesStream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl AgentService for Hub {
    type SessionStream = Boxed<wire::HubMessage>;
    type FetchContentStream = Boxed<wire::ContentChunk>;

    async fn session(
        &self,
        request: Request<Streaming<wire::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let mut inbound = request.into_inner();
        let (line, outbound) = mpsc::unbounded_channel();
        let hub = self.clone();
        tokio::spawn(async move {
            while let Ok(Some(message)) = inbound.message().await {
                match message.message.unwrap() {
                    Say::Hello(hello) => {
                        let mut held: Vec<u64> = hello.held.iter().map(|token| token.fence).collect();
                        held.sort_unstable();
                        let resume = hub.with(|state| state.resume.clone());
                        let resumed = hello
                            .held
                            .into_iter()
                            .filter(|token| resume.as_ref().is_none_or(|r| r.contains(&token.fence)));
                        let welcome = wire::Welcome {
                            session_id: "ses".to_owned(),
                            protocol: 1,
                            heartbeat_every: (hub.lease / 6).try_into().ok(),
                            lease: hub.lease.try_into().ok(),
                            resumed: resumed.collect(),
                            roots_der: Vec::new(),
                            ..wire::Welcome::default()
                        };
                        hub.with(|state| state.line = Some(line.clone()));
                        hub.say(Heard::Welcome(welcome));
                        hub.saw(Seen::Hello(held));
                    }
                    Say::Heartbeat(beat) => {
                        let reply = wire::HeartbeatReply {
                            sequence: beat.sequence,
                            renewed: beat.held,
                        };
                        if !hub.with(|state| state.deaf) {
                            let message = wire::HubMessage {
                                message: Some(Heard::HeartbeatReply(reply)),
                            };
                            let _ = line.send(Ok(message));
                        }
                    }
                    Say::Demand(demand) => hub.saw(Seen::Demand(demand.jobs)),
                    Say::Started(started) => hub.saw(Seen::Started(fence(started.token.as_ref()))),
                    Say::Handover(over) => hub.saw(Seen::Handover(fence(over.token.as_ref()), over.step)),
                }
            }
        });
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(outbound))))
    }

    async fn fetch_content(
        &self,
        _: Request<wire::FetchContentRequest>,
    ) -> Result<Response<Self::FetchContentStream>, Status> {
        let text = self.with(|state| state.template.clone());
        let chunks: Vec<_> = text
            .as_bytes()
            .chunks(5)
            .map(|data| {
                Ok(wire::ContentChunk {
                    data: data.to_vec().into(),
                })
            })
            .collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(chunks))))
    }

    async fn put_content(
        &self,
        request: Request<Streaming<wire::PutContentRequest>>,
    ) -> Result<Response<wire::PutContentResponse>, Status> {
        let mut messages = request.into_inner();
        let (mut token, mut content, mut largest) = (None, Vec::new(), 0);
        while let Some(message) = messages.message().await? {
            token = token.or(message.token);
            largest = largest.max(message.data.len());
            content.extend_from_slice(&message.data);
        }
        self.saw(Seen::Content(fence(token.as_ref()), content.len(), largest));
        if let Some(status) =
            self.with(|state| (!state.contents.is_empty()).then(|| state.contents.remove(0)))
        {
            return Err(status);
        }
        Ok(Response::new(wire::PutContentResponse {
            digest: Digest::of(&content).to_string(),
        }))
    }

    async fn authorise(
        &self,
        request: Request<wire::AuthoriseRequest>,
    ) -> Result<Response<wire::AuthoriseResponse>, Status> {
        self.saw(Seen::Authorise(fence(request.into_inner().token.as_ref())));
        let next = self.with(|state| {
            if state.authorise.is_empty() {
                Ok(true)
            } else {
                state.authorise.remove(0)
            }
        });
        next.map(|granted| {
            Response::new(wire::AuthoriseResponse {
                granted,
                refusal: "cancelled".to_owned(),
            })
        })
    }

    async fn post_events(
        &self,
        request: Request<wire::PostEventsRequest>,
    ) -> Result<Response<wire::PostEventsResponse>, Status> {
        self.saw(Seen::Events(request.into_inner().events.len()));
        Ok(Response::new(wire::PostEventsResponse {}))
    }

    async fn report(
        &self,
        request: Request<wire::ReportRequest>,
    ) -> Result<Response<wire::ReportResponse>, Status> {
        let fence = fence(request.into_inner().token.as_ref());
        if let Some(status) = self.with(|state| (!state.reports.is_empty()).then(|| state.reports.remove(0)))
        {
            return Err(status);
        }
        self.with(|state| *state.reported.entry(fence).or_default() += 1);
        self.saw(Seen::Report(fence));
        Ok(Response::new(wire::ReportResponse {}))
    }
}
