//! `cargo xtask fuzz`: everything that strangers write, changed at random, on the stable toolchain.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use hadron_tests::fuzz::{self, TARGETS};
use hadron_tests::paths;
use serde_json::json;

const ABOUT: &str = "\
Each target is a function that reads what strangers write and panics when a promise is broken. It
starts from its corpus (tests/fuzz/corpus), mutates, and keeps what leads to an outcome that was
not seen before. Each prints one line of JSON; the last line is the total. The exit code is 1 when
something crashed; the input is then in the folder of --out.

  cargo xtask fuzz --list
  cargo xtask fuzz                                  ten seconds for each
  cargo xtask fuzz --only sigv4 --seconds 600
  cargo xtask fuzz --only sigv4 --once FILE         one input: what comes of it

  cargo xtask fuzz --guided --seconds 3600          by libFuzzer, guided by coverage

--guided needs a nightly toolchain and cargo-fuzz; see tests/fuzz/README.md.";

/// Flags of `fuzz`.
#[derive(Debug, Args)]
#[command(after_help = ABOUT)]
pub(crate) struct Fuzz {
    /// Only this target; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How long each is fuzzed
    #[arg(long, value_name = "N", default_value_t = 10)]
    seconds: u64,
    /// Where chance begins [default: another one each time]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Say what targets there are, and run none
    #[arg(long)]
    list: bool,
    /// Run the target with this input only
    #[arg(long, value_name = "FILE")]
    once: Option<PathBuf>,
    /// By libFuzzer, guided by coverage: each line says how many edges of the control flow were taken
    #[arg(long)]
    guided: bool,
    /// The toolchain for --guided
    #[arg(long, value_name = "NAME", default_value = "nightly")]
    toolchain: String,
    /// Where inputs go that crashed [default: tests/fuzz/crashes, whose files are run again with each test]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Fuzz {
    pub(crate) fn run(self) -> Result<()> {
        if self.list {
            for target in TARGETS {
                println!("{:<11} {}", target.name, target.what);
            }
            return Ok(());
        }
        for name in &self.only {
            ensure!(
                fuzz::find(name).is_some(),
                "there is no target '{name}'; see cargo xtask fuzz --list"
            );
        }
        let chosen = TARGETS
            .iter()
            .filter(|target| self.only.is_empty() || self.only.iter().any(|name| name == target.name));
        if let Some(file) = &self.once {
            let input = std::fs::read(file).with_context(|| format!("{}", file.display()))?;
            for target in chosen {
                println!("{}: {}", target.name, (target.run)(&input));
            }
            return Ok(());
        }
        let out = self.out.clone().unwrap_or_else(|| fuzz::folder().join("crashes"));
        if self.guided {
            return self.guided(chosen, &out);
        }
        // Panics are what is looked for: each is told once, with its input.
        std::panic::set_hook(Box::new(|_| {}));
        let seed = self.seed.unwrap_or_else(|| u64::from(std::process::id()));
        let (began, mut executions, mut crashes, mut targets) = (Instant::now(), 0, 0, 0);
        for target in chosen {
            let report = fuzz::run(target, Duration::from_secs(self.seconds), seed, &out)?;
            println!("{}", report.line());
            executions += report.executions;
            crashes += report.crashes.len();
            targets += 1;
        }
        total(targets, executions, crashes, began)
    }

    fn guided<'t>(&self, chosen: impl Iterator<Item = &'t fuzz::Target>, out: &Path) -> Result<()> {
        fuzz::build(&self.toolchain)?;
        let work = paths::root().join("target/fuzz");
        let (began, mut executions, mut crashes, mut targets) = (Instant::now(), 0, 0, 0);
        for target in chosen {
            let time = Duration::from_secs(self.seconds);
            let found = fuzz::guided(target, &self.toolchain, time, &work, out)?;
            println!("{}", serde_json::to_string(&found).context("a line")?);
            executions += found.executions;
            crashes += found.crashes.len();
            targets += 1;
        }
        total(targets, executions, crashes, began)
    }
}

fn total(targets: u32, executions: u64, crashes: usize, began: Instant) -> Result<()> {
    println!(
        "{}",
        json!({"target": "total", "targets": targets, "executions": executions, "crashes": crashes, "seconds": began.elapsed().as_secs()})
    );
    ensure!(crashes == 0, "{crashes} inputs broke a promise");
    Ok(())
}
