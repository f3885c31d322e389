//! What a hub asks about all of its live sessions at once, instead of each session about itself: who of them may not go
//! on, and which lanes have work.
//!
//! Whatever may end the trust in agents draws a number. As long as that has not grown, nothing was decided, and only agents
//! are asked for whose sessions are new. Otherwise, and now and then all the same, every session is compared.

use std::time::Duration;

use hadron_proto::vocab::{AccountId, AgentId, Region, Timestamp};

use super::{App, AppError};
use crate::store::agents::Standing;
use crate::store::{agents, jobs};

/// What to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// The number of the latest decision that is known; `None`: compare all sessions, whatever it is.
    pub known: Option<u64>,
    /// Agents to ask for where nothing new was decided.
    pub fresh: Vec<AgentId>,
    /// Whether to look over the lanes, too.
    pub lanes: bool,
}

/// What is so now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The number of the latest decision that this includes.
    pub decision: u64,
    /// Where agents stand.
    pub standing: Vec<Standing>,
    /// Every agent that has a session at whichever hub is among them.
    pub complete: bool,
    /// Lanes with jobs that wait for an agent.
    pub waiting: Vec<Waiting>,
}

/// A lane with jobs that wait for an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// Since when, or from when on, the first job may be taken.
    pub first: Timestamp,
    /// How long it is until then: zero when it may be taken now.
    pub wait: Duration,
}

impl App {
    /// What is so about sessions and lanes, as of one moment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pulse(&self, pulse: Pulse) -> Result<Seen, AppError> {
        self.read("pulse", move |tx| {
            Box::pin(async move {
                let decision = agents::latest_decision(tx).await?;
                let complete = pulse.known != Some(decision);
                let standing = if complete {
                    agents::standing_live(tx).await?
                } else if pulse.fresh.is_empty() {
                    Vec::new()
                } else {
                    agents::standing_of(tx, &pulse.fresh).await?
                };
                let mut waiting = Vec::new();
                if pulse.lanes {
                    let now = tx.now().await?;
                    for (account, region, first) in jobs::waiting(tx).await? {
                        waiting.push(Waiting {
                            account,
                            region,
                            first,
                            wait: first.since(now),
                        });
                    }
                }
                Ok(Seen {
                    decision,
                    standing,
                    complete,
                    waiting,
                })
            })
        })
        .await
    }
}
