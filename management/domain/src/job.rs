//! Jobs: one unit of work for one agent, held by a lease and proven by a fence.
//!
//! The fence, not the clock, decides: a report under the present fence counts even when it comes late, a report under a
//! superseded fence is refused by name. Fences come from one sequence of the store, so they grow over all jobs.

use std::time::Duration;

use hadron_proto::fault::{Bug, bug};
use hadron_proto::vocab::{JobId, SessionId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::step::{Machine, Step};

/// After this many leases that ran out without a report the job is given up: it kills whoever takes it.
pub const MAX_LOSSES: u32 = 8;

/// After this many leases the job is given up that ended otherwise than by being handed back.
pub const MAX_ATTEMPTS: u32 = 64;

/// After it was handed back this often the job is given up: for about a day every agent has said that it can do nothing at
/// the moment. An agent hands back when it stops, and when its own disk is full; neither is the fault of the job, so these
/// leases count by themselves, and the job rests the longer the more there were.
pub const MAX_HANDOVERS: u32 = 1_440;

/// So often a job that was handed back may be taken again at once: agents stop in order to be started again.
const HANDOVERS_WITHOUT_REST: u32 = 2;

/// The longest rest after a job was handed back.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// How long after a lease ran out the job may be taken again: the old holder's idea of the time may lag.
pub const RETAKE_AFTER: Duration = Duration::from_secs(5);

/// One unit of work for one agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Where it stands.
    pub state: JobState,
    /// The latest fence given out; 0 before the first lease.
    pub fence: u64,
    /// How many leases there were.
    pub attempts: u32,
    /// How many of them ran out.
    pub losses: u32,
    /// How many of them ended because the agent handed the job back.
    #[serde(default)]
    pub handovers: u32,
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobState {
    /// Waits for an agent.
    Ready {
        /// Nobody may take it before.
        not_before: Timestamp,
    },
    /// An agent works on it.
    Leased {
        /// The agent's session.
        holder: SessionId,
        /// When the lease runs out unless it is renewed.
        expires: Timestamp,
        /// The agent has written it to its journal.
        started: bool,
    },
    /// Its outcome is recorded.
    Finished {
        /// When.
        at: Timestamp,
    },
    /// It was taken back or given up; whatever its holder says is void.
    Void {
        /// When.
        at: Timestamp,
    },
}

/// What may happen to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobInput {
    /// A session takes it.
    Take {
        /// Who.
        holder: SessionId,
        /// A fence greater than every one before.
        fence: u64,
        /// Now.
        now: Timestamp,
        /// How long the lease holds.
        ttl: Duration,
    },
    /// The holder has it in its journal.
    Started {
        /// The fence shown.
        fence: u64,
    },
    /// The holder is alive.
    Renew {
        /// The fence shown.
        fence: u64,
        /// The session that says so; after a reconnect it is another one.
        holder: SessionId,
        /// Now.
        now: Timestamp,
        /// How long the lease holds from now.
        ttl: Duration,
    },
    /// The holder gives it back.
    Handover {
        /// The fence shown.
        fence: u64,
        /// Now.
        now: Timestamp,
    },
    /// The holder tells the outcome.
    Report {
        /// The fence shown.
        fence: u64,
        /// Now.
        now: Timestamp,
    },
    /// The holder asks for leave to act. Changes nothing; refused when the fence is old.
    Check {
        /// The fence shown.
        fence: u64,
    },
    /// Time has passed.
    Expire {
        /// Now.
        now: Timestamp,
    },
    /// It is no longer wanted: its deployment was cancelled or ended otherwise.
    Void {
        /// Now.
        now: Timestamp,
    },
    /// Its holder lost the right to act (the connection is gone); the job waits for another.
    TakeBack {
        /// Now.
        now: Timestamp,
    },
}

impl JobInput {
    /// The same, as if this fence had been shown: what a hub that does not look at fences would see.
    const fn under(mut self, latest: u64) -> Self {
        match &mut self {
            Self::Started { fence }
            | Self::Renew { fence, .. }
            | Self::Handover { fence, .. }
            | Self::Report { fence, .. }
            | Self::Check { fence } => *fence = latest,
            Self::Take { .. } | Self::Expire { .. } | Self::Void { .. } | Self::TakeBack { .. } => {}
        }
        self
    }
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEffect {
    /// There is a job to take.
    Wake,
    /// Tell the session that it no longer holds the job.
    TellLost(SessionId, u64),
    /// The outcome of this report counts.
    Accept,
    /// The job was lost or passed on too often; its deployment fails.
    GiveUp,
}

/// Why it is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobRefusal {
    /// Somebody works on it.
    #[error("job {job} is held by another session until {until}")]
    Held {
        /// The job.
        job: JobId,
        /// Until when at least.
        until: Timestamp,
    },
    /// The fence shown is not the latest.
    #[error("stale fence {shown} for job {job}: the latest is {latest}")]
    Stale {
        /// The job.
        job: JobId,
        /// What was shown.
        shown: u64,
        /// What counts.
        latest: u64,
    },
    /// The fence shown is the latest, but nobody holds the job: the lease ran out or was given back.
    #[error("the lease of job {job} under fence {fence} has ended")]
    NotHeld {
        /// The job.
        job: JobId,
        /// What was shown.
        fence: u64,
    },
    /// Its outcome is recorded.
    #[error("job {0} has ended")]
    Ended(JobId),
    /// Not yet.
    #[error("job {job} may not be taken before {not_before}")]
    TooEarly {
        /// The job.
        job: JobId,
        /// When it may.
        not_before: Timestamp,
    },
    /// A fence that is not greater than the ones before.
    #[error("fence {offered} does not exceed {latest}")]
    FenceNotGreater {
        /// What was offered.
        offered: u64,
        /// The latest.
        latest: u64,
    },
}

impl Job {
    /// A new job that may be taken from `now` on.
    #[must_use]
    pub const fn new(id: JobId, now: Timestamp) -> Self {
        Self {
            id,
            state: JobState::Ready { not_before: now },
            fence: 0,
            attempts: 0,
            losses: 0,
            handovers: 0,
        }
    }

    /// Whether nothing will happen to it any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, JobState::Finished { .. } | JobState::Void { .. })
    }

    fn stale(&self, shown: u64) -> JobRefusal {
        JobRefusal::Stale {
            job: self.id,
            shown,
            latest: self.fence,
        }
    }

    /// Back to the queue, or given up. Nothing that the holder says counts after that: its deployment has failed.
    fn back(mut self, now: Timestamp, after: Duration, mut effects: Vec<JobEffect>) -> Step<Self, JobEffect> {
        let otherwise = self.attempts.saturating_sub(self.handovers);
        if self.losses >= MAX_LOSSES || otherwise >= MAX_ATTEMPTS || self.handovers >= MAX_HANDOVERS {
            self.state = JobState::Void { at: now };
            effects.push(JobEffect::GiveUp);
        } else {
            self.state = JobState::Ready {
                not_before: now.plus(after),
            };
            effects.push(JobEffect::Wake);
        }
        Step::to(self, effects)
    }
}

/// How long a job rests after it was handed back for the `handovers`th time.
fn rest(handovers: u32) -> Duration {
    match handovers.checked_sub(HANDOVERS_WITHOUT_REST + 1) {
        None => Duration::ZERO,
        Some(more) => Duration::from_secs(1 << more.min(6)).min(LONGEST_REST),
    }
}

impl Machine for Job {
    type Input = JobInput;
    type Effect = JobEffect;
    type Refusal = JobRefusal;

    fn step(&self, input: Self::Input) -> Result<Step<Self, Self::Effect>, Self::Refusal> {
        use JobState::{Finished, Leased, Ready, Void};

        let input = if bug(Bug::NoFence) {
            input.under(self.fence)
        } else {
            input
        };
        let mut next = self.clone();
        match (&self.state, input) {
            (
                Ready { not_before },
                JobInput::Take {
                    holder,
                    fence,
                    now,
                    ttl,
                },
            ) => {
                if now < *not_before {
                    return Err(JobRefusal::TooEarly {
                        job: self.id,
                        not_before: *not_before,
                    });
                }
                if fence <= self.fence {
                    return Err(JobRefusal::FenceNotGreater {
                        offered: fence,
                        latest: self.fence,
                    });
                }
                next.state = Leased {
                    holder,
                    expires: now.plus(ttl),
                    started: false,
                };
                next.fence = fence;
                next.attempts += 1;
                Ok(Step::to(next, Vec::new()))
            }
            (Leased { expires, .. }, JobInput::Take { .. }) => Err(JobRefusal::Held {
                job: self.id,
                until: *expires,
            }),
            (Finished { .. } | Void { .. }, JobInput::Take { .. }) => Err(JobRefusal::Ended(self.id)),

            (Leased { holder, expires, .. }, JobInput::Started { fence }) if fence == self.fence => {
                next.state = Leased {
                    holder: *holder,
                    expires: *expires,
                    started: true,
                };
                Ok(Step::to(next, Vec::new()))
            }
            (
                Leased { started, .. },
                JobInput::Renew {
                    fence,
                    holder,
                    now,
                    ttl,
                },
            ) if fence == self.fence => {
                next.state = Leased {
                    holder,
                    expires: now.plus(ttl),
                    started: *started,
                };
                Ok(Step::to(next, Vec::new()))
            }
            (Leased { .. }, JobInput::Handover { fence, now }) if fence == self.fence => {
                next.handovers += 1;
                let rest = rest(next.handovers);
                Ok(next.back(now, rest, Vec::new()))
            }
            // The first answer was lost on its way.
            (Ready { .. }, JobInput::Handover { fence, .. }) if fence == self.fence && fence > 0 => {
                Ok(Step::stay(next))
            }
            (Leased { .. }, JobInput::Report { fence, now }) if fence == self.fence => {
                next.state = Finished { at: now };
                Ok(Step::to(next, vec![JobEffect::Accept]))
            }
            // The lease ran out, but nobody else took the job: the fence is still the latest and the outcome is true.
            (Ready { .. }, JobInput::Report { fence, now }) if fence == self.fence && fence > 0 => {
                next.state = Finished { at: now };
                Ok(Step::to(next, vec![JobEffect::Accept]))
            }
            // The first answer was lost on its way: say the same again.
            (Finished { .. }, JobInput::Report { fence, .. }) if fence == self.fence => Ok(Step::stay(next)),
            (Leased { .. }, JobInput::Check { fence }) if fence == self.fence => Ok(Step::stay(next)),

            (
                Finished { .. } | Void { .. },
                JobInput::Started { .. }
                | JobInput::Renew { .. }
                | JobInput::Handover { .. }
                | JobInput::Check { .. },
            ) => Err(JobRefusal::Ended(self.id)),
            (Void { .. }, JobInput::Report { .. }) => Err(JobRefusal::Ended(self.id)),
            (
                Ready { .. },
                JobInput::Started { fence }
                | JobInput::Renew { fence, .. }
                | JobInput::Handover { fence, .. }
                | JobInput::Report { fence, .. }
                | JobInput::Check { fence },
            ) if fence == self.fence => Err(JobRefusal::NotHeld { job: self.id, fence }),
            (
                Ready { .. } | Leased { .. } | Finished { .. },
                JobInput::Started { fence }
                | JobInput::Renew { fence, .. }
                | JobInput::Handover { fence, .. }
                | JobInput::Report { fence, .. }
                | JobInput::Check { fence },
            ) => Err(self.stale(fence)),

            (Leased { holder, expires, .. }, JobInput::Expire { now }) if *expires <= now => {
                next.losses += 1;
                Ok(next.back(now, RETAKE_AFTER, vec![JobEffect::TellLost(*holder, self.fence)]))
            }
            (Ready { .. } | Leased { .. } | Finished { .. } | Void { .. }, JobInput::Expire { .. }) => {
                Ok(Step::stay(next))
            }

            (Ready { .. }, JobInput::Void { now }) => {
                next.state = Void { at: now };
                Ok(Step::to(next, Vec::new()))
            }
            (Leased { holder, .. }, JobInput::Void { now }) => {
                next.state = Void { at: now };
                Ok(Step::to(next, vec![JobEffect::TellLost(*holder, self.fence)]))
            }
            (Finished { .. } | Void { .. }, JobInput::Void { .. }) => Ok(Step::stay(next)),

            // Not the holder's fault, so it is no loss.
            (Leased { holder, .. }, JobInput::TakeBack { now }) => Ok(next.back(
                now,
                Duration::ZERO,
                vec![JobEffect::TellLost(*holder, self.fence)],
            )),
            (Ready { .. } | Finished { .. } | Void { .. }, JobInput::TakeBack { .. }) => Ok(Step::stay(next)),
        }
    }
}
