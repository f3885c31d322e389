//! When a root of the hub's CA gets a successor, when that one begins to sign, and when the old one is trusted no more.
//!
//! There are two slots. The root that signs has one of them; its successor is made at half of its life, so that everybody
//! knows it long before it signs at five sixths. From then on the old root is kept until the last certificate that it can
//! have signed has ended, and a day longer. Whoever knows either root verifies what the other one signs, since each has
//! certified the other; so nobody has to be there at any particular time, as long as it is before the old root's end.

use std::time::Duration;

use hadron_proto::vocab::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a root stays after the last certificate that it signed has ended.
pub const AFTER_LAST_LEAF: Duration = Duration::from_secs(24 * 3600);

/// Where a root stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Made and trusted, and does not sign yet.
    Next,
    /// Signs.
    Active,
    /// Signs no more, and is trusted while something that it signed may be in use.
    Old {
        /// When it signed for the last time.
        since: Timestamp,
    },
    /// Trusted no more.
    Retired {
        /// Since when.
        at: Timestamp,
    },
}

impl Stage {
    /// The word for it in the database and in lists.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Old { .. } => "old",
            Self::Retired { .. } => "retired",
        }
    }
}

/// A root of the CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its pin: SHA-256 of its public key.
    pub pin: Digest,
    /// The beginning of its life.
    pub not_before: Timestamp,
    /// The end of it.
    pub not_after: Timestamp,
    /// Where it stands.
    pub stage: Stage,
}

impl Root {
    fn life(&self) -> Duration {
        self.not_after.since(self.not_before)
    }

    /// When its successor is made.
    #[must_use]
    pub fn successor_due(&self) -> Timestamp {
        self.not_before.plus(self.life() / 2)
    }

    /// When its successor begins to sign, if one that was made then has been known for long enough: for the life of a leaf, in
    /// which everybody has renewed theirs and got the new roots with it. Never so late that the last leaf would have to be shorter.
    #[must_use]
    pub fn hand_over_due(&self, successor: &Self, longest_leaf: Duration) -> Timestamp {
        let late = self.not_after.minus(longest_leaf).max(self.not_before);
        self.not_before
            .plus(self.life() / 6 * 5)
            .max(successor.not_before.plus(longest_leaf))
            .min(late)
    }

    /// When a root that has signed for the last time `since` is trusted no more.
    #[must_use]
    pub fn retirement_due(&self, since: Timestamp, longest_leaf: Duration) -> Timestamp {
        // No leaf outlives its issuer.
        since.plus(longest_leaf).min(self.not_after).plus(AFTER_LAST_LEAF)
    }
}

/// Something to be done about the roots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Make a successor.
    Prepare,
    /// Have the successor sign.
    Activate,
    /// Trust the old root no more.
    Retire,
}

/// Why something is not done to the roots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaRefusal {
    /// There is no active root, which a hub makes at its first start.
    #[error("the hub has no CA yet")]
    NoCa,
    /// The second slot is taken by a successor.
    #[error("a successor is there already: {0}")]
    Prepared(Digest),
    /// The second slot is taken by a predecessor.
    #[error("the root before is still trusted: {0}")]
    Unretired(Digest),
    /// There is no successor.
    #[error("there is no successor that could sign")]
    NotPrepared,
    /// There is no predecessor.
    #[error("there is no old root")]
    NothingOld,
    /// Certificates of the old root may be in use.
    #[error("certificates that it signed are in use until {0}")]
    InUse(Timestamp),
}

fn at(roots: &[Root], wanted: impl Fn(Stage) -> bool) -> Option<&Root> {
    roots.iter().find(|root| wanted(root.stage))
}

/// The root that signs.
#[must_use]
pub fn active(roots: &[Root]) -> Option<&Root> {
    at(roots, |stage| stage == Stage::Active)
}

/// The successor, where there is one.
#[must_use]
pub fn next(roots: &[Root]) -> Option<&Root> {
    at(roots, |stage| stage == Stage::Next)
}

/// The predecessor that is still trusted, with when it signed last.
#[must_use]
pub fn old(roots: &[Root]) -> Option<(&Root, Timestamp)> {
    roots.iter().find_map(|root| match root.stage {
        Stage::Old { since } => Some((root, since)),
        Stage::Next | Stage::Active | Stage::Retired { .. } => None,
    })
}

/// What comes next, and when; nothing where there is no CA yet.
#[must_use]
pub fn schedule(roots: &[Root], longest_leaf: Duration) -> Option<(Act, Timestamp)> {
    let active = active(roots)?;
    let retire = old(roots).map(|(root, since)| (Act::Retire, root.retirement_due(since, longest_leaf)));
    // The slot of the old root has to be free before there can be another successor.
    retire.or_else(|| {
        Some(next(roots).map_or_else(
            || (Act::Prepare, active.successor_due()),
            |next| (Act::Activate, active.hand_over_due(next, longest_leaf)),
        ))
    })
}

/// Whether that may be done by hand, whenever somebody wants it. `although_in_use` is for roots that are not to be trusted any
/// more whatever that costs, since their key is known to others.
///
/// # Errors
/// Why not.
pub fn permit(
    roots: &[Root],
    act: Act,
    longest_leaf: Duration,
    now: Timestamp,
    although_in_use: bool,
) -> Result<(), CaRefusal> {
    active(roots).ok_or(CaRefusal::NoCa)?;
    match act {
        Act::Prepare => match (next(roots), old(roots)) {
            (Some(next), _) => Err(CaRefusal::Prepared(next.pin)),
            (None, Some((old, _))) => Err(CaRefusal::Unretired(old.pin)),
            (None, None) => Ok(()),
        },
        Act::Activate => next(roots).map(drop).ok_or(CaRefusal::NotPrepared),
        Act::Retire => {
            let (old, since) = old(roots).ok_or(CaRefusal::NothingOld)?;
            let due = old.retirement_due(since, longest_leaf);
            if although_in_use || due <= now {
                Ok(())
            } else {
                Err(CaRefusal::InUse(due))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);
    const LEAF: Duration = Duration::from_secs(7 * 24 * 3600);

    fn day(number: u32) -> Timestamp {
        Timestamp::EPOCH.plus(DAY * number)
    }

    fn root(number: u8, from: u32, stage: Stage) -> Root {
        Root {
            pin: Digest::of(&[number]),
            not_before: day(from),
            not_after: day(from + 3600),
            stage,
        }
    }

    #[test]
    fn one_step_follows_the_other() {
        let one = root(1, 0, Stage::Active);
        assert_eq!(schedule(&[one], LEAF), Some((Act::Prepare, day(1800))));
        let two = root(2, 1800, Stage::Next);
        assert_eq!(schedule(&[one, two], LEAF), Some((Act::Activate, day(3000))));
        let (one, two) = (
            root(1, 0, Stage::Old { since: day(3000) }),
            root(2, 1800, Stage::Active),
        );
        assert_eq!(schedule(&[one, two], LEAF), Some((Act::Retire, day(3008))));
        let one = root(1, 0, Stage::Retired { at: day(3008) });
        assert_eq!(schedule(&[one, two], LEAF), Some((Act::Prepare, day(3600))));
        assert_eq!(schedule(&[], LEAF), None);
    }

    #[test]
    fn a_hub_that_was_off_for_years_makes_up_for_it() {
        // Made long after half of the life: it is known for the life of a leaf before it signs.
        let (one, late) = (root(1, 0, Stage::Active), root(2, 3100, Stage::Next));
        assert_eq!(schedule(&[one, late], LEAF), Some((Act::Activate, day(3107))));
        // Made shortly before the end, or after it: there is no time for that.
        for made in [3592, 3700] {
            let late = root(2, made, Stage::Next);
            assert_eq!(schedule(&[one, late], LEAF), Some((Act::Activate, day(3593))));
        }
        // Replaced on its last day: what it signed ended with it.
        let old = root(1, 0, Stage::Old { since: day(3599) });
        assert_eq!(
            schedule(&[old, root(2, 3592, Stage::Active)], LEAF),
            Some((Act::Retire, day(3601)))
        );
    }

    #[test]
    fn by_hand_there_are_two_slots_and_nothing_is_cut_off_by_accident() {
        let ask = |roots: &[Root], act, force| permit(roots, act, LEAF, day(100), force);
        let one = root(1, 0, Stage::Active);
        assert_eq!(ask(&[], Act::Prepare, true), Err(CaRefusal::NoCa));
        assert_eq!(ask(&[one], Act::Prepare, false), Ok(()));
        assert_eq!(ask(&[one], Act::Activate, true), Err(CaRefusal::NotPrepared));
        assert_eq!(ask(&[one], Act::Retire, true), Err(CaRefusal::NothingOld));
        let two = root(2, 90, Stage::Next);
        assert_eq!(
            ask(&[one, two], Act::Prepare, true),
            Err(CaRefusal::Prepared(two.pin))
        );
        assert_eq!(ask(&[one, two], Act::Activate, false), Ok(()));
        let old = root(1, 0, Stage::Old { since: day(99) });
        let both = [old, root(2, 90, Stage::Active)];
        assert_eq!(ask(&both, Act::Prepare, true), Err(CaRefusal::Unretired(old.pin)));
        assert_eq!(ask(&both, Act::Retire, false), Err(CaRefusal::InUse(day(107))));
        assert_eq!(ask(&both, Act::Retire, true), Ok(()));
        assert_eq!(permit(&both, Act::Retire, LEAF, day(107), false), Ok(()));
    }
}
