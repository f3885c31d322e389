//! An agent: the real process but for AWS, the wire and its enrolment. It can die, lose its journal, and stand still for
//! longer than its lease.

use std::fs;
use std::future::{Future, pending};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hadron_agent::aws::Pace;
use hadron_agent::fake::{Effect, Line};
use hadron_agent::job::{Job, Outcome, Stopped};
use hadron_agent::journal::Journal;
use hadron_agent::limits::{Limits, Policy, RoleLists};
use hadron_agent::runner::{self, Desk, Runner, Tasks, Worker};
use hadron_agent::session::{Dial, DialError, Held, Jitter, Link, Session, Transport};
use hadron_agent::work::{Settings, perform};
use hadron_management::app::enrolment::Records;
use hadron_management::app::work::Peer;
use hadron_management::app::{App, AppError, ErrorKind};
use hadron_management::identity::ca::Serial;
use hadron_management::identity::enrolment::{
    Challenge, ChallengeId, Challenges as _, Claim, Connections as _, Enrolled, OpenLimits, Purpose,
    Recorded, StoreFailed,
};
use hadron_management::identity::tls;
use hadron_proto::vocab::{AccountId, AgentId, ConnectionId, RoleArn, StackPrefix, Timestamp};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::link::{self, From, Lost};
use super::wire::Way;
use super::world::{World, region};
use super::{DEADLINE, checks};

/// Jobs at once.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(3).expect("more than none");
/// When certificates end: not within any simulation.
const NOT_AFTER: Timestamp = Timestamp::from_micros(4_102_444_800_000_000);
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

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
    /// Its disk: what stays when the process dies.
    disk: TempDir,
    ice: Arc<Mutex<Ice>>,
    process: Mutex<Option<Arc<Mutex<JoinSet<()>>>>>,
}

/// A disk. In memory, where there is such a place: what is on it is to survive agents and not machines.
fn disk() -> std::io::Result<TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

impl Agent {
    pub(super) fn new(n: usize, account: AccountId, seed: u64) -> std::io::Result<Self> {
        Ok(Self {
            n,
            account,
            seed,
            disk: disk()?,
            ice: Arc::default(),
            process: Mutex::default(),
        })
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
        let tasks = Arc::new(Mutex::new(JoinSet::new()));
        let process = Process(Arc::new(Inner {
            n: self.n,
            world: world.clone(),
            account: self.account,
            disk: self.disk.path().to_owned(),
            ice: Arc::clone(&self.ice),
            tasks: Arc::downgrade(&tasks),
            peer: Mutex::default(),
        }));
        *self.process() = Some(tasks);
        process.spawn(process.clone().live(self.seed));
    }

    /// It dies. What is on its disk stays there.
    pub(super) fn kill(&self) {
        drop(self.process().take());
    }

    /// The journals on its disk, in the order of their jobs.
    fn journals(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.disk.path().join("jobs")).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        files
    }

    /// Its disk is lost.
    pub(super) fn wipe(&self) {
        for file in self.journals() {
            drop(fs::remove_file(file));
        }
    }

    /// What it wrote last did not get to the disk as a whole.
    pub(super) fn tear(&self) {
        if let Some(file) = self.journals().last()
            && let Ok(bytes) = fs::read(file)
        {
            let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
            // The first line appears whole or not at all.
            if let Some(last) = lines.next_back().filter(|_| lines.next().is_some()) {
                drop(fs::write(file, &bytes[..bytes.len() - last.len().div_ceil(2)]));
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
        self.journals().is_empty()
    }
}

#[derive(Clone)]
struct Process(Arc<Inner>);

struct Inner {
    n: usize,
    world: World,
    account: AccountId,
    disk: PathBuf,
    ice: Arc<Mutex<Ice>>,
    /// Owned by the machine: when it lets go, everything stops.
    tasks: std::sync::Weak<Mutex<JoinSet<()>>>,
    /// Who its present certificate says that it is.
    peer: Mutex<Option<Peer>>,
}

impl std::ops::Deref for Process {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
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

    fn policy(&self) -> Policy {
        let roles = |names: &[&str]| -> Vec<RoleArn> {
            let arns = names
                .iter()
                .map(|name| format!("arn:aws:iam::{}:role/{name}", self.account));
            arns.filter_map(|arn| arn.parse().ok()).collect()
        };
        Policy {
            account: self.account,
            region: region(),
            limits: Limits {
                stack_prefix: StackPrefix::proton(),
                regions: vec![region()],
                contents: hadron_proto::vocab::ContentRules::default(),
                capabilities: ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
                    .map(str::to_owned)
                    .to_vec(),
                publishers: Vec::new(),
                signed_only: true,
                max_template_bytes: 1 << 20,
                bundle_buckets: None,
            },
            roles: RoleLists {
                provisioning: roles(&["provisioning"]),
                pipeline: roles(&["pipelines"]),
                component: roles(&["provisioning"]),
            },
        }
    }

    /// What `wiring` does.
    async fn live(self, seed: u64) {
        let (journal, recovered) = loop {
            match Journal::open(Path::new(&self.disk)) {
                Ok(opened) => break opened,
                // The process before has not let go of everything yet.
                Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                    sleep(Duration::from_millis(1)).await;
                }
                Err(error) => {
                    return self
                        .world
                        .broken(format!("the journal cannot be opened: {error}"));
                }
            }
        };
        if !recovered.broken.is_empty() {
            self.world
                .broken(format!("journals without a token: {:?}", recovered.broken.len()));
        }
        let (unfinished, unsent) = (recovered.unfinished.len(), recovered.unsent.len());
        self.say(format!(
            "finds {unfinished} jobs and {unsent} reports in its journal"
        ));
        let held = Held::default();
        let (setter, link) = Link::new(Jitter::seeded(self.world.dice.roll(u64::MAX)));
        let worker = SimulatedWorker {
            process: self.clone(),
            settings: Settings {
                deadline: DEADLINE,
                foreign_wait: DEADLINE / 2,
                pace: Arc::new(Pace::seeded(seed)),
                ..Settings::default()
            },
        };
        let settings = runner::Settings {
            capacity: CAPACITY,
            deadline: DEADLINE + DEADLINE / 10,
        };
        let tasks = Tasks::on({
            let process = self.clone();
            move |task| process.spawn(task)
        });
        let (policy, book) = (self.policy(), journal.clone());
        let runner = Runner::new(worker, policy, book, held.clone(), link, settings, tasks);
        held.hand_over_again(recovered.unfinished);
        runner.deliver_again(recovered.unsent);
        let (dial, drain) = (SimulatedDial(self), CancellationToken::new());
        Session::new(dial, runner, held, journal, setter, drain, DEADLINE)
            .run()
            .await;
    }

    fn certificate(&self) -> MutexGuard<'_, Option<Peer>> {
        self.peer.lock().unwrap_or_else(PoisonError::into_inner)
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
                    counted_as: None,
                    source: SOURCE,
                    expires_at: now.plus(Duration::from_secs(60)),
                };
                let limits = OpenLimits {
                    per_source: 5,
                    per_claim: 20,
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
                    not_after: NOT_AFTER,
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
}

/// Enrols when there is no certificate, and takes the hub that a balancer happens to choose.
struct SimulatedDial(Process);

impl Dial for SimulatedDial {
    async fn dial(&self) -> Result<Transport, DialError> {
        let process = &self.0;
        let known = process.certificate().clone();
        let peer = match known {
            Some(peer) => Some(peer),
            None => process.enrol().await,
        };
        process.certificate().clone_from(&peer);
        let hub = process.hub();
        let peer = peer.ok_or_else(|| DialError {
            to: format!("hub {hub}"),
            cause: "not enrolled".into(),
        })?;
        let identity = tls::PeerIdentity {
            issuer: None,
            account: peer.account,
            connection: peer.connection,
            agent: peer.agent,
            not_after: NOT_AFTER,
            serial: String::new(),
        };
        let way = Way {
            world: process.world.clone(),
            agent: process.n,
            hub,
            peer: tls::Peer {
                address: SocketAddr::new(SOURCE, 0),
                identity: Some(identity),
            },
        };
        Ok(way.transport())
    }

    async fn renewed(&self) {
        pending().await
    }

    fn refused(&self) {
        self.0.say("its certificate is not accepted");
        *self.0.certificate() = None;
    }
}

/// Does the real work, in an account in memory.
struct SimulatedWorker {
    process: Process,
    settings: Settings,
}

impl Worker for SimulatedWorker {
    async fn perform(&self, job: Job, desk: Desk) -> Result<Outcome, Stopped> {
        let (process, token) = (&self.process, job.token);
        process.say(format!(
            "begins {} of {} under {}",
            token.job, job.label, token.fence
        ));
        let aws = process.world.aws[&process.account].over(&process.line());
        let (hub, journal, stop) = (&desk.hub, &desk.journal, &desk.stop);
        let done = perform(&job, &aws, hub, journal, stop, &self.settings).await;
        process.say(match &done {
            Ok(outcome) => format!("{token:?} ended: {}", short(outcome)),
            Err(stopped) => format!("{token:?} stopped: {stopped:?}"),
        });
        done
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
        Outcome::EventsPut { .. }
        | Outcome::CheckpointsPut { .. }
        | Outcome::BundleFetched { .. }
        | Outcome::Inspected(_) => "something else".to_owned(),
        Outcome::Failed(failure) => format!("failed: {:?}: {}", failure.kind, failure.message),
    }
}

fn records(app: &App) -> Records {
    Records::new(app.clone())
}
