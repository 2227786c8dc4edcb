//! The block, the transaction and the call.

use alloy_primitives::{Address, U256};

use super::guest::Host;
use super::price::{HOSTIO, PTR};
use super::{Env, Escape};

type Done<T = ()> = Result<T, Escape>;

impl Host<'_> {
    /// A fact that is returned.
    pub(super) fn fact<T>(&mut self, get: impl FnOnce(&Env) -> T) -> Done<T> {
        self.buy_ink(HOSTIO)?;
        Ok(get(self.env()))
    }

    /// A number that is written to memory.
    pub(super) fn fact_number(&mut self, dst: u32, get: impl FnOnce(&Env) -> U256) -> Done {
        self.buy_ink(HOSTIO + PTR)?;
        let number = get(self.env());
        self.write_number(dst, number)
    }

    /// An address that is written to memory.
    pub(super) fn fact_address(&mut self, dst: u32, get: impl FnOnce(&Env) -> Address) -> Done {
        self.buy_ink(HOSTIO + PTR)?;
        let address = get(self.env());
        self.write(dst, address.as_slice())
    }

    /// What is left after paying for the question.
    pub(super) fn evm_ink_left(&mut self) -> Done<u64> {
        self.buy_ink(HOSTIO)?;
        self.ink_left()
    }

    /// What is left after paying for the question.
    pub(super) fn evm_gas_left(&mut self) -> Done<u64> {
        self.buy_ink(HOSTIO)?;
        self.gas_left()
    }
}
