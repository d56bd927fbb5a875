"""The progress bar."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from trainlib import fit, load_config, predict

WriteConfig = Callable[..., Path]


def shown(text: str) -> list[str]:
    """The states of the bars, without the codes that move the cursor."""
    return [line for line in re.split(r"[\r\n]+|\x1b\[[0-9]*[A-Z]", text) if line.strip()]


class Terminal(io.StringIO):
    """Keeps everything that is written to it."""

    def isatty(self) -> bool:
        return True


def make_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Let stderr be a terminal; to be called in the test, for pytest sets its own stderr before."""
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    return stream


def test_a_terminal_sees_epoch_loss_metric_and_the_time_left(
    write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = make_terminal(monkeypatch)
    fit(load_config(write_config(trainer={"max_epochs": 3})))
    text = "\n".join(shown(terminal.getvalue()))
    assert re.search(r"epoch 3/3 +\d+% \|.*\| \d\d:\d\d, \d\d:\d\d left, loss \d\.\d{3}  valid/dice \d\.\d{3}", text)
    assert "validation" in text
    assert "test" in text


def test_a_prediction_has_a_bar_too(write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = make_terminal(monkeypatch)
    config = load_config(write_config(data={"test_csv": "test.csv"}, trainer={"max_epochs": 1}))
    run = fit(config)
    predict(config, run.folder.best)
    assert "prediction" in terminal.getvalue()


def test_the_bars_are_taken_away(write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = make_terminal(monkeypatch)
    fit(load_config(write_config(data={"test_csv": None}, trainer={"max_epochs": 1})))
    assert not shown(terminal.getvalue())[-1].strip(" \r\n").startswith("epoch")


def test_where_there_is_no_terminal_nothing_is_shown(
    write_config: WriteConfig, capfd: pytest.CaptureFixture[str]
) -> None:
    fit(load_config(write_config(data={"test_csv": None}, trainer={"max_epochs": 1})))
    assert "epoch 1/1 " not in capfd.readouterr().err


def test_the_trainer_s_own_setting_switches_it_off(write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = make_terminal(monkeypatch)
    trainer = {"max_epochs": 1, "enable_progress_bar": False}
    fit(load_config(write_config(data={"test_csv": None}, trainer=trainer)))
    assert "left" not in terminal.getvalue()


def test_a_failure_is_told_on_a_line_of_its_own(write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainlib.callbacks.epochs import EpochTable

    def fail(*_: object) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr(EpochTable, "on_train_epoch_end", fail)
    terminal = make_terminal(monkeypatch)
    with pytest.raises(RuntimeError, match="bug"):
        fit(load_config(write_config(trainer={"max_epochs": 3})))
    assert not terminal.getvalue().split("\r")[-1].strip()


def test_a_terminal_that_is_gone_does_not_end_the_training(
    write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = make_terminal(monkeypatch)
    monkeypatch.setattr(terminal, "write", Mock(side_effect=BrokenPipeError))
    run = fit(load_config(write_config(data={"test_csv": None}, trainer={"max_epochs": 2})))
    assert len(run.metrics) == 2
