//! What happens to jobs, as the client sees it: submitted, there, ended. The same for the project and all peers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::Notify;

/// Names a job in its own payload: a place on the board and the how-manieth job there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Tag {
    pub(crate) slot: u32,
    pub(crate) round: u32,
}

impl Tag {
    /// 17 characters.
    pub(crate) fn text(self) -> String {
        format!("{:08x}-{:08x}", self.slot, self.round)
    }

    /// Reads it back from the beginning of a text.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text.get(..17)?).ok()?;
        let (slot, round) = text.split_once('-')?;
        Some(Self {
            slot: u32::from_str_radix(slot, 16).ok()?,
            round: u32::from_str_radix(round, 16).ok()?,
        })
    }
}

/// One job to be submitted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// For which agent.
    pub(crate) agent: u32,
    pub(crate) tag: Tag,
}

#[derive(Debug)]
struct Slot {
    round: u32,
    /// The time that latencies count from.
    since: Instant,
    there: Option<Instant>,
    ended: Option<Instant>,
}

/// The board. As many places as jobs may be outstanding.
#[derive(Debug)]
pub(crate) struct Board {
    slots: Vec<(Mutex<Slot>, Notify)>,
    /// Jobs that arrived or ended a second time, or that nobody has submitted.
    stray: AtomicU64,
    ended: AtomicU64,
    all: Notify,
}

/// How one job went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Went {
    pub(crate) since: Instant,
    pub(crate) there: Instant,
    pub(crate) ended: Instant,
}

impl Board {
    pub(crate) fn new(slots: usize) -> Self {
        let now = Instant::now();
        let slot = |_| {
            let slot = Slot {
                round: 0,
                since: now,
                there: None,
                ended: None,
            };
            (Mutex::new(slot), Notify::new())
        };
        Self {
            slots: (0..slots).map(slot).collect(),
            stray: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            all: Notify::new(),
        }
    }

    fn with<T>(&self, tag: Tag, act: impl FnOnce(&mut Slot) -> Option<T>) -> Option<T> {
        let (slot, _) = self.slots.get(tag.slot as usize)?;
        let mut slot = slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if slot.round == tag.round {
            act(&mut slot)
        } else {
            None
        }
    }

    /// A new job in this place; latencies count from `since`.
    pub(crate) fn begin(&self, slot: u32, since: Instant) -> Tag {
        let Some((place, _)) = self.slots.get(slot as usize) else {
            return Tag { slot, round: 0 };
        };
        let mut place = place.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        place.round = place.round.wrapping_add(1);
        place.since = since;
        place.there = None;
        place.ended = None;
        Tag {
            slot,
            round: place.round,
        }
    }

    /// The agent has the job.
    pub(crate) fn arrived(&self, tag: Tag) {
        let fresh = self.with(tag, |slot| {
            let fresh = slot.there.is_none();
            slot.there.get_or_insert_with(Instant::now);
            fresh.then_some(())
        });
        if fresh.is_none() {
            self.stray.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The job's result is durable and its agent knows that.
    pub(crate) fn ended(&self, tag: Tag) {
        let fresh = self.with(tag, |slot| {
            let fresh = slot.ended.is_none();
            slot.ended.get_or_insert_with(Instant::now);
            fresh.then_some(())
        });
        if fresh.is_none() {
            self.stray.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.ended.fetch_add(1, Ordering::Relaxed);
        if let Some((_, bell)) = self.slots.get(tag.slot as usize) {
            bell.notify_one();
        }
        self.all.notify_one();
    }

    /// Waits until the present job of this place has ended.
    pub(crate) async fn wait(&self, tag: Tag) -> Went {
        loop {
            let went = self.with(tag, |slot| {
                Some(Went {
                    since: slot.since,
                    there: slot.there?,
                    ended: slot.ended?,
                })
            });
            if let Some(went) = went {
                return went;
            }
            match self.slots.get(tag.slot as usize) {
                Some((_, bell)) => bell.notified().await,
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until so many jobs have ended since the board was made.
    pub(crate) async fn wait_for(&self, count: u64) {
        while self.ended.load(Ordering::Relaxed) < count {
            self.all.notified().await;
        }
    }

    /// When the job of each place arrived and ended, as far as they did.
    pub(crate) fn times(&self) -> Vec<(Option<Instant>, Option<Instant>)> {
        let of = |(slot, _): &(Mutex<Slot>, Notify)| {
            let slot = slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            (slot.there, slot.ended)
        };
        self.slots.iter().map(of).collect()
    }

    /// How many jobs have ended.
    pub(crate) fn count(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// How many arrived or ended twice, or for nobody.
    pub(crate) fn strays(&self) -> u64 {
        self.stray.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_back_from_texts() {
        let tag = Tag {
            slot: 7,
            round: 4_000_000_000,
        };
        assert_eq!(
            Tag::read(format!("{} and more", tag.text()).as_bytes()),
            Some(tag)
        );
        assert_eq!(Tag::read(b"no tag at all, whatever"), None);
        assert_eq!(Tag::read(b"short"), None);
    }

    #[tokio::test]
    async fn a_job_that_ends_twice_is_noticed() {
        let board = Board::new(1);
        let tag = board.begin(0, Instant::now());
        board.arrived(tag);
        board.ended(tag);
        board.wait(tag).await;
        assert_eq!((board.count(), board.strays()), (1, 0));
        board.ended(tag);
        board.arrived(Tag { slot: 9, round: 1 });
        assert_eq!((board.count(), board.strays()), (1, 2));
        let next = board.begin(0, Instant::now());
        board.ended(tag);
        assert_ne!(next, tag);
        assert_eq!(board.strays(), 3);
    }
}
