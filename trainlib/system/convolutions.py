"""Versions of torch that are slow where others are fast."""

from __future__ import annotations

_CUDNN_WITH_FAST_CONVOLUTIONS = 91500


def slow_in_half(torch: str, cudnn: int | None) -> bool:
    """Tell whether 3-D convolutions in half precision miss cuDNN's kernels on a GPU (pytorch issue 166122).

    Args:
        torch: Version of torch.
        cudnn: Version of cuDNN as torch tells it; None where that is not known.
    """
    return torch.startswith("2.9.") and (cudnn is None or cudnn < _CUDNN_WITH_FAST_CONVOLUTIONS)
