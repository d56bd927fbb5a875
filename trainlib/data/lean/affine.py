"""RandAffined on plain tensors: image and label share what is made of the grid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from monai.config import USE_COMPILED
from monai.data.meta_obj import get_track_meta
from monai.transforms import RandAffine, RandAffined, RandAffineGrid, Resample
from torch.nn.functional import grid_sample

_DTYPES = (torch.uint8, torch.int16, torch.int32, torch.float32)
_KEPT = 2**21  # voxels of the largest grid that is kept, which takes 32 MB


class LeanAffine:
    """What `RandAffined` does, in two thirds of the time.

    MONAI makes the grid of all voxels for each sample, and brings it to the form for `grid_sample` for each key.

    Args:
        original: The transform of MONAI, which draws the random numbers.
    """

    def __init__(self, original: RandAffined) -> None:
        self.original = original
        self.__name__ = type(original).__name__
        self._grid = torch.empty(0)

    @staticmethod
    def suits(step: RandAffined) -> bool:
        """Tell whether all settings of a transform are known here."""
        inner = step.rand_affine
        grid, resampler = inner.rand_affine_grid, inner.resampler
        usual = (type(inner), type(grid), type(resampler)) == (RandAffine, RandAffineGrid, Resample)
        elsewhere = (step.lazy, USE_COMPILED, grid.device, resampler.device, inner.spatial_size)
        modes = {*step.mode} <= {"bilinear", "nearest"} and {*step.padding_mode} <= {"zeros", "border", "reflection"}
        return usual and modes and not any(elsewhere) and len({*step.keys}) == len(step.keys)

    def __call__(self, data: Mapping[Any, Any]) -> Mapping[Any, Any]:
        """Move, turn and stretch what the keys name."""
        own = self.original
        if not self._knows(data):
            return own(data)
        own.randomize(None)
        own.rand_affine.randomize()
        if not own._do_transform:
            return {**data, **{key: data[key].to(torch.float32) for key in own.keys}}
        size = data[own.keys[0]].shape[1:]
        own.rand_affine.rand_affine_grid(size, lazy=True)  # draws anew, and makes the matrix alone
        matrix = own.rand_affine.rand_affine_grid.get_transformation_matrix().to(torch.float32)
        grid = _scaled(matrix @ self._identity(size).view(len(matrix), -1), size)
        found = {}
        for key, mode, padding in zip(own.keys, own.mode, own.padding_mode, strict=True):
            own.rand_affine.randomize()  # as MONAI does for each key; the numbers of the next window depend on it
            image = data[key].to(torch.float64)[None]
            values = grid_sample(image, grid, str(mode), str(padding), align_corners=False)
            found[key] = values[0].to(torch.float32)
        return {**data, **found}

    def _knows(self, data: Any) -> bool:
        """Tell whether all keys are there, as plain tensors of one size."""
        if get_track_meta() or not isinstance(data, Mapping):
            return False
        images: list[Any] = [data.get(key) for key in self.original.keys]
        if not all(type(image) is torch.Tensor for image in images):
            return False
        usual = all(image.dtype in _DTYPES and image.device.type == "cpu" for image in images)
        return usual and images[0].ndim in (3, 4) and len({image.shape[1:] for image in images}) == 1

    def _identity(self, size: torch.Size) -> torch.Tensor:
        """Return the voxels from the centre along each axis, and ones, float32, shape (axes + 1, *size)."""
        if self._grid.shape[1:] == size:
            return self._grid
        axes = [torch.linspace(-(count - 1) / 2, (count - 1) / 2, count, dtype=torch.float64) for count in size]
        grid = torch.stack([*torch.meshgrid(*axes, indexing="ij"), torch.ones(size)]).to(torch.float32)
        if math.prod(size) <= _KEPT:
            self._grid = grid
        return grid


def _scaled(places: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Bring places to the form for `grid_sample`: parts of half the size in double precision, last axis first.

    Args:
        places: Voxels from the centre along each axis, and ones, float32, shape (axes + 1, voxels).
        size: Size of the image.

    Returns:
        Shape (1, *size, axes).
    """
    scaled = torch.empty(len(size), places.shape[1], dtype=torch.float64)
    for axis, count in enumerate(size):
        scaled[-1 - axis].copy_(places[axis]).mul_(2.0 / max(2, count))
    return scaled.view(1, len(size), *size).movedim(1, -1)
