//! Goes through the audit log once, in the order of its numbers, and says what is amiss.

use std::collections::BTreeMap;
use std::fmt;

use super::{Checkpoint, NOTHING, Pin, Pinning, Record};

/// How many things that are amiss are kept; beyond that they are only counted.
const KEPT: usize = 1_000;
/// How many altered rows are compared with each other for having been exchanged.
const COMPARED: usize = 64;

/// What is amiss with the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Amiss {
    /// A row is not what was written.
    Altered {
        /// Which.
        sequence: i64,
    },
    /// Two rows have taken each other's place.
    Exchanged {
        /// The first.
        one: i64,
        /// The second.
        other: i64,
    },
    /// Rows are missing.
    Missing {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
    /// Rows that no number was given for.
    Added {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
    /// Rows have no hash, and none that is part of the chain says what they are.
    Unchained {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
    /// Rows of before the chain are not what the row says that pinned them.
    Unpinned {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
        /// The row that pinned them.
        by: i64,
    },
    /// A row and everything after it was written anew, hashes included: a signed checkpoint says something else.
    Rewritten {
        /// The first row that may have been.
        from: i64,
        /// The row of the checkpoint.
        to: i64,
        /// The checkpoint.
        checkpoint: Checkpoint,
    },
    /// The end is missing, by a signed checkpoint.
    CutOff {
        /// The last row that is there; 0 for none.
        last: i64,
        /// The checkpoint.
        checkpoint: Checkpoint,
    },
    /// The end is missing, by what the hub remembers of numbers that it gave.
    Ends {
        /// The last row that is there; 0 for none.
        last: i64,
        /// The last number that was given.
        drawn: i64,
        /// Who says so.
        known: &'static str,
    },
}

impl Amiss {
    /// The checkpoint that tells, where one does.
    #[must_use]
    pub const fn checkpoint(&self) -> Option<&Checkpoint> {
        match self {
            Self::Rewritten { checkpoint, .. } | Self::CutOff { checkpoint, .. } => Some(checkpoint),
            _ => None,
        }
    }
}

struct Rows(i64, i64);

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(from, to) if from == to => write!(f, "row {from}"),
            Self(from, to) => write!(f, "rows {from} to {to}"),
        }
    }
}

impl fmt::Display for Amiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered { sequence } => {
                write!(
                    f,
                    "row {sequence} was altered: its hash is not that of its content"
                )
            }
            Self::Exchanged { one, other } => {
                write!(
                    f,
                    "rows {one} and {other} were exchanged: each has the content of the other"
                )
            }
            Self::Missing { from, to } => write!(
                f,
                "{} removed: the numbers before and after are there",
                Were(from, to)
            ),
            Self::Added { from, to } => {
                write!(f, "{} put in: no number was ever given for that", Were(from, to))
            }
            Self::Unchained { from, to } => write!(
                f,
                "{} without a hash, and no row of the chain says what was there: written by hand, or by a hub of a release \
                 before this one a minute ago or less",
                Are(from, to)
            ),
            Self::Unpinned { from, to, by } => write!(
                f,
                "{} altered, removed or put in among: row {by} remembers something else of that time",
                Were(from, to)
            ),
            Self::Rewritten { from, to, checkpoint } => write!(
                f,
                "{} rewritten, or one of them: the hashes are right, but the checkpoint of {} for row {} is signed for another one",
                Were(from, to),
                checkpoint.at,
                checkpoint.sequence
            ),
            Self::CutOff { last, checkpoint } => write!(
                f,
                "{} cut off at the end: the checkpoint of {} is signed for row {}",
                Were(&(last + 1), &checkpoint.sequence),
                checkpoint.at,
                checkpoint.sequence
            ),
            Self::Ends { last, drawn, known } => write!(
                f,
                "{} cut off at the end: {known} up to {drawn}",
                Were(&(last + 1), drawn)
            ),
        }
    }
}

/// "row 3 was", "rows 3 to 5 were".
struct Were<'a>(&'a i64, &'a i64);

impl fmt::Display for Were<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.0 == self.1 { "was" } else { "were" };
        write!(f, "{} {verb}", Rows(*self.0, *self.1))
    }
}

struct Are<'a>(&'a i64, &'a i64);

impl fmt::Display for Are<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.0 == self.1 { "is" } else { "are" };
        write!(f, "{} {verb}", Rows(*self.0, *self.1))
    }
}

/// What is known about the log beside its rows.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The pins of its rows, each with the number of the row.
    pub pins: Vec<(i64, Pin)>,
    /// Checkpoints whose signatures are good.
    pub checkpoints: Vec<Checkpoint>,
    /// The last number that was given, by the database's own count.
    pub drawn: Option<i64>,
    /// The last number that the hub has seen, by what it wrote down outside the database.
    pub seen: Option<i64>,
}

/// What there was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many rows.
    pub rows: u64,
    /// How many of them have a hash.
    pub chained: u64,
    /// The last row.
    pub last: i64,
    /// Its hash; empty when it has none.
    pub hash: String,
    /// The last row that a good checkpoint agrees with; 0 for none.
    pub agreed: i64,
    /// How many checkpoints agree.
    pub checkpoints: u64,
    /// What is amiss, the first of it.
    pub amiss: Vec<Amiss>,
    /// How much is amiss altogether.
    pub count: u64,
}

impl Verdict {
    fn amiss(&mut self, what: Amiss) {
        self.count += 1;
        if self.amiss.len() < KEPT {
            self.amiss.push(what);
        }
    }
}

/// The row before, as far as the next one has to know it.
struct Before {
    sequence: i64,
    stored: Option<String>,
    /// What its hash should be; differs from the stored one when the row was found altered.
    computed: Option<String>,
}

/// A pin while its rows go by.
struct Pinned {
    by: i64,
    pin: Pin,
    pinning: Pinning,
    rows: i64,
    after: bool,
}

/// A row that is not what was written.
struct Altered {
    record: Record,
    stored: String,
    /// The hash of the row before it.
    follows: String,
}

impl Altered {
    /// Whether this is what was written at the place of the other. Its hash went with it, or stayed behind.
    fn belongs_to(&self, other: &Self) -> bool {
        let there = Record {
            sequence: other.record.sequence,
            ..self.record.clone()
        };
        let hashes = [&other.follows, &other.stored].map(|before| there.hash(before));
        hashes.contains(&self.stored) || hashes.contains(&other.stored)
    }
}

/// Takes the rows one by one.
pub struct Verifier {
    pinned: Vec<Pinned>,
    checkpoints: BTreeMap<i64, Vec<Checkpoint>>,
    drawn: Option<i64>,
    seen: Option<i64>,
    before: Option<Before>,
    /// Rows without a hash that nobody pinned, not told yet.
    unchained: Option<(i64, i64)>,
    /// The first altered rows, to be compared with each other at the end.
    altered: Vec<Altered>,
    verdict: Verdict,
}

impl Verifier {
    /// Before the first row.
    #[must_use]
    pub fn new(known: Known) -> Self {
        let mut checkpoints: BTreeMap<i64, Vec<Checkpoint>> = BTreeMap::new();
        for checkpoint in known.checkpoints {
            checkpoints
                .entry(checkpoint.sequence)
                .or_default()
                .push(checkpoint);
        }
        let pinned = known.pins.into_iter().map(|(by, pin)| Pinned {
            by,
            after: pin.after == NOTHING,
            pin,
            pinning: Pinning::default(),
            rows: 0,
        });
        Self {
            pinned: pinned.collect(),
            checkpoints,
            drawn: known.drawn,
            seen: known.seen,
            before: None,
            unchained: None,
            altered: Vec::new(),
            verdict: Verdict::default(),
        }
    }

    /// How many rows there were so far.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.verdict.rows
    }

    /// The last number that was given, where it is only known now.
    pub const fn drawn(&mut self, drawn: i64) {
        self.drawn = Some(drawn);
    }

    /// The next row, and the hash that is stored with it. Rows come in the order of their numbers.
    pub fn row(&mut self, record: &Record, stored: Option<&str>) {
        let sequence = record.sequence;
        self.verdict.rows += 1;
        if sequence < 1 {
            self.verdict.amiss(Amiss::Added {
                from: sequence,
                to: sequence,
            });
            return;
        }
        let last = self.before.as_ref().map_or(0, |before| before.sequence);
        if sequence > last + 1 {
            self.missing(last + 1, sequence - 1);
        }
        for pinned in &mut self.pinned {
            if sequence == pinned.pin.from - 1 {
                pinned.after = stored == Some(pinned.pin.after.as_str());
            }
            if (pinned.pin.from..=pinned.pin.to).contains(&sequence) {
                pinned.pinning.row(record);
                pinned.rows += 1;
            }
        }
        let computed = match stored {
            Some(stored) => Some(self.chained(record, stored, last)),
            None => {
                self.without(sequence);
                None
            }
        };
        self.compare(sequence, stored);
        self.verdict.last = sequence;
        self.before = Some(Before {
            sequence,
            stored: stored.map(str::to_owned),
            computed,
        });
    }

    /// A row with a hash; gives what its hash should be.
    fn chained(&mut self, record: &Record, stored: &str, last: i64) -> String {
        let sequence = record.sequence;
        self.verdict.chained += 1;
        self.tell_unchained();
        let before = self.before.as_ref().filter(|_| sequence == last + 1);
        let follows: Vec<String> = match before {
            None if sequence == 1 => vec![NOTHING.to_owned()],
            // What it followed is gone, which is told already.
            None => return stored.to_owned(),
            Some(Before { stored: None, .. }) => vec![NOTHING.to_owned()],
            // One that was altered in its hash is told once, and not again for the row behind it.
            Some(Before { stored, computed, .. }) => stored.iter().chain(computed).cloned().collect(),
        };
        if follows.iter().any(|before| record.hash(before) == stored) {
            return stored.to_owned();
        }
        self.verdict.amiss(Amiss::Altered { sequence });
        let first = follows.into_iter().next().unwrap_or_default();
        let computed = record.hash(&first);
        if self.altered.len() < COMPARED {
            self.altered.push(Altered {
                record: record.clone(),
                stored: stored.to_owned(),
                follows: first,
            });
        }
        computed
    }

    /// A row without a hash.
    fn without(&mut self, sequence: i64) {
        let covers = |pinned: &Pinned| (pinned.pin.from..=pinned.pin.to).contains(&sequence);
        if self.pinned.iter().any(covers) {
            return;
        }
        match &mut self.unchained {
            Some((_, to)) if *to + 1 == sequence => *to = sequence,
            _ => {
                self.tell_unchained();
                self.unchained = Some((sequence, sequence));
            }
        }
    }

    fn tell_unchained(&mut self) {
        if let Some((from, to)) = self.unchained.take() {
            self.verdict.amiss(Amiss::Unchained { from, to });
        }
    }

    fn missing(&mut self, from: i64, to: i64) {
        self.tell_unchained();
        self.verdict.amiss(Amiss::Missing { from, to });
    }

    /// What checkpoints say of the row.
    fn compare(&mut self, sequence: i64, stored: Option<&str>) {
        for checkpoint in self.checkpoints.remove(&sequence).unwrap_or_default() {
            if stored == Some(checkpoint.hash.as_str()) {
                self.verdict.agreed = sequence;
                self.verdict.checkpoints += 1;
            } else {
                self.verdict.amiss(Amiss::Rewritten {
                    from: self.verdict.agreed + 1,
                    to: sequence,
                    checkpoint,
                });
            }
        }
    }

    /// After the last row.
    #[must_use]
    pub fn finish(mut self) -> Verdict {
        self.tell_unchained();
        let last = self.verdict.last;
        if let Some(before) = self.before.take() {
            self.verdict.hash = before.stored.unwrap_or_default();
        }
        for pinned in std::mem::take(&mut self.pinned) {
            let Pinned {
                by,
                pin,
                pinning,
                rows,
                after,
            } = pinned;
            if !after || rows != pin.to - pin.from + 1 || pinning.hash() != pin.hash {
                let (from, to) = (pin.from, pin.to);
                self.verdict.amiss(Amiss::Unpinned { from, to, by });
            }
        }
        // Of rows beyond the end only the farthest checkpoint has something to say.
        if let Some((_, beyond)) = self.checkpoints.split_off(&(last + 1)).pop_last()
            && let Some(checkpoint) = beyond.into_iter().next()
        {
            self.verdict.amiss(Amiss::CutOff { last, checkpoint });
        }
        let counts = [
            (self.drawn, "the database has given numbers"),
            (self.seen, "the hub has seen rows"),
        ];
        let beyond = counts
            .into_iter()
            .filter_map(|(drawn, known)| Some((drawn?, known)));
        if let Some((drawn, known)) = beyond.filter(|(drawn, _)| *drawn > last).max() {
            self.verdict.amiss(Amiss::Ends { last, drawn, known });
        }
        if let Some(drawn) = self.drawn.filter(|drawn| *drawn < last) {
            self.verdict.amiss(Amiss::Added {
                from: drawn + 1,
                to: last,
            });
        }
        self.exchanged();
        self.verdict
    }

    /// Of altered rows: which have only changed places.
    fn exchanged(&mut self) {
        let altered = std::mem::take(&mut self.altered);
        let mut told = std::collections::BTreeSet::new();
        let mut found = Vec::new();
        for (at, one) in altered.iter().enumerate() {
            for other in altered[at + 1..]
                .iter()
                .filter(|other| one.belongs_to(other) && other.belongs_to(one))
            {
                let (first, second) = (one.record.sequence, other.record.sequence);
                told.extend([first, second]);
                found.push(Amiss::Exchanged {
                    one: first,
                    other: second,
                });
                // Where the hashes went along, what comes behind them seems altered too.
                for behind in &altered {
                    let before = match behind.record.sequence {
                        sequence if sequence == first + 1 => &other.stored,
                        sequence if sequence == second + 1 => &one.stored,
                        _ => continue,
                    };
                    if behind.record.hash(before) == behind.stored {
                        told.insert(behind.record.sequence);
                    }
                }
            }
        }
        self.verdict
            .amiss
            .retain(|what| !matches!(what, Amiss::Altered { sequence } if told.contains(sequence)));
        self.verdict.count = self.verdict.count.saturating_sub(told.len() as u64) + found.len() as u64;
        self.verdict.amiss.extend(found);
    }
}
