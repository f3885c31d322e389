//! `hadron credentials` as AWS clients call it.

use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

use crate::hadron::{Run, World, bare, finish};

/// Far in the future, in whole seconds.
const END: i64 = 4_000_000_000;

fn with_keys(world: &World, line: &str, key: &str) -> Command {
    let mut command = without_keys(world, line);
    command
        .env("AWS_ACCESS_KEY_ID", key)
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    command
}

fn without_keys(world: &World, line: &str) -> Command {
    let mut command = bare(line, world.home.path());
    command
        .env("HADRON_HUB", &world.url)
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

fn key(run: &Run) -> Value {
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", run.out);
    serde_json::from_str(&run.out).expect("JSON and nothing else")
}

/// A file in the home's `.aws`.
fn aws_file(home: &Path, name: &str, text: &str) {
    let dir = home.join(".aws");
    std::fs::create_dir_all(&dir).expect("a directory");
    std::fs::write(dir.join(name), text).expect("a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_printed_as_aws_clients_read_it_and_kept() {
    let world = World::new().await;
    world.hub.state().keys_end = END;
    let ada = "AKIAIOSFODNN7EXAMPLE";
    let first = key(&finish(with_keys(&world, "credentials", ada)).await);
    assert_eq!(
        first,
        serde_json::json!({
            "Version": 1,
            "AccessKeyId": "HUBA2",
            "SecretAccessKey": "secret",
            "SessionToken": "session",
            "Expiration": "2096-10-02T07:06:40Z",
        })
    );
    // Neither a token nor a form of output changes anything.
    let mut again = with_keys(&world, "credentials -o yaml", ada);
    again.env("HADRON_TOKEN", "good");
    assert_eq!(key(&finish(again).await), first);
    assert_eq!(
        world.calls("issue_access_key"),
        [format!("issue_access_key chl {ada}")]
    );
    assert!(world.calls("finish_login").is_empty(), "a key needs no token");
    // Another identity, or a wish, asks the hub.
    let other = key(&finish(with_keys(&world, "credentials", "AKIAIOSFODNN7OTHERS1")).await);
    assert_ne!(other["AccessKeyId"], first["AccessKeyId"]);
    let fresh = key(&finish(with_keys(&world, "credentials --no-cache", ada)).await);
    assert_ne!(fresh["AccessKeyId"], first["AccessKeyId"]);
    assert_eq!(
        key(&finish(with_keys(&world, "credentials", ada)).await),
        fresh,
        "the newest is kept"
    );
    use std::os::unix::fs::PermissionsExt as _;
    let kept: Vec<_> = std::fs::read_dir(world.home.path().join(".cache/hadron/keys"))
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .metadata()
                .expect("metadata")
                .permissions()
                .mode()
                & 0o777
        })
        .collect();
    assert_eq!(kept, [0o600, 0o600]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_ends_soon_is_not_given_out_again() {
    let world = World::new().await;
    // Long over.
    world.hub.state().keys_end = 1_000_000_000;
    for _ in 0..2 {
        key(&finish(with_keys(&world, "credentials", "AKIAIOSFODNN7EXAMPLE")).await);
    }
    assert_eq!(world.calls("issue_access_key").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_profile_wins_over_the_environment() {
    let world = World::new().await;
    world.hub.state().keys_end = END;
    aws_file(
        world.home.path(),
        "config",
        "[profile platform]\naws_access_key_id = AKIAIOSFODNN7PROFILE\naws_secret_access_key = x\n",
    );
    let command = with_keys(
        &world,
        "credentials --aws-profile platform",
        "AKIAIOSFODNN7EXAMPLE",
    );
    key(&finish(command).await);
    assert_eq!(
        world.calls("issue_access_key"),
        ["issue_access_key chl AKIAIOSFODNN7PROFILE"]
    );
    let run = finish(with_keys(
        &world,
        "credentials --aws-profile nobody",
        "AKIAIOSFODNN7EXAMPLE",
    ))
    .await;
    assert_eq!((run.code, run.out.as_str()), (4, ""), "{}", run.err);
    assert!(
        run.err.contains("nobody") && run.err.contains("next: "),
        "{}",
        run.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_call_itself_for_ever() {
    let world = World::new().await;
    let program = env!("CARGO_BIN_EXE_hadron");
    // Directly, and by way of another program.
    let script = world.home.path().join("wrapped");
    std::fs::write(&script, format!("#!/bin/sh\nexec {program} credentials\n")).expect("a script");
    aws_file(
        world.home.path(),
        "config",
        &format!(
            "[profile direct]\ncredential_process = {program} credentials\n[profile wrapped]\ncredential_process = sh {}\n",
            script.display()
        ),
    );
    for profile in ["direct", "wrapped"] {
        for named in [true, false] {
            let run = if named {
                finish(without_keys(
                    &world,
                    &format!("credentials --aws-profile {profile}"),
                ))
                .await
            } else {
                let mut command = without_keys(&world, "credentials");
                command.env("AWS_PROFILE", profile);
                finish(command).await
            };
            assert_eq!((run.code, run.out.as_str()), (4, ""), "{profile}: {}", run.err);
            assert!(run.err.contains("was called by itself"), "{profile}: {}", run.err);
            assert!(run.err.contains("--aws-profile NAME"), "{profile}: {}", run.err);
        }
    }
    assert!(world.hub.state().log.is_empty());
    // As the process of one profile that names another one, it is fine.
    world.hub.state().keys_end = END;
    aws_file(
        world.home.path(),
        "credentials",
        "[own]\naws_access_key_id = AKIAIOSFODNN7PROFILE\naws_secret_access_key = x\n",
    );
    let mut command = without_keys(&world, "credentials --aws-profile own");
    command.env("AWS_PROFILE", "direct");
    key(&finish(command).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_identity_it_says_what_to_do_and_prints_nothing() {
    let world = World::new().await;
    let cases = [
        (without_keys(&world, "credentials"), 4, "admin access-key create"),
        (
            with_keys(&world, "credentials", "HUBAABCDEFGHIJKLMNOP"),
            4,
            "unset AWS_ACCESS_KEY_ID",
        ),
    ];
    for (command, code, says) in cases {
        let run = finish(command).await;
        assert_eq!((run.code, run.out.as_str()), (code, ""), "{}", run.err);
        assert!(run.err.contains(says), "{}", run.err);
    }
    assert!(world.hub.state().log.is_empty());
    let mut nowhere = with_keys(&world, "credentials", "AKIAIOSFODNN7EXAMPLE");
    nowhere.env("HADRON_HUB", "http://127.0.0.1:1");
    let run = finish(nowhere).await;
    assert_eq!((run.code, run.out.as_str()), (9, ""), "{}", run.err);
}
