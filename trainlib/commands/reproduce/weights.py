"""The weights of two checkpoints: one hash for all of them, and by how much each tensor differs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class TensorDifference:
    """How a tensor of two checkpoints differs.

    Attributes:
        name: Its name.
        what: ``only then``, ``only now``, or the two shapes or types where they differ; else empty.
        largest: The largest difference of two values; infinite where they cannot be compared.
        share: The share of values that differ.
    """

    name: str
    what: str
    largest: float = math.inf
    share: float = 1.0


def hash_weights(state: Mapping[str, torch.Tensor]) -> str:
    """Hash names, types, shapes and bytes of tensors, in the order of their names.

    Args:
        state: The ``state_dict`` of a checkpoint, on any device; the state of an optimizer is no part of it.

    Returns:
        SHA-256 as 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name]
        digest.update(f"{name}\n{tensor.dtype}\n{tuple(tensor.shape)}\n".encode())
        digest.update(_bytes(tensor).tobytes())
    return digest.hexdigest()


def compare_weights(then: Mapping[str, torch.Tensor], now: Mapping[str, torch.Tensor]) -> list[TensorDifference]:
    """List the tensors that are not equal to the bit, in the order of the first checkpoint."""
    found = []
    for name in [*then, *(name for name in now if name not in then)]:
        if name not in now or name not in then:
            found.append(TensorDifference(name, "only now" if name in now else "only then"))
        elif (difference := _compare(name, then[name], now[name])) is not None:
            found.append(difference)
    return found


def _compare(name: str, then: torch.Tensor, now: torch.Tensor) -> TensorDifference | None:
    for one, other in ((tuple(then.shape), tuple(now.shape)), (then.dtype, now.dtype)):
        if one != other:
            return TensorDifference(name, f"{one}, then {other}")
    differing = (_bytes(then) != _bytes(now)).any(axis=1)
    if not differing.any():
        return None
    wide = torch.complex128 if then.is_complex() else torch.float64
    apart = (then.detach().cpu().to(wide) - now.detach().cpu().to(wide)).abs()
    return TensorDifference(name, "", float(apart.max()), float(differing.mean()))


def _bytes(tensor: torch.Tensor) -> np.ndarray:
    """Return the bytes of a tensor's values, a row for each value, in the order of their indices."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().reshape(flat.numel(), flat.element_size())
