//! The contract's ABI (format.md §3.1) and the two precompile calls that tell whether a program is active.

#![allow(missing_docs, unreachable_pub, clippy::too_many_arguments)]

use alloy_primitives::{Address, address};
use alloy_sol_types::sol;

/// Arbitrum's precompile that manages Stylus programs.
pub(super) const ARB_WASM: Address = address!("0000000000000000000000000000000000000071");

sol!(
    #![sol(all_derives)]
    "../../contract/artifacts/v1/IPcac.sol"
);

sol! {
    interface IArbWasm {
        function codehashVersion(bytes32 codehash) external view returns (uint16 version);
    }

    interface IERC1271 {
        function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4 magic);
    }

    /// The attestation of a radiologist (EIP-712).
    struct ImageAttestation {
        bytes32 image;
        address patient;
        bytes32 seal;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use alloy_primitives::keccak256;
    use alloy_sol_types::{SolEventInterface, SolInterface};
    use serde_json::Value;

    use super::IPcac::{IPcacCalls, IPcacErrors, IPcacEvents};

    /// `name(type,…)` of every item of a kind in a Solidity ABI JSON.
    fn signatures(abi: &Value, kind: &str) -> BTreeSet<String> {
        abi.as_array()
            .unwrap()
            .iter()
            .filter(|item| item["type"] == kind)
            .map(|item| {
                let types: Vec<_> = item["inputs"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|input| input["type"].as_str().unwrap())
                    .collect();
                format!("{}({})", item["name"].as_str().unwrap(), types.join(","))
            })
            .collect()
    }

    fn selectors(signatures: &BTreeSet<String>) -> BTreeSet<[u8; 4]> {
        signatures
            .iter()
            .map(|s| keccak256(s).0[..4].try_into().unwrap())
            .collect()
    }

    #[test]
    fn selectors_and_topics_are_those_of_the_committed_abi() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contract/artifacts/v1/Pcac.json");
        let abi: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let abi = abi.get("abi").cloned().unwrap_or(abi);
        assert_eq!(
            IPcacCalls::selectors().collect::<BTreeSet<_>>(),
            selectors(&signatures(&abi, "function"))
        );
        assert_eq!(
            IPcacErrors::selectors().collect::<BTreeSet<_>>(),
            selectors(&signatures(&abi, "error"))
        );
        let topics: BTreeSet<_> = signatures(&abi, "event").iter().map(keccak256).collect();
        assert_eq!(
            IPcacEvents::SELECTORS
                .iter()
                .copied()
                .map(Into::into)
                .collect::<BTreeSet<_>>(),
            topics
        );
        assert_eq!(IPcacEvents::COUNT, 14);
        // The indexed arguments decide how a log is read.
        for event in abi
            .as_array()
            .unwrap()
            .iter()
            .filter(|item| item["type"] == "event")
        {
            let name = event["name"].as_str().unwrap();
            let types: Vec<_> = event["inputs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|input| {
                    let indexed = if input["indexed"] == true {
                        " indexed"
                    } else {
                        ""
                    };
                    format!(
                        "{}{indexed} {}",
                        input["type"].as_str().unwrap(),
                        input["name"].as_str().unwrap()
                    )
                })
                .collect();
            let line = format!("event {name}({});", types.join(", "));
            assert!(
                include_str!("../../../contract/artifacts/v1/IPcac.sol").contains(&line),
                "{line}"
            );
        }
    }
}
