#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

use super::*;
use crate::{NotesDigest, Recovery};
use pcim_core::{BlockDigest, ImageDigest, Seal};

const A: Address = Address::repeat_byte(0xa1);
const B: Address = Address::repeat_byte(0xb2);
const I: ImageDigest = ImageDigest([0x11; 32]);
const J: ImageDigest = ImageDigest([0x22; 32]);
const KEY: BlockDigest = BlockDigest([0x44; 32]);

fn word(byte: u8) -> [u8; 32] {
    [byte; 32]
}

fn address(address: Address) -> [u8; 32] {
    address.into_word().0
}

fn number(n: u16) -> [u8; 32] {
    U256::from(n).to_be_bytes()
}

/// Bytes of a fixed length stand on the left.
fn left(bytes: &[u8]) -> [u8; 32] {
    let mut word = [0; 32];
    word[..bytes.len()].copy_from_slice(bytes);
    word
}

/// A call, the function's signature, and its first words.
type Case = (Call, &'static str, Vec<[u8; 32]>);

fn approval() -> Call {
    Call::ApproveIrs {
        requestor: B,
        image: I,
        public_key: KEY,
        requested_at: 5,
        notes_digest: NotesDigest([0x66; 10]),
        shared_image: J,
        expires_at: 7,
        notes: String::new(),
    }
}

fn reshare() -> Call {
    Call::ReshareIrs {
        requestor: B,
        image: I,
        decided_at: 8,
        shared_image: J,
        expires_at: 9,
    }
}

fn reseal() -> Call {
    Call::ResealImage {
        image: I,
        root: J,
        emergency: B256::repeat_byte(0x55),
        round: 4,
    }
}

fn limit() -> Call {
    Call::SetApprovalLimit {
        image: I,
        approvals: 3,
        window_seconds: 60,
        round: 4,
    }
}

fn accreditation(status: Accreditation) -> Call {
    Call::AccreditRadiologist {
        radiologist: B,
        status,
        since: 77,
    }
}

/// Functions that both versions have alike.
fn both() -> Vec<Case> {
    vec![
        (
            Call::CreateContract {
                image: I,
                patient: A,
                seal: Seal([0x33; 32]),
                radiologist: B,
                attestation: vec![0xcc; 65],
                description: "CT CHEST".into(),
            },
            "create_contract(bytes32,address,bytes32,address,bytes,string)",
            vec![word(0x11), address(A), word(0x33), address(B), number(192)],
        ),
        (
            Call::RequestingAccess {
                patient: A,
                image: I,
                public_key: KEY,
                notes: "TREAT".into(),
            },
            "requesting_access(address,bytes32,bytes32,string)",
            vec![address(A), word(0x11), word(0x44), number(128), number(5)],
        ),
        (
            Call::DenyIrs {
                requestor: B,
                image: I,
                reason: "no".into(),
            },
            "deny_IRs(address,bytes32,string)",
            vec![address(B), word(0x11), number(96), number(2)],
        ),
        (
            Call::TraceAuthorization {
                patient: A,
                requestor: B,
                image: I,
            },
            "trace_authorization(address,address,bytes32)",
            vec![address(A), address(B), word(0x11)],
        ),
        (
            Call::RemoveIrs {
                requestor: B,
                image: I,
            },
            "remove_IRs(address,bytes32)",
            vec![address(B), word(0x11)],
        ),
        (
            Call::TransferConsortium { to: A },
            "transfer_consortium(address)",
            vec![address(A)],
        ),
    ]
}

fn first() -> Vec<Case> {
    vec![
        (
            approval(),
            "approve_IRs(address,bytes32,bytes32,bytes32,uint64,string)",
            vec![
                address(B),
                word(0x11),
                word(0x44),
                word(0x22),
                number(7),
                number(192),
                number(0),
            ],
        ),
        (
            reshare(),
            "reshare_IRs(address,bytes32,bytes32,uint64)",
            vec![address(B), word(0x11), word(0x22), number(9)],
        ),
        (
            reseal(),
            "reseal_image(bytes32,bytes32)",
            vec![word(0x11), word(0x22)],
        ),
        (
            limit(),
            "set_approval_limit(bytes32,uint32,uint32)",
            vec![word(0x11), number(3), number(60)],
        ),
        (
            accreditation(Accreditation::Accredited),
            "accredit_radiologist(address,bool)",
            vec![address(B), number(1)],
        ),
    ]
}

fn second() -> Vec<Case> {
    vec![
        (
            approval(),
            "approve_IRs(address,bytes32,bytes32,uint64,bytes10,bytes32,uint64,string)",
            vec![
                address(B),
                word(0x11),
                word(0x44),
                number(5),
                left(&[0x66; 10]),
                word(0x22),
                number(7),
                number(256),
                number(0),
            ],
        ),
        (
            reshare(),
            "reshare_IRs(address,bytes32,uint64,bytes32,uint64)",
            vec![address(B), word(0x11), number(8), word(0x22), number(9)],
        ),
        (
            reseal(),
            "reseal_image(bytes32,bytes32,bytes32,uint32)",
            vec![word(0x11), word(0x22), word(0x55), number(4)],
        ),
        (
            limit(),
            "set_approval_limit(bytes32,uint32,uint32,uint32)",
            vec![word(0x11), number(3), number(60), number(4)],
        ),
        (
            accreditation(Accreditation::Revoked),
            "accredit_radiologist(address,uint8,uint64)",
            vec![address(B), number(3), number(77)],
        ),
    ]
}

/// Functions that version 1 has not.
fn new() -> Vec<Case> {
    let (patient, round) = (A, 4);
    let recovery = Recovery {
        patient: A,
        successor: B,
        lock: true,
        guardians: vec![A, B],
        threshold: 2,
        salt: B256::repeat_byte(0x77),
        deadline: 9,
        signatures: vec![Bytes::new(), vec![1; 65].into()],
    };
    vec![
        (
            Call::WithdrawImage { image: I },
            "withdraw_image(bytes32)",
            vec![word(0x11)],
        ),
        (
            Call::RestoreImage { image: I, round },
            "restore_image(bytes32,uint32)",
            vec![word(0x11), number(4)],
        ),
        (
            Call::RetractImage {
                image: I,
                reason: 3,
            },
            "retract_image(bytes32,uint8)",
            vec![word(0x11), number(3)],
        ),
        (
            Call::ImportImage { image: I },
            "import_image(bytes32)",
            vec![word(0x11)],
        ),
        (
            Call::SetGuardians {
                patient,
                round,
                commitment: [0x88; 24],
                hours: 72,
            },
            "set_guardians(address,uint32,bytes24,uint16)",
            vec![address(A), number(4), left(&[0x88; 24]), number(72)],
        ),
        (
            Call::MoveAccount {
                patient,
                round,
                successor: B,
            },
            "move_account(address,uint32,address)",
            vec![address(A), number(4), address(B)],
        ),
        (
            Call::SetEmergency {
                patient,
                round,
                desk: B,
                hours: 24,
            },
            "set_emergency(address,uint32,address,uint8)",
            vec![address(A), number(4), address(B), number(24)],
        ),
        (
            Call::StartRecovery(recovery),
            "start_recovery(address,address,bool,address[],uint8,bytes32,uint64,bytes[])",
            vec![
                address(A),
                address(B),
                number(1),
                number(256),
                number(2),
                word(0x77),
                number(9),
                number(352),
                number(2),
                address(A),
                address(B),
            ],
        ),
        (
            Call::CancelChange { patient },
            "cancel_change(address)",
            vec![address(A)],
        ),
        (
            Call::FinishChange { patient },
            "finish_change(address)",
            vec![address(A)],
        ),
        (
            Call::SetDelegate {
                patient,
                round,
                delegate: B,
                until: 9,
            },
            "set_delegate(address,uint32,address,uint64)",
            vec![address(A), number(4), address(B), number(9)],
        ),
        (
            Call::BreakGlass {
                requestor: B,
                image: I,
                public_key: KEY,
                requested_at: 5,
                until: 9,
                reason: B256::repeat_byte(0x99),
            },
            "break_glass(address,bytes32,bytes32,uint64,uint64,bytes32)",
            vec![
                address(B),
                word(0x11),
                word(0x44),
                number(5),
                number(9),
                word(0x99),
            ],
        ),
        (Call::AcceptConsortium, "accept_consortium()", vec![]),
        (
            Call::VoidNonces {
                word: U256::from(6),
                mask: U256::from(7),
            },
            "void_nonces(uint256,uint256)",
            vec![number(6), number(7)],
        ),
    ]
}

/// Compares calldata word by word, and counts the selectors.
fn check(version: Version, cases: Vec<Case>) -> usize {
    let mut selectors = BTreeSet::new();
    for (call, signature, words) in cases {
        let data = call.calldata(version).unwrap();
        assert_eq!(data[..4], keccak256(signature)[..4], "{signature}");
        assert_eq!(call.name(), signature.split('(').next().unwrap());
        let expected = words.concat();
        assert_eq!(data[4..4 + expected.len()], expected, "{signature}");
        selectors.insert(data[..4].to_vec());
    }
    selectors.len()
}

#[test]
fn every_call_is_its_own_function_with_its_arguments_in_order() {
    assert_eq!(check(Version::V1, [both(), first()].concat()), 11);
    assert_eq!(check(Version::V2, [both(), second(), new()].concat()), 25);
}

#[test]
fn version_1_knows_accredited_or_not() {
    for (status, accredited) in [
        (Accreditation::Accredited, 1),
        (Accreditation::Retired, 0),
        (Accreditation::Revoked, 0),
    ] {
        let data = accreditation(status).calldata(Version::V1).unwrap();
        assert_eq!(data[36..], number(accredited));
    }
}

#[test]
fn what_version_1_has_not_is_refused_by_name() {
    for (call, signature, _) in new() {
        let name = signature.split('(').next().unwrap();
        for call in [call.clone(), Call::Batch(vec![call])] {
            let found = call.calldata(Version::V1);
            assert!(
                matches!(&found, Err(Error::Lacks { function }) if *function == name),
                "{found:?}"
            );
        }
    }
}
