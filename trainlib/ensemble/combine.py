"""One prediction out of those of all members: by their mean, their vote, or STAPLE."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainlib.ensemble.opinions import Opinions
from trainlib.ensemble.staple import staple
from trainlib.errors import ConfigError

METHODS = ("mean", "vote", "staple")
"""Ways to combine the members; a classification has the first two."""

Array = NDArray[Any]


def methods_of(task: str) -> tuple[str, ...]:
    """Return the ways to combine the members of an ensemble for a task."""
    return METHODS if task == "segmentation" else METHODS[:2]


def check_method(method: str, task: str) -> None:
    """Refuse what there is not for a task.

    Raises:
        ConfigError: STAPLE was asked for, and there are no label maps.
    """
    if method not in methods_of(task):
        raise ConfigError(f"--method {method}: STAPLE weighs label maps, and a {task} has none. Choose mean or vote.")


def combine_maps(opinions: Opinions, method: str) -> Array:
    """Decide on the class of each voxel; post-processing comes after it.

    Args:
        opinions: What the members say.
        method: ``mean`` takes the class with the highest mean probability, ``vote`` the one that most members decided
            on, among equals the one with the highest mean probability, ``staple`` the most probable one by STAPLE.

    Returns:
        Class values, shape (...).
    """
    classes = len(opinions.probabilities)
    if method == "staple":
        return staple(np.asarray(opinions.label_maps), classes).label_map
    if method == "mean":
        return opinions.probabilities.argmax(axis=0)
    votes = opinions.probabilities / 2  # less than a vote
    for label_map in opinions.label_maps:
        for value in range(classes):
            votes[value] += label_map == value
    return votes.argmax(axis=0)


def combine_classes(probabilities: Array, method: str, *, multilabel: bool) -> Array:
    """Combine the probabilities of classes.

    Args:
        probabilities: Shape (members, cases, classes).
        method: ``mean``, or ``vote`` for the share of members that decided on a class. A millionth of the mean is
            mixed in, which decides among equals.
        multilabel: Whether a case may be of several classes or of none.

    Returns:
        Probabilities, shape (cases, classes).
    """
    mean = probabilities.mean(axis=0)
    if method == "mean":
        return mean
    if multilabel:
        votes = probabilities > 0.5
    else:
        votes = probabilities.argmax(axis=-1)[..., None] == np.arange(probabilities.shape[-1])
    return np.clip((1 - 1e-6) * votes.mean(axis=0) + 1e-6 * mean, 0, 1)


def entropy(probabilities: Array) -> Array:
    """Compute the entropy of probabilities over their first axis, in nats: from 0 to the logarithm of their number.

    Source:
        Shannon, "A mathematical theory of communication", Bell System Technical Journal 27 (1948).
    """
    positive = np.where(probabilities > 0, probabilities, 1)
    return -(probabilities * np.log(positive)).sum(axis=0)


def binary_entropy(probabilities: Array) -> Array:
    """Compute the entropy of each label of a multi-label case being there or not, in nats."""
    return entropy(np.stack([probabilities, 1 - probabilities]))
