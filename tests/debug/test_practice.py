"""All checks of network, loss and learning together: a planted mistake is found, and sound settings pass."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from tests.debug.helpers import CLASSES, batch, dice_ce, network
from trainlib.debug.finding import made
from trainlib.debug.practice import Practice
from trainlib.debug.trial import Rates

IMAGE, LABEL = batch()


def practice(lr: float = 0.01, **changes: Any) -> Practice:
    settings = {
        "network": network(),
        "loss": dice_ce(),
        "optimizer": lambda parameters: torch.optim.Adam(parameters, 1.0),
        "rates": Rates((lr,), (lr,)),
        "rate": "optimizer.Adam.lr",
        "image": IMAGE,
        "label": LABEL,
        "classes": CLASSES,
    }
    return Practice(**(settings | changes))


def levels(found: Practice) -> dict[str, str]:
    """The checks that found something."""
    return {finding.check: finding.level for finding in made(found.checks()) if finding.level != "ok"}


def test_sound_settings_pass_every_check() -> None:
    names = [name for name, _ in practice().checks()]
    assert names == ["output channels", "activation", "loss", "gradients", "learning rate", "overfit a batch"]
    assert levels(practice()) == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"loss": dice_ce(softmax=False)}, {"activation": "problem"}),
        ({"network": network(nn.Softmax(dim=1))}, {"activation": "problem"}),
        ({"network": network(end=nn.Sigmoid())}, {"activation": "problem"}),
        ({"loss": lambda logits, label: -dice_ce()(logits, label)}, {"loss": "problem", "overfit a batch": "problem"}),
        ({"network": network().requires_grad_(False)}, {"gradients": "problem", "overfit a batch": "problem"}),
        ({"image": IMAGE * float("nan")}, {"learning rate": "problem", "overfit a batch": "problem"}),
        ({"lr": 10.0}, {"learning rate": "warning", "overfit a batch": "problem"}),
        ({"lr": 0.0}, {"overfit a batch": "problem"}),
    ],
)
def test_a_planted_mistake_is_found(changes: dict[str, Any], expected: dict[str, str]) -> None:
    found = levels(practice(**changes))
    assert expected.items() <= found.items()


def test_a_network_with_a_channel_too_many_is_found() -> None:
    # A loss that takes the first channels only would let it pass.
    loss = dice_ce()
    found = levels(practice(network=network(channels=4), loss=lambda logits, label: loss(logits[:, :3], label)))
    assert found["output channels"] == "problem"


def test_nothing_of_the_training_is_changed() -> None:
    found = practice()
    before, state = copy.deepcopy(found.network.state_dict()), torch.get_rng_state()
    made(found.checks())
    assert all(torch.equal(value, before[name]) for name, value in found.network.state_dict().items())
    assert found.network.training
    assert torch.equal(torch.get_rng_state(), state)
