//! `hadron`: see the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    hadron_cli::run(std::env::args_os())
}
