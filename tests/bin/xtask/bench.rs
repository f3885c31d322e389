//! The benchmark: builds `hadron-bench` optimised, installs what its peers need, and runs it.

mod aws;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use hadron_tests::{emulator, paths};

/// The profile that is measured: a release with lines for profiles.
const PROFILE: &str = "bench-hub";

/// Flags of `bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Few sizes, few rounds, short stretches: some five minutes
    #[arg(long)]
    quick: bool,
    /// As little as possible: whether everything works, and no figures to believe
    #[arg(long, conflicts_with = "quick")]
    smoke: bool,
    /// Only these workloads
    #[arg(long, value_delimiter = ',', value_name = "W1,..")]
    only: Vec<String>,
    /// How many agents (or jobs, or stacks)
    #[arg(long, value_delimiter = ',', value_name = "N,..")]
    sizes: Vec<u32>,
    /// Only these peers: redis, nats, postgres, aws; none: no peer
    #[arg(long, value_delimiter = ',', value_name = "PEER,..")]
    peers: Vec<String>,
    /// How many rounds
    #[arg(long)]
    rounds: Option<u32>,
    /// Where the report goes
    #[arg(long, default_value = "target/bench", value_name = "DIR")]
    out: PathBuf,
    /// Where data is written: on the disk that is to be measured [default: a new directory beside the report]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print times and rates of disturbed rounds as well, with a mark
    #[arg(long)]
    busy: bool,
    /// With W8: how many deployments the agent makes [default: 100; with --quick 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    deployments: Option<u32>,
    /// With W10: what each statement of the hubs costs PostgreSQL, as its own statistics say (statements.txt in the report)
    #[arg(long)]
    statements: bool,
}

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
        let venv = paths::tools().join("bench");
        emulator::environment(
            &venv,
            "tests/bench/python/requirements.txt",
            "peers of the benchmark",
        )?;
        let out = paths::root().join(&self.out);
        std::fs::create_dir_all(&out).with_context(|| format!("making {}", out.display()))?;
        // What only waits for an emulated AWS, and for processes of the workspace's build, needs nothing optimised to report it.
        let elsewhere = ["W6", "W8"];
        let itself = self.only.is_empty() || self.only.iter().any(|only| !elsewhere.contains(&only.as_str()));
        let program = if itself {
            build("hadron-bench", PROFILE)?
        } else {
            paths::binary("hadron-bench")?
        };
        let mut rows = Vec::new();
        if self.wants("W8") && !self.smoke {
            rows.push(self.footprint(&out)?);
        }
        if self.wants("W6") && !self.smoke {
            rows.push(self.deployments(&out)?);
        }
        let mut command = Command::new(program);
        command
            .arg("run")
            .arg("--out")
            .arg(&out)
            .arg("--tools")
            .arg(venv.join("bin"));
        for (given, flag) in [
            (self.quick, "--quick"),
            (self.smoke, "--smoke"),
            (self.busy, "--busy"),
            (self.statements, "--statements"),
        ] {
            if given {
                command.arg(flag);
            }
        }
        let sizes: Vec<String> = self.sizes.iter().map(ToString::to_string).collect();
        for (list, flag) in [
            (&self.only, "--only"),
            (&sizes, "--sizes"),
            (&self.peers, "--peers"),
        ] {
            if !list.is_empty() {
                command.args([flag, &list.join(",")]);
            }
        }
        if let Some(rounds) = self.rounds {
            command.args(["--rounds", &rounds.to_string()]);
        }
        if let Some(data) = &self.data {
            command.arg("--data").arg(data);
        }
        if !rows.is_empty() {
            let files: Vec<String> = rows.iter().map(|file| file.display().to_string()).collect();
            command.args(["--rows", &files.join(",")]);
        }
        let told: Vec<String> = std::env::args().skip(1).collect();
        command.args(["--told", &format!("cargo xtask {}", told.join(" "))]);
        let status = command.status().context("hadron-bench cannot be started")?;
        if status.success() {
            Ok(())
        } else {
            bail!("hadron-bench ended with {status}")
        }
    }

    fn wants(&self, workload: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == workload)
    }

    /// W8, with the agent as it is released.
    fn footprint(&self, out: &Path) -> Result<PathBuf> {
        let agent = build("hadron-agent", "release-agent")?;
        let file = out.join("w8.json");
        let (usual, idle) = if self.quick { (10, 10) } else { (100, 60) };
        let deployments = self.deployments.unwrap_or(usual);
        runtime()?.block_on(aws::footprint(
            &agent,
            deployments,
            Duration::from_secs(idle),
            &file,
        ))?;
        Ok(file)
    }

    /// W6, with hub and agents of the workspace's build.
    fn deployments(&self, out: &Path) -> Result<PathBuf> {
        let file = out.join("w6.json");
        let sizes = match (self.sizes.is_empty(), self.quick) {
            (false, _) => self.sizes.clone(),
            (true, true) => vec![10],
            (true, false) => vec![10, 50, 100],
        };
        let slow: &[f32] = if self.quick { &[0.0] } else { &[0.0, 20.0] };
        runtime()?.block_on(aws::deployments(&sizes, slow, self.rounds.unwrap_or(1), &file))?;
        Ok(file)
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().context("a runtime")
}

/// Builds one package of the workspace, alone: features of tests have no place in what is measured.
fn build(package: &str, profile: &str) -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    command
        .args(["build", "--locked", "--profile", profile, "-p", package])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(paths::root())
        .stderr(std::process::Stdio::inherit());
    if profile == PROFILE {
        // Profilers walk the stack by them; they cost about a hundredth.
        command.args(["--config", "build.rustflags=[\"-Cforce-frame-pointers=yes\"]"]);
    }
    let output = command.output().context("cargo build")?;
    if !output.status.success() {
        bail!("{package} cannot be built");
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == package)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .with_context(|| format!("cargo does not say where {package} is"))
}
