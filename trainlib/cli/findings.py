"""What a check found and learned, as a table for people and as JSON for machines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from trainlib.check.checks import Report
from trainlib.check.finding import Finding, count, counted, first_of_kind
from trainlib.cli.learned import learned_tables
from trainlib.errors import Problem

_STYLES = {"error": "bold red", "warning": "yellow"}
_WIDE = 130  # columns of a terminal in which file and remedy have columns of their own


def show(report: Report | None, mistakes: int) -> None:
    """Print the table of findings, what was learned, and a last line with the counts.

    Args:
        report: What came of the check; None where the config did not allow one.
        mistakes: Number of mistakes in the config, which were told before.
    """
    console = Console(highlight=False)
    if report is None:
        console.print(f"{counted(mistakes, 'mistake')} in the config; the data were not looked at.")
        return
    if report.findings:
        console.print(_table(report.findings, wide=console.width >= _WIDE))
    for table in learned_tables(report):
        console.print()
        console.print(table)
    console.print()
    console.print(_last_line(report, mistakes))


def _table(findings: list[Finding], *, wide: bool) -> Table:
    """Lay out findings; in a narrow terminal file and remedy stand below what they belong to."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("")
    table.add_column("row" if wide else "row, file", overflow="fold", max_width=None if wide else 30)
    if wide:
        table.add_column("file", overflow="fold", max_width=50)
        table.add_column("what is wrong", ratio=3)
        table.add_column("what to do", ratio=2)
    else:
        table.add_column("what is wrong, and what to do", ratio=1)
    kind = findings[0].kind
    for finding, more in first_of_kind(findings):
        if finding.kind != kind:
            table.add_section()
            kind = finding.kind
        mark = Text(finding.severity, _STYLES[finding.severity])
        where, file = Text(finding.where, overflow="fold"), Text(finding.file, overflow="fold")
        what = Text(finding.what, overflow="fold")
        if wide:
            table.add_row(mark, where, file, what, Text(finding.remedy, "cyan"))
        else:
            file.stylize("dim")
            text = Group(what, Text(f"> {finding.remedy}", "cyan"))
            table.add_row(mark, Group(*(part for part in (where, file) if part.plain)), text)
        if more:
            rest = Text(f"... and {more:,} more of this kind; --json lists them all.", "dim")
            table.add_row("", "", *(["", rest, ""] if wide else [rest]))
    return table


def _last_line(report: Report, mistakes: int) -> Text:
    errors, warnings = (count(report.findings, severity) for severity in ("error", "warning"))
    parts = [f"{counted(mistakes, 'mistake')} in the config"] if mistakes else []
    parts += [counted(errors, "error"), counted(warnings, "warning")]
    style = "bold red" if errors or mistakes else "bold yellow" if warnings else "bold green"
    return Text(f"{', '.join(parts)} in {counted(report.cases, 'case')}.", style)


def document(report: Report | None, mistakes: list[Problem]) -> dict[str, Any]:
    """Put all that is known into one JSON document; what is not a number there becomes null.

    Args:
        report: What came of the check; None where the config did not allow one.
        mistakes: The mistakes in the config.
    """
    findings = report.findings if report else []
    step = asdict(report.step) | {"total": report.step.total} if report and report.step else None
    cache = asdict(report.cache) if report and report.cache else None
    content = {
        "config": [asdict(mistake) for mistake in mistakes],
        "findings": [asdict(finding) for finding in findings],
        "learned": report.learned if report else None,
        "estimates": {"cache": cache, "step": step},
        "mistakes": len(mistakes),
        "errors": count(findings, "error"),
        "warnings": count(findings, "warning"),
        "cases": report.cases if report else 0,
    }
    return {name: _finite(value) for name, value in content.items()}


def _finite(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {str(key): _finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_finite(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node
