#!/usr/bin/env python3
"""Takes the tables of PS3.15 Annex E out of the standard's DocBook: docbook.py PART15.xml OUT_DIR

Writes OUT_DIR/table-e.1-1.json and OUT_DIR/table-e.3.4-1.json, of which generate.py makes the tables of an edition. Columns
are known by their headings, so that a column that is added or moves does no harm.
"""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ID = "{http://www.w3.org/XML/1998/namespace}id"
# Headings of Table E.1-1, without anything but letters, and the keys of a row.
COLUMNS = {
    "attributename": "name",
    "tag": "tag",
    "instdcompiodfromps": "stdCompIOD",
    "basicprof": "basicProfile",
    "rtnsafeprivopt": "rtnSafePrivOpt",
    "rtnuidsopt": "rtnUIDsOpt",
    "rtndevidopt": "rtnDevIdOpt",
    "rtninstidopt": "rtnInstIdOpt",
    "rtnpatcharsopt": "rtnPatCharsOpt",
    "rtnlongfulldatesopt": "rtnLongFullDatesOpt",
    "rtnlongmodifdatesopt": "rtnLongModifDatesOpt",
    "cleandescopt": "cleanDescOpt",
    "cleanstructcontopt": "cleanStructContOpt",
    "cleangraphopt": "cleanGraphOpt",
}
# The same options as Table E.3.4-1's rows name them.
OPTIONS = {
    "rtnSafePrivOpt": "retain_safe_private",
    "rtnUIDsOpt": "retain_uids",
    "rtnDevIdOpt": "retain_device_identity",
    "rtnInstIdOpt": "retain_institution_identity",
    "rtnPatCharsOpt": "retain_patient_characteristics",
    "rtnLongFullDatesOpt": "retain_longitudinal_full_dates",
    "rtnLongModifDatesOpt": "retain_longitudinal_modified_dates",
    "cleanDescOpt": "clean_descriptors",
    "cleanStructContOpt": "clean_structured_content",
    "cleanGraphOpt": "clean_graphics",
}
CONTENT = {"codevalue": "code", "codingschemedesignator": "scheme", "codemeaning": "meaning", "valuetype": "value_type"}


def local(element):
    return element.tag.rsplit("}", 1)[-1]


def cell(element):
    """The text of a cell, its white space made single; zero-width spaces are for breaking lines."""
    return re.sub(r"\s+", " ", "".join(element.itertext()).replace("\u200b", "")).strip()


def rows(root, table_id):
    """The table's rows as dictionaries from headings to texts."""
    table = next((it for it in root.iter() if it.get(ID) == table_id), None)
    if table is None:
        sys.exit(f"{table_id} is not in the document")
    lines = [it for it in table.iter() if local(it) == "tr"]
    texts = [[cell(it) for it in line if local(it) in ("td", "th")] for line in lines]
    heads = [re.sub("[^a-z]", "", text.lower()) for text in texts[0]]
    for line in texts[1:]:
        if len(line) != len(heads):
            sys.exit(f"{table_id}: a row of {len(line)} cells under {len(heads)} headings")
        yield dict(zip(heads, line))


def heading(known, head):
    """The key of a heading: by what it begins with."""
    return next((key for text, key in known.items() if head.startswith(text) or text.startswith(head)), None)


def attribute_id(tag):
    match = re.fullmatch(r"\(([0-9a-fx]{4}),([0-9a-fx]{4})\)", tag.lower())
    return "".join(match.groups()) if match else re.sub("[^a-z]+", "-", tag.lower()).strip("-")


def attributes(root):
    for row in rows(root, "table_E.1-1"):
        found = {key: text for head, text in row.items() if text and (key := heading(COLUMNS, head))}
        yield {**found, "id": attribute_id(found["tag"])}


def content_items(root):
    for row in rows(root, "table_E.3.4-1"):
        keys = {**CONTENT, **COLUMNS}
        found = {key: text for head, text in row.items() if text and (key := heading(keys, head))}
        options = {name: found[key] for key, name in OPTIONS.items() if key in found}
        item = {key: found[key] for key in ("code", "scheme", "meaning", "value_type")}
        yield {**item, "basic": found["basicProfile"], "options": options}


def main():
    source, target = map(Path, sys.argv[1:])
    root = ElementTree.parse(source).getroot()
    content = {"content_items": list(content_items(root))}
    (target / "table-e.1-1.json").write_text(json.dumps(list(attributes(root)), indent=1))
    (target / "table-e.3.4-1.json").write_text(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
