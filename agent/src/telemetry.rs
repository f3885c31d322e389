//! Logs: one line per event on standard error, as JSON for machines or as text for people.
//!
//! The message reads alone; fields are for searching and are spelled the same everywhere: `job.id`, `deployment.id`,
//! `account`, `region`, `duration_ms`. Counters are fields named `counter.*`. Values of specs, texts of templates and
//! credentials are never logged.

use std::io;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Starts logging. Panics are logged as well.
///
/// # Errors
/// When the filter is not one, or logging was started before.
pub fn start(format: LogFormat, filter: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::try_new(filter)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init()?,
        LogFormat::Text => builder.with_target(false).try_init()?,
    }
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
