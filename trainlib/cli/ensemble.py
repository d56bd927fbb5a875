"""The command that trains many models and predicts with them as one: ensemble."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from trainlib.cli.app import SETTINGS, Files, app
from trainlib.cli.arguments import arguments
from trainlib.cli.checking import checked
from trainlib.cli.many import Ask, shown
from trainlib.cli.output import refuse, start_logging, told
from trainlib.errors import Interrupted, Problem

if TYPE_CHECKING:
    from trainlib.ensemble.summary import Figure
    from trainlib.folders.ensemble import Ensemble


@app.command(context_settings=SETTINGS)
def ensemble(
    ctx: typer.Context,
    config: Files = None,
    folds: Annotated[
        int | None, typer.Option("--folds", help="Divide training and validation cases anew, each part held out once.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", help="Train on the same cases with so many seeds instead.")
    ] = None,
    parallel: Annotated[int, typer.Option("--parallel", min=1, help="Members that are trained side by side.")] = 1,
    address: Annotated[
        str | None, typer.Option("--address", help="Address of a running Ray cluster to train on.")
    ] = None,
) -> None:
    """Train the folds or seeds of a config, and score them together; the same command continues what was cut off."""
    files, overrides = arguments(ctx, config)
    _check_options(folds, seeds)
    ready = checked(files, overrides, "fit")
    from trainlib.callbacks import Record
    from trainlib.ensemble.ensemble import fit_ensemble

    start_logging()
    record = Record(("trainlib", *sys.argv[1:]), tuple(files))

    def watch(ask: Ask) -> AbstractContextManager[None]:
        return shown(ask, what="fold" if folds else "member", parallel=parallel)

    with told():
        try:
            done, figures = fit_ensemble(
                ready, folds=folds, seeds=seeds, parallel=parallel, address=address, record=record, watch=watch
            )
        except Interrupted as error:
            print("Interrupted. The same command continues; what is finished stays so.", file=sys.stderr)
            raise typer.Exit(error.exit_status) from None
    _show(done, figures)


def _check_options(folds: int | None, seeds: int | None) -> None:
    if (folds is None) == (seeds is None):
        refuse([Problem("Give either --folds or --seeds, as in `trainlib ensemble -c config.yaml --folds 5`.")])
    for name, count in (("folds", folds), ("seeds", seeds)):
        if count is not None and count < 2:
            refuse([Problem(f"--{name}: expected at least 2, found {count}. `trainlib fit` trains one model.")])


def _show(done: Ensemble, figures: Sequence[Figure]) -> None:
    """Print the figures over all classes, and where everything is."""
    from rich.console import Console
    from rich.table import Table

    shown_metrics = _metrics(done)
    rows: dict[tuple[str, str], dict[str, Figure]] = {}
    for figure in figures:
        if not figure.group and figure.metric in shown_metrics:
            rows.setdefault((figure.set, figure.model), {})[figure.metric] = figure
    table = Table("", "model", "cases", *shown_metrics)
    for column in table.columns[:2]:
        column.no_wrap = True
    before = ""
    for (name, model), found in rows.items():
        if before and name != before:
            table.add_section()
        cells = [_cell(found[metric]) for metric in shown_metrics]
        cases = str(next(iter(found.values())).cases)
        table.add_row("" if name == before else _SETS[name], model, cases, *cells)
        before = name
    if rows:
        Console().print(table)
    if done.folder.report.is_file():
        print(f"report       {done.folder.report}")
    print(f"ensemble     {done.folder.path}")


_SETS = {"cv": "cross-validated", "test": "test"}


def _metrics(done: Ensemble) -> list[str]:
    if done.config.task == "segmentation":
        return ["dice", "hd95", "asd", "nsd"]
    return ["auroc", "accuracy", "balanced_accuracy", "f1"]


def _cell(figure: Figure) -> str:
    """Write a figure, that of all folds with its deviation over them."""
    return f"{figure.value:.3f}" + ("" if math.isnan(figure.std) else f" ± {figure.std:.3f}")
