//! What SQLite's errors mean.

use std::sync::Arc;

use rusqlite::{Connection, Error, ErrorCode, ffi};

use crate::store::error::{Cause, Constraint, NO_ROOM, StoreError};

#[derive(Clone, Copy)]
pub(super) struct Doing {
    pub(super) label: &'static str,
    pub(super) what: &'static str,
}

impl Doing {
    pub(super) const fn opening() -> Self {
        Self {
            label: "open",
            what: "opening the database file",
        }
    }
}

pub(super) fn translate(doing: Doing, conn: &Connection, error: Error) -> StoreError {
    let Doing { label, what } = doing;
    let misuse = |what: &str, error: Error| StoreError::Misuse {
        label,
        what: what.to_owned(),
        source: Some(Arc::new(error)),
    };
    match &error {
        Error::SqliteFailure(code, message) => match code.code {
            ErrorCode::ConstraintViolation if code.extended_code == ffi::SQLITE_CONSTRAINT_DATATYPE => {
                misuse("a value of another type than its column", error)
            }
            ErrorCode::ConstraintViolation => {
                let (constraint, name) =
                    violated(conn, code.extended_code, message.as_deref().unwrap_or_default());
                StoreError::Conflict {
                    constraint,
                    name,
                    source: Arc::new(error),
                }
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                StoreError::corrupt("the database file", error)
            }
            ErrorCode::ReadOnly => misuse("wrote in a transaction that only reads", error),
            ErrorCode::TypeMismatch => misuse("a value of another type than its column", error),
            ErrorCode::TooBig => misuse("a value that is too large", error),
            ErrorCode::Unknown | ErrorCode::ApiMisuse | ErrorCode::ParameterOutOfRange => {
                misuse("a statement that does not run", error)
            }
            ErrorCode::DiskFull => StoreError::unavailable(NO_ROOM, error),
            _ => StoreError::unavailable(what, error),
        },
        Error::Utf8Error(..) => StoreError::corrupt("text", error),
        _ => misuse("a statement that does not run", error),
    }
}

/// What a failed COMMIT means for the transactions of its batch. SQLite has rolled back; but after an I/O error the
/// commit may already stand in the log on the disk, and a crash before the next commit would bring it back.
pub(super) fn commit_failed(label: &'static str, error: &Cause, code: Option<ErrorCode>) -> StoreError {
    let source = Arc::clone(error);
    match code {
        Some(ErrorCode::DiskFull) => StoreError::Unavailable {
            doing: NO_ROOM,
            source: Some(source),
        },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OutOfMemory) => {
            StoreError::Unavailable {
                doing: "committing",
                source: Some(source),
            }
        }
        Some(ErrorCode::ConstraintViolation) => {
            let what = "a deferred constraint failed at COMMIT, with everybody's work".to_owned();
            StoreError::Misuse {
                label,
                what,
                source: Some(source),
            }
        }
        _ => StoreError::CommitUnknown { label, source },
    }
}

fn violated(conn: &Connection, extended: i32, message: &str) -> (Constraint, String) {
    let detail = message.split_once(": ").map_or("", |(_, detail)| detail);
    match extended {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => (
            Constraint::Unique,
            unique_name(conn, detail).unwrap_or_else(|| detail.to_owned()),
        ),
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => (Constraint::ForeignKey, String::new()),
        ffi::SQLITE_CONSTRAINT_NOTNULL => (Constraint::NotNull, detail.to_owned()),
        _ => (Constraint::Check, detail.to_owned()),
    }
}

/// SQLite names the columns (`job.account, job.name`), PostgreSQL the index: look up which index has these columns.
fn unique_name(conn: &Connection, detail: &str) -> Option<String> {
    if let Some(name) = detail.strip_prefix("index '") {
        return Some(name.trim_end_matches('\'').to_owned());
    }
    let mut columns = Vec::new();
    let mut table = "";
    for column in detail.split(", ") {
        let (owner, name) = column.split_once('.')?;
        table = owner;
        columns.push(name.to_owned());
    }
    let mut found = None;
    let mut indexes = conn
        .prepare_cached("SELECT name, origin FROM pragma_index_list(?1) WHERE \"unique\" = 1")
        .ok()?;
    let indexes = indexes
        .query_map([table], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })
        .ok()?;
    for (index, origin) in indexes.filter_map(Result::ok) {
        let mut parts = conn
            .prepare_cached("SELECT name FROM pragma_index_info(?1) ORDER BY seqno")
            .ok()?;
        let parts: Option<Vec<String>> = parts
            .query_map([&index], |row| row.get::<_, String>(0))
            .ok()?
            .map(Result::ok)
            .collect();
        if parts.as_ref() == Some(&columns) {
            // Indexes that SQLite made get the names that PostgreSQL gives them.
            match origin.as_str() {
                "c" => return Some(index),
                "pk" => found = Some(format!("{table}_pkey")),
                _ => found = found.or_else(|| Some(format!("{table}_{}_key", columns.join("_")))),
            }
        }
    }
    // No index at all: the primary key is the row id.
    found.or_else(|| Some(format!("{table}_pkey")))
}
