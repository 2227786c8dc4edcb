"""Reads pairs of files and tells what blanking did: blank.py < lines of "input<TAB>output<TAB>x,y,w,h", one JSON line each.

The largest sample in the region of the output, how far samples outside differ from the input's, on average and at most, and
whether the output claims option 113101.
"""

import json
import sys
import warnings

import numpy
import pydicom
from pydicom.pixels import pixel_array

warnings.simplefilter("ignore")
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


def pixels(dataset):
    array = pixel_array(dataset).astype(numpy.int64)
    frames = int(dataset.get("NumberOfFrames") or 1)
    return array.reshape(frames, dataset.Rows, dataset.Columns, dataset.SamplesPerPixel)


def judge(before, after, region):
    x, y, w, h = region
    before, after = pydicom.dcmread(before), pydicom.dcmread(after)
    a, b = pixels(before), pixels(after)
    outside = numpy.ones(a.shape[1:3], dtype=bool)
    outside[y : y + h, x : x + w] = False
    differences = numpy.abs(a - b)[:, outside]
    codes = [item.CodeValue for item in after.DeidentificationMethodCodeSequence]
    return {
        "inside": int(numpy.abs(b[:, ~outside]).max()),
        "mean": float(differences.mean()),
        "most": int(differences.max()),
        "claimed": "113101" in codes,
        "syntax": after.file_meta.TransferSyntaxUID,
        "burned_in": after.BurnedInAnnotation,
        "lossy": after.get("LossyImageCompression") == "01",
    }


for line in sys.stdin:
    before, after, region = line.rstrip("\n").split("\t")
    print(json.dumps(judge(before, after, [int(number) for number in region.split(",")])), flush=True)
