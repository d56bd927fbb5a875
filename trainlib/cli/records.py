"""The commands that tell of a run, repeat it, and tell what a config may hold: report, reproduce, schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from trainlib.cli.app import app
from trainlib.cli.output import silence_libraries, told


@app.command()
def report(folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")]) -> None:
    """Write the report of a run again, from its folder alone."""
    from trainlib.report import write_report

    with told():
        print(write_report(folder))


@app.command()
def reproduce(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="New folder for the repetition; default: RUN_reproduced beside it.")
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option("--data-root", help="Where the data are now, if they were moved.")
    ] = None,
    use_cache: Annotated[
        bool, typer.Option("--use-cache", help="Take prepared cases from the run's cache; default: prepare them anew.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Repeat it even if data files have changed.")] = False,
) -> None:
    """Run a finished run again from its snapshot and compare: exit status 0 if identical, 1 if anything differs."""
    from trainlib.cli.reproducing import (
        how_to_repeat,
        reading_bar,
        show_comparison,
        show_data,
        show_doubts,
        show_environment,
        show_original,
    )
    from trainlib.commands.reproduce.comparison import compare_runs
    from trainlib.commands.reproduce.data import check_data
    from trainlib.commands.reproduce.environment import compare_environments, present_environment, read_environment
    from trainlib.commands.reproduce.original import open_original
    from trainlib.commands.reproduce.repeat import repeat, repetition_folder

    silence_libraries()
    with told():
        original = open_original(folder, data_root)
        target = repetition_folder(original, out)
        show_original(original, target)
        then, now = read_environment(original.start), present_environment(original.config)
        show_environment(then, now, compare_environments(then, now))
        with reading_bar("data") as progress:
            data = check_data(original, progress)
        show_data(data)
        data.refuse(force)
        show_doubts([*original.doubts, *(["Data files have changed."] if data.changed else [])])
        options = [*(["--data-root", str(data_root)] if data_root else []), *(["--use-cache"] * use_cache)]
        with told(interrupted=lambda: how_to_repeat(folder, [*options, *(["--force"] * force)], target)):
            again = repeat(original, target, use_cache=use_cache)
        compared = compare_runs(original.folder, again)
    show_comparison(compared)
    raise typer.Exit(0 if all(result.identical for result in compared) else 1)


@app.command()
def schema(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print an explanation of every setting instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of the config, with which editors complete and check it."""
    if markdown:
        from trainlib.config.reference import config_reference

        print(config_reference(), end="")
        return
    from trainlib.build.schema import config_schema

    print(json.dumps(config_schema(), indent=2))
