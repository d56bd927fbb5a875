"""What a network gives: logits, as trainlib expects, or something that went through an activation."""

from __future__ import annotations

import copy
from typing import Literal

import torch
from torch import nn

Output = Literal["logits", "softmax", "sigmoid", "log_softmax"]

_TOLERANCE = 1e-2  # half precision has three digits


def outputs_of(network: nn.Module, image: torch.Tensor) -> Output:
    """Find out by trying which activation a network ends in.

    Args:
        network: The network; it stays as it is.
        image: Images of a batch, shape (batch, channels, ...).
    """
    with torch.no_grad(), torch.random.fork_rng():
        copied = copy.deepcopy(network).train()
        given = copied(image).float()
        if _sums_to_one(given):
            return "softmax"
        if _sums_to_one(given.exp()) and bool((given <= _TOLERANCE).all()):
            return "log_softmax"
        # Logits may lie between 0 and 1 by chance, but not with the signs of all weights turned round as well.
        for parameter in copied.parameters():
            parameter.neg_()
        return "sigmoid" if _is_bounded(given) and _is_bounded(copied(image).float()) else "logits"


def _sums_to_one(values: torch.Tensor) -> bool:
    return _is_bounded(values) and bool(((values.sum(dim=1) - 1).abs() < _TOLERANCE).all())


def _is_bounded(values: torch.Tensor) -> bool:
    return bool(((values >= 0) & (values <= 1 + 1e-6)).all())
