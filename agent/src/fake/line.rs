//! One process's way to AWS and to the hub, with the faults that happen on it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::aws::{AwsError, Kind};

/// A call, of AWS or of the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the calls' own names")]
pub enum Call {
    Describe,
    ChangeSets,
    ChangeSet,
    CreateChangeSet,
    DeleteChangeSet,
    ExecuteChangeSet,
    DeleteStack,
    CancelUpdate,
    ContinueRollback,
    RollBack,
    Events,
    Resources,
    Policy,
    SetPolicy,
    DeletePolicy,
    RegistryPolicy,
    SetRegistryPolicy,
    DeleteRegistryPolicy,
    HasBucket,
    CreateBucket,
    PutTemplate,
    PutEvents,
    GetObject,
    PutLocked,
    Template,
    PutContent,
    Authorise,
    PostEvents,
}

impl Call {
    /// It changes something in AWS.
    #[must_use]
    pub const fn changes(self) -> bool {
        matches!(
            self,
            Self::CreateChangeSet
                | Self::DeleteChangeSet
                | Self::ExecuteChangeSet
                | Self::DeleteStack
                | Self::CancelUpdate
                | Self::ContinueRollback
                | Self::RollBack
                | Self::SetPolicy
                | Self::PutEvents
                | Self::DeletePolicy
                | Self::SetRegistryPolicy
                | Self::DeleteRegistryPolicy
                | Self::CreateBucket
                | Self::PutTemplate
                | Self::PutLocked
        )
    }
}

/// What goes wrong with a call.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Refused with this error; nothing happens.
    Error(AwsError),
    /// It happens, and the answer is lost.
    LoseReply,
}

/// When a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before the call takes effect.
    Before,
    /// After the call took effect, before its answer arrives.
    After,
}

#[derive(Debug)]
struct Fault {
    call: Option<Call>,
    skip: u32,
    times: u32,
    effect: Effect,
}

#[derive(Debug, Default)]
struct Inner {
    calls: Vec<Call>,
    faults: Vec<Fault>,
    death: Option<(usize, When)>,
    latency: Option<(u64, Duration)>,
}

/// See the module's documentation. Clones are the same line.
#[derive(Clone, Debug, Default)]
pub struct Line {
    inner: Arc<Mutex<Inner>>,
    died: Arc<Notify>,
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Ticket {
    line: Line,
    lost: bool,
    dies: bool,
}

impl Line {
    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The next `times` calls of this sort (of any, for `None`) go wrong, after `skip` that do not.
    pub fn fault(&self, call: Option<Call>, skip: u32, times: u32, effect: Effect) {
        self.with(|inner| {
            inner.faults.push(Fault {
                call,
                skip,
                times,
                effect,
            })
        });
    }

    /// The next `times` calls of this sort are refused with this code.
    pub fn refuse(&self, call: Option<Call>, times: u32, code: &str, message: &str) {
        self.fault(call, 0, times, Effect::Error(AwsError::coded(code, message)));
    }

    /// The process dies at its n-th call, counted from 1.
    pub fn die_at(&self, call: usize, when: When) {
        self.with(|inner| inner.death = Some((call, when)));
    }

    /// Every call takes up to `most`, before and after its effect; repeatable by the seed.
    pub fn delay(&self, seed: u64, most: Duration) {
        self.with(|inner| inner.latency = Some((seed | 1, most)));
    }

    /// The process has died.
    pub async fn died(&self) {
        self.died.notified().await;
    }

    /// All calls so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.with(|inner| inner.calls.clone())
    }

    /// How many calls of this sort there were.
    #[must_use]
    pub fn count(&self, call: Call) -> usize {
        self.with(|inner| inner.calls.iter().filter(|made| **made == call).count())
    }

    async fn travel(&self) {
        let wait = self.with(|inner| {
            inner.latency.as_mut().map(|(seed, most)| {
                *seed ^= *seed << 13;
                *seed ^= *seed >> 7;
                *seed ^= *seed << 17;
                // Mostly quick, now and then so long that a lease runs out.
                let part = (*seed >> 11) % 1_000;
                if part < 900 {
                    *most / 1_000 * u32::try_from(part % 20).unwrap_or(0)
                } else {
                    *most / 100 * u32::try_from(part - 900).unwrap_or(0)
                }
            })
        });
        if let Some(wait) = wait {
            tokio::time::sleep(wait).await;
        }
    }

    async fn dead(&self) -> ! {
        self.died.notify_one();
        std::future::pending().await
    }

    pub(super) async fn enter(&self, call: Call) -> Result<Ticket, AwsError> {
        self.travel().await;
        let (dies, effect) = self.with(|inner| {
            inner.calls.push(call);
            let dies = inner
                .death
                .filter(|(at, _)| *at == inner.calls.len())
                .map(|(_, when)| when);
            let mut effect = None;
            for fault in &mut inner.faults {
                if fault.times > 0 && fault.call.is_none_or(|wanted| wanted == call) {
                    if fault.skip > 0 {
                        fault.skip -= 1;
                        continue;
                    }
                    fault.times -= 1;
                    effect = Some(fault.effect.clone());
                    break;
                }
            }
            (dies, effect)
        });
        if dies == Some(When::Before) {
            self.dead().await;
        }
        let lost = match effect {
            Some(Effect::Error(error)) => return Err(error),
            Some(Effect::LoseReply) => true,
            None => false,
        };
        Ok(Ticket {
            line: self.clone(),
            lost,
            dies: dies.is_some(),
        })
    }
}

impl Ticket {
    pub(super) async fn leave<T>(self, answer: Result<T, AwsError>) -> Result<T, AwsError> {
        if self.dies {
            self.line.dead().await;
        }
        self.line.travel().await;
        if self.lost {
            return Err(AwsError {
                kind: Kind::Transport,
                code: None,
                message: "the connection broke before an answer arrived".to_owned(),
            });
        }
        answer
    }
}
