"""The commands that make data sets: phantom."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from trainlib.cli.app import app
from trainlib.cli.output import refuse
from trainlib.errors import Problem


class _Task(StrEnum):
    segmentation = "segmentation"
    classification = "classification"


class _Format(StrEnum):
    png = "png"
    nifti = "nifti"


@app.command()
def phantom(
    folder: Annotated[Path, typer.Argument(help="Empty or new folder.")],
    dims: Annotated[int, typer.Option("--dims", min=2, max=3, help="Spatial dimensions.")] = 3,
    channels: Annotated[int, typer.Option("--channels", min=1, help="Images of each case.")] = 1,
    task: Annotated[_Task, typer.Option("--task", help="What the labels are for.")] = _Task.segmentation,
    multilabel: Annotated[
        bool, typer.Option("--multilabel", help="Several findings in an image, a 0/1 column for each.")
    ] = False,
    file_format: Annotated[
        _Format | None, typer.Option("--format", help="Of images and masks; default: png in 2-D, nifti in 3-D.")
    ] = None,
    rgb: Annotated[bool, typer.Option("--rgb", help="Colour pictures; 2-D PNG alone.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random draws.")] = 0,
) -> None:
    """Write a small generated data set with its three CSV files."""
    file_format = file_format or (_Format.png if dims == 2 else _Format.nifti)
    if file_format == _Format.png and dims == 3:
        refuse([Problem("--format png: a picture has two dimensions. Add --dims 2, or leave it out.")])
    if rgb and (file_format != _Format.png or channels > 1):
        refuse([Problem("--rgb: only 2-D PNG images have colours, which are their channels. Add --dims 2 alone.")])
    if multilabel and task != _Task.classification:
        refuse([Problem("--multilabel: only classification has findings. Add --task classification.")])
    from trainlib.data.phantom import CLASSES, FINDINGS, make_classification_dataset, make_dataset

    common: dict[str, Any] = {"spatial_dims": dims, "channels": channels, "file_format": file_format.value, "rgb": rgb}
    try:
        if task == _Task.classification:
            make_classification_dataset(folder, multilabel=multilabel, seed=seed, **common)
        else:
            make_dataset(folder, seed=seed, **common)
    except FileExistsError as error:
        refuse([Problem(f"{error}. Choose another folder.")])
    except OSError as error:
        refuse([Problem(f"{folder} cannot be written ({error.strerror}). Choose another folder.")])
    classes = FINDINGS if task == _Task.classification else CLASSES
    print(f"{folder}: train.csv, valid.csv, test.csv; classes: {', '.join(classes)}")
