//! Proof of an AWS identity by a signed `sts:GetCallerIdentity` request.
//!
//! The prover signs one fixed request and sends only the six scalars that the receiver cannot know. The receiver builds
//! the request anew from constants, its own challenge and those scalars, and asks STS itself. There is no URL, method,
//! header or body to validate, so nothing of CVE-2020-16250 (attacker-made headers and URL made STS answer what the
//! attacker wanted) and of CVE-2022-2385 (the identity was read from a parameter of the request) can happen here.
//!
//! The challenge, the hub's id and either the hash of the agent's key or the purpose are *signed* headers: a proof is
//! good once, at one hub, for one key or one login.

use std::fmt;

use jiff::civil;
use jiff::tz::TimeZone;

use crate::spiffe::HubId;
use crate::vocab::{Partition, Region, Timestamp};

/// The body of every request.
pub const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// How far the date of a proof may be from the hub's clock.
pub const MAX_SKEW: std::time::Duration = std::time::Duration::from_secs(120);

/// The longest session token that is passed on.
pub const MAX_TOKEN: usize = 4096;

const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";
const ACCEPT: &str = "application/json";

/// The Regions whose STS is asked, with the only host that is ever asked for each. A Region missing here is refused:
/// its name would become part of a host name.
const REGIONS: &[(&str, Partition, &str)] = &[
    ("af-south-1", Partition::Aws, "sts.af-south-1.amazonaws.com"),
    ("ap-east-1", Partition::Aws, "sts.ap-east-1.amazonaws.com"),
    ("ap-east-2", Partition::Aws, "sts.ap-east-2.amazonaws.com"),
    (
        "ap-northeast-1",
        Partition::Aws,
        "sts.ap-northeast-1.amazonaws.com",
    ),
    (
        "ap-northeast-2",
        Partition::Aws,
        "sts.ap-northeast-2.amazonaws.com",
    ),
    (
        "ap-northeast-3",
        Partition::Aws,
        "sts.ap-northeast-3.amazonaws.com",
    ),
    ("ap-south-1", Partition::Aws, "sts.ap-south-1.amazonaws.com"),
    ("ap-south-2", Partition::Aws, "sts.ap-south-2.amazonaws.com"),
    (
        "ap-southeast-1",
        Partition::Aws,
        "sts.ap-southeast-1.amazonaws.com",
    ),
    (
        "ap-southeast-2",
        Partition::Aws,
        "sts.ap-southeast-2.amazonaws.com",
    ),
    (
        "ap-southeast-3",
        Partition::Aws,
        "sts.ap-southeast-3.amazonaws.com",
    ),
    (
        "ap-southeast-4",
        Partition::Aws,
        "sts.ap-southeast-4.amazonaws.com",
    ),
    (
        "ap-southeast-5",
        Partition::Aws,
        "sts.ap-southeast-5.amazonaws.com",
    ),
    (
        "ap-southeast-6",
        Partition::Aws,
        "sts.ap-southeast-6.amazonaws.com",
    ),
    (
        "ap-southeast-7",
        Partition::Aws,
        "sts.ap-southeast-7.amazonaws.com",
    ),
    ("ca-central-1", Partition::Aws, "sts.ca-central-1.amazonaws.com"),
    ("ca-west-1", Partition::Aws, "sts.ca-west-1.amazonaws.com"),
    ("cn-north-1", Partition::China, "sts.cn-north-1.amazonaws.com.cn"),
    (
        "cn-northwest-1",
        Partition::China,
        "sts.cn-northwest-1.amazonaws.com.cn",
    ),
    ("eu-central-1", Partition::Aws, "sts.eu-central-1.amazonaws.com"),
    ("eu-central-2", Partition::Aws, "sts.eu-central-2.amazonaws.com"),
    ("eu-north-1", Partition::Aws, "sts.eu-north-1.amazonaws.com"),
    ("eu-south-1", Partition::Aws, "sts.eu-south-1.amazonaws.com"),
    ("eu-south-2", Partition::Aws, "sts.eu-south-2.amazonaws.com"),
    ("eu-west-1", Partition::Aws, "sts.eu-west-1.amazonaws.com"),
    ("eu-west-2", Partition::Aws, "sts.eu-west-2.amazonaws.com"),
    ("eu-west-3", Partition::Aws, "sts.eu-west-3.amazonaws.com"),
    ("il-central-1", Partition::Aws, "sts.il-central-1.amazonaws.com"),
    ("me-central-1", Partition::Aws, "sts.me-central-1.amazonaws.com"),
    ("me-south-1", Partition::Aws, "sts.me-south-1.amazonaws.com"),
    ("mx-central-1", Partition::Aws, "sts.mx-central-1.amazonaws.com"),
    ("sa-east-1", Partition::Aws, "sts.sa-east-1.amazonaws.com"),
    ("us-east-1", Partition::Aws, "sts.us-east-1.amazonaws.com"),
    ("us-east-2", Partition::Aws, "sts.us-east-2.amazonaws.com"),
    (
        "us-gov-east-1",
        Partition::GovCloud,
        "sts.us-gov-east-1.amazonaws.com",
    ),
    (
        "us-gov-west-1",
        Partition::GovCloud,
        "sts.us-gov-west-1.amazonaws.com",
    ),
    ("us-west-1", Partition::Aws, "sts.us-west-1.amazonaws.com"),
    ("us-west-2", Partition::Aws, "sts.us-west-2.amazonaws.com"),
];

/// A Region of the compiled table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StsRegion(&'static (&'static str, Partition, &'static str));

impl StsRegion {
    /// Finds a Region by its exact name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        REGIONS.iter().find(|(known, ..)| *known == name).map(Self)
    }

    /// Every Region of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        REGIONS.iter().map(Self)
    }

    /// The Region's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.0
    }

    /// The partition that the Region belongs to.
    #[must_use]
    pub const fn partition(self) -> Partition {
        self.0.1
    }

    /// The host of its STS.
    #[must_use]
    pub const fn host(self) -> &'static str {
        self.0.2
    }

    /// As the word that the rest of the code uses.
    #[must_use]
    pub fn region(self) -> Region {
        self.name().parse().expect("the table holds only Region names")
    }
}

impl fmt::Debug for StsRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a proof is bound to by signed headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The enrolment of an agent: good for one key only, so that a man in the middle cannot put in another request for
    /// a certificate.
    Enrol {
        /// The hub's challenge.
        nonce: [u8; 32],
        /// The hub that may use the proof.
        hub_id: HubId,
        /// SHA-256 of the agent's DER `SubjectPublicKeyInfo`.
        spki_sha256: [u8; 32],
    },
    /// The login of a person or script.
    Login {
        /// The hub's challenge.
        nonce: [u8; 32],
        /// The hub that may use the proof.
        hub_id: HubId,
    },
}

/// Which access keys a receiver accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// Temporary credentials of STS (`ASIA...` with a session token): all that an agent may use.
    Temporary,
    /// Also long-lived keys of IAM users (`AKIA...` without a session token).
    AlsoLongLived,
    /// Any letters and digits. Only for emulators, whose keys are account ids.
    Any,
}

/// A scalar of a proof is not of its form. The text of the session token and of the signature is never repeated.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum InvalidProof {
    /// The proof is missing altogether.
    #[error("the request has no proof")]
    Missing,
    /// Not a Region of the table.
    #[error("region: '{given}' is not a Region whose STS this version knows")]
    Region {
        /// The start of what was given, escaped.
        given: String,
    },
    /// A long-lived key where only temporary ones may be used.
    #[error(
        "access_key_id: long-lived keys (AKIA...) are not accepted here; use the credentials of an assumed role (ASIA...)"
    )]
    LongLivedKey,
    /// Not an access key id.
    #[error("access_key_id: must be the id of {expected}")]
    AccessKeyId {
        /// What would have been accepted.
        expected: &'static str,
    },
    /// A temporary key came without its session token.
    #[error("session_token: temporary credentials need their session token")]
    NoSessionToken,
    /// A long-lived key came with a session token.
    #[error("session_token: a long-lived key has no session token")]
    UnexpectedSessionToken,
    /// Not of the alphabet of session tokens, or too long.
    #[error("session_token: must be 1 to {MAX_TOKEN} of A-Z, a-z, 0-9, '+', '/' and '='")]
    SessionToken,
    /// Not a date of the basic ISO 8601 form.
    #[error("amz_date: must be a date of the form YYYYMMDDTHHMMSSZ")]
    AmzDate,
    /// Not a signature.
    #[error("signature: must be 64 lower-case hexadecimal digits")]
    Signature,
}

/// The date of a proof is too far from the receiver's clock.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error(
    "amz_date: the proof is of {signed_at}, the hub's clock says {now}; set both clocks to within 120 s of each other"
)]
pub struct Stale {
    /// When the proof says that it was signed.
    pub signed_at: Timestamp,
    /// The receiver's time.
    pub now: Timestamp,
}

/// The scalars of a proof, each of its form.
#[derive(Clone, PartialEq, Eq)]
pub struct ProofScalars {
    region: StsRegion,
    access_key_id: String,
    session_token: Option<String>,
    amz_date: AmzDate,
    signature: String,
}

#[derive(Clone, PartialEq, Eq)]
struct AmzDate {
    text: String,
    at: Timestamp,
}

impl AmzDate {
    fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let digits = |range: std::ops::Range<usize>| -> Option<i16> {
            let part = bytes.get(range)?;
            part.iter().all(u8::is_ascii_digit).then_some(())?;
            std::str::from_utf8(part).ok()?.parse().ok()
        };
        let small = |at: usize| digits(at..at + 2).and_then(|value| i8::try_from(value).ok());
        (bytes.len() == 16 && bytes[8] == b'T' && bytes[15] == b'Z').then_some(())?;
        let at = civil::DateTime::new(
            digits(0..4)?,
            small(4)?,
            small(6)?,
            small(9)?,
            small(11)?,
            small(13)?,
            0,
        )
        .ok()?;
        let at = at.to_zoned(TimeZone::UTC).ok()?.timestamp();
        Some(Self {
            text: text.to_owned(),
            at: Timestamp::from_micros(at.as_microsecond()),
        })
    }

    fn day(&self) -> &str {
        &self.text[..8]
    }
}

/// The unchecked scalars, as they came.
#[derive(Clone, Copy)]
pub struct RawProof<'a> {
    /// A Region name.
    pub region: &'a str,
    /// An access key id.
    pub access_key_id: &'a str,
    /// A session token, or nothing.
    pub session_token: &'a str,
    /// `YYYYMMDDTHHMMSSZ`.
    pub amz_date: &'a str,
    /// 64 hexadecimal digits.
    pub signature: &'a str,
}

fn key_id(text: &str, prefix: &str) -> bool {
    // AWS access key ids: 16 to 128 characters, see the IAM API model (accessKeyIdType).
    text.strip_prefix(prefix).is_some_and(|rest| {
        (16..=124).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    })
}

fn check_key(form: KeyForm, id: &str, token: &str) -> Result<(), InvalidProof> {
    let temporary = key_id(id, "ASIA");
    let long_lived = key_id(id, "AKIA");
    match form {
        KeyForm::Temporary if id.starts_with("AKIA") => Err(InvalidProof::LongLivedKey),
        KeyForm::Temporary if !temporary => Err(InvalidProof::AccessKeyId {
            expected: "temporary credentials (ASIA...)",
        }),
        KeyForm::AlsoLongLived if !temporary && !long_lived => Err(InvalidProof::AccessKeyId {
            expected: "an access key (ASIA... or AKIA...)",
        }),
        KeyForm::Temporary | KeyForm::AlsoLongLived if temporary && token.is_empty() => {
            Err(InvalidProof::NoSessionToken)
        }
        KeyForm::AlsoLongLived if long_lived && !token.is_empty() => {
            Err(InvalidProof::UnexpectedSessionToken)
        }
        KeyForm::Any if !(1..=128).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            Err(InvalidProof::AccessKeyId {
                expected: "an access key (1 to 128 letters and digits)",
            })
        }
        KeyForm::Temporary | KeyForm::AlsoLongLived | KeyForm::Any => Ok(()),
    }
}

impl ProofScalars {
    /// Checks every scalar; the first that is not of its form is named.
    ///
    /// # Errors
    /// One variant per scalar and fault.
    pub fn parse(raw: &RawProof<'_>, form: KeyForm) -> Result<Self, InvalidProof> {
        let region = StsRegion::find(raw.region).ok_or_else(|| InvalidProof::Region {
            given: raw
                .region
                .chars()
                .take(40)
                .flat_map(char::escape_default)
                .collect(),
        })?;
        check_key(form, raw.access_key_id, raw.session_token)?;
        // Emulators also use the URL-safe alphabet.
        let token_byte = |b: u8| {
            b.is_ascii_alphanumeric() || b"+/=".contains(&b) || (form == KeyForm::Any && b"-_.".contains(&b))
        };
        if raw.session_token.len() > MAX_TOKEN || !raw.session_token.bytes().all(token_byte) {
            return Err(InvalidProof::SessionToken);
        }
        let amz_date = AmzDate::parse(raw.amz_date).ok_or(InvalidProof::AmzDate)?;
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if raw.signature.len() != 64 || !raw.signature.bytes().all(hex) {
            return Err(InvalidProof::Signature);
        }
        Ok(Self {
            region,
            access_key_id: raw.access_key_id.to_owned(),
            session_token: (!raw.session_token.is_empty()).then(|| raw.session_token.to_owned()),
            amz_date,
            signature: raw.signature.to_owned(),
        })
    }

    /// Checks the scalars of a wire message; its challenge id is the caller's affair.
    ///
    /// # Errors
    /// As [`ProofScalars::parse`], and when there is no proof at all.
    #[cfg(feature = "wire")]
    pub fn from_wire(proof: Option<&crate::wire::StsProof>, form: KeyForm) -> Result<Self, InvalidProof> {
        let proof = proof.ok_or(InvalidProof::Missing)?;
        let raw = RawProof {
            region: &proof.region,
            access_key_id: &proof.access_key_id,
            session_token: &proof.session_token,
            amz_date: &proof.amz_date,
            signature: &proof.signature,
        };
        Self::parse(&raw, form)
    }

    /// The wire message that answers this challenge.
    #[cfg(feature = "wire")]
    #[must_use]
    pub fn to_wire(&self, challenge_id: impl Into<String>) -> crate::wire::StsProof {
        crate::wire::StsProof {
            challenge_id: challenge_id.into(),
            region: self.region.name().to_owned(),
            access_key_id: self.access_key_id.clone(),
            session_token: self.session_token.clone().unwrap_or_default(),
            amz_date: self.amz_date.text.clone(),
            signature: self.signature.clone(),
        }
    }

    /// The Region whose STS is to be asked.
    #[must_use]
    pub const fn region(&self) -> StsRegion {
        self.region
    }

    /// When the prover says that it signed.
    #[must_use]
    pub const fn signed_at(&self) -> Timestamp {
        self.amz_date.at
    }

    /// Refuses a proof whose date is more than [`MAX_SKEW`] away from `now`, in either direction.
    ///
    /// # Errors
    /// When it is.
    pub fn check_date(&self, now: Timestamp) -> Result<(), Stale> {
        let signed_at = self.signed_at();
        if now.since(signed_at).max(signed_at.since(now)) > MAX_SKEW {
            return Err(Stale { signed_at, now });
        }
        Ok(())
    }
}

impl fmt::Debug for ProofScalars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofScalars")
            .field("region", &self.region)
            .field("access_key_id", &self.access_key_id)
            .field("session_token", &self.session_token.as_ref().map(|_| "..."))
            .field("amz_date", &self.amz_date.text)
            .field("signature", &"...")
            .finish()
    }
}

/// The request to STS: `POST https://<host>/` with these headers, in this order, and this body.
#[derive(Clone, PartialEq, Eq)]
pub struct StsRequest {
    /// The host, always one of the table.
    pub host: &'static str,
    /// Every header, `host` and `authorization` among them.
    pub headers: Vec<(&'static str, String)>,
    /// The form.
    pub body: &'static str,
}

impl fmt::Debug for StsRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("StsRequest")
            .field("host", &self.host)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The signed headers in the order of their names, as `SigV4` sorts them.
fn signed_headers(
    region: StsRegion,
    amz_date: &str,
    session_token: Option<&str>,
    binding: &Binding,
) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("accept", ACCEPT.to_owned()),
        ("content-length", BODY.len().to_string()),
        ("content-type", CONTENT_TYPE.to_owned()),
        ("host", region.host().to_owned()),
        ("x-amz-date", amz_date.to_owned()),
    ];
    headers.extend(session_token.map(|token| ("x-amz-security-token", token.to_owned())));
    match binding {
        Binding::Enrol {
            nonce,
            hub_id,
            spki_sha256,
        } => headers.extend([
            ("x-hadron-challenge", hex(nonce)),
            ("x-hadron-hub-id", hub_id.to_string()),
            ("x-hadron-key", hex(spki_sha256)),
        ]),
        Binding::Login { nonce, hub_id } => headers.extend([
            ("x-hadron-challenge", hex(nonce)),
            ("x-hadron-hub-id", hub_id.to_string()),
            ("x-hadron-purpose", "login".to_owned()),
        ]),
    }
    headers
}

/// Builds the one request that these scalars can have signed for this binding.
#[must_use]
pub fn rebuild(scalars: &ProofScalars, binding: &Binding) -> StsRequest {
    let ProofScalars {
        region,
        access_key_id,
        session_token,
        amz_date,
        signature,
    } = scalars;
    let mut headers = signed_headers(*region, &amz_date.text, session_token.as_deref(), binding);
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={access_key_id}/{}/{}/sts/aws4_request, SignedHeaders={}, Signature={signature}",
        amz_date.day(),
        region.name(),
        names.join(";"),
    );
    headers.push(("authorization", authorization));
    StsRequest {
        host: region.host(),
        headers,
        body: BODY,
    }
}

#[cfg(feature = "sign")]
mod signing {
    use std::time::{Duration, UNIX_EPOCH};

    use aws_credential_types::Credentials;
    use aws_sigv4::http_request::{self, SignableBody, SignableRequest, SigningSettings};
    use aws_sigv4::sign::v4;

    use super::{BODY, Binding, InvalidProof, KeyForm, ProofScalars, RawProof, StsRegion, signed_headers};
    use crate::vocab::{Region, Timestamp};

    /// The proof cannot be made.
    #[derive(Debug, thiserror::Error)]
    pub enum CannotSign {
        /// The Region's STS is not known.
        #[error("no STS is known for Region {region}")]
        Region {
            /// The Region that was asked for.
            region: Region,
        },
        /// The clock is out of range.
        #[error("the clock says {now}, which is no date that AWS accepts")]
        Clock {
            /// What the clock says.
            now: Timestamp,
        },
        /// The signer refused.
        #[error("cannot sign the request to STS")]
        Signer(#[source] Box<dyn std::error::Error + Send + Sync>),
        /// The credentials are not of a form that can be sent.
        #[error("the AWS credentials cannot be used for a proof")]
        Credentials(#[source] InvalidProof),
    }

    /// Signs `sts:GetCallerIdentity` for a hub's challenge.
    ///
    /// # Errors
    /// When the Region is unknown, or the clock or the credentials cannot be used.
    pub fn sign(
        credentials: &Credentials,
        region: &Region,
        now: Timestamp,
        binding: &Binding,
    ) -> Result<ProofScalars, CannotSign> {
        let found = StsRegion::find(region.as_str());
        let sts = found.ok_or_else(|| CannotSign::Region {
            region: region.clone(),
        })?;
        let seconds = u64::try_from(now.as_millis() / 1_000).map_err(|_| CannotSign::Clock { now })?;
        let at =
            jiff::Timestamp::from_second(seconds.cast_signed()).map_err(|_| CannotSign::Clock { now })?;
        let amz_date = at.strftime("%Y%m%dT%H%M%SZ").to_string();
        // aws-sigv4 writes the date and the token itself; all other headers are given, in the same form as `rebuild`
        // gives them.
        let headers: Vec<_> = signed_headers(sts, &amz_date, None, binding)
            .into_iter()
            .filter(|(name, _)| *name != "x-amz-date")
            .collect();
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| CannotSign::Signer(error);
        let identity = credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(sts.name())
            .name("sts")
            .time(UNIX_EPOCH + Duration::from_secs(seconds))
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| failed(error.into()))?
            .into();
        let request = SignableRequest::new(
            "POST",
            format!("https://{}/", sts.host()),
            headers.iter().map(|(name, value)| (*name, value.as_str())),
            SignableBody::Bytes(BODY.as_bytes()),
        )
        .map_err(|error| failed(error.into()))?;
        let (_, signature) = http_request::sign(request, &params)
            .map_err(|error| failed(error.into()))?
            .into_parts();
        // What is not a form that any hub accepts is better found here, with the credentials' own fault named.
        let raw = RawProof {
            region: sts.name(),
            access_key_id: credentials.access_key_id(),
            session_token: credentials.session_token().unwrap_or_default(),
            amz_date: &amz_date,
            signature: &signature,
        };
        ProofScalars::parse(&raw, KeyForm::Any).map_err(CannotSign::Credentials)
    }
}

#[cfg(feature = "sign")]
pub use signing::{CannotSign, sign};

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
