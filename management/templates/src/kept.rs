//! The last few things that were used, within bounds of number and bytes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// Things by their names. Those that were used longest ago make room for new ones.
#[derive(Debug)]
pub struct Kept<K, T> {
    entries: HashMap<K, Entry<T>>,
    most: usize,
    most_bytes: usize,
    uses: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry<T> {
    used: u64,
    bytes: usize,
    thing: Arc<T>,
}

impl<K: Copy + Eq + Hash, T> Kept<K, T> {
    /// Nothing yet, and never more than so many things of so many bytes together.
    #[must_use]
    pub fn new(most: usize, most_bytes: usize) -> Self {
        Self {
            entries: HashMap::new(),
            most,
            most_bytes,
            uses: 0,
            bytes: 0,
        }
    }

    /// The thing of this name, if it is still there.
    pub fn get(&mut self, name: K) -> Option<Arc<T>> {
        self.uses += 1;
        let entry = self.entries.get_mut(&name)?;
        entry.used = self.uses;
        Some(Arc::clone(&entry.thing))
    }

    /// Keeps a thing of so many bytes. One that is too large by itself is not kept.
    pub fn put(&mut self, name: K, bytes: usize, thing: Arc<T>) {
        if bytes > self.most_bytes {
            return;
        }
        self.forget(name);
        while self.entries.len() >= self.most || self.bytes + bytes > self.most_bytes {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(name, _)| *name) else {
                break;
            };
            self.forget(oldest);
        }
        self.uses += 1;
        self.bytes += bytes;
        let used = self.uses;
        self.entries.insert(name, Entry { used, bytes, thing });
    }

    fn forget(&mut self, name: K) {
        if let Some(entry) = self.entries.remove(&name) {
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_bounds_in_number_and_in_bytes() {
        const MOST: usize = 64;
        const BYTES: usize = 48 * 1024 * 1024;
        let mut kept = Kept::new(MOST, BYTES);
        for number in 0..MOST * 2 {
            kept.put(number, 1_000, Arc::new(number));
            // Used all the time, and so never the one that makes room.
            assert!(kept.get(0).is_some());
        }
        assert_eq!((kept.entries.len(), kept.bytes), (MOST, MOST * 1_000));
        assert!(kept.get(1).is_none());
        for number in 0..10 {
            kept.put(1_000 + number, BYTES / 4, Arc::new(number));
            assert!(kept.bytes <= BYTES);
        }
        let whole = kept.entries.values().map(|entry| entry.bytes).sum::<usize>();
        assert_eq!(whole, kept.bytes);
        kept.put(5_000, BYTES + 1, Arc::new(0));
        assert!(kept.get(5_000).is_none() && kept.get(1_009).is_some());
        // The same again takes its own place.
        let before = kept.bytes;
        kept.put(1_009, BYTES / 4, Arc::new(0));
        assert_eq!(kept.bytes, before);
    }
}
