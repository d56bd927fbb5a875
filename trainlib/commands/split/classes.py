"""The classes of cases, from a CSV."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trainlib.commands.split.labels import Labelled
from trainlib.commands.split.request import Request
from trainlib.config.schema import Config
from trainlib.data.complete import by_value
from trainlib.data.formats import is_nifti, is_picture
from trainlib.data.matching import match_rows
from trainlib.data.pairing import Files
from trainlib.data.table import Table, read_table, shortened
from trainlib.errors import DataError, Problem
from trainlib.suggest import did_you_mean


def from_csv(request: Request, cases: list[Files]) -> Labelled:
    """Look up the cases in the CSV of the classes.

    Raises:
        DataError: The CSV, its columns or its cells cannot be used.
    """
    assert request.label_csv is not None
    csv = request.label_csv.name
    data: dict[str, Any] = {"root": os.path.abspath(request.label_csv.parent), "train_csv": csv, "valid_csv": csv}
    data |= {"label_cols": [*request.label_cols]} if request.label_cols else {}
    config = Config.model_validate({"task": "classification", "data": data})
    table = _read(request.label_csv, config)
    named = [*request.label_cols, *filter(None, [request.group_col])]
    if missing := [column for column in named if column not in table]:
        raise DataError(
            Problem(f"there is no column {c!r}.{did_you_mean(c, table.columns)}", f"{csv}:1") for c in missing
        )
    matched = match_rows(table, csv, cases, request.key, named)
    label_cols = [*request.label_cols] or _find_label(request, table, csv, matched.key)
    table = table.at(matched.rows)
    flags = config.label_cells if config.multilabel else None
    problems = [p for column in label_cols for p in _cell_problems(table, csv, column, flags)]
    problems += _cell_problems(table, csv, request.group_col, None) if request.group_col else []
    if problems:
        raise DataError(problems)
    cells = list(zip(*(table[column] for column in label_cols), strict=True))
    classes = label_cols if flags else sorted({cell for (cell,) in cells}, key=by_value)
    holds = [[flags[cell] == 1 for cell in row] if flags else [row[0] == name for name in classes] for row in cells]
    alone = f"--label-col {label_cols[0]}: holds one class only, {classes[0]}. A training needs two."
    return Labelled(
        cases=matched.cases,
        label_cols=label_cols,
        cells=cells,
        groups=table[request.group_col] if request.group_col else None,
        classes=classes,
        holds=np.array(holds, dtype=bool),
        dims=dims_of(request.folder / matched.cases[0].paths[0]),
        left_out=matched.left_out,
        notes=[f"{csv}: the column {matched.key} names the files"] * (request.key is None)
        + [alone] * (len(classes) < 2),
    )


def _read(csv: Path, config: Config) -> Table:
    """Read the CSV as that of a split is read."""
    table = read_table(config, csv.name)
    columns = table.columns
    if len(columns) == 1 and any(separator in columns[0] for separator in ";\t|"):
        raise DataError(
            [Problem("the columns are not separated by commas. Save the file with commas.", f"{csv.name}:1")]
        )
    if doubled := {column for column in columns if columns.count(column) > 1}:
        raise DataError(Problem(f"two columns are named {c!r}. Rename one.", f"{csv.name}:1") for c in sorted(doubled))
    if not len(table):
        raise DataError([Problem("lists no case. Add a row for each case below the header.", csv.name)])
    return table


def _find_label(request: Request, table: Table, csv: str, key: str) -> list[str]:
    """Choose the column of the classes: the one called so, or the only one that is left."""
    rest = [column for column in table.columns if column not in (key, request.group_col)]
    label = "label" if "label" in rest else rest[0] if len(rest) == 1 else None
    if label is None:
        names = ", ".join(rest) or "it has no other column"
        raise DataError(f"--label-col is missing. Name the column of the classes in {csv}: {names}.")
    if label in request.image_cols:
        raise DataError(f"{csv}: the column of the classes is named {label!r}, as that of the images. Give --name.")
    return [label]


def _cell_problems(table: Table, csv: str, column: str, flags: Mapping[str, int] | None) -> list[Problem]:
    """Find empty cells, and those that are none of `flags`, if these are what may stand there."""
    cells = [(f"{csv}:{row}", cell) for row, cell in zip(table.index, table[column], strict=True)]
    empty = [
        Problem(f"column {column!r} is empty. Fill it in, or take the row away.", where)
        for where, cell in cells
        if not cell
    ]
    wrong = [
        Problem(f"column {column!r}: expected 0 or 1, for there are several label columns, found {cell!r}.", where)
        for where, cell in cells
        if cell and flags is not None and cell not in flags
    ]
    return [*shortened(empty, csv), *shortened(wrong, csv)]


def dims_of(image: Path) -> int | None:
    """Look up whether an image has two or three dimensions; None where its header does not tell."""
    if is_picture(image):
        return 2
    if not is_nifti(image):
        return None
    import nibabel as nib

    try:
        shape = nib.load(image).shape[:3]
    except Exception:  # of many kinds; a training will say that the file cannot be read
        return None
    return 3 if shape[2:] and shape[2] > 1 else 2
