"""Predicted files: in the format, the size and the geometry of the image."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from trainlib.data.formats import PICTURES, is_nifti, suffix_of
from trainlib.drawing.colours import colour_table
from trainlib.errors import DataError
from trainlib.system.files import atomic_path

__all__ = [
    "PICTURES",
    "palette_image",
    "probabilities_suffix_of",
    "suffix_of",
    "write_label_map",
    "write_probabilities",
]

Array = np.ndarray[Any, Any]


def probabilities_suffix_of(path: Path, dims: int = 2) -> str:
    """Return the suffix that the probabilities for an image file get: ``.tif`` for pictures, else `suffix_of` it."""
    suffix = suffix_of(path, dims)
    return ".tif" if suffix in PICTURES else suffix


def write_label_map(path: Path, label_map: Array, reference: Path, affine: Array) -> None:
    """Write a label map so that it lies exactly over the image that it was predicted from.

    For NIfTI it has the shape, affine and units of the image. For pictures it has the width and height, and the
    pixel values are the class values; a palette shows each class in its colour. From 257 classes on a picture is
    16-bit gray.

    Args:
        path: File to write; its suffix is that of `suffix_of` the image.
        label_map: Class values, in the voxel order of `reference` as MONAI reads it: x first in pictures too.
        reference: The image file.
        affine: Affine of the image, for files other than NIfTI, whose header cannot be taken over.

    Raises:
        DataError: The label map has not the shape of the image.
    """
    few = label_map.max(initial=0) < 256
    if path.suffix in PICTURES:
        _write_picture(path, label_map[None].astype(np.uint8 if few else np.uint16), reference)
    else:
        _write_nifti(path, label_map.astype(np.uint8 if few else np.int16), reference, affine)


def write_probabilities(path: Path, probabilities: Array, reference: Path, affine: Array) -> None:
    """Write probabilities, shape (classes, ...), as `write_label_map` does, in float32.

    In NIfTI the classes are the last axis. For pictures, whose own formats hold no fractions, the file is a TIFF
    with a page for each class.
    """
    values = probabilities.astype(np.float32)
    if path.suffix in PICTURES:
        _write_picture(path, values, reference)
    else:
        _write_nifti(path, np.moveaxis(values, 0, -1), reference, affine, values.shape[:1])


def write_map(path: Path, values: Array, reference: Path, affine: Array) -> None:
    """Write a number for each voxel, shape (...), as `write_label_map` does, in float32; for pictures as a TIFF."""
    if path.suffix in PICTURES:
        _write_picture(path, values[None].astype(np.float32), reference)
    else:
        _write_nifti(path, values.astype(np.float32), reference, affine)


def palette_image(label_map: Array) -> Image.Image:
    """Make a picture of a label map, shape (width, height), whose pixel values stay the class values."""
    image = Image.fromarray(_rows_first(label_map.astype(np.uint8)))
    image.putpalette(_palette())
    return image


@cache
def _palette() -> bytes:
    # All 256 colours in every file, so that a class has one colour whatever the others are.
    return colour_table(256).tobytes()


def _write_picture(path: Path, arrays: Array, reference: Path) -> None:
    """Write arrays, shape (pages, ...) with the axes of the reference, as a picture."""
    size, turn = _measure(reference, arrays.shape[1:])
    _check_shape(arrays.shape[1:], size, reference)
    first, *others = (_picture(array.reshape(size)) for array in arrays)
    options: dict[str, Any] = {"save_all": True, "append_images": others} if others else {}
    if path.suffix in (".tif", ".tiff"):
        options["compression"] = "tiff_adobe_deflate"
    elif turn is not None:
        options["exif"] = Image.Exif()
        options["exif"][ExifTags.Base.Orientation] = turn
    with atomic_path(path) as temporary:
        first.save(temporary, **options)


def _picture(array: Array) -> Image.Image:
    """Make a picture of an array, shape (width, height): class values below 256 with a palette, others gray."""
    return palette_image(array) if array.dtype == np.uint8 else Image.fromarray(_rows_first(array))


def _rows_first(array: Array) -> Array:
    """Put the rows of a picture first, as files have them; MONAI reads the columns first."""
    return np.ascontiguousarray(array.T)


def _measure(reference: Path, default: tuple[int, ...]) -> tuple[tuple[int, ...], int | None]:
    """Read width and height of a picture, and how a viewer is to turn it; None where it is shown as stored.

    MONAI ignores the turn of PNG and JPEG: it reads the pixels as they are stored. A label map in the same order
    with the same note is shown like its image. In TIFF the turn has been made once the pixels are loaded.
    """
    try:
        with Image.open(reference) as image:
            image.load()
            turn = image.getexif().get(ExifTags.Base.Orientation)
            return image.size, turn if turn in range(2, 9) and image.format != "TIFF" else None
    except UnidentifiedImageError:  # the user's own loader can read more than pillow
        return default, None


def _write_nifti(path: Path, array: Array, reference: Path, affine: Array, last: tuple[int, ...] = ()) -> None:
    """Write an array whose axes are those of the reference and `last`."""
    if is_nifti(reference):
        written = _like(nib.load(reference), array, reference, last)
    else:
        from monai.data.utils import to_affine_nd

        written = nib.Nifti1Image(array, to_affine_nd(3, np.asarray(affine, dtype=np.float64)))
    with atomic_path(path) as temporary:
        nib.save(written, temporary)


def _like(image: Any, array: Array, reference: Path, last: tuple[int, ...]) -> Any:
    """Give an array the header of an image; axes of one voxel, which a pipeline may drop, are put back."""
    shape = (*image.shape, *last)
    _check_shape(array.shape, shape, reference)
    header = image.header.copy()
    header.set_data_dtype(array.dtype)
    header.set_slope_inter(1, 0)
    header["cal_min"], header["cal_max"] = 0, 0
    return type(image)(array.reshape(shape), image.affine, header)


def _check_shape(found: tuple[int, ...], shape: tuple[int, ...], reference: Path) -> None:
    if [size for size in found if size != 1] != [size for size in shape if size != 1]:
        raise DataError(
            f"{reference.name}: the prediction has shape {found} and the image {shape}. A transform of "
            "transforms.base changes the geometry and cannot be undone; give it an inverse, or leave it out."
        )
