//! Cancelling. CANCELLED means that nothing was executed and never will be; whatever else came of it is told as it is.

use std::time::Duration;

use anyhow::{Result, ensure};
use hadron_tests::{MANAGEMENT, PROD, World, wait};
use serde_json::{Value, json};

use crate::stage::{NAME, Stage, create_service, publish_service, service_spec};

impl Stage {
    async fn cancel(&self, id: &str) -> Result<()> {
        self.world.admin.ok(&["deployment", "cancel", id]).await.map(drop)
    }

    /// The deployment ends CANCELLED, and its change set was never executed.
    async fn cancelled(&self, id: &str, since: u64) -> Result<()> {
        self.ends(id, "CANCELLED").await?;
        let executed = self.accepted(since, "ExecuteChangeSet").await?;
        ensure!(executed.is_empty(), "cancelled, and executed: {executed:?}");
        Ok(())
    }
}

async fn latest(stage: &Stage) -> Result<String> {
    let environment = stage.environment().await?;
    hadron_tests::world::field(&environment["deployment"], "lastSucceededDeploymentId")
}

#[tokio::test(flavor = "multi_thread")]
async fn before_any_agent_took_it() {
    let mut stage = Stage::new(6).await.unwrap();
    stage.standing(&json!({ "note": "one" })).await.unwrap();
    let first = latest(&stage).await.unwrap();
    stage.world.agent(PROD).process().kill().unwrap();
    let since = stage.world.emulator.last_call().await.unwrap();
    let id = stage.update(&json!({ "note": "two" })).await.unwrap();
    stage.cancel(&id).await.unwrap();
    stage.cancelled(&id, since).await.unwrap();
    stage.is_as_before(&first, "one").await.unwrap();

    // The agent that comes back finds nothing to do; the next update is an ordinary one.
    stage.world.agent(PROD).restart().unwrap();
    let id = stage.update(&json!({ "note": "three" })).await.unwrap();
    stage.succeeds(&id).await.unwrap();
    stage.holds().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_waits_for_a_pull_grant() {
    let mut stage = Stage::new(6).await.unwrap();
    stage.standing(&json!({ "note": "one" })).await.unwrap();
    publish_service(&stage.world).await.unwrap();
    let spec = |world: &World, note: &str| {
        service_spec(world, &[("prd", NAME, json!({ "note": note }))], &json!({})).unwrap()
    };
    create_service(&stage.world, &spec(&stage.world, "one"), 0)
        .await
        .unwrap();

    // Nobody can write the policy now.
    stage.world.agent(MANAGEMENT).process().kill().unwrap();
    let since = stage.world.emulator.last_call().await.unwrap();
    let file = spec(
        &stage.world,
        "111111111111.dkr.ecr.us-east-1.amazonaws.com/other:v1",
    );
    stage
        .world
        .admin
        .ok(&["instance", "update", "web/prd", "--spec", &file])
        .await
        .unwrap();
    let waiting = stage
        .world
        .last_deployment(&["instance", "get", "web/prd"])
        .await
        .unwrap();
    let id = hadron_tests::world::field(&waiting, "id").unwrap();
    assert!(
        waiting["waitingFor"]
            .as_str()
            .unwrap()
            .contains("pull from other"),
        "{waiting:#}"
    );
    stage.cancel(&id).await.unwrap();
    stage.cancelled(&id, since).await.unwrap();
    let instance = stage
        .world
        .admin
        .json(&["instance", "get", "web/prd"])
        .await
        .unwrap();
    assert_eq!(instance["deployment"]["outputs"]["Note"], "one", "{instance:#}");

    stage.world.agent(MANAGEMENT).restart().unwrap();
    stage.holds().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_was_allowed() {
    let mut stage = Stage::new(6).await.unwrap();
    stage.standing(&json!({ "note": "one" })).await.unwrap();
    let first = latest(&stage).await.unwrap();
    let since = stage.world.emulator.last_call().await.unwrap();
    stage
        .plant("DescribeChangeSet", &json!({ "kind": "delay", "seconds": 2 }))
        .await
        .unwrap();
    let id = stage.update(&json!({ "note": "two" })).await.unwrap();
    stage.called(since, "DescribeChangeSet").await.unwrap();
    stage.cancel(&id).await.unwrap();
    stage.cancelled(&id, since).await.unwrap();
    stage.is_as_before(&first, "one").await.unwrap();
    stage.world.agent(PROD).process().alive().unwrap();

    let id = stage.update(&json!({ "note": "three" })).await.unwrap();
    stage.succeeds(&id).await.unwrap();
    stage.holds().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_it_was_allowed_and_before_it_was_executed() {
    let stage = Stage::new(6).await.unwrap();
    stage.standing(&json!({ "note": "one" })).await.unwrap();
    let first = latest(&stage).await.unwrap();
    let since = stage.world.emulator.last_call().await.unwrap();
    stage
        .plant(
            "ExecuteChangeSet",
            &json!({ "kind": "disconnect", "times": 1000 }),
        )
        .await
        .unwrap();
    let id = stage.update(&json!({ "note": "two" })).await.unwrap();
    stage.called(since, "ExecuteChangeSet").await.unwrap();
    stage.cancel(&id).await.unwrap();
    stage.cancelled(&id, since).await.unwrap();
    stage.is_as_before(&first, "one").await.unwrap();

    stage.world.emulator.heal().await.unwrap();
    let id = stage.update(&json!({ "note": "three" })).await.unwrap();
    stage.succeeds(&id).await.unwrap();
    stage.holds().await.unwrap();
}

/// CloudFormation takes the update back: it was applied and is not any more, which is a failure and not a cancellation.
#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_runs_is_taken_back() {
    let stage = Stage::new(6).await.unwrap();
    stage.standing(&json!({ "note": "one" })).await.unwrap();
    let first = latest(&stage).await.unwrap();
    let id = stage
        .update(&json!({ "note": "two", "seconds": 30 }))
        .await
        .unwrap();
    stage.stack_is("UPDATE_IN_PROGRESS").await.unwrap();
    stage.cancel(&id).await.unwrap();
    let ended = stage.fails(&id).await.unwrap();
    let message = ended["statusMessage"].as_str().unwrap();
    assert!(
        message.contains("cancelled") && message.contains("UPDATE_ROLLBACK_COMPLETE"),
        "{message}"
    );
    stage.is_as_before(&first, "one").await.unwrap();

    let id = stage.update(&json!({ "note": "three" })).await.unwrap();
    stage.succeeds(&id).await.unwrap();
    stage.holds().await.unwrap();
}

/// A creation cannot be taken back in CloudFormation: it ends as what it became.
#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_runs_is_told_as_it_ends() {
    let stage = Stage::new(6).await.unwrap();
    let id = stage
        .create(&json!({ "note": "one", "seconds": 3 }))
        .await
        .unwrap();
    stage.stack_is("CREATE_IN_PROGRESS").await.unwrap();
    stage.cancel(&id).await.unwrap();
    stage.succeeds(&id).await.unwrap();
    let environment = stage.environment().await.unwrap();
    assert_eq!(environment["deployment"]["outputs"]["Note"], "one");
    stage.holds().await.unwrap();
}

/// Cancelled before it was executed, a creation leaves nothing, and can be done again.
#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_was_not_executed_leaves_no_stack() {
    let stage = Stage::new(6).await.unwrap();
    let since = stage.world.emulator.last_call().await.unwrap();
    stage
        .plant(
            "ExecuteChangeSet",
            &json!({ "kind": "disconnect", "times": 1000 }),
        )
        .await
        .unwrap();
    let id = stage.create(&json!({ "note": "one" })).await.unwrap();
    stage.called(since, "ExecuteChangeSet").await.unwrap();
    stage.cancel(&id).await.unwrap();
    stage.cancelled(&id, since).await.unwrap();
    assert!(stage.stack().await.unwrap().is_none());

    stage.world.emulator.heal().await.unwrap();
    let id = stage.update(&json!({ "note": "two" })).await.unwrap();
    let ended = stage.succeeds(&id).await.unwrap();
    assert_eq!(ended["outputs"]["Note"], "two");
    stage.holds().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_or_is_being_deleted_cannot_be_cancelled() {
    let stage = Stage::new(6).await.unwrap();
    let refused = |text: String, why: &str| assert!(text.contains(why), "{text}");
    let id = stage
        .create(&json!({ "note": "one", "seconds": 2 }))
        .await
        .unwrap();
    stage.succeeds(&id).await.unwrap();
    let text = stage
        .world
        .admin
        .fails(5, &["deployment", "cancel", &id])
        .await
        .unwrap();
    refused(text, "already ended");

    let id = stage.delete(&[]).await.unwrap();
    stage.stack_is("DELETE_IN_PROGRESS").await.unwrap();
    let text = stage
        .world
        .admin
        .fails(5, &["deployment", "cancel", &id])
        .await
        .unwrap();
    refused(text, "point of no return");
    stage.ends(&id, "DELETE_COMPLETE").await.unwrap();
    stage.holds().await.unwrap();
}

/// A deletion that no agent has begun is still free to be cancelled.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_was_not_begun() {
    let mut stage = Stage::new(6).await.unwrap();
    stage.standing(&json!({ "note": "one" })).await.unwrap();
    stage.world.agent(PROD).process().kill().unwrap();
    let id = stage.delete(&[]).await.unwrap();
    stage.cancel(&id).await.unwrap();
    stage.ends(&id, "CANCELLED").await.unwrap();
    stage.world.agent(PROD).restart().unwrap();

    let id = stage.update(&json!({ "note": "two" })).await.unwrap();
    stage.succeeds(&id).await.unwrap();
    let deleted = stage.world.emulator.calls(0).await.unwrap();
    let deleted: Vec<&Value> = deleted
        .iter()
        .filter(|call| call["action"] == "DeleteStack")
        .collect();
    assert!(deleted.is_empty(), "{deleted:?}");
    stage.holds().await.unwrap();
}

/// Whether the agent answers at once or is slow: the update that follows waits until the cancellation has an end.
#[tokio::test(flavor = "multi_thread")]
async fn an_update_right_after_the_cancellation() {
    let stage = Stage::new(6).await.unwrap();
    stage.standing(&json!({ "note": "one" })).await.unwrap();
    let since = stage.world.emulator.last_call().await.unwrap();
    stage
        .plant("DescribeChangeSet", &json!({ "kind": "delay", "seconds": 1 }))
        .await
        .unwrap();
    let id = stage.update(&json!({ "note": "two" })).await.unwrap();
    stage.called(since, "DescribeChangeSet").await.unwrap();
    stage.cancel(&id).await.unwrap();
    let next = wait::until("the next update to be taken", Duration::from_secs(30), || async {
        match stage.update(&json!({ "note": "three" })).await {
            Ok(next) => Ok(Some(next)),
            Err(error) if error.to_string().contains("in progress") => Ok(None),
            Err(error) => Err(error),
        }
    })
    .await
    .unwrap();
    let ended = stage.succeeds(&next).await.unwrap();
    assert_eq!(ended["outputs"]["Note"], "three");
    let cancelled = stage.world.ended(&id).await.unwrap();
    assert_eq!(cancelled["status"], "CANCELLED");
    stage.holds().await.unwrap();
}
