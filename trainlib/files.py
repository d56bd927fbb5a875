"""Files that are either complete or absent."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_PREFIX = ".writing-"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path` that becomes `path` when the block ends without an error.

    The content is on the disk before the name is, so that not even a loss of power leaves half a file.
    The temporary name keeps the suffixes of `path`, because some writers choose the format by them.

    Args:
        path: The file to write; its folder is made where it is missing.

    Yields:
        The name to write to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_PREFIX, suffix=f"-{path.name}")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, complete or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_table(path: Path, rows: Iterable[Mapping[str, str]], columns: Iterable[str]) -> None:
    """Write rows as CSV, complete or not at all; a row that lacks a column gets an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that a killed process left below `folder`."""
    for leftover in folder.rglob(f"{_PREFIX}*"):
        leftover.unlink(missing_ok=True)


def _umask() -> int:
    """Read the process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
