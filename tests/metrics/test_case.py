"""The rows of one case against hand computation."""

import math

import numpy as np
import pytest

from trainlib.metrics.case import _boxes, score_case
from trainlib.metrics.overlap import dice_score
from trainlib.metrics.surface import surface_scores

CLASSES = ["background", "liver", "tumour", "cyst", "vessel"]
DISTANCES = ("hd", "hd95", "asd", "nsd")


@pytest.fixture
def volumes():
    """A liver shifted by 2 voxels of 3 mm, a missed tumour, an invented cyst, no vessel."""
    prediction, label = np.zeros((9, 9, 12), np.uint8), np.zeros((9, 9, 12), np.uint8)
    prediction[2:5, 2:5, 2:5] = 1
    label[2:5, 2:5, 4:7] = 1
    label[0, 0, 0:2] = 2
    prediction[8, 8, 11] = 3
    return prediction, label


def test_each_class_but_the_background_gets_a_row_with_the_keys_in_order(volumes):
    rows = score_case(*volumes, CLASSES, (1.0, 2.0, 3.0))
    assert [row["class"] for row in rows] == ["liver", "tumour", "cyst", "vessel"]
    keys = ["class", "dice", "hd", "hd95", "asd", "nsd", "label_ml", "prediction_ml", "outcome"]
    assert all(list(row) == keys for row in rows)


def test_a_found_structure_is_scored_by_hand(volumes):
    liver = score_case(*volumes, CLASSES, (1.0, 2.0, 3.0), nsd_tolerance=3.0)[0]
    assert liver == pytest.approx(
        {
            "class": "liver",
            "dice": 1 / 3,
            "hd": 6.0,
            "hd95": 6.0,
            "asd": 3.0,
            "nsd": 17 / 26,
            "label_ml": 27 * 6 / 1000,
            "prediction_ml": 27 * 6 / 1000,
            "outcome": "found",
        }
    )


def test_a_missed_and_an_invented_structure_get_zero_and_the_diagonal(volumes):
    rows = score_case(*volumes, CLASSES, (1.0, 2.0, 3.0))
    diagonal = math.sqrt(9**2 + 18**2 + 36**2)
    for row, outcome in ((rows[1], "missed"), (rows[2], "false_positive")):
        assert row["outcome"] == outcome
        assert row["dice"] == row["nsd"] == 0.0
        assert [row["hd"], row["hd95"], row["asd"]] == pytest.approx([diagonal] * 3)
    assert (rows[1]["label_ml"], rows[1]["prediction_ml"]) == (pytest.approx(0.012), 0.0)
    assert (rows[2]["label_ml"], rows[2]["prediction_ml"]) == (0.0, pytest.approx(0.006))


def test_a_structure_in_neither_is_absent_and_has_no_scores(volumes):
    vessel = score_case(*volumes, CLASSES, (1.0, 2.0, 3.0))[3]
    assert vessel["outcome"] == "absent"
    assert all(math.isnan(vessel[key]) for key in ("dice", *DISTANCES))
    assert vessel["label_ml"] == vessel["prediction_ml"] == 0.0


def test_without_surface_only_the_distances_are_nan(volumes):
    rows = score_case(*volumes, CLASSES, (1.0, 2.0, 3.0), surface=False)
    assert all(math.isnan(row[key]) for row in rows for key in DISTANCES)
    assert [row["dice"] for row in rows[:3]] == pytest.approx([1 / 3, 0.0, 0.0])
    assert [row["outcome"] for row in rows] == ["found", "missed", "false_positive", "absent"]
    assert rows[0]["label_ml"] == pytest.approx(0.162)


def test_the_background_is_scored_when_asked_for(volumes):
    prediction, label = volumes
    rows = score_case(prediction, label, CLASSES, (1.0, 2.0, 3.0), surface=False, include_background=True)
    assert [row["class"] for row in rows] == CLASSES
    total = 9 * 9 * 12
    # 18 voxels of either liver lie beside the other; the prediction also has 1 and the label 2 elsewhere.
    shared = total - (27 + 27 - 9) - 1 - 2
    assert rows[0]["dice"] == pytest.approx(2 * shared / ((total - 28) + (total - 29)))
    assert rows[0]["prediction_ml"] == pytest.approx((total - 28) * 6 / 1000)


def test_a_2d_case_has_areas_in_square_millimetres():
    prediction, label = np.zeros((8, 8), np.int64), np.zeros((8, 8), np.int64)
    prediction[1:4, 1:4] = 1
    label[1:4, 3:6] = 1
    (row,) = score_case(prediction, label, ["background", "nucleus"], (0.5, 2.0))
    keys = ["class", "dice", "hd", "hd95", "asd", "nsd", "label_mm2", "prediction_mm2", "outcome"]
    assert list(row) == keys
    assert row["label_mm2"] == row["prediction_mm2"] == pytest.approx(9.0)
    assert row["dice"] == pytest.approx(1 / 3)
    assert row["hd"] == pytest.approx(4.0)


def test_all_values_are_plain_floats_and_strings(volumes):
    rows = score_case(*volumes, CLASSES, np.array([1.0, 2.0, 3.0], np.float32))
    assert all(type(value) in (float, str) for row in rows for value in row.values())


def test_label_maps_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"same shape, but got \(4, 4\) and \(4, 5\)"):
        score_case(np.zeros((4, 4), int), np.zeros((4, 5), int), CLASSES, (1.0, 1.0))


def test_a_channel_axis_left_in_is_refused():
    with pytest.raises(ValueError, match=r"2 or 3 dimensions, but got shape \(1, 4, 4, 4\)"):
        score_case(np.zeros((1, 4, 4, 4), int), np.zeros((1, 4, 4, 4), int), CLASSES, (1.0,) * 4)


def test_label_maps_that_are_not_integers_are_refused():
    with pytest.raises(ValueError, match="prediction to hold integers, but got dtype float32"):
        score_case(np.zeros((4, 4), np.float32), np.zeros((4, 4), int), CLASSES, (1.0, 1.0))


@pytest.mark.parametrize("value", [-1, 5, 255])
def test_a_value_that_is_no_class_is_refused_by_name(value):
    label = np.zeros((4, 4), np.int64)
    label[1, 1] = value
    with pytest.raises(ValueError, match=rf"label to hold class values from 0 to 4, but found \[{value}\]"):
        score_case(np.zeros((4, 4), np.int64), label, CLASSES, (1.0, 1.0))


@pytest.mark.parametrize("surface", [True, False])
def test_a_spacing_that_does_not_fit_is_refused_with_or_without_surface(surface):
    maps = np.zeros((4, 4), int), np.zeros((4, 4), int)
    with pytest.raises(ValueError, match="each of the 2 axes, but got 3"):
        score_case(*maps, CLASSES, (1.0, 1.0, 1.0), surface=surface)
    with pytest.raises(ValueError, match="positive and finite"):
        score_case(*maps, CLASSES, (1.0, 0.0), surface=surface)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_classes_are_scored_in_their_boxes_as_in_the_whole_image(dtype):
    rng = np.random.default_rng(3)
    label = np.zeros((30, 26, 22), dtype)
    label[4:12, 3:9, 5:11] = 1
    label[20:29, 18:26, 14:22] = 2  # up to the border
    label[1:3, 22:25, 1:3] = 3
    prediction = np.roll(label, (1, -1, 0), (0, 1, 2))
    prediction[rng.random(label.shape) < 0.01] = 2
    prediction[prediction == 3] = 0
    rows = score_case(prediction, label, ["background", *"abcde"], (1.0, 0.7, 2.0), include_background=True)
    for value, row in enumerate(rows):
        masks = prediction == value, label == value
        whole = surface_scores(*masks, (1.0, 0.7, 2.0))
        assert [row[name] for name in whole._fields] == pytest.approx(list(whole), rel=1e-12, nan_ok=True)
        assert row["dice"] == pytest.approx(dice_score(*masks), nan_ok=True)
        assert row["label_ml"] == pytest.approx(masks[1].sum() * 1.4e-3)
    assert [row["outcome"] for row in rows] == ["found", "found", "found", "missed", "absent", "absent"]


@pytest.mark.parametrize("seed", range(20))
def test_the_boxes_of_the_classes_are_the_smallest_that_hold_them(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 15, size=2 + seed % 2))
    maps = [np.where(rng.random(shape) < 0.05, rng.integers(0, 4, shape), 0).astype(np.int16) for _ in range(2)]
    for value, box in enumerate(_boxes(*maps, 5)[1:], start=1):
        places = np.argwhere((maps[0] == value) | (maps[1] == value))
        if places.size:
            assert [(part.start, part.stop) for part in box] == list(zip(places.min(0), places.max(0) + 1, strict=True))
        else:
            assert box == (slice(0, 0),) * len(shape)
