//! How many of something lasted how long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts lengths of time by limits. Many may count at once.
#[derive(Debug)]
pub struct Histogram {
    limits: &'static [f64],
    /// One for each limit, and one for what is longer than all of them.
    counts: Box<[AtomicU64]>,
    micros: AtomicU64,
}

impl Histogram {
    /// Nothing counted yet, between these limits in seconds, which rise.
    #[must_use]
    pub fn new(limits: &'static [f64]) -> Self {
        Self {
            limits,
            counts: (0..=limits.len()).map(|_| AtomicU64::new(0)).collect(),
            micros: AtomicU64::new(0),
        }
    }

    /// Counts one.
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let place = self.limits.iter().take_while(|limit| seconds > **limit).count();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn read(&self) -> Distribution {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        Distribution {
            limits: self.limits.to_vec(),
            counts: counts.collect(),
            micros: self.micros.load(Ordering::Relaxed),
        }
    }
}

/// What was counted between limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// The limits in seconds, which rise.
    pub limits: Vec<f64>,
    /// How many did not last longer than each limit and longer than the one before; last, those that lasted longer than all.
    pub counts: Vec<u64>,
    /// How long all of them lasted together, in microseconds.
    pub micros: u64,
}

impl Distribution {
    /// Nothing, between these limits.
    #[must_use]
    pub fn between(limits: &[f64]) -> Self {
        Self {
            limits: limits.to_vec(),
            counts: vec![0; limits.len() + 1],
            micros: 0,
        }
    }

    /// How many lasted no longer than each limit; `None`: all of them.
    pub(super) fn cumulated(&self) -> impl Iterator<Item = (Option<f64>, f64)> + '_ {
        let limits = self.limits.iter().copied().map(Some).chain([None]);
        limits.zip(&self.counts).scan(0, |sum, (limit, count)| {
            *sum += count;
            Some((limit, *sum as f64))
        })
    }

    /// How long all of them lasted together.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.micros as f64 / 1e6
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.counts.iter().sum::<u64>() as f64
    }
}
