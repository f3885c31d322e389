//! Services over several accounts: their instances come and go, their pipeline follows.

use hadron_tests::{DEV, MANAGEMENT, PROD, World, invariants};
use serde_json::{Value, json};

use crate::stage::{create_service, fixture, publish_service, service_is, service_spec, spec};

/// A world with an environment of the probe template in both accounts.
async fn world() -> World {
    let mut world = World::new().await.unwrap();
    world
        .publish("environment", "probe-env", &fixture("probe-env"), &[])
        .await
        .unwrap();
    let file = spec(&world, "env", &json!({})).unwrap();
    let mut made = Vec::new();
    for (name, account) in [("prd", PROD), ("dev", DEV)] {
        let connection = world.connect(account, name).await.unwrap();
        let args = [
            "environment",
            "create",
            name,
            "--template",
            "probe-env",
            "--spec",
            &file,
        ];
        world
            .admin
            .ok(&[&args[..], &["--connection", &connection]].concat())
            .await
            .unwrap();
        let deployment = world
            .last_deployment(&["environment", "get", name])
            .await
            .unwrap();
        made.push(deployment["id"].as_str().unwrap().to_owned());
    }
    for id in made {
        assert_eq!(world.ended(&id).await.unwrap()["status"], "SUCCEEDED");
    }
    world
}

/// Which stacks an account has, without the digits that make their names unique.
async fn stacks(world: &World, account: &str) -> Vec<String> {
    let stacks = world.emulator.stacks(account).await.unwrap();
    let name = |stack: &Value| {
        stack["name"]
            .as_str()
            .unwrap()
            .rsplit_once('-')
            .unwrap()
            .0
            .to_owned()
    };
    let mut names: Vec<String> = stacks.iter().map(name).collect();
    names.sort();
    names
}

fn deploys_to(service: &Value) -> String {
    service["pipeline"]["deployment"]["outputs"]["DeploysTo"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_pipeline_from_creation_to_deletion() {
    let world = world().await;
    let admin = &world.admin;
    publish_service(&world).await.unwrap();
    let of = |instances: &[(&str, &str)]| {
        let instances: Vec<_> = instances
            .iter()
            .map(|(name, at)| (*name, *at, json!({})))
            .collect();
        service_spec(&world, &instances, &json!({})).unwrap()
    };
    create_service(&world, &of(&[("one", "prd")]), 0).await.unwrap();
    let service = service_is(&world, "web", "ACTIVE").await.unwrap();
    assert_eq!(deploys_to(&service), format!("one@{PROD}"));
    assert_eq!(stacks(&world, MANAGEMENT).await, ["AWSProton-web-cloudformation"]);
    assert_eq!(
        stacks(&world, PROD).await,
        ["AWSProton-prd-cloudformation", "AWSProton-web-one-cloudformation"]
    );

    // An instance in the other account comes, the first one goes; the pipeline knows both facts.
    admin
        .ok(&[
            "service",
            "update",
            "web",
            "--spec",
            &of(&[("two", "dev")]),
            "--wait",
        ])
        .await
        .unwrap();
    let service = service_is(&world, "web", "ACTIVE").await.unwrap();
    assert_eq!(deploys_to(&service), format!("two@{DEV}"));
    assert_eq!(stacks(&world, PROD).await, ["AWSProton-prd-cloudformation"]);
    assert_eq!(
        stacks(&world, DEV).await,
        ["AWSProton-dev-cloudformation", "AWSProton-web-two-cloudformation"]
    );
    invariants::hold(&world, &[]).await.unwrap();

    // The same one by one.
    let inputs = world.file("inputs.yaml", "note: three\n").unwrap();
    let create = [
        "instance",
        "create",
        "web/three",
        "--environment",
        "prd",
        "--spec",
        &inputs,
        "--wait",
    ];
    admin.ok(&create).await.unwrap();
    let service = service_is(&world, "web", "ACTIVE").await.unwrap();
    assert_eq!(deploys_to(&service), format!("two@{DEV},three@{PROD}"));
    let instance = admin.json(&["instance", "get", "web/three"]).await.unwrap();
    assert_eq!(instance["deployment"]["outputs"]["Note"], "three");
    let said = admin
        .fails(5, &["environment", "delete", "prd", "--yes"])
        .await
        .unwrap();
    assert!(said.contains("web/three"), "{said}");
    admin
        .ok(&["instance", "delete", "web/two", "--yes", "--wait"])
        .await
        .unwrap();
    let service = service_is(&world, "web", "ACTIVE").await.unwrap();
    assert_eq!(deploys_to(&service), format!("three@{PROD}"));
    let said = admin
        .fails(5, &["instance", "delete", "web/three", "--yes"])
        .await
        .unwrap();
    assert!(
        said.contains("last instance") && said.contains("hadron service delete web"),
        "{said}"
    );
    assert_eq!(stacks(&world, DEV).await, ["AWSProton-dev-cloudformation"]);

    admin
        .ok(&["service", "delete", "web", "--yes", "--wait"])
        .await
        .unwrap();
    admin.fails(3, &["service", "get", "web"]).await.unwrap();
    assert_eq!(stacks(&world, MANAGEMENT).await, Vec::<String>::new());
    assert_eq!(stacks(&world, PROD).await, ["AWSProton-prd-cloudformation"]);
    let kept = world
        .registry()
        .await
        .describe_repositories()
        .repository_names("web")
        .send()
        .await
        .unwrap();
    assert_eq!(
        kept.repositories().len(),
        1,
        "the template retains the repository"
    );
    admin
        .ok(&["environment", "delete", "prd", "--yes", "--wait"])
        .await
        .unwrap();
    admin
        .ok(&["environment", "delete", "dev", "--yes", "--wait"])
        .await
        .unwrap();
    assert_eq!(stacks(&world, PROD).await, Vec::<String>::new());
    invariants::hold(&world, &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_pipeline() {
    let mut world = World::new().await.unwrap();
    world.publish_examples().await.unwrap();
    world.environment("prd", PROD).await.unwrap();
    let spec = world
        .service_spec("web", &[("one", "prd"), ("two", "prd")])
        .unwrap();
    let create = [
        "service",
        "create",
        "web",
        "--template",
        "minimal-svc-no-pipeline",
        "--spec",
        &spec,
        "--wait",
    ];
    world.admin.ok(&create).await.unwrap();
    let service = service_is(&world, "web", "ACTIVE").await.unwrap();
    assert_eq!(service["pipeline"], Value::Null);
    assert_eq!(stacks(&world, MANAGEMENT).await, Vec::<String>::new());
    assert_eq!(stacks(&world, PROD).await.len(), 3);

    let spec = world.service_spec("web", &[("two", "prd")]).unwrap();
    world
        .admin
        .ok(&["service", "update", "web", "--spec", &spec, "--wait"])
        .await
        .unwrap();
    assert_eq!(
        stacks(&world, PROD).await,
        ["AWSProton-prd-cloudformation", "AWSProton-web-two-cloudformation"]
    );
    world
        .admin
        .ok(&["service", "delete", "web", "--yes", "--wait"])
        .await
        .unwrap();
    assert_eq!(stacks(&world, PROD).await, ["AWSProton-prd-cloudformation"]);
    invariants::hold(&world, &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn move_to_newer_versions_when_told_to() {
    let world = world().await;
    let admin = &world.admin;
    let compatible = [
        "--compatible-with",
        "probe-env:1",
        "--compatible-with",
        "probe-env:2",
    ];
    let (env, svc) = (fixture("probe-env"), fixture("probe-svc"));
    // 1.1 and 2.0 beside 1.0: compatible is only what exists.
    world
        .publish("environment", "probe-env", &env, &["--major", "1"])
        .await
        .unwrap();
    world
        .publish("environment", "probe-env", &env, &[])
        .await
        .unwrap();
    world
        .publish("service", "probe-svc", &svc, &compatible)
        .await
        .unwrap();
    create_service(
        &world,
        &service_spec(&world, &[("one", "prd", json!({}))], &json!({})).unwrap(),
        0,
    )
    .await
    .unwrap();
    // Likewise.
    world
        .publish(
            "service",
            "probe-svc",
            &svc,
            &[&compatible[..], &["--major", "1"]].concat(),
        )
        .await
        .unwrap();
    world
        .publish("service", "probe-svc", &svc, &compatible)
        .await
        .unwrap();

    for (noun, name) in [
        ("environment", "prd"),
        ("instance", "web/one"),
        ("pipeline", "web"),
    ] {
        let version = async || admin.json(&[noun, "get", name]).await.unwrap()["templateVersion"].clone();
        assert_eq!(version().await, "1.0", "{noun}");
        for (flag, expected) in [
            ("--redeploy", "1.0"),
            ("--minor", "1.1"),
            ("--major", "2.0"),
            ("--redeploy", "2.0"),
        ] {
            admin.ok(&[noun, "update", name, flag, "--wait"]).await.unwrap();
            assert_eq!(version().await, expected, "{noun} {flag}");
        }
    }
    invariants::hold(&world, &[]).await.unwrap();
}
