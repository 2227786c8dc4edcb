//! Other accounts: balances and code.

use alloy_primitives::Bytes;

use super::guest::Host;
use super::price::{self, EVM_API, HOSTIO, PTR};
use super::{Escape, Request};

/// Gas of an account not touched before.
const COLD_ACCOUNT: u64 = 2600;

type Done<T = ()> = Result<T, Escape>;

impl Host<'_> {
    pub(super) fn account_balance(&mut self, address: u32, dst: u32) -> Done {
        self.buy_ink(HOSTIO + 2 * PTR + EVM_API)?;
        self.require_gas(COLD_ACCOUNT)?;
        let address = self.read_address(address)?;
        let (balance, gas) = self.ask(|reply| Request::Balance { address, reply })?;
        self.buy_gas(gas)?;
        self.given(&[address.as_slice()]);
        self.gave(&[&balance.to_be_bytes::<32>()]);
        self.write_number(dst, balance)
    }

    pub(super) fn account_codehash(&mut self, address: u32, dst: u32) -> Done {
        self.buy_ink(HOSTIO + 2 * PTR + EVM_API)?;
        self.require_gas(COLD_ACCOUNT)?;
        let address = self.read_address(address)?;
        let (hash, gas) = self.ask(|reply| Request::CodeHash { address, reply })?;
        self.buy_gas(gas)?;
        self.given(&[address.as_slice()]);
        self.gave(&[hash.as_slice()]);
        self.write(dst, hash.as_slice())
    }

    /// Copies what there is of `size` bytes from `offset` on, and pays for all of the code.
    pub(super) fn account_code(
        &mut self,
        address: u32,
        offset: u32,
        size: u32,
        dst: u32,
    ) -> Done<u32> {
        let code = self.code(address)?;
        self.buy_ink(price::write(code.len() as u32))?;
        let rest = code.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(size as usize);
        self.given(&[&offset.to_be_bytes(), &size.to_be_bytes()]);
        self.gave(&[&rest[..len]]);
        self.write(dst, &rest[..len])?;
        Ok(len as u32)
    }

    pub(super) fn account_code_size(&mut self, address: u32) -> Done<u32> {
        let size = self.code(address)?.len() as u32;
        self.gave(&[&size.to_be_bytes()]);
        Ok(size)
    }

    /// The code of the account at a pointer; asking again for the same one is free.
    fn code(&mut self, address: u32) -> Done<Bytes> {
        self.buy_ink(HOSTIO + EVM_API)?;
        self.require_gas(COLD_ACCOUNT)?;
        let address = self.read_address(address)?;
        self.given(&[address.as_slice()]);
        if let Some((last, code)) = &self.guest().last_code
            && *last == address
        {
            return Ok(code.clone());
        }
        let (code, gas) = self.ask(|reply| Request::Code { address, reply })?;
        if !code.is_empty() {
            self.guest().last_code = Some((address, code.clone()));
        }
        self.buy_gas(gas)?;
        Ok(code)
    }
}
