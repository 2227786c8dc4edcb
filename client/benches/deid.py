"""How fast files are de-identified: pcim deid, dcmtk's dcmodify and PyPI's deid (pydicom), in one run.

deid.py PCIM [RUNS]: the optimised program; needs dcmodify on the path, and pydicom, pydicom-data and deid in this Python.
dcmodify only removes the listed tags in place, and deid only by its default recipe: both do less.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pydicom

SMALL = 1000
SMALL_PYDICOM = 100
LARGE_BYTES = 256 << 20


def timed(run, runs):
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return seconds


def row(name, unit, amount, seconds):
    rates = sorted(amount / s for s in seconds)
    shown = " ".join(f"{rate:.0f}" for rate in rates)
    print(f"| {name} | {statistics.median(rates):.0f} {unit} | {shown} |", flush=True)


def main():
    pcim, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    source = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
    folder = Path(tempfile.mkdtemp(prefix="pcim-bench-"))
    try:
        data = source.read_bytes()
        small = [folder / f"{n}.dcm" for n in range(SMALL)]
        for path in small:
            path.write_bytes(data)
        dataset = pydicom.dcmread(source)
        dataset.Rows = dataset.Columns = 1024
        dataset.NumberOfFrames = LARGE_BYTES >> 21
        dataset.PixelData = os.urandom(1 << 21) * (LARGE_BYTES >> 21)
        large = folder / "large.dcm"
        dataset.save_as(large)
        key = folder / "key"
        key.write_bytes(bytes(range(32)))
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; files of {len(data)} bytes\n")
        print("| | median | runs |\n|---|---|---|")

        def copied():
            with open(large, "rb") as a, open(folder / "copy", "wb") as b:
                shutil.copyfileobj(a, b, 1 << 20)
                b.flush()
                os.fsync(b.fileno())

        def written():
            for n in range(SMALL):
                with open(folder / f"w{n}", "wb") as out:
                    out.write(data)
                    os.fsync(out.fileno())

        def of_pcim(files):
            out = folder / "out"
            command = [pcim, "deid", "--key-file", key, "--out", out, "--force", "--json", *files]
            return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def of_dcmodify(files):
            tags = ["PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "InstitutionName"]
            command = ["dcmodify", "-nb", "-q", "-imt", *[f for tag in tags for f in ("-ea", tag)], *files]
            return lambda: subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def of_deid(files):
            from deid.dicom import replace_identifiers

            names = [str(file) for file in files]
            return lambda: replace_identifiers(names, save=True, output_folder=str(folder / "py"), overwrite=True)

        row("the machine: copied and synced", "MB/s", LARGE_BYTES / 1e6, timed(copied, runs))
        row("the machine: small files written and synced by one thread", "files/s", SMALL, timed(written, runs))
        row("`pcim deid`, large file", "MB/s", LARGE_BYTES / 1e6, timed(of_pcim([large]), runs))
        row("`pcim deid`, small files", "files/s", SMALL, timed(of_pcim(small), runs))
        row("dcmodify, large file", "MB/s", LARGE_BYTES / 1e6, timed(of_dcmodify([large]), runs))
        row("dcmodify, small files", "files/s", SMALL, timed(of_dcmodify(small), runs))
        (folder / "py").mkdir()
        sys.stdout.flush()
        row("deid (pydicom), small files", "files/s", SMALL_PYDICOM, timed(of_deid(small[:SMALL_PYDICOM]), runs))
        row("deid (pydicom), large file", "MB/s", LARGE_BYTES / 1e6, timed(of_deid([large]), runs))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
