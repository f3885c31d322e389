//! An agent or the hub is killed, as by a power cut, at a named moment of a deployment, and started again. The deployment
//! ends as it would have ended, one change set is executed, and nothing is stuck.
//!
//! Each moment is held still by a fault of the emulated AWS or by a stopped process, and recognised by what the log of
//! calls, the hub or the agent's journal shows; never by time.

use std::time::Duration;

use anyhow::{Result, ensure};
use hadron_tests::{PROD, invariants, wait};
use serde_json::json;

use crate::stage::Stage;

/// Where a deployment is when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Waits for an agent.
    Queued,
    /// The agent has described the stack and reads its events.
    Looked,
    /// `CreateChangeSet` was answered.
    Planned,
    /// `CreateChangeSet` was applied and never answered.
    PlanUnanswered,
    /// `DescribeChangeSet` was answered, the agent asks the hub for leave.
    Asking,
    /// The hub has given leave, no `ExecuteChangeSet` has reached AWS.
    Allowed,
    /// `ExecuteChangeSet` is on its way and comes after its sender's death.
    ExecutionUnderWay,
    /// `ExecuteChangeSet` was applied and never answered.
    ExecutionUnanswered,
    /// `CREATE_IN_PROGRESS`.
    Creating,
    /// `UPDATE_IN_PROGRESS`.
    Updating,
    /// `CREATE_COMPLETE`, the agent reads the resources.
    Created,
    /// The outcome is in the agent's journal, the hub does not take it.
    Reporting,
    /// `DELETE_IN_PROGRESS`.
    Deleting,
    /// `DeleteStack` was applied and never answered.
    DeletionUnanswered,
}

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Agent,
    Hub,
    Both,
    /// The agent, which finds its disk empty afterwards.
    Disk,
}

use Moment::{
    Allowed, Asking, Created, Creating, Deleting, DeletionUnanswered, ExecutionUnanswered, ExecutionUnderWay,
    Looked, PlanUnanswered, Planned, Queued, Reporting, Updating,
};

/// Seconds for which a call is held still; the killing takes less than one.
const STILL: u32 = 4;

impl Moment {
    /// Begins the deployment, holds it at this moment and waits until it is there; gives its id.
    async fn reach(self, stage: &mut Stage) -> Result<String> {
        let since = stage.world.emulator.last_call().await?;
        let slow = json!({ "note": "two", "seconds": 2 });
        let quick = json!({ "note": "two" });
        let once = |kind: &str, seconds: u32| json!({ "kind": kind, "seconds": seconds });
        match self {
            Queued => {
                stage.world.agent(PROD).process().kill()?;
                let id = stage.create(&quick).await?;
                stage.told(&id, "requested").await?;
                Ok(id)
            }
            Looked => {
                stage.plant("DescribeStackEvents", &once("delay", STILL)).await?;
                let id = stage.update(&quick).await?;
                stage.called(since, "DescribeStackEvents").await?;
                Ok(id)
            }
            Planned => {
                stage.plant("DescribeChangeSet", &once("delay", STILL)).await?;
                let id = stage.create(&quick).await?;
                stage.called(since, "DescribeChangeSet").await?;
                Ok(id)
            }
            PlanUnanswered => {
                stage.plant("CreateChangeSet", &once("drop", STILL)).await?;
                let id = stage.create(&quick).await?;
                stage.applied(since, "CreateChangeSet").await?;
                Ok(id)
            }
            Asking => {
                stage.plant("DescribeChangeSet", &once("delay", 1)).await?;
                let id = stage.create(&quick).await?;
                stage.called(since, "DescribeChangeSet").await?;
                stage.world.hub.process().signal("STOP")?;
                stage.noted("authorise_execute").await?;
                Ok(id)
            }
            Allowed => {
                stage
                    .plant(
                        "ExecuteChangeSet",
                        &json!({ "kind": "disconnect", "times": 1000 }),
                    )
                    .await?;
                let id = stage.create(&quick).await?;
                stage.called(since, "ExecuteChangeSet").await?;
                stage.told(&id, "allowed").await?;
                Ok(id)
            }
            ExecutionUnderWay => {
                stage.plant("ExecuteChangeSet", &once("delay", 1)).await?;
                let id = stage.create(&quick).await?;
                stage.called(since, "ExecuteChangeSet").await?;
                Ok(id)
            }
            ExecutionUnanswered => {
                stage.plant("ExecuteChangeSet", &once("drop", STILL)).await?;
                let id = stage.create(&quick).await?;
                stage.applied(since, "ExecuteChangeSet").await?;
                Ok(id)
            }
            Creating => {
                let id = stage.create(&slow).await?;
                stage.stack_is("CREATE_IN_PROGRESS").await?;
                Ok(id)
            }
            Updating => {
                let id = stage.update(&slow).await?;
                stage.stack_is("UPDATE_IN_PROGRESS").await?;
                Ok(id)
            }
            Created => {
                stage.plant("ListStackResources", &once("delay", STILL)).await?;
                let id = stage.create(&quick).await?;
                stage.called(since, "ListStackResources").await?;
                Ok(id)
            }
            Reporting => {
                stage.plant("ListStackResources", &once("delay", 1)).await?;
                let id = stage.create(&quick).await?;
                stage.called(since, "ListStackResources").await?;
                stage.world.hub.process().signal("STOP")?;
                stage.noted("\"ended\"").await?;
                Ok(id)
            }
            Deleting => {
                let id = stage.delete(&[]).await?;
                stage.stack_is("DELETE_IN_PROGRESS").await?;
                Ok(id)
            }
            DeletionUnanswered => {
                stage.plant("DeleteStack", &once("drop", STILL)).await?;
                let id = stage.delete(&[]).await?;
                stage.applied(since, "DeleteStack").await?;
                Ok(id)
            }
        }
    }
}

impl Stage {
    /// Waits until AWS has applied a call that it does not answer.
    async fn applied(&self, since: u64, action: &str) -> Result<()> {
        wait::until(
            &format!("{action} to be applied"),
            Duration::from_secs(30),
            || async { Ok((!self.accepted(since, action).await?.is_empty()).then_some(())) },
        )
        .await
    }

    /// Waits until the agent's journal holds these words.
    async fn noted(&mut self, words: &str) -> Result<()> {
        let agent = self.world.agent(PROD);
        wait::until(
            &format!("the agent's journal to hold {words}"),
            Duration::from_secs(30),
            || async { Ok(agent.journal().contains(words).then_some(())) },
        )
        .await
    }

    /// Kills, and starts again.
    async fn crash(&mut self, victim: Victim) -> Result<()> {
        if victim != Victim::Hub {
            self.world.agent(PROD).process().kill()?;
        }
        if matches!(victim, Victim::Hub | Victim::Both) {
            self.world.hub.process().kill()?;
        } else {
            // It may have been stopped to hold the moment still.
            self.world.hub.process().signal("CONT")?;
        }
        self.world.emulator.heal().await?;
        if matches!(victim, Victim::Hub | Victim::Both) {
            self.world.hub.restart().await?;
        }
        if victim == Victim::Disk {
            self.world.agent(PROD).lose_disk()?;
        }
        if victim != Victim::Hub {
            self.world.agent(PROD).restart()?;
        }
        Ok(())
    }
}

async fn survives(moment: Moment, victim: Victim) -> Result<()> {
    let mut stage = Stage::new(6).await?;
    let deletes = matches!(moment, Deleting | DeletionUnanswered);
    if deletes || matches!(moment, Looked | Updating) {
        let seconds = if moment == Deleting { 2 } else { 0 };
        stage
            .standing(&json!({ "note": "one", "seconds": seconds }))
            .await?;
    }
    let id = moment.reach(&mut stage).await?;
    stage.crash(victim).await?;
    if moment == Queued && victim == Victim::Hub {
        // Its death is no part of this story; it only kept the job in the queue.
        stage.world.agent(PROD).restart()?;
    }
    if deletes {
        stage.ends(&id, "DELETE_COMPLETE").await?;
        ensure!(stage.stack().await?.is_none(), "the stack is still there");
    } else {
        let ended = stage.succeeds(&id).await?;
        ensure!(ended["outputs"]["Note"] == "two", "other outputs: {ended:#}");
        let calls = stage.world.emulator.calls(0).await?;
        let own = invariants::digits(&id);
        let executed = invariants::executions(&calls)?
            .into_iter()
            .filter(|each| each.deployment == own)
            .count();
        ensure!(executed == 1, "executed {executed} times");
    }
    stage.holds().await
}

macro_rules! killed {
    ($($name:ident: $moment:expr, $victim:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                survives($moment, $victim).await.unwrap();
            }
        )*
    };
}

mod agent_killed {
    use super::*;
    killed! {
        while_queued: Queued, Victim::Agent;
        after_the_first_look: Looked, Victim::Agent;
        after_the_change_set_was_made: Planned, Victim::Agent;
        without_an_answer_to_the_change_set: PlanUnanswered, Victim::Agent;
        while_asking_for_leave: Asking, Victim::Agent;
        after_leave_was_given: Allowed, Victim::Agent;
        with_the_execution_under_way: ExecutionUnderWay, Victim::Agent;
        without_an_answer_to_the_execution: ExecutionUnanswered, Victim::Agent;
        while_the_stack_is_created: Creating, Victim::Agent;
        while_the_stack_is_updated: Updating, Victim::Agent;
        after_the_stack_was_created: Created, Victim::Agent;
        while_reporting: Reporting, Victim::Agent;
        while_the_stack_is_deleted: Deleting, Victim::Agent;
        without_an_answer_to_the_deletion: DeletionUnanswered, Victim::Agent;
    }
}

mod hub_killed {
    use super::*;
    killed! {
        while_queued: Queued, Victim::Hub;
        after_the_first_look: Looked, Victim::Hub;
        after_the_change_set_was_made: Planned, Victim::Hub;
        without_an_answer_to_the_change_set: PlanUnanswered, Victim::Hub;
        while_asked_for_leave: Asking, Victim::Hub;
        after_leave_was_given: Allowed, Victim::Hub;
        with_the_execution_under_way: ExecutionUnderWay, Victim::Hub;
        without_an_answer_to_the_execution: ExecutionUnanswered, Victim::Hub;
        while_the_stack_is_created: Creating, Victim::Hub;
        while_the_stack_is_updated: Updating, Victim::Hub;
        after_the_stack_was_created: Created, Victim::Hub;
        while_reported_to: Reporting, Victim::Hub;
        while_the_stack_is_deleted: Deleting, Victim::Hub;
        without_an_answer_to_the_deletion: DeletionUnanswered, Victim::Hub;
    }
}

mod both_killed {
    use super::*;
    killed! {
        while_asking_for_leave: Asking, Victim::Both;
        after_leave_was_given: Allowed, Victim::Both;
        without_an_answer_to_the_execution: ExecutionUnanswered, Victim::Both;
        while_reporting: Reporting, Victim::Both;
    }
}

mod disk_lost {
    use super::*;
    killed! {
        after_leave_was_given: Allowed, Victim::Disk;
        without_an_answer_to_the_execution: ExecutionUnanswered, Victim::Disk;
        while_reporting: Reporting, Victim::Disk;
        while_the_stack_is_deleted: Deleting, Victim::Disk;
    }
}
