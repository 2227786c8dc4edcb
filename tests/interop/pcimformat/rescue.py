"""Papers of guardians and custodians: recoveries, acceptances, drills, emergency objects (§10.1 to §10.3, §13.17)."""

import hashlib
import re

from eth_utils import to_checksum_address

from . import Refused, backup, chain, papers, pgp, want
from .blocks import DAG_PB, digest_named

MAX_ACCEPTANCE = 917_504
MAX_DRILL = 32_768
MAX_EMERGENCY = 983_040
MAX_EMERGENCY_DRILL = 917_504
MAX_DRILLED = 1_000
RECOVERY = "address patient,address successor,bool lock,uint16 recovery,uint64 deadline"
TERMS = ("chain_id", "contract", "patient", "successor", "lock", "recovery", "deadline")


def unhex(text, length=None):
    want(re.fullmatch("([0-9a-f]{2})*", text) and length in (None, len(text) // 2), "not hex of this length")
    return bytes.fromhex(text)


class Acceptance:
    """A guardian's acceptance whose two signatures were verified (§10.2)."""

    def __init__(self, text):
        names = ("patient", "guardian", "card", "openpgp_signature", "ethereum_signature")
        self.document = it = papers.read(text, "pcim-guardian", names, limit=MAX_ACCEPTANCE)
        self.patient, self.guardian, self.card = papers.address(it["patient"]), papers.address(it["guardian"]), papers.Card(it["card"])
        said = f"pcim guardian 1\npatient {self.patient}\nguardian {self.guardian}\ncard {self.card.address}\n".encode()
        pgp.verify_detached(said, unhex(it["openpgp_signature"]), self.card.certificate)
        found = chain.recover(chain.message_digest(said), unhex(it["ethereum_signature"], 65))
        want(found == self.guardian, f"an acceptance of {self.guardian} that {found} signed")


def check_terms(terms):
    want(set(terms) == set(TERMS), "other terms")
    for name in ("contract", "patient", "successor"):
        papers.address(terms[name])
    return terms


def recovery_digest(terms):
    values = [to_checksum_address(terms["patient"]), to_checksum_address(terms["successor"]), terms["lock"], terms["recovery"], terms["deadline"]]
    return chain.typed_digest(terms["chain_id"], terms["contract"], "Recovery", RECOVERY, values)


def check_agreement(document):
    """An agreement that its guardian's key signed (§10.1); its guardian."""
    it = papers.read(document, "pcim-recovery-agreement", ("terms", "guardian", "signature"))
    found = chain.recover(recovery_digest(check_terms(it["terms"])), unhex(it["signature"].removeprefix("0x"), 65))
    want(found == papers.address(it["guardian"]), f"an agreement of {it['guardian']} that {found} signed")
    return found


class Drill:
    def __init__(self, text):
        self.document = papers.read(text, "pcim-drill", ("nonce", "terms"), limit=MAX_DRILL)
        self.nonce, self.terms = unhex(self.document["nonce"], 32), check_terms(self.document["terms"])

    def proof(self, share):
        """What a holder of a share answers."""
        salt, index = bytes.fromhex(share.document["share"]["salt"]), bytes([share.index])
        return hashlib.sha256(b"pcim drill 1" + self.nonce + salt + index + share.share).hexdigest()


class DrillAnswer:
    def __init__(self, text, drill):
        self.document = it = papers.read(text, "pcim-drill-answer", ("nonce", "agreement"), ("share",), limit=MAX_DRILL)
        want(unhex(it["nonce"], 32) == drill.nonce and it["agreement"]["terms"] == drill.terms, "an answer to another drill")
        self.guardian, self.share = check_agreement(it["agreement"]), it.get("share")
        want(not self.share or set(self.share) == {"set", "index", "proof"}, "other fields")


class Emergency:
    """An emergency object, nothing of it decrypted (§13.17)."""

    def __init__(self, text):
        names = ("chain_id", "contract", "patient", "image", "body", "container", "set", "commitments", "shares", "card")
        self.document = it = papers.read(text, "pcim-emergency", names, limit=MAX_EMERGENCY)
        self.image, self.set = digest_named(it["image"], DAG_PB), it["set"]
        want(set(self.set) == {"name", "threshold", "shares"} and set(it["body"]) == {"cid", "file_size", "dag_size"}, "other fields")
        want(it["container"] in (1, 2), "another container")
        want(0 < self.set["threshold"] <= self.set["shares"] <= backup.MAX_SHARES, "not a set")
        want(len(it["commitments"]) == len(it["shares"]) == self.set["shares"], "another number of shares")
        self.letters, self.author = [unhex(letter) for letter in it["shares"]], papers.Card(it["card"])

    def share(self, own):
        """The share that is for this key."""
        for letter in self.letters:
            try:
                share = ImageShare(letter, own)
            except Refused:
                continue
            self.check(share)
            want(share.author.certificate.bytes == self.author.certificate.bytes, "a share by another author")
            return share
        raise Refused("no share for this key")

    def check(self, share):
        it = share.document
        want(it["image"] == self.document["image"] and it["set"] == self.set, "a share of another image")
        want(0 < share.index <= self.set["shares"] and self.document["commitments"][share.index - 1] == share.commitment, "not listed")

    def join(self, shares):
        """The image's session key."""
        for share in shares:
            self.check(share)
        want(len({share.index for share in shares}) == len(shares), "a share twice")
        want(len(shares) >= self.set["threshold"], "too few shares")
        return backup.join([(share.index, share.share) for share in shares[:self.set["threshold"]]])


class ImageShare(backup.Share):
    """A share of an image's key: a letter with a share that names the image."""

    fields = (*backup.Share.fields, "image")


def set_name(custodians, image, cid):
    """The name of the set of an image's shares, by the home's custodians and the body's CID."""
    it = papers.read(custodians, "pcim-custodians", ("name", "threshold", "cards"))
    return hashlib.sha256(b"pcim emergency set 1" + unhex(it["name"], 16) + image + cid.encode()).digest()[:16].hex()


class EmergencyDrill:
    """A drill of an emergency (§13.18)."""

    def __init__(self, text):
        names = ("nonce", "chain_id", "contract", "patient", "images", "card")
        self.document = it = papers.read(text, "pcim-emergency-drill", names, limit=MAX_EMERGENCY_DRILL)
        self.nonce, self.patient, self.card = unhex(it["nonce"], 32), papers.address(it["patient"]), papers.Card(it["card"])
        want(len(it["images"]) <= MAX_DRILLED, "more than is read")
        self.images = [digest_named(image, DAG_PB) for image in it["images"]]

    def answer(self, letter, own):
        """The shares that opened, and the author's card."""
        found, author = backup.open_letter(letter, own, "pcim-emergency-answer", ("nonce", "opened", "card"))
        want(unhex(found["nonce"], 32) == self.nonce, "an answer to another drill")
        want(all(set(it) == {"image", "set", "index"} for it in found["opened"]), "other fields")
        return found["opened"], author
