//! Some workers, and whoever waits for one.
//!
//! There are never more renderings at once than workers allowed; the rest waits, so many and so long, and whoever comes
//! then is told to come again. A worker is ready beforehand as long as there may be more: who asks rarely waits for a
//! process to start.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hadron_templates::{Given, Question, Reply};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::process::{Starter, Worker};
use super::{Failure, Options};

/// What happened so far, and how it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Questions that got a reply.
    pub answered: u64,
    /// Questions that cost their worker its life.
    pub failed: u64,
    /// Questions that were told to come again.
    pub busy: u64,
    /// Workers that were replaced because they had done enough.
    pub worn: u64,
    /// Microseconds that were computed for replies.
    pub computed: u64,
    /// Questions that are being answered.
    pub running: u64,
    /// Questions that wait for a worker.
    pub waiting: u64,
    /// Workers.
    pub workers: u64,
}

#[derive(Default)]
struct Totals {
    answered: AtomicU64,
    failed: AtomicU64,
    busy: AtomicU64,
    worn: AtomicU64,
    computed: AtomicU64,
}

pub(super) struct Pool(Arc<Shared>);

struct Shared {
    options: Options,
    starter: Starter,
    places: Semaphore,
    waiting: AtomicUsize,
    idle: Mutex<Vec<Worker>>,
    /// Somebody is starting a worker to have one ready.
    preparing: AtomicBool,
    totals: Totals,
}

fn add(total: &AtomicU64, count: u64) {
    total.fetch_add(count, Ordering::Relaxed);
}

/// Counts whoever waits, for as long as they do.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pool {
    /// Starts the first worker and gives the pool when it is ready.
    pub(super) async fn start(program: PathBuf, options: Options) -> anyhow::Result<Self> {
        use anyhow::Context as _;
        let starter = Starter::new(program, &options).context("no thread for the render workers")?;
        let first = starter.start().await.map_err(|failure| match failure {
            Failure::NoWorker(why) => anyhow::anyhow!("templates cannot be rendered: {why}"),
            other => anyhow::anyhow!("templates cannot be rendered: {other:?}"),
        })?;
        let confined = first.confined;
        if !confined.is_closed() {
            anyhow::ensure!(
                !options.confined,
                "the kernel cannot confine render workers (no seccomp), and render.require_confinement asks for it\n  next: \
                 use another kernel or another container run-time, or do without"
            );
            tracing::warn!(
                landlock = confined.landlock,
                "Render workers have limits of memory and time, but the kernel has no seccomp to keep files and network from \
                 them"
            );
        }
        tracing::info!(
            workers = options.workers,
            memory_mib = options.memory / 1024 / 1024,
            seccomp = confined.seccomp,
            landlock = confined.landlock,
            "Templates are rendered in processes of their own"
        );
        let places = Semaphore::new(options.workers);
        Ok(Self(Arc::new(Shared {
            options,
            starter,
            places,
            waiting: AtomicUsize::new(0),
            idle: Mutex::new(vec![first]),
            preparing: AtomicBool::new(false),
            totals: Totals::default(),
        })))
    }

    pub(super) async fn ask(&self, question: Question, given: Given) -> Result<Reply, Failure> {
        let shared = Arc::clone(&self.0);
        // A task of its own: whoever asks may go away, and a worker that is left in its middle would be lost.
        let asked = tokio::spawn(async move { shared.ask(&question, &given).await });
        asked
            .await
            .unwrap_or_else(|error| Err(Failure::NoWorker(error.to_string())))
    }

    pub(super) fn counts(&self) -> Counts {
        let Shared {
            totals,
            places,
            options,
            waiting,
            starter,
            ..
        } = &*self.0;
        let read = |total: &AtomicU64| total.load(Ordering::Relaxed);
        Counts {
            answered: read(&totals.answered),
            failed: read(&totals.failed),
            busy: read(&totals.busy),
            worn: read(&totals.worn),
            computed: read(&totals.computed),
            running: options.workers.saturating_sub(places.available_permits()) as u64,
            waiting: waiting.load(Ordering::Relaxed) as u64,
            workers: starter.alive() as u64,
        }
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(self: &Arc<Self>, question: &Question, given: &Given) -> Result<Reply, Failure> {
        let _place = self.place().await?;
        let mut worker = match self.best(question) {
            Some(worker) => worker,
            None => self.starter.start().await?,
        };
        self.prepare();
        let before = worker.computed();
        let asked = worker.ask(question, given, &self.options).await;
        match &asked {
            Ok(_) => {
                add(&self.totals.answered, 1);
                let computed = worker.computed().saturating_sub(before).as_micros();
                add(&self.totals.computed, u64::try_from(computed).unwrap_or(0));
                self.put_back(worker);
            }
            // Nothing was sent.
            Err(Failure::TooLarge(_)) => self.put_back(worker),
            Err(failure) => {
                add(&self.totals.failed, 1);
                tracing::warn!(
                    doing = question.doing(),
                    worker.pid = worker.pid(),
                    failure = ?failure,
                    "A render worker was lost; another one takes its place"
                );
                drop(worker);
                self.prepare();
            }
        }
        asked
    }

    /// A place among those who render.
    async fn place(&self) -> Result<SemaphorePermit<'_>, Failure> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let busy = || {
            add(&self.totals.busy, 1);
            Failure::Busy
        };
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.options.queue {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(busy());
        }
        let _waiting = Waiting(&self.waiting);
        match tokio::time::timeout(self.options.time, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }

    /// The idle worker that knows most of what is asked about. Those that were ended by somebody else are forgotten.
    fn best(&self, question: &Question) -> Option<Worker> {
        let archives = question.archives();
        let mut idle = self.idle();
        idle.retain_mut(Worker::is_there);
        let best = (0..idle.len()).max_by_key(|&index| idle[index].knows(&archives))?;
        Some(idle.remove(best))
    }

    fn put_back(self: &Arc<Self>, worker: Worker) {
        if worker.is_worn(&self.options) {
            add(&self.totals.worn, 1);
            drop(worker);
            self.prepare();
        } else if self.starter.alive() <= self.options.workers {
            self.idle().push(worker);
        }
    }

    /// Has a worker ready before somebody asks.
    fn prepare(self: &Arc<Self>) {
        if !self.idle().is_empty()
            || self.starter.alive() >= self.options.workers
            || self.preparing.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let started = shared.starter.start().await;
            shared.preparing.store(false, Ordering::Release);
            match started {
                Ok(worker) => shared.put_back(worker),
                Err(failure) => tracing::warn!(failure = ?failure, "A render worker could not be started"),
            }
        });
    }
}
