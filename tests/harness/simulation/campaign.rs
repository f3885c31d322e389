//! The campaigns `simulation` and `seeded-bugs` of the fault harness.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hadron_proto::fault::Bug;

use super::{Story, bugs, run};
use crate::faults::{Options, Report};

/// Seeds that a mistake may take.
const MOST: u64 = 200;
/// After so many seeds it is said how far it is.
const SAY: u64 = 50;
/// Deployments end in these ways; a simulation that never gets there tests nothing.
const ENDINGS: [&str; 5] = [
    "SUCCEEDED",
    "FAILED",
    "CANCELLED",
    "DELETE_COMPLETE",
    "DELETE_FAILED",
];

#[derive(Default)]
struct Sum {
    seeds: u64,
    simulated: Duration,
    states: BTreeSet<u64>,
    ended: BTreeMap<String, u64>,
    happened: BTreeMap<&'static str, u64>,
    violations: Vec<String>,
}

impl Sum {
    fn add(&mut self, story: Story) {
        self.seeds += 1;
        self.simulated += story.simulated;
        self.states.extend(story.states);
        for (how, count) in story.ended {
            *self.ended.entry(how).or_default() += count;
        }
        for (what, count) in story.counts {
            *self.happened.entry(what).or_default() += count;
        }
    }
}

/// Runs seeds, one a cycle, from the campaign's own on.
///
/// # Errors
/// When a world cannot be made.
pub async fn simulation(options: &Options) -> Result<Report> {
    let (first, count, out) = (options.seed, options.cycles(40, 10_000), options.out.clone());
    tokio::task::spawn_blocking(move || simulate(first, count, &out)).await?
}

fn simulate(first: u64, count: u64, out: &Path) -> Result<Report> {
    let _well = bugs::none();
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (next, sum) = (AtomicU64::new(0), Mutex::new(Sum::default()));
    let work = || -> Result<()> {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                return Ok(());
            }
            let story = run((first + n).into())?;
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            if !story.violations.is_empty() {
                keep(out, &story)?;
                let again = format!(
                    "cargo xtask faults --only simulation --seed {} --count 1",
                    story.seed
                );
                let told = story.violations.join("; ");
                sum.violations
                    .push(format!("seed {}: {told} (again: {again})", story.seed));
            }
            sum.add(story);
            // Hours are stopped early now and then: what was done until then is not to be lost.
            if sum.seeds.is_multiple_of(SAY) {
                eprintln!(
                    "simulation: {} of {count} seeds, {} violations, {:.1} simulated hours, {} states, {:.0} s",
                    sum.seeds,
                    sum.violations.len(),
                    sum.simulated.as_secs_f64() / 3600.0,
                    sum.states.len(),
                    began.elapsed().as_secs_f64()
                );
            }
        }
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter()
            .try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("a simulation panicked"))?)
    })?;
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    if sum.seeds >= 40 {
        let missing = ENDINGS.into_iter().filter(|how| !sum.ended.contains_key(*how));
        let missing: Vec<String> = missing
            .map(|how| format!("no deployment ever ended as {how}"))
            .collect();
        sum.violations.extend(missing);
    }
    let mut report = Report::new("simulation", first);
    report.n = sum.seeds;
    report.violations = sum.violations;
    let seconds = began.elapsed().as_secs_f64();
    report.tell("seeds_per_minute", (sum.seeds as f64 * 60.0 / seconds).round());
    report.tell(
        "simulated_hours",
        (sum.simulated.as_secs_f64() / 36.0).round() / 100.0,
    );
    report.tell("distinct_states", sum.states.len());
    report.tell("deployments", serde_json::json!(sum.ended));
    report.tell("happened", serde_json::json!(sum.happened));
    Ok(report)
}

/// Writes the whole story of a seed that broke something.
fn keep(out: &Path, story: &Story) -> Result<()> {
    std::fs::create_dir_all(out).context("a folder for stories")?;
    let whole = run(super::Seed {
        number: story.seed,
        tell: true,
    })?;
    let file = out.join(format!("simulation-{}.txt", story.seed));
    std::fs::write(&file, whole.to_string()).with_context(|| format!("{}", file.display()))
}

/// Makes every mistake, each until it is found.
///
/// # Errors
/// When a world cannot be made.
pub async fn seeded_bugs(options: &Options) -> Result<Report> {
    let mut report = Report::new("seeded-bugs", options.seed);
    let first = options.seed;
    for bug in Bug::ALL
        .into_iter()
        .take(usize::try_from(options.cycles(9, 9)).unwrap_or(usize::MAX))
    {
        report.n += 1;
        match tokio::task::spawn_blocking(move || bugs::find(bug, first, MOST)).await? {
            Ok(found) => report.tell(
                &bug.to_string(),
                serde_json::json!({ "seeds": found.seeds, "violation": found.violation }),
            ),
            Err(why) => report.violations.push(why.to_string()),
        }
    }
    let unsynced = bugs::acknowledged_writes_that_nobody_sees().await?;
    report.tell("ack-before-commit, SQLite itself", unsynced);
    if unsynced == 0 {
        let why = "ack-before-commit was not found on the SQLite of a hub".to_owned();
        report.violations.push(why);
    }
    Ok(report)
}
