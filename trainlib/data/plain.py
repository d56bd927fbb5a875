"""Free values of MONAI's metadata, so that they can be stored safely and stacked quickly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor, set_track_meta
from monai.data.meta_obj import get_track_meta


@contextmanager
def untracked() -> Iterator[None]:
    """Work on plain tensors: what is done to a training crop is never undone, and keeping account costs time."""
    tracked = get_track_meta()
    set_track_meta(False)
    try:
        yield
    finally:
        set_track_meta(tracked)


def plain_tensor(tensor: Any) -> torch.Tensor:
    """Return a tensor or array as a contiguous tensor without metadata."""
    tensor = tensor.as_tensor() if isinstance(tensor, MetaTensor) else torch.as_tensor(tensor)
    return tensor.contiguous()


def plain(value: Any) -> Any:
    """Reduce what a transform noted to tensors, numbers, texts and their containers, so that it is safe to load.

    MONAI identifies the transform by its address in memory; the name ``none`` lets it match in another process.
    """
    if isinstance(value, Mapping):
        items = {str(plain(key)): item for key, item in value.items()}
        return {key: "none" if key == "id" else plain(item) for key, item in items.items()}
    if isinstance(value, torch.Tensor):
        return plain_tensor(value).clone()
    if isinstance(value, np.ndarray):
        return torch.as_tensor(value).clone()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
