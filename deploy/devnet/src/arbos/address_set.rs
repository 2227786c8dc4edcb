//! A set of addresses in ArbOS's state: its size, its members from 1 on, and where each member stands.

use alloy_primitives::{Address, U256};

use super::storage::{self, Space};
use crate::evm::context::State;
use crate::evm::db::StateError;

/// The field of the set's size; member N is in field N.
const SIZE: u64 = 0;

/// A set that lives in a key space.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressSet(pub(crate) Space);

impl AddressSet {
    /// The slots of a set with these members.
    pub(super) fn genesis(self, members: &[Address]) -> Vec<(U256, U256)> {
        let mut slots = vec![(self.0.field(SIZE), U256::from(members.len()))];
        for (place, member) in (1..).zip(members) {
            slots.push((self.0.field(place), word(*member)));
            slots.push((self.place(*member), U256::from(place)));
        }
        slots
    }

    /// Says whether an address is a member. One read.
    pub(crate) fn contains(self, state: &mut State<'_>, address: Address) -> Answer<bool> {
        Ok(!storage::read(state, self.place(address))?.is_zero())
    }

    /// The members. One read for each and one for their number.
    pub(crate) fn members(self, state: &mut State<'_>) -> Answer<Vec<Address>> {
        let size = self.size(state)?;
        (1..=size)
            .map(|at| {
                Ok(Address::from_word(
                    storage::read(state, self.0.field(at))?.into(),
                ))
            })
            .collect()
    }

    /// Adds a member, if it is none yet.
    pub(crate) fn insert(self, state: &mut State<'_>, address: Address) -> Answer<()> {
        if self.contains(state, address)? {
            return Ok(());
        }
        let size = self.size(state)? + 1;
        storage::write(state, self.place(address), U256::from(size))?;
        storage::write(state, self.0.field(size), word(address))?;
        storage::write(state, self.0.field(SIZE), U256::from(size))
    }

    /// Removes a member; the last one takes its place. `false` if it was none.
    pub(crate) fn remove(self, state: &mut State<'_>, address: Address) -> Answer<bool> {
        let place = storage::read(state, self.place(address))?;
        if place.is_zero() {
            return Ok(false);
        }
        let size = self.size(state)?;
        let last = storage::read(state, self.0.field(size))?;
        storage::write(state, self.0.field(place.saturating_to()), last)?;
        storage::write(state, self.place(Address::from_word(last.into())), place)?;
        storage::write(state, self.place(address), U256::ZERO)?;
        storage::write(state, self.0.field(size), U256::ZERO)?;
        storage::write(state, self.0.field(SIZE), U256::from(size - 1))?;
        Ok(true)
    }

    fn size(self, state: &mut State<'_>) -> Answer<u64> {
        Ok(storage::read(state, self.0.field(SIZE))?.saturating_to())
    }

    fn place(self, address: Address) -> U256 {
        self.0.child(0).slot(address.into_word())
    }
}

type Answer<T> = Result<T, StateError>;

fn word(address: Address) -> U256 {
    address.into_word().into()
}
