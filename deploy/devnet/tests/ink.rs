//! The price of each host function, to the ink, as a trace of one program shows it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::Write as _;

use common::{activate, client, creation, devnet, program, rpc, send};
use ethers::types::TransactionRequest;
use serde_json::json;

/// Returns 10,000 zero bytes.
const LONG: [u8; 5] = [0x61, 0x27, 0x10, 0x5f, 0xf3];
/// Of gas, at 10,000 ink each.
const GAS: u64 = 10_000;

/// Name, parameters and result of what is imported; arguments of the calls in order, and their ink.
type Hook = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, u64)],
);

/// Words in memory: 0 is zero, 32 a key, 64 a value, 96 the address of [`LONG`], 128 and 160 other addresses, none touched before,
/// from 192 on exponents of 1, 2, 10 and 32 bytes.
const HOOKS: [Hook; 33] = [
    ("read_args", "i32", "", &[("4096", 13_440)]),
    ("msg_reentrant", "", "i32", &[("", 8_400)]),
    ("tx_ink_price", "", "i32", &[("", 8_400)]),
    ("chainid", "", "i64", &[("", 8_400)]),
    ("block_timestamp", "", "i64", &[("", 8_400)]),
    ("block_gas_limit", "", "i64", &[("", 8_400)]),
    ("evm_gas_left", "", "i64", &[("", 8_400)]),
    ("evm_ink_left", "", "i64", &[("", 8_400)]),
    ("block_basefee", "i32", "", &[("4096", 13_440)]),
    ("block_coinbase", "i32", "", &[("4096", 13_440)]),
    ("msg_value", "i32", "", &[("4096", 13_440)]),
    ("tx_gas_price", "i32", "", &[("4096", 13_440)]),
    ("tx_origin", "i32", "", &[("4096", 13_440)]),
    ("contract_address", "i32", "", &[("4096", 13_440)]),
    (
        "account_balance",
        "i32 i32",
        "",
        &[("4096 4160", 1_078_153), ("128 4160", 26_078_153)],
    ),
    (
        "account_codehash",
        "i32 i32",
        "",
        &[("4096 4160", 1_078_153), ("160 4160", 26_078_153)],
    ),
    // The code just asked for is free, but for copying it.
    (
        "account_code_size",
        "i32",
        "i32",
        &[("96", 33_068_073), ("96", 68_073)],
    ),
    (
        "account_code",
        "i32 i32 i32 i32",
        "i32",
        &[
            ("96 0 5 4160", 68_073 + 5_040),
            ("96 4 9 4160", 68_073 + 5_040),
        ],
    ),
    (
        "transient_store_bytes32",
        "i32 i32",
        "",
        &[("32 64", 1_078_153)],
    ),
    (
        "transient_load_bytes32",
        "i32 i32",
        "",
        &[("32 4160", 1_078_153)],
    ),
    ("storage_cache_bytes32", "i32 i32", "", &[("0 64", 18_480)]),
    (
        "storage_flush_cache",
        "i32",
        "",
        &[("0", 221_068_073), ("1", 68_073)],
    ),
    (
        "storage_load_bytes32",
        "i32 i32",
        "",
        &[
            ("0 4160", 1_068_480),
            ("0 4160", 18_480),
            ("32 4160", 21_068_480),
            ("32 4160", 18_480),
        ],
    ),
    ("math_div", "i32 i32", "", &[("4160 64", 43_520)]),
    ("math_mod", "i32 i32", "", &[("4160 0", 43_520)]),
    (
        "math_pow",
        "i32 i32",
        "",
        &[
            ("4160 192", 61_520),
            ("4160 224", 79_020),
            ("4160 256", 219_020),
            ("4160 288", 604_020),
        ],
    ),
    ("math_add_mod", "i32 i32 i32", "", &[("4160 32 64", 49_560)]),
    ("math_mul_mod", "i32 i32 i32", "", &[("4160 32 64", 52_660)]),
    (
        "native_keccak256",
        "i32 i32 i32",
        "",
        &[
            ("0 10 4160", 121_800),
            ("0 100 4160", 163_800),
            ("0 1000 4160", 751_800),
        ],
    ),
    (
        "emit_log",
        "i32 i32 i32",
        "",
        &[
            ("0 0 0", 3_834_454),
            ("0 10 0", 4_634_454),
            ("0 100 0", 11_838_194),
            ("0 132 1", 15_589_954),
            ("0 164 2", 19_341_714),
            ("0 196 3", 23_093_474),
            ("0 228 4", 26_845_234),
        ],
    ),
    (
        // Reading no arguments twice; 100 for an account touched before; two pushes and 313 words of memory.
        "static_call_contract",
        "i32 i32 i32 i64 i32",
        "i32",
        &[(
            "96 0 0 -1 4160",
            83_193 + 2 * 16_381 + (100 + 5 + 1_130) * GAS,
        )],
    ),
    (
        "read_return_data",
        "i32 i32 i32",
        "i32",
        &[
            ("8192 0 10", 73_113),
            ("8192 0 100", 75_153),
            ("8192 0 1000", 102_153),
            ("8192 0 10000", 372_153),
            ("8192 10000 1", 73_113),
        ],
    ),
    ("write_result", "i32 i32", "", &[("0 0", 41_162)]),
];

/// A program that makes all the calls, and then pays for pages that it does not take.
fn all(long: &str) -> String {
    let (mut imports, mut body) = (String::new(), String::new());
    let grow = (
        "pay_for_memory_grow",
        "i32",
        "",
        &[("0", 0), ("100", 0)][..],
    );
    for (name, parameters, result, calls) in HOOKS.into_iter().chain([grow]) {
        let types: Vec<_> = parameters.split_whitespace().collect();
        let result_type = if result.is_empty() {
            String::new()
        } else {
            format!("(result {result})")
        };
        writeln!(
            imports,
            r#"(import "vm_hooks" "{name}" (func ${name} (param {parameters}) {result_type}))"#
        )
        .unwrap();
        for (arguments, _) in calls {
            let values = arguments.split_whitespace().zip(&types);
            let values: String = values
                .map(|(value, kind)| format!("({kind}.const {value})"))
                .collect();
            let drop = if result.is_empty() { "" } else { "drop" };
            writeln!(body, "(call ${name} {values}) {drop}").unwrap();
        }
    }
    let (one, two, five) = (word("01"), word("0100"), word("05"));
    let (ten, full) = (word(&"01".repeat(10)), word(&"ff".repeat(32)));
    let address = |hex: &str| format!("{hex:0<64}");
    let data: String = [
        word(""),
        one.clone(),
        five,
        address(long),
        address(&"a1".repeat(20)),
        address(&"b2".repeat(20)),
        one,
        two,
        ten,
        full,
    ]
    .concat()
    .as_bytes()
    .chunks(2)
    .map(|byte| format!("\\{}", std::str::from_utf8(byte).unwrap()))
    .collect();
    format!(
        r#"(module {imports} (memory (export "memory") 1 1) (data (i32.const 0) "{data}")
        (func (export "user_entrypoint") (param i32) (result i32) {body} (i32.const 0)))"#
    )
}
fn word(hex: &str) -> String {
    format!("{hex:0>64}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_host_function_costs_what_it_costs() {
    let devnet = devnet().await;
    let client = client(&devnet, 0);
    let sent = TransactionRequest::new().data(creation(&LONG));
    let long = send(&client, sent).await.contract_address.unwrap();
    let sent = TransactionRequest::new().data(creation(&program(&all(&hex::encode(long)))));
    let program = send(&client, sent).await.contract_address.unwrap();
    activate(&client, program).await;

    let options = json!({"tracer": "stylusTracer"});
    let call =
        json!([{"to": program, "input": format!("0x{}", "11".repeat(32))}, "latest", options]);
    let steps = rpc(&devnet, "debug_traceCall", call).await;
    let seen: Vec<(&str, u64)> = steps
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            let ink = |name: &str| step[name].as_u64().unwrap();
            (
                step["name"].as_str().unwrap(),
                ink("startInk") - ink("endInk"),
            )
        })
        .collect();
    let hooks = HOOKS.iter();
    let mut expected = vec![("user_entrypoint", 0)];
    expected
        .extend(hooks.flat_map(|(name, _, _, calls)| calls.iter().map(|(_, ink)| (*name, *ink))));
    // 99 pages beyond the free ones and what the exponential part rises by, from 1 to 101 pages.
    expected.extend([
        ("pay_for_memory_grow", 8_400),
        ("pay_for_memory_grow", 9_320_660_000),
    ]);
    expected.push(("user_returned", 0));
    assert_eq!(seen, expected);
}
