//! Signed calls and batches.

mod domain;

use std::cell::Cell;

use alloy_primitives::{address, Bytes, U256};
use alloy_sol_types::{eip712_domain, sol, SolCall, SolEvent, SolStruct};

use super::{host::*, *};

/// The typed data of a request.
#[allow(non_camel_case_types)]
mod typed {
    use super::*;

    sol! {
        struct requesting_access { address patient; bytes32 image; bytes32 publicKey; string notes; address signer; uint256 nonce; uint64 deadline; }
    }
}

/// The struct hash of a call, by what the interface says about its arguments.
fn message_of<C: SolCall>(call: &C, signer: Address, nonce: U256) -> B256 {
    let name = C::SIGNATURE.split('(').next().unwrap();
    let interface = include_str!("../../abi/IPcac.sol");
    let (_, rest) = interface.split_once(&format!("function {name}(")).unwrap();
    let (arguments, _) = rest.split_once(')').unwrap();
    let fields: Vec<String> = arguments
        .split(',')
        .map(|argument| argument.trim().replace(" calldata", ""))
        .collect();
    let kind = format!(
        "{name}({},address signer,uint256 nonce,uint64 deadline)",
        fields.join(",")
    );
    let calldata = call.abi_encode();
    let data = &calldata[4..];
    let mut words = vec![keccak256(kind)];
    for (i, field) in fields.iter().enumerate() {
        let word = &data[32 * i..32 * i + 32];
        if field.starts_with("bytes ") || field.starts_with("string ") {
            let at = U256::from_be_slice(word).to::<usize>();
            let len = U256::from_be_slice(&data[at..at + 32]).to::<usize>();
            words.push(keccak256(&data[at + 32..at + 32 + len]));
        } else {
            words.push(B256::from_slice(word));
        }
    }
    words.extend([
        signer.into_word(),
        nonce.into(),
        U256::from(DEADLINE_AT.get()).into(),
    ]);
    keccak256(words.concat())
}

const ECRECOVER: Address = address!("0000000000000000000000000000000000000001");
const DEADLINE: u64 = START + 1_000;

thread_local! {
    /// The last second of the calls that are signed by [`relayed`].
    static DEADLINE_AT: Cell<u64> = const { Cell::new(DEADLINE) };
    /// The digest that was signed, and by whom.
    static SIGNED: Cell<(B256, Address)> = const { Cell::new((B256::ZERO, Address::ZERO)) };
}

/// From now on, that is what ecrecover recovers, and a radiologist's attestation from any other digest.
fn sign(signer: Address, message: &impl SolStruct) {
    sign_hash(signer, message.eip712_hash_struct());
}

fn sign_hash(signer: Address, message: B256) {
    let domain = eip712_domain! { name: "Pcac", version: "2", chain_id: CHAIN_ID, verifying_contract: CONTRACT, };
    let separator = domain.separator();
    let bytes = [&[0x19, 0x01][..], separator.as_slice(), message.as_slice()];
    SIGNED.set((keccak256(bytes.concat()), signer));
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
        nonce: U256::from(nonce),
        deadline: DEADLINE_AT.get(),
        call: call.abi_encode().into(),
        signature: signature(),
    }
}

/// A signed call goes through when a stranger relays it, and returns what the call returns.
fn relayed<C: SolCall>(signer: Address, signed: &C) -> C::Return {
    let nonce = (0..256).find(|nonce| !used(signer, *nonce)).unwrap();
    sign_hash(signer, message_of(signed, signer, U256::from(nonce)));
    let answer = call(STRANGER, relay(signer, nonce, signed))
        .unwrap_or_else(|data| panic!("{}: {data:02x?}", C::SIGNATURE));
    assert!(used(signer, nonce), "{}", C::SIGNATURE);
    C::abi_decode_returns_validate(&answer).unwrap()
}

fn used(signer: Address, nonce: u64) -> bool {
    let word = U256::from(nonce / 256);
    let bits = call(STRANGER, noncesCall { signer, word }).unwrap();
    bits.bit((nonce % 256) as usize)
}

fn request_message(nonce: u64) -> typed::requesting_access {
    typed::requesting_access {
        patient: PATIENT,
        image: IMAGE,
        publicKey: KEY,
        notes: "TREAT".into(),
        signer: REQUESTER,
        nonce: U256::from(nonce),
        deadline: DEADLINE,
    }
}

#[test]
fn every_protocol_function_goes_by_signature() {
    deployed();
    let (requester, image, patient) = (REQUESTER, IMAGE, PATIENT);
    assert!(relayed(PATIENT, &registration()));
    assert!(!relayed(REQUESTER, &request()));
    assert!(relayed(PATIENT, &approval()));
    assert!(authorized());
    let trace = trace_authorizationCall {
        patient,
        requester,
        image,
    };
    assert!(relayed(REQUESTER, &trace));
    set_now(START + 1);
    assert!(relayed(PATIENT, &reshare()));
    let removal = remove_IRsCall { requester, image };
    assert!(relayed(REQUESTER, &removal));
    let denial = deny_IRsCall {
        requester,
        image,
        reason: "no".into(),
    };
    assert!(!relayed(PATIENT, &denial), "nothing to deny");
    let reseal = reseal_imageCall {
        image,
        root: SHARED,
        emergency: KEY,
        round: 0,
    };
    relayed(PATIENT, &reseal);
    let limit = set_approval_limitCall {
        image,
        approvals: 3,
        windowSeconds: 60,
        round: 1,
    };
    relayed(PATIENT, &limit);
    assert!(relayed(PATIENT, &withdraw_imageCall { image }));
    assert!(relayed(PATIENT, &restore_imageCall { image, round: 3 }));
    assert!(relayed(
        RADIOLOGIST,
        &retract_imageCall { image, reason: 9 }
    ));
    assert_eq!(image_round(), 5);
    set_now(START + 2);
    assert!(relayed(PATIENT, &registration()), "registered again");

    let desk = STRANGER;
    let named = set_emergencyCall {
        patient,
        round: 0,
        desk,
        maxHours: 24,
    };
    assert!(relayed(PATIENT, &named));
    set_now(START + 2 + 72 * 3_600);
    DEADLINE_AT.set(START + 300 * 3_600);
    relayed(REQUESTER, &finish_changeCall { patient });
    assert!(!relayed(REQUESTER, &request()));
    let glass = break_glassCall {
        requester,
        image,
        publicKey: KEY,
        requestedAt: START + 2 + 72 * 3_600,
        until: START + 90 * 3_600,
        reasonCode: SEAL,
    };
    assert!(relayed(STRANGER, &glass));
    assert!(authorized());
    let delegate = set_delegateCall {
        patient,
        round: 2,
        delegate: STRANGER,
        until: START + 400 * 3_600,
    };
    assert!(relayed(PATIENT, &delegate));
    let guardians = set_guardiansCall {
        patient,
        round: 3,
        commitment: FixedBytes::repeat_byte(7),
        delayHours: 72,
    };
    relayed(PATIENT, &guardians);
    let move_ = move_accountCall {
        patient,
        round: 4,
        successor: STRANGER,
    };
    relayed(PATIENT, &move_);
    assert!(relayed(PATIENT, &cancel_changeCall { patient }));
    assert_eq!(account().round, 6);
    let void = void_noncesCall {
        word: U256::ZERO,
        mask: U256::from(1) << 200,
    };
    relayed(PATIENT, &void);
    assert!(used(PATIENT, 200));
    let import = import_imageCall { image: KEY };
    sign_hash(PATIENT, message_of(&import, PATIENT, U256::from(100)));
    refused(STRANGER, relay(PATIENT, 100, &import), PcacNoPredecessor {});
}

#[test]
fn what_the_consortium_and_guardians_do_is_not_relayed() {
    deployed();
    let recovery = start_recoveryCall {
        patient: PATIENT,
        successor: STRANGER,
        lock: false,
        guardians: vec![],
        threshold: 1,
        salt: KEY,
        deadline: DEADLINE,
        signatures: vec![],
    };
    let accredit = accredit_radiologistCall {
        radiologist: STRANGER,
        status: 1,
        since: 0,
    };
    for (call, selector) in [
        (recovery.abi_encode(), start_recoveryCall::SELECTOR),
        (accredit.abi_encode(), accredit_radiologistCall::SELECTOR),
        (
            transfer_consortiumCall { to: STRANGER }.abi_encode(),
            transfer_consortiumCall::SELECTOR,
        ),
        (
            accept_consortiumCall {}.abi_encode(),
            accept_consortiumCall::SELECTOR,
        ),
    ] {
        let relay = relayCall {
            call: call.into(),
            ..relay(CONSORTIUM, 0, &request())
        };
        let nested = PcacNested {
            selector: selector.into(),
        };
        refused(STRANGER, relay, nested);
    }
}

#[test]
fn a_signed_call_is_done_once_in_any_order_and_in_time() {
    registered();
    let bad_nonce = |nonce: u64| PcacBadNonce {
        signer: REQUESTER,
        nonce: U256::from(nonce),
    };
    for nonce in [1_000, 0, 257] {
        sign(REQUESTER, &request_message(nonce));
        let signed = relay(REQUESTER, nonce, &request());
        call(STRANGER, signed.clone()).unwrap();
        refused(STRANGER, signed, bad_nonce(nonce));
        assert!(used(REQUESTER, nonce) && !used(REQUESTER, nonce + 1));
    }
    let void = void_noncesCall {
        word: U256::from(3),
        mask: U256::from(0b101),
    };
    call(REQUESTER, void).unwrap();
    emitted(&[]);
    for (nonce, void) in [(768, true), (769, false), (770, true), (1_000, true)] {
        assert_eq!(used(REQUESTER, nonce), void, "{nonce}");
    }
    refused(STRANGER, relay(REQUESTER, 770, &request()), bad_nonce(770));

    call(
        REQUESTER,
        remove_IRsCall {
            requester: REQUESTER,
            image: IMAGE,
        },
    )
    .unwrap();
    sign(REQUESTER, &request_message(5));
    let early = relay(REQUESTER, 5, &request());
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
    refused(STRANGER, early, bad_nonce(5));
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
        vec![1; 8_193],
    ] {
        refused(STRANGER, signed(bad), bad_signature(REQUESTER));
    }
    let nobody = relay(Address::ZERO, 0, &request());
    refused(STRANGER, nobody, PcacZero { argument: 0 });
    assert!(!used(REQUESTER, 0));
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
    assert!(!used(REQUESTER, 0));
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
    let domain = eip712_domain! { name: "Pcac", version: "2", chain_id: CHAIN_ID, verifying_contract: CONTRACT, };
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
    let domain = eip712_domain! { name: "Pcac", version: "2", chain_id: CHAIN_ID, verifying_contract: CONTRACT, };
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
        emergency: B256::ZERO,
        round: 0,
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

    set_now(START + 1);
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
            acting: PATIENT,
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
