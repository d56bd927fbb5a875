"""Which values are far from the others?"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_FEWEST = 5  # values of which one can be the odd one out
_FAR = 6.0  # robust standard deviations


def far(values: Array, at_least: float) -> Array:
    """Tell which values lie far from the median.

    The scale is the median absolute deviation, which a few odd values cannot move, as a standard deviation is moved by
    the very values it should find (Leys et al., Journal of Experimental Social Psychology 49, 2013).

    Args:
        values: The values; nan is never far.
        at_least: What a value must be off by, however alike the others are.

    Returns:
        True for each that is far.
    """
    known = values[np.isfinite(values)]
    if len(known) < _FEWEST:
        return np.zeros(len(values), dtype=bool)
    centre = np.median(known)
    scale = 1.4826 * np.median(np.abs(known - centre))
    off = np.abs(values - centre)
    return np.isfinite(values) & (off > max(at_least, _FAR * scale))
