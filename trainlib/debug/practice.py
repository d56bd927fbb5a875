"""What is found by trying: the network, the loss and the optimizer on the first batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from trainlib.build.freezing import evaluating
from trainlib.debug.finding import Check
from trainlib.debug.labels import check_channels
from trainlib.debug.learning import check_gradients, check_learning_rate, check_overfit
from trainlib.debug.losses import Activation, activation_of, check_activation, check_reward, perfect_loss
from trainlib.debug.outputs import outputs_of
from trainlib.debug.trial import LossFunction, OptimizerFunction, Rates, Trial, run_trial


@dataclass
class Practice:
    """Network, loss and optimizer of a training before its first step.

    Attributes:
        network: The network; it stays as it is.
        loss: Loss of logits and label.
        optimizer: Makes an optimizer of parameters.
        rates: Learning rates of its parameter groups.
        rate: The key of the learning rate and its value, as the user is told.
        image: Images of the first batch, shape (batch, channels, ...).
        label: Class values, shape (batch, 1, ...).
        classes: Names of the classes.
        clip: Clips the gradients of parameters, where the training does.
    """

    network: nn.Module
    loss: LossFunction
    optimizer: OptimizerFunction
    rates: Rates
    rate: str
    image: torch.Tensor
    label: torch.Tensor
    classes: Sequence[str]
    clip: Callable[[Sequence[nn.Parameter]], object] | None = None

    def checks(self) -> list[Check]:
        """List the checks of network, loss and learning by their names."""
        classes, dims, device = self.classes, self.label.ndim - 2, self.label.device
        return [
            ("output channels", lambda: check_channels(self._logits(), classes)),
            ("activation", lambda: check_activation(outputs_of(self.network, self.image), self._activation)),
            ("loss", lambda: check_reward(self.loss, classes, dims, self._activation, device)),
            ("gradients", lambda: check_gradients(self._trial)),
            ("learning rate", lambda: check_learning_rate(self._trial, self._perfect, self.rate)),
            ("overfit a batch", lambda: check_overfit(self._trial, self._perfect, self._try, self.rate)),
        ]

    def _logits(self) -> torch.Tensor:
        with evaluating(self.network), torch.no_grad():
            logits: torch.Tensor = self.network(self.image)
        return logits

    def _try(self, factor: float) -> Trial:
        """Train a copy on the batch, with the learning rate times a factor."""
        rates = self.rates.times(factor)
        return run_trial(self.network, self.loss, self.image, self.label, self.optimizer, rates, clip=self.clip)

    @cached_property
    def _trial(self) -> Trial:
        return self._try(1.0)

    @cached_property
    def _activation(self) -> Activation:
        return activation_of(self.loss, len(self.classes), self.label.ndim - 2, self.label.device)

    @cached_property
    def _perfect(self) -> float:
        return perfect_loss(self.loss, self.label, len(self.classes), self._activation)
