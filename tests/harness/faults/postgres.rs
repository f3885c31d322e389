//! PostgreSQL restarted, killed, its sessions ended, and its answers to COMMIT kept back, under writes and deployments.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use hadron_management::store::db::testing::Swallow;
use tokio::time::sleep;

use super::ground::{Ground, ROOMY, by_name, leases};
use super::kills::{CLIENTS, RATE, wind_up};
use super::load::Load;
use super::{Options, Report, Times};
use crate::cluster::{LinkName, Setup};
use crate::wait;

/// What is done to PostgreSQL, in turn. Answers are kept back most often: they are the subtlest.
const DEEDS: [&str; 8] = [
    "commits_swallowed",
    "sessions_ended",
    "commits_swallowed",
    "restarted",
    "commits_swallowed",
    "sessions_ended",
    "commits_swallowed",
    "killed",
];

/// Measured: from the first try of a write to its acknowledgement, of writes that had to be tried again.
pub(super) async fn campaign(options: &Options) -> Result<Report> {
    let cycles = options.cycles(8, 1_000);
    let setup = Setup {
        hub: format!("{}{ROOMY}", leases(6)),
        proxied: vec![LinkName::HubPostgres],
        ..Setup::replicas(2)
    };
    let mut ground = Ground::new(&setup, 2).await?;
    let mut report = Report::new("postgres", options.seed);
    let mut chance = options.chance("postgres");
    let load = Load::start(&ground.world, "postgres", CLIENTS, RATE)?;
    let deployers = ground.deploy(0.1);
    let mut deeds = BTreeMap::<String, u64>::new();
    let mut gaps = Times::default();
    for cycle in 0..cycles {
        load.goes_on(20).await?;
        let _ = load.gap();
        let deed = DEEDS[usize::try_from(cycle % DEEDS.len() as u64)?];
        let times = match deed {
            "restarted" => {
                let postgres = ground.world.postgres.as_ref().context("PostgreSQL")?;
                postgres.restart().await?;
                1
            }
            "killed" => {
                let postgres = ground.world.postgres.as_ref().context("PostgreSQL")?;
                postgres.crash().await?;
                1
            }
            "sessions_ended" => {
                let postgres = ground.world.postgres.as_ref().context("PostgreSQL")?;
                let mut ended = 0;
                for _ in 0..5 {
                    ended += postgres.terminate(4).await? as u64;
                    sleep(Duration::from_millis(200)).await;
                }
                ended
            }
            _ => {
                let times = 1 + u32::try_from(chance.below(8))?;
                let commits = ground.world.links.commits.as_ref();
                let commits = commits.context("the proxy that sees COMMIT")?;
                commits.swallow(Swallow::Answer, times);
                wait::until("answers to be swallowed", Duration::from_secs(60), || async {
                    Ok((commits.left() == 0).then_some(()))
                })
                .await?;
                u64::from(times)
            }
        };
        *deeds.entry(deed.to_owned()).or_default() += times;
        load.goes_on(20).await?;
        gaps.push(load.gap());
        ground.watch_memory();
        let _ = ground.watch_leases().await;
        report.n += 1;
    }
    report.tell("deeds", by_name(&deeds));
    wind_up(ground, options, &mut report, (load, deployers), &gaps).await?;
    Ok(report)
}
