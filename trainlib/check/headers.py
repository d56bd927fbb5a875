"""What the header of an image file says: shape, channels, affine and type; no voxel is read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import nibabel as nib
import numpy as np
from PIL import Image

from trainlib.data.formats import is_nifti, is_picture
from trainlib.data.grids import wrong_affine

Matrix = tuple[tuple[float, ...], ...]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Header:
    """The grid of an image, its axes in the order in which MONAI reads them: x first in pictures too.

    Attributes:
        shape: Voxels along each spatial axis.
        channels: Channels, each of that shape.
        affine: Voxel indices -> mm, 4 by 4; None for pictures, which lie nowhere in space.
        dtype: How values are stored, such as ``uint8``.
    """

    shape: tuple[int, ...]
    channels: int
    affine: Matrix | None
    dtype: str

    @property
    def matrix(self) -> Array:
        """The affine as an array; that of a picture is the identity."""
        return np.eye(4) if self.affine is None else np.array(self.affine)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel size along each axis in mm; pixels of a picture count as 1."""
        sizes = np.linalg.norm(self.matrix[:3, :3], axis=0)[: len(self.shape)]
        return tuple(float(size) for size in sizes)

    @cached_property
    def usable(self) -> bool:
        """Whether the affine says where the voxels are."""
        return self.affine is None or not wrong_affine(self.matrix, len(self.shape))

    @property
    def orientation(self) -> str:
        """Where the axes point to, such as ``RAS``; nothing for pictures."""
        if self.affine is None or not self.usable:
            return ""
        return "".join(str(code) for code in nib.aff2axcodes(self.matrix)[: len(self.shape)])


def nifti_header(image: Any, dims: int) -> Header:
    """Describe an opened NIfTI file.

    Args:
        image: The file as nibabel has opened it.
        dims: Spatial dimensions of the images; further axes of length one are dropped, as those of a single slice.
    """
    shape = tuple(int(size) for size in image.shape)
    # The fourth axis holds channels; of more than four, the last does.
    spatial, channels = (shape[:-1], shape[-1]) if len(shape) > 3 else (shape, 1)
    while len(spatial) > dims and spatial[-1] == 1:
        spatial = spatial[:-1]
    affine = tuple(tuple(float(value) for value in row) for row in image.affine)
    return Header(spatial, channels, affine, str(image.get_data_dtype()))


def picture_header(image: Image.Image) -> Header:
    """Describe an opened picture; palettes count as gray values, for their indices are read."""
    return Header((image.width, image.height), len(image.getbands()), None, _TYPES.get(image.mode, "uint8"))


_TYPES = {"1": "bool", "I": "int32", "F": "float32", "I;16": "uint16", "I;16B": "uint16", "I;16L": "uint16"}


def read_header(path: Path, dims: int) -> Header | None:
    """Read the header of a file, and look at its end to see whether it is cut off.

    Args:
        path: The file.
        dims: Spatial dimensions of the images.

    Returns:
        The header; None for formats other than NIfTI and pictures.

    Raises:
        Exception: The file cannot be read; of many kinds, by nibabel, pillow, zlib and the file system.
    """
    if is_nifti(path):
        image = nib.load(path)
        if _nifti_seems_cut(path, image):
            np.asanyarray(image.dataobj)  # a file of several compressed parts is whole all the same
        return nifti_header(image, dims)
    if is_picture(path):
        with Image.open(path) as picture:
            header, file = picture_header(picture), picture.fp
            if picture.format == "PNG" and file is not None:
                place = file.tell()
                if not _tail(file, 12).endswith(b"IEND\xaeB`\x82"):
                    file.seek(place)
                    picture.load()
        return header
    return None


def _nifti_seems_cut(path: Path, image: Any) -> bool:
    """Compare the size of a file, which gzip notes in its last four bytes, with what the header announces."""
    voxels = int(np.prod(image.shape, dtype=np.int64)) * image.get_data_dtype().itemsize
    expected = int(image.dataobj.offset) + voxels
    if path.name.lower().endswith(".gz"):
        with path.open("rb") as file:
            noted = int.from_bytes(_tail(file, 4), "little")
        return noted != expected % 2**32
    return os.path.getsize(path) < expected


def _tail(file: IO[bytes], length: int) -> bytes:
    file.seek(max(0, file.seek(0, os.SEEK_END) - length))
    return file.read()
