"""The files of a case: names, grid, orientation and format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainlib.data.writing import palette_image

FORMATS = {"nifti": ".nii.gz", "png": ".png"}
SPACINGS = {2: (1.0, 1.25), 3: (1.0, 1.0, 1.8)}
ORIENTATIONS = {2: ("RA", "LP", "AR"), 3: ("RAS", "LPS", "SRA", "PIR")}
PICTURE_ORIENTATION = "LP"
"""As a radiologist sees it: the patient's right on the left of the picture."""

Floats = NDArray[np.float64]


class Grid(NamedTuple):
    """The voxels of a case: sizes and spacing in RAS order, affine, and the axes they are stored along."""

    shape: tuple[int, ...]
    spacing: Floats
    affine: Floats
    axcodes: str


@dataclass(frozen=True)
class Layout:
    """What the files of a case look like.

    Attributes:
        dims: Spatial dimensions, 2 or 3.
        channels: Images of a case, each in a file of its own.
        file_format: A key of `FORMATS`; PNG has 2 dimensions and square pixels.
        rgb: Whether the one image is a colour picture.
    """

    dims: int
    channels: int
    file_format: str
    rgb: bool

    def __post_init__(self) -> None:
        if self.dims not in SPACINGS:
            raise ValueError(f"Expected `spatial_dims` to be 2 or 3, but got {self.dims}")
        if self.channels < 1:
            raise ValueError(f"Expected `channels` to be a positive integer, but got {self.channels}")
        if self.file_format not in FORMATS:
            raise ValueError(f"Expected `file_format` to be one of {', '.join(FORMATS)}, but got {self.file_format!r}")
        if self.picture and self.dims != 2:
            raise ValueError(f"Expected `spatial_dims` to be 2 for PNG images, but got {self.dims}")
        if self.rgb and (not self.picture or self.channels > 1):
            raise ValueError("Expected `rgb` with `file_format` 'png' and one channel: the colours are the channels")

    @property
    def picture(self) -> bool:
        """Whether the files are pictures rather than NIfTI."""
        return self.file_format == "png"

    @property
    def scans(self) -> int:
        """How many images of a case are drawn."""
        return 3 if self.rgb else self.channels

    @property
    def columns(self) -> list[str]:
        """Columns of the images in the CSVs."""
        return ["image"] if self.channels == 1 else [f"image_{i}" for i in range(self.channels)]

    def draw_grid(self, index: int, shape: tuple[int, ...], *, vary: bool, rng: np.random.Generator) -> Grid:
        """Draw the grid of a case.

        Args:
            index: Number of the case.
            shape: Sizes in RAS order.
            vary: Whether they are to differ by a few voxels.
            rng: Draws what differs between cases.
        """
        dims = self.dims
        if vary:
            shape = tuple(int(size + rng.integers(-3, 4)) for size in shape)
        if self.picture:
            return Grid(shape, np.ones(dims), np.eye(4), PICTURE_ORIENTATION)
        spacing = np.array(SPACINGS[dims]) * rng.uniform(0.9, 1.1, dims)
        affine = np.diag([*spacing, *np.ones(4 - dims)])
        affine[:dims, 3] = rng.uniform(-90, -30, dims)
        # Cycled rather than drawn, so that even a handful of cases holds every orientation.
        return Grid(shape, spacing, affine, ORIENTATIONS[dims][index % len(ORIENTATIONS[dims])])

    def save_images(self, folder: Path, case: str, scans: Sequence[NDArray[Any]], grid: Grid) -> list[str]:
        """Write the images of a case; return their paths relative to the folder."""
        images = [np.stack(scans, axis=-1)] if self.rgb else scans
        paths = []
        for channel, image in enumerate(images):
            suffix = f"_{channel}" if self.channels > 1 else ""
            paths.append(f"images/{case}{suffix}{FORMATS[self.file_format]}")
            if self.picture:
                Image.fromarray(_as_stored(image, grid).swapaxes(0, 1)).save(folder / paths[-1])
            else:
                _save_nifti(folder / paths[-1], image, grid)
        return paths

    def save_label(self, folder: Path, case: str, label: NDArray[np.uint8], grid: Grid) -> str:
        """Write the label map of a case; return its path relative to the folder."""
        path = f"labels/{case}{FORMATS[self.file_format]}"
        if self.picture:
            palette_image(_as_stored(label, grid)).save(folder / path)
        else:
            _save_nifti(folder / path, label, grid)
        return path


def _turn(grid: Grid) -> NDArray[Any]:
    """Return the orientation transform from RAS order to that of the stored axes."""
    target = nib.orientations.axcodes2ornt(grid.axcodes + "RAS"[len(grid.shape) :])
    turn: NDArray[Any] = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), target)
    return turn


def _as_stored(array: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Turn an array in RAS order to the axes it is stored along; channels stay last."""
    turned = nib.orientations.apply_orientation(array, _turn(grid)[: len(grid.shape)])
    return np.ascontiguousarray(turned)


def _save_nifti(path: Path, array: NDArray[Any], grid: Grid) -> None:
    shape = (*grid.shape, 1)[:3]
    affine = grid.affine @ nib.orientations.inv_ornt_aff(_turn(grid), shape)
    image = nib.Nifti1Image(_as_stored(array, grid), affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
