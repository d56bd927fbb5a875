"""Operating points of a two-class network: thresholds of the probability, and what they would lead to."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainlib.metrics.confusion import Outcomes
from trainlib.metrics.roc import check_scores, threshold_outcomes

Array = NDArray[Any]


class OperatingPoint(NamedTuple):
    """What follows from calling cases positive from a threshold on.

    Attributes:
        threshold: A case is called positive if its score is this or higher.
        sensitivity: TP / (TP + FN); nan without positive cases.
        specificity: TN / (TN + FP); nan without negative cases.
        ppv: Positive predictive value TP / (TP + FP), at the prevalence of these cases; nan if none is called positive.
        npv: Negative predictive value TN / (TN + FN); nan if none is called negative.
        tp: True positives.
        fp: False positives.
        fn: False negatives.
        tn: True negatives.
    """

    threshold: float
    sensitivity: float
    specificity: float
    ppv: float
    npv: float
    tp: int
    fp: int
    fn: int
    tn: int


def operating_point(scores: ArrayLike, labelled: ArrayLike, threshold: float) -> OperatingPoint:
    """Measure what a given threshold leads to.

    Args:
        scores: Score of the positive class, shape (cases,).
        labelled: Whether the case is positive: boolean, shape (cases,).
        threshold: Score from which on a case is called positive.

    Returns:
        The operating point.

    Raises:
        ValueError: As `trainlib.metrics.roc.check_scores`.
    """
    values, positive = check_scores(scores, labelled)
    called = values >= threshold
    counted = [called & positive, called & ~positive, ~called & positive, ~called & ~positive]
    return _point(threshold, Outcomes(*(np.asarray(np.count_nonzero(cases)) for cases in counted)))


def youden_point(scores: ArrayLike, labelled: ArrayLike) -> OperatingPoint | None:
    """Find the threshold with the largest sensitivity + specificity - 1 (Youden's J).

    Args:
        scores: Score of the positive class, shape (cases,).
        labelled: Whether the case is positive: boolean, shape (cases,).

    Returns:
        The operating point, of several with the same J the one with the highest threshold; its threshold is the
        score of a case. None without positive or without negative cases.

    Raises:
        ValueError: As `trainlib.metrics.roc.check_scores`.

    Source:
        Youden, "Index for rating diagnostic tests", Cancer 3 (1950).
    """
    thresholds, outcomes = threshold_outcomes(scores, labelled)
    if not len(thresholds) or outcomes.tp[-1] == 0 or outcomes.fp[-1] == 0:
        return None
    # J times positives times negatives, in integers: rounding cannot decide between equal ones.
    index = outcomes.tp * outcomes.fp[-1] - outcomes.fp * outcomes.tp[-1]
    return _point_at(int(index.argmax()), thresholds, outcomes)


def sensitivity_point(scores: ArrayLike, labelled: ArrayLike, sensitivity: float = 0.9) -> OperatingPoint | None:
    """Find the highest threshold that reaches a sensitivity, which is the one with the best specificity.

    Args:
        scores: Score of the positive class, shape (cases,).
        labelled: Whether the case is positive: boolean, shape (cases,).
        sensitivity: Share of the positive cases that must be called positive, above 0 and up to 1.

    Returns:
        The operating point; with few or tied cases its sensitivity may be well above the one asked for. None without
        positive cases. It exists with any: calling all cases positive has the sensitivity 1.

    Raises:
        ValueError: As `trainlib.metrics.roc.check_scores`, or the sensitivity is out of range.
    """
    _check_share("sensitivity", sensitivity)
    thresholds, outcomes = threshold_outcomes(scores, labelled)
    reached = np.flatnonzero(outcomes.recall >= sensitivity)
    return _point_at(int(reached[0]), thresholds, outcomes) if reached.size else None


def specificity_point(scores: ArrayLike, labelled: ArrayLike, specificity: float = 0.9) -> OperatingPoint | None:
    """Find the lowest threshold that reaches a specificity, which is the one with the best sensitivity.

    Args:
        scores: Score of the positive class, shape (cases,).
        labelled: Whether the case is positive: boolean, shape (cases,).
        specificity: Share of the negative cases that must be called negative, above 0 and up to 1.

    Returns:
        The operating point. None without negative cases, and where no score reaches it because too many negative
        cases share the highest one.

    Raises:
        ValueError: As `trainlib.metrics.roc.check_scores`, or the specificity is out of range.
    """
    _check_share("specificity", specificity)
    thresholds, outcomes = threshold_outcomes(scores, labelled)
    reached = np.flatnonzero(outcomes.specificity >= specificity)
    return _point_at(int(reached[-1]), thresholds, outcomes) if reached.size else None


def _check_share(name: str, value: float) -> None:
    if not 0 < value <= 1:
        raise ValueError(f"Expected argument `{name}` to be above 0 and at most 1, but got {value}.")


def _point_at(index: int, thresholds: Array, outcomes: Outcomes) -> OperatingPoint:
    return _point(float(thresholds[index]), Outcomes(*(cases[index] for cases in outcomes)))


def _point(threshold: float, outcomes: Outcomes) -> OperatingPoint:
    return OperatingPoint(
        threshold,
        float(outcomes.recall),
        float(outcomes.specificity),
        float(outcomes.precision),
        float(outcomes.npv),
        *map(int, outcomes),
    )
