"""The store of the processes of a run: where they find each other, and what they know before they are connected."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from trainlib.errors import ProcessError
from trainlib.processes.failure import Failures
from trainlib.processes.place import Place

START_LIMIT = 600.0
"""Seconds in which all processes must have started."""
_LEAVING = 10.0


def connect(place: Place, *, hold: bool = True, patience: float = START_LIMIT) -> Any:
    """Connect to the store, which the first process holds unless somebody else does.

    Args:
        place: The place of this process.
        hold: Whether to hold the store where that is the part of this process.
        patience: Seconds to wait for whoever holds it.

    Raises:
        ProcessError: Nobody holds it.
    """
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

    try:
        store = TCPStore(
            place.address,
            place.port,
            is_master=hold and holds(place),
            wait_for_workers=False,
            timeout=timedelta(seconds=patience),
        )
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise ProcessError(
            f"Process {place.rank} does not reach the first one at {place.address}:{place.port} (MASTER_ADDR, "
            f"MASTER_PORT): {reason}"
        ) from error
    # Of processes that torchrun has started again, those of the first attempt must not be heard.
    return PrefixStore(f"trainlib/{place.attempt}", store)


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
            raise failure.error(elsewhere=True)
        waited = time.monotonic() - began
        if limit is not None and waited > limit:
            raise ProcessError(f"Only {count} of {size} processes have started within {limit / 60:.0f} minutes.")
        time.sleep(0.02 if waited < 2 else 0.2)
        count = store.add(name, 0)


def leave(store: Any, place: Place) -> None:
    """Leave the store; the first process goes last, for with it the store ends, and others may still ask it."""
    if place.rank:
        store.add("left", 1)
        return
    deadline = time.monotonic() + _LEAVING
    while store.add("left", 0) < place.size - 1 and time.monotonic() < deadline:
        time.sleep(0.02)
