"""Choose the settings of the next trial, with Optuna; what earlier trials came to is taken from their records."""

from __future__ import annotations

import logging
import math
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from ray.tune.search import Searcher

from trainlib.folders.search import Trial
from trainlib.tune.space import Space

Begin = Callable[[Trial], None]
PARAMETERS = "parameters"
"""Key of what Ray hands to a trial."""


class Proposer:
    """Draws settings; the same number always gets the same ones after the same results.

    Args:
        space: The search space.
        method: ``optuna`` learns from the results (tree-structured Parzen estimator), ``random`` does not.
        mode: ``min`` or ``max``, whichever is better.
        seed: Every draw follows from it and the number of the trial.
        trials: Number of trials of the whole search, a part of which is drawn before anything is learnt.
    """

    def __init__(self, space: Space, method: str, mode: str, seed: int, trials: int) -> None:
        self._space = space
        self._method = method
        self._seed = seed
        self._startup = max(4, min(10, trials // 3))
        self._distributions = space.distributions()
        with _quiet():
            self._study = optuna.create_study(direction="maximize" if mode == "max" else "minimize")

    def learn(self, trial: Trial, value: float) -> None:
        """Take over the result of an earlier trial; one that is not finite tells nothing but that it failed."""
        failed = not math.isfinite(value)
        state = optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE
        known = optuna.trial.create_trial(
            state=state,
            value=None if failed else value,
            params=self._space.encode(trial.parameters),
            distributions=self._distributions,
        )
        with _quiet():
            self._study.add_trial(known)

    def draw(self, number: int) -> dict[str, Any]:
        """Draw the settings of a trial; what it comes to is learnt later, as of trials before an interruption."""
        with _quiet():
            self._study.sampler = self._sampler(number)
            asked = self._study.ask(self._distributions)
            self._study.tell(asked, state=optuna.trial.TrialState.FAIL)
            return self._space.decode(asked.params)

    def _sampler(self, number: int) -> Any:
        seed = (self._seed * 100_003 + number) % 2**32
        if self._method == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=self._startup)


class RecordedSearch(Searcher):
    """What Ray asks for new trials: first those that were cut off, then new ones, each noted before it begins.

    Args:
        proposer: Draws the settings.
        waiting: Trials that were begun and not ended.
        first: Number of the first new trial.
        trials: Number of trials of the whole search.
        begin: Called with each trial before it begins.
        metric: Name of the reported value that decides.
        mode: ``min`` or ``max``.
    """

    def __init__(
        self,
        proposer: Proposer,
        waiting: Sequence[Trial],
        *,
        first: int,
        trials: int,
        begin: Begin,
        metric: str,
        mode: str,
    ) -> None:
        super().__init__(metric=metric, mode=mode)
        self._proposer = proposer
        self._waiting = deque(waiting)
        self._next = first
        self._total = trials
        self._begin = begin
        self.begun: dict[str, Trial] = {}

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict, **spec: Any) -> bool:
        """Keep what was set."""
        return True

    def suggest(self, trial_id: str) -> Any:
        """Return the settings of the next trial."""
        if trial_id not in self.begun:
            if self._waiting:
                trial = self._waiting.popleft()
            elif self._next < self._total:
                trial = Trial(self._next, self._proposer.draw(self._next))
                self._next += 1
            else:
                return Searcher.FINISHED
            self._begin(trial)
            self.begun[trial_id] = trial
        return {PARAMETERS: self.begun[trial_id].parameters}

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Learn from the result."""
        value = math.nan if error or not result else float(result.get(str(self._metric), math.nan))
        self._proposer.learn(self.begun[trial_id], value)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the records of the trials tell all."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Save nothing: the records of the trials tell all."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from telling what it does."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(level)
