//! Broken calldata in states that random calls make: whatever it is, the contract answers, refuses by name, or reverts with nothing,
//! within the worst case of what is called.
//!
//! `PCAC_FUZZ_CALLS` (2,000 unless set) and `PCAC_MODEL_SEED` say how many calls and which.

use std::collections::BTreeSet;
use std::time::Instant;

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, SolInterface};
use serde_json::json;

use super::chain::{Actor, Chain, IPcac, IPcac::IPcacCalls as Function, Refusal, digest};
use super::machine::{Maker, PEOPLE, calldata, sets};
use super::model::{Call, Model};
use super::random::{Random, setting};
use super::worst::worst;

/// Calls of the walk, each of which is broken so often in the state before it.
const TIMES: u64 = 4;

/// Lengths, offsets and values at which decoders break. (As an address, 11 to 17 is a precompile, which takes all gas when it is
/// asked about a signature: a signer's own work.)
const ODD: [u64; 10] = [0, 1, 31, 32, 33, 257, 8_193, 1 << 31, 1 << 32, u64::MAX];

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

/// A view, which the walk does not call.
fn view(random: &mut Random, people: &[Actor]) -> Vec<u8> {
    let [patient, requester] = [0, 1].map(|_| random.of(people).address);
    let image = digest(1_000 + random.below(3));
    match random.below(12) {
        0 => IPcac::is_authorizedCall {
            patient,
            requester,
            image,
        }
        .abi_encode(),
        1 => IPcac::image_recordCall { image }.abi_encode(),
        2 => IPcac::grantCall { image, requester }.abi_encode(),
        3 => IPcac::accountCall { patient }.abi_encode(),
        4 => IPcac::delegateCall {
            patient,
            who: requester,
        }
        .abi_encode(),
        5 => IPcac::emergencyCall { patient }.abi_encode(),
        6 => IPcac::consortiumCall {}.abi_encode(),
        7 => IPcac::predecessorCall {}.abi_encode(),
        8 => IPcac::is_accreditedCall {
            radiologist: patient,
        }
        .abi_encode(),
        9 => IPcac::accreditationCall {
            radiologist: patient,
        }
        .abi_encode(),
        10 => IPcac::noncesCall {
            signer: patient,
            word: U256::ZERO,
        }
        .abi_encode(),
        11 => IPcac::versionCall {}.abi_encode(),
        _ => IPcac::eip712DomainCall {}.abi_encode(),
    }
}

/// How often each kind of outcome came.
#[derive(Default)]
struct Outcomes {
    answered: u64,
    named: BTreeSet<&'static str>,
    refused: u64,
    silent: u64,
}

impl Outcomes {
    /// Calls with just the gas of the worst case, and checks the outcome.
    async fn call(&mut self, chain: &Chain, from: Address, data: &[u8]) {
        let tx = json!({
            "from": from.to_string(),
            "to": chain.contract.to_string(),
            "data": format!("0x{}", hex::encode(data)),
            "gas": format!("{:#x}", worst(data)),
        });
        let answer: Result<String, _> = chain.provider.request("eth_call", (tx, "latest")).await;
        let Err(error) = answer else {
            self.answered += 1;
            let selector = data.first_chunk().copied().unwrap_or_default();
            assert!(Function::valid_selector(selector), "{}", hex::encode(data));
            return;
        };
        use ethers::providers::RpcError;
        let response = error.as_error_response().unwrap();
        // 3 is a revert; out of gas is another code.
        assert_eq!(response.code, 3, "{response}: {}", hex::encode(data));
        let text = response.data.as_ref().and_then(|data| data.as_str());
        let revert: Bytes = text.unwrap_or("0x").parse().unwrap();
        if revert.is_empty() {
            self.silent += 1;
            return;
        }
        let refusal = Refusal::abi_decode_validate(&revert).unwrap();
        self.named
            .insert(Refusal::name_by_selector(refusal.selector()).unwrap());
        self.refused += 1;
    }
}

#[tokio::test]
async fn broken_calldata_is_answered_or_refused() {
    let chain = Chain::deployed().await;
    let people: Vec<Actor> = (1..=PEOPLE).map(|n| chain.actor(n)).collect();
    let mut model = Model {
        consortium: chain.consortium.address,
        ..Model::default()
    };
    let seed = setting("PCAC_MODEL_SEED", 1);
    let mut maker = Maker {
        random: Random(seed),
        people: &people,
        epoch: 0,
        sets: sets(&people),
    };
    // The walk is the same whatever is broken beside it.
    let mut random = Random(!seed);
    let (started, calls) = (Instant::now(), setting("PCAC_FUZZ_CALLS", 2_000));
    let (mut outcomes, mut functions) = (Outcomes::default(), BTreeSet::new());
    let mut now = chain.now().await + 1_000;
    for n in 0..calls / TIMES {
        now += [0, 1, 10, 100_000][n as usize % 4];
        let (sender, call) = maker.call(&model, now);
        let data = calldata(&chain, &people, chain.contract, &call, n as u8);
        for _ in 1..TIMES {
            let whole = data.clone();
            let from = random.of(&people).address;
            let data = broken(&mut random, whole);
            outcomes.call(&chain, from, &data).await;
        }
        let whole = view(&mut random, &people);
        let data_of_view = broken(&mut random, whole);
        outcomes.call(&chain, sender.address, &data_of_view).await;
        functions.insert(match &call {
            Call::Plain(act) => act.function.selector(),
            Call::Batch(_) => IPcac::multicallCall::SELECTOR,
            Call::Relayed { .. } => IPcac::relayCall::SELECTOR,
        });
        if model.call(sender.address, now, &call).is_ok() {
            let at: Result<serde_json::Value, _> = chain
                .provider
                .request("evm_setNextBlockTimestamp", [now])
                .await;
            at.unwrap();
            let receipt = chain.mine(&sender, chain.contract, data).await;
            assert_eq!(receipt.status.unwrap().as_u64(), 1, "{call:?}");
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{calls} calls of seed {seed} in {seconds:.1} s: {} answered, {} refused by {} names, {} reverted with no data",
        outcomes.answered,
        outcomes.refused,
        outcomes.named.len(),
        outcomes.silent
    );
    assert!(outcomes.answered > 0 && outcomes.silent > 0);
    if calls >= 2_000 {
        // Every function that changes something was broken.
        assert_eq!(functions.len(), 27, "{functions:?}");
        assert!(outcomes.named.len() >= 15, "{:?}", outcomes.named);
    }
}
