"""From a file to what there is to know about it; a file that cannot be read says so in place of stopping the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image

from trainlib.check.headers import Header, nifti_header, picture_header, read_header
from trainlib.check.voxels import Voxels, describe_voxels
from trainlib.data.formats import is_nifti, is_picture
from trainlib.data.unreadable import reason

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, order=True)
class File:
    """A file to be read, and as what.

    Attributes:
        path: The file.
        label: Whether it is a label, whose values are counted.
    """

    path: Path
    label: bool = False


@dataclass(frozen=True)
class Facts:
    """What is known of a file.

    Attributes:
        header: Its grid; None where it cannot be read, or not without its voxels.
        voxels: Its voxels; None where they cannot be read or were not asked for.
        error: Why it cannot be read; empty where it can.
    """

    header: Header | None = None
    voxels: Voxels | None = None
    error: str = ""


def read_facts(file: File, dims: int, *, voxels: bool) -> Facts:
    """Read a file.

    Args:
        file: The file.
        dims: Spatial dimensions of the images.
        voxels: Whether to look at its voxels too, or at its header alone.
    """
    path = file.path
    try:
        if path.stat().st_size == 0:
            return Facts(error="it is empty")
        if not voxels:
            return Facts(header=read_header(path, dims))
        header, array = _load(path, dims)
        return Facts(header, describe_voxels(array, label=file.label))
    except MemoryError:
        return Facts(error="it does not fit into memory")
    except Exception as error:  # many kinds: of nibabel, pillow, zlib, MONAI and the file system
        return Facts(error=reason(path, error))


def _load(path: Path, dims: int) -> tuple[Header, Array]:
    """Read a file; return its voxels with the channels first."""
    if is_nifti(path):
        image = nib.load(path)
        array = np.asanyarray(image.dataobj)
        return nifti_header(image, dims), np.moveaxis(array, -1, 0) if array.ndim > 3 else array[None]
    if is_picture(path):
        with Image.open(path) as picture:
            array = np.asarray(picture).swapaxes(0, 1)
            return picture_header(picture), np.moveaxis(array, -1, 0) if array.ndim > 2 else array[None]
    return _load_by_monai(path, dims)


def _load_by_monai(path: Path, dims: int) -> tuple[Header, Array]:
    """Read a file of any other format, as the transform LoadImaged does."""
    from monai.data.utils import to_affine_nd
    from monai.transforms import EnsureChannelFirst, LoadImage

    image = EnsureChannelFirst()(LoadImage(image_only=True, dtype=None)(str(path)))
    shape = tuple(image.shape[1:])
    while len(shape) > dims and shape[-1] == 1:
        shape = shape[:-1]
    matrix = to_affine_nd(3, image.affine.numpy().astype(np.float64))
    affine = tuple(tuple(float(value) for value in row) for row in matrix)
    array = image.numpy()
    return Header(shape, len(array), affine, str(array.dtype)), array
