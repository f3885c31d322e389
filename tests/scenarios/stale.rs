//! An agent stalls for longer than its lease, another of the same account finishes the deployment, then the first wakes up
//! and goes on where it was. Nothing that it still says or does counts, with the hub or with AWS.

use std::time::Duration;

use anyhow::{Result, ensure};
use hadron_tests::agent::Agent;
use hadron_tests::{PROD, invariants, wait};
use serde_json::{Value, json};

use crate::stage::Stage;

/// Where the first agent stalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// It has a change set and has not asked for leave.
    BeforeLeave,
    /// It has leave and has not executed.
    WithLeave,
    /// It watches the stack.
    Watching,
}

/// What an agent has said about itself, line by line.
fn lines(agent: &mut Agent) -> usize {
    agent.process().printed().lines().count()
}

async fn stalls(moment: Moment) -> Result<()> {
    let mut stage = Stage::new(3).await?;
    stage.standing(&json!({ "note": "one" })).await?;
    let since = stage.world.emulator.last_call().await?;
    let seconds = if moment == Moment::Watching { 2 } else { 0 };
    match moment {
        Moment::BeforeLeave => {
            stage
                .plant("DescribeChangeSet", &json!({ "kind": "delay", "seconds": 1 }))
                .await?
        }
        Moment::WithLeave => {
            stage
                .plant("ExecuteChangeSet", &json!({ "kind": "disconnect", "times": 1 }))
                .await?;
        }
        Moment::Watching => {}
    }
    let id = stage
        .update(&json!({ "note": "two", "seconds": seconds }))
        .await?;
    match moment {
        Moment::BeforeLeave => drop(stage.called(since, "DescribeChangeSet").await?),
        Moment::WithLeave => drop(stage.called(since, "ExecuteChangeSet").await?),
        Moment::Watching => drop(stage.stack_is("UPDATE_IN_PROGRESS").await?),
    }
    let first = stage.world.agent(PROD);
    first.process().signal("STOP")?;
    let before = lines(first);
    stage.told(&id, "was not heard of in time").await?;

    let mut second = stage.world.agent(PROD).twin()?;
    let ended = stage.succeeds(&id).await?;
    ensure!(
        ended["attempt"].as_u64().unwrap_or(0) >= 2,
        "the first agent did it: {ended:#}"
    );
    let finished = stage.world.emulator.last_call().await?;

    let first = stage.world.agent(PROD);
    first.process().signal("CONT")?;
    wait::until("the first agent to find out", Duration::from_secs(30), || {
        let printed = first.process().printed();
        let mut after = printed.lines().skip(before);
        let over = after
            .any(|line| line.contains("Left the job unfinished") || line.contains("The report is stale"));
        let over = over && first.journal().is_empty();
        async move { Ok(over.then_some(())) }
    })
    .await?;
    first.process().alive()?;
    second.process().alive()?;

    // It may take back what it had prepared; that finds nothing. Nothing else of it reached a stack.
    let late = stage.world.emulator.calls(finished).await?;
    let accepted = |call: &&Value| {
        let changes = [
            "CreateChangeSet",
            "ExecuteChangeSet",
            "DeleteStack",
            "CancelUpdateStack",
            "ContinueUpdateRollback",
        ];
        call["account"] == PROD
            && call["status"] == 200
            && changes.iter().any(|action| call["action"] == *action)
    };
    let accepted: Vec<&Value> = late.iter().filter(accepted).collect();
    ensure!(
        accepted.is_empty(),
        "the first agent changed something: {accepted:#?}"
    );
    let own = invariants::digits(&id);
    let calls = stage.world.emulator.calls(0).await?;
    let executed: Vec<_> = invariants::executions(&calls)?
        .into_iter()
        .filter(|each| each.deployment == own)
        .collect();
    ensure!(executed.len() == 1, "executed: {executed:?}");
    let after = stage.world.admin.json(&["deployment", "get", &id]).await?;
    ensure!(
        after == ended,
        "the deployment was changed after its end: {after:#}"
    );
    stage.holds().await?;

    // Both go on as agents of the account.
    let id = stage.update(&json!({ "note": "three" })).await?;
    stage.succeeds(&id).await?;
    stage.holds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_asked_for_leave() {
    stalls(Moment::BeforeLeave).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_leave_and_before_it_executed() {
    stalls(Moment::WithLeave).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_watched_the_stack() {
    stalls(Moment::Watching).await.unwrap();
}

/// The worst order: the stalled agent's execution is on its way while the next one takes over. It comes too late.
#[tokio::test(flavor = "multi_thread")]
async fn with_its_execution_on_the_way() {
    let mut stage = Stage::new(3).await.unwrap();
    stage.standing(&json!({ "note": "one" })).await.unwrap();
    let since = stage.world.emulator.last_call().await.unwrap();
    stage
        .plant("ExecuteChangeSet", &json!({ "kind": "delay", "seconds": 12 }))
        .await
        .unwrap();
    let id = stage.update(&json!({ "note": "two" })).await.unwrap();
    let call = stage.called(since, "ExecuteChangeSet").await.unwrap();
    stage.world.agent(PROD).process().signal("STOP").unwrap();
    let second = stage.world.agent(PROD).twin().unwrap();
    stage.succeeds(&id).await.unwrap();

    let late = wait::until(
        "the late execution to be answered",
        Duration::from_secs(30),
        || async {
            let calls = stage.world.emulator.calls(since).await?;
            Ok(calls
                .into_iter()
                .find(|each| each["seq"] == call["seq"] && !each["status"].is_null()))
        },
    )
    .await
    .unwrap();
    // Whether AWS says that there is no such change set, or that nobody may execute one that is not there.
    assert!(late["status"].as_u64().unwrap() >= 400, "{late:#}");
    stage.world.agent(PROD).process().signal("CONT").unwrap();
    stage.holds().await.unwrap();
    drop(second);
}
