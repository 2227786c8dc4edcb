#!/usr/bin/env python3
"""Other programs' OpenPGP keys, those of RFC 9980 among them, and our own keys in those programs: who opens what, by program and
version. Each program's key is a requestor's: he asks, is approved, and his program opens his root. Then each kind of key that
`pcim init` makes opens its own image in each program. Prints a table, and ends with 'N passed, N failed'.

    target/ci-python/bin/python tests/interop/openpgp-matrix/matrix.py [--write]

--write puts the table into docs/measurements/openpgp.md.

Builds rPGP's side (this folder's Cargo.toml, 150 crates) unless PCIM_TEST_RPGP names it. Wants what ../certificates.py wants; a
program that is not there is left out by name.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from certificates import IMAGE, Gpg, OpenPgpJs, Sop  # noqa: E402
from pcimformat import blocks  # noqa: E402
from scene import Scene, run  # noqa: E402


def rpgp():
    """rPGP's side, built if need be."""
    if "PCIM_TEST_RPGP" not in os.environ:
        subprocess.run(["cargo", "build", "--quiet", "--locked", "--manifest-path", HERE / "Cargo.toml"], check=True)
    return os.environ.get("PCIM_TEST_RPGP", str(HERE / "target/debug/openpgp-matrix"))


RPGP = rpgp()
PAGE = HERE.parents[2] / "docs/measurements/openpgp.md"
BEGIN = "<!-- rows: written by matrix.py -->"


class Rpgp(Sop):
    name = run(RPGP, "version").stdout.decode().strip()

    def make(self, kind):
        self.made = run(RPGP, "make", kind, self.password).stdout
        return self

    def opens(self, message, signer, out):
        path = self.folder / "key"
        path.write_bytes(self.made)
        done = run(RPGP, "open", path, self.password, signer, message, check=False)
        if done.returncode == 0:
            out.write_bytes(done.stdout)
        # It writes nothing unless the signature verifies.
        return out, done.returncode == 0, done.stderr.decode(errors="replace")


# Their keys as requestors'. What a program's newest release does not make is not asked of it.
THEIRS = [
    (Rpgp, "v6 Ed25519 + ML-KEM-768+X25519", lambda it: it.make("v6-mlkem")),
    (Rpgp, "v6 ML-DSA-65+Ed25519 + ML-KEM-768+X25519", lambda it: it.make("v6-mldsa-mlkem")),
    (Rpgp, "v4 Ed25519 + ML-KEM-768+X25519", lambda it: it.make("v4-mlkem")),
    (Rpgp, "v6 Ed25519 + X25519", lambda it: it.make("v6-classic")),
    (Rpgp, "v4 Ed25519 + Cv25519", lambda it: it.make("v4-classic")),
    (Sop, "v6 Ed25519 + X25519", lambda it: it.make("rfc9580")),
    (OpenPgpJs, "v6 Ed25519 + X25519", lambda it: it.make("v6", "curve25519")),
]
# The kinds of pcim's own keys, and the programs that must open their images; others must refuse.
OURS = {
    "default": {Rpgp},
    "pq": {Rpgp},
    "classic": {Rpgp, Sop, OpenPgpJs},
    "v4": {Rpgp, Sop, OpenPgpJs, Gpg},
}
# What became of a root.
OPENED = {True: "opened, bytes equal, signature good", False: "not opened with a verified signature"}
REFUSED = "refused by the patient: it does not announce SEIPDv2"
# Radiologists' keys: Ed25519, ML-DSA as well, and Ed25519 of version 4.
SIGNERS = ("default", "pq", "v4")


class Table:
    def __init__(self):
        self.passed = self.failed = 0
        self.rows = ["| program | key | radiologist's key | what became of it | |", "|---|---|---|---|---|"]

    def row(self, good, program, key, signer, outcome, said=""):
        """Counts and prints one; the page has the outcome, and not what the program said."""
        self.passed, self.failed = self.passed + bool(good), self.failed + (not good)
        self.rows.append("| " + " | ".join([program, key, signer, outcome, "ok" if good else "**FAILED**"]) + " |")
        print(self.rows[-1], " ".join(said.split())[:160], flush=True)


class Matrix:
    def __init__(self, scene):
        self.scene, self.table, self.number, self.makers = scene, Table(), 0, []
        key = scene.folder / "consortium.key"
        key.write_text(scene.accounts[1]["private_key"])
        consortium = scene.home("consortium", "--import-key", key)
        self.radiologists = {}
        for kind in SIGNERS:
            radiologist = scene.home(f"radiologist-{kind}", "--openpgp", kind)
            consortium("consortium", "accredit", radiologist.address)
            self.radiologists[kind] = radiologist, self.certificate(radiologist)

    def certificate(self, home):
        path = self.scene.folder / f"{home.folder.name}.certificate"
        key = home.folder / "openpgp.asc"
        path.write_bytes(run(RPGP, "certificate", key).stdout)
        return path

    def patient(self, name, kind, signer):
        """A patient with a registered image of a radiologist's."""
        radiologist, _ = self.radiologists[signer]
        patient = self.scene.home(name, "--openpgp", kind)
        card, handover = self.scene.folder / f"{name}.card", self.scene.folder / f"{name}.handover"
        patient("card", "--out", card)
        image = radiologist("radiologist", "seal", IMAGE, "--no-deid", "--to", card, "--out", handover)["image"]
        with radiologist.serves() as said:
            patient.knows(said)
            patient("patient", "register", handover)
        return patient, card, image

    def maker(self, kind):
        self.number += 1
        maker = kind(self.scene.folder / f"maker-{self.number}")
        self.makers.append(maker)
        return maker

    def opened(self, maker, home, root, signer):
        """What a program makes of a root: whether it opened to the image, and what it said."""
        car = self.scene.folder / f"{self.number}-{root}.car"
        home("node", "export", root, "--out", car)
        found = blocks.Root(*blocks.read_car(car.read_bytes()))
        message, out = car.with_suffix(".pgp"), car.with_suffix(".opened")
        message.write_bytes(found.header + found.body)
        _, verified, said = maker.opens(message, self.radiologists[signer][1], out)
        there = out.exists() and out.read_bytes() == IMAGE.read_bytes()
        return there and verified, said

    def theirs(self):
        for signer in ("default", "pq"):
            patient, card, image = self.patient(f"patient-{signer}", "default", signer)
            for kind, key, how in THEIRS:
                maker = how(self.maker(kind))
                reader = self.scene.home(f"reader-{self.number}", openpgp=maker.key())
                asked = reader("requestor", "request", "--patient", card, "--image", image, "--purpose", "TREAT")
                with reader.serves() as said:
                    patient.knows(said)
                    done = patient.tries("patient", "approve", image, reader.address, "--certificate", asked["public_key"])
                if done.returncode != 0:
                    # Software that stops at RFC 4880 wants the image in another container: --reseal-v1.
                    said = done.stderr.decode()
                    wanted = "does not accept this image's encryption" in said and "Cv25519" in key
                    self.table.row(wanted, maker.name, key, signer, REFUSED, said)
                    continue
                root = json.loads(done.stdout)["shared_image"]
                good, said = self.opened(maker, patient, root, signer)
                # Software without ML-DSA cannot verify what is signed by it.
                must = kind is Rpgp or signer == "default"
                self.table.row(good or not must, maker.name, key, signer, OPENED[good], said)

    def ours(self):
        for kind, must in OURS.items():
            # Signatures of version 6 are unknown to software that stops at RFC 4880.
            signer = "v4" if kind == "v4" else "default"
            patient, _, image = self.patient(f"own-{kind}", kind, signer)
            # The sq of the system asks a terminal for the passphrase of such a key.
            for program in (Rpgp, Sop, OpenPgpJs, Gpg):
                maker, key = self.maker(program), patient.folder / "openpgp.asc"
                try:
                    if program is Gpg:
                        maker("--import", key)
                    maker.made = key.read_bytes()
                    good, said = self.opened(maker, patient, image, signer)
                except RuntimeError as error:
                    good, said = False, str(error)
                self.table.row(good or program not in must, maker.name, f"pcim, `{kind}`", signer, OPENED[good], said)


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pcim-openpgp-"))
    scene = Scene(folder)
    try:
        matrix = Matrix(scene)
        try:
            matrix.theirs()
            matrix.ours()
        finally:
            for maker in matrix.makers:
                maker.ends()
    finally:
        scene.devnet.__exit__()
        shutil.rmtree(folder, ignore_errors=True)
    if "--write" in sys.argv:
        head = PAGE.read_text().split(BEGIN)[0]
        PAGE.write_text("\n".join([head + BEGIN, "", *matrix.table.rows, ""]))
    print(f"{matrix.table.passed} passed, {matrix.table.failed} failed")
    return matrix.table.failed != 0


if __name__ == "__main__":
    sys.exit(main())
