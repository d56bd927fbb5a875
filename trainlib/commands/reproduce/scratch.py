"""The folder beside a repetition that holds its cache, and is gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from trainlib.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows deletes no folder that is in use
    fcntl = None  # type: ignore[assignment]

_PREFIX = ".reproducing-"
_LOCK = "in_use"


class Scratch(NamedTuple):
    """A temporary folder.

    Attributes:
        path: The folder.
        lock: Descriptor of the file that is locked as long as the folder is in use, for processes that use it too.
    """

    path: Path
    lock: int


@contextmanager
def scratch(place: Path) -> Iterator[Scratch]:
    """Make a temporary folder for the block, and delete those whose processes were killed.

    Args:
        place: The folder to make it in.

    Raises:
        ConfigError: Nothing can be written there.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(place)
        folder = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place, ignore_cleanup_errors=True)
    except OSError as error:
        raise ConfigError(f"--out: nothing can be written into {place} ({error.strerror}).") from None
    with folder as name, (Path(name) / _LOCK).open("wb") as lock:
        _take(lock)
        yield Scratch(Path(name), lock.fileno())


def _take(lock: IO[bytes]) -> bool:
    """Lock a file as long as it is open here, or in a process that got its descriptor; False where it is locked."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by another process, or not known to the file system
        return False
    return True


def _remove_abandoned(place: Path) -> None:
    for file in place.glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError), file.open("rb+") as lock:
            if _take(lock):
                shutil.rmtree(file.parent, ignore_errors=True)
