"""Searches for the tests: the settings of a training whose learning rate decides, and folders of searches made up."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from trainlib.config.load import load_config
from trainlib.folders.search import SearchFolder, Trial
from trainlib.folders.searches import Search

SGD: dict[str, Any] = {
    "optimizer": {"SGD": {"lr": 0.1, "momentum": 0.9}},
    "scheduler": None,
    "progress": None,
    "report": {"resamples": 100},
}
"""A training that learns at a learning rate near 0.1; below 0.001 nothing happens, at 10 the loss explodes."""
RATE = "optimizer.SGD.lr"
LOSS = """
import torch
from monai.losses import DiceCELoss


class Sometimes(DiceCELoss):
    def __init__(self, broken):
        super().__init__(to_onehot_y=True, softmax=True)
        self.broken = broken

    def forward(self, prediction, label):
        loss = super().forward(prediction, label)
        return loss * float("nan") if self.broken else loss


def get_loss(config):
    return Sometimes(config.optimizer.kwargs["lr"] > 1)
"""
"""A patch script whose loss is no number above a learning rate of 1."""


class Mark:
    """A mark in the environment of a command, which all its processes inherit, whoever has them in the end."""

    def __init__(self) -> None:
        self.environment = {"TRAINLIB_TEST_MARK": uuid.uuid4().hex}

    def processes(self) -> list[psutil.Process]:
        """Find all that carry it at present."""
        return [process for process in psutil.process_iter() if self._is_on(process)]

    def left(self) -> list[str]:
        """List the processes that still carry it, a moment after the command."""
        _, alive = psutil.wait_procs(self.processes(), timeout=20)
        return [process.name() for process in alive]

    def _is_on(self, process: psutil.Process) -> bool:
        try:
            return self.environment.items() <= process.environ().items()
        except psutil.Error:  # it has ended, or is somebody else's
            return False


def make_search(
    write_config: Callable[..., Path],
    folder: Path,
    results: Sequence[tuple[dict[str, Any], str, Sequence[float]]],
    **tune: Any,
) -> Search:
    """Write the folder of a search as it is left by trials of which there are only settings and metrics.

    Args:
        write_config: The fixture.
        folder: The folder.
        results: Settings, state and the metric of each epoch, of each trial.
        tune: The section of the config.
    """
    config = load_config(write_config(**SGD, tune=tune, trainer={"max_epochs": 9}))
    search = Search(SearchFolder(folder), config)
    search.write()
    for number, (parameters, state, values) in enumerate(results):
        error = "train/loss is nan after epoch 1: it diverged." if state == "failed" else ""
        trial = Trial(number, parameters, state, error)  # type: ignore[arg-type]
        search.folder.note(trial)
        if state != "waiting":
            write_run(search, trial, values)
    return search


def write_run(search: Search, trial: Trial, values: Sequence[float]) -> None:
    """Write config and metrics of a trial."""
    run = search.folder.run(trial)
    run.logs.mkdir(parents=True)
    run.config.write_text(search.folder.settings.read_text())
    with run.metrics.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "step", "train/loss", "valid/dice", "seconds"])
        writer.writerows([epoch, 3 * epoch + 3, 1.0, value, 2.0] for epoch, value in enumerate(values))
