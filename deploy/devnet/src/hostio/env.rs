//! The block, the transaction and the call.

use alloy_primitives::{Address, U256};

use super::guest::Host;
use super::price::{HOSTIO, PTR};
use super::{Env, Escape};

type Done<T = ()> = Result<T, Escape>;

/// A number that a host function returns.
pub(super) trait BigEndian: Copy {
    /// Its bytes, as traces show them.
    fn big_endian(self) -> impl AsRef<[u8]>;
}
impl BigEndian for u32 {
    fn big_endian(self) -> impl AsRef<[u8]> {
        self.to_be_bytes()
    }
}
impl BigEndian for u64 {
    fn big_endian(self) -> impl AsRef<[u8]> {
        self.to_be_bytes()
    }
}

impl Host<'_> {
    /// A fact that is returned.
    pub(super) fn fact<T: BigEndian>(&mut self, get: impl FnOnce(&Env) -> T) -> Done<T> {
        self.buy_ink(HOSTIO)?;
        let fact = get(self.env());
        self.gave(&[fact.big_endian().as_ref()]);
        Ok(fact)
    }

    /// A number that is written to memory.
    pub(super) fn fact_number(&mut self, dst: u32, get: impl FnOnce(&Env) -> U256) -> Done {
        self.buy_ink(HOSTIO + PTR)?;
        let number = get(self.env());
        self.gave(&[&number.to_be_bytes::<32>()]);
        self.write_number(dst, number)
    }

    /// An address that is written to memory.
    pub(super) fn fact_address(&mut self, dst: u32, get: impl FnOnce(&Env) -> Address) -> Done {
        self.buy_ink(HOSTIO + PTR)?;
        let address = get(self.env());
        self.gave(&[address.as_slice()]);
        self.write(dst, address.as_slice())
    }

    /// Returns the rest after paying for the question.
    pub(super) fn evm_ink_left(&mut self) -> Done<u64> {
        self.buy_ink(HOSTIO)?;
        let ink = self.ink_left()?;
        self.gave(&[&ink.to_be_bytes()]);
        Ok(ink)
    }

    /// Returns the rest after paying for the question.
    pub(super) fn evm_gas_left(&mut self) -> Done<u64> {
        self.buy_ink(HOSTIO)?;
        let gas = self.gas_left()?;
        self.gave(&[&gas.to_be_bytes()]);
        Ok(gas)
    }
}
