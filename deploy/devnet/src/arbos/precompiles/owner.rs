//! ArbOwner (0x70) changes the chain's parameters, free of charge and for its owners only; ArbOwnerPublic (0x6b) tells
//! everybody who they are.

use alloy_primitives::{Address, Bytes, FixedBytes, U256};
use alloy_sol_types::{SolCall, SolEvent, SolValue, sol};

use super::{Failure, Invocation, Purity, READ};
use crate::arbos::address_set::AddressSet;
use crate::arbos::l2::{self, Constraint};
use crate::arbos::params::{self, Params};
use crate::arbos::version::{FRAGMENTS, STYLUS_3};
use crate::arbos::{self, filtering, l1, programs, storage, version};

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
    function setWasmActivationGas(uint64 gas) external;
    function setMaxStylusContractFragments(uint8 count) external;
    function getMaxStylusContractFragments() external view returns (uint8);
    function setCollectTips(bool collect) external;
    function getCollectTips() external view returns (bool);
    function setMultiGasPricingConstraints(MultiGasConstraint[] constraints) external;
    function setTransactionFilteringFrom(uint64 timestamp) external;
    function getTransactionFilteringFrom() external view returns (uint64);
    function addTransactionFilterer(address filterer) external;
    function removeTransactionFilterer(address filterer) external;
    function isTransactionFilterer(address filterer) external view returns (bool);
    function getAllTransactionFilterers() external view returns (address[]);
    function setFilteredFundsRecipient(address recipient) external;
    function getFilteredFundsRecipient() external view returns (address);

    struct Weighted {
        uint8 resource;
        uint64 weight;
    }
    struct MultiGasConstraint {
        Weighted[] resources;
        uint32 window;
        uint64 target;
        uint64 backlog;
    }

    event ChainOwnerAdded(address indexed newOwner);
    event ChainOwnerRemoved(address indexed removedOwner);
    event TransactionFiltererAdded(address indexed filterer);
    event TransactionFiltererRemoved(address indexed filterer);
    event FilteredFundsRecipientSet(address indexed recipient);

    event OwnerActs(bytes4 indexed method, address indexed owner, bytes data);
}

/// The level that transactions would be compressed at for the parent chain.
const BROTLI_LEVEL: u64 = 1;
/// The highest ink price that its field holds.
const MAX_INK_PRICE: u32 = (1 << 24) - 1;
/// Seconds that filtering must be announced ahead.
const FILTERING_NOTICE: u64 = 7 * 86_400;
const UNAUTHORIZED: &str = "unauthorized caller to access-controlled method";

type Done<T = Vec<u8>> = Result<T, Failure>;

pub(super) fn run_public(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Done {
    match selector {
        getBrotliCompressionLevelCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            call.burn(READ)?;
            Ok(BROTLI_LEVEL.abi_encode())
        }
        getMaxStylusContractFragmentsCall::SELECTOR => {
            call.since(FRAGMENTS)?;
            call.open::<()>(Purity::View)?;
            Ok(U256::from(call.params()?.max_fragments).abi_encode())
        }
        getCollectTipsCall::SELECTOR => {
            call.since(FRAGMENTS)?;
            call.open::<()>(Purity::View)?;
            let tips = call.read(arbos::tips_slot())?;
            Ok((!tips.is_zero()).abi_encode())
        }
        getTransactionFilteringFromCall::SELECTOR => {
            call.since(FRAGMENTS)?;
            call.open::<()>(Purity::View)?;
            Ok(call.read(filtering::enabled_from_slot())?.abi_encode())
        }
        getScheduledUpgradeCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            let [version, time] = version::schedule_slots();
            let (version, time) = (call.read(version)?, call.read(time)?);
            let (version, time): (u64, u64) = (version.saturating_to(), time.saturating_to());
            Ok(match version > call.arbos() {
                true => (version, time).abi_encode_params(),
                false => (0u64, 0u64).abi_encode_params(),
            })
        }
        _ => view(call, selector)?.ok_or(Failure::Burn),
    }
}

pub(super) fn run(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Done {
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

/// Answers the views that both precompiles have.
fn view(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Done<Option<Vec<u8>>> {
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
        isTransactionFiltererCall::SELECTOR => {
            call.since(FRAGMENTS)?;
            let (address,): (Address,) = call.open(Purity::View)?;
            call.contains(filtering::filterers(), address)?.abi_encode()
        }
        getAllTransactionFilterersCall::SELECTOR => {
            call.since(FRAGMENTS)?;
            call.open::<()>(Purity::View)?;
            call.members(filtering::filterers())?.abi_encode()
        }
        getFilteredFundsRecipientCall::SELECTOR => {
            call.since(FRAGMENTS)?;
            account(call, filtering::recipient_slot())?
        }
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

fn account(call: &mut Invocation<'_, '_>, slot: U256) -> Done {
    call.open::<()>(Purity::View)?;
    call.burn(READ)?;
    let word = storage::read(call.state(), slot)?;
    Ok(Address::from_word(word.into()).abi_encode())
}

fn change(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Done<()> {
    match selector {
        addChainOwnerCall::SELECTOR => {
            let owner = add(call, arbos::chain_owners())?;
            announce(call, &ChainOwnerAdded { newOwner: owner })
        }
        removeChainOwnerCall::SELECTOR => {
            let owner = remove(call, arbos::chain_owners())?;
            announce(
                call,
                &ChainOwnerRemoved {
                    removedOwner: owner,
                },
            )
        }
        addWasmCacheManagerCall::SELECTOR => add(call, programs::cache_managers()).map(drop),
        removeWasmCacheManagerCall::SELECTOR => remove(call, programs::cache_managers()).map(drop),
        setNetworkFeeAccountCall::SELECTOR => {
            set_account(call, arbos::network_fee_slot()).map(drop)
        }
        setInfraFeeAccountCall::SELECTOR => set_account(call, arbos::infra_fee_slot()).map(drop),
        setL1PricePerUnitCall::SELECTOR => {
            let (price,): (U256,) = call.open(Purity::Write)?;
            Ok(storage::write(call.state(), l1::price_slot(), price)?)
        }
        // An older version is taken and never becomes due; one that is not known is refused.
        scheduleArbOSUpgradeCall::SELECTOR => {
            let (version, time): (u64, u64) = call.open(Purity::Write)?;
            allow(version <= version::NEWEST)?;
            for (slot, value) in version::schedule_slots().into_iter().zip([version, time]) {
                storage::write(call.state(), slot, U256::from(value))?;
            }
            Ok(())
        }
        setWasmActivationGasCall::SELECTOR => {
            call.since(STYLUS_3)?;
            let (gas,): (u64,) = call.open(Purity::Write)?;
            let slot = programs::activation_gas_slot();
            Ok(storage::write(call.state(), slot, U256::from(gas))?)
        }
        setMaxStylusContractFragmentsCall::SELECTOR => {
            call.since(FRAGMENTS)?;
            let (count,): (U256,) = call.open(Purity::Write)?;
            let count = u8::try_from(count).map_err(|_| Failure::Burn)?;
            set(call, |params| params.max_fragments = count)
        }
        setCollectTipsCall::SELECTOR => {
            call.since(FRAGMENTS)?;
            let (collect,): (bool,) = call.open(Purity::Write)?;
            Ok(storage::write(
                call.state(),
                arbos::tips_slot(),
                U256::from(collect),
            )?)
        }
        setMultiGasPricingConstraintsCall::SELECTOR => set_constraints(call),
        setTransactionFilteringFromCall::SELECTOR => {
            call.since(FRAGMENTS)?;
            let (time,): (u64,) = call.open(Purity::Write)?;
            allow(time == 0 || time >= call.now().saturating_add(FILTERING_NOTICE))?;
            let slot = filtering::enabled_from_slot();
            Ok(storage::write(call.state(), slot, U256::from(time))?)
        }
        addTransactionFiltererCall::SELECTOR => {
            call.since(FRAGMENTS)?;
            let from: u64 = call.read(filtering::enabled_from_slot())?.saturating_to();
            allow(from != 0 && from <= call.now())?;
            let filterer = add(call, filtering::filterers())?;
            announce(call, &TransactionFiltererAdded { filterer })
        }
        removeTransactionFiltererCall::SELECTOR => {
            call.since(FRAGMENTS)?;
            let filterer = remove(call, filtering::filterers())?;
            announce(call, &TransactionFiltererRemoved { filterer })
        }
        setFilteredFundsRecipientCall::SELECTOR => {
            call.since(FRAGMENTS)?;
            let recipient = set_account(call, filtering::recipient_slot())?;
            announce(call, &FilteredFundsRecipientSet { recipient })
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

/// Emits an event that owners' changes have since ArbOS 60.
fn announce(call: &mut Invocation<'_, '_>, event: &impl SolEvent) -> Done<()> {
    match call.arbos() >= FRAGMENTS {
        true => call.emit(event),
        false => Ok(()),
    }
}

fn add(call: &mut Invocation<'_, '_>, set: AddressSet) -> Done<Address> {
    let (address,): (Address,) = call.open(Purity::Write)?;
    call.insert(set, address)?;
    Ok(address)
}

fn remove(call: &mut Invocation<'_, '_>, set: AddressSet) -> Done<Address> {
    let (address,): (Address,) = call.open(Purity::Write)?;
    let was_member = set.remove(call.state(), address)?;
    allow(was_member)?;
    Ok(address)
}

fn set_account(call: &mut Invocation<'_, '_>, slot: U256) -> Done<Address> {
    let (address,): (Address,) = call.open(Purity::Write)?;
    storage::write(call.state(), slot, address.into_word().into())?;
    Ok(address)
}

/// Replaces the constraints of multi-gas pricing; none of a kind's may raise its price beyond all bounds.
fn set_constraints(call: &mut Invocation<'_, '_>) -> Done<()> {
    call.since(FRAGMENTS)?;
    let (wanted,): (Vec<MultiGasConstraint>,) = call.open(Purity::Write)?;
    let mut constraints = Vec::new();
    for one in wanted {
        allow(one.target > 0 && one.window > 0)?;
        let mut constraint = Constraint {
            target: one.target,
            window: one.window.into(),
            backlog: one.backlog,
            ..Constraint::default()
        };
        for Weighted { resource, weight } in one.resources {
            let kind = constraint.weights.get_mut(usize::from(resource));
            *kind.ok_or(Failure::Refused)? = weight;
        }
        constraints.push(constraint);
    }
    let old: u64 = storage::read(call.state(), l2::length_slot())?.saturating_to();
    let new = constraints.len() as u64;
    for (place, constraint) in (0..).zip(&constraints) {
        for (slot, value) in Constraint::slots(place)
            .into_iter()
            .zip(constraint.values())
        {
            storage::write(call.state(), slot, U256::from(value))?;
        }
    }
    for slot in (new..old).flat_map(Constraint::slots) {
        storage::write(call.state(), slot, U256::ZERO)?;
    }
    storage::write(call.state(), l2::length_slot(), U256::from(new))?;
    allow(l2::bearable(&constraints))
}

fn set(call: &mut Invocation<'_, '_>, change: impl FnOnce(&mut Params)) -> Done<()> {
    let mut params = call.params()?;
    change(&mut params);
    params.store(call.state())?;
    Ok(())
}

fn wide(call: &mut Invocation<'_, '_>, field: fn(&mut Params) -> &mut u32) -> Done<()> {
    let (value,): (u32,) = call.open(Purity::Write)?;
    set(call, |params| *field(params) = value)
}

fn narrow(call: &mut Invocation<'_, '_>, field: fn(&mut Params) -> &mut u16) -> Done<()> {
    let (value,): (u16,) = call.open(Purity::Write)?;
    set(call, |params| *field(params) = value)
}
