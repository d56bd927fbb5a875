"""Metrics from numpy and scipy alone, written without a look at trainlib's, to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage


def surface(mask: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Voxels of a mask with a face neighbour outside it."""
    padded = np.pad(mask, 1)
    inside = np.ones_like(mask)
    for axis in range(mask.ndim):
        for shift in (-1, 1):
            inside &= np.roll(padded, shift, axis)[(slice(1, -1),) * mask.ndim]
    return mask & ~inside


def scores(prediction: np.ndarray[Any, Any], label: np.ndarray[Any, Any], spacing: Sequence[float]) -> dict[str, float]:
    """Dice, HD95 and ASD of two masks that are not empty, on the whole volume."""
    edges = surface(prediction), surface(label)
    to_label = ndimage.distance_transform_edt(~edges[1], sampling=spacing)[edges[0]]
    to_prediction = ndimage.distance_transform_edt(~edges[0], sampling=spacing)[edges[1]]
    return {
        "dice": 2 * (prediction & label).sum() / (prediction.sum() + label.sum()),
        "hd": max(to_label.max(), to_prediction.max()),
        "hd95": max(np.percentile(to_label, 95), np.percentile(to_prediction, 95)),
        "asd": np.concatenate([to_label, to_prediction]).mean(),
    }
