"""The command that makes the CSVs of a data set: split."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainlib.cli.app import app
from trainlib.cli.output import refuse, told
from trainlib.errors import Problem

if TYPE_CHECKING:
    from trainlib.commands.split import Division


@app.command(context_settings={"allow_extra_args": True})
def split(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the data.")],
    image: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="GLOB", help="Images, as in 'images/*.nii.gz'; once for each image column."),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", metavar="GLOB", help="Label maps, as in 'labels/*.nii.gz' (segmentation).")
    ] = None,
    label_csv: Annotated[
        Path | None, typer.Option("--label-csv", help="CSV with the classes of the images (classification).")
    ] = None,
    label_folder: Annotated[
        bool, typer.Option("--label-folder", help="The folder of an image is named after its class (classification).")
    ] = False,
    label_col: Annotated[
        list[str] | None,
        typer.Option("--label-col", metavar="COLUMN", help="Column of the classes; several make it multi-label."),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="COLUMN", help="Column that names the files; default: found.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="COLUMN", help="What to call the column of an image; once for each --image."),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option("--group", metavar="REGEX", help=r"Finds the patient in a path, as in 'patient_(\d+)'."),
    ] = None,
    group_col: Annotated[
        str | None, typer.Option("--group-col", metavar="COLUMN", help="Column of --label-csv that names the patient.")
    ] = None,
    valid: Annotated[float, typer.Option("--valid", help="Share of the validation cases.")] = 0.15,
    test: Annotated[float, typer.Option("--test", help="Share of the test cases; 0 makes no test set.")] = 0.15,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed gives another division.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the CSVs; default: DIR.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace CSVs that are there.")] = False,
) -> None:
    """Make train.csv, valid.csv and test.csv from a folder: pair its files, divide by patient, alike in classes."""
    if ctx.args:
        text = "expected nothing more. Put patterns in quotes, so that the shell leaves them alone."
        refuse([Problem(f"{ctx.args[0]}: {text}")])
    from trainlib.commands.split import Request, split

    request = Request(
        folder=folder,
        images=tuple(image or ()),
        label=label,
        label_csv=label_csv,
        label_folder=label_folder,
        key=key,
        label_cols=tuple(label_col or ()),
        names=tuple(name or ()),
        group=group,
        group_col=group_col,
        valid=valid,
        test=test,
        seed=seed,
        out=out,
        overwrite=overwrite,
    )
    with told():
        division = split(request, tracked)
        show_division(division, segmentation=label is not None)
        print(f"For the config:\n\n{division.config}", end="")


def tracked(items: Iterable[Any], total: int) -> Iterable[Any]:
    """Show how many label maps were read, where somebody watches."""
    from tqdm import tqdm

    return tqdm(items, "label maps", total, leave=False, disable=None)


def show_division(division: Division, *, segmentation: bool) -> None:
    """Print what was left out, what each part holds, and where."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    for sentence in division.left_out:
        print(sentence, file=sys.stderr)
    if count := len(division.left_out):
        print(f"{count} {'file or row is' if count == 1 else 'files or rows are'} left out.", file=sys.stderr)
    for note in division.notes:
        print(note, file=sys.stderr)
    what = "cases that hold it (its share of the voxels)" if segmentation else "its cases (and their share)"
    table = Table("", *division.rows[0].cells, caption=f"of a class: {what}", caption_justify="left")
    for row in division.rows:
        table.add_row(escape(row.name), *row.cells.values())
    Console().print(table)
    print(f"{', '.join(map(str, division.csvs.values()))}.", end=" ")
