"""The command that looks at the machine: doctor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from trainlib.cli.app import Files, app
from trainlib.cli.output import silence_libraries, told

if TYPE_CHECKING:
    from trainlib.debug.finding import Finding

_STYLES = {"problem": "bold red", "warning": "yellow", "ok": "green"}


@app.command()
def doctor(config: Files = None) -> None:
    """Look at versions, GPUs, limits and disks for what breaks or slows down a training; exit status 1 if it breaks."""
    from trainlib.commands.doctor.examine import examine
    from trainlib.commands.doctor.gather import gather
    from trainlib.config.load import load_config

    silence_libraries()
    with told():
        loaded = load_config(config) if config else None
    findings = examine(gather(loaded))
    _show(findings)
    raise typer.Exit(1 if any(finding.level == "problem" for finding in findings) else 0)


def _show(findings: Sequence[Finding]) -> None:
    """Print a table, the gravest first, with what to do in a line of its own, and the counts."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from trainlib.debug.finding import summary

    table = Table.grid(padding=(0, 2, 0, 0))
    for finding in findings:
        found, _, remedy = finding.text.partition("\n")
        text = Text(found)
        if remedy:
            text.append(f"\n{remedy}", style="bold")
        table.add_row(Text(finding.level, style=_STYLES[finding.level]), Text(finding.check), text)
    console = Console(highlight=False)
    console.print(table)
    console.print(f"\n{summary(findings)}")
