//! How long to wait before the next try: full jitter, so that a thousand agents of a hub that came back do not come as
//! one.

use std::time::Duration;

/// Doubling bound, random wait below it.
#[derive(Clone, Debug)]
pub struct Backoff {
    least: Duration,
    most: Duration,
    tries: u32,
}

impl Backoff {
    /// Bounds double from `least` to `most`.
    #[must_use]
    pub const fn new(least: Duration, most: Duration) -> Self {
        Self {
            least,
            most,
            tries: 0,
        }
    }

    /// For connections to the hub: a random part of one second at first, of half a minute when it stays away.
    #[must_use]
    pub const fn reconnect() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(30))
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
        part_of(self.bound())
    }
}

/// A random part of a length of time.
#[must_use]
pub(crate) fn part_of(whole: Duration) -> Duration {
    whole.mul_f64(rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_double_up_to_the_most_and_start_over() {
        let mut backoff = Backoff::reconnect();
        let bounds: Vec<u128> = (0..7).map(|_| backoff.bound().as_millis()).collect();
        assert_eq!(bounds, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.bound().as_millis(), 1000);
        for _ in 0..100 {
            assert!(backoff.wait() <= Duration::from_secs(30));
        }
    }
}
