//! The agent. See the library for what it is; `wiring` for how it is put together.

use std::process::ExitCode;

use clap::Parser as _;
use hadron_agent::args::Cli;
use hadron_agent::{telemetry, wiring};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = telemetry::start(cli.log_format, &cli.log) {
        eprintln!("--log: {error}");
        return ExitCode::from(2);
    }
    if let Err(error) = hadron_proto::fault::arm_from_environment() {
        eprintln!("{error}");
        return ExitCode::from(2);
    }
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(wiring::run(cli)),
        Err(error) => {
            eprintln!("cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}
