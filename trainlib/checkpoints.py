"""Read checkpoints safely, and compare the config they were trained with to the present one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from trainlib.config.schema import Config
from trainlib.errors import CheckpointError, Problem

log = logging.getLogger(__name__)

# What the weights depend on: a checkpoint cannot be used when these differ.
_SHAPING = ("task", "model", "patch.model", "data.classes", "data.spatial_dims", "data.image_cols")
# What changes no figure of a run.
_IRRELEVANT = ("run.", "data.cache", "data.num_workers", "data.root")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without executing anything in it.

    Args:
        path: The checkpoint.

    Raises:
        CheckpointError: There is no such file, it is damaged, or it is none of trainlib's.
    """
    if not path.is_file():
        raise CheckpointError(f"--ckpt_path: there is no checkpoint {path}.")
    try:
        checkpoint: Any = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"--ckpt_path: {path} cannot be read as a checkpoint; it is damaged or of another kind ({first})."
        ) from error
    if not isinstance(checkpoint, dict) or "trainlib" not in checkpoint:
        raise CheckpointError(f"--ckpt_path: {path} was not written by trainlib.")
    return checkpoint


def compare(checkpoint: Mapping[str, Any], config: Config, path: Path) -> None:
    """Log which settings differ from those the checkpoint was trained with.

    Raises:
        CheckpointError: A setting differs that the weights depend on; all of them are named.
    """
    before = _flat(checkpoint["trainlib"]["config"])
    now = _flat(config.model_dump(mode="json"))
    problems = []
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if old == new or key.startswith(_IRRELEVANT):
            continue
        if key.startswith(_SHAPING):
            text = f"{key} is {_show(new)}, but {path} was trained with {_show(old)}. Weights cannot be carried over."
            problems.append(Problem(text))
        else:
            log.info("%s: now %s, in the checkpoint %s.", key, _show(new), _show(old))
    if problems:
        raise CheckpointError(problems)


def _show(value: Any) -> str:
    return "not set" if value is None else repr(value)


def _flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Write a nested mapping with dotted keys; a bare component counts as one without keywords."""
    return dict(_walk(tree, ""))


def _walk(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping) and node:
        for name, value in node.items():
            yield from _walk(value, f"{key}.{name}" if key else str(name))
    else:
        yield key, node
