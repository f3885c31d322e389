//! Who did something, and when.

use std::fmt;

use hadron_proto::vocab::Timestamp;
use serde::{Deserialize, Serialize};

/// Someone who acts: an IAM ARN proven by STS, `token:<name>` and `key:<name>` for a token and an
/// access key that the hub minted, `hub` for the hub itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Principal(String);

impl Principal {
    /// The principal with this text form.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The hub acting on its own: reconcilers and follow-ups of what a person asked for.
    #[must_use]
    pub fn hub() -> Self {
        Self("hub".to_owned())
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A decision with its author and time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Who decided.
    pub who: Principal,
    /// When.
    pub at: Timestamp,
}
