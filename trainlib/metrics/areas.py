"""Areas under the ROC curve and under the precision-recall curve of one class against the rest."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainlib.metrics.defined import ratio
from trainlib.metrics.roc import check_scores, precision_recall_curve

Array = NDArray[Any]


def auroc(scores: ArrayLike, labelled: ArrayLike) -> float:
    """Compute the area under the ROC curve from ranks.

    Args:
        scores: Score of the positive class, shape (cases,).
        labelled: Whether the case is positive: boolean, shape (cases,).

    Returns:
        The probability that a positive case scores higher than a negative one, ties counting half; nan without
        positive or without negative cases.

    Raises:
        ValueError: As `trainlib.metrics.roc.check_scores`.

    Source:
        Hanley & McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC) curve",
        Radiology 143 (1982): U / (positives * negatives) with U of Mann & Whitney, Ann. Math. Statist. 18 (1947).
    """
    values, positive = check_scores(scores, labelled)
    _, place, tied = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (tied.cumsum() - (tied - 1) / 2)[place]  # tied scores share the mean of their ranks
    count = int(positive.sum())
    u = ranks[positive].sum() - count * (count + 1) / 2
    return float(ratio(u, count * (len(values) - count)))


def resampled_auroc(scores: ArrayLike, labelled: ArrayLike, counts: Array) -> Array:
    """Compute the area under the ROC curve of many resamples of the same cases, sorting them once.

    Args:
        scores: Score of the positive class, shape (cases,).
        labelled: Whether the case is positive: boolean, shape (cases,).
        counts: How often each case is in each resample, shape (resamples, cases).

    Returns:
        `auroc` of each resample, shape (resamples,): the share of pairs of a positive and a negative case that are
        in order, every pair weighted with the product of its counts.

    Raises:
        ValueError: As `trainlib.metrics.roc.check_scores`.
    """
    values, positive = check_scores(scores, labelled)
    negatives = np.flatnonzero(~positive)
    negatives = negatives[np.argsort(values[negatives], kind="stable")]
    cumulated = np.zeros((len(counts), len(negatives) + 1))
    counts[:, negatives].cumsum(axis=1, out=cumulated[:, 1:])
    lower = np.searchsorted(values[negatives], values[positive], "left")
    lower_or_equal = np.searchsorted(values[negatives], values[positive], "right")
    drawn = counts[:, positive].astype(np.float64)
    in_order = np.einsum("rp,rp->r", drawn, cumulated[:, lower] + cumulated[:, lower_or_equal]) / 2
    return ratio(in_order, drawn.sum(axis=1) * cumulated[:, -1])


def average_precision(scores: ArrayLike, labelled: ArrayLike) -> float:
    """Compute the average precision, the area under the precision-recall curve drawn in steps.

    Args:
        scores: Score of the positive class, shape (cases,).
        labelled: Whether the case is positive: boolean, shape (cases,).

    Returns:
        The sum over falling thresholds of (R_n - R_(n-1)) P_n; nan without positive cases.

    Raises:
        ValueError: As `trainlib.metrics.roc.check_scores`.

    Source:
        `sklearn.metrics.average_precision_score`; no interpolation: Davis & Goadrich, "The relationship between
        Precision-Recall and ROC curves", ICML (2006).
    """
    curve = precision_recall_curve(scores, labelled)
    if len(curve.recall) == 1:
        return math.nan
    return float((np.diff(curve.recall) * curve.precision[1:]).sum())
