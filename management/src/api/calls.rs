//! Counts what is asked of this hub: which call of which interface, how it was answered, and how long the answer took.
//!
//! Names and answers come from fixed lists, so that nobody who calls makes up series: whatever is in none of them is `other`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::Response;
use hadron_proto::{trace, wire};
use http::{HeaderMap, Request, header};
use prost::Message as _;
use tonic::Code;
use tracing::{Instrument as _, Span};

use super::{proton, web};
use crate::app::origin::{self, Origin};
use crate::meter::{Distribution, Family, Figure, Histogram, Kind};

/// Limits between which calls are counted, in seconds. Rendering a large template takes some.
const LIMITS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0];
/// What is in no list.
const OTHER: &str = "other";
/// What paths of gRPC methods of this contract begin with.
const PACKAGE: &str = "/hadron.v1.";

/// By what somebody calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interface {
    /// Agents, with their certificates.
    Agent,
    /// Pages and forms of the console.
    Console,
    /// Agents that have no certificate yet.
    Enrolment,
    /// gRPC for people and scripts.
    Operator,
    /// AWS's CLI and SDKs.
    Proton,
}

impl Interface {
    const ALL: [Self; 5] = [
        Self::Agent,
        Self::Console,
        Self::Enrolment,
        Self::Operator,
        Self::Proton,
    ];

    /// As it is told.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Console => "console",
            Self::Enrolment => "enrolment",
            Self::Operator => "operator",
            Self::Proton => "proton",
        }
    }
}

/// The code of an answer, for those answers that do not say it in HTTP's own words.
#[derive(Clone, Copy, Debug)]
pub struct Answered(pub &'static str);

/// What somebody calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// By which interface.
    pub interface: Interface,
    /// Which call, such as `EnvironmentsService/GetEnvironment`.
    pub name: Arc<str>,
    /// Its answer lasts for as long as somebody listens.
    pub streams: bool,
}

/// All counts. Clones share them.
#[derive(Clone, Debug)]
pub struct Calls(Arc<Inner>);

/// By which interface, which call, and how it was answered.
type Key = (Interface, Arc<str>, String);

#[derive(Debug)]
struct Inner {
    /// gRPC's methods by their paths.
    methods: BTreeMap<String, Called>,
    other: Arc<str>,
    counts: Mutex<BTreeMap<Key, u64>>,
    times: [(Interface, Histogram); 5],
}

impl Default for Calls {
    fn default() -> Self {
        Self(Arc::new(Inner {
            methods: methods(),
            other: OTHER.into(),
            counts: Mutex::default(),
            times: Interface::ALL.map(|interface| (interface, Histogram::new(&LIMITS))),
        }))
    }
}

/// All methods of the contract by their paths.
fn methods() -> BTreeMap<String, Called> {
    let set = prost_types::FileDescriptorSet::decode(wire::DESCRIPTORS)
        .expect("the descriptors that are built in can be read");
    let mut found = BTreeMap::new();
    for file in &set.file {
        for service in &file.service {
            let interface = match service.name() {
                "AgentService" => Interface::Agent,
                "EnrolmentService" => Interface::Enrolment,
                _ => Interface::Operator,
            };
            for method in &service.method {
                let name = format!("{}/{}", service.name(), method.name());
                let path = format!("/{}.{name}", file.package());
                let called = Called {
                    interface,
                    name: name.into(),
                    streams: method.server_streaming(),
                };
                found.insert(path, called);
            }
        }
    }
    found
}

/// Paths of all methods whose answer is a stream.
pub(super) fn streaming() -> BTreeSet<String> {
    let streams = methods().into_iter().filter(|(_, called)| called.streams);
    streams.map(|(path, _)| path).collect()
}

/// Whether it is gRPC that is spoken.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

impl Calls {
    /// What a request calls.
    #[must_use]
    pub fn called<B>(&self, request: &Request<B>) -> Called {
        let path = request.uri().path();
        if let Some(called) = self.0.methods.get(path) {
            return called.clone();
        }
        let named = |interface, name: &str| Called {
            interface,
            name: name.into(),
            streams: false,
        };
        let other = |interface| Called {
            interface,
            name: Arc::clone(&self.0.other),
            streams: false,
        };
        if is_grpc(request.headers()) || path.starts_with("/grpc.") || path.starts_with(PACKAGE) {
            return other(Interface::Operator);
        }
        if path == "/" && request.method() == http::Method::POST {
            return proton::called(request.headers())
                .map_or_else(|| other(Interface::Proton), |name| named(Interface::Proton, name));
        }
        let mut called = web::called(path).map_or_else(
            || other(Interface::Console),
            |name| named(Interface::Console, name),
        );
        called.streams = path.starts_with(web::LIVE);
        called
    }

    fn note(&self, called: Called, code: String, began: Instant) {
        if !called.streams {
            let times = self
                .0
                .times
                .iter()
                .find(|(interface, _)| *interface == called.interface);
            if let Some((_, times)) = times {
                times.observe(began.elapsed());
            }
        }
        let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((called.interface, called.name, code)).or_default() += 1;
    }

    /// What was counted so far.
    #[must_use]
    pub fn families(&self) -> [Family; 2] {
        let mut count = Family::new(
            Kind::Counter,
            "hadron_calls_total",
            "Calls that this process has answered, by interface, call and how they were answered; streams as they begin.",
        );
        let counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for ((interface, name, code), value) in &*counts {
            let labels = [
                ("interface", interface.word()),
                ("call", &**name),
                ("code", code.as_str()),
            ];
            count = count.and(labels, *value);
        }
        drop(counts);
        let mut times = Family::new(
            Kind::Histogram,
            "hadron_call_seconds",
            "How long calls took until they were answered, without streams.",
        );
        for (interface, histogram) in &self.0.times {
            let read: Distribution = histogram.read();
            times = times.with([("interface", interface.word())], Figure::Distribution(read));
        }
        [count, times]
    }
}

/// How a request was answered.
fn code(called: &Called, response: &Response) -> String {
    if let Some(Answered(code)) = response.extensions().get() {
        return (*code).to_owned();
    }
    match called.interface {
        Interface::Agent | Interface::Enrolment | Interface::Operator => {
            // Those who are answered well are told so behind the answer.
            let status = response.headers().get("grpc-status");
            let code = status.map_or(Code::Ok, |status| Code::from_bytes(status.as_bytes()));
            grpc_word(code).to_owned()
        }
        Interface::Proton if response.status().is_success() => grpc_word(Code::Ok).to_owned(),
        Interface::Console | Interface::Proton => response.status().as_str().to_owned(),
    }
}

/// gRPC's own names.
const fn grpc_word(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Counts a call. Whoever goes away before they are answered is not counted.
pub async fn count(State(calls): State<Calls>, request: Request<Body>, next: Next) -> Response {
    let (called, began) = (calls.called(&request), Instant::now());
    // A stream is no step on somebody's way: it is there before, and for long after.
    let span = if called.streams {
        Span::none()
    } else {
        let parent = request.headers().get(trace::HEADER);
        let parent = parent.and_then(|parent| parent.to_str().ok());
        trace::call(called.interface.word(), &called.name, parent.unwrap_or_default())
    };
    let trace = span.in_scope(trace::current);
    let answering = next.run(request).instrument(span.clone());
    let response = if called.interface == Interface::Agent && !trace.is_empty() {
        // People's calls say later, and more, from where they come. Of what follows from an agent's call, the trace is all.
        let from = Origin {
            trace,
            ..Origin::default()
        };
        origin::from(from, answering).await
    } else {
        answering.await
    };
    let code = code(&called, &response);
    trace::answered(&span, &code);
    calls.note(called, code, began);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_call_has_a_name_of_a_list_or_none() {
        let calls = Calls::default();
        let name = |method: &str, path: &str, headers: &[(&str, &str)]| {
            let called = calls.called(&request(method, path, headers));
            format!("{} {}", called.interface.word(), called.name)
        };
        let grpc = [("content-type", "application/grpc")];
        assert_eq!(
            name("POST", "/hadron.v1.AgentService/Report", &grpc),
            "agent AgentService/Report"
        );
        assert_eq!(
            name("POST", "/hadron.v1.SummaryService/GetSummary", &grpc),
            "operator SummaryService/GetSummary"
        );
        assert_eq!(
            name("POST", "/hadron.v1.SummaryService/Guessed", &grpc),
            "operator other"
        );
        let target = |operation: &'static str| [("x-amz-target", operation)];
        assert_eq!(
            name("POST", "/", &target("AwsProton20200720.GetEnvironment")),
            "proton GetEnvironment"
        );
        assert_eq!(
            name("POST", "/", &target("AwsProton20200720.Guessed1")),
            "proton other"
        );
        assert_eq!(name("POST", "/", &[]), "proton other");
        assert_eq!(name("GET", "/", &[]), "console overview");
        assert_eq!(name("GET", "/environments/prd/edit", &[]), "console environments");
        assert_eq!(name("GET", "/live/environments/prd", &[]), "console live");
        assert_eq!(name("GET", "/wp-admin", &[]), "console other");
    }

    #[test]
    fn an_answer_has_a_code_of_a_list() {
        let calls = Calls::default();
        let of = |path: &str| calls.called(&request("POST", path, &[("content-type", "application/grpc")]));
        let grpc = of("/hadron.v1.SummaryService/GetSummary");
        let refused = tonic::Status::permission_denied("no").into_http::<Body>();
        assert_eq!(code(&grpc, &refused), "PERMISSION_DENIED");
        assert_eq!(code(&grpc, &Response::default()), "OK");
        calls.note(grpc.clone(), "OK".to_owned(), Instant::now());
        calls.note(grpc, "OK".to_owned(), Instant::now());
        let [counts, times] = calls.families();
        assert_eq!(counts.samples.len(), 1);
        assert_eq!(counts.samples[0].figure, Figure::Number(2.0));
        assert_eq!(times.samples.len(), 5);
    }
}
