#!/usr/bin/env python3
"""PCIM's formats as docs/format.md has them, by an implementation of their own (pcimformat/) that was written from that document
alone: it opens what `pcim` makes, `pcim` opens what it makes, and both refuse the same. Ends with 'N passed, N failed'.

    format.py [FOLDER]                keeps everything in FOLDER

Wants a built pcim (see scene.py), and a Python with cryptography, eth-account, multiformats and dag-cbor.
"""

import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import sys
import tempfile
import time
import tomllib

from eth_account import Account

from pcimformat import Refused, backup, blocks, chain, document, mail, papers, payloads, pgp, rescue, seal
from scene import PASSPHRASE, ROOT, Scene

IMAGE = ROOT / "client/cli/assets/demo.dcm"
FIXTURE = ROOT / "tests/fixtures/home-v1"


class Checks:
    """Counts and prints."""

    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, what, good, why=""):
        self.passed, self.failed = self.passed + bool(good), self.failed + (not good)
        print("ok    " if good else "FAILED", what, "" if good else why, flush=True)
        return good

    def equal(self, what, found, wanted):
        return self(what, found == wanted, f"\n  found  {repr(found)[:300]}\n  wanted {repr(wanted)[:300]}")

    def refuses(self, what, work):
        """A reader that must not accept."""
        try:
            work()
        except Refused:
            return self(what, True)
        return self(what, False, "was accepted")

    def program(self, what, done, words=None):
        """A command of pcim that must do its work, or be refused with these words."""
        said = (done.stdout + done.stderr).decode(errors="replace")
        good = done.returncode == 0 if words is None else done.returncode != 0 and words in said
        return self(what, good, f"\n  exit {done.returncode}: {said[-600:]}")


class Actor:
    """A home with its keys, as this implementation reads them (§11)."""

    def __init__(self, home):
        self.home, self.address = home, home.address.lower()
        self.own = pgp.Certificate.locked((home.folder / "openpgp.asc").read_bytes(), PASSPHRASE.encode())
        self.account = Account.from_key(Account.decrypt(json.loads((home.folder / "ethereum.json").read_text()), PASSPHRASE))

    def repository(self):
        return blocks.read_repository(self.home.folder / "ipfs")

    def car(self, root, scene):
        """A root and its blocks, by way of a CAR file."""
        path = scene.folder / f"{root}.car"
        path.unlink(missing_ok=True)
        self.home("node", "export", root, "--out", path)
        return blocks.read_car(path.read_bytes())


class Outsider:
    """One whose keys and documents are all made here."""

    def __init__(self, kind):
        self.account, self.own = Account.create(), pgp.Certificate.make(kind)
        self.address = self.account.address.lower()
        self.card = papers.make_card(self.account, self.own)


def open_root(digest, held, own):
    """A root opened by one of its readers: contents, signer, predecessor."""
    root = blocks.Root(digest, held)
    session_key, version = seal.open_header(root.header, own)
    return root, *seal.open_body(session_key, version, root.body)


def image(text):
    return blocks.digest_named(text, blocks.DAG_PB)


class Story:
    """One devnet, and everyone on it."""

    def __init__(self, scene, check):
        self.scene, self.check, self.folder = scene, check, scene.folder
        self.chain_id, self.contract = scene.devnet.said["chain_id"], scene.contract.lower()
        key = self.folder / "consortium.key"
        key.write_text(scene.accounts[1]["private_key"])
        self.consortium = scene.home("consortium", "--import-key", key)
        self.patient, self.radiologist, self.requestor, self.stranger = (
            Actor(scene.home(name)) for name in ("patient", "radiologist", "requestor", "stranger"))
        self.card = self.file("patient.card")
        self.patient.home("card", "--out", self.card)
        self.consortium("consortium", "accredit", self.radiologist.home.address)

    def file(self, name, content=None):
        path = self.folder / name
        if content is not None:
            path.write_bytes(content)
        return path

    # ---- what pcim makes, opened here --------------------------------------------------------------------------

    def reads_a_card(self):
        card = papers.Card(self.card.read_bytes())
        self.check.equal("a card of pcim: both signatures, and its address", card.address, self.patient.address)
        self.check.equal("its certificate is the home's key, without a User ID",
                         (card.certificate.fingerprint, card.certificate.user_ids), (self.patient.own.fingerprint, []))
        for field, value in [("address", self.radiologist.address), ("peers", ["/ip4/192.0.2.1/tcp/1"]), ("more", 1)]:
            changed = json.dumps({**card.document, field: value}).encode()
            self.check.refuses(f"a card whose {field} was changed", lambda: papers.Card(changed))
            done = self.radiologist.home.tries("radiologist", "seal", IMAGE, "--no-deid", "--to", self.file("bad.card", changed), "--out", self.file("no"))
            self.check.program("… by pcim too", done, "card")

    def reads_an_image(self):
        """A handover and the image in it: sealed, handed over, registered."""
        handover = self.file("image.handover")
        said = self.radiologist.home("radiologist", "seal", IMAGE, "--no-deid", "--chunk", "1KiB", "--to", self.card, "--out", handover)
        found = papers.Handover(handover.read_bytes(), self.patient.own, self.patient.address, self.chain_id, self.contract)
        self.check.equal("a handover of pcim: card, signature, attestation, image", found.image, image(said["image"]))
        self.check.equal("its attester is the radiologist", found.attester, self.radiologist.address)
        root, contents, signer, before = open_root(*self.radiologist.car(said["image"], self.scene), self.patient.own)
        self.check.equal("a root of pcim, decrypted with the patient's key: the bytes that were sealed", contents.payload, IMAGE.read_bytes())
        self.check.equal("its seal is the attested one", contents.seal, found.seal)
        self.check.equal("its signer is the handover's", signer.fingerprint, found.card.certificate.fingerprint)
        self.check(f"its body is a tree of {len(root.cids) - 2} blocks", len(root.cids) > 40)
        self.check("cut and joined here, the same body has the same tree", blocks.grow(root.body, 1024)[0] == root.body_link)
        self.check.equal("it replaces nothing", (before, found.predecessor), (None, None))
        self.check.refuses("a handover by another patient", lambda: papers.Handover(
            handover.read_bytes(), self.stranger.own, self.stranger.address, self.chain_id, self.contract))
        self.check.refuses("a handover for another chain", lambda: papers.Handover(
            handover.read_bytes(), self.patient.own, self.patient.address, 1, self.contract))
        with self.radiologist.home.serves() as serving:
            self.patient.home.knows(serving)
            self.patient.home("patient", "register", handover)
        done = self.patient.home.tries("patient", "register", handover)
        self.check.program("a handover that is used is refused by pcim", done, "is already registered")
        self.image, self.handover = said["image"], handover

    def reads_a_study(self):
        """Two instances of one series, de-identified, with what their pseudonyms stand for."""
        folder = self.folder / "study"
        folder.mkdir()
        plain = IMAGE.read_bytes()
        instance = payload_uid(plain)
        for number in (b"1", b"2"):
            (folder / f"{number.decode()}.dcm").write_bytes(plain.replace(instance, instance[:-1] + number))
        handover = self.file("study.handover")
        said = self.radiologist.home("radiologist", "seal", folder, "--with-identity", "--to", self.card, "--out", handover)
        said = said[0] if isinstance(said, list) else said
        opened = papers.Handover(handover.read_bytes(), self.patient.own, self.patient.address, self.chain_id, self.contract)
        root, contents, signer, _ = open_root(*self.radiologist.car(said["image"], self.scene), self.patient.own)
        self.check.equal("a payload of two instances is a study", payloads.kind(contents.payload), "study")
        manifest, files = payloads.open_study(contents, signer)
        self.check.equal("a study: its tar, its manifest, the hashes of its files", list(files), ["0001/00001.dcm", "0001/00002.dcm", "key-objects.dcm"])
        again = b"".join(payloads.tar_header(name, len(it)) + it + bytes(-len(it) % 512)
                         for name, it in payloads.open_tar(contents.payload).items()) + bytes(1024)
        self.check.equal("its tar, written here", again, contents.payload)

        # §4.11: each file by its own chunks alone.
        parts = seal.Parts(*seal.open_header(root.header, self.patient.own), root.body)
        self.check.equal("read in parts, its signature has the same seal", parts.seal, contents.seal)
        base = len(contents.payload) - 1024 - sum(512 + len(it) + -len(it) % 512 for it in files.values())
        listed = [file for series in manifest["series"] for file in series["instances"]] + [manifest["key_objects"]]
        read = [parts.read(base + file["offset"], file["bytes"]) for file in listed]
        self.check.equal("and each file is where the index says", read, list(files.values()))

        identity = self.file("study.identity.handover")
        papers_of = papers.Handover(identity.read_bytes(), self.patient.own, self.patient.address, self.chain_id, self.contract)
        self.check.equal("the handover names the identity document", opened.identity, papers_of.image)
        text = blocks.cid_named(blocks.DAG_PB, papers_of.image).encode()
        contents = open_root(*self.radiologist.car(text, self.scene), self.patient.own)[1]
        self.check.equal("its payload is known by its start", payloads.kind(contents.payload), "identity")
        document = payloads.open_identity(contents.payload)
        self.check.equal("it is about the study", image(document["image"]), opened.image)
        values = {pair["name"]: pair for pair in document["attributes"]}
        master = papers.open_deid_key((self.radiologist.home.folder / "deid.key").read_bytes(), self.radiologist.own)
        own = payloads.Pseudonyms(master, values["PatientID"]["original"].encode())
        self.check.equal("the patient's pseudonym follows from deid.key", own.patient, values["PatientID"]["sealed"])
        pairs = [document["study_instance_uid"], *document["series"], *document["instances"]]
        self.check.equal("and so do all UIDs", [own.uid(it["original"]) for it in pairs], [it["sealed"] for it in pairs])
        listed = [it["sop_instance_uid"] for series in manifest["series"] for it in series["instances"]]
        self.check.equal("which are the study's", sorted(listed), sorted(it["sealed"] for it in document["instances"]))

    def reads_a_request_and_an_approval(self):
        said = self.requestor.home("requestor", "request", "--patient", self.card, "--image", self.image, "--purpose", "TREAT",
                                   "--name", "Dr. Möller", "--note", "for tomorrow")
        call = bytes.fromhex(self.scene.rpc("eth_getTransactionByHash", said["tx"])["input"][2:])
        name, (patient, about, key, notes) = chain.arguments(call)
        self.check.equal("a request's calldata", (name, patient, about), ("requesting_access", self.patient.address, image(self.image)))
        purpose, digest = papers.notes(notes)
        held = self.requestor.repository()
        published = pgp.Certificate(held[blocks.cid_named(blocks.RAW, key)])
        self.check.equal("its certificate, by its digest", (published.fingerprint, published.user_ids), (self.requestor.own.fingerprint, []))
        self.published = published.bytes
        message = held[blocks.cid_named(blocks.RAW, digest)]
        about = self.chain_id, self.contract, image(self.image), self.requestor.address
        for reader in (self.patient, self.requestor):
            found = papers.open_request(message, reader.own, published, *about, purpose)
            self.check.equal("its document opens", (found["name"], found["note"]), ("Dr. Möller", "for tomorrow"))
        self.check.refuses("a request document about another image", lambda: papers.open_request(
            message, self.patient.own, published, self.chain_id, self.contract, bytes(32), self.requestor.address, purpose))
        self.check.refuses("a request document by another certificate", lambda: papers.open_request(
            message, self.patient.own, self.stranger.own, *about, purpose))
        with self.requestor.home.serves() as serving:
            self.patient.home.knows(serving)
            approved = self.patient.home("patient", "approve", self.image, self.requestor.home.address)
        shared = self.patient.car(approved["shared_image"], self.scene)
        root, contents, *_ = open_root(*shared, self.requestor.own)
        self.check.equal("a root for a requestor, decrypted with the requestor's key", contents.payload, IMAGE.read_bytes())
        own = blocks.Root(*self.patient.car(self.image, self.scene))
        self.check.equal("its body is the registered root's", root.body_link, own.body_link)
        self.check.refuses("its header by another key", lambda: seal.open_header(root.header, self.stranger.own))

    def reads_a_signed_call(self):
        path = self.file("call.json")
        self.patient.home("patient", "revoke", self.image, self.requestor.home.address, "--sign-only", path)
        found = papers.SignedCall(path.read_bytes())
        self.nonce = found.nonce
        self.check.equal("a signed call of pcim: its signature, and what it says",
                         (found.function, found.signer, found.arguments),
                         ("remove_IRs", self.patient.address, (self.requestor.address, image(self.image))))
        for field, value in [("nonce", hex(found.nonce + 1)), ("deadline", 1), ("function", "deny_IRs"), ("chain_id", 1)]:
            changed = json.dumps({**json.loads(path.read_bytes()), field: value}).encode()
            self.check.refuses(f"a signed call whose {field} was changed", lambda: papers.SignedCall(changed))
            done = self.stranger.home.tries("relay", self.file("bad.json", changed))
            self.check.program("… by pcim or by the contract too", done, '"error":')
        [sent] = self.stranger.home("relay", path)
        status = self.requestor.home("requestor", "status", self.image)
        self.check.equal("relayed, it is done", status["status"], "removed")
        [again] = self.stranger.home("relay", path)
        self.check.equal("a second time it is found", (again["outcome"], again["tx"]), ("found", sent["tx"]))

    def reads_a_home(self):
        words = "left knee, before the operation"
        self.patient.home("patient", "note", self.image, words)
        digit = f"{image(self.image)[0] >> 4:x}"
        found = papers.open_notes((self.patient.home.folder / f"notes-{digit}.pgp").read_bytes(), self.patient.own)
        self.check("a note of pcim", (self.image, "owner", words) in [(it["image"], it["by"], it["text"]) for it in found], found)
        self.check.equal("the keystore's address", self.patient.account.address.lower(), self.patient.address)
        read_journal(self.check, self.patient.home.folder / "journal.sqlite", self.chain_id, self.contract)
        folder = self.patient.home.folder
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir() if path.is_file()}
        self.check.equal("the modes of a home's files", (folder.stat().st_mode & 0o777, set(modes.values())), (0o700, {0o600}))
        self.check.equal("a home has the files that are listed", {name for name in modes if not document.is_file(name)}, set())
        config = tomllib.loads((folder / "config.toml").read_text())
        self.check.equal("config.toml has no other keys", document.keys_of_config(config) - document.config_keys(), set())
        self.check.equal("and names the keystore's address", config["address"], self.patient.account.address)
        self.check.equal("deid.key", len(papers.open_deid_key((folder / "deid.key").read_bytes(), self.patient.own)), 32)
        pins = {path.suffix for path in (folder / "ipfs/datastore/pins").glob("*/*")}
        self.check.equal("the repository's pins", pins, {".direct", ".recursive"})
        record = json.loads((self.folder / f"{self.chain_id}.json").read_text())
        self.check.equal("the record of the deployment", list(record), document.record_fields())

    def reads_the_contract(self):
        """The contract's storage (§3.8.6)."""
        word = lambda *parts: b"".join(part.rjust(32, b"\0") for part in parts)
        at = lambda slot, more=0: bytes.fromhex(self.scene.rpc(
            "eth_getStorageAt", self.contract, hex(int.from_bytes(slot, "big") + more), "latest")[2:])
        of = lambda *parts: at(chain.keccak(word(*parts)))
        address = lambda text: bytes.fromhex(text[2:])
        name, patient, requestor = image(self.image), address(self.patient.address), address(self.requestor.address)
        self.check.equal("slot 0 is the consortium", at(bytes(32))[12:], address(self.consortium.address))
        record = of(name, b"\1")
        self.check.equal("an image's record ends with its patient", record[12:], patient)
        self.check("and begins with its time", abs((int.from_bytes(record[:5], "big") >> 6) - time.time()) < 86_400)
        tag = chain.keccak(word(address(self.radiologist.address), name))[:7]
        self.check.equal("between them its attester's tag", record[5:12], tag)
        self.check("the radiologist is accredited", any(of(address(self.radiologist.address), b"\2")))
        used = of(patient, (self.nonce >> 8).to_bytes(32, "big"), b"\3")
        self.check.equal("the patient has signed one call", int.from_bytes(used, "big"), 1 << (self.nonce & 255))
        standing, key = of(name, requestor, b"\4"), hashlib.sha256(self.published).digest()
        self.check.equal("a requestor's standing: key and status", (standing[:16], standing[31]), (key[:16], 4))

    # ---- what is made here, opened by pcim -----------------------------------------------------------------------

    def makes_an_image(self):
        """A radiologist who has never run pcim: key, card, body, root, CAR file, attestation, handover."""
        maker = self.maker = Outsider("pq")
        self.consortium("consortium", "accredit", maker.account.address)
        patient = papers.Card(self.card.read_bytes())
        # Several parts of the literal and of the container, and several leaves.
        payload = IMAGE.read_bytes() + os.urandom(3_000_000)
        for chunk, octet in (("written", seal.WRITTEN_CHUNK), ("largest", seal.MAX_CHUNK), ("smallest", 0)):
            digest, held, handover = self.made(maker, patient, payload[:200_000] if octet == 0 else payload, octet)
            text = blocks.cid_named(blocks.DAG_PB, digest).encode()
            car, path = self.file("made.car", blocks.write_car(digest, held)), self.file("made.handover", handover)
            done = self.patient.home.tries("node", "import", car)
            if not self.check.program(f"pcim takes in a CAR file made here, chunks of the {chunk} size", done):
                continue
            self.check.equal("… under the same name", json.loads(done.stdout)["image"], text)
            exported = self.file("again.car")
            exported.unlink(missing_ok=True)
            self.patient.home("node", "export", text, "--out", exported)
            self.check("… and writes the same file", exported.read_bytes() == car.read_bytes())
            if not self.check.program("pcim registers it", self.patient.home.tries("patient", "register", path)):
                continue
            out = self.file("made.dcm")
            done = self.patient.home.tries("patient", "open", text, "--out", out, "--force")
            self.check.program("pcim opens it", done)
            self.check("… to the bytes that were sealed", out.exists() and out.read_bytes() == (payload[:200_000] if octet == 0 else payload))
            out.unlink(missing_ok=True)
        versions = self.patient.home("patient", "history", text)
        self.check.equal("pcim reads which image it replaces", [it["image"] for it in versions], [text, self.image])
        self.check.program("a stranger cannot use the handover", self.stranger.home.tries("patient", "register", path), "someone else")
        digest, held, handover = self.made(maker, patient, payload, seal.MAX_CHUNK + 1)
        self.refused_image(digest, held, handover, "chunks above the limit", "2^22")
        for field, value, words in [("patient", self.stranger.address, "someone else"), ("chain_id", 1, "chain 1"),
                                    ("contract", "0x" + "11" * 20, "contract"), ("seal", "00" * 32, "forged"), ("pcim-handover", 3, "version 3")]:
            _, _, bad = self.made(maker, patient, payload, seal.WRITTEN_CHUNK, {field: value})
            done = self.patient.home.tries("patient", "register", self.file("bad.handover", bad))
            self.check.program(f"pcim refuses a handover with another {field}", done, words)

    def made(self, maker, card, payload, octet, changed=()):
        """A sealed image, in chunks of a size, and its handover."""
        session_key, body, sealed = seal.make_body(payload, maker.own, image(self.image), octet)
        digest, held = blocks.make_root(seal.wrap(session_key, card.certificate.reader), body)
        handover = papers.make_handover(maker.account, maker.own, maker.card, card, self.chain_id, self.contract, digest, sealed,
                                        "CT", image(self.image), changed)
        return digest, held, handover

    def refused_image(self, digest, held, handover, what, words):
        self.patient.home("node", "import", self.file("bad.car", blocks.write_car(digest, held)))
        done = self.patient.home.tries("patient", "register", self.file("bad.handover", handover))
        self.check.program(f"pcim refuses {what}", done, words)

    def makes_a_request(self):
        """A requestor who has never run pcim, by signed calls that another sends."""
        reader = Outsider("hybrid")
        patient = papers.Card(self.card.read_bytes())
        certificate = self.patient.home.holds(reader.own.bytes)
        about = self.chain_id, self.contract, image(self.image), reader.address
        cases = [("of a name that is too long", {"name": "x" * (papers.MAX_NAME + 1)}, "TREAT", "too long|at most 256"),
                 ("with another purpose", {}, "HRESCH", "says HRESCH"),
                 ("", {"name": "x" * papers.MAX_NAME, "note": "y" * papers.MAX_NOTE_TO_PATIENT, "more": "passed over"}, "TREAT", None)]
        for nonce, (what, more, purpose, words) in enumerate(cases):
            message = papers.make_request(reader.own, patient.certificate, *about, purpose, **more)
            notes = f"TREAT {blocks.cid_named(blocks.RAW, self.patient.home.holds(message)).encode()}"
            values = [patient.address, image(self.image), certificate, notes]
            call = papers.make_signed_call(reader.account, self.chain_id, self.contract, "requesting_access", values, nonce, int(time.time()) + 86_400)
            padded = call[:-1] + b" " * (papers.MAX_SIGNED_CALL - len(call)) + b"\n"
            done = self.stranger.home.tries("relay", self.file("long.json", padded + b" "))
            self.check.program("pcim refuses a signed call above the limit", done, "at most 65536")
            self.check.program("pcim relays a signed call made here, as long as it may be", self.stranger.home.tries("relay", self.file("made.json", padded)))
            done = self.patient.home.tries("patient", "approve", self.image, reader.account.address)
            if words:
                said = done.stderr.decode()
                self.check(f"pcim refuses a request document {what}", done.returncode and any(it in said for it in words.split("|")), said[-300:])
        if self.check.program("pcim opens a request document made here, and approves it", done):
            shared = json.loads(done.stdout)["shared_image"]
            contents = open_root(*self.patient.car(shared, self.scene), reader.own)[1]
            self.check.equal("the requestor opens the root that pcim made", contents.payload, IMAGE.read_bytes())

    def reads_a_backup(self):
        """Two guardians, two followers, and paper."""
        keepers = {name: Actor(self.scene.home(f"keeper-{name}")) for name in ("ann", "ben", "fay", "gus")}
        cards = {name: self.file(f"{name}.card") for name in keepers}
        for name, keeper in keepers.items():
            keeper.home("card", "--out", cards[name])
        self.keepers, self.keepers_cards = keepers, cards
        said = self.patient.home("backup", "--guardian", cards["ann"], "--guardian", cards["ben"], "--threshold", "2", "--follower", cards["fay"],
                                 "--follower", cards["gus"], "--sheet-b", self.file("sheet-b.txt"), "--out", self.folder / "kept")
        text = pathlib.Path(said["backup"]).read_bytes()
        found = backup.Backup(text)
        self.check.equal("a backup of pcim: card, signature, number", (found.author.address, found.document["number"]), (self.patient.address, 1))
        self.letters = [pathlib.Path(it["file"]) for it in said["shares"]]
        letters = [path.read_bytes() for path in self.letters]
        shares = [backup.Share(letter, keepers[name].own) for letter, name in zip(letters, ("ann", "ben"))]
        secret, keys = backup.join_shares(found, shares), [found.key(keepers[name].own) for name in ("fay", "gus")]
        self.check("its followers have the same key", keys[0] == keys[1])
        contents = found.open(secret, keys[0])
        key = pgp.Certificate(bytes.fromhex(contents["openpgp"]), pgp.MAX_KEY)
        self.check.equal("with the joined secret and a follower's key it opens: the OpenPGP key", key.fingerprint, self.patient.own.fingerprint)
        self.check.equal("… the key of de-identification", contents["deid"],
                         papers.open_deid_key((self.patient.home.folder / "deid.key").read_bytes(), self.patient.own).hex())
        self.check.equal("… the files", {it["name"] for it in contents["files"]} >= {"backup.pgp"}, True)
        ethereum = Account.decrypt(json.loads((self.patient.home.folder / "ethereum.json").read_text()), PASSPHRASE)
        self.check("… and no Ethereum key", bytes(ethereum).hex() not in json.dumps(contents))
        self.check.refuses("one share", lambda: backup.join_shares(found, shares[:1]))
        self.check.refuses("a share twice", lambda: backup.join_shares(found, [shares[0], shares[0]]))
        self.check.refuses("a guardian's letter by another", lambda: backup.Share(letters[0], keepers["ben"].own))
        self.check.refuses("a key of a stranger", lambda: found.key(self.stranger.own))
        self.check.refuses("with the keys exchanged", lambda: found.open(keys[0], secret))
        for field, value in (("number", 2), ("salt", "00" * 32), ("keys", []), ("more", 1)):
            changed = json.dumps({**found.document, field: value}).encode()
            self.check.refuses(f"a backup whose {field} was changed", lambda: backup.Backup(changed))
            done = keepers["gus"].home.tries("backup", "release", "--backup", self.file("bad.json", changed), "--to", cards["ann"], "--out", self.file("no"))
            self.check.program("… by pcim too", done, "backup")

        words = lambda path: " ".join(word for line in path.read_text().splitlines() if len(it := line.split()) == 8 and it[0].isdigit() for word in it[1::2])
        self.check.equal("sheet B is the followers' key", backup.read_words(words(self.file("sheet-b.txt"))), keys[0])
        said = self.patient.home("backup", "paper", "--form", "text", "--out", self.folder / "paper")
        seed, key = (backup.read_words(words(pathlib.Path(said[f"sheet_{it}"]))) for it in "ab")
        found = backup.Backup(pathlib.Path(said["backup"]).read_bytes())
        self.check("both sheets open a backup on paper", found.open(backup.from_seed(seed, b"secret"), key)["pcim-contents"] == 1)
        guardian = Account.from_key(backup.from_seed(seed, b"guardian")).address
        self.check.equal("the guardian of sheet A", guardian.lower(), said["paper_guardian"].lower())

    def reads_a_network_file_and_mail(self):
        """A follower of a network, and a handover that it kept."""
        follower, kept = self.scene.home("follower"), self.file("kept.handover")
        signed = self.file("clinic.network")
        with follower.serves("--follow-chain") as said:
            at = next(it for it in said["addresses"] if "/p2p/" in it)
            self.consortium("network", "sign", next(self.folder.glob("*.network.json")), "--out", signed, "--follower", at)
            network = mail.NetworkFile(signed.read_bytes())
            self.check.equal("a network file of pcim: its consortium's signature, its follower", (network.consortium, network.followers), (self.consortium.address.lower(), [at]))
            for field, value in [("name", "other"), ("followers", []), ("expires_at", network.document["expires_at"] + 1), ("relay", "https://x.example")]:
                changed = json.dumps({**network.document, field: value}).encode()
                self.check.refuses(f"a network file whose {field} was changed", lambda: mail.NetworkFile(changed))
                self.check.program("… by pcim too", self.patient.home.tries("network", "join", self.file("bad.network", changed)), "was altered")
            for home in (self.patient.home, self.radiologist.home):
                home("network", "join", signed)
            self.patient.home("card", "--out", self.file("mail.card"))
            card = papers.Card(self.file("mail.card").read_bytes())
            self.check("her card has dates and a token", card.dates and card.token)
            self.radiologist.home("radiologist", "seal", IMAGE, "--no-deid", "--to", self.file("mail.card"), "--out", kept)
            store = sqlite3.connect(f"file:{follower.folder}/mailbox.sqlite?mode=ro", uri=True)
            waits = store.execute("SELECT id, owner, known, document FROM mail").fetchall()
            store.close()
            self.patient.home("patient", "inbox")
        (ident, owner, known, letter), = waits
        self.check.equal("what the follower keeps: its id, for whom, with the token", (ident, owner.hex(), known), (hashlib.sha256(letter).digest(), self.patient.address[2:], 1))
        self.check("it is one of three sizes, and what encrypting takes", any(0 < len(letter) - size < 8_192 for size in mail.SIZES), len(letter))
        fetched = (self.patient.home.folder / "inbox" / f"{ident.hex()}.pgp").read_bytes()
        found = mail.Mail(fetched, self.patient.own, self.patient.address)
        self.check.equal("the letter, opened: sender and handover", (found.sender.address, found.contents), (self.radiologist.address, kept.read_bytes()))
        self.check.refuses("a letter by another", lambda: mail.Mail(fetched, self.stranger.own, self.stranger.address))
        self.check.refuses("a damaged letter", lambda: mail.Mail(fetched[:-40] + bytes(40), self.patient.own, self.patient.address))

    def reads_papers_of_guardians(self):
        """Acceptances, a drill and its answer."""
        accepted, drill = [self.file(f"{name}.accepted") for name in ("ann", "ben")], self.file("drill.json")
        for name, path in zip(("ann", "ben"), accepted):
            self.keepers[name].home("guardian", "accept", self.card, "--out", path)
        found = rescue.Acceptance(accepted[0].read_bytes())
        ann = self.keepers["ann"]
        self.check.equal("an acceptance of pcim: both signatures, its patient, its card", (found.patient, found.card.address), (self.patient.address, ann.address))
        self.check("its key is for her alone", found.guardian != ann.address)
        other = rescue.Acceptance(accepted[1].read_bytes())
        for field, value in (("patient", self.stranger.address), ("guardian", other.guardian), ("card", other.document["card"]), ("more", 1)):
            changed = json.dumps({**found.document, field: value}).encode()
            self.check.refuses(f"an acceptance whose {field} was changed", lambda: rescue.Acceptance(changed))
            done = self.patient.home.tries("patient", "guardians", self.file("bad.accepted", changed), "--threshold", "1", "--out", self.file("no"))
            self.check.program("… by pcim too", done, '"error":')
        self.patient.home("patient", "guardians", *accepted, "--threshold", "2", "--hours", "72", "--out", self.file("guardians.json"))
        self.patient.home("recover", "drill", "--out", drill)
        self.keepers["ann"].home("guardian", "drill", drill, "--share", self.letters[0], "--out", self.file("ann.answer"))
        asked = rescue.Drill(drill.read_bytes())
        self.check.equal("a drill of pcim: its terms change nothing", (asked.terms["successor"].lower(), asked.terms["lock"]), (self.patient.address, False))
        answer = rescue.DrillAnswer(self.file("ann.answer").read_bytes(), asked)
        self.check.equal("an answer of pcim: its guardian signed it", answer.guardian, found.guardian)
        share = backup.Share(self.letters[0].read_bytes(), ann.own)
        self.check.equal("… and has the share", (answer.share["index"], answer.share["proof"]), (share.index, asked.proof(share)))
        later = {**asked.document, "nonce": "00" * 32}
        self.check.refuses("an answer to another drill", lambda: rescue.DrillAnswer(self.file("ann.answer").read_bytes(), rescue.Drill(json.dumps(later).encode())))
        forged = {**answer.document, "agreement": {**answer.document["agreement"], "guardian": other.guardian}}
        self.check.refuses("an answer by another guardian", lambda: rescue.DrillAnswer(json.dumps(forged).encode(), asked))
        judge = ("recover", "drill", "--drill", drill, "--set", self.file("guardians.json"), self.file("forged.answer", json.dumps(forged).encode()))
        self.check.program("… by pcim too", self.patient.home.tries(*judge), '"error":')

    def reads_an_emergency_object(self):
        """Three custodians of the patient's images."""
        names = ("ann", "ben", "fay")
        said = self.patient.home("patient", "custodians", "--threshold", "2", *(self.keepers_cards[name] for name in names))
        entrusted = next(it for it in said["entrusted"] if it["image"] == self.image)
        digest = next(it["emergency"] for it in entrusted["events"] if it["event"] == "ImageResealed")
        text = self.patient.repository()[blocks.cid_named(blocks.RAW, bytes.fromhex(digest[2:]))]
        found = rescue.Emergency(text)
        self.check.equal("an emergency object of pcim: its card, its image", (found.author.address, found.image), (self.patient.address, image(self.image)))
        custodians = (self.patient.home.folder / "custodians.json").read_bytes()
        self.check.equal("the name of its set", found.set["name"], rescue.set_name(custodians, found.image, found.document["body"]["cid"]))
        shares = [found.share(self.keepers[name].own) for name in names]
        self.check.equal("each custodian has a share of his own", [share.index for share in shares], [1, 2, 3])
        root = next(it for it in entrusted["events"] if it["event"] == "ImageResealed")["root"]
        root = blocks.Root(*self.patient.car(root, self.scene))
        key, _ = seal.open_header(root.header, self.patient.own)
        self.check.equal("two of them are the image's session key", (found.join(shares[:2]), found.join(shares[1:])), (key, key))
        self.check.refuses("one is not", lambda: found.join(shares[:1]))
        self.check.refuses("nor is one twice", lambda: found.join([shares[0], shares[0]]))
        self.check.refuses("a stranger finds none", lambda: found.share(self.stranger.own))
        for field, value in (("image", str(blocks.cid_named(blocks.DAG_PB, bytes(32)))), ("container", 3), ("commitments", found.document["commitments"][1:]), ("more", 1)):
            changed = json.dumps({**found.document, field: value}).encode()
            self.check.refuses(f"one whose {field} was changed", lambda: rescue.Emergency(changed).share(self.keepers["ann"].own))
        drill, answer = self.file("emergency.drill"), self.file("emergency.answer")
        self.patient.home("emergency", "drill", "--out", drill)
        asked = rescue.EmergencyDrill(drill.read_bytes())
        self.check.equal("a drill of pcim: whose it is, and her card", (asked.patient, asked.card.address), (self.patient.address,) * 2)
        self.check("it asks for this image", found.image in asked.images)
        with self.patient.home.serves() as said:
            self.keepers["ann"].home.knows(said)
            self.keepers["ann"].home("custodian", "drill", drill, "--out", answer)
        opened, author = asked.answer(answer.read_bytes(), self.patient.own)
        wanted = {"image": self.image, "set": found.set["name"], "index": 1}
        self.check.equal("an answer of pcim: its author, and the share that opened", (author.address, wanted in opened), (self.keepers["ann"].address, True))

    def reads_an_older_image(self):
        """Keys of version 4, and so a container of version 1."""
        patient, radiologist = (Actor(self.scene.home(name, "--openpgp", "v4")) for name in ("old-patient", "old-radiologist"))
        path, handover = self.file("old.card"), self.file("old.handover")
        patient.home("card", "--out", path)
        card = papers.Card(path.read_bytes())
        self.check.equal("a card of a version 4 key, without its User ID", (card.certificate.keys[0].version, card.certificate.user_ids), (4, []))
        self.check("its certificate does not announce SEIPDv2", not card.certificate.accepts_v2)
        for who, version in ((radiologist, 4), (self.radiologist, 6)):
            said = who.home("radiologist", "seal", IMAGE, "--no-deid", "--to", path, "--out", handover, "--force")
            found = papers.Handover(handover.read_bytes(), patient.own, patient.address, self.chain_id, self.contract)
            digest, held = who.car(said["image"], self.scene)
            root = blocks.Root(digest, held)
            session_key, container = seal.open_header(root.header, patient.own)
            contents, signer, _ = seal.open_body(session_key, container, root.body)
            self.check.equal(f"a body of version 1 with a signature of version {version}: container, signature, payload",
                             (container, contents.signature.version, contents.payload), (1, version, IMAGE.read_bytes()))
            self.check.equal("its seal is the attested one", contents.seal, found.seal)
            changed = bytearray(root.body)
            changed[len(changed) // 2] ^= 1
            self.check.refuses("it is refused when a bit is changed", lambda: seal.open_body(session_key, container, bytes(changed)))

    def limits_of_cards(self):
        maker = self.maker
        peers = ["/" + "p" * (papers.MAX_PEER - 1)] * papers.MAX_PEERS
        card = lambda peers: json.dumps(papers.make_card(maker.account, maker.own, peers)).encode()
        longest = card(peers)
        whole = longest + b" " * (papers.MAX_CARD - len(longest))
        cases = [("as long as it may be", whole, True), ("one byte longer", whole + b" ", False),
                 ("with a peer more", card(peers + ["/x"]), False), ("with a longer peer", card([peers[0] + "p"]), False),
                 ("with a line feed in a peer", card(["/x\npeer /y"]), False)]
        for what, text, good in cases:
            done = self.radiologist.home.tries("radiologist", "seal", IMAGE, "--no-deid", "--to", self.file("made.card", text),
                                               "--out", self.file("any.handover"), "--force")
            self.check.program(f"a card made here, {what}", done, None if good else "card")
            accepted = True
            try:
                papers.Card(text)
            except Refused:
                accepted = False
            self.check.equal("… is the same to both", accepted, good)

    def limits_of_roots(self):
        """Headers of one reader many times, and roots that are not in the one form."""
        patient = papers.Card(self.card.read_bytes())
        session_key, body, sealed = seal.make_body(IMAGE.read_bytes(), self.maker.own)
        one = len(seal.wrap(session_key, patient.certificate.reader))
        for count, good in ((seal.MAX_HEADER // one, True), (seal.MAX_HEADER // one + 1, False)):
            header = b"".join(seal.wrap(session_key, patient.certificate.reader) for _ in range(count))
            car = blocks.write_car(*blocks.make_root(header, body))
            done = self.patient.home.tries("node", "import", self.file("header.car", car))
            self.check.program(f"a header of {len(header)} bytes", done, None if good else "header")
            if not good:
                self.check.refuses("… here too", lambda: blocks.Root(*blocks.read_car(car)))
        header = seal.wrap(session_key, patient.certificate.reader)
        digest, held = blocks.make_root(header, body)
        root = blocks.cid_named(blocks.DAG_PB, digest)
        others = {
            "a root in another encoding": held[root] + b"\x12\x00",
            "a root of another file size": held[root].replace(b"\x18", b"\x18\x81", 1),
            "a root of three links": blocks.node([blocks.leaf(header), blocks.leaf(header), blocks.grow(body)[0]])[1],
            "a root of one link": blocks.node([blocks.grow(body)[0]])[1],
            "a root whose header is a tree": blocks.node([blocks.grow(header, 50)[0], blocks.grow(body)[0]])[1],
        }
        for what, block in others.items():
            changed = {blocks.cid_of(blocks.DAG_PB, block): block, **blocks.grow(header, 50)[1], **held}
            del changed[root]
            car = blocks.write_car(blocks.digest_of(blocks.cid_of(blocks.DAG_PB, block)), changed)
            self.check.refuses(what, lambda: blocks.Root(*blocks.read_car(car)))
            self.check.program("… by pcim too", self.patient.home.tries("node", "import", self.file("root.car", car)), '"error":')
        car = blocks.write_car(digest, held)
        for padding, index in ((b"", b""), (bytes(77), b"an index")):
            wrapped = blocks.wrap_car(car, padding, index)
            self.check.equal("a CAR file of version 2, read here", blocks.read_car(wrapped)[0], digest)
            self.check.program("… by pcim too", self.patient.home.tries("node", "import", self.file("two.car", wrapped)))
        cut = blocks.wrap_car(car[:-1], b"", b"")
        self.check.program("cut off inside, it is refused by pcim", self.patient.home.tries("node", "import", self.file("two.car", cut)), "cut off")
        car = blocks.write_car(digest, {**held, blocks.cid_of(blocks.RAW, b"stray"): b"stray"})
        self.check.program("a CAR file with a block more, by pcim", self.patient.home.tries("node", "import", self.file("root.car", car)), "does not belong")
        del held[blocks.leaf(header).cid]
        car = blocks.write_car(digest, held)
        self.check.refuses("a CAR file without the header", lambda: blocks.Root(*blocks.read_car(car)))
        self.check.program("… by pcim too", self.patient.home.tries("node", "import", self.file("root.car", car)), "not in the file")


def payload_uid(plain):
    """The SOP Instance UID of a DICOM file's meta information (0002,0003)."""
    at = plain.index(b"\x02\x00\x03\x00UI") + 8
    return plain[at:at + int.from_bytes(plain[at - 2:at], "little")].rstrip(b"\0")


def read_journal(check, path, chain_id, contract, version=6):
    """A journal's file and what stands in it (§12)."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (path.name, f"{path.name}-wal"):
            if (path.parent / name).exists():
                shutil.copy(path.parent / name, folder)
        db = sqlite3.connect(pathlib.Path(folder) / path.name)
        number = lambda name: db.execute(f"PRAGMA {name}").fetchone()[0]
        check.equal("a journal's application id and version", (number("application_id"), number("user_version")), (0x5043494D, version))
        operations = db.execute("SELECT key, signed_call, plan, done FROM operation").fetchall()
        unknown = [key for key, *_ in operations if not document.is_key(key, chain_id, contract)]
        check.equal(f"the keys of its {len(operations)} operations", unknown, [])
        for key, call, plan, _ in operations:
            if call:
                call = json.loads(call)
                raw = bytes.fromhex(call["raw"][2:])
                if call["tx"] != "0x" + chain.keccak(raw).hex() or set(call) != {"tx", "nonce", "raw", "returns"}:
                    check(f"the signed transaction of {key}", False, call)
        pieces = [json.loads(what) for (what,) in db.execute("SELECT what FROM piece")]
        check("its pieces", all(len(it) == 1 and set(it) <= {"root", "body", "block", "file"} for it in pieces), pieces)
        roles = {role for (role,) in db.execute("SELECT role FROM image")}
        check("the roles of its images", roles <= {"sealed", "registered"}, roles)
        db.close()
        return operations


def main():
    check = Checks()
    document.check_all(check)
    document.check_fixture(check, FIXTURE, read_journal)
    keep = len(sys.argv) > 1
    folder = pathlib.Path(sys.argv[1] if keep else tempfile.mkdtemp(prefix="pcim-format-"))
    folder.mkdir(exist_ok=True)
    scene = Scene(folder)
    try:
        story = Story(scene, check)
        for part in (story.reads_a_card, story.reads_an_image, story.reads_a_study, story.reads_a_request_and_an_approval,
                     story.reads_a_signed_call, story.reads_the_contract, story.reads_a_home, story.reads_a_backup, story.reads_an_older_image, story.makes_an_image, story.makes_a_request,
                     story.limits_of_cards, story.limits_of_roots, story.reads_a_network_file_and_mail,
                     story.reads_papers_of_guardians, story.reads_an_emergency_object):
            print(f"-- {part.__name__.replace('_', ' ')}", flush=True)
            part()
    finally:
        scene.devnet.__exit__()
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{check.passed} passed, {check.failed} failed")
    return check.failed != 0


if __name__ == "__main__":
    sys.exit(main())
