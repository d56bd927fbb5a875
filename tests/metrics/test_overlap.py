"""Dice against hand computation."""

import math

import numpy as np
import pytest

from trainlib.metrics.overlap import dice_score


def test_dice_of_two_overlapping_squares_is_computed_by_hand():
    prediction, label = np.zeros((6, 6), bool), np.zeros((6, 6), bool)
    prediction[0:4, 0:4] = True  # 16 pixels
    label[2:6, 2:4] = True  # 8 pixels, 4 of them shared
    assert dice_score(prediction, label) == pytest.approx(2 * 4 / (16 + 8))


def test_dice_of_a_cube_shifted_by_two_of_three_voxels_is_one_third():
    prediction, label = np.zeros((9, 9, 9), bool), np.zeros((9, 9, 9), bool)
    prediction[2:5, 2:5, 2:5] = True
    label[2:5, 2:5, 4:7] = True
    assert dice_score(prediction, label) == pytest.approx(1 / 3)


@pytest.mark.parametrize("shape", [(7,), (3, 4), (3, 4, 5), (2, 3, 4, 5)])
def test_equal_masks_score_one_and_complements_zero_in_any_number_of_dimensions(shape):
    mask = np.arange(math.prod(shape)).reshape(shape) % 3 == 0
    assert dice_score(mask, mask.copy()) == 1.0
    assert dice_score(mask, ~mask) == 0.0


@pytest.mark.parametrize("seed", range(20))
def test_dice_agrees_with_counting_sets_of_coordinates(seed):
    rng = np.random.default_rng(seed)
    prediction, label = rng.random((2, 5, 6, 7)) < rng.uniform(0.05, 0.9, size=(2, 1, 1, 1))
    predicted = set(map(tuple, np.argwhere(prediction)))
    labelled = set(map(tuple, np.argwhere(label)))
    expected = 2 * len(predicted & labelled) / (len(predicted) + len(labelled))
    assert dice_score(prediction, label) == pytest.approx(expected, rel=1e-15)
    assert dice_score(label, prediction) == pytest.approx(expected, rel=1e-15)


def test_two_empty_masks_have_no_dice():
    assert math.isnan(dice_score(np.zeros((4, 4), bool), np.zeros((4, 4), bool)))


def test_one_empty_mask_scores_zero():
    empty, full = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    assert dice_score(empty, full) == 0.0
    assert dice_score(full, empty) == 0.0


def test_the_score_is_a_plain_float():
    assert type(dice_score(np.ones(3, bool), np.ones(3, bool))) is float


def test_different_shapes_are_refused_even_if_they_would_broadcast():
    with pytest.raises(ValueError, match=r"same shape, but got \(4, 1\) and \(4, 4\)"):
        dice_score(np.ones((4, 1), bool), np.ones((4, 4), bool))


def test_masks_that_are_not_boolean_are_refused():
    with pytest.raises(ValueError, match="prediction to be a boolean mask, but got dtype float32"):
        dice_score(np.ones((4, 4), np.float32), np.ones((4, 4), bool))
    with pytest.raises(ValueError, match="label to be a boolean mask, but got dtype uint8"):
        dice_score(np.ones((4, 4), bool), np.ones((4, 4), np.uint8))
