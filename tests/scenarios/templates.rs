//! Versions of templates: drafts and published ones, which one is meant when none is named, and what may be deleted.

use hadron_tests::{PROD, World, paths};
use serde_json::Value;

/// A copy of the slow environment template whose output says which version it is, in a folder of its own.
fn labelled(world: &World, label: &str) -> String {
    let from = paths::root().join("tests/fixtures/slow-env");
    for file in [
        "schema/schema.yaml",
        "infrastructure/manifest.yaml",
        "infrastructure/cloudformation.yaml",
    ] {
        let mut text = std::fs::read_to_string(from.join(file)).unwrap();
        if file.ends_with("cloudformation.yaml") {
            text.push_str(&format!("  Version:\n    Value: \"{label}\"\n"));
        }
        world.file(&format!("{label}/{file}"), text).unwrap();
    }
    world.folder().join("files").join(label).display().to_string()
}

async fn versions(world: &World) -> Vec<(String, String)> {
    let text = |version: &Value, name: &str| version[name].as_str().unwrap_or_default().to_owned();
    let versions = world.items(&["template", "versions", "vpc"]).await.unwrap();
    versions
        .iter()
        .map(|version| (text(version, "version"), text(version, "status")))
        .collect()
}

async fn deployed(world: &World) -> (String, String) {
    let shown = world.admin.json(&["environment", "get", "prd"]).await.unwrap();
    let version = shown["templateVersion"].as_str().unwrap_or_default().to_owned();
    (
        version,
        shown["deployment"]["outputs"]["Version"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    )
}

fn pair(version: &str, status: &str) -> (String, String) {
    (version.to_owned(), status.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_drafted_published_recommended_used_and_deleted() {
    let mut world = World::new().await.unwrap();
    let connection = world.connect(PROD, "prd").await.unwrap();
    let spec = world
        .file("spec.yaml", "proton: EnvironmentSpec\nspec: {}\n")
        .unwrap();
    let register = |label: &str| {
        vec![
            "template".to_owned(),
            "create".to_owned(),
            "vpc".to_owned(),
            labelled(&world, label),
        ]
    };
    let (v10, v11, v20) = (register("one-zero"), register("one-one"), register("two-zero"));
    let words = |args: &[String], more: &[&str]| -> Vec<String> {
        args.iter()
            .cloned()
            .chain(more.iter().map(|word| (*word).to_owned()))
            .collect()
    };
    let admin = world.admin.clone();
    let run = async |args: Vec<String>| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        admin.ok(&args).await.unwrap()
    };

    // A draft is nobody's recommendation.
    run(words(&v10, &["--kind", "environment"])).await;
    assert_eq!(versions(&world).await, [pair("1.0", "DRAFT")]);
    let create = [
        "environment",
        "create",
        "prd",
        "--template",
        "vpc",
        "--connection",
        &connection,
        "--spec",
        &spec,
    ];
    let said = world.admin.fails(5, &create).await.unwrap();
    assert!(said.contains("hadron template publish"), "{said}");
    world
        .admin
        .ok(&["template", "publish", "vpc", "1.0"])
        .await
        .unwrap();
    world
        .admin
        .ok(&[&create[..], &["--wait"]].concat())
        .await
        .unwrap();
    assert_eq!(deployed(&world).await, pair("1.0", "one-zero"));

    // A new minor is taken by --minor once it is published, a new major by --major.
    run(words(&v11, &["--major", "1"])).await;
    run(v20.clone()).await;
    assert_eq!(
        versions(&world).await,
        [
            pair("1.0", "PUBLISHED"),
            pair("1.1", "DRAFT"),
            pair("2.0", "DRAFT")
        ]
    );
    let shown = world.admin.json(&["template", "get", "vpc"]).await.unwrap();
    assert_eq!(shown["recommendedVersion"], "1.0", "{shown}");
    world
        .admin
        .fails(1, &["environment", "update", "prd", "--major"])
        .await
        .unwrap();
    world
        .admin
        .ok(&["template", "publish", "vpc", "1.1"])
        .await
        .unwrap();
    world
        .admin
        .ok(&["environment", "update", "prd", "--minor", "--wait"])
        .await
        .unwrap();
    assert_eq!(deployed(&world).await, pair("1.1", "one-one"));
    world
        .admin
        .ok(&["template", "publish", "vpc", "2.0"])
        .await
        .unwrap();
    let shown = world.admin.json(&["template", "get", "vpc"]).await.unwrap();
    assert_eq!(shown["recommendedVersion"], "2.0", "{shown}");
    world
        .admin
        .ok(&["environment", "update", "prd", "--minor", "--wait"])
        .await
        .unwrap();
    assert_eq!(
        deployed(&world).await.0,
        "1.1",
        "a minor update stays in its major version"
    );
    world
        .admin
        .ok(&["environment", "update", "prd", "--major", "--wait"])
        .await
        .unwrap();
    assert_eq!(deployed(&world).await, pair("2.0", "two-zero"));
    // There is no way back to a lower major version.
    let said = world
        .admin
        .fails(1, &["environment", "update", "prd", "--template-version", "1.1"])
        .await
        .unwrap();
    assert!(said.contains("major"), "{said}");
    let stacks = world.emulator.stacks(PROD).await.unwrap();
    assert_eq!(stacks.len(), 1, "one stack through all versions: {stacks:?}");

    // Not what is in use, not what is recommended while others exist, not a template that has versions.
    let delete = |version| vec!["template", "delete", "vpc", "--version", version, "--yes"];
    let said = world.admin.fails(5, &delete("2.0")).await.unwrap();
    assert!(said.contains("prd") || said.contains("recommended"), "{said}");
    let said = world
        .admin
        .fails(5, &["template", "delete", "vpc", "--yes"])
        .await
        .unwrap();
    assert!(said.contains("still has version"), "{said}");
    world.admin.fails(3, &delete("9.9")).await.unwrap();
    world.admin.ok(&delete("1.0")).await.unwrap();
    assert_eq!(
        versions(&world).await,
        [pair("1.1", "PUBLISHED"), pair("2.0", "PUBLISHED")]
    );
    // Numbers are not used again.
    run(words(&register("one-two"), &["--major", "1"])).await;
    assert_eq!(
        versions(&world).await,
        [
            pair("1.1", "PUBLISHED"),
            pair("1.2", "DRAFT"),
            pair("2.0", "PUBLISHED")
        ]
    );

    world
        .admin
        .ok(&["environment", "delete", "prd", "--yes", "--wait"])
        .await
        .unwrap();
    assert!(world.emulator.stacks(PROD).await.unwrap().is_empty());
    for version in ["1.2", "1.1", "2.0"] {
        world.admin.ok(&delete(version)).await.unwrap();
    }
    world
        .admin
        .ok(&["template", "delete", "vpc", "--yes"])
        .await
        .unwrap();
    assert_eq!(
        world.items(&["template", "list"]).await.unwrap(),
        Vec::<Value>::new()
    );
    world.at_rest().await.unwrap();
}
