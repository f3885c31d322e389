//! What makes a token of an issuer believable: the signature by one of the issuer's keys, for whom it is, and when.
//!
//! The keys are those that the issuer publishes, each with one name and for one algorithm. A token says by a name which
//! of them it was signed with, and nothing else about keys is read from it: no address, no certificate, no key of its own.
//! The library checks signatures only; time is the hub's own.

use std::collections::BTreeMap;
use std::time::Duration;

use hadron_proto::vocab::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

/// The longest token. Those of issuers are a tenth of it.
const LONGEST: usize = 16 * 1024;
/// Most keys that an issuer may publish.
const MOST_KEYS: usize = 64;
/// The longest name of a key.
const LONGEST_KID: usize = 256;
/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_secs(60);

/// What a token says.
pub type Claims = Map<String, Value>;

/// Why a token is not believed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Invalid {
    /// Not a signed token at all.
    #[error("it is no signed token")]
    Form,
    /// Signed in a way that the hub does not take.
    #[error("it is not signed by RS256, ES256 or EdDSA")]
    Algorithm,
    /// It does not name its key.
    #[error("it does not name the key that it was signed with")]
    NoKid,
    /// Its key is not among those of the issuer.
    #[error("the issuer has no key of the name that it gives")]
    UnknownKid,
    /// The key is for something else.
    #[error("the key that it names is for another algorithm")]
    OtherAlgorithm,
    /// Not signed with the key.
    #[error("its signature is wrong")]
    Signature,
    /// Of another issuer.
    #[error("it is of another issuer")]
    Issuer,
    /// For somebody else.
    #[error("it is for another audience")]
    Audience,
    /// Made for another client, of which it says so.
    #[error("it was given to another client")]
    Party,
    /// It has no end.
    #[error("it does not say when it ends")]
    NoEnd,
    /// Over.
    #[error("it has expired")]
    Expired,
    /// Not yet.
    #[error("it is not valid yet; look at the clocks of the issuer and of the hub")]
    NotYet,
    /// Not the answer to what was asked.
    #[error("it does not belong to this login")]
    Nonce,
}

/// What a token has to say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// Among `aud`.
    pub audience: &'a str,
    /// `nonce`, where one was asked for.
    pub nonce: Option<&'a str>,
}

/// A key of an issuer.
#[derive(Clone)]
struct Key {
    algorithm: Algorithm,
    key: DecodingKey,
}

/// The keys of an issuer, by their names.
#[derive(Clone, Default)]
pub struct Keys(BTreeMap<String, Key>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// As RFC 7517 has it; members that the hub does not know are of no interest.
#[derive(Deserialize)]
struct Published {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Reads what an issuer publishes. Keys that the hub has no use for are left out; so are all of a name that is there
    /// twice, since it would be open which one is meant. `None`: it is no list of keys.
    #[must_use]
    pub fn read(json: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(json).ok()?;
        if set.keys.len() > MOST_KEYS {
            return None;
        }
        let (mut keys, mut twice) = (BTreeMap::new(), Vec::new());
        for value in set.keys {
            let Ok(published) = serde_json::from_value::<Published>(value) else {
                continue;
            };
            let Some(kid) = published.kid.clone().filter(|kid| is_kid(kid)) else {
                continue;
            };
            if let Some(key) = published.key()
                && keys.insert(kid.clone(), key).is_some()
            {
                twice.push(kid);
            }
        }
        keys.retain(|kid, _| !twice.contains(kid));
        Some(Self(keys))
    }

    /// Whether there is a key of this name.
    #[must_use]
    pub fn has(&self, kid: &str) -> bool {
        self.0.contains_key(kid)
    }

    /// What a token says, if it is to be believed now.
    ///
    /// # Errors
    /// See [`Invalid`].
    pub fn verify(&self, token: &str, expected: Expected<'_>, now: Timestamp) -> Result<Claims, Invalid> {
        let (algorithm, kid) = named(token)?;
        let key = self.0.get(&kid).ok_or(Invalid::UnknownKid)?;
        if key.algorithm != algorithm {
            return Err(Invalid::OtherAlgorithm);
        }
        let mut signature_only = Validation::new(algorithm);
        signature_only.required_spec_claims.clear();
        signature_only.validate_exp = false;
        signature_only.validate_nbf = false;
        signature_only.validate_aud = false;
        let token = decode::<Claims>(token, &key.key, &signature_only).map_err(|_| Invalid::Signature)?;
        believed(&token.claims, expected, now)?;
        Ok(token.claims)
    }
}

impl Published {
    fn key(&self) -> Option<Key> {
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let text = |part: &Option<String>| part.clone();
        let (algorithm, word, key) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let key = DecodingKey::from_rsa_components(&text(&self.n)?, &text(&self.e)?);
                (Algorithm::RS256, "RS256", key)
            }
            ("EC", Some("P-256")) => {
                let key = DecodingKey::from_ec_components(&text(&self.x)?, &text(&self.y)?);
                (Algorithm::ES256, "ES256", key)
            }
            ("OKP", Some("Ed25519")) => {
                let key = DecodingKey::from_ed_components(&text(&self.x)?);
                (Algorithm::EdDSA, "EdDSA", key)
            }
            _ => return None,
        };
        if self.alg.as_deref().is_some_and(|alg| alg != word) {
            return None;
        }
        key.ok().map(|key| Key { algorithm, key })
    }
}

fn is_kid(kid: &str) -> bool {
    (1..=LONGEST_KID).contains(&kid.len()) && kid.bytes().all(|byte| byte.is_ascii_graphic())
}

/// How a token says that it was signed, and by the key of which name. Nothing of it is believed yet.
///
/// # Errors
/// When the hub takes no such tokens.
pub fn named(token: &str) -> Result<(Algorithm, String), Invalid> {
    if token.len() > LONGEST {
        return Err(Invalid::Form);
    }
    let header = match decode_header(token) {
        Ok(header) => header,
        // What the library has no word for, `none` among them.
        Err(_) if has_three_parts(token) => return Err(Invalid::Algorithm),
        Err(_) => return Err(Invalid::Form),
    };
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA) {
        return Err(Invalid::Algorithm);
    }
    // Access tokens and notices of logouts are signed with the same keys and prove nobody's identity.
    let identity = header
        .typ
        .as_deref()
        .is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
    if !identity {
        return Err(Invalid::Form);
    }
    let kid = header.kid.ok_or(Invalid::NoKid)?;
    if is_kid(&kid) {
        Ok((header.alg, kid))
    } else {
        Err(Invalid::UnknownKid)
    }
}

fn has_three_parts(token: &str) -> bool {
    token.split('.').count() == 3
}

/// What a token says of itself, of which nothing is believed: only to find out whom to ask about it.
#[must_use]
pub fn claimed_issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claimed {
        iss: String,
    }
    if token.len() > LONGEST {
        return None;
    }
    let claimed: Claimed = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
    Some(claimed.iss)
}

/// Whether somebody for whom the issuer signed this is to be believed.
fn believed(claims: &Claims, expected: Expected<'_>, now: Timestamp) -> Result<(), Invalid> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err(Invalid::Issuer);
    }
    let audience = match claims.get("aud") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !audience.contains(&expected.audience) {
        return Err(Invalid::Audience);
    }
    match (claims.get("azp"), audience.len()) {
        (None, 1) => {}
        (Some(Value::String(party)), _) if party == expected.audience => {}
        _ => return Err(Invalid::Party),
    }
    let now = now.as_micros().div_euclid(1_000_000);
    let leeway = i64::try_from(LEEWAY.as_secs()).unwrap_or(0);
    let end = seconds(claims.get("exp")).ok_or(Invalid::NoEnd)?;
    if end.saturating_add(leeway) <= now {
        return Err(Invalid::Expired);
    }
    for begin in ["nbf", "iat"] {
        match (claims.get(begin), seconds(claims.get(begin))) {
            (None, _) => {}
            (Some(_), Some(begin)) if begin.saturating_sub(leeway) <= now => {}
            (Some(_), _) => return Err(Invalid::NotYet),
        }
    }
    if let Some(nonce) = expected.nonce {
        let given = text("nonce").unwrap_or_default();
        if !bool::from(given.as_bytes().ct_eq(nonce.as_bytes())) {
            return Err(Invalid::Nonce);
        }
    }
    Ok(())
}

/// A point in time as tokens have it; some issuers write fractions of seconds.
fn seconds(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    value.as_i64().or_else(|| {
        let fraction = value.as_f64().filter(|number| (0.0..1e15).contains(number))?;
        // It is in range, and seconds are what counts.
        Some(fraction as i64)
    })
}
