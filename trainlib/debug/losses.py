"""Does the loss want what the network gives, and does it reward what is wanted?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from trainlib.debug.finding import Finding
from trainlib.debug.outputs import Output
from trainlib.debug.trial import LossFunction
from trainlib.words import first_few

Activation = Literal["softmax", "other", "none"]

_CERTAIN = 30.0  # logits of certainty: the other classes get less than 1e-12


def example(classes: int, dims: int, device: torch.device | None = None) -> torch.Tensor:
    """Make a label map with all classes, half of it background, shape (2, 1, ...)."""
    size = 4 * max(4, classes)
    line = torch.zeros(size, dtype=torch.long, device=device)
    line[size // 2 :] = 1 + torch.arange(size - size // 2, device=device) * (classes - 1) // (size - size // 2)
    return line.expand(2, 1, *[16] * (dims - 1), size).contiguous()


def one_hot(label: torch.Tensor, classes: int) -> torch.Tensor:
    """Return the perfect probabilities of a label map, shape (batch, classes, ...)."""
    return torch.nn.functional.one_hot(label[:, 0].long(), classes).movedim(-1, 1).float()


def as_logits(label: torch.Tensor, classes: int, certainty: float = _CERTAIN) -> torch.Tensor:
    """Return logits that predict a label map: `certainty` for its class, as much below zero for the others."""
    return certainty * (2 * one_hot(label, classes) - 1)


def activation_of(loss: LossFunction, classes: int, dims: int, device: torch.device | None = None) -> Activation:
    """Find out by trying which activation a loss applies to what it is given.

    With a softmax nothing changes when all logits of a voxel grow by the same amount. With another activation, as a
    sigmoid, a certain and perfect prediction leaves nothing to improve, so that the gradient vanishes. Without one it
    does not, for the loss takes the logits for probabilities, which have no end.
    """
    label = example(classes, dims, device)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(len(label), classes, *label.shape[2:], generator=generator).to(label.device)
    shift = 5 * torch.randn(len(label), 1, *label.shape[2:], generator=generator).to(label.device)
    if torch.isclose(loss(logits, label), loss(logits + shift, label), rtol=1e-4, atol=1e-5).all():
        return "softmax"
    with torch.enable_grad():
        certain = as_logits(label, classes).requires_grad_()
        [gradient] = torch.autograd.grad(loss(certain, label).sum(), certain)
    return "none" if float(gradient.abs().sum()) * _CERTAIN > 1e-3 else "other"


def perfect_loss(loss: LossFunction, label: torch.Tensor, classes: int, activation: Activation) -> float:
    """Return the least loss that a prediction of a label map can have.

    With smoothed labels certainty is punished, so that several degrees of it are tried.
    """
    if activation == "none":
        return float(loss(one_hot(label, classes), label))
    return min(float(loss(as_logits(label, classes, certainty), label)) for certainty in (1, 2, 4, 8, _CERTAIN))


def check_activation(outputs: Output, activation: Activation) -> Finding:
    """Compare what the network's last layer does with what the loss expects.

    Args:
        outputs: What the network gives.
        activation: What the loss applies itself.
    """
    applied = "a softmax" if activation == "softmax" else "an activation of its own"
    ends = {"softmax": "a softmax", "sigmoid": "a sigmoid", "log_softmax": "a log-softmax", "logits": ""}[outputs]
    if activation == "none" and outputs == "logits":
        return Finding(
            "activation",
            "problem",
            "The network gives logits, but the loss takes them for probabilities: it applies neither softmax nor "
            "sigmoid, at least in a part of it. Its values mean nothing then, and may become negative. Set "
            "`softmax: true` in the section loss.",
        )
    if activation != "none" and outputs in ("softmax", "sigmoid"):
        return Finding(
            "activation",
            "problem",
            f"The network ends in {ends}, and the loss applies {applied} to that once more. All classes then look "
            "almost equally likely, and learning is slow and stops early. Take the last activation out of the "
            "network; trainlib expects logits.",
        )
    if outputs in ("softmax", "sigmoid"):
        return Finding(
            "activation",
            "warning",
            f"The network ends in {ends}, and the loss expects that. But trainlib takes the output for logits: the "
            "probabilities that `predict --probabilities` writes go through a second softmax. Take the activation out "
            "of the network and set `softmax: true` in the section loss.",
        )
    if outputs == "log_softmax":
        return Finding("activation", "ok", "The network gives logarithms of probabilities, and the loss expects them.")
    return Finding("activation", "ok", f"The network gives logits, and the loss applies {applied}.")


def check_reward(loss: LossFunction, classes: Sequence[str], dims: int, activation: Activation,
                 device: torch.device | None = None) -> Finding:  # fmt: skip
    """Tell whether a perfect prediction has a lower loss than a wrong one, and whether missing a class costs anything.

    Args:
        loss: Loss of logits and label.
        classes: Names of the classes.
        dims: Number of spatial dimensions.
        activation: What the loss applies itself.
        device: Where the loss has its weights.
    """
    label = example(len(classes), dims, device)

    def value(prediction: torch.Tensor) -> float:
        given = one_hot(prediction, len(classes)) if activation == "none" else as_logits(prediction, len(classes), 8)
        return float(loss(given, label))

    perfect, wrong = value(label), value((label + 1) % len(classes))
    if not perfect < wrong:
        return Finding(
            "loss",
            "problem",
            f"A perfect prediction has the loss {perfect:.3g}, one with every class wrong {wrong:.3g}: the training "
            "would lead away from what is wanted. Look at the sign of the loss, and whether it compares a channel for "
            "each class with the label in the same form (`to_onehot_y: true`).",
        )
    least = 1e-4 * (wrong - perfect)
    missed = [torch.where(label == i, 0, label) for i in range(1, len(classes))]
    free = [name for name, other in zip(classes[1:], missed, strict=True) if value(other) - perfect < least]
    if free:
        return Finding(
            "loss",
            "warning",
            f"The loss stays the same when {first_few(free)} is missed altogether, so that nothing teaches the network "
            "to find it. Look at the weights of the classes and at ignore_index in the section loss.",
        )
    return Finding("loss", "ok", "A perfect prediction has the least loss, and every class counts.")
