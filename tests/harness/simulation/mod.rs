//! A deterministic simulation: two hubs over one database, three agents, people, and everything that can go wrong between
//! them. One seed decides everything, so that a run can be repeated exactly.
//!
//! What is real: the hub's use cases, rules and reconcilers ([`App`](hadron_management::app::App)) with all their SQL, and
//! its end of sessions and calls; the agent's session, runner, journal and leases, and what it does to stacks and policies.
//! What is simulated: CloudFormation and ECR (`hadron_agent::fake`), what carries HTTP requests, the proof of identity, time,
//! and SQLite's threads. `management/docs/decisions/0018-simulation.md` says why.
//!
//! * [`run`] is one run; [`Seed`] says what happens in it.
//! * [`world`] is what everybody shares: dice, trace, what was promised. [`link`] carries calls between processes and
//!   loses them, [`wire`] those of agents, and their streams. [`hub`], [`agent`] and [`people`] are the actors, [`chaos`] is what happens to them.
//! * [`checks`] is what must be true: all the time, and in the end, when everything has been well for a while.
//! * [`bugs`] switches mistakes on and counts the seeds until one of them is found.

mod agent;
pub mod bugs;
pub mod campaign;
mod chaos;
mod checks;
mod hub;
mod link;
mod people;
mod templates;
mod wire;
mod world;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result};

pub use world::Seed;

use world::World;

/// How long things go wrong, of simulated time.
const TROUBLE: Duration = Duration::from_secs(600);
/// The longest that one attempt at a job may take, of simulated time.
const DEADLINE: Duration = Duration::from_secs(1_200);
/// How long after the end of all trouble everything must have ended.
const CONVERGENCE: Duration = Duration::from_secs(3 * 1_200);

/// What came of one run.
#[derive(Clone, Debug)]
pub struct Story {
    /// Which seed.
    pub seed: u64,
    /// Hash of everything that happened, in order.
    pub hash: u64,
    /// How much simulated time passed.
    pub simulated: Duration,
    /// Promises that were broken.
    pub violations: Vec<String>,
    /// Hashes of all states of the hub's tables that were seen.
    pub states: BTreeSet<u64>,
    /// How many deployments ended, by how.
    pub ended: std::collections::BTreeMap<String, u64>,
    /// What happened last, for people.
    pub last: Vec<String>,
    /// How often things happened.
    pub counts: std::collections::BTreeMap<&'static str, u64>,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.last {
            writeln!(f, "{line}")?;
        }
        write!(
            f,
            "seed {}: {:?}, {} states, hash {:016x}, {} violations",
            self.seed,
            self.ended,
            self.states.len(),
            self.hash,
            self.violations.len()
        )?;
        for violation in &self.violations {
            write!(f, "\n  {violation}")?;
        }
        Ok(())
    }
}

/// Runs one seed to its end.
///
/// # Errors
/// When the simulation itself cannot be set up; broken promises are part of the story.
pub fn run(seed: Seed) -> Result<Story> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .context("a runtime")?;
    let story = runtime.block_on(whole(seed));
    // Whatever still waits is dropped where it is.
    drop(runtime);
    story
}

async fn whole(seed: Seed) -> Result<Story> {
    let began = tokio::time::Instant::now();
    let world = World::new(seed).await?;
    for hub in world.hubs() {
        hub.start(&world);
    }
    for agent in world.agents() {
        agent.start(&world);
    }
    let watch = tokio::spawn(checks::watch(world.clone()));
    let people = tokio::spawn(people::live(world.clone()));
    let chaos = tokio::spawn(chaos::reign(world.clone()));
    tokio::time::sleep(TROUBLE).await;
    chaos.abort();
    people.abort();
    world.make_peace();
    let stuck = checks::converge(&world, CONVERGENCE).await;
    watch.abort();
    checks::in_the_end(&world, stuck);
    for hub in world.hubs() {
        hub.kill();
    }
    for agent in world.agents() {
        agent.kill();
    }
    Ok(world.story(began.elapsed()))
}

#[cfg(test)]
mod tests;
