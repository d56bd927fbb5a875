"""Predicted files: NIfTI in the geometry of the image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.data.utils import to_affine_nd

from trainlib.errors import DataError
from trainlib.files import atomic_path

NIFTI = (".nii", ".nii.gz")
Array = np.ndarray[Any, Any]


def suffix_of(path: Path) -> str:
    """Return the suffix that the prediction for an image file gets: its own for NIfTI, else ``.nii.gz``."""
    name = path.name.lower()
    return next((suffix for suffix in reversed(NIFTI) if name.endswith(suffix)), ".nii.gz")


def write_label_map(path: Path, label_map: Array, reference: Path, affine: Array) -> None:
    """Write a label map as NIfTI with the shape, affine and units of the image it was predicted from.

    Args:
        path: File to write.
        label_map: Class values, in the voxel order of `reference`.
        reference: The image file.
        affine: Affine of the image, for files other than NIfTI, whose header cannot be taken over.

    Raises:
        DataError: The label map has not the shape of the image.
    """
    dtype = np.uint8 if label_map.max(initial=0) < 256 else np.int16
    _write_nifti(path, label_map.astype(dtype), reference, affine)


def write_probabilities(path: Path, probabilities: Array, reference: Path, affine: Array) -> None:
    """Write probabilities, shape (classes, ...), as `write_label_map` does, in float32, the classes last."""
    classes = probabilities.shape[:1]
    _write_nifti(path, np.moveaxis(probabilities, 0, -1).astype(np.float32), reference, affine, classes)


def _write_nifti(path: Path, array: Array, reference: Path, affine: Array, last: tuple[int, ...] = ()) -> None:
    """Write an array whose axes are those of the reference and `last`."""
    if reference.name.lower().endswith(NIFTI):
        written = _like(nib.load(reference), array, reference, last)
    else:
        written = nib.Nifti1Image(array, to_affine_nd(3, np.asarray(affine, dtype=np.float64)))
    with atomic_path(path) as temporary:
        nib.save(written, temporary)


def _like(image: Any, array: Array, reference: Path, last: tuple[int, ...]) -> Any:
    """Give an array the header of an image; axes of one voxel, which a pipeline may drop, are put back."""
    shape = (*image.shape, *last)
    if [size for size in array.shape if size != 1] != [size for size in shape if size != 1]:
        raise DataError(
            f"{reference.name}: the prediction has shape {array.shape} and the image {shape}. A transform of "
            "transforms.base changes the geometry and cannot be undone; give it an inverse, or leave it out."
        )
    header = image.header.copy()
    header.set_data_dtype(array.dtype)
    header.set_slope_inter(1, 0)
    header["cal_min"], header["cal_max"] = 0, 0
    return type(image)(array.reshape(shape), image.affine, header)
