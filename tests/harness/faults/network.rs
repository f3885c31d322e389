//! Links between processes broken in every way that a network knows, while deployments go on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::ground::{Ground, by_name, environment, leases};
use super::{Options, Report, Times};
use crate::cluster::{LinkName, Setup};
use crate::proxy::{Judge, Toxic, Verdict, Way};
use crate::wait;

/// Seconds that leases last.
const LEASE: u64 = 6;

/// Links with what may go through them.
const LINKS: [LinkName; 4] = [
    LinkName::AgentHub,
    LinkName::HubPostgres,
    LinkName::AgentAws,
    LinkName::HubSts,
];

/// Every toxic, each way.
fn toxics() -> Vec<Toxic> {
    let mut all = vec![Toxic::Reset, Toxic::Refuse];
    for way in [Way::Up, Way::Down] {
        all.extend([
            Toxic::Latency {
                way,
                time: Duration::from_millis(300),
                jitter: Duration::from_millis(200),
            },
            Toxic::Latency {
                way,
                time: Duration::from_secs(3),
                jitter: Duration::from_secs(2),
            },
            Toxic::Bandwidth { way, rate: 1_024 },
            Toxic::CutAfter { way, bytes: 200 },
            Toxic::CutAfter { way, bytes: 5_000 },
            Toxic::HalfClose { way },
            Toxic::BlackHole { way },
            Toxic::SlowLoris {
                way,
                pause: Duration::from_millis(20),
            },
        ]);
    }
    all
}

/// Calls of agents that change something in AWS, and that a deployment or its deletion makes.
const MUTATING: [&str; 3] = ["CreateChangeSet", "ExecuteChangeSet", "DeleteStack"];

/// What the judge of the link to AWS does next: an action, its verdict, and whether that has come about.
type Plan = Arc<Mutex<Option<(String, Verdict)>>>;

fn judge(plan: &Plan) -> Judge {
    let plan = Arc::clone(plan);
    Arc::new(move |request| {
        let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
        match plan.take() {
            Some((action, verdict)) if action == request.action => verdict,
            other => {
                *plan = other;
                Verdict::Pass
            }
        }
    })
}

/// Poisons each link with each toxic during deployments; keeps the answer of each call that changes something back, and
/// sends it twice; makes the link of an agent a black hole until the hub has noticed. Measured: how long deployments take
/// whose link was poisoned.
pub(super) async fn campaign(options: &Options) -> Result<Report> {
    let mut report = Report::new("network", options.seed);
    let plan: Plan = Arc::default();
    let setup = Setup {
        hub: leases(LEASE),
        postgres: true,
        proxied: LINKS.to_vec(),
        judge: Some(judge(&plan)),
        ..Setup::default()
    };
    let mut ground = Ground::new(&setup, 2).await?;
    let mut chance = options.chance("network");
    let mut ends = BTreeMap::<String, u64>::new();
    let mut times = Times::default();
    let mut number = 0;

    let mut pairs: Vec<(LinkName, Toxic)> = LINKS
        .into_iter()
        .flat_map(|link| toxics().into_iter().map(move |toxic| (link, toxic)))
        .collect();
    for at in (1..pairs.len()).rev() {
        pairs.swap(at, usize::try_from(chance.below(at as u64 + 1))?);
    }
    let (some, repeats) = if options.short { (6, 1) } else { (pairs.len(), 5) };
    let most = options
        .count
        .map_or(some * repeats, |count| usize::try_from(count).unwrap_or(some));
    for (link, toxic) in pairs.iter().cycle().take(most).copied() {
        number += 1;
        let began = Instant::now();
        let mut ids = Vec::new();
        for account in &ground.accounts {
            ids.push(ground.deployer.begin(account, number, 0.3).await?);
        }
        sleep(chance.time(Duration::from_millis(600))).await;
        ground.world.links.get(link)?.poison(&[toxic]);
        if link == LinkName::HubSts {
            // Only who enrols needs it.
            let victim = chance.one(&ground.accounts).clone();
            ground.world.agent(&victim).process().kill()?;
            let _ = ground.world.agent(&victim).lose_disk();
            ground.world.agent(&victim).restart()?;
        }
        sleep(Duration::from_secs(1) + chance.time(Duration::from_secs(5))).await;
        ground.world.links.heal();
        for id in ids {
            let end = ground.deployer.ends(&id).await?;
            times.push(began.elapsed());
            if end != "SUCCEEDED" {
                *ends.entry(format!("{link:?} {toxic:?}: {end}")).or_default() += 1;
            }
            *ends.entry(end).or_default() += 1;
        }
        ground.watch_memory();
        report.n += 1;
    }

    let swallowed = unanswered(&mut ground, &plan, options, &mut number, &mut report).await?;
    report.tell("calls_unanswered_or_doubled", swallowed);
    holes(&mut ground, options, &mut number, &mut report).await?;
    report.time(&times);
    report.tell("ends", by_name(&ends));
    ground.close(options, &mut report, &[]).await?;
    Ok(report)
}

/// The answer of each call that changes something is kept back, and each is sent twice; the deployment ends as ever.
async fn unanswered(
    ground: &mut Ground,
    plan: &Plan,
    options: &Options,
    number: &mut u64,
    report: &mut Report,
) -> Result<u64> {
    let rounds = if options.short { 1 } else { 10 };
    let account = ground.accounts[0].clone();
    let name = environment(&account);
    let connection = ground.connections[0].clone();
    let mut done = 0;
    for round in 0..rounds {
        for action in MUTATING {
            for verdict in [Verdict::Swallow, Verdict::Twice] {
                *number += 1;
                *plan.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((action.to_owned(), verdict.clone()));
                let (id, wanted) = if action == "DeleteStack" {
                    let id = ground
                        .deployer
                        .door
                        .delete(&name, &format!("delete-{number}"))
                        .await?;
                    (id, "DELETE_COMPLETE")
                } else {
                    (ground.deployer.begin(&account, *number, 0.1).await?, "SUCCEEDED")
                };
                let end = ground.deployer.ends(&id).await?;
                if end != wanted {
                    report
                        .violations
                        .push(format!("round {round}: {action} {verdict:?}: {id} ended {end}"));
                }
                let open = plan.lock().unwrap_or_else(PoisonError::into_inner).take();
                ensure!(open.is_none(), "{action} was never called for {id}");
                if action == "DeleteStack" {
                    let id = ground
                        .deployer
                        .door
                        .create(
                            &name,
                            &connection,
                            &json!({ "note": "again" }),
                            &format!("create-{number}"),
                        )
                        .await?;
                    ground.deployer.ends(&id).await?;
                }
                done += 1;
                report.n += 1;
            }
        }
    }
    Ok(done)
}

/// The link of agents to the hub goes silent one way or both, until the hub has given the job to nobody; then it heals.
async fn holes(ground: &mut Ground, options: &Options, number: &mut u64, report: &mut Report) -> Result<()> {
    let rounds = if options.short { 1 } else { 5 };
    let (up, down) = (
        Toxic::BlackHole { way: Way::Up },
        Toxic::BlackHole { way: Way::Down },
    );
    for (what, toxics) in [
        ("hole", vec![up, down]),
        ("deaf_hub", vec![up]),
        ("deaf_agent", vec![down]),
    ] {
        let mut noticed = Times::default();
        for _ in 0..rounds {
            *number += 1;
            let account = ground.accounts[0].clone();
            let id = ground.deployer.begin(&account, *number, 1.5).await?;
            let held = format!("SELECT id FROM job WHERE deployment_id = '{id}' AND status = 'LEASED'");
            wait::until("the job to be taken", Duration::from_secs(60), || async {
                Ok((!ground.world.rows(&held).await?.is_empty()).then_some(()))
            })
            .await?;
            ground.world.links.get(LinkName::AgentHub)?.poison(&toxics);
            let began = Instant::now();
            wait::until("the lease to end", Duration::from_secs(120), || async {
                Ok(ground.world.rows(&held).await?.is_empty().then_some(()))
            })
            .await?;
            noticed.push(began.elapsed());
            // Whoever lost the lease has stopped by now: nothing of theirs may reach a stack any more.
            let late = ground.world.emulator.last_call().await?;
            sleep(Duration::from_secs(1)).await;
            for call in ground.world.emulator.calls(late).await? {
                if MUTATING.iter().any(|action| call["action"] == *action) {
                    report
                        .violations
                        .push(format!("R4: after the lease had ended: {call}"));
                }
            }
            ground.world.links.heal();
            ground.deployer.ends(&id).await?;
            report.n += 1;
        }
        report.tell(&format!("{what}_noticed_max_ms"), noticed.percentile(100.0));
        // A few cycles on a busy machine say little: more slack for them.
        let leases = if options.short { 5 } else { 2 };
        let most = (LEASE * leases * 1_000) as f64;
        if let Some(longest) = noticed.percentile(100.0).filter(|longest| *longest > most) {
            report.violations.push(format!(
                "R8: {what} was noticed after {longest} ms; with leases of {LEASE} s at most {most} ms are promised"
            ));
        }
    }
    Ok(())
}
