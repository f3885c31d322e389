//! The last look before a request goes out.
//!
//! Between the decision to call and the bytes on the wire lie credentials that may have to be fetched, signing, and the SDK's own
//! second try - and the whole process may have been stopped meanwhile. AWS takes a signature for minutes, so whoever lost
//! the right to call on that way has to notice here, or not at all.

use std::future::Future;
use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

tokio::task_local! {
    static LEAVE: Leave;
}

/// Whether requests may still go out.
#[derive(Clone)]
pub struct Leave(Arc<dyn Fn() -> bool + Send + Sync>);

impl std::fmt::Debug for Leave {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Leave({})", self.given())
    }
}

impl Leave {
    /// Given for as long as `given` says so. It is asked often and in the middle of everything: it must neither wait nor
    /// give leave again once it did not.
    pub fn new(given: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(given))
    }

    /// Whether it is given right now.
    #[must_use]
    pub fn given(&self) -> bool {
        (self.0)()
    }

    /// Every request that `call` sends, repetitions included, goes out only while leave is given.
    pub async fn over<T>(self, call: impl Future<Output = T>) -> T {
        LEAVE.scope(self, call).await
    }
}

/// Asks before every transmission. A call outside of [`Leave::over`] needs none.
#[derive(Debug)]
pub(super) struct LastLook;

impl Intercept for LastLook {
    fn name(&self) -> &'static str {
        "LastLook"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match LEAVE.try_with(Leave::given) {
            Ok(false) => Err("the lease ended before the request went out".into()),
            Ok(true) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::aws::{AwsError, CloudFormation, Kind, Stacks as _};

    /// Gives credentials, and ends a lease with it: fetching them took that long.
    #[derive(Debug)]
    struct Slow {
        lease: Arc<AtomicBool>,
        ends: bool,
    }

    impl ProvideCredentials for Slow {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.lease.store(!self.ends, Ordering::SeqCst);
            future::ProvideCredentials::ready(Ok(Credentials::new(
                "AKIDEXAMPLE",
                "secret",
                None,
                None,
                "test",
            )))
        }
    }

    /// Answers every request with a refusal that is not passing. Gives its address and the count of requests.
    async fn aws() -> (String, Arc<AtomicU64>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut some = [0; 4096];
                if stream.read(&mut some).await.unwrap_or_default() > 0 {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
                let body = "<ErrorResponse><Error><Code>ValidationError</Code><Message>no</Message></Error></ErrorResponse>";
                let answer = format!(
                    "HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (url, seen)
    }

    async fn deletes(ends: bool) -> (Result<(), AwsError>, u64) {
        let (url, seen) = aws().await;
        let lease = Arc::new(AtomicBool::new(true));
        let provider = Slow {
            lease: Arc::clone(&lease),
            ends,
        };
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(url)
            .credentials_provider(SharedCredentialsProvider::new(provider))
            .build();
        let stacks = CloudFormation::new(&config);
        let leave = Leave::new(move || lease.load(Ordering::SeqCst));
        assert!(leave.given());
        let answer = leave.over(stacks.delete_change_set("stack", "change-set")).await;
        (answer, seen.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn a_lease_that_ends_while_credentials_are_fetched_keeps_the_request_back() {
        let (answer, seen) = deletes(true).await;
        let error = answer.unwrap_err();
        assert!(error.kind.is_passing(), "{error}");
        assert_eq!(seen, 0, "{error}");
    }

    #[tokio::test]
    async fn a_lease_that_holds_lets_it_through() {
        let (answer, seen) = deletes(false).await;
        assert_eq!((answer.unwrap_err().kind, seen), (Kind::Validation, 1));
    }
}
