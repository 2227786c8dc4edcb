//! The factory, the precompile that manages Stylus programs, and what is needed of the contract.

#![allow(missing_docs, unreachable_pub)]

use alloy_primitives::{Address, address, hex};
use alloy_sol_types::{SolCall, SolInterface, SolValue, sol};
use pcim_ledger::Chain;

use super::Error;

/// Arbitrum's precompile that manages Stylus programs.
pub(super) const ARB_WASM: Address = address!("0000000000000000000000000000000000000071");
/// Arbitrum's precompile that manages the cache of programs.
pub(super) const ARB_WASM_CACHE: Address = address!("0000000000000000000000000000000000000072");

sol! {
    #[derive(Debug)]
    interface IArbWasm {
        function stylusVersion() external view returns (uint16 version);
        function codehashVersion(bytes32 codehash) external view returns (uint16 version);
        function activateProgram(address program) external payable returns (uint16 version, uint256 dataFee);
        function codehashKeepalive(bytes32 codehash) external payable;
        function programTimeLeft(address program) external view returns (uint64 left);
        function expiryDays() external view returns (uint16 days_);
        function keepaliveDays() external view returns (uint16 days_);

        event ProgramLifetimeExtended(bytes32 indexed codehash, uint256 dataFee);
        event ProgramActivated(bytes32 indexed codehash, bytes32 moduleHash, address program, uint256 dataFee, uint16 version);

        error ProgramNotWasm();
        error ProgramNotActivated();
        error ProgramNeedsUpgrade(uint16 version, uint16 stylusVersion);
        error ProgramExpired(uint64 ageInSeconds);
        error ProgramUpToDate();
        error ProgramKeepaliveTooSoon(uint64 ageInSeconds);
        error ProgramInsufficientValue(uint256 have, uint256 want);
    }

    #[derive(Debug)]
    interface IStylusDeployer {
        function deploy(bytes bytecode, bytes initData, uint256 initValue, bytes32 salt) external payable returns (address);

        event ContractDeployed(address deployedContract);

        error ContractDeploymentError(bytes bytecode);
        error ContractInitializationError(address newContract);
        error EmptyBytecode();
        error InitValueButNotInitData();
        error RefundExcessValueError(uint256 excessValue);
    }

    interface IArbWasmCache {
        function allCacheManagers() external view returns (address[] memory managers);
        function codehashIsCached(bytes32 codehash) external view returns (bool cached);
    }

    interface ICacheManager {
        function getMinBid(address program) external view returns (uint192 min);
        function placeBid(address program) external payable;
    }

    interface Pcac {
        /// The name by which the Stylus SDK calls every constructor, whatever its arguments.
        function stylus_constructor() external;
        /// Version 2 adds the account that the role is offered to.
        function consortium() external view returns (address);
        function version() external view returns (string memory);
    }
}

/// The constructor's calldata.
pub(super) fn constructor(consortium: Address, predecessor: Address) -> Vec<u8> {
    let mut data = constructor_v1(consortium);
    data.extend(predecessor.abi_encode());
    data
}

/// The constructor's calldata at version 1.
pub(super) fn constructor_v1(consortium: Address) -> Vec<u8> {
    let mut data = Pcac::stylus_constructorCall::SELECTOR.to_vec();
    data.extend(consortium.abi_encode());
    data
}

/// Reads who accredits radiologists; `None` if the contract does not answer with an address first.
pub(super) async fn consortium(chain: &Chain, contract: Address) -> Result<Option<Address>, Error> {
    let data = Pcac::consortiumCall {}.abi_encode();
    let returned = chain.call(None, contract, &data).await?.ok();
    let first = returned.as_deref().and_then(|data| data.get(..32));
    Ok(first.and_then(|word| Address::abi_decode_validate(word).ok()))
}

/// Revert data in words.
pub(super) fn reason(data: &[u8]) -> String {
    if let Ok(error) = IStylusDeployer::IStylusDeployerErrors::abi_decode(data) {
        return match error {
            IStylusDeployer::IStylusDeployerErrors::ContractDeploymentError(_) => {
                "StylusDeployer could not create the contract (ContractDeploymentError)".into()
            }
            IStylusDeployer::IStylusDeployerErrors::ContractInitializationError(_) => {
                "the constructor reverted (ContractInitializationError)".into()
            }
            other => format!("StylusDeployer: {other:?}"),
        };
    }
    if let Ok(error) = IArbWasm::IArbWasmErrors::abi_decode(data) {
        return format!("ArbWasm: {error:?}");
    }
    match data {
        [] => "no reason given".into(),
        _ => format!("revert data 0x{}", hex::encode(&data[..data.len().min(68)])),
    }
}
