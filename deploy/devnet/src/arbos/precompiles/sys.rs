//! ArbSys (0x64): the chain's own numbers.

use alloy_primitives::{B256, U256};
use alloy_sol_types::{SolCall, SolError, SolValue, sol};
use revm::context::{ContextTr, JournalTr};

use super::{Call, Failure, Purity};
use crate::arbos::ARBOS_VERSION;

sol! {
    function arbBlockNumber() external view returns (uint256);
    function arbBlockHash(uint256 blockNumber) external view returns (bytes32);
    function arbChainID() external view returns (uint256);
    function arbOSVersion() external view returns (uint256);

    error InvalidBlockNumber(uint256 requested, uint256 current);
}

/// Reported versions count from here.
const VERSION_BASE: u64 = 55;
/// How far back block hashes reach.
const HASHES: u64 = 256;

pub(super) fn run(call: &mut Call<'_, '_>, selector: [u8; 4]) -> Result<Vec<u8>, Failure> {
    match selector {
        arbBlockNumberCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            Ok(U256::from(call.ctx.chain.l2_block).abi_encode())
        }
        arbBlockHashCall::SELECTOR => {
            let (number,): (U256,) = call.open(Purity::View)?;
            block_hash(call, number).map(|hash| hash.abi_encode())
        }
        arbChainIDCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            Ok(U256::from(call.ctx.cfg.chain_id).abi_encode())
        }
        arbOSVersionCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            Ok(U256::from(VERSION_BASE + ARBOS_VERSION).abi_encode())
        }
        _ => Err(Failure::Burn),
    }
}

fn block_hash(call: &mut Call<'_, '_>, number: U256) -> Result<B256, Failure> {
    let current = call.ctx.chain.l2_block;
    match u64::try_from(number) {
        Ok(number) if number < current && number + HASHES >= current => {
            Ok(call.ctx.journal().db().block_hash_of(number)?)
        }
        _ => Err(Failure::Solidity(
            InvalidBlockNumber {
                requested: number,
                current: U256::from(current),
            }
            .abi_encode(),
        )),
    }
}
