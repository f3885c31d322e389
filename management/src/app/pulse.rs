//! What a hub asks about all of its live sessions at once, instead of each session about itself: who of them may not go
//! on, and which lanes have work.
//!
//! Agents and connections carry the number of the change that wrote them last, and numbers are committed in their order.
//! So it is enough to ask for what has changed since the last question; now and then everything is compared all the same.

use std::time::Duration;

use hadron_proto::vocab::{AccountId, Region, Timestamp};

use super::{App, AppError};
use crate::store::agents::Standing;
use crate::store::{agents, jobs};

/// What to ask about agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Those that have changed after this number, or whose connections have.
    Change(u64),
    /// All that have a session.
    Ever,
}

/// What is so now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The number of the latest change that this includes.
    pub change: u64,
    /// Where the agents stand that were asked for.
    pub standing: Vec<Standing>,
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
    /// What has changed about agents since then; with `lanes`, also which lanes have work.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pulse(&self, since: Since, lanes: bool) -> Result<Seen, AppError> {
        self.read("pulse", move |tx| {
            Box::pin(async move {
                let change = agents::latest_change(tx).await?;
                let standing = match since {
                    Since::Ever => agents::standing_live(tx).await?,
                    Since::Change(known) if known < change => agents::standing_since(tx, known).await?,
                    Since::Change(_) => Vec::new(),
                };
                let mut waiting = Vec::new();
                if lanes {
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
                    change,
                    standing,
                    waiting,
                })
            })
        })
        .await
    }
}
