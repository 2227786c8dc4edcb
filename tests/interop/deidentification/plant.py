"""DICOM files in which it is known what identifies: each planted item with its place and what must become of it.

The classes are those of MIDI-B's action types (CBIIT/MIDI_validation_script), and some besides: where the item stands.
"""

import random
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit, JPEG2000Lossless, RLELossless

TABLE = Path(__file__).parents[3] / "client/dicom/src/deid/data/2026d/profile.tsv"
CT, MR, CR, SC, SR, US = (f"1.2.840.10008.5.1.4.1.1.{last}" for last in ("2", "4", "1", "7", "88.22", "6.1"))
ROWS, COLUMNS = 24, 40
#: What is blanked of files whose pixels show a name: x, y, width, height.
REGION = (4, 2, 20, 6)

TEXT = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
#: Attributes that are not listed, free to write in, and kept by many programs.
UNLISTED = ("SequenceName", "FilterType", "DetectorDescription", "ContrastBolusAgent", "ReceiveCoilName", "TransmitCoilName",
            "ScanOptions", "CollimatorGridName", "ConvolutionKernel", "AcquisitionType", "LensMake", "DerivationDescription",
            "ImageType", "PulseSequenceName", "GridAbsorbingMaterial", "ExposureControlModeDescription", "WindowCenterWidthExplanation")
#: Attributes that say what the picture is: they stay as they are.
KEPT = {"Modality": "CT", "SliceThickness": "2.5", "KVP": "120", "PixelSpacing": "0.5\\0.625", "ImageOrientationPatient": "1\\0\\0\\0\\1\\0",
        "ImagePositionPatient": "-10\\-20.5\\30", "WindowCenter": "40", "WindowWidth": "400", "RescaleSlope": "1", "RescaleIntercept": "-1024",
        "BodyPartExamined": "CHEST", "PatientPosition": "HFS", "InstanceNumber": "7", "SeriesNumber": "3", "SliceLocation": "30.5",
        "DistanceSourceToDetector": "1085.6", "ExposureTime": "500", "XRayTubeCurrent": "200", "PatientSex": "F", "PatientAge": "063Y"}


@dataclass
class Item:
    """An item, what it is a case of, its place in the file, and the value that it had."""

    kind: str
    file: int
    where: str
    path: list = field(default_factory=list)
    value: str = ""


class Planter:
    def __init__(self, seed, folder):
        self.random, self.folder, self.items, self.paths = random.Random(seed), Path(folder), [], []
        self.rows = list(rows())
        self.groups = {}

    def word(self):
        """A name that no vocabulary has."""
        return "".join(self.random.choice("bdfgklmnprstvz") + self.random.choice("aeiou") for _ in range(4)).capitalize() + self.random.choice("xqw")

    def add(self, kind, where, path=(), value=""):
        self.items.append(Item(kind, len(self.paths), where, list(path), value))

    def value(self, vr):
        word = self.word()
        return {"AE": word.upper(), "CS": word.upper(), "PN": f"{word}^Ann", "SH": word, "UR": f"https://{word.lower()}.example/x",
                "LO": f"{word} ward 7", "ST": f"for {word}\r\nroom 5"}.get(vr, f"seen by {word} at noon"), word

    def plant(self, dataset, where, share):
        """Texts in a share of the table's attributes."""
        for tag, vr in self.rows:
            if tag in dataset or self.random.random() > share:
                continue
            value, word = self.value(vr)
            dataset.add_new(tag, vr, value)
            self.add("text_removed", f"{where} {vr}", value=word)

    def private(self, dataset, where):
        """A private block with a value of each VR that can hold a text."""
        group = self.random.choice((0x0009, 0x0019, 0x0029, 0x0051))
        dataset.add_new(Tag(group, 0x0010), "LO", "MAKER OF SCANNERS")
        for number, vr in enumerate(("LO", "UN", "OB", "UT", "PN", "SH", "LT", "UI", "DA", "SQ")):
            tag, word = Tag(group, 0x1000 + number), self.word()
            if vr == "SQ":
                inner = Dataset()
                inner.PatientComments = f"of {word}"
                value = Sequence([inner])
            else:
                value = {"UI": "1.2.3.987654." + str(self.random.randrange(10**9)), "DA": "19610704"}.get(vr, word)
            needle = value if vr in ("UI", "DA") else word
            dataset.add_new(tag, vr, value.encode() if vr in ("UN", "OB") else value)
            self.add("text_removed", f"{where} private {vr}", value=needle)

    def patient(self, number):
        """What all files of a patient have in common."""
        local = random.Random(self.random.random())
        word = self.word()
        uid = f"1.2.826.0.1.{local.randrange(10**8, 10**9)}"
        return {"name": f"{word}^{self.word()}", "id": f"PX{local.randrange(10**6, 10**7)}", "birth": "19610704", "study": f"{uid}.1",
                "series": f"{uid}.1.2", "frame": f"{uid}.9", "day": f"2019{local.randrange(1, 10):02}{local.randrange(10, 28)}", "number": number}

    def image(self, patient, kind, number):
        made = Dataset()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = kind
        instance = f"{patient['series']}.{number}"
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = instance
        made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = patient["study"], patient["series"], patient["frame"]
        made.PatientName, made.PatientID, made.PatientBirthDate = patient["name"], patient["id"], patient["birth"]
        for keyword, value in KEPT.items():
            setattr(made, keyword, value.split("\\") if "\\" in value else value)
            self.add("tag_retained", keyword, [(int(Tag(keyword)), None)], value)
        made.Modality = {CT: "CT", MR: "MR", CR: "CR", SC: "OT", US: "US", SR: "SR"}[kind]
        self.items[-len(KEPT)].value = made.Modality
        made.BurnedInAnnotation = "NO"
        for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
            setattr(made, keyword, patient["day"])
            self.add("date_shifted", keyword, [(int(Tag(keyword)), None)], patient["day"])
        for keyword in ("AcquisitionDateTime", "FrameReferenceDateTime", "StartAcquisitionDateTime"):
            setattr(made, keyword, patient["day"] + "101112")
            self.add("date_shifted", keyword, [(int(Tag(keyword)), None)], patient["day"])
        for keyword, value in (("StudyInstanceUID", patient["study"]), ("SeriesInstanceUID", patient["series"]), ("FrameOfReferenceUID", patient["frame"]), ("SOPInstanceUID", instance)):
            for check in ("uid_changed", "uid_consistent"):
                self.add(check, keyword, [(int(Tag(keyword)), None)], value)
        for keyword in ("IrradiationEventUID", "SynchronizationFrameOfReferenceUID"):
            setattr(made, keyword, patient["frame"] + ".5")
            for check in ("uid_changed", "uid_consistent"):
                self.add(check, keyword, [(int(Tag(keyword)), None)], patient["frame"] + ".5")
        if kind == SR:
            self.evidence(made, patient)
        self.add("patid_consistent", "PatientID", [(int(Tag("PatientID")), None)], patient["id"])
        for part in patient["name"].split("^"):
            self.add("text_removed", "the patient's name", value=part)
        self.add("text_removed", "the patient's identifier", value=patient["id"])
        if kind != SR:
            self.pixels(made, patient, number)
        self.texts(made, patient)
        return made

    def evidence(self, made, patient):
        """What a report lists: the patient's first two instances."""
        study, series = Dataset(), Dataset()
        study.StudyInstanceUID, series.SeriesInstanceUID = patient["study"], patient["series"]
        listed = []
        for number in (1, 2):
            reference = Dataset()
            reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CT, f"{patient['series']}.{number}"
            listed.append(reference)
            path = [("CurrentRequestedProcedureEvidenceSequence", 0), ("ReferencedSeriesSequence", 0), ("ReferencedSOPSequence", number - 1), ("ReferencedSOPInstanceUID", None)]
            for check in ("uid_changed", "uid_consistent"):
                self.add(check, "reference", [(int(Tag(keyword)), place) for keyword, place in path], reference.ReferencedSOPInstanceUID)
        series.ReferencedSOPSequence = Sequence(listed)
        study.ReferencedSeriesSequence = Sequence([series])
        made.CurrentRequestedProcedureEvidenceSequence = Sequence([study])

    def texts(self, made, patient):
        self.plant(made, "top", 0.5)
        for depth, keyword in enumerate(("RequestAttributesSequence", "PerformedProtocolCodeSequence", "ContributingSourcesSequence", "ReferencedStudySequence")):
            inner = Dataset()
            self.plant(inner, f"nested {depth + 1}", 0.15)
            for _ in range(depth):
                outer = Dataset()
                outer.PurposeOfReferenceCodeSequence = Sequence([inner])
                self.plant(outer, f"nested {depth + 1}", 0.03)
                inner = outer
            setattr(made, keyword, Sequence([inner]))
            if depth < 2:
                self.private(inner, f"nested {depth + 1}")
        self.private(made, "top")
        self.private(made, "top")
        family, given = patient["name"].split("^")
        for keyword in self.random.sample(UNLISTED, 7):
            vr, word = dictionary_VR(keyword), self.random.choice((family, patient["id"]))
            text = f"{word.upper()} 5" if vr == "CS" else f"scan {word} {patient['number']}"
            setattr(made, keyword, [text] if keyword == "ImageType" else text[:16] if vr in ("SH", "CS") else text)
            self.add("text_removed", f"elsewhere {vr}", value=word)
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "80891009", "SCT", "Heart structure"
        local = Dataset()
        word = self.word()
        local.CodeValue, local.CodingSchemeDesignator, local.CodeMeaning = word[:16], f"99{word.upper()}"[:16], f"As Dr {word} does"
        made.AnatomicRegionSequence = Sequence([code, local])
        for keyword, value in (("CodeValue", "80891009"), ("CodingSchemeDesignator", "SCT"), ("CodeMeaning", "Heart structure")):
            self.add("tag_retained", "public code", [(int(Tag("AnatomicRegionSequence")), 0), (int(Tag(keyword)), None)], value)
        self.add("text_removed", "local code", value=word)
        made.add_new(Tag(0x6000, 0x0022), "LO", f"for {family}")
        made.add_new(Tag(0x5000, 0x0022), "LO", f"for {family}")
        self.add("text_removed", "overlay", value=family)

    def pixels(self, made, patient, number):
        y, x = np.mgrid[0:ROWS, 0:COLUMNS]
        samples = ((x * 5 + y * 3 + number) % 200 + 20).astype("<u2")
        made.Rows, made.Columns, made.SamplesPerPixel, made.PhotometricInterpretation = ROWS, COLUMNS, 1, "MONOCHROME2"
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
        made.PixelData = samples.tobytes()
        made["PixelData"].VR = "OW"
        self.add("pixels_retained", "native")

    def save(self, made, group="plain"):
        path = self.folder / f"{len(self.paths):04}.dcm"
        made.save_as(path, enforce_file_format=True)
        self.groups[len(self.paths)] = group
        self.paths.append(path)

    def code(self, made, number):
        """Frames of a codec with a name where no decoder looks."""
        word = self.word()
        frame, syntax = codec(number, word)
        made.file_meta.TransferSyntaxUID = syntax
        made.BitsAllocated, made.BitsStored, made.HighBit = 8, 8, 7
        made.PixelData = encapsulate([frame])
        if syntax == JPEGBaseline8Bit:
            made.LossyImageCompression = "01"
        self.add("segment_removed", f"codec {syntax.name}", value=word)

    def burn(self, made):
        """Pixels that show something, and a region that hides it."""
        x, y, w, h = REGION
        pixels = np.frombuffer(made.PixelData, "<u2").reshape(ROWS, COLUMNS).copy()
        pixels[y : y + h, x : x + w : 2] = 4000
        made.PixelData = pixels.tobytes()
        made.BurnedInAnnotation = "YES"
        self.items = [item for item in self.items if not (item.file == len(self.paths) and item.kind == "pixels_retained")]
        self.add("pixels_hidden", "region")
        self.add("pixels_retained", "around the region")

    def hide(self, made):
        """A text in the bits above those stored, and one behind the last pixel."""
        word, tail = self.word(), self.word()
        pixels = np.frombuffer(made.PixelData, "<u2").copy()
        bits = [bit for byte in word.encode() for bit in f"{byte:08b}"]
        for at, bit in enumerate(bits):
            pixels[at] |= int(bit) << 15
        made.PixelData = pixels.tobytes() + tail.encode().ljust(10, b"\0")
        self.add("bits_cleared", "bits beside the pixels", value=word)
        self.add("segment_removed", "behind the pixels", value=tail)


def rows():
    """The table's attributes with text that the Basic Profile does not keep, and that no option for care keeps."""
    for line in TABLE.read_text().splitlines():
        if line.startswith("#"):
            continue
        tag, basic, *options = line.split("\t")
        if "x" in tag or tag == "PRIVATE" or not keyword_for_tag(int(tag, 16)):
            continue
        options = options[0].split() if options else []
        kept = any(option.startswith(("113108", "113109")) for option in options)
        group = int(tag[:4], 16)
        if kept or group < 8 or group % 2 or basic == "U" or tag in ("00100010", "00100020", "00100021"):
            continue
        vr = dictionary_VR(int(tag, 16))
        if vr in TEXT:
            yield Tag(int(tag, 16)), vr


def codec(number, word):
    """A frame of 24 × 40 pixels of 8 bits, a name in it, and its transfer syntax."""
    import imagecodecs

    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    samples = ((x * 5 + y * 3 + number) % 200 + 20).astype("u1")
    name = word.encode()
    comment = len(name) + 2
    match number % 5:
        case 0:
            frame = imagecodecs.jpeg8_encode(samples, level=90)
            return frame[:2] + b"\xff\xfe" + struct.pack(">H", comment) + name + frame[2:], JPEGBaseline8Bit
        case 1:
            frame = imagecodecs.jpeg8_encode(samples, level=90)
            exif = b"Exif\0\0" + name
            return frame[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + frame[2:], JPEGBaseline8Bit
        case 2:
            return imagecodecs.jpeg8_encode(samples, level=90) + name, JPEGBaseline8Bit
        case 3:
            frame = imagecodecs.jpeg2k_encode(samples, level=0, codecformat="j2k")
            size = struct.unpack(">H", frame[4:6])[0]
            return frame[: 4 + size] + b"\xff\x64" + struct.pack(">H", comment + 2) + b"\0\1" + name + frame[4 + size :], JPEG2000Lossless
        case _:
            runs = b"".join(bytes([COLUMNS - 1]) + bytes(row) for row in samples)
            header = struct.pack("<16L", 1, 64, *[0] * 14)
            return header + runs + name, RLELossless


def plant(seed, folder, patients=6):
    """Plants in the files of this number of patients; returns the planter."""
    made = Planter(seed, folder)
    for number in range(patients):
        patient = made.patient(number)
        for place, kind in enumerate((CT, MR, CR, CT, MR, CR, CT, SR), 1):
            image = made.image(patient, kind, place)
            if place == 4:
                made.code(image, number)
            elif place == 5:
                made.hide(image)
            elif place == 6:
                made.burn(image)
            if place != 4:
                image.file_meta.TransferSyntaxUID = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)[place % 3]
            made.save(image, "burned" if place == 6 else "plain")
    return made


def stream(path):
    """The bytes of a file, and of its data set where that is deflated."""
    content = Path(path).read_bytes()
    if DeflatedExplicitVRLittleEndian.encode() + b"\0" in content[:600]:
        length = struct.unpack("<L", content[140:144])[0]
        content += zlib.decompressobj(-15).decompress(content[144 + length :])
    return content
