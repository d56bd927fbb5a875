"""End a process whose run has failed elsewhere, where nobody else does: torchrun and trainlib do, `srun` may not."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from trainlib.processes.failure import Failures
from trainlib.processes.place import Place
from trainlib.processes.store import connect, holds

log = logging.getLogger(__name__)

_PAUSE = 1.0
_GRACE = 10.0
"""Seconds in which a process may end by itself once another one has failed."""
_LINGER = 3 * _PAUSE


@contextmanager
def watched(place: Place, run: int, failures: Failures) -> Iterator[None]:
    """Look for the failure of another process from a thread, for the block.

    The main thread may be waiting for a process that is gone, in a call that no signal ends.

    Args:
        place: The place of this process.
        run: How many runs these processes have done before.
        failures: Where failures are told; one that is found is noted there, for the store may be gone soon.
    """
    if place.hosted:
        yield
        return
    over = threading.Event()
    # A connection of its own, for the main thread may be waiting in the other.
    theirs = Failures(connect(place, run, hold=False), place.rank)
    threading.Thread(target=_watch, args=(theirs, failures, over), name="watch", daemon=True).start()
    try:
        yield
    except BaseException:
        if holds(place):
            time.sleep(_LINGER)  # so that the others learn why
        raise
    finally:
        over.set()


def _watch(theirs: Failures, ours: Failures, over: threading.Event) -> None:
    status = 1
    while not over.wait(_PAUSE):
        try:
            failure = theirs.first()
        except RuntimeError:
            break
        if failure is not None:
            ours.known = failure
            status = failure.error().exit_status
            break
    if not over.wait(_GRACE):
        log.error("The run has failed in another process. This one cannot end in good order, and is stopped.")
        os._exit(status)
