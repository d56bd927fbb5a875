"""The progress of many runs: a table, or lines."""

from __future__ import annotations

import io
import logging
import math
import time

import pytest
from rich.console import Console

from trainlib.cli import many
from trainlib.cli.many import duration, line_of, seconds_left, shown, table_of
from trainlib.folders.standing import Epoch, Standing


def standing(name: str, state: str, epochs: int, seconds: float = 2.0) -> Standing:
    history = tuple(
        Epoch(number, {"train/loss": 1 / number, "valid/dice": number / 10}, seconds) for number in range(1, epochs + 1)
    )
    best = epochs / 10 if epochs else math.nan
    return Standing(name, state, 10, history, best)  # type: ignore[arg-type]


MANY = [standing("fold_1", "finished", 10), standing("fold_2", "training", 4), standing("fold_3", "waiting", 0)]


def printed(standings: list[Standing], parallel: int = 1) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(table_of(standings, "fold", parallel))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_has_a_row_for_each_run_and_the_time_that_is_left() -> None:
    lines = [" ".join(line.replace("│", " ").split()) for line in printed(MANY).splitlines()]
    assert "fold_1 finished 10/10 0.1 1 1" in lines
    assert "fold_2 training 4/10 0.25 0.4 0.4 0:12" in lines
    assert "fold_3 waiting 0/10" in lines
    assert lines[-1] == "about 0:32 left"  # 6 + 10 epochs of 2 s


def test_before_the_first_epoch_nothing_is_known() -> None:
    text = printed([standing("fold_1", "waiting", 0)])
    assert "left" not in text.splitlines()[-1]
    assert "valid/dice" not in text


@pytest.mark.parametrize(("parallel", "seconds"), [(1, 32), (2, 20), (3, 20)])
def test_runs_side_by_side_take_at_least_as_long_as_the_longest(parallel: int, seconds: float) -> None:
    assert seconds_left(MANY, parallel) == seconds


def test_a_finished_epoch_is_told_in_a_line_with_the_name() -> None:
    found = standing("fold_2", "training", 4, 3.25)
    assert line_of(found, found.history[3]) == "fold_2  epoch 4/10  train/loss 0.25  valid/dice 0.4  3.2 s"


@pytest.mark.parametrize(("seconds", "text"), [(math.nan, ""), (0, "0:00"), (59.6, "1:00"), (3905, "1:05:05")])
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_without_a_terminal_each_epoch_is_a_line_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "_INTERVAL", 0.01)
    now = [standing("a", "training", 1), standing("b", "waiting", 0)]
    with shown(lambda: list(now)):
        now[0] = standing("a", "training", 3)
        time.sleep(0.3)
        now[1] = standing("b", "training", 1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("/")[0] for line in lines] == ["a  epoch 2", "a  epoch 3", "b  epoch 1"]


def test_a_look_that_fails_does_not_end_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "_INTERVAL", 0.01)
    calls = []

    def ask() -> list[Standing]:
        calls.append(1)
        if 1 < len(calls) < 4:
            raise OSError("gone")
        return []

    with shown(ask):
        while len(calls) < 5:
            time.sleep(0.01)


def test_what_each_run_tells_stays_in_its_log_and_warnings_are_shown() -> None:
    logger = logging.getLogger("trainlib")
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    before, logger.level = logger.level, logging.INFO
    logger.addHandler(handler)
    try:
        with shown(list):
            logging.getLogger("trainlib.run").info("of one")
            logging.getLogger("trainlib.run").warning("careful")
            logging.getLogger("trainlib.ensemble.training").info("of all")
        logging.getLogger("trainlib.run").info("afterwards")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    assert told == ["careful", "of all", "afterwards"]
