"""Values that the processes of a run hand each other, through their store.

The threads of gloo, which could carry them too, may be inside Python when a data worker is forked, which then never
starts.
"""

from __future__ import annotations

import itertools
import pickle
import time
from typing import Any

from trainlib.processes.failure import Failures


class Exchange:
    """Takes a value of each process, time after time.

    Args:
        store: A store of torch that all of them reach.
        failures: Where another process tells its failure.
        rank: Number of this process.
        size: Number of processes.
    """

    def __init__(self, store: Any, failures: Failures, rank: int, size: int) -> None:
        self._store = store
        self._failures = failures
        self._rank = rank
        self._size = size
        self._times = itertools.count()

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in the order of their numbers; all must call it.

        Raises:
            BaseException: The error of a process that failed meanwhile.
        """
        time_ = next(self._times)
        self._forget(time_ - 2)
        self._store.set(_key(time_, self._rank), pickle.dumps(value))
        keys = [_key(time_, rank) for rank in range(self._size)]
        self._wait(keys)
        return [value if rank == self._rank else pickle.loads(self._store.get(key)) for rank, key in enumerate(keys)]

    def _wait(self, keys: list[str]) -> None:
        """Wait until all keys are there; a signal or the failure of another process ends the wait."""
        began = time.monotonic()
        while not self._store.check(keys):
            if (failure := self._failures.first()) is not None:
                raise failure.error()
            time.sleep(0.001 if time.monotonic() - began < 1 else 0.02)

    def _forget(self, time_: int) -> None:
        """Delete a value of this process: who has answered the time after it has read it."""
        if time_ >= 0:
            self._store.delete_key(_key(time_, self._rank))


def _key(time_: int, rank: int) -> str:
    return f"exchange/{time_}/{rank}"
