"""The controls of the viewer, without a browser."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

import trainlib
from trainlib.errors import DataError
from trainlib.viewer import widgets
from trainlib.viewer.scene import Scene, make_scene
from trainlib.viewer.widgets import Entry, Viewer

pytest.importorskip("ipywidgets")
IMAGE = np.random.default_rng(0).normal(size=(16, 18, 20)).astype(np.float32)
LABEL = np.zeros(IMAGE.shape, dtype=np.uint8)
LABEL[4:9, 4:9, 4:9] = 1


def picture(viewer: Viewer) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(viewer.picture.value)))


def shown(viewer: Any) -> set[str]:
    return {name for name, control in viewer.controls.items() if control.layout.display != "none"}


def test_moving_a_slider_draws_the_slice() -> None:
    viewer: Any = trainlib.view(IMAGE, LABEL)
    before = picture(viewer)
    viewer.controls["axial"].value = 15
    assert viewer.state.positions[2] == 14  # people count from 1
    assert (picture(viewer) != before).any()


def test_each_plane_that_is_drawn_has_its_slider() -> None:
    viewer: Any = trainlib.view(IMAGE)
    assert shown(viewer) >= {"axial"}
    viewer.controls["plane"].value = "sagittal"
    assert shown(viewer) & {"axial", "coronal", "sagittal"} == {"sagittal"}
    assert (viewer.controls["sagittal"].max, viewer.controls["sagittal"].value) == (16, 9)
    viewer.controls["plane"].value = "all"
    assert shown(viewer) >= {"axial", "coronal", "sagittal"}


def test_a_preset_sets_the_window_and_its_slider() -> None:
    viewer: Any = trainlib.view(IMAGE)
    own = viewer.scene.window(0)
    viewer.controls["preset"].value = "CT bone"
    assert (viewer.state.low, viewer.state.high) == (-450.0, 1050.0)
    assert viewer.controls["window"].value == (-450.0, 1050.0)
    viewer.controls["preset"].value = "image"
    assert viewer.controls["window"].value == pytest.approx(own)
    viewer.controls["window"].value = (0.0, 1.0)
    assert (viewer.state.low, viewer.state.high) == (0.0, 1.0)
    assert viewer.controls["preset"].value == "by hand"
    viewer.controls["preset"].value = "image"
    assert viewer.controls["window"].value == pytest.approx(own)


def test_the_rounding_of_a_browser_is_no_window_by_hand() -> None:
    viewer: Any = trainlib.view(IMAGE)
    slider = viewer.controls["window"]
    slider.value = tuple(end + slider.step for end in slider.value)
    assert viewer.controls["preset"].value == "image"


def test_the_wheel_and_the_keys_move_the_plane_under_the_mouse() -> None:
    pytest.importorskip("ipyevents")
    viewer: Any = trainlib.view(IMAGE, spacing=(1, 1, 1))
    viewer._heard({"type": "wheel", "deltaY": -100, "relativeX": 5})
    assert viewer.state.positions == [8, 9, 11]
    viewer._heard({"type": "keydown", "key": "PageDown", "relativeX": 5})
    assert viewer.state.positions == [8, 9, 1]
    viewer._heard({"type": "keydown", "key": "PageDown", "relativeX": 5})
    assert viewer.state.positions == [8, 9, 0]
    viewer._heard({"type": "keydown", "key": "a", "relativeX": 5})
    viewer.controls["plane"].value = "all"
    width = picture(viewer).shape[1]
    for x, browser in ((width * 0.5, width), (width * 0.9 / 2, width / 2)):  # the second on half the room
        viewer._heard({"type": "wheel", "deltaY": 100, "relativeX": x, "boundingRectWidth": browser})
    assert viewer.state.positions == [7, 8, 0]


def test_a_notebook_that_is_only_read_has_a_picture_of_all_planes() -> None:
    viewer: Any = trainlib.view(IMAGE, LABEL, caption="case 7")
    bundle = viewer._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == viewer.box.model_id
    still = np.asarray(Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))))
    viewer.controls["plane"].value = "all"
    np.testing.assert_array_equal(still, picture(viewer))
    assert bundle["text/plain"] == "<viewer: case 7>"


def test_true_and_predicted_class_of_an_image_stand_above_it() -> None:
    pixels, classes = np.zeros((20, 30), dtype=np.uint8), ["benign", "malignant"]
    viewer: Any = trainlib.view(pixels, 1, np.int64(0), classes=classes, caption="p7")
    assert viewer.scene.caption == "p7: true malignant, predicted benign"
    assert viewer.scene.label is None
    assert trainlib.view(pixels, "benign", classes=classes).scene.caption == "true benign"
    assert trainlib.view(pixels, 2, classes=classes).scene.caption == "true 2 (not in classes)"


@pytest.mark.parametrize(("name", "value"), [("style", "outline"), ("opacity", 0.9)])
def test_a_control_of_the_overlay_changes_the_picture(name: str, value: object) -> None:
    viewer: Any = trainlib.view(IMAGE, LABEL)
    before = picture(viewer)
    viewer.controls[name].value = value
    assert (picture(viewer) != before).any()


def test_controls_that_a_scene_has_no_use_for_are_hidden() -> None:
    alone = {"entry", "plane", "axial", "preset", "window"}
    assert shown(trainlib.view(IMAGE)) == alone
    viewer: Any = trainlib.view(IMAGE, LABEL, LABEL)
    assert shown(viewer) == alone | {"mode", "style", "opacity"}
    viewer.controls["mode"].value = "differences"
    assert shown(viewer) == alone | {"mode", "opacity"}
    assert shown(trainlib.view(IMAGE[..., 0])) == {"entry", "preset", "window"}


def test_entries_are_read_when_they_are_opened() -> None:
    opened = []

    def entry(name: str, size: int) -> Entry:
        def read() -> Scene:
            opened.append(name)
            return make_scene(np.zeros((size, size, size)), caption=name)

        return Entry(name, read)

    viewer = Viewer([entry("a", 8), entry("b", 12), entry("c", 9)])
    assert opened == ["a"]
    viewer.controls["entry"].value = 1
    assert opened == ["a", "b"]
    assert viewer.controls["axial"].max == 12


def test_an_entry_that_cannot_be_read_is_told_in_place_of_the_picture() -> None:
    def fail() -> Scene:
        raise DataError("there is no file <a>.")

    viewer = Viewer([Entry("broken", fail), Entry("whole", lambda: make_scene(IMAGE))])
    assert "<b>broken cannot be shown</b>" in viewer.details.value
    assert "there is no file &lt;a&gt;." in viewer.details.value
    assert (shown(viewer), viewer.picture.layout.display) == ({"entry"}, "none")
    assert "image/png" not in viewer._repr_mimebundle_()
    viewer.controls["entry"].value = 1
    assert (viewer.details.value, viewer.picture.layout.display) == ("", None)
    assert "plane" in shown(viewer)


def test_without_ipywidgets_there_is_a_picture_of_all_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widgets, "find_spec", lambda name: None)
    still: Any = trainlib.view(IMAGE, LABEL)
    assert isinstance(still, Image.Image)
    assert still._repr_png_()  # which a notebook shows
