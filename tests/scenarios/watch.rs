//! Watch streams: whoever watches sees what is there and every change, until it is gone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hadron_proto::wire;
use hadron_tests::{PROD, World, paths, wait};
use tonic::{Request, Streaming};

/// What the streams have said so far: noun and what changed, in words.
type Seen = Arc<Mutex<Vec<(&'static str, String)>>>;

/// Writes down everything that a stream says, in the background.
fn collect<T: Send + 'static>(
    seen: &Seen,
    noun: &'static str,
    mut stream: Streaming<T>,
    words: impl Fn(T) -> String + Send + 'static,
) {
    let seen = Arc::clone(seen);
    tokio::spawn(async move {
        while let Ok(Some(change)) = stream.message().await {
            seen.lock().unwrap().push((noun, words(change)));
        }
    });
}

/// Waits until some stream has said this of a noun.
async fn said(seen: &Seen, noun: &str, text: &str) {
    let what = format!("the watch of {noun}s to say '{text}'");
    wait::until(&what, Duration::from_secs(30), || async {
        let seen = seen.lock().unwrap();
        Ok(seen
            .iter()
            .any(|(of, words)| *of == noun && words == text)
            .then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_every_noun_tells_what_comes_changes_and_goes() {
    let mut world = World::new().await.unwrap();
    let token = world.hub.token("watcher", "administrator").unwrap();
    let door = world.door().await.unwrap();
    let seen = Seen::default();
    // One stream for each noun, opened before there is anything.
    macro_rules! watch {
        ($noun:literal, $client:ident :: $service:ident . $method:ident ( $request:ident ), $say:expr) => {{
            let mut client = wire::$client::$service::new(door.clone());
            let mut request = Request::new(wire::$request::default());
            request
                .metadata_mut()
                .insert("authorization", format!("Bearer {token}").parse().unwrap());
            let stream = client.$method(request).await.unwrap().into_inner();
            collect(&seen, $noun, stream, $say);
        }};
    }
    watch!(
        "template",
        template_service_client::TemplateServiceClient.watch_templates(WatchTemplatesRequest),
        |change: wire::TemplateChange| match change.change.unwrap() {
            wire::template_change::Change::Template(one) =>
                format!("{} {}", one.name, one.recommended_version),
            wire::template_change::Change::Removed(key) => format!("-{key}"),
        }
    );
    watch!(
        "connection",
        connection_service_client::ConnectionServiceClient.watch_connections(WatchConnectionsRequest),
        |change: wire::ConnectionChange| match change.change.unwrap() {
            wire::connection_change::Change::Connection(one) =>
                format!("{} {}", one.environment_name, one.status),
            wire::connection_change::Change::RemovedId(_) => "-".to_owned(),
        }
    );
    watch!(
        "environment",
        environment_service_client::EnvironmentServiceClient.watch_environments(WatchEnvironmentsRequest),
        |change: wire::EnvironmentChange| match change.change.unwrap() {
            wire::environment_change::Change::Environment(one) => {
                format!("{} {}", one.name, one.deployment.unwrap().status)
            }
            wire::environment_change::Change::RemovedName(name) => format!("-{name}"),
        }
    );
    watch!(
        "service",
        service_service_client::ServiceServiceClient.watch_services(WatchServicesRequest),
        |change: wire::ServiceChange| match change.change.unwrap() {
            wire::service_change::Change::Service(one) => format!("{} {}", one.name, one.status),
            wire::service_change::Change::RemovedName(name) => format!("-{name}"),
        }
    );
    watch!(
        "instance",
        instance_service_client::InstanceServiceClient.watch_instances(WatchInstancesRequest),
        |change: wire::InstanceChange| match change.change.unwrap() {
            wire::instance_change::Change::Instance(one) => {
                format!(
                    "{}/{} {}",
                    one.service_name,
                    one.name,
                    one.deployment.unwrap().status
                )
            }
            wire::instance_change::Change::Removed(key) => format!("-{key}"),
        }
    );
    watch!(
        "pipeline",
        pipeline_service_client::PipelineServiceClient.watch_pipelines(WatchPipelinesRequest),
        |change: wire::PipelineChange| match change.change.unwrap() {
            wire::pipeline_change::Change::Pipeline(one) => {
                format!("{} {}", one.service_name, one.deployment.unwrap().status)
            }
            wire::pipeline_change::Change::RemovedServiceName(name) => format!("-{name}"),
        }
    );
    watch!(
        "grant",
        grant_service_client::GrantServiceClient.watch_grants(WatchGrantsRequest),
        |change: wire::GrantChange| match change.change.unwrap() {
            wire::grant_change::Change::Grant(one) =>
                format!("{} {} {}", one.repository, one.account_id, one.state),
            wire::grant_change::Change::Removed(_) => "-".to_owned(),
        }
    );
    watch!(
        "agent",
        agents_service_client::AgentsServiceClient.watch_agents(WatchAgentsRequest),
        |change: wire::AgentChange| match change.change.unwrap() {
            wire::agent_change::Change::Agent(one) => format!("{} online {}", one.account_id, one.online),
            wire::agent_change::Change::RemovedId(_) => "-".to_owned(),
        }
    );

    world.publish_examples().await.unwrap();
    said(&seen, "template", "minimal-env 1.0").await;
    // A stream tells what is so now: whoever decides at once may be seen with the decision only.
    let connection = world.request(PROD, "prd").await.unwrap();
    said(&seen, "connection", "prd PENDING").await;
    world.accept(PROD, &connection).await.unwrap();
    said(&seen, "connection", "prd CONNECTED").await;
    said(&seen, "agent", &format!("{PROD} online true")).await;
    let spec = paths::root()
        .join("deploy/examples/minimal-env/spec.yaml")
        .display()
        .to_string();
    let create = [
        "environment",
        "create",
        "prd",
        "--template",
        "minimal-env",
        "--spec",
        &spec,
    ];
    world
        .admin
        .ok(&[&create[..], &["--connection", &connection, "--wait"]].concat())
        .await
        .unwrap();
    said(&seen, "environment", "prd SUCCEEDED").await;
    let spec = world.service_spec("shop.yaml", &[("one", "prd")]).unwrap();
    let create = [
        "service",
        "create",
        "shop",
        "--template",
        "minimal-svc",
        "--spec",
        &spec,
        "--wait",
    ];
    world
        .admin
        .ok(&[&create[..], &hadron_tests::scenario::SOURCE].concat())
        .await
        .unwrap();
    said(&seen, "service", "shop ACTIVE").await;
    said(&seen, "instance", "shop/one SUCCEEDED").await;
    said(&seen, "pipeline", "shop SUCCEEDED").await;
    said(&seen, "grant", &format!("shop {PROD} APPLIED")).await;

    world
        .admin
        .ok(&["service", "delete", "shop", "--yes", "--wait"])
        .await
        .unwrap();
    said(&seen, "service", "-shop").await;
    said(&seen, "instance", "-shop/one").await;
    said(&seen, "pipeline", "-shop").await;
    said(&seen, "grant", "-").await;
    world
        .admin
        .ok(&["environment", "delete", "prd", "--yes", "--wait"])
        .await
        .unwrap();
    said(&seen, "environment", "-prd").await;
    world
        .owner(PROD)
        .await
        .unwrap()
        .ok(&["connection", "delete", &connection, "--yes"])
        .await
        .unwrap();
    said(&seen, "connection", "-").await;
    said(&seen, "agent", &format!("{PROD} online false")).await;
    world.at_rest().await.unwrap();
}

/// A stream does not outlive the right to what it shows.
#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_goes_narrows_the_stream_and_the_last_one_ends_it() {
    let mut world = World::new().await.unwrap();
    world.publish_examples().await.unwrap();
    world.environment("prd", PROD).await.unwrap();
    let token = world.hub.token("watcher", "none").unwrap();
    let access = async |verb: &str, scope: &str| {
        let args = [
            "access",
            verb,
            "token:watcher",
            "--role",
            "auditor",
            "--scope",
            scope,
        ];
        world.admin.ok(&args).await.unwrap();
    };
    access("grant", "environment:prd").await;
    access("grant", "service:nothing").await;
    let mut client =
        wire::environment_service_client::EnvironmentServiceClient::new(world.door().await.unwrap());
    let mut request = Request::new(wire::WatchEnvironmentsRequest::default());
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", bearer);
    let mut stream = client.watch_environments(request).await.unwrap().into_inner();
    let next = async |stream: &mut Streaming<wire::EnvironmentChange>| {
        tokio::time::timeout(Duration::from_secs(30), stream.message())
            .await
            .expect("the stream says something")
    };
    let Some(wire::environment_change::Change::Environment(first)) =
        next(&mut stream).await.unwrap().unwrap().change
    else {
        panic!("the environment is there")
    };
    // An auditor is shown the keys of its spec.
    assert!(
        first.name == "prd" && first.spec.contains("\"***\""),
        "{}",
        first.spec
    );
    access("revoke", "environment:prd").await;
    let gone = next(&mut stream).await.unwrap().unwrap().change;
    assert_eq!(
        gone,
        Some(wire::environment_change::Change::RemovedName("prd".to_owned()))
    );
    access("grant", "environment:prd").await;
    assert!(next(&mut stream).await.unwrap().is_some());
    access("revoke", "environment:prd").await;
    access("revoke", "service:nothing").await;
    // Both went in between two looks, or one after the other.
    let mut last = next(&mut stream).await;
    if matches!(last, Ok(Some(_))) {
        last = next(&mut stream).await;
    }
    assert_eq!(last.unwrap_err().code(), tonic::Code::PermissionDenied);

    // So does one whose token is switched off.
    access("grant", "environment:prd").await;
    let mut request = Request::new(wire::WatchEnvironmentsRequest::default());
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {token}").parse().unwrap());
    let mut stream = client.watch_environments(request).await.unwrap().into_inner();
    assert!(next(&mut stream).await.unwrap().is_some());
    let (done, said) = world
        .hub
        .command(&["admin", "token", "disable", "watcher"])
        .unwrap();
    assert!(done, "{said}");
    assert_eq!(
        next(&mut stream).await.unwrap_err().code(),
        tonic::Code::Unauthenticated
    );
}
