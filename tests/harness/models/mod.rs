//! Models of the two protocols that everything rests on, and a checker that visits every state that they can reach.
//!
//! `CloudFormation` knows no fencing token, so that an agent which lost its lease and does not know it can still call it.
//! [`fence`] asks which order of calls keeps such an agent from doing harm to a stack that is deployed, [`delete`] asks
//! the same of deletions. Both hold several variants of the protocol: the one that Hadron follows, in which nothing may
//! be found, and simpler ones in which something must be found; a model that finds nothing in those would be blind.
//!
//! The checker is a breadth-first search, so that a counter-example is as short as any. Everything that can happen is a
//! transition: a lease that runs out at any moment, a process that dies, a call that takes effect and whose answer is
//! lost, a process that does nothing for ever (it simply makes no transition any more).

pub mod delete;
pub mod fence;

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;

use anyhow::Result;
use indexmap::IndexMap;

use crate::faults::{Options, Report};

/// What can be explored.
pub trait Model {
    /// Everything that matters at one moment.
    type State: Clone + Eq + Hash;
    /// What happens between two states, for people.
    type Step: fmt::Display;

    /// Where it begins.
    fn start(&self) -> Self::State;
    /// Everything that can happen next.
    fn next(&self, state: &Self::State, each: &mut dyn FnMut(Self::Step, Self::State));
    /// Promises that this state breaks. Nothing that follows is looked at.
    fn broken(&self, state: &Self::State) -> Vec<&'static str>;
    /// Whether everything that people asked for has ended. A model that never gets there proves nothing.
    fn ended(&self, state: &Self::State) -> bool;
}

/// What an exploration has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// States that can be reached.
    pub states: usize,
    /// Transitions between them, from states that break nothing.
    pub transitions: usize,
    /// States in which everything has ended and nothing is broken.
    pub ended: usize,
    /// Each promise that is broken somewhere, with the shortest way there.
    pub broken: BTreeMap<&'static str, Vec<String>>,
}

impl Found {
    /// The broken promises alone.
    #[must_use]
    pub fn kinds(&self) -> Vec<&'static str> {
        self.broken.keys().copied().collect()
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            states,
            transitions,
            ended,
            broken,
        } = self;
        write!(f, "{states} states, {transitions} transitions, {ended} ended")?;
        for (kind, trace) in broken {
            write!(f, "\n  {kind}:")?;
            for (at, step) in trace.iter().enumerate() {
                write!(f, "\n    {:>2}. {step}", at + 1)?;
            }
        }
        Ok(())
    }
}

/// Visits every state that can be reached.
///
/// # Panics
/// When there are more than `most` states: then the model has grown beyond what its bounds allow, and nothing was proved.
pub fn explore<M: Model>(model: &M, most: usize) -> Found {
    let mut seen: IndexMap<M::State, usize> = IndexMap::new();
    seen.insert(model.start(), usize::MAX);
    let (mut at, mut transitions, mut ended) = (0, 0, 0);
    let mut worst: BTreeMap<&'static str, usize> = BTreeMap::new();
    while let Some((state, _)) = seen.get_index(at) {
        let state = state.clone();
        let broken = model.broken(&state);
        if broken.is_empty() {
            ended += usize::from(model.ended(&state));
            model.next(&state, &mut |_, next| {
                transitions += 1;
                seen.entry(next).or_insert(at);
            });
        }
        for kind in broken {
            worst.entry(kind).or_insert(at);
        }
        assert!(
            seen.len() <= most,
            "more than {most} states: the model has no bound"
        );
        at += 1;
    }
    let broken = worst
        .into_iter()
        .map(|(kind, at)| (kind, trace(model, &seen, at)))
        .collect();
    Found {
        states: seen.len(),
        transitions,
        ended,
        broken,
    }
}

/// The steps that lead to a state. They are not kept while exploring; going from each state to the next finds them again.
fn trace<M: Model>(model: &M, seen: &IndexMap<M::State, usize>, mut at: usize) -> Vec<String> {
    let mut steps = Vec::new();
    while let Some((state, parent)) = seen.get_index(at)
        && let Some((before, _)) = seen.get_index(*parent)
    {
        let mut step = None;
        model.next(before, &mut |how, next| {
            if next == *state && step.is_none() {
                step = Some(how.to_string());
            }
        });
        steps.extend(step);
        at = *parent;
    }
    steps.reverse();
    steps
}

/// A model by name, what it must break, and how to look.
pub struct Check {
    /// Such as `V4, 3 agents`.
    pub name: String,
    /// The promises that it must break, and no others; none for the protocols that Hadron follows.
    pub breaks: &'static [&'static str],
    run: Box<dyn Fn() -> Found + Send + Sync>,
}

impl Check {
    fn new<M: Model + Send + Sync + 'static>(
        name: impl Into<String>,
        breaks: &'static [&'static str],
        model: M,
    ) -> Self {
        Self {
            name: name.into(),
            breaks,
            run: Box::new(move || explore(&model, MOST)),
        }
    }

    /// Explores the model; an error when it breaks something else than it must.
    ///
    /// # Errors
    /// What it found, with traces.
    pub fn run(&self) -> Result<Found, String> {
        let found = (self.run)();
        if found.kinds() != self.breaks {
            return Err(format!(
                "{} breaks {:?}, and should break {:?}: {found}",
                self.name,
                found.kinds(),
                self.breaks
            ));
        }
        if found.ended == 0 {
            return Err(format!("{} never gets to an end: it proves nothing", self.name));
        }
        Ok(found)
    }
}

/// No model here comes near.
const MOST: usize = 8_000_000;

/// Every check; the short form leaves out those that take more than a few seconds.
#[must_use]
pub fn checks(short: bool) -> Vec<Check> {
    let mut checks = fence::checks(short);
    checks.extend(delete::checks(short));
    checks
}

/// The campaign `models`: one cycle for each check.
///
/// # Errors
/// When a model grows without bound.
pub async fn campaign(options: &Options) -> Result<Report> {
    let mut report = Report::new("models", options.seed);
    let checks = checks(options.short);
    let most = usize::try_from(options.count.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    for check in checks.into_iter().take(most) {
        let name = check.name.clone();
        let found = tokio::task::spawn_blocking(move || check.run()).await?;
        report.n += 1;
        match found {
            Ok(found) => report.tell(
                &name,
                serde_json::json!({
                    "states": found.states,
                    "transitions": found.transitions,
                    "breaks": found.kinds(),
                }),
            ),
            Err(why) => report.violations.push(why),
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts up to three, or says that it has broken something at two.
    struct Steps(bool);

    impl Model for Steps {
        type State = u8;
        type Step = &'static str;

        fn start(&self) -> u8 {
            0
        }

        fn next(&self, state: &u8, each: &mut dyn FnMut(&'static str, u8)) {
            if *state < 3 {
                each("stay", *state);
                each("up", state + 1);
            }
        }

        fn broken(&self, state: &u8) -> Vec<&'static str> {
            if self.0 && *state == 2 {
                vec!["two"]
            } else {
                Vec::new()
            }
        }

        fn ended(&self, state: &u8) -> bool {
            *state == 3
        }
    }

    #[test]
    fn every_state_is_visited_once_and_traces_are_shortest() {
        let found = explore(&Steps(false), 10);
        assert_eq!((found.states, found.transitions, found.ended), (4, 6, 1));
        assert_eq!(found.kinds(), Vec::<&str>::new());
        let found = explore(&Steps(true), 10);
        assert_eq!((found.states, found.ended), (3, 0));
        assert_eq!(found.broken["two"], ["up", "up"]);
    }

    #[test]
    #[should_panic(expected = "no bound")]
    fn a_model_without_bound_is_no_proof() {
        explore(&Steps(false), 3);
    }

    #[test]
    fn a_check_fails_for_what_it_does_not_find_and_for_what_it_should_not_find() {
        assert!(Check::new("blind", &["two"], Steps(false)).run().is_err());
        assert!(Check::new("broken", &[], Steps(true)).run().is_err());
        let vacuous = Check::new("vacuous", &["two"], Steps(true)).run();
        assert!(vacuous.unwrap_err().contains("proves nothing"));
    }

    #[test]
    fn a_broken_protocol_is_told_as_a_story() {
        let check = checks(true)
            .into_iter()
            .find(|check| check.name == "V3, 2 agents");
        let found = check.map(|check| check.run().unwrap().to_string());
        assert!(found.is_some_and(|story| story.contains("agent 0 executes 1")));
    }
}
