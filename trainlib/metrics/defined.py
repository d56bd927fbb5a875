"""Arithmetic in which a figure that is not defined is nan: without a warning, and never 0 in its place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Array:
    """Divide one array by another.

    Args:
        numerator: Array.
        denominator: Array of a shape that broadcasts with it.

    Returns:
        The quotient in double precision; nan where the denominator is 0.
    """
    above, below = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    return np.divide(above, below, out=np.full(above.shape, math.nan), where=below != 0)


def mean_defined(values: ArrayLike) -> Array:
    """Average over the last axis what is not nan.

    Args:
        values: Array of shape (..., classes).

    Returns:
        The means, shape (...); nan where all values are.
    """
    table = np.asarray(values, np.float64)
    defined = ~np.isnan(table)
    return ratio(np.where(defined, table, 0.0).sum(axis=-1), defined.sum(axis=-1))
