"""What a check found, and how it is told."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from trainlib.build.patches import describe

log = logging.getLogger(__name__)

Level = Literal["problem", "warning", "ok"]

LEVELS: tuple[Level, ...] = ("problem", "warning", "ok")
"""The levels, the gravest first."""
_WIDTH = 110  # of a line on the console


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: What was looked at, in a word or two.
        level: ``problem`` for what spoils a training, ``warning`` for what often does, ``ok`` for what is in order.
        text: What was seen; where it is not in order, why that matters and what to do.
    """

    check: str
    level: Level
    text: str


Check = tuple[str, Callable[[], Finding]]
"""A check by its name, ready to be made."""


def made(checks: Iterable[Check]) -> list[Finding]:
    """Make checks; one that fails itself becomes a warning, and its traceback is kept, but the others are made."""
    findings = []
    for name, check in checks:
        try:
            findings.append(check())
        except Exception as error:
            log.warning("The check of %s failed.", name, exc_info=True)
            text = f"This check could not be made: {describe(error)}."
            findings.append(Finding(name, "warning", text))
    return findings


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """Sort findings, the gravest first, each level in the order of the checks."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))


def as_lines(findings: Sequence[Finding]) -> list[str]:
    """Write findings as lines for the console, what is in order first, so that the rest is what one reads last."""
    margin = max((len(finding.check) for finding in findings), default=0) + 12
    lines: list[str] = []
    for finding in reversed(ranked(list(reversed(findings)))):
        head = f"  {_mark(finding.level):<8}{finding.check}".ljust(margin)
        wrapped = textwrap.wrap(finding.text, _WIDTH - margin, break_long_words=False, break_on_hyphens=False) or [""]
        lines += [head + wrapped[0], *(" " * margin + line for line in wrapped[1:])]
    return lines


def summary(findings: Sequence[Finding]) -> str:
    """Count problems and warnings in a sentence."""
    problems, warnings = (sum(finding.level == level for finding in findings) for level in LEVELS[:2])
    if not problems and not warnings:
        return f"{_count(len(findings), 'check')}, nothing found."
    text = f"{_count(problems, 'problem')} and {_count(warnings, 'warning')} found."
    return text[0].upper() + text[1:]


def _mark(level: Level) -> str:
    return level if level == "ok" else level.upper()


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
