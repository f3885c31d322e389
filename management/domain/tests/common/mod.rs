//! What the tests of the rules share: repeatable randomness, short ids and times, and checked-in tables.

#![allow(dead_code, reason = "every test binary uses its part")]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use hadron_domain::grant::Repository;
use hadron_domain::principal::{Principal, Signed};
use hadron_proto::vocab::{AccountId, Id, IdKind, InstanceName, Timestamp};

/// `SplitMix64`: small, fast, and the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound as u64)).expect("it is less than a usize")
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// The seeds of a run: always the same, or the one that `HADRON_WALK_SEED` names.
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no wiring to be given values by"
)]
pub(crate) fn asked_seed() -> Option<u64> {
    let text = std::env::var("HADRON_WALK_SEED").ok()?;
    Some(text.parse().expect("HADRON_WALK_SEED must be a whole number"))
}

pub(crate) fn id<K: IdKind>(number: u64) -> Id<K> {
    Id::from_parts(number, [0; 10])
}

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.plus(Duration::from_secs(seconds))
}

pub(crate) fn signed(seconds: u64) -> Signed {
    Signed {
        who: Principal::new("somebody"),
        at: at(seconds),
    }
}

pub(crate) fn account(number: u64) -> AccountId {
    format!("{number:012}").parse().unwrap()
}

pub(crate) fn repository(name: &str) -> Repository {
    Repository {
        registry: account(1),
        region: "eu-central-1".parse().unwrap(),
        name: name.parse().unwrap(),
    }
}

pub(crate) fn instance(name: &str) -> InstanceName {
    name.parse().unwrap()
}

/// A text in which ids and times are short enough to be read.
pub(crate) struct Tidy(Vec<(String, String)>);

impl Tidy {
    pub(crate) fn new() -> Self {
        let mut times: Vec<_> = (0..=60)
            .map(|second| (at(second).to_string(), format!("t{second}")))
            .collect();
        times.push(("\"somebody\"".to_owned(), "somebody".to_owned()));
        Self(times)
    }

    pub(crate) fn name<K: IdKind>(mut self, what: Id<K>, name: &str) -> Self {
        self.0.push((format!("{what:?}"), name.to_owned()));
        self.0.push((what.to_string(), name.to_owned()));
        self
    }

    pub(crate) fn word(mut self, what: &str, name: &str) -> Self {
        self.0.push((what.to_owned(), name.to_owned()));
        self
    }

    pub(crate) fn tidy(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }
}

/// Compares with `tests/golden/<name>.txt`, or writes it when `HADRON_BLESS` is set.
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no wiring to be given values by"
)]
pub(crate) fn golden(name: &str, found: &str) {
    let path: PathBuf = [
        env!("CARGO_MANIFEST_DIR"),
        "tests",
        "golden",
        &format!("{name}.txt"),
    ]
    .iter()
    .collect();
    if std::env::var("HADRON_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(&path, found).expect("the table can be written");
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    if kept == found {
        return;
    }
    let mut difference = String::new();
    let (mut old, mut new) = (kept.lines(), found.lines());
    loop {
        match (old.next(), new.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                for (sign, line) in [('-', a), ('+', b)] {
                    if let Some(line) = line {
                        let _ = writeln!(difference, "{sign} {line}");
                    }
                }
            }
        }
    }
    panic!(
        "tests/golden/{name}.txt says otherwise; run with HADRON_BLESS=1 if the change is meant\n{difference}"
    );
}
