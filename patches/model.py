"""A network of your own: `get_model(config)` takes the place of the section `model`."""

import torch
from monai.networks.blocks import Convolution, ResidualUnit
from torch import nn

from trainlib import Config


class TwoScaleNet(nn.Module):
    """A few residual units at full and at half resolution, joined by one convolution."""

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int, width: int = 8) -> None:
        super().__init__()
        self.fine = ResidualUnit(spatial_dims, in_channels, width, subunits=1)
        self.coarse = ResidualUnit(spatial_dims, width, 2 * width, strides=2)
        self.up = Convolution(spatial_dims, 2 * width, width, strides=2, is_transposed=True)
        self.head = Convolution(spatial_dims, 2 * width, out_channels, kernel_size=1, conv_only=True)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (batch, out_channels, ...), for images whose sides are even."""
        fine = self.fine(image)
        logits: torch.Tensor = self.head(torch.cat([fine, self.up(self.coarse(fine))], dim=1))
        return logits


def get_model(config: Config) -> nn.Module:
    """Build the network; channels and dimensions follow from the config."""
    return TwoScaleNet(config.data.spatial_dims, config.in_channels, config.out_channels)
