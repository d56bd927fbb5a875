"""A prepared case in a file that is mapped into memory: only what is used of it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

_TENSOR = "tensor"


def packed(case: dict[str, Any]) -> bytes:
    """Write a case as what `unpacked` reads.

    Args:
        case: Tensors, and numbers, texts, lists and mappings of them; its keys are texts.
    """
    tensors: dict[str, torch.Tensor] = {}
    content = {key: _described(value, key, tensors) for key, value in case.items()}
    return save(tensors, {"content": json.dumps(content)})


def unpacked(path: Path) -> dict[str, Any]:
    """Read a case; its tensors are views of the file, and what is written to them stays in memory.

    Raises:
        FileNotFoundError: There is no such file.
        Exception: It is damaged.
    """
    with safe_open(path, "pt") as file:
        content = json.loads(file.metadata()["content"])
        return {key: _restored(value, file) for key, value in content.items()}


def _described(value: Any, name: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Put the tensors in a value aside, and return what can be written as JSON."""
    if isinstance(value, torch.Tensor):
        tensors[name] = value.contiguous()
        return {_TENSOR: name}
    if isinstance(value, dict):
        return {"mapping": {key: _described(item, f"{name}.{key}", tensors) for key, item in value.items()}}
    if isinstance(value, list):
        return [_described(item, f"{name}.{i}", tensors) for i, item in enumerate(value)]
    return value


def _restored(value: Any, file: Any) -> Any:
    if isinstance(value, list):
        return [_restored(item, file) for item in value]
    if isinstance(value, dict):
        if _TENSOR in value:
            return file.get_tensor(value[_TENSOR])
        return {key: _restored(item, file) for key, item in value["mapping"].items()}
    return value
