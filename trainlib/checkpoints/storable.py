"""What a checkpoint may hold: data alone, which is read again without executing anything."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

# Where the parts of a checkpoint come from, as the user knows them.
_SECTIONS = {"optimizer_states": "optimizer", "lr_schedulers": "scheduler", "state_dict": "model"}
_REFUSED = (pickle.PickleError, AttributeError, TypeError, ValueError, RuntimeError, EOFError)


def plain(value: Any) -> Any:
    """Turn NumPy's numbers and arrays into those of Python and torch, however deep they lie.

    What holds none of them is returned as it is; nothing is changed in place.

    Args:
        value: A part of a checkpoint.
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy()) if value.dtype.kind in "biufc" else value.tolist()
    if isinstance(value, dict):
        return _plain_dict(value)
    if isinstance(value, list | tuple):
        items = [plain(item) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        if isinstance(value, list):
            return items
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value


def _plain_dict(value: dict[Any, Any]) -> dict[Any, Any]:
    items = [(plain(key), plain(item)) for key, item in value.items()]
    if all(key is old and item is value[old] for (key, item), old in zip(items, value, strict=True)):
        return value
    changed = copy.copy(value)  # with the attributes that torch gives to a dict of weights
    changed.clear()
    changed.update(items)
    return changed


def refusal(checkpoint: Mapping[str, Any]) -> str | None:
    """Say which part of a checkpoint is no data, None where all of it is."""
    for name, part in checkpoint.items():
        try:
            _read_back(part)
        except _REFUSED as error:
            section = _SECTIONS.get(name, name)
            return (
                f"{section}: its state holds what a checkpoint cannot ({_reason(error)}), so that no training could go "
                "on from it. Let it hold numbers, texts, tensors, and lists and dictionaries of them alone."
            )
    return None


def is_readable(content: io.BytesIO) -> bool:
    """Tell whether what `torch.save` has written can be read as data; its position is at the beginning afterwards."""
    content.seek(0)
    try:
        torch.load(content, map_location="meta", weights_only=True)  # without memory for the weights
    except _REFUSED:
        return False
    finally:
        content.seek(0)
    return True


def _read_back(part: Any) -> None:
    content = io.BytesIO()
    torch.save(part, content)
    content.seek(0)
    torch.load(content, map_location="meta", weights_only=True)


def _reason(error: BaseException) -> str:
    """Name the class that is no data, where torch does."""
    words = [word for line in str(error).splitlines() if "GLOBAL" in line for word in line.split()]
    if "GLOBAL" in words[:-1]:
        return words[words.index("GLOBAL") + 1].rstrip(",.")
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
