#!/usr/bin/env python3
"""Compares stylus-devnet with the answers that geth gave, and with the OpenRPC schema of Ethereum's JSON-RPC.

    recorded.py DEVNET FOLDER          the program, and a checkout of ethereum/execution-apis

The devnet gets the accounts of tests/genesis.json and plays tests/chain.rlp; then every recorded question (tests/*/*.io) is
asked again, with the devnet's own block hashes for geth's. Compared are result or error, the error's code, the shape of the
result (names and kinds of its fields, to any depth), the value of what is a single one, and the result against the method's
schema (src/*/*.yaml). A difference must be in recorded.json with its reason, by method or by file; a reason that nothing
needs is an error too. Wants PyYAML 6.0.3, jsonschema 4.26.0 and eth-account 0.13.7 from PyPI.
"""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import jsonschema
import rlp
import yaml
from eth_account import Account
from eth_utils import keccak

if len(sys.argv) != 3:
    sys.exit(__doc__)
PROGRAM, FOLDER = sys.argv[1], Path(sys.argv[2])
TESTS = FOLDER / "tests"
REASONS = json.loads((Path(__file__).parent / "recorded.json").read_text())
# Of methods that tests of clients have for themselves.
LEFT_OUT = {"testing_buildBlockV1"}
# Fields that a chain has which follows a beacon chain and has blobs; that one had before Byzantium; and that Arbitrum has.
BEACON = set("""blobGasUsed excessBlobGas parentBeaconBlockRoot requestsHash withdrawals withdrawals[] withdrawalsRoot
    baseFeePerBlobGas baseFeePerBlobGas[] blobGasUsedRatio blobGasUsedRatio[]""".split())
BYZANTIUM = {"root"}
ARBITRUM = {"l1BlockNumber", "sendCount", "sendRoot", "gasUsedForL1", "totalDifficulty"}
# Here each block has a base fee, and each receipt a status.
ALWAYS = {"baseFeePerGas", "status"}

genesis = json.loads((TESTS / "genesis.json").read_text())
process = subprocess.Popen(
    [PROGRAM, "--port", "0", "--json", "--arbos", "51", "--chain-id", str(genesis["config"]["chainId"])],
    stdout=subprocess.PIPE, text=True)
URL = json.loads(process.stdout.readline())["rpc_url"]


def post(request):
    body = request if isinstance(request, str) else json.dumps(request)
    call = urllib.request.Request(URL, body.encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(call, timeout=60) as answer:
        return json.loads(answer.read())


def ask(method, *params):
    return post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


def must(method, *params):
    answer = ask(method, *params)
    if "error" in answer:
        sys.exit(f"{method}: {answer['error']}")
    return answer["result"]


def allocate():
    for address, account in genesis["alloc"].items():
        address = "0x" + address.removeprefix("0x")
        for field, method in (("balance", "Balance"), ("nonce", "Nonce"), ("code", "Code")):
            if field in account:
                must(f"anvil_set{method}", address, account[field])
        for slot, value in account.get("storage", {}).items():
            must("anvil_setStorageAt", address, slot, value)


def blocks():
    """The blocks of the chain: each the header's fields, the header's hash and the transactions' bytes."""
    data = (TESTS / "chain.rlp").read_bytes()
    while data:
        header, transactions, *_ = rlp.decode(data, strict=False)
        length = len(rlp.encode(rlp.decode(data, strict=False)))
        data = data[length:]
        raw = [tx if isinstance(tx, bytes) else rlp.encode(tx) for tx in transactions]
        yield header, keccak(rlp.encode(header)), raw


def play():
    """Plays the chain; geth's block hashes with the devnet's, and the blocks whose transactions are not all taken."""
    first = must("eth_getBlockByNumber", "0x0", False)
    start = int(first["timestamp"], 16)
    hashes, partial = {}, []
    must("evm_setAutomine", False)
    for number, (header, block_hash, raws) in enumerate(blocks(), 1):
        if number == 1:
            hashes["0x" + header[0].hex()] = first["hash"]
        must("evm_setNextBlockTimestamp", start + int.from_bytes(header[11]))
        # Before London blocks have no base fee, and gas costs what transactions bid.
        fee = int.from_bytes(header[15]) if len(header) > 15 else 1
        must("anvil_setNextBlockBaseFeePerGas", hex(fee))
        for raw in raws:
            answer = ask("eth_sendRawTransaction", "0x" + raw.hex())
            if "error" in answer:
                partial.append(f"block {number}, type {raw[0] if raw[0] < 0x80 else 0}: {answer['error']['message']}")
                sender = Account.recover_transaction(raw)
                nonce = int(must("eth_getTransactionCount", sender, "latest"), 16)
                must("anvil_setNonce", sender, hex(nonce + 1))
        must("evm_mine")
        hashes["0x" + block_hash.hex()] = must("eth_getBlockByNumber", hex(number), False)["hash"]
    must("evm_setAutomine", True)
    return hashes, partial


def shape(value, path="", into=None):
    into = {} if into is None else into
    if isinstance(value, list):
        into[path or "."] = "list"
        if value:
            shape(value[0], path + "[]", into)
    elif isinstance(value, dict):
        into[path or "."] = "object"
        for name, field in value.items():
            key = "*" if re.match(r"(?i)^(0x[0-9a-f]|\d+$)", name) else name
            shape(field, f"{path}.{key}", into)
    elif isinstance(value, str) and re.match(r"(?i)^0x[0-9a-f]*$", value):
        into[path or "."] = "hex"
    else:
        into[path or "."] = "null" if value is None else type(value).__name__
    return into


def compare(ours, theirs):
    if "error" in ours or "error" in theirs:
        one, other = (f"error {it['error']['code']}" if "error" in it else "result" for it in (ours, theirs))
        return "" if one == other else f"{one} here, {other} there"
    ours, theirs = ours["result"], theirs["result"]
    if not isinstance(ours, (list, dict)) and not isinstance(theirs, (list, dict)):
        return "" if ours == theirs else f"{str(ours)[:40]} here, {str(theirs)[:40]} there"
    one, other = shape(ours), shape(theirs)
    parts = []
    field = lambda path: path.removeprefix("[]").split(".")[-1]
    under = lambda path: any(part in BEACON for part in path.split("."))
    if missing := sorted(path for path in set(other) - set(one) if field(path) not in BYZANTIUM and not under(path)):
        parts.append("without " + " ".join(missing))
    if more := sorted(path for path in set(one) - set(other) if field(path) not in ARBITRUM | ALWAYS):
        parts.append("with " + " ".join(more))
    parts += [f"{path} is {one[path]}, there {other[path]}" for path in one if path in other and one[path] != other[path]]
    return "; ".join(parts)


def schemas():
    """The schema of each method's result."""
    components, methods = {}, {}
    for file in (FOLDER / "src/schemas").glob("*.yaml"):
        components.update(yaml.safe_load(file.read_text()))
    for family in ("eth", "debug", "txpool"):
        for file in (FOLDER / "src" / family).glob("*.yaml"):
            for method in yaml.safe_load(file.read_text()):
                methods[method["name"]] = method["result"]["schema"]
    return {name: {"components": {"schemas": components}, **schema} for name, schema in methods.items()}


def common(value):
    """A result without what Arbitrum adds to it."""
    if isinstance(value, list):
        return [common(item) for item in value]
    if isinstance(value, dict):
        return {name: common(field) for name, field in value.items() if name not in ARBITRUM}
    return value


def breach(schema, result):
    """How a result breaks its schema."""
    result = common(result)
    validator = jsonschema.validators.validator_for(schema, default=jsonschema.Draft7Validator)(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(result))
    return f"against the schema: {error.message[:120]}" if error else ""


def main():
    allocate()
    hashes, partial = play()
    print(f"{len(hashes) - 1} blocks played; transactions that are not taken:")
    for line in partial:
        print(f"    {line}")
    results = schemas()
    used, counts, wrong, checked = set(), {"same": 0, "differs": 0, "absent": 0}, 0, 0
    for file in sorted(TESTS.glob("*/*.io")):
        method = file.parent.name
        if method in LEFT_OUT:
            continue
        name = f"{method}/{file.stem}"
        lines = [line for line in file.read_text().splitlines() if line[:3] in (">> ", "<< ")]
        founds = []
        for request, answer in zip(lines[::2], lines[1::2]):
            text = request[3:]
            for theirs, own in hashes.items():
                text = text.replace(theirs, own)
            ours = post(text)
            answer = answer[3:]
            for theirs, own in hashes.items():
                answer = answer.replace(theirs, own)
            found = compare(ours, json.loads(answer))
            if ours.get("error", {}).get("code") == -32601:
                found = "not here"
            elif not found and "result" in ours and method in results:
                checked += 1
                found = breach(results[method], ours["result"])
            founds.append(found)
        found = "; ".join(filter(None, founds))
        key = name if name in REASONS else method
        reason = REASONS.get(key) if found else None
        if reason:
            used.add(key)
        status = "absent" if found == "not here" else "differs" if found else "same"
        counts[status] += 1
        wrong += bool(found and not reason)
        print(f"{'!' if found and not reason else ' '} {name:70} {status:8} {reason or found}")
    for unused in sorted(set(REASONS) - used):
        wrong += 1
        print(f"! {unused}: a reason that nothing needs")
    print(f"{counts['same']} same ({checked} results fit their schema), {counts['differs']} differ, {counts['absent']} absent; "
          f"{wrong} without a reason")
    return 1 if wrong else 0


try:
    status = main()
finally:
    process.terminate()
sys.exit(status)
