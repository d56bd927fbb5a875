"""Which trials are ended: Ray's own rules, which know the trials of before an interruption."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from trainlib.config.tune import Distribution, TuneSection
from trainlib.tune.schedulers import BEST, EPOCH, VALUE, grace_of, make_scheduler, teach
from trainlib.tune.space import Space

SPACE = {"optimizer.AdamW.lr": Distribution(**{"uniform": [0, 1]})}


class Running:
    def __init__(self, name: str) -> None:
        self.trial_id = name


def scheduler(kind: str, mode: str = "max", epochs: int = 10, grace: int | None = 1) -> Any:
    section = TuneSection(space=SPACE, scheduler=kind, grace=grace)  # type: ignore[arg-type]
    return make_scheduler(section, mode, epochs, Space(SPACE), 0)


def decisions(of: Any, values: list[float]) -> list[str]:
    trial = Running("new")
    controller: Any = SimpleNamespace(get_live_trials=list)
    of.on_trial_add(controller, trial)
    reports = [{EPOCH: i + 1, VALUE: value, BEST: max(values[: i + 1])} for i, value in enumerate(values)]
    return [of.on_trial_result(controller, trial, report) for report in reports]


def history(value: float, epochs: int = 10) -> list[dict[str, float]]:
    return [{EPOCH: epoch, VALUE: value, BEST: value} for epoch in range(1, epochs + 1)]


@pytest.mark.parametrize("kind", ["asha", "median"])
def test_trials_of_before_an_interruption_end_bad_ones_after_it(kind: str) -> None:
    taught = scheduler(kind)
    teach(taught, {number: history(0.8 + number / 100) for number in range(4)})
    assert decisions(taught, [0.1])[0] == "STOP"
    assert decisions(scheduler(kind), [0.1])[0] == "CONTINUE"


@pytest.mark.parametrize("kind", ["asha", "median"])
def test_a_trial_better_than_those_before_goes_on(kind: str) -> None:
    taught = scheduler(kind)
    teach(taught, {number: history(0.5) for number in range(4)})
    assert decisions(taught, [0.9] * 9) == ["CONTINUE"] * 9


def test_a_trial_is_not_cut_off_in_its_last_epoch() -> None:
    taught = scheduler("asha", epochs=9)
    teach(taught, {number: history(0.9, 9) for number in range(4)})
    assert decisions(taught, [0.95] * 8 + [0.95]) == ["CONTINUE"] * 9


def test_where_smaller_is_better_large_values_are_ended() -> None:
    taught = scheduler("asha", mode="min")
    teach(taught, {number: history(1.0 + number / 10) for number in range(4)})
    assert decisions(taught, [9.0])[0] == "STOP"


def test_the_time_of_grace_is_a_tenth_of_the_epochs() -> None:
    section = TuneSection(space=SPACE)
    assert [grace_of(section, epochs) for epochs in (1, 10, 100)] == [1, 1, 10]
    assert grace_of(TuneSection(space=SPACE, grace=7), 100) == 7


def test_none_ends_no_trial() -> None:
    taught = scheduler("none")
    teach(taught, {number: history(0.9) for number in range(4)})
    assert set(decisions(taught, [0.0] * 9)) == {"CONTINUE"}
