"""Mistakes that were found before the processes of a run have met: the first process tells them for all."""

from __future__ import annotations

import time
from collections.abc import Sequence

from trainlib.errors import InputError, Problem, ProcessError
from trainlib.processes.failure import Failure, Failures
from trainlib.processes.place import Place
from trainlib.processes.store import START, connect

_PATIENCE = 30.0
"""Seconds in which the first process has come as far as this one, which found mistakes."""


def only_here(place: Place, problems: Sequence[Problem], patience: float = _PATIENCE) -> bool:
    """Tell whether mistakes were found in this process and not in the first one, and if so, end the run of all.

    It may be that a file is missing on one machine alone. Where the first process has found mistakes too, it has told
    them, and most likely this one is ended while it waits.

    Args:
        place: The place of this process, which is not the first.
        problems: The mistakes.
        patience: Seconds to wait for the first process.
    """
    deadline = time.monotonic() + patience
    try:
        store = connect(place, hold=False, patience=patience)
        while not store.check([START]):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return Failures(store, place.rank).announce(Failure.of(InputError(problems), place.rank)).rank == place.rank
    except (RuntimeError, ProcessError):
        return False
