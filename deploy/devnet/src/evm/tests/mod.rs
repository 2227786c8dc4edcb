//! Transactions end to end on an in-memory state: plain EVM, programs, and both nested in each other.
#![allow(clippy::unwrap_used)]

mod activation;
mod differential;
mod edges;
mod ethereum;
mod fragments;
mod programs;
mod replay;
mod vectors;
mod versions;

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, keccak256};
use alloy_sol_types::{SolCall, SolError, SolEvent, SolValue, sol};
use revm::DatabaseCommit;
use revm::database::{CacheDB, EmptyDB};
use revm::state::{AccountInfo, Bytecode};

use super::{BlockParams, InvalidTx, Mode, Outcome, Status, TxParams, Vm};
use crate::arbos::{self, recent::RecentPrograms};

sol! {
    function activateProgram(address program) external payable returns (uint16 version, uint256 dataFee);
    function stylusVersion() external view returns (uint16);
    function codehashVersion(bytes32 codehash) external view returns (uint16);
    function programInitGas(address program) external view returns (uint64 gas, uint64 gasWhenCached);
    function arbBlockNumber() external view returns (uint256);
    function arbOSVersion() external view returns (uint256);
    function arbBlockHash(uint256 number) external view returns (bytes32);
    function codehashKeepalive(bytes32 codehash) external payable;
    function programTimeLeft(address program) external view returns (uint64);
    event ProgramLifetimeExtended(bytes32 indexed codehash, uint256 dataFee);
    error ProgramExpired(uint64 age);
    error ProgramKeepaliveTooSoon(uint64 age);
    error InvalidBlockNumber(uint256 requested, uint256 current);
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
    /** unix seconds */
    now: u64,
    /** wei per gas */
    base_fee: u64,
    /// The programs that ran last in the block.
    recent: RecentPrograms,
}

impl Chain {
    fn new() -> Self {
        Self::at(51)
    }

    /// A chain of an ArbOS version.
    fn at(arbos: u64) -> Self {
        let mut db = CacheDB::new(EmptyDB::default());
        for (account, slot, value) in arbos::genesis_storage(arbos) {
            let nonce = AccountInfo::default().with_nonce(1);
            db.insert_account_info(account, nonce);
            db.insert_account_storage(account, slot, value).unwrap();
        }
        for address in arbos::precompile_addresses(arbos) {
            let code = Bytecode::new_raw(Bytes::from_static(&[0xfe]));
            db.insert_account_info(address, AccountInfo::from_bytecode(code));
        }
        db.insert_account_info(ALICE, AccountInfo::from_balance(U256::from(1000 * ETHER)));
        let vm = Vm::new(arbos::LOCAL_CHAIN_ID);
        Self {
            vm,
            db,
            now: 1_790_000_000,
            base_fee: BASE_FEE,
            recent: RecentPrograms::default(),
        }
    }

    fn try_run(&mut self, tx: TxParams, mode: Mode) -> Result<Outcome, InvalidTx> {
        let block = BlockParams {
            number: 7,
            l1_number: 1234,
            timestamp: self.now,
            base_fee: self.base_fee,
            gas_limit: 1 << 50,
            coinbase: COINBASE,
            recent: self.recent.clone(),
            precompiles: Default::default(),
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
            tip: 0,
            hash: B256::ZERO,
            nonce: self.nonce(ALICE),
            access_list: Vec::new(),
            authorizations: Vec::new(),
            poster_gas: 0,
            impersonated: false,
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
        let created = tx.from.create(tx.nonce);
        let outcome = self.try_run(tx, Mode::Transaction).unwrap();
        assert_eq!(outcome.status, Status::Success);
        created
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
        (import "vm_hooks" "create2" (func $create2 (param i32 i32 i32 i32 i32 i32)))
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
