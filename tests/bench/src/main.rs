//! The benchmark: Hadron, its physical limits and its peers, side by side on one machine in one run. `cargo xtask bench`
//! builds and runs it; `management/docs/benchmarks.md` tells what is measured and how to read it.
//!
//! * [`run`]: which workloads, in which order; [`load`]: how jobs are given; [`board`]: what became of them.
//! * [`console`]: what people see. [`system`]: what is measured; [`project`], [`hub`], [`fleet`], [`null`], [`peers`] are such.
//! * [`limits`], [`machine`]: what there is to reach, and who else uses it. [`report`], [`svg`]: what is told of it.

mod board;
mod console;
mod control;
mod crash;
mod fleet;
mod history;
mod hub;
mod idle;
mod limits;
mod load;
mod machine;
mod null;
mod peers;
mod project;
mod render;
mod replicas;
mod report;
mod run;
mod seed;
mod svg;
mod system;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

/// Hadron, its limits and its peers, measured side by side
#[derive(Debug, Parser)]
#[command(name = "hadron-bench", max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Measure, and write a report
    Run(run::Flags),
    /// Write the report of an earlier run anew
    Report {
        /// Its bench.json
        file: PathBuf,
        /// Where to
        #[arg(long, default_value = "bench-report")]
        out: PathBuf,
        /// With times and rates of disturbed rounds
        #[arg(long)]
        busy: bool,
    },
    /// The hub under test
    #[command(hide = true)]
    Hub(hub::Hub),
    /// The store alone
    #[command(hide = true)]
    Cycle(limits::Cycle),
    /// What the hub under test renders with
    #[command(hide = true)]
    RenderWorker(hadron_management::render::Allowed),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Task::RenderWorker(allowed) = cli.task {
        return hadron_management::render::work(allowed);
    }
    hadron_proto::tls::install_provider();
    machine::raise_open_files();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("a runtime")?;
    match cli.task {
        Task::Run(flags) => runtime.block_on(run::Bench::run(flags)),
        Task::Report { file, out, busy } => run::again(&file, &out, busy),
        Task::Hub(hub) => runtime.block_on(hub.run()),
        Task::Cycle(cycle) => runtime.block_on(cycle.run()),
        // Is on its way before anything is set up.
        Task::RenderWorker(_) => Ok(()),
    }
}
