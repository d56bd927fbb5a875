"""Small networks, images and labels with which mistakes are planted."""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai.losses import DiceCELoss
from torch import nn

CLASSES = ["background", "organ", "lesion"]


class TinyNet(nn.Module):
    """Two convolutions, and whatever stands at the end."""

    def __init__(self, end: nn.Module | None = None, channels: int = 3) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.last = nn.Conv2d(8, channels, 3, padding=1)
        self.end = end or nn.Identity()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.end(self.last(torch.relu(self.first(image))))
        return logits


def network(end: nn.Module | None = None, channels: int = 3) -> TinyNet:
    """A network whose weights are the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TinyNet(end, channels)


def batch(size: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of a square in a square, and their labels."""
    label = torch.zeros(2, 1, size, size, dtype=torch.uint8)
    label[:, :, 4:16, 6:20] = 1
    label[0, :, 6:12, 8:14] = 2
    label[1, :, 10:14, 12:18] = 2
    noise = torch.randn(label.shape, generator=torch.Generator().manual_seed(0))
    return label.float() - 0.5 + 0.1 * noise, label


def dice_ce(**keywords: object) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The default loss of a config."""
    loss: Callable[..., torch.Tensor] = DiceCELoss(**({"to_onehot_y": True, "softmax": True} | keywords))
    return lambda logits, label: loss(logits, label.long())
