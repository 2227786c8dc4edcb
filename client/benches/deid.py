"""How fast files are de-identified: pcim deid, dcmtk's dcmodify and PyPI's deid (pydicom), in one run.

deid.py PCIM [RUNS]: the optimised program; needs dcmodify on the path, and pydicom, pydicom-data and deid in this Python.
Results go to memory (/dev/shm) first, which tells the programs' own speed, then to the disk: pcim waits until its results are
there to stay, and the machine's rows say how fast that can be; the others do not wait. dcmodify only removes the listed tags
in place, and deid only works by its default recipe: both do less.
"""

import contextlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# This script has the name of the package that it measures.
sys.path.pop(0)

import pydicom  # noqa: E402

SMALL = 1000
SMALL_PYDICOM = 100
LARGE_BYTES = 256 << 20
TAGS = ["PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "InstitutionName"]


def processor():
    """Seconds of the processor, of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(it.ru_utime + it.ru_stime for it in used)


def row(name, unit, amount, run, runs):
    rates, busy = [], []
    for _ in range(runs):
        os.sync()
        started, used = time.perf_counter(), processor()
        run()
        rates.append(amount / (time.perf_counter() - started))
        busy.append(processor() - used)
    shown = " ".join(f"{rate:.0f}" for rate in sorted(rates))
    print(f"| {name} | {statistics.median(rates):.0f} {unit} | {shown} | {statistics.median(busy):.2f} s |", flush=True)


def make(folder):
    """A thousand small instances of one study, and a large file."""
    source = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
    dataset = pydicom.dcmread(source)
    small = []
    (folder / "study").mkdir()
    for n in range(SMALL):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.{n + 1}"
        dataset.InstanceNumber = n + 1
        small.append(folder / "study" / f"{n}.dcm")
        dataset.save_as(small[-1])
    dataset.Rows = dataset.Columns = 1024
    dataset.NumberOfFrames = LARGE_BYTES >> 21
    # The padding behind the pixels of this sample: hardly any large file has some.
    del dataset[0xFFFC, 0xFFFC]
    dataset.PixelData = os.urandom(1 << 21) * (LARGE_BYTES >> 21)
    large = folder / "large.dcm"
    dataset.save_as(large)
    return small, large


def measure(pcim, folder, where, runs):
    small, large = make(folder)
    key = folder / "key"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    data = small[0].read_bytes()

    def copied():
        with open(large, "rb") as a, open(folder / "copy", "wb") as b:
            shutil.copyfileobj(a, b, 1 << 20)
            b.flush()
            os.fsync(b.fileno())
        os.remove(folder / "copy")

    def written():
        (folder / "written").mkdir()
        for n in range(SMALL):
            with open(folder / "written" / str(n), "wb") as out:
                out.write(data)
                os.fsync(out.fileno())
        shutil.rmtree(folder / "written")

    def of_pcim(files):
        def run():
            command = [pcim, "deid", "--key-file", key, "--out", folder / "out", "--json", *files]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            shutil.rmtree(folder / "out")

        return run

    def of_dcmodify(files):
        command = ["dcmodify", "-nb", "-q", "-imt", *[f for tag in TAGS for f in ("-ea", tag)], *files]
        return lambda: subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def of_deid(files):
        from deid.dicom import replace_identifiers

        names = [str(file) for file in files]

        def run():
            (folder / "py").mkdir()
            with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
                replace_identifiers(names, save=True, output_folder=str(folder / "py"), overwrite=True)
            shutil.rmtree(folder / "py")

        return run

    megabytes = large.stat().st_size / 1e6
    load = os.getloadavg()[0]
    print(f"\n| to {where}; load {load:.1f} on {os.cpu_count()} cores | median | runs | processor |\n|---|---|---|---|")
    row("the machine: a large file copied and synced", "MB/s", megabytes, copied, runs)
    row("the machine: small files written and synced by one thread", "files/s", SMALL, written, runs)
    row(f"`pcim deid FILE`, {megabytes:.0f} MB", "MB/s", megabytes, of_pcim([large]), runs)
    row(f"`pcim deid FILE…`, {SMALL} of {len(data) / 1e3:.0f} KB", "files/s", SMALL, of_pcim(small), runs)
    row("`pcim deid FOLDER`, the same as a study", "files/s", SMALL, of_pcim([folder / "study"]), runs)
    row("deid (pydicom), small files", "files/s", SMALL_PYDICOM, of_deid(small[:SMALL_PYDICOM]), runs)
    row("deid (pydicom), large file", "MB/s", megabytes, of_deid([large]), runs)
    # In place, so they come last.
    row("dcmodify, small files", "files/s", SMALL, of_dcmodify(small), runs)
    row("dcmodify, large file", "MB/s", megabytes, of_dcmodify([large]), runs)


def main():
    pcim, runs = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    for where, parent in [("memory", "/dev/shm"), ("the disk", None)]:
        if parent and not Path(parent).is_dir():
            print(f"no {parent}: nothing is measured in memory")
            continue
        folder = Path(tempfile.mkdtemp(prefix="pcim-bench-", dir=parent))
        try:
            measure(pcim, folder, where, runs)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
