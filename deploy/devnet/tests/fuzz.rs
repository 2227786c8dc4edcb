//! The fuzz targets' entry points, driven with mutations of valid inputs. The seed is fixed, so a failure comes again.
//!
//! `FUZZ_SECONDS` makes each run that long, and `FUZZ_SEED` another one.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stylus_devnet::fuzzing::{Fate, OfflineNode, activate};

/// The least to do, and the time when asked.
struct Budget {
    least: u64,
    until: Option<Instant>,
}
impl Budget {
    fn new(least: u64) -> Self {
        let seconds = std::env::var("FUZZ_SECONDS").ok();
        let seconds = seconds.map(|seconds| seconds.parse().unwrap());
        Self {
            least,
            until: seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds)),
        }
    }
    fn lasts(&self, done: u64) -> bool {
        done < self.least || self.until.is_some_and(|until| Instant::now() < until)
    }
}

struct Random(u64);
impl Random {
    fn new() -> Self {
        let seed = std::env::var("FUZZ_SEED").ok();
        Self(seed.map_or(0x5eed, |seed| seed.parse().unwrap()))
    }
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

const DEV: &str = "0x3f1Eae7D46d88F08fc2F8ed27FCb2AB183EB2d0E";
const HASH: &str = "0x00000000000000000000000000000000000000000000000000000000000000ff";

/// One valid request of every method.
fn requests() -> Vec<(&'static str, Value)> {
    let call = json!({"from": DEV, "to": "0x0000000000000000000000000000000000000071", "gas": "0x100000",
        "value": "0x1", "data": "0xd70c0ca7", "gasPrice": "0x5f5e100", "nonce": "0x0",
        "accessList": [{"address": DEV, "storageKeys": [HASH]}]});
    // A transaction that copies its input into memory and returns it.
    let code = json!({ DEV: {"balance": "0xffffffffffffffff", "nonce": "0x1", "code": "0x365f5f37365ff3", "stateDiff": { HASH: HASH }} });
    let block = json!({"number": "0x9", "time": "0x70000000", "gasLimit": "0xffffff", "baseFeePerGas": "0x1"});
    let logs = json!({"fromBlock": "earliest", "toBlock": "latest", "address": [DEV], "topics": [null, [HASH, null]]});
    let at = json!([DEV, "latest"]);
    vec![
        ("eth_chainId", json!([])),
        ("eth_feeHistory", json!(["0x5", "latest", [5.0, 95.0]])),
        ("eth_getBalance", at.clone()),
        ("eth_getTransactionCount", json!([DEV, "pending"])),
        ("eth_getCode", at),
        (
            "eth_getStorageAt",
            json!([DEV, "0x0", {"blockNumber": "0x0"}]),
        ),
        ("eth_getBlockByNumber", json!(["latest", true])),
        ("eth_getBlockByHash", json!([HASH, false])),
        ("eth_getBlockReceipts", json!(["0x0"])),
        ("eth_getTransactionByHash", json!([HASH])),
        (
            "eth_getTransactionByBlockNumberAndIndex",
            json!(["0x0", "0x0"]),
        ),
        ("eth_getTransactionReceipt", json!([HASH])),
        (
            "eth_sendRawTransaction",
            json!([
                "0xf86380843b9aca0082520894111111111111111111111111111111111111111180808401f1f2c3a0ff00000000000000000000000000000000000000000000000000000000000000a0ff"
            ]),
        ),
        (
            "eth_sendTransaction",
            json!([{"from": DEV, "to": DEV, "value": "0x1"}]),
        ),
        ("eth_call", json!([call, "latest", code, block])),
        ("eth_estimateGas", json!([call, "pending", code])),
        ("eth_createAccessList", json!([call, "latest"])),
        (
            "eth_simulateV1",
            json!([{"blockStateCalls": [{"blockOverrides": {"time": "0x7fffffff"}, "stateOverrides": code, "calls": [call, {"from": DEV, "data": "0x5f5ffd"}]}, {"calls": []}], "validation": false, "returnFullTransactions": true}, "latest"]),
        ),
        ("eth_getLogs", json!([logs])),
        ("eth_newFilter", json!([logs])),
        ("eth_newBlockFilter", json!([])),
        ("eth_newPendingTransactionFilter", json!([])),
        ("eth_getFilterChanges", json!(["0x1"])),
        ("eth_getFilterLogs", json!(["0x1"])),
        ("eth_uninstallFilter", json!(["0x3"])),
        ("eth_subscribe", json!(["logs", logs])),
        (
            "debug_traceCall",
            json!([call, "latest", {"tracer": "callTracer", "tracerConfig": {"withLog": true}, "stateOverrides": code, "blockOverrides": block}]),
        ),
        (
            "debug_traceCall",
            json!([{"data": "0x600160020160005260206000f3"}, "latest", {"enableMemory": true, "limit": 50}]),
        ),
        (
            "debug_traceTransaction",
            json!([HASH, {"tracer": "stylusTracer"}]),
        ),
        ("evm_snapshot", json!([])),
        ("evm_revert", json!(["0x1"])),
        ("evm_mine", json!([{"blocks": 2}])),
        ("anvil_mine", json!(["0x3", "0x1"])),
        ("evm_increaseTime", json!([60])),
        ("evm_setNextBlockTimestamp", json!(["0x70000000"])),
        ("evm_setAutomine", json!([false])),
        ("evm_setIntervalMining", json!([5])),
        ("anvil_setBalance", json!([DEV, "0xffffffffffffffffff"])),
        ("anvil_setNonce", json!([DEV, "0x5"])),
        ("anvil_setCode", json!([DEV, "0x5f5ffd"])),
        ("anvil_setStorageAt", json!([DEV, "0x0", HASH])),
        ("anvil_setNextBlockBaseFeePerGas", json!(["0x5f5e100"])),
        ("anvil_impersonateAccount", json!([DEV])),
        ("anvil_autoImpersonateAccount", json!([true])),
        ("anvil_dropTransaction", json!([HASH])),
        ("anvil_dropAllTransactions", json!([])),
        ("anvil_nodeInfo", json!([])),
        ("txpool_content", json!([])),
        ("web3_sha3", json!(["0x00"])),
    ]
}

fn interesting(random: &mut Random) -> Value {
    match random.below(16) {
        0 => Value::Null,
        1 => json!(random.next() & 1 == 0),
        2 => json!(-1),
        3 => json!(u64::MAX),
        4 => json!(1e300),
        5 => json!(""),
        6 => json!("0x"),
        7 => json!(format!("{:#x}", random.next() >> random.below(64))),
        8 => json!(format!("0x{}", "f".repeat(random.below(70)))),
        9 => json!(format!("0x{}", "5b".repeat(random.below(3_000)))),
        10 => json!(*random.pick(&["latest", "pending", "earliest", "safe", DEV, HASH])),
        11 => json!({}),
        12 => json!([]),
        13 => json!(vec![json!(DEV); random.below(40)]),
        // The addresses with something of their own behind them.
        14 => json!(format!("0x{:040x}", random.below(0x110))),
        _ => json!("é\u{0}\u{ffff}"),
    }
}

/// Changes one place of a value.
fn mutate(value: &mut Value, random: &mut Random) {
    match value {
        Value::Array(items) if !items.is_empty() && random.below(5) > 0 => {
            let at = random.below(items.len());
            match random.below(8) {
                0 => drop(items.remove(at)),
                1 => items.insert(at, interesting(random)),
                2 => items.push(items[at].clone()),
                _ => mutate(&mut items[at], random),
            }
        }
        Value::Object(fields) if !fields.is_empty() && random.below(5) > 0 => {
            let keys: Vec<_> = fields.keys().cloned().collect();
            let key = random.pick(&keys);
            match random.below(8) {
                0 => drop(fields.remove(key)),
                1 => drop(fields.insert(interesting(random).to_string(), json!("0x1"))),
                _ => mutate(&mut fields[key.as_str()], random),
            }
        }
        Value::String(text) if text.len() > 2 && text.is_ascii() && random.below(3) > 0 => {
            let at = random.below(text.len());
            let digit = format!("{:x}", random.below(16));
            text.replace_range(at..=at, &digit);
        }
        other => *other = interesting(random),
    }
}

/// Changes bytes without a thought for what they mean.
fn scramble(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(
                at,
                *random.pick(&[0, 1, 0x7f, 0x80, 0xff, 0x0b, b'"', b'[']),
            ),
            _ => {
                let end = (at + random.below(40)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
        }
    }
}

#[test]
fn any_request_is_answered() {
    let mut random = Random::new();
    let budget = Budget::new(3_000);
    let requests = requests();
    let (mut done, mut results, mut errors, mut none) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut slowest = (Duration::ZERO, String::new());
    let mut node = OfflineNode::new().unwrap();
    while budget.lasts(done) {
        if done % 1_000 == 999 {
            node = OfflineNode::new().unwrap();
        }
        let (method, mut params) = random.pick(&requests).clone();
        for _ in 0..random.below(4) {
            mutate(&mut params, &mut random);
        }
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut body = body.to_string().into_bytes();
        if random.below(10) == 0 {
            scramble(&mut body, &mut random);
        }
        let started = Instant::now();
        match node.answer(&body) {
            Some(answer) if answer.contains("\"error\"") => errors += 1,
            Some(_) => results += 1,
            None => none += 1,
        }
        if started.elapsed() > slowest.0 {
            slowest = (
                started.elapsed(),
                String::from_utf8_lossy(&body).into_owned(),
            );
        }
        done += 1;
    }
    println!("{done} requests: {results} results, {errors} errors, {none} no requests");
    println!("slowest {:?}: {:.300}", slowest.0, slowest.1);
    assert!(
        results > done / 5 && errors > done / 5,
        "{results} {errors}"
    );
    assert!(slowest.0 < Duration::from_secs(60), "{slowest:?}");
}

fn modules() -> Vec<Vec<u8>> {
    let mut modules = Vec::new();
    for folder in ["wat", "random", "bad"] {
        let folder = format!("{}/tests/vectors/{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "wasm"))
            .collect();
        paths.sort();
        let all = paths.iter().map(|path| std::fs::read(path).unwrap());
        modules.extend(all.filter(|wasm| wasm.len() < 20_000));
    }
    assert!(modules.len() > 100, "{}", modules.len());
    modules
}

#[test]
fn any_module_is_activated_or_refused() {
    let mut random = Random::new();
    let budget = Budget::new(2_000);
    let modules = modules();
    let (mut done, mut activated, mut longest) = (0_u64, 0_u64, Duration::ZERO);
    while budget.lasts(done) {
        let mut wasm = random.pick(&modules).clone();
        match random.below(8) {
            0 => {}
            // The head of one and the tail of another.
            1 => {
                let other = random.pick(&modules);
                let (from, at) = (random.below(other.len()), random.below(wasm.len()));
                wasm.truncate(at);
                wasm.extend_from_slice(&other[from..]);
            }
            _ => scramble(&mut wasm, &mut random),
        }
        let started = Instant::now();
        if let Fate::Activated(gas) = activate(&wasm, random.below(2) == 0) {
            assert!(gas > 0);
            activated += 1;
        }
        longest = longest.max(started.elapsed());
        done += 1;
    }
    println!("{done} modules: {activated} activated, slowest {longest:?}");
    assert!(activated > done / 20 && activated < done, "{activated}");
    assert!(longest < Duration::from_secs(60), "{longest:?}");
}
