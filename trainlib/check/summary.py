"""What was learned of a data set, in numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainlib.check.labels import class_shares
from trainlib.check.reading import File
from trainlib.check.survey import Survey
from trainlib.check.voxels import Range

Learned = dict[str, Any]
"""Topic -> numbers and their containers, as they are written to JSON."""


def learned(survey: Survey) -> Learned:
    """Sum up cases, grids, intensities and classes.

    Args:
        survey: What was read.
    """
    files = list(dict.fromkeys((path, header) for _, path, header in survey.headers()))
    headers = [header for _, header in files]
    return {
        "cases": {split: len(cases) for split, cases in survey.splits.items()},
        "patients": _patients(survey),
        "shape": _spread([header.shape for header in headers]),
        "spacing": _spread([header.spacing for header in headers if header.affine is not None and header.usable]),
        "orientations": _counts(header.orientation for header in headers),
        "types": _counts(header.dtype for header in headers),
        "formats": _counts("".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix for path, _ in files),
        "channels": _counts(header.channels for header in headers),
        "intensities": _intensities(survey),
        "classes": _classes(survey),
    }


def _patients(survey: Survey) -> dict[str, int]:
    groups = {split: {case.group for case in cases if case.group} for split, cases in survey.splits.items()}
    return {split: len(members) for split, members in groups.items() if members}


def _counts(values: Any) -> dict[Any, int]:
    """Count values, the most frequent first."""
    return {value: count for value, count in Counter(values).most_common() if value != ""}


def _spread(rows: Sequence[tuple[float, ...]]) -> dict[str, list[float]]:
    """Return the smallest, the median and the largest value along each axis, of the usual number of axes."""
    if not rows:
        return {}
    dims = Counter(map(len, rows)).most_common(1)[0][0]
    table = np.array([row for row in rows if len(row) == dims])
    spread = {"smallest": table.min(axis=0), "median": np.median(table, axis=0), "largest": table.max(axis=0)}
    return {name: [float(value) for value in values] for name, values in spread.items()}


def _intensities(survey: Survey) -> list[dict[str, Any]]:
    """Describe the values of each channel of each image column over all cases."""
    columns = survey.config.data.image_cols
    found: dict[tuple[int, int], dict[File, Range]] = defaultdict(dict)
    for case in survey.cases:
        for index, path in enumerate(case.images):
            voxels = survey.image(case, index).voxels
            for channel, values in enumerate(voxels.ranges if voxels else ()):
                found[index, channel][File(path)] = values
    rows = []
    for (index, channel), ranges in sorted(found.items()):
        table = np.array(list(ranges.values()))
        names = ("minimum", "percentile_1", "median", "percentile_99", "maximum")
        middle = {name: float(value) for name, value in zip(names, np.median(table, axis=0), strict=True)}
        extremes = {"lowest": float(table[:, 0].min()), "highest": float(table[:, -1].max())}
        rows.append({"column": columns[index], "channel": channel, **extremes, "median_of": middle})
    return rows


def _classes(survey: Survey) -> dict[str, dict[str, Any]]:
    """Count the cases that have each class, and the share of voxels in it, for each split."""
    table: dict[str, dict[str, Any]] = {}
    for split, shares in class_shares(survey).items():
        voxels = sum(shares.voxels.values())
        table[split] = {
            name: {
                "cases": shares.cases[name],
                "share": shares.voxels[name] / voxels if voxels else shares.cases[name] / shares.of,
            }
            for name in survey.config.data.classes
        }
    return table
