//! Rules and numbers of host functions that the recordings leave open, each from a program written for it.

use super::vectors::{Seen, run_among};
use super::*;
use crate::arbos::params::Params;
use crate::engine::Engine;
use crate::vectors::{Item, Setting};

const INK: u64 = 10_000_000_000;
/// Ink of one gas.
const GAS: u64 = 10_000;
const OTHER: Address = Address::repeat_byte(0x67);
/// Returns the gas it was given, less the two of asking.
const TELLS_GAS: [u8; 7] = [0x5a, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3];

fn execute_among(body: &str, env: Setting, others: &[(Address, Vec<u8>)]) -> Seen {
    let text = format!(
        r#"(module
        (import "vm_hooks" "account_code" (func $code (param i32 i32 i32 i32) (result i32)))
        (import "vm_hooks" "account_code_size" (func $size (param i32) (result i32)))
        (import "vm_hooks" "storage_load_bytes32" (func $load (param i32 i32)))
        (import "vm_hooks" "storage_cache_bytes32" (func $cache (param i32 i32)))
        (import "vm_hooks" "storage_flush_cache" (func $flush (param i32)))
        (import "vm_hooks" "transient_store_bytes32" (func $tstore (param i32 i32)))
        (import "vm_hooks" "emit_log" (func $log (param i32 i32 i32)))
        (import "vm_hooks" "call_contract" (func $call (param i32 i32 i32 i32 i64 i32) (result i32)))
        (import "vm_hooks" "create1" (func $create (param i32 i32 i32 i32 i32)))
        (import "vm_hooks" "read_return_data" (func $returned (param i32 i32 i32) (result i32)))
        (import "vm_hooks" "return_data_size" (func $return_size (result i32)))
        (import "vm_hooks" "write_result" (func $write_result (param i32 i32)))
        (import "vm_hooks" "exit_early" (func $exit (param i32)))
        (import "vm_hooks" "pay_for_memory_grow" (func $grow (param i32)))
        (memory (export "memory") 1 1)
        ;; 0: zeros, 32: one, 64: the address, 96: two
        (data (i32.const 63) "\01") (data (i32.const 64) "{}") (data (i32.const 127) "\02")
        (func (export "user_entrypoint") (param i32) (result i32) {body}))"#,
        "\\67".repeat(20)
    );
    let wasm = wat::parse_str(text).unwrap();
    let rules = crate::arbos::programs::activation_params(&Params::DEFAULT, 51, 0, false);
    let module = crate::wasm::instrument_for_run(&wasm, rules).unwrap();
    let engine = Engine::new(false);
    let program = engine.compile(&module).unwrap();
    let item = Item::execution(String::new(), INK, env);
    run_among(&engine, &program, &item, others)
}

fn execute(body: &str, env: Setting) -> Seen {
    execute_among(body, env, &[])
}

/// The ink of each host call.
fn inks(seen: &Seen) -> Vec<u64> {
    seen.steps.iter().map(|step| step.3 - step.4).collect()
}

fn read_only() -> Setting {
    Setting {
        read_only: true,
        ..Setting::default()
    }
}

fn holds(slot: u64, value: u64) -> Setting {
    Setting {
        storage: [(format!("{slot:064x}"), format!("{value:064x}"))].into(),
        ..Setting::default()
    }
}

#[test]
fn code_is_paid_for_by_all_its_bytes() {
    for (len, ink) in [
        (120, 33_075_753),
        (135, 33_076_203),
        (179, 33_077_523),
        (206, 33_078_333),
    ] {
        let body = "(drop (call $code (i32.const 64) (i32.const 0) (i32.const 1) (i32.const 1024))) (i32.const 0)";
        let seen = execute_among(body, Setting::default(), &[(OTHER, vec![0x5b; len])]);
        assert_eq!(inks(&seen), [ink], "{len} bytes");
    }
}

#[test]
fn only_the_code_asked_for_last_is_free_and_no_empty_one() {
    let ask = |at: u32| format!("(drop (call $size (i32.const {at})))");
    let body = [64, 64, 0, 0, 64].map(ask).concat() + "(i32.const 0)";
    let seen = execute_among(&body, Setting::default(), &[(OTHER, vec![1])]);
    let price = |gas: u64| 68_073 + gas * GAS;
    let (cold, warm) = (price(2600 + 700), price(100 + 700));
    // Nothing is remembered of the empty one, not even that another was asked for in between.
    assert_eq!(inks(&seen), [cold, price(0), cold, warm, price(0)]);
}

#[test]
fn stores_cost_by_what_the_slot_held() {
    let store = |at: u32| {
        format!("(call $cache (i32.const 0) (i32.const {at})) (call $flush (i32.const 0))")
    };
    let body = [store(32), store(96), store(0), store(32)].concat() + "(i32.const 0)";
    let flush = |gas: u64| 68_073 + gas * GAS;
    let flushes = |seen: Seen| {
        let inks = inks(&seen);
        assert_eq!(inks.iter().step_by(2).collect::<Vec<_>>(), [&18_480; 4]);
        (
            inks.into_iter().skip(1).step_by(2).collect::<Vec<_>>(),
            seen.refund,
        )
    };
    // Cold and new, then dirty; back to nothing gives 19,900 back, and makes it new again.
    let (new, refund) = flushes(execute(&body, Setting::default()));
    assert_eq!(new, [221_068_073, 1_068_073, 1_068_073, 200_068_073]);
    assert_eq!(refund, 19_900);
    // Cold and changed; cleared 4800, which setting it again takes back.
    let (old, refund) = flushes(execute(&body, holds(0, 7)));
    assert_eq!(old, [50_068_073, 1_068_073, 1_068_073, 1_068_073]);
    assert_eq!(refund, 0);
    // What it held at first: 2800.
    let (same, refund) = flushes(execute(&body, holds(0, 1)));
    assert_eq!(same, [flush(2200), flush(2900), flush(100), flush(100)]);
    assert_eq!(refund, 2800);
}

#[test]
fn nothing_is_written_in_a_static_call() {
    for body in [
        "(call $tstore (i32.const 0) (i32.const 32))",
        "(call $log (i32.const 0) (i32.const 0) (i32.const 0))",
        "(call $create (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 600))",
        "(call $cache (i32.const 0) (i32.const 32)) (call $flush (i32.const 0))",
    ] {
        let seen = execute(&format!("{body} (i32.const 0)"), read_only());
        assert_eq!(seen.outcome, "failure", "{body}");
        assert!(seen.ink_left > INK / 2, "{body}");
    }
    // Caching is allowed, and flushing what did not change.
    let body =
        "(call $load (i32.const 0) (i32.const 512)) (call $cache (i32.const 0) (i32.const 512))
        (call $flush (i32.const 1)) (i32.const 0)";
    let seen = execute(body, read_only());
    assert_eq!(seen.outcome, "success");
    assert_eq!(inks(&seen)[2], 68_073);
}

#[test]
fn a_refused_call_empties_the_return_data() {
    let call = |value: u32| {
        format!(
            "(call $call (i32.const 64) (i32.const 0) (i32.const 0) (i32.const {value}) (i64.const -1) (i32.const 512))"
        )
    };
    let body = format!(
        "(drop {}) (i32.store8 (i32.const 1024) {}) (i32.store8 (i32.const 1025) (call $return_size))
        (i32.store8 (i32.const 1026) (i32.load (i32.const 512)))
        (call $write_result (i32.const 1024) (i32.const 3)) (i32.const 0)",
        call(0),
        call(32)
    );
    let others = [(OTHER, TELLS_GAS.to_vec())];
    let seen = execute_among(&body, read_only(), &others);
    assert_eq!(seen.outs, "020000");
    // Nothing but the asking is paid.
    assert_eq!(inks(&seen)[1], 83_193 + 2 * 16_381);
}

#[test]
fn a_call_passes_on_63_of_64_parts_rounded_down_and_a_stipend() {
    let told = |gas: &str, value: u32| {
        let body = format!(
            "(drop (call $call (i32.const 64) (i32.const 0) (i32.const 0) (i32.const {value}) (i64.const {gas}) (i32.const 512)))
            (drop (call $returned (i32.const 1024) (i32.const 0) (i32.const 32)))
            (call $write_result (i32.const 1024) (i32.const 32)) (i32.const 0)"
        );
        let seen = execute_among(&body, Setting::default(), &[(OTHER, TELLS_GAS.to_vec())]);
        assert_eq!(seen.outcome, "success");
        let asking = 83_193 + 2 * 16_381;
        let left = (seen.steps[0].3 - asking) / GAS;
        let told = U256::from_str_radix(&seen.outs, 16).unwrap().to::<u64>();
        (left, told, (inks(&seen)[0] - asking) / GAS)
    };
    // What running it takes: two for asking, then a push, a store with its memory, two pushes.
    let runs = 2 + 2 + 6 + 3 + 2;
    let (left, gas, cost) = told("-1", 0);
    assert_eq!(gas + 2, (left - 2600) * 63 / 64);
    assert_eq!(cost, 2600 + runs);
    assert_eq!(told("1000", 0).1 + 2, 1000);
    // Sending value costs 9000 and gives 2300.
    let (_, gas, cost) = told("0", 32);
    assert_eq!((gas + 2, cost), (2300, 2600 + 9000 + runs));
}

#[test]
fn growth_beyond_all_pages_is_linear_once_it_has_been_there() {
    let grow = |open: u16| {
        let env = Setting {
            open_pages: open,
            ..Setting::default()
        };
        execute("(call $grow (i32.const 3)) (i32.const 0)", env)
    };
    // With its own page the program is the 130th.
    let seen = grow(129);
    assert_eq!(inks(&seen), [3 * 1000 * GAS]);
    let seen = grow(126);
    assert_eq!(
        (seen.outcome.as_str(), seen.pages),
        ("out_of_ink", [130, 130])
    );
}

#[test]
fn leaving_early_keeps_what_was_written() {
    for (status, outcome) in [(0, "success"), (1, "revert"), (7, "revert")] {
        let body = format!(
            "(call $write_result (i32.const 32) (i32.const 32)) (call $exit (i32.const {status})) unreachable"
        );
        let seen = execute(&body, Setting::default());
        assert_eq!(seen.outcome, outcome);
        assert_eq!(seen.outs, format!("{:064x}", 1));
        assert_eq!(inks(&seen), [41_162, 0]);
    }
}

#[test]
fn what_is_returned_costs_what_the_evm_would_have_paid() {
    const BYTES: u64 = 61_440;
    let words = BYTES / 32;
    let evm = 3 * words + words * words / 512;
    for status in [0, 1] {
        let mut chain = Chain::new();
        let body =
            format!("(call $write_result (i32.const 0) (i32.const {BYTES})) (i32.const {status})");
        let program = chain.program(&wat(&body));
        let outcome = chain.send(program, Bytes::new(), 0);
        assert_eq!(outcome.output.len() as u64, BYTES);
        assert_eq!(outcome.gas_used, 21_000 + evm);
        // One less than that is not enough.
        let mut tx = chain.tx(TxKind::Call(program), Bytes::new(), U256::ZERO);
        tx.gas_limit = 21_000 + evm - 1;
        let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
        assert_eq!(outcome.status, Status::Halt("out of gas".into()));
    }
}

#[test]
fn pages_are_given_back_but_remembered() {
    let mut chain = Chain::new();
    let wide = chain.program(
        r#"(module (memory (export "memory") 20 20)
        (func (export "user_entrypoint") (param i32) (result i32) (i32.const 0)))"#,
    );
    // Says what each of two calls took.
    let call = "(drop (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64) (i64.const -1) (i32.const 512)))";
    let ink = |at: u32| format!("(i64.store (i32.const {at}) (call $ink))");
    let body = [
        ink(1024),
        call.into(),
        ink(1032),
        call.into(),
        ink(1040),
        "(call $write_result (i32.const 1024) (i32.const 24)) (i32.const 0)".into(),
    ]
    .concat();
    let caller = chain.program(&wat(&body));
    let output = chain.send(caller, wide.to_vec(), 0).output;
    let ink: Vec<u64> = (output.chunks(8))
        .map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    let (first, second) = (ink[0] - ink[1], ink[1] - ink[2]);
    // The second finds the account warm and 21 pages known: 17 for the callee's, 1 for the caller's own.
    assert_eq!(first - second, (2500 + 17 - 1) * GAS);
}

#[test]
fn activation_costs_what_it_is_made_of() {
    let mut chain = Chain::new();
    // The first activation finds the pricer's slots as they are ever after.
    let text = wat("(i32.const 0)");
    let program = chain.deploy(&program_code(&text));
    let rules = crate::arbos::programs::activation_params(&Params::DEFAULT, 51, 0, true);
    let activated = crate::wasm::activate(&wat::parse_str(&text).unwrap(), rules).unwrap();
    let input = activateProgramCall { program }.abi_encode();
    let data: u64 = input.iter().map(|b| if *b == 0 { 4 } else { 16 }).sum();
    let outcome = chain.activate(program);
    let fixed = 1_747_826;
    assert_eq!(
        outcome.gas_used,
        21_000 + data + fixed + activated.variable_gas
    );
}
