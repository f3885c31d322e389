//! The jobs that are this agent's right now, and until when.
//!
//! A lease is the hub's promise to give the job to nobody else for a while. The agent measures it with its own
//! monotonic clock, from a moment that was certainly *before* the hub renewed it, and stops acting when two thirds are
//! over. So its idea of the end is never later than the hub's, whatever the clocks and the network do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hadron_proto::vocab::JobId;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::job::Token;

/// When the agent stops acting on a lease that was renewed at `from`.
#[must_use]
pub(crate) fn stop_at(from: Instant, lease: Duration) -> Instant {
    from + lease * 2 / 3
}

/// How a lease ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// The hub said so.
    Lost(String),
    /// It was not renewed in time.
    Expired,
}

#[derive(Clone, Debug)]
enum Clock {
    Until(Instant),
    Over(Over),
}

/// One lease, as its job sees it.
#[derive(Clone, Debug)]
pub struct Lease {
    token: Token,
    clock: watch::Receiver<Clock>,
}

impl Lease {
    /// Whose lease it is.
    #[must_use]
    pub const fn token(&self) -> Token {
        self.token
    }

    /// May the agent still act on it?
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(&*self.clock.borrow(), Clock::Until(end) if Instant::now() < *end)
    }

    /// Waits for its end.
    pub async fn over(&self) -> Over {
        let mut clock = self.clock.clone();
        loop {
            let end = match &*clock.borrow_and_update() {
                Clock::Over(over) => return over.clone(),
                Clock::Until(end) => *end,
            };
            tokio::select! {
                biased;
                // First: who was paused may find the end that it waited for and a later one at once.
                changed = clock.changed() => if changed.is_err() {
                    return Over::Lost("it was given back".to_owned());
                },
                () = tokio::time::sleep_until(end) => return Over::Expired,
            }
        }
    }
}

#[derive(Debug)]
struct Entry {
    token: Token,
    clock: watch::Sender<Clock>,
}

#[derive(Debug, Default)]
struct Table {
    /// In the order of their ids, so that the hub is told of them in the same order every time.
    jobs: BTreeMap<JobId, Entry>,
    /// To be given back on the stream, with the step that was reached.
    handovers: Vec<(Token, String)>,
}

/// All of them. Clones are handles to the same table.
#[derive(Clone, Debug, Default)]
pub struct Held {
    table: Arc<Mutex<Table>>,
    /// Something changed that the session has to tell the hub.
    changed: Arc<Notify>,
}

impl Held {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table
            .lock()
            .expect("nothing panics while it holds the table of leases")
    }

    /// Takes a job. `None`: it is held already, under this lease or a later one. An earlier lease of the job is over.
    pub fn take(&self, token: Token, until: Instant) -> Option<Lease> {
        let mut table = self.table();
        if let Some(earlier) = table.jobs.get(&token.job) {
            if earlier.token.fence >= token.fence {
                return None;
            }
            end(earlier, Over::Lost("the hub leased the job anew".to_owned()));
        }
        let (clock, receiver) = watch::channel(Clock::Until(until));
        table.jobs.insert(token.job, Entry { token, clock });
        Some(Lease {
            token,
            clock: receiver,
        })
    }

    /// The hub renewed a lease. One that is over stays over; an older promise does not shorten a newer one.
    pub fn renew(&self, token: Token, until: Instant) {
        if let Some(entry) = self
            .table()
            .jobs
            .get(&token.job)
            .filter(|entry| entry.token == token)
        {
            entry.clock.send_if_modified(|clock| match clock {
                Clock::Until(end) if *end < until => {
                    *end = until;
                    true
                }
                Clock::Until(_) | Clock::Over(_) => false,
            });
        }
    }

    /// A lease is over, for good.
    pub fn lose(&self, token: Token, over: Over) {
        if let Some(entry) = self
            .table()
            .jobs
            .get(&token.job)
            .filter(|entry| entry.token == token)
        {
            end(entry, over);
        }
    }

    /// The agent is done with a job.
    pub fn release(&self, token: Token) {
        let mut table = self.table();
        if table
            .jobs
            .get(&token.job)
            .is_some_and(|entry| entry.token == token)
        {
            table.jobs.remove(&token.job);
        }
        drop(table);
        self.changed.notify_one();
    }

    /// The agent is done with a job that is not done: it is to be given back.
    pub fn hand_over(&self, token: Token, step: String) {
        self.table().handovers.push((token, step));
        self.release(token);
    }

    /// Puts back what could not be said.
    pub fn hand_over_again(&self, handovers: impl IntoIterator<Item = (Token, String)>) {
        self.table().handovers.extend(handovers);
        self.changed.notify_one();
    }

    /// What is to be given back; the caller says it to the hub.
    #[must_use]
    pub fn take_handovers(&self) -> Vec<(Token, String)> {
        std::mem::take(&mut self.table().handovers)
    }

    /// Every job whose lease the hub is to renew. Reports that wait for an answer keep their lease as well.
    #[must_use]
    pub fn tokens(&self) -> Vec<Token> {
        let table = self.table();
        let alive = |entry: &&Entry| matches!(&*entry.clock.borrow(), Clock::Until(_));
        table
            .jobs
            .values()
            .filter(alive)
            .map(|entry| entry.token)
            .collect()
    }

    /// How many jobs are held, those included that only wait for their report to be acknowledged.
    #[must_use]
    pub fn count(&self) -> usize {
        self.table().jobs.len()
    }

    /// Nothing is held and nothing is to be given back.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let table = self.table();
        table.jobs.is_empty() && table.handovers.is_empty()
    }

    /// Waits until there is something to tell the hub.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Makes [`Held::changed`] return.
    pub fn touch(&self) {
        self.changed.notify_one();
    }
}

fn end(entry: &Entry, over: Over) {
    entry.clock.send_if_modified(|clock| match clock {
        Clock::Until(_) => {
            *clock = Clock::Over(over);
            true
        }
        Clock::Over(_) => false,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    fn token(fence: u64) -> Token {
        Token {
            job: JobId::from_parts(1, [1; 10]),
            fence,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_renewal_a_lease_ends_at_two_thirds() {
        let held = Held::default();
        let start = Instant::now();
        let lease = held.take(token(1), stop_at(start, LEASE)).unwrap();
        assert_eq!(lease.over().await, Over::Expired);
        assert_eq!(start.elapsed().as_secs(), 20);
        assert!(!lease.holds());
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_counts_from_when_it_was_sent() {
        let held = Held::default();
        let start = Instant::now();
        let lease = held.take(token(1), stop_at(start, LEASE)).unwrap();
        let sent = start + Duration::from_secs(10);
        // The answer comes seven seconds after the question: those seven are not the agent's.
        tokio::time::sleep(Duration::from_secs(17)).await;
        held.renew(token(1), stop_at(sent, LEASE));
        assert_eq!(lease.over().await, Over::Expired);
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_comes_late_does_not_shorten_a_lease() {
        let held = Held::default();
        let start = Instant::now();
        let lease = held
            .take(token(1), stop_at(start + Duration::from_secs(10), LEASE))
            .unwrap();
        held.renew(token(1), stop_at(start, LEASE));
        lease.over().await;
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_stays_over() {
        let held = Held::default();
        let lease = held.take(token(1), stop_at(Instant::now(), LEASE)).unwrap();
        let waiting = tokio::spawn({
            let lease = lease.clone();
            async move { lease.over().await }
        });
        held.lose(token(1), Over::Lost("cancelled".to_owned()));
        held.renew(token(1), stop_at(Instant::now(), LEASE));
        assert_eq!(waiting.await.unwrap(), Over::Lost("cancelled".to_owned()));
        assert!(!lease.holds());
        assert!(held.tokens().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_lease_of_a_job_ends_the_old_one() {
        let held = Held::default();
        let end = stop_at(Instant::now(), LEASE);
        let old = held.take(token(1), end).unwrap();
        let new = held.take(token(2), end).unwrap();
        assert!(!old.holds());
        assert!(new.holds());
        assert!(held.take(token(1), end).is_none());
        assert!(held.take(token(2), end).is_none());
        // The old holder tidying up does not take the new one's place away.
        held.release(token(1));
        assert_eq!(held.tokens(), [token(2)]);
    }
}
