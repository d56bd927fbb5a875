"""File formats by the ends of file names."""

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
