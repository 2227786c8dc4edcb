"""Lists the files that come with pydicom and pydicom-data."""

from pathlib import Path

import pydicom


def files():
    # The files that are installed; pydicom's own listing would fetch others.
    folders = [Path(pydicom.__file__).parent / "data"]
    try:
        import data_store

        folders.append(Path(data_store.__file__).parent / "data")
    except ImportError:
        pass
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.is_file() and path.suffix not in (".py", ".pyc", ".json", ".txt", ".md"):
            print(path)
