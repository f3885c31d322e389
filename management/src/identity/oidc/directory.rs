//! Where an issuer's endpoints and keys are, as it says itself, kept for an hour.
//!
//! The issuer is the one that the configuration names: its description must say so, letter for letter. What it names in turn
//! is called under the same rules as itself ([`outgoing`]). A token whose key is unknown has the keys
//! asked for anew, but not more often than once a minute, since anybody can send such tokens.

use std::sync::Arc;
use std::time::Duration;

use hadron_proto::vocab::Timestamp;
use reqwest::{Client, Response, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::OidcError;
use super::token::Keys;
use crate::outgoing;

/// How long one call of an issuer may take, and everything that is asked for at once.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer of an issuer. Real ones have a few KiB.
const LONGEST: usize = 256 * 1024;
/// How long what was found is not asked for again.
const FRESH: Duration = Duration::from_secs(3600);
/// How long it still counts while the issuer does not answer.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// The least time from one question to the next.
const APART: Duration = Duration::from_secs(60);
/// The same, while nothing at all is known of the issuer.
const APART_WITHOUT: Duration = Duration::from_secs(5);

/// What an issuer says about itself.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where people are sent to.
    pub authorization: Option<Url>,
    /// Where codes are exchanged.
    pub token: Option<Url>,
    /// Where devices begin.
    pub device: Option<Url>,
    /// Whether a secret is taken in a header; otherwise it goes into the body.
    pub basic: bool,
    /// Whether it says in its answers who it is (RFC 9207).
    pub names_itself: bool,
    /// Its keys.
    pub keys: Keys,
}

/// What is known of one issuer.
pub struct Directory {
    client: Client,
    issuer: String,
    loopback: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tried: Option<Timestamp>,
    found: Option<(Timestamp, Arc<Found>)>,
}

/// OpenID Connect Discovery 1.0 and RFC 8414.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Directory {
    /// Of this issuer; nothing is asked yet. `loopback`: this hub is for development.
    #[must_use]
    pub fn new(client: Client, issuer: &str, loopback: bool) -> Self {
        Self {
            client,
            issuer: issuer.to_owned(),
            loopback,
            state: Mutex::new(State::default()),
        }
    }

    /// What is known of the issuer.
    ///
    /// # Errors
    /// When it does not answer as an issuer does, and nothing is known of it.
    pub async fn look(&self, now: Timestamp) -> Result<Arc<Found>, OidcError> {
        let mut state = self.state.lock().await;
        match &state.found {
            Some((at, found)) if now.since(*at) < FRESH => Ok(Arc::clone(found)),
            _ => self.ask(&mut state, now).await,
        }
    }

    /// The same, after a token named a key that is unknown.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub async fn look_again(&self, now: Timestamp) -> Result<Arc<Found>, OidcError> {
        let mut state = self.state.lock().await;
        self.ask(&mut state, now).await
    }

    async fn ask(&self, state: &mut State, now: Timestamp) -> Result<Arc<Found>, OidcError> {
        let known = state.found.clone().filter(|(at, _)| now.since(*at) < STALE);
        let apart = if known.is_some() { APART } else { APART_WITHOUT };
        let soon = state.tried.is_some_and(|tried| now.since(tried) < apart);
        let answer = if soon {
            Err(OidcError::unavailable(
                "it was asked a moment ago and did not answer",
            ))
        } else {
            state.tried = Some(now);
            let asked = tokio::time::timeout(PATIENCE, self.fetch()).await;
            asked.unwrap_or(Err(OidcError::unavailable("no answer within 5 s")))
        };
        match (answer, known) {
            (Ok(found), _) => {
                let found = Arc::new(found);
                state.found = Some((now, Arc::clone(&found)));
                Ok(found)
            }
            (Err(_), Some((_, found))) if soon => Ok(found),
            (Err(error), Some((_, found))) => {
                tracing::warn!(
                    issuer = self.issuer,
                    error = error.story(),
                    "an issuer does not say what its keys are; those that it had are used"
                );
                Ok(found)
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn fetch(&self) -> Result<Found, OidcError> {
        let base = self.issuer.trim_end_matches('/');
        let description: Description = self
            .get(&format!("{base}/.well-known/openid-configuration"))
            .await?;
        if description.issuer != self.issuer {
            return Err(OidcError::unavailable("its description is of another issuer"));
        }
        let keys = self.url(&description.jwks_uri)?;
        let keys = read(self.client.get(keys).send().await.map_err(OidcError::call)?).await?;
        let keys = Keys::read(&keys).ok_or(OidcError::unavailable("its keys cannot be read"))?;
        let url = |text: Option<String>| text.map(|text| self.url(&text)).transpose();
        let methods = description.token_endpoint_auth_methods_supported;
        Ok(Found {
            authorization: url(description.authorization_endpoint)?,
            token: url(description.token_endpoint)?,
            device: url(description.device_authorization_endpoint)?,
            basic: methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic")),
            names_itself: description.authorization_response_iss_parameter_supported,
            keys,
        })
    }

    fn url(&self, text: &str) -> Result<Url, OidcError> {
        check(text, self.loopback)
            .map_err(|_| OidcError::unavailable("it names an address that the hub does not call"))
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, OidcError> {
        let answer = self
            .client
            .get(self.url(url)?)
            .send()
            .await
            .map_err(OidcError::call)?;
        let body = read(answer).await?;
        serde_json::from_slice(&body).map_err(|_| OidcError::unavailable("its description cannot be read"))
    }
}

/// Whether an issuer may be at this address: HTTPS, or on a development hub this machine.
///
/// # Errors
/// Says why not.
pub fn check(url: &str, loopback: bool) -> Result<Url, outgoing::Refused> {
    let url = outgoing::check(url, loopback)?;
    let host = url.host_str().unwrap_or_default();
    let here = host == "localhost" || outgoing::literal(host).is_some_and(|address| address.is_loopback());
    if url.scheme() != "https" && !here {
        return Err(outgoing::Refused::Plain);
    }
    Ok(url)
}

/// The whole of a successful answer, up to a bound.
pub(super) async fn read(answer: Response) -> Result<Vec<u8>, OidcError> {
    if answer.status() != reqwest::StatusCode::OK {
        return Err(OidcError::unavailable("it does not answer with success"));
    }
    bounded(answer).await
}

/// The whole of an answer, up to a bound.
pub(super) async fn bounded(mut answer: Response) -> Result<Vec<u8>, OidcError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(OidcError::call)? {
        if body.len() + chunk.len() > LONGEST {
            return Err(OidcError::unavailable("its answer is longer than 256 KiB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
