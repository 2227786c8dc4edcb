#!/usr/bin/env python3
"""Measures all speeds again and writes every figure of them in docs/measurements.

    target/ci-python/bin/python client/benches/refresh.py --pcim target/release/pcim

Wants optimised builds of pcim and pcim-dev on a quiet machine, 13 GB of disk, and what compare.py wants. It runs
`pcim-dev bench --full --json` (the pcim-dev beside pcim, or --dev), which goes into figures/latest.json and the table in speed.md,
and then compare.py, which writes compare.{csv,svg,md}. `--only bench` or `--only compare` does one of the two, `--no-large` leaves
out the image of 4 GiB; other options go to compare.py.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FIGURES = HERE.parents[1] / "docs" / "measurements"
BEGIN, END = "<!-- figures: written by refresh.py -->", "<!-- end of figures -->"
AIMS = {"seal_store_100mb": "≥ 350", "open_local_100mb": "≥ 600", "fetch_open_100mb": "≥ 150", "approve_1mb": "≤ 50",
        "approve_1mb_new_blocks": "≤ 2,048", "approve_4gib": "≤ 50", "approve_4gib_new_blocks": "≤ 2,048",
        "rss_4gib": "≤ 256"}


def short(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def section(report, load):
    """The figures as Markdown."""

    limits, results = report["limits"], {row["name"]: row for row in report["results"]}
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    quiet = "The machine was quiet." if load < 1 else f"The machine was not quiet: its load was {load:.1f} when the run began."
    rows = [f"| {name} | {short(speed)} MB/s | | |" for name, speed in [
        ("SHA-256, one core", limits["sha256"]), ("AES-256-OCB, one core", limits["aes_256_ocb"]),
        ("write + fsync", limits["write_fsync"]), ("memcpy, one core", limits["memcpy"])]]
    rows += [f"| `{name}` | {short(row['median'])} {row['unit']} | {AIMS.get(name, '')} | "
             f"{' '.join(short(run) for run in row['runs'])} |" for name, row in results.items()]
    lines = [f"An optimised build, {os.cpu_count()} cores of {model}. {quiet}", "",
             "| | median | aim | runs |", "|---|---:|---:|---|", *rows]
    if "store_1142" in results:
        each = [results[f"{study}_1142"]["median"] / (100 / results[one]["median"])
                for study, one in [("store", "seal_store_100mb"), ("fetch", "fetch_open_100mb")]]
        lines += ["", f"A study as one image takes {each[0]:.1f} times as long to store as one file of its size, and {each[1]:.1f} "
                  "times as long to fetch (the aim: twice)."]
    return "\n".join(lines)


def bench(options):
    load = os.getloadavg()[0]
    what = ["--study"] if options.no_large else ["--full"]
    where = ["--dir", options.dir] if options.dir else []
    program = options.dev or pathlib.Path(options.pcim).with_name("pcim-dev")
    done = subprocess.run([program, "--json", "bench", *what, *where], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit("pcim-dev bench failed")
    report = json.loads(done.stdout)
    (FIGURES / "figures" / "latest.json").write_text(json.dumps(report, indent=2) + "\n")
    page = FIGURES / "speed.md"
    text = page.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"{page}: no place for the figures")
    figures = f"{BEGIN}\n{section(report, load)}\n{END}"
    page.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: figures, text, flags=re.S))
    print(section(report, load))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pcim", default="target/release/pcim")
    arguments.add_argument("--dev", help="pcim-dev, if it is not beside pcim")
    arguments.add_argument("--only", choices=["bench", "compare"])
    arguments.add_argument("--no-large", action="store_true")
    arguments.add_argument("--dir", help="the disk to measure on")
    options, others = arguments.parse_known_args()
    if options.only != "compare":
        bench(options)
    if options.only != "bench":
        where = ["--dir", options.dir] if options.dir else []
        compare = [sys.executable, HERE / "compare.py", "--pcim", options.pcim, *where, *others]
        sys.exit(subprocess.run(compare).returncode)


if __name__ == "__main__":
    main()
