//! Error codes of the hub, each met for real: by the command line where people meet it, else in what the hub answers.

use anyhow::{Context as _, Result, ensure};
use hadron_proto::proof::{self, Binding};
use hadron_proto::vocab::Timestamp;
use hadron_proto::wire;
use hadron_tests::attacks::client::{credentials, shifted};
use hadron_tests::{DEV, PROD};
use serde_json::json;
use tonic_types::StatusExt as _;

use crate::stage::{NAME, Stage, spec};

/// A command fails with this exit code and this error code.
async fn meets(who: &hadron_tests::cli::Cli, exit: i32, code: &str, args: &[&str]) -> Result<()> {
    let told = who.fails(exit, args).await?;
    ensure!(
        told.contains(&format!("more: hadron help {code}")),
        "{code}: {told}"
    );
    let page = who.ok(&["help", code]).await?.stdout;
    ensure!(page.starts_with(code) && page.contains("How to go on"), "{page}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_a_hub_refuses() {
    refuses().await.unwrap();
}

async fn refuses() -> Result<()> {
    let mut stage = Stage::new(6).await?;
    stage.standing(&json!({ "note": "one" })).await?;
    let admin = stage.world.admin.clone();
    let file = spec(&stage.world, "other", &json!({ "note": "other" }))?;

    // Who asks.
    let nobody = stage.world.somebody(PROD, "nobody-here").await?;
    let version = ["template", "delete", "probe-env", "--version", "1.0", "--yes"];
    meets(&nobody, 4, "HADRON-2002", &version).await?;
    let stranger = ["--token", "nonsense", "whoami"];
    meets(&admin, 4, "HADRON-2001", &stranger).await?;

    // Connections.
    let pending = stage.world.request(DEV, "dev").await?;
    let create = |name: &'static str, connection: &str, spec: &str| -> Vec<String> {
        let args = [
            "environment",
            "create",
            name,
            "--template",
            "probe-env",
            "--connection",
            connection,
            "--spec",
            spec,
        ];
        args.map(str::to_owned).to_vec()
    };
    let words = |args: &[String]| -> Vec<String> { args.to_vec() };
    let args = words(&create("dev", &pending, &file));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    meets(&admin, 6, "HADRON-3001", &args).await?;
    let twice = stage.world.request(DEV, "dev").await;
    let twice = format!("{:#}", twice.err().context("a second live connection")?);
    ensure!(twice.contains("more: hadron help HADRON-3003"), "{twice}");
    admin.ok(&["connection", "reject", &pending, "--yes"]).await?;
    meets(&admin, 5, "HADRON-3002", &args).await?;

    // What was asked for.
    let taken = words(&create(NAME, &pending, &file));
    let mut taken: Vec<&str> = taken.iter().map(String::as_str).collect();
    let connection = admin.json(&["environment", "get", NAME]).await?["connectionId"].clone();
    taken[6] = connection.as_str().context("a connection")?;
    meets(&admin, 5, "HADRON-4001", &taken).await?;
    let wrong = spec(&stage.world, "wrong", &json!({ "seconds": "soon" }))?;
    meets(
        &admin,
        1,
        "HADRON-4002",
        &["environment", "update", NAME, "--spec", &wrong],
    )
    .await?;
    meets(&admin, 5, "HADRON-4004", &version).await?;

    // Deployments.
    let slow = stage.update(&json!({ "note": "two", "seconds": 4 })).await?;
    meets(
        &admin,
        5,
        "HADRON-5001",
        &["environment", "update", NAME, "--redeploy"],
    )
    .await?;
    stage.succeeds(&slow).await?;
    let failing = spec(
        &stage.world,
        NAME,
        &json!({ "note": "three", "fail_on": ["update"], "times": 1 }),
    )?;
    let update = ["environment", "update", NAME, "--spec", &failing, "--wait"];
    meets(&admin, 7, "HADRON-5002", &update).await?;

    // No agent takes it, and time runs out.
    stage.world.agent(PROD).process().kill()?;
    let waits = [
        "environment",
        "update",
        NAME,
        "--redeploy",
        "--wait",
        "--timeout",
        "3s",
    ];
    meets(&admin, 8, "HADRON-3004", &waits).await?;
    stage.world.agent(PROD).restart()?;
    let latest = stage.environment().await?;
    let latest = hadron_tests::world::field(&latest["deployment"], "lastAttemptedDeploymentId")?;
    stage.world.ended(&latest).await?;
    stage.holds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_clock_that_is_off() {
    clock().await.unwrap();
}

async fn clock() -> Result<()> {
    let world = hadron_tests::World::new().await?;
    let mut auth = wire::auth_service_client::AuthServiceClient::new(world.door().await?);
    let challenge = auth.begin_login(wire::BeginLoginRequest {}).await?.into_inner();
    let nonce: [u8; 32] = challenge.nonce.as_slice().try_into()?;
    let binding = Binding::Login {
        nonce,
        hub_id: challenge.hub_id.parse()?,
    };
    let late = shifted(-600).duration_since(std::time::UNIX_EPOCH)?;
    let late = Timestamp::from_micros(i64::try_from(late.as_micros())?);
    let who = credentials(world.admin.variables());
    let proof = proof::sign(&who, &hadron_tests::REGION.parse()?, late, &binding)?;
    let request = wire::FinishLoginRequest {
        proof: Some(proof.to_wire(challenge.challenge_id)),
    };
    let refused = auth
        .finish_login(request)
        .await
        .err()
        .context("an old proof was taken")?;
    let info = refused.get_details_error_info().context("no reason")?;
    ensure!(info.reason == "STALE_PROOF", "{info:?}");
    ensure!(
        info.metadata.get("code").map(String::as_str) == Some("HADRON-1003"),
        "{info:?}"
    );
    Ok(())
}
