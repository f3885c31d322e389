//! Components: what a developer adds to an instance, provisioned with a role of its own, from creation to deletion.

use hadron_tests::agent::COMPONENTS;
use hadron_tests::{PROD, World, invariants, paths};
use serde_json::{Value, json};

const ENVIRONMENT: &str = "proton: EnvironmentSpec\nspec: {}\n";
const SERVICE: &str =
    "proton: ServiceSpec\ninstances:\n  - name: prd\n    environment: prd\n    spec: { port: 8080 }\n";
const FREE: &str = "Resources:\n  Note:\n    Type: AWS::SSM::Parameter\n    Properties:\n      Name: \"/hadron-demo/{{ component.name }}\"\n      Type: String\n      Value: \"of {{ environment.name }}\"\n";

fn example(name: &str) -> std::path::PathBuf {
    paths::root().join("deploy/examples").join(name)
}

/// A world with the examples: an environment, a service with one instance in it.
async fn world() -> World {
    let mut world = World::new().await.unwrap();
    world
        .publish("environment", "minimal-env", &example("minimal-env/v1"), &[])
        .await
        .unwrap();
    let more = [
        "--compatible-with",
        "minimal-env:1",
        "--no-pipeline",
        "--supports-components",
    ];
    world
        .publish("service", "svc", &example("minimal-svc-no-pipeline/v1"), &more)
        .await
        .unwrap();
    let connection = world.connect(PROD, "prd").await.unwrap();
    let spec = world.file("env.yaml", ENVIRONMENT).unwrap();
    let create = [
        "environment",
        "create",
        "prd",
        "--template",
        "minimal-env",
        "--wait",
    ];
    world
        .admin
        .ok(&[&create[..], &["--connection", &connection, "--spec", &spec]].concat())
        .await
        .unwrap();
    let spec = world.file("shop.yaml", SERVICE).unwrap();
    let create = [
        "service",
        "create",
        "shop",
        "--template",
        "svc",
        "--wait",
        "--spec",
        &spec,
    ];
    world.admin.ok(&create).await.unwrap();
    world
}

async fn output(world: &World, noun: &str, name: &str, key: &str) -> String {
    let shown = world.admin.json(&[noun, "get", name]).await.unwrap();
    shown["deployment"]["outputs"][key]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_uses_what_its_component_gives() {
    let world = world().await;
    let admin = &world.admin;
    assert_eq!(output(&world, "instance", "shop/prd", "Component").await, "none");
    let since = world.emulator.last_call().await.unwrap();
    let template = example("minimal-component/component.yaml").display().to_string();
    let create = [
        "component",
        "create",
        "note",
        "--template",
        &template,
        "--attach",
        "shop/prd",
        "--wait",
    ];
    admin.ok(&create).await.unwrap();
    let note = "/hadron-demo/prd/shop/prd/note";
    assert_eq!(output(&world, "component", "note", "NoteParameter").await, note);
    // CloudFormation was given the role for components, not the one that may make identities.
    let calls = world.emulator.calls(since).await.unwrap();
    let planned: Vec<&Value> = calls
        .iter()
        .filter(|call| call["action"] == "CreateChangeSet" && call["account"] == PROD)
        .collect();
    assert!(!planned.is_empty());
    for call in planned {
        assert!(call.to_string().contains(COMPONENTS), "{call:#}");
    }

    // Nothing changes for the instance until it is updated.
    assert_eq!(output(&world, "instance", "shop/prd", "Component").await, "none");
    admin
        .ok(&["instance", "update", "shop/prd", "--redeploy", "--wait"])
        .await
        .unwrap();
    assert_eq!(output(&world, "instance", "shop/prd", "Component").await, note);

    // As long as it is attached, nothing that it needs can go, nor can it.
    for (line, words) in [
        (vec!["component", "delete", "note", "--yes"], "--detach"),
        (
            vec!["service", "delete", "shop", "--yes"],
            "component 'note' is attached",
        ),
        (
            vec!["environment", "delete", "prd", "--yes"],
            "still lives in environment",
        ),
    ] {
        let said = admin.fails(5, &line).await.unwrap();
        assert!(said.contains(words), "{line:?}: {said}");
    }
    // A template that needs the instance cannot be detached as it is, and the fault names the place.
    let said = admin
        .fails(1, &["component", "update", "note", "--detach"])
        .await
        .unwrap();
    assert!(
        said.contains("component.yaml:2:") && said.contains("'service' is not defined here"),
        "{said}"
    );
    let free = world.file("free.yaml", FREE).unwrap();
    admin
        .ok(&[
            "component",
            "update",
            "note",
            "--detach",
            "--template",
            &free,
            "--wait",
        ])
        .await
        .unwrap();
    let shown = admin.json(&["component", "get", "note"]).await.unwrap();
    assert_eq!(
        (&shown["serviceName"], &shown["deployment"]["status"]),
        (&json!(null), &json!("SUCCEEDED"))
    );
    admin
        .ok(&["instance", "update", "shop/prd", "--redeploy", "--wait"])
        .await
        .unwrap();
    assert_eq!(output(&world, "instance", "shop/prd", "Component").await, "none");

    admin
        .ok(&["component", "delete", "note", "--yes", "--wait"])
        .await
        .unwrap();
    admin.fails(3, &["component", "get", "note"]).await.unwrap();
    let stacks = world.emulator.stacks(PROD).await.unwrap();
    assert!(
        stacks
            .iter()
            .all(|stack| !stack["name"].as_str().unwrap().contains("note")),
        "{stacks:#?}"
    );
    admin
        .ok(&["service", "delete", "shop", "--yes", "--wait"])
        .await
        .unwrap();
    invariants::hold(&world, &[]).await.unwrap();
}
