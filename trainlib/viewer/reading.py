"""Values and affines of files, arrays and tensors, as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainlib.build.readers import register_readers
from trainlib.data.formats import is_nifti, is_picture
from trainlib.errors import DataError

Array = NDArray[Any]

_KEPT = ("P", "L", "I", "F", "I;16", "I;16B")  # modes of pictures with one value for each pixel


def values_of(source: Any) -> Array:
    """Return the values of a tensor or of anything else that NumPy understands."""
    if not hasattr(source, "detach"):
        try:
            return np.asarray(source)
        except ValueError:  # lists of different lengths
            return np.empty(1, dtype=object)
    plain = source.detach().cpu()
    plain = plain.as_tensor() if hasattr(plain, "as_tensor") else plain
    values: Array = (plain.float() if str(plain.dtype) == "torch.bfloat16" else plain).numpy()
    return values


def affine_of(affine: Any, dims: int) -> Array | None:
    """Return an affine for so many dimensions, shape (4, 4) or in 2-D (3, 3); None where it cannot be used.

    Args:
        affine: What a file or MetaTensor has; may be None.
        dims: Spatial dimensions of the image.
    """
    if affine is None:
        return None
    affine = np.asarray(affine, dtype=np.float64)
    if dims == 2 and affine.shape == (4, 4):  # of a slice, whichever way it lies in space
        steps = np.linalg.norm(affine[:3, :2], axis=0)
        flat = affine[np.ix_([0, 1, 3], [0, 1, 3])]
        affine = flat if (np.abs(flat[:2, :2]).max(axis=0) > 0.5 * steps).all() else np.diag([*steps, 1.0])
    usable = affine.shape == (dims + 1,) * 2 and np.isfinite(affine).all()
    return affine if usable and (np.abs(affine[:-1, :dims]).max(axis=0) > 0).all() else None


def read_file(path: Path) -> tuple[Array, Any, bool]:
    """Read a file.

    Args:
        path: NIfTI, a picture, or whatever else MONAI reads.

    Returns:
        Values, the affine where the format has one, and whether it is a picture with its rows first.

    Raises:
        DataError: There is no such file, or it cannot be read.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}.")
    try:
        if is_nifti(path):
            return *_read_nifti(path), False
        if is_picture(path):
            return _read_picture(path), None, True
        from monai.transforms import LoadImage

        register_readers()
        loaded = LoadImage(image_only=True, ensure_channel_first=True)(str(path))
    except Exception as error:  # readers raise errors of many kinds
        text = (str(error).splitlines() or [""])[0]
        raise DataError(f"{path} cannot be read as an image ({type(error).__name__}: {text}).") from error
    return loaded.numpy(), loaded.affine, False


def _read_nifti(path: Path) -> tuple[Array, Any]:
    import nibabel as nib

    image = nib.load(path)
    values = np.asanyarray(image.dataobj)
    while values.ndim > 3 and values.shape[3] == 1:  # vectors stand behind an axis of time
        values = values[:, :, :, 0]
    if values.ndim == 4:
        return np.moveaxis(values, -1, 0), image.affine
    if values.ndim == 3:  # one slice is an image of two dimensions
        values = values[..., 0] if values.shape[2] == 1 else values[None]
    return values, image.affine


def _read_picture(path: Path) -> Array:
    from PIL import Image

    with Image.open(path) as picture:
        if picture.mode == "1":
            return np.array(picture.convert("L")) // 255
        mode = "L" if picture.mode == "LA" else picture.mode if picture.mode in _KEPT else "RGB"
        return np.array(picture if mode == picture.mode else picture.convert(mode))
