"""How far a run is, read from its folder: whoever runs many shows them side by side."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from trainlib.folders.run import RunFolder

State = Literal["waiting", "training", "testing", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class Epoch:
    """A finished epoch.

    Attributes:
        number: Its number, counted from 1.
        figures: Training loss and monitored metric, as far as they were computed.
        seconds: How long it took; nan where that is not known.
    """

    number: int
    figures: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class Standing:
    """How far a run is.

    Attributes:
        name: What it is called among the others.
        state: What it does.
        epochs: Number of epochs that were asked for.
        history: The finished epochs.
        best: Best value of the monitored metric so far; nan before the first.
    """

    name: str
    state: State
    epochs: int = 0
    history: tuple[Epoch, ...] = ()
    best: float = math.nan

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    @property
    def figures(self) -> dict[str, float]:
        """Figures of the last finished epoch."""
        return self.history[-1].figures if self.history else {}

    @property
    def seconds(self) -> float:
        """Mean duration of an epoch; nan before the first."""
        known = [epoch.seconds for epoch in self.history if not math.isnan(epoch.seconds)]
        return sum(known) / len(known) if known else math.nan

    @property
    def seconds_left(self) -> float:
        """Time that the remaining epochs take; nan where it is not known yet."""
        return 0.0 if self.state == "finished" else (self.epochs - self.epoch) * self.seconds


def standing_of(
    folder: RunFolder, name: str, *, epochs: int, monitor: str, mode: str, state: State | None = None
) -> Standing:
    """Read how far a run is.

    Args:
        folder: Its folder; it may not exist yet.
        name: What it is called among the others.
        epochs: Number of epochs that were asked for.
        monitor: The metric that is watched.
        mode: ``min`` or ``max``, whichever is better.
        state: What it does, where that is known; else it follows from the epochs.
    """
    history = tuple(_epochs(folder, ("train/loss", monitor)))
    state = state or ("waiting" if not history else "testing" if len(history) >= epochs else "training")
    values = [epoch.figures[monitor] for epoch in history if monitor in epoch.figures]
    return Standing(name, state, epochs, history, (min if mode == "min" else max)(values, default=math.nan))


def _epochs(folder: RunFolder, names: tuple[str, ...]) -> Iterator[Epoch]:
    for number, row in enumerate(_rows(folder), start=1):
        figures = {name: value for name in names if math.isfinite(value := _number(row.get(name)))}
        yield Epoch(number, figures, _number(row.get("seconds")))


def _rows(folder: RunFolder) -> list[dict[str, str]]:
    """Read the epochs that are finished; the table is replaced as a whole, so that it is never half there."""
    try:
        with folder.metrics.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, csv.Error):
        return []


def _number(text: str | None) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan
