"""How a training ended, and its best epoch."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.report.helpers import epoch_table, make_run
from trainlib.report.load import read_content
from trainlib.report.training import best_of, ending_of

STOPPED = "2026-01-02 03:04:05  Stopped early: valid/dice has not improved for 2 validations.\n"
EPOCH = "2026-01-02 03:04:05  epoch 6/20  train/loss 0.5\n"


def test_all_epochs_are_the_end(tmp_path: Path) -> None:
    ending = ending_of(read_content(make_run(tmp_path / "run")))
    assert (ending.epochs, ending.complete, ending.text) == (6, True, "Complete after 6 epochs.")


def test_fewer_epochs_are_cut_off_and_the_command_continues_this_very_run(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a run", trainer={"max_epochs": 20})
    ending = ending_of(read_content(run))
    assert not ending.complete
    assert "after epoch 6 of 20" in ending.text
    last = str(run / "checkpoints" / "last.ckpt")
    assert shlex.split(ending.command) == ["trainlib", "fit", "-c", str(run / "config.yaml"), "--ckpt_path", last]


def test_early_stopping_is_an_end(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", trainer={"max_epochs": 20})
    (run / "logs" / "trainlib.log").write_text(EPOCH + STOPPED + "2026-01-02 03:04:06  Energy and CO2: 1 kWh.\n")
    ending = ending_of(read_content(run))
    assert ending.complete
    assert ending.text == "Stopped early after 6 epochs: valid/dice has not improved for 2 validations."


def test_a_run_that_went_on_after_early_stopping_and_was_cut_off(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", trainer={"max_epochs": 20})
    (run / "logs" / "trainlib.log").write_text(EPOCH + STOPPED + EPOCH)
    assert not ending_of(read_content(run)).complete


@pytest.mark.parametrize("limit", [{"max_time": "00:01:00:00"}, {"max_steps": 18}, {"fast_dev_run": True}])
def test_another_limit_of_the_trainer_may_have_ended_it(tmp_path: Path, limit: dict[str, object]) -> None:
    run = make_run(tmp_path / "run", trainer={"max_epochs": 20} | limit)
    ending = ending_of(read_content(run))
    assert ending.complete
    assert ending.text == f"Ended after 6 epochs; trainer.{next(iter(limit))} sets a limit."


def test_without_a_limit_of_epochs_none_is_told(tmp_path: Path) -> None:
    ending = ending_of(read_content(make_run(tmp_path / "run", trainer={"max_epochs": -1})))
    assert ending.planned is None
    assert "after epoch 6." in ending.text


@pytest.mark.parametrize(("monitor", "epoch", "value"), [("valid/dice", 5, 0.8), ("valid/loss", 5, 1.3)])
def test_the_best_epoch_follows_the_direction_of_the_metric(
    tmp_path: Path, monitor: str, epoch: int, value: float
) -> None:
    best = best_of(read_content(make_run(tmp_path / "run", checkpoint={"monitor": monitor})))
    assert best is not None
    assert (best.monitor, best.epoch, best.value) == (monitor, epoch, pytest.approx(value))


def test_epochs_without_a_value_are_not_the_best(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", checkpoint={"monitor": "valid/loss"})
    table = epoch_table(["organ"])
    table["valid/loss"] = [np.nan, -np.inf, 3.0, 1.0, 1.0, np.inf]
    table.to_csv(run / "logs" / "metrics.csv", index=False)
    best = best_of(read_content(run))
    assert best is not None
    assert best.epoch == 4


def test_there_is_no_best_epoch_of_a_metric_that_was_not_logged(tmp_path: Path) -> None:
    assert best_of(read_content(make_run(tmp_path / "run", checkpoint={"monitor": "valid/nsd"}))) is None
    run = make_run(tmp_path / "other")
    pd.read_csv(run / "logs/metrics.csv").assign(**{"valid/dice": np.nan}).to_csv(run / "logs/metrics.csv")
    assert best_of(read_content(run)) is None
