"""What was logged so far, read from the table of epochs."""

from __future__ import annotations

import csv
from pathlib import Path

Series = dict[str, list[tuple[float, float]]]
"""Metric -> epochs, counted from 1, with their values."""


def read_series(path: Path) -> Series:
    """Read the points of every metric in ``metrics.csv``.

    Args:
        path: The table; it may not exist yet.

    Returns:
        For each metric the epochs, counted from 1, with its values.
    """
    series: Series = {}
    if not path.is_file():
        return series
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name, text in row.items():
                if text and name not in ("epoch", "step", "seconds"):
                    series.setdefault(name, []).append((float(row["epoch"]) + 1, float(text)))
    return series
