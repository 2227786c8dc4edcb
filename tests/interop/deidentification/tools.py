"""Programs that de-identify: each takes the planted files and a folder, and gives back the file that it made of each."""

import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

from plant import REGION


def pcim(planted, out):
    """This program, for care; the files whose pixels show something with the region that hides it."""
    program = os.environ.get("PCIM", Path(__file__).parents[3] / "target/debug/pcim")
    (out / "key").write_bytes(bytes(32))
    (out / "key").chmod(0o600)
    results = [None] * len(planted.paths)
    region = ",".join(map(str, REGION))
    for group, options in (("plain", []), ("burned", ["--blank", region])):
        numbers = [number for number in range(len(planted.paths)) if planted.groups[number] == group]
        command = [program, "deid", *(planted.paths[number] for number in numbers), "--out", out / group, "--key-file", out / "key", "--json", *options]
        ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "HOME": str(out)})
        told = json.loads(ran.stdout)
        for number, one in zip(numbers, told):
            if one["refused"]:
                print("refused:", one["refused"])
            results[number] = Path(one["out"]) if one["out"] else None
        both = [program, "deid", "--check", *(planted.paths[number] for number in numbers), "--out", out / group, *options]
        checked = subprocess.run(both, capture_output=True, text=True, env={**os.environ, "HOME": str(out)})
        if checked.returncode:
            raise SystemExit(f"--check: {checked.stdout[-2000:]} {checked.stderr[-500:]}")
    return results


def folder_of(planted, out):
    for path in planted.paths:
        shutil.copy(path, out / path.name)
    return out


def dicognito(planted, out):
    from dicognito.anonymizer import Anonymizer
    import pydicom

    anonymizer, results = Anonymizer(seed="benchmark"), []
    for path in planted.paths:
        try:
            dataset = pydicom.dcmread(path)
            anonymizer.anonymize(dataset)
            dataset.save_as(out / path.name)
            results.append(out / path.name)
        except Exception as error:  # noqa: BLE001
            print("dicognito:", path.name, repr(error)[:100])
            results.append(None)
    return results


def deid(planted, out):
    """pydicom's deid with the recipe that it comes with."""
    from deid.config import DeidRecipe
    from deid.dicom import get_identifiers, replace_identifiers

    files = [str(path) for path in planted.paths]
    recipe = DeidRecipe()
    items = get_identifiers(files)
    for name in list(items):
        items[name].update({"id": "subject", "source_id": "image"})
    replace_identifiers(dicom_files=files, deid=recipe, ids=items, save=True, remove_private=True, overwrite=True, output_folder=str(out))
    return [out / path.name if (out / path.name).exists() else None for path in planted.paths]


def dicom_anonymizer(planted, out):
    from dicomanonymizer import anonymize_dicom_file

    results = []
    for path in planted.paths:
        try:
            anonymize_dicom_file(str(path), str(out / path.name))
            results.append(out / path.name)
        except Exception as error:  # noqa: BLE001
            print("dicom-anonymizer:", path.name, repr(error)[:100])
            results.append(None)
    return results


def orthanc(planted, out):
    """An Orthanc at ORTHANC (http://127.0.0.1:8042), empty: each study by its own anonymization."""
    root = os.environ.get("ORTHANC", "http://127.0.0.1:8042")

    def ask(path, data=None):
        with urllib.request.urlopen(urllib.request.Request(root + path, data=data)) as answer:
            return answer.read()

    places, studies = {}, []
    for number, path in enumerate(planted.paths):
        try:
            stored = json.loads(ask("/instances", path.read_bytes()))
        except OSError as error:
            print("orthanc:", path.name, error)
            continue
        places[stored["ID"]] = number
        if stored["ParentStudy"] not in studies:
            studies.append(stored["ParentStudy"])
    results = [None] * len(planted.paths)
    for study in studies:
        made = json.loads(ask(f"/studies/{study}/anonymize", b'{"DicomVersion": "2021b", "Force": true}'))
        for instance in json.loads(ask(f"/studies/{made['ID']}/instances")):
            origin = ask(f"/instances/{instance['ID']}/metadata/AnonymizedFrom").decode()
            number = places[origin]
            results[number] = out / planted.paths[number].name
            results[number].write_bytes(ask(f"/instances/{instance['ID']}/file"))
    return results


TOOLS = {"pcim": pcim, "dicognito": dicognito, "deid": deid, "dicom-anonymizer": dicom_anonymizer, "orthanc": orthanc}
