#![allow(clippy::unwrap_used)]

use alloy_primitives::{FixedBytes, U256, address, b256};

use super::*;
use crate::abi::v1::IPcac as v1;
use crate::abi::v2::IPcac as sol;

const A: Address = address!("00000000000000000000000000000000000000a1");
const B: Address = address!("00000000000000000000000000000000000000b2");
const I: B256 = b256!("1111111111111111111111111111111111111111111111111111111111111111");

#[test]
fn each_error_keeps_its_values_and_its_name() {
    let image = ImageDigest(I.0);
    let cases: Vec<(Vec<u8>, Revert, &str)> = vec![
        (
            sol::PcacNotPatient {
                caller: A,
                acting: B,
            }
            .abi_encode(),
            Revert::NotPatient {
                caller: A,
                patient: B,
            },
            "PcacNotPatient(address,address)",
        ),
        (
            sol::PcacNotRequesterOrPatient { caller: A }.abi_encode(),
            Revert::NotRequestorOrPatient { caller: A },
            "PcacNotRequesterOrPatient(address)",
        ),
        (
            sol::PcacNotConsortium { caller: A }.abi_encode(),
            Revert::NotConsortium { caller: A },
            "PcacNotConsortium(address)",
        ),
        (
            sol::PcacUnknownImage { image: I }.abi_encode(),
            Revert::UnknownImage { image },
            "PcacUnknownImage(bytes32)",
        ),
        (
            sol::PcacImageTaken { image: I, owner: B }.abi_encode(),
            Revert::ImageTaken { image, owner: B },
            "PcacImageTaken(bytes32,address)",
        ),
        (
            sol::PcacWrongOwner {
                image: I,
                wanted: A,
                owner: B,
            }
            .abi_encode(),
            Revert::WrongOwner {
                image,
                wanted: A,
                owner: B,
            },
            "PcacWrongOwner(bytes32,address,address)",
        ),
        (
            sol::PcacBadAttestation { radiologist: A }.abi_encode(),
            Revert::BadAttestation { radiologist: A },
            "PcacBadAttestation(address)",
        ),
        (
            sol::PcacNotAccredited { radiologist: A }.abi_encode(),
            Revert::NotAccredited { radiologist: A },
            "PcacNotAccredited(address)",
        ),
        (
            sol::PcacNoRequest {
                requester: A,
                image: I,
            }
            .abi_encode(),
            Revert::NoRequest {
                requestor: A,
                image,
            },
            "PcacNoRequest(address,bytes32)",
        ),
        (
            sol::PcacNotApproved {
                requester: A,
                image: I,
            }
            .abi_encode(),
            Revert::NotApproved {
                requestor: A,
                image,
            },
            "PcacNotApproved(address,bytes32)",
        ),
        (
            v1::PcacKeyChanged {
                wanted: I,
                requested: FixedBytes([7; 16]),
            }
            .abi_encode(),
            Revert::KeyChanged {
                wanted: I,
                requested: [7; 16],
            },
            "PcacKeyChanged(bytes32,bytes16)",
        ),
        (
            sol::PcacOwnImage {}.abi_encode(),
            Revert::OwnImage,
            "PcacOwnImage()",
        ),
        (
            sol::PcacApprovalLimitReached {
                limit: 3,
                retryAt: 99,
            }
            .abi_encode(),
            Revert::ApprovalLimitReached {
                limit: 3,
                retry_at: 99,
            },
            "PcacApprovalLimitReached(uint32,uint64)",
        ),
        (
            sol::PcacBadLimit {
                approvals: 1 << 24,
                windowSeconds: 5,
            }
            .abi_encode(),
            Revert::BadLimit {
                approvals: 1 << 24,
                window_seconds: 5,
            },
            "PcacBadLimit(uint32,uint32)",
        ),
        (
            v1::PcacBadExpiry {
                expiresAt: 4,
                now: 5,
            }
            .abi_encode(),
            Revert::BadExpiry {
                expires_at: 4,
                now: 5,
                latest: None,
            },
            "PcacBadExpiry(uint64,uint64)",
        ),
        (
            sol::PcacTextTooLong {
                length: U256::from(257),
                max: U256::from(256),
            }
            .abi_encode(),
            Revert::TextTooLong {
                length: 257,
                max: 256,
            },
            "PcacTextTooLong(uint256,uint256)",
        ),
        (
            sol::PcacZero { argument: 2 }.abi_encode(),
            Revert::Zero { argument: 2 },
            "PcacZero(uint8)",
        ),
        (
            sol::PcacExpired {
                deadline: 4,
                now: 5,
            }
            .abi_encode(),
            Revert::Expired {
                deadline: 4,
                now: 5,
            },
            "PcacExpired(uint64,uint64)",
        ),
        (
            v1::PcacBadNonce {
                signer: A,
                nonce: 6,
                next: 7,
            }
            .abi_encode(),
            Revert::BadNonce {
                signer: A,
                nonce: Nonce::Ordered(6),
                next: Some(7),
            },
            "PcacBadNonce(address,uint64,uint64)",
        ),
        (
            sol::PcacBadSignature { signer: A }.abi_encode(),
            Revert::BadSignature { signer: A },
            "PcacBadSignature(address)",
        ),
        (
            sol::PcacNested {
                selector: FixedBytes([1, 2, 3, 4]),
            }
            .abi_encode(),
            Revert::Nested {
                selector: [1, 2, 3, 4],
            },
            "PcacNested(bytes4)",
        ),
        (
            sol::PcacNotDesk { caller: A, desk: A }.abi_encode(),
            Revert::NotDesk { caller: A, desk: A },
            "PcacNotDesk(address,address)",
        ),
        (
            sol::PcacNotSuccessor {
                caller: A,
                successor: A,
            }
            .abi_encode(),
            Revert::NotSuccessor {
                caller: A,
                successor: A,
            },
            "PcacNotSuccessor(address,address)",
        ),
        (
            sol::PcacNotAttester { caller: A }.abi_encode(),
            Revert::NotAttester { caller: A },
            "PcacNotAttester(address)",
        ),
        (
            sol::PcacOwnRequest { caller: A }.abi_encode(),
            Revert::OwnRequest { caller: A },
            "PcacOwnRequest(address)",
        ),
        (
            sol::PcacWithdrawn { image: I, flags: 2 }.abi_encode(),
            Revert::Withdrawn {
                image,
                flags: ImageFlags(2),
            },
            "PcacWithdrawn(bytes32,uint8)",
        ),
        (
            sol::PcacBadStatus {
                status: 7,
                since: 7,
            }
            .abi_encode(),
            Revert::BadStatus {
                status: 7,
                since: 7,
            },
            "PcacBadStatus(uint8,uint64)",
        ),
        (
            sol::PcacRequestChanged {
                at: 7,
                publicKey: FixedBytes([7; 16]),
                notesDigest: FixedBytes([7; 10]),
            }
            .abi_encode(),
            Revert::RequestChanged {
                at: 7,
                public_key: [7; 16],
                notes_digest: NotesDigest([7; 10]),
            },
            "PcacRequestChanged(uint64,bytes16,bytes10)",
        ),
        (
            sol::PcacRoundChanged {
                wanted: 7,
                round: 7,
            }
            .abi_encode(),
            Revert::RoundChanged {
                wanted: 7,
                round: 7,
            },
            "PcacRoundChanged(uint32,uint32)",
        ),
        (
            sol::PcacTooSoon { retryAt: 7 }.abi_encode(),
            Revert::TooSoon { retry_at: 7 },
            "PcacTooSoon(uint64)",
        ),
        (
            sol::PcacBadHours {
                found: 7,
                least: 7,
                most: 7,
            }
            .abi_encode(),
            Revert::BadHours {
                found: 7,
                least: 7,
                most: 7,
            },
            "PcacBadHours(uint16,uint16,uint16)",
        ),
        (
            sol::PcacLocked {
                patient: A,
                until: 7,
            }
            .abi_encode(),
            Revert::Locked {
                patient: A,
                until: 7,
            },
            "PcacLocked(address,uint64)",
        ),
        (
            sol::PcacPending { kind: 7, ripe: 7 }.abi_encode(),
            Revert::Pending { kind: 7, ripe: 7 },
            "PcacPending(uint8,uint64)",
        ),
        (
            sol::PcacNothingPending { patient: A }.abi_encode(),
            Revert::NothingPending { patient: A },
            "PcacNothingPending(address)",
        ),
        (
            sol::PcacNotRipe { ripe: 7, now: 7 }.abi_encode(),
            Revert::NotRipe { ripe: 7, now: 7 },
            "PcacNotRipe(uint64,uint64)",
        ),
        (
            sol::PcacBadSuccessor { successor: A }.abi_encode(),
            Revert::BadSuccessor { successor: A },
            "PcacBadSuccessor(address)",
        ),
        (
            sol::PcacBadGuardians {
                commitment: FixedBytes([7; 24]),
                found: FixedBytes([7; 24]),
            }
            .abi_encode(),
            Revert::BadGuardians {
                commitment: [7; 24],
                found: [7; 24],
            },
            "PcacBadGuardians(bytes24,bytes24)",
        ),
        (
            sol::PcacTooFewGuardians {
                signed: U256::from(7),
                threshold: U256::from(7),
            }
            .abi_encode(),
            Revert::TooFewGuardians {
                signed: 7,
                threshold: 7,
            },
            "PcacTooFewGuardians(uint256,uint256)",
        ),
        (
            sol::PcacNoPredecessor {}.abi_encode(),
            Revert::NoPredecessor,
            "PcacNoPredecessor()",
        ),
        (
            sol::PcacPredecessorFailed { predecessor: A }.abi_encode(),
            Revert::PredecessorFailed { predecessor: A },
            "PcacPredecessorFailed(address)",
        ),
        (
            sol::PcacBadExpiry {
                expiresAt: 4,
                now: 5,
                latest: 9,
            }
            .abi_encode(),
            Revert::BadExpiry {
                expires_at: 4,
                now: 5,
                latest: Some(9),
            },
            "PcacBadExpiry(uint64,uint64,uint64)",
        ),
        (
            sol::PcacBadNonce {
                signer: A,
                nonce: U256::from(6),
            }
            .abi_encode(),
            Revert::BadNonce {
                signer: A,
                nonce: Nonce::Free(U256::from(6)),
                next: None,
            },
            "PcacBadNonce(address,uint256)",
        ),
    ];
    // Three are of version 1 alone.
    assert_eq!(cases.len(), v2::IPcac::IPcacErrors::COUNT + 3);
    for (data, wanted, signature) in cases {
        assert_eq!(
            data[..4],
            alloy_primitives::keccak256(signature)[..4],
            "{signature}"
        );
        let found = Revert::decode(&data);
        assert_eq!(found, wanted);
        assert_eq!(found.name(), signature.split('(').next());
    }
}

#[test]
fn what_is_not_known_is_kept_and_never_misread() {
    assert_eq!(Revert::decode(&[]), Revert::Unknown { data: vec![] });
    assert_eq!(
        Revert::decode(&[1, 2, 3]),
        Revert::Unknown {
            data: vec![1, 2, 3]
        }
    );
    let mut cut = sol::PcacNotPatient {
        caller: A,
        acting: B,
    }
    .abi_encode();
    cut.truncate(40);
    assert_eq!(Revert::decode(&cut), Revert::Unknown { data: cut.clone() });
    let mut dirty = sol::PcacNotConsortium { caller: A }.abi_encode();
    dirty[4] = 1;
    assert_eq!(
        Revert::decode(&dirty),
        Revert::Unknown {
            data: dirty.clone()
        }
    );
    let Revert::Unknown { data } = Revert::decode(&[9; 100_000]) else {
        panic!("oversized data is not known")
    };
    assert_eq!(data.len(), 4096);
    let words = RevertString {
        reason: "no\u{1b}[31m".into(),
    }
    .abi_encode();
    assert_eq!(Revert::decode(&words), Revert::Text("no\\u{1b}[31m".into()));
}
