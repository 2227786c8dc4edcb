//! Registration: by the patient alone, with the attestation of an accredited radiologist.

use alloy_primitives::{Address, Bytes};
use ethers::types::H160;

use crate::chain::{Chain, Event, IMAGE, IPcac, Refusal, Revert, SEAL, assert_refused, digest};

#[tokio::test]
async fn only_the_patient_registers_and_only_once() {
    let chain = Chain::start().await;
    let call = chain.registration(IMAGE);
    assert_refused!(chain.send(&chain.stranger, &call).await,
        Refusal::PcacNotPatient(e) if e.caller == chain.stranger.address && e.patient == chain.patient.address);
    chain.send(&chain.patient, &call).await.unwrap();
    assert_refused!(chain.send(&chain.patient, &call).await,
        Refusal::PcacImageTaken(e) if e.image == IMAGE && e.owner == chain.patient.address);
    let theft = chain.registration_by(IMAGE, chain.stranger.address, &chain.radiologist);
    assert_refused!(chain.send(&chain.stranger, &theft).await,
        Refusal::PcacImageTaken(e) if e.owner == chain.patient.address);
}

#[tokio::test]
async fn an_attestation_binds_image_patient_seal_and_radiologist() {
    let chain = Chain::start().await;
    let good = chain.registration(IMAGE);
    let forgeries: Vec<(&str, Bytes)> = vec![
        (
            "another image",
            chain.attest(&chain.radiologist, digest(1), chain.patient.address, SEAL),
        ),
        (
            "another patient",
            chain.attest(&chain.radiologist, IMAGE, chain.stranger.address, SEAL),
        ),
        (
            "another seal",
            chain.attest(&chain.radiologist, IMAGE, chain.patient.address, digest(2)),
        ),
        (
            "another signer",
            chain.attest(&chain.stranger, IMAGE, chain.patient.address, SEAL),
        ),
        ("nothing", Bytes::new()),
        ("one byte short", good.attestation[..64].to_vec().into()),
        (
            "one byte long",
            [&good.attestation[..], &[0]].concat().into(),
        ),
        (
            "recovery id 29",
            [&good.attestation[..64], &[29]].concat().into(),
        ),
        ("the mirrored s", mirrored(&good.attestation)),
    ];
    for (what, attestation) in forgeries {
        let call = IPcac::create_contractCall {
            attestation,
            ..good.clone()
        };
        let result = chain.send(&chain.patient, &call).await;
        assert!(
            matches!(&result, Err(Revert::Typed(Refusal::PcacBadAttestation(e))) if e.radiologist == chain.radiologist.address),
            "{what}: {result:?}"
        );
    }
    chain.send(&chain.patient, &good).await.unwrap();
}

/// The other signature of the same digest: n − s, and the other recovery id.
fn mirrored(signature: &[u8]) -> Bytes {
    use alloy_primitives::{U256, uint};
    let n: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141_U256);
    let s = n - U256::from_be_slice(&signature[32..64]);
    let v = if signature[64] == 27 { 28 } else { 27 };
    [&signature[..32], &s.to_be_bytes::<32>(), &[v]]
        .concat()
        .into()
}

#[tokio::test]
async fn the_radiologist_must_be_accredited_when_the_image_is_registered() {
    let chain = Chain::start().await;
    let by_stranger = chain.registration_by(IMAGE, chain.patient.address, &chain.stranger);
    assert_refused!(chain.send(&chain.patient, &by_stranger).await,
        Refusal::PcacNotAccredited(e) if e.radiologist == chain.stranger.address);
    let withdraw = IPcac::accredit_radiologistCall {
        radiologist: chain.radiologist.address,
        accredited: false,
    };
    let done = chain.send(&chain.consortium, &withdraw).await.unwrap();
    let [Event::RadiologistAccredited(event)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!(
        (event.radiologist, event.accredited),
        (chain.radiologist.address, false)
    );
    assert_refused!(chain.send(&chain.patient, &chain.registration(IMAGE)).await,
        Refusal::PcacNotAccredited(e) if e.radiologist == chain.radiologist.address);
}

/// ERC-1271: an accredited contract account answers the magic value, nothing, another value, or reverts.
#[tokio::test]
async fn a_contract_account_attests_by_erc_1271() {
    let chain = Chain::start().await;
    let accounts = [
        ("the magic value", "631626ba7e60e01b5f5260205ff3", true),
        ("another value", "63deadbeef60e01b5f5260205ff3", false),
        (
            "the magic value and dirty bytes",
            "631626ba7e5f5260205ff3",
            false,
        ),
        ("four bytes only", "631626ba7e60e01b5f5260045ff3", false),
        ("nothing", "00", false),
        ("a revert", "5f5ffd", false),
    ];
    for (n, (what, runtime, accepted)) in (0u64..).zip(accounts) {
        let account = deploy_runtime(&chain, runtime).await;
        let accredit = IPcac::accredit_radiologistCall {
            radiologist: account,
            accredited: true,
        };
        chain.send(&chain.consortium, &accredit).await.unwrap();
        let call = IPcac::create_contractCall {
            radiologist: account,
            attestation: vec![7; 100].into(),
            ..chain.registration(digest(n))
        };
        match chain.send(&chain.patient, &call).await {
            Ok(done) => assert!(accepted && done.returned, "{what}"),
            Err(Revert::Typed(Refusal::PcacBadAttestation(e))) => {
                assert!(!accepted && e.radiologist == account, "{what}")
            }
            other => panic!("{what}: {other:?}"),
        }
    }
}

/// Deploys EVM runtime code, given in hex.
async fn deploy_runtime(chain: &Chain, runtime: &str) -> Address {
    let runtime = hex::decode(runtime).unwrap();
    let length = u8::try_from(runtime.len()).unwrap();
    // PUSH1 length, DUP1, PUSH1 9, PUSH0, CODECOPY, PUSH0, RETURN
    let init = [
        &[0x60, length, 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3],
        runtime.as_slice(),
    ]
    .concat();
    let receipt = chain.create(&chain.stranger, init).await;
    Address::from(receipt.contract_address.unwrap_or(H160::zero()).0)
}
