"""Files that are either complete or absent."""

from __future__ import annotations

import csv
import io
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from trainlib.system.diskspace import TEMPORARY, room_for

log = logging.getLogger(__name__)

_READING = threading.Lock()


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path` that becomes `path` when the block ends without an error.

    The content is on the disk before the name is, so that not even a loss of power leaves half a file.
    The temporary name keeps the suffixes of `path`, because some writers choose the format by them.

    Args:
        path: The file to write; its folder is made where it is missing.

    Yields:
        The name to write to.

    Raises:
        DiskFullError: There is no room for the file; what was at `path` is as it was.
    """
    with room_for(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY, suffix=f"-{path.name}")
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


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`, which must not exist, that becomes `path` when the block ends.

    Args:
        path: The folder to write.

    Yields:
        The folder to write into.

    Raises:
        DiskFullError: There is no room for it.
    """
    with room_for(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=TEMPORARY, suffix=f"-{path.name}"))
        try:
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


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


def read_rows(path: Path, usable: Callable[[Mapping[str, str]], bool]) -> list[dict[str, str]]:
    """Read a table that `write_table` has written, without lines that were torn since then.

    Nothing of trainlib tears them; a disk that lost power may, or a copy that was cut off.

    Args:
        path: The table; one that is missing has no rows.
        usable: Tells of a row that has a text in every column whether it can be used.
    """
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    rows = [row for row in found if None not in row and None not in row.values() and usable(row)]
    if rows and rows[-1] is found[-1] and not text.endswith("\n"):
        rows.pop()
    if torn := len(found) - len(rows):
        log.warning("%s: %s torn and left out.", path, "1 line is" if torn == 1 else f"{torn} lines are")
    return rows


def remove_leftovers(folder: Path, older_than: float = 0.0) -> None:
    """Remove the temporary files and folders that a killed process left below `folder`.

    Args:
        folder: A folder.
        older_than: Seconds for which nothing was written to them, where others write below it as well.
    """
    for leftover in list(folder.rglob(f"{TEMPORARY}*")):
        if older_than and not _is_old(leftover, older_than):
            continue
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _is_old(path: Path, seconds: float) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > seconds
    except OSError:  # it has got its name by now
        return False


def _umask() -> int:
    """Read the process's umask, which can only be read by setting it: one thread at a time."""
    with _READING:
        mask = os.umask(0)
        os.umask(mask)
    return mask
