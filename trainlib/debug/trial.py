"""A trial: a copy of the network is trained on one batch for some steps, and what happens is noted."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

Gradient = Literal["frozen", "none", "zero", "some"]
LossFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
OptimizerFunction = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]

STEPS = 40
_WARM_UP = 10  # steps from the first to the highest learning rate, where a schedule has the two differ
_SECONDS = 15.0
_LEAST = 10  # steps that are made whatever time they take: from fewer nothing follows


@dataclass(frozen=True)
class Rates:
    """Learning rates of a run, one for each parameter group.

    Attributes:
        first: In the first step.
        highest: At the peak of the schedule.
    """

    first: tuple[float, ...]
    highest: tuple[float, ...]

    def at(self, step: int) -> list[float]:
        """Return the rates of a step of a trial, which hurries through the rise of the schedule."""
        share = min(1.0, step / _WARM_UP)
        return [low + share * (high - low) for low, high in zip(self.first, self.highest, strict=True)]

    def times(self, factor: float) -> Rates:
        """Return all rates multiplied by a factor."""
        return Rates(tuple(factor * rate for rate in self.first), tuple(factor * rate for rate in self.highest))


@dataclass
class Trial:
    """What happened in a trial.

    Attributes:
        losses: The loss of the batch before each step.
        gradients: The most that each parameter ever got: ``some`` gradient, only ``zero``, or ``none`` at all because
            the loss does not depend on it; ``frozen`` where the network wants none.
        attached: Whether the loss depends on any parameter.
    """

    losses: list[float] = field(default_factory=list)
    gradients: dict[str, Gradient] = field(default_factory=dict)
    attached: bool = True

    @property
    def goes_on(self) -> bool:
        """Whether there is anything to make a step with."""
        return self.attached and all(map(math.isfinite, self.losses[-1:]))

    @property
    def first(self) -> float:
        """The loss of the initial weights."""
        return self.losses[0]

    @property
    def last(self) -> float:
        """The loss at the end, the median of five steps because dropout makes single ones jump."""
        return sorted(self.losses[-5:])[len(self.losses[-5:]) // 2]


def run_trial(
    network: nn.Module,
    loss: LossFunction,
    image: torch.Tensor,
    label: torch.Tensor,
    optimizer: OptimizerFunction,
    rates: Rates,
    *,
    clip: Callable[[Sequence[nn.Parameter]], object] | None = None,
) -> Trial:
    """Train a copy of a network on one batch; the network itself and the random states stay as they are.

    Args:
        network: The network.
        loss: Loss of logits and label.
        image: Images of the batch, shape (batch, channels, ...).
        label: Class values, shape (batch, 1, ...).
        optimizer: Makes an optimizer of parameters.
        rates: Learning rates of its parameter groups.
        clip: Clips the gradients of parameters, where the training does.
    """
    trial, began = Trial(), time.monotonic()
    with torch.enable_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        pupil = copy.deepcopy(network).train()
        trial.gradients = {name: "none" if p.requires_grad else "frozen" for name, p in pupil.named_parameters()}
        solver = optimizer(pupil.parameters())

        def closure() -> torch.Tensor:
            """Compute loss and gradients; an optimizer such as LBFGS asks for them several times in a step."""
            solver.zero_grad()
            value = loss(pupil(image), label)
            trial.losses.append(float(value.detach()))
            trial.attached = value.requires_grad
            if trial.goes_on:
                value.backward()
                _note_gradients(pupil, trial.gradients)
                if clip is not None:
                    clip(list(pupil.parameters()))
            return value

        while trial.goes_on and len(trial.losses) < (STEPS if time.monotonic() - began < _SECONDS else _LEAST):
            for group, rate in zip(solver.param_groups, rates.at(len(trial.losses)), strict=True):
                group["lr"] = rate
            solver.step(closure)  # type: ignore[arg-type]  # torch itself passes a tensor on
    return trial


def _note_gradients(network: nn.Module, gradients: dict[str, Gradient]) -> None:
    for name, parameter in network.named_parameters():
        if parameter.grad is not None and gradients[name] in ("none", "zero"):
            gradients[name] = "some" if bool(parameter.grad.any()) else "zero"
