#!/usr/bin/env python3
"""Makes the tables of one edition: generate.py TABLE.json CONTENT.json EDITION_DIR

TABLE.json is PS3.15 Table E.1-1 as a list of objects (`id`, `basicProfile` and one key for each option column).
CONTENT.json is Table E.3.4-1: an object whose `content_items` are objects (`code`, `scheme`, `value_type`, `basic`, `options`).
docbook.py makes both of the standard's source. Words and codes do not change with the editions of these tables. Types come from the attribute tables of PS3.3 as PyPI's highdicom carries them (MIT); tags, VRs and the words of concept
names are from pydicom (MIT). What is taken are the standard's facts: tags, codes, types, single words.
"""

import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.sr._concepts_dict import concepts

OPTIONS = {
    "cleanGraphOpt": 113103,
    "cleanStructContOpt": 113104,
    "cleanDescOpt": 113105,
    "rtnLongFullDatesOpt": 113106,
    "rtnLongModifDatesOpt": 113107,
    "rtnPatCharsOpt": 113108,
    "rtnDevIdOpt": 113109,
    "rtnUIDsOpt": 113110,
    "rtnSafePrivOpt": 113111,
    "rtnInstIdOpt": 113112,
}
CONTENT_OPTIONS = {
    "clean_graphics": 113103,
    "clean_structured_content": 113104,
    "clean_descriptors": 113105,
    "retain_longitudinal_full_dates": 113106,
    "retain_longitudinal_modified_dates": 113107,
    "retain_patient_characteristics": 113108,
    "retain_device_identity": 113109,
    "retain_uids": 113110,
    "retain_safe_private": 113111,
    "retain_institution_identity": 113112,
}
# Attributes of these groups and VRs are suspect even if the table does not list them (see table.rs).
SUSPECT_GROUPS = {0x0010, 0x0012, 0x0032, 0x0038}
SUSPECT_VRS = {"PN", "DA", "DT", "TM", "AE", "LO", "LT", "SH", "ST", "UC", "UT"}
# Attributes with free text that stay.
TEXTS = {
    int(line.split("\t")[0], 16)
    for line in (Path(__file__).parent / "texts.tsv").read_text().splitlines()
    if not line.startswith("#")
}
# Issuers of identifiers, which the table does not list (see table.rs).
ISSUERS = {0x00080051, 0x00380014, 0x00380064, 0x00400026, 0x00400027, 0x00400036, 0x00400039, 0x0040003A, 0x00400513, 0x00400562}

MODALITIES = """
AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT IVUS KER KO LEN
LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT
RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC
"""


def standard(name):
    """One of highdicom's files about the standard; the package itself need not be importable."""
    folder = Path(find_spec("highdicom").submodule_search_locations[0]) / "_standard"
    return json.loads((folder / f"{name}.json").read_text())


def profile(rows):
    """One line a row: tag, basic code, then option=code."""
    yield "# PS3.15 Table E.1-1: attribute tag or pattern, code of the Basic Profile, codes of the options."
    for row in sorted(rows, key=lambda row: row["id"].upper()):
        tag = row["id"].upper() if len(row["id"]) == 8 else "PRIVATE"
        options = [f"{code}={row[key]}" for key, code in OPTIONS.items() if row.get(key)]
        yield "\t".join([tag.replace("X", "x"), row["basicProfile"], " ".join(options)]).rstrip()


def content(items):
    """One line a content item: scheme, code, value type, code of the Basic Profile, option=code."""
    yield "# PS3.15 Table E.3.4-1: coding scheme, code, value type, code of the Basic Profile, codes of the options."
    for item in sorted(items, key=lambda item: (item["scheme"], item["code"], item["value_type"])):
        options = sorted(f"{CONTENT_OPTIONS[name]}={code}" for name, code in item["options"].items())
        fields = [item["scheme"], item["code"], item["value_type"], item["basic"], " ".join(options)]
        yield "\t".join(fields).rstrip()


def types(rows):
    """The types of the attributes whose action depends on them, by module; the modules of each class."""
    data = {
        name: standard(name)
        for name in ("sop_class_iod_map", "iod_module_map", "module_attribute_map")
    }
    codes = {int(row["id"], 16): row["basicProfile"] for row in rows if re.fullmatch("[0-9a-f]{8}", row["id"])}

    def depends(tag, kind):
        if tag in codes:
            # What must be there at all is emptied where the table removes it.
            return codes[tag] == "Z" or "/" in codes[tag] or (codes[tag] == "X" and kind[0] == "2")
        if tag in TEXTS:
            return False
        return tag in ISSUERS or tag >> 16 in SUSPECT_GROUPS or dictionary_VR(tag) in SUSPECT_VRS

    def needed(path, kind):
        # What a dummy item of a sequence must have; structured content and graphics are never replaced by one.
        dummy = any("D" in codes.get(tag, "") and tag not in (0x0040A730, 0x00700001) for tag in path[:-1])
        return depends(path[-1], kind) or (dummy and kind in ("1", "2"))

    modules = {}
    for module, attributes in data["module_attribute_map"].items():
        found = set()
        for attribute in attributes:
            path = [tag_for_keyword(k) for k in [*attribute["path"], attribute["keyword"]]]
            # Type 3 is what is not said. Overlays and curves repeat and go whole.
            if attribute["type"] in ("1", "1C", "2", "2C") and None not in path and needed(path, attribute["type"]):
                found.add(("/".join(f"{tag:08X}" for tag in path), attribute["type"][0]))
        modules[module] = sorted(found)
    used = set()
    yield "# Attributes whose type decides what happens to them (PS3.3); what is not listed is type 3."
    yield "# class: UID, IOD; iod: name, modules; else: module, attribute (with its sequences), type."
    for uid, iod in sorted(data["sop_class_iod_map"].items()):
        yield f"class\t{uid}\t{iod}"
    for iod in sorted(set(data["sop_class_iod_map"].values())):
        names = sorted({m["key"] for m in data["iod_module_map"][iod] if modules.get(m["key"])})
        used.update(names)
        yield f"iod\t{iod}\t{' '.join(names)}"
    for module in sorted(used):
        for path, kind in modules[module]:
            yield f"{module}\t{path}\t{kind}"


def words():
    """Words of the standard's own concept names and body regions, which say nothing about a person."""
    found = set()
    for scheme in concepts.values():
        for keyword in scheme:
            found.update(re.findall("[A-Z][a-z]{2,}", keyword))
    for region in standard("anatomic_regions").values():
        found.update(re.findall("[A-Za-z]{3,}", region[2]))
    yield "# Words that may stay in cleaned descriptions."
    yield from sorted({word.lower() for word in found})


def codes():
    """The facts about an image that may be public: its modality and its body part."""
    yield "# Modalities (PS3.3 C.7.3.1.1.1), then body parts (PS3.16 Annex L)."
    yield "\t".join(MODALITIES.split())
    yield "\t".join(sorted(standard("anatomic_regions")))


def main():
    source, items, target = map(Path, sys.argv[1:])
    rows = json.loads(source.read_text())
    items = json.loads(items.read_text())["content_items"]
    tables = {
        target / "profile.tsv": profile(rows),
        target / "types.tsv": types(rows),
        target / "content.tsv": content(items),
        Path(__file__).parent / "words.txt": words(),
        Path(__file__).parent / "codes.tsv": codes(),
    }
    for path, lines in tables.items():
        path.write_text("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    main()
