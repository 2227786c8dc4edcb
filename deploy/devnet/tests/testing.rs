//! The helper for contracts' tests: programs from files, typed calls and transactions.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use alloy_primitives::{Address, U256, keccak256};
use alloy_sol_types::sol;
use stylus_devnet::{ArbOs, Config, Error, Handle, spawn};

sol! {
    function keep(uint256 value) external returns (uint256 old);
    function fail() external;
}

/// Keeps a word in slot 0, logs it, returns what was there; reverts with its input if that is short.
fn keeper(padding: usize) -> Vec<u8> {
    // Bytes that do not pack.
    let mut noise = String::new();
    for word in 0..padding.div_ceil(32) as u64 {
        for byte in keccak256(word.to_be_bytes()) {
            write!(noise, "\\{byte:02x}").unwrap();
        }
    }
    let text = format!(
        r#"(module
            (import "vm_hooks" "read_args" (func $read (param i32)))
            (import "vm_hooks" "write_result" (func $write (param i32 i32)))
            (import "vm_hooks" "storage_load_bytes32" (func $load (param i32 i32)))
            (import "vm_hooks" "storage_cache_bytes32" (func $cache (param i32 i32)))
            (import "vm_hooks" "storage_flush_cache" (func $flush (param i32)))
            (import "vm_hooks" "emit_log" (func $log (param i32 i32 i32)))
            (memory (export "memory") 4 4)
            (data (i32.const 4096) "{noise}")
            (func (export "user_entrypoint") (param $len i32) (result i32)
                (call $read (i32.const 0))
                (if (i32.lt_u (local.get $len) (i32.const 36)) (then
                    (call $write (i32.const 0) (local.get $len))
                    (return (i32.const 1))))
                (call $load (i32.const 512) (i32.const 1024))
                (call $cache (i32.const 512) (i32.const 4))
                (call $flush (i32.const 0))
                (call $log (i32.const 4) (i32.const 32) (i32.const 0))
                (call $write (i32.const 1024) (i32.const 32))
                (i32.const 0)))"#
    );
    wat::parse_str(text).unwrap()
}

async fn devnet(arbos: ArbOs) -> Handle {
    let config = Config {
        arbos,
        ..Config::default()
    };
    spawn(config).await.unwrap()
}

fn uses(devnet: &Handle, wasm: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keeper.wasm");
    std::fs::write(&path, wasm).unwrap();
    let contract = devnet.deploy_wasm(&path).unwrap();
    let keep = |value: u64| keepCall {
        value: U256::from(value),
    };
    let sent = contract.send(keep(5)).unwrap();
    assert_eq!((sent.result, sent.logs.len()), (U256::ZERO, 1));
    assert_eq!(sent.logs[0].address, contract.address());
    assert!(sent.gas_used > 21_000);
    assert_eq!(contract.call(keep(6)).unwrap(), U256::from(5));
    assert_eq!(contract.call(keep(6)).unwrap(), U256::from(5));
    let other = contract.by(devnet.accounts()[1].address);
    assert_eq!(other.send(keep(7)).unwrap().result, U256::from(5));
    match contract.call(failCall {}) {
        Err(Error::Failed { reason, data }) => {
            assert_eq!(reason, "execution reverted");
            assert_eq!(data[..], keccak256("fail()")[..4]);
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it succeeded"),
    }
    assert!(contract.send(failCall {}).is_err());
    let stranger = contract.by(Address::repeat_byte(9));
    assert!(matches!(stranger.send(keep(8)), Err(Error::Refused(_))));
    let again = devnet.contract(contract.address());
    assert_eq!(again.call(keep(0)).unwrap(), U256::from(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_deployed_from_its_file_and_called() {
    uses(&devnet(ArbOs::V51).await, &keeper(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_program_is_deployed_in_fragments() {
    let wasm = keeper(60_000);
    uses(&devnet(ArbOs::V61).await, &wasm);
    let refused = devnet(ArbOs::V51).await.deploy_program(&wasm);
    assert!(refused.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_deployed_says_why() {
    let devnet = devnet(ArbOs::V51).await;
    let refusal = |wasm: &[u8]| match devnet.deploy_program(wasm) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was deployed"),
    };
    let text = refusal(b"\0asm\x01\0\0\0");
    assert!(text.contains("program activation failed"), "{text}");
    let missing = devnet.deploy_wasm("/no/such/file.wasm").err().unwrap();
    assert!(
        missing.to_string().starts_with("/no/such/file.wasm: "),
        "{missing}"
    );
}
