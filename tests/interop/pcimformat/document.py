"""docs/format.md as data: its limits (§14), its vectors (§15), and the keys of a journal (§12.2)."""

import hashlib
import json
import pathlib
import re
import shutil
import tempfile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from eth_account import Account
from eth_utils import keccak, to_checksum_address

from . import backup, blocks, chain, mail, papers, payloads, pgp, rescue, seal

DOCUMENT = pathlib.Path(__file__).resolve().parents[3] / "docs/format.md"
PASSPHRASE = b"correct horse battery staple"

# What this implementation has for each row of §14.
LIMITS = {
    "block": blocks.MAX_BLOCK,
    "node": blocks.MAX_NODE,
    "links of a node": blocks.MAX_LINKS,
    "nodes from a root to a leaf": blocks.MAX_DEPTH,
    "text of a CID": blocks.MAX_CID_TEXT,
    "root": blocks.MAX_ROOT,
    "header": blocks.MAX_HEADER,
    "body, at least": seal.MIN_CONTAINER,
    "chunk size octet, written": seal.WRITTEN_CHUNK,
    "chunk size octet, read": seal.MAX_CHUNK,
    "blocks of a CAR file": blocks.MAX_CAR_BLOCKS,
    "roots of a CAR file": blocks.MAX_CAR_ROOTS,
    "certificate": pgp.MAX_CERTIFICATE,
    "key file": pgp.MAX_KEY,
    "certificate that a signature carries": seal.MAX_CARRIED,
    "detached signature": pgp.MAX_SIGNATURE,
    "document": seal.MAX_DOCUMENT,
    "document, encrypted": seal.MAX_SEALED_DOCUMENT,
    "contact card": papers.MAX_CARD,
    "peers of a card": papers.MAX_PEERS,
    "peer of a card": papers.MAX_PEER,
    "handover": papers.MAX_HANDOVER,
    "attestation": chain.MAX_SIGNATURE[2],
    "attestation, version 1": chain.MAX_SIGNATURE[1],
    "description": papers.MAX_DESCRIPTION,
    "text on the chain": chain.MAX_TEXT,
    "signature for the contract": chain.MAX_SIGNATURE[2],
    "signature for the contract, version 1": chain.MAX_SIGNATURE[1],
    "request document": papers.MAX_REQUEST,
    "name in a request": papers.MAX_NAME,
    "note in a request": papers.MAX_NOTE_TO_PATIENT,
    "signed call": papers.MAX_SIGNED_CALL,
    "calldata of a signed call": papers.MAX_CALL[2],
    "calldata of a signed call, version 1": papers.MAX_CALL[1],
    "document of a recovery": papers.MAX_RECOVERY,
    "acceptance of a guardian": rescue.MAX_ACCEPTANCE,
    "drill, its answer": rescue.MAX_DRILL,
    "network file": mail.MAX_NETWORK,
    "endpoints, gateways of a network file": mail.MAX_URLS,
    "followers of a network file": mail.MAX_FOLLOWERS,
    "note": papers.MAX_NOTE,
    "letter": backup.MAX_LETTER,
    "document in mail": mail.MAX_DOCUMENT,
    "mail, encrypted": mail.MAX_SEALED,
    "question to a mailbox, answer": mail.MAX_QUESTION,
    "entries of a mailbox's list": mail.MAX_LISTED,
    "text of an invitation": mail.MAX_INVITATION,
    "shares of a secret": backup.MAX_SHARES,
    "backup": backup.MAX_BACKUP,
    "contents of a backup": backup.MAX_CONTENTS,
    "keys of a backup": backup.MAX_KEYS,
    "words of a sheet, with white space": backup.MAX_WORDS,
    "emergency object": rescue.MAX_EMERGENCY,
    "drill of an emergency": rescue.MAX_EMERGENCY_DRILL,
    "images of a drill": rescue.MAX_DRILLED,
    "files of a study": payloads.MAX_FILES,
    "manifest": payloads.MAX_MANIFEST,
}

# §12.2, with what stands for each word in capitals.
WORDS = {
    "IMAGE": "bafybei[a-z2-7]{52}", "ROOT": "bafybei[a-z2-7]{52}", "CERTIFICATE": "bafkrei[a-z2-7]{52}", "ADDRESS": "0x[0-9a-fA-F]{40}",
    "REQUESTOR": "0x[0-9a-fA-F]{40}", "RADIOLOGIST": "0x[0-9a-fA-F]{40}", "SIGNER": "0x[0-9a-fA-F]{40}", "DIGEST": "0x[0-9a-f]{64}",
    "NUMBER": "[0-9a-f]{16}", "BOOL": "true|false", **dict.fromkeys(("NONCE", "DEADLINE", "APPROVALS", "SECONDS"), "[0-9]+"),
}


def text():
    return DOCUMENT.read_text()


def section(number):
    found = re.search(rf"^## {number} .*?(?=^## |\Z)", text(), re.S | re.M)
    return found.group()


def key_forms():
    rows = re.findall(r"^\| (`[^|]*) \|", section(12), re.M)
    return [form for row in rows for form in re.findall("`([^`]+)`", row) if ":" in form]


def is_key(key, chain_id, contract):
    """Tells if a journal's key is one of §12.2, for this contract."""
    start = f"{chain_id}:{to_checksum_address(contract)}:"
    pattern = lambda form: "".join(f"({WORDS[it]})" if it in WORDS else re.escape(it) for it in re.split("([A-Z]+)", form))
    return key.startswith(start) and any(re.fullmatch(pattern(form), key[len(start):]) for form in key_forms())


def table(heading):
    """The first column of the table below a heading, all of its names."""
    found = re.search(rf"^### {re.escape(heading)}.*?(?=^##|\Z)", text(), re.S | re.M).group()
    for row in re.findall(r"^\| (`.*?) \|", found, re.M):
        yield re.findall("`([^`]+)`", row)


def is_file(name):
    """Tells if a file of a home is listed (§11.1)."""
    listed = [it for row in table("11.1") for it in row]
    return any(re.fullmatch(re.escape(it).replace(r"\*", ".*"), name) for it in listed) or re.fullmatch("notes-[0-9a-f].pgp", name)


def config_keys():
    """The keys of config.toml (§11.2), those of a table behind its name."""
    keys = set()
    for first, *more in table("11.2"):
        keys |= {f"{first[1:-1]}.{it}" for it in more} if first.startswith("[") else {first, *more}
    return keys


def keys_of_config(config):
    tables = {name for name, value in config.items() if isinstance(value, dict)}
    return {name for name in config if name not in tables} | {f"{name}.{key}" for name in tables for key in config[name]}


def record_fields():
    """The fields of a deployment's record (§13.4), in order."""
    found = re.search(r"^### 13.4.*?(?=^###)", text(), re.S | re.M).group()
    return re.findall("`([a-z0-9_]+)`", found)


# ---- vectors: each computes what must come out ---------------------------------------------------------------------

def unhex(value):
    return bytes.fromhex(value.removeprefix("0x"))


def pattern_of(length):
    return bytes(i * 7 % 251 for i in range(length))


def digests(it):
    block = unhex(it["block"])
    return {"digest": hashlib.sha256(block).hexdigest(), "raw": blocks.cid_of(blocks.RAW, block).encode(),
            "dag_pb": blocks.cid_of(blocks.DAG_PB, block).encode(),
            "version_0": blocks.cid_of(blocks.DAG_PB, block).set(version=0, base="base58btc").encode()}


def tree(it):
    data = pattern_of(it["length"])
    link, held = blocks.grow(data, it["chunk"])
    assert blocks.read_tree(link, held) == data
    return {"cid": link.cid.encode(), "dag_size": link.dag_size, "blocks": len(held)}


def root(it):
    digest, held = blocks.make_root(unhex(it["header"]), unhex(it["body"]))
    found = blocks.Root(*blocks.read_car(blocks.write_car(digest, held)))
    assert found.header == unhex(it["header"]) and found.body == unhex(it["body"])
    cid = blocks.cid_named(blocks.DAG_PB, digest)
    return {"root": held[cid].hex(), "image": cid.encode(), "car": blocks.write_car(digest, held).hex()}


def keys_of(it):
    """A key of version 6 with fixed secrets."""
    made = []
    for tag, algorithm, kind, secret in ((pgp.PUBLIC, pgp.ED25519, Ed25519PrivateKey, it["signing"]),
                                         (pgp.PUBLIC_SUB, pgp.X25519, X25519PrivateKey, it["encrypting"])):
        secret = kind.from_private_bytes(unhex(secret))
        point = secret.public_key().public_bytes(*pgp.RAW)
        key = pgp.Key(tag, b"\x06" + it["created"].to_bytes(4, "big") + bytes([algorithm]) + b"\0\0\0\x20" + point)
        key.secret = secret
        made.append(key)
    return made


def openpgp(it):
    primary, sub = keys_of(it)
    return {"primary": primary.fingerprint.hex(), "subkey": sub.fingerprint.hex()}


def signature(it):
    primary, _ = keys_of(it)
    fields = [(pgp.CREATED, it["made"].to_bytes(4, "big")), (pgp.ISSUER, b"\x06" + primary.fingerprint)]
    fields.append(pgp.notation(seal.PREDECESSOR, it["predecessor"].encode(), True))
    hashed = b"".join(pgp.subpacket(*field) for field in fields)
    signed = bytes([6, 0, pgp.ED25519, 8]) + len(hashed).to_bytes(4, "big") + hashed
    salt = unhex(it["salt"])
    digest = hashlib.sha256(salt + it["payload"].encode() + signed + b"\x06\xff" + len(signed).to_bytes(4, "big")).digest()
    packet = pgp.packet(pgp.SIGNATURE, signed + bytes(4) + digest[:2] + bytes([16]) + salt + primary.secret.sign(digest))
    [(_, body)] = pgp.packets(packet)
    pgp.Signature(body).verify(it["payload"].encode(), primary)
    return {"digest": digest.hex(), "packet": packet.hex(), "seal": "0x" + hashlib.sha256(packet).hexdigest()}


def header(it):
    """Opened, not made: what is wrapped has an ephemeral key."""
    _, sub = keys_of(it)
    reader = type("Reader", (), {"keys": [sub]})
    session_key, version = seal.open_header(unhex(it["header"]), reader)
    return {"session_key": session_key.hex(), "body_version": version}


def container(it):
    body = seal.encrypt_v2(unhex(it["session_key"]), unhex(it["plain"]), unhex(it["salt"]), it["chunk"])
    assert seal.decrypt_v2(unhex(it["session_key"]), body, False) == unhex(it["plain"])
    return {"packet": pgp.packet(pgp.SEIPD, body).hex()}


def card(it):
    account = Account.from_key(unhex(it["private_key"]))
    certificate = type("Certificate", (), {"bytes": unhex(it["certificate"]), "fingerprint": unhex(it["fingerprint"])})
    said = papers.statement(account.address.lower(), certificate, it["peers"])
    digest = chain.message_digest(said)
    signed = chain.sign(digest, account.key)
    assert chain.recover(digest, signed) == account.address.lower()
    return {"statement": said.decode(), "digest": "0x" + digest.hex(), "signature": signed.hex()}


def attestation(it):
    digest = chain.attestation_digest(it["chain_id"], it["contract"], unhex(it["image"]), it["patient"], unhex(it["seal"]), version=1)
    return {"digest": "0x" + digest.hex(), "signature": chain.sign(digest, unhex(it["private_key"])).hex()}


def signed_calls(it):
    """Values as in the ABI: hex for bytes."""
    found = {}
    for name, values in it["calls"].items():
        kinds = chain.types(name, 1)
        values = [unhex(value) if kind.startswith("bytes") else value for kind, value in zip(kinds, values)]
        call = chain.calldata(name, values, 1)
        digest = chain.call_digest(it["chain_id"], it["contract"], call, it["signer"], it["nonce"], it["deadline"], 1)
        found[name] = "0x" + digest.hex()
    return found


def tar_header(it):
    return {"sha256": hashlib.sha256(payloads.tar_header(it["name"], it["size"])).hexdigest()}


def key_objects(it):
    return {what: payloads.derived_uid(what, it["study"], it["instances"]) for what in ("series", "instance")}


def pseudonyms(it):
    own = payloads.Pseudonyms(unhex(it["key"]), it["patient_id"].encode(), it["issuer"].encode())
    return {"patient": own.patient, "uid": own.uid(it["uid"]), "days": own.days,
            "identifier": own.identifier(it["attribute"].encode(), it["value"].encode())}


def journal_digest(it):
    approve = sorted(unhex(pair[0]) + unhex(pair[1]) + unhex(it["certificate"]) for pair in it["pairs"])
    deny = sorted(unhex(pair[0]) + unhex(pair[1]) for pair in it["pairs"])
    return {"approve-all": "0x" + keccak(b"".join(approve)).hex(), "deny-all": "0x" + keccak(b"".join(deny)).hex()}


VECTORS = {it.__name__: it for it in (digests, tree, root, openpgp, signature, header, container, card, attestation, signed_calls,
                                      tar_header, key_objects, pseudonyms, journal_digest)}


def vectors():
    for found in re.findall(r"^```json\n(\{\n  \"vector\".*?)^```$", section(15), re.S | re.M):
        yield json.loads(found)


def check_all(check):
    print("-- the document", flush=True)
    rows = re.findall(r"^\| ([^|]+) \| ([0-9,]+) \| §", section(14), re.M)
    check.equal(f"the {len(rows)} limits of the document", {name: int(value.replace(",", "")) for name, value in rows}, LIMITS)
    check(f"its {len(key_forms())} keys of a journal, and no other", len(key_forms()) > 20 and not is_key(f"1:0x{'0' * 40}:other:1", 1, "0x" + "0" * 40))
    seen = set()
    for it in vectors():
        seen.add(it["vector"])
        check.equal(f"vector {it['vector']}", VECTORS[it["vector"]](it["of"]), it["is"])
    check.equal("vectors of each kind", seen, set(VECTORS))


# ---- a home that the first program made ------------------------------------------------------------------------------

def check_fixture(check, folder, read_journal):
    """A home, a card, a handover and a signed call of version 1, read without any program of ours."""
    print("-- a home of version 1", flush=True)
    home = folder / "home"
    own = pgp.Certificate.locked((home / "openpgp.asc").read_bytes(), PASSPHRASE)
    key = Account.decrypt(json.loads((home / "ethereum.json").read_text()), PASSPHRASE.decode())
    owner = Account.from_key(key).address.lower()
    found = papers.Card((folder / "home.card").read_bytes())
    check.equal("its card", (found.address, found.certificate.fingerprint), (owner, own.fingerprint))
    call = papers.SignedCall((folder / "removal.json").read_bytes())
    check.equal("a signed call", (call.function, call.signer, call.deadline), ("remove_IRs", owner, 4_000_000_000))
    handover = papers.Handover((folder / "registered.handover").read_bytes(), own, owner, call.chain_id, call.contract)
    check.equal("the call is about the image of the handover", call.arguments[1], handover.image)
    held = blocks.read_repository(home / "ipfs")
    root = blocks.Root(handover.image, held)
    contents, signer, _ = seal.open_body(*seal.open_header(root.header, own), root.body)
    check.equal("its image: seal and signer", (contents.seal, signer.fingerprint), (handover.seal, handover.card.certificate.fingerprint))
    check.equal("its payload", payloads.kind(contents.payload), "DICOM")
    notes = papers.open_notes((home / f"notes-{handover.image[0] >> 4:x}.pgp").read_bytes(), own)
    check("its notes", "left knee, before the operation" in [it["text"] for it in notes], notes)
    with tempfile.TemporaryDirectory() as copy:
        shutil.copy(home / "journal.sqlite", copy)
        operations = read_journal(check, pathlib.Path(copy) / "journal.sqlite", call.chain_id, call.contract, 3)
    plans = {key.split(":")[2]: json.loads(plan) for key, _, plan, done in operations if not done and plan}
    check.equal("what is planned in it", set(plans), {"reseal", "seal"})
    check.equal("the plan of a reseal", set(plans["reseal"]), {"image", "version", "remove", "moved"})
    [file] = plans["seal"]["files"]
    check.equal("a handover to be written is a document for another reader", list(pgp.packets(bytes.fromhex(file["handover"]), (pgp.SEIPD,)))[0][0], pgp.PKESK)
