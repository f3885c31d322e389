//! The agent. See the library for what it is; `wiring` for how it is put together.

use std::process::ExitCode;

use clap::Parser as _;
use hadron_agent::args::Cli;
use hadron_agent::{telemetry, wiring};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let started = {
        let _within = runtime.enter();
        telemetry::start(cli.log_format, &cli.log)
    };
    let export = match started {
        Ok(export) => export,
        Err(error) => {
            eprintln!("--log, or OTEL_*: {error}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = hadron_proto::fault::arm_from_environment() {
        eprintln!("{error}");
        return ExitCode::from(2);
    }
    let code = runtime.block_on(wiring::run(cli));
    if let Some(export) = export {
        export.end();
    }
    code
}
