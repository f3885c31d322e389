//! Dice that can be thrown again: the same seed gives the same throws, on every machine and release.

use std::time::Duration;

use anyhow::Result;

use super::{Options, Report};

/// Chance (`SplitMix64`). Good enough to choose moments and victims; not for secrets.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Begins at a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Begins at a seed, apart from uses with other names.
    #[must_use]
    pub fn named(seed: u64, name: &str) -> Self {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(seed ^ hash)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `end`, which is not among them; 0 when `end` is 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.bits() % end }
    }

    /// True so many times out of a hundred.
    pub const fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    ///
    /// # Panics
    /// When there is none.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        assert!(!of.is_empty(), "chance has nothing to choose from");
        let at = self.below(of.len() as u64);
        &of[usize::try_from(at).unwrap_or(0)]
    }

    /// A time up to `most`.
    pub fn time(&mut self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros))
    }
}

/// Throws a die of ten sides `cycles` times, twice.
pub(super) async fn campaign(options: &Options) -> Result<Report> {
    let throws = options.cycles(1_000, 1_000_000);
    let mut report = Report::new("chance", options.seed);
    let (mut first, mut again) = (options.chance("dice"), options.chance("dice"));
    let mut sides = [0_u64; 10];
    for _ in 0..throws {
        let side = first.below(10);
        if side != again.below(10) {
            report
                .violations
                .push("the same seed threw something else".to_owned());
            break;
        }
        sides[usize::try_from(side)?] += 1;
    }
    // Six standard deviations: not by chance within the life of this project.
    let (mean, far) = (throws as f64 / 10.0, 6.0 * (throws as f64 * 0.09).sqrt());
    for (side, count) in sides.iter().enumerate() {
        if (*count as f64 - mean).abs() > far {
            report
                .violations
                .push(format!("side {side} came {count} times of {throws}"));
        }
    }
    report.n = throws;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same() {
        let throw = |seed, name| {
            let mut chance = Chance::named(seed, name);
            [chance.bits(), chance.bits()]
        };
        assert_eq!(throw(1, "a"), throw(1, "a"));
        assert_ne!(throw(1, "a"), throw(2, "a"));
        assert_ne!(throw(1, "a"), throw(1, "b"));
        // The first output of SplitMix64 for 0, as published with it.
        assert_eq!(Chance::new(0).bits(), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn throws_stay_within_bounds() {
        let mut chance = Chance::new(3);
        for _ in 0..1_000 {
            assert!(chance.below(7) < 7);
            assert!(chance.time(Duration::from_millis(5)) < Duration::from_millis(5));
        }
        assert_eq!(chance.below(0), 0);
        assert!(!chance.percent(0) && chance.percent(100));
        assert_eq!(chance.one(&[4]), &4);
    }
}
