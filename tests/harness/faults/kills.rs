//! Processes killed as by a power cut, at moments that chance chooses.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::{join, try_join_all};
use hadron_proto::wire;
use tokio::time::{Instant, sleep};

use super::ground::{Deployers, Ground, ROOMY, by_name, leases};
use super::load::{Load, Told};
use super::{Chance, Options, Report, Times};
use crate::agent::Agent;
use crate::cluster::Setup;
use crate::hub::Hub;
use crate::wait;

/// Seconds that leases last: short, so that a job whose agent does not come back is soon another's.
const LEASE: u64 = 6;
/// Clients of a load, each on a connection of its own.
pub(super) const CLIENTS: u64 = 24;
/// What they write a second when nothing is broken; 200 are to be acknowledged while things break.
pub(super) const RATE: f64 = 260.0;

/// What deployers of several accounts share.
struct Shared {
    /// Cycles that are still to be begun.
    left: AtomicU64,
    /// How long a deployment takes that nobody disturbs, in microseconds; a running mean.
    usual: AtomicU64,
}

impl Shared {
    fn new(cycles: u64) -> Self {
        Self {
            left: AtomicU64::new(cycles),
            usual: AtomicU64::new(1_000_000),
        }
    }

    /// The number of the next cycle, counted down to 1.
    fn next(&self) -> Option<u64> {
        self.left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .ok()
    }

    /// A time at which a deployment may be anywhere: uniform over a little more than it usually takes.
    fn moment(&self, chance: &mut Chance) -> Duration {
        let usual = self.usual.load(Ordering::Relaxed);
        chance.time(Duration::from_micros(usual + usual / 4))
    }

    fn learn(&self, took: Duration) {
        let usual = self.usual.load(Ordering::Relaxed);
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.usual.store((usual * 7 + took) / 8, Ordering::Relaxed);
    }
}

/// How long a deployment took that has ended.
fn lasted(deployment: &wire::Deployment) -> Option<Duration> {
    let (began, ended) = (deployment.created_at?, deployment.completed_at?);
    let seconds = (ended.seconds - began.seconds) as f64 + f64::from(ended.nanos - began.nanos) / 1e9;
    Some(Duration::from_secs_f64(seconds.max(0.0)))
}

/// Kills agents at uniform times during deployments, and starts them again at once; now and then once more on their way
/// back, or with an empty disk. Measured: from the last start to the end of the deployment.
pub(super) async fn agents(options: &Options) -> Result<Report> {
    let cycles = options.cycles(24, 1_000);
    let accounts = if options.short { 3 } else { 6 };
    let setup = Setup {
        hub: leases(LEASE),
        ..Setup::default()
    };
    let mut ground = Ground::new(&setup, accounts).await?;
    let mut report = Report::new("agent-kills", options.seed);
    let shared = Shared::new(cycles);
    let mut agents: Vec<Agent> = Vec::new();
    for account in &ground.accounts {
        agents.push(ground.world.agents.remove(account).context("an agent")?);
    }
    let done = AtomicBool::new(false);
    let work = async {
        let each = agents
            .iter_mut()
            .map(|agent| kill_agent(&ground, agent, &shared, options.chance(agent.account())));
        // Boxed: several accounts' states are large together.
        let results = try_join_all(each.map(Box::pin)).await;
        done.store(true, Ordering::SeqCst);
        results
    };
    let watch = async {
        while !done.load(Ordering::SeqCst) {
            // A moment in which the database is busy is no trouble.
            let _ = ground.watch_leases().await;
            sleep(Duration::from_millis(250)).await;
        }
    };
    let (results, ()) = join(work, watch).await;
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    let mut times = Times::default();
    for (own, own_ends, kills) in results? {
        report.n += kills;
        times.extend(own);
        for (end, count) in own_ends {
            *ends.entry(end).or_default() += count;
        }
    }
    report.time(&times);
    report.tell("ends", by_name(&ends));
    report.tell("accounts", accounts);
    for (account, agent) in ground.accounts.clone().into_iter().zip(agents) {
        ground.world.agents.insert(account, agent);
    }
    ground.close(options, &mut report, &[]).await?;
    Ok(report)
}

async fn kill_agent(
    ground: &Ground,
    agent: &mut Agent,
    shared: &Shared,
    mut chance: Chance,
) -> Result<(Times, BTreeMap<String, u64>, u64)> {
    let account = agent.account().to_owned();
    let (mut times, mut ends, mut kills) = (Times::default(), BTreeMap::new(), 0);
    let mut number = 0;
    while shared.next().is_some() {
        // A deployment that is over before its moment has come is no cycle; it only tells how long they take.
        let id = loop {
            number += 1;
            let seconds = chance.below(6) as f64 / 10.0;
            let id = ground.deployer.begin(&account, number, seconds).await?;
            sleep(shared.moment(&mut chance)).await;
            let now = ground.deployer.door.deployment(&id).await?;
            let Some(took) = lasted(&now) else {
                break id;
            };
            shared.learn(took);
            *ends.entry(ground.deployer.ends(&id).await?).or_default() += 1;
        };
        agent.process().kill()?;
        if chance.percent(10) {
            // There may be nothing on it yet; both are fine.
            let _ = agent.lose_disk();
        }
        agent.restart()?;
        kills += 1;
        if chance.percent(20) {
            // Once more, on its way back.
            sleep(chance.time(Duration::from_millis(1_500))).await;
            agent.restart()?;
            kills += 1;
        }
        let back = Instant::now();
        *ends.entry(ground.deployer.ends(&id).await?).or_default() += 1;
        times.push(back.elapsed());
    }
    Ok((times, ends, kills))
}

/// Figures of a load.
pub(super) fn tell(report: &mut Report, told: &Told) {
    report.tell("acknowledged", told.acknowledged);
    report.tell("writes_per_second", told.rate().round());
    report.tell("failed_tries", by_name(&told.errors));
    report.tell("examples", serde_json::json!(told.examples));
    report.tell("interrupted", told.interrupted.len());
    report.tell("smooth_p99_ms", told.smooth.percentile(99.0));
    report.time(&told.interrupted);
}

/// Ends what goes on in a world, tells how it went, and looks at everything. `gaps` are times in which nothing was answered.
pub(super) async fn wind_up(
    ground: Ground,
    options: &Options,
    report: &mut Report,
    (load, deployers): (Load, Deployers),
    gaps: &Times,
) -> Result<()> {
    let (ends, _) = deployers.stop().await?;
    let told = load.stop().await?;
    tell(report, &told);
    report.tell("ends", by_name(&ends));
    report.tell("silence_p99_ms", gaps.percentile(99.0));
    ground.close(options, report, std::slice::from_ref(&told)).await
}

/// Kills one of two hubs on PostgreSQL, then, in a world of its own, the only hub on SQLite, under writes and deployments.
/// Measured: from the first try of a write to its acknowledgement, of writes that had to be tried again.
pub(super) async fn hubs(options: &Options) -> Result<Report> {
    let cycles = options.cycles(8, 500);
    let mut report = Report::new("hub-kills", options.seed);
    let (two, one) = (cycles.div_ceil(2), cycles / 2);
    let mut told = Told::default();
    for (sort, cycles) in [("postgres", two), ("sqlite", one)] {
        if cycles == 0 {
            continue;
        }
        let mut setup = if sort == "postgres" {
            Setup::replicas(2)
        } else {
            Setup::default()
        };
        setup.hub = format!("{}{ROOMY}", leases(LEASE));
        let ground = Ground::new(&setup, 2).await?;
        let own = kill_hubs(options, &mut report, ground, cycles, sort).await?;
        report.tell(&format!("{sort}_writes_per_second"), own.rate().round());
        report.tell(&format!("{sort}_p99_ms"), own.interrupted.percentile(99.0));
        told.lasted += own.lasted;
        told.add(own);
    }
    tell(&mut report, &told);
    Ok(report)
}

async fn kill_hubs(
    options: &Options,
    report: &mut Report,
    mut ground: Ground,
    cycles: u64,
    sort: &str,
) -> Result<Told> {
    let mut chance = options.chance(sort);
    let load = Load::start(&ground.world, sort, CLIENTS, RATE)?;
    let deployers = ground.deploy(0.1);
    let mut gaps = Times::default();
    for _ in 0..cycles {
        load.goes_on(40).await?;
        let _ = load.gap();
        sleep(chance.time(Duration::from_millis(700))).await;
        ground.watch_memory();
        let hubs = 1 + ground.world.replicas.len() as u64;
        let victim = usize::try_from(chance.below(hubs))?;
        let hub = ground.world.hubs().nth(victim).context("a hub")?;
        hub.restart().await?;
        load.goes_on(40).await?;
        gaps.push(load.gap());
        // A moment in which the database is busy is no trouble.
        let _ = ground.watch_leases().await;
        report.n += 1;
    }
    let (ends, _) = deployers.stop().await?;
    let told = load.stop().await?;
    report.tell(&format!("{sort}_ends"), by_name(&ends));
    report.tell(&format!("{sort}_silence_p99_ms"), gaps.percentile(99.0));
    ground.close(options, report, std::slice::from_ref(&told)).await?;
    Ok(told)
}

/// Kills the hub and an agent at the same time, at uniform times during deployments. Measured: from the hub's return to the
/// end of the deployment.
pub(super) async fn both(options: &Options) -> Result<Report> {
    let cycles = options.cycles(6, 200);
    let setup = Setup {
        hub: leases(LEASE),
        ..Setup::default()
    };
    let mut ground = Ground::new(&setup, 2).await?;
    let mut report = Report::new("both-kills", options.seed);
    let mut chance = options.chance("both");
    let shared = Shared::new(cycles);
    let (mut times, mut ends) = (Times::default(), BTreeMap::<String, u64>::new());
    let mut number = 0;
    while shared.next().is_some() {
        number += 1;
        let mut ids = Vec::new();
        for account in &ground.accounts {
            let seconds = chance.below(6) as f64 / 10.0;
            ids.push(ground.deployer.begin(account, number, seconds).await?);
        }
        sleep(shared.moment(&mut chance)).await;
        let victim = chance.one(&ground.accounts).clone();
        for id in &ids {
            if let Some(took) = lasted(&ground.deployer.door.deployment(id).await?) {
                shared.learn(took);
            }
        }
        ground.watch_memory();
        ground.world.agent(&victim).process().kill()?;
        ground.world.hub.process().kill()?;
        if chance.percent(50) {
            ground.world.agent(&victim).restart()?;
            ground.world.hub.restart().await?;
        } else {
            ground.world.hub.restart().await?;
            ground.world.agent(&victim).restart()?;
        }
        let back = Instant::now();
        for id in ids {
            *ends.entry(ground.deployer.ends(&id).await?).or_default() += 1;
        }
        times.push(back.elapsed());
        ground.watch_leases().await?;
        report.n += 1;
    }
    report.time(&times);
    report.tell("ends", by_name(&ends));
    ground.close(options, &mut report, &[]).await?;
    Ok(report)
}

/// Kills one of three hubs every few seconds under load, for ten minutes (`cycles` seconds). Measured: from the first try
/// of a write to its acknowledgement, of writes that had to be tried again; and until all agents have a session again.
pub(super) async fn replicas(options: &Options) -> Result<Report> {
    let seconds = options.cycles(15, 600);
    let mut setup = Setup::replicas(3);
    setup.hub = format!("{}{ROOMY}", leases(LEASE));
    let mut ground = Ground::new(&setup, 3).await?;
    let mut report = Report::new("replicas", options.seed);
    let mut chance = options.chance("replicas");
    let load = Load::start(&ground.world, "replicas", CLIENTS, RATE)?;
    let deployers = ground.deploy(0.1);
    let end = Instant::now() + Duration::from_secs(seconds);
    let agents = ground.world.agents.len() as u64;
    let (mut gaps, mut streams) = (Times::default(), Times::default());
    while Instant::now() < end {
        let _ = load.gap();
        ground.watch_memory();
        let victim = usize::try_from(chance.below(3))?;
        let hub = ground.world.hubs().nth(victim).context("a hub")?;
        hub.process().kill()?;
        let killed = Instant::now();
        connected(&mut ground, victim, agents).await?;
        streams.push(killed.elapsed());
        gaps.push(load.gap());
        let hub = ground.world.hubs().nth(victim).context("a hub")?;
        hub.restart().await?;
        report.n += 1;
        load.goes_on(40).await?;
        let _ = ground.watch_leases().await;
        sleep(Duration::from_secs(1) + chance.time(Duration::from_secs(3))).await;
    }
    let (ends, took) = deployers.stop().await?;
    let told = load.stop().await?;
    tell(&mut report, &told);
    report.tell("ends", by_name(&ends));
    report.tell("deployment_p99_ms", took.percentile(99.0));
    report.tell("silence_p99_ms", gaps.percentile(99.0));
    report.tell("streams_back_p50_ms", streams.percentile(50.0));
    report.tell("streams_back_p99_ms", streams.percentile(99.0));
    report.tell("streams_back_max_ms", streams.percentile(100.0));
    bar(
        options,
        &mut report,
        told.interrupted.percentile(99.0),
        2_000.0,
        "99 of 100 interrupted writes",
    );
    bar(
        options,
        &mut report,
        streams.percentile(99.0),
        10_000.0,
        "99 of 100 times all streams",
    );
    ground
        .close(options, &mut report, std::slice::from_ref(&told))
        .await?;
    Ok(report)
}

/// Waits until all agents have a session with one of the hubs that are not the victim.
async fn connected(ground: &mut Ground, victim: usize, agents: u64) -> Result<()> {
    let hubs: Vec<&Hub> = std::iter::once(&ground.world.hub)
        .chain(&ground.world.replicas)
        .collect();
    wait::until(
        "all agents to be connected again",
        Duration::from_secs(60),
        || async {
            let mut sum = 0;
            for (at, hub) in hubs.iter().enumerate() {
                if at != victim {
                    sum += hub.gauge("hadron_agents_connected").await.unwrap_or(0);
                }
            }
            Ok((sum >= agents).then_some(()))
        },
    )
    .await
}

/// A figure that is promised not to be above this. A few cycles on a busy machine say nothing about it: the short form
/// only reports.
fn bar(options: &Options, report: &mut Report, found: Option<f64>, most: f64, what: &str) {
    if options.short {
        return;
    }
    if let Some(found) = found.filter(|found| *found > most) {
        report.violations.push(format!(
            "R6: {what} took up to {found} ms; at most {most} ms are promised"
        ));
    }
}

/// Restarts hubs in good order, one after the other, under load: no call of a client fails. Measured: from SIGTERM until the
/// hub is back.
pub(super) async fn rolling(options: &Options) -> Result<Report> {
    let cycles = options.cycles(4, 50);
    let mut setup = Setup::replicas(2);
    // As operators leave it but shorter: without it a hub for development closes its door before a balancer knows, and whoever
    // comes in that moment is reset.
    let lingers = "\n[limits]\nlinger_seconds = 1\n";
    setup.hub = format!("{}{ROOMY}{lingers}", leases(LEASE));
    let mut ground = Ground::new(&setup, 2).await?;
    let mut report = Report::new("rolling-restart", options.seed);
    let load = Load::start(&ground.world, "rolling", CLIENTS, RATE)?;
    let deployers = ground.deploy(0.1);
    let mut times = Times::default();
    let mut dirty = 0;
    for cycle in 0..cycles {
        load.goes_on(40).await?;
        ground.watch_memory();
        let hub = ground
            .world
            .hubs()
            .nth(usize::try_from(cycle % 2)?)
            .context("a hub")?;
        let began = Instant::now();
        let status = hub.process().stop(Duration::from_secs(60)).await?;
        if !status.success() {
            dirty += 1;
            report
                .violations
                .push(format!("R9: the hub ended with {status} after SIGTERM"));
        }
        hub.restart().await?;
        times.push(began.elapsed());
        // The balancer has to see that it is back before the other goes.
        load.goes_on(200).await?;
        report.n += 1;
    }
    let (ends, _) = deployers.stop().await?;
    let told = load.stop().await?;
    tell(&mut report, &told);
    report.time(&times);
    report.tell("ends", by_name(&ends));
    report.tell("dirty_ends", dirty);
    let failed = told.failed_tries();
    if failed > 0 {
        report
            .violations
            .push(format!("R9: {failed} calls of clients failed: {:?}", told.errors));
    }
    ground
        .close(options, &mut report, std::slice::from_ref(&told))
        .await?;
    Ok(report)
}
