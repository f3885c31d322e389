//! How jobs are given: so many outstanding at any time (closed loop), so many a second whatever happens (open loop), or
//! all in one request (fan-out).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::task::JoinSet;

use crate::board::{Board, Job, Went};
use crate::machine::{Meter, Used};
use crate::system::System;

/// Nothing may take longer than this.
const PATIENCE: Duration = Duration::from_secs(120);

/// Latencies in microseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans(Vec<u32>);

impl Spans {
    pub(crate) fn add(&mut self, span: Duration) {
        self.0.push(u32::try_from(span.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The quantile in milliseconds. There is no p99 of fewer than 1,000 samples.
    pub(crate) fn quantile(&mut self, at: f64) -> Option<f64> {
        if self.0.is_empty() || (at > 0.9 && self.0.len() < 1_000) {
            return None;
        }
        self.0.sort_unstable();
        let place = ((self.0.len() - 1) as f64 * at).round() as usize;
        self.0.get(place).map(|micros| f64::from(*micros) / 1_000.0)
    }
}

impl From<Vec<u32>> for Spans {
    fn from(micros: Vec<u32>) -> Self {
        Self(micros)
    }
}

/// What a stretch of load has shown.
#[derive(Debug)]
pub(crate) struct Load {
    /// Jobs that ended within the stretch.
    pub(crate) jobs: u64,
    /// All that were submitted, also before and after it.
    pub(crate) submitted: u64,
    pub(crate) used: Used,
    /// From the submission until the agent had the job.
    pub(crate) dispatch: Spans,
    /// From the submission until the result was durable.
    pub(crate) whole: Spans,
    pub(crate) commits: Option<(u64, u64)>,
}

impl Load {
    pub(crate) fn rate(&self) -> f64 {
        self.jobs as f64 / self.used.wall.as_secs_f64()
    }
}

fn spans(went: impl IntoIterator<Item = Went>) -> (Spans, Spans) {
    let (mut dispatch, mut whole) = (Spans::default(), Spans::default());
    for went in went {
        dispatch.add(went.there.duration_since(went.since));
        whole.add(went.ended.duration_since(went.since));
    }
    (dispatch, whole)
}

/// Keeps `outstanding` jobs outstanding, for agents in turn; measures for `span` after `warm`.
pub(crate) async fn closed(
    system: Arc<dyn System>,
    board: Arc<Board>,
    agents: u32,
    outstanding: u32,
    warm: Duration,
    span: Duration,
) -> Result<Load> {
    let (stop, measuring) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let submitted = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for slot in 0..outstanding {
        let (system, board) = (Arc::clone(&system), Arc::clone(&board));
        let (stop, measuring, submitted) =
            (Arc::clone(&stop), Arc::clone(&measuring), Arc::clone(&submitted));
        tasks.spawn(async move {
            let mut went = Vec::new();
            let mut agent = slot % agents;
            while !stop.load(Ordering::Relaxed) {
                let tag = board.begin(slot, Instant::now());
                submitted.fetch_add(1, Ordering::Relaxed);
                system.submit(&[Job { agent, tag }]).await?;
                let waited = tokio::time::timeout(PATIENCE, board.wait(tag)).await;
                let one = waited.with_context(|| format!("a job for agent {agent} does not end"))?;
                if measuring.load(Ordering::Relaxed) {
                    went.push(one);
                }
                agent = (agent + outstanding) % agents;
            }
            anyhow::Ok(went)
        });
    }
    tokio::time::sleep(warm).await;
    let commits = system.commits().await;
    measuring.store(true, Ordering::Relaxed);
    let (meter, before) = (Meter::start(&system.pids()), board.count());
    tokio::time::sleep(span).await;
    let (used, jobs) = (meter.stop(), board.count() - before);
    measuring.store(false, Ordering::Relaxed);
    let commits = difference(commits, system.commits().await);
    stop.store(true, Ordering::Relaxed);
    let mut all = Vec::new();
    while let Some(done) = tasks.join_next().await {
        all.extend(done??);
    }
    let (dispatch, whole) = spans(all);
    strays(&board)?;
    Ok(Load {
        jobs,
        submitted: submitted.load(Ordering::Relaxed),
        used,
        dispatch,
        whole,
        commits,
    })
}

fn difference(before: Option<(u64, u64)>, after: Option<(u64, u64)>) -> Option<(u64, u64)> {
    let (before, after) = (before?, after?);
    Some((after.0.saturating_sub(before.0), after.1.saturating_sub(before.1)))
}

fn strays(board: &Board) -> Result<()> {
    match board.strays() {
        0 => Ok(()),
        strays => bail!("{strays} jobs arrived or ended twice"),
    }
}

/// Submits `rate` jobs a second, come what may; a latency counts from when its job was due.
pub(crate) async fn open(
    system: Arc<dyn System>,
    board: Arc<Board>,
    agents: u32,
    rate: f64,
    span: Duration,
) -> Result<Load> {
    let count = (rate * span.as_secs_f64()).round() as u32;
    let mut tasks = JoinSet::new();
    let meter = Meter::start(&system.pids());
    let began = Instant::now();
    for number in 0..count {
        let due = began + Duration::from_secs_f64(f64::from(number) / rate);
        tokio::time::sleep_until(due.into()).await;
        let (system, board) = (Arc::clone(&system), Arc::clone(&board));
        // Agents that have not had one lately.
        let agent = number.wrapping_mul(7_919) % agents;
        tasks.spawn(async move {
            let tag = board.begin(number, due);
            system.submit(&[Job { agent, tag }]).await?;
            let waited = tokio::time::timeout(PATIENCE, board.wait(tag)).await;
            waited.with_context(|| format!("a job for agent {agent} does not end"))
        });
    }
    let mut all = Vec::new();
    while let Some(done) = tasks.join_next().await {
        all.push(done??);
    }
    let used = meter.stop();
    let (dispatch, whole) = spans(all);
    strays(&board)?;
    Ok(Load {
        jobs: u64::from(count),
        submitted: u64::from(count),
        used,
        dispatch,
        whole,
        commits: None,
    })
}

/// One request for a job of every agent.
#[derive(Debug)]
pub(crate) struct FanOut {
    /// Until the request was answered: all jobs are durable.
    pub(crate) accepted: Duration,
    /// Until the last agent had its job.
    pub(crate) dispatched: Duration,
    /// Until the last result was durable.
    pub(crate) ended: Duration,
    pub(crate) used: Used,
    pub(crate) commits: Option<(u64, u64)>,
}

/// Submits one job for each agent in one request and waits for all results.
pub(crate) async fn fan_out(system: &dyn System, board: &Board, agents: u32) -> Result<FanOut> {
    let before = (board.count(), system.commits().await);
    let meter = Meter::start(&system.pids());
    let began = Instant::now();
    let jobs: Vec<Job> = (0..agents)
        .map(|agent| Job {
            agent,
            tag: board.begin(agent, began),
        })
        .collect();
    system.submit(&jobs).await?;
    let accepted = began.elapsed();
    let all = board.wait_for(before.0 + u64::from(agents));
    tokio::time::timeout(PATIENCE, all)
        .await
        .context("not all jobs end")?;
    let used = meter.stop();
    let commits = difference(before.1, system.commits().await);
    let times = board.times();
    let last = |times: &mut dyn Iterator<Item = Option<Instant>>| {
        times
            .flatten()
            .max()
            .map(|at| at.duration_since(began))
            .unwrap_or_default()
    };
    strays(board)?;
    Ok(FanOut {
        accepted,
        dispatched: last(&mut times.iter().map(|(there, _)| *there)),
        ended: last(&mut times.iter().map(|(_, ended)| *ended)),
        used,
        commits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_told_only_when_there_are_enough_samples() {
        let mut spans = Spans::from((1..=100).map(|n| n * 1_000).collect::<Vec<u32>>());
        assert_eq!(spans.quantile(0.5), Some(51.0));
        assert_eq!(spans.quantile(0.99), None);
        let mut many = Spans::from((1..=1_001).map(|n| n * 1_000).collect::<Vec<u32>>());
        assert_eq!(many.quantile(0.99), Some(991.0));
        assert_eq!(Spans::default().quantile(0.5), None);
    }
}
