//! Calling the webhook: who is told about events by the hub itself.
//!
//! Its address comes from the hub's own configuration. Nevertheless the hub refuses to call places that only its own
//! machine can reach: see [`outgoing`](crate::outgoing).

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::hmac;
use hadron_proto::vocab::Timestamp;
use reqwest::{Client, Url};

use crate::outgoing::{self, Refused};

/// How long one call may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// The shortest secret, in bytes.
const SHORTEST_SECRET: usize = 16;
/// The header with the signature: `t=<seconds since 1970>,v1=<hex>`, where `hex` is the HMAC-SHA256 of `<t>.<body>`.
pub const SIGNATURE: &str = "hadron-signature";

/// Somebody who is told about events.
#[derive(Clone)]
pub struct Webhook {
    client: Client,
    url: Url,
    key: hmac::Key,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

/// The webhook cannot be called as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum WebhookSetup {
    /// Not an address.
    #[error("is no address such as https://events.example.com/hadron, without user and password")]
    Url,
    /// Not protected.
    #[error("must begin with https://: whoever can read or change events on their way must not")]
    Plain,
    /// Nobody whom the hub should talk to.
    #[error("leads to {0}, which only this machine can reach")]
    Forbidden(IpAddr),
    /// The secret is short.
    #[error("holds a secret of fewer than {SHORTEST_SECRET} bytes; make one with: openssl rand -hex 32")]
    Secret,
    /// TLS or the HTTP client.
    #[error("cannot set up the client of the webhook")]
    Client(#[source] reqwest::Error),
}

impl From<Refused> for WebhookSetup {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Url => Self::Url,
            Refused::Plain => Self::Plain,
            Refused::Forbidden(address) => Self::Forbidden(address),
        }
    }
}

/// The webhook did not take an event.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// It said no.
    #[error("the webhook answered {0}")]
    Status(u16),
    /// Nothing was heard, or it may not be called.
    #[error("the webhook could not be called")]
    Call(#[source] reqwest::Error),
}

impl WebhookError {
    /// With its causes, for the log. The address is not told: it may hold a token.
    #[must_use]
    pub fn story(self) -> String {
        let mut text = self.to_string();
        if let Self::Call(error) = self {
            let error = error.without_url();
            let mut next: Option<&dyn std::error::Error> = Some(&error);
            while let Some(cause) = next {
                text.push_str(": ");
                text.push_str(&cause.to_string());
                next = cause.source();
            }
        }
        text
    }
}

impl Webhook {
    /// A webhook at this address. `loopback`: this hub is for development, so plain HTTP on this machine is fine.
    ///
    /// # Errors
    /// When it is not to be called there, or the secret is too short.
    pub fn new(url: &str, secret: &[u8], loopback: bool) -> Result<Self, WebhookSetup> {
        let url = Self::check(url, loopback)?;
        if secret.len() < SHORTEST_SECRET {
            return Err(WebhookSetup::Secret);
        }
        let client = outgoing::client(loopback, TIMEOUT).map_err(WebhookSetup::Client)?;
        Ok(Self {
            client,
            url,
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
        })
    }

    /// Whether the webhook could be called at this address.
    ///
    /// # Errors
    /// Says why not.
    pub fn check(url: &str, loopback: bool) -> Result<Url, WebhookSetup> {
        Ok(outgoing::check(url, loopback)?)
    }

    /// Tells one event.
    ///
    /// # Errors
    /// When it was not taken: any answer but success, a redirection included.
    pub async fn tell(&self, id: &str, at: Timestamp, body: String) -> Result<(), WebhookError> {
        let answer = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("hadron-event-id", id)
            .header(SIGNATURE, self.signature(at, &body))
            .body(body)
            .send()
            .await
            .map_err(WebhookError::Call)?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(WebhookError::Status(answer.status().as_u16()))
        }
    }

    fn signature(&self, at: Timestamp, body: &str) -> String {
        let seconds = at.as_millis().div_euclid(1000);
        let tag = hmac::sign(&self.key, format!("{seconds}.{body}").as_bytes());
        let mut text = format!("t={seconds},v1=");
        for byte in tag.as_ref() {
            use fmt::Write as _;
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef";

    #[test]
    fn only_others_are_called_and_only_with_tls() {
        assert!(Webhook::check("https://events.example.com/x?y=1", false).is_ok());
        assert!(Webhook::check("https://10.0.0.7/x", false).is_ok());
        assert!(Webhook::check("http://127.0.0.1:9/x", true).is_ok());
        for plain in ["http://events.example.com", "http://127.0.0.1:9"] {
            assert!(
                matches!(Webhook::check(plain, false), Err(WebhookSetup::Plain)),
                "{plain}"
            );
        }
        for wrong in [
            "events.example.com",
            "ftp://a/b",
            "https://user:secret@a/",
            "https://",
            "",
        ] {
            assert!(
                matches!(Webhook::check(wrong, false), Err(WebhookSetup::Url)),
                "{wrong}"
            );
        }
        for inside in [
            "https://127.0.0.1",
            "https://169.254.169.254/latest",
            "https://0.0.0.0",
            "https://[::1]",
            "https://[fe80::1]",
            "https://[fd00:ec2::254]",
            "https://[::ffff:169.254.169.254]",
            "https://[64:ff9b::a9fe:a9fe]",
            "https://2852039166",
        ] {
            let found = Webhook::check(inside, false);
            assert!(
                matches!(found, Err(WebhookSetup::Forbidden(_))),
                "{inside}: {found:?}"
            );
        }
        let metadata = Webhook::check("http://169.254.169.254/", true);
        assert!(matches!(metadata, Err(WebhookSetup::Forbidden(_))));
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_called() {
        let hook = Webhook::new("https://localhost:1/", SECRET, false).unwrap();
        let error = hook.tell("1", Timestamp::EPOCH, String::new()).await.unwrap_err();
        let story = error.story();
        assert!(
            story.contains("leads to no address that may be called"),
            "{story}"
        );
    }

    #[test]
    fn the_signature_binds_time_and_body() {
        assert!(matches!(
            Webhook::new("https://a.example", b"short", false),
            Err(WebhookSetup::Secret)
        ));
        let hook = Webhook::new("https://a.example", SECRET, false).unwrap();
        let at = Timestamp::from_micros(1_700_000_000_999_999);
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef
        assert_eq!(
            hook.signature(at, "{}"),
            "t=1700000000,v1=e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e"
        );
        assert!(!format!("{hook:?}").contains("0123456789abcdef"));
    }
}
