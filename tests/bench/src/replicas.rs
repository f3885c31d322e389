//! W10: hubs that share one PostgreSQL, agents spread over them; and one of them killed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::board::Board;
use crate::load;
use crate::machine::{self, Used};
use crate::peers::postgres::{Mode, Postgres};
use crate::project::{Options, Project};
use crate::report::{PROJECT, Row};
use crate::run::{Bench, saturated};
use crate::seed::Store;
use crate::system::{Setup, System};

/// Agents of a hub that was killed have to be at another one by then.
const OVER: Duration = Duration::from_secs(60);

pub(crate) async fn one(bench: &mut Bench, hubs: u32, round: u32) -> Result<Vec<Row>> {
    let (outstanding, agents) = bench.scale.replica_load;
    let (seeded, template) = bench.seeded_postgres(agents).await?;
    let cluster = bench.cluster().await?;
    let mut rows = Vec::new();
    let case = format!("{hubs} hubs, {outstanding} outstanding, {agents} agents");
    let scale = bench.scale.clone();
    // The peer on the same cluster in the same round.
    if bench.flags.peers.is_empty() || bench.flags.peers.iter().any(|peer| peer == "postgres") {
        let dir = bench.fresh_dir()?;
        let setup = Setup {
            agents,
            board: Arc::new(Board::new(outstanding as usize)),
            dir,
        };
        let before = bench.before().await?;
        let peer: Arc<dyn System> =
            Arc::new(Postgres::start(Arc::clone(&cluster), &setup, Mode::Poll).await?);
        let loaded = load::closed(
            Arc::clone(&peer),
            Arc::clone(&setup.board),
            agents,
            outstanding,
            scale.warm,
            scale.span,
        );
        let mut load = loaded.await?;
        peer.check(load.submitted).await?;
        peer.stop().await?;
        let mut row = saturated(
            "PostgreSQL, 64 sockets, poll",
            outstanding,
            agents,
            round,
            &mut load,
        );
        row.set("database_us", Used::per(load.used.server_ticks, load.jobs));
        row.values.remove("server_us");
        before.mark(&mut row, Some(&load.used));
        rows.push(row);
    }
    let dir = bench.fresh_dir()?;
    let setup = Setup {
        agents,
        board: Arc::new(Board::new(outstanding as usize)),
        dir: dir.clone(),
    };
    let database = cluster.fresh_name("hub");
    let options = Options {
        store: Store::Postgres(cluster.database(&database, Some(&template)).await?),
        hubs: hubs as usize,
        lease: 3,
        heartbeat: 1,
        ..Options::default()
    };
    let before = bench.before().await?;
    let project = Arc::new(Project::start(&seeded, &setup, &options).await?);
    let system: Arc<dyn System> = Arc::clone(&project) as Arc<dyn System>;
    if bench.flags.statements {
        cluster.count_anew().await?;
    }
    let ticks = machine::ticks(&[cluster.pid()]);
    let loaded = load::closed(
        Arc::clone(&system),
        Arc::clone(&setup.board),
        agents,
        outstanding,
        scale.warm,
        scale.span,
    );
    let mut load = loaded.await?;
    let database_ticks = machine::ticks(&[cluster.pid()]).saturating_sub(ticks);
    if bench.flags.statements {
        let costs = cluster.costs(&database, load.submitted).await?;
        std::fs::write(bench.flags.out.join("statements.txt"), costs)?;
    }
    let mut row = saturated(PROJECT, outstanding, agents, round, &mut load);
    // The database worked before and after the stretch as well: per job of all.
    row.set("database_us", Used::per(database_ticks, load.submitted));
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let there = load.used.wall.as_secs_f64() * cores / machine::tick().as_secs_f64();
    let mut used = load.used;
    used.foreign = (used.foreign - database_ticks as f64 / there.max(1.0)).max(0.0);
    before.mark(&mut row, Some(&used));
    drop(system);
    let mut project = Arc::into_inner(project).context("the hubs are still in use")?;
    project.check(load.submitted).await?;
    if hubs > 1 {
        row.set(
            "takeover_s",
            take_over(&mut project, &setup, agents, hubs).await?.as_secs_f64(),
        );
        project
            .check(load.submitted + 2 * u64::from(agents.min(outstanding)))
            .await?;
    }
    project.end().await?;
    cluster
        .connect("postgres")
        .await?
        .batch_execute(&format!("DROP DATABASE {database} WITH (FORCE)"))
        .await?;
    std::fs::remove_dir_all(&dir)?;
    rows.push(row);
    for row in &mut rows {
        row.workload = "W10".to_owned();
        row.case.clone_from(&case);
        row.size = f64::from(hubs);
        row.line = String::new();
    }
    Ok(rows)
}

/// Kills one hub while jobs are under way; until its agents are elsewhere and every job has ended.
async fn take_over(project: &mut Project, setup: &Setup, agents: u32, hubs: u32) -> Result<Duration> {
    let count = agents.min(u32::try_from(setup.board.times().len())?);
    let jobs = |since: Instant| -> Vec<crate::board::Job> {
        let one = |agent| crate::board::Job {
            agent,
            tag: setup.board.begin(agent, since),
        };
        (0..count).map(one).collect()
    };
    let ended = setup.board.count();
    let first = jobs(Instant::now());
    project.make(&first).await?;
    let began = Instant::now();
    project.kill_first()?;
    let left = agents as usize - agents as usize / hubs as usize;
    // Those of the hub that is gone notice it first.
    let _ = project
        .fleet()
        .fewer(left.max(1) + 1, Duration::from_millis(500))
        .await;
    project.fleet().connected(agents as usize, OVER).await?;
    let waited = tokio::time::timeout(OVER, setup.board.wait_for(ended + u64::from(count))).await;
    waited.context("jobs of before the kill do not end")?;
    let took = began.elapsed();
    let second = jobs(Instant::now());
    project.make(&second).await?;
    let waited = tokio::time::timeout(OVER, setup.board.wait_for(ended + 2 * u64::from(count))).await;
    waited.context("jobs of after the kill do not end")?;
    Ok(took)
}
