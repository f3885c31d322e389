//! The AWS Proton API, version 2020-07-20, so that the AWS CLI and SDKs work with this hub unchanged.
//!
//! A request goes through these steps; each has its file:
//!
//! 1. `router`: `POST /`, the operation from `X-Amz-Target`, the body (at most 1 MiB), a request id.
//! 2. [`sigv4`]: who signed it.
//! 3. `validate`, along the tables of `model`: every violation at once. What the model does not know and what is `null`
//!    is dropped, so that later steps see what the model says and nothing else.
//! 4. `operations`: the operation's handler, which is in the file of its noun. It converts (`convert`, `arn`, `page`), asks
//!    [`app`](crate::app), and converts back. No rule is in here.
//! 5. [`error`]: what went wrong, as an error that the operation declares.
//!
//! `operations`, `shapes` and `model` are generated from the service model in `model/`.
//!
//! # What handlers have at hand
//!
//! ```text
//! impl Proton {
//!     pub(super) async fn get_thing(&self, call: &Call, input: GetThingInput) -> Result<GetThingOutput, Fault>
//! }
//! ```
//!
//! * `call.caller` who asks; `call.request(client_token)` what `app`'s changing functions take.
//! * `Fault::{validation, not_found, conflict, denied, quota, throttled}(message)`, `Fault::internal(cause)` (the cause goes to
//!   the log only), `From<AppError>`. What an operation does not declare is turned into a `ValidationException` afterwards.
//! * `convert::word("templateName", &text)?` into a checked type, `word_opt` for optional ones, `plain_id`/`id` for ids (the
//!   API shows bare UUIDs), `version`/`version_opt`, `text` and `secret` for texts that are left out when empty.
//! * `self.arn(Resource::…)` names something of the hub's account, `self.arn_in(account, region, …)` something of another.
//!   `ResourceArn` parses.
//! * `let page = self.page(call, input.max_results, input.next_token.as_deref(), PARTS)?`: ask for `page.fetch()` rows after
//!   `page.first()`/`page.two()`/`page.after`, then `let (rows, next_token) = page.cut(rows, |row| vec![row.name.to_string()])`.
//!   The token is bound to the operation and to everything else that the request says.

mod arn;
mod components;
mod connections;
mod convert;
mod deployments;
mod environments;
pub mod error;
mod instances;
mod model;
mod notifications;
mod operations;
mod outputs;
mod page;
mod pipelines;
mod repositories;
mod router;
mod scalar;
mod services;
mod settings;
mod shapes;
pub mod sigv4;
mod sync;
mod tags;
mod templates;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod validate;

use hadron_domain::authority::Caller;
use hadron_proto::vocab::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use error::{Code, Fault};
pub use operations::{Operation, Pagination};
pub use page::PageKey;
pub use router::routes;
pub(super) use router::{called, throttled, took_too_long};

use crate::app::{App, Request};
use sigv4::Verifier;

/// Everything that answers the API. Clones share it.
#[derive(Clone, Debug)]
pub struct Proton {
    app: App,
    gate: Gate,
    pages: PageKey,
}

/// How it becomes known who calls.
#[derive(Clone, Debug)]
enum Gate {
    Signatures(Verifier),
    /// Tests say it, so that what they ask need not be signed.
    #[cfg(any(test, feature = "testing"))]
    Fixed(Caller),
}

impl Proton {
    /// The API over these use cases; page tokens are sealed with `pages`, which all replicas of a hub have to share.
    #[must_use]
    pub const fn new(app: App, verifier: Verifier, pages: PageKey) -> Self {
        Self {
            app,
            gate: Gate::Signatures(verifier),
            pages,
        }
    }

    async fn authenticate(
        &self,
        parts: &http::request::Parts,
        body: &[u8],
        mutating: bool,
    ) -> Result<Caller, Fault> {
        match &self.gate {
            Gate::Signatures(verifier) => verifier.verify(parts, body, mutating).await,
            #[cfg(any(test, feature = "testing"))]
            Gate::Fixed(caller) => Ok(caller.clone()),
        }
    }
}

/// One request, authenticated and checked.
#[derive(Clone, Debug)]
struct Call {
    /// Who asks.
    caller: Caller,
    /// For what.
    operation: Operation,
    /// Digest of everything that was asked but the client token.
    hash: Digest,
    /// Digest of everything that was asked but the place in the list.
    filters: Digest,
    /// Tags for what the request makes.
    tags: Vec<(String, String)>,
}

impl Call {
    fn new(caller: Caller, operation: Operation, input: &Value) -> Self {
        let tokens = |name: &str| operation.input().token() == Some(name);
        Self {
            caller,
            operation,
            hash: digest(operation, input, tokens),
            filters: digest(operation, input, |name| {
                matches!(name, "nextToken" | "maxResults")
            }),
            tags: tags_of(input),
        }
    }

    /// What the use cases want to know about a change.
    fn request(&self, client_token: Option<String>) -> Request {
        Request {
            caller: self.caller.clone(),
            // The model allows an empty token; it cannot tell two requests apart.
            id: client_token.filter(|token| !token.is_empty()),
            operation: self.operation.name(),
            hash: self.hash,
            repeatable: true,
            tags: self.tags.clone(),
        }
    }
}

/// The tags of a checked request. Every operation that makes something calls them the same, so no handler has to.
fn tags_of(input: &Value) -> Vec<(String, String)> {
    let tags = input.get("tags").and_then(Value::as_array);
    let text = |tag: &Value, name: &str| tag.get(name).and_then(Value::as_str).map(str::to_owned);
    let pairs = tags
        .into_iter()
        .flatten()
        .map(|tag| text(tag, "key").zip(text(tag, "value")));
    pairs.flatten().collect()
}

/// Digest of a checked request, however its members are ordered, without some of them.
fn digest(operation: Operation, input: &Value, without: impl Fn(&str) -> bool) -> Digest {
    let mut input = input.clone();
    if let Value::Object(members) = &mut input {
        members.retain(|name, _| !without(name));
    }
    input.sort_all_objects();
    Digest::of(format!("{}\n{input}", operation.name()).as_bytes())
}

/// A checked request as its structure.
fn read<T: DeserializeOwned>(input: Value) -> Result<T, Fault> {
    // Tables and structures come from one model. serde's text may quote the request, which may hold what is not to be logged.
    serde_json::from_value(input)
        .map_err(|_| Fault::internal(format!("{} does not fit its table", std::any::type_name::<T>())))
}

/// The body of an answer.
fn answered<T: Serialize>(output: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(output).map_err(Fault::internal)
}

#[cfg(test)]
mod tests;
