//! Signed calls and batches.

use std::cell::Cell;

use alloy_primitives::{address, Bytes, U256};
use alloy_sol_types::{eip712_domain, sol, SolCall, SolEvent, SolStruct};

use super::{host::*, *};

/// The typed data of every function that can be signed.
#[allow(non_camel_case_types)]
mod typed {
    use super::*;

    sol! {
        struct create_contract { bytes32 image; address patient; bytes32 seal; address radiologist; bytes attestation; string description; address signer; uint64 nonce; uint64 deadline; }
        struct requesting_access { address patient; bytes32 image; bytes32 publicKey; string notes; address signer; uint64 nonce; uint64 deadline; }
        struct approve_IRs { address requester; bytes32 image; bytes32 publicKey; bytes32 sharedImage; uint64 expiresAt; string notes; address signer; uint64 nonce; uint64 deadline; }
        struct deny_IRs { address requester; bytes32 image; string reason; address signer; uint64 nonce; uint64 deadline; }
        struct trace_authorization { address patient; address requester; bytes32 image; address signer; uint64 nonce; uint64 deadline; }
        struct remove_IRs { address requester; bytes32 image; address signer; uint64 nonce; uint64 deadline; }
        struct reshare_IRs { address requester; bytes32 image; bytes32 sharedImage; uint64 expiresAt; address signer; uint64 nonce; uint64 deadline; }
        struct reseal_image { bytes32 image; bytes32 root; address signer; uint64 nonce; uint64 deadline; }
        struct set_approval_limit { bytes32 image; uint32 approvals; uint32 windowSeconds; address signer; uint64 nonce; uint64 deadline; }
        struct accredit_radiologist { address radiologist; bool accredited; address signer; uint64 nonce; uint64 deadline; }
        struct transfer_consortium { address to; address signer; uint64 nonce; uint64 deadline; }
    }
}

const ECRECOVER: Address = address!("0000000000000000000000000000000000000001");
const DEADLINE: u64 = START + 1_000;

thread_local! {
    /// The digest that was signed, and by whom.
    static SIGNED: Cell<(B256, Address)> = const { Cell::new((B256::ZERO, Address::ZERO)) };
}

/// From now on, that is what ecrecover recovers, and a radiologist's attestation from any other digest.
fn sign(signer: Address, message: &impl SolStruct) {
    let domain = eip712_domain! { name: "Pcac", version: "1", chain_id: CHAIN_ID, verifying_contract: CONTRACT, };
    SIGNED.set((message.eip712_signing_hash(&domain), signer));
    set_callee(|to, input| {
        let (digest, signer) = SIGNED.get();
        let recovered = if input[..32] == digest {
            signer
        } else {
            RADIOLOGIST
        };
        (to == ECRECOVER).then(|| recovered.into_word().to_vec())
    });
}

fn signature() -> Bytes {
    let mut signature = vec![0; 65];
    signature[64] = 27;
    signature.into()
}

fn relay(signer: Address, nonce: u64, call: &impl SolCall) -> relayCall {
    relayCall {
        signer,
        nonce,
        deadline: DEADLINE,
        call: call.abi_encode().into(),
        signature: signature(),
    }
}

/// A signed call goes through when a stranger relays it, and returns what the call returns.
fn relayed<C: SolCall>(signer: Address, signed: &C, message: &impl SolStruct) -> C::Return {
    let nonce = nonce(signer);
    sign(signer, message);
    let answer = call(STRANGER, relay(signer, nonce, signed)).unwrap();
    assert_eq!(super::relay::nonce(signer), nonce + 1, "{}", C::SIGNATURE);
    C::abi_decode_returns_validate(&answer).unwrap()
}

fn nonce(signer: Address) -> u64 {
    call(STRANGER, noncesCall { signer }).unwrap()
}

fn request_message(nonce: u64) -> typed::requesting_access {
    typed::requesting_access {
        patient: PATIENT,
        image: IMAGE,
        publicKey: KEY,
        notes: "TREAT".into(),
        signer: REQUESTER,
        nonce,
        deadline: DEADLINE,
    }
}

#[test]
fn every_protocol_function_goes_by_signature() {
    deployed();
    let deadline = DEADLINE;
    let accredit = accredit_radiologistCall {
        radiologist: RADIOLOGIST,
        accredited: true,
    };
    let message = typed::accredit_radiologist {
        radiologist: RADIOLOGIST,
        accredited: true,
        signer: CONSORTIUM,
        nonce: 0,
        deadline,
    };
    relayed(CONSORTIUM, &accredit, &message);
    let message = typed::create_contract {
        image: IMAGE,
        patient: PATIENT,
        seal: SEAL,
        radiologist: RADIOLOGIST,
        attestation: registration().attestation,
        description: "CT CHEST".into(),
        signer: PATIENT,
        nonce: 0,
        deadline,
    };
    assert!(relayed(PATIENT, &registration(), &message));
    assert!(!relayed(REQUESTER, &request(), &request_message(0)));
    let message = typed::approve_IRs {
        requester: REQUESTER,
        image: IMAGE,
        publicKey: KEY,
        sharedImage: SHARED,
        expiresAt: 0,
        notes: String::new(),
        signer: PATIENT,
        nonce: 1,
        deadline,
    };
    assert!(relayed(PATIENT, &approval(), &message));
    assert!(authorized());
    let trace = trace_authorizationCall {
        patient: PATIENT,
        requester: REQUESTER,
        image: IMAGE,
    };
    let message = typed::trace_authorization {
        patient: PATIENT,
        requester: REQUESTER,
        image: IMAGE,
        signer: REQUESTER,
        nonce: 1,
        deadline,
    };
    assert!(relayed(REQUESTER, &trace, &message));
    let reshare = reshare_IRsCall {
        requester: REQUESTER,
        image: IMAGE,
        sharedImage: SEAL,
        expiresAt: DEADLINE,
    };
    let message = typed::reshare_IRs {
        requester: REQUESTER,
        image: IMAGE,
        sharedImage: SEAL,
        expiresAt: DEADLINE,
        signer: PATIENT,
        nonce: 2,
        deadline,
    };
    assert!(relayed(PATIENT, &reshare, &message));
    let removal = remove_IRsCall {
        requester: REQUESTER,
        image: IMAGE,
    };
    let message = typed::remove_IRs {
        requester: REQUESTER,
        image: IMAGE,
        signer: PATIENT,
        nonce: 3,
        deadline,
    };
    assert!(relayed(PATIENT, &removal, &message));
    let denial = deny_IRsCall {
        requester: REQUESTER,
        image: IMAGE,
        reason: "no".into(),
    };
    let message = typed::deny_IRs {
        requester: REQUESTER,
        image: IMAGE,
        reason: "no".into(),
        signer: PATIENT,
        nonce: 4,
        deadline,
    };
    assert!(!relayed(PATIENT, &denial, &message), "nothing to deny");
    let reseal = reseal_imageCall {
        image: IMAGE,
        root: SHARED,
    };
    let message = typed::reseal_image {
        image: IMAGE,
        root: SHARED,
        signer: PATIENT,
        nonce: 5,
        deadline,
    };
    relayed(PATIENT, &reseal, &message);
    let limit = set_approval_limitCall {
        image: IMAGE,
        approvals: 3,
        windowSeconds: 60,
    };
    let message = typed::set_approval_limit {
        image: IMAGE,
        approvals: 3,
        windowSeconds: 60,
        signer: PATIENT,
        nonce: 6,
        deadline,
    };
    relayed(PATIENT, &limit, &message);
    let transfer = transfer_consortiumCall { to: STRANGER };
    let message = typed::transfer_consortium {
        to: STRANGER,
        signer: CONSORTIUM,
        nonce: 1,
        deadline,
    };
    relayed(CONSORTIUM, &transfer, &message);
    assert_eq!(call(PATIENT, consortiumCall {}).unwrap(), STRANGER);
}

#[test]
fn a_signed_call_is_done_once_in_order_and_in_time() {
    registered();
    sign(REQUESTER, &request_message(0));
    let mut early = relay(REQUESTER, 1, &request());
    let bad_nonce = |nonce, next| PcacBadNonce {
        signer: REQUESTER,
        nonce,
        next,
    };
    refused(STRANGER, early.clone(), bad_nonce(1, 0));
    early.nonce = 0;
    set_now(DEADLINE + 1);
    let expired = PcacExpired {
        deadline: DEADLINE,
        now: DEADLINE + 1,
    };
    refused(STRANGER, early.clone(), expired);
    set_now(DEADLINE);
    call(STRANGER, early.clone()).unwrap();
    emitted(&[RequestedForApproval {
        requester: REQUESTER,
        patient: PATIENT,
        image: IMAGE,
        publicKey: KEY,
        info: "TREAT".into(),
    }
    .encode_log_data()]);
    assert_eq!(standing().requestedAt, DEADLINE, "the last second counts");
    refused(STRANGER, early, bad_nonce(0, 1));
}

#[test]
fn a_signed_call_is_the_signers_and_no_other_call() {
    registered();
    let bad_signature = |signer| PcacBadSignature { signer };
    sign(REQUESTER, &request_message(0));
    refused(
        STRANGER,
        relay(STRANGER, 0, &request()),
        bad_signature(STRANGER),
    );
    let other = requesting_accessCall {
        publicKey: SEAL,
        ..request()
    };
    refused(
        STRANGER,
        relay(REQUESTER, 0, &other),
        bad_signature(REQUESTER),
    );
    let later = relayCall {
        deadline: DEADLINE + 1,
        ..relay(REQUESTER, 0, &request())
    };
    refused(STRANGER, later, bad_signature(REQUESTER));
    let signed = |signature: Vec<u8>| relayCall {
        signature: signature.into(),
        ..relay(REQUESTER, 0, &request())
    };
    let high = U256::MAX.to_be_bytes::<32>();
    for bad in [
        vec![],
        vec![1; 64],
        vec![1; 66],
        [&[1; 32][..], &high, &[27]].concat(),
        [&[1; 64][..], &[0]].concat(),
        vec![1; 2_049],
    ] {
        refused(STRANGER, signed(bad), bad_signature(REQUESTER));
    }
    let nobody = relay(Address::ZERO, 0, &request());
    refused(STRANGER, nobody, PcacZero { argument: 0 });
    assert_eq!(nonce(REQUESTER), 0);
    call(STRANGER, relay(REQUESTER, 0, &request())).unwrap();
}

#[test]
fn a_refused_call_leaves_the_nonce() {
    registered();
    let message = typed::requesting_access {
        image: KEY,
        ..request_message(0)
    };
    sign(REQUESTER, &message);
    let unknown = requesting_accessCall {
        image: KEY,
        ..request()
    };
    refused(
        STRANGER,
        relay(REQUESTER, 0, &unknown),
        PcacUnknownImage { image: KEY },
    );
    assert_eq!(nonce(REQUESTER), 0);
}

#[test]
fn a_contract_signs_by_erc_1271() {
    registered();
    set_callee(|to, input| {
        sol!(function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4););
        let asked = isValidSignatureCall::abi_decode_validate(input).ok()?;
        let valid = to == REQUESTER && asked.hash == SIGNED.get().0 && asked.signature[..] == [7];
        valid.then(|| B256::right_padding_from(&isValidSignatureCall::SELECTOR).to_vec())
    });
    let domain = eip712_domain! { name: "Pcac", version: "1", chain_id: CHAIN_ID, verifying_contract: CONTRACT, };
    SIGNED.set((
        request_message(0).eip712_signing_hash(&domain),
        Address::ZERO,
    ));
    let relay = |byte: u8| relayCall {
        signature: vec![byte].into(),
        ..relay(REQUESTER, 0, &request())
    };
    refused(STRANGER, relay(8), PcacBadSignature { signer: REQUESTER });
    call(STRANGER, relay(7)).unwrap();
    assert_eq!(standing().status, 1);
}

#[test]
fn a_signature_is_no_other_accounts_with_the_same_key() {
    registered();
    // Two contract accounts that take one key's signature of the bare digest.
    set_callee(|to, input| {
        let signed = input[4..36] == SIGNED.get().0[..];
        ([REQUESTER, STRANGER].contains(&to) && signed)
            .then(|| B256::right_padding_from(&0x1626_ba7e_u32.to_be_bytes()).to_vec())
    });
    let domain = eip712_domain! { name: "Pcac", version: "1", chain_id: CHAIN_ID, verifying_contract: CONTRACT, };
    SIGNED.set((
        request_message(0).eip712_signing_hash(&domain),
        Address::ZERO,
    ));
    refused(
        PATIENT,
        relay(STRANGER, 0, &request()),
        PcacBadSignature { signer: STRANGER },
    );
    call(PATIENT, relay(REQUESTER, 0, &request())).unwrap();
    assert_eq!(standing().status, 1);
}

#[test]
fn a_batch_is_done_in_order_and_as_a_whole() {
    requested();
    let removal = remove_IRsCall {
        requester: REQUESTER,
        image: IMAGE,
    };
    let calls = |calls: &[Vec<u8>]| multicallCall {
        calls: calls.iter().cloned().map(Into::into).collect(),
    };
    let is_authorized = is_authorizedCall {
        patient: PATIENT,
        requester: REQUESTER,
        image: IMAGE,
    };
    let reseal = reseal_imageCall {
        image: IMAGE,
        root: SHARED,
    };
    let answers = call(
        PATIENT,
        calls(&[
            approval().abi_encode(),
            is_authorized.abi_encode(),
            reseal.abi_encode(),
            removal.abi_encode(),
            is_authorized.abi_encode(),
        ]),
    )
    .unwrap();
    let flag = |flag: bool| Bytes::from(B256::with_last_byte(flag.into()).to_vec());
    assert_eq!(
        answers,
        [
            flag(true),
            flag(true),
            Bytes::new(),
            flag(true),
            flag(false)
        ]
    );
    assert_eq!(call(PATIENT, calls(&[])).unwrap(), Vec::<Bytes>::new());

    call(REQUESTER, request()).unwrap();
    let refusal = PcacNoRequest {
        requester: STRANGER,
        image: IMAGE,
    };
    let stranger = approve_IRsCall {
        requester: STRANGER,
        ..approval()
    };
    refused(
        PATIENT,
        calls(&[approval().abi_encode(), stranger.abi_encode()]),
        refusal,
    );
    assert_eq!(standing().status, 1, "all or none");
    refused(
        STRANGER,
        calls(&[approval().abi_encode()]),
        PcacNotPatient {
            caller: STRANGER,
            patient: PATIENT,
        },
    );
    for bad in [vec![], vec![1, 2, 3], vec![1, 2, 3, 4]] {
        assert_eq!(call(PATIENT, calls(&[bad])).err(), Some(vec![]));
    }
}

#[test]
fn relays_and_batches_are_not_nested() {
    requested();
    let nested = |selector: [u8; 4]| PcacNested {
        selector: selector.into(),
    };
    let batch = |call: Vec<u8>| multicallCall {
        calls: vec![call.into()],
    };
    let inner = batch(approval().abi_encode());
    refused(
        PATIENT,
        batch(inner.abi_encode()),
        nested(multicallCall::SELECTOR),
    );
    let signed = relay(REQUESTER, 0, &request());
    refused(
        PATIENT,
        batch(signed.abi_encode()),
        nested(relayCall::SELECTOR),
    );
    for (call, selector) in [
        (inner.abi_encode(), multicallCall::SELECTOR),
        (signed.abi_encode(), relayCall::SELECTOR),
        (consortiumCall {}.abi_encode(), consortiumCall::SELECTOR),
        (vec![1, 2, 3, 4], [1, 2, 3, 4]),
    ] {
        let relay = relayCall {
            call: call.into(),
            ..relay(PATIENT, 0, &approval())
        };
        refused(STRANGER, relay, nested(selector));
    }
}

#[test]
fn the_domain_is_the_one_that_is_signed_in() {
    deployed();
    let domain = call(STRANGER, eip712DomainCall {}).unwrap();
    assert_eq!(domain.fields.0, [0x0f]);
    assert_eq!(
        (domain.name.as_str(), domain.version.as_str()),
        ("Pcac", "1")
    );
    assert_eq!(
        (domain.chainId, domain.verifyingContract),
        (U256::from(CHAIN_ID), CONTRACT)
    );
    assert!(domain.salt.is_zero() && domain.extensions.is_empty());
    assert_eq!(call(STRANGER, versionCall {}).unwrap(), "1");
}
