"""From arrays, tensors and files to volumes whose axes run to the right, anterior and superior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from trainlib.drawing.planes import spacing_to_ras, to_ras
from trainlib.errors import DataError
from trainlib.viewer.reading import affine_of, read_file, values_of

Array = NDArray[Any]

_COLOURS = (1, 3, 4)  # channels of pictures
_SMALLEST = 5  # side of an image; a shorter axis at the beginning or end is that of the channels


@dataclass(frozen=True)
class Volume:
    """An image to look at.

    Attributes:
        values: Shape (channels, x, y, z) with axes to the right, anterior and superior, or (channels, x, y).
        spacing: Voxel size of each axis in mm.
    """

    values: Array
    spacing: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis."""
        return self.values.shape[1:]


@dataclass(frozen=True)
class Grid:
    """Values as they were given, channels first.

    Attributes:
        values: Shape (channels, ...), in the voxel order of the file or array.
        affine: Their affine; None where they have none.
        by_rows: Whether arrays that go with it have their rows first, as pictures have.
    """

    values: Array
    affine: Array | None
    by_rows: bool

    @property
    def dims(self) -> int:
        """Spatial dimensions."""
        return self.values.ndim - 1

    def oriented(self, affine: Array | None = None, spacing: Sequence[float] | None = None) -> Volume:
        """Turn the axes by the affine.

        Args:
            affine: What is taken where it has none of its own; without one the axes stay.
            spacing: Voxel size in mm; by default that of the affine, else 1.

        Raises:
            DataError: The spacing cannot be used.
        """
        affine = self.affine if self.affine is not None else affine
        if affine is None:
            return Volume(self.values, _checked(spacing or [1.0] * self.dims, self.dims))
        own = np.linalg.norm(affine[:-1, : self.dims], axis=0).tolist()
        found = _checked(spacing or own, self.dims)
        turned = [to_ras(channel, affine) for channel in self.values]
        values = np.stack(turned) if len(turned) > 1 else turned[0][None]
        return Volume(values, _checked(spacing_to_ras(found, affine), self.dims))

    def apart(self, other: Grid) -> bool:
        """Tell whether the voxels of two grids of one shape lie in different places, whatever their order is."""
        if self.affine is None or other.affine is None or self.dims != 3:
            return False
        first = _corners(self.affine, self.values.shape[1:])
        second = _corners(other.affine, other.values.shape[1:])
        step = np.linalg.norm(self.affine[:3, :3], axis=0).min()
        return bool(np.abs(first - second).max() > 0.1 * step)


def _corners(affine: Array, shape: tuple[int, ...]) -> Array:
    """Return where the first and the last voxel of a 3-D image lie once its axes are turned, in mm."""
    turn = nib.orientations.io_orientation(affine)
    turned = affine @ nib.orientations.inv_ornt_aff(turn, shape)
    last = np.array(shape)[np.argsort(turn[:, 0])] - 1
    corners: Array = turned @ np.array([[0, 0, 0, 1], [*last, 1]]).T
    return corners


def as_grid(source: Any, dims: int | None = None, *, by_rows: bool = True) -> Grid:
    """Read what there is to look at.

    Args:
        source: A NumPy array, a tensor, a MetaTensor, the name of a file, or those of several that are the channels of
            one image. Arrays have the axes (x, y, z), or of a picture (rows, columns) with or without colours behind;
            tensors those that MONAI gives them, with or without channels in front.
        dims: Spatial dimensions, 2 or 3, where the shape leaves it open.
        by_rows: Whether the rows of an array of two dimensions come first.

    Raises:
        DataError: There is no such file, it cannot be read, or it is no image.
    """
    if dims not in (None, 2, 3):
        raise DataError(f"dims: expected 2 or 3, found {dims!r}.")
    if isinstance(source, list | tuple) and source and all(isinstance(path, str | Path) for path in source):
        return _joined([as_grid(path, dims) for path in source])
    if isinstance(source, str | Path):
        values, affine, picture = read_file(Path(source).expanduser())
        array = False
    else:
        values, affine = values_of(source), getattr(source, "affine", None)
        array = isinstance(source, np.ndarray)
        picture = array and by_rows
    if values.dtype.kind not in "biuf" or not values.size:
        what = f"values of type {values.dtype}" if values.size else "no values"
        raise DataError(f"expected an image, found {type(source).__name__} with {what}.")
    ordered = _channels_first(values, dims, picture=picture, array=array)
    return Grid(ordered, affine_of(affine, ordered.ndim - 1), picture and ordered.ndim == 3)


def _joined(parts: Sequence[Grid]) -> Grid:
    """Make the channels of one image of several images."""
    shapes = {part.values.shape[1:] for part in parts}
    if len(shapes) > 1:
        found = " and ".join("x".join(map(str, shape)) for shape in sorted(shapes))
        raise DataError(f"the channels of an image must have one shape, found {found}.")
    if len(parts) == 1:
        return parts[0]
    return Grid(np.concatenate([part.values for part in parts]), parts[0].affine, parts[0].by_rows)


def _channels_first(values: Array, dims: int | None, *, picture: bool, array: bool) -> Array:
    """Put an axis of channels first, and of pictures the axis to the right before the one down.

    Args:
        values: The values.
        dims: Spatial dimensions, where they are known.
        picture: Whether an image of two dimensions has its rows first.
        array: Whether channels may come last in an image of three dimensions.
    """
    coloured = values.ndim == 3 and dims != 3 and values.shape[-1] in _COLOURS and min(values.shape[:2]) >= _SMALLEST
    if values.ndim == 2 and dims != 3:
        return (values.T if picture else values)[None]
    if picture and coloured:
        return values[..., : 3 if values.shape[-1] >= 3 else 1].transpose(2, 1, 0)
    if values.ndim == 3:
        flat = dims == 2 or (dims is None and values.shape[0] in _COLOURS and min(values.shape[1:]) >= _SMALLEST)
        return (values.transpose(0, 2, 1) if picture else values) if flat else values[None]
    if values.ndim == 4 and dims != 2:
        return np.moveaxis(values, -1, 0) if array and values.shape[-1] < values.shape[0] else values
    if values.ndim == 4 and values.shape[-1] == 1:  # a slice
        return values[..., 0]
    shape = "x".join(map(str, values.shape)) or "none"
    more = " Show batches with view_batch." if values.ndim == 5 else ""
    expected = {None: "two or three", 2: "two", 3: "three"}[dims]
    raise DataError(f"expected an image of {expected} dimensions, with or without channels, found shape {shape}.{more}")


def _checked(spacing: Sequence[float], count: int) -> tuple[float, ...]:
    if len(spacing) != count or not all(np.isfinite(step) and step > 0 for step in spacing):
        raise DataError(f"spacing: expected {count} positive numbers, found {list(spacing)}.")
    return tuple(float(step) for step in spacing)
