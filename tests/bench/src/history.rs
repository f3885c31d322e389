//! W9: does it matter how much has happened before, or waits for agents that are away?

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, anyhow};
use futures::FutureExt as _;
use hadron_domain::job::{Job, JobState};
use hadron_management::clock::Clock;
use hadron_management::store::jobs::{self, JobRow, JobWork};
use hadron_management::store::{StoreError, connections};
use hadron_management::wiring;

use crate::board::Board;
use crate::load::{self, Spans};
use crate::project::{Options, Project};
use crate::report::{PROJECT, Row};
use crate::run::{Bench, saturated};
use crate::seed::{self, Seeded, Store};
use crate::system::{Setup, System};

/// Written in transactions of so many.
const CHUNK: u32 = 5_000;
/// How often people ask for a list, for its latency.
const QUESTIONS: u32 = 1_000;

pub(crate) fn case(finished: u32, open: u32) -> String {
    format!("{finished} finished, {open} open")
}

pub(crate) async fn one(
    bench: &mut Bench,
    (outstanding, agents): (u32, u32),
    (finished, open): (u32, u32),
    round: u32,
) -> Result<Row> {
    // Besides the agents that are there, as many that are away.
    let seeded = bench.seeded(agents * 2).await?;
    let name = format!("history-{finished}-{open}");
    let filled = Seeded {
        dir: bench.dir.join(name),
        agents: seeded.agents.clone(),
    };
    if !filled.dir.exists() {
        seed::copy(&seeded.dir, &filled.dir)?;
        fill(&filled, agents, finished, open).await?;
    }
    let dir = bench.fresh_dir()?;
    let setup = Setup {
        agents,
        board: Arc::new(Board::new(outstanding as usize)),
        dir: dir.clone(),
    };
    let before = bench.before().await?;
    let project = Arc::new(Project::start(&filled, &setup, &Options::default()).await?);
    let system: Arc<dyn System> = Arc::clone(&project) as Arc<dyn System>;
    let scale = bench.scale.clone();
    let loaded = load::closed(
        Arc::clone(&system),
        Arc::clone(&setup.board),
        agents,
        outstanding,
        scale.warm,
        scale.span,
    );
    let mut load = loaded.await?;
    let mut row = saturated(PROJECT, outstanding, agents, round, &mut load);
    row.workload = "W9".to_owned();
    row.case = case(finished, open);
    row.size = f64::from(finished.max(open));
    row.line = String::new();
    row.set("list_p99_ms", questions(&project, agents).await?.quantile(0.99));
    before.mark(&mut row, Some(&load.used));
    drop(system);
    project.stop().await?;
    std::fs::remove_dir_all(&dir)?;
    Ok(row)
}

/// Jobs that have ended for all agents, and jobs that wait for those that are away.
async fn fill(seeded: &Seeded, agents: u32, finished: u32, open: u32) -> Result<()> {
    let config = seed::config(&seeded.dir, &Store::Sqlite, None, &[])?;
    let db = wiring::open_db(&config, Clock::system()).await?;
    let work = JobWork::SetPullPolicy {
        repository: "bench".parse().map_err(|error| anyhow!("a name: {error}"))?,
        readers: (0..30)
            .map(|other| seed::account(900_000 + other))
            .collect::<Result<_>>()?,
    };
    for first in (0..finished + open).step_by(CHUNK as usize) {
        let last = (first + CHUNK).min(finished + open);
        let (work, region) = (work.clone(), seed::region()?);
        let accounts = (first..last).map(|number| {
            let away = number >= finished;
            let agent = if away {
                agents + number % agents
            } else {
                number % agents
            };
            Ok((seed::account(agent)?, away, number))
        });
        let accounts = accounts.collect::<Result<Vec<_>>>()?;
        db.write("fill", move |tx| {
            async move {
                let now = tx.now().await?;
                let mut lanes = std::collections::HashMap::new();
                for (account, away, number) in accounts {
                    let connection = match lanes.get(&account) {
                        Some(connection) => *connection,
                        None => {
                            let all = connections::of_account(tx, account, &region).await?;
                            let Some(first) = all.first() else { continue };
                            lanes.insert(account, first.connection.id);
                            first.connection.id
                        }
                    };
                    let mut job = Job::new(tx.fresh_id(), now);
                    if !away {
                        job.state = JobState::Finished { at: now };
                    }
                    let row = JobRow {
                        job,
                        account,
                        region: region.clone(),
                        connection,
                        deployment: None,
                        label: format!("history {number}"),
                        work: work.clone(),
                        created_at: now,
                    };
                    jobs::insert(tx, &row).await?;
                }
                Ok::<_, StoreError>(())
            }
            .boxed()
        })
        .await?;
    }
    db.close().await;
    Ok(())
}

/// What lists cost while nothing else happens, one page at a time.
async fn questions(project: &Project, agents: u32) -> Result<Spans> {
    let config = seed::config(project.dir(), &Store::Sqlite, None, &[])?;
    let db = wiring::open_db(&config, Clock::system()).await?;
    let mut spans = Spans::default();
    for number in 0..QUESTIONS {
        let account = seed::account(number % agents)?;
        let began = Instant::now();
        db.read("list", move |tx| {
            async move {
                let now = tx.now().await?;
                jobs::expired(tx, now, 50).await?;
                hadron_management::store::agents::list(
                    tx,
                    Some(account),
                    &hadron_domain::authority::Sight::Everything,
                    "",
                    50,
                )
                .await
                .map(drop)
            }
            .boxed()
        })
        .await
        .map_err(|error: StoreError| error)?;
        spans.add(began.elapsed());
    }
    db.close().await;
    Ok(spans)
}
