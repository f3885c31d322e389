//! Work that one hub at a time does: advisory locks of a connection. They end with it, however its hub ends.

use std::sync::Arc;

use super::{Lent, Pool, Postgres, session};
use crate::store::error::StoreError;

/// A lock, and the connection that holds it. Dropped, the connection is closed and the lock with it.
pub(in crate::store::db) struct Held {
    lent: Lent,
    pool: Arc<Pool>,
    key: i32,
}

impl Postgres {
    pub(in crate::store::db) async fn alone(&self, name: &str) -> Result<Option<Held>, StoreError> {
        let mut lent = self.pool.lend().await?;
        let key = key(name);
        if session(&mut lent.tx).try_lock(key).await? {
            let pool = Arc::clone(&self.pool);
            return Ok(Some(Held { lent, pool, key }));
        }
        self.pool.give_back(lent);
        Ok(None)
    }
}

impl Held {
    pub(in crate::store::db) async fn end(mut self) {
        // A connection that does not answer is not given back, which ends the lock as well.
        if session(&mut self.lent.tx).unlock(self.key).await.is_ok() {
            self.pool.give_back(self.lent);
        }
    }
}

/// The lock for this name: FNV-1a, which is the same in every release.
fn key(name: &str) -> i32 {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_locks_of_their_own_for_ever() {
        assert_eq!(key(""), 0x811c_9dc5_u32.cast_signed());
        assert_eq!(key("a"), 0xe40c_292c_u32.cast_signed());
        assert_ne!(key("job expiry"), key("retention"));
    }
}
