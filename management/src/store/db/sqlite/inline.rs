//! SQLite without threads, for simulations: transactions run where they are called, on a database in memory that several
//! hubs share. Nothing here depends on anything but the order of calls, so that a seed can decide everything.
//!
//! It is the same SQL, the same [`Tx`], the same errors. What differs from PostgreSQL with two replicas: transactions do
//! not overlap (a closure runs to its end in one go, as on SQLite always), so that conflicts between two open ones are not
//! seen; the conformance suite and the campaigns with real servers look at those. What differs from the SQLite of a hub:
//! time comes from the clock of the database, as on PostgreSQL, and not from the hub's.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use hadron_proto::fault::{Bug, bug};
use hadron_proto::vocab::Timestamp;

use super::session::Session;
use super::{SqliteOptions, session, writer};
use crate::clock::Clock;
use crate::store::db::tx::{Engine, Tx};
use crate::store::db::wake::Wakes;
use crate::store::db::{Counts, Row, Topic, Value};
use crate::store::error::{Because, Cause, StoreError};

/// Transactions that a store with the bug of answering before the commit leaves uncommitted at most.
const UNCOMMITTED: u32 = 8;

/// A database in memory. Clones are the same one.
#[derive(Clone)]
pub struct SimulatedStore {
    kept: Arc<Mutex<Kept>>,
    clock: Clock,
}

struct Kept {
    tx: Tx,
    /// Transactions that were answered and not committed; none, ever, unless that bug is switched on.
    uncommitted: u32,
}

impl fmt::Debug for SimulatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedStore").finish_non_exhaustive()
    }
}

/// What happens to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is committed, if it does not fail by itself.
    Commit,
    /// The database cannot be reached; nothing happens.
    Refuse,
    /// It is committed, and the answer is lost.
    Unanswered,
}

/// Says for each transaction, by its label, what happens to it, when its turn has come. Others run while it waits for that,
/// and the hub may die: then its turn never comes, so that what a dead hub was doing does nothing more.
pub type Gate = Arc<dyn Fn(&'static str) -> BoxFuture<'static, Fate> + Send + Sync>;

impl SimulatedStore {
    /// An empty one, whose time is this clock's.
    ///
    /// # Errors
    /// When SQLite has no memory.
    pub fn new(clock: Clock) -> Result<Self, StoreError> {
        let session = Session::open_memory(&SqliteOptions::default())?;
        let tx = Tx::new(Engine::Sqlite(session), clock.clone(), Arc::default());
        let kept = Kept { tx, uncommitted: 0 };
        Ok(Self {
            kept: Arc::new(Mutex::new(kept)),
            clock,
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the database server loses when it dies: whatever was not committed.
    pub fn lose_power(&self) {
        let mut kept = self.kept();
        session(&mut kept.tx).roll_back();
        kept.uncommitted = 0;
    }

    /// Looks at the database past all hubs, at once.
    ///
    /// # Errors
    /// When the statement does not run.
    pub fn look(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let mut kept = self.kept();
        kept.tx.start("look");
        session(&mut kept.tx).query(sql, params)
    }
}

/// One hub's way to the database.
pub(in crate::store::db) struct Inline {
    store: SimulatedStore,
    gate: Gate,
    wakes: Arc<Wakes>,
    counts: Arc<Counts>,
}

impl Inline {
    pub(in crate::store::db) fn open(
        store: &SimulatedStore,
        gate: Gate,
        wakes: Arc<Wakes>,
        counts: Arc<Counts>,
    ) -> Self {
        Self {
            store: store.clone(),
            gate,
            wakes,
            counts,
        }
    }

    pub(in crate::store::db) fn now(&self) -> Timestamp {
        self.store.clock.now()
    }

    async fn turn(&self, label: &'static str) -> Result<Fate, StoreError> {
        let fate = (self.gate)(label).await;
        if fate == Fate::Refuse {
            return Err(StoreError::Unavailable {
                doing: "reaching the database",
                source: None,
            });
        }
        Ok(fate)
    }

    pub(in crate::store::db) async fn write<T, E, F>(&self, label: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let fate = self.turn(label).await?;
        let (value, wakes) = {
            let mut kept = self.store.kept();
            run(&mut kept, label, work)?
        };
        self.counts.committed(1);
        self.wakes.wake(&wakes);
        if fate == Fate::Unanswered {
            let source: Cause = Arc::new(Because("the connection broke during COMMIT".to_owned()));
            return Err(StoreError::CommitUnknown { label, source }.into());
        }
        Ok(value)
    }

    pub(in crate::store::db) async fn read<T, E, F>(&self, label: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.turn(label).await?;
        let mut kept = self.store.kept();
        kept.tx.start(label);
        writer::run(&mut kept.tx, label, work)
    }
}

fn run<T, E, F>(kept: &mut Kept, label: &'static str, work: F) -> Result<(T, BTreeSet<Topic>), E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
    E: From<StoreError>,
{
    let Kept { tx, uncommitted } = kept;
    if *uncommitted == 0 {
        session(tx).begin_write()?;
    }
    session(tx).savepoint()?;
    tx.start(label);
    let outcome = writer::run(tx, label, work);
    let wakes = tx.take_wakes();
    if outcome.is_ok() {
        session(tx).keep()?;
    } else {
        session(tx).undo()?;
    }
    // Transactions that were answered and not committed are gone when the power fails.
    if bug(Bug::AckBeforeCommit) && *uncommitted < UNCOMMITTED {
        *uncommitted += 1;
    } else {
        *uncommitted = 0;
        if let Err(error) = session(tx).commit() {
            session(tx).roll_back();
            return Err(StoreError::unavailable("committing", error).into());
        }
    }
    outcome.map(|value| (value, wakes))
}
