"""The lines of a config that read the CSVs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from trainlib.commands.split.labels import Labelled
from trainlib.commands.split.request import Request


def config_lines(request: Request, labelled: Labelled) -> str:
    """Write the section `data`, and in classification the task, as YAML."""
    segmentation = labelled.voxels is not None
    classes, label_map = (
        named_values([int(value) for value in labelled.classes]) if segmentation else _classes_of_cells(labelled)
    )
    csvs = {f"{part}_csv": _from_root(request.csvs[part], request.folder) for part in request.shares}
    data: dict[str, Any] = {
        "root": request.folder.as_posix(),
        **csvs,
        "image_cols": _one_or_all(request.image_cols),
        "label_cols": _one_or_all(labelled.label_cols),
        "classes": classes,
        **({"label_map": label_map} if label_map else {}),
        **({"spatial_dims": 2} if labelled.dims == 2 else {}),
        **({"group_col": request.group_column} if request.group_column else {}),
    }
    task = {} if segmentation else {"task": "classification"}
    # Lists in one line each.
    text = yaml.safe_dump(
        {**task, "data": data}, default_flow_style=None, sort_keys=False, allow_unicode=True, width=10**6
    )
    return str(text)


def _from_root(csv: Path, root: Path) -> str:
    """Write the path of a CSV as it is read: from the folder of the data, or absolute."""
    csv = Path(os.path.abspath(csv))
    start = os.path.abspath(root)
    return csv.relative_to(start).as_posix() if csv.is_relative_to(start) else csv.as_posix()


def _one_or_all(names: list[str]) -> str | list[str]:
    return names[0] if len(names) == 1 else names


def named_values(found: Iterable[int]) -> tuple[list[str], dict[int | str, str]]:
    """Name label values, background first, and map those that are not numbered through."""
    values = [value for value in found if value != 0] or [1]
    names = ["foreground"] if len(values) == 1 else [f"class_{value}" for value in values]
    label_map: dict[int | str, str] = {
        value: name for number, (value, name) in enumerate(zip(values, names, strict=True), 1) if value != number
    }
    return ["background", *names], label_map


def _classes_of_cells(labelled: Labelled) -> tuple[list[str], dict[int | str, str]]:
    """Take cells for names of classes, but for slashes, which a class must not have in its name."""
    names = {cell: cell.replace("/", "-") for cell in labelled.classes}
    return list(names.values()), {cell: name for cell, name in names.items() if cell != name}
