"""What label maps hold: the voxels of each value."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainlib.build.patches import describe
from trainlib.data.formats import is_nifti, is_picture
from trainlib.errors import DataError

_MOST_VALUES = 1000  # of a label map; more are gray values of an image
_MOST_THREADS = 8
_SLAB = 2**20  # voxels that are counted at once, for counting takes eight bytes for each

_BEYOND = 2**31  # from here on no number is a label value

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Content:
    """What one label map holds.

    Attributes:
        voxels: Value -> number of voxels, for each value that occurs.
        dims: Spatial dimensions; a stack of one slice has two.
    """

    voxels: dict[int, int]
    dims: int


def read_contents(paths: Sequence[Path]) -> Iterator[Content | DataError]:
    """Count the values of label maps, several files at a time.

    Args:
        paths: NIfTI files, pictures, or whatever else MONAI reads.

    Yields:
        The content of each file, in the order of `paths`; where it is no label map, an error that says why.
        Its sentence lacks the name of the file.
    """
    # Threads suffice: most of the time goes into decompression, which lets others work.
    with ThreadPoolExecutor(min(_MOST_THREADS, (os.cpu_count() or 1) + 1)) as pool:
        yield from pool.map(_read_content, paths)


def _read_content(path: Path) -> Content | DataError:
    try:
        array = _load(path)
        shape = array.shape
        while shape[2:] and shape[-1] == 1:  # a single slice is often stored as (H, W, 1)
            shape = shape[:-1]
        if len(shape) not in (2, 3) or 0 in shape or array.dtype.kind not in "biuf":
            return DataError(f"expected a label map of 2 or 3 dimensions, found shape {array.shape}.")
        return Content(count_values(array), len(shape))
    except DataError as error:
        return error
    except Exception as error:  # many kinds: of nibabel, pillow, zlib and the file system
        return DataError(f"cannot be read: {describe(error)}. Repair the file, or move it and its image away.")


def _load(path: Path) -> Array:
    if is_nifti(path):
        import nibabel as nib

        return np.asanyarray(nib.load(path).dataobj)
    if is_picture(path):
        from PIL import Image

        with Image.open(path) as image:
            if len(image.getbands()) > 1:
                raise DataError(f"is a colour picture ({image.mode}), and a label map has one value for each pixel.")
            return np.asarray(image)
    from monai.transforms import LoadImage

    return np.asarray(LoadImage(image_only=True)(str(path)))


def count_values(array: Array) -> dict[int, int]:
    """Count the voxels of each value; values that are whole but for rounding count as whole.

    Args:
        array: Label values, any shape.

    Returns:
        Value -> voxels, sorted by value.

    Raises:
        DataError: The values are not those of a label map.
    """
    flat = array.reshape(-1)
    voxels: Counter[int] = Counter()
    for start in range(0, flat.size, _SLAB):
        values, counts = _count_slab(flat[start : start + _SLAB])
        voxels.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        if len(voxels) > _MOST_VALUES:
            raise DataError(f"holds more than {_MOST_VALUES} different values. Is it an image, not a label map?")
    return dict(sorted(voxels.items()))


def _count_slab(slab: Array) -> tuple[Array, Array]:
    """Count values that are whole but for rounding; return those that occur, and how often."""
    if slab.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = np.rint(slab)
            wrong = slab[~((np.abs(slab - whole) < 1e-3) & (np.abs(slab) < _BEYOND))]  # NaN is not near to anything
        if len(wrong):
            raise DataError(
                f"holds {wrong[0]:.7g}, and label values are whole numbers. Is it an image, not a label map?"
            )
        slab = whole
    slab = slab.astype(np.int64)
    lowest = int(slab.min())
    if int(slab.max()) - lowest >= _SLAB:
        return np.unique(slab, return_counts=True)
    counts = np.bincount(slab - lowest)
    found = np.flatnonzero(counts)
    return found + lowest, counts[found]
