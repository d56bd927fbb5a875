"""What was logged so far, read from the table of epochs."""

from __future__ import annotations

from pathlib import Path

from trainlib.system.files import read_rows

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
    for row in read_rows(path, lambda row: row.get("epoch", "").isdigit()):
        for name, text in row.items():
            if text and name not in ("epoch", "step", "seconds"):
                series.setdefault(name, []).append((float(row["epoch"]) + 1, float(text)))
    return series
