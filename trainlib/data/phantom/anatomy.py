"""Bodies for segmentation.

Every case is a body with one organ, one lesion in the organ, and distractors: a layer of muscle and small
blobs as bright as the organ, a rim and small blobs as bright as the lesion. Intensity alone therefore does
not separate the classes, while size and surroundings do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainlib.data.phantom.scanner import acquire

CLASSES = ["background", "organ", "lesion"]
"""Class names in the order of the label values."""

Floats = NDArray[np.float64]


class Tissue(NamedTuple):
    """One kind of tissue: the range its intensity is drawn from, and its label value."""

    low: float
    high: float
    label: int


# Muscle, rim and blobs share the ranges of organ and lesion on purpose: they are what defeats a threshold.
TISSUES = {
    "air": Tissue(0.00, 0.05, 0),
    "body": Tissue(0.15, 0.25, 0),
    "muscle": Tissue(0.50, 0.75, 0),
    "rim": Tissue(1.10, 1.50, 0),
    "organ": Tissue(0.50, 0.70, 1),
    "lesion": Tissue(1.10, 1.40, 2),
    "dim blob": Tissue(0.50, 0.75, 0),
    "bright blob": Tissue(1.00, 1.50, 0),
}
INDEX = {name: i for i, name in enumerate(TISSUES)}

SHAPES = {2: (64, 64), 3: (40, 40, 24)}
MIN_SIZE = 12
"""Fewest voxels along an axis with which both classes show in every case."""
ORGAN_RADII = {2: (0.50, 0.66), 3: (0.60, 0.74)}
LESION_RADII = {2: (0.28, 0.40), 3: (0.38, 0.50)}
"""Smallest and largest semi-axis over half the shortest side of the field of view. A volume shrinks with the
cube of the radius, so that in 3-D a lesion must be larger to hold enough voxels to learn from quickly."""


def draw_anatomy(shape: tuple[int, ...], spacing: Floats, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw which tissue every voxel holds, as indices into TISSUES, on a grid in RAS order."""
    dims, size = len(shape), np.array(shape)
    half = size * spacing / 2
    unit = float(half.min())
    points = (np.moveaxis(np.indices(shape), 0, -1) - (size - 1) / 2) * spacing

    body = _distance(points, np.zeros(dims), half * rng.uniform(0.9, 0.98, dims))
    layers = np.array([INDEX[name] for name in ("body", "muscle", "rim", "air")])
    tissue = layers[np.digitize(body, (0.82, 0.9, 1.0))]

    # Like a liver, the organ lies towards the right, the first axis in RAS.
    organ_centre = rng.uniform(-0.12, 0.12, dims) * half
    organ_centre[0] += 0.15 * half[0]
    organ_radii = unit * rng.uniform(*ORGAN_RADII[dims], dims)
    for name in ("dim blob", "dim blob", "bright blob", "bright blob", "bright blob"):
        radii = unit * rng.uniform(0.12, 0.2, dims)
        centre = _outside(organ_centre, float(organ_radii.max() + radii.max()), 0.75 * half, rng)
        tissue[_distance(points, centre, radii, rng) < 1] = INDEX[name]
    tissue[_distance(points, organ_centre, organ_radii, rng) < 1] = INDEX["organ"]

    direction = rng.normal(size=dims)
    offset = direction / np.linalg.norm(direction) * organ_radii.min() * rng.uniform(0.1, 0.4)
    lesion_radii = unit * rng.uniform(*LESION_RADII[dims], dims)
    tissue[_distance(points, organ_centre + offset, lesion_radii, rng) < 1] = INDEX["lesion"]
    return tissue


def label_of(tissue: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return the label map of an anatomy."""
    return np.array([t.label for t in TISSUES.values()], dtype=np.uint8)[tissue]


def scan_anatomy(tissue: NDArray[np.intp], spacing: Floats, channel: int, rng: np.random.Generator) -> Floats:
    """Image an anatomy; like T1 and T2, every other channel shows bright tissue dark."""
    levels = np.array([rng.uniform(t.low, t.high) for t in TISSUES.values()])
    if channel % 2:
        levels[1:] = 1.6 - levels[1:]  # air stays dark
    return acquire(levels[tissue], spacing, 0.1, rng)


def _distance(points: Floats, centre: Floats, radii: Floats, rng: np.random.Generator | None = None) -> Floats:
    """Measure the distance of points from an ellipsoid's centre, 1 on its surface.

    Args:
        points: (..., dims) positions in mm.
        centre: (dims,) in mm.
        radii: (dims,) semi-axes in mm.
        rng: turns the ellipsoid at random; without it the semi-axes lie along the grid.
    """
    offsets = points - centre
    if rng is not None:
        # An orthogonal matrix may mirror as well as turn, which an ellipsoid does not show.
        offsets = offsets @ np.linalg.qr(rng.normal(size=(len(radii), len(radii))))[0]
    distances: Floats = np.linalg.norm(offsets / radii, axis=-1)
    return distances


def _outside(avoid: Floats, gap: float, reach: Floats, rng: np.random.Generator) -> Floats:
    """Draw a position within `reach` mm of the middle, `gap` mm or more from `avoid` if one is found."""
    draws: Floats = rng.uniform(-1, 1, (256, len(reach)))
    draws = draws[np.linalg.norm(draws, axis=1) < 1] * reach
    gaps = np.linalg.norm(draws - avoid, axis=1)
    # The farthest draw stands in where the organ fills the body; the organ is painted over it.
    found: Floats = draws[np.argmax(gaps >= gap) if (gaps >= gap).any() else np.argmax(gaps)]
    return found
