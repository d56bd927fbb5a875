"""The store of the processes of a run: where they find each other, and what they know before they are connected."""

from __future__ import annotations

import socket
import time
from datetime import timedelta
from typing import Any

from trainlib.errors import ProcessError
from trainlib.processes.failure import Failures
from trainlib.processes.place import Place

START_LIMIT = 600.0
"""Seconds in which all processes must have started."""
START = "start"
"""Name of the meeting at the start."""
_LEAVING = 10.0
_held: dict[tuple[str, int], Any] = {}
"""Stores that this process holds, to its end: another run of the same processes meets in them again."""


def name_of(attempt: int, run: int) -> str:
    """Name the part of a store that one run has to itself."""
    return f"trainlib/{attempt}/{run}"


def connect(place: Place, run: int = 0, *, hold: bool = True, patience: float = START_LIMIT) -> Any:
    """Connect to the store, which the first process holds unless somebody else does.

    Args:
        place: The place of this process.
        run: How many runs these processes have done before.
        hold: Whether to hold the store where that is the part of this process.
        patience: Seconds to wait for whoever holds it.

    Raises:
        ProcessError: Nobody holds it.
    """
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

    master, where = hold and holds(place), (place.address, place.port)
    try:
        if not master:
            _wait_for_answer(*where, patience)
        limit = timedelta(seconds=patience)
        store = _held.get(where) if master else None
        store = store or TCPStore(*where, is_master=master, wait_for_workers=False, timeout=limit)
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        what = "cannot listen" if master else "does not reach the first one"
        raise ProcessError(
            f"Process {place.rank} {what} at {place.address}:{place.port} (MASTER_ADDR, MASTER_PORT): {reason}."
        ) from error
    if master:
        _held[where] = store
    return PrefixStore(name_of(place.attempt, run), store)


def _wait_for_answer(address: str, port: int, patience: float) -> None:
    """Wait until somebody listens at an address; torch itself would print all its tries, and heed no signal."""
    deadline = time.monotonic() + patience
    while True:
        try:
            with socket.create_connection((address, port), timeout=max(1.0, deadline - time.monotonic())):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def holds(place: Place) -> bool:
    """Tell whether a process holds the store."""
    return place.rank == 0 and not place.hosted


def wait_for_all(store: Any, failures: Failures, name: str, size: int, limit: float | None = None) -> None:
    """Count this process as arrived, and wait for the others; a signal or the failure of another ends the wait.

    Args:
        store: The store.
        failures: Where another process tells its failure.
        name: Name of the meeting, which takes place once.
        size: Number of processes.
        limit: Seconds to wait; None waits as long as it takes.

    Raises:
        BaseException: The error of a process that failed meanwhile.
        ProcessError: The time is over.
    """
    began = time.monotonic()
    count = store.add(name, 1)
    while count < size:
        if (failure := failures.first()) is not None:
            heard(store)
            raise failure.error()
        waited = time.monotonic() - began
        if limit is not None and waited > limit:
            raise ProcessError(f"Only {count} of {size} processes have started within {limit / 60:.0f} minutes.")
        time.sleep(0.02 if waited < 2 else 0.2)
        count = store.add(name, 0)


def heard(store: Any) -> None:
    """Say that this process has learnt why the run ends, so that whoever holds the store may end too."""
    store.add("heard", 1)


def wait_until_heard(store: Any, place: Place, deadline: float) -> None:
    """Keep the store until all others have learnt why the run ends, or a time is over."""
    while store.add("heard", 0) < place.size - 1 and time.monotonic() < deadline:
        time.sleep(0.1)


def leave(store: Any, place: Place) -> None:
    """Leave the store; the first process goes last, for with it the store ends, and others may still ask it."""
    if place.rank:
        store.add("left", 1)
        return
    deadline = time.monotonic() + _LEAVING
    while store.add("left", 0) < place.size - 1 and time.monotonic() < deadline:
        time.sleep(0.02)
