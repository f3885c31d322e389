//! Deployments, day by day in UTC.

use std::time::Duration;

use hadron_proto::vocab::Timestamp;

use super::{DAY, Outcome};
use crate::store::insights::Ended;

/// How deployments of one day went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// When it began.
    pub start: Timestamp,
    /// How many succeeded.
    pub succeeded: u64,
    /// How many failed.
    pub failed: u64,
    /// How many were cancelled.
    pub cancelled: u64,
    /// How long half of those that succeeded or failed took at most; `None` where there were none.
    pub median: Option<Duration>,
    /// How long nine of ten of them took at most.
    pub ninth: Option<Duration>,
}

/// The value that so many of a hundred do not exceed, of sorted ones.
pub(super) fn share(sorted: &[Duration], of_hundred: usize) -> Option<Duration> {
    let place = (sorted.len() * of_hundred).div_ceil(100);
    sorted.get(place.checked_sub(1)?).copied()
}

/// The days from `first` to `last`, counted from the epoch, whether or not anything ended on them.
#[must_use]
pub fn days(ended: &[Ended], first: i64, last: i64) -> Vec<Day> {
    let count = usize::try_from(last - first + 1).unwrap_or_default();
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); count];
    let mut days: Vec<Day> = (first..=last)
        .map(|day| Day {
            start: Timestamp::from_micros(day * DAY),
            succeeded: 0,
            failed: 0,
            cancelled: 0,
            median: None,
            ninth: None,
        })
        .collect();
    for each in ended {
        let place = usize::try_from(each.at.as_micros().div_euclid(DAY) - first).unwrap_or(usize::MAX);
        let (Some(day), Some(times)) = (days.get_mut(place), times.get_mut(place)) else {
            continue;
        };
        match Outcome::of(&each.outcome) {
            Outcome::Succeeded => day.succeeded += 1,
            Outcome::Failed => day.failed += 1,
            Outcome::Cancelled => {
                day.cancelled += 1;
                continue;
            }
        }
        times.push(each.took);
    }
    for (day, mut times) in days.iter_mut().zip(times) {
        times.sort_unstable();
        day.median = share(&times, 50);
        day.ninth = share(&times, 90);
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_own_and_a_share_is_one_of_the_values() {
        let ended = |hours: i64, minutes: u64, outcome: &str| Ended {
            at: Timestamp::from_micros(hours * 3_600_000_000),
            took: Duration::from_secs(60 * minutes),
            outcome: outcome.to_owned(),
            kind: String::new(),
            template: String::new(),
            environment: String::new(),
            target: String::new(),
        };
        let all = [
            ended(49, 9, "SUCCEEDED"),
            ended(26, 500, "CANCELLED"),
            ended(25, 10, "FAILED"),
            ended(24, 4, "SUCCEEDED"),
            ended(24, 1, "SUCCEEDED"),
            // Of another month.
            ended(2, 1, "SUCCEEDED"),
        ];
        let days = days(&all, 1, 3);
        let counts: Vec<_> = days
            .iter()
            .map(|day| (day.succeeded, day.failed, day.cancelled))
            .collect();
        assert_eq!(counts, [(2, 1, 1), (1, 0, 0), (0, 0, 0)]);
        let minutes = |of: Option<Duration>| of.map(|of| of.as_secs() / 60);
        assert_eq!(
            (minutes(days[0].median), minutes(days[0].ninth)),
            (Some(4), Some(10))
        );
        assert_eq!(
            (minutes(days[1].median), minutes(days[1].ninth)),
            (Some(9), Some(9))
        );
        assert_eq!((days[2].median, days[2].ninth), (None, None));
        let ten: Vec<Duration> = (1..=10).map(Duration::from_secs).collect();
        assert_eq!(share(&ten, 90), Some(Duration::from_secs(9)));
        assert_eq!(share(&ten, 50), Some(Duration::from_secs(5)));
    }
}
