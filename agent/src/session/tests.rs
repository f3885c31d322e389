//! The session against a hub in this process.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hadron_proto::vocab::StackPrefix;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Channel;
use wire::agent_service_server::AgentServiceServer;

use hub::{Hub, Seen, State, job_id, token_of};

use super::*;
use crate::convert;
use crate::job::{Act, Hub as _, HubError, Job, Outcome, StackEvent, Stopped, Verdict};
use crate::limits::{Limits, Policy, RoleLists};
use crate::runner::{Desk, Settings, Tasks};
use crate::work::{Step, StepLog as _};

mod hub;

const TEMPLATE: &str = "Resources: {}";
const STACK: &str = "arn:aws:cloudformation:us-east-1:333333333333:stack/AWSProton-prd/1";

// ---- the agent ---------------------------------------------------------------------------------------------------

#[derive(Clone)]
struct Plain {
    at: SocketAddr,
    dials: Arc<AtomicUsize>,
}

impl Dial for Plain {
    async fn dial(&self) -> Result<Transport, DialError> {
        self.dials.fetch_add(1, Ordering::SeqCst);
        let to = format!("http://{}", self.at);
        let endpoint = Channel::from_shared(to.clone()).unwrap();
        endpoint
            .connect()
            .await
            .map(transport)
            .map_err(|cause| DialError {
                to,
                cause: cause.into(),
            })
    }

    async fn renewed(&self) {
        std::future::pending().await
    }

    fn refused(&self) {}
}

/// What the test wants the jobs to do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Script {
    Succeed,
    Panic,
    /// Work until told to stop.
    Wait,
    /// Work, and never look whether to stop.
    Stubborn,
    Fetch,
    Act,
    /// Tell of two events and succeed.
    Tell,
    /// Hand content over and succeed.
    Put,
}

#[derive(Clone)]
struct Scripted {
    script: watch::Receiver<Script>,
    ends: mpsc::UnboundedSender<(u64, String)>,
}

impl Worker for Scripted {
    async fn perform(&self, job: Job, desk: Desk) -> Result<Outcome, Stopped> {
        let fence = job.token.fence;
        let done = || Outcome::Gone { stack: None };
        let script = *self.script.borrow();
        let end = match script {
            Script::Succeed => Ok(done()),
            Script::Panic => panic!("as the test wants it"),
            Script::Stubborn => return std::future::pending().await,
            Script::Wait => {
                let step = Step::CreateChangeSet {
                    stack: "AWSProton-prd".to_owned(),
                    name: "d".to_owned(),
                };
                desk.journal.step(job.token, &step).unwrap();
                Err(None)
            }
            Script::Tell => {
                desk.hub.events(job.token, vec![event("1"), event("2")]).await;
                Ok(done())
            }
            Script::Put => {
                let content = vec![b'x'; 200_000].into();
                let put = desk.hub.put_content(job.token, content).await;
                let _ = self.ends.send((fence, format!("{put:?}")));
                Ok(done())
            }
            Script::Fetch => Err(Some(false)),
            Script::Act => Err(Some(true)),
        };
        let end = match end {
            Ok(outcome) => Ok(outcome),
            Err(None) => Err(desk.stop.sleep(Duration::from_secs(3600)).await.unwrap_err()),
            Err(Some(false)) => {
                let text = desk.hub.template(job.token).await;
                let _ = self.ends.send((fence, format!("{text:?}")));
                Ok(done())
            }
            Err(Some(true)) => {
                // One of the tests' jobs goes for a stack that is none of Hadron's.
                let stack = if fence == 90 {
                    STACK.replace("AWSProton-prd", "database")
                } else {
                    STACK.to_owned()
                };
                let act = Act::Delete {
                    stack: stack.parse().unwrap(),
                };
                let verdict = desk.hub.authorise(job.token, act).await;
                let _ = self.ends.send((fence, format!("{verdict:?}")));
                match verdict {
                    Ok(Verdict::Granted) => Ok(done()),
                    Ok(Verdict::Refused(_)) | Err(HubError::Fenced(_)) => Err(Stopped::Fenced),
                    Err(HubError::Unavailable(_)) => Err(Stopped::HubUnavailable),
                    Err(HubError::NotConnected(_)) => Err(Stopped::NotConnected),
                }
            }
        };
        let _ = self.ends.send((fence, format!("{end:?}")));
        end
    }
}

fn event(id: &str) -> StackEvent {
    StackEvent {
        event_id: id.to_owned(),
        at: hadron_proto::vocab::Timestamp::EPOCH,
        logical_id: "Topic".to_owned(),
        physical_id: String::new(),
        resource_type: "AWS::SNS::Topic".to_owned(),
        status: "CREATE_COMPLETE".to_owned(),
        reason: String::new(),
    }
}

struct World {
    hub: Hub,
    at: SocketAddr,
    server: JoinHandle<()>,
    script: watch::Sender<Script>,
    ends: mpsc::UnboundedReceiver<(u64, String)>,
    dials: Arc<AtomicUsize>,
    drain: CancellationToken,
    agent: JoinHandle<()>,
    state: tempfile::TempDir,
}

impl World {
    async fn new(script: Script) -> Self {
        Self::with_lease(script, Duration::from_secs(3)).await
    }

    async fn with_lease(script: Script, lease: Duration) -> Self {
        let state = State {
            template: TEMPLATE.to_owned(),
            ..State::default()
        };
        let hub = Hub {
            state: Arc::new(Mutex::new(state)),
            changed: Arc::default(),
            lease,
        };
        let (server, at) = serve(hub.clone(), "127.0.0.1:0").await;
        let (dir, dials) = (tempfile::tempdir().unwrap(), Arc::<AtomicUsize>::default());
        let (agent, script, ends, drain) = start(at, dir.path(), script, &dials);
        Self {
            hub,
            at,
            server,
            script,
            ends,
            dials,
            drain,
            agent,
            state: dir,
        }
    }

    /// As after kill -9: nothing of the process is left but its journal.
    async fn kill_and_restart(&mut self) {
        self.agent.abort();
        // Its jobs die with it; the lock on the journal goes when the last of them is gone.
        let _ = (&mut self.agent).await;
        self.hub.with(|state| state.seen.clear());
        let script = *self.script.borrow();
        let (agent, script, ends, drain) = start(self.at, self.state.path(), script, &self.dials);
        (self.agent, self.script, self.ends, self.drain) = (agent, script, ends, drain);
    }

    fn journals(&self) -> usize {
        std::fs::read_dir(self.state.path().join("jobs")).unwrap().count()
    }

    async fn no_journals(&self) {
        for _ in 0..200 {
            if self.journals() == 0 {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("the journal still has {} jobs", self.journals());
    }

    async fn end(&mut self) -> (u64, String) {
        timeout(Duration::from_secs(20), self.ends.recv())
            .await
            .expect("a job ends")
            .unwrap()
    }
}

async fn serve(hub: Hub, at: &str) -> (JoinHandle<()>, SocketAddr) {
    let listener = tokio::net::TcpListener::bind(at).await.unwrap();
    let at = listener.local_addr().unwrap();
    let serve = tonic::transport::Server::builder()
        .add_service(AgentServiceServer::new(hub))
        .serve_with_incoming(TcpListenerStream::new(listener));
    (tokio::spawn(async move { serve.await.unwrap() }), at)
}

type Started = (
    JoinHandle<()>,
    watch::Sender<Script>,
    mpsc::UnboundedReceiver<(u64, String)>,
    CancellationToken,
);

fn policy() -> Policy {
    Policy {
        account: "333333333333".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        limits: Limits {
            stack_prefix: StackPrefix::proton(),
            regions: vec!["us-east-1".parse().unwrap()],
            contents: hadron_proto::vocab::ContentRules::default(),
            capabilities: Vec::new(),
            publishers: Vec::new(),
            signed_only: true,
            max_template_bytes: 1000,
            bundle_buckets: None,
        },
        roles: RoleLists {
            provisioning: vec![
                "arn:aws:iam::333333333333:role/hadron-provisioning"
                    .parse()
                    .unwrap(),
            ],
            ..RoleLists::default()
        },
    }
}

/// An agent on a runtime of its own, so that aborting it takes its jobs along, as the death of a process does.
fn start(at: SocketAddr, state: &std::path::Path, script: Script, dials: &Arc<AtomicUsize>) -> Started {
    let (script, scripts) = watch::channel(script);
    let (ended, ends) = mpsc::unbounded_channel();
    let drain = CancellationToken::new();
    let (dial, token, state) = (
        Plain {
            at,
            dials: Arc::clone(dials),
        },
        drain.clone(),
        state.to_owned(),
    );
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (journal, recovered) = Journal::open(&state).unwrap();
            let held = Held::default();
            let (setter, link) = Link::new(Jitter::default());
            let settings = Settings {
                capacity: 2.try_into().unwrap(),
                deadline: Duration::from_secs(60),
            };
            let worker = Scripted {
                script: scripts,
                ends: ended,
            };
            let (book, tasks) = (journal.clone(), Tasks::default());
            let runner = Runner::new(worker, policy(), book, held.clone(), link, settings, tasks);
            held.hand_over_again(recovered.unfinished);
            runner.deliver_again(recovered.unsent);
            let session = Session::new(dial, runner, held, journal, setter, token, Duration::from_secs(5));
            tokio::select! {
                () = session.run() => {}
                _ = stopped => {}
            }
        });
    });
    let agent = tokio::spawn(async move {
        // Dropped by abort: that ends the runtime, and with it everything that ran on it.
        let process = Process {
            stop: Some(stop),
            thread: Some(thread),
        };
        while process
            .thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
        {
            sleep(Duration::from_millis(5)).await;
        }
    });
    (agent, script, ends, drain)
}

struct Process {
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop.take();
        drop(self.thread.take().unwrap().join());
    }
}

// ---- the promises ------------------------------------------------------------------------------------------------

fn demanded(seen: &[Seen]) -> u32 {
    seen.iter()
        .map(|seen| if let Seen::Demand(jobs) = seen { *jobs } else { 0 })
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_demanded_taken_reported_and_forgotten() {
    let world = World::new(Script::Succeed).await;
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    world.hub.sees(Seen::Report(10)).await;
    // One job was taken and ended: room for one more.
    let seen = world.hub.until(|seen| demanded(seen) == 3).await;
    assert!(seen.contains(&Seen::Started(10)), "{seen:?}");
    world.no_journals().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_offers_than_asked_for_are_handed_back() {
    let world = World::new(Script::Wait).await;
    world.hub.sees(Seen::Demand(2)).await;
    for fence in [10, 20, 30] {
        world.hub.offer(fence);
    }
    let seen = world
        .hub
        .until(|seen| seen.iter().any(|seen| matches!(seen, Seen::Handover(..))))
        .await;
    assert!(
        seen.contains(&Seen::Handover(30, "the agent has no room".to_owned())),
        "{seen:?}"
    );
    assert_eq!(demanded(&seen), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_job_stops_and_is_not_spoken_of_again() {
    let mut world = World::new(Script::Wait).await;
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    world.hub.sees(Seen::Started(10)).await;
    world.hub.say(Heard::Lost(wire::Lost {
        tokens: vec![wire_token(token_of(10))],
        reason: "cancelled".to_owned(),
    }));
    assert_eq!(world.end().await, (10, "Err(Fenced)".to_owned()));
    let seen = world.hub.until(|seen| demanded(seen) == 3).await;
    assert!(
        !seen
            .iter()
            .any(|seen| matches!(seen, Seen::Handover(..) | Seen::Report(_))),
        "{seen:?}"
    );
    world.no_journals().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_goes_silent_fences_the_jobs() {
    let mut world = World::with_lease(Script::Wait, Duration::from_millis(900)).await;
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    world.hub.sees(Seen::Started(10)).await;
    world
        .hub
        .with(|state| (state.deaf, state.resume) = (true, Some(Vec::new())));
    assert_eq!(world.end().await, (10, "Err(Fenced)".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_survive_a_broken_stream() {
    let mut world = World::new(Script::Wait).await;
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    world.hub.sees(Seen::Started(10)).await;
    world.hub.break_stream();
    world.hub.sees(Seen::Hello(vec![10])).await;
    world.hub.until(|seen| demanded(seen) == 3).await;
    assert!(world.ends.try_recv().is_err());
    assert_eq!(world.dials.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_that_the_hub_does_not_resume_stop() {
    let mut world = World::new(Script::Wait).await;
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    world.hub.sees(Seen::Started(10)).await;
    world.hub.with(|state| state.resume = Some(Vec::new()));
    world.hub.break_stream();
    assert_eq!(world.end().await, (10, "Err(Fenced)".to_owned()));
    world.no_journals().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_sent_away_comes_back() {
    let world = World::new(Script::Wait).await;
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    world.hub.sees(Seen::Started(10)).await;
    let within = Duration::from_millis(100).try_into().ok();
    world.hub.say(Heard::GoAway(wire::GoAway {
        reason: "restart".to_owned(),
        reconnect_within: within,
    }));
    world.hub.sees(Seen::Hello(vec![10])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_waits_for_a_hub_that_is_down() {
    let mut world = World::new(Script::Succeed).await;
    world.hub.sees(Seen::Demand(2)).await;
    world.server.abort();
    let _ = (&mut world.server).await;
    world.hub.break_stream();
    world.hub.with(|state| state.seen.clear());
    while world.dials.load(Ordering::SeqCst) < 3 {
        sleep(Duration::from_millis(10)).await;
    }
    (world.server, _) = serve(world.hub.clone(), &world.at.to_string()).await;
    world.hub.sees(Seen::Hello(Vec::new())).await;
    world.hub.sees(Seen::Demand(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_repeated_until_it_is_acknowledged() {
    let world = World::new(Script::Succeed).await;
    world.hub.with(|state| {
        state.reports = vec![
            Status::unavailable("not yet"),
            Status::internal("oops"),
            Status::unknown("hm"),
        ];
    });
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    world.hub.sees(Seen::Report(10)).await;
    world.no_journals().await;
    assert_eq!(world.hub.with(|state| state.reported[&10]), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_survives_the_agents_death_and_is_delivered_once() {
    let mut world = World::new(Script::Succeed).await;
    world
        .hub
        .with(|state| state.reports = (0..1000).map(|_| Status::unavailable("not yet")).collect());
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    assert_eq!(world.end().await.0, 10);
    while world.hub.with(|state| state.reports.len()) > 999 {
        sleep(Duration::from_millis(10)).await;
    }
    world.kill_and_restart().await;
    world.hub.sees(Seen::Hello(vec![10])).await;
    world.hub.with(|state| state.reports.clear());
    world.hub.sees(Seen::Report(10)).await;
    world.no_journals().await;
    world.kill_and_restart().await;
    world.hub.sees(Seen::Hello(Vec::new())).await;
    assert_eq!(world.hub.with(|state| state.reported[&10]), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_report_is_dropped() {
    let world = World::new(Script::Succeed).await;
    world
        .hub
        .with(|state| state.reports = vec![Status::aborted("fence 11 is current")]);
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    let seen = world.hub.until(|seen| demanded(seen) == 3).await;
    assert!(!seen.contains(&Seen::Report(10)), "{seen:?}");
    world.no_journals().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_the_hub_cannot_take_becomes_a_failure() {
    let world = World::new(Script::Succeed).await;
    world
        .hub
        .with(|state| state.reports = vec![Status::invalid_argument("too many outputs")]);
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    world.hub.sees(Seen::Report(10)).await;
    world.no_journals().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_unfinished_jobs_are_handed_back_at_once() {
    let mut world = World::new(Script::Wait).await;
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    world.hub.sees(Seen::Started(10)).await;
    while std::fs::read_to_string(world.state.path().join(format!("jobs/{}.journal", job_id(10))))
        .unwrap()
        .lines()
        .count()
        < 2
    {
        sleep(Duration::from_millis(10)).await;
    }
    world.kill_and_restart().await;
    world.hub.sees(Seen::Hello(vec![10])).await;
    world
        .hub
        .sees(Seen::Handover(10, "create_change_set".to_owned()))
        .await;
    world.no_journals().await;
    // The hub leases it anew, and this agent takes it.
    world.hub.offer(11);
    world.hub.sees(Seen::Started(11)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_hands_jobs_over_and_ends() {
    let mut world = World::new(Script::Wait).await;
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    world.hub.sees(Seen::Started(10)).await;
    world.drain.cancel();
    assert_eq!(world.end().await, (10, "Err(Draining)".to_owned()));
    world.hub.sees(Seen::Handover(10, "draining".to_owned())).await;
    timeout(Duration::from_secs(4), &mut world.agent)
        .await
        .expect("ends before its limit")
        .unwrap();
    assert_eq!(world.journals(), 0);
    assert_eq!(demanded(&world.hub.with(|state| state.seen.clone())), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_does_not_stop_does_not_keep_the_agent_from_ending() {
    let mut world = World::new(Script::Stubborn).await;
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    world.hub.sees(Seen::Started(10)).await;
    world.drain.cancel();
    timeout(Duration::from_secs(15), &mut world.agent)
        .await
        .expect("ends at its limit")
        .unwrap();
    assert_eq!(world.journals(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_a_failed_job_and_nothing_more() {
    let world = World::new(Script::Panic).await;
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    world.hub.sees(Seen::Report(10)).await;
    world.script.send_replace(Script::Succeed);
    world.hub.offer(20);
    world.hub.sees(Seen::Report(20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_hubs_leave_nothing_is_done() {
    let mut world = World::new(Script::Act).await;
    world.hub.with(|state| {
        let fenced = Status::aborted("fence 21 is current");
        state.authorise = vec![Err(Status::unavailable("soon")), Ok(true), Ok(false), Err(fenced)];
    });
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    assert_eq!(world.end().await.1, "Ok(Granted)");
    world.hub.sees(Seen::Report(10)).await;
    world.end().await;
    world.hub.offer(20);
    assert_eq!(world.end().await.1, "Ok(Refused(\"cancelled\"))");
    world.hub.sees(Seen::Handover(20, "fenced".to_owned())).await;
    world.end().await;
    world.hub.offer(30);
    assert_eq!(world.end().await.1, "Err(Fenced(\"fence 21 is current\"))");
    assert_eq!(world.end().await, (30, "Err(Fenced)".to_owned()));
    world.no_journals().await;
    let seen = world.hub.with(|state| state.seen.clone());
    assert!(!seen.contains(&Seen::Report(30)), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_refuses_the_agent_is_told_from_one_that_is_away() {
    let world = World::new(Script::Wait).await;
    let link = {
        let (dial, (setter, link)) = (
            Plain {
                at: world.at,
                dials: Arc::default(),
            },
            Link::new(Jitter::default()),
        );
        setter.up(Client::new(dial.dial().await.unwrap()));
        (setter, link)
    };
    let ask = async |fence: u64, answer: Status| {
        world
            .hub
            .with(|state| state.authorise = (0..1_000).map(|_| Err(answer.clone())).collect());
        let held = Held::default();
        let until = Instant::now() + Duration::from_secs(1);
        let lease = held.take(token_of(fence), until).unwrap();
        let (hub, _post) = JobHub::new(link.1.clone(), held, lease, policy(), None);
        let act = Act::Delete {
            stack: STACK.parse().unwrap(),
        };
        hub.authorise(token_of(fence), act).await.unwrap_err()
    };
    let closed = "the agent's connection is not connected any more";
    assert_eq!(
        ask(10, Status::permission_denied(closed)).await,
        HubError::NotConnected(closed.to_owned())
    );
    let away = ask(20, Status::unavailable("not now")).await;
    assert!(matches!(away, HubError::Unavailable(_)), "{away:?}");
}

#[test]
fn what_the_hub_says_does_not_read_as_if_aws_had_said_it() {
    let closed = "the agent's connection is not connected any more";
    assert_eq!(
        words(&Status::permission_denied(closed)),
        format!("the hub refuses this agent: {closed}")
    );
    assert_eq!(
        words(&Status::unavailable("this hub is stopping")),
        "the hub says: this hub is stopping"
    );
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let broken = words(&Status::from_error(Box::new(broken)));
    assert!(broken.contains("connection reset"), "{broken}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_is_what_was_announced_or_nothing() {
    let mut world = World::new(Script::Fetch).await;
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    assert_eq!(world.end().await.1, format!("Ok({TEMPLATE:?})"));
    world.end().await;
    world
        .hub
        .with(|state| state.template = "Resources: []".to_owned());
    world.hub.offer(20);
    assert!(world.end().await.1.contains("not the one that it announced"));
    world.end().await;
    world.hub.with(|state| state.template = "x".repeat(5000));
    world.hub.offer(30);
    assert!(world.end().await.1.contains("more than the 13 bytes"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_local_policy_forbids_is_reported_without_being_begun() {
    let mut world = World::new(Script::Succeed).await;
    world.hub.sees(Seen::Demand(2)).await;
    let mut offer = world.hub.offer_of(10);
    offer.account_id = "444444444444".to_owned();
    world.hub.say(Heard::Offer(offer));
    world.hub.sees(Seen::Report(10)).await;
    let mut unreadable = world.hub.offer_of(20);
    unreadable.region = "nowhere".to_owned();
    world.hub.say(Heard::Offer(unreadable));
    world.hub.sees(Seen::Report(20)).await;
    assert!(world.ends.try_recv().is_err());
    assert!(convert::job(&world.hub.offer_of(30)).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_told_before_the_end() {
    let world = World::new(Script::Tell).await;
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(10);
    let seen = world.hub.until(|seen| seen.contains(&Seen::Report(10))).await;
    let at = |wanted: &Seen| seen.iter().position(|seen| seen == wanted);
    assert!(
        at(&Seen::Events(2)).is_some_and(|told| Some(told) < at(&Seen::Report(10))),
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_that_the_local_policy_forbids_fails_the_job_without_asking_the_hub() {
    let mut world = World::new(Script::Act).await;
    world.hub.sees(Seen::Demand(2)).await;
    world.hub.offer(90);
    let verdict = world.end().await.1;
    assert!(
        verdict.contains("Refused") && verdict.contains("'database'"),
        "{verdict}"
    );
    let seen = world.hub.until(|seen| seen.contains(&Seen::Report(90))).await;
    assert!(!seen.contains(&Seen::Authorise(90)), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_handed_over_in_chunks_until_the_hub_has_it() {
    let mut world = World::new(Script::Put).await;
    world.hub.sees(Seen::Demand(2)).await;
    world
        .hub
        .with(|state| state.contents = vec![Status::unavailable("not now")]);
    world.hub.offer(10);
    let (fence, put) = world.ends.recv().await.unwrap();
    assert_eq!((fence, put.as_str()), (10, "Ok(())"));
    let seen = world.hub.until(|seen| seen.contains(&Seen::Report(10))).await;
    let content = Seen::Content(10, 200_000, 64 * 1024);
    assert_eq!(seen.iter().filter(|one| **one == content).count(), 2, "{seen:?}");
    // Not the job's holder: the job is dropped.
    world
        .hub
        .with(|state| state.contents = vec![Status::aborted("another lease is current")]);
    world.hub.offer(20);
    let put = loop {
        if let (20, put) = world.ends.recv().await.unwrap() {
            break put;
        }
    };
    assert!(put.contains("Fenced"), "{put}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_of_a_later_release_is_understood_as_far_as_it_goes() {
    let world = World::new(Script::Succeed).await;
    world.hub.sees(Seen::Demand(2)).await;
    // A message, and a kind of work, that this agent does not know: what is unknown is not there.
    let unknown = wire::HubMessage { message: None };
    world
        .hub
        .with(|state| state.line.as_ref().unwrap().send(Ok(unknown)).unwrap());
    let later = wire::Offer {
        work: None,
        ..world.hub.offer_of(20)
    };
    world.hub.say(Heard::Offer(later));
    // It says that it cannot, and goes on with what it can.
    world.hub.sees(Seen::Report(20)).await;
    world.hub.offer(10);
    world.hub.sees(Seen::Report(10)).await;
    world.no_journals().await;
}

#[test]
fn a_hub_of_the_release_before_finds_all_that_it_asks_for() {
    let before = ["apply_stack", "destroy_stack", "revoke_stack", "set_pull_policy"];
    assert!(
        before.iter().all(|word| CAPABILITIES.contains(word)),
        "{CAPABILITIES:?}"
    );
    assert!(PROTOCOL.contains(&1));
}

/// What was to be given back when the stream closed is given back in the next session, all of it: found by the simulation,
/// where one of two such jobs stayed in the journal.
#[tokio::test]
async fn nothing_that_is_to_be_given_back_is_dropped_with_its_stream() {
    let state = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(state.path()).unwrap();
    let held = Held::default();
    let (setter, link) = Link::new(Jitter::default());
    let (_script, scripts) = watch::channel(Script::Wait);
    let (ended, _ends) = mpsc::unbounded_channel();
    let worker = Scripted {
        script: scripts,
        ends: ended,
    };
    let settings = Settings {
        capacity: 2.try_into().unwrap(),
        deadline: Duration::from_secs(60),
    };
    let runner = Runner::new(
        worker,
        policy(),
        journal.clone(),
        held.clone(),
        link,
        settings,
        Tasks::default(),
    );
    let dial = Plain {
        at: SocketAddr::from(([127, 0, 0, 1], 9)),
        dials: Arc::default(),
    };
    let none = CancellationToken::new();
    let session = Session::new(
        dial,
        runner,
        held.clone(),
        journal,
        setter,
        none,
        Duration::from_secs(5),
    );
    let tokens = [1, 2, 3].map(|fence| Token {
        job: job_id(fence),
        fence,
    });
    held.hand_over_again(tokens.map(|token| (token, "fenced".to_owned())));
    let (say, closed) = mpsc::channel(8);
    drop(closed);
    let now = Instant::now();
    let mut stream = Stream {
        say,
        lease: Duration::from_secs(30),
        every: Duration::from_secs(10),
        asked: 0,
        sequence: 0,
        unanswered: VecDeque::new(),
        proven: now,
        heard: now,
        proved: false,
        handing: Vec::new(),
        leaves: None,
    };
    assert!(session.tell(&mut stream).is_err(), "nobody hears it");
    let handing: Vec<Token> = stream.handing.iter().map(|(_, token, _)| *token).collect();
    assert_eq!(handing, tokens);
}
