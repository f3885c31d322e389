//! Every state of a stack under every intent, carried out on the account in memory: which calls change something, what
//! leave was asked for, how the job ends, and what is left. Written out in `agent/tests/golden/stack_actions.txt`, one
//! line a cell; what the pure table of `decide` promises is here seen to happen.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::*;

const TARGET: (&str, &str) = ("hadron:target", "tgt_1");

/// A word that no version of this program knows.
const LATER: &str = "UPDATE_ARCHIVE_PENDING";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    Create,
    Update,
    Delete,
}

/// Whose doing the state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// An earlier deployment's.
    Earlier,
    /// This deployment's own, by an agent that is gone.
    Own,
}

struct Cell {
    changes: String,
    leave: String,
    outcome: String,
    left: String,
}

/// Carries the job out on a stack that was found in this state and that nobody moves on by itself.
async fn cell(intent: Intent, status: &StackStatus, doing: Doing) -> Cell {
    let world = World::new();
    let stack = world.aws.arrange(NAME, status.clone(), &[TARGET], &["A"]);
    if doing == Doing::Own {
        let token = match intent {
            Intent::Create | Intent::Update => exec_token(1),
            Intent::Delete => format!("hadron-{}-delete", tag(1)),
        };
        world.aws.arrange_event(&stack, status.as_str(), &token);
    }
    let work = match intent {
        Intent::Create => Work::ApplyStack(world.apply(1, &template(&["A", "B"]))),
        Intent::Update => Work::ApplyStack(world.update(1, &template(&["A", "B"]), &stack)),
        Intent::Delete => World::destroy(Some(&stack)),
    };
    let (line, (_brake, stop)) = (Line::default(), Stop::new());
    let job = world.lease(1, 2, work);
    let outcome = world.over(&line, &job, &stop).await.unwrap();
    let mut changes: Vec<String> = Vec::new();
    for call in line.calls().iter().filter(|call| call.changes()) {
        let call = format!("{call:?}");
        if changes.last() != Some(&call) {
            changes.push(call);
        }
    }
    let leave = world.hub.granted();
    let leave: Vec<&str> = leave
        .iter()
        .map(|(_, act)| match act {
            Act::Execute { .. } => "execute",
            Act::Delete { .. } => "delete",
        })
        .collect();
    let outcome = match outcome.unwrap() {
        Outcome::Applied { stack: found, .. } if found == stack => "applied".to_owned(),
        Outcome::Applied { .. } => "applied to a new stack".to_owned(),
        Outcome::Gone { .. } => "gone".to_owned(),
        Outcome::Failed(failure) => format!("failed ({:?})", failure.kind),
        other => format!("{other:?}"),
    };
    let mut left = BTreeMap::<String, u32>::new();
    for arn in world.aws.stack_arns() {
        *left.entry(world.status(&arn).to_string()).or_default() += 1;
    }
    let left: Vec<String> = left
        .into_iter()
        .map(|(status, count)| {
            if count == 1 {
                status
            } else {
                format!("{count} x {status}")
            }
        })
        .collect();
    assert!(
        world.aws.live_change_sets().is_empty(),
        "{intent:?} {status} {doing:?} leaves a change set behind"
    );
    let or_none = |words: Vec<String>| {
        if words.is_empty() {
            "-".to_owned()
        } else {
            words.join(" ")
        }
    };
    Cell {
        changes: or_none(changes),
        leave: or_none(leave.into_iter().map(str::to_owned).collect()),
        outcome,
        left: or_none(left),
    }
}

fn statuses() -> Vec<StackStatus> {
    StackStatus::ALL
        .into_iter()
        .chain([StackStatus::from(LATER)])
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_state_under_every_intent_ends_as_written_down() {
    let mut text = String::from(
        "What an agent does with a stack that it finds in a state, carried out on the account in memory.\n\
         Columns: state; calls that change something; leave asked of the hub; how the job ends; what is left.\n\
         Nobody moves the stack on by itself: what is in progress stays so until the agent's patience ends.\n",
    );
    let mut cells = 0;
    for doing in [Doing::Earlier, Doing::Own] {
        for intent in [Intent::Create, Intent::Update, Intent::Delete] {
            let whose = match doing {
                Doing::Earlier => "an earlier deployment's doing",
                Doing::Own => "this deployment's own doing, by an agent that is gone",
            };
            let _ = writeln!(text, "\n{intent:?}, {whose}");
            for status in statuses() {
                let Cell {
                    changes,
                    leave,
                    outcome,
                    left,
                } = cell(intent, &status, doing).await;
                let _ = writeln!(
                    text,
                    "  {:<44}| {changes} | {leave} | {outcome} | {left}",
                    status.as_str()
                );
                cells += 1;
            }
        }
    }
    assert_eq!(cells, 2 * 24 * 3);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/stack_actions.txt");
    let found = std::fs::read_to_string(path).unwrap_or_default();
    if found != text {
        let aside = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/stack_actions.txt.new");
        std::fs::write(aside, &text).unwrap();
        panic!(
            "what is done in a state changed: compare {path} with {aside}, and keep the new one if it is right"
        );
    }
}

/// What must hold whatever the table says.
#[tokio::test(start_paused = true)]
async fn no_state_is_touched_without_leave_and_none_is_waited_for_for_ever() {
    for status in statuses() {
        for doing in [Doing::Earlier, Doing::Own] {
            for intent in [Intent::Create, Intent::Update, Intent::Delete] {
                let cell = cell(intent, &status, doing).await;
                let name = format!("{intent:?} {status} {doing:?}");
                if cell.changes.contains("ExecuteChangeSet") {
                    assert!(cell.leave.contains("execute"), "{name}");
                }
                if cell.changes.contains("DeleteStack") {
                    assert!(cell.leave.contains("delete"), "{name}");
                }
                if status == StackStatus::from(LATER) {
                    assert_eq!(cell.changes, "-", "{name}: an unknown state is not acted upon");
                    assert!(cell.outcome.starts_with("failed"), "{name}");
                }
            }
        }
    }
}
