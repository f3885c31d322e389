//! Proofs that are none, and an STS that answers what it should not: AT-07, AT-09 to AT-17, AT-27.
//!
//! Two further hubs stand here: one that asks an STS of the suite's, and one that runs as in production and asks AWS, of which
//! only what is refused before that can be shown.

use anyhow::{Context as _, Result};
use aws_credential_types::Credentials;
use hadron_proto::wire;
use tonic::Code;

use super::enrolment::{attempt, unchanged};
use super::forge::{self, csr, door, now, place, proof};
use super::sts::{FakeSts, Says};
use super::{Case, Ground, client, hub_with, ready};
use crate::hub::{Hub, Ready};
use crate::process::{Process, free_port};
use crate::{MANAGEMENT, PROD, REGION};

/// A hub that asks an STS of ours; its management account's connection is accepted from the beginning.
struct Fooled {
    hub: Hub,
    sts: FakeSts,
}

const ARN: &str = "arn:aws:sts::111111111111:assumed-role/hadron-agent/i-0123";

async fn fooled(ground: &Ground) -> Result<Fooled> {
    let sts = FakeSts::start(Says::identity(MANAGEMENT, ARN, "AROAEXAMPLEEXAMPLE11:i-0123")).await?;
    let folder = ground.world.folder().join(format!("fooled-{}", free_port()?));
    let hub = Hub::start(&folder, &sts.url, "").await?;
    Ok(Fooled { hub, sts })
}

/// Keys of nobody: this STS looks at none.
fn anybody() -> Credentials {
    Credentials::new(
        "ASIAEXAMPLEEXAMPLE11",
        "secret-of-nobody",
        Some("FwoGZXIvYXdzEXAMPLE".to_owned()),
        None,
        "attacks",
    )
}

/// AT-07
pub(super) async fn no_role(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let Fooled { hub, sts } = fooled(ground).await?;
    let right = attempt(
        hub.ready(),
        case,
        &anybody(),
        |key| place(MANAGEMENT, key),
        unchanged,
    )
    .await?;
    case.hold("the right role enrols", right.is_ok(), format!("{right:?}"));
    for (what, arn, user) in [
        (
            "a user",
            "arn:aws:iam::111111111111:user/hadron-agent",
            "AIDAEXAMPLEEXAMPLE11",
        ),
        (
            "a user in a path",
            "arn:aws:iam::111111111111:user/assumed-role/hadron-agent/x",
            "AIDAEXAMPLEEXAMPLE11",
        ),
        (
            "a federated user",
            "arn:aws:sts::111111111111:federated-user/hadron-agent",
            "111111111111:hadron-agent",
        ),
    ] {
        sts.say(Says::identity(MANAGEMENT, arn, user));
        let answer = attempt(
            hub.ready(),
            case,
            &anybody(),
            |key| place(MANAGEMENT, key),
            unchanged,
        )
        .await?;
        case.refused(
            what,
            answer,
            Code::PermissionDenied,
            &["must run as role hadron-agent"],
        );
    }
    for (what, account, arn) in [
        (
            "an account that is not the ARN's",
            MANAGEMENT,
            "arn:aws:sts::222222222222:assumed-role/hadron-agent/x",
        ),
        (
            "another partition",
            MANAGEMENT,
            "arn:aws-cn:sts::111111111111:assumed-role/hadron-agent/x",
        ),
        ("no ARN", MANAGEMENT, "hadron-agent"),
        ("no account", "*", ARN),
    ] {
        sts.say(Says::identity(account, arn, "AROAEXAMPLEEXAMPLE11:x"));
        let answer = attempt(
            hub.ready(),
            case,
            &anybody(),
            |key| place(MANAGEMENT, key),
            unchanged,
        )
        .await?;
        case.refused(what, answer, Code::Unavailable, &[]);
    }
    case.silent("the hub that was fooled is another one; its refusals are those of AT-06");
    Ok(())
}

/// AT-09
pub(super) async fn role_made_anew(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let Fooled { mut hub, sts } = fooled(ground).await?;
    let first = attempt(
        hub.ready(),
        case,
        &anybody(),
        |key| place(MANAGEMENT, key),
        unchanged,
    )
    .await?;
    case.hold("the first enrolment", first.is_ok(), format!("{first:?}"));
    sts.say(Says::identity(MANAGEMENT, ARN, "AROAANOTHEREXAMPLE11:i-0123"));
    let answer = attempt(
        hub.ready(),
        case,
        &anybody(),
        |key| place(MANAGEMENT, key),
        unchanged,
    )
    .await?;
    case.refused(
        "the role made anew",
        answer,
        Code::PermissionDenied,
        &["was made anew", "accept the connection again"],
    );
    let log = hub.process().printed();
    let alarm = log
        .lines()
        .any(|line| line.contains("ROLE_REPLACED") && line.contains("ERROR"));
    case.hold("the alarm", alarm, log);
    case.silent("the alarm is in the log of a hub of its own, and looked for there");
    Ok(())
}

/// A hub as in production, which asks AWS: only what is refused before that can be shown.
async fn strict(ground: &Ground) -> Result<(Process, Ready)> {
    let folder = ground.world.folder().join(format!("strict-{}", free_port()?));
    let text = format!(
        "data_dir = \"{}\"\n[management]\naccount = \"{MANAGEMENT}\"\nregion = \"{REGION}\"\n\
         provisioning_role = \"arn:aws:iam::{MANAGEMENT}:role/p\"\npipeline_role = \"arn:aws:iam::{MANAGEMENT}:role/p\"\n\
         [listen]\nenrol = \"127.0.0.1:{}\"\njobs = \"127.0.0.1:{}\"\napi = \"127.0.0.1:{}\"\nadmin = \"127.0.0.1:{}\"\n\
         [access]\nadministrators = [\"arn:aws:iam::{MANAGEMENT}:role/platform-admin\"]\n",
        folder.display(),
        free_port()?,
        free_port()?,
        free_port()?,
        free_port()?
    );
    let mut process = hub_with(&folder, &text)?;
    let found = ready(&folder, &mut process).await?;
    Ok((process, found))
}

/// A change to a proof, and the field that the refusal has to name.
type Spoilt = (&'static str, fn(&mut wire::StsProof), &'static str);

async fn spoilt(ground: &mut Ground, case: &mut Case, all: &[Spoilt]) -> Result<()> {
    let (mut process, ready) = strict(ground).await?;
    for (number, (what, spoil, says)) in all.iter().enumerate() {
        // Challenges are counted by claim and address.
        let account = format!("{:012}", 700_000_000_000_u64 + number as u64);
        let answer = attempt(
            &ready,
            case,
            &anybody(),
            |key| place(&account, key),
            |finish, _| {
                spoil(finish.proof.as_mut().context("a proof")?);
                Ok(())
            },
        )
        .await?;
        case.refused(what, answer, Code::InvalidArgument, &[says]);
    }
    process.alive()?;
    let log = process.printed();
    case.hold(
        "its log",
        log.contains("MALFORMED") && !log.contains("FwoGZXIvYXdzEXAMPLE"),
        log,
    );
    case.silent("the strict hub is another one, and its log is looked at");
    Ok(())
}

/// AT-10
pub(super) async fn regions(ground: &mut Ground, case: &mut Case) -> Result<()> {
    spoilt(
        ground,
        case,
        &[
            ("a host", |proof| proof.region = "evil.com/".to_owned(), "region"),
            (
                "a host behind a Region",
                |proof| proof.region = "us-east-1.evil.com#".to_owned(),
                "region",
            ),
            (
                "a line break",
                |proof| proof.region = "us-east-1\r\nX: y".to_owned(),
                "region",
            ),
            (
                "other dots",
                |proof| proof.region = "us-east-1．evil．com".to_owned(),
                "region",
            ),
            ("nothing", |proof| proof.region = String::new(), "region"),
            ("a kilobyte", |proof| proof.region = "a".repeat(1024), "region"),
            (
                "capitals",
                |proof| proof.region = "US-EAST-1".to_owned(),
                "region",
            ),
            (
                "user and host",
                |proof| proof.region = "us-east-1@evil.com".to_owned(),
                "region",
            ),
            (
                "a path",
                |proof| proof.region = "../us-east-1".to_owned(),
                "region",
            ),
            ("NUL", |proof| proof.region = "us-east-1\0".to_owned(), "region"),
        ],
    )
    .await
}

/// AT-11
pub(super) async fn tokens(ground: &mut Ground, case: &mut Case) -> Result<()> {
    spoilt(
        ground,
        case,
        &[
            (
                "CR LF",
                |proof| proof.session_token = "abc\r\nX-Evil: 1".to_owned(),
                "session_token",
            ),
            (
                "LF",
                |proof| proof.session_token = "abc\n".to_owned(),
                "session_token",
            ),
            (
                "a space",
                |proof| proof.session_token = "a b".to_owned(),
                "session_token",
            ),
            (
                "too long",
                |proof| proof.session_token = "a".repeat(4_097),
                "session_token",
            ),
            (
                "none",
                |proof| proof.session_token = String::new(),
                "session_token",
            ),
        ],
    )
    .await
}

/// AT-12
pub(super) async fn scalars(ground: &mut Ground, case: &mut Case) -> Result<()> {
    spoilt(
        ground,
        case,
        &[
            (
                "CR LF in the signature",
                |proof| proof.signature.replace_range(62.., "\r\n"),
                "signature",
            ),
            (
                "a space in the signature",
                |proof| proof.signature.replace_range(63.., " "),
                "signature",
            ),
            (
                "CR LF in the date",
                |proof| proof.amz_date.push_str("\r\nX: y"),
                "amz_date",
            ),
            (
                "a space in the date",
                |proof| proof.amz_date.replace_range(8..9, " "),
                "amz_date",
            ),
            (
                "the 31st of February",
                |proof| proof.amz_date = "20260231T000000Z".to_owned(),
                "amz_date",
            ),
            (
                "CR LF in the key id",
                |proof| proof.access_key_id.push_str("\r\nX"),
                "access_key_id",
            ),
            (
                "a space in the key id",
                |proof| proof.access_key_id.push(' '),
                "access_key_id",
            ),
            (
                "a slash in the key id",
                |proof| proof.access_key_id.push_str("/20260101/us-east-1"),
                "access_key_id",
            ),
            (
                "no key id",
                |proof| proof.access_key_id = String::new(),
                "access_key_id",
            ),
        ],
    )
    .await
}

/// AT-13
pub(super) async fn signatures(ground: &mut Ground, case: &mut Case) -> Result<()> {
    spoilt(
        ground,
        case,
        &[
            ("capitals", |proof| proof.signature = "A".repeat(64), "signature"),
            ("65 digits", |proof| proof.signature.push('0'), "signature"),
            ("63 digits", |proof| proof.signature.truncate(63), "signature"),
            (
                "other digits",
                |proof| proof.signature = "g".repeat(64),
                "signature",
            ),
            ("none", |proof| proof.signature = String::new(), "signature"),
        ],
    )
    .await
}

/// AT-27
pub(super) async fn long_lived_keys(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let long = |proof: &mut wire::StsProof| {
        proof.access_key_id = "AKIAEXAMPLEEXAMPLE11".to_owned();
        proof.session_token = String::new();
    };
    spoilt(
        ground,
        case,
        &[
            (
                "a key of a user",
                long,
                "long-lived keys (AKIA...) are not accepted here",
            ),
            (
                "with a token",
                |proof| proof.access_key_id = "AKIAEXAMPLEEXAMPLE11".to_owned(),
                "AKIA",
            ),
            (
                "a key of an emulator",
                |proof| proof.access_key_id = MANAGEMENT.to_owned(),
                "access_key_id",
            ),
        ],
    )
    .await
}

/// A proof with fields that nobody knows, named like what an attacker would like to say.
#[derive(Clone, PartialEq, prost::Message)]
struct Extended {
    #[prost(bytes = "vec", tag = "1")]
    proof: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    csr_der: Vec<u8>,
    #[prost(string, tag = "3")]
    url: String,
    #[prost(string, repeated, tag = "4")]
    headers: Vec<String>,
    #[prost(string, tag = "15")]
    body: String,
    #[prost(string, tag = "536870911")]
    account: String,
}

/// AT-14
pub(super) async fn unknown_fields(ground: &mut Ground, case: &mut Case) -> Result<()> {
    use prost::Message as _;
    let Fooled { hub, sts } = fooled(ground).await?;
    let ready = hub.ready();
    let key = forge::key()?;
    let begun = door(ready, case.address)
        .await?
        .begin_enrolment(place(MANAGEMENT, &key))
        .await?
        .into_inner();
    let mut inner = proof(&anybody(), &begun, &ready.hub_id, &key, now())?.encode_to_vec();
    // The same again, as strings of fields 7 to 9 of the proof: url, headers, body.
    for (tag, text) in [
        (7_u8, "http://evil.example/"),
        (8, "X-Evil: 1"),
        (9, "Action=Evil"),
    ] {
        inner.extend([tag << 3 | 2, u8::try_from(text.len())?]);
        inner.extend(text.as_bytes());
    }
    let message = Extended {
        proof: inner,
        csr_der: csr(&key)?,
        url: "http://evil.example/".to_owned(),
        headers: vec!["X-Evil: 1".to_owned()],
        body: "Action=Evil".to_owned(),
        account: PROD.to_owned(),
    };
    let channel = client::channel(ready, &ready.enrol, case.address, None).await?;
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.context("the hub")?;
    let codec = tonic_prost::ProstCodec::<Extended, wire::FinishEnrolmentResponse>::default();
    let path = "/hadron.v1.EnrolmentService/FinishEnrolment"
        .parse()
        .context("a path")?;
    let answer = grpc.unary(tonic::Request::new(message), path, codec).await;
    let asked = sts.asked();
    let one = asked.last().cloned().unwrap_or_default();
    case.input(
        "the request to STS",
        asked.len() == 1
            && one.starts_with("POST / HTTP/1.1\r\n")
            && one.ends_with("\r\n\r\nAction=GetCallerIdentity&Version=2011-06-15")
            && !one.to_ascii_lowercase().contains("evil"),
        &one,
    );
    // They change nothing: neither is it refused, nor is anybody else let in.
    let found = answer.map(|given| given.into_inner());
    case.hold(
        "the certificate",
        found
            .as_ref()
            .is_ok_and(|given| !given.certificate_chain_der.is_empty()),
        format!("{found:?}"),
    );
    if let Ok(given) = found {
        let name = forge::name_in(&forge::pem(&given.certificate_chain_der[0]))?;
        case.hold(
            "the name",
            name.contains(MANAGEMENT) && !name.contains(PROD),
            name,
        );
    }
    case.silent("nothing is refused; the request that STS got is looked at");
    Ok(())
}

/// AT-16
pub(super) async fn redirected(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let Fooled { hub, sts } = fooled(ground).await?;
    let elsewhere = FakeSts::start(Says::identity(MANAGEMENT, ARN, "AROAEXAMPLEEXAMPLE11:i-0123")).await?;
    for status in [
        "302 Found",
        "301 Moved Permanently",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        sts.say(Says {
            status,
            headers: format!("location: {}/\r\n", elsewhere.url),
            body: String::new(),
        });
        let answer = attempt(
            hub.ready(),
            case,
            &anybody(),
            |key| place(MANAGEMENT, key),
            unchanged,
        )
        .await?;
        case.refused(status, answer, Code::Unavailable, &[]);
    }
    case.hold(
        "nobody was asked elsewhere",
        elsewhere.asked().is_empty(),
        format!("{:?}", elsewhere.asked()),
    );
    case.silent("the hub that was fooled is another one");
    Ok(())
}

/// AT-17
pub(super) async fn odd_answers(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let Fooled { hub, sts } = fooled(ground).await?;
    let one = format!(
        r#""GetCallerIdentityResult":{{"Account":"{MANAGEMENT}","Arn":"{ARN}","UserId":"AROAEXAMPLEEXAMPLE11:i"}}"#
    );
    let meta = r#""ResponseMetadata":{"RequestId":"0"}"#;
    let around = |inner: &str| format!(r#"{{"GetCallerIdentityResponse":{{{inner}}}}}"#);
    let twice = one.replacen(
        &format!(r#""Account":"{MANAGEMENT}""#),
        &format!(r#""Account":"{PROD}","Account":"{MANAGEMENT}""#),
        1,
    );
    let more = one.replacen(r#""UserId""#, r#""Account2":"x","UserId""#, 1);
    for (number, (what, body)) in [
        ("two results", around(&format!("{one},{one},{meta}"))),
        ("an account twice", around(&format!("{twice},{meta}"))),
        ("a field more", around(&format!("{more},{meta}"))),
        ("no result", around(meta)),
        ("an array", format!("[{}]", around(&format!("{one},{meta}")))),
        (
            "something behind it",
            format!("{} {}", around(&format!("{one},{meta}")), "{}"),
        ),
        (
            "70 KiB",
            around(&format!("{one},{}", meta.replace('0', &"0".repeat(70 * 1024)))),
        ),
        ("nothing", String::new()),
    ]
    .into_iter()
    .enumerate()
    {
        sts.say(Says::json(body));
        // Challenges are counted by claim and address.
        let mut one = Case::new(case.id, 40, u8::try_from(number + 1)?);
        one.address = std::net::Ipv4Addr::new(127, 40, 17, u8::try_from(number + 1)?).into();
        let answer = attempt(
            hub.ready(),
            &one,
            &anybody(),
            |key| place(MANAGEMENT, key),
            unchanged,
        )
        .await?;
        case.refused(what, answer, Code::Unavailable, &[]);
    }
    case.silent("the hub that was fooled is another one");
    Ok(())
}
