"""The picture of a case: planes through the image, the label as outlines, the prediction as a fill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainlib.drawing.colours import BACKGROUND, colour_table
from trainlib.drawing.planes import choose_planes

Array = NDArray[Any]

_GAP = 6  # pixels between planes
_OPACITY = 0.45  # of the prediction
_SAMPLES = 200_000  # voxels that the window of intensities is found from


class CaseView:
    """A case on which predictions are drawn again and again; image and label are prepared once.

    The planes are those with most of the label in them, all drawn to one scale in true proportions.

    Args:
        image: Intensities, shape of the image, 2-D or 3-D with axes to the right, anterior, superior.
        label: Class values, same shape; without them the planes go through the middle.
        spacing: Voxel size of each axis in mm; by default all alike.
        height: Height of the tallest plane in pixels, where `width` leaves room for it.
        width: Width of all planes together in pixels, at most.
    """

    def __init__(
        self,
        image: Array,
        label: Array | None = None,
        spacing: Sequence[float] | None = None,
        *,
        height: int = 192,
        width: int = 720,
        focus: Array | None = None,
    ) -> None:
        spacing = spacing or [1.0] * image.ndim
        chosen = next((mask for mask in (label, focus) if mask is not None and mask.any()), np.zeros_like(image))
        self.planes = choose_planes(chosen)
        self.sizes = _pixel_sizes([plane.size(image, spacing) for plane in self.planes], height, width)
        low, high = _window(image)
        self._grays = [_gray(p.cut(image), s, low, high) for p, s in zip(self.planes, self.sizes, strict=True)]
        self._labels = None if label is None else self._cut(label)

    def _cut(self, values: Array) -> list[Array]:
        return [_enlarge(p.cut(values), size) for p, size in zip(self.planes, self.sizes, strict=True)]

    def draw(self, prediction: Array | None = None) -> Image.Image:
        """Draw the case.

        Args:
            prediction: Class values, shape of the image.

        Returns:
            The planes side by side.
        """
        fills = None if prediction is None else self._cut(prediction)
        width = sum(width for width, _ in self.sizes) + _GAP * (len(self.sizes) - 1)
        picture = Image.new("RGB", (width, max(height for _, height in self.sizes)), BACKGROUND)
        left = 0
        for i, (plane_width, plane_height) in enumerate(self.sizes):
            pixels = self._grays[i].copy()
            if fills is not None:
                _fill(pixels, fills[i])
            if self._labels is not None:
                _outline(pixels, self._labels[i])
            picture.paste(Image.fromarray(pixels), (left, (picture.height - plane_height) // 2))
            left += plane_width + _GAP
        return picture


def draw_case(
    image: Array,
    label: Array | None = None,
    prediction: Array | None = None,
    spacing: Sequence[float] | None = None,
    *,
    height: int = 192,
    width: int = 720,
) -> Image.Image:
    """Draw a case once, as `CaseView` does; without a label the planes are those with most of the prediction."""
    return CaseView(image, label, spacing, height=height, width=width, focus=prediction).draw(prediction)


def _pixel_sizes(sizes: list[tuple[float, float]], height: int, width: int) -> list[tuple[int, int]]:
    """Bring sizes in mm to pixels, with one scale for all."""
    room = width - _GAP * (len(sizes) - 1)
    scale = min(height / max(high for _, high in sizes), room / sum(wide for wide, _ in sizes))
    return [(max(1, int(wide * scale)), max(1, int(high * scale))) for wide, high in sizes]


def _window(image: Array) -> tuple[float, float]:
    """Choose the intensities that become black and white: half a percent lies beyond each."""
    values = image.reshape(-1)[:: max(1, image.size // _SAMPLES)]
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, (0.5, 99.5)))
    return low, high if high > low else low + 1.0


def _gray(pixels: Array, size: tuple[int, int], low: float, high: float) -> NDArray[np.uint8]:
    """Bring intensities to the gray values of a picture of the given size, shape (height, width, 3)."""
    scaled = np.nan_to_num((np.asarray(pixels, dtype=np.float32) - low) / (high - low)).clip(0, 1)
    picture = Image.fromarray((scaled * 255).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
    return np.array(picture.convert("RGB"))


def _enlarge(values: Array, size: tuple[int, int]) -> Array:
    """Repeat or leave out pixels of class values to get a picture of the given size."""
    width, height = size
    rows = np.arange(height) * values.shape[0] // height
    columns = np.arange(width) * values.shape[1] // width
    return values[rows[:, None], columns]


def _fill(pixels: NDArray[np.uint8], classes: Array) -> None:
    """Tint the pixels of each class with its colour."""
    inside = classes > 0
    tint = colour_table(int(classes.max(initial=0)) + 1)[classes[inside]]
    pixels[inside] = (pixels[inside] * (1 - _OPACITY) + tint * _OPACITY).astype(np.uint8)


def _outline(pixels: NDArray[np.uint8], classes: Array) -> None:
    """Draw a line of two pixels along the inner border of each class, in its colour."""
    border = np.zeros(classes.shape, dtype=bool)
    padded = np.pad(classes, 2)
    height, width = classes.shape
    for down, right in ((-2, 0), (-1, 0), (1, 0), (2, 0), (0, -2), (0, -1), (0, 1), (0, 2)):
        border |= padded[2 + down : 2 + down + height, 2 + right : 2 + right + width] != classes
    border &= classes > 0
    pixels[border] = colour_table(int(classes.max(initial=0)) + 1)[classes[border]]
