"""Signatures for the contract (§3.3 to §3.5), and personal messages (§7.2)."""

from eth_abi import decode, encode
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_defunct, encode_typed_data
from eth_keys.datatypes import Signature
from eth_utils import keccak, to_checksum_address

from . import want

HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
MAX_SIGNATURE = 2_048
MAX_TEXT = 256

# §3.5 without the three fields that every struct ends with.
FUNCTIONS = {
    "create_contract": "bytes32 image,address patient,bytes32 seal,address radiologist,bytes attestation,string description",
    "requesting_access": "address patient,bytes32 image,bytes32 publicKey,string notes",
    "approve_IRs": "address requester,bytes32 image,bytes32 publicKey,bytes32 sharedImage,uint64 expiresAt,string notes",
    "deny_IRs": "address requester,bytes32 image,string reason",
    "trace_authorization": "address patient,address requester,bytes32 image",
    "remove_IRs": "address requester,bytes32 image",
    "reshare_IRs": "address requester,bytes32 image,bytes32 sharedImage,uint64 expiresAt",
    "reseal_image": "bytes32 image,bytes32 root",
    "set_approval_limit": "bytes32 image,uint32 approvals,uint32 windowSeconds",
    "accredit_radiologist": "address radiologist,bool accredited",
    "transfer_consortium": "address to",
}
ATTESTATION = "bytes32 image,address patient,bytes32 seal"
SIGNED = "address signer,uint64 nonce,uint64 deadline"


def fields(text):
    return [dict(zip(("type", "name"), field.split())) for field in text.split(",")]


def types(name):
    return [field["type"] for field in fields(FUNCTIONS[name])]


def selector(name):
    return keccak(text=f"{name}({','.join(types(name))})")[:4]


def calldata(name, values):
    return selector(name) + encode(types(name), values)


def arguments(call):
    """The function and the values of its calldata."""
    names = [name for name in FUNCTIONS if selector(name) == call[:4]]
    want(names, "not the call of a function that can be signed")
    values = decode(types(names[0]), call[4:])
    want(calldata(names[0], values) == call, "calldata in another form")
    return names[0], values


def typed_digest(chain_id, contract, struct, members, values):
    """The EIP-712 digest of a struct in the contract's domain."""
    domain = {"name": "Pcac", "version": "1", "chainId": chain_id, "verifyingContract": to_checksum_address(contract)}
    message = {field["name"]: value for field, value in zip(fields(members), values)}
    return _hash_eip191_message(encode_typed_data(domain, {struct: fields(members)}, message))


def attestation_digest(chain_id, contract, image, patient, seal):
    return typed_digest(chain_id, contract, "ImageAttestation", ATTESTATION, [image, to_checksum_address(patient), seal])


def call_digest(chain_id, contract, call, signer, nonce, deadline):
    name, values = arguments(call)
    values = [to_checksum_address(value) if kind == "address" else value for kind, value in zip(types(name), values)]
    members = f"{FUNCTIONS[name]},{SIGNED}"
    return typed_digest(chain_id, contract, name, members, [*values, to_checksum_address(signer), nonce, deadline])


def message_digest(message):
    return _hash_eip191_message(encode_defunct(message))


def recover(digest, signature):
    """The lower-case address of the key that signed (§3.3)."""
    want(len(signature) == 65 and signature[64] in (27, 28), "not r, s and v")
    want(int.from_bytes(signature[32:64], "big") <= HALF_ORDER, "s in the upper half")
    vrs = signature[64] - 27, int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    return Signature(vrs=vrs).recover_public_key_from_msg_hash(digest).to_address()


def sign(digest, key):
    return bytes(Account.unsafe_sign_hash(digest, key).signature)
