//! Modules put together byte by byte, for what no text format lets one write.

use std::time::Duration;

use ethers::{
    abi::{self, Token},
    types::{Address, Bytes},
    utils::id,
};
use serde_json::{Value, json};
use stylus_devnet::Handle;

use super::raw;

pub(crate) fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(byte | if value > 0 { 0x80 } else { 0 });
        if value == 0 {
            return bytes;
        }
    }
}
pub(crate) fn section(id: u8, body: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(body.len()), body].concat()
}
/// A program with this entry point: groups of locals as encoded, and instructions without the last `end`.
pub(crate) fn module(locals: &[u8], body: &[u8]) -> Vec<u8> {
    let code = [locals, body, &[0x0b]].concat();
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 1, 0x7f, 1, 0x7f]),
        section(3, &[1, 0]),
        section(5, &[1, 1, 1, 1]),
        section(7, b"\x02\x0fuser_entrypoint\0\0\x06memory\x02\0"),
        section(10, &[&[1][..], &leb(code.len()), &code].concat()),
    ]
    .concat()
}
pub(crate) fn packed(wasm: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut code = vec![0xef, 0xf0, 0, 0];
    brotli::CompressorWriter::new(&mut code, 4096, 5, 22)
        .write_all(wasm)
        .unwrap();
    code
}

/// Asks for the answer of activating this code.
pub(crate) async fn activation(devnet: &Handle, code: &[u8], patience: Duration) -> Value {
    let at = Address::repeat_byte(0xb0);
    let rich = Address::repeat_byte(0xb1);
    let data = [
        id("activateProgram(address)").to_vec(),
        abi::encode(&[Token::Address(at)]),
    ]
    .concat();
    let request = json!({
        "from": rich, "to": Address::from_low_u64_be(0x71), "value": "0xde0b6b3a7640000",
        "data": Bytes::from(data),
    });
    let state = json!({
        (format!("{at:?}")): {"code": Bytes::from(code.to_vec())},
        (format!("{rich:?}")): {"balance": "0xffffffffffffffffffff"},
    });
    let asked = raw(devnet, "eth_call", json!([request, "latest", state]));
    tokio::time::timeout(patience, asked).await.unwrap()
}
