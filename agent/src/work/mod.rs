//! What is done to stacks and policies, and in which order.
//!
//! `CloudFormation` knows no fencing token, so an agent that lost its lease and does not know it must be kept from
//! doing harm by the order of things. The rules, each of which has a test:
//!
//! 1. Stacks change only by change sets, made, shown to the hub, executed by ARN. An unexecuted change set is a
//!    capability that can be taken away: executing one deletes the others, and one that was deleted cannot be executed.
//! 2. Every attempt, of a cancellation too, begins by deleting the change sets that Hadron left on the stack, whoever made
//!    them, and only then looks at the stack. After that no earlier attempt can change it any more, and what is seen stays
//!    true. A name counts as free after two looks; the very first attempt at a first creation takes one, since `CREATE`
//!    is refused where a stack exists, and where two change sets of one empty stack meet, executing one deletes the other.
//! 3. The hub gives leave for the one irrevocable call ([`Hub::authorise`]) only to the present holder of the lease.
//! 4. What was executed is found again by the deployment's token on the stack's events, never by memory: a second attempt
//!    of the same deployment reports what the first one did, good or bad. The content is a deployment's if its token is on
//!    the newest operation. Tags tell only whose stack it is, and never change: every resource inherits them.
//! 5. A deletion cannot be taken back, so leave for it condemns the stack in the hub; it is always by ARN.
//!
//! Events can be late, and a stack that was changed and is at rest again may look untouched. Where the described state and
//! the newest event differ, or this deployment's change set is listed as executed, looks are repeated for
//! [`Settings::settle`]. What is left is an execution that ended in the state in which the stack was before, with no event
//! in sight: a second attempt's change set then has no changes, which is success; if the first was rolled back, AWS refuses
//! the token's second use; and a cancellation, which looks twice [`Settings::missing_gap`] apart, could call a deployment
//! without effect that had one. The same goes for traces that lie under 500 newer events of others.
//!
//! One call has no fence: taking back an update that runs. An agent that stalls between looking and asking can take back
//! the update of a newer deployment. So it is asked for only right after a look that showed this deployment's operation,
//! and never repeated without another look; what remains ends as an honest failure of the newer deployment, with the
//! stack as it was before it.
//!
//! Policies of ECR have neither change sets nor versions to compare. They are merged, written and read back until what is
//! read is what is wanted; doing that twice is doing it once.
//!
//! A stack that is inspected loses the change sets of Hadron's that nobody has executed, and nothing else happens to it.
//!
//! A bundle that is fetched changes nothing in AWS; the hub keeps what was handed over last, and believes only the report
//! under the latest fence.
//!
//! Calls of AWS for one deployment that nothing goes wrong with, apart from looking while something runs: at most 9
//! (list change sets, describe, first events, create and describe the change set, execute, list resources; with a long
//! template two calls of S3). Looking: one call per look at a change set, two per look at a stack, and looks are
//! 250 ms apart at first and at most 5 s later on.
//!
//! Start reading at [`apply_stack`], then [`decide`] (which action follows from which state; a table that is checked in)
//! and `policy` (the algebra of statements).

mod apply_stack;
mod attempt;
mod change_set;
pub mod decide;
mod destroy_stack;
mod events;
mod fetch_bundle;
mod inspect_stack;
pub mod names;
mod observe;
pub mod policy;
mod put_checkpoints;
mod put_events;
mod revoke_stack;
mod set_pull_policy;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hadron_proto::vocab::RoleArn;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::Instrument as _;

use crate::aws::{Account, Backoff, Leave, Pace};
use crate::job::{Hub, Job, Outcome, RoleKind, Stopped, Token, Work};

use attempt::{Attempt, Halt};

/// Does what the job asks for, or finds out that it was done already, and tells what is true in the end. Cheap to drop
/// at any point: the next attempt starts from what AWS shows.
///
/// # Errors
///
/// [`Stopped`] when the job was left unfinished; there is nothing to report then.
pub async fn perform<A: Account, H: Hub, J: StepLog>(
    job: &Job,
    account: &A,
    hub: &H,
    log: &J,
    stop: &Stop,
    settings: &Settings,
) -> Result<Outcome, Stopped> {
    let deployment = job.deployment.map(|id| id.to_string()).unwrap_or_default();
    let span = tracing::info_span!(
        "work", job.id = %job.token.job, job.attempt = job.attempt, deployment.id = %deployment,
        account = %job.account, region = %job.region
    );
    let attempt = Attempt::new(job, account, hub, log, stop, settings);
    let work = async {
        let end = match &job.work {
            Work::ApplyStack(work) => apply_stack::run(&attempt, work).await,
            Work::DestroyStack(work) => destroy_stack::run(&attempt, work).await,
            Work::RevokeStack(work) => revoke_stack::run(&attempt, work).await,
            Work::SetPullPolicy(work) => set_pull_policy::run(&attempt, work).await,
            Work::PutEvents(work) => put_events::run(&attempt, work).await,
            Work::PutCheckpoints(work) => put_checkpoints::run(&attempt, work).await,
            Work::FetchBundle(work) => fetch_bundle::run(&attempt, work).await,
            Work::InspectStack(work) => inspect_stack::run(&attempt, work).await,
        };
        match end {
            Ok(outcome) => {
                tracing::info!("Job ended");
                Ok(outcome)
            }
            Err(Halt::Failed(failure)) => {
                tracing::warn!(failure.kind = ?failure.kind, "Job failed");
                Ok(Outcome::Failed(attempt.complete(*failure)))
            }
            Err(Halt::Stopped(why)) => {
                tracing::info!(why = ?why, "Job left unfinished");
                attempt.take_back(why).await;
                Err(why)
            }
        }
    };
    // The state machine of a whole deployment is large; it lives on the heap, not in every caller's future.
    Box::pin(work.instrument(span)).await
}

/// What the runner says about a job in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Running,
    Draining,
    Fenced,
}

/// The runner's side of [`Stop`].
#[derive(Debug)]
pub struct Brake(watch::Sender<Order>);

impl Brake {
    /// The lease is lost: nothing may be changed in AWS any more, except taking back what was prepared.
    pub fn fence(&self) {
        self.raise(Order::Fenced);
    }

    /// The agent is to end: finish the call in hand and leave the rest to the next attempt.
    pub fn drain(&self) {
        self.raise(Order::Draining);
    }

    fn raise(&self, order: Order) {
        self.0.send_if_modified(|now| {
            let more = order > *now;
            if more {
                *now = order;
            }
            more
        });
    }
}

/// Whether the job may go on. Looked at before every change in AWS and while waiting; never goes back to running.
#[derive(Clone, Debug)]
pub struct Stop {
    orders: watch::Receiver<Order>,
    lease: Leave,
}

impl Stop {
    /// A job that may run, and the brake for it.
    #[must_use]
    pub fn new() -> (Brake, Self) {
        Self::under(Leave::new(|| true))
    }

    /// The same for a job that may run only while its lease holds. Whoever pulls the brake when the lease is over may
    /// come too late: a process that was stopped and goes on does not say which of its tasks runs first.
    #[must_use]
    pub fn under(lease: Leave) -> (Brake, Self) {
        let (sender, orders) = watch::channel(Order::Running);
        (Brake(sender), Self { orders, lease })
    }

    /// Whether the job may go on.
    ///
    /// # Errors
    ///
    /// Why it may not.
    pub fn check(&self) -> Result<(), Stopped> {
        match *self.orders.borrow() {
            Order::Fenced => Err(Stopped::Fenced),
            Order::Running | Order::Draining if !self.lease.given() => Err(Stopped::Fenced),
            Order::Running => Ok(()),
            Order::Draining => Err(Stopped::Draining),
        }
    }

    /// Leave for calls of AWS that are on their way: until the lease is over.
    pub(crate) fn leave(&self) -> Leave {
        let (orders, lease) = (self.orders.clone(), self.lease.clone());
        Leave::new(move || *orders.borrow() != Order::Fenced && lease.given())
    }

    /// Waits, but not longer than the job may go on.
    ///
    /// # Errors
    ///
    /// Why it may not go on.
    pub async fn sleep(&self, wait: Duration) -> Result<(), Stopped> {
        let mut orders = self.orders.clone();
        let stopped = async move {
            // A brake that was dropped can no longer be pulled: the job runs on.
            if orders.wait_for(|order| *order != Order::Running).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = stopped => {}
            () = tokio::time::sleep(wait) => {}
        }
        self.check()
    }
}

/// A change that is about to be made. Written to disk before it is made, so that a person (and the next process) can see
/// what may have happened; never needed to go on, because everything is found again in AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Make the bucket for templates.
    CreateBucket {
        /// The bucket.
        bucket: String,
    },
    /// Store a template.
    PutTemplate {
        /// The bucket.
        bucket: String,
        /// The object.
        key: String,
    },
    /// Make a change set.
    CreateChangeSet {
        /// The stack's name or ARN.
        stack: String,
        /// The change set's name.
        name: String,
    },
    /// Delete a change set that nobody is to execute any more.
    DeleteChangeSet {
        /// The change set's ARN, or its name while no ARN is known.
        change_set: String,
    },
    /// Ask the hub for leave to execute this change set.
    AuthoriseExecute {
        /// The change set's ARN.
        change_set: String,
    },
    /// Ask the hub for leave to delete this stack.
    AuthoriseDelete {
        /// The stack's ARN.
        stack: String,
    },
    /// Execute a change set.
    ExecuteChangeSet {
        /// The change set's ARN.
        change_set: String,
        /// Stands on the events of the operation.
        token: String,
    },
    /// Delete a stack.
    DeleteStack {
        /// The stack's ARN.
        stack: String,
        /// Stands on the events of the operation.
        token: String,
    },
    /// Ask for an update to be taken back.
    CancelUpdate {
        /// The stack's ARN.
        stack: String,
        /// Stands on the events of the operation.
        token: String,
    },
    /// Try again to take an update back.
    ContinueRollback {
        /// The stack's ARN.
        stack: String,
        /// Stands on the events of the operation.
        token: String,
    },
    /// Take back an update that failed with rollback disabled.
    RollBack {
        /// The stack's ARN.
        stack: String,
        /// Stands on the events of the operation.
        token: String,
    },
    /// Replace a repository's policy.
    SetPolicy {
        /// The repository.
        repository: String,
    },
    /// Delete a repository's policy.
    DeletePolicy {
        /// The repository.
        repository: String,
    },
    /// Replace the registry's policy.
    SetRegistryPolicy,
    /// Delete the registry's policy.
    DeleteRegistryPolicy,
    /// Put events onto a bus.
    PutEvents {
        /// The bus.
        bus: String,
    },
    /// Put checkpoints of an audit log into a bucket.
    PutCheckpoints {
        /// The object, as `s3://bucket/key`.
        object: String,
    },
}

/// The journal. On disk when [`StepLog::step`] returns.
pub trait StepLog: Send + Sync {
    /// Writes the step down.
    ///
    /// # Errors
    ///
    /// When it is not on disk. The step is not taken then, and the job is handed over ([`Stopped::Draining`]).
    fn step(&self, token: Token, step: &Step) -> std::io::Result<()>;
}

/// How often to look at something that takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Before the second look.
    pub first: Duration,
    /// Between looks at something that takes long.
    pub most: Duration,
}

impl Poll {
    /// The wait that follows a wait: half as long again.
    #[must_use]
    pub fn after(&self, wait: Duration) -> Duration {
        wait.saturating_mul(3)
            .checked_div(2)
            .unwrap_or(wait)
            .clamp(self.first, self.most)
    }
}

/// Roles for jobs that name none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultRoles {
    /// For environments and service instances.
    pub provisioning: Option<RoleArn>,
    /// For pipelines.
    pub pipeline: Option<RoleArn>,
    /// For components.
    pub component: Option<RoleArn>,
}

impl DefaultRoles {
    /// The role for this kind of stack.
    #[must_use]
    pub const fn of(&self, kind: RoleKind) -> Option<&RoleArn> {
        match kind {
            RoleKind::Provisioning => self.provisioning.as_ref(),
            RoleKind::Pipeline => self.pipeline.as_ref(),
            RoleKind::Component => self.component.as_ref(),
        }
    }
}

/// How the work is done. One value for all jobs of an agent, since they share [`Settings::pace`] and
/// [`Settings::registry_turn`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most that one attempt may take.
    pub deadline: Duration,
    /// The most to wait for somebody else's operation on the stack.
    pub foreign_wait: Duration,
    /// Between the two reads after which a name counts as free.
    pub missing_gap: Duration,
    /// How long AWS may take to show what it accepted.
    pub settle: Duration,
    /// How often to look.
    pub poll: Poll,
    /// How long to wait before a call is repeated.
    pub backoff: Backoff,
    /// How often a call is repeated that was answered unreadably or with expired credentials. Throttled calls and calls
    /// without an answer are repeated until the deadline.
    pub tries: u32,
    /// How many change sets may be taken away from one attempt before it gives up.
    pub plans: u32,
    /// How often a policy is written before giving up against another writer.
    pub policy_rounds: u32,
    /// Roles for jobs that name none.
    pub roles: DefaultRoles,
    /// Grant pulls in the registry's policy as well. Pulls need only the repository's policy; off unless asked for.
    pub registry_policy: bool,
    /// The bucket that all calls of this agent share.
    pub pace: Arc<Pace>,
    /// Held by the one job of this agent that reads and writes the registry's policy.
    pub registry_turn: Arc<tokio::sync::Mutex<()>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(2 * 3600),
            foreign_wait: Duration::from_secs(2 * 3600),
            missing_gap: Duration::from_secs(5),
            settle: Duration::from_secs(60),
            poll: Poll {
                first: Duration::from_millis(250),
                most: Duration::from_secs(5),
            },
            backoff: Backoff {
                first: Duration::from_millis(200),
                most: Duration::from_secs(20),
            },
            tries: 10,
            plans: 5,
            policy_rounds: 5,
            roles: DefaultRoles::default(),
            registry_policy: false,
            pace: Arc::new(Pace::default()),
            registry_turn: Arc::default(),
        }
    }
}

/// A call of AWS that may be repeated.
trait Call<T>: Fn() -> Self::Running + Send + Sync {
    /// The call under way.
    type Running: Future<Output = crate::aws::Answer<T>> + Send;
}

impl<T, F, R> Call<T> for F
where
    F: Fn() -> R + Send + Sync,
    R: Future<Output = crate::aws::Answer<T>> + Send,
{
    type Running = R;
}
