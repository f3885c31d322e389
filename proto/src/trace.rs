//! Traces, as OpenTelemetry has them: from the call that somebody made, through the job that came of it, to the request that
//! AWS was sent.
//!
//! * They are off unless the standard variables name a receiver (`OTEL_EXPORTER_OTLP_ENDPOINT`, or
//!   `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`), which is spoken to in OTLP over gRPC. All of `OTEL_*` that the SDK knows counts:
//!   headers, time-out, sampler, service name, sizes of queues.
//! * **Only spans that are made here leave the process**: those under [`TARGET`]. What is logged, and the spans around log
//!   lines, never do. So what a span says is said by a handful of functions that can be read, and holds names and ids.
//! * Nobody waits for a receiver. Spans go into a bounded queue, and one that does not fit is dropped; they are sent by a thread
//!   of its own.
//! * Between processes, and in the database, a trace is a W3C `traceparent`: an empty text where there is none.

use std::fmt::Write as _;
use std::time::Duration;

use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// The target of all spans that may leave the process.
pub const TARGET: &str = "hadron::trace";
/// The name of the header, and of the gRPC metadata, by which a trace crosses from one process to another.
pub const HEADER: &str = "traceparent";
/// How long the last spans may take to leave when a process ends.
const LAST: Duration = Duration::from_secs(2);

/// What is sent: each has variables of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Numbers.
    Metrics,
}

impl Signal {
    const fn word(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
        }
    }
}

/// A variable of the environment; nothing when it is empty.
#[expect(
    clippy::disallowed_methods,
    reason = "OpenTelemetry is configured by the environment only, wherever it is"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// The variable of this name for one signal, or the one for all of them.
#[must_use]
pub fn setting(signal: Signal, name: &str) -> Option<String> {
    variable(&format!("OTEL_EXPORTER_OTLP_{}_{name}", signal.word()))
        .or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
}

/// Another of OpenTelemetry's variables.
#[must_use]
pub fn other(name: &str) -> Option<String> {
    variable(name)
}

/// Where to send it; `None` when nobody asked for it.
///
/// # Errors
/// When it is asked for in a way that this program does not know.
pub fn receiver(signal: Signal) -> Result<Option<String>, String> {
    if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let Some(endpoint) = setting(signal, "ENDPOINT") else {
        return Ok(None);
    };
    let exporter = format!("OTEL_{}_EXPORTER", signal.word());
    match variable(&exporter).as_deref() {
        Some("none") => return Ok(None),
        None | Some("otlp") => {}
        Some(other) => {
            return Err(format!(
                "{exporter}={other}: this program sends by otlp, or not at all (none)"
            ));
        }
    }
    match setting(signal, "PROTOCOL").as_deref() {
        None | Some("grpc") => Ok(Some(endpoint)),
        Some(other) => Err(format!(
            "OTEL_EXPORTER_OTLP_PROTOCOL={other}: this program speaks grpc; a collector takes that on port 4317"
        )),
    }
}

/// Spans on their way to a receiver.
#[derive(Debug)]
pub struct Export {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
}

/// Who sends, in OpenTelemetry's words. What the environment says counts before what the program says.
fn resource(service: &'static str, version: &'static str) -> Resource {
    let named = variable("OTEL_SERVICE_NAME").is_some()
        || variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|all| all.contains("service.name="));
    let resource = Resource::builder().with_attribute(KeyValue::new("service.version", version));
    if named {
        resource.build()
    } else {
        resource.with_service_name(service).build()
    }
}

/// The same, as names and texts.
#[must_use]
pub fn who(service: &'static str, version: &'static str) -> Vec<(String, String)> {
    let resource = resource(service, version);
    let all = resource.iter();
    all.map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

impl Export {
    /// Begins to send, where somebody asked for it. Has to be called within a run-time that lives until [`end`](Self::end).
    ///
    /// # Errors
    /// When what was asked for cannot be done: the text names the variable.
    pub fn begin(service: &'static str, version: &'static str) -> Result<Option<Self>, String> {
        if receiver(Signal::Traces)?.is_none() {
            return Ok(None);
        }
        let exporter = SpanExporter::builder()
            .with_tonic()
            .build()
            .map_err(|error| format!("OTEL_EXPORTER_OTLP_*: {error}"))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource(service, version))
            .build();
        Ok(Some(Self {
            tracer: provider.tracer(service),
            provider,
        }))
    }

    /// Takes spans of [`TARGET`], and nothing else.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.tracer.clone())
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|metadata| {
                metadata.is_span() && metadata.target() == TARGET
            }))
    }

    /// Sends what is left, for a moment only.
    pub fn end(&self) {
        // What is lost now is lost.
        let _ = self.provider.shutdown_with_timeout(LAST);
    }
}

/// A point of a trace as others name it; `None` for what is none.
fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length: usize| {
        text.len() == length
            && text
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
    };
    let known = version == "00" && parts.next().is_none();
    if !(known && hex(trace, 32) && hex(span, 16) && hex(flags, 2)) {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()? & 1),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

fn text(context: &SpanContext) -> String {
    let mut text = String::new();
    if context.is_valid() {
        let flags = context.trace_flags().to_u8();
        let _ = write!(
            text,
            "00-{}-{}-{flags:02x}",
            context.trace_id(),
            context.span_id()
        );
    }
    text
}

/// Where this task is in its trace, as a `traceparent`; empty where it is in none.
#[must_use]
pub fn current() -> String {
    text(Context::current().span().span_context())
}

fn under(span: Span, parent: &str) -> Span {
    if let Some(parent) = parse(parent) {
        // A span that nobody takes has no parent either.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
    span
}

/// A call that is answered here. Which it is comes from a list; `parent` is what the caller says about its own trace.
#[must_use]
pub fn call(interface: &'static str, name: &str, parent: &str) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "call",
        otel.name = format!("{interface} {name}"),
        otel.kind = "server",
        hadron.interface = interface,
        rpc.method = name,
        hadron.code = Empty,
    );
    under(span, parent)
}

/// How a call was answered.
pub fn answered(span: &Span, code: &str) {
    span.record("hadron.code", code);
}

/// A job that is given to an agent, under the trace of what it works for. What the agent shall go on with: the trace as it is
/// with this step, or as it was where nobody takes spans here.
#[must_use]
pub fn offered(parent: &str, job: &str, deployment: &str, attempt: u32) -> String {
    if parent.is_empty() {
        return String::new();
    }
    let span = tracing::info_span!(
        target: TARGET,
        "offer",
        otel.name = "offer job",
        otel.kind = "producer",
        job.id = job,
        deployment.id = deployment,
        job.attempt = attempt,
    );
    let here = under(span, parent).in_scope(current);
    if here.is_empty() { parent.to_owned() } else { here }
}

/// A job that an agent works on.
#[must_use]
pub fn job(parent: &str, work: &str, job: &str, deployment: &str, (account, region): (&str, &str)) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "job",
        otel.name = format!("job {work}"),
        otel.kind = "consumer",
        job.id = job,
        deployment.id = deployment,
        cloud.account.id = account,
        cloud.region = region,
    );
    under(span, parent)
}

/// A request to AWS that changes something, with the token by which AWS knows it: it stands in CloudTrail and on the events of
/// the stack.
#[must_use]
pub fn request(service: &'static str, operation: &'static str, token: &str) -> Span {
    tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = format!("{service} {operation}"),
        otel.kind = "client",
        rpc.system = "aws-api",
        rpc.service = service,
        rpc.method = operation,
        aws.client_request_token = token,
        "error.type" = Empty,
        otel.status_code = Empty,
    )
}

/// That a request was refused, and as what.
pub fn refused(span: &Span, code: &str) {
    span.record("error.type", code);
    span.record("otel.status_code", "ERROR");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_and_written_alike_and_nothing_else_is_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(text(&parse(good).unwrap()), good);
        let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert!(!parse(unsampled).unwrap().is_sampled());
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473\u{e9}-00f067aa0ba902b7-01",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn where_nobody_takes_spans_a_trace_passes_through_unchanged() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(offered(parent, "job_1", "dpl_1", 1), parent);
        assert_eq!(offered("", "job_1", "dpl_1", 1), "");
        assert_eq!(current(), "");
    }
}
