//! The rules of `IPcac.sol`, each by the calls that keep and break it, on a host in memory.
//! The files in this directory are left out of the contract's source hash.

#![allow(clippy::unwrap_used)]

mod account;
mod consent;
mod edges;
mod held;
mod host;
mod registration;
mod relay;
mod upkeep;

use alloy_primitives::{address, keccak256, Address, FixedBytes, LogData, B256};
use alloy_sol_types::{SolCall, SolError};

use crate::interface::IPcac::*;
use host::*;

const CONSORTIUM: Address = Address::repeat_byte(0xc0);
const RADIOLOGIST: Address = Address::repeat_byte(0xad);
const PATIENT: Address = Address::repeat_byte(0xaa);
const REQUESTER: Address = Address::repeat_byte(0x1e);
const STRANGER: Address = Address::repeat_byte(0x57);
const IMAGE: B256 = B256::repeat_byte(0x33);
const SEAL: B256 = B256::repeat_byte(0x5e);
const KEY: B256 = B256::repeat_byte(0x4b);
const SHARED: B256 = B256::repeat_byte(0x5a);
const START: u64 = 1_700_000_000;

fn call<C: SolCall>(caller: Address, call: C) -> Result<C::Return, Vec<u8>> {
    send(caller, &call.abi_encode()).map(|answer| C::abi_decode_returns_validate(&answer).unwrap())
}

fn refused<C: SolCall, E: SolError>(caller: Address, refused: C, error: E) {
    let data = call(caller, refused)
        .err()
        .unwrap_or_else(|| panic!("not refused: {}", C::SIGNATURE));
    assert_eq!(
        data,
        error.abi_encode(),
        "{} should be refused with {}",
        C::SIGNATURE,
        E::SIGNATURE
    );
}

fn emitted(events: &[LogData]) {
    assert_eq!(logs(), events);
}

fn construct(consortium: Address) -> Result<Vec<u8>, Vec<u8>> {
    let mut calldata = keccak256("stylus_constructor()")[..4].to_vec();
    calldata.extend(consortium.into_word());
    calldata.extend(Address::ZERO.into_word());
    send(STRANGER, &calldata)
}

/// A deployed contract with an accredited radiologist whose attestation, whatever it is, ecrecover accepts.
fn deployed() {
    set_now(START);
    construct(CONSORTIUM).unwrap();
    call(
        CONSORTIUM,
        accredit_radiologistCall {
            radiologist: RADIOLOGIST,
            status: 1,
            since: 0,
        },
    )
    .unwrap();
    set_callee(|to, _| {
        (to == address!("0000000000000000000000000000000000000001"))
            .then(|| RADIOLOGIST.into_word().to_vec())
    });
}

fn registration() -> create_contractCall {
    let mut attestation = vec![0; 65];
    attestation[64] = 27;
    create_contractCall {
        image: IMAGE,
        patient: PATIENT,
        seal: SEAL,
        radiologist: RADIOLOGIST,
        attestation: attestation.into(),
        description: "CT CHEST".into(),
    }
}

fn registered() {
    deployed();
    assert!(call(PATIENT, registration()).unwrap());
}

fn request() -> requesting_accessCall {
    requesting_accessCall {
        patient: PATIENT,
        image: IMAGE,
        publicKey: KEY,
        notes: "TREAT".into(),
    }
}

/// An approval of what is open.
fn approval() -> approve_IRsCall {
    approval_of(REQUESTER)
}

fn approval_of(requester: Address) -> approve_IRsCall {
    let image = IMAGE;
    let open = call(STRANGER, grantCall { image, requester }).unwrap();
    approve_IRsCall {
        requester,
        image,
        publicKey: KEY,
        requestedAt: open.requestedAt,
        notesDigest: digest_of("TREAT"),
        sharedImage: SHARED,
        expiresAt: 0,
        notes: String::new(),
    }
}

fn digest_of(notes: &str) -> FixedBytes<10> {
    FixedBytes::from_slice(&keccak256(notes)[..10])
}

fn reshare() -> reshare_IRsCall {
    reshare_IRsCall {
        requester: REQUESTER,
        image: IMAGE,
        decidedAt: standing().decidedAt,
        sharedImage: SEAL,
        expiresAt: 0,
    }
}

fn image_round() -> u32 {
    let record = call(STRANGER, image_recordCall { image: IMAGE });
    record.unwrap().round
}

fn account() -> accountReturn {
    call(STRANGER, accountCall { patient: PATIENT }).unwrap()
}

fn requested() {
    registered();
    assert!(!call(REQUESTER, request()).unwrap());
}

fn approved() {
    requested();
    assert!(call(PATIENT, approval()).unwrap());
}

fn standing() -> grantReturn {
    call(
        STRANGER,
        grantCall {
            image: IMAGE,
            requester: REQUESTER,
        },
    )
    .unwrap()
}

fn authorized() -> bool {
    let asked = is_authorizedCall {
        patient: PATIENT,
        requester: REQUESTER,
        image: IMAGE,
    };
    call(STRANGER, asked).unwrap()
}

/// The words of a return value, to compare.
trait Abi {
    fn abi(&self) -> Vec<u8>;
}

impl Abi for grantReturn {
    fn abi(&self) -> Vec<u8> {
        grantCall::abi_encode_returns(self)
    }
}
