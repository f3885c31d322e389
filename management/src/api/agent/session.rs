//! One stream of one agent, from Hello to its end.
//!
//! A session is a task that owns the stream's two sides. Whatever may end it (the agent, a newer session, the end of
//! trust, of the certificate, of the hub) is an event of one loop, so that it is closed in the database exactly once.
//! It asks the database nothing while there is nothing to do: what it has to know reaches it over the [`roll`](super::roll).

use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use hadron_proto::vocab::Timestamp;
use hadron_proto::wire;
use hadron_proto::wire::agent_message::Message as Said;
use hadron_proto::wire::hub_message::Message as Saying;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tracing::{Instrument as _, debug, info, info_span, warn};

use super::convert::{self, span, wire_token};
use super::roll::{Mail, Place};
use super::status::{invalid, refused};
use super::{AgentApi, PROTOCOL};
use crate::api::status::with_info;
use crate::app::work::{Peer, Session, Taken, Token};
use crate::app::{App, AppError, ErrorKind, acks};
use crate::identity::ca::Changes;
use crate::identity::tls::PeerIdentity;
use crate::store::Topic;
use crate::store::jobs::{Abilities, JobWork};

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
/// How soon agents are to come again that are sent away: this many of a hub's sessions a second, within these bounds.
const RETURN_RATE: usize = 100;
const RETURN_WITHIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));
/// After so many intervals without a word the agent is taken to be gone.
const SILENT_AFTER: u32 = 3;
/// How long a notice of this process may take that says why a session ends.
const NOTICE: Duration = Duration::from_millis(100);
/// What the agent gets to read: one message, or why there are no more. In a box, since the queue keeps room for dozens.
type Word = Box<Result<wire::HubMessage, Status>>;
type Open = fn(Word) -> Result<wire::HubMessage, Status>;
pub(crate) type Outgoing = futures::stream::Map<ReceiverStream<Word>, Open>;
type Out = mpsc::Sender<Word>;

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
    identity: PeerIdentity,
    incoming: Streaming<wire::AgentMessage>,
) -> Outgoing {
    let (out, outgoing) = mpsc::channel(QUEUE);
    let span = info_span!("session", agent.id = %peer.agent, account = %peer.account, connection.id = %peer.connection);
    api.sessions
        .spawn(run(api.clone(), peer, identity, incoming, out).instrument(span));
    ReceiverStream::new(outgoing).map((|word| *word) as Open)
}

async fn run(
    api: AgentApi,
    peer: Peer,
    identity: PeerIdentity,
    mut incoming: Streaming<wire::AgentMessage>,
    out: Out,
) {
    let not_after = identity.not_after;
    // In boxes: what opening and closing need is not kept for the life of the session.
    let greeted = Box::pin(async {
        tokio::select! {
            // A session that was opened in the database is closed there as well, so that comes first.
            biased;
            greeted = greet(&api, &peer, not_after, &mut incoming) => greeted,
            () = out.closed() => Err(End::Gone),
            () = api.drain.cancelled() => Err(End::Refused(Status::unavailable("this hub is stopping; connect again"))),
        }
    });
    let (session, resumed) = match greeted.await {
        Ok(greeted) => greeted,
        Err(end) => return farewell(out, end),
    };
    // What was decided about it before it stands on the roll, the next pulse tells.
    let place = api.roll.enter(&session);
    info!(session.id = %session.id, region = %session.region, resumed = resumed.len(), "An agent opened a session");
    hadron_proto::fault::point("C09");
    let counted = Counted::new(&api.live);
    let mut live = Live::new(&api, session, place, identity, out.clone());
    let end = match live.welcome(&resumed) {
        Ok(()) => live.serve(incoming).await,
        Err(end) => end,
    };
    let Live {
        session,
        place,
        out: own,
        ..
    } = live;
    match &end {
        End::Gone => info!(session.id = %session.id, "The agent closed its session"),
        End::GoAway(reason, _) => info!(session.id = %session.id, reason, "A session was closed"),
        End::Refused(status) => {
            info!(session.id = %session.id, code = ?status.code(), reason = status.message(), "A session was ended");
        }
    }
    // The agent first: what it may not do, it shall know as soon as possible.
    drop(own);
    farewell(out, end);
    drop((counted, place));
    Box::pin(close(&api.app, &session)).await;
}

/// When agents are to come again that this hub sends away: the more they are, the more time they are given, and not all the
/// same: `part`, from 0 to 1, says which.
fn return_within(sessions: usize, part: f64) -> Duration {
    let (least, most) = RETURN_WITHIN;
    let all =
        Duration::from_secs(u64::try_from(sessions / RETURN_RATE).unwrap_or(u64::MAX)).clamp(least, most);
    least + (all - least).mul_f64(0.5 + part / 2.0)
}

/// Waits for Hello and opens the session.
async fn greet(
    api: &AgentApi,
    peer: &Peer,
    not_after: Timestamp,
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
    api.app
        .prove_time(peer, not_after, &held)
        .await
        .map_err(refused)?;
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
    let _ = out.try_send(Box::new(last));
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
    Mail,
    Look,
    Due,
    Drain,
    Gone,
    Roots,
}

struct Live {
    api: AgentApi,
    session: Session,
    place: Place,
    out: Out,
    /// How many jobs the agent still has room for.
    credit: u32,
    /// When it was last heard.
    heard: Instant,
    /// How long it may be silent.
    silence: Duration,
    /// When to look for jobs although nothing has woken us; there is nothing to look for otherwise.
    look_at: Option<Instant>,
    /// The last look took as many jobs as there was room for: there may be more.
    more: bool,
    /// When the certificate ends.
    ends: Instant,
    /// Who signed it.
    issuer: Option<Vec<u8>>,
    /// Tells that the hub's CA has other roots.
    roots: Option<Changes>,
}

impl Live {
    fn new(api: &AgentApi, session: Session, place: Place, identity: PeerIdentity, out: Out) -> Self {
        let now = Instant::now();
        let ends = now + identity.not_after.since(api.app.clock().now());
        Self {
            silence: api.app.settings().heartbeat * SILENT_AFTER,
            api: api.clone(),
            session,
            place,
            out,
            credit: 0,
            heard: now,
            look_at: None,
            more: false,
            ends,
            issuer: identity.issuer,
            roots: api.ca.as_ref().map(|ca| ca.changes()),
        }
    }

    fn say(&self, message: Saying) -> Result<(), End> {
        let word = Box::new(Ok(say(message)));
        self.out.try_send(word).map_err(|error| match error {
            mpsc::error::TrySendError::Closed(_) => End::Gone,
            mpsc::error::TrySendError::Full(_) => {
                End::Refused(Status::resource_exhausted("the agent does not read its messages"))
            }
        })
    }

    fn welcome(&self, resumed: &[Token]) -> Result<(), End> {
        let settings = self.api.app.settings();
        self.say(Saying::Welcome(wire::Welcome {
            session_id: self.session.id.to_string(),
            hub_id: self.api.hub.to_string(),
            hub_version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            heartbeat_every: Some(span(settings.heartbeat)),
            lease: Some(span(settings.lease)),
            resumed: resumed.iter().copied().map(wire_token).collect(),
            roots_der: self.api.roots(),
        }))
    }

    /// Goes on until there is a reason to end.
    async fn serve(&mut self, mut incoming: Streaming<wire::AgentMessage>) -> End {
        let lane = Topic::Jobs {
            account: self.session.peer.account,
            region: self.session.region.clone(),
        };
        let mut jobs = self.api.app.db().subscribe(lane);
        loop {
            // An agent that always has something to say does not outlive its certificate.
            if self.ends <= Instant::now() {
                return Self::ended();
            }
            // All of these may be dropped and asked again without loss. First what ends the session; messages before what
            // there is to look for, since the leases of the agent's jobs hang on them.
            let due = self.due();
            let mut event = tokio::select! {
                biased;
                () = self.api.drain.cancelled() => Event::Drain,
                () = self.out.closed() => Event::Gone,
                () = self.place.rung() => Event::Mail,
                () = Self::changed(&mut self.roots) => Event::Roots,
                message = incoming.message() => Event::Message(message),
                () = jobs.woken() => Event::Look,
                () = sleep_until(due) => Event::Due,
            };
            if matches!(event, Event::Due) && self.heard + self.silence <= Instant::now() {
                // Perhaps it was the hub that did not listen, for instance since its database was slow.
                if let Some(message) = incoming.message().now_or_never() {
                    event = Event::Message(message);
                }
            }
            // In a box: while nothing happens, nothing is kept for it.
            if let Err(end) = Box::pin(self.handle(event)).await {
                return end;
            }
        }
    }

    /// When something has to be done although nothing happens.
    fn due(&self) -> Instant {
        let ends = self.ends.min(self.heard + self.silence);
        match self.look_at {
            Some(at) if self.credit > 0 => ends.min(at),
            _ => ends,
        }
    }

    async fn handle(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Message(Ok(Some(message))) => {
                self.heard = Instant::now();
                self.message(message.message).await
            }
            Event::Message(Ok(None) | Err(_)) | Event::Gone => Err(End::Gone),
            Event::Mail => self.mail().await,
            Event::Roots => self.tell_roots(),
            Event::Look if self.credit > 0 => self.look().await,
            Event::Look => self.check().await,
            Event::Due => self.is_due().await,
            Event::Drain => {
                let within = return_within(self.api.roll.len(), self.api.app.clock().part());
                Err(End::GoAway("the hub is stopping", within))
            }
        }
    }

    async fn changed(roots: &mut Option<Changes>) {
        match roots {
            Some(roots) => roots.next().await,
            None => std::future::pending().await,
        }
    }

    /// The CA has other roots: the agent is to trust those. If it was let in by one that is not among them, it has to come again.
    fn tell_roots(&self) -> Result<(), End> {
        self.say(Saying::Roots(wire::Roots {
            roots_der: self.api.roots(),
        }))?;
        if self.api.trusts(self.issuer.as_deref()) {
            return Ok(());
        }
        let within = return_within(self.api.roll.len(), self.api.app.clock().part());
        Err(End::GoAway("the hub's CA has another root", within))
    }

    const fn ended() -> End {
        End::GoAway("the agent's certificate has ended", Duration::from_secs(1))
    }

    async fn is_due(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.ends <= now {
            Err(Self::ended())
        } else if self.heard + self.silence <= now {
            Err(End::Refused(Status::deadline_exceeded(
                "nothing was heard from the agent for too long",
            )))
        } else if self.look_at.is_some_and(|at| at <= now) && self.credit > 0 {
            self.look().await
        } else {
            Ok(())
        }
    }

    async fn mail(&mut self) -> Result<(), End> {
        let Mail { lost, end, look } = self.place.mail();
        if !lost.is_empty() {
            self.lost(
                lost,
                "the job was cancelled, taken over, or its connection has ended",
            )?;
        }
        match end {
            Some(status) => Err(status.into()),
            None if look && self.credit > 0 => self.look().await,
            None => Ok(()),
        }
    }

    async fn message(&mut self, message: Option<Said>) -> Result<(), End> {
        match message {
            Some(Said::Demand(demand)) => {
                self.credit = self.credit.saturating_add(demand.jobs).min(MAX_CREDIT);
                if self.more {
                    self.look().await
                } else {
                    self.ask().await
                }
            }
            Some(Said::Heartbeat(heartbeat)) => self.heartbeat(heartbeat).await,
            Some(Said::Started(started)) => {
                let token = convert::token(started.token.as_ref()).map_err(|fault| invalid(&fault))?;
                let peer = self.session.peer.clone();
                let done = self.api.acks.say(acks::Said::Started { peer, token }).await;
                self.settle(token, done.map(drop))
            }
            Some(Said::Handover(handover)) => {
                let token = convert::token(handover.token.as_ref()).map_err(|fault| invalid(&fault))?;
                let step: String = handover
                    .step
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(200)
                    .collect();
                let done = self.api.app.handover(&self.session.peer, token, &step).await;
                self.settle(token, done)
            }
            Some(Said::Hello(_)) => Err(Status::invalid_argument("Hello is said once").into()),
            // Of a later protocol, and not needed in this one.
            None => Ok(()),
        }
    }

    async fn heartbeat(&mut self, heartbeat: wire::Heartbeat) -> Result<(), End> {
        let held = convert::held(&heartbeat.held).map_err(|fault| invalid(&fault))?;
        self.api.aws.add(&heartbeat.aws_calls);
        // An agent that holds nothing is promised nothing: what would end its session is known from the last pulse.
        let renewed = if held.is_empty() && self.api.roll.heard(&self.place) {
            Vec::new()
        } else {
            let beat = acks::Said::Beat {
                session: self.session.clone(),
                held: held.clone(),
            };
            match self.api.acks.say(beat).await {
                Ok(renewed) => renewed,
                Err(error) => return later(error),
            }
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

    /// The lane was woken, and there is no room for jobs: perhaps it was for something else.
    async fn check(&self) -> Result<(), End> {
        match self.api.app.check_session(&self.session).await {
            Ok(()) => Ok(()),
            Err(error) => self.refused(error).await,
        }
    }

    /// The database says that the session may not go on, or not now. What this process has decided itself is told by a
    /// notice, which is about to come and knows why.
    async fn refused(&self, error: AppError) -> Result<(), End> {
        if matches!(error.kind, ErrorKind::Denied | ErrorKind::Fenced)
            && timeout(NOTICE, self.place.rung()).await.is_ok()
            && let Some(status) = self.place.mail().end
        {
            return Err(status.into());
        }
        later(error)
    }

    /// Whether there is anything to look for. A question is cheaper than a lease, and most find nothing.
    async fn ask(&mut self) -> Result<(), End> {
        match self.api.app.first_job(&self.session).await {
            Ok(Some(wait)) if wait.is_zero() => self.look().await,
            Ok(wait) => {
                self.wait(wait);
                Ok(())
            }
            Err(error) => {
                self.again();
                later(error)
            }
        }
    }

    /// Looks for jobs, and says when to look again.
    async fn look(&mut self) -> Result<(), End> {
        loop {
            let room = u32::try_from(self.out.capacity().saturating_sub(SPARE)).unwrap_or(0);
            let limit = self.credit.min(BATCH).min(room);
            if limit == 0 {
                if self.credit > 0 {
                    // It does not read what it was told; perhaps it will.
                    self.again();
                }
                return Ok(());
            }
            let Taken { offers, next } = match self.api.app.take_or_wait(&self.session, limit).await {
                Ok(taken) => taken,
                Err(error) => {
                    self.again();
                    return self.refused(error).await;
                }
            };
            let taken = u32::try_from(offers.len()).unwrap_or(u32::MAX);
            let lease = self.api.app.settings().lease;
            for offer in offers {
                hadron_proto::fault::point("C10");
                info!(
                    job.id = %offer.token.job, fence = offer.token.fence, attempt = offer.attempt,
                    deployment.id = offer.deployment.map(tracing::field::display), "Offered {}", offer.label
                );
                self.say(Saying::Offer(convert::offer(offer, lease)))?;
            }
            self.credit = self.credit.saturating_sub(taken);
            if taken > 0 {
                self.place.took();
            }
            self.wait(next);
            self.more = taken == limit;
            if !self.more {
                return Ok(());
            }
        }
    }

    /// Looks when the next job may be taken.
    fn wait(&mut self, next: Option<Duration>) {
        self.look_at = next.map(|wait| Instant::now() + wait + Duration::from_millis(1));
    }

    /// Looks again soon: it could not be done now.
    fn again(&mut self) {
        let wait = Duration::from_secs(1).mul_f64(1.0 + self.api.app.clock().part());
        self.look_at = Some(Instant::now() + wait);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_agents_are_sent_away_the_more_time_they_get() {
        let seconds = |sessions| {
            let all: Vec<f64> = (0_u8..200)
                .map(|n| return_within(sessions, f64::from(n) / 199.0).as_secs_f64())
                .collect();
            (
                all.iter().copied().fold(f64::MAX, f64::min),
                all.iter().copied().fold(0.0, f64::max),
            )
        };
        assert_eq!(seconds(1), (5.0, 5.0));
        assert_eq!(seconds(500), (5.0, 5.0));
        let (least, most) = seconds(10_000);
        assert!(
            least >= 17.5 && most <= 30.0 && most - least > 5.0,
            "{least} to {most}"
        );
        assert!(seconds(1_000_000).1 <= 30.0);
    }
}
