//! Light agents: each has a connection of its own with mutual TLS, a session, and does its jobs by saying that they are
//! done. What they say to the hub is what real agents say; what they do otherwise is as little as possible.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use futures::StreamExt as _;
use hadron_proto::tls::{ALPN_H2, HubConnector, Trust, endpoint, pinned_client_config};
use hadron_proto::wire;
use hadron_proto::wire::agent_message::Message as Said;
use hadron_proto::wire::agent_service_client::AgentServiceClient;
use hadron_proto::wire::hub_message::Message as Heard;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::board::{Board, Tag};
use crate::hub::Up;
use crate::seed::Enrolled;

/// Jobs at once, as agents have by default.
const ROOM: u32 = 4;
/// Dials under way at once; more would only wait in the hub's queue.
pub(crate) const DIALS: usize = 256;
/// The result of a job.
const RESULT: usize = 128;

/// What all agents of a fleet share.
struct Shared {
    board: Arc<Board>,
    dials: Semaphore,
    connected: watch::Sender<usize>,
    /// Sessions that could not be opened.
    failures: AtomicU64,
    /// Sessions that were open and have ended, whoever ended them.
    ended: AtomicU64,
    /// Why sessions could not be opened, or ended.
    reasons: Mutex<BTreeMap<String, u64>>,
    /// Jobs that were offered beyond what was asked for.
    unasked: AtomicU64,
    beats: AtomicU64,
    /// Round trips of heartbeats, in microseconds.
    beat_times: Mutex<Vec<u32>>,
    /// From a dial to its Welcome, in microseconds.
    dial_times: Mutex<Vec<u32>>,
    stop: CancellationToken,
    /// Agents wait so long at random before they dial again.
    jitter: Duration,
    result: String,
}

/// Agents with their sessions.
pub(crate) struct Fleet {
    shared: Arc<Shared>,
    agents: JoinSet<()>,
    connectors: Vec<HubConnector>,
}

/// How a fleet behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// How long to wait at random before dialling again after a session has broken.
    pub(crate) jitter: Duration,
    /// Dials at once.
    pub(crate) dials: usize,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            jitter: Duration::from_millis(200),
            dials: DIALS,
        }
    }
}

impl Fleet {
    /// Starts dialling. Agents come back whenever their session ends.
    pub(crate) fn start(
        hubs: &[Up],
        agents: &[Enrolled],
        board: &Arc<Board>,
        manner: Manner,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            board: Arc::clone(board),
            dials: Semaphore::new(manner.dials),
            connected: watch::Sender::new(0),
            failures: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            reasons: Mutex::default(),
            unasked: AtomicU64::new(0),
            beats: AtomicU64::new(0),
            beat_times: Mutex::default(),
            dial_times: Mutex::default(),
            stop: CancellationToken::new(),
            jitter: manner.jitter,
            result: "x".repeat(RESULT),
        });
        let first = hubs.first().context("no hub to dial")?;
        let pem = std::fs::read_to_string(&first.ca_file).context("the hub's CA")?;
        let trust = Trust::from_pem(&pem)?;
        let mut tasks = JoinSet::new();
        let mut connectors = Vec::with_capacity(agents.len());
        for (number, enrolled) in agents.iter().enumerate() {
            let config = pinned_client_config(trust.clone(), None, Some(enrolled.identity()?), &[ALPN_H2])?;
            let connector = HubConnector::new(config);
            connectors.push(connector.clone());
            let shared = Arc::clone(&shared);
            // Evenly over the hubs; when one does not answer, the next is tried.
            let hubs: Vec<String> = (0..hubs.len())
                .map(|step| hubs[(number + step) % hubs.len()].jobs.clone())
                .collect();
            tasks.spawn(async move {
                let stop = shared.stop.clone();
                stop.run_until_cancelled(live(shared, connector, hubs)).await;
            });
        }
        Ok(Self {
            shared,
            agents: tasks,
            connectors,
        })
    }

    /// Waits until so many agents have a session.
    pub(crate) async fn connected(&self, count: usize, within: Duration) -> Result<()> {
        let mut connected = self.shared.connected.subscribe();
        let all = connected.wait_for(|now| *now >= count);
        match tokio::time::timeout(within, all).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(anyhow!(
                "only {} of {count} agents have a session after {within:?}; {} have ended; {:?}",
                *self.shared.connected.borrow(),
                self.ended(),
                self.take_reasons()
            )),
        }
    }

    /// Waits until fewer than so many have one.
    pub(crate) async fn fewer(&self, count: usize, within: Duration) -> Result<()> {
        let mut connected = self.shared.connected.subscribe();
        let gone = connected.wait_for(|now| *now < count);
        tokio::time::timeout(within, gone)
            .await
            .context("sessions do not end")
            .map(drop)
    }

    /// Sessions that could not be opened so far.
    pub(crate) fn failures(&self) -> u64 {
        self.shared.failures.load(Ordering::Relaxed)
    }

    /// Sessions that were open and have ended so far, whoever ended them.
    pub(crate) fn ended(&self) -> u64 {
        self.shared.ended.load(Ordering::Relaxed)
    }

    /// Why sessions could not be opened or ended since last asked, and how often.
    pub(crate) fn take_reasons(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut *lock(&self.shared.reasons))
    }

    /// Jobs that were offered beyond what was asked for. There must be none.
    pub(crate) fn unasked(&self) -> u64 {
        self.shared.unasked.load(Ordering::Relaxed)
    }

    /// Connections that resumed the TLS session of an earlier one.
    pub(crate) fn resumed(&self) -> u64 {
        self.connectors.iter().map(HubConnector::resumed).sum()
    }

    /// Heartbeats answered so far.
    pub(crate) fn beats(&self) -> u64 {
        self.shared.beats.load(Ordering::Relaxed)
    }

    /// Round trips of heartbeats since last asked, in microseconds.
    pub(crate) fn take_beat_times(&self) -> Vec<u32> {
        std::mem::take(&mut *lock(&self.shared.beat_times))
    }

    /// How long it took from dials to their Welcomes since last asked, in microseconds.
    pub(crate) fn take_dial_times(&self) -> Vec<u32> {
        std::mem::take(&mut *lock(&self.shared.dial_times))
    }

    /// Ends all sessions.
    pub(crate) async fn stop(mut self) {
        self.shared.stop.cancel();
        while self.agents.join_next().await.is_some() {}
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn micros(span: Duration) -> u32 {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX)
}

type Client = AgentServiceClient<Channel>;

/// Jobs of one agent that are not reported yet: what it says in Hello and heartbeats.
#[derive(Clone, Default)]
struct Held(Arc<Mutex<HashMap<String, wire::JobToken>>>);

impl Held {
    fn put(&self, token: &wire::JobToken) -> bool {
        let mut held = lock(&self.0);
        held.insert(token.job_id.clone(), token.clone()).is_none()
    }

    fn gone(&self, token: &wire::JobToken) {
        let mut held = lock(&self.0);
        if held
            .get(&token.job_id)
            .is_some_and(|present| present.fence == token.fence)
        {
            held.remove(&token.job_id);
        }
    }

    fn all(&self) -> Vec<wire::JobToken> {
        lock(&self.0).values().cloned().collect()
    }
}

/// One agent, for ever.
async fn live(shared: Arc<Shared>, connector: HubConnector, hubs: Vec<String>) {
    let held = Held::default();
    for turn in 0_usize.. {
        let hub = &hubs[turn % hubs.len()];
        let (counter, why) = match open(&shared, &connector, hub, &held).await {
            Ok(open) => (&shared.ended, talk(&shared, open, &held).await.err()),
            Err(error) => (&shared.failures, Some(error)),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let why = why.map_or_else(|| "the hub sent it away".to_owned(), |error| format!("{error:#}"));
        *lock(&shared.reasons).entry(why).or_default() += 1;
        let wait = shared.jitter.mul_f64(rand::random::<f64>());
        tokio::time::sleep(wait).await;
    }
}

/// An open session, from the agent's side.
struct Open {
    channel: Channel,
    heard: Streaming<wire::HubMessage>,
    say: Say,
    /// How often to say that the agent is alive.
    every: Duration,
}

/// Where to say things, and how many jobs were asked for that have not come.
#[derive(Clone)]
struct Say {
    queue: mpsc::UnboundedSender<wire::AgentMessage>,
    credit: Arc<AtomicU32>,
}

impl Say {
    fn say(&self, said: Said) -> Result<()> {
        self.queue.send(wire::AgentMessage { message: Some(said) })?;
        Ok(())
    }

    fn demand(&self, jobs: u32) -> Result<()> {
        self.credit.fetch_add(jobs, Ordering::Relaxed);
        self.say(Said::Demand(wire::Demand { jobs }))
    }
}

/// Dials, and waits for the Welcome.
async fn open(shared: &Shared, connector: &HubConnector, hub: &str, held: &Held) -> Result<Open> {
    let dial = shared.dials.acquire().await?;
    let began = Instant::now();
    let endpoint = endpoint(hub)?.connect_timeout(Duration::from_secs(20));
    let channel = endpoint
        .connect_with_connector(connector.clone())
        .await
        .context("dialling")?;
    let (queue, said) = mpsc::unbounded_channel();
    let say = Say {
        queue,
        credit: Arc::default(),
    };
    say.say(Said::Hello(wire::Hello {
        agent_version: "0.1.0".to_owned(),
        protocol_min: 1,
        protocol_max: 1,
        capabilities: ["apply_stack", "destroy_stack", "revoke_stack", "set_pull_policy"]
            .map(String::from)
            .to_vec(),
        held: held.all(),
    }))?;
    let mut heard = AgentServiceClient::new(channel.clone())
        .session(UnboundedReceiverStream::new(said))
        .await
        .context("opening a session")?
        .into_inner();
    drop(dial);
    let first = heard.next().await.context("no Welcome")?.context("greeting")?;
    let Some(Heard::Welcome(welcome)) = first.message else {
        return Err(anyhow!("not a Welcome: {:?}", first.message));
    };
    lock(&shared.dial_times).push(micros(began.elapsed()));
    let every = welcome
        .heartbeat_every
        .and_then(|given| Duration::try_from(given).ok());
    Ok(Open {
        channel,
        heard,
        say,
        every: every.unwrap_or(Duration::from_secs(10)),
    })
}

/// Goes on until the session ends; well when the hub has sent the agent away.
async fn talk(shared: &Arc<Shared>, open: Open, held: &Held) -> Result<()> {
    let Open {
        channel,
        mut heard,
        say,
        every,
    } = open;
    shared.connected.send_modify(|count| *count += 1);
    let _counted = Counted(shared);
    say.demand(ROOM.saturating_sub(u32::try_from(held.all().len()).unwrap_or(ROOM)))?;
    // Not all at once: agents have started at different times.
    let first = tokio::time::Instant::now() + every.mul_f64(rand::random::<f64>());
    let mut beat = tokio::time::interval_at(first, every);
    let mut sequence = 0;
    let mut asked = Instant::now();
    loop {
        tokio::select! {
            next = heard.next() => match next.context("the hub has closed the session")??.message {
                Some(Heard::Offer(offer)) => take(shared, &channel, held, &say, offer)?,
                Some(Heard::HeartbeatReply(reply)) if reply.sequence == sequence => {
                    shared.beats.fetch_add(1, Ordering::Relaxed);
                    lock(&shared.beat_times).push(micros(asked.elapsed()));
                }
                Some(Heard::GoAway(_)) => return Ok(()),
                Some(Heard::Lost(lost)) => lost.tokens.iter().for_each(|token| held.gone(token)),
                _ => {}
            },
            _ = beat.tick() => {
                sequence += 1;
                asked = Instant::now();
                say.say(Said::Heartbeat(wire::Heartbeat { sequence, held: held.all(), ..Default::default() }))?;
            }
        }
    }
}

struct Counted<'a>(&'a Shared);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0
            .connected
            .send_modify(|count| *count = count.saturating_sub(1));
    }
}

fn take(shared: &Arc<Shared>, channel: &Channel, held: &Held, say: &Say, offer: wire::Offer) -> Result<()> {
    let token = offer.token.context("an offer without a token")?;
    let tag = Tag::read(offer.label.as_bytes()).context("a job without a tag")?;
    let less = |credit: u32| credit.checked_sub(1);
    if say
        .credit
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
        .is_err()
    {
        shared.unasked.fetch_add(1, Ordering::Relaxed);
    }
    held.put(&token);
    shared.board.arrived(tag);
    say.say(Said::Started(wire::Started {
        token: Some(token.clone()),
    }))?;
    let (shared, held, say) = (Arc::clone(shared), held.clone(), say.clone());
    let client = AgentServiceClient::new(channel.clone());
    tokio::spawn(async move {
        let stop = shared.stop.clone();
        if let Some(true) = stop
            .run_until_cancelled(report(client, &token, &shared.result))
            .await
        {
            shared.board.ended(tag);
        }
        held.gone(&token);
        // Fails when the session has ended; the next one says anew how much room there is.
        let _ = say.demand(1);
    });
    Ok(())
}

/// Reports until the hub has answered; whether it took the report.
async fn report(mut client: Client, token: &wire::JobToken, result: &str) -> bool {
    let done = wire::PullPolicySet {
        changed: true,
        warnings: vec![result.to_owned()],
    };
    let request = wire::ReportRequest {
        token: Some(token.clone()),
        outcome: Some(wire::report_request::Outcome::PullPolicy(done)),
    };
    loop {
        match client.report(request.clone()).await {
            Ok(_) => return true,
            Err(status)
                if matches!(
                    status.code(),
                    Code::Aborted | Code::NotFound | Code::PermissionDenied
                ) =>
            {
                return false;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
