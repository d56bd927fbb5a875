"""The table of every case, as texts and what they are sorted by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from trainlib.report.formats import NOTHING


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: What is read.
        kind: What it is; a ``case`` heads its row, a ``class`` has its colour, an ``outcome`` may be bad.
        value: What a number is sorted by; empty where there is none.
        tone: Number of the colour of a class.
        bad: Whether an outcome is bad.
    """

    text: str
    kind: Literal["text", "number", "case", "class", "outcome"] = "text"
    value: str = ""
    tone: int = 0
    bad: bool = False


@dataclass(frozen=True)
class CaseTable:
    """The table of every case.

    Attributes:
        head: Title of each column, and whether it holds numbers.
        rows: Cells of each row.
    """

    head: list[tuple[str, bool]]
    rows: list[list[Cell]]


def number_cell(value: float, text: str) -> Cell:
    """Make a cell of a number."""
    return Cell(text, "number", "" if text == NOTHING or math.isnan(value) else repr(value))
