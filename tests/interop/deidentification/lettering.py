#!/usr/bin/env python3
"""Writes text over generated frames and counts what of it `pcim deid --find-text` finds.

lettering.py MODEL [--frames N] [--seed N] [--presidio]: recall by kind, size and contrast, and boxes in frames without text.
A text is found if nine tenths of its ink lie in boxes: what is blanked is gone. Exits with 1 if less than 99 % of the texts of
12 pixels and more, with a contrast of 80 and more, are found outside of ultrasound. Boxes in frames without text are printed.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

SIZES = (8, 10, 12, 16, 24, 40, 60)
CONTRASTS = (20, 40, 80, 120, 160, 220)
KINDS = ("CT", "US", "CR", "photograph")
FONTS = sorted(path for path in Path("/usr/share/fonts").rglob("*.[to]tf") if not any(part in path.name for part in ("Math", "ExtraLight", "Emoji", "Symbol")))
PHOTOGRAPHS = ("chelsea", "coffee", "brick", "grass", "gravel", "moon", "camera", "retina", "hubble_deep_field")


def fractal(generator, height, width, slope):
    """Noise whose amplitude falls with its frequency, from 0 to 1: what surfaces in photographs look like."""
    frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequencies[0, 0] = 1
    spectrum = generator.standard_normal(frequencies.shape) + 1j * generator.standard_normal(frequencies.shape)
    made = np.fft.irfft2(spectrum / frequencies**slope, (height, width))
    return (made - made.min()) / np.ptp(made)


def ground(kind, generator, number):
    """A frame without text: grey levels, and of photographs colours."""
    height, width = (512, 512) if kind == "CT" else (600, 800)
    y, x = np.mgrid[0:height, 0:width]
    if kind == "CT":
        frame = generator.normal(12, 5, (height, width))
        for _ in range(6):
            cy, cx, a, b = generator.uniform((150, 150, 40, 40), (360, 360, 170, 190))
            # Edges as soft as a scanner's.
            distance = np.hypot((x - cx) / a, (y - cy) / b)
            frame += generator.uniform(8, 40) / (1 + np.exp(np.clip(60 * (distance - 1), -50, 50)))
        return frame
    if kind == "US":
        angle, depth = np.arctan2(x - width / 2, y + 40), np.hypot(x - width / 2, y + 40)
        sector = (np.abs(angle) < 0.7) & (depth > 60) & (depth < 600)
        tissue = 70 * fractal(generator, height, width, 1.4)
        return np.where(sector, tissue * generator.rayleigh(0.8, (height, width)), 3)
    if kind == "CR":
        body = 130 * np.exp(-(((x - width / 2) / 260) ** 2)) * (0.6 + 0.4 * np.cos(y / 90) ** 2)
        return 25 + body + 20 * fractal(generator, height, width, 1.8) + generator.normal(0, 3, (height, width))
    try:
        from skimage import data

        frame = np.asarray(Image.fromarray(getattr(data, PHOTOGRAPHS[number % len(PHOTOGRAPHS)])()).convert("RGB").resize((width, height))).astype(float)
        return frame * 0.7 if number // len(PHOTOGRAPHS) % 2 else frame[:, ::-1] * 0.7
    except ImportError:
        return np.stack([160 * fractal(generator, height, width, 1.6) for _ in range(3)], -1)


def write(frame, chance, size, contrast):
    """Writes a text somewhere; the places of its ink."""
    text = f"{chance.choice(('MUELLER', 'Okafor', 'de Vries', 'NGUYEN', 'Garcia'))} {chance.choice(('HANS', 'Ada', 'Jo', 'MARIA'))} {chance.randrange(1, 29):02}.{chance.randrange(1, 13):02}.19{chance.randrange(30, 99)}"
    if chance.random() < 0.3:
        text = f"ID {chance.randrange(10**6, 10**8)}"
    font = ImageFont.truetype(str(chance.choice(FONTS)), size)
    box = font.getbbox(text)
    mask = Image.new("L", (box[2] + 8, box[3] + 8))
    ImageDraw.Draw(mask).text((4, 4), text, 255, font)
    turned = chance.choice((0, 0, 0, 0, 0, 5, -5, 90))
    mask = np.asarray(mask.rotate(turned, expand=True, resample=Image.Resampling.BILINEAR)) / 255
    height, width = mask.shape
    if height >= frame.shape[0] or width >= frame.shape[1]:
        return None
    for _ in range(40):
        y, x = chance.randrange(frame.shape[0] - height), chance.randrange(frame.shape[1] - width)
        place = np.s_[y : y + height, x : x + width]
        # So bright that nothing of the contrast is lost, and not over another text.
        if frame[place].mean() + contrast > 250 or frame.mask[place].any():
            continue
        ink = mask[..., None] if frame.values.ndim == 3 else mask
        level = frame[place].mean() + contrast
        frame.values[place] = frame.values[place] * (1 - ink) + level * ink
        frame.mask[max(0, y - size) : y + height + size, max(0, x - size) : x + width + size] = True
        return [(y + row, x + column) for row, column in zip(*np.nonzero(mask > 0.5))], turned
    return None


class Frame:
    def __init__(self, values):
        self.values, self.mask = values, np.zeros(values.shape[:2], bool)
        self.shape = values.shape

    def __getitem__(self, place):
        return self.values[place]

    def mean(self):
        return self.values.mean()


def save(values, kind, path):
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{abs(hash(path.name)) % 10**9}"
    made.StudyInstanceUID = made.SeriesInstanceUID = "1.2.4"
    made.Modality, made.PatientID, made.PatientName = kind[:2].upper(), "1", "A"
    made.Rows, made.Columns = values.shape[:2]
    made.SamplesPerPixel = values.shape[2] if values.ndim == 3 else 1
    made.PhotometricInterpretation = "RGB" if values.ndim == 3 else "MONOCHROME2"
    if values.ndim == 3:
        made.PlanarConfiguration = 0
    else:
        made.WindowCenter, made.WindowWidth = "128", "256"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.PixelData = values.clip(0, 255).astype("u1").tobytes()
    made["PixelData"].VR = "OB"
    made.save_as(path, enforce_file_format=True)


def make(folder, frames, seed):
    """The files, each with its kind and its texts."""
    chance, made = random.Random(seed), []
    for number in range(frames):
        generator = np.random.default_rng([seed, number])
        kind = KINDS[number % len(KINDS)]
        frame, texts = Frame(ground(kind, generator, number // len(KINDS))), []
        # Of each kind one frame in nine has no text.
        if number // len(KINDS) % 9:
            for _ in range(4):
                size, contrast = chance.choice(SIZES), chance.choice(CONTRASTS)
                if written := write(frame, chance, size, contrast):
                    texts.append((size, contrast, *written))
        path = folder / f"{number:04}.dcm"
        save(frame.values, kind, path)
        made.append((path, kind, texts))
    return made


def pcim(model, paths):
    program = os.environ.get("PCIM", Path(__file__).parents[3] / "target/debug/pcim")
    ran = subprocess.run([program, "deid", "--find-text", "--text-model", model, "--json", *paths], capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(ran.stderr)
    return [[(box["x"], box["y"], box["w"], box["h"]) for box in one["boxes"]] for one in json.loads(ran.stdout)]


def presidio(paths):
    """Each word that Presidio's reader of pictures (Tesseract) reads: its redactor makes at most these black, and of them those that its
    language model, which is not on PyPI, takes for identifying."""
    import pydicom
    from presidio_image_redactor import TesseractOCR

    reader = TesseractOCR()
    for path in paths:
        read = reader.perform_ocr(Image.fromarray(pydicom.dcmread(path).pixel_array))
        words = zip(read["text"], read["left"], read["top"], read["width"], read["height"])
        yield [place for text, *place in words if text.strip()]


def count(made, found):
    """Found and all texts by kind, size, contrast and turn; boxes in frames without text."""
    counts, clean = defaultdict(lambda: [0, 0]), [0, 0]
    for (path, kind, texts), boxes in zip(made, found):
        if not texts:
            clean[0] += len(boxes)
            clean[1] += 1
        for size, contrast, ink, turned in texts:
            inside = sum(any(x <= column < x + w and y <= row < y + h for x, y, w, h in boxes) for row, column in ink)
            good = inside >= 0.9 * len(ink)
            counts[kind, size, contrast, turned][0] += good
            counts[kind, size, contrast, turned][1] += 1
    return counts, clean


def share(counts, wanted):
    good, every = (sum(count[n] for key, count in counts.items() if wanted(*key)) for n in (0, 1))
    return f"{100 * good / every:.0f} % of {every}" if every else "–"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--presidio", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = make(Path(folder), arguments.frames, arguments.seed)
        paths = [path for path, *_ in made]
        tools = {"pcim": pcim(arguments.model, paths)}
        if arguments.presidio:
            tools["presidio"] = presidio(paths)
        failed = False
        for tool, found in tools.items():
            counts, clean = count(made, found)
            print(f"\n{tool}: {share(counts, lambda *_: True)} texts in {arguments.frames} frames, seed {arguments.seed}; {clean[0]} boxes in {clean[1]} frames without text")
            for kind in KINDS:
                print(f"\n| {kind}: size | " + " | ".join(f"contrast {contrast}" for contrast in CONTRASTS) + " |\n|---|" + "---|" * len(CONTRASTS))
                for size in SIZES:
                    cells = (share(counts, lambda k, s, c, _: (k, s, c) == (kind, size, contrast)) for contrast in CONTRASTS)
                    print(f"| {size} px | " + " | ".join(cells) + " |")
            for name, turns in (("upright", (0,)), ("turned by 5°", (5, -5)), ("turned by 90°", (90,))):
                print(f"{name}: {share(counts, lambda k, s, c, t: k != 'US' and s >= 12 and c >= 80 and t in turns)} (outside of ultrasound, 12 px and 80 on)")
            aim = [count for (kind, size, contrast, _), count in counts.items() if kind != "US" and size >= 12 and contrast >= 80]
            good, every = (sum(count[n] for count in aim) for n in (0, 1))
            print(f"outside of ultrasound, from 12 px and a contrast of 80 on: {good} of {every}")
            if tool == "pcim":
                failed = good < 0.99 * every
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
