"""Renders the first frame of each file with dcmtk's dcm2pnm: pictures.py FOLDER < lines of paths.

Writes the grey or red, green and blue bytes of file N into FOLDER/N, and one line each: why there is none, or nothing.
"""

import subprocess
import sys
import warnings
from pathlib import Path

import pydicom

warnings.simplefilter("ignore")


def window(path):
    """What is seen: the first VOI LUT, else the first window, else all values."""
    dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
    if dataset.get("VOILUTSequence"):
        return ["+Wl", "1"]
    if dataset.get("WindowCenter") is not None and dataset.get("WindowWidth") is not None:
        return ["+Wi", "1"]
    if dataset.get("PhotometricInterpretation", "").startswith("MONOCHROME"):
        return ["+Wm"]
    return []


def program(path):
    """dcm2pnm, and its sisters that decompress."""
    syntax = pydicom.dcmread(path, force=True, stop_before_pixels=True).file_meta.TransferSyntaxUID
    jpeg = syntax.startswith("1.2.840.10008.1.2.4.5") or syntax.endswith(("4.57", "4.70"))
    return "dcmj2pnm" if jpeg else "dcml2pnm" if syntax.endswith(("4.80", "4.81")) else "dcm2pnm"


def pixels(path):
    out = subprocess.run([program(path), "+op", *window(path), path], capture_output=True)
    if out.returncode or not out.stdout:
        raise ValueError(out.stderr.decode(errors="replace")[-160:].replace("\n", " "))
    kind, size, most, rest = out.stdout.split(b"\n", 3)
    assert kind in (b"P5", b"P6") and most == b"255", (kind, most)
    return rest


for number, line in enumerate(sys.stdin):
    try:
        (Path(sys.argv[1]) / str(number)).write_bytes(pixels(line.rstrip("\n")))
        print(flush=True)
    except Exception as error:  # noqa: BLE001: whatever goes wrong is the answer
        print(str(error) or repr(error), flush=True)
