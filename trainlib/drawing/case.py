"""The picture of a case: planes through the image, the label as outlines, the prediction as a fill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainlib.drawing.colours import BACKGROUND
from trainlib.drawing.pixels import enlarge, fill, gray, intensity_window, outline, pixel_sizes
from trainlib.drawing.planes import choose_planes

Array = NDArray[Any]

_GAP = 6  # pixels between planes
_OPACITY = 0.45  # of the prediction


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
        self.sizes = pixel_sizes([plane.size(image, spacing) for plane in self.planes], height, width, _GAP)
        low, high = intensity_window(image)
        self._grays = [gray(p.cut(image), s, low, high) for p, s in zip(self.planes, self.sizes, strict=True)]
        self._labels = None if label is None else self._cut(label)

    def _cut(self, values: Array) -> list[Array]:
        return [enlarge(p.cut(values), size) for p, size in zip(self.planes, self.sizes, strict=True)]

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
                fill(pixels, fills[i], _OPACITY)
            if self._labels is not None:
                outline(pixels, self._labels[i])
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
