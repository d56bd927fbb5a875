"""Reliability diagrams and the expected calibration error: whether what is said to be 80 % sure is right in 80 %."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainlib.metrics.decisions import decide
from trainlib.metrics.defined import ratio

Array = NDArray[Any]


class Reliability(NamedTuple):
    """A reliability diagram.

    Attributes:
        edges: Ends of the bins, shape (bins + 1,); a bin holds its upper end, the first one 0 as well.
        counts: Cases in each bin, shape (bins,).
        confidence: Mean probability in each bin; nan in an empty one.
        accuracy: Share of the cases in each bin for which it came true; nan in an empty one.
        error: Expected calibration error: mean of abs(accuracy - confidence) over the bins, weighted with their
            counts; nan without cases.
    """

    edges: Array
    counts: Array
    confidence: Array
    accuracy: Array
    error: float


def reliability(probabilities: ArrayLike, came_true: ArrayLike, *, bins: int = 10) -> Reliability:
    """Compare probabilities with how often what they are said of came true, in bins of equal width.

    Args:
        probabilities: From 0 to 1, shape (cases,).
        came_true: Boolean, shape (cases,).
        bins: Number of bins.

    Returns:
        The diagram.

    Raises:
        ValueError: The shapes differ, a probability is not from 0 to 1, or there is no bin.

    Source:
        Guo et al., "On calibration of modern neural networks", ICML (2017), equations 2, 3 and 5; the diagram:
        DeGroot & Fienberg, "The comparison and evaluation of forecasters", The Statistician 32 (1983).
    """
    sure, right = np.asarray(probabilities, np.float64), np.asarray(came_true)
    _check(sure, right, bins)
    edges = np.arange(bins + 1) / bins
    place = np.searchsorted(edges, sure, side="left").clip(min=1) - 1
    counts = np.bincount(place, minlength=bins)
    confidence = ratio(np.bincount(place, weights=sure, minlength=bins), counts)
    accuracy = ratio(np.bincount(place, weights=right.astype(np.float64), minlength=bins), counts)
    filled = counts > 0
    gaps = np.abs(accuracy - confidence)[filled]
    error = float(gaps @ counts[filled] / len(sure)) if len(sure) else math.nan
    return Reliability(edges, counts, confidence, accuracy, error)


def prediction_reliability(probabilities: ArrayLike, targets: ArrayLike, *, bins: int = 10) -> Reliability:
    """Compare the confidence in the predicted class with how often it is the right one.

    Args:
        probabilities: Probabilities of all classes, one of which each case is of, shape (cases, classes).
        targets: Index of the class of each case, shape (cases,).
        bins: Number of bins.

    Returns:
        The diagram of the highest probability of each case, as Guo et al. (2017) define it. With two classes it is
        never below 0.5; `class_reliability` shows more.

    Raises:
        ValueError: The arguments do not fit each other; see `trainlib.metrics.decisions.decide`.
    """
    likely = np.asarray(probabilities)
    predicted, labelled = decide(likely, targets, likely.shape[-1] if likely.ndim else 0)
    return reliability(likely.max(axis=1), (predicted & labelled).any(axis=1), bins=bins)


def class_reliability(
    probabilities: ArrayLike, targets: ArrayLike, classes: Sequence[str], *, multilabel: bool = False, bins: int = 10
) -> dict[str, Reliability]:
    """Compare the probability of each class with how often cases are of it.

    Args:
        probabilities: Probabilities, shape (cases, classes).
        targets: Index of the class of each case, shape (cases,); of multi-label cases 0 or 1, shape (cases, classes).
        classes: Names of the classes.
        multilabel: Whether a case may be of several classes or of none.
        bins: Number of bins.

    Returns:
        A diagram for each class, by its name. Their errors are the class-wise ones of Kull et al., "Beyond
        temperature scaling", NeurIPS (2019), equation 3, before the mean over classes.

    Raises:
        ValueError: The arguments do not fit each other; see `trainlib.metrics.decisions.decide`.
    """
    likely = np.asarray(probabilities)
    labelled = decide(likely, targets, len(classes), multilabel=multilabel).labelled
    return {name: reliability(likely[:, k], labelled[:, k], bins=bins) for k, name in enumerate(classes)}


def _check(probabilities: Array, came_true: Array, bins: int) -> None:
    if bins < 1:
        raise ValueError(f"Expected argument `bins` to be a positive integer, but got {bins}.")
    if probabilities.ndim != 1 or probabilities.shape != came_true.shape:
        raise ValueError(
            f"Expected arguments `probabilities` and `came_true` of the same shape (cases,), "
            f"but got {probabilities.shape} and {came_true.shape}."
        )
    if came_true.dtype != np.bool_:
        raise ValueError(f"Expected argument `came_true` to be boolean, but got dtype {came_true.dtype}.")
    wrong = probabilities[~((probabilities >= 0) & (probabilities <= 1))]
    if wrong.size:
        raise ValueError(f"Expected argument `probabilities` to hold values from 0 to 1, but found {wrong[0]}.")
