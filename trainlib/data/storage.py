"""A prepared case in a file; a large one is mapped into memory, so that only what is used of it is read."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save

_TENSOR = "tensor"
_SMALL = 2**20  # bytes of a file that is read as a whole in less time than it takes to map it
_TYPES = {"U8": "u1", "I16": "<i2", "I32": "<i4", "I64": "<i8", "F32": "<f4", "F64": "<f8"}


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
    """A small file, read at once; it does what is used of `safe_open`.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb", buffering=0) as file:
            self._data = bytearray(file.read())
        self._start = 8 + int.from_bytes(self._data[:8], "little")
        if self._start > len(self._data):
            raise ValueError("the header is incomplete")
        self._tensors = json.loads(self._data[8 : self._start])
        self._metadata = self._tensors.pop("__metadata__")
        if len(self._data) != self._start + max(
            (told["data_offsets"][1] for told in self._tensors.values()), default=0
        ):
            raise ValueError("tensors are incomplete")

    def __enter__(self) -> _Whole:
        return self

    def __exit__(self, *exception: object) -> None:
        """Keep the bytes, of which the tensors are views."""

    def metadata(self) -> dict[str, str]:
        """Return the texts in the header."""
        return self._metadata

    def get_tensor(self, name: str) -> torch.Tensor:
        """Return a tensor as a view of the bytes."""
        told = self._tensors[name]
        if told["dtype"] not in _TYPES:
            with safe_open(self._path, "pt") as file:
                return file.get_tensor(name)
        shape, begin = told["shape"], self._start + told["data_offsets"][0]
        return torch.from_numpy(
            np.frombuffer(self._data, _TYPES[told["dtype"]], math.prod(shape), begin).reshape(shape)
        )


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
