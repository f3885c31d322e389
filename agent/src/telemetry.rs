//! Logs: one line per event on standard error, as JSON for machines or as text for people.
//!
//! The message reads alone; fields are for searching and are spelled the same everywhere: `job.id`, `deployment.id`,
//! `account`, `region`, `duration_ms`. Counters are fields named `counter.*`. Values of specs, texts of templates and
//! credentials are never logged.

use std::io;

use clap::ValueEnum;
use hadron_proto::trace::Export;
use tracing_subscriber::fmt::format::{DefaultFields, Format, Json, JsonFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

/// What spans for others are to the log: not there.
const UNLOGGED: &str = "hadron::trace=off";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Starts logging, and sending spans where the environment names somebody who takes them. Panics are logged as well. To be
/// called within the run-time.
///
/// # Errors
/// When the filter is not one, logging was started before, or the variables for spans are wrong.
pub fn start(
    format: LogFormat,
    filter: &str,
) -> Result<Option<Export>, Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::try_new(filter)?.add_directive(UNLOGGED.parse()?);
    let lines = tracing_subscriber::fmt::layer()
        // Whoever cannot write a line would say so on standard error, which is where lines go: on a full disk that is a
        // panic in the middle of whatever was to be logged.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    let lines = match format {
        LogFormat::Json => json(lines).boxed(),
        LogFormat::Text => lines.with_target(false).boxed(),
    };
    let export = Export::begin("hadron-agent", env!("CARGO_PKG_VERSION"))?;
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(export.as_ref().map(Export::layer))
        .try_init()?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            place,
            "Panicked: {}",
            panic.payload_as_str().unwrap_or("no message")
        );
    }));
    Ok(export)
}

/// `spans` lists all spans around an event with their fields, outermost first; `span` would only repeat the last.
pub(crate) fn json<S, W>(
    lines: fmt::Layer<S, DefaultFields, Format, W>,
) -> fmt::Layer<S, JsonFields, Format<Json>, W> {
    lines.json().flatten_event(true).with_current_span(false)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing::subscriber::DefaultGuard;
    use tracing::{info, info_span};

    use super::*;

    /// What was logged.
    #[derive(Clone, Default)]
    pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        /// Keeps what this thread logs, written as it is for machines.
        pub(crate) fn keep() -> (Self, DefaultGuard) {
            let lines = Self::default();
            let writer = lines.clone();
            let lines_layer = fmt::layer().with_writer(move || writer.clone());
            let subscriber = tracing_subscriber::registry().with(json(lines_layer));
            let guard = tracing::subscriber::set_default(subscriber);
            (lines, guard)
        }

        pub(crate) fn all(&self) -> Vec<Value> {
            let bytes = self.0.lock().unwrap().clone();
            String::from_utf8(bytes)
                .unwrap()
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        }
    }

    #[test]
    fn a_line_has_every_span_around_it_once() {
        let (lines, _guard) = Lines::keep();
        info_span!("agent", account = "333333333333", region = "us-east-1").in_scope(|| {
            info_span!("work", job.id = "job_1", deployment.id = "d_1")
                .in_scope(|| info!(outcome = "applied", "Done"));
        });
        let line = lines.all().remove(0);
        assert_eq!(
            (&line["message"], &line["outcome"]),
            (&json!("Done"), &json!("applied"))
        );
        assert_eq!(line.get("span"), None);
        let spans = json!([
            { "name": "agent", "account": "333333333333", "region": "us-east-1" },
            { "name": "work", "job.id": "job_1", "deployment.id": "d_1" },
        ]);
        assert_eq!(line["spans"], spans);
    }
}
