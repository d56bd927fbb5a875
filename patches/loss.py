"""A loss of your own: `get_loss(config)` takes the place of the section `loss`."""

from collections.abc import Callable

import torch
from monai.losses import DiceCELoss, TverskyLoss

from trainlib import Config


def get_loss(config: Config) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Mix Dice and cross entropy with a Tversky loss that punishes missed voxels more than invented ones.

    The loss is called with logits of shape (batch, classes, ...) and the label map of shape (batch, 1, ...).
    """
    dice_ce = DiceCELoss(to_onehot_y=True, softmax=True)
    tversky = TverskyLoss(to_onehot_y=True, softmax=True, include_background=False, alpha=0.3, beta=0.7)

    def loss(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return dice_ce(logits, label) + 0.5 * tversky(logits, label)

    return loss
