//! Values that go into statements and come out of rows.

use hadron_proto::vocab::{
    AccountId, ComponentName, Digest, EnvironmentName, Id, IdKind, InstanceName, Region, RepositoryName,
    RoleArn, ServiceName, StackArn, StackPrefix, TemplateName, TemplateVersion, Timestamp,
};

/// One value of a statement or a row: the types that both databases share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A whole number; also truth values (0, 1) and points in time (microseconds).
    I64(i64),
    /// Text; also ids, names and digests in their text form. Must not hold a NUL character: PostgreSQL has none.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Value {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::I64(_) => "a number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
        }
    }
}

/// The parameters of a statement: `params![job, now, None::<String>]`, each by [`Value::from`].
#[macro_export]
macro_rules! store_params {
    ($($value:expr),* $(,)?) => { [$($crate::store::db::Value::from($value)),*] };
}
pub use crate::store_params as params;

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::I64(number)
    }
}
impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::I64(number.into())
    }
}
impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::I64(number.into())
    }
}
impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::I64(number.into())
    }
}
impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::I64(truth.into())
    }
}
/// Counters of this program stay below 2^63; one that does not is stored as the largest number, not as a negative one.
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::I64(i64::try_from(number).unwrap_or(i64::MAX))
    }
}
impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::I64(i64::try_from(number).unwrap_or(i64::MAX))
    }
}
impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::I64(at.as_micros())
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}
impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}
impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}
impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
impl<K: IdKind> From<Id<K>> for Value {
    fn from(id: Id<K>) -> Self {
        Self::Text(id.to_string())
    }
}
impl<K: IdKind> From<&Id<K>> for Value {
    fn from(id: &Id<K>) -> Self {
        Self::Text(id.to_string())
    }
}
impl From<&Value> for Value {
    fn from(value: &Value) -> Self {
        value.clone()
    }
}

/// Why a stored value is not what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Mismatch {
    /// Of another type.
    #[error("expected {expected}, found {found}")]
    Type {
        /// What was asked for.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A number that does not fit.
    #[error("{found} is out of range for {expected}")]
    Range {
        /// What was asked for.
        expected: &'static str,
        /// The number that is there.
        found: i64,
    },
    /// Text that cannot be parsed.
    #[error("the text cannot be parsed")]
    Text(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The row has no such column.
    #[error("the statement returns no column of this name")]
    NoColumn,
}

/// A type that a stored value can be read as.
pub trait FromValue: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// [`Mismatch`] when it is something else.
    fn from_value(value: &Value) -> Result<Self, Mismatch>;
}

pub(super) fn as_str(value: &Value) -> Result<&str, Mismatch> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(Mismatch::Type {
            expected: "text",
            found: other.kind(),
        }),
    }
}

pub(super) fn as_bytes(value: &Value) -> Result<&[u8], Mismatch> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        other => Err(Mismatch::Type {
            expected: "bytes",
            found: other.kind(),
        }),
    }
}

pub(super) fn parse<T>(value: &Value) -> Result<T, Mismatch>
where
    T: std::str::FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    as_str(value)?
        .parse()
        .map_err(|error: T::Err| Mismatch::Text(error.into()))
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> Result<Self, Mismatch> {
        match value {
            Value::I64(number) => Ok(*number),
            other => Err(Mismatch::Type {
                expected: "a number",
                found: other.kind(),
            }),
        }
    }
}

macro_rules! number {
    ($($type:ident),*) => {$(
        impl FromValue for $type {
            fn from_value(value: &Value) -> Result<Self, Mismatch> {
                let found = i64::from_value(value)?;
                Self::try_from(found).map_err(|_| Mismatch::Range { expected: stringify!($type), found })
            }
        }
    )*};
}
number!(u64, u32, u16, i32, usize);

impl FromValue for bool {
    fn from_value(value: &Value) -> Result<Self, Mismatch> {
        match i64::from_value(value)? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(Mismatch::Range {
                expected: "a truth value (0 or 1)",
                found,
            }),
        }
    }
}
impl FromValue for Timestamp {
    fn from_value(value: &Value) -> Result<Self, Mismatch> {
        i64::from_value(value).map(Self::from_micros)
    }
}
impl FromValue for String {
    fn from_value(value: &Value) -> Result<Self, Mismatch> {
        as_str(value).map(str::to_owned)
    }
}
impl FromValue for Vec<u8> {
    fn from_value(value: &Value) -> Result<Self, Mismatch> {
        as_bytes(value).map(<[u8]>::to_vec)
    }
}
impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: &Value) -> Result<Self, Mismatch> {
        as_bytes(value)?
            .try_into()
            .map_err(|error| Mismatch::Text(Box::new(error)))
    }
}
impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Result<Self, Mismatch> {
        if *value == Value::Null {
            Ok(None)
        } else {
            T::from_value(value).map(Some)
        }
    }
}
impl<K: IdKind> FromValue for Id<K> {
    fn from_value(value: &Value) -> Result<Self, Mismatch> {
        parse(value)
    }
}

/// Words of the vocabulary are stored in their text form.
macro_rules! words {
    ($($type:ty),* $(,)?) => {$(
        impl From<&$type> for Value {
            fn from(word: &$type) -> Self {
                Self::Text(word.to_string())
            }
        }
        impl From<$type> for Value {
            fn from(word: $type) -> Self {
                Self::Text(word.to_string())
            }
        }
        impl FromValue for $type {
            fn from_value(value: &Value) -> Result<Self, Mismatch> {
                parse(value)
            }
        }
    )*};
}
words!(
    AccountId,
    ComponentName,
    Digest,
    EnvironmentName,
    InstanceName,
    Region,
    RepositoryName,
    RoleArn,
    ServiceName,
    StackArn,
    StackPrefix,
    TemplateName,
    TemplateVersion,
);
