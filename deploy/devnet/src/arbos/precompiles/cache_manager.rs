//! Sells places in the cache of programs, where development nodes have a contract for it.
//!
//! It answers what deployment tools ask that contract: anybody may bid for an active program. While there is room a bid of
//! nothing will do; when there is none, the lowest bids make way for a higher one. Bids lose value with time.
//! Its gas is that of a precompile, not that of the contract it stands for.

use alloy_primitives::aliases::U192;
use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::{SolCall, SolError, SolValue, sol};
use revm::context::JournalTr;

use super::wasm_cache::set_cached;
use super::{CACHE_MANAGER, CODE_HASH, Failure, Invocation, Purity, READ, WRITE};
use crate::arbos::programs::{self, Record};

sol! {
    function isPaused() external view returns (bool);
    function queueSize() external view returns (uint64);
    function cacheSize() external view returns (uint64);
    function decay() external view returns (uint64);
    function getMinBid(address program) external view returns (uint192 min);
    function getMinBid(uint64 size) external view returns (uint192 min);
    function placeBid(address program) external payable;

    event InsertBid(bytes32 indexed codehash, address program, uint192 bid, uint64 size);
    event DeleteBid(bytes32 indexed codehash, uint192 bid, uint64 size);

    error AsmTooLarge(uint256 asm, uint256 queueSize, uint256 cacheSize);
    error AlreadyCached(bytes32 codehash);
    error BidTooSmall(uint192 bid, uint192 min);
    error ProgramNotActivated();
}

/// Bytes of compiled programs that there is room for.
const CACHE_SIZE: u64 = 512 << 20;
/// Wei that a bid loses each second.
const DECAY: u64 = 1 << 30;
/// Fields of its storage: how many entries there are, how many bytes they have; entry N takes two from 2 + 2·N on.
const COUNT: u64 = 0;
const USED: u64 = 1;
const ENTRIES: u64 = 2;

type Done<T = Vec<u8>> = Result<T, Failure>;

/// A place in the cache: a code hash in one field, size and bid in the next.
#[derive(Clone, Copy)]
struct Entry {
    code_hash: B256,
    size: u64,
    /// The payment, raised by the loss of earlier bids.
    bid: U192,
}

pub(super) fn run(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Done {
    match selector {
        isPausedCall::SELECTOR => constant(call, U256::ZERO),
        cacheSizeCall::SELECTOR => constant(call, U256::from(CACHE_SIZE)),
        decayCall::SELECTOR => constant(call, U256::from(DECAY)),
        queueSizeCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            Ok(read(call, USED)?.abi_encode())
        }
        getMinBid_0Call::SELECTOR => {
            let (program,): (Address,) = call.open(Purity::View)?;
            let (_, record) = record(call, program)?;
            Ok(price(call, bytes(&record))?.abi_encode())
        }
        getMinBid_1Call::SELECTOR => {
            let (size,): (u64,) = call.open(Purity::View)?;
            Ok(price(call, size)?.abi_encode())
        }
        placeBidCall::SELECTOR => {
            let (program,): (Address,) = call.open(Purity::Payable)?;
            place(call, program)?;
            Ok(Vec::new())
        }
        _ => Err(Failure::Refused),
    }
}

fn constant(call: &mut Invocation<'_, '_>, answer: U256) -> Done {
    call.open::<()>(Purity::View)?;
    Ok(answer.abi_encode())
}

fn place(call: &mut Invocation<'_, '_>, program: Address) -> Done<()> {
    let (code_hash, record) = record(call, program)?;
    if record.cached {
        let cached = AlreadyCached {
            codehash: code_hash,
        };
        return Err(Failure::Solidity(cached.abi_encode()));
    }
    let size = bytes(&record);
    let bid = U192::saturating_from(call.value).saturating_add(lost(call));
    for entry in evicted(call, size)? {
        if bid <= entry.bid {
            let min = entry.bid.saturating_add(U192::ONE);
            return Err(Failure::Solidity(BidTooSmall { bid, min }.abi_encode()));
        }
        remove(call, entry)?;
    }
    insert(
        call,
        Entry {
            code_hash,
            size,
            bid,
        },
    )?;
    set_cached(call, CACHE_MANAGER, code_hash, true)?;
    call.emit(&InsertBid {
        codehash: code_hash,
        program,
        bid,
        size,
    })
}

/// Computes the payment due now for a program of `size` bytes.
fn price(call: &mut Invocation<'_, '_>, size: u64) -> Done<U192> {
    let lost = lost(call);
    Ok(evicted(call, size)?.last().map_or(U192::ZERO, |entry| {
        (entry.bid.saturating_add(U192::ONE)).saturating_sub(lost)
    }))
}

/// The entries that must go to make room, the lowest bid first.
fn evicted(call: &mut Invocation<'_, '_>, size: u64) -> Done<Vec<Entry>> {
    let used = read(call, USED)?.saturating_to::<u64>();
    if size > CACHE_SIZE {
        let large = AsmTooLarge {
            asm: U256::from(size),
            queueSize: U256::from(used),
            cacheSize: U256::from(CACHE_SIZE),
        };
        return Err(Failure::Solidity(large.abi_encode()));
    }
    let mut excess = (used + size).saturating_sub(CACHE_SIZE);
    if excess == 0 {
        return Ok(Vec::new());
    }
    let mut entries = entries(call)?;
    entries.sort_by_key(|entry| entry.bid);
    entries.retain(|entry| {
        let goes = excess > 0;
        excess = excess.saturating_sub(entry.size);
        goes
    });
    Ok(entries)
}

/// Computes the loss of a bid of the chain's first second.
fn lost(call: &Invocation<'_, '_>) -> U192 {
    U192::from(DECAY).saturating_mul(U192::from(call.now()))
}

fn bytes(record: &Record) -> u64 {
    u64::from(record.asm_kb) * 1024
}

fn record(call: &mut Invocation<'_, '_>, program: Address) -> Done<(B256, Record)> {
    call.burn(CODE_HASH + READ)?;
    let (code_hash, _) = programs::code_of(call.state(), program)?;
    let params = call.params()?;
    let record = Record::load(call.state(), code_hash)?;
    match record.check(&params, call.now()) {
        Ok(()) => Ok((code_hash, record)),
        Err(_) => Err(Failure::Solidity(ProgramNotActivated {}.abi_encode())),
    }
}

fn entries(call: &mut Invocation<'_, '_>) -> Done<Vec<Entry>> {
    let count = read(call, COUNT)?.saturating_to::<u64>();
    (0..count).map(|at| entry(call, at)).collect()
}

fn entry(call: &mut Invocation<'_, '_>, at: u64) -> Done<Entry> {
    let code_hash = read(call, ENTRIES + 2 * at)?.into();
    let packed = read(call, ENTRIES + 2 * at + 1)?;
    Ok(Entry {
        code_hash,
        size: (packed >> 192usize).saturating_to(),
        bid: packed.wrapping_to(),
    })
}

fn put(call: &mut Invocation<'_, '_>, at: u64, entry: Entry) -> Done<()> {
    let packed = U256::from(entry.size) << 192 | U256::from(entry.bid);
    write(call, ENTRIES + 2 * at, entry.code_hash.into())?;
    write(call, ENTRIES + 2 * at + 1, packed)
}

fn insert(call: &mut Invocation<'_, '_>, entry: Entry) -> Done<()> {
    let count = read(call, COUNT)?.saturating_to::<u64>();
    let used = read(call, USED)?;
    put(call, count, entry)?;
    write(call, COUNT, U256::from(count + 1))?;
    write(call, USED, used.saturating_add(U256::from(entry.size)))
}

/// Takes an entry out; the last one takes its place.
fn remove(call: &mut Invocation<'_, '_>, gone: Entry) -> Done<()> {
    let all = entries(call)?;
    let at = all.iter().position(|one| one.code_hash == gone.code_hash);
    let (Some(at), Some((last, rest))) = (at, all.split_last()) else {
        return Ok(());
    };
    put(call, at as u64, *last)?;
    write(call, COUNT, U256::from(rest.len()))?;
    let used = read(call, USED)?;
    write(call, USED, used.saturating_sub(U256::from(gone.size)))?;
    set_cached(call, CACHE_MANAGER, gone.code_hash, false)?;
    call.emit(&DeleteBid {
        codehash: gone.code_hash,
        bid: gone.bid,
        size: gone.size,
    })
}

fn read(call: &mut Invocation<'_, '_>, field: u64) -> Done<U256> {
    call.burn(READ)?;
    call.state().load_account(CACHE_MANAGER)?;
    Ok(call.state().sload(CACHE_MANAGER, U256::from(field))?.data)
}

fn write(call: &mut Invocation<'_, '_>, field: u64, value: U256) -> Done<()> {
    call.burn(WRITE)?;
    call.state().load_account(CACHE_MANAGER)?;
    call.state().touch_account(CACHE_MANAGER);
    call.state()
        .sstore(CACHE_MANAGER, U256::from(field), value)?;
    Ok(())
}
