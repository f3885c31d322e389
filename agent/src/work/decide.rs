//! Which action follows from which state of a stack. Pure: no clock, no call.
//!
//! The tables name every pair of status and intent. Their whole content is written out in
//! `agent/tests/golden/stack_states.txt`, so a change of a rule shows as a change of a line.

use std::fmt;

use crate::aws::StackStatus;
use crate::job::FailureKind;

/// What the job wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// The stack is to have the template's content. No stack of this target is known.
    Create,
    /// The stack is to have the template's content. A stack of this target is known by ARN.
    Update,
    /// The stack is to be gone.
    Destroy,
    /// The deployment is to have no effect any more, or its effect is to be told.
    Revoke,
}

/// Whose doing the state is that the stack is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// This deployment's: its execution is the newest operation on the stack. It must never be executed again.
    Mine,
    /// Somebody else's operation came after this deployment's execution. It must never be executed again either, and what
    /// the stack has now is not its content.
    Overtaken,
    /// Hadron's stack, but this deployment has not changed it.
    Ours,
    /// Somebody else's stack under our name.
    Foreign,
}

/// What is known about a stack besides its status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The newest operation on the stack carries a token with which this deployment put its content in motion, or took
    /// it back. For a deletion: as [`Evidence::executed`].
    pub newest: bool,
    /// Any event carries such a token (or that of this deployment's deletion), or a change set of this deployment is
    /// listed as executed.
    pub executed: bool,
    /// The newest operation on the stack carries a token of Hadron, of whatever deployment.
    pub hadron_operates: bool,
    /// The stack is known by ARN, or carries the tag of the same target.
    pub known: bool,
    /// There are change sets on the stack that Hadron did not make.
    pub foreign_change_sets: bool,
}

/// Whose doing the state is.
#[must_use]
pub fn standing(intent: Intent, status: &StackStatus, seen: Evidence) -> Standing {
    if *status == StackStatus::ReviewInProgress {
        // Nothing was ever executed. An empty husk under our own name is nobody's; others' change sets make it theirs.
        return if seen.foreign_change_sets {
            Standing::Foreign
        } else {
            Standing::Ours
        };
    }
    // An update that Hadron began may be cancelled in favour of the deletion.
    let cancellable =
        intent == Intent::Destroy && *status == StackStatus::UpdateInProgress && seen.hadron_operates;
    if seen.newest || cancellable {
        Standing::Mine
    } else if seen.executed {
        Standing::Overtaken
    } else if seen.known {
        Standing::Ours
    } else {
        Standing::Foreign
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a change set of type CREATE.
    Create,
    /// Make a change set of type UPDATE.
    Update,
    /// Nothing to do: the stack has the deployment's content.
    Applied,
    /// Nothing to do: there is no stack.
    Gone,
    /// Nothing to do: the deployment had no effect and can have none.
    Revoked,
    /// Look again later: this deployment's own operation runs.
    WaitOwn,
    /// Look again later, for a bounded time: somebody else's operation runs.
    WaitForeign,
    /// Delete the stack, then begin again: it never had a good state.
    Replace,
    /// Delete the stack.
    Delete,
    /// Ask for the update to be taken back.
    CancelUpdate,
    /// Try to go on with taking an update back.
    ContinueRollback,
    /// Take back what failed with rollback disabled.
    RollBack,
    /// Report a failure.
    Fail(FailureKind),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail(kind) => write!(f, "Fail({kind:?})"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// The table. `status` is `None` when there is no stack. `never_succeeded`: no deployment of this stack ever succeeded.
#[must_use]
pub fn decide(
    intent: Intent,
    status: Option<&StackStatus>,
    standing: Standing,
    never_succeeded: bool,
) -> Action {
    let status = status.unwrap_or(&StackStatus::DeleteComplete);
    match intent {
        Intent::Create => create(status, standing, never_succeeded),
        Intent::Update => update(status, standing, never_succeeded),
        Intent::Destroy => destroy(status, standing),
        Intent::Revoke => revoke(status, standing, never_succeeded),
    }
}

fn create(status: &StackStatus, standing: Standing, never_succeeded: bool) -> Action {
    use FailureKind::{DeleteFailed, ForeignOperation, RollbackFailed, StackFailed};
    use StackStatus as S;
    use Standing::{Foreign, Mine, Ours, Overtaken};
    match (status, standing) {
        (S::DeleteComplete, _) => Action::Create,
        (S::ReviewInProgress, Mine | Overtaken | Ours) => Action::Create,
        (S::ReviewInProgress, Foreign) => Action::Fail(ForeignOperation),
        (S::CreateComplete | S::UpdateComplete | S::ImportComplete, Mine) => Action::Applied,
        // A stack that nobody told us about: updating it could destroy what somebody relies on.
        (S::CreateComplete | S::UpdateComplete | S::ImportComplete, Overtaken | Ours | Foreign) => {
            Action::Fail(ForeignOperation)
        }
        (
            S::CreateInProgress
            | S::RollbackInProgress
            | S::UpdateInProgress
            | S::UpdateCompleteCleanupInProgress
            | S::UpdateRollbackInProgress
            | S::UpdateRollbackCompleteCleanupInProgress
            | S::ImportInProgress
            | S::ImportRollbackInProgress,
            Mine,
        ) => Action::WaitOwn,
        (
            S::CreateInProgress
            | S::RollbackInProgress
            | S::UpdateInProgress
            | S::UpdateCompleteCleanupInProgress
            | S::UpdateRollbackInProgress
            | S::UpdateRollbackCompleteCleanupInProgress
            | S::ImportInProgress
            | S::ImportRollbackInProgress,
            Overtaken | Ours | Foreign,
        ) => Action::WaitForeign,
        (S::DeleteInProgress | S::Unknown(_), _) => Action::WaitForeign,
        (S::RollbackComplete | S::RollbackFailed | S::CreateFailed, Mine | Overtaken) => {
            Action::Fail(StackFailed)
        }
        (S::RollbackComplete | S::RollbackFailed | S::CreateFailed, Ours) if never_succeeded => {
            Action::Replace
        }
        (S::RollbackComplete | S::RollbackFailed | S::CreateFailed, Ours) => Action::Fail(RollbackFailed),
        (S::RollbackComplete | S::RollbackFailed | S::CreateFailed, Foreign) => {
            Action::Fail(ForeignOperation)
        }
        (S::DeleteFailed, Mine | Overtaken | Ours) => Action::Fail(DeleteFailed),
        (S::DeleteFailed, Foreign) => Action::Fail(ForeignOperation),
        (S::UpdateFailed, Mine) => Action::RollBack,
        (S::UpdateRollbackFailed, Mine) => Action::ContinueRollback,
        (S::UpdateRollbackComplete | S::ImportRollbackComplete, Mine) => Action::Fail(StackFailed),
        (S::ImportRollbackFailed, Mine) => Action::Fail(RollbackFailed),
        (
            S::UpdateFailed
            | S::UpdateRollbackFailed
            | S::UpdateRollbackComplete
            | S::ImportRollbackComplete
            | S::ImportRollbackFailed,
            Overtaken | Ours | Foreign,
        ) => Action::Fail(ForeignOperation),
    }
}

fn update(status: &StackStatus, standing: Standing, never_succeeded: bool) -> Action {
    use FailureKind::{DeleteFailed, ForeignOperation, RollbackFailed, StackFailed, StackVanished};
    use StackStatus as S;
    use Standing::{Foreign, Mine, Ours, Overtaken};
    match (status, standing) {
        // An earlier attempt may have deleted it in order to replace it.
        (S::DeleteComplete, _) if never_succeeded => Action::Create,
        (S::DeleteComplete, _) => Action::Fail(StackVanished),
        (S::ReviewInProgress, Mine | Overtaken | Ours) => Action::Create,
        (S::ReviewInProgress, Foreign) => Action::Fail(ForeignOperation),
        (S::CreateComplete | S::UpdateComplete | S::ImportComplete, Mine) => Action::Applied,
        (S::CreateComplete | S::UpdateComplete | S::ImportComplete, Overtaken) => {
            Action::Fail(ForeignOperation)
        }
        (S::CreateComplete | S::UpdateComplete | S::ImportComplete, Ours) => Action::Update,
        (
            S::CreateInProgress
            | S::RollbackInProgress
            | S::UpdateInProgress
            | S::UpdateCompleteCleanupInProgress
            | S::UpdateRollbackInProgress
            | S::UpdateRollbackCompleteCleanupInProgress
            | S::ImportInProgress
            | S::ImportRollbackInProgress,
            Mine,
        ) => Action::WaitOwn,
        (
            S::CreateInProgress
            | S::RollbackInProgress
            | S::UpdateInProgress
            | S::UpdateCompleteCleanupInProgress
            | S::UpdateRollbackInProgress
            | S::UpdateRollbackCompleteCleanupInProgress
            | S::ImportInProgress
            | S::ImportRollbackInProgress,
            Overtaken | Ours | Foreign,
        ) => Action::WaitForeign,
        (S::DeleteInProgress | S::Unknown(_), _) => Action::WaitForeign,
        (S::RollbackComplete | S::RollbackFailed | S::CreateFailed, Mine | Overtaken) => {
            Action::Fail(StackFailed)
        }
        (S::RollbackComplete | S::RollbackFailed | S::CreateFailed, Ours) if never_succeeded => {
            Action::Replace
        }
        (S::RollbackComplete | S::RollbackFailed | S::CreateFailed, Ours) => Action::Fail(RollbackFailed),
        (S::UpdateFailed, Mine | Overtaken | Ours) => Action::RollBack,
        (S::UpdateRollbackFailed, Mine | Overtaken | Ours) => Action::ContinueRollback,
        // Overtaken: a cancellation that stalled took it back.
        (S::UpdateRollbackComplete | S::ImportRollbackComplete, Mine | Overtaken) => {
            Action::Fail(StackFailed)
        }
        (S::UpdateRollbackComplete | S::ImportRollbackComplete, Ours) => Action::Update,
        (S::ImportRollbackFailed, Mine | Overtaken | Ours) => Action::Fail(RollbackFailed),
        (S::DeleteFailed, Mine | Overtaken | Ours) => Action::Fail(DeleteFailed),
        // After the known stack was found to be gone, somebody else's bears its name.
        (
            S::CreateComplete
            | S::UpdateComplete
            | S::ImportComplete
            | S::RollbackComplete
            | S::RollbackFailed
            | S::CreateFailed
            | S::UpdateFailed
            | S::UpdateRollbackFailed
            | S::UpdateRollbackComplete
            | S::ImportRollbackComplete
            | S::ImportRollbackFailed
            | S::DeleteFailed,
            Foreign,
        ) => Action::Fail(ForeignOperation),
    }
}

fn destroy(status: &StackStatus, standing: Standing) -> Action {
    use StackStatus as S;
    use Standing::{Foreign, Mine, Ours, Overtaken};
    match (status, standing) {
        (S::DeleteComplete, _) => Action::Gone,
        // Found by name, and nothing on it says that it is ours: there is no stack of ours.
        (_, Foreign) => Action::Gone,
        (S::UpdateInProgress, Mine) => Action::CancelUpdate,
        (S::DeleteInProgress, Mine | Overtaken | Ours) => Action::WaitOwn,
        (
            S::CreateInProgress
            | S::RollbackInProgress
            | S::UpdateInProgress
            | S::UpdateCompleteCleanupInProgress
            | S::UpdateRollbackInProgress
            | S::UpdateRollbackCompleteCleanupInProgress
            | S::ImportInProgress
            | S::ImportRollbackInProgress
            | S::Unknown(_),
            Mine | Overtaken | Ours,
        ) => Action::WaitForeign,
        (S::DeleteFailed, Mine) => Action::Fail(FailureKind::DeleteFailed),
        (
            S::ReviewInProgress
            | S::CreateComplete
            | S::UpdateComplete
            | S::ImportComplete
            | S::CreateFailed
            | S::RollbackComplete
            | S::RollbackFailed
            | S::UpdateFailed
            | S::UpdateRollbackComplete
            | S::UpdateRollbackFailed
            | S::ImportRollbackComplete
            | S::ImportRollbackFailed,
            Mine | Overtaken | Ours,
        )
        | (S::DeleteFailed, Overtaken | Ours) => Action::Delete,
    }
}

fn revoke(status: &StackStatus, standing: Standing, never_succeeded: bool) -> Action {
    use FailureKind::{DeleteFailed, ForeignOperation, RollbackFailed, StackFailed};
    use StackStatus as S;
    use Standing::{Foreign, Mine, Ours, Overtaken};
    match (status, standing) {
        (S::DeleteComplete, _) => Action::Revoked,
        (S::ReviewInProgress, Mine | Overtaken | Ours) if never_succeeded => Action::Delete,
        (S::ReviewInProgress, _) => Action::Revoked,
        (S::CreateComplete | S::UpdateComplete | S::ImportComplete, Mine) => Action::Applied,
        // It had an effect, so it is not as if it had never been; but what the stack has now is not its content.
        (S::CreateComplete | S::UpdateComplete | S::ImportComplete | S::UpdateFailed, Overtaken) => {
            Action::Fail(ForeignOperation)
        }
        (S::UpdateInProgress, Mine) => Action::CancelUpdate,
        (
            S::CreateInProgress
            | S::RollbackInProgress
            | S::UpdateCompleteCleanupInProgress
            | S::UpdateRollbackInProgress
            | S::UpdateRollbackCompleteCleanupInProgress
            | S::ImportInProgress
            | S::ImportRollbackInProgress
            | S::DeleteInProgress,
            Mine,
        ) => Action::WaitOwn,
        // Whose it is may show only when it has ended.
        (
            S::CreateInProgress
            | S::RollbackInProgress
            | S::UpdateInProgress
            | S::UpdateCompleteCleanupInProgress
            | S::UpdateRollbackInProgress
            | S::UpdateRollbackCompleteCleanupInProgress
            | S::ImportInProgress
            | S::ImportRollbackInProgress
            | S::DeleteInProgress,
            Overtaken | Ours | Foreign,
        )
        | (S::Unknown(_), _) => Action::WaitForeign,
        (
            S::RollbackComplete
            | S::RollbackFailed
            | S::CreateFailed
            | S::UpdateRollbackComplete
            | S::ImportRollbackComplete,
            Mine | Overtaken,
        ) => Action::Fail(StackFailed),
        (S::UpdateFailed, Mine) => Action::RollBack,
        (S::UpdateRollbackFailed, Mine) => Action::ContinueRollback,
        (S::UpdateRollbackFailed, Overtaken) | (S::ImportRollbackFailed, Mine | Overtaken) => {
            Action::Fail(RollbackFailed)
        }
        (S::DeleteFailed, Mine | Overtaken) => Action::Fail(DeleteFailed),
        (
            S::CreateComplete
            | S::UpdateComplete
            | S::ImportComplete
            | S::RollbackComplete
            | S::RollbackFailed
            | S::CreateFailed
            | S::UpdateFailed
            | S::UpdateRollbackComplete
            | S::UpdateRollbackFailed
            | S::ImportRollbackComplete
            | S::ImportRollbackFailed
            | S::DeleteFailed,
            Ours | Foreign,
        ) => Action::Revoked,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn table() -> String {
        let mut text = String::from(
            "What the agent does with a stack that it finds in a state.\n\
             mine: this deployment's doing; over: this deployment was executed, and somebody else's operation came after;\n\
             ours: Hadron's stack, not this deployment's doing; other: somebody else's.\n\
             +: no deployment of this stack ever succeeded.\n",
        );
        let columns = [
            ("mine", Standing::Mine, false),
            ("mine+", Standing::Mine, true),
            ("over", Standing::Overtaken, false),
            ("over+", Standing::Overtaken, true),
            ("ours", Standing::Ours, false),
            ("ours+", Standing::Ours, true),
            ("other", Standing::Foreign, false),
            ("other+", Standing::Foreign, true),
        ];
        let unknown = StackStatus::Unknown("(a later word)".to_owned());
        for intent in [Intent::Create, Intent::Update, Intent::Destroy, Intent::Revoke] {
            let _ = writeln!(text, "\n{intent:?}");
            for status in std::iter::once(None)
                .chain(StackStatus::ALL.iter().map(Some))
                .chain([Some(&unknown)])
            {
                let _ = write!(
                    text,
                    "  {:<46}",
                    status.map_or("(none)", |status| status.as_str())
                );
                // Neighbours that agree are written once.
                let mut cells: Vec<(Vec<&str>, String)> = Vec::new();
                for (name, standing, never) in columns {
                    let action = decide(intent, status, standing, never).to_string();
                    match cells.iter_mut().find(|(_, known)| *known == action) {
                        Some((names, _)) => names.push(name),
                        None => cells.push((vec![name], action)),
                    }
                }
                let line: Vec<String> = match cells.as_slice() {
                    [(_, action)] => vec![format!("all: {action}")],
                    cells => cells
                        .iter()
                        .map(|(names, action)| format!("{}: {action}", names.join(" ")))
                        .collect(),
                };
                let _ = writeln!(text, "{}", line.join("; "));
            }
        }
        text
    }

    #[test]
    fn the_table_is_the_one_that_is_checked_in() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/stack_states.txt");
        let found = std::fs::read_to_string(path).unwrap_or_default();
        let wanted = table();
        if found != wanted {
            let aside = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/stack_states.txt.new");
            std::fs::write(aside, &wanted).unwrap();
            panic!(
                "the table of states changed: compare {path} with {aside}, and keep the new one if it is right"
            );
        }
    }

    #[test]
    fn what_was_executed_is_never_executed_again() {
        for status in StackStatus::ALL.iter().filter(|status| {
            !matches!(
                status,
                StackStatus::DeleteComplete | StackStatus::ReviewInProgress
            )
        }) {
            for intent in [Intent::Create, Intent::Update] {
                for never in [false, true] {
                    for standing in [Standing::Mine, Standing::Overtaken] {
                        let action = decide(intent, Some(status), standing, never);
                        assert!(
                            !matches!(action, Action::Create | Action::Update | Action::Replace),
                            "{intent:?} {status} {standing:?}: {action}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_foreign_is_never_touched() {
        for status in &StackStatus::ALL {
            for intent in [Intent::Create, Intent::Update, Intent::Destroy, Intent::Revoke] {
                for never in [false, true] {
                    let action = decide(intent, Some(status), Standing::Foreign, never);
                    let touches = matches!(
                        action,
                        Action::Update
                            | Action::Replace
                            | Action::Delete
                            | Action::CancelUpdate
                            | Action::ContinueRollback
                            | Action::RollBack
                    );
                    assert!(!touches, "{intent:?} {status}: {action}");
                }
            }
        }
    }

    #[test]
    fn only_the_newest_operation_tells_whose_the_content_is() {
        let none = Evidence::default();
        let known = Evidence { known: true, ..none };
        let before = Evidence {
            executed: true,
            ..known
        };
        let last = Evidence {
            newest: true,
            ..before
        };
        for intent in [Intent::Create, Intent::Update, Intent::Revoke] {
            for status in [StackStatus::UpdateComplete, StackStatus::UpdateRollbackComplete] {
                let of = |seen| standing(intent, &status, seen);
                assert_eq!(of(last), Standing::Mine);
                assert_eq!(of(before), Standing::Overtaken);
                assert_eq!(of(known), Standing::Ours);
                assert_eq!(of(none), Standing::Foreign);
            }
        }
        // Nobody's operation is taken back but the deployment's own.
        let running = StackStatus::UpdateInProgress;
        let overtaken = standing(Intent::Revoke, &running, before);
        assert_eq!(
            decide(Intent::Revoke, Some(&running), overtaken, false),
            Action::WaitForeign
        );
    }
}
