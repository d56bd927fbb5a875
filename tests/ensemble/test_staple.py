"""STAPLE against figures of ITK, an implementation voxel by voxel, and what can be told by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from trainlib.ensemble.staple import staple


def four_raters() -> np.ndarray:
    """A box, and four raters with misses and false alarms."""
    rng = np.random.default_rng(0)
    truth = np.zeros((8, 10, 12), np.uint8)
    truth[2:6, 3:8, 2:9] = 1
    raters = []
    for misses, alarms in ((0.05, 0.02), (0.2, 0.1), (0.4, 0.02), (0.1, 0.3)):
        chance = rng.random(truth.shape)
        raters.append(
            np.where((truth == 1) & (chance < misses), 0, np.where((truth == 0) & (chance < alarms), 1, truth))
        )
    return np.stack(raters).astype(np.uint8)


def test_sensitivity_and_specificity_are_those_of_itk() -> None:
    # SimpleITK 2.5, STAPLEImageFilter, which takes the same prior and converges after 42 iterations.
    performance = staple(four_raters(), 2).performance
    assert performance[:, 1, 1] == pytest.approx([0.8993443, 0.7994201, 0.5715609, 0.8874773], abs=1e-5)
    assert performance[:, 0, 0] == pytest.approx([0.9771565, 0.8860799, 0.9827255, 0.7105860], abs=1e-5)
    assert int(staple(four_raters(), 2).label_map.sum()) == 143


def voxelwise(raters: np.ndarray, classes: int, iterations: int) -> np.ndarray:
    """Expectation maximisation as the paper writes it, a loop over voxels."""
    count, voxels = raters.shape
    prior = [np.mean(raters == value) for value in range(classes)]
    off = 1e-5 / (classes - 1)
    theta = np.array([[[1 - 1e-5 if a == b else off for b in range(classes)] for a in range(classes)]] * count)
    for _ in range(iterations):
        weights = np.zeros((voxels, classes))
        for i, s in itertools.product(range(voxels), range(classes)):
            weights[i, s] = prior[s] * np.prod([theta[j, raters[j, i], s] for j in range(count)])
        weights /= weights.sum(axis=1, keepdims=True)
        for j, said, true in itertools.product(range(count), range(classes), range(classes)):
            theta[j, said, true] = weights[raters[j] == said, true].sum() / weights[:, true].sum()
    return weights.argmax(axis=1)


def test_several_classes_are_those_of_a_loop_over_voxels() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 300)
    raters = np.stack([np.where(rng.random(300) < wrong, rng.integers(0, 3, 300), truth) for wrong in (0.1, 0.3, 0.5)])
    found = staple(raters, 3, iterations=30, tolerance=0).label_map
    assert np.array_equal(found, voxelwise(raters, 3, 30))


def test_a_good_rater_outweighs_two_bad_ones() -> None:
    rng = np.random.default_rng(1)
    truth = (rng.random(4000) < 0.4).astype(np.int64)
    raters = np.stack([np.where(rng.random(4000) < wrong, 1 - truth, truth) for wrong in (0.02, 0.02, 0.4, 0.4, 0.4)])
    majority = (raters.sum(axis=0) > 2).astype(np.int64)
    assert (staple(raters, 2).label_map != truth).mean() < 0.5 * (majority != truth).mean()


def test_raters_who_agree_are_taken_at_their_word_and_keep_their_type() -> None:
    one = np.array([[0, 1, 2], [2, 2, 0]], dtype=np.int16)
    found = staple(np.stack([one] * 3), 4)
    assert np.array_equal(found.label_map, one)
    assert found.label_map.dtype == np.int16
    assert found.performance[0, :3, :3] == pytest.approx(np.eye(3))


def test_thirty_raters_of_many_classes_do_not_overflow() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 40, (6, 50))
    raters = np.stack([np.where(rng.random(truth.shape) < 0.3, rng.integers(0, 40, truth.shape), truth)] * 1
                      + [np.where(rng.random(truth.shape) < 0.3, 0, truth) for _ in range(29)])  # fmt: skip
    found = staple(raters, 40)
    assert np.isfinite(found.performance).all()
    assert (found.label_map == truth).mean() > 0.95
