"""The picture of a case."""

from __future__ import annotations

import numpy as np
import pytest

from trainlib.drawing.case import CaseView, draw_case
from trainlib.drawing.colours import BACKGROUND, class_colour

BLACK = np.zeros((20, 20, 20), dtype=np.float32)


def box(value: int = 1, size: int = 10) -> np.ndarray:
    """A label map with a cube in the middle."""
    label = np.zeros((20, 20, 20), dtype=np.uint8)
    low = 10 - size // 2
    label[low : low + size, low : low + size, low : low + size] = value
    return label


def colours_in(picture: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(int(part) for part in pixel) for pixel in picture.reshape(-1, 3)}


def test_three_planes_stand_side_by_side_in_true_proportions() -> None:
    view = CaseView(np.zeros((20, 40, 10)), spacing=(1.0, 1.0, 2.0), height=200, width=10_000)
    assert view.sizes == [(100, 200), (100, 100), (200, 100)]


def test_the_width_is_not_exceeded() -> None:
    picture = draw_case(np.zeros((100, 100, 100)), height=1000, width=400)
    assert picture.width <= 400


def test_the_label_is_an_outline_in_the_colour_of_its_class() -> None:
    picture = np.asarray(draw_case(BLACK, box(2), height=200))
    [plane] = [picture[:, :200]]
    assert tuple(plane[51, 100]) == class_colour(2)  # the upper border of a cube from 5 to 15 of 20 voxels
    assert tuple(plane[100, 100]) == (0, 0, 0)
    assert colours_in(picture) == {(0, 0, 0), class_colour(2), BACKGROUND}


def test_the_prediction_is_a_fill_that_lets_the_image_through() -> None:
    image = BLACK.copy()
    image[10:] = 1.0
    picture = np.asarray(draw_case(image, None, box(1), height=200))[:, :200]
    dark, bright = picture[100, 130], picture[100, 70]  # the patient's right is on the left
    assert dark.tolist() == [int(0.45 * part) for part in class_colour(1)]
    assert bright.tolist() == [int(255 * 0.55 + 0.45 * part) for part in class_colour(1)]


def test_a_view_draws_many_predictions_without_leaving_traces() -> None:
    view = CaseView(BLACK, box(), height=100)
    empty = np.asarray(view.draw(np.zeros_like(box())))
    view.draw(box(2, 18))
    np.testing.assert_array_equal(np.asarray(view.draw(np.zeros_like(box()))), empty)


@pytest.mark.parametrize("image", [np.full((8, 8), 3.0), np.full((8, 8), np.nan), np.full((8, 8), np.inf)])
def test_an_image_without_contrast_is_drawn_too(image: np.ndarray) -> None:
    assert draw_case(image, height=64).size == (64, 64)


def test_a_few_extreme_voxels_do_not_darken_the_image() -> None:
    image = np.random.default_rng(0).random((64, 64))
    image[0, 0] = 1e6
    assert np.asarray(draw_case(image, height=64)).mean() > 100


def test_more_classes_than_a_byte_holds_are_drawn() -> None:
    label = np.full((16, 16), 300, dtype=np.int16)
    assert class_colour(300) in colours_in(np.asarray(draw_case(np.zeros((16, 16)), label, height=64)))


def test_without_a_label_the_planes_show_the_prediction() -> None:
    prediction = np.zeros((20, 20, 20), dtype=np.uint8)
    prediction[2, 3, 4] = 1
    assert len(colours_in(np.asarray(draw_case(BLACK, None, prediction, height=100)))) > 2
