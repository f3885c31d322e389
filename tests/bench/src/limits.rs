//! What the machine and the libraries can do at all, measured beside the project.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use cpu_time::ThreadTime;
use futures::FutureExt as _;
use hadron_domain::job::{Job, JobInput};
use hadron_domain::step::Machine as _;
use hadron_management::clock::Clock;
use hadron_management::identity::ca::Ca;
use hadron_management::identity::seal::Seal;
use hadron_management::identity::tickets::Tickets;
use hadron_management::identity::tls::{ServerIdentity, job_config};
use hadron_management::store::jobs::{self, JobRow, JobWork};
use hadron_management::store::{Db, Sequence, StoreError};
use hadron_management::wiring;
use hadron_proto::tls::{ALPN_H2, Trust, pinned_client_config};
use hadron_proto::vocab::{AccountId, ConnectionId, JobId};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, HandshakeKind, ServerConnection};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::load::Spans;
use crate::machine;
use crate::seed::{self, Seeded, Store};

/// What is written at once.
const BLOCK: usize = 4_096;
/// Written over and over.
const FILE: u64 = 4 * 1024 * 1024;

/// L1: how long one `fdatasync` takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Syncs {
    pub(crate) rate: f64,
    /// In milliseconds.
    pub(crate) p50: f64,
}

/// Writes 4 KiB and syncs, over and over: into blocks that are there already, or at the end of a file that grows.
pub(crate) fn syncs(dir: &Path, append: bool, span: Duration) -> Result<Syncs> {
    let path = dir.join("limit.bin");
    let mut file = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&path)?;
    let block = [0x5a_u8; BLOCK];
    if !append {
        for _ in 0..FILE / BLOCK as u64 {
            file.write_all(&block)?;
        }
        file.sync_all()?;
    }
    let mut spans = Spans::default();
    let began = Instant::now();
    let mut at = 0;
    while began.elapsed() < span {
        let one = Instant::now();
        if !append {
            file.seek(SeekFrom::Start(at))?;
            at = (at + BLOCK as u64) % FILE;
        }
        file.write_all(&block)?;
        file.sync_data()?;
        spans.add(one.elapsed());
    }
    let rate = spans.len() as f64 / began.elapsed().as_secs_f64();
    drop(file);
    std::fs::remove_file(path)?;
    let p50 = spans.quantile(0.5).context("not one sync")?;
    Ok(Syncs { rate, p50 })
}

/// L5: 64 bytes there and back over loopback, in milliseconds; with a pause before each, or without.
pub(crate) fn round_trip(pause: Duration, span: Duration) -> Result<f64> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let echo = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut bytes = [0; 64];
        while stream.read_exact(&mut bytes).is_ok() {
            stream.write_all(&bytes)?;
        }
        Ok(())
    });
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut bytes = [1; 64];
    let (mut spans, began) = (Vec::new(), Instant::now());
    while began.elapsed() < span {
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
        let one = Instant::now();
        stream.write_all(&bytes)?;
        stream.read_exact(&mut bytes)?;
        spans.push(one.elapsed());
    }
    drop(stream);
    echo.join().map_err(|_| anyhow!("the echo has panicked"))??;
    spans.sort_unstable();
    Ok(spans
        .get(spans.len() / 2)
        .context("not one round trip")?
        .as_secs_f64()
        * 1e3)
}

fn thread_cpu() -> Duration {
    ThreadTime::now().as_duration()
}

/// L4: CPU of one handshake with client certificates, in memory, in microseconds: the server's part and both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handshakes {
    pub(crate) server: f64,
    pub(crate) both: f64,
}

/// Shakes hands with the settings and certificates of the hub's job listener and its agents: in full each time, or, with
/// the settings of one agent that are kept, by the ticket of the time before.
pub(crate) fn handshakes(seeded: &Seeded, count: u32, resumed: bool) -> Result<Handshakes> {
    let clock = Clock::system();
    let config = seed::config(&seeded.dir, &Store::Sqlite, None, &[])?;
    let ca = Arc::new(Ca::load_or_create(&seeded.dir, config.dev, clock.now())?);
    let trust = Trust::Roots(ca.roots());
    let tickets = Arc::new(Tickets::new(
        &Seal::load_or_create(&seeded.dir)?,
        &ca,
        clock.clone(),
    ));
    let identity = ServerIdentity::new(ca, vec!["localhost".to_owned()], clock.now())?;
    let server = job_config(identity, tickets)?;
    let agent = seeded.agents.first().context("no agent")?;
    let settings = || {
        anyhow::Ok(Arc::new(pinned_client_config(
            trust.clone(),
            None,
            Some(agent.identity()?),
            &[ALPN_H2],
        )?))
    };
    let mut client = settings()?;
    let (mut of_server, mut both) = (Duration::ZERO, Duration::ZERO);
    for round in 0..=count {
        if !resumed {
            // Nothing is remembered: what an agent does that has just been started.
            client = settings()?;
        }
        let began = thread_cpu();
        let mut spent = Duration::ZERO;
        let name = ServerName::try_from("localhost")?;
        let mut there = ClientConnection::new(Arc::clone(&client), name)?;
        let mut here = ServerConnection::new(Arc::clone(&server))?;
        let mut wire = Vec::new();
        while there.is_handshaking() || here.is_handshaking() {
            wire.clear();
            while there.wants_write() {
                there.write_tls(&mut wire)?;
            }
            let at = thread_cpu();
            let mut rest = wire.as_slice();
            while !rest.is_empty() {
                here.read_tls(&mut rest)?;
                here.process_new_packets()?;
            }
            let mut answer = Vec::new();
            while here.wants_write() {
                here.write_tls(&mut answer)?;
            }
            spent += thread_cpu().saturating_sub(at);
            let mut rest = answer.as_slice();
            while !rest.is_empty() {
                there.read_tls(&mut rest)?;
                there.process_new_packets()?;
            }
        }
        // The ticket comes behind the handshake.
        let mut ticket = Vec::new();
        while here.wants_write() {
            here.write_tls(&mut ticket)?;
        }
        let mut rest = ticket.as_slice();
        while !rest.is_empty() {
            there.read_tls(&mut rest)?;
            there.process_new_packets()?;
        }
        // The first of all is full in any case.
        if round > 0 {
            of_server += spent;
            both += thread_cpu().saturating_sub(began);
            let kind = here.handshake_kind();
            if resumed != (kind == Some(HandshakeKind::Resumed)) {
                bail!("a handshake was {kind:?}");
            }
        }
    }
    Ok(Handshakes {
        server: of_server.as_secs_f64() * 1e6 / f64::from(count),
        both: both.as_secs_f64() * 1e6 / f64::from(count),
    })
}

/// Flags of the process that measures L2: the store alone.
#[derive(Clone, Debug, Args)]
pub(crate) struct Cycle {
    /// The data directory, seeded
    #[arg(long)]
    dir: PathBuf,
    /// A PostgreSQL database instead of SQLite
    #[arg(long)]
    postgres: Option<String>,
    /// How many agents there are
    #[arg(long)]
    agents: u32,
    /// How many jobs are under way at any time
    #[arg(long)]
    waiting: u32,
    /// How long to measure, in milliseconds
    #[arg(long)]
    millis: u64,
}

/// What it has measured.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Cycles {
    pub(crate) jobs: u64,
    pub(crate) seconds: f64,
    pub(crate) ticks: u64,
    pub(crate) transactions: u64,
    pub(crate) commits: u64,
}

impl Cycle {
    pub(crate) async fn run(self) -> Result<()> {
        let store = self.postgres.clone().map_or(Store::Sqlite, Store::Postgres);
        let config = seed::config(&self.dir, &store, None, &[])?;
        let db = wiring::open_db(&config, Clock::system()).await?;
        let readers = (0..30)
            .map(|other| seed::account(900_000 + other))
            .collect::<Result<_>>()?;
        let work = JobWork::SetPullPolicy {
            repository: "bench".parse().map_err(|error| anyhow!("a name: {error}"))?,
            readers,
        };
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut tasks = JoinSet::new();
        let connection: ConnectionId = Clock::system().fresh_id();
        for place in 0..self.waiting {
            let (db, work, stop, done) = (db.clone(), work.clone(), Arc::clone(&stop), Arc::clone(&done));
            let (agents, step) = (self.agents.max(1), self.waiting);
            tasks.spawn(async move {
                let mut agent = place % agents;
                while !stop.load(Ordering::Relaxed) {
                    one(&db, seed::account(agent)?, connection, &work).await?;
                    done.fetch_add(1, Ordering::Relaxed);
                    agent = (agent + step) % agents;
                }
                anyhow::Ok(())
            });
        }
        tokio::time::sleep(Duration::from_millis(self.millis / 4)).await;
        let own = [std::process::id()];
        let before = (
            machine::ticks(&own),
            done.load(Ordering::Relaxed),
            db.stats(),
            Instant::now(),
        );
        tokio::time::sleep(Duration::from_millis(self.millis)).await;
        let (stats, seconds) = (db.stats(), before.3.elapsed().as_secs_f64());
        let cycles = Cycles {
            jobs: done.load(Ordering::Relaxed) - before.1,
            seconds,
            ticks: machine::ticks(&own) - before.0,
            transactions: stats.transactions - before.2.transactions,
            commits: stats.commits - before.2.commits,
        };
        stop.store(true, Ordering::Relaxed);
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        db.close().await;
        println!("{}", serde_json::to_string(&cycles)?);
        Ok(())
    }
}

/// One job, by the four transactions that the hub makes of it, with the statements about jobs and no others.
async fn one(db: &Db, account: AccountId, connection: ConnectionId, work: &JobWork) -> Result<()> {
    let (region, work) = (seed::region()?, work.clone());
    let id: JobId = db
        .write("insert", move |tx| {
            async move {
                let now = tx.now().await?;
                let row = JobRow {
                    job: Job::new(tx.fresh_id(), now),
                    account,
                    region,
                    connection,
                    deployment: None,
                    label: "a job of the benchmark".to_owned(),
                    work,
                    created_at: now,
                };
                jobs::insert(tx, &row).await?;
                Ok::<_, StoreError>(row.job.id)
            }
            .boxed()
        })
        .await?;
    let fence = db
        .write("take", move |tx| {
            async move {
                let now = tx.now().await?;
                let Some(mut row) = jobs::get(tx, id).await? else {
                    return Ok(0);
                };
                let fence = tx.next(Sequence::FENCE).await?;
                let take = JobInput::Take {
                    holder: tx.fresh_id(),
                    fence,
                    now,
                    ttl: Duration::from_secs(30),
                };
                if let Ok(step) = row.job.step(take) {
                    row.job = step.next;
                    jobs::put(tx, &row).await?;
                }
                Ok::<_, StoreError>(fence)
            }
            .boxed()
        })
        .await?;
    for ends in [false, true] {
        db.write("put", move |tx| {
            async move {
                let now = tx.now().await?;
                let Some(mut row) = jobs::get(tx, id).await? else {
                    return Ok(());
                };
                let input = if ends {
                    JobInput::Report { fence, now }
                } else {
                    JobInput::Started { fence }
                };
                if let Ok(step) = row.job.step(input) {
                    row.job = step.next;
                    jobs::put(tx, &row).await?;
                }
                Ok::<_, StoreError>(())
            }
            .boxed()
        })
        .await?;
    }
    Ok(())
}

/// L2: the store alone, in a process of its own.
pub(crate) async fn cycles(
    seeded: &Seeded,
    dir: &Path,
    store: &Store,
    agents: u32,
    waiting: u32,
    span: Duration,
) -> Result<Cycles> {
    seed::copy(&seeded.dir, dir)?;
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    command.arg("cycle").arg("--dir").arg(dir);
    command.args(["--agents", &agents.to_string(), "--waiting", &waiting.to_string()]);
    command.args(["--millis", &span.as_millis().to_string()]);
    if let Store::Postgres(url) = store {
        command.args(["--postgres", url]);
    }
    let output = command.output().await?;
    if !output.status.success() {
        bail!("the store's cycle: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("the store's cycle says nothing")
}
