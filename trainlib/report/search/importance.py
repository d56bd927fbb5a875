"""How much each setting matters, and how much of that chance alone would show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from trainlib.config.tune import Distribution

_SHUFFLES = 2000
_CHANCE = 95  # percentile of what shuffled results show
_THIRDS = 12  # trials from which on a range is divided into three parts instead of two
LEAST = 4
"""Trials below which nothing is said."""

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Importance:
    """How much a setting matters.

    Attributes:
        key: The setting.
        share: Share of the differences between the ranks of the trials that goes with it, from 0 to 1.
        chance: What chance alone stays below in 95 of 100 searches like this one.
    """

    key: str
    share: float
    chance: float

    @property
    def certain(self) -> bool:
        """Whether chance hardly explains it."""
        return self.share > self.chance


def importances(
    space: Mapping[str, Distribution], values: Mapping[str, Sequence[Any]], results: Array
) -> list[Importance]:
    """Compute how much each setting matters, the most important first.

    The trials are ranked by their result and grouped by the setting: by its choices, or by halves or thirds of its
    values. The share is the correlation ratio (eta squared) of the ranks: the variance between the groups over that of
    all. Ranks, because a single trial that failed to learn would outweigh all others. Interactions of settings are
    not seen.

    Args:
        space: What each setting is drawn from.
        values: The value of each setting in each trial.
        results: The result of each trial.
    """
    if len(results) < LEAST:
        return []
    ranks = rankdata(results)
    source = np.random.default_rng(0)
    shuffled = np.stack([source.permutation(ranks) for _ in range(_SHUFFLES)])
    found = []
    for key, distribution in space.items():
        groups = _groups(distribution, values[key])
        share = float(_explained(ranks[None], groups)[0])
        found.append(Importance(key, share, float(np.percentile(_explained(shuffled, groups), _CHANCE))))
    return sorted(found, key=lambda importance: -importance.share)


def _groups(distribution: Distribution, values: Sequence[Any]) -> Array:
    """Divide trials into groups, numbered from 0, by the value of a setting."""
    if distribution.kind == "choice":
        written = [json.dumps(value, sort_keys=True) for value in values]
        return np.unique(written, return_inverse=True)[1].astype(np.float64)
    parts = 3 if len(values) >= _THIRDS else 2
    places = rankdata(np.asarray(values, dtype=np.float64), method="average") - 0.5
    return np.minimum(np.floor(places / len(values) * parts), parts - 1)


def _explained(ranks: Array, groups: Array) -> Array:
    """Compute the correlation ratio of each row of ranks."""
    mean = ranks.mean(axis=1, keepdims=True)
    total = ((ranks - mean) ** 2).sum(axis=1)
    between = np.zeros(len(ranks))
    for group in np.unique(groups):
        chosen = ranks[:, groups == group]
        between += chosen.shape[1] * (chosen.mean(axis=1) - mean[:, 0]) ** 2
    return np.divide(between, total, out=np.zeros(len(ranks)), where=total > 0)
