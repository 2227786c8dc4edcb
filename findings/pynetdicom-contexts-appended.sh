#!/usr/bin/env bash
# pynetdicom adds presentation contexts that are assigned to those that were there.
#
# Software: pynetdicom 3.0.4, from PyPI.
# Steps:    an application entity's requested_contexts is set to a list of one class, then to a list of another; the same with
#           supported_contexts.
# Expected: the second list: the documentation calls the property "a list", which one can "get or set".
# Seen:     both classes: what was assigned first is proposed as well, so that a second list of 128 classes raises a ValueError
#           ("more than 128"). An assignment of an empty list does replace.
# Here:     client/gateway/src/dimse/peer.py, which proposes the storage classes in groups, assigns an empty list before each.
#
# Exits 0 while the behaviour is there, and 1 when it is gone. Wants python3 with venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check pynetdicom==3.0.4 pydicom==3.0.1
"$work/venv/bin/python" - <<'EOF'
import sys

import pynetdicom
from pynetdicom import AE, build_context

ECHO, CT = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2"
print("pynetdicom", pynetdicom.__version__)
gone = False
for name in ("requested_contexts", "supported_contexts"):
    entity = AE()
    for uid in (ECHO, CT):
        setattr(entity, name, [build_context(uid)])
    seen = [str(context.abstract_syntax) for context in getattr(entity, name)]
    print(name, seen)
    gone |= seen != [ECHO, CT]
    setattr(entity, name, [])
    gone |= bool(getattr(entity, name))
if gone:
    sys.exit("an assignment replaces what was there: the finding is gone")
EOF
