//! Fences of leases, drawn many at a time.
//!
//! A number drawn from a [`Sequence`] holds its row until COMMIT, so hubs that drew one for every lease would lease one
//! after another, each waiting for the other's sync to disk. What a lease needs is less than a sequence gives: a fence that is
//! greater than every earlier one *of the same job*, and the job's row is locked and says which that is. So a hub draws
//! [`BLOCK`] numbers at once and deals them out from memory; where a hub with later numbers had the job meanwhile, it
//! draws anew. Numbers that a hub takes with it when it ends are never used; there are enough.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Unit;
use super::recovery::Leasing;
use crate::store::{Sequence, StoreError, Tx};

/// How many numbers are drawn at once. Of 2^40, one block a second lasts for a century.
const BLOCK: u32 = 256;

/// Numbers that were drawn in a generation and count in no other: the first lease after a restore was announced draws, so
/// that the sequence tells whether anything was given out since.
#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    generation: u64,
    numbers: Range<u64>,
}

impl Block {
    /// The next number that makes a fence greater than `last`.
    fn next(&mut self, leasing: &Leasing, last: u64) -> Option<u64> {
        if self.generation != leasing.generation {
            return None;
        }
        self.numbers
            .by_ref()
            .map(|number| leasing.fence(number))
            .find(|fence| *fence > last)
    }
}

/// What this hub has drawn and not used.
#[derive(Debug, Default)]
pub(super) struct Stock(Mutex<Block>);

impl Stock {
    fn left(&self) -> MutexGuard<'_, Block> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up to `count`.
    fn take(&self, count: u64) -> Block {
        let mut left = self.left();
        let Range { start, end } = left.numbers;
        left.numbers.start = end.min(start.saturating_add(count));
        Block {
            generation: left.generation,
            numbers: start..left.numbers.start,
        }
    }

    /// Takes in what a committed transaction has drawn and not used. Of two blocks the later one is kept: it serves more
    /// jobs.
    pub(super) fn put(&self, fences: Fences) {
        let mut left = self.left();
        let later = |block: &Block| (block.generation, block.numbers.start);
        if left.numbers.is_empty() || later(&fences.drawn) > later(&left) {
            *left = fences.drawn;
        }
    }
}

/// Those of one transaction.
#[derive(Debug, Default)]
pub(super) struct Fences {
    stocked: Block,
    /// Drawn in this transaction, so nobody else's only once it is committed.
    drawn: Block,
}

impl Unit<'_> {
    /// Fences for up to `count` leases.
    pub(super) fn fences(&self, count: usize) -> Fences {
        Fences {
            stocked: self.app.0.fences.take(count as u64),
            drawn: Block::default(),
        }
    }
}

impl Fences {
    /// The fence of the next lease of a job whose last one was `last`: a greater one.
    pub(super) async fn next(
        &mut self,
        tx: &mut Tx,
        leasing: &Leasing,
        last: u64,
    ) -> Result<u64, StoreError> {
        let found = self.stocked.next(leasing, last);
        if let Some(fence) = found.or_else(|| self.drawn.next(leasing, last)) {
            return Ok(fence);
        }
        // Whoever had the job last drew its number before, and committed it: everything from here on is greater.
        let first = tx.next_many(Sequence::FENCE, BLOCK).await?;
        self.drawn = Block {
            generation: leasing.generation,
            numbers: first + 1..first + u64::from(BLOCK),
        };
        Ok(leasing.fence(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::jobs::Abilities;

    fn block(generation: u64, numbers: Range<u64>) -> Block {
        Block { generation, numbers }
    }

    fn drawn(generation: u64, numbers: Range<u64>) -> Fences {
        Fences {
            stocked: Block::default(),
            drawn: block(generation, numbers),
        }
    }

    fn leasing(generation: u64) -> Leasing {
        Leasing {
            generation,
            can: Abilities::of::<&str>(&[]),
        }
    }

    #[test]
    fn a_number_is_dealt_out_once() {
        let stock = Stock::default();
        assert_eq!(stock.take(3), Block::default());
        stock.put(drawn(0, 5..10));
        assert_eq!(stock.take(3), block(0, 5..8));
        assert_eq!(stock.take(3), block(0, 8..10));
        assert_eq!(stock.take(1), block(0, 10..10));
    }

    #[test]
    fn the_later_block_is_kept() {
        let stock = Stock::default();
        stock.put(drawn(0, 100..110));
        stock.put(drawn(0, 50..60));
        stock.put(drawn(0, 0..0));
        assert_eq!(stock.take(1), block(0, 100..101));
        stock.put(drawn(1, 20..30));
        assert_eq!(stock.take(1), block(1, 20..21));
        stock.put(drawn(0, 200..210));
        assert_eq!(stock.take(20), block(1, 21..30));
    }

    #[test]
    fn fences_grow_for_each_job_and_end_with_their_generation() {
        let mut own = block(1, 7..12);
        let (present, next) = (leasing(1), leasing(2));
        assert_eq!(own.next(&next, 0), None);
        assert_eq!(own.next(&present, 0), Some(present.fence(7)));
        // Another hub had this job meanwhile.
        assert_eq!(own.next(&present, present.fence(9)), Some(present.fence(10)));
        assert_eq!(own.next(&present, present.fence(500)), None);
    }
}
