"""Confidence intervals of means and medians over cases, by the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

_MOST_DRAWS = 2_000_000  # drawn cases that are held in memory at a time


class Interval(NamedTuple):
    """A statistic of a sample and its confidence interval.

    Attributes:
        value: The statistic of the cases as they are; nan without any.
        low: Lower end of the interval; nan with fewer than two cases, which tell nothing of their spread.
        high: Upper end of the interval.
    """

    value: float
    low: float
    high: float


class Estimate(NamedTuple):
    """What the scores of some cases amount to.

    Attributes:
        cases: Number of cases that have a score.
        mean: Mean over the cases; of several classes the mean of their means.
        median: Median over the cases; of several classes the mean of their medians.
    """

    cases: int
    mean: Interval
    median: Interval


def estimate(scores: ArrayLike, *, resamples: int = 2000, seed: int = 0, confidence: float = 0.95) -> Estimate:
    """Compute mean and median over cases with percentile bootstrap intervals.

    Whole cases are drawn with replacement, all their classes together, so that what the classes of a case have in
    common stays. nan is left out of the statistics; a class that no drawn case has is left out of the mean over
    classes. Resample `i` consists of the cases ``default_rng(seed).integers(cases, size=(resamples, cases))[i]``,
    where cases without any score do not count.

    Args:
        scores: Scores of one class, shape (cases,), or of several, shape (cases, classes).
        resamples: Number of resamples.
        seed: Seed of the draws.
        confidence: Share of the resampled statistics that lies in the interval.

    Returns:
        The statistics with their intervals.

    Source:
        Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
    """
    table = np.asarray(scores, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    table = table[~np.isnan(table).all(axis=1)]
    table = table[:, ~np.isnan(table).all(axis=0)]
    cases = len(table)
    if cases == 0:
        nothing = Interval(math.nan, math.nan, math.nan)
        return Estimate(0, nothing, nothing)
    mean = float(np.nanmean(table, axis=0).mean())
    median = float(np.nanmedian(table, axis=0).mean())
    if cases == 1:
        return Estimate(1, Interval(mean, math.nan, math.nan), Interval(median, math.nan, math.nan))
    means, medians = np.empty(resamples), np.empty(resamples)
    for part, counts in _resampled(cases, resamples, seed):
        means[part] = np.nanmean(_means(table, counts), axis=1)
        medians[part] = np.nanmean(_medians(table, counts), axis=1)
    return Estimate(cases, _interval(mean, means, confidence), _interval(median, medians, confidence))


def _interval(value: float, resampled: Array, confidence: float) -> Interval:
    tail = (1 - confidence) / 2 * 100
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return Interval(value, float(low), float(high))


def _resampled(cases: int, resamples: int, seed: int) -> Iterator[tuple[slice, Array]]:
    """Draw resamples, some at a time.

    Yields:
        Which resamples they are, and how often each case is in each of them, shape (resamples, cases).
    """
    rng = np.random.default_rng(seed)
    step = max(1, _MOST_DRAWS // cases)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        drawn = rng.integers(cases, size=(count, cases)) + cases * np.arange(count)[:, None]
        yield slice(start, start + count), np.bincount(drawn.ravel(), minlength=count * cases).reshape(count, cases)


def _means(table: Array, counts: Array) -> Array:
    """Compute the mean of each class in each resample, shape (resamples, classes); nan where no case has the class."""
    scored = ~np.isnan(table)
    sums, drawn = counts @ np.where(scored, table, 0.0), counts @ scored.astype(np.int64)
    return np.divide(sums, drawn, out=np.full(sums.shape, math.nan), where=drawn > 0)


def _medians(table: Array, counts: Array) -> Array:
    """Compute the median of each class in each resample, as `_means` does the mean."""
    medians = np.full((len(counts), table.shape[1]), math.nan)
    for column in range(table.shape[1]):
        rows = np.flatnonzero(~np.isnan(table[:, column]))
        rows = rows[np.argsort(table[rows, column], kind="stable")]
        # How many drawn scores are no larger than each score: the k-th smallest is the first that more than k are.
        reached = counts[:, rows].cumsum(axis=1)
        drawn = reached[:, -1]
        middle = [(reached <= k[:, None]).sum(axis=1).clip(max=len(rows) - 1) for k in ((drawn - 1) // 2, drawn // 2)]
        halves = [table[rows[place], column] for place in middle]
        medians[:, column] = np.where(drawn > 0, (halves[0] + halves[1]) / 2, math.nan)
    return medians
