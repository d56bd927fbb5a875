"""Planes through a volume, and how they lie in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Plane:
    """A plane through an image.

    A 3-D image with axes in the order right, anterior, superior is shown in radiological convention: the
    patient's right is on the left, anterior or superior on top. Of a 2-D image the first axis runs to the right
    and the second down, as readers of PNG give it.

    Attributes:
        axis: The axis that it is perpendicular to; None for a 2-D image, which is its own plane.
        index: Position along that axis.
    """

    axis: int | None
    index: int = 0

    def cut(self, image: Array) -> Array:
        """Return the pixels of the plane, shape (rows, columns), without copying them."""
        if self.axis is None:
            return image.T
        # `take` would copy the whole volume where its axes do not lie in memory in their order, as in NIfTI.
        return image[(slice(None),) * self.axis + (self.index,)][::-1, ::-1].T

    def size(self, image: Array, spacing: Sequence[float]) -> tuple[float, float]:
        """Return width and height of the plane in mm."""
        extents = [size * step for size, step in zip(image.shape, spacing, strict=True)]
        first, second = (extent for axis, extent in enumerate(extents) if axis != self.axis)
        return first, second


def choose_planes(mask: Array) -> list[Plane]:
    """Choose for each axis of a 3-D image the plane with most foreground: axial, coronal, sagittal.

    Args:
        mask: Where there is foreground, shape of the image; without any, the middle planes are chosen.
    """
    if mask.ndim == 2:
        return [Plane(None)]
    planes = []
    for axis in (2, 1, 0):
        counts = np.count_nonzero(mask, axis=tuple(other for other in range(3) if other != axis))
        planes.append(Plane(axis, int(counts.argmax()) if counts.any() else mask.shape[axis] // 2))
    return planes


def to_ras(array: Array, affine: Array) -> Array:
    """Turn and mirror the axes of a 3-D image so that they run to the right, anterior and superior.

    The axes of a 2-D image are mirrored so that it is shown as the plane of a volume would be.

    Args:
        array: Shape (x, y, z) or (x, y).
        affine: Affine of the voxels, shape (4, 4) or (3, 3).
    """
    if array.ndim == 3:
        return nib.orientations.apply_orientation(array, nib.orientations.io_orientation(affine))
    directions = affine[:-1, :2]
    positive = [column[np.abs(column).argmax()] > 0 for column in directions.T]
    return array[tuple(slice(None, None, -1 if mirrored else 1) for mirrored in positive)]


def spacing_to_ras(spacing: Sequence[float], affine: Array) -> list[float]:
    """Bring the voxel size of each axis into the order of the axes after `to_ras`."""
    if len(spacing) != 3:
        return list(spacing)
    order = nib.orientations.io_orientation(affine)[:, 0].astype(int)
    ordered = [1.0] * 3
    for step, axis in zip(spacing, order, strict=True):
        ordered[axis] = step
    return ordered
