//! What developers and CI run.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use hadron_tests::{emulator, paths};

/// Flags of `test`.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// What is handed to `cargo nextest run`, such as a filter
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    nextest: Vec<String>,
}

impl Test {
    /// Installs what tests need, builds what they start, and runs them.
    pub(crate) fn run(self) -> Result<()> {
        check_tools()?;
        emulator::install()?;
        // Tests start the binaries as processes; nextest alone would not build all of them.
        cargo(&["build", "--workspace", "--bins", "--locked"])?;
        let mut args = vec!["nextest", "run", "--workspace", "--all-features", "--locked"];
        args.extend(self.nextest.iter().map(String::as_str));
        cargo(&args)?;
        cargo(&["test", "--workspace", "--doc", "--quiet", "--locked"])
    }
}

/// Writes generated code and reference pages anew.
pub(crate) fn generate() -> Result<()> {
    let run = |args: &[&str], variable: &str| {
        let status = Command::new("cargo").args(args).env(variable, "1").current_dir(paths::root()).status();
        let status = status.context("cargo")?;
        if status.success() { Ok(()) } else { bail!("cargo {} ended with {status}", args.join(" ")) }
    };
    run(&["test", "--quiet", "-p", "hadron-proto", "--test", "generated"], "HADRON_REGENERATE")?;
    run(&["test", "--quiet", "-p", "hadron-domain", "--test", "golden"], "HADRON_BLESS")
}

fn cargo(args: &[&str]) -> Result<()> {
    let status = Command::new("cargo").args(args).current_dir(paths::root()).status().context("cargo")?;
    if status.success() { Ok(()) } else { bail!("cargo {} ended with {status}", args.join(" ")) }
}

/// Names what is missing on this machine before anything is built for minutes.
fn check_tools() -> Result<()> {
    let nextest = Command::new("cargo").args(["nextest", "--version"]).output();
    if !nextest.is_ok_and(|output| output.status.success()) {
        bail!("cargo-nextest is missing: install it with `cargo install --locked cargo-nextest`");
    }
    let postgres = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = postgres.map(|entry| entry.path().join("bin/initdb")).any(|path| Path::new(&path).is_file());
    if !found {
        bail!("the PostgreSQL server's binaries are missing: install them with `apt-get install postgresql`");
    }
    Ok(())
}
