//! What an account's owner lets in: capabilities that an administrator approved, contents, and templates of publishers.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use hadron_tests::{PROD, World, invariants, paths};
use serde_json::Value;

/// Copies a folder.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// The minimal environment template in a folder of its own, with something more in it.
fn bundle(world: &World, name: &str, more: &str) -> Result<PathBuf> {
    let folder = world.folder().join(name);
    copy(&paths::root().join("deploy/examples/minimal-env/v1"), &folder)?;
    let file = folder.join("infrastructure/cloudformation.yaml");
    let text = std::fs::read_to_string(&file)?;
    std::fs::write(
        &file,
        text.replace("\nOutputs:\n", &format!("{more}\nOutputs:\n")),
    )?;
    Ok(folder)
}

/// Asks for an environment; gives how its deployment ended.
async fn environment(world: &World, connection: &str, name: &str, template: &str) -> Result<Value> {
    let spec = world.file(
        "minimal.yaml",
        "proton: EnvironmentSpec\nspec: { greeting: Good morning }\n",
    )?;
    let args = [
        "environment",
        "create",
        name,
        "--template",
        template,
        "--connection",
        connection,
        "--spec",
        &spec,
    ];
    let made = world.admin.json(&args).await?;
    let id = made["deployment"]["lastAttemptedDeploymentId"]
        .as_str()
        .unwrap_or_default();
    world.ended(id).await
}

fn refused_by(ended: &Value, rule: &str, why: &str) -> Result<()> {
    let message = ended["statusMessage"].as_str().unwrap_or_default();
    ensure!(
        ended["status"] == "FAILED" && message.contains(&format!("(rule {rule})")) && message.contains(why),
        "{ended:#}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_templates_of_publishers_are_deployed_where_the_owner_wants_that() {
    let mut world = World::new().await.unwrap();
    let keys = ["publisher", "stranger"].map(|name| world.folder().join(format!("{name}.key")));
    let mut public = Vec::new();
    for key in &keys {
        let made = world
            .admin
            .ok(&["template", "keygen", &key.display().to_string()])
            .await
            .unwrap();
        public.push(made.stdout.trim().to_owned());
        // It is not written over.
        world
            .admin
            .fails(1, &["template", "keygen", &key.display().to_string()])
            .await
            .unwrap();
    }
    let sign = async |path: &Path, key: &Path, template: &str| {
        let (path, key) = (path.display().to_string(), key.display().to_string());
        let args = [
            "template",
            "sign",
            &path,
            "--key",
            &key,
            "--template",
            template,
            "--major",
            "1",
        ];
        world.admin.ok(&args).await.unwrap();
    };
    for (name, key) in [
        ("signed-env", Some(&keys[0])),
        ("foreign-env", Some(&keys[1])),
        ("plain-env", None),
    ] {
        let folder = bundle(&world, name, "").unwrap();
        if let Some(key) = key {
            sign(&folder, key, name).await;
        }
        world.publish("environment", name, &folder, &[]).await.unwrap();
    }
    let shown = world
        .admin
        .json(&["template", "get", "signed-env", "--version", "1.0"])
        .await
        .unwrap();
    assert_eq!(shown["publisher"], public[0].as_str(), "{shown:#}");
    // Signed as another template, it is no version of this one.
    let moved = bundle(&world, "moved", "").unwrap();
    sign(&moved, &keys[0], "signed-env").await;
    let moved = moved.display().to_string();
    let args = ["template", "create", "moved-env", "--kind", "environment", &moved];
    let told = world.admin.fails(1, &args).await.unwrap();
    assert!(
        told.contains("signed as environment template signed-env"),
        "{told}"
    );

    let mut connections = Vec::new();
    for name in ["one", "two", "three"] {
        connections.push(world.connect(PROD, name).await.unwrap());
    }
    world.online(PROD, true).await.unwrap();
    let wanted = format!("publishers = [\"{}\"]\n", public[0]);
    world
        .agent(PROD)
        .configure(|text| format!("{text}{wanted}"))
        .unwrap();
    let since = world.emulator.last_call().await.unwrap();
    let ended = environment(&world, &connections[0], "one", "plain-env")
        .await
        .unwrap();
    refused_by(&ended, "limits.publishers", "not signed").unwrap();
    let ended = environment(&world, &connections[1], "two", "foreign-env")
        .await
        .unwrap();
    refused_by(&ended, "limits.publishers", &public[1]).unwrap();
    let calls = world.emulator.calls(since).await.unwrap();
    assert!(
        !calls
            .iter()
            .any(|call| call["account"] == PROD && call["action"] == "CreateChangeSet")
    );
    let ended = environment(&world, &connections[2], "three", "signed-env")
        .await
        .unwrap();
    assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}");
    invariants::hold(&world, &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_template_needs_and_contains_is_the_owners_and_the_administrators_decision() {
    let hub = "\n[templates]\napprove_capabilities = \"explicit\"\ndenied_transforms = [\"*\"]\n";
    let mut world = World::with(hadron_tests::emulator::Options::default(), hub)
        .await
        .unwrap();
    let role = "  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument:\n        Version: \"2012-10-17\"\n        \
                Statement:\n          - { Effect: Allow, Principal: { Service: ec2.amazonaws.com }, Action: \"sts:AssumeRole\" }\n";
    let folder = bundle(&world, "iam-env", role).unwrap();
    world
        .publish("environment", "iam-env", &folder, &[])
        .await
        .unwrap();
    let shown = world
        .admin
        .json(&["template", "get", "iam-env", "--version", "1.0"])
        .await
        .unwrap();
    assert_eq!(
        shown["neededCapabilities"],
        serde_json::json!(["CAPABILITY_IAM"]),
        "{shown:#}"
    );
    assert_eq!(shown["approvedCapabilities"], serde_json::json!([]), "{shown:#}");
    let macros = bundle(&world, "macro-env", "\nTransform: Macro\n").unwrap();
    let args = [
        "template",
        "create",
        "macro-env",
        "--kind",
        "environment",
        &macros.display().to_string(),
    ];
    let told = world.admin.fails(1, &args).await.unwrap();
    assert!(told.contains("templates.denied_transforms"), "{told}");

    let connection = world.connect(PROD, "one").await.unwrap();
    let spec = world
        .file("minimal.yaml", "proton: EnvironmentSpec\nspec: {}\n")
        .unwrap();
    let create = [
        "environment",
        "create",
        "one",
        "--template",
        "iam-env",
        "--connection",
        &connection,
        "--spec",
        &spec,
    ];
    let told = world.admin.fails(5, &create).await.unwrap();
    assert!(
        told.contains("needs CAPABILITY_IAM") && told.contains("hadron template approve iam-env 1.0"),
        "{told}"
    );
    assert!(told.contains("more: hadron help HADRON-4003"), "{told}");
    world
        .admin
        .ok(&[
            "template",
            "approve",
            "iam-env",
            "1.0",
            "--capability",
            "CAPABILITY_IAM",
        ])
        .await
        .unwrap();
    // The account's owner has a word of their own.
    world.online(PROD, true).await.unwrap();
    let before = world
        .agent(PROD)
        .configure(|text| format!("{text}capabilities = []\n"))
        .unwrap();
    let ended = environment(&world, &connection, "one", "iam-env").await.unwrap();
    refused_by(&ended, "limits.capabilities", "CAPABILITY_IAM").unwrap();
    world.agent(PROD).configure(move |_| before).unwrap();
    let updated = world
        .admin
        .json(&["environment", "update", "one", "--redeploy"])
        .await
        .unwrap();
    let id = updated["deployment"]["lastAttemptedDeploymentId"]
        .as_str()
        .unwrap_or_default();
    let ended = world.ended(id).await.unwrap();
    assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}");
    let log = world
        .hub
        .run(&["audit", "export", "--event-name", "ApproveCapabilities"])
        .unwrap();
    let log = String::from_utf8_lossy(&log.stdout).into_owned();
    assert!(log.contains("CAPABILITY_IAM"), "{log}");
    invariants::hold(&world, &[]).await.unwrap();
}
