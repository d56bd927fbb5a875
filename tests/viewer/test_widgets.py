"""The controls of the viewer, without a browser."""

from __future__ import annotations

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


def test_moving_a_slider_draws_the_slice() -> None:
    viewer: Any = trainlib.view(IMAGE, LABEL)
    before = picture(viewer)
    viewer.controls["slice"].value = 15
    assert viewer.state.index == 15
    assert (picture(viewer) != before).any()


def test_another_plane_brings_its_own_slices() -> None:
    viewer: Any = trainlib.view(IMAGE)
    viewer.controls["plane"].value = "sagittal"
    assert (viewer.controls["slice"].max, viewer.controls["slice"].value) == (15, 8)
    viewer.controls["plane"].value = "axial"
    assert (viewer.controls["slice"].max, viewer.controls["slice"].value) == (19, 10)


def test_a_preset_sets_the_window_and_its_slider() -> None:
    viewer: Any = trainlib.view(IMAGE)
    own = viewer.scene.window
    viewer.controls["preset"].value = "CT bone"
    assert (viewer.state.low, viewer.state.high) == (-450.0, 1050.0)
    assert viewer.controls["window"].value == (-450.0, 1050.0)
    viewer.controls["preset"].value = "image"
    assert viewer.controls["window"].value == pytest.approx(own)
    viewer.controls["window"].value = (0.0, 1.0)
    assert (viewer.state.low, viewer.state.high) == (0.0, 1.0)


@pytest.mark.parametrize(("name", "value"), [("style", "outline"), ("opacity", 0.9)])
def test_a_control_of_the_overlay_changes_the_picture(name: str, value: object) -> None:
    viewer: Any = trainlib.view(IMAGE, LABEL)
    before = picture(viewer)
    viewer.controls[name].value = value
    assert (picture(viewer) != before).any()


def test_controls_that_a_scene_has_no_use_for_are_hidden() -> None:
    def hidden(viewer: Any) -> set[str]:
        return {name for name, control in viewer.controls.items() if control.layout.display == "none"}

    assert hidden(trainlib.view(IMAGE)) == {"channel", "mode", "style", "opacity"}
    assert hidden(trainlib.view(IMAGE, LABEL, LABEL)) == {"channel"}
    assert {"plane", "slice"} <= hidden(trainlib.view(IMAGE[..., 0]))


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
    assert viewer.controls["slice"].max == 11


def test_an_entry_that_cannot_be_read_is_told_and_the_open_one_stays() -> None:
    def fail() -> Scene:
        raise DataError("there is no file <a>.")

    viewer = Viewer([Entry("a", lambda: make_scene(IMAGE)), Entry("b", fail)])
    viewer.controls["entry"].value = 1
    assert "there is no file &lt;a&gt;." in viewer.details.value
    assert viewer.scene.image.shape == IMAGE.shape


def test_without_ipywidgets_there_is_a_picture_of_all_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widgets, "find_spec", lambda name: None)
    still: Any = trainlib.view(IMAGE, LABEL)
    assert isinstance(still, Image.Image)
    assert still._repr_png_()  # which a notebook shows
