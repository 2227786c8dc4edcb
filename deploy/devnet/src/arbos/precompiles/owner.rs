//! ArbOwner (0x70) changes the chain's parameters, free of charge and for its owners only; ArbOwnerPublic (0x6b) tells
//! everybody who they are.

use alloy_primitives::{Address, Bytes, FixedBytes, U256};
use alloy_sol_types::{SolCall, SolValue, sol};

use super::{Call, Failure, Purity, READ};
use crate::arbos::address_set::AddressSet;
use crate::arbos::params::{self, Params};
use crate::arbos::{self, ARBOS_VERSION, l1, programs, storage};

sol! {
    function addChainOwner(address newOwner) external;
    function removeChainOwner(address ownerToRemove) external;
    function isChainOwner(address addr) external view returns (bool);
    function getAllChainOwners() external view returns (address[]);
    function getNetworkFeeAccount() external view returns (address);
    function getInfraFeeAccount() external view returns (address);
    function setNetworkFeeAccount(address newNetworkFeeAccount) external;
    function setInfraFeeAccount(address newInfraFeeAccount) external;
    function getBrotliCompressionLevel() external view returns (uint64);
    function getScheduledUpgrade() external view returns (uint64 arbosVersion, uint64 scheduledForTimestamp);
    function setL1PricePerUnit(uint256 pricePerUnit) external;
    function scheduleArbOSUpgrade(uint64 newVersion, uint64 timestamp) external;
    function addWasmCacheManager(address manager) external;
    function removeWasmCacheManager(address manager) external;
    function setInkPrice(uint32 price) external;
    function setWasmMaxStackDepth(uint32 depth) external;
    function setWasmFreePages(uint16 pages) external;
    function setWasmPageGas(uint16 gas) external;
    function setWasmPageLimit(uint16 limit) external;
    function setWasmInitCostScalar(uint64 percent) external;
    function setWasmExpiryDays(uint16 days) external;
    function setWasmKeepaliveDays(uint16 days) external;
    function setWasmBlockCacheSize(uint16 count) external;
    function setWasmMaxSize(uint32 size) external;

    event OwnerActs(bytes4 indexed method, address indexed owner, bytes data);
}

/// The level that transactions would be compressed at for the parent chain.
const BROTLI_LEVEL: u64 = 1;
/// The highest ink price that its field holds.
const MAX_INK_PRICE: u32 = (1 << 24) - 1;
const UNAUTHORIZED: &str = "unauthorized caller to access-controlled method";

type Done<T = Vec<u8>> = Result<T, Failure>;

pub(super) fn run_public(call: &mut Call<'_, '_>, selector: [u8; 4]) -> Done {
    match selector {
        getBrotliCompressionLevelCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            call.burn(READ)?;
            Ok(BROTLI_LEVEL.abi_encode())
        }
        getScheduledUpgradeCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            call.burn(2 * READ)?;
            Ok((0u64, 0u64).abi_encode_params())
        }
        _ => view(call, selector)?.ok_or(Failure::Burn),
    }
}

pub(super) fn run(call: &mut Call<'_, '_>, selector: [u8; 4]) -> Done {
    let owner = call.caller;
    if !arbos::chain_owners().contains(call.state(), owner)? {
        return Err(Failure::Halt(UNAUTHORIZED.into()));
    }
    call.free = true;
    if let Some(answer) = view(call, selector)? {
        return Ok(answer);
    }
    change(call, selector)?;
    call.emit(&OwnerActs {
        method: FixedBytes(selector),
        owner,
        data: Bytes::from([&selector, call.args].concat()),
    })?;
    Ok(Vec::new())
}

/// What both tell.
fn view(call: &mut Call<'_, '_>, selector: [u8; 4]) -> Done<Option<Vec<u8>>> {
    let answer = match selector {
        isChainOwnerCall::SELECTOR => {
            let (address,): (Address,) = call.open(Purity::View)?;
            call.contains(arbos::chain_owners(), address)?.abi_encode()
        }
        getAllChainOwnersCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            call.members(arbos::chain_owners())?.abi_encode()
        }
        getNetworkFeeAccountCall::SELECTOR => account(call, arbos::network_fee_slot())?,
        getInfraFeeAccountCall::SELECTOR => account(call, arbos::infra_fee_slot())?,
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

fn account(call: &mut Call<'_, '_>, slot: U256) -> Done {
    call.open::<()>(Purity::View)?;
    call.burn(READ)?;
    let word = storage::read(call.state(), slot)?;
    Ok(Address::from_word(word.into()).abi_encode())
}

fn change(call: &mut Call<'_, '_>, selector: [u8; 4]) -> Done<()> {
    match selector {
        addChainOwnerCall::SELECTOR => add(call, arbos::chain_owners()),
        removeChainOwnerCall::SELECTOR => remove(call, arbos::chain_owners()),
        addWasmCacheManagerCall::SELECTOR => add(call, programs::cache_managers()),
        removeWasmCacheManagerCall::SELECTOR => remove(call, programs::cache_managers()),
        setNetworkFeeAccountCall::SELECTOR => set_account(call, arbos::network_fee_slot()),
        setInfraFeeAccountCall::SELECTOR => set_account(call, arbos::infra_fee_slot()),
        setL1PricePerUnitCall::SELECTOR => {
            let (price,): (U256,) = call.open(Purity::Write)?;
            Ok(storage::write(call.state(), l1::price_slot(), price)?)
        }
        // There is no later version to become.
        scheduleArbOSUpgradeCall::SELECTOR => {
            let (version, _time): (u64, u64) = call.open(Purity::Write)?;
            allow(version <= ARBOS_VERSION)
        }
        setWasmInitCostScalarCall::SELECTOR => {
            let (percent,): (u64,) = call.open(Purity::Write)?;
            let scalar = u8::try_from(percent.div_ceil(params::SCALAR_UNIT)).unwrap_or(u8::MAX);
            set(call, |params| params.init_cost_scalar = scalar)
        }
        setInkPriceCall::SELECTOR => {
            let (price,): (u32,) = call.open(Purity::Write)?;
            allow((1..=MAX_INK_PRICE).contains(&price))?;
            set(call, |params| params.ink_price = price)
        }
        setWasmMaxStackDepthCall::SELECTOR => wide(call, |params| &mut params.max_stack_depth),
        setWasmMaxSizeCall::SELECTOR => wide(call, |params| &mut params.max_wasm_size),
        setWasmFreePagesCall::SELECTOR => narrow(call, |params| &mut params.free_pages),
        setWasmPageGasCall::SELECTOR => narrow(call, |params| &mut params.page_gas),
        setWasmPageLimitCall::SELECTOR => narrow(call, |params| &mut params.page_limit),
        setWasmExpiryDaysCall::SELECTOR => narrow(call, |params| &mut params.expiry_days),
        setWasmKeepaliveDaysCall::SELECTOR => narrow(call, |params| &mut params.keepalive_days),
        setWasmBlockCacheSizeCall::SELECTOR => narrow(call, |params| &mut params.block_cache_size),
        _ => Err(Failure::Burn),
    }
}

fn allow(allowed: bool) -> Done<()> {
    if allowed {
        Ok(())
    } else {
        Err(Failure::Refused)
    }
}

fn add(call: &mut Call<'_, '_>, set: AddressSet) -> Done<()> {
    let (address,): (Address,) = call.open(Purity::Write)?;
    call.insert(set, address)
}

fn remove(call: &mut Call<'_, '_>, set: AddressSet) -> Done<()> {
    let (address,): (Address,) = call.open(Purity::Write)?;
    let was_member = set.remove(call.state(), address)?;
    allow(was_member)
}

fn set_account(call: &mut Call<'_, '_>, slot: U256) -> Done<()> {
    let (address,): (Address,) = call.open(Purity::Write)?;
    storage::write(call.state(), slot, address.into_word().into())?;
    Ok(())
}

fn set(call: &mut Call<'_, '_>, change: impl FnOnce(&mut Params)) -> Done<()> {
    let mut params = call.params()?;
    change(&mut params);
    params.store(call.state())?;
    Ok(())
}

fn wide(call: &mut Call<'_, '_>, field: fn(&mut Params) -> &mut u32) -> Done<()> {
    let (value,): (u32,) = call.open(Purity::Write)?;
    set(call, |params| *field(params) = value)
}

fn narrow(call: &mut Call<'_, '_>, field: fn(&mut Params) -> &mut u16) -> Done<()> {
    let (value,): (u16,) = call.open(Purity::Write)?;
    set(call, |params| *field(params) = value)
}
