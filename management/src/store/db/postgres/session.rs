//! One connection to PostgreSQL.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use bytes::BytesMut;
use futures::future::{join, join3, try_join_all};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Error, SimpleQueryMessage, Statement};

use super::Mode;
use super::error::{commit_failed, translate};
use crate::store::db::row::{Columns, Row};
use crate::store::db::value::Value;
use crate::store::db::{sql, tx};
use crate::store::error::StoreError;

pub(in crate::store::db) struct Session {
    client: Client,
    statements: HashMap<Key, Prepared>,
    pub(super) mode: Mode,
    /// BEGIN has been sent. It goes out together with the first statement, which saves a round trip.
    begun: AtomicBool,
    /// The server's number for the transaction, by which its fate can be asked after; 0 before it is known.
    id: AtomicI64,
    pub(in crate::store::db) label: &'static str,
}

/// Where a `&'static str` lies in memory: cheaper to hash than what it says. And whether it may lock.
type Key = (usize, usize, bool);

#[derive(Clone)]
struct Prepared {
    statement: Statement,
    columns: Arc<Columns>,
}

/// The first half of the keys of all our advisory locks; arbitrary, and ours for ever.
const OUR_LOCKS: i32 = 723_542_019;

/// Settings of the server.
pub(super) struct Durability {
    pub(super) fsync: String,
    pub(super) full_page_writes: String,
    pub(super) synchronous_commit: String,
}

/// How many statements go out together with COMMIT at most. Every one of them has to be sent before it, or it would run outside
/// of the transaction; so few are polled one after another, in their order, by `try_join_all`.
const WITH_COMMIT: usize = 24;

/// How many statements of a fan-out are on their way at once.
const PIPELINE: usize = 512;

impl Session {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            statements: HashMap::new(),
            mode: Mode::Write,
            begun: AtomicBool::new(false),
            id: AtomicI64::new(0),
            label: "open",
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(in crate::store::db) async fn query(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let prepared = self.prepare(sql, params).await?;
        let outcome = self.in_transaction(self.rows(&prepared, params)).await;
        self.settle(outcome)
    }

    /// Runs statements one after another, all of them on their way before the first answer is there: one round trip.
    pub(in crate::store::db) async fn query_all(
        &mut self,
        asks: &[(&'static str, &[Value])],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut prepared = Vec::with_capacity(asks.len());
        for (sql, params) in asks {
            prepared.push(self.prepare(sql, params).await?);
        }
        // As in a fan-out: each is sent when it is first polled, and that is in their order.
        let each = prepared
            .iter()
            .zip(asks)
            .map(|(prepared, (_, params))| self.rows(prepared, params));
        let outcome = self.in_transaction(try_join_all(each)).await;
        self.settle(outcome)
    }

    async fn rows(&self, prepared: &Prepared, params: &[Value]) -> Result<Vec<Row>, Error> {
        let rows = self.client.query_raw(&prepared.statement, params).await?;
        let width = prepared.columns.names.len();
        let rows = rows.map(|row| {
            let row = row?;
            let values = (0..width)
                .map(|at| row.try_get::<_, Value>(at))
                .collect::<Result<_, _>>()?;
            Ok(Row::new(Arc::clone(&prepared.columns), values))
        });
        rows.try_collect().await
    }

    pub(in crate::store::db) async fn execute(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<u64, StoreError> {
        let prepared = self.prepare_execute(sql, params).await?;
        let outcome = self
            .in_transaction(self.client.execute_raw(&prepared.statement, params))
            .await;
        self.settle(outcome)
    }

    pub(in crate::store::db) async fn execute_each<P>(
        &mut self,
        sql: &'static str,
        rows: &[P],
    ) -> Result<u64, StoreError>
    where
        P: AsRef<[Value]> + Sync,
    {
        let mut changed = 0;
        for chunk in rows.chunks(PIPELINE) {
            let Some(first) = chunk.first() else { break };
            let prepared = self.prepare_execute(sql, first.as_ref()).await?;
            for row in chunk {
                self.check(&prepared, row.as_ref())?;
            }
            // The futures send their statement when first polled, one after another, and then wait for the answers.
            let each = chunk
                .iter()
                .map(|row| self.client.execute_raw(&prepared.statement, row.as_ref()));
            let outcome = self.in_transaction(try_join_all(each)).await;
            changed += self.settle(outcome)?.into_iter().sum::<u64>();
        }
        Ok(changed)
    }

    /// Runs a statement in a savepoint, in one round trip; after a failure in two.
    pub(in crate::store::db) async fn attempt(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<u64, StoreError> {
        let prepared = self.prepare_execute(sql, params).await?;
        let all = join3(
            self.client.batch_execute("SAVEPOINT attempt"),
            self.client.execute_raw(&prepared.statement, params),
            self.client.batch_execute("RELEASE attempt"),
        );
        let outcome = self
            .in_transaction(async {
                let (savepoint, outcome, release) = all.await;
                savepoint?;
                Ok((outcome, release))
            })
            .await;
        match self.settle(outcome)? {
            (Ok(changed), release) => self.settle(release.map(|()| changed)),
            (Err(error), _) => {
                let error = translate(self.label, error);
                if matches!(error, StoreError::Conflict { .. }) {
                    let undone = self
                        .client
                        .batch_execute("ROLLBACK TO attempt; RELEASE attempt")
                        .await;
                    self.settle(undone)?;
                }
                Err(error)
            }
        }
    }

    pub(in crate::store::db) async fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        let outcome = self.in_transaction(self.client.batch_execute(sql)).await;
        self.settle(outcome)
    }

    /// Runs statements and commits, all of them on their way before the first answer is there.
    pub(in crate::store::db) async fn commit_after(
        &mut self,
        last: &[(&'static str, Vec<Vec<Value>>)],
    ) -> Result<(), StoreError> {
        let count: usize = last.iter().map(|(_, rows)| rows.len()).sum();
        // The number of a transaction that has not begun is not known before COMMIT would be sent.
        if count > WITH_COMMIT || !self.begun.load(Ordering::Relaxed) {
            for (sql, rows) in last {
                self.execute_each(sql, rows).await?;
            }
            return self.commit().await;
        }
        let mut prepared = Vec::with_capacity(count);
        for (sql, rows) in last {
            for params in rows {
                prepared.push((self.prepare_execute(sql, params).await?, params));
            }
        }
        self.begun.store(false, Ordering::Relaxed);
        let each = prepared
            .iter()
            .map(|(prepared, params)| self.client.execute_raw(&prepared.statement, params.as_slice()));
        // COMMIT of a transaction in which a statement has failed is answered like any other, and undoes it.
        let (ran, committed) = join(try_join_all(each), self.client.batch_execute("COMMIT")).await;
        ran.and(committed)
            .map_err(|error| commit_failed(self.label, error))
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        if !self.begun.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let outcome = self.client.batch_execute("COMMIT").await;
        match (self.mode, outcome) {
            (_, Ok(())) => Ok(()),
            (Mode::Write, Err(error)) => Err(commit_failed(self.label, error)),
            (Mode::Read, Err(error)) => Err(translate(self.label, error)),
        }
    }

    /// Takes an advisory lock for this connection, outside any transaction; whether it was free.
    pub(super) async fn try_lock(&mut self, key: i32) -> Result<bool, StoreError> {
        let sql = "SELECT pg_try_advisory_lock($1, $2)";
        let outcome = self.client.query_one(sql, &[&OUR_LOCKS, &key]).await;
        self.settle(outcome.and_then(|row| row.try_get(0)))
    }

    pub(super) async fn unlock(&mut self, key: i32) -> Result<(), StoreError> {
        let sql = "SELECT pg_advisory_unlock($1, $2)";
        let outcome = self.client.query_one(sql, &[&OUR_LOCKS, &key]).await;
        self.settle(outcome.map(drop))
    }

    /// What decides whether an acknowledged transaction outlives a failure of the server's machine.
    pub(super) async fn durability(&mut self) -> Result<Durability, StoreError> {
        let sql = "SELECT current_setting('fsync'), current_setting('full_page_writes'), \
                   current_setting('synchronous_commit')";
        let outcome = self.client.query_one(sql, &[]).await;
        self.settle(outcome.and_then(|row| {
            Ok(Durability {
                fsync: row.try_get(0)?,
                full_page_writes: row.try_get(1)?,
                synchronous_commit: row.try_get(2)?,
            })
        }))
    }

    /// The server's number for the transaction that was last begun.
    pub(super) fn id(&self) -> i64 {
        self.id.load(Ordering::Relaxed)
    }

    pub(super) async fn roll_back(&mut self) -> Result<(), Error> {
        if self.begun.swap(false, Ordering::Relaxed) {
            self.client.batch_execute("ROLLBACK").await
        } else {
            Ok(())
        }
    }

    /// Runs a statement, behind BEGIN when it is the first.
    async fn in_transaction<T>(&self, run: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        // Noted before anything is awaited: whoever drops this future leaves an open transaction behind.
        if self.begun.swap(true, Ordering::Relaxed) {
            return run.await;
        }
        let (begun, outcome) = join(self.begin(), run).await;
        begun.and(outcome)
    }

    async fn begin(&self) -> Result<(), Error> {
        match self.mode {
            Mode::Read => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                self.client.batch_execute(begin).await
            }
            Mode::Write => {
                // The number comes with the same answer, so that it is there before COMMIT is sent.
                let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT txid_current()";
                self.id.store(0, Ordering::Relaxed);
                let answers = self.client.simple_query(begin).await?;
                let id = answers.iter().find_map(|answer| match answer {
                    SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
                    _ => None,
                });
                self.id.store(id.unwrap_or(0), Ordering::Relaxed);
                Ok(())
            }
        }
    }

    fn settle<T>(&self, outcome: Result<T, Error>) -> Result<T, StoreError> {
        outcome.map_err(|error| translate(self.label, error))
    }

    async fn prepare_execute(&mut self, sql: &'static str, params: &[Value]) -> Result<Prepared, StoreError> {
        let prepared = self.prepare(sql, params).await?;
        if prepared.columns.names.is_empty() {
            return Ok(prepared);
        }
        Err(StoreError::misuse(
            self.label,
            "a statement that returns rows was run with execute",
        ))
    }

    async fn prepare(&mut self, sql: &'static str, params: &[Value]) -> Result<Prepared, StoreError> {
        let locks = self.mode == Mode::Write;
        let key = (sql.as_ptr() as usize, sql.len(), locks);
        let prepared = match self.statements.get(&key) {
            Some(prepared) => prepared.clone(),
            None => {
                let statement = self.client.prepare(&sql::for_postgres(sql, locks)).await;
                let statement = self.settle(statement)?;
                let names = statement
                    .columns()
                    .iter()
                    .map(|column| column.name().into())
                    .collect();
                let columns = Arc::new(Columns {
                    table: sql::table(sql),
                    names,
                });
                let prepared = Prepared { statement, columns };
                self.statements.insert(key, prepared.clone());
                prepared
            }
        };
        self.check(&prepared, params)?;
        Ok(prepared)
    }

    fn check(&self, prepared: &Prepared, params: &[Value]) -> Result<(), StoreError> {
        let wanted = prepared.statement.params().len();
        if wanted != params.len() {
            let what = format!("a statement with {wanted} parameters was given {}", params.len());
            return Err(StoreError::misuse(self.label, what));
        }
        tx::check(self.label, params)
    }
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match (self, ty) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::I64(number), &Type::INT8) => number.to_sql(ty, out),
            (Self::I64(number), &Type::INT4) => i32::try_from(*number)?.to_sql(ty, out),
            (Self::Text(text), &Type::TEXT | &Type::VARCHAR | &Type::NAME) => text.to_sql(ty, out),
            (Self::Bytes(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            _ => Err(format!("{} was given for a parameter of type {ty}", self.kind()).into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        // Which value goes with which type is decided by to_sql, which knows both.
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        match *ty {
            Type::INT8 => i64::from_sql(ty, raw).map(Self::I64),
            Type::INT4 => i32::from_sql(ty, raw).map(|number| Self::I64(number.into())),
            Type::BOOL => bool::from_sql(ty, raw).map(|truth| Self::I64(truth.into())),
            Type::BYTEA => Ok(Self::Bytes(raw.to_vec())),
            _ => String::from_sql(ty, raw).map(Self::Text),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(
            *ty,
            Type::INT8
                | Type::INT4
                | Type::BOOL
                | Type::TEXT
                | Type::VARCHAR
                | Type::NAME
                | Type::UNKNOWN
                | Type::BYTEA
        )
    }
}
