"""How convolutions of torch compute: where they are slow, and with how many digits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

FAST_CUDNN = 91500
"""Version of cuDNN from which on 3-D convolutions in half precision are fast with torch 2.9."""


def slow_in_half(torch: str, cudnn: int | None) -> bool:
    """Tell whether 3-D convolutions in half precision miss cuDNN's kernels on a GPU (pytorch issue 166122).

    Args:
        torch: Version of torch.
        cudnn: Version of cuDNN as torch tells it; None where that is not known.
    """
    return torch.startswith("2.9.") and (cudnn is None or cudnn < FAST_CUDNN)


@contextmanager
def precise_convolutions() -> Iterator[None]:
    """Let convolutions on a GPU compute in single precision, of which torch by default leaves ten bits (TF32)."""
    from torch.backends import cudnn

    # From torch 2.9 on there are settings for each operation; beside them the former one cannot always be read.
    place, name, value = (
        (cudnn.conv, "fp32_precision", "ieee") if hasattr(cudnn, "conv") else (cudnn, "allow_tf32", False)
    )
    before = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)
