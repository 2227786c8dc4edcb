"""Decodes the frames of DICOM files with other people's programs: reference.py FOLDER < lines of paths.

Writes the samples of file N into FOLDER/N (pixel by pixel, little endian, each sample with all the bits of its width) and
one JSON line each: the greatest difference that right decoders may have, or why there is nothing to compare with.
dcmtk decodes JPEG, JPEG-LS and RLE; pydicom with its plugins the rest.
"""

import json
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import zlib

import imagecodecs
import numpy as np
import pydicom
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array

warnings.simplefilter("ignore")
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

JPEG = "1.2.840.10008.1.2.4."
PROGRAMS = {
    JPEG + "50": ["dcmdjpeg", "+cn"],
    JPEG + "51": ["dcmdjpeg", "+cn"],
    JPEG + "57": ["dcmdjpeg", "+cn"],
    JPEG + "70": ["dcmdjpeg", "+cn"],
    JPEG + "80": ["dcmdjpls"],
    JPEG + "81": ["dcmdjpls"],
    "1.2.840.10008.1.2.5": ["dcmdrle"],
}
# How far right decoders may be apart: they round differently.
LOSSY = {JPEG + "50": 2, JPEG + "51": 1, JPEG + "91": 2, JPEG + "203": 2, JPEG + "111": 2, JPEG + "112": 2}


def inflated(frame):
    return zlib.decompressobj(-15).decompress(frame)


# Decoders of single frames; what is not an array is native samples.
FRAMES = {JPEG + last: imagecodecs.jpeg2k_decode for last in ("201", "202", "203")}
FRAMES |= {JPEG + last: imagecodecs.jpegxl_decode for last in ("110", "111", "112")}
FRAMES |= {"1.2.840.10008.1.2.8.1": inflated, "1.2.840.10008.1.2.1.98": bytes}


def decoded(path):
    """Frames, rows, columns, samples; as they are coded."""
    dataset = pydicom.dcmread(path, force=True)
    syntax = dataset.file_meta.TransferSyntaxUID
    if program := PROGRAMS.get(syntax):
        with tempfile.NamedTemporaryFile(suffix=".dcm") as out:
            ran = subprocess.run([*program, path, out.name], capture_output=True, text=True)
            if ran.returncode == 0:
                dataset = pydicom.dcmread(out.name, force=True)
            # dcmtk's JPEG-LS of fewer than 8 bits is its own; CharLS decodes what others write.
            elif program[0] != "dcmdjpls":
                raise ValueError(f"{program[0]}: {ran.stderr[-200:]}")
    frames = int(dataset.get("NumberOfFrames") or 1)
    shape = (frames, dataset.Rows, dataset.Columns, dataset.SamplesPerPixel)
    if decode := FRAMES.get(syntax):
        array = by_frame(dataset, decode, shape)
    else:
        array = pixel_array(dataset, raw=True).reshape(shape)
    stored = dataset.BitsStored
    if array.dtype.kind == "i":
        bits = 8 * array.dtype.itemsize
        array = (array << (bits - stored)) >> (bits - stored)
    else:
        array = array & array.dtype.type((1 << stored) - 1)
    return array, LOSSY.get(syntax, 0)


def by_frame(dataset, decode, shape):
    size = ("i" if dataset.PixelRepresentation else "u") + str(dataset.BitsAllocated // 8)
    frames = []
    for coded in generate_frames(dataset.PixelData, number_of_frames=shape[0]):
        frame = decode(coded)
        if isinstance(frame, bytes):
            frame = np.frombuffer(frame[: int(np.prod(shape[1:])) * int(size[1])], dtype="<" + size)
        # imagecodecs gives levels of 9 to 16 bits as they are, and JPEG XL's scaled to the type.
        frames.append(np.asarray(frame).astype("<" + size))
    return np.stack(frames).reshape(shape)


def main():
    folder = Path(sys.argv[1])
    for number, line in enumerate(sys.stdin):
        path = line.rstrip("\n")
        try:
            array, most = decoded(path)
            (folder / str(number)).write_bytes(np.ascontiguousarray(array).tobytes())
            result = {"most": most}
        except Exception as error:  # noqa: BLE001: whatever goes wrong is the answer
            result = {"wrong": re.sub(r"\s+", " ", repr(error))[:200]}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
