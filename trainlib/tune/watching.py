"""Note what becomes of the trials, as Ray tells it in the process of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray import cloudpickle
from ray.exceptions import RayTaskError
from ray.tune import Callback

from trainlib.folders.search import SearchFolder, Trial
from trainlib.tune.trial import TrialBusyError

_KILLED = (
    "Its process was ended from outside, most likely because memory ran out. Lower data.batch_size or "
    "data.num_workers, or give each trial more of the machine with tune.per_trial."
)


class Notes(Callback):
    """Writes the records of trials that were ended early, or whose process could not write its own.

    Args:
        folder: The folder of the search.
    """

    def __init__(self, folder: SearchFolder) -> None:
        self._folder = folder

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note that a trial that did not say it is finished was ended early."""
        if not self._noted(trial).ended:
            self._folder.change(number_of(trial), state="stopped")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note why a trial failed that could not say so itself; one that another process works on has not."""
        if not _is_busy(trial) and not self._noted(trial).ended:
            self._folder.change(number_of(trial), state="failed", error=_KILLED)

    def _noted(self, trial: Any) -> Trial:
        return self._folder.change(number_of(trial))


def _is_busy(trial: Any) -> bool:
    """Tell whether one of Ray's trials ended because another process works on it."""
    if trial.pickled_error_file is None:
        return False
    error = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())  # Ray has just written it on this machine
    return isinstance(error, RayTaskError) and isinstance(error.cause, TrialBusyError)


def number_of(trial: Any) -> int:
    """Return the number in the name of one of Ray's trials."""
    return int(str(trial).rpartition("_")[2])
