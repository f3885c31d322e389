//! An agent: the real work and the real measuring of leases, in a loop that says and hears what the real one says and
//! hears. It can die, lose its journal, and stand still for longer than its lease.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hadron_agent::aws::Pace;
use hadron_agent::fake::{Effect, Line};
use hadron_agent::job::{Act, Hub, HubError, Job, Outcome, StackEvent, Stopped, Token, Verdict};
use hadron_agent::session::{Held, Lease, Over};
use hadron_agent::work::{Settings, Step, StepLog, Stop, perform};
use hadron_management::app::access::Access;
use hadron_management::app::enrolment::Records;
use hadron_management::app::work::{Content, Peer, Session};
use hadron_management::app::{App, AppError, ErrorKind, work};
use hadron_management::identity::ca::Serial;
use hadron_management::identity::enrolment::{
    Challenge, ChallengeId, Challenges as _, Claim, Connections as _, Enrolled, OpenLimits, Purpose,
    Recorded, StoreFailed,
};
use hadron_management::store::jobs::{Abilities, JobWork};
use hadron_proto::vocab::{AccountId, AgentId, ConnectionId, JobId, Partition, Timestamp};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::link::{self, From, Lost};
use super::world::{LEASE, World, region};
use super::{DEADLINE, chaos, checks, convert};

/// Jobs at once.
const CAPACITY: usize = 3;
/// How often leases are renewed.
const BEAT: Duration = Duration::from_secs(10);
/// How long a job that lost its lease may take to tidy up.
const GRACE: Duration = Duration::from_secs(10);
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What stays when the process dies: each entry is on the disk when it was written.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<BTreeMap<JobId, Entry>>>);

#[derive(Clone, Debug)]
struct Entry {
    token: Token,
    steps: u32,
    ended: Option<Outcome>,
}

impl Disk {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<JobId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(&self, token: Token) {
        let entry = Entry {
            token,
            steps: 0,
            ended: None,
        };
        self.entries().insert(token.job, entry);
    }

    fn ended(&self, token: Token, outcome: &Outcome) {
        if let Some(entry) = self
            .entries()
            .get_mut(&token.job)
            .filter(|entry| entry.token == token)
        {
            entry.ended = Some(outcome.clone());
        }
    }

    fn forget(&self, token: Token) {
        let mut entries = self.entries();
        if entries.get(&token.job).is_some_and(|entry| entry.token == token) {
            entries.remove(&token.job);
        }
    }
}

impl StepLog for Disk {
    fn step(&self, token: Token, _: &Step) -> std::io::Result<()> {
        let mut entries = self.entries();
        let entry = entries.get_mut(&token.job).filter(|entry| entry.token == token);
        // As the real one: a job that is not in the journal does nothing.
        entry.ok_or(std::io::ErrorKind::NotFound)?.steps += 1;
        Ok(())
    }
}

/// Lets a process stand still: nothing of it runs, while time goes on.
#[derive(Debug, Default)]
struct Ice {
    frozen: bool,
    waiting: Vec<Waker>,
}

struct Freezable<F> {
    ice: Arc<Mutex<Ice>>,
    work: Pin<Box<F>>,
}

impl<F: Future<Output = ()>> Future for Freezable<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        {
            let mut ice = self.ice.lock().unwrap_or_else(PoisonError::into_inner);
            if ice.frozen {
                ice.waiting.push(context.waker().clone());
                return Poll::Pending;
            }
        }
        self.work.as_mut().poll(context)
    }
}

/// One agent's machine.
pub(super) struct Agent {
    n: usize,
    pub(super) account: AccountId,
    seed: u64,
    disk: Disk,
    ice: Arc<Mutex<Ice>>,
    process: Mutex<Option<Arc<Mutex<JoinSet<()>>>>>,
}

impl Agent {
    pub(super) fn new(n: usize, account: AccountId, seed: u64) -> Self {
        Self {
            n,
            account,
            seed,
            disk: Disk::default(),
            ice: Arc::default(),
            process: Mutex::default(),
        }
    }

    fn process(&self) -> MutexGuard<'_, Option<Arc<Mutex<JoinSet<()>>>>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_up(&self) -> bool {
        self.process().is_some()
    }

    /// Starts the process; it finds on the disk what an earlier one left.
    pub(super) fn start(&self, world: &World) {
        world.say(format!("agent {} starts", self.n));
        let settings = Settings {
            deadline: DEADLINE,
            foreign_wait: DEADLINE / 2,
            pace: Arc::new(Pace::seeded(self.seed)),
            ..Settings::default()
        };
        let tasks = Arc::new(Mutex::new(JoinSet::new()));
        let process = Process(Arc::new(Inner {
            n: self.n,
            world: world.clone(),
            account: self.account,
            disk: self.disk.clone(),
            ice: Arc::clone(&self.ice),
            tasks: Arc::downgrade(&tasks),
            held: Held::default(),
            handovers: Mutex::default(),
            peer: Mutex::default(),
            lanes: Mutex::default(),
            settings,
        }));
        *self.process() = Some(tasks);
        process.spawn(process.clone().live());
    }

    /// It dies. `journal`: what is on its disk stays there.
    pub(super) fn kill(&self) {
        drop(self.process().take());
    }

    /// Its disk is lost.
    pub(super) fn wipe(&self) {
        self.disk.entries().clear();
    }

    /// What it wrote last did not get to the disk.
    pub(super) fn tear(&self) {
        if let Some(mut entry) = self.disk.entries().last_entry() {
            let entry = entry.get_mut();
            if entry.ended.take().is_none() {
                entry.steps = entry.steps.saturating_sub(1);
            }
        }
    }

    /// It stands still until it is told to go on.
    pub(super) fn freeze(&self) {
        self.ice.lock().unwrap_or_else(PoisonError::into_inner).frozen = true;
    }

    pub(super) fn thaw(&self) {
        let mut ice = self.ice.lock().unwrap_or_else(PoisonError::into_inner);
        ice.frozen = false;
        for waker in ice.waiting.drain(..) {
            waker.wake();
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.disk.entries().is_empty()
    }
}

#[derive(Clone)]
struct Process(Arc<Inner>);

struct Inner {
    n: usize,
    world: World,
    account: AccountId,
    disk: Disk,
    ice: Arc<Mutex<Ice>>,
    /// Owned by the machine: when it lets go, everything stops.
    tasks: std::sync::Weak<Mutex<JoinSet<()>>>,
    held: Held,
    handovers: Mutex<Vec<Token>>,
    /// Who its present certificate says that it is.
    peer: Mutex<Option<Peer>>,
    lanes: Mutex<HashMap<JobId, Arc<tokio::sync::Mutex<()>>>>,
    settings: Settings,
}

impl std::ops::Deref for Process {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// When the agent stops acting on a lease that was renewed at `from`: as the real one.
fn stop_at(from: Instant) -> Instant {
    from + LEASE * 2 / 3
}

fn abilities() -> Abilities {
    Abilities::of(&JobWork::ALWAYS)
}

impl Process {
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let Some(tasks) = self.tasks.upgrade() else {
            return;
        };
        let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(Freezable {
            ice: Arc::clone(&self.ice),
            work: Box::pin(work),
        });
    }

    fn say(&self, what: impl AsRef<str>) {
        self.world.say(format!("agent {}: {}", self.n, what.as_ref()));
    }

    async fn call<T, F, W>(
        &self,
        hub: usize,
        what: &'static str,
        work: W,
    ) -> Result<Result<T, AppError>, Lost>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, AppError>> + Send + 'static,
        W: Fn(App) -> F + Send + Sync + 'static,
    {
        link::call(&self.world, From::Agent(self.n), hub, what, work).await
    }

    fn hub(&self) -> usize {
        self.world.dice.one(&[0, 1])
    }

    /// Everything that it holds, in the order of their ids.
    fn tokens(&self) -> Vec<Token> {
        let mut tokens = self.held.tokens();
        tokens.sort_by_key(|token| token.job);
        tokens
    }

    async fn live(self) {
        let (mut unsent, mut unfinished) = (Vec::new(), Vec::new());
        for entry in self.disk.entries().values() {
            match &entry.ended {
                Some(outcome) => unsent.push((entry.token, outcome.clone())),
                None => unfinished.push(entry.token),
            }
        }
        for (token, outcome) in unsent {
            if self.held.take(token, Instant::now()).is_some() {
                let process = self.clone();
                self.spawn(async move { process.deliver(token, outcome).await });
            }
        }
        *self.handovers() = unfinished;
        loop {
            if self.peer().is_none() {
                let enrolled = self.enrol().await;
                *self.certificate() = enrolled;
            }
            if let Some(peer) = self.peer()
                && !self.session(&peer).await
            {
                *self.certificate() = None;
            }
            sleep(self.world.dice.millis(100, 3_000)).await;
        }
    }

    fn certificate(&self) -> MutexGuard<'_, Option<Peer>> {
        self.peer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peer(&self) -> Option<Peer> {
        self.certificate().clone()
    }

    fn handovers(&self) -> MutexGuard<'_, Vec<Token>> {
        self.handovers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new certificate, for what the account's connection is now.
    async fn enrol(&self) -> Option<Peer> {
        let dice = &self.world.dice;
        let account = self.account;
        let serial = Serial::from_random(random(&self.world));
        let agent = AgentId::from_parts(dice.roll(1 << 40), [u8::try_from(self.n).unwrap_or(0); 10]);
        let world = self.world.clone();
        let begin = move |app: App| {
            let world = world.clone();
            async move {
                let id = ChallengeId::from_random(random(&world));
                let records = records(&app);
                let now = app.clock().now();
                let unavailable = |error: StoreFailed| {
                    AppError::new(ErrorKind::Unavailable, "STORE_FAILED", error.to_string())
                };
                let found = records
                    .connection_at(account, &region())
                    .await
                    .map_err(unavailable)?;
                let Some(found) = found else { return Ok(None) };
                let challenge = Challenge {
                    id,
                    nonce: [7; 32],
                    purpose: Purpose::Enrol {
                        claim: Claim::Connection(found.id),
                        spki_sha256: [9; 32],
                        epoch: Some(found.epoch),
                        agent: None,
                    },
                    connection: None,
                    source: SOURCE,
                    expires_at: now.plus(Duration::from_secs(60)),
                };
                let limits = OpenLimits {
                    per_source: 5,
                    per_connection: 20,
                };
                records
                    .insert(&challenge, limits, now)
                    .await
                    .map_err(unavailable)?;
                Ok(Some((id, found.id, found.epoch)))
            }
        };
        let hub = self.hub();
        let (id, connection, epoch): (ChallengeId, ConnectionId, u64) =
            match self.call(hub, "begin enrolment", begin).await {
                Ok(Ok(Some(found))) => found,
                Ok(Ok(None) | Err(_)) | Err(Lost) => return None,
            };
        let world = self.world.clone();
        let finish = move |app: App| {
            let world = world.clone();
            async move {
                let records = records(&app);
                let now = app.clock().now();
                // Databases that do not answer are an end as well.
                let Ok(Some(_)) = records.take(id, now).await else {
                    return Ok(false);
                };
                checks::answered(&world, &id.to_string());
                let enrolled = Enrolled {
                    connection,
                    epoch,
                    agent,
                    role_id: "AROAEXAMPLE".to_owned(),
                    caller_arn: format!("arn:aws:sts::{account}:assumed-role/hadron-agent/i-1"),
                    serial,
                    spki_sha256: [9; 32],
                    not_after: Timestamp::from_micros(4_102_444_800_000_000),
                    source: SOURCE,
                    at: now,
                };
                let recorded = records.record(&enrolled).await;
                Ok(matches!(recorded, Ok(Recorded::Committed)))
            }
        };
        let answer = self.call(hub, "finish enrolment", finish.clone()).await;
        if dice.per_mille(250) {
            // Somebody saw the answer on its way, and gives it once more.
            let _ = self.call(hub, "finish enrolment again", finish).await;
        }
        match answer {
            Ok(Ok(true)) => Some(Peer {
                agent,
                account,
                connection,
            }),
            Ok(Ok(false) | Err(_)) | Err(Lost) => None,
        }
    }

    /// One session. False: its trust has ended.
    async fn session(&self, peer: &Peer) -> bool {
        let hub = self.hub();
        let handed: Vec<Token> = std::mem::take(&mut *self.handovers());
        let named: Vec<Token> = self.tokens().into_iter().chain(handed.iter().copied()).collect();
        let asked = Instant::now();
        let open = {
            let (peer, held): (_, Vec<work::Token>) =
                (peer.clone(), named.iter().copied().map(convert::token).collect());
            move |app: App| {
                let (peer, held) = (peer.clone(), held.clone());
                async move { app.open_session(&peer, "0.1.0", abilities(), held).await }
            }
        };
        let (session, resumed) = match self.call(hub, "open session", open).await {
            Ok(Ok(opened)) => opened,
            answer => {
                self.handovers().extend(handed);
                return !matches!(answer, Ok(Err(error)) if error.kind == ErrorKind::Denied);
            }
        };
        for token in named {
            let still = resumed.contains(&convert::token(token));
            match (still, handed.contains(&token)) {
                (true, true) => self.handovers().push(token),
                (false, true) => self.disk.forget(token),
                (true, false) => self.held.renew(token, stop_at(asked)),
                (false, false) => self
                    .held
                    .lose(token, Over::Lost("somebody else has it".to_owned())),
            }
        }
        self.talk(hub, &session, asked).await
    }

    async fn talk(&self, hub: usize, session: &Session, asked: Instant) -> bool {
        let mut proven = asked;
        let mut beat_at = Instant::now();
        let mut silent = 0;
        loop {
            let given_back = self.handovers().pop();
            let answer = if let Some(token) = given_back {
                self.hand_over(hub, session, token).await
            } else if Instant::now() >= beat_at {
                let sent = Instant::now();
                beat_at = sent + BEAT;
                let answer = self.beat(hub, session, sent).await;
                if matches!(answer, Ok(Ok(()))) {
                    proven = sent;
                }
                answer
            } else if self.held.count() < CAPACITY {
                let room = CAPACITY - self.held.count();
                let answer = self.take(hub, session, room, proven).await;
                if matches!(answer, Ok(Ok(n)) if n > 0) {
                    // The lease was counted from some time ago.
                    beat_at = Instant::now();
                }
                answer.map(|answer| answer.map(drop))
            } else {
                Ok(Ok(()))
            };
            match answer {
                Ok(Ok(())) => silent = 0,
                Ok(Err(error)) if error.kind == ErrorKind::Denied => return false,
                Ok(Err(error)) if error.kind == ErrorKind::Fenced => return true,
                // The hub passes failures of its database over.
                Ok(Err(_)) => {}
                Err(Lost) => {
                    silent += 1;
                    if silent > 1 || !self.world.hubs()[hub].is_up() {
                        return true;
                    }
                }
            }
            sleep(self.world.dice.millis(1_000, 3_000)).await;
        }
    }

    async fn beat(&self, hub: usize, session: &Session, sent: Instant) -> Result<Result<(), AppError>, Lost> {
        let named = self.tokens();
        let held: Vec<work::Token> = named.iter().copied().map(convert::token).collect();
        let (session, world) = (session.clone(), self.world.clone());
        let beat = move |app: App| {
            let (session, held, world) = (session.clone(), held.clone(), world.clone());
            async move {
                // The hub looks every second or so whether the session may go on.
                app.check_session(&session).await?;
                let renewed = app.heartbeat(&session, held).await?;
                for token in &renewed {
                    checks::accepted(&world, *token, "renewal");
                }
                Ok(renewed)
            }
        };
        let renewed = match self.call(hub, "heartbeat", beat).await? {
            Ok(renewed) => renewed,
            Err(error) => return Ok(Err(error)),
        };
        for token in named {
            if renewed.contains(&convert::token(token)) {
                self.held.renew(token, stop_at(sent));
            } else {
                self.held.lose(token, Over::Lost("the hub says so".to_owned()));
            }
        }
        Ok(Ok(()))
    }

    async fn hand_over(
        &self,
        hub: usize,
        session: &Session,
        token: Token,
    ) -> Result<Result<(), AppError>, Lost> {
        let (peer, world) = (session.peer.clone(), self.world.clone());
        let give = move |app: App| {
            let (peer, world) = (peer.clone(), world.clone());
            async move {
                let told = app.handover(&peer, convert::token(token), "stopped").await;
                if told.is_ok() {
                    checks::accepted(&world, convert::token(token), "handover");
                }
                told
            }
        };
        match self.call(hub, "handover", give).await {
            Ok(Ok(())) => self.disk.forget(token),
            Ok(Err(error)) if matches!(error.kind, ErrorKind::Fenced | ErrorKind::NotFound) => {
                self.disk.forget(token);
            }
            other => {
                self.handovers().push(token);
                return other;
            }
        }
        Ok(Ok(()))
    }

    async fn take(
        &self,
        hub: usize,
        session: &Session,
        room: usize,
        proven: Instant,
    ) -> Result<Result<usize, AppError>, Lost> {
        let session = session.clone();
        let limit = u32::try_from(room).unwrap_or(1);
        let take = move |app: App| {
            let session = session.clone();
            async move { app.take(&session, limit).await }
        };
        let offers = match self.call(hub, "take", take).await? {
            Ok(offers) => offers,
            Err(error) => return Ok(Err(error)),
        };
        let count = offers.len();
        for offer in offers {
            let Some(job) = convert::job(offer) else { continue };
            let Some(lease) = self.held.take(job.token, stop_at(proven)) else {
                continue;
            };
            self.say(format!(
                "takes {} of {} under {}",
                job.token.job, job.label, job.token.fence
            ));
            self.disk.accept(job.token);
            let process = self.clone();
            self.spawn(async move { process.supervise(job, lease).await });
        }
        Ok(Ok(count))
    }

    fn lane(&self, job: JobId) -> Arc<tokio::sync::Mutex<()>> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(job).or_default())
    }

    /// As the real runner does it.
    async fn supervise(&self, job: Job, lease: Lease) {
        let lane = self.lane(job.token.job);
        let _turn = lane.lock().await;
        let token = job.token;
        self.started(token);
        match self.work(&job, &lease).await {
            Ok(outcome) => {
                self.say(format!("{token:?} ended: {}", short(&outcome)));
                self.disk.ended(token, &outcome);
                self.deliver(token, outcome).await;
            }
            Err(stopped) => {
                self.say(format!("{token:?} stopped: {stopped:?}"));
                let over = futures::FutureExt::now_or_never(lease.over());
                if matches!(over, Some(Over::Lost(_))) {
                    self.disk.forget(token);
                } else {
                    self.handovers().push(token);
                }
                self.held.release(token);
            }
        }
    }

    /// Said on the stream in passing: nobody waits for an answer.
    fn started(&self, token: Token) {
        let Some(peer) = self.peer() else { return };
        let world = self.world.clone();
        let hub = self.hub();
        let process = self.clone();
        self.spawn(async move {
            let start = move |app: App| {
                let (peer, world) = (peer.clone(), world.clone());
                async move {
                    app.started(&peer, convert::token(token)).await?;
                    checks::accepted(&world, convert::token(token), "start");
                    Ok(())
                }
            };
            let _ = process.call(hub, "started", start).await;
        });
    }

    /// A way to AWS for one attempt, with its own bad luck.
    fn line(&self) -> Line {
        let (world, line) = (&self.world, Line::default());
        let dice = &world.dice;
        if world.at_peace() {
            line.delay(dice.roll(u64::MAX), Duration::from_secs(2));
            return line;
        }
        // Mostly quick, now and then so long that a lease runs out while a call is under way.
        line.delay(dice.roll(u64::MAX), Duration::from_secs(dice.one(&[2, 20, 120])));
        world.slow(&line);
        for _ in 0..dice.roll(3) {
            line.fault(
                None,
                u32::try_from(dice.roll(15)).unwrap_or(0),
                1,
                Effect::LoseReply,
            );
        }
        if dice.per_mille(150) {
            line.refuse(
                None,
                u32::try_from(1 + dice.roll(4)).unwrap_or(1),
                "Throttling",
                "Rate exceeded",
            );
        }
        line
    }

    async fn work(&self, job: &Job, lease: &Lease) -> Result<Outcome, Stopped> {
        let (brake, stop) = Stop::new();
        let aws = self.world.aws[&self.account].over(&self.line());
        let hub = JobHub {
            process: self.clone(),
            lease: lease.clone(),
        };
        let mut work = Box::pin(perform(job, &aws, &hub, &self.disk, &stop, &self.settings));
        let mut over = std::pin::pin!(lease.over());
        let mut fenced: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                over = &mut over, if fenced.is_none() => {
                    self.held.lose(job.token, over);
                    brake.fence();
                    fenced = Some(Instant::now() + GRACE);
                }
                done = &mut work => return done,
                () = sleep_until(fenced.unwrap_or_else(Instant::now)), if fenced.is_some() => {
                    return Err(Stopped::Fenced);
                }
            }
        }
    }

    /// Until the hub has it, or says that nobody waits for it.
    async fn deliver(&self, token: Token, outcome: Outcome) {
        loop {
            if let Some(known) = self.peer() {
                let hub = self.hub();
                let world = self.world.clone();
                let outcome = convert::outcome(outcome.clone());
                let report = move |app: App| {
                    let (known, world, outcome) = (known.clone(), world.clone(), outcome.clone());
                    async move {
                        app.report(&known, convert::token(token), outcome).await?;
                        checks::accepted(&world, convert::token(token), "report");
                        Ok(())
                    }
                };
                match self.call(hub, "report", report).await {
                    Ok(Ok(())) => break,
                    Ok(Err(error)) if matches!(error.kind, ErrorKind::Fenced | ErrorKind::NotFound) => break,
                    Ok(Err(error)) if error.kind == ErrorKind::Invalid => {
                        self.world
                            .broken(format!("the hub refuses a report: {}", error.message));
                        break;
                    }
                    Ok(Err(_)) | Err(Lost) => {}
                }
            }
            sleep(self.world.dice.millis(200, 8_000)).await;
        }
        self.disk.forget(token);
        self.held.release(token);
    }
}

fn random(world: &World) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&world.dice.roll(u64::MAX).to_be_bytes());
    bytes[8..].copy_from_slice(&world.dice.roll(u64::MAX).to_be_bytes());
    bytes
}

fn short(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied { no_changes, .. } => format!("applied, no changes: {no_changes}"),
        Outcome::Gone { .. } => "gone".to_owned(),
        Outcome::Revoked { .. } => "revoked".to_owned(),
        Outcome::PullPolicySet { changed, .. } => format!("policy set, changed: {changed}"),
        Outcome::EventsPut { .. } | Outcome::BundleFetched { .. } | Outcome::Inspected(_) => {
            "something else".to_owned()
        }
        Outcome::Failed(failure) => format!("failed: {:?}: {}", failure.kind, failure.message),
    }
}

fn records(app: &App) -> Records {
    let access = Access {
        account: app.settings().account,
        partition: Partition::Aws,
        administrators: Vec::new(),
        developers: Vec::new(),
        auditors: Vec::new(),
    };
    Records::new(app.clone(), Arc::new(access))
}

/// What one job may ask of the hub: for as long as its lease holds.
struct JobHub {
    process: Process,
    lease: Lease,
}

impl JobHub {
    async fn ask<T, F, W>(&self, what: &'static str, work: W) -> Result<T, HubError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, AppError>> + Send + 'static,
        W: Fn(App, Peer) -> F + Clone + Send + Sync + 'static,
    {
        let answer = async {
            loop {
                let Some(peer) = self.process.peer() else {
                    sleep(self.process.world.dice.millis(200, 5_000)).await;
                    continue;
                };
                let work = work.clone();
                let asked = move |app| work(app, peer.clone());
                match self.process.call(self.process.hub(), what, asked).await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(error)) if matches!(error.kind, ErrorKind::Fenced) => {
                        let token = self.lease.token();
                        self.process.held.lose(token, Over::Lost(error.message.clone()));
                        return Err(HubError::Fenced(error.message));
                    }
                    Ok(Err(error)) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Invalid) => {
                        return Err(HubError::Unavailable(error.message));
                    }
                    Ok(Err(_)) | Err(Lost) => {}
                }
                sleep(self.process.world.dice.millis(200, 5_000)).await;
            }
        };
        tokio::select! {
            biased;
            over = self.lease.over() => Err(match over {
                Over::Lost(reason) => HubError::Fenced(reason),
                Over::Expired => HubError::Unavailable("the lease ran out".to_owned()),
            }),
            answer = answer => answer,
        }
    }
}

impl Hub for JobHub {
    async fn template(&self, token: Token) -> Result<String, HubError> {
        let fetch = move |app: App, peer: Peer| async move {
            app.content(&peer, convert::token(token), Content::Template).await
        };
        let bytes = self.ask("template", fetch).await?;
        String::from_utf8(bytes).map_err(|_| HubError::Unavailable("no text".to_owned()))
    }

    async fn authorise(&self, token: Token, act: Act) -> Result<Verdict, HubError> {
        let world = self.process.world.clone();
        let ask = move |app: App, peer: Peer| {
            let (world, act) = (world.clone(), convert::act(act.clone()));
            async move {
                let verdict = app.authorise(&peer, convert::token(token), act.clone()).await?;
                if verdict == work::Verdict::Granted {
                    checks::granted(&world, convert::token(token), &act);
                }
                Ok(verdict)
            }
        };
        let verdict = self.ask("authorise", ask).await?;
        // The answer may be older than it looks.
        if !self.lease.holds() {
            return Err(HubError::Unavailable(
                "the lease ran out while the hub answered".to_owned(),
            ));
        }
        Ok(match verdict {
            work::Verdict::Granted => {
                chaos::after_leave(&self.process.world, self.process.n);
                Verdict::Granted
            }
            work::Verdict::Refused(why) => Verdict::Refused(why),
        })
    }

    async fn put_content(&self, _: Token, _: bytes::Bytes) -> Result<(), HubError> {
        Err(HubError::Unavailable("no job here fetches anything".to_owned()))
    }

    async fn events(&self, token: Token, events: Vec<StackEvent>) {
        let process = self.process.clone();
        let Some(peer) = process.peer() else { return };
        let hub = process.hub();
        let events = convert::events(events);
        // In the background; what is lost decides nothing.
        self.process.spawn(async move {
            let post = move |app: App| {
                let (peer, events) = (peer.clone(), events.clone());
                async move { app.events(&peer, convert::token(token), events).await }
            };
            let _ = process.call(hub, "events", post).await;
        });
    }
}
