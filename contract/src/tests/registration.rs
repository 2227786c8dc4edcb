//! Construction, the consortium, registration and attestations.

use alloy_primitives::{keccak256, Address, FixedBytes, B256, U256};
use alloy_sol_types::{eip712_domain, sol, SolCall, SolError, SolEvent, SolStruct};

use super::{host::*, *};
use crate::interface::IPcac;

sol! {
    struct ImageAttestation {
        bytes32 image;
        address patient;
        bytes32 seal;
        uint64 replaces;
    }
}

#[test]
fn the_contract_answers_to_exactly_the_interfaces_selectors() {
    deployed();
    let asked = |selector: [u8; 4]| send(STRANGER, &[&selector[..], &[0; 256]].concat());
    for selector in IPcac::IPcacCalls::SELECTORS {
        // Its result for zeros is an answer or an error with a name.
        assert_ne!(asked(*selector), Err(vec![]), "{selector:02x?}");
        let mut wrong = *selector;
        wrong[3] ^= 1;
        assert_eq!(asked(wrong), Err(vec![]), "{wrong:02x?}");
    }
    assert_eq!(asked([0; 4]), Err(vec![]));
}

#[test]
fn the_constructor_runs_once_and_with_a_consortium() {
    assert_eq!(
        construct(Address::ZERO),
        Err(PcacZero { argument: 0 }.abi_encode())
    );
    assert_eq!(construct(CONSORTIUM), Ok(vec![]));
    emitted(&[ConsortiumTransferred {
        from: Address::ZERO,
        to: CONSORTIUM,
    }
    .encode_log_data()]);
    assert_eq!(construct(STRANGER), Err(vec![]));
    let role = call(STRANGER, consortiumCall {}).unwrap();
    assert_eq!((role.holder, role.offered), (CONSORTIUM, Address::ZERO));
    assert!(call(STRANGER, predecessorCall {}).unwrap().is_zero());
}

#[test]
fn value_is_refused() {
    deployed();
    set_value(1);
    assert_eq!(call(PATIENT, registration()).err(), Some(vec![]));
    assert_eq!(call(PATIENT, consortiumCall {}).err(), Some(vec![]));
}

#[test]
fn dirty_address_bytes_are_refused() {
    deployed();
    for position in 0..12 {
        let mut calldata = is_accreditedCall {
            radiologist: RADIOLOGIST,
        }
        .abi_encode();
        calldata[4 + position] = 1;
        assert_eq!(send(STRANGER, &calldata), Err(vec![]));
    }
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    registered();
    let calldata = request().abi_encode();
    assert!(send(REQUESTER, &calldata).is_ok());
    let text = calldata
        .windows(5)
        .position(|bytes| bytes == b"TREAT")
        .unwrap();
    let mut broken = calldata.clone();
    broken[text] = 0xff;
    assert_eq!(send(REQUESTER, &broken), Err(vec![]));
    assert_eq!(send(REQUESTER, &calldata[..text]), Err(vec![]), "cut short");
}

#[test]
fn only_the_consortium_accredits_and_hands_over() {
    deployed();
    let withdraw = || accredit_radiologistCall {
        radiologist: RADIOLOGIST,
        status: 3,
        since: START - 5,
    };
    let transfer = |to| transfer_consortiumCall { to };
    refused(STRANGER, withdraw(), PcacNotConsortium { caller: STRANGER });
    refused(
        STRANGER,
        transfer(STRANGER),
        PcacNotConsortium { caller: STRANGER },
    );
    refused(STRANGER, transfer(Address::ZERO), PcacZero { argument: 0 });
    let nobody = accredit_radiologistCall {
        radiologist: Address::ZERO,
        status: 1,
        since: 0,
    };
    refused(CONSORTIUM, nobody, PcacZero { argument: 0 });

    call(CONSORTIUM, withdraw()).unwrap();
    emitted(&[RadiologistAccredited {
        radiologist: RADIOLOGIST,
        status: 3,
        since: START - 5,
    }
    .encode_log_data()]);
    assert!(!call(
        STRANGER,
        is_accreditedCall {
            radiologist: RADIOLOGIST
        }
    )
    .unwrap());
    refused(
        PATIENT,
        registration(),
        PcacNotAccredited {
            radiologist: RADIOLOGIST,
        },
    );

    let offered = |to| ConsortiumOffered {
        from: CONSORTIUM,
        to,
    };
    call(CONSORTIUM, transfer(PATIENT)).unwrap();
    call(CONSORTIUM, transfer(CONSORTIUM)).unwrap();
    emitted(&[offered(CONSORTIUM).encode_log_data()]);
    let role = call(STRANGER, consortiumCall {}).unwrap();
    assert!(role.offered.is_zero(), "withdrawn");
    let not_offered = |caller| PcacNotConsortium { caller };
    refused(PATIENT, accept_consortiumCall {}, not_offered(PATIENT));
    call(CONSORTIUM, transfer(STRANGER)).unwrap();
    emitted(&[offered(STRANGER).encode_log_data()]);
    refused(PATIENT, accept_consortiumCall {}, not_offered(PATIENT));
    call(STRANGER, accept_consortiumCall {}).unwrap();
    emitted(&[ConsortiumTransferred {
        from: CONSORTIUM,
        to: STRANGER,
    }
    .encode_log_data()]);
    refused(STRANGER, accept_consortiumCall {}, not_offered(STRANGER));
    refused(
        CONSORTIUM,
        withdraw(),
        PcacNotConsortium { caller: CONSORTIUM },
    );
}

#[test]
fn a_registration_takes_one_slot_and_says_so() {
    deployed();
    let before = slots();
    assert!(call(PATIENT, registration()).unwrap());
    emitted(&[ContractCreated {
        patient: PATIENT,
        image: IMAGE,
        radiologist: RADIOLOGIST,
        seal: SEAL,
        attestation: registration().attestation,
        replaces: 0,
        info: "CT CHEST".into(),
    }
    .encode_log_data()]);
    assert_eq!(slots(), before + 1);
    let record = call(STRANGER, image_recordCall { image: IMAGE }).unwrap();
    assert_eq!((record.patient, record.registeredAt), (PATIENT, START));
    assert_eq!((record.approvalLimit, record.windowSeconds), (0, 0));
}

#[test]
fn a_registration_is_refused_for_the_first_reason_in_order() {
    deployed();
    let zeros: [fn(&mut create_contractCall); 4] = [
        |c| c.image = B256::ZERO,
        |c| c.patient = Address::ZERO,
        |c| c.seal = B256::ZERO,
        |c| c.radiologist = Address::ZERO,
    ];
    for (argument, zero) in zeros.into_iter().enumerate() {
        let mut bad = registration();
        bad.description = "x".repeat(257);
        zero(&mut bad);
        refused(
            STRANGER,
            bad,
            PcacZero {
                argument: argument as u8,
            },
        );
    }
    let mut bad = registration();
    bad.description = "x".repeat(257);
    let too_long = PcacTextTooLong {
        length: U256::from(257),
        max: U256::from(256),
    };
    refused(STRANGER, bad.clone(), too_long);
    bad.description = "x".repeat(256);
    bad.radiologist = STRANGER;
    refused(
        STRANGER,
        bad.clone(),
        PcacNotPatient {
            caller: STRANGER,
            acting: PATIENT,
        },
    );
    refused(
        PATIENT,
        bad,
        PcacNotAccredited {
            radiologist: STRANGER,
        },
    );

    let mut forged = registration();
    forged.attestation = vec![1; 64].into();
    refused(
        PATIENT,
        forged,
        PcacBadAttestation {
            radiologist: RADIOLOGIST,
        },
    );
    call(PATIENT, registration()).unwrap();
    let again = create_contractCall {
        patient: STRANGER,
        ..registration()
    };
    refused(
        STRANGER,
        again,
        PcacImageTaken {
            image: IMAGE,
            owner: PATIENT,
        },
    );
}

/// Computes what the radiologist signs.
fn attested() -> B256 {
    let domain = eip712_domain! { name: "Pcac", version: "2", chain_id: CHAIN_ID, verifying_contract: CONTRACT, };
    let message = ImageAttestation {
        image: IMAGE,
        patient: PATIENT,
        seal: SEAL,
        replaces: 0,
    };
    message.eip712_signing_hash(&domain)
}

#[test]
fn an_attestation_is_recovered_from_the_eip_712_digest() {
    deployed();
    set_callee(|to, input| {
        let recovers = to.as_slice()[19] == 1 && input[..32] == attested();
        recovers.then(|| RADIOLOGIST.into_word().to_vec())
    });
    let other = create_contractCall {
        seal: KEY,
        ..registration()
    };
    refused(
        PATIENT,
        other,
        PcacBadAttestation {
            radiologist: RADIOLOGIST,
        },
    );
    assert!(call(PATIENT, registration()).unwrap());
}

#[test]
fn a_malleable_or_odd_signature_is_not_recovered() {
    deployed();
    let attest = |attestation: Vec<u8>| {
        let image = keccak256(&attestation);
        call(
            PATIENT,
            create_contractCall {
                image,
                attestation: attestation.into(),
                ..registration()
            },
        )
    };
    let signature = |s: B256, v: u8| [B256::repeat_byte(1).as_slice(), s.as_slice(), &[v]].concat();
    let half: B256 = "0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"
        .parse()
        .unwrap();
    let above: B256 = (U256::from_be_bytes(half.0) + U256::ONE).into();
    for v in [27, 28] {
        assert_eq!(attest(signature(half, v)), Ok(true));
        assert!(attest(signature(above, v)).is_err());
    }
    for v in [0, 1, 26, 29, 255] {
        assert!(attest(signature(half, v)).is_err(), "{v}");
    }
    assert!(attest(signature(half, 27)[..64].to_vec()).is_err());
    assert!(attest([signature(half, 27), vec![0]].concat()).is_err());
    assert!(attest(vec![]).is_err());
}

#[test]
fn a_contract_can_attest_by_erc_1271() {
    deployed();
    set_callee(|to, data| {
        if to != RADIOLOGIST {
            return Some(B256::repeat_byte(9).to_vec());
        }
        sol!(function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4););
        let asked = isValidSignatureCall::abi_decode_validate(data).unwrap();
        assert_eq!(asked.abi_encode(), data);
        let magic = FixedBytes(isValidSignatureCall::SELECTOR);
        let valid = asked.hash == attested() && asked.signature.iter().all(|byte| *byte == 7);
        valid.then(|| isValidSignatureCall::abi_encode_returns(&magic))
    });
    let attested = |len: usize, byte: u8| create_contractCall {
        attestation: vec![byte; len].into(),
        ..registration()
    };
    for (len, byte) in [(8_193, 7), (65, 8), (1, 8)] {
        refused(
            PATIENT,
            attested(len, byte),
            PcacBadAttestation {
                radiologist: RADIOLOGIST,
            },
        );
    }
    assert!(call(PATIENT, attested(8_192, 7)).unwrap());
}

#[test]
fn an_answer_that_is_not_the_magic_word_attests_nothing() {
    deployed();
    let answers: [Callee; 4] = [
        |_, _| Some(vec![]),
        |_, _| Some(vec![0x16, 0x26, 0xba, 0x7e]),
        |_, _| Some(vec![0x16; 32]),
        |_, _| None,
    ];
    for answer in answers {
        set_callee(answer);
        refused(
            PATIENT,
            registration(),
            PcacBadAttestation {
                radiologist: RADIOLOGIST,
            },
        );
    }
}
