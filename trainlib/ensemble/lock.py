"""Let one process at a time work on a member: a killed command may have left one that has not noticed yet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainlib.errors import ResourceError

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

PATIENCE = 30.0
"""Seconds within which processes of a killed command notice that it is gone."""


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold a lock for the block; it is free again when the process ends, however it does.

    Args:
        path: A file to lock; it stays empty.
        what: What is locked, for the message.

    Raises:
        ResourceError: Another process holds it and does not give it back.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        deadline = time.monotonic() + PATIENCE
        while not _taken(file.fileno()):
            if time.monotonic() > deadline:
                raise ResourceError(f"{what}: another process works on it. Wait until it has ended, or end it.")
            time.sleep(0.2)
        yield


def _taken(descriptor: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
