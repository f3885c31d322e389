//! What is sealed: every column that holds what people typed, what their stacks answered, or what went wrong with it. This
//! list, the rows of before there were keys, and the keys themselves.

use serde::de::DeserializeOwned;

use super::StoreError;
use super::db::{MARK, Place, Row, Tx, Value, Wrapped, params};
use hadron_proto::vocab::Timestamp;

/// A row of a table with sealed columns.
#[derive(Clone, Copy)]
pub(super) struct Sealed<'a> {
    /// The table.
    pub(super) table: &'static str,
    /// The row's key.
    pub(super) key: &'a str,
    /// The row.
    pub(super) row: &'a Row,
}

impl Sealed<'_> {
    /// The text of a column.
    pub(super) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.row.opened(Place {
            table: self.table,
            column,
            row: self.key,
        })
    }

    /// A column of JSON text.
    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| self.row.corrupt(column, error))
    }
}

/// A sealed column: how its plain values are found, and how one is sealed.
struct Column {
    table: &'static str,
    column: &'static str,
    /// What stands between the two parts of a row's key, where it has two.
    joined: &'static str,
    /// How many plain values there are; $1 is what sealed ones begin with.
    count: &'static str,
    /// Some of them: `key`, `more`, `scope`, `value`; $2 is how many.
    some: &'static str,
    /// Writes one: $1 key, $2 sealed, $3 plain, $4 the key's second part. Changes nothing where it was changed meanwhile.
    write: &'static str,
}

/// A column of text.
macro_rules! text_column {
    ($table:literal, $column:literal, $key:literal, $scope:literal) => {
        Column {
            table: $table,
            column: $column,
            joined: "",
            count: concat!(
                "SELECT COUNT(*) AS plain FROM ",
                $table,
                " WHERE ",
                $column,
                " NOT IN ('', '{}', '[]') AND substr(",
                $column,
                ", 1, 16) <> $1"
            ),
            some: concat!(
                "SELECT ",
                $key,
                " AS key, '' AS more, ",
                $scope,
                " AS scope, ",
                $column,
                " AS value FROM ",
                $table,
                " WHERE ",
                $column,
                " NOT IN ('', '{}', '[]') AND substr(",
                $column,
                ", 1, 16) <> $1 LIMIT $2"
            ),
            write: concat!(
                "UPDATE ",
                $table,
                " SET ",
                $column,
                " = $2 WHERE ",
                $key,
                " = $1 AND ",
                $column,
                " = $3 AND CAST($4 AS TEXT) = ''"
            ),
        }
    };
}

/// A column of bytes, all of which are the hub's.
macro_rules! bytes_column {
    ($table:literal, $key:literal) => {
        Column {
            table: $table,
            column: "bytes",
            joined: "",
            count: concat!(
                "SELECT COUNT(*) AS plain FROM ",
                $table,
                " WHERE substr(bytes, 1, 16) <> $1"
            ),
            some: concat!(
                "SELECT ",
                $key,
                " AS key, '' AS more, 'hub' AS scope, bytes AS value FROM ",
                $table,
                " WHERE substr(bytes, 1, 16) <> $1 LIMIT $2"
            ),
            write: concat!(
                "UPDATE ",
                $table,
                " SET bytes = $2 WHERE ",
                $key,
                " = $1 AND bytes = $3 AND CAST($4 AS TEXT) = ''"
            ),
        }
    };
}

/// A column of events, which belong to their deployment's account.
macro_rules! event_column {
    ($column:literal) => {
        Column {
            table: "deployment_event",
            column: $column,
            joined: "/",
            count: concat!(
                "SELECT COUNT(*) AS plain FROM deployment_event WHERE ",
                $column,
                " NOT IN ('', '{}', '[]') AND substr(",
                $column,
                ", 1, 16) <> $1"
            ),
            some: concat!(
                "SELECT e.deployment_id AS key, CAST(e.sequence AS TEXT) AS more, COALESCE(d.account, 'hub') AS scope, e.",
                $column,
                " AS value FROM deployment_event e LEFT JOIN deployment d ON d.id = e.deployment_id WHERE e.",
                $column,
                " NOT IN ('', '{}', '[]') AND substr(e.",
                $column,
                ", 1, 16) <> $1 LIMIT $2"
            ),
            write: concat!(
                "UPDATE deployment_event SET ",
                $column,
                " = $2 WHERE deployment_id = $1 AND sequence = CAST(CAST($4 AS TEXT) AS BIGINT) AND ",
                $column,
                " = $3"
            ),
        }
    };
}

/// All of them, but one: the records of `ca_root` are sealed from the first on, and one that is not must never become so.
const COLUMNS: &[Column] = &[
    text_column!("target", "spec", "id", "account"),
    text_column!("target", "message", "id", "account"),
    text_column!("target", "warnings", "id", "account"),
    text_column!("target", "outputs", "id", "account"),
    text_column!("deployment", "spec", "id", "account"),
    text_column!("deployment", "state", "id", "account"),
    text_column!("deployment", "message", "id", "account"),
    text_column!("deployment", "outputs", "id", "account"),
    text_column!("deployment", "initial_state", "id", "account"),
    text_column!("deployment", "target_state", "id", "account"),
    event_column!("message"),
    event_column!("event"),
    text_column!("service", "spec", "name", "'hub'"),
    text_column!("service", "old_spec", "name", "'hub'"),
    text_column!("service", "message", "name", "'hub'"),
    text_column!("component", "service_spec", "name", "'hub'"),
    text_column!("component", "manifest", "name", "'hub'"),
    text_column!("component", "template_file", "name", "'hub'"),
    text_column!("job", "payload", "id", "account"),
    bytes_column!("blob", "digest"),
    bytes_column!("upload", "job"),
    text_column!("event_sink", "last_error", "name", "'hub'"),
    Column {
        table: "outbox",
        column: "last_error",
        joined: "|",
        count: "SELECT COUNT(*) AS plain FROM outbox WHERE last_error <> '' AND substr(last_error, 1, 16) <> $1",
        some: "SELECT topic AS key, key AS more, 'hub' AS scope, last_error AS value FROM outbox
               WHERE last_error <> '' AND substr(last_error, 1, 16) <> $1 LIMIT $2",
        write: "UPDATE outbox SET last_error = $2 WHERE topic = $1 AND key = $4 AND last_error = $3",
    },
];

/// How many values of before there were keys are left, by table and column.
pub async fn plain(tx: &mut Tx) -> Result<Vec<(String, u64)>, StoreError> {
    let mut counts = Vec::with_capacity(COLUMNS.len());
    for column in COLUMNS {
        let row = tx.query_one(column.count, &[mark(column)]).await?;
        counts.push((format!("{}.{}", column.table, column.column), row.get("plain")?));
    }
    Ok(counts)
}

/// What sealed values of a column begin with.
fn mark(column: &Column) -> Value {
    if column.column == "bytes" {
        Value::from(MARK.as_bytes())
    } else {
        Value::from(MARK)
    }
}

/// A value that is not sealed yet.
#[derive(Clone, Debug)]
pub struct Plain {
    column: usize,
    key: String,
    more: String,
    scope: String,
    value: Value,
}

/// Some values that are not sealed yet, of the first column that has any; none when all are.
pub async fn some_plain(tx: &mut Tx, limit: u32) -> Result<Vec<Plain>, StoreError> {
    for (at, column) in COLUMNS.iter().enumerate() {
        let rows = tx.query(column.some, &[mark(column), Value::from(limit)]).await?;
        if rows.is_empty() {
            continue;
        }
        let plain = rows.iter().map(|row| {
            let value = if column.column == "bytes" {
                Value::Bytes(row.get("value")?)
            } else {
                Value::Text(row.get("value")?)
            };
            Ok(Plain {
                column: at,
                key: row.get("key")?,
                more: row.get("more")?,
                scope: row.get("scope")?,
                value,
            })
        });
        return plain.collect();
    }
    Ok(Vec::new())
}

/// Seals one of them, unless somebody has written it meanwhile.
pub async fn seal(tx: &mut Tx, plain: &Plain) -> Result<(), StoreError> {
    let Some(column) = COLUMNS.get(plain.column) else {
        return Ok(());
    };
    let key = format!("{}{}{}", plain.key, column.joined, plain.more);
    let sealed = match &plain.value {
        Value::Bytes(bytes) => {
            let place = Place {
                table: column.table,
                column: column.column,
                row: &key,
            };
            tx.seal_bytes(&plain.scope, place, bytes).await?
        }
        Value::Text(text) => {
            let texts = [(column.column, text.as_str())];
            let [sealed] = tx.seal(&plain.scope, column.table, &key, texts).await?;
            sealed
        }
        Value::Null | Value::I64(_) => return Ok(()),
    };
    let params = [
        Value::from(&plain.key),
        sealed,
        plain.value.clone(),
        Value::from(&plain.more),
    ];
    tx.execute(column.write, &params).await?;
    Ok(())
}

/// Whether this process seals at all.
#[must_use]
pub fn is_on(tx: &Tx) -> bool {
    tx.is_unlocked()
}

/// A data key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataKeyRow {
    /// Its id, which sealed values name.
    pub id: String,
    /// The account that it is for, or `hub`.
    pub scope: String,
    /// Values are sealed with it.
    pub current: bool,
    /// The key, wrapped.
    pub wrapped: Wrapped,
    /// When it was made.
    pub created_at: Timestamp,
}

/// All data keys, by scope.
pub async fn data_keys(tx: &mut Tx) -> Result<Vec<DataKeyRow>, StoreError> {
    tx.query(
        "SELECT id, scope, current, kek_version, wrapped, created_at FROM data_key ORDER BY scope, created_at, id",
        &[],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(DataKeyRow {
            id: row.get("id")?,
            scope: row.get("scope")?,
            current: row.get("current")?,
            wrapped: Wrapped {
                bytes: row.get("wrapped")?,
                version: row.get("kek_version")?,
            },
            created_at: row.get("created_at")?,
        })
    })
    .collect()
}

/// The newest version of the sealing key that wraps any data key.
pub async fn newest(tx: &mut Tx) -> Result<Option<u32>, StoreError> {
    let row = tx
        .query_one("SELECT MAX(kek_version) AS newest FROM data_key", &[])
        .await?;
    row.get("newest")
}

/// Wraps a data key anew, unless somebody has done so meanwhile.
pub async fn rewrap(tx: &mut Tx, row: &DataKeyRow, wrapped: &Wrapped) -> Result<u64, StoreError> {
    tx.execute(
        "UPDATE data_key SET kek_version = $3, wrapped = $4 WHERE id = $1 AND kek_version = $2",
        &params![
            &row.id,
            row.wrapped.version,
            wrapped.version,
            wrapped.bytes.clone()
        ],
    )
    .await
}

#[cfg(test)]
mod tests;
