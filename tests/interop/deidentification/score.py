"""What became of what was planted: right or wrong, item by item, by the files that a program made."""

from collections import defaultdict
from datetime import date

import numpy as np
import pydicom
from pydicom.pixels import pixel_array

from plant import COLUMNS, REGION, ROWS, stream


class Made:
    """A file that a program made; nothing of one that it did not."""

    def __init__(self, path):
        self.path, self.dataset, self.bytes = path, None, b""
        if path is not None and path.exists():
            self.bytes = stream(path).lower()
            try:
                self.dataset = pydicom.dcmread(path, force=True)
                self.dataset.walk(lambda *_: None)
            except Exception:  # noqa: BLE001: a file that cannot be read keeps nothing
                self.dataset = None

    def at(self, path):
        dataset = self.dataset
        for tag, place in path:
            if dataset is None or tag not in dataset:
                return None
            element = dataset[tag]
            if place is None:
                value = element.value
                return "\\".join(map(str, value)) if element.VM > 1 else str(value if value is not None else "")
            dataset = element.value[place] if len(element.value) > place else None
        return None

    def pixels(self):
        try:
            return pixel_array(self.dataset, raw=True)
        except Exception:  # noqa: BLE001: pixels that cannot be decoded are not retained
            return None


def days(text):
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])).toordinal()
    except (ValueError, TypeError):
        return None


def same(one, other):
    """Values that say the same: numbers by their value."""
    try:
        return [float(part) for part in one.split("\\")] == [float(part) for part in other.split("\\")]
    except ValueError:
        return one.strip() == other.strip()


def right(item, before, after, known):
    """Whether the item became what it had to."""
    match item.kind:
        case "text_removed" | "segment_removed":
            needle = item.value.lower().encode()
            wide = item.value.lower().encode("utf-16-le")
            return needle not in after.bytes and wide not in after.bytes
        case "tag_retained":
            value = after.at(item.path)
            return value is not None and same(value, item.value)
        case "date_shifted":
            value = after.at(item.path)
            moved = days(value) if value else None
            return moved is not None and moved != days(item.value) and known["days"] == {moved - days(item.value)}
        case "uid_changed":
            value = after.at(item.path)
            return bool(value) and value != item.value
        case "uid_consistent":
            return len(known["uids"][item.value]) == 1
        case "patid_consistent":
            value = after.at(item.path)
            return bool(value) and value != item.value and known["patients"][item.value] == {value} and known["owners"][value] == {item.value}
        case "bits_cleared":
            # As they are in the file: decoders clear such bits by themselves.
            native = after.dataset is not None and np.frombuffer(after.dataset.PixelData, "<u2")
            return native is not False and not (native[: ROWS * COLUMNS] >> 12).any()
        case "pixels_hidden":
            x, y, w, h = REGION
            pixels = after.pixels()
            return pixels is not None and len(np.unique(pixels[y : y + h, x : x + w])) == 1
        case "pixels_retained":
            one, other = before.pixels(), after.pixels()
            if one is None or other is None or one.shape != other.shape:
                return False
            apart = one != other
            if before.dataset.get("BitsStored") == 12:
                apart = (one & 0xFFF) != (other & 0xFFF)
            if item.where == "around the region":
                x, y, w, h = REGION
                apart[y : y + h, x : x + w] = False
            return not apart.any()
    raise ValueError(item.kind)


def score(planted, results):
    """Right and all items by class; and the wrong ones. `results` has a path or nothing for each file."""
    before = [Made(path) for path in planted.paths]
    after = [Made(path) for path in results]
    by_patient = defaultdict(lambda: {"days": set(), "uids": defaultdict(set)})
    patients, owners = defaultdict(set), defaultdict(set)
    patient_of = {item.file: item.value for item in planted.items if item.kind == "patid_consistent"}
    for item in planted.items:
        value = after[item.file].at(item.path) if item.path else None
        known = by_patient[patient_of[item.file]]
        if item.kind == "date_shifted" and value and days(value):
            known["days"].add(days(value) - days(item.value))
        elif item.kind == "uid_consistent":
            known["uids"][item.value].add(value)
        elif item.kind == "patid_consistent":
            patients[item.value].add(value)
            owners[value].add(item.value)
    counts, wrong = defaultdict(lambda: [0, 0]), []
    for item in planted.items:
        known = dict(by_patient[patient_of[item.file]], patients=patients, owners=owners)
        made = after[item.file]
        # What is in no file cannot leak; it is not retained either.
        good = right(item, before[item.file], made, known)
        counts[item.kind][0] += good
        counts[item.kind][1] += 1
        if not good:
            wrong.append(item)
    return counts, wrong
