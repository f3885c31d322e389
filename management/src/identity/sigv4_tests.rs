//! Against the signer of AWS's own SDK, and against everything that changes a signed request.

use std::time::UNIX_EPOCH;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{self, PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use http::{HeaderValue, Request};
use proptest::prelude::*;

use super::*;

const ID: &str = "HUBAABCDEFGHIJKLMNOP";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION: &str = "eu-central-1";
const TARGET_NAME: &str = "AwsProton20200720.ListEnvironments";

fn at() -> Timestamp {
    "2026-11-20T09:30:00Z".parse().unwrap()
}

/// A request that is to be signed.
pub(crate) struct Signing {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) at: Timestamp,
    pub(crate) token: Option<String>,
    pub(crate) hash_header: bool,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) region: &'static str,
    pub(crate) service: &'static str,
}

impl Default for Signing {
    fn default() -> Self {
        Self {
            id: ID.to_owned(),
            secret: SECRET.to_owned(),
            at: at(),
            token: None,
            hash_header: false,
            headers: Vec::new(),
            body: b"{\"maxResults\":10}".to_vec(),
            region: REGION,
            service: SERVICE,
        }
    }
}

impl Signing {
    /// The request as a client sends it over HTTP/1.1.
    pub(crate) fn request(&self) -> (Parts, Vec<u8>) {
        let mut request = Request::builder()
            .method("POST")
            .uri("/")
            .header("host", "hub.example.com:8443")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", TARGET_NAME);
        for (name, value) in &self.headers {
            request = request.header(name.as_str(), value.as_str());
        }
        let mut request = request.body(()).unwrap();
        let identity = Credentials::new(&self.id, &self.secret, self.token.clone(), None, "test").into();
        let mut settings = SigningSettings::default();
        if self.hash_header {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let seconds = u64::try_from(self.at.as_millis() / 1000).unwrap();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(UNIX_EPOCH + Duration::from_secs(seconds))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let headers: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
            .collect();
        let signable = SignableRequest::new(
            "POST",
            "https://hub.example.com:8443/",
            headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
            SignableBody::Bytes(&self.body),
        )
        .unwrap();
        let (instructions, _) = http_request::sign(signable, &params).unwrap().into_parts();
        instructions.apply_to_request_http1x(&mut request);
        (request.into_parts().0, self.body.clone())
    }
}

fn verify(parts: &Parts, body: &[u8]) -> bool {
    Presented::read(parts, body, REGION).is_ok_and(|presented| presented.matches(SECRET.as_bytes()))
}

/// The example that AWS documents for deriving a signing key and a signature, computed by hand with its secret.
#[test]
fn the_key_is_derived_as_aws_documents_it() {
    let mut key = [b"AWS4".as_slice(), b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"].concat();
    for part in ["20120215", "us-east-1", "iam", "aws4_request"] {
        key = mac(&key, part.as_bytes());
    }
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
    );
}

#[test]
fn what_a_client_signs_is_read_and_matches() {
    let (parts, body) = Signing {
        token: Some("session/+=".to_owned()),
        hash_header: true,
        ..Signing::default()
    }
    .request();
    let presented = Presented::read(&parts, &body, REGION).unwrap();
    assert_eq!(presented.access_key_id, ID);
    assert_eq!(presented.session_token.as_deref(), Some("session/+="));
    assert_eq!(presented.signed_at, at());
    assert!(presented.matches(SECRET.as_bytes()));
    assert!(!presented.matches(b"another"));
    assert!(!presented.matches(b""));
    assert!(
        !format!("{presented:?}").contains("session/"),
        "tokens stay out of logs"
    );
}

#[test]
fn http_2_names_the_host_in_its_authority() {
    let (parts, body) = Signing::default().request();
    let h2 = |host: Option<&str>, authority: &str| {
        let mut parts = parts.clone();
        parts.version = Version::HTTP_2;
        parts.uri = format!("https://{authority}/").parse().unwrap();
        parts.headers.remove("host");
        if let Some(host) = host {
            parts.headers.insert("host", host.parse().unwrap());
        }
        verify(&parts, &body)
    };
    assert!(h2(None, "hub.example.com:8443"));
    assert!(h2(Some("hub.example.com:8443"), "hub.example.com:8443"));
    assert!(!h2(None, "other.example.com:8443"));
    assert!(!h2(Some("hub.example.com:8443"), "other.example.com:8443"));
}

#[test]
fn headers_on_the_way_may_change_only_when_they_are_not_signed() {
    let (mut parts, body) = Signing::default().request();
    for (name, value) in [
        ("user-agent", "a proxy"),
        ("amz-sdk-request", "attempt=2"),
        ("x-amzn-trace-id", "Root=1"),
        ("content-length", "17"),
    ] {
        parts.headers.insert(name, HeaderValue::from_static(value));
        assert!(verify(&parts, &body), "{name}");
    }
    // One that counts must not come in unsigned.
    parts
        .headers
        .insert("x-amz-security-token", HeaderValue::from_static("stolen"));
    let refused = Presented::read(&parts, &body, REGION).unwrap_err().to_string();
    assert!(
        refused.contains("x-amz-security-token must be signed"),
        "{refused}"
    );
}

#[test]
fn every_byte_of_a_signed_request_counts() {
    let (parts, body) = Signing {
        token: Some("dG9rZW4".to_owned()),
        hash_header: true,
        ..Signing::default()
    }
    .request();
    assert!(verify(&parts, &body));
    for at in 0..body.len() {
        for bit in [1, 32, 128] {
            let mut changed = body.clone();
            changed[at] ^= bit;
            assert!(!verify(&parts, &changed), "byte {at} of the body");
        }
    }
    for changed in [
        &body[1..],
        &body[..body.len() - 1],
        &[],
        &[body.as_slice(), b" "].concat(),
    ] {
        assert!(!verify(&parts, changed));
    }
    for method in ["GET", "PUT", "post", "POST2"] {
        let mut changed = parts.clone();
        changed.method = method.parse().unwrap();
        assert!(!verify(&changed, &body), "{method}");
    }
    for uri in ["/x", "//", "/?x=1", "/?", "*"] {
        let mut changed = parts.clone();
        changed.uri = uri.parse().unwrap();
        assert!(!verify(&changed, &body), "{uri}");
    }
    let names: Vec<_> = parts.headers.keys().cloned().collect();
    assert_eq!(names.len(), 7, "{names:?}");
    for name in names {
        let value = parts.headers[&name].as_bytes().to_vec();
        for at in 0..value.len() {
            for replace in [b'0', b'z', b' ', b','] {
                if value[at] == replace {
                    continue;
                }
                let mut other = value.clone();
                other[at] = replace;
                // A blank more at an end or where one is already says the same.
                if canonical_value(&other) == canonical_value(&value) {
                    continue;
                }
                let mut changed = parts.clone();
                changed
                    .headers
                    .insert(&name, HeaderValue::from_bytes(&other).unwrap());
                if name == "authorization" {
                    let read = Presented::read(&changed, &body, REGION);
                    let same =
                        read.is_ok_and(|read| read.matches(SECRET.as_bytes()) && read.access_key_id == ID);
                    assert!(!same, "byte {at} of {name}: {}", String::from_utf8_lossy(&other));
                } else {
                    assert!(!verify(&changed, &body), "byte {at} of {name}");
                }
            }
        }
        let mut gone = parts.clone();
        gone.headers.remove(&name);
        assert!(!verify(&gone, &body), "without {name}");
        let mut twice = parts.clone();
        twice.headers.append(&name, parts.headers[&name].clone());
        assert!(!verify(&twice, &body), "{name} twice");
    }
}

#[test]
fn other_forms_of_authorization_are_refused_by_name() {
    let (parts, body) = Signing::default().request();
    let good = parts.headers["authorization"].to_str().unwrap().to_owned();
    let with = |text: &str| {
        let mut parts = parts.clone();
        parts.headers.insert("authorization", text.parse().unwrap());
        Presented::read(&parts, &body, REGION)
    };
    assert!(with(&good).unwrap().matches(SECRET.as_bytes()));
    assert!(with(&good.replace(", ", ",")).unwrap().matches(SECRET.as_bytes()));
    let signature = good.rsplit_once('=').unwrap().1;
    for wrong in [
        "Bearer hadron_x",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        "AWS4-ECDSA-P256-SHA256 Credential=a",
        &good.replace("AWS4-HMAC-SHA256 ", "aws4-hmac-sha256 "),
        &good.replace("Credential=", "credential="),
        &good.replace("/aws4_request", ""),
        &good.replace("/aws4_request", "/aws4_request/x"),
        &good.replace(ID, ""),
        &good.replace(ID, "a/b"),
        &good.replace(signature, &signature.to_uppercase()),
        &good.replace(signature, &signature[1..]),
        &format!("{good}, Signature={signature}"),
        &format!("{good}, Extra=1"),
        &format!("{good},"),
        &good.replace("content-type;host", "host;content-type"),
        &good.replace("content-type;host", "content-type;host;host"),
        &good.replace("content-type;host", "content-type;Host"),
        &good.replace("host;", ""),
        &good.replace("x-amz-date;", ""),
        &good.replace(";x-amz-target", ""),
    ] {
        assert_ne!(wrong, good);
        assert!(matches!(with(wrong), Err(Malformed::Form(_))), "{wrong}");
    }
    let mut unsigned = parts.clone();
    unsigned.headers.remove("authorization");
    assert_eq!(Presented::read(&unsigned, &body, REGION), Err(Malformed::Missing));
    // A presigned request has no header.
    unsigned.uri = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256".parse().unwrap();
    assert_eq!(Presented::read(&unsigned, &body, REGION), Err(Malformed::Missing));
    let mut unhashed = parts.clone();
    unhashed.headers.insert(
        "x-amz-content-sha256",
        HeaderValue::from_static("UNSIGNED-PAYLOAD"),
    );
    assert_eq!(Presented::read(&unhashed, &body, REGION), Err(Malformed::Body));
}

#[test]
fn the_scope_is_this_hub_and_this_day() {
    let scope = |signing: Signing| {
        let (parts, body) = signing.request();
        match Presented::read(&parts, &body, REGION) {
            Err(Malformed::Scope(text)) => text,
            other => panic!("{other:?}"),
        }
    };
    let region = scope(Signing {
        region: "us-east-1",
        ..Signing::default()
    });
    assert!(
        region.contains("us-east-1") && region.contains("sign for eu-central-1"),
        "{region}"
    );
    let service = scope(Signing {
        service: "sts",
        ..Signing::default()
    });
    assert!(service.contains("'sts'"), "{service}");
    let (mut parts, body) = Signing::default().request();
    parts
        .headers
        .insert("x-amz-date", HeaderValue::from_static("20261121T093000Z"));
    assert!(matches!(
        Presented::read(&parts, &body, REGION),
        Err(Malformed::Scope(_))
    ));
    for date in [
        "20261120T093000",
        "2026-11-20T09:30",
        "20261320T093000Z",
        "20261120T093060Z",
        "+0261120T093000Z",
    ] {
        parts.headers.insert("x-amz-date", date.parse().unwrap());
        assert!(
            matches!(Presented::read(&parts, &body, REGION), Err(Malformed::Form(_))),
            "{date}"
        );
    }
}

#[test]
fn clocks_may_differ_by_five_minutes_and_the_words_are_those_of_aws() {
    let (parts, body) = Signing::default().request();
    let presented = Presented::read(&parts, &body, REGION).unwrap();
    let second = Duration::from_secs(1);
    for now in [at(), at().plus(MAX_SKEW), at().minus(MAX_SKEW)] {
        assert_eq!(presented.check_date(now), Ok(()));
    }
    let late = presented.check_date(at().plus(MAX_SKEW + second)).unwrap_err();
    assert_eq!(
        late.to_string(),
        "Signature expired: 20261120T093000Z is now earlier than 20261120T093001Z (20261120T093501Z - 5 min.)"
    );
    let early = presented.check_date(at().minus(MAX_SKEW + second)).unwrap_err();
    assert_eq!(
        early.to_string(),
        "Signature not yet current: 20261120T093000Z is still later than 20261120T092959Z (20261120T092459Z + 5 min.)"
    );
}

proptest! {
    /// Whatever AWS's own signer signs, matches.
    #[test]
    fn whatever_is_signed_matches(
        body in proptest::collection::vec(any::<u8>(), 0..400),
        token in proptest::option::of("[A-Za-z0-9+/=]{1,60}"),
        hash_header in any::<bool>(),
        values in proptest::collection::vec(("x-[a-z]{1,12}-[a-z0-9]{1,8}", "[ -~]{0,40}"), 0..4),
    ) {
        let mut headers: Vec<(String, String)> = values;
        headers.retain(|(name, _)| !name.starts_with("x-amz-"));
        headers.sort();
        headers.dedup_by(|a, b| a.0 == b.0);
        let signing = Signing { token, hash_header, headers, body, ..Signing::default() };
        let (parts, body) = signing.request();
        prop_assert!(verify(&parts, &body));
    }

    /// Whatever comes, it is answered and not crashed upon.
    #[test]
    fn anything_may_come(authorization in "(AWS4-HMAC-SHA256 )?[ -~]{0,200}", date in "[ -~]{0,20}", body in proptest::collection::vec(any::<u8>(), 0..50)) {
        let request = Request::builder().method("POST").uri("/")
            .header("host", "h").header("x-amz-target", "t").header("x-amz-date", date)
            .header("authorization", authorization).body(()).unwrap();
        let parts = request.into_parts().0;
        prop_assert!(Presented::read(&parts, &body, REGION).map_or(true, |read| !read.matches(b"x")));
    }
}
