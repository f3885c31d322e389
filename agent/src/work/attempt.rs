//! One attempt at a job: everything it may use, and the only two ways to call AWS - to ask, and to act.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hadron_proto::vocab::{RoleArn, StackArn};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard};
use tokio::time::Instant;

use super::names::Names;
use super::{Call, Settings, Step, StepLog, Stop};
use crate::aws::{Account, Answer, AwsError, Kind, Stack, Stacks as _};
use crate::job::{
    Act, Failure, FailureKind, Hub, HubError, Job, Outcome, RoleKind, StackResource, Stopped, Verdict,
};

/// Why an attempt ends early.
#[derive(Debug)]
pub(super) enum Halt {
    /// Left unfinished.
    Stopped(Stopped),
    /// It did not work.
    Failed(Box<Failure>),
}

impl From<Stopped> for Halt {
    fn from(why: Stopped) -> Self {
        Self::Stopped(why)
    }
}

impl From<HubError> for Halt {
    fn from(error: HubError) -> Self {
        tracing::info!(%error, "The hub gave no leave");
        match error {
            HubError::Fenced(_) => Self::Stopped(Stopped::Fenced),
            HubError::Unavailable(_) => Self::Stopped(Stopped::HubUnavailable),
            HubError::NotConnected(_) => Self::Stopped(Stopped::NotConnected),
        }
    }
}

impl Halt {
    pub(super) fn failed(kind: FailureKind, message: impl Into<String>) -> Self {
        let failure = Failure {
            kind,
            message: message.into(),
            stack: None,
            stack_status: None,
            resources: Vec::new(),
        };
        Self::Failed(Box::new(failure))
    }

    /// The same failure, with the stack that it is about.
    pub(super) fn about(self, stack: &StackArn, status: Option<&str>) -> Self {
        match self {
            Self::Failed(mut failure) => {
                failure.stack = Some(stack.clone());
                failure.stack_status = status.map(str::to_owned);
                Self::Failed(failure)
            }
            stopped @ Self::Stopped(_) => stopped,
        }
    }
}

/// How often to try to take a change set back.
const TAKE_BACK: u32 = 4;

/// What an error of AWS is to the deployment, when it is one; `rest` is for errors that say nothing by themselves.
pub(super) fn failed(doing: &str, error: &AwsError, rest: FailureKind) -> Halt {
    let kind = match error.kind {
        Kind::Denied | Kind::TokenExpired => FailureKind::AccessDenied,
        Kind::InvalidState => FailureKind::ForeignOperation,
        Kind::Throttled | Kind::Transport | Kind::Unknown => FailureKind::Other,
        Kind::NotFound | Kind::AlreadyExists | Kind::Validation => rest,
    };
    Halt::failed(kind, format!("{doing}: {error}"))
}

/// The change set that this attempt made and nobody executed yet.
#[derive(Clone, Debug)]
struct Pending {
    stack: String,
    change_set: String,
}

/// See the module's documentation.
pub(super) struct Attempt<'a, A, H, J> {
    pub(super) job: &'a Job,
    pub(super) account: &'a A,
    pub(super) hub: &'a H,
    pub(super) stop: &'a Stop,
    pub(super) settings: &'a Settings,
    pub(super) names: Names,
    log: &'a J,
    ends: Instant,
    pending: Mutex<Option<Pending>>,
    met: Mutex<Option<(StackArn, String)>>,
}

impl<'a, A: Account, H: Hub, J: StepLog> Attempt<'a, A, H, J> {
    pub(super) fn new(
        job: &'a Job,
        account: &'a A,
        hub: &'a H,
        log: &'a J,
        stop: &'a Stop,
        settings: &'a Settings,
    ) -> Self {
        let ends = Instant::now() + settings.deadline;
        let (pending, met) = (Mutex::new(None), Mutex::new(None));
        Self {
            job,
            account,
            hub,
            stop,
            settings,
            names: Names::of(job),
            log,
            ends,
            pending,
            met,
        }
    }

    pub(super) fn stacks(&self) -> &A::Stacks {
        self.account.stacks()
    }

    /// Reads, as often as it takes. The inner error is AWS's final word.
    pub(super) async fn ask<T>(&self, call: impl Call<T>) -> Result<Answer<T>, Halt> {
        self.repeat(call).await
    }

    /// Changes something: only while the job may go on, and only after it was written down.
    pub(super) async fn act<T>(&self, step: &Step, call: impl Call<T>) -> Result<Answer<T>, Halt> {
        self.note(step)?;
        self.repeat(call).await
    }

    /// Changes something that no fence guards (taking an update back), so it is asked for once: before it is asked for
    /// again somebody must have looked whose operation runs by then.
    pub(super) async fn act_once<T>(&self, step: &Step, call: impl Call<T>) -> Result<Answer<T>, Halt> {
        self.note(step)?;
        self.settings.pace.turn().await;
        self.stop.check()?;
        let answer = self.stop.leave().over(call()).await;
        match &answer {
            Err(error) if error.kind.is_passing() => {
                if error.kind == Kind::Throttled {
                    self.settings.pace.throttled();
                }
                tracing::debug!(%error, "Looking again before asking again");
                self.wait(self.settings.pace.jitter(self.settings.backoff.bound(3)))
                    .await?;
            }
            _ => self.settings.pace.answered(),
        }
        Ok(answer)
    }

    /// Writes a step down, if the job may go on.
    pub(super) fn note(&self, step: &Step) -> Result<(), Halt> {
        self.stop.check()?;
        self.log.step(self.job.token, step).map_err(|error: io::Error| {
            // Without a journal nobody could tell later what was begun: hand the job over instead.
            tracing::error!(%error, "Cannot write the journal");
            Halt::Stopped(Stopped::Draining)
        })
    }

    async fn repeat<T>(&self, call: impl Call<T>) -> Result<Answer<T>, Halt> {
        let settings = self.settings;
        let mut tries = 0;
        loop {
            settings.pace.turn().await;
            self.stop.check()?;
            let error = match self.stop.leave().over(call()).await {
                Ok(answer) => {
                    settings.pace.answered();
                    return Ok(Ok(answer));
                }
                Err(error) => error,
            };
            if error.kind == Kind::Throttled {
                settings.pace.throttled();
            }
            tries += 1;
            let bounded = matches!(error.kind, Kind::Unknown | Kind::TokenExpired);
            if !error.kind.is_passing() || (bounded && tries >= settings.tries) {
                return Ok(Err(error));
            }
            tracing::debug!(%error, tries, "Calling AWS again");
            self.wait(settings.pace.jitter(settings.backoff.bound(tries)))
                .await?;
        }
    }

    /// Waits, but no longer than the job may go on and the deadline allows.
    pub(super) async fn wait(&self, wait: Duration) -> Result<(), Halt> {
        self.stop.check()?;
        if Instant::now() >= self.ends {
            return Err(self.late());
        }
        Ok(self.stop.sleep(wait).await?)
    }

    fn late(&self) -> Halt {
        let most = self.settings.deadline;
        Halt::failed(
            FailureKind::Deadline,
            format!("not finished after {} s", most.as_secs()),
        )
    }

    /// Waits for other jobs of this agent, but no longer than the job may go on and the deadline allows.
    pub(super) async fn turn<'m>(&self, of: &'m AsyncMutex<()>) -> Result<AsyncMutexGuard<'m, ()>, Halt> {
        let left = self.ends.saturating_duration_since(Instant::now());
        tokio::select! {
            biased;
            turn = of.lock() => Ok(turn),
            stopped = self.stop.sleep(left) => {
                stopped?;
                Err(self.late())
            }
        }
    }

    /// Asks the hub for leave.
    pub(super) async fn authorise(&self, step: &Step, act: Act) -> Result<Verdict, Halt> {
        self.note(step)?;
        let verdict = self.hub.authorise(self.job.token, act).await?;
        self.stop.check()?;
        Ok(verdict)
    }

    /// The role to pass: the job's, or the configured one for this kind of stack. Never none, because then
    /// `CloudFormation` would act with the agent's own rights.
    pub(super) fn role(&self, kind: RoleKind, asked: Option<&RoleArn>) -> Result<RoleArn, Halt> {
        asked
            .or_else(|| self.settings.roles.of(kind))
            .cloned()
            .ok_or_else(|| {
                Halt::failed(
                    FailureKind::LocalPolicy,
                    format!(
                        "neither the job nor this agent's configuration names a role for {kind:?} stacks"
                    ),
                )
            })
    }

    /// Remembers the change set that is to be taken back if the lease is lost.
    pub(super) fn prepared(&self, stack: &str, change_set: &str) {
        let pending = Pending {
            stack: stack.to_owned(),
            change_set: change_set.to_owned(),
        };
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner) = Some(pending);
    }

    /// The change set is executed or deleted: nothing to take back.
    pub(super) fn spent(&self) {
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Deletes this attempt's unexecuted change set after the lease was lost. Deleting one is always safe; a few tries
    /// are enough, because the next holder of the lease deletes it again before it looks at the stack.
    pub(super) async fn take_back(&self, why: Stopped) {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Pending { stack, change_set }) = pending else {
            return;
        };
        if why == Stopped::Draining {
            return;
        }
        hadron_proto::fault::point("C58");
        for tries in 0..TAKE_BACK {
            match self.stacks().delete_change_set(&stack, &change_set).await {
                Err(error) if error.kind.is_passing() => {
                    tracing::debug!(%error, "The change set cannot be taken back now");
                    tokio::time::sleep(self.settings.pace.jitter(self.settings.backoff.bound(tries))).await;
                }
                _ => return,
            }
        }
    }

    /// Remembers a stack of ours, so that every failure from now on says which stack it is about.
    pub(super) fn met(&self, stack: &StackArn, status: &str) {
        *self.met.lock().unwrap_or_else(PoisonError::into_inner) = Some((stack.clone(), status.to_owned()));
    }

    /// The failure, with the stack that was met last if it names none.
    pub(super) fn complete(&self, mut failure: Failure) -> Failure {
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner).take();
        if failure.stack.is_none()
            && let Some((stack, status)) = met
        {
            failure.stack = Some(stack);
            failure.stack_status = failure
                .stack_status
                .or_else(|| (!status.is_empty()).then_some(status));
        }
        failure
    }

    /// The stack is what was asked for.
    pub(super) async fn applied(&self, stack: Stack, no_changes: bool) -> Result<Outcome, Halt> {
        hadron_proto::fault::point("C33");
        let resources = self.ask(|| self.stacks().resources(&stack.arn)).await?;
        let resources = resources
            .map_err(|error| failed("cannot list the stack's resources", &error, FailureKind::Other))
            .map_err(|halt| halt.about(&stack.arn, Some(stack.status.as_str())))?;
        Ok(Outcome::Applied {
            stack: stack.arn,
            outputs: stack.outputs,
            resources,
            no_changes,
        })
    }

    /// A failure of a stack, with all that is known about it.
    pub(super) async fn failure(
        &self,
        kind: FailureKind,
        message: String,
        stack: &Stack,
    ) -> Result<Halt, Halt> {
        let resources: Vec<StackResource> = self
            .ask(|| self.stacks().resources(&stack.arn))
            .await?
            .unwrap_or_default();
        Ok(Halt::Failed(Box::new(Failure {
            kind,
            message,
            stack: Some(stack.arn.clone()),
            stack_status: Some(stack.status.as_str().to_owned()),
            resources,
        })))
    }
}
