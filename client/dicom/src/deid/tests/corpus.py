"""Reads pairs of files and says how they differ: corpus.py < lines of "input<TAB>output", one JSON line each.

corpus.py list prints the files that come with pydicom and pydicom-data.
"""

import json
import re
import sys
import warnings

import numpy as np
import pydicom
from pydicom.pixels import pixel_array

from corpus_files import files

warnings.simplefilter("ignore")
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

DESCRIBING = [
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PlanarConfiguration",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
]
PIXELS = ["PixelData", "FloatPixelData", "DoubleFloatPixelData"]


def read(path):
    dataset = pydicom.dcmread(path, force=True)
    # Makes pydicom interpret every value.
    for element in dataset.iterall():
        repr(element.value)
    return dataset


def same(before, after, a, b):
    """Whether pixel data are the same: decoded, if they are compressed, since comments go; else in the bits stored."""
    if before.file_meta.TransferSyntaxUID.is_encapsulated:
        try:
            pixels = pixel_array(before, raw=True)
        except Exception:  # noqa: BLE001: nobody can decode it, before or after
            return True
        return np.array_equal(pixels, pixel_array(after, raw=True))
    return len(b) <= len(a) and stored(after, a[: len(b)]) == stored(after, b)


def stored(dataset, value):
    """Only the bits of native pixels that are stored: those beside them are cleared."""
    if dataset.BitsAllocated not in (8, 16, 32) or dataset.BitsStored == dataset.BitsAllocated:
        return value
    order = "<" if dataset.is_little_endian else ">"
    samples = np.frombuffer(value, dtype=f"{order}u{dataset.BitsAllocated // 8}")
    mask = ((1 << dataset.BitsStored) - 1) << (dataset.HighBit + 1 - dataset.BitsStored)
    return (samples & samples.dtype.type(mask)).tobytes()


def compare(before, after):
    wrong = []
    for name in DESCRIBING:
        if before.get(name) != after.get(name):
            wrong.append(name)
    for name in PIXELS:
        a, b = before.get(name), after.get(name)
        if (a is None) != (b is None):
            wrong.append(name)
        elif a is not None and a != b and not same(before, after, a, b):
            wrong.append(name)
    return wrong


def main():
    if sys.argv[1:] == ["list"]:
        files()
        return
    for line in sys.stdin:
        before, after = line.rstrip("\n").split("\t")
        try:
            result = compare(pydicom.dcmread(before, force=True), read(after))
        except Exception as error:  # noqa: BLE001: whatever goes wrong is the answer
            result = [re.sub(r"\s+", " ", repr(error))]
        print(json.dumps(result))


if __name__ == "__main__":
    main()
