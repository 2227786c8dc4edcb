"""OpenPGP (RFC 9580) as far as the formats need it: packets, certificates, keys, signatures (§6)."""

import base64
import hashlib
import os
import struct
import time

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESOCB3
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from . import Refused, want

PKESK, SIGNATURE, ONE_PASS, SECRET, PUBLIC, SECRET_SUB, LITERAL, USER_ID, PUBLIC_SUB, SEIPD = 1, 2, 4, 5, 6, 7, 11, 13, 14, 18
EDDSA_LEGACY, ECDH, X25519, ED25519, ML_DSA, ML_KEM = 22, 18, 25, 27, 30, 35
# Of a key that is composed with a curve: bytes of the other public key, and of its seed (RFC 9980).
COMPOSED = {ML_DSA: (1952, 32), ML_KEM: (1184, 64)}
HASHES = {8: ("sha256", 16), 9: ("sha384", 24), 10: ("sha512", 32)}
MAX_CERTIFICATE = 262_144
MAX_KEY = 393_216
MAX_SIGNATURE = 65_536
CREATED, NOTATION, PREFERRED, FLAGS, FEATURES, ISSUER, INTENDED, CIPHERS = 2, 20, 11, 27, 30, 33, 35, 39
RAW = (Encoding.Raw, PublicFormat.Raw)


def hkdf(secret, length, info, salt=None):
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


# ---- packets -------------------------------------------------------------------------------------------------------

def length_field(length):
    """A definite length in as few octets as it takes."""
    if length < 192:
        return bytes([length])
    if length < 8384:
        return struct.pack(">H", length - 192 + (192 << 8))
    return b"\xff" + struct.pack(">I", length)


def packet(tag, body):
    return bytes([0xC0 | tag]) + length_field(len(body)) + body


def packets(data, parts=()):
    """The packets of the bytes as (tag, body). Those named in `parts` may have a length in parts."""
    at = 0
    while at < len(data):
        want(data[at] & 0xC0 == 0xC0, "not a packet with a new-format tag")
        tag, at = data[at] & 0x3F, at + 1
        body, first = b"", True
        while True:
            want(at < len(data), "cut off")
            octet = data[at]
            if octet < 192:
                length, at, last = octet, at + 1, True
            elif octet < 224:
                want(at + 1 < len(data), "cut off")
                length, at, last = ((octet - 192) << 8) + data[at + 1] + 192, at + 2, True
            elif octet == 255:
                want(at + 4 < len(data), "cut off")
                length, at, last = struct.unpack(">I", data[at + 1:at + 5])[0], at + 5, True
            else:
                length, at, last = 1 << (octet & 31), at + 1, False
                want(tag in parts and not (first and length < 512), "a length in parts")
            want(at + length <= len(data), "cut off")
            body, at, first = body + data[at:at + length], at + length, False
            if last:
                break
        yield tag, body


def dearmor(text):
    """The bytes of an ASCII-armored block."""
    lines = iter(text.decode().splitlines())
    want(next(lines).startswith("-----BEGIN PGP"), "no armor")
    for line in lines:
        if not line.strip():
            break
    body = []
    for line in lines:
        if line.startswith(("-----END", "=")):
            break
        body.append(line)
    return base64.b64decode("".join(body))


def mpi(data, at):
    [bits] = struct.unpack(">H", data[at:at + 2])
    end = at + 2 + (bits + 7) // 8
    return data[at + 2:end], end


# ---- keys ----------------------------------------------------------------------------------------------------------

class Key:
    """A public key, and its secret if it was unlocked."""

    def __init__(self, tag, body):
        self.primary = tag in (PUBLIC, SECRET)
        self.version, self.created, self.algorithm = body[0], struct.unpack(">I", body[1:5])[0], body[5]
        want(self.version in (4, 6), f"a key of version {self.version}")
        at = 10 if self.version == 6 else 6
        if self.algorithm in (ED25519, X25519):
            self.point, end = body[at:at + 32], at + 32
        elif self.algorithm in COMPOSED:
            end = at + 32 + COMPOSED[self.algorithm][0]
            self.point, self.lattice = body[at:at + 32], body[at + 32:end]
        elif self.algorithm in (EDDSA_LEGACY, ECDH):
            self.oid, at = body[at + 1:at + 1 + body[at]], at + 1 + body[at]
            point, end = mpi(body, at)
            want(len(point) == 33 and point[0] == 0x40, "a point of another form")
            self.point = point[1:]
            if self.algorithm == ECDH:
                self.kdf, end = body[end + 1:end + 1 + body[end]], end + 1 + body[end]
        else:
            raise Refused(f"a key of algorithm {self.algorithm}: not among those that are made here")
        self.public, self.rest, self.secret = body[:end], body[end:], None
        framed = struct.pack(">BI", 0x9B, end) if self.version == 6 else struct.pack(">BH", 0x99, end)
        self.framed = framed + self.public
        self.fingerprint = hashlib.new("sha256" if self.version == 6 else "sha1", self.framed).digest()
        self.id = self.fingerprint[:8] if self.version == 6 else self.fingerprint[-8:]

    @classmethod
    def make(cls, tag, algorithm, secret):
        point, other = secret.public_key().public_bytes(*RAW), None
        if algorithm in COMPOSED:
            other = (MLKEM768PrivateKey if algorithm == ML_KEM else MLDSA65PrivateKey).generate()
            point += other.public_key().public_bytes_raw()
        key = cls(tag, struct.pack(">BIBI", 6, int(time.time()) - 60, algorithm, len(point)) + point)
        key.secret, key.lattice_secret = secret, other
        return key

    def unlock(self, passphrase):
        """Takes the secret out of what follows the public key (RFC 9580 §5.5.3)."""
        usage, at = self.rest[0], 1 + (self.version == 6)
        cipher, at = self.rest[at], at + 1
        want(usage in (253, 254) and cipher == 9, "a secret that is not locked with AES-256")
        if usage == 253:
            want(self.rest[at] == 2, "another mode than OCB")
            at += 1
        s2k, end = (self.rest[at + 1:], at + 1 + self.rest[at]) if self.version == 6 else (self.rest[at:], None)
        if s2k[0] == 4:
            salt, (passes, lanes, memory), used = s2k[1:17], s2k[17:20], 20
            want(memory <= 20, "more than 1 GiB")
            key = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=1 << memory).derive(passphrase)
        else:
            want(s2k[:2] == b"\x03\x08", "another derivation than Argon2id or iterated SHA-256")
            salt, count, used = s2k[2:10], (16 + (s2k[10] & 15)) << ((s2k[10] >> 4) + 6), 11
            round_ = salt + passphrase
            count = max(count, len(round_))
            key = hashlib.sha256(round_ * (count // len(round_)) + round_[:count % len(round_)]).digest()
        at = end or at + used
        tag = 0xC5 if self.primary else 0xC7
        if usage == 253:
            info = bytes([tag, self.version, cipher, 2])
            try:
                plain = AESOCB3(hkdf(key, 32, info)).decrypt(self.rest[at:at + 15], self.rest[at + 15:], bytes([tag]) + self.public)
            except InvalidTag:
                raise Refused("wrong passphrase") from None
        else:
            decryptor = Cipher(algorithms.AES(key), CFB(self.rest[at:at + 16])).decryptor()
            plain = decryptor.update(self.rest[at + 16:])
            want(hashlib.sha1(plain[:-20]).digest() == plain[-20:], "wrong passphrase")
            plain = plain[:-20]
        if self.algorithm in (EDDSA_LEGACY, ECDH):
            plain = mpi(plain, 0)[0].rjust(32, b"\0")
        if self.algorithm == ECDH:
            plain = plain[::-1]
        if self.algorithm in COMPOSED:
            want(len(plain) == 32 + COMPOSED[self.algorithm][1], "a secret of another length")
            kind = MLKEM768PrivateKey if self.algorithm == ML_KEM else MLDSA65PrivateKey
            self.lattice_secret = kind.from_seed_bytes(plain[32:])
            want(self.lattice_secret.public_key().public_bytes_raw() == self.lattice, "a secret of another key")
            plain = plain[:32]
        kind = X25519PrivateKey if self.algorithm in (X25519, ECDH, ML_KEM) else Ed25519PrivateKey
        self.secret = kind.from_private_bytes(plain)
        want(self.secret.public_key().public_bytes(*RAW) == self.point, "a secret of another key")

    def sign(self, digest):
        other = self.lattice_secret.sign(digest) if self.algorithm == ML_DSA else b""
        return self.secret.sign(digest) + other

    def raw_secret(self):
        return self.secret.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


class Certificate:
    """Keys whose self-signatures were verified."""

    def __init__(self, data, limit=MAX_CERTIFICATE):
        want(len(data) <= limit, f"a certificate of {len(data)} bytes")
        self.bytes, self.keys, self.user_ids = data, [], []
        self.features, flags = 0, {}
        for tag, body in packets(data):
            if tag in (PUBLIC, SECRET, PUBLIC_SUB, SECRET_SUB):
                key = Key(tag, body)
                want(key.primary == (not self.keys), "keys that are not one primary key and its subkeys")
                self.keys.append(key)
            elif tag == USER_ID:
                self.user_ids.append(body)
            else:
                want(tag == SIGNATURE and self.keys, f"a packet with tag {tag}")
                signature, [primary, key] = Signature(body), [self.keys[0], self.keys[-1]]
                if signature.type == 0x1F:
                    signature.verify(primary.framed, primary)
                elif signature.type == 0x18:
                    signature.verify(primary.framed + key.framed, primary)
                elif signature.type in (0x10, 0x13):
                    user_id = struct.pack(">BI", 0xB4, len(self.user_ids[-1])) + self.user_ids[-1]
                    signature.verify(primary.framed + user_id, primary)
                else:
                    raise Refused(f"a signature of type {signature.type:#x} in a certificate")
                flags[key.fingerprint] = flags.get(key.fingerprint, 0) | (signature.one(FLAGS) or b"\0")[0]
                if key.primary:
                    self.features |= (signature.one(FEATURES) or b"\0")[0]
        want(self.keys and self.keys[0].fingerprint in flags, "a certificate that does not sign itself")
        self.fingerprint = self.keys[0].fingerprint
        usable = [key for key in self.keys if key.fingerprint in flags]
        self.signer = next((key for key in usable if flags[key.fingerprint] & 2), None)
        readers = [key for key in usable if flags[key.fingerprint] & 0x0C == 0x0C]
        self.reader = max(readers, key=lambda key: key.created, default=None)

    @property
    def accepts_v2(self):
        return bool(self.features & 8)

    @classmethod
    def locked(cls, armored, passphrase):
        """A key as it lies in a home (§11.4)."""
        want(len(armored) <= MAX_KEY, "a key that is too long")
        own = cls(dearmor(armored), MAX_KEY)
        for key in own.keys:
            key.unlock(passphrase)
        return own

    @classmethod
    def make(cls, kind="classic"):
        """A new key of version 6, which is nowhere but in memory."""
        primary = Key.make(PUBLIC, ML_DSA if kind == "pq" else ED25519, Ed25519PrivateKey.generate())
        sub = Key.make(PUBLIC_SUB, X25519 if kind == "classic" else ML_KEM, X25519PrivateKey.generate())
        direct = sign(primary, primary.framed, 0x1F, [(FLAGS, b"\x03"), (FEATURES, b"\x08"), (PREFERRED, b"\x09"), (CIPHERS, b"\x09\x02")])
        binding = sign(primary, primary.framed + sub.framed, 0x18, [(FLAGS, b"\x0c")])
        own = cls(packet(PUBLIC, primary.public) + direct + packet(PUBLIC_SUB, sub.public) + binding)
        own.keys = [primary, sub]
        own.signer, own.reader = primary, sub
        return own


# ---- signatures ----------------------------------------------------------------------------------------------------

def subpackets(area):
    at = 0
    while at < len(area):
        octet = area[at]
        if octet < 192:
            length, at = octet, at + 1
        elif octet < 255:
            length, at = ((octet - 192) << 8) + area[at + 1] + 192, at + 2
        else:
            length, at = struct.unpack(">I", area[at + 1:at + 5])[0], at + 5
        want(1 <= length and at + length <= len(area), "a subpacket that is cut off")
        yield area[at] & 0x7F, area[at + 1:at + length]
        at += length


class Signature:
    """A signature packet's body, taken apart."""

    def __init__(self, body):
        self.body, self.version, self.type, self.algorithm, self.hash = body, *body[:4]
        want(self.version in (4, 6) and self.hash in HASHES, "a signature of another version or hash")
        width = 4 if self.version == 6 else 2
        count = int.from_bytes(body[4:4 + width], "big")
        end = 4 + width + count
        self.signed = body[:end]
        self.hashed = list(subpackets(body[4 + width:end]))
        at = end + width + int.from_bytes(body[end:end + width], "big") + 2
        self.left, self.salt = body[at - 2:at], b""
        if self.version == 6:
            self.salt, at = body[at + 1:at + 1 + body[at]], at + 1 + body[at]
            want(len(self.salt) == HASHES[self.hash][1], "a salt of another length")
        self.value = body[at:]
        if self.algorithm == EDDSA_LEGACY:
            r, at = mpi(self.value, 0)
            s, at = mpi(self.value, at)
            self.value = r.rjust(32, b"\0") + s.rjust(32, b"\0")
        wanted = 64 + 3309 * (self.algorithm == ML_DSA)
        want(self.algorithm in (ED25519, EDDSA_LEGACY, ML_DSA) and len(self.value) == wanted, "not a signature by Ed25519 or ML-DSA-65+Ed25519")

    def all(self, kind):
        return [value for found, value in self.hashed if found == kind]

    def one(self, kind):
        return next(iter(self.all(kind)), None)

    @property
    def created(self):
        return struct.unpack(">I", self.one(CREATED))[0]

    def notations(self):
        """Pairs of name and (flags, value) (RFC 9580 §5.2.3.24)."""
        for value in self.all(NOTATION):
            name, length = struct.unpack(">HH", value[4:8])
            yield value[8:8 + name].decode(), (value[:4], value[8 + name:8 + name + length])

    def intended(self):
        return [value[1:] for value in self.all(INTENDED)]

    def digest(self, data):
        trailer = self.signed + bytes([self.version, 0xFF]) + struct.pack(">I", len(self.signed))
        return hashlib.new(HASHES[self.hash][0], self.salt + data + trailer).digest()

    def verify(self, data, key):
        """Confirms that the key signed the data."""
        issuer = self.one(ISSUER)
        want(issuer is None or issuer[1:] == key.fingerprint, "a signature by another key")
        digest = self.digest(data)
        want(digest[:2] == self.left, "a signature over something else")
        want(self.created >= key.created, "a signature that is older than its key")
        want(self.algorithm == key.algorithm, "a signature of another algorithm than its key")
        try:
            Ed25519PublicKey.from_public_bytes(key.point).verify(self.value[:64], digest)
            if self.algorithm == ML_DSA:
                MLDSA65PublicKey.from_public_bytes(key.lattice).verify(self.value[64:], digest)
        except InvalidSignature:
            raise Refused("a signature that does not verify") from None


def subpacket(kind, value, critical=False):
    return length_field(len(value) + 1) + bytes([kind | 0x80 * critical]) + value


def notation(name, value, readable):
    flags = b"\x80\0\0\0" if readable else b"\0\0\0\0"
    return NOTATION, flags + struct.pack(">HH", len(name), len(value)) + name.encode() + value


def sign(key, data, kind=0, more=(), salt=None):
    """A signature packet of version 6 with SHA-256."""
    salt = os.urandom(16) if salt is None else salt
    fields = [(CREATED, struct.pack(">I", int(time.time()))), (ISSUER, b"\x06" + key.fingerprint), *more]
    hashed = b"".join(subpacket(*field) for field in fields)
    signed = bytes([6, kind, key.algorithm, 8]) + struct.pack(">I", len(hashed)) + hashed
    digest = hashlib.sha256(salt + data + signed + b"\x06\xff" + struct.pack(">I", len(signed))).digest()
    return packet(SIGNATURE, signed + struct.pack(">I", 0) + digest[:2] + bytes([16]) + salt + key.sign(digest))


def verify_detached(data, signature, certificate):
    """Confirms one detached signature (§6.5)."""
    want(len(signature) <= MAX_SIGNATURE, "a signature that is too long")
    [(tag, body)] = packets(signature)
    want(tag == SIGNATURE and body[1] == 0, "not one binary signature")
    Signature(body).verify(data, certificate.signer)
