//! Whoever wants to be an agent and is none: AT-01 to AT-06 and AT-19 to AT-26. What is wrong with the proof itself, or with STS, is
//! in [`proofs`](super::proofs).

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use aws_credential_types::Credentials;
use hadron_proto::wire;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use tonic::Code;

use super::client;
use super::forge::{self, claim, csr, door, now, place, proof};
use super::{Case, Ground};
use crate::hub::{Hub, Ready};
use crate::{DEV, PROD, aws};

const REJECTED: &str = "444444444444";
const DELETED: &str = "555555555555";
const NOBODY: &str = "666666666666";
/// How long a challenge lives.
const LIFE: Duration = Duration::from_secs(61);

/// A challenge that is to be answered too late.
#[derive(Debug)]
pub(super) struct Waiting {
    key: KeyPair,
    begun: wire::BeginEnrolmentResponse,
    since: Instant,
}

async fn begin_waiting(ground: &mut Ground, from: std::net::IpAddr) -> Result<Waiting> {
    let key = forge::key()?;
    let mut door = door(ground.world.hub.ready(), from).await?;
    let begun = door.begin_enrolment(place(PROD, &key)).await?.into_inner();
    Ok(Waiting {
        key,
        begun,
        since: Instant::now(),
    })
}

/// One enrolment with everything right but what the closure changes.
pub(super) async fn attempt(
    ready: &Ready,
    case: &Case,
    who: &Credentials,
    claim: impl FnOnce(&KeyPair) -> wire::BeginEnrolmentRequest,
    change: impl FnOnce(&mut wire::FinishEnrolmentRequest, &KeyPair) -> Result<()>,
) -> Result<Result<wire::FinishEnrolmentResponse, tonic::Status>> {
    let key = forge::key()?;
    let mut door = door(ready, case.address).await?;
    let begun = match door.begin_enrolment(claim(&key)).await {
        Ok(begun) => begun.into_inner(),
        Err(refused) => return Ok(Err(refused)),
    };
    let mut finish = wire::FinishEnrolmentRequest {
        proof: Some(proof(who, &begun, &ready.hub_id, &key, now())?),
        csr_der: csr(&key)?,
    };
    change(&mut finish, &key)?;
    Ok(door
        .finish_enrolment(finish)
        .await
        .map(tonic::Response::into_inner))
}

pub(super) fn unchanged(_: &mut wire::FinishEnrolmentRequest, _: &KeyPair) -> Result<()> {
    Ok(())
}

/// AT-01
pub(super) async fn other_account(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let (own, other) = (ground.agent_role(PROD).await?, ground.agent_role(DEV).await?);
    let connection = ground.connection(PROD, "CONNECTED").await?;
    if ground.waiting.is_empty() {
        let waiting = begin_waiting(ground, case.address).await?;
        ground.waiting.push(waiting);
    }
    let ready = ground.world.hub.ready().clone();
    for by_id in [true, false] {
        let key = forge::key()?;
        let mut door = door(&ready, case.address).await?;
        let claimed = if by_id {
            claim(&connection, &key)
        } else {
            place(PROD, &key)
        };
        let begun = door.begin_enrolment(claimed).await?.into_inner();
        let finish = |who: &Credentials| -> Result<_> {
            Ok(wire::FinishEnrolmentRequest {
                proof: Some(proof(who, &begun, &ready.hub_id, &key, now())?),
                csr_der: csr(&key)?,
            })
        };
        let answer = door.finish_enrolment(finish(&other)?).await;
        let says = "has no such connection at this hub";
        case.refused(
            "another account's proof",
            answer,
            Code::PermissionDenied,
            &[DEV, says],
        );
        // The right one comes too late: whatever failed has used the challenge up.
        let answer = door.finish_enrolment(finish(&own)?).await;
        case.refused(
            "the same challenge again",
            answer,
            Code::Aborted,
            &["begin again"],
        );
    }
    case.logged("NO_CONNECTION");
    case.logged("NO_CHALLENGE");
    Ok(())
}

/// AT-02, AT-03, AT-04
pub(super) async fn pending(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let who = ground.agent_role(DEV).await?;
    let id = ground.connection(DEV, "PENDING").await?;
    let ready = ground.world.hub.ready().clone();
    for by_id in [true, false] {
        let claimed = |key: &KeyPair| if by_id { claim(&id, key) } else { place(DEV, key) };
        let answer = attempt(&ready, case, &who, claimed, unchanged).await?;
        case.refused(
            "not accepted yet",
            answer,
            Code::FailedPrecondition,
            &["hadron connection accept"],
        );
    }
    case.logged("CONNECTION_PENDING");
    Ok(())
}

pub(super) async fn rejected(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let who = ground.agent_role(REJECTED).await?;
    let id = ground.connection(REJECTED, "REJECTED").await?;
    let ready = ground.world.hub.ready().clone();
    for by_id in [true, false] {
        let claimed = |key: &KeyPair| {
            if by_id {
                claim(&id, key)
            } else {
                place(REJECTED, key)
            }
        };
        let answer = attempt(&ready, case, &who, claimed, unchanged).await?;
        case.refused(
            "rejected",
            answer,
            Code::PermissionDenied,
            &["was rejected; request a new one"],
        );
    }
    case.logged("CONNECTION_REJECTED");
    Ok(())
}

pub(super) async fn deleted(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let who = ground.agent_role(DELETED).await?;
    let id = ground.connection(DELETED, "DELETED").await?;
    let ready = ground.world.hub.ready().clone();
    let never = "conn_0192aaaaaaaa7aaa8aaaaaaaaaaaaaaa".to_owned();
    for (what, id) in [("deleted", id), ("never there", never)] {
        let answer = attempt(&ready, case, &who, |key| claim(&id, key), unchanged).await?;
        case.refused(
            what,
            answer,
            Code::PermissionDenied,
            &["has no such connection at this hub"],
        );
    }
    case.logged("NO_CONNECTION");
    Ok(())
}

/// AT-05
pub(super) async fn account_ids(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let ready = ground.world.hub.ready().clone();
    let mut door = door(&ready, case.address).await?;
    let key = forge::key()?;
    let owner = ground.world.owner(PROD).await?;
    let access = client::key_of(&owner).await?;
    case.secret(access.secret.clone());
    let proton = client::Proton::new(&ground.world, case.address)?;
    for account in [
        "*",
        "1234567890",
        "１２３４５６７８９０１２",
        "1111111111111",
        " 11111111111",
        "11111111111a",
        "",
    ] {
        let answer = door.begin_enrolment(place(account, &key)).await;
        case.refused(
            format!("agent of account '{account}'"),
            answer,
            Code::InvalidArgument,
            &["12 digits"],
        );
        let body = serde_json::json!({"environmentName": "x", "managementAccountId": account,
            "roleArn": format!("arn:aws:iam::{PROD}:role/hadron-provisioning")});
        let answer = proton
            .call(&access, "CreateEnvironmentAccountConnection", &body.to_string())
            .await?;
        case.fault(
            format!("connection to account '{account}'"),
            &answer,
            "ValidationException",
            &["managementAccountId"],
        );
    }
    case.logged("MALFORMED");
    case.logged("ValidationException");
    Ok(())
}

/// AT-06
pub(super) async fn other_role(ground: &mut Ground, case: &mut Case) -> Result<()> {
    ground.connection(PROD, "CONNECTED").await?;
    let url = ground.world.emulator.url().to_owned();
    let ready = ground.world.hub.ready().clone();
    for role in ["hadron-agent2", "Hadron-Agent", "hadron-provisioning2"] {
        aws::make_role(&url, PROD, role).await?;
        let who = client::credentials(&aws::assume(&url, PROD, role).await?);
        let answer = attempt(&ready, case, &who, |key| place(PROD, key), unchanged).await?;
        case.refused(
            role,
            answer,
            Code::PermissionDenied,
            &["must run as role hadron-agent"],
        );
    }
    // Somebody calls a session like the role.
    aws::make_role(&url, PROD, "somebody").await?;
    let who = client::credentials(&aws::assume_as(&url, PROD, "somebody", "hadron-agent").await?);
    let answer = attempt(&ready, case, &who, |key| place(PROD, key), unchanged).await?;
    case.refused(
        "a session's name",
        answer,
        Code::PermissionDenied,
        &["must run as role hadron-agent"],
    );
    case.logged("WRONG_IDENTITY");
    Ok(())
}

/// AT-19
pub(super) async fn replayed(ground: &mut Ground, case: &mut Case) -> Result<()> {
    ground.connection(PROD, "CONNECTED").await?;
    let who = ground.agent_role(PROD).await?;
    let ready = ground.world.hub.ready().clone();
    let key = forge::key()?;
    let mut door = door(&ready, case.address).await?;
    let begun = door.begin_enrolment(place(PROD, &key)).await?.into_inner();
    let finish = wire::FinishEnrolmentRequest {
        proof: Some(proof(&who, &begun, &ready.hub_id, &key, now())?),
        csr_der: csr(&key)?,
    };
    let first = door.finish_enrolment(finish.clone()).await;
    case.hold("the first time", first.is_ok(), format!("{first:?}"));
    for time in 2..4 {
        case.refused(
            format!("time {time}"),
            door.finish_enrolment(finish.clone()).await,
            Code::Aborted,
            &["used"],
        );
    }
    // A login is no enrolment: the same proof there.
    let channel = client::channel(&ready, &ready.api, case.address, None).await?;
    let mut auth = wire::auth_service_client::AuthServiceClient::new(channel);
    let login = auth
        .finish_login(wire::FinishLoginRequest {
            proof: finish.proof.clone(),
        })
        .await;
    case.refused("as a login", login, Code::Aborted, &["challenge"]);
    let begun = auth.begin_login(wire::BeginLoginRequest {}).await?.into_inner();
    let mut moved = finish.clone();
    if let Some(proof) = &mut moved.proof {
        proof.challenge_id = begun.challenge_id;
    }
    case.refused(
        "a login's challenge",
        door.finish_enrolment(moved).await,
        Code::Aborted,
        &[],
    );
    case.logged("NO_CHALLENGE");
    Ok(())
}

/// AT-20
pub(super) async fn at_another_hub(ground: &mut Ground, case: &mut Case) -> Result<()> {
    ground.connection(PROD, "CONNECTED").await?;
    let who = ground.agent_role(PROD).await?;
    let first = ground.world.hub.ready().clone();
    // Another hub with the same AWS.
    let folder = ground.world.folder().join("second");
    let second = Hub::start(&folder, ground.world.emulator.url(), "").await?;
    let ready = second.ready();
    let key = forge::key()?;
    let begun_here = door(&first, case.address)
        .await?
        .begin_enrolment(place(PROD, &key))
        .await?
        .into_inner();
    let mut there = door(ready, case.address).await?;
    let captured = proof(&who, &begun_here, &first.hub_id, &key, now())?;
    let finish = wire::FinishEnrolmentRequest {
        proof: Some(captured),
        csr_der: csr(&key)?,
    };
    case.refused(
        "as it is",
        there.finish_enrolment(finish).await,
        Code::Aborted,
        &["challenge"],
    );
    // That hub hands out its own challenge; the agent signs it for the hub that it knows.
    let begun_there = there.begin_enrolment(place(PROD, &key)).await?.into_inner();
    let finish = wire::FinishEnrolmentRequest {
        proof: Some(proof(&who, &begun_there, &first.hub_id, &key, now())?),
        csr_der: csr(&key)?,
    };
    case.refused(
        "with that hub's challenge",
        there.finish_enrolment(finish).await,
        Code::PermissionDenied,
        &["STS"],
    );
    // And the other way round: the second hub passes the first one's challenge on as its own.
    let finish = wire::FinishEnrolmentRequest {
        proof: Some(proof(&who, &begun_here, &ready.hub_id, &key, now())?),
        csr_der: csr(&key)?,
    };
    let answer = door(&first, case.address).await?.finish_enrolment(finish).await;
    case.refused(
        "signed for that hub, used here",
        answer,
        Code::PermissionDenied,
        &["STS"],
    );
    case.logged("An enrolment failed");
    Ok(())
}

/// AT-21
pub(super) async fn too_late(ground: &mut Ground, case: &mut Case) -> Result<()> {
    ground.connection(PROD, "CONNECTED").await?;
    let who = ground.agent_role(PROD).await?;
    let waiting = match ground.waiting.pop() {
        Some(waiting) => waiting,
        None => begin_waiting(ground, case.address).await?,
    };
    tokio::time::sleep(LIFE.saturating_sub(waiting.since.elapsed())).await;
    let ready = ground.world.hub.ready().clone();
    let finish = wire::FinishEnrolmentRequest {
        proof: Some(proof(&who, &waiting.begun, &ready.hub_id, &waiting.key, now())?),
        csr_der: csr(&waiting.key)?,
    };
    let answer = door(&ready, case.address).await?.finish_enrolment(finish).await;
    case.refused("61 s later", answer, Code::Aborted, &["older than 60 s"]);
    case.logged("NO_CHALLENGE");
    Ok(())
}

/// AT-22
pub(super) async fn other_times(ground: &mut Ground, case: &mut Case) -> Result<()> {
    ground.connection(PROD, "CONNECTED").await?;
    let who = ground.agent_role(PROD).await?;
    let ready = ground.world.hub.ready().clone();
    for minutes in [-6_i64, 6, -60 * 24, 60 * 24 * 365] {
        let key = forge::key()?;
        let mut door = door(&ready, case.address).await?;
        let begun = door.begin_enrolment(place(PROD, &key)).await?.into_inner();
        let by = Duration::from_secs(minutes.unsigned_abs() * 60);
        let at = if minutes < 0 {
            now().minus(by)
        } else {
            now().plus(by)
        };
        let finish = wire::FinishEnrolmentRequest {
            proof: Some(proof(&who, &begun, &ready.hub_id, &key, at)?),
            csr_der: csr(&key)?,
        };
        let answer = door.finish_enrolment(finish).await;
        case.refused(
            format!("{minutes} min"),
            answer,
            Code::InvalidArgument,
            &["within 120 s"],
        );
    }
    case.logged("STALE_PROOF");
    Ok(())
}

/// AT-23
pub(super) async fn another_key(ground: &mut Ground, case: &mut Case) -> Result<()> {
    ground.connection(PROD, "CONNECTED").await?;
    let who = ground.agent_role(PROD).await?;
    let ready = ground.world.hub.ready().clone();
    let mine = forge::key()?;
    let other = csr(&mine)?;
    let answer = attempt(
        &ready,
        case,
        &who,
        |key| place(PROD, key),
        |finish, _| {
            finish.csr_der.clone_from(&other);
            Ok(())
        },
    )
    .await?;
    case.refused(
        "a request for another key",
        answer,
        Code::InvalidArgument,
        &["another key"],
    );
    // The attacker begins with a key of theirs and uses the proof of an agent that signed for its own.
    let key = forge::key()?;
    let mut door = door(&ready, case.address).await?;
    let begun = door.begin_enrolment(place(PROD, &mine)).await?.into_inner();
    let finish = wire::FinishEnrolmentRequest {
        proof: Some(proof(&who, &begun, &ready.hub_id, &key, now())?),
        csr_der: csr(&mine)?,
    };
    let answer = door.finish_enrolment(finish).await;
    case.refused(
        "a proof for another key",
        answer,
        Code::PermissionDenied,
        &["STS"],
    );
    case.logged("OTHER_KEY");
    Ok(())
}

/// What makes a request for a certificate none.
type Spoil = fn(&mut Vec<u8>);

/// AT-24
pub(super) async fn requests_for_certificates(ground: &mut Ground, case: &mut Case) -> Result<()> {
    ground.connection(PROD, "CONNECTED").await?;
    let who = ground.agent_role(PROD).await?;
    let ready = ground.world.hub.ready().clone();
    // What it asks for is ignored.
    let hub = ready.hub_id.clone();
    let answer = attempt(&ready, case, &who, |key| place(PROD, key), |finish, key| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.subject_alt_names = vec![
            forge::uri(&format!("spiffe://{hub}/account/{DEV}/connection/conn_0192aaaaaaaa7aaa8aaaaaaaaaaaaaaa/agent/agt_0192aaaaaaaa7aaa8aaaaaaaaaaaaaaa"))?,
            rcgen::SanType::DnsName("localhost".try_into()?),
        ];
        finish.csr_der = params.serialize_request(key)?.der().to_vec();
        Ok(())
    })
    .await?;
    match answer {
        Ok(given) => {
            let certificate = forge::pem(&given.certificate_chain_der[0]);
            let name = forge::name_in(&certificate)?;
            let right = name.contains(&format!("/account/{PROD}/")) && !name.contains(DEV);
            case.input("another account's name in it", right, name);
            let (_, read) = x509_parser::parse_x509_certificate(&given.certificate_chain_der[0])
                .map_err(|error| anyhow::anyhow!("the certificate: {error}"))?;
            case.hold("a CA", !read.is_ca(), "the certificate is a CA's");
        }
        // As good.
        Err(refused) => case.input(
            "another account's name in it",
            refused.code() == Code::InvalidArgument,
            refused,
        ),
    }
    let spoil: [(&str, Spoil); 5] = [
        ("a signature that is none", |csr| {
            if let Some(last) = csr.last_mut() {
                *last ^= 1;
            }
        }),
        ("cut off", |csr| csr.truncate(40)),
        ("bytes behind it", |csr| csr.extend([0; 8])),
        ("nothing", Vec::clear),
        ("no DER", |csr| {
            *csr = b"-----BEGIN CERTIFICATE REQUEST-----".to_vec()
        }),
    ];
    for (number, (what, spoil)) in spoil.into_iter().enumerate() {
        let mut own = Case::new(case.id, 0, 0);
        own.address = std::net::Ipv4Addr::new(127, 40, 24, u8::try_from(number + 1)?).into();
        let answer = attempt(
            &ready,
            &own,
            &who,
            |key| place(PROD, key),
            |finish, _| {
                spoil(&mut finish.csr_der);
                Ok(())
            },
        )
        .await?;
        case.refused(what, answer, Code::InvalidArgument, &[]);
    }
    for (number, (what, algorithm)) in [("P-384", &PKCS_ECDSA_P384_SHA384), ("Ed25519", &PKCS_ED25519)]
        .into_iter()
        .enumerate()
    {
        let key = KeyPair::generate_for(algorithm).context("a key")?;
        let from = std::net::Ipv4Addr::new(127, 40, 25, u8::try_from(number + 1)?).into();
        let mut door = door(&ready, from).await?;
        let begun = door.begin_enrolment(place(PROD, &key)).await?.into_inner();
        let finish = wire::FinishEnrolmentRequest {
            proof: Some(proof(&who, &begun, &ready.hub_id, &key, now())?),
            csr_der: csr(&key)?,
        };
        case.refused(
            what,
            door.finish_enrolment(finish).await,
            Code::InvalidArgument,
            &["P-256"],
        );
    }
    case.logged("MALFORMED");
    Ok(())
}

/// AT-25
pub(super) async fn challenges(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let connection = ground.connection(PROD, "CONNECTED").await?;
    let ready = ground.world.hub.ready().clone();
    let key = forge::key()?;
    let never = "conn_0192bbbbbbbb7bbb8bbbbbbbbbbbbbbb";
    let claims = [
        ("a connection", claim(&connection, &key)),
        ("no connection", claim(never, &key)),
        ("an account with one", place(PROD, &key)),
        ("an account without", place(NOBODY, &key)),
    ];
    let mut seen = Vec::new();
    for (number, (what, claim)) in claims.into_iter().enumerate() {
        // Six from one address, then from twelve others until all sixty are open.
        let mut answers = Vec::new();
        for other in 0..14_u8 {
            let from = std::net::Ipv4Addr::new(127, 41, u8::try_from(number + 1)?, other + 1).into();
            let mut door = door(&ready, from).await?;
            for _ in 0..6 {
                case.inputs += 1;
                let begun = door.begin_enrolment(claim.clone()).await;
                answers.push(
                    begun
                        .map(|_| ())
                        .map_err(|refused| (refused.code(), refused.message().to_owned())),
                );
            }
        }
        let given = answers.iter().filter(|answer| answer.is_ok()).count();
        let refused = answers[5].as_ref().err().map(|(code, _)| *code);
        // Some of the sixty of a real connection are open already from attacks before; none of another address.
        case.hold(
            what,
            given <= 60 && refused == Some(Code::ResourceExhausted),
            format!("{given} given, {refused:?}"),
        );
        seen.push(answers);
    }
    // Nobody learns from the answers which of them there is.
    case.hold(
        "what is there",
        seen[1] == seen[0] || seen[0].iter().filter(|answer| answer.is_ok()).count() < 60,
        format!("{seen:?}"),
    );
    case.hold(
        "one address",
        seen.iter().all(|answers| answers[..6] == seen[3][..6]),
        format!(
            "{:?}",
            seen.iter().map(|answers| &answers[..6]).collect::<Vec<_>>()
        ),
    );
    case.logged("TOO_MANY_ENROLMENTS");
    Ok(())
}

/// AT-26
pub(super) async fn two_at_once(ground: &mut Ground, case: &mut Case) -> Result<()> {
    ground.connection(PROD, "CONNECTED").await?;
    let who = ground.agent_role(PROD).await?;
    let ready = ground.world.hub.ready().clone();
    for _ in 0..3 {
        let key = forge::key()?;
        let mut first = door(&ready, case.address).await?;
        let begun = first.begin_enrolment(place(PROD, &key)).await?.into_inner();
        let finish = wire::FinishEnrolmentRequest {
            proof: Some(proof(&who, &begun, &ready.hub_id, &key, now())?),
            csr_der: csr(&key)?,
        };
        let mut doors = Vec::new();
        for _ in 0..4 {
            doors.push(door(&ready, case.address).await?);
        }
        let answers =
            futures::future::join_all(doors.iter_mut().map(|door| door.finish_enrolment(finish.clone())))
                .await;
        let given = answers.iter().filter(|answer| answer.is_ok()).count();
        let codes: Vec<Code> = answers
            .iter()
            .filter_map(|answer| answer.as_ref().err())
            .map(tonic::Status::code)
            .collect();
        case.input(
            "four answers to one challenge",
            given == 1 && codes.iter().all(|code| *code == Code::Aborted),
            format!("{given} certificates, {codes:?}"),
        );
    }
    case.logged("NO_CHALLENGE");
    Ok(())
}

/// The hash that a beginning names is the key's.
#[cfg(test)]
mod tests {
    use super::super::forge::spki;
    use super::*;

    #[test]
    fn a_claim_names_its_key() {
        let key = forge::key().expect("a key");
        assert_eq!(place(PROD, &key).spki_sha256, spki(&key));
    }
}
