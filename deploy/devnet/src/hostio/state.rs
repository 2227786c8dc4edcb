//! Storage, transient storage and memory pages.

use super::guest::Host;
use super::price::{EVM_API, HOSTIO, PTR};
use super::{Escape, FlushError, Refused, Request};

/// Gas of a cold slot, of the least that a store needs, of transient storage.
const COLD_SLOAD: u64 = 2100;
const SSTORE_SENTRY: u64 = 2300;
const TRANSIENT: u64 = 100;
/// The most that the storage cache itself takes for one access.
const CACHE_MAX: u64 = 10;

type Done<T = ()> = Result<T, Escape>;

/// The ArbOS version since which asking is priced in ink; before, the same number was taken for gas.
const ASKED_IN_INK_SINCE: u64 = 32;

/// The ArbOS version since which growing by more pages than a u16 holds cannot be paid; before, the rest counted.
const UNPAYABLE_SINCE: u64 = 59;

/// Gas of asking the EVM for a slot, beside the slot's own.
fn evm_api_gas(host: &Host<'_>) -> u64 {
    if host.env().arbos < ASKED_IN_INK_SINCE {
        return EVM_API;
    }
    EVM_API / u64::from(host.env().ink_price.max(1))
}

impl Host<'_> {
    pub(super) fn storage_load_bytes32(&mut self, key: u32, dst: u32) -> Done {
        self.buy_ink(HOSTIO + 2 * PTR)?;
        let api = evm_api_gas(self);
        self.require_gas(COLD_SLOAD + CACHE_MAX + api)?;
        let key = self.read_word(key)?;
        self.given(&[key.as_slice()]);
        let mut gas = self.guest().storage.read_gas();
        let value = match self.guest().storage.get(key) {
            Some(value) => value,
            None => {
                let (value, cost) = self.ask(|reply| Request::LoadSlot { key, reply })?;
                gas += cost + api;
                self.guest().storage.learn(key, value);
                value
            }
        };
        self.buy_gas(gas)?;
        self.gave(&[value.as_slice()]);
        self.write(dst, value.as_slice())
    }

    pub(super) fn storage_cache_bytes32(&mut self, key: u32, value: u32) -> Done {
        self.buy_ink(HOSTIO + 2 * PTR)?;
        self.require_gas(SSTORE_SENTRY + CACHE_MAX)?;
        let key = self.read_word(key)?;
        let value = self.read_word(value)?;
        self.given(&[key.as_slice(), value.as_slice()]);
        let gas = self.guest().storage.write_gas();
        self.guest().storage.put(key, value);
        self.buy_gas(gas)
    }

    pub(super) fn storage_flush_cache(&mut self, clear: u32) -> Done {
        self.given(&[&[u8::from(clear != 0)]]);
        self.buy_ink(HOSTIO + EVM_API)?;
        self.require_gas(SSTORE_SENTRY)?;
        let gas_left = self.gas_left()?;
        let slots = self.guest().storage.take_dirty();
        if clear != 0 {
            self.guest().storage.clear();
        }
        if slots.is_empty() {
            return Ok(());
        }
        let stored = self.ask(|reply| Request::StoreSlots {
            slots,
            budget: gas_left,
            reply,
        })?;
        match stored {
            Ok(gas) => self.buy_gas(gas),
            Err(FlushError::OutOfGas) => self.buy_gas(gas_left.saturating_add(1)),
            Err(FlushError::Refused) => Err(Escape::Failure("write protection")),
        }
    }

    pub(super) fn transient_load_bytes32(&mut self, key: u32, dst: u32) -> Done {
        self.buy_ink(HOSTIO + 2 * PTR + EVM_API)?;
        self.buy_gas(TRANSIENT)?;
        let key = self.read_word(key)?;
        let value = self.ask(|reply| Request::LoadTransient { key, reply })?;
        self.given(&[key.as_slice()]);
        self.gave(&[value.as_slice()]);
        self.write(dst, value.as_slice())
    }

    pub(super) fn transient_store_bytes32(&mut self, key: u32, value: u32) -> Done {
        self.buy_ink(HOSTIO + 2 * PTR + EVM_API)?;
        self.buy_gas(TRANSIENT)?;
        let key = self.read_word(key)?;
        let value = self.read_word(value)?;
        self.given(&[key.as_slice(), value.as_slice()]);
        self.ask(|reply| Request::StoreTransient { key, value, reply })?
            .map_err(|Refused| Escape::Failure("write protection"))
    }

    pub(super) fn pay_for_memory_grow(&mut self, pages: u32) -> Done {
        if pages > u32::from(u16::MAX) && self.env().arbos >= UNPAYABLE_SINCE {
            return self.buy_gas(u64::MAX);
        }
        let pages = pages as u16;
        self.given(&[&pages.to_be_bytes()]);
        if pages == 0 {
            return self.buy_ink(HOSTIO);
        }
        let gas = self.ask(|reply| Request::AddPages { pages, reply })?;
        self.buy_gas(gas)
    }
}
