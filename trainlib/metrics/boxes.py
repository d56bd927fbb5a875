"""Boxes that hold masks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Box = tuple[slice, ...]
"""One slice per axis."""


def bounding_box(mask: NDArray[np.bool_]) -> Box:
    """Find the smallest box that holds a mask.

    Args:
        mask: Boolean mask, not empty.

    Returns:
        One slice per axis.
    """
    box: list[slice] = []
    for axis in range(mask.ndim):
        # What the axes before found makes the rest smaller.
        inside = mask[tuple(box)]
        occupied = np.flatnonzero(inside.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
    return tuple(box)


def common_box(first: Box, second: Box, margins: Sequence[int]) -> Box | None:
    """Find where two boxes overlap once both are widened by margins; None where they do not."""
    box = tuple(
        slice(max(0, one.start - margin, other.start - margin), min(one.stop + margin, other.stop + margin))
        for one, other, margin in zip(first, second, margins, strict=True)
    )
    return box if all(part.start < part.stop for part in box) else None
