"""Which trials are ended: Ray's own rules, which know the trials of before an interruption."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from trainlib.config.tune import Distribution, TuneSection
from trainlib.folders.search import Trial
from trainlib.folders.searches import Outcome, Report
from trainlib.tune.schedulers import BEST, EPOCH, VALUE, grace_of, make_scheduler, teach
from trainlib.tune.space import Space

SPACE = {"optimizer.AdamW.lr": Distribution(**{"uniform": [0, 1]})}


class Running:
    """One of Ray's trials: its id is Ray's, its name ours."""

    def __init__(self, name: str) -> None:
        self.trial_id = f"id_of_{name}"
        self.name = name

    def __str__(self) -> str:
        return self.name


def scheduler(kind: str, mode: str = "max", epochs: int = 10, grace: int | None = 1) -> Any:
    section = TuneSection(space=SPACE, scheduler=kind, grace=grace)  # type: ignore[arg-type]
    return make_scheduler(section, mode, epochs, Space(SPACE), 0)


def decisions(of: Any, values: list[float]) -> list[str]:
    trial = Running("new")
    controller: Any = SimpleNamespace(get_live_trials=list)
    of.on_trial_add(controller, trial)
    made: list[str] = []
    for i, value in enumerate(values):
        report = {EPOCH: i + 1, VALUE: value, BEST: max(values[: i + 1])}
        made.append(of.on_trial_result(controller, trial, report))
        if made[-1] == "STOP":
            break
    return made


def outcome(number: int, values: list[float], state: str = "finished") -> Outcome:
    """A trial that has reported some values."""
    reports = [Report(i + 1, value, max(values[: i + 1])) for i, value in enumerate(values)]
    return Outcome(Trial(number, {}, state), tuple(reports), len(reports), 1.0, "")  # type: ignore[arg-type]


def finished(*values: float, epochs: int = 10) -> list[Outcome]:
    return [outcome(number, [value] * epochs) for number, value in enumerate(values)]


def report(of: Any, trial: Running, epoch: int, value: float) -> Any:
    controller: Any = SimpleNamespace(get_live_trials=list)
    return of.on_trial_result(controller, trial, {EPOCH: epoch, VALUE: value, BEST: value})


def rungs(asha: Any) -> dict[int, list[float]]:
    """Return the values that were compared, by epoch."""
    return {epoch: sorted(values.values()) for epoch, values in asha._brackets[0]._rungs}


@pytest.mark.parametrize("kind", ["asha", "median"])
def test_trials_of_before_an_interruption_end_bad_ones_after_it(kind: str) -> None:
    taught = scheduler(kind)
    teach(taught, finished(0.8, 0.81, 0.82, 0.83))
    assert decisions(taught, [0.1])[0] == "STOP"
    assert decisions(scheduler(kind), [0.1])[0] == "CONTINUE"


@pytest.mark.parametrize("kind", ["asha", "median"])
def test_a_trial_better_than_those_before_goes_on(kind: str) -> None:
    taught = scheduler(kind)
    teach(taught, finished(0.5, 0.5, 0.5, 0.5))
    assert decisions(taught, [0.9] * 9) == ["CONTINUE"] * 9


def test_a_trial_is_not_cut_off_in_its_last_epoch() -> None:
    taught = scheduler("asha", epochs=9)
    teach(taught, finished(0.9, 0.9, 0.9, 0.9, epochs=9))
    assert decisions(taught, [0.95] * 8 + [0.95]) == ["CONTINUE"] * 9


def test_where_smaller_is_better_large_values_are_ended() -> None:
    taught = scheduler("asha", mode="min")
    teach(taught, finished(1.0, 1.1, 1.2, 1.3))
    assert decisions(taught, [9.0])[0] == "STOP"


def test_the_time_of_grace_is_a_tenth_of_the_epochs() -> None:
    section = TuneSection(space=SPACE)
    assert [grace_of(section, epochs) for epochs in (1, 10, 100)] == [1, 1, 10]
    assert grace_of(TuneSection(space=SPACE, grace=7), 100) == 7


def test_none_ends_no_trial() -> None:
    taught = scheduler("none")
    teach(taught, finished(0.9, 0.9, 0.9, 0.9))
    assert set(decisions(taught, [0.0] * 9)) == {"CONTINUE"}


RISING = [epoch / 10 for epoch in range(1, 11)]


@pytest.mark.parametrize("cut", [1, 2, 3, 7])
def test_a_trial_that_is_cut_off_and_goes_on_stands_where_it_would_have_stood(cut: int) -> None:
    straight, resumed = scheduler("asha"), scheduler("asha")
    teach(resumed, [outcome(0, RISING[:cut], "training")])
    for of, first in ((straight, 1), (resumed, cut + 1)):
        trial = Running("trial_00000")
        of.on_trial_add(None, trial)
        assert {report(of, trial, epoch, RISING[epoch - 1]) for epoch in range(first, 11)} == {"CONTINUE"}
    assert rungs(resumed) == rungs(straight) == {9: [0.9], 3: [0.3], 1: [0.1]}
    assert [decisions(of, [0.15, 0.2, 0.25]) for of in (straight, resumed)] == [["CONTINUE", "CONTINUE", "STOP"]] * 2


def test_a_trial_that_goes_on_counts_for_the_median_with_all_its_epochs() -> None:
    values = [0.9, 0.8, 0.2, 0.1]
    straight, resumed = scheduler("median", epochs=4), scheduler("median", epochs=4)
    teach(resumed, [outcome(number, values[:2], "training") for number in range(3)])
    for of, first in ((straight, 1), (resumed, 3)):
        trials = [Running(f"trial_{number:05d}") for number in range(3)]
        for trial in trials:
            of.on_trial_add(None, trial)
        for epoch in range(first, 5):
            for trial in trials:
                of.on_trial_result(
                    SimpleNamespace(get_live_trials=list), trial, {EPOCH: epoch, VALUE: 0, BEST: values[epoch - 1]}
                )
    # At the first epoch the others had 0.9.
    assert [decisions(of, [0.3]) for of in (straight, resumed)] == [["STOP"]] * 2


def test_what_would_have_ended_a_trial_that_went_on_does_not_end_it_afterwards() -> None:
    # All but the first would be ended at once if they came one after the other.
    found = [*finished(0.9, 0.8, 0.7, 0.6), outcome(4, [0.1, 0.1], "training")]
    for kind in ("asha", "median"):
        taught = scheduler(kind)
        teach(taught, found)
        taught.on_trial_add(None, Running("trial_00004"))


def test_an_epoch_that_is_done_again_is_not_counted_twice() -> None:
    taught = scheduler("median")
    teach(taught, [outcome(0, [0.1, 0.9], "training")])
    trial = Running("trial_00000")
    taught.on_trial_add(None, trial)
    assert report(taught, trial, 2, 0.9) == "CONTINUE"
    assert len(taught._results[trial]) == 2


def test_failed_trials_keep_the_place_they_had() -> None:
    taught = scheduler("asha")
    teach(taught, [outcome(0, [0.5, 0.5], "failed")])
    assert rungs(taught)[1] == [0.5]


@pytest.mark.parametrize("kind", ["asha", "median"])
@pytest.mark.parametrize("grace", [9, 10])
def test_no_trial_is_ended_before_the_time_of_grace_is_over(kind: str, grace: int) -> None:
    taught = scheduler(kind, grace=grace)
    teach(taught, finished(0.9, 0.9, 0.9, 0.9))
    ended = [epoch for epoch, decision in enumerate(decisions(taught, [0.0] * 10), 1) if decision == "STOP"]
    assert ended[:1] == ([9] if grace == 9 else [])
