"""The picture of what is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

from trainlib.drawing.colours import class_colour
from trainlib.drawing.planes import Plane
from trainlib.viewer.render import render
from trainlib.viewer.scene import make_scene
from trainlib.viewer.state import WINDOWS, ViewState


def cube(at: int) -> np.ndarray:
    label = np.zeros((20, 20, 20), dtype=np.uint8)
    label[5:15, 5:15, at] = 1
    return label


def colours(picture: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(int(part) for part in pixel) for pixel in picture.reshape(-1, 3)}


def drawn(state_of: dict[str, object], *, label: int | None = 10, prediction: int | None = None) -> np.ndarray:
    parts = [None if at is None else cube(at) for at in (label, prediction)]
    scene = make_scene(np.zeros((20, 20, 20), dtype=np.float32), *parts)
    state = ViewState.of(scene)
    for name, value in state_of.items():
        setattr(state, name, value)
    return np.asarray(render(scene, state))[30:-30]  # without caption and legend


def test_the_slice_that_is_chosen_is_drawn_and_no_other() -> None:
    here = drawn({"opacity": 1.0})
    assert class_colour(1) in colours(here)
    assert class_colour(1) not in colours(drawn({"opacity": 1.0, "positions": [10, 10, 11]}))


class Slices(np.ndarray):
    """An array of which single slices may be taken, and with which nothing may be computed."""

    def __getitem__(self, key: Any) -> Any:
        assert sum(isinstance(part, int) for part in key) == 1
        return np.asarray(self)[key]

    def __array_ufunc__(self, *_: object, **__: object) -> None:
        raise AssertionError("computed with more than a slice")

    def take(self, *_: object, **__: object) -> None:  # type: ignore[override]
        raise AssertionError("copies the volume")


def test_of_the_volume_only_the_slice_is_touched() -> None:
    scene = make_scene(np.zeros((20, 20, 20), dtype=np.float32), cube(10))
    volume = scene.image.values[0].view(Slices)
    assert scene.label is not None
    watched = replace(scene, image=replace(scene.image, values=[volume]), label=scene.label.view(Slices))
    expected = render(scene, ViewState.of(scene))
    assert np.array_equal(render(watched, ViewState.of(scene)), expected)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_is_a_view_whatever_the_order_in_memory(order: Literal["C", "F"], axis: int) -> None:
    volume = np.zeros((6, 7, 8), order=order)
    assert np.shares_memory(Plane(axis, 3).cut(volume), volume)


def test_an_overlay_of_no_opacity_is_not_seen() -> None:
    for style in ("fill", "outline"):
        assert len(colours(drawn({"opacity": 0.0, "style": style}))) == 2  # image and surroundings


def test_an_outline_leaves_the_inside_free() -> None:
    fill, line = drawn({"opacity": 0.5, "style": "fill"}), drawn({"opacity": 0.5, "style": "outline"})
    middle = fill.shape[0] // 2 - 20
    across = slice(200, 240)
    assert (fill[middle, across] != line[middle, across]).any()


def test_differences_have_the_colours_of_the_legend() -> None:
    found = drawn({"mode": "differences", "opacity": 1.0}, label=10, prediction=10)
    assert class_colour(3) in colours(found)
    assert class_colour(1) in colours(drawn({"mode": "differences", "opacity": 1.0}, label=10, prediction=9))


def test_side_by_side_draws_the_image_twice() -> None:
    one, two = drawn({}, prediction=10), drawn({"mode": "side by side"}, prediction=10)
    black = (0, 0, 0)

    def wide(picture: np.ndarray) -> int:
        return int((picture == black).all(axis=-1).any(axis=0).sum())

    assert wide(two) > 1.5 * wide(one)


def test_planes_have_true_proportions() -> None:
    scene = make_scene(np.full((10, 10, 10), 1.0), spacing=(1.0, 1.0, 3.0))
    state = ViewState.of(scene)
    state.plane = "coronal"
    state.set_window(0, 1)
    bright = (np.asarray(render(scene, state)) == 255).all(axis=-1)
    height, width = bright.any(axis=1).sum(), bright.any(axis=0).sum()
    assert height / width == pytest.approx(3.0, rel=0.02)


def test_a_window_decides_on_the_gray_values() -> None:
    scene = make_scene(np.full((10, 10), 40.0))
    state = ViewState.of(scene)
    state.set_window(*WINDOWS["CT soft tissue"])
    picture = np.asarray(render(scene, state))
    assert picture[60, 60].tolist() == [127, 127, 127]  # 40 HU lies in the middle


def test_a_colour_picture_keeps_its_colours() -> None:
    pixels = np.zeros((40, 40, 3), dtype=np.uint8)
    pixels[..., 0] = 255
    scene = make_scene(pixels)
    state = ViewState.of(scene)
    state.set_window(0, 255)
    assert np.asarray(render(scene, state))[60, 60].tolist() == [255, 0, 0]
