//! The hub's CA gets another root while agents work and people ask: nobody is cut off for good, and what is under way goes on.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use hadron_tests::cli::Cli;
use hadron_tests::{PROD, wait};
use serde_json::json;

use crate::stage::Stage;

/// How long a running hub may take to notice.
const SOON: Duration = Duration::from_secs(30);

/// Runs `hadron-hub ca ...`; gives what it printed.
fn ca(stage: &Stage, arguments: &[&str]) -> Result<String> {
    let output = stage.world.hub.run(&[&["ca"], arguments].concat())?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "hadron-hub ca {arguments:?}: {told}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Waits until the running hub trusts so many roots.
async fn trusts(stage: &Stage, roots: usize) -> Result<()> {
    let file = &stage.world.front().ca_file;
    wait::until(&format!("{roots} roots"), SOON, || async {
        let text = std::fs::read_to_string(file)?;
        Ok((text.matches("BEGIN CERTIFICATE").count() == roots).then_some(()))
    })
    .await
}

/// Waits until the running hub says that it signs with this root.
async fn signs(stage: &Stage, pin: &str) -> Result<()> {
    let file = stage.world.front().ca_file.with_file_name("ready.json");
    wait::until("the new root to sign", SOON, || async {
        Ok(std::fs::read_to_string(&file)?.contains(pin).then_some(()))
    })
    .await
}

/// A person who knows the hub as it was.
fn person(stage: &Stage, ca_file: &Path) -> Cli {
    let mut variables = stage.world.admin.variables().clone();
    variables.insert("HADRON_HUB_CA".to_owned(), ca_file.display().to_string());
    Cli::new(&stage.world.folder().join("person"), variables)
}

/// Waits for a line in the agent's log behind its first `from` bytes.
async fn logged(stage: &mut Stage, from: usize, words: &str) -> Result<()> {
    let file = stage.world.agent(PROD).folder().join("agent.log");
    wait::until(
        &format!("the agent to say '{words}'"),
        Duration::from_secs(60),
        || async {
            let text = std::fs::read_to_string(&file)?;
            Ok(text
                .get(from..)
                .is_some_and(|new| new.contains(words))
                .then_some(()))
        },
    )
    .await
}

fn log_length(stage: &mut Stage) -> Result<usize> {
    Ok(std::fs::read_to_string(stage.world.agent(PROD).folder().join("agent.log"))?.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_root_takes_over_and_nobody_is_cut_off() {
    let mut stage = Stage::new(30).await.unwrap();
    let kept = stage.world.folder().join("old-ca.crt");
    std::fs::copy(&stage.world.front().ca_file, &kept).unwrap();
    let somebody = person(&stage, &kept);

    // A deployment is under way all the time.
    let id = stage
        .create(&json!({ "note": "one", "seconds": 25 }))
        .await
        .unwrap();
    stage.stack_is("CREATE_IN_PROGRESS").await.unwrap();
    let from = log_length(&mut stage).unwrap();
    let pin = ca(&stage, &["prepare"]).unwrap();
    trusts(&stage, 2).await.unwrap();
    logged(&mut stage, from, "The hub's CA has other roots")
        .await
        .unwrap();
    somebody.ok(&["environment", "list"]).await.unwrap();

    assert_eq!(ca(&stage, &["activate"]).unwrap(), pin);
    signs(&stage, &pin).await.unwrap();
    somebody.ok(&["environment", "list"]).await.unwrap();
    // With the pin of before, and nothing that it has learned.
    stage.world.agent(PROD).process().kill().unwrap();
    let identity = stage.world.agent(PROD).folder().join("state/identity.json");
    std::fs::remove_file(&identity).unwrap();
    stage.world.agent(PROD).restart().unwrap();
    stage.world.online(PROD, true).await.unwrap();

    // The key of the old root is known to others, so it goes at once.
    let early = stage.world.hub.command(&["ca", "retire"]).unwrap();
    assert!(!early.0 && early.1.contains("retire --now"), "{early:?}");
    ca(&stage, &["retire", "--now"]).unwrap();
    trusts(&stage, 1).await.unwrap();
    stage.succeeds(&id).await.unwrap();
    let refused = somebody.fails(9, &["environment", "list"]).await.unwrap();
    assert!(refused.contains("certificate"), "{refused}");
    let listed = ca(&stage, &["list"]).unwrap();
    assert!(
        listed.contains("active") && listed.contains("retired"),
        "{listed}"
    );

    // The agent's configuration still has the pin of the root that is gone; what it learned counts.
    stage.world.agent(PROD).restart().unwrap();
    let id = stage
        .update(&json!({ "note": "two", "seconds": 1 }))
        .await
        .unwrap();
    stage.succeeds(&id).await.unwrap();
    stage.holds().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_all_the_time_is_told_what_to_do() {
    let mut stage = Stage::new(30).await.unwrap();
    stage.world.agent(PROD).process().kill().unwrap();
    stage.world.online(PROD, false).await.unwrap();
    ca(&stage, &["prepare"]).unwrap();
    let pin = ca(&stage, &["activate"]).unwrap();
    ca(&stage, &["retire", "--now"]).unwrap();
    signs(&stage, &pin).await.unwrap();
    // A hub that is started again has the same roots.
    stage.world.hub.restart().await.unwrap();
    trusts(&stage, 1).await.unwrap();

    std::fs::remove_file(stage.world.agent(PROD).folder().join("state/identity.json")).unwrap();
    let from = log_length(&mut stage).unwrap();
    stage.world.agent(PROD).restart().unwrap();
    logged(&mut stage, from, "hadron-hub admin pin").await.unwrap();
    let told = stage.world.hub.run(&["admin", "pin"]).unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), pin);
    stage
        .world
        .agent(PROD)
        .configure(|text| {
            let lines = text.lines().map(|line| {
                if line.starts_with("ca_pin") {
                    format!("ca_pin = \"{pin}\"")
                } else {
                    line.to_owned()
                }
            });
            lines.collect::<Vec<_>>().join("\n")
        })
        .unwrap();
    stage.world.online(PROD, true).await.unwrap();
    let id = stage
        .create(&json!({ "note": "one", "seconds": 1 }))
        .await
        .unwrap();
    stage.succeeds(&id).await.unwrap();
}
