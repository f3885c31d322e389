//! Unary calls to the hub: whatever must not be lost is asked here, again and again, until there is an answer or the
//! lease is over.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hadron_proto::vocab::Digest;
use hadron_proto::wire;
use tokio::sync::Notify;
use tonic::{Code, Status};
use tracing::debug;

use super::backlog::{Backlog, Teller, backlog};
use super::backoff::{Backoff, Jitter};
use super::dial::Transport;
use super::held::{Held, Lease, Over};
use crate::convert;
use crate::job::{Act, Failure, Hub, HubError, StackEvent, Token, Verdict};
use crate::limits::Policy;

/// The generated client.
pub type Client = wire::agent_service_client::AgentServiceClient<Transport>;

/// How long one try of a call may take.
const TRY: Duration = Duration::from_secs(10);

/// What a template was rendered from has no more bytes: some bundles of at most 5 MB, and inputs.
const SOURCE: u64 = 48 << 20;

/// Chunks above this are a fault of the hub (the protocol says 64 KiB).
const CHUNK: usize = 1 << 20;

/// The connection of the session that is open now, if one is.
#[derive(Clone, Debug)]
pub struct Link {
    line: Arc<Line>,
    jitter: Jitter,
}

/// The session's end of [`Link`].
#[derive(Debug)]
pub struct LinkSetter {
    line: Arc<Line>,
    pub(super) jitter: Jitter,
}

/// What both ends share. No watch channel: that one wakes those who wait in random order, this one who waits longest first.
#[derive(Debug, Default)]
struct Line {
    open: Mutex<Open>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    /// How many sessions there have been.
    number: u64,
    client: Option<Client>,
}

impl Line {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LinkSetter {
    /// A session is open.
    pub fn up(&self, client: Client) {
        {
            let mut open = self.line.open();
            open.number += 1;
            open.client = Some(client);
        }
        self.line.changed.notify_waiters();
    }

    /// No session is open. Calls under way end by themselves; new ones wait.
    pub fn down(&self) {
        self.line.open().client = None;
    }
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The hub has it.
    Acknowledged,
    /// The hub has a later lease of the job: nobody waits for this report.
    Stale(String),
    /// The hub will never take this report as it is.
    Refused(String),
}

impl Link {
    /// A link without a session.
    #[must_use]
    pub fn new(jitter: Jitter) -> (LinkSetter, Self) {
        let line = Arc::<Line>::default();
        let setter = LinkSetter {
            line: Arc::clone(&line),
            jitter: jitter.clone(),
        };
        (setter, Self { line, jitter })
    }

    /// The client of the open session, or of the next one, when it is later than the one of this number.
    async fn client(&self, later_than: u64) -> (u64, Client) {
        loop {
            // Before looking, so that no session is missed.
            let changed = self.line.changed.notified();
            {
                let open = self.line.open();
                if let Some(client) = open.client.clone().filter(|_| open.number > later_than) {
                    return (open.number, client);
                }
            }
            changed.await;
        }
    }

    /// Calls until the hub answers with something that trying again would not change.
    async fn call<T, F>(&self, what: &'static str, call: impl Fn(Client) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.call_hearing(what, call, |_| {}).await
    }

    /// The same; `hears` is told of every answer after which it is tried again.
    async fn call_hearing<T, F>(
        &self,
        what: &'static str,
        call: impl Fn(Client) -> F,
        hears: impl Fn(&Status),
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let mut backoff = Backoff::new(
            Duration::from_millis(200),
            Duration::from_secs(15),
            self.jitter.clone(),
        );
        let (mut number, mut client) = self.client(0).await;
        loop {
            let answer = tokio::select! {
                biased;
                answer = tokio::time::timeout(TRY, call(client.clone())) => answer,
                // A new session: the old connection's answer may never come.
                newer = self.client(number) => {
                    (number, client) = newer;
                    continue;
                }
            };
            let status = match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(status)) if is_final(status.code()) => return Err(status),
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded("no answer in time"),
            };
            hears(&status);
            debug!(call = what, code = ?status.code(), message = status.message(), "The hub gave no answer, trying again");
            tokio::time::sleep(backoff.wait()).await;
            (number, client) = self.client(0).await;
        }
    }

    /// Delivers a report, however long it takes.
    pub async fn deliver(&self, report: &wire::ReportRequest) -> Delivery {
        let call = |mut client: Client| {
            let report = report.clone();
            async move { client.report(report).await }
        };
        match self.call("Report", call).await {
            Ok(_) => Delivery::Acknowledged,
            Err(status) if matches!(status.code(), Code::Aborted | Code::NotFound) => {
                Delivery::Stale(status.message().to_owned())
            }
            Err(status) => Delivery::Refused(format!("{:?}: {}", status.code(), status.message())),
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Would the hub say the same again? What is not certain to be final is tried again.
const fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::Aborted | Code::InvalidArgument | Code::NotFound | Code::OutOfRange
    )
}

/// The template that a job announced.
#[derive(Clone, Copy, Debug)]
pub struct Announced {
    /// Its digest.
    pub digest: Digest,
    /// Its length.
    pub bytes: u64,
    /// The hub has what it was rendered from.
    pub has_source: bool,
}

/// What one job may ask of the hub. See [`Hub`].
#[derive(Clone, Debug)]
pub struct JobHub {
    link: Link,
    held: Held,
    lease: Lease,
    policy: Policy,
    announced: Option<Announced>,
    events: Arc<Teller>,
    /// Why the local policy forbade what the job was about to do.
    forbidden: Arc<OnceLock<Failure>>,
}

/// Carries a job's events to the hub, in the background.
#[derive(Debug)]
pub struct EventPost {
    link: Link,
    lease: Lease,
    events: Backlog,
}

impl JobHub {
    /// The hub for the job of this lease.
    #[must_use]
    pub fn new(
        link: Link,
        held: Held,
        lease: Lease,
        policy: Policy,
        announced: Option<Announced>,
    ) -> (Self, EventPost) {
        let (teller, events) = backlog();
        let post = EventPost {
            link: link.clone(),
            lease: lease.clone(),
            events,
        };
        (
            Self {
                link,
                held,
                lease,
                policy,
                announced,
                events: teller,
                forbidden: Arc::default(),
            },
            post,
        )
    }

    /// Where a refusal by the local policy will stand: whoever runs the job reports it, since the same job would meet the
    /// same refusal wherever it is tried again.
    #[must_use]
    pub fn forbidden(&self) -> Arc<OnceLock<Failure>> {
        Arc::clone(&self.forbidden)
    }

    /// The account's owner does not want this: the job ends here.
    fn forbid(&self, failure: Failure) -> HubError {
        let why = failure.message.clone();
        // Set once: the first reason is as good as any.
        let _ = self.forbidden.set(failure);
        HubError::Unavailable(why)
    }

    /// Asks for as long as the lease holds.
    async fn ask<T, F>(
        &self,
        token: Token,
        what: &'static str,
        call: impl Fn(Client) -> F,
    ) -> Result<T, HubError>
    where
        F: Future<Output = Result<T, Status>>,
    {
        if token != self.lease.token() {
            return Err(HubError::Fenced("this is another lease of the job".to_owned()));
        }
        // A refusal of the agent is tried again, since a new session may stand on a new certificate. When none comes, it was
        // the hub's last word.
        let refused = Mutex::new(None);
        let hears = |status: &Status| {
            let denied = status.code() == Code::PermissionDenied;
            *lock(&refused) = denied.then(|| status.message().to_owned());
        };
        tokio::select! {
            biased;
            over = self.lease.over() => Err(match (over, lock(&refused).take()) {
                (Over::Lost(reason), _) => HubError::Fenced(reason),
                (Over::Expired, Some(reason)) => HubError::NotConnected(reason),
                (Over::Expired, None) => {
                    HubError::Unavailable("the lease ran out before the hub answered".to_owned())
                }
            }),
            answer = self.link.call_hearing(what, call, hears) => answer.map_err(|status| {
                let reason = status.message().to_owned();
                if status.code() == Code::Aborted {
                    self.held.lose(token, Over::Lost(reason.clone()));
                    HubError::Fenced(reason)
                } else {
                    HubError::Unavailable(format!("{:?}: {reason}", status.code()))
                }
            }),
        }
    }
}

impl Hub for JobHub {
    async fn template(&self, token: Token) -> Result<String, HubError> {
        let announced = self.announced;
        let most = announced
            .map_or(u64::MAX, |announced| announced.bytes)
            .min(self.policy.limits.max_template_bytes);
        let text = self
            .ask(token, "FetchContent", |client| template(client, token, most))
            .await?;
        if announced.is_some_and(|announced| announced.digest != Digest::of(text.as_bytes())) {
            return Err(HubError::Unavailable(
                "the template that the hub sent is not the one that it announced".to_owned(),
            ));
        }
        if let Err(failure) = self.policy.template(&text) {
            return Err(self.forbid(*failure));
        }
        let has_source = announced.is_some_and(|announced| announced.has_source);
        match self.policy.wants_source(has_source) {
            Ok(false) => return Ok(text),
            Ok(true) => {}
            Err(failure) => return Err(self.forbid(*failure)),
        }
        let kind = wire::fetch_content_request::Kind::Source;
        let source = self
            .ask(token, "FetchContent", |client| fetch(client, token, kind, SOURCE))
            .await?;
        let policy = self.policy.clone();
        // It takes its time, in which leases have to be renewed.
        let judged = tokio::task::spawn_blocking(move || {
            let judged = policy.signed(&source, &text);
            judged.map(|()| text)
        });
        match judged.await {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(failure)) => Err(self.forbid(*failure)),
            Err(error) => Err(HubError::Unavailable(format!(
                "the template could not be rendered: {error}"
            ))),
        }
    }

    async fn authorise(&self, token: Token, act: Act) -> Result<Verdict, HubError> {
        // The hub's leave is needed, and the account's as well: here the types of resources are CloudFormation's word.
        if let Err(failure) = self.policy.allow(&act) {
            let why = failure.message.clone();
            self.forbid(*failure);
            return Ok(Verdict::Refused(why));
        }
        let request = convert::authorise(token, act);
        let call = |mut client: Client| {
            let request = request.clone();
            async move { client.authorise(request).await }
        };
        let answer = self.ask(token, "Authorise", call).await?.into_inner();
        // The answer may be older than it looks: who was paused meanwhile has no lease to act on.
        if !self.lease.holds() {
            return Err(HubError::Unavailable(
                "the lease ran out while the hub answered".to_owned(),
            ));
        }
        Ok(if answer.granted {
            Verdict::Granted
        } else {
            Verdict::Refused(answer.refusal)
        })
    }

    async fn put_content(&self, token: Token, content: Bytes) -> Result<(), HubError> {
        let digest = Digest::of(&content).to_string();
        let call = |client| put(client, token, content.clone());
        let answer = self.ask(token, "PutContent", call).await?;
        if answer.digest == digest {
            Ok(())
        } else {
            Err(HubError::Unavailable(
                "the hub got something else than what was sent".to_owned(),
            ))
        }
    }

    async fn events(&self, _token: Token, events: Vec<StackEvent>) {
        if !events.is_empty() {
            self.events.tell(events);
        }
    }
}

/// What one chunk holds.
const PUT_CHUNK: usize = 64 * 1024;

/// Sends content. The parts share one buffer.
async fn put(mut client: Client, token: Token, content: Bytes) -> Result<wire::PutContentResponse, Status> {
    let first = wire::PutContentRequest {
        token: Some(convert::wire_token(token)),
        data: Bytes::new(),
    };
    let rest = (0..content.len())
        .step_by(PUT_CHUNK)
        .map(move |from| wire::PutContentRequest {
            token: None,
            data: content.slice(from..content.len().min(from + PUT_CHUNK)),
        });
    let messages: Vec<_> = std::iter::once(first).chain(rest).collect();
    let answer = client.put_content(futures::stream::iter(messages)).await?;
    Ok(answer.into_inner())
}

/// Reads the whole content. Too much, or no text, is the hub's fault and will be the same next time.
async fn fetch(
    mut client: Client,
    token: Token,
    kind: wire::fetch_content_request::Kind,
    most: u64,
) -> Result<Vec<u8>, Status> {
    let request = wire::FetchContentRequest {
        token: Some(convert::wire_token(token)),
        kind: kind.into(),
    };
    let mut chunks = client.fetch_content(request).await?.into_inner();
    let mut content = Vec::new();
    while let Some(chunk) = chunks.message().await? {
        if chunk.data.len() > CHUNK || (content.len() + chunk.data.len()) as u64 > most {
            return Err(Status::out_of_range(format!(
                "the hub sends more than the {most} bytes that are expected"
            )));
        }
        content.extend_from_slice(&chunk.data);
    }
    Ok(content)
}

/// Reads the template.
async fn template(client: Client, token: Token, most: u64) -> Result<String, Status> {
    let kind = wire::fetch_content_request::Kind::Template;
    let content = fetch(client, token, kind, most).await?;
    String::from_utf8(content).map_err(|_| Status::invalid_argument("the template is no UTF-8 text"))
}

/// How many stack events go into one call; the hub takes 500.
const EVENTS_A_CALL: usize = 250;

impl EventPost {
    /// Sends what comes, until the job lets go of its [`JobHub`] and everything is sent, or the lease is over.
    pub async fn run(mut self) {
        let lease = self.lease.clone();
        let send = async {
            // What came meanwhile goes along, as much as the hub takes in one call.
            while let Some(batch) = self.events.take(EVENTS_A_CALL).await {
                let request = convert::events(self.lease.token(), batch);
                let call = |mut client: Client| {
                    let request = request.clone();
                    async move { client.post_events(request).await }
                };
                if let Err(status) = self.link.call("PostEvents", call).await {
                    debug!(code = ?status.code(), message = status.message(), "The hub refuses stack events");
                    if status.code() == Code::Aborted {
                        return;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            _ = lease.over() => {}
            () = send => {}
        }
    }
}
