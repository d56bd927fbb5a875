"""The search space: what can be drawn from it, in the words of Optuna and in those of the config."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainlib.config.tune import INTEGER, LOGARITHMIC, Distribution

_RESAMPLED = 0.25  # share of the settings of a copy that are drawn anew
_FACTORS = (0.8, 1.25)  # by which the others change
_DIGITS = 6  # significant ones of a number that is drawn


@dataclass(frozen=True)
class Space:
    """The settings that are searched.

    Attributes:
        dimensions: Dotted key -> what its value is drawn from.
    """

    dimensions: Mapping[str, Distribution]

    def distributions(self) -> dict[str, Any]:
        """Write the space as Optuna does; of a choice and of steps it draws the number."""
        return {key: _to_optuna(dimension) for key, dimension in self.dimensions.items()}

    def decode(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Turn what Optuna has drawn into values of settings."""
        return {key: _decode(dimension, drawn[key]) for key, dimension in self.dimensions.items()}

    def encode(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Turn values of settings into what Optuna would have drawn."""
        return {key: _encode(dimension, values[key]) for key, dimension in self.dimensions.items()}

    def mutated(self, values: Mapping[str, Any], source: random.Random) -> dict[str, Any]:
        """Change the values of a copy: a quarter is drawn anew, others move a little, none out of its bounds."""
        return {key: _mutate(dimension, values[key], source) for key, dimension in self.dimensions.items()}

    def extremes(self) -> dict[str, list[Any]]:
        """List for each setting the values that show whether all are allowed: both bounds, or every choice."""
        return {key: _extremes(dimension) for key, dimension in self.dimensions.items()}

    def corners(self, most: int = 64) -> Iterator[dict[str, Any]]:
        """Yield the corners of the space; where there are more than `most`, those next to the first and the last."""
        extremes = self.extremes()
        count = 1
        for values in extremes.values():
            count *= len(values)
        if count <= most:
            for corner in itertools.product(*extremes.values()):
                yield dict(zip(extremes, corner, strict=True))
            return
        for base in (0, -1):
            for key, values in extremes.items():
                for value in values:
                    yield {other: ends[base] for other, ends in extremes.items()} | {key: value}


def _to_optuna(dimension: Distribution) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.kind == "choice":
        return CategoricalDistribution(range(len(dimension.values)))
    low, high, *step = dimension.values
    logarithmic = dimension.kind in LOGARITHMIC
    if dimension.kind in INTEGER:
        return IntDistribution(low, high, log=logarithmic)
    if step:
        return IntDistribution(0, _steps(dimension))
    return FloatDistribution(low, high, log=logarithmic)


def _decode(dimension: Distribution, drawn: Any) -> Any:
    if dimension.kind == "choice":
        return dimension.values[int(drawn)]
    if dimension.kind == "quniform":
        low, _, step = dimension.values
        return _within(dimension, low + drawn * step)
    return _within(dimension, drawn)


def _steps(dimension: Distribution) -> int:
    """Count the steps from the low bound of a range to its end."""
    low, high, step = dimension.values
    return int((high - low) / step + 1e-9)


def _within(dimension: Distribution, value: float) -> Any:
    """Bring a number to the nearest one that the distribution has, without digits that say nothing."""
    low, high, *step = dimension.values
    value = min(max(value, low), high)
    if dimension.kind in INTEGER:
        return round(value)
    if step:
        steps = min(round((value - low) / step[0]), _steps(dimension))
        return round(low + steps * step[0], 12)
    return min(max(float(f"{value:.{_DIGITS}g}"), low), high)


def _encode(dimension: Distribution, value: Any) -> Any:
    if dimension.kind == "quniform":
        return round((value - dimension.values[0]) / dimension.values[2])
    if dimension.kind != "choice":
        return _within(dimension, value)
    written = [json.dumps(choice, sort_keys=True) for choice in dimension.values]  # 1 and true are equal in Python
    return written.index(json.dumps(value, sort_keys=True))


def _mutate(dimension: Distribution, value: Any, source: random.Random) -> Any:
    if dimension.kind == "choice":
        place = _encode(dimension, value)
        last = len(dimension.values) - 1
        near = source.choice([max(0, place - 1), min(last, place + 1)])
        return dimension.values[source.randint(0, last) if source.random() < _RESAMPLED else near]
    if source.random() < _RESAMPLED:
        return _within(dimension, _drawn(dimension, source))
    changed = _within(dimension, value * source.choice(_FACTORS))
    if changed == value and dimension.kind in INTEGER:
        return _within(dimension, value + source.choice((-1, 1)))
    if changed == value and dimension.kind == "quniform":
        return _within(dimension, value + source.choice((-1, 1)) * dimension.values[2])
    return changed


def _drawn(dimension: Distribution, source: random.Random) -> float:
    from math import exp, log

    low, high = dimension.values[:2]
    return exp(source.uniform(log(low), log(high))) if dimension.kind in LOGARITHMIC else source.uniform(low, high)


def _extremes(dimension: Distribution) -> list[Any]:
    if dimension.kind == "choice":
        return list(dimension.values)
    return [_within(dimension, bound) for bound in dimension.values[:2]]
