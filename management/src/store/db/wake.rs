//! Wake-ups: after a commit, whoever waits for the topic looks again. A hint and nothing more: it may come twice, for
//! nothing, or (from another replica) not at all, so every consumer also polls.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hadron_proto::vocab::{AccountId, Region};
use tokio::sync::Notify;

/// What a consumer waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Jobs became ready in one lane of the queue.
    Jobs {
        /// The account of the agent.
        account: AccountId,
        /// Its Region.
        region: Region,
    },
    /// Effects wait in the outbox.
    Outbox,
    /// Something that people watch has changed.
    Changes,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jobs { account, region } => write!(f, "jobs/{account}/{region}"),
            Self::Outbox => f.write_str("outbox"),
            Self::Changes => f.write_str("changes"),
        }
    }
}

impl FromStr for Topic {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "outbox" => Ok(Self::Outbox),
            "changes" => Ok(Self::Changes),
            _ => {
                let (account, region) = text
                    .strip_prefix("jobs/")
                    .and_then(|lane| lane.split_once('/'))
                    .ok_or(())?;
                Ok(Self::Jobs {
                    account: account.parse().map_err(drop)?,
                    region: region.parse().map_err(drop)?,
                })
            }
        }
    }
}

/// Waits for wake-ups of one topic. Made by [`Db::subscribe`](super::Db::subscribe).
#[derive(Debug)]
pub struct Subscription {
    topic: Topic,
    bell: Arc<Bell>,
    /// How often the bell had been rung when it was last looked at.
    seen: u64,
    wakes: Arc<Wakes>,
}

/// Wakes those who wait for one topic. No watch channel: that one wakes them in random order, this one who waits longest
/// first.
#[derive(Debug, Default)]
struct Bell {
    rung: AtomicU64,
    waiting: Notify,
    subscriptions: AtomicU64,
}

impl Bell {
    fn ring(&self) {
        self.rung.fetch_add(1, Ordering::SeqCst);
        self.waiting.notify_waiters();
    }
}

impl Subscription {
    /// Waits until a transaction that named the topic has been committed since the last call (or since the subscription
    /// was made). Level, not edge: a wake-up while nobody waits is kept. Safe to cancel.
    pub async fn woken(&mut self) {
        loop {
            // Before looking, so that nothing is missed.
            let rung = self.bell.waiting.notified();
            let now = self.bell.rung.load(Ordering::SeqCst);
            if now != self.seen {
                self.seen = now;
                return;
            }
            rung.await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut local = self.wakes.local.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, as in subscribing.
        if self.bell.subscriptions.fetch_sub(1, Ordering::SeqCst) == 1 {
            local.remove(&self.topic);
        }
    }
}

/// The table of who waits for what in this process, and what other processes are still to be told.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    local: Mutex<HashMap<Topic, Arc<Bell>>>,
    /// Topics for other replicas; stays empty on SQLite.
    unsent: Mutex<BTreeSet<Topic>>,
    pub(super) bell: Notify,
}

impl Wakes {
    pub(super) fn subscribe(self: &Arc<Self>, topic: Topic) -> Subscription {
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        let bell = Arc::clone(local.entry(topic.clone()).or_default());
        bell.subscriptions.fetch_add(1, Ordering::SeqCst);
        drop(local);
        Subscription {
            topic,
            seen: bell.rung.load(Ordering::SeqCst),
            bell,
            wakes: Arc::clone(self),
        }
    }

    /// Wakes those who wait in this process.
    pub(super) fn wake(&self, topics: &BTreeSet<Topic>) {
        if topics.is_empty() {
            return;
        }
        let local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        for bell in topics.iter().filter_map(|topic| local.get(topic)) {
            bell.ring();
        }
    }

    /// Wakes everybody in this process: wake-ups may have been missed.
    pub(super) fn wake_all(&self) {
        let local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        for bell in local.values() {
            bell.ring();
        }
    }

    /// Leaves topics for the task that tells other replicas.
    pub(super) fn tell_others(&self, topics: BTreeSet<Topic>) {
        if !topics.is_empty() {
            self.unsent
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(topics);
            self.bell.notify_one();
        }
    }

    /// What other replicas are still to be told, as one message; `*` when it would be too long for PostgreSQL.
    pub(super) fn message(&self) -> Option<String> {
        let topics = std::mem::take(&mut *self.unsent.lock().unwrap_or_else(PoisonError::into_inner));
        if topics.is_empty() {
            return None;
        }
        let words: Vec<String> = topics.iter().map(ToString::to_string).collect();
        let message = words.join(" ");
        Some(if message.len() < MAX_MESSAGE {
            message
        } else {
            "*".to_owned()
        })
    }

    /// Takes a message of another replica. Words of a newer release are passed over.
    pub(super) fn heard(&self, message: &str) {
        if message == "*" {
            self.wake_all();
        } else {
            self.wake(&message.split(' ').filter_map(|word| word.parse().ok()).collect());
        }
    }
}

/// PostgreSQL takes payloads below 8,000 bytes.
const MAX_MESSAGE: usize = 7_900;

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(account: u64) -> Topic {
        Topic::Jobs {
            account: format!("{account:012}").parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
        }
    }

    #[test]
    fn topics_round_trip_as_text() {
        for topic in [Topic::Outbox, Topic::Changes, lane(42)] {
            assert_eq!(topic.to_string().parse::<Topic>(), Ok(topic));
        }
        assert!("jobs/x/y".parse::<Topic>().is_err());
    }

    #[tokio::test]
    async fn a_wake_up_is_kept_until_somebody_waits_and_tables_do_not_grow() {
        let wakes = Arc::new(Wakes::default());
        let mut one = wakes.subscribe(lane(1));
        let other = wakes.subscribe(lane(1));
        wakes.wake(&BTreeSet::from([lane(1), lane(2)]));
        one.woken().await;
        drop((one, other));
        assert!(wakes.local.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn many_topics_become_one_short_message_that_wakes_everybody() {
        let wakes = Arc::new(Wakes::default());
        assert_eq!(wakes.message(), None);
        wakes.tell_others((0..1_000).map(lane).collect());
        assert_eq!(wakes.message().as_deref(), Some("*"));
        wakes.tell_others(BTreeSet::from([Topic::Outbox, lane(7)]));
        let message = wakes.message().unwrap();
        let (mut seven, mut all) = (wakes.subscribe(lane(7)), wakes.subscribe(Topic::Changes));
        wakes.heard(&message);
        seven.woken().await;
        wakes.heard("* newer-word");
        wakes.heard("*");
        all.woken().await;
    }
}
