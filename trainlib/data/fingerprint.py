"""Fingerprints of data files, by which a change of a file is seen a year later."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from trainlib.data.splits import Case
from trainlib.system.files import write_table

TABLE = "data.csv"
"""Name of the table in the snapshot of a run."""
CHANGED = "changed after the run was started"
"""The note on a file that a resumed run finds to be another than before."""
_BLOCK = 2**20


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of a file.

    Attributes:
        path: The file, relative to `data.root` where it lies below.
        bytes: Its size.
        modified: When it was changed last, in nanoseconds since 1970.
        sha256: SHA-256 of its content as ``sha256sum`` prints it; empty where it could not be read.
        note: Why it could not be read, or what else there is to know; empty as a rule.
    """

    path: str
    bytes: int
    modified: int
    sha256: str
    note: str = ""

    def looks_like(self, file: Path) -> bool:
        """Tell, without reading it, whether a file is the one that was hashed; False where it is gone."""
        try:
            stat = file.stat()
        except OSError:
            return False
        return bool(self.sha256) and (stat.st_size, stat.st_mtime_ns) == (self.bytes, self.modified)


def fingerprint(file: Path, name: str, stopped: Callable[[], bool] = lambda: False) -> Fingerprint | None:
    """Read a file and hash it; other threads go on meanwhile.

    Args:
        file: The file.
        name: What it is called in the table.
        stopped: Asked after each MiB whether to give up.

    Returns:
        Its fingerprint, with a note where it cannot be read; None where it was given up.
    """
    digest = hashlib.sha256()
    try:
        with open(file, "rb", buffering=0) as stream:
            stat = os.fstat(stream.fileno())
            block = memoryview(bytearray(max(1, min(stat.st_size, _BLOCK))))  # of a small file little is cleared
            while count := stream.readinto(block):
                digest.update(block[:count])
                if stopped():
                    return None
    except OSError as error:
        return Fingerprint(name, 0, 0, "", f"cannot be read: {error.strerror or error}")
    return Fingerprint(name, stat.st_size, stat.st_mtime_ns, digest.hexdigest())


def data_files(splits: Mapping[str, Iterable[Case]], root: str) -> dict[str, Path]:
    """List the image and label files of cases, each once.

    Args:
        splits: Cases by split.
        root: The data root.

    Returns:
        Name in the table -> file, in the order of the cases.
    """
    files = [file for cases in splits.values() for case in cases for file in (*case.images, case.label) if file]
    folder = _folder(root)
    return {_below(str(file), folder): file for file in files}


def name_below(file: Path, root: str) -> str:
    """Name a file relative to the data root, so that it is found again where the data were moved as a whole."""
    return _below(str(file), _folder(root))


def _folder(root: str) -> str:
    """Write the data root as the paths of the files in it begin."""
    return os.path.join(os.path.abspath(os.path.expanduser(root)), "")


def _below(path: str, folder: str) -> str:
    return path[len(folder) :].replace(os.sep, "/") if path.startswith(folder) else path


def read_fingerprints(path: Path) -> dict[str, Fingerprint]:
    """Read a table of fingerprints; an absent, damaged or other file has none."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [
                Fingerprint(row["path"], int(row["bytes"]), int(row["modified"]), row["sha256"], row["note"])
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return {}
    return {row.path: row for row in rows}


def write_fingerprints(path: Path, rows: Iterable[Fingerprint]) -> None:
    """Write a table of fingerprints, complete or not at all."""
    texts = ({name: str(value) for name, value in asdict(row).items()} for row in rows)
    write_table(path, texts, [field.name for field in fields(Fingerprint)])
