//! What can go wrong in the store. `Display` says its own part; the cause is the `source`.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why something happened. Shared, since one failed COMMIT fails every transaction of its batch.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// What was being done when another transaction was in the way.
pub(crate) const IN_THE_WAY: &str = "another transaction was in the way";
/// What was being done when the connection broke before COMMIT.
pub(crate) const LOST: &str = "talking to PostgreSQL";
/// What was being done when no connection could be made.
pub(crate) const CONNECTING: &str = "connecting to PostgreSQL";
/// What was being done when the server stopped, or threw the connection out.
pub(crate) const STOPPING: &str = "PostgreSQL is being stopped or started";
/// What was being done when there was no room left for it.
pub(crate) const NO_ROOM: &str = "writing to a disk that is full";

/// The transaction did not happen, or (only [`StoreError::CommitUnknown`]) nobody knows whether it did.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A constraint of the schema refused the change. Nothing was written.
    #[error("{constraint} '{name}' does not allow this")]
    Conflict {
        /// Which sort of constraint.
        constraint: Constraint,
        /// Its name in the schema, equal on both databases; `table.column` for NOT NULL. Empty for a foreign key on
        /// SQLite, which does not tell.
        name: String,
        /// What the database said.
        #[source]
        source: Cause,
    },
    /// The database cannot do it now: unreachable, overloaded, full, or another transaction was in the way. Nothing was
    /// written; doing the whole transaction again is safe.
    #[error("the database is not available ({doing})")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What the database or the network said.
        #[source]
        source: Option<Cause>,
    },
    /// What is stored is not what this program writes.
    #[error("what is stored in {place} cannot be read")]
    Corrupt {
        /// `table.column`, as far as known.
        place: String,
        /// Why it cannot be read.
        #[source]
        source: Cause,
    },
    /// The connection broke between COMMIT and its answer. Look whether the change is there before telling anybody.
    #[error("it is not known whether '{label}' was committed")]
    CommitUnknown {
        /// The label of the transaction.
        label: &'static str,
        /// What happened instead of an answer.
        #[source]
        source: Cause,
    },
    /// A fault of this program: a statement that does not run, a wait inside a transaction, a panic. Nothing was
    /// written.
    #[error("'{label}' used the store wrongly: {what}")]
    Misuse {
        /// The label of the transaction.
        label: &'static str,
        /// What it did.
        what: String,
        /// What the database said.
        #[source]
        source: Option<Cause>,
    },
    /// Exactly one row had to be there.
    #[error("no row where '{label}' needs one: {what}")]
    NotFound {
        /// The label of the transaction.
        label: &'static str,
        /// The table, as far as known.
        what: String,
    },
}

/// The sorts of constraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    /// A primary key or a unique index.
    Unique,
    /// A foreign key.
    ForeignKey,
    /// A check.
    Check,
    /// A column without a value.
    NotNull,
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unique => "unique constraint",
            Self::ForeignKey => "foreign key",
            Self::Check => "check",
            Self::NotNull => "required column",
        })
    }
}

impl StoreError {
    /// The name of the unique index or primary key that refused the change.
    #[must_use]
    pub fn unique(&self) -> Option<&str> {
        match self {
            Self::Conflict {
                constraint: Constraint::Unique,
                name,
                ..
            } => Some(name),
            _ => None,
        }
    }

    /// Whether doing the whole transaction once more is safe and may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether what was in the way is gone within moments as a rule: another transaction, a connection that broke, a server
    /// that restarts. Doing the whole transaction once more is safe and is worth a short wait. A full disk, an exhausted pool
    /// or a database that is being closed is not of that kind: there, trying again makes things worse.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable { doing, .. } if [IN_THE_WAY, LOST, CONNECTING, STOPPING].contains(doing))
    }

    /// Whether there is no room left on the database's disk.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Unavailable { doing, .. } if *doing == NO_ROOM)
    }

    pub(crate) fn unavailable(doing: &'static str, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Unavailable {
            doing,
            source: Some(Arc::new(source)),
        }
    }

    pub(crate) fn misuse(label: &'static str, what: impl Into<String>) -> Self {
        Self::Misuse {
            label,
            what: what.into(),
            source: None,
        }
    }

    pub(crate) fn corrupt(place: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Corrupt {
            place: place.into(),
            source: Arc::new(source),
        }
    }
}

/// A cause that is only a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Because(pub(crate) String);
