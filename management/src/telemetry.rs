//! Logs: one line per event on standard error, as JSON for machines or as text for people.
//!
//! The message reads alone; fields are for searching and are spelled the same everywhere: `job.id`, `deployment.id`,
//! `session.id`, `agent.id`, `connection.id`, `account`, `region`, `duration_ms`. Specs, texts of templates, outputs,
//! tokens and credentials are never logged.

use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use hadron_proto::trace::Export;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Text,
}

/// What spans for others are to the log: not there.
const UNLOGGED: &str = "hadron::trace=off";

/// Starts logging, and sending spans where `export` says so. Panics are logged as well. Without a format, a terminal gets text
/// and everything else JSON.
///
/// # Errors
/// When the filter is not one, or logging was started before.
pub fn start(
    format: Option<LogFormat>,
    filter: &str,
    export: Option<&Export>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::try_new(filter)?.add_directive(UNLOGGED.parse()?);
    let terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal {
        LogFormat::Text
    } else {
        LogFormat::Json
    });
    let lines = tracing_subscriber::fmt::layer()
        // Whoever cannot write a line would say so on standard error, which is where lines go: on a full disk that is a
        // panic in the middle of whatever was to be logged.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.with_target(false).with_ansi(terminal).boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(export.map(Export::layer))
        .try_init()?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            place,
            "Panicked: {}",
            panic.payload_as_str().unwrap_or("no message")
        );
    }));
    Ok(())
}
