"""How images and networks lie in memory: channel by channel, or voxel by voxel."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.modules.conv import _ConvNd

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def channels_last(network: torch.nn.Module) -> None:
    """Lay the weights of all convolutions of a network out voxel by voxel, in place."""
    for module in network.modules():
        if isinstance(module, _ConvNd):
            module.weight.data = by_voxel(module.weight.data)


def by_voxel(image: torch.Tensor) -> torch.Tensor:
    """Lay a tensor of shape (batch, channels, ...) out voxel by voxel; one of no image is returned as it is."""
    return image.contiguous(memory_format=_FORMATS[image.ndim]) if image.ndim in _FORMATS else image


def by_channel(output: Any) -> Any:
    """Lay logits out channel by channel again, for a loss may want to see them as a row; leave anything else alone."""
    return output.contiguous() if isinstance(output, torch.Tensor) else output
