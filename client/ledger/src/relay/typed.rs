//! The structs that are signed, by their functions' names.

#![allow(missing_docs, non_camel_case_types, clippy::too_many_arguments)]

/// Each struct from the call's arguments and who signed, with which nonce, until when.
macro_rules! typed {
    ($functions:path, $kind_of_nonce:ident $nonce:ty; $($name:ident { $($kind:ident $field:ident),* $(,)? })*) => {
        use alloy_sol_types::{Eip712Domain, SolStruct, sol};
        use pcim_core::{Address, B256};
        use $functions as Function;

        sol! {
            $(struct $name { $($kind $field;)* address signer; $kind_of_nonce nonce; uint64 deadline; })*
        }

        /// Computes what is signed for a call; `None` for one that cannot be signed.
        pub(in crate::relay) fn digest(
            call: Function,
            (signer, nonce, deadline): (Address, $nonce, u64),
            domain: &Eip712Domain,
        ) -> Option<B256> {
            Some(match call {
                $(Function::$name(call) => $name {
                    $($field: call.$field,)*
                    signer,
                    nonce,
                    deadline,
                }
                .eip712_signing_hash(domain),)*
                _ => return None,
            })
        }
    };
}

pub(super) mod v1 {
    typed! {
        crate::abi::v1::IPcac::IPcacCalls, uint64 u64;
        create_contract { bytes32 image, address patient, bytes32 seal, address radiologist, bytes attestation, string description }
        requesting_access { address patient, bytes32 image, bytes32 publicKey, string notes }
        approve_IRs { address requester, bytes32 image, bytes32 publicKey, bytes32 sharedImage, uint64 expiresAt, string notes }
        deny_IRs { address requester, bytes32 image, string reason }
        trace_authorization { address patient, address requester, bytes32 image }
        remove_IRs { address requester, bytes32 image }
        reshare_IRs { address requester, bytes32 image, bytes32 sharedImage, uint64 expiresAt }
        reseal_image { bytes32 image, bytes32 root }
        set_approval_limit { bytes32 image, uint32 approvals, uint32 windowSeconds }
        accredit_radiologist { address radiologist, bool accredited }
        transfer_consortium { address to }
    }
}

pub(super) mod v2 {
    use alloy_primitives::U256;

    typed! {
        crate::abi::v2::IPcac::IPcacCalls, uint256 U256;
        create_contract { bytes32 image, address patient, bytes32 seal, address radiologist, bytes attestation, string description }
        requesting_access { address patient, bytes32 image, bytes32 publicKey, string notes }
        approve_IRs { address requester, bytes32 image, bytes32 publicKey, uint64 requestedAt, bytes10 notesDigest, bytes32 sharedImage, uint64 expiresAt, string notes }
        deny_IRs { address requester, bytes32 image, string reason }
        trace_authorization { address patient, address requester, bytes32 image }
        remove_IRs { address requester, bytes32 image }
        reshare_IRs { address requester, bytes32 image, uint64 decidedAt, bytes32 sharedImage, uint64 expiresAt }
        reseal_image { bytes32 image, bytes32 root, bytes32 emergency, uint32 round }
        set_approval_limit { bytes32 image, uint32 approvals, uint32 windowSeconds, uint32 round }
        withdraw_image { bytes32 image }
        restore_image { bytes32 image, uint32 round }
        retract_image { bytes32 image, uint8 reason }
        import_image { bytes32 image }
        set_guardians { address patient, uint32 round, bytes24 commitment, uint16 delayHours }
        move_account { address patient, uint32 round, address successor }
        set_emergency { address patient, uint32 round, address desk, uint8 maxHours }
        cancel_change { address patient }
        finish_change { address patient }
        set_delegate { address patient, uint32 round, address delegate, uint64 until }
        break_glass { address requester, bytes32 image, bytes32 publicKey, uint64 requestedAt, uint64 until, bytes32 reasonCode }
        void_nonces { uint256 word, uint256 mask }
    }
}
