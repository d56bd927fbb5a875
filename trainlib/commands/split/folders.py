"""The classes of cases, from the folders that hold their images."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np

from trainlib.commands.split.classes import dims_of
from trainlib.commands.split.labels import Labelled, first_files
from trainlib.commands.split.request import Request
from trainlib.data.complete import by_value
from trainlib.data.pairing import Files
from trainlib.errors import DataError, Problem


def from_folders(request: Request, cases: list[Files]) -> Labelled:
    """Take the folder of the first image of each case for its class, as in ``benign/001.png``.

    Raises:
        DataError: Images lie in no folder, or all in one.
    """
    cells = [PurePosixPath(case.paths[0]).parent.name for case in cases]
    text = "--label-folder: lies in no folder that could be named after its class."
    if problems := [Problem(text, case.paths[0]) for case, cell in zip(cases, cells, strict=True) if not cell]:
        raise DataError(first_files(problems))
    classes = sorted(set(cells), key=by_value)
    if len(classes) < 2:
        raise DataError(f"--label-folder: all images lie in folders named {classes[0]!r}, and a training needs two.")
    return Labelled(
        cases=cases,
        label_cols=[*request.label_cols] or ["label"],
        cells=[(cell,) for cell in cells],
        groups=None,
        classes=classes,
        holds=np.array([[cell == name for name in classes] for cell in cells]),
        dims=dims_of(request.folder / cases[0].paths[0]),
    )
