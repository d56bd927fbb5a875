"""A disk that has no room left, put into words."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainlib.errors import DiskFullError

_QUOTA = getattr(errno, "EDQUOT", errno.ENOSPC)  # Windows has none
_FULL = (errno.ENOSPC, _QUOTA)
_LITTLE = 2**20

TEMPORARY = ".writing-"
"""Beginning of the names that files and folders have until they are complete."""


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Turn the lack of room on a disk into a sentence that names what was to be written, or what the system names.

    What the block was about to write must be gone when it ends, for the sentence tells how much is free.

    Args:
        path: A file, or the folder that the files are in.

    Raises:
        DiskFullError: The disk is full, or the user's share of it is used up.
    """
    try:
        yield
    except Exception as error:
        cause = _cause(error)
        if cause is None:
            raise
        raise (cause if isinstance(cause, DiskFullError) else DiskFullError(_sentence(cause, path))) from error


def explain_full_disk(error: BaseException) -> DiskFullError | None:
    """Put the lack of room on a disk into words where nobody knows what was to be written; None for other errors."""
    cause = _cause(error)
    return cause if cause is None or isinstance(cause, DiskFullError) else DiskFullError(_sentence(cause, None))


def is_full(error: BaseException) -> bool:
    """Tell whether an error comes from a disk that is full."""
    return _cause(error) is not None


@contextmanager
def quiet_writers() -> Iterator[None]:
    """Let threads that write in the background, such as TensorBoard's, end without a traceback when a disk is full.

    Whoever hands them something to write, or waits for them, is told.
    """
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is None or not is_full(args.exc_value):
            before(args)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def _cause(error: BaseException) -> DiskFullError | OSError | None:
    """Find what an error comes from: where a file has been named, that; else what the system said.

    Libraries wrap what the system says into errors of their own, and raise others while they clean up.
    """
    found: OSError | None = None
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, DiskFullError):
            return link
        if isinstance(link, OSError) and (link.errno in _FULL or _in_text(link)):
            found = link
        link = link.__cause__ or link.__context__
    return found


def _in_text(error: OSError) -> bool:
    """Look into what `shutil.copytree` raises: a list of texts."""
    return isinstance(error, shutil.Error) and any(os.strerror(number) in str(error) for number in _FULL)


def _sentence(error: OSError, path: Path | None) -> str:
    path = _named(error) or path
    if path is None:
        full = [folder for folder in _usual() if shutil.disk_usage(folder).free < _LITTLE]
        names = " and ".join(map(str, full)) or "a disk"
        return f"There is no room left on {names}. Free some space there."
    if error.errno == _QUOTA != errno.ENOSPC:
        return f"{path} cannot be written: your share of the disk (quota) is used up. Free some space there."
    folder = next((parent for parent in (path, *path.absolute().parents) if parent.is_dir()), Path("/"))
    usage = shutil.disk_usage(folder)
    return (
        f"{path} cannot be written: the disk is full ({_size(usage.free)} free of {_size(usage.total)}). "
        "Free some space there."
    )


def _named(error: OSError) -> Path | None:
    """Return the file that the system names, unless it is one that nobody knows by its name."""
    name = error.filename2 or error.filename
    path = Path(os.fsdecode(name)) if isinstance(name, str | bytes) else None
    return None if path is None or any(part.startswith(TEMPORARY) for part in path.parts) else path


def _usual() -> list[Path]:
    """List where a training writes without saying so: shared memory of workers, temporary files, the present folder."""
    places = (Path("/dev/shm"), Path(tempfile.gettempdir()), Path.cwd())
    return [place for place in dict.fromkeys(places) if place.is_dir()]


def _size(count: float) -> str:
    """Write a number of bytes: 512 bytes, 1.5 MB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
