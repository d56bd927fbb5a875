"""Outputs and losses in single precision where a network computes in mixed precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

_HALF = (torch.float16, torch.bfloat16)


def _is_mixed(device: torch.device) -> bool:
    return torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)


def in_single(output: Any) -> Any:
    """Return what a network gave: tensors that mixed precision has made half as long, in single precision.

    Of logits with three digits a sum over many windows or voxels keeps no more. The network of a `true` precision has
    no other numbers, and its output stays as it is.
    """
    if isinstance(output, torch.Tensor):
        return output.float() if output.dtype in _HALF and _is_mixed(output.device) else output
    if isinstance(output, list | tuple) and type(output) in (list, tuple):
        return type(output)(in_single(part) for part in output)
    return {name: in_single(part) for name, part in output.items()} if type(output) is dict else output


def all_digits(logits: torch.Tensor) -> AbstractContextManager[Any]:
    """Return what keeps mixed precision out of a block, such as a loss that convolves or multiplies matrices."""
    return torch.autocast(logits.device.type, enabled=False) if _is_mixed(logits.device) else nullcontext()
