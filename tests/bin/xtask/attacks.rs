//! `cargo xtask attacks`: what somebody hostile would send, sent to the built programs.

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use hadron_tests::attacks::{self, ATTACKS, How, Report};
use hadron_tests::emulator;

use super::faults::build;

const ABOUT: &str = "\
Each group starts a world of its own (an emulated AWS, a hub, agents) and makes its attacks one
after the other. After each the hub has to answer, its memory to be back, its logs to say why and
to hold no secret. The last line is one of JSON: what was made, what passed, what is left out and
why. The exit code is 1 when an attack was not refused as it has to be.

  cargo xtask attacks --list                what there is, and how each is made
  cargo xtask attacks                       all of it: some minutes
  cargo xtask attacks --only enrolment      one group
  cargo xtask attacks --only AT-25          one attack

management/docs/security.md says what stands behind each.";

/// Flags of `attacks`.
#[derive(Debug, Args)]
#[command(after_help = ABOUT)]
pub(crate) struct Attacks {
    /// Only this group, or this attack; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Say what attacks there are, and make none
    #[arg(long)]
    list: bool,
    /// Take the programs as they were built last
    #[arg(long)]
    no_build: bool,
}

impl Attacks {
    pub(crate) fn run(self) -> Result<()> {
        if self.list {
            for attack in ATTACKS {
                let how = match attack.how {
                    How::Real(_) => String::new(),
                    How::Tested(why, _) => format!(" (by tests of the source: {why})"),
                    How::LeftOut(why) => format!(" (left out: {why})"),
                };
                println!("{:<7} {:<10} {}{how}", attack.id, attack.group, attack.what);
            }
            return Ok(());
        }
        for name in &self.only {
            let known = ATTACKS
                .iter()
                .any(|attack| attack.id == name || attack.group == name);
            ensure!(
                known,
                "there is no attack and no group '{name}'; see cargo xtask attacks --list"
            );
        }
        emulator::install()?;
        if !self.no_build {
            build()?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("a runtime")?;
        let report = runtime.block_on(all(&self.only))?;
        println!("{}", report.line());
        ensure!(
            report.failed == 0,
            "{} attacks were not refused as they have to be",
            report.failed
        );
        Ok(())
    }
}

async fn all(only: &[String]) -> Result<Report> {
    let mut report = Report::default();
    for group in attacks::groups() {
        let wanted = ATTACKS
            .iter()
            .filter(|attack| attack.group == group)
            .any(|attack| only.is_empty() || only.iter().any(|name| name == attack.id || name == group));
        if wanted {
            report.add(attacks::perform(group, only).await?);
        }
    }
    for one in &report.amiss {
        for what in &one.what {
            eprintln!("{}: {what}", one.id);
        }
    }
    Ok(report)
}
