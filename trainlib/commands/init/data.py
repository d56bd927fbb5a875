"""The data of a new project: divided, generated, or yet to come."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from trainlib.commands.init.facts import CSVS, Facts, unknown
from trainlib.commands.init.patterns import with_patterns
from trainlib.commands.init.reading import read_images
from trainlib.commands.init.request import Request
from trainlib.commands.init.tables import described, tables_folder
from trainlib.commands.split import Division, split
from trainlib.commands.split import Request as SplitRequest
from trainlib.commands.split.labels import Track
from trainlib.config.defaults import CLASSIFICATION, SEGMENTATION
from trainlib.config.schema import Config
from trainlib.data.phantom import CLASSES, FINDINGS, make_classification_dataset, make_dataset
from trainlib.errors import InputError, Problem

_COLUMNS = ("image_cols", "label_cols")
_OF_SPLIT = ("--name", "--key", "--out", "--overwrite", "--valid", "--test ", "--seed")  # and not of `init`


def facts_and_division(request: Request, name: str, track: Track) -> tuple[Facts, Division | None]:
    """Generate or divide the data, and read what a config has to say of them.

    Args:
        request: What is asked for.
        name: Name of the runs.
        track: Shows how many label maps were read.

    Raises:
        InputError: The data cannot be used.
    """
    if request.data is not None:
        there = tables_folder(request)
        return _divided(request, name, track) if there is None else (_from_tables(request, name, there, track), None)
    task, dims = request.chosen_task, request.dims or 3
    return (_generated(request, name, task, dims) if request.demo else unknown(name, task, dims)), None


def _generated(request: Request, name: str, task: str, dims: int) -> Facts:
    """Write a generated data set into the project, PNG in 2-D."""
    make = make_classification_dataset if task == CLASSIFICATION else make_dataset
    make(request.data_folder, spatial_dims=dims, file_format="nifti" if dims == 3 else "png")
    classes = FINDINGS if task == CLASSIFICATION else CLASSES
    data = {"root": "data", **CSVS, "image_cols": ["image"], "label_cols": ["label"], "classes": [*classes]}
    return _read(request, name, task, dims, data)


def _divided(request: Request, name: str, track: Track) -> tuple[Facts, Division]:
    """Make the CSVs as `trainlib split` does, in the folder of the project's data."""
    request = with_patterns(request)
    assert request.data is not None
    asked = SplitRequest(
        folder=request.data,
        images=request.images,
        label=request.label,
        label_csv=request.label_csv,
        label_folder=request.label_folder,
        label_cols=request.label_cols,
        group=request.group,
        group_col=request.group_col,
        out=request.data_folder,
    )
    division = _split(asked, track)
    lines: dict[str, Any] = yaml.safe_load(division.config)
    data: dict[str, Any] = {"spatial_dims": 3} | lines["data"]
    dims = data.pop("spatial_dims")
    try:
        _compare_dims(request, dims)
        data |= {column: [data[column]] if isinstance(data[column], str) else data[column] for column in _COLUMNS}
        data = _named_from_project(request, data)
        return _read(request, name, lines.get("task", SEGMENTATION), dims, data), division
    except BaseException:
        for csv in division.csvs.values():  # of a project that does not come about
            csv.unlink(missing_ok=True)
        raise


def _split(asked: SplitRequest, track: Track) -> Division:
    """Divide as `trainlib split` does; where only an option of that helps, say how it is used."""
    try:
        return split(asked, track)
    except InputError as error:
        if not any(option in str(error) for option in _OF_SPLIT):
            raise
        text = "Use `trainlib split` with these options, and then `trainlib init`, which takes the CSVs that are there."
        raise InputError([*error.problems, Problem(text)]) from error


def _from_tables(request: Request, name: str, folder: Path, track: Track) -> Facts:
    """Take the CSVs that are there."""
    task, dims, data = described(request, folder, track)
    _compare_dims(request, dims)
    return _read(request, name, task, dims, _named_from_project(request, data))


def _compare_dims(request: Request, dims: int) -> None:
    if request.dims not in (None, dims):
        raise InputError(f"--dims {request.dims}: the images of {request.data} have {dims} dimensions. Leave it out.")


def _named_from_project(request: Request, data: dict[str, Any]) -> dict[str, Any]:
    """Write the root from the folder of the project, and the CSVs from the root; absolute where they lie elsewhere."""
    root, project = Path(os.path.abspath(data["root"])), Path(os.path.abspath(request.folder))
    named = {"root": root.relative_to(project).as_posix() if root.is_relative_to(project) else root.as_posix()}
    for key in CSVS.keys() & data.keys():
        csv = root / data[key]
        together = csv.is_relative_to(root) or (csv.is_relative_to(project) and root.is_relative_to(project))
        named[key] = Path(os.path.relpath(csv, root) if together else csv).as_posix()
    return {**data, **named}


def _read(request: Request, name: str, task: str, dims: int, data: dict[str, Any]) -> Facts:
    """Read the headers of the training images."""
    root = os.path.join(os.path.abspath(request.folder), data["root"])
    config = Config.model_validate({"task": task, "data": {**data, "root": root, "spatial_dims": dims}})
    read = read_images(config)
    return Facts(
        name,
        task,
        dims,
        data,
        read.size,
        read.spacing,
        read.channels,
        nifti=read.nifti,
        demo=request.demo,
        known=True,
    )
