"""Which trials are ended early: Ray's schedulers, taught what trials reported before an interruption."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ray.tune.schedulers import (
    ASHAScheduler,
    FIFOScheduler,
    MedianStoppingRule,
    PopulationBasedTraining,
    TrialScheduler,
)

from trainlib.config.tune import TuneSection
from trainlib.folders.searches import Outcome, Report
from trainlib.tune.searcher import PARAMETERS
from trainlib.tune.space import Space

EPOCH, VALUE, BEST, OVER = "epoch", "value", "best", "over"
"""What a trial reports: finished epochs, the metric now, its best so far, and whether its training is over."""
_REDUCTION = 3  # of the trials that reach a rung of ASHA, every third goes on
_NEVER: Any = float("inf")
_SAMPLES = 3  # trials that the median is taken of at least


class _Known:
    """A trial that has ended, as far as a scheduler looks at it.

    Attributes:
        trial_id: What no other trial is called.
    """

    def __init__(self, name: str) -> None:
        self.trial_id = name

    def __str__(self) -> str:
        return self.trial_id


class _Remembering:
    """What a scheduler lacks that is made after an interruption: trials have reported before.

    What it decides of an earlier report is not carried out, for the trial went on after it or has ended.

    Attributes:
        earlier: Name of a trial -> what it reported before.
        last: Number of epochs of a trial that is not ended; when it has them it is not cut off.
    """

    earlier: Mapping[str, Sequence[Report]] = {}
    last: int

    def on_trial_add(self, controller: Any, trial: Any) -> None:
        """Take a trial up with what it reported."""
        super().on_trial_add(controller, trial)  # type: ignore[misc]
        for report in self.earlier.get(str(trial), ()):
            super().on_trial_result(controller, trial, asdict(report))  # type: ignore[misc]
            self._forget_end(trial)

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> Any:
        """Decide on a report; one that is known is that of an epoch that was cut off after it and done again."""
        earlier = self.earlier.get(str(trial), ())
        if earlier and result.get(EPOCH, 0) <= earlier[-1].epoch:
            return TrialScheduler.CONTINUE
        decision = super().on_trial_result(controller, trial, result)  # type: ignore[misc]
        return TrialScheduler.CONTINUE if result.get(EPOCH, 0) >= self.last else decision

    def _forget_end(self, trial: Any) -> None:
        """Forget that a trial was to be ended."""


class _Halving(_Remembering, ASHAScheduler):
    pass


class _Median(_Remembering, MedianStoppingRule):
    def _forget_end(self, trial: Any) -> None:
        self._stopped_trials.discard(trial)


class _Population(PopulationBasedTraining):
    """Copies trials only while there is something left to train.

    A trial that took over weights after their last epoch would end at once: it would be noted with settings that
    nothing was trained with. Neither does one that is over take over, nor are its last weights handed on.
    """

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Decide on a report; a trial that is over has only to end."""
        if result.get(OVER):
            return TrialScheduler.CONTINUE
        return super().on_trial_result(tune_controller, trial, result)


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
    ending: _Halving | _Median | None = None
    if tune.scheduler == "asha" and grace < epochs:
        ending = _Halving(
            time_attr=EPOCH,
            metric=BEST,
            mode=mode,
            max_t=epochs - 1,
            grace_period=grace,
            reduction_factor=_REDUCTION,
            stop_last_trials=False,
        )
    if tune.scheduler == "median" and grace < epochs:
        ending = _Median(
            time_attr=EPOCH,
            metric=BEST,
            mode=mode,
            grace_period=grace,
            min_samples_required=_SAMPLES,
            min_time_slice=_NEVER,  # no trial waits for others
        )
    if ending is not None:
        ending.last = epochs
        return ending
    if tune.scheduler == "pbt":
        source = random.Random(seed)

        def explore(config: dict[str, Any]) -> dict[str, Any]:
            return config | {PARAMETERS: space.mutated(config[PARAMETERS], source)}

        return _Population(
            time_attr=EPOCH,
            metric=VALUE,
            mode=mode,
            perturbation_interval=grace,
            custom_explore_fn=explore,
            log_config=False,
        )
    return FIFOScheduler()  # type: ignore[no-untyped-call]


def teach(scheduler: Any, found: Sequence[Outcome]) -> None:
    """Let a scheduler know what trials reported before it was made.

    Args:
        scheduler: The scheduler.
        found: What became of the trials; those that have not ended are taken up when they go on.
    """
    if not isinstance(scheduler, _Halving | _Median):
        return
    nobody: Any = None  # no controller, of which these schedulers ask nothing
    scheduler.earlier = {outcome.trial.name: outcome.reports for outcome in found}
    for outcome in found:
        if outcome.trial.ended and outcome.reports:
            known: Any = _Known(outcome.trial.name)
            scheduler.on_trial_add(nobody, known)
            if outcome.trial.state != "failed":  # of which Ray tells a scheduler nothing either
                scheduler.on_trial_complete(nobody, known, asdict(outcome.reports[-1]))
