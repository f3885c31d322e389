//! Stack events of one job that wait for the hub.
//!
//! They tell people how a deployment goes and decide nothing, so they may not cost an agent its memory when the hub is away:
//! beyond a bound the oldest word of progress makes room, words of failure last. What was lost is counted, and told where
//! the events would have been. How a job ended is no event and never lost.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hadron_proto::vocab::Timestamp;
use tokio::sync::Notify;
use tracing::warn;

use crate::job::StackEvent;

/// Events that may wait.
pub(super) const MOST: usize = 256;

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<StackEvent>,
    /// How many made room since the last that were taken, and when the last of them was.
    dropped: u64,
    dropped_at: Option<Timestamp>,
    /// How often it was told that some are missing.
    told: u64,
    closed: bool,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a job puts its events. Dropping it ends the backlog once it is empty.
#[derive(Debug)]
pub(super) struct Teller(Arc<Shared>);

/// Where they are taken from.
#[derive(Debug)]
pub(super) struct Backlog(Arc<Shared>);

/// An empty backlog.
pub(super) fn backlog() -> (Arc<Teller>, Backlog) {
    let shared = Arc::<Shared>::default();
    (Arc::new(Teller(Arc::clone(&shared))), Backlog(shared))
}

fn is_progress(event: &StackEvent) -> bool {
    !event.status.ends_with("FAILED")
}

impl Teller {
    /// Adds events. Never waits.
    pub(super) fn tell(&self, events: Vec<StackEvent>) {
        let mut waiting = self.0.lock();
        let before = waiting.dropped;
        for event in events {
            if waiting.events.len() >= MOST {
                let at = waiting.events.iter().position(is_progress).unwrap_or(0);
                let gone = waiting.events.remove(at);
                waiting.dropped += 1;
                waiting.dropped_at = gone.map(|gone| gone.at);
            }
            waiting.events.push_back(event);
        }
        let dropped = waiting.dropped - before;
        drop(waiting);
        if dropped > 0 {
            warn!(
                counter.events_dropped = dropped,
                "Dropped stack events: the hub does not take them fast enough"
            );
        }
        self.0.bell.notify_one();
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.bell.notify_one();
    }
}

impl Backlog {
    /// Takes at most `most` events, in order, with word of those that are missing; waits for the first. `None` when there
    /// will be no more.
    pub(super) async fn take(&mut self, most: usize) -> Option<Vec<StackEvent>> {
        loop {
            {
                let mut waiting = self.0.lock();
                if waiting.dropped > 0 || !waiting.events.is_empty() {
                    return Some(waiting.take(most));
                }
                if waiting.closed {
                    return None;
                }
            }
            self.0.bell.notified().await;
        }
    }
}

impl Waiting {
    fn take(&mut self, most: usize) -> Vec<StackEvent> {
        let mut taken = Vec::with_capacity(most.min(self.events.len() + 1));
        if let Some(at) = self.dropped_at.take() {
            self.told += 1;
            let dropped = std::mem::take(&mut self.dropped);
            taken.push(missing(self.told, dropped, at));
        }
        let room = most.saturating_sub(taken.len()).min(self.events.len());
        taken.extend(self.events.drain(..room));
        taken
    }
}

/// Stands where events would have stood. The hub knows events by their ids, and takes each once.
fn missing(number: u64, dropped: u64, at: Timestamp) -> StackEvent {
    StackEvent {
        event_id: format!("hadron-dropped-{number}-{}", at.as_micros()),
        at,
        logical_id: format!("{dropped} events"),
        physical_id: String::new(),
        resource_type: "Hadron::Agent".to_owned(),
        status: "EVENTS_DROPPED".to_owned(),
        reason: "the hub did not take them in time; CloudFormation still has them".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize, status: &str) -> StackEvent {
        StackEvent {
            event_id: number.to_string(),
            at: Timestamp::from_micros(i64::try_from(number).unwrap()),
            logical_id: "Topic".to_owned(),
            physical_id: String::new(),
            resource_type: "AWS::SNS::Topic".to_owned(),
            status: status.to_owned(),
            reason: String::new(),
        }
    }

    fn ids(events: &[StackEvent]) -> Vec<&str> {
        events.iter().map(|event| event.event_id.as_str()).collect()
    }

    #[tokio::test]
    async fn while_there_is_room_events_are_complete_and_in_order() {
        let (teller, mut backlog) = backlog();
        teller.tell((0..MOST).map(|n| event(n, "CREATE_IN_PROGRESS")).collect());
        let first = backlog.take(100).await.unwrap();
        let rest = backlog.take(MOST).await.unwrap();
        let all: Vec<StackEvent> = first.into_iter().chain(rest).collect();
        let wanted: Vec<String> = (0..MOST).map(|n| n.to_string()).collect();
        assert_eq!(ids(&all), wanted);
        drop(teller);
        assert_eq!(backlog.take(1).await, None);
    }

    #[tokio::test]
    async fn beyond_the_bound_progress_makes_room_and_it_is_told_how_much() {
        let (teller, mut backlog) = backlog();
        teller.tell(vec![event(0, "CREATE_IN_PROGRESS"), event(1, "CREATE_FAILED")]);
        // Many times the bound: what waits stays as small.
        for from in (2..2_002).step_by(100) {
            teller.tell((from..from + 100).map(|n| event(n, "UPDATE_COMPLETE")).collect());
        }
        assert_eq!(teller.0.lock().events.len(), MOST);
        let taken = backlog.take(1_000).await.unwrap();
        let dropped = 2_002 - MOST;
        assert_eq!(taken[0].status, "EVENTS_DROPPED");
        assert_eq!(taken[0].logical_id, format!("{dropped} events"));
        assert_eq!(taken[1].event_id, "1", "failures stay");
        let wanted: Vec<String> = (2_002 - (MOST - 1)..2_002).map(|n| n.to_string()).collect();
        assert_eq!(ids(&taken[2..]), wanted);
        // Told once; the next gap is another event.
        teller.tell(
            (3_000..3_000 + MOST + 5)
                .map(|n| event(n, "UPDATE_COMPLETE"))
                .collect(),
        );
        let again = backlog.take(1).await.unwrap();
        assert_eq!(again[0].logical_id, "5 events");
        assert_ne!(again[0].event_id, taken[0].event_id);
    }

    #[tokio::test]
    async fn only_failures_wait_and_the_oldest_makes_room() {
        let (teller, mut backlog) = backlog();
        teller.tell((0..=MOST).map(|n| event(n, "CREATE_FAILED")).collect());
        let taken = backlog.take(2).await.unwrap();
        assert_eq!(ids(&taken)[1], "1");
    }
}
