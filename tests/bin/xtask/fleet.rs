//! `cargo xtask fleet`: many light agents against one hub. How fast they connect, at once and again, and what they cost while
//! nothing happens.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use hadron_management::fleet::enlist_at;
use hadron_tests::fleet::{Badge, Fleet, Options, raise_files};
use hadron_tests::process::Usage;
use hadron_tests::{hub, paths};
use serde_json::json;
use tokio::time::Instant;

/// Flags of `fleet`.
#[derive(Debug, Args)]
pub(crate) struct Measure {
    /// How many agents
    #[arg(long, default_value_t = 1_000)]
    agents: u32,
    /// How many may be connecting at the same time
    #[arg(long, default_value_t = 256)]
    at_once: usize,
    /// How long the idle fleet is watched, in seconds
    #[arg(long, default_value_t = 30)]
    idle: u64,
    /// How often agents beat, in seconds; the lease is three times as long
    #[arg(long, default_value_t = 30)]
    heartbeat: u64,
    /// Jobs that are queued for each agent before it connects, and then done
    #[arg(long, default_value_t = 0)]
    jobs: u32,
    /// How often all connect again after that, resuming their TLS sessions
    #[arg(long, default_value_t = 1)]
    again: u32,
    /// Another hub than the one that was built, for a comparison
    #[arg(long, value_name = "FILE")]
    hub: Option<PathBuf>,
}

impl Measure {
    pub(crate) fn run(self) -> Result<()> {
        hadron_proto::tls::install_provider();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("a runtime")?;
        runtime.block_on(self.measure())
    }

    async fn measure(self) -> Result<()> {
        raise_files()?;
        let dir = tempfile::TempDir::with_prefix("hadron-fleet-").context("a folder")?;
        let lease = (self.heartbeat * 3).clamp(10, 600);
        let more = format!(
            "[jobs]\nlease_seconds = {lease}\nheartbeat_seconds = {}\n",
            self.heartbeat
        );
        let binary = match &self.hub {
            Some(binary) => binary.clone(),
            None => paths::binary("hadron-hub")?,
        };
        let mut hub = hub::Hub::start_binary(&binary, dir.path(), "http://127.0.0.1:9", &more).await?;
        let began = Instant::now();
        let members = enlist_at(hub.folder(), 0..self.agents).await?;
        eprintln!(
            "{} agents enlisted in {:.1} s",
            members.len(),
            began.elapsed().as_secs_f64()
        );
        for _ in 0..self.jobs {
            hadron_management::fleet::queue_at(hub.folder(), &members).await?;
        }
        let badges = members
            .into_iter()
            .map(|member| Badge {
                certificate: member.certificate,
                key: member.key,
            })
            .collect();
        let mut options = Options::new(&hub.ready().jobs, &std::fs::read_to_string(&hub.ready().ca_file)?);
        options.at_once = self.at_once;
        let patience = Duration::from_secs(60 + u64::from(self.agents) / 20);

        let before = hub.process().usage()?;
        let (fleet, storm) = Fleet::connect(badges, &options, patience).await?;
        let after = hub.process().usage()?;
        print_line("storm", &storm, &before, &after, self.agents)?;
        if self.jobs > 0 {
            let wanted = u64::from(self.jobs) * u64::from(self.agents);
            let began = Instant::now();
            while fleet.stats().reports < wanted && began.elapsed() < patience {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let done = hub.process().usage()?;
            let line = json!({ "seconds": began.elapsed().as_secs_f64(), "stats": fleet.stats() });
            print_line("jobs", &line, &after, &done, self.agents)?;
        }
        // What connecting left behind is no part of being idle.
        tokio::time::sleep(Duration::from_secs(5)).await;
        fleet.forget_times();
        let queries = hub.gauge("hadron_database_transactions").await.ok();
        let before = hub.process().usage()?;
        let watched = Instant::now();
        tokio::time::sleep(Duration::from_secs(self.idle)).await;
        let after = hub.process().usage()?;
        let seconds = watched.elapsed().as_secs_f64();
        let transactions = match (queries, hub.gauge("hadron_database_transactions").await.ok()) {
            #[expect(clippy::cast_precision_loss, reason = "a count of some seconds")]
            (Some(before), Some(after)) => Some((after - before) as f64 / seconds),
            _ => None,
        };
        let cpu = (after.cpu - before.cpu).as_secs_f64();
        let line = json!({
            "seconds": seconds,
            "cpu_percent_of_a_core": cpu / seconds * 100.0,
            "write_transactions_per_second": transactions,
            "rss_kib_per_agent": after.rss_kib / u64::from(self.agents.max(1)),
            "stats": fleet.stats(),
        });
        print_line("idle", &line, &before, &after, self.agents)?;
        for _ in 0..self.again {
            let before = hub.process().usage()?;
            let storm = fleet.reconnect(patience).await;
            let after = hub.process().usage()?;
            print_line("again", &storm, &before, &after, self.agents)?;
        }
        Ok(())
    }
}

fn print_line(
    what: &str,
    line: &impl serde::Serialize,
    before: &Usage,
    after: &Usage,
    agents: u32,
) -> Result<()> {
    let cpu = (after.cpu - before.cpu).as_secs_f64();
    let line = json!({
        "what": what,
        "agents": agents,
        "result": line,
        "hub": {
            "cpu_seconds": cpu,
            "cpu_us_per_agent": cpu * 1e6 / f64::from(agents.max(1)),
            "rss_kib": after.rss_kib,
            "peak_rss_kib": after.peak_kib,
        },
    });
    println!("{line}");
    Ok(())
}
