"""Weights in files of any kind: checkpoints of trainlib and of other tools, plain state dicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from trainlib.checkpoints.checkpoint import unreadable
from trainlib.errors import CheckpointError
from trainlib.folders.run import RunFolder

_OURS = "network."  # before the names of the network's weights in a checkpoint of trainlib
# Where the weights lie in checkpoints of other tools, the outer name first.
_INSIDE = ("state_dict", "model_state_dict", "network_weights", "model_state", "model", "net", "network")
# What the names of the weights begin with there: of a Lightning module, of several processes, of a compiled network.
_PREFIXES = ("network.", "module.", "model.", "net.", "_orig_mod.")
_DEEPEST = 3  # prefixes within one another, as in `network.module._orig_mod.`


def weights_file(path: Path) -> Path:
    """Find the file with the weights that a path stands for.

    Args:
        path: A file, or a run folder, of which the best checkpoint is taken, or else the last.

    Raises:
        CheckpointError: There is none.
    """
    if not path.exists():
        raise CheckpointError(f"model.weights: there is no file or run folder {path}.")
    if not path.is_dir():
        return path
    folder = RunFolder(path)
    found = next((file for file in (folder.best, folder.last) if file.is_file()), None)
    if found is None:
        raise CheckpointError(
            f"model.weights: {path} is no run folder with a checkpoint: it has no checkpoints/best.ckpt."
        )
    return found


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read the weights in a file; nothing in it is run.

    Returns:
        Name -> tensor. Of a checkpoint of trainlib these are the weights of the network under its own names.

    Raises:
        CheckpointError: The file cannot be read, or holds no weights.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of many kinds
        text = unreadable(path, error)
        remedy = " Save its state dict alone: name -> tensor." if "which is code" in text else ""
        raise CheckpointError(f"model.weights: {text}{remedy}") from error
    ours = isinstance(content, Mapping) and "trainlib" in content
    for _ in range(2):
        inside = next(
            (name for name in _INSIDE if isinstance(content, Mapping) and _has_weights(content.get(name))), None
        )
        content = content[inside] if inside else content
    if not _has_weights(content):
        raise CheckpointError(f"model.weights: {path} holds no weights: expected a state dict, name -> tensor.")
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
