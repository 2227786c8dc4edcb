"""What is signed for each function's call, by eth-account: prints the digests that the client's tests compare with.

usage: vectors.py   (with eth-account, as in web3py/requirements.txt)
"""

import json
from pathlib import Path

from eth_account.messages import _hash_eip191_message, encode_typed_data

ABI = json.loads((Path(__file__).parent / "../../contract/artifacts/v1/Pcac.json").read_text())
SIGNER = "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"  # of the private key 1
OTHER = "0x00000000000000000000000000000000000000b0"
DOMAIN = {"name": "Pcac", "version": "1", "chainId": 412346, "verifyingContract": "0x00000000000000000000000000000000000000c0"}
IMAGE, SHARED, SEAL, KEY = (bytes([byte]) * 32 for byte in (0x11, 0x22, 0x33, 0x44))
CALLS = [
    ("create_contract", [IMAGE, OTHER, SEAL, OTHER, bytes([7]) * 65, "CT CHEST"]),
    ("requesting_access", [OTHER, IMAGE, KEY, "TREAT"]),
    ("approve_IRs", [OTHER, IMAGE, KEY, SHARED, 7, "für einen Tag"]),
    ("deny_IRs", [OTHER, IMAGE, "no"]),
    ("trace_authorization", [OTHER, OTHER, IMAGE]),
    ("remove_IRs", [OTHER, IMAGE]),
    ("reshare_IRs", [OTHER, IMAGE, SHARED, 0]),
    ("reseal_image", [IMAGE, SHARED]),
    ("set_approval_limit", [IMAGE, 3, 60]),
    ("accredit_radiologist", [OTHER, True]),
    ("transfer_consortium", [OTHER]),
]

for function, args in CALLS:
    [entry] = [entry for entry in ABI if entry["type"] == "function" and entry["name"] == function]
    fields = [{"name": i["name"], "type": i["type"]} for i in entry["inputs"]]
    fields += [{"name": "signer", "type": "address"}, {"name": "nonce", "type": "uint64"}, {"name": "deadline", "type": "uint64"}]
    message = {field["name"]: value for field, value in zip(fields, [*args, SIGNER, 5, 1_790_000_000])}
    digest = _hash_eip191_message(encode_typed_data(DOMAIN, {function: fields}, message))
    print(f'b256!("{digest.hex()}"),')
