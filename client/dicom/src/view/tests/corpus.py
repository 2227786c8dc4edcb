"""Renders the first frame of each file as it is meant to be seen, with pydicom and numpy: corpus.py FOLDER < lines of paths.

Writes the samples of file N into FOLDER/N, and one JSON line each. corpus.py list prints the files that come with pydicom
and pydicom-data.
"""

import json
import re
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "deid" / "tests"))

import numpy as np
import pydicom
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

from corpus_files import files

warnings.simplefilter("ignore")
LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91")


def group(dataset, sequence):
    """The functional group of the first frame, or the image itself."""
    for name in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        items = dataset.get(name)
        if items and items[0].get(sequence):
            return items[0][sequence][0]
    return None


def rendered(path):
    dataset = pydicom.dcmread(path)
    array = pixel_array(path, index=0, raw=False)
    photometric = dataset.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        if not dataset.file_meta.TransferSyntaxUID.is_little_endian:
            raise ValueError("pydicom 3.0.1 reads the palettes of big endian files as little endian")
        array = apply_color_lut(array, dataset)
        return (array >> 8 if array.dtype == np.uint16 else array).astype(np.uint8)
    if array.ndim == 3:
        most = 2**dataset.BitsStored - 1
        return array if most == 255 else np.rint(array * (255.0 / most)).astype(np.uint8)
    for name, keys in (
        ("PixelValueTransformationSequence", ("RescaleSlope", "RescaleIntercept")),
        ("FrameVOILUTSequence", ("WindowCenter", "WindowWidth", "VOILUTFunction")),
    ):
        for key in keys:
            if (found := group(dataset, name)) is not None and key in found:
                dataset[key] = found[key]
    values = apply_modality_lut(array, dataset)
    if dataset.get("VOILUTSequence"):
        bits = dataset.VOILUTSequence[0].LUTDescriptor[2]
        seen = apply_voi_lut(values.astype(np.int64) if values.dtype.kind == "f" else values, dataset) / (2.0**bits - 1)
    elif dataset.get("WindowWidth") is not None:
        # pydicom gives back the range that it makes of the bits; two values that no window leaves out show it.
        ends = np.concatenate([values.astype(float).ravel(), [-1e12, 1e12]])
        seen = apply_voi_lut(ends, dataset)
        low, high = seen[-2], seen[-1]
        seen = (seen[:-2].reshape(values.shape) - low) / (high - low)
    else:
        low, high = values.min(), values.max()
        seen = (values.astype(float) - low) / (float(high) - float(low) or 1)
    seen = np.rint(np.clip(seen, 0, 1) * 255).astype(np.uint8)
    return 255 - seen if photometric == "MONOCHROME1" else seen


def main():
    if sys.argv[1:] == ["list"]:
        files()
        return
    for number, line in enumerate(sys.stdin):
        try:
            array = rendered(line.rstrip("\n"))
            syntax = pydicom.dcmread(line.rstrip("\n"), stop_before_pixels=True).file_meta.TransferSyntaxUID
            (Path(sys.argv[1]) / str(number)).write_bytes(np.ascontiguousarray(array).tobytes())
            result = {"lossy": syntax in LOSSY}
        except Exception as error:  # noqa: BLE001: whatever goes wrong is the answer
            result = {"wrong": re.sub(r"\s+", " ", repr(error))[:160]}
        print(json.dumps(result))


if __name__ == "__main__":
    main()
