"""Divide cases into parts: no patient in two of them, and each with its share of every class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainlib.errors import DataError

Array = np.ndarray[Any, Any]

_WEIGHT_OF_SIZE = 10.0  # of the number of cases, against 1 of all content together
_MOST_PARTNERS = 64  # groups that an exchange is tried with
_MOST_TRIALS = 10_000  # groups for which exchanges are looked for, but each of them at least once
_LEAST_GAIN = 1e-8  # squared share below which an exchange is not worth the time


def partition(
    groups: Sequence[str], contents: Sequence[Sequence[float]], shares: Sequence[float], *, seed: int
) -> list[int]:
    """Divide cases so that groups stay whole, and sizes and contents come close to the shares.

    Groups are placed one after the other, those with the rarest content first, each where most is lacking: the
    iterative stratification of Sechidis, Tsoumakas and Vlahavas ("On the stratification of multi-label data", ECML
    PKDD 2011), with groups in place of single cases. What is lacking is measured over size and all contents together,
    as the squared deviation from the share. Then groups change places for as long as that deviation shrinks.

    Args:
        groups: The group (patient) of each case.
        contents: What each case holds of every class: 1 and 0, or a number of voxels; may be empty vectors. Units do
            not matter, for each class is taken relative to its total.
        shares: The share of each part, such as ``[0.7, 0.15, 0.15]``, or ``[0.2] * 5`` for five folds; their sum is 1.
        seed: Another seed gives another division; the order of the cases has no influence.

    Returns:
        The part of each case, as an index into `shares`. A part with a share of 0 gets none, any other at least one
        group.

    Raises:
        DataError: There are fewer groups than parts.
        ValueError: The arguments contradict each other.
    """
    targets = _checked(groups, contents, shares)
    names = sorted(set(groups))
    parts = np.flatnonzero(targets)
    if len(names) < len(parts):
        found = f"{len(names)} patient{'s' * (len(names) != 1)}"
        raise DataError(f"{found} cannot be divided into {len(parts)} parts, for none is in two of them.")
    place = {name: number for number, name in enumerate(names)}
    amounts = _amounts([place[group] for group in groups], contents, len(names))
    rng = np.random.default_rng(seed)
    division = _Division(_relative(amounts), targets[parts])
    for group in _order(amounts, rng):
        division.place(group, rng)
    division.exchange(rng)
    return [int(parts[division.part[place[group]]]) for group in groups]


def _checked(groups: Sequence[str], contents: Sequence[Sequence[float]], shares: Sequence[float]) -> Array:
    if len(groups) != len(contents) or not groups:
        raise ValueError(f"Expected a group and a content for each case, but got {len(groups)} and {len(contents)}")
    if len({len(content) for content in contents}) != 1:
        raise ValueError("Expected the contents of all cases to have one length")
    if not all(0 <= value < math.inf for content in contents for value in content):
        raise ValueError("Expected contents to be finite numbers of at least 0")
    if any(not share >= 0 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"Expected `shares` to be numbers of at least 0 that add up to 1, but got {list(shares)}")
    return np.asarray(shares, dtype=np.float64)


def _amounts(group_of: list[int], contents: Sequence[Sequence[float]], count: int) -> Array:
    """Add up what the groups hold: shape (groups, 1 + classes), the number of cases first."""
    # Sorted, for the sum of floats depends on their order.
    rows = np.array(sorted((group, 1.0, *content) for group, content in zip(group_of, contents, strict=True)))
    amounts = np.zeros((count, rows.shape[1] - 1))
    np.add.at(amounts, rows[:, 0].astype(int), rows[:, 1:])
    return amounts


def _relative(amounts: Array) -> Array:
    """Divide by the totals, and weigh: the square of a column's deviation is to count by its weight."""
    amounts = amounts[:, amounts.any(axis=0)]
    weights = np.full(amounts.shape[1], 1 / max(amounts.shape[1] - 1, 1))
    weights[0] = _WEIGHT_OF_SIZE
    return amounts / amounts.sum(axis=0) * np.sqrt(weights)


def _order(amounts: Array, rng: np.random.Generator) -> list[int]:
    """Order groups by the rarest class they hold; among equals the large come roughly first."""
    holds = amounts[:, 1:] > 0
    rarity = np.where(holds, holds.sum(axis=0), len(amounts) + 1).min(axis=1, initial=len(amounts) + 1)
    sizes = amounts[:, 0] * rng.uniform(0.5, 1, len(amounts))
    return [int(group) for group in np.lexsort((-sizes, rarity))]


class _Division:
    """Groups on their way into parts.

    Args:
        relative: Share of each group in every total, weighed; shape (groups, columns).
        targets: Share of each part, none of them 0.

    Attributes:
        part: Part of each group; -1 before it is placed.
    """

    def __init__(self, relative: Array, targets: Array) -> None:
        self.relative = relative
        self.targets = targets[:, None]
        self.part = np.full(len(relative), -1)
        self._counts = np.zeros(len(targets), dtype=int)
        # What each part has too much (or, negative, too little) of every column.
        self._excess = -self.targets * relative.sum(axis=0)

    def place(self, group: int, rng: np.random.Generator) -> None:
        """Put a group where the deviation grows least; the last ones where nothing is yet."""
        empty = np.flatnonzero(self._counts == 0)
        among = empty if len(empty) == len(self.part) - self._counts.sum() else np.arange(len(self.targets))
        among = rng.permutation(among)  # the first of equals is taken
        added = self.relative[group]
        growth = ((2 * self._excess[among] + added) * added / self.targets[among]).sum(axis=1)
        self._move(group, int(among[growth.argmin()]))

    def exchange(self, rng: np.random.Generator) -> None:
        """Let groups move, or change places with others, for as long as it helps."""
        count = len(self.part)
        for _ in range(max(1, _MOST_TRIALS // count)):
            if sum(self._improve(int(group), rng) for group in rng.permutation(count)) == 0:
                return

    def _improve(self, group: int, rng: np.random.Generator) -> bool:
        """Make the best move or exchange of a group, if there is one that helps."""
        here = self.part[group]
        partners = np.flatnonzero(self.part != here)
        if len(partners) > _MOST_PARTNERS:
            partners = np.sort(rng.choice(partners, _MOST_PARTNERS, replace=False))
        there, gain = self.part[partners], self.relative[partners] - self.relative[group]
        if self._counts[here] > 1:  # alone it may be exchanged, but not leave its part empty
            others = np.delete(np.arange(len(self.targets)), here)
            there = np.concatenate([there, others])
            gain = np.concatenate([gain, np.repeat(-self.relative[None, group], len(others), axis=0)])
        if not len(there):
            return False
        growth = ((2 * self._excess[here] + gain) * gain / self.targets[here]).sum(axis=1)
        growth += ((gain - 2 * self._excess[there]) * gain / self.targets[there]).sum(axis=1)
        best = int(growth.argmin())
        if growth[best] > -_LEAST_GAIN:
            return False
        if best < len(partners):
            self._move(int(partners[best]), here)
        self._move(group, int(there[best]))
        return True

    def _move(self, group: int, part: int) -> None:
        if self.part[group] >= 0:
            self._excess[self.part[group]] -= self.relative[group]
            self._counts[self.part[group]] -= 1
        self._excess[part] += self.relative[group]
        self._counts[part] += 1
        self.part[group] = part
