"""Let one process at a time work on something, by a lock of the system that no death of a process leaves behind."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from trainlib.errors import ResourceError

PATIENCE = 30.0
"""Seconds within which processes of a killed command notice that it is gone."""
_MOMENT = 0.2  # seconds
# What is locked on Windows, where nobody else can read it: one byte behind all that is written.
_FAR = 2**30

_held: set[IO[bytes]] = set()


@contextmanager
def held(path: Path, what: str, patience: float | None = None) -> Iterator[None]:
    """Hold a lock for the block; it is free again when the process ends, however it does.

    Where the file system has no locks, or the file cannot be written, all goes on without one.

    Args:
        path: A file to lock; it says who holds it, and is not removed.
        what: What is locked, for the message.
        patience: Seconds to wait for it; `PATIENCE` where none are given.

    Raises:
        ResourceError: Another process holds it and does not give it back.
    """
    file = _opened(path)
    if file is None:
        yield
        return
    with file:
        deadline = time.monotonic() + (PATIENCE if patience is None else patience)
        while not _taken(file):
            if time.monotonic() > deadline:
                raise ResourceError(
                    f"{what}: another process works on it{_owner(path)}. Wait until it ends, or end it."
                )
            time.sleep(_MOMENT)
        _sign(file)
        _held.add(file)
        try:
            yield
        finally:
            _held.discard(file)


def is_held(path: Path) -> bool:
    """Tell whether any process, this one included, holds a lock at present."""
    if not path.is_file() or (file := _opened(path)) is None:
        return False
    with file:
        return not _taken(file)


def _opened(path: Path) -> IO[bytes] | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab+", buffering=0)
    except OSError:  # whatever is wrong there is told by those who have to write there
        return None


def _sign(file: IO[bytes]) -> None:
    """Write machine and number of this process, for whoever waits."""
    with suppress(OSError):  # of a disk that is full
        file.truncate(0)
        file.write(f"{socket.gethostname()} {os.getpid()}\n".encode())


def _owner(path: Path) -> str:
    with suppress(OSError, ValueError):
        host, number = path.read_text(encoding="utf-8").split()
        return f" (process {number} on {host})"
    return ""


def _let_go() -> None:
    """Close what a forked process, such as a worker, has got of the locks: it may outlive this one."""
    for file in _held:
        with suppress(OSError):
            file.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    def _taken(file: IO[bytes]) -> bool:
        """Try to take a lock."""
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True

else:

    def _taken(file: IO[bytes]) -> bool:
        """Try to take a lock."""
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
        return True
