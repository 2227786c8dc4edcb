//! An entry for fuzzing into the readers of what an RPC says.

use alloy_primitives::{Address, Bytes, U64, U256};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;

use super::events::{self, RawLog};
use super::history::{BlockHead, decode_event};
use super::live::block_of;
use super::revert::Revert;
use super::rpc::read_answer;
use super::send::Receipt;
use super::views::Head;

/// The number of the request that is answered.
const ID: u64 = 1;

/// Reads bytes as the answer to each question that is asked of an RPC, and as the news of a subscription; says how many of
/// them it answers.
#[must_use]
pub fn answers(contract: Address, bytes: &[u8]) -> usize {
    let logs = read::<Vec<RawLog>>(bytes);
    let receipt = read::<Option<Receipt>>(bytes).flatten();
    let data = read::<Bytes>(bytes);
    let heads = [
        read::<Option<BlockHead>>(bytes).flatten().is_some(),
        read::<Option<Head>>(bytes).flatten().is_some(),
    ];
    let numbers = [read::<U64>(bytes).is_some(), read::<U256>(bytes).is_some()];
    let all = logs.iter().flatten();
    for log in all.chain(receipt.iter().flat_map(|receipt| &receipt.logs)) {
        let known = decode_event(&log.topics, &log.data);
        if let Ok(Some(event)) = events::read(contract, log) {
            assert_eq!(log.address, contract);
            assert!(matches!(known, Ok(Some(same)) if same == event.event));
        }
    }
    if let Some(data) = &data {
        // Shown to the user, whatever the contract said.
        let shown = Revert::decode(data).to_string();
        assert!(!shown.chars().any(char::is_control));
    }
    let news = std::str::from_utf8(bytes).is_ok_and(|text| block_of(text) > 0);
    let answered = [logs.is_some(), receipt.is_some(), data.is_some(), news];
    let answered = answered.into_iter().chain(heads).chain(numbers);
    answered.filter(|answered| *answered).count()
}

fn read<R: DeserializeOwned>(bytes: &[u8]) -> Option<R> {
    read_answer(StatusCode::OK, ID, bytes).ok()
}

/// Answers of every kind, to begin with.
#[must_use]
pub fn samples(contract: Address) -> Vec<Vec<u8>> {
    let word = |byte: &str| format!("0x{}", byte.repeat(32));
    let transferred = transferred(contract);
    let head = serde_json::json!({
        "number": "0x10", "hash": word("33"), "parentHash": word("32"), "timestamp": "0x6543",
        "baseFeePerGas": "0x5f5e100",
    });
    let receipt = serde_json::json!({
        "transactionHash": word("44"), "blockNumber": "0x10", "gasUsed": "0x5208",
        "effectiveGasPrice": "0x5f5e100", "status": "0x1", "logs": [&transferred],
    });
    let news = serde_json::json!({
        "jsonrpc": "2.0", "method": "eth_subscription",
        "params": { "subscription": "0x1", "result": { "blockNumber": "0x10" } },
    });
    let refused = serde_json::json!({
        "jsonrpc": "2.0", "id": ID,
        "error": { "code": 3, "message": "execution reverted", "data": "0x08c379a0" },
    });
    let results = [
        serde_json::json!([transferred]),
        receipt,
        head,
        "0x6543".into(),
        format!("0x{}", "00".repeat(64)).into(),
    ];
    let answer = |result| serde_json::json!({ "jsonrpc": "2.0", "id": ID, "result": result });
    let all = results.into_iter().map(answer).chain([news, refused]);
    all.map(|sample| sample.to_string().into_bytes()).collect()
}

/// A log of the contract as a node gives it.
fn transferred(contract: Address) -> serde_json::Value {
    use alloy_sol_types::SolEvent;

    let [from, to] = [Address::repeat_byte(1), Address::repeat_byte(2)];
    let event = super::abi::v2::IPcac::ConsortiumTransferred { from, to };
    let data = event.encode_log_data();
    serde_json::json!({
        "address": contract, "topics": data.topics(), "data": data.data, "blockNumber": "0x10",
        "blockHash": format!("0x{}", "33".repeat(32)),
        "transactionHash": format!("0x{}", "44".repeat(32)), "logIndex": "0x1",
    })
}

#[cfg(test)]
mod tests {
    use pcim_core::chance::{Numbers, mutations};

    use super::*;

    const CONTRACT: Address = Address::repeat_byte(0xc0);

    #[test]
    fn mutated_answers_of_an_rpc_are_read_or_refused() {
        let samples = samples(CONTRACT);
        let read = samples.iter().map(|sample| answers(CONTRACT, sample));
        assert!(read.sum::<usize>() >= samples.len());
        let mut numbers = Numbers(0x5eed_0001);
        let mut answered = 0;
        for _ in 0..mutations() {
            for sample in &samples {
                answered += usize::from(answers(CONTRACT, &numbers.mutated(sample)) > 0);
            }
        }
        assert!(answered > 0, "every changed answer was refused");
    }
}
