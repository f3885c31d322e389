//! What the hub is told about an issuer.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::glob::{Glob, InvalidGlob};

/// What an issuer is called at this hub, and in the names of those who come from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alias(String);

/// The text cannot name an issuer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' cannot name an issuer: use 1 to 32 of a-z, 0-9 and '-', with a letter first")]
pub struct InvalidAlias(String);

impl Alias {
    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Alias {
    type Err = InvalidAlias;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fine = (1..=32).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(word);
        if fine {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAlias(text.chars().take(64).collect()))
        }
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the claim of a workload's token has to be: `repository=acme/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub(super) claim: String,
    pub(super) value: Glob,
}

/// The text is no condition.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidCondition {
    /// No claim is named.
    #[error("'{0}' is no condition such as repository=acme/web or ref=refs/heads/main")]
    Form(String),
    /// What the claim has to be is no pattern.
    #[error(transparent)]
    Value(#[from] InvalidGlob),
    /// It lets everybody in.
    #[error("'{0}' is true of every token: say what the claim has to be")]
    Anything(String),
}

impl FromStr for Condition {
    type Err = InvalidCondition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let short = || text.chars().take(100).collect();
        let (claim, value) = text
            .split_once('=')
            .ok_or_else(|| InvalidCondition::Form(short()))?;
        let (claim, value) = (claim.trim(), value.trim());
        if claim.is_empty() || claim.len() > 128 || !claim.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidCondition::Form(short()));
        }
        let value: Glob = value.parse()?;
        if value.is_anything() {
            return Err(InvalidCondition::Anything(short()));
        }
        Ok(Self {
            claim: claim.to_owned(),
            value,
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.claim, self.value)
    }
}

/// What an issuer is asked for.
#[derive(Clone, PartialEq, Eq)]
pub enum Purpose {
    /// People log in there.
    People {
        /// What the hub is called there.
        client_id: String,
        /// What the hub proves with that it is that, if the issuer wants it to.
        client_secret: Option<String>,
        /// What is asked for; `openid` is always among them.
        scopes: Vec<String>,
        /// The claim with the groups that somebody is in.
        groups_claim: String,
    },
    /// It signs tokens of workloads.
    Workloads {
        /// What the tokens have to be for.
        audience: String,
        /// What else they have to say; at least one.
        conditions: Vec<Condition>,
    },
}

impl fmt::Debug for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::People { client_id, .. } => f
                .debug_struct("People")
                .field("client_id", client_id)
                .finish_non_exhaustive(),
            Self::Workloads { audience, conditions } => f
                .debug_struct("Workloads")
                .field("audience", audience)
                .field("conditions", conditions)
                .finish(),
        }
    }
}

/// An issuer, as the hub was told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerConfig {
    /// What it is called here.
    pub alias: Alias,
    /// Its address, as its tokens write it.
    pub issuer: String,
    /// What it is asked for.
    pub purpose: Purpose,
    /// The claim that somebody is called by.
    pub name_claim: String,
    /// How long a token of the hub lasts that somebody gets for one of the issuer.
    pub session: Duration,
}
