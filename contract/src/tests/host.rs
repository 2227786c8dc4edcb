//! A host in memory for unit tests: the functions that the SDK imports from a chain, over thread-local state.
//!
//! One test runs in one thread, so each has a chain of its own. Storage has no cache and calls cost nothing:
//! the rules are tested here, the machine elsewhere.

#![allow(unsafe_code, clippy::unwrap_used)]

use std::{cell::RefCell, collections::HashMap, slice};

use alloy_primitives::{address, Address, LogData, B256, U256};
use stylus_sdk::{
    abi::{Router, CONSTRUCTOR_SELECTOR},
    host::{WasmVM, VM},
    prelude::*,
};

use crate::Pcac;

/// Where the contract under test is.
pub(crate) const CONTRACT: Address = address!("00000000000000000000000000000000000c0de0");
/// The chain that it is on.
pub(crate) const CHAIN_ID: u64 = 412_346;

/// The answer of a static call: who is called, with what; none is a failure.
pub(crate) type Callee = fn(Address, &[u8]) -> Option<Vec<u8>>;

struct Chain {
    storage: HashMap<B256, B256>,
    logs: Vec<LogData>,
    caller: Address,
    value: U256,
    now: u64,
    callee: Callee,
    returned: Vec<u8>,
}

thread_local! {
    static CHAIN: RefCell<Chain> = RefCell::new(Chain {
        storage: HashMap::new(),
        logs: Vec::new(),
        caller: Address::ZERO,
        value: U256::ZERO,
        now: 1_000_000,
        callee: |_, _| Some(Vec::new()),
        returned: Vec::new(),
    });
}

fn chain<T>(with: impl FnOnce(&mut Chain) -> T) -> T {
    CHAIN.with_borrow_mut(with)
}

// SAFETY: there is one `Pcac` at a time, at the root of the storage.
unsafe impl TopLevelStorage for Pcac {}

/// Sends calldata to the contract; storage and logs of a call that fails are undone.
pub(crate) fn send(caller: Address, calldata: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    let storage = chain(|chain| {
        chain.caller = caller;
        chain.logs.clear();
        chain.storage.clone()
    });
    // SAFETY: as above.
    let mut pcac = unsafe { Pcac::new(U256::ZERO, 0, VM { host: WasmVM {} }) };
    let (selector, input) = calldata.split_at(4);
    let selector = u32::from_be_bytes(selector.try_into().unwrap());
    let answer = if selector == CONSTRUCTOR_SELECTOR {
        <Pcac as Router<Pcac>>::constructor(&mut pcac, input)
    } else {
        <Pcac as Router<Pcac>>::route(&mut pcac, selector, input)
    };
    let answer = answer.expect("the contract has no such function");
    if answer.is_err() {
        chain(|chain| {
            chain.storage = storage;
            chain.logs.clear();
        });
    }
    answer
}

/// Returns true if calldata that is empty, or too short for a selector, finds nothing that answers it.
pub(crate) fn bare() -> bool {
    // SAFETY: as above.
    let mut pcac = unsafe { Pcac::new(U256::ZERO, 0, VM { host: WasmVM {} }) };
    let received = <Pcac as Router<Pcac>>::receive(&mut pcac);
    let fallen_back = <Pcac as Router<Pcac>>::fallback(&mut pcac, &[1, 2, 3]);
    received.is_none() && fallen_back.is_none()
}

/// The logs of the last call.
pub(crate) fn logs() -> Vec<LogData> {
    chain(|chain| chain.logs.clone())
}

/// How many storage slots are not zero.
pub(crate) fn slots() -> usize {
    chain(|chain| {
        chain
            .storage
            .values()
            .filter(|value| !value.is_zero())
            .count()
    })
}

pub(crate) fn set_now(now: u64) {
    chain(|chain| chain.now = now);
}

pub(crate) fn set_value(wei: u64) {
    chain(|chain| chain.value = U256::from(wei));
}

pub(crate) fn set_callee(callee: Callee) {
    chain(|chain| chain.callee = callee);
}

/// # Safety
/// The SDK passes pointers to as many bytes as the chain's host functions read or write.
mod hooks {
    use super::*;

    unsafe fn word(pointer: *const u8) -> B256 {
        B256::from_slice(unsafe { slice::from_raw_parts(pointer, 32) })
    }

    unsafe fn give(bytes: &[u8], to: *mut u8) {
        unsafe { slice::from_raw_parts_mut(to, bytes.len()) }.copy_from_slice(bytes);
    }

    #[no_mangle]
    unsafe extern "C" fn storage_load_bytes32(key: *const u8, to: *mut u8) {
        let key = unsafe { word(key) };
        let value = chain(|chain| chain.storage.get(&key).copied().unwrap_or_default());
        unsafe { give(value.as_slice(), to) };
    }

    #[no_mangle]
    unsafe extern "C" fn storage_cache_bytes32(key: *const u8, value: *const u8) {
        let (key, value) = unsafe { (word(key), word(value)) };
        chain(|chain| chain.storage.insert(key, value));
    }

    #[no_mangle]
    extern "C" fn storage_flush_cache(_clear: bool) {}

    #[no_mangle]
    unsafe extern "C" fn emit_log(data: *const u8, len: usize, topics: usize) {
        let bytes = unsafe { slice::from_raw_parts(data, len) };
        let (topics, data) = bytes.split_at(32 * topics);
        let topics = topics.chunks(32).map(B256::from_slice).collect();
        chain(|chain| {
            chain
                .logs
                .push(LogData::new_unchecked(topics, data.to_vec().into()))
        });
    }

    #[no_mangle]
    unsafe extern "C" fn msg_sender(to: *mut u8) {
        unsafe { give(chain(|chain| chain.caller).as_slice(), to) };
    }

    #[no_mangle]
    unsafe extern "C" fn msg_value(to: *mut u8) {
        unsafe { give(&chain(|chain| chain.value).to_be_bytes::<32>(), to) };
    }

    #[no_mangle]
    unsafe extern "C" fn contract_address(to: *mut u8) {
        unsafe { give(CONTRACT.as_slice(), to) };
    }

    #[no_mangle]
    extern "C" fn chainid() -> u64 {
        CHAIN_ID
    }

    #[no_mangle]
    extern "C" fn block_timestamp() -> u64 {
        chain(|chain| chain.now)
    }

    #[no_mangle]
    unsafe extern "C" fn static_call_contract(
        to: *const u8,
        data: *const u8,
        len: usize,
        _gas: u64,
        return_len: *mut usize,
    ) -> u8 {
        let to = Address::from_slice(unsafe { slice::from_raw_parts(to, 20) });
        let data = unsafe { slice::from_raw_parts(data, len) };
        let answer = chain(|chain| chain.callee)(to, data);
        let failed = answer.is_none();
        chain(|chain| {
            chain.returned = answer.unwrap_or_default();
            unsafe { *return_len = chain.returned.len() };
        });
        failed.into()
    }

    #[no_mangle]
    extern "C" fn return_data_size() -> usize {
        chain(|chain| chain.returned.len())
    }

    #[no_mangle]
    unsafe extern "C" fn read_return_data(to: *mut u8, offset: usize, size: usize) -> usize {
        let bytes: Vec<u8> = chain(|chain| {
            chain
                .returned
                .iter()
                .skip(offset)
                .take(size)
                .copied()
                .collect()
        });
        unsafe { give(&bytes, to) };
        bytes.len()
    }
}

/// Functions that the contract never calls, but the SDK's code refers to.
mod unused {
    macro_rules! unused {
        ($($hook:ident)*) => {
            $(#[no_mangle]
            extern "C" fn $hook() {
                unreachable!(stringify!($hook));
            })*
        };
    }

    unused! {
        account_balance account_code account_code_size account_codehash block_basefee block_coinbase
        block_gas_limit block_number call_contract create1 create2 delegate_call_contract evm_gas_left
        evm_ink_left msg_reentrant native_keccak256 pay_for_memory_grow read_args tx_gas_price tx_ink_price
        tx_origin write_result
    }
}
