"""Values of an image at places between its voxels, as `grid_sample` finds them in double precision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch.nn.functional import grid_sample

_EXACT = 2**24  # up to which float32 holds every integer


class Places:
    """Places in images of one size.

    Args:
        places: Voxels from the centre of the image along each axis, float32, shape (axes, places).
        size: Size of the images, and of what is made of them.
    """

    def __init__(self, places: torch.Tensor, size: Sequence[int]) -> None:
        self.places = places
        self.size = tuple(size)

    def values(self, image: torch.Tensor, mode: str, padding: str) -> torch.Tensor:
        """Look the values up.

        Args:
            image: Shape (channels, *size).
            mode: ``bilinear`` or ``nearest``.
            padding: ``zeros``, ``border`` or ``reflection``.

        Returns:
            The values as float32, shape (channels, *size).
        """
        if mode == "nearest" and padding == "border" and min(self.size) > 1 and math.prod(self.size) < _EXACT:
            return self._nearest(image)
        grid = self._scaled.view(-1, *self.size).movedim(0, -1)
        return _sampled(image, grid, mode, padding).to(torch.float32)

    def _nearest(self, image: torch.Tensor) -> torch.Tensor:
        """Round the places, and ask `grid_sample` only for those about halfway between two voxels."""
        index = torch.zeros(())
        apart = torch.zeros(())
        for along, count in zip(self.places, self.size, strict=True):
            place = along + (count - 1) / 2
            voxel = place.round()
            apart = torch.maximum(apart, place.sub_(voxel).abs_())
            index = voxel.clamp_(0, count - 1).add_(index, alpha=count)
        chosen = index.to(torch.int32)
        # Channel by channel, which takes a fifth of the time that one call for all takes.
        found = torch.stack([channel.reshape(-1).index_select(0, chosen) for channel in image]).to(torch.float32)
        # In float32 a place is known to 2**-23 of the size.
        doubtful = np.flatnonzero((apart > 0.5 - max(self.size) * 2**-22).numpy())
        if len(doubtful):
            grid = self._scaled[:, doubtful].T.reshape(*[1] * (len(self.size) - 1), -1, len(self.size))
            found[:, doubtful] = _sampled(image, grid, "nearest", "border").view(len(image), -1).to(torch.float32)
        return found.view(image.shape)

    @cached_property
    def _scaled(self) -> torch.Tensor:
        """The places as parts of half the size, last axis first."""
        scaled = torch.empty(self.places.shape, dtype=torch.float64)
        for axis, count in enumerate(self.size):
            scaled[-1 - axis].copy_(self.places[axis]).mul_(2.0 / max(2, count))
        return scaled


def _sampled(image: torch.Tensor, grid: torch.Tensor, mode: str, padding: str) -> torch.Tensor:
    return grid_sample(image.to(torch.float64)[None], grid[None], mode, padding, align_corners=False)[0]
