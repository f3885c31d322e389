//! An issuer for tests: real HTTP on this machine, real keys, and whatever a hostile one might do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use aws_lc_rs::{hmac, rsa};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hadron_proto::vocab::{Digest, Timestamp};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use url::Url;

use crate::clock::Clock;

/// What the hub is called at this issuer.
pub const CLIENT: &str = "hadron-hub";

/// A key of the issuer.
pub enum SigningKey {
    /// RSA with 2,048 bits.
    Rsa(Box<RsaKeyPair>),
    /// On P-256.
    P256(Box<EcdsaKeyPair>),
    /// Ed25519.
    Ed25519(Box<Ed25519KeyPair>),
}

impl SigningKey {
    /// A fresh RSA key.
    ///
    /// # Panics
    /// When none can be made.
    #[must_use]
    pub fn rsa() -> Self {
        let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).expect("an RSA key");
        Self::Rsa(Box::new(key))
    }

    /// A fresh P-256 key.
    ///
    /// # Panics
    /// When none can be made.
    #[must_use]
    pub fn p256() -> Self {
        Self::P256(Box::new(
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a P-256 key"),
        ))
    }

    /// A fresh Ed25519 key.
    ///
    /// # Panics
    /// When none can be made.
    #[must_use]
    pub fn ed25519() -> Self {
        Self::Ed25519(Box::new(Ed25519KeyPair::generate().expect("an Ed25519 key")))
    }

    /// The algorithm that it signs by.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    /// The public key in its own bytes, of RSA as DER: what somebody would try as an HMAC secret.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => key.public_key().as_ref().to_vec(),
            Self::P256(key) => key.public_key().as_ref().to_vec(),
            Self::Ed25519(key) => key.public_key().as_ref().to_vec(),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("a signature");
                signature
            }
            Self::P256(key) => key.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// As it is published under a name.
    #[must_use]
    pub fn published(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(key) => {
                // SEQUENCE of two INTEGERs; the first has 257 bytes, of which the first is zero.
                let der = key.public_key().as_ref();
                let modulus = &der[9..9 + 256];
                json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": encoded(modulus), "e": "AQAB"})
            }
            Self::P256(key) => {
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": encoded(&point[1..33]), "y": encoded(&point[33..])})
            }
            Self::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encoded(key.public_key().as_ref())})
            }
        }
    }
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with this header and these claims, signed by whatever is given.
#[must_use]
pub fn forged(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!(
        "{}.{}",
        encoded(header.to_string().as_bytes()),
        encoded(claims.to_string().as_bytes())
    );
    let signature = sign(message.as_bytes());
    format!("{message}.{}", encoded(&signature))
}

/// A token signed with a key.
#[must_use]
pub fn signed(key: &SigningKey, kid: &str, claims: &Value) -> String {
    let header = json!({"alg": key.algorithm(), "typ": "JWT", "kid": kid});
    forged(&header, claims, |message| key.sign(message))
}

/// A token "signed" with HMAC and a secret.
#[must_use]
pub fn hmac_signed(secret: &[u8], kid: &str, claims: &Value) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT", "kid": kid});
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    forged(&header, claims, |message| {
        hmac::sign(&key, message).as_ref().to_vec()
    })
}

/// How the issuer gives its keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jwks {
    /// As it should.
    #[default]
    Fine,
    /// With far more than anybody reads.
    Huge,
    /// Later than anybody waits.
    Slow,
    /// Elsewhere.
    Redirected,
    /// Not at all.
    Broken,
}

/// A login that a person has agreed to.
#[derive(Clone, Debug)]
struct Agreed {
    client: String,
    redirect_uri: String,
    challenge: String,
    nonce: String,
}

/// What the issuer does, for a test to change.
pub struct Behaviour {
    /// Keys by name; the first signs.
    pub keys: Vec<(String, SigningKey)>,
    /// What its tokens say besides, or instead.
    pub claims: Map<String, Value>,
    /// What its description says besides, or instead.
    pub description: Map<String, Value>,
    /// How it gives its keys.
    pub jwks: Jwks,
    /// The secret that the hub has to show.
    pub secret: Option<String>,
    /// Whether somebody has confirmed the device.
    pub confirmed: bool,
    /// Whether its description is somewhere else.
    pub moved: bool,
    /// How often its keys were asked for.
    pub asked_for_keys: u32,
    codes: HashMap<String, Agreed>,
}

struct Inner {
    url: String,
    clock: Clock,
    behaviour: Mutex<Behaviour>,
}

/// A running issuer; it ends with this value.
pub struct FakeIssuer {
    inner: Arc<Inner>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for FakeIssuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for FakeIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FakeIssuer").field(&self.inner.url).finish()
    }
}

impl FakeIssuer {
    /// Starts one with an RSA key `key-1`, at a port of its own.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start(clock: Clock) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let inner = Arc::new(Inner {
            url,
            clock,
            behaviour: Mutex::new(Behaviour {
                keys: vec![("key-1".to_owned(), SigningKey::rsa())],
                claims: Map::new(),
                description: Map::new(),
                jwks: Jwks::Fine,
                secret: None,
                confirmed: false,
                moved: false,
                asked_for_keys: 0,
                codes: HashMap::new(),
            }),
        });
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(description))
            .route("/jwks", get(jwks))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/device", post(device))
            .with_state(Arc::clone(&inner));
        let task = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("it serves");
        });
        Self { inner, task }
    }

    /// Its address, which is what it is called as well.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Its behaviour from now on.
    pub fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.inner
            .behaviour
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What a token for `audience` says, if nothing is wrong with it.
    #[must_use]
    pub fn claims(&self, audience: &str) -> Value {
        self.inner.claims(audience)
    }

    /// A token with these claims, signed with the first key.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        let behaviour = self.behaviour();
        let (kid, key) = &behaviour.keys[0];
        signed(key, kid, claims)
    }

    /// What a person does whose browser is sent to this address: agrees. Gives where the browser is sent next.
    ///
    /// # Panics
    /// When the address is not of this issuer.
    #[must_use]
    pub fn agree(&self, url: &str) -> Url {
        let url = Url::parse(url).expect("an address");
        assert!(url.as_str().starts_with(&self.inner.url), "{url}");
        self.inner.agree(url.query().unwrap_or_default())
    }
}

impl Inner {
    fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seconds(&self) -> i64 {
        self.clock.now().as_micros().div_euclid(1_000_000)
    }

    fn claims(&self, audience: &str) -> Value {
        let now = self.seconds();
        let mut claims = json!({
            "iss": self.url, "sub": "ann", "aud": audience, "iat": now, "nbf": now, "exp": now + 300,
            "email": "ann@example.com", "email_verified": true, "groups": ["platform", "Payments Team"],
        });
        let more = self.behaviour().claims.clone();
        claims.as_object_mut().expect("claims").extend(more);
        claims
    }

    fn agree(&self, query: &str) -> Url {
        let asked: HashMap<String, String> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let part = |name: &str| asked.get(name).cloned().unwrap_or_default();
        assert_eq!(
            (
                part("response_type").as_str(),
                part("code_challenge_method").as_str()
            ),
            ("code", "S256")
        );
        assert!(part("scope").split(' ').any(|scope| scope == "openid"), "{query}");
        let code = encoded(&crate::identity::random::<24>().expect("randomness"));
        let mut back = Url::parse(&part("redirect_uri")).expect("where to");
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &part("state"))
            .append_pair("iss", &self.url);
        let agreed = Agreed {
            client: part("client_id"),
            redirect_uri: part("redirect_uri"),
            challenge: part("code_challenge"),
            nonce: part("nonce"),
        };
        self.behaviour().codes.insert(code, agreed);
        back
    }
}

async fn description(State(inner): State<Arc<Inner>>) -> Response {
    let behaviour = inner.behaviour();
    if behaviour.moved {
        let to = format!("{}/elsewhere", inner.url);
        return (StatusCode::FOUND, [(header::LOCATION, to)]).into_response();
    }
    let url = &inner.url;
    let mut description = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "device_authorization_endpoint": format!("{url}/device"),
        "jwks_uri": format!("{url}/jwks"),
        "authorization_response_iss_parameter_supported": true,
    });
    description
        .as_object_mut()
        .expect("an object")
        .extend(behaviour.description.clone());
    axum::Json(description).into_response()
}

async fn jwks(State(inner): State<Arc<Inner>>) -> Response {
    let (how, mut keys) = {
        let mut behaviour = inner.behaviour();
        behaviour.asked_for_keys += 1;
        let keys: Vec<Value> = behaviour
            .keys
            .iter()
            .map(|(kid, key)| key.published(kid))
            .collect();
        (behaviour.jwks, keys)
    };
    match how {
        Jwks::Fine => {}
        Jwks::Huge => keys.push(json!({"kty": "oct", "k": "A".repeat(1 << 20)})),
        Jwks::Slow => tokio::time::sleep(Duration::from_secs(30)).await,
        Jwks::Redirected => {
            let to = format!("{}/jwks?again", inner.url);
            return (StatusCode::FOUND, [(header::LOCATION, to)]).into_response();
        }
        Jwks::Broken => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
    axum::Json(json!({ "keys": keys })).into_response()
}

async fn authorize(State(inner): State<Arc<Inner>>, RawQuery(query): RawQuery) -> Response {
    let back = inner.agree(&query.unwrap_or_default());
    (StatusCode::FOUND, [(header::LOCATION, back.to_string())]).into_response()
}

fn refused(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": error }))).into_response()
}

async fn token(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: String) -> Response {
    let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    let part = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let secret = inner.behaviour().secret.clone();
    if let Some(secret) = secret {
        use base64::engine::general_purpose::STANDARD;
        let wanted = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{secret}")));
        if headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            != Some(&wanted)
        {
            return refused("invalid_client");
        }
    }
    let mut claims = inner.claims(part("client_id"));
    match part("grant_type") {
        "authorization_code" => {
            let Some(agreed) = inner.behaviour().codes.remove(part("code")) else {
                return refused("invalid_grant");
            };
            let challenge = encoded(Digest::of(part("code_verifier").as_bytes()).as_bytes());
            let same = agreed.client == part("client_id")
                && agreed.redirect_uri == part("redirect_uri")
                && agreed.challenge == challenge;
            if !same {
                return refused("invalid_grant");
            }
            let claims = claims.as_object_mut().expect("claims");
            claims.entry("nonce").or_insert_with(|| agreed.nonce.into());
        }
        "urn:ietf:params:oauth:grant-type:device_code" => {
            if part("device_code") != "the-device" {
                return refused("invalid_grant");
            }
            if !inner.behaviour().confirmed {
                return refused("authorization_pending");
            }
        }
        _ => return refused("unsupported_grant_type"),
    }
    let behaviour = inner.behaviour();
    let (kid, key) = &behaviour.keys[0];
    let id_token = signed(key, kid, &claims);
    axum::Json(json!({ "access_token": "of no use here", "token_type": "Bearer", "id_token": id_token }))
        .into_response()
}

async fn device(State(inner): State<Arc<Inner>>) -> Response {
    axum::Json(json!({
        "device_code": "the-device", "user_code": "WDJB-MJHT", "verification_uri": format!("{}/activate", inner.url),
        "expires_in": 600, "interval": 1,
    }))
    .into_response()
}

/// Seconds since 1970 of a point in time, as tokens have it.
#[must_use]
pub const fn seconds(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}
