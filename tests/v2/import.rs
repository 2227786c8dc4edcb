//! Taken over from a predecessor: images, and who acts for a patient.

use alloy_primitives::B256;
use alloy_sol_types::{SolCall, SolStruct, eip712_domain, sol};

use super::chain::{
    Chain, Event, IMAGE, IPcac, NOBODY, Refusal, SEAL, assert_refused, digest, wasm,
};

sol! {
    /// The part of version 1 that registers an image.
    interface V1 {
        function create_contract(bytes32 image, address patient, bytes32 seal, address radiologist, bytes attestation, string description) external returns (bool);
        function accredit_radiologist(address radiologist, bool accredited) external;
    }

    struct ImageAttestation { bytes32 image; address patient; bytes32 seal; }
}

/// Version 1 with the patient's image, and version 2 after it.
async fn after_version_1() -> Chain {
    let mut chain = Chain::deployed().await;
    let wasm_1 = pcim_deploy::artifact::V1_WASM;
    let arguments = [chain.consortium.address.into_word()];
    let old = chain.construct(wasm_1, &arguments).await.unwrap();
    let radiologist = chain.radiologist.address;
    let accredit = V1::accredit_radiologistCall {
        radiologist,
        accredited: true,
    };
    chain
        .mine(&chain.consortium, old, accredit.abi_encode())
        .await;
    let (image, patient, seal) = (IMAGE, chain.patient.address, SEAL);
    let domain = eip712_domain! {
        name: "Pcac", version: "1", chain_id: chain.devnet.chain_id(), verifying_contract: old,
    };
    let attestation = ImageAttestation {
        image,
        patient,
        seal,
    };
    let register = V1::create_contractCall {
        image,
        patient,
        seal,
        radiologist,
        attestation: chain
            .radiologist
            .sign(attestation.eip712_signing_hash(&domain)),
        description: String::new(),
    };
    let receipt = chain.mine(&chain.patient, old, register.abi_encode()).await;
    assert_eq!(receipt.status.unwrap().as_u64(), 1);
    chain.contract = chain.deploy(&wasm(), old).await;
    chain
}

fn import(image: B256) -> IPcac::import_imageCall {
    IPcac::import_imageCall { image }
}

#[tokio::test]
async fn an_image_of_version_1_is_imported_by_its_patient() {
    let chain = after_version_1().await;
    let view = IPcac::predecessorCall {};
    assert!(!chain.call(&chain.stranger, &view).await.unwrap().is_zero());
    let refused = chain.send(&chain.stranger, &import(IMAGE)).await;
    assert_refused!(refused, Refusal::PcacNotPatient(_));
    let refused = chain.send(&chain.patient, &import(digest(7))).await;
    assert_refused!(refused, Refusal::PcacUnknownImage(_));
    let done = chain.send(&chain.patient, &import(IMAGE)).await.unwrap();
    let [Event::ImageImported(imported)] = &done.events[..] else {
        panic!("{:?}", done.events);
    };
    assert_eq!((imported.flags, imported.tag), (0, 0));
    let record = IPcac::image_recordCall { image: IMAGE };
    let record = chain.call(&chain.stranger, &record).await.unwrap();
    assert_eq!(record.patient, chain.patient.address);
    assert_eq!(record.registeredAt, imported.registeredAt);
    let refused = chain.send(&chain.patient, &import(IMAGE)).await;
    assert_refused!(refused, Refusal::PcacImageTaken(_));
    let retract = IPcac::retract_imageCall {
        image: IMAGE,
        reason: 1,
    };
    let refused = chain.send(&chain.radiologist, &retract).await;
    assert_refused!(refused, Refusal::PcacNotAttester(_));
}

#[tokio::test]
async fn a_moved_account_stays_moved_in_the_next_contract() {
    let mut chain = after_version_1().await;
    chain.send(&chain.patient, &import(IMAGE)).await.unwrap();
    let accredit = chain.accreditation();
    chain.send(&chain.consortium, &accredit).await.unwrap();
    let withdraw = IPcac::withdraw_imageCall { image: IMAGE };
    chain.send(&chain.patient, &withdraw).await.unwrap();
    // The patient and the doctor each hand their account over.
    for who in [&chain.patient, &chain.doctor] {
        let patient = who.address;
        let moving = IPcac::move_accountCall {
            patient,
            round: 0,
            successor: chain.stranger.address,
        };
        chain.send(who, &moving).await.unwrap();
        let finish = IPcac::finish_changeCall { patient };
        chain.send(&chain.stranger, &finish).await.unwrap();
    }
    let pending = IPcac::move_accountCall {
        patient: chain.radiologist.address,
        round: 0,
        successor: chain.stranger.address,
    };
    chain.send(&chain.radiologist, &pending).await.unwrap();

    let first = chain.contract;
    chain.contract = chain.deploy(&wasm(), first).await;
    let accredit = chain.accreditation();
    chain.send(&chain.consortium, &accredit).await.unwrap();
    let patient = chain.patient.address;
    let account = IPcac::accountCall { patient };
    let seen = chain.call(&chain.doctor, &account).await.unwrap();
    assert_eq!(
        seen.acting, chain.stranger.address,
        "also before it settles"
    );

    let refused = chain.send(&chain.patient, &import(IMAGE)).await;
    assert_refused!(refused, Refusal::PcacNotPatient(it) if it.acting == chain.stranger.address);
    let guardians = IPcac::set_guardiansCall {
        patient,
        round: 0,
        commitment: Default::default(),
        delayHours: 0,
    };
    let refused = chain.send(&chain.patient, &guardians).await;
    assert_refused!(refused, Refusal::PcacNotPatient(_));
    let registration = chain.registration_by(digest(5), chain.doctor.address, &chain.radiologist);
    let refused = chain.send(&chain.doctor, &registration).await;
    assert_refused!(refused, Refusal::PcacNotPatient(_));
    let cancel = IPcac::cancel_changeCall {
        patient: chain.radiologist.address,
    };
    let refused = chain.send(&chain.radiologist, &cancel).await;
    assert_refused!(refused, Refusal::PcacPending(it) if it.kind == 2);

    let done = chain.send(&chain.stranger, &import(IMAGE)).await.unwrap();
    let [
        Event::AccountChanged(settled),
        Event::AccountMoved(moved),
        Event::ImageImported(imported),
        Event::Acted(acted),
    ] = &done.events[..]
    else {
        panic!("{:?}", done.events);
    };
    assert_eq!((settled.kind, settled.round), (9, 1));
    assert_eq!((moved.from, moved.to), (patient, chain.stranger.address));
    assert_eq!(imported.flags, 1, "withdrawn there, withdrawn here");
    assert_eq!(acted.by, chain.stranger.address);
    let account = IPcac::accountCall { patient };
    let seen = chain.call(&chain.doctor, &account).await.unwrap();
    assert_eq!((seen.acting, seen.round), (chain.stranger.address, 1));
}

#[tokio::test]
async fn what_does_not_answer_is_no_predecessor() {
    let chain = Chain::deployed().await;
    assert_eq!(chain.try_deploy(&wasm(), NOBODY).await, None);
    let refused = chain.send(&chain.patient, &import(IMAGE)).await;
    assert_refused!(refused, Refusal::PcacNoPredecessor(_));
}
