//! Bundles that are named by their place in S3: fetched by the management account's agent, checked by the hub, and
//! registered whoever dies on the way.

use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use flate2::Compression;
use flate2::write::GzEncoder;
use hadron_tests::{MANAGEMENT, World, aws, paths, wait};
use serde_json::{Value, json};

const BUCKET: &str = "bundles";

/// A client of the management account's S3, with a bucket in it.
async fn bucket(world: &World) -> aws_sdk_s3::Client {
    let config = aws::root(world.emulator.url(), MANAGEMENT).await;
    // The emulator has no names for buckets as hosts.
    let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
    let client = aws_sdk_s3::Client::from_conf(config.build());
    client.create_bucket().bucket(BUCKET).send().await.unwrap();
    client
}

fn archive(folder: &Path) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    tar.append_dir_all(".", folder).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

async fn put(client: &aws_sdk_s3::Client, key: &str, body: Vec<u8>) -> String {
    let body = ByteStream::from(body);
    client
        .put_object()
        .bucket(BUCKET)
        .key(key)
        .body(body)
        .send()
        .await
        .unwrap();
    format!("s3://{BUCKET}/{key}")
}

async fn create(world: &World, name: &str, place: &str) {
    let asked = ["template", "create", name, "--kind", "environment", place];
    world.admin.ok(&asked).await.unwrap();
}

async fn version(world: &World, name: &str) -> Value {
    let get = ["template", "get", name, "--version", "1.0"];
    world.admin.json(&get).await.unwrap()
}

/// The version once its registration has ended.
async fn registered(world: &World, name: &str) -> Value {
    let what = format!("version 1.0 of {name} to be registered or refused");
    wait::until(&what, Duration::from_secs(60), || async {
        let version = version(world, name).await;
        Ok(Some(version).filter(|version| version["status"] != "REGISTRATION_IN_PROGRESS"))
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bundles_in_s3_are_registered_whoever_dies() {
    let mut world = World::new().await.unwrap();
    let client = bucket(&world).await;
    let bundle = archive(&paths::root().join("deploy/examples/minimal-env/v1"));
    let place = put(&client, "minimal env/v1.tar.gz", bundle).await;

    // Nobody is there to fetch it when it is asked for, and the hub starts again meanwhile.
    world.agent(MANAGEMENT).process().kill().unwrap();
    create(&world, "nobody-there", &place).await;
    world.hub.restart().await.unwrap();
    assert_eq!(
        version(&world, "nobody-there").await["status"],
        "REGISTRATION_IN_PROGRESS"
    );
    world.agent(MANAGEMENT).restart().unwrap();
    let there = registered(&world, "nobody-there").await;
    assert_eq!(
        (&there["status"], &there["statusMessage"]),
        (&json!("DRAFT"), &json!(null)),
        "{there}"
    );

    // The agent dies while it reads, and then both.
    for (name, both) in [("agent-dies", false), ("both-die", true)] {
        let since = world.emulator.last_call().await.unwrap();
        let slowly = json!({ "service": "s3", "account": MANAGEMENT, "kind": "delay", "seconds": 3 });
        world.emulator.plant(&slowly).await.unwrap();
        create(&world, name, &place).await;
        world
            .emulator
            .called("the bundle to be read", since, |call| call["service"] == "s3")
            .await
            .unwrap();
        world.agent(MANAGEMENT).process().kill().unwrap();
        if both {
            world.hub.restart().await.unwrap();
        }
        world.agent(MANAGEMENT).restart().unwrap();
        let there = registered(&world, name).await;
        assert_eq!(there["status"], "DRAFT", "{there}");
        assert!(
            there["bundleDigest"].as_str().unwrap().starts_with("sha256:"),
            "{there}"
        );
    }
    world
        .admin
        .ok(&["template", "publish", "both-die", "1.0"])
        .await
        .unwrap();
    world.at_rest().await.unwrap();
}

/// The minimal environment template, in `folder`, with a text in it that doubles until there is no more memory.
fn bomb(folder: &Path) -> std::path::PathBuf {
    let from = hadron_tests::paths::root().join("deploy/examples/minimal-env/v1");
    let to = folder.join("bomb");
    for file in [
        "schema/schema.yaml",
        "infrastructure/manifest.yaml",
        "infrastructure/cloudformation.yaml",
    ] {
        let mut text = std::fs::read_to_string(from.join(file)).unwrap();
        if file.ends_with("cloudformation.yaml") {
            let doubling = "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}\n";
            text.insert_str(0, doubling);
        }
        std::fs::create_dir_all(to.join(file).parent().unwrap()).unwrap();
        std::fs::write(to.join(file), text).unwrap();
    }
    to
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_registered_says_why_and_can_be_deleted() {
    let world = World::new().await.unwrap();
    let client = bucket(&world).await;
    let nothing = put(&client, "no-bundle", b"neither tar nor gzip".to_vec()).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("infrastructure")).unwrap();
    std::fs::write(
        folder.path().join("infrastructure/manifest.yaml"),
        "infrastructure: {}\n",
    )
    .unwrap();
    let faulty = put(&client, "faulty", archive(folder.path())).await;
    let bomb = put(&client, "bomb", archive(&bomb(folder.path()))).await;
    let missing = format!("s3://{BUCKET}/not-there.tar.gz");
    for (name, place, words) in [
        ("missing", missing.as_str(), &["not-there.tar.gz"][..]),
        ("no-bundle", nothing.as_str(), &["archive"][..]),
        // Both faults at once.
        ("faulty", faulty.as_str(), &["schema", "templates"][..]),
        // More than the process that checks it may take; it costs this one version.
        (
            "bomb",
            bomb.as_str(),
            &["checking the bundle needs more than", "look for"][..],
        ),
    ] {
        create(&world, name, place).await;
        let refused = registered(&world, name).await;
        assert_eq!(refused["status"], "REGISTRATION_FAILED", "{refused}");
        let why = refused["statusMessage"].as_str().unwrap();
        for word in words {
            assert!(why.contains(word), "{name}: {why}");
        }
        let delete = ["template", "delete", name, "--version", "1.0", "--yes"];
        world.admin.ok(&delete).await.unwrap();
    }
}
