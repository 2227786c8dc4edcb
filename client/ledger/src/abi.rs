//! The contract's ABI of both versions (format.md §3.1, §3.8) and the two precompile calls that tell whether a program is active.

#![allow(missing_docs, unreachable_pub, clippy::too_many_arguments)]

use alloy_primitives::{Address, address};
use alloy_sol_types::sol;

/// Arbitrum's precompile that manages Stylus programs.
pub(super) const ARB_WASM: Address = address!("0000000000000000000000000000000000000071");

/// Version 1.
pub(super) mod v1 {
    alloy_sol_types::sol!(
        #![sol(all_derives)]
        "../../contract/artifacts/v1/IPcac.sol"
    );
}

/// Version 2.
pub(super) mod v2 {
    alloy_sol_types::sol!(
        #![sol(all_derives)]
        "../../contract/abi/IPcac.sol"
    );
}

sol! {
    interface IArbWasm {
        function codehashVersion(bytes32 codehash) external view returns (uint16 version);
    }

    interface IERC1271 {
        function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4 magic);
    }

    /// The terms that guardians sign (EIP-712).
    struct Recovery {
        address patient;
        address successor;
        bool lock;
        uint16 recovery;
        uint64 deadline;
    }
}

/// The attestation of a radiologist at version 1 (EIP-712).
pub(super) mod attested_v1 {
    alloy_sol_types::sol! {
        struct ImageAttestation {
            bytes32 image;
            address patient;
            bytes32 seal;
        }
    }
}

/// The attestation of a radiologist at version 2 (EIP-712).
pub(super) mod attested_v2 {
    alloy_sol_types::sol! {
        struct ImageAttestation {
            bytes32 image;
            address patient;
            bytes32 seal;
            uint64 replaces;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use alloy_primitives::{B256, keccak256};
    use alloy_sol_types::SolInterface;
    use serde_json::Value;

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

    /// The selectors of calls and errors, and the topics.
    type Bound = (BTreeSet<[u8; 4]>, BTreeSet<[u8; 4]>, BTreeSet<B256>);

    /// Compares what is bound with a committed ABI; `events` is how many there are.
    fn check(abi: &str, interface: &str, events: usize, (calls, errors, topics): Bound) {
        let abi: Value = serde_json::from_str(abi).unwrap();
        let abi = abi.get("abi").cloned().unwrap_or(abi);
        assert_eq!(calls, selectors(&signatures(&abi, "function")));
        assert_eq!(errors, selectors(&signatures(&abi, "error")));
        let logged: BTreeSet<_> = signatures(&abi, "event").iter().map(keccak256).collect();
        assert_eq!(topics, logged);
        assert_eq!(topics.len(), events);
        // The indexed arguments decide how a log is read.
        let all = abi.as_array().unwrap().iter();
        for event in all.filter(|item| item["type"] == "event") {
            let name = event["name"].as_str().unwrap();
            let inputs = event["inputs"].as_array().unwrap().iter();
            let types: Vec<_> = inputs
                .map(|input| {
                    let indexed = match input["indexed"] == true {
                        true => " indexed",
                        false => "",
                    };
                    let (kind, name) = (&input["type"], &input["name"]);
                    format!(
                        "{}{indexed} {}",
                        kind.as_str().unwrap(),
                        name.as_str().unwrap()
                    )
                })
                .collect();
            let line = format!("event {name}({});", types.join(", "));
            assert!(interface.contains(&line), "{line}");
        }
    }

    macro_rules! bound {
        ($version:ident) => {{
            use super::$version::IPcac::{IPcacCalls, IPcacErrors, IPcacEvents};
            (
                IPcacCalls::selectors().collect(),
                IPcacErrors::selectors().collect(),
                IPcacEvents::SELECTORS
                    .iter()
                    .copied()
                    .map(B256::from)
                    .collect(),
            )
        }};
    }

    #[test]
    fn selectors_and_topics_are_those_of_the_committed_abi() {
        let first = include_str!("../../../contract/artifacts/v1/Pcac.json");
        let interface = include_str!("../../../contract/artifacts/v1/IPcac.sol");
        check(first, interface, 14, bound!(v1));
        let second = include_str!("../../../contract/abi/Pcac.json");
        let interface = include_str!("../../../contract/abi/IPcac.sol");
        check(second, interface, 21, bound!(v2));
    }
}
