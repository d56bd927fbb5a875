"""How far a run is, read from its folder."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from trainlib.folders.run import RunFolder
from trainlib.folders.standing import standing_of

TABLE = """epoch,step,train/loss,valid/dice,seconds
0,3,2.5,0.2,4.0
1,6,1.5,0.6,2.0
2,9,1.25,,3.0
"""


def write(folder: Path, text: str) -> RunFolder:
    run = RunFolder(folder)
    run.logs.mkdir(parents=True)
    run.metrics.write_text(text)
    return run


def test_epochs_figures_best_and_time_left_are_those_of_the_table(tmp_path: Path) -> None:
    found = standing_of(write(tmp_path, TABLE), "fold_1", epochs=10, monitor="valid/dice", mode="max")
    assert (found.name, found.state, found.epoch, found.epochs, found.best) == ("fold_1", "training", 3, 10, 0.6)
    assert found.figures == {"train/loss": 1.25}
    assert [epoch.figures.get("valid/dice") for epoch in found.history] == [0.2, 0.6, None]
    assert found.seconds == 3.0
    assert found.seconds_left == 21.0


def test_the_smaller_is_the_better_of_a_loss(tmp_path: Path) -> None:
    assert standing_of(write(tmp_path, TABLE), "a", epochs=10, monitor="train/loss", mode="min").best == 1.25


@pytest.mark.parametrize(
    ("text", "epochs", "state"), [(TABLE, 3, "testing"), ("", 3, "waiting"), ("epoch,seconds\n", 3, "waiting")]
)
def test_the_state_follows_from_the_epochs(tmp_path: Path, text: str, epochs: int, state: str) -> None:
    found = standing_of(write(tmp_path, text), "a", epochs=epochs, monitor="valid/dice", mode="max")
    assert found.state == state


def test_a_run_that_was_not_begun_waits_and_nobody_knows_how_long(tmp_path: Path) -> None:
    found = standing_of(RunFolder(tmp_path / "no"), "a", epochs=3, monitor="valid/dice", mode="max")
    assert (found.state, found.epoch, found.figures) == ("waiting", 0, {})
    assert math.isnan(found.best)
    assert math.isnan(found.seconds_left)


def test_a_cell_that_is_no_number_is_passed_over(tmp_path: Path) -> None:
    text = "epoch,train/loss,valid/dice,seconds\n0,nan,x,\n1,0.5,inf,2\n"
    found = standing_of(write(tmp_path, text), "a", epochs=4, monitor="valid/dice", mode="max")
    assert found.figures == {"train/loss": 0.5}
    assert math.isnan(found.best)
    assert found.seconds_left == 4.0
