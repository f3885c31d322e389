//! How fast the agent calls AWS: one bucket for all its jobs, because AWS counts per account.
//!
//! The rate halves when AWS says "too many" and grows back slowly while it does not, so ten jobs that poll settle at
//! what the account allows instead of throttling one another. Repeated calls wait with full jitter.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Calls per second.
const FASTEST: f64 = 20.0;
const SLOWEST: f64 = 0.2;
const GROWTH: f64 = 0.05;
/// Calls that may come at once.
const BURST: f64 = 20.0;

/// The bucket. Share one between all jobs of an agent.
#[derive(Debug)]
pub struct Pace(Mutex<Bucket>);

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    rate: f64,
    filled: Option<Instant>,
    noise: u64,
}

/// How long to wait before a call is repeated: anything up to `first * 2^n`, never more than `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The bound before the first repetition.
    pub first: Duration,
    /// The bound of all bounds.
    pub most: Duration,
}

impl Backoff {
    /// The bound before repetition `n`, counted from 0.
    #[must_use]
    pub fn bound(&self, n: u32) -> Duration {
        self.first
            .saturating_mul(1_u32.checked_shl(n.min(31)).unwrap_or(u32::MAX))
            .min(self.most)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::seeded(rand::random())
    }
}

impl Pace {
    /// A bucket whose jitter can be repeated.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(Bucket {
            tokens: BURST,
            rate: FASTEST,
            filled: None,
            noise: seed | 1,
        }))
    }

    fn with<T>(&self, change: impl FnOnce(&mut Bucket) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for this call's turn.
    pub async fn turn(&self) {
        let wait = self.with(|bucket| {
            let now = Instant::now();
            if let Some(filled) = bucket.filled {
                let grown = now.duration_since(filled).as_secs_f64() * bucket.rate;
                bucket.tokens = (bucket.tokens + grown).min(BURST);
            }
            bucket.filled = Some(now);
            bucket.tokens -= 1.0;
            if bucket.tokens >= 0.0 {
                Duration::ZERO
            } else {
                Duration::from_secs_f64(-bucket.tokens / bucket.rate)
            }
        });
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }

    /// AWS said "too many".
    pub fn throttled(&self) {
        self.with(|bucket| {
            bucket.rate = (bucket.rate / 2.0).max(SLOWEST);
            bucket.tokens = bucket.tokens.min(0.0);
        });
    }

    /// AWS answered.
    pub fn answered(&self) {
        self.with(|bucket| bucket.rate = (bucket.rate + GROWTH).min(FASTEST));
    }

    /// Calls per second that are allowed now.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.with(|bucket| bucket.rate)
    }

    /// Anything from nothing to `bound`.
    #[must_use]
    pub fn jitter(&self, bound: Duration) -> Duration {
        let part = self.with(|bucket| {
            // xorshift: spread, not secrecy.
            bucket.noise ^= bucket.noise << 13;
            bucket.noise ^= bucket.noise >> 7;
            bucket.noise ^= bucket.noise << 17;
            bucket.noise >> 11
        });
        #[expect(clippy::cast_precision_loss, reason = "a fraction for jitter")]
        let part = part as f64 / (1_u64 << 53) as f64;
        bound.mul_f64(part)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slows_down_when_told_and_recovers() {
        let pace = Pace::seeded(7);
        for _ in 0..4 {
            pace.throttled();
        }
        assert!((pace.rate() - FASTEST / 16.0).abs() < 1e-9);
        let began = Instant::now();
        for _ in 0..10 {
            pace.turn().await;
        }
        assert!(began.elapsed() >= Duration::from_secs(7), "{:?}", began.elapsed());
        for _ in 0..1_000 {
            pace.answered();
        }
        assert!((pace.rate() - FASTEST).abs() < 1e-9);
        for _ in 0..100 {
            pace.throttled();
        }
        assert!((pace.rate() - SLOWEST).abs() < 1e-9, "never stops");
    }

    #[test]
    fn jitter_stays_below_its_bound() {
        let (pace, backoff) = (
            Pace::seeded(3),
            Backoff {
                first: Duration::from_millis(200),
                most: Duration::from_secs(20),
            },
        );
        assert_eq!(backoff.bound(0), Duration::from_millis(200));
        assert_eq!(backoff.bound(40), Duration::from_secs(20));
        let waits: Vec<_> = (0..1_000).map(|_| pace.jitter(backoff.bound(3))).collect();
        assert!(waits.iter().all(|wait| *wait <= Duration::from_millis(1_600)));
        assert!(waits.iter().any(|wait| *wait < Duration::from_millis(400)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_millis(1_200)));
    }

    proptest! {
        /// For every repetition, also the four billionth: between the first bound and the last, never shorter than before.
        #[test]
        fn bounds_of_repetitions_only_grow_and_end(
            first in 0..1_000_000_u64,
            more in 0..100_000_000_u64,
            n in prop_oneof![0..64_u32, any::<u32>()],
            seed in any::<u64>(),
        ) {
            let (first, most) = (Duration::from_millis(first), Duration::from_millis(first + more));
            let backoff = Backoff { first, most };
            let bound = backoff.bound(n);
            prop_assert!(first <= bound && bound <= most, "{:?}", bound);
            prop_assert!(bound <= backoff.bound(n.saturating_add(1)));
            prop_assert!(Pace::seeded(seed).jitter(bound) <= bound);
        }

        /// However AWS answers: the rate stays where calls still get through and AWS is not flooded, "too many" never makes it
        /// grow, and an answer never makes it shrink.
        #[test]
        fn the_rate_stays_within_its_bounds(answers in proptest::collection::vec(any::<bool>(), 0..2_000), seed in any::<u64>()) {
            let pace = Pace::seeded(seed);
            for answered in answers {
                let before = pace.rate();
                if answered {
                    pace.answered();
                    prop_assert!(pace.rate() >= before);
                } else {
                    pace.throttled();
                    prop_assert!(pace.rate() <= before);
                }
                prop_assert!((SLOWEST..=FASTEST).contains(&pace.rate()), "{}", pace.rate());
            }
        }
    }
}
