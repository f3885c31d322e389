//! A row of a result, read by column name.

use std::str::FromStr;
use std::sync::Arc;

use super::keys::{Keyring, MARK, Place, Unopened};
use super::value::{self, FromValue, Mismatch, Value};
use crate::store::error::StoreError;

/// The columns of a statement; one per statement and connection, shared by its rows.
#[derive(Debug)]
pub(super) struct Columns {
    /// The table the statement is about, for messages.
    pub(super) table: &'static str,
    pub(super) names: Vec<Box<str>>,
}

/// One row of a result.
#[derive(Debug, Clone)]
pub struct Row {
    columns: Arc<Columns>,
    values: Vec<Value>,
    /// Opens what is sealed; `None` in a process without keys.
    keys: Option<Arc<Keyring>>,
}

impl Row {
    pub(super) const fn new(columns: Arc<Columns>, values: Vec<Value>) -> Self {
        Self {
            columns,
            values,
            keys: None,
        }
    }

    /// The same with what opens its values.
    pub(super) fn unlock(&mut self, keys: &Arc<Keyring>) {
        self.keys = Some(Arc::clone(keys));
    }

    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    /// The text of a column that may be sealed for this row of its table.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is no text, or does not open here.
    pub fn opened(&self, place: Place<'_>) -> Result<String, StoreError> {
        let text = self.str(place.column)?;
        let opened = match &self.keys {
            Some(keys) => keys.open_text(place, text),
            None if text.starts_with(MARK) => Err(Unopened::Locked),
            None => Ok(None),
        };
        let opened = opened.map_err(|why| self.corrupt(place.column, why))?;
        Ok(opened.unwrap_or_else(|| text.to_owned()))
    }

    /// The bytes of a column that may be sealed for this row of its table.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is not bytes, or does not open here.
    pub fn opened_bytes(&self, place: Place<'_>) -> Result<Vec<u8>, StoreError> {
        let bytes = self.bytes(place.column)?;
        let opened = match &self.keys {
            Some(keys) => keys.open_bytes(place, bytes),
            None if bytes.starts_with(MARK.as_bytes()) => Err(Unopened::Locked),
            None => Ok(None),
        };
        let opened = opened.map_err(|why| self.corrupt(place.column, why))?;
        Ok(opened.unwrap_or_else(|| bytes.to_vec()))
    }

    /// The value of a column.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], which names table and column, when the value is no `T`.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, StoreError> {
        self.read(column, T::from_value)
    }

    /// The value of a text column, parsed.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is no text or cannot be parsed.
    pub fn text_as<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        self.read(column, value::parse)
    }

    /// The value of a text column that may be NULL, parsed.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is no text or cannot be parsed.
    pub fn text_as_opt<T>(&self, column: &str) -> Result<Option<T>, StoreError>
    where
        T: FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        self.read(column, |value| {
            if *value == Value::Null {
                Ok(None)
            } else {
                value::parse(value).map(Some)
            }
        })
    }

    /// The text of a column without a copy.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is no text.
    pub fn str(&self, column: &str) -> Result<&str, StoreError> {
        self.read(column, value::as_str)
    }

    /// The bytes of a column without a copy.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is not bytes.
    pub fn bytes(&self, column: &str) -> Result<&[u8], StoreError> {
        self.read(column, value::as_bytes)
    }

    /// An error that says what is wrong with a column, for checks that only the caller can make.
    pub fn corrupt(&self, column: &str, cause: impl std::error::Error + Send + Sync + 'static) -> StoreError {
        StoreError::corrupt(format!("{}.{column}", self.columns.table), cause)
    }

    fn read<'a, T>(
        &'a self,
        column: &str,
        read: impl FnOnce(&'a Value) -> Result<T, Mismatch>,
    ) -> Result<T, StoreError> {
        let at = self.columns.names.iter().position(|name| **name == *column);
        let value = at.and_then(|at| self.values.get(at)).ok_or(Mismatch::NoColumn);
        value.and_then(read).map_err(|cause| self.corrupt(column, cause))
    }
}
