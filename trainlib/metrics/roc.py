"""ROC and precision-recall curves of one class against the rest."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainlib.metrics.confusion import Outcomes
from trainlib.metrics.defined import ratio

Array = NDArray[Any]


class RocCurve(NamedTuple):
    """Points of a ROC curve, from (0, 0) to (1, 1).

    Attributes:
        false_positive_rate: 1 - specificity at each threshold; all nan without negative cases.
        true_positive_rate: Sensitivity at each threshold; all nan without positive cases.
        thresholds: Falling; a case is called positive from this score on. The first is inf: none is.
    """

    false_positive_rate: Array
    true_positive_rate: Array
    thresholds: Array


class PrecisionRecallCurve(NamedTuple):
    """Points of a precision-recall curve, by rising recall.

    Attributes:
        recall: Recall at each threshold, the first 0; all but that are nan without positive cases.
        precision: Precision at each threshold; the first, where no case is called positive, is 1 by convention.
        thresholds: Falling; a case is called positive from this score on. The first is inf.
    """

    recall: Array
    precision: Array
    thresholds: Array


def threshold_outcomes(scores: ArrayLike, labelled: ArrayLike) -> tuple[Array, Outcomes]:
    """Count right and wrong calls at every threshold that makes a difference.

    Args:
        scores: Score, such as the probability, of the positive class, shape (cases,).
        labelled: Whether the case is positive: boolean, shape (cases,).

    Returns:
        The distinct scores, falling, and the outcomes if cases are called positive from that score on.

    Raises:
        ValueError: The shapes differ or are not (cases,), a score is nan, or labelled is not boolean.
    """
    values, positive = check_scores(scores, labelled)
    order = np.argsort(-values, kind="stable")
    values, positive = values[order], positive[order]
    last = np.append(values[1:] != values[:-1], True)[: len(values)]  # of the cases with the same score
    tp, fp = positive.cumsum()[last], (~positive).cumsum()[last]
    return values[last], Outcomes(tp, fp, positive.sum() - tp, (~positive).sum() - fp)


def roc_curve(scores: ArrayLike, labelled: ArrayLike) -> RocCurve:
    """Compute the points of the ROC curve, one for each distinct score and one before them.

    Args:
        scores: Score of the positive class, shape (cases,).
        labelled: Whether the case is positive: boolean, shape (cases,).

    Returns:
        The curve, as `sklearn.metrics.roc_curve(drop_intermediate=False)`.

    Raises:
        ValueError: As `check_scores`.
    """
    thresholds, outcomes = threshold_outcomes(scores, labelled)
    start = np.append(0, outcomes.fp), np.append(0, outcomes.tp)
    false_positive_rate = ratio(start[0], np.count_nonzero(~np.asarray(labelled)))
    true_positive_rate = ratio(start[1], np.count_nonzero(labelled))
    return RocCurve(false_positive_rate, true_positive_rate, np.append(math.inf, thresholds))


def precision_recall_curve(scores: ArrayLike, labelled: ArrayLike) -> PrecisionRecallCurve:
    """Compute the points of the precision-recall curve, one for each distinct score and one before them.

    Args:
        scores: Score of the positive class, shape (cases,).
        labelled: Whether the case is positive: boolean, shape (cases,).

    Returns:
        The curve, as `sklearn.metrics.precision_recall_curve`, which lists it the other way round.

    Raises:
        ValueError: As `check_scores`.
    """
    thresholds, outcomes = threshold_outcomes(scores, labelled)
    return PrecisionRecallCurve(
        np.append(0.0, outcomes.recall), np.append(1.0, outcomes.precision), np.append(math.inf, thresholds)
    )


def check_scores(scores: ArrayLike, labelled: ArrayLike) -> tuple[Array, Array]:
    """Check that there is a score and a label for each case.

    Args:
        scores: Score of the positive class.
        labelled: Whether the case is positive.

    Returns:
        Both as arrays, the scores in double precision.

    Raises:
        ValueError: The shapes differ or are not (cases,), a score is nan, or labelled is not boolean.
    """
    values, positive = np.asarray(scores, np.float64), np.asarray(labelled)
    if values.ndim != 1 or values.shape != positive.shape:
        raise ValueError(
            f"Expected arguments `scores` and `labelled` of the same shape (cases,), "
            f"but got {values.shape} and {positive.shape}."
        )
    if np.isnan(values).any():
        raise ValueError(f"Expected argument `scores` to be numbers, but got nan for {np.isnan(values).sum()} cases.")
    # The inverse of an integer 0 is -1 and would select as an index: a plausible, wrong number.
    if positive.dtype != np.bool_:
        raise ValueError(f"Expected argument `labelled` to be boolean, but got dtype {positive.dtype}.")
    return values, positive
