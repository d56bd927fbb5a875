"""Learning rates that are wrong, layers that learn nothing, networks that cannot learn."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.debug.helpers import TinyNet, batch, dice_ce, network
from trainlib.debug.finding import Finding
from trainlib.debug.learning import check_gradients, check_learning_rate, check_overfit
from trainlib.debug.trial import Gradient, Rates, Trial, run_trial

IMAGE, LABEL = batch()
RATE = "optimizer.Adam.lr (now 0.01)"


def trial(net: nn.Module, lr: float = 0.01, loss: Callable[..., torch.Tensor] | None = None) -> Trial:
    rates = Rates((lr,), (lr,))
    return run_trial(net, loss or dice_ce(), IMAGE, LABEL, lambda p: torch.optim.Adam(p, 1.0), rates)


def overfit(net: nn.Module, lr: float = 0.01, loss: Callable[..., torch.Tensor] | None = None) -> Finding:
    return check_overfit(trial(net, lr, loss), 0.0, lambda factor: trial(net, lr * factor, loss), RATE)


class Unused(TinyNet):
    """A network with a layer that it does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.forgotten = nn.Conv2d(8, 8, 3)


class Detached(TinyNet):
    """A network that cuts its own gradient."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return super().forward(image).detach()


class HalfDetached(TinyNet):
    """A network of which only the last bias learns."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits = self.last(torch.relu(self.first(image))).detach()
        return logits + self.last.bias[:, None, None]


def test_a_sound_network_overfits_a_batch_without_a_jump_and_in_all_layers() -> None:
    found = trial(network())
    assert overfit(network()).level == "ok"
    assert overfit(network()).text.startswith("40 steps on one batch took the loss from ")
    assert check_learning_rate(found, 0.0, RATE).level == "ok"
    assert check_gradients(found) == Finding(
        "gradients", "ok", "All 4 weights and biases that are to learn get a gradient."
    )


def test_a_network_that_cannot_learn_is_a_problem_and_the_rate_is_not_blamed() -> None:
    found = overfit(Detached())
    assert found.level == "problem"
    assert "no learning rate from a hundredth of it to a hundred times as much does better" in found.text


def test_a_rate_that_is_too_low_is_named_with_the_remedy() -> None:
    found = overfit(network(), lr=2e-4)
    assert found.level == "warning"
    assert "with ten times the learning rate to " in found.text
    assert found.text.endswith(f"The network learns slowly as it is: raise {RATE}.")


def test_a_rate_that_is_far_too_low_is_a_problem() -> None:
    found = overfit(network(), lr=1e-5)
    assert found.level == "problem"
    assert "with a hundred times the learning rate to " in found.text
    assert found.text.endswith(f"The network learns next to nothing as it is: raise {RATE}.")


def test_a_rate_that_is_too_high_is_named_with_the_remedy() -> None:
    found = overfit(network(), lr=30.0)
    assert found.level == "problem"
    assert "with a hundredth of the learning rate to " in found.text
    assert found.text.endswith(f"lower {RATE}.")


def test_a_loss_that_is_below_the_perfect_one_from_the_start_means_nothing() -> None:
    found = check_overfit(Trial([-3.0, -9.0]), 0.0, lambda factor: pytest.fail("needs no other trial"), RATE)
    assert found.level == "problem"
    assert "Before any training the loss is -3, no more than the 0 of a perfect prediction" in found.text


def test_losses_that_may_become_negative_are_measured_by_the_perfect_one() -> None:
    falling = [-0.1 - 0.02 * i for i in range(40)]  # a negative Dice, best at -1
    assert check_overfit(Trial(falling), -1.0, lambda factor: Trial(falling), RATE).level == "ok"


def test_few_slow_steps_need_not_go_as_far() -> None:
    few = [1.0 - 0.01 * i for i in range(10)]
    assert check_overfit(Trial(few), 0.0, lambda factor: Trial(few), RATE).level == "ok"
    assert check_overfit(Trial(few + [0.91] * 30), 0.0, lambda factor: Trial(few[:1] * 40), RATE).level == "problem"


def test_a_rate_that_makes_the_loss_jump_is_told() -> None:
    found = check_learning_rate(trial(network(), lr=10.0), 0.0, RATE)
    assert found.level == "warning"
    assert found.text.startswith("The loss jumps from ")
    assert found.text.endswith(f"Lower {RATE}.")


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([1.0, 2.0, math.nan], f"The loss is nan after 2 steps, and from there no training comes back. Lower {RATE}."),
        ([1.0, math.inf], "The loss is inf after 1 step,"),
        ([math.nan], "The loss is nan with the initial weights, and from there no training comes back. Look at"),
    ],
)
def test_a_loss_that_is_not_finite_is_a_problem(losses: list[float], words: str) -> None:
    found = check_learning_rate(Trial(losses), 0.0, RATE)
    assert found.level == "problem"
    assert found.text.startswith(words)


def test_a_small_rise_is_no_jump() -> None:
    assert check_learning_rate(Trial([1.0, 1.6, 0.9]), 0.0, RATE).level == "ok"


def test_a_layer_that_is_not_used_is_named() -> None:
    found = check_gradients(trial(Unused()))
    assert found.level == "warning"
    text = "2 of 6 weights and biases get no gradient, because the output does not depend on them: forgotten."
    assert found.text.startswith(text)


def test_a_network_that_mostly_stands_still_is_a_problem() -> None:
    found = check_gradients(trial(HalfDetached()))
    assert found.level == "problem"
    assert found.text.startswith("3 of 4 weights and biases get no gradient")
    assert "first, last." in found.text


def test_a_network_without_any_gradient_is_a_problem() -> None:
    found = check_gradients(trial(Detached()))
    assert found.level == "problem"
    assert found.text.startswith("The loss does not depend on any weight")


def test_a_gradient_that_is_always_zero_is_told() -> None:
    gradients: dict[str, Gradient] = {"a.weight": "some", "b.weight": "some", "c.weight": "zero"}
    found = check_gradients(Trial([1.0], gradients))
    assert found.level == "warning"
    assert "because theirs is zero throughout: c." in found.text


def test_frozen_layers_are_counted_and_no_mistake() -> None:
    net = network()
    net.first.requires_grad_(False)
    found = check_gradients(trial(net))
    assert found.level == "ok"
    assert found.text.endswith(" 2 more are frozen (requires_grad).")
