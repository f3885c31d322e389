//! Fences of leases, drawn many at a time.
//!
//! A number drawn from a [`Sequence`] holds its row until COMMIT, so hubs that drew one for every lease would lease one
//! after another, each waiting for the other's sync to disk. What a lease needs is less than a sequence gives: a fence that is
//! greater than every earlier one *of the same job*, and the job's row is locked and says which that is. So a hub draws
//! [`BLOCK`] numbers at once and deals them out from memory; where a hub with later numbers had the job meanwhile, it
//! draws anew. Numbers that a hub takes with it when it ends are never used; there are enough.
//!
//! Whoever sees that few are left draws the next block, in a transaction of its own and before the last number is dealt out:
//! otherwise every session that leases at that moment would draw, one after another behind the same row.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::recovery::Leasing;
use super::{App, AppError, Unit};
use crate::store::{Sequence, StoreError, Tx, recovery};

/// How many numbers are drawn at once. Of 2^40, one block a second lasts for thirty years.
const BLOCK: u32 = 1_024;
/// With fewer left the next block is drawn: more than all sessions lease while that takes.
const FEW: u64 = 512;

/// Numbers that were drawn in a generation and count in no other: the first lease after a restore was announced draws, so
/// that the sequence tells whether anything was given out since.
#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    generation: u64,
    numbers: Range<u64>,
}

impl Block {
    fn starting_at(generation: u64, first: u64) -> Self {
        Self {
            generation,
            numbers: first..first + u64::from(BLOCK),
        }
    }

    const fn left(&self) -> u64 {
        self.numbers.end - self.numbers.start
    }

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

/// What this hub has drawn and not used, of one generation, in order.
#[derive(Debug, Default)]
pub(super) struct Stock {
    blocks: Mutex<VecDeque<Block>>,
    /// Somebody draws the next block now.
    drawing: AtomicBool,
}

impl Stock {
    fn blocks(&self) -> MutexGuard<'_, VecDeque<Block>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up to `count`.
    fn take(&self, mut count: u64) -> VecDeque<Block> {
        let (mut blocks, mut taken) = (self.blocks(), VecDeque::new());
        while count > 0 {
            let Some(block) = blocks.front_mut() else { break };
            let Range { start, end } = block.numbers;
            let until = end.min(start.saturating_add(count));
            taken.push_back(Block {
                generation: block.generation,
                numbers: start..until,
            });
            count -= until - start;
            block.numbers.start = until;
            if until == end {
                blocks.pop_front();
            }
        }
        taken
    }

    /// Takes in what a committed transaction has drawn and not used.
    pub(super) fn put(&self, fences: Fences) {
        self.add(fences.drawn);
    }

    fn add(&self, block: Block) {
        if block.left() == 0 {
            return;
        }
        let mut blocks = self.blocks();
        match blocks.front().map(|front| front.generation) {
            Some(present) if present > block.generation => return,
            Some(present) if present < block.generation => blocks.clear(),
            _ => {}
        }
        // Later numbers serve more jobs, so they are kept for later.
        let place = blocks.partition_point(|one| one.numbers.start < block.numbers.start);
        blocks.insert(place, block);
    }

    fn left(&self) -> u64 {
        self.blocks().iter().map(Block::left).sum()
    }
}

/// Says that somebody draws, for as long as they do: a session may end in the middle of it.
struct Drawing<'a>(&'a AtomicBool);

impl<'a> Drawing<'a> {
    fn begin(stock: &'a Stock) -> Option<Self> {
        (!stock.drawing.swap(true, Ordering::AcqRel)).then_some(Self(&stock.drawing))
    }
}

impl Drop for Drawing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Those of one transaction.
#[derive(Debug, Default)]
pub(super) struct Fences {
    stocked: VecDeque<Block>,
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

impl App {
    /// Draws the next block where few numbers are left, unless somebody does so already. Only for who has leased something:
    /// see [`Block`].
    ///
    /// # Errors
    /// When the database does not answer. Whoever leases next draws for themselves.
    pub(super) async fn stock_fences(&self) -> Result<(), AppError> {
        let stock = &self.0.fences;
        let Some(_drawing) = (stock.left() < FEW).then(|| Drawing::begin(stock)).flatten() else {
            return Ok(());
        };
        let drawn = self.write("draw fences", |unit| {
            Box::pin(async move {
                let generation = recovery::generation(unit.tx).await?;
                let first = unit.tx.next_many(Sequence::FENCE, BLOCK).await?;
                Ok(Block::starting_at(generation, first))
            })
        });
        stock.add(drawn.await?);
        Ok(())
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
        while let Some(block) = self.stocked.front_mut() {
            if let Some(fence) = block.next(leasing, last) {
                return Ok(fence);
            }
            self.stocked.pop_front();
        }
        if let Some(fence) = self.drawn.next(leasing, last) {
            return Ok(fence);
        }
        // Whoever had the job last drew its number before, and committed it: everything from here on is greater.
        let first = tx.next_many(Sequence::FENCE, BLOCK).await?;
        self.drawn = Block::starting_at(leasing.generation, first);
        self.drawn.numbers.start += 1;
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
            stocked: VecDeque::new(),
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
        assert_eq!(stock.take(3), []);
        stock.put(drawn(0, 5..10));
        stock.put(drawn(0, 20..22));
        assert_eq!(stock.left(), 7);
        assert_eq!(stock.take(3), [block(0, 5..8)]);
        assert_eq!(stock.take(3), [block(0, 8..10), block(0, 20..21)]);
        assert_eq!(stock.take(9), [block(0, 21..22)]);
        assert_eq!(stock.take(1), []);
    }

    #[test]
    fn one_draws_at_a_time_and_who_gives_up_is_in_nobodys_way() {
        let stock = Stock::default();
        let drawing = Drawing::begin(&stock);
        assert!(drawing.is_some());
        assert!(Drawing::begin(&stock).is_none());
        drop(drawing);
        assert!(Drawing::begin(&stock).is_some());
    }

    #[test]
    fn earlier_numbers_come_first_and_those_of_before_a_restore_not_at_all() {
        let stock = Stock::default();
        stock.put(drawn(0, 100..102));
        stock.put(drawn(0, 50..52));
        stock.put(drawn(0, 0..0));
        assert_eq!(stock.take(3), [block(0, 50..52), block(0, 100..101)]);
        stock.put(drawn(1, 20..30));
        stock.put(drawn(0, 200..210));
        assert_eq!(stock.take(20), [block(1, 20..30)]);
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
