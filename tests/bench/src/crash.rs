//! A hub that is killed in the midst of many jobs: what it had acknowledged must be there and end exactly once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hadron_proto::vocab::{Id, kinds};
use tokio::sync::RwLock;
use tokio::task::JoinSet;

use crate::board::{Board, Job};
use crate::control::Made;
use crate::project::{self, Options, Project};
use crate::run::Bench;
use crate::seed::Store;
use crate::system::{Setup, System as _};

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crashed {
    /// Jobs whose submission was acknowledged.
    pub(crate) acknowledged: usize,
    /// From the start of the new hub until a job has ended that was submitted to it.
    pub(crate) recovered: Duration,
}

/// How long the jobs that were under way may take to end: a lease has to run out where an agent lost an offer.
const ENDS: Duration = Duration::from_secs(90);

pub(crate) async fn run(bench: &mut Bench, agents: u32, outstanding: u32) -> Result<Crashed> {
    let seeded = bench.seeded(agents).await?;
    let dir = bench.fresh_dir()?;
    let setup = Setup {
        agents,
        board: Arc::new(Board::new(outstanding as usize)),
        dir: dir.clone(),
    };
    let options = Options {
        lease: 3,
        heartbeat: 1,
        ..Options::default()
    };
    let project = Arc::new(RwLock::new(Project::start(&seeded, &setup, &options).await?));
    let (stop, acknowledged) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(Mutex::new(Vec::<Made>::new())),
    );
    let mut tasks = JoinSet::new();
    for slot in 0..outstanding {
        let (project, board) = (Arc::clone(&project), Arc::clone(&setup.board));
        let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
        tasks.spawn(async move {
            let mut agent = slot % agents;
            let mut ends = None;
            while !stop.load(Ordering::Relaxed) {
                let tag = board.begin(slot, Instant::now());
                let made = project.read().await.make(&[Job { agent, tag }]).await;
                agent = (agent + outstanding) % agents;
                let Ok(made) = made else {
                    // Nobody knows whether it was taken: it may be there or not, and is not asked for again.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                acknowledged
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend(made);
                tokio::time::timeout(ENDS, board.wait(tag))
                    .await
                    .context("an acknowledged job does not end")?;
                ends = Some(Instant::now());
            }
            anyhow::Ok(ends)
        });
    }
    tokio::time::sleep(bench.scale.span).await;
    // Without waiting for those who submit: some are in the midst of it.
    for pid in project.read().await.pids() {
        let pid = i32::try_from(pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .context("a process id")?;
        rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
    }
    let ports = project.write().await.kill_first()?;
    let back = Instant::now();
    project.write().await.restart(agents, ports, &options).await?;
    let ended = setup.board.count();
    let waited = tokio::time::timeout(ENDS, setup.board.wait_for(ended + 1)).await;
    waited.context("no job ends after the restart")?;
    let recovered = back.elapsed();
    tokio::time::sleep(bench.scale.span).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let project = Arc::into_inner(project)
        .context("the hub is still in use")?
        .into_inner();
    // Jobs whose submission was cut off end as well, if they are there at all.
    let open = wait_until_none_is_open(&project).await;
    let data = project.dir().to_owned();
    project.end().await?;
    open?;
    let stored = project::stored(&data, &Store::Sqlite).await?;
    let acknowledged = std::mem::take(&mut *acknowledged.lock().unwrap_or_else(PoisonError::into_inner));
    let ids: HashSet<String> = acknowledged.iter().map(text).collect();
    let lost = ids.difference(&stored.finished).count();
    if lost > 0 || stored.void > 0 || stored.open > 0 || stored.doubled > 0 {
        bail!(
            "of {} acknowledged jobs {lost} have no result; {} were given up, {} are open, {} doubled",
            ids.len(),
            stored.void,
            stored.open,
            stored.doubled
        );
    }
    std::fs::remove_dir_all(&dir)?;
    Ok(Crashed {
        acknowledged: ids.len(),
        recovered,
    })
}

fn text(made: &Made) -> String {
    let hexadecimal = made
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let id: Result<Id<kinds::Job>, _> = format!("job_{hexadecimal}").parse();
    id.map(|id| id.to_string()).unwrap_or_default()
}

async fn wait_until_none_is_open(project: &Project) -> Result<()> {
    let until = Instant::now() + ENDS;
    loop {
        let stored = project::stored(project.dir(), &Store::Sqlite).await?;
        if stored.open == 0 {
            return Ok(());
        }
        if Instant::now() > until {
            bail!("{} jobs do not end after the restart", stored.open);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
