#![allow(clippy::unwrap_used)]

use alloy_primitives::{U256, address, keccak256};

use super::*;

fn attestation(version: Version) -> Attestation {
    Attestation {
        version,
        chain_id: 1,
        contract: address!("00000000000000000000000000000000000000c0"),
        image: ImageDigest([0x11; 32]),
        patient: address!("00000000000000000000000000000000000000b0"),
        seal: Seal([0x22; 32]),
        replaces: 7,
    }
}

/// The digest put together by hand from EIP-712's definition.
fn by_hand(attested: &Attestation) -> B256 {
    let word = |address: Address| address.into_word().0;
    let domain = keccak256(
        [
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)").0,
            keccak256("Pcac").0,
            keccak256(attested.version.text()).0,
            U256::from(attested.chain_id).to_be_bytes(),
            word(attested.contract),
        ]
        .concat(),
    );
    let kind = match attested.version {
        Version::V1 => "ImageAttestation(bytes32 image,address patient,bytes32 seal)",
        Version::V2 => {
            "ImageAttestation(bytes32 image,address patient,bytes32 seal,uint64 replaces)"
        }
    };
    let mut words = vec![
        keccak256(kind).0,
        attested.image.0,
        word(attested.patient),
        attested.seal.0,
    ];
    if attested.version == Version::V2 {
        words.push(U256::from(attested.replaces).to_be_bytes());
    }
    let message = keccak256(words.concat());
    keccak256([&[0x19, 0x01][..], domain.as_slice(), message.as_slice()].concat())
}

#[test]
fn the_digest_is_that_of_the_standard() {
    for version in [Version::V1, Version::V2] {
        for chain_id in [1, 412_346, u64::MAX] {
            let attested = Attestation {
                chain_id,
                ..attestation(version)
            };
            assert_eq!(attested.digest(), by_hand(&attested));
        }
    }
}

#[test]
fn an_attestation_is_for_one_chain_contract_image_patient_seal_and_predecessor() {
    let radiologist = Account::generate();
    for version in [Version::V1, Version::V2] {
        let attested = attestation(version);
        let signature = radiologist.attest(&attested).unwrap();
        let who = Some(radiologist.address());
        assert_eq!(attested.signer(&signature).ok(), who);
        let mut others = vec![
            Attestation {
                chain_id: 2,
                ..attested
            },
            Attestation {
                contract: attested.patient,
                ..attested
            },
            Attestation {
                image: ImageDigest([0; 32]),
                ..attested
            },
            Attestation {
                patient: attested.contract,
                ..attested
            },
            Attestation {
                seal: Seal([0; 32]),
                ..attested
            },
        ];
        let newer = Attestation {
            replaces: 8,
            ..attested
        };
        match version {
            Version::V1 => assert_eq!(newer.signer(&signature).ok(), who),
            Version::V2 => others.push(newer),
        }
        for version in [Version::V1, Version::V2] {
            if version != attested.version {
                others.push(Attestation {
                    version,
                    ..attested
                });
            }
        }
        for other in others {
            assert_ne!(other.signer(&signature).ok(), who, "{other:?}");
        }
    }
}
