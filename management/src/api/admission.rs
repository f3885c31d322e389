//! How many calls of people and scripts are worked on at once. A hub that is asked for more than it can do lets a bounded
//! number wait, and tells the rest at once to come again, in words that their clients act on by themselves: AWS's SDKs on
//! `ThrottlingException`, gRPC clients on `RESOURCE_EXHAUSTED` with `RetryInfo`.
//!
//! Agents are on listeners of their own and are not counted here: whatever people ask for, leases are renewed. Streams that
//! watch something last for hours and do next to nothing; they are counted apart, so that they keep no call out.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::Response;
use hadron_proto::vocab::RequestId;
use http::{HeaderMap, Request, header};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Code;
use tonic_types::{ErrorDetails, StatusExt as _};

use super::calls::{is_grpc, streaming};
use super::status::DOMAIN;
use super::{proton, web};
use crate::clock::Clock;

/// After how long a client that was turned away may come again.
const COME_AGAIN: Duration = Duration::from_secs(1);
/// How long a call may wait for its turn. Clients give up after a minute or so, and some of that is needed for the answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a call may take. Longer ones hang on a client that sends slowly or not at all.
const LONGEST: Duration = Duration::from_secs(60);
/// Asked by load balancers, costs nothing.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// How many of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls that are worked on at once.
    pub calls: usize,
    /// Calls that wait for their turn.
    pub queue: usize,
    /// Streams that watch something.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 128,
            queue: 256,
            streams: 1_024,
        }
    }
}

/// The gate in front of the API. Clones share it.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Gate>);

#[derive(Debug)]
struct Gate {
    limits: Limits,
    clock: Clock,
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    waiting: AtomicUsize,
    admitted: AtomicU64,
    throttled: AtomicU64,
    /// Paths of gRPC methods that answer with a stream for as long as somebody listens.
    streaming: BTreeSet<String>,
}

/// What has passed the gate, and what is in front of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that are worked on.
    pub running: u64,
    /// Calls that wait for their turn.
    pub waiting: u64,
    /// Streams that are open.
    pub streams: u64,
    /// Calls and streams that were let through since the start.
    pub admitted: u64,
    /// Calls and streams that were told to come again.
    pub throttled: u64,
}

/// One place among those who wait; given back when it is dropped.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Admission {
    /// A gate with these limits.
    #[must_use]
    pub fn new(limits: Limits, clock: Clock) -> Self {
        Self(Arc::new(Gate {
            limits,
            clock,
            calls: Arc::new(Semaphore::new(limits.calls)),
            streams: Arc::new(Semaphore::new(limits.streams)),
            waiting: AtomicUsize::new(0),
            admitted: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            streaming: streaming(),
        }))
    }

    /// What has passed so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let Gate { limits, .. } = &*self.0;
        let used = |most: usize, left: &Semaphore| most.saturating_sub(left.available_permits()) as u64;
        Counts {
            running: used(limits.calls, &self.0.calls),
            waiting: self.0.waiting.load(Ordering::Acquire) as u64,
            streams: used(limits.streams, &self.0.streams),
            admitted: self.0.admitted.load(Ordering::Relaxed),
            throttled: self.0.throttled.load(Ordering::Relaxed),
        }
    }

    /// A turn for a call, at once or after a while; `None` when too many wait already, or it took too long.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let gate = &*self.0;
        if let Ok(permit) = Arc::clone(&gate.calls).try_acquire_owned() {
            return Some(permit);
        }
        let place = Place(&gate.waiting);
        if gate.waiting.fetch_add(1, Ordering::AcqRel) >= gate.limits.queue {
            return None;
        }
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&gate.calls).acquire_owned()).await;
        drop(place);
        // The semaphore is never closed.
        turn.ok()?.ok()
    }

    fn refuse(&self, headers: &HeaderMap, what: &str) -> Response {
        self.0.throttled.fetch_add(1, Ordering::Relaxed);
        let message = format!("the hub is busy: {what}; try again in a moment");
        if is_browser(headers) {
            return web::busy(message);
        }
        if !is_grpc(headers) {
            return proton::throttled(&self.request_id(), message);
        }
        let mut details = ErrorDetails::with_retry_info(Some(COME_AGAIN));
        details.set_error_info("BUSY", DOMAIN, std::collections::HashMap::new());
        tonic::Status::with_error_details(Code::ResourceExhausted, message, details).into_http()
    }

    fn too_long(&self, headers: &HeaderMap) -> Response {
        let message = format!("the call took longer than {} s", LONGEST.as_secs());
        if is_browser(headers) {
            web::busy(message)
        } else if is_grpc(headers) {
            tonic::Status::deadline_exceeded(message).into_http()
        } else {
            proton::took_too_long(&self.request_id(), message)
        }
    }

    fn request_id(&self) -> String {
        let id: RequestId = self.0.clock.fresh_id();
        id.as_uuid().to_string()
    }
}

/// Lets a request through, or tells it to come again.
pub async fn admit(State(gate): State<Admission>, request: Request<Body>, next: Next) -> Response {
    let path = request.uri().path();
    if path.starts_with(HEALTH) {
        return next.run(request).await;
    }
    if gate.0.streaming.contains(path) || path.starts_with(web::LIVE) {
        let Ok(permit) = Arc::clone(&gate.0.streams).try_acquire_owned() else {
            return gate.refuse(request.headers(), "too many streams are open");
        };
        gate.0.admitted.fetch_add(1, Ordering::Relaxed);
        let (parts, body) = next.run(request).await.into_parts();
        let body = Body::new(Held {
            body,
            _permit: permit,
        });
        return Response::from_parts(parts, body);
    }
    let Some(permit) = gate.turn().await else {
        return gate.refuse(request.headers(), "too many calls are waiting");
    };
    gate.0.admitted.fetch_add(1, Ordering::Relaxed);
    let headers = request.headers().clone();
    // What a use case writes is written to its end, also when nobody waits for the answer any more.
    let answered = tokio::time::timeout(LONGEST, next.run(request)).await;
    drop(permit);
    answered.unwrap_or_else(|_| gate.too_long(&headers))
}

/// What is said about an address that nothing is at.
pub async fn unknown(request: Request<Body>) -> Response {
    if is_browser(request.headers()) {
        web::nowhere(request).await
    } else {
        tonic::Status::unimplemented("").into_http()
    }
}

/// Whether somebody reads the answer with their own eyes.
fn is_browser(headers: &HeaderMap) -> bool {
    let accepts = headers
        .get(header::ACCEPT)
        .and_then(|accepted| accepted.to_str().ok());
    accepts.is_some_and(|accepted| accepted.contains("text/html") || accepted.contains("text/event-stream"))
}

/// A body with the permit of its stream.
struct Held {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl hyper::body::Body for Held {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::post;
    use http_body_util::BodyExt as _;
    use tokio::sync::Notify;
    use tower::ServiceExt as _;

    use super::*;

    const WATCH: &str = "/hadron.v1.AgentsService/WatchAgents";

    struct World {
        gate: Admission,
        go: Arc<Notify>,
        router: Router,
    }

    /// Calls that take until `go`, and streams that never end.
    fn world(limits: Limits) -> World {
        let gate = Admission::new(limits, Clock::system());
        let go = Arc::new(Notify::new());
        let held = Arc::clone(&go);
        let call = move || {
            let held = Arc::clone(&held);
            async move {
                held.notified().await;
                "done"
            }
        };
        let endless =
            || async { Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>()) };
        let router = Router::new()
            .route("/", post(call.clone()))
            .route("/hadron.v1.SummaryService/GetSummary", post(call))
            .route(WATCH, post(endless))
            .route("/grpc.health.v1.Health/Check", post(async || "healthy"))
            .layer(axum::middleware::from_fn_with_state(gate.clone(), admit));
        World { gate, go, router }
    }

    fn request(path: &str, kind: &str) -> Request<Body> {
        Request::post(path)
            .header(header::CONTENT_TYPE, kind)
            .body(Body::empty())
            .unwrap()
    }

    impl World {
        async fn ask(&self, path: &str, kind: &str) -> Response {
            self.router.clone().oneshot(request(path, kind)).await.unwrap()
        }

        fn spawn(&self) -> tokio::task::JoinHandle<u16> {
            let router = self.router.clone();
            tokio::spawn(async move {
                let request = request("/", "application/x-amz-json-1.0");
                router.oneshot(request).await.unwrap().status().as_u16()
            })
        }

        async fn until(&self, done: impl Fn(Counts) -> bool) {
            while !done(self.gate.counts()) {
                tokio::task::yield_now().await;
            }
        }
    }

    const SMALL: Limits = Limits {
        calls: 2,
        queue: 3,
        streams: 1,
    };

    #[tokio::test(start_paused = true)]
    async fn a_bounded_number_works_a_bounded_number_waits_and_the_rest_comes_again() {
        let world = world(SMALL);
        let calls: Vec<_> = (0..5).map(|_| world.spawn()).collect();
        world
            .until(|counts| counts.running == 2 && counts.waiting == 3)
            .await;

        let refused = world.ask("/", "application/x-amz-json-1.0").await;
        assert_eq!(refused.status().as_u16(), 400);
        assert!(refused.headers().contains_key("x-amzn-requestid"));
        let body = refused.into_body().collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert!(
            body["__type"].as_str().unwrap().ends_with("ThrottlingException"),
            "{body}"
        );

        let refused = world
            .ask("/hadron.v1.SummaryService/GetSummary", "application/grpc")
            .await;
        let status = tonic::Status::from_header_map(refused.headers()).unwrap();
        assert_eq!(status.code(), Code::ResourceExhausted);
        let retry = status.get_details_retry_info().unwrap();
        assert_eq!(retry.retry_delay, Some(COME_AGAIN));
        assert_eq!(
            world
                .ask("/grpc.health.v1.Health/Check", "application/grpc")
                .await
                .status(),
            200
        );

        // Those who waited get their turn, and all are answered.
        for call in calls {
            world.go.notify_waiters();
            world.go.notify_one();
            assert_eq!(call.await.unwrap(), 200);
        }
        let counts = world.gate.counts();
        assert_eq!(
            (counts.running, counts.waiting, counts.admitted, counts.throttled),
            (0, 0, 5, 2)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_too_long_is_told_so_and_leaves_no_place_taken() {
        let world = world(SMALL);
        let calls: Vec<_> = (0..2).map(|_| world.spawn()).collect();
        world.until(|counts| counts.running == 2).await;
        // Time is paused: it passes when everybody waits.
        assert_eq!(world.ask("/", "application/x-amz-json-1.0").await.status(), 400);
        assert_eq!(world.gate.counts().waiting, 0);
        // And a call that hangs does not keep its place for ever.
        for call in calls {
            assert_eq!(call.await.unwrap(), 503);
        }
        assert_eq!(world.gate.counts().running, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn streams_are_counted_apart_for_as_long_as_somebody_listens() {
        let world = world(SMALL);
        let stream = world.ask(WATCH, "application/grpc").await;
        assert_eq!(stream.status(), 200);
        assert_eq!((world.gate.counts().streams, world.gate.counts().running), (1, 0));
        let refused = world.ask(WATCH, "application/grpc").await;
        let status = tonic::Status::from_header_map(refused.headers()).unwrap();
        assert_eq!(status.code(), Code::ResourceExhausted);
        drop(stream);
        assert_eq!(world.gate.counts().streams, 0);
        assert_eq!(world.ask(WATCH, "application/grpc").await.status(), 200);
    }

    #[test]
    fn every_watch_of_the_contract_is_a_stream() {
        let paths = streaming();
        assert!(paths.contains(WATCH), "{paths:?}");
        assert!(!paths.contains("/hadron.v1.SummaryService/GetSummary"));
    }
}
