//! One connection to SQLite.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hadron_proto::vocab::Digest;
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};

use super::SqliteOptions;
use super::error::{Doing, translate};
use crate::store::db::row::{Columns, Row};
use crate::store::db::value::Value;
use crate::store::db::{sql, tx};
use crate::store::error::StoreError;

pub(in crate::store::db) struct Session {
    conn: Connection,
    texts: HashMap<Key, Text>,
    /// Pages in the write-ahead log after the last commit.
    wal_pages: Arc<AtomicU32>,
    pub(in crate::store::db) label: &'static str,
    /// Whether a statement of the transaction found no room: SQLite may have ended the transaction for that.
    no_room: Cell<bool>,
}

/// Where a `&'static str` lies in memory: cheaper to hash than what it says.
type Key = (usize, usize);

struct Text {
    sql: String,
    columns: Arc<Columns>,
}

impl Session {
    pub(super) fn open_writer(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        super::create(path).map_err(|error| StoreError::unavailable("opening the database file", error))?;
        let mut session = Self::open(path, options, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        session
            .set_up_writer()
            .map_err(|error| translate(Doing::opening(), &session.conn, error))?;
        Ok(session)
    }

    /// A database in memory, gone with its connection.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn open_memory(options: &SqliteOptions) -> Result<Self, StoreError> {
        Self::open(Path::new(":memory:"), options, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    pub(super) fn open_reader(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        let session = Self::open(path, options, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let set_up = session
            .conn
            .execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096;");
        set_up.map_err(|error| translate(Doing::opening(), &session.conn, error))?;
        Ok(session)
    }

    fn open(path: &Path, options: &SqliteOptions, flags: OpenFlags) -> Result<Self, StoreError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)
            .map_err(|error| StoreError::unavailable("opening the database file", error))?;
        conn.set_prepared_statement_cache_capacity(512);
        let set_up = conn.busy_timeout(options.busy).and_then(|()| {
            conn.execute_batch(
                "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; \
                 PRAGMA case_sensitive_like = ON;",
            )
        });
        // Else every statement that compares an indexed column with a parameter is compiled anew whenever the parameter has
        // another value, since statistics might advise another plan: some hundredths of all that the hub does.
        let set_up = set_up
            .and_then(|()| conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true))
            .and_then(|_| digests(&conn));
        set_up.map_err(|error| translate(Doing::opening(), &conn, error))?;
        Ok(Self {
            conn,
            texts: HashMap::new(),
            wal_pages: Arc::default(),
            label: "open",
            no_room: Cell::new(false),
        })
    }

    fn set_up_writer(&mut self) -> rusqlite::Result<()> {
        // FULL syncs the log at every commit; with group commit that costs little, and NORMAL would lose acknowledged
        // transactions when the power fails.
        self.conn.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; \
             PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 0;",
        )?;
        let mode: String = self.conn.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        if mode != "wal" {
            let why = format!(
                "the file system allows no write-ahead log (journal mode is {mode}); use a local disk"
            );
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
            return Err(rusqlite::Error::SqliteFailure(code, Some(why)));
        }
        let pages = Arc::clone(&self.wal_pages);
        self.conn.wal_hook(Some(
            move |_: &mut rusqlite::hooks::Wal, count: std::ffi::c_int| {
                pages.store(u32::try_from(count).unwrap_or(0), Ordering::Relaxed);
                Ok(())
            },
        ))
    }

    pub(in crate::store::db) fn query(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        tx::check(self.label, params)?;
        // The tests that look at query plans read statements here. Values are parameters and no part of them.
        tracing::trace!(label = self.label, statement = sql, "Asked the database");
        self.try_query(sql, params).map_err(|error| self.failed(error))
    }

    fn try_query(&mut self, sql: &'static str, params: &[Value]) -> rusqlite::Result<Vec<Row>> {
        let (mut statement, columns) = prepare(&self.conn, &mut self.texts, sql)?;
        bind(&mut statement, params)?;
        let mut out = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let mut values = Vec::with_capacity(columns.names.len());
            for at in 0..columns.names.len() {
                values.push(value(row.get_ref(at)?, at)?);
            }
            out.push(Row::new(Arc::clone(&columns), values));
        }
        Ok(out)
    }

    pub(in crate::store::db) fn execute(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<u64, StoreError> {
        tx::check(self.label, params)?;
        self.try_execute(sql, params).map_err(|error| self.failed(error))
    }

    fn try_execute(&mut self, sql: &'static str, params: &[Value]) -> rusqlite::Result<u64> {
        let (mut statement, columns) = prepare(&self.conn, &mut self.texts, sql)?;
        if !columns.names.is_empty() {
            return Err(rusqlite::Error::ExecuteReturnedResults);
        }
        bind(&mut statement, params)?;
        statement.raw_execute().map(|changed| changed as u64)
    }

    pub(in crate::store::db) fn script(&self, sql: &str) -> Result<(), StoreError> {
        self.conn.execute_batch(sql).map_err(|error| self.failed(error))
    }

    pub(super) fn begin_write(&self) -> Result<(), StoreError> {
        self.no_room.set(false);
        self.control("BEGIN IMMEDIATE")
    }

    pub(super) fn begin_read(&self) -> Result<(), StoreError> {
        self.control("BEGIN DEFERRED")
    }

    pub(super) fn end_read(&self) {
        self.roll_back();
    }

    pub(super) fn savepoint(&self) -> Result<(), StoreError> {
        self.control("SAVEPOINT one")
    }

    pub(super) fn keep(&self) -> Result<(), StoreError> {
        self.control("RELEASE one")
    }

    pub(super) fn undo(&self) -> Result<(), StoreError> {
        self.control("ROLLBACK TO one").and_then(|()| self.keep())
    }

    /// Commits the batch; the error says for each transaction whether its fate is known.
    pub(super) fn commit(&self) -> rusqlite::Result<()> {
        self.try_control("COMMIT")
    }

    pub(super) fn roll_back(&self) {
        if !self.conn.is_autocommit()
            && let Err(error) = self.try_control("ROLLBACK")
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "SQLite cannot roll back"
            );
        }
    }

    /// Whether SQLite has ended the transaction by itself (disk full, I/O error).
    pub(super) fn transaction_is_lost(&self) -> bool {
        self.conn.is_autocommit()
    }

    /// Whether that was since there is no room left on the disk.
    pub(super) const fn no_room(&self) -> bool {
        self.no_room.get()
    }

    /// Copies the write-ahead log into the database when it has grown. Called between batches, when nobody writes, so
    /// that it gets to the end of the log and the next batch can start it anew; a checkpoint beside a busy writer never
    /// would, and the log would grow for ever.
    pub(super) fn checkpoint(&self, limit: u32) {
        if self.wal_pages.load(Ordering::Relaxed) < limit {
            return;
        }
        let copied = self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        match copied {
            // Pages that a reader's snapshot still needs stay; the next commit tells how many there are.
            Ok((_, copied)) => tracing::trace!(copied, "write-ahead log copied"),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "write-ahead log not copied"
            ),
        }
        self.wal_pages.store(0, Ordering::Relaxed);
    }

    pub(super) fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let failed = |error| StoreError::unavailable("writing the backup file", error);
        if to.exists() {
            return Err(StoreError::misuse(
                "backup",
                format!("the file {} exists already", to.display()),
            ));
        }
        // Under another name until it is whole, so that nobody restores half a backup.
        let partial = to.with_added_extension("partial");
        super::create(&partial).map_err(failed)?;
        self.copy(&partial).map_err(|error| self.failed(error))?;
        std::fs::File::open(&partial)
            .and_then(|file| file.sync_all())
            .map_err(failed)?;
        std::fs::rename(&partial, to).map_err(failed)
    }

    fn copy(&self, to: &Path) -> rusqlite::Result<()> {
        let mut target = Connection::open(to)?;
        // All pages in one step: one snapshot; the writer goes on meanwhile, the log is not shortened until the end.
        let backup = rusqlite::backup::Backup::new(&self.conn, &mut target)?;
        match backup.step(-1)? {
            rusqlite::backup::StepResult::Done => Ok(()),
            _ => Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                None,
            )),
        }
    }

    fn control(&self, sql: &str) -> Result<(), StoreError> {
        self.try_control(sql).map_err(|error| self.failed(error))
    }

    fn try_control(&self, sql: &str) -> rusqlite::Result<()> {
        self.conn.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn failed(&self, error: rusqlite::Error) -> StoreError {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
            self.no_room.set(true);
        }
        translate(
            Doing {
                label: self.label,
                what: "running a statement",
            },
            &self.conn,
            error,
        )
    }
}

/// What PostgreSQL has and SQLite has not, under PostgreSQL's names: the database itself links the rows of the audit log.
fn digests(conn: &Connection) -> rusqlite::Result<()> {
    let always_the_same = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let other = |function, value: String| {
        let why = format!("{function} knows nothing of {value}");
        rusqlite::Error::UserFunctionError(why.into())
    };
    conn.create_scalar_function("convert_to", 2, always_the_same, move |context| {
        match context.get::<String>(1)? {
            utf8 if utf8 == "UTF8" => context.get::<String>(0).map(String::into_bytes),
            encoding => Err(other("convert_to", encoding)),
        }
    })?;
    conn.create_scalar_function("sha256", 1, always_the_same, |context| {
        let bytes: Vec<u8> = context.get(0)?;
        Ok(Digest::of(&bytes).as_bytes().to_vec())
    })?;
    conn.create_scalar_function("encode", 2, always_the_same, move |context| {
        let bytes: Vec<u8> = context.get(0)?;
        match context.get::<String>(1)? {
            hex if hex == "hex" => Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
            format => Err(other("encode", format)),
        }
    })
}

fn prepare<'c>(
    conn: &'c Connection,
    texts: &mut HashMap<Key, Text>,
    text: &'static str,
) -> rusqlite::Result<(rusqlite::CachedStatement<'c>, Arc<Columns>)> {
    match texts.entry((text.as_ptr() as usize, text.len())) {
        Entry::Occupied(known) => {
            let known = known.get();
            Ok((conn.prepare_cached(&known.sql)?, Arc::clone(&known.columns)))
        }
        Entry::Vacant(place) => {
            let rewritten = sql::for_sqlite(text);
            let statement = conn.prepare_cached(&rewritten)?;
            let names = statement.column_names().map(Into::into).collect();
            let columns = Arc::new(Columns {
                table: sql::table(text),
                names,
            });
            place.insert(Text {
                sql: rewritten,
                columns: Arc::clone(&columns),
            });
            Ok((statement, columns))
        }
    }
}

fn bind(statement: &mut rusqlite::CachedStatement<'_>, params: &[Value]) -> rusqlite::Result<()> {
    if statement.parameter_count() != params.len() {
        return Err(rusqlite::Error::InvalidParameterCount(
            params.len(),
            statement.parameter_count(),
        ));
    }
    for (at, value) in params.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, value)?;
    }
    Ok(())
}

fn value(found: ValueRef<'_>, column: usize) -> rusqlite::Result<Value> {
    Ok(match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::I64(number),
        ValueRef::Text(text) => Value::Text(
            str::from_utf8(text)
                .map_err(|error| rusqlite::Error::Utf8Error(column, error))?
                .to_owned(),
        ),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => {
            return Err(rusqlite::Error::InvalidColumnType(
                column,
                "REAL".to_owned(),
                rusqlite::types::Type::Real,
            ));
        }
    })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::I64(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_statement_is_compiled_once_whatever_its_parameters_are() {
        let dir = tempfile::tempdir().unwrap();
        let session = Session::open_writer(&dir.path().join("a.db"), &SqliteOptions::default()).unwrap();
        session
            .script(
                "CREATE TABLE job (id TEXT, at INTEGER) STRICT; CREATE INDEX job_at ON job (at); ANALYZE;",
            )
            .unwrap();
        let sql = "SELECT id FROM job WHERE at <= ?1 AND ?2 LIKE '%,' || id || ',%' ORDER BY at";
        let mut statement = session.conn.prepare(sql).unwrap();
        for at in 0..10 {
            let found = statement.query_map((at, ",a,"), |_| Ok(())).unwrap();
            assert_eq!(found.count(), 0);
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
