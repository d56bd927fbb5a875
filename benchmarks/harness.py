"""Measure two things in turn, and write what came out as tables."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).with_name("RESULTS.md")
_HEAD = "# Results\n\nWritten by `make bench`; NOTES.md says what was tried and did not pay.\n"


@dataclass(frozen=True)
class Row:
    """A figure.

    Attributes:
        what: What is done.
        peer: What it is compared with.
        ours: Median of trainlib in `unit`; None where it could not be measured.
        theirs: Median of the peer in `unit`; None where it is absent.
        unit: ``s``, ``ms``, ``MB`` or ``%``.
        aim: The ratio that it is to have, such as ``<= 0.6``.
        why: Why a figure is missing.
    """

    what: str
    peer: str
    ours: float | None
    theirs: float | None
    unit: str
    aim: str = ""
    why: str = ""

    @property
    def cells(self) -> list[str]:
        """The row of the table."""
        ours, theirs = (f"{value:.4g} {self.unit}" if value is not None else "" for value in (self.ours, self.theirs))
        ratio = f"{self.ours / self.theirs:.3g}" if self.ours is not None and self.theirs else self.why
        return [self.what, self.peer, ours, theirs, ratio, self.aim]


Act = Callable[[], object]


def seconds(act: Act, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how long something takes."""
    start = clock()
    act()
    return clock() - start


def in_turn(ours: Act, theirs: Act, rounds: int = 5, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Measure two things A B A B ..., after one round to warm up.

    Args:
        ours: The one.
        theirs: The other.
        rounds: How often each is measured.
        clock: Tells the time in seconds: of the wall, or of the processor.

    Returns:
        The median of each in seconds.
    """
    ours()
    theirs()
    taken = [(seconds(ours, clock), seconds(theirs, clock)) for _ in range(rounds)]
    return [median(times) for times in zip(*taken, strict=True)]


def write_section(title: str, rows: list[Row], text: str = "") -> None:
    """Put a table into the results in place of the one of the same title.

    Args:
        title: Heading of the section.
        rows: The figures.
        text: What else is to be said.
    """
    head = ["what", "against", "trainlib", "peer", "ratio", "aim"]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *(row.cells for row in rows))]
    machine = f"{platform.machine()}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    section = "\n".join([f"## {title}", "", *lines, "", *([text, ""] if text else []), f"Measured on {machine}.", ""])
    whole = RESULTS.read_text() if RESULTS.is_file() else _HEAD
    kept = re.split(r"\n(?=## )", whole.rstrip("\n"))
    others = [part for part in kept[1:] if not part.startswith(f"## {title}\n")]
    RESULTS.write_text("\n\n".join(part.strip("\n") for part in [kept[0], *sorted([*others, section])]) + "\n")
    print(section)
