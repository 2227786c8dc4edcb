//! Broken calldata: whatever it is, the contract answers, refuses by name, or reverts with nothing, within the worst
//! case of what is called.
//!
//! `PCAC_FUZZ_CALLS` (2,000 unless set) and `PCAC_MODEL_SEED` say how many calls and which.

use std::time::Instant;

use alloy_primitives::{Bytes, U256, hex};
use alloy_sol_types::{SolCall, SolInterface};

use super::machine::{Random, setting};
use super::worst::worst;
use crate::chain::{Chain, IMAGE, IPcac, IPcac::IPcacCalls as Function, Refusal, SEAL, SHARED};

fn seeds(chain: &Chain) -> Vec<Vec<u8>> {
    let (requestor, patient) = (chain.doctor.address, chain.patient.address);
    let image = IMAGE;
    let mut seeds = vec![
        chain.registration(SEAL).abi_encode(),
        chain.request().abi_encode(),
        chain.approval(0).abi_encode(),
        chain.denial().abi_encode(),
        chain.trace().abi_encode(),
        chain.removal().abi_encode(),
        IPcac::set_approval_limitCall {
            image,
            approvals: 1,
            windowSeconds: 1,
        }
        .abi_encode(),
        IPcac::reseal_imageCall {
            image,
            root: SHARED,
        }
        .abi_encode(),
        IPcac::is_authorizedCall {
            patient,
            requester: requestor,
            image,
        }
        .abi_encode(),
        IPcac::reshare_IRsCall {
            requester: requestor,
            image,
            sharedImage: SHARED,
            expiresAt: 0,
        }
        .abi_encode(),
        IPcac::accredit_radiologistCall {
            radiologist: requestor,
            accredited: true,
        }
        .abi_encode(),
        IPcac::transfer_consortiumCall { to: patient }.abi_encode(),
        IPcac::grantCall {
            image,
            requester: requestor,
        }
        .abi_encode(),
        IPcac::image_recordCall { image }.abi_encode(),
        IPcac::is_accreditedCall {
            radiologist: requestor,
        }
        .abi_encode(),
        IPcac::noncesCall { signer: requestor }.abi_encode(),
        IPcac::consortiumCall {}.abi_encode(),
        IPcac::versionCall {}.abi_encode(),
        IPcac::eip712DomainCall {}.abi_encode(),
    ];
    let relay = |call: &[u8]| IPcac::relayCall {
        signer: requestor,
        nonce: 0,
        deadline: u64::MAX,
        call: call.to_vec().into(),
        signature: vec![27; 65].into(),
    };
    let calls = seeds.iter().cloned().map(Bytes::from).collect();
    let batch = IPcac::multicallCall { calls }.abi_encode();
    let relays: Vec<_> = seeds.iter().map(|call| relay(call).abi_encode()).collect();
    seeds.extend(relays);
    seeds.extend([batch.clone(), batch.clone(), batch]);
    seeds
}

/// Lengths, offsets and values at which decoders break.
const ODD: [u64; 10] = [
    0,
    1,
    31,
    32,
    33,
    257,
    (1 << 31) - 1,
    1 << 31,
    1 << 32,
    u64::MAX,
];

fn broken(random: &mut Random, mut data: Vec<u8>) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        let len = data.len() as u64;
        match random.below(6) {
            0 if len > 0 => data[random.below(len) as usize] ^= 1 << random.below(8),
            1 => data.truncate(random.below(len + 1) as usize),
            2 => data.extend((0..random.below(70)).map(|n| n as u8)),
            // A whole word becomes another.
            _ if len >= 36 => {
                let at = 4 + 32 * random.below((len - 4) / 32) as usize;
                let word = match random.below(12) {
                    10 => U256::MAX,
                    11 => U256::from(1) << 160,
                    n => U256::from(ODD[n as usize]),
                };
                data[at..at + 32].copy_from_slice(&word.to_be_bytes::<32>());
            }
            _ => {}
        }
    }
    data
}

#[tokio::test]
async fn broken_calldata_is_answered_or_refused() {
    let chain = Chain::with_request().await;
    let mut random = Random(setting("PCAC_MODEL_SEED", 1));
    let seeds = seeds(&chain);
    let actors = [
        &chain.patient,
        &chain.doctor,
        &chain.stranger,
        &chain.consortium,
    ];
    let senders = actors.map(|actor| actor.address);
    let started = Instant::now();
    let (mut answered, mut named, mut silent) = (0, 0, 0);
    let calls = setting("PCAC_FUZZ_CALLS", 2_000);
    for _ in 0..calls {
        let seed = random.of(&seeds).clone();
        let data = broken(&mut random, seed);
        let tx = serde_json::json!({
            "from": random.of(&senders).to_string(),
            "to": chain.contract.to_string(),
            "data": hex::encode_prefixed(&data),
            "gas": format!("{:#x}", worst(&data)),
        });
        let answer: Result<String, _> = chain.provider.request("eth_call", (tx, "latest")).await;
        match answer {
            Ok(_) => {
                answered += 1;
                let selector = data.first_chunk().copied().unwrap_or_default();
                assert!(Function::valid_selector(selector), "{}", hex::encode(&data));
            }
            Err(error) => {
                use ethers::providers::RpcError;
                let response = error.as_error_response().unwrap();
                // 3 is a revert; out of gas is another code.
                assert_eq!(response.code, 3, "{response}: {}", hex::encode(&data));
                let text = response.data.as_ref().and_then(|data| data.as_str());
                let revert: Bytes = text.unwrap_or("0x").parse().unwrap();
                if revert.is_empty() {
                    silent += 1;
                } else {
                    named += 1;
                    Refusal::abi_decode_validate(&revert).unwrap();
                }
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{calls} calls in {seconds:.1} s: {answered} answered, {named} refused by name, {silent} reverted with no data"
    );
    assert!(answered > 0 && named > 0 && silent > 0);
}
