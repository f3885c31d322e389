//! A scripted agent: it asks the hub what a real one asks, in the same order, and makes its outcomes up.

use hadron_domain::target::RoleKind;
use hadron_management::app::effects::{FailureKind, Outcome};
use hadron_management::app::work::{Act, Offer, OfferedStack, OfferedWork, Peer, Session, Token, Verdict};
use hadron_management::app::{App, AppError};
use hadron_management::store::agents::{self, AgentRow};
use hadron_management::store::connections;
use hadron_management::store::deployments::{Change, StackEvent};
use hadron_management::store::jobs::{Abilities, JobWork};
use hadron_management::store::targets::Resource;
use hadron_proto::vocab::{ConnectionId, Digest, StackArn, Timestamp};
use indexmap::IndexMap;

use crate::world::World;

#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) peer: Peer,
    pub(crate) session: Session,
}

/// The stack that an offer is about: a new one where none is known.
pub(crate) fn stack_arn(offer: &Offer, stack: &OfferedStack) -> StackArn {
    let Offer { account, region, .. } = offer;
    let made = format!(
        "arn:aws:cloudformation:{region}:{account}:stack/{}/{}",
        stack.name,
        offer.token.job.as_uuid()
    );
    stack.arn.clone().unwrap_or_else(|| made.parse().unwrap())
}

pub(crate) fn stack(offer: &Offer) -> &OfferedStack {
    match &offer.work {
        OfferedWork::Apply { stack, .. }
        | OfferedWork::Destroy { stack, .. }
        | OfferedWork::Revoke { stack } => stack,
        OfferedWork::SetPullPolicy { .. } => panic!("a policy has no stack"),
        OfferedWork::PutEvents { .. } => panic!("events have no stack"),
        OfferedWork::PutCheckpoints(_) => panic!("checkpoints have no stack"),
        OfferedWork::FetchBundle { .. } => panic!("a bundle has no stack"),
        OfferedWork::Inspect { .. } => panic!("what is looked at is not deployed"),
    }
}

pub(crate) fn arn(offer: &Offer) -> StackArn {
    stack_arn(offer, stack(offer))
}

/// Asks leave to execute a change set of this attempt.
pub(crate) fn execute(offer: &Offer) -> Act {
    let stack = arn(offer);
    let Token { job, fence } = offer.token;
    let change_set_arn = format!(
        "arn:aws:cloudformation:{}:{}:changeSet/d-{}-{fence}/1",
        offer.region,
        offer.account,
        job.as_uuid()
    );
    let change = Change {
        action: "Add".to_owned(),
        logical_id: "Thing".to_owned(),
        physical_id: String::new(),
        resource_type: "AWS::SSM::Parameter".to_owned(),
        replacement: String::new(),
    };
    Act::Execute {
        stack,
        change_set_arn,
        digest: Digest::of(b"changes"),
        changes: vec![change],
    }
}

pub(crate) fn delete(offer: &Offer) -> Act {
    Act::Delete { stack: arn(offer) }
}

fn resource(logical_id: &str, physical_id: &str, resource_type: &str, status: &str) -> Resource {
    Resource {
        logical_id: logical_id.to_owned(),
        physical_id: physical_id.to_owned(),
        resource_type: resource_type.to_owned(),
        status: status.to_owned(),
    }
}

pub(crate) fn applied(offer: &Offer) -> Outcome {
    let stack = stack(offer);
    let mut outputs = IndexMap::new();
    for name in ["GreetingParameter", "TopicArn", "Endpoint"] {
        outputs.insert(name.to_owned(), format!("{name} of {}", offer.label));
    }
    let mut resources = vec![resource(
        "Thing",
        "thing",
        "AWS::SSM::Parameter",
        "CREATE_COMPLETE",
    )];
    if stack.role_kind == RoleKind::Pipeline {
        let name = offer.label.trim_start_matches("pipeline ").to_lowercase();
        resources.push(resource(
            "Repository",
            &name,
            "AWS::ECR::Repository",
            "CREATE_COMPLETE",
        ));
    }
    Outcome::Applied {
        stack: stack_arn(offer, stack),
        outputs,
        resources,
        no_changes: false,
    }
}

pub(crate) fn failed(offer: &Offer, kind: FailureKind, why: &str) -> Outcome {
    let stack = match &offer.work {
        OfferedWork::SetPullPolicy { .. }
        | OfferedWork::PutEvents { .. }
        | OfferedWork::PutCheckpoints(_)
        | OfferedWork::FetchBundle { .. }
        | OfferedWork::Inspect { .. } => None,
        _ => Some(arn(offer)),
    };
    let stuck = kind == FailureKind::DeleteFailed;
    let resources = if stuck {
        vec![resource("Bucket", "bucket", "AWS::S3::Bucket", "DELETE_FAILED")]
    } else {
        Vec::new()
    };
    Outcome::Failed {
        kind,
        message: why.to_owned(),
        stack,
        stack_status: None,
        resources,
    }
}

/// What an agent of this release can do.
pub(crate) fn abilities() -> Abilities {
    Abilities::of(&JobWork::WHEN_ANNOUNCED)
}

impl Agent {
    /// Hands over what a job was to fetch, and reports it.
    pub(crate) async fn fetched(&self, world: &World, offer: &Offer, bytes: &[u8]) {
        let put = world.app.put_content(&self.peer, offer.token, bytes.to_vec());
        let (digest, bytes) = (put.await.unwrap(), bytes.len() as u64);
        self.report(world, offer, Outcome::BundleFetched { digest, bytes })
            .await;
    }

    /// An agent that has enrolled through this connection, with an open session.
    pub(crate) async fn enrol(world: &World, connection: ConnectionId) -> Self {
        Self::enrol_at(&world.app, connection).await.unwrap()
    }

    /// The same, at this hub, unless the connection is decided about meanwhile.
    pub(crate) async fn enrol_at(app: &App, connection: ConnectionId) -> Result<Self, AppError> {
        let written = app.write("enrol", move |unit| {
            Box::pin(async move {
                let row = connections::get(unit.tx, connection).await?.unwrap().connection;
                let agent = AgentRow {
                    id: unit.fresh_id(),
                    connection,
                    account: row.account,
                    region: row.region,
                    principal: format!("arn:aws:iam::{}:role/{}", row.account, row.roles.agent_role_name),
                    key_fingerprint: "00ff".to_owned(),
                    serial: "01".to_owned(),
                    not_after: Timestamp::from_micros(4_102_444_800_000_000),
                    epoch: row.epoch,
                    version: String::new(),
                    session: None,
                    enrolled_at: unit.now,
                    last_seen: unit.now,
                };
                agents::insert(unit.tx, &agent).await?;
                Ok(Peer {
                    agent: agent.id,
                    account: agent.account,
                    connection,
                })
            })
        });
        let peer = written.await?;
        let (session, resumed) = app.open_session(&peer, "0.1.0", abilities(), Vec::new()).await?;
        assert_eq!(resumed, []);
        Ok(Self { peer, session })
    }

    /// Loses its session and opens another, holding these jobs; gives those that are still its own.
    pub(crate) async fn reconnect(&mut self, world: &World, held: Vec<Token>) -> Vec<Token> {
        let (session, resumed) = world
            .app
            .open_session(&self.peer, "0.1.0", abilities(), held)
            .await
            .unwrap();
        self.session = session;
        resumed
    }

    pub(crate) async fn take(&self, world: &World) -> Vec<Offer> {
        world.app.take(&self.session, 100).await.unwrap()
    }

    /// The only job there is.
    pub(crate) async fn take_one(&self, world: &World) -> Offer {
        let mut offers = self.take(world).await;
        assert_eq!(offers.len(), 1, "{offers:?}");
        offers.remove(0)
    }

    /// The only job about a stack; policies are written on the way.
    pub(crate) async fn take_stack(&self, world: &World) -> Offer {
        let (policies, mut stacks): (Vec<_>, Vec<_>) = self
            .take(world)
            .await
            .into_iter()
            .partition(|offer| matches!(offer.work, OfferedWork::SetPullPolicy { .. }));
        for offer in policies {
            self.succeed(world, &offer).await;
        }
        assert_eq!(stacks.len(), 1, "{stacks:?}");
        stacks.remove(0)
    }

    pub(crate) async fn report(&self, world: &World, offer: &Offer, outcome: Outcome) {
        world.app.report(&self.peer, offer.token, outcome).await.unwrap();
        world.settle().await;
    }

    pub(crate) async fn ask(&self, world: &World, offer: &Offer, act: Act) -> Verdict {
        world.app.authorise(&self.peer, offer.token, act).await.unwrap()
    }

    /// Does a job as it should be done.
    pub(crate) async fn succeed(&self, world: &World, offer: &Offer) {
        self.try_succeed(world, offer).await.unwrap();
        world.settle().await;
    }

    pub(crate) async fn try_succeed(&self, world: &World, offer: &Offer) -> Result<(), AppError> {
        let app = &world.app;
        app.started(&self.peer, offer.token).await?;
        let outcome = match &offer.work {
            OfferedWork::Apply { .. } => {
                let verdict = app.authorise(&self.peer, offer.token, execute(offer)).await?;
                assert_eq!(verdict, Verdict::Granted);
                app.events(
                    &self.peer,
                    offer.token,
                    vec![event(offer, "1", "CREATE_COMPLETE")],
                )
                .await?;
                applied(offer)
            }
            OfferedWork::Destroy { stack, .. } => {
                if stack.arn.is_some() {
                    let verdict = app.authorise(&self.peer, offer.token, delete(offer)).await?;
                    assert_eq!(verdict, Verdict::Granted);
                }
                Outcome::Gone
            }
            OfferedWork::Revoke { .. } => Outcome::Revoked,
            OfferedWork::FetchBundle { .. } => panic!("what is fetched is for the test to say"),
            OfferedWork::Inspect { .. } => panic!("what is found is for the test to say"),
            OfferedWork::SetPullPolicy { .. } => Outcome::PullPolicySet {
                changed: true,
                warnings: Vec::new(),
            },
            OfferedWork::PutCheckpoints(_) => Outcome::CheckpointsPut { were_there: false },
            OfferedWork::PutEvents { .. } => Outcome::EventsPut { refused: Vec::new() },
        };
        app.report(&self.peer, offer.token, outcome).await
    }

    /// Does every job there is, and those that follow.
    pub(crate) async fn succeed_all(&self, world: &World) {
        loop {
            let offers = self.take(world).await;
            if offers.is_empty() {
                return;
            }
            for offer in offers {
                self.succeed(world, &offer).await;
            }
        }
    }

    /// Takes the only job there is and fails it.
    pub(crate) async fn fail_one(&self, world: &World, why: &str) -> Offer {
        let offer = self.take_stack(world).await;
        let kind = match offer.work {
            OfferedWork::Destroy { .. } => FailureKind::DeleteFailed,
            _ => FailureKind::StackFailed,
        };
        self.report(world, &offer, failed(&offer, kind, why)).await;
        offer
    }
}

pub(crate) fn event(offer: &Offer, id: &str, status: &str) -> StackEvent {
    StackEvent {
        event_id: format!("{}-{id}", offer.token.job),
        at: Timestamp::from_micros(1_800_000_000_000_000),
        logical_id: "Thing".to_owned(),
        physical_id: "thing".to_owned(),
        resource_type: "AWS::SSM::Parameter".to_owned(),
        status: status.to_owned(),
        reason: String::new(),
    }
}
