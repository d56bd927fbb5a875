"""What of a scene is shown."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from trainlib.drawing.planes import Plane
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
    assert (state.plane, state.planes) == ("axial", [Plane(2, 9)])
    label = np.zeros(IMAGE.shape, dtype=np.uint8)
    label[3, 8, 12] = 1
    assert ViewState.of(make_scene(IMAGE, label)).positions == [3, 8, 12]


def test_a_view_without_a_label_begins_in_the_middle() -> None:
    assert ViewState.of(make_scene(IMAGE)).positions == [5, 6, 7]


def test_each_plane_keeps_its_slice_and_none_lies_outside() -> None:
    state = ViewState.of(make_scene(IMAGE))
    state.go(2, 3)
    state.plane = "sagittal"
    assert state.planes == [Plane(0, 5)]
    state.go(0, 99)
    assert state.planes == [Plane(0, 9)]
    state.plane = "axial"
    assert state.planes == [Plane(2, 3)]
    state.go(2, -1)
    assert state.planes == [Plane(2, 0)]


def test_all_planes_are_drawn_where_the_slices_stand() -> None:
    state = ViewState.of(make_scene(IMAGE))
    state.plane = "all"
    assert [(plane.axis, plane.index) for plane in state.planes] == [(2, 7), (1, 6), (0, 5)]


def test_a_picture_has_one_plane_and_its_colours() -> None:
    state = ViewState.of(make_scene(np.zeros((20, 30, 3), dtype=np.uint8)))
    assert (state.planes, state.channel) == ([Plane(None)], None)
    assert (state.low, state.high) == (0, 255)  # as they are


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


def test_values_without_a_name_are_told_with_their_voxels() -> None:
    scene = make_scene(IMAGE, labelled() * 3, classes=["background", "organ"])
    assert scene.legend == ("background", "organ", "", "3 (not in classes)")
    assert scene.details == (("label", "holds 3 (4 voxels), which classes do not name"),)


def test_of_values_that_nothing_names_only_those_that_occur_are_listed() -> None:
    legend = make_scene(IMAGE, labelled() * 255).legend
    assert [(value, name) for value, name in enumerate(legend) if name] == [(255, "255")]


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (np.full(IMAGE.shape, 0.37), r"label: holds 0\.37, and label values are whole numbers"),
        (np.arange(IMAGE.size).reshape(IMAGE.shape), "label: holds more than 1000 different values"),
        (np.full(IMAGE.shape, 70000), "label: holds 70000, and the highest class value that can be drawn is 65535"),
        (np.zeros((10, 12)), "label: expected an image of three dimensions, .* found shape 10x12"),
        ("none.nii.gz", "label: there is no file none.nii.gz"),
    ],
)
def test_what_are_no_class_values_is_told(label: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        make_scene(IMAGE, label)


def test_an_array_lies_on_the_voxels_of_the_file_that_comes_with_it(tmp_path: Path) -> None:
    affine = np.diag([-1.0, 1.0, 2.0, 1.0])  # the first axis runs to the left
    nib.save(nib.Nifti1Image(IMAGE, affine), tmp_path / "image.nii")
    nib.save(nib.Nifti1Image(labelled(), affine), tmp_path / "label.nii")
    expected = make_scene(tmp_path / "image.nii", tmp_path / "label.nii")
    assert expected.label is not None
    np.testing.assert_array_equal(expected.label, labelled()[::-1])
    for image, label in ((tmp_path / "image.nii", labelled()), (IMAGE, tmp_path / "label.nii")):
        found = make_scene(image, label)
        np.testing.assert_array_equal(found.label, expected.label)
        assert found.image.spacing == (1.0, 1.0, 2.0)


def test_a_label_that_lies_elsewhere_is_told_and_another_order_of_voxels_is_not(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(IMAGE, np.eye(4)), tmp_path / "image.nii")
    turned = nib.Nifti1Image(labelled(), np.eye(4)).as_reoriented(np.array([[1, -1], [0, 1], [2, -1]]))
    nib.save(turned, tmp_path / "turned.nii")
    moved = np.eye(4)
    moved[0, 3] = 5
    nib.save(nib.Nifti1Image(labelled(), moved), tmp_path / "moved.nii")
    assert make_scene(tmp_path / "image.nii", tmp_path / "turned.nii").details == ()
    [(name, text)] = make_scene(tmp_path / "image.nii", tmp_path / "moved.nii").details
    assert (name, text.partition(":")[0]) == ("label", "lies elsewhere than the image")


def test_a_gray_mask_that_is_stored_in_colour_is_read_and_colours_are_told(tmp_path: Path) -> None:
    mask = np.zeros((20, 30), dtype=np.uint8)
    mask[5:9, 10:20] = 255
    Image.fromarray(mask).convert("RGB").save(tmp_path / "colour.png")
    Image.fromarray(mask > 0).save(tmp_path / "bits.png")
    picture = np.zeros((20, 30), dtype=np.uint8)
    for name, value in (("colour.png", 255), ("bits.png", 1)):
        label = make_scene(picture, tmp_path / name).label
        assert label is not None
        np.testing.assert_array_equal(label, (mask.T > 0) * value)
    painted = np.stack([mask, mask * 0, mask], axis=-1)
    with pytest.raises(DataError, match=r"found 3 channels of whole numbers up to 255\. Is it a colour picture"):
        make_scene(picture, painted)


def test_each_channel_has_a_window_of_its_own() -> None:
    image = np.stack([np.linspace(0, 1, 8000), np.linspace(500, 900, 8000)]).reshape(2, 20, 20, 20)
    scene = make_scene(torch.as_tensor(image))
    state = ViewState.of(scene)
    assert (state.low, state.high) == pytest.approx((0, 1), abs=0.01)
    state.channel = 1
    state.choose_window(state.preset, scene)
    assert (state.low, state.high) == pytest.approx((500, 900), abs=4)


def test_the_next_scene_is_shown_like_the_last_but_for_a_window_by_hand() -> None:
    scene = make_scene(IMAGE, labelled())
    before, state = ViewState.of(scene), ViewState.of(scene)
    before.plane, before.style, before.opacity = "coronal", "outline", 0.8
    before.choose_window("CT lung", scene)
    state.carry_on(before, scene)
    assert (state.plane, state.style, state.opacity) == ("coronal", "outline", 0.8)
    assert (state.preset, state.low, state.high) == ("CT lung", -1350, 150)
    before.set_window(3, 4)
    state.carry_on(before, scene)
    assert (state.preset, state.low, state.high) == ("image", *scene.window(0))


def test_differences_tell_missed_added_right_and_wrong_class() -> None:
    label, prediction = np.array([0, 1, 0, 1, 1]), np.array([0, 0, 2, 1, 2])
    np.testing.assert_array_equal(Scene.difference(label, prediction), [0, 1, 2, 3, 4])
