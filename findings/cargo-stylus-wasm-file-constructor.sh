#!/usr/bin/env bash
# cargo-stylus deploys a given WASM file without its constructor, though it is told the constructor and its arguments.
#
# Software: cargo-stylus 0.10.10, from crates.io; Python 3's standard library as the node that it asks.
# Steps:    `cargo stylus deploy --wasm-file FILE --constructor-signature 'constructor(uint256)' --constructor-args 7
#           --deployer-address ADDRESS`. The node answers that the program can be activated, takes every transaction, and says
#           that each succeeded.
# Expected: a transaction to the deployer, with code and constructor call in its data; 0.6.3 sends that. Or a refusal.
# Seen:     the code is created by a transaction of its own (no `to`), then activated; the deployer is called by nobody, no data hold
#           the constructor's selector, and the program ends with 0. The help says that the signature is for --wasm-file.
# Here:     tests/interop/suites/run wants 0.6.3 for suites that deploy so; `pcim deploy` does not use cargo-stylus.
#
# Exits 0 while the behaviour is there, and 1 when it is gone. Wants cargo with a Rust of 1.91 or later, python3, and ten
# minutes for the build.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${node:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
cargo install -q --locked --root "$work/tools" --target-dir "$work/target" cargo-stylus@0.10.10
export PATH="$work/tools/bin:$PATH"
cat >"$work/node.py" <<'PYTHON'
"""A node that takes everything: node.py PORT_FILE LOG. The log has a line for each transaction: `to`, or `create`, and the data."""

import http.server
import json
import sys

HASH = "0x" + "11" * 32
ADDRESS = "0x" + "22" * 20
FEE = 10**12


def word(number):
    return f"{number:064x}"


def item(data, at):
    """The next item of an RLP list: its bytes, and where it ends."""
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    if first < 0xB8:
        return data[at + 1 : at + 1 + first - 0x80], at + 1 + first - 0x80
    if first < 0xC0:
        size = int.from_bytes(data[at + 1 : at + 1 + first - 0xB7], "big")
        start = at + 1 + first - 0xB7
        return data[start : start + size], start + size
    if first < 0xF8:
        return data[at + 1 : at + 1 + first - 0xC0], at + 1 + first - 0xC0
    size = int.from_bytes(data[at + 1 : at + 1 + first - 0xF7], "big")
    start = at + 1 + first - 0xF7
    return data[start : start + size], start + size


def sent(raw):
    """The receiver and the data of a transaction of type 2."""
    assert raw[0] == 2, raw[:1]
    fields, at = [], 0
    body, _ = item(raw, 1)
    while at < len(body):
        field, at = item(body, at)
        fields.append(field)
    return fields[5].hex() or "create", fields[7].hex()


BLOCK = {
    "number": "0x1", "hash": HASH, "parentHash": HASH, "timestamp": "0x1", "gasLimit": "0x4000000000000", "gasUsed": "0x0",
    "baseFeePerGas": "0x5f5e100", "miner": ADDRESS, "difficulty": "0x1", "extraData": "0x", "logsBloom": "0x" + "00" * 256,
    "mixHash": HASH, "nonce": "0x0000000000000000", "receiptsRoot": HASH, "sha3Uncles": HASH, "stateRoot": HASH,
    "transactionsRoot": HASH, "size": "0x1", "transactions": [], "uncles": [], "totalDifficulty": "0x1",
}
RECEIPT = {
    "transactionHash": HASH, "transactionIndex": "0x0", "blockHash": HASH, "blockNumber": "0x1", "from": ADDRESS, "to": None,
    "cumulativeGasUsed": "0x1", "gasUsed": "0x1", "effectiveGasPrice": "0x1", "contractAddress": ADDRESS, "logs": [],
    "logsBloom": "0x" + "00" * 256, "status": "0x1", "type": "0x2",
}


def answer(method, params, log):
    match method:
        case "eth_chainId":
            return "0x64aba"
        case "eth_getBalance":
            return hex(10**20)
        case "eth_estimateGas":
            return "0x100000"
        case "eth_gasPrice" | "eth_maxPriorityFeePerGas":
            return "0x5f5e100"
        case "eth_feeHistory":
            return {"oldestBlock": "0x1", "baseFeePerGas": ["0x5f5e100", "0x5f5e100"], "gasUsedRatio": [0.5], "reward": [["0x0"]]}
        case "eth_getTransactionCount":
            return "0x0"
        case "eth_blockNumber":
            return "0x1"
        case "eth_getBlockByNumber":
            return BLOCK
        case "eth_getCode":
            return "0x"
        case "eth_call":
            data = params[0].get("input") or params[0].get("data") or ""
            # activateProgram says version and fee; whatever else is asked is a number.
            return "0x" + (word(3) + word(FEE) if data.startswith("0x58c780c2") else word(1))
        case "eth_sendRawTransaction":
            to, data = sent(bytes.fromhex(params[0][2:]))
            with open(log, "a") as file:
                file.write(f"{to} {data}\n")
            return HASH
        case "eth_getTransactionReceipt":
            return RECEIPT
    print("not answered:", method, file=sys.stderr)
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        many = asked if isinstance(asked, list) else [asked]
        replies = [
            {"jsonrpc": "2.0", "id": it["id"], "result": answer(it["method"], it.get("params") or [], sys.argv[2])} for it in many
        ]
        body = json.dumps(replies if isinstance(asked, list) else replies[0]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1], "w") as file:
    file.write(str(server.server_port))
server.serve_forever()
PYTHON
# (module (memory (export "memory") 1) (func (export "user_entrypoint") (param i32) (result i32) (i32.const 0)))
printf '\0asm\1\0\0\0\1\6\1\140\1\177\1\177\3\2\1\0\5\3\1\0\1\7\34\2\6memory\2\0\17user_entrypoint\0\0\12\6\1\4\0\101\0\13' >"$work/program.wasm"
: >"$work/log"
python3 "$work/node.py" "$work/port" "$work/log" &
node=$!
for _ in $(seq 50); do [ -s "$work/port" ] && break; sleep 0.1; done
mkdir "$work/crate" && cd "$work/crate"
printf '[package]\nname = "program"\nversion = "0.1.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n' >Cargo.toml
: >lib.rs
printf '[workspace]\n[workspace.networks]\n[contract]\n' >Stylus.toml
deployer=cEcba2F1DC234f70Dd89F2041029807F8D03A990
printf '[toolchain]\nchannel = "%s"\n' "$(rustc --version | cut -d' ' -f2)" >rust-toolchain.toml
cargo stylus --version
cargo stylus deploy -e "http://127.0.0.1:$(cat "$work/port")" --no-verify --wasm-file "$work/program.wasm" \
    --private-key 0x0000000000000000000000000000000000000000000000000000000000000001 \
    --deployer-address "0x$deployer" --constructor-signature 'constructor(uint256)' --constructor-args 7
echo "transactions:" && cut -c1-120 "$work/log"
if grep -qi "^$deployer" "$work/log" || ! grep -q '^create ' "$work/log"; then
    echo "the deployer is called: the finding is gone" >&2
    exit 1
fi
