#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use alloy_sol_types::{SolError, SolEvent};
use serde_json::Value;

use super::super::abi::v2::IPcac as sol;
use super::super::fake::{Fake, Reply};
use super::super::rpc::Rpc;
use super::super::{Deployment, Version};
use super::*;
use pcim_core::{Event, ImageDigest};

const CONTRACT: Address = Address::repeat_byte(0xc0);
const CHAIN: u64 = 412_346;
const SOON: Duration = Duration::from_millis(200);
const LATER: Duration = Duration::from_secs(10);

/// A chain of one contract that mines at once.
struct Chain {
    balance: u64,
    base_fee: Option<u64>,
    /// The answer of `eth_call`, and that once something is mined.
    call: Reply,
    call_later: Option<Reply>,
    /// The answers of `eth_sendRawTransaction`, in turn; then it accepts.
    sends: Vec<Send>,
    /// The status with which a transaction is mined once it is accepted, if it is.
    mines: Option<u8>,
    /// The sender's transactions so far, mined ones of others included.
    nonce: u64,
    receipts: BTreeMap<B256, Value>,
}

#[derive(Clone, Copy)]
enum Send {
    /// Takes it and answers with an error.
    TakesAndSays(&'static str),
    /// Refuses it with an error.
    Says(&'static str),
    /// Takes it, and the answer is lost.
    TakesAndHangsUp,
    HangsUp,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            balance: 1_000_000_000_000_000,
            base_fee: Some(100),
            call: Reply::Result(json!(B256::with_last_byte(1))),
            call_later: None,
            sends: Vec::new(),
            mines: Some(1),
            nonce: 4,
            receipts: BTreeMap::new(),
        }
    }
}

impl Chain {
    async fn start(mut self) -> (Fake, Ledger, Arc<Mutex<u64>>) {
        // A nonce that tests can move from outside.
        let nonce = Arc::new(Mutex::new(self.nonce));
        let shared = nonce.clone();
        let fake = Fake::new(move |method, params| {
            self.nonce = self.nonce.max(*shared.lock().unwrap());
            let reply = self.answer(method, params);
            *shared.lock().unwrap() = self.nonce;
            reply
        })
        .await;
        let ledger = Ledger {
            rpc: Rpc::new(&fake.url).unwrap(),
            deployment: Deployment {
                rpc_url: fake.url.clone(),
                chain_id: CHAIN,
                contract: CONTRACT,
            },
            version: Version::V2,
            code_hash: B256::ZERO,
        };
        (fake, ledger, nonce)
    }

    fn answer(&mut self, method: &str, params: &Value) -> Reply {
        let error = |message: &str| Reply::Error(-32000, message.into(), None);
        match method {
            "eth_call" => match &self.call_later {
                Some(later) if !self.receipts.is_empty() => later.clone(),
                _ => self.call.clone(),
            },
            "eth_getBalance" => Reply::Result(json!(U256::from(self.balance))),
            "eth_estimateGas" => Reply::Result(json!("0x186a0")),
            "eth_gasPrice" => Reply::Result(json!("0x64")),
            "eth_getTransactionCount" => Reply::Result(json!(U64::from(self.nonce))),
            "eth_getBlockByNumber" => {
                let mut block = json!({"timestamp": "0x6553f100", "number": "0x9"});
                if let Some(fee) = self.base_fee {
                    block["baseFeePerGas"] = json!(U64::from(fee));
                }
                Reply::Result(block)
            }
            "eth_getTransactionReceipt" => {
                let tx: B256 = serde_json::from_value(params[0].clone()).unwrap();
                Reply::Result(self.receipts.get(&tx).cloned().unwrap_or_default())
            }
            "eth_sendRawTransaction" => {
                let raw: Bytes = serde_json::from_value(params[0].clone()).unwrap();
                let tx = keccak256(&raw);
                if self.sends.is_empty() {
                    self.take(tx);
                    return Reply::Result(json!(tx));
                }
                match self.sends.remove(0) {
                    Send::Says(words) => error(words),
                    Send::HangsUp => Reply::Close,
                    Send::TakesAndSays(words) => {
                        self.take(tx);
                        error(words)
                    }
                    Send::TakesAndHangsUp => {
                        self.take(tx);
                        Reply::Close
                    }
                }
            }
            other => Reply::Error(-32601, format!("no {other}"), None),
        }
    }

    fn take(&mut self, tx: B256) {
        let Some(status) = self.mines else { return };
        assert!(!self.receipts.contains_key(&tx), "mined twice");
        self.nonce += 1;
        let removed = sol::ImageResealed {
            image: B256::repeat_byte(0x11),
            root: B256::repeat_byte(0x22),
            emergency: B256::ZERO,
            round: 1,
        };
        let log = removed.encode_log_data();
        let log_at = |address: Address, index: &str| {
            json!({
                "address": address, "topics": log.topics(), "data": log.data, "blockNumber": "0x9",
                "transactionHash": tx, "logIndex": index, "removed": false,
            })
        };
        let receipt = json!({
            "transactionHash": tx, "blockNumber": "0x9", "gasUsed": "0x5208", "status": format!("{status:#x}"),
            "effectiveGasPrice": "0x64",
            "logs": [log_at(Address::repeat_byte(0xbb), "0x0"), log_at(CONTRACT, "0x1")],
        });
        self.receipts.insert(tx, receipt);
    }
}

fn call() -> Call {
    Call::RemoveIrs {
        requestor: Address::repeat_byte(0xb2),
        image: ImageDigest([0x11; 32]),
    }
}

#[tokio::test]
async fn a_call_is_simulated_signed_sent_once_and_read() {
    let (fake, ledger, _) = Chain::default().start().await;
    let patient = Account::generate();
    let signed = ledger.prepare(&patient, &call(), None).await.unwrap();
    assert_eq!((signed.nonce, signed.returns), (4, Some(true)));
    assert_eq!(fake.count("eth_sendRawTransaction"), 0);

    let origin = Origin::read(&signed).unwrap();
    assert_eq!(origin.from, patient.address());
    assert_eq!(origin.to, Some(CONTRACT));
    assert_eq!(origin.data, call().calldata(Version::V2).unwrap());
    assert_eq!(origin.chain_id, CHAIN);
    // A tenth above the estimate of 100,000; twice the base fee of 100.
    assert_eq!(origin.cost, U256::from(110_000 * 200));

    let mined = ledger.submit(&signed, LATER).await.unwrap();
    assert_eq!((mined.tx, mined.block), (signed.tx, 9));
    assert_eq!((mined.gas_used, mined.gas_price), (21_000, 100));
    assert_eq!(mined.returns, Some(true));
    // The other contract's log is not an event of ours.
    assert_eq!(mined.events.len(), 1);
    assert_eq!(mined.events[0].log_index, 1);
    assert_eq!(mined.events[0].timestamp, Some(0x6553_f100));
    assert!(matches!(mined.events[0].event, Event::ImageResealed { .. }));

    // Again, as after a crash: it is found mined, and nothing goes out.
    assert_eq!(ledger.submit(&signed, LATER).await.unwrap(), mined);
    assert_eq!(fake.count("eth_sendRawTransaction"), 1);
    let found = ledger.mined(&signed.tx).await.unwrap().unwrap();
    assert_eq!(
        found,
        Mined {
            returns: None,
            ..mined
        }
    );
    assert_eq!(ledger.mined(&B256::ZERO).await.unwrap(), None);
}

#[tokio::test]
async fn a_recorded_call_survives_json() {
    let (_fake, ledger, _) = Chain::default().start().await;
    let signed = ledger
        .prepare(&Account::generate(), &call(), None)
        .await
        .unwrap();
    let json = serde_json::to_string(&signed).unwrap();
    assert!(json.contains(&format!("\"0x{}\"", hex::encode(&signed.raw))));
    assert_eq!(serde_json::from_str::<SignedCall>(&json).unwrap(), signed);
}

#[tokio::test]
async fn a_chain_without_a_base_fee_gets_a_legacy_transaction() {
    let chain = Chain {
        base_fee: None,
        ..Chain::default()
    };
    let (_fake, ledger, _) = chain.start().await;
    let signed = ledger
        .prepare(&Account::generate(), &call(), None)
        .await
        .unwrap();
    assert!(signed.raw[0] >= 0xc0);
    assert_eq!(
        Origin::read(&signed).unwrap().cost,
        U256::from(110_000 * 100)
    );
    assert_eq!(ledger.submit(&signed, LATER).await.unwrap().tx, signed.tx);
}

#[tokio::test]
async fn a_refusal_is_typed_and_nothing_is_signed() {
    let (caller, patient) = (Address::repeat_byte(1), Address::repeat_byte(2));
    let data = sol::PcacNotPatient {
        caller,
        acting: patient,
    }
    .abi_encode();
    let chain = Chain {
        call: Reply::Error(3, "execution reverted".into(), Some(data)),
        ..Chain::default()
    };
    let (fake, ledger, _) = chain.start().await;
    let error = ledger
        .prepare(&Account::generate(), &call(), None)
        .await
        .unwrap_err();
    let Error::Refused(reason) = error else {
        panic!("{error}")
    };
    assert_eq!(reason, Revert::NotPatient { caller, patient });
    assert_eq!(fake.count("eth_estimateGas"), 0);
}

#[tokio::test]
async fn too_little_ether_tells_both_amounts() {
    let chain = Chain {
        balance: 1_000,
        ..Chain::default()
    };
    let (_fake, ledger, _) = chain.start().await;
    let poor = Account::generate();
    let error = ledger.prepare(&poor, &call(), None).await.unwrap_err();
    assert!(
        matches!(&error, Error::Funds { address, have, need }
            if *address == poor.address() && *have == U256::from(1_000) && *need == U256::from(22_000_000)),
        "{error}"
    );
    let error = ledger
        .transfer(&poor, CONTRACT, U256::from(1_001))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Funds { need, .. } if need == U256::from(1_001)));
}

#[tokio::test]
async fn a_node_cannot_name_any_price() {
    for (base_fee, honest) in [(4_000_000_000_000, true), (5_000_000_000_000, false)] {
        let (fake, ledger, _) = Chain {
            balance: u64::MAX,
            base_fee: Some(base_fee),
            ..Chain::default()
        }
        .start()
        .await;
        // 110,000 gas at twice the base fee.
        match ledger.prepare(&Account::generate(), &call(), None).await {
            Ok(_) => assert!(honest),
            Err(Error::Fee { found, max, .. }) => {
                assert!(!honest);
                assert_eq!(found, U256::from(1_100_000_000_000_000_000u64));
                assert_eq!(max, U256::from(1_000_000_000_000_000_000u64));
            }
            Err(other) => panic!("{other}"),
        }
        drop(fake);
    }
}

/// Prepares on a healthy chain, then submits to one that sends as the test says.
async fn submit(sends: Vec<Send>, mines: Option<u8>, wait: Duration) -> (Result<Mined>, usize) {
    let (fake, ledger, _) = Chain {
        sends,
        mines,
        ..Chain::default()
    }
    .start()
    .await;
    let signed = ledger
        .prepare(&Account::generate(), &call(), None)
        .await
        .unwrap();
    let result = ledger.submit(&signed, wait).await;
    (result, fake.count("eth_sendRawTransaction"))
}

#[tokio::test]
async fn a_lost_answer_is_not_a_lost_transaction() {
    // Taken, answer lost: found by its receipt, not sent again (the chain would panic at a second mining).
    let (result, sends) = submit(vec![Send::TakesAndHangsUp], Some(1), LATER).await;
    assert!(result.is_ok() && sends == 1, "{result:?} {sends}");
    // Not taken: the same bytes go out again.
    let (result, sends) = submit(vec![Send::HangsUp, Send::HangsUp], Some(1), LATER).await;
    assert!(result.is_ok() && sends == 3, "{result:?} {sends}");
    for words in [
        "already known",
        "ALREADY_EXISTS: already exists",
        "nonce too low: next nonce 5",
    ] {
        let (result, sends) = submit(vec![Send::TakesAndSays(words)], Some(1), LATER).await;
        assert!(result.is_ok() && sends == 1, "{words}: {result:?} {sends}");
    }
}

#[tokio::test]
async fn what_the_node_will_not_take_is_said() {
    let (result, _) = submit(
        vec![Send::Says("max fee per gas less than block base fee\u{7}")],
        Some(1),
        LATER,
    )
    .await;
    assert!(
        matches!(&result, Err(Error::Rejected { message, .. }) if message.ends_with("fee\\u{7}")),
        "{result:?}"
    );
    let (result, _) = submit(
        vec![Send::Says("insufficient funds for gas * price + value")],
        Some(1),
        LATER,
    )
    .await;
    assert!(matches!(result, Err(Error::Funds { need, .. }) if need == U256::from(22_000_000)));
}

#[tokio::test]
async fn a_node_that_mines_a_failure_and_says_so_is_read_by_its_receipt() {
    let (result, _) = submit(
        vec![Send::TakesAndSays("execution reverted")],
        Some(0),
        LATER,
    )
    .await;
    assert!(matches!(result, Err(Error::Reverted { .. })), "{result:?}");
}

#[tokio::test]
async fn a_nonce_that_another_transaction_used_ends_the_wait() {
    let (_fake, ledger, nonce) = Chain {
        sends: vec![Send::Says("nonce too low")],
        ..Chain::default()
    }
    .start()
    .await;
    let signed = ledger
        .prepare(&Account::generate(), &call(), None)
        .await
        .unwrap();
    *nonce.lock().unwrap() = 5;
    let error = ledger.submit(&signed, LATER).await.unwrap_err();
    assert!(
        matches!(error, Error::Replaced { tx, nonce: 4 } if tx == signed.tx),
        "{error}"
    );
}

#[tokio::test]
async fn a_transaction_that_waits_is_neither_lost_nor_sent_twice() {
    let (result, sends) = submit(vec![], None, SOON).await;
    assert!(matches!(result, Err(Error::NotMined { waited, .. }) if waited >= SOON));
    assert_eq!(sends, 1);
    // A node that cannot be reached all the while: its fault is the error.
    let (result, sends) = submit(vec![Send::HangsUp; 100], None, SOON).await;
    assert!(matches!(result, Err(Error::Rpc { .. })), "{result:?}");
    assert!(sends > 1);
}

#[tokio::test]
async fn a_mined_call_that_failed_says_why() {
    let limit = sol::PcacApprovalLimitReached {
        limit: 1,
        retryAt: 9,
    }
    .abi_encode();
    let chain = Chain {
        mines: Some(0),
        call_later: Some(Reply::Error(3, "execution reverted".into(), Some(limit))),
        ..Chain::default()
    };
    let (_fake, ledger, _) = chain.start().await;
    let signed = ledger
        .prepare(&Account::generate(), &call(), None)
        .await
        .unwrap();
    let error = ledger.submit(&signed, LATER).await.unwrap_err();
    assert!(
        matches!(&error, Error::Reverted { tx, block: 9, reason: Some(reason) }
            if *tx == signed.tx && *reason == Revert::ApprovalLimitReached { limit: 1, retry_at: 9 }),
        "{error}"
    );
    assert!(error.to_string().contains(&signed.tx.to_string()));
    assert!(matches!(
        ledger.mined(&signed.tx).await,
        Err(Error::Reverted { .. })
    ));
}

#[tokio::test]
async fn only_an_intact_record_for_this_chain_is_sent() {
    let (fake, ledger, _) = Chain::default().start().await;
    let signed = ledger
        .prepare(&Account::generate(), &call(), None)
        .await
        .unwrap();
    let damaged = |change: fn(&mut SignedCall)| {
        let mut record = signed.clone();
        change(&mut record);
        record
    };
    for record in [
        damaged(|r| r.raw[20] ^= 1),
        damaged(|r| r.raw.clear()),
        damaged(|r| r.nonce += 1),
        damaged(|r| r.tx = B256::ZERO),
        damaged(|r| {
            r.raw = vec![0xff; 40];
            r.tx = keccak256(&r.raw);
        }),
    ] {
        let error = ledger.submit(&record, SOON).await.unwrap_err();
        assert!(matches!(error, Error::BadRecord { .. }), "{error}");
    }
    let mut elsewhere = ledger;
    elsewhere.deployment.chain_id = 1;
    assert!(matches!(
        elsewhere.submit(&signed, SOON).await,
        Err(Error::WrongChain {
            wanted: 1,
            found: CHAIN
        })
    ));
    assert_eq!(fake.count("eth_sendRawTransaction"), 0);
}

#[tokio::test]
async fn a_node_that_lies_about_a_transaction_is_not_believed() {
    let lies = |method: &'static str| {
        Fake::new(move |asked, _| match asked {
            "eth_getTransactionReceipt" if method == asked => Reply::Result(json!({
                "transactionHash": B256::ZERO, "blockNumber": "0x1", "gasUsed": "0x1", "status": "0x1", "logs": [],
            })),
            "eth_getTransactionReceipt" => Reply::Result(Value::Null),
            "eth_sendRawTransaction" => Reply::Result(json!(B256::ZERO)),
            other => Reply::Error(-32601, other.into(), None),
        })
    };
    let (_honest, ledger, _) = Chain::default().start().await;
    let signed = ledger
        .prepare(&Account::generate(), &call(), None)
        .await
        .unwrap();
    for method in ["eth_getTransactionReceipt", "eth_sendRawTransaction"] {
        let fake = lies(method).await;
        let ledger = Ledger {
            rpc: Rpc::new(&fake.url).unwrap(),
            deployment: ledger.deployment.clone(),
            version: ledger.version,
            code_hash: ledger.code_hash,
        };
        let error = ledger.submit(&signed, SOON).await.unwrap_err();
        assert!(
            matches!(&error, Error::Nonsense { method: found, .. } if *found == method),
            "{error}"
        );
    }
}

/// A server may run a call on any thread.
#[test]
fn every_future_may_move_between_threads() {
    fn send<T: std::marker::Send>(_: &T) {}
    let ledger = Ledger {
        rpc: Rpc::new("http://127.0.0.1:9").unwrap(),
        deployment: Deployment {
            rpc_url: String::new(),
            chain_id: CHAIN,
            contract: CONTRACT,
        },
        version: Version::V2,
        code_hash: B256::ZERO,
    };
    let account = Account::generate();
    let call = call();
    let filter = Default::default();
    let signed = SignedCall {
        tx: B256::ZERO,
        nonce: 0,
        raw: vec![],
        returns: None,
    };
    send(&Ledger::connect(ledger.deployment.clone()));
    send(&ledger.prepare(&account, &call, None));
    send(&ledger.submit(&signed, SOON));
    send(&ledger.transfer(&account, CONTRACT, U256::ZERO));
    send(&ledger.events(&filter));
    send(&ledger);
    assert!(matches!(
        Origin::read(&signed),
        Err(Error::BadRecord { .. })
    ));
}
