//! Fuzzing of everything that strangers write: each target is a plain function from bytes to what came of them, which panics
//! when a promise is broken.
//!
//! Two engines run the same functions. The one in [`run`] needs nothing but the stable toolchain: it mutates a corpus and
//! keeps what leads to an outcome that was not seen before (a refusal with another code, a result of another shape). The other
//! is libFuzzer, guided by coverage, for long runs: `tests/fuzz` is its workspace, and needs a nightly toolchain and
//! `cargo-fuzz`. Corpora are in `tests/fuzz/corpus`, written by hand or made by [`seeds`]; what crashed once is in
//! `tests/fuzz/crashes` and is run again with each test.

mod guided;
mod messages;
mod mutate;
mod seeds;
mod targets;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::faults::Chance;
use crate::paths;

/// What came of an input, as a word of few: what the mutator looks for more of.
pub type Outcome = String;

/// A function to be fuzzed.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, on the command line and in `tests/fuzz`.
    pub name: &'static str,
    /// What it reads, and what has to hold: a sentence without a full stop.
    pub what: &'static str,
    /// The function.
    pub run: fn(&[u8]) -> Outcome,
    /// Words that its language has.
    pub words: &'static [&'static str],
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

pub use guided::{Guided, build, guided};
pub use targets::TARGETS;

/// A target by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// What a run found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The target.
    pub target: String,
    /// Where chance began.
    pub seed: u64,
    /// How often the function was called.
    pub executions: u64,
    /// How often in a second.
    pub per_second: u64,
    /// Inputs of the corpus that it began with.
    pub corpus: usize,
    /// Different outcomes.
    pub outcomes: usize,
    /// The longest single call, in milliseconds.
    pub longest_ms: u64,
    /// Inputs that broke a promise, each in its file.
    pub crashes: Vec<String>,
}

impl Report {
    /// One line of JSON.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }
}

/// Where the corpora are.
#[must_use]
pub fn folder() -> PathBuf {
    paths::root().join("tests/fuzz")
}

/// Every file of a folder, in the order of their names; nothing when there is no such folder.
fn files(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).with_context(|| format!("{}", path.display())))
        .collect()
}

/// The inputs that a target begins with: made ones, those of its corpus, and all that ever crashed.
///
/// # Errors
/// When a file cannot be read.
pub fn corpus(target: &Target) -> Result<Vec<Vec<u8>>> {
    let mut all = seeds::of(target.name);
    for kind in ["corpus", "crashes"] {
        all.extend(files(&folder().join(kind).join(target.name))?);
    }
    Ok(all)
}

/// The longest input.
const LONGEST: usize = 64 * 1024;

/// Calls the target with one input.
fn once(target: &Target, input: &[u8]) -> Result<Outcome, String> {
    catch_unwind(AssertUnwindSafe(|| (target.run)(input))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "a panic without words".to_owned())
    })
}

/// Fuzzes a target for this long, in a thread with as much of a stack as the hub's renderers have.
///
/// # Errors
/// When the corpus cannot be read, or a crash cannot be written down.
pub fn run(target: &'static Target, time: Duration, seed: u64, crashes: &Path) -> Result<Report> {
    let crashes = crashes.join(target.name);
    let work = move || fuzz(target, time, seed, &crashes);
    let thread = std::thread::Builder::new()
        .name(target.name.to_owned())
        .stack_size(16 << 20)
        .spawn(work);
    let joined = thread.context("a thread")?.join();
    joined.map_err(|_| anyhow::anyhow!("the fuzzer itself panicked"))?
}

fn fuzz(target: &Target, time: Duration, seed: u64, crashes: &Path) -> Result<Report> {
    let mut chance = Chance::named(seed, target.name);
    let mut pool = corpus(target)?;
    if pool.is_empty() {
        pool.push(Vec::new());
    }
    let mut report = Report {
        target: target.name.to_owned(),
        seed,
        corpus: pool.len(),
        ..Report::default()
    };
    let (mut seen, mut told) = (BTreeSet::new(), BTreeSet::new());
    let began = Instant::now();
    let mut first = 0;
    while first < pool.len() || began.elapsed() < time {
        let input = if first < pool.len() && first < report.corpus {
            first += 1;
            pool[first - 1].clone()
        } else {
            first = pool.len();
            let mut input = chance.one(&pool).clone();
            for _ in 0..=chance.below(4) {
                mutate::once(&mut input, &pool, target.words, &mut chance);
            }
            input.truncate(LONGEST);
            input
        };
        let one = Instant::now();
        let outcome = once(target, &input);
        report.longest_ms = report
            .longest_ms
            .max(u64::try_from(one.elapsed().as_millis()).unwrap_or(u64::MAX));
        report.executions += 1;
        match outcome {
            Ok(outcome) => {
                if seen.insert(outcome) && report.executions > report.corpus as u64 {
                    pool.push(input);
                    first = pool.len();
                }
            }
            Err(why) => {
                // One of each kind is enough.
                let kind: String = why.chars().filter(|c| !c.is_ascii_digit()).take(80).collect();
                if told.insert(kind) {
                    std::fs::create_dir_all(crashes).context("a folder for crashes")?;
                    let file = crashes.join(hadron_proto::vocab::Digest::of(&input).hex());
                    std::fs::write(&file, &input).context("a crash")?;
                    report.crashes.push(format!("{}: {why}", file.display()));
                }
            }
        }
    }
    report.outcomes = seen.len();
    report.per_second = (report.executions as f64 / began.elapsed().as_secs_f64().max(0.001)) as u64;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaks(input: &[u8]) -> Outcome {
        assert!(!input.starts_with(b"ab"), "it begins with ab");
        format!("{:?}", input.first())
    }

    /// The engine finds what is there to be found, and writes it down.
    #[test]
    fn a_broken_promise_is_found_and_written_down() {
        const BROKEN: Target = Target {
            name: "no-such-target",
            what: "",
            run: breaks,
            words: &["ab"],
        };
        static TARGET: Target = BROKEN;
        let folder = tempfile::tempdir().expect("a folder");
        let report = run(&TARGET, Duration::from_secs(2), 1, folder.path()).expect("it runs");
        assert_eq!(report.crashes.len(), 1, "{report:?}");
        let kept = files(&folder.path().join("no-such-target")).expect("the crash");
        assert!(kept[0].starts_with(b"ab"), "{kept:?}");
    }

    #[test]
    fn every_message_is_in_the_list() {
        use prost::Message as _;
        let set =
            prost_types::FileDescriptorSet::decode(hadron_proto::wire::DESCRIPTORS).expect("the descriptors");
        let mut wanted: Vec<String> = set
            .file
            .iter()
            .filter(|file| file.package() == "hadron.v1")
            .flat_map(|file| file.message_type.iter().map(|message| message.name().to_owned()))
            .collect();
        let mut listed: Vec<String> = messages::MESSAGES
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        wanted.sort();
        listed.sort();
        assert_eq!(listed, wanted);
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TARGETS.len());
    }
}
