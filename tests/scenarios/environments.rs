//! Environments that somebody else provisions, and the roles that environments are provisioned with.

use hadron_tests::scenario::{SOURCE, is_call};
use hadron_tests::world::field;
use hadron_tests::{MANAGEMENT, PROD, World, invariants};
use serde_json::{Value, json};

use crate::stage::{fixture, spec};

/// Calls that change stacks, by account.
async fn changes(world: &World, account: &str) -> usize {
    let calls = world.emulator.calls(0).await.unwrap();
    let changing = ["CreateChangeSet", "ExecuteChangeSet", "DeleteStack"];
    calls
        .iter()
        .filter(|call| changing.iter().any(|action| is_call(call, account, action)))
        .count()
}

/// The outputs of the only instance.
async fn instance_outputs(world: &World) -> Value {
    let instance = world.admin.json(&["instance", "get", "web/blue"]).await.unwrap();
    instance["deployment"]["outputs"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn services_use_what_somebody_else_has_provisioned() {
    let mut world = World::new().await.unwrap();
    let admin = world.admin.clone();
    world
        .publish("environment", "told-env", &fixture("told-env"), &[])
        .await
        .unwrap();
    let more = ["--compatible-with", "told-env:1"];
    world
        .publish("service", "probe-svc", &fixture("probe-svc"), &more)
        .await
        .unwrap();
    let connection = world.connect(PROD, "prd").await.unwrap();

    // Nobody has to do anything for it, and nobody does.
    let file = spec(&world, "told", &json!({ "Note": "ours" })).unwrap();
    let create = ["environment", "create", "prd", "--template", "told-env", "--wait"];
    admin
        .ok(&[&create[..], &["--connection", &connection, "--spec", &file]].concat())
        .await
        .unwrap();
    let shown = admin.json(&["environment", "get", "prd"]).await.unwrap();
    assert_eq!(
        (&shown["provisioning"], &shown["deployment"]["status"]),
        (&json!("CUSTOMER_MANAGED"), &json!("SUCCEEDED"))
    );
    assert_eq!(shown["deployment"]["stackArn"], Value::Null);
    let output = admin
        .ok(&["environment", "outputs", "prd", "Note"])
        .await
        .unwrap();
    assert_eq!(output.stdout.trim(), "ours");
    let told = admin
        .json(&[
            "deployment",
            "events",
            &field(&shown["deployment"], "lastAttemptedDeploymentId").unwrap(),
        ])
        .await
        .unwrap();
    assert!(told.to_string().contains("somebody else provisions it"), "{told}");
    let empty = spec(&world, "empty", &json!({})).unwrap();
    let refused = admin
        .fails(1, &["environment", "update", "prd", "--spec", &empty])
        .await
        .unwrap();
    assert!(refused.contains("Note"), "{refused}");
    assert_eq!(changes(&world, PROD).await, 0);

    // Its services are deployed like others.
    let web = json!({
        "proton": "ServiceSpec",
        "pipeline": {},
        "instances": [{ "name": "blue", "environment": "prd", "spec": {} }],
    });
    let web = world.file("web.yaml", web.to_string()).unwrap();
    let create = ["service", "create", "web", "--template", "probe-svc", "--wait"];
    admin
        .ok(&[&create[..], &["--spec", &web], &SOURCE].concat())
        .await
        .unwrap();
    assert_eq!(instance_outputs(&world).await["EnvironmentNote"], "ours");

    // What has changed outside is told by a new spec, and counts for whatever is deployed from then on.
    let file = spec(&world, "told", &json!({ "Note": "theirs" })).unwrap();
    admin
        .ok(&["environment", "update", "prd", "--spec", &file, "--wait"])
        .await
        .unwrap();
    assert_eq!(instance_outputs(&world).await["EnvironmentNote"], "ours");
    admin
        .ok(&["instance", "update", "web/blue", "--redeploy", "--wait"])
        .await
        .unwrap();
    assert_eq!(instance_outputs(&world).await["EnvironmentNote"], "theirs");

    // The account's owner names another role for components: the agent proves itself anew and goes on.
    let role = format!("arn:aws:iam::{PROD}:role/components");
    let owner = world.owner(PROD).await.unwrap();
    let changed = owner
        .json(&["connection", "update", &connection, "--component-role-arn", &role])
        .await
        .unwrap();
    assert_eq!(
        (&changed["status"], &changed["componentRoleArn"]),
        (&json!("CONNECTED"), &json!(role))
    );
    let before = world.emulator.last_call().await.unwrap();
    admin
        .ok(&["instance", "update", "web/blue", "--redeploy", "--wait"])
        .await
        .unwrap();
    let calls = world.emulator.calls(before).await.unwrap();
    assert!(
        calls.iter().any(|call| is_call(call, PROD, "DescribeStacks")),
        "{calls:?}"
    );

    let busy = admin.fails(5, &["environment", "cancel", "prd"]).await.unwrap();
    assert!(
        busy.contains("no deployment of environment prd is in progress"),
        "{busy}"
    );
    let lived_in = admin
        .fails(5, &["environment", "delete", "prd", "--yes"])
        .await
        .unwrap();
    assert!(lived_in.contains("hadron instance delete web/blue"), "{lived_in}");
    admin
        .ok(&["service", "delete", "web", "--yes", "--wait"])
        .await
        .unwrap();
    admin
        .ok(&["environment", "delete", "prd", "--yes", "--wait"])
        .await
        .unwrap();
    admin.fails(3, &["environment", "get", "prd"]).await.unwrap();
    invariants::hold(&world, &[]).await.unwrap();
    world.at_rest().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_environment_is_provisioned_with_the_role_that_it_names_and_pipelines_with_the_one_that_is_set()
 {
    let mut world = World::new().await.unwrap();
    let admin = world.admin.clone();
    world
        .publish("environment", "probe-env", &fixture("probe-env"), &[])
        .await
        .unwrap();
    let more = ["--compatible-with", "probe-env:1"];
    world
        .publish("service", "probe-svc", &fixture("probe-svc"), &more)
        .await
        .unwrap();
    let own = format!("arn:aws:iam::{MANAGEMENT}:role/hadron-provisioning");
    let foreign = format!("arn:aws:iam::{PROD}:role/hadron-provisioning");
    let file = spec(&world, "dev", &json!({})).unwrap();
    let create = [
        "environment",
        "create",
        "dev",
        "--template",
        "probe-env",
        "--spec",
        &file,
    ];
    let refused = admin
        .fails(1, &[&create[..], &["--service-role-arn", &foreign]].concat())
        .await
        .unwrap();
    assert!(refused.contains("belongs to account 333333333333"), "{refused}");
    admin
        .ok(&[&create[..], &["--service-role-arn", &own, "--wait"]].concat())
        .await
        .unwrap();
    let roles = |calls: &[Value]| -> Vec<String> {
        let made = calls
            .iter()
            .filter(|call| is_call(call, MANAGEMENT, "CreateChangeSet") && call["status"] == 200);
        made.map(|call| field(&call["params"], "RoleARN").unwrap())
            .collect()
    };
    let calls = world.emulator.calls(0).await.unwrap();
    assert_eq!(roles(&calls), [own.as_str()]);

    // Without a role no pipeline begins.
    let web = json!({
        "proton": "ServiceSpec",
        "pipeline": {},
        "instances": [{ "name": "blue", "environment": "dev", "spec": {} }],
    });
    let web = world.file("web.yaml", web.to_string()).unwrap();
    let create = [
        "service",
        "create",
        "web",
        "--template",
        "probe-svc",
        "--spec",
        &web,
    ];
    let create = [&create[..], &SOURCE].concat();
    admin
        .ok(&["settings", "set", "--pipeline-role", ""])
        .await
        .unwrap();
    let refused = admin.fails(5, &create).await.unwrap();
    for words in [
        "Operation cannot be run until pipeline roles have been configured",
        "hadron settings set --pipeline-role",
    ] {
        assert!(refused.contains(words), "{refused}");
    }
    let set = admin
        .json(&["settings", "set", "--pipeline-role", &own])
        .await
        .unwrap();
    assert_eq!(set["pipelineRoleArn"], own.as_str());
    assert_eq!(admin.json(&["settings", "get"]).await.unwrap(), set);
    admin.ok(&[&create[..], &["--wait"]].concat()).await.unwrap();
    let calls = world.emulator.calls(0).await.unwrap();
    assert_eq!(roles(&calls), [own.as_str(); 3]);
    invariants::hold(&world, &[]).await.unwrap();
    world.at_rest().await.unwrap();
}
