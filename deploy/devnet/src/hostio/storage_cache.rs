//! The storage cache of one program invocation. Nothing reaches the chain before a flush.

use std::collections::BTreeMap;

use alloy_primitives::B256;

/// A slot as the program sees it.
#[derive(Clone, Copy, Debug)]
struct Word {
    value: B256,
    /// The chain's value, as far as known.
    known: Option<B256>,
}

/// Slots read and written by a program, and how often it asked.
#[derive(Debug, Default)]
pub(super) struct StorageCache {
    slots: BTreeMap<B256, Word>,
    reads: u32,
    writes: u32,
}

impl StorageCache {
    /// Counts a load and returns its gas.
    pub(super) fn read_gas(&mut self) -> u64 {
        self.reads = self.reads.saturating_add(1);
        match self.reads {
            0..=32 => 0,
            33..=128 => 2,
            _ => 10,
        }
    }

    /// Counts a store and returns its gas.
    pub(super) fn write_gas(&mut self) -> u64 {
        self.writes = self.writes.saturating_add(1);
        match self.writes {
            0..=8 => 0,
            9..=64 => 7,
            _ => 10,
        }
    }

    pub(super) fn get(&self, key: B256) -> Option<B256> {
        self.slots.get(&key).map(|word| word.value)
    }

    /// Remembers what the chain holds.
    pub(super) fn learn(&mut self, key: B256, value: B256) {
        let known = Some(value);
        self.slots.insert(key, Word { value, known });
    }

    pub(super) fn put(&mut self, key: B256, value: B256) {
        let known = None;
        self.slots.entry(key).or_insert(Word { value, known }).value = value;
    }

    /// The slots that differ from what the chain holds; from now on they count as written.
    pub(super) fn take_dirty(&mut self) -> Vec<(B256, B256)> {
        let mut dirty = Vec::new();
        for (key, word) in &mut self.slots {
            if word.known != Some(word.value) {
                dirty.push((*key, word.value));
                word.known = Some(word.value);
            }
        }
        dirty
    }

    pub(super) fn clear(&mut self) {
        self.slots.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_dirty_and_only_once() {
        let key = B256::with_last_byte;
        let mut cache = StorageCache::default();
        cache.learn(key(1), key(7));
        cache.put(key(1), key(7));
        assert!(cache.take_dirty().is_empty());
        cache.put(key(1), key(8));
        cache.put(key(2), key(0));
        assert_eq!(cache.take_dirty(), vec![(key(1), key(8)), (key(2), key(0))]);
        assert!(cache.take_dirty().is_empty());
        assert_eq!(cache.get(key(1)), Some(key(8)));
        cache.clear();
        assert_eq!(cache.get(key(1)), None);
    }

    #[test]
    fn asking_often_costs_more() {
        let mut cache = StorageCache::default();
        let reads: Vec<u64> = (0..130).map(|_| cache.read_gas()).collect();
        assert_eq!(
            (reads[31], reads[32], reads[127], reads[128]),
            (0, 2, 2, 10)
        );
        let writes: Vec<u64> = (0..66).map(|_| cache.write_gas()).collect();
        assert_eq!(
            (writes[7], writes[8], writes[63], writes[64]),
            (0, 7, 7, 10)
        );
    }
}
