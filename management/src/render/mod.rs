//! Who reads and renders what strangers wrote: bundles, schemas, specs, templates.
//!
//! No setting of the template engine bounds the memory of one expression, and an allocation that fails ends the process.
//! So the hub does none of it itself: it keeps a [`pool`] of processes, its own program started again as
//! `render-worker`, each with a limit of memory and computing time and, where the kernel can do it, without files and
//! network ([`confine`]). What goes between them are the questions and replies of `hadron_templates`, in [`frame`]s. A
//! template that is too much for its worker costs that worker and the one request; the next one finds another.
//!
//! [`Renderer::here`] answers in this process, for tests and simulations that trust their templates.

mod confine;
mod frame;
mod pool;
mod process;
mod worker;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hadron_templates::{Desk, Given, Question, Reply};

pub use pool::Counts;
pub use worker::{Allowed, work};

use pool::Pool;

/// How many bundles are kept where nothing else shares the memory, and how many bytes their files have together.
const KEPT: (usize, usize) = (64, 48 * 1024 * 1024);

/// How rendering is done by workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most workers, and so most renderings at once.
    pub workers: usize,
    /// How many renderings may wait for one.
    pub queue: usize,
    /// How much memory one rendering may take, in bytes.
    pub memory: u64,
    /// How much computing time.
    pub computing: Duration,
    /// How long it may take, waiting for the processor included.
    pub time: Duration,
    /// Whether there are to be no workers that the kernel does not confine.
    pub confined: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism()
                .map_or(2, usize::from)
                .min(64),
            queue: 256,
            memory: 256 * 1024 * 1024,
            computing: Duration::from_secs(1),
            time: Duration::from_secs(10),
            confined: false,
        }
    }
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It needs more memory than this, in bytes.
    Memory(u64),
    /// It needs more computing time than this.
    Computing(Duration),
    /// It nests so deeply that the stack of its worker did not suffice.
    Nesting,
    /// Question or reply is larger than this many bytes.
    TooLarge(u64),
    /// It made its worker fail in a way that none should.
    Crash(String),
    /// Its worker was ended by somebody else.
    Killed,
    /// It was not done in this time, although it did not compute for long.
    Late(Duration),
    /// As many renderings wait as may.
    Busy,
    /// There is no worker, and none can be started.
    NoWorker(String),
}

/// Who renders. Clones are the same.
#[derive(Clone)]
pub struct Renderer(Who);

#[derive(Clone)]
enum Who {
    Here(Arc<Desk>),
    Workers(Arc<Pool>),
}

impl fmt::Debug for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Who::Here(_) => "Renderer(here)",
            Who::Workers(_) => "Renderer(workers)",
        })
    }
}

impl Renderer {
    /// In this process. What a hostile template does to its process it then does to this one.
    #[must_use]
    pub fn here() -> Self {
        Self(Who::Here(Arc::new(Desk::new(KEPT.0, KEPT.1))))
    }

    /// In processes of their own: this program, started again. Answers when the first of them is ready.
    ///
    /// # Errors
    /// When it cannot be started, or is not confined and shall be.
    pub async fn workers(options: Options) -> anyhow::Result<Self> {
        Self::workers_of(own_program()?, options).await
    }

    /// The same with another program that can be started with `render-worker`.
    ///
    /// # Errors
    /// See [`Self::workers`].
    pub async fn workers_of(program: PathBuf, options: Options) -> anyhow::Result<Self> {
        Ok(Self(Who::Workers(Arc::new(Pool::start(program, options).await?))))
    }

    /// Asks a question; `given` holds all archives that it is about.
    ///
    /// # Errors
    /// When there is no reply.
    pub async fn ask(&self, question: Question, given: Given) -> Result<Reply, Failure> {
        match &self.0 {
            Who::Here(desk) if question.is_small() => Ok(desk.reply(question, &given)),
            Who::Here(desk) => {
                let desk = Arc::clone(desk);
                tokio::task::spawn_blocking(move || desk.reply(question, &given))
                    .await
                    .map_err(|error| Failure::Crash(error.to_string()))
            }
            Who::Workers(pool) => pool.ask(question, given).await,
        }
    }

    /// What happened so far; nothing where no workers are.
    #[must_use]
    pub fn counts(&self) -> Option<Counts> {
        match &self.0 {
            Who::Here(_) => None,
            Who::Workers(pool) => Some(pool.counts()),
        }
    }
}

/// The file of this program; on Linux also after another one took its place in the file system.
fn own_program() -> anyhow::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    anyhow::Context::context(std::env::current_exe(), "the hub cannot find its own program")
}
