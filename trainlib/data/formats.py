"""File formats by the ends of file names. Bundles bring this module along: it imports nothing of trainlib."""

from __future__ import annotations

from pathlib import Path

NIFTI = (".nii", ".nii.gz")
PICTURES = {".png": ".png", ".jpg": ".png", ".jpeg": ".png", ".bmp": ".png", ".tif": ".tif", ".tiff": ".tiff"}
"""Suffix of a picture -> suffix of its label map. JPEG is lossy and would blur class values into each other; BMP
holds no more than 256 of them."""


def is_nifti(path: Path) -> bool:
    """Tell whether a file is NIfTI by its name."""
    return path.name.lower().endswith(NIFTI)


def is_picture(path: Path) -> bool:
    """Tell whether a file is a picture by its name."""
    return path.suffix.lower() in PICTURES


def suffix_of(path: Path, dims: int = 2) -> str:
    """Return the suffix that the prediction for an image file gets.

    It is the image's own for NIfTI, PNG and TIFF, ``.png`` for JPEG and BMP, and ``.nii.gz`` for all others.

    Args:
        path: The image file.
        dims: Dimensions of the prediction; a picture holds two, so that a stack of them gets ``.nii.gz``.
    """
    name = path.name.lower()
    if nifti := next((suffix for suffix in reversed(NIFTI) if name.endswith(suffix)), None):
        return nifti
    return PICTURES.get(path.suffix.lower(), ".nii.gz") if dims == 2 else ".nii.gz"
