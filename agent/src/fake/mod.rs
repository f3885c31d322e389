//! An AWS account in memory, and a hub that knows fences, for tests that need faults no emulator has.
//!
//! The account keeps the rules of `CloudFormation` and ECR that Hadron stands on: states, change sets, tokens on events,
//! rollbacks, deletions that fail, policies that are replaced whole. Time passes by being looked at: every
//! `DescribeStacks` moves a running operation on. A process's connection is a [`Line`]: it counts and logs calls, loses
//! replies, returns errors, delays, and can die at the n-th call, before or after the call took effect. Several lines can
//! lead to one account, as several agents do.

mod ecr;
mod events;
mod hub;
mod line;
mod stacks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hadron_proto::vocab::{AccountId, Region, RepositoryName, StackArn};

use crate::aws::{Account, StackStatus};
use crate::job::{EventEntry, PutCheckpoints};
use crate::work::{Step, StepLog};

pub use hub::FakeHub;
pub use line::{Call, Effect, Line, When};
pub use stacks::{Executed, Happening};

/// An account in memory, over one line.
#[derive(Clone, Debug)]
pub struct FakeAws {
    state: Arc<Mutex<State>>,
    line: Line,
}

/// What the account has.
#[derive(Debug)]
struct State {
    account: AccountId,
    region: Region,
    serial: u64,
    stacks: stacks::Stacks,
    buckets: Vec<String>,
    objects: BTreeMap<String, String>,
    /// Bundles by bucket and key.
    bundles: BTreeMap<(String, String), bytes::Bytes>,
    /// What is in buckets with Object Lock, by bucket and key.
    locked: BTreeMap<(String, String), PutCheckpoints>,
    /// Buckets with Object Lock, and whose they are.
    locking: BTreeMap<String, AccountId>,
    repositories: BTreeMap<String, Option<String>>,
    registry: Option<String>,
    /// Policies that others write just after one was read.
    interlopers: Vec<String>,
    buses: Vec<String>,
    events: Vec<EventEntry>,
}

impl FakeAws {
    /// An empty account.
    #[must_use]
    pub fn new(account: AccountId, region: Region) -> Self {
        let state = State {
            account,
            region,
            serial: 0,
            stacks: stacks::Stacks::default(),
            buckets: Vec::new(),
            objects: BTreeMap::new(),
            bundles: BTreeMap::new(),
            locked: BTreeMap::new(),
            locking: BTreeMap::new(),
            repositories: BTreeMap::new(),
            registry: None,
            interlopers: Vec::new(),
            buses: vec!["default".to_owned()],
            events: Vec::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            line: Line::default(),
        }
    }

    /// The same account over another line.
    #[must_use]
    pub fn over(&self, line: &Line) -> Self {
        Self {
            state: Arc::clone(&self.state),
            line: line.clone(),
        }
    }

    /// The line that this handle uses.
    #[must_use]
    pub const fn line(&self) -> &Line {
        &self.line
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets resources of this logical id fail, `times` times, when this happens to them.
    pub fn fail(&self, logical_id: &str, on: Happening, times: u32, reason: &str) {
        self.state().stacks.fail(logical_id, on, times, reason);
    }

    /// How many events one look at a stack lets happen. 0 stops time.
    pub fn speed(&self, events_per_look: usize) {
        self.state().stacks.speed = events_per_look;
    }

    /// How many reads still show what was before a change.
    pub fn lag(&self, reads: u32) {
        self.state().stacks.lag = reads;
    }

    /// How many reads of events still miss those of a new operation.
    pub fn lag_events(&self, reads: u32) {
        self.state().stacks.event_lag = reads;
    }

    /// Puts a stack there, in any state, as if others or earlier deployments had made it. `resources` are logical ids.
    pub fn arrange(
        &self,
        name: &str,
        status: StackStatus,
        tags: &[(&str, &str)],
        resources: &[&str],
    ) -> StackArn {
        self.state().arrange(name, status, tags, resources)
    }

    /// Puts the newest operation's token on a stack's events.
    pub fn arrange_event(&self, stack: &StackArn, status: &str, token: &str) {
        self.state().arrange_event(stack, status, token);
    }

    /// Puts a change set there that can be executed; returns its ARN.
    pub fn arrange_change_set(&self, stack: &StackArn, name: &str) -> String {
        self.state().arrange_change_set(stack, name)
    }

    /// Sets a stack's state.
    pub fn set_status(&self, stack: &StackArn, status: StackStatus) {
        self.state()
            .stacks
            .row_mut(stack.as_str())
            .expect("the stack exists")
            .status = status;
    }

    /// A stack's state without looking at it (time does not pass).
    #[must_use]
    pub fn status(&self, stack: &str) -> Option<StackStatus> {
        self.state().stacks.row(stack).map(|row| row.status.clone())
    }

    /// Tags of a stack.
    #[must_use]
    pub fn tags(&self, stack: &str) -> Vec<(String, String)> {
        self.state()
            .stacks
            .row(stack)
            .map(|row| row.tags().to_vec())
            .unwrap_or_default()
    }

    /// The name of the change set whose content a stack has.
    #[must_use]
    pub fn author(&self, stack: &str) -> String {
        self.state()
            .stacks
            .row(stack)
            .map(|row| row.change_set().to_owned())
            .unwrap_or_default()
    }

    /// Logical ids of what a stack has.
    #[must_use]
    pub fn content(&self, stack: &str) -> Vec<String> {
        self.state()
            .stacks
            .row(stack)
            .map(stacks::Row::content)
            .unwrap_or_default()
    }

    /// Every execution of a change set, in order.
    #[must_use]
    pub fn executed(&self) -> Vec<Executed> {
        self.state().stacks.executed.clone()
    }

    /// Every deletion that was begun, in order: which stack, and the token.
    #[must_use]
    pub fn deleted(&self) -> Vec<(StackArn, String)> {
        self.state().stacks.deleted.clone()
    }

    /// Tokens of cancelled updates and continued rollbacks, each with the number of executions before it.
    #[must_use]
    pub fn taken_back(&self) -> Vec<(usize, String)> {
        self.state().stacks.taken_back.clone()
    }

    /// Names of change sets that could still be executed, on all stacks.
    #[must_use]
    pub fn live_change_sets(&self) -> Vec<String> {
        self.state().stacks.live_change_sets()
    }

    /// Stacks that are not deleted.
    #[must_use]
    pub fn stack_arns(&self) -> Vec<StackArn> {
        self.state().stacks.present()
    }

    /// URLs of templates in buckets.
    #[must_use]
    pub fn objects(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    /// Puts a bundle into a bucket, which is there from then on.
    pub fn bundle(&self, bucket: &str, key: &str, content: &[u8]) {
        let mut state = self.state();
        if !state.buckets.iter().any(|name| name == bucket) {
            state.buckets.push(bucket.to_owned());
        }
        let place = (bucket.to_owned(), key.to_owned());
        state
            .bundles
            .insert(place, bytes::Bytes::copy_from_slice(content));
    }

    /// Adds a bucket with Object Lock.
    pub fn locking_bucket(&self, bucket: &str, owner: AccountId) {
        let mut state = self.state();
        state.buckets.push(bucket.to_owned());
        state.locking.insert(bucket.to_owned(), owner);
    }

    /// What is in buckets with Object Lock.
    #[must_use]
    pub fn locked(&self) -> Vec<PutCheckpoints> {
        self.state().locked.values().cloned().collect()
    }

    /// Adds a repository.
    pub fn repository(&self, name: &RepositoryName, policy: Option<&str>) {
        self.state()
            .repositories
            .insert(name.to_string(), policy.map(str::to_owned));
    }

    /// A repository's policy.
    #[must_use]
    pub fn policy_of(&self, name: &RepositoryName) -> Option<String> {
        self.state().repositories.get(name.as_str()).cloned().flatten()
    }

    /// The registry's policy.
    #[must_use]
    pub fn registry_text(&self) -> Option<String> {
        self.state().registry.clone()
    }

    /// What was put onto buses.
    #[must_use]
    pub fn told(&self) -> Vec<EventEntry> {
        self.state().events.clone()
    }

    /// Somebody else writes this policy just after the next read.
    pub fn interlope(&self, policy: &str) {
        self.state().interlopers.push(policy.to_owned());
    }
}

impl Account for FakeAws {
    type Stacks = Self;
    type PullPolicies = Self;
    type Bucket = Self;
    type Events = Self;
    type Bundles = Self;
    type LockedObjects = Self;
    fn stacks(&self) -> &Self {
        self
    }
    fn policies(&self) -> &Self {
        self
    }
    fn bucket(&self) -> &Self {
        self
    }
    fn events(&self) -> &Self {
        self
    }

    fn bundles(&self) -> &Self {
        self
    }

    fn locked_objects(&self) -> &Self {
        self
    }
}

/// A journal in memory.
#[derive(Clone, Debug, Default)]
pub struct FakeLog(Arc<Mutex<(Vec<Step>, Option<usize>)>>);

impl FakeLog {
    /// The disk is full after this many steps.
    pub fn full_after(&self, steps: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(steps);
    }

    /// What was written.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

impl StepLog for FakeLog {
    fn step(&self, _: crate::job::Token, step: &Step) -> std::io::Result<()> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.1.is_some_and(|most| log.0.len() >= most) {
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        }
        log.0.push(step.clone());
        Ok(())
    }
}
