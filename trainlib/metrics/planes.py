"""Distances between two masks, searched axis by axis."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainlib.metrics.boxes import bounding_box

# Bytes of sums that are taken at once: they have to stay in the cache of a processor.
CACHED = 1 << 20

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def by_planes(queries: Mask, targets: Mask, spacing: Sequence[float], reach: int | None = None) -> Floats:
    """Measure distances axis by axis, in the box of the targets alone.

    A squared distance is a sum over the axes: the smallest is that to the nearest target in each line of voxels, of
    these the smallest over the lines of a plane, and of these the smallest over the planes. The last two are searched
    in full, which for a box of a usual size is faster than to be clever about it.

    Args:
        queries: Boolean mask, 3-D, not empty.
        targets: Boolean mask of the same shape, not empty.
        spacing: Size of a voxel along each axis in mm.
        reach: Planes further off than this are left out, so that a distance is wrong, and too large, if it is longer.

    Returns:
        The distances in mm, in the order of the voxels of `queries`; inf where nothing is within reach.
    """
    box = bounding_box(targets)
    sizes = [part.stop - part.start for part in box]
    # Along a line the search is linear, so lines go the way in which the box is longer.
    turned = sizes[1] > sizes[2]
    along, across = (1, 2) if turned else (2, 1)
    lines = _line_distances(targets.swapaxes(1, 2)[box[0], box[2]] if turned else targets[box[:2]], spacing[along])
    over_planes = _squares(queries.shape[0], box[0], spacing[0])
    over_lines = _squares(queries.shape[across], box[across], spacing[across]).T
    found = []
    for plane, steps in zip(queries, over_planes, strict=True):
        places = np.divmod(np.flatnonzero(plane), plane.shape[1])
        if not places[0].size:
            continue
        near = slice(None) if reach is None else _within(steps, reach * spacing[0])
        if not steps[near].size:
            found.append(np.full(places[0].size, np.inf))
            continue
        to_lines = _smallest_sums(lines[near], steps[near])
        found.append(_over_lines(to_lines, over_lines, places[along - 1], places[across - 1]))
    return np.sqrt(np.concatenate(found))


def _line_distances(targets: Mask, step: float) -> Floats:
    """Measure the squared distance along the last axis of each voxel to the nearest target; inf where there is none.

    Args:
        targets: Boolean mask, 3-D.
        step: Size of a voxel along the last axis in mm.

    Returns:
        Distances in mm², of the shape of `targets`.
    """
    # The axis comes first, so that whole planes are handled at once.
    outside = ~np.ascontiguousarray(targets.transpose(2, 0, 1))
    steps = np.empty(outside.shape, np.int32)
    steps[0] = outside[0] * len(outside)
    for index in range(1, len(outside)):
        np.multiply(steps[index - 1] + 1, outside[index], out=steps[index])
    for index in range(len(outside) - 2, -1, -1):
        np.minimum(steps[index], steps[index + 1] + 1, out=steps[index])
    distances = steps.transpose(1, 2, 0).astype(np.float64, order="C")
    distances *= step
    distances *= distances
    distances[~targets.any(axis=2)] = math.inf
    return distances


def _squares(size: int, part: slice, step: float) -> Floats:
    """Return the squared distances in mm² along an axis from each voxel, a row, to each of a part, a column."""
    distances = (np.arange(size)[:, None] - np.arange(part.start, part.stop)) * float(step)
    squares: Floats = np.square(distances, dtype=np.float64)
    return squares


def _within(squares: Floats, distance: float) -> slice:
    """Find which of the squared distances along an axis are within a distance in mm; they lie side by side."""
    near = np.flatnonzero(squares <= distance**2)
    return slice(int(near[0]), int(near[-1]) + 1) if near.size else slice(0)


def _smallest_sums(planes: Floats, added: Floats) -> Floats:
    """Add a number to each plane, and return the smallest sum for each voxel."""
    flat = planes.reshape(len(planes), -1)
    smallest = np.empty(flat.shape[1])
    size = min(flat.shape[1], _at_once(len(flat)))
    sums = np.empty((len(flat), size))
    for start in range(0, flat.shape[1], size):
        part = flat[:, start : start + size]
        of_part = np.add(part, added[:, None], out=sums[:, : part.shape[1]])
        np.minimum.reduce(of_part, axis=0, out=smallest[start : start + size])
    return smallest.reshape(planes.shape[1:])


def _over_lines(to_lines: Floats, over_lines: Floats, along: Indices, across: Indices) -> Floats:
    """Find the smallest sum over the lines of a plane for each voxel that is asked for.

    Args:
        to_lines: Squared distances within each line, shape (lines, voxels along them).
        over_lines: Squared distances to each line, shape (lines, voxels across them).
        along: Where the voxels are along the lines.
        across: Where the voxels are across the lines.

    Returns:
        Squared distances in mm², one for each voxel.
    """
    smallest = np.empty(along.size)
    size = _at_once(len(to_lines))
    for start in range(0, along.size, size):
        part = slice(start, start + size)
        sums = to_lines.take(along[part], axis=1)
        sums += over_lines.take(across[part], axis=1)
        np.minimum.reduce(sums, axis=0, out=smallest[part])
    return smallest


def _at_once(sums: int) -> int:
    """Return for how many voxels, of each of which there are so many sums, these stay in the cache."""
    return max(64, CACHED // (8 * sums))
