"""Surface scores against hand computation, brute force, a full distance transform and MONAI."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from monai.metrics import (
    compute_average_surface_distance,
    compute_hausdorff_distance,
    compute_surface_dice,
)
from scipy import ndimage
from scipy.spatial.distance import cdist

from trainlib.metrics.surface import SurfaceScores, surface_scores


def cube(start, size=3, shape=(9, 9, 9)):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(first, first + size) for first in start)] = True
    return mask


def random_pair(seed):
    """Two blobs, a spacing and a tolerance; every third pair is 2-D, and many blobs touch the border."""
    rng = np.random.default_rng(seed)
    ndim = 2 if seed % 3 == 0 else 3
    shape = tuple(int(size) for size in rng.integers(5, 18, size=ndim))
    masks = []
    for _ in range(2):
        noise = ndimage.gaussian_filter(rng.standard_normal(shape), rng.uniform(0.5, 2.0))
        masks.append(noise > np.quantile(noise, rng.uniform(0.3, 0.97)))
    spacing = tuple(float(step) for step in rng.uniform(0.3, 4.0, size=ndim))
    return masks[0], masks[1], spacing, float(rng.uniform(0.2, 5.0))


def surface_by_neighbours(mask):
    """Mark voxels with a background neighbour across a face, by shifting a padded copy along each axis."""
    padded = np.pad(mask, 1)
    core = (slice(1, -1),) * mask.ndim
    edge = np.zeros_like(mask)
    for axis, step in product(range(mask.ndim), (-1, 1)):
        edge |= mask & ~np.roll(padded, step, axis=axis)[core]
    return edge


def directed_by_brute_force(prediction, label, spacing):
    """All distances between all pairs of surface voxels, then the nearest."""
    first = np.argwhere(surface_by_neighbours(prediction)) * np.asarray(spacing)
    second = np.argwhere(surface_by_neighbours(label)) * np.asarray(spacing)
    pairs = cdist(first, second)
    return pairs.min(axis=1), pairs.min(axis=0)


def directed_by_full_transform(prediction, label, spacing):
    """Distance transforms of the whole image, without cropping."""
    first, second = surface_by_neighbours(prediction), surface_by_neighbours(label)
    to_second = ndimage.distance_transform_edt(~second, sampling=spacing)
    to_first = ndimage.distance_transform_edt(~first, sampling=spacing)
    return to_second[first], to_first[second]


def reference_scores(directed, tolerance):
    forth, back = directed
    right = (forth <= tolerance).sum() + (back <= tolerance).sum()
    return (
        max(forth.max(), back.max()),
        max(percentile_by_hand(forth, 0.95), percentile_by_hand(back, 0.95)),
        (forth.sum() + back.sum()) / (forth.size + back.size),
        right / (forth.size + back.size),
    )


def percentile_by_hand(values, share):
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


@pytest.mark.parametrize(("axis", "hd"), [(0, 2.0), (1, 4.0), (2, 6.0)])
def test_a_cube_shifted_by_two_voxels_is_two_spacings_away(axis, hd):
    shifted = [2, 2, 2]
    shifted[axis] += 2
    scores = surface_scores(cube([2, 2, 2]), cube(shifted), (1.0, 2.0, 3.0))
    assert scores.hd == pytest.approx(hd)


def test_all_scores_of_a_shifted_cube_are_computed_by_hand():
    # Of the 26 surface voxels of either cube 9 lie 6 mm from the other, 8 lie 3 mm and 9 lie on it.
    scores = surface_scores(cube([2, 2, 2]), cube([2, 2, 4]), (1.0, 2.0, 3.0), nsd_tolerance=3.0)
    assert scores == pytest.approx((6.0, 6.0, (8 * 3 + 9 * 6) / 26, 17 / 26))


def test_hd95_interpolates_each_direction_and_takes_the_larger():
    # Eleven pixels against ten of them: one is 2 mm off. Position 9.5 of the 11 ordered distances lies
    # halfway between 0 and 2; pooled with the other direction (21 distances) the percentile would be 0.
    prediction, label = np.zeros((3, 14), bool), np.zeros((3, 14), bool)
    prediction[1, 1:12] = True
    label[1, 1:11] = True
    scores = surface_scores(prediction, label, (5.0, 2.0))
    assert scores == pytest.approx((2.0, 1.0, 2 / 21, 20 / 21))


def test_voxels_at_the_array_border_are_surface():
    # The surface of a full 5 x 5 image is its 16 border pixels.
    prediction, label = np.ones((5, 5), bool), np.zeros((5, 5), bool)
    label[2, 2] = True
    asd = (4 * math.sqrt(8) + 8 * math.sqrt(5) + 4 * 2 + 2) / 17
    scores = surface_scores(prediction, label, (1.0, 1.0), nsd_tolerance=2.0)
    assert scores == pytest.approx((math.sqrt(8), math.sqrt(8), asd, 5 / 17))


def test_a_hole_has_a_surface():
    # The label is the solid 5 x 5 square: only the four pixels around the hole are new, each 1 pixel inside.
    label = cube([2, 2], size=5, shape=(9, 9))
    prediction = label.copy()
    prediction[4, 4] = False
    scores = surface_scores(prediction, label, (1.0, 1.0), nsd_tolerance=0.5)
    assert scores == pytest.approx((1.0, 1.0, 4 / 36, 32 / 36))


def test_a_diagonal_neighbour_alone_does_not_make_a_voxel_surface():
    # (3, 3) meets the background across its corner, at (2, 2), only.
    mask = cube([2, 2], size=5, shape=(9, 9))
    mask[2, 2] = False
    point = np.zeros((9, 9), bool)
    point[3, 3] = True
    # Nearest surface pixels to (3, 3) are (2, 3) and (3, 2), one pixel away.
    forth, _ = directed_by_brute_force(point, mask, (1.0, 1.0))
    assert forth.tolist() == [1.0]
    scores = surface_scores(point, mask, (1.0, 1.0), nsd_tolerance=0.0)
    assert scores.nsd == 0.0


def test_equal_masks_have_distance_zero():
    mask = cube([0, 2, 3])
    assert surface_scores(mask, mask.copy(), (1.0, 2.0, 3.0), nsd_tolerance=0.0) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("shape", "spacing", "diagonal"),
    [((3, 4), (1.0, 1.0), 5.0), ((6, 4), (0.5, 1.0), 5.0), ((2, 6, 3), (1.0, 0.5, 2.0), 7.0)],
)
def test_one_empty_mask_costs_the_diagonal_of_the_image(shape, spacing, diagonal):
    empty, point = np.zeros(shape, bool), np.zeros(shape, bool)
    point[(1,) * len(shape)] = True
    expected = pytest.approx((diagonal, diagonal, diagonal, 0.0), rel=1e-15)
    assert surface_scores(empty, point, spacing) == expected
    assert surface_scores(point, empty, spacing) == expected


def test_no_found_structure_scores_worse_than_a_missed_one():
    shape, spacing = (4, 5, 6), (1.0, 2.0, 0.5)
    first, last = np.zeros(shape, bool), np.zeros(shape, bool)
    first[0, 0, 0] = last[-1, -1, -1] = True
    corner_to_corner = math.sqrt(3**2 + 8**2 + 2.5**2)
    assert surface_scores(first, last, spacing).hd == pytest.approx(corner_to_corner)
    assert surface_scores(first, np.zeros(shape, bool), spacing).hd > corner_to_corner


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4)])
def test_two_empty_masks_have_no_scores(shape):
    scores = surface_scores(np.zeros(shape, bool), np.zeros(shape, bool), (1.0,) * len(shape))
    assert all(math.isnan(score) for score in scores)


@pytest.mark.parametrize("seed", range(60))
def test_random_blobs_agree_with_brute_force_and_with_the_full_transform(seed):
    prediction, label, spacing, tolerance = random_pair(seed)
    scores = surface_scores(prediction, label, spacing, tolerance)
    for directed in (directed_by_brute_force, directed_by_full_transform):
        expected = reference_scores(directed(prediction, label, spacing), tolerance)
        assert scores == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(30))
def test_random_blobs_agree_with_monai(seed):
    prediction, label, spacing, tolerance = random_pair(seed)
    pair = {"y_pred": torch.from_numpy(prediction[None, None]), "y": torch.from_numpy(label[None, None])}
    shared = {"include_background": True, "spacing": list(spacing)}
    expected = (
        compute_hausdorff_distance(**pair, **shared).item(),
        compute_hausdorff_distance(**pair, **shared, percentile=95).item(),
        compute_average_surface_distance(**pair, **shared, symmetric=True).item(),
        compute_surface_dice(**pair, **shared, class_thresholds=[tolerance]).item(),
    )
    # MONAI works in single precision.
    assert surface_scores(prediction, label, spacing, tolerance) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_exchanging_or_flipping_the_masks_or_widening_the_image_leaves_the_brute_force_scores(seed):
    prediction, label, spacing, tolerance = random_pair(seed)
    expected = pytest.approx(
        reference_scores(directed_by_brute_force(prediction, label, spacing), tolerance), rel=1e-9, abs=1e-9
    )
    assert surface_scores(label, prediction, spacing, tolerance) == expected
    for axis in range(label.ndim):
        assert surface_scores(np.flip(prediction, axis), np.flip(label, axis), spacing, tolerance) == expected
    transposed = surface_scores(prediction.T, label.T, spacing[::-1], tolerance)
    assert transposed == expected
    assert surface_scores(np.pad(prediction, 3), np.pad(label, 3), spacing, tolerance) == expected


@pytest.mark.parametrize("step", [0.7, 0.1, float(np.float32(0.7)), float(np.float32(1.1))])
def test_a_surface_exactly_at_the_tolerance_counts_whatever_the_rounding(step):
    # 3 * 0.7 < 2.1 but 3 * 0.1 > 0.3 in floating point, and headers keep 0.7 in single precision.
    first, second = np.zeros((1, 9), bool), np.zeros((1, 9), bool)
    first[0, 1] = second[0, 4] = True
    assert surface_scores(first, second, (1.0, step), nsd_tolerance=round(3 * step, 3)).nsd == 1.0
    assert surface_scores(first, second, (1.0, step), nsd_tolerance=round(3 * step, 3) - 0.001).nsd == 0.0


def test_the_scores_are_plain_floats_under_their_names():
    scores = surface_scores(cube([1, 1, 1]), cube([1, 1, 2]), (1.0, 1.0, 1.0))
    assert isinstance(scores, SurfaceScores)
    assert scores._fields == ("hd", "hd95", "asd", "nsd")
    assert all(type(score) is float for score in scores)


def test_the_masks_are_left_as_they_were():
    prediction, label = cube([1, 1, 1]), cube([2, 2, 2])
    surface_scores(prediction, label, (1.0, 1.0, 1.0))
    assert np.argwhere(prediction).min() == 1
    assert prediction.sum() == 27
    assert np.argwhere(label).min() == 2
    assert label.sum() == 27


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"same shape, but got \(4, 4\) and \(4, 5\)"):
        surface_scores(np.ones((4, 4), bool), np.ones((4, 5), bool), (1.0, 1.0))


def test_masks_that_are_not_boolean_are_refused():
    with pytest.raises(ValueError, match="label to be a boolean mask, but got dtype int64"):
        surface_scores(np.ones((4, 4), bool), np.ones((4, 4), np.int64), (1.0, 1.0))


@pytest.mark.parametrize("shape", [(4,), (2, 2, 2, 2)])
def test_masks_that_are_neither_2d_nor_3d_are_refused(shape):
    with pytest.raises(ValueError, match="2 or 3 dimensions, but got shape"):
        surface_scores(np.ones(shape, bool), np.ones(shape, bool), (1.0,) * len(shape))


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 1.0, 1.0, 1.0), ()])
def test_a_spacing_of_the_wrong_length_is_refused_even_for_empty_masks(spacing):
    with pytest.raises(ValueError, match=f"each of the 3 axes, but got {len(spacing)}"):
        surface_scores(np.zeros((2, 2, 2), bool), np.zeros((2, 2, 2), bool), spacing)


@pytest.mark.parametrize("step", [0.0, -1.0, math.nan, math.inf])
def test_a_spacing_that_is_not_positive_and_finite_is_refused(step):
    with pytest.raises(ValueError, match="positive and finite"):
        surface_scores(np.ones((2, 2), bool), np.ones((2, 2), bool), (1.0, step))


@pytest.mark.parametrize("tolerance", [-0.1, math.nan, math.inf])
def test_a_tolerance_that_is_no_distance_is_refused(tolerance):
    with pytest.raises(ValueError, match="nsd_tolerance to be a distance"):
        surface_scores(np.ones((2, 2), bool), np.ones((2, 2), bool), (1.0, 1.0), tolerance)
