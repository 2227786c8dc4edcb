//! ArbSys (0x64): the chain's own numbers.

use alloy_primitives::{Address, B256, U256, address};
use alloy_sol_types::{SolCall, SolError, SolValue, sol};
use revm::context::{ContextTr, JournalTr};

use super::{Call, Failure, Purity};
use crate::arbos::ARBOS_VERSION;

sol! {
    function arbBlockNumber() external view returns (uint256);
    function arbBlockHash(uint256 blockNumber) external view returns (bytes32);
    function arbChainID() external view returns (uint256);
    function arbOSVersion() external view returns (uint256);
    function getStorageGasAvailable() external view returns (uint256);
    function isTopLevelCall() external view returns (bool);
    function mapL1SenderContractAddressToL2Alias(address sender, address unused) external pure returns (address);
    function wasMyCallersAddressAliased() external view returns (bool);

    error InvalidBlockNumber(uint256 requested, uint256 current);
}

/// Reported versions count from here.
const VERSION_BASE: u64 = 55;
/// How far back block hashes reach.
const HASHES: u64 = 256;
/// Open frames below which a call counts as made by the transaction itself.
const TOP_LEVEL: usize = 2;
/// Added to the addresses of the parent chain's contracts.
const ALIAS: Address = address!("1111000000000000000000000000000000001111");

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
        getStorageGasAvailableCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            Ok(U256::ZERO.abi_encode())
        }
        isTopLevelCallCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            // The journal counts this call too.
            Ok((call.state().depth() <= TOP_LEVEL + 1).abi_encode())
        }
        mapL1SenderContractAddressToL2AliasCall::SELECTOR => {
            let (sender, _unused): (Address, Address) = call.open(Purity::Pure)?;
            Ok(alias(sender).abi_encode())
        }
        // Only transactions that come from a parent chain have their senders aliased.
        wasMyCallersAddressAliasedCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            Ok(false.abi_encode())
        }
        _ => Err(Failure::Burn),
    }
}

/// The address that a contract of the parent chain acts as here.
fn alias(sender: Address) -> Address {
    let sum =
        U256::from_be_slice(sender.as_slice()).wrapping_add(U256::from_be_slice(ALIAS.as_slice()));
    Address::from_word(sum.into())
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
