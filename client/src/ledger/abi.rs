//! The contract's ABI (protocol §3) and the two precompile calls that tell whether a program is active.

#![allow(missing_docs, unreachable_pub, clippy::too_many_arguments)]

use alloy_primitives::{Address, address};
use alloy_sol_types::sol;

/// Arbitrum's precompile that manages Stylus programs.
pub(super) const ARB_WASM: Address = address!("0000000000000000000000000000000000000071");

sol! {
    interface IArbWasm {
        function codehashVersion(bytes32 codehash) external view returns (uint16 version);
    }

    #[derive(Debug)]
    interface IPcac {
        function create_contract(bytes32 image, address patient, bytes32 seal, address radiologist, bytes attestation, string description) external returns (bool);
        function requesting_access(address patient, bytes32 image, bytes32 publicKey, string notes) external returns (bool);
        function approve_IRs(address requester, bytes32 image, bytes32 publicKey, bytes32 sharedImage, uint64 expiresAt, string notes) external returns (bool);
        function deny_IRs(address requester, bytes32 image, string reason) external returns (bool);
        function trace_authorization(address patient, address requester, bytes32 image) external returns (bool);
        function remove_IRs(address requester, bytes32 image) external returns (bool);

        function reshare_IRs(address requester, bytes32 image, bytes32 sharedImage, uint64 expiresAt) external returns (bool);
        function reseal_image(bytes32 image, bytes32 root) external;
        function set_approval_limit(bytes32 image, uint32 approvals, uint32 windowSeconds) external;

        function accredit_radiologist(address radiologist, bool accredited) external;
        function transfer_consortium(address to) external;

        function is_authorized(address patient, address requester, bytes32 image) external view returns (bool);
        function image_record(bytes32 image) external view returns (address patient, uint64 registeredAt, uint32 approvalLimit, uint32 windowSeconds);
        function grant(bytes32 image, address requester) external view returns (uint8 status, uint64 requestedAt, uint64 decidedAt, uint64 expiresAt, bytes16 publicKey, bytes32 sharedImage);
        function consortium() external view returns (address);
        function is_accredited(address radiologist) external view returns (bool);

        event ContractCreated(address indexed patient, bytes32 indexed image, address indexed radiologist, bytes32 seal, string info);
        event RequestedForApproval(address indexed requester, address indexed patient, bytes32 indexed image, bytes32 publicKey, string info);
        event Requestaccepted(address indexed patient, bytes32 indexed image, string info);
        event Approved(address indexed requester, bytes32 indexed image, bytes32 publicKey, bytes32 sharedImage, uint64 expiresAt, string info);
        event Requestdenied(address indexed patient, bytes32 indexed image, string info);
        event Reason(address indexed requester, bytes32 indexed image, string info);
        event AuthorizationSuccess(address indexed requester, bytes32 indexed image, string info, address indexed patient);
        event AuthorizationFailed(address indexed requester, bytes32 indexed image, string info, address indexed patient);
        event UserRemoved(address indexed requester, address indexed patient, bytes32 indexed image, string info);
        event Reshared(address indexed requester, bytes32 indexed image, bytes32 sharedImage, uint64 expiresAt);
        event ImageResealed(bytes32 indexed image, bytes32 root);
        event ApprovalLimitSet(bytes32 indexed image, uint32 approvals, uint32 windowSeconds);
        event RadiologistAccredited(address indexed radiologist, bool accredited);
        event ConsortiumTransferred(address indexed from, address indexed to);

        error PcacNotPatient(address caller, address patient);
        error PcacNotRequesterOrPatient(address caller);
        error PcacNotConsortium(address caller);
        error PcacUnknownImage(bytes32 image);
        error PcacImageTaken(bytes32 image, address owner);
        error PcacWrongOwner(bytes32 image, address wanted, address owner);
        error PcacBadAttestation(address radiologist);
        error PcacNotAccredited(address radiologist);
        error PcacNoRequest(address requester, bytes32 image);
        error PcacNotApproved(address requester, bytes32 image);
        error PcacKeyChanged(bytes32 wanted, bytes16 requested);
        error PcacOwnImage();
        error PcacApprovalLimitReached(uint32 limit, uint64 retryAt);
        error PcacBadLimit(uint32 approvals, uint32 windowSeconds);
        error PcacBadExpiry(uint64 expiresAt, uint64 now);
        error PcacTextTooLong(uint256 length, uint256 max);
        error PcacZero(uint8 argument);
    }

    /// What a radiologist attests (EIP-712).
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
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../contract/abi/Pcac.json");
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
        // Which arguments are indexed decides how a log is read.
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
            assert!(include_str!("abi.rs").contains(&line), "{line}");
        }
    }
}
