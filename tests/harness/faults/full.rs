//! Disks that are full: under an agent's journal, under a hub with its SQLite database and its log, under PostgreSQL.
//! Nothing is acknowledged that is not kept, no deployment fails for it, and when there is room again everything goes on
//! without anybody starting anything again.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::Instant;

use super::ground::{Ground, ROOMY, by_name, leases};
use super::kills::tell;
use super::load::Load;
use super::{Options, Report, Times};
use crate::cluster::Setup;
use crate::disk::{self, SmallDisk};
use crate::wait;

/// Seconds that leases last.
const LEASE: u64 = 6;
/// Clients and writes a second: enough to meet a full disk in the middle of a write.
const CLIENTS: u64 = 8;
const RATE: f64 = 80.0;
/// Without an acknowledgement for so long, the disk is what writes wait for.
const SILENCE: Duration = Duration::from_millis(1_500);

/// Measured: from when there is room again to the end of the deployment, or to the next acknowledged writes.
pub(super) async fn campaign(options: &Options) -> Result<Report> {
    let cycles = options.cycles(3, 30);
    let mut report = Report::new("full-disks", options.seed);
    if !disk::may_mount() {
        report.tell("not_shown", "this process may not mount file systems");
        report.n = 1;
        return Ok(report);
    }
    let mut places = BTreeMap::<&str, Times>::new();
    for (place, count) in [
        ("agent", cycles.div_ceil(3)),
        ("hub", (cycles + 1) / 3),
        ("postgres", cycles / 3),
    ] {
        if count == 0 {
            continue;
        }
        let times = match place {
            "agent" => under_agent(options, &mut report, count).await,
            "hub" => under_hub(options, &mut report, count).await,
            _ => under_postgres(options, &mut report, count).await,
        };
        places.insert(
            place,
            times.with_context(|| format!("a full disk under {place}"))?,
        );
        report.n += count;
    }
    let mut all = Times::default();
    for (place, times) in places {
        report.tell(&format!("{place}_p50_ms"), times.percentile(50.0));
        report.tell(&format!("{place}_max_ms"), times.percentile(100.0));
        all.extend(times);
    }
    report.time(&all);
    Ok(report)
}

async fn under_agent(options: &Options, report: &mut Report, count: u64) -> Result<Times> {
    let setup = Setup {
        hub: leases(LEASE),
        ..Setup::default()
    };
    let mut ground = Ground::new(&setup, 1).await?;
    let account = ground.accounts[0].clone();
    let agent = ground.world.agent(&account);
    agent.process().kill()?;
    let disk = SmallDisk::under(&agent.folder().join("state"), 1)?;
    agent.restart()?;
    let (mut times, mut ends) = (Times::default(), BTreeMap::<String, u64>::new());
    for number in 0..count {
        disk.fill()?;
        let agent = ground.world.agent(&account);
        let said = complaints(&agent.process().printed());
        let id = ground.deployer.begin(&account, number, 0.1).await?;
        wait::until("the agent to notice", Duration::from_secs(60), || {
            let more = complaints(&agent.process().printed()) > said;
            async move { Ok(more.then_some(())) }
        })
        .await?;
        disk.empty()?;
        let began = Instant::now();
        let end = ground.deployer.ends(&id).await?;
        times.push(began.elapsed());
        if end != "SUCCEEDED" {
            report
                .violations
                .push(format!("{id} ended {end} because an agent's disk was full"));
        }
        *ends.entry(end).or_default() += 1;
        ground.world.agent(&account).process().alive()?;
    }
    report.tell("agent_ends", by_name(&ends));
    ground.close(options, report, &[]).await?;
    drop(disk);
    Ok(times)
}

/// How often an agent said that it cannot write its journal.
fn complaints(printed: &str) -> usize {
    printed
        .lines()
        .filter(|line| line.contains("Cannot write the journal") || line.contains("No space left"))
        .count()
}

async fn under_hub(options: &Options, report: &mut Report, count: u64) -> Result<Times> {
    let setup = Setup {
        hub: format!("{}{ROOMY}", leases(LEASE)),
        ..Setup::default()
    };
    let mut ground = Ground::new(&setup, 1).await?;
    let folder = ground.world.hub.folder().to_owned();
    let mut disk = None;
    ground
        .world
        .hub
        .restart_with(None, || {
            disk = Some(SmallDisk::under(&folder, 64)?);
            Ok(())
        })
        .await?;
    let disk = disk.context("a disk")?;
    let times = starve(options, report, ground, &disk, "hub", count).await?;
    drop(disk);
    Ok(times)
}

async fn under_postgres(options: &Options, report: &mut Report, count: u64) -> Result<Times> {
    let setup = Setup {
        hub: format!("{}{ROOMY}", leases(LEASE)),
        ..Setup::replicas(2)
    };
    let ground = Ground::new(&setup, 1).await?;
    let postgres = ground.world.postgres.as_ref().context("PostgreSQL")?;
    postgres.halt().await?;
    // Room for the cluster and for the log between two checkpoints.
    let disk = SmallDisk::under(&postgres.data(), 224)?;
    postgres.revive().await?;
    let times = starve(options, report, ground, &disk, "postgres", count).await?;
    drop(disk);
    Ok(times)
}

/// Whoever asks for something meanwhile is told why it cannot be done, and where to read what to do about it.
async fn tells_people(ground: &Ground, disk: &SmallDisk) -> Result<()> {
    let grant = ["access", "grant", "token:somebody", "--role", "auditor"];
    wait::until("people to be told", Duration::from_secs(60), || async {
        disk.fill()?;
        let told = ground.world.admin.fails(9, &grant).await?;
        Ok(told.contains("more: hadron help HADRON-6002").then_some(()))
    })
    .await
}

/// Fills the disk under a load, waits until nothing is acknowledged, makes room, and waits until writes go on.
async fn starve(
    options: &Options,
    report: &mut Report,
    mut ground: Ground,
    disk: &SmallDisk,
    place: &str,
    count: u64,
) -> Result<Times> {
    let load = Load::start(&ground.world, place, CLIENTS, RATE)?;
    let mut times = Times::default();
    for _ in 0..count {
        load.goes_on(40).await?;
        let _ = load.gap();
        disk.fill()?;
        wait::until("writes to stop", Duration::from_secs(60), || async {
            // What the log gives back is taken at once.
            disk.fill()?;
            Ok((load.gap() >= SILENCE).then_some(()))
        })
        .await?;
        if place == "hub" {
            tells_people(&ground, disk).await?;
        }
        disk.empty()?;
        let began = Instant::now();
        if let Some(postgres) = &ground.world.postgres {
            // As whatever runs it would: PostgreSQL ends when it cannot write its log.
            postgres.revive().await?;
        }
        load.goes_on(40).await?;
        times.push(began.elapsed());
        for hub in ground.world.hubs() {
            hub.process().alive()?;
        }
        ground.watch_memory();
    }
    let told = load.stop().await?;
    tell(report, &told);
    ground.close(options, report, std::slice::from_ref(&told)).await?;
    Ok(times)
}
