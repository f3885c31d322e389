use std::error::Error as _;

use axum::http::StatusCode as Status;
use hadron_proto::proof::sign;
use hadron_proto::spiffe::HubId;

use super::super::testing::{ACCOUNT, FakeSts, Mood, ROLE, ROLE_ID, agent_credentials, region, start};
use super::*;

fn hub() -> HubId {
    "dev-1".parse().unwrap()
}

fn login() -> Binding {
    Binding::Login {
        nonce: [4; 32],
        hub_id: hub(),
    }
}

async fn ask(sts: &Sts) -> Result<CallerIdentity, StsError> {
    let proof = sign(&agent_credentials(), &region(), start(), &login()).unwrap();
    sts.who_signed(&proof, &login()).await
}

#[tokio::test]
async fn a_right_signature_gives_the_identity() {
    let fake = FakeSts::start().await;
    for sts in [fake.client(), fake.strict_client()] {
        let caller = ask(&sts).await.unwrap();
        assert_eq!(caller.account.as_str(), ACCOUNT);
        assert_eq!(caller.assumed_role(), Some((ROLE, "i-0123")));
        assert_eq!(caller.role_id(), Some(ROLE_ID));
        assert_eq!(
            caller.principal_arn(),
            format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}")
        );
    }
    // What arrives is what was built, and the host is the signed one, not the emulator's.
    let seen = &fake.seen()[0];
    assert_eq!(
        (seen.path.as_str(), &seen.body[..]),
        ("/", hadron_proto::proof::BODY.as_bytes())
    );
    assert_eq!(seen.headers["host"], "sts.eu-west-1.amazonaws.com");
    assert_eq!(seen.headers.len(), 10, "{:?}", seen.headers.keys());
}

#[tokio::test]
async fn another_binding_is_refused_by_sts() {
    let fake = FakeSts::start().await;
    let proof = sign(&agent_credentials(), &region(), start(), &login()).unwrap();
    let other = Binding::Login {
        nonce: [5; 32],
        hub_id: hub(),
    };
    let error = fake.client().who_signed(&proof, &other).await.unwrap_err();
    assert!(
        matches!(&error, StsError::Refused { status: 403, code } if code == "SignatureDoesNotMatch"),
        "{error}"
    );
}

fn identity(arn: &str) -> String {
    format!(r#"{{"Account":"{ACCOUNT}","Arn":"{arn}","UserId":"{ROLE_ID}:s"}}"#)
}

fn answer(result: &str) -> String {
    format!(
        r#"{{"GetCallerIdentityResponse":{{"GetCallerIdentityResult":{result},"ResponseMetadata":{{"RequestId":"1"}}}}}}"#
    )
}

#[tokio::test]
async fn no_other_answer_is_believed() {
    let fake = FakeSts::start().await;
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/s");
    let one = identity(&arn);
    let xml = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>{arn}</Arn><UserId>{ROLE_ID}:s</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    );
    let json = "application/json";
    fake.mood(Mood::Raw(Status::OK, json, answer(&one)));
    assert!(ask(&fake.strict_client()).await.is_ok());
    let moods = [
        Mood::Redirect,
        Mood::Huge,
        Mood::Raw(Status::OK, json, String::new()),
        Mood::Raw(Status::OK, json, "no JSON".to_owned()),
        Mood::Raw(Status::OK, json, one.clone()),
        Mood::Raw(Status::OK, json, format!("{0}{0}", answer(&one))),
        // Two results, a repeated key, one key too many, one in other letters.
        Mood::Raw(
            Status::OK,
            json,
            answer(&format!(r#"{one},"GetCallerIdentityResult":{one}"#)),
        ),
        Mood::Raw(
            Status::OK,
            json,
            answer(&one.replace("\"UserId\"", r#""Account":"222222222222","UserId""#)),
        ),
        Mood::Raw(
            Status::OK,
            json,
            answer(&one.replace("\"UserId\"", r#""account":"222222222222","UserId""#)),
        ),
        Mood::Raw(Status::OK, json, answer(&format!("[{one},{one}]"))),
        Mood::Raw(
            Status::OK,
            json,
            answer(&identity("arn:aws:sts::222222222222:assumed-role/hadron-agent/s")),
        ),
        Mood::Raw(
            Status::OK,
            json,
            answer(&identity(&arn.replace("arn:aws:", "arn:aws-cn:"))),
        ),
        Mood::Raw(
            Status::OK,
            json,
            answer(&one.replace(ACCOUNT, "３３３３３３３３３３３３")),
        ),
        // XML is for emulators.
        Mood::Raw(Status::OK, "text/xml", xml.clone()),
        Mood::Raw(Status::OK, "text/html", answer(&one)),
        Mood::Raw(Status::CREATED, json, answer(&one)),
        Mood::Raw(Status::INTERNAL_SERVER_ERROR, "text/html", "<html>".to_owned()),
        Mood::Raw(
            Status::BAD_REQUEST,
            json,
            r#"{"Error":{"Code":"Throttling"}}"#.to_owned(),
        ),
        Mood::Raw(Status::TOO_MANY_REQUESTS, json, String::new()),
    ];
    for mood in moods {
        fake.mood(mood.clone());
        let error = ask(&fake.strict_client()).await.unwrap_err();
        assert!(matches!(error, StsError::Unavailable { .. }), "{mood:?}: {error}");
    }
    let calls = fake.seen().len();
    assert_eq!(calls, 20, "a redirect was followed, or a call repeated");

    fake.mood(Mood::Raw(Status::OK, "text/xml", xml.clone()));
    assert_eq!(ask(&fake.client()).await.unwrap().arn, arn);
    let twice = xml.replace(
        "</GetCallerIdentityResult>",
        "<Account>222222222222</Account></GetCallerIdentityResult>",
    );
    let nested = xml.replace(&arn, &format!("<x>{arn}</x>"));
    let second = xml.replace(
        "</GetCallerIdentityResponse>",
        "<GetCallerIdentityResult></GetCallerIdentityResult>",
    );
    for wrong in [
        twice,
        nested,
        second,
        xml.replace("Account>", "account>"),
        xml.replace(&arn, "&arn;"),
    ] {
        fake.mood(Mood::Raw(Status::OK, "text/xml", wrong.clone()));
        assert!(
            matches!(ask(&fake.client()).await, Err(StsError::Unavailable { .. })),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn refusals_say_what_to_do_and_nothing_of_the_answer() {
    let fake = FakeSts::start().await;
    let body = r#"{"Error":{"Code":"ExpiredToken","Message":"secret <b> text"}}"#.to_owned();
    fake.mood(Mood::Raw(Status::FORBIDDEN, "application/json", body));
    let error = ask(&fake.strict_client()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "AWS STS refused the signed request: ExpiredToken; the credentials have expired, get new ones"
    );
    fake.mood(Mood::Raw(
        Status::FORBIDDEN,
        "text/html",
        "<html>\r\nx".to_owned(),
    ));
    let error = ask(&fake.strict_client()).await.unwrap_err();
    assert_eq!(error.to_string(), "AWS STS refused the signed request: HTTP 403");
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = ask(&Sts::strict_for_tests(&url)).await.unwrap_err();
    assert!(matches!(error, StsError::Unavailable { .. }));
    assert!(error.source().is_some());
    // The real client speaks HTTPS only.
    let sts = Sts::new(StsEndpoint::Aws).unwrap();
    assert!(sts.client.get(url).send().await.is_err());
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let fake = FakeSts::start().await;
    fake.mood(Mood::Stall);
    let begun = tokio::time::Instant::now();
    assert!(matches!(
        ask(&fake.client()).await,
        Err(StsError::Unavailable { .. })
    ));
    assert!(begun.elapsed() < TIMEOUT + Duration::from_secs(2));
}

#[test]
fn kinds_of_identities_are_told_apart() {
    let read = |arn: &str, id: &str| CallerIdentity::read(ACCOUNT, arn, id, Partition::Aws);
    let at = |service: &str, rest: &str| format!("arn:aws:{service}::{ACCOUNT}:{rest}");
    let user = read(&at("iam", "user/team/ann"), "AIDAEXAMPLE").unwrap();
    assert_eq!(
        (user.caller(), user.assumed_role()),
        (
            &Caller::User {
                name: "team/ann".to_owned()
            },
            None
        )
    );
    assert_eq!(user.principal_arn(), at("iam", "user/team/ann"));
    assert_eq!(read(&at("iam", "root"), ACCOUNT).unwrap().caller(), &Caller::Root);
    assert_eq!(
        read(&at("sts", "federated-user/x"), "1:x").unwrap().caller(),
        &Caller::Federated
    );
    let role = read(&at("sts", "assumed-role/r/s"), "AROA1:other").unwrap();
    assert_eq!(role.role_id(), None, "the session of the id is another");
    for wrong in [
        at("sts", "assumed-role/r"),
        at("sts", "assumed-role/r/s/t"),
        at("sts", "assumed-role//s"),
        at("sts", "assumed-role/r/"),
        at("iam", "role/r"),
        at("iam", "user/"),
        at("iam", "assumed-role/r/s"),
        at("sts", "root"),
        at("ec2", "assumed-role/r/s"),
        format!("arn:aws:sts:us-east-1:{ACCOUNT}:assumed-role/r/s"),
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/r/s\r\n"),
        String::new(),
    ] {
        assert!(read(&wrong, "AROA1:s").is_err(), "{wrong:?}");
    }
    assert!(read(&at("sts", "assumed-role/r/s"), "").is_err());
}

/// AT-18
#[tokio::test]
async fn a_server_without_a_public_certificate_is_not_sts() {
    use std::sync::Arc;

    use tokio_stream::StreamExt as _;

    use super::super::ca::{Ca, Serial};
    use super::super::tls::{Limits, ServerIdentity, api_config, serve_tls};
    let now = crate::clock::Clock::system().now();
    let ca = Arc::new(Ca::generate(hub(), Serial::from_random([1; 16]), now).unwrap());
    let identity = ServerIdentity::new(ca, vec!["localhost".to_owned()], now).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let mut incoming = serve_tls(listener, api_config(identity).unwrap(), None, Limits::default());
    tokio::select! {
        answer = async { ask(&Sts::strict_for_tests(&url)).await } => {
            assert!(matches!(answer, Err(StsError::Unavailable { cause: Some(_), .. })), "{answer:?}");
        }
        _ = incoming.next() => panic!("the client accepted a certificate of nobody"),
    }
}
