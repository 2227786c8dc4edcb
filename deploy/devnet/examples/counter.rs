//! A counter written in WebAssembly text: deployed, activated and called on a chain of its own.
//!
//! `cargo run --example counter`

use std::{error::Error, io::Write as _, sync::Arc};

use ethers::{
    middleware::SignerMiddleware,
    providers::{Http, Middleware, Provider},
    signers::{LocalWallet, Signer},
    types::{Address, TransactionReceipt, TransactionRequest, U256},
};

/// Adds one to storage slot 0 and returns what it holds then, 32 bytes big-endian.
const COUNTER: &str = r#"(module
    (import "vm_hooks" "storage_load_bytes32" (func $load (param i32 i32)))
    (import "vm_hooks" "storage_cache_bytes32" (func $store (param i32 i32)))
    (import "vm_hooks" "storage_flush_cache" (func $flush (param i32)))
    (import "vm_hooks" "write_result" (func $result (param i32 i32)))
    (memory (export "memory") 1 1)
    (func (export "user_entrypoint") (param $arguments i32) (result i32)
        (call $load (i32.const 0) (i32.const 32))
        ;; A count of less than 256 is all in the last byte.
        (i32.store8 (i32.const 63) (i32.add (i32.load8_u (i32.const 63)) (i32.const 1)))
        (call $store (i32.const 0) (i32.const 32))
        (call $flush (i32.const 0))
        (call $result (i32.const 32) (i32.const 32))
        (i32.const 0)))"#;
/// ArbWasm, the precompile that activates programs.
const ARB_WASM: u64 = 0x71;
/// Wei; what the fee of an activation leaves of it comes back.
const ENOUGH: u64 = 1_000_000_000_000_000;

type Client = SignerMiddleware<Provider<Http>, LocalWallet>;

/// Code as it lies on chain: a prefix, no dictionary, Brotli.
fn code(wasm: &[u8]) -> Result<Vec<u8>, std::io::Error> {
    let mut code = vec![0xef, 0xf0, 0x00, 0x00];
    brotli::CompressorWriter::new(&mut code, 4096, 11, 22).write_all(wasm)?;
    Ok(code)
}

/// EVM code that leaves `code` on chain: `PUSH32 length; DUP1; PUSH1 42; PUSH1 0; CODECOPY; PUSH1 0; RETURN`.
fn creation(code: &[u8]) -> Vec<u8> {
    let mut length = [0; 32];
    U256::from(code.len()).to_big_endian(&mut length);
    let copy = [0x80, 0x60, 42, 0x60, 0, 0x39, 0x60, 0, 0xf3];
    [&[0x7f][..], &length, &copy, code].concat()
}

async fn mined(
    client: &Client,
    transaction: TransactionRequest,
) -> Result<TransactionReceipt, Box<dyn Error>> {
    let pending = client.send_transaction(transaction, None).await?;
    let receipt = pending.await?.ok_or("the transaction is gone")?;
    if receipt.status != Some(1.into()) {
        return Err("the transaction failed".into());
    }
    Ok(receipt)
}

/// Counts twice; the count, and the gas of each time.
pub(crate) async fn run() -> Result<(U256, [U256; 2]), Box<dyn Error>> {
    let devnet = stylus_devnet::spawn(stylus_devnet::Config::default()).await?;
    let wallet = LocalWallet::from_bytes(devnet.accounts()[0].private_key.as_slice())?
        .with_chain_id(devnet.chain_id());
    let provider = Provider::<Http>::try_from(devnet.url())?;
    let client = Arc::new(SignerMiddleware::new(
        provider.interval(std::time::Duration::from_millis(5)),
        wallet,
    ));

    let creation = creation(&code(&wat::parse_str(COUNTER)?)?);
    let deployed = mined(&client, TransactionRequest::new().data(creation)).await?;
    let counter = deployed.contract_address.ok_or("no contract came of it")?;

    let selector = ethers::utils::id("activateProgram(address)");
    let arguments = ethers::abi::encode(&[ethers::abi::Token::Address(counter)]);
    let activate = TransactionRequest::new()
        .to(Address::from_low_u64_be(ARB_WASM))
        .data([selector.to_vec(), arguments].concat())
        .value(ENOUGH);
    mined(&client, activate).await?;

    let count = TransactionRequest::new().to(counter);
    let first = mined(&client, count.clone()).await?;
    let second = mined(&client, count.clone()).await?;
    let next = client.call(&count.into(), None).await?;
    devnet.shutdown().await;
    let gas = [first.gas_used, second.gas_used].map(Option::unwrap_or_default);
    // The call that was only simulated would have been the third.
    Ok((U256::from_big_endian(&next) - 1, gas))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (count, [first, second]) = run().await?;
    println!("counted to {count}: {first} gas for a new slot, {second} for an old one");
    Ok(())
}
