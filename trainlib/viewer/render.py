"""The picture of what is shown: the slices are cut out, nothing else of the volume is touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from trainlib.drawing.pixels import enlarge, fill, gray, outline, pixel_sizes
from trainlib.drawing.planes import Plane
from trainlib.drawing.sheet import stack
from trainlib.viewer.scene import DIFFERENCES, Scene
from trainlib.viewer.state import ViewState
from trainlib.viewer.volume import Array

_NAMES = {0: "sagittal", 1: "coronal", 2: "axial"}


def render(scene: Scene, state: ViewState, *, height: int = 440, width: int = 860) -> Image.Image:
    """Draw what is shown.

    Args:
        scene: The image and its overlays.
        state: Slice, plane, window, overlays.
        height: Height of the tallest plane in pixels, where `width` leaves room for it.
        width: Width of all planes together in pixels.

    Returns:
        The planes in true proportions, with captions and legend.
    """
    panels = _panels(scene, state)
    planes = [(name, draws, plane) for name, draws in panels for plane in state.planes]
    extents = [plane.size(scene.image.values[0], scene.image.spacing) for *_, plane in planes]
    # Of several panels each is as wide as there is room for it alone.
    sizes = pixel_sizes(extents, height, width, gap=14)
    pictures, captions = [], []
    for (name, draws, plane), size in zip(planes, sizes, strict=True):
        pictures.append(_draw(scene, state, plane, size, draws))
        captions.append(" ".join(filter(None, (name, _place(plane, state)))))
    names, note = _legend(scene, state)
    return stack(pictures, captions, scene.caption, names, note=note, width=max(width, 300))


Overlay = tuple[str, Any]


def _panels(scene: Scene, state: ViewState) -> list[tuple[str, list[Overlay]]]:
    """Tell the panels, each with its name and what is drawn over the image: a style, and class values."""
    label, prediction = scene.label, scene.prediction
    if label is None or prediction is None:
        alone = label if label is not None else prediction
        return [("", [] if alone is None else [(state.style, alone)])]
    if state.mode == "side by side":
        return [("label", [(state.style, label)]), ("prediction", [(state.style, prediction)])]
    if state.mode == "differences":
        return [("", [("differences", (label, prediction))])]
    return [("", [("fill" if state.style == "outline" else "outline", prediction), (state.style, label)])]


def _draw(scene: Scene, state: ViewState, plane: Plane, size: tuple[int, int], draws: list[Overlay]) -> Image.Image:
    values = scene.image.values
    if state.channel is None:
        cut = np.stack([plane.cut(channel) for channel in values[:3]], axis=-1)
    else:
        cut = plane.cut(values[min(state.channel, len(values) - 1)])
    pixels = gray(cut, size, state.low, state.high)
    for style, classes in sorted(draws, key=lambda draw: draw[0] != "fill"):  # lines over areas
        if style == "differences":
            fill(pixels, enlarge(_difference(plane, *classes), size), state.opacity)
        elif style == "fill":
            fill(pixels, enlarge(plane.cut(classes), size), state.opacity)
        else:
            # Lines are seen at full strength, unless the overlays are switched off altogether.
            outline(pixels, enlarge(plane.cut(classes), size), min(1.0, 2 * state.opacity))
    return Image.fromarray(pixels)


def _difference(plane: Plane, label: Array, prediction: Array) -> Array:
    return Scene.difference(plane.cut(label), plane.cut(prediction))


def _place(plane: Plane, state: ViewState) -> str:
    if plane.axis is None:
        return ""
    return f"{_NAMES[plane.axis]} {plane.index + 1}/{state.shape[plane.axis]}"


def _legend(scene: Scene, state: ViewState) -> tuple[Sequence[str], str]:
    if scene.label is None or scene.prediction is None:
        alone = "label" if scene.label is not None else "prediction"
        return scene.legend, f"{state.style}: {alone}" if scene.legend else ""
    if state.mode == "differences":
        return DIFFERENCES, "prediction against label"
    if state.mode == "side by side":
        return scene.legend, ""
    other = "fill" if state.style == "outline" else "outline"
    return scene.legend, f"{state.style}: label, {other}: prediction"
