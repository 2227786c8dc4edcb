"""Makes compressed images in every way that encoders know: matrix.py FOLDER. Prints the path of each.

dcmtk compresses as JPEG, JPEG-LS and RLE, CharLS (pyjpegls) as JPEG-LS, OpenJPEG (pylibjpeg) as JPEG 2000, OpenJPH and libjxl
(imagecodecs) as HTJ2K and JPEG XL, zlib deflates. What no encoder
at hand writes (restart intervals, precisions of 2 to 7 bits, scans of one component) a small encoder here does, and dcmtk
judges it.
"""

import subprocess
import sys
import zlib
from pathlib import Path

import imagecodecs
import jpeg_ls
import numpy as np
from openjpeg.utils import encode_array
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000, JPEG2000Lossless, JPEGLossless, JPEGLSLossless, JPEGLSNearLossless

ROWS, COLUMNS = 33, 38
FOLDER = Path(sys.argv[1])


def picture(kind, frame=0):
    """Samples of a kind: slopes, edges, noise; reproducible."""
    bits, signed, samples = KINDS[kind]
    random = np.random.default_rng(bits * 8 + samples * 2 + signed + 64 * frame)
    y, x, s = np.mgrid[0:ROWS, 0:COLUMNS, 0:samples]
    most = (1 << bits) - 1
    values = (x * most // (COLUMNS - 1) + y * s * 3) % (most + 1)
    values[4:7] = random.integers(0, most + 1, values[4:7].shape)
    values[8:10, 3:15] = most
    values[10:11, 3:15] = 0
    values = values - (1 << (bits - 1)) if signed else values
    kind = ("i" if signed else "u") + ("1" if bits <= 8 else "2")
    return values.astype("<" + kind)


KINDS = {"u8": (8, 0, 1), "u7": (7, 0, 1), "u12": (12, 0, 1), "u16": (16, 0, 1), "s12": (12, 1, 1), "s16": (16, 1, 1), "rgb": (8, 0, 3)}


def dataset(kind, syntax, frames=1):
    bits, signed, samples = KINDS.get(kind, (int(kind[1:]) if kind[1:].isdigit() else 8, 0, 1))
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7.3" if frames > 1 else "1.2.840.10008.5.1.4.1.1.7"
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    made.StudyInstanceUID = made.SeriesInstanceUID = "1.2.4"
    made.Rows, made.Columns, made.SamplesPerPixel = ROWS, COLUMNS, samples
    made.PhotometricInterpretation = "RGB" if samples == 3 else "MONOCHROME2"
    if samples == 3:
        made.PlanarConfiguration = 0
    if frames > 1:
        made.NumberOfFrames = frames
    made.BitsAllocated = 8 if bits <= 8 else 16
    made.BitsStored, made.HighBit, made.PixelRepresentation = bits, bits - 1, signed
    return made


def save(made, name):
    path = FOLDER / f"{name}.dcm"
    made.save_as(path, enforce_file_format=True)
    print(path)


def save_as(made, syntax, name):
    """Saves under a transfer syntax that pydicom does not know."""
    stand_in = made.file_meta.TransferSyntaxUID
    save(made, name)
    path = FOLDER / f"{name}.dcm"
    # UIDs are padded to an even length, which stays the same.
    old, new = (str(uid).encode() + b"\0" * (len(uid) % 2) for uid in (stand_in, syntax))
    content = path.read_bytes()
    assert len(old) == len(new) and content.count(old) == 1
    path.write_bytes(content.replace(old, new))


def sources():
    for kind in KINDS:
        for frames in (1, 3):
            made = dataset(kind, ExplicitVRLittleEndian, frames)
            made.PixelData = b"".join(picture(kind, frame).tobytes() for frame in range(frames))
            made["PixelData"].VR = "OW" if made.BitsAllocated > 8 else "OB"
            made.save_as(FOLDER / f"source-{kind}-{frames}.dcm", enforce_file_format=True)


def dcmtk():
    """Every predictor and point transform of dcmcjpeg, sequential of 8 and 12 bits, JPEG-LS with and without a loss, RLE."""
    jobs = [("rle", ["dcmcrle"]), ("jls", ["dcmcjpls", "+el"]), ("jlsnear", ["dcmcjpls", "+en", "+md", "2"])]
    jobs += [(f"jll{p}", ["dcmcjpeg", "+el", "+sv", str(p)]) for p in range(1, 8)]
    jobs += [(f"jllpt{t}", ["dcmcjpeg", "+el", "+sv", "4", "+pt", str(t)]) for t in (1, 3)]
    jobs += [("jll-sv1", ["dcmcjpeg", "+e1"]), ("jpeg8", ["dcmcjpeg", "+eb", "+q", "90"]), ("jpeg12", ["dcmcjpeg", "+ee", "+q", "95"])]
    jobs += [("jpeg8-422", ["dcmcjpeg", "+eb", "+s2"]), ("jpeg8-444", ["dcmcjpeg", "+eb", "+s4"])]
    for name, program in jobs:
        for kind in KINDS:
            for frames in (1, 3):
                out = FOLDER / f"dcmtk-{name}-{kind}-{frames}.dcm"
                ran = subprocess.run([*program, FOLDER / f"source-{kind}-{frames}.dcm", out], capture_output=True)
                # What an encoder cannot write is not there.
                if ran.returncode == 0 and out.exists():
                    print(out)


def others():
    for kind, (bits, signed, samples) in KINDS.items():
        array = picture(kind)
        if not signed:
            for interleave in (0, 1, 2) if samples == 3 else (0,):
                for near in (0, 3):
                    planes = array.transpose(2, 0, 1) if interleave == 0 and samples == 3 else array
                    planes = np.ascontiguousarray(planes[..., 0] if samples == 1 else planes)
                    made = dataset(kind, JPEGLSNearLossless if near else JPEGLSLossless)
                    coded = jpeg_ls.encode_array(planes, lossy_error=near, interleave_mode=interleave)
                    made.PixelData = encapsulate([bytes(coded)])
                    save(made, f"charls-{kind}-{interleave}-{near}")
        for name, syntax, options in (("j2k", JPEG2000Lossless, {}), ("j2k-lossy", JPEG2000, {"compression_ratios": [4]})):
            made = dataset(kind, syntax)
            plain = array if samples == 3 else array[..., 0]
            photometric = 1 if samples == 3 else 2
            coded = encode_array(np.ascontiguousarray(plain), bits_stored=bits, photometric_interpretation=photometric, use_mct=False, **options)
            made.PixelData = encapsulate([bytes(coded)])
            save(made, f"openjpeg-{name}-{kind}")


def modern():
    """HTJ2K in its three syntaxes, JPEG XL with and without a loss, in boxes and of a JPEG; frames deflated and only wrapped."""
    stand_in = "1.2.840.10008.1.2.4.201"
    for kind, (bits, signed, samples) in KINDS.items():
        for frames in (1, 3):
            arrays = [picture(kind, frame) for frame in range(frames)]
            plain = [np.ascontiguousarray(array if samples == 3 else array[..., 0]) for array in arrays]
            for last, options in (("201", {"reversible": True}), ("202", {"reversible": True, "resolutions": 2, "tlm": True}), ("203", {"reversible": False})):
                made = dataset(kind, stand_in[:-3] + last, frames)
                coded = [imagecodecs.htj2k_encode(array, **options) for array in plain]
                made.BitsStored, made.HighBit = made.BitsAllocated, made.BitsAllocated - 1
                made.PixelData = encapsulate(coded)
                save(made, f"openjph-{last}-{kind}-{frames}")
            if not signed:
                for last, name, options in (("110", "lossless", {"lossless": True}), ("110", "boxes", {"lossless": True, "usecontainer": True}), ("110", "bits", {"lossless": True, "bitspersample": bits}), ("112", "lossy", {"distance": 1.0})):
                    made = dataset(kind, stand_in, frames)
                    coded = [imagecodecs.jpegxl_encode(array, **options) for array in plain]
                    made.BitsStored, made.HighBit = made.BitsAllocated, made.BitsAllocated - 1
                    made.PixelData = encapsulate([bytes(one) for one in coded])
                    save_as(made, stand_in[:-3] + last, f"libjxl-{name}-{kind}-{frames}")
            native = [array.tobytes() for array in arrays]
            for last, name, coded in (("8.1", "deflated", [deflate(one) for one in native]), ("1.98", "wrapped", native)):
                made = dataset(kind, JPEGLossless, frames)
                made.PixelData = encapsulate(coded)
                save_as(made, "1.2.840.10008.1.2." + last, f"{name}-{kind}-{frames}")
    array = picture("rgb")
    made = dataset("rgb", stand_in)
    made.PixelData = encapsulate([imagecodecs.jpegxl_encode_jpeg(imagecodecs.jpeg8_encode(array, level=95))])
    save_as(made, stand_in[:-3] + "111", "libjxl-of-jpeg")


def deflate(native):
    made = zlib.compressobj(9, zlib.DEFLATED, -15)
    return made.compress(native) + made.flush()


class Bits:
    def __init__(self):
        self.out, self.held, self.count = bytearray(), 0, 0

    def put(self, value, bits):
        self.held, self.count = self.held << bits | value & ((1 << bits) - 1), self.count + bits
        while self.count >= 8:
            byte = self.held >> (self.count - 8) & 0xFF
            self.out += bytes([byte, 0] if byte == 0xFF else [byte])
            self.count -= 8

    def flush(self):
        if self.count:
            self.put((1 << (8 - self.count)) - 1, 8 - self.count)


def segment(marker, body):
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def lossless(array, precision, predictor, transform, lines, together):
    """T.81 Annex H: a code of five bits for each of the 17 categories; restarts after so many lines."""
    rows, columns, samples = array.shape
    out = b"\xff\xd8" + segment(0xC4, bytes([0] + [0] * 4 + [17] + [0] * 11) + bytes(range(17)))
    out += segment(0xC3, bytes([precision]) + rows.to_bytes(2, "big") + columns.to_bytes(2, "big") + bytes([samples]) + b"".join(bytes([n + 1, 0x11, 0]) for n in range(samples)))
    if lines:
        out += segment(0xDD, (lines * columns).to_bytes(2, "big"))
    values = array.astype(np.int64) >> transform
    for scan in [list(range(samples))] if together else [[n] for n in range(samples)]:
        out += segment(0xDA, bytes([len(scan)]) + b"".join(bytes([n + 1, 0]) for n in scan) + bytes([predictor, 0, transform]))
        bits, restarts = Bits(), 0
        for y in range(rows):
            first = y == 0
            if lines and y and y % lines == 0:
                bits.flush()
                bits.out += bytes([0xFF, 0xD0 + restarts % 8])
                restarts, first = restarts + 1, True
            for x in range(columns):
                for n in scan:
                    plane = values[..., n]
                    a, b, c = (int(plane[y, x - 1]), int(plane[y - 1, x]), int(plane[y - 1, x - 1])) if x and y else (int(plane[y, x - 1]) if x else 0, int(plane[y - 1, x]) if y else 0, 0)
                    if first and x == 0:
                        predicted = 1 << (precision - transform - 1)
                    elif first:
                        predicted = a
                    elif x == 0:
                        predicted = b
                    else:
                        predicted = [0, a, b, c, a + b - c, a + ((b - c) >> 1), b + ((a - c) >> 1), (a + b) >> 1][predictor]
                    difference = (int(plane[y, x]) - predicted) & 0xFFFF
                    if difference == 0x8000:
                        bits.put(16, 5)
                        continue
                    difference -= 0x10000 if difference > 0x8000 else 0
                    size = abs(difference).bit_length()
                    bits.put(size, 5)
                    bits.put(difference if difference >= 0 else difference - 1, size)
        bits.flush()
        out += bytes(bits.out)
    return out + b"\xff\xd9"


def our_own():
    for precision in (2, 3, 5, 6, 7, 8, 10, 12, 16):
        for predictor in range(1, 8):
            lines, transform = (0, 1, 4)[predictor % 3], predictor % 2 if precision > 2 else 0
            array = (picture("u16") >> (16 - precision)).astype("<u2" if precision > 8 else "u1")
            made = dataset(f"u{precision}", JPEGLossless)
            made.PixelData = encapsulate([lossless(array, precision, predictor, transform, lines, True)])
            save(made, f"own-{precision}-{predictor}-{transform}-{lines}")
    for predictor in (1, 6, 7):
        for lines in (0, 2, 8):
            for together in (True, False):
                made = dataset("rgb", JPEGLossless)
                made.PixelData = encapsulate([lossless(picture("rgb"), 8, predictor, 0, lines, together)])
                save(made, f"own-rgb-{predictor}-{lines}-{'together' if together else 'apart'}")


sources()
dcmtk()
others()
modern()
our_own()
