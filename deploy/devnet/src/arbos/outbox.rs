//! Messages to the parent chain: the leaves of a Merkle tree that grows in ArbOS's state.
//!
//! The tree is kept as an accumulator: for each level the root of a complete subtree that has no sibling yet, or zero.

use alloy_primitives::{B256, U256, keccak256};

use super::storage::{self, ROOT, Space};
use crate::evm::context::State;
use crate::evm::db::StateError;

/// The field of the number of messages; level N is in field `LEVELS + N`.
const SIZE: u64 = 0;
const LEVELS: u64 = 2;

/// The messages sent so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sends {
    pub(crate) count: u64,
    pub(crate) root: B256,
}

/// A node of the tree that a new message made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TreeNode {
    pub(crate) level: u64,
    pub(crate) hash: B256,
}

/// The effect of appending a message.
#[derive(Clone, Debug)]
pub(crate) struct Appended {
    /// Its number, from 0.
    pub(crate) position: u64,
    /// The inner nodes that it completed, lowest first.
    pub(crate) nodes: Vec<TreeNode>,
    /// Slots read and written.
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

fn space() -> Space {
    ROOT.child(5)
}

fn level_slot(level: u64) -> U256 {
    space().field(LEVELS + level)
}

/// Levels that a tree of `size` leaves has a field for.
fn levels(size: u64) -> u64 {
    u64::from(u64::BITS - size.leading_zeros())
}

fn parent(left: B256, right: B256) -> B256 {
    keccak256([left, right].concat())
}

/// The roots of the complete subtrees, by level; zero where there is none.
pub(crate) fn partials(count: u64, mut slot: impl FnMut(U256) -> U256) -> Vec<B256> {
    (0..levels(count))
        .map(|level| slot(level_slot(level)).into())
        .collect()
}

/// How many messages there are.
pub(crate) fn count(mut slot: impl FnMut(U256) -> U256) -> u64 {
    slot(space().field(SIZE)).saturating_to()
}

/// The messages so far, in a state whose ArbOS slots `slot` reads.
pub(crate) fn sends(mut slot: impl FnMut(U256) -> U256) -> Sends {
    let count = count(&mut slot);
    Sends {
        count,
        root: root(&partials(count, slot)),
    }
}

/// The root over complete subtrees, empty leaves being zero.
pub(crate) fn root(partials: &[B256]) -> B256 {
    let mut whole: Option<(B256, usize)> = None;
    for (level, partial) in partials.iter().enumerate() {
        if partial.is_zero() {
            continue;
        }
        whole = Some(match whole {
            None => (*partial, level),
            Some((mut hash, height)) => {
                for _ in height..level {
                    hash = parent(hash, B256::ZERO);
                }
                (parent(*partial, hash), level + 1)
            }
        });
    }
    whole.map_or(B256::ZERO, |(hash, _)| hash)
}

/// Adds the message with this hash.
pub(crate) fn append(state: &mut State<'_>, message: B256) -> Result<Appended, StateError> {
    let size_slot = space().field(SIZE);
    let position: u64 = storage::read(state, size_slot)?.saturating_to();
    storage::write(state, size_slot, U256::from(position + 1))?;
    let mut done = Appended {
        position,
        nodes: Vec::new(),
        reads: 1,
        writes: 1,
    };
    let mut hash = keccak256(message);
    let mut level = 0;
    loop {
        let slot = level_slot(level);
        done.reads += 1;
        done.writes += 1;
        let sibling: B256 = storage::read(state, slot)?.into();
        if sibling.is_zero() {
            storage::write(state, slot, hash.into())?;
            return Ok(done);
        }
        storage::write(state, slot, U256::ZERO)?;
        hash = parent(sibling, hash);
        level += 1;
        done.nodes.push(TreeNode { level, hash });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(n: u64) -> B256 {
        keccak256(B256::from(U256::from(n)))
    }

    #[test]
    fn the_root_is_that_of_the_tree_padded_with_zeros() {
        assert_eq!(root(&[]), B256::ZERO);
        assert_eq!(root(&[leaf(0)]), leaf(0));
        let two = parent(leaf(0), leaf(1));
        assert_eq!(root(&[B256::ZERO, two]), two);
        let three = parent(two, parent(leaf(2), B256::ZERO));
        assert_eq!(root(&[leaf(2), two]), three);
        // Five leaves: a complete subtree of four, and one.
        let four = parent(two, parent(leaf(2), leaf(3)));
        let one = parent(parent(leaf(4), B256::ZERO), B256::ZERO);
        assert_eq!(root(&[leaf(4), B256::ZERO, four]), parent(four, one));
    }

    #[test]
    fn there_is_a_field_for_each_level() {
        assert_eq!([0, 1, 2, 3, 4, 7, 8].map(levels), [0, 1, 2, 2, 3, 3, 4]);
    }
}
