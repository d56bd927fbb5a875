"""Intensities and class values of a plane as pixels of a picture."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainlib.drawing.colours import colour_table

Array = NDArray[Any]

_SAMPLES = 200_000  # voxels that the window of intensities is found from


def intensity_window(image: Array) -> tuple[float, float]:
    """Choose the intensities that become black and white: half a percent lies beyond each."""
    step = math.ceil((max(image.size, 1) / _SAMPLES) ** (1 / max(image.ndim, 1)))
    values = image[(slice(None, None, step),) * image.ndim]  # a copy of the whole would be as large as it
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, (0.5, 99.5)))
    return low, high if high > low else low + 1.0


def gray(pixels: Array, size: tuple[int, int], low: float, high: float) -> NDArray[np.uint8]:
    """Bring intensities to the gray values of a picture of the given size, shape (height, width, 3).

    Args:
        pixels: Shape (rows, columns), or (rows, columns, 3) of colours.
        size: Width and height of the picture.
        low: Intensity that becomes black.
        high: Intensity that becomes white.
    """
    scaled = np.nan_to_num((np.asarray(pixels, dtype=np.float32) - low) / (high - low)).clip(0, 1)
    picture = Image.fromarray((scaled * 255).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
    return np.array(picture.convert("RGB"))


def enlarge(values: Array, size: tuple[int, int]) -> Array:
    """Repeat or leave out pixels of class values to get a picture of the given size."""
    width, height = size
    rows = np.arange(height) * values.shape[0] // height
    columns = np.arange(width) * values.shape[1] // width
    return values[rows[:, None], columns]


def fill(pixels: NDArray[np.uint8], classes: Array, opacity: float) -> None:
    """Tint the pixels of each class with its colour."""
    inside = classes > 0
    tint = colour_table(int(classes.max(initial=0)) + 1)[classes[inside]]
    pixels[inside] = (pixels[inside] * (1 - opacity) + tint * opacity).astype(np.uint8)


def outline(pixels: NDArray[np.uint8], classes: Array, opacity: float = 1.0) -> None:
    """Draw a line of two pixels along the inner border of each class, in its colour."""
    border = np.zeros(classes.shape, dtype=bool)
    padded = np.pad(classes, 2)
    height, width = classes.shape
    for down, right in ((-2, 0), (-1, 0), (1, 0), (2, 0), (0, -2), (0, -1), (0, 1), (0, 2)):
        border |= padded[2 + down : 2 + down + height, 2 + right : 2 + right + width] != classes
    border &= classes > 0
    fill(pixels, np.where(border, classes, 0), opacity)


def pixel_sizes(sizes: list[tuple[float, float]], height: int, width: int, gap: int = 0) -> list[tuple[int, int]]:
    """Bring widths and heights in mm to pixels, with one scale for all.

    Args:
        sizes: Width and height of each plane in mm.
        height: Height of the tallest in pixels, where `width` leaves room for it.
        width: Width of all together in pixels, at most.
        gap: Pixels between them.
    """
    room = width - gap * (len(sizes) - 1)
    scale = min(height / max(high for _, high in sizes), room / sum(wide for wide, _ in sizes))
    return [(max(1, int(wide * scale)), max(1, int(high * scale))) for wide, high in sizes]
