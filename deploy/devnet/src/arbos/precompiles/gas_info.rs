//! ArbGasInfo (0x6c): prices. The parent chain costs nothing here and this one is never congested.

use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolCall, SolValue, sol};

use super::{Call, Failure, Purity, READ};
use crate::chain::block::BASE_FEE;

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
}

/// Gas per second that the chain is meant to take, and at most in one block.
const SPEED_LIMIT: u64 = 7_000_000;
const BLOCK_GAS_LIMIT: u64 = 32_000_000;
/// How slowly a backlog raises the price, and how many seconds of it do not.
const INERTIA: u64 = 102;
const TOLERANCE: u64 = 10;
/// Gas of a new slot.
const STORAGE: u64 = 20_000;

pub(super) fn run(call: &mut Call<'_, '_>, selector: [u8; 4]) -> Result<Vec<u8>, Failure> {
    // How many slots of the chain's state it stands on, and what is in them.
    let (reads, answer): (u64, &[u64]) = match selector {
        getPricesInWeiCall::SELECTOR | getPricesInWeiWithAggregatorCall::SELECTOR => {
            (3, &[0, 0, STORAGE * BASE_FEE, BASE_FEE, 0, BASE_FEE])
        }
        getPricesInArbGasCall::SELECTOR | getPricesInArbGasWithAggregatorCall::SELECTOR => {
            (2, &[0, 0, STORAGE])
        }
        getGasAccountingParamsCall::SELECTOR => {
            (2, &[SPEED_LIMIT, BLOCK_GAS_LIMIT, BLOCK_GAS_LIMIT])
        }
        getMinimumGasPriceCall::SELECTOR => (1, &[BASE_FEE]),
        getL1BaseFeeEstimateCall::SELECTOR | getL1GasPriceEstimateCall::SELECTOR => (1, &[0]),
        getCurrentTxL1GasFeesCall::SELECTOR => (0, &[0]),
        getGasBacklogCall::SELECTOR => (1, &[0]),
        getPricingInertiaCall::SELECTOR => (1, &[INERTIA]),
        getGasBacklogToleranceCall::SELECTOR => (1, &[TOLERANCE]),
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
    if selector == getCurrentTxL1GasFeesCall::SELECTOR {
        return Ok(call.posting_fee().abi_encode());
    }
    Ok(answer
        .iter()
        .flat_map(|word| U256::from(*word).abi_encode())
        .collect())
}
