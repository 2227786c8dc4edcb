//! ArbGasInfo (0x6c): prices. This chain is never congested.

use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolCall, SolValue, sol};

use super::{Failure, Invocation, Purity, READ};
use crate::arbos::l2::{self, BASE_FEE, BLOCK_GAS_LIMIT, Constraint, SPEED_LIMIT};
use crate::arbos::version::FRAGMENTS;
use crate::arbos::{l1, storage};

sol! {
    function getPricesInWei() external view returns (uint256, uint256, uint256, uint256, uint256, uint256);
    function getPricesInWeiWithAggregator(address aggregator) external view returns (uint256, uint256, uint256, uint256, uint256, uint256);
    function getPricesInArbGas() external view returns (uint256, uint256, uint256);
    function getPricesInArbGasWithAggregator(address aggregator) external view returns (uint256, uint256, uint256);
    function getGasAccountingParams() external view returns (uint256, uint256, uint256);
    function getMinimumGasPrice() external view returns (uint256);
    function getL1BaseFeeEstimate() external view returns (uint256);
    function getL1GasPriceEstimate() external view returns (uint256);
    function getCurrentTxL1GasFees() external view returns (uint256);
    function getGasBacklog() external view returns (uint64);
    function getPricingInertia() external view returns (uint64);
    function getGasBacklogTolerance() external view returns (uint64);
    function getMaxTxGasLimit() external view returns (uint256);
    function getMaxBlockGasLimit() external view returns (uint64);
    function getMultiGasBaseFee() external view returns (uint256[]);
    function getMultiGasPricingConstraints() external view returns (MultiGasConstraint[]);
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
}

/// How slowly a backlog raises the price, and how many seconds of it do not.
const INERTIA: u64 = 102;
const TOLERANCE: u64 = 10;
/// Gas of a new slot.
const STORAGE: u64 = 20_000;

/// Bytes that a small transaction is packed to, and those of a byte of calldata.
const SMALL_TX: u64 = 140;

/// The ArbOS version since which the limits of a transaction and of a block can be asked for.
const LIMITS_SINCE: u64 = 50;

pub(super) fn run(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Result<Vec<u8>, Failure> {
    match selector {
        getMultiGasBaseFeeCall::SELECTOR => {
            call.since(FRAGMENTS)?;
            call.open::<()>(Purity::View)?;
            // Every kind's fee is the base fee: there is no congestion that could tell them apart.
            call.burn(READ * (1 + l2::KINDS))?;
            return Ok(vec![U256::from(BASE_FEE); l2::KINDS as usize].abi_encode());
        }
        getMultiGasPricingConstraintsCall::SELECTOR => {
            call.since(FRAGMENTS)?;
            call.open::<()>(Purity::View)?;
            return Ok(constraints(call)?.abi_encode());
        }
        getMaxTxGasLimitCall::SELECTOR | getMaxBlockGasLimitCall::SELECTOR => {
            call.since(LIMITS_SINCE)?;
        }
        _ => {}
    }
    let price = storage::read(call.state(), l1::price_slot())?;
    let byte = price.saturating_mul(U256::from(l1::UNITS_PER_BYTE));
    let small = byte.saturating_mul(U256::from(SMALL_TX));
    let base_fee = U256::from(BASE_FEE);
    let in_gas = |wei: U256| wei / base_fee;
    let words = |numbers: &[u64]| numbers.iter().copied().map(U256::from).collect();
    // How many slots of the chain's state it stands on, and what is in them.
    let (reads, answer): (u64, Vec<U256>) = match selector {
        getPricesInWeiCall::SELECTOR | getPricesInWeiWithAggregatorCall::SELECTOR => {
            let storage = U256::from(STORAGE) * base_fee;
            (
                3,
                vec![small, byte, storage, base_fee, U256::ZERO, base_fee],
            )
        }
        getPricesInArbGasCall::SELECTOR | getPricesInArbGasWithAggregatorCall::SELECTOR => {
            (2, vec![in_gas(small), in_gas(byte), U256::from(STORAGE)])
        }
        getGasAccountingParamsCall::SELECTOR => {
            (2, words(&[SPEED_LIMIT, BLOCK_GAS_LIMIT, BLOCK_GAS_LIMIT]))
        }
        getMaxTxGasLimitCall::SELECTOR | getMaxBlockGasLimitCall::SELECTOR => {
            (1, words(&[BLOCK_GAS_LIMIT]))
        }
        getMinimumGasPriceCall::SELECTOR => (1, words(&[BASE_FEE])),
        getL1BaseFeeEstimateCall::SELECTOR | getL1GasPriceEstimateCall::SELECTOR => {
            (1, vec![price])
        }
        getCurrentTxL1GasFeesCall::SELECTOR => {
            let gas = U256::from(call.ctx.chain.poster_gas);
            (0, vec![gas * U256::from(call.ctx.block.basefee)])
        }
        getGasBacklogCall::SELECTOR => (1, words(&[0])),
        getPricingInertiaCall::SELECTOR => (1, words(&[INERTIA])),
        getGasBacklogToleranceCall::SELECTOR => (1, words(&[TOLERANCE])),
        _ => return Err(Failure::Burn),
    };
    match selector {
        getPricesInWeiWithAggregatorCall::SELECTOR
        | getPricesInArbGasWithAggregatorCall::SELECTOR => {
            call.open::<(Address,)>(Purity::View)?;
        }
        _ => call.open::<()>(Purity::View)?,
    }
    call.burn(reads * READ)?;
    Ok(answer.iter().flat_map(SolValue::abi_encode).collect())
}

/// The constraints of multi-gas pricing that an owner has set.
fn constraints(call: &mut Invocation<'_, '_>) -> Result<Vec<MultiGasConstraint>, Failure> {
    let length: u64 = call.read(l2::length_slot())?.saturating_to();
    let mut all = Vec::new();
    for place in 0..length {
        let mut values = Vec::new();
        for slot in Constraint::slots(place) {
            values.push(call.read(slot)?.saturating_to());
        }
        let constraint = Constraint::of(&values);
        let weighted = (0..)
            .zip(constraint.weights)
            .filter(|(_, weight)| *weight > 0);
        all.push(MultiGasConstraint {
            resources: weighted
                .map(|(resource, weight)| Weighted { resource, weight })
                .collect(),
            window: u32::try_from(constraint.window).unwrap_or(u32::MAX),
            target: constraint.target,
            backlog: constraint.backlog,
        });
    }
    Ok(all)
}
