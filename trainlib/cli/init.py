"""The command that sets a project up: init."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainlib.cli.app import app
from trainlib.cli.output import told
from trainlib.cli.split import show_division, tracked

if TYPE_CHECKING:
    from trainlib.commands.init import Project


class _Task(StrEnum):
    segmentation = "segmentation"
    classification = "classification"


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the project, new or not.")],
    task: Annotated[
        _Task | None, typer.Option("--task", help="What the network is trained to do; default: segmentation.")
    ] = None,
    dims: Annotated[
        int | None, typer.Option("--dims", min=2, max=3, help="Spatial dimensions; default: those of the data, or 3.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FOLDER", help="Images and labels; CSVs are made in DIR/data.")
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Generate a small data set.")] = False,
    image: Annotated[
        list[str] | None, typer.Option("--image", metavar="GLOB", help="Images in FOLDER; default: by the usual names.")
    ] = None,
    label: Annotated[str | None, typer.Option("--label", metavar="GLOB", help="Label maps in FOLDER.")] = None,
    label_csv: Annotated[
        Path | None, typer.Option("--label-csv", help="CSV with the classes of the images (classification).")
    ] = None,
    label_folder: Annotated[
        bool, typer.Option("--label-folder", help="The folder of an image is named after its class (classification).")
    ] = False,
    label_col: Annotated[
        list[str] | None, typer.Option("--label-col", metavar="COLUMN", help="Column of the classes.")
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", metavar="REGEX", help=r"Finds the patient in a path, as in 'p(\d+)'.")
    ] = None,
    group_col: Annotated[
        str | None, typer.Option("--group-col", metavar="COLUMN", help="Column of --label-csv that names the patient.")
    ] = None,
) -> None:
    """Set a project up: config, data, notebooks, patches, Makefile, CI and git. What is there already is kept."""
    with told():
        from trainlib.commands.init import Request
        from trainlib.commands.init import init as run_init

        request = Request(
            folder=folder,
            task=task and task.value,
            dims=dims,
            data=data,
            demo=demo,
            images=tuple(image or ()),
            label=label,
            label_csv=label_csv,
            label_folder=label_folder,
            label_cols=tuple(label_col or ()),
            group=group,
            group_col=group_col,
        )
        _show(run_init(request, tracked))


def _show(project: Project) -> None:
    """Print what was written and kept, and what comes next."""
    if project.division is not None:
        show_division(project.division, segmentation=project.facts.task == "segmentation")
    if project.kept:
        print(f"kept as they are: {', '.join(project.kept)}", file=sys.stderr)
    if "config.yaml" in project.kept:
        print("The other files go with this config.yaml; no data were looked at or generated.", file=sys.stderr)
    print(f"{project.folder}: {', '.join(project.written) or 'nothing was missing'}\n{project.git}")
    step = "make check fit" if project.facts.known else "see README.md for the data, then: make check fit"
    print(f"Next: cd {shlex.quote(str(project.folder))}; {step}")
