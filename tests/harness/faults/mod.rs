//! The fault harness: campaigns that break something on purpose many times over and look at the world afterwards.
//!
//! A campaign is a row of [`CAMPAIGNS`]: a name, how often it does its work in the short and in the full form, and a
//! function that takes [`Options`] and gives a [`Report`]. `cargo xtask faults` runs them, prints each report as one line
//! of JSON and ends with a line of totals; the test target `faults` runs each short form as one test. What a campaign does
//! by chance comes from its seed alone, so that a run that found something can be had again: such seeds are written down
//! in `tests/regressions`.
//!
//! Words: a *cycle* is one thing broken and the recovery from it; a *violation* is a promise found broken, said in a
//! sentence. Trouble of the harness itself (a world that does not come up) is an error, not a violation.

mod aws;
mod chance;
pub mod door;
mod full;
mod grants;
pub mod ground;
mod kills;
pub mod load;
mod network;
mod points;
mod postgres;
pub mod release;
mod report;
mod stale;
mod standby;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use futures::future::BoxFuture;

pub use chance::Chance;
pub use report::{Report, Times, Total};

use crate::paths;

/// What a campaign is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The short form, for CI: a handful of cycles instead of hundreds.
    pub short: bool,
    /// Where chance begins.
    pub seed: u64,
    /// How many cycles, instead of what the form says.
    pub count: Option<u64>,
    /// Only campaigns of these names; empty means all.
    pub only: Vec<String>,
    /// Where reports and logs of failed cycles go.
    pub out: PathBuf,
}

impl Options {
    /// The short form with a fixed seed, as tests run it.
    #[must_use]
    pub fn short() -> Self {
        Self {
            short: true,
            seed: 1,
            count: None,
            only: Vec::new(),
            out: paths::root().join("target/faults"),
        }
    }

    /// How many cycles: what was asked for, else what the form says.
    #[must_use]
    pub fn cycles(&self, short: u64, full: u64) -> u64 {
        self.count.unwrap_or(if self.short { short } else { full })
    }

    /// Chance for one use of it; other names give independent streams of the same seed.
    #[must_use]
    pub fn chance(&self, name: &str) -> Chance {
        Chance::named(self.seed, name)
    }
}

/// What runs a campaign.
pub type Run = for<'a> fn(&'a Options) -> BoxFuture<'a, Result<Report>>;

/// One way of breaking things.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// What it does, for `--list`: a sentence without a full stop.
    pub what: &'static str,
    /// Cycles of the short form.
    pub short: u64,
    /// Cycles of the full form.
    pub full: u64,
    /// Runs it.
    pub run: Run,
}

impl Campaign {
    /// Runs it. A violation is kept in `tests/regressions`.
    ///
    /// # Errors
    /// When the harness itself has trouble, with the campaign and its seed.
    pub async fn perform(&self, options: &Options) -> Result<Report> {
        std::fs::create_dir_all(&options.out).context("a folder for reports")?;
        let report = (self.run)(options)
            .await
            .with_context(|| format!("campaign {} with seed {}", self.name, options.seed))?;
        if !report.violations.is_empty() {
            keep(&paths::root().join("tests/regressions"), &report, options)?;
        }
        Ok(report)
    }
}

/// A row of [`CAMPAIGNS`]: name, cycles of the short and of the full form, function, what it does.
macro_rules! campaign {
    ($name:literal, $short:literal, $full:literal, $run:path, $what:literal) => {
        Campaign {
            name: $name,
            what: $what,
            short: $short,
            full: $full,
            run: |options| Box::pin($run(options)),
        }
    };
}

/// All campaigns, in the order in which they run. `tests/faults/main.rs` has a test for each.
pub const CAMPAIGNS: &[Campaign] = &[
    campaign!(
        "chance",
        1_000,
        1_000_000,
        chance::campaign,
        "Throw the harness's own dice: fair, and the same again"
    ),
    campaign!(
        "agent-kills",
        24,
        1_000,
        kills::agents,
        "Kill agents at any time of a deployment"
    ),
    campaign!(
        "hub-kills",
        8,
        500,
        kills::hubs,
        "Kill one of two hubs, and the only one, under writes"
    ),
    campaign!("both-kills", 6, 200, kills::both, "Kill hub and agent at once"),
    campaign!(
        "replicas",
        15,
        600,
        kills::replicas,
        "For so many seconds, kill one of three hubs every few seconds"
    ),
    campaign!(
        "rolling-restart",
        4,
        50,
        kills::rolling,
        "Restart hubs in good order under writes"
    ),
    campaign!(
        "stale-agents",
        4,
        200,
        stale::campaign,
        "Stop agents for longer than their lease, and wake them up later"
    ),
    campaign!(
        "postgres",
        8,
        1_000,
        postgres::campaign,
        "Restart and kill PostgreSQL, end its sessions, swallow its answers to COMMIT"
    ),
    campaign!(
        "promotion",
        2,
        20,
        standby::promotion,
        "Kill PostgreSQL while every COMMIT waits for a standby, and promote that"
    ),
    campaign!(
        "lost-commits",
        1,
        10,
        standby::lost_commits,
        "Promote a standby that has not got the last commits, and recover"
    ),
    campaign!(
        "network",
        6,
        360,
        network::campaign,
        "Break every link in every way during deployments; swallow and double calls of AWS"
    ),
    campaign!(
        "aws",
        1,
        20,
        aws::campaign,
        "Have AWS throttle, fail and answer nonsense, each so many times"
    ),
    campaign!(
        "grant-kills",
        3,
        100,
        grants::campaign,
        "Kill whoever writes pull policies, and the hub, while grants come and go"
    ),
    campaign!(
        "points",
        69,
        690,
        points::campaign,
        "Kill hub or agent at every named point, the first time that it gets there and later times"
    ),
    campaign!(
        "double-crash",
        8,
        200,
        points::double_crash,
        "Kill hub or agent at a named point, and once more in the recovery"
    ),
    campaign!(
        "disk-loss",
        6,
        100,
        points::disk_loss,
        "Kill an agent at a named point and take its disk away"
    ),
    campaign!(
        "full-disks",
        3,
        30,
        full::campaign,
        "Fill the disk under an agent, a hub and PostgreSQL, and make room again"
    ),
    campaign!(
        "models",
        19,
        23,
        crate::models::campaign,
        "Visit every state of the models of the two protocols, and see that simpler protocols break"
    ),
    #[cfg(feature = "simulation")]
    campaign!(
        "simulation",
        40,
        10_000,
        crate::simulation::campaign::simulation,
        "Simulate two hubs and three agents, one seed a cycle, with all that can go wrong between them"
    ),
    #[cfg(feature = "simulation")]
    campaign!(
        "seeded-bugs",
        9,
        9,
        crate::simulation::campaign::seeded_bugs,
        "Make nine mistakes on purpose, one after the other, and count the seeds until each is found"
    ),
];

/// A campaign by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Campaign> {
    CAMPAIGNS.iter().find(|campaign| campaign.name == name)
}

/// Writes down what found something: the command that does it again, and what was broken.
fn keep(folder: &Path, report: &Report, options: &Options) -> Result<()> {
    std::fs::create_dir_all(folder).context("a folder for regressions")?;
    let file = folder.join(format!("{}-{}.txt", report.test, report.seed));
    let mut text = format!(
        "cargo xtask faults --only {} --seed {}{}{}\n",
        report.test,
        report.seed,
        if options.short { " --short" } else { "" },
        options
            .count
            .map(|count| format!(" --count {count}"))
            .unwrap_or_default(),
    );
    for violation in &report.violations {
        text.push_str(&format!("\n{violation}\n"));
    }
    std::fs::write(&file, text).with_context(|| format!("{}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_words_of_small_letters() {
        let mut names: Vec<&str> = CAMPAIGNS.iter().map(|campaign| campaign.name).collect();
        assert!(
            names
                .iter()
                .all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CAMPAIGNS.len());
    }

    #[test]
    fn a_violation_is_written_down_with_the_command_that_shows_it_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut report = Report::new("agent-kills", 7);
        report.violations.push("dpl_1 was executed 2 times".to_owned());
        let options = Options {
            seed: 7,
            count: Some(3),
            ..Options::short()
        };
        keep(folder.path(), &report, &options).expect("it is written");
        let text = std::fs::read_to_string(folder.path().join("agent-kills-7.txt")).expect("the file");
        assert_eq!(
            text,
            "cargo xtask faults --only agent-kills --seed 7 --short --count 3\n\ndpl_1 was executed 2 times\n"
        );
    }

    #[test]
    fn what_was_asked_for_counts_more_than_the_form() {
        let short = Options::short();
        let full = Options {
            short: false,
            ..Options::short()
        };
        let counted = Options {
            count: Some(3),
            ..Options::short()
        };
        assert_eq!(
            [short, full, counted].map(|options| options.cycles(5, 500)),
            [5, 500, 3]
        );
    }
}
