//! Deployments: one attempt to make one target true or gone.
//!
//! `Intent` and `Phase` are the state. Proton's eight words are a view of it ([`Deployment::word`]) and are never stored as
//! the truth. Cancelling follows the model-checked protocol: whoever works on the deployment loses the job, and a second
//! job (`Work::Revoke`) makes sure that its change set can never be executed before anybody says CANCELLED.

use std::collections::BTreeSet;

use hadron_proto::fault::{Bug, bug};
use hadron_proto::vocab::{DeploymentId, JobId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::grant::Repository;
use crate::principal::Signed;
use crate::step::{Machine, Step};

/// What a deployment is to achieve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Make the target true.
    Apply,
    /// Make the target gone.
    Destroy,
}

/// What a job of a deployment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Create or update the stack.
    Apply,
    /// Delete the stack.
    Destroy,
    /// Take away what a cancelled deployment could still do: every change set of ours on the stack, those of earlier
    /// deployments included, since a stack that looks empty is deleted afterwards.
    Revoke,
}

/// One attempt to make one target true or gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// What it is to achieve.
    pub intent: Intent,
    /// Where it stands.
    pub phase: Phase,
}

/// Where a deployment stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Waits for pull grants that its tasks will need.
    Waiting {
        /// Repositories whose policies do not yet let the target's account pull.
        grants: BTreeSet<Repository>,
    },
    /// A job does it.
    Running {
        /// The job.
        job: JobId,
        /// An agent has had it: from here on something may exist that has to be revoked.
        taken: bool,
        /// The one irrevocable act that the hub has allowed.
        authorised: Option<Authorised>,
    },
    /// Somebody cancelled it; a second job takes away what it could still do.
    Cancelling {
        /// The revoking job.
        job: JobId,
        /// Who cancelled.
        asked: Signed,
    },
    /// Nothing happens any more.
    Ended {
        /// How it ended.
        how: Ending,
        /// When.
        at: Timestamp,
    },
}

/// An act that cannot be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Authorised {
    /// Execution of this change set, by ARN.
    Execute(String),
    /// Deletion of this stack, by ARN: the stack is condemned.
    Delete(String),
}

/// How a deployment ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The target is as intended.
    Succeeded,
    /// It is not; the text says why.
    Failed(String),
    /// It was not applied and never will be.
    Cancelled,
}

/// What may happen to a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentInput {
    /// All grants that it waited for are applied (or are known not to matter); here is the job that shall do it.
    Ready {
        /// The job to enqueue.
        job: JobId,
    },
    /// A grant that it needs cannot be applied.
    GrantBlocked {
        /// Why.
        why: String,
        /// When.
        at: Timestamp,
    },
    /// An agent took its job.
    Taken {
        /// The job that was taken.
        job: JobId,
    },
    /// The agent asks for leave for an irrevocable act.
    Authorise {
        /// The asking job; its fence was checked before.
        job: JobId,
        /// The act.
        act: Authorised,
    },
    /// Somebody cancels.
    Cancel {
        /// Who.
        by: Signed,
        /// The job that will revoke, should one be needed.
        revoke: JobId,
    },
    /// The job ended well.
    Done {
        /// The job.
        job: JobId,
        /// What it made true.
        what: Done,
        /// When.
        at: Timestamp,
    },
    /// The job did not end well, or nobody waits for it any longer (a deadline, a connection that is gone).
    Failed {
        /// The job.
        job: JobId,
        /// Why.
        why: String,
        /// When.
        at: Timestamp,
    },
}

/// What a job made true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The stack is what the template says.
    Applied,
    /// The stack is gone.
    Gone,
    /// The change set is gone and was never executed.
    Revoked,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentEffect {
    /// Give this job to the agent.
    Enqueue(JobId, Work),
    /// Take this job back from whoever holds it; nothing to do when it has ended.
    VoidJob(JobId),
    /// The deployment has ended: free the target, record the state, feed services and grants.
    Ended(Ending),
    /// The stack with this ARN may be deleted at any moment from now on; nothing later may build on it. May be said twice.
    Condemn(String),
}

/// Why it is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeploymentRefusal {
    /// It has ended.
    #[error("the deployment has already ended")]
    Ended,
    /// Its deletion is under way.
    #[error("the deletion has passed the point of no return and cannot be cancelled")]
    Condemned,
    /// It is being cancelled.
    #[error("the deployment is being cancelled")]
    Cancelling,
    /// Another job works for the deployment.
    #[error("job {0} does not work for this deployment any more")]
    OtherJob(JobId),
    /// The deployment does not wait for anything.
    #[error("the deployment is already running")]
    Running,
    /// The deployment waits for grants, so no job of it can exist.
    #[error("the deployment has not begun")]
    NotBegun,
    /// A deletion executes no change set: its cancellation relies on that.
    #[error("a deployment that deletes may not execute a change set")]
    NotToExecute,
    /// The outcome does not fit the intent.
    #[error("a job cannot end as {what:?} when the intent is {intent:?}")]
    Nonsense {
        /// What was said.
        what: Done,
        /// What was intended.
        intent: Intent,
    },
}

impl Deployment {
    /// A new deployment that begins with `job` at once, or waits for grants first.
    #[must_use]
    pub fn begin(
        id: DeploymentId,
        intent: Intent,
        job: JobId,
        grants: BTreeSet<Repository>,
    ) -> Step<Self, DeploymentEffect> {
        if grants.is_empty() {
            let phase = Phase::Running {
                job,
                taken: false,
                authorised: None,
            };
            Step::to(
                Self { id, intent, phase },
                vec![DeploymentEffect::Enqueue(job, intent.work())],
            )
        } else {
            Step::stay(Self {
                id,
                intent,
                phase: Phase::Waiting { grants },
            })
        }
    }

    /// A deployment of what nobody provisions here: it ends well in the moment that it begins, and no job ever works for it.
    #[must_use]
    pub fn declared(id: DeploymentId, intent: Intent, at: Timestamp) -> Step<Self, DeploymentEffect> {
        let phase = Phase::Ended {
            how: Ending::Succeeded,
            at,
        };
        Step::to(
            Self { id, intent, phase },
            vec![DeploymentEffect::Ended(Ending::Succeeded)],
        )
    }

    /// Whether it still occupies its target.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        !matches!(self.phase, Phase::Ended { .. })
    }

    /// Proton's word for where it stands.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match (self.intent, &self.phase) {
            (_, Phase::Cancelling { .. }) => "CANCELLING",
            (Intent::Apply, Phase::Waiting { .. } | Phase::Running { .. }) => "IN_PROGRESS",
            (Intent::Destroy, Phase::Waiting { .. } | Phase::Running { .. }) => "DELETE_IN_PROGRESS",
            (
                _,
                Phase::Ended {
                    how: Ending::Cancelled,
                    ..
                },
            ) => "CANCELLED",
            (
                Intent::Apply,
                Phase::Ended {
                    how: Ending::Succeeded,
                    ..
                },
            ) => "SUCCEEDED",
            (
                Intent::Apply,
                Phase::Ended {
                    how: Ending::Failed(_),
                    ..
                },
            ) => "FAILED",
            (
                Intent::Destroy,
                Phase::Ended {
                    how: Ending::Succeeded,
                    ..
                },
            ) => "DELETE_COMPLETE",
            (
                Intent::Destroy,
                Phase::Ended {
                    how: Ending::Failed(_),
                    ..
                },
            ) => "DELETE_FAILED",
        }
    }

    fn end(
        &self,
        how: Ending,
        at: Timestamp,
        mut before: Vec<DeploymentEffect>,
    ) -> Step<Self, DeploymentEffect> {
        before.push(DeploymentEffect::Ended(how.clone()));
        Step::to(
            Self {
                phase: Phase::Ended { how, at },
                ..self.clone()
            },
            before,
        )
    }
}

impl Intent {
    /// The work of its first job.
    #[must_use]
    pub const fn work(self) -> Work {
        match self {
            Self::Apply => Work::Apply,
            Self::Destroy => Work::Destroy,
        }
    }
}

impl Machine for Deployment {
    type Input = DeploymentInput;
    type Effect = DeploymentEffect;
    type Refusal = DeploymentRefusal;

    fn step(&self, input: Self::Input) -> Result<Step<Self, Self::Effect>, Self::Refusal> {
        use DeploymentEffect::{Condemn, Enqueue, VoidJob};
        use DeploymentInput as In;
        use Phase::{Cancelling, Ended, Running, Waiting};

        let mut next = self.clone();
        match (&self.phase, input) {
            (
                Ended {
                    how: Ending::Cancelled,
                    ..
                },
                In::Cancel { .. },
            ) => Ok(Step::stay(next)),
            (Ended { .. }, _) => Err(DeploymentRefusal::Ended),

            (Waiting { .. }, In::Ready { job }) => {
                next.phase = Running {
                    job,
                    taken: false,
                    authorised: None,
                };
                Ok(Step::to(next, vec![Enqueue(job, self.intent.work())]))
            }
            (Running { .. } | Cancelling { .. }, In::Ready { .. }) => Err(DeploymentRefusal::Running),
            (Waiting { .. }, In::GrantBlocked { why, at }) => {
                Ok(self.end(Ending::Failed(why), at, Vec::new()))
            }
            (Running { .. } | Cancelling { .. }, In::GrantBlocked { .. }) => Err(DeploymentRefusal::Running),
            (Waiting { .. }, In::Cancel { by, .. }) => Ok(self.end(Ending::Cancelled, by.at, Vec::new())),
            (
                Waiting { .. },
                In::Taken { .. } | In::Authorise { .. } | In::Done { .. } | In::Failed { .. },
            ) => Err(DeploymentRefusal::NotBegun),

            (Running { job, authorised, .. }, In::Taken { job: taken }) if *job == taken => {
                next.phase = Running {
                    job: *job,
                    taken: true,
                    authorised: authorised.clone(),
                };
                Ok(Step::to(next, Vec::new()))
            }
            (Cancelling { job, .. }, In::Taken { job: taken }) if *job == taken => Ok(Step::stay(next)),
            (Running { .. } | Cancelling { .. }, In::Taken { job }) => Err(DeploymentRefusal::OtherJob(job)),

            (
                Running { .. },
                In::Authorise {
                    act: Authorised::Execute(_),
                    ..
                },
            ) if self.intent == Intent::Destroy => Err(DeploymentRefusal::NotToExecute),
            // The answer was lost on its way: say the same again.
            (
                Running {
                    job,
                    authorised: Some(given),
                    ..
                },
                In::Authorise { job: asking, act },
            ) if *job == asking && *given == act => Ok(Step::stay(next)),
            // A later attempt of the same job may have made another change set: the latest fence decides, so it may ask again.
            (Running { job, .. }, In::Authorise { job: asking, act }) if *job == asking => {
                let effects = match &act {
                    Authorised::Execute(_) => Vec::new(),
                    Authorised::Delete(stack) => vec![Condemn(stack.clone())],
                };
                next.phase = Running {
                    job: *job,
                    taken: true,
                    authorised: Some(act),
                };
                Ok(Step::to(next, effects))
            }
            // The revoking job may remove the empty stack that a cancelled creation left in REVIEW_IN_PROGRESS.
            (
                Cancelling { job, .. },
                In::Authorise {
                    job: asking,
                    act: Authorised::Delete(stack),
                },
            ) if *job == asking => Ok(Step::to(next, vec![Condemn(stack)])),
            (Cancelling { .. }, In::Authorise { .. }) => Err(DeploymentRefusal::Cancelling),
            (Running { .. }, In::Authorise { job, .. }) => Err(DeploymentRefusal::OtherJob(job)),

            // No agent ever saw it: there is nothing to revoke.
            (
                Running {
                    job, taken: false, ..
                },
                In::Cancel { by, .. },
            ) => Ok(self.end(Ending::Cancelled, by.at, vec![VoidJob(*job)])),
            (
                Running {
                    job,
                    taken: true,
                    authorised,
                },
                In::Cancel { by, revoke },
            ) => match (self.intent, authorised) {
                (Intent::Destroy, Some(Authorised::Delete(_))) if !bug(Bug::CancelAfterCondemned) => {
                    Err(DeploymentRefusal::Condemned)
                }
                // Without leave the agent may not delete, and leave is refused from now on.
                (Intent::Destroy, None | Some(Authorised::Execute(_) | Authorised::Delete(_))) => {
                    Ok(self.end(Ending::Cancelled, by.at, vec![VoidJob(*job)]))
                }
                (Intent::Apply, _) if bug(Bug::SinglePhaseCancel) => {
                    Ok(self.end(Ending::Cancelled, by.at, vec![VoidJob(*job)]))
                }
                (Intent::Apply, _) => {
                    next.phase = Cancelling {
                        job: revoke,
                        asked: by,
                    };
                    Ok(Step::to(next, vec![VoidJob(*job), Enqueue(revoke, Work::Revoke)]))
                }
            },
            (Cancelling { .. }, In::Cancel { .. }) => Ok(Step::stay(next)),

            (Running { job, .. }, In::Done { job: done, what, at }) if *job == done => {
                match (self.intent, what) {
                    (Intent::Apply, Done::Applied) | (Intent::Destroy, Done::Gone) => {
                        Ok(self.end(Ending::Succeeded, at, Vec::new()))
                    }
                    (intent, what) => Err(DeploymentRefusal::Nonsense { what, intent }),
                }
            }
            // The real outcome counts: it may have been applied before the cancellation could stop it.
            (Cancelling { job, .. }, In::Done { job: done, what, at }) if *job == done => match what {
                Done::Applied => Ok(self.end(Ending::Succeeded, at, Vec::new())),
                Done::Revoked => Ok(self.end(Ending::Cancelled, at, Vec::new())),
                Done::Gone => Err(DeploymentRefusal::Nonsense {
                    what,
                    intent: self.intent,
                }),
            },
            (Running { job, .. } | Cancelling { job, .. }, In::Failed { job: failed, why, at })
                if *job == failed =>
            {
                Ok(self.end(Ending::Failed(why), at, vec![VoidJob(failed)]))
            }
            (Running { .. } | Cancelling { .. }, In::Done { job, .. } | In::Failed { job, .. }) => {
                Err(DeploymentRefusal::OtherJob(job))
            }
        }
    }
}
