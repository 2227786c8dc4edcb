"""Letters, shares, backups, sheets (§13.8 to §13.11)."""

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from eth_account.hdaccount.mnemonic import Mnemonic
from eth_account.types import Language

from . import Refused, papers, pgp, seal, want

MAX_LETTER = 917_504
MAX_SHARES = 15
MAX_BACKUP = 33_554_432
MAX_CONTENTS = 8_388_608
MAX_KEYS = 5
MAX_WORDS = 1_024


# ---- GF(2^8) -------------------------------------------------------------------------------------------------------

def times(a, b):
    product = 0
    while b:
        product ^= a * (b & 1)
        a, b = (a << 1) ^ (0x11B * (a >> 7)), b >> 1
    return product


def inverse(a):
    return next(b for b in range(256) if times(a, b) == 1)


def join(points):
    """The values at 0 of the polynomials through these points: index and share."""
    out = bytearray(32)
    for index, share in points:
        factor = 1
        for other, _ in points:
            if other != index:
                factor = times(factor, times(other, inverse(other ^ index)))
        for at, byte in enumerate(share):
            out[at] ^= times(factor, byte)
    return bytes(out)


# ---- letters and shares --------------------------------------------------------------------------------------------

def open_letter(message, own, kind, required):
    """A letter's fields and its author's card."""
    want(len(message) <= MAX_LETTER, "a letter that is too long")
    # The text names its signer; only the card in it counts.
    text = seal.open_document(message, own, lambda text: papers.Card(papers.read(text, kind, required)["card"]).certificate)
    found = papers.read(text, kind, required)
    return found, papers.Card(found["card"])


class Share:
    fields = ("patient", "set", "share", "commitment", "card")

    def __init__(self, message, own):
        self.document, self.author = open_letter(message, own, "pcim-share", self.fields)
        share = self.document["share"]
        want(set(share) == {"index", "salt", "share"} and set(self.document["set"]) == {"name", "threshold", "shares"}, "other fields")
        self.index, self.share = share["index"], bytes.fromhex(share["share"])
        self.commitment = hashlib.sha256(bytes.fromhex(share["salt"]) + bytes([self.index]) + self.share).hexdigest()
        want(self.commitment == self.document["commitment"], f"share {self.index} is damaged")


def join_shares(backup, shares):
    wanted = {"name": backup.document["set"], "threshold": backup.document["threshold"], "shares": len(backup.document["commitments"])}
    for share in shares:
        want(share.document["set"] == wanted, "a share of another set")
        want(0 < share.index <= wanted["shares"] and backup.document["commitments"][share.index - 1] == share.commitment, "not listed")
    want(len({share.index for share in shares}) == len(shares), "a share twice")
    want(len(shares) >= wanted["threshold"], "too few shares")
    return join([(share.index, share.share) for share in shares[:wanted["threshold"]]])


# ---- the backup ----------------------------------------------------------------------------------------------------

class Backup:
    """A backup whose signature was verified."""

    def __init__(self, text):
        names = ("card", "number", "at", "set", "commitments", "salt", "keys", "sealed", "signature")
        self.document = it = papers.read(text, "pcim-backup", names, ("threshold",), limit=MAX_BACKUP)
        want(len(it["commitments"]) <= MAX_SHARES and len(it["keys"]) <= MAX_KEYS, "more than is read")
        want((it.get("threshold") is None) == (not it["commitments"]), "a threshold without shares")
        self.author = papers.Card(it["card"])
        self.keys, self.sealed = [bytes.fromhex(key) for key in it["keys"]], bytes.fromhex(it["sealed"])
        want(len(self.sealed) <= MAX_CONTENTS + 16, "more than is read")
        lines = ["pcim backup 1", f"address {self.author.address}", f"certificate {self.author.certificate.fingerprint.hex().upper()}",
                 f"number {it['number']}", f"at {it['at']}", f"set {it['set']}", f"threshold {it.get('threshold') or 0}",
                 *(f"commitment {one}" for one in it["commitments"]), f"salt {it['salt']}",
                 *(f"key sha256 {hashlib.sha256(key).hexdigest()}" for key in self.keys)]
        self.head = "".join(f"{line}\n" for line in lines).encode()
        said = self.head + f"sealed sha256 {hashlib.sha256(self.sealed).hexdigest()}\n".encode()
        pgp.verify_detached(said, bytes.fromhex(it["signature"]), self.author.certificate)

    def open(self, secret, key):
        derived = pgp.hkdf(secret + key, 44, b"pcim backup 1", bytes.fromhex(self.document["salt"]))
        try:
            plain = ChaCha20Poly1305(derived[:32]).decrypt(derived[32:], self.sealed, self.head)
        except InvalidTag:
            raise Refused("other keys") from None
        return papers.read(plain, "pcim-contents", ("openpgp", "deid", "config", "files"))

    def key(self, own):
        """X, from the letter that is for this key."""
        for letter in self.keys:
            try:
                found, author = open_letter(letter, own, "pcim-backup-key", ("patient", "set", "key", "card"))
            except Refused:
                continue
            want(author.address == self.author.address and found["set"] == self.document["set"], "a letter of another backup")
            return bytes.fromhex(found["key"])
        raise Refused("no letter for this key")


def read_words(text):
    """32 bytes from the words of a sheet."""
    want(len(text) <= MAX_WORDS, "more than is read")
    listed = Mnemonic(Language.ENGLISH).wordlist
    numbers = [listed.index(word) for word in text.split()]
    want(len(numbers) == 24, "another number of words")
    bits = 0
    for number in numbers:
        bits = bits << 11 | number
    secret, checksum = (bits >> 8).to_bytes(32, "big"), bits & 0xFF
    want(hashlib.sha256(secret).digest()[0] == checksum, "another checksum")
    return secret


def from_seed(seed, what):
    return pgp.hkdf(seed, 32, b"pcim sheet a " + what)
