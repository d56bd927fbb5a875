"""What the files of a data set say: dimensions, channels, spacing and size."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np

from trainlib.check.headers import Header
from trainlib.check.parallel import read_headers
from trainlib.check.reading import File
from trainlib.config.defaults import CLASSIFICATION
from trainlib.config.schema import Config
from trainlib.data.splits import read_split

_LARGEST = {2: 256, 3: 96}  # voxels of a window along an axis
_STEP = 16  # halved four times by the DenseNet that a config begins with, and three times by the UNet
_DIGITS = 3  # of a spacing


class Reading(NamedTuple):
    """What the training images say.

    Attributes:
        channels: Channels of each file; None where they differ or are not known.
        spacing: Median voxel size in mm along the axes of the body; None for pictures.
        size: Voxels along each axis of the window, at that spacing.
        nifti: Whether the files are NIfTI.
    """

    channels: int | None
    spacing: list[float] | None
    size: list[int]
    nifti: bool


def read_images(config: Config) -> Reading:
    """Read the headers of all training images.

    Args:
        config: A config with the section ``data``.

    Raises:
        DataError: A CSV cannot be used.
    """
    dims = config.data.spatial_dims
    files = [File(path) for case in read_split(config, "train") for path in case.images]
    headers = [f.header for f in read_headers(files, dims).values() if f.header and len(f.header.shape) == dims]
    channels = Counter(header.channels for header in headers)
    placed = [header for header in headers if header.affine is not None and header.usable]
    if headers and len(placed) == len(headers):
        grids = [_along_body(header) for header in placed]
        spacing = [_rounded(value) for value in np.median([spacing for spacing, _ in grids], axis=0)]
        sizes = np.array([np.multiply(*grid) for grid in grids]) / spacing
    else:
        spacing, sizes = None, np.array([header.shape for header in headers] or [(_LARGEST[dims],) * dims])
    usual = np.median(sizes, axis=0).tolist()
    # A segmentation sees windows as large as most images; in classification all images are brought to one size.
    step = _STEP if config.task == CLASSIFICATION else _STEP // 2
    size = [_up(value, step, dims) for value in usual]
    return Reading(next(iter(channels)) if len(channels) == 1 else None, spacing, size, bool(placed))


def _along_body(header: Header) -> tuple[Any, Any]:
    """Return spacing and shape from left to right, back to front and down to up, however the file orders its axes."""
    dims = len(header.shape)
    order = np.argsort(nib.orientations.io_orientation(header.matrix)[:dims, 0]) if dims == 3 else np.arange(dims)
    return np.array(header.spacing)[order], np.array(header.shape)[order]


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _up(size: float, step: int, dims: int) -> int:
    """Round a size up to whole steps, within what networks can halve and memory allows."""
    return min(max(math.ceil(round(size, 2) / step) * step, _STEP), _LARGEST[dims])  # 32.0000001 is 32
