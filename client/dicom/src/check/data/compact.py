#!/usr/bin/env python3
"""Makes the check's tables: compact.py TABLE_E_1_1.json TABLE_E_3_4_1.json SAFE_PRIVATE.tsv

The first two are PS3.15 Tables E.1-1 and E.3.4-1 as data, the third is the list of §E.3.10 (creator, group, elements).
A line of table.tsv: tag or pattern, code of the Basic Profile, then for each option its last two digits and its code.
A line of concepts.tsv: coding scheme, code value, then the same.
"""

import json
import sys
from pathlib import Path

COLUMNS = {
    "cleanGraphOpt": "03",
    "cleanStructContOpt": "04",
    "cleanDescOpt": "05",
    "rtnLongFullDatesOpt": "06",
    "rtnLongModifDatesOpt": "07",
    "rtnPatCharsOpt": "08",
    "rtnDevIdOpt": "09",
    "rtnUIDsOpt": "10",
    "rtnSafePrivOpt": "11",
    "rtnInstIdOpt": "12",
}
CONCEPT_COLUMNS = {
    "clean_graphics": "03",
    "clean_structured_content": "04",
    "clean_descriptors": "05",
    "retain_longitudinal_full_dates": "06",
    "retain_longitudinal_modified_dates": "07",
    "retain_patient_characteristics": "08",
    "retain_device_identity": "09",
    "retain_uids": "10",
    "retain_safe_private": "11",
    "retain_institution_identity": "12",
}


def options(row, columns):
    unknown = {key for key in row if key not in columns}
    return [f"{code}{row[key]}" for key, code in columns.items() if row.get(key)], unknown


def main():
    attributes, concepts, private = map(Path, sys.argv[1:])
    target = Path(__file__).parent
    lines = []
    for row in json.loads(attributes.read_text()):
        codes, unknown = options(row, COLUMNS)
        assert unknown <= {"name", "tag", "stdCompIOD", "basicProfile", "id"}, unknown
        tag = row["tag"].strip("()").replace(",", "").upper()
        # The one row whose tag is words: every private attribute.
        tag = tag if len(tag) == 8 else "PRIVATE"
        lines.append(" ".join([tag, row["basicProfile"], *codes]))
    (target / "table.tsv").write_text("\n".join(sorted(lines)) + "\n")
    lines = []
    for row in json.loads(concepts.read_text())["content_items"]:
        codes, unknown = options(row["options"], CONCEPT_COLUMNS)
        assert not unknown, unknown
        lines.append("\t".join([row["scheme"], row["code"], " ".join([row["basic"], *codes])]))
    (target / "concepts.tsv").write_text("\n".join(sorted(set(lines))) + "\n")
    rows = [line.split("\t") for line in private.read_text().splitlines() if not line.startswith("#")]
    lines = ["\t".join([group, elements, creator]) for creator, group, elements in rows]
    (target / "private.tsv").write_text("\n".join(sorted(lines)) + "\n")


if __name__ == "__main__":
    main()
