//! Agents that are stopped for longer than their lease and wake up after others have gone on: nothing that they still say
//! or do counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::ground::{Ground, leases};
use super::{Chance, Options, Report, Times};
use crate::agent::Agent;
use crate::cluster::Setup;
use crate::{aws, wait};

/// Seconds that leases last.
const LEASE: u64 = 3;

/// Calls that change a stack. Taking a change set back changes none.
const CHANGES: [&str; 5] = [
    "CreateChangeSet",
    "ExecuteChangeSet",
    "DeleteStack",
    "CancelUpdateStack",
    "ContinueUpdateRollback",
];

/// The session names of the two agents of an account: AWS tells them apart by it.
const SESSIONS: [&str; 2] = ["harness", "twin"];

#[derive(Debug, Default)]
struct Found {
    cycles: u64,
    /// Calls of woken agents that would have changed a stack, and those that AWS carried out.
    attempted: u64,
    accepted: u64,
    /// Reports and requests of theirs that the hub refused, by their own logs.
    refused: u64,
    violations: Vec<String>,
    /// From the stop to the end of the deployment in other hands.
    times: Times,
}

/// Stops whichever of an account's two agents holds the deployment, lets the other finish it and one more, wakes the first.
pub(super) async fn campaign(options: &Options) -> Result<Report> {
    let cycles = options.cycles(4, 200);
    let accounts = if options.short { 2 } else { 4 };
    let setup = Setup {
        hub: leases(LEASE),
        ..Setup::default()
    };
    let mut ground = Ground::new(&setup, accounts).await?;
    let mut pairs = Vec::new();
    for account in ground.accounts.clone() {
        let first = ground.world.agents.remove(&account).context("an agent")?;
        let emulator = ground.world.emulator.url();
        let credentials = aws::assume_as(emulator, &account, "hadron-agent", SESSIONS[1]).await?;
        let second = first.twin_as(&credentials)?;
        pairs.push([first, second]);
    }
    for account in &ground.accounts {
        both_online(&ground, account).await?;
    }
    let mut report = Report::new("stale-agents", options.seed);
    let left = AtomicU64::new(cycles);
    let each = pairs
        .iter_mut()
        .zip(&ground.accounts)
        .map(|(pair, account)| stall(&ground, pair, account, &left, options.chance(account)));
    let found = try_join_all(each.map(Box::pin)).await?;
    let mut all = Found::default();
    for own in found {
        all.cycles += own.cycles;
        all.attempted += own.attempted;
        all.accepted += own.accepted;
        all.refused += own.refused;
        all.violations.extend(own.violations);
        all.times.extend(own.times);
    }
    report.n = all.cycles;
    report.time(&all.times);
    report.tell("calls_attempted", all.attempted);
    report.tell("calls_accepted", all.accepted);
    report.tell("refused_by_hub", all.refused);
    report.violations = all.violations;
    for (account, pair) in ground.accounts.clone().into_iter().zip(pairs) {
        let [first, second] = pair;
        ground.world.agents.insert(format!("{account}-twin"), second);
        ground.world.agents.insert(account, first);
    }
    ground.close(options, &mut report, &[]).await?;
    Ok(report)
}

async fn both_online(ground: &Ground, account: &str) -> Result<()> {
    let sql = format!("SELECT id FROM agent WHERE account = '{account}' AND session_id IS NOT NULL");
    wait::until("both agents to be online", Duration::from_secs(60), || async {
        Ok((ground.world.rows(&sql).await?.len() >= 2).then_some(()))
    })
    .await
}

/// What the hub says about two deployments: all that could change.
async fn told(ground: &Ground, ids: [&str; 2]) -> Result<Vec<Vec<Option<String>>>> {
    let sql = format!(
        "SELECT id, status, state, outputs, stack_arn, ended_at, generation FROM deployment \
         WHERE id IN ('{}', '{}') ORDER BY id",
        ids[0], ids[1]
    );
    ground.world.rows(&sql).await
}

fn refusals(agent: &mut Agent) -> u64 {
    let printed = agent.process().printed();
    let said = ["Left the job unfinished", "The report is stale"];
    printed
        .lines()
        .filter(|line| said.iter().any(|words| line.contains(words)))
        .count() as u64
}

/// Calls since a number, and the number of the last one.
async fn calls(ground: &Ground, since: u64) -> Result<(Vec<Value>, u64)> {
    let calls = ground.world.emulator.calls(since).await?;
    let last = calls
        .last()
        .and_then(|call| call["seq"].as_u64())
        .unwrap_or(since);
    Ok((calls, last))
}

async fn stall(
    ground: &Ground,
    pair: &mut [Agent; 2],
    account: &str,
    left: &AtomicU64,
    mut chance: Chance,
) -> Result<Found> {
    let mut found = Found::default();
    let (mut number, mut seen) = (0, 0);
    let next = || {
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
    };
    while next() {
        // Until a deployment is caught in somebody's hands.
        let (holder, id, stopped) = loop {
            both_online(ground, account).await?;
            number += 1;
            let seconds = chance.below(8) as f64 / 10.0;
            let id = ground.deployer.begin(account, number, seconds).await?;
            let holder = loop {
                if let Some(holder) = pair.iter().position(|agent| !agent.journal().is_empty()) {
                    break Some(holder);
                }
                if ground.deployer.door.deployment(&id).await?.completed_at.is_some() {
                    break None;
                }
            };
            let Some(holder) = holder else {
                ground.deployer.ends(&id).await?;
                continue;
            };
            sleep(chance.time(Duration::from_millis(1_200))).await;
            pair[holder].process().signal("STOP")?;
            let stopped = Instant::now();
            let open = ground.deployer.door.deployment(&id).await?.completed_at.is_none();
            if open {
                break (holder, id, stopped);
            }
            pair[holder].process().signal("CONT")?;
            ground.deployer.ends(&id).await?;
        };
        let before = refusals(&mut pair[holder]);
        let end = ground.deployer.ends(&id).await?;
        if end != "SUCCEEDED" {
            found
                .violations
                .push(format!("{id} ended {end} although nobody failed it"));
        }
        found.times.push(stopped.elapsed());
        number += 1;
        let newer = ground.deployer.begin(account, number, 0.0).await?;
        ground.deployer.ends(&newer).await?;
        let was = told(ground, [&id, &newer]).await?;
        (_, seen) = calls(ground, seen).await?;
        let woken_at = seen;
        pair[holder].process().signal("CONT")?;
        let stale = &mut pair[holder];
        wait::until("the woken agent to find out", Duration::from_secs(60), || {
            let over = stale.journal().is_empty();
            async move { Ok(over.then_some(())) }
        })
        .await?;
        both_online(ground, account).await?;
        found.refused += refusals(stale) - before;
        let (late, last) = calls(ground, woken_at).await?;
        seen = last;
        let session = format!("/{}", SESSIONS[holder]);
        for call in &late {
            let its = call["account"] == account
                && call["caller"]
                    .as_str()
                    .is_some_and(|caller| caller.ends_with(&session))
                && CHANGES.iter().any(|action| call["action"] == *action);
            if its {
                found.attempted += 1;
                if call["status"] == 200 {
                    found.accepted += 1;
                    found.violations.push(format!(
                        "R4: AWS accepted of a woken agent, after {newer}: {call}"
                    ));
                }
            }
        }
        let now = told(ground, [&id, &newer]).await?;
        if now != was {
            found.violations.push(format!(
                "R4: the hub accepted of a woken agent: {now:?} instead of {was:?}"
            ));
        }
        found.cycles += 1;
    }
    Ok(found)
}
