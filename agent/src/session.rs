//! How jobs come and reports go.
//!
//! The agent keeps one stream open to the hub and opens it again whenever it ends. On the stream it says who it is and
//! what it holds (Hello), asks for as many jobs as it has room for (Demand), takes them (Started), proves that it is
//! alive (Heartbeat) and gives back what it cannot finish (Handover). Nothing that must not be lost travels on the
//! stream: see [`link`](self::Link) for those.
//!
//! * **A broken stream stops nothing.** Jobs go on for as long as their leases hold, reports wait, and the next Hello
//!   names everything that is still held.
//! * **A Handover has certainly been read when the next Heartbeat is answered**, since both travel on one ordered
//!   stream. Until then the job stays in the journal and is handed over again on the next stream, or by the next process.
//! * **Where several things happen at once, it is written down which comes first**: nothing here draws lots but waits do, so
//!   that a simulation can repeat what it found.
//! * **A lease that came with an offer is counted from the last heartbeat that was answered before the offer came**:
//!   that heartbeat was certainly sent before the hub granted the lease.

mod backlog;
mod backoff;
mod dial;
mod held;
mod link;

use std::collections::VecDeque;
use std::error::Error as _;
use std::time::Duration;

use hadron_proto::wire;
use hadron_proto::wire::agent_message::Message as Say;
use hadron_proto::wire::hub_message::Message as Heard;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};
use tracing::{debug, info, instrument, warn};

pub use backoff::{Backoff, Jitter};
pub use dial::{Dial, DialError, HubDial, Transport, transport};
pub use held::{Held, Lease, Over};
pub use link::{Announced, Client, Delivery, EventPost, JobHub, Link, LinkSetter};

use crate::aws::take_calls;
use crate::convert::{CAPABILITIES, aws_calls, duration, token, wire_token};
use crate::job::Token;
use crate::journal::Journal;
use crate::runner::{Runner, Taken, Worker};

/// Versions of the protocol that this agent speaks.
const PROTOCOL: std::ops::RangeInclusive<u32> = 1..=1;
/// How long the hub may take to answer a Hello.
const GREETING: Duration = Duration::from_secs(10);
/// Messages that may wait for the hub to read them.
const OUTBOUND: usize = 256;

/// Keeps a session open for as long as the agent lives.
#[derive(Debug)]
pub struct Session<D, W> {
    dial: D,
    runner: Runner<W>,
    held: Held,
    journal: Journal,
    link: LinkSetter,
    /// Does the whole agent stop?
    drain: CancellationToken,
    drain_timeout: Duration,
}

/// Why a stream ended.
#[derive(Debug)]
enum Closed {
    /// Nothing is left to do and the agent drains.
    Drained,
    /// The hub asks to come again: after this time.
    GoAway(Duration),
    /// There is a new certificate to come with.
    Renewed,
    /// It broke.
    Broken(String),
}

/// One stream.
struct Stream {
    say: mpsc::Sender<wire::AgentMessage>,
    lease: Duration,
    every: Duration,
    /// Jobs asked for and not yet offered.
    asked: usize,
    sequence: u64,
    /// Heartbeats without an answer, and when each was sent.
    unanswered: VecDeque<(u64, Instant)>,
    /// When the last answered heartbeat (or the Hello) was sent.
    proven: Instant,
    heard: Instant,
    /// A heartbeat was answered, so this stream is a good one.
    proved: bool,
    /// Handovers that the hub has not certainly read, each with the heartbeat that will prove it.
    handing: Vec<(u64, Token, String)>,
    /// Set when the hub sends the agent away: when to leave.
    leaves: Option<Instant>,
}

impl<D: Dial, W: Worker> Session<D, W> {
    /// A session that is not open yet.
    #[must_use]
    pub const fn new(
        dial: D,
        runner: Runner<W>,
        held: Held,
        journal: Journal,
        link: LinkSetter,
        drain: CancellationToken,
        drain_timeout: Duration,
    ) -> Self {
        Self {
            dial,
            runner,
            held,
            journal,
            link,
            drain,
            drain_timeout,
        }
    }

    /// Runs until the agent is drained.
    pub async fn run(mut self) {
        let (drain, limit) = (self.drain.clone(), self.drain_timeout);
        let runner = self.runner.clone();
        let cut = async move {
            drain.cancelled().await;
            info!("Draining: no more jobs are taken, running ones stop at the next safe place");
            runner.drain();
            sleep(limit).await;
        };
        tokio::select! {
            biased;
            () = self.serve() => info!("Drained"),
            () = cut => warn!(jobs = self.held.count(), "Not everything was drained in time; the journal has the rest"),
        }
    }

    async fn serve(&mut self) {
        let mut backoff = Backoff::reconnect(self.link.jitter.clone());
        loop {
            if self.drain.is_cancelled() && self.held.is_idle() {
                return;
            }
            let closed = self.connect(&mut backoff).await;
            self.link.down();
            let wait = match closed {
                Closed::Drained => return,
                Closed::Renewed => Duration::ZERO,
                // A random part of the time that the hub gave, chosen when it said so.
                Closed::GoAway(wait) => wait,
                Closed::Broken(reason) => {
                    let wait = backoff.wait();
                    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                    warn!(%reason, wait_ms, counter.sessions_broken = 1, "No session with the hub, trying again");
                    wait
                }
            };
            tokio::select! {
                biased;
                () = self.idle_while_draining() => return,
                () = sleep(wait) => {}
            }
        }
    }

    async fn idle_while_draining(&self) {
        self.drain.cancelled().await;
        while !self.held.is_idle() {
            self.held.changed().await;
        }
    }

    #[instrument(name = "session", skip_all, fields(session.id))]
    async fn connect(&mut self, backoff: &mut Backoff) -> Closed {
        let transport = match self.dial.dial().await {
            Ok(transport) => transport,
            Err(error) => return Closed::Broken(chain(&error)),
        };
        let mut client = Client::new(transport);
        let (say, outbound) = mpsc::channel(OUTBOUND);
        let handovers = self.held.take_handovers();
        let named: Vec<Token> = self
            .held
            .tokens()
            .into_iter()
            .chain(handovers.iter().map(|(token, _)| *token))
            .collect();
        let hello = wire::Hello {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_min: *PROTOCOL.start(),
            protocol_max: *PROTOCOL.end(),
            capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
            held: named.iter().copied().map(wire_token).collect(),
        };
        let asked_at = Instant::now();
        let greeting = async {
            say.try_send(message(Say::Hello(hello)))
                .map_err(|_| "the stream closed at once".to_owned())?;
            let answer = client.session(ReceiverStream::new(outbound)).await;
            let mut inbound = answer.map_err(|status| self.refusal(&status))?.into_inner();
            let first = inbound.message().await.map_err(|status| self.refusal(&status))?;
            match first.and_then(|first| first.message) {
                Some(Heard::Welcome(welcome)) if PROTOCOL.contains(&welcome.protocol) => {
                    Ok((welcome, inbound))
                }
                Some(Heard::Welcome(welcome)) => Err(format!(
                    "the hub wants protocol {}, this agent speaks {PROTOCOL:?}",
                    welcome.protocol
                )),
                Some(Heard::GoAway(away)) => Err(format!("the hub sends us away: {}", away.reason)),
                Some(_) => Err("the hub's first message is no Welcome".to_owned()),
                None => Err("the hub closed the stream without a Welcome".to_owned()),
            }
        };
        let greeted = timeout(GREETING, greeting)
            .await
            .unwrap_or_else(|_| Err("no Welcome in time".to_owned()));
        let (welcome, inbound) = match greeted {
            Ok(greeted) => greeted,
            Err(reason) => {
                self.held.hand_over_again(handovers);
                return Closed::Broken(reason);
            }
        };
        tracing::Span::current().record("session.id", &welcome.session_id);
        let or = |given: Duration, default: u64| {
            if given.is_zero() {
                Duration::from_secs(default)
            } else {
                given
            }
        };
        let mut stream = Stream {
            say,
            lease: or(duration(welcome.lease.as_ref()), 30),
            every: or(duration(welcome.heartbeat_every.as_ref()), 10),
            asked: 0,
            sequence: 0,
            unanswered: VecDeque::new(),
            proven: asked_at,
            heard: Instant::now(),
            proved: false,
            handing: Vec::new(),
            leaves: None,
        };
        self.dial.learn(&welcome.roots_der);
        info!(hub.id = %welcome.hub_id, hub.version = %welcome.hub_version, held = named.len(), "Session with the hub");
        self.settle(&welcome, named, handovers, held::stop_at(asked_at, stream.lease));
        self.link.up(client);
        let closed = self.talk(&mut stream, inbound).await;
        if stream.proved {
            backoff.reset();
        }
        self.held
            .hand_over_again(stream.handing.drain(..).map(|(_, token, step)| (token, step)));
        closed
    }

    /// Compares what this agent holds with what the hub says that it holds.
    fn settle(
        &self,
        welcome: &wire::Welcome,
        named: Vec<Token>,
        handovers: Vec<(Token, String)>,
        until: Instant,
    ) {
        hadron_proto::fault::point("C70");
        let resumed: Vec<Token> = welcome
            .resumed
            .iter()
            .filter_map(|resumed| token(Some(resumed)).ok())
            .collect();
        for token in named {
            if resumed.contains(&token) {
                self.held.renew(token, until);
            } else {
                // Reports are sent all the same: the hub's answer to them is what counts.
                self.held.lose(
                    token,
                    Over::Lost("the hub gave the job to somebody else meanwhile".to_owned()),
                );
            }
        }
        let (ours, gone): (Vec<_>, Vec<_>) = handovers
            .into_iter()
            .partition(|(token, _)| resumed.contains(token));
        for (token, _) in gone {
            self.forget(token);
        }
        self.held.hand_over_again(ours);
    }

    async fn talk(&self, stream: &mut Stream, mut inbound: Streaming<wire::HubMessage>) -> Closed {
        let mut beat = interval_at(Instant::now() + stream.every, stream.every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if let Err(reason) = self.tell(stream) {
                return Closed::Broken(reason);
            }
            if self.drain.is_cancelled() && self.held.is_idle() && stream.handing.is_empty() {
                return Closed::Drained;
            }
            let silence = stream.heard + (stream.lease / 2).max(stream.every * 3 / 2);
            // The hub comes late, since it could go on for ever: a beat is due every few seconds, and the others are few. But
            // before the silence: what it has said meanwhile counts.
            let step = tokio::select! {
                biased;
                () = self.dial.renewed() => return Closed::Renewed,
                () = self.drain.cancelled(), if !self.drain.is_cancelled() => Ok(()),
                () = sleep_until(stream.leaves.unwrap_or(silence)), if stream.leaves.is_some() => {
                    return Closed::GoAway(Duration::ZERO);
                }
                _ = beat.tick() => self.beat(stream),
                () = self.held.changed() => Ok(()),
                heard = inbound.message() => match heard {
                    Ok(Some(heard)) => {
                        stream.heard = Instant::now();
                        self.hear(stream, heard)
                    }
                    Ok(None) => match stream.leaves {
                        Some(at) => return Closed::GoAway(at.saturating_duration_since(Instant::now())),
                        None => return Closed::Broken("the hub closed the stream".to_owned()),
                    },
                    Err(status) => return Closed::Broken(words(&status)),
                },
                () = sleep_until(silence) => return Closed::Broken("the hub has been silent for too long".to_owned()),
            };
            if let Err(reason) = step {
                return Closed::Broken(reason);
            }
        }
    }

    /// Says what there is to say: jobs to give back, room for more.
    fn tell(&self, stream: &mut Stream) -> Result<(), String> {
        let handovers = self.held.take_handovers();
        if !handovers.is_empty() {
            let proof = stream.sequence + 1;
            // All of them first: what cannot be said now is said in the next session, and the journal forgets none before.
            let handing = handovers.iter().cloned();
            stream
                .handing
                .extend(handing.map(|(token, step)| (proof, token, step)));
            for (token, step) in handovers {
                stream.say(Say::Handover(wire::Handover {
                    token: Some(wire_token(token)),
                    step,
                }))?;
            }
            self.beat(stream)?;
        }
        let room = if stream.leaves.is_some() {
            0
        } else {
            self.runner.room()
        };
        if let Some(more) = room.checked_sub(stream.asked).filter(|more| *more > 0) {
            stream.asked += more;
            let jobs = u32::try_from(more).unwrap_or(u32::MAX);
            stream.say(Say::Demand(wire::Demand { jobs }))?;
        }
        Ok(())
    }

    fn beat(&self, stream: &mut Stream) -> Result<(), String> {
        stream.sequence += 1;
        let held = self.held.tokens().into_iter().map(wire_token).collect();
        stream.unanswered.push_back((stream.sequence, Instant::now()));
        let sequence = stream.sequence;
        let aws_calls = take_calls().into_iter().map(aws_calls).collect();
        stream.say(Say::Heartbeat(wire::Heartbeat {
            sequence,
            held,
            aws_calls,
        }))
    }

    fn hear(&self, stream: &mut Stream, heard: wire::HubMessage) -> Result<(), String> {
        match heard.message {
            Some(Heard::Offer(offer)) => self.offered(stream, &offer)?,
            Some(Heard::HeartbeatReply(reply)) => self.renewed(stream, &reply),
            Some(Heard::Lost(lost)) => {
                for token in lost.tokens.iter().filter_map(|lost| token(Some(lost)).ok()) {
                    info!(job.id = %token.job, reason = %lost.reason, "The hub takes the job away");
                    self.held.lose(token, Over::Lost(lost.reason.clone()));
                }
            }
            Some(Heard::GoAway(away)) => {
                let within = duration(away.reconnect_within.as_ref());
                info!(reason = %away.reason, within = ?within, "The hub asks to reconnect");
                stream.leaves = Some(Instant::now() + self.link.jitter.part_of(within));
            }
            Some(Heard::Roots(roots)) => self.dial.learn(&roots.roots_der),
            // A later hub may say things that this agent does not know and does not need.
            Some(Heard::Welcome(_)) | None => debug!("Ignored a message of the hub"),
        }
        Ok(())
    }

    fn offered(&self, stream: &mut Stream, offer: &wire::Offer) -> Result<(), String> {
        stream.asked = stream.asked.saturating_sub(1);
        let lease = duration(offer.lease.as_ref());
        let lease = if lease.is_zero() { stream.lease } else { lease };
        match self.runner.offer(offer, held::stop_at(stream.proven, lease)) {
            Taken::Started(token) => {
                hadron_proto::fault::point("C12");
                stream.say(Say::Started(wire::Started {
                    token: Some(wire_token(token)),
                }))?;
                // The lease was counted from some time ago: renew it now rather than at the next beat.
                self.beat(stream)
            }
            Taken::HandBack(token, step) => stream.say(Say::Handover(wire::Handover {
                token: Some(wire_token(token)),
                step,
            })),
            Taken::Ignored => Ok(()),
        }
    }

    fn renewed(&self, stream: &mut Stream, reply: &wire::HeartbeatReply) {
        while let Some((sequence, sent)) = stream.unanswered.front().copied() {
            if sequence > reply.sequence {
                break;
            }
            stream.unanswered.pop_front();
            if sequence < reply.sequence {
                continue;
            }
            (stream.proven, stream.proved) = (sent, true);
            for token in reply
                .renewed
                .iter()
                .filter_map(|renewed| token(Some(renewed)).ok())
            {
                self.held.renew(token, held::stop_at(sent, stream.lease));
            }
        }
        let (heard, rest): (Vec<_>, Vec<_>) = stream
            .handing
            .drain(..)
            .partition(|(proof, ..)| *proof <= reply.sequence);
        stream.handing = rest;
        for (_, token, _) in heard {
            hadron_proto::fault::point("C71");
            self.forget(token);
        }
    }

    /// Why the hub wants no session. When it does not know this agent (any more), a new certificate may help, for instance
    /// for a connection that was made anew. TLS 1.3 says so only after the handshake.
    fn refusal(&self, status: &Status) -> String {
        let reason = words(status);
        if matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied)
            || reason.contains("fatal alert")
        {
            self.dial.refused();
        }
        reason
    }

    fn forget(&self, token: Token) {
        if let Err(error) = self.journal.forget(token) {
            warn!(job.id = %token.job, %error, "Cannot delete the job from the journal");
        }
    }
}

impl Stream {
    fn say(&self, say: Say) -> Result<(), String> {
        // A hub that reads nothing is as good as gone; waiting for it would hold up the leases of all jobs.
        self.say.try_send(message(say)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => "the hub reads nothing".to_owned(),
            mpsc::error::TrySendError::Closed(_) => "the stream is closed".to_owned(),
        })
    }
}

const fn message(say: Say) -> wire::AgentMessage {
    wire::AgentMessage { message: Some(say) }
}

/// Why a call or a session has ended. What the hub says is told in its own words: gRPC's for the code, such as "The caller does
/// not have permission", would read as if AWS had refused something.
fn words(status: &Status) -> String {
    // What has broken on the way has a cause.
    if status.source().is_some() || status.message().is_empty() {
        return chain(status);
    }
    match status.code() {
        Code::PermissionDenied | Code::Unauthenticated => {
            format!("the hub refuses this agent: {}", status.message())
        }
        _ => format!("the hub says: {}", status.message()),
    }
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
