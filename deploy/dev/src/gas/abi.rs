//! The contract's interface, and the precompiles that are asked about programs.

#![allow(missing_docs, unreachable_pub)]

use alloy_primitives::{Address, address};
use alloy_sol_types::sol;

/// Version 1 of the contract.
pub(super) mod v1 {
    alloy_sol_types::sol!("../../contract/artifacts/v1/IPcac.sol");
}

/// Version 2.
pub(super) mod v2 {
    alloy_sol_types::sol!("../../contract/abi/IPcac.sol");
}

/// Arbitrum's precompile that manages Stylus programs.
pub(super) const ARB_WASM: Address = address!("0000000000000000000000000000000000000071");
/// Arbitrum's precompile that manages the cache of programs.
pub(super) const ARB_WASM_CACHE: Address = address!("0000000000000000000000000000000000000072");

sol! {
    interface IArbWasm {
        function programInitGas(address program) external view returns (uint64 gas, uint64 gasWhenCached);
    }

    interface IArbWasmCache {
        function cacheProgram(address program) external;
    }
}
