//! `hadron`, the command line client of a hub: it asks, shows and waits, and decides nothing.
//!
//! How a command runs:
//!
//! 1. `args.rs` parses the line; `settings.rs` finds hub, trust and identity (flags over environment over profile).
//! 2. `client.rs` gives a channel that signs in by itself (`login.rs`) and repeats what may be repeated.
//! 3. `commands/<noun>.rs` makes the calls and says how its things look.
//! 4. `output.rs` prints data to stdout, `progress.rs` shows what is waited for on stderr.
//! 5. `error.rs` turns whatever went wrong into a text that says how to go on, and an exit code.
//!
//! What it refuses to know: AWS beyond the caller's own credentials, and the hub's rules. Only templates are also
//! checked and rendered here, by the same code as in the hub.

mod args;
mod browser;
mod client;
mod clock;
mod commands;
mod error;
#[cfg(test)]
mod golden;
mod login;
mod manual;
mod output;
mod progress;
mod prompt;
mod reference;
mod settings;
mod stop;
mod suggest;
mod topics;
mod trust;
mod yaml;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};
use clap_complete::CompleteEnv;

use crate::args::{Cli, Command};
use crate::commands::{Context, complete, session};
use crate::error::{Exit, Failure, Result};
use crate::output::{Format, Out, Query, emit};
use crate::settings::{Home, Settings};

pub use crate::reference::markdown;

/// Runs one command line and gives what the process ends with.
pub fn run(line: impl IntoIterator<Item = OsString>) -> ExitCode {
    // A shell that completes a line sets COMPLETE, gets candidates for it, and no command runs.
    CompleteEnv::with_factory(|| complete::with_names(Cli::command()))
        .var(session::COMPLETE)
        .complete();
    let matches = match Cli::command().try_get_matches_from(line) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are asked for and go to stdout; clap knows which is which.
            let _ = error.print();
            let fine = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if fine { Exit::Ok } else { Exit::Usage }.into();
        }
    };
    match go(&matches) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => {
            anstream::eprintln!("{}", output::clean(&failure.to_string()));
            failure.exit.into()
        }
    }
}

fn go(matches: &clap::ArgMatches) -> Result<()> {
    let cli = Cli::from_arg_matches(matches).map_err(|error| Failure::usage(error.to_string()))?;
    match &cli.command {
        Command::Completion(completion) => return emit(&session::script(completion.shell)?),
        Command::Man(man) => return manual::write(&man.dir),
        Command::Help(help) => {
            let mut root = Cli::command();
            root.build();
            return emit(&session::help(&help.words, &mut root)?);
        }
        Command::Reference => return emit(&markdown()),
        _ => {}
    }
    let settings = Settings::read(&cli.global, matches, &Home::from_env())?;
    let query = cli.global.query.as_deref().map(Query::parse).transpose()?;
    let format = match (query.is_some(), cli.global.output) {
        (true, Some(table)) if table.is_table() => {
            return Err(Failure::usage("--query has no tables").why("give -o json, jsonl, yaml or name"));
        }
        (true, None) if settings.output.value.is_table() => Format::Json,
        _ => settings.output.value,
    };
    let out = Out::stdout(format, !cli.global.no_headers, clock::now());
    let mut context = Context::new(settings, out, cli.global.verbose);
    context.query = query;
    hadron_proto::tls::install_provider();
    // One thread is enough: commands wait for the network and do nothing beside.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Failure, "cannot start").why(error))?;
    let done = runtime.block_on(Box::pin(async {
        tokio::select! {
            // Whoever waits for something says how to go on with it; this is for what comes after.
            biased;
            done = commands::run(cli.command, &context) => done,
            _ = context.stop.late() => Err(Failure::new(Exit::Interrupted, "interrupted")
                .next("hadron deployment list --active")),
        }
    }));
    // A read from stdin that never ends must not keep the process.
    runtime.shutdown_background();
    done
}
