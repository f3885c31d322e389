//! A queue that is measured: the project, the project without a store, or a peer. All of them are given the same jobs.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use futures::future::BoxFuture;

use crate::board::{Board, Job};

/// Bytes of a job.
pub(crate) const PAYLOAD: usize = 512;
/// Bytes of a result.
pub(crate) const RESULT: usize = 128;

/// A running queue with its workers, one for each agent, which tell the board what arrives and what has ended.
pub(crate) trait System: Send + Sync {
    /// Submits jobs in one request; answers once they are durable.
    fn submit<'a>(&'a self, jobs: &'a [Job]) -> BoxFuture<'a, Result<()>>;
    /// The processes of the server.
    fn pids(&self) -> Vec<u32>;
    /// Transactions and commits so far, where the system counts them.
    fn commits(&self) -> BoxFuture<'_, Option<(u64, u64)>>;
    /// Looks into what is stored: `submitted` jobs, each ended exactly once, none open.
    fn check(&self, submitted: u64) -> BoxFuture<'_, Result<()>>;
    /// Ends it.
    fn stop(self: Arc<Self>) -> BoxFuture<'static, Result<()>>;
}

/// What a system is started with.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// How many agents.
    pub(crate) agents: u32,
    pub(crate) board: Arc<Board>,
    /// A fresh directory on the file system that is measured.
    pub(crate) dir: PathBuf,
}

/// The text of a job: its tag, filled up to [`PAYLOAD`].
pub(crate) fn payload(job: Job) -> String {
    let mut text = job.tag.text();
    text.extend(std::iter::repeat_n('.', PAYLOAD - text.len()));
    text
}
