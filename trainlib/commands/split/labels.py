"""Cases with what is known of their labels, and how it is read from label maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainlib.commands.split.request import Request
from trainlib.data.contents import Content, read_contents
from trainlib.data.pairing import Files
from trainlib.data.table import shortened
from trainlib.errors import DataError, Problem

Array = np.ndarray[Any, Any]
Track = Callable[[Iterable[Any], int], Iterable[Any]]
"""Hands on what it is given, which are so many, and shows how far it is."""

_MOST_FILES = 10  # files named for one kind of mistake; the rest is counted
_MANY_VALUES = 100  # label values beyond which label maps are seldom meant


@dataclass(frozen=True)
class Labelled:
    """Cases, and the classes in them.

    Attributes:
        cases: The cases, with the paths of their images alone.
        label_cols: Columns of the labels.
        cells: Cells of the label columns of each case.
        groups: The patient of each case, from the CSV; None where it does not tell.
        classes: Classes that occur: label values in segmentation, else cells or, in a multi-label task, columns.
        holds: Whether a case holds a class, shape (cases, classes).
        voxels: Voxels of each class in segmentation, same shape; None in classification.
        dims: Spatial dimensions of the images; None where they are not known.
        left_out: A sentence for each case or row that has no partner.
        notes: What the user should know.
    """

    cases: list[Files]
    label_cols: list[str]
    cells: list[tuple[str, ...]]
    groups: list[str] | None
    classes: list[str]
    holds: Array
    voxels: Array | None = None
    dims: int | None = None
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def contents(self) -> Array:
        """What every part is to have its share of: cases of a class, and voxels; shape (cases, columns)."""
        return np.hstack([self.holds, *([] if self.voxels is None else [self.voxels])]).astype(np.float64)


def from_maps(request: Request, pairs: list[Files], track: Track) -> Labelled:
    """Read the label maps, the last file of each case.

    Raises:
        DataError: Some are no label maps; it names them all.
    """
    files = [pair.paths[-1] for pair in pairs]
    found = list(track(read_contents([request.folder / file for file in files]), len(files)))
    if problems := [Problem(str(c), file) for file, c in zip(files, found, strict=True) if isinstance(c, DataError)]:
        raise DataError(first_files(problems))
    contents = [content for content in found if isinstance(content, Content)]
    values = sorted({value for content in contents for value in content.voxels})
    voxels = np.array([[content.voxels.get(value, 0) for value in values] for content in contents])
    many = f"The label maps hold {len(values)} different values. Are --image and --label the right way round?"
    empty = "The label maps hold nothing but background (0)."
    return Labelled(
        cases=[Files(pair.name, pair.paths[:-1]) for pair in pairs],
        label_cols=[*request.label_cols] or ["label"],
        cells=[(file,) for file in files],
        groups=None,
        classes=[str(value) for value in values],
        holds=voxels > 0,
        voxels=voxels,
        dims=max(content.dims for content in contents),
        notes=[many] * (len(values) > _MANY_VALUES) + [empty] * (values == [0]),
    )


def first_files(problems: list[Problem]) -> list[Problem]:
    """Keep the first files of many with mistakes of one kind, and count the others."""
    return shortened(problems, "", _MOST_FILES, "with {} more files")
