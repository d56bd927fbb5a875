"""Refuse files whose header gives voxels no place in space, or no voxels at all."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from trainlib.data.writing import NIFTI
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
    if not path.name.lower().endswith(NIFTI):
        return
    try:
        header = nib.load(path)
    except Exception:  # of many kinds; whoever reads the voxels says why they cannot be read
        return
    if 0 in header.shape:
        text = f"{path.name} has the shape {header.shape}, and thus no voxels."
        raise DataError(f"{text} Export it again, or take the row out.")
    axes = np.asarray(header.affine, dtype=np.float64)[:3, :dims]
    finite = np.isfinite(header.affine).all()
    if not finite or np.linalg.matrix_rank(axes) < dims:
        what = "is not invertible" if finite else "holds nan or infinite numbers"
        raise DataError(
            f"the affine of {path.name} {what}, so that its voxels have no place in space. Correct the header, or "
            "export the file again."
        )
