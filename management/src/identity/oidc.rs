//! People and workloads whom an issuer of OpenID Connect knows.
//!
//! * **People** go through the authorization-code flow with PKCE: [`Issuers::begin`] gives an address and two secrets,
//!   the issuer sends the browser back with a code, [`Issuers::finish`] exchanges it and says who came. The command line and
//!   the console do the same; they differ in where the browser comes back to. Or they confirm a device:
//!   [`Issuers::begin_device`], [`Issuers::finish_device`].
//! * **Workloads**, such as jobs of GitHub Actions and GitLab, bring a token that was signed for this hub:
//!   [`Issuers::exchange`].
//!
//! [`token`] says when a token is believed, [`directory`] how an issuer's keys are come by, `config` what is to be said about
//! one. Which rights somebody has is not decided here.

mod config;
pub mod directory;
mod error;
mod glob;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod token;

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hadron_proto::vocab::{Digest, Timestamp};
use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq as _;
use url::form_urlencoded::Serializer;

pub use config::{Alias, Condition, InvalidAlias, InvalidCondition, IssuerConfig, Purpose};
pub use directory::check as check_issuer;
pub use error::OidcError;
pub use glob::{Glob, InvalidGlob};

use super::enrolment::{Clocked, StoreFailed};
use super::rate::SourceRate;
use super::{NoRandomness, random};
use crate::clock::Clock;
use crate::outgoing;
use directory::{Directory, Found};
use token::{Claims, Expected, Invalid};

/// How long somebody may take to log in at the issuer.
pub const FLOW_LIFE: Duration = Duration::from_secs(600);
/// Logins that may be under way at the same time, at all replicas.
pub const MOST_FLOWS: u64 = 10_000;
const PER_SOURCE_AND_MINUTE: u32 = 60;
/// Devices ask again every few seconds.
const DEVICES_PER_SOURCE_AND_MINUTE: u32 = 120;
/// The longest code, and the longest code of a device.
const LONGEST_CODE: usize = 4096;
/// The longest name of somebody.
const LONGEST_NAME: usize = 255;
/// The longest name of a group, and how many of one person count.
const LONGEST_GROUP: usize = 128;
const MOST_GROUPS: usize = 200;

/// What the principals of people and workloads begin with.
pub const PRINCIPAL: &str = "oidc:";
/// What groups begin with, where rights are given.
pub const GROUP: &str = crate::store::bindings::GROUP;

/// Somebody whom an issuer knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which issuer.
    pub alias: Alias,
    /// `oidc:<alias>:<name>`.
    pub principal: String,
    /// `oidc-group:<alias>:<group>` of each of their groups.
    pub groups: Vec<String>,
    /// Whether it is a person.
    pub person: bool,
    /// How long a token of the hub for them lasts.
    pub session: Duration,
}

/// A login that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// SHA-256 of its state; the key.
    pub id: Digest,
    /// At which issuer.
    pub alias: Alias,
    /// Where the browser comes back to.
    pub redirect_uri: String,
    /// SHA-256 of what whoever began it holds, in the form of PKCE.
    pub challenge: String,
    /// What the issuer has to put into the token.
    pub nonce: String,
    /// The address that asked.
    pub source: IpAddr,
    /// When it is over.
    pub expires_at: Timestamp,
}

/// The logins that are under way.
pub trait Flows: Clocked {
    /// Adds one, unless there are [`MOST_FLOWS`]; says whether it did. Also the place to drop those that are over.
    fn insert(&self, flow: &Flow, now: Timestamp) -> impl Future<Output = Result<bool, StoreFailed>> + Send;

    /// Removes one and gives it, if it is not over; of two callers one gets it.
    fn take(
        &self,
        id: Digest,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Flow>, StoreFailed>> + Send;
}

/// A login that has begun. State and verifier are for the one who began it; the verifier never goes through a browser.
#[derive(Clone, PartialEq, Eq)]
pub struct Begun {
    /// Where the browser has to go.
    pub url: String,
    /// What comes back with the code, and has to be this.
    pub state: String,
    /// What finishes it, besides state and code.
    pub verifier: String,
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Begun(...)")
    }
}

/// What came back, with what the one who began it holds.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// The state.
    pub state: &'a str,
    /// The code.
    pub code: &'a str,
    /// The verifier.
    pub verifier: &'a str,
    /// Who answered, where they say so.
    pub issuer: Option<&'a str>,
}

/// A device that waits to be confirmed.
#[derive(Clone, Deserialize)]
pub struct Device {
    /// What the device asks with.
    pub device_code: String,
    /// What the person types.
    pub user_code: String,
    /// Where.
    #[serde(alias = "verification_url")]
    pub verification_uri: String,
    /// The same, with the code in it.
    pub verification_uri_complete: Option<String>,
    /// For how many seconds.
    pub expires_in: u64,
    /// How many seconds to wait between two questions.
    pub interval: Option<u64>,
}

/// What is to be known of an issuer by those who want to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What it is called here.
    pub alias: Alias,
    /// Its address.
    pub issuer: String,
    /// What tokens of workloads have to be for; people log in where there is none.
    pub audience: Option<String>,
}

struct Issuer {
    config: IssuerConfig,
    directory: Directory,
}

/// All issuers of a hub.
pub struct Issuers<S> {
    store: S,
    clock: Clock,
    client: Client,
    loopback: bool,
    issuers: Vec<Issuer>,
    rate: SourceRate,
    devices: SourceRate,
}

impl<S> fmt::Debug for Issuers<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.issuers.iter().map(|issuer| &issuer.config.alias))
            .finish()
    }
}

/// What the token endpoint answers.
#[derive(Deserialize)]
struct Exchanged {
    id_token: Option<String>,
    error: Option<String>,
}

impl<S: Flows> Issuers<S> {
    /// Puts the parts together; no issuer is asked yet. `loopback`: this hub is for development.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn new(
        store: S,
        clock: Clock,
        issuers: Vec<IssuerConfig>,
        loopback: bool,
    ) -> Result<Self, reqwest::Error> {
        let client = outgoing::client(loopback, directory::PATIENCE)?;
        let issuers = issuers.into_iter().map(|config| Issuer {
            directory: Directory::new(client.clone(), &config.issuer, loopback),
            config,
        });
        Ok(Self {
            store,
            clock,
            loopback,
            issuers: issuers.collect(),
            client,
            rate: SourceRate::new(PER_SOURCE_AND_MINUTE),
            devices: SourceRate::new(DEVICES_PER_SOURCE_AND_MINUTE),
        })
    }

    /// All of them.
    pub fn offers(&self) -> impl Iterator<Item = Offer> {
        self.issuers.iter().map(|Issuer { config, .. }| Offer {
            alias: config.alias.clone(),
            issuer: config.issuer.clone(),
            audience: match &config.purpose {
                Purpose::People { .. } => None,
                Purpose::Workloads { audience, .. } => Some(audience.clone()),
            },
        })
    }

    /// The issuer of this name; without a name the only one for this purpose.
    fn find(&self, alias: &str, people: bool) -> Result<&Issuer, OidcError> {
        let fits = |issuer: &&Issuer| matches!(issuer.config.purpose, Purpose::People { .. }) == people;
        let names = || {
            let all: Vec<&str> = self
                .issuers
                .iter()
                .filter(fits)
                .map(|one| one.config.alias.as_str())
                .collect();
            all.join(", ")
        };
        let mut fitting = self.issuers.iter().filter(fits);
        let found = if alias.is_empty() {
            match (fitting.next(), fitting.next()) {
                (Some(only), None) => Some(only),
                _ => None,
            }
        } else {
            self.issuers
                .iter()
                .find(|issuer| issuer.config.alias.as_str() == alias)
        };
        let Some(found) = found else {
            let whom = if people { "people" } else { "workloads" };
            let shown: String = alias.chars().take(64).collect();
            return Err(OidcError::Unknown(match (shown.as_str(), names().as_str()) {
                ("", "") => format!(
                    "nobody but AWS says who {whom} are at this hub: its configuration has no [oidc.NAME] for them"
                ),
                ("", names) => format!("this hub has several issuers for {whom}, say which: {names}"),
                (alias, "") => format!(
                    "this hub has no issuer '{alias}': its configuration has no [oidc.NAME] for {whom}"
                ),
                (alias, names) => format!("this hub has no issuer '{alias}': for {whom} it has {names}"),
            }));
        };
        if fits(&found) {
            return Ok(found);
        }
        let wrong = if people {
            "for workloads, not for people"
        } else {
            "for people, not for workloads"
        };
        Err(OidcError::Purpose {
            alias: found.config.alias.clone(),
            wrong,
        })
    }

    /// Begins a login of somebody who comes back to `redirect_uri`. An empty alias means the only issuer for people.
    ///
    /// Whoever calls this has to make sure that `redirect_uri` is their own: the command line's are looked at by
    /// [`is_loopback`], the console's is one address.
    ///
    /// # Errors
    /// When there is no such issuer, it does not say where to, or there are too many logins.
    pub async fn begin(&self, alias: &str, redirect_uri: &str, source: IpAddr) -> Result<Begun, OidcError> {
        let issuer = self.find(alias, true)?;
        let Purpose::People {
            client_id, scopes, ..
        } = &issuer.config.purpose
        else {
            return Err(OidcError::NoFlowOfKind("login of people"));
        };
        self.rate.admit(source, self.clock.now())?;
        let now = self.store.now(&self.clock).await?;
        let found = issuer.directory.look(now).await?;
        let mut url = found
            .authorization
            .clone()
            .filter(|_| found.token.is_some())
            .ok_or(OidcError::NoFlowOfKind("login by a browser"))?;
        let [state, verifier, nonce] = [secret()?, secret()?, secret()?];
        let challenge = challenge(&verifier);
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &state)
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        let flow = Flow {
            id: Digest::of(state.as_bytes()),
            alias: issuer.config.alias.clone(),
            redirect_uri: redirect_uri.to_owned(),
            challenge,
            nonce,
            source,
            expires_at: now.plus(FLOW_LIFE),
        };
        if !self.store.insert(&flow, now).await? {
            return Err(OidcError::TooMany(Duration::from_secs(60)));
        }
        Ok(Begun {
            url: url.into(),
            state,
            verifier,
        })
    }

    /// Finishes a login. It is used up whatever comes of it, before the issuer is asked.
    ///
    /// # Errors
    /// See [`OidcError`].
    pub async fn finish(&self, answer: Answer<'_>, source: IpAddr) -> Result<Identity, OidcError> {
        self.rate.admit(source, self.clock.now())?;
        let now = self.store.now(&self.clock).await?;
        let state = Digest::of(answer.state.as_bytes());
        let flow = self.store.take(state, now).await?.ok_or(OidcError::NoFlow)?;
        let given = challenge(answer.verifier);
        if !bool::from(given.as_bytes().ct_eq(flow.challenge.as_bytes())) {
            return Err(OidcError::Verifier);
        }
        let issuer = self.find(flow.alias.as_str(), true)?;
        let found = issuer.directory.look(now).await?;
        let names = answer.issuer.filter(|text| !text.is_empty());
        if names.is_some_and(|text| text != issuer.config.issuer) || (names.is_none() && found.names_itself) {
            return Err(OidcError::MixUp);
        }
        is_code(answer.code)?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", answer.code),
            ("redirect_uri", flow.redirect_uri.as_str()),
            ("code_verifier", answer.verifier),
        ];
        let token = self.tokens(issuer, &found, &form).await?;
        self.person(issuer, &found, &token, Some(&flow.nonce), now).await
    }

    /// Begins a login that somebody confirms on another device; gives the issuer that was chosen as well.
    ///
    /// # Errors
    /// When there is no such issuer, or it has no such flow.
    pub async fn begin_device(&self, alias: &str, source: IpAddr) -> Result<(Alias, Device), OidcError> {
        let issuer = self.find(alias, true)?;
        let Purpose::People { scopes, .. } = &issuer.config.purpose else {
            return Err(OidcError::NoFlowOfKind("login of people"));
        };
        self.rate.admit(source, self.clock.now())?;
        let now = self.store.now(&self.clock).await?;
        let found = issuer.directory.look(now).await?;
        let url = found
            .device
            .clone()
            .ok_or(OidcError::NoFlowOfKind("login by a device"))?;
        let scopes = scopes.join(" ");
        let answer = self
            .post(issuer, &found, url, &[("scope", scopes.as_str())])
            .await?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(OidcError::unavailable("it does not answer with success"));
        }
        let body = directory::bounded(answer).await?;
        let device: Device = serde_json::from_slice(&body)
            .map_err(|_| OidcError::unavailable("its answer to a device cannot be read"))?;
        directory::check(&device.verification_uri, self.loopback)
            .map_err(|_| OidcError::unavailable("it sends people to an address without TLS"))?;
        is_code(&device.device_code)?;
        is_code(&device.user_code)?;
        Ok((issuer.config.alias.clone(), device))
    }

    /// Whether somebody has confirmed the device, and who.
    ///
    /// # Errors
    /// [`OidcError::Pending`] while nobody has.
    pub async fn finish_device(
        &self,
        alias: &str,
        device_code: &str,
        source: IpAddr,
    ) -> Result<Identity, OidcError> {
        let issuer = self.find(alias, true)?;
        self.devices.admit(source, self.clock.now())?;
        is_code(device_code)?;
        let now = self.store.now(&self.clock).await?;
        let found = issuer.directory.look(now).await?;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", device_code),
        ];
        let token = self.tokens(issuer, &found, &form).await?;
        // A device has no nonce: the token comes from the issuer itself, over a connection that the hub made.
        self.person(issuer, &found, &token, None, now).await
    }

    /// Who a workload is, by the token that its issuer gave it. An empty alias means the one issuer that the token is of.
    ///
    /// # Errors
    /// See [`OidcError`].
    pub async fn exchange(&self, alias: &str, token: &str, source: IpAddr) -> Result<Identity, OidcError> {
        self.rate.admit(source, self.clock.now())?;
        let issuer = if alias.is_empty() {
            self.of_token(token)?
        } else {
            self.find(alias, false)?
        };
        let Purpose::Workloads { audience, conditions } = &issuer.config.purpose else {
            return Err(OidcError::NoFlowOfKind("exchange of tokens"));
        };
        // What cannot be good has nobody asked.
        let (_, kid) = token::named(token)?;
        let now = self.store.now(&self.clock).await?;
        let found = issuer.directory.look(now).await?;
        let expected = Expected {
            issuer: &issuer.config.issuer,
            audience,
            nonce: None,
        };
        let claims = verified(issuer, &found, token, &kid, expected, now).await?;
        for condition in conditions {
            let value = claim(&claims, &condition.claim).and_then(scalar);
            if !value
                .as_deref()
                .is_some_and(|value| condition.value.matches(value))
            {
                return Err(OidcError::Condition {
                    claim: condition.claim.clone(),
                    found: value.map_or_else(|| "missing".to_owned(), |value| format!("'{}'", shown(&value))),
                });
            }
        }
        issuer.identity(&claims, Vec::new(), false)
    }

    /// The issuer that a token claims to be of.
    fn of_token(&self, token: &str) -> Result<&Issuer, OidcError> {
        let claimed = token::claimed_issuer(token).ok_or(Invalid::Form)?;
        let mut all = self.issuers.iter().filter(|issuer| {
            matches!(issuer.config.purpose, Purpose::Workloads { .. }) && issuer.config.issuer == claimed
        });
        match (all.next(), all.next()) {
            (None, _) => Err(Invalid::Issuer.into()),
            (Some(only), None) => Ok(only),
            (Some(first), Some(second)) => {
                let names: Vec<&str> = [first, second]
                    .into_iter()
                    .chain(all)
                    .map(|one| one.config.alias.as_str())
                    .collect();
                Err(OidcError::Ambiguous {
                    issuer: claimed,
                    aliases: names.join(", "),
                })
            }
        }
    }

    /// Asks the token endpoint for the token of a person.
    async fn tokens(
        &self,
        issuer: &Issuer,
        found: &Found,
        form: &[(&str, &str)],
    ) -> Result<String, OidcError> {
        let url = found.token.clone().ok_or(OidcError::NoFlowOfKind("login"))?;
        let answer = self.post(issuer, found, url, form).await?;
        let status = answer.status();
        if status.is_server_error() || status.is_redirection() {
            return Err(OidcError::unavailable("it does not answer with success"));
        }
        let body = directory::bounded(answer).await?;
        let read: Exchanged = serde_json::from_slice(&body)
            .map_err(|_| OidcError::unavailable("its answer to a code cannot be read"))?;
        match (read.error, read.id_token) {
            (None, Some(token)) if status.is_success() => Ok(token),
            (Some(error), _) => Err(match error.as_str() {
                "authorization_pending" => OidcError::Pending,
                "slow_down" => OidcError::SlowDown,
                other => OidcError::Refused(shown(other)),
            }),
            (None, _) => Err(OidcError::unavailable(
                "it gives no token that says who somebody is",
            )),
        }
    }

    async fn post(
        &self,
        issuer: &Issuer,
        found: &Found,
        url: reqwest::Url,
        form: &[(&str, &str)],
    ) -> Result<reqwest::Response, OidcError> {
        self.request(issuer, found, url, form)?
            .send()
            .await
            .map_err(OidcError::call)
    }

    /// A form for the issuer, with what the hub is called there and the proof that it is that.
    fn request(
        &self,
        issuer: &Issuer,
        found: &Found,
        url: reqwest::Url,
        form: &[(&str, &str)],
    ) -> Result<reqwest::RequestBuilder, OidcError> {
        let Purpose::People {
            client_id,
            client_secret,
            ..
        } = &issuer.config.purpose
        else {
            return Err(OidcError::NoFlowOfKind("login of people"));
        };
        let mut body = Serializer::new(String::new());
        body.extend_pairs(form).append_pair("client_id", client_id);
        let mut request = self
            .client
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json");
        match client_secret {
            Some(secret) if found.basic => {
                // RFC 6749, 2.3.1: both are encoded as in a form first.
                let encoded =
                    |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(client_id), encoded(secret));
                request = request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
            }
            Some(secret) => {
                body.append_pair("client_secret", secret);
            }
            None => {}
        }
        Ok(request.body(body.finish()))
    }

    async fn person(
        &self,
        issuer: &Issuer,
        found: &Found,
        token: &str,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<Identity, OidcError> {
        let Purpose::People {
            client_id,
            groups_claim,
            ..
        } = &issuer.config.purpose
        else {
            return Err(OidcError::NoFlowOfKind("login of people"));
        };
        let (_, kid) = token::named(token)?;
        let expected = Expected {
            issuer: &issuer.config.issuer,
            audience: client_id,
            nonce,
        };
        let claims = verified(issuer, found, token, &kid, expected, now).await?;
        let groups = match claim(&claims, groups_claim) {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one.as_str()],
            _ => Vec::new(),
        };
        // One that cannot be named in a binding gives no rights.
        let groups = groups
            .into_iter()
            .filter(|group| is_group(group))
            .take(MOST_GROUPS);
        let groups = groups
            .map(|group| format!("{GROUP}{}:{group}", issuer.config.alias))
            .collect();
        issuer.identity(&claims, groups, true)
    }
}

/// What a token says, with the issuer's keys as they are, or as they have become.
async fn verified(
    issuer: &Issuer,
    found: &Found,
    token: &str,
    kid: &str,
    expected: Expected<'_>,
    now: Timestamp,
) -> Result<Claims, OidcError> {
    if found.keys.has(kid) {
        return Ok(found.keys.verify(token, expected, now)?);
    }
    let newer = issuer.directory.look_again(now).await?;
    Ok(newer.keys.verify(token, expected, now)?)
}

impl Issuer {
    /// Who somebody is whose token says this.
    fn identity(&self, claims: &Claims, groups: Vec<String>, person: bool) -> Result<Identity, OidcError> {
        let wanted = &self.config.name_claim;
        let wrong = |why| OidcError::Name {
            claim: wanted.clone(),
            why,
        };
        let name = claim(claims, wanted)
            .and_then(Value::as_str)
            .ok_or_else(|| wrong(""))?;
        // Anybody can write any address into their profile; only one that was verified is theirs.
        if wanted == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
            return Err(wrong(": the issuer has not verified the address"));
        }
        let fine = (1..=LONGEST_NAME).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*');
        if !fine {
            return Err(wrong(": it is not 1 to 255 visible ASCII characters without '*'"));
        }
        Ok(Identity {
            alias: self.config.alias.clone(),
            principal: format!("{PRINCIPAL}{}:{name}", self.config.alias),
            groups,
            person,
            session: self.config.session,
        })
    }
}

/// Whether this is where the command line listens: on this machine, at any port (RFC 8252, 7.3).
#[must_use]
pub fn is_loopback(redirect_uri: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(redirect_uri) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    url.as_str() == redirect_uri
        && url.scheme() == "http"
        && matches!(host, "127.0.0.1" | "[::1]")
        && url.port().is_some()
        && url.path() == "/callback"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

/// A claim by its name, or by the names on the way to it, with '.' between them.
fn claim<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut path = name.split('.');
    let first = claims.get(path.next()?)?;
    path.try_fold(first, |value, part| value.get(part))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a group can be named in a binding.
#[must_use]
pub fn is_group(group: &str) -> bool {
    let word = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && byte != b'*';
    (1..=LONGEST_GROUP).contains(&group.len()) && group.trim() == group && group.bytes().all(word)
}

fn is_code(code: &str) -> Result<(), OidcError> {
    let fine = (1..=LONGEST_CODE).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if fine { Ok(()) } else { Err(OidcError::Code) }
}

/// What somebody else wrote, short and without anything that a terminal would obey.
fn shown(text: &str) -> String {
    let plain = |c: &char| c.is_ascii_graphic() || *c == ' ';
    text.chars().filter(plain).take(100).collect()
}

fn secret() -> Result<String, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

/// RFC 7636, `S256`.
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Digest::of(verifier.as_bytes()).as_bytes())
}
