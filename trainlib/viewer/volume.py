"""From arrays, tensors and files to volumes whose axes run to the right, anterior and superior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainlib.data.formats import is_nifti, is_picture
from trainlib.drawing.planes import spacing_to_ras, to_ras
from trainlib.errors import DataError

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


def as_volume(source: Any, spacing: Sequence[float] | None = None, dims: int | None = None) -> Volume:
    """Make a volume of what there is to look at, without copying its voxels where they can be used as they are.

    Args:
        source: A NumPy array, a tensor, a MetaTensor, the name of a file, or those of several that are the channels of
            one image. Arrays have the axes (x, y, z), or of a
            picture (rows, columns) with or without colours behind; tensors those that MONAI gives them, with or
            without channels in front.
        spacing: Voxel size in mm; by default that of the file or MetaTensor, else 1.
        dims: Spatial dimensions, 2 or 3, where the shape leaves it open.

    Raises:
        DataError: There is no such file, it cannot be read, or it is no image.
    """
    if isinstance(source, list | tuple) and source and all(isinstance(path, str | Path) for path in source):
        return _joined([as_volume(path, spacing, dims) for path in source])
    if isinstance(source, str | Path):
        values, affine = _read(Path(source).expanduser())
        picture = is_picture(Path(source))
    else:
        values, affine = _array(source), getattr(source, "affine", None)
        picture = isinstance(source, np.ndarray)
    if values.dtype == object or values.dtype.kind not in "biuf":
        raise DataError(f"expected an image, found {type(source).__name__} with values of type {values.dtype}.")
    return _oriented(_channels_first(values, dims, picture=picture), affine, spacing)


def _joined(parts: Sequence[Volume]) -> Volume:
    """Make the channels of one image of several images."""
    shapes = {part.shape for part in parts}
    if len(shapes) > 1:
        found = " and ".join("x".join(map(str, shape)) for shape in sorted(shapes))
        raise DataError(f"the channels of an image must have one shape, found {found}.")
    return parts[0] if len(parts) == 1 else Volume(np.concatenate([part.values for part in parts]), parts[0].spacing)


def _array(source: Any) -> Array:
    """Return the values of a tensor or of anything else that NumPy understands."""
    if not hasattr(source, "detach"):
        return np.asarray(source)
    plain = source.detach().cpu()
    plain = plain.as_tensor() if hasattr(plain, "as_tensor") else plain
    values: Array = (plain.float() if str(plain.dtype) == "torch.bfloat16" else plain).numpy()
    return values


def _read(path: Path) -> tuple[Array, Any]:
    """Read a file: values, and the affine where the format has one."""
    if not path.is_file():
        raise DataError(f"there is no file {path}.")
    try:
        if is_nifti(path):
            import nibabel as nib

            image = nib.load(path)
            values = np.asanyarray(image.dataobj)
            single = values.ndim == 3 and values.shape[2] == 1
            if single:  # a slice
                return values[None, ..., 0], image.affine[:, [0, 1, 3]][[0, 1, 3]]
            return (np.moveaxis(values, -1, 0) if values.ndim == 4 else values), image.affine
        if is_picture(path):
            from PIL import Image

            with Image.open(path) as picture:
                kept = picture.mode in ("P", "L", "I", "F", "I;16")
                return np.array(picture if kept else picture.convert("RGB")), None
        from monai.transforms import LoadImage

        loaded = LoadImage(image_only=True, ensure_channel_first=True)(str(path))
    except Exception as error:  # readers raise errors of many kinds
        text = (str(error).splitlines() or [""])[0]
        raise DataError(f"{path} cannot be read as an image ({type(error).__name__}: {text}).") from error
    return loaded.numpy(), loaded.affine


def _channels_first(values: Array, dims: int | None, *, picture: bool) -> Array:
    """Put an axis of channels first, and of pictures the axis to the right before the one down.

    Args:
        values: The values.
        dims: Spatial dimensions, where they are known.
        picture: Whether an image of two dimensions has its rows first.
    """
    coloured = values.ndim == 3 and dims != 3 and values.shape[-1] in _COLOURS and min(values.shape[:2]) >= _SMALLEST
    if values.ndim == 2:
        return (values.T if picture else values)[None]
    if picture and coloured:
        return values[..., : 3 if values.shape[-1] >= 3 else 1].transpose(2, 1, 0)
    if values.ndim == 3:
        flat = dims == 2 or (dims is None and values.shape[0] in _COLOURS and min(values.shape[1:]) >= _SMALLEST)
        return (values.transpose(0, 2, 1) if picture else values) if flat else values[None]
    if values.ndim == 4:
        return values
    shape = "x".join(map(str, values.shape)) or "none"
    more = " Show batches with view_batch." if values.ndim == 5 else ""
    raise DataError(
        f"expected an image of two or three dimensions, with or without channels, found shape {shape}.{more}"
    )


def _oriented(values: Array, affine: Any, spacing: Sequence[float] | None) -> Volume:
    """Turn the axes by the affine, where there is one that can be used."""
    count = values.ndim - 1
    if affine is not None:
        affine = np.asarray(affine, dtype=np.float64)
        if count == 2 and len(affine) == 4:
            affine = affine[:3, [0, 1, 3]]
        usable = np.isfinite(affine).all() and (np.abs(affine[:-1, :count]).max(axis=0) > 0).all()
        affine = affine if usable else None
    if affine is None or (count == 3 and len(affine) != 4):
        steps = list(spacing) if spacing is not None else [1.0] * count
        return Volume(values, _checked(steps, count))
    own = np.linalg.norm(affine[:-1, :count], axis=0).tolist()
    found = _checked(list(spacing) if spacing is not None else own, count)
    turned = (
        np.stack([to_ras(channel, affine) for channel in values])
        if len(values) > 1
        else to_ras(values[0], affine)[None]
    )
    return Volume(turned, _checked(spacing_to_ras(found, affine), count))


def _checked(spacing: Sequence[float], count: int) -> tuple[float, ...]:
    if len(spacing) != count or not all(np.isfinite(step) and step > 0 for step in spacing):
        raise DataError(f"spacing: expected {count} positive numbers, found {list(spacing)}.")
    return tuple(float(step) for step in spacing)
