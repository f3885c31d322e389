//! A run: which workloads in which order, and what comes of them.
//!
//! * [`scale`]: how much of everything; [`queues`]: the rounds of W1 to W3; [`bounds`]: what the machine can do at all.
//!   The other workloads are beside this module.
//!
//! Within a round all systems run one after another on the same machine; then the next round begins. A neighbour that
//! disturbs one of them is seen by what the machine was doing before and during that stretch.

mod bounds;
mod queues;
mod scale;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use hadron_management::clock::Clock;

pub(crate) use queues::{case, saturated};
use scale::Scale;

use crate::limits;
use crate::machine::{self, Machine, Used};
use crate::peers::postgres::Cluster;
use crate::report::{PROJECT, Row, Run};
use crate::seed::{self, Seeded, Store};

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
    /// With W10: what each statement of the hubs costs PostgreSQL, as its own statistics say (statements.txt in the report)
    #[arg(long)]
    pub(crate) statements: bool,
    /// Rows that another program has measured, as JSON
    #[arg(long, value_delimiter = ',', value_name = "FILE,..")]
    pub(crate) rows: Vec<PathBuf>,
    /// How the run was asked for, for the report
    #[arg(long, default_value = "hadron-bench run")]
    pub(crate) told: String,
}

/// The workloads of this program, in their order.
const WORKLOADS: [&str; 10] = ["L", "W1", "W2", "W3", "W4", "W5", "W7", "W9", "W10", "W11"];

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
    /// Notes the state of the machine beside what was measured.
    pub(crate) fn mark(self, row: &mut Row, used: Option<&Used>) {
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
        if self.wants("W11") {
            eprintln!("console");
            if let Err(error) = Box::pin(self.console()).await {
                let mut row = Row::new("W11", "", 0.0, PROJECT, 0);
                row.failed = Some(format!("{error:#}"));
                self.push(row);
            }
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
        let cluster = Arc::new(Cluster::start(&self.dir, self.flags.statements).await?);
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
