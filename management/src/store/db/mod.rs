//! Transactions on two databases with one SQL text.
//!
//! [`Db::write`] and [`Db::read`] take a closure that gets a [`Tx`] and runs statements on it:
//!
//! ```no_run
//! # use hadron_management::store::{Db, StoreError, Topic, params};
//! # async fn example(db: Db, name: String) -> Result<(), StoreError> {
//! // A name that is taken is an answer here, not an error: `false`.
//! let added = db
//!     .write("add meta", move |tx| {
//!         Box::pin(async move {
//!             let sql = "INSERT INTO meta (key, value) VALUES ($1, $2)";
//!             match tx.attempt(sql, &params![name, "new"]).await {
//!                 Ok(_) => tx.after_commit(Topic::Changes),
//!                 Err(error) if error.unique() == Some("meta_pkey") => return Ok(false),
//!                 Err(error) => return Err(error),
//!             }
//!             Ok::<_, StoreError>(true)
//!         })
//!     })
//!     .await?;
//! let keys = db
//!     .read("list meta", |tx| {
//!         Box::pin(async move {
//!             let rows = tx.query("SELECT key FROM meta ORDER BY key", &[]).await?;
//!             rows.iter().map(|row| row.get("key")).collect::<Result<Vec<String>, StoreError>>()
//!         })
//!     })
//!     .await?;
//! # let _ = (added, keys);
//! # Ok(())
//! # }
//! ```
//!
//! A closure does nothing but talk to its transaction: no sleeping, no network, no locks. On SQLite it runs to its end
//! in one go on the writer's thread, and one that waits for something else is refused as [`StoreError::Misuse`]. It may
//! be dropped half-way by nobody: once started it ends, even if the caller has gone away.
//!
//! # SQLite
//! One thread owns the only connection that writes. It runs the transactions that wait, each in its own savepoint,
//! inside one `BEGIN IMMEDIATE ... COMMIT` (group commit), and answers after the COMMIT: one fsync serves up to
//! [`SqliteOptions::batch`] transactions. A transaction that fails rolls back its own savepoint only; a COMMIT that
//! fails fails all. An answer means that the batch is on the disk (`synchronous = FULL`); nothing acknowledged is in memory
//! only. Reads run on a few read-only connections, each on a snapshot of what is committed.
//!
//! # PostgreSQL
//! A pool of connections, READ COMMITTED for writes, a REPEATABLE READ READ ONLY snapshot for reads, statements
//! prepared once per connection. Nothing is retried here, since a closure runs once: [`StoreError::is_passing`] tells
//! the caller what is worth being done again. When the answer to a COMMIT is lost, the server is asked over another connection
//! what became of the transaction; only when it was restarted meanwhile nobody knows ([`StoreError::CommitUnknown`]). A server
//! that runs without fsync is refused, and connections override a `synchronous_commit` that would acknowledge from memory. Poolers that share a server connection between transactions do not work (prepared
//! statements, LISTEN); use session pooling or none.
//!
//! # Rules for SQL
//! * Statements are `&'static str`; parameters are `$1` to `$n`, all of them used.
//! * Types: `TEXT`, `BIGINT` (`INTEGER` in SQLite's strict tables), `BYTEA` (`BLOB`). Truth is 0 or 1, time is
//!   microseconds. Nothing else: no `NUMERIC` (`CAST(sum(x) AS BIGINT)`), no JSON operators, no database time or random
//!   functions. `x / y` and `x % y` are whole-number on both.
//! * A parameter without a column beside it has no type on PostgreSQL: `CAST($1 AS TEXT) IS NULL`.
//! * `RETURNING`, `ON CONFLICT`, partial unique indexes, common table expressions (SELECT only), `UPDATE ... FROM` and
//!   window functions are fine. `RETURNING` promises no order.
//! * Name every column: no `SELECT *`, no `RETURNING *`; a replica of the next release may add columns at any moment.
//! * `/*for-update*/` at the end of a SELECT becomes `FOR NO KEY UPDATE` on PostgreSQL and nothing on SQLite, where there is
//!   one writer; likewise `/*skip-locked*/` becomes `FOR NO KEY UPDATE SKIP LOCKED`. Whatever is read in order to be changed needs one of
//!   them, or a condition in the UPDATE that notices a change in between.
//! * `/*for-share*/` becomes `FOR SHARE`: for what is read only to be sure that it stays so until the transaction ends. Those
//!   who share a row do not wait for each other; whoever changes it waits for all of them. `/*for-share-nowait*/` is the same
//!   for whoever must not wait (see the order below): instead the transaction is refused as one that somebody was in the way
//!   of, and is done again. In [`Db::read`] all four vanish.
//! * Text sorts by bytes on both (`COLLATE "C"` in PostgreSQL's migrations). `LIKE` is case-sensitive on both. NULL sorts
//!   last on one and first on the other: write `NULLS FIRST` or `NULLS LAST`.
//! * No deferrable constraint: it would fail at COMMIT, together with other people's transactions.
//! * Uniqueness is a `CREATE UNIQUE INDEX` with a name, no two on the same columns of a table; checks have names. These
//!   names are what [`StoreError::Conflict`] carries. A primary key is called `<table>_pkey`.
//! * After an error the transaction is lost on both databases. See [`Tx`].

//!
//! # The order of locks
//! On PostgreSQL two transactions that lock the same rows in different order wait for each other until one of them is thrown
//! out, a second later. So every transaction locks in this order, and leaves out what it does not need:
//!
//! 1. `sequence` row "grants": who computes all grants anew;
//! 2. `service`, by name;
//! 3. `connection`: for update by whoever decides about it, otherwise for share. Whoever learns only further down which
//!    connection it is asks without waiting (`/*for-share-nowait*/`);
//! 4. `job`, by id; all open ones of a connection in one statement;
//! 5. `deployment`, by id. A deployment that has ended is read without a lock: nothing happens to it any more;
//! 6. `target`: environments before what lives in them, then by kind and name. An environment that only has to stay is shared;
//! 7. `component`, `template` (shared, except by whoever changes it), `sync_config`, `sync_blocker`, `repository`;
//! 8. `policy_lane`, by registry, Region and repository;
//! 9. `event_sink`;
//! 10. `data_key`, where an account's first secret is sealed: the row that is inserted for it;
//! 11. what transactions about different things have in common, written at their end by [`Tx`] itself: `deployment_tally`,
//!     `outbox`, the numbers and rows of `event`, the numbers and rows of `audit`.
//!
//! Tests watch that it is kept (`order`). Rows that were inserted in the same transaction are nobody else's yet and may be written at any time. Numbers of
//! [`Sequence::FENCE`] are drawn between 4 and 5 by nobody else than those who lease jobs, which they skipped over when locked;
//! many at once, so seldom.
//! What cannot follow the order is done in a transaction of its own, asked for by the outbox.

mod keys;
#[cfg(any(test, feature = "testing"))]
mod order;
mod postgres;
mod row;
#[cfg(any(test, feature = "postgres-server"))]
pub mod server;
mod sql;
mod sqlite;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tx;
mod value;
mod wake;

#[cfg(test)]
mod conformance;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures::future::BoxFuture;
use hadron_proto::vocab::Timestamp;

pub(in crate::store) use keys::MARK;
pub use keys::{Kek, KeyError, Place, Wrapped};
pub use postgres::PostgresOptions;
pub use row::Row;
pub use sqlite::SqliteOptions;
#[cfg(any(test, feature = "testing"))]
pub use sqlite::inline::{Fate, Gate, SimulatedStore};
pub(in crate::store) use tx::{HUB, Late};
pub use tx::{Made, Sequence, Tx};
pub use value::{FromValue, Mismatch, Value, params};
pub use wake::{Subscription, Topic};

use crate::clock::Clock;
use crate::meter::{Distribution, Histogram};
use crate::store::error::StoreError;

/// A database. Clones share it.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    engine: Engine,
    wakes: Arc<wake::Wakes>,
    counts: Arc<Counts>,
    keys: Arc<keys::Keyring>,
    clock: Clock,
}

/// What has been written since the database was opened. Their ratio is the size of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Transactions that were acknowledged as committed.
    pub transactions: u64,
    /// COMMITs that carried them; fewer on SQLite, as many on PostgreSQL.
    pub commits: u64,
}

/// Limits between which writes are counted, in seconds: a disk that syncs takes a millisecond or ten.
const WRITE_LIMITS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

#[derive(Debug)]
struct Counts {
    transactions: AtomicU64,
    commits: AtomicU64,
    /// How long writes took, from when they were asked for until they were answered, whatever the answer was.
    writes: Histogram,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            transactions: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            writes: Histogram::new(&WRITE_LIMITS),
        }
    }
}

impl Counts {
    fn committed(&self, transactions: usize) {
        self.transactions
            .fetch_add(transactions as u64, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
    }
}

/// The right to do a piece of work alone, see [`Db::alone`].
#[must_use]
pub struct Alone(Option<postgres::Held>);

impl Alone {
    /// Lets others.
    pub async fn end(self) {
        if let Some(held) = self.0 {
            held.end().await;
        }
    }
}

enum Engine {
    Sqlite(sqlite::Sqlite),
    #[cfg(any(test, feature = "testing"))]
    Inline(sqlite::inline::Inline),
    Postgres(postgres::Postgres),
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0.engine {
            Engine::Sqlite(_) => "Db(SQLite)",
            #[cfg(any(test, feature = "testing"))]
            Engine::Inline(_) => "Db(SQLite, in memory)",
            Engine::Postgres(_) => "Db(PostgreSQL)",
        })
    }
}

impl Db {
    /// Opens or creates a SQLite database. The schema is [`migrate`](crate::store::migrate)'s business.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be opened, [`StoreError::Corrupt`] when it is no database.
    pub async fn open_sqlite(path: &Path, clock: Clock, options: SqliteOptions) -> Result<Self, StoreError> {
        let (wakes, counts) = (Arc::new(wake::Wakes::default()), Arc::<Counts>::default());
        let keys = Arc::<keys::Keyring>::default();
        let sqlite = sqlite::Sqlite::open(
            path.to_owned(),
            clock.clone(),
            options,
            Arc::clone(&wakes),
            Arc::clone(&counts),
            Arc::clone(&keys),
        )
        .await?;
        Ok(Self(Arc::new(Inner {
            engine: Engine::Sqlite(sqlite),
            wakes,
            counts,
            keys,
            clock,
        })))
    }

    /// Opens a simulated database for one more hub. `gate` is asked before every transaction.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn open_simulated(store: &SimulatedStore, clock: Clock, gate: Gate) -> Self {
        let (wakes, counts) = (Arc::new(wake::Wakes::default()), Arc::<Counts>::default());
        let keys = Arc::<keys::Keyring>::default();
        let inline = sqlite::inline::Inline::open(store, gate, Arc::clone(&wakes), Arc::clone(&counts));
        Self(Arc::new(Inner {
            engine: Engine::Inline(inline),
            wakes,
            counts,
            keys,
            clock,
        }))
    }

    /// Connects to a PostgreSQL database, `postgres://user@host/name` or `host=... dbname=...`. A server that is not on
    /// this machine must speak TLS with a certificate that verifies, see [`PostgresOptions`].
    ///
    /// # Errors
    /// [`StoreError::Misuse`] for an address that cannot be used, [`StoreError::Unavailable`] when nobody answers.
    pub async fn open_postgres(
        url: &str,
        clock: Clock,
        options: PostgresOptions,
    ) -> Result<Self, StoreError> {
        let (wakes, counts) = (Arc::new(wake::Wakes::default()), Arc::<Counts>::default());
        let keys = Arc::<keys::Keyring>::default();
        let postgres = postgres::Postgres::open(
            url,
            clock.clone(),
            options,
            Arc::clone(&wakes),
            Arc::clone(&counts),
            Arc::clone(&keys),
        )
        .await?;
        Ok(Self(Arc::new(Inner {
            engine: Engine::Postgres(postgres),
            wakes,
            counts,
            keys,
            clock,
        })))
    }

    /// Gives the keys to the database: from here on what is secret is sealed before it is written, and opened when it is
    /// read. Only the first time counts. Without them nothing is sealed, and sealed values cannot be read.
    pub fn unlock(&self, kek: Arc<dyn Kek>) {
        self.0.keys.unlock(kek);
    }

    /// Runs `work` in a transaction and commits it; answers after the COMMIT. When `work` fails, nothing is written.
    ///
    /// # Errors
    /// What `work` returns, or a [`StoreError`] of the transaction itself.
    pub async fn write<T, E, F>(&self, label: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let asked = Instant::now();
        let written = match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.write(label, work).await,
            #[cfg(any(test, feature = "testing"))]
            Engine::Inline(inline) => inline.write(label, work).await,
            Engine::Postgres(postgres) => postgres.write(label, work).await,
        };
        self.0.counts.writes.observe(asked.elapsed());
        written
    }

    /// Runs `work` on a read-only snapshot of what is committed.
    ///
    /// # Errors
    /// What `work` returns, or a [`StoreError`] of the transaction itself.
    pub async fn read<T, E, F>(&self, label: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.read(label, work).await,
            #[cfg(any(test, feature = "testing"))]
            Engine::Inline(inline) => inline.read(label, work).await,
            Engine::Postgres(postgres) => postgres.read(label, work).await,
        }
    }

    /// The time by the clock that all replicas share: the database server's, or this hub's on SQLite.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        match &self.0.engine {
            Engine::Sqlite(_) => Ok(self.0.clock.now()),
            #[cfg(any(test, feature = "testing"))]
            Engine::Inline(inline) => Ok(inline.now()),
            Engine::Postgres(_) => self.read("now", |tx| Box::pin(tx.now())).await,
        }
    }

    /// Whether other hubs may work on the same database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        match self.0.engine {
            Engine::Sqlite(_) => false,
            #[cfg(any(test, feature = "testing"))]
            Engine::Inline(_) => true,
            Engine::Postgres(_) => true,
        }
    }

    /// Asks to be the only one, among all hubs on this database, who does the work of this name: `None` while somebody else
    /// does it. It lasts until [`Alone::end`], or until the hub dies. On SQLite there is one hub, and it always may.
    ///
    /// Only what is harmless when two do it may rest on this: a hub that is cut off from its database goes on for a moment.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn alone(&self, name: &str) -> Result<Option<Alone>, StoreError> {
        match &self.0.engine {
            Engine::Sqlite(_) => Ok(Some(Alone(None))),
            // Whoever asks may: it must be harmless when two do.
            #[cfg(any(test, feature = "testing"))]
            Engine::Inline(_) => Ok(Some(Alone(None))),
            Engine::Postgres(postgres) => Ok(postgres.alone(name).await?.map(|held| Alone(Some(held)))),
        }
    }

    /// Waits for commits that name this topic.
    #[must_use]
    pub fn subscribe(&self, topic: Topic) -> Subscription {
        self.0.wakes.subscribe(topic)
    }

    /// What has been written so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let counts = &self.0.counts;
        Stats {
            transactions: counts.transactions.load(Ordering::Relaxed),
            commits: counts.commits.load(Ordering::Relaxed),
        }
    }

    /// How long writes took so far: waiting for their turn, their statements, and COMMIT.
    #[must_use]
    pub fn write_times(&self) -> Distribution {
        self.0.counts.writes.read()
    }

    /// Copies a SQLite database, while it is in use, to a file that must not exist yet.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] on PostgreSQL, which has tools of its own (`pg_dump`, base backups).
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.backup(to.to_owned()).await,
            #[cfg(any(test, feature = "testing"))]
            Engine::Inline(_) => Err(StoreError::misuse("backup", "a simulated database has no file")),
            Engine::Postgres(_) => Err(StoreError::misuse(
                "backup",
                "use pg_dump or a base backup for PostgreSQL",
            )),
        }
    }

    /// Takes no more transactions, ends those that were accepted, and closes the database.
    pub async fn close(&self) {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            #[cfg(any(test, feature = "testing"))]
            Engine::Inline(_) => {}
            Engine::Postgres(postgres) => postgres.close().await,
        }
    }
}
