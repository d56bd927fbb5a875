"""What every checkpoint of trainlib has, as far as it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_NOTHING = object()


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_component(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, Mapping) and len(value) == 1)


def _is_component_or_none(value: Any) -> bool:
    return value is None or _is_component(value)


def _is_length(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_count, value))


# What trainlib or Lightning reads, the outer parts before the inner ones.
_PARTS: dict[str, Callable[[Any], bool]] = {
    "trainlib": _is_mapping,
    "state_dict": _is_mapping,
    "loops": _is_mapping,
    "optimizer_states": _is_list,
    "lr_schedulers": _is_list,
    "epoch": _is_count,
    "global_step": _is_count,
    "pytorch-lightning_version": _is_text,
    "loops.fit_loop": _is_mapping,
    "loops.fit_loop.epoch_progress.current.processed": _is_count,
    "trainlib.config": _is_mapping,
    "trainlib.config.data": _is_mapping,
    "trainlib.config.patch": _is_mapping,
    "trainlib.config.patch.optimizer": _is_text_or_none,
    "trainlib.config.optimizer": _is_component,
    "trainlib.config.scheduler": _is_component_or_none,
    "trainlib.optimizer": _is_mapping,
    "trainlib.horizon": _is_length,
}


def missing_parts(checkpoint: Mapping[str, Any]) -> list[str]:
    """List the parts that a checkpoint lacks, be it that they are of another kind than they must be.

    Args:
        checkpoint: The content.

    Returns:
        Their names; of a part that is missing no inner ones.
    """
    missing: list[str] = []
    for name, is_right in _PARTS.items():
        if not is_right(_inner(checkpoint, name)) and not any(name.startswith(f"{outer}.") for outer in missing):
            missing.append(name)
    return missing


def _inner(checkpoint: Any, name: str) -> Any:
    """Return what lies in a checkpoint under a dotted name; `_NOTHING` where there is no such thing."""
    for part in name.split("."):
        checkpoint = checkpoint.get(part, _NOTHING) if isinstance(checkpoint, Mapping) else _NOTHING
    return checkpoint
