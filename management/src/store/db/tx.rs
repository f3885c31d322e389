//! A transaction: statements, sequences, wake-ups.

mod seal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hadron_domain::arn::Resource;
use hadron_proto::vocab::{EnvironmentName, Id, IdKind, Timestamp};

use super::keys::{DataKey, Keyring};
use super::value::{Value, params};
use super::wake::Topic;
use super::{Row, postgres, sqlite};
use crate::clock::Clock;
use crate::store::audit::Origin;
use crate::store::error::{Because, StoreError};

/// A sequence of numbers that only grow; one row of table `sequence` each.
///
/// Drawing a number holds the row until the transaction ends, so numbers are committed in their order and a reader that
/// saw `n` never misses a smaller one later. The price: transactions that draw from one sequence commit one after
/// another on PostgreSQL. Draw late in the transaction, and always in the same order when drawing from several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence(pub &'static str);

impl Sequence {
    /// Fencing tokens of leases.
    pub const FENCE: Self = Self("fence");
    /// The order of events. Drawn by [`Tx::late`] only.
    pub const CHANGE: Self = Self("change");
    /// The lines of the audit log. Drawn by [`Tx::late`] only.
    pub const AUDIT: Self = Self("audit");
    /// Decisions by which trust in agents may have ended: hubs compare their sessions when it has grown. Drawn by
    /// [`Tx::late`] only.
    pub const TRUST: Self = Self("trust");
}

/// What is written last of all, just before COMMIT, and in this order.
///
/// These rows are the ones that transactions about quite different things have in common. Whoever wrote them in the midst of
/// a transaction would hold them while waiting for rows of its own matter, and two such transactions would wait for each
/// other for ever. Written last, they are held for a moment only, and whoever holds one waits for nothing but later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) enum Late {
    /// Counts of deployments that have ended.
    Tally,
    /// Rows of the outbox, by topic and key.
    Outbox,
    /// Events, numbered by [`Sequence::CHANGE`].
    Event,
    /// Lines of the audit log, numbered by [`Sequence::AUDIT`].
    Audit,
    /// That trust in agents may have ended: nothing but the number of [`Sequence::TRUST`].
    Trust,
}

impl Late {
    const fn sequence(self) -> Option<Sequence> {
        match self {
            Self::Tally | Self::Outbox => None,
            Self::Event => Some(Sequence::CHANGE),
            Self::Audit => Some(Sequence::AUDIT),
            Self::Trust => Some(Sequence::TRUST),
        }
    }
}

/// The scope of what belongs to no account.
pub(in crate::store) const HUB: &str = "hub";

/// Draws numbers of a sequence, without telling which.
const DRAW: &str = "INSERT INTO sequence (name, value) VALUES ($1, $2) \
                    ON CONFLICT (name) DO UPDATE SET value = sequence.value + excluded.value";

/// Statements that wait for the end of a transaction: one text, and its parameters by the key that sorts them.
struct LateRows {
    sql: &'static str,
    rows: BTreeMap<String, Vec<Value>>,
}

pub(super) enum Engine {
    Sqlite(sqlite::Session),
    Postgres(postgres::Session),
}

/// Something that was made in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What.
    pub resource: Resource,
    /// The environment that it lives in.
    pub environment: Option<EnvironmentName>,
}

/// A transaction. Handed to the closures of [`Db::write`](super::Db::write) and [`Db::read`](super::Db::read).
///
/// After a statement has failed, the transaction is lost on both databases: return the error. Where a conflict is
/// expected, say `ON CONFLICT DO NOTHING`, or use [`attempt`](Self::attempt).
pub struct Tx {
    pub(super) engine: Engine,
    state: State,
    wakes: BTreeSet<Topic>,
    made: Vec<Made>,
    late: BTreeMap<Late, LateRows>,
    now: Option<Timestamp>,
    origin: Origin,
    keys: Arc<Keyring>,
    /// What is current in `keys` was read since then.
    epoch: u64,
    /// Data keys that this transaction has made: nobody else may seal with them before it is committed.
    fresh: BTreeMap<String, Arc<DataKey>>,
    label: &'static str,
    clock: Clock,
    #[cfg(any(test, feature = "testing"))]
    order: super::order::Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Clean,
    /// A statement was sent; stays so when its future is dropped, since then nobody knows how it ended.
    Running,
    Failed,
}

impl Tx {
    pub(super) fn new(engine: Engine, clock: Clock, keys: Arc<Keyring>) -> Self {
        Self {
            engine,
            state: State::Clean,
            wakes: BTreeSet::new(),
            made: Vec::new(),
            late: BTreeMap::new(),
            now: None,
            origin: Origin::default(),
            epoch: keys.epoch(),
            keys,
            fresh: BTreeMap::new(),
            label: "",
            clock,
            #[cfg(any(test, feature = "testing"))]
            order: super::order::Order::default(),
        }
    }

    /// Begins anew under this label.
    pub(super) fn start(&mut self, label: &'static str) {
        self.state = State::Clean;
        self.wakes.clear();
        self.made.clear();
        self.late.clear();
        self.now = None;
        self.origin = Origin::default();
        self.epoch = self.keys.epoch();
        self.fresh.clear();
        #[cfg(any(test, feature = "testing"))]
        self.order.clear();
        self.label = label;
        match &mut self.engine {
            Engine::Sqlite(session) => session.label = label,
            Engine::Postgres(session) => session.label = label,
        }
    }

    /// Whether this transaction may be committed: no statement failed or was abandoned.
    pub(super) fn verdict(&self) -> Result<(), StoreError> {
        match self.state {
            State::Clean => Ok(()),
            State::Running => Err(StoreError::misuse(
                self.label,
                "a statement was abandoned before it ended",
            )),
            State::Failed => Err(StoreError::misuse(
                self.label,
                "went on after a statement had failed",
            )),
        }
    }

    pub(super) fn take_wakes(&mut self) -> BTreeSet<Topic> {
        std::mem::take(&mut self.wakes)
    }

    /// The label of this transaction, for messages.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        self.label
    }

    /// Runs a statement and returns its rows.
    ///
    /// # Errors
    /// [`StoreError`]; the transaction is lost then.
    pub async fn query(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let mut rows = self.ask(sql, params).await?;
        self.unlock(&mut rows).await?;
        Ok(rows)
    }

    async fn ask(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.enter()?;
        let outcome = match &mut self.engine {
            Engine::Sqlite(session) => session.query(sql, params),
            Engine::Postgres(session) => session.query(sql, params).await,
        };
        let outcome = self.leave(outcome);
        self.watch(sql, params, outcome.as_deref().unwrap_or_default());
        outcome
    }

    /// Runs several statements, each of which could be run whatever the others say; they run in this order. On PostgreSQL all
    /// of them are one round trip.
    ///
    /// # Errors
    /// [`StoreError`]; the transaction is lost then.
    pub async fn query_all<const N: usize>(
        &mut self,
        asks: [(&'static str, &[Value]); N],
    ) -> Result<[Vec<Row>; N], StoreError> {
        self.enter()?;
        let outcome = match &mut self.engine {
            Engine::Sqlite(session) => asks
                .iter()
                .map(|(sql, params)| session.query(sql, params))
                .collect(),
            Engine::Postgres(session) => session.query_all(&asks).await,
        };
        let mut outcome: Vec<Vec<Row>> = self.leave(outcome)?;
        for ((sql, params), rows) in asks.iter().zip(&outcome) {
            self.watch(sql, params, rows);
        }
        for rows in &mut outcome {
            self.unlock(rows).await?;
        }
        outcome
            .try_into()
            .map_err(|_| StoreError::misuse(self.label, "not as many answers as statements"))
    }

    /// Runs a statement that returns at most one row.
    ///
    /// # Errors
    /// [`StoreError`]; more than one row is [`StoreError::Corrupt`].
    pub async fn query_opt(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Option<Row>, StoreError> {
        let mut rows = self.query(sql, params).await?;
        if rows.len() > 1 {
            let why = format!("{} rows where there may be one", rows.len());
            return Err(StoreError::corrupt(super::sql::table(sql), Because(why)));
        }
        Ok(rows.pop())
    }

    /// Runs a statement that returns exactly one row.
    ///
    /// # Errors
    /// [`StoreError`]; no row is [`StoreError::NotFound`].
    pub async fn query_one(&mut self, sql: &'static str, params: &[Value]) -> Result<Row, StoreError> {
        let row = self.query_opt(sql, params).await?;
        row.ok_or_else(|| StoreError::NotFound {
            label: self.label,
            what: super::sql::table(sql).to_owned(),
        })
    }

    /// Runs a statement that returns no rows; answers how many it changed.
    ///
    /// # Errors
    /// [`StoreError`]; the transaction is lost then.
    pub async fn execute(&mut self, sql: &'static str, params: &[Value]) -> Result<u64, StoreError> {
        self.enter()?;
        let outcome = match &mut self.engine {
            Engine::Sqlite(session) => session.execute(sql, params),
            Engine::Postgres(session) => session.execute(sql, params).await,
        };
        self.watch(sql, params, &[]);
        self.leave(outcome)
    }

    /// Runs one statement for many rows of parameters; answers how many rows it changed in all. On PostgreSQL the
    /// statements are pipelined, so that a fan-out costs one round trip and not one for each.
    ///
    /// # Errors
    /// [`StoreError`]; the transaction is lost then.
    pub async fn execute_each<P>(&mut self, sql: &'static str, rows: &[P]) -> Result<u64, StoreError>
    where
        P: AsRef<[Value]> + Sync,
    {
        self.enter()?;
        let outcome = match &mut self.engine {
            Engine::Sqlite(session) => {
                rows.iter().try_fold(
                    0,
                    |changed, row| Ok(changed + session.execute(sql, row.as_ref())?),
                )
            }
            Engine::Postgres(session) => session.execute_each(sql, rows).await,
        };
        self.leave(outcome)
    }

    /// Like [`execute`](Self::execute), but the transaction goes on after a [`StoreError::Conflict`].
    ///
    /// # Errors
    /// [`StoreError`]; the transaction is lost then, except after a conflict.
    pub async fn attempt(&mut self, sql: &'static str, params: &[Value]) -> Result<u64, StoreError> {
        self.enter()?;
        let outcome = match &mut self.engine {
            // A failed statement of SQLite undoes itself and nothing else.
            Engine::Sqlite(session) => session.execute(sql, params),
            Engine::Postgres(session) => session.attempt(sql, params).await,
        };
        if matches!(outcome, Err(StoreError::Conflict { .. })) {
            self.state = State::Clean;
            return outcome;
        }
        self.leave(outcome)
    }

    /// The next number of a sequence, from 1.
    ///
    /// # Errors
    /// [`StoreError`]; the transaction is lost then.
    pub async fn next(&mut self, sequence: Sequence) -> Result<u64, StoreError> {
        self.next_many(sequence, 1).await
    }

    /// Draws `count` successive numbers; answers the first.
    ///
    /// # Errors
    /// [`StoreError`]; the transaction is lost then.
    pub async fn next_many(&mut self, sequence: Sequence, count: u32) -> Result<u64, StoreError> {
        let row = self
            .query_one(
                "INSERT INTO sequence (name, value) VALUES ($1, $2) \
                 ON CONFLICT (name) DO UPDATE SET value = sequence.value + excluded.value RETURNING value",
                &params![sequence.0, count],
            )
            .await?;
        let last: u64 = row.get("value")?;
        Ok(last.saturating_sub(u64::from(count)) + 1)
    }

    /// The time by the clock that all replicas share: the database server's, or this hub's on SQLite. A transaction has one
    /// time: the same answer however often it asks.
    ///
    /// # Errors
    /// [`StoreError`]; the transaction is lost then.
    pub async fn now(&mut self) -> Result<Timestamp, StoreError> {
        if let Some(now) = self.now {
            return Ok(now);
        }
        let now = match &self.engine {
            Engine::Sqlite(_) => self.clock.now(),
            Engine::Postgres(_) => {
                let sql = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) AS now";
                self.query_one(sql, &[]).await?.get("now")?
            }
        };
        self.now = Some(now);
        Ok(now)
    }

    /// Leaves a row for the end of the transaction, see [`Late`]. Where it gets a number, its first parameter is how far that
    /// is below the last one of its sequence. Of two rows with the same key the later one counts; without a key every row does, in their order.
    pub(in crate::store) fn late(
        &mut self,
        what: Late,
        key: Option<String>,
        sql: &'static str,
        params: Vec<Value>,
    ) {
        let waiting = self.late.entry(what).or_insert_with(|| LateRows {
            sql,
            rows: BTreeMap::new(),
        });
        debug_assert_eq!(waiting.sql, sql, "one statement for each sort of late rows");
        let key = key.unwrap_or_else(|| format!("{:010}", waiting.rows.len()));
        waiting.rows.insert(key, params);
    }

    /// What agents were told may not hold any more: every hub compares its sessions within a second or two.
    pub(in crate::store) fn trust_ended(&mut self) {
        // The number that is drawn for it is all that there is to write: it is the last one.
        let sql = "UPDATE sequence SET value = value - $1 WHERE name = $2";
        self.late(
            Late::Trust,
            Some(String::new()),
            sql,
            params![Sequence::TRUST.0].to_vec(),
        );
    }

    /// Writes what was left for the end.
    pub(super) async fn finish(&mut self) -> Result<(), StoreError> {
        for (sql, rows) in self.take_late() {
            self.execute_each(sql, &rows).await?;
        }
        Ok(())
    }

    /// Writes what was left for the end and commits, on PostgreSQL: in one round trip, since between the draw of a number and
    /// COMMIT everybody else who needs one waits.
    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        let late = self.take_late();
        for (sql, rows) in &late {
            for params in rows {
                self.watch(sql, params, &[]);
            }
        }
        match &mut self.engine {
            Engine::Postgres(session) => session.commit_after(&late).await,
            Engine::Sqlite(_) => Err(StoreError::misuse(
                self.label,
                "SQLite's writer commits by itself",
            )),
        }
    }

    /// The statements for the end, with their rows. Numbers are drawn by the first statement of a sort; each of its rows says
    /// how far its own is below the last one drawn.
    fn take_late(&mut self) -> Vec<(&'static str, Vec<Vec<Value>>)> {
        let mut all = Vec::new();
        for (what, LateRows { sql, rows }) in std::mem::take(&mut self.late) {
            let mut rows: Vec<Vec<Value>> = rows.into_values().collect();
            if let Some(sequence) = what.sequence() {
                let count = rows.len() as u64;
                all.push((DRAW, vec![params![sequence.0, count].to_vec()]));
                for (below, params) in (0..count).rev().zip(&mut rows) {
                    params.insert(0, below.into());
                }
            }
            all.push((sql, rows));
        }
        all
    }

    /// Says from where it came what this transaction does.
    pub fn set_origin(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// From where it came, as far as that is known.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Something with an ARN was made in this transaction.
    pub(in crate::store) fn made(&mut self, resource: Resource, environment: Option<EnvironmentName>) {
        self.made.push(Made {
            resource,
            environment,
        });
    }

    /// What was made in this transaction and not taken yet.
    pub fn take_made(&mut self) -> Vec<Made> {
        std::mem::take(&mut self.made)
    }

    /// A fresh id.
    #[must_use]
    pub fn fresh_id<K: IdKind>(&self) -> Id<K> {
        self.clock.fresh_id()
    }

    /// Wakes the topic's subscribers once this transaction is committed, and only then.
    pub fn after_commit(&mut self, topic: Topic) {
        self.wakes.insert(topic);
    }

    /// Runs a script of several statements without parameters: migrations.
    pub(in crate::store) async fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        self.enter()?;
        let outcome = match &mut self.engine {
            Engine::Sqlite(session) => session.script(sql),
            Engine::Postgres(session) => session.script(sql).await,
        };
        self.leave(outcome)
    }

    /// Keeps other processes from changing the schema until the transaction ends.
    pub(in crate::store) async fn lock_schema(&mut self) -> Result<(), StoreError> {
        match &self.engine {
            // A write transaction excludes every other one anyway.
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(_) => {
                // A migration may take longer than any other statement; the number is arbitrary and ours for ever.
                self.script("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
                    .await?;
                self.script("SELECT pg_advisory_xact_lock(7235420190541)").await
            }
        }
    }

    /// Whether a table exists.
    pub(in crate::store) async fn has_table(&mut self, name: &str) -> Result<bool, StoreError> {
        let sql = match &self.engine {
            Engine::Sqlite(_) => {
                "SELECT count(*) AS found FROM sqlite_schema WHERE type = 'table' AND name = $1"
            }
            Engine::Postgres(_) => {
                "SELECT count(*) AS found FROM pg_class \
                 WHERE relkind = 'r' AND relname = $1 AND relnamespace = current_schema()::regnamespace"
            }
        };
        self.query_one(sql, &params![name])
            .await?
            .get::<i64>("found")
            .map(|found| found > 0)
    }

    /// Whether the other arm of a pair of texts applies: the SQLite one.
    pub(in crate::store) const fn is_sqlite(&self) -> bool {
        matches!(self.engine, Engine::Sqlite(_))
    }

    /// Tests look at the order of locks; nobody else has anything to do here.
    #[cfg(any(test, feature = "testing"))]
    fn watch(&mut self, sql: &'static str, params: &[Value], rows: &[Row]) {
        self.order.ran(self.label, sql, params, rows);
    }

    /// This transaction only reads.
    pub(super) fn only_reads(&mut self) {
        #[cfg(any(test, feature = "testing"))]
        self.order.only_reads();
    }

    #[cfg(not(any(test, feature = "testing")))]
    const fn watch(&self, _: &'static str, _: &[Value], _: &[Row]) {}

    fn enter(&mut self) -> Result<(), StoreError> {
        self.verdict()?;
        self.state = State::Running;
        Ok(())
    }

    fn leave<T>(&mut self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        self.state = if outcome.is_ok() {
            State::Clean
        } else {
            State::Failed
        };
        outcome
    }
}

/// Text that PostgreSQL cannot hold is refused on both.
pub(super) fn check(label: &'static str, params: &[Value]) -> Result<(), StoreError> {
    let nul = |value: &Value| matches!(value, Value::Text(text) if text.as_bytes().contains(&0));
    match params.iter().position(nul) {
        None => Ok(()),
        Some(at) => Err(StoreError::misuse(
            label,
            format!("parameter ${} is text with a NUL character", at + 1),
        )),
    }
}
