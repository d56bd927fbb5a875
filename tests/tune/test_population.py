"""A population copies trials that have something left to train, so that the settings noted are those trained with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune import CheckpointConfig

from tests.tune.helpers import RATE, make_search
from trainlib.config.tune import Distribution, TuneSection
from trainlib.folders.searches import Report
from trainlib.tune import trial as trials
from trainlib.tune.reporting import is_over
from trainlib.tune.schedulers import BEST, EPOCH, OVER, VALUE, make_scheduler
from trainlib.tune.searcher import PARAMETERS
from trainlib.tune.space import Space

SPACE = {RATE: Distribution(**{"loguniform": [1e-5, 10.0]})}
EPOCHS = 10


class Member:
    """One of Ray's trials, as far as its scheduler looks at it."""

    status = "RUNNING"
    experiment_tag = ""

    def __init__(self, name: str, rate: float) -> None:
        self.trial_id = name
        self.config: dict[str, Any] = {PARAMETERS: {RATE: rate}}
        manager = SimpleNamespace(checkpoint_config=CheckpointConfig(), _latest_checkpoint_result=None)
        self.run_metadata = SimpleNamespace(checkpoint_manager=manager)

    def is_finished(self) -> bool:
        """Tell that it is still there, as of one whose last report has only just come."""
        return False

    def set_experiment_tag(self, tag: str) -> None:
        """Take a name of which nothing depends."""

    def set_config(self, config: dict[str, Any]) -> None:
        """Take other settings."""
        self.config = config

    @property
    def taken(self) -> Any:
        """What it has taken over: the name of a trial and an epoch, None for nothing."""
        latest = self.run_metadata.checkpoint_manager._latest_checkpoint_result
        return None if latest is None else latest.checkpoint


class Population:
    """Two trials under the scheduler of a search, and what Ray would do at its word."""

    search_alg = None

    def __init__(self, grace: int = 2) -> None:
        section = TuneSection(space=SPACE, scheduler="pbt", grace=grace)
        self.scheduler = make_scheduler(section, "max", EPOCHS, Space(SPACE), 0)
        self.good, self.bad = Member("good", 0.1), Member("bad", 0.001)
        for member in self.get_trials():
            self.scheduler.on_trial_add(self, member)
        self.report(self.bad, grace)  # of a single one nothing can be told

    def get_trials(self) -> list[Member]:
        """List them."""
        return [self.good, self.bad]

    def pause_trial(self, trial: Member, should_checkpoint: bool) -> None:
        """Pause one that takes over; it goes on at once."""

    def _schedule_trial_save(self, trial: Member, result: dict[str, Any]) -> tuple[str, int]:
        return trial.trial_id, result[EPOCH]

    def report(self, trial: Member, epoch: int, *, over: bool | None = None) -> str:
        """Let one report after an epoch."""
        value = 0.9 if trial is self.good else 0.1
        ended = epoch == EPOCHS if over is None else over
        result = {EPOCH: epoch, VALUE: value, BEST: value, OVER: ended}
        return str(self.scheduler.on_trial_result(self, trial, result))


def test_the_worse_goes_on_from_the_better_with_other_settings() -> None:
    population = Population()
    population.report(population.good, 8)
    population.report(population.bad, 8)
    assert population.bad.taken == ("good", 8)
    assert population.bad.config[PARAMETERS][RATE] not in (0.1, 0.001)


@pytest.mark.parametrize(("epoch", "over"), [(EPOCHS, None), (8, True)], ids=["last epoch", "stopped early"])
def test_a_trial_that_is_over_takes_nothing_over(epoch: int, over: bool | None) -> None:
    population = Population()
    population.report(population.good, 8)
    assert population.report(population.bad, epoch, over=over) == "CONTINUE"
    assert population.bad.taken is None
    assert population.bad.config == {PARAMETERS: {RATE: 0.001}}


@pytest.mark.parametrize(("epoch", "over"), [(EPOCHS, None), (8, True)], ids=["last epoch", "stopped early"])
def test_weights_after_which_nothing_is_trained_are_not_handed_on(epoch: int, over: bool | None) -> None:
    population = Population()
    population.report(population.good, 6)
    population.report(population.good, epoch, over=over)
    population.report(population.bad, 8)
    assert population.bad.taken == ("good", 6)


def test_one_that_is_over_ends_without_waiting_for_others() -> None:
    population = Population()
    population.bad.status = "PAUSED"
    assert population.report(population.good, 8) == "PAUSE"
    assert population.report(population.good, EPOCHS) == "CONTINUE"


@pytest.mark.parametrize(
    ("state", "over"),
    [
        ({}, False),
        ({"current_epoch": 9}, True),
        ({"should_stop": True}, True),
        ({"should_stop": True, "min_epochs": 9, "min_steps": 20}, True),
        ({"should_stop": True, "min_epochs": 10}, False),
        ({"should_stop": True, "min_steps": 21}, False),
        ({"max_steps": 20}, True),
        ({"max_steps": 21}, False),
        ({"max_epochs": -1, "current_epoch": 99}, False),
    ],
)
def test_a_training_is_over_with_its_last_epoch_or_step_or_when_it_is_stopped(
    state: dict[str, Any], over: bool
) -> None:
    limits = {"max_epochs": 10, "max_steps": -1, "min_epochs": None, "min_steps": None}
    trainer = {**limits, "current_epoch": 8, "global_step": 20, "should_stop": False, **state}
    assert is_over(SimpleNamespace(**trainer)) is over  # type: ignore[arg-type]


@pytest.mark.parametrize(("copied", "every"), [(0, 1), (0, 2), (4, 1)])
def test_a_trial_hands_over_a_copy_whenever_the_scheduler_acts_and_at_no_other_time(
    write_config: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied: int, every: int
) -> None:
    """Copies of every epoch would push out the one that another trial is to go on from.

    Args:
        copied: Epoch of the copy that the trial goes on from.
        every: Epochs between two validations.
    """
    grace = 3
    space = {RATE: {"loguniform": [1e-5, 10.0]}}
    search = make_search(
        write_config, tmp_path / "search", [({RATE: 0.1}, "training", [])], scheduler="pbt", grace=grace, space=space
    )
    population = Population(grace)
    state = population.scheduler._trial_state[population.good]
    state.last_perturbation_time = copied
    acted, handed = [], []

    def report(figures: dict[str, Any], checkpoint: Any = None) -> None:
        population.report(population.good, figures[EPOCH], over=figures[OVER])
        acted.extend([figures[EPOCH]] if state.last_perturbation_time == figures[EPOCH] else [])
        handed.extend([figures[EPOCH]] if checkpoint is not None else [])

    def fit(*_: Any, extra: Any, **__: Any) -> None:
        for epoch in range(copied + every, EPOCHS + 1, every):
            extra[0]._tell(Report(epoch, 0.5, 0.5), epoch == EPOCHS)

    monkeypatch.setattr("ray.tune.report", report)
    monkeypatch.setattr("trainlib.run.fit", fit)
    trials._train(trials.Plan(search, None, ""), search.folder.noted()[0], copied)
    assert handed == acted == {(0, 1): [3, 6, 9], (0, 2): [4, 8], (4, 1): [7]}[copied, every]
