//! Counts requests to AWS, each try by itself, by service, operation and how it was answered. AWS counts per account, and an
//! agent is the only one in its process: so there is one count for all clients. What was counted goes to the hub with the next
//! heartbeat.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::{AwsError, Kind};

/// Service, operation and code.
type Key = (String, String, String);

static COUNTS: Mutex<BTreeMap<Key, u64>> = Mutex::new(BTreeMap::new());

/// So many requests of one sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calls {
    /// Such as `CloudFormation`.
    pub service: String,
    /// Such as `DescribeStacks`.
    pub operation: String,
    /// `OK`, AWS's code, the status of an answer without one, or `NoAnswer`.
    pub code: String,
    /// How many.
    pub count: u64,
    /// AWS said that there were too many.
    pub throttled: bool,
}

/// What was counted since this was last asked. Whoever asks has it, and nobody else.
#[must_use]
pub fn take() -> Vec<Calls> {
    let counts = std::mem::take(&mut *COUNTS.lock().unwrap_or_else(PoisonError::into_inner));
    counts
        .into_iter()
        .map(|((service, operation, code), count)| Calls {
            throttled: AwsError::coded(&code, "").kind == Kind::Throttled,
            service,
            operation,
            code,
            count,
        })
        .collect()
}

/// Notes every try.
#[derive(Debug)]
pub(super) struct Counting;

impl Intercept for Counting {
    fn name(&self) -> &'static str {
        "Counting"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (service, operation) = match cfg.load::<Metadata>() {
            Some(metadata) => (metadata.service().to_owned(), metadata.name().to_owned()),
            None => ("unknown".to_owned(), "unknown".to_owned()),
        };
        let code = match context.response() {
            Some(response) if response.status().is_success() => "OK".to_owned(),
            Some(response) => {
                let kind = response.headers().get("x-amzn-errortype");
                let body = response.body().bytes().unwrap_or_default();
                code(kind, body).unwrap_or_else(|| response.status().as_u16().to_string())
            }
            None => "NoAnswer".to_owned(),
        };
        let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((service, operation, code)).or_default() += 1;
        Ok(())
    }
}

/// AWS's code in an answer: in a header, in a JSON body, or in an XML body.
fn code(header: Option<&str>, body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&body[..body.len().min(4_096)]);
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest.trim_start());
    let found = header
        .map(str::to_owned)
        .or_else(|| after("<Code>").map(str::to_owned))
        .or_else(|| {
            let value = after("\"__type\"")?.strip_prefix(':')?.trim_start();
            Some(value.strip_prefix('"')?.to_owned())
        })?;
    // Shapes may have their namespace before them, and headers a link behind them.
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || c == '#');
    let word = found.split(ends).next().unwrap_or_default();
    let word = word.rsplit('#').next().unwrap_or_default();
    (!word.is_empty() && word.len() <= 64).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_where_services_put_them() {
        let xml = b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code></Error></ErrorResponse>";
        assert_eq!(code(None, xml).as_deref(), Some("Throttling"));
        let json = br#"{"__type" : "com.amazonaws.ecr#RepositoryNotFoundException","message":"no"}"#;
        assert_eq!(code(None, json).as_deref(), Some("RepositoryNotFoundException"));
        let header = Some("AccessDenied:http://internal.amazon.com/coral/");
        assert_eq!(code(header, b"").as_deref(), Some("AccessDenied"));
        for odd in [
            &b""[..],
            b"<html>",
            b"<Code></Code>",
            b"{\"__type\":7}",
            &[0xff; 5_000],
        ] {
            assert_eq!(code(None, odd), None);
        }
    }
}
