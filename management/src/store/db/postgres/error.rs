//! What PostgreSQL's errors mean.

use std::sync::Arc;

use tokio_postgres::Error;

use crate::store::error::{Constraint, IN_THE_WAY, LOST, NO_ROOM, STOPPING, StoreError};

pub(super) fn translate(label: &'static str, error: Error) -> StoreError {
    let misuse = |what: &str, error: Error| StoreError::Misuse {
        label,
        what: what.to_owned(),
        source: Some(Arc::new(error)),
    };
    let Some(state) = error.code().map(|state| state.code().to_owned()) else {
        // No answer of the server: the connection broke, or a value did not fit its parameter or column.
        return if error.is_closed() || is_io(&error) {
            StoreError::unavailable(LOST, error)
        } else {
            misuse("a value of another type than its column", error)
        };
    };
    let conflict = |constraint, error: Error| {
        let name = error
            .as_db_error()
            .map(|db| match (constraint, db.table(), db.column()) {
                (Constraint::NotNull, Some(table), Some(column)) => format!("{table}.{column}"),
                _ => db.constraint().unwrap_or_default().to_owned(),
            });
        StoreError::Conflict {
            constraint,
            name: name.unwrap_or_default(),
            source: Arc::new(error),
        }
    };
    match state.as_str() {
        "23505" => conflict(Constraint::Unique, error),
        "23503" => conflict(Constraint::ForeignKey, error),
        "23502" => conflict(Constraint::NotNull, error),
        "23514" => conflict(Constraint::Check, error),
        "25006" => misuse("wrote in a transaction that only reads", error),
        "XX001" | "XX002" => StoreError::corrupt("the database", error),
        // Serialization, deadlock, and a lock that was not to be waited for.
        "40001" | "40P01" | "55P03" => StoreError::unavailable(IN_THE_WAY, error),
        "57P01" | "57P02" | "57P03" => StoreError::unavailable(STOPPING, error),
        "53100" => StoreError::unavailable(NO_ROOM, error),
        "57014" => StoreError::unavailable("a statement took too long", error),
        code => match &code[..2] {
            // A standby takes no transactions that write; after a fail-over it does.
            "0A" => StoreError::unavailable("PostgreSQL refused", error),
            // A password or a name that is wrong will not get better by itself, but whoever tells the operator needs the
            // server's words and not a fault of the program.
            "08" | "28" | "3D" | "53" | "57" | "58" | "XX" => {
                StoreError::unavailable("PostgreSQL refused", error)
            }
            "22" => misuse("a value that does not fit", error),
            _ => misuse("a statement that does not run", error),
        },
    }
}

/// What a failed COMMIT means. Only a server that says why has certainly not committed; and one that is going down may
/// have done so before.
pub(super) fn commit_failed(label: &'static str, error: Error) -> StoreError {
    match error.code().map(|state| state.code().to_owned()).as_deref() {
        None | Some("40003") => StoreError::CommitUnknown {
            label,
            source: Arc::new(error),
        },
        Some(code) if code.starts_with("08") || code.starts_with("57P") => StoreError::CommitUnknown {
            label,
            source: Arc::new(error),
        },
        Some(_) => translate(label, error),
    }
}

fn is_io(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.is::<std::io::Error>() {
            return true;
        }
        cause = inner.source();
    }
    false
}
