"""The contract Pcac with web3.py: plays ../scenario.json and compares.

usage: pcac.py DEVNET.json DEPLOYMENT.json   (what `pcim-dev devnet --json` and `pcim deploy --json` printed)
"""

import asyncio
import json
import secrets
import sys
import time
import traceback
from pathlib import Path

from eth_account import Account
from eth_utils.abi import function_abi_to_4byte_selector
from web3 import AsyncHTTPProvider, AsyncWeb3, WebSocketProvider
from web3.exceptions import ContractCustomError
from web3.middleware import SignAndSendRawMiddlewareBuilder
from web3.utils.subscriptions import LogsSubscription

HERE = Path(__file__).parent
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1
CLOCK_TOLERANCE = 60  # seconds
EVENTS_TIMEOUT = 10  # seconds

ABI = json.loads((HERE / "../../../contract/artifacts/v1/Pcac.json").read_text())
ERRORS = {function_abi_to_4byte_selector(entry): entry for entry in ABI if entry["type"] == "error"}
ATTESTATION = {
    "ImageAttestation": [
        {"name": "image", "type": "bytes32"},
        {"name": "patient", "type": "address"},
        {"name": "seal", "type": "bytes32"},
    ],
}


class Pcac:
    """The contract, as several people use it."""

    def __init__(self, devnet, deployment, actors):
        self.accounts = {name: Account.from_key(actor["private_key"]) for name, actor in actors.items()}
        self.w3 = AsyncWeb3(AsyncHTTPProvider(devnet["rpc_url"]))
        signing = SignAndSendRawMiddlewareBuilder.build(list(self.accounts.values()))
        self.w3.middleware_onion.inject(signing, layer=0)
        self.address = self.w3.to_checksum_address(deployment["contract"])
        self.contract = self.w3.eth.contract(self.address, abi=ABI)
        self.domain = {
            "name": "Pcac",
            "version": "1",
            "chainId": devnet["chain_id"],
            "verifyingContract": self.address,
        }
        self.heard = []

    def sign(self, actor, message):
        """The actor's EIP-712 signature of an image, its patient and its seal."""
        signed = self.accounts[actor].sign_typed_data(self.domain, ATTESTATION, message)
        return signed.signature.to_0x_hex()

    async def deploy(self, actor, bytecode):
        """The address of the contract that the creation code makes."""
        creation = self.w3.eth.contract(abi=[], bytecode=bytecode).constructor()
        sent = await creation.transact({"from": self.accounts[actor].address})
        receipt = await self.w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.05)
        return receipt["contractAddress"]

    def sign_call(self, actor, function, args, other):
        """The actor's EIP-712 signature of a call: a struct with the function's name and arguments, signer, nonce and deadline.
        `other` are entries of another domain."""
        [entry] = [entry for entry in ABI if entry["type"] == "function" and entry["name"] == function]
        fields = [{"name": i["name"], "type": i["type"]} for i in entry["inputs"]]
        fields += [{"name": "signer", "type": "address"}]
        fields += [{"name": name, "type": "uint64"} for name in ("nonce", "deadline")]
        message = {field["name"]: value for field, value in zip(fields, args)}
        signed = self.accounts[actor].sign_typed_data(self.domain | other, {function: fields}, message)
        return signed.signature.to_0x_hex()

    def encode(self, function, args):
        """The calldata of a call."""
        return self.contract.encode_abi(function, args=args)

    async def view(self, function, args):
        return await self.contract.functions[function](*args).call()

    async def call(self, actor, function, args):
        """What the function would return, sent by the actor."""
        sender = {"from": self.accounts[actor].address}
        return await self.contract.functions[function](*args).call(sender)

    async def send(self, actor, function, args):
        """The time and the events of the mined transaction."""
        sender = {"from": self.accounts[actor].address}
        sent = await self.contract.functions[function](*args).transact(sender)
        receipt = await self.w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.05)
        block = await self.w3.eth.get_block(receipt["blockNumber"])
        return block["timestamp"], [self.event(log) for log in receipt["logs"]]

    def event(self, log):
        """Name and arguments of a log of the contract."""
        found = self.contract.get_event_by_topic(log["topics"][0].to_0x_hex()).process_log(log)
        return found["event"], dict(found["args"])

    def refusal(self, error):
        """Name and arguments of the contract's error. web3.py hands over the bytes; its codec decodes them."""
        data = self.w3.to_bytes(hexstr=error.data)
        entry = ERRORS[data[:4]]
        values = self.w3.codec.decode([i["type"] for i in entry["inputs"]], data[4:])
        return entry["name"], {i["name"]: value for i, value in zip(entry["inputs"], values)}

    async def history(self, block):
        """The contract's events since a block."""
        logs = await self.w3.eth.get_logs({"address": self.address, "fromBlock": block})
        return [self.event(log) for log in logs]

    async def listen(self, socket):
        """Has every event of the contract from now on put into `heard`, as it comes over the WebSocket."""

        async def hear(context):
            self.heard.append(self.event(context.result))

        await socket.subscription_manager.subscribe(LogsSubscription(address=self.address, handler=hear))
        return asyncio.create_task(socket.subscription_manager.handle_subscriptions())


class Tally:
    """Counts what passed and what failed."""

    def __init__(self):
        self.passed = self.failed = 0

    async def check(self, title, work):
        try:
            await work
            self.passed += 1
        except Exception:
            self.failed += 1
            print(f"FAILED {title}\n{traceback.format_exc()}", file=sys.stderr)


async def relayed(pcac, step, names):
    """A step that one actor signs and another relays, as the step of who relays it."""
    args, signer, deadline = resolve(step["with"], names), names[step["signed"]], names["tomorrow"]
    nonce = await pcac.view("nonces", [signer])
    fault = step.get("fault")
    named = names[step["as"]] if fault == "other signer" else signer
    other = {"other chain": {"chainId": 1}, "other contract": {"verifyingContract": signer}}.get(fault, {})
    signature = pcac.sign_call(step["signed"], step["call"], [*args, named, nonce, deadline], other)
    signature = spoilt(signature, fault)
    call = pcac.encode(step["call"], args)
    return step | {"call": "relay", "with": [signer, nonce, deadline, call, signature]}


def spoilt(signature, fault):
    """A signature with the fault that is in its bytes, if it is one of those."""
    r, s, v = signature[2:66], int(signature[66:130], 16), int(signature[130:], 16)
    match fault:
        case "flipped":
            return f"0x{r}{ORDER - s:064x}{55 - v:02x}"
        case "truncated":
            return signature[:-2]
        case "compact":
            return f"0x{r}{s | (v - 27) << 255:064x}"
    return signature


async def play_step(pcac, step, names, emitted):
    if "until" in step:
        await asyncio.sleep(max(0, resolve(step["until"], names) + 1 - time.time()))
        return
    if "signed" in step:
        step = await relayed(pcac, step, names)
    args = resolve(step["with"], names)
    if "view" in step:
        same(await pcac.view(step["view"], args), resolve(step["returns"], names))
    elif "fails" in step:
        [wanted] = resolve(step["fails"], names).items()
        for way in (pcac.call, pcac.send):
            try:
                found = await way(step["as"], step["call"], args)
            except ContractCustomError as error:
                same(pcac.refusal(error), list(wanted))
            else:
                raise AssertionError(f"{way.__name__} went through: {found}")
    else:
        returned = await pcac.call(step["as"], step["call"], args)
        same(None if returned in ([], ()) else returned, step["returns"])
        timestamp, events = await pcac.send(step["as"], step["call"], args)
        emitted += events
        names |= {name: timestamp + offset for name, offset in step.get("times", {}).items()}
        same(events, [[*pair] for event in step["emits"] for pair in resolve(event, names).items()])


async def names_for(pcac, scenario, start):
    """What a "$name" of the scenario stands for, before the first step."""
    names = {name: account.address for name, account in pcac.accounts.items()}
    names |= {name: "0x" + secrets.token_hex(32) for name in scenario["digests"]}
    names |= {"zero": "0x" + "00" * 32, "tooLong": "a" * 257, "tomorrow": start["timestamp"] + 86_400}
    for name, bytecode in scenario["contracts"].items():
        names[name] = await pcac.deploy(scenario["actors"][0], bytecode)
    names["halfKey"] = names["key"][: 2 + 2 * 16]
    message = {name: names[name] for name in ("image", "patient", "seal")}
    names |= {name: pcac.sign(actor, message) for name, actor in scenario["signatures"].items()}
    return names


def resolve(value, names):
    """A value of the scenario with its "$name"s replaced; "$now" stays."""
    if isinstance(value, list):
        return [resolve(item, names) for item in value]
    if isinstance(value, dict):
        return {key: resolve(item, names) for key, item in value.items()}
    if isinstance(value, str) and value.startswith("$") and value != "$now":
        return names[value[1:]]
    return value


def same(found, wanted):
    found, wanted = plain(found, wanted), plain(wanted)
    # True == 1 in Python, so JSON is compared.
    if json.dumps(found, sort_keys=True) != json.dumps(wanted, sort_keys=True):
        raise AssertionError(f"found  {found}\nwanted {wanted}")


def plain(value, wanted=None):
    """A value as JSON would have it, hex in lower case. A time that is wanted to be "$now" becomes that if it is."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, str):
        return value.lower() if value.startswith("0x") else value
    if isinstance(value, (list, tuple)):
        hints = wanted if isinstance(wanted, (list, tuple)) and len(wanted) == len(value) else [None] * len(value)
        return [plain(item, hint) for item, hint in zip(value, hints)]
    if isinstance(value, dict):
        hints = wanted if isinstance(wanted, dict) else {}
        return {key: plain(item, hints.get(key)) for key, item in value.items()}
    if wanted == "$now" and abs(value - time.time()) <= CLOCK_TOLERANCE:
        return wanted
    return value


async def all_heard(pcac, emitted):
    end = time.monotonic() + EVENTS_TIMEOUT
    while len(pcac.heard) < len(emitted) and time.monotonic() < end:
        await asyncio.sleep(0.02)
    same(pcac.heard, emitted)


async def all_logged(pcac, since, emitted):
    same(await pcac.history(since), emitted)


async def main(devnet_file, deployment_file):
    devnet, deployment = (json.loads(Path(file).read_text()) for file in (devnet_file, deployment_file))
    scenario = json.loads((HERE / "../scenario.json").read_text())
    pcac = Pcac(devnet, deployment, dict(zip(scenario["actors"], devnet["accounts"])))
    async with AsyncWeb3(WebSocketProvider(devnet["ws_url"])) as socket:
        listening = await pcac.listen(socket)
        start = await pcac.w3.eth.get_block("latest")
        names = await names_for(pcac, scenario, start)
        emitted, tally = [], Tally()
        for number, step in enumerate(scenario["steps"], 1):
            title = f"step {number}: {step.get('view') or step.get('until') or step['as'] + ' ' + step['call']}"
            await tally.check(title, play_step(pcac, step, names, emitted))
        await tally.check("the events of the contract's log", all_logged(pcac, start["number"] + 1, emitted))
        await tally.check("the events that came by subscription", all_heard(pcac, emitted))
        listening.cancel()
    await pcac.w3.provider.disconnect()
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 0 if tally.failed == 0 else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(*sys.argv[1:])))
