//! Following deployments and services: progress, broken streams, time limits, Ctrl-C.

use std::collections::VecDeque;
use std::time::Duration;

use hadron_proto::wire;
use tonic::Status;

use crate::fake::{event, state, update};
use crate::hadron::{World, collect};

const PRD: (&str, &str) = ("environment", "prd");

fn spec(world: &World) {
    std::fs::write(
        world.home.path().join("s.yaml"),
        "proton: EnvironmentSpec\nspec: {}\n",
    )
    .expect("a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_stream_is_taken_up_where_it_broke() {
    let world = World::new().await;
    spec(&world);
    let first = vec![
        Ok(update(
            PRD,
            "IN_PROGRESS",
            vec![event(1, "Topic", "CREATE_IN_PROGRESS", "")],
        )),
        Ok(update(
            PRD,
            "IN_PROGRESS",
            vec![event(2, "Queue", "CREATE_IN_PROGRESS", "")],
        )),
        Err(Status::unavailable("hub is restarting")),
    ];
    // It tells event 2 once more, and then ends early without an error.
    let second = vec![Ok(update(
        PRD,
        "IN_PROGRESS",
        vec![event(2, "Queue", "CREATE_IN_PROGRESS", "")],
    ))];
    let third = vec![Ok(update(
        PRD,
        "SUCCEEDED",
        vec![event(3, "Topic", "CREATE_COMPLETE", "")],
    ))];
    world
        .hub
        .state()
        .watches
        .insert("dpl_prd".to_owned(), VecDeque::from([first, second, third]));
    let run = world
        .run("environment create prd --template vpc --spec s.yaml --wait -o name")
        .await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(run.out, "prd\n");
    insta::assert_snapshot!(run.err, @r"
    environment prd: Topic (AWS::SNS::Topic) CREATE_IN_PROGRESS
    environment prd: IN_PROGRESS
    environment prd: Queue (AWS::SNS::Topic) CREATE_IN_PROGRESS
    lost the connection to the hub, trying again
    connected to the hub again, nothing was missed
    environment prd: Topic (AWS::SNS::Topic) CREATE_COMPLETE
    environment prd: SUCCEEDED
    ");
    let afters: Vec<String> = world.calls("watch_deployment");
    let after = |call: &str| {
        call.split("after: ")
            .nth(1)
            .map(|rest| rest.trim_end_matches(" }").to_owned())
    };
    assert_eq!(
        afters.iter().filter_map(|call| after(call)).collect::<Vec<_>>(),
        ["0", "2", "2"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_deployment_is_seven_with_its_ways_out() {
    let world = World::new().await;
    let mut failed = update(
        PRD,
        "FAILED",
        vec![event(1, "Topic", "CREATE_FAILED", "access denied")],
    );
    if let Some(deployment) = &mut failed.deployment {
        deployment.status_message = "Topic: access denied".to_owned();
        deployment.ways_out = vec!["hadron environment update prd --redeploy".to_owned()];
    }
    world
        .hub
        .state()
        .watches
        .insert("dpl_prd".to_owned(), VecDeque::from([vec![Ok(failed)]]));
    let run = world.run("deployment watch dpl_prd -o json").await;
    assert_eq!(run.code, 7, "{}", run.err);
    insta::assert_snapshot!(run.err, @r"
    environment prd: Topic (AWS::SNS::Topic) CREATE_FAILED: access denied
    environment prd: FAILED: Topic: access denied
    error: deployment of environment prd: failed
      Topic: access denied
      next: hadron environment update prd --redeploy
      next: hadron deployment events dpl_prd
      more: hadron help HADRON-5002
    ");
    let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        (json["kind"].as_str(), json["status"].as_str()),
        (Some("Deployment"), Some("FAILED"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn time_runs_out_and_the_deployment_goes_on() {
    let world = World::new().await;
    world
        .hub
        .state()
        .watches
        .insert("dpl_prd".to_owned(), VecDeque::new());
    let run = world.run("deployment watch dpl_prd --timeout 1s").await;
    assert_eq!(run.code, 8, "{}", run.err);
    assert!(
        run.err.contains("next: hadron deployment watch dpl_prd"),
        "{}",
        run.err
    );
    let unknown = world.run("deployment watch dpl_other").await;
    assert_eq!(unknown.code, 3, "{}", unknown.err);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_detaches_and_says_how_to_come_back() {
    let world = World::new().await;
    let told = vec![Ok(update(PRD, "IN_PROGRESS", Vec::new()))];
    world
        .hub
        .state()
        .watches
        .insert("dpl_prd".to_owned(), VecDeque::from([told]));
    let child = world.command("deployment watch dpl_prd").spawn().unwrap();
    // Two streams mean that the child is in its loop.
    while world.calls("watch_deployment").len() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let id = child.id().unwrap().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let run = collect(child).await;
    assert_eq!(run.code, 130, "{}", run.err);
    assert!(
        run.err.contains("detached") && run.err.contains("hadron deployment watch dpl_prd"),
        "{}",
        run.err
    );
}

fn service(status: &str, instance: &str, pipeline: Option<&str>) -> wire::ServiceChange {
    let service = wire::Service {
        name: "web".to_owned(),
        template_name: "http".to_owned(),
        status: status.to_owned(),
        instances: vec![wire::ServiceInstance {
            service_name: "web".to_owned(),
            name: "prd".to_owned(),
            deployment: Some(state("dpl_web-prd", instance)),
            ..Default::default()
        }],
        pipeline: pipeline.map(|status| wire::Pipeline {
            service_name: "web".to_owned(),
            deployment: Some(state("dpl_web", status)),
            ..Default::default()
        }),
        ..Default::default()
    };
    wire::ServiceChange {
        change: Some(wire::service_change::Change::Service(service)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_followed_with_all_its_deployments() {
    let world = World::new().await;
    spec(&world);
    let both = [
        ("dpl_web-prd", ("instance", "web/prd")),
        ("dpl_web", ("pipeline", "web")),
    ];
    for (id, target) in both {
        let told = vec![Ok(update(
            target,
            "SUCCEEDED",
            vec![event(1, "Topic", "CREATE_COMPLETE", "")],
        ))];
        world
            .hub
            .state()
            .watches
            .insert(id.to_owned(), VecDeque::from([told]));
    }
    // The stream breaks between the two.
    world.hub.state().service_watches = VecDeque::from([
        vec![service("CREATE_IN_PROGRESS", "IN_PROGRESS", None)],
        vec![
            service("CREATE_IN_PROGRESS", "SUCCEEDED", Some("IN_PROGRESS")),
            service("ACTIVE", "SUCCEEDED", Some("SUCCEEDED")),
        ],
    ]);
    let run = world
        .run("service create web --template http --spec s.yaml --wait")
        .await;
    assert_eq!(run.code, 0, "{}", run.err);
    for line in [
        "service web: CREATE_IN_PROGRESS",
        "instance web/prd: SUCCEEDED",
        "pipeline web: SUCCEEDED",
        "service web: ACTIVE",
    ] {
        assert!(run.err.lines().any(|said| said == line), "{line} in {}", run.err);
    }
    assert!(
        run.out.contains("web") && run.out.contains("ACTIVE") && run.out.contains("1/1"),
        "{}",
        run.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_fails_is_seven() {
    let world = World::new().await;
    spec(&world);
    world.hub.state().service_watches = VecDeque::from([vec![service("CREATE_FAILED", "FAILED", None)]]);
    let told = vec![Ok(update(("instance", "web/prd"), "FAILED", Vec::new()))];
    world
        .hub
        .state()
        .watches
        .insert("dpl_web-prd".to_owned(), VecDeque::from([told]));
    let run = world
        .run("service create web --template http --spec s.yaml --wait")
        .await;
    assert_eq!(run.code, 7, "{}", run.err);
    assert!(
        run.err.contains("error: service 'web' is CREATE_FAILED"),
        "{}",
        run.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_service_is_gone() {
    let world = World::new().await;
    world.hub.state().services = vec![wire::Service {
        name: "web".to_owned(),
        ..Default::default()
    }];
    let run = world.run("service delete web --yes --wait").await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("service web: deleted"), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_wait_the_command_to_follow_is_said() {
    let world = World::new().await;
    spec(&world);
    let run = world
        .run("environment create prd --template vpc --spec s.yaml")
        .await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("hadron deployment watch dpl_prd"), "{}", run.err);
    insta::assert_snapshot!(run.out, @r"
    NAME  TEMPLATE  VERSION  STATUS       ACCOUNT  AGE
    prd   vpc       1.0      IN_PROGRESS  -        -
    ");
}

const REQUEST: &str = "connection request --environment prd --management-account 111111111111 \
                       --role-arn arn:aws:iam::333333333333:role/proton --wait";

/// Waits until somebody waits for the decision, and decides.
async fn decided(world: &World, status: &str) -> crate::hadron::Run {
    let child = world.command(REQUEST).spawn().expect("the program starts");
    while world.calls("get_connection").is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    status.clone_into(&mut world.hub.state().connections[0].status);
    collect(child).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_accepted_or_rejected_is_waited_for_no_longer() {
    let world = World::new().await;
    let accepted = decided(&world, "CONNECTED").await;
    assert_eq!(accepted.code, 0, "{}", accepted.err);
    assert!(accepted.out.contains("CONNECTED"), "{}", accepted.out);
    let world = World::new().await;
    let rejected = decided(&world, "REJECTED").await;
    assert_eq!(rejected.code, 1, "{}", rejected.err);
    assert!(
        rejected.err.contains("more: hadron help HADRON-3002"),
        "{}",
        rejected.err
    );
    let world = World::new().await;
    let nobody = world.run(&format!("{REQUEST} --timeout 1s")).await;
    assert_eq!(nobody.code, 6, "{}", nobody.err);
    assert!(
        nobody.err.contains("next: hadron connection get conn_1"),
        "{}",
        nobody.err
    );
}
