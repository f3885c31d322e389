//! How long to wait before the next try: full jitter, so that a thousand agents of a hub that came back do not come as
//! one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Where the random parts of waits come from. Clones draw from the same place.
#[derive(Clone, Debug, Default)]
pub struct Jitter(Option<Arc<AtomicU64>>);

impl Jitter {
    /// One that gives the same parts again for the same seed. The default one is different every time.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(AtomicU64::new(seed))))
    }

    /// A number from 0 up to 1.
    fn part(&self) -> f64 {
        let Some(state) = &self.0 else {
            return rand::random();
        };
        // SplitMix64; of the result as many bits as a number between 0 and 1 can hold.
        let step = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = state.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A random part of a length of time.
    #[must_use]
    pub(crate) fn part_of(&self, whole: Duration) -> Duration {
        whole.mul_f64(self.part())
    }
}

/// Doubling bound, random wait below it.
#[derive(Clone, Debug)]
pub struct Backoff {
    least: Duration,
    most: Duration,
    tries: u32,
    jitter: Jitter,
}

impl Backoff {
    /// Bounds double from `least` to `most`.
    #[must_use]
    pub const fn new(least: Duration, most: Duration, jitter: Jitter) -> Self {
        Self {
            least,
            most,
            tries: 0,
            jitter,
        }
    }

    /// For connections to the hub: a random part of one second at first, of half a minute when it stays away.
    #[must_use]
    pub const fn reconnect(jitter: Jitter) -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(30), jitter)
    }

    /// It worked: begin with the shortest bound next time.
    pub const fn reset(&mut self) {
        self.tries = 0;
    }

    /// The bound of the next wait; each call counts as a failed try.
    fn bound(&mut self) -> Duration {
        let bound = self.least.saturating_mul(1 << self.tries.min(20)).min(self.most);
        self.tries = self.tries.saturating_add(1);
        bound
    }

    /// The next wait.
    pub fn wait(&mut self) -> Duration {
        let bound = self.bound();
        self.jitter.part_of(bound)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bounds_double_up_to_the_most_and_start_over() {
        let mut backoff = Backoff::reconnect(Jitter::default());
        let bounds: Vec<u128> = (0..7).map(|_| backoff.bound().as_millis()).collect();
        assert_eq!(bounds, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.bound().as_millis(), 1000);
        for _ in 0..100 {
            assert!(backoff.wait() <= Duration::from_secs(30));
        }
    }

    proptest! {
        /// Whatever the bounds are, and however often it failed: no wait is longer than the bound of its try, no bound is
        /// shorter than the one before, and after a success it begins anew.
        #[test]
        fn waits_stay_within_bounds_that_only_grow(
            least in 0..100_000_u64,
            more in 0..10_000_000_u64,
            tries in 1..100_usize,
            seed in any::<u64>(),
        ) {
            let (least, most) = (Duration::from_millis(least), Duration::from_millis(least + more));
            let mut backoff = Backoff::new(least, most, Jitter::seeded(seed));
            let mut again = Backoff::new(least, most, Jitter::seeded(seed));
            let mut before = least;
            for tried in 0..tries {
                let bound = backoff.clone().bound();
                prop_assert!(before <= bound && bound <= most, "try {}: {:?} after {:?}", tried, bound, before);
                let doubled = if tried == 0 { least } else { before * 2 };
                prop_assert!(bound == doubled.min(most) || tried > 20, "try {}: {:?} after {:?}", tried, bound, before);
                let wait = backoff.wait();
                prop_assert!(wait <= bound, "{:?} > {:?}", wait, bound);
                prop_assert_eq!(wait, again.wait(), "the same seed, and another wait");
                before = bound;
            }
            backoff.reset();
            prop_assert_eq!(backoff.bound(), least);
        }

        #[test]
        fn the_parts_of_a_seed_are_spread(seed in any::<u64>()) {
            let jitter = Jitter::seeded(seed);
            let parts: Vec<f64> = (0..200).map(|_| jitter.part()).collect();
            prop_assert!(parts.iter().all(|part| (0.0..1.0).contains(part)));
            let low = parts.iter().filter(|part| **part < 0.5).count();
            prop_assert!((40..160).contains(&low), "{} of 200 are low", low);
        }
    }
}
