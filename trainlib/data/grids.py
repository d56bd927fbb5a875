"""Refuse files whose header gives voxels no place in space, or no voxels at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from trainlib.data.formats import is_nifti
from trainlib.errors import DataError


def check_grid(path: Path, dims: int) -> None:
    """Look at the header of a NIfTI file; other files say nothing of space.

    MONAI replaces an affine that it cannot use by another one; scores in mm and predictions would be wrong.

    Args:
        path: The file.
        dims: Spatial dimensions of the images, 2 or 3.

    Raises:
        DataError: An axis is empty, or the affine is not finite or not invertible.
    """
    if not is_nifti(path):
        return
    try:
        header = nib.load(path)
    except Exception:  # of many kinds; whoever reads the voxels says why they cannot be read
        return
    if 0 in header.shape:
        text = f"{path.name} has the shape {header.shape}, and thus no voxels."
        raise DataError(f"{text} Export it again, or take the row out.")
    if wrong := wrong_affine(header.affine, dims):
        raise DataError(
            f"the affine of {path.name} {wrong}, so that its voxels have no place in space. Correct the header, or "
            "export the file again."
        )


def wrong_affine(affine: Any, dims: int) -> str:
    """Say, as part of a sentence, why an affine puts voxels nowhere; nothing where it is right.

    Args:
        affine: Voxel indices -> mm, 4 by 4.
        dims: Axes of the image; those that a slice has not may be lost.
    """
    affine = np.asarray(affine, dtype=np.float64)
    if not np.isfinite(affine).all():
        return "holds nan or infinite numbers"
    return "is not invertible" if np.linalg.matrix_rank(affine[:3, :dims]) < dims else ""
