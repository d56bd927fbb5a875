"""What a trial has reported, read from its run folder."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass

from trainlib.folder import RunFolder


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


def reports_of(folder: RunFolder, metric: str, mode: str) -> list[Report]:
    """Read the metric after each epoch in which it was computed; figures that are not finite are left out.

    Args:
        folder: The run folder.
        metric: The metric.
        mode: ``min`` or ``max``, whichever is better.
    """
    reports: list[Report] = []
    for row in epochs_of(folder):
        value = _number(row.get(metric))
        if math.isfinite(value):
            best = value if not reports else (min if mode == "min" else max)(reports[-1].best, value)
            reports.append(Report(int(row["epoch"]) + 1, value, best))
    return reports


def epochs_of(folder: RunFolder) -> list[dict[str, str]]:
    """Read the rows of the finished epochs; none where there are none yet."""
    try:
        with folder.metrics.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, csv.Error):
        return []


def seconds_of(folder: RunFolder) -> float:
    """Sum up how long the epochs took."""
    seconds = [_number(row.get("seconds")) for row in epochs_of(folder)]
    return math.fsum(value for value in seconds if math.isfinite(value))


def _number(text: str | None) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan
