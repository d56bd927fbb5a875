"""How far each voxel of one mask is from the nearest of another, in millimetres."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

# Steps along the axis of middle spacing within which the nearest voxel is looked for at first.
NEAR = 4
# Bytes of sums that are taken at once: they have to stay in the cache of a processor.
CACHED = 1 << 20

_Mask = NDArray[np.bool_]
_Floats = NDArray[np.float64]
_Box = tuple[slice, ...]


def nearest_distances(queries: _Mask, targets: _Mask, spacing: Sequence[float]) -> _Floats:
    """Measure how far each voxel of one mask is from the nearest of another.

    First it is looked for nearby, which is little work and settles most voxels of two surfaces that are much alike;
    the rest is then compared with the whole other mask, by whatever costs least.

    Args:
        queries: Boolean mask, 2-D or 3-D.
        targets: Boolean mask of the same shape, not empty.
        spacing: Size of a voxel along each axis in mm.

    Returns:
        The distances in mm, in the order of the voxels of `queries`.
    """
    if queries.ndim == 2:
        queries, targets, spacing = queries[:, None], targets[:, None], (spacing[0], 1.0, spacing[1])
    places = np.flatnonzero(queries)
    distances = np.full(places.size, np.inf)
    if not places.size:
        return distances
    reach = NEAR * sorted(spacing)[1]
    margins = [int(reach / step) + 1 for step in spacing]
    box = _common_box(bounding_box(queries), bounding_box(targets), margins)
    if box and queries[box].any() and targets[box].any() and _nearby_pays(queries, targets, box, margins[0]):
        nearby = np.zeros(queries.shape, bool)
        nearby[box] = queries[box]
        distances[nearby.ravel()[places]] = by_planes(queries[box], targets[box], spacing, margins[0])
    far = distances > reach
    if far.any():
        rest = np.zeros(queries.shape, bool)
        rest.ravel()[places[far]] = True
        distances[far] = _among_all(rest, targets, spacing)
    return distances


def bounding_box(mask: _Mask) -> _Box:
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


def by_planes(queries: _Mask, targets: _Mask, spacing: Sequence[float], reach: int | None = None) -> _Floats:
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
        sums = to_lines.take(places[along - 1], axis=1)
        sums += over_lines.take(places[across - 1], axis=1)
        found.append(np.minimum.reduce(sums, axis=0))
    return np.sqrt(np.concatenate(found))


def _among_all(queries: _Mask, targets: _Mask, spacing: Sequence[float]) -> _Floats:
    """Measure distances to whatever is the nearest in the whole image, as `nearest_distances` does.

    For few queries a tree is best. An early prediction has specks all over the image, most of them far from the
    structure, whose box is small: they are searched by planes. If the structure is large as well, there is nothing
    better than a transform.
    """
    costs = _costs(queries, targets)
    method = min(costs, key=costs.__getitem__)
    if method == "planes":
        return by_planes(queries, targets, spacing)
    if method == "tree":
        tree = cKDTree(_positions(targets, spacing), compact_nodes=False, balanced_tree=False)
        nearest: _Floats = tree.query(_positions(queries, spacing))[0]
        return nearest
    # Where the nearest voxel is; the distances of the whole array, of which few are needed, take half as long again.
    places = ndimage.distance_transform_edt(~targets, spacing, return_distances=False, return_indices=True)
    moves = (places[:, queries] - np.nonzero(queries)) * np.reshape(spacing, (-1, 1))
    return np.sqrt((moves**2).sum(axis=0))


def _costs(queries: _Mask, targets: _Mask) -> dict[str, float]:
    """Estimate what each method takes in nanoseconds; the factors were measured."""
    asked, points = int(np.count_nonzero(queries)), int(np.count_nonzero(targets))
    # Between surfaces of about one size a search is short; from specks it passes the more points the more there are.
    alike = points < 4 * asked < 16 * points
    search = 1200.0 if alike else max(400.0, 6.0 * points**0.65)
    return {
        "planes": _plane_cost(queries, targets),
        "tree": targets.size + 160.0 * points + search * asked,
        "transform": 90.0 * targets.size,
    }


def _plane_cost(queries: _Mask, targets: _Mask, reach: int | None = None) -> float:
    """Estimate what `by_planes` takes in nanoseconds."""
    planes, asked = int(np.count_nonzero(queries.any(axis=(1, 2)))), int(np.count_nonzero(queries))
    depth, *others = (part.stop - part.start for part in bounding_box(targets))
    across, along = min(others), queries.shape[2 if others[1] >= others[0] else 1]
    searched = depth if reach is None else min(depth, 2 * reach + 1)
    return 2e4 * planes + across * along * (0.9 * planes * searched + 10.0 * depth) + 3.0 * asked * across


def _nearby_pays(queries: _Mask, targets: _Mask, box: _Box, reach: int) -> bool:
    """Tell whether to look nearby costs less than to search all at once."""
    return _plane_cost(queries[box], targets[box], reach) < min(_costs(queries, targets).values())


def _positions(mask: _Mask, spacing: Sequence[float]) -> _Floats:
    """Return where the voxels of a mask are in mm, shape (voxels, axes)."""
    # `argwhere` takes several times as long.
    positions: _Floats = np.stack(np.unravel_index(np.flatnonzero(mask), mask.shape), axis=1) * np.asarray(spacing)
    return positions


def _common_box(first: _Box, second: _Box, margins: Sequence[int]) -> _Box | None:
    """Find where two boxes overlap once both are widened by margins; None where they do not."""
    box = tuple(
        slice(max(0, one.start - margin, other.start - margin), min(one.stop + margin, other.stop + margin))
        for one, other, margin in zip(first, second, margins, strict=True)
    )
    return box if all(part.start < part.stop for part in box) else None


def _line_distances(targets: _Mask, step: float) -> _Floats:
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


def _squares(size: int, part: slice, step: float) -> _Floats:
    """Return the squared distances in mm² along an axis from each voxel, a row, to each of a part, a column."""
    distances = (np.arange(size)[:, None] - np.arange(part.start, part.stop)) * float(step)
    squares: _Floats = np.square(distances, dtype=np.float64)
    return squares


def _within(squares: _Floats, distance: float) -> slice:
    """Find which of the squared distances along an axis are within a distance in mm; they lie side by side."""
    near = np.flatnonzero(squares <= distance**2)
    return slice(int(near[0]), int(near[-1]) + 1) if near.size else slice(0)


def _smallest_sums(planes: _Floats, added: _Floats) -> _Floats:
    """Add a number to each plane, and return the smallest sum for each voxel."""
    flat = planes.reshape(len(planes), -1)
    smallest = np.empty(flat.shape[1])
    size = min(flat.shape[1], max(64, CACHED // (flat.itemsize * len(flat))))
    sums = np.empty((len(flat), size))
    for start in range(0, flat.shape[1], size):
        part = flat[:, start : start + size]
        of_part = np.add(part, added[:, None], out=sums[:, : part.shape[1]])
        np.minimum.reduce(of_part, axis=0, out=smallest[start : start + size])
    return smallest.reshape(planes.shape[1:])
