"""The distances to the nearest voxel against all pairs of voxels and a transform of the whole image."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import cdist

from trainlib.metrics import nearest, planes
from trainlib.metrics.boxes import bounding_box
from trainlib.metrics.nearest import nearest_distances
from trainlib.metrics.planes import by_planes

METHODS = ["planes", "tree", "transform"]
SPACINGS = [(1.0, 1.0, 1.0), (0.3, 0.3, 5.0), (4.0, 0.7, 0.9), (0.2, 3.0, 1.1)]


def by_all_pairs(queries, targets, spacing):
    """Measure each query against each target."""
    return cdist(np.argwhere(queries) * spacing, np.argwhere(targets) * spacing).min(axis=1)


def voxels(shape, *places):
    mask = np.zeros(shape, bool)
    for place in places:
        mask[place] = True
    return mask


def frame(shape):
    """The border of the whole image."""
    mask = np.ones(shape, bool)
    mask[(slice(1, -1),) * len(shape)] = False
    return mask


def specks(shape, share, seed=0):
    return np.random.default_rng(seed).random(shape) < share


LONG, FLAT = (40, 9, 23), (37, 52)
CASES = {
    "a single voxel against its opposite corner": (voxels(LONG, (0, 0, 0)), voxels(LONG, (39, 8, 22))),
    "a voxel against itself": (voxels(LONG, (5, 5, 5)), voxels(LONG, (5, 5, 5))),
    "specks against a single voxel": (specks(LONG, 0.1), voxels(LONG, (39, 0, 22))),
    "a single voxel against specks": (voxels(LONG, (20, 4, 11)), specks(LONG, 0.1)),
    "a rare speck against a block at the border": (specks(LONG, 0.002), voxels(LONG, np.s_[30:, :3, 15:])),
    "two ends against the middle": (voxels(LONG, np.s_[0], np.s_[39]), voxels(LONG, np.s_[18:22, 3:5, 9:12])),
    "the border of the image against its inside": (frame(LONG), ~frame(LONG)),
    "a voxel inside against the border of the image": (voxels(LONG, (21, 4, 11)), frame(LONG)),
    "all against all": (np.ones((11, 7, 9), bool), np.ones((11, 7, 9), bool)),
    "all against one": (np.ones(LONG, bool), voxels(LONG, (3, 8, 2))),
    "specks against specks": (specks(LONG, 0.05), specks(LONG, 0.01, seed=1)),
    "an image of one plane": (specks((1, 20, 30), 0.1), voxels((1, 20, 30), (0, 19, 3))),
    "an image of one line": (specks((1, 1, 60), 0.3), voxels((1, 1, 60), (0, 0, 59))),
}
CASES_2D = {
    "specks against a block at the border": (specks(FLAT, 0.1), voxels(FLAT, np.s_[30:, 40:])),
    "a block against specks": (voxels(FLAT, np.s_[30:, 40:]), specks(FLAT, 0.02)),
    "corner against corner": (voxels(FLAT, (0, 0)), voxels(FLAT, (36, 51))),
    "all against one": (np.ones(FLAT, bool), voxels(FLAT, (0, 51))),
}


def only(monkeypatch, method, nearby):
    """Let all voxels be searched nearby first, where there are any, or none; and the rest by one method alone."""
    monkeypatch.setattr(nearest, "_costs", lambda *_: {method: 0.0})
    monkeypatch.setattr(nearest, "_nearby_pays", lambda *_: nearby)


def assert_as_by_all_pairs(queries, targets, spacing):
    expected = by_all_pairs(queries, targets, spacing)
    np.testing.assert_allclose(nearest_distances(queries, targets, spacing), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("nearby", [True, False], ids=["nearby", "at once"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", CASES)
def test_each_method_finds_what_all_pairs_say(monkeypatch, case, method, nearby, spacing):
    only(monkeypatch, method, nearby)
    assert_as_by_all_pairs(*CASES[case], spacing)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.2, 3.0), (2.5, 0.4)])
@pytest.mark.parametrize("nearby", [True, False], ids=["nearby", "at once"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", CASES_2D)
def test_each_method_finds_what_all_pairs_say_in_2d(monkeypatch, case, method, nearby, spacing):
    only(monkeypatch, method, nearby)
    assert_as_by_all_pairs(*CASES_2D[case], spacing)


@pytest.mark.parametrize("seed", range(40))
def test_random_masks_of_any_density_agree_with_the_full_transform(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 34, size=2 if seed % 4 == 0 else 3))
    spacing = tuple(rng.uniform(0.2, 5.0, len(shape)))
    masks = []
    for _ in range(2):
        corner = [int(rng.integers(0, size)) for size in shape]
        part = tuple(slice(first, first + int(rng.integers(1, 20))) for first in corner)
        mask = np.zeros(shape, bool)
        mask[part] = rng.random(mask[part].shape) < rng.choice([0.01, 0.2, 1.0])
        mask[tuple(corner)] = True
        masks.append(mask | specks(shape, rng.choice([0.0, 0.001, 0.1]), seed))
    queries, targets = masks
    expected = ndimage.distance_transform_edt(~targets, spacing)[queries]
    np.testing.assert_allclose(nearest_distances(queries, targets, spacing), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("share", [0.1, 1.0])
@pytest.mark.parametrize("cached", [1, 1 << 12, 1 << 14])
def test_sums_taken_in_chunks_are_those_taken_at_once(monkeypatch, cached, share):
    queries, targets = specks(LONG, share), specks(LONG, 0.02, seed=1)
    at_once = by_planes(queries, targets, SPACINGS[2])
    monkeypatch.setattr(planes, "CACHED", cached)
    np.testing.assert_array_equal(by_planes(queries, targets, SPACINGS[2]), at_once)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_what_lies_within_reach_is_exact_and_the_rest_is_not_too_near(spacing):
    queries, targets = specks(LONG, 0.2), voxels(LONG, np.s_[10:14, 2:5, 3:6], np.s_[30, 7, 20])
    whole, limited = by_planes(queries, targets, spacing), by_planes(queries, targets, spacing, reach=3)
    within = whole <= 3 * spacing[0]
    np.testing.assert_array_equal(limited[within], whole[within])
    assert (limited >= whole).all()
    assert np.isinf(limited).any()


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_in_memory_changes_nothing(order):
    queries, targets = specks(LONG, 0.1), voxels(LONG, np.s_[35:, :2, :2])
    given = nearest_distances(np.asarray(queries, order=order), np.asarray(targets, order=order), SPACINGS[1])
    np.testing.assert_allclose(given, by_all_pairs(queries, targets, SPACINGS[1]), rtol=1e-12)


def test_no_voxels_have_no_distances():
    assert nearest_distances(np.zeros(LONG, bool), np.ones(LONG, bool), SPACINGS[0]).shape == (0,)


def test_the_masks_stay_as_they_were():
    queries, targets = specks(LONG, 0.1), specks(LONG, 0.001, seed=1)
    kept = queries.copy(), targets.copy()
    nearest_distances(queries, targets, SPACINGS[0])
    assert np.array_equal(queries, kept[0])
    assert np.array_equal(targets, kept[1])


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][1].any()])
def test_the_box_is_the_smallest_that_holds_all(case):
    mask = CASES[case][1]
    places = np.argwhere(mask)
    expected = tuple(slice(first, last + 1) for first, last in zip(places.min(axis=0), places.max(axis=0), strict=True))
    assert bounding_box(mask) == expected


def ball(shape, radius):
    """The surface of a ball in the middle of the image."""
    squares = sum((places - size // 2) ** 2 for places, size in zip(np.indices(shape), shape, strict=True))
    return (squares <= radius**2) & (squares > (radius - 1) ** 2)


@pytest.mark.parametrize(
    ("method", "queries", "targets"),
    [
        ("planes", specks((48, 48, 48), 0.1), voxels((48, 48, 48), np.s_[20:25, 20:25, 20:25])),
        ("planes", ball((96, 96, 96), 20), frame((96, 96, 96))),
        ("planes", ball((96, 96, 96), 12), ball((96, 96, 96), 46)),
        ("tree", ball((96, 96, 96), 42), ball((96, 96, 96), 46)),
        ("tree", specks((64, 64, 64), 0.001), frame((64, 64, 64))),
        ("transform", specks((160, 160, 160), 0.3), voxels((160, 160, 160), np.s_[::159, ::2, ::2])),
    ],
    ids=[
        "specks all over the image",
        "inside of a box",
        "inside of a shell",
        "close to a shell",
        "few specks",
        "two large structures",
    ],
)
def test_the_method_is_the_one_that_costs_least(method, queries, targets):
    costs = nearest._costs(queries, targets, SPACINGS[0])
    assert min(costs, key=costs.__getitem__) == method


@pytest.mark.parametrize(
    ("pays", "queries", "targets"),
    [
        (True, ball((64, 64, 64), 20), ball((64, 64, 64), 22)),
        (False, specks((512, 1, 512), 0.2), ball((512, 1, 512), 150)),
    ],
    ids=["surfaces much alike", "specks around a thin line"],
)
def test_nearby_is_searched_first_where_that_settles_much(pays, queries, targets):
    everywhere = (slice(None),) * 3
    assert nearest._nearby_pays(queries, targets, SPACINGS[0], everywhere, nearest.NEAR) is pays
