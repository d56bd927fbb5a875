"""The commands that tell of a run, and of what a config may hold: report, schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from trainlib.cli.app import app
from trainlib.cli.output import told


@app.command()
def report(folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")]) -> None:
    """Write the report of a run again, from its folder alone."""
    from trainlib.report import write_report

    with told():
        print(write_report(folder))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the config, with which editors complete and check it."""
    from trainlib.config.schema import Config

    print(json.dumps(Config.model_json_schema(), indent=2))
