//! SQLite: one writer's thread with group commit, a few readers. See [`db`](super).

mod error;
#[cfg(any(test, feature = "testing"))]
pub(super) mod inline;
mod session;
mod writer;

pub(super) use writer::panicked;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc, oneshot};

pub(super) use session::Session;

use super::Counts;
use super::keys::Keyring;
use super::tx::{Engine, Tx};
use super::wake::Wakes;
use crate::clock::Clock;
use crate::store::error::StoreError;

/// How to run SQLite. The defaults suit a hub with thousands of agents.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Connections that read.
    pub readers: usize,
    /// Transactions that may wait for the writer; more callers wait for a place.
    pub queue: usize,
    /// Most transactions of one commit.
    pub batch: usize,
    /// After this time a batch takes no further transaction. A batch never waits for one either: a transaction that
    /// comes alone is committed alone, at once.
    pub batch_time: Duration,
    /// Pages in the write-ahead log after which it is copied into the database, between two batches.
    pub checkpoint_pages: u32,
    /// How long to wait for another process that writes to the same file (`hadron-hub admin`, a backup tool).
    pub busy: Duration,
    /// Nothing is written, and no file is made: for whoever looks at a database that is another process's.
    pub read_only: bool,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            queue: 1_024,
            batch: 256,
            batch_time: Duration::from_millis(2),
            checkpoint_pages: 1_000,
            busy: Duration::from_secs(5),
            read_only: false,
        }
    }
}

pub(super) struct Sqlite {
    queue: mpsc::Sender<writer::Message>,
    readers: Arc<Readers>,
    slots: Arc<Semaphore>,
}

/// Idle connections that read; opened when first needed.
struct Readers {
    path: PathBuf,
    clock: Clock,
    keys: Arc<Keyring>,
    options: SqliteOptions,
    slots: u32,
    idle: Mutex<Vec<Tx>>,
}

impl Sqlite {
    pub(super) async fn open(
        path: PathBuf,
        clock: Clock,
        options: SqliteOptions,
        wakes: Arc<Wakes>,
        counts: Arc<Counts>,
        keys: Arc<Keyring>,
    ) -> Result<Self, StoreError> {
        let slots = options.readers.max(1);
        let readers = Arc::new(Readers {
            path: path.clone(),
            clock: clock.clone(),
            keys: Arc::clone(&keys),
            options: options.clone(),
            slots: u32::try_from(slots).unwrap_or(u32::MAX),
            idle: Mutex::default(),
        });
        let slots = Arc::new(Semaphore::new(slots));
        if options.read_only {
            // Nobody takes what is put into this queue: whoever writes is told that it is closed.
            let this = Self {
                queue: mpsc::channel(1).0,
                readers,
                slots,
            };
            // A file that is not there, or is no database, shows here.
            this.with_reader(|tx| {
                tx.start("open");
                Ok::<(), StoreError>(())
            })
            .await?;
            return Ok(this);
        }
        let queue = blocking(move || {
            let tx = Tx::new(
                Engine::Sqlite(Session::open_writer(&path, &options)?),
                clock,
                keys,
            );
            writer::start(tx, &options, wakes, counts)
        })
        .await??;
        Ok(Self {
            queue,
            readers,
            slots,
        })
    }

    pub(super) async fn write<T, E, F>(&self, label: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (message, answer) = writer::message(label, work);
        self.queue.send(message).await.map_err(|_| closed())?;
        // No answer at all: the writer's thread is gone, in the midst of who knows what.
        answer.await.map_err(|gone| StoreError::CommitUnknown {
            label,
            source: Arc::new(gone),
        })?
    }

    pub(super) async fn read<T, E, F>(&self, label: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.with_reader(move |tx| {
            tx.start(label);
            tx.only_reads();
            session(tx).begin_read()?;
            let outcome = writer::run(tx, label, work);
            session(tx).end_read();
            outcome
        })
        .await
    }

    pub(super) async fn backup(&self, to: PathBuf) -> Result<(), StoreError> {
        self.with_reader(move |tx| session(tx).backup(&to)).await
    }

    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        // Both fail only when the writer has already gone.
        if self.queue.send(writer::Message::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
        // All slots free means that every read has ended; an error means that somebody else is closing.
        if let Ok(all) = self.slots.acquire_many(self.readers.slots).await {
            self.slots.close();
            drop(all);
        }
        self.readers
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    async fn with_reader<T, E>(
        &self,
        work: impl FnOnce(&mut Tx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let slot = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .map_err(|_| closed())?;
        let readers = Arc::clone(&self.readers);
        blocking(move || {
            let mut tx = readers.take()?;
            let outcome = work(&mut tx);
            readers
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(tx);
            drop(slot);
            outcome
        })
        .await?
    }
}

impl Readers {
    fn take(&self) -> Result<Tx, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(tx) => Ok(tx),
            None => Ok(Tx::new(
                Engine::Sqlite(Session::open_reader(&self.path, &self.options)?),
                self.clock.clone(),
                Arc::clone(&self.keys),
            )),
        }
    }
}

fn session(tx: &mut Tx) -> &mut Session {
    match &mut tx.engine {
        Engine::Sqlite(session) => session,
        Engine::Postgres(_) => unreachable!("the connections of SQLite are SQLite's"),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::unavailable("running on a thread", error))
}

fn closed() -> StoreError {
    StoreError::Unavailable {
        doing: "the hub is closing its database",
        source: None,
    }
}

/// Creates the file readable by its owner only; SQLite gives its companions (`-wal`, `-shm`) the same mode.
fn create(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
