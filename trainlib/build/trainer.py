"""Values of the Trainer's arguments that Lightning takes and a run cannot use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from trainlib.config.sources import Key

_STRATEGIES = ("auto", "single_device", "ddp", "fsdp")


class _Limit(NamedTuple):
    """What an argument of the Trainer must be.

    Attributes:
        fits: Tells whether a value can be used.
        expected: The values that can.
        reason: Why, or what to do instead.
    """

    fits: Callable[[Any], bool]
    expected: str
    reason: str


def _is_known_strategy(strategy: Any) -> bool:
    """Tell whether `strategy` is one whose processes are started by trainlib, torchrun or SLURM."""
    name = str(strategy).lower()
    return name in (*_STRATEGIES, "fsdp_cpu_offload") or name.startswith("ddp_find_unused_parameters_")


_LIMITS: dict[str, _Limit] = {
    "strategy": _Limit(
        _is_known_strategy, " or ".join((", ".join(_STRATEGIES[:-1]), _STRATEGIES[-1])), "a run knows no other."
    ),
    "fast_dev_run": _Limit(
        lambda value: not value, "false", "it switches checkpoints and logs off. Use max_epochs and limit_*_batches."
    ),
    "overfit_batches": _Limit(
        lambda value: not value, "0", "it replaces the order of the cases. List the few cases in data.train_csv."
    ),
    "limit_val_batches": _Limit(
        lambda value: value != 0, "more than 0", "the best checkpoint is chosen by the validation. Use 1 for a trial."
    ),
    "limit_test_batches": _Limit(
        lambda value: value != 0, "more than 0", "there would be no scores. Leave data.test_csv out to test nothing."
    ),
}


def trainer_mistakes(arguments: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Name each argument of the section ``trainer`` whose value a run cannot use; null is Lightning's default."""
    for name, limit in _LIMITS.items():
        value = arguments.get(name)
        if value is not None and not limit.fits(value):
            found = str(value).lower() if isinstance(value, bool) else value
            text = f"trainer.{name}: expected {limit.expected}, found {found}: {limit.reason}"
            yield ("trainer", name), text
