//! Light agents: each has a connection of its own with mutual TLS, a session, and does its jobs by saying that they are
//! done. What they say to the hub is what real agents say; what they do otherwise is as little as possible.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
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
use tonic::Code;
use tonic::transport::Channel;

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
    /// Sessions that could not be opened, or broke.
    failures: AtomicU64,
    beats: AtomicU64,
    /// Round trips of heartbeats, in microseconds.
    beat_times: Mutex<Vec<u32>>,
    stop: CancellationToken,
    /// Agents wait so long at random before they dial again.
    jitter: Duration,
    result: String,
}

/// Agents with their sessions.
pub(crate) struct Fleet {
    shared: Arc<Shared>,
    agents: JoinSet<()>,
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
            beats: AtomicU64::new(0),
            beat_times: Mutex::default(),
            stop: CancellationToken::new(),
            jitter: manner.jitter,
            result: "x".repeat(RESULT),
        });
        let first = hubs.first().context("no hub to dial")?;
        let pem = std::fs::read_to_string(&first.ca_file).context("the hub's CA")?;
        let trust = Trust::from_pem(&pem)?;
        let mut tasks = JoinSet::new();
        for (number, enrolled) in agents.iter().enumerate() {
            let config = pinned_client_config(trust.clone(), None, Some(enrolled.identity()?), &[ALPN_H2])?;
            let connector = HubConnector::new(config);
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
        })
    }

    /// Waits until so many agents have a session.
    pub(crate) async fn connected(&self, count: usize, within: Duration) -> Result<()> {
        let mut connected = self.shared.connected.subscribe();
        let all = connected.wait_for(|now| *now >= count);
        match tokio::time::timeout(within, all).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(anyhow!(
                "only {} of {count} agents have a session after {within:?}",
                *self.shared.connected.borrow()
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

    /// Sessions that could not be opened so far, or broke.
    pub(crate) fn failures(&self) -> u64 {
        self.shared.failures.load(Ordering::Relaxed)
    }

    /// Heartbeats answered so far.
    pub(crate) fn beats(&self) -> u64 {
        self.shared.beats.load(Ordering::Relaxed)
    }

    /// Round trips of heartbeats since last asked, in microseconds.
    pub(crate) fn take_beat_times(&self) -> Vec<u32> {
        std::mem::take(
            &mut *self
                .shared
                .beat_times
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
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

type Client = AgentServiceClient<Channel>;

/// Jobs of one agent that are not reported yet: what it says in Hello and heartbeats.
#[derive(Clone, Default)]
struct Held(Arc<Mutex<HashMap<String, wire::JobToken>>>);

impl Held {
    fn put(&self, token: &wire::JobToken) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(token.job_id.clone(), token.clone()).is_none()
    }

    fn gone(&self, token: &wire::JobToken) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held
            .get(&token.job_id)
            .is_some_and(|present| present.fence == token.fence)
        {
            held.remove(&token.job_id);
        }
    }

    fn all(&self) -> Vec<wire::JobToken> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }
}

/// One agent, for ever.
async fn live(shared: Arc<Shared>, connector: HubConnector, hubs: Vec<String>) {
    let held = Held::default();
    for turn in 0_usize.. {
        let hub = &hubs[turn % hubs.len()];
        if session(&shared, &connector, hub, &held).await.is_err() {
            shared.failures.fetch_add(1, Ordering::Relaxed);
        }
        let wait = shared.jitter.mul_f64(rand::random::<f64>());
        tokio::time::sleep(wait).await;
    }
}

/// One session, to its end.
async fn session(shared: &Arc<Shared>, connector: &HubConnector, hub: &str, held: &Held) -> Result<()> {
    let (channel, mut heard, say) = {
        let _dial = shared.dials.acquire().await?;
        let endpoint = endpoint(hub)?.connect_timeout(Duration::from_secs(20));
        let channel = endpoint.connect_with_connector(connector.clone()).await?;
        let (say, said) = mpsc::unbounded_channel();
        let hello = wire::Hello {
            agent_version: "0.1.0".to_owned(),
            protocol_min: 1,
            protocol_max: 1,
            capabilities: ["apply_stack", "destroy_stack", "revoke_stack", "set_pull_policy"]
                .map(String::from)
                .to_vec(),
            held: held.all(),
        };
        let _ = say.send(message(Said::Hello(hello)));
        let mut client = AgentServiceClient::new(channel.clone());
        let heard = client
            .session(UnboundedReceiverStream::new(said))
            .await?
            .into_inner();
        (channel, heard, say)
    };
    let mut every = Duration::from_secs(10);
    match heard.next().await.context("no Welcome")??.message {
        Some(Heard::Welcome(welcome)) => {
            if let Some(given) = welcome.heartbeat_every {
                every = Duration::try_from(given).unwrap_or(every);
            }
        }
        other => return Err(anyhow!("not a Welcome: {other:?}")),
    }
    shared.connected.send_modify(|count| *count += 1);
    let _counted = Counted(shared);
    let room = ROOM.saturating_sub(u32::try_from(held.all().len()).unwrap_or(ROOM));
    say.send(message(Said::Demand(wire::Demand { jobs: room })))?;
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
                    let took = u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX);
                    shared.beat_times.lock().unwrap_or_else(PoisonError::into_inner).push(took);
                }
                Some(Heard::GoAway(_)) => return Ok(()),
                Some(Heard::Lost(lost)) => lost.tokens.iter().for_each(|token| held.gone(token)),
                _ => {}
            },
            _ = beat.tick() => {
                sequence += 1;
                asked = Instant::now();
                say.send(message(Said::Heartbeat(wire::Heartbeat { sequence, held: held.all() })))?;
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

const fn message(said: Said) -> wire::AgentMessage {
    wire::AgentMessage { message: Some(said) }
}

fn take(
    shared: &Arc<Shared>,
    channel: &Channel,
    held: &Held,
    say: &mpsc::UnboundedSender<wire::AgentMessage>,
    offer: wire::Offer,
) -> Result<()> {
    let token = offer.token.context("an offer without a token")?;
    let tag = Tag::read(offer.label.as_bytes()).context("a job without a tag")?;
    held.put(&token);
    shared.board.arrived(tag);
    say.send(message(Said::Started(wire::Started {
        token: Some(token.clone()),
    })))?;
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
        let _ = say.send(message(Said::Demand(wire::Demand { jobs: 1 })));
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
