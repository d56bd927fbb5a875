"""How two grids lie to each other in space."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np

from trainlib.check.headers import Header

Array = np.ndarray[Any, Any]

TOLERANCE = 1e-3
"""Differences up to this, of spacing, directions and origin in mm, are rounding."""


@dataclass(frozen=True)
class Difference:
    """In what the grid of a label differs from that of its image.

    Attributes:
        texts: What differs, such as ``spacing 2 x 2 x 2 and 1 x 1 x 1 mm``: that of the label first.
        apart: How far apart a voxel lies in both at most, in mm; infinite for other shapes.
        origin_alone: Whether the label has only been shifted.
        inside: Whether the label covers no more than the image, to a voxel of either.
    """

    texts: tuple[str, ...]
    apart: float
    origin_alone: bool
    inside: bool


def difference(image: Header, label: Header, *, reoriented: bool) -> Difference | None:
    """Compare the grid of a label with that of its image.

    Args:
        image: The image.
        label: The label.
        reoriented: Whether both are turned to one orientation first, as `Orientationd` does.

    Returns:
        What differs; None where both are one grid.
    """
    if image.affine is None or label.affine is None:  # pictures lie nowhere
        return None if image.shape == label.shape else Difference(_shapes(image, label), np.inf, False, False)
    if reoriented:
        image, label = _canonical(image), _canonical(label)
    texts = list(_shapes(image, label)) if image.shape != label.shape else []
    if not np.allclose(image.spacing, label.spacing, rtol=0, atol=TOLERANCE):
        texts.append(f"spacing {sizes(label.spacing)} and {sizes(image.spacing)} mm")
    if not np.allclose(_directions(image), _directions(label), rtol=0, atol=TOLERANCE):
        texts.append(_turn(image, label))
    grid = len(texts)
    shift = label.matrix[:3, 3] - image.matrix[:3, 3]
    if np.abs(shift).max() > TOLERANCE:
        texts.append(f"origin {_numbers(label.matrix[:3, 3])} and {_numbers(image.matrix[:3, 3])} mm")
    if not texts:
        return None
    return Difference(tuple(texts), _apart(image, label), grid == 0, _is_inside(image, label))


def sizes(values: tuple[float, ...]) -> str:
    """Write sizes as in ``35 x 51 x 35``."""
    return " x ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in values)


def number(value: float) -> str:
    """Write an intensity as people do: ``0.25``, ``883.6``, ``414,800``."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def _shapes(image: Header, label: Header) -> tuple[str, ...]:
    return (f"shape {sizes(label.shape)} and {sizes(image.shape)}",)


def _numbers(values: Array) -> str:
    return f"({', '.join(f'{value:.5g}' for value in values)})"


def _directions(header: Header) -> Array:
    dims = len(header.shape)
    return header.matrix[:3, :dims] / np.array(header.spacing)


def _turn(image: Header, label: Header) -> str:
    """Say how the axes of a label point elsewhere than those of its image."""
    if image.orientation != label.orientation:
        return f"orientation {label.orientation} and {image.orientation}"
    cosines = (_directions(image) * _directions(label)).sum(axis=0).clip(-1, 1)
    return f"axes turned by up to {np.degrees(np.arccos(cosines.min())):.2g} degrees"


def _canonical(header: Header) -> Header:
    """Turn a grid so that its axes point to the right, to the front and up, as far as they can without resampling."""
    matrix, dims = header.matrix, len(header.shape)
    orientation = nib.orientations.io_orientation(matrix)[:dims]
    for axis, (_, direction) in enumerate(orientation):
        if direction < 0:
            matrix[:3, 3] += matrix[:3, axis] * (header.shape[axis] - 1)
            matrix[:3, axis] *= -1
    order = [int(axis) for axis in np.argsort(orientation[:, 0])]
    matrix[:, :dims] = matrix[:, order]
    shape = tuple(header.shape[axis] for axis in order)
    return Header(shape, header.channels, tuple(map(tuple, matrix.tolist())), header.dtype)


def _corners(shape: tuple[int, ...], margin: float) -> Array:
    """List the corners of a grid in voxels, as columns; the outer edge of a voxel is a margin of a half."""
    sides = [(-margin, size - 1 + margin) for size in shape] + [(0.0, 0.0)] * (3 - len(shape))
    corners = np.array(list(itertools.product(*sides)))
    return np.vstack([corners.T, np.ones(len(corners))])


def _apart(image: Header, label: Header) -> float:
    if image.shape != label.shape:
        return float("inf")
    corners = _corners(image.shape, 0.0)
    return float(np.linalg.norm((image.matrix - label.matrix) @ corners, axis=0).max())


def _is_inside(image: Header, label: Header) -> bool:
    """Tell whether a label covers no more space than its image, to a voxel of either along each axis."""
    dims = len(image.shape)
    if len(label.shape) != dims:
        return False
    # A single slice may have no third axis.
    to_image = np.linalg.pinv(image.matrix) @ label.matrix
    corners = (to_image @ _corners(label.shape, 0.5))[:dims]
    margin = np.maximum(1.0, np.abs(to_image[:dims, :dims]).max(axis=1))
    last = np.array(image.shape) - 0.5 + margin
    return bool((corners.min(axis=1) >= -0.5 - margin).all() and (corners.max(axis=1) <= last).all())
