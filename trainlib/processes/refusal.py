"""Mistakes that were found before the processes of a run have met: the first process tells them for all."""

from __future__ import annotations

import time
from collections.abc import Sequence

from trainlib.errors import InputError, Problem, ProcessError
from trainlib.processes.failure import Failure, Failures
from trainlib.processes.place import Place
from trainlib.processes.store import START, connect, heard, holds, wait_until_heard

_PATIENCE = 60.0
"""Seconds in which all processes come as far as the one that found mistakes; they start together."""


def only_here(place: Place, problems: Sequence[Problem], patience: float = _PATIENCE) -> bool:
    """End the run of all where mistakes were found in this process; tell whether it, not the first, is to tell them.

    It may be that a file is missing on one machine alone. The first process has told what it found; the others, which
    may have found nothing, end as soon as they hear of it.

    Args:
        place: The place of this process.
        problems: The mistakes.
        patience: Seconds to wait for the other processes.
    """
    deadline = time.monotonic() + patience
    try:
        store = connect(place, patience=patience)
        failures = Failures(store, place.rank)
        while place.rank and not store.check([START]) and failures.first() is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        first = failures.announce(Failure.of(InputError(problems), place.rank)).rank
        if holds(place):
            wait_until_heard(store, place, deadline)
        elif first != place.rank:
            heard(store)
        return 0 < first == place.rank
    except (RuntimeError, ProcessError):
        return False
