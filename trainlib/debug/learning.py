"""Does the network learn one batch by heart, at the learning rate of the config, in all its layers?"""

from __future__ import annotations

import math
from collections.abc import Callable

from trainlib.debug.finding import Finding
from trainlib.debug.trial import STEPS, Trial
from trainlib.words import first_few

# Share of the way from the first loss to that of a perfect prediction which the steps of a trial should bring. A
# small U-Net on hippocampi comes 0.15 far with AdamW at 1e-4, 0.7 at 1e-2, and 0.04 at a hopeless 1e-5.
_ENOUGH = 0.1
_FACTORS = {0.1: "a tenth of", 10.0: "ten times", 0.01: "a hundredth of", 100.0: "a hundred times"}
_JUMP = 1.0  # of the same way, in the wrong direction
_HARDLY = 0.02


def check_overfit(trial: Trial, perfect: float, again: Callable[[float], Trial], rate: str) -> Finding:
    """Tell whether some steps on one batch bring the loss down.

    Args:
        trial: The steps.
        perfect: The loss of a perfect prediction of the batch.
        again: Repeats the trial with the learning rate times a factor, to tell whether it is to blame.
        rate: The key of the learning rate and its value.
    """
    course = f"{len(trial.losses)} steps on one batch took the loss from {_text(trial.first)} to {_text(trial.last)}"
    if _learned(trial, perfect):
        return Finding("overfit a batch", "ok", f"{course}: the network can learn.")
    if trial.first <= perfect:
        text = (
            f"Before any training the loss is {_text(trial.first)}, no more than the {_text(perfect)} of a perfect "
            "prediction, so that making it smaller means nothing. Look at the findings on loss and network."
        )
        return Finding("overfit a batch", "problem", text)
    for factor, words in _FACTORS.items():
        other = again(factor)
        if _learned(other, perfect):
            slow = factor > 1 and _way(trial, perfect) > _HARDLY
            text = (
                f"{course}, with {words} the learning rate to {_text(other.last)}. The network learns "
                f"{'slowly' if slow else 'next to nothing'} as it is: {'raise' if factor > 1 else 'lower'} {rate}."
            )
            return Finding("overfit a batch", "warning" if slow else "problem", text)
    return Finding(
        "overfit a batch",
        "problem",
        f"{course}, and no learning rate from a hundredth of it to a hundred times as much does better. What cannot "
        "learn a handful of images by heart will learn nothing from a whole data set. Look at the findings on loss and "
        "network, and on the sheets whether the labels fit the images.",
    )


def _way(trial: Trial, perfect: float) -> float:
    """Tell how much of the way from the first loss to the perfect one was gone."""
    span = trial.first - perfect
    gone = trial.first - trial.last
    return gone / span if math.isfinite(gone) and span > 0 else 0.0


def _learned(trial: Trial, perfect: float) -> bool:
    return trial.attached and _way(trial, perfect) >= _ENOUGH * min(1.0, len(trial.losses) / STEPS)


def _text(value: float) -> str:
    return f"{value:.3g}"


def check_learning_rate(trial: Trial, perfect: float, rate: str) -> Finding:
    """Tell whether the loss jumps up in the first steps.

    Args:
        trial: The steps.
        perfect: The loss of a perfect prediction of the batch.
        rate: The key of the learning rate and its value.
    """
    for step, value in enumerate(trial.losses):
        if not math.isfinite(value):
            what = "with the initial weights" if step == 0 else f"after {step} step{'' if step == 1 else 's'}"
            remedy = "Look at the intensities of the images and at the loss." if step == 0 else f"Lower {rate}."
            text = f"The loss is {value} {what}, and from there no training comes back. {remedy}"
            return Finding("learning rate", "problem", text)
    highest = max(trial.losses)
    if highest - trial.first > _JUMP * abs(trial.first - perfect):
        step = trial.losses.index(highest)
        text = (
            f"The loss jumps from {_text(trial.first)} to {_text(highest)} within {step} "
            f"step{'' if step == 1 else 's'}. Such steps destroy what was learned, and pretrained weights first of "
            f"all. Lower {rate}."
        )
        return Finding("learning rate", "warning", text)
    return Finding("learning rate", "ok", f"The loss does not jump in the first steps at {rate}.")


def check_gradients(trial: Trial) -> Finding:
    """Tell which layers get no gradient.

    Args:
        trial: Some steps.
    """
    if not trial.attached:
        return Finding(
            "gradients",
            "problem",
            "The loss does not depend on any weight, so that nothing can be trained. Network or loss cut the "
            "connection, with `detach()`, `no_grad()`, `argmax` or a rounded output, or all weights are frozen.",
        )
    wanting = {name: kind for name, kind in trial.gradients.items() if kind != "frozen"}
    frozen = len(trial.gradients) - len(wanting)
    note = f" {frozen} more are frozen (requires_grad)." if frozen else ""
    if silent := [name for name, kind in wanting.items() if kind != "some"]:
        unused = any(wanting[name] == "none" for name in silent)
        return Finding(
            "gradients",
            "problem" if 2 * len(silent) > len(wanting) else "warning",
            f"{len(silent)} of {len(wanting)} weights and biases get no gradient, because "
            f"{'the output does not depend on them' if unused else 'theirs is zero throughout'}: "
            f"{first_few(_layers(silent))}. They keep their random values for ever. Connect these layers in the "
            f"network, or take them out.{note}",
        )
    return Finding("gradients", "ok", f"All {len(wanting)} weights and biases that are to learn get a gradient.{note}")


def _layers(names: list[str]) -> list[str]:
    """Name the layers that parameters belong to, in their order."""
    return list(dict.fromkeys(name.rpartition(".")[0] or name for name in names))
