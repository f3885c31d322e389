//! The hub's database is put back to a backup, while its agents and AWS go on as they are. The hub notices, refuses to work
//! until somebody says what happened, finds out what it has lost, and goes on; nothing is done twice, and no agent of the
//! lost time changes anything any more.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hadron_tests::{PROD, invariants, wait};
use serde_json::json;

use crate::stage::Stage;

/// Replaces the database by the backup, as an operator would.
fn put_back(folder: &Path, backup: &Path) -> Result<()> {
    for file in ["hub.db-wal", "hub.db-shm"] {
        match std::fs::remove_file(folder.join(file)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
    }
    std::fs::copy(backup, folder.join("hub.db")).context("putting the database back")?;
    Ok(())
}

async fn compared(stage: &Stage) -> Result<()> {
    wait::until("every stack to be compared", Duration::from_secs(60), || async {
        Ok((stage.world.hub.gauge("hadron_recovery_stacks_open").await? == 0).then_some(()))
    })
    .await
}

async fn finds_out_what_was_lost() -> Result<()> {
    let mut stage = Stage::new(6).await?;
    let first = stage.standing(&json!({ "note": "one" })).await?;
    let first = invariants::digits(first["id"].as_str().unwrap_or_default());
    let backup = stage.world.folder().join("backup.db");
    let place = backup.display().to_string();
    let (done, told) = stage.world.hub.command(&["backup", &place])?;
    ensure!(done, "no backup: {told}");

    // What will be lost: a deployment that was done, and one of which an agent has leave to execute the change set.
    let lost = stage.update(&json!({ "note": "two" })).await?;
    stage.succeeds(&lost).await?;
    let since = stage.world.emulator.last_call().await?;
    // Until it is healed: the client tries again by itself, and may be sooner than the signal that stops it.
    stage
        .plant("ExecuteChangeSet", &json!({ "kind": "disconnect", "times": 100 }))
        .await?;
    let cut = stage.update(&json!({ "note": "three" })).await?;
    stage.called(since, "ExecuteChangeSet").await?;
    stage.told(&cut, "allowed").await?;
    let agent = stage.world.agent(PROD);
    agent.process().signal("STOP")?;
    let said = agent.process().printed().lines().count();
    stage.world.emulator.heal().await?;

    // The hub looks every few seconds how far its database is.
    let before: i64 = rusqlite::Connection::open(&backup)?.query_row(
        "SELECT value FROM sequence WHERE name = 'audit'",
        [],
        |row| row.get(0),
    )?;
    let mark = stage.world.hub.folder().join("high-water.json");
    wait::until(
        "the mark to be ahead of the backup",
        Duration::from_secs(30),
        || async {
            let text = std::fs::read(&mark).unwrap_or_default();
            let mark: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
            Ok((mark["audit"].as_i64() > Some(before)).then_some(()))
        },
    )
    .await?;

    // The hub does not work on a database of which it knows that it is old.
    let folder = stage.world.hub.folder().to_owned();
    let refused = stage
        .world
        .hub
        .restart_with(None, || put_back(&folder, &backup))
        .await;
    let refused = format!("{:#}", refused.err().context("it works on an old database")?);
    ensure!(refused.contains("hadron-hub recover"), "{refused}");
    let (done, told) = stage.world.hub.command(&["recover"])?;
    ensure!(done && told.contains("1 stacks are compared"), "{told}");
    let (done, again) = stage.world.hub.command(&["recover"])?;
    ensure!(done && again.contains("nothing to do"), "{again}");
    stage.world.hub.restart().await?;
    ensure!(
        stage.world.hub.gauge("hadron_restore_generation").await? == 1,
        "no new generation"
    );
    ensure!(
        stage.world.hub.gauge("hadron_recovery_stacks_open").await? == 1,
        "nothing to compare"
    );
    let summary = stage.world.admin.ok(&["summary"]).await?.text();
    ensure!(summary.contains("0 of 1 stacks are compared"), "{summary}");
    ensure!(summary.contains("more: hadron help HADRON-6003"), "{summary}");
    let doctor = stage.world.admin.run(&["doctor"]).await?.text();
    ensure!(
        doctor.contains("warning  database") && doctor.contains("hadron help HADRON-6003"),
        "{doctor}"
    );

    // An agent comes, without anybody's help, looks, and takes away what could still be executed.
    let mut second = stage.world.agent(PROD).twin()?;
    compared(&stage).await?;
    let environment = stage.environment().await?;
    let state = &environment["deployment"];
    ensure!(state["status"] == "FAILED", "{environment:#}");
    let message = state["statusMessage"].as_str().unwrap_or_default();
    ensure!(
        message.contains(&lost) && message.contains("restored"),
        "{environment:#}"
    );
    let stack = stage.stack().await?.context("no stack")?;
    let waiting = stack["waiting_change_sets"].as_array().map_or(0, Vec::len);
    ensure!(waiting == 0, "a change set of the lost time is left: {stack:#}");

    // New work goes the ordinary way.
    let next = stage.update(&json!({ "note": "four" })).await?;
    stage.succeeds(&next).await?;
    let finished = stage.world.emulator.last_call().await?;

    // The agent of the lost time wakes up, is told, and comes back as an agent of this time.
    let agent = stage.world.agent(PROD);
    agent.process().signal("CONT")?;
    wait::until("the first agent to find out", Duration::from_secs(60), || {
        let printed = agent.process().printed();
        let left = printed
            .lines()
            .skip(said)
            .any(|line| line.contains("Left the job unfinished") || line.contains("The report is stale"));
        let enrolled = printed.lines().skip(said).any(|line| line.contains("Enrolled"));
        let over = left && enrolled && agent.journal().is_empty();
        async move { Ok(over.then_some(())) }
    })
    .await?;
    second.process().alive()?;
    let late = stage.world.emulator.calls(finished).await?;
    let executed = late.iter().filter(|call| {
        call["account"] == PROD && call["action"] == "ExecuteChangeSet" && call["status"] == 200
    });
    ensure!(executed.count() == 0, "the lost time went on: {late:#?}");

    let calls = stage.world.emulator.calls(0).await?;
    let executed: Vec<String> = invariants::executions(&calls)?
        .into_iter()
        .map(|each| each.deployment)
        .collect();
    let wanted = [first, invariants::digits(&lost), invariants::digits(&next)];
    ensure!(executed == wanted, "executed {executed:?}, not {wanted:?}");
    ensure!(
        stage.environment().await?["deployment"]["outputs"]["Note"] == "four",
        "not as deployed"
    );
    stage.world.at_rest().await?;

    // Fences of the new time stand above every one of the lost one.
    let database = rusqlite::Connection::open(stage.world.hub.folder().join("hub.db"))?;
    let job = format!("%{}%", invariants::digits(&next));
    let fence: i64 = database.query_row(
        "SELECT MAX(fence) FROM job WHERE deployment_id LIKE ?1",
        [job],
        |row| row.get(0),
    )?;
    ensure!(fence > 1 << 40, "fence {fence} is of the lost time");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_lost_time_finds_out_what_happened_and_goes_on() {
    finds_out_what_was_lost().await.unwrap();
}
