//! Identifiers: one type per kind of thing, all of them UUIDs, readable in a log by their prefix.
//!
//! Two borders need another form: Proton's `DeploymentId` and connection ids are bare hyphenated UUIDs, and
//! CloudFormation's client tokens allow no underscore. There, use [`Id::as_uuid`].

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// A kind of thing that has ids.
pub trait IdKind {
    /// What the text form starts with, without the underscore.
    const PREFIX: &'static str;
}

/// The id of a thing of kind `K`. Text form: `<prefix>_<32 hex>`.
pub struct Id<K: IdKind>(Uuid, PhantomData<fn() -> K>);

/// The text is no id of the expected kind.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum InvalidId {
    /// It is an id of something else, or has no prefix at all.
    #[error("expected an id that starts with '{expected}_', got '{given}'")]
    WrongKind {
        /// The prefix that was expected.
        expected: &'static str,
        /// The text that was given.
        given: String,
    },
    /// The prefix is right, what follows is not.
    #[error("'{given}' is not a valid id: after '{expected}_' there must be 32 hexadecimal digits or a UUID")]
    Malformed {
        /// The prefix that was expected.
        expected: &'static str,
        /// The text that was given.
        given: String,
    },
}

impl<K: IdKind> Id<K> {
    /// The id with this UUID.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// A time-ordered id (UUID version 7) from a point in time and ten random bytes, both given by the caller.
    #[must_use]
    pub fn from_parts(unix_millis: u64, random: [u8; 10]) -> Self {
        Self::from_uuid(uuid::Builder::from_unix_timestamp_millis(unix_millis, &random).into_uuid())
    }

    /// The bare UUID, for Proton's ids and for AWS client tokens.
    #[must_use]
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl<K: IdKind> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K: IdKind> Copy for Id<K> {}
impl<K: IdKind> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K: IdKind> Eq for Id<K> {}
impl<K: IdKind> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K: IdKind> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K: IdKind> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: IdKind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.0.simple())
    }
}
impl<K: IdKind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<K: IdKind> FromStr for Id<K> {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text
            .strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'));
        let rest = rest.ok_or_else(|| InvalidId::WrongKind {
            expected: K::PREFIX,
            given: text.to_owned(),
        })?;
        Uuid::try_parse(rest)
            .map(Self::from_uuid)
            .map_err(|_| InvalidId::Malformed {
                expected: K::PREFIX,
                given: text.to_owned(),
            })
    }
}
impl<K: IdKind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, K: IdKind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $alias:ident, $prefix:literal;)*) => {
        /// The kinds of things that have ids.
        pub mod kinds {
            $($(#[$doc])* #[derive(Debug)] pub enum $kind {} impl super::IdKind for $kind { const PREFIX: &'static str = $prefix; })*
        }
        $($(#[$doc])* pub type $alias = Id<kinds::$kind>;)*
    };
}

kinds! {
    /// An environment account connection.
    Connection, ConnectionId, "conn";
    /// One attempt to make a target true or gone.
    Deployment, DeploymentId, "dpl";
    /// One unit of work for one agent.
    Job, JobId, "job";
    /// One open stream between an agent and the hub.
    Session, SessionId, "ses";
    /// An enrolled agent process.
    Agent, AgentId, "agt";
    /// An environment, service instance, pipeline or component: whatever owns a stack.
    Target, TargetId, "tgt";
    /// One line of a deployment's history.
    Event, EventId, "evt";
    /// What keeps a service from being synced.
    SyncBlocker, SyncBlockerId, "blk";
    /// One API request, and the idempotency token of a write.
    Request, RequestId, "req";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_another_kind_is_named() {
        let job = JobId::from_parts(1, [7; 10]);
        assert_eq!(job.to_string().parse::<JobId>().unwrap(), job);
        let error = job.to_string().parse::<DeploymentId>().unwrap_err();
        assert!(error.to_string().contains("starts with 'dpl_'"), "{error}");
        assert!(matches!(
            "dpl_xyz".parse::<DeploymentId>(),
            Err(InvalidId::Malformed { .. })
        ));
    }

    #[test]
    fn ids_sort_by_time() {
        assert!(JobId::from_parts(1, [255; 10]) < JobId::from_parts(2, [0; 10]));
    }
}
