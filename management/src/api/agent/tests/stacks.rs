use std::time::Duration;

use hadron_domain::deployment::{Deployment, Ending, Intent, Phase};
use hadron_domain::job::Job;
use hadron_domain::service::Part;
use hadron_domain::target::Target;
use hadron_proto::vocab::{ConnectionId, DeploymentId, Digest};
use hadron_proto::wire::agent_message::Message as Said;
use hadron_proto::wire::{self};
use tonic::Code;

use crate::app::Unit;
use crate::store::deployments::{self, DeploymentRow};
use crate::store::jobs::{self, JobRow, JobWork};
use crate::store::requests;
use crate::store::targets::{self, TargetRow};
use crate::testing::{World, region, token};

const ACCOUNT: &str = "333333333333";
const STACK: &str = "arn:aws:cloudformation:us-east-1:333333333333:stack/AWSProton-prd/0c9a-11";
const FOREIGN: &str = "arn:aws:cloudformation:us-east-1:333333333333:stack/AWSProton-stg/0c9a-12";
const CHANGES: &str = "arn:aws:cloudformation:us-east-1:333333333333:changeSet/d-1/0c9a-13";

/// A deployment of environment prd whose job waits.
async fn seed(world: &World, connection: ConnectionId, template: Vec<u8>) -> DeploymentId {
    let add = world.app().write("seed deployment", move |unit| {
        Box::pin(async move { insert(unit, connection, &template).await })
    });
    add.await.unwrap()
}

async fn insert(
    unit: &mut Unit<'_>,
    connection: ConnectionId,
    template: &[u8],
) -> Result<DeploymentId, crate::app::AppError> {
    let (id, job, target_id) = (unit.fresh_id(), unit.fresh_id(), unit.fresh_id());
    let (account, now) = (ACCOUNT.parse().unwrap(), unit.now);
    let target = Target::Environment("prd".parse().unwrap());
    let digest = requests::put_blob(unit.tx, template, now).await?;
    let phase = Phase::Running {
        job,
        taken: false,
        authorised: None,
    };
    let deployment = Deployment {
        id,
        intent: Intent::Apply,
        phase,
    };
    let row = TargetRow {
        id: target_id,
        target: target.clone(),
        environment: Some("prd".parse().unwrap()),
        account,
        region: region(),
        connection,
        template: Some("net".parse().unwrap()),
        version: "1.0".parse().unwrap(),
        spec: String::new(),
        description: String::new(),
        stack_name: "AWSProton-prd".to_owned(),
        stack_arn: None,
        condemned: false,
        ever_succeeded: false,
        part: Part::Busy,
        status: "IN_PROGRESS".to_owned(),
        message: String::new(),
        ways_out: vec![],
        warnings: vec![],
        outputs: Default::default(),
        resources: vec![],
        attempted: Some((id, now)),
        succeeded: None,
        created_at: now,
        provisioning: hadron_domain::target::Provisioning::Stack,
        roles: Default::default(),
        client_token: String::new(),
        generation: 1,
    };
    targets::insert(unit.tx, &row).await?;
    let row = DeploymentRow {
        deployment,
        target_id,
        target,
        environment: Some("prd".parse().unwrap()),
        message: String::new(),
        ways_out: vec![],
        account,
        region: region(),
        connection,
        template: Some("net".parse().unwrap()),
        version: "1.0".parse().unwrap(),
        spec: String::new(),
        stack_name: "AWSProton-prd".to_owned(),
        stack_arn: None,
        never_succeeded: true,
        rendered: Some((digest, template.len() as u64)),
        capabilities: vec!["CAPABILITY_IAM".to_owned()],
        resource_types: vec!["AWS::SNS::Topic".to_owned()],
        retain: vec![],
        changes: vec![],
        outputs: Default::default(),
        attempt: 0,
        requested_by: "test".to_owned(),
        created_at: now,
        ended_at: None,
        last_event: 0,
        initial: None,
        target_state: None,
        target_created_at: now,
        earlier: deployments::Earlier::default(),
        trace: String::new(),
        generation: 1,
    };
    deployments::insert(unit.tx, &row).await?;
    let row = JobRow {
        job: Job::new(job, now),
        account,
        region: region(),
        connection,
        deployment: Some(id),
        label: "environment prd".to_owned(),
        work: JobWork::ApplyStack,
        created_at: now,
    };
    jobs::insert(unit.tx, &row).await?;
    Ok(id)
}

async fn stored(world: &World, id: DeploymentId) -> DeploymentRow {
    let read = world.app().read("deployment", move |tx| {
        Box::pin(async move { Ok(deployments::get(tx, id).await?) })
    });
    read.await.unwrap().unwrap()
}

fn execute(token: Option<wire::JobToken>, stack: &str) -> wire::AuthoriseRequest {
    let change = wire::ResourceChange {
        action: "Add".to_owned(),
        logical_id: "Topic".to_owned(),
        ..Default::default()
    };
    let act = wire::authorise_request::Act::Execute(wire::ExecuteChangeSet {
        stack_arn: stack.to_owned(),
        change_set_arn: CHANGES.to_owned(),
        changes_digest: Digest::of(b"changes").to_string(),
        changes: vec![change],
    });
    wire::AuthoriseRequest {
        token,
        act: Some(act),
    }
}

fn event(id: &str) -> wire::StackEvent {
    wire::StackEvent {
        event_id: id.to_owned(),
        at: Some(prost_types::Timestamp {
            seconds: 1_790_000_000,
            nanos: 5_000,
        }),
        logical_id: "Topic".to_owned(),
        resource_type: "AWS::SNS::Topic".to_owned(),
        status: "CREATE_COMPLETE".to_owned(),
        ..Default::default()
    }
}

fn applied(token: Option<wire::JobToken>, outputs: Vec<wire::Output>) -> wire::ReportRequest {
    let applied = wire::StackApplied {
        stack_arn: STACK.to_owned(),
        outputs,
        ..Default::default()
    };
    wire::ReportRequest {
        token,
        outcome: Some(wire::report_request::Outcome::Applied(applied)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_deployed_from_offer_to_report() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    // Larger than two chunks.
    let template: Vec<u8> = (0..150_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let id = seed(&world, connection, template.clone()).await;
    let mut talk = world.session(&agent).await;
    talk.demand(1).await;
    let offer = talk.offer().await;
    assert_eq!(offer.deployment_id, id.to_string());
    let Some(wire::offer::Work::ApplyStack(apply)) = &offer.work else {
        panic!("not an apply")
    };
    assert_eq!(
        (
            apply.stack_name.as_str(),
            apply.template_bytes,
            apply.never_succeeded
        ),
        ("AWSProton-prd", 150_000, true)
    );
    assert!(apply.tags.iter().any(|tag| tag.key == "proton:environment"));
    talk.say(Said::Started(wire::Started { token: token(&offer) }))
        .await;

    let fetch = wire::FetchContentRequest {
        token: token(&offer),
        kind: 1,
    };
    let mut chunks = talk.client.fetch_content(fetch).await.unwrap().into_inner();
    let (mut fetched, mut count) = (Vec::new(), 0);
    while let Some(chunk) = chunks.message().await.unwrap() {
        assert!(chunk.data.len() <= 64 * 1024);
        fetched.extend_from_slice(&chunk.data);
        count += 1;
    }
    assert_eq!(
        (count, Digest::of(&fetched).to_string()),
        (3, apply.template_digest.clone())
    );

    // Leave is given for the deployment's own stack only.
    let foreign = talk
        .client
        .authorise(execute(token(&offer), FOREIGN))
        .await
        .unwrap()
        .into_inner();
    assert!(
        !foreign.granted && foreign.refusal.contains("AWSProton-stg"),
        "{foreign:?}"
    );
    let granted = talk
        .client
        .authorise(execute(token(&offer), STACK))
        .await
        .unwrap()
        .into_inner();
    assert!(granted.granted, "{granted:?}");

    let events = wire::PostEventsRequest {
        token: token(&offer),
        events: vec![event("e1"), event("e2")],
    };
    talk.client.post_events(events.clone()).await.unwrap();
    talk.client.post_events(events).await.unwrap();
    let too_many = wire::PostEventsRequest {
        token: token(&offer),
        events: vec![event("e"); 501],
    };
    let status = talk.client.post_events(too_many).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("events: 501"), "{}", status.message());

    let long = vec![wire::Output {
        key: "Url".to_owned(),
        value: "x".repeat(5_000),
    }];
    let status = talk
        .client
        .report(applied(token(&offer), long))
        .await
        .unwrap_err();
    assert!(
        status.message().contains("applied.outputs.value"),
        "{}",
        status.message()
    );
    let outputs = vec![wire::Output {
        key: "Url".to_owned(),
        value: "https://x".to_owned(),
    }];
    talk.client.report(applied(token(&offer), outputs)).await.unwrap();

    let row = stored(&world, id).await;
    assert!(
        matches!(
            row.deployment.phase,
            Phase::Ended {
                how: Ending::Succeeded,
                ..
            }
        ),
        "{:?}",
        row.deployment.phase
    );
    assert_eq!(row.outputs["Url"], "https://x");
    assert_eq!(row.changes.len(), 1);
    let events = world.app().read("events", move |tx| {
        Box::pin(async move { Ok(deployments::events(tx, id, 0, 100).await?) })
    });
    let told = events.await.unwrap();
    assert_eq!(told.iter().filter(|event| event.source == "stack").count(), 2);
    let status = talk
        .client
        .authorise(execute(token(&offer), STACK))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert!(talk.is_quiet(Duration::from_millis(100)).await);
}
