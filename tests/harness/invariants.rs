//! What must be true after every scenario, whatever was killed in it: the hub as its CLI shows it, the emulated AWS as it
//! is, and its log of calls are compared with each other.
//!
//! [`hold`] asks as people do, through the CLI, and is for scenarios. [`rules::check`] reads the store itself and takes
//! many deployments in its stride; it is for the fault harness, and has a number for each promise.

pub mod facts;
pub mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::world::field;
use crate::{REGION, World, wait};

/// What the names of Hadron's stacks begin with.
pub const PREFIX: &str = "AWSProton-";

/// A change set that was executed: by whom it was made is in its name.
#[derive(Clone, Debug)]
pub struct Execution {
    /// The call's number in the log.
    pub seq: u64,
    /// The account.
    pub account: String,
    /// The change set's ARN.
    pub change_set: String,
    /// Digits of the deployment's UUID.
    pub deployment: String,
}

/// Checks the world, and that no stack is left that no target has, apart from `left`, by ARN.
///
/// # Errors
/// The first promise that is broken.
pub async fn hold(world: &World, left: &[&str]) -> Result<()> {
    wait::until(
        "the hub to have nothing to do",
        Duration::from_secs(30),
        || async {
            let ready = world.hub.gauge("hadron_jobs_ready").await?;
            let active = world.hub.gauge("hadron_deployments_active").await?;
            Ok((ready == 0 && active == 0).then_some(()))
        },
    )
    .await?;
    wait::until("no agent to hold a job", Duration::from_secs(30), || async {
        let agents = world.items(&["agent", "list"]).await?;
        Ok(agents
            .iter()
            .all(|agent| agent["jobsHeld"].as_u64().unwrap_or(0) == 0)
            .then_some(()))
    })
    .await?;
    let calls = world.emulator.calls(0).await?;
    executions_are_authorised(world, &calls).await?;
    calls_are_fenced(&calls)?;
    nothing_is_left(world, left).await
}

/// Executions that AWS accepted, in order; their answers may have been lost.
///
/// # Errors
/// When a change set was executed that Hadron did not name.
pub fn executions(calls: &[Value]) -> Result<Vec<Execution>> {
    let accepted = calls
        .iter()
        .filter(|call| call["action"] == "ExecuteChangeSet" && call["status"] == 200);
    accepted
        .map(|call| {
            let change_set = field(&call["params"], "ChangeSetName")?;
            let name = change_set
                .split('/')
                .nth(1)
                .with_context(|| format!("executed by name and not by ARN: {call}"))?;
            let uuid = name
                .strip_prefix("hadron-")
                .and_then(|rest| rest.rsplit_once("-a"));
            let (uuid, _) = uuid.with_context(|| format!("not a change set of Hadron: {call}"))?;
            Ok(Execution {
                seq: call["seq"].as_u64().unwrap_or(0),
                account: field(call, "account")?,
                deployment: uuid.replace('-', ""),
                change_set,
            })
        })
        .collect()
}

/// The digits of a deployment's id, as they stand in names of change sets.
#[must_use]
pub fn digits(deployment: &str) -> String {
    deployment.rsplit('_').next().unwrap_or_default().to_owned()
}

/// Each deployment executed at most one change set, one that the hub had allowed; a deployment that succeeded executed one
/// or had nothing to change, a cancelled one none. Executions on a target come in the order of its deployments.
async fn executions_are_authorised(world: &World, calls: &[Value]) -> Result<()> {
    let executions = executions(calls)?;
    let deployments = world.items(&["deployment", "list"]).await?;
    let mut known = BTreeSet::new();
    for deployment in &deployments {
        let id = field(deployment, "id")?;
        let own: Vec<&Execution> = executions
            .iter()
            .filter(|each| each.deployment == digits(&id))
            .collect();
        ensure!(
            own.len() <= 1,
            "deployment {id} was executed {} times: {own:?}",
            own.len()
        );
        known.insert(digits(&id));
        if deployment["intent"] != "APPLY" {
            ensure!(own.is_empty(), "a deletion executed a change set: {own:?}");
            continue;
        }
        let told = world
            .admin
            .json(&["deployment", "events", &id])
            .await?
            .to_string();
        if let Some(execution) = own.first() {
            let allowed = format!("execution of {} allowed", execution.change_set);
            ensure!(
                told.contains(&allowed),
                "{} was executed without leave; {id}: {told}",
                execution.change_set
            );
            ensure!(
                execution.account == deployment["accountId"],
                "executed in another account: {execution:?}"
            );
        }
        match deployment["status"].as_str() {
            Some("SUCCEEDED") => {
                let nothing = told.contains("no changes") || told.contains("somebody else provisions it");
                ensure!(
                    nothing != (own.len() == 1),
                    "{id} succeeded with {} executions: {told}",
                    own.len()
                );
            }
            Some("CANCELLED") => ensure!(own.is_empty(), "{id} is CANCELLED and was executed: {own:?}"),
            Some("FAILED") => {}
            other => anyhow::bail!("{id} has not ended: {other:?}"),
        }
    }
    for execution in &executions {
        ensure!(
            known.contains(&execution.deployment),
            "executed for a deployment nobody knows: {execution:?}"
        );
    }
    let mut last = BTreeMap::<String, (String, u64)>::new();
    // Ids are ordered by time, so are deployments of one target.
    for execution in &executions {
        let target = deployments.iter().find(|each| {
            each["id"]
                .as_str()
                .is_some_and(|id| digits(id) == execution.deployment)
        });
        let target = target
            .map(|each| format!("{} {}", each["targetKind"], each["target"]))
            .unwrap_or_default();
        if let Some((before, seq)) = last.get(&target) {
            ensure!(
                *before < execution.deployment,
                "{target}: deployment {before} was executed by call {seq}, an older one by {}",
                execution.seq
            );
        }
        last.insert(target, (execution.deployment.clone(), execution.seq));
    }
    Ok(())
}

/// Nothing was changed past the fence: no direct operations on stacks, deletions by ARN only.
fn calls_are_fenced(calls: &[Value]) -> Result<()> {
    for call in calls {
        match call["action"].as_str() {
            Some("CreateStack" | "UpdateStack") => {
                anyhow::bail!("a stack was changed without a change set: {call}")
            }
            Some("DeleteStack") => {
                let stack = call["params"]["StackName"].as_str().unwrap_or_default();
                ensure!(stack.starts_with("arn:"), "a stack was deleted by name: {call}");
            }
            _ => {}
        }
    }
    Ok(())
}

/// No change set of ours waits to be executed, and every living stack of ours is one that a target has now.
async fn nothing_is_left(world: &World, left: &[&str]) -> Result<()> {
    let mut targets = Vec::new();
    for list in ["environment", "instance", "pipeline", "component"] {
        targets.extend(world.items(&[list, "list"]).await?);
    }
    let arns: BTreeSet<&str> = targets
        .iter()
        .filter_map(|target| target["deployment"]["stackArn"].as_str())
        .collect();
    let state = world.emulator.state().await?;
    let mut found = BTreeMap::new();
    for (account, held) in state["accounts"].as_object().into_iter().flatten() {
        for stack in held["regions"][REGION]["stacks"].as_array().into_iter().flatten() {
            let (name, arn) = (field(stack, "name")?, field(stack, "arn")?);
            if !name.starts_with(PREFIX) || stack["status"] == "DELETE_COMPLETE" {
                continue;
            }
            let waiting = stack["waiting_change_sets"].as_array().map_or(0, Vec::len);
            ensure!(waiting == 0, "a change set is left in {account}: {stack}");
            let status = field(stack, "status")?;
            ensure!(
                !status.ends_with("_IN_PROGRESS"),
                "a stack is in the middle of something in {account}: {stack}"
            );
            ensure!(
                arns.contains(arn.as_str()) || left.contains(&arn.as_str()),
                "an orphan in {account}: {stack}"
            );
            // A change set is named after its deployment.
            let executed = stack["last_executed_change_set"].as_str().unwrap_or_default();
            found.insert(arn, executed.replace('-', ""));
        }
    }
    for target in &targets {
        let state = &target["deployment"];
        let (Some(arn), "SUCCEEDED") = (
            state["stackArn"].as_str(),
            state["status"].as_str().unwrap_or_default(),
        ) else {
            continue;
        };
        let id = field(state, "lastSucceededDeploymentId")?;
        let executed = found
            .get(arn)
            .with_context(|| format!("no stack for a target that succeeded: {target}"))?;
        if !executed.contains(&digits(&id)) {
            // Content that was there already stays as an earlier deployment brought it.
            let told = world.admin.json(&["deployment", "events", &id]).await?;
            ensure!(
                told.to_string().contains("no changes"),
                "the stack of {target} is as {executed} made it"
            );
        }
    }
    Ok(())
}
