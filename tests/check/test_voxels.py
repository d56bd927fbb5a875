"""Voxels: ranges, counts and hashes, against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from trainlib.check.voxels import describe_voxels

RNG = np.random.default_rng(0)


def test_ranges_are_those_of_numpy() -> None:
    array = RNG.normal(size=(2, 20, 21, 22)).astype(np.float32)
    found = describe_voxels(array, label=False)
    assert found.values == {}
    for range_, channel in zip(found.ranges, array, strict=True):
        assert range_ == pytest.approx(np.percentile(channel, (0, 1, 50, 99, 100)), rel=1e-6)


def test_percentiles_of_a_large_image_are_those_of_a_sample_of_it() -> None:
    array = RNG.normal(100, 15, size=(1, 160, 128, 100))
    [found] = describe_voxels(array, label=False).ranges
    assert (found.low, found.median, found.high) == pytest.approx(np.percentile(array, (1, 50, 99)), abs=0.5)
    assert (found.minimum, found.maximum) == (array.min(), array.max())


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_label_values_are_counted(dtype: type) -> None:
    array = RNG.choice([0, 1, 7], size=(1, 30, 30), p=[0.5, 0.3, 0.2]).astype(dtype)
    expected = dict(zip(*(part.tolist() for part in np.unique(array, return_counts=True)), strict=True))
    found = describe_voxels(array, label=True)
    assert found.values == expected
    assert (found.digest, found.ranges) == ("", ())


def test_negative_and_broken_values_are_counted_too() -> None:
    found = describe_voxels(np.array([[-1.0, 0.5, 0.5, 70000.0]]), label=True)
    assert found.values == {-1.0: 1, 0.5: 2, 70000.0: 1}


def test_only_the_most_frequent_of_very_many_values_are_kept() -> None:
    array = np.concatenate([np.arange(1000) + 0.5, [3.25] * 5])[None]
    found = describe_voxels(array, label=True)
    assert len(found.values) == 512
    assert found.values[3.25] == 5


def test_nan_and_infinity_are_counted_and_left_out() -> None:
    found = describe_voxels(np.array([[np.nan, 1.0, 3.0, np.inf, -np.inf]]), label=True)
    assert (found.nan, found.above, found.below, found.infinite, found.nonfinite) == (1, 1, 1, 2, 3)
    assert found.values == {1.0: 1, 3.0: 1}
    found = describe_voxels(np.array([[np.nan, 1.0, 3.0, np.inf, -np.inf]]), label=False)
    assert (found.ranges[0].minimum, found.ranges[0].maximum) == (1.0, 3.0)
    assert (found.nan, found.above, found.below) == (1, 1, 1)
    assert describe_voxels(np.full((1, 4), np.nan), label=False).ranges == ()


def test_equal_images_have_one_hash_whatever_they_are_stored_as() -> None:
    array = RNG.integers(0, 255, (1, 9, 8))
    hashes = {describe_voxels(array.astype(dtype), label=False).digest for dtype in (np.uint8, np.int32, np.float64)}
    assert len(hashes) == 1
    other = array.copy()
    other[0, 0, 0] += 1
    assert describe_voxels(other, label=False).digest not in hashes
    assert describe_voxels(array.reshape(1, 8, 9), label=False).digest not in hashes


def test_a_constant_image_is_one_whose_channels_are() -> None:
    assert describe_voxels(np.stack([np.zeros((4, 4)), np.ones((4, 4))]), label=False).constant
    assert not describe_voxels(np.stack([np.zeros((4, 4)), np.eye(4)]), label=False).constant
    assert describe_voxels(np.ones((1, 3, 3), dtype=bool), label=True).values == {1.0: 9}
