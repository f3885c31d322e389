//! Access keys: `hadron credentials` as AWS clients call it, keys minted beside a running hub, and the Proton API that
//! takes requests signed with them.

use std::process::Command;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{self, SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use hadron_management::clock::Clock;
use hadron_management::store::db::SqliteOptions;
use hadron_management::store::{Db, StoreError};
use hadron_tests::{MANAGEMENT, PROD, REGION, World, paths};
use serde_json::{Value, json};

const READ: &str = "GetAccountSettings";

/// A client that knows the hub by its CA and nothing of its names.
fn client(world: &World) -> reqwest::Client {
    let pem = std::fs::read(&world.hub.ready().ca_file).unwrap();
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .build()
        .unwrap()
}

/// Calls an operation with a request that is signed with `key`, a credential process's output, or not at all.
async fn call(world: &World, key: Option<&Value>, operation: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}/", world.hub.ready().api);
    let text = body.to_string();
    let target = format!("AwsProton20200720.{operation}");
    let mut request = client(world)
        .post(&url)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", &target);
    if let Some(key) = key {
        let part = |name: &str| key[name].as_str().map(str::to_owned);
        let identity = Credentials::new(
            part("AccessKeyId").unwrap(),
            part("SecretAccessKey").unwrap(),
            part("SessionToken"),
            None,
            "scenario",
        )
        .into();
        let now = u64::try_from(Clock::system().now().as_millis()).unwrap();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name("proton")
            .time(std::time::UNIX_EPOCH + Duration::from_millis(now))
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", target.as_str()),
        ];
        let signable = SignableRequest::new(
            "POST",
            &url,
            headers.into_iter(),
            SignableBody::Bytes(text.as_bytes()),
        )
        .unwrap();
        let (instructions, _) = http_request::sign(signable, &params).unwrap().into_parts();
        for (name, value) in instructions.headers() {
            request = request.header(name, value);
        }
    }
    let answer = request.body(text).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn error(answer: &(u16, Value)) -> &str {
    let name = answer.1["__type"].as_str().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default()
}

/// The audit log, line by line.
async fn audit(world: &World) -> Vec<String> {
    let path = world.hub.folder().join("hub.db");
    let db = Db::open_sqlite(&path, Clock::system(), SqliteOptions::default())
        .await
        .unwrap();
    let lines = db.read("audit", |tx| {
        Box::pin(async move {
            let sql =
                "SELECT principal, account, action, object, outcome, detail FROM audit ORDER BY sequence";
            let rows = tx.query(sql, &[]).await?;
            let line = |row: &hadron_management::store::Row| {
                let account: Option<String> = row.get("account")?;
                let text = |column| row.get::<String>(column);
                Ok(format!(
                    "{} {} {} {} {}: {}",
                    text("outcome")?,
                    text("action")?,
                    text("principal")?,
                    account.unwrap_or_else(|| "-".to_owned()),
                    text("object")?,
                    text("detail")?
                ))
            };
            rows.iter().map(line).collect::<Result<Vec<_>, StoreError>>()
        })
    });
    let lines = lines.await.unwrap();
    db.close().await;
    lines
}

fn admin(world: &World, args: &[&str]) -> String {
    let output = Command::new(paths::binary("hadron-hub").unwrap())
        .args(["admin", "access-key"])
        .args(args)
        .arg("--config")
        .arg(world.hub.folder().join("hub.toml"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_get_keys_for_who_they_are() {
    let mut world = World::new().await.unwrap();
    let owner = world.owner(PROD).await.unwrap();
    let own: Value = owner.ok(&["credentials"]).await.unwrap().json().unwrap();
    let admin_key: Value = world.admin.ok(&["credentials"]).await.unwrap().json().unwrap();
    let names: Vec<&String> = own.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "Version",
            "AccessKeyId",
            "SecretAccessKey",
            "SessionToken",
            "Expiration"
        ],
        "{own}"
    );
    // Kept: the second call gives the same key.
    let again: Value = owner.ok(&["credentials"]).await.unwrap().json().unwrap();
    assert_eq!(again, own);
    let nobody = world.somebody(MANAGEMENT, "passer-by").await.unwrap();
    let told = nobody.run(&["credentials"]).await.unwrap();
    assert_eq!((told.code, told.stdout.as_str()), (4, ""), "{}", told.stderr);
    assert!(told.stderr.contains("no role at this hub"), "{}", told.stderr);

    // Signed requests get past the door, whatever the operation then says; others do not.
    for key in [&own, &admin_key] {
        let answer = call(&world, Some(key), READ, &json!({})).await;
        assert!(
            !error(&answer).contains("Signature") && !error(&answer).contains("Token"),
            "{answer:?}"
        );
    }
    assert_eq!(
        error(&call(&world, None, READ, &json!({})).await),
        "MissingAuthenticationTokenException"
    );
    let mut mixed = own.clone();
    mixed["SessionToken"] = admin_key["SessionToken"].clone();
    assert_eq!(
        error(&call(&world, Some(&mixed), READ, &json!({})).await),
        "InvalidSignatureException"
    );
    let mut forged = admin_key.clone();
    forged["SecretAccessKey"] = "x".repeat(44).into();
    let answer = call(&world, Some(&forged), READ, &json!({})).await;
    assert_eq!(
        (error(&answer), answer.0),
        ("InvalidSignatureException", 400),
        "{answer:?}"
    );

    // They count at another start of the hub as well.
    world.hub.restart().await.unwrap();
    let answer = call(&world, Some(&own), READ, &json!({})).await;
    assert!(!error(&answer).contains("Signature"), "{answer:?}");

    let lines = audit(&world).await;
    let key = |key: &Value| key["AccessKeyId"].as_str().unwrap().to_owned();
    for wanted in [
        format!(
            "done IssueAccessKey arn:aws:iam::{PROD}:role/account-owner {PROD} {}: owner",
            key(&own)
        ),
        format!(
            "done IssueAccessKey arn:aws:iam::{MANAGEMENT}:role/platform-admin {MANAGEMENT} {}: administrator",
            key(&admin_key)
        ),
        format!(
            "denied {READ} unknown - {}: wrong secret or session token; from 127.0.0.1",
            key(&own)
        ),
        format!(
            "denied {READ} unknown - {}: wrong secret or session token; from 127.0.0.1",
            key(&admin_key)
        ),
    ] {
        assert!(lines.contains(&wanted), "no '{wanted}' in {lines:#?}");
    }
    // Nothing of what is secret is in any log or in the database's file.
    let mut written = world.logs().into_bytes();
    for file in ["hub.db", "hub.db-wal"] {
        written.extend(std::fs::read(world.hub.folder().join(file)).unwrap_or_default());
    }
    let written = String::from_utf8_lossy(&written);
    for secret in ["SecretAccessKey", "SessionToken"] {
        assert!(!written.contains(own[secret].as_str().unwrap()), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn minted_keys_play_their_part_until_they_are_switched_off() {
    let world = World::new().await.unwrap();
    let minted: Value = serde_json::from_str(&admin(
        &world,
        &["create", "ci", "--role", "developer", "--output", "json"],
    ))
    .unwrap();
    let answer = call(&world, Some(&minted), READ, &json!({})).await;
    assert!(!error(&answer).contains("Signature"), "{answer:?}");
    assert!(admin(&world, &["list"]).contains("good"));
    admin(&world, &["disable", "ci"]);
    let answer = call(&world, Some(&minted), READ, &json!({})).await;
    assert_eq!(error(&answer), "InvalidSignatureException", "{answer:?}");
    let lines = audit(&world).await;
    let id = minted["AccessKeyId"].as_str().unwrap();
    assert!(
        lines.contains(&format!(
            "denied {READ} key:ci - {id}: the access key is switched off; from 127.0.0.1"
        )),
        "{lines:#?}"
    );
}
