//! Which story gets which process to which point.

use super::yard::Victim;
use crate::{DEV, MANAGEMENT, PROD};

/// What is done so that a process comes to a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    /// An environment is given another content.
    Update,
    /// The same, and it takes its time.
    Slow,
    /// An environment is made and deleted again.
    Brief,
    /// An update is cancelled before leave to execute is asked for.
    Cancel,
    /// An update is cancelled while CloudFormation is at it.
    Revert,
    /// A service comes whose instance runs an image of the management account, and goes again.
    Grant,
    /// A connection is requested, accepted, used by an agent, and rejected.
    Trust,
    /// The agent dies in the middle of an update and comes back.
    Return,
    /// The agent died in the middle of two updates and comes back.
    Recall,
    /// The agent died in the middle of an update, and comes back to a hub that is started again.
    Resume,
    /// The agent dies in the middle of an update and comes back after its lease has run out.
    Lapse,
    /// A template is registered from a bundle in S3.
    Bundle,
    /// A hub is started for the first time.
    Birth,
}

/// A point, and how to get there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) point: &'static str,
    pub(super) victim: Victim,
    pub(super) story: Story,
    /// Which times that the process gets there count, in turn; empty: the first and the second.
    times: &'static [u32],
}

impl Case {
    /// Which times that the process gets there it is killed, in turn.
    pub(super) const fn occurrences(&self) -> &'static [u32] {
        if self.times.is_empty() {
            &[1, 2]
        } else {
            self.times
        }
    }
}

const fn case(point: &'static str, victim: Victim, story: Story, times: &'static [u32]) -> Case {
    Case {
        point,
        victim,
        story,
        times,
    }
}

const fn hub(point: &'static str, story: Story) -> Case {
    case(point, Victim::Hub, story, &[])
}

const fn agent(point: &'static str, story: Story) -> Case {
    case(point, Victim::Agent(PROD), story, &[])
}

const fn manager(point: &'static str, story: Story) -> Case {
    case(point, Victim::Agent(MANAGEMENT), story, &[])
}

/// The same, by number. Where a process comes by while it starts, later times are asked for as well.
pub(super) const CASES: &[Case] = &[
    hub("C01", Story::Trust),
    hub("C02", Story::Trust),
    hub("C03", Story::Trust),
    hub("C04", Story::Trust),
    hub("C05", Story::Trust),
    hub("C06", Story::Trust),
    hub("C07", Story::Trust),
    case("C08", Victim::Agent(DEV), Story::Trust, &[]),
    case("C09", Victim::Hub, Story::Return, &[1, 3]),
    hub("C10", Story::Update),
    agent("C11", Story::Update),
    agent("C12", Story::Update),
    hub("C13", Story::Slow),
    hub("C14", Story::Lapse),
    hub("C15", Story::Update),
    case("C16", Victim::Hub, Story::Grant, &[1, 3]),
    hub("C17", Story::Return),
    hub("C18", Story::Update),
    hub("C19", Story::Lapse),
    agent("C20", Story::Update),
    agent("C21", Story::Update),
    agent("C22", Story::Update),
    agent("C23", Story::Update),
    agent("C24", Story::Update),
    agent("C25", Story::Update),
    agent("C26", Story::Update),
    agent("C27", Story::Update),
    agent("C28", Story::Update),
    agent("C29", Story::Update),
    agent("C30", Story::Update),
    agent("C31", Story::Update),
    agent("C32", Story::Slow),
    agent("C33", Story::Update),
    agent("C34", Story::Update),
    hub("C35", Story::Update),
    hub("C36", Story::Update),
    hub("C37", Story::Update),
    hub("C38", Story::Update),
    hub("C39", Story::Cancel),
    manager("C40", Story::Grant),
    manager("C41", Story::Grant),
    manager("C42", Story::Grant),
    case("C43", Victim::Hub, Story::Grant, &[1, 3]),
    hub("C44", Story::Grant),
    hub("C45", Story::Grant),
    agent("C50", Story::Brief),
    agent("C51", Story::Brief),
    agent("C52", Story::Brief),
    agent("C53", Story::Brief),
    agent("C54", Story::Brief),
    agent("C55", Story::Cancel),
    agent("C56", Story::Cancel),
    agent("C57", Story::Cancel),
    agent("C58", Story::Cancel),
    agent("C59", Story::Revert),
    case("C60", Victim::Hub, Story::Grant, &[1, 3]),
    case("C63", Victim::Newborn, Story::Birth, &[]),
    case("C64", Victim::Hub, Story::Grant, &[1, 3]),
    hub("C65", Story::Bundle),
    hub("C66", Story::Bundle),
    hub("C67", Story::Grant),
    manager("C68", Story::Bundle),
    manager("C69", Story::Bundle),
    agent("C70", Story::Resume),
    agent("C71", Story::Recall),
    case("C72", Victim::Hub, Story::Update, &[1, 2, 20, 40]),
    case("C73", Victim::Hub, Story::Update, &[1, 2, 20, 40]),
    case("C74", Victim::Hub, Story::Return, &[1, 3]),
    hub("C75", Story::Slow),
];

/// Points that are likely to be come by in the recovery from a death at another.
const IN_RECOVERY: &[&str] = &[
    "C09", "C13", "C17", "C18", "C20", "C21", "C27", "C28", "C30", "C31", "C32", "C35", "C36", "C37", "C70",
    "C71", "C72", "C73", "C74",
];

/// Pairs for two deaths in a row: the first in the middle of an update of an environment.
pub(super) fn pairs() -> Vec<(&'static Case, &'static Case)> {
    let first = CASES
        .iter()
        .filter(|case| matches!(case.story, Story::Update | Story::Slow));
    let again: Vec<&Case> = CASES
        .iter()
        .filter(|case| IN_RECOVERY.contains(&case.point))
        .collect();
    first
        .flat_map(|first| again.iter().map(move |again| (first, *again)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hadron_proto::fault::{POINTS, Process};

    use super::*;

    #[test]
    fn there_is_a_case_for_every_point_and_its_process() {
        let cases: BTreeMap<&str, Process> = CASES
            .iter()
            .map(|case| {
                let process = match case.victim {
                    Victim::Hub | Victim::Newborn => Process::Hub,
                    Victim::Agent(_) => Process::Agent,
                };
                (case.point, process)
            })
            .collect();
        assert_eq!(cases.len(), CASES.len(), "a point has two cases");
        let points = POINTS
            .iter()
            .map(|(name, process, _)| (*name, *process))
            .collect();
        assert_eq!(cases, points);
    }

    #[test]
    fn pairs_are_of_points_that_there_are() {
        let known = |point: &&&str| CASES.iter().any(|case| case.point == **point);
        assert_eq!(IN_RECOVERY.iter().filter(known).count(), IN_RECOVERY.len());
        assert!(pairs().len() > 100);
    }
}
