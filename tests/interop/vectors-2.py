"""What is signed for each call of version 2 of the contract, an attestation and a recovery, by eth-account.

usage: vectors-2.py        compares vectors-2.json with what eth-account computes
       vectors-2.py write  writes it   (with eth-account, as in web3py/requirements.txt)
"""

import json
import sys
from pathlib import Path

from eth_account.messages import _hash_eip191_message, encode_typed_data

HERE = Path(__file__).parent
ABI = json.loads((HERE / "../../contract/abi/Pcac.json").read_text())
SIGNER = "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"  # of the private key 1
OTHER = "0x00000000000000000000000000000000000000b0"
DOMAIN = {"name": "Pcac", "version": "2", "chainId": 412346, "verifyingContract": "0x00000000000000000000000000000000000000c0"}
IMAGE, SHARED, SEAL, KEY = ("0x" + byte * 32 for byte in ("11", "22", "33", "44"))
NONCE, DEADLINE = (1 << 255) + 5, 1_790_000_000
CALLS = [
    ("create_contract", [IMAGE, OTHER, SEAL, OTHER, "0x" + "07" * 65, "CT CHEST"]),
    ("requesting_access", [OTHER, IMAGE, KEY, "TREAT"]),
    ("approve_IRs", [OTHER, IMAGE, KEY, 1_780_000_000, "0x" + "ab" * 10, SHARED, 7, "für einen Tag"]),
    ("deny_IRs", [OTHER, IMAGE, "no"]),
    ("trace_authorization", [OTHER, OTHER, IMAGE]),
    ("remove_IRs", [OTHER, IMAGE]),
    ("reshare_IRs", [OTHER, IMAGE, 1_780_000_001, SHARED, 0]),
    ("reseal_image", [IMAGE, SHARED, KEY, 3]),
    ("set_approval_limit", [IMAGE, 3, 60, 4]),
    ("withdraw_image", [IMAGE]),
    ("restore_image", [IMAGE, 5]),
    ("retract_image", [IMAGE, 6]),
    ("import_image", [IMAGE]),
    ("set_guardians", [OTHER, 7, "0x" + "cd" * 24, 72]),
    ("move_account", [OTHER, 8, SIGNER]),
    ("set_emergency", [OTHER, 9, SIGNER, 24]),
    ("cancel_change", [OTHER]),
    ("finish_change", [OTHER]),
    ("set_delegate", [OTHER, 10, SIGNER, 1_800_000_000]),
    ("break_glass", [OTHER, IMAGE, KEY, 1_780_000_002, 1_780_003_602, SEAL]),
    ("void_nonces", [1 << 200, (1 << 256) - 1]),
]
OTHERS = [
    ("ImageAttestation", "bytes32 image,address patient,bytes32 seal,uint64 replaces", [IMAGE, OTHER, SEAL, 1_770_000_000]),
    ("Recovery", "address patient,address successor,bool lock,uint16 recovery,uint64 deadline", [OTHER, SIGNER, True, 9, DEADLINE]),
]


def vector(name: str, fields: list, values: list) -> dict:
    types = {name: [{"name": field, "type": kind} for kind, field in fields]}
    message = {field: value for (_, field), value in zip(fields, values, strict=True)}
    kinds = dict((field, kind) for kind, field in fields)
    raw = {field: bytes.fromhex(value[2:]) if kinds[field].startswith("bytes") else value for field, value in message.items()}
    digest = _hash_eip191_message(encode_typed_data(DOMAIN, types, raw))
    shown = {field: str(value) if isinstance(value, int) and not isinstance(value, bool) else value for field, value in message.items()}
    return {"domain": DOMAIN, "types": types, "primaryType": name, "message": shown, "digest": "0x" + digest.hex()}


def vectors() -> list:
    found = []
    for function, args in CALLS:
        [entry] = [entry for entry in ABI if entry["type"] == "function" and entry["name"] == function]
        fields = [(i["type"], i["name"]) for i in entry["inputs"]]
        fields += [("address", "signer"), ("uint256", "nonce"), ("uint64", "deadline")]
        found.append(vector(function, fields, [*args, SIGNER, NONCE, DEADLINE]))
    for name, fields, args in OTHERS:
        found.append(vector(name, [tuple(field.split()) for field in fields.split(",")], args))
    return found


path = HERE / "vectors-2.json"
wanted = json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n"
if sys.argv[1:] == ["write"]:
    path.write_text(wanted)
elif path.read_text() != wanted:
    sys.exit(f"{path.name} is not what eth-account computes")
print(f"{len(vectors())} structs of version 2 as eth-account hashes them")
