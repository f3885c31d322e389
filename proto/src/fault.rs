//! Faults on purpose: named points at which a process dies or stalls, and bugs that the fault harness must find.
//!
//! A program calls [`point`] where a crash would be most unwelcome, and asks [`bug`] where a mistake would be most
//! dangerous. Without the feature `faults` both are empty and the names are in no binary; `cargo xtask faults --release-check`
//! looks for them. With it nothing happens either until [`arm`] has been told, by `HADRON_FAULTS`, what shall go wrong:
//!
//! ```text
//! HADRON_FAULTS=C23=kill            die, as by a power cut, when C23 is reached
//! HADRON_FAULTS=C23=kill@2          the second time
//! HADRON_FAULTS=C23=stall:3000      every task that gets there blocks its thread for 3 s, once
//! HADRON_FAULTS=bug=no-fence,C23=kill
//! HADRON_FAULTS_LOG=/tmp/reached    a line for each point that is reached, written before anything else happens
//! ```
//!
//! [`POINTS`] lists all points.

mod points;

pub use points::{POINTS, Process};

/// A mistake that can be switched on, to see that the harness finds it. Each breaks one rule that everything rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bug {
    /// The hub takes reports and renewals under superseded fences.
    NoFence,
    /// The agent changes stacks directly instead of through a change set that the hub allowed.
    UpdateByName,
    /// The store answers before the commit.
    AckBeforeCommit,
    /// An agent that takes a job over leaves the change sets of earlier holders standing.
    NoRevokeOnTakeover,
    /// A cancelled deployment is called CANCELLED at once, without taking back what its agent may still do.
    SinglePhaseCancel,
    /// A deployment can be cancelled although the deletion of its stack has been allowed.
    CancelAfterCondemned,
    /// A challenge can be answered twice.
    NonceReusable,
    /// Merging a pull policy drops statements of others with keys that it does not know.
    MergeDropsUnknown,
    /// Leases are judged by the hub's own clock instead of the clock that all hubs share.
    LeaseByWallClock,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::NoFence,
        Self::UpdateByName,
        Self::AckBeforeCommit,
        Self::NoRevokeOnTakeover,
        Self::SinglePhaseCancel,
        Self::CancelAfterCondemned,
        Self::NonceReusable,
        Self::MergeDropsUnknown,
        Self::LeaseByWallClock,
    ];
}

/// The process is at this point. Does nothing unless a test asked for something to happen here.
#[inline(always)]
#[cfg(not(feature = "faults"))]
pub const fn point(_: &'static str) {}

/// Whether this mistake is to be made: never.
#[inline(always)]
#[must_use]
#[cfg(not(feature = "faults"))]
pub const fn bug(_: Bug) -> bool {
    false
}

/// Does nothing: this program has no faults on purpose.
///
/// # Errors
/// Never.
#[cfg(not(feature = "faults"))]
pub const fn arm_from_environment() -> Result<(), &'static str> {
    Ok(())
}

#[cfg(feature = "faults")]
pub use armed::{arm, arm_from_environment, bug, point};

#[cfg(feature = "faults")]
mod armed {
    use std::collections::HashMap;
    use std::fs::File;
    use std::io::Write as _;
    use std::sync::{Mutex, PoisonError, RwLock};
    use std::time::Duration;

    use super::{Bug, POINTS};

    #[derive(Clone, Copy, Debug)]
    enum Action {
        Kill,
        Stall(Duration),
    }

    #[derive(Debug)]
    struct Plan {
        action: Action,
        /// It happens when this reaches zero, and then no more.
        left: u32,
    }

    #[derive(Debug, Default)]
    struct Armed {
        plans: HashMap<String, Mutex<Plan>>,
        bugs: Vec<Bug>,
        log: Option<Mutex<File>>,
    }

    static ARMED: RwLock<Option<Armed>> = RwLock::new(None);

    fn name(bug: Bug) -> &'static str {
        match bug {
            Bug::NoFence => "no-fence",
            Bug::UpdateByName => "update-by-name",
            Bug::AckBeforeCommit => "ack-before-commit",
            Bug::NoRevokeOnTakeover => "no-revoke-on-takeover",
            Bug::SinglePhaseCancel => "single-phase-cancel",
            Bug::CancelAfterCondemned => "cancel-after-condemned",
            Bug::NonceReusable => "nonce-reusable",
            Bug::MergeDropsUnknown => "merge-drops-unknown",
            Bug::LeaseByWallClock => "lease-by-wall-clock",
        }
    }

    impl std::fmt::Display for Bug {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(name(*self))
        }
    }

    impl std::str::FromStr for Bug {
        type Err = String;

        fn from_str(text: &str) -> Result<Self, String> {
            let found = Self::ALL.into_iter().find(|bug| name(*bug) == text);
            found.ok_or_else(|| {
                let all: Vec<&str> = Self::ALL.into_iter().map(name).collect();
                format!("no bug is called '{text}': {}", all.join(", "))
            })
        }
    }

    fn plan(text: &str) -> Result<(String, Plan), String> {
        let wrong =
            || format!("'{text}' is no fault: POINT=kill[@N], POINT=stall:MILLISECONDS[@N] or bug=NAME");
        let (point, what) = text.split_once('=').ok_or_else(wrong)?;
        if !POINTS.iter().any(|(name, ..)| *name == point) {
            let all: Vec<String> = POINTS
                .iter()
                .map(|(name, process, meaning)| format!("{name} ({process:?}: {meaning})"))
                .collect();
            return Err(format!("no point is called '{point}': {}", all.join(", ")));
        }
        let (what, left) = what.split_once('@').unwrap_or((what, "1"));
        let left = left.parse().ok().filter(|left| *left > 0).ok_or_else(wrong)?;
        let action = match what.split_once(':') {
            None if what == "kill" => Action::Kill,
            Some(("stall", millis)) => {
                Action::Stall(Duration::from_millis(millis.parse().map_err(|_| wrong())?))
            }
            _ => return Err(wrong()),
        };
        Ok((point.to_owned(), Plan { action, left }))
    }

    /// Says what shall go wrong in this process from now on, instead of what was said before. The empty text: nothing.
    ///
    /// # Errors
    /// When the text says nothing that can go wrong.
    pub fn arm(text: &str, log: Option<File>) -> Result<(), String> {
        let mut armed = Armed {
            log: log.map(Mutex::new),
            ..Armed::default()
        };
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            if let Some(bug) = word.strip_prefix("bug=") {
                armed.bugs.push(bug.parse()?);
            } else {
                let (point, plan) = plan(word)?;
                armed.plans.insert(point, Mutex::new(plan));
            }
        }
        *ARMED.write().unwrap_or_else(PoisonError::into_inner) = Some(armed);
        Ok(())
    }

    /// Reads `HADRON_FAULTS` and `HADRON_FAULTS_LOG`.
    ///
    /// # Errors
    /// When they cannot be understood, or the log cannot be opened.
    #[expect(
        clippy::disallowed_methods,
        reason = "no configuration: nothing that a release would read"
    )]
    pub fn arm_from_environment() -> Result<(), String> {
        let text = std::env::var("HADRON_FAULTS").unwrap_or_default();
        let log = match std::env::var_os("HADRON_FAULTS_LOG") {
            None => None,
            Some(path) => Some(
                File::options()
                    .create(true)
                    .append(true)
                    .open(&path)
                    .map_err(|error| format!("HADRON_FAULTS_LOG {}: {error}", path.display()))?,
            ),
        };
        if text.is_empty() && log.is_none() {
            return Ok(());
        }
        eprintln!("this program was built with faults on purpose and is not for production: {text}");
        arm(&text, log).map_err(|error| format!("HADRON_FAULTS: {error}"))
    }

    /// The process is at this point. Does nothing unless a test asked for something to happen here.
    pub fn point(name: &'static str) {
        let armed = ARMED.read().unwrap_or_else(PoisonError::into_inner);
        let Some(armed) = armed.as_ref() else { return };
        if let Some(log) = &armed.log {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            // One write: lines of several processes do not mix.
            let _ = log.write_all(format!("{name}\n").as_bytes());
        }
        let Some(plan) = armed.plans.get(name) else {
            return;
        };
        let action = {
            let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
            plan.left = plan.left.saturating_sub(1);
            if plan.left > 0 {
                return;
            }
            // Not again: so many more will not come by.
            plan.left = u32::MAX;
            plan.action
        };
        match action {
            Action::Kill => {
                // Nothing is flushed and nobody is told, as with a power cut.
                let _ =
                    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
                loop {
                    std::thread::park();
                }
            }
            Action::Stall(time) => std::thread::sleep(time),
        }
    }

    /// Whether this mistake is to be made.
    #[must_use]
    pub fn bug(bug: Bug) -> bool {
        let armed = ARMED.read().unwrap_or_else(PoisonError::into_inner);
        armed.as_ref().is_some_and(|armed| armed.bugs.contains(&bug))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn faults_are_read_and_nonsense_is_refused() {
            for (text, good) in [
                ("", true),
                ("C23=kill", true),
                ("C23=kill@2,C24=stall:5,bug=no-fence", true),
                ("C23", false),
                ("C99=kill", false),
                ("C23=kill@0", false),
                ("C23=hop", false),
                ("C23=stall:long", false),
                ("bug=none-such", false),
            ] {
                assert_eq!(arm(text, None).is_ok(), good, "{text}");
            }
            arm("bug=no-fence,C24=stall:1", None).unwrap();
            assert!(bug(Bug::NoFence) && !bug(Bug::NonceReusable));
            point("C24");
            point("C24");
            arm("", None).unwrap();
            assert!(!bug(Bug::NoFence));
        }

        #[test]
        fn bugs_have_names_that_are_read_again() {
            for bug in Bug::ALL {
                assert_eq!(bug.to_string().parse(), Ok(bug));
            }
        }
    }
}
