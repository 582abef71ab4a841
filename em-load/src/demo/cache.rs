//! The service's cache: which of the pieces that requests touch are in memory.

/// Keeps the keys used last.
#[derive(Debug)]
pub(super) struct LruCache {
    /// Most recent last; some dozens, so a scan is as fast as any cleverness.
    keys: Vec<u64>,
    capacity: usize,
}

impl LruCache {
    /// Starts full with `warm`, as from a snapshot, so that there is no cold start to wait for.
    pub(super) fn new(capacity: usize, warm: impl Iterator<Item = u64>) -> Self {
        Self {
            keys: warm.take(capacity).collect(),
            capacity,
        }
    }

    /// Looks a key up and makes it the most recent. Answers whether it was there.
    pub(super) fn touch(&mut self, key: u64) -> bool {
        let found = self.keys.iter().rposition(|kept| *kept == key);
        match found {
            Some(at) => {
                self.keys.remove(at);
            }
            None if self.keys.len() == self.capacity => {
                self.keys.remove(0);
            }
            None => {}
        }
        self.keys.push(key);
        found.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_used_longest_ago_makes_room() {
        let mut cache = LruCache::new(2, [1, 2].into_iter());
        assert!(cache.touch(1));
        assert!(!cache.touch(3), "3 is new and takes the place of 2");
        assert!(cache.touch(1));
        assert!(!cache.touch(2));
    }
}
