"""Charts of what was logged so far."""

from __future__ import annotations

import numpy as np

from trainlib.drawing.curves import Curve, draw_curves

RED, GREEN = (255, 0, 0), (0, 255, 0)
SIZE = (300, 150)


def where(curve: Curve, **settings: object) -> np.ndarray:
    """Return row and column of the pixels in the curve's colour, below the names."""
    pixels = np.asarray(draw_curves([curve], SIZE, **({"last_x": 10} | settings)))
    found = np.argwhere((pixels == curve.colour).all(axis=-1))
    return found[found[:, 0] > 25]


def test_a_rising_curve_rises() -> None:
    found = where(Curve("loss", [(1, 0.0), (10, 1.0)], RED))
    assert found[found[:, 1].argmin()][0] > found[found[:, 1].argmax()][0]
    assert np.ptp(found[:, 1]) > 200


def test_half_of_the_epochs_take_half_of_the_width() -> None:
    points = [(float(x), 0.5) for x in range(1, 6)]
    half, whole = (np.ptp(where(Curve("dice", points, RED), last_x=last)[:, 1]) for last in (9, 5))
    assert abs(half / whole - 0.5) < 0.03


def test_a_single_point_is_seen() -> None:
    assert len(where(Curve("dice", [(3, 0.5)], RED))) > 10


def test_values_that_are_not_finite_are_left_out() -> None:
    points = [(1.0, 0.0), (2.0, float("nan")), (3.0, float("inf")), (10.0, 1.0)]
    np.testing.assert_array_equal(where(Curve("a", points, RED)), where(Curve("a", [points[0], points[3]], RED)))


def test_values_beyond_the_limits_stay_in_the_chart() -> None:
    found = where(Curve("dice", [(1, -5.0), (10, 7.0)], RED), limits=(0.0, 1.0))
    assert found[:, 0].max() < SIZE[1] - 10


def test_nothing_to_show_gives_an_empty_chart() -> None:
    assert draw_curves([Curve("loss", [], RED)], SIZE, last_x=1).size == SIZE


def test_the_first_curve_is_on_top() -> None:
    points = [(1.0, 0.5), (10.0, 0.5)]
    pixels = np.asarray(draw_curves([Curve("a", points, RED), Curve("b", points, GREEN)], SIZE, last_x=10))[26:]
    assert (pixels == RED).all(axis=-1).any()
    assert not (pixels == GREEN).all(axis=-1).any()
