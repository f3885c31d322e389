//! The hub under test, in a process of its own: the real one, wired as `hadron-hub serve` wires it, with a second door
//! through which the benchmark puts jobs into its store. And the same door in front of a hub without a store.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::BytesMut;
use clap::Args;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use hadron_domain::job::Job;
use hadron_management::app::App;
use hadron_management::clock::Clock;
use hadron_management::render::Renderer;
use hadron_management::store::connections;
use hadron_management::store::jobs::{self, JobRow, JobWork};
use hadron_management::{telemetry, wiring};
use hadron_proto::vocab::{AccountId, ConnectionId, JobId, RepositoryName};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::console::{self, Prepared};
use crate::control::{self, Asked, Made};
use crate::null::NullHub;
use crate::seed::{self, Store};

/// Flags of the process.
#[derive(Clone, Debug, Args)]
pub(crate) struct Hub {
    /// The data directory
    #[arg(long)]
    dir: PathBuf,
    /// A PostgreSQL database instead of SQLite
    #[arg(long)]
    postgres: Option<String>,
    /// Ports of the four listeners and of the door for jobs; 0: any
    #[arg(long, value_delimiter = ',', default_value = "0,0,0,0,0")]
    ports: Vec<u16>,
    /// Keep nothing: for the limit of the transport
    #[arg(long)]
    null: bool,
    /// How many agents there may be
    #[arg(long, default_value_t = 0)]
    agents: u32,
    /// How long a lease holds, in seconds
    #[arg(long, default_value_t = 30)]
    lease: u64,
    /// How often agents say that they are alive, in seconds
    #[arg(long, default_value_t = 10)]
    heartbeat: u64,
    /// Make an environment for each agent, and sign somebody in to the console
    #[arg(long)]
    console: bool,
}

/// What a started hub says on its standard output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Up {
    /// The job listener.
    pub(crate) jobs: String,
    /// The door for jobs.
    pub(crate) door: String,
    /// The CA's certificate.
    pub(crate) ca_file: PathBuf,
    pub(crate) hub_id: String,
    /// To be given again at a restart.
    pub(crate) ports: Vec<u16>,
    /// What was prepared for pages.
    pub(crate) console: Option<Prepared>,
}

/// Takes jobs.
pub(crate) trait Door: Send + Sync + 'static {
    /// Makes them durable; answers their ids.
    fn submit(&self, jobs: Vec<Asked>) -> BoxFuture<'_, Result<Vec<Made>>>;
    /// Transactions and commits so far.
    fn stats(&self) -> (u64, u64);
}

impl Hub {
    pub(crate) async fn run(self) -> Result<()> {
        telemetry::start(None, "info", None).map_err(anyhow::Error::from_boxed)?;
        let port = |at: usize| self.ports.get(at).copied().unwrap_or_default();
        let listener = TcpListener::bind(("127.0.0.1", port(4)))
            .await
            .context("the door for jobs")?;
        let door = listener.local_addr()?;
        let stop = CancellationToken::new();
        let ended = stop.clone();
        // Whoever started this process holds its input open, and does not leave it behind.
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            ended.cancel();
        });
        if self.null {
            let hub = NullHub::start(&self.dir, port(1), self.agents).await?;
            self.announce(
                hub.address(),
                door.to_string(),
                &hub.hub_id(),
                [0, hub.port(), 0, 0, door.port()],
                None,
            )?;
            tokio::spawn(serve(listener, Arc::new(hub)));
            stop.cancelled().await;
            return Ok(());
        }
        let store = self.postgres.clone().map_or(Store::Sqlite, Store::Postgres);
        let more = [
            ("jobs.lease_seconds", self.lease.to_string()),
            ("jobs.heartbeat_seconds", self.heartbeat.to_string()),
            // All agents of the benchmark are on this machine.
            ("agents.connections_per_address", "20000".to_owned()),
        ];
        let config = seed::config(
            &self.dir,
            &store,
            Some([port(0), port(1), port(2), port(3)]),
            &more,
        )?;
        let renderer = Renderer::workers(config.render.clone()).await?;
        let running = wiring::start(config, Clock::system(), renderer).await?;
        let ready = running.ready().clone();
        let of = |url: &str| {
            url.rsplit(':')
                .next()
                .and_then(|port| port.parse().ok())
                .unwrap_or_default()
        };
        let ports = [
            of(&ready.enrol),
            of(&ready.jobs),
            of(&ready.api),
            of(&ready.admin),
            door.port(),
        ];
        let lanes = lanes(running.app(), self.agents).await?;
        let prepared = if self.console {
            Some(console::prepare(running.app(), &lanes, ports[2]).await?)
        } else {
            None
        };
        self.announce(
            ready.jobs.clone(),
            door.to_string(),
            &ready.hub_id,
            ports,
            prepared,
        )?;
        let real = Real {
            app: running.app().clone(),
            lanes,
            readers: (0..30)
                .map(|other| seed::account(900_000 + other))
                .collect::<Result<_>>()?,
            repository: "bench".parse().map_err(|error| anyhow!("a name: {error}"))?,
        };
        tokio::spawn(serve(listener, Arc::new(real)));
        running.until(stop).await
    }

    fn announce(
        &self,
        jobs: String,
        door: String,
        hub_id: &str,
        ports: [u16; 5],
        console: Option<Prepared>,
    ) -> Result<()> {
        let up = Up {
            jobs,
            door,
            ca_file: self.dir.join("ca.crt"),
            hub_id: hub_id.to_owned(),
            ports: ports.to_vec(),
            console,
        };
        let mut out = std::io::stdout();
        writeln!(out, "{}", serde_json::to_string(&up)?)?;
        Ok(out.flush()?)
    }
}

async fn serve(listener: TcpListener, door: Arc<dyn Door>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(talk(stream, Arc::clone(&door)));
    }
}

async fn talk(stream: TcpStream, door: Arc<dyn Door>) -> Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, writer) = stream.into_split();
    let (frames, queue) = mpsc::unbounded_channel();
    tokio::spawn(control::drain(writer, queue));
    let mut buffer = BytesMut::new();
    loop {
        while let Some(frame) = control::unframe(&mut buffer)? {
            let (number, jobs) = control::read_request(frame)?;
            let (door, frames) = (Arc::clone(&door), frames.clone());
            tokio::spawn(async move {
                let made = if jobs.is_empty() {
                    vec![stats(door.stats())]
                } else {
                    door.submit(jobs).await.unwrap_or_else(|error| {
                        tracing::warn!("Jobs of the benchmark were not taken: {error:#}");
                        Vec::new()
                    })
                };
                let mut out = BytesMut::with_capacity(16 * made.len() + 16);
                control::write_answer(&mut out, number, &made);
                let _ = frames.send(out);
            });
        }
        control::fill(&mut reader, &mut buffer).await?;
    }
}

fn stats((transactions, commits): (u64, u64)) -> Made {
    let mut out = [0; 16];
    out[..8].copy_from_slice(&transactions.to_be_bytes());
    out[8..].copy_from_slice(&commits.to_be_bytes());
    out
}

/// The connections of the agents, by their number.
async fn lanes(app: &App, agents: u32) -> Result<Vec<(AccountId, ConnectionId)>> {
    let mut all = HashMap::new();
    let mut after = String::new();
    loop {
        let page = app
            .read("lanes", move |tx| {
                async move {
                    Ok(connections::list(
                        tx,
                        &connections::Filter::default(),
                        &hadron_domain::authority::Sight::Everything,
                        &after,
                        1_000,
                    )
                    .await?)
                }
                .boxed()
            })
            .await
            .map_err(|error| anyhow!("{}", error.story()))?;
        let Some(last) = page.last() else { break };
        after = last.connection.id.to_string();
        all.extend(page.iter().map(|row| (row.connection.account, row.connection.id)));
    }
    let lanes = (0..agents).map(|agent| {
        let account = seed::account(agent)?;
        let connection = all
            .get(&account)
            .with_context(|| format!("agent {agent} is not in the database"))?;
        Ok((account, *connection))
    });
    lanes.collect()
}

/// Puts jobs into the store of the real hub, as its own use cases do it: in a unit of work, by the same insert.
struct Real {
    app: App,
    lanes: Vec<(AccountId, ConnectionId)>,
    /// Fill the job to about 512 bytes.
    readers: BTreeSet<AccountId>,
    repository: RepositoryName,
}

impl Door for Real {
    fn submit(&self, asked: Vec<Asked>) -> BoxFuture<'_, Result<Vec<Made>>> {
        async move {
            if let Some(id) = asked.first().and_then(|job| console::event_of(&job.text)) {
                return Ok(vec![console::commit(&self.app, id).await?]);
            }
            let region = seed::region()?;
            let mut rows = Vec::with_capacity(asked.len());
            for job in asked {
                let lane = self.lanes.get(job.agent as usize).copied();
                let tag = job.text.get(..17).context("a job without a tag")?.to_owned();
                rows.push((lane.context("a job for nobody")?, tag));
            }
            let work = JobWork::SetPullPolicy {
                repository: self.repository.clone(),
                readers: self.readers.clone(),
            };
            let made = self
                .app
                .write("bench submit", move |unit| {
                    async move {
                        let mut made = Vec::with_capacity(rows.len());
                        for ((account, connection), label) in rows {
                            let id: JobId = unit.fresh_id();
                            let row = JobRow {
                                job: Job::new(id, unit.now),
                                account,
                                region: region.clone(),
                                connection,
                                deployment: None,
                                label,
                                work: work.clone(),
                                created_at: unit.now,
                            };
                            jobs::insert(unit.tx, &row).await?;
                            made.push(id.as_uuid().into_bytes());
                        }
                        Ok(made)
                    }
                    .boxed()
                })
                .await;
            made.map_err(|error| anyhow!("{}", error.story()))
        }
        .boxed()
    }

    fn stats(&self) -> (u64, u64) {
        let stats = self.app.db().stats();
        (stats.transactions, stats.commits)
    }
}

/// A hub process, as the benchmark sees it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) up: Up,
}

/// How to start one.
#[derive(Clone, Debug)]
pub(crate) struct Start<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) store: &'a Store,
    pub(crate) agents: u32,
    pub(crate) null: bool,
    /// Of an earlier process, to take over from it.
    pub(crate) ports: Option<Vec<u16>>,
    pub(crate) lease: u64,
    pub(crate) heartbeat: u64,
    /// With environments, and somebody who is signed in to the console.
    pub(crate) console: bool,
}

impl Process {
    /// Starts one and waits until it listens.
    pub(crate) fn start(start: &Start<'_>) -> Result<Self> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(start.dir.join("hub.log"))
            .context("the hub's log")?;
        let mut command = Command::new(std::env::current_exe().context("this program")?);
        command
            .arg("hub")
            .arg("--dir")
            .arg(start.dir)
            .args(["--agents", &start.agents.to_string()])
            .args(["--lease", &start.lease.to_string()])
            .args(["--heartbeat", &start.heartbeat.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        if let Store::Postgres(url) = start.store {
            command.args(["--postgres", url]);
        }
        for (given, flag) in [(start.null, "--null"), (start.console, "--console")] {
            if given {
                command.arg(flag);
            }
        }
        if let Some(ports) = &start.ports {
            let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
            command.args(["--ports", &ports.join(",")]);
        }
        let mut child = command.spawn().context("starting the hub")?;
        let mut line = String::new();
        let out = child.stdout.take().context("the hub's output")?;
        BufReader::new(out).read_line(&mut line)?;
        match serde_json::from_str(&line) {
            Ok(up) => Ok(Self { child, up }),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                let log = std::fs::read_to_string(start.dir.join("hub.log")).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(5).collect();
                bail!("the hub does not start: {}", last.join("\n"))
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// In good order, by the end of its input.
    pub(crate) fn stop(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            bail!("the hub ended with {status}")
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
