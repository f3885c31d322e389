//! Light agents in any number: each a mutual TLS connection of its own with a session that greets, asks for work, beats,
//! and, where that is wanted, reports every job it is given as done. They hold no journal and touch no AWS, so that
//! thousands fit into one process and what is measured is the hub.
//!
//! Depends on the protocol alone. Certificates come from whoever enlists the fleet (`hadron_management::fleet`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hadron_proto::tls::{ALPN_H2, ClientIdentity, HubConnector, Trust, pinned_client_config};
use hadron_proto::wire::agent_message::Message as Say;
use hadron_proto::wire::agent_service_client::AgentServiceClient;
use hadron_proto::wire::hub_message::Message as Heard;
use hadron_proto::wire::{self};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

/// How long one agent waits for its connection and its Welcome.
const GREETING: Duration = Duration::from_secs(30);
/// Samples of times that are kept; later ones are only counted.
const SAMPLES: usize = 200_000;

/// What an agent connects with.
#[derive(Clone, Debug)]
pub struct Badge {
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// The key of that, PKCS#8 DER.
    pub key: Vec<u8>,
}

/// How a fleet behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The hub's job listener, `https://host:port`.
    pub jobs: String,
    /// The hub's CA, PEM.
    pub roots: String,
    /// How many may be connecting at the same time.
    pub at_once: usize,
    /// How many jobs each asks for at first; it asks for another one when it has reported one.
    pub demand: u32,
    /// How often each beats; `None`: as the hub says in Welcome.
    pub heartbeat: Option<Duration>,
    /// Whether jobs are acknowledged and reported as done. Otherwise they are only taken.
    pub work: bool,
    /// Whether the TLS sessions of before are used when the fleet connects again.
    pub resume: bool,
}

impl Options {
    /// Agents of the hub at this address that ask for one job each and do what they are given.
    #[must_use]
    pub fn new(jobs: &str, roots: &str) -> Self {
        Self {
            jobs: jobs.to_owned(),
            roots: roots.to_owned(),
            at_once: 256,
            demand: 1,
            heartbeat: None,
            work: true,
            resume: true,
        }
    }
}

/// How it went when all connected.
#[derive(Clone, Debug, Serialize)]
pub struct Storm {
    /// How many were to connect.
    pub agents: usize,
    /// How many have a session.
    pub connected: usize,
    /// From the first dial to the last Welcome, in milliseconds.
    pub total_ms: f64,
    /// Sessions a second.
    pub per_second: f64,
    /// From an agent's own dial to its Welcome, in milliseconds: the middle one.
    pub p50_ms: f64,
    /// The 99th of a hundred.
    pub p99_ms: f64,
    /// Tries that failed, by reason; each was tried again.
    pub errors: BTreeMap<String, u64>,
    /// Handshakes that resumed an earlier TLS session.
    pub resumed: u64,
}

/// What a fleet has seen since it was made.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// Sessions open now.
    pub connected: u64,
    /// Sessions opened in all.
    pub sessions: u64,
    /// Sessions that ended without being asked to.
    pub ended: u64,
    /// Heartbeats answered.
    pub beats: u64,
    /// From Heartbeat to its answer, in milliseconds: the middle one.
    pub beat_p50_ms: f64,
    /// The 99th of a hundred.
    pub beat_p99_ms: f64,
    /// Jobs offered.
    pub offers: u64,
    /// Jobs offered beyond what was asked for: must stay 0.
    pub unasked: u64,
    /// Reports acknowledged.
    pub reports: u64,
}

#[derive(Debug, Default)]
struct Counts {
    connected: AtomicU64,
    sessions: AtomicU64,
    ended: AtomicU64,
    beats: AtomicU64,
    offers: AtomicU64,
    unasked: AtomicU64,
    reports: AtomicU64,
    beat_times: Mutex<Vec<f64>>,
    connect_times: Mutex<Vec<f64>>,
    errors: Mutex<BTreeMap<String, u64>>,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

impl Counts {
    fn sample(samples: &Mutex<Vec<f64>>, span: Duration) {
        let mut samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() < SAMPLES {
            samples.push(millis(span));
        }
    }

    fn error(&self, reason: String) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        *errors.entry(reason).or_default() += 1;
    }
}

/// The value below which this part of the samples lies; 0 without samples.
fn part(samples: &mut [f64], part: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index of a list that fits into memory"
    )]
    let at = (samples.len() as f64 * part) as usize;
    samples
        .get(at.min(samples.len().saturating_sub(1)))
        .copied()
        .unwrap_or(0.0)
}

/// What the fleet is told: which wave of connections is wanted. 0 is none.
type Wave = u64;

/// Light agents. They end when this is dropped.
#[derive(Debug)]
pub struct Fleet {
    agents: usize,
    wave: watch::Sender<Wave>,
    counts: Arc<Counts>,
    resumed: Vec<HubConnector>,
    tasks: JoinSet<()>,
}

impl Fleet {
    /// Connects all of them and waits until they have a session, at most as long as `patience`.
    ///
    /// # Errors
    /// When the badges or the hub's CA cannot be used.
    pub async fn connect(badges: Vec<Badge>, options: &Options, patience: Duration) -> Result<(Self, Storm)> {
        let (wave, _) = watch::channel(0);
        let counts = Arc::<Counts>::default();
        let mut fleet = Self {
            agents: badges.len(),
            wave,
            counts,
            resumed: Vec::with_capacity(badges.len()),
            tasks: JoinSet::new(),
        };
        let trust = Trust::from_pem(&options.roots).context("the hub's CA")?;
        let slots = Arc::new(Semaphore::new(options.at_once));
        let options = Arc::new(options.clone());
        for badge in badges {
            let key = PrivateKeyDer::try_from(badge.key).map_err(|why| anyhow::anyhow!("a key: {why}"))?;
            let identity = ClientIdentity {
                chain: vec![CertificateDer::from(badge.certificate)],
                key,
            };
            let mut config = pinned_client_config(trust.clone(), None, Some(identity), &[ALPN_H2])?;
            if !options.resume {
                config.resumption = rustls::client::Resumption::disabled();
            }
            let connector = HubConnector::new(config);
            fleet.resumed.push(connector.clone());
            let agent = One {
                connector,
                options: Arc::clone(&options),
                slots: Arc::clone(&slots),
                counts: Arc::clone(&fleet.counts),
            };
            fleet.tasks.spawn(agent.live(fleet.wave.subscribe()));
        }
        let storm = fleet.storm(patience).await;
        Ok((fleet, storm))
    }

    /// Lets go of every connection at once and connects again.
    pub async fn reconnect(&self, patience: Duration) -> Storm {
        self.storm(patience).await
    }

    /// Closes all sessions and waits until the agents know it; [`reconnect`](Self::reconnect) brings them back.
    ///
    /// # Errors
    /// When some do not let go in time.
    pub async fn disconnect(&self, patience: Duration) -> Result<()> {
        self.wave.send_replace(0);
        let end = Instant::now() + patience;
        while self.counts.connected.load(Ordering::Relaxed) > 0 {
            if Instant::now() > end {
                bail!("some agents do not let go of their sessions");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    async fn storm(&self, patience: Duration) -> Storm {
        let lock = |times: &Mutex<Vec<f64>>| {
            std::mem::take(&mut *times.lock().unwrap_or_else(PoisonError::into_inner))
        };
        lock(&self.counts.connect_times);
        std::mem::take(&mut *self.counts.errors.lock().unwrap_or_else(PoisonError::into_inner));
        let sessions = self.counts.sessions.load(Ordering::Relaxed);
        let resumed = self.resumed();
        let began = Instant::now();
        self.wave.send_modify(|wave| *wave += 1);
        let opened = || {
            let now = self.counts.sessions.load(Ordering::Relaxed);
            usize::try_from(now.saturating_sub(sessions)).unwrap_or(usize::MAX)
        };
        while opened() < self.agents && began.elapsed() < patience {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (total, connected) = (began.elapsed(), opened().min(self.agents));
        let mut times = lock(&self.counts.connect_times);
        let errors = self.counts.errors.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(clippy::cast_precision_loss, reason = "a number of agents")]
        let per_second = connected as f64 / total.as_secs_f64();
        Storm {
            agents: self.agents,
            connected,
            total_ms: millis(total),
            per_second,
            p50_ms: part(&mut times, 0.5),
            p99_ms: part(&mut times, 0.99),
            errors: errors.clone(),
            resumed: self.resumed() - resumed,
        }
    }

    fn resumed(&self) -> u64 {
        self.resumed.iter().map(HubConnector::resumed).sum()
    }

    /// What was seen so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let counts = &self.counts;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut beats = counts
            .beat_times
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        Stats {
            connected: get(&counts.connected),
            sessions: get(&counts.sessions),
            ended: get(&counts.ended),
            beats: get(&counts.beats),
            beat_p50_ms: part(&mut beats, 0.5),
            beat_p99_ms: part(&mut beats, 0.99),
            offers: get(&counts.offers),
            unasked: get(&counts.unasked),
            reports: get(&counts.reports),
        }
    }

    /// Forgets the times of heartbeats so far, so that [`stats`](Self::stats) tells those from now on.
    pub fn forget_times(&self) {
        self.counts
            .beat_times
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

struct One {
    connector: HubConnector,
    options: Arc<Options>,
    slots: Arc<Semaphore>,
    counts: Arc<Counts>,
}

/// An open session, from the agent's side.
struct Open {
    client: AgentServiceClient<Channel>,
    say: mpsc::Sender<wire::AgentMessage>,
    hear: tonic::Streaming<wire::HubMessage>,
    every: Duration,
}

impl One {
    async fn live(self, mut wave: watch::Receiver<Wave>) {
        loop {
            if *wave.borrow_and_update() == 0 {
                if wave.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let Some(open) = self.open(&wave).await else {
                // Tried in vain: as agents do, not at once.
                tokio::time::sleep(Duration::from_millis(250)).await;
                if wave.has_changed().is_err() {
                    return;
                }
                continue;
            };
            count(&self.counts.sessions);
            count(&self.counts.connected);
            let told = tokio::select! {
                told = wave.changed() => Some(told),
                () = self.talk(open) => None,
            };
            self.counts.connected.fetch_sub(1, Ordering::Relaxed);
            match told {
                Some(Err(_)) => return,
                Some(Ok(())) => {}
                None => {
                    count(&self.counts.ended);
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
            }
        }
    }

    async fn open(&self, wave: &watch::Receiver<Wave>) -> Option<Open> {
        let _slot = self.slots.acquire().await.ok()?;
        let began = Instant::now();
        let opened = timeout(GREETING, self.greet())
            .await
            .unwrap_or_else(|_| bail!("no Welcome in time"));
        match opened {
            Ok(open) => {
                Counts::sample(&self.counts.connect_times, began.elapsed());
                Some(open)
            }
            Err(error) => {
                // Told to come again meanwhile: no failure.
                if !wave.has_changed().unwrap_or(true) {
                    self.counts.error(format!("{error:#}"));
                }
                None
            }
        }
    }

    async fn greet(&self) -> Result<Open> {
        let channel = self.connector.connect(&self.options.jobs).await.context("dial")?;
        let mut client = AgentServiceClient::new(channel);
        let (say, said) = mpsc::channel(64);
        let hello = wire::Hello {
            agent_version: "0.1.0".to_owned(),
            protocol_min: 1,
            protocol_max: 1,
            capabilities: ["apply_stack", "destroy_stack", "revoke_stack", "set_pull_policy"]
                .map(String::from)
                .to_vec(),
            held: Vec::new(),
        };
        tell(&say, Say::Hello(hello)).await?;
        let mut hear = client
            .session(ReceiverStream::new(said))
            .await
            .context("session")?
            .into_inner();
        let first = hear.message().await.context("greeting")?;
        let Some(Heard::Welcome(welcome)) = first.and_then(|first| first.message) else {
            bail!("the first message is no Welcome");
        };
        let said = welcome.heartbeat_every.unwrap_or_default();
        let said = Duration::from_secs(u64::try_from(said.seconds).unwrap_or(10).max(1));
        if self.options.demand > 0 {
            let jobs = self.options.demand;
            tell(&say, Say::Demand(wire::Demand { jobs })).await?;
        }
        Ok(Open {
            client,
            say,
            hear,
            every: self.options.heartbeat.unwrap_or(said),
        })
    }

    /// Goes on until the stream ends.
    async fn talk(&self, mut open: Open) {
        let mut sequence = 0;
        let mut sent = None;
        let mut credit = self.options.demand;
        // Not all at the same moment, as agents that were started by people are not.
        let mut beat = Instant::now() + open.every.mul_f64(spread(&self.connector));
        loop {
            let heard = tokio::select! {
                heard = open.hear.message() => heard,
                () = sleep_until(beat) => {
                    beat += open.every;
                    sequence += 1;
                    sent = Some(Instant::now());
                    let heartbeat = wire::Heartbeat { sequence, held: Vec::new() };
                    if tell(&open.say, Say::Heartbeat(heartbeat)).await.is_err() {
                        return;
                    }
                    continue;
                }
            };
            let Ok(Some(heard)) = heard else { return };
            match heard.message {
                Some(Heard::HeartbeatReply(reply)) if reply.sequence == sequence => {
                    count(&self.counts.beats);
                    if let Some(sent) = sent.take() {
                        Counts::sample(&self.counts.beat_times, sent.elapsed());
                    }
                }
                Some(Heard::Offer(offer)) => {
                    count(&self.counts.offers);
                    match credit.checked_sub(1) {
                        Some(left) => credit = left,
                        None => count(&self.counts.unasked),
                    }
                    if self.options.work {
                        if self.work(&mut open, offer).await.is_err() {
                            return;
                        }
                        credit += 1;
                    }
                }
                _ => {}
            }
        }
    }

    async fn work(&self, open: &mut Open, offer: wire::Offer) -> Result<()> {
        let token = offer.token;
        let started = wire::Started { token: token.clone() };
        tell(&open.say, Say::Started(started)).await?;
        let outcome = wire::report_request::Outcome::PullPolicy(wire::PullPolicySet {
            changed: false,
            warnings: Vec::new(),
        });
        let report = wire::ReportRequest {
            token,
            outcome: Some(outcome),
        };
        open.client.report(report).await.context("report")?;
        count(&self.counts.reports);
        tell(&open.say, Say::Demand(wire::Demand { jobs: 1 })).await
    }
}

async fn tell(say: &mpsc::Sender<wire::AgentMessage>, message: Say) -> Result<()> {
    let message = wire::AgentMessage {
        message: Some(message),
    };
    say.send(message).await.context("the stream is closed")
}

/// Lets this process open as many files as it may: each agent is a socket.
///
/// # Errors
/// When the limit cannot be raised.
pub fn raise_files() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, all).context("the limit of open files")
}

/// A number from 0 to 1 that differs from one agent to the next.
fn spread(connector: &HubConnector) -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    let bits = RandomState::new().hash_one(format!("{connector:?}"));
    #[expect(clippy::cast_precision_loss, reason = "any number does")]
    let part = (bits >> 11) as f64 / (1_u64 << 53) as f64;
    part
}
