"""Losses that do not want what the network gives, or do not reward what is wanted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from monai.losses import DiceFocalLoss, DiceLoss, FocalLoss, GeneralizedDiceFocalLoss, GeneralizedDiceLoss, TverskyLoss
from torch import nn

from tests.debug.helpers import CLASSES, batch, dice_ce
from trainlib.debug.losses import activation_of, check_activation, check_reward, example, perfect_loss

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def cross_entropy(**keywords: object) -> Loss:
    loss = nn.CrossEntropyLoss(**keywords)
    return lambda logits, label: loss(logits, label[:, 0].long())


def monai(kind: Callable[..., Loss], **keywords: object) -> Loss:
    return kind(to_onehot_y=True, **keywords)


SOUND = {
    "cross entropy": (cross_entropy(), "softmax"),
    "smoothed cross entropy": (cross_entropy(label_smoothing=0.1), "softmax"),
    "weighted cross entropy": (cross_entropy(weight=torch.tensor([0.1, 1.0, 5.0])), "softmax"),
    "dice": (monai(DiceLoss, softmax=True), "softmax"),
    "dice without background": (monai(DiceLoss, softmax=True, include_background=False), "softmax"),
    "dice with sigmoid": (monai(DiceLoss, sigmoid=True), "other"),
    "dice with cross entropy": (dice_ce(), "softmax"),
    "squared dice with cross entropy": (dice_ce(squared_pred=True, batch=True), "softmax"),
    "dice with focal": (monai(DiceFocalLoss, softmax=True), "other"),
    "focal": (monai(FocalLoss), "other"),
    "focal with softmax": (monai(FocalLoss, use_softmax=True), "softmax"),
    "tversky": (monai(TverskyLoss, softmax=True, alpha=0.3, beta=0.7), "softmax"),
    "generalised dice": (monai(GeneralizedDiceLoss, softmax=True), "softmax"),
    "generalised dice with focal": (monai(GeneralizedDiceFocalLoss, softmax=True), "other"),
    "negative dice": (lambda logits, label: monai(DiceLoss, softmax=True)(logits, label) - 1, "softmax"),
}


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("dims", [2, 3])
def test_sound_losses_take_logits_and_reward_every_class(name: str, dims: int) -> None:
    loss, activation = SOUND[name]
    assert activation_of(loss, 3, dims) == activation
    assert check_activation("logits", activation_of(loss, 3, dims)).level == "ok"
    assert check_reward(loss, CLASSES, dims, activation_of(loss, 3, dims)).level == "ok"


@pytest.mark.parametrize(
    "loss", [monai(DiceLoss), dice_ce(softmax=False), monai(TverskyLoss), monai(DiceLoss, include_background=False)]
)
def test_a_loss_that_takes_logits_for_probabilities_is_a_problem(loss: Loss) -> None:
    assert activation_of(loss, 3, 2) == "none"
    found = check_activation("logits", activation_of(loss, 3, 2))
    assert found.level == "problem"
    assert "takes them for probabilities" in found.text
    assert "Set `softmax: true` in the section loss" in found.text


@pytest.mark.parametrize("outputs", ["softmax", "sigmoid"])
@pytest.mark.parametrize("activation", ["softmax", "other"])
def test_two_activations_are_a_problem(outputs: str, activation: str) -> None:
    found = check_activation(outputs, activation)
    assert found.level == "problem"
    assert f"The network ends in a {outputs}" in found.text


def test_probabilities_that_the_loss_expects_are_a_warning_for_what_is_written_later() -> None:
    found = check_activation("softmax", "none")
    assert found.level == "warning"
    assert "a second softmax" in found.text
    assert check_activation("log_softmax", "none").level == "ok"


def test_a_loss_with_the_wrong_sign_is_a_problem() -> None:
    loss = dice_ce()
    found = check_reward(lambda logits, label: -loss(logits, label), CLASSES, 2, "softmax")
    assert found.level == "problem"
    assert "A perfect prediction has the loss -" in found.text


def test_a_loss_that_compares_channels_with_class_values_is_a_problem() -> None:
    found = check_reward(lambda logits, label: ((logits - label) ** 2).mean(), CLASSES, 2, "none")
    assert found.level == "problem"
    assert "`to_onehot_y: true`" in found.text


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (cross_entropy(weight=torch.tensor([1.0, 1.0, 0.0])), "lesion"),
        (cross_entropy(ignore_index=1), "organ"),
        (monai(DiceLoss, softmax=True, include_background=False, weight=torch.tensor([1.0, 0.0])), "lesion"),
    ],
)
def test_a_class_that_costs_nothing_when_it_is_missed_is_named(loss: Loss, name: str) -> None:
    found = check_reward(loss, CLASSES, 2, "softmax")
    assert found.level == "warning"
    assert f"when {name} is missed altogether" in found.text


def test_the_perfect_loss_is_the_least_there_is() -> None:
    _, label = batch()
    assert perfect_loss(dice_ce(), label, 3, "softmax") == pytest.approx(0, abs=1e-4)
    assert perfect_loss(monai(DiceLoss), label, 3, "none") == pytest.approx(0, abs=1e-4)
    # With smoothing, the true class gets 0.9 + 0.1 / 3 at best, the others 0.1 / 3 each.
    shares = torch.tensor([0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3])
    entropy = float(-(shares * shares.log()).sum())
    smoothed = perfect_loss(cross_entropy(label_smoothing=0.1), label, 3, "softmax")
    assert entropy <= smoothed < 1.1 * entropy


@pytest.mark.parametrize("classes", [2, 3, 30])
@pytest.mark.parametrize("dims", [2, 3])
def test_the_example_has_every_class_and_half_of_it_is_background(classes: int, dims: int) -> None:
    label = example(classes, dims)
    assert label.ndim == dims + 2
    assert label.unique().tolist() == list(range(classes))
    assert float((label == 0).float().mean()) == 0.5
