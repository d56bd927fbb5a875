"""Findings for classification: bright objects that differ in shape alone.

All kinds have the same range of volumes and of contrasts, any place and any direction, so that neither the mean
nor the maximum of an image tells what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainlib.data.phantom.scanner import acquire

FINDINGS = ["smooth", "spiculated", "hollow"]
"""Class names; like nodules, an object is a ball, has spikes, or is a shell."""

SHAPES = {2: (40, 40), 3: (28, 28, 16)}
MIN_SIZE = 16
"""Fewest voxels along an axis with which a hole and spikes show."""
RADII = {2: (0.26, 0.36), 3: (0.38, 0.46)}
"""Smallest and largest radius of the ball of an object's volume, over half the shortest side of the field of view."""
HOLE = 0.65
"""Radius of the hole in a hollow object over that of the object."""
SHARPNESS = {2: 12.0, 3: 8.0}

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def draw_findings(
    names: Sequence[str], shape: tuple[int, ...], spacing: Floats, rng: np.random.Generator, size: float = 1.0
) -> list[Mask]:
    """Draw one object of each kind, apart from each other.

    Args:
        names: Kinds of `FINDINGS`.
        shape: Voxels along each axis.
        spacing: Voxel size in mm.
        rng: Draws place, volume and direction.
        size: Factor of the radii, for several objects in one image.

    Returns:
        The voxels of each object.
    """
    dims, voxels = len(shape), np.array(shape)
    half = voxels * spacing / 2
    points = (np.moveaxis(np.indices(shape), 0, -1) - (voxels - 1) / 2) * spacing
    centres = np.empty((0, dims))
    masks = []
    for name in names:
        radius = size * float(half.min()) * rng.uniform(*RADII[dims])
        centre = _apart(centres, half - 1.5 * radius, rng)
        centres = np.vstack([centres, centre])
        # Drawn for every kind, so that all of them turn and stretch alike.
        turn = np.linalg.qr(rng.normal(size=(dims, dims)))[0]
        stretch = rng.uniform(0.88, 1.14, dims)
        offsets = (points - centre) @ turn / (stretch / np.prod(stretch) ** (1 / dims))
        masks.append(_object(name, offsets / radius, float(np.prod(spacing / radius))))
    return masks


def scan_findings(
    masks: Sequence[Mask], shape: tuple[int, ...], spacing: Floats, channel: int, rng: np.random.Generator
) -> Floats:
    """Image findings on an even background; every other channel shows them dark."""
    levels = np.full(shape, rng.uniform(0.2, 0.4))
    for mask in masks:
        levels[mask] += rng.uniform(0.4, 0.7)
    return acquire(1.2 - levels if channel % 2 else levels, spacing, 0.08, rng)


def _apart(others: Floats, reach: Floats, rng: np.random.Generator) -> Floats:
    """Draw a position within `reach` mm of the middle along each axis, far from the others."""
    draws: Floats = rng.uniform(-1, 1, (64, len(reach))) * reach
    gaps = np.linalg.norm(draws[:, None] - others, axis=-1).min(axis=1, initial=np.inf)
    farthest: Floats = draws[np.argmax(gaps)]
    return farthest


def _object(name: str, points: Floats, voxel: float) -> Mask:
    """Tell the voxels of an object that has the volume of the unit ball.

    Args:
        name: Kind of `FINDINGS`.
        points: (..., dims) positions from its centre.
        voxel: Volume of a voxel.
    """
    dims = points.shape[-1]
    distance = np.linalg.norm(points, axis=-1)
    if name == "smooth":
        return np.asarray(distance < 1)
    if name == "hollow":
        outer = (1 - HOLE**dims) ** (-1 / dims)
        return np.asarray((distance < outer) & (distance > HOLE * outer))
    spikes = _directions(dims)
    nearness = (points @ spikes.T).max(axis=-1) / np.maximum(distance, 1e-9)
    relative = distance / (0.4 + np.exp(SHARPNESS[dims] * (nearness - 1)))
    ball = (np.pi if dims == 2 else 4 / 3 * np.pi) / voxel
    return np.asarray(relative <= np.sort(relative, axis=None)[min(round(ball), relative.size) - 1])


def _directions(dims: int) -> Floats:
    """Spread the directions of the spikes evenly, over a spiral on the sphere in 3-D."""
    if dims == 2:
        around = 2 * np.pi * np.arange(6) / 6
        return np.stack([np.cos(around), np.sin(around)], axis=-1)
    turns = np.pi * (3 - 5**0.5) * np.arange(12)
    height = 1 - (np.arange(12) + 0.5) / 6
    width = np.sqrt(1 - height**2)
    return np.stack([np.cos(turns) * width, np.sin(turns) * width, height], axis=-1)
