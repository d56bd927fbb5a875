"""The confusion matrix, and what follows from counting right and wrong predictions of each class."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainlib.metrics.decisions import Decisions, check_class_indices
from trainlib.metrics.defined import ratio

Array = NDArray[Any]


class Outcomes(NamedTuple):
    """How many cases are predicted rightly and wrongly, each class against the rest.

    What is computed from them is nan where it is not defined.

    Attributes:
        tp: True positives: cases of the class that are predicted to be of it. All four have the same shape.
        fp: False positives: cases of other classes that are predicted to be of it.
        fn: False negatives: cases of the class that are not predicted to be of it.
        tn: True negatives: all other cases.

    Source:
        The formulas of Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27 (2006), figure 1.
        Balanced accuracy: Brodersen et al., "The balanced accuracy and its posterior distribution", ICPR (2010).
    """

    tp: Array
    fp: Array
    fn: Array
    tn: Array

    @property
    def cases(self) -> Array:
        """All cases."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def support(self) -> Array:
        """Cases of the class: TP + FN."""
        return self.tp + self.fn

    @property
    def precision(self) -> Array:
        """TP / (TP + FP), the positive predictive value; nan for a class that is never predicted."""
        return ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> Array:
        """TP / (TP + FN), the sensitivity; nan for a class without cases."""
        return ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> Array:
        """TN / (TN + FP); nan for a class that all cases are of."""
        return ratio(self.tn, self.tn + self.fp)

    @property
    def npv(self) -> Array:
        """TN / (TN + FN), the negative predictive value; nan for a class that is always predicted."""
        return ratio(self.tn, self.tn + self.fn)

    @property
    def f1(self) -> Array:
        """2 TP / (2 TP + FP + FN), the Dice coefficient of both; nan for a class neither labelled nor predicted."""
        return ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> Array:
        """(TP + TN) / cases; nan without cases."""
        return ratio(self.tp + self.tn, self.cases)

    @property
    def balanced_accuracy(self) -> Array:
        """(recall + specificity) / 2; nan where one of them is."""
        return (self.recall + self.specificity) / 2


def count_outcomes(decisions: Decisions, counts: Array | None = None) -> Outcomes:
    """Count right and wrong predictions of each class.

    Args:
        decisions: Predicted and labelled classes of all cases.
        counts: How often each case counts, shape (resamples, cases); None: every case once.

    Returns:
        Whole numbers in double precision, shape (classes,), or (resamples, classes) with counts.
    """
    predicted, labelled = decisions
    weights = np.ones(len(labelled)) if counts is None else counts.astype(np.float64)
    tp = weights @ (predicted & labelled).astype(np.float64)
    fp = weights @ (predicted & ~labelled).astype(np.float64)
    fn = weights @ (~predicted & labelled).astype(np.float64)
    return Outcomes(tp, fp, fn, weights.sum(axis=-1)[..., None] - tp - fp - fn)


def confusion_matrix(predicted: ArrayLike, targets: ArrayLike, class_count: int) -> Array:
    """Count how often cases of each class are predicted to be of each class.

    Args:
        predicted: Index of the predicted class of each case, shape (cases,).
        targets: Index of the class of each case, shape (cases,).
        class_count: Number of classes.

    Returns:
        Integers, shape (classes, classes): rows are the classes of the cases, columns the predicted ones, as in
        `sklearn.metrics.confusion_matrix`.

    Raises:
        ValueError: The arrays differ in length, or hold something other than indices of classes.
    """
    found, truth = np.asarray(predicted), np.asarray(targets)
    check_class_indices("predicted", found, class_count)
    check_class_indices("targets", truth, class_count)
    if len(found) != len(truth):
        raise ValueError(
            f"Expected arguments `predicted` and `targets` of the same length, but got {len(found)} and {len(truth)}."
        )
    pairs = truth.astype(np.int64) * class_count + found.astype(np.int64)
    return np.bincount(pairs, minlength=class_count**2).reshape(class_count, class_count)
