"""Networks that end in an activation."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

from tests.debug.helpers import batch, network
from trainlib.debug.outputs import outputs_of

IMAGE, _ = batch()


@pytest.mark.parametrize(
    ("end", "outputs"),
    [
        (None, "logits"),
        (nn.Softmax(dim=1), "softmax"),
        (nn.Sigmoid(), "sigmoid"),
        (nn.LogSoftmax(dim=1), "log_softmax"),
        (nn.Tanh(), "logits"),
    ],
)
def test_the_last_activation_is_found(end: nn.Module | None, outputs: str) -> None:
    assert outputs_of(network(end), IMAGE) == outputs


def test_logits_that_lie_between_0_and_1_by_chance_are_logits() -> None:
    net = network()
    with torch.no_grad():
        net.last.weight.mul_(1e-3)
        net.last.bias.copy_(torch.tensor([0.2, 0.3, 0.4]))
        assert 0 < net(IMAGE).min() < net(IMAGE).max() < 1
    assert outputs_of(net, IMAGE) == "logits"


def test_a_usual_network_gives_logits_and_stays_as_it_is() -> None:
    net = UNet(2, 1, 3, channels=(4, 8), strides=(2,), norm="batch", dropout=0.5)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.get_rng_state()
    assert outputs_of(net, IMAGE) == "logits"
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
