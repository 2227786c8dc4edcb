#![allow(clippy::unwrap_used)]

use alloy_primitives::{address, b256};

use super::*;
use crate::account::recover_digest;
use crate::{Accreditation, NotesDigest};

/// Recovers the account whose key made the signature.
fn recovered(call: &RelayCall) -> Result<Address> {
    recover_digest(call.digest()?, &call.signature)
}
use pcim_core::{BlockDigest, ImageDigest, Seal};

const FIRST: Nonce = Nonce::Ordered(5);
const OTHER: Address = address!("00000000000000000000000000000000000000b0");

fn deployment() -> Deployment {
    Deployment {
        rpc_url: String::new(),
        chain_id: 412_346,
        contract: address!("00000000000000000000000000000000000000c0"),
    }
}

/// The account of the private key 1.
fn one() -> Account {
    let mut key = [0; 32];
    key[31] = 1;
    Account::from_private_key(&key).unwrap()
}

fn calls() -> Vec<Call> {
    let (image, other) = (ImageDigest([0x11; 32]), ImageDigest([0x22; 32]));
    vec![
        Call::CreateContract {
            image,
            patient: OTHER,
            seal: Seal([0x33; 32]),
            radiologist: OTHER,
            attestation: vec![7; 65],
            description: "CT CHEST".into(),
        },
        Call::RequestingAccess {
            patient: OTHER,
            image,
            public_key: BlockDigest([0x44; 32]),
            notes: "TREAT".into(),
        },
        Call::ApproveIrs {
            requestor: OTHER,
            image,
            public_key: BlockDigest([0x44; 32]),
            requested_at: 1_780_000_000,
            notes_digest: NotesDigest([0xab; 10]),
            shared_image: other,
            expires_at: 7,
            notes: "für einen Tag".into(),
        },
        Call::DenyIrs {
            requestor: OTHER,
            image,
            reason: "no".into(),
        },
        Call::TraceAuthorization {
            patient: OTHER,
            requestor: OTHER,
            image,
        },
        Call::RemoveIrs {
            requestor: OTHER,
            image,
        },
        Call::ReshareIrs {
            requestor: OTHER,
            image,
            decided_at: 1_780_000_001,
            shared_image: other,
            expires_at: 0,
        },
        Call::ResealImage {
            image,
            root: other,
            emergency: B256::repeat_byte(0x44),
            round: 3,
        },
        Call::SetApprovalLimit {
            image,
            approvals: 3,
            window_seconds: 60,
            round: 4,
        },
        Call::AccreditRadiologist {
            radiologist: OTHER,
            status: Accreditation::Accredited,
            since: 0,
        },
        Call::TransferConsortium { to: OTHER },
    ]
}

/// The digest that is signed for each of [`calls`] with nonce 5 and deadline 1,790,000,000, from `tests/interop/vectors.py`.
const DIGESTS: [B256; 11] = [
    b256!("9d7a5960b25e21a515a9377855e54af28883556a6f73fce16d1a0843ffc132c4"),
    b256!("f9e8712248a6e61d10def5e20e713c7f7a541ab101c863970c6cc8ac6ba84586"),
    b256!("d428434075887b8e10b878b42441bf89f30476e554ec2ffd9c94878a3e65ac09"),
    b256!("c12343beb78227ebf7d71e858508364330d20422edcc65a3a87f02b26dfb73ae"),
    b256!("3a8e070183baaa787c3c74739d96dc7ba41c5f2213d64e16c621cea1859aab36"),
    b256!("1440f1916bd6690105285ec7288b39072f6b0fba657b9dc4498b8d074c4485ca"),
    b256!("ccf1b065bb136ecdf0c2f85bc4a2f7d8e907299b4188d79e2122845939887c85"),
    b256!("153a77996ee4d52e3a2e163c79bb8dbbe68ad11ceda07a06a76936c7d83f9782"),
    b256!("d7211e177a017c0caf476191a6f0fbe355c4d989a3f86699449f8416422f5842"),
    b256!("0baaa8c3917540c42a8307d6a877e56c7bbe9a73ab047aab93a85315329dc252"),
    b256!("239b7fdd4be7305f9034c5806e9a1efa6386703d480988fa994e123f5a969b53"),
];

/// What a relay is given can be signed, and what cannot be signed is not given to it.
#[test]
fn calls_that_can_be_signed_are_told_apart() {
    let more = [
        Call::Batch(vec![]),
        Call::AcceptConsortium,
        Call::FinishChange { patient: OTHER },
        Call::CancelChange { patient: OTHER },
        Call::VoidNonces {
            word: U256::ZERO,
            mask: U256::ONE,
        },
    ];
    for call in calls().into_iter().chain(more) {
        let nonce = Nonce::Free(U256::from(5));
        let signed = one().sign_call(&deployment(), &call, nonce, 1_790_000_000);
        assert_eq!(signed.is_ok(), call.is_signable(), "{}", call.name());
    }
}

#[test]
fn a_signed_call_is_what_other_wallets_sign() {
    for (call, digest) in calls().iter().zip(DIGESTS) {
        let signed = one()
            .sign_call(&deployment(), call, FIRST, 1_790_000_000)
            .unwrap();
        assert_eq!(signed.digest().unwrap(), digest, "{}", call.name());
        assert_eq!(recovered(&signed).unwrap(), one().address());
        let again = RelayCall::parse(&signed.to_json().unwrap()).unwrap();
        assert_eq!(again, signed);
    }
}

#[test]
fn a_signature_is_for_one_chain_contract_signer_nonce_deadline_and_call() {
    let signed = one()
        .sign_call(&deployment(), &calls()[5], FIRST, 1_790_000_000)
        .unwrap();
    let changed = [
        RelayCall {
            chain_id: 1,
            ..signed.clone()
        },
        RelayCall {
            contract: OTHER,
            ..signed.clone()
        },
        RelayCall {
            signer: OTHER,
            ..signed.clone()
        },
        RelayCall {
            nonce: Nonce::Ordered(6),
            ..signed.clone()
        },
        RelayCall {
            deadline: 0,
            ..signed.clone()
        },
        RelayCall {
            call: calls()[4].calldata(Version::V1).unwrap().into(),
            ..signed
        },
    ];
    for call in changed {
        assert_ne!(recovered(&call).ok(), Some(one().address()), "{call:?}");
    }
}

#[test]
fn mutated_signed_calls_are_read_or_refused() {
    use pcim_core::chance::{Numbers, mutations};

    let mut numbers = Numbers(0x5eed_0002);
    let mut read = 0;
    for call in calls() {
        let signed = one().sign_call(&deployment(), &call, FIRST, 1_790_000_000);
        let good = signed.unwrap().to_json().unwrap();
        for _ in 0..mutations() {
            if let Ok(call) = RelayCall::parse(&numbers.mutated(&good)) {
                let again = RelayCall::parse(&call.to_json().unwrap()).unwrap();
                assert_eq!(again, call);
                read += 1;
            }
        }
    }
    assert!(read > 0, "every changed call was refused");
}

#[test]
fn a_document_that_is_none_is_refused() {
    let signed = one()
        .sign_call(&deployment(), &calls()[3], Nonce::Ordered(0), 1)
        .unwrap();
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = serde_json::to_value(&signed).unwrap();
        change(&mut json);
        let found = RelayCall::parse(json.to_string().as_bytes());
        assert!(
            matches!(found, Err(Error::BadSignedCall { .. })),
            "{found:?}"
        );
    };
    refused(&|json| json["pcim-signed-call"] = 2.into());
    refused(&|json| json["pcim-signed-call"] = 3.into());
    refused(&|json| json["function"] = "approve_IRs".into());
    refused(&|json| json["more"] = 1.into());
    refused(&|json| json["call"] = "0x".into());
    refused(&|json| json["call"] = "0x01020304".into());
    refused(&|json| json["nonce"] = "0".into());
    refused(&|json| json["nonce"] = (-1).into());
    refused(&|json| json["signature"] = format!("0x{}", "00".repeat(2_049)).into());
    refused(&|json| json["call"] = format!("0x{}", "00".repeat(4_097)).into());
    refused(&|json| json["signer"] = "0x00".into());
    for bad in [&b""[..], b"{}", b"[]", &[b' '; MAX_RELAY_BYTES + 1]] {
        assert!(RelayCall::parse(bad).is_err());
    }
    let views = RelayCall {
        function: "version".into(),
        call: alloy_primitives::keccak256("version()")[..4]
            .to_vec()
            .into(),
        ..signed
    };
    let json = views.to_json().unwrap();
    assert!(RelayCall::parse(&json).is_err(), "a view is not signed");
}

#[test]
fn relays_and_batches_are_not_signed() {
    let relay = one()
        .sign_call(&deployment(), &calls()[5], Nonce::Ordered(0), 1)
        .unwrap();
    for call in [Call::Relay(relay), Call::Batch(calls())] {
        let found = one().sign_call(&deployment(), &call, Nonce::Ordered(0), 1);
        assert!(
            matches!(found, Err(Error::BadSignedCall { .. })),
            "{found:?}"
        );
    }
}

/// Calls of version 2 in the order of `tests/interop/vectors-2.json`.
fn calls_of_version_2() -> Vec<Call> {
    let image = ImageDigest([0x11; 32]);
    let (patient, signer) = (OTHER, one().address());
    let mut calls = calls();
    calls.truncate(9);
    calls.extend([
        Call::WithdrawImage { image },
        Call::RestoreImage { image, round: 5 },
        Call::RetractImage { image, reason: 6 },
        Call::ImportImage { image },
        Call::SetGuardians {
            patient,
            round: 7,
            commitment: [0xcd; 24],
            hours: 72,
        },
        Call::MoveAccount {
            patient,
            round: 8,
            successor: signer,
        },
        Call::SetEmergency {
            patient,
            round: 9,
            desk: signer,
            hours: 24,
        },
        Call::CancelChange { patient },
        Call::FinishChange { patient },
        Call::SetDelegate {
            patient,
            round: 10,
            delegate: signer,
            until: 1_800_000_000,
        },
        Call::BreakGlass {
            requestor: OTHER,
            image,
            public_key: BlockDigest([0x44; 32]),
            requested_at: 1_780_000_002,
            until: 1_780_003_602,
            reason: B256::repeat_byte(0x33),
        },
        Call::VoidNonces {
            word: U256::ONE << 200,
            mask: U256::MAX,
        },
    ]);
    calls
}

/// The number of the calls there.
fn free() -> Nonce {
    Nonce::Free((U256::ONE << 255) + U256::from(5))
}

#[test]
fn a_signed_call_of_version_2_is_what_other_wallets_sign() {
    let vectors = include_str!("../../../../tests/interop/vectors-2.json");
    let vectors: Vec<serde_json::Value> = serde_json::from_str(vectors).unwrap();
    let calls = calls_of_version_2();
    assert_eq!(vectors.len(), calls.len() + 2);
    for (call, vector) in calls.iter().zip(vectors) {
        assert_eq!(vector["primaryType"], call.name());
        let signed = one()
            .sign_call(&deployment(), call, free(), 1_790_000_000)
            .unwrap();
        let wanted: B256 = vector["digest"].as_str().unwrap().parse().unwrap();
        assert_eq!(signed.digest().unwrap(), wanted, "{}", call.name());
        assert_eq!(recovered(&signed).unwrap(), one().address());
        let json = signed.to_json().unwrap();
        assert_eq!(RelayCall::parse(&json).unwrap(), signed);
        // Its number cannot be taken for one of version 1.
        let mut other: serde_json::Value = serde_json::from_slice(&json).unwrap();
        other["nonce"] = 5.into();
        assert!(RelayCall::parse(other.to_string().as_bytes()).is_err());
    }
}

#[test]
fn what_version_2_does_not_relay_is_not_signed() {
    let recovery = crate::Recovery {
        patient: OTHER,
        successor: OTHER,
        lock: false,
        guardians: vec![OTHER],
        threshold: 1,
        salt: B256::ZERO,
        deadline: 1,
        signatures: vec![Bytes::new()],
    };
    for call in [
        Call::StartRecovery(recovery),
        Call::AccreditRadiologist {
            radiologist: OTHER,
            status: Accreditation::Accredited,
            since: 0,
        },
        Call::TransferConsortium { to: OTHER },
        Call::AcceptConsortium,
        Call::Batch(calls_of_version_2()),
    ] {
        let found = one().sign_call(&deployment(), &call, free(), 1);
        assert!(
            matches!(found, Err(Error::BadSignedCall { .. })),
            "{found:?}"
        );
    }
    // Nor has version 1 what version 2 has.
    for call in &calls_of_version_2()[9..] {
        let found = one().sign_call(&deployment(), call, FIRST, 1);
        assert!(matches!(found, Err(Error::Lacks { .. })), "{found:?}");
    }
}

#[test]
fn a_number_of_version_2_is_a_bit_of_a_word() {
    let (word, bit) = Nonce::Free(U256::from(0x1234)).place().unwrap();
    assert_eq!(word, U256::from(0x12));
    assert_eq!(bit, U256::ONE << 0x34);
    assert_eq!(FIRST.place(), None);
}

#[test]
fn mutated_signed_calls_of_version_2_are_read_or_refused() {
    use pcim_core::chance::{Numbers, mutations};

    let mut numbers = Numbers(0x5eed_0003);
    let mut read = 0;
    for call in calls_of_version_2() {
        let signed = one().sign_call(&deployment(), &call, free(), 1_790_000_000);
        let good = signed.unwrap().to_json().unwrap();
        for _ in 0..mutations() {
            if let Ok(call) = RelayCall::parse(&numbers.mutated(&good)) {
                let again = RelayCall::parse(&call.to_json().unwrap()).unwrap();
                assert_eq!(again, call);
                read += 1;
            }
        }
    }
    assert!(read > 0, "every changed call was refused");
}
