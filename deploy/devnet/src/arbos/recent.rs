//! The programs that ran last in a block: since ArbOS 60 they are priced as if a cache manager kept them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use alloy_primitives::B256;

/// Code hashes of the programs called last, the newest at the back. Clones share one list: all transactions of a block do.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecentPrograms(Arc<Mutex<VecDeque<B256>>>);

impl RecentPrograms {
    /// Adds a program that is called and says whether it was among the last `capacity` already.
    pub(crate) fn insert(&self, code_hash: B256, capacity: u16) -> bool {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = list.iter().position(|one| *one == code_hash);
        if let Some(place) = place {
            list.remove(place);
        }
        list.push_back(code_hash);
        let surplus = list.len().saturating_sub(capacity.into());
        list.drain(..surplus);
        place.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recent_makes_way() {
        let recent = RecentPrograms::default();
        let insert = |n| recent.insert(B256::repeat_byte(n), 2);
        assert!(!insert(1));
        assert!(!insert(2));
        assert!(insert(1));
        assert!(!insert(3));
        assert!(!insert(2));
        assert!(insert(3));
        assert!(!RecentPrograms::default().insert(B256::ZERO, 0));
    }
}
