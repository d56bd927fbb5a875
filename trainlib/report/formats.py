"""How numbers, durations and names are written in the report."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from trainlib.metrics.bootstrap import Interval

NOTHING = "\N{EN DASH}"
"""What stands where there is no number."""


@dataclass(frozen=True)
class Metric:
    """How a score is shown.

    Attributes:
        key: Its name in the files.
        name: Its name on the page.
        unit: Its unit; empty for a share.
        digits: Digits behind the point.
        higher_is_better: The direction of improvement; None for a size.
    """

    key: str
    name: str
    unit: str = ""
    digits: int = 3
    higher_is_better: bool | None = None

    @property
    def title(self) -> str:
        """The name with its unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def hint(self) -> str:
        """Which direction is better, in words."""
        if self.higher_is_better is None:
            return ""
        return "higher is better" if self.higher_is_better else "lower is better"

    def show(self, value: float) -> str:
        """Write a value."""
        return fixed(value, self.digits)

    def interval(self, interval: Interval) -> str:
        """Write a confidence interval; nothing where there is none."""
        if math.isnan(interval.low) or math.isnan(interval.high):
            return ""
        return f"{self.show(interval.low)}\N{EN DASH}{self.show(interval.high)}"


SPLITS = {"train": "training", "valid": "validation", "test": "test"}
"""Split -> what it is called."""


def fixed(value: float, digits: int) -> str:
    """Write a number with a fixed number of digits behind the point."""
    return f"{value:.{digits}f}" if math.isfinite(value) else NOTHING


def significant(value: float, digits: int = 3, unit: str = "") -> str:
    """Write a number with some significant digits, and never as a power of ten unless it is very small or large."""
    if not math.isfinite(value):
        return NOTHING
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        text = f"{value:.{digits - 1}e}"
    else:
        exponent = math.floor(math.log10(abs(value))) if value else 0
        text = f"{value:.{max(0, digits - 1 - exponent)}f}"
    return f"{text} {unit}" if unit else text


def scaled(value: float, units: tuple[tuple[str, float], ...]) -> str:
    """Write a number in the largest of some units, given from large to small, in which it is at least 1."""
    unit, size = next(((unit, size) for unit, size in units if abs(value) >= size), units[-1])
    return significant(value / size, unit=unit)


def duration(seconds: float) -> str:
    """Write a duration, such as ``2 h 05 min``."""
    if not math.isfinite(seconds):
        return NOTHING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min {rest:02d} s"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h" if days else f"{hours} h {minutes:02d} min"


def moment(text: str) -> str:
    """Write the time of an ISO 8601 text to the minute; other text stays as it is."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = when.strftime(" %Z") if when.tzinfo else ""
    return when.strftime("%Y-%m-%d %H:%M") + zone


def line(text: str, most: int = 200) -> str:
    """Make a text that stands in a chart one line of printable characters and limited length."""
    plain = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text).strip()
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"
