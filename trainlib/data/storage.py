"""A prepared case in a file; a large one is mapped into memory, so that only what is used of it is read."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load, save

_TENSOR = "tensor"
_SMALL = 2**20  # bytes of a file that is read as a whole in less time than it takes to map it


def packed(case: dict[str, Any]) -> bytes:
    """Write a case as what `unpacked` reads.

    Args:
        case: Tensors, and numbers, texts, lists and mappings of them; its keys are texts.
    """
    tensors: dict[str, torch.Tensor] = {}
    content = {key: _described(value, key, tensors) for key, value in case.items()}
    return save(tensors, {"content": json.dumps(content)})


def unpacked(path: Path, needed: Collection[str] | None = None) -> dict[str, Any]:
    """Read a case; what is written to its tensors stays in memory.

    Args:
        path: The file.
        needed: The keys that are asked for, all by default.

    Raises:
        FileNotFoundError: There is no such file.
        Exception: It is damaged.
    """
    with _Whole(path) if os.path.getsize(path) <= _SMALL else safe_open(path, "pt") as file:
        content = json.loads(file.metadata()["content"])
        return {key: _restored(value, file) for key, value in content.items() if needed is None or key in needed}


class _Whole:
    """A small file, read at once; it does what is used of `safe_open`, which maps a file.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        self._tensors = load(data)  # which tells what is damaged
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        self._metadata: dict[str, str] = header["__metadata__"]

    def __enter__(self) -> _Whole:
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave nothing behind: no file is open."""

    def metadata(self) -> dict[str, str]:
        """Return the texts in the header, which `load` leaves out."""
        return self._metadata

    def get_tensor(self, name: str) -> torch.Tensor:
        """Return a tensor."""
        return self._tensors[name]


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
