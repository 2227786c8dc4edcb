//! The price of gas. This chain is never congested, so it is the least.

use alloy_primitives::U256;

use super::slots::{ROOT, Space};

/// The base fee, wei per gas: the floor, as the chain is never congested.
pub(crate) const BASE_FEE: u64 = 100_000_000;
/// Gas per second that the chain is meant to take, and at most in one block.
pub(crate) const SPEED_LIMIT: u64 = 7_000_000;
pub(crate) const BLOCK_GAS_LIMIT: u64 = 32_000_000;

/// The most basis points that congestion may raise a price's exponent by.
pub(crate) const MAX_EXPONENT: u64 = 85_000;
/// The kinds of gas that multi-gas pricing tells apart.
pub(crate) const KINDS: u64 = 9;

/// Fields of a multi-gas constraint; the weight of each kind follows.
const TARGET: u64 = 0;
const WINDOW: u64 = 1;
const BACKLOG: u64 = 2;
const MAX_WEIGHT: u64 = 3;
const WEIGHTS: u64 = 4;

/// A constraint of multi-gas pricing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Constraint {
    /** gas per second */
    pub(crate) target: u64,
    /** seconds */
    pub(crate) window: u64,
    /** gas */
    pub(crate) backlog: u64,
    /// By kind.
    pub(crate) weights: [u64; KINDS as usize],
}

/// The key space of the list of multi-gas constraints.
fn space() -> Space {
    ROOT.child(1).child(1)
}

/// The slot of the list's length.
pub(crate) fn length_slot() -> U256 {
    space().field(0)
}

impl Constraint {
    /// The slots of the constraint at a place in the list: target, window, backlog, greatest weight, weights.
    pub(crate) fn slots(place: u64) -> Vec<U256> {
        let own = space().keyed(&place.to_be_bytes());
        let fields = [TARGET, WINDOW, BACKLOG, MAX_WEIGHT];
        let weights = WEIGHTS..WEIGHTS + KINDS;
        fields
            .into_iter()
            .chain(weights)
            .map(|at| own.field(at))
            .collect()
    }

    /// The values for its slots.
    pub(crate) fn values(&self) -> Vec<u64> {
        let greatest = self.weights.iter().copied().max().unwrap_or_default();
        let mut values = vec![self.target, self.window, self.backlog, greatest];
        values.extend(self.weights);
        values
    }

    /// The constraint with these values in its slots.
    pub(crate) fn of(values: &[u64]) -> Self {
        let at = |index: u64| values.get(index as usize).copied().unwrap_or_default();
        Self {
            target: at(TARGET),
            window: at(WINDOW),
            backlog: at(BACKLOG),
            weights: std::array::from_fn(|kind| at(WEIGHTS + kind as u64)),
        }
    }

    /// The basis points that it raises the exponent of a kind's price by.
    fn exponent(&self, kind: usize) -> u128 {
        let greatest = self.weights.iter().copied().max().unwrap_or_default();
        let per = u128::from(self.window) * u128::from(self.target) * u128::from(greatest);
        let weighted = u128::from(self.backlog).saturating_mul(u128::from(self.weights[kind]));
        weighted
            .saturating_mul(10_000)
            .checked_div(per)
            .unwrap_or_default()
    }
}

/// Says whether no kind's exponent is beyond [`MAX_EXPONENT`].
pub(crate) fn bearable(constraints: &[Constraint]) -> bool {
    (0..KINDS as usize).all(|kind| {
        let exponents = constraints.iter().map(|one| one.exponent(kind));
        exponents.fold(0, u128::saturating_add) <= u128::from(MAX_EXPONENT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constraint_is_written_and_read_back() {
        let mut constraint = Constraint {
            target: 7_000_000,
            window: 60,
            backlog: 3,
            ..Constraint::default()
        };
        constraint.weights[2] = 5;
        constraint.weights[8] = 2;
        let values = constraint.values();
        assert_eq!(values.len(), Constraint::slots(0).len());
        assert_eq!(values[3], 5);
        assert_eq!(Constraint::of(&values), constraint);
        // 10000 · backlog · weight / (window · target · greatest weight)
        let whole = 8 * 60 * 7_000_000;
        assert!(bearable(&[Constraint {
            backlog: whole,
            ..constraint.clone()
        }]));
        assert!(!bearable(&[Constraint {
            backlog: 9 * whole,
            ..constraint
        }]));
    }
}
