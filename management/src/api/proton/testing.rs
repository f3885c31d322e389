//! The API without sockets and signatures, for tests.

use axum::Router;
use axum::body::Body;
use hadron_domain::authority::Caller;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::{Gate, Operation, PageKey, Proton, routes, validate};
use crate::app::App;

/// Whoever calls: everything it asks is asked by the same caller.
#[derive(Clone, Debug)]
pub struct Client(Router);

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The request id.
    pub request_id: String,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// The name of the error, without its namespace; empty when there is none.
    #[must_use]
    pub fn error(&self) -> &str {
        let kind = self.body["__type"].as_str().unwrap_or_default();
        kind.rsplit('#').next().unwrap_or_default()
    }

    /// The message of the error; empty when there is none.
    #[must_use]
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

/// The API as answered to one caller, whose requests need no signature.
pub fn open(app: App, caller: Caller) -> Router {
    routes(Proton {
        app,
        gate: Gate::Fixed(caller),
        pages: PageKey::derive(b"test"),
    })
}

/// What the protocol makes of the body of a request before any use case sees it: the members that the model knows, or the
/// status and the body of the refusal.
///
/// # Errors
/// When the body is no JSON, or not as the model says.
pub fn body_of(operation: Operation, body: &[u8]) -> Result<Value, (u16, Vec<u8>)> {
    let checked = validate::parsed(body).and_then(|input| validate::checked(operation.input(), input));
    checked.map_err(|fault| {
        let fault = fault.declared(operation);
        (fault.code().status(), fault.body())
    })
}

impl Client {
    /// A client that calls as `caller`.
    #[must_use]
    pub fn new(app: App, caller: Caller) -> Self {
        Self(open(app, caller))
    }

    /// Asks for an operation.
    ///
    /// # Panics
    /// When the answer is not one of this API.
    pub async fn ask(&self, operation: &str, input: Value) -> Answer {
        let request = Request::post("/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AwsProton20200720.{operation}"))
            .body(Body::from(input.to_string()))
            .expect("a request");
        let answer = match self.0.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let status = answer.status().as_u16();
        let request_id = answer.headers()["x-amzn-requestid"].to_str().expect("an id");
        let request_id = request_id.to_owned();
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        Answer {
            status,
            request_id,
            body: serde_json::from_slice(&body).expect("JSON"),
        }
    }

    /// Asks for an operation that should work, and gives the body.
    ///
    /// # Panics
    /// When it does not.
    pub async fn done(&self, operation: &str, input: Value) -> Value {
        let answer = self.ask(operation, input).await;
        assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
        answer.body
    }

    /// Asks for an operation that should be refused, and gives the error's name and message.
    ///
    /// # Panics
    /// When it is not.
    pub async fn refused(&self, operation: &str, input: Value) -> (String, String) {
        let answer = self.ask(operation, input).await;
        assert_ne!(answer.status, 200, "{operation}: {}", answer.body);
        (answer.error().to_owned(), answer.message().to_owned())
    }
}
