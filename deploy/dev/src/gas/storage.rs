//! Storage by the rules: what each access of a program costs, and what is given back in the end.
//!
//! A program reads and writes through a cache of its own; only what differs is stored when it flushes. Each slot
//! stored costs an SSTORE (EIP-2200, EIP-2929, EIP-3529).

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;

const COLD: u64 = 2_100;
const WARM: u64 = 100;
/// Asking the chain for a slot, beside the slot's own price.
const ASKING: u64 = 5;
/// An SSTORE that sets a slot, and one that changes it, beside touching it for the first time.
const SET: u64 = 20_000;
const CHANGE: u64 = 2_900;
/// Refunds: for a slot that is cleared, one set and cleared again, one changed and changed back.
const CLEARED: i64 = 4_800;
const UNSET: i64 = 19_900;
const UNCHANGED: i64 = 2_800;

/// The storage of one account in one transaction, as one program invocation sees it.
#[derive(Debug, Default)]
pub(super) struct Storage {
    /// What the slots held before the transaction.
    original: BTreeMap<B256, B256>,
    /// What they hold by now.
    current: BTreeMap<B256, B256>,
    touched: BTreeSet<B256>,
    /// The program's cache: its value, and the chain's as far as known.
    cache: BTreeMap<B256, (B256, Option<B256>)>,
    loads: u32,
    stores: u32,
    /// Counted by the rules, before the limit of a fifth.
    pub(super) refund: i64,
}

impl Storage {
    pub(super) fn new(original: BTreeMap<B256, B256>) -> Self {
        Self {
            current: original.clone(),
            original,
            ..Self::default()
        }
    }

    /// Gas of a load.
    pub(super) fn load(&mut self, key: B256) -> u64 {
        self.loads += 1;
        let often = match self.loads {
            0..=32 => 0,
            33..=128 => 2,
            _ => 10,
        };
        if self.cache.contains_key(&key) {
            return often;
        }
        let value = value(&self.current, &key);
        self.cache.insert(key, (value, Some(value)));
        often + ASKING + if self.touched.insert(key) { COLD } else { WARM }
    }

    /// Gas of a store into the cache.
    pub(super) fn store(&mut self, key: B256, new: B256) -> u64 {
        self.stores += 1;
        self.cache.entry(key).or_insert((new, None)).0 = new;
        match self.stores {
            0..=8 => 0,
            9..=64 => 7,
            _ => 10,
        }
    }

    /// Gas of a flush.
    pub(super) fn flush(&mut self, clear: bool) -> u64 {
        let mut dirty = Vec::new();
        for (key, (value, known)) in &mut self.cache {
            if known.replace(*value) != Some(*value) {
                dirty.push((*key, *value));
            }
        }
        if clear {
            self.cache.clear();
        }
        dirty
            .into_iter()
            .map(|(key, new)| self.sstore(key, new))
            .sum()
    }

    fn sstore(&mut self, key: B256, new: B256) -> u64 {
        let touching = if self.touched.insert(key) { COLD } else { 0 };
        let original = value(&self.original, &key);
        let current = value(&self.current, &key);
        self.current.insert(key, new);
        if new == current {
            return touching + WARM;
        }
        if current == original {
            if !original.is_zero() && new.is_zero() {
                self.refund += CLEARED;
            }
            return touching + if original.is_zero() { SET } else { CHANGE };
        }
        if !original.is_zero() {
            if current.is_zero() {
                self.refund -= CLEARED;
            } else if new.is_zero() {
                self.refund += CLEARED;
            }
        }
        if new == original {
            self.refund += if original.is_zero() { UNSET } else { UNCHANGED };
        }
        touching + WARM
    }
}

fn value(slots: &BTreeMap<B256, B256>, key: &B256) -> B256 {
    slots.get(key).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(n: u8) -> B256 {
        B256::with_last_byte(n)
    }

    fn with(before: u8) -> Storage {
        Storage::new([(word(1), word(before))].into())
    }

    /// Stores each value with a flush of its own; gas of each, and the refund.
    fn written(before: u8, values: &[u8]) -> (Vec<u64>, i64) {
        let mut storage = with(before);
        let gas = values.iter().map(|value| {
            storage.store(word(1), word(*value));
            storage.flush(true)
        });
        let gas = gas.collect();
        (gas, storage.refund)
    }

    /// The table of EIP-3529, cold at first: (before, values, gas, refund).
    #[test]
    fn stores_cost_what_eip_3529_says() {
        let table: [(u8, &[u8], &[u64], i64); 12] = [
            (0, &[0], &[2_200], 0),
            (0, &[1], &[22_100], 0),
            (0, &[1, 0], &[22_100, 100], 19_900),
            (0, &[1, 2], &[22_100, 100], 0),
            (0, &[1, 0, 1], &[22_100, 100, 20_000], 19_900),
            (1, &[0], &[5_000], 4_800),
            (1, &[2], &[5_000], 0),
            (1, &[1], &[2_200], 0),
            (1, &[0, 1], &[5_000, 100], 2_800),
            (1, &[0, 2], &[5_000, 100], 0),
            (1, &[2, 0], &[5_000, 100], 4_800),
            (1, &[2, 1], &[5_000, 100], 2_800),
        ];
        for (before, values, gas, refund) in table {
            assert_eq!(
                written(before, values),
                (gas.to_vec(), refund),
                "{before} {values:?}"
            );
        }
    }

    #[test]
    fn the_cache_spares_what_is_known() {
        let mut storage = with(7);
        assert_eq!(storage.load(word(1)), 2_105);
        assert_eq!(storage.load(word(1)), 0);
        assert_eq!(storage.store(word(1), word(7)), 0);
        assert_eq!(storage.flush(true), 0, "it is what the chain holds");
        assert_eq!(storage.load(word(1)), 105, "forgotten, but touched");
        storage.store(word(1), word(8));
        assert_eq!(storage.flush(false), 2_900);
        assert_eq!(storage.flush(false), 0);
        let loads: Vec<_> = (4..=130).map(|_| storage.load(word(1))).collect();
        assert_eq!((loads[0], loads[28], loads[29]), (0, 0, 2));
        assert_eq!(loads[126], 10);
        let stores: Vec<_> = (3..=65).map(|n| storage.store(word(2), word(n))).collect();
        assert_eq!((stores[5], stores[6], stores[62]), (0, 7, 10));
    }
}
