//! Transactions end to end on an in-memory state: plain EVM, programs, and both nested in each other.
#![allow(clippy::unwrap_used)]

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, keccak256};
use alloy_sol_types::{SolCall, SolError, SolEvent, SolValue, sol};
use revm::DatabaseCommit;
use revm::database::{CacheDB, EmptyDB};
use revm::state::{AccountInfo, Bytecode};

use super::{BlockParams, InvalidTx, Mode, Outcome, Status, TxParams, Vm};
use crate::arbos;

sol! {
    function activateProgram(address program) external payable returns (uint16 version, uint256 dataFee);
    function stylusVersion() external view returns (uint16);
    function codehashVersion(bytes32 codehash) external view returns (uint16);
    function programInitGas(address program) external view returns (uint64 gas, uint64 gasWhenCached);
    function arbBlockNumber() external view returns (uint256);
    function arbOSVersion() external view returns (uint256);
    event ProgramActivated(bytes32 indexed codehash, bytes32 moduleHash, address program, uint256 dataFee, uint16 version);
    error ProgramNotWasm();
    error ProgramNotActivated();
    error ProgramUpToDate();
    error ProgramInsufficientValue(uint256 have, uint256 want);
}

const ALICE: Address = address!("00000000000000000000000000000000000a11ce");
const ARB_WASM: Address = address!("0000000000000000000000000000000000000071");
const ARB_SYS: Address = address!("0000000000000000000000000000000000000064");
const COINBASE: Address = address!("A4b000000000000000000073657175656e636572");
const BASE_FEE: u64 = 100_000_000;
const ETHER: u128 = 1_000_000_000_000_000_000;

struct Chain {
    vm: Vm,
    db: CacheDB<EmptyDB>,
}

impl Chain {
    fn new() -> Self {
        let mut db = CacheDB::new(EmptyDB::default());
        for (account, slot, value) in arbos::genesis_storage() {
            let nonce = AccountInfo::default().with_nonce(1);
            db.insert_account_info(account, nonce);
            db.insert_account_storage(account, slot, value).unwrap();
        }
        for address in arbos::precompile_addresses() {
            let code = Bytecode::new_raw(Bytes::from_static(&[0xfe]));
            db.insert_account_info(address, AccountInfo::from_bytecode(code));
        }
        db.insert_account_info(ALICE, AccountInfo::from_balance(U256::from(1000 * ETHER)));
        let vm = Vm::new(arbos::LOCAL_CHAIN_ID);
        Self { vm, db }
    }

    fn try_run(&mut self, tx: TxParams, mode: Mode) -> Result<Outcome, InvalidTx> {
        let block = BlockParams {
            number: 7,
            l1_number: 1234,
            timestamp: 1_790_000_000,
            base_fee: BASE_FEE,
            gas_limit: 1 << 50,
            coinbase: COINBASE,
        };
        let outcome = self.vm.transact(&self.db, &block, &tx, mode)?;
        if mode == Mode::Transaction {
            self.db.commit(outcome.state.clone());
        }
        Ok(outcome)
    }

    fn tx(&self, to: TxKind, input: impl Into<Bytes>, value: U256) -> TxParams {
        TxParams {
            from: ALICE,
            to,
            value,
            input: input.into(),
            gas_limit: 20_000_000,
            gas_price: 2 * u128::from(BASE_FEE),
            nonce: self.nonce(ALICE),
            access_list: Vec::new(),
            authorizations: Vec::new(),
        }
    }

    fn send(&mut self, to: Address, input: impl Into<Bytes>, value: u128) -> Outcome {
        let tx = self.tx(TxKind::Call(to), input, U256::from(value));
        self.try_run(tx, Mode::Transaction).unwrap()
    }

    fn view(&mut self, to: Address, input: impl Into<Bytes>) -> Outcome {
        let tx = TxParams {
            gas_price: 0,
            ..self.tx(TxKind::Call(to), input, U256::ZERO)
        };
        self.try_run(tx, Mode::Call).unwrap()
    }

    fn nonce(&self, address: Address) -> u64 {
        let info = revm::DatabaseRef::basic_ref(&self.db, address).unwrap();
        info.unwrap_or_default().nonce
    }

    fn balance(&self, address: Address) -> U256 {
        let info = revm::DatabaseRef::basic_ref(&self.db, address).unwrap();
        info.unwrap_or_default().balance
    }

    /// Deploys runtime code through a create transaction.
    fn deploy(&mut self, code: &[u8]) -> Address {
        let tx = self.tx(TxKind::Create, init_code(code), U256::ZERO);
        let outcome = self.try_run(tx, Mode::Transaction).unwrap();
        assert_eq!(outcome.status, Status::Success);
        outcome.created.unwrap()
    }

    fn activate(&mut self, program: Address) -> Outcome {
        let call = activateProgramCall { program };
        self.send(ARB_WASM, call.abi_encode(), ETHER)
    }

    /// Deploys and activates a program.
    fn program(&mut self, wat: &str) -> Address {
        let program = self.deploy(&program_code(wat));
        let outcome = self.activate(program);
        assert_eq!(outcome.status, Status::Success, "{outcome:?}");
        program
    }
}

/// Returns `code` as runtime code: a prelude that copies what follows it.
fn init_code(code: &[u8]) -> Vec<u8> {
    let mut init = vec![0x7f];
    init.extend(U256::from(code.len()).to_be_bytes::<32>());
    init.extend([0x80, 0x60, 0x2a, 0x60, 0x00, 0x39, 0x60, 0x00, 0xf3]);
    init.extend(code);
    init
}

fn program_code(wat: &str) -> Vec<u8> {
    let wasm = wat::parse_str(wat).unwrap();
    let mut code = vec![0xef, 0xf0, 0x00, 0x00];
    let params = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut wasm.as_slice(), &mut code, &params).unwrap();
    code
}

/// A program that only has imports and the body of its entry point. Arguments are at 0; `$len` is their length.
fn wat(body: &str) -> String {
    wat_with("", body)
}

fn wat_with(locals: &str, body: &str) -> String {
    format!(
        r#"(module
        (import "vm_hooks" "read_args" (func $read_args (param i32)))
        (import "vm_hooks" "write_result" (func $write_result (param i32 i32)))
        (import "vm_hooks" "storage_load_bytes32" (func $load (param i32 i32)))
        (import "vm_hooks" "storage_cache_bytes32" (func $cache (param i32 i32)))
        (import "vm_hooks" "storage_flush_cache" (func $flush (param i32)))
        (import "vm_hooks" "emit_log" (func $log (param i32 i32 i32)))
        (import "vm_hooks" "call_contract" (func $call (param i32 i32 i32 i32 i64 i32) (result i32)))
        (import "vm_hooks" "delegate_call_contract" (func $delegate (param i32 i32 i32 i64 i32) (result i32)))
        (import "vm_hooks" "static_call_contract" (func $static (param i32 i32 i32 i64 i32) (result i32)))
        (import "vm_hooks" "create1" (func $create (param i32 i32 i32 i32 i32)))
        (import "vm_hooks" "read_return_data" (func $returned (param i32 i32 i32) (result i32)))
        (import "vm_hooks" "msg_reentrant" (func $reentrant (result i32)))
        (import "vm_hooks" "msg_sender" (func $sender (param i32)))
        (import "vm_hooks" "msg_value" (func $value (param i32)))
        (import "vm_hooks" "block_number" (func $number (result i64)))
        (import "vm_hooks" "evm_ink_left" (func $ink (result i64)))
        (import "vm_hooks" "pay_for_memory_grow" (func $grow (param i32)))
        (memory (export "memory") 1 1)
        (func (export "user_entrypoint") (param $len i32) (result i32)
            {locals}
            (call $read_args (i32.const 0))
            {body}))"#
    )
}

/// Stores the 32 bytes of arguments in slot 0, logs them, returns what was there before; fails with status 1 when the first byte is 0xff.
fn keeper() -> String {
    wat(r#"
        (call $load (i32.const 512) (i32.const 1024))
        (call $cache (i32.const 512) (i32.const 0))
        (call $flush (i32.const 0))
        (call $log (i32.const 0) (i32.const 32) (i32.const 1))
        (call $write_result (i32.const 1024) (i32.const 32))
        (i32.eq (i32.load8_u (i32.const 0)) (i32.const 0xff))"#)
}

/// Calls the address in the first 20 bytes of the arguments with the rest, by `kind`, and passes its status and data on.
fn caller(kind: &str) -> String {
    let value = if kind == "call" {
        "(i32.const 4096)"
    } else {
        ""
    };
    wat_with(
        "(local $status i32)",
        &format!(
            r#"(local.set $status (call ${kind} (i32.const 0) (i32.const 20) (i32.sub (local.get $len) (i32.const 20))
            {value} (i64.const -1) (i32.const 8192)))
        (call $write_result (i32.const 12288)
            (call $returned (i32.const 12288) (i32.const 0) (i32.load (i32.const 8192))))
        (local.get $status)"#
        ),
    )
}

fn calling(to: Address, data: &[u8]) -> Vec<u8> {
    [to.as_slice(), data].concat()
}

/// EVM code that calls the address in the first 20 bytes of its input with the rest and returns what comes back, reverting on failure.
fn evm_caller() -> Vec<u8> {
    let mut code = Vec::new();
    // calldatacopy(0, 20, calldatasize - 20)
    code.extend([0x60, 20, 0x36, 0x03, 0x60, 20, 0x5f, 0x37]);
    // call(gas, calldataload(0) >> 96, 0, 0, calldatasize - 20, 0, 0)
    code.extend([0x5f, 0x5f, 0x60, 20, 0x36, 0x03, 0x5f, 0x5f]);
    code.extend([0x5f, 0x35, 0x60, 96, 0x1c, 0x5a, 0xf1]);
    // returndatacopy(0, 0, returndatasize)
    code.extend([0x3d, 0x5f, 0x5f, 0x3e]);
    let at = code.len() as u8;
    // if success return else revert
    code.extend([0x60, at + 6, 0x57, 0x3d, 0x5f, 0xfd, 0x5b, 0x3d, 0x5f, 0xf3]);
    code
}

const A: B256 = B256::repeat_byte(0xa1);
const B: B256 = B256::repeat_byte(0xb2);
const BAD: B256 = B256::repeat_byte(0xff);

#[test]
fn a_transfer_costs_the_base_fee_and_pays_it_to_the_sequencer() {
    let mut chain = Chain::new();
    let bob = Address::repeat_byte(0xb0);
    let outcome = chain.send(bob, Bytes::new(), 5);
    assert_eq!(outcome.status, Status::Success);
    assert_eq!(outcome.gas_used, 21_000);
    assert_eq!(chain.balance(bob), U256::from(5));
    let fee = U256::from(21_000 * BASE_FEE);
    assert_eq!(chain.balance(COINBASE), fee);
    assert_eq!(
        chain.balance(ALICE),
        U256::from(1000 * ETHER) - fee - U256::from(5)
    );
    assert_eq!(chain.nonce(ALICE), 1);
}

#[test]
fn transactions_that_cannot_be_included_say_why() {
    let mut chain = Chain::new();
    let bob = TxKind::Call(Address::repeat_byte(0xb0));
    let mut refuse = |change: fn(&mut TxParams)| {
        let mut tx = chain.tx(bob, Bytes::new(), U256::ZERO);
        change(&mut tx);
        chain.try_run(tx, Mode::Transaction).unwrap_err().0
    };
    assert!(refuse(|tx| tx.nonce = 3).starts_with("nonce too high"));
    assert!(refuse(|tx| tx.gas_limit = 20_999).starts_with("intrinsic gas too low"));
    assert!(refuse(|tx| tx.gas_price = 1).starts_with("max fee per gas less than block base fee"));
    assert!(refuse(|tx| tx.value = U256::MAX).contains("overflow"));
    assert!(refuse(|tx| tx.value = U256::from(1001 * ETHER)).starts_with("insufficient funds"));
}

#[test]
fn calls_need_no_gas_money_but_no_value_they_do_not_have() {
    let mut chain = Chain::new();
    let mut tx = chain.tx(
        TxKind::Call(ARB_SYS),
        arbBlockNumberCall {}.abi_encode(),
        U256::ZERO,
    );
    tx.from = Address::repeat_byte(0x99);
    tx.nonce = 77;
    tx.gas_price = 0;
    let outcome = chain.try_run(tx.clone(), Mode::Call).unwrap();
    assert_eq!(outcome.output, Bytes::from(U256::from(7).abi_encode()));
    tx.value = U256::ONE;
    let refused = chain.try_run(tx, Mode::Call).unwrap_err();
    assert!(refused.0.starts_with("insufficient funds"), "{refused}");
}

#[test]
fn opcodes_see_arbitrums_block() {
    let mut chain = Chain::new();
    // Returns NUMBER, PREVRANDAO, GASPRICE, BASEFEE.
    let code = [
        0x43, 0x5f, 0x52, 0x44, 0x60, 32, 0x52, 0x3a, 0x60, 64, 0x52, 0x48, 0x60, 96, 0x52, 0x60,
        128, 0x5f, 0xf3,
    ];
    let contract = chain.deploy(&code);
    let outcome = chain.send(contract, Bytes::new(), 0);
    let words = <(u64, u64, u64, u64)>::abi_decode_params(&outcome.output).unwrap();
    assert_eq!(words, (1234, 1, BASE_FEE, BASE_FEE));
}

#[test]
fn only_program_code_may_begin_with_ef() {
    let mut chain = Chain::new();
    let tx = chain.tx(
        TxKind::Create,
        init_code(&[0xef, 0x00, 0x00, 0x01]),
        U256::ZERO,
    );
    let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
    assert!(matches!(outcome.status, Status::Halt(text) if text.contains("0xef")));
    chain.deploy(&[0xef, 0xf0, 0x00, 0x00, 0x01]);
}

#[test]
fn code_is_bounded_as_on_ethereum() {
    let mut chain = Chain::new();
    let tx = chain.tx(TxKind::Create, init_code(&[0; 24_577]), U256::ZERO);
    let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
    assert_eq!(
        outcome.status,
        Status::Halt("max code size exceeded".into())
    );
}

#[test]
fn the_p256_precompile_is_there() {
    let mut chain = Chain::new();
    let p256 = Address::with_last_byte(0).with_word_256();
    let outcome = chain.send(p256, vec![0; 160], 0);
    assert_eq!(outcome.status, Status::Success);
    // 6900 for the check (EIP-7951), 160 zero bytes of calldata.
    assert_eq!(outcome.gas_used, 21_000 + 160 * 4 + 6900);
}

trait P256 {
    fn with_word_256(self) -> Address;
}
impl P256 for Address {
    fn with_word_256(mut self) -> Address {
        self.0[18] = 1;
        self
    }
}

#[test]
fn a_program_is_activated_once_for_its_fee() {
    let mut chain = Chain::new();
    let code = program_code(&keeper());
    let program = chain.deploy(&code);
    let version = codehashVersionCall {
        codehash: keccak256(&code),
    };
    let outcome = chain.view(ARB_WASM, version.abi_encode());
    assert_eq!(outcome.status, Status::Revert);
    assert_eq!(outcome.output[..], ProgramNotActivated::SELECTOR);

    let poor = chain.send(ARB_WASM, activateProgramCall { program }.abi_encode(), 1);
    assert_eq!(poor.status, Status::Revert);
    let error = ProgramInsufficientValue::abi_decode(&poor.output).unwrap();
    assert_eq!(error.have, U256::ONE);

    let before = chain.balance(ALICE);
    let outcome = chain.activate(program);
    assert_eq!(outcome.status, Status::Success);
    let event = ProgramActivated::decode_log(&outcome.logs[0]).unwrap();
    assert_eq!(event.address, ARB_WASM);
    assert_eq!(
        (event.program, event.version, event.codehash),
        (program, 2, keccak256(&code))
    );
    assert_eq!(event.dataFee, error.want);
    let paid = event.dataFee + U256::from(outcome.gas_used * BASE_FEE);
    assert_eq!(before - chain.balance(ALICE), paid);
    assert_eq!(chain.balance(ARB_WASM), U256::ZERO);

    let outcome = chain.view(ARB_WASM, version.abi_encode());
    assert_eq!(outcome.output, Bytes::from(2u16.abi_encode()));
    let again = chain.activate(program);
    assert_eq!(again.output[..], ProgramUpToDate::SELECTOR);
}

#[test]
fn precompiles_cost_what_they_cost() {
    let mut chain = Chain::new();
    let program = chain.program(&keeper());
    let cost = |outcome: Outcome, input: &[u8]| {
        assert_eq!(outcome.status, Status::Success);
        let data: u64 = input.iter().map(|b| if *b == 0 { 4 } else { 16 }).sum();
        outcome.gas_used - 21_000 - data
    };
    let input = stylusVersionCall {}.abi_encode();
    assert_eq!(cost(chain.view(ARB_WASM, input.clone()), &input), 903);
    let input = programInitGasCall { program }.abi_encode();
    assert_eq!(cost(chain.view(ARB_WASM, input.clone()), &input), 4309);
    let outcome = chain.view(ARB_SYS, arbOSVersionCall {}.abi_encode());
    assert_eq!(outcome.output, Bytes::from(U256::from(106).abi_encode()));
}

#[test]
fn a_precompile_burns_all_for_what_it_does_not_understand() {
    let mut chain = Chain::new();
    for (input, value) in [
        (vec![1, 2, 3, 4], 0),
        (vec![], 0),
        (stylusVersionCall {}.abi_encode(), 1),
        (programInitGasCall::SELECTOR.to_vec(), 0),
    ] {
        let outcome = chain.send(ARB_WASM, input.clone(), value);
        assert_eq!(outcome.status, Status::Revert, "{input:?}");
        assert_eq!(outcome.gas_used, 20_000_000, "{input:?}");
    }
}

#[test]
fn what_is_no_program_is_not_activated() {
    let mut chain = Chain::new();
    let plain = chain.deploy(&[0x60, 0x00]);
    let outcome = chain.activate(plain);
    assert_eq!(outcome.output[..], ProgramNotWasm::SELECTOR);
    let no_entry = chain.deploy(&program_code("(module (memory (export \"memory\") 1 1))"));
    let outcome = chain.activate(no_entry);
    assert!(
        matches!(&outcome.status, Status::Halt(text) if text.starts_with("program activation failed: ")),
        "{outcome:?}"
    );
    assert_eq!(outcome.gas_used, 20_000_000);
}

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
fn a_program_that_is_not_activated_burns_all_gas() {
    let mut chain = Chain::new();
    let program = chain.deploy(&program_code(&keeper()));
    let outcome = chain.send(program, A, 0);
    assert_eq!(outcome.status, Status::Halt("program not activated".into()));
    assert_eq!(outcome.gas_used, 20_000_000);
    // For a caller it is a call that failed.
    let evm = chain.deploy(&evm_caller());
    let outcome = chain.send(evm, calling(program, A.as_slice()), 0);
    assert_eq!(outcome.status, Status::Revert);
    assert!(outcome.output.is_empty());
}

#[test]
fn entering_costs_memory_and_initialisation() {
    let mut chain = Chain::new();
    let program = chain.program(&wat("(i32.const 0)"));
    let outcome = chain.send(program, Bytes::new(), 0);
    let init = programInitGasCall { program }.abi_encode();
    let output = chain.view(ARB_WASM, init).output;
    let (init, _) = <(u64, u64)>::abi_decode_params(&output).unwrap();
    // One page is free. read_args 13 440, its call 3800 + 2450 + 70 + …: under 3 gas.
    let own = outcome.gas_used - 21_000 - init;
    assert!((1..=3).contains(&own), "{own}");
}
