//! Signed calls and batches on a chain, with real keys.

use alloy_primitives::{B256, Bytes, U256};
use alloy_sol_types::SolCall;
use ethers::types::H160;

use super::signed::{FAULTS, digest as signing_digest, message, wrong};
use crate::chain::{
    Actor, Chain, Event, IMAGE, IPcac, IPcac::IPcacCalls as Function, KEY, Refusal, assert_refused,
    digest,
};

fn relayed(
    chain: &Chain,
    signer: &Actor,
    nonce: u64,
    deadline: u64,
    function: &Function,
    call: Vec<u8>,
) -> IPcac::relayCall {
    let message = message(function, signer.address, nonce, deadline);
    let id = chain.devnet.chain_id();
    IPcac::relayCall {
        signer: signer.address,
        nonce,
        deadline,
        call: call.into(),
        signature: signer.sign(signing_digest(id, chain.contract, message)),
    }
}

#[tokio::test]
async fn a_patient_without_ether_registers_and_approves() {
    let chain = Chain::start().await;
    let empty = ("anvil_setBalance", H160(chain.patient.address.into()));
    let _: serde_json::Value = chain
        .provider
        .request(empty.0, (empty.1, "0x0"))
        .await
        .unwrap();
    let deadline = chain.now().await + 3_600;
    let registration = chain.registration(IMAGE);
    let relay = relayed(
        &chain,
        &chain.patient,
        0,
        deadline,
        &Function::create_contract(registration.clone()),
        registration.abi_encode(),
    );
    let done = chain.send(&chain.stranger, &relay).await.unwrap();
    assert_eq!(done.returned, B256::with_last_byte(1).to_vec());
    let [Event::ContractCreated(event)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!(event.patient, chain.patient.address);

    chain.send(&chain.doctor, &chain.request()).await.unwrap();
    let approval = chain.approval(0);
    let relay = relayed(
        &chain,
        &chain.patient,
        1,
        deadline,
        &Function::approve_IRs(approval.clone()),
        approval.abi_encode(),
    );
    chain.send(&chain.stranger, &relay).await.unwrap();
    assert!(chain.authorized().await);
    // Once is once.
    assert_refused!(chain.send(&chain.stranger, &relay).await,
        Refusal::PcacBadNonce(e) if e.signer == chain.patient.address && (e.nonce, e.next) == (1, 2));
    let nonces = IPcac::noncesCall {
        signer: chain.patient.address,
    };
    assert_eq!(chain.call(&chain.stranger, &nonces).await.unwrap(), 2);
}

#[tokio::test]
async fn wrong_signatures_are_refused() {
    let chain = Chain::with_image().await;
    let deadline = chain.now().await + 3_600;
    let (function, call) = (
        Function::requesting_access(chain.request()),
        chain.request().abi_encode(),
    );
    let relay = relayed(&chain, &chain.doctor, 0, deadline, &function, call);
    for fault in 0..FAULTS {
        let message = message(&function, chain.doctor.address, 0, deadline);
        let relay = IPcac::relayCall {
            signature: wrong(&chain, chain.contract, &chain.doctor, message, fault),
            ..relay.clone()
        };
        assert_refused!(chain.send(&chain.stranger, &relay).await,
            Refusal::PcacBadSignature(e) if e.signer == chain.doctor.address);
    }
    // What was signed is what is done, and by whom, and until when.
    let other = IPcac::requesting_accessCall {
        publicKey: digest(1),
        ..chain.request()
    };
    for changed in [
        IPcac::relayCall {
            call: other.abi_encode().into(),
            ..relay.clone()
        },
        IPcac::relayCall {
            signer: chain.stranger.address,
            ..relay.clone()
        },
        IPcac::relayCall {
            deadline: deadline + 1,
            ..relay.clone()
        },
    ] {
        assert_refused!(
            chain.send(&chain.stranger, &changed).await,
            Refusal::PcacBadSignature(_)
        );
    }
    chain.later(3_601).await;
    assert_refused!(chain.send(&chain.stranger, &relay).await,
        Refusal::PcacExpired(e) if e.deadline == deadline && e.now > deadline);
}

#[tokio::test]
async fn a_contract_account_signs_by_erc_1271() {
    let chain = Chain::with_image().await;
    // Answers every call with the magic word, whatever was signed.
    let init = "6f631626ba7e60e01b60005260206000f360005260106010f3";
    let receipt = chain
        .create(&chain.stranger, hex::decode(init).unwrap())
        .await;
    let account: alloy_primitives::Address = receipt.contract_address.unwrap().0.into();
    let relay = IPcac::relayCall {
        signer: account,
        nonce: 0,
        deadline: u64::MAX,
        call: chain.request().abi_encode().into(),
        signature: Bytes::from(vec![1, 2, 3]),
    };
    let done = chain.send(&chain.stranger, &relay).await.unwrap();
    let [Event::RequestedForApproval(event)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!((event.requester, event.publicKey), (account, KEY));
    let long = IPcac::relayCall {
        nonce: 1,
        signature: vec![0; 2_049].into(),
        ..relay
    };
    assert_refused!(
        chain.send(&chain.stranger, &long).await,
        Refusal::PcacBadSignature(_)
    );
}

#[tokio::test]
async fn many_requestors_are_approved_at_once_or_none_is() {
    let chain = Chain::with_image().await;
    let requestors = [4, 5, 6, 7].map(|n| chain.actor(n));
    let mut calls = Vec::new();
    for requestor in &requestors {
        chain.send(requestor, &chain.request()).await.unwrap();
        let approval = IPcac::approve_IRsCall {
            requester: requestor.address,
            ..chain.approval(0)
        };
        calls.push(Bytes::from(approval.abi_encode()));
    }
    let batch = IPcac::multicallCall {
        calls: calls.clone(),
    };
    let mut broken = batch.clone();
    let unknown = IPcac::reseal_imageCall {
        image: digest(9),
        root: digest(9),
    };
    broken.calls.push(unknown.abi_encode().into());
    assert_refused!(chain.send(&chain.patient, &broken).await, Refusal::PcacUnknownImage(e) if e.image == digest(9));
    assert!(!chain.authorized().await);
    let done = chain.send(&chain.patient, &batch).await.unwrap();
    assert_eq!(done.returned.len(), 4);
    assert_eq!(done.events.len(), 8);
    for answer in &done.returned {
        assert_eq!(U256::from_be_slice(answer), U256::from(1));
    }
    assert!(chain.authorized().await);
    for nested in [
        batch.abi_encode(),
        relayed(
            &chain,
            &chain.doctor,
            0,
            u64::MAX,
            &Function::requesting_access(chain.request()),
            chain.request().abi_encode(),
        )
        .abi_encode(),
    ] {
        let selector = nested[..4].to_vec();
        let batch = IPcac::multicallCall {
            calls: vec![nested.into()],
        };
        assert_refused!(chain.send(&chain.patient, &batch).await, Refusal::PcacNested(e) if e.selector == selector[..]);
    }
}
