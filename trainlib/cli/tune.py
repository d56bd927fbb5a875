"""The command that searches for good settings: tune."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainlib.cli.app import SETTINGS, Files, app
from trainlib.cli.arguments import arguments
from trainlib.cli.checking import checked
from trainlib.cli.many import shown
from trainlib.cli.output import refuse, start_logging, told
from trainlib.errors import Interrupted, Problem

if TYPE_CHECKING:
    from trainlib.config.load import Loaded
    from trainlib.folders.searches import Search
    from trainlib.folders.standing import Standing


@app.command(context_settings=SETTINGS)
def tune(
    ctx: typer.Context,
    config: Files = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the newest search of that name.")] = False,
    address: Annotated[
        str | None, typer.Option("--address", help="Address of a running Ray cluster to search on.")
    ] = None,
) -> None:
    """Search for the settings of the section `tune`. Each trial is a run of its own; the best one makes best.yaml."""
    files, overrides = arguments(ctx, config)
    _needs("ray", "optuna")
    ready = checked(files, overrides, "fit", also_quick=_quick, also=_corners)
    from trainlib.callbacks import Record
    from trainlib.tune.search import tune as run_search

    start_logging()
    record = Record(("trainlib", *sys.argv[1:]), tuple(files))
    with told():
        try:
            search = run_search(ready, resume=resume, address=address, record=record, watch=_watch)
        except Interrupted as error:
            print(
                f"Interrupted. What is finished stays so. {_how_to_resume(files, overrides, address)}", file=sys.stderr
            )
            raise typer.Exit(error.exit_status) from None
    _show(search)


def _needs(*packages: str) -> None:
    """Refuse to go on without a package that an extra brings."""
    from importlib.util import find_spec

    for package in packages:
        if find_spec(package) is None:
            text = f"The `{package}` package is required for this. Install trainlib with the `tune` extra: "
            refuse([Problem(f"{text}pip install trainlib[tune]")])


def _quick(loaded: Loaded) -> list[Problem]:
    from trainlib.tune.checks import quick_tune_problems

    return quick_tune_problems(loaded)


def _corners(loaded: Loaded) -> list[Problem]:
    from trainlib.tune.checks import tune_problems

    return tune_problems(loaded)


def _watch(ask: Callable[[], list[Standing]], parallel: int) -> AbstractContextManager[None]:
    return shown(ask, what="trial", parallel=parallel)


def _how_to_resume(files: list[Path], overrides: list[str], address: str | None) -> str:
    words = ["trainlib", "tune", *(word for file in files for word in ("-c", str(file))), *overrides, "--resume"]
    return f"Continue with:\n  {shlex.join([*words, *(['--address', address] if address else [])])}"


def _show(search: Search) -> None:
    """Print the best trials, and where everything is."""
    from rich.console import Console
    from rich.table import Table

    from trainlib.folders.search import ENDED
    from trainlib.folders.searches import outcomes, ranked
    from trainlib.tune.results import written

    found = outcomes(search)
    assert search.config.tune is not None
    keys = list(search.config.tune.space)
    table = Table("trial", "", "epochs", search.metric, *keys)
    for outcome in ranked(search, found)[:5]:
        cells = [outcome.trial.name, outcome.trial.state, str(outcome.epochs), f"{outcome.best:.4g}"]
        table.add_row(*cells, *(written(outcome.trial.parameters[key]) for key in keys))
    Console().print(table)
    states = [outcome.trial.state if outcome.trial.ended else "not ended" for outcome in found]
    counts = [f"{states.count(state)} {state}" for state in (*ENDED, "not ended") if state in states]
    print(f"{len(found)} trials: {', '.join(counts)}")
    for outcome in found:
        if outcome.trial.state == "failed":
            print(f"{outcome.trial.name} failed: {outcome.trial.error}")
    if search.folder.report.is_file():
        print(f"report       {search.folder.report}")
    print(f"best config  {search.folder.best}")
    print(f"search       {search.folder.path}")
