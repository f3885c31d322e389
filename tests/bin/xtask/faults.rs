//! `cargo xtask faults`: everything broken on purpose, many times over.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use hadron_tests::faults::{self, Campaign, Options, Total};
use hadron_tests::{emulator, paths};

const ABOUT: &str = "\
Each campaign starts a world of its own (an emulated AWS, hubs, agents, where need be
PostgreSQL, balancers and proxies), breaks one kind of thing again and again, and compares
hub, AWS and what clients were told afterwards. Each prints one line of JSON; the last line
is the total. The exit code is 1 when a promise was broken.

  cargo xtask faults --list                   what there is, with the number of cycles
  cargo xtask faults --short                  all of it in a few minutes, as CI does
  cargo xtask faults                          the full counts: hours
  cargo xtask faults --only agent-kills       one campaign in full
  cargo xtask faults --only agent-kills --count 20 --seed 7
  cargo xtask faults --release-check                      a release holds no point of failure: builds one and looks

What chance decides follows from the seed; what the scheduler decides does not, so the same
seed may have to run a few times. A run that found something writes its command and what was
broken into tests/regressions, and leaves the logs of its world in the folder of --out.
management/docs/faults.md tells what is promised, and what was found last.";

/// Flags of `faults`.
#[derive(Debug, Args)]
#[command(after_help = ABOUT)]
pub(crate) struct Faults {
    /// A handful of cycles of each campaign instead of hundreds
    #[arg(long)]
    short: bool,
    /// Only this campaign; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// So many cycles instead of what the form says
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Where chance begins [default: 1 with --short, else another one each time]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Say what campaigns there are, and run none
    #[arg(long)]
    list: bool,
    /// Take the programs as they were built last
    #[arg(long)]
    no_build: bool,
    /// Build hub, agent and command line as a packager does, and look into them for points of failure
    #[arg(long)]
    release_check: bool,
    /// Where reports and the logs of failed worlds go [default: target/faults]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Faults {
    pub(crate) fn run(self) -> Result<()> {
        if self.list {
            for campaign in faults::CAMPAIGNS {
                println!(
                    "{:<16} {:>7} {:>9}  {}",
                    campaign.name, campaign.short, campaign.full, campaign.what
                );
            }
            return Ok(());
        }
        if self.release_check {
            return faults::release::check();
        }
        let chosen = self.chosen()?;
        let seed = self.seed.unwrap_or_else(|| {
            if self.short {
                1
            } else {
                u64::from(std::process::id())
            }
        });
        let options = Options {
            short: self.short,
            seed,
            count: self.count,
            out: self.out.unwrap_or_else(|| Options::short().out),
            only: self.only,
        };
        emulator::install()?;
        if !self.no_build {
            build()?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("a runtime")?;
        let total = runtime.block_on(all(&chosen, &options))?;
        ensure!(
            total.clean(),
            "violations: {:?}, could not be run: {:?}; commands that show them again are in tests/regressions",
            total.failed,
            total.broken
        );
        Ok(())
    }

    fn chosen(&self) -> Result<Vec<&'static Campaign>> {
        if self.only.is_empty() {
            return Ok(faults::CAMPAIGNS.iter().collect());
        }
        let find = |name: &String| {
            faults::find(name).with_context(|| {
                let names: Vec<&str> = faults::CAMPAIGNS.iter().map(|campaign| campaign.name).collect();
                format!("no campaign is called '{name}'; there are {}", names.join(", "))
            })
        };
        self.only.iter().map(find).collect()
    }
}

/// The programs that worlds start, with their faults on purpose, from the same build as this one.
pub(super) fn build() -> Result<()> {
    let args = [
        "build",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
        "--quiet",
    ];
    let status = Command::new("cargo")
        .args(args)
        .current_dir(paths::root())
        .status()
        .context("cargo build")?;
    if status.success() {
        Ok(())
    } else {
        bail!("cargo build ended with {status}")
    }
}

async fn all(chosen: &[&Campaign], options: &Options) -> Result<Total> {
    std::fs::create_dir_all(&options.out).context("a folder for reports")?;
    let mut kept = std::fs::File::options()
        .create(true)
        .append(true)
        .open(options.out.join("reports.jsonl"))
        .context("reports.jsonl")?;
    let (began, mut total) = (Instant::now(), Total::new());
    for campaign in chosen {
        eprintln!("{} ...", campaign.name);
        match campaign.perform(options).await {
            Ok(report) => {
                total.add(&report);
                println!("{}", report.line());
                writeln!(kept, "{}", report.line()).context("reports.jsonl")?;
                for violation in &report.violations {
                    eprintln!("violation: {violation}");
                }
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                total.broken.push(campaign.name.to_owned());
            }
        }
    }
    total.seconds = began.elapsed().as_secs();
    println!("{}", total.line());
    writeln!(kept, "{}", total.line()).context("reports.jsonl")?;
    Ok(total)
}
