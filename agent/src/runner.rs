//! One task per job: from the offer to the acknowledged report.
//!
//! A job's task ends in exactly one of three ways. It has an outcome: the outcome goes to the journal, then to the hub,
//! however long that takes, and only then is the job forgotten. It was stopped while the job is still this agent's: the
//! job is handed over. The job is no longer this agent's: it is forgotten, and nothing is said about it.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use hadron_proto::vocab::JobId;
use hadron_proto::{trace, wire};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, debug, error, info, info_span, warn};

use crate::aws::Leave;
use crate::convert;
use crate::job::{Failure, FailureKind, Job, Outcome, Stopped, Token, Work};
use crate::journal::Journal;
use crate::limits::Policy;
use crate::session::{Announced, Delivery, Held, JobHub, Lease, Link, Over};
use crate::work::Stop;

/// How long a job that lost its lease may take to tidy up before it is dropped where it is.
const FENCED_GRACE: Duration = Duration::from_secs(10);
/// How long a report waits for the job's last events to be sent.
const EVENTS_GRACE: Duration = Duration::from_secs(5);
/// How long no job is asked for after the journal could not be written.
const JOURNAL_REST: Duration = Duration::from_secs(30);

/// Does the work of a job. The real one acts on AWS; those of tests do what the test wants.
pub trait Worker: Send + Sync + 'static {
    /// Does it. Dropped where it is when it takes too long, or when it goes on after it was told to stop.
    fn perform(&self, job: Job, desk: Desk) -> impl Future<Output = Result<Outcome, Stopped>> + Send;
}

/// What a job has at hand while it works.
#[derive(Debug)]
pub struct Desk {
    /// The hub.
    pub hub: JobHub,
    /// Where steps are noted.
    pub journal: Journal,
    /// Whether to stop.
    pub stop: Stop,
}

/// How much, how long.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Jobs at once.
    pub capacity: NonZeroUsize,
    /// How long a job may take. The work has a deadline of its own and ends with more to say; this one is for work that
    /// does not keep it.
    pub deadline: Duration,
}

/// Where the tasks of jobs run.
#[derive(Clone)]
pub struct Tasks(Arc<dyn Fn(BoxFuture<'static, ()>) + Send + Sync>);

impl Tasks {
    /// Somewhere else than on the runtime of whoever begins them.
    #[must_use]
    pub fn on(spawn: impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(spawn))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        (self.0)(Box::pin(task));
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::on(|task| drop(tokio::spawn(task)))
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").finish_non_exhaustive()
    }
}

/// What became of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is in the journal and under way.
    Started(Token),
    /// It has to be handed back.
    HandBack(Token, String),
    /// It is under way already, or not even its token can be read.
    Ignored,
}

/// All jobs of this agent.
#[derive(Debug)]
pub struct Runner<W> {
    shared: Arc<Shared<W>>,
}

impl<W> Clone for Runner<W> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

#[derive(Debug)]
struct Shared<W> {
    worker: W,
    policy: Policy,
    journal: Journal,
    held: Held,
    link: Link,
    settings: Settings,
    tasks: Tasks,
    draining: CancellationToken,
    /// Two leases of one job never work at the same time, though the second may come before the first has stopped.
    lanes: Mutex<HashMap<JobId, Arc<tokio::sync::Mutex<()>>>>,
    rests_until: Mutex<Option<Instant>>,
}

enum End {
    Done(Outcome),
    /// Stopped, or dropped since it did not stop.
    Stopped(Stopped),
}

impl<W: Worker> Runner<W> {
    /// A runner without jobs.
    #[must_use]
    pub fn new(
        worker: W,
        policy: Policy,
        journal: Journal,
        held: Held,
        link: Link,
        settings: Settings,
        tasks: Tasks,
    ) -> Self {
        let shared = Shared {
            worker,
            policy,
            journal,
            held,
            link,
            settings,
            tasks,
            draining: CancellationToken::new(),
            lanes: Mutex::default(),
            rests_until: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// How many more jobs the agent has room for. Unacknowledged reports take room: a hub that takes no reports gives no
    /// work either.
    #[must_use]
    pub fn room(&self) -> usize {
        let resting = *self
            .shared
            .rests_until
            .lock()
            .expect("nothing panics while it holds this");
        if self.shared.draining.is_cancelled() || resting.is_some_and(|until| Instant::now() < until) {
            return 0;
        }
        self.shared
            .settings
            .capacity
            .get()
            .saturating_sub(self.shared.held.count())
    }

    /// Takes an offer whose lease ends at `until`.
    #[must_use]
    pub fn offer(&self, offer: &wire::Offer, until: Instant) -> Taken {
        let token = match convert::token(offer.token.as_ref()) {
            Ok(token) => token,
            Err(error) => {
                warn!(%error, "Ignored an offer without a readable token");
                return Taken::Ignored;
            }
        };
        let shared = &self.shared;
        if shared.draining.is_cancelled() {
            return Taken::HandBack(token, "the agent drains".to_owned());
        }
        if shared.held.count() >= shared.settings.capacity.get() {
            return Taken::HandBack(token, "the agent has no room".to_owned());
        }
        let Some(lease) = shared.held.take(token, until) else {
            return Taken::Ignored;
        };
        let job = convert::job(offer);
        hadron_proto::fault::point("C11");
        if let Ok(job) = &job
            && let Err(error) = shared.journal.accept(job)
        {
            error!(job.id = %token.job, %error, "Cannot write the journal, so no job is begun");
            let until = Instant::now() + JOURNAL_REST;
            *shared
                .rests_until
                .lock()
                .expect("nothing panics while it holds this") = Some(until);
            shared.tasks.spawn(wake(shared.held.clone(), until));
            shared.held.release(token);
            return Taken::HandBack(token, format!("the agent cannot write its journal: {error}"));
        }
        let span = span(offer, token);
        let place = (offer.account_id.as_str(), offer.region.as_str());
        let work = job
            .as_ref()
            .map_or("unknown", |job| convert::capability(&job.work));
        let id = token.job.to_string();
        let trace = trace::job(&offer.traceparent, work, &id, &offer.deployment_id, place);
        let task = Arc::clone(shared);
        // Large, and moved more than once: in a box.
        let supervise = Box::pin(async move {
            match job {
                Ok(job) => task.supervise(job, lease).await,
                Err(error) => {
                    task.report(token, failed(FailureKind::Other, error.to_string()))
                        .await
                }
            }
        });
        shared.tasks.spawn(supervise.instrument(span).instrument(trace));
        Taken::Started(token)
    }

    /// Goes on with delivering the reports of an earlier process.
    pub fn deliver_again(&self, unsent: Vec<(Token, wire::ReportRequest)>) {
        for (token, report) in unsent {
            // The lease is probably over; the hub decides whether the report still counts.
            if self.shared.held.take(token, Instant::now()).is_some() {
                let task = Arc::clone(&self.shared);
                let span = info_span!("job", job.id = %token.job);
                self.shared
                    .tasks
                    .spawn(async move { task.deliver(token, report).await }.instrument(span));
            }
        }
    }

    /// Tells every job to stop at the next place where it can, and takes no more.
    pub fn drain(&self) {
        self.shared.draining.cancel();
        self.shared.held.touch();
    }
}

async fn wake(held: Held, at: Instant) {
    sleep_until(at).await;
    held.touch();
}

fn span(offer: &wire::Offer, token: Token) -> Span {
    info_span!(
        "job",
        job.id = %token.job,
        job.attempt = offer.attempt,
        job.label = %offer.label,
        deployment.id = %offer.deployment_id,
        account = %offer.account_id,
        region = %offer.region,
    )
}

fn failed(kind: FailureKind, message: String) -> Outcome {
    Outcome::Failed(Failure {
        kind,
        message,
        stack: None,
        stack_status: None,
        resources: Vec::new(),
    })
}

impl<W: Worker> Shared<W> {
    async fn supervise(self: Arc<Self>, job: Job, lease: Lease) {
        let token = job.token;
        let lane = self.lane(token.job);
        let turn = lane.lock().await;
        let what = convert::capability(&job.work);
        let began = Instant::now();
        info!(
            job.work = what,
            job.fence = token.fence,
            counter.jobs_started = 1,
            "Took the job"
        );
        let end = match self.policy.admit(job) {
            Ok(job) => self.perform(job, &lease).await,
            Err(refusal) => {
                warn!(refusal = %refusal.message, "The local policy forbids the job");
                End::Done(Outcome::Failed(*refusal))
            }
        };
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match end {
            End::Done(outcome) => {
                info!(
                    outcome = name(&outcome),
                    duration_ms = took,
                    counter.jobs_finished = 1,
                    "Finished the job"
                );
                self.report(token, outcome).await;
            }
            End::Stopped(stopped) => {
                info!(why = ?stopped, duration_ms = took, counter.jobs_stopped = 1, "Left the job unfinished");
                self.give_up(token, &lease, stopped);
            }
        }
        drop(turn);
        self.leave(token.job, lane);
    }

    fn lane(&self, job: JobId) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(
            self.lanes
                .lock()
                .expect("nothing panics while it holds the lanes")
                .entry(job)
                .or_default(),
        )
    }

    fn leave(&self, job: JobId, lane: Arc<tokio::sync::Mutex<()>>) {
        let mut lanes = self
            .lanes
            .lock()
            .expect("nothing panics while it holds the lanes");
        drop(lane);
        if lanes.get(&job).is_some_and(|lane| Arc::strong_count(lane) == 1) {
            lanes.remove(&job);
        }
    }

    /// Works until there is an end, whatever the job does.
    async fn perform(&self, job: Job, lease: &Lease) -> End {
        let token = job.token;
        let announced = match &job.work {
            Work::ApplyStack(apply) => Some(Announced {
                digest: apply.template_digest,
                bytes: apply.template_bytes,
                has_source: apply.has_source,
            }),
            Work::DestroyStack(_)
            | Work::RevokeStack(_)
            | Work::SetPullPolicy(_)
            | Work::PutEvents(_)
            | Work::PutCheckpoints(_)
            | Work::FetchBundle(_)
            | Work::InspectStack(_) => None,
        };
        let (hub, post) = JobHub::new(
            self.link.clone(),
            self.held.clone(),
            lease.clone(),
            self.policy.clone(),
            announced,
        );
        // Beside the work, so that it lives no longer than the job.
        let mut posting = std::pin::pin!(AssertUnwindSafe(post.run()).catch_unwind().map(drop));
        let mut posted = false;
        let forbidden = hub.forbidden();
        let (brake, stop) = Stop::under(Leave::new({
            let lease = lease.clone();
            move || lease.holds()
        }));
        let desk = Desk {
            hub,
            journal: self.journal.clone(),
            stop,
        };
        let end = {
            let work = AssertUnwindSafe(self.worker.perform(job, desk)).catch_unwind();
            let mut work = Box::pin(work);
            let mut deadline = std::pin::pin!(sleep(self.settings.deadline));
            let mut over = std::pin::pin!(lease.over());
            let (mut fenced, mut told) = (None, false);
            loop {
                tokio::select! {
                    // Who has to stop is told before going on.
                    biased;
                    over = &mut over, if fenced.is_none() => {
                        warn!(?over, "The lease is over, the job stops");
                        // For good: a late renewal must not wake a job that is stopping.
                        self.held.lose(token, over);
                        brake.fence();
                        fenced = Some(Instant::now() + FENCED_GRACE);
                    }
                    () = self.draining.cancelled(), if !told => {
                        told = true;
                        brake.drain();
                    }
                    done = &mut work => break match done {
                        Ok(Ok(outcome)) => End::Done(outcome),
                        Ok(Err(stopped)) => End::Stopped(stopped),
                        Err(panic) => End::Done(panicked(&*panic)),
                    },
                    () = &mut posting, if !posted => posted = true,
                    () = &mut deadline => {
                        let message = format!("the job took longer than {:?} (limits.job_deadline); see the stack's \
                            events for what it waits for", self.settings.deadline);
                        break End::Done(failed(FailureKind::Deadline, message));
                    }
                    () = sleep_until(fenced.unwrap_or_else(Instant::now)), if fenced.is_some() => {
                        warn!("The job did not stop in time and is dropped where it is");
                        break End::Stopped(Stopped::Fenced);
                    }
                }
            }
        };
        if !posted {
            // What is left then is not told any more.
            let _ = timeout(EVENTS_GRACE, posting).await;
        }
        match (end, forbidden.get()) {
            (End::Stopped(_), Some(failure)) => End::Done(Outcome::Failed(failure.clone())),
            (end, _) => end,
        }
    }

    /// The job was not finished. Hand it over if it may still be this agent's.
    fn give_up(&self, token: Token, lease: &Lease, stopped: Stopped) {
        let lost = matches!(lease.over().now_or_never(), Some(Over::Lost(_)));
        if lost {
            self.forget(token);
            self.held.release(token);
        } else {
            let step = match stopped {
                Stopped::Fenced => "fenced",
                Stopped::Draining => "draining",
                Stopped::HubUnavailable => "hub unavailable",
                Stopped::NotConnected => "connection not connected",
            };
            // The journal keeps it until the hub has certainly heard of it.
            self.held.hand_over(token, step.to_owned());
        }
    }

    async fn report(&self, token: Token, outcome: Outcome) {
        let report = convert::report(token, outcome);
        hadron_proto::fault::point("C29");
        if let Err(error) = self.journal.ended(token, &report) {
            // Who takes the job after a crash now finds out again what is true; nothing is lost but time.
            error!(%error, "Cannot write the outcome to the journal; it is kept in memory until the hub has it");
        }
        hadron_proto::fault::point("C30");
        self.deliver(token, report).await;
    }

    async fn deliver(&self, token: Token, report: wire::ReportRequest) {
        let mut delivery = self.link.deliver(&report).await;
        if let Delivery::Refused(reason) = &delivery {
            error!(%reason, "The hub refuses the report as it is; the job is reported as failed instead");
            let message = format!("the job ended, but the hub refused the agent's report: {reason}");
            let instead = convert::report(token, failed(FailureKind::Other, message));
            delivery = self.link.deliver(&instead).await;
        }
        match delivery {
            Delivery::Acknowledged => debug!(counter.reports_acknowledged = 1, "The hub has the report"),
            Delivery::Stale(reason) => {
                info!(%reason, counter.reports_stale = 1, "The report is stale: somebody else has the job now");
            }
            Delivery::Refused(reason) => {
                error!(%reason, "The hub refuses even the report that the job failed")
            }
        }
        hadron_proto::fault::point("C31");
        self.forget(token);
        hadron_proto::fault::point("C34");
        self.held.release(token);
    }

    fn forget(&self, token: Token) {
        if let Err(error) = self.journal.forget(token) {
            warn!(job.id = %token.job, %error, "Cannot delete the job from the journal");
        }
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Outcome {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    error!(panic = %text, counter.jobs_panicked = 1, "The job's task panicked; this is a bug of the agent");
    failed(
        FailureKind::Other,
        format!("the agent failed inside ({text}); this is a bug of the agent, please report it"),
    )
}

const fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Applied { .. } => "applied",
        Outcome::Gone { .. } => "gone",
        Outcome::Revoked { .. } => "revoked",
        Outcome::PullPolicySet { .. } => "pull_policy_set",
        Outcome::EventsPut { .. } => "events_put",
        Outcome::CheckpointsPut { .. } => "checkpoints_put",
        Outcome::BundleFetched { .. } => "bundle_fetched",
        Outcome::Inspected(_) => "inspected",
        Outcome::Failed(_) => "failed",
    }
}
