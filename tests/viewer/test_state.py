"""What of a scene is shown."""

from __future__ import annotations

import numpy as np
import pytest

from trainlib.errors import DataError
from trainlib.viewer.scene import Scene, make_scene
from trainlib.viewer.state import ViewState

IMAGE = np.zeros((10, 12, 14), dtype=np.float32)


def labelled() -> np.ndarray:
    label = np.zeros(IMAGE.shape, dtype=np.uint8)
    label[2:4, 5:7, 9] = 1
    return label


def test_a_view_begins_with_the_slice_that_has_most_of_the_label() -> None:
    state = ViewState.of(make_scene(IMAGE, labelled()))
    assert (state.axis, state.index, state.slices) == (2, 9, 14)


def test_a_view_without_a_label_begins_in_the_middle() -> None:
    assert ViewState.of(make_scene(IMAGE)).positions == [5, 6, 7]


def test_each_plane_remembers_its_slice() -> None:
    state = ViewState.of(make_scene(IMAGE))
    state.go(3)
    state.plane = "sagittal"
    assert (state.index, state.slices) == (5, 10)
    state.go(99)
    assert state.index == 9
    state.plane = "axial"
    assert state.index == 3
    state.go(-1)
    assert state.index == 0


def test_all_planes_are_drawn_where_the_slices_stand() -> None:
    state = ViewState.of(make_scene(IMAGE))
    state.plane = "all"
    assert [(plane.axis, plane.index) for plane in state.planes] == [(2, 7), (1, 6), (0, 5)]


def test_a_picture_has_one_plane_and_its_colours() -> None:
    state = ViewState.of(make_scene(np.zeros((20, 30, 3), dtype=np.uint8)))
    assert (state.axis, state.slices, state.channel) == (None, 1, None)


def test_a_window_of_one_intensity_can_be_drawn() -> None:
    state = ViewState.of(make_scene(IMAGE))
    state.set_window(3, 3)
    assert state.low == 3 < state.high


def test_a_label_of_another_shape_is_told() -> None:
    with pytest.raises(DataError, match="label: expected the shape of the image, 10x12x14, found 10x12x13"):
        make_scene(IMAGE, np.zeros((10, 12, 13)))


def test_of_scores_the_highest_is_the_class() -> None:
    scores = np.zeros((3, *IMAGE.shape))
    scores[2, 4:] = 1
    scene = make_scene(IMAGE, prediction=scores)
    assert scene.prediction is not None
    np.testing.assert_array_equal(scene.prediction[:, 0, 0], [0, 0, 0, 0, 2, 2, 2, 2, 2, 2])


def test_values_without_a_name_are_listed_by_their_number() -> None:
    assert make_scene(IMAGE, labelled() * 3, classes=["background", "organ"]).legend == (
        "background",
        "organ",
        "2",
        "3",
    )


def test_differences_tell_missed_added_right_and_wrong_class() -> None:
    label, prediction = np.array([0, 1, 0, 1, 1]), np.array([0, 0, 2, 1, 2])
    np.testing.assert_array_equal(Scene.difference(label, prediction), [0, 1, 2, 3, 4])
