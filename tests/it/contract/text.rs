//! Bad arguments: zeros, long texts, dirty addresses, truncated calldata; and in which order they are found.

use alloy_primitives::{Address, B256};
use alloy_sol_types::SolCall;

use crate::chain::{Chain, IMAGE, IPcac, KEY, Refusal, Revert, SHARED, assert_refused, digest};

/// A call of every state-changing function that would pass, with the positions of its words that may not be zero.
fn calls(chain: &Chain) -> Vec<(&'static str, Vec<u8>, &'static [usize])> {
    let requestor = chain.doctor.address;
    vec![
        (
            "create_contract",
            chain.registration(digest(1)).abi_encode(),
            &[0, 1, 2, 3],
        ),
        (
            "requesting_access",
            chain.request().abi_encode(),
            &[0, 1, 2],
        ),
        ("approve_IRs", chain.approval(0).abi_encode(), &[0, 1, 2, 3]),
        ("deny_IRs", chain.denial().abi_encode(), &[0, 1]),
        (
            "trace_authorization",
            chain.trace().abi_encode(),
            &[0, 1, 2],
        ),
        ("remove_IRs", chain.removal().abi_encode(), &[0, 1]),
        (
            "reshare_IRs",
            IPcac::reshare_IRsCall {
                requester: requestor,
                image: IMAGE,
                sharedImage: SHARED,
                expiresAt: 0,
            }
            .abi_encode(),
            &[0, 1, 2],
        ),
        (
            "reseal_image",
            IPcac::reseal_imageCall {
                image: IMAGE,
                root: digest(1),
            }
            .abi_encode(),
            &[0, 1],
        ),
        (
            "set_approval_limit",
            IPcac::set_approval_limitCall {
                image: IMAGE,
                approvals: 1,
                windowSeconds: 1,
            }
            .abi_encode(),
            &[0],
        ),
        (
            "accredit_radiologist",
            IPcac::accredit_radiologistCall {
                radiologist: requestor,
                accredited: true,
            }
            .abi_encode(),
            &[0],
        ),
        (
            "transfer_consortium",
            IPcac::transfer_consortiumCall { to: requestor }.abi_encode(),
            &[0],
        ),
    ]
}

#[tokio::test]
async fn no_digest_or_address_is_zero() {
    let chain = Chain::with_request().await;
    for (function, data, positions) in calls(&chain) {
        for &position in positions {
            let mut data = data.clone();
            data[4 + 32 * position..][..32].fill(0);
            // From a stranger: the zero speaks before the caller does.
            let result = chain.call_raw(&chain.stranger, data).await;
            let Err(Revert::Typed(Refusal::PcacZero(e))) = result else {
                panic!("{function}, argument {position}: {result:?}")
            };
            assert_eq!(usize::from(e.argument), position, "{function}");
        }
    }
}

#[tokio::test]
async fn dirty_addresses_revert() {
    let chain = Chain::with_approval().await;
    let addresses: [(Vec<u8>, &[usize]); 7] = [
        (chain.registration(digest(1)).abi_encode(), &[1, 3]),
        (chain.request().abi_encode(), &[0]),
        (chain.approval(0).abi_encode(), &[0]),
        (chain.denial().abi_encode(), &[0]),
        (chain.trace().abi_encode(), &[0, 1]),
        (chain.removal().abi_encode(), &[0]),
        (
            IPcac::is_accreditedCall {
                radiologist: chain.radiologist.address,
            }
            .abi_encode(),
            &[0],
        ),
    ];
    for (data, positions) in addresses {
        for &position in positions {
            for dirty in [0, 11] {
                let mut data = data.clone();
                data[4 + 32 * position + dirty] = 1;
                let result = chain.call_raw(&chain.patient, data).await;
                assert!(
                    matches!(&result, Err(Revert::Raw(bytes)) if bytes.is_empty()),
                    "{result:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn truncated_calldata_reverts() {
    let chain = Chain::with_request().await;
    for (function, data, _) in calls(&chain) {
        for length in [4, 5, 4 + 31, data.len() - 32] {
            let result = chain
                .call_raw(&chain.patient, data[..length].to_vec())
                .await;
            assert!(
                matches!(&result, Err(Revert::Raw(bytes)) if bytes.is_empty()),
                "{function} cut to {length}: {result:?}"
            );
        }
    }
}

/// The contract's memory is addressed by 32 bits: an offset or a length must not come round to a small one.
#[tokio::test]
async fn offsets_and_lengths_do_not_wrap_around() {
    let chain = Chain::with_request().await;
    let calldata = chain.denial().abi_encode();
    chain
        .call_raw(&chain.patient, calldata.clone())
        .await
        .unwrap();
    // The reason's offset, and its length where that points to.
    for word in [2, 3] {
        for high in [1 << 31, 1 << 32, 1 << 40, 1 << 63] {
            let mut wrapped = calldata.clone();
            let low = wrapped[4 + 32 * word + 24..][..8].try_into().unwrap();
            let size = u64::from_be_bytes(low) + high;
            wrapped[4 + 32 * word + 24..][..8].copy_from_slice(&size.to_be_bytes());
            let result = chain.call_raw(&chain.patient, wrapped).await;
            assert!(
                matches!(&result, Err(Revert::Raw(bytes)) if bytes.is_empty()),
                "word {word} with {high} more: {result:?}"
            );
        }
    }
}

#[tokio::test]
async fn texts_have_at_most_256_bytes() {
    let chain = Chain::with_request().await;
    let (most, more) = ("ä".repeat(128), "x".repeat(257));
    let too_long = |result: Result<_, Revert>| {
        assert_refused!(result, Refusal::PcacTextTooLong(e) if e.length == alloy_primitives::U256::from(257) && e.max == alloy_primitives::U256::from(256));
    };
    let register = |text: &str| IPcac::create_contractCall {
        description: text.into(),
        ..chain.registration(digest(1))
    };
    too_long(
        chain
            .call_raw(&chain.stranger, register(&more).abi_encode())
            .await,
    );
    chain.send(&chain.patient, &register(&most)).await.unwrap();
    let request = |text: &str| IPcac::requesting_accessCall {
        notes: text.into(),
        ..chain.request()
    };
    too_long(
        chain
            .call_raw(&chain.patient, request(&more).abi_encode())
            .await,
    );
    chain.send(&chain.doctor, &request(&most)).await.unwrap();
    let deny = |text: &str| IPcac::deny_IRsCall {
        reason: text.into(),
        ..chain.denial()
    };
    too_long(
        chain
            .call_raw(&chain.stranger, deny(&more).abi_encode())
            .await,
    );
    chain.call(&chain.patient, &deny(&most)).await.unwrap();
    let approve = |text: &str| IPcac::approve_IRsCall {
        notes: text.into(),
        ..chain.approval(0)
    };
    too_long(
        chain
            .call_raw(&chain.stranger, approve(&more).abi_encode())
            .await,
    );
    chain.send(&chain.patient, &approve(&most)).await.unwrap();
}

#[tokio::test]
async fn an_unknown_image_speaks_before_the_caller() {
    let chain = Chain::with_request().await;
    let unknown = digest(77);
    for (function, mut data, _) in calls(&chain) {
        let position = match function {
            "create_contract" | "accredit_radiologist" | "transfer_consortium" => continue,
            "reseal_image" | "set_approval_limit" => 0,
            "trace_authorization" => 2,
            _ => 1,
        };
        data[4 + 32 * position..][..32].copy_from_slice(unknown.as_slice());
        let result = chain.call_raw(&chain.stranger, data).await;
        let Err(Revert::Typed(Refusal::PcacUnknownImage(e))) = result else {
            panic!("{function}: {result:?}")
        };
        assert_eq!(e.image, unknown, "{function}");
    }
}

#[tokio::test]
async fn views_of_the_unknown_are_empty() {
    let chain = Chain::start().await;
    let record = chain
        .call(&chain.stranger, &IPcac::image_recordCall { image: IMAGE })
        .await
        .unwrap();
    assert_eq!((record.patient, record.registeredAt), (Address::ZERO, 0));
    let grant = chain.grant().await;
    assert_eq!(
        (
            grant.status,
            grant.requestedAt,
            grant.decidedAt,
            grant.expiresAt
        ),
        (0, 0, 0, 0)
    );
    assert_eq!(grant.sharedImage, B256::ZERO);
    assert_ne!(grant.publicKey.as_slice(), &KEY[..16]);
}
