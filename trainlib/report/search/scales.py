"""Where the value of a setting stands on an axis."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from trainlib.config.tune import LOGARITHMIC, Distribution
from trainlib.report.formats import line

_STEP = 0.02  # between dots that share a place, about as wide as one of them
_SIDES = (0, 1, -1, 2, -2)


@dataclass(frozen=True)
class Scale:
    """The axis of a setting.

    Attributes:
        distribution: What the setting is drawn from.
    """

    distribution: Distribution

    def place(self, value: Any) -> float:
        """Return where a value stands, from 0 to 1."""
        values = self.distribution.values
        if self.distribution.kind == "choice":
            written = [_json(choice) for choice in values]
            return written.index(_json(value)) / (len(values) - 1)
        low, high = values[:2]
        if self.distribution.kind in LOGARITHMIC:
            return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
        return float((value - low) / (high - low))

    def ticks(self) -> list[tuple[float, str]]:
        """Return places and texts of the marks of the axis."""
        values = self.distribution.values
        if self.distribution.kind == "choice":
            return [(self.place(value), written(value, 14)) for value in values]
        return [(self.place(value), number(value)) for value in _marks(self.distribution)]


def _marks(distribution: Distribution) -> Sequence[float]:
    low, high = distribution.values[:2]
    if distribution.kind in LOGARITHMIC:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        powers = [10.0**exponent for exponent in range(first, last + 1, max(1, (last - first) // 4))]
        return powers if len(powers) > 1 else [low, high]
    if isinstance(low, int) and isinstance(high, int) and high - low <= 8 and distribution.kind == "randint":
        return list(range(low, high + 1))
    return [low + (high - low) * part / 4 for part in range(5)]


def number(value: float) -> str:
    """Write a number on an axis."""
    if value and (abs(value) < 1e-3 or abs(value) >= 1e5):
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}".replace("-", "\N{MINUS SIGN}")
    return f"{value:.4g}"


def written(value: Any, most: int = 60) -> str:
    """Write the value of a setting."""
    if isinstance(value, float):
        return number(value)
    return line(value if isinstance(value, str) else json.dumps(value), most)


def spread(places: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Move dots that share a place apart, always in the same way, those of neighbouring heights to different sides.

    Args:
        places: Where each dot stands, from 0 to 1.
        heights: How high each stands.
    """
    known = sorted(set(places))
    step = min([_STEP, *((b - a) / 8 for a, b in pairwise(known))])
    moved = list(places)
    for place in known:
        shared = sorted((i for i, other in enumerate(places) if other == place), key=lambda i: (heights[i], i))
        for rank, i in enumerate(shared):
            moved[i] = place + step * _SIDES[rank % len(_SIDES)]
    return moved


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Shorten dotted keys to their last parts, as far as these stay different."""
    short = {key: key.rpartition(".")[2] for key in keys}
    return {key: name if list(short.values()).count(name) == 1 else key for key, name in short.items()}


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
