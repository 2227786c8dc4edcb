#![allow(clippy::unwrap_used)]

use alloy_primitives::address;

use super::*;

const A: Address = Address::repeat_byte(0x0a);
const B: Address = Address::repeat_byte(0x0b);
const C: Address = Address::repeat_byte(0x0c);

fn terms() -> RecoveryTerms {
    RecoveryTerms {
        chain_id: 412_346,
        contract: address!("00000000000000000000000000000000000000c0"),
        patient: address!("00000000000000000000000000000000000000b0"),
        successor: address!("7e5f4552091a69125d5dfcb7b8c2659029395bdf"),
        lock: true,
        recovery: 9,
        deadline: 1_790_000_000,
    }
}

#[test]
fn what_guardians_sign_is_what_other_wallets_sign() {
    let vectors = include_str!("../../../../tests/interop/vectors-2.json");
    let vectors: Vec<serde_json::Value> = serde_json::from_str(vectors).unwrap();
    let vector = vectors
        .iter()
        .find(|it| it["primaryType"] == "Recovery")
        .unwrap();
    let wanted: B256 = vector["digest"].as_str().unwrap().parse().unwrap();
    assert_eq!(terms().digest(), wanted);
    let guardian = Account::generate();
    let signature = guardian.agree(&terms()).unwrap();
    assert_eq!(terms().signer(&signature).unwrap(), guardian.address());
    let other = RecoveryTerms {
        recovery: 10,
        ..terms()
    };
    assert_ne!(other.signer(&signature).ok(), Some(guardian.address()));
}

#[test]
fn a_set_is_sorted_and_its_commitment_hides_it() {
    let set = GuardianSet::draw(vec![C, A, B], 2).unwrap();
    assert_eq!(set.guardians, [A, B, C]);
    let again = GuardianSet::draw(vec![A, B, C], 2).unwrap();
    assert_ne!(set.commitment(), again.commitment(), "the salt is new");
    let mut words = Vec::new();
    for word in [A.into_word(), B.into_word(), C.into_word()] {
        words.extend(word.0);
    }
    words.extend([0; 31]);
    words.push(2);
    words.extend(set.salt.0);
    assert_eq!(set.commitment(), keccak256(words)[..24]);
}

#[test]
fn a_set_that_the_contract_would_never_match_is_refused() {
    let refused = |guardians: Vec<Address>, threshold| {
        let found = GuardianSet::draw(guardians, threshold);
        assert!(
            matches!(found, Err(Error::BadGuardians { .. })),
            "{found:?}"
        );
    };
    refused(vec![], 1);
    refused(vec![A, A], 1);
    refused(vec![Address::ZERO, A], 1);
    refused(vec![A, B], 0);
    refused(vec![A, B], 3);
    let many = (1..=16).map(Address::repeat_byte).collect();
    refused(many, 1);
    let most = (1..=15).map(Address::repeat_byte).collect();
    assert!(GuardianSet::draw(most, 15).is_ok());
    let unsorted = GuardianSet {
        guardians: vec![B, A],
        threshold: 1,
        salt: B256::ZERO,
    };
    assert!(unsorted.check().is_err());
}

#[test]
fn a_recovery_needs_as_many_as_the_threshold_and_nobody_else() {
    let set = GuardianSet::draw(vec![A, B, C], 2).unwrap();
    let signature = |byte: u8| Bytes::from(vec![byte; 65]);
    let call = terms()
        .call(&set, &[(C, signature(3)), (A, signature(1))])
        .unwrap();
    assert_eq!(call.signatures, [signature(1), Bytes::new(), signature(3)]);
    assert_eq!(
        (call.guardians, call.salt),
        (set.guardians.clone(), set.salt)
    );
    // One guardian who is named twice is one.
    for agreed in [
        vec![(A, signature(1))],
        vec![(A, signature(1)), (A, signature(2))],
        vec![(A, signature(1)), (Address::repeat_byte(9), signature(2))],
    ] {
        let found = terms().call(&set, &agreed);
        assert!(
            matches!(found, Err(Error::BadGuardians { .. })),
            "{found:?}"
        );
    }
}
