//! W4 and W5: what agents cost that have nothing to do, how long it takes until all are back after the hub was killed, and
//! what the hub needs when all of them come to full queues.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::board::Board;
use crate::load::Spans;
use crate::machine::{self, Meter, Used};
use crate::project::{Options, Project};
use crate::report::{PROJECT, Row};
use crate::run::Bench;
use crate::seed::Store;
use crate::system::{Setup, System as _};

/// How long all agents may take to come back.
const BACK: Duration = Duration::from_secs(180);

impl Bench {
    /// One fleet: idle, then without its hub, then back.
    pub(crate) async fn idle(&mut self, agents: u32, round: u32) -> Result<()> {
        let seeded = self.seeded(agents).await?;
        let dir = self.fresh_dir()?;
        let board = Arc::new(Board::new(1));
        let options = Options {
            heartbeat: self.scale.heartbeat,
            lease: self.scale.heartbeat * 3,
            ..Options::default()
        };
        let alone = {
            let setup = Setup {
                agents: 0,
                board: Arc::clone(&board),
                dir: dir.join("alone"),
            };
            std::fs::create_dir_all(&setup.dir)?;
            let project = Project::start(&seeded, &setup, &options).await?;
            let alone = machine::resident_kib(&project.pids());
            project.end().await?;
            alone
        };
        let setup = Setup {
            agents,
            board,
            dir: dir.clone(),
        };
        let before = self.before().await?;
        let mut project = Project::start(&seeded, &setup, &options).await?;
        if self.wants("W5") {
            let (took, ticks) = project.connecting;
            let mut row = Row::new(
                "W5",
                format!("{agents} agents, first, full handshakes"),
                f64::from(agents),
                PROJECT,
                round,
            );
            row.line = "full".to_owned();
            row.set("seconds", took.as_secs_f64());
            row.set("per_second", f64::from(agents) / took.as_secs_f64());
            row.set("server_us", Used::per(ticks, u64::from(agents)));
            row.set("failures", project.fleet().failures() as f64);
            dials(&mut row, &project);
            before.mark(&mut row, None);
            self.push(row);
        }
        // Heartbeats have to be there, and what connecting has used given back.
        tokio::time::sleep(self.scale.idle / 10).await;
        drop((project.fleet().take_beat_times(), project.fleet().take_reasons()));
        let (meter, beats) = (Meter::start(&project.pids()), project.fleet().beats());
        let (ended, commits) = (project.fleet().ended(), project.commits().await);
        tokio::time::sleep(self.scale.idle).await;
        let (used, beats) = (meter.stop(), project.fleet().beats() - beats);
        let ended = project.fleet().ended() - ended;
        let (size, count) = (f64::from(agents), f64::from(agents));
        if self.wants("W4") {
            let mut row = Row::new("W4", format!("{agents} agents"), size, PROJECT, round);
            let resident = machine::resident_kib(&project.pids());
            row.set("rss_kib_per_agent", resident.saturating_sub(alone) as f64 / count);
            row.set("rss_mib", resident as f64 / 1_024.0);
            // Ticks are coarse, but the stretch is long: a second of CPU is not to be expected of an idle hub.
            let cpu = used.server_ticks as f64 * machine::tick().as_secs_f64();
            row.set("cpu_percent", cpu / used.wall.as_secs_f64() * 100.0);
            row.set("us_per_beat", Used::per(used.server_ticks, beats));
            let mut times = Spans::from(project.fleet().take_beat_times());
            row.set("beat_p50_ms", times.quantile(0.5));
            row.set("beat_p99_ms", times.quantile(0.99));
            row.set("beats", beats as f64);
            row.set("ended", ended as f64);
            if let (Some((before, _)), Some((after, _))) = (commits, project.commits().await) {
                let transactions = after.saturating_sub(before) as f64;
                row.set("transactions_s", transactions / used.wall.as_secs_f64());
            }
            for (why, times) in project.fleet().take_reasons() {
                eprintln!("  sessions ended while idle, {times} of them: {why}");
            }
            before.mark(&mut row, Some(&used));
            self.push(row);
        }
        if self.wants("W5") {
            let row = self.storm(&mut project, agents, round, &options).await?;
            self.push(row);
        }
        project.end().await?;
        std::fs::remove_dir_all(&dir)?;
        Ok(())
    }

    async fn storm(&self, project: &mut Project, agents: u32, round: u32, options: &Options) -> Result<Row> {
        let before = self.before().await?;
        let ports = project.kill_first()?;
        project.fleet().fewer(1, BACK).await?;
        let started = Instant::now();
        project.restart(agents, ports, options).await?;
        let up = started.elapsed();
        // From here on nobody has a reason to be refused.
        let (began, failures) = (Instant::now(), project.fleet().failures());
        drop(project.fleet().take_dial_times());
        let meter = Meter::start(&[]);
        project.fleet().connected(agents as usize, BACK).await?;
        let took = began.elapsed();
        let used = meter.stop();
        // The process is new: all that it has used went into starting and into these sessions.
        let ticks = machine::ticks(&project.pids());
        let foreign = {
            let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
            let there = used.wall.as_secs_f64() * cores / machine::tick().as_secs_f64();
            (used.foreign - ticks as f64 / there.max(1.0)).max(0.0)
        };
        let mut row = Row::new(
            "W5",
            format!("{agents} agents, back after kill -9, resumed"),
            f64::from(agents),
            PROJECT,
            round,
        );
        row.line = "resumed".to_owned();
        row.set("seconds", took.as_secs_f64());
        row.set("start_s", up.as_secs_f64());
        row.set("per_second", f64::from(agents) / took.as_secs_f64());
        row.set("server_us", Used::per(ticks, u64::from(agents)));
        row.set(
            "failures",
            project.fleet().failures().saturating_sub(failures) as f64,
        );
        row.set("resumed", project.fleet().resumed() as f64);
        dials(&mut row, project);
        let used = Used { foreign, ..used };
        before.mark(&mut row, Some(&used));
        Ok(row)
    }

    /// Agents that dial all at once while jobs wait for each of them: the most memory that the hub needs for that.
    pub(crate) async fn full_queues(&mut self, agents: u32, each: u32, round: u32) -> Result<()> {
        let (seeded, dir) = (self.seeded(agents).await?, self.fresh_dir()?);
        let jobs = u64::from(agents * each);
        let setup = Setup {
            agents,
            board: Arc::new(Board::new(usize::try_from(jobs)?)),
            dir: dir.clone(),
        };
        let options = Options {
            waiting: each,
            ..Options::default()
        };
        let before = self.before().await?;
        let began = Instant::now();
        let project = Arc::new(Project::start(&seeded, &setup, &options).await?);
        let started = began.elapsed();
        let ended = tokio::time::timeout(BACK, setup.board.wait_for(jobs)).await;
        ended.with_context(|| {
            let there = setup.board.count();
            format!("only {there} of {jobs} jobs that waited for their agents have ended")
        })?;
        let (took, _) = project.connecting;
        let drained = took + began.elapsed().saturating_sub(started);
        let case = format!("{agents} agents, first, {jobs} jobs wait for them");
        let mut row = Row::new("W5", case, f64::from(agents), PROJECT, round);
        row.line = "full queues".to_owned();
        row.set("seconds", took.as_secs_f64());
        row.set("per_second", f64::from(agents) / took.as_secs_f64());
        row.set("drained_s", drained.as_secs_f64());
        row.set("failures", project.fleet().failures() as f64);
        dials(&mut row, &project);
        before.mark(&mut row, None);
        project.check(jobs).await?;
        project.stop().await?;
        self.push(row);
        std::fs::remove_dir_all(&dir)?;
        Ok(())
    }

    /// Kills the hub in the midst of W1 and looks whether anything acknowledged is lost or done twice.
    pub(crate) async fn crash(&mut self, agents: u32, outstanding: u32) {
        let name = format!("{PROJECT}, killed in mid-run");
        let mut row = Row::new(
            "W1",
            crate::run::case(outstanding, agents),
            f64::from(agents),
            &name,
            0,
        );
        match crate::crash::run(self, agents, outstanding).await {
            Ok(crashed) => {
                row.set("jobs", crashed.acknowledged as f64);
                row.set("recovered_s", crashed.recovered.as_secs_f64());
            }
            Err(error) => row.failed = Some(format!("{error:#}")),
        }
        self.push(row);
    }

    /// W9: W1 over a history.
    pub(crate) async fn history(&mut self) -> Result<()> {
        let (outstanding, agents) = self.scale.history_load;
        for (finished, open) in self.scale.history.clone() {
            for round in 0..self.scale.rounds.min(3) {
                eprintln!(
                    "history: {finished} finished, {open} open jobs, round {}",
                    round + 1
                );
                let row = crate::history::one(self, (outstanding, agents), (finished, open), round).await;
                let row = row.unwrap_or_else(|error| {
                    let case = crate::history::case(finished, open);
                    let mut row = Row::new("W9", case, f64::from(finished.max(open)), PROJECT, round);
                    row.failed = Some(format!("{error:#}"));
                    row
                });
                self.push(row);
            }
        }
        Ok(())
    }

    /// W10: one, two, three hubs on one PostgreSQL.
    pub(crate) async fn replicas(&mut self) -> Result<()> {
        if let Err(error) = self.cluster().await {
            self.missing("W10", &format!("{error:#}"));
            return Ok(());
        }
        for round in 0..self.scale.rounds.min(3) {
            for hubs in self.scale.replicas.clone() {
                eprintln!("replicas: {hubs} hubs, round {}", round + 1);
                let rows = crate::replicas::one(self, hubs, round).await;
                let rows = rows.unwrap_or_else(|error| {
                    let mut row = Row::new("W10", format!("{hubs} hubs"), f64::from(hubs), PROJECT, round);
                    row.failed = Some(format!("{error:#}"));
                    vec![row]
                });
                rows.into_iter().for_each(|row| self.push(row));
            }
        }
        Ok(())
    }

    /// Data of a fleet on PostgreSQL: the CA in a directory, the rows in a database to be copied.
    pub(crate) async fn seeded_postgres(
        &mut self,
        agents: u32,
    ) -> Result<(Arc<crate::seed::Seeded>, String)> {
        let name = format!("seed_{agents}");
        let cluster = self.cluster().await?;
        let dir = self.dir.join(format!("seed-postgres-{agents}"));
        if !dir.exists() {
            let url = cluster.database(&name, None).await?;
            crate::seed::seed(&dir, &Store::Postgres(url), agents).await?;
        }
        let seeded = crate::seed::seed(&dir, &Store::Postgres(String::new()), agents).await?;
        Ok((Arc::new(seeded), name))
    }
}

/// How long dials took, and the most memory that the hub has needed so far.
fn dials(row: &mut Row, project: &Project) {
    let mut times = Spans::from(project.fleet().take_dial_times());
    row.set("dial_p50_ms", times.quantile(0.5));
    row.set("dial_p99_ms", times.quantile(0.99));
    row.set("peak_mib", machine::peak_kib(&project.pids()) as f64 / 1_024.0);
}
