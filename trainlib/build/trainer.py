"""Arguments of the Trainer that do not exist or belong to trainlib, and values that a run cannot use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from trainlib.config.meant import other_name
from trainlib.config.schema import Config
from trainlib.config.sources import Key
from trainlib.suggest import did_you_mean

_STRATEGIES = ("auto", "single_device", "ddp", "fsdp")

# Arguments of the Trainer that trainlib sets itself, and what to do instead.
_OWN = {
    "callbacks": "Use the section callbacks.",
    "default_root_dir": "Use run.root and run.name.",
    "enable_checkpointing": "Use the section checkpoint.",
    "use_distributed_sampler": "Leave it out: each case goes to exactly one process anyway.",
    "barebones": "Leave it out: a run without checkpoints and logs cannot be resumed or reported.",
}
# Arguments that the Trainer had once, and what to do instead.
_FORMER = {
    "gpus": "Write `accelerator: gpu` and `devices: 1`.",
    "tpu_cores": "Write `accelerator: tpu` and `devices: 1`.",
    "num_processes": "Leave it out: a run is one process.",
    "resume_from_checkpoint": "Use the option --ckpt_path.",
}
# What other tools call a precision.
_PRECISIONS = {
    **dict.fromkeys(("fp16", "float16", "half", "f16", "amp", "mixed", "16bit"), "16-mixed"),
    **dict.fromkeys(("bfloat16", "bf16_mixed"), "bf16-mixed"),
    **dict.fromkeys(("fp32", "float32", "float", "single"), "32-true"),
    **dict.fromkeys(("fp64", "float64", "double"), "64-true"),
}


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


def _is_at_least(least: float) -> Callable[[Any], bool]:
    """Make a function that refuses smaller numbers; what is no number is refused for its type."""
    return lambda value: not isinstance(value, int | float) or value >= least


def _is_share_or_count(value: Any) -> bool:
    """Tell whether a number is a whole number from 1 on, or a share of an epoch."""
    return not isinstance(value, int | float) or (value >= 1 if isinstance(value, int) else 0 < value <= 1)


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
    "limit_train_batches": _Limit(
        lambda value: value != 0, "more than 0", "nothing would be trained. Use `trainlib validate` to score alone."
    ),
    "accumulate_grad_batches": _Limit(_is_at_least(1), "1 or more", "so many batches make a step of the optimizer."),
    "check_val_every_n_epoch": _Limit(
        _is_at_least(1), "1 or more", "so many epochs come before a validation, which chooses the best checkpoint."
    ),
    "val_check_interval": _Limit(
        _is_share_or_count, "1 or more batches, or a share of an epoch up to 1.0", "a validation comes that often."
    ),
    "gradient_clip_val": _Limit(
        _is_at_least(0), "0 or more", "a negative one would turn the training around. Leave it out to clip nothing."
    ),
    "log_every_n_steps": _Limit(_is_at_least(0), "0 or more", "so many steps come before the next is logged."),
    "max_steps": _Limit(lambda value: value != 0, "1 or more, or -1 for no limit", "nothing would be trained."),
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


def meant(name: str, value: Any) -> str:
    """Say, as a question, what a value of another tool means here; nothing where that is not known."""
    found = _PRECISIONS.get(str(value).lower()) if name == "precision" else None
    return f" Did you mean {found}?" if found else ""


def foreign_arguments(config: Config, known: Collection[str]) -> Iterator[tuple[Key, str]]:
    """Find what stands under ``trainer`` and is no argument of the Trainer, or one that trainlib sets itself.

    Args:
        config: The config.
        known: Names of the Trainer's arguments.
    """
    for name in config.trainer:
        key: Key = ("trainer", name)
        if name in _OWN:
            yield key, f"trainer.{name} is set by trainlib. {_OWN[name]}"
        elif name not in known:
            hint = (
                (f" {_FORMER[name]}" if name in _FORMER else "")
                or other_name(str(name), config.optimizer.name)
                or did_you_mean(str(name), set(known) - set(_OWN), "trainer.")
            )
            yield key, f"trainer.{name} is not an argument of lightning.Trainer.{hint}"
