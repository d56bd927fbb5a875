"""Weights in files of any kind: checkpoints of trainlib and of other tools, plain state dicts."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from trainlib.errors import CheckpointError

_OURS = "network."  # before the names of the network's weights in a checkpoint of trainlib
# Where the weights lie in checkpoints of other tools, the outer name first.
_INSIDE = ("state_dict", "model_state_dict", "network_weights", "model_state", "model", "net", "network")
# What the names of the weights begin with there: of a Lightning module, of several processes, of a compiled network.
_PREFIXES = ("network.", "module.", "model.", "net.", "_orig_mod.")
_DEEPEST = 3  # prefixes within one another, as in `network.module._orig_mod.`


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read the weights in a file; nothing in it is run.

    Returns:
        Name -> tensor. Of a checkpoint of trainlib these are the weights of the network under its own names.

    Raises:
        CheckpointError: There is no such file, it cannot be read, or it holds no weights.
    """
    if not path.is_file():
        raise CheckpointError(f"there are no weights {path}.")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of many kinds
        text = unreadable(path, error)
        remedy = " Save its state dict alone: name -> tensor." if "which is code" in text else ""
        raise CheckpointError(f"{text}{remedy}") from error
    ours = isinstance(content, Mapping) and "trainlib" in content
    for _ in range(2):
        inside = next(
            (name for name in _INSIDE if isinstance(content, Mapping) and _has_weights(content.get(name))), None
        )
        content = content[inside] if inside else content
    if not _has_weights(content):
        raise CheckpointError(f"{path} holds no weights: expected a state dict, name -> tensor.")
    weights = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    return _below(weights, _OURS) if ours else weights


def _has_weights(content: Any) -> bool:
    return isinstance(content, Mapping) and any(isinstance(value, torch.Tensor) for value in content.values())


def without_prefix(weights: Mapping[str, torch.Tensor], names: Iterable[str]) -> dict[str, torch.Tensor]:
    """Take the beginning off the names of weights that makes the most of them those of a network.

    Args:
        weights: Name -> tensor. What does not begin like that keeps its name.
        names: Those of the network.
    """
    own = set(names)
    candidates, newest = [""], [""]
    for _ in range(_DEEPEST):
        longer = [before + prefix for before in newest for prefix in _PREFIXES]
        newest = [prefix for prefix in longer if any(name.startswith(prefix) for name in weights)]
        candidates += newest
    best = max(candidates, key=lambda prefix: len(_below(weights, prefix).keys() & own))  # the first of equals: none
    if not best:
        return dict(weights)
    beside = {name: value for name, value in weights.items() if not name.startswith(best)}
    return {name: value for name, value in beside.items() if name not in own} | _below(weights, best)


def _below(weights: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def unreadable(path: Path, error: Exception) -> str:
    """Say why a file cannot be read as data alone."""
    return f"{path} cannot be read as a checkpoint; it is damaged or of another kind ({_damage(path, error)})."


def _damage(path: Path, error: Exception) -> str:
    """Say what is wrong with a file that torch cannot read as data, where that tells more than torch does."""
    if isinstance(error, PermissionError):
        return str(error.strerror)
    if code := re.search(r"GLOBAL (\S+)", str(error)):
        return f"it holds {code[1]}, which is code and no data; nothing of it was run"
    try:
        with path.open("rb") as file:
            start = file.read(2)
    except OSError as unreadable:
        return str(unreadable.strerror)
    if not start:
        return "it is empty"
    if not zipfile.is_zipfile(path):
        return "it is cut off" if start == b"PK" else "torch has not written it"
    return str(error).strip().partition("\n")[0] or type(error).__name__
