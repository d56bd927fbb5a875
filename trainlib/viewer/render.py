"""The picture of what is shown: the slices are cut out, nothing else of the volume is touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from trainlib.drawing.pixels import enlarge, fill, gray, outline, pixel_sizes
from trainlib.drawing.planes import Plane
from trainlib.drawing.sheet import MARGIN, stack
from trainlib.viewer.scene import DIFFERENCES, Scene
from trainlib.viewer.state import AXES, ViewState

_NAMES = {axis: name for name, axis in AXES.items()}
_NARROWEST = 520  # room for a legend
_LOW = 0.65  # of the height, where there are rows below each other

Overlay = tuple[str, Any]
"""A style, and class values."""


def render(scene: Scene, state: ViewState, *, height: int = 480, width: int = 860) -> Image.Image:
    """Draw what is shown.

    Args:
        scene: The image and its overlays.
        state: Slice, plane, window, overlays.
        height: Height of the tallest plane in pixels, where `width` leaves room for it.
        width: Width of all planes together in pixels.

    Returns:
        The planes in true proportions, with captions and legend.
    """
    panels, sizes, columns = layout(scene, state, height, width)
    pictures, captions = [], []
    for name, draws in panels:
        for plane, size in zip(state.planes, sizes, strict=True):
            pictures.append(_draw(scene, state, plane, size, draws))
            captions.append(" ".join(filter(None, (name, _place(plane, state)))))
    row = sum(picture.width + MARGIN for picture in pictures[:columns]) - MARGIN
    names, note = _legend(scene, state)
    return stack(pictures, captions, scene.caption, names, note=note, width=max(row, _NARROWEST), columns=columns)


def layout(
    scene: Scene, state: ViewState, height: int = 480, width: int = 860
) -> tuple[list[tuple[str, list[Overlay]]], list[tuple[int, int]], int]:
    """Arrange the planes: label and prediction side by side, or where each has three planes, below each other.

    Args:
        scene: The image and its overlays.
        state: What is shown of it.
        height: Height of the tallest plane in pixels, at most.
        width: Width of all planes together in pixels, at most.

    Returns:
        The panels, each with its name and what is drawn over the image; width and height of each plane; pictures in
        a row.
    """
    panels = _panels(scene, state)
    extents = [plane.size(scene.image.values[0], scene.image.spacing) for plane in state.planes]
    if len(extents) > 1:
        return panels, pixel_sizes(extents, round(height * _LOW), width, MARGIN), len(extents)
    [size, *_] = pixel_sizes(extents * len(panels), height, width, MARGIN)
    return panels, [size], len(panels)


def axis_at(scene: Scene, state: ViewState, x: float) -> int | None:
    """Tell through which axis the plane is cut that is drawn at so many pixels from the left; None in 2-D."""
    _, sizes, _ = layout(scene, state)
    ends = np.cumsum([wide + MARGIN for wide, _ in sizes])
    return state.planes[min(int(np.searchsorted(ends, x)), len(sizes) - 1)].axis


def _panels(scene: Scene, state: ViewState) -> list[tuple[str, list[Overlay]]]:
    """Tell the panels, each with its name and what is drawn over the image."""
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
        cut = plane.cut(values[state.channel])
    pixels = gray(cut, size, state.low, state.high)
    for style, classes in sorted(draws, key=lambda draw: draw[0] == "outline"):  # lines over areas
        if style == "differences":
            label, prediction = classes
            found = Scene.difference(plane.cut(label), plane.cut(prediction))
            fill(pixels, enlarge(found, size), state.opacity)
        elif style == "fill":
            fill(pixels, enlarge(plane.cut(classes), size), state.opacity)
        else:
            # Lines are seen at full strength, unless the overlays are nearly switched off.
            outline(pixels, enlarge(plane.cut(classes), size), min(1.0, 2 * state.opacity))
    return Image.fromarray(pixels)


def _place(plane: Plane, state: ViewState) -> str:
    return "" if plane.axis is None else f"{_NAMES[plane.axis]} {plane.index + 1}/{state.shape[plane.axis]}"


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
