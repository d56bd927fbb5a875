"""Searches for good settings, read from their folders, and what their trials came to."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import ValidationError

from trainlib.config.load import dump_config, load_config
from trainlib.config.schema import Config
from trainlib.errors import ConfigError
from trainlib.folders.run import RunFolder
from trainlib.folders.search import SearchFolder, Trial
from trainlib.folders.standing import Epoch, standing_of
from trainlib.system.files import write_text


@dataclass(frozen=True)
class Search:
    """A search.

    Attributes:
        folder: Where everything is.
        config: The complete config, with its section ``tune``.
    """

    folder: SearchFolder
    config: Config

    @property
    def metric(self) -> str:
        """The metric that decides."""
        assert self.config.tune is not None
        return self.config.tune.metric or self.config.checkpoint.monitor

    @property
    def mode(self) -> Literal["min", "max"]:
        """Whether a smaller or a larger value of the metric is better."""
        return judged(self.config).monitor_mode

    @property
    def epochs(self) -> int:
        """Epochs of a trial that is not ended early."""
        return int(self.config.trainer["max_epochs"])

    def write(self) -> None:
        """Write the settings."""
        write_text(self.folder.settings, dump_config(self.config))


def judged(config: Config) -> Config:
    """Return the config with the search's metric in the place of the monitored one."""
    assert config.tune is not None
    mode = config.tune.mode if config.tune.metric or config.tune.mode != "auto" else config.checkpoint.mode
    update = {"monitor": config.tune.metric or config.checkpoint.monitor, "mode": mode}
    return config.model_copy(update={"checkpoint": config.checkpoint.model_copy(update=update)})


def read_search(path: str | Path) -> Search:
    """Read the settings of a search.

    Raises:
        ConfigError: The folder is that of no search, or its settings cannot be read.
    """
    folder = SearchFolder(Path(path).absolute())
    if not folder.settings.is_file():
        raise ConfigError(f"{path} is not the folder of a search: it has no search.yaml.")
    try:
        config = load_config(folder.settings)
    except (ValidationError, yaml.YAMLError, OSError) as error:
        raise ConfigError(f"{folder.settings} cannot be read: {error}.") from None
    if config.tune is None:
        raise ConfigError(f"{folder.settings} has no section tune.")
    return Search(folder, config)


def wanted_folder(config: Config) -> Path:
    """Return the folder that a search of the config's name gets, unless it is taken."""
    return Path(config.run.root) / f"{config.run.name}_tune"


def latest_search(config: Config) -> SearchFolder | None:
    """Find the search of the config's name that was begun last, None where there is none yet."""
    wanted = wanted_folder(config)
    if not wanted.parent.is_dir():
        return None
    pattern = re.compile(rf"{re.escape(wanted.name)}(_[0-9]+)?")
    named = [SearchFolder(path) for path in wanted.parent.iterdir() if pattern.fullmatch(path.name)]
    begun = [folder for folder in named if folder.settings.is_file()]
    return max(begun, key=lambda folder: folder.settings.stat().st_mtime_ns, default=None)


@dataclass(frozen=True)
class Report:
    """The metric that decides, after an epoch.

    Attributes:
        epoch: Number of finished epochs.
        value: The metric.
        best: Its best so far.
    """

    epoch: int
    value: float
    best: float


@dataclass(frozen=True)
class Outcome:
    """What a trial came to.

    Attributes:
        trial: The trial.
        reports: The metric after each epoch in which it was computed.
        epochs: Number of finished epochs.
        seconds: How long they took.
        link: Its run folder, relative to that of the search; empty where there is none.
    """

    trial: Trial
    reports: tuple[Report, ...]
    epochs: int
    seconds: float
    link: str

    @property
    def best(self) -> float:
        """Best value of the metric; nan where there is none."""
        return self.reports[-1].best if self.reports else math.nan

    @property
    def best_epoch(self) -> int:
        """The epoch with it, counted from 1; 0 where there is none."""
        return next((report.epoch for report in self.reports if report.value == self.best), 0)

    @property
    def counts(self) -> bool:
        """Whether its result counts."""
        return self.trial.state != "failed" and math.isfinite(self.best)


def outcomes(search: Search) -> list[Outcome]:
    """Read what all trials came to, in the order of their numbers."""
    return [_outcome(search, trial) for trial in search.folder.noted()]


def _outcome(search: Search, trial: Trial) -> Outcome:
    run = search.folder.run(trial)
    history = _history(run, search.metric, search.mode)
    reports = _reports(history, search.metric, search.mode)
    seconds = math.fsum(epoch.seconds for epoch in history if math.isfinite(epoch.seconds))
    return Outcome(trial, tuple(reports), len(history), seconds, trial.name if run.config.is_file() else "")


def ranked(search: Search, found: Sequence[Outcome]) -> list[Outcome]:
    """Sort the trials that came to anything, the best first, of equal ones that with the lower number."""
    sign = -1 if search.mode == "max" else 1
    usable = [outcome for outcome in found if outcome.counts]
    return sorted(usable, key=lambda outcome: (sign * outcome.best, outcome.trial.number))


def reports_of(run: RunFolder, metric: str, mode: str) -> list[Report]:
    """Read the metric after each epoch in which it was computed; figures that are not finite are left out.

    Args:
        run: The run folder of a trial.
        metric: The metric.
        mode: ``min`` or ``max``, whichever is better.
    """
    return _reports(_history(run, metric, mode), metric, mode)


def _history(run: RunFolder, metric: str, mode: str) -> tuple[Epoch, ...]:
    return standing_of(run, run.path.name, epochs=0, monitor=metric, mode=mode).history


def _reports(history: Sequence[Epoch], metric: str, mode: str) -> list[Report]:
    reports: list[Report] = []
    for epoch in history:
        if metric in epoch.figures:
            value = epoch.figures[metric]
            best = (min if mode == "min" else max)(reports[-1].best, value) if reports else value
            reports.append(Report(epoch.number, value, best))
    return reports
