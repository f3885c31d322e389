//! The store: the only module that knows SQL. Rows become domain types here and nowhere else; nothing is decided here.
//!
//! * [`db`]: transactions on SQLite and PostgreSQL with one SQL text. Start reading there.
//! * [`migrate`]: the schema and its versions.
//! * [`error`]: what can go wrong.
//! * One module per noun, with one function per question asked.

pub mod access_keys;
pub mod acting;
pub mod agents;
pub mod audit;
pub mod bindings;
pub mod ca;
pub mod challenges;
pub mod checkpoint_copies;
pub mod components;
pub mod connections;
pub mod console;
pub mod counts;
pub mod db;
pub mod deployments;
pub mod error;
pub mod events;
pub mod grants;
pub mod insights;
pub mod instances;
pub mod jobs;
mod many;
pub mod meta;
pub mod migrate;
pub mod oidc;
pub mod outbox;
pub mod recovery;
pub mod replicas;
pub mod repositories;
pub mod requests;
pub mod samples;
pub mod sealing;
pub mod services;
pub mod settings;
mod sight;
pub mod summary;
pub mod sync;
pub mod tags;
pub mod tallies;
pub mod targets;
pub mod templates;

pub use db::{Db, Kek, KeyError, Made, Row, Sequence, Topic, Tx, Value, Wrapped, params};
pub use error::StoreError;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Who computes grants anew draws from it first of all, and so does it alone, also across hubs.
pub const GRANTS: Sequence = Sequence("grants");

/// What the columns named `changed` hold. Nobody reads them any more: a number for each change made every transaction wait
/// for every other one's COMMIT. They go when no release is left that fills them.
const UNREAD: i64 = 0;

/// A value as JSON text, for columns that nobody searches.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::corrupt("a value to be stored", error))
}

/// Reads a column of JSON text.
fn json<T: DeserializeOwned>(row: &Row, column: &str) -> Result<T, StoreError> {
    serde_json::from_str(row.str(column)?).map_err(|error| row.corrupt(column, error))
}

/// A column holds a word that this program does not write.
fn corrupt(place: &str, word: &str) -> StoreError {
    StoreError::corrupt(place, error::Because(format!("unknown word '{word}'")))
}

/// Somebody else wrote the row since it was read; doing the whole transaction again is safe.
fn changed(doing: &'static str) -> StoreError {
    StoreError::unavailable(
        error::IN_THE_WAY,
        error::Because(format!("{doing}: somebody else wrote it first")),
    )
}
