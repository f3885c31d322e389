//! The clock and the source of ids. Everything else takes a [`Timestamp`] or a [`Clock`] as an input, so that a test or
//! a random walk can be repeated exactly. This is the only module that may ask the operating system for the time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use hadron_proto::vocab::{Id, IdKind, Timestamp};

/// Tells the time and makes ids. Clones tell the same time.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<Manual>),
    #[cfg(any(test, feature = "testing"))]
    Simulated(Arc<Simulated>),
}

#[cfg(any(test, feature = "testing"))]
struct Simulated {
    began: tokio::time::Instant,
    /// What it showed then, in microseconds; moving it makes the clock wrong.
    at: AtomicI64,
    ids: AtomicU64,
}

struct Manual {
    micros: AtomicI64,
    ids: AtomicU64,
}

impl Clock {
    /// The clock of this machine.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `at` until it is told to move. Its ids come from a counter: the same sequence of calls
    /// gives the same ids.
    #[must_use]
    pub fn manual(at: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(Manual {
            micros: AtomicI64::new(at.as_micros()),
            ids: AtomicU64::new(0),
        })))
    }

    /// A clock that goes with tokio's, which simulations pause, and shows `at` now. Its ids come from a counter that
    /// begins at `first_id`: clocks of one simulation begin so far apart that their ids differ.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn simulated(at: Timestamp, first_id: u32) -> Self {
        Self(Source::Simulated(Arc::new(Simulated {
            began: tokio::time::Instant::now(),
            at: AtomicI64::new(at.as_micros()),
            ids: AtomicU64::new(u64::from(first_id)),
        })))
    }

    /// The present time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => system_now(),
            Source::Manual(manual) => Timestamp::from_micros(manual.micros.load(Ordering::SeqCst)),
            #[cfg(any(test, feature = "testing"))]
            Source::Simulated(clock) => {
                Timestamp::from_micros(clock.at.load(Ordering::SeqCst)).plus(clock.began.elapsed())
            }
        }
    }

    /// A fresh id, ordered by time: UUID version 7 from the present millisecond and ten random bytes.
    #[must_use]
    pub fn fresh_id<K: IdKind>(&self) -> Id<K> {
        let millis = u64::try_from(self.now().as_millis()).unwrap_or(0);
        let random = match &self.0 {
            Source::System => rand::random(),
            Source::Manual(manual) => counted(manual.ids.fetch_add(1, Ordering::SeqCst)),
            #[cfg(any(test, feature = "testing"))]
            Source::Simulated(clock) => counted(clock.ids.fetch_add(1, Ordering::SeqCst)),
        };
        Id::from_parts(millis, random)
    }

    /// A number from 0 up to 1, for waits that shall not all be the same.
    #[must_use]
    pub fn part(&self) -> f64 {
        let bits: u64 = match &self.0 {
            Source::System => rand::random(),
            Source::Manual(manual) => spread(manual.ids.fetch_add(1, Ordering::SeqCst)),
            #[cfg(any(test, feature = "testing"))]
            Source::Simulated(clock) => spread(clock.ids.fetch_add(1, Ordering::SeqCst)),
        };
        // As many bits as a number between 0 and 1 can hold.
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Moves a manual clock forward.
    ///
    /// # Panics
    /// When this is the system clock: only tests hold a clock that moves by hand.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// Sets a manual clock, also backwards.
    ///
    /// # Panics
    /// When this is the system clock.
    pub fn set(&self, to: Timestamp) {
        match &self.0 {
            Source::System => {
                panic!("the system clock cannot be set: give the code under test Clock::manual")
            }
            Source::Manual(manual) => manual.micros.store(to.as_micros(), Ordering::SeqCst),
            #[cfg(any(test, feature = "testing"))]
            Source::Simulated(clock) => {
                let gone = i64::try_from(clock.began.elapsed().as_micros()).unwrap_or(i64::MAX);
                clock.at.store(to.as_micros() - gone, Ordering::SeqCst);
            }
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::System => f.write_str("Clock(system)"),
            Source::Manual(_) => write!(f, "Clock(manual, {})", self.now()),
            #[cfg(any(test, feature = "testing"))]
            Source::Simulated(_) => write!(f, "Clock(simulated, {})", self.now()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the time comes in")]
fn system_now() -> Timestamp {
    // A machine that believes to be before 1970 has no usable clock; the epoch is as wrong as anything else.
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::EPOCH.plus(since)
}

/// A number that looks random, and is the same for the same count.
const fn spread(count: u64) -> u64 {
    let mut mixed = count.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Ten bytes that look random and ascend with the counter, so that ids made in one millisecond keep their order.
fn counted(count: u64) -> [u8; 10] {
    let mixed = count.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut bytes = [0; 10];
    bytes[..4].copy_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
    bytes[4..].copy_from_slice(&mixed.to_be_bytes()[..6]);
    bytes
}

#[cfg(test)]
mod tests {
    use hadron_proto::vocab::JobId;

    use super::*;

    #[test]
    fn a_manual_clock_repeats_times_and_ids() {
        let run = || {
            let clock = Clock::manual(Timestamp::from_micros(1_000_000));
            let first: JobId = clock.fresh_id();
            let other = clock.clone();
            other.advance(Duration::from_secs(1));
            (
                first,
                clock.fresh_id::<hadron_proto::vocab::kinds::Job>(),
                clock.now(),
            )
        };
        assert_eq!(run(), run());
        let (first, second, now) = run();
        assert!(first < second);
        assert_eq!(now, Timestamp::from_micros(2_000_000));
    }

    #[test]
    fn ids_of_one_millisecond_differ_and_ascend_on_a_manual_clock() {
        let clock = Clock::manual(Timestamp::from_micros(5));
        let ids: Vec<JobId> = (0..10_000).map(|_| clock.fresh_id()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn the_system_clock_is_past_the_writing_of_this_line_and_its_ids_differ() {
        let clock = Clock::system();
        assert!(clock.now() > "2026-01-01T00:00:00Z".parse().unwrap());
        assert_ne!(
            clock.fresh_id::<hadron_proto::vocab::kinds::Job>(),
            clock.fresh_id()
        );
    }
}
