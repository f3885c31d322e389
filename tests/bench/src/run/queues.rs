//! W1 to W3: rounds in which all queues are given the same jobs, one after another, with the limit of the store beside them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::Bench;
use crate::board::Board;
use crate::limits;
use crate::load::{self, Load};
use crate::machine::{self, Used};
use crate::peers::nats::Nats;
use crate::peers::postgres::{Mode, Postgres};
use crate::peers::redis::Redis;
use crate::project::{Options, Project};
use crate::report::{PROJECT, Row};
use crate::seed::Store;
use crate::system::{Setup, System};

/// A queue that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
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

    const fn name(self) -> &'static str {
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

impl Bench {
    /// All systems, one after another.
    pub(super) async fn round(&mut self, agents: u32, outstanding: &[u32], round: u32) -> Result<()> {
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
            before.mark(&mut row, Some(&load.used));
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
            before.mark(&mut row, Some(&out.used));
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
            before.mark(&mut row, Some(&load.used));
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
                before.mark(&mut row, None);
                self.push(row);
            }
            if fan_out && waiting == agents.min(1_024) {
                let mut row = Row::new("W2", format!("{agents} agents"), f64::from(agents), name, round);
                row.limit = true;
                row.set("ended_ms", f64::from(agents) / rate * 1e3);
                row.set("per_job_us", 1e6 / rate);
                before.mark(&mut row, None);
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
            before.mark(&mut row, None);
            self.push(row);
        }
        Ok(())
    }

    fn wants_peer(&self, kind: Kind) -> bool {
        match kind.peer() {
            None => true,
            Some(peer) => self.flags.peers.is_empty() || self.flags.peers.iter().any(|only| only == peer),
        }
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
