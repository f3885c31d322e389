//! A request signed by AWS Signature Version 4, as a service reads it: the form of the `Authorization` header, the
//! canonical request, the signature. Pure: time, Region and secret come in; whose key it is and whether it counts is
//! decided in [`app::access_keys`](crate::app::access_keys).
//!
//! Only what unmodified AWS clients send to a JSON service is taken: signed in a header, for `POST /` without a query.
//! Every header that means something to the hub has to be signed and may be there once, and the body is hashed here,
//! whatever a header says about it.

use std::time::Duration;

use aws_lc_rs::hmac;
use hadron_proto::vocab::{Digest, Timestamp};
use http::request::Parts;
use http::{HeaderMap, Version};
use jiff::civil;
use jiff::tz::TimeZone;
use subtle::ConstantTimeEq as _;

/// The service in every credential scope.
pub const SERVICE: &str = "proton";
/// How far the date of a request may be from the hub's clock. AWS's own 5 minutes.
pub const MAX_SKEW: Duration = Duration::from_secs(300);

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
const DATE: &str = "x-amz-date";
const TARGET: &str = "x-amz-target";
const TOKEN: &str = "x-amz-security-token";
const CONTENT_HASH: &str = "x-amz-content-sha256";
/// More than any client signs.
const MAX_SIGNED: usize = 64;
/// The longest access key id of AWS.
const MAX_KEY_ID: usize = 128;

/// Why a request cannot even be compared with a key. Nothing in the texts depends on any key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not signed at all.
    #[error("the request is not signed")]
    Missing,
    /// Not signed in the form that is taken here.
    #[error("{0}")]
    Form(String),
    /// Signed for something else than this hub's API.
    #[error("{0}")]
    Scope(String),
    /// `x-amz-content-sha256` is not the hash of the body.
    #[error(
        "x-amz-content-sha256 is not the SHA-256 of the body that came (unsigned and streamed payloads are not taken)"
    )]
    Body,
}

fn form(text: impl Into<String>) -> Malformed {
    Malformed::Form(text.into())
}

/// The date of a rightly signed request is too far from the hub's clock. The words are those of AWS's services, by which
/// SDKs know that they have to correct their clock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Skew {
    /// Too old.
    #[error("Signature expired: {signed} is now earlier than {bound} ({now} - 5 min.)")]
    Expired {
        /// The request's date.
        signed: String,
        /// The earliest that counts.
        bound: String,
        /// The hub's time.
        now: String,
    },
    /// Too new.
    #[error("Signature not yet current: {signed} is still later than {bound} ({now} + 5 min.)")]
    NotYet {
        /// The request's date.
        signed: String,
        /// The latest that counts.
        bound: String,
        /// The hub's time.
        now: String,
    },
}

/// What a request says about who sent it. Nothing of it is proven before [`Presented::matches`].
#[derive(Clone, PartialEq, Eq)]
pub struct Presented {
    /// The access key id.
    pub access_key_id: String,
    /// The session token of a temporary key.
    pub session_token: Option<String>,
    /// When it was signed, to the second.
    pub signed_at: Timestamp,
    date: String,
    region: String,
    signature: [u8; 32],
    to_sign: String,
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presented")
            .field("access_key_id", &self.access_key_id)
            .field("date", &self.date)
            .finish_non_exhaustive()
    }
}

impl Presented {
    /// Reads a request that is meant for the hub of this Region.
    ///
    /// # Errors
    /// See [`Malformed`].
    pub fn read(parts: &Parts, body: &[u8], region: &str) -> Result<Self, Malformed> {
        let authorization = Authorization::read(&parts.headers)?;
        if parts.uri.path() != "/" || parts.uri.query().is_some() {
            return Err(form(
                "requests go to '/' without a query; signatures in a query are not taken",
            ));
        }
        let date = one(&parts.headers, DATE)?.ok_or_else(|| form("the header x-amz-date is missing"))?;
        let signed_at = parse_date(&date)
            .ok_or_else(|| form("x-amz-date must be a date of the form YYYYMMDDTHHMMSSZ"))?;
        authorization.check_scope(&date, region)?;
        let hash = Digest::of(body).hex();
        if one(&parts.headers, CONTENT_HASH)?.is_some_and(|given| given != hash) {
            return Err(Malformed::Body);
        }
        authorization.check_signed(&parts.headers)?;
        let session_token = one(&parts.headers, TOKEN)?;
        let canonical = authorization.canonical_request(parts, &hash)?;
        let to_sign = format!(
            "{ALGORITHM}\n{date}\n{}/{}/{SERVICE}/{TERMINATOR}\n{}",
            authorization.day,
            authorization.region,
            Digest::of(&canonical).hex()
        );
        Ok(Self {
            access_key_id: authorization.access_key_id,
            session_token,
            signed_at,
            date,
            region: authorization.region,
            signature: authorization.signature,
            to_sign,
        })
    }

    /// Whether the request was signed with this secret, found out in constant time.
    #[must_use]
    pub fn matches(&self, secret: &[u8]) -> bool {
        let mut key = [b"AWS4", secret].concat();
        for part in [&self.date[..8], &self.region, SERVICE, TERMINATOR] {
            key = mac(&key, part.as_bytes());
        }
        let right = mac(&key, self.to_sign.as_bytes());
        right.as_slice().ct_eq(&self.signature).into()
    }

    /// By what the same signed request is known again. Not the signature itself, which need not be kept.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.signature)
    }

    /// Whether the date counts by the hub's clock.
    ///
    /// # Errors
    /// When it does not.
    pub fn check_date(&self, now: Timestamp) -> Result<(), Skew> {
        let (signed, earliest, latest) = (self.date.clone(), now.minus(MAX_SKEW), now.plus(MAX_SKEW));
        if self.signed_at < earliest {
            Err(Skew::Expired {
                signed,
                bound: basic(earliest),
                now: basic(now),
            })
        } else if self.signed_at > latest {
            Err(Skew::NotYet {
                signed,
                bound: basic(latest),
                now: basic(now),
            })
        } else {
            Ok(())
        }
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
        .as_ref()
        .to_vec()
}

/// The value of a header that may be there once.
fn one(headers: &HeaderMap, name: &str) -> Result<Option<String>, Malformed> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(value) => Ok(Some(value.to_owned())),
            Err(_) => Err(form(format!("the header {name} is no text"))),
        },
        (Some(_), Some(_)) => Err(form(format!("the header {name} is there more than once"))),
    }
}

struct Authorization {
    access_key_id: String,
    day: String,
    region: String,
    service: String,
    signed: Vec<String>,
    signature: [u8; 32],
}

impl Authorization {
    fn read(headers: &HeaderMap) -> Result<Self, Malformed> {
        let text = one(headers, "authorization")?.ok_or(Malformed::Missing)?;
        let rest = text
            .strip_prefix(ALGORITHM)
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or_else(|| form(format!("the algorithm in Authorization must be {ALGORITHM}")))?;
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for part in rest.split(',') {
            let (name, value) = part
                .trim_matches(' ')
                .split_once('=')
                .ok_or_else(|| form("a part of Authorization is not of the form name=value"))?;
            let place = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed,
                "Signature" => &mut signature,
                _ => return Err(form("Authorization has an unknown part")),
            };
            if place.replace(value).is_some() {
                return Err(form("a part of Authorization is there more than once"));
            }
        }
        let part = |part: Option<&str>, name: &str| {
            part.map(str::to_owned)
                .ok_or_else(|| form(format!("Authorization must have the part {name}")))
        };
        let credential = part(credential, "Credential")?;
        let signed = part(signed, "SignedHeaders")?;
        let signature = part(signature, "Signature")?;
        let fields: Vec<&str> = credential.split('/').collect();
        let [id, day, region, service, TERMINATOR] = fields[..] else {
            return Err(form(format!(
                "Credential must be KEY/YYYYMMDD/REGION/{SERVICE}/{TERMINATOR}"
            )));
        };
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if !(1..=MAX_KEY_ID).contains(&id.len()) || !id.bytes().all(word) {
            return Err(form("the access key id in Credential is none"));
        }
        let signed: Vec<String> = signed.split(';').map(str::to_owned).collect();
        if signed.len() > MAX_SIGNED || !signed.is_sorted_by(|a, b| a < b) {
            return Err(form("SignedHeaders must be in order, each once"));
        }
        Ok(Self {
            access_key_id: id.to_owned(),
            day: day.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed,
            signature: hex(&signature)
                .ok_or_else(|| form("Signature must be 64 lower-case hexadecimal digits"))?,
        })
    }

    fn check_scope(&self, date: &str, region: &str) -> Result<(), Malformed> {
        let shown = |text: &str| -> String { text.chars().take(40).collect() };
        if self.service != SERVICE {
            return Err(Malformed::Scope(format!(
                "the request is signed for the service '{}', not for '{SERVICE}'",
                shown(&self.service)
            )));
        }
        if self.region != region {
            return Err(Malformed::Scope(format!(
                "the request is signed for the Region '{}', this hub stands for '{region}': sign for {region} (--region, AWS_REGION)",
                shown(&self.region)
            )));
        }
        if self.day != date[..8] {
            return Err(Malformed::Scope(
                "the day in Credential is not that of x-amz-date".to_owned(),
            ));
        }
        Ok(())
    }

    /// What the hub acts upon must be signed: otherwise somebody else could have put it there.
    fn check_signed(&self, headers: &HeaderMap) -> Result<(), Malformed> {
        let is_signed = |name: &str| self.signed.iter().any(|signed| signed == name);
        for name in ["host", DATE, TARGET] {
            if !is_signed(name) {
                return Err(form(format!("the header {name} must be signed")));
            }
        }
        for name in [CONTENT_HASH, TOKEN] {
            if headers.contains_key(name) && !is_signed(name) {
                return Err(form(format!("the header {name} must be signed")));
            }
        }
        Ok(())
    }

    fn canonical_request(&self, parts: &Parts, body_hash: &str) -> Result<Vec<u8>, Malformed> {
        let mut text = format!("{}\n/\n\n", parts.method).into_bytes();
        for name in &self.signed {
            let value = if name == "host" {
                host(parts)?
            } else {
                let mut all = parts.headers.get_all(name.as_str()).iter();
                match (all.next(), all.next()) {
                    (Some(value), None) => value.as_bytes().to_vec(),
                    (None, _) => return Err(form("a signed header is missing")),
                    (Some(_), Some(_)) => {
                        return Err(form("a signed header is there more than once"));
                    }
                }
            };
            text.extend_from_slice(name.as_bytes());
            text.push(b':');
            text.extend_from_slice(&canonical_value(&value));
            text.push(b'\n');
        }
        text.push(b'\n');
        text.extend_from_slice(self.signed.join(";").as_bytes());
        text.push(b'\n');
        text.extend_from_slice(body_hash.as_bytes());
        Ok(text)
    }
}

/// The host that the client signed: `host` in HTTP/1.1, `:authority` in HTTP/2. Where both are there, they have to agree.
fn host(parts: &Parts) -> Result<Vec<u8>, Malformed> {
    let header = one(&parts.headers, "host")?;
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    let host = match (header, authority) {
        (Some(header), Some(authority)) if !header.eq_ignore_ascii_case(authority) => {
            return Err(form("the header host and the request's authority differ"));
        }
        (Some(header), _) => header,
        (None, Some(authority)) if parts.version >= Version::HTTP_2 => authority.to_owned(),
        (None, _) => return Err(form("the header host is missing")),
    };
    Ok(host.into_bytes())
}

/// Without blanks at the ends, and with one where there are several.
fn canonical_value(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len());
    for &byte in value.trim_ascii() {
        if byte != b' ' || text.last() != Some(&b' ') {
            text.push(byte);
        }
    }
    text
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn parse_date(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shape = |(at, byte): (usize, &u8)| match at {
        8 => *byte == b'T',
        15 => *byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    if bytes.len() != 16 || !bytes.iter().enumerate().all(shape) {
        return None;
    }
    let two = |at: usize| text[at..at + 2].parse::<i8>().ok();
    let at = civil::DateTime::new(
        text[..4].parse().ok()?,
        two(4)?,
        two(6)?,
        two(9)?,
        two(11)?,
        two(13)?,
        0,
    );
    let at = at.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp::from_micros(at.as_microsecond()))
}

/// A date as AWS writes it.
fn basic(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.as_micros())
        .map_or_else(|_| at.to_string(), |at| at.strftime("%Y%m%dT%H%M%SZ").to_string())
}

#[cfg(test)]
#[path = "sigv4_tests.rs"]
pub(crate) mod tests;
