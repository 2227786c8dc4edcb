//! Programs at work: state, calls both ways, endings.

use super::*;

#[test]
fn storage_persists_and_logs_are_emitted() {
    let mut chain = Chain::new();
    let program = chain.program(&keeper());
    let first = chain.send(program, A, 0);
    assert_eq!(first.status, Status::Success);
    assert_eq!(first.output[..], B256::ZERO[..]);
    assert_eq!(first.logs[0].address, program);
    assert_eq!(first.logs[0].topics(), [A]);
    let second = chain.send(program, B, 0);
    assert_eq!(second.output[..], A[..]);
    // The slot exists now: 5000 instead of 22 100.
    assert!(second.gas_used < first.gas_used - 17_000);
}

#[test]
fn a_revert_undoes_and_keeps_its_data_and_gas() {
    let mut chain = Chain::new();
    let program = chain.program(&keeper());
    chain.send(program, A, 0);
    let outcome = chain.send(program, BAD, 0);
    assert_eq!(outcome.status, Status::Revert);
    assert_eq!(outcome.output[..], A[..]);
    assert!(outcome.logs.is_empty());
    assert!(outcome.gas_used < 100_000);
    assert_eq!(chain.send(program, B, 0).output[..], A[..]);
}

#[test]
fn refunds_of_a_program_count() {
    let mut chain = Chain::new();
    let program = chain.program(&keeper());
    chain.send(program, A, 0);
    let outcome = chain.send(program, B256::ZERO, 0);
    assert_eq!(outcome.max_gas_used - outcome.gas_used, 4800);
}

#[test]
fn programs_and_contracts_call_each_other() {
    let mut chain = Chain::new();
    let keeper = chain.program(&keeper());
    let wasm = chain.program(&caller("call"));
    let evm = chain.deploy(&evm_caller());
    // EOA → WASM → EVM → WASM → WASM
    let nested = calling(evm, &calling(wasm, &calling(keeper, A.as_slice())));
    let outcome = chain.send(wasm, nested.clone(), 0);
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    assert_eq!(outcome.output[..], B256::ZERO[..]);
    assert_eq!(outcome.logs.len(), 1);
    assert_eq!(chain.send(wasm, nested, 0).output[..], A[..]);

    // The innermost revert comes out with its data, and nothing stays.
    let failing = calling(evm, &calling(wasm, &calling(keeper, BAD.as_slice())));
    let outcome = chain.send(wasm, failing, 0);
    assert_eq!(outcome.status, Status::Revert);
    assert_eq!(outcome.output[..], A[..]);
    assert_eq!(chain.send(keeper, B, 0).output[..], A[..]);
}

#[test]
fn a_delegate_call_acts_for_the_caller() {
    let mut chain = Chain::new();
    let keeper = chain.program(&keeper());
    let proxy = chain.program(&caller("delegate"));
    let outcome = chain.send(proxy, calling(keeper, A.as_slice()), 0);
    assert_eq!(outcome.status, Status::Success);
    assert_eq!(outcome.logs[0].address, proxy);
    assert_eq!(chain.send(keeper, B, 0).output[..], B256::ZERO[..]);
    let outcome = chain.send(proxy, calling(keeper, B.as_slice()), 0);
    assert_eq!(outcome.output[..], A[..]);
}

#[test]
fn a_program_cannot_be_destroyed() {
    let mut chain = Chain::new();
    let proxy = chain.program(&caller("delegate"));
    // selfdestruct(caller)
    let bomb = chain.deploy(&[0x33, 0xff]);
    let outcome = chain.send(proxy, calling(bomb, &[]), 0);
    assert_eq!(outcome.status, Status::Revert);
    assert_eq!(chain.send(bomb, Bytes::new(), 0).status, Status::Success);
}

#[test]
fn a_static_call_cannot_write() {
    let mut chain = Chain::new();
    let keeper = chain.program(&keeper());
    let reader = chain.program(&caller("static"));
    let outcome = chain.send(reader, calling(keeper, A.as_slice()), 0);
    assert_eq!(outcome.status, Status::Revert);
    assert!(outcome.output.is_empty());
    assert_eq!(chain.send(keeper, B, 0).output[..], B256::ZERO[..]);
}

#[test]
fn a_program_creates_contracts() {
    let mut chain = Chain::new();
    let factory = chain.program(&wat(
        r#"(call $create (i32.const 0) (local.get $len) (i32.const 4096) (i32.const 8204) (i32.const 8300))
        (call $write_result (i32.const 8192) (i32.const 32))
        (i32.const 0)"#,
    ));
    let outcome = chain.send(factory, init_code(&[0x60, 0x00]), 0);
    assert_eq!(outcome.status, Status::Success);
    let created = Address::abi_decode(&outcome.output).unwrap();
    assert_eq!(created, factory.create(1));
    let info = revm::DatabaseRef::basic_ref(&chain.db, created)
        .unwrap()
        .unwrap();
    assert_eq!(info.code_hash, keccak256([0x60, 0x00]));
    // Init code that reverts: no address, and the program goes on.
    let outcome = chain.send(factory, vec![0x5f, 0x5f, 0xfd], 0);
    assert_eq!(outcome.output[..], B256::ZERO[..]);
}

#[test]
fn value_moves_into_programs_and_sender_is_known() {
    let mut chain = Chain::new();
    let program = chain.program(&wat(r#"(call $value (i32.const 0))
        (call $sender (i32.const 44))
        (i64.store (i32.const 64) (call $number))
        (call $write_result (i32.const 0) (i32.const 72))
        (i32.const 0)"#));
    let outcome = chain.send(program, Bytes::new(), 9);
    assert_eq!(outcome.output[..32], U256::from(9).to_be_bytes::<32>());
    assert_eq!(outcome.output[44..64], ALICE[..]);
    assert_eq!(outcome.output[64..], 1234u64.to_le_bytes());
    assert_eq!(chain.balance(program), U256::from(9));
}

#[test]
fn a_program_sees_that_it_is_reentered() {
    let mut chain = Chain::new();
    // Called with nothing it says whether it is re-entered, else it calls what the arguments name.
    let program = chain.program(&wat(r#"(if (local.get $len) (then
            (drop (call $call (i32.const 0) (i32.const 20) (i32.sub (local.get $len) (i32.const 20))
                (i32.const 4096) (i64.const -1) (i32.const 8192)))
            (call $write_result (i32.const 12288)
                (call $returned (i32.const 12288) (i32.const 0) (i32.load (i32.const 8192))))
            (return (i32.const 0))))
        (i32.store8 (i32.const 64) (call $reentrant))
        (call $write_result (i32.const 64) (i32.const 1))
        (i32.const 0)"#));
    let evm = chain.deploy(&evm_caller());
    assert_eq!(chain.send(program, Bytes::new(), 0).output[..], [0]);
    let through = chain.send(evm, calling(program, &[]), 0);
    assert_eq!(through.output[..], [0]);
    let back = calling(evm, &calling(program, &[]));
    assert_eq!(chain.send(program, back, 0).output[..], [1]);
}

#[test]
fn an_endless_loop_burns_all_gas() {
    let mut chain = Chain::new();
    let program = chain.program(&wat("(loop $l (br $l)) (i32.const 0)"));
    let outcome = chain.send(program, Bytes::new(), 0);
    assert_eq!(outcome.status, Status::Halt("out of gas".into()));
    assert_eq!(outcome.gas_used, 20_000_000);
}

#[test]
fn endless_recursion_burns_all_gas() {
    let mut chain = Chain::new();
    let program = chain.program(
        r#"(module (memory (export "memory") 1 1)
        (func $f (param i32 i64 i64) (result i32) (local i64 i64 i64)
            (i32.add (i32.const 1)
                (call $f (local.get 0) (i64.add (local.get 1) (local.get 2)) (local.get 4))))
        (func (export "user_entrypoint") (param i32) (result i32)
            (call $f (local.get 0) (i64.const 1) (i64.const 2))))"#,
    );
    let outcome = chain.send(program, Bytes::new(), 0);
    assert_eq!(
        outcome.status,
        Status::Halt("max call depth exceeded".into())
    );
    assert_eq!(outcome.gas_used, 20_000_000);
}

#[test]
fn programs_that_call_themselves_end_by_gas() {
    let mut chain = Chain::new();
    // Calls itself with its own arguments until the gas is gone, then succeeds everywhere.
    let program = chain.program(&wat(
        r#"(drop (call $call (i32.const 0) (i32.const 0) (local.get $len)
            (i32.const 4096) (i64.const -1) (i32.const 8192)))
        (i32.const 0)"#,
    ));
    let mut tx = chain.tx(TxKind::Call(program), program.to_vec(), U256::ZERO);
    tx.gas_limit = 32_000_000;
    let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    // Each level keeps a 64th of its gas, so hundreds of them were open at once.
    assert!(outcome.gas_used > 5_000_000, "{}", outcome.gas_used);
}

#[test]
fn a_trap_is_a_revert_that_keeps_the_gas() {
    let mut chain = Chain::new();
    let program = chain.program(&wat("unreachable"));
    let outcome = chain.send(program, Bytes::new(), 0);
    assert_eq!(outcome.status, Status::Revert);
    assert!(outcome.output.is_empty());
    assert!(outcome.gas_used < 100_000);
}

#[test]
fn a_creation_costs_to_the_ink_what_it_costs() {
    let mut chain = Chain::new();
    let mut ink = |create: &str| {
        let program = chain.program(&wat_with(
            "(local $before i64)",
            &format!(
                r#"(local.set $before (call $ink))
                {create}
                (i64.store (i32.const 0) (i64.sub (local.get $before) (call $ink)))
                (call $write_result (i32.const 0) (i32.const 8))
                (i32.const 0)"#
            ),
        ));
        let output = chain.send(program, Bytes::new(), 0).output;
        u64::from_le_bytes(output[..].try_into().unwrap())
    };
    // Reading no code twice, 32 000 gas; the callers' blocks; the question at the end.
    let code = 2 * 16_381 + 320_000_000;
    let blocks = (2450 + 210 + 5 + 3800) + (2450 + 1 + 75 + 3800);
    let create = "(call $create (i32.const 99) (i32.const 0) (i32.const 4096) (i32.const 64) (i32.const 128))";
    assert_eq!(ink(create), 83_193 + code + blocks + 8400);
    let create2 = "(call $create2 (i32.const 99) (i32.const 0) (i32.const 4096) (i32.const 4096) (i32.const 64) (i32.const 128))";
    assert_eq!(ink(create2), 88_233 + code + blocks + 1 + 8400);
}

#[test]
fn gas_beyond_the_cap_is_given_back() {
    let mut chain = Chain::new();
    let program = chain.program(&wat("(loop $l (br $l)) (i32.const 0)"));
    let mut tx = chain.tx(TxKind::Call(program), Bytes::new(), U256::ZERO);
    tx.gas_limit = 50_000_000;
    let outcome = chain.try_run(tx.clone(), Mode::Transaction).unwrap();
    assert_eq!(outcome.status, Status::Halt("out of gas".into()));
    assert_eq!(outcome.gas_used, 32_000_000);
    // A call may use what it brings.
    assert_eq!(chain.try_run(tx, Mode::Call).unwrap().gas_used, 50_000_000);
}
