#!/usr/bin/env python3
"""Plants what identifies in DICOM files, has programs de-identify them, and scores what became of each item.

benchmark.py [--seed N] [--patients N] [TOOL…]: `pcim` by itself, or others beside it (their packages must be installed; see
README.md). Exits with 1 if pcim's score is less than 99.95 %.
"""

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

import pydicom

from plant import plant
from score import score
from tools import TOOLS

LEAST = 99.95


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patients", type=int, default=6)
    parser.add_argument("--keep", help="a folder for the files")
    parser.add_argument("tools", nargs="*", default=["pcim"], choices=list(TOOLS))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
    with tempfile.TemporaryDirectory() as own:
        root = Path(arguments.keep or own)
        (root / "before").mkdir(parents=True)
        planted = plant(arguments.seed, root / "before", arguments.patients)
        kinds = sorted({item.kind for item in planted.items})
        print(f"{len(planted.items)} items in {len(planted.paths)} files, seed {arguments.seed}")
        if len(planted.items) < 3000:
            raise SystemExit("fewer than 3,000 items were planted")
        table, failed = {}, False
        for tool in arguments.tools:
            out = root / tool
            out.mkdir()
            counts, wrong = score(planted, TOOLS[tool](planted, out))
            table[tool] = counts
            good, every = (sum(count[n] for count in counts.values()) for n in (0, 1))
            print(f"{tool}: {good} of {every}, {100 * good / every:.3f} %")
            if tool == "pcim":
                failed = 100 * good / every < LEAST
                for item in wrong[:40]:
                    print("  wrong:", item.kind, planted.paths[item.file].name, item.where, item.value)
        print("\n| class | items |" + "".join(f" {tool} |" for tool in table) + "\n|---|---|" + "---|" * len(table))
        for kind in kinds:
            every = next(iter(table.values()))[kind][1]
            shares = (f" {100 * counts[kind][0] / every:.2f} |" for counts in table.values())
            print(f"| {kind} | {every} |" + "".join(shares))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
