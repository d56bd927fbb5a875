"""An optimizer of your own: `get_optimizer(config, parameters)` takes the place of the section `optimizer`."""

from collections.abc import Sequence

import torch
from torch.optim import SGD, Optimizer

from trainlib import Config


def get_optimizer(config: Config, parameters: Sequence[torch.nn.Parameter]) -> Optimizer:
    """Use SGD with momentum; biases and normalisation weights, which have one axis, are not decayed."""
    decayed = [parameter for parameter in parameters if parameter.ndim > 1]
    others = [parameter for parameter in parameters if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 3e-5}, {"params": others, "weight_decay": 0.0}]
    return SGD([group for group in groups if group["params"]], lr=0.02, momentum=0.99, nesterov=True)
