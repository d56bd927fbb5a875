"""What a check found, which row it is in, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from trainlib.errors import Problem

Severity = Literal["error", "warning"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning")
"""The worst first: an error breaks a training or spoils it in silence; a warning is worth a look."""
_MOST = 5  # findings of one kind that are shown before the rest is only counted


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with the data.

    Attributes:
        severity: How bad it is.
        kind: What kind of mistake it is, in a few words.
        what: What was found, as a sentence.
        remedy: What to do, as a sentence.
        csv: The CSV file as the config names it; empty for what concerns all of them.
        row: Line of the CSV file; None for what concerns all of it.
        file: The image or label as the CSV names it; empty where the CSV itself is wrong.
    """

    severity: Severity
    kind: str
    what: str
    remedy: str
    csv: str = ""
    row: int | None = None
    file: str = ""

    @property
    def where(self) -> str:
        """CSV and row, as in ``train.csv:3``."""
        return self.csv if self.row is None else f"{self.csv}:{self.row}"

    def problem(self) -> Problem:
        """Write it as one sentence after another, as all other mistakes are told."""
        place = f"{self.where} ({self.file})" if self.where and self.file else self.where
        return Problem(f"{self.what} {self.remedy}".strip(), place)


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings, the worst first; those of one kind stay together, and all in the order they were found."""
    findings = list(findings)
    kinds = list(dict.fromkeys(finding.kind for finding in findings))
    return sorted(findings, key=lambda finding: (SEVERITIES.index(finding.severity), kinds.index(finding.kind)))


def first_of_kind(findings: Sequence[Finding], most: int = _MOST) -> list[tuple[Finding, int]]:
    """Keep the first few of each kind.

    Args:
        findings: Findings, those of one kind together.
        most: How many of a kind are kept.

    Returns:
        The findings that are kept, each with the number of those that were left out behind it.
    """
    kept: list[tuple[Finding, int]] = []
    for _, same in groupby(findings, key=lambda finding: (finding.severity, finding.kind)):
        members = list(same)
        # To count a single one takes as much room as to show it.
        shown = members if len(members) <= most + 1 else members[:most]
        kept += [(finding, 0) for finding in shown[:-1]] + [(shown[-1], len(members) - len(shown))]
    return kept


def count(findings: Iterable[Finding], severity: Severity) -> int:
    """Count the findings of a severity."""
    return sum(finding.severity == severity for finding in findings)


def counted(number: int, noun: str) -> str:
    """Write a number and its noun, as in ``1 case`` and ``2 cases``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
