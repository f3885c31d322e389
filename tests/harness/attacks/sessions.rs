//! Agents that are none, and agents that lie: AT-28 to AT-37.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hadron_proto::wire;
use hadron_proto::wire::agent_message::Message as Say;
use hadron_proto::wire::agent_service_client::AgentServiceClient;
use hadron_proto::wire::hub_message::Message as Heard;
use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use super::client;
use super::forge::{self, Forged, Forger, Identity, enrol, name_in, uri};
use super::{Case, Ground};
use crate::hub::Ready;
use crate::{DEV, PROD, paths};

/// A hub's patience with a stream that may not be, and ours.
const SOON: Duration = Duration::from_secs(2);
const ABILITIES: [&str; 8] = [
    "apply_stack",
    "destroy_stack",
    "revoke_stack",
    "set_pull_policy",
    "put_events",
    "fetch_bundle",
    "inspect_stack",
    "put_checkpoints",
];

/// An open session.
struct Session {
    say: mpsc::Sender<wire::AgentMessage>,
    heard: Streaming<wire::HubMessage>,
}

impl Session {
    /// Opens one; the hub has to welcome it.
    async fn open(channel: &Channel) -> Result<Result<Self, Status>> {
        let (say, said) = mpsc::channel(64);
        let hello = wire::Hello {
            agent_version: "0.1.0".to_owned(),
            protocol_min: 1,
            protocol_max: 1,
            capabilities: ABILITIES.map(str::to_owned).to_vec(),
            held: Vec::new(),
        };
        say.send(message(Say::Hello(hello))).await.context("Hello")?;
        let mut client = AgentServiceClient::new(channel.clone());
        let mut heard = match client.session(ReceiverStream::new(said)).await {
            Ok(heard) => heard.into_inner(),
            Err(refused) => return Ok(Err(refused)),
        };
        let welcome = tokio::time::timeout(client::PATIENCE, heard.message())
            .await
            .context("no Welcome")?;
        Ok(match welcome {
            Ok(Some(wire::HubMessage {
                message: Some(Heard::Welcome(_)),
            })) => Ok(Self { say, heard }),
            Ok(other) => Err(Status::unknown(format!("{other:?}"))),
            Err(refused) => Err(refused),
        })
    }

    async fn say(&self, what: Say) {
        // A stream that has ended takes nothing more.
        let _ = self.say.send(message(what)).await;
    }

    /// Waits until the hub has ended the stream; how long that took.
    async fn ends(&mut self, patience: Duration) -> Option<Duration> {
        let began = Instant::now();
        let ending = async { while let Ok(Some(_)) = self.heard.message().await {} };
        tokio::time::timeout(patience, ending).await.ok()?;
        Some(began.elapsed())
    }

    /// Asks for a job, and waits for it.
    async fn job(&mut self) -> Result<wire::Offer> {
        self.say(Say::Demand(wire::Demand { jobs: 1 })).await;
        let waiting = async {
            while let Some(heard) = self.heard.message().await? {
                if let Some(Heard::Offer(offer)) = heard.message {
                    return Ok(offer);
                }
            }
            anyhow::bail!("the stream has ended")
        };
        let offer = tokio::time::timeout(client::PATIENCE, waiting)
            .await
            .context("no job is offered")??;
        self.say(Say::Started(wire::Started {
            token: offer.token.clone(),
        }))
        .await;
        Ok(offer)
    }
}

const fn message(said: Say) -> wire::AgentMessage {
    wire::AgentMessage { message: Some(said) }
}

async fn jobs(ready: &Ready, from: IpAddr, identity: Option<(&str, &str)>) -> Result<Channel> {
    client::channel(ready, &ready.jobs, from, identity).await
}

/// Tries to open a session with a certificate: the refusal, or nothing where the hub opens one.
async fn knock(ready: &Ready, from: IpAddr, identity: Option<(&str, &str)>) -> Option<String> {
    let channel = match jobs(ready, from, identity).await {
        Ok(channel) => channel,
        Err(error) => return Some(format!("{error:#}")),
    };
    match Session::open(&channel).await {
        Ok(Ok(_)) => None,
        Ok(Err(refused)) => Some(format!("{:?}: {}", refused.code(), refused.message())),
        Err(error) => Some(format!("{error:#}")),
    }
}

impl Ground {
    /// A certificate of an agent of this account, whose connection is accepted.
    async fn agent(&mut self, account: &str, from: IpAddr) -> Result<Identity> {
        self.connection(account, "CONNECTED").await?;
        let who = self.agent_role(account).await?;
        enrol(self.world.hub.ready(), from, &who, account)
            .await?
            .map_err(|refused| anyhow::anyhow!("the agent of {account} does not enrol: {refused}"))
    }

    /// Publishes the minimal environment template, once.
    async fn minimal(&mut self) -> Result<()> {
        if self.kept.insert("minimal".to_owned(), String::new()).is_none() {
            let bundle = paths::root().join("deploy/examples/minimal-env/v1");
            self.world
                .publish("environment", "minimal-env", &bundle, &[])
                .await?;
        }
        Ok(())
    }

    /// A job of this account that nobody has taken yet: its id. The environment is made for the first one, and deployed anew
    /// for later ones unless the job still waits.
    async fn waiting_job(&mut self, account: &str) -> Result<String> {
        self.minimal().await?;
        let waiting =
            format!("SELECT id FROM job WHERE account = '{account}' AND status = 'READY' ORDER BY id DESC");
        let first = |rows: Vec<Vec<Option<String>>>| rows.first().and_then(|row| row[0].clone());
        if let Some(known) = first(self.world.rows(&waiting).await?) {
            return Ok(known);
        }
        let connection = self.connection(account, "CONNECTED").await?;
        let (name, spec) = (format!("of-{account}"), "proton: EnvironmentSpec\nspec: {}\n");
        if self
            .kept
            .insert(format!("environment {name}"), String::new())
            .is_none()
        {
            self.admin.create(&name, "minimal-env", &connection, spec).await?;
        } else {
            self.admin.update(&name, spec).await?;
        }
        first(self.world.rows(&waiting).await?).context("the deployment has a job")
    }
}

/// AT-28
pub(super) async fn rejected_meanwhile(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let account = "777777777777";
    let id = ground.connection(account, "CONNECTED").await?;
    let identity = ground.agent(account, case.address).await?;
    let ready = ground.world.hub.ready().clone();
    let channel = jobs(&ready, case.address, Some((&identity.chain, &identity.key))).await?;
    let mut session = Session::open(&channel)
        .await?
        .map_err(|refused| anyhow::anyhow!("{refused}"))?;
    ground
        .world
        .admin
        .ok(&["connection", "reject", &id, "--yes"])
        .await?;
    let took = session.ends(Duration::from_secs(10)).await;
    case.input(
        "the open stream",
        took.is_some_and(|took| took <= SOON),
        format!("{took:?}"),
    );
    // Nothing that is said afterwards counts, on this connection or on another.
    session.say(Say::Demand(wire::Demand { jobs: 1 })).await;
    let report = AgentServiceClient::new(channel.clone())
        .report(wire::ReportRequest {
            token: token("job_0192aaaaaaaa7aaa8aaaaaaaaaaaaaaa", 1),
            outcome: None,
        })
        .await;
    case.input("a report", report.is_err(), format!("{report:?}"));
    let again = Session::open(&channel).await?.map(drop);
    case.refused("another session", again, Code::PermissionDenied, &[]);
    let anew = knock(&ready, case.address, Some((&identity.chain, &identity.key))).await;
    case.input(
        "another connection",
        anew.as_ref()
            .is_some_and(|text| text.contains("PermissionDenied")),
        format!("{anew:?}"),
    );
    case.logged("A session was");
    Ok(())
}

fn token(job: &str, fence: u64) -> Option<wire::JobToken> {
    Some(wire::JobToken {
        job_id: job.to_owned(),
        fence,
    })
}

/// AT-29
pub(super) async fn expired(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let identity = ground.agent(PROD, case.address).await?;
    let forger = Forger::of(&ground.world.hub)?;
    let name = name_in(&identity.chain)?;
    let ready = ground.world.hub.ready().clone();
    for (what, from, until) in [("ended", -3_600, -5), ("not begun", 600, 3_600)] {
        let (chain, key) = forger.sign(Forged {
            names: vec![uri(&name)?],
            usages: vec![ClientAuth],
            from,
            until,
        })?;
        let answer = knock(&ready, case.address, Some((&chain, &key))).await;
        case.input(what, answer.is_some(), "a session was opened");
    }
    case.logged("A TLS handshake failed");
    case.logged("xpired");
    Ok(())
}

/// AT-30
pub(super) async fn outlived(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let identity = ground.agent(PROD, case.address).await?;
    let forger = Forger::of(&ground.world.hub)?;
    let (chain, key) = forger.sign(Forged {
        names: vec![uri(&name_in(&identity.chain)?)?],
        usages: vec![ClientAuth],
        from: -60,
        until: 6,
    })?;
    let ready = ground.world.hub.ready().clone();
    let channel = jobs(&ready, case.address, Some((&chain, &key))).await?;
    let mut session = Session::open(&channel)
        .await?
        .map_err(|refused| anyhow::anyhow!("{refused}"))?;
    let took = session.ends(Duration::from_secs(12)).await;
    case.input(
        "a stream longer than its certificate",
        took.is_some_and(|took| took < Duration::from_secs(9)),
        format!("{took:?}"),
    );
    case.logged("A session was");
    Ok(())
}

/// Every call about a job, with this token.
async fn calls(channel: &Channel, token: Option<wire::JobToken>) -> Vec<(&'static str, Result<(), Status>)> {
    let mut client = AgentServiceClient::new(channel.clone());
    let applied = wire::StackApplied {
        stack_arn: format!("arn:aws:cloudformation:us-east-1:{PROD}:stack/AWSProton-x/1"),
        ..Default::default()
    };
    let report = wire::ReportRequest {
        token: token.clone(),
        outcome: Some(wire::report_request::Outcome::Applied(applied)),
    };
    let delete = wire::DeleteStackByArn {
        stack_arn: format!("arn:aws:cloudformation:us-east-1:{PROD}:stack/AWSProton-x/1"),
    };
    let authorise = wire::AuthoriseRequest {
        token: token.clone(),
        act: Some(wire::authorise_request::Act::Delete(delete)),
    };
    let fetch = wire::FetchContentRequest {
        token: token.clone(),
        kind: wire::fetch_content_request::Kind::Template.into(),
    };
    let put = futures::stream::iter([wire::PutContentRequest {
        token: token.clone(),
        data: vec![0; 16].into(),
    }]);
    let events = wire::PostEventsRequest {
        token,
        events: Vec::new(),
    };
    let authorised = match client.authorise(authorise).await {
        // Leave that is not given is a refusal as well, in words of its own.
        Ok(answer) if !answer.get_ref().granted => Err(Status::aborted(answer.into_inner().refusal)),
        other => other.map(drop),
    };
    vec![
        ("Report", client.report(report).await.map(drop)),
        ("Authorise", authorised),
        ("FetchContent", client.fetch_content(fetch).await.map(drop)),
        ("PutContent", client.put_content(put).await.map(drop)),
        ("PostEvents", client.post_events(events).await.map(drop)),
    ]
}

fn without(text: &str, job: &str) -> String {
    text.replace(job, "JOB")
}

/// AT-31
pub(super) async fn jobs_of_others(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let identity = ground.agent(PROD, case.address).await?;
    let theirs = ground.waiting_job(DEV).await?;
    let never = "job_0192cccccccc7ccc8ccccccccccccccc".to_owned();
    let ready = ground.world.hub.ready().clone();
    let channel = jobs(&ready, case.address, Some((&identity.chain, &identity.key))).await?;
    let _session = Session::open(&channel)
        .await?
        .map_err(|refused| anyhow::anyhow!("{refused}"))?;
    for fence in [0, 1, u64::MAX] {
        let about_theirs = calls(&channel, token(&theirs, fence)).await;
        let about_nothing = calls(&channel, token(&never, fence)).await;
        for ((call, answer), (_, nothing)) in about_theirs.into_iter().zip(about_nothing) {
            // Whatever it says, it says the same of a job that does not exist.
            let same = match (&answer, &nothing) {
                (Err(one), Err(other)) => {
                    one.code() == other.code()
                        && without(one.message(), &theirs) == without(other.message(), &never)
                }
                _ => false,
            };
            case.input(
                format!("{call} with fence {fence}"),
                same,
                format!("{answer:?} instead of {nothing:?}"),
            );
        }
    }
    let rows = ground
        .world
        .rows(&format!("SELECT status FROM job WHERE id = '{theirs}'"))
        .await?;
    let state = rows.first().and_then(|row| row[0].clone()).unwrap_or_default();
    case.hold("their job", state.eq_ignore_ascii_case("ready"), state);
    case.silent(
        "an agent that asks for what does not exist is not told of in a log: it happens after every restore",
    );
    Ok(())
}

/// AT-32
pub(super) async fn guessed_jobs(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let identity = ground.agent(PROD, case.address).await?;
    let theirs = ground.waiting_job(DEV).await?;
    let ready = ground.world.hub.ready().clone();
    let channel = jobs(&ready, case.address, Some((&identity.chain, &identity.key))).await?;
    let _session = Session::open(&channel)
        .await?
        .map_err(|refused| anyhow::anyhow!("{refused}"))?;
    let number = u128::from_str_radix(theirs.trim_start_matches("job_"), 16).context("a job's id")?;
    let mut said = std::collections::BTreeSet::new();
    for step in 0..20_u128 {
        let guess = format!("job_{:032x}", number + step);
        let mut client = AgentServiceClient::new(channel.clone());
        let fetch = wire::FetchContentRequest {
            token: token(&guess, 1),
            kind: wire::fetch_content_request::Kind::Template.into(),
        };
        let answer = client.fetch_content(fetch).await.map(drop);
        let text = answer
            .as_ref()
            .err()
            .map(|refused| format!("{:?} {}", refused.code(), without(refused.message(), &guess)));
        case.input(&guess, answer.is_err(), "it was taken");
        said.extend(text);
    }
    // The first of them is there: nobody sees that.
    case.hold("all alike", said.len() == 1, format!("{said:?}"));
    case.silent("as with AT-31");
    Ok(())
}

/// AT-33
pub(super) async fn forged(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let identity = ground.agent(PROD, case.address).await?;
    let name = name_in(&identity.chain)?;
    let own = Forger::of(&ground.world.hub)?;
    let other = Forger::other(&own.hub)?;
    let ready = ground.world.hub.ready().clone();
    let one = |names: Vec<rcgen::SanType>, usages: &[rcgen::ExtendedKeyUsagePurpose]| Forged {
        names,
        usages: usages.to_vec(),
        from: -60,
        until: 600,
    };
    let server = format!("spiffe://{}/hub", own.hub);
    let account = |account: &str| name.replace(&format!("/account/{PROD}/"), &format!("/account/{account}/"));
    let local: rcgen::SanType = rcgen::SanType::IpAddress(Ipv4Addr::LOCALHOST.into());
    let mut all = vec![
        (
            "of another CA with the same name",
            other.sign(one(vec![uri(&name)?], &[ClientAuth]))?,
        ),
        (
            "of the hub's own servers",
            own.sign(one(vec![uri(&server)?], &[ServerAuth]))?,
        ),
        (
            "of a hub, for clients",
            own.sign(one(vec![uri(&server)?], &[ClientAuth]))?,
        ),
        ("for servers", own.sign(one(vec![uri(&name)?], &[ServerAuth]))?),
        (
            "with two names",
            own.sign(one(vec![uri(&name)?, uri(&account(DEV))?], &[ClientAuth]))?,
        ),
        ("with an address only", own.sign(one(vec![local], &[ClientAuth]))?),
        ("without a name", own.sign(one(Vec::new(), &[ClientAuth]))?),
        (
            "of an agent of another hub",
            own.sign(one(
                vec![uri(
                    &name.replace(&own.hub, "dev-ffffffffffffffffffffffffffffffff")
                )?],
                &[ClientAuth],
            ))?,
        ),
        (
            "with another scheme",
            own.sign(one(
                vec![uri(&name.replace("spiffe://", "https://"))?],
                &[ClientAuth],
            ))?,
        ),
        (
            "with a path more",
            own.sign(one(vec![uri(&format!("{name}/x"))?], &[ClientAuth]))?,
        ),
        (
            "with %2F",
            own.sign(one(
                vec![uri(&name.replace("/agent/", "%2Fagent/"))?],
                &[ClientAuth],
            ))?,
        ),
        // Signed by the right CA, but no row of any account says so: not refused in the handshake, but all the same.
        (
            "of another account's agent",
            own.sign(one(vec![uri(&account(DEV))?], &[ClientAuth]))?,
        ),
    ];
    let (below, certificate) = own.intermediate(-60)?;
    let (chain, key) = below.sign(one(vec![uri(&name)?], &[ClientAuth]))?;
    all.push((
        "below an intermediate that has ended",
        (format!("{chain}{certificate}"), key),
    ));
    let root = forge::pem(other.root());
    let (chain, key) = other.sign(one(vec![uri(&name)?], &[ClientAuth]))?;
    all.push(("with its own root beside it", (format!("{chain}{root}"), key)));
    for (what, (chain, key)) in &all {
        let answer = knock(&ready, case.address, Some((chain, key))).await;
        case.input(
            format!("a certificate {what}"),
            answer.is_some(),
            "a session was opened",
        );
    }
    let right = knock(&ready, case.address, Some((&identity.chain, &identity.key))).await;
    case.hold("the right one", right.is_none(), format!("{right:?}"));
    case.logged("A TLS handshake failed");
    case.logged("invalid peer certificate");
    Ok(())
}

/// AT-34
pub(super) async fn no_certificate(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let identity = ground.agent(PROD, case.address).await?;
    let ready = ground.world.hub.ready().clone();
    let answer = knock(&ready, case.address, None).await;
    case.input("no certificate", answer.is_some(), "a session was opened");

    // With the right certificate, but in an older TLS.
    let mut older = rustls::ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS12])
        .with_root_certificates(roots(&ready)?)
        .with_client_auth_cert(chain_of(&identity.chain)?, key_of(&identity.key)?)
        .context("TLS 1.2")?;
    older.alpn_protocols = vec![b"h2".to_vec()];
    // AWS clients of some age speak no other: the API takes it.
    for (what, url) in [("jobs", &ready.jobs), ("enrol", &ready.enrol)] {
        let answer = client::shake(older.clone(), url, case.address).await;
        case.input(format!("TLS 1.2 at {what}"), answer.is_err(), "it was taken");
    }

    // A chain of a thousand certificates.
    let mut chain = chain_of(&identity.chain)?;
    let leaf = chain[0].clone();
    chain.extend(std::iter::repeat_n(leaf, 999));
    let long = rustls::ClientConfig::builder()
        .with_root_certificates(roots(&ready)?)
        .with_client_auth_cert(chain, key_of(&identity.key)?)
        .context("a long chain")?;
    // A client knows only when it reads whether it was let in.
    let answer = async {
        let mut stream = client::shake(long, &ready.jobs, case.address).await?;
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await
            .context("writing")?;
        let mut some = [0; 9];
        stream.read_exact(&mut some).await.context("reading")?;
        anyhow::Ok(some)
    };
    let answer = tokio::time::timeout(client::PATIENCE, answer)
        .await
        .context("a long chain is looked at for long")?;
    case.input(
        "a thousand certificates",
        answer.is_err(),
        "the hub speaks HTTP/2 with it",
    );

    // Handshakes that stall: others are served meanwhile, and the hub lets go.
    let mut stalled = Vec::new();
    for _ in 0..100 {
        let mut stream = client::tcp(&ready.jobs, case.address).await?;
        stream.write_all(b"\x16\x03\x01").await.context("half a hello")?;
        stalled.push(stream);
    }
    let other: IpAddr = Ipv4Addr::new(127, 42, 34, 1).into();
    let began = Instant::now();
    let right = knock(&ready, other, Some((&identity.chain, &identity.key))).await;
    case.input(
        "a hundred handshakes that stall",
        right.is_none() && began.elapsed() < SOON,
        format!("{right:?} after {:?}", began.elapsed()),
    );
    let mut stream = stalled.swap_remove(0);
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(12), stream.read_to_end(&mut rest)).await;
    case.hold(
        "the hub lets go",
        closed.is_ok(),
        "a stalled handshake is still waited for",
    );

    // No TLS at all.
    let mut plain = client::tcp(&ready.jobs, case.address).await?;
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
        .await
        .context("plain HTTP")?;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(client::PATIENCE, plain.read_to_end(&mut answer)).await;
    case.input(
        "no TLS",
        !answer.starts_with(b"HTTP"),
        String::from_utf8_lossy(&answer),
    );
    case.logged("A TLS handshake failed");
    Ok(())
}

fn roots(ready: &Ready) -> Result<rustls::RootCertStore> {
    let mut roots = rustls::RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(&ready.ca_file).context("the hub's CA")? {
        roots.add(root.context("the hub's CA")?).context("the hub's CA")?;
    }
    Ok(roots)
}

fn chain_of(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .context("a chain")
}

fn key_of(pem: &str) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).context("a key")
}

/// AT-35
pub(super) async fn other_ports(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let identity = ground.agent(PROD, case.address).await?;
    let ready = ground.world.hub.ready().clone();
    let at_jobs = jobs(&ready, case.address, Some((&identity.chain, &identity.key))).await?;
    let key = forge::key()?;
    let answer = wire::enrolment_service_client::EnrolmentServiceClient::new(at_jobs.clone())
        .begin_enrolment(forge::place(PROD, &key))
        .await;
    case.refused("enrolment at the jobs' port", answer, Code::Unimplemented, &[]);
    let who = wire::auth_service_client::AuthServiceClient::new(at_jobs)
        .who_am_i(ground.admin.request(wire::WhoAmIRequest {}))
        .await;
    case.refused("people at the jobs' port", who, Code::Unimplemented, &[]);
    for (what, url) in [("enrol", &ready.enrol), ("api", &ready.api)] {
        let channel =
            client::channel(&ready, url, case.address, Some((&identity.chain, &identity.key))).await?;
        let session = Session::open(&channel).await?.map(drop);
        case.refused(format!("a session at {what}"), session, Code::Unimplemented, &[]);
        let report = AgentServiceClient::new(channel)
            .report(wire::ReportRequest::default())
            .await;
        case.refused(format!("a report at {what}"), report, Code::Unimplemented, &[]);
    }
    let channel = client::channel(&ready, &ready.enrol, case.address, None).await?;
    let who = wire::auth_service_client::AuthServiceClient::new(channel)
        .who_am_i(ground.admin.request(wire::WhoAmIRequest {}))
        .await;
    case.refused("people at the enrolment's port", who, Code::Unimplemented, &[]);
    case.silent("there is no such method at these ports: nothing is reached that could tell of it");
    Ok(())
}

fn applied(outputs: Vec<(String, String)>) -> wire::report_request::Outcome {
    wire::report_request::Outcome::Applied(wire::StackApplied {
        stack_arn: format!("arn:aws:cloudformation:us-east-1:{PROD}:stack/AWSProton-x/1"),
        outputs: outputs
            .into_iter()
            .map(|(key, value)| wire::Output { key, value })
            .collect(),
        ..Default::default()
    })
}

async fn state_of(ground: &Ground, job: &str) -> Result<String> {
    let rows = ground
        .world
        .rows(&format!("SELECT status FROM job WHERE id = '{job}'"))
        .await?;
    Ok(rows.first().and_then(|row| row[0].clone()).unwrap_or_default())
}

/// AT-36
pub(super) async fn reports(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let identity = ground.agent(PROD, case.address).await?;
    let never = ground.waiting_job(PROD).await?;
    let ready = ground.world.hub.ready().clone();
    let channel = jobs(&ready, case.address, Some((&identity.chain, &identity.key))).await?;
    let mut client = AgentServiceClient::new(channel.clone());
    let mut session = Session::open(&channel)
        .await?
        .map_err(|refused| anyhow::anyhow!("{refused}"))?;
    // Own account, but never leased.
    for fence in [0, 1, 2] {
        for (call, answer) in calls(&channel, token(&never, fence)).await {
            case.input(
                format!("{call} of a job never leased, fence {fence}"),
                answer.is_err(),
                "it was taken",
            );
        }
    }
    let offer = session.job().await?;
    let held = offer.token.clone().context("a token")?;
    for fence in [held.fence.wrapping_sub(1), held.fence + 1, 0, u64::MAX] {
        let report = wire::ReportRequest {
            token: token(&held.job_id, fence),
            outcome: Some(applied(Vec::new())),
        };
        case.input(
            format!("fence {fence} of a job held with {}", held.fence),
            client.report(report).await.is_err(),
            "it was taken",
        );
    }
    case.hold(
        "the job is still held",
        !state_of(ground, &held.job_id)
            .await?
            .eq_ignore_ascii_case("finished"),
        "it has ended",
    );
    let failed = wire::report_request::Outcome::Failed(wire::JobFailed {
        kind: wire::FailureKind::Other.into(),
        message: "as the suite wishes".to_owned(),
        ..Default::default()
    });
    let right = client
        .report(wire::ReportRequest {
            token: Some(held.clone()),
            outcome: Some(failed),
        })
        .await;
    case.hold("the right fence", right.is_ok(), format!("{right:?}"));
    let after = wire::ReportRequest {
        token: Some(held.clone()),
        outcome: Some(applied(vec![("Owned".to_owned(), "yes".to_owned())])),
    };
    // Whether it is refused or taken for a repetition: the failure stays.
    let _ = client.report(after).await;
    let shown = ground
        .world
        .admin
        .json(&["deployment", "get", &offer.deployment_id])
        .await?;
    case.input(
        "success after failure",
        shown["status"] == "FAILED" && !shown.to_string().contains("Owned"),
        &shown,
    );
    case.logged("A");
    Ok(())
}

/// Outputs as bytes, which need not be text.
#[derive(Clone, PartialEq, prost::Message)]
struct RawReport {
    #[prost(message, optional, tag = "1")]
    token: Option<wire::JobToken>,
    #[prost(message, optional, tag = "2")]
    applied: Option<RawApplied>,
}
#[derive(Clone, PartialEq, prost::Message)]
struct RawApplied {
    #[prost(string, tag = "1")]
    stack_arn: String,
    #[prost(message, repeated, tag = "2")]
    outputs: Vec<RawOutput>,
}
#[derive(Clone, PartialEq, prost::Message)]
struct RawOutput {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// AT-37
pub(super) async fn outputs(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let identity = ground.agent(PROD, case.address).await?;
    ground.waiting_job(PROD).await?;
    let ready = ground.world.hub.ready().clone();
    let channel = jobs(&ready, case.address, Some((&identity.chain, &identity.key))).await?;
    let mut client = AgentServiceClient::new(channel.clone()).max_encoding_message_size(64 * 1024 * 1024);
    let mut session = Session::open(&channel)
        .await?
        .map_err(|refused| anyhow::anyhow!("{refused}"))?;
    let offer = session.job().await?;
    let held = offer.token.clone().context("a token")?;
    let word = |text: &str| text.to_owned();
    for (what, outputs) in [
        ("10 MB", vec![(word("Url"), "x".repeat(10 * 1024 * 1024))]),
        (
            "10,000 of them",
            (0..10_000).map(|n| (format!("K{n}"), word("x"))).collect(),
        ),
        ("5 KB", vec![(word("Url"), "x".repeat(5_000))]),
        ("a long key", vec![("k".repeat(2_000), word("x"))]),
    ] {
        let report = wire::ReportRequest {
            token: Some(held.clone()),
            outcome: Some(applied(outputs)),
        };
        let answer = client.report(report).await;
        let code = answer.as_ref().err().map(Status::code);
        case.input(
            what,
            matches!(
                code,
                Some(Code::InvalidArgument | Code::OutOfRange | Code::ResourceExhausted)
            ),
            format!("{answer:?}"),
        );
    }
    for (what, key, value) in [
        ("no UTF-8 in a key", &b"\xff\xfe"[..], &b"x"[..]),
        ("no UTF-8 in a value", b"Key", b"\xc3\x28"),
    ] {
        let message = RawReport {
            token: Some(held.clone()),
            applied: Some(RawApplied {
                stack_arn: format!("arn:aws:cloudformation:us-east-1:{PROD}:stack/AWSProton-x/1"),
                outputs: vec![RawOutput {
                    key: key.to_vec(),
                    value: value.to_vec(),
                }],
            }),
        };
        let mut grpc = tonic::client::Grpc::new(channel.clone());
        grpc.ready().await.context("the hub")?;
        let codec = tonic_prost::ProstCodec::<RawReport, wire::ReportResponse>::default();
        let path = "/hadron.v1.AgentService/Report".parse().context("a path")?;
        let answer = grpc.unary(tonic::Request::new(message), path, codec).await;
        case.input(what, answer.is_err(), "it was taken");
    }
    case.hold(
        "the job is still held",
        !state_of(ground, &held.job_id)
            .await?
            .eq_ignore_ascii_case("finished"),
        "it has ended",
    );
    // What is text is kept as what it is, and rendered by nobody.
    let odd = vec![
        (word("{{ 7*7 }}"), word("{% raw %}{{ 7*7 }}")),
        (word("Nul"), word("a\0b")),
    ];
    let report = wire::ReportRequest {
        token: Some(held.clone()),
        outcome: Some(applied(odd)),
    };
    let answer = client.report(report).await;
    let shown = ground
        .world
        .admin
        .json(&["deployment", "get", &offer.deployment_id])
        .await?;
    let outputs = &shown["outputs"];
    let kept = outputs["{{ 7*7 }}"] == "{% raw %}{{ 7*7 }}";
    let code = answer.as_ref().err().map(Status::code);
    case.input(
        "templates and NUL",
        (answer.is_ok() && kept) || code == Some(Code::InvalidArgument),
        format!("{answer:?} {outputs}"),
    );
    // Of the outputs alone: the record around them has times and ids, in which 49 comes by itself.
    case.hold("nobody renders", !outputs.to_string().contains("49"), outputs);
    case.silent("messages of agents that make no sense are answered to the agent, which logs them");

    Ok(())
}
