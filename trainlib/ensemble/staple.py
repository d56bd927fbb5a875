"""STAPLE: the segmentation that several raters most probably mean, each weighed by how it performs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SURE = 0.99999  # probability, to begin with, that a rater gives a voxel its true class


class Consensus(NamedTuple):
    """What the raters most probably mean.

    Attributes:
        label_map: The most probable class of each voxel; of equally probable ones the lowest value.
        performance: Probability that a rater says a class where another is true, shape (raters, said, true).
    """

    label_map: NDArray[np.integer[Any]]
    performance: NDArray[np.float64]


def staple(
    label_maps: NDArray[np.integer[Any]], classes: int, *, iterations: int = 200, tolerance: float = 1e-7
) -> Consensus:
    """Estimate the true label map and the performance of the raters by expectation maximisation.

    Voxels on which the raters say the same have the same probabilities, so that each combination of classes is
    worked on once, whatever number of voxels has it: the result is that of all voxels. The prior of a class is its
    share of all voxels of all raters.

    Args:
        label_maps: Class values from 0 to `classes` - 1, shape (raters, ...).
        classes: Number of classes.
        iterations: Most iterations.
        tolerance: Largest change of a performance below which they end.

    Source:
        Warfield, Zou and Wells, "Simultaneous truth and performance level estimation (STAPLE)", IEEE Transactions on
        Medical Imaging 23 (2004), section II-E for several classes.
    """
    raters = len(label_maps)
    said, place, voxels = _combinations(label_maps.reshape(raters, -1), classes)
    prior = np.stack([np.bincount(row, voxels, classes) for row in said]).sum(axis=0) / (raters * voxels.sum())
    performance = np.full((raters, classes, classes), (1 - _SURE) / max(classes - 1, 1))
    performance[:, range(classes), range(classes)] = _SURE
    weights = _expected(said, performance, prior)
    for _ in range(iterations):
        before, performance = performance, _maximised(said, weights * voxels, performance)
        weights = _expected(said, performance, prior)
        if np.abs(performance - before).max() < tolerance:
            break
    decided = weights.argmax(axis=0).astype(label_maps.dtype)
    return Consensus(decided[place].reshape(label_maps.shape[1:]), performance)


def _combinations(flat: Array, classes: int) -> tuple[Array, Array, Array]:
    """Find the combinations of classes that occur.

    Args:
        flat: Class values, shape (raters, voxels).
        classes: Number of classes.

    Returns:
        The combinations, shape (raters, combinations); which of them each voxel has; and how many voxels each has.
    """
    place = np.zeros(flat.shape[1], dtype=np.int64)
    said = np.zeros((0, 1), dtype=np.int64)
    for row in flat:  # rater by rater, for a number for all of them together may be too large
        keys = place * classes + row
        occur = np.flatnonzero(np.bincount(keys))
        number = np.zeros(occur[-1] + 1, dtype=np.int64)
        number[occur] = np.arange(len(occur))
        place, said = number[keys], np.vstack([said[:, occur // classes], occur % classes])
    return said, place, np.bincount(place)


def _expected(said: Array, performance: Array, prior: Array) -> Array:
    """Compute the probability that each class is the true one, shape (classes, combinations)."""
    with np.errstate(divide="ignore"):  # what never happened has no logarithm
        logarithms = np.log(performance)
        joint = np.log(prior)[:, None] + sum(logarithms[rater, row].T for rater, row in enumerate(said))
    joint = np.exp(joint - joint.max(axis=0))
    return joint / joint.sum(axis=0)


def _maximised(said: Array, weights: Array, before: Array) -> Array:
    """Compute the performance of each rater from weights of shape (classes, combinations)."""
    classes = len(weights)
    totals = weights.sum(axis=1)
    found = np.stack([[np.bincount(row, weight, classes) for weight in weights] for row in said])
    # A class that nowhere is the true one tells nothing of the raters.
    ratio = np.divide(found, totals[:, None], out=before.swapaxes(1, 2).copy(), where=totals[:, None] > 0)
    return ratio.swapaxes(1, 2)
