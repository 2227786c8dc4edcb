#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use alloy_primitives::{Bytes, U64};
use alloy_sol_types::{SolError, SolEvent, SolValue};
use serde_json::{Value, json};

use super::*;

mod again;

const CHAIN: u64 = 412_346;
const CONTRACT: Address = Address::repeat_byte(0xcc);
const CONSORTIUM: Address = Address::repeat_byte(0xc0);
const FEE: u64 = 1_000_000;
const WASM: &[u8] = b"\0asm\x01\0\0\0";

/// A chain that knows the factory and `ArbWasm`, and can be made to misbehave.
#[derive(Clone)]
struct Fake {
    chain_id: u64,
    balance: u64,
    stylus: bool,
    factory: bool,
    /// The same code was activated before.
    active: bool,
    activation: Result<(), (i64, &'static str, Vec<u8>)>,
    estimate: Result<(), Vec<u8>>,
    /// What is found at the contract afterwards.
    code: Option<Vec<u8>>,
    consortium: Address,
    status: u8,
    tells: bool,
    /// Hangs up after it took the transaction.
    hangs_up: bool,
    /// Takes the transaction and does not mine it.
    keeps_waiting: bool,
    /// Wei for a unit of gas, without the doubling.
    base_fee: u64,
    /// Answers so many requests with these HTTP statuses, one after the other, before it answers.
    busy: Vec<u16>,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            chain_id: CHAIN,
            balance: u64::MAX,
            stylus: true,
            factory: true,
            active: false,
            activation: Ok(()),
            estimate: Ok(()),
            code: None,
            consortium: CONSORTIUM,
            status: 1,
            tells: true,
            hangs_up: false,
            keeps_waiting: false,
            base_fee: 100,
            busy: Vec::new(),
        }
    }
}

/// What the chain saw.
#[derive(Default)]
struct Seen {
    raw: Vec<Bytes>,
    estimated: Option<Value>,
    dry_run: Option<Value>,
    receipts: BTreeMap<B256, Value>,
    asked: usize,
}

fn request<'a>(rpc_url: &'a str, records: Option<&'a Path>) -> Request<'a> {
    Request {
        rpc_url,
        chain_id: CHAIN,
        deployer_key: &[7; 32],
        consortium: CONSORTIUM,
        predecessor: None,
        wasm: WASM,
        max_fee: MAX_FEE,
        records,
    }
}

type Reply = Result<Value, (i64, String, Vec<u8>)>;

impl Fake {
    /// Serves this chain from now on: its address, and what it sees.
    fn start(self) -> (String, Arc<Mutex<Seen>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://user:secret@{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                self.serve(stream, &shared);
            }
        });
        (url, seen)
    }

    /// Deploys to this chain: the result, and what the chain saw.
    async fn deploy(self) -> (Result<Record, Error>, Arc<Mutex<Seen>>) {
        let (url, seen) = self.start();
        (deploy(&request(&url, None)).await, seen)
    }

    fn serve(&self, mut stream: TcpStream, seen: &Mutex<Seen>) {
        let mut bytes = Vec::new();
        let request: Value = loop {
            let mut chunk = [0; 8192];
            match stream.read(&mut chunk) {
                Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
                _ => return,
            }
            let head = bytes.windows(4).position(|w| w == b"\r\n\r\n");
            if let Some(request) = head.and_then(|at| serde_json::from_slice(&bytes[at + 4..]).ok())
            {
                break request;
            }
        };
        let asked = {
            let mut seen = seen.lock().unwrap();
            seen.asked += 1;
            seen.asked - 1
        };
        if let Some(status) = self.busy.get(asked) {
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            return;
        }
        let method = request["method"].as_str().unwrap();
        let mut answer = json!({"jsonrpc": "2.0", "id": request["id"]});
        match self.answer(method, &request["params"], &mut seen.lock().unwrap()) {
            Ok(result) => answer["result"] = result,
            Err((code, message, data)) => {
                answer["error"] = json!({"code": code, "message": message});
                if !data.is_empty() {
                    answer["error"]["data"] = json!(Bytes::from(data));
                }
            }
        }
        if self.hangs_up && method == "eth_sendRawTransaction" {
            return;
        }
        let body = answer.to_string();
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
    }

    fn answer(&self, method: &str, params: &Value, seen: &mut Seen) -> Reply {
        let program = Program::new(WASM).unwrap();
        let revert = |data: Vec<u8>| Err((3, "execution reverted".to_owned(), data));
        let to = params[0]["to"]
            .as_str()
            .and_then(|to| to.parse::<Address>().ok());
        let word = |word: B256| Ok(json!(word));
        match method {
            "eth_chainId" => Ok(json!(U64::from(self.chain_id))),
            "eth_getBalance" => Ok(json!(U64::from(self.balance))),
            "eth_getTransactionCount" => Ok(json!("0x3")),
            "eth_getBlockByNumber" => {
                Ok(json!({"baseFeePerGas": U64::from(self.base_fee), "timestamp": "0x6553f100"}))
            }
            "eth_estimateGas" => {
                seen.estimated = Some(params[0].clone());
                match &self.estimate {
                    Ok(()) => Ok(json!(U64::from(1_000_000))),
                    Err(data) => revert(data.clone()),
                }
            }
            "eth_getCode" => {
                let at: Address = params[0].as_str().unwrap().parse().unwrap();
                let code = match at {
                    STYLUS_DEPLOYER if self.factory => vec![0x60],
                    CONTRACT => self.code.clone().unwrap_or(program.code().to_vec()),
                    _ => Vec::new(),
                };
                Ok(json!(Bytes::from(code)))
            }
            "eth_call" if to == Some(CONTRACT) => word(self.consortium.into_word()),
            "eth_call" if to == Some(ARB_WASM) && !self.stylus => Ok(json!("0x")),
            "eth_call" if to == Some(ARB_WASM) => {
                let data: Bytes = serde_json::from_value(params[0]["data"].clone()).unwrap();
                let mined = !seen.receipts.is_empty();
                match data[..4].try_into().unwrap() {
                    IArbWasm::stylusVersionCall::SELECTOR => word(B256::with_last_byte(2)),
                    IArbWasm::codehashVersionCall::SELECTOR if self.active || mined => {
                        assert_eq!(data[4..], program.code_hash()[..]);
                        word(B256::with_last_byte(2))
                    }
                    IArbWasm::codehashVersionCall::SELECTOR => {
                        revert(IArbWasm::ProgramNotActivated {}.abi_encode())
                    }
                    IArbWasm::activateProgramCall::SELECTOR => {
                        seen.dry_run = Some(params.clone());
                        match &self.activation {
                            Ok(()) => Ok(json!(Bytes::from((2u16, U256::from(FEE)).abi_encode()))),
                            Err((code, message, data)) => {
                                Err((*code, (*message).into(), data.clone()))
                            }
                        }
                    }
                    other => panic!("ArbWasm has no {other:?}"),
                }
            }
            "eth_sendRawTransaction" => {
                let raw: Bytes = serde_json::from_value(params[0].clone()).unwrap();
                let tx = keccak256(&raw);
                seen.raw.push(raw);
                if !self.keeps_waiting {
                    seen.receipts.insert(tx, self.receipt(tx));
                }
                Ok(json!(tx))
            }
            "eth_getTransactionReceipt" => {
                let tx: B256 = serde_json::from_value(params[0].clone()).unwrap();
                Ok(seen.receipts.get(&tx).cloned().unwrap_or_default())
            }
            other => Err((-32601, format!("no {other}"), vec![])),
        }
    }

    fn receipt(&self, tx: B256) -> Value {
        let mut logs = Vec::new();
        let mut log = |address: Address, event: alloy_primitives::LogData| {
            logs.push(json!({"address": address, "topics": event.topics(), "data": event.data}));
        };
        let deployed = |at| IStylusDeployer::ContractDeployed {
            deployedContract: at,
        };
        // Someone else's event of the same name comes first.
        log(CONSORTIUM, deployed(CONSORTIUM).encode_log_data());
        if !self.active {
            let activated = IArbWasm::ProgramActivated {
                codehash: B256::ZERO,
                moduleHash: B256::ZERO,
                program: CONTRACT,
                dataFee: U256::from(FEE + 1),
                version: 2,
            };
            log(ARB_WASM, activated.encode_log_data());
        }
        if self.tells {
            log(STYLUS_DEPLOYER, deployed(CONTRACT).encode_log_data());
        }
        json!({
            "transactionHash": tx, "blockNumber": "0x7", "gasUsed": "0xf4240",
            "status": format!("{:#x}", self.status), "logs": logs,
        })
    }
}

#[tokio::test]
async fn one_transaction_deploys_activates_and_constructs() {
    let (record, seen) = Fake::default().deploy().await;
    let record = record.unwrap();
    let program = Program::new(WASM).unwrap();
    assert_eq!(
        (record.chain_id, record.contract, record.consortium),
        (CHAIN, CONTRACT, CONSORTIUM)
    );
    assert_eq!(record.code_hash, program.code_hash());
    assert_eq!((record.block, record.gas_used), (7, 1_000_000));
    assert_eq!(record.data_fee, (FEE + 1).to_string());
    assert_eq!(record.wasm_sha256, hex::encode(Sha256::digest(WASM)));

    let seen = seen.lock().unwrap();
    assert_eq!(seen.raw.len(), 1);
    assert_eq!(record.tx, keccak256(&seen.raw[0]));
    // The dry run sees the code where nothing is, and someone who can pay.
    let dry_run = seen.dry_run.as_ref().unwrap();
    let overrides = dry_run[2].as_object().unwrap();
    assert!(
        overrides
            .values()
            .any(|o| o["code"] == json!(Bytes::copy_from_slice(program.code())))
    );
    assert_eq!(dry_run[0]["value"], "0xde0b6b3a7640000");
    // The transaction: to the factory, a fifth above the fee, init code and constructor inside.
    let sent = seen.estimated.as_ref().unwrap();
    assert_eq!(sent["to"], json!(STYLUS_DEPLOYER));
    assert_eq!(sent["value"], json!(U256::from(FEE + FEE / 5)));
    let data: Bytes = serde_json::from_value(sent["data"].clone()).unwrap();
    assert_eq!(hex::encode(&data[..4]), "a9a8e4e9");
    let call = IStylusDeployer::deployCall::abi_decode(&data).unwrap();
    assert_eq!(call.bytecode, program.init_code());
    assert_eq!(
        hex::encode(&call.initData),
        format!(
            "5585258d{}{}{}",
            "00".repeat(12),
            hex::encode(CONSORTIUM),
            "00".repeat(32)
        )
    );
    assert_eq!((call.initValue, call.salt), (U256::ZERO, B256::ZERO));
}

#[test]
fn the_released_module_is_recorded_with_its_compiler() {
    let released = hex::encode(Sha256::digest(artifact::PCAC_WASM));
    assert!(compiler(&released).starts_with("rustc "));
    assert_eq!(compiler(&hex::encode(Sha256::digest(WASM))), "unknown");
}

#[tokio::test]
async fn code_that_is_active_already_costs_no_fee() {
    let (record, seen) = Fake {
        active: true,
        ..Fake::default()
    }
    .deploy()
    .await;
    assert_eq!(record.unwrap().data_fee, "0");
    assert!(seen.lock().unwrap().dry_run.is_none());
    assert_eq!(
        seen.lock().unwrap().estimated.as_ref().unwrap()["value"],
        "0x0"
    );

    let activation = Err((
        3,
        "execution reverted",
        IArbWasm::ProgramUpToDate {}.abi_encode(),
    ));
    let (record, seen) = Fake {
        activation,
        ..Fake::default()
    }
    .deploy()
    .await;
    assert!(record.is_ok());
    assert_eq!(
        seen.lock().unwrap().estimated.as_ref().unwrap()["value"],
        "0x0"
    );
}

#[tokio::test]
async fn a_lost_answer_is_not_a_second_transaction() {
    let (record, seen) = Fake {
        hangs_up: true,
        ..Fake::default()
    }
    .deploy()
    .await;
    assert_eq!(record.unwrap().contract, CONTRACT);
    assert_eq!(seen.lock().unwrap().raw.len(), 1);
}

/// The error of a deployment before which nothing may be sent.
async fn refused(fake: Fake) -> Error {
    let (record, seen) = fake.deploy().await;
    assert!(seen.lock().unwrap().raw.is_empty());
    record.unwrap_err()
}

#[tokio::test]
async fn nothing_is_sent_before_every_check_has_passed() {
    let fake = Fake::default;
    assert!(matches!(
        refused(Fake {
            chain_id: 1,
            ..fake()
        })
        .await,
        Error::Chain(L::WrongChain {
            wanted: CHAIN,
            found: 1
        })
    ));
    assert!(matches!(
        refused(Fake {
            stylus: false,
            ..fake()
        })
        .await,
        Error::NoStylus
    ));
    assert!(matches!(
        refused(Fake {
            factory: false,
            ..fake()
        })
        .await,
        Error::NoDeployer { .. }
    ));
    let activation = Err((-32000, "program activation failed: floats", vec![]));
    assert!(matches!(
        refused(Fake { activation, ..fake() }).await,
        Error::Activation { reason } if reason.ends_with("floats")
    ));
    let activation = Err((
        3,
        "execution reverted",
        IArbWasm::ProgramNotWasm {}.abi_encode(),
    ));
    assert!(matches!(
        refused(Fake { activation, ..fake() }).await,
        Error::Activation { reason } if reason.contains("ProgramNotWasm")
    ));
    let activation = Err((-32602, "too many arguments", vec![]));
    assert!(matches!(
        refused(Fake {
            activation,
            ..fake()
        })
        .await,
        Error::Chain(L::Node { code: -32602, .. })
    ));
    let failed = IStylusDeployer::ContractInitializationError {
        newContract: CONTRACT,
    };
    assert!(matches!(
        refused(Fake { estimate: Err(failed.abi_encode()), ..fake() }).await,
        Error::Refused { reason } if reason.contains("constructor")
    ));
}

#[tokio::test]
async fn too_little_ether_tells_what_is_missing() {
    // Not even the fee: an estimate from experience. The fee, and not the gas: the chain's estimate.
    for (balance, gas) in [(FEE, TYPICAL_GAS), (FEE * 2, 1_200_000)] {
        let Error::Funds {
            have,
            need,
            data_fee,
            ..
        } = refused(Fake {
            balance,
            ..Fake::default()
        })
        .await
        else {
            panic!("the balance was {balance}")
        };
        assert_eq!(have, U256::from(balance));
        assert_eq!(need, U256::from(FEE + FEE / 5 + gas * 200));
        assert_eq!(data_fee, U256::from(FEE + FEE / 5));
    }
}

#[tokio::test]
async fn what_was_made_is_looked_at() {
    let error = async |fake: Fake| fake.deploy().await.0.unwrap_err();
    let fake = Fake::default;
    assert!(matches!(
        error(Fake {
            status: 0,
            ..fake()
        })
        .await,
        Error::Chain(L::Reverted { .. })
    ));
    assert!(matches!(
        error(Fake {
            tells: false,
            ..fake()
        })
        .await,
        Error::NotDeployed { .. }
    ));
    assert!(matches!(
        error(Fake {
            code: Some(vec![0xef]),
            ..fake()
        })
        .await,
        Error::WrongCode {
            contract: CONTRACT,
            ..
        }
    ));
    assert!(matches!(
        error(Fake {
            consortium: CONTRACT,
            ..fake()
        })
        .await,
        Error::WrongConsortium {
            wanted: CONSORTIUM,
            found: Some(CONTRACT),
            ..
        }
    ));
}

#[tokio::test]
async fn a_request_that_cannot_succeed_goes_nowhere() {
    fn movable<T: Send>(future: T) -> T {
        future
    }
    let request = |consortium, key, url: &'static str, wasm| {
        let request = Request {
            rpc_url: url,
            chain_id: CHAIN,
            deployer_key: key,
            consortium,
            predecessor: None,
            wasm,
            max_fee: MAX_FEE,
            records: None,
        };
        async move { movable(deploy(&request)).await.unwrap_err() }
    };
    let nowhere = "http://user:secret@127.0.0.1:9/key";
    assert!(matches!(
        request(Address::ZERO, &[7; 32], nowhere, WASM).await,
        Error::NoConsortium
    ));
    assert!(matches!(
        request(CONSORTIUM, &[0; 32], nowhere, WASM).await,
        Error::Chain(L::Key)
    ));
    assert!(matches!(
        request(CONSORTIUM, &[7; 32], nowhere, b"?").await,
        Error::NotWasm
    ));
    assert!(matches!(
        request(CONSORTIUM, &[7; 32], "ws://host", WASM).await,
        Error::Chain(L::BadUrl { .. })
    ));
    let error = request(CONSORTIUM, &[7; 32], nowhere, WASM).await;
    assert!(
        matches!(&error, Error::Chain(L::Rpc { url, .. }) if url == "http://127.0.0.1:9/…"),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("secret"));
}
