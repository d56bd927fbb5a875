"""How far each voxel of one mask is from the nearest of another, in millimetres."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from trainlib.metrics.boxes import Box, bounding_box, common_box
from trainlib.metrics.planes import Floats, Indices, Mask, by_planes

# Steps along the axis of middle spacing within which the nearest voxel is looked for at first.
NEAR = 4


def nearest_distances(queries: Mask, targets: Mask, spacing: Sequence[float]) -> Floats:
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
    box = common_box(bounding_box(queries), bounding_box(targets), margins)
    if box and queries[box].any() and targets[box].any() and _nearby_pays(queries, targets, spacing, box, margins[0]):
        nearby = np.zeros(queries.shape, bool)
        nearby[box] = queries[box]
        distances[nearby.ravel()[places]] = by_planes(queries[box], targets[box], spacing, margins[0])
    far = distances > reach
    if far.any():
        rest = np.zeros(queries.shape, bool)
        rest.ravel()[places[far]] = True
        distances[far] = _among_all(rest, targets, spacing)
    return distances


def _among_all(queries: Mask, targets: Mask, spacing: Sequence[float]) -> Floats:
    """Measure distances to whatever is the nearest in the whole image, as `nearest_distances` does.

    For few queries a tree is best. An early prediction has specks all over the image, most of them far from the
    structure, whose box is small: they are searched by planes. If the structure is large as well, there is nothing
    better than a transform.
    """
    costs = _costs(queries, targets, spacing)
    method = min(costs, key=costs.__getitem__)
    if method == "planes":
        return by_planes(queries, targets, spacing)
    if method == "tree":
        asked, points = (_positions(np.flatnonzero(mask), mask.shape, spacing) for mask in (queries, targets))
        nearest: Floats = cKDTree(points, compact_nodes=False, balanced_tree=False).query(asked)[0]
        return nearest
    if targets.shape[1] == 1:
        # With a third axis of one voxel a 2-D image takes half as long again.
        queries, targets, spacing = queries[:, 0], targets[:, 0], spacing[::2]
    # Where the nearest voxel is; the distances of the whole array, of which few are needed, take half as long again.
    places = ndimage.distance_transform_edt(~targets, spacing, return_distances=False, return_indices=True)
    moves = (places[:, queries] - np.nonzero(queries)) * np.reshape(spacing, (-1, 1))
    return np.sqrt((moves**2).sum(axis=0))


def _costs(queries: Mask, targets: Mask, spacing: Sequence[float], bound: float = math.inf) -> dict[str, float]:
    """Estimate what each method takes in nanoseconds; the factors were measured.

    A tree is looked at closely only where it may be the best, and take less than a bound.
    """
    asked, points = int(np.count_nonzero(queries)), int(np.count_nonzero(targets))
    others = {"planes": _plane_cost(queries, targets), "transform": 90.0 * targets.size}
    tree = targets.size + 160.0 * points + 800.0 * asked
    if tree < min(bound, *others.values()):
        tree += 15.0 * asked * _passed(queries, targets, spacing)
    return {**others, "tree": tree}


def _passed(queries: Mask, targets: Mask, spacing: Sequence[float]) -> float:
    """Estimate how many targets a tree looks at for one query: those not much further off than the nearest.

    Inside of a shell, about equally far from all of it, these are tens of thousands.
    """
    points = np.flatnonzero(targets)
    some = [places[:: -(-places.size // most)] for places, most in ((np.flatnonzero(queries), 16), (points, 4096))]
    squares = cdist(*(_positions(places, targets.shape, spacing) for places in some), "sqeuclidean")
    return points.size * float(np.mean(squares <= 1.1**2 * squares.min(axis=1, keepdims=True)))


def _plane_cost(queries: Mask, targets: Mask, reach: int | None = None) -> float:
    """Estimate what `by_planes` takes in nanoseconds."""
    planes, asked = int(np.count_nonzero(queries.any(axis=(1, 2)))), int(np.count_nonzero(queries))
    depth, *others = (part.stop - part.start for part in bounding_box(targets))
    across, along = min(others), queries.shape[2 if others[1] >= others[0] else 1]
    searched = depth if reach is None else min(depth, 2 * reach + 1)
    return 2e4 * planes + across * along * (0.9 * planes * searched + 10.0 * depth) + 2.0 * asked * across


def _nearby_pays(queries: Mask, targets: Mask, spacing: Sequence[float], box: Box, reach: int) -> bool:
    """Tell whether to look nearby costs less than what it saves of a search of all at once."""
    asked, points = int(np.count_nonzero(queries)), int(np.count_nonzero(targets))
    # Where one surface passes by another, so many voxels of it at most are near to each of the other.
    settled = min(int(np.count_nonzero(queries[box])), (2 * NEAR + 1) * points)
    least = _plane_cost(queries[box], targets[box], reach) * asked / settled
    return least < min(_costs(queries, targets, spacing, least).values())


def _positions(places: Indices, shape: Sequence[int], spacing: Sequence[float]) -> Floats:
    """Return where voxels, given by their flat index, are in mm, shape (voxels, axes)."""
    # `argwhere` takes several times as long.
    positions: Floats = np.stack(np.unravel_index(places, tuple(shape)), axis=1) * np.asarray(spacing)
    return positions
