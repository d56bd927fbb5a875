"""Outputs and losses in single precision where a network computes in mixed precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

_HALF = (torch.float16, torch.bfloat16)


def _is_mixed(device: torch.device) -> bool:
    return torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)


def in_single(output: Any) -> Any:
    """Return logits that mixed precision has made half as long in single precision, and anything else as it is.

    Of logits with three digits a sum over many windows or voxels keeps no more. The network of a `true` precision has
    no other numbers.
    """
    is_half = isinstance(output, torch.Tensor) and output.dtype in _HALF and _is_mixed(output.device)
    return output.float() if is_half else output


def all_digits(logits: torch.Tensor) -> AbstractContextManager[Any]:
    """Return what keeps mixed precision out of a block, such as a loss that convolves or multiplies matrices."""
    return torch.autocast(logits.device.type, enabled=False) if _is_mixed(logits.device) else nullcontext()
