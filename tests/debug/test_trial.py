"""A trial leaves everything as it was, and notes what happens."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tests.debug.helpers import TinyNet, batch, dice_ce, network
from trainlib.debug.trial import STEPS, Rates, Trial, run_trial

IMAGE, LABEL = batch()


def trial(net: nn.Module, lr: float = 0.01, first: float | None = None, **keywords: object) -> Trial:
    rates = Rates((lr if first is None else first,), (lr,))
    return run_trial(net, dice_ce(), IMAGE, LABEL, lambda p: torch.optim.Adam(p, 1.0), rates, **keywords)


def reference(lr: float) -> list[float]:
    """The losses of a plain loop."""
    net = network().train()
    optimizer = torch.optim.Adam(net.parameters(), lr)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = dice_ce()(net(IMAGE), LABEL)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return losses


def test_a_trial_is_a_plain_training_on_one_batch() -> None:
    assert trial(network()).losses == pytest.approx(reference(0.01), rel=1e-4)


def test_network_and_random_state_stay_as_they_are() -> None:
    net = TinyNet(nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5))).eval()
    before, state = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    trial(net)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not net.training
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_trial_gives_the_same_each_time() -> None:
    net = TinyNet(nn.Dropout(0.5))
    assert trial(net).losses == trial(net).losses


def test_the_rate_rises_from_the_first_to_the_highest_within_ten_steps() -> None:
    rates = Rates((0.0, 1.0), (1.0, 1.0))
    assert [rates.at(step)[0] for step in (0, 5, 10, 30)] == [0.0, 0.5, 1.0, 1.0]
    assert rates.times(0.1).at(20) == pytest.approx([0.1, 0.1])
    assert trial(network(), lr=0.0).losses == [trial(network()).losses[0]] * STEPS


def test_a_trial_ends_where_the_loss_is_not_finite() -> None:
    def exploding(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return logits.mean() * (float("nan") if len(calls) >= 3 else 1.0)

    calls: list[int] = []

    def loss(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return exploding(logits, label)

    found = run_trial(network(), loss, IMAGE, LABEL, lambda p: torch.optim.SGD(p, 1.0), Rates((0.1,), (0.1,)))
    assert len(found.losses) == 3
    assert found.losses[-1] != found.losses[-1]


def test_optimizers_that_ask_for_the_loss_themselves_work() -> None:
    found = run_trial(network(), dice_ce(), IMAGE, LABEL, lambda p: torch.optim.LBFGS(p, 1.0), Rates((0.1,), (0.1,)))
    assert found.last < 0.8 * found.first


def test_gradients_are_clipped_as_in_the_training() -> None:
    norms: list[float] = []

    def clip(parameters: object) -> None:
        norms.append(float(nn.utils.clip_grad_norm_(parameters, 0.0)))

    # With all gradients clipped to nothing, plain SGD stands still.
    optimizer, rates = (lambda p: torch.optim.SGD(p, 1.0)), Rates((0.1,), (0.1,))
    found = run_trial(network(), dice_ce(), IMAGE, LABEL, optimizer, rates, clip=clip)
    assert len(set(found.losses)) == 1
    assert norms[0] > 0


def test_gradients_are_noted_for_every_parameter() -> None:
    class Silenced(TinyNet):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return super().forward(image) + 0 * self.dead(torch.ones(1)).sum()

    net = Silenced()
    net.unused, net.dead = nn.Linear(2, 2), nn.Linear(1, 1)
    net.first.bias.requires_grad_(False)
    found = trial(net).gradients
    assert found["first.weight"] == found["last.bias"] == "some"
    assert found["first.bias"] == "frozen"
    assert found["unused.weight"] == found["unused.bias"] == "none"
    assert found["dead.weight"] == "zero"


def test_a_loss_without_connection_to_the_weights_ends_at_once() -> None:
    found = trial(network(nn.Identity()).requires_grad_(False))
    assert not found.attached
    assert len(found.losses) == 1


def test_slow_steps_are_cut_short_but_not_below_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 6))
    monkeypatch.setattr("trainlib.debug.trial.time.monotonic", lambda: float(next(clock)))
    assert len(trial(network()).losses) == 10
