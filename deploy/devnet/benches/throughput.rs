//! How many transactions and calls per second the devnet takes, beside anvil in the same run and beside what the machine
//! can do at all.
//!
//! ```console
//! $ cargo bench --profile dev --bench throughput
//! ```
//!
//! Every figure is the median of five rounds. With `STYLUS_DEVNET_ANVIL`, or an `anvil` in the search path, anvil is
//! measured with the same bytes by the same client; without, its columns are left out.
#![allow(clippy::unwrap_used, dead_code)]

#[path = "../tests/common/node.rs"]
mod node;
#[path = "../tests/common/sign.rs"]
mod sign;
#[path = "../tests/common/wire.rs"]
mod wire;

use std::{
    hint::black_box,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use k256::ecdsa::{RecoveryId, SigningKey, VerifyingKey};
use node::Anvil;
use serde_json::json;
use sign::Unsigned;
use stylus_devnet::{Config, Handle};
use wire::Wire;

const ROUNDS: usize = 5;
/// Transactions or calls of one round.
const COUNT: usize = 1_000;
/// Connections at a time, where there is more than one.
const CLIENTS: usize = 4;
const CHAIN: u64 = 412_346;
const FEE: u128 = 100_000_000;

/// An authorization register of one slot per caller argument: without arguments it writes and logs, with arguments it reads.
const PROGRAM: &str = r#"(module
    (import "vm_hooks" "read_args" (func $read_args (param i32)))
    (import "vm_hooks" "write_result" (func $write_result (param i32 i32)))
    (import "vm_hooks" "msg_sender" (func $sender (param i32)))
    (import "vm_hooks" "native_keccak256" (func $keccak (param i32 i32 i32)))
    (import "vm_hooks" "storage_load_bytes32" (func $load (param i32 i32)))
    (import "vm_hooks" "storage_cache_bytes32" (func $store (param i32 i32)))
    (import "vm_hooks" "storage_flush_cache" (func $flush (param i32)))
    (import "vm_hooks" "emit_log" (func $log (param i32 i32 i32)))
    (memory (export "memory") 1 1)
    (func (export "user_entrypoint") (param $length i32) (result i32)
        (call $sender (i32.const 12))
        (call $keccak (i32.const 0) (i32.const 64) (i32.const 64))
        (call $load (i32.const 64) (i32.const 96))
        (if (i32.eqz (local.get $length)) (then
            (i64.store (i32.const 120) (i64.add (i64.load (i32.const 120)) (i64.const 1)))
            (call $store (i32.const 64) (i32.const 96))
            (call $flush (i32.const 0))
            (call $log (i32.const 64) (i32.const 64) (i32.const 1))))
        (call $write_result (i32.const 96) (i32.const 32))
        (i32.const 0)))"#;

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let profile = if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    };
    println!("profile {profile}; medians of {ROUNDS} rounds of {COUNT}\n");
    machine();
    let devnet = runtime
        .block_on(stylus_devnet::spawn(Config::default()))
        .unwrap();
    // Without its history on disk, which would slow it down.
    let anvil = Anvil::start(&[
        "--chain-id=412346",
        "--base-fee=100000000",
        "--gas-price=100000000",
        "--accounts=1",
        "--prune-history=64",
    ]);
    let keys = Keys::new(&devnet);

    println!("\nplain transfers by eth_sendRawTransaction, each with its receipt");
    let mut rates = vec![("devnet", devnet.url())];
    if let Some(anvil) = &anvil {
        let mut wire = Wire::connect(&anvil.url).unwrap();
        for account in devnet.accounts() {
            wire.must(
                "anvil_setBalance",
                json!([account.address, "0x3635c9adc5dea00000"]),
            );
        }
        rates.push(("anvil", anvil.url.clone()));
    }
    for clients in [1, CLIENTS] {
        let mut medians = Vec::new();
        for (name, url) in &rates {
            let per_second = rounds(|| {
                let sets = (0..clients)
                    .map(|client| keys.payments(client, url, COUNT / clients))
                    .collect();
                transfers(url, sets)
            });
            println!("  {name:<8} {clients} client(s) {per_second:>9.0} /s");
            medians.push(per_second);
        }
        if let [ours, theirs] = medians[..] {
            println!("  devnet / anvil          {:>9.2}", ours / theirs);
        }
    }

    let program = keys.deploy(&devnet);
    println!("\na Stylus program by RPC");
    let from = devnet.accounts()[0].address;
    let view = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_call",
        "params": [{"from": from, "to": program, "input": "0x01"}, "latest"]})
    .to_string();
    for clients in [1, CLIENTS] {
        let per_second = rounds(|| {
            let sets = vec![vec![view.clone(); COUNT / clients]; clients];
            timed(sets, &devnet.url(), |_, _| {})
        });
        println!("  view, eth_call            {clients} client(s) {per_second:>9.0} /s");
    }
    let per_second = rounds(|| {
        let set = keys.calls(&devnet, program, COUNT);
        transfers(&devnet.url(), vec![set])
    });
    println!("  write, raw transactions   1 client(s) {per_second:>9.0} /s");

    println!("\nin-process");
    let per_second = rounds(|| {
        let raw = keys.payments(0, &devnet.url(), COUNT);
        submit(&devnet, raw)
    });
    println!("  plain transfers           {per_second:>9.0} /s");
    let per_second = rounds(|| submit(&devnet, keys.calls(&devnet, program, COUNT)));
    println!("  program, write            {per_second:>9.0} /s");
    let input = Bytes::from_static(&[1]);
    let per_second = rounds(|| {
        let started = Instant::now();
        for _ in 0..COUNT {
            black_box(devnet.call(from, program, input.clone()).unwrap());
        }
        COUNT as f64 / started.elapsed().as_secs_f64()
    });
    println!("  program, view             {per_second:>9.0} /s");
    let writes = devnet.call(from, program, input).unwrap();
    let wanted = 2 * ROUNDS * COUNT;
    assert_eq!(U256::from_be_slice(&writes[..24]), U256::ZERO);
    assert_eq!(
        u64::from_le_bytes(writes[24..].try_into().unwrap()),
        wanted as u64
    );
    runtime.block_on(devnet.shutdown());
}

/// The median of [`ROUNDS`].
fn rounds(mut round: impl FnMut() -> f64) -> f64 {
    let mut rates: Vec<_> = (0..ROUNDS).map(|_| round()).collect();
    rates.sort_by(f64::total_cmp);
    rates[ROUNDS / 2]
}

/// The bound of every node here, whatever it does.
fn machine() {
    println!("the machine, one core");
    let data = vec![7; 1 << 20];
    let hash = rounds(|| {
        let started = Instant::now();
        for at in 0..100_000_u64 {
            black_box(keccak256(black_box(at.to_be_bytes())));
        }
        100_000.0 / started.elapsed().as_secs_f64()
    });
    println!("  Keccak-256 of 8 bytes     {hash:>9.0} /s");
    let key = SigningKey::from_slice(&[1; 32]).unwrap();
    let digest = keccak256(b"digest");
    let (signature, recovery): (_, RecoveryId) =
        key.sign_prehash_recoverable(digest.as_slice()).unwrap();
    let recovered = rounds(|| {
        let started = Instant::now();
        for _ in 0..COUNT {
            let key = VerifyingKey::recover_from_prehash(
                black_box(digest.as_slice()),
                &signature,
                recovery,
            );
            black_box(key.unwrap());
        }
        COUNT as f64 / started.elapsed().as_secs_f64()
    });
    println!("  senders recovered         {recovered:>9.0} /s");
    let mut copy = vec![0; data.len()];
    let copied = rounds(|| {
        let started = Instant::now();
        for _ in 0..1_000 {
            copy.copy_from_slice(black_box(&data));
            black_box(&mut copy);
        }
        1_000.0 * data.len() as f64 / started.elapsed().as_secs_f64()
    });
    println!("  memory copied             {:>9.1} GB/s", copied / 1e9);
    println!("  loopback round trips      {:>9.0} /s", rounds(loopback));
    let spawned = rounds(|| {
        let started = Instant::now();
        for _ in 0..COUNT {
            std::thread::spawn(|| ()).join().unwrap();
        }
        COUNT as f64 / started.elapsed().as_secs_f64()
    });
    println!("  threads started and joined{spawned:>9.0} /s");
}

/// 200 bytes there, 200 back, on one connection.
fn loopback() -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let echo = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut bytes = [0; 200];
        while stream.read_exact(&mut bytes).is_ok() {
            stream.write_all(&bytes).unwrap();
        }
    });
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut bytes = [0; 200];
    let started = Instant::now();
    for _ in 0..COUNT {
        stream.write_all(&bytes).unwrap();
        stream.read_exact(&mut bytes).unwrap();
    }
    let rate = COUNT as f64 / started.elapsed().as_secs_f64();
    drop(stream);
    echo.join().unwrap();
    rate
}

/// Posts each client's bodies one after another, all clients at a time; how many a second.
fn timed(sets: Vec<Vec<String>>, url: &str, after: impl Fn(&mut Wire, &[String]) + Sync) -> f64 {
    let count: usize = sets.iter().map(Vec::len).sum();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for set in &sets {
            let after = &after;
            scope.spawn(move || {
                let mut wire = Wire::connect(url).unwrap();
                for body in set {
                    let answer = wire.post(body).unwrap();
                    assert!(
                        answer.windows(8).any(|part| part == b"\"result\""),
                        "{}",
                        String::from_utf8_lossy(&answer)
                    );
                }
                after(&mut wire, set);
            });
        }
    });
    count as f64 / started.elapsed().as_secs_f64()
}

/// [`timed`] for signed transactions; it ends when the last of each client has its receipt.
fn transfers(url: &str, sets: Vec<Vec<Bytes>>) -> f64 {
    let last: Vec<B256> = sets
        .iter()
        .map(|set| keccak256(set.last().unwrap()))
        .collect();
    let bodies = sets
        .iter()
        .map(|set| {
            set.iter()
                .map(|raw| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["{raw}"]}}"#))
                .collect()
        })
        .collect::<Vec<Vec<String>>>();
    timed(bodies, url, |wire, _| {
        for hash in &last {
            while wire
                .must("eth_getTransactionReceipt", json!([hash]))
                .is_null()
            {}
        }
    })
}

fn submit(devnet: &Handle, raw: Vec<Bytes>) -> f64 {
    let started = Instant::now();
    let count = raw.len();
    for raw in raw {
        devnet.send_raw(raw).unwrap();
    }
    count as f64 / started.elapsed().as_secs_f64()
}

/// The prefunded accounts.
struct Keys(Vec<(SigningKey, Address)>);
impl Keys {
    fn new(devnet: &Handle) -> Self {
        let accounts = devnet.accounts().iter();
        Self(
            accounts
                .map(|account| {
                    (
                        SigningKey::from_slice(account.private_key.as_slice()).unwrap(),
                        account.address,
                    )
                })
                .collect(),
        )
    }

    fn nonce(&self, url: &str, client: usize) -> u64 {
        let mut wire = Wire::connect(url).unwrap();
        let nonce = wire.must(
            "eth_getTransactionCount",
            json!([self.0[client].1, "latest"]),
        );
        u64::from_str_radix(nonce.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    }

    fn payments(&self, client: usize, url: &str, count: usize) -> Vec<Bytes> {
        let first = self.nonce(url, client);
        (first..first + count as u64)
            .map(|nonce| {
                Unsigned::pay(CHAIN, nonce, Address::repeat_byte(0xb0), 2 * FEE)
                    .sign(&self.0[client].0)
            })
            .collect()
    }

    fn calls(&self, devnet: &Handle, program: Address, count: usize) -> Vec<Bytes> {
        let first = self.nonce(&devnet.url(), 0);
        (first..first + count as u64)
            .map(|nonce| {
                Unsigned {
                    value: U256::ZERO,
                    gas_limit: 1_000_000,
                    ..Unsigned::pay(CHAIN, nonce, program, FEE)
                }
                .sign(&self.0[0].0)
            })
            .collect()
    }

    /// Deploys and activates [`PROGRAM`].
    fn deploy(&self, devnet: &Handle) -> Address {
        let wasm = wat::parse_str(PROGRAM).unwrap();
        let mut code = vec![0xef, 0xf0, 0x00, 0x00];
        brotli::CompressorWriter::new(&mut code, 4096, 11, 22)
            .write_all(&wasm)
            .unwrap();
        let mut init = vec![0x61];
        init.extend_from_slice(&(code.len() as u16).to_be_bytes());
        init.extend_from_slice(&[0x80, 0x60, 0x0b, 0x5f, 0x39, 0x5f, 0xf3, 0x00]);
        init.extend_from_slice(&code);
        let (key, from) = &self.0[0];
        let nonce = self.nonce(&devnet.url(), 0);
        let program = from.create(nonce);
        let pay = Unsigned::pay(CHAIN, nonce, Address::ZERO, FEE);
        let deploy = Unsigned {
            to: None,
            value: U256::ZERO,
            gas_limit: 5_000_000,
            input: init.into(),
            ..pay.clone()
        };
        let mut input = keccak256("activateProgram(address)")[..4].to_vec();
        input.extend_from_slice(program.into_word().as_slice());
        let activate = Unsigned {
            nonce: nonce + 1,
            to: Some(Address::with_last_byte(0x71)),
            value: U256::from(10_u64.pow(16)),
            gas_limit: 20_000_000,
            input: input.into(),
            ..pay
        };
        for tx in [deploy, activate] {
            devnet.send_raw(tx.sign(key)).unwrap();
        }
        program
    }
}
