//! Gas of the five calls and of an account's, beside version 1's and the twin's.
//!
//! `cargo test --test v2 gas -- --nocapture` prints the table.

use alloy_primitives::{Address, B256, FixedBytes};
use alloy_sol_types::SolCall;

use super::chain::{Actor, Chain, IMAGE, IPcac, KEY, SEAL, SHARED, notes_digest};
use super::machine::twin;

/// Gas of a transaction that must succeed.
async fn gas(chain: &Chain, from: &Actor, to: Address, call: &impl SolCall) -> u64 {
    let receipt = chain.mine(from, to, call.abi_encode()).await;
    assert_eq!(receipt.status.unwrap().as_u64(), 1);
    receipt.gas_used.unwrap().as_u64()
}

/// The rows of the table, for one contract.
async fn rows(chain: &Chain, to: Address) -> Vec<(&'static str, u64)> {
    let (patient, doctor, stranger) = (&chain.patient, &chain.doctor, &chain.stranger);
    let mut rows = vec![];
    let mut registration = chain.registration(IMAGE);
    registration.attestation =
        chain.attest_for(to, &chain.radiologist, IMAGE, patient.address, SEAL);
    rows.push((
        "create_contract",
        gas(chain, patient, to, &registration).await,
    ));
    rows.push((
        "requesting_access",
        gas(chain, doctor, to, &chain.request()).await,
    ));
    let mut request = chain.now().await;
    let approval = |requested_at| IPcac::approve_IRsCall {
        publicKey: KEY,
        sharedImage: SHARED,
        notesDigest: notes_digest("TREAT"),
        ..chain.approval(requested_at, 0)
    };
    rows.push((
        "approve_IRs",
        gas(chain, patient, to, &approval(request)).await,
    ));
    let decided = chain.now().await;
    rows.push((
        "trace_authorization",
        gas(chain, doctor, to, &chain.trace()).await,
    ));
    chain.later(10).await;
    let reshare = IPcac::reshare_IRsCall {
        requester: doctor.address,
        image: IMAGE,
        decidedAt: decided,
        sharedImage: KEY,
        expiresAt: 0,
    };
    rows.push(("reshare_IRs", gas(chain, patient, to, &reshare).await));
    rows.push((
        "remove_IRs",
        gas(chain, patient, to, &chain.removal()).await,
    ));
    chain.later(10).await;
    gas(chain, doctor, to, &chain.request()).await;
    rows.push(("deny_IRs", gas(chain, patient, to, &chain.denial()).await));

    let image = IMAGE;
    let account = patient.address;
    let reseal = IPcac::reseal_imageCall {
        image,
        root: SHARED,
        emergency: B256::ZERO,
        round: 0,
    };
    rows.push(("reseal_image", gas(chain, patient, to, &reseal).await));
    let limit = IPcac::set_approval_limitCall {
        image,
        approvals: 3,
        windowSeconds: 60,
        round: 1,
    };
    rows.push(("set_approval_limit", gas(chain, patient, to, &limit).await));
    let withdraw = IPcac::withdraw_imageCall { image };
    rows.push(("withdraw_image", gas(chain, patient, to, &withdraw).await));
    let restore = IPcac::restore_imageCall { image, round: 3 };
    rows.push(("restore_image", gas(chain, patient, to, &restore).await));
    let guardians = IPcac::set_guardiansCall {
        patient: account,
        round: 0,
        commitment: FixedBytes::repeat_byte(7),
        delayHours: 72,
    };
    rows.push(("set_guardians", gas(chain, patient, to, &guardians).await));
    let desk = IPcac::set_emergencyCall {
        patient: account,
        round: 1,
        desk: stranger.address,
        maxHours: 24,
    };
    rows.push(("set_emergency", gas(chain, patient, to, &desk).await));
    chain.later(72 * 3_600).await;
    let finish = IPcac::finish_changeCall { patient: account };
    rows.push((
        "finish_change (desk)",
        gas(chain, stranger, to, &finish).await,
    ));
    chain.later(10).await;
    gas(chain, doctor, to, &chain.request()).await;
    request = chain.now().await;
    let glass = IPcac::break_glassCall {
        requester: doctor.address,
        image,
        publicKey: KEY,
        requestedAt: request,
        until: request + 3_600,
        reasonCode: KEY,
    };
    rows.push(("break_glass", gas(chain, stranger, to, &glass).await));
    let delegate = IPcac::set_delegateCall {
        patient: account,
        round: 3,
        delegate: stranger.address,
        until: request + 1_000_000,
    };
    rows.push(("set_delegate", gas(chain, patient, to, &delegate).await));
    let moving = IPcac::move_accountCall {
        patient: account,
        round: 4,
        successor: stranger.address,
    };
    rows.push(("move_account", gas(chain, patient, to, &moving).await));
    chain.later(72 * 3_600).await;
    rows.push((
        "finish_change (move)",
        gas(chain, stranger, to, &finish).await,
    ));
    let retract = IPcac::retract_imageCall { image, reason: 1 };
    rows.push((
        "retract_image",
        gas(chain, &chain.radiologist, to, &retract).await,
    ));
    rows
}

/// The most gas that the five calls and a denial may take with the program cached.
const MOST: [(&str, u64); 6] = [
    ("create_contract", 60_000),
    ("requesting_access", 51_500),
    ("approve_IRs", 61_500),
    ("trace_authorization", 30_000),
    ("remove_IRs", 37_300),
    ("deny_IRs", 37_300),
];

#[tokio::test]
async fn gas_of_each_call() {
    let chain = Chain::start().await;
    chain.cache().await;
    let ours = rows(&chain, chain.contract).await;
    let theirs = match twin(&chain).await {
        Some(twin) => {
            let accredit = chain.accreditation();
            gas(&chain, &chain.consortium, twin, &accredit).await;
            rows(&chain, twin).await
        }
        None => vec![],
    };
    println!("{:<24}{:>10}{:>10}", "", "WASM", "Solidity");
    for (n, (name, gas)) in ours.iter().enumerate() {
        let twin = theirs.get(n).map_or(String::new(), |row| row.1.to_string());
        println!("{name:<24}{gas:>10}{twin:>10}");
    }
    for (name, most) in MOST {
        let (_, gas) = ours.iter().find(|row| row.0 == name).unwrap();
        assert!(*gas <= most, "{name}: {gas}, at most {most}");
    }
}
