"""Distances between the surfaces of two masks, in millimetres."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainlib.metrics.boxes import bounding_box
from trainlib.metrics.nearest import nearest_distances
from trainlib.metrics.overlap import check_masks

# Headers keep the spacing in single precision and 3 * 0.7 is not 2.1 in floating point: without this slack
# a surface that lies exactly at the tolerance would count or not at random.
RELATIVE_SLACK = 1e-5


class SurfaceScores(NamedTuple):
    """How far two surfaces lie apart.

    Attributes:
        hd: Hausdorff distance in mm: the largest of all distances from one surface to the other.
        hd95: 95th percentile of the distances of either direction in mm, the larger of the two.
        asd: Symmetric average surface distance in mm: the mean over the voxels of both surfaces.
        nsd: Normalised surface Dice: share of both surfaces' voxels that lie within the tolerance, 0 to 1.
    """

    hd: float
    hd95: float
    asd: float
    nsd: float


def surface_scores(
    prediction: NDArray[np.bool_],
    label: NDArray[np.bool_],
    spacing: Sequence[float],
    nsd_tolerance: float = 1.0,
    image_shape: Sequence[int] | None = None,
) -> SurfaceScores:
    """Compare the surfaces of two masks.

    The surface of a mask is those of its voxels that share a face with a voxel outside it; beyond the border
    of the image all is outside. Every surface voxel counts the same, whatever area it stands for. Both masks
    empty: all four are nan. Exactly one empty: the distances are the diagonal of the image, nsd is 0.

    Args:
        prediction: Boolean mask, 2-D or 3-D.
        label: Boolean mask of the same shape.
        spacing: Size of a voxel along each axis in mm.
        nsd_tolerance: Distance in mm up to which, inclusive, a surface voxel counts as right.
        image_shape: Shape of the image that both masks were cut out of, where nothing of either lies outside.

    Returns:
        The four scores; exchanging prediction and label does not change them.

    Raises:
        ValueError: The masks differ in shape, are not boolean or not 2-D or 3-D; the spacing does not fit
            them; or the tolerance is negative or not finite.

    Source:
        hd: Huttenlocher et al., "Comparing images using the Hausdorff distance", IEEE TPAMI 15 (1993).
        hd95 as in `monai.metrics.compute_hausdorff_distance(percentile=95)`: percentile of each direction,
        linearly interpolated, then the maximum. asd as in `compute_average_surface_distance(symmetric=True)`.
        nsd: Nikolov et al., "Deep learning to achieve clinically applicable segmentation of head and neck
        anatomy for radiotherapy" (2018), counted in voxels as in `monai.metrics.compute_surface_dice`.
    """
    check_masks(prediction, label)
    if label.ndim not in (2, 3):
        raise ValueError(f"Expected masks with 2 or 3 dimensions, but got shape {label.shape}.")
    check_spacing(spacing, label.ndim)
    if not (math.isfinite(nsd_tolerance) and nsd_tolerance >= 0):
        raise ValueError(f"Expected nsd_tolerance to be a distance in mm, 0 or more, but got {nsd_tolerance}.")

    found = bool(prediction.any()), bool(label.any())
    if not any(found):
        return SurfaceScores(math.nan, math.nan, math.nan, math.nan)
    if not all(found):
        diagonal = math.hypot(*(size * step for size, step in zip(image_shape or label.shape, spacing, strict=True)))
        return SurfaceScores(diagonal, diagonal, diagonal, 0.0)

    directed = _directed_distances(prediction, label, spacing)
    pooled = np.concatenate(directed)
    return SurfaceScores(
        hd=float(pooled.max()),
        hd95=max(float(np.percentile(distances, 95)) for distances in directed),
        # Sorted, so that rounding cannot make the mean depend on which mask came first or how it is oriented.
        asd=float(np.sort(pooled).mean()),
        nsd=float(np.mean(pooled <= nsd_tolerance * (1 + RELATIVE_SLACK))),
    )


def check_spacing(spacing: Sequence[float], ndim: int) -> None:
    """Check that a spacing describes the voxels of an image.

    Args:
        spacing: Size of a voxel along each axis in mm.
        ndim: Number of axes of the image.

    Raises:
        ValueError: The number of values is not the number of axes, or one is not positive and finite.
    """
    if len(spacing) != ndim:
        raise ValueError(
            f"Expected spacing to have one value for each of the {ndim} axes, but got {len(spacing)}: {spacing}."
        )
    if not all(math.isfinite(step) and step > 0 for step in spacing):
        raise ValueError(f"Expected spacing to be positive and finite (mm), but got {spacing}.")


def _directed_distances(
    prediction: NDArray[np.bool_], label: NDArray[np.bool_], spacing: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure how far each surface voxel of one mask is from the surface of the other.

    Args:
        prediction: Boolean mask, not empty.
        label: Boolean mask of the same shape, not empty.
        spacing: Size of a voxel along each axis in mm.

    Returns:
        The distances in mm from prediction to label, and those from label to prediction.
    """
    # Nothing of either mask lies outside their joint bounding box, so cropping changes no surface and no
    # distance; in a large image it is most of the speed.
    box = bounding_box(prediction | label)
    predicted, labelled = _surface(prediction[box]), _surface(label[box])
    return nearest_distances(predicted, labelled, spacing), nearest_distances(labelled, predicted, spacing)


def _surface(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the voxels of a mask that share a face with a voxel outside it.

    Args:
        mask: Boolean mask; all beyond its array counts as outside.

    Returns:
        Boolean mask of the same shape.
    """
    inside = mask.copy()
    for axis in range(mask.ndim):
        lines, of_mask = np.moveaxis(inside, axis, 0), np.moveaxis(mask, axis, 0)
        lines[1:] &= of_mask[:-1]
        lines[:-1] &= of_mask[1:]
        lines[[0, -1]] = False
    return mask ^ inside
