//! What everybody in a simulation shares.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use hadron_agent::fake::{FakeAws, Line};
use hadron_management::clock::Clock;
use hadron_management::store::db::SimulatedStore;
use hadron_management::store::{Db, migrate};
use hadron_proto::vocab::{AccountId, DeploymentId, Region, RepositoryName, Timestamp};
use tokio::time::Instant;

use super::agent::Agent;
use super::hub::{self, Hub};
use super::{Story, checks, templates};

/// The management account.
pub(super) const MANAGEMENT: &str = "111111111111";
/// The environment account.
pub(super) const PRODUCTION: &str = "333333333333";
pub(super) const REGION: &str = "us-east-1";
/// How long a lease holds.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// Repositories whose policies others have written to before.
pub(super) const REPOSITORIES: [&str; 2] = ["image-1", "image-2"];
/// Hubs.
pub(super) const HUBS: usize = 2;
/// Agents: two of the environment account, one of the management account.
pub(super) const AGENTS: usize = 3;
/// Lines of the story that are kept.
const KEPT: usize = 400;
const BEGINNING: i64 = 1_800_000_000_000_000;

/// What decides a run.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    /// The number that all dice begin with.
    pub number: u64,
    /// Keep the whole story, not only its end.
    pub tell: bool,
}

impl From<u64> for Seed {
    fn from(number: u64) -> Self {
        Self { number, tell: false }
    }
}

/// Dice that roll the same for the same seed.
#[derive(Debug)]
pub(super) struct Dice(Mutex<u64>);

impl Dice {
    const fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// A number below `sides`.
    pub(super) fn roll(&self, sides: u64) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // SplitMix64.
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides.max(1)
    }

    pub(super) fn one<T: Copy>(&self, of: &[T]) -> T {
        let at = usize::try_from(self.roll(of.len() as u64)).unwrap_or(0);
        of[at]
    }

    /// Whether something happens that does in so many of a thousand cases.
    pub(super) fn per_mille(&self, cases: u64) -> bool {
        self.roll(1_000) < cases
    }

    /// A time between these, in milliseconds; never twice the same moment for two that wait, as far as that goes.
    pub(super) fn millis(&self, least: u64, most: u64) -> Duration {
        let micros = least * 1_000 + self.roll((most - least) * 1_000 + 1);
        Duration::from_micros(micros)
    }
}

/// What was promised and done, as far as the database does not say.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Names of change sets that may be executed.
    pub(super) executions: BTreeSet<String>,
    /// Stacks that may be deleted, by ARN.
    pub(super) deletions: BTreeSet<String>,
    /// Deployments that somebody was told of.
    pub(super) acknowledged: BTreeMap<DeploymentId, String>,
    /// How often each challenge was answered.
    pub(super) challenges: BTreeMap<String, u32>,
    pub(super) watch: checks::Watch,
    violations: Vec<String>,
    states: BTreeSet<u64>,
    counts: BTreeMap<&'static str, u64>,
}

#[derive(Debug)]
struct Trace {
    hash: u64,
    last: VecDeque<String>,
}

/// The network: whether messages get from an agent to a hub, and back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cut {
    pub(super) there: bool,
    pub(super) back: bool,
}

/// See the module's documentation. Clones are the same world.
#[derive(Clone)]
pub(super) struct World(Arc<Inner>);

pub(super) struct Inner {
    pub(super) seed: Seed,
    pub(super) dice: Dice,
    pub(super) store: SimulatedStore,
    /// The clock of the database, which is right.
    pub(super) clock: Clock,
    pub(super) aws: BTreeMap<AccountId, FakeAws>,
    pub(super) foreign: BTreeMap<RepositoryName, String>,
    hubs: Vec<Hub>,
    agents: Vec<Agent>,
    cuts: Mutex<[[Cut; HUBS]; AGENTS]>,
    /// Ways to AWS that are slow.
    lines: Mutex<Vec<Line>>,
    peace: Mutex<bool>,
    ledger: Mutex<Ledger>,
    trace: Mutex<Trace>,
    began: Instant,
}

impl std::ops::Deref for World {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Numbers that differ for different texts.
pub(super) fn mix(hash: u64, text: &[u8]) -> u64 {
    text.iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

pub(super) fn region() -> Region {
    REGION.parse().expect("a Region")
}

pub(super) fn account(text: &str) -> AccountId {
    text.parse().expect("an account")
}

/// What others wrote on a repository's policy: keys that this release does not know, numbers and escapes.
fn foreign(dice: &Dice, repository: &str) -> String {
    let n = dice.roll(1_000);
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Theirs{n}","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::999999999999:root"}},"Action":"ecr:BatchGetImage","Condition":{{"NumericLessThan":{{"aws:{repository}":1.50}}}},"NotYetKnown":{{"a":[1,2,"\u00e9"]}}}}]}}"#
    )
}

impl World {
    /// A world in which nobody does anything yet.
    pub(super) async fn new(seed: Seed) -> Result<Self> {
        let dice = Dice::new(seed.number.wrapping_mul(0xd134_2543_de82_ef95) ^ 0x5bf0_3635);
        let clock = Clock::simulated(Timestamp::from_micros(BEGINNING), 0);
        let store = SimulatedStore::new(clock.clone()).context("a database")?;
        let db = Db::open_simulated(&store, clock.clone(), hub::calm());
        migrate::run(&db).await.context("the schema")?;
        let mut aws = BTreeMap::new();
        for id in [MANAGEMENT, PRODUCTION] {
            let fake = FakeAws::new(account(id), region());
            fake.speed(usize::try_from(1 + dice.roll(3)).unwrap_or(1));
            fake.lag(u32::try_from(dice.roll(3)).unwrap_or(0));
            fake.lag_events(u32::try_from(dice.roll(2)).unwrap_or(0));
            aws.insert(account(id), fake);
        }
        let mut theirs = BTreeMap::new();
        for name in REPOSITORIES {
            let repository: RepositoryName = name.parse().expect("a repository's name");
            let policy = foreign(&dice, name);
            aws[&account(MANAGEMENT)].repository(&repository, Some(&policy));
            theirs.insert(repository, policy);
        }
        let hubs = (0..HUBS).map(|n| Hub::new(n, &dice)).collect();
        let agents = [PRODUCTION, PRODUCTION, MANAGEMENT]
            .into_iter()
            .enumerate()
            .map(|(n, id)| Agent::new(n, account(id), dice.roll(u64::MAX)))
            .collect::<std::io::Result<_>>()
            .context("disks for agents")?;
        let world = Self(Arc::new(Inner {
            seed,
            dice,
            store,
            clock,
            aws,
            foreign: theirs,
            hubs,
            agents,
            cuts: Mutex::default(),
            lines: Mutex::default(),
            peace: Mutex::new(false),
            ledger: Mutex::default(),
            trace: Mutex::new(Trace {
                hash: 0xcbf2_9ce4_8422_2325,
                last: VecDeque::new(),
            }),
            began: Instant::now(),
        }));
        templates::publish(&hub::app(db, world.clock.clone())).await?;
        Ok(world)
    }

    pub(super) fn hubs(&self) -> &[Hub] {
        &self.0.hubs
    }

    pub(super) fn agents(&self) -> &[Agent] {
        &self.0.agents
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn cut(&self, agent: usize, hub: usize) -> Cut {
        self.0.cuts.lock().unwrap_or_else(PoisonError::into_inner)[agent][hub]
    }

    pub(super) fn set_cut(&self, agent: usize, hub: usize, cut: Cut) {
        self.0.cuts.lock().unwrap_or_else(PoisonError::into_inner)[agent][hub] = cut;
    }

    /// Whether nothing goes wrong any more.
    pub(super) fn at_peace(&self) -> bool {
        *self.0.peace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This way to AWS is slow as long as there is no peace.
    pub(super) fn slow(&self, line: &Line) {
        self.0
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line.clone());
    }

    /// From now on nothing goes wrong, and everybody lives.
    pub(super) fn make_peace(&self) {
        *self.0.peace.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.say("peace");
        for line in self
            .0
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            line.delay(self.0.dice.roll(u64::MAX), Duration::from_secs(2));
        }
        *self.0.cuts.lock().unwrap_or_else(PoisonError::into_inner) = [[Cut::default(); HUBS]; AGENTS];
        for hub in self.hubs() {
            if !hub.is_up() {
                hub.start(self);
            }
        }
        for agent in self.agents() {
            agent.thaw();
            if !agent.is_up() {
                agent.start(self);
            }
        }
    }

    /// Something happened.
    pub(super) fn say(&self, what: impl AsRef<str>) {
        let what = what.as_ref();
        let at = self.0.began.elapsed().as_micros();
        let mut trace = self.0.trace.lock().unwrap_or_else(PoisonError::into_inner);
        trace.hash = mix(mix(trace.hash, &at.to_be_bytes()), what.as_bytes());
        if trace.last.len() >= KEPT && !self.0.seed.tell {
            trace.last.pop_front();
        }
        let (seconds, micros) = (at / 1_000_000, at % 1_000_000);
        trace.last.push_back(format!("{seconds:>5}.{micros:06} {what}"));
    }

    /// A promise was broken.
    pub(super) fn broken(&self, what: impl Into<String>) {
        let what = what.into();
        self.say(format!("BROKEN: {what}"));
        let mut ledger = self.ledger();
        if !ledger.violations.contains(&what) && ledger.violations.len() < 20 {
            ledger.violations.push(what);
        }
    }

    pub(super) fn count(&self, what: &'static str) {
        *self.ledger().counts.entry(what).or_default() += 1;
    }

    pub(super) fn saw(&self, state: u64) {
        self.ledger().states.insert(state);
    }

    pub(super) fn story(&self, simulated: Duration) -> Story {
        let ended = checks::endings(self);
        let ledger = self.ledger();
        let trace = self.0.trace.lock().unwrap_or_else(PoisonError::into_inner);
        Story {
            seed: self.0.seed.number,
            hash: trace.hash,
            simulated,
            violations: ledger.violations.clone(),
            states: ledger.states.clone(),
            ended,
            last: trace.last.iter().cloned().collect(),
            counts: ledger.counts.clone(),
        }
    }
}
