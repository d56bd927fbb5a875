"""The table on the console tells how far every trial is, those that wait as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tune.helpers import RATE, make_search, write_run
from trainlib.tune.table import asking


def test_states_epochs_and_best_values_are_those_of_the_trials(
    write_config: Callable[..., Path], tmp_path: Path
) -> None:
    states = ["finished", "stopped", "failed", "training", "waiting"]
    results = [({RATE: 0.1}, state, [0.1, 0.7, 0.6]) for state in states]
    search = make_search(write_config, tmp_path / "s", results, space={RATE: {"uniform": [0, 1]}}, trials=7)
    told = asking(search)()
    assert [standing.name for standing in told] == [f"trial_{i:05d}" for i in range(7)]
    assert [standing.state for standing in told] == [*states, "waiting", "waiting"]
    assert [standing.epoch for standing in told] == [3, 3, 3, 3, 0, 0, 0]
    assert [standing.best for standing in told[:4]] == [0.7] * 4
    assert told[3].seconds_left == pytest.approx((9 - 3) * 2.0)


def test_a_trial_is_followed_until_it_has_ended(write_config: Callable[..., Path], tmp_path: Path) -> None:
    search = make_search(
        write_config, tmp_path / "s", [({RATE: 0.1}, "waiting", [])], space={RATE: {"uniform": [0, 1]}}
    )
    ask = asking(search)
    assert ask()[0].state == "waiting"
    trial = search.folder.change(0, state="training")
    write_run(search, trial, [0.5])
    assert (ask()[0].state, ask()[0].epoch) == ("training", 1)
    search.folder.change(0, state="stopped")
    assert (ask()[0].state, ask()[0].epoch) == ("stopped", 1)
    search.folder.run(trial).metrics.unlink()  # what has ended is not read again
    assert ask()[0].epoch == 1
