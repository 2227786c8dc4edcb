"""Payloads: studies, identity documents, pseudonyms (§5)."""

import base64
import hashlib
import hmac
import re

from . import want
from .papers import read
from .pgp import verify_detached

MAX_FILES = 100_003
MAX_MANIFEST = 134_217_728
NAME = re.compile("[0-9a-z-][0-9a-z.-]{0,39}(/[0-9a-z-][0-9a-z.-]{0,39})?")


def kind(payload):
    """The kind of a payload, by its start (§5.1)."""
    if payload[128:132] == b"DICM":
        return "DICOM"
    if payload[257:262] == b"ustar":
        return "study"
    return "identity" if payload.startswith(b'{"pcim-identity":') else "file"


def checksum(header):
    return sum(header[:148]) + 8 * 32 + sum(header[156:])


def tar_header(name, size):
    """The header of a file (§5.2)."""
    numbers = b"".join(b"%07o\0" % number for number in (0o600, 0, 0)) + b"%011o\0%011o\0" % (size, 0)
    header = name.encode().ljust(100, b"\0") + numbers + b" " * 8 + b"0" + bytes(100) + b"ustar\x0000" + bytes(247)
    return header[:148] + b"%07o\0" % checksum(header) + header[156:]


def open_tar(tar):
    """The files of a study by name, in order."""
    files, at = {}, 0
    while True:
        header, at = tar[at:at + 512], at + 512
        want(len(header) == 512, "cut off")
        if header == bytes(512):
            want(tar[at:] == bytes(512), "something after the end")
            return files
        octal = lambda field: int(field.rstrip(b"\0 "), 8)
        want(octal(header[148:156]) == checksum(header) and header[257:265] == b"ustar\x0000", "an entry's header")
        want(header[156:157] == b"0" and header[345] == 0, "not a regular file with a plain name")
        name, size = header[:100].split(b"\0")[0].decode(), octal(header[124:136])
        want(NAME.fullmatch(name) and name not in files, "an entry's name")
        files[name], at = tar[at:at + size], at + size
        want(len(files[name]) == size and len(files) <= MAX_FILES, "cut off, or too many files")
        padding = -size % 512
        want(tar[at:at + padding] == bytes(padding), "something between two files")
        at += padding


def derived_uid(what, study, instances):
    """A UID of the key objects (§5.4)."""
    digest = hashlib.sha256(b"pcim key objects")
    for part in (f"manifest with description {what}", study, *instances):
        digest.update(len(part).to_bytes(8, "big") + part.encode())
    return f"2.25.{int.from_bytes(version8(digest.digest()[:16]), 'big')}"


def version8(uuid):
    return uuid[:6] + bytes([uuid[6] & 0x0F | 0x80, uuid[7], uuid[8] & 0x3F | 0x80]) + uuid[9:]


def open_study(contents, signer):
    """A study compared with its index, which its signer signed (§5.3)."""
    files = open_tar(contents.payload)
    want(list(files)[:2] == ["manifest.json", "manifest.json.sig"], "a study that does not begin with its index")
    text, signature = files.pop("manifest.json"), files.pop("manifest.json.sig")
    want(hashlib.sha256(text).digest() == contents.index, "another index than the signature names")
    verify_detached(text, signature, signer)
    names = ("study_instance_uid", "modalities", "body_parts", "series", "key_objects")
    manifest = read(text, "pcim-study", names, limit=MAX_MANIFEST, versions=(2,))
    want(list(files)[-1] == "key-objects.dcm", "key objects that are not the last file")
    listed = [file for series in manifest["series"] for file in series["instances"]] + [manifest["key_objects"]]
    want([file["file"] for file in listed] == list(files), "other files than are listed")
    blocks = lambda size: size + -size % 512
    at = end_of_index = blocks(512 + len(text)) + blocks(512 + len(signature))
    for file in listed:
        content = files[file["file"]]
        want(end_of_index + file["offset"] == at + 512, "a file that is not where the index says")
        at = blocks(at + 512 + len(content))
        want((file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest()), "another file")
    instances = [file["sop_instance_uid"] for file in listed[:-1]]
    own = derived_uid("instance", manifest["study_instance_uid"], instances)
    want(manifest["key_objects"]["sop_instance_uid"] == own, "key objects of another study")
    want(own.encode() in files["key-objects.dcm"], "key objects with another UID")
    want(at + 1024 == len(contents.payload), "an index of another length")
    return manifest, files


def open_identity(payload):
    """An identity document (§5.5)."""
    names = ("media_type", "image", "attributes", "study_instance_uid", "series", "instances")
    document = read(payload, "pcim-identity", names)
    want(document["media_type"] == "application/pcim-identity+json", "another media type")
    return document


# ---- pseudonyms (§5.6) ---------------------------------------------------------------------------------------------

def mac(key, message):
    return hmac.digest(key, message, "sha256")


def tag(key, name, count):
    return mac(key, b"tag " + name)[:count]


def base32(value):
    return base64.b32encode(value).decode().rstrip("=")


class Pseudonyms:
    """Those of one patient under the key of `deid.key`."""

    def __init__(self, master, patient_id, issuer=b""):
        name = mac(master, b"patient id" + len(patient_id).to_bytes(8, "big") + patient_id + issuer)[:10]
        self.patient = base32(name + tag(master, name, 6))
        self.key = mac(master, b"patient " + self.patient.encode())

    def identifier(self, attribute, value):
        name = mac(self.key, attribute + b" " + value)[:7]
        return base32(name + tag(self.key, name, 3))

    def uid(self, uid):
        uuid = version8(mac(self.key, b"uid " + uid.encode())[:16])[:11]
        return f"2.25.{int.from_bytes(uuid + tag(self.key, uuid, 5), 'big')}"

    @property
    def days(self):
        return -(31 + int.from_bytes(mac(self.key, b"days")[:8], "big") % 7300)
