//! The audit log as a chain: every row carries a hash over its own content and the hash of the row before it, so that none
//! can be altered, taken out, put in or moved without all later hashes being wrong; and [`Checkpoint`]s, signed and kept
//! elsewhere, that tell when somebody has computed all later hashes anew.
//!
//! The hash of a row is the SHA-256, in hexadecimal digits, of
//!
//! ```text
//! <hash of the row before>:<length of the JSON in bytes>:<the row as canonical JSON>
//! ```
//!
//! [`Record::json`] is the canonical JSON: members in the order of their names, none for what is not known, no spaces. It is
//! put together by the database in the statement that writes the row, since the row's number and the hash before it are only
//! known there ([`Record::around`]); the very first row follows [`NOTHING`].
//!
//! Rows of before there was a chain have no hash. The first row after them follows [`NOTHING`] as well, and a row of the
//! chain, a [`Pin`], says which they are and what they are. The same happens to rows that a hub of an earlier release writes
//! while releases are being exchanged.

mod verify;

pub use verify::{Amiss, Known, Verdict, Verifier};

use std::fmt::Write as _;

use hadron_proto::vocab::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// What the first row of a chain follows.
pub const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What the row that holds a [`Pin`] calls itself.
pub const PIN: &str = "BeginAuditChain";

/// What the row that announces a restored database calls itself.
pub const RECOVER: &str = "Recover";

/// A row of the audit log, without its hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Its number, from 1, without gaps. Given by the database; 0 before that.
    pub sequence: i64,
    /// When it happened, in microseconds.
    pub at: i64,
    /// Who asked.
    pub principal: String,
    /// The account of whoever asked, as far as it is proven.
    pub account: Option<String>,
    /// What was asked for.
    pub action: String,
    /// Of what.
    pub object: String,
    /// `done` or `denied`.
    pub outcome: String,
    /// More about it, for people.
    pub detail: String,
    /// The id of the call, as it was answered.
    pub request_id: Option<String>,
    /// The address that the call came from.
    pub source: Option<String>,
    /// What the client called itself.
    pub user_agent: Option<String>,
}

impl Record {
    /// The canonical JSON before and after the row's number.
    #[must_use]
    pub fn around(&self) -> (String, String) {
        let mut before = String::with_capacity(256);
        before.push('{');
        let mut member = |name: &str, value: &str| {
            let _ = write!(before, "\"{name}\":{},", quoted(value));
        };
        if let Some(account) = &self.account {
            member("account", account);
        }
        member("action", &self.action);
        let _ = write!(before, "\"at\":{},", self.at);
        let mut member = |name: &str, value: &str| {
            let _ = write!(before, "\"{name}\":{},", quoted(value));
        };
        member("detail", &self.detail);
        member("object", &self.object);
        member("outcome", &self.outcome);
        member("principal", &self.principal);
        if let Some(id) = &self.request_id {
            member("request_id", id);
        }
        before.push_str("\"sequence\":");
        let mut after = String::new();
        for (name, value) in [("source", &self.source), ("user_agent", &self.user_agent)] {
            if let Some(value) = value {
                let _ = write!(after, ",\"{name}\":{}", quoted(value));
            }
        }
        after.push('}');
        (before, after)
    }

    /// The canonical JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let (before, after) = self.around();
        format!("{before}{}{after}", self.sequence)
    }

    /// The hash of this row behind one with that hash.
    #[must_use]
    pub fn hash(&self, before: &str) -> String {
        link(before, &self.json())
    }
}

/// Text as JSON. As `serde_json` writes it: quotes, backslashes and control characters escaped and nothing else.
fn quoted(text: &str) -> serde_json::Value {
    serde_json::Value::from(text)
}

fn link(before: &str, json: &str) -> String {
    Digest::of(format!("{before}:{}:{json}", json.len()).as_bytes()).hex()
}

/// What a row of the chain says of rows that have no hash of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The first of them.
    pub from: i64,
    /// The last of them. Rows in between that have a hash are pinned as well.
    pub to: i64,
    /// The hash of the row before the first; [`NOTHING`] when there is none.
    pub after: String,
    /// What the hash of the last would be if all of them were a chain of their own, behind [`NOTHING`].
    pub hash: String,
}

/// Computes [`Pin::hash`], row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinning(String);

impl Default for Pinning {
    fn default() -> Self {
        Self(NOTHING.to_owned())
    }
}

impl Pinning {
    /// The next row.
    pub fn row(&mut self, record: &Record) {
        self.0 = record.hash(&self.0);
    }

    /// What it has come to.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.0
    }
}

/// A place in the chain, to be signed and kept outside the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The hub.
    pub hub: String,
    /// How often its database had been restored.
    pub generation: u64,
    /// The last row.
    pub sequence: i64,
    /// Its hash.
    pub hash: String,
    /// When this was looked at.
    pub at: Timestamp,
}

impl Checkpoint {
    /// What is signed.
    #[must_use]
    pub fn statement(&self) -> String {
        let Self {
            hub,
            generation,
            sequence,
            hash,
            at,
        } = self;
        format!(
            "hadron audit checkpoint 1\nhub {hub}\ngeneration {generation}\nsequence {sequence}\nhash {hash}\nat {}\n",
            at.as_micros()
        )
    }
}

/// A checkpoint with the signature of a hub, one line of JSON in files and logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// What is signed.
    #[serde(flatten)]
    pub checkpoint: Checkpoint,
    /// Which key signed it: the beginning of the public key's digest.
    pub key: String,
    /// The Ed25519 signature of [`Checkpoint::statement`], in base64.
    pub signature: String,
}

#[cfg(test)]
mod tests;
