"""What is predicted and what is labelled, each class against the rest."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

THRESHOLD = 0.5
"""Probability above which a label of a multi-label case is predicted, as in torchmetrics."""


class Decisions(NamedTuple):
    """Which classes each case is predicted to be of, and which it is of.

    Attributes:
        predicted: Boolean, shape (cases, classes).
        labelled: Boolean, shape (cases, classes).
    """

    predicted: Array
    labelled: Array


def decide(probabilities: ArrayLike, targets: ArrayLike, class_count: int, *, multilabel: bool = False) -> Decisions:
    """Decide from probabilities which classes each case is predicted to be of.

    Args:
        probabilities: Probabilities from 0 to 1, shape (cases, classes).
        targets: Index of the class of each case, shape (cases,); of multi-label cases 0 or 1 for each class, shape
            (cases, classes).
        class_count: Number of classes.
        multilabel: Whether a case may be of several classes or of none. Then every class is predicted whose
            probability is above `THRESHOLD`; else the most probable class is, of equally probable ones the first.

    Returns:
        Predicted and labelled classes.

    Raises:
        ValueError: A shape or a value is not as described, or there are too few classes.
    """
    likely, truth = np.asarray(probabilities), np.asarray(targets)
    if class_count < (1 if multilabel else 2):
        raise ValueError(f"Expected at least {1 if multilabel else 2} classes, but got {class_count}.")
    _check_probabilities(likely, class_count)
    if multilabel:
        _check_label_table(truth, likely.shape)
        return Decisions(likely > THRESHOLD, truth == 1)
    check_class_indices("targets", truth, class_count)
    if len(truth) != len(likely):
        raise ValueError(
            f"Expected argument `targets` to have a class index for each of the {len(likely)} cases, "
            f"but got {len(truth)}."
        )
    classes = np.arange(class_count)
    return Decisions(likely.argmax(axis=1)[:, None] == classes, truth[:, None] == classes)


def check_class_indices(name: str, indices: Array, class_count: int) -> None:
    """Check that an array holds the index of a class for each case.

    Args:
        name: Name of the argument.
        indices: The array.
        class_count: Number of classes.

    Raises:
        ValueError: It has not one dimension, does not hold integers, or one of them is the index of no class.
    """
    if indices.ndim != 1:
        raise ValueError(
            f"Expected argument `{name}` to hold a class index for each case, shape (cases,), "
            f"but got shape {indices.shape}."
        )
    if not indices.size:
        return
    if indices.dtype.kind not in "iu":
        raise ValueError(f"Expected argument `{name}` to hold integers, but got dtype {indices.dtype}.")
    wrong = np.unique(indices[(indices < 0) | (indices >= class_count)])
    if wrong.size:
        raise ValueError(
            f"Expected argument `{name}` to hold class indices from 0 to {class_count - 1}, but found {wrong.tolist()}."
        )


def _check_probabilities(probabilities: Array, class_count: int) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] != class_count:
        raise ValueError(
            f"Expected argument `probabilities` to have shape (cases, {class_count}), a column for each class, "
            f"but got shape {probabilities.shape}."
        )
    # Written so that nan, which compares as false, is found as well.
    wrong = ~((probabilities >= 0) & (probabilities <= 1))
    if wrong.any():
        raise ValueError(
            f"Expected argument `probabilities` to hold values from 0 to 1, but found {probabilities[wrong][0]} "
            f"({np.count_nonzero(wrong.any(axis=1))} of {len(wrong)} cases). Apply softmax or sigmoid to logits first."
        )


def _check_label_table(targets: Array, shape: tuple[int, ...]) -> None:
    if targets.shape != shape:
        raise ValueError(
            f"Expected argument `targets` of multi-label cases to have shape {shape}, as the probabilities have, "
            f"but got shape {targets.shape}."
        )
    wrong = np.unique(targets[(targets != 0) & (targets != 1)])
    if wrong.size:
        raise ValueError(
            f"Expected argument `targets` of multi-label cases to hold 0 and 1 only, but found {wrong.tolist()}."
        )
