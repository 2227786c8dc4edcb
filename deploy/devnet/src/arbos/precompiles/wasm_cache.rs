//! ArbWasmCache (0x72): which programs are kept ready to run, and who decides that.

use alloy_primitives::{Address, B256};
use alloy_sol_types::{SolCall, SolEvent, SolValue, sol};

use super::{CODE_HASH, Failure, Invocation, Purity, READ, WRITE};
use crate::arbos;
use crate::arbos::programs::{self, Inactive, Record};

sol! {
    function isCacheManager(address manager) external view returns (bool);
    function allCacheManagers() external view returns (address[]);
    function cacheProgram(address program) external;
    function evictCodehash(bytes32 codehash) external;
    function codehashIsCached(bytes32 codehash) external view returns (bool);

    event UpdateProgramCache(address indexed manager, bytes32 indexed codehash, bool cached);
}

type Done<T = Vec<u8>> = Result<T, Failure>;

pub(super) fn run(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Done {
    match selector {
        isCacheManagerCall::SELECTOR => {
            let (manager,): (Address,) = call.open(Purity::View)?;
            let is_one = call.contains(programs::cache_managers(), manager)?;
            Ok(is_one.abi_encode())
        }
        allCacheManagersCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            Ok(call.members(programs::cache_managers())?.abi_encode())
        }
        cacheProgramCall::SELECTOR => {
            let (program,): (Address,) = call.open(Purity::Write)?;
            authorize(call)?;
            call.burn(CODE_HASH)?;
            let (code_hash, _) = programs::code_of(call.state(), program)?;
            set_cached(call, call.caller, code_hash, true)?;
            Ok(Vec::new())
        }
        evictCodehashCall::SELECTOR => {
            let (code_hash,): (B256,) = call.open(Purity::Write)?;
            authorize(call)?;
            set_cached(call, call.caller, code_hash, false)?;
            Ok(Vec::new())
        }
        codehashIsCachedCall::SELECTOR => {
            let (code_hash,): (B256,) = call.open(Purity::View)?;
            call.burn(READ)?;
            Ok(Record::load(call.state(), code_hash)?.cached.abi_encode())
        }
        _ => Err(Failure::Burn),
    }
}

/// Only cache managers and the chain's owners go on.
fn authorize(call: &mut Invocation<'_, '_>) -> Done<()> {
    let caller = call.caller;
    if call.contains(programs::cache_managers(), caller)?
        || call.contains(arbos::chain_owners(), caller)?
    {
        return Ok(());
    }
    Err(Failure::Burn)
}

/// Puts a program into the cache or out of it. Only one that may run can be put in.
pub(super) fn set_cached(
    call: &mut Invocation<'_, '_>,
    manager: Address,
    code_hash: B256,
    cached: bool,
) -> Done<()> {
    let params = call.params()?;
    call.burn(READ)?;
    let mut record = Record::load(call.state(), code_hash)?;
    if cached {
        match record.check(&params, call.now()) {
            Err(Inactive::NotActivated) => {
                // A program that was never activated has version 0 and so is the oldest of all.
                let (have, want) = (record.version, params.version);
                return Err(Inactive::NeedsUpgrade { have, want }.into());
            }
            checked => checked?,
        }
    }
    if record.cached == cached {
        return Ok(());
    }
    let event = UpdateProgramCache {
        manager,
        codehash: code_hash,
        cached,
    };
    call.emit_from(super::at(0x72), event.encode_log_data())?;
    call.burn(record.init_cost.into())?;
    // The module's hash is looked up too.
    call.burn(READ + WRITE)?;
    record.cached = cached;
    record.store(call.state(), code_hash)?;
    Ok(())
}
