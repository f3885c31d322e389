//! A run: which workloads, sizes, systems and rounds, in which order, and what comes of them.
//!
//! Within a round all systems run one after another on the same machine; then the next round begins. A neighbour that
//! disturbs one of them is seen by what the machine was doing before and during that stretch.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use hadron_management::clock::Clock;

use crate::board::Board;
use crate::limits;
use crate::load::{self, Load};
use crate::machine::{self, Machine, Used};
use crate::peers::nats::Nats;
use crate::peers::postgres::{Cluster, Mode, Postgres};
use crate::peers::redis::Redis;
use crate::project::{Options, Project};
use crate::report::{PROJECT, Row, Run};
use crate::seed::{self, Seeded, Store};
use crate::system::{Setup, System};

/// More waiting for processors than this before a measurement makes it void.
const PRESSURE: f64 = 0.20;
/// More of the machine than this used by others during a measurement makes it void.
const FOREIGN: f64 = 0.15;
/// A disk that much slower than its best in the run makes a measurement void.
const SLOWER: f64 = 2.0;

/// Flags of a run.
#[derive(Clone, Debug, Args)]
pub(crate) struct Flags {
    /// Few sizes, few rounds, short stretches: some five minutes
    #[arg(long)]
    pub(crate) quick: bool,
    /// As little as possible: whether everything works, and no figures to believe
    #[arg(long, conflicts_with = "quick")]
    pub(crate) smoke: bool,
    /// Only these workloads, such as W1,W3
    #[arg(long, value_delimiter = ',', value_name = "W1,..")]
    pub(crate) only: Vec<String>,
    /// How many agents (or jobs)
    #[arg(long, value_delimiter = ',', value_name = "N,..")]
    pub(crate) sizes: Vec<u32>,
    /// Only these peers: redis, nats, postgres; none: no peer
    #[arg(long, value_delimiter = ',', value_name = "PEER,..")]
    pub(crate) peers: Vec<String>,
    /// How many rounds
    #[arg(long)]
    pub(crate) rounds: Option<u32>,
    /// Where the report goes
    #[arg(long, default_value = "bench-report", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Where data is written: on the disk that is to be measured [default: a new directory beside the report]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Folders with programs of peers
    #[arg(long, value_delimiter = ',', value_name = "DIR,..")]
    pub(crate) tools: Vec<PathBuf>,
    /// Print times and rates of disturbed rounds as well, with a mark
    #[arg(long)]
    pub(crate) busy: bool,
    /// Rows that another program has measured, as JSON
    #[arg(long, value_delimiter = ',', value_name = "FILE,..")]
    pub(crate) rows: Vec<PathBuf>,
    /// How the run was asked for, for the report
    #[arg(long, default_value = "hadron-bench run")]
    pub(crate) told: String,
}

/// The workloads of this program, in their order.
const WORKLOADS: [&str; 9] = ["L", "W1", "W2", "W3", "W4", "W5", "W7", "W9", "W10"];

/// A queue that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Transport,
    Project,
    Redis,
    Nats,
    PostgresPoll,
    PostgresNotify,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Transport,
        Self::Project,
        Self::Redis,
        Self::Nats,
        Self::PostgresPoll,
        Self::PostgresNotify,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Transport => "limit: transport (no store)",
            Self::Project => PROJECT,
            Self::Redis => "Redis streams, plaintext",
            Self::Nats => "NATS JetStream, plaintext",
            Self::PostgresPoll => "PostgreSQL, 64 sockets, poll",
            Self::PostgresNotify => "PostgreSQL, 64 sockets, notify",
        }
    }

    const fn peer(self) -> Option<&'static str> {
        match self {
            Self::Transport | Self::Project => None,
            Self::Redis => Some("redis"),
            Self::Nats => Some("nats"),
            Self::PostgresPoll | Self::PostgresNotify => Some("postgres"),
        }
    }
}

/// How much of everything.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    pub(crate) rounds: u32,
    pub(crate) sizes: Vec<u32>,
    /// Outstanding jobs and agents of W1.
    pub(crate) saturated: Vec<(u32, u32)>,
    pub(crate) warm: Duration,
    pub(crate) span: Duration,
    /// Jobs a second at low load, and for how long.
    pub(crate) low: (f64, Duration),
    pub(crate) low_sizes: Vec<u32>,
    pub(crate) idle: Duration,
    pub(crate) heartbeat: u64,
    pub(crate) idle_sizes: Vec<u32>,
    /// Agents that come to full queues, and how many jobs wait for each.
    pub(crate) waiting: Vec<(u32, u32)>,
    /// Finished and open jobs of W9.
    pub(crate) history: Vec<(u32, u32)>,
    pub(crate) history_load: (u32, u32),
    pub(crate) replicas: Vec<u32>,
    pub(crate) replica_load: (u32, u32),
    /// Resources of the templates of W7.
    pub(crate) resources: Vec<u32>,
    pub(crate) crash: bool,
}

impl Scale {
    fn of(flags: &Flags) -> Self {
        let (full, quick) = (!flags.quick && !flags.smoke, flags.quick);
        let seconds = Duration::from_secs_f64;
        let mut scale = if full {
            Self {
                rounds: 5,
                sizes: vec![10, 100, 1_000, 10_000],
                saturated: vec![
                    (1, 16),
                    (16, 16),
                    (256, 10),
                    (256, 100),
                    (256, 256),
                    (256, 1_000),
                    (1_024, 1_000),
                    (256, 10_000),
                ],
                warm: seconds(1.0),
                span: seconds(5.0),
                low: (20.0, seconds(51.0)),
                low_sizes: vec![10, 100, 1_000, 10_000],
                idle: seconds(60.0),
                heartbeat: 30,
                idle_sizes: vec![10, 100, 1_000, 10_000],
                waiting: vec![(1_000, 10)],
                history: vec![(0, 0), (10_000, 0), (1_000_000, 0), (0, 10_000)],
                history_load: (256, 1_000),
                replicas: vec![1, 2, 3],
                replica_load: (256, 1_000),
                resources: vec![10, 100, 1_000],
                crash: true,
            }
        } else if quick {
            Self {
                rounds: 3,
                sizes: vec![10, 100, 1_000],
                saturated: vec![(16, 16), (256, 256), (256, 1_000)],
                warm: seconds(0.4),
                span: seconds(1.2),
                low: (200.0, seconds(1.5)),
                low_sizes: vec![10, 1_000],
                idle: seconds(5.0),
                heartbeat: 2,
                idle_sizes: vec![100, 1_000],
                waiting: vec![(1_000, 10)],
                history: vec![(0, 0), (10_000, 0)],
                history_load: (256, 256),
                replicas: vec![1, 2],
                replica_load: (64, 100),
                resources: vec![10, 100],
                crash: true,
            }
        } else {
            Self {
                rounds: 1,
                sizes: vec![2, 8],
                saturated: vec![(4, 8)],
                warm: seconds(0.05),
                span: seconds(0.2),
                low: (50.0, seconds(0.2)),
                low_sizes: vec![8],
                idle: seconds(0.5),
                heartbeat: 1,
                idle_sizes: vec![8],
                waiting: vec![(8, 6)],
                history: vec![(0, 0), (200, 20)],
                history_load: (4, 8),
                replicas: vec![2],
                replica_load: (4, 8),
                resources: vec![3],
                crash: true,
            }
        };
        if let Some(rounds) = flags.rounds {
            scale.rounds = rounds.max(1);
        }
        if !flags.sizes.is_empty() {
            scale.sizes.clone_from(&flags.sizes);
            scale.low_sizes.clone_from(&flags.sizes);
            scale.idle_sizes.clone_from(&flags.sizes);
            scale.waiting = flags.sizes.iter().map(|size| (*size, 10)).collect();
            scale.saturated = flags
                .sizes
                .iter()
                .map(|size| (256.min(*size).max(1), *size))
                .collect();
        }
        scale
    }
}

/// What a run has gathered so far.
pub(crate) struct Bench {
    pub(crate) flags: Flags,
    pub(crate) scale: Scale,
    pub(crate) dir: PathBuf,
    seeds: BTreeMap<u32, Arc<Seeded>>,
    cluster: Option<Arc<Cluster>>,
    rows: Vec<Row>,
    missing: BTreeMap<String, String>,
    fresh: u64,
}

/// The machine before a measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    load: f64,
    pressure: f64,
    sync_ms: f64,
}

impl Before {
    fn note(self, row: &mut Row, used: Option<&Used>) {
        row.before.insert("load".to_owned(), self.load);
        row.before.insert("pressure".to_owned(), self.pressure);
        row.before.insert("sync_ms".to_owned(), self.sync_ms);
        if let Some(used) = used {
            row.before.insert("foreign".to_owned(), used.foreign);
        }
    }
}

impl Bench {
    /// Runs everything that was asked for and writes the report.
    pub(crate) async fn run(flags: Flags) -> Result<()> {
        let began = Instant::now();
        let scale = Scale::of(&flags);
        std::fs::create_dir_all(&flags.out).with_context(|| format!("making {}", flags.out.display()))?;
        let base = flags.data.clone().unwrap_or_else(|| flags.out.clone());
        std::fs::create_dir_all(&base)?;
        let kept = tempfile::Builder::new().prefix("data-").tempdir_in(&base)?;
        // PostgreSQL runs as somebody else where this is root.
        std::fs::set_permissions(kept.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let dir = std::fs::canonicalize(kept.path())?;
        let mut bench = Self {
            dir,
            seeds: BTreeMap::new(),
            cluster: None,
            rows: Vec::new(),
            missing: BTreeMap::new(),
            fresh: 0,
            scale,
            flags,
        };
        for only in &bench.flags.only {
            let known = WORKLOADS.contains(&only.as_str()) || ["W6", "W8"].contains(&only.as_str());
            if !known {
                bail!(
                    "there is no workload {only}; there are {}, and W6 and W8",
                    WORKLOADS.join(", ")
                );
            }
        }
        bench.all().await?;
        for file in bench.flags.rows.clone() {
            let text =
                std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            let more: Vec<Row> = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
            bench.rows.extend(more);
        }
        bench.say_what_is_missing();
        let mut rows = std::mem::take(&mut bench.rows);
        judge(&mut rows);
        let run = Run {
            machine: Machine::here(&bench.dir),
            command: bench.flags.told.clone(),
            at: Clock::system().now().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seconds: began.elapsed().as_secs_f64(),
            missing: bench.missing.clone(),
            rows,
        };
        run.write(&bench.flags.out, bench.flags.busy)?;
        println!("{}", run.markdown(bench.flags.busy));
        println!("written to {}", bench.flags.out.display());
        let failed: Vec<&Row> = run
            .rows
            .iter()
            .filter(|row| row.failed.is_some() && row.system.starts_with(PROJECT))
            .collect();
        match failed.first() {
            None => Ok(()),
            Some(row) => bail!(
                "{} measurements of the project failed, first {} {}: {}",
                failed.len(),
                row.workload,
                row.case,
                row.failed.as_deref().unwrap_or_default()
            ),
        }
    }

    pub(crate) fn wants(&self, workload: &str) -> bool {
        self.flags.only.is_empty() || self.flags.only.iter().any(|only| only == workload)
    }

    fn wants_peer(&self, kind: Kind) -> bool {
        match kind.peer() {
            None => true,
            Some(peer) => self.flags.peers.is_empty() || self.flags.peers.iter().any(|only| only == peer),
        }
    }

    fn say_what_is_missing(&mut self) {
        for (workload, how) in [
            (
                "W6",
                "run by `cargo xtask bench`, which has the emulated AWS and agents",
            ),
            ("W8", "run by `cargo xtask bench`, which builds the agent"),
        ] {
            if self.wants(workload) && !self.rows.iter().any(|row| row.workload == workload) {
                self.missing.insert(workload.to_owned(), how.to_owned());
            }
        }
        self.missing.insert(
            "RabbitMQ".to_owned(),
            "not driven by this benchmark; Debian: apt-get install rabbitmq-server".to_owned(),
        );
    }

    pub(crate) fn missing(&mut self, what: &str, why: &str) {
        self.missing.insert(what.to_owned(), why.to_owned());
    }

    pub(crate) fn push(&mut self, row: Row) {
        if let Some(why) = &row.failed {
            eprintln!("  {} {}, {}: failed: {why}", row.workload, row.case, row.system);
        } else {
            let values: Vec<String> = row
                .values
                .iter()
                .map(|(key, value)| format!("{key} {}", crate::report::short(*value)))
                .collect();
            eprintln!(
                "  {} {}, {}: {}",
                row.workload,
                row.case,
                row.system,
                values.join(", ")
            );
        }
        self.rows.push(row);
    }

    async fn all(&mut self) -> Result<()> {
        if self.wants("W4") || self.wants("W5") {
            for size in self.scale.idle_sizes.clone() {
                for round in 0..self.scale.rounds.min(3) {
                    eprintln!("idle and storm: {size} agents, round {}", round + 1);
                    self.idle(size, round).await?;
                }
            }
        }
        if self.wants("W5") {
            for (agents, each) in self.scale.waiting.clone() {
                for round in 0..self.scale.rounds.min(3) {
                    eprintln!("storm to full queues: {agents} agents, round {}", round + 1);
                    self.full_queues(agents, each, round).await?;
                }
            }
        }
        let saturated = |agents: u32| -> Vec<u32> {
            let of = self.scale.saturated.iter().filter(|(_, there)| *there == agents);
            of.map(|(outstanding, _)| *outstanding).collect()
        };
        let mut stages: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        if self.wants("W1") {
            stages.extend(
                self.scale
                    .saturated
                    .iter()
                    .map(|(_, agents)| (*agents, saturated(*agents))),
            );
        }
        if self.wants("W2") {
            self.scale
                .sizes
                .iter()
                .for_each(|size| _ = stages.entry(*size).or_default());
        }
        if self.wants("W3") {
            self.scale
                .low_sizes
                .iter()
                .for_each(|size| _ = stages.entry(*size).or_default());
        }
        for (agents, outstanding) in stages {
            for round in 0..self.scale.rounds {
                eprintln!("queues: {agents} agents, round {}", round + 1);
                self.round(agents, &outstanding, round).await?;
            }
            if self.scale.crash && self.wants("W1") && !outstanding.is_empty() {
                eprintln!("queues: {agents} agents, the hub is killed in mid-run");
                self.crash(agents, outstanding[0]).await;
            }
        }
        if self.wants("L") {
            for round in 0..self.scale.rounds {
                self.machine_limits(round).await?;
            }
        }
        if self.wants("W7")
            && let Err(error) = self.rendering().await
        {
            let mut row = Row::new("W7", "", 0.0, PROJECT, 0);
            row.failed = Some(format!("{error:#}"));
            self.push(row);
        }
        if self.wants("W9") {
            self.history().await?;
        }
        if self.wants("W10") {
            self.replicas().await?;
        }
        Ok(())
    }

    /// A directory that nothing has been written to.
    pub(crate) fn fresh_dir(&mut self) -> Result<PathBuf> {
        self.fresh += 1;
        let dir = self.dir.join(format!("run-{}", self.fresh));
        std::fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// A hub's data with so many agents, made once.
    pub(crate) async fn seeded(&mut self, agents: u32) -> Result<Arc<Seeded>> {
        if let Some(seeded) = self.seeds.get(&agents) {
            return Ok(Arc::clone(seeded));
        }
        let dir = self.dir.join(format!("seed-{agents}"));
        let seeded = Arc::new(seed::seed(&dir, &Store::Sqlite, agents).await?);
        self.seeds.insert(agents, Arc::clone(&seeded));
        Ok(seeded)
    }

    pub(crate) async fn cluster(&mut self) -> Result<Arc<Cluster>> {
        if let Some(cluster) = &self.cluster {
            return Ok(Arc::clone(cluster));
        }
        let cluster = Arc::new(Cluster::start(&self.dir).await?);
        self.cluster = Some(Arc::clone(&cluster));
        Ok(cluster)
    }

    /// Looks at the machine.
    pub(crate) async fn before(&self) -> Result<Before> {
        let (window, syncs) = if self.flags.smoke { (10, 20) } else { (150, 100) };
        Ok(Before {
            load: machine::load_average(),
            pressure: machine::pressure(Duration::from_millis(window)).await,
            sync_ms: limits::syncs(&self.dir, false, Duration::from_millis(syncs))?.p50,
        })
    }

    async fn start(&mut self, kind: Kind, setup: &Setup) -> Result<Arc<dyn System>> {
        let tools = self.flags.tools.clone();
        Ok(match kind {
            Kind::Transport | Kind::Project => {
                let seeded = self.seeded(setup.agents).await?;
                let options = Options {
                    null: kind == Kind::Transport,
                    ..Options::default()
                };
                Arc::new(Project::start(&seeded, setup, &options).await?)
            }
            Kind::Redis => Arc::new(Redis::start(setup).await?),
            Kind::Nats => Arc::new(Nats::start(setup, &tools).await?),
            Kind::PostgresPoll => Arc::new(Postgres::start(self.cluster().await?, setup, Mode::Poll).await?),
            Kind::PostgresNotify => {
                Arc::new(Postgres::start(self.cluster().await?, setup, Mode::Notify).await?)
            }
        })
    }

    /// All systems, one after another.
    async fn round(&mut self, agents: u32, outstanding: &[u32], round: u32) -> Result<()> {
        self.store_limit(agents, outstanding, round).await?;
        for kind in Kind::ALL {
            if !self.wants_peer(kind) {
                continue;
            }
            // A consumer for each of 10,000 agents takes NATS minutes to make, each synced by itself.
            if kind == Kind::Nats && agents > 1_000 {
                self.missing(
                    "NATS with 10,000 agents",
                    "making a synced consumer for each takes minutes",
                );
                continue;
            }
            let dir = self.fresh_dir()?;
            let low = (self.scale.low.0 * self.scale.low.1.as_secs_f64()).ceil() as usize;
            let most = outstanding.iter().copied().max().unwrap_or_default() as usize;
            let setup = Setup {
                agents,
                board: Arc::new(Board::new(most.max(low).max(agents as usize))),
                dir: dir.clone(),
            };
            let began = Instant::now();
            match self.start(kind, &setup).await {
                Ok(system) => {
                    let done = self.measure(kind, &system, &setup, outstanding, round).await;
                    let stopped = system.stop().await;
                    if let Err(error) = done.and(stopped) {
                        self.push_failed(kind, agents, round, &error);
                    }
                }
                Err(error) if kind.peer().is_some() => {
                    self.missing(kind.name(), &format!("{error:#}"));
                }
                Err(error) => self.push_failed(kind, agents, round, &error),
            }
            std::fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))?;
            eprintln!(
                "  {} took {:.1} s in all",
                kind.name(),
                began.elapsed().as_secs_f64()
            );
        }
        Ok(())
    }

    fn push_failed(&mut self, kind: Kind, agents: u32, round: u32, error: &anyhow::Error) {
        // A failed check voids what was measured in this round.
        let why = format!("{error:#}");
        let of =
            |row: &&mut Row| row.system == kind.name() && row.round == round && row.size as u32 == agents;
        for row in self.rows.iter_mut().filter(of) {
            row.failed = Some(why.clone());
            row.values.clear();
        }
        let workload = ["W1", "W2", "W3"]
            .into_iter()
            .find(|workload| self.wants(workload));
        let mut row = Row::new(
            workload.unwrap_or("W1"),
            format!("{agents} agents"),
            f64::from(agents),
            kind.name(),
            round,
        );
        row.limit = kind == Kind::Transport;
        row.failed = Some(why);
        self.push(row);
    }

    /// What one system does with each load.
    async fn measure(
        &mut self,
        kind: Kind,
        system: &Arc<dyn System>,
        setup: &Setup,
        outstanding: &[u32],
        round: u32,
    ) -> Result<()> {
        let agents = setup.agents;
        let (size, name) = (f64::from(agents), kind.name());
        let mut submitted = 0;
        if self.wants("W3") && self.scale.low_sizes.contains(&agents) {
            let before = self.before().await?;
            let (rate, span) = self.scale.low;
            let mut load =
                load::open(Arc::clone(system), Arc::clone(&setup.board), agents, rate, span).await?;
            submitted += load.submitted;
            let mut row = Row::new(
                "W3",
                format!("{rate:.0} jobs/s, {agents} agents"),
                size,
                name,
                round,
            );
            row.limit = false;
            latencies(&mut row, &mut load);
            row.set("server_us", Used::per(load.used.server_ticks, load.jobs));
            before.note(&mut row, Some(&load.used));
            // The transport alone stores nothing: what it reaches here is no limit of a durable dispatch.
            if kind != Kind::Transport {
                self.push(row);
            }
        }
        if self.wants("W2") && self.scale.sizes.contains(&agents) {
            let before = self.before().await?;
            let out = load::fan_out(&**system, &setup.board, agents).await?;
            submitted += u64::from(agents);
            let mut row = Row::new("W2", format!("{agents} agents"), size, name, round);
            row.limit = kind == Kind::Transport;
            row.set("accepted_ms", out.accepted.as_secs_f64() * 1e3);
            row.set("dispatched_ms", out.dispatched.as_secs_f64() * 1e3);
            row.set("ended_ms", out.ended.as_secs_f64() * 1e3);
            row.set("per_job_us", out.ended.as_secs_f64() * 1e6 / size);
            row.set("server_us", Used::per(out.used.server_ticks, u64::from(agents)));
            row.set("written_per_job", out.used.written as f64 / size);
            if let Some((transactions, commits)) = out.commits.filter(|(_, commits)| *commits > 0) {
                row.set("batch", transactions as f64 / commits as f64);
            }
            before.note(&mut row, Some(&out.used));
            self.push(row);
        }
        for outstanding in outstanding {
            let before = self.before().await?;
            let mut load = load::closed(
                Arc::clone(system),
                Arc::clone(&setup.board),
                agents,
                *outstanding,
                self.scale.warm,
                self.scale.span,
            )
            .await?;
            submitted += load.submitted;
            let mut row = saturated(kind.name(), *outstanding, agents, round, &mut load);
            row.limit = kind == Kind::Transport;
            row.set("rss_mib", machine::resident_kib(&system.pids()) as f64 / 1_024.0);
            before.note(&mut row, Some(&load.used));
            self.push(row);
        }
        system.check(submitted).await
    }

    /// L2 for the loads of a round, and what bounds a dispatch at low load.
    async fn store_limit(&mut self, agents: u32, outstanding: &[u32], round: u32) -> Result<()> {
        let name = "limit: store alone";
        let fan_out = self.wants("W2") && self.scale.sizes.contains(&agents);
        let mut waiting: Vec<u32> = outstanding.to_vec();
        if fan_out {
            waiting.push(agents.min(1_024));
        }
        waiting.dedup();
        let seeded = self.seeded(agents).await?;
        for waiting in waiting {
            let before = self.before().await?;
            let dir = self.fresh_dir()?;
            let cycles = limits::cycles(
                &seeded,
                &dir.join("hub"),
                &Store::Sqlite,
                agents,
                waiting,
                self.scale.span,
            )
            .await?;
            std::fs::remove_dir_all(&dir)?;
            let rate = cycles.jobs as f64 / cycles.seconds;
            if outstanding.contains(&waiting) {
                let mut row = Row::new("W1", case(waiting, agents), f64::from(agents), name, round);
                row.line = line(waiting);
                row.limit = true;
                row.set("rate", rate);
                row.set("server_us", Used::per(cycles.ticks, cycles.jobs));
                if cycles.commits > 0 {
                    row.set("batch", cycles.transactions as f64 / cycles.commits as f64);
                }
                before.note(&mut row, None);
                self.push(row);
            }
            if fan_out && waiting == agents.min(1_024) {
                let mut row = Row::new("W2", format!("{agents} agents"), f64::from(agents), name, round);
                row.limit = true;
                row.set("ended_ms", f64::from(agents) / rate * 1e3);
                row.set("per_job_us", 1e6 / rate);
                before.note(&mut row, None);
                self.push(row);
            }
        }
        if self.wants("W3") && self.scale.low_sizes.contains(&agents) {
            let before = self.before().await?;
            let span = self.scale.span.min(Duration::from_secs(1)) / 2;
            let append = limits::syncs(&self.dir, true, span)?;
            let idle =
                tokio::task::spawn_blocking(move || limits::round_trip(Duration::from_millis(1), span))
                    .await??;
            let rate = self.scale.low.0;
            let mut row = Row::new(
                "W3",
                format!("{rate:.0} jobs/s, {agents} agents"),
                f64::from(agents),
                "limit: append + loopback",
                round,
            );
            row.limit = true;
            row.set("dispatch_p50_ms", append.p50 + idle);
            before.note(&mut row, None);
            self.push(row);
        }
        Ok(())
    }

    /// L1, L4, L5 for the table of limits.
    async fn machine_limits(&mut self, round: u32) -> Result<()> {
        let span = if self.flags.smoke {
            Duration::from_millis(30)
        } else {
            self.scale.span.min(Duration::from_secs(2))
        };
        let seeded = self
            .seeded(self.scale.sizes.first().copied().unwrap_or(10))
            .await?;
        let count = if self.flags.smoke { 20 } else { 2_000 };
        let before = self.before().await?;
        let mut rows = Vec::new();
        for (case, append) in [
            ("fdatasync of 4 KiB, overwriting", false),
            ("fdatasync of 4 KiB, appending", true),
        ] {
            let syncs = limits::syncs(&self.dir, append, span)?;
            let mut row = Row::new("L", case, 0.0, "L1", round);
            row.set("rate", syncs.rate);
            row.set("p50_ms", syncs.p50);
            rows.push(row);
        }
        for resumed in [false, true] {
            let seeded = Arc::clone(&seeded);
            let shaken =
                tokio::task::spawn_blocking(move || limits::handshakes(&seeded, count, resumed)).await??;
            let case = format!(
                "TLS handshake with client certificates, in memory, {}",
                if resumed { "resumed" } else { "full" }
            );
            let mut row = Row::new("L", case, 0.0, "L4", round);
            row.set("server_us", shaken.server);
            row.set("both_us", shaken.both);
            rows.push(row);
        }
        for (case, pause) in [
            ("64 bytes over loopback, hot", 0),
            ("64 bytes over loopback, idle", 1),
        ] {
            let pause = Duration::from_millis(pause);
            let p50 = tokio::task::spawn_blocking(move || limits::round_trip(pause, span)).await??;
            let mut row = Row::new("L", case, 0.0, "L5", round);
            row.set("p50_ms", p50);
            rows.push(row);
        }
        for mut row in rows {
            row.limit = true;
            before.note(&mut row, None);
            self.push(row);
        }
        Ok(())
    }
}

pub(crate) fn case(outstanding: u32, agents: u32) -> String {
    format!("{outstanding} outstanding, {agents} agents")
}

fn line(outstanding: u32) -> String {
    format!("{outstanding} outstanding")
}

fn latencies(row: &mut Row, load: &mut Load) {
    row.set("dispatch_p50_ms", load.dispatch.quantile(0.5));
    row.set("dispatch_p99_ms", load.dispatch.quantile(0.99));
    row.set("p50_ms", load.whole.quantile(0.5));
    row.set("p99_ms", load.whole.quantile(0.99));
}

/// The row of a closed loop.
pub(crate) fn saturated(system: &str, outstanding: u32, agents: u32, round: u32, load: &mut Load) -> Row {
    let mut row = Row::new("W1", case(outstanding, agents), f64::from(agents), system, round);
    row.line = line(outstanding);
    row.set("rate", load.rate());
    row.set("server_us", Used::per(load.used.server_ticks, load.jobs));
    row.set("client_us", Used::per(load.used.client_ticks, load.jobs));
    if load.jobs > 0 {
        row.set("written_per_job", load.used.written as f64 / load.jobs as f64);
    }
    latencies(&mut row, load);
    if let Some((transactions, commits)) = load.commits.filter(|(_, commits)| *commits > 0) {
        row.set("batch", transactions as f64 / commits as f64);
        row.set("commits_per_job", commits as f64 / load.jobs.max(1) as f64);
    }
    row
}

impl Before {
    /// Notes the state of the machine beside what was measured.
    pub(crate) fn mark(self, row: &mut Row, used: Option<&Used>) {
        self.note(row, used);
    }
}

/// Which rounds count: known only at the end, since the best disk of the run is.
fn judge(rows: &mut [Row]) {
    let syncs = rows.iter().filter_map(|row| row.before.get("sync_ms")).copied();
    let best = syncs
        .filter(|ms| *ms > 0.0)
        .reduce(f64::min)
        .unwrap_or(f64::INFINITY);
    for row in rows.iter_mut().filter(|row| row.void.is_none()) {
        let of = |key: &str| row.before.get(key).copied().unwrap_or_default();
        row.void = if of("pressure") > PRESSURE {
            Some(format!(
                "{:.0} % of the time somebody waited for a processor before",
                of("pressure") * 100.0
            ))
        } else if of("foreign") > FOREIGN {
            Some(format!(
                "others used {:.0} % of the machine",
                of("foreign") * 100.0
            ))
        } else if of("sync_ms") > best * SLOWER {
            Some(format!(
                "a sync took {:.2} ms before, {best:.2} at best",
                of("sync_ms")
            ))
        } else {
            None
        };
    }
}

/// Reads rows and writes their report anew.
pub(crate) fn again(file: &Path, out: &Path, busy: bool) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let run: Run = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
    run.write(out, busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disturbed_rounds_are_void() {
        let row = |key: &str, value: f64| {
            let mut row = Row::new("W1", "", 1.0, PROJECT, 0);
            row.before.insert("sync_ms".to_owned(), 0.2);
            row.before.insert(key.to_owned(), value);
            row
        };
        let mut rows = vec![
            row("pressure", 0.1),
            row("pressure", 0.3),
            row("foreign", 0.2),
            row("sync_ms", 0.5),
            row("sync_ms", 0.15),
        ];
        judge(&mut rows);
        let void: Vec<bool> = rows.iter().map(|row| row.void.is_some()).collect();
        assert_eq!(void, [false, true, true, true, false]);
    }
}
