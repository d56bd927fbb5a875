"""Which trials are ended early: Ray's schedulers, taught what earlier trials came to."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule, PopulationBasedTraining

from trainlib.config.tune import TuneSection
from trainlib.tune.searcher import PARAMETERS
from trainlib.tune.space import Space

EPOCH, VALUE, BEST = "epoch", "value", "best"
"""What a trial reports: finished epochs, the metric now, and its best so far."""
_REDUCTION = 3  # of the trials that reach a rung of ASHA, every third goes on
_NEVER: Any = float("inf")
_SAMPLES = 3  # trials that the median is taken of at least


class _Known:
    """An earlier trial, as far as a scheduler looks at it.

    Attributes:
        trial_id: What no other trial is called.
    """

    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id


def grace_of(tune: TuneSection, epochs: int) -> int:
    """Return the number of epochs before which no trial is ended."""
    return tune.grace or max(1, round(epochs / 10))


def make_scheduler(tune: TuneSection, mode: str, epochs: int, space: Space, seed: int) -> Any:
    """Make the scheduler.

    Args:
        tune: The section of the config.
        mode: ``min`` or ``max``, whichever is better.
        epochs: Epochs of a trial that is not ended.
        space: The search space, for copies of `pbt`.
        seed: Seed of the changes of copies.
    """
    grace = grace_of(tune, epochs)
    if tune.scheduler == "asha" and epochs > 1:
        # A trial that has reached its last epoch is not to be cut off before it has come to its end.
        return ASHAScheduler(
            time_attr=EPOCH,
            metric=BEST,
            mode=mode,
            max_t=max(grace, epochs - 1),
            grace_period=min(grace, max(1, epochs - 1)),
            reduction_factor=_REDUCTION,
            stop_last_trials=False,
        )
    if tune.scheduler == "median" and epochs > 1:
        return MedianStoppingRule(
            time_attr=EPOCH,
            metric=BEST,
            mode=mode,
            grace_period=grace,
            min_samples_required=_SAMPLES,
            min_time_slice=_NEVER,  # no trial waits for others
        )
    if tune.scheduler == "pbt":
        source = random.Random(seed)

        def explore(config: dict[str, Any]) -> dict[str, Any]:
            return config | {PARAMETERS: space.mutated(config[PARAMETERS], source)}

        return PopulationBasedTraining(
            time_attr=EPOCH,
            metric=VALUE,
            mode=mode,
            perturbation_interval=grace,
            custom_explore_fn=explore,
            log_config=False,
        )
    return FIFOScheduler()  # type: ignore[no-untyped-call]


def teach(scheduler: Any, histories: Mapping[int, Sequence[Mapping[str, float]]]) -> None:
    """Let a scheduler know what trials reported that ended before it was made.

    Args:
        scheduler: The scheduler.
        histories: Number of a trial -> its reports.
    """
    if not isinstance(scheduler, ASHAScheduler | MedianStoppingRule):
        return
    for number, reports in histories.items():
        if not reports:
            continue
        known: Any = _Known(f"known_{number}")
        nobody: Any = None  # no controller, of which these schedulers ask nothing
        scheduler.on_trial_add(nobody, known)
        for report in reports:
            scheduler.on_trial_result(nobody, known, dict(report))
        scheduler.on_trial_complete(nobody, known, dict(reports[-1]))
