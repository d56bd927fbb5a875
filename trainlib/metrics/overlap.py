"""Overlap of two masks."""

import math

import numpy as np
from numpy.typing import NDArray


def dice_score(prediction: NDArray[np.bool_], label: NDArray[np.bool_]) -> float:
    """Compute the Dice similarity coefficient of two masks.

    Args:
        prediction: Boolean mask of any number of dimensions.
        label: Boolean mask of the same shape.

    Returns:
        2 |P ∩ L| / (|P| + |L|), from 0 (disjoint) to 1 (equal). nan if both masks are empty, 0 if exactly
        one is.

    Raises:
        ValueError: The shapes differ, or a mask is not boolean.

    Source:
        Dice, "Measures of the amount of ecologic association between species", Ecology 26 (1945).
    """
    check_masks(prediction, label)
    total = np.count_nonzero(prediction) + np.count_nonzero(label)
    if total == 0:
        return math.nan
    return float(2 * np.count_nonzero(prediction & label) / total)


def check_masks(prediction: NDArray[np.bool_], label: NDArray[np.bool_]) -> None:
    """Check that two masks can be compared voxel by voxel.

    Args:
        prediction: Boolean mask of any number of dimensions.
        label: Boolean mask of the same shape.

    Raises:
        ValueError: The shapes differ, or a mask is not boolean.
    """
    check_shapes(prediction.shape, label.shape)
    for name, mask in (("prediction", prediction), ("label", label)):
        # Integers would pass through & and ~ as bit patterns and give a plausible, wrong number.
        if mask.dtype != np.bool_:
            raise ValueError(
                f"Expected {name} to be a boolean mask, but got dtype {mask.dtype}. "
                f"Compare it with a class value (`{name} == 1`) or a threshold (`{name} > 0.5`) first."
            )


def check_shapes(prediction: tuple[int, ...], label: tuple[int, ...]) -> None:
    """Check that two arrays have the same shape, since broadcasting would compare the wrong voxels.

    Args:
        prediction: Shape of the prediction.
        label: Shape of the label.

    Raises:
        ValueError: The shapes differ.
    """
    if prediction != label:
        raise ValueError(f"Expected prediction and label of the same shape, but got {prediction} and {label}.")
