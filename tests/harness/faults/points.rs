//! A process dies, as by a power cut, at every named point of [`POINTS`], the first time that it gets there and a later
//! time. It is started again, the world has to come to where it would have come, and every promise has to hold.
//!
//! * `cases`: which story gets a process to which point;
//! * `steps`: what stories are made of; `looks`: what they wait for;
//! * `yard`: a world in which stories are told, many after each other.
//!
//! Several worlds work through one list of cycles at the same time. A world lives for many cycles; one in which something
//! was found is put away with its logs.

mod cases;
mod looks;
mod steps;
mod yard;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::future::join_all;
use hadron_proto::fault::POINTS;

use self::cases::Case;
use self::yard::{Victim, Yard};
use super::{Chance, Options, Report, Times};

/// How often a story is told before it is taken for granted that it does not lead to its point.
const ROUNDS: u32 = 4;
/// How many cycles a world lives: what is looked at after each grows with what was done in it.
const WORLD: u32 = 30;
/// After so many cycles it is said how it goes.
const SAY: u64 = 25;
/// How often a world may fail to come up.
const BROKEN: u32 = 3;
/// How often a cycle is begun anew in which the process did not get to its point: where two race, it may lose.
const TRIES: u32 = 3;

/// One process killed at one point.
#[derive(Clone, Copy, Debug)]
struct Cycle {
    case: &'static Case,
    /// The process dies when it gets there for the so-many-th time.
    occurrence: u32,
    /// And once more, in its recovery.
    again: Option<&'static Case>,
    /// The agent finds its disk empty afterwards.
    disk: bool,
    /// How often the process did not get there.
    missed: u32,
}

/// How a cycle ended.
#[derive(Debug)]
enum Found {
    /// As it should, so long after the start of the process that had died.
    Converged(Duration),
    /// Nobody died.
    Missed(String),
    /// A promise is broken.
    Broken(String),
}

impl Cycle {
    const fn at(case: &'static Case, occurrence: u32) -> Self {
        Self {
            case,
            occurrence,
            again: None,
            disk: false,
            missed: 0,
        }
    }

    /// For people.
    fn name(&self) -> String {
        let mut name = format!("{}@{}", self.case.point, self.occurrence);
        if let Some(again) = self.again {
            name.push_str(&format!(", then {}", again.point));
        }
        if self.disk {
            name.push_str(", with an empty disk");
        }
        name
    }
}

/// Kills at every point: in the short form once each, in the full form ten times each, the first time that a process gets
/// there and later times in turn.
pub(super) async fn campaign(options: &Options) -> Result<Report> {
    let points = cases::CASES.len() as u64;
    let count = options.cycles(points, 10 * points);
    let mut chance = options.chance("points");
    let mut cycles = VecDeque::new();
    let mut turn = 0;
    while (cycles.len() as u64) < count {
        let mut round: Vec<&'static Case> = cases::CASES.iter().collect();
        shuffle(&mut round, &mut chance);
        let left = usize::try_from(count).unwrap_or(usize::MAX) - cycles.len();
        let next = round.into_iter().take(left).map(|case| {
            let occurrences = case.occurrences();
            Cycle::at(case, occurrences[turn % occurrences.len()])
        });
        cycles.extend(next);
        turn += 1;
    }
    let mut report = work("points", cycles, options).await?;
    report.tell("points", POINTS.len());
    Ok(report)
}

/// The process that was started after a death dies as well, at another point.
pub(super) async fn double_crash(options: &Options) -> Result<Report> {
    let count = options.cycles(8, 200);
    let mut chance = options.chance("double-crash");
    let pairs = cases::pairs();
    let cycles = (0..count).map(|_| {
        let (first, again) = *chance.one(&pairs);
        Cycle {
            again: Some(again),
            ..Cycle::at(first, 1)
        }
    });
    let cycles = cycles.collect();
    work("double-crash", cycles, options).await
}

/// The machine of a killed agent is gone, and with it key, certificate and journal.
pub(super) async fn disk_loss(options: &Options) -> Result<Report> {
    let count = options.cycles(6, 100);
    let mut chance = options.chance("disk-loss");
    let cases: Vec<&'static Case> = cases::CASES
        .iter()
        .filter(|case| case.victim.account().is_some())
        .collect();
    let cycles = (0..count).map(|_| {
        let case = *chance.one(&cases);
        Cycle {
            disk: true,
            ..Cycle::at(case, *chance.one(case.occurrences()))
        }
    });
    let cycles = cycles.collect();
    work("disk-loss", cycles, options).await
}

fn shuffle<T>(items: &mut [T], chance: &mut Chance) {
    for end in (1..items.len()).rev() {
        let at = usize::try_from(chance.below(end as u64 + 1)).unwrap_or(0);
        items.swap(end, at);
    }
}

/// What workers share.
#[derive(Debug, Default)]
struct Ledger {
    left: VecDeque<Cycle>,
    done: u64,
    deaths: u64,
    times: Times,
    slowest: BTreeMap<String, u64>,
    violations: Vec<String>,
    reached: BTreeSet<&'static str>,
    broken: u32,
}

async fn work(name: &str, cycles: VecDeque<Cycle>, options: &Options) -> Result<Report> {
    let began = Instant::now();
    let ledger = Mutex::new(Ledger {
        left: cycles,
        ..Ledger::default()
    });
    // Worlds mostly wait: for leases to run out, for processes to start.
    let worlds = std::thread::available_parallelism().map_or(2, std::num::NonZero::get) + 1;
    let workers = (0..worlds).map(|number| worker(number, name, &ledger, options));
    for ended in join_all(workers).await {
        ended?;
    }
    let ledger = ledger
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut report = Report::new(name, options.seed);
    report.n = ledger.done;
    report.violations = ledger.violations;
    report.time(&ledger.times);
    report.tell("deaths", ledger.deaths);
    report.tell("points_reached", ledger.reached.len());
    report.tell("worlds", worlds);
    report.tell("seconds", began.elapsed().as_secs());
    let mut slowest: Vec<(String, u64)> = ledger.slowest.into_iter().collect();
    slowest.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    slowest.truncate(5);
    let slowest: serde_json::Map<_, _> = slowest
        .into_iter()
        .map(|(name, time)| (name, time.into()))
        .collect();
    report.tell("slowest_ms", slowest);
    Ok(report)
}

/// One world after another, one cycle after another, until none is left.
async fn worker(number: usize, name: &str, ledger: &Mutex<Ledger>, options: &Options) -> Result<()> {
    let book = || ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut yard: Option<Yard> = None;
    let mut lived = 0;
    loop {
        let Some(cycle) = book().left.pop_front() else {
            return Ok(());
        };
        let mut own = match yard.take() {
            Some(yard) if lived < WORLD => yard,
            _ => {
                lived = 0;
                Box::pin(Yard::new())
                    .await
                    .context("a world for the next cycles")?
            }
        };
        lived += 1;
        // Large, and rarely made: on the heap.
        match Box::pin(run(&mut own, &cycle)).await {
            Ok((_, Found::Missed(why))) if cycle.missed < TRIES => {
                eprintln!("{}: {why}; once more", cycle.name());
                book().left.push_back(Cycle {
                    missed: cycle.missed + 1,
                    ..cycle
                });
            }
            Ok((deaths, found)) => {
                let mut book = book();
                book.done += 1;
                book.deaths += u64::from(deaths);
                if book.done % SAY == 0 {
                    let (done, left) = (book.done, book.left.len());
                    let (half, most) = (book.times.percentile(50.0), book.times.percentile(100.0));
                    let (reached, bad) = (book.reached.len(), book.violations.len());
                    eprintln!(
                        "{name}: {done} cycles, {left} to go, {reached} points, {bad} violations, ms to converge {half:?} to {most:?}"
                    );
                }
                if deaths > 0 {
                    book.reached.insert(cycle.case.point);
                }
                match found {
                    Found::Converged(time) => {
                        book.times.push(time);
                        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                        let slowest = book.slowest.entry(cycle.name()).or_default();
                        *slowest = millis.max(*slowest);
                        yard = Some(own);
                    }
                    Found::Missed(what) | Found::Broken(what) => {
                        let file = format!("{name}-{number}-{}.log", book.done);
                        let kept = keep(&options.out, &file, &own, &what);
                        eprintln!("violation at {}: {what} ({kept})", cycle.name());
                        book.violations
                            .push(format!("{}: {what} (logs: {file})", cycle.name()));
                    }
                }
            }
            // The harness's own trouble; another world may do better.
            Err(error) => {
                eprintln!("{}: {error:#}", cycle.name());
                let mut book = book();
                book.broken += 1;
                if book.broken > BROKEN {
                    return Err(error).with_context(|| format!("cycle {}", cycle.name()));
                }
                book.left.push_back(cycle);
            }
        }
    }
}

/// Keeps the logs of a world in which something was found.
fn keep(out: &Path, file: &str, yard: &Yard, what: &str) -> String {
    let text = format!("{what}\n\n{}", yard.logs());
    match std::fs::create_dir_all(out).and_then(|()| std::fs::write(out.join(file), text)) {
        Ok(()) => out.join(file).display().to_string(),
        Err(error) => format!("its logs could not be kept: {error}"),
    }
}

/// One cycle. Errors are the harness's; how many processes died, and how it ended.
async fn run(yard: &mut Yard, cycle: &Cycle) -> Result<(u32, Found)> {
    let Cycle { case, occurrence, .. } = *cycle;
    let story = case.story;
    yard.prepare(story)
        .await
        .with_context(|| format!("before {}", cycle.name()))?;
    yard.arm(case.victim, &format!("{}=kill@{occurrence}", case.point))
        .await?;
    if let Some(found) = until_dead(yard, case, story).await {
        return Ok((0, found));
    }
    if let Err(why) = died(yard, case, occurrence).await? {
        return Ok((0, Found::Broken(why)));
    }
    let mut deaths = 1;
    if cycle.disk
        && let Some(account) = case.victim.account()
    {
        yard.lose_disk(account)?;
    }
    if let Some(again) = cycle.again {
        yard.arm(again.victim, &format!("{}=kill", again.point)).await?;
        // Where recovery does not come by the second point, the first death was enough.
        if yard.until_settled_or_dead(again.victim).await? {
            if let Err(why) = died(yard, again, 1).await? {
                return Ok((deaths, Found::Broken(why)));
            }
            deaths += 1;
        }
    }
    let began = Instant::now();
    let recovered = async {
        yard.revive().await?;
        yard.settle().await?;
        yard.rests().await?;
        let time = began.elapsed();
        yard.holds().await?;
        Ok::<_, anyhow::Error>(time)
    };
    Ok(match recovered.await {
        Ok(time) => (deaths, Found::Converged(time)),
        Err(error) => (deaths, Found::Broken(format!("{error:#}"))),
    })
}

/// Tells the story until the process is dead; else it never died, or the story itself went wrong.
async fn until_dead(yard: &mut Yard, case: &Case, story: cases::Story) -> Option<Found> {
    for _ in 0..ROUNDS {
        match yard.tell(story, case.victim).await {
            Ok(true) => return None,
            Ok(false) => {}
            Err(error) => return Some(Found::Broken(format!("without a death: {error:#}"))),
        }
    }
    let why = format!("not reached in {ROUNDS} rounds of {story:?}");
    Some(Found::Missed(why))
}

/// Whether the victim died by its own hand, at the point.
async fn died(yard: &mut Yard, case: &Case, occurrence: u32) -> Result<Result<(), String>> {
    let status = yard.ended(case.victim).await?;
    if status.signal() != Some(9) {
        return Ok(Err(format!(
            "{:?} ended with {status} instead of being killed",
            case.victim
        )));
    }
    let reached = yard.reached(case.point);
    if reached < occurrence {
        return Ok(Err(format!(
            "{:?} died, but its log has {} only {reached} times",
            case.victim, case.point
        )));
    }
    Ok(Ok(()))
}

impl Victim {
    /// The account whose agent it is.
    const fn account(self) -> Option<&'static str> {
        match self {
            Self::Agent(account) => Some(account),
            Self::Hub | Self::Newborn => None,
        }
    }
}
