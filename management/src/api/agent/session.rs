//! One stream of one agent, from Hello to its end.
//!
//! A session is a task that owns the stream's two sides. Whatever may end it (the agent, a newer session, the end of
//! trust, of the certificate, of the hub) is an event of one loop, so that it is closed in the database exactly once.
//! Wake-ups and notices make things fast; polling makes them certain, since another replica may have decided.

use std::time::Duration;

use futures::FutureExt as _;
use hadron_proto::vocab::Timestamp;
use hadron_proto::wire;
use hadron_proto::wire::agent_message::Message as Said;
use hadron_proto::wire::hub_message::Message as Saying;
use rand::Rng as _;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tracing::{Instrument as _, debug, info, info_span, warn};

use super::convert::{self, span, wire_token};
use super::status::{invalid, refused};
use super::{AgentApi, PROTOCOL};
use crate::api::status::with_info;
use crate::app::work::{Peer, Session, Token};
use crate::app::{App, AppError, ErrorKind, Notice};
use crate::store::jobs::{Abilities, JobWork};
use crate::store::{Topic, jobs};

/// How long an agent may take to say Hello.
const HELLO: Duration = Duration::from_secs(10);
/// Messages that may wait for an agent that does not read. An honest one never has so many.
const QUEUE: usize = 256;
/// Places of the queue that offers leave free for answers.
const SPARE: usize = 64;
/// Most jobs that are leased in one transaction.
const BATCH: u32 = 32;
/// Most jobs that an agent may ask for ahead.
const MAX_CREDIT: u32 = 1_024;
/// How often it is checked whether the session may go on.
const CHECK: Duration = Duration::from_secs(1);
/// After so many intervals without a word the agent is taken to be gone.
const SILENT_AFTER: u32 = 3;
/// What the agent gets to read.
pub(crate) type Outgoing = ReceiverStream<Result<wire::HubMessage, Status>>;
type Out = mpsc::Sender<Result<wire::HubMessage, Status>>;

/// Why a session ends.
enum End {
    /// The agent closed its side, or its connection broke.
    Gone,
    /// The agent shall connect anew.
    GoAway(&'static str, Duration),
    /// The agent has no business here.
    Refused(Status),
}

impl From<Status> for End {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

/// Begins a session. It lives in a task of its own, also when nobody reads the stream any more.
pub(super) fn open(
    api: &AgentApi,
    peer: Peer,
    not_after: Timestamp,
    incoming: Streaming<wire::AgentMessage>,
) -> Outgoing {
    let (out, outgoing) = mpsc::channel(QUEUE);
    let span = info_span!("session", agent.id = %peer.agent, account = %peer.account, connection.id = %peer.connection);
    api.sessions
        .spawn(run(api.clone(), peer, not_after, incoming, out).instrument(span));
    ReceiverStream::new(outgoing)
}

async fn run(
    api: AgentApi,
    peer: Peer,
    not_after: Timestamp,
    mut incoming: Streaming<wire::AgentMessage>,
    out: Out,
) {
    // Before the session is opened: whatever is decided about it from then on is heard.
    let notices = api.app.notices();
    let greeted = tokio::select! {
        greeted = greet(&api, &peer, &mut incoming) => greeted,
        () = out.closed() => Err(End::Gone),
        () = api.drain.cancelled() => Err(End::Refused(Status::unavailable("this hub is stopping; connect again"))),
    };
    let (session, resumed) = match greeted {
        Ok(greeted) => greeted,
        Err(end) => return farewell(out, end),
    };
    info!(session.id = %session.id, region = %session.region, resumed = resumed.len(), "An agent opened a session");
    hadron_proto::fault::point("C09");
    let counted = Counted::new(&api.live);
    let app = api.app.clone();
    let mut live = Live::new(&api, session, not_after, out.clone());
    let end = match live.welcome(&resumed) {
        Ok(()) => live.serve(incoming, notices, &api).await,
        Err(end) => end,
    };
    let session = live.session;
    match &end {
        End::Gone => info!(session.id = %session.id, "The agent closed its session"),
        End::GoAway(reason, _) => info!(session.id = %session.id, reason, "A session was closed"),
        End::Refused(status) => {
            info!(session.id = %session.id, code = ?status.code(), reason = status.message(), "A session was ended");
        }
    }
    // The agent first: what it may not do, it shall know as soon as possible.
    drop(live.out);
    farewell(out, end);
    drop(counted);
    close(&app, &session).await;
}

/// Waits for Hello and opens the session.
async fn greet(
    api: &AgentApi,
    peer: &Peer,
    incoming: &mut Streaming<wire::AgentMessage>,
) -> Result<(Session, Vec<Token>), End> {
    let first = match timeout(HELLO, incoming.message()).await {
        Err(_) => return Err(Status::deadline_exceeded("no Hello within 10 s").into()),
        Ok(Err(_) | Ok(None)) => return Err(End::Gone),
        Ok(Ok(Some(first))) => first,
    };
    let Some(Said::Hello(hello)) = first.message else {
        return Err(Status::invalid_argument("the first message of a session must be Hello").into());
    };
    if hello.protocol_min > PROTOCOL || hello.protocol_max < PROTOCOL {
        let (min, max) = (hello.protocol_min, hello.protocol_max);
        let message = format!("this hub speaks protocol {PROTOCOL}, the agent {min} to {max}");
        let help = if min > PROTOCOL {
            "update the hub"
        } else {
            "update the agent"
        };
        return Err(with_info(Code::FailedPrecondition, "PROTOCOL", &message, Some(help)).into());
    }
    if let Some(missing) = JobWork::ALWAYS
        .iter()
        .find(|one| !hello.capabilities.iter().any(|known| known == *one))
    {
        let message = format!("the agent cannot do '{missing}', which protocol {PROTOCOL} asks for");
        return Err(with_info(
            Code::FailedPrecondition,
            "CAPABILITIES",
            &message,
            Some("update the agent"),
        )
        .into());
    }
    let held = convert::held(&hello.held).map_err(|fault| invalid(&fault))?;
    let version: String = hello
        .agent_version
        .chars()
        .filter(|c| !c.is_control())
        .take(64)
        .collect();
    Ok(api
        .app
        .open_session(peer, &version, Abilities::of(&hello.capabilities), held)
        .await
        .map_err(refused)?)
}

/// The last words. A stream whose queue is full ends without them.
fn farewell(out: Out, end: End) {
    let last = match end {
        End::Gone => return,
        End::GoAway(reason, within) => {
            let reconnect_within = Some(span(within));
            Ok(say(Saying::GoAway(wire::GoAway {
                reason: reason.to_owned(),
                reconnect_within,
            })))
        }
        End::Refused(status) => Err(status),
    };
    // Only fails when nobody reads.
    let _ = out.try_send(last);
}

/// Closes the session in the database. When that does not work it is closed for its silence, later.
async fn close(app: &App, session: &Session) {
    for wait in [100, 500, 2_000] {
        match app.close_session(session).await {
            Ok(()) => return,
            Err(error) if error.kind == ErrorKind::Unavailable => {
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            Err(error) => {
                return warn!(
                    error = error.story(),
                    "A session could not be closed in the database"
                );
            }
        }
    }
    warn!("A session could not be closed in the database, which does not answer");
}

const fn say(message: Saying) -> wire::HubMessage {
    wire::HubMessage {
        message: Some(message),
    }
}

/// Counts live sessions of this process.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(live: &watch::Sender<usize>) -> Self {
        live.send_modify(|count| *count += 1);
        Self(live.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// What can happen in a session.
enum Event {
    Message(Result<Option<wire::AgentMessage>, Status>),
    Notice(Result<Notice, RecvError>),
    Check,
    Look,
    Silent,
    CertificateEnded,
    Drain,
    Gone,
}

struct Live {
    app: App,
    hub: String,
    session: Session,
    out: Out,
    /// How many jobs the agent still has room for.
    credit: u32,
    /// When it was last heard.
    heard: Instant,
    /// When to look for jobs although nothing has woken us.
    look_at: Instant,
    /// When the certificate ends.
    ends: Instant,
}

impl Live {
    fn new(api: &AgentApi, session: Session, not_after: Timestamp, out: Out) -> Self {
        let now = Instant::now();
        let ends = now + not_after.since(api.app.clock().now());
        Self {
            app: api.app.clone(),
            hub: api.hub.to_string(),
            session,
            out,
            credit: 0,
            heard: now,
            look_at: now,
            ends,
        }
    }

    fn say(&self, message: Saying) -> Result<(), End> {
        self.out.try_send(Ok(say(message))).map_err(|error| match error {
            mpsc::error::TrySendError::Closed(_) => End::Gone,
            mpsc::error::TrySendError::Full(_) => {
                End::Refused(Status::resource_exhausted("the agent does not read its messages"))
            }
        })
    }

    fn welcome(&self, resumed: &[Token]) -> Result<(), End> {
        let settings = self.app.settings();
        self.say(Saying::Welcome(wire::Welcome {
            session_id: self.session.id.to_string(),
            hub_id: self.hub.clone(),
            hub_version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            heartbeat_every: Some(span(settings.heartbeat)),
            lease: Some(span(settings.lease)),
            resumed: resumed.iter().copied().map(wire_token).collect(),
        }))
    }

    /// Goes on until there is a reason to end.
    async fn serve(
        &mut self,
        mut incoming: Streaming<wire::AgentMessage>,
        mut notices: broadcast::Receiver<Notice>,
        api: &AgentApi,
    ) -> End {
        let lane = Topic::Jobs {
            account: self.session.peer.account,
            region: self.session.region.clone(),
        };
        let mut jobs = self.app.db().subscribe(lane);
        let silence = self.app.settings().heartbeat * SILENT_AFTER;
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // All of these may be dropped and asked again without loss.
            let mut event = tokio::select! {
                message = incoming.message() => Event::Message(message),
                notice = notices.recv() => Event::Notice(notice),
                _ = check.tick() => Event::Check,
                () = jobs.woken(), if self.credit > 0 => Event::Look,
                () = sleep_until(self.look_at), if self.credit > 0 => Event::Look,
                () = sleep_until(self.heard + silence) => Event::Silent,
                () = sleep_until(self.ends) => Event::CertificateEnded,
                () = api.drain.cancelled() => Event::Drain,
                () = self.out.closed() => Event::Gone,
            };
            if matches!(event, Event::Silent) {
                // Perhaps it was the hub that did not listen, for instance since its database was slow.
                if let Some(message) = incoming.message().now_or_never() {
                    event = Event::Message(message);
                }
            }
            if let Err(end) = self.handle(event).await {
                return end;
            }
        }
    }

    async fn handle(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Message(Ok(Some(message))) => {
                self.heard = Instant::now();
                self.message(message.message).await
            }
            Event::Message(Ok(None) | Err(_)) | Event::Gone => Err(End::Gone),
            Event::Notice(Ok(notice)) => self.notice(notice),
            // Some were missed: the check finds out what matters, the heartbeat tells what was lost.
            Event::Notice(Err(RecvError::Lagged(_))) | Event::Check => self.check().await,
            Event::Notice(Err(RecvError::Closed)) | Event::Drain => {
                Err(End::GoAway("the hub is stopping", Duration::from_secs(5)))
            }
            Event::Look => self.look().await,
            Event::Silent => Err(End::Refused(Status::deadline_exceeded(
                "nothing was heard from the agent for too long",
            ))),
            Event::CertificateEnded => Err(End::GoAway(
                "the agent's certificate has ended",
                Duration::from_secs(1),
            )),
        }
    }

    async fn message(&mut self, message: Option<Said>) -> Result<(), End> {
        match message {
            Some(Said::Demand(demand)) => {
                self.credit = self.credit.saturating_add(demand.jobs).min(MAX_CREDIT);
                self.look().await
            }
            Some(Said::Heartbeat(heartbeat)) => self.heartbeat(heartbeat).await,
            Some(Said::Started(started)) => {
                let token = convert::token(started.token.as_ref()).map_err(|fault| invalid(&fault))?;
                let done = self.app.started(&self.session.peer, token).await;
                self.settle(token, done)
            }
            Some(Said::Handover(handover)) => {
                let token = convert::token(handover.token.as_ref()).map_err(|fault| invalid(&fault))?;
                let step: String = handover
                    .step
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(200)
                    .collect();
                let done = self.app.handover(&self.session.peer, token, &step).await;
                self.settle(token, done)
            }
            Some(Said::Hello(_)) => Err(Status::invalid_argument("Hello is said once").into()),
            // Of a later protocol, and not needed in this one.
            None => Ok(()),
        }
    }

    async fn heartbeat(&mut self, heartbeat: wire::Heartbeat) -> Result<(), End> {
        let held = convert::held(&heartbeat.held).map_err(|fault| invalid(&fault))?;
        let renewed = match self.app.heartbeat(&self.session, held.clone()).await {
            Ok(renewed) => renewed,
            Err(error) => return later(error),
        };
        if !renewed.is_empty() {
            hadron_proto::fault::point("C13");
        }
        let lost: Vec<Token> = held
            .into_iter()
            .filter(|token| !renewed.contains(token))
            .collect();
        self.say(Saying::HeartbeatReply(wire::HeartbeatReply {
            sequence: heartbeat.sequence,
            renewed: renewed.into_iter().map(wire_token).collect(),
        }))?;
        if lost.is_empty() {
            Ok(())
        } else {
            self.lost(lost, "the job has ended, was cancelled, or has another holder")
        }
    }

    fn lost(&self, tokens: Vec<Token>, reason: impl Into<String>) -> Result<(), End> {
        let tokens = tokens.into_iter().map(wire_token).collect();
        self.say(Saying::Lost(wire::Lost {
            tokens,
            reason: reason.into(),
        }))
    }

    /// What became of a statement about one job. A job that is not the agent's any more is no reason to part.
    fn settle(&self, token: Token, done: Result<(), AppError>) -> Result<(), End> {
        match done {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.kind, ErrorKind::Fenced | ErrorKind::NotFound) => {
                self.lost(vec![token], error.message)
            }
            Err(error) => later(error),
        }
    }

    fn notice(&self, notice: Notice) -> Result<(), End> {
        match notice {
            Notice::Lost { session, job, fence } if session == self.session.id => self.lost(
                vec![Token { job, fence }],
                "the job was cancelled, taken over, or its connection has ended",
            ),
            Notice::Close { connection, why } if connection == self.session.peer.connection => {
                Err(with_info(Code::PermissionDenied, "CONNECTION_CLOSED", &why, None).into())
            }
            Notice::Displaced { session } if session == self.session.id => Err(with_info(
                Code::Aborted,
                "DISPLACED",
                "a newer session of this agent has taken over",
                None,
            )
            .into()),
            Notice::Lost { .. } | Notice::Close { .. } | Notice::Displaced { .. } => Ok(()),
        }
    }

    async fn check(&self) -> Result<(), End> {
        match self.app.check_session(&self.session).await {
            Ok(()) => Ok(()),
            Err(error) => later(error),
        }
    }

    /// Looks for jobs, and says when to look again.
    async fn look(&mut self) -> Result<(), End> {
        let poll = Duration::from_millis(rand::rng().random_range(1_000..2_000));
        self.look_at = Instant::now() + poll;
        let room = u32::try_from(self.out.capacity().saturating_sub(SPARE)).unwrap_or(0);
        let limit = self.credit.min(BATCH).min(room);
        if limit == 0 {
            return Ok(());
        }
        // A question is cheaper than a lease: most looks find nothing.
        let Session {
            peer,
            region,
            abilities,
            ..
        } = self.session.clone();
        let next = self
            .app
            .read("next job", move |tx| {
                Box::pin(async move {
                    let now = tx.now().await?;
                    let next = jobs::next_ready_at(tx, peer.account, &region, &abilities).await?;
                    Ok(next.map(|at| at.since(now)))
                })
            })
            .await;
        match next {
            Err(error) => return later(error),
            Ok(None) => return Ok(()),
            Ok(Some(wait)) if !wait.is_zero() => {
                self.look_at = Instant::now() + wait.min(poll) + Duration::from_millis(1);
                return Ok(());
            }
            Ok(Some(_)) => {}
        }
        let offers = match self.app.take(&self.session, limit).await {
            Ok(offers) => offers,
            Err(error) => return later(error),
        };
        let taken = u32::try_from(offers.len()).unwrap_or(u32::MAX);
        let lease = self.app.settings().lease;
        for offer in offers {
            hadron_proto::fault::point("C10");
            info!(
                job.id = %offer.token.job, fence = offer.token.fence, attempt = offer.attempt,
                deployment.id = offer.deployment.map(tracing::field::display), "Offered {}", offer.label
            );
            self.say(Saying::Offer(convert::offer(offer, lease)))?;
        }
        self.credit = self.credit.saturating_sub(taken);
        if taken == limit {
            // There may be more.
            self.look_at = Instant::now();
        }
        Ok(())
    }
}

/// A failure that passes is passed over: nothing was promised yet, and the agent asks again. Others end the session.
fn later(error: AppError) -> Result<(), End> {
    match error.kind {
        ErrorKind::Unavailable | ErrorKind::Conflict => {
            debug!(
                error = error.story(),
                "A question of a session could not be answered now"
            );
            Ok(())
        }
        _ => Err(refused(error).into()),
    }
}
