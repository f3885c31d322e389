//! The commands of Hadron's developers, behind `cargo xtask`: what the two commands of README and CI run, under one name.

mod xtask {
    pub(super) mod attacks;
    pub(super) mod bench;
    pub(super) mod browser;
    pub(super) mod demo;
    pub(super) mod develop;
    pub(super) mod faults;
    pub(super) mod fuzz;
    pub(super) mod proton;
}

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The commands of Hadron's developers.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Perform the main job on an emulated AWS with three accounts and show it happening
    Demo(xtask::demo::Demo),
    /// Measure Hadron, its physical limits and its peers side by side, and write a report with plots
    Bench(xtask::bench::Bench),
    /// Run all tests
    Test(xtask::develop::Test),
    /// Break everything on purpose, many times over, and see that nothing is lost or done twice
    Faults(xtask::faults::Faults),
    /// Walk through the web console with a real browser
    Browser(xtask::browser::Browser),
    /// Attack the built programs as somebody hostile would, and see that each attack is refused
    Attacks(xtask::attacks::Attacks),
    /// Change what strangers write at random, and see that no promise is broken
    Fuzz(xtask::fuzz::Fuzz),
    /// Measure which lines of the rules and of the templates crate their tests reach
    Coverage(xtask::develop::Coverage),
    /// Ask a hub for whatever the Proton API's model allows, by chance
    ProtonFuzz(xtask::proton::Fuzz),
    /// Measure the Proton API's latency over many services and deployments
    ProtonBench(xtask::proton::Bench),
    /// Compare what suites have seen of the Proton API with its table, or write that (`HADRON_WRITE=1`)
    ProtonTable,
    /// Write generated code and reference pages anew
    Gen,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.task {
        Task::Demo(demo) => demo.run(),
        Task::Bench(bench) => bench.run(),
        Task::Test(test) => test.run(),
        Task::Faults(faults) => faults.run(),
        Task::Browser(browser) => browser.run(),
        Task::Attacks(attacks) => attacks.run(),
        Task::Fuzz(fuzz) => fuzz.run(),
        Task::Coverage(coverage) => coverage.run(),
        Task::ProtonFuzz(fuzz) => fuzz.run(),
        Task::ProtonBench(bench) => bench.run(),
        Task::ProtonTable => xtask::proton::table(),
        Task::Gen => xtask::develop::generate(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
