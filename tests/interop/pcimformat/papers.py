"""The documents: cards, handovers, requests, signed calls, notes (§7 to §10, §11.6)."""

import hashlib
import json
import re

from . import chain, pgp, seal, want
from .blocks import DAG_PB, RAW, cid_named, digest_named

MAX_CARD = 720_896
MAX_PEERS = 32
MAX_PEER = 256
MAX_HANDOVER = 917_504
MAX_DESCRIPTION = 256
MAX_REQUEST = 65_536
MAX_NAME = 256
MAX_NOTE_TO_PATIENT = 8_192
MAX_SIGNED_CALL = 65_536
MAX_CALL = {1: 4_096, 2: 12_288}
MAX_RECOVERY = 32_768
MAX_NOTE = 4_096
PURPOSES = ("TREAT", "HRESCH", "HPAYMT", "ETREAT")


def once(pairs):
    """An object whose names come once (§1.3)."""
    found = dict(pairs)
    want(len(found) == len(pairs), "a name that comes twice")
    return found


def read(text, kind, required, optional=(), limit=None, open_ended=False, versions=(1,)):
    """A JSON document of one of these versions with these fields (§1.3)."""
    want(limit is None or len(text) <= limit, f"a document of {len(text)} bytes")
    document = json.loads(text, object_pairs_hook=once) if isinstance(text, (bytes, str)) else text
    want(isinstance(document, dict) and document.get(kind) in versions, f"not version {versions} of {kind}")
    found = {name for name, value in document.items() if value is not None or name not in optional} - {kind}
    want(set(required) <= found, f"{kind} lacks {set(required) - found}")
    want(open_ended or found <= {*required, *optional}, f"{kind} has {found - {*required, *optional}}")
    return document


def address(text):
    want(re.fullmatch("0x[0-9a-fA-F]{40}", text), "not an address")
    return text.lower()


# ---- contact cards -------------------------------------------------------------------------------------------------

def statement(owner, certificate, peers, dates=None, token=None):
    """The bytes that both keys of a card sign (§7.2)."""
    lines = [f"pcim contact card {2 if dates else 1}", f"address {owner}"]
    fingerprint, digest = certificate.fingerprint.hex().upper(), hashlib.sha256(certificate.bytes).hexdigest()
    lines += [f"certificate {fingerprint} sha256 {digest}"]
    lines += [f"issued {dates[0]}", f"expires {dates[1]}"] if dates else []
    lines += [f"token {token}"] if token else []
    lines += [f"peer {peer}" for peer in peers]
    return "".join(f"{line}\n" for line in lines).encode()


class Card:
    """A card whose two signatures were verified."""

    def __init__(self, text):
        names = ("address", "certificate", "peers", "openpgp_signature", "ethereum_signature")
        limit = MAX_CARD if isinstance(text, bytes) else None
        self.document = card = read(text, "pcim-card", names, ("issued_at", "expires_at", "token"), limit=limit, versions=(1, 2))
        self.address, self.peers = address(card["address"]), card["peers"]
        want(len(self.peers) <= MAX_PEERS, "too many peers")
        want(all(re.fullmatch("/[!-~]*", peer) and len(peer) <= MAX_PEER for peer in self.peers), "not a multiaddr")
        self.certificate = pgp.Certificate(bytes.fromhex(card["certificate"]))
        dates, self.token = [card.get(name) for name in ("issued_at", "expires_at")], card.get("token")
        self.dates = dates if card["pcim-card"] == 2 else None
        want(self.dates or not any((*dates, self.token)), "a card of version 1 with dates or token")
        want(not self.dates or all(type(it) is int for it in dates) and 0 <= dates[0] <= dates[1], "not the time of a card")
        want(not self.token or re.fullmatch("[0-9a-f]{32}", self.token), "not a token")
        said = statement(self.address, self.certificate, self.peers, self.dates, self.token)
        pgp.verify_detached(said, bytes.fromhex(card["openpgp_signature"]), self.certificate)
        found = chain.recover(chain.message_digest(said), bytes.fromhex(card["ethereum_signature"]))
        want(found == self.address, f"a card of {self.address} that {found} signed")


def make_card(account, own, peers=(), dates=(1_790_000_000, 1_853_072_000), token=None):
    owner = account.address.lower()
    said = statement(owner, own, peers, dates, token)
    later = {"issued_at": dates[0], "expires_at": dates[1], **({"token": token} if token else {})} if dates else {}
    return {
        "pcim-card": 2 if dates else 1, "address": owner, "certificate": own.bytes.hex(), "peers": list(peers), **later,
        "openpgp_signature": pgp.sign(own.signer, said).hex(),
        "ethereum_signature": chain.sign(chain.message_digest(said), account.key).hex(),
    }


# ---- handovers -----------------------------------------------------------------------------------------------------

HANDOVER = ("chain_id", "contract", "image", "patient", "seal", "attestation", "description", "radiologist")


class Handover:
    """A handover, opened and verified but for the image itself (§8.2)."""

    def __init__(self, message, own, patient, chain_id, contract):
        want(len(message) <= MAX_HANDOVER, f"a handover of {len(message)} bytes")
        optional = ("account", "predecessor", "identity", "replaces")
        parse = lambda text: read(bytes(text), "pcim-handover", HANDOVER, optional, versions=(1, 2))
        card_of = lambda text: Card(parse(text)["radiologist"])
        document = parse(seal.open_document(message, own, lambda text: card_of(text).certificate))
        self.document, self.card = document, Card(document["radiologist"])
        want(address(document["patient"]) == patient, "a handover for another patient")
        want(document["chain_id"] == chain_id, "a handover for another chain")
        want(address(document["contract"]) == contract, "a handover for another contract")
        self.image, self.seal = digest_named(document["image"], DAG_PB), bytes.fromhex(document["seal"])
        named = lambda field: document.get(field) and digest_named(document[field], DAG_PB)
        self.predecessor, self.identity = named("predecessor"), named("identity")
        attestation = bytes.fromhex(document["attestation"])
        want(len(attestation) <= chain.MAX_SIGNATURE[document["pcim-handover"]] and len(document["description"].encode()) <= MAX_DESCRIPTION, "too long")
        self.attester = address(document["account"]) if document.get("account") else self.card.address
        version, replaces = document["pcim-handover"], document.get("replaces", 0)
        want(version == 2 or not replaces, "version 1 replaces nothing")
        digest = chain.attestation_digest(chain_id, contract, self.image, patient, self.seal, replaces, version)
        want(chain.recover(digest, attestation) == self.attester, "a forged attestation")


def make_handover(account, own, card, patient, chain_id, contract, image, seal_, description, predecessor=None, changed=()):
    digest = chain.attestation_digest(chain_id, contract, image, patient.address, seal_)
    document = {
        "pcim-handover": 2, "chain_id": chain_id, "contract": contract, "image": str(cid_named(DAG_PB, image)),
        "patient": patient.address, "seal": seal_.hex(), "attestation": chain.sign(digest, account.key).hex(),
        "description": description, "radiologist": card,
    }
    if predecessor:
        document["predecessor"] = str(cid_named(DAG_PB, predecessor))
    document.update(changed)
    return seal.make_document(json.dumps(document).encode(), own, [patient.certificate])


# ---- requests ------------------------------------------------------------------------------------------------------

def notes(text):
    """The purpose and the document of a request's notes (§9.1)."""
    purpose, _, cid = text.partition(" ")
    want(purpose in PURPOSES, "not a purpose")
    return purpose, digest_named(cid, RAW) if cid else None


REQUEST = ("chain_id", "contract", "image", "requester", "purpose")


def open_request(message, own, published, chain_id, contract, image, requestor, said):
    """A request document about one request on the chain (§9.3)."""
    want(len(message) <= MAX_REQUEST, f"a request document of {len(message)} bytes")
    text = seal.open_document(message, own, lambda _: published)
    document = read(bytes(text), "pcim-request", REQUEST, ("name", "note", "peers"), open_ended=True)
    subject = document["chain_id"], address(document["contract"]), digest_named(document["image"], DAG_PB), address(document["requester"])
    want(subject == (chain_id, contract, image, requestor), "the document of another request")
    want(document["purpose"] == said, "another purpose than on the chain")
    for field, limit in (("name", MAX_NAME), ("note", MAX_NOTE_TO_PATIENT)):
        want(len((document.get(field) or "").encode()) <= limit, f"{field} is too long")
    return document


def make_request(own, patient, chain_id, contract, image, requestor, purpose, **more):
    document = {
        "pcim-request": 1, "chain_id": chain_id, "contract": contract, "image": str(cid_named(DAG_PB, image)),
        "requester": requestor, "purpose": purpose, **more,
    }
    return seal.make_document(json.dumps(document).encode(), own, [patient, own])


# ---- signed calls --------------------------------------------------------------------------------------------------

class SignedCall:
    """A signed call whose signature was verified (§10)."""

    def __init__(self, text):
        names = ("chain_id", "contract", "function", "signer", "nonce", "deadline", "call", "signature")
        document = read(text, "pcim-signed-call", names, limit=MAX_SIGNED_CALL, versions=(1, 2))
        self.chain_id, self.deadline = document["chain_id"], document["deadline"]
        version, nonce = document["pcim-signed-call"], document["nonce"]
        want(re.fullmatch("0x[0-9a-f]{1,64}", nonce) if version == 2 else isinstance(nonce, int), "not the version's nonce")
        self.nonce = int(nonce, 16) if version == 2 else nonce
        self.contract, self.signer = address(document["contract"]), address(document["signer"])
        call, signature = (bytes.fromhex(document[it][2:]) for it in ("call", "signature"))
        want(len(call) <= MAX_CALL[version] and len(signature) <= chain.MAX_SIGNATURE[version], "too long")
        self.function, self.arguments = chain.arguments(call, version)
        want(self.function == document["function"], f"named {document['function']}, its call is {self.function}")
        digest = chain.call_digest(self.chain_id, self.contract, call, self.signer, self.nonce, self.deadline, version)
        found = chain.recover(digest, signature)
        want(found == self.signer, f"a call of {self.signer} that {found} signed")


def make_signed_call(account, chain_id, contract, function, values, nonce, deadline):
    call, signer = chain.calldata(function, values), account.address.lower()
    digest = chain.call_digest(chain_id, contract, call, signer, nonce, deadline)
    document = {
        "pcim-signed-call": 2, "chain_id": chain_id, "contract": contract, "function": function, "signer": signer,
        "nonce": hex(nonce), "deadline": deadline, "call": "0x" + call.hex(), "signature": "0x" + chain.sign(digest, account.key).hex(),
    }
    return json.dumps(document, indent=2).encode() + b"\n"


# ---- notes ---------------------------------------------------------------------------------------------------------

def open_deid_key(message, own):
    """A home's key of de-identification (§11.5)."""
    text = bytes(seal.open_document(message, own, lambda _: own))
    head = b"pcim-deid-key 1\n"
    want(text.startswith(head) and len(text) == len(head) + 32, "not a key of de-identification")
    return text[len(head):]


def open_notes(message, own):
    """A home's notes (§11.6)."""
    text = seal.open_document(message, own, lambda _: own)
    found = read(bytes(text), "pcim-notes", ("notes",), open_ended=True)["notes"]
    for note in found:
        want(note["by"] in ("owner", "radiologist") and len(note["text"].encode()) <= MAX_NOTE, "not a note")
    return found
