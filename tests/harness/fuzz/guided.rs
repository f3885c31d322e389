//! The same targets under libFuzzer, guided by coverage, with a nightly toolchain and `cargo-fuzz`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hadron_proto::vocab::Digest;
use serde::Serialize;

use super::{Target, corpus, folder};
use crate::paths;

/// What libFuzzer found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Guided {
    /// The target.
    pub target: String,
    /// How often the function was called.
    pub executions: u64,
    /// Edges of the control flow that were taken at least once, from the corpus and from what was found.
    pub edges: u64,
    /// Those of them that the corpus alone takes.
    pub edges_of_corpus: u64,
    /// Inputs that lead somewhere else than all others, afterwards.
    pub inputs: u64,
    /// Inputs that broke a promise, took too long or too much memory, each in its file.
    pub crashes: Vec<String>,
}

fn cargo_fuzz(toolchain: &str, task: &str) -> Command {
    let mut command = Command::new("cargo");
    let target = paths::root().join("target/libfuzzer");
    // No sanitizer: there is no `unsafe` in what is fuzzed, and without one it is several times as fast.
    command
        .args([
            &format!("+{toolchain}"),
            "fuzz",
            task,
            "any",
            "--sanitizer",
            "none",
            "--fuzz-dir",
        ])
        .arg(folder())
        .arg("--target-dir")
        .arg(target);
    command
}

/// Builds the program.
///
/// # Errors
/// When the toolchain or `cargo-fuzz` is missing, or it does not compile.
pub fn build(toolchain: &str) -> Result<()> {
    // The versions that everything else is built with; cargo adds what only libFuzzer needs.
    let lock = paths::root().join("Cargo.lock");
    std::fs::copy(lock, folder().join("Cargo.lock")).context("copying Cargo.lock")?;
    let status = cargo_fuzz(toolchain, "build").status().context("cargo")?;
    ensure!(
        status.success(),
        "cargo +{toolchain} fuzz build ended with {status}; it needs a nightly toolchain (rustup toolchain install nightly) and \
         cargo install --locked cargo-fuzz"
    );
    Ok(())
}

/// Fuzzes a target for this long. What it finds on the way goes to `work` and is where the next run begins; what breaks a
/// promise goes to `crashes`.
///
/// # Errors
/// When the corpus cannot be written, or libFuzzer cannot be run.
pub fn guided(
    target: &Target,
    toolchain: &str,
    time: Duration,
    work: &Path,
    crashes: &Path,
) -> Result<Guided> {
    let inputs = work.join(target.name);
    let crashes = crashes.join(target.name);
    for place in [&inputs, &crashes] {
        std::fs::create_dir_all(place).with_context(|| format!("making {}", place.display()))?;
    }
    for input in corpus(target)? {
        std::fs::write(inputs.join(Digest::of(&input).hex()), &input).context("an input")?;
    }
    let mut run = cargo_fuzz(toolchain, "run");
    run.arg(&inputs)
        .arg("--")
        .args([
            "-print_final_stats=1",
            "-rss_limit_mb=1024",
            "-timeout=20",
            "-max_len=65536",
        ])
        .arg(format!("-max_total_time={}", time.as_secs()))
        .arg(format!("-artifact_prefix={}/", crashes.display()));
    // As much of a stack as the hub's renderers have.
    let output = Command::new("sh")
        .args(["-c", "ulimit -s 16384; exec \"$@\"", "sh"])
        .arg(run.get_program())
        .args(run.get_args())
        .env("HADRON_FUZZ", target.name)
        .output()
        .context("sh")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let found = told(target.name, &said);
    ensure!(
        output.status.success() || !found.crashes.is_empty(),
        "libFuzzer ended with {} and names no input: {}",
        output.status,
        said.lines().rev().take(20).collect::<Vec<_>>().join("\n")
    );
    Ok(found)
}

/// What libFuzzer says, on standard error.
fn told(target: &str, said: &str) -> Guided {
    let mut found = Guided {
        target: target.to_owned(),
        ..Guided::default()
    };
    for line in said.lines() {
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            found.executions = count.trim().parse().unwrap_or(0);
        }
        if let Some((_, file)) = line.split_once("Test unit written to ") {
            found.crashes.push(PathBuf::from(file).display().to_string());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |word: &str| {
            let at = words.iter().position(|one| *one == word)?;
            words.get(at + 1)?.split('/').next()?.parse::<u64>().ok()
        };
        if let Some(edges) = after("cov:") {
            found.edges = edges;
            found.inputs = after("corp:").unwrap_or(found.inputs);
            if words.contains(&"INITED") {
                found.edges_of_corpus = edges;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_read() {
        let said = "\
#12\tINITED cov: 341 ft: 702 corp: 9/1Kb exec/s: 0 rss: 60Mb
#800\tNEW    cov: 355 ft: 733 corp: 12/1Kb lim: 4096 exec/s: 400 rss: 62Mb L: 8/64 MS: 1 EraseBytes-
#4096\tDONE   cov: 355 ft: 740 corp: 14/2Kb lim: 4096 exec/s: 2048 rss: 62Mb
stat::number_of_executed_units: 4096
";
        let found = told("arn", said);
        let wanted = Guided {
            target: "arn".to_owned(),
            executions: 4096,
            edges: 355,
            edges_of_corpus: 341,
            inputs: 14,
            crashes: Vec::new(),
        };
        assert_eq!(found, wanted);
        let crashed =
            "==1== ERROR: libFuzzer: deadly signal\nartifact_prefix='/x/'; Test unit written to /x/crash-1\n";
        assert_eq!(told("arn", crashed).crashes, ["/x/crash-1"]);
    }
}
