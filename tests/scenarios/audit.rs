//! The audit log: whoever gets at the database changes a line of it, and `hadron-hub audit verify` says which; and what is
//! exported is what happened.

use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::types::ObjectLockMode;
use hadron_domain::audit::{NOTHING, Record, Signed};
use hadron_tests::cluster::Setup;
use hadron_tests::invariants::facts::Facts;
use hadron_tests::{DEV, MANAGEMENT, PROD, World, agent, aws, wait};
use serde_json::Value;

/// Runs `audit verify`: its exit code, and what it found.
fn verify(world: &World, more: &[&str]) -> (Option<i32>, String, String) {
    let output = world.hub.run(&[&["audit", "verify"], more].concat()).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn lines(file: &Path) -> Vec<Signed> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The rows with their hashes, as they are.
async fn rows(world: &World) -> Vec<(Record, String)> {
    let facts = Facts::of(world).await.unwrap();
    facts
        .audit
        .rows
        .into_iter()
        .map(|(row, hash)| (row, hash.unwrap()))
        .collect()
}

async fn run(world: &World, statements: &[String]) {
    for sql in statements {
        world.rows(sql).await.unwrap();
    }
}

/// Waits until everything that is in the log stands signed in the hub's file; gives its last line.
async fn signed(world: &World, file: &Path) -> Signed {
    wait::until(
        "the end of the log to be signed",
        Duration::from_secs(30),
        || async {
            let drawn = world
                .rows("SELECT value FROM sequence WHERE name = 'audit'")
                .await?;
            let drawn: i64 = drawn[0][0].as_deref().unwrap_or_default().parse()?;
            Ok(lines(file).pop().filter(|last| last.checkpoint.sequence == drawn))
        },
    )
    .await
    .unwrap()
}

/// A change to the log, and what has to be said about it.
struct Tampering {
    what: &'static str,
    statements: Vec<String>,
    says: String,
    /// Only a copy of the checkpoints tells.
    needs_copy: bool,
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Every way to change it, at a row in its middle.
fn tamperings(rows: &[(Record, String)]) -> Vec<Tampering> {
    let last = i64::try_from(rows.len()).unwrap();
    let (n, at) = (last / 2, usize::try_from(last / 2).unwrap() - 1);
    let update = |set: &str, sequence: i64| format!("UPDATE audit SET {set} WHERE sequence = {sequence}");
    let altered = |sequence: i64| format!("row {sequence} was altered");
    let mut rewrite = vec![update("principal = 'token:nobody'", n)];
    let mut before = rows[at - 1].1.clone();
    for (row, _) in &rows[at..] {
        let mut row = row.clone();
        if row.sequence == n {
            row.principal = "token:nobody".to_owned();
        }
        before = row.hash(&before);
        rewrite.push(update(&format!("hash = {}", quoted(&before)), row.sequence));
    }
    // The database's own checkpoints would tell.
    rewrite.push(format!("DELETE FROM audit_checkpoint WHERE sequence >= {n}"));
    let mut added = Record {
        sequence: last + 1,
        principal: "token:nobody".to_owned(),
        ..rows[at].0.clone()
    };
    added.request_id = None;
    added.source = None;
    added.user_agent = None;
    added.account = None;
    let insert = format!(
        "INSERT INTO audit (sequence, at, principal, action, object, outcome, detail, hash) VALUES ({}, {}, {}, {}, {}, {}, {}, {})",
        added.sequence,
        added.at,
        quoted(&added.principal),
        quoted(&added.action),
        quoted(&added.object),
        quoted(&added.outcome),
        quoted(&added.detail),
        quoted(&added.hash(&rows.last().unwrap().1)),
    );
    vec![
        Tampering {
            what: "who did it is altered",
            statements: vec![update("principal = 'token:nobody'", n)],
            says: altered(n),
            needs_copy: false,
        },
        Tampering {
            what: "a refusal becomes a success",
            statements: vec![update("outcome = 'done '", n)],
            says: altered(n),
            needs_copy: false,
        },
        Tampering {
            what: "its hash is altered",
            statements: vec![update(&format!("hash = '{NOTHING}'"), n)],
            says: altered(n),
            needs_copy: false,
        },
        Tampering {
            what: "its hash is taken away",
            statements: vec![update("hash = NULL", n)],
            says: format!("row {n} is without a hash"),
            needs_copy: false,
        },
        Tampering {
            what: "it is removed",
            statements: vec![format!("DELETE FROM audit WHERE sequence = {n}")],
            says: format!("row {n} was removed"),
            needs_copy: false,
        },
        Tampering {
            what: "two are exchanged",
            statements: vec![
                update("sequence = -1", n),
                update(&format!("sequence = {n}"), n + 2),
                update(&format!("sequence = {}", n + 2), -1),
            ],
            says: format!("rows {n} and {} were exchanged", n + 2),
            needs_copy: false,
        },
        Tampering {
            what: "one is added",
            statements: vec![insert],
            says: format!("row {} was put in", last + 1),
            needs_copy: false,
        },
        Tampering {
            what: "it is rewritten with every hash behind it",
            statements: rewrite,
            says: format!("to {last} were rewritten"),
            needs_copy: true,
        },
        Tampering {
            what: "the end is cut off",
            statements: vec![
                format!("DELETE FROM audit WHERE sequence >= {n}"),
                format!("DELETE FROM audit_checkpoint WHERE sequence >= {n}"),
                format!("UPDATE sequence SET value = {} WHERE name = 'audit'", n - 1),
            ],
            says: format!("rows {n} to {last} were cut off"),
            needs_copy: true,
        },
        Tampering {
            what: "a checkpoint is forged",
            statements: vec![format!(
                "UPDATE audit_checkpoint SET hash = '{NOTHING}' WHERE sequence = {last}"
            )],
            says: format!("the checkpoint for row {last} in the database was changed"),
            needs_copy: false,
        },
    ]
}

async fn every_change_is_named(postgres: bool) {
    let setup = Setup {
        postgres,
        hub: "[audit]\ncheckpoint_seconds = 1\n".to_owned(),
        ..Setup::default()
    };
    let mut world = World::of(&setup).await.unwrap();
    for name in ["one", "two", "three", "four"] {
        world.hub.token(name, "auditor").unwrap();
    }
    let auditor = world.somebody(MANAGEMENT, "auditor").await.unwrap();
    let id = world.request(PROD, "prd").await.unwrap();
    let accept = ["connection", "accept", &id, "--account", PROD];
    auditor.fails(4, &accept).await.unwrap();
    world.accept(PROD, &id).await.unwrap();

    // Beside the running hub.
    let file = world.hub.folder().join("audit-checkpoints.jsonl");
    let last = signed(&world, &file).await;
    let key = String::from_utf8(world.hub.run(&["audit", "public-key"]).unwrap().stdout).unwrap();
    let key = key.trim();
    for more in [&[][..], &["--public-key", key]] {
        let (code, found, told) = verify(&world, more);
        assert_eq!(code, Some(0), "{found}{told}");
        assert!(found.contains("checkpoints agree, up to row"), "{found}{told}");
    }
    exported(&world, &id);

    // It signs the end once more when it ends.
    world.hub.token("five", "auditor").unwrap();
    let stopped = world.hub.process().stop(Duration::from_secs(30)).await.unwrap();
    assert!(stopped.success());
    let end = signed(&world, &file).await;
    assert!(end.checkpoint.sequence > last.checkpoint.sequence);
    let copy = world.folder().join("copy.jsonl");
    std::fs::copy(&file, &copy).unwrap();
    let copy = copy.display().to_string();

    let whole = rows(&world).await;
    assert!(whole.len() > 8, "{whole:#?}");
    run(
        &world,
        &["audit", "audit_checkpoint"]
            .map(|table| format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")),
    )
    .await;
    for tampering in tamperings(&whole) {
        let Tampering {
            what,
            statements,
            says,
            needs_copy,
        } = tampering;
        run(&world, &statements).await;
        let (code, found, told) = verify(&world, &["--checkpoints", &copy]);
        assert_eq!(code, Some(3), "{what}: {found}{told}");
        assert!(found.contains(&says), "{what}: no '{says}' in {found}{told}");
        assert!(told.contains("the audit log was changed"), "{what}: {told}");
        if !needs_copy {
            // What the hub keeps by itself is enough.
            let (code, found, told) = verify(&world, &[]);
            assert!(code == Some(3) && found.contains(&says), "{what}: {found}{told}");
        }
        let restore = ["audit", "audit_checkpoint"].map(|table| {
            [
                format!("DELETE FROM {table}"),
                format!("INSERT INTO {table} SELECT * FROM kept_{table}"),
            ]
        });
        run(&world, restore.as_flattened()).await;
        run(
            &world,
            &[format!(
                "UPDATE sequence SET value = {} WHERE name = 'audit'",
                whole.len()
            )],
        )
        .await;
    }
    let (code, found, told) = verify(&world, &["--checkpoints", &copy]);
    assert_eq!(code, Some(0), "put back: {found}{told}");

    // Signed by somebody else, or nobody: it counts for nothing, and that is said.
    let other = "ed25519:1mNa4V5E8DvYsDzBhQKhSDcNnk0hn6BkLMm8oXxNc9w=";
    let (code, found, told) = verify(&world, &["--public-key", other]);
    assert_eq!(code, Some(0), "{found}{told}");
    assert!(
        told.contains("is not known, and count for nothing") && told.contains("no checkpoint was compared"),
        "{told}"
    );
    let (code, _, told) = verify(&world, &["--checkpoints", "/nowhere/copy.jsonl"]);
    assert!(code == Some(1) && told.contains("/nowhere/copy.jsonl"), "{told}");
    // And the hub goes on where it was.
    world.hub.restart().await.unwrap();
    world.hub.token("six", "auditor").unwrap();
    signed(&world, &file).await;
    assert_eq!(verify(&world, &[]).0, Some(0));
}

fn export(world: &World, more: &[&str]) -> Vec<Value> {
    let output = world.hub.run(&[&["audit", "export"], more].concat()).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What was done and refused stands in the export, in CloudTrail's form, with where it came from.
fn exported(world: &World, connection: &str) {
    let all = export(world, &[]);
    for (at, event) in (1..).zip(&all) {
        assert_eq!(event["additionalEventData"]["sequence"], at, "{event}");
        for member in [
            "eventID",
            "eventTime",
            "eventName",
            "awsRegion",
            "recipientAccountId",
        ] {
            assert!(event[member].is_string(), "{member}: {event}");
        }
    }
    let accepted = export(world, &["--event-name", "AcceptConnection"]);
    let [denied, done] = &accepted[..] else {
        panic!("{accepted:#?}")
    };
    assert_eq!(denied["errorCode"], "AccessDenied", "{denied}");
    assert!(done["errorCode"].is_null(), "{done}");
    assert_eq!(done["requestParameters"]["resource"], connection);
    for (event, role) in [(denied, "auditor"), (done, "platform-admin")] {
        assert_eq!(event["userIdentity"]["type"], "Role", "{event}");
        assert_eq!(event["userIdentity"]["accountId"], MANAGEMENT);
        let arn = event["userIdentity"]["arn"].as_str().unwrap();
        assert!(arn.ends_with(&format!(":role/{role}")), "{arn}");
        assert_eq!(event["sourceIPAddress"], "127.0.0.1", "{event}");
        assert!(
            event["userAgent"].as_str().unwrap().contains("hadron/"),
            "{event}"
        );
        assert!(event["requestID"].is_string(), "{event}");
    }
    assert_ne!(denied["requestID"], done["requestID"]);
    let of_account = export(world, &["--account", PROD, "--since", "1h"]);
    assert!(!of_account.is_empty() && of_account.len() < all.len());
    assert!(
        of_account
            .iter()
            .all(|event| event["userIdentity"]["accountId"] == PROD),
        "{of_account:#?}"
    );
    assert!(export(world, &["--until", "1h"]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_to_the_log_is_found_and_named_on_sqlite() {
    Box::pin(every_change_is_named(false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_to_the_log_is_found_and_named_on_postgresql() {
    Box::pin(every_change_is_named(true)).await;
}

/// A bucket of another account that the management account's agent may put things into, and lock.
async fn locking_bucket(world: &World, name: &str) -> aws_sdk_s3::Client {
    let config = aws::root(world.emulator.url(), DEV).await;
    let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
    let s3 = aws_sdk_s3::Client::from_conf(config.build());
    let made = s3
        .create_bucket()
        .bucket(name)
        .object_lock_enabled_for_bucket(true);
    made.send().await.unwrap();
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{MANAGEMENT}:root") },
            "Action": ["s3:PutObject", "s3:PutObjectRetention"],
            "Resource": format!("arn:aws:s3:::{name}/*"),
        }],
    });
    let put = s3.put_bucket_policy().bucket(name).policy(policy.to_string());
    put.send().await.unwrap();
    s3
}

/// What is in the bucket, put into a folder as `aws s3 sync` would.
async fn synced(s3: &aws_sdk_s3::Client, bucket: &str, folder: &Path) -> Vec<String> {
    let listed = s3.list_objects_v2().bucket(bucket).send().await.unwrap();
    let mut keys = Vec::new();
    for key in listed.contents().iter().filter_map(|object| object.key()) {
        let object = s3.get_object().bucket(bucket).key(key).send().await.unwrap();
        let content = object.body.collect().await.unwrap().into_bytes();
        let file = folder.join(key);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
        keys.push(key.to_owned());
    }
    keys
}

/// Somebody who has the hub's machine and its database rewrites the log from a row on, hashes included, and takes away every
/// checkpoint that they can reach: what the agent has locked away tells.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_locked_away_tells_of_a_log_that_was_rewritten_with_everything_around_it() {
    let setup = Setup {
        hub: format!(
            "[audit]\ncheckpoint_seconds = 1\ns3_bucket = \"example-audit\"\ns3_owner = \"{DEV}\"\ns3_keep_days = 30\n"
        ),
        ..Setup::default()
    };
    let mut world = World::of(&setup).await.unwrap();
    let s3 = locking_bucket(&world, "example-audit").await;
    let leave = ["--audit-bucket", "example-audit"];
    agent::roles_with(world.emulator.url(), MANAGEMENT, &leave)
        .await
        .unwrap();
    for name in ["one", "two", "three", "four"] {
        world.hub.token(name, "auditor").unwrap();
    }
    let file = world.hub.folder().join("audit-checkpoints.jsonl");
    signed(&world, &file).await;
    let stopped = world.hub.process().stop(Duration::from_secs(30)).await.unwrap();
    assert!(stopped.success());
    let last = signed(&world, &file).await;
    world.hub.restart().await.unwrap();

    let copy = world.folder().join("copy");
    let keys = wait::until(
        "the end of the log to be locked away",
        Duration::from_secs(60),
        || async {
            let keys = synced(&s3, "example-audit", &copy).await;
            let end = format!("{:016}.jsonl", last.checkpoint.sequence);
            let there = keys
                .last()
                .is_some_and(|key| key.rsplit('/').next() >= Some(end.as_str()));
            Ok(there.then_some(keys))
        },
    )
    .await
    .unwrap();
    let name = keys.last().unwrap();
    assert!(
        name.starts_with(&format!("hadron/{}/", last.checkpoint.hub)),
        "{name}"
    );
    let lock = s3
        .get_object_retention()
        .bucket("example-audit")
        .key(name)
        .send()
        .await
        .unwrap();
    let retention = lock.retention().unwrap();
    assert_eq!(
        retention.mode().unwrap().as_str(),
        ObjectLockMode::Compliance.as_str()
    );
    let until = retention.retain_until_date().unwrap().secs();
    let put = lines(&copy.join(name)).pop().unwrap();
    let at = put.checkpoint.at.as_micros().div_euclid(1_000_000);
    assert_eq!(until, at + 30 * 86_400);
    // Not even the owner of the bucket gets it away.
    let versions = s3
        .list_object_versions()
        .bucket("example-audit")
        .prefix(name)
        .send()
        .await
        .unwrap();
    let [version] = versions.versions() else {
        panic!("{versions:#?}")
    };
    let gone = s3
        .delete_object()
        .bucket("example-audit")
        .key(name)
        .version_id(version.version_id().unwrap())
        .send()
        .await;
    assert!(gone.is_err(), "{gone:?}");

    let stopped = world.hub.process().stop(Duration::from_secs(30)).await.unwrap();
    assert!(stopped.success());
    let all = rows(&world).await;
    let rewrite = tamperings(&all).into_iter().find(|way| way.needs_copy).unwrap();
    run(&world, &rewrite.statements).await;
    std::fs::remove_file(&file).unwrap();
    let (code, found, told) = verify(&world, &[]);
    assert_eq!(
        code,
        Some(0),
        "{}: nothing that is left knows better: {found}{told}",
        rewrite.what
    );
    let (code, found, told) = verify(&world, &["--checkpoints", &copy.display().to_string()]);
    assert_eq!(code, Some(3), "{found}{told}");
    // Up to the last checkpoint that was locked away.
    assert!(found.contains("were rewritten"), "{found}{told}");
}
