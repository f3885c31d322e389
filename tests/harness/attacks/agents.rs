//! A hub in hostile hands, and a real agent that is to refuse what it asks for: AT-38 to AT-41, AT-44.
//!
//! The agent enrols at the real hub and then dials a job listener of the suite's, which has a certificate of the real hub's
//! CA: what somebody has who took the hub over. Its account's owner has set `[limits]` and `[roles]`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::Stream;
use hadron_proto::vocab::Digest;
use hadron_proto::wire;
use hadron_proto::wire::agent_message::Message as Said;
use hadron_proto::wire::agent_service_server::{AgentService, AgentServiceServer};
use hadron_proto::wire::hub_message::Message as Say;
use hadron_proto::wire::offer::Work;
use hadron_proto::wire::report_request::Outcome;
use rcgen::ExtendedKeyUsagePurpose::ServerAuth;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use super::forge::{self, Forged, Forger, uri};
use super::{Case, Ground};
use crate::agent::{self, Agent};
use crate::hub::Ready;
use crate::{MANAGEMENT, PROD, REGION, wait};

const LIMITS: &str = "stack_prefix = \"AWSProton-\"\ndenied_resource_types = [\"AWS::IAM::*\", \"AWS::CloudFormation::Stack\"]\nmax_template_bytes = 100000\n";

/// What a hostile hub says and hears.
#[derive(Default)]
struct Inner {
    hub: String,
    session: Mutex<Option<mpsc::Sender<Result<wire::HubMessage, Status>>>>,
    templates: Mutex<HashMap<String, Vec<u8>>>,
    outcomes: Mutex<HashMap<String, Outcome>>,
    authorised: Mutex<Vec<wire::AuthoriseRequest>>,
}

fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone)]
struct Hostile(Arc<Inner>);

type Stream_<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn job(token: Option<&wire::JobToken>) -> String {
    token.map(|token| token.job_id.clone()).unwrap_or_default()
}

const fn says(what: Say) -> Result<wire::HubMessage, Status> {
    Ok(wire::HubMessage { message: Some(what) })
}

#[tonic::async_trait]
impl AgentService for Hostile {
    type SessionStream = Stream_<wire::HubMessage>;
    type FetchContentStream = Stream_<wire::ContentChunk>;

    async fn session(
        &self,
        request: Request<Streaming<wire::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (say, said) = mpsc::channel(64);
        let mut heard = request.into_inner();
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move {
            while let Ok(Some(message)) = heard.message().await {
                let answer = match message.message {
                    Some(Said::Hello(_)) => Say::Welcome(wire::Welcome {
                        session_id: "ses_0192aaaaaaaa7aaa8aaaaaaaaaaaaaaa".to_owned(),
                        hub_id: inner.hub.clone(),
                        hub_version: "0.1.0".to_owned(),
                        protocol: 1,
                        heartbeat_every: Some(prost_types::Duration { seconds: 5, nanos: 0 }),
                        lease: Some(prost_types::Duration {
                            seconds: 60,
                            nanos: 0,
                        }),
                        resumed: Vec::new(),
                        roots_der: Vec::new(),
                    }),
                    Some(Said::Heartbeat(beat)) => Say::HeartbeatReply(wire::HeartbeatReply {
                        sequence: beat.sequence,
                        renewed: beat.held,
                    }),
                    Some(Said::Handover(back)) => {
                        // What cannot be read is given back; that is a refusal as well.
                        let failed = wire::JobFailed {
                            kind: wire::FailureKind::Other.into(),
                            message: format!("handed back: {}", back.step),
                            ..Default::default()
                        };
                        locked(&inner.outcomes).insert(job(back.token.as_ref()), Outcome::Failed(failed));
                        continue;
                    }
                    _ => continue,
                };
                if say.send(says(answer)).await.is_err() {
                    return;
                }
                *locked(&inner.session) = Some(say.clone());
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(said))))
    }

    async fn fetch_content(
        &self,
        request: Request<wire::FetchContentRequest>,
    ) -> Result<Response<Self::FetchContentStream>, Status> {
        let job = job(request.get_ref().token.as_ref());
        let template = locked(&self.0.templates).get(&job).cloned().unwrap_or_default();
        let chunks: Vec<_> = template
            .chunks(60_000)
            .map(|data| {
                Ok(wire::ContentChunk {
                    data: data.to_vec().into(),
                })
            })
            .collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(chunks))))
    }

    async fn put_content(
        &self,
        request: Request<Streaming<wire::PutContentRequest>>,
    ) -> Result<Response<wire::PutContentResponse>, Status> {
        let mut all = Vec::new();
        let mut chunks = request.into_inner();
        while let Some(Ok(chunk)) = chunks.next().await {
            all.extend(chunk.data);
        }
        Ok(Response::new(wire::PutContentResponse {
            digest: Digest::of(&all).to_string(),
        }))
    }

    async fn authorise(
        &self,
        request: Request<wire::AuthoriseRequest>,
    ) -> Result<Response<wire::AuthoriseResponse>, Status> {
        locked(&self.0.authorised).push(request.into_inner());
        Ok(Response::new(wire::AuthoriseResponse {
            granted: true,
            refusal: String::new(),
        }))
    }

    async fn post_events(
        &self,
        _: Request<wire::PostEventsRequest>,
    ) -> Result<Response<wire::PostEventsResponse>, Status> {
        Ok(Response::new(wire::PostEventsResponse {}))
    }

    async fn report(
        &self,
        request: Request<wire::ReportRequest>,
    ) -> Result<Response<wire::ReportResponse>, Status> {
        let report = request.into_inner();
        if let Some(outcome) = report.outcome {
            locked(&self.0.outcomes).insert(job(report.token.as_ref()), outcome);
        }
        Ok(Response::new(wire::ReportResponse {}))
    }
}

/// A hostile hub with an agent that believes it.
pub(super) struct Captured {
    account: &'static str,
    hub: Hostile,
    agent: Agent,
    server: tokio::task::JoinHandle<()>,
    last: u64,
}

impl std::fmt::Debug for Captured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Captured")
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Captured {
    /// Starts both for an account.
    async fn start(ground: &mut Ground, account: &'static str) -> Result<Self> {
        if account != MANAGEMENT {
            ground.connection(account, "CONNECTED").await?;
        }
        let credentials = agent::roles(ground.world.emulator.url(), account).await?;
        let forger = Forger::of(&ground.world.hub)?;
        let (chain, key) = forger.sign(Forged {
            names: vec![
                uri(&format!("spiffe://{}/hub", forger.hub))?,
                rcgen::SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            ],
            usages: vec![ServerAuth],
            from: -60,
            until: 3_600,
        })?;
        let chain = format!("{chain}{}", forge::pem(forger.root()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .context("a hostile hub")?;
        let address = listener.local_addr().context("a hostile hub")?;
        let hub = Hostile(Arc::new(Inner {
            hub: forger.hub.clone(),
            ..Inner::default()
        }));
        let service = AgentServiceServer::new(hub.clone());
        let mut server = Server::builder()
            .tls_config(ServerTlsConfig::new().identity(Identity::from_pem(chain, key)))
            .context("TLS")?;
        let serving = server
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        let server = tokio::spawn(async move {
            // It ends with the suite.
            let _ = serving.await;
        });
        let ready = Ready {
            jobs: format!("https://{address}"),
            ..ground.world.hub.ready().clone()
        };
        let folder = ground.world.folder().join(format!("captured-{account}"));
        std::fs::create_dir_all(&folder).context("a folder")?;
        let url = ground.world.emulator.url().to_owned();
        let agent = Agent::start(&folder, account, &ready, &url, &credentials, LIMITS)?;
        let captured = Self {
            account,
            hub,
            agent,
            server,
            last: 0,
        };
        wait::until(
            "the agent to come to the hostile hub",
            Duration::from_secs(60),
            || async { Ok(locked(&captured.hub.0.session).is_some().then_some(())) },
        )
        .await?;
        Ok(captured)
    }

    /// Offers work, and waits for what the agent reports. The account's calls of CloudFormation meanwhile that change
    /// something.
    async fn offer(
        &mut self,
        ground: &Ground,
        work: Work,
        template: &[u8],
        change: impl FnOnce(&mut wire::Offer),
    ) -> Result<(Outcome, Vec<String>)> {
        self.last += 1;
        let id = format!("job_0192aaaa{:04x}7aaa8aaaaaaaaaaaaaaa", self.last);
        locked(&self.hub.0.templates).insert(id.clone(), template.to_vec());
        let since = ground.world.emulator.last_call().await?;
        let mut offer = wire::Offer {
            token: Some(wire::JobToken {
                job_id: id.clone(),
                fence: 1,
            }),
            attempt: 1,
            lease: Some(prost_types::Duration {
                seconds: 60,
                nanos: 0,
            }),
            deployment_id: format!("dpl_0192aaaa{:04x}7aaa8aaaaaaaaaaaaaaa", self.last),
            label: "the wish of somebody hostile".to_owned(),
            account_id: self.account.to_owned(),
            region: REGION.to_owned(),
            work: Some(work),
            traceparent: String::new(),
        };
        change(&mut offer);
        let session = locked(&self.hub.0.session).clone().context("a session")?;
        session
            .send(says(Say::Offer(offer)))
            .await
            .context("the session has ended")?;
        let hub = self.hub.clone();
        let outcome = wait::until("the agent to report", Duration::from_secs(60), || async {
            Ok(locked(&hub.0.outcomes).get(&id).cloned())
        })
        .await?;
        let calls = ground.world.emulator.calls(since).await?;
        let changes = calls
            .iter()
            .filter(|call| call["account"] == self.account)
            .filter_map(|call| call["action"].as_str())
            .filter(|action| {
                !["Get", "Describe", "List"]
                    .iter()
                    .any(|read| action.starts_with(read))
            })
            .map(str::to_owned);
        let changes = changes.collect();
        self.agent.process().alive()?;
        Ok((outcome, changes))
    }

    /// Offers work that has to be refused under this rule, before AWS is asked to change anything.
    async fn refuses(
        &mut self,
        ground: &Ground,
        case: &mut Case,
        what: &str,
        work: Work,
        rule: &str,
        change: impl FnOnce(&mut wire::Offer),
    ) -> Result<()> {
        let (outcome, changes) = self.offer(ground, work, TEMPLATE, change).await?;
        let right = matches!(&outcome, Outcome::Failed(failed)
            if failed.kind() == wire::FailureKind::LocalPolicy && failed.message.contains(rule));
        case.input(
            what,
            right && changes.is_empty(),
            format!("{outcome:?}, AWS was asked to {changes:?}"),
        );
        Ok(())
    }
}

const TEMPLATE: &[u8] = b"Resources:\n  Notices:\n    Type: AWS::SNS::Topic\n";

fn apply(template: &[u8]) -> wire::ApplyStack {
    wire::ApplyStack {
        stack_name: "AWSProton-attacked".to_owned(),
        template_digest: Digest::of(template).to_string(),
        template_bytes: template.len() as u64,
        role_kind: wire::RoleKind::Provisioning.into(),
        role_arn: format!("arn:aws:iam::{PROD}:role/hadron-provisioning"),
        resource_types: vec!["AWS::SNS::Topic".to_owned()],
        never_succeeded: true,
        ..Default::default()
    }
}

fn works(change: impl Fn(&mut wire::ApplyStack)) -> Work {
    let mut apply = apply(TEMPLATE);
    change(&mut apply);
    Work::ApplyStack(apply)
}

/// The captured agent of a group, started for the first attack that needs it.
async fn captured(ground: &mut Ground) -> Result<Captured> {
    match ground.captured.take() {
        Some(captured) => Ok(captured),
        None => Box::pin(Captured::start(ground, PROD)).await,
    }
}

/// That of the management account, which writes the policies of repositories.
async fn registrar(ground: &mut Ground) -> Result<Captured> {
    match ground.registrar.take() {
        Some(captured) => Ok(captured),
        None => {
            ground.world.repository(REPOSITORY).await?;
            Box::pin(Captured::start(ground, MANAGEMENT)).await
        }
    }
}

const REPOSITORY: &str = "attacked/app";

const SILENT: &str = "what the agent refuses is in its report and in its own log, which is looked at";

async fn told(captured: &mut Captured, case: &mut Case, words: &str) {
    let log = captured.agent.process().printed();
    let lines: Vec<&str> = log.lines().rev().take(5).collect();
    case.hold(
        "the agent's log",
        log.contains(words),
        format!("no '{words}' in {lines:?}"),
    );
    case.silent(SILENT);
}

/// AT-38
pub(super) async fn other_roles(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let mut it = captured(ground).await?;
    for role in [
        format!("arn:aws:iam::{PROD}:role/admin"),
        format!("arn:aws:iam::{PROD}:role/hadron-provisioning2"),
        format!("arn:aws:iam::{PROD}:role/path/hadron-provisioning"),
        format!("arn:aws:iam::{MANAGEMENT}:role/hadron-provisioning"),
        format!("arn:aws:iam::{PROD}:role/{}", agent::COMPONENTS),
    ] {
        let work = works(|apply| apply.role_arn.clone_from(&role));
        it.refuses(ground, case, &role, work, "roles.provisioning", |_| ())
            .await?;
    }
    // In this account no role is for pipelines.
    let work = works(|apply| {
        apply.role_kind = wire::RoleKind::Pipeline.into();
        apply.role_arn.clear();
    });
    it.refuses(ground, case, "a pipeline", work, "roles.pipeline", |_| ())
        .await?;
    told(&mut it, case, "roles.provisioning").await;
    ground.captured = Some(it);
    Ok(())
}

/// AT-39
pub(super) async fn other_stacks(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let mut it = captured(ground).await?;
    for name in [
        "production-database",
        "awsproton-x",
        "AWSProton",
        "xAWSProton-a",
        "",
    ] {
        let work = works(|apply| apply.stack_name = name.to_owned());
        it.refuses(
            ground,
            case,
            &format!("stack '{name}'"),
            work,
            "limits.stack_prefix",
            |_| (),
        )
        .await?;
    }
    let foreign = format!(
        "arn:aws:cloudformation:{REGION}:{PROD}:stack/production-database/0a1b2c3d-0000-4000-8000-000000000001"
    );
    let work = works(|apply| apply.stack_arn.clone_from(&foreign));
    it.refuses(
        ground,
        case,
        "another stack's ARN",
        work,
        "limits.stack_prefix",
        |_| (),
    )
    .await?;
    let destroy = Work::DestroyStack(wire::DestroyStack {
        stack_name: "AWSProton-x".to_owned(),
        stack_arn: foreign.clone(),
        role_kind: wire::RoleKind::Provisioning.into(),
        ..Default::default()
    });
    it.refuses(
        ground,
        case,
        "deleting another stack",
        destroy,
        "limits.stack_prefix",
        |_| (),
    )
    .await?;
    let elsewhere = format!(
        "arn:aws:cloudformation:{REGION}:{MANAGEMENT}:stack/AWSProton-x/0a1b2c3d-0000-4000-8000-000000000001"
    );
    let work = works(|apply| apply.stack_arn.clone_from(&elsewhere));
    it.refuses(
        ground,
        case,
        "a stack of another account",
        work,
        "account",
        |_| (),
    )
    .await?;
    told(&mut it, case, "limits.stack_prefix").await;
    ground.captured = Some(it);
    Ok(())
}

/// AT-40, the half about digests. The agent gives such a job back: what the hub sent may have been cut off on its way.
pub(super) async fn other_templates(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let mut it = captured(ground).await?;
    let evil = b"Resources:\n  Admin:\n    Type: AWS::IAM::User\n".as_slice();
    for (what, announced, sent) in [
        ("another template than announced", TEMPLATE, evil),
        (
            "one byte more",
            TEMPLATE,
            b"Resources:\n  Notices:\n    Type: AWS::SNS::Topic\n\n".as_slice(),
        ),
        ("nothing", TEMPLATE, b"".as_slice()),
    ] {
        let (outcome, changes) = it
            .offer(ground, Work::ApplyStack(apply(announced)), sent, |_| ())
            .await?;
        let right = matches!(&outcome, Outcome::Failed(failed) if ["is not", "handed back"].iter().any(|word| failed.message.contains(word)));
        let clean = !changes
            .iter()
            .any(|action| action.contains("ChangeSet") || action.contains("Stack"));
        case.input(
            what,
            right && clean,
            format!("{outcome:?}, AWS was asked to {changes:?}"),
        );
    }
    // Larger than the owner allows, as announced.
    let work = works(|apply| apply.template_bytes = 100_001);
    it.refuses(
        ground,
        case,
        "a template of 100,001 bytes",
        work,
        "limits.max_template_bytes",
        |_| (),
    )
    .await?;
    told(&mut it, case, "the template that the hub sent is not").await;
    ground.captured = Some(it);
    Ok(())
}

/// AT-41
pub(super) async fn other_regions(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let mut it = captured(ground).await?;
    for region in ["eu-west-1", "us-east-2"] {
        it.refuses(ground, case, region, works(|_| ()), "region", |offer| {
            offer.region = region.to_owned()
        })
        .await?;
    }
    it.refuses(
        ground,
        case,
        "another account",
        works(|_| ()),
        "account",
        |offer| offer.account_id = MANAGEMENT.to_owned(),
    )
    .await?;
    told(&mut it, case, "this agent acts only in").await;
    ground.captured = Some(it);
    Ok(())
}

/// AT-44
pub(super) async fn nested_stacks(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let mut it = captured(ground).await?;
    for (what, kind) in [
        ("a nested stack", "AWS::CloudFormation::Stack"),
        ("a user", "AWS::IAM::User"),
        ("in other letters", "aws::iam::role"),
    ] {
        let work = works(|apply| apply.resource_types = vec![kind.to_owned()]);
        it.refuses(
            ground,
            case,
            &format!("{what}, announced"),
            work,
            "limits.denied_resource_types",
            |_| (),
        )
        .await?;
    }
    // The hub hides it: CloudFormation's own change set tells.
    let nested = b"Resources:\n  Nested:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      TemplateURL: https://s3.us-east-1.amazonaws.com/somebody-elses/evil.yaml\n".as_slice();
    let user = b"Resources:\n  Admin:\n    Type: AWS::IAM::User\n".as_slice();
    for (what, template) in [("a nested stack, hidden", nested), ("a user, hidden", user)] {
        let mut hidden = apply(template);
        hidden.capabilities = vec![
            "CAPABILITY_IAM".to_owned(),
            "CAPABILITY_NAMED_IAM".to_owned(),
            "CAPABILITY_AUTO_EXPAND".to_owned(),
        ];
        let (outcome, changes) = it
            .offer(ground, Work::ApplyStack(hidden), template, |_| ())
            .await?;
        let right = matches!(&outcome, Outcome::Failed(failed)
            if failed.kind() == wire::FailureKind::LocalPolicy && failed.message.contains("limits.denied_resource_types"));
        let executed = changes.iter().any(|action| action.contains("Execute"));
        case.input(
            what,
            right && !executed,
            format!("{outcome:?}, AWS was asked to {changes:?}"),
        );
    }
    told(&mut it, case, "limits.denied_resource_types").await;
    ground.captured = Some(it);
    Ok(())
}

fn grant(repository: &str, readers: &[&str]) -> Work {
    Work::SetPullPolicy(wire::SetPullPolicy {
        repository: repository.to_owned(),
        readers: readers.iter().map(|reader| (*reader).to_owned()).collect(),
    })
}

/// Wants pulls granted; the agent has to fail, and the policy to stay as it is.
async fn not_granted(
    it: &mut Captured,
    ground: &Ground,
    case: &mut Case,
    what: &str,
    work: Work,
    kinds: &[wire::FailureKind],
) -> Result<()> {
    let before = ground.world.policy_text(REPOSITORY).await?;
    let (outcome, _) = it.offer(ground, work, b"", |_| ()).await?;
    let right =
        matches!(&outcome, Outcome::Failed(failed) if kinds.is_empty() || kinds.contains(&failed.kind()));
    case.input(what, right, format!("{outcome:?}"));
    let after = ground.world.policy_text(REPOSITORY).await?;
    case.hold(
        format!("{what}: the policy"),
        before == after,
        format!("{before:?} became {after:?}"),
    );
    Ok(())
}

/// AT-97
pub(super) async fn readers(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let mut it = registrar(ground).await?;
    for reader in [
        "*",
        "arn:aws:iam::222222222222:root",
        "arn:aws-cn:iam::222222222222:root",
        "22222222222",
        "2222222222222",
        "",
        "222222222222\",\"*",
    ] {
        not_granted(
            &mut it,
            ground,
            case,
            &format!("for '{reader}'"),
            grant(REPOSITORY, &[reader]),
            &[],
        )
        .await?;
        not_granted(
            &mut it,
            ground,
            case,
            &format!("for '{reader}' beside another"),
            grant(REPOSITORY, &[PROD, reader]),
            &[],
        )
        .await?;
    }
    case.silent(SILENT);
    ground.registrar = Some(it);
    Ok(())
}

/// AT-98
pub(super) async fn registries(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let mut it = registrar(ground).await?;
    for repository in [
        "222222222222.dkr.ecr.us-east-1.amazonaws.com/app",
        "222222222222/app:latest",
        "arn:aws:ecr:us-east-1:222222222222:repository/app",
        "../app",
        "App",
        "",
    ] {
        not_granted(&mut it, ground, case, repository, grant(repository, &[PROD]), &[]).await?;
    }
    // Of a name that there may be elsewhere: only this account's registry is asked.
    not_granted(
        &mut it,
        ground,
        case,
        "not there",
        grant("not/there", &[PROD]),
        &[
            wire::FailureKind::RepositoryMissing,
            wire::FailureKind::AccessDenied,
        ],
    )
    .await?;
    case.silent(SILENT);
    ground.registrar = Some(it);
    Ok(())
}

fn foreign(sid: &str, pad: usize) -> String {
    let statement = serde_json::json!({
        "Sid": sid, "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"},
        "Action": ["ecr:BatchGetImage"],
        "Condition": {"StringEquals": {"aws:PrincipalTag/pad": "x".repeat(pad)}},
    });
    serde_json::json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// AT-99
pub(super) async fn full_policies(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let mut it = registrar(ground).await?;
    let room = 10_240 - foreign("TheirOwn", 0).len();
    ground
        .world
        .set_policy(REPOSITORY, &foreign("TheirOwn", room))
        .await?;
    not_granted(
        &mut it,
        ground,
        case,
        "10,240 characters of others",
        grant(REPOSITORY, &[PROD]),
        &[wire::FailureKind::PolicyTooLong],
    )
    .await?;
    case.silent(SILENT);
    ground.registrar = Some(it);
    Ok(())
}

/// AT-100
pub(super) async fn our_names(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let mut it = registrar(ground).await?;
    // As ours is called, seen in a policy that the agent wrote.
    ground
        .world
        .set_policy(REPOSITORY, &foreign("TheirOwn", 1))
        .await?;
    let (granted, _) = it.offer(ground, grant(REPOSITORY, &[PROD]), b"", |_| ()).await?;
    case.hold(
        "a grant",
        matches!(granted, Outcome::PullPolicy(_)),
        format!("{granted:?}"),
    );
    let policy: serde_json::Value =
        serde_json::from_str(&ground.world.policy_text(REPOSITORY).await?.unwrap_or_default())?;
    let ours = policy["Statement"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|statement| statement["Sid"] != "TheirOwn");
    let sid = ours
        .and_then(|statement| statement["Sid"].as_str())
        .context("our statement has a name")?
        .to_owned();
    ground.world.set_policy(REPOSITORY, &foreign(&sid, 1)).await?;
    not_granted(
        &mut it,
        ground,
        case,
        "somebody else's statement with our name",
        grant(REPOSITORY, &[PROD]),
        &[wire::FailureKind::PolicyConflict],
    )
    .await?;
    case.silent(SILENT);
    ground.registrar = Some(it);
    Ok(())
}

/// AT-101
pub(super) async fn odd_policies(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let mut it = registrar(ground).await?;
    let theirs = [
        r#"{"Statement":[{"Sid":"A","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::999999999999:root","arn:aws:iam::888888888888:root"]},"Action":"ecr:*"}],"Version":"2008-10-17"}"#,
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"B","Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"ecr:DeleteRepository"}]}"#,
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage","Unknown":{"b":1,"a":[1.50]}}}"#,
    ];
    for text in theirs {
        ground.world.set_policy(REPOSITORY, text).await?;
        let (outcome, _) = it.offer(ground, grant(REPOSITORY, &[PROD]), b"", |_| ()).await?;
        let after = ground.world.policy_text(REPOSITORY).await?.unwrap_or_default();
        let before: serde_json::Value = serde_json::from_str(text)?;
        let after: serde_json::Value = serde_json::from_str(&after)?;
        let statements = |policy: &serde_json::Value| match &policy["Statement"] {
            serde_json::Value::Array(all) => all.clone(),
            one => vec![one.clone()],
        };
        let kept = statements(&before)
            .iter()
            .all(|one| statements(&after).contains(one));
        // Written beside what is there, or left alone with a reason.
        let right = match &outcome {
            Outcome::PullPolicy(_) => kept && statements(&after).len() == statements(&before).len() + 1,
            Outcome::Failed(_) => before == after,
            _ => false,
        };
        case.input(text, right, format!("{outcome:?}: {after}"));
    }
    ground.world.set_policy(REPOSITORY, "no JSON at all").await.ok();
    if ground.world.policy_text(REPOSITORY).await?.as_deref() == Some("no JSON at all") {
        not_granted(&mut it, ground, case, "no JSON", grant(REPOSITORY, &[PROD]), &[]).await?;
    }
    case.silent(SILENT);
    ground.registrar = Some(it);
    Ok(())
}
