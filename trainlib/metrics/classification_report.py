"""The figures of a classification, class by class and over all, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainlib.metrics.areas import resampled_auroc
from trainlib.metrics.bootstrap import Interval, _interval, _resampled
from trainlib.metrics.confusion import count_outcomes
from trainlib.metrics.decisions import Decisions, decide
from trainlib.metrics.defined import mean_defined, ratio

Array = NDArray[Any]
Row = dict[str, float | str]

CLASS_FIGURES = ("precision", "recall", "specificity", "f1", "auroc")
"""Figures of a class against the rest."""


class ClassificationReport(NamedTuple):
    """Two tables.

    Attributes:
        classes: A row for each class: class, then for each of `CLASS_FIGURES` the figure and the ends of its
            interval, such as precision, precision_low, precision_high, and support, its number of cases.
        overall: A row for each figure of all classes: figure, value, low, high.
    """

    classes: list[Row]
    overall: list[Row]


def classification_report(
    probabilities: ArrayLike,
    targets: ArrayLike,
    classes: Sequence[str],
    *,
    multilabel: bool = False,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> ClassificationReport:
    """Compute the figures of a classification with percentile bootstrap intervals.

    Whole cases are drawn with replacement, as in `trainlib.metrics.bootstrap.estimate`: the same resamples for the
    same seed. A figure that is not defined, such as the recall of a class without cases, is nan and left out of the
    means over classes. A resample in which it is not defined is left out of its interval; the interval is nan where
    less than half of the resamples remain, and with fewer than two cases.

    The figures of all classes are "accuracy" (share of right cases; multi-label: of right decisions, each label of
    each case being one), "balanced_accuracy" (mean of the recall over the classes that occur; multi-label: mean over
    the labels of the mean of recall and specificity) and "macro_precision" to "macro_auroc", means over the classes.

    Args:
        probabilities: Probabilities from 0 to 1, shape (cases, classes).
        targets: Index of the class of each case, shape (cases,); of multi-label cases 0 or 1, shape (cases, classes).
        classes: Names of the classes.
        multilabel: Whether a case may be of several classes or of none.
        resamples: Number of resamples.
        seed: Seed of the draws.
        confidence: Share of the resampled figures that lies in the interval.

    Returns:
        Both tables.

    Raises:
        ValueError: The arguments do not fit each other; see `trainlib.metrics.decisions.decide`.

    Source:
        The figures: `trainlib.metrics.confusion.Outcomes`, `trainlib.metrics.areas.auroc`. The bootstrap: Efron &
        Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
    """
    scores = np.asarray(probabilities, np.float64)
    decisions = decide(scores, targets, len(classes), multilabel=multilabel)
    cases = len(scores)
    values = _figures(scores, decisions, np.ones((1, cases), np.int64), multilabel=multilabel)
    parts = [
        _figures(scores, decisions, counts, multilabel=multilabel)
        for _, counts in (_resampled(cases, resamples, seed) if cases > 1 else ())
    ]
    drawn = {name: np.concatenate([part[name] for part in parts]) for name in values} if parts else {}
    intervals = {name: _intervals(value[0], drawn.get(name), confidence) for name, value in values.items()}
    support = decisions.labelled.sum(axis=0)
    return ClassificationReport(
        [_class_row(name, k, intervals, int(support[k])) for k, name in enumerate(classes)],
        [{"figure": name, **found[0]._asdict()} for name, found in intervals.items() if name not in CLASS_FIGURES],
    )


def _figures(scores: Array, decisions: Decisions, counts: Array, *, multilabel: bool) -> dict[str, Array]:
    """Compute all figures of each resample: of the classes, shape (resamples, classes), and overall (resamples, 1)."""
    outcomes = count_outcomes(decisions, counts)
    aurocs = [resampled_auroc(scores[:, k], labelled, counts) for k, labelled in enumerate(decisions.labelled.T)]
    figures = {
        "precision": outcomes.precision,
        "recall": outcomes.recall,
        "specificity": outcomes.specificity,
        "f1": outcomes.f1,
        "auroc": np.stack(aurocs, axis=1),
    }
    right = outcomes.accuracy.mean(axis=1) if multilabel else ratio(outcomes.tp.sum(axis=1), counts.sum(axis=1))
    balanced = mean_defined(outcomes.balanced_accuracy if multilabel else outcomes.recall)
    macro = {f"macro_{name}": mean_defined(figures[name]) for name in CLASS_FIGURES}
    overall = {"accuracy": right, "balanced_accuracy": balanced} | macro
    return figures | {name: figure[:, None] for name, figure in overall.items()}


def _intervals(values: Array, drawn: Array | None, confidence: float) -> list[Interval]:
    """Put the interval of its resampled values beside each value; nan where too few of them are defined."""
    found = []
    for column, value in enumerate(values):
        resampled = np.empty(0) if drawn is None else drawn[:, column]
        defined = resampled[~np.isnan(resampled)]
        if len(defined) == 0 or len(defined) < len(resampled) / 2:
            found.append(Interval(float(value), np.nan, np.nan))
        else:
            found.append(_interval(float(value), defined, confidence))
    return found


def _class_row(name: str, column: int, intervals: dict[str, list[Interval]], support: int) -> Row:
    row: Row = {"class": name}
    for figure in CLASS_FIGURES:
        value, low, high = intervals[figure][column]
        row |= {figure: value, f"{figure}_low": low, f"{figure}_high": high}
    return row | {"support": support}
