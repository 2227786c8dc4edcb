"""Signatures for the contract (§3.3, §3.4, §3.8.1), and personal messages (§7.2)."""

from eth_abi import decode, encode
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_defunct, encode_typed_data
from eth_keys.datatypes import Signature
from eth_utils import keccak, to_checksum_address

from . import want

HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
# By the contract's version.
MAX_SIGNATURE = {1: 2_048, 2: 8_192}
MAX_TEXT = 256

# §3.5 without the three fields that every struct ends with.
FUNCTIONS_1 = {
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
ATTESTATION_1 = "bytes32 image,address patient,bytes32 seal"
SIGNED_1 = "address signer,uint64 nonce,uint64 deadline"
# §3.8.1, likewise.
FUNCTIONS = {
    "create_contract": "bytes32 image,address patient,bytes32 seal,address radiologist,bytes attestation,string description",
    "requesting_access": "address patient,bytes32 image,bytes32 publicKey,string notes",
    "approve_IRs": "address requester,bytes32 image,bytes32 publicKey,uint64 requestedAt,bytes10 notesDigest,bytes32 sharedImage,uint64 expiresAt,string notes",
    "deny_IRs": "address requester,bytes32 image,string reason",
    "trace_authorization": "address patient,address requester,bytes32 image",
    "remove_IRs": "address requester,bytes32 image",
    "reshare_IRs": "address requester,bytes32 image,uint64 decidedAt,bytes32 sharedImage,uint64 expiresAt",
    "reseal_image": "bytes32 image,bytes32 root,bytes32 emergency,uint32 round",
    "set_approval_limit": "bytes32 image,uint32 approvals,uint32 windowSeconds,uint32 round",
    "withdraw_image": "bytes32 image",
    "restore_image": "bytes32 image,uint32 round",
    "retract_image": "bytes32 image,uint8 reason",
    "import_image": "bytes32 image",
    "set_guardians": "address patient,uint32 round,bytes24 commitment,uint16 delayHours",
    "move_account": "address patient,uint32 round,address successor",
    "set_emergency": "address patient,uint32 round,address desk,uint8 maxHours",
    "cancel_change": "address patient",
    "finish_change": "address patient",
    "set_delegate": "address patient,uint32 round,address delegate,uint64 until",
    "break_glass": "address requester,bytes32 image,bytes32 publicKey,uint64 requestedAt,uint64 until,bytes32 reasonCode",
    "void_nonces": "uint256 word,uint256 mask",
}
ATTESTATION = "bytes32 image,address patient,bytes32 seal,uint64 replaces"
SIGNED = "address signer,uint256 nonce,uint64 deadline"


def fields(text):
    return [dict(zip(("type", "name"), field.split())) for field in text.split(",")]


def functions(version):
    return FUNCTIONS if version == 2 else FUNCTIONS_1


def types(name, version=2):
    return [field["type"] for field in fields(functions(version)[name])]


def selector(name, version=2):
    return keccak(text=f"{name}({','.join(types(name, version))})")[:4]


def calldata(name, values, version=2):
    return selector(name, version) + encode(types(name, version), values)


def arguments(call, version=2):
    """The function and the values of its calldata."""
    names = [name for name in functions(version) if selector(name, version) == call[:4]]
    want(names, "not the call of a function that can be signed")
    values = decode(types(names[0], version), call[4:])
    want(calldata(names[0], values, version) == call, "calldata in another form")
    return names[0], values


def typed_digest(chain_id, contract, struct, members, values, version=2):
    """The EIP-712 digest of a struct in the contract's domain."""
    domain = {"name": "Pcac", "version": str(version), "chainId": chain_id, "verifyingContract": to_checksum_address(contract)}
    message = {field["name"]: value for field, value in zip(fields(members), values)}
    return _hash_eip191_message(encode_typed_data(domain, {struct: fields(members)}, message))


def attestation_digest(chain_id, contract, image, patient, seal, replaces=0, version=2):
    values = [image, to_checksum_address(patient), seal, replaces]
    members, values = (ATTESTATION, values) if version == 2 else (ATTESTATION_1, values[:3])
    return typed_digest(chain_id, contract, "ImageAttestation", members, values, version)


def call_digest(chain_id, contract, call, signer, nonce, deadline, version=2):
    name, values = arguments(call, version)
    values = [to_checksum_address(value) if kind == "address" else value for kind, value in zip(types(name, version), values)]
    members = f"{functions(version)[name]},{SIGNED if version == 2 else SIGNED_1}"
    return typed_digest(chain_id, contract, name, members, [*values, to_checksum_address(signer), nonce, deadline], version)


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
