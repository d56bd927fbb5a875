"""What the folder of a search holds, read for its report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from trainlib.errors import ConfigError
from trainlib.report.content import Content
from trainlib.report.load import read_content
from trainlib.report.reading import read_text
from trainlib.search_folder import Search, Trial, read_search
from trainlib.standing import standing_of


@dataclass(frozen=True)
class Line:
    """A trial with the metric in each of its epochs.

    Attributes:
        trial: The trial.
        epochs: Numbers of the epochs in which the metric was computed, counted from 1.
        values: The metric in them.
        trained: Number of finished epochs.
        seconds: How long they took.
        best: Best value; nan where there is none.
        link: Its run folder, relative to that of the search; empty where there is none.
    """

    trial: Trial
    epochs: list[int]
    values: list[float]
    trained: int
    seconds: float
    best: float
    link: str

    @property
    def counts(self) -> bool:
        """Whether its result counts."""
        return self.trial.state != "failed" and math.isfinite(self.best)

    @property
    def best_epoch(self) -> int:
        """The epoch with the best value, counted from 1."""
        return self.epochs[self.values.index(self.best)] if self.best in self.values else 0


@dataclass(frozen=True)
class SearchContent:
    """The files of a search.

    Attributes:
        search: The search.
        lines: Its trials in the order of their numbers.
        example: A run of it, which tells machine and versions.
        settings: ``best.yaml`` as it stands; empty where there is none.
    """

    search: Search
    lines: list[Line]
    example: Content
    settings: str

    @property
    def higher(self) -> bool:
        """Whether higher is better."""
        return self.search.mode == "max"

    @cached_property
    def ranked(self) -> list[Line]:
        """The trials that came to anything, the best first."""
        sign = -1 if self.higher else 1
        return sorted(
            (line for line in self.lines if line.counts), key=lambda line: (sign * line.best, line.trial.number)
        )

    @property
    def best(self) -> Line | None:
        """The best trial."""
        return self.ranked[0] if self.ranked else None

    @property
    def keys(self) -> list[str]:
        """The settings that were searched."""
        assert self.search.config.tune is not None
        return list(self.search.config.tune.space)

    def count(self, state: str) -> int:
        """Count the trials in a state."""
        return sum(line.trial.state == state for line in self.lines)

    def bests(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the best value of each trial that came to anything, in the order of their numbers."""
        return np.array([line.best for line in self.lines if line.counts])


def read_search_content(path: str | Path) -> SearchContent:
    """Read the folder of a search.

    Raises:
        ConfigError: It is none, or none of its trials has begun.
    """
    search = read_search(path)
    lines = [_line(search, trial) for trial in search.folder.noted()]
    begun = [line for line in lines if line.link]
    if not begun:
        raise ConfigError(f"{path}: no trial of the search has begun, so there is nothing to report.")
    content = SearchContent(search, lines, read_content(search.folder.path / begun[0].link), "")
    example = read_content(search.folder.path / (content.best or begun[0]).link)
    return SearchContent(search, lines, example, read_text(search.folder.best))


def _line(search: Search, trial: Trial) -> Line:
    folder = search.folder.run(trial)
    standing = standing_of(folder, trial.name, epochs=search.epochs, monitor=search.metric, mode=search.mode)
    shown = [epoch for epoch in standing.history if search.metric in epoch.figures]
    seconds = [epoch.seconds for epoch in standing.history if math.isfinite(epoch.seconds)]
    return Line(
        trial,
        [epoch.number for epoch in shown],
        [epoch.figures[search.metric] for epoch in shown],
        standing.epoch,
        math.fsum(seconds),
        standing.best,
        trial.name if folder.config.is_file() else "",
    )
