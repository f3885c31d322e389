//! PostgreSQL: a pool of connections and the wake-ups of other replicas. See [`db`](super).

mod alone;
mod connect;
mod error;
mod listen;
mod session;
mod tls;
mod witness;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

pub(super) use alone::Held;
pub(super) use session::Session;

use self::connect::Connector;
use self::witness::{Fate, Witness};
use super::Counts;
use super::keys::Keyring;
use super::sqlite::panicked;
use super::tx::{Engine, Tx};
use super::wake::Wakes;
use crate::clock::Clock;
use crate::store::error::{Because, LOST, StoreError};

/// How to reach PostgreSQL.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Most connections for transactions; one more listens for wake-ups.
    pub connections: usize,
    /// How long a transaction waits for a free connection.
    pub acquire: Duration,
    /// How long to wait for a new connection.
    pub connect: Duration,
    /// How long one statement may run, and a transaction may do nothing.
    pub statement: Duration,
    /// Certificates (PEM) that may sign the server's; without, those that the operating system trusts.
    pub ca_file: Option<PathBuf>,
    /// Allows a server on another machine without TLS: passwords and data are then readable on the way.
    pub allow_plaintext: bool,
    /// Allows a server that loses acknowledged transactions when its machine fails (`fsync = off`): for development.
    pub allow_forgetful: bool,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections: 16,
            acquire: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            statement: Duration::from_secs(30),
            ca_file: None,
            allow_plaintext: false,
            allow_forgetful: false,
        }
    }
}

pub(super) struct Postgres {
    pool: Arc<Pool>,
    wakes: Arc<Wakes>,
    counts: Arc<Counts>,
    witness: Arc<Witness>,
    listener: AbortHandle,
}

struct Pool {
    connector: Arc<Connector>,
    clock: Clock,
    keys: Arc<Keyring>,
    acquire: Duration,
    slots: Arc<Semaphore>,
    size: u32,
    idle: Mutex<Vec<Tx>>,
}

/// A connection out of the pool. It goes back only when its transaction has ended; else it is closed, and the server
/// rolls back.
struct Lent {
    tx: Tx,
    _slot: OwnedSemaphorePermit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Write,
    Read,
}

impl Postgres {
    pub(super) async fn open(
        url: &str,
        clock: Clock,
        options: PostgresOptions,
        wakes: Arc<Wakes>,
        counts: Arc<Counts>,
        keys: Arc<Keyring>,
    ) -> Result<Self, StoreError> {
        let connector = Arc::new(Connector::new(url, &options)?);
        let size = u32::try_from(options.connections.max(1)).unwrap_or(u32::MAX);
        let pool = Arc::new(Pool {
            connector: Arc::clone(&connector),
            clock,
            keys,
            acquire: options.acquire,
            slots: Arc::new(Semaphore::new(options.connections.max(1))),
            size,
            idle: Mutex::default(),
        });
        // A wrong address or password shows here and not at the first request.
        let mut lent = pool.lend().await?;
        if !options.allow_forgetful {
            durable(&session(&mut lent.tx).durability().await?)?;
        }
        pool.give_back(lent);
        let witness = Arc::<Witness>::default();
        let listen = listen::run(connector, Arc::clone(&wakes), Arc::clone(&witness));
        let listener = tokio::spawn(listen).abort_handle();
        Ok(Self {
            pool,
            wakes,
            counts,
            witness,
            listener,
        })
    }

    pub(super) async fn write<T, E, F>(&self, label: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.run(Mode::Write, label, work).await
    }

    pub(super) async fn read<T, E, F>(&self, label: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.run(Mode::Read, label, work).await
    }

    /// In a task of its own: the transaction ends even when the caller goes away, as it does on SQLite.
    async fn run<T, E, F>(&self, mode: Mode, label: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let pool = Arc::clone(&self.pool);
        let (wakes, counts) = (Arc::clone(&self.wakes), Arc::clone(&self.counts));
        let witness = Arc::clone(&self.witness);
        let task = tokio::spawn(async move {
            let mut lent = pool.lend().await?;
            lent.tx.start(label);
            session(&mut lent.tx).mode = mode;
            if mode == Mode::Read {
                lent.tx.only_reads();
            }
            let outcome = work(&mut lent.tx).await;
            let outcome = match outcome {
                Ok(value) => match lent.tx.verdict() {
                    Ok(()) => Ok(value),
                    Err(error) => Err(E::from(error)),
                },
                Err(error) => Err(error),
            };
            let value = match outcome {
                Ok(value) => value,
                Err(error) => {
                    if session(&mut lent.tx).roll_back().await.is_ok() {
                        pool.give_back(lent);
                    }
                    return Err(error);
                }
            };
            let topics = lent.tx.take_wakes();
            let asked = Instant::now();
            match lent.tx.commit().await {
                Ok(()) => pool.give_back(lent),
                Err(error @ StoreError::CommitUnknown { .. }) => {
                    let id = session(&mut lent.tx).id();
                    drop(lent);
                    match witness.fate(id, asked).await {
                        // It is committed, only its answer was lost.
                        Fate::Committed => {}
                        Fate::Undone => return Err(E::from(StoreError::unavailable(LOST, error))),
                        Fate::Unknown => return Err(E::from(error)),
                    }
                }
                Err(error) => return Err(E::from(error)),
            }
            if mode == Mode::Write {
                counts.committed(1);
            }
            wakes.wake(&topics);
            wakes.tell_others(topics);
            Ok(value)
        });
        match task.await {
            Ok(outcome) => outcome,
            Err(error) if error.is_panic() => {
                Err(E::from(StoreError::misuse(label, panicked(&*error.into_panic()))))
            }
            Err(error) => Err(E::from(StoreError::CommitUnknown {
                label,
                source: Arc::new(error),
            })),
        }
    }

    pub(super) async fn close(&self) {
        self.listener.abort();
        // All slots free means that every transaction has ended; an error means that somebody else is closing.
        if let Ok(all) = self.pool.slots.acquire_many(self.pool.size).await {
            self.pool.slots.close();
            drop(all);
        }
        self.pool
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Pool {
    async fn lend(&self) -> Result<Lent, StoreError> {
        let unavailable = |doing| StoreError::Unavailable { doing, source: None };
        let slot = match tokio::time::timeout(self.acquire, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(slot)) => slot,
            Ok(Err(_)) => return Err(unavailable("the hub is closing its database")),
            Err(_) => return Err(unavailable("all connections to PostgreSQL are in use")),
        };
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(mut tx) => {
                    // Closed when the server was restarted or threw it out: take the next.
                    if !session(&mut tx).is_closed() {
                        return Ok(Lent { tx, _slot: slot });
                    }
                }
                None => {
                    let session = self.connector.session().await?;
                    // It may be another server, one that lacks the last commits of the one before.
                    self.keys.forget();
                    return Ok(Lent {
                        tx: Tx::new(
                            Engine::Postgres(session),
                            self.clock.clone(),
                            Arc::clone(&self.keys),
                        ),
                        _slot: slot,
                    });
                }
            }
        }
    }

    fn give_back(&self, lent: Lent) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(lent.tx);
    }
}

fn session(tx: &mut Tx) -> &mut Session {
    match &mut tx.engine {
        Engine::Postgres(session) => session,
        Engine::Sqlite(_) => unreachable!("the connections of PostgreSQL are PostgreSQL's"),
    }
}

/// Whether what this server acknowledges outlives a failure of its machine.
fn durable(settings: &session::Durability) -> Result<(), StoreError> {
    let session::Durability {
        fsync,
        full_page_writes,
        synchronous_commit,
    } = settings;
    let forgetful = match (
        fsync.as_str(),
        full_page_writes.as_str(),
        synchronous_commit.as_str(),
    ) {
        ("off", _, _) => "fsync = off",
        (_, "off", _) => "full_page_writes = off",
        (_, _, "off" | "local" | "remote_write") => "synchronous_commit = off",
        _ => return Ok(()),
    };
    Err(StoreError::misuse(
        "open",
        format!(
            "the PostgreSQL server runs with {forgetful}: it would lose what the hub has acknowledged when its machine fails. \
             Switch it on in postgresql.conf and restart the server; only a hub with --dev does without"
        ),
    ))
}

fn bad_address(why: impl Into<String>) -> StoreError {
    let source = Some(Arc::new(Because(why.into())) as crate::store::error::Cause);
    StoreError::Misuse {
        label: "open",
        what: "the address of PostgreSQL cannot be used".to_owned(),
        source,
    }
}
