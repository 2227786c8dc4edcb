//! The tools that the tests of the wire share: a bare JSON-RPC client, a signing one, a small contract.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod node;
pub(crate) mod sign;
pub(crate) mod wasm;
pub(crate) mod wire;

use std::{io::Write as _, sync::Arc, time::Duration};

use ethers::{
    middleware::SignerMiddleware,
    providers::{Http, Middleware, Provider},
    signers::{LocalWallet, Signer},
    types::{Address, Bytes, TransactionReceipt, TransactionRequest, U256},
};
use serde_json::{Value, json};
use stylus_devnet::{Config, Handle};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Counts. Called without data it adds one and logs the count under topic 0x2a; called with 32
/// bytes it returns the count; called with anything else it reverts with what it was given.
pub(crate) const COUNTER: &str = concat!(
    "6038600c60003960386000f3",
    "3680156016576020146",
    "02c57366000600037366000fd",
    "5b600054600101806000556000",
    "52602a60206000a1005b60005460005260206000f3",
);

pub(crate) type Client = SignerMiddleware<Provider<Http>, LocalWallet>;

pub(crate) async fn devnet() -> Handle {
    stylus_devnet::spawn(Config::default()).await.unwrap()
}

/// A client that signs with the `n`-th prefunded account.
pub(crate) fn client(devnet: &Handle, n: usize) -> Arc<Client> {
    let key = devnet.accounts()[n].private_key;
    let wallet = LocalWallet::from_bytes(key.as_slice())
        .unwrap()
        .with_chain_id(devnet.chain_id());
    let provider = Provider::<Http>::try_from(devnet.url())
        .unwrap()
        .interval(Duration::from_millis(5));
    Arc::new(SignerMiddleware::new(provider, wallet))
}

/// Sends a transaction and waits for its receipt.
pub(crate) async fn send(client: &Client, tx: TransactionRequest) -> TransactionReceipt {
    let pending = client.send_transaction(tx, None).await.unwrap();
    pending.await.unwrap().unwrap()
}

/// Deploys [`COUNTER`].
pub(crate) async fn deploy(client: &Client) -> Address {
    let code: Bytes = COUNTER.parse().unwrap();
    let receipt = send(client, TransactionRequest::new().data(code)).await;
    assert_eq!(receipt.status, Some(1.into()));
    receipt.contract_address.unwrap()
}

/// Posts bytes to the devnet; the HTTP status and body that come back.
pub(crate) async fn post(devnet: &Handle, body: &[u8]) -> (u16, String) {
    let host = devnet.url().replace("http://", "");
    let mut stream = TcpStream::connect(&host).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // A request that is too long is answered before it is read whole.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.into())
}

/// Calls a method; the whole response object.
pub(crate) async fn raw(devnet: &Handle, method: &str, params: Value) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let (_, body) = post(devnet, request.to_string().as_bytes()).await;
    serde_json::from_str(&body).unwrap()
}

/// Calls a method that must succeed; its result.
pub(crate) async fn rpc(devnet: &Handle, method: &str, params: Value) -> Value {
    let response = raw(devnet, method, params).await;
    assert!(response.get("error").is_none(), "{method}: {response}");
    response["result"].clone()
}

/// The code on chain of a program: prefix, no dictionary, Brotli.
pub(crate) fn program(wat: &str) -> Vec<u8> {
    let wasm = wat::parse_str(wat).unwrap();
    let mut code = vec![0xef, 0xf0, 0x00, 0x00];
    brotli::CompressorWriter::new(&mut code, 4096, 11, 22)
        .write_all(&wasm)
        .unwrap();
    code
}
/// Creation code that leaves `code` on chain.
pub(crate) fn creation(code: &[u8]) -> Vec<u8> {
    let mut init = vec![0x7f];
    init.extend_from_slice(&[[0; 28].as_slice(), &(code.len() as u32).to_be_bytes()].concat());
    init.extend_from_slice(&[0x80, 0x60, 0x2b, 0x60, 0, 0x39, 0x60, 0, 0xf3, 0]);
    init.extend_from_slice(code);
    init
}

/// Activates a deployed program.
pub(crate) async fn activate(client: &Client, program: Address) {
    let arguments = ethers::abi::encode(&[ethers::abi::Token::Address(program)]);
    let selector = ethers::utils::id("activateProgram(address)");
    let sent = TransactionRequest::new()
        .to(Address::from_low_u64_be(0x71))
        .data([selector.to_vec(), arguments].concat())
        .value(U256::exp10(15));
    assert_eq!(send(client, sent).await.status, Some(1.into()));
}
