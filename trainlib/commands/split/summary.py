"""What the parts of a division hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from trainlib.commands.split.labels import Labelled
from trainlib.commands.split.request import PARTS, Request

Array = np.ndarray[Any, Any]

_FAR = 0.05  # share of the cases by which a part may miss its own before it is said


class Row(NamedTuple):
    """A line of the table: what is counted, and the text for each part and for all together."""

    name: str
    cells: dict[str, str]


def summary_rows(labelled: Labelled, groups: list[str] | None, parts: list[str], names: list[str]) -> list[Row]:
    """Count cases, patients and classes.

    Args:
        labelled: The cases.
        groups: The patient of each case.
        parts: The part of each case.
        names: All parts, in order.

    Returns:
        A line each for the cases, the patients where they are known, and every class: in classification the cases of
        the class and their share; in segmentation the share of cases that hold it, and its share of the voxels.
    """
    its = np.array(parts)
    chosen = {name: its == name for name in names} | {"all": np.full(len(its), True)}
    rows = [Row("cases", {name: str(mask.sum()) for name, mask in chosen.items()})]
    if groups:
        patients = np.array(groups)
        rows.append(Row("patients", {name: str(len(set(patients[mask]))) for name, mask in chosen.items()}))
    for number, label in enumerate(labelled.classes):
        cells = {name: _cell(labelled, number, mask) for name, mask in chosen.items()}
        rows.append(Row(label if labelled.voxels is None else f"label {label}", cells))
    return rows


def _cell(labelled: Labelled, number: int, mask: Array) -> str:
    holds = labelled.holds[mask, number]
    if labelled.voxels is None:
        return f"{holds.sum()} ({holds.mean():.1%})"
    voxels = labelled.voxels[mask]
    return f"{100 * holds.mean():.3g}% ({100 * voxels[:, number].sum() / voxels.sum():.3g}%)"


def notes_on(request: Request, labelled: Labelled, groups: list[str] | None, parts: list[str]) -> Iterator[str]:
    """Say what a user should know of the division: classes that a part lacks, sizes that were out of reach."""
    its = np.array(parts)
    for part, share in request.shares.items():
        mask = its == part
        csv = request.csvs[part].name
        for name, everywhere, here in zip(labelled.classes, labelled.holds.T, labelled.holds[mask].T, strict=True):
            if everywhere.any() and not here.any():
                what = name if labelled.voxels is None else f"label {name}"
                count = int(everywhere.sum())
                yield f"{csv}: no case holds {what}; in all {'one does' if count == 1 else f'{count} do'}."
        if abs(mask.mean() - share) > _FAR:
            reason = ""
            if groups:
                largest, count = Counter(groups).most_common(1)[0]
                if count > 1 and count / len(its) > abs(mask.mean() - share):
                    reason = f", for patients stay whole; {largest} alone has {count}"
            yield f"{csv}: has {mask.mean():.1%} of the cases instead of {share:.1%}{reason}."
    for part in PARTS:
        if part not in request.shares and request.csvs[part].exists():
            yield f"{request.csvs[part]}: is of an earlier split. Do not use it with the new ones."
    if groups is None:
        yield "Every case counts as a patient of its own. Name the patients by --group or --group-col if it is not so."
