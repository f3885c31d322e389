use proptest::prelude::*;

use super::*;

fn hub() -> HubId {
    "hub-0123".parse().unwrap()
}
fn enrol() -> Binding {
    Binding::Enrol {
        nonce: [1; 32],
        hub_id: hub(),
        spki_sha256: [2; 32],
    }
}
fn login() -> Binding {
    Binding::Login {
        nonce: [1; 32],
        hub_id: hub(),
    }
}
const SIGNATURE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
fn good() -> RawProof<'static> {
    RawProof {
        region: "eu-west-1",
        access_key_id: "ASIAABCDEFGHIJKLMNOP",
        session_token: "IQoJb3JpZ2luX2Vj+/==",
        amz_date: "20261120T093000Z",
        signature: SIGNATURE,
    }
}

#[test]
fn every_region_has_its_own_host() {
    assert!(StsRegion::all().count() >= 34);
    for region in StsRegion::all() {
        let suffix = region.partition().dns_suffix();
        assert_eq!(region.host(), format!("sts.{}.{suffix}", region.name()));
        assert_eq!(region.region().partition(), region.partition());
    }
}

#[test]
fn the_enrolment_request_is_exactly_this() {
    let request = rebuild(
        &ProofScalars::parse(&good(), KeyForm::Temporary).unwrap(),
        &enrol(),
    );
    let names: Vec<_> = request.headers.iter().map(|(name, _)| *name).collect();
    let signed = "accept;content-length;content-type;host;x-amz-date;x-amz-security-token;x-hadron-challenge;x-hadron-hub-id;x-hadron-key";
    assert_eq!(names.join(";"), format!("{signed};authorization"));
    assert_eq!(request.host, "sts.eu-west-1.amazonaws.com");
    assert_eq!(
        request.headers.last().unwrap().1,
        format!(
            "AWS4-HMAC-SHA256 Credential=ASIAABCDEFGHIJKLMNOP/20261120/eu-west-1/sts/aws4_request, SignedHeaders={signed}, Signature={SIGNATURE}"
        )
    );
    let value = |wanted| {
        &request
            .headers
            .iter()
            .find(|(name, _)| *name == wanted)
            .unwrap()
            .1
    };
    assert_eq!(value("content-length"), "43");
    assert_eq!(value("x-hadron-challenge"), &"01".repeat(32));
    assert_eq!(value("x-hadron-key"), &"02".repeat(32));
}

#[test]
fn a_login_has_a_purpose_and_perhaps_no_token() {
    let raw = RawProof {
        access_key_id: "AKIAABCDEFGHIJKLMNOP",
        session_token: "",
        ..good()
    };
    let request = rebuild(
        &ProofScalars::parse(&raw, KeyForm::AlsoLongLived).unwrap(),
        &login(),
    );
    let names: Vec<_> = request.headers.iter().map(|(name, _)| *name).collect();
    assert!(!names.contains(&"x-amz-security-token") && !names.contains(&"x-hadron-key"));
    assert!(
        request
            .headers
            .contains(&("x-hadron-purpose", "login".to_owned()))
    );
}

fn refused(raw: &RawProof<'_>) -> InvalidProof {
    ProofScalars::parse(raw, KeyForm::Temporary).unwrap_err()
}

#[test]
fn every_malformed_scalar_is_named() {
    // AT-10
    let long = "u".repeat(1024);
    for region in [
        "",
        "evil.com/",
        "us-east-1.evil.com#",
        "us-east-1\r\nX:",
        "us‑east‑1",
        "us-east-1。evil",
        &long,
        "US-EAST-1",
        " us-east-1",
        "us-east-9",
        "aws-global",
        "us-east-1@evil.com",
    ] {
        assert!(
            matches!(
                refused(&RawProof { region, ..good() }),
                InvalidProof::Region { .. }
            ),
            "{region:?}"
        );
    }
    // AT-12, AT-27
    assert_eq!(
        refused(&RawProof {
            access_key_id: "AKIAABCDEFGHIJKLMNOP",
            ..good()
        }),
        InvalidProof::LongLivedKey
    );
    let long = format!("ASIA{}", "A".repeat(125));
    for access_key_id in [
        "",
        "ASIA",
        "ASIAABCDEFGHIJKLMNO",
        &long,
        "ASIAABCDEFGHIJKLMNOp",
        "ASIAABCDEFGHIJKLMNO ",
        "333333333333",
        "ASIAABCDEFGHIJKLMNOP\r\nX: y",
        "ASIAABCDEFGHIJKLMNOP/20261120",
        "asiaABCDEFGHIJKLMNOP",
        "AROAABCDEFGHIJKLMNOP",
    ] {
        let fault = refused(&RawProof {
            access_key_id,
            ..good()
        });
        assert!(
            matches!(fault, InvalidProof::AccessKeyId { .. }),
            "{access_key_id:?}"
        );
    }
    // AT-11
    assert_eq!(
        refused(&RawProof {
            session_token: "",
            ..good()
        }),
        InvalidProof::NoSessionToken
    );
    let long = "A".repeat(4097);
    for session_token in ["a\r\nx-hadron-key: 00", "a b", "a\0", "ä", "a-b", "a,b", &long] {
        assert_eq!(
            refused(&RawProof {
                session_token,
                ..good()
            }),
            InvalidProof::SessionToken,
            "{session_token:?}"
        );
    }
    for amz_date in [
        "",
        "20261120T093000",
        "20261120T093000z",
        "20261320T093000Z",
        "20261120T253000Z",
        "20261120T093060Z",
        "20261120T093000Z ",
        "20261120T09300\nZ",
        "+0261120T093000Z",
        "2026-11-20T09:30:00Z",
        "２0261120T093000Z",
        "20260229T000000Z",
    ] {
        assert_eq!(
            refused(&RawProof { amz_date, ..good() }),
            InvalidProof::AmzDate,
            "{amz_date:?}"
        );
    }
    // AT-13
    let upper = SIGNATURE.to_uppercase();
    let long = format!("{SIGNATURE}0");
    let line = format!("{}\r\n", &SIGNATURE[2..]);
    for signature in ["", &SIGNATURE[1..], &upper, &long, &line] {
        assert_eq!(
            refused(&RawProof { signature, ..good() }),
            InvalidProof::Signature,
            "{signature:?}"
        );
    }
}

#[test]
fn long_lived_and_emulated_keys_only_where_allowed() {
    let akia = RawProof {
        access_key_id: "AKIAABCDEFGHIJKLMNOP",
        session_token: "",
        ..good()
    };
    assert!(ProofScalars::parse(&akia, KeyForm::AlsoLongLived).is_ok());
    let with_token = RawProof {
        session_token: "AAAA",
        ..akia
    };
    let fault = ProofScalars::parse(&with_token, KeyForm::AlsoLongLived).unwrap_err();
    assert_eq!(fault, InvalidProof::UnexpectedSessionToken);
    let emulated = RawProof {
        access_key_id: "333333333333",
        session_token: "",
        ..good()
    };
    assert!(ProofScalars::parse(&emulated, KeyForm::Any).is_ok());
    assert!(ProofScalars::parse(&emulated, KeyForm::AlsoLongLived).is_err());
    let slash = RawProof {
        access_key_id: "33333333/333",
        ..emulated
    };
    assert!(ProofScalars::parse(&slash, KeyForm::Any).is_err());
}

#[test]
fn dates_are_compared_in_both_directions() {
    let proof = ProofScalars::parse(&good(), KeyForm::Temporary).unwrap();
    let at: Timestamp = "2026-11-20T09:30:00Z".parse().unwrap();
    assert_eq!(proof.signed_at(), at);
    for (seconds, fine) in [(0, true), (120, true), (121, false), (360, false)] {
        let by = std::time::Duration::from_secs(seconds);
        assert_eq!(proof.check_date(at.plus(by)).is_ok(), fine, "+{seconds}");
        assert_eq!(proof.check_date(at.minus(by)).is_ok(), fine, "-{seconds}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let proof = ProofScalars::parse(&good(), KeyForm::Temporary).unwrap();
    let text = format!("{proof:?} {:?}", rebuild(&proof, &enrol()));
    assert!(!text.contains(SIGNATURE) && !text.contains("IQoJ"), "{text}");
}

proptest! {
    /// Whatever five texts come in: either a scalar is refused, or the request has one value per header, no line break
    /// that came from outside, and a host of the table.
    #[test]
    fn no_input_changes_the_shape_of_the_request(
        region in prop_oneof![Just("us-east-1".to_owned()), any::<String>()],
        access_key_id in prop_oneof!["ASIA[A-Z0-9]{16,20}", "[A-Z0-9\r\n ]{0,40}", any::<String>()],
        session_token in prop_oneof!["[A-Za-z0-9+/=]{1,40}", "[A-Za-z\r\n:]{1,40}", any::<String>()],
        amz_date in prop_oneof!["202[0-9]{5}T[0-9]{6}Z", any::<String>()],
        signature in prop_oneof!["[0-9a-f]{64}", "[0-9a-f\r\n]{64}", any::<String>()],
        form in prop_oneof![Just(KeyForm::Temporary), Just(KeyForm::AlsoLongLived), Just(KeyForm::Any)],
    ) {
        let raw = RawProof {
            region: &region, access_key_id: &access_key_id, session_token: &session_token, amz_date: &amz_date,
            signature: &signature,
        };
        if let Ok(proof) = ProofScalars::parse(&raw, form) {
            for binding in [enrol(), login()] {
                let request = rebuild(&proof, &binding);
                prop_assert!(StsRegion::all().any(|known| known.host() == request.host));
                prop_assert_eq!(request.body, BODY);
                for (name, value) in &request.headers {
                    prop_assert!(value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{}", name);
                }
                let authorization = &request.headers.last().unwrap().1;
                prop_assert_eq!(authorization.matches(", ").count(), 2);
                prop_assert_eq!(authorization.matches('=').count(), 3);
            }
        }
    }

    #[test]
    fn any_known_date_reads_as_written(seconds in 0i64..4_000_000_000) {
        let text = jiff::Timestamp::from_second(seconds).unwrap().strftime("%Y%m%dT%H%M%SZ").to_string();
        prop_assert_eq!(AmzDate::parse(&text).unwrap().at, Timestamp::from_micros(seconds * 1_000_000));
    }
}

#[cfg(feature = "sign")]
mod signed {
    use std::time::{Duration, UNIX_EPOCH};

    use aws_credential_types::Credentials;
    use aws_sigv4::http_request::{self, SignableBody, SignableRequest, SigningSettings};
    use aws_sigv4::sign::v4;

    use super::*;

    /// Signs the rebuilt request as a whole, as STS does, knowing nothing of how it was made.
    fn sign_again(request: &StsRequest, credentials: &Credentials, region: &str, seconds: u64) -> String {
        let settings = SigningSettings::default();
        let identity = credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name("sts")
            .time(UNIX_EPOCH + Duration::from_secs(seconds))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let headers = request
            .headers
            .iter()
            .filter(|(name, _)| !matches!(*name, "authorization" | "x-amz-date" | "x-amz-security-token"));
        let signable = SignableRequest::new(
            "POST",
            format!("https://{}/", request.host),
            headers.map(|(name, value)| (*name, value.as_str())),
            SignableBody::Bytes(request.body.as_bytes()),
        )
        .unwrap();
        let (instructions, _) = http_request::sign(signable, &params).unwrap().into_parts();
        let (headers, _) = instructions.into_parts();
        headers
            .iter()
            .find(|header| header.name() == "authorization")
            .unwrap()
            .value()
            .to_owned()
    }

    fn authorization(request: &StsRequest) -> &str {
        &request.headers.last().unwrap().1
    }

    #[test]
    fn what_was_signed_is_what_is_rebuilt() {
        let seconds = 1_795_167_000;
        let now = Timestamp::from_micros(seconds * 1_000_000 + 999_999);
        for (token, key) in [
            (Some("IQoJtoken+/=="), "ASIAABCDEFGHIJKLMNOP"),
            (None, "AKIAABCDEFGHIJKLMNOP"),
        ] {
            let credentials = Credentials::new(key, "secret", token.map(ToOwned::to_owned), None, "test");
            for region in StsRegion::all() {
                for binding in [enrol(), login()] {
                    let proof = sign(&credentials, &region.region(), now, &binding).unwrap();
                    let request = rebuild(&proof, &binding);
                    let again = sign_again(&request, &credentials, region.name(), seconds.cast_unsigned());
                    assert_eq!(authorization(&request), again);
                }
            }
        }
    }

    #[test]
    fn a_proof_is_good_for_its_binding_only() {
        let now = Timestamp::from_micros(1_795_167_000_000_000);
        let credentials = Credentials::new(
            "ASIAABCDEFGHIJKLMNOP",
            "secret",
            Some("tok".to_owned()),
            None,
            "test",
        );
        let proof = sign(&credentials, &"us-east-1".parse().unwrap(), now, &enrol()).unwrap();
        let others = [
            Binding::Enrol {
                nonce: [9; 32],
                hub_id: hub(),
                spki_sha256: [2; 32],
            },
            Binding::Enrol {
                nonce: [1; 32],
                hub_id: "hub-other".parse().unwrap(),
                spki_sha256: [2; 32],
            },
            Binding::Enrol {
                nonce: [1; 32],
                hub_id: hub(),
                spki_sha256: [3; 32],
            },
            login(),
        ];
        for other in others {
            let request = rebuild(&proof, &other);
            let right = sign_again(&request, &credentials, "us-east-1", 1_795_167_000);
            assert_ne!(authorization(&request), right, "{other:?}");
        }
    }

    #[test]
    fn an_unknown_region_or_token_is_refused_before_sending() {
        let now = Timestamp::from_micros(1_795_167_000_000_000);
        let credentials =
            Credentials::new("ASIAABCDEFGHIJKLMNOP", "s", Some("a\nb".to_owned()), None, "test");
        let region = "xx-nowhere-1".parse().unwrap();
        assert!(matches!(
            sign(&credentials, &region, now, &login()),
            Err(CannotSign::Region { .. })
        ));
        let region = "us-east-1".parse().unwrap();
        assert!(sign(&credentials, &region, now, &login()).is_err());
    }
}
