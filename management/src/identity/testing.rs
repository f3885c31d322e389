//! For the tests of identity: a store in memory, and an STS that checks signatures by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use hadron_proto::vocab::{AccountId, AgentId, ConnectionId, Digest, Region, Timestamp};
use sha2::{Digest as _, Sha256};

use super::DevMode;
use super::enrolment::{
    Challenge, ChallengeId, Challenges, Clocked, ConnectionRow, Connections, Enrolled, OpenLimits, Recorded,
    Standing, StoreFailed,
};
use super::login::{TokenRow, Tokens};
use super::sts::{Sts, StsEndpoint};

pub(crate) const ACCOUNT: &str = "333333333333";
pub(crate) const ROLE: &str = "hadron-agent";
pub(crate) const ROLE_ID: &str = "AROAEXAMPLEEXAMPLE33";
pub(crate) const KEY: &str = "ASIAEXAMPLEEXAMPLE33";

pub(crate) fn start() -> Timestamp {
    "2026-11-20T09:30:00Z".parse().unwrap()
}
pub(crate) fn account() -> AccountId {
    ACCOUNT.parse().unwrap()
}
pub(crate) fn region() -> Region {
    "eu-west-1".parse().unwrap()
}

#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) challenges: HashMap<ChallengeId, Challenge>,
    pub(crate) connections: HashMap<ConnectionId, ConnectionRow>,
    pub(crate) agents: HashMap<AgentId, ConnectionId>,
    pub(crate) enrolled: Vec<Enrolled>,
    pub(crate) tokens: HashMap<Digest, TokenRow>,
    /// Runs just before a certificate is recorded, as another transaction would.
    pub(crate) before_record: Option<fn(&mut ConnectionRow)>,
}

/// One lock is one transaction.
#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) Arc<Mutex<Rows>>);

impl Memory {
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Rows) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    pub(crate) fn add_connection(&self) -> ConnectionId {
        let id = ConnectionId::from_parts(1, [3; 10]);
        let row = ConnectionRow {
            id,
            standing: Standing::Connected,
            epoch: 7,
            account: account(),
            region: region(),
            agent_role_name: ROLE.to_owned(),
            pinned_role_id: None,
        };
        self.with(|rows| rows.connections.insert(id, row));
        id
    }

    pub(crate) fn change(&self, id: ConnectionId, act: impl FnOnce(&mut ConnectionRow)) {
        self.with(|rows| act(rows.connections.get_mut(&id).unwrap()));
    }
}

impl Clocked for Memory {}

impl Challenges for Memory {
    async fn insert(
        &self,
        challenge: &Challenge,
        limits: OpenLimits,
        now: Timestamp,
    ) -> Result<bool, StoreFailed> {
        Ok(self.with(|rows| {
            rows.challenges.retain(|_, open| open.expires_at > now);
            let open = |one: &&Challenge| one.counted_as.is_some() && one.counted_as == challenge.counted_as;
            let all = rows.challenges.values().filter(open).count();
            let same = rows
                .challenges
                .values()
                .filter(open)
                .filter(|one| one.source == challenge.source)
                .count();
            if all >= limits.per_claim as usize || same >= limits.per_source as usize {
                return false;
            }
            rows.challenges.insert(challenge.id, challenge.clone());
            true
        }))
    }

    async fn take(&self, id: ChallengeId, now: Timestamp) -> Result<Option<Challenge>, StoreFailed> {
        Ok(self
            .with(|rows| rows.challenges.remove(&id))
            .filter(|taken| taken.expires_at > now))
    }
}

impl Connections for Memory {
    async fn connection(&self, id: ConnectionId) -> Result<Option<ConnectionRow>, StoreFailed> {
        Ok(self.with(|rows| rows.connections.get(&id).cloned()))
    }

    async fn connection_at(
        &self,
        account: AccountId,
        region: &Region,
    ) -> Result<Option<ConnectionRow>, StoreFailed> {
        let at = |row: &&ConnectionRow| row.account == account && row.region == *region;
        Ok(self.with(|rows| rows.connections.values().find(at).cloned()))
    }

    async fn record(&self, enrolled: &Enrolled) -> Result<Recorded, StoreFailed> {
        Ok(self.with(|rows| {
            let before = rows.before_record.take();
            let Some(row) = rows.connections.get_mut(&enrolled.connection) else {
                return Recorded::Changed;
            };
            if let Some(before) = before {
                before(row);
            }
            if row.standing != Standing::Connected || row.epoch != enrolled.epoch {
                return Recorded::Changed;
            }
            if *row.pinned_role_id.get_or_insert_with(|| enrolled.role_id.clone()) != enrolled.role_id {
                return Recorded::OtherRole;
            }
            if *rows.agents.entry(enrolled.agent).or_insert(enrolled.connection) != enrolled.connection {
                return Recorded::OtherAgent;
            }
            rows.enrolled.push(enrolled.clone());
            Recorded::Committed
        }))
    }
}

impl Tokens for Memory {
    async fn add(&self, token: &TokenRow) -> Result<(), StoreFailed> {
        self.with(|rows| rows.tokens.insert(token.hash, token.clone()));
        Ok(())
    }

    async fn find(&self, hash: Digest) -> Result<Option<TokenRow>, StoreFailed> {
        Ok(self.with(|rows| rows.tokens.get(&hash).cloned()))
    }
}

/// What the fake STS answers to a right signature.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    Honest,
    Raw(StatusCode, &'static str, String),
    Redirect,
    Huge,
    Stall,
}

#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) secret: &'static str,
    pub(crate) token: Option<&'static str>,
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) user_id: String,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

struct State {
    mood: Mood,
    known: HashMap<String, Known>,
    seen: Vec<Seen>,
}

#[derive(Clone)]
pub(crate) struct FakeSts {
    state: Arc<Mutex<State>>,
    pub(crate) url: String,
}

impl FakeSts {
    pub(crate) async fn start() -> Self {
        let role = Known {
            secret: "secret-of-the-agent",
            token: Some("FwoGZXIvYXdzEXAMPLE+/=="),
            account: ACCOUNT.to_owned(),
            arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/i-0123"),
            user_id: format!("{ROLE_ID}:i-0123"),
        };
        let known = HashMap::from([(KEY.to_owned(), role)]);
        let state = Arc::new(Mutex::new(State {
            mood: Mood::Honest,
            known,
            seen: Vec::new(),
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let shared = Arc::clone(&state);
        let router =
            Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
                let shared = Arc::clone(&shared);
                async move { answer(&shared, &method, &uri, headers, body).await }
            });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { state, url }
    }

    pub(crate) fn client(&self) -> Sts {
        Sts::new(StsEndpoint::emulator(DevMode::for_tests(), &self.url).unwrap()).unwrap()
    }

    /// A client that believes to talk to AWS: all of its strictness, only the address and TLS are the test's.
    pub(crate) fn strict_client(&self) -> Sts {
        Sts::strict_for_tests(&self.url)
    }

    pub(crate) fn mood(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// Adds an identity; the credentials sign as it.
    pub(crate) fn know(
        &self,
        key: &str,
        token: Option<&'static str>,
        arn: &str,
        user_id: &str,
    ) -> Credentials {
        let owner = arn.split(':').nth(4).unwrap().to_owned();
        let known = Known {
            secret: "another-secret",
            token,
            account: owner,
            arn: arn.to_owned(),
            user_id: user_id.to_owned(),
        };
        self.state.lock().unwrap().known.insert(key.to_owned(), known);
        Credentials::new(key, "another-secret", token.map(ToOwned::to_owned), None, "test")
    }
}

/// The credentials of the agent's role.
pub(crate) fn agent_credentials() -> Credentials {
    Credentials::new(
        KEY,
        "secret-of-the-agent",
        Some("FwoGZXIvYXdzEXAMPLE+/==".to_owned()),
        None,
        "test",
    )
}

async fn answer(
    state: &Mutex<State>,
    method: &Method,
    uri: &Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (mood, found) = {
        let mut state = state.lock().unwrap();
        let found = check(&state.known, method, uri, &headers, &body);
        state.seen.push(Seen {
            path: uri.to_string(),
            headers,
            body,
        });
        (state.mood.clone(), found)
    };
    let kind = |kind: &'static str| [(header::CONTENT_TYPE, HeaderValue::from_static(kind))];
    match mood {
        Mood::Honest => match found {
            Ok(known) => (kind("application/json"), honest(&known)).into_response(),
            Err(code) => {
                let text = format!(r#"{{"Error":{{"Code":"{code}","Message":"no"}},"RequestId":"1"}}"#);
                (StatusCode::FORBIDDEN, kind("application/json"), text).into_response()
            }
        },
        Mood::Raw(status, text, body) => (status, kind(text), body).into_response(),
        Mood::Redirect => {
            let to = [(
                header::LOCATION,
                HeaderValue::from_static("http://127.0.0.1:1/attacker"),
            )];
            (StatusCode::FOUND, to).into_response()
        }
        Mood::Huge => (kind("application/json"), " ".repeat(1024 * 1024)).into_response(),
        Mood::Stall => std::future::pending().await,
    }
}

pub(crate) fn honest(known: &Known) -> String {
    let Known {
        account,
        arn,
        user_id,
        ..
    } = known;
    format!(
        r#"{{"GetCallerIdentityResponse":{{"GetCallerIdentityResult":{{"Account":"{account}","Arn":"{arn}","UserId":"{user_id}"}},"ResponseMetadata":{{"RequestId":"0-1"}}}}}}"#
    )
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
        .as_ref()
        .to_vec()
}
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `SigV4` by the book, from what arrived on the wire and nothing else.
fn check(
    known: &HashMap<String, Known>,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Known, &'static str> {
    let one = |name: &str| -> Result<&str, &'static str> {
        let mut values = headers.get_all(name.parse::<HeaderName>().unwrap()).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().map_err(|_| "BadHeader"),
            _ => Err("HeaderMissingOrTwice"),
        }
    };
    if method != Method::POST || uri.path() != "/" || uri.query().is_some() {
        return Err("BadRequestLine");
    }
    let rest = one("authorization")?
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or("Algorithm")?;
    let parts: Vec<&str> = rest.split(", ").collect();
    let [credential, names, signature] = parts[..] else {
        return Err("IncompleteSignature");
    };
    let credential = credential
        .strip_prefix("Credential=")
        .ok_or("IncompleteSignature")?;
    let names = names
        .strip_prefix("SignedHeaders=")
        .ok_or("IncompleteSignature")?;
    let signature = signature
        .strip_prefix("Signature=")
        .ok_or("IncompleteSignature")?;
    let (id, scope) = credential.split_once('/').ok_or("IncompleteSignature")?;
    let found = known.get(id).ok_or("InvalidClientTokenId")?;
    let parts: Vec<&str> = scope.split('/').collect();
    let [day, region, "sts", "aws4_request"] = parts[..] else {
        return Err("SignatureDoesNotMatch");
    };
    if one("host")? != format!("sts.{region}.amazonaws.com") {
        return Err("SignatureDoesNotMatch");
    }
    let mut canonical = "POST\n/\n\n".to_owned();
    for name in names.split(';') {
        canonical.push_str(&format!("{name}:{}\n", one(name)?.trim()));
    }
    // STS wants all of its own headers signed.
    let unsigned = |name: &HeaderName| {
        let name = name.as_str();
        (name.starts_with("x-amz-") || name == "host") && !names.split(';').any(|signed| signed == name)
    };
    if headers.keys().any(unsigned) {
        return Err("SignatureDoesNotMatch");
    }
    canonical.push_str(&format!("\n{names}\n{}", hex(&Sha256::digest(body))));
    let date = one("x-amz-date")?;
    if !date.starts_with(day) {
        return Err("SignatureDoesNotMatch");
    }
    let text = format!(
        "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
        hex(&Sha256::digest(canonical))
    );
    let key = sign(format!("AWS4{}", found.secret).as_bytes(), day);
    let key = sign(&sign(&sign(&key, region), "sts"), "aws4_request");
    if hex(&sign(&key, &text)) != signature {
        return Err("SignatureDoesNotMatch");
    }
    let token = headers
        .get("x-amz-security-token")
        .map(|value| value.to_str().unwrap());
    if token != found.token {
        return Err("InvalidClientTokenId");
    }
    Ok(found.clone())
}
