//! The most that a call can cost: the figures of `docs/measurements/gas.md`, each met by the dearest call that there is.

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes};
use alloy_sol_types::SolCall;
use serde_json::json;

use crate::chain::{Actor, Chain, IMAGE, IPcac, IPcac::IPcacCalls as Function, KEY, SHARED};

/// Gas that each function takes at most, the program not cached and before refunds, beyond 21,000 for the
/// transaction, its calldata, and [`COPYING`].
pub(super) const WORST: [(&str, u64); 19] = [
    ("create_contract", 50_000),
    ("requesting_access", 44_000),
    ("approve_IRs", 74_000),
    ("deny_IRs", 29_000),
    ("remove_IRs", 33_000),
    ("trace_authorization", 25_000),
    ("reshare_IRs", 30_000),
    ("reseal_image", 21_500),
    ("set_approval_limit", 27_500),
    ("accredit_radiologist", 41_500),
    ("transfer_consortium", 21_500),
    ("is_authorized", 22_000),
    ("image_record", 20_000),
    ("grant", 22_000),
    ("consortium", 20_000),
    ("is_accredited", 20_000),
    ("nonces", 20_000),
    ("version", 18_000),
    ("eip712Domain", 18_000),
];

/// What a call takes that ends before it has read anything, or is none of those.
const NOTHING: u64 = 18_000;

/// What a relay takes beyond the call that is relayed.
pub(super) const RELAY: u64 = 30_000;

/// Gas for a byte of calldata, beyond what the transaction pays for it: it is read, hashed, and logged as text.
pub(super) const COPYING: u64 = 1;

/// Gas of a transaction before the contract runs.
pub(super) fn intrinsic(data: &[u8]) -> u64 {
    let zeros = data.iter().filter(|byte| **byte == 0).count() as u64;
    21_000 + 4 * zeros + 16 * (data.len() as u64 - zeros)
}

fn of(selector: [u8; 4]) -> u64 {
    let name = Function::name_by_selector(selector);
    let row = WORST.iter().find(|(row, _)| Some(*row) == name);
    row.map_or(NOTHING, |(_, gas)| *gas)
}

/// The gas with which a call never runs out of it, whatever is in its calldata. (A contract account's own work aside.)
pub(super) fn worst(data: &[u8]) -> u64 {
    let selector = data.first_chunk().copied().unwrap_or_default();
    let dearest = WORST.iter().map(|(_, gas)| *gas).max().unwrap_or_default();
    let own = match selector {
        IPcac::relayCall::SELECTOR => RELAY + dearest,
        // Elements may lie over each other: there are as many calls as the array says, if their offsets fit.
        IPcac::multicallCall::SELECTOR => NOTHING + elements(&data[4..]) * dearest,
        selector => of(selector),
    };
    intrinsic(data) + own + COPYING * data.len() as u64
}

/// How many elements the array has that the first argument is, if it has them.
fn elements(args: &[u8]) -> u64 {
    let size = |at: usize| {
        let word = args.get(at..)?.first_chunk::<32>()?;
        let (high, low) = word.split_at(24);
        let size = u64::from_be_bytes(low.try_into().ok()?);
        (high == [0; 24]).then_some(size)
    };
    let count = size(0).and_then(|at| size(usize::try_from(at).ok()?));
    count.unwrap_or_default().min(args.len() as u64 / 32)
}

/// Finds by trying how much gas a call needs, and mines it: the gas beyond the transaction's own, calldata and copying.
async fn spend(chain: &Chain, who: &Actor, data: Vec<u8>) -> u64 {
    let most = worst(&data);
    let selector = data.first_chunk().copied().unwrap();
    let name = Function::name_by_selector(selector).unwrap();
    let enough = async |gas: u64| {
        let tx = json!({
            "from": who.address.to_string(),
            "to": chain.contract.to_string(),
            "data": Bytes::copy_from_slice(&data).to_string(),
            "gas": format!("{gas:#x}"),
        });
        let answer: Result<String, _> = chain.provider.request("eth_call", (tx, "latest")).await;
        answer.is_ok()
    };
    assert!(enough(most).await, "{name} needs more than {most}");
    let (mut less, mut needed) = (0, most);
    while less + 1 < needed {
        let gas = (less + needed) / 2;
        if enough(gas).await {
            needed = gas;
        } else {
            less = gas;
        }
    }
    let own = needed.saturating_sub(intrinsic(&data) + COPYING * data.len() as u64);
    println!("{name:<24} {needed:>8} of {most:>8}, its own {own:>6}");
    let receipt = chain.send_raw(who, data).await;
    assert_eq!(receipt.status.unwrap().as_u64(), 1, "{name}");
    own
}

/// An account that takes everything for its signature (ERC-1271), as cheaply as can be.
async fn credulous(chain: &Chain) -> Address {
    let init = "6f631626ba7e60e01b60005260206000f360005260106010f3";
    let init = hex::decode(init).unwrap();
    let receipt = chain.create(&chain.stranger, init).await;
    receipt.contract_address.unwrap().0.into()
}

#[tokio::test]
async fn each_functions_dearest_call_stays_below_its_worst_case() {
    let chain = Chain::start().await;
    let (patient, doctor, consortium) = (&chain.patient, &chain.doctor, &chain.consortium);
    let text = "x".repeat(256);
    // A radiologist whose attestation is tried by ecrecover, in vain, and then by ERC-1271.
    let radiologist = credulous(&chain).await;
    let accredit = |radiologist| IPcac::accredit_radiologistCall {
        radiologist,
        accredited: true,
    };
    let register = |image, attestation: Vec<u8>| IPcac::create_contractCall {
        image,
        radiologist,
        attestation: attestation.into(),
        description: text.clone(),
        ..chain.registration(image)
    };
    let recoverable = [&[1; 64][..], &[27]].concat();
    let limit = |approvals| IPcac::set_approval_limitCall {
        image: IMAGE,
        approvals,
        windowSeconds: u32::MAX,
    };
    let request = IPcac::requesting_accessCall {
        notes: text.clone(),
        ..chain.request()
    };
    let approval = |expires_at| IPcac::approve_IRsCall {
        notes: text.clone(),
        ..chain.approval(expires_at)
    };
    let (soon, late) = (chain.now().await + 1_000, (1 << 40) - 1);
    let reshare = |expires_at| IPcac::reshare_IRsCall {
        requester: doctor.address,
        image: IMAGE,
        sharedImage: KEY,
        expiresAt: expires_at,
    };
    let denial = IPcac::deny_IRsCall {
        reason: text.clone(),
        ..chain.denial()
    };
    let root = IPcac::reseal_imageCall {
        image: IMAGE,
        root: SHARED,
    };
    let calls = [
        (consortium, accredit(radiologist).abi_encode()),
        (patient, register(IMAGE, recoverable.clone()).abi_encode()),
        (patient, register(KEY, vec![1; 2_048]).abi_encode()),
        (patient, limit((1 << 24) - 1).abi_encode()),
        (doctor, request.abi_encode()),
        (patient, approval(late).abi_encode()),
        (doctor, chain.trace().abi_encode()),
        (patient, reshare(soon).abi_encode()),
        (patient, limit(1).abi_encode()),
        (patient, chain.removal().abi_encode()),
        (doctor, chain.trace().abi_encode()),
        (doctor, request.abi_encode()),
        (patient, denial.abi_encode()),
        (doctor, request.abi_encode()),
        (patient, approval(soon).abi_encode()),
        (patient, root.abi_encode()),
        (
            consortium,
            IPcac::transfer_consortiumCall {
                to: consortium.address,
            }
            .abi_encode(),
        ),
    ];
    let mut dearest = BTreeMap::new();
    for (who, data) in calls {
        let name = Function::name_by_selector(*data.first_chunk().unwrap()).unwrap();
        let own = spend(&chain, who, data).await;
        let most = dearest.entry(name).or_insert(own);
        *most = own.max(*most);
    }
    for (name, own) in dearest {
        let (_, most) = WORST.iter().find(|(row, _)| *row == name).unwrap();
        assert!(most - own < 3_000, "{name} takes {own}, far from {most}");
    }
    // What has expired is asked for anew: two slots change.
    chain.later(2_000).await;
    spend(&chain, doctor, request.abi_encode()).await;
}

#[tokio::test]
async fn relays_batches_and_views_stay_below_their_worst_case() {
    let chain = Chain::start().await;
    let account = credulous(&chain).await;
    let accredit = IPcac::accredit_radiologistCall {
        radiologist: account,
        accredited: true,
    };
    chain.send(&chain.consortium, &accredit).await.unwrap();
    let (text, signature) = ("x".repeat(256), Bytes::from(vec![1; 2_048]));
    let register = IPcac::create_contractCall {
        patient: account,
        radiologist: account,
        attestation: signature.clone(),
        description: text.clone(),
        ..chain.registration(IMAGE)
    };
    let limit = IPcac::set_approval_limitCall {
        image: IMAGE,
        approvals: 9,
        windowSeconds: 9,
    };
    let request = IPcac::requesting_accessCall {
        patient: account,
        notes: text.clone(),
        ..chain.request()
    };
    let approve = IPcac::approve_IRsCall {
        notes: text,
        ..chain.approval((1 << 40) - 1)
    };
    let relay = |signer, nonce, call: Vec<u8>| IPcac::relayCall {
        signer,
        nonce,
        deadline: u64::MAX,
        call: call.into(),
        signature: signature.clone(),
    };
    for (nonce, call) in [register.abi_encode(), limit.abi_encode()]
        .into_iter()
        .enumerate()
    {
        let data = relay(account, nonce as u64, call).abi_encode();
        spend(&chain, &chain.stranger, data).await;
    }
    chain.send(&chain.doctor, &request).await.unwrap();
    let data = relay(account, 2, approve.abi_encode()).abi_encode();
    spend(&chain, &chain.stranger, data).await;

    // As many registrations and requests as can be, in one.
    let registrations = (1..=20).map(|n| {
        let image = crate::chain::digest(n);
        let call = IPcac::create_contractCall {
            radiologist: account,
            attestation: signature.clone(),
            description: "x".repeat(256),
            ..chain.registration(image)
        };
        Bytes::from(call.abi_encode())
    });
    let batch = IPcac::multicallCall {
        calls: registrations.collect(),
    };
    spend(&chain, &chain.patient, batch.abi_encode()).await;

    let (patient, requestor, image) = (account, chain.doctor.address, IMAGE);
    for view in [
        IPcac::is_authorizedCall {
            patient,
            requester: requestor,
            image,
        }
        .abi_encode(),
        IPcac::image_recordCall { image }.abi_encode(),
        IPcac::grantCall {
            image,
            requester: requestor,
        }
        .abi_encode(),
        IPcac::consortiumCall {}.abi_encode(),
        IPcac::is_accreditedCall {
            radiologist: account,
        }
        .abi_encode(),
        IPcac::noncesCall { signer: account }.abi_encode(),
        IPcac::versionCall {}.abi_encode(),
        IPcac::eip712DomainCall {}.abi_encode(),
    ] {
        spend(&chain, &chain.stranger, view).await;
    }
}

/// The page's table is this file's.
#[test]
fn the_worst_cases_are_those_of_the_page() {
    let page = include_str!("../../../docs/measurements/gas.md");
    let grouped = |gas: u64| format!("{},{:03}", gas / 1_000, gas % 1_000);
    for (name, gas) in WORST.into_iter().chain([("relay", RELAY)]) {
        let row = format!("| `{name}` | {} |", grouped(gas));
        assert!(page.contains(&row), "no row {row}");
    }
}
