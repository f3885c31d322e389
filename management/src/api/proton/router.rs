//! The protocol: AWS JSON 1.0 over `POST /`. Every answer has a request id, and every error a body that clients can read.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use futures::FutureExt as _;
use hadron_proto::vocab::RequestId;
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use tracing::Instrument as _;
use tracing::field::Empty;

use super::{Call, Fault, Operation, Proton, validate};
use crate::api::calls::Answered;
use crate::app::origin;

/// What `X-Amz-Target` begins with.
const TARGET: &str = "AwsProton20200720.";
const JSON: &str = "application/x-amz-json-1.0";
/// Largest body. A spec and a template file of 51,200 characters each are the most that the model lets one request hold.
const LARGEST: usize = 1024 * 1024;
/// How much of a body that is too large is still read, so that the client reads the answer instead of a broken connection.
const DRAINED: usize = 8 * 1024 * 1024;
/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// `POST /`, to be merged with whatever else the listener serves.
pub fn routes(proton: Proton) -> Router {
    Router::new()
        .route("/", post(serve).fallback(not_post))
        .with_state(proton)
}

fn fresh_id(proton: &Proton) -> String {
    let id: RequestId = proton.app.clock().fresh_id();
    id.as_uuid().to_string()
}

fn response(status: u16, request_id: &str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

/// The operation that a request names, if it is one.
pub(in crate::api) fn called(headers: &http::HeaderMap) -> Option<&'static str> {
    let target = headers.get("x-amz-target")?.to_str().ok()?;
    let operation = target.strip_prefix(TARGET).and_then(Operation::named)?;
    Some(operation.name())
}

/// The answer for a client that shall come again later; it does so by itself.
pub(in crate::api) fn throttled(request_id: &str, message: String) -> Response {
    refused(request_id, &Fault::throttled(message))
}

/// The answer for a call that took too long.
pub(in crate::api) fn took_too_long(request_id: &str, message: String) -> Response {
    refused(
        request_id,
        &Fault::common("ServiceUnavailableException", 503, message),
    )
}

fn refused(request_id: &str, fault: &Fault) -> Response {
    let mut response = response(fault.code().status(), request_id, fault.body());
    response.extensions_mut().insert(Answered(fault.code().name()));
    response
}

async fn not_post(State(proton): State<Proton>) -> Response {
    let fault = Fault::common(
        "UnknownOperationException",
        405,
        "the Proton API is called with POST; use an AWS CLI or SDK with this address as its endpoint",
    );
    let mut response = refused(&fresh_id(&proton), &fault);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

async fn serve(State(proton): State<Proton>, request: Request<Body>) -> Response {
    let id = fresh_id(&proton);
    let span = tracing::info_span!("proton", request_id = %id, operation = Empty, principal = Empty);
    let answering = async {
        let (parts, body) = request.into_parts();
        let outcome = unpanicked(answer(&proton, &parts, body)).await;
        match outcome {
            Ok(body) => {
                tracing::debug!("Answered");
                response(200, &id, body)
            }
            Err(fault) => {
                // Messages may quote what was asked.
                tracing::info!(code = fault.code().name(), "Refused");
                refused(&id, &fault)
            }
        }
    }
    .instrument(span);
    origin::answered_as(&id, answering).await
}

/// What comes of it, or the error of the model when it panics. The panic itself is written to the log where it happens.
async fn unpanicked<T>(answering: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    AssertUnwindSafe(answering)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(Fault::internal("a handler panicked")))
}

async fn answer(proton: &Proton, parts: &Parts, body: Body) -> Result<Vec<u8>, Fault> {
    let operation = operation(parts)?;
    let span = tracing::Span::current();
    span.record("operation", operation.name());
    let answered = async {
        content_type(parts)?;
        let body = whole(body, BODY_TIME).await?;
        let caller = proton.authenticate(parts, &body, operation.mutating()).await?;
        span.record("principal", caller.principal.as_str());
        let input = validate::checked(operation.input(), validate::parsed(&body)?)?;
        let call = Call::new(caller, operation, &input);
        proton.dispatch(&call, input).await
    };
    answered.await.map_err(|fault: Fault| fault.declared(operation))
}

fn operation(parts: &Parts) -> Result<Operation, Fault> {
    let unknown = |message: String| Fault::common("UnknownOperationException", 400, message);
    let mut targets = parts.headers.get_all("x-amz-target").iter();
    let target = match (targets.next(), targets.next()) {
        (Some(target), None) => target.to_str().unwrap_or_default(),
        _ => {
            return Err(unknown(format!(
                "the header X-Amz-Target has to be there, once: {TARGET}<Operation>"
            )));
        }
    };
    target
        .strip_prefix(TARGET)
        .and_then(Operation::named)
        .ok_or_else(|| {
            let shown: String = target.chars().take(100).collect();
            unknown(format!(
                "'{shown}' is no operation of the Proton API of version 2020-07-20; X-Amz-Target is {TARGET}<Operation>"
            ))
        })
}

fn content_type(parts: &Parts) -> Result<(), Fault> {
    let given = parts.headers.get(header::CONTENT_TYPE);
    let given = given.and_then(|given| given.to_str().ok()).unwrap_or_default();
    let media = given.split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case(JSON) {
        Ok(())
    } else {
        Err(Fault::validation(format!(
            "the Content-Type of a request is {JSON}"
        )))
    }
}

/// The whole body, if it is not too large and arrives in time.
async fn whole(mut body: Body, time: Duration) -> Result<Vec<u8>, Fault> {
    let reading = async {
        let (mut read, mut seen) = (Vec::new(), 0_usize);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Fault::validation("the body of the request ended too early"))?;
            let Ok(data) = frame.into_data() else { continue };
            seen = seen.saturating_add(data.len());
            if seen <= LARGEST {
                read.extend_from_slice(&data);
            } else if seen > DRAINED {
                break;
            }
        }
        if seen > LARGEST {
            return Err(Fault::validation(format!(
                "the body of the request is larger than the {LARGEST} bytes that any request of this API needs"
            )));
        }
        Ok(read)
    };
    let late = |_| {
        let message = format!("the body of the request did not arrive within {time:?}");
        Err(Fault::common("RequestTimeoutException", 408, message))
    };
    tokio::time::timeout(time, reading).await.unwrap_or_else(late)
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;
    use crate::api::proton::Code;

    #[tokio::test]
    async fn a_panic_is_an_error_of_the_model() {
        let fault = unpanicked::<()>(async { panic!("for a test") })
            .await
            .unwrap_err();
        assert_eq!(fault.code(), Code::InternalServer);
        assert!(!fault.message().contains("for a test"));
        assert_eq!(unpanicked(async { Ok(1) }).await, Ok(1));
    }

    #[tokio::test]
    async fn a_body_is_read_whole_in_time_or_not_at_all() {
        let chunk = |bytes: usize| Ok::<_, std::io::Error>(vec![b'a'; bytes]);
        let of = |chunks: Vec<Result<Vec<u8>, std::io::Error>>| Body::from_stream(stream::iter(chunks));
        let long = Duration::from_secs(60);
        let read = whole(of(vec![chunk(LARGEST - 1), chunk(1)]), long).await.unwrap();
        assert_eq!(read.len(), LARGEST);
        for chunks in [
            vec![chunk(LARGEST), chunk(1)],
            vec![chunk(DRAINED + 1), Err(std::io::ErrorKind::Other.into())],
        ] {
            let fault = whole(of(chunks), long).await.unwrap_err();
            assert!(fault.message().contains("larger than"), "{}", fault.message());
        }
        let broken = vec![chunk(1), Err(std::io::ErrorKind::Other.into())];
        let fault = whole(of(broken), long).await.unwrap_err();
        assert!(fault.message().contains("ended too early"), "{}", fault.message());
        let never = Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let fault = whole(never, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(fault.code().name(), "RequestTimeoutException");
    }
}
