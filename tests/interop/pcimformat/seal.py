"""Headers, bodies and documents (§4.2 to §4.7, §6.4): opened, and made."""

import hashlib
import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESOCB3
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from . import Refused, want
from .pgp import (ECDH, INTENDED, LITERAL, ML_KEM, ONE_PASS, PKESK, RAW, SEIPD, SIGNATURE, X25519, Certificate, Signature, hkdf,
                  length_field, notation, packet, packets, sign)

MAX_HEADER = 4_096
MAX_CARRIED = 65_000
MAX_DOCUMENT = 1_048_576
MAX_SEALED_DOCUMENT = 1_310_720
MIN_CONTAINER = 100
WRITTEN_CHUNK = 12
MAX_CHUNK = 16
CARRIED, PREDECESSOR = "signer-certificate@pcim.invalid", "predecessor@pcim.invalid"


# ---- headers -------------------------------------------------------------------------------------------------------

def wrapping_key(ephemeral, recipient, shared):
    return hkdf(ephemeral + recipient + shared, 16, b"OpenPGP X25519")


def combined_key(lattice, shared, point, recipient):
    return hashlib.sha3_256(lattice + shared + point + recipient + bytes([ML_KEM]) + b"OpenPGPCompositeKDFv1" + b"\x15").digest()


def wrap(session_key, reader):
    """A PKESK packet of version 6 (§6.6) that names no reader."""
    ephemeral = X25519PrivateKey.generate()
    point = ephemeral.public_key().public_bytes(*RAW)
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(reader.point))
    if reader.algorithm == ML_KEM:
        lattice, sealed = MLKEM768PublicKey.from_public_bytes(reader.lattice).encapsulate()
        kek, material = combined_key(lattice, shared, point, reader.point), point + sealed
    else:
        kek, material = wrapping_key(point, reader.point, shared), point
    wrapped = aes_key_wrap(kek, session_key)
    return packet(PKESK, b"\x06\x00" + bytes([reader.algorithm]) + material + bytes([len(wrapped)]) + wrapped)


def unwrap(body, own):
    """The session key in a PKESK packet's body: for whom, for which version of the container; none if for another key."""
    version = body[0]
    want(version in (3, 6), f"a PKESK packet of version {version}")
    if version == 6:
        named, at = body[2:2 + body[1]], 2 + body[1]
        is_for = lambda key: not named or named[1:] == key.fingerprint
    else:
        named, at = body[1:9], 9
        is_for = lambda key: not any(named) or named == key.id
    algorithm, material = body[at], body[at + 1:]
    for key in own.keys:
        if key.algorithm != algorithm or key.algorithm not in (X25519, ECDH, ML_KEM) or not is_for(key):
            continue
        if algorithm in (X25519, ML_KEM):
            point, rest = material[:32], material[32:]
            sealed, rest = (rest[:1088], rest[1088:]) if algorithm == ML_KEM else (b"", rest)
            rest, cipher = rest[1:1 + rest[0]], None
            if version == 3:
                cipher, rest = rest[0], rest[1:]
            shared = key.secret.exchange(X25519PublicKey.from_public_bytes(point))
            if algorithm == ML_KEM:
                kek = combined_key(key.lattice_secret.decapsulate(sealed), shared, point, key.point)
            else:
                kek = wrapping_key(point, key.point, shared)
            try:
                secret = aes_key_unwrap(kek, rest)
            except InvalidUnwrap:
                # Of a packet that names nobody, each key is tried.
                continue
        else:
            # RFC 9580 §11.5; the point has 263 bits.
            point, rest = material[3:35], material[36:36 + material[35]]
            shared = key.secret.exchange(X25519PublicKey.from_public_bytes(point))
            param = bytes([len(key.oid)]) + key.oid + bytes([ECDH, 3]) + key.kdf[:3] + b"Anonymous Sender    " + key.fingerprint
            hash_name = {8: "sha256", 9: "sha384", 10: "sha512"}[key.kdf[1]]
            kek = hashlib.new(hash_name, b"\0\0\0\x01" + shared + param).digest()[:{7: 16, 8: 24, 9: 32}[key.kdf[2]]]
            padded = aes_key_unwrap(kek, rest)
            padded = padded[:-padded[-1]]
            cipher = None
            if version == 3:
                cipher, padded = padded[0], padded[1:]
            secret, check = padded[:-2], padded[-2:]
            want(struct.pack(">H", sum(secret) & 0xFFFF) == check, "a session key with another checksum")
        want(len(secret) == 32 and cipher in (None, 9), "a session key for another cipher")
        return secret
    return None


def open_header(header, own):
    """The session key of a header, and the version of the body that it is for (§4.2)."""
    want(len(header) <= MAX_HEADER, f"a header of {len(header)} bytes")
    found = list(packets(header))
    want(found and all(tag == PKESK for tag, _ in found), "a header that is not PKESK packets")
    versions = {body[0] for _, body in found}
    want(len(versions) == 1 and versions <= {3, 6}, "a header that mixes versions")
    want(b"".join(packet(*it) for it in found) == header, "a header in another form")
    keys = [key for key in (unwrap(body, own) for _, body in found) if key]
    want(keys, "a header for another reader")
    return keys[0], {3: 1, 6: 2}[versions.pop()]


# ---- containers ----------------------------------------------------------------------------------------------------

def schedule(session_key, head):
    """Message key, start of nonces and associated data of a container of version 2 (§4.4)."""
    about = bytes([0xC0 | SEIPD]) + head[:4]
    nonce_bytes = {2: 15, 3: 12}.get(head[2])
    want(head[1] == 9 and nonce_bytes, "another cipher than AES-256 with OCB or GCM")
    keys = hkdf(session_key, 32 + nonce_bytes - 8, about, head[4:36])
    return (AESOCB3 if head[2] == 2 else AESGCM)(keys[:32]), keys[32:], about


def decrypt_v2(session_key, body, is_document):
    head = body[:36]
    want(is_document or head[1:3] == b"\x09\x02", "another cipher or mode than AES-256 and OCB")
    want(head[3] <= MAX_CHUNK, "chunks above 4 MiB")
    cipher, start, about = schedule(session_key, head)
    size, rest, end, plain = 1 << (head[3] + 6), body[36:-16], body[-16:], []
    try:
        for index, at in enumerate(range(0, len(rest), size + 16)):
            plain.append(cipher.decrypt(start + struct.pack(">Q", index), rest[at:at + size + 16], about))
        last = start + struct.pack(">Q", len(plain))
        cipher.decrypt(last, end, about + struct.pack(">Q", sum(map(len, plain))))
    except InvalidTag:
        raise Refused("a container that was changed") from None
    return b"".join(plain)


def encrypt_v2(session_key, plain, salt=None, chunk=WRITTEN_CHUNK):
    """The body of a SEIPD packet of version 2."""
    head = bytes([2, 9, 2, chunk]) + (salt or os.urandom(32))
    cipher, start, about = schedule(session_key, head)
    size = 1 << (chunk + 6)
    chunks = [plain[at:at + size] for at in range(0, len(plain), size)]
    sealed = [cipher.encrypt(start + struct.pack(">Q", i), it, about) for i, it in enumerate(chunks)]
    last = cipher.encrypt(start + struct.pack(">Q", len(chunks)), b"", about + struct.pack(">Q", len(plain)))
    return head + b"".join(sealed) + last


def decrypt_v1(session_key, body):
    decryptor = Cipher(algorithms.AES(session_key), CFB(bytes(16))).decryptor()
    plain = decryptor.update(body[1:])
    want(plain[14:16] == plain[16:18] and plain[-22:-20] == b"\xd3\x14", "a container that does not decrypt")
    want(hashlib.sha1(plain[:-20]).digest() == plain[-20:], "a container that was changed")
    return plain[18:-22]


class Contents:
    """The inner packets of a container (§4.6); the signature is not verified yet."""

    def __init__(self, plain):
        found = list(packets(plain, parts=(LITERAL,)))
        want([tag for tag, _ in found] == [ONE_PASS, LITERAL, SIGNATURE], "not one signed literal")
        (_, announced), (_, literal), (_, body) = found
        self.signature = Signature(body)
        self.seal = hashlib.sha256(packet(SIGNATURE, body)).digest()
        self.payload = literal[2 + literal[1] + 4:]
        want(self.signature.type == 0, "not a binary signature")
        versions = announced[0], self.signature.version
        want(versions in ((3, 4), (6, 6)) and announced[1:3] == bytes([0, self.signature.hash]), "not the signature announced")
        if versions == (6, 6):
            want(announced[5:5 + announced[4]] == self.signature.salt, "not the salt announced")


def open_container(session_key, version, body, is_document=False):
    want(body[0] == version, f"a container of version {body[0]}")
    return Contents(decrypt_v2(session_key, body, is_document) if version == 2 else decrypt_v1(session_key, body))


def open_body(session_key, version, message):
    """A body opened and its signature verified (§4.3 to §4.8): contents, signer, predecessor."""
    want(len(message) >= MIN_CONTAINER, "a body that is too short")
    [(tag, body)] = packets(message, parts=(SEIPD,))
    want(tag == SEIPD, "not one SEIPD packet")
    contents = open_container(session_key, version, body)
    said = list(contents.signature.notations())
    carried = [value for name, value in said if name == CARRIED]
    want(len(carried) == 1 and carried[0][0] == bytes(4), "a signature without its signer's certificate")
    signer = Certificate(carried[0][1])
    contents.signature.verify(contents.payload, signer.signer)
    before = [value[1] for name, value in said if name == PREDECESSOR]
    want(len(before) <= 1, "several predecessors")
    want(not contents.signature.intended(), "a body for certain readers only")
    return contents, signer, bytes.fromhex(before[0].decode()) if before else None


def literal(payload):
    """A literal in parts as they are written (§4.6)."""
    data, out, log = b"b\0\0\0\0\0" + payload, bytes([0xC0 | LITERAL]), 9
    while len(data) >= 1 << log:
        out, data, log = out + bytes([224 | log]) + data[:1 << log], data[1 << log:], 18
    return out + length_field(len(data)) + data


def inner(payload, signer, more):
    """One-pass signature, literal, signature; and the seal."""
    salt = os.urandom(16)
    signature = sign(signer.signer, payload, 0, more, salt)
    announced = bytes([6, 0, 8, signer.signer.algorithm, 16]) + salt + signer.signer.fingerprint + b"\x01"
    return packet(ONE_PASS, announced) + literal(payload) + signature, hashlib.sha256(signature).digest()


def container(session_key, plain, chunk=WRITTEN_CHUNK):
    """A SEIPD packet with its parts as they are written (§4.4)."""
    body, out = encrypt_v2(session_key, plain, chunk=chunk), bytes([0xC0 | SEIPD])
    while len(body) >= 1 << 20:
        out, body = out + bytes([224 | 20]) + body[:1 << 20], body[1 << 20:]
    return out + length_field(len(body)) + body


def make_body(payload, signer, predecessor=None, chunk=WRITTEN_CHUNK):
    """A new body: session key, message, seal."""
    more = [notation(CARRIED, signer.bytes, False)]
    if predecessor:
        more.append(notation(PREDECESSOR, predecessor.hex().encode(), True))
    session_key = os.urandom(32)
    plain, seal = inner(payload, signer, more)
    return session_key, container(session_key, plain, chunk), seal


# ---- documents -----------------------------------------------------------------------------------------------------

def make_document(text, signer, readers):
    """A document for these readers (§6.4)."""
    session_key = os.urandom(32)
    more = [(INTENDED, b"\x06" + reader.fingerprint) for reader in readers]
    plain, _ = inner(text, signer, more)
    return b"".join(wrap(session_key, reader.reader) for reader in readers) + container(session_key, plain)


def open_document(message, own, signer_of):
    """A document's text: `signer_of` names the certificate by which it must verify, given the text."""
    want(len(message) <= MAX_SEALED_DOCUMENT, f"a document of {len(message)} bytes")
    *wrapped, (tag, body) = packets(message, parts=(SEIPD,))
    want(tag == SEIPD and wrapped and all(it[0] == PKESK for it in wrapped), "not a document")
    keys = [key for key in (unwrap(it[1], own) for it in wrapped) if key]
    want(keys, "a document for another reader")
    contents = open_container(keys[0], body[0], body, is_document=True)
    want(len(contents.payload) <= MAX_DOCUMENT, "a document that is too long")
    signer = signer_of(contents.payload)
    intended = contents.signature.intended()
    want(not intended or own.fingerprint in intended, "a document that was made for another reader")
    contents.signature.verify(contents.payload, signer.signer)
    return contents.payload
