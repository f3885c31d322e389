//! The project as a [`System`]: hub processes, and a fleet of agents with mutual TLS.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use hadron_management::clock::Clock;
use hadron_management::store::{Db, StoreError};
use hadron_management::wiring;

use crate::board::Job;
use crate::control::{Asked, Client, Made};
use crate::fleet::{Fleet, Manner};
use crate::hub::{Process, Start, Up};
use crate::machine;
use crate::seed::{self, Seeded, Store};
use crate::system::{Setup, System, payload};

/// How long agents may take to get their sessions.
pub(crate) const CONNECT: Duration = Duration::from_secs(120);
/// Jobs that wait for agents are submitted so many in one request.
const AT_ONCE: usize = 1_000;

/// One or more hubs over one store, with agents.
pub(crate) struct Project {
    hubs: Vec<Process>,
    doors: Vec<Client>,
    next: AtomicUsize,
    fleet: Fleet,
    dir: PathBuf,
    store: Store,
    null: bool,
    /// How long it took until all agents had their sessions, and what CPU the hubs had used by then, in ticks.
    pub(crate) connecting: (Duration, u64),
}

/// How the project is started.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) store: Store,
    pub(crate) hubs: usize,
    pub(crate) null: bool,
    pub(crate) lease: u64,
    pub(crate) heartbeat: u64,
    /// How many jobs wait for each agent before it dials; each has a place of its own on the board.
    pub(crate) waiting: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            store: Store::Sqlite,
            hubs: 1,
            null: false,
            lease: 30,
            heartbeat: 10,
            waiting: 0,
        }
    }
}

impl Options {
    fn process(&self, dir: &Path, agents: u32, ports: Option<Vec<u16>>) -> Result<Process> {
        Process::start(&Start {
            dir,
            store: &self.store,
            agents,
            null: self.null,
            ports,
            lease: self.lease,
            heartbeat: self.heartbeat,
            console: false,
        })
    }
}

impl Project {
    /// Starts hubs on copies of seeded data, and agents with sessions at all of them.
    pub(crate) async fn start(seeded: &Seeded, setup: &Setup, options: &Options) -> Result<Self> {
        let mut hubs = Vec::new();
        for number in 0..options.hubs.max(1) {
            let dir = setup.dir.join(format!("hub-{number}"));
            seed::copy(&seeded.dir, &dir)?;
            hubs.push(options.process(&dir, setup.agents, None)?);
        }
        let ups: Vec<Up> = hubs.iter().map(|hub| hub.up.clone()).collect();
        let mut doors = Vec::new();
        for up in &ups {
            doors.push(Client::connect(&up.door).await?);
        }
        let agents = seeded
            .agents
            .get(..setup.agents as usize)
            .context("fewer agents than asked for")?;
        let jobs: Vec<Asked> = (0..setup.agents * options.waiting)
            .map(|number| Job {
                agent: number % setup.agents,
                tag: setup.board.begin(number, Instant::now()),
            })
            .map(asked)
            .collect();
        for part in jobs.chunks(AT_ONCE) {
            doors.first().context("no hub")?.submit(part).await?;
        }
        let began = Instant::now();
        let fleet = Fleet::start(&ups, agents, &setup.board, Manner::default())?;
        fleet.connected(setup.agents as usize, CONNECT).await?;
        let pids: Vec<u32> = hubs.iter().map(Process::pid).collect();
        let connecting = (began.elapsed(), machine::ticks(&pids));
        Ok(Self {
            hubs,
            doors,
            next: AtomicUsize::new(0),
            fleet,
            dir: setup.dir.join("hub-0"),
            store: options.store.clone(),
            null: options.null,
            connecting,
        })
    }

    /// Submits and says which jobs that made.
    pub(crate) async fn make(&self, jobs: &[Job]) -> Result<Vec<Made>> {
        let asked: Vec<Asked> = jobs.iter().copied().map(asked).collect();
        let door = self.next.fetch_add(1, Ordering::Relaxed) % self.doors.len().max(1);
        self.doors.get(door).context("no hub")?.submit(&asked).await
    }

    pub(crate) const fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Kills the first hub, without any warning. The others go on.
    pub(crate) fn kill_first(&mut self) -> Result<Vec<u16>> {
        let first = self.hubs.remove(0);
        self.doors.remove(0);
        let ports = first.up.ports.clone();
        first.kill()?;
        Ok(ports)
    }

    /// Starts a hub on the data and the ports of one that was killed.
    pub(crate) async fn restart(&mut self, agents: u32, ports: Vec<u16>, options: &Options) -> Result<()> {
        let hub = options.process(&self.dir, agents, Some(ports))?;
        self.doors.push(Client::connect(&hub.up.door).await?);
        self.hubs.push(hub);
        Ok(())
    }

    /// Ends agents and hubs and keeps the data.
    pub(crate) async fn end(self) -> Result<()> {
        self.fleet.stop().await;
        for hub in self.hubs {
            hub.stop()?;
        }
        Ok(())
    }
}

fn asked(job: Job) -> Asked {
    Asked {
        agent: job.agent,
        text: payload(job),
    }
}

/// How many jobs of each status are stored, and which ids have ended.
pub(crate) struct Stored {
    pub(crate) open: u64,
    pub(crate) finished: std::collections::HashSet<String>,
    pub(crate) void: u64,
    /// Jobs that share the tag of another one.
    pub(crate) doubled: u64,
}

/// Reads what a hub has stored.
pub(crate) async fn stored(dir: &Path, store: &Store) -> Result<Stored> {
    let config = seed::config(dir, store, None, &[])?;
    let db = wiring::open_db(&config, Clock::system()).await?;
    let stored = read(&db).await;
    db.close().await;
    Ok(stored?)
}

async fn read(db: &Db) -> Result<Stored, StoreError> {
    db.read("bench check", |tx| {
        async move {
            let mut stored = Stored {
                open: 0,
                finished: std::collections::HashSet::new(),
                void: 0,
                doubled: 0,
            };
            let mut tags = std::collections::HashSet::new();
            for row in tx
                .query("SELECT id, label, status FROM job ORDER BY id", &[])
                .await?
            {
                match row.str("status")? {
                    "FINISHED" => {
                        stored.finished.insert(row.get("id")?);
                    }
                    "VOID" => stored.void += 1,
                    _ => stored.open += 1,
                }
                if !tags.insert(row.get::<String>("label")?) {
                    stored.doubled += 1;
                }
            }
            Ok(stored)
        }
        .boxed()
    })
    .await
}

impl System for Project {
    fn submit<'a>(&'a self, jobs: &'a [Job]) -> BoxFuture<'a, Result<()>> {
        async move { self.make(jobs).await.map(drop) }.boxed()
    }

    fn pids(&self) -> Vec<u32> {
        self.hubs.iter().map(Process::pid).collect()
    }

    fn commits(&self) -> BoxFuture<'_, Option<(u64, u64)>> {
        async move {
            let mut sum = (0, 0);
            for door in &self.doors {
                // A request without jobs asks for the counters; it is answered with one "id" that holds both.
                let both = door.stats().await.ok()?;
                sum = (sum.0 + both.0, sum.1 + both.1);
            }
            Some(sum)
        }
        .boxed()
    }

    fn check(&self, submitted: u64) -> BoxFuture<'_, Result<()>> {
        async move {
            if self.null {
                return Ok(());
            }
            let stored = stored(&self.dir, &self.store).await?;
            let finished = stored.finished.len() as u64;
            if finished != submitted || stored.open > 0 || stored.void > 0 || stored.doubled > 0 {
                bail!(
                    "of {submitted} jobs {finished} are finished, {} open, {} given up, {} doubled",
                    stored.open,
                    stored.void,
                    stored.doubled
                );
            }
            let unasked = self.fleet.unasked();
            if unasked > 0 {
                bail!("{unasked} jobs were offered beyond what their agents had asked for");
            }
            Ok(())
        }
        .boxed()
    }

    fn stop(self: Arc<Self>) -> BoxFuture<'static, Result<()>> {
        async move {
            Arc::into_inner(self)
                .context("the hub is still in use")?
                .end()
                .await
        }
        .boxed()
    }
}
