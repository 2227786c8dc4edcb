#![allow(clippy::unwrap_used)]

mod samples;

use alloy_primitives::LogData;

use super::super::fake::{Fake, Reply};
use super::super::rpc::Rpc;
use super::super::{Deployment, Error, Version};
use super::*;
use alloy_sol_types::SolEventInterface;
use pcim_core::{BlockDigest, ImageDigest, Seal};

const CONTRACT: Address = Address::repeat_byte(0xc0);
const PATIENT: Address = Address::repeat_byte(0xa1);
const READER: Address = Address::repeat_byte(0xb2);
const IMAGE: ImageDigest = ImageDigest([0x11; 32]);
const OTHER: ImageDigest = ImageDigest([0x22; 32]);

use samples::{all, every};

fn raw(data: LogData, block: u64, index: u64) -> RawLog {
    RawLog {
        address: CONTRACT,
        topics: data.topics().to_vec(),
        data: data.data,
        block_hash: None,
        block_number: Some(U64::from(block)),
        block_timestamp: None,
        transaction_hash: Some(B256::repeat_byte(0xee)),
        log_index: Some(U64::from(index)),
        removed: false,
    }
}

fn json_of(log: &RawLog) -> Value {
    json!({
        "address": log.address, "topics": log.topics, "data": log.data,
        "blockNumber": log.block_number, "transactionHash": log.transaction_hash,
        "logIndex": log.log_index, "removed": log.removed,
        "blockHash": B256::ZERO, "transactionIndex": "0x0",
    })
}

#[test]
fn every_event_is_read_and_its_fields_are_at_the_topics_we_ask_for() {
    assert_eq!(all().len(), sol::IPcacEvents::COUNT);
    let every = every();
    assert_eq!(every.len(), INDEXED.len());
    for (data, wanted) in every {
        let row = INDEXED
            .iter()
            .find(|row| row.event == data.topics()[0])
            .unwrap();
        let at = |position: usize| (position > 0).then(|| data.topics()[position]);
        let pcim_core::About {
            image,
            patient,
            requestor,
            ..
        } = wanted.about();
        assert_eq!(at(row.image), image.map(|i| i.0.into()), "{wanted:?}");
        assert_eq!(
            at(row.patient),
            patient.map(|a| a.into_word()),
            "{wanted:?}"
        );
        assert_eq!(
            at(row.requestor),
            requestor.map(|a| a.into_word()),
            "{wanted:?}"
        );

        let read = read(CONTRACT, &raw(data, 5, 2)).unwrap().unwrap();
        assert_eq!(read.event, wanted);
        assert_eq!((read.block, read.log_index), (5, 2));
    }
}

#[test]
fn what_is_not_the_contracts_is_not_looked_at() {
    let log = raw(all()[1].0.clone(), 1, 0);
    let none = |change: fn(&mut RawLog)| {
        let mut log = log.clone();
        change(&mut log);
        read(CONTRACT, &log).unwrap().is_none()
    };
    assert!(!none(|_| ()));
    assert!(none(|log| log.address = PATIENT));
    assert!(none(|log| log.removed = true));
    assert!(none(|log| log.block_number = None));
    assert!(none(|log| log.topics.clear()));
    assert!(none(|log| log.topics[0] = B256::repeat_byte(1)));
}

#[test]
fn a_log_of_the_contract_that_cannot_be_read_is_an_error() {
    let log = raw(all()[1].0.clone(), 1, 0);
    let error = |change: fn(&mut RawLog)| {
        let mut log = log.clone();
        change(&mut log);
        read(CONTRACT, &log).is_err()
    };
    assert!(error(|log| log.topics.truncate(3)));
    assert!(error(|log| log.topics.push(B256::ZERO)));
    assert!(error(|log| log.data = Bytes::new()));
    assert!(error(|log| log.data = log.data.slice(..40)));
    assert!(error(|log| log.data = vec![0; MAX_DATA_BYTES + 1].into()));
    // A text that claims to be longer than the log.
    assert!(error(|log| {
        let mut data = log.data.to_vec();
        data[64..96].fill(0xff);
        log.data = data.into();
    }));
}

#[test]
fn text_that_is_not_utf8_hides_nothing() {
    let (data, _) = all()[1].clone();
    let mut bytes = data.data.to_vec();
    let at = bytes.windows(2).position(|w| w == "ü".as_bytes()).unwrap();
    bytes[at] = 0xff;
    let log = raw(
        LogData::new_unchecked(data.topics().to_vec(), bytes.into()),
        1,
        0,
    );
    let Event::RequestedForApproval {
        info, requestor, ..
    } = read(CONTRACT, &log).unwrap().unwrap().event
    else {
        panic!("another event")
    };
    assert_eq!(requestor, READER);
    assert!(
        info.contains('\u{fffd}') && info.starts_with("Gr"),
        "{info}"
    );
}

#[test]
fn topics_ask_for_what_can_pass_and_nothing_else() {
    let whole = topics(&EventFilter::default());
    assert_eq!(whole.len(), 1);
    assert_eq!(whole[0][0].as_array().unwrap().len(), 25);
    assert_eq!(whole[0].as_array().unwrap().len(), 1);

    for filter in [
        EventFilter {
            image: Some(IMAGE),
            ..Default::default()
        },
        EventFilter {
            patient: Some(PATIENT),
            ..Default::default()
        },
        EventFilter {
            requestor: Some(READER),
            ..Default::default()
        },
        EventFilter {
            image: Some(IMAGE),
            requestor: Some(READER),
            ..Default::default()
        },
        EventFilter {
            image: Some(OTHER),
            ..Default::default()
        },
        EventFilter {
            patient: Some(READER),
            ..Default::default()
        },
    ] {
        let queries = topics(&filter);
        for (data, event) in every() {
            // As eth_getLogs filters by topic.
            let matches = queries.iter().filter(|query| {
                query
                    .as_array()
                    .unwrap()
                    .iter()
                    .enumerate()
                    .all(|(i, wanted)| {
                        let found = data.topics().get(i).map(|t| json!(t));
                        match wanted {
                            Value::Null => found.is_some(),
                            Value::Array(any) => found.is_some_and(|f| any.contains(&f)),
                            one => found.as_ref() == Some(one),
                        }
                    })
            });
            assert_eq!(
                matches.count(),
                usize::from(passes(&filter, &event)),
                "{filter:?} {event:?}"
            );
        }
    }
}

fn ledger(fake: &Fake) -> Ledger {
    Ledger {
        rpc: Rpc::new(&fake.url).unwrap(),
        deployment: Deployment {
            rpc_url: fake.url.clone(),
            chain_id: 1,
            contract: CONTRACT,
        },
        version: Version::V2,
        code_hash: B256::ZERO,
    }
}

fn quantity(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
}

/// A node with a request in each hundredth block up to 1000, that answers for at most 64 blocks at once.
async fn miserly_node() -> Fake {
    Fake::new(|method, params| match method {
        "eth_blockNumber" => Reply::Result(json!("0x3e8")),
        "eth_getBlockByNumber" => {
            let number = quantity(&params[0]);
            Reply::Result(json!({"timestamp": U64::from(1_000_000 + number)}))
        }
        "eth_getLogs" => {
            let (from, to) = (
                quantity(&params[0]["fromBlock"]),
                quantity(&params[0]["toBlock"]),
            );
            if to - from >= 64 {
                return Reply::Error(-32005, "query exceeds max block range".into(), None);
            }
            // Whatever was asked, it also sends another image's and another contract's logs.
            let logs: Vec<Value> = (from..=to)
                .filter(|block| block % 100 == 0)
                .flat_map(|block| {
                    let mut foreign = raw(all()[1].0.clone(), block, 1);
                    foreign.address = PATIENT;
                    let resealed = sol::ImageResealed {
                        image: OTHER.0.into(),
                        root: IMAGE.0.into(),
                        emergency: B256::ZERO,
                        round: 1,
                    };
                    [
                        json_of(&raw(all()[1].0.clone(), block, 0)),
                        json_of(&foreign),
                        json_of(&raw(resealed.encode_log_data(), block, 2)),
                    ]
                })
                .collect();
            Reply::Result(json!(logs))
        }
        other => Reply::Error(-32601, other.into(), None),
    })
    .await
}

#[tokio::test]
async fn ranges_shrink_until_the_node_answers_and_nothing_is_lost_or_doubled() {
    let fake = miserly_node().await;
    let filter = EventFilter {
        image: Some(IMAGE),
        from_block: 50,
        ..Default::default()
    };
    let events = ledger(&fake).timed_events(&filter).await.unwrap();
    let blocks: Vec<u64> = events.iter().map(|e| e.block).collect();
    assert_eq!(blocks, (1..=10).map(|n| n * 100).collect::<Vec<u64>>());
    assert!(
        events
            .iter()
            .all(|e| e.timestamp == Some(1_000_000 + e.block))
    );
    assert!(events.iter().all(|e| e.event == all()[1].1));

    let upto = EventFilter {
        to_block: Some(300),
        ..filter
    };
    assert_eq!(ledger(&fake).events(&upto).await.unwrap().len(), 3);
    let beyond = EventFilter {
        from_block: 5_000,
        ..Default::default()
    };
    assert!(ledger(&fake).events(&beyond).await.unwrap().is_empty());
}

#[tokio::test]
async fn strangers_logs_and_the_times_of_blocks_are_not_asked_for() {
    let fake = miserly_node().await;
    let filter = EventFilter {
        image: Some(IMAGE),
        events: &["ContractCreated"],
        from_block: 50,
        ..Default::default()
    };
    ledger(&fake).events(&filter).await.unwrap();
    assert_eq!(fake.count("eth_getBlockByNumber"), 0);
    let asked: Vec<Value> = topics(&filter);
    let registrations = [
        v1::ContractCreated::SIGNATURE_HASH,
        sol::ContractCreated::SIGNATURE_HASH,
    ];
    assert_eq!(asked, [json!([registrations, null, B256::from(IMAGE.0)])]);
    let any = EventFilter {
        events: &[],
        ..filter
    };
    assert!(topics(&any).len() > 1);
}

#[tokio::test]
async fn a_node_that_never_answers_for_logs_is_given_up() {
    let fake = Fake::new(|method, _| match method {
        "eth_blockNumber" => Reply::Result(json!("0xffffffffffffffff")),
        _ => Reply::Error(-32000, "no logs today".into(), None),
    })
    .await;
    let error = ledger(&fake)
        .events(&EventFilter::default())
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        Error::Node {
            method: "eth_getLogs",
            ..
        }
    ));
    assert!(fake.count("eth_getLogs") <= 65);
}

#[tokio::test]
async fn a_forged_log_makes_nonsense_of_the_answer() {
    let fake = Fake::new(|method, _| match method {
        "eth_blockNumber" => Reply::Result(json!("0x1")),
        _ => {
            let mut log = raw(all()[1].0.clone(), 1, 0);
            log.topics.truncate(2);
            Reply::Result(json!([json_of(&log)]))
        }
    })
    .await;
    let error = ledger(&fake)
        .events(&EventFilter::default())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Nonsense {
                method: "eth_getLogs",
                ..
            }
        ),
        "{error}"
    );
}
