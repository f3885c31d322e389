//! What developers and CI run.

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use hadron_tests::{browser, clients, coverage, emulator, paths};

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
        emulator::install()?;
        clients::install_python()?;
        clients::install_node()?;
        browser::install()?;
        browser::chromium()?;
        // Tests start the binaries as processes, and nextest alone would not build all of them. Everything in one build:
        // another choice of packages or features would compile half of the dependencies once more.
        cargo(&[
            "build",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--locked",
        ])?;
        let whole = self.nextest.is_empty();
        if whole {
            coverage::forget()?;
        }
        let mut args = vec!["nextest", "run", "--workspace", "--all-features", "--locked"];
        args.extend(self.nextest.iter().map(String::as_str));
        cargo(&args)?;
        if !whole {
            return Ok(());
        }
        super::browser::Browser::default().run()?;
        // What AWS's clients have seen of each operation of the Proton API, now that all of them have run.
        println!("{}", coverage::compare()?);
        cargo(&[
            "test",
            "--workspace",
            "--doc",
            "--all-features",
            "--quiet",
            "--locked",
        ])
    }
}

/// Flags of `coverage`.
#[derive(Debug, Args)]
pub(crate) struct Coverage {
    /// Packages whose own lines are counted
    #[arg(default_values = ["hadron-domain", "hadron-templates"])]
    packages: Vec<String>,
}

impl Coverage {
    /// Runs the packages' tests instrumented and prints the lines that they reach, file by file.
    pub(crate) fn run(self) -> Result<()> {
        let (profdata, cov) = (llvm("llvm-profdata")?, llvm("llvm-cov")?);
        let folder = paths::root().join("target/coverage");
        let profiles = folder.join("profiles");
        let _ = std::fs::remove_dir_all(&profiles);
        std::fs::create_dir_all(&profiles).context("a folder for profiles")?;
        let mut command = Command::new("cargo");
        command.args(["test", "--tests", "--no-fail-fast", "--message-format=json"]);
        for package in &self.packages {
            command.args(["-p", package]);
        }
        // A target folder of its own: instrumented objects fit nothing else.
        let output = command
            .env("RUSTFLAGS", "-Cinstrument-coverage")
            .env("CARGO_TARGET_DIR", &folder)
            .env("LLVM_PROFILE_FILE", profiles.join("%p-%m.profraw"))
            .current_dir(paths::root())
            .stderr(std::process::Stdio::inherit())
            .output()
            .context("cargo test")?;
        if !output.status.success() {
            bail!(
                "the tests fail: run `cargo test -p {}`",
                self.packages.join(" -p ")
            );
        }
        let binaries: Vec<String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|message| message["profile"]["test"] == true)
            .filter_map(|message| message["executable"].as_str().map(str::to_owned))
            .collect();
        let merged = folder.join("merged.profdata");
        let profiles: Vec<_> = std::fs::read_dir(&profiles)
            .context("profiles")?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        run(Command::new(profdata)
            .args(["merge", "-sparse", "-o"])
            .arg(&merged)
            .args(profiles))?;
        let mut report = Command::new(cov);
        report.arg("report").arg("--instr-profile").arg(&merged).args([
            "--ignore-filename-regex",
            "(registry|rustc|/tests?/|tests?\\.rs|proto/)",
        ]);
        let mut binaries = binaries.into_iter();
        report.args(binaries.next());
        for binary in binaries {
            report.args(["--object", &binary]);
        }
        run(&mut report)
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if status.success() {
        Ok(())
    } else {
        bail!("{command:?} ended with {status}")
    }
}

/// An LLVM tool of the release that this compiler is built on; others cannot read its profiles.
fn llvm(tool: &str) -> Result<String> {
    let version = Command::new("rustc").arg("-vV").output().context("rustc -vV")?;
    let text = String::from_utf8_lossy(&version.stdout).into_owned();
    let major = text
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))
        .and_then(|line| line.split('.').next());
    let major = major.context("rustc does not say which LLVM it has")?;
    let found = [
        format!("{tool}-{major}"),
        format!("/usr/lib/llvm-{major}/bin/{tool}"),
        tool.to_owned(),
    ]
    .into_iter()
    .find(|name| {
        Command::new(name)
            .arg("--version")
            .output()
            .is_ok_and(|out| out.status.success())
    });
    found.with_context(|| {
        format!("{tool} of LLVM {major} is missing: install it with `apt-get install llvm-{major}`")
    })
}

/// Writes generated code and reference pages anew.
pub(crate) fn generate() -> Result<()> {
    let write = |args: &[&str], variable: &str| {
        let status = Command::new("cargo")
            .args(args)
            .env(variable, "1")
            .current_dir(paths::root())
            .status();
        let status = status.context("cargo")?;
        if status.success() {
            Ok(())
        } else {
            bail!("cargo {} ended with {status}", args.join(" "))
        }
    };
    write(
        &["test", "--quiet", "-p", "hadron-proto", "--test", "generated"],
        "HADRON_REGENERATE",
    )?;
    write(
        &[
            "test",
            "--quiet",
            "-p",
            "hadron-management",
            "--test",
            "proton_shapes",
        ],
        "HADRON_REGENERATE",
    )?;
    write(
        &["test", "--quiet", "-p", "hadron-domain", "--test", "golden"],
        "HADRON_BLESS",
    )?;
    write(
        &["test", "--quiet", "-p", "hadron-cli", "reference"],
        "HADRON_WRITE",
    )
}

fn cargo(args: &[&str]) -> Result<()> {
    let status = Command::new("cargo")
        .args(args)
        .current_dir(paths::root())
        .status()
        .context("cargo")?;
    if status.success() {
        Ok(())
    } else {
        bail!("cargo {} ended with {status}", args.join(" "))
    }
}
