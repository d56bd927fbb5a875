"""CSVs that are there already, of data that somebody else has divided."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainlib.commands.init.patterns import LABELS
from trainlib.commands.init.request import Request
from trainlib.commands.split.classes import dims_of
from trainlib.commands.split.config_lines import named_values
from trainlib.commands.split.labels import Track, first_files
from trainlib.config.defaults import CLASSIFICATION, SEGMENTATION
from trainlib.config.schema import Config
from trainlib.data.complete import complete
from trainlib.data.contents import Content, read_contents
from trainlib.data.formats import is_nifti, is_picture
from trainlib.data.splits import SPLITS, read_split
from trainlib.data.table import Table, read_table
from trainlib.errors import DataError, Problem

_LOOKED_AT = 5  # rows, to tell columns of files from others
_PATIENTS = ("patient", "patient_id", "subject", "subject_id")


def tables_folder(request: Request) -> Path | None:
    """Find the folder of CSVs that divide the data: the project's own, or that of the data; None without any."""
    assert request.data is not None
    for folder in (request.data_folder, *([] if request.names_files else [request.data])):
        if all((folder / f"{split}.csv").is_file() for split in ("train", "valid")):
            return folder
    return None


def described(request: Request, folder: Path, track: Track) -> tuple[str, int, dict[str, Any]]:
    """Read from the CSVs, and from the labels, what the section ``data`` has to say.

    Args:
        request: What is asked for.
        folder: The folder of the CSVs.
        track: Shows how many label maps were read.

    Returns:
        Task, spatial dimensions and the section.

    Raises:
        InputError: The CSVs or the labels cannot be used, or do not show which columns are which.
    """
    root = os.path.abspath(request.data or folder)
    csvs = {f"{split}_csv": os.path.abspath(folder / f"{split}.csv") for split in SPLITS if split != "predict"}
    csvs = {key: path for key, path in csvs.items() if os.path.isfile(path)}
    common = {"root": root, **csvs}
    table = read_table(_config(CLASSIFICATION, common), csvs["train_csv"])
    task, images, labels = _columns(request, table, Path(root))
    data = {**common, "image_cols": images, "label_cols": labels}
    if group := _patient(request, table) or _divided_by(table, labels):
        data["group_col"] = group
    if task == CLASSIFICATION:
        classes = complete(_config(task, data)).data.classes
        return task, dims_of(Path(root) / table[images[0]][0]) or request.dims or 3, {**data, "classes": classes}
    classes, label_map, dims = _of_maps(_config(task, data), track)
    return task, dims, {**data, "classes": classes, **({"label_map": label_map} if label_map else {})}


def _config(task: str, data: dict[str, Any]) -> Config:
    classes = {"classes": ["background", "foreground"]} if task == SEGMENTATION else {}
    return Config.model_validate({"task": task, "data": {**classes, **data}})


def _columns(request: Request, table: Table, root: Path) -> tuple[str, list[str], list[str]]:
    """Tell the task, the columns of images and those of labels."""
    columns = table.columns
    files = [column for column in columns if _are_files(table[column][:_LOOKED_AT], root)]
    maps = [column for column in files if column.lower() in {*LABELS, "segmentation", "target", "gt"}]
    labels = list(request.label_cols)
    others = [column for column in columns if column not in (*files, _patient(request, table))]
    task = request.task or (SEGMENTATION if maps or (labels and labels[0] in files) else CLASSIFICATION)
    if not labels and task == SEGMENTATION:
        labels = maps or (files[1:] if len(files) == 2 else [])
    elif not labels:
        labels = ["label"] if "label" in others else others
    images = [column for column in files if column not in (*labels, *maps)]
    unknown = [column for column in labels if column not in columns]
    here = f"the columns are {', '.join(columns)}"
    if not images:
        raise DataError([Problem(f"{here}. None holds paths of images, from {root} or absolute.", "train.csv:1")])
    if (len(labels) != 1 and not request.label_cols) or unknown:
        text = "Name that of the labels with --label-col, and that of the patient with --group-col."
        raise DataError([Problem(f"{here}. {text}", "train.csv:1")])
    return task, images, labels


def _patient(request: Request, table: Table) -> str | None:
    """Return the column that names the patient of every case: the one that is given, else one with a usual name."""
    usual = (column for column in table.columns if column.lower() in _PATIENTS and all(table[column]))
    return request.group_col or next(usual, None)


def _divided_by(table: Table, labels: Sequence[str]) -> str | None:
    """Return the column that `trainlib split` adds for patients, unless it holds the classes."""
    return "group" if "group" in table and "group" not in labels and all(table["group"]) else None


def _are_files(cells: Sequence[str], root: Path) -> bool:
    """Tell whether cells name files: that are there, or that would be images; what is missing is told with its row."""
    return bool(cells) and all(_is_image(cell) or os.path.isfile(root / os.path.expanduser(cell)) for cell in cells)


def _is_image(cell: str) -> bool:
    return is_nifti(Path(cell)) or is_picture(Path(cell))


def _of_maps(config: Config, track: Track) -> tuple[list[str], dict[int | str, str], int]:
    """Read the label maps of all splits: names for their values, and the dimensions of the images."""
    paths = [case.label for split in SPLITS if split != "predict" for case in read_split(config, split) if case.label]
    found = list(track(read_contents(paths), len(paths)))
    if problems := [Problem(str(c), str(p)) for p, c in zip(paths, found, strict=True) if isinstance(c, DataError)]:
        raise DataError(first_files(problems))
    contents = [content for content in found if isinstance(content, Content)]
    classes, label_map = named_values(sorted({value for content in contents for value in content.voxels}))
    return classes, label_map, max(content.dims for content in contents)
