//! A standby takes PostgreSQL's place. With synchronous replication nothing that was acknowledged may be missing; without,
//! what had not reached the standby is lost, and the hubs have to notice and to go on after `hadron-hub recover`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::time::Instant;

use super::ground::{Ground, ROOMY, leases};
use super::kills::{CLIENTS, RATE, wind_up};
use super::load::{Load, Told, stored};
use super::{Options, Report, Times};
use crate::cluster::{LinkName, Setup};
use crate::postgres::Postgres;
use crate::proxy::{Proxy, Toxic, Way};
use crate::wait;

/// Writes a second while commits wait for a standby as well.
const GENTLE: f64 = RATE / 2.0;

fn setup() -> Setup {
    Setup {
        hub: format!("{}{ROOMY}", leases(6)),
        proxied: vec![LinkName::HubPostgres],
        ..Setup::replicas(2)
    }
}

/// Puts the standby where hubs look for the database.
async fn take_over(ground: &mut Ground, standby: Postgres) -> Result<()> {
    standby.promote().await?;
    let proxy = ground.world.links.get(LinkName::HubPostgres)?;
    proxy.lead_to(standby.address());
    proxy.cut();
    ground.world.postgres = Some(standby);
    Ok(())
}

/// Kills the primary under writes and deployments while each COMMIT waits for the standby, and promotes that; again and
/// again. Measured: from the first try of a write to its acknowledgement, of writes that had to be tried again.
pub(super) async fn promotion(options: &Options) -> Result<Report> {
    let cycles = options.cycles(2, 20);
    let mut ground = Ground::new(&setup(), 2).await?;
    let mut report = Report::new("promotion", options.seed);
    let mut chance = options.chance("promotion");
    let load = Load::start(&ground.world, "promotion", CLIENTS, GENTLE)?;
    let deployers = ground.deploy(0.1);
    let mut gaps = Times::default();
    for cycle in 0..cycles {
        let folder = ground.world.folder().to_owned();
        let primary = ground.world.postgres.as_ref().context("PostgreSQL")?;
        let at = primary.address();
        let standby = primary.standby(at, &folder, &format!("standby-{cycle}")).await?;
        primary.wait_for_standby(true).await?;
        load.goes_on(40).await?;
        let _ = load.gap();
        tokio::time::sleep(chance.time(Duration::from_millis(700))).await;
        let primary = ground.world.postgres.as_ref().context("PostgreSQL")?;
        primary.halt().await?;
        take_over(&mut ground, standby).await?;
        load.goes_on(40).await?;
        gaps.push(load.gap());
        ground.watch_memory();
        let _ = ground.watch_leases().await;
        report.n += 1;
    }
    wind_up(ground, options, &mut report, (load, deployers), &gaps).await?;
    Ok(report)
}

/// Cuts replication off, goes on writing and deploying, kills hubs and primary, and promotes the standby, which knows
/// nothing of that. Measured: from the promotion until everything is compared and a deployment has succeeded again.
pub(super) async fn lost_commits(options: &Options) -> Result<Report> {
    let cycles = options.cycles(1, 10);
    let mut ground = Ground::new(&setup(), 2).await?;
    let mut report = Report::new("lost-commits", options.seed);
    let (mut times, mut lost_writes, mut lost_deployments) = (Times::default(), 0, 0);
    let mut number = 0;
    for cycle in 0..cycles {
        let folder = ground.world.folder().to_owned();
        let primary = ground.world.postgres.as_ref().context("PostgreSQL")?;
        let link = Proxy::start(primary.address()).await?;
        let standby = primary
            .standby(link.address(), &folder, &format!("standby-{cycle}"))
            .await?;
        // What both know, then what only the primary knows.
        number += 1;
        deploy(&ground, number).await?;
        level(primary, &standby).await?;
        let known = audited(&standby).await?;
        link.poison(&[Toxic::BlackHole { way: Way::Down }]);
        let load = Load::start(&ground.world, &format!("lost-{cycle}"), CLIENTS, GENTLE)?;
        load.goes_on(100).await?;
        number += 1;
        let gone = deploy(&ground, number).await?;
        let told = load.stop().await?;
        ahead(&ground, known).await?;
        for hub in ground.world.hubs() {
            hub.process().kill()?;
        }
        let primary = ground.world.postgres.as_ref().context("PostgreSQL")?;
        primary.halt().await?;
        take_over(&mut ground, standby).await?;
        let began = Instant::now();
        lost_writes += lost(&ground, &told).await?;
        lost_deployments += u64::from(forget(&ground, &gone).await?);
        recover(&mut ground).await?;
        compared(&ground).await?;
        number += 1;
        deploy(&ground, number).await?;
        times.push(began.elapsed());
        let generation = ground.world.hub.gauge("hadron_restore_generation").await?;
        if generation != cycle + 1 {
            report.violations.push(format!(
                "after {} promotions that lost commits the hub is at generation {generation}",
                cycle + 1
            ));
        }
        if told.acknowledged > 0 && lost_writes == 0 {
            report
                .violations
                .push("nothing was lost: the campaign shows nothing".to_owned());
        }
        ground.watch_memory();
        let _ = ground.watch_leases().await;
        report.n += 1;
    }
    report.time(&times);
    report.tell("lost_writes", lost_writes);
    report.tell("lost_deployments", lost_deployments);
    ground.close(options, &mut report, &[]).await?;
    Ok(report)
}

/// A deployment of the first account's environment that has to succeed; its id.
async fn deploy(ground: &Ground, number: u64) -> Result<String> {
    let account = ground.accounts.first().context("an account")?;
    let id = ground.deployer.begin(account, number, 0.1).await?;
    let end = ground.deployer.ends(&id).await?;
    ensure!(end == "SUCCEEDED", "{id} ended {end}");
    Ok(id)
}

/// Waits until the standby has all that the primary has.
async fn level(primary: &Postgres, standby: &Postgres) -> Result<()> {
    let word =
        |rows: Vec<Vec<Option<String>>>| rows.into_iter().flatten().flatten().next().unwrap_or_default();
    let now = word(primary.rows("SELECT pg_current_wal_lsn()").await?);
    let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{now}'::pg_lsn");
    wait::until("the standby to be level", Duration::from_secs(30), || async {
        Ok((word(standby.rows(&sql).await?) == "t").then_some(()))
    })
    .await
}

/// How many lines the audit log has had.
async fn audited(postgres: &Postgres) -> Result<i64> {
    let rows = postgres
        .rows("SELECT value FROM sequence WHERE name = 'audit'")
        .await?;
    let value = rows.into_iter().flatten().flatten().next();
    Ok(value.context("nothing was audited")?.parse()?)
}

/// Waits until the first hub's mark is ahead of what the standby knows: it looks every few seconds.
async fn ahead(ground: &Ground, known: i64) -> Result<()> {
    let mark = ground.world.hub.folder().join("high-water.json");
    wait::until(
        "the mark to be ahead of the standby",
        Duration::from_secs(30),
        || async {
            let text = std::fs::read(&mark).unwrap_or_default();
            let mark: Value = serde_json::from_slice(&text).unwrap_or_default();
            Ok((mark["audit"].as_i64() > Some(known)).then_some(()))
        },
    )
    .await
}

/// How many acknowledged writes of a load the store does not know.
async fn lost(ground: &Ground, told: &Told) -> Result<u64> {
    let stored = stored(&ground.world).await?;
    let mut lost = 0;
    for (name, known) in &told.templates {
        let row = stored.get(name);
        lost += u64::from(known.created && row.is_none());
        let updates = row.and_then(|row| row.display.parse().ok()).unwrap_or(0);
        lost += known.updates.saturating_sub(updates);
        let tagged = row.and_then(|row| row.tag.clone());
        lost += u64::from(known.tag.map(|tag| tag.to_string()) != tagged && known.tag.is_some());
    }
    Ok(lost)
}

/// Whether a deployment is unknown now; nobody expects anything of it then.
async fn forget(ground: &Ground, id: &str) -> Result<bool> {
    let digits = crate::invariants::digits(id);
    let rows = ground
        .world
        .rows(&format!("SELECT id FROM deployment WHERE id LIKE '%{digits}%'"))
        .await?;
    if rows.is_empty() {
        ground.deployer.forget(id);
    }
    Ok(rows.is_empty())
}

/// The hubs refuse to work until somebody has said what happened; then all come up.
async fn recover(ground: &mut Ground) -> Result<()> {
    let refused = ground.world.hub.restart().await;
    let refused = format!("{:#}", refused.err().context("it works on an old database")?);
    ensure!(refused.contains("hadron-hub recover"), "{refused}");
    let (done, said) = ground.world.hub.command(&["recover"])?;
    ensure!(done, "{said}");
    for hub in ground.world.hubs() {
        hub.restart().await?;
    }
    Ok(())
}

async fn compared(ground: &Ground) -> Result<()> {
    wait::until("every stack to be compared", Duration::from_secs(60), || async {
        let open = ground.world.hub.gauge("hadron_recovery_stacks_open").await?;
        Ok((open == 0).then_some(()))
    })
    .await
}
