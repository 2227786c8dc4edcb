//! A counter that anyone may step and whose owner may set.
//!
//! Small, but it reads and writes storage, takes constructor arguments, logs, fails with arguments, is paid, and calls
//! another contract: a tool that gets along with it gets along with most programs.

#![cfg_attr(not(feature = "export-abi"), no_main)]

extern crate alloc;

use alloc::{vec, vec::Vec};

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::sol;
use stylus_sdk::prelude::*;

sol! {
    /// The number moved.
    event Moved(address indexed by, uint256 from, uint256 to);

    /// Only the owner sets the number.
    error NotOwner(address caller, address owner);
    /// The number has 256 bits.
    error TooFar(uint256 number, uint256 step);
    /// The other counter failed, with this.
    error OtherFailed(bytes reason);
}

sol_interface! {
    interface ICounter {
        function step(uint256 by) external returns (uint256);
    }
}

/// Why a function reverts.
#[derive(SolidityError)]
pub enum Error {
    NotOwner(NotOwner),
    TooFar(TooFar),
    OtherFailed(OtherFailed),
}

sol_storage! {
    #[entrypoint]
    pub struct Counter {
        address owner;
        uint256 number;
    }
}

#[public]
impl Counter {
    /// Sets the owner to who sent the transaction. Without a constructor call there is none, and the count begins at 0.
    #[constructor]
    #[payable]
    pub fn constructor(&mut self, number: U256) {
        let owner = self.vm().tx_origin();
        self.owner.set(owner);
        self.number.set(number);
    }

    pub fn owner(&self) -> Address {
        self.owner.get()
    }

    pub fn number(&self) -> U256 {
        self.number.get()
    }

    /// Adds, and returns the sum.
    pub fn step(&mut self, by: U256) -> Result<U256, Error> {
        let number = self.number.get();
        let sum = number
            .checked_add(by)
            .ok_or(Error::TooFar(TooFar { number, step: by }))?;
        self.move_to(sum);
        Ok(sum)
    }

    /// Sets the number, for the owner.
    pub fn set(&mut self, number: U256) -> Result<(), Error> {
        let (caller, owner) = (self.vm().msg_sender(), self.owner.get());
        if caller != owner {
            return Err(Error::NotOwner(NotOwner { caller, owner }));
        }
        self.move_to(number);
        Ok(())
    }

    /// Adds what is paid, in wei.
    #[payable]
    pub fn pay(&mut self) -> Result<U256, Error> {
        self.step(self.vm().msg_value())
    }

    /// Steps itself and then another counter; returns the other's number.
    pub fn step_both(&mut self, other: ICounter, by: U256) -> Result<U256, Error> {
        self.step(by)?;
        let context = Call::new_mutating(self);
        other.step(self.vm(), context, by).map_err(|error| {
            let reason = Bytes::from(Vec::from(error));
            Error::OtherFailed(OtherFailed { reason })
        })
    }
}

impl Counter {
    fn move_to(&mut self, to: U256) {
        let from = self.number.get();
        self.number.set(to);
        let by = self.vm().msg_sender();
        self.vm().log(Moved { by, from, to });
    }
}
