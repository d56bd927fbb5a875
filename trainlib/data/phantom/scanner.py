"""From what is there to what a scanner shows of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]


def acquire(levels: Floats, spacing: Floats, noise: float, rng: np.random.Generator) -> Floats:
    """Image intensities: soft edges, a smooth multiplicative bias field and noise.

    Args:
        levels: Intensity of each voxel.
        spacing: Voxel size in mm.
        noise: Standard deviation of the noise.
        rng: Draws the bias field and the noise.
    """
    image = ndimage.gaussian_filter(levels, sigma=0.6 / spacing)
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in levels.shape), indexing="ij")
    slopes, bends = rng.uniform(-0.2, 0.2, (2, levels.ndim))
    bias = np.exp(sum(s * x + b * x**2 for s, b, x in zip(slopes, bends, grid, strict=True)))
    scanned: Floats = np.clip(image * bias + rng.normal(0, noise, levels.shape), 0, None)
    return scanned


def quantise(image: Floats, index: int, rng: np.random.Generator, *, picture: bool) -> NDArray[Any]:
    """Scale an image as a scanner of its own would; pictures and every third other case are stored as integers."""
    scale = rng.uniform(0.5, 2.0)
    scaled: Floats = image * 500 * scale
    if index % 3 != 2 and not picture:
        return scaled.astype(np.float32)
    if image.ndim == 2:
        return np.rint(scaled / np.max(scaled) * 255).astype(np.uint8)
    return np.rint(scaled).astype(np.int16)
